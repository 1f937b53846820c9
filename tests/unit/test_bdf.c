/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/bdf.h"
#include "tests/unit/fake_root.h"

static void names(void **state)
{
	static const struct {
		const char *text, *bdf;
	} good[] = {
		{"0000:01:10.0", "0000:01:10.0"},
		{"01:10.7", "0000:01:10.7"},
		{"ABCD:ef:1F.1", "abcd:ef:1f.1"},
		{"/sys/bus/pci/devices/0000:01:10.0", "0000:01:10.0"},
		{"/sys/devices/pci0000:00/0000:00:01.0/0000:01:10.2//", "0000:01:10.2"},
	};
	char bdf[RWY_BDF_LEN];

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(good); i++) {
		assert_int_equal(rwy_bdf_parse(good[i].text, bdf), 0);
		assert_string_equal(bdf, good[i].bdf);
	}
}

static void no_names(void **state)
{
	static const char *const bad[] = {
		"",
		"0",
		"01:10",
		"01:20.0",
		"01:10.8",
		"01:10.00",
		"0000:01:10.0 ",
		"+1:10.0",
		"0000:-1:10.0",
		"0x01:10.0",
		"1:2:3:4.0",
		"0000:01:10.0x",
		"00000:01:10.0",
		"/",
		"/sys",
		"/sys/bus/pci/devices",
	};
	char bdf[RWY_BDF_LEN];

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++)
		assert_int_equal(rwy_bdf_parse(bad[i], bdf), -EINVAL);
}

static void numbers(void **state)
{
	char bdf[RWY_BDF_LEN];

	rwy_bdf_format(bdf, 0, 1, 0x10 << 3);
	assert_string_equal(bdf, "0000:01:10.0");
	rwy_bdf_format(bdf, 0xabcd, 0xff, 0xff);
	assert_string_equal(bdf, "abcd:ff:1f.7");
}

static void links(void **state)
{
	char path[FAKE_ROOT_PATH], bdf[RWY_BDF_LEN];

	fake_root_link(*state, "/sys/bus/pci/devices/0000:01:00.0/virtfn3", "../0000:01:10.6");
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/0000:01:00.0/virtfn3",
		 (const char *)*state);
	assert_int_equal(rwy_bdf_parse(path, bdf), 0);
	assert_string_equal(bdf, "0000:01:10.6");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(no_names),
		cmocka_unit_test(numbers),
		cmocka_unit_test_setup_teardown(links, fake_root_open, fake_root_close),
	};

	return UNIT_RUN(tests);
}
