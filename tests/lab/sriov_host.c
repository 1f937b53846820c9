/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A host of files with a card of VFs (tests/unit/fake_sriov_kernel.h), for ringway-perf sriov:
 *
 *   sriov_host ours NR             ringway-sriov apply there, and "took N us"
 *   sriov_host by-hand NR SCRIPT.. SCRIPT... ROOT BDF INTERFACE NR, on a card that has its VFs
 *   sriov_host nothing NR          the card has its VFs, and that is all
 *
 * What it takes to ask the kernel is not saved: each request to the model goes to this machine's
 * kernel, too, which has nothing to do for it and says so.
 */
#include "tests/unit/fake_sriov_kernel.h"

#include "sriov/sriov_cmd.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define PF	 "0000:01:00.0"
#define LOOPBACK 1

struct host {
	struct rwy_sriov_sys sys; /* the first, so that it stands for all */
	struct rwy_sriov_sys real;
	struct fake_sriov_kernel *kernel;
	bool answered; /* by this machine's kernel */
};

/* About an interface without VFs, or about nothing. */
static ssize_t send_both(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire,
			 const void *message, size_t len)
{
	struct host *host = (struct host *)sys;
	char copy[1024];
	struct nlmsghdr *head = (struct nlmsghdr *)copy;
	ssize_t n;

	assert_in_range(len, sizeof(*head), sizeof(copy));
	memcpy(copy, message, len);
	if (wire == RWY_SRIOV_ROUTE) {
		((struct ifinfomsg *)NLMSG_DATA(head))->ifi_index = LOOPBACK;
	} else {
		head->nlmsg_type = NLMSG_NOOP;
		head->nlmsg_flags |= NLM_F_ACK;
	}
	n = host->real.send(&host->real, wire, copy, len);
	host->answered = false;
	return n < 0 ? n : host->kernel->sys.send(&host->kernel->sys, wire, message, len);
}

static ssize_t recv_both(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire, void *buf,
			 size_t len, int flags)
{
	struct host *host = (struct host *)sys;
	char lost[8192];
	ssize_t n;

	if (!host->answered) {
		n = host->real.recv(&host->real, wire, lost, buf ? sizeof(lost) : 0, flags);
		if (n < 0)
			return n;
		host->answered = !(flags & MSG_PEEK);
	}
	return host->kernel->sys.recv(&host->kernel->sys, wire, buf, len, flags);
}

static void want(const struct host *host, unsigned nr)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"pfs\": [{\"bdf\": \"" PF "\", \"numvfs\": %u, \"vfs\": [{\"range\": \"0-%u\","
		 " \"mac\": \"52:54:00:00:20:00\", \"vlan\": 100, \"qos\": 3, \"max_rate\": 100,"
		 " \"trust\": true, \"driver\": \"vfio-pci\"}]}]}",
		 nr, nr - 1);
	fake_root_write(host->kernel->sys.root, "/wanted.json", text);
}

static int apply(struct host *host, unsigned nr)
{
	char run_dir[] = "/dev/shm/ringway-run.XXXXXX", option[64], path[FAKE_ROOT_PATH];
	char *argv[] = {(char *)"apply", path, option, NULL};
	FILE *out = fopen("/dev/null", "w");
	struct timespec from, to;
	int status;

	assert_non_null(mkdtemp(run_dir));
	assert_int_equal(rwy_sriov_sys_open(&host->real), 0);
	host->sys = host->kernel->sys;
	host->sys.send = send_both;
	host->sys.recv = recv_both;
	want(host, nr);
	snprintf(path, sizeof(path), "%s/wanted.json", host->sys.root);
	snprintf(option, sizeof(option), "--run-dir=%s", run_dir);
	clock_gettime(CLOCK_MONOTONIC, &from);
	status = rwy_sriov_cmd_apply(&host->sys, 3, argv, out, stderr);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("took %lld us\n",
	       (to.tv_sec - from.tv_sec) * 1000000LL + (to.tv_nsec - from.tv_nsec) / 1000);
	fclose(out);
	nftw(run_dir, fake_root_remove, 16, FTW_DEPTH | FTW_PHYS);
	rwy_sriov_sys_close(&host->real);
	return status;
}

/* The script says by itself what it took. */
static int by_hand(struct host *host, char **script, int nr_words, const char *nr)
{
	char *argv[16] = {0};
	int status = -1;
	pid_t pid;

	assert_in_range(nr_words, 1, 8);
	fake_sriov_kernel_set_vfs(host->kernel, host->kernel->pfs, (unsigned)atoi(nr));
	fake_root_write(host->kernel->sys.root, "/sys/bus/pci/drivers_probe", "");
	memcpy(argv, script, (size_t)nr_words * sizeof(*argv));
	argv[nr_words] = (char *)host->kernel->sys.root;
	argv[nr_words + 1] = (char *)PF;
	argv[nr_words + 2] = (char *)"lo";
	argv[nr_words + 3] = (char *)nr;
	pid = fork();
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	struct host host = {0};
	unsigned nr = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	int status = 0;

	if (nr == 0 || nr > FAKE_SRIOV_VFS) {
		fputs("sriov_host: which of ours, by-hand, nothing, and how many VFs?\n", stderr);
		return 2;
	}
	host.kernel = fake_sriov_kernel_open();
	fake_sriov_kernel_add_pf(host.kernel, "i40e", PF, nr);
	if (strcmp(argv[1], "ours") == 0)
		status = apply(&host, nr);
	else if (strcmp(argv[1], "by-hand") == 0)
		status = by_hand(&host, argv + 3, argc - 3, argv[2]);
	else
		fake_sriov_kernel_set_vfs(host.kernel, host.kernel->pfs, nr);
	fake_sriov_kernel_close(host.kernel);
	return status;
}
