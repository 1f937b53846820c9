/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The few macros everything uses, and the memory model in one page.
 *
 * Shared rings are read and written with these accessors only. They are C11 atomics on plain
 * integers, so that ThreadSanitizer understands them and the compiler may not tear or repeat an
 * access. Each barrier at a call site names the one on the other side that it pairs with.
 */
#ifndef RWY_LIB_BASE_H
#define RWY_LIB_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RWY_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define RWY_BIT64(n)	  (UINT64_C(1) << (n))
#define RWY_MIN(a, b)	  ((a) < (b) ? (a) : (b))
#define RWY_MAX(a, b)	  ((a) > (b) ? (a) : (b))
/* a must be a power of two */
#define RWY_ALIGN_UP(v, a)   (((v) + (a)-1) & ~((__typeof__(v))(a)-1))
#define RWY_ALIGN_DOWN(v, a) ((v) & ~((__typeof__(v))(a)-1))
#define RWY_IS_POW2(v)	     ((v) != 0 && ((v) & ((v)-1)) == 0)

#define RWY_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define RWY_CACHE_LINE	  64
#define RWY_CACHE_ALIGNED __attribute__((aligned(RWY_CACHE_LINE)))
#define RWY_MUST_CHECK	  __attribute__((warn_unused_result))
#define RWY_PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define RWY_COLD	  __attribute__((cold, noinline))
#define RWY_INLINE	  static inline __attribute__((always_inline))
#define RWY_LIKELY(x)	  __builtin_expect(!!(x), 1)
#define RWY_UNLIKELY(x)	  __builtin_expect(!!(x), 0)

/* One untorn access, no ordering. */
#define RWY_READ_ONCE(p)     __atomic_load_n((p), __ATOMIC_RELAXED)
#define RWY_WRITE_ONCE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
/* Sets bits among which others are set by other processes. */
#define RWY_OR_ONCE(p, bits) ((void)__atomic_fetch_or((p), (bits), __ATOMIC_RELAXED))
/* Everything the peer wrote before its release is visible after our acquire. */
#define RWY_LOAD_ACQUIRE(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define RWY_STORE_RELEASE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
/* Store, then load of another location, in that order: notification suppression needs it. */
#define RWY_MB() __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* True when the sum or product does not fit; *res is then the wrapped value. */
#define RWY_ADD_OVERFLOW(a, b, res) __builtin_add_overflow((a), (b), (res))
#define RWY_MUL_OVERFLOW(a, b, res) __builtin_mul_overflow((a), (b), (res))

/* [off, off + len) lies inside [0, size). No sum can wrap. */
RWY_INLINE bool rwy_base_inside(uint64_t off, uint64_t len, uint64_t size)
{
	return len <= size && off <= size - len;
}

/* [a, a + a_len) and [b, b + b_len) share a byte. Neither range may wrap. */
RWY_INLINE bool rwy_base_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

#endif
