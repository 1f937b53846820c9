/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/vm.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "vmm/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define RWY_STEM "vm"

#define KVM_PATH "/dev/kvm"
#define NR_CHIPS 3

/* One memfd for all RAM; what does not fit below the hole goes on at 4 GiB. */
static int add_ram(struct rwy_vm *vm)
{
	/* A back-end can only map huge pages from a multiple of their size. */
	uint64_t low =
		RWY_MIN(vm->ram.size, RWY_ALIGN_DOWN((uint64_t)RWY_LAYOUT_HOLE, vm->ram.page_size));
	struct rwy_mem_region region = {.size = low, .hva = vm->ram.addr, .fd = vm->ram.fd};
	int err = rwy_mem_add(&vm->mem, &region);

	if (err || low == vm->ram.size)
		return err;
	region = (struct rwy_mem_region){
		.gpa = {RWY_LAYOUT_RAM_HIGH},
		.size = vm->ram.size - low,
		.hva = vm->ram.addr + low,
		.fd = vm->ram.fd,
		.fd_off = low,
	};
	return rwy_mem_add(&vm->mem, &region);
}

int rwy_vm_open(struct rwy_vm *vm, const struct rwy_vm_config *config)
{
	const struct rwy_shm_opts opts = {
		.page_size = config->page_size,
		.node = config->node,
		/* Huge pages are reserved by the mapping, but not on their node. */
		.prealloc = config->page_size > 4096 && config->node >= 0,
	};
	int err;

	memset(vm, 0, sizeof(*vm));
	vm->config = *config;
	vm->kvm_fd = -1;
	vm->fd = -1;
	err = rwy_shm_open(&vm->ram, "guest RAM", config->memory, &opts);
	if (err)
		return err;
	/* Where the host lets shared memory have huge pages on request, fewer faults. */
	if (vm->ram.page_size == 4096)
		madvise(vm->ram.addr, vm->ram.size, MADV_HUGEPAGE);
	rwy_mem_init(&vm->mem);
	err = add_ram(vm);
	if (err) {
		rwy_shm_close(&vm->ram);
		return err;
	}
	pthread_mutex_init(&vm->lock, NULL);
	rwy_bus_init(&vm->mmio, "mmio", &vm->lock);
	rwy_bus_init(&vm->pio, "pio", &vm->lock);
	rwy_vcpu_gate_init(&vm->gate);
	return 0;
}

static int on_mem_add(void *ctx, const struct rwy_mem_region *region)
{
	struct rwy_vm *vm = ctx;

	return rwy_memslot_add(&vm->slots, region->gpa.v, region->hva, region->size);
}

static void on_mem_del(void *ctx, const struct rwy_mem_region *region)
{
	struct rwy_vm *vm = ctx;

	rwy_memslot_del(&vm->slots, region->gpa.v);
}

static int open_device(struct rwy_vm *vm)
{
	int version;

	vm->kvm_fd = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0) {
		int err = -errno;

		rwy_error("cannot open " KVM_PATH ": %s: %s", strerror(-err),
			  err == -EACCES || err == -EPERM
				  ? "become a member of the group kvm (usermod -aG kvm USER)"
				  : "load its module (modprobe kvm_intel, or kvm_amd) and see that "
				    "the firmware has virtualization switched on");
		return err;
	}
	version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		rwy_error(KVM_PATH " speaks version %d of its interface, %d is needed", version,
			  KVM_API_VERSION);
		return -EPROTO;
	}
	return 0;
}

static int check_capabilities(struct rwy_vm *vm)
{
	static const struct {
		int cap;
		const char *name;
	} needed[] = {
		{KVM_CAP_USER_MEMORY, "user memory"},
		{KVM_CAP_IRQCHIP, "interrupt chips"},
		{KVM_CAP_IRQ_ROUTING, "interrupt routing"},
		{KVM_CAP_IRQFD, "irqfd"},
		{KVM_CAP_IOEVENTFD, "ioeventfd"},
		{KVM_CAP_IOEVENTFD_ANY_LENGTH, "ioeventfd of any length"},
		{KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
		{KVM_CAP_XSAVE, "xsave"},
		{KVM_CAP_MP_STATE, "multiprocessor state"},
	};
	int most;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(needed); i++) {
		if (ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, (long)needed[i].cap) > 0)
			continue;
		rwy_error("this kernel's KVM has no %s: Linux 5.10 or newer is needed",
			  needed[i].name);
		return -EOPNOTSUPP;
	}
	most = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, (long)KVM_CAP_MAX_VCPUS);
	if (most > 0 && vm->config.nr_vcpus > (unsigned)most) {
		rwy_error("--cpus: this KVM runs at most %d vCPUs", most);
		return -EINVAL;
	}
	return 0;
}

