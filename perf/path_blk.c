/* SPDX-License-Identifier: BSD-3-Clause */
/* Disks: a file, every block of which is written, or memory. */
#include "perf/disk_file.h"
#include "perf/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int make_file(struct rwy_path_up *up)
{
	up->step = "writing the disk's file";
	up->says = NULL;
	snprintf(up->file, sizeof(up->file), "%s%s.raw", up->env->scratch,
		 strrchr(up->env->dir, '/'));
	int err = rwy_disk_file_make(up->file, up->env->disk_mib);

	if (err < 0)
		up->file[0] = '\0';
	return err;
}

static bool can_write(const struct rwy_path *path, const struct rwy_path_env *env, char *why,
		      size_t why_len)
{
	if (access(env->scratch, W_OK) < 0)
		return rwy_path_refuse(why, why_len, "%s: %s; see --scratch", env->scratch,
				       strerror(errno));
	return true;
}

/* ---- ringway-blk ---- */

static int start_ringway(struct rwy_path_up *up)
{
	bool file = !strcmp(up->path->store, "file");
	char program[512];
	int err = file ? make_file(up) : 0;

	if (err < 0)
		return err;
	up->config.attach = RWY_GUEST_DISK_VU;
	up->config.target = up->socket;
	rwy_run_find("ringway-blk", program, sizeof(program));
	rwy_args_add(&up->args, "%s", program);
	rwy_args_add(&up->args, "--disk");
	if (file)
		rwy_args_add(&up->args, "socket=%s,file=%s,queues=%u", up->socket, up->file,
			     up->env->nr_queues);
	else
		rwy_args_add(&up->args, "socket=%s,mem=%uM,queues=%u", up->socket,
			     up->env->disk_mib, up->env->nr_queues);
	rwy_args_add(&up->args, "--cpus");
	rwy_args_add(&up->args, "%u", up->env->cpu_back);
	rwy_args_add(&up->args, "--poll");
	rwy_args_add(&up->args, "%s", up->path->poll);
	rwy_args_add(&up->args, "--metrics");
	rwy_args_add(&up->args, "%s", up->metrics);
	return rwy_path_start_back(up);
}

static int count_ringway(struct rwy_path_up *up, struct rwy_path_counts *counts)
{
	return rwy_path_read_metrics(up, "disk0", "writes", "reads", counts);
}

const struct rwy_path_ops rwy_path_blk_ringway = {
	.backend = "ringway-blk " RWY_VERSION,
	.program = "ringway-blk",
	.available = can_write,
	.start = start_ringway,
	.count = count_ringway,
};

/* ---- QEMU's ---- */

static int start_qsd(struct rwy_path_up *up)
{
	int err = make_file(up);

	if (err < 0)
		return err;
	up->config.attach = RWY_GUEST_DISK_VU;
	up->config.target = up->socket;
	rwy_args_split(&up->args, "qemu-storage-daemon --object iothread,id=io --blockdev");
	rwy_args_add(&up->args, "driver=file,node-name=disk,aio=io_uring,filename=%s", up->file);
	rwy_args_add(&up->args, "--export");
	rwy_args_add(&up->args,
		     "type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path=%s,"
		     "writable=on,num-queues=%u,iothread=io",
		     up->socket, up->env->nr_queues);
	return rwy_path_start_back(up);
}

const struct rwy_path_ops rwy_path_blk_qsd = {
	.backend = "qemu-storage-daemon",
	.no_cycles =
		"it polls before it sleeps, and does not tell polls that find nothing from others",
	.no_kicks = "qemu-storage-daemon does not count them",
	.program = "qemu-storage-daemon",
	.available = can_write,
	.start = start_qsd,
};

static int start_qemu(struct rwy_path_up *up)
{
	up->config.attach = RWY_GUEST_DISK;
	up->config.target = up->file;
	return make_file(up);
}

const struct rwy_path_ops rwy_path_blk_qemu = {
	.backend = "the VMM, io_uring",
	.no_cycles = "the back-end is part of the VMM",
	.no_kicks = "the VMM does not count them; they are exits for io or mmio",
	.available = can_write,
	.start = start_qemu,
};
