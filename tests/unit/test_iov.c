/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"

#include "lib/iov.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECES 6

/* Pieces of 0..7 bytes, each its own allocation so that a sanitizer sees one byte too many. */
struct scatter {
	struct iovec iov[PIECES];
	size_t len;
};

static void scatter_open(struct scatter *s, unsigned seed)
{
	s->len = 0;
	for (unsigned i = 0; i < PIECES; i++) {
		seed = seed * 1103515245u + 12345u;
		size_t len = seed >> 16 & 7;

		s->iov[i] = (struct iovec){.iov_base = calloc(1, len + !len), .iov_len = len};
		assert_non_null(s->iov[i].iov_base);
		s->len += len;
	}
}

static void scatter_close(struct scatter *s)
{
	for (unsigned i = 0; i < PIECES; i++)
		free(s->iov[i].iov_base);
}

/* The reference: one byte at a time. */
static uint8_t *byte_at(const struct scatter *s, size_t off)
{
	for (unsigned i = 0; i < PIECES; i++) {
		if (off < s->iov[i].iov_len)
			return (uint8_t *)s->iov[i].iov_base + off;
		off -= s->iov[i].iov_len;
	}
	return NULL;
}

static size_t expect(size_t have, size_t off, size_t len)
{
	return off >= have ? 0 : RWY_MIN(len, have - off);
}

static void write_then_read(void **state)
{
	(void)state;
	static const uint8_t text[64] = "The quick brown fox jumps over the lazy dog, and runs on.";

	for (unsigned seed = 0; seed < 64; seed++) {
		struct scatter s;
		uint8_t back[64];

		scatter_open(&s, seed);
		assert_int_equal(rwy_iov_len(s.iov, PIECES), s.len);
		for (size_t off = 0; off < s.len + 3; off++) {
			for (size_t len = 0; len < s.len + 3; len++) {
				size_t n = expect(s.len, off, len);

				assert_int_equal(rwy_iov_fill(s.iov, PIECES, 0, 0xee, SIZE_MAX),
						 s.len);
				assert_int_equal(rwy_iov_write(s.iov, PIECES, off, text, len), n);
				for (size_t i = 0; i < s.len; i++)
					assert_int_equal(*byte_at(&s, i), i >= off && i < off + n
										  ? text[i - off]
										  : 0xee);
				memset(back, 0, sizeof(back));
				assert_int_equal(rwy_iov_read(s.iov, PIECES, off, back, len), n);
				assert_memory_equal(back, text, n);
				assert_int_equal(back[n], 0);
			}
		}
		scatter_close(&s);
	}
}

static void copy_moves_what_both_have(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 2000; seed++) {
		struct scatter from, to;

		scatter_open(&from, seed);
		scatter_open(&to, seed * 7 + 3);
		for (size_t i = 0; i < from.len; i++)
			*byte_at(&from, i) = (uint8_t)(i + 1);
		size_t from_off = seed % 5, to_off = seed / 5 % 5, len = seed % 37;
		size_t n = RWY_MIN(expect(from.len, from_off, len), expect(to.len, to_off, len));

		assert_int_equal(rwy_iov_copy(to.iov, PIECES, to_off, from.iov, PIECES, from_off,
					      len),
				 n);
		for (size_t i = 0; i < to.len; i++)
			assert_int_equal(*byte_at(&to, i), i >= to_off && i < to_off + n
								   ? from_off + i - to_off + 1
								   : 0);
		scatter_close(&from);
		scatter_close(&to);
	}
}

static void copy_bears_overlap(void **state)
{
	(void)state;
	uint8_t ram[9] = "abcdefgh";
	struct iovec to = {ram + 1, 6}, from = {ram, 6};

	assert_int_equal(rwy_iov_copy(&to, 1, 0, &from, 1, 0, SIZE_MAX), 6);
	assert_string_equal((char *)ram, "aabcdefh");
}

static void slice_is_a_view(void **state)
{
	(void)state;
	uint8_t ram[16];
	struct iovec iov[3] = {{ram, 4}, {ram + 4, 0}, {ram + 8, 4}}, out[3];

	assert_int_equal(rwy_iov_slice(iov, 3, 1, 5, out, 3), 2);
	assert_ptr_equal(out[0].iov_base, ram + 1);
	assert_int_equal(out[0].iov_len, 3);
	assert_ptr_equal(out[1].iov_base, ram + 8);
	assert_int_equal(out[1].iov_len, 2);
	assert_int_equal(rwy_iov_slice(iov, 3, 1, 5, out, 1), -E2BIG);
	assert_int_equal(rwy_iov_slice(iov, 3, 0, 4, out, 1), 1);
	assert_int_equal(rwy_iov_slice(iov, 3, 8, 1, out, 1), 0);
	assert_int_equal(rwy_iov_slice(iov, 3, 7, 9, out, 1), 1);
	assert_int_equal(out[0].iov_len, 1);
	assert_int_equal(rwy_iov_slice(iov, 0, 0, 1, out, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_then_read),
		cmocka_unit_test(copy_moves_what_both_have),
		cmocka_unit_test(copy_bears_overlap),
		cmocka_unit_test(slice_is_a_view),
	};

	return UNIT_RUN(tests);
}
