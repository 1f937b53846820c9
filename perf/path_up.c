/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/path.h"

#include "lib/poll.h"
#include "lib/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_MS 10000
#define HELLO_MS  86400000 /* the deadline of a round is before that */
#define ASK_MS	  300000
#define NS_IN_S	  1e9
#define REACTOR	  "reactor" /* how their entries are called */

bool rwy_path_refuse(char *why, size_t why_len, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, why_len, fmt, args);
	va_end(args);
	return false;
}

bool rwy_path_available(const struct rwy_path *path, const struct rwy_path_env *env, char *why,
			size_t why_len)
{
	char program[512];

	if (rwy_guest_find(path->vmm, program, sizeof(program)) < 0)
		return rwy_path_refuse(why, why_len, "%s", path->vmm->missing);
	if (path->ops->program && !rwy_run_look_up(path->ops->program, program, sizeof(program)))
		return rwy_path_refuse(why, why_len, "%s is not installed", path->ops->program);
	if (path->kind == RWY_RESULT_NET && geteuid() != 0)
		return rwy_path_refuse(why, why_len,
				       "only root may have network interfaces and namespaces");
	if (path->kind == RWY_RESULT_NET && !rwy_run_look_up("iperf3", program, sizeof(program)))
		return rwy_path_refuse(why, why_len, "iperf3 is not installed");
	return !path->ops->available || path->ops->available(path, env, why, why_len);
}

/* ---- up and down ---- */

int rwy_path_start_back(struct rwy_path_up *up)
{
	struct rwy_run *run = up->env->run;
	int err;

	up->step = "starting the back-end";
	up->says = &up->back;
	if (up->args.full)
		return -E2BIG;
	err = rwy_run_start(run, &up->back, up->path->ops->program, up->env->cpu_back,
			    up->args.words);
	return err < 0 ? err : rwy_run_expect_path(run, up->socket, SOCKET_MS);
}

int rwy_path_do(struct rwy_path_up *up, const char *command, unsigned timeout_ms)
{
	return rwy_guest_do(up->env->run, &up->guest, command, timeout_ms);
}

int rwy_path_answer(struct rwy_path_up *up, struct rwy_answer *answer)
{
	answer->error[0] = '\0';
	int err = rwy_guest_answer(up->env->run, &up->guest, ASK_MS, answer);

	snprintf(up->why, sizeof(up->why), "%s", answer->error);
	return err;
}

int rwy_path_ask(struct rwy_path_up *up, const char *command, unsigned timeout_ms,
		 struct rwy_answer *answer)
{
	int err = rwy_path_do(up, command, timeout_ms);

	return err < 0 ? err : rwy_path_answer(up, answer);
}

/* The guest says its address as a number, like all that it says. */
static int take_mac(struct rwy_path_up *up, const double *mac)
{
	uint64_t bits = mac && *mac < 0x1p48 ? (uint64_t)*mac : 0;

	if (bits == 0)
		return -EPROTO;
	for (unsigned i = 0; i < 6; i++)
		snprintf(up->guest_mac + 3 * i, sizeof(up->guest_mac) - 3 * i, "%02x%s",
			 (unsigned)(bits >> (40 - 8 * i)) & 0xff, i < 5 ? ":" : "");
	return 0;
}

int rwy_path_use(struct rwy_path_up *up, bool dpdk)
{
	struct rwy_answer answer;
	char command[64];
	int err;

	if (dpdk == up->dpdk)
		return 0;
	up->step = dpdk ? "giving the guest's network card to DPDK"
			: "giving the guest's network card back to its kernel";
	snprintf(command, sizeof(command), "use %s %s", dpdk ? "dpdk" : "kernel", up->far.mac);
	err = rwy_path_ask(up, command, ASK_MS, &answer);
	if (err == 0 && dpdk)
		err = take_mac(up, rwy_answer_get(&answer, "mac"));
	if (err == 0)
		up->dpdk = dpdk;
	return err;
}

int rwy_path_count(struct rwy_path_up *up, struct rwy_path_counts *counts)
{
	*counts = (struct rwy_path_counts){0};
	return up->path->ops->count ? up->path->ops->count(up, counts) : 0;
}

