/* SPDX-License-Identifier: BSD-3-Clause */
/* The two ends of a loan: lend, which may open functions, and borrow, which may not. */
#include "sriov/sriov_cmd.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/opt.h"
#include "lib/sysfs.h"
#include "sriov/vf.h"
#include "sriov/vf_loan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RWY_STEM "sriov_cmd"

struct options {
	const char *socket;
	uint64_t uid;
	unsigned nr;
	char bdfs[RWY_VF_LOAN_MAX][RWY_BDF_LEN];
};

static int set_socket(void *ctx, char *value, struct rwy_opt_why *why)
{
	if (strlen(value) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return rwy_opt_fail(why, "the path is longer than a socket's may be");
	((struct options *)ctx)->socket = value;
	return 0;
}

static int set_uid(void *ctx, char *value, struct rwy_opt_why *why)
{
	return rwy_opt_uint(value, 0, UINT32_MAX - 1, &((struct options *)ctx)->uid, why);
}

static int set_bdf(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct options *options = ctx;

	if (options->nr == RWY_VF_LOAN_MAX)
		return rwy_opt_fail(why, "%u functions are the most", RWY_VF_LOAN_MAX);
	if (rwy_bdf_parse(value, options->bdfs[options->nr]))
		return rwy_opt_fail(why, "this is no function like 0000:01:10.0");
	options->nr++;
	return 0;
}

static struct sockaddr_un address_of(const struct options *options)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, options->socket);
	return address;
}

/* ---- lend ---- */

/* A socket that this user alone can reach. */
static int open_socket(const struct options *options)
{
	const struct sockaddr_un address = address_of(options);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err = 0;
	mode_t before = umask(0177);

	unlink(options->socket);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    (options->uid != UINT64_MAX &&
	     chown(options->socket, (uid_t)options->uid, (gid_t)-1) < 0) ||
	    listen(fd, 1) < 0)
		err = -errno;
	umask(before);
	if (!err)
		return fd;
	rwy_error("%s: %s", options->socket, strerror(-err));
	rwy_fd_close(&fd);
	return err;
}

/* Opened for this borrower, and closed here as soon as it has them. */
static int lend(const struct rwy_sriov_sys *sys, const struct options *options, int borrower)
{
	struct rwy_vf_loan_list list = {0};
	int err = 0;

	for (unsigned i = 0; !err && i < options->nr; i++)
		err = rwy_vf_loan_open(&list, sys->root, options->bdfs[i]);
	if (!err)
		err = rwy_vf_loan_send(borrower, &list);
	rwy_vf_loan_close_all(&list);
	return err;
}

/*
 * Letting the driver go makes the kernel ask for the function, and wait until it is given back. The
 * driver gets it again, so that it can be lent once more.
 */
static void take_back(const struct rwy_sriov_sys *sys, const struct options *options)
{
	for (unsigned i = 0; i < options->nr; i++) {
		const char *bdf = options->bdfs[i];
		char path[RWY_SYSFS_PATH];
		const char *driver;
		struct rwy_vf vf;

		rwy_vf_look(sys->root, bdf, &vf);
		driver = vf.value[RWY_ATTR_DRIVER];
		if (strcmp(driver, RWY_ATTR_NONE) == 0)
			continue;
		rwy_info("asking for %s", bdf);
		snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/unbind", driver);
		int err = sys->write(sys, path, bdf);

		snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/bind", driver);
		if (!err)
			err = sys->write(sys, path, bdf);
		if (err)
			rwy_error("%s: cannot be taken back: %s", bdf, strerror(-err));
	}
}

/* Until the borrower ends (true), or we shall (false). Nobody has anything to say. */
static bool wait_for_end(int borrower, int signals)
{
	struct pollfd fds[2] = {{borrower, 0, 0}, {signals, POLLIN, 0}};

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	return !(fds[1].revents & POLLIN);
}

static int serve(const struct rwy_sriov_sys *sys, const struct options *options, int listener,
		 int signals)
{
	struct pollfd fds[2] = {{listener, POLLIN, 0}, {signals, POLLIN, 0}};

	for (;;) {
		int borrower, err;
		bool ended;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents & POLLIN)
			return 0;
		if (!(fds[0].revents & POLLIN))
			continue;
		borrower = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (borrower < 0)
			return -errno;
		err = lend(sys, options, borrower);
		if (!err)
			rwy_info("lent");
		ended = err || wait_for_end(borrower, signals);
		if (!ended)
			take_back(sys, options);
		rwy_fd_close(&borrower);
		if (!err)
			rwy_info("given back");
		if (!ended)
			return 0;
	}
}

