/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/guest.h"

#include "lib/sysfs.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELLO "perf: hello"

int rwy_guest_find(const struct rwy_guest_vmm *vmm, char *path, size_t path_len)
{
	return rwy_run_look_up(vmm->program, path, path_len) ? 0 : -ENOENT;
}

int rwy_guest_start(struct rwy_run *run, struct rwy_guest *guest,
		    const struct rwy_guest_config *config)
{
	const struct rwy_guest_vmm *vmm = config->vmm;
	char path[RWY_SYSFS_PATH];

	guest->config = config;
	guest->asked = 0;
	rwy_args_init(&guest->args);
	if (rwy_guest_find(vmm, path, sizeof(path)) < 0)
		return -ENOENT;
	rwy_args_add(&guest->args, "%s", path);
	if (!vmm->describe(config, &guest->args))
		return -ENOTSUP;
	if (guest->args.full)
		return -E2BIG;
	return rwy_run_start(run, &guest->proc, vmm->name,
			     vmm->starts_on_guest_cpu ? config->vcpus[0] : config->cpu_vmm,
			     guest->args.words);
}

/* QEMU calls the threads of its vCPUs "CPU 0/KVM". */
static int move_thread(void *ctx, const char *tid)
{
	const struct rwy_guest *guest = ctx;
	char name[64] = "";
	cpu_set_t cpus;
	unsigned vcpu;

	if (rwy_sysfs_read("", name, sizeof(name), "/proc/%d/task/%s/comm", guest->proc.pid, tid) <
	    0)
		return 0; /* it has ended */
	CPU_ZERO(&cpus);
	if (sscanf(name, "CPU %u/", &vcpu) == 1 && vcpu < guest->config->nr_vcpus)
		CPU_SET(guest->config->vcpus[vcpu], &cpus);
	else
		CPU_SET(guest->config->cpu_vmm, &cpus);
	return sched_setaffinity(atoi(tid), sizeof(cpus), &cpus) < 0 && errno != ESRCH ? -errno : 0;
}

int rwy_guest_hello(struct rwy_run *run, struct rwy_guest *guest, unsigned timeout_ms)
{
	int err = rwy_run_expect(run, &guest->proc, 0, HELLO, timeout_ms);

	if (err == 0 && guest->config->vmm->starts_on_guest_cpu)
		err = rwy_sysfs_list("", move_thread, guest, "/proc/%d/task", guest->proc.pid);
	return err;
}

/* Types a line, and waits for "perf: ID word" as of the last command. */
static int talk(struct rwy_run *run, struct rwy_guest *guest, const char *line, const char *word,
		unsigned timeout_ms)
{
	uint64_t from = guest->proc.written;
	char mark[32];
	int err = rwy_run_send(&guest->proc, line);

	snprintf(mark, sizeof(mark), "perf: %u %s", guest->asked, word);
	return err < 0 ? err : rwy_run_expect(run, &guest->proc, from, mark, timeout_ms);
}

int rwy_guest_do(struct rwy_run *run, struct rwy_guest *guest, const char *command,
		 unsigned timeout_ms)
{
	char line[128];

	snprintf(line, sizeof(line), "%u %s", ++guest->asked, command);
	return talk(run, guest, line, "done", timeout_ms);
}

int rwy_guest_answer(struct rwy_run *run, struct rwy_guest *guest, unsigned timeout_ms,
		     struct rwy_answer *answer)
{
	uint64_t from = guest->proc.written;
	int err = talk(run, guest, "", "end ", timeout_ms);

	/* the end of that line may come later than its beginning */
	while (err == 0) {
		err = rwy_answer_parse(answer, rwy_run_output(&guest->proc, from), guest->asked);
		if (err != -EAGAIN)
			break;
		err = rwy_run_sleep(run, 5);
	}
	return err;
}
