/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live back-end must do with each wrong message exactly what verdicts.c says, however far the
 * front-end has come, and serve another front-end all the while. The offender may come back.
 *
 * Usage: test_back_verdict net|blk PROGRAM
 */
#include "tests/proto/live.h"
#include "tests/proto/verdicts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* cmocka hands tests no arguments, so these stay here. */
static struct live live;
static struct peer bystander;
static const char *kind, *program;
static int fds[3]; /* by enum verdict_fd; WITH_MEM is the offender's own */

static int start_program(void **state)
{
	int pipe_fds[2];
	int err = live_start(&live, kind, program);

	if (err)
		return err;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	close(pipe_fds[1]);
	fds[WITH_PIPE] = pipe_fds[0];
	fds[WITH_EVENT] = rwy_fd_event();
	live_join(&live, 1, &bystander);
	return 0;
}

static int stop_program(void **state)
{
	peer_close(&bystander);
	close(fds[WITH_PIPE]);
	close(fds[WITH_EVENT]);
	return live_stop(&live);
}

static void come(struct peer *p, enum verdict_stage stage)
{
	if (stage == RUNNING) {
		live_join(&live, 0, p);
		assert_true(live_serves(&live, p));
		return;
	}
	peer_open(p, NULL, live_dial(&live, 0));
	if (stage == NEGOTIATED)
		peer_negotiate(p, 0);
}

static void say(struct peer *p, const struct verdict_case *c, bool need_reply)
{
	struct rwy_vu_hdr hdr = {.request = c->request, .size = c->claimed ? c->claimed : c->size};
	const int fd = c->fd == WITH_MEM ? p->mem_fd : fds[c->fd];

	hdr.flags = (RWY_VU_FLAG_VERSION | (need_reply ? RWY_VU_FLAG_NEED_REPLY : 0)) ^ c->flags;
	peer_send_raw(p, &hdr, c->payload, c->cut ? c->cut : sizeof(hdr) + c->size, fd, c->nr_fds);
	if (c->cut)
		assert_int_equal(shutdown(p->chan.fd, SHUT_WR), 0);
}

/* What can be seen of the verdict: without a way to say no, only what is no request at all shuts.
 */
static enum verdict seen(const struct verdict_case *c, enum verdict v, bool ack)
{
	const bool unknown = c->request == RWY_VU_NONE || c->request >= RWY_VU_NR_REQS;

	return v == NO && unknown && !ack ? SHUT : v;
}

static bool is_reply(const struct rwy_vu_msg *msg, uint32_t request)
{
	return msg->hdr.request == request && msg->hdr.flags == 5;
}

/* True when the next thing that comes is what it should be. */
static bool judge(struct peer *p, const struct verdict_case *c, enum verdict v, bool ack)
{
	struct rwy_vu_msg msg;
	bool good;

	v = seen(c, v, ack);
	if (v == SHUT)
		return peer_is_closed(p);
	if (v == ANSWER || v == EMPTY || ack) {
		if (peer_recv(p, &msg) != 1)
			return false;
		good = is_reply(&msg, c->request);
		if (v == YES || v == NO)
			good = good && msg.hdr.size == 8 && !msg.payload.u64 == (v == YES);
		else
			good = good && !msg.hdr.size == (v == EMPTY);
		rwy_vu_chan_close_fds(&msg);
		if (!good)
			return false;
	}
	/* nothing more came, and the next request is answered */
	peer_send(p, RWY_VU_GET_FEATURES, 1, NULL, 0, NULL, 0);
	return peer_recv(p, &msg) == 1 && is_reply(&msg, RWY_VU_GET_FEATURES);
}

static void hear(const struct verdict_case *c, enum verdict_stage stage, bool need_reply)
{
	static const char *const stages[] = {"fresh", "negotiated", "running"};
	const enum verdict v = c->verdict[stage];
	struct peer p;

	come(&p, stage);
	say(&p, c, need_reply);
	if (!judge(&p, c, v, need_reply && stage != FRESH))
		fail_msg("%s, %s (request %u, %u bytes, %u descriptors)%s: not what must be",
			 c->name, stages[stage], c->request, c->size, c->nr_fds,
			 need_reply ? " with NEED_REPLY" : "");
	if (stage == RUNNING && v == NO && seen(c, v, need_reply) == NO && !live_serves(&live, &p))
		fail_msg("%s: refused, and yet its rings stopped", c->name);
	peer_close(&p);
	if (!live_serves(&live, &bystander))
		fail_msg("%s, %s: a bystander is not served any more", c->name, stages[stage]);
}

static void hear_all(const struct verdict_case *c)
{
	for (unsigned stage = 0; stage < NR_STAGES; stage++) {
		hear(c, stage, false);
		hear(c, stage, true);
	}
}

static void each_case(void **state)
{
	for (unsigned i = 0; i < verdict_nr_cases; i++) {
		const struct verdict_case *c = &verdict_cases[i];

		if (!c->only || c->only == kind[0])
			hear_all(c);
	}
	live_expect_service(&live, 0);
}

static void each_shape(void **state)
{
	static const union rwy_vu_payload zeroes;

	for (unsigned i = 0; i < verdict_nr_shapes; i++) {
		const struct verdict_shape *s = &verdict_shapes[i];
		const struct verdict_case good = {
			.name = "wrong shape",
			.request = s->request,
			.payload = &zeroes,
			.size = s->size_min,
			.nr_fds = s->fds_min,
			.verdict = {SHUT, SHUT, SHUT},
		};
		struct verdict_case c = good;

		c.size = s->size_max + 1u;
		hear_all(&c);
		c.size = s->size_min - 1u;
		if (s->size_min)
			hear_all(&c);
		c = good;
		c.nr_fds = s->fds_max + 1u;
		hear_all(&c);
		c.nr_fds = s->fds_min - 1u;
		if (s->fds_min)
			hear_all(&c);
	}
	live_expect_service(&live, 0);
}

/* CVE-2019-14818, CVE-2020-10726, CVE-2022-0669: all of that again and again, and nothing grows. */
static void all_of_it_leaves_nothing(void **state)
{
	each_shape(state);
	const struct footprint before = live_footprint(&live);

	each_case(state);
	each_shape(state);
	live_expect_footprint(&live, &before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case),
		cmocka_unit_test(all_of_it_leaves_nothing),
	};

	if (argc != 3)
		return 2;
	kind = argv[1];
	program = argv[2];
	return cmocka_run_group_tests_name(kind, tests, start_program, stop_program);
}
