/* SPDX-License-Identifier: BSD-3-Clause */
/* How a guest and its one device are described to each VMM. */
#include "perf/guest.h"
#include "perf/place.h"

#include <stdio.h>

#define CMDLINE "console=ttyS0 quiet panic=-1 ipv6.disable=1 rwy.run=perf"

static void add_kernel(const struct rwy_guest_config *config, struct rwy_args *args,
		       const char *kernel, const char *initrd, const char *cmdline)
{
	rwy_args_add(args, "%s", kernel);
	rwy_args_add(args, "%s", config->kernel);
	rwy_args_add(args, "%s", initrd);
	rwy_args_add(args, "%s", config->initrd);
	rwy_args_add(args, "%s", cmdline);
	rwy_args_add(args, CMDLINE "%s%s", config->append[0] ? " " : "", config->append);
}

static bool describe_ringway(const struct rwy_guest_config *config, struct rwy_args *args)
{
	const char *packed = config->packed ? ",packed" : "";
	char node[24] = "", pins[8 * RWY_GUEST_VCPUS];

	if (config->memory_node >= 0)
		snprintf(node, sizeof(node), ",node=%d", config->memory_node);
	add_kernel(config, args, "--kernel", "--initrd", "--cmdline");
	rwy_args_add(args, "--cpus");
	rwy_place_list(config->vcpus, config->nr_vcpus, pins, sizeof(pins));
	rwy_args_add(args, "%u,pin=%s", config->nr_vcpus, pins);
	rwy_args_add(args, "--memory");
	rwy_args_add(args, "%uM%s", config->memory_mib, node);
	switch (config->attach) {
	case RWY_GUEST_NET_VU:
		rwy_args_add(args, "--net");
		rwy_args_add(args, "socket=%s,mac=" RWY_GUEST_MAC ",queues=%u%s", config->target,
			     config->nr_queues, packed);
		return true;
	case RWY_GUEST_DISK_VU:
		rwy_args_add(args, "--disk");
		rwy_args_add(args, "socket=%s,queues=%u%s", config->target, config->nr_queues,
			     packed);
		return true;
	case RWY_GUEST_VFIO:
		rwy_args_add(args, "--vfio");
		rwy_args_add(args, "%s", config->target);
		return true;
	default:
		return false;
	}
}

const struct rwy_guest_vmm rwy_guest_ringway = {
	.name = "ringway-vmm",
	.program = "ringway-vmm",
	.missing = "ringway-vmm is neither next to ringway-perf nor in PATH",
	.describe = describe_ringway,
};

static bool add_qemu_device(const struct rwy_guest_config *config, struct rwy_args *args)
{
	const char *packed = config->packed ? ",packed=on" : "", *target = config->target;
	unsigned queues = config->nr_queues;

	switch (config->attach) {
	case RWY_GUEST_NET_VU:
		rwy_args_add(args, "-netdev");
		rwy_args_add(args, "vhost-user,id=n0,chardev=c0,queues=%u", queues);
		rwy_args_add(args, "-chardev");
		rwy_args_add(args, "socket,id=c0,path=%s", target);
		break;
	case RWY_GUEST_DISK_VU:
		rwy_args_add(args, "-chardev");
		rwy_args_add(args, "socket,id=c0,path=%s", target);
		rwy_args_add(args, "-device");
		rwy_args_add(args, "vhost-user-blk-pci,chardev=c0,num-queues=%u%s", queues, packed);
		return true;
	case RWY_GUEST_NET_TAP:
		rwy_args_add(args, "-netdev");
		rwy_args_add(args, "tap,id=n0,ifname=%s,script=no,downscript=no,vhost=%s,queues=%u",
			     target, config->vhost ? "on" : "off", queues);
		break;
	case RWY_GUEST_DISK:
		rwy_args_add(args, "-blockdev");
		rwy_args_add(args, "driver=file,node-name=d0,aio=io_uring,filename=%s", target);
		rwy_args_add(args, "-device");
		rwy_args_add(args, "virtio-blk-pci,drive=d0,num-queues=%u%s", queues, packed);
		return true;
	case RWY_GUEST_VFIO:
		rwy_args_add(args, "-device");
		rwy_args_add(args, "vfio-pci,host=%s,rombar=0", target);
		return true;
	default:
		return false;
	}
	rwy_args_add(args, "-device");
	/* for each queue an interrupt either way; for the control queue and changes one each */
	rwy_args_add(args,
		     "virtio-net-pci,netdev=n0,romfile=,mac=" RWY_GUEST_MAC ",mq=%s,vectors=%u%s",
		     queues > 1 ? "on" : "off", 2 * queues + 2, packed);
	return true;
}

static bool describe_qemu(const struct rwy_guest_config *config, struct rwy_args *args)
{
	char node[48] = "";

	if (config->memory_node >= 0)
		snprintf(node, sizeof(node), ",policy=bind,host-nodes=%d", config->memory_node);
	rwy_args_split(args, "-nodefaults -no-user-config -display none -no-reboot "
			     "-machine q35,accel=kvm,memory-backend=ram -cpu host "
			     "-name ringway-perf,debug-threads=on -serial stdio -smp");
	rwy_args_add(args, "%u", config->nr_vcpus);
	rwy_args_add(args, "-m");
	rwy_args_add(args, "%u", config->memory_mib);
	rwy_args_add(args, "-object");
	rwy_args_add(args, "memory-backend-memfd,id=ram,share=on,size=%uM%s", config->memory_mib,
		     node);
	add_kernel(config, args, "-kernel", "-initrd", "-append");
	return add_qemu_device(config, args);
}

const struct rwy_guest_vmm rwy_guest_qemu = {
	.name = "QEMU",
	.program = "qemu-system-x86_64",
	.missing = "qemu-system-x86_64 is not installed (Debian: package qemu-system-x86)",
	.describe = describe_qemu,
	.starts_on_guest_cpu = true,
};
