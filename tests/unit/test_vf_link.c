/* SPDX-License-Identifier: BSD-3-Clause */
/* What rtnetlink says of VFs: long, cut, wrong. */
#include "sriov/vf_link.h"
#include "tests/unit/fake_sriov_kernel.h"
#include "tests/unit/log_catch.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#define PF "0000:01:00.0"

struct rig {
	struct fake_sriov_kernel *kernel;
	struct fake_sriov_pf *fake;
	struct rwy_nl nl;
	struct rwy_pf pf;
};

static void set_up(struct rig *rig, const char *driver, unsigned nr)
{
	log_catch();
	rig->kernel = fake_sriov_kernel_open();
	rig->fake = fake_sriov_kernel_add_pf(rig->kernel, driver, PF, 256);
	fake_sriov_kernel_set_vfs(rig->kernel, rig->fake, nr);
	for (unsigned i = 0; i < nr; i++)
		snprintf(rig->fake->vfs[i][RWY_ATTR_MAC], RWY_ATTR_TEXT, "52:54:00:00:%02x:%02x",
			 i >> 8, i & 0xff);
	rwy_nl_init(&rig->nl, &rig->kernel->sys);
	assert_int_equal(rwy_pf_init(&rig->pf, rig->kernel->sys.root, PF), 0);
}

static void tear_down(struct rig *rig)
{
	rwy_pf_fini(&rig->pf);
	rwy_nl_fini(&rig->nl);
	fake_sriov_kernel_close(rig->kernel);
}

static void read_256(void **state)
{
	for (unsigned i = 0; i < fake_sriov_nr_cards; i++) {
		struct rig rig;

		if (!fake_sriov_cards[i].netdev)
			continue;
		set_up(&rig, fake_sriov_cards[i].driver, 256);
		for (unsigned v = 0; v < 256; v += 2)
			strcpy(rig.fake->vfs[v][RWY_ATTR_VLAN], "4094,qos=7,proto=802.1ad");
		assert_int_equal(rwy_vf_link_read(&rig.nl, &rig.pf, false), 0);
		assert_false(rig.kernel->counters);
		for (unsigned v = 0; v < 256; v++)
			for (unsigned a = 0; a < RWY_ATTR_NR; a++)
				if (rwy_attr_of_link(a))
					assert_string_equal(rig.pf.vfs[v].value[a],
							    rig.fake->vfs[v][a]);
		tear_down(&rig);
	}
}

static void counters(void **state)
{
	struct rig rig;

	set_up(&rig, "ixgbe", 256);
	assert_int_equal(rwy_vf_link_read(&rig.nl, &rig.pf, true), 0);
	assert_true(rig.kernel->counters);
	/* More than the list's own length can say. */
	assert_true(rig.nl.room > UINT16_MAX);
	for (unsigned v = 0; v < 256; v++) {
		assert_true(rig.pf.vfs[v].counted);
		assert_int_equal(rig.pf.vfs[v].counter[RWY_VF_RX_PACKETS],
				 1000 * v + IFLA_VF_STATS_RX_PACKETS);
		assert_int_equal(rig.pf.vfs[v].counter[RWY_VF_TX_DROPPED],
				 1000 * v + IFLA_VF_STATS_TX_DROPPED);
	}
	tear_down(&rig);
}

/* Drivers that do not count, and an answer that would be too long. */
static void no_counters(void **state)
{
	struct rig rig;

	set_up(&rig, "igb", 7);
	assert_int_equal(rwy_vf_link_read(&rig.nl, &rig.pf, true), 0);
	assert_false(rig.kernel->counters);
	assert_true(rig.pf.uncounted);
	assert_int_equal(rig.pf.vfs[0].counted, 0);
	tear_down(&rig);
	set_up(&rig, "ice", 256);
	rig.kernel->too_long = true;
	assert_int_equal(rwy_vf_link_read(&rig.nl, &rig.pf, true), 0);
	assert_true(log_said("the counters of 256 VFs are too long"));
	assert_int_equal(rig.pf.vfs[255].counted, 0);
	assert_string_equal(rig.pf.vfs[255].value[RWY_ATTR_MAC], "52:54:00:00:00:ff");
	tear_down(&rig);
}

static const struct {
	enum rwy_attr attr;
	const char *text;
} settings[] = {
	{RWY_ATTR_MAC, "52:54:00:ab:cd:ef"},
	{RWY_ATTR_VLAN, "17,qos=0,proto=802.1q"},
	{RWY_ATTR_VLAN, "17,qos=5,proto=802.1ad"},
	{RWY_ATTR_VLAN, "off"},
	{RWY_ATTR_RATE, "10-4000000000"},
	{RWY_ATTR_SPOOFCHK, "off"},
	{RWY_ATTR_TRUST, "on"},
	{RWY_ATTR_LINK_STATE, "enable"},
	{RWY_ATTR_LINK_STATE, "disable"},
	{RWY_ATTR_LINK_STATE, "auto"},
	{RWY_ATTR_NODE_GUID, "00:11:22:33:44:55:66:77"},
	{RWY_ATTR_PORT_GUID, "ff:ee:dd:cc:bb:aa:99:88"},
};

