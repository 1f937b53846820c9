/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/irq_probe.h"

#include "lib/fd.h"
#include "lib/sysfs.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KVM_DIR "/sys/kernel/debug/kvm"
#define EVENTS	"/sys/kernel/debug/tracing/events/kvm"
#define KPROBE	"/sys/bus/event_source/devices/kprobe/type"
#define CALL	"kvm_send_userspace_msi" /* what the ioctl KVM_SIGNAL_MSI comes to */

static int refuse(struct rwy_irq_probe *probe, int err, const char *fmt, ...) RWY_PRINTF(3, 4);

static int refuse(struct rwy_irq_probe *probe, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(probe->why, sizeof(probe->why), fmt, args);
	va_end(args);
	return err;
}

static int add(struct rwy_irq_probe *probe, enum rwy_irq_probe_what what,
	       struct perf_event_attr *attr, pid_t pid, int cpu)
{
	attr->size = sizeof(*attr);
	void *more = reallocarray(probe->counters, probe->nr + 1, sizeof(*probe->counters));

	if (!more)
		return -ENOMEM;
	probe->counters = more;
	long fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	probe->counters[probe->nr].fd = (int)fd;
	probe->counters[probe->nr++].what = what;
	return 0;
}

/* A trace point of KVM, on all CPUs: whoever rings an irqfd is on any of them. */
static int add_trace_point(struct rwy_irq_probe *probe, enum rwy_irq_probe_what what,
			   const char *name)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT};
	long nr_cpus = sysconf(_SC_NPROCESSORS_CONF);
	uint64_t id;
	int err = rwy_sysfs_read_uint("", &id, EVENTS "/%s/id", name);

	if (err < 0)
		return refuse(probe, err, "KVM's trace point %s: %s", name, strerror(-err));
	attr.config = id;
	for (int cpu = 0; cpu < nr_cpus; cpu++) {
		err = add(probe, what, &attr, -1, cpu);
		if (err < 0 && err != -ENODEV) /* this CPU is offline */
			return refuse(probe, err, "counting %s: %s", name, strerror(-err));
	}
	return 0;
}

struct calls {
	struct rwy_irq_probe *probe;
	struct perf_event_attr attr;
};

static int add_thread(void *ctx, const char *tid)
{
	struct calls *calls = ctx;
	int err = add(calls->probe, RWY_IRQ_PROBE_CALL, &calls->attr, atoi(tid), -1);

	return err == -ESRCH ? 0 : err; /* it has ended */
}

/* In the VMM's threads alone, and in those that they will start. */
static int add_calls(struct rwy_irq_probe *probe, pid_t vmm)
{
	static const char function[] = CALL;
	struct calls calls = {.probe = probe};
	uint64_t type;
	int err = rwy_sysfs_read_uint("", &type, KPROBE);

	if (err < 0)
		return refuse(probe, err, "this kernel has no probes: " KPROBE ": %s",
			      strerror(-err));
	calls.attr.type = (uint32_t)type;
	calls.attr.inherit = 1;
	calls.attr.kprobe_func = (uintptr_t)function;
	err = rwy_sysfs_list("", add_thread, &calls, "/proc/%d/task", vmm);
	return err < 0 ? refuse(probe, err, "a probe at " CALL ": %s", strerror(-err)) : 0;
}

/* Machines are directories there, called PID-FD. */
static int count_machine(void *ctx, const char *name)
{
	*(unsigned *)ctx += strchr(name, '-') != NULL;
	return 0;
}

int rwy_irq_probe_open(struct rwy_irq_probe *probe, pid_t vmm)
{
	unsigned machines = 0;
	int err = 0;

	*probe = (struct rwy_irq_probe){0};
	(void)rwy_sysfs_list("", count_machine, &machines, KVM_DIR);
	if (machines > 1)
		err = refuse(probe, -EBUSY, "other guests run on this host");
	if (err == 0)
		err = add_trace_point(probe, RWY_IRQ_PROBE_MSI, "kvm_msi_set_irq");
	/* before Linux 5.19 it is not there, and has another name on Intel's CPUs alone */
	if (err == 0)
		err = add_trace_point(probe, RWY_IRQ_PROBE_POSTED, "kvm_apicv_accept_irq");
	if (err == 0)
		err = add_calls(probe, vmm);
	if (err < 0) {
		char why[RWY_IRQ_PROBE_WHY];

		strcpy(why, probe->why);
		rwy_irq_probe_close(probe);
		strcpy(probe->why, why);
	}
	return err;
}

void rwy_irq_probe_close(struct rwy_irq_probe *probe)
{
	for (unsigned i = 0; i < probe->nr; i++)
		rwy_fd_close(&probe->counters[i].fd);
	free(probe->counters);
	*probe = (struct rwy_irq_probe){0};
}

int rwy_irq_probe_read(const struct rwy_irq_probe *probe, uint64_t counts[RWY_IRQ_PROBE_WHATS])
{
	memset(counts, 0, RWY_IRQ_PROBE_WHATS * sizeof(counts[0]));
	if (probe->nr == 0)
		return -ENODATA;
	for (unsigned i = 0; i < probe->nr; i++) {
		uint64_t value;

		if (read(probe->counters[i].fd, &value, sizeof(value)) != sizeof(value))
			return -EIO;
		counts[probe->counters[i].what] += value;
	}
	return 0;
}
