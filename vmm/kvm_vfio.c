/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/kvm_vfio.h"

#include "lib/fd.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

void rwy_kvm_vfio_init(struct rwy_kvm_vfio *kv, int vm_fd)
{
	*kv = (struct rwy_kvm_vfio){.vm_fd = vm_fd, .fd = -1};
}

void rwy_kvm_vfio_fini(struct rwy_kvm_vfio *kv)
{
	rwy_fd_close(&kv->fd);
}

int rwy_kvm_vfio_tell(void *ctx, int fd, bool there)
{
	struct rwy_kvm_vfio *kv = ctx;
	struct kvm_create_device device = {.type = KVM_DEV_TYPE_VFIO};
	int32_t file = fd;
	/* Newer kernels call it FILE, and take devices there, too; the numbers are the same. */
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_GROUP,
		.attr = there ? KVM_DEV_VFIO_GROUP_ADD : KVM_DEV_VFIO_GROUP_DEL,
		.addr = (uintptr_t)&file,
	};

	if (kv->fd < 0) {
		if (ioctl(kv->vm_fd, KVM_CREATE_DEVICE, &device) < 0)
			return -errno;
		kv->fd = (int)device.fd;
	}
	return ioctl(kv->fd, KVM_SET_DEVICE_ATTR, &attr) < 0 ? -errno : 0;
}
