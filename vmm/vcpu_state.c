/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of a vCPU after creation, kept for resets; and the state in which it enters a kernel.
 * KVM has no "reset this vCPU", so everything that it lets us read is read once, and written back.
 */
#include "vmm/vcpu.h"

#include "lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define RWY_STEM "vcpu"

#define MSRS_MAX 512

#define MSR_TSC		 0x10
#define MSR_MISC_ENABLE	 0x1a0
#define MSR_MTRR_DEFAULT 0x2ff
#define MSR_TSC_DEADLINE 0x6e0
/* Hyper-V's: touching one makes KVM build that whole interface. */
#define MSR_HYPERV	  0x40000000
#define MSR_HYPERV_END	  0x40000200
#define FAST_STRINGS	  0x1
#define MTRR_ON_WRITEBACK 0x806

#define CR0_PE	 0x1u
#define CR0_ET	 0x10u
#define CR0_PG	 0x80000000u
#define CR4_PAE	 0x20u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u

#define RFLAGS_RESERVED 0x2

/* A struct kvm_msrs with room. */
struct msrs {
	uint32_t nmsrs;
	uint32_t padding;
	struct kvm_msr_entry entries[MSRS_MAX];
};
_Static_assert(offsetof(struct msrs, entries) == sizeof(struct kvm_msrs), "KVM's layout");

struct rwy_vcpu_state {
	struct kvm_sregs sregs;
	struct kvm_lapic_state lapic;
	uint32_t xsave[1024]; /* a struct kvm_xsave */
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct msrs msrs;
};

static int read_all(struct rwy_vcpu *vcpu, struct rwy_vcpu_state *s)
{
	if (ioctl(vcpu->fd, KVM_GET_SREGS, &s->sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_LAPIC, &s->lapic) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_XSAVE, s->xsave) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_XCRS, &s->xcrs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &s->debugregs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &s->events) < 0)
		return -errno;
	return 0;
}

/* What KVM_GET_MSRS and KVM_SET_MSRS do: they stop at the first MSR that they cannot handle. Leave
 * that one out and go on behind it. */
static int each_msr(const struct rwy_vcpu *vcpu, unsigned long request, struct msrs *msrs)
{
	struct msrs part;
	unsigned done = 0, kept = 0;

	while (done < msrs->nmsrs) {
		part.nmsrs = msrs->nmsrs - done;
		memcpy(part.entries, msrs->entries + done, part.nmsrs * sizeof(part.entries[0]));
		int n = ioctl(vcpu->fd, request, &part);
		if (n < 0)
			return -errno;
		memcpy(msrs->entries + kept, part.entries, (unsigned)n * sizeof(part.entries[0]));
		kept += (unsigned)n;
		done += (unsigned)n;
		if (done < msrs->nmsrs) {
			rwy_debug("vCPU %u: MSR 0x%x left out", vcpu->id,
				  msrs->entries[done].index);
			done++;
		}
	}
	msrs->nmsrs = kept;
	return 0;
}

static int read_msrs(struct rwy_vcpu *vcpu, struct msrs *msrs)
{
	/* A struct kvm_msr_list with room. */
	struct {
		uint32_t nmsrs;
		uint32_t indices[MSRS_MAX];
	} list = {.nmsrs = MSRS_MAX};

	if (ioctl(vcpu->config->kvm_fd, KVM_GET_MSR_INDEX_LIST, &list) < 0)
		return -errno;
	for (unsigned i = 0; i < list.nmsrs; i++)
		if (list.indices[i] < MSR_HYPERV || list.indices[i] >= MSR_HYPERV_END)
			msrs->entries[msrs->nmsrs++].index = list.indices[i];
	return each_msr(vcpu, KVM_GET_MSRS, msrs);
}

static void set_msr(struct msrs *msrs, uint32_t index, uint64_t data)
{
	unsigned i = 0;

	while (i < msrs->nmsrs && msrs->entries[i].index != index)
		i++;
	if (i == MSRS_MAX)
		return;
	if (i == msrs->nmsrs)
		msrs->nmsrs++;
	msrs->entries[i] = (struct kvm_msr_entry){.index = index, .data = data};
}