static void set_and_read(void **state)
{
	struct rig rig;

	set_up(&rig, "mlx5_core", 4);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(settings); i++) {
		enum rwy_attr attr = settings[i].attr;

		assert_int_equal(rwy_vf_link_set(&rig.nl, rig.pf.ifindex, 3, attr,
						 settings[i].text),
				 0);
		assert_string_equal(rig.fake->vfs[3][attr], settings[i].text);
		assert_string_not_equal(rig.fake->vfs[2][RWY_ATTR_MAC], "52:54:00:ab:cd:ef");
		assert_int_equal(rwy_vf_link_read(&rig.nl, &rig.pf, false), 0);
		assert_string_equal(rig.pf.vfs[3].value[attr], settings[i].text);
	}
	assert_int_equal(rig.kernel->nr_changes, RWY_ARRAY_SIZE(settings));
	tear_down(&rig);
}

static void refused(void **state)
{
	struct rig rig;

	set_up(&rig, "igb", 2);
	assert_int_equal(rwy_vf_link_set(&rig.nl, rig.pf.ifindex, 0, RWY_ATTR_RSS_QUERY, "on"),
			 -EOPNOTSUPP);
	assert_int_equal(rwy_vf_link_set(&rig.nl, rig.pf.ifindex, 7, RWY_ATTR_TRUST, "on"),
			 -EINVAL);
	assert_int_equal(rwy_vf_link_set(&rig.nl, 99, 0, RWY_ATTR_TRUST, "on"), -ENODEV);
	assert_int_equal(rwy_vf_link_set(&rig.nl, rig.pf.ifindex, 0, RWY_ATTR_MAC, "nonsense"),
			 -EINVAL);
	assert_int_equal(rwy_vf_link_set(&rig.nl, rig.pf.ifindex, 0, RWY_ATTR_MSIX, "3"), -EINVAL);
	rig.pf.ifindex = 99;
	assert_int_equal(rwy_vf_link_read(&rig.nl, &rig.pf, false), -ENODEV);
	tear_down(&rig);
}

/* ---- answers of all kinds ---- */

/* The next answer is what is in kernel->answer, whatever was asked. */
static ssize_t send_nothing(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire,
			    const void *message, size_t len)
{
	struct fake_sriov_kernel *kernel = sys->ctx;

	((struct nlmsghdr *)kernel->answer)->nlmsg_seq =
		((const struct nlmsghdr *)message)->nlmsg_seq;
	return (ssize_t)len;
}

static struct nlmsghdr *prepare(struct rig *rig)
{
	rig->kernel->sys.send = send_nothing;
	fake_sriov_kernel_answer(rig->kernel, rig->fake, 0, true);
	return (struct nlmsghdr *)rig->kernel->answer;
}

static void cut_everywhere(void **state)
{
	/* Before it there are the head, a name of 9 bytes and the number of VFs. */
	const size_t list = NLMSG_LENGTH(sizeof(struct ifinfomsg)) + 16 + 8;
	struct rig rig;
	size_t whole;

	set_up(&rig, "mlx5_core", 3);
	prepare(&rig);
	whole = rig.kernel->answer_len;
	for (size_t len = 0; len < whole; len++) {
		struct nlmsghdr *head = prepare(&rig);
		int err;

		/* An exact buffer each time, so that a sanitizer sees a byte too many. */
		rwy_nl_fini(&rig.nl);
		rwy_nl_init(&rig.nl, &rig.kernel->sys);
		rig.kernel->answer_len = len ? len : 1;
		if (len >= sizeof(*head))
			head->nlmsg_len = (uint32_t)len;
		err = rwy_vf_link_read(&rig.nl, &rig.pf, false);
		/* An answer may have no list, and what is behind it does not matter. */
		assert_int_equal(err, len == list || len >= whole - 8 ? 0 : -EBADMSG);
		rig.kernel->answer_len = 0;
	}
	tear_down(&rig);
}

