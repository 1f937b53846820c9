/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/fake_root.h"
#include "tests/unit/unit.h"
#include "lib/sysfs.h"

#include <errno.h>
#include <string.h>

static void texts(void **state)
{
	const char *root = *state;
	char buf[16];

	fake_root_write(root, "/sys/a", "hello there \n\n");
	fake_root_write(root, "/sys/empty", "");
	fake_root_write(root, "/sys/long", "0123456789abcdef");
	assert_int_equal(rwy_sysfs_read(root, buf, sizeof(buf), "/sys/%s", "a"), 11);
	assert_string_equal(buf, "hello there");
	assert_int_equal(rwy_sysfs_read(root, buf, sizeof(buf), "/sys/empty"), 0);
	assert_string_equal(buf, "");
	assert_int_equal(rwy_sysfs_read(root, buf, sizeof(buf), "/sys/long"), -EFBIG);
	assert_string_equal(buf, "0123456789abcde");
	assert_int_equal(rwy_sysfs_read(root, buf, sizeof(buf), "/sys/none"), -ENOENT);
	assert_string_equal(buf, "");
	assert_int_equal(rwy_sysfs_read(root, buf, sizeof(buf), "/sys"), -EISDIR);
	assert_int_equal(rwy_sysfs_read(root, buf, sizeof(buf), "/%0600d", 1), -ENAMETOOLONG);
	assert_true(rwy_sysfs_exists(root, "/sys/a"));
	assert_false(rwy_sysfs_exists(root, "/sys/none"));
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t value;
	} rows[] = {
		{"12\n", 0, 12},
		{"0x1f", 0, 0x1f},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -EINVAL, 7},
		{"-1\n", -EINVAL, 7},
		{"", -EINVAL, 7},
		{"12 13", -EINVAL, 7},
		{"0x", -EINVAL, 7},
		{" 1", -EINVAL, 7},
		{"00000000000000000000000000000000000001", -EFBIG, 7},
	};
	const char *root = *state;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(rows); i++) {
		uint64_t value = 7;

		fake_root_write(root, "/number", rows[i].text);
		assert_int_equal(rwy_sysfs_read_uint(root, &value, "/number"), rows[i].result);
		assert_int_equal(value, rows[i].value);
	}
}

static void links(void **state)
{
	const char *root = *state;
	char name[8];

	fake_root_link(root, "/sys/dev/driver", "../../bus/pci/drivers/igb");
	fake_root_link(root, "/sys/dev/plain", "igb");
	fake_root_link(root, "/sys/dev/long", "drivers/vfio-pci");
	assert_int_equal(rwy_sysfs_read_link(root, name, sizeof(name), "/sys/dev/driver"), 0);
	assert_string_equal(name, "igb");
	assert_int_equal(rwy_sysfs_read_link(root, name, sizeof(name), "/sys/dev/plain"), 0);
	assert_string_equal(name, "igb");
	assert_int_equal(rwy_sysfs_read_link(root, name, sizeof(name), "/sys/dev/long"),
			 -ENAMETOOLONG);
	assert_int_equal(rwy_sysfs_read_link(root, name, sizeof(name), "/sys/dev/none"), -ENOENT);
}

struct names {
	char text[64];
	unsigned stop_after;
};

static int note(void *ctx, const char *name)
{
	struct names *names = ctx;

	strcat(names->text, name);
	strcat(names->text, " ");
	return --names->stop_after == 0 ? 5 : 0;
}

static void lists(void **state)
{
	const char *root = *state;
	struct names names = {.stop_after = 9};

	fake_root_write(root, "/d/node10/x", "");
	fake_root_write(root, "/d/node9/x", "");
	fake_root_write(root, "/d/node0/x", "");
	assert_int_equal(rwy_sysfs_list(root, note, &names, "/d"), 0);
	assert_string_equal(names.text, "node0 node9 node10 ");
	names = (struct names){.stop_after = 2};
	assert_int_equal(rwy_sysfs_list(root, note, &names, "/d"), 5);
	assert_string_equal(names.text, "node0 node9 ");
	assert_int_equal(rwy_sysfs_list(root, note, &names, "/none"), -ENOENT);
	assert_int_equal(rwy_sysfs_first(root, names.text, sizeof(names.text), "/d"), 0);
	assert_string_equal(names.text, "node0");
	assert_int_equal(rwy_sysfs_first(root, names.text, 4, "/d"), 0);
	assert_string_equal(names.text, "nod");
	assert_int_equal(rwy_sysfs_first(root, names.text, sizeof(names.text), "/none"), -ENOENT);
	assert_string_equal(names.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(texts, fake_root_open, fake_root_close),
		cmocka_unit_test_setup_teardown(numbers, fake_root_open, fake_root_close),
		cmocka_unit_test_setup_teardown(links, fake_root_open, fake_root_close),
		cmocka_unit_test_setup_teardown(lists, fake_root_open, fake_root_close),
	};

	return UNIT_RUN(tests);
}
