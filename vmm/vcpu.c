/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/vcpu.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/numa.h"
#include "lib/stats.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RWY_STEM "vcpu"

/* Gets a thread out of KVM_RUN. */
#define KICK SIGRTMIN

static void on_kick(int sig)
{
}

void rwy_vcpu_gate_init(struct rwy_vcpu_gate *gate)
{
	memset(gate, 0, sizeof(*gate));
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->changed, NULL);
	pthread_cond_init(&gate->parked, NULL);
}

void rwy_vcpu_gate_fini(struct rwy_vcpu_gate *gate)
{
	pthread_mutex_destroy(&gate->lock);
	pthread_cond_destroy(&gate->changed);
	pthread_cond_destroy(&gate->parked);
}

/* Waits until this vCPU may run. False: the thread is to end. */
static bool park(struct rwy_vcpu *vcpu)
{
	struct rwy_vcpu_gate *gate = vcpu->gate;
	bool go;

	pthread_mutex_lock(&gate->lock);
	gate->nr_parked++;
	pthread_cond_signal(&gate->parked);
	while (!gate->quit && (!gate->open || vcpu->stuck))
		pthread_cond_wait(&gate->changed, &gate->lock);
	gate->nr_parked--;
	go = !gate->quit;
	pthread_mutex_unlock(&gate->lock);
	return go;
}

static void give_up(struct rwy_vcpu *vcpu, enum rwy_vcpu_event event)
{
	vcpu->stuck = true;
	vcpu->config->event(vcpu->config->ctx, event);
}

static void handle_io(struct rwy_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size)
		rwy_bus_access(vcpu->config->pio, run->io.port, data, run->io.size,
			       run->io.direction == KVM_EXIT_IO_OUT);
}

static void report(struct rwy_vcpu *vcpu, const char *fmt, ...) RWY_PRINTF(2, 3);
static void report(struct rwy_vcpu *vcpu, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	rwy_error("vCPU %u cannot go on: %s", vcpu->id, what);
	rwy_vcpu_log_registers(vcpu);
	give_up(vcpu, RWY_VCPU_FAILED);
}

static void handle_exit(struct rwy_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (run->exit_reason < RWY_VCPU_REASONS)
		rwy_stats_add(&vcpu->exits[run->exit_reason], 1);
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(vcpu);
		break;
	case KVM_EXIT_MMIO:
		rwy_bus_access(vcpu->config->mmio, run->mmio.phys_addr, run->mmio.data,
			       run->mmio.len, run->mmio.is_write);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_SHUTDOWN:
		rwy_warn("vCPU %u: triple fault", vcpu->id);
		give_up(vcpu, RWY_VCPU_SHUTDOWN);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		report(vcpu, "the CPU refuses to enter the guest, hardware reason 0x%llx",
		       (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		report(vcpu, "KVM internal error %u (1: it cannot emulate an instruction)",
		       run->internal.suberror);
		break;
	default:
		report(vcpu, "KVM exit %u is unknown here", run->exit_reason);
		break;
	}
}

/* Runs until the gate closes or the vCPU is stuck. */
static void run_guest(struct rwy_vcpu *vcpu)
{
	while (!vcpu->stuck) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
			handle_exit(vcpu);
			continue;
		}
		/* Only here is no instruction half done: KVM completes the last one, then sees
		 * immediate_exit. EAGAIN: a waiting vCPU got its start-up call. */
		if (errno == EINTR || errno == EAGAIN) {
			if (RWY_READ_ONCE(&vcpu->run->immediate_exit))
				return;
			continue;
		}
		report(vcpu, "KVM_RUN: %s", strerror(errno));
	}
}

static int create(struct rwy_vcpu *vcpu)
{
	const struct rwy_vcpu_config *config = vcpu->config;
	struct rwy_cpuid cpuid = *config->cpuid;
	int size = ioctl(config->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < (int)sizeof(*vcpu->run))
		return size < 0 ? -errno : -EINVAL;
	vcpu->fd = ioctl(config->vm_fd, KVM_CREATE_VCPU, (unsigned long)vcpu->id);
	if (vcpu->fd < 0)
		return -errno;
	vcpu->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return -errno;
	}
	vcpu->run_size = (size_t)size;
	vcpu->stats_fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);
	/* Before any MSR is touched: which ones exist follows from it. */
	rwy_cpuid_fit(&cpuid, vcpu->id, config->nr_vcpus, config->tsc_deadline);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, &cpuid) < 0)
		return -errno;
	return rwy_vcpu_save_fresh(vcpu);
}

