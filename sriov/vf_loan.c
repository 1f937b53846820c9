/* SPDX-License-Identifier: BSD-3-Clause */
#include "sriov/vf_loan.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/pci_group.h"
#include "lib/sysfs.h"
#include "sriov/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define RWY_STEM "vf_loan"

#define HEAD "ringway-sriov loan 1\n"

#define TEXT_LEN (sizeof(HEAD) + RWY_VF_LOAN_MAX * (RWY_BDF_LEN + sizeof(" group\n")))
#define FDS_MAX	 (2 * RWY_VF_LOAN_MAX)

/* Room for the descriptors of a whole packet, aligned as the kernel wants it. */
union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

void rwy_vf_loan_close_all(struct rwy_vf_loan_list *list)
{
	for (unsigned i = 0; i < list->nr; i++) {
		rwy_fd_close(&list->loans[i].fd);
		rwy_fd_close(&list->loans[i].iommu_fd);
	}
	list->nr = 0;
}

/* ---- opening ---- */

static int open_file(const char *root, const char *name)
{
	char path[RWY_SYSFS_PATH];
	int fd;

	snprintf(path, sizeof(path), "%s/dev/%s", root, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fd = -errno;
		rwy_error("%s: %s", path, strerror(-fd));
	}
	return fd;
}

static int check(const char *root, const struct rwy_vf *vf)
{
	const char *driver = vf->value[RWY_ATTR_DRIVER];
	struct rwy_pci_group_user user;
	const struct rwy_holder *holder;
	struct rwy_holder_list holders;
	char who[RWY_HOLDER_TEXT];
	int err;

	if (vf->group < 0) {
		rwy_error("%s is not there, or behind no IOMMU", vf->bdf);
		return -ENODEV;
	}
	if (!strstr(driver, "vfio")) {
		rwy_error("%s has the driver %s, only what vfio-pci has can be lent", vf->bdf,
			  driver);
		return -ENODEV;
	}
	if (rwy_pci_group_search(root, (unsigned)vf->group, NULL, &user)) {
		rwy_error("%s: group %d is not viable: the host uses %s (%s)", vf->bdf, vf->group,
			  user.bdf, user.driver);
		return -EBUSY;
	}
	err = rwy_holder_list_init(&holders, root);
	if (err)
		return err;
	holder = rwy_holder_of(&holders, vf);
	if (holder) {
		rwy_holder_put(who, holder, "process ");
		rwy_error("%s is held by %s", vf->bdf, who);
	}
	err = holder ? -EBUSY : 0;
	rwy_holder_list_fini(&holders);
	return err;
}

int rwy_vf_loan_open(struct rwy_vf_loan_list *list, const char *root, const char *bdf)
{
	struct rwy_vf_loan loan = {.fd = -1, .iommu_fd = -1};
	struct rwy_vf vf;
	char file[48];
	int err;

	if (list->nr == RWY_VF_LOAN_MAX)
		return -ENOSPC;
	rwy_vf_look(root, bdf, &vf);
	err = check(root, &vf);
	if (err)
		return err;
	memcpy(loan.bdf, vf.bdf, sizeof(loan.bdf));
	loan.cdev = vf.vfio[0] && rwy_sysfs_exists(root, "/dev/iommu");
	if (loan.cdev)
		snprintf(file, sizeof(file), "vfio/devices/%s", vf.vfio);
	else
		snprintf(file, sizeof(file), "vfio/%d", vf.group);
	loan.fd = open_file(root, file);
	if (loan.fd < 0)
		return loan.fd;
	loan.iommu_fd = open_file(root, loan.cdev ? "iommu" : "vfio/vfio");
	if (loan.iommu_fd < 0) {
		rwy_fd_close(&loan.fd);
		return loan.iommu_fd;
	}
	list->loans[list->nr++] = loan;
	return 0;
}

/* ---- the packet ---- */

int rwy_vf_loan_send(int socket, const struct rwy_vf_loan_list *list)
{
	char text[TEXT_LEN] = HEAD;
	struct iovec iov = {text, strlen(text)};
	union control control = {0};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(2 * list->nr * sizeof(int)),
	};
	int fds[FDS_MAX];

	for (unsigned i = 0; i < list->nr; i++) {
		const struct rwy_vf_loan *loan = &list->loans[i];

		iov.iov_len +=
			(size_t)snprintf(text + iov.iov_len, sizeof(text) - iov.iov_len, "%s %s\n",
					 loan->bdf, loan->cdev ? "cdev" : "group");
		fds[2 * i] = loan->fd;
		fds[2 * i + 1] = loan->iommu_fd;
	}
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(2 * list->nr * sizeof(int));
	memcpy(CMSG_DATA(&control.head), fds, 2 * list->nr * sizeof(int));
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The lines of a packet; descriptors are not looked at. */
static int parse(const char *text, struct rwy_vf_loan_list *list)
{
	list->nr = 0;
	if (strncmp(text, HEAD, strlen(HEAD)) != 0)
		return -EPROTO;
	text += strlen(HEAD);
	while (*text) {
		struct rwy_vf_loan *loan = &list->loans[list->nr];
		char name[RWY_BDF_LEN], kind[8];
		int end = 0;

		if (list->nr == RWY_VF_LOAN_MAX ||
		    sscanf(text, "%15[0-9a-f:.] %7[a-z]%n", name, kind, &end) != 2 ||
		    text[end] != '\n' || rwy_bdf_parse(name, loan->bdf) ||
		    (strcmp(kind, "group") != 0 && strcmp(kind, "cdev") != 0))
			return -EPROTO;
		loan->cdev = strcmp(kind, "cdev") == 0;
		list->nr++;
		text += end + 1;
	}
	return list->nr ? 0 : -EPROTO;
}

int rwy_vf_loan_recv(int socket, struct rwy_vf_loan_list *list)
{
	char text[TEXT_LEN + 1];
	struct iovec iov = {text, TEXT_LEN};
	union control control = {0};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *head;
	unsigned nr_fds = 0;
	int fds[FDS_MAX], err;
	ssize_t len;

	list->nr = 0;
	do
		len = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
		nr_fds = (unsigned)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(head), nr_fds * sizeof(int));
	}
	if (len == 0 && nr_fds == 0)
		return -ENODATA;
	text[len] = '\0';
	err = message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || strlen(text) != (size_t)len
		      ? -EPROTO
		      : parse(text, list);
	if (!err && nr_fds == 2 * list->nr) {
		for (unsigned i = 0; i < list->nr; i++) {
			list->loans[i].fd = fds[2 * i];
			list->loans[i].iommu_fd = fds[2 * i + 1];
		}
		return 0;
	}
	rwy_fd_close_all(fds, nr_fds);
	list->nr = 0;
	return -EPROTO;
}