int rwy_vcpu_save_fresh(struct rwy_vcpu *vcpu)
{
	struct rwy_vcpu_state *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	vcpu->fresh = s;
	err = read_all(vcpu, s);
	if (!err)
		err = read_msrs(vcpu, &s->msrs);
	if (err)
		return err;
	/* As firmware leaves them. Uncached memory by default would make a guest that has a
	 * device of the host crawl. */
	set_msr(&s->msrs, MSR_MTRR_DEFAULT, MTRR_ON_WRITEBACK);
	set_msr(&s->msrs, MSR_MISC_ENABLE, FAST_STRINGS);
	/* Zero on all vCPUs is what KVM takes as "in step". */
	set_msr(&s->msrs, MSR_TSC, 0);
	set_msr(&s->msrs, MSR_TSC_DEADLINE, 0);
	return 0;
}

static void set_flat(struct kvm_sregs *sregs, bool long_mode)
{
	struct kvm_segment code = {
		.limit = 0xffffffff,
		.selector = 0x10,
		.type = 0xb, /* execute, read, accessed */
		.present = 1,
		.s = 1,
		.g = 1,
		.db = !long_mode,
		.l = long_mode,
	};
	struct kvm_segment data = code;

	data.selector = 0x18;
	data.type = 0x3; /* read, write, accessed */
	data.db = 1;
	data.l = 0;
	sregs->cs = code;
	sregs->ds = sregs->es = sregs->ss = sregs->fs = sregs->gs = data;
	sregs->tr = (struct kvm_segment){.limit = 0x67, .type = 0xb, .present = 1};
}

static void enter_kernel(struct kvm_sregs *sregs, struct kvm_regs *regs,
			 const struct rwy_boot_entry *entry)
{
	set_flat(sregs, entry->long_mode);
	regs->rip = entry->rip;
	if (!entry->long_mode) {
		sregs->cr0 = CR0_PE | CR0_ET;
		regs->rbx = entry->params;
		return;
	}
	sregs->gdt = (struct kvm_dtable){.base = RWY_BOOT_GDT,
					 .limit = RWY_BOOT_GDT_ENTRIES * sizeof(uint64_t) - 1};
	sregs->cr0 = CR0_PE | CR0_ET | CR0_PG;
	sregs->cr3 = entry->cr3;
	sregs->cr4 = CR4_PAE;
	sregs->efer |= EFER_LME | EFER_LMA;
	regs->rsi = entry->params;
}

int rwy_vcpu_reset(struct rwy_vcpu *vcpu, const struct rwy_boot_entry *entry)
{
	const struct rwy_vcpu_state *s = vcpu->fresh;
	struct kvm_sregs sregs = s->sregs;
	struct msrs msrs = s->msrs;
	struct kvm_regs regs = {.rflags = RFLAGS_RESERVED};
	struct kvm_mp_state mp = {.mp_state = vcpu->id == 0 ? KVM_MP_STATE_RUNNABLE
							    : KVM_MP_STATE_UNINITIALIZED};
	int err;

	if (vcpu->id == 0)
		enter_kernel(&sregs, &regs, entry);
	/* The APIC's mode (sregs) decides how its registers are read; the deadline timer (an MSR)
	 * needs the APIC. */
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_LAPIC, &s->lapic) < 0)
		goto failed;
	err = each_msr(vcpu, KVM_SET_MSRS, &msrs);
	if (err)
		return err;
	if (ioctl(vcpu->fd, KVM_SET_XCRS, &s->xcrs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_XSAVE, s->xsave) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &s->debugregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &s->events) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0 || ioctl(vcpu->fd, KVM_SET_MP_STATE, &mp) < 0)
		goto failed;
	vcpu->stuck = false;
	return 0;

failed:
	err = -errno;
	rwy_error("vCPU %u cannot be reset: %s", vcpu->id, strerror(-err));
	return err;
}

void rwy_vcpu_log_registers(const struct rwy_vcpu *vcpu)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return;
	rwy_error("vCPU %u: rip 0x%llx rsp 0x%llx rflags 0x%llx cs 0x%x cr0 0x%llx cr2 0x%llx "
		  "cr3 0x%llx cr4 0x%llx efer 0x%llx rax 0x%llx rbx 0x%llx rcx 0x%llx rdx 0x%llx "
		  "rsi 0x%llx rdi 0x%llx",
		  vcpu->id, regs.rip, regs.rsp, regs.rflags, sregs.cs.selector, sregs.cr0,
		  sregs.cr2, sregs.cr3, sregs.cr4, sregs.efer, regs.rax, regs.rbx, regs.rcx,
		  regs.rdx, regs.rsi, regs.rdi);
}