static void *thread_main(void *arg)
{
	struct rwy_vcpu *vcpu = arg;
	struct rwy_vcpu_gate *gate = vcpu->gate;
	char name[16];
	sigset_t kick;

	snprintf(name, sizeof(name), "vcpu%u", vcpu->id);
	pthread_setname_np(pthread_self(), name);
	vcpu->tid = gettid();
	sigemptyset(&kick);
	sigaddset(&kick, KICK);
	if (vcpu->pin >= 0)
		vcpu->err = rwy_numa_pin((unsigned)vcpu->pin);
	if (!vcpu->err)
		vcpu->err = create(vcpu);
	if (vcpu->err) {
		pthread_mutex_lock(&gate->lock);
		gate->nr_failed++;
		pthread_cond_signal(&gate->parked);
		pthread_mutex_unlock(&gate->lock);
		return NULL;
	}
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	while (park(vcpu))
		run_guest(vcpu);
	return NULL;
}

int rwy_vcpu_start(struct rwy_vcpu *vcpu, const struct rwy_vcpu_config *config,
		   struct rwy_vcpu_gate *gate, unsigned id, int pin)
{
	struct sigaction action = {.sa_handler = on_kick};
	sigset_t all, saved;
	int err;

	memset(vcpu, 0, sizeof(*vcpu));
	vcpu->config = config;
	vcpu->gate = gate;
	vcpu->id = id;
	vcpu->pin = pin;
	vcpu->fd = -1;
	vcpu->stats_fd = -1;
	sigaction(KICK, &action, NULL);
	/* The thread inherits this: signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	err = pthread_create(&vcpu->thread, NULL, thread_main, vcpu);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	vcpu->has_thread = err == 0;
	return -err;
}

int rwy_vcpu_wait_created(struct rwy_vcpu *vcpus, unsigned nr)
{
	struct rwy_vcpu_gate *gate = vcpus[0].gate;

	pthread_mutex_lock(&gate->lock);
	while (gate->nr_parked + gate->nr_failed < nr)
		pthread_cond_wait(&gate->parked, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
	for (unsigned i = 0; i < nr; i++) {
		if (!vcpus[i].err)
			continue;
		if (vcpus[i].fd < 0 && vcpus[i].pin >= 0 && vcpus[i].err == -EINVAL)
			rwy_error("--cpus: vCPU %u cannot be pinned to CPU %d: there is no such "
				  "CPU here, or this process may not use it",
				  i, vcpus[i].pin);
		else
			rwy_error("cannot create vCPU %u: %s", i, strerror(-vcpus[i].err));
		return vcpus[i].err;
	}
	return 0;
}

void rwy_vcpu_run_all(struct rwy_vcpu *vcpus, unsigned nr)
{
	struct rwy_vcpu_gate *gate = vcpus[0].gate;

	pthread_mutex_lock(&gate->lock);
	for (unsigned i = 0; i < nr; i++)
		RWY_WRITE_ONCE(&vcpus[i].run->immediate_exit, 0);
	gate->open = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void rwy_vcpu_excuse_all(struct rwy_vcpu *vcpus, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		(void)ioctl(vcpus[i].fd, KVM_KVMCLOCK_CTRL, 0); /* fails where there is none */
}

static void close_gate(struct rwy_vcpu *vcpus, unsigned nr)
{
	vcpus[0].gate->open = false;
	for (unsigned i = 0; i < nr; i++) {
		if (!vcpus[i].run || !vcpus[i].has_thread)
			continue;
		RWY_WRITE_ONCE(&vcpus[i].run->immediate_exit, 1);
		pthread_kill(vcpus[i].thread, KICK);
	}
}

void rwy_vcpu_pause_all(struct rwy_vcpu *vcpus, unsigned nr)
{
	struct rwy_vcpu_gate *gate = vcpus[0].gate;

	pthread_mutex_lock(&gate->lock);
	close_gate(vcpus, nr);
	while (gate->nr_parked < nr)
		pthread_cond_wait(&gate->parked, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

void rwy_vcpu_stop_all(struct rwy_vcpu *vcpus, unsigned nr)
{
	struct rwy_vcpu_gate *gate;

	if (nr == 0)
		return;
	gate = vcpus[0].gate;
	pthread_mutex_lock(&gate->lock);
	close_gate(vcpus, nr);
	gate->quit = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
	for (unsigned i = 0; i < nr; i++) {
		if (vcpus[i].has_thread)
			pthread_join(vcpus[i].thread, NULL);
		vcpus[i].has_thread = false;
	}
}

void rwy_vcpu_close(struct rwy_vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	vcpu->run = NULL;
	rwy_fd_close(&vcpu->stats_fd);
	rwy_fd_close(&vcpu->fd);
	free(vcpu->fresh);
	vcpu->fresh = NULL;
}