static int read_totals(struct rwy_path_up *up, struct rwy_path_totals *totals)
{
	bool net = up->path->kind == RWY_RESULT_NET;
	struct rwy_answer answer;
	int err = rwy_path_ask(up, "total", ASK_MS, &answer);
	const double *out, *in;

	if (err < 0)
		return err;
	out = rwy_answer_get(&answer, net ? "tx" : "writes");
	in = rwy_answer_get(&answer, net ? "rx" : "reads");
	if (!out || !in)
		return -EPROTO;
	totals->guest_out = *out;
	totals->guest_in = *in;
	return rwy_path_count(up, &totals->back);
}

static int greet(struct rwy_path_up *up)
{
	struct rwy_run *run = up->env->run;
	struct rwy_answer answer;
	const char *mac = up->config.attach == RWY_GUEST_VFIO ? NULL : RWY_GUEST_MAC;
	char command[64];
	int err;

	if (up->path->kind == RWY_RESULT_NET) {
		up->step = "setting up the far end";
		up->says = &up->far.call;
		err = rwy_far_serve(run, &up->far, up->env->cpu_far, mac);
		if (err < 0)
			return err;
	}
	up->step = "waiting for the guest";
	up->says = &up->guest.proc;
	err = rwy_guest_hello(run, &up->guest, HELLO_MS);
	if (err < 0)
		return err;
	if (up->path->kind != RWY_RESULT_NET)
		return read_totals(up, &up->begin);
	up->step = "reaching the far end from the guest";
	snprintf(command, sizeof(command), "up %s", up->far.mac);
	return rwy_path_ask(up, command, ASK_MS, &answer);
}

/* A tap is opened by its name, which is one of the far end's namespace. */
static int start_guest(struct rwy_path_up *up)
{
	bool inside = up->config.attach == RWY_GUEST_NET_TAP;
	int err = inside ? rwy_far_enter(&up->far) : 0;

	if (err < 0)
		return err;
	up->step = "starting the VMM";
	up->says = &up->guest.proc;
	err = rwy_guest_start(up->env->run, &up->guest, &up->config);
	if (inside)
		rwy_far_leave(&up->far);
	return err;
}

int rwy_path_start(struct rwy_path_up *up, const struct rwy_path *path,
		   const struct rwy_path_env *env)
{
	uint64_t from = rwy_poll_now_ns();
	int err;

	memset(up, 0, sizeof(*up));
	up->path = path;
	up->env = env;
	up->far.fd = up->far.home_fd = -1;
	up->config = (struct rwy_guest_config){
		.vmm = path->vmm,
		.kernel = env->kernel,
		.initrd = env->initrd,
		.append = env->append,
		.memory_mib = env->memory_mib,
		.memory_node = env->memory_node,
		.nr_vcpus = env->nr_vcpus,
		.vcpus = env->vcpus,
		.nr_queues = env->nr_queues,
		.cpu_vmm = env->cpu_back,
		.packed = path->packed,
	};
	snprintf(up->socket, sizeof(up->socket), "%s/socket", env->dir);
	snprintf(up->metrics, sizeof(up->metrics), "%s/metrics", env->dir);
	rwy_args_init(&up->args);
	err = path->ops->start(up);
	if (err == 0)
		err = start_guest(up);
	if (err == 0)
		err = greet(up);
	if (err == 0)
		(void)!rwy_irq_probe_open(&up->irqs, up->guest.proc.pid);
	up->setup_s = (double)(rwy_poll_now_ns() - from) / NS_IN_S;
	return err;
}

void rwy_path_stop(struct rwy_path_up *up)
{
	rwy_irq_probe_close(&up->irqs);
	rwy_run_kill(up->env->run, &up->guest.proc);
	rwy_run_stop(up->env->run, &up->back);
	if (up->path->ops->stop)
		up->path->ops->stop(up);
	rwy_far_close(up->env->run, &up->far);
	unlink(up->socket);
	unlink(up->metrics);
	if (up->file[0])
		unlink(up->file);
}

/* ---- what can be seen of it ---- */

static void add_proc(struct rwy_cost_scope *scope, const struct rwy_run_proc *proc, bool far)
{
	if (proc->pid > 0)
		scope->procs[scope->nr_procs++] =
			(struct rwy_cost_proc){.name = proc->name, .pid = proc->pid, .far = far};
}

static void add_cpu(struct rwy_cost_scope *scope, unsigned cpu)
{
	for (unsigned i = 0; i < scope->nr_cpus; i++)
		if (scope->cpus[i] == cpu)
			return;
	scope->cpus[scope->nr_cpus++] = cpu;
}

