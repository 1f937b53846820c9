/* SPDX-License-Identifier: BSD-3-Clause */
/* What devlink says of VFs and takes for them: long, cut, wrong, refused. */
#include "sriov/devlink.h"
#include "sriov/host.h"
#include "tests/unit/fake_sriov_kernel.h"
#include "tests/unit/log_catch.h"

#include <sys/socket.h>

#define PF "0000:01:00.0"

struct rig {
	struct fake_sriov_kernel *kernel;
	struct fake_sriov_pf *fake;
	struct rwy_nl nl;
	struct rwy_pf pf;
};

static void set_up(struct rig *rig, const char *driver, unsigned nr, bool switchdev)
{
	log_catch();
	rig->kernel = fake_sriov_kernel_open();
	/* Another card with the same VFs, which must not be taken for this one. */
	rig->fake = fake_sriov_kernel_add_pf(rig->kernel, "mlx5_core", "0000:09:00.0", 256);
	rig->fake->switchdev = true;
	fake_sriov_kernel_set_vfs(rig->kernel, rig->fake, 2);
	rig->fake = fake_sriov_kernel_add_pf(rig->kernel, driver, PF, 256);
	rig->fake->switchdev = switchdev;
	fake_sriov_kernel_set_vfs(rig->kernel, rig->fake, nr);
	rwy_nl_init(&rig->nl, &rig->kernel->sys);
	assert_int_equal(rwy_pf_init(&rig->pf, rig->kernel->sys.root, PF), 0);
}

static void tear_down(struct rig *rig)
{
	rwy_pf_fini(&rig->pf);
	rwy_nl_fini(&rig->nl);
	fake_sriov_kernel_close(rig->kernel);
}

static void assert_same(const struct rig *rig)
{
	for (unsigned v = 0; v < rig->pf.nr_vfs; v++)
		for (enum rwy_attr attr = RWY_ATTR_OF_PF; attr < RWY_ATTR_NR; attr++)
			if (rwy_attr_of_devlink(attr))
				assert_string_equal(rig->pf.vfs[v].value[attr],
						    rig->fake->vfs[v][attr]);
}

static void read_256(void **state)
{
	struct rig rig;

	set_up(&rig, "mlx5_core", 256, true);
	for (unsigned v = 0; v < 256; v++) {
		snprintf(rig.fake->vfs[v][RWY_ATTR_HW_ADDR], RWY_ATTR_TEXT, "52:54:00:00:00:%02x",
			 v);
		snprintf(rig.fake->vfs[v][RWY_ATTR_TX_MAX], RWY_ATTR_TEXT, "%u", 100000 + v);
		strcpy(rig.fake->vfs[v][v & 1 ? RWY_ATTR_ROCE : RWY_ATTR_MIGRATABLE],
		       v & 2 ? "on" : "off");
	}
	assert_int_equal(rwy_devlink_read(&rig.nl, &rig.pf), 0);
	assert_string_equal(rig.pf.value[RWY_ATTR_ESWITCH], "switchdev");
	assert_same(&rig);
	assert_string_equal(rig.pf.vfs[0].representor, "rep0");
	assert_string_equal(rig.pf.vfs[255].representor, "rep255");
	tear_down(&rig);
}

static void nothing_to_read(void **state)
{
	static const struct {
		const char *driver, *mode;
		bool switchdev;
	} rows[] = {
		{"igb", RWY_ATTR_UNSUPPORTED, false},
		{"mlx5_core", "legacy", false},
		{"bnxt_en", "switchdev", true},
	};
	struct rig rig;

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(rows); i++) {
		set_up(&rig, rows[i].driver, 3, rows[i].switchdev);
		assert_int_equal(rwy_devlink_read(&rig.nl, &rig.pf), 0);
		assert_string_equal(rig.pf.value[RWY_ATTR_ESWITCH], rows[i].mode);
		assert_same(&rig);
		assert_string_equal(rig.pf.vfs[1].representor, "");
		tear_down(&rig);
	}
	set_up(&rig, "mlx5_core", 3, true);
	rig.kernel->mode_err = EPERM;
	assert_int_equal(rwy_devlink_read(&rig.nl, &rig.pf), 0);
	assert_string_equal(rig.pf.value[RWY_ATTR_ESWITCH], "");
	assert_same(&rig);
	tear_down(&rig);
	set_up(&rig, "mlx5_core", 3, false);
	rig.kernel->family_err = ENOENT;
	assert_int_equal(rwy_devlink_read(&rig.nl, &rig.pf), 0);
	assert_string_equal(rig.pf.value[RWY_ATTR_ESWITCH], RWY_ATTR_UNSUPPORTED);
	assert_same(&rig);
	tear_down(&rig);
}

static int set(struct rig *rig, int vf, enum rwy_attr attr, const char *to)
{
	struct rwy_vf_step step = {.pf = PF, .vf = vf, .attr = attr};

	strcpy(step.to, to);
	return rwy_devlink_run(&rig->nl, &step);
}