/* Each 16-bit word of the answer, one after the other, becomes a length that cannot be. */
static void wrong_everywhere(void **state)
{
	static const uint16_t wrong[] = {0, 1, 3, 5, 0x7fff, 0xffff};
	struct rig rig;
	size_t whole;

	set_up(&rig, "mlx5_core", 2);
	prepare(&rig);
	whole = rig.kernel->answer_len;
	for (size_t at = sizeof(struct nlmsghdr); at + 1 < whole; at += 2) {
		for (unsigned i = 0; i < RWY_ARRAY_SIZE(wrong); i++) {
			int err;

			prepare(&rig);
			memcpy(rig.kernel->answer + at, &wrong[i], sizeof(wrong[i]));
			rwy_nl_fini(&rig.nl);
			rwy_nl_init(&rig.nl, &rig.kernel->sys);
			err = rwy_vf_link_read(&rig.nl, &rig.pf, false);
			assert_true(err == 0 || err == -EBADMSG);
			rig.kernel->answer_len = 0;
		}
	}
	tear_down(&rig);
}

static void told_of_fewer(void **state)
{
	struct rig rig;

	set_up(&rig, "igb", 7);
	rig.fake->nr_vfs = 5;
	assert_int_equal(rwy_vf_link_read(&rig.nl, &rig.pf, false), -EBADMSG);
	assert_true(log_said("told of 5 VFs of 7"));
	assert_string_equal(rig.pf.vfs[4].value[RWY_ATTR_MAC], "52:54:00:00:00:04");
	assert_string_equal(rig.pf.vfs[5].value[RWY_ATTR_MAC], "");
	tear_down(&rig);
}

static void other_answers(void **state)
{
	struct rig rig;
	struct nlmsghdr *head;

	set_up(&rig, "igb", 2);
	head = prepare(&rig);
	head->nlmsg_type = RTM_DELLINK;
	assert_int_equal(rwy_vf_link_read(&rig.nl, &rig.pf, false), -EBADMSG);
	rig.kernel->answer_len = 0;
	assert_int_equal(rwy_vf_link_read(&rig.nl, &rig.pf, false), -EAGAIN);
	head = prepare(&rig);
	head->nlmsg_type = NLMSG_ERROR;
	head->nlmsg_len = sizeof(*head) + 2;
	assert_int_equal(rwy_vf_link_read(&rig.nl, &rig.pf, false), -EBADMSG);
	tear_down(&rig);
}

/* Late answers to something that was given up are passed over. */
static ssize_t late_recv(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire, void *buf,
			 size_t len, int flags)
{
	struct fake_sriov_kernel *kernel = sys->ctx;
	struct nlmsghdr *head = (struct nlmsghdr *)kernel->answer;
	size_t part = RWY_MIN(len, kernel->answer_len);

	if (!(flags & MSG_PEEK) && kernel->nr_waits++ < 3) {
		memcpy(buf, head, part);
		((struct nlmsghdr *)buf)->nlmsg_seq = 4711 + kernel->nr_waits;
		return (ssize_t)part;
	}
	if (part)
		memcpy(buf, head, part);
	return (ssize_t)(flags & MSG_TRUNC ? kernel->answer_len : part);
}

static void late_answers(void **state)
{
	struct rig rig;

	set_up(&rig, "igb", 2);
	rig.kernel->sys.recv = late_recv;
	assert_int_equal(rwy_vf_link_read(&rig.nl, &rig.pf, false), 0);
	assert_int_equal(rig.kernel->nr_waits, 4);
	assert_string_equal(rig.pf.vfs[1].value[RWY_ATTR_MAC], "52:54:00:00:00:01");
	tear_down(&rig);
}

/* Also while an acknowledgement is waited for, and they have no room in it. */
static ssize_t late_and_long(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire, void *buf,
			     size_t len, int flags)
{
	struct fake_sriov_kernel *kernel = sys->ctx;
	struct nlmsghdr *head = buf;

	if (kernel->nr_waits++)
		return fake_sriov_link_recv(sys, wire, buf, len, flags);
	assert_in_range(len, sizeof(*head), UINT16_MAX);
	memset(buf, 0, len);
	head->nlmsg_len = 1u << 20;
	head->nlmsg_seq = 4711;
	return (ssize_t)len;
}

static void late_and_long_answer(void **state)
{
	struct rig rig;

	set_up(&rig, "igb", 2);
	rig.kernel->sys.recv = late_and_long;
	assert_int_equal(rwy_vf_link_set(&rig.nl, rig.pf.ifindex, 1, RWY_ATTR_TRUST, "on"), 0);
	assert_int_equal(rig.kernel->nr_waits, 2);
	tear_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_256),
		cmocka_unit_test(counters),
		cmocka_unit_test(no_counters),
		cmocka_unit_test(set_and_read),
		cmocka_unit_test(refused),
		cmocka_unit_test(cut_everywhere),
		cmocka_unit_test(wrong_everywhere),
		cmocka_unit_test(told_of_fewer),
		cmocka_unit_test(other_answers),
		cmocka_unit_test(late_answers),
		cmocka_unit_test(late_and_long_answer),
	};

	return UNIT_RUN(tests);
}
