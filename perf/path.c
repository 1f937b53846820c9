/* SPDX-License-Identifier: BSD-3-Clause */
/* All the paths there are. The order is that of a round, and of a report. */
#include "perf/path.h"

#include <string.h>

/* clang-format off */
#define ROW(kind_, stem_, key_, vmm_, ops_, name_, ...)                                            \
	{.key = stem_ "-" key_, .name = name_, .kind = RWY_RESULT_##kind_,                         \
	 .vmm = &rwy_guest_##vmm_, .ops = &rwy_path_##ops_, __VA_ARGS__}
#define NET(key, vmm, ops, ...) ROW(NET, "net", key, vmm, net_##ops, __VA_ARGS__)
#define BLK(key, vmm, ops, ...) ROW(BLK, "blk", key, vmm, blk_##ops, __VA_ARGS__)
#define POLLED .poll = "always"
#define IRQS   .poll = "never"
#define PACKED .packed = true
#define VF     .vf = true
#define FILE_  .store = "file"
#define MEM    .store = "mem"

const struct rwy_path rwy_paths[] = {
	NET("split",	   ringway, ringway, "virtio split, polled", POLLED),
	NET("packed",	   ringway, ringway, "virtio packed, polled", POLLED, PACKED),
	NET("split-irq",   ringway, ringway, "virtio split, interrupts", IRQS),
	NET("packed-irq",  ringway, ringway, "virtio packed, interrupts", IRQS, PACKED),
	NET("qemu",	   qemu, ringway, "virtio split, polled, QEMU", POLLED),
	NET("qemu-packed", qemu, ringway, "virtio packed, polled, QEMU", POLLED, PACKED),
	NET("qemu-irq",	   qemu, ringway, "virtio split, interrupts, QEMU", IRQS),
	NET("qemu-tap",	   qemu, tap, "virtio in QEMU, tap"),
	NET("qemu-vhost",  qemu, vhost, "virtio in QEMU, tap, vhost in the kernel"),
	NET("dpdk",	   ringway, dpdk, "virtio split, DPDK"),
	NET("dpdk-packed", ringway, dpdk, "virtio packed, DPDK", PACKED),
	NET("qemu-dpdk",   qemu, dpdk, "virtio split, DPDK, QEMU"),
	NET("ovs",	   ringway, ovs, "virtio split, OVS-DPDK"),
	NET("ovs-packed",  ringway, ovs, "virtio packed, OVS-DPDK", PACKED),
	NET("qemu-ovs",	   qemu, ovs, "virtio split, OVS-DPDK, QEMU"),
	NET("vfio",	   ringway, vfio, "VFIO, whole function"),
	NET("vf",	   ringway, vfio, "VFIO, SR-IOV VF", VF),
	NET("qemu-vfio",   qemu, vfio, "VFIO, whole function, QEMU"),
	NET("qemu-vf",	   qemu, vfio, "VFIO, SR-IOV VF, QEMU", VF),

	BLK("split",	  ringway, ringway, "virtio split, file, polled", FILE_, POLLED),
	BLK("packed",	  ringway, ringway, "virtio packed, file, polled", FILE_, POLLED, PACKED),
	BLK("split-irq",  ringway, ringway, "virtio split, file, interrupts", FILE_, IRQS),
	BLK("packed-irq", ringway, ringway, "virtio packed, file, interrupts", FILE_, IRQS, PACKED),
	BLK("mem",	  ringway, ringway, "virtio split, memory, polled", MEM, POLLED),
	BLK("mem-packed", ringway, ringway, "virtio packed, memory, polled", MEM, POLLED, PACKED),
	BLK("qemu",	  qemu, ringway, "virtio split, file, polled, QEMU", FILE_, POLLED),
	BLK("qemu-packed", qemu, ringway, "virtio packed, file, polled, QEMU", FILE_, POLLED, PACKED),
	BLK("qemu-irq",	  qemu, ringway, "virtio split, file, interrupts, QEMU", FILE_, IRQS),
	BLK("qsd",	  ringway, qsd, "virtio split, file, qemu-storage-daemon"),
	BLK("qemu-qsd",	  qemu, qsd, "virtio split, file, qemu-storage-daemon, QEMU"),
	BLK("qemu-own",	  qemu, qemu, "virtio in QEMU, file"),
	BLK("vfio",	  ringway, vfio, "VFIO, whole function"),
	BLK("vf",	  ringway, vfio, "VFIO, SR-IOV VF", VF),
	BLK("qemu-vfio",  qemu, vfio, "VFIO, whole function, QEMU"),
	BLK("qemu-vf",	  qemu, vfio, "VFIO, SR-IOV VF, QEMU", VF),
};
/* clang-format on */
const unsigned rwy_nr_paths = RWY_ARRAY_SIZE(rwy_paths);

const struct rwy_path *rwy_path_find(const char *key)
{
	for (unsigned i = 0; i < rwy_nr_paths; i++)
		if (!strcmp(rwy_paths[i].key, key))
			return &rwy_paths[i];
	return NULL;
}