int rwy_sriov_cmd_lend(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out, FILE *err)
{
	struct options options = {.uid = UINT64_MAX};
	const struct rwy_opt opts[] = {
		{"socket", "PATH", "Where borrowers come to; only the owner may.", set_socket},
		{"uid", "UID", "Who shall own the socket.", set_uid},
	};
	const struct rwy_opt_program program = {
		.name = "ringway-sriov lend",
		.usage = "BDF... --socket PATH [--uid UID]",
		.summary = "Lends functions that vfio-pci has to one process after the other that "
			   "may not open\nthem itself (ringway-sriov borrow). A loan ends with the "
			   "borrower. SIGTERM ends the\nlending: what is lent is asked for, as the "
			   "kernel asks, and waited for.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.operand = set_bdf,
		.ctx = &options,
	};
	int status, listener, signals, rc;
	sigset_t set;

	if (!rwy_opt_parse(&program, argc, argv, out, err, &status))
		return status;
	if (!options.nr || !options.socket)
		return rwy_opt_refuse(&program, err, "%s",
				      options.nr ? "--socket is missing" : "which functions?");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	listener = open_socket(&options);
	if (listener < 0)
		return RWY_SRIOV_CMD_FAILED;
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	rc = signals < 0 ? -errno : serve(sys, &options, listener, signals);
	if (rc)
		rwy_error("%s: %s", options.socket, strerror(-rc));
	unlink(options.socket);
	rwy_fd_close(&signals);
	rwy_fd_close(&listener);
	return rc ? RWY_SRIOV_CMD_FAILED : 0;
}

/* ---- borrow ---- */

static int receive(const struct options *options, int fd, struct rwy_vf_loan_list *list)
{
	const struct sockaddr_un address = address_of(options);
	int err = 0;

	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		err = -errno;
	if (!err)
		err = rwy_vf_loan_recv(fd, list);
	if (err)
		rwy_error("%s: %s", options->socket,
			  err == -ENODATA ? "nothing is lent, the lender's log says why"
					  : strerror(-err));
	return err;
}

static int keep(int fd)
{
	return fcntl(fd, F_SETFD, 0) < 0 ? -errno : 0;
}

/* The command with --vfio for each function, and with all files. Returns where it cannot be run. */
static int run(char **command, unsigned nr, const struct rwy_vf_loan_list *list, int fd)
{
	char **argv = calloc(nr + 2 * list->nr + 1, sizeof(*argv));
	char(*texts)[64] = calloc(list->nr, sizeof(*texts));
	int err = argv && texts ? keep(fd) : -ENOMEM;

	for (unsigned i = 0; !err && i < nr; i++)
		argv[i] = command[i];
	for (unsigned i = 0; !err && i < list->nr; i++) {
		const struct rwy_vf_loan *loan = &list->loans[i];

		snprintf(texts[i], sizeof(texts[i]), "%s,fd=%d,iommu-fd=%d", loan->bdf, loan->fd,
			 loan->iommu_fd);
		argv[nr + 2 * i] = (char *)"--vfio";
		argv[nr + 2 * i + 1] = texts[i];
		err = keep(loan->fd);
		err = err ? err : keep(loan->iommu_fd);
	}
	if (!err) {
		execvp(argv[0], argv);
		err = -errno;
	}
	rwy_error("%s: %s", command[0], strerror(-err));
	free(argv);
	free(texts);
	return err;
}

int rwy_sriov_cmd_borrow(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
			 FILE *err)
{
	struct options options = {0};
	const struct rwy_opt opts[] = {
		{"socket", "PATH", "That of ringway-sriov lend.", set_socket},
	};
	const struct rwy_opt_program program = {
		.name = "ringway-sriov borrow",
		.usage = "--socket PATH -- COMMAND [ARGUMENT...]",
		.summary =
			"Runs COMMAND with the functions that are lent at PATH: it gets --vfio "
			"BDF,fd=N,iommu-fd=N\nfor each, as ringway-vmm takes them, after its own "
			"arguments. No privilege is needed.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &options,
	};
	struct rwy_vf_loan_list list = {0};
	int own = 0, status, fd;

	while (own < argc && strcmp(argv[own], "--") != 0)
		own++;
	if (!rwy_opt_parse(&program, own, argv, out, err, &status))
		return status;
	if (!options.socket || own + 1 >= argc)
		return rwy_opt_refuse(&program, err, "%s is missing",
				      options.socket ? "-- COMMAND" : "--socket");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && receive(&options, fd, &list) == 0)
		(void)!run(argv + own + 1, (unsigned)(argc - own - 1), &list, fd);
	rwy_vf_loan_close_all(&list);
	rwy_fd_close(&fd);
	return RWY_SRIOV_CMD_FAILED;
}
