/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions lent over a socket: what is lent, to whom, until when; and packets that lie. */
#include "tests/unit/sriov_rig.h"

#include "lib/fd.h"
#include "sriov/vf_loan.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PF "0000:01:00.0"
#define VF "0000:01:10.0" /* group 384 */

/* A VF with vfio-pci, and files that say what they are. */
static void set_up(struct sriov_rig *rig)
{
	const char *root;

	sriov_rig_open(rig);
	root = rig->kernel->sys.root;
	fake_sriov_kernel_set_vfs(rig->kernel, fake_sriov_kernel_add_pf(rig->kernel, "igb", PF, 7),
				  2);
	fake_root_write(root, "/sys/bus/pci/devices/" VF "/driver_override", "vfio-pci\n");
	fake_sriov_bind(root, VF, "vfio-pci");
	fake_root_write(root, "/dev/vfio/384", "the group\n");
	fake_root_write(root, "/dev/vfio/vfio", "a container\n");
	log_catch();
}

static void says(int fd, const char *what)
{
	char text[32] = "";

	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, what);
}

/* There and back through a socket. */
static void pass(struct sriov_rig *rig, bool cdev, const char *file, const char *iommu)
{
	struct rwy_vf_loan_list sent = {0}, got = {0};
	int pair[2];

	assert_int_equal(rwy_vf_loan_open(&sent, rig->kernel->sys.root, VF), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(rwy_vf_loan_send(pair[0], &sent), 0);
	assert_int_equal(rwy_vf_loan_recv(pair[1], &got), 0);
	assert_int_equal(got.nr, 1);
	assert_string_equal(got.loans[0].bdf, VF);
	assert_int_equal(got.loans[0].cdev, cdev);
	says(got.loans[0].fd, file);
	says(got.loans[0].iommu_fd, iommu);
	assert_true(fcntl(got.loans[0].fd, F_GETFD) & FD_CLOEXEC);
	rwy_vf_loan_close_all(&sent);
	rwy_vf_loan_close_all(&got);
	rwy_fd_close(&pair[0]);
	assert_int_equal(rwy_vf_loan_recv(pair[1], &got), -ENODATA);
	rwy_fd_close(&pair[1]);
}

static void group_or_cdev(void **state)
{
	struct sriov_rig rig;
	const char *root;

	set_up(&rig);
	root = rig.kernel->sys.root;
	pass(&rig, false, "the group\n", "a container\n");
	fake_root_write(root, "/sys/bus/pci/devices/" VF "/vfio-dev/vfio3/dev", "1:2\n");
	fake_root_write(root, "/dev/vfio/devices/vfio3", "the function\n");
	pass(&rig, false, "the group\n", "a container\n");
	fake_root_write(root, "/dev/iommu", "iommufd\n");
	pass(&rig, true, "the function\n", "iommufd\n");
	sriov_rig_close(&rig);
}

static void not_lent(void **state)
{
	struct rwy_vf_loan_list list = {0};
	char path[FAKE_ROOT_PATH];
	struct sriov_rig rig;
	const char *root;

	set_up(&rig);
	root = rig.kernel->sys.root;
	assert_int_equal(rwy_vf_loan_open(&list, root, "0000:01:10.2"), -ENODEV);
	assert_true(log_said("0000:01:10.2 has the driver igbvf"));
	assert_int_equal(rwy_vf_loan_open(&list, root, "0000:09:00.0"), -ENODEV);
	fake_sriov_hold(root, 77, "qemu", 3, "/dev/vfio/384");
	assert_int_equal(rwy_vf_loan_open(&list, root, VF), -EBUSY);
	assert_true(log_said(VF " is held by qemu (process 77)"));
	snprintf(path, sizeof(path), "%s/proc/77/fd/3", root);
	unlink(path);
	snprintf(path, sizeof(path), "%s/dev/vfio/vfio", root);
	unlink(path);
	assert_int_equal(rwy_vf_loan_open(&list, root, VF), -ENOENT);
	fake_root_link(root, "/sys/kernel/iommu_groups/384/devices/" PF, "x");
	assert_int_equal(rwy_vf_loan_open(&list, root, VF), -EBUSY);
	assert_true(log_said("group 384 is not viable: the host uses " PF " (igb)"));
	assert_int_equal(list.nr, 0);
	sriov_rig_close(&rig);
}

static void send_packet(int socket, const char *text, size_t len, unsigned nr_fds)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)text, len};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (nr_fds) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		for (unsigned i = 0; i < nr_fds; i++)
			((int *)CMSG_DATA(&control.head))[i] = socket;
	}
	assert_int_equal(sendmsg(socket, &message, 0), len);
}

#define HEAD "ringway-sriov loan 1\n"

