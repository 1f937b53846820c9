/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The part of the kernel's iommufd interface, and of VFIO's for devices opened by themselves, that
 * is used here: numbers and structs, no functions. Distributions' kernel headers are often older
 * than their kernels. Every struct begins with its own size.
 */
#ifndef RWY_IOMMU_IOMMUFD_ABI_H
#define RWY_IOMMU_IOMMUFD_ABI_H

#include <linux/ioctl.h>
#include <stdint.h>

#define RWY_IOMMUFD_CALL(nr) _IO(';', nr)

#define RWY_IOMMUFD_DESTROY RWY_IOMMUFD_CALL(0x80)
struct rwy_iommufd_destroy {
	uint32_t size;
	uint32_t id;
};

#define RWY_IOMMUFD_IOAS_ALLOC RWY_IOMMUFD_CALL(0x81)
struct rwy_iommufd_ioas_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t id; /* out */
};

/* -EMSGSIZE: nr has become what is needed */
#define RWY_IOMMUFD_IOVA_RANGES RWY_IOMMUFD_CALL(0x84)
struct rwy_iommufd_iova_ranges {
	uint32_t size;
	uint32_t ioas;
	uint32_t nr;
	uint32_t reserved;
	uint64_t ranges;    /* address of pairs: first, last */
	uint64_t alignment; /* out */
};

#define RWY_IOMMUFD_IOAS_MAP  RWY_IOMMUFD_CALL(0x85)
#define RWY_IOMMUFD_MAP_FIXED 1
#define RWY_IOMMUFD_MAP_WRITE 2
#define RWY_IOMMUFD_MAP_READ  4
struct rwy_iommufd_ioas_map {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas;
	uint32_t reserved;
	uint64_t user_va;
	uint64_t length;
	uint64_t iova;
};

#define RWY_IOMMUFD_IOAS_UNMAP RWY_IOMMUFD_CALL(0x86)
struct rwy_iommufd_ioas_unmap {
	uint32_t size;
	uint32_t ioas;
	uint64_t iova;
	uint64_t length; /* in and out */
};

/* On a device's own file */
#define RWY_IOMMUFD_DEVICE_BIND RWY_IOMMUFD_CALL(100 + 18)
#define RWY_IOMMUFD_BIND_LEN	16 /* what all kernels take */
#define RWY_IOMMUFD_BIND_TOKEN	1  /* since 6.17 */
struct rwy_iommufd_device_bind {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t device; /* out */
	uint64_t token;	 /* address of 16 bytes */
};

#define RWY_IOMMUFD_DEVICE_ATTACH RWY_IOMMUFD_CALL(100 + 19)
struct rwy_iommufd_device_attach {
	uint32_t argsz;
	uint32_t flags;
	uint32_t ioas; /* in; out: the page table that was made for it */
};

#define RWY_IOMMUFD_DEVICE_DETACH RWY_IOMMUFD_CALL(100 + 20)
struct rwy_iommufd_device_detach {
	uint32_t argsz;
	uint32_t flags;
};

#endif