static int save_chips(struct rwy_vm *vm)
{
	vm->chips = calloc(NR_CHIPS, sizeof(*vm->chips));
	if (!vm->chips)
		return -ENOMEM;
	for (unsigned i = 0; i < NR_CHIPS; i++) {
		vm->chips[i].chip_id = i;
		if (ioctl(vm->fd, KVM_GET_IRQCHIP, &vm->chips[i]) < 0)
			return -errno;
	}
	return 0;
}

/* The machine without vCPUs. There is no PIT: with kvm-clock and the TSC deadline timer no kernel
 * of this decade asks for one, and waiting for its ticks would only make boots longer. */
static int create_vm(struct rwy_vm *vm)
{
	uint64_t ident = RWY_LAYOUT_KVM_IDENT;
	const struct rwy_mem_listener listener = {on_mem_add, on_mem_del, vm};
	int err;

	do {
		vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0UL);
	} while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0 || ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)RWY_LAYOUT_KVM_TSS) < 0 ||
	    ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &ident) < 0 ||
	    ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0UL) < 0) {
		err = -errno;
		rwy_error("KVM cannot create a virtual machine: %s", strerror(-err));
		return err;
	}
	rwy_memslot_init(&vm->slots, vm->fd,
			 ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, (long)KVM_CAP_NR_MEMSLOTS));
	err = save_chips(vm);
	if (err)
		return err;
	err = rwy_irq_open(&vm->irq, vm->fd);
	if (err)
		return err;
	return rwy_mem_listen(&vm->mem, &listener);
}

static int create_vcpus(struct rwy_vm *vm)
{
	const struct rwy_vm_config *config = &vm->config;
	int err = rwy_cpuid_get(&vm->cpuid, vm->kvm_fd);

	if (err)
		return err;
	vm->vcpu_config = (struct rwy_vcpu_config){
		.kvm_fd = vm->kvm_fd,
		.vm_fd = vm->fd,
		.cpuid = &vm->cpuid,
		.tsc_deadline = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION,
				      (long)KVM_CAP_TSC_DEADLINE_TIMER) > 0,
		.nr_vcpus = config->nr_vcpus,
		.mmio = &vm->mmio,
		.pio = &vm->pio,
		.event = config->event,
		.ctx = config->ctx,
	};
	for (unsigned i = 0; i < config->nr_vcpus; i++) {
		int pin = config->nr_pins ? config->pins[i % config->nr_pins] : -1;

		err = rwy_vcpu_start(&vm->vcpus[i], &vm->vcpu_config, &vm->gate, i, pin);
		if (err) {
			rwy_error("cannot start a thread for vCPU %u: %s", i, strerror(-err));
			return err;
		}
		vm->nr_vcpus++;
	}
	return rwy_vcpu_wait_created(vm->vcpus, vm->nr_vcpus);
}

int rwy_vm_open_kvm(struct rwy_vm *vm)
{
	int err = open_device(vm);

	if (!err)
		err = check_capabilities(vm);
	if (!err)
		err = create_vm(vm);
	if (!err)
		err = create_vcpus(vm);
	return err;
}

void rwy_vm_close(struct rwy_vm *vm)
{
	rwy_vm_stop(vm);
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		rwy_vcpu_close(&vm->vcpus[i]);
	vm->nr_vcpus = 0;
	rwy_irq_close(vm->irq);
	vm->irq = NULL;
	free(vm->chips);
	vm->chips = NULL;
	rwy_mem_fini(&vm->mem);
	rwy_fd_close(&vm->fd);
	rwy_fd_close(&vm->kvm_fd);
	rwy_shm_close(&vm->ram);
	rwy_vcpu_gate_fini(&vm->gate);
	pthread_mutex_destroy(&vm->lock);
}

int rwy_vm_reset(struct rwy_vm *vm, const struct rwy_boot_entry *entry)
{
	int err = 0;

	for (unsigned i = 0; i < NR_CHIPS; i++) {
		if (ioctl(vm->fd, KVM_SET_IRQCHIP, &vm->chips[i]) < 0) {
			err = -errno;
			rwy_error("interrupt chip %u cannot be reset: %s", i, strerror(-err));
			return err;
		}
	}
	for (unsigned i = 0; !err && i < vm->nr_vcpus; i++)
		err = rwy_vcpu_reset(&vm->vcpus[i], entry);
	return err;
}

void rwy_vm_run(struct rwy_vm *vm)
{
	rwy_vcpu_run_all(vm->vcpus, vm->nr_vcpus);
}

void rwy_vm_pause(struct rwy_vm *vm)
{
	rwy_vcpu_pause_all(vm->vcpus, vm->nr_vcpus);
}

void rwy_vm_stop(struct rwy_vm *vm)
{
	rwy_vcpu_stop_all(vm->vcpus, vm->nr_vcpus);
}