static void set_and_read(void **state)
{
	static const struct {
		enum rwy_attr attr;
		const char *text;
	} settings[] = {
		{RWY_ATTR_HW_ADDR, "52:54:00:ab:cd:ef"},
		{RWY_ATTR_ROCE, "off"},
		{RWY_ATTR_ROCE, "on"},
		{RWY_ATTR_MIGRATABLE, "on"},
		{RWY_ATTR_IPSEC_CRYPTO, "on"},
		{RWY_ATTR_IPSEC_PACKET, "on"},
		{RWY_ATTR_IPSEC_CRYPTO, "off"},
		{RWY_ATTR_MAX_IO_EQS, "32"},
		{RWY_ATTR_TX_SHARE, "10"},
		{RWY_ATTR_TX_MAX, "4294967295"},
		{RWY_ATTR_TX_MAX, "0"},
	};
	struct rig rig;

	set_up(&rig, "mlx5_core", 7, false);
	for (unsigned v = 0; v < 7; v++)
		fake_sriov_bind(rig.kernel->sys.root, rig.pf.vfs[v].bdf, NULL);
	assert_int_equal(set(&rig, RWY_VF_PLAN_PF, RWY_ATTR_ESWITCH, "switchdev"), 0);
	assert_int_equal(set(&rig, RWY_VF_PLAN_PF, RWY_ATTR_ESWITCH, "switchdev"), 0);
	assert_int_equal(rig.kernel->nr_changes, 1);
	for (int v = 6; v >= 0; v -= 3)
		for (unsigned i = 0; i < RWY_ARRAY_SIZE(settings); i++) {
			assert_int_equal(set(&rig, v, settings[i].attr, settings[i].text), 0);
			assert_string_equal(rig.fake->vfs[v][settings[i].attr], settings[i].text);
			assert_int_equal(rwy_devlink_read(&rig.nl, &rig.pf), 0);
			assert_same(&rig);
		}
	assert_string_equal(rig.pf.vfs[5].value[RWY_ATTR_HW_ADDR], "00:00:00:00:00:00");
	tear_down(&rig);
}

static void refused(void **state)
{
	struct rig rig;

	set_up(&rig, "ice", 2, true);
	assert_int_equal(set(&rig, 0, RWY_ATTR_HW_ADDR, "52:54:00:ab:cd:ef"), -EOPNOTSUPP);
	assert_string_equal(rig.nl.why, "the card says no");
	assert_int_equal(set(&rig, 1, RWY_ATTR_STATE, "active"), -EOPNOTSUPP);
	assert_int_equal(set(&rig, 2, RWY_ATTR_TX_MAX, "1"), -EOPNOTSUPP);
	assert_int_equal(set(&rig, 1, RWY_ATTR_HW_ADDR, "nonsense"), -EINVAL);
	assert_int_equal(set(&rig, 1, RWY_ATTR_MSIX, "3"), -EINVAL);
	assert_int_equal(set(&rig, RWY_VF_PLAN_PF, RWY_ATTR_ESWITCH, "legacy"), -EOPNOTSUPP);
	tear_down(&rig);
	set_up(&rig, "igb", 2, false);
	assert_int_equal(set(&rig, RWY_VF_PLAN_PF, RWY_ATTR_ESWITCH, "switchdev"), -EOPNOTSUPP);
	assert_int_equal(set(&rig, 0, RWY_ATTR_TX_MAX, "1"), -EOPNOTSUPP);
	assert_int_equal(rig.kernel->nr_changes, 0);
	tear_down(&rig);
}

/* ---- answers of all kinds ---- */

/* From the start of all that is told: where a word is wrong, or all ends. */
static struct {
	size_t at, end, passed;
	uint16_t word;
} damage;

static ssize_t damaged_recv(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire, void *buf,
			    size_t len, int flags)
{
	ssize_t n = fake_sriov_link_recv(sys, wire, buf, len, flags);

	if (n <= 0)
		return n;
	if (damage.passed + (size_t)n > damage.end)
		n = (ssize_t)(damage.end - damage.passed);
	if (flags & MSG_PEEK)
		return n;
	if (damage.at >= damage.passed && damage.at + 2 <= damage.passed + (size_t)n)
		memcpy((char *)buf + (damage.at - damage.passed), &damage.word, 2);
	damage.passed += (size_t)n;
	return n;
}

static int read_damaged(struct rig *rig, size_t at, uint16_t word, size_t end)
{
	int err;

	damage.at = at;
	damage.word = word;
	damage.end = end;
	damage.passed = 0;
	/* Exact buffers each time, so that a sanitizer sees a byte too many. */
	rwy_nl_fini(&rig->nl);
	rwy_nl_init(&rig->nl, &rig->kernel->sys);
	err = rwy_devlink_read(&rig->nl, &rig->pf);
	rig->kernel->told = rig->kernel->to_tell;
	return err;
}

static void damaged(void **state)
{
	static const uint16_t words[] = {0, 1, 3, 5, 0x7fff, 0xffff};
	struct rig rig;
	size_t whole;

	set_up(&rig, "mlx5_core", 2, true);
	rig.kernel->sys.recv = damaged_recv;
	assert_int_equal(read_damaged(&rig, SIZE_MAX / 2, 0, SIZE_MAX), 0);
	whole = damage.passed;
	assert_in_range(whole, 500, 4000);
	for (size_t end = 0; end < whole; end += 2)
		assert_true(read_damaged(&rig, SIZE_MAX / 2, 0, end) < 0);
	for (size_t at = 0; at + 1 < whole; at += 2)
		for (unsigned i = 0; i < RWY_ARRAY_SIZE(words); i++)
			assert_true(read_damaged(&rig, at, words[i], SIZE_MAX) <= 0);
	tear_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_256),	cmocka_unit_test(nothing_to_read),
		cmocka_unit_test(set_and_read), cmocka_unit_test(refused),
		cmocka_unit_test(damaged),
	};

	return UNIT_RUN(tests);
}