void rwy_path_scope(const struct rwy_path_up *up, struct rwy_cost_scope *scope)
{
	*scope = (struct rwy_cost_scope){.vmm = up->guest.proc.pid, .irqs = &up->irqs};
	add_proc(scope, &up->guest.proc, false);
	add_proc(scope, &up->back, false);
	add_proc(scope, &up->aide, false);
	add_proc(scope, &up->far.server, true);
	for (unsigned i = 0; i < up->env->nr_vcpus; i++)
		add_cpu(scope, up->env->vcpus[i]);
	add_cpu(scope, up->env->cpu_back);
	add_cpu(scope, up->env->cpu_far);
}

int rwy_path_memory(const struct rwy_path_up *up, double *bytes)
{
	double back = 0, aide = 0;
	int err = rwy_cost_memory(up->guest.proc.pid, bytes);

	if (err == 0 && up->back.pid > 0)
		err = rwy_cost_memory(up->back.pid, &back);
	if (err == 0 && up->aide.pid > 0)
		err = rwy_cost_memory(up->aide.pid, &aide);
	*bytes += back + aide;
	return err;
}

/* One more line: in the far end's network namespace, or not. */
static void add_command(char *text, size_t text_len, bool inside, unsigned cpu,
			const char *const *argv)
{
	size_t have = strlen(text);

	if (!argv[0])
		return;
	have += (size_t)snprintf(text + have, text_len - have, "%s%s", have ? "\n" : "",
				 inside ? "nsenter --net=FAR " : "");
	if (have < text_len)
		rwy_run_command(argv, cpu, text + have, text_len - have);
}

void rwy_path_commands(const struct rwy_path_up *up, char *text, size_t text_len)
{
	const struct rwy_guest_config *config = &up->config;
	bool net = up->path->kind == RWY_RESULT_NET;

	snprintf(text, text_len, "%s", up->before);
	add_command(text, text_len, net, up->env->cpu_back, up->args.words);
	add_command(text, text_len, config->attach == RWY_GUEST_NET_TAP,
		    config->vmm->starts_on_guest_cpu ? config->vcpus[0] : config->cpu_vmm,
		    up->guest.args.words);
	if (net)
		add_command(text, text_len, true, up->env->cpu_far, rwy_far_server);
	if (net)
		add_command(text, text_len, true, up->env->cpu_far, up->far.frames.words);
}

/* ---- what is counted ---- */

static uint64_t counter(const json_t *entry, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(entry, name));
}

int rwy_path_read_metrics(const struct rwy_path_up *up, const char *name, const char *out,
			  const char *in, struct rwy_path_counts *counts)
{
	struct rwy_stats stats;
	json_t *root, *entry;
	const char *key;
	char *text, queue[64];
	int err = rwy_stats_attach(&stats, up->metrics);

	if (err < 0)
		return err;
	err = rwy_stats_json(&stats, &text);
	rwy_stats_close(&stats);
	if (err < 0)
		return err;
	root = json_loads(text, 0, NULL);
	free(text);
	entry = json_object_get(root, name);
	counts->has_ops = counts->has_kicks = counts->has_busy = true;
	counts->out = counter(entry, out);
	counts->in = counter(entry, in);
	snprintf(queue, sizeof(queue), "%s.q", name);
	json_object_foreach(root, key, entry)
	{
		if (!strncmp(key, queue, strlen(queue)))
			counts->kicks += counter(entry, "kicks");
		if (!strncmp(key, REACTOR, strlen(REACTOR)))
			counts->busy_cycles += counter(entry, "busy_cycles");
	}
	json_decref(root);
	return root ? 0 : -EPROTO;
}

static int compare(struct rwy_path_up *up, const char *what, double guest, uint64_t other)
{
	if (guest == (double)other)
		return 0;
	snprintf(up->why, sizeof(up->why), "the guest counts %.0f %s and the other side %" PRIu64,
		 guest, what, other);
	return -EPROTO;
}

int rwy_path_check(struct rwy_path_up *up)
{
	bool net = up->path->kind == RWY_RESULT_NET;
	const struct rwy_path_totals *begin = &up->begin;
	struct rwy_path_totals end;
	int err;

	up->step = "comparing the counts of both sides";
	up->says = &up->guest.proc;
	err = read_totals(up, &end);
	if (err < 0 || !end.back.has_ops)
		return err;
	err = compare(up, net ? "packets sent" : "writes", end.guest_out - begin->guest_out,
		      end.back.out - begin->back.out);
	return err < 0 ? err
		       : compare(up, net ? "packets received" : "reads",
				 end.guest_in - begin->guest_in, end.back.in - begin->back.in);
}
