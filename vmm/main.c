/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/fd.h"
#include "lib/log.h"
#include "vmm/cfg.h"
#include "vmm/doctor.h"
#include "vmm/machine.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define RWY_STEM "main"

#define EXIT_FAILED 1
#define EXIT_USAGE  2

struct signals {
	struct rwy_watch watch;
	struct rwy_machine *machine;
};

static void on_signal(void *ctx, uint32_t events)
{
	struct signals *signals = ctx;
	struct signalfd_siginfo info;

	while (read(signals->watch.fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			rwy_machine_write_stats(signals->machine);
		else
			rwy_machine_press(signals->machine);
	}
}

/* Before any other thread exists, so that all inherit the mask. */
static int open_signals(struct signals *signals, struct rwy_poll *poll)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	signals->watch = (struct rwy_watch){fd, EPOLLIN, on_signal, signals};
	return rwy_poll_watch(poll, &signals->watch);
}

static int run(const struct rwy_cfg *cfg, struct rwy_machine *machine, struct rwy_poll *poll)
{
	struct signals signals = {.machine = machine, .watch = {.fd = -1}};
	int status = EXIT_USAGE;
	int err = rwy_machine_open(machine, cfg, poll);

	if (err)
		return status;
	status = EXIT_FAILED;
	err = open_signals(&signals, poll);
	if (err)
		rwy_error("cannot receive signals: %s", strerror(-err));
	else if (rwy_machine_start(machine) == 0 && rwy_poll_run(poll) == 0)
		status = machine->status;
	rwy_machine_close(machine);
	if (signals.watch.fd >= 0)
		rwy_poll_unwatch(poll, &signals.watch);
	rwy_fd_close(&signals.watch.fd);
	return status;
}

int main(int argc, char **argv)
{
	static struct rwy_cfg cfg;
	static struct rwy_machine machine;
	struct rwy_poll *poll;
	int status, err;

	if (argc > 1 && strcmp(argv[1], "doctor") == 0)
		return rwy_doctor_main(argc - 1, argv + 1, stdout, stderr);
	if (!rwy_cfg_parse(&cfg, argc, argv, stdout, stderr, &status))
		return status;
	err = rwy_poll_open(&poll, RWY_POLL_NEVER);
	if (err) {
		rwy_error("no reactor: %s", strerror(-err));
		return EXIT_FAILED;
	}
	status = run(&cfg, &machine, poll);
	rwy_poll_close(poll);
	return status;
}