/* Nothing of a packet that is refused stays open: the group's fixture counts. */
static void lies(void **state)
{
	static const struct {
		const char *text;
		unsigned nr_fds;
	} packets[] = {
		{"x", 2},
		{HEAD, 2},
		{HEAD, 0},
		{HEAD "0000:01:10.0 group\n", 0},
		{HEAD "0000:01:10.0 group\n", 1},
		{HEAD "0000:01:10.0 group\n", 3},
		{HEAD "0000:01:10.0 group", 2},
		{HEAD "0000:01:10.0 groups\n", 2},
		{HEAD "0000:01:40.0 group\n", 2},
		{HEAD "0000:01:10.0\n", 2},
		{HEAD "../../../../e group\n", 2},
		{HEAD "0000:01:10.0 group\nmore", 2},
		{HEAD "0000:01:10.0 group\n0000:01:10.1 group\n", 2},
		{"ringway-sriov loan 2\n0000:01:10.0 group\n", 2},
	};
	static char longest[8192];
	struct rwy_vf_loan_list list;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(packets); i++) {
		send_packet(pair[0], packets[i].text, strlen(packets[i].text), packets[i].nr_fds);
		assert_int_equal(rwy_vf_loan_recv(pair[1], &list), -EPROTO);
		assert_int_equal(list.nr, 0);
	}
	send_packet(pair[0], HEAD "0000:01:10.0 group\n\0", sizeof(HEAD) + 19, 2);
	assert_int_equal(rwy_vf_loan_recv(pair[1], &list), -EPROTO);
	strcpy(longest, HEAD);
	for (unsigned i = 0; i < 65; i++)
		sprintf(longest + strlen(longest), "0000:01:10.0 group\n");
	send_packet(pair[0], longest, strlen(longest), 16);
	assert_int_equal(rwy_vf_loan_recv(pair[1], &list), -EPROTO);
	send_packet(pair[0], longest, sizeof(longest), 16);
	assert_int_equal(rwy_vf_loan_recv(pair[1], &list), -EPROTO);
	close(pair[0]);
	close(pair[1]);
}

/* ---- both programs ---- */

static pid_t start_lender(struct sriov_rig *rig, char *path)
{
	char *argv[] = {(char *)"lend", (char *)VF, (char *)"--socket", path, NULL};
	pid_t pid = fork();

	if (pid == 0)
		_exit(rwy_sriov_cmd_lend(&rig->kernel->sys, 4, argv, stdout, stderr));
	for (unsigned i = 0; i < 1000 && access(path, F_OK) < 0; i++)
		usleep(10000);
	return pid;
}

static pid_t start_borrower(struct sriov_rig *rig, char *path, const char *script)
{
	char *argv[] = {(char *)"borrow", (char *)"--socket", path,
			(char *)"--",	  (char *)"sh",	      (char *)"-c",
			(char *)script,	  (char *)"sh",	      NULL};
	pid_t pid = fork();

	if (pid == 0) {
		unsetenv("LD_PRELOAD");
		_exit(rwy_sriov_cmd_borrow(&rig->kernel->sys, 8, argv, stdout, stderr));
	}
	return pid;
}

static int end_of(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What it is called with, and what is in its files. */
#define USE                                                             \
	"[ \"$1\" = --vfio ] || exit 3; f=${2#" VF ",fd=}; g=${2##*=};" \
	"read -r a <&${f%%,*} && read -r b <&$g && [ \"$a, $b\" = 'the group, a container' ]"

static void one_after_the_other(void **state)
{
	char path[2 * FAKE_ROOT_PATH];
	struct sriov_rig rig;
	pid_t lender;

	set_up(&rig);
	snprintf(path, sizeof(path), "%s/lend", rig.run_dir);
	lender = start_lender(&rig, path);
	assert_int_equal(end_of(start_borrower(&rig, path, USE)), 0);
	assert_int_equal(end_of(start_borrower(&rig, path, USE)), 0);
	/* Somebody else has it: the lender says no, and lives on. */
	fake_sriov_hold(rig.kernel->sys.root, 77, "qemu", 3, "/dev/vfio/384");
	assert_int_equal(end_of(start_borrower(&rig, path, "exit 0")), 1);
	kill(lender, SIGTERM);
	assert_int_equal(end_of(lender), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rig.kernel->nr_changes, 0);
	assert_int_equal(end_of(start_borrower(&rig, path, "exit 0")), 1);
	sriov_rig_close(&rig);
}

static void taken_back(void **state)
{
	char path[2 * FAKE_ROOT_PATH], script[4 * FAKE_ROOT_PATH], driver[64];
	struct sriov_rig rig;
	pid_t lender, borrower;

	set_up(&rig);
	snprintf(path, sizeof(path), "%s/lend", rig.run_dir);
	snprintf(script, sizeof(script), "touch %s/there; exec sleep 1000", rig.run_dir);
	lender = start_lender(&rig, path);
	borrower = start_borrower(&rig, path, script);
	for (unsigned i = 0; i < 1000 && !sriov_rig_has(&rig, "there"); i++)
		usleep(10000);
	kill(lender, SIGTERM);
	assert_int_equal(end_of(lender), 0);
	/* The driver let it go, which is how the kernel asks, and has it again. */
	assert_int_equal(rig.kernel->nr_changes, 2);
	assert_int_equal(rwy_sysfs_read_link(rig.kernel->sys.root, driver, sizeof(driver),
					     "/sys/bus/pci/devices/" VF "/driver"),
			 0);
	assert_string_equal(driver, "vfio-pci");
	kill(borrower, SIGKILL);
	end_of(borrower);
	sriov_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(group_or_cdev), cmocka_unit_test(not_lent),
		cmocka_unit_test(lies),		 cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(taken_back),
	};

	return UNIT_RUN(tests);
}
