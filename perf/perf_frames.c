/* SPDX-License-Identifier: BSD-3-Clause */
/* ringway-perf frames: one rate of frames to a guest that sends them back. */
#include "lib/opt.h"
#include "perf/frames.h"
#include "perf/perf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WARM_UP 0.1 /* part of the time, before it, whose frames do not count */

static int set_interface(void *config, char *value, struct rwy_opt_why *why)
{
	((struct rwy_frames_config *)config)->ifname = value;
	return 0;
}

static int set_to(void *config, char *value, struct rwy_opt_why *why)
{
	return rwy_opt_mac(value, ((struct rwy_frames_config *)config)->to, why);
}

static int set_rate(void *config, char *value, struct rwy_opt_why *why)
{
	uint64_t rate;
	int err = rwy_opt_uint(value, 0, 1000000000, &rate, why);

	((struct rwy_frames_config *)config)->rate = (double)rate;
	return err;
}

static int set_seconds(void *config, char *value, struct rwy_opt_why *why)
{
	uint64_t seconds;
	int err = rwy_opt_uint(value, 1, 3600, &seconds, why);

	((struct rwy_frames_config *)config)->seconds = (double)seconds;
	return err;
}

static int set_size(void *config, char *value, struct rwy_opt_why *why)
{
	uint64_t size;
	int err = rwy_opt_uint(value, RWY_FRAMES_MIN, RWY_FRAMES_MAX, &size, why);

	((struct rwy_frames_config *)config)->size = (unsigned)size;
	return err;
}

static const struct rwy_opt opts[] = {
	{"interface", "NAME", "The interface that they go out of.", set_interface},
	{"to", "MAC", "The address that they go to.", set_to},
	{"size", "BYTES", "Length of a frame, its checksum included (default 64).", set_size},
	{"rate", "N", "Frames a second (default 0: as many as the interface takes).", set_rate},
	{"seconds", "N", "For how long (default 5).", set_seconds},
};

static void answer(const struct rwy_frames *frames)
{
	const struct rwy_stats_hist *hist = &frames->latency;

	printf("perf: 0 sent %.9g\n", (double)frames->sent / frames->seconds);
	printf("perf: 0 pps %.9g\n", (double)frames->back / frames->seconds);
	printf("perf: 0 loss %.9g\n",
	       frames->sent ? (double)(frames->sent - frames->back) / (double)frames->sent : 0);
	if (hist->count > 0)
		printf("perf: 0 max %" PRIu64 "\n", hist->max);
	for (unsigned i = 0; i < RWY_STATS_HIST_BUCKETS; i++)
		if (hist->buckets[i] > 0)
			printf("perf: 0 lat %" PRIu64 " %" PRIu64 "\n",
			       RWY_MIN(rwy_stats_hist_upper(i), hist->max), hist->buckets[i]);
	puts("perf: 0 end 0");
}

int rwy_perf_frames_main(int argc, char **argv)
{
	struct rwy_frames_config config = {.size = RWY_FRAMES_MIN, .seconds = 5}, warm_up;
	static const uint8_t nobody[6];
	const struct rwy_opt_program program = {
		.name = "ringway-perf frames",
		.usage = "--interface NAME --to MAC [option...]",
		.summary =
			"Sends frames to a guest that sends each one back with its addresses "
			"exchanged, as\ndpdk-testpmd --forward-mode=macswap does. Prints lines "
			"\"perf: 0 NAME VALUE\": sent, pps:\nframes a second that were sent and "
			"that came back; loss: part that did not; max: the\nlongest round trip in "
			"ns; lat NS COUNT: all of them. A tenth of the time goes before,\nto warm "
			"up. ringway-perf compare uses it for the work dpdk-echo.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &config,
	};
	struct rwy_frames frames;
	int status, err;

	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		return status;
	if (!config.ifname || !memcmp(config.to, nobody, sizeof(nobody)))
		return rwy_opt_refuse(&program, stderr, "--interface and --to are needed");
	warm_up = config;
	warm_up.seconds *= WARM_UP;
	err = rwy_frames_run(&warm_up, &frames);
	if (err == 0)
		err = rwy_frames_run(&config, &frames);
	if (err < 0) {
		fprintf(stderr, "ringway-perf: frames out of %s: %s\n", config.ifname,
			strerror(-err));
		return 1;
	}
	answer(&frames);
	return 0;
}
