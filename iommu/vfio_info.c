/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/vfio_info.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

int rwy_vfio_info_get(const struct rwy_vfio_sys *sys, int fd, unsigned long request, void **info,
		      size_t size, size_t *len)
{
	uint32_t argsz = (uint32_t)size;
	int rc;

	for (unsigned tries = 0; tries < 4; tries++) {
		uint32_t wanted;

		memcpy(*info, &argsz, sizeof(argsz));
		rc = sys->ioctl(sys->ctx, fd, request, *info);
		if (rc < 0)
			return rc;
		memcpy(&wanted, *info, sizeof(wanted));
		*len = argsz;
		if (wanted <= argsz)
			return 0;
		if (wanted > RWY_VFIO_INFO_MAX)
			return -E2BIG;
		void *grown = realloc(*info, wanted);
		if (!grown)
			return -ENOMEM;
		*info = grown;
		memset((char *)grown + argsz, 0, wanted - argsz);
		argsz = wanted;
	}
	return -EAGAIN; /* it never stops growing */
}

const void *rwy_vfio_info_cap(const void *info, size_t len, uint32_t first, uint16_t id,
			      size_t size, size_t *left)
{
	struct vfio_info_cap_header head;
	size_t at = first;

	while (at && at % 8 == 0 && rwy_base_inside(at, sizeof(head), len)) {
		memcpy(&head, (const char *)info + at, sizeof(head));
		*left = len - at;
		if (head.id == id)
			return size <= *left ? (const char *)info + at : NULL;
		if (head.next <= at)
			return NULL;
		at = head.next;
	}
	return NULL;
}
