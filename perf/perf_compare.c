/* SPDX-License-Identifier: BSD-3-Clause */
/* ringway-perf compare: the command line. */
#include "lib/numa.h"
#include "lib/opt.h"
#include "lib/sysfs.h"
#include "perf/compare.h"
#include "perf/perf.h"
#include "perf/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_OUT	"ringway-compare"
#define PCI_CLASS_SHIFT 16
#define PCI_STORAGE	1
#define PCI_NETWORK	2
#define GUEST_MS	1200000

struct cli {
	struct rwy_compare *compare;
	const char *out;
	bool kinds[RWY_RESULT_KINDS];
	bool list;
	bool place;
	unsigned cpu_guest; /* where no other is said */
	unsigned nr_pins;
	uint16_t pins[RWY_GUEST_VCPUS];
	char file[512];
	char dir[40];
	char kernel[512]; /* if not named */
	char initrd[512];
};

static struct rwy_path_env *env_of(void *cli)
{
	return &((struct cli *)cli)->compare->env;
}

static int set_net(void *cli, char *value, struct rwy_opt_why *why)
{
	((struct cli *)cli)->kinds[RWY_RESULT_NET] = true;
	return 0;
}

static int set_blk(void *cli, char *value, struct rwy_opt_why *why)
{
	((struct cli *)cli)->kinds[RWY_RESULT_BLK] = true;
	return 0;
}

static int set_list(void *cli, char *value, struct rwy_opt_why *why)
{
	((struct cli *)cli)->list = true;
	return 0;
}

static int set_out(void *cli, char *value, struct rwy_opt_why *why)
{
	((struct cli *)cli)->out = value;
	return 0;
}

static int add_path(struct rwy_compare *compare, const struct rwy_path *path)
{
	if (compare->nr_paths == RWY_ROUNDS_ITEMS)
		return -ENOSPC;
	for (unsigned i = 0; i < compare->nr_paths; i++)
		if (compare->paths[i] == path)
			return -EEXIST;
	compare->paths[compare->nr_paths++] = path;
	return 0;
}

static int set_paths(void *cli, char *value, struct rwy_opt_why *why)
{
	while (value) {
		const char *key = rwy_opt_word(&value);
		const struct rwy_path *path = rwy_path_find(key);

		if (!path)
			return rwy_opt_fail(why, "there is no path '%s'; --list shows all", key);
		if (add_path(((struct cli *)cli)->compare, path) < 0)
			return rwy_opt_fail(why, "'%s' is there twice", key);
	}
	return 0;
}

static int set_work(void *cli, char *value, struct rwy_opt_why *why)
{
	struct rwy_compare *compare = ((struct cli *)cli)->compare;

	while (value) {
		const char *key = rwy_opt_word(&value);
		const struct rwy_work *work = rwy_work_find(key);

		if (!work || compare->nr_works == RWY_WORK_MAX)
			return rwy_opt_fail(why, "there is no work '%s'; --list shows all", key);
		compare->works[compare->nr_works++] = work;
	}
	return 0;
}

static int set_number(unsigned *number, unsigned max, const char *value, struct rwy_opt_why *why)
{
	uint64_t n;
	int err = rwy_opt_uint(value, 1, max, &n, why);

	if (err == 0)
		*number = (unsigned)n;
	return err;
}

static int set_vcpus(void *cli, char *value, struct rwy_opt_why *why)
{
	struct cli *c = cli;
	const char *number = rwy_opt_word(&value), *pin = NULL;
	const struct rwy_opt_key keys[] = {{"pin", RWY_OPT_REST, {.str = &pin}, 0, 0}};
	int err = set_number(&env_of(c)->nr_vcpus, RWY_GUEST_VCPUS, number, why);

	if (err == 0)
		err = rwy_opt_list(value, keys, RWY_ARRAY_SIZE(keys), why);
	c->nr_pins = 0;
	if (err < 0 || !pin)
		return err;
	err = rwy_numa_parse_cpus(pin, c->pins, RWY_GUEST_VCPUS);
	if (err != (int)env_of(c)->nr_vcpus)
		return rwy_opt_fail(why, "pin: '%s' is no list of %u CPUs", pin,
				    env_of(c)->nr_vcpus);
	c->nr_pins = (unsigned)err;
	for (unsigned i = 0; i < c->nr_pins; i++)
		if (c->pins[i] >= sysconf(_SC_NPROCESSORS_ONLN))
			return rwy_opt_fail(why, "pin: there is no CPU %u here", c->pins[i]);
	return 0;
}

static int set_queues(void *cli, char *value, struct rwy_opt_why *why)
{
	return set_number(&env_of(cli)->nr_queues, RWY_GUEST_QUEUES, value, why);
}

static int set_rounds(void *cli, char *value, struct rwy_opt_why *why)
{
	return set_number(&((struct cli *)cli)->compare->rounds, RWY_RESULT_ROUNDS, value, why);
}

static int set_seconds(void *cli, char *value, struct rwy_opt_why *why)
{
	return set_number(&((struct cli *)cli)->compare->work_opts.seconds, 3600, value, why);
}

static int set_trials(void *cli, char *value, struct rwy_opt_why *why)
{
	return set_number(&((struct cli *)cli)->compare->work_opts.trials, 32, value, why);
}

static int set_loss(void *cli, char *value, struct rwy_opt_why *why)
{
	char *end;
	double percent = strtod(value, &end);

	if (end == value || *end || !(percent >= 0 && percent < 100))
		return rwy_opt_fail(why, "'%s' is no part of 100", value);
	((struct cli *)cli)->compare->work_opts.loss = percent / 100;
	return 0;
}

static int set_deadline(void *cli, char *value, struct rwy_opt_why *why)
{
	return set_number(&((struct cli *)cli)->compare->deadline_s, 86400, value, why);
}

static int set_size(unsigned *mib, const char *value, struct rwy_opt_why *why)
{
	uint64_t bytes;
	int err = rwy_opt_size(value, 1 << 20, UINT64_C(1) << 50, &bytes, why);

	if (err == 0)
		*mib = (unsigned)(bytes >> 20);
	return err;
}

static int set_memory(void *cli, char *value, struct rwy_opt_why *why)
{
	return set_size(&env_of(cli)->memory_mib, value, why);
}

static int set_disk(void *cli, char *value, struct rwy_opt_why *why)
{
	return set_size(&env_of(cli)->disk_mib, value, why);
}

static int readable(const char *path, struct rwy_opt_why *why)
{
	return access(path, R_OK) == 0 ? 0 : rwy_opt_fail(why, "%s: %s", path, strerror(errno));
}

static int set_kernel(void *cli, char *value, struct rwy_opt_why *why)
{
	env_of(cli)->kernel = value;
	return readable(value, why);
}

static int set_initrd(void *cli, char *value, struct rwy_opt_why *why)
{
	env_of(cli)->initrd = value;
	return readable(value, why);
}

static int set_append(void *cli, char *value, struct rwy_opt_why *why)
{
	env_of(cli)->append = value;
	return 0;
}

static int set_scratch(void *cli, char *value, struct rwy_opt_why *why)
{
	env_of(cli)->scratch = value;
	return 0;
}

static int set_cpus(void *cli, char *value, struct rwy_opt_why *why)
{
	struct rwy_path_env *env = env_of(cli);
	long nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint16_t cpus[3];
	int nr = rwy_numa_parse_cpus(value, cpus, 3);

	for (int i = 0; i < nr; i++)
		if (cpus[i] >= nr_cpus)
			nr = -EINVAL;
	if (nr < 2)
		return rwy_opt_fail(why, "two or three of the %ld CPUs are wanted, as 0,1",
				    nr_cpus);
	((struct cli *)cli)->cpu_guest = cpus[0];
	env->cpu_back = cpus[1];
	env->cpu_far = nr == 3 ? cpus[2] : cpus[1];
	return 0;
}

static int set_place(void *cli, char *value, struct rwy_opt_why *why)
{
	((struct cli *)cli)->place = !strcmp(value, "auto");
	return ((struct cli *)cli)->place ? 0 : rwy_opt_fail(why, "must be auto");
}

static int set_vfio(void *cli, char *value, struct rwy_opt_why *why)
{
	struct rwy_path_env *env = env_of(cli);
	const char *name = rwy_opt_word(&value), *far = NULL;
	const struct rwy_opt_key keys[] = {{"far", RWY_OPT_STR, {.str = &far}, 0, 0}};
	struct rwy_path_function *function = &env->functions[env->nr_functions];
	uint64_t class;
	int err = rwy_opt_list(value, keys, RWY_ARRAY_SIZE(keys), why);

	if (err < 0)
		return err;
	if (env->nr_functions == RWY_PATH_FUNCTIONS)
		return rwy_opt_fail(why, "more than %u functions", RWY_PATH_FUNCTIONS);
	if (rwy_bdf_parse(name, function->bdf) < 0 ||
	    rwy_sysfs_read_uint("", &class, "/sys/bus/pci/devices/%s/class", function->bdf) < 0)
		return rwy_opt_fail(why, "'%s' is no PCI function of this host", name);
	switch (class >> PCI_CLASS_SHIFT) {
	case PCI_NETWORK:
		function->kind = RWY_RESULT_NET;
		break;
	case PCI_STORAGE:
		function->kind = RWY_RESULT_BLK;
		break;
	default:
		return rwy_opt_fail(why, "%s is neither a network card nor a disk controller",
				    name);
	}
	function->far = far;
	if (rwy_sysfs_read_link("", function->pf, sizeof(function->pf),
				"/sys/bus/pci/devices/%s/physfn", function->bdf) < 0)
		function->pf[0] = '\0';
	env->nr_functions++;
	return 0;
}

/* What was not chosen by name: all of the kinds wanted, or of both. */
static void choose(struct cli *cli)
{
	struct rwy_compare *compare = cli->compare;
	bool both = !cli->kinds[RWY_RESULT_NET] && !cli->kinds[RWY_RESULT_BLK];
	unsigned nr_paths = compare->nr_paths ? 0 : rwy_nr_paths;
	unsigned nr_works = compare->nr_works ? 0 : rwy_nr_works;

	for (unsigned i = 0; i < nr_paths; i++)
		if (both || cli->kinds[rwy_paths[i].kind])
			compare->paths[compare->nr_paths++] = &rwy_paths[i];
	for (unsigned i = 0; i < nr_works; i++)
		compare->works[compare->nr_works++] = &rwy_works[i];
}

/* All on one node if it can be; what cannot is said. */
static int place_auto(struct rwy_compare *compare)
{
	struct rwy_path_env *env = &compare->env;
	struct rwy_place_topology *topology = calloc(1, sizeof(*topology));
	struct rwy_place *place = calloc(1, sizeof(*place));
	struct rwy_place_wish wish = {
		.memory = (uint64_t)env->memory_mib << 20,
		.nr_vcpus = env->nr_vcpus,
		.nr_reactors = 1,
		.nr_devices = env->nr_functions,
	};
	int err = topology && place ? rwy_place_read("", topology) : -ENOMEM;

	for (unsigned i = 0; i < env->nr_functions; i++) {
		struct rwy_place_device *device = &wish.devices[i];

		snprintf(device->name, sizeof(device->name), "%s", env->functions[i].bdf);
		device->node = rwy_place_device("", env->functions[i].bdf);
	}
	/* the far end shares the back-end's CPU rather than the guest's */
	if (err == 0 && topology->nr_cpus > env->nr_vcpus + 1)
		wish.nr_reactors = 2;
	if (err == 0)
		err = rwy_place_choose(topology, &wish, place);
	if (err == 0) {
		env->memory_node = (int)place->memory_node;
		memcpy(env->vcpus, place->vcpus, env->nr_vcpus * sizeof(env->vcpus[0]));
		env->cpu_back = place->reactors[0];
		env->cpu_far = place->reactors[wish.nr_reactors - 1];
		snprintf(compare->placement, sizeof(compare->placement), "%s", place->text);
	} else {
		fprintf(stderr, "ringway-perf: --place: %s%s%s\n",
			place && place->text[0] ? place->text : "",
			place && place->text[0] ? ": " : "", strerror(-err));
	}
	free(place);
	free(topology);
	return err;
}

/* As the options say. */
static void place_named(struct cli *cli)
{
	struct rwy_compare *compare = cli->compare;
	struct rwy_path_env *env = &compare->env;
	char vcpus[8 * RWY_GUEST_VCPUS];

	for (unsigned i = 0; i < env->nr_vcpus; i++)
		env->vcpus[i] = cli->nr_pins ? cli->pins[i] : cli->cpu_guest;
	rwy_place_list(env->vcpus, env->nr_vcpus, vcpus, sizeof(vcpus));
	snprintf(compare->placement, sizeof(compare->placement),
		 "guest on CPU %s, VMM and back-end on CPU %u, far end on CPU %u", vcpus,
		 env->cpu_back, env->cpu_far);
}

static int place(struct cli *cli)
{
	int err = cli->place ? place_auto(cli->compare) : 0;

	if (!cli->place)
		place_named(cli);
	else if (err == 0)
		fprintf(stderr, "%s\n", cli->compare->placement);
	return err;
}

static int list(const struct cli *cli)
{
	char why[512];

	for (unsigned i = 0; i < rwy_nr_paths; i++) {
		const struct rwy_path *path = &rwy_paths[i];

		why[0] = '\0';
		printf("%-16s %s%s%s\n", path->key, path->name,
		       rwy_path_available(path, &cli->compare->env, why, sizeof(why))
			       ? ""
			       : "; not here: ",
		       why);
	}
	putchar('\n');
	rwy_work_look_for_dpdk(&cli->compare->env);
	for (unsigned i = 0; i < rwy_nr_works; i++) {
		const char *lack = rwy_works[i].dpdk ? cli->compare->env.no_dpdk : NULL;

		printf("%-16s %s%s%s\n", rwy_works[i].key, rwy_works[i].workload,
		       lack ? "; not here: " : "", lack ? lack : "");
	}
	return 0;
}

/* ---- the command ---- */

/* Whether guests are to have DPDK, which not every host can give them. */
static bool wants_dpdk(const struct rwy_compare *compare)
{
	for (unsigned i = 0; i < compare->nr_works; i++)
		if (compare->works[i]->dpdk)
			return !compare->env.no_dpdk;
	return false;
}

/* A part of the guest that was not named, as the script makes it that tests have theirs from. */
static int make_part(struct cli *cli, const char *part, char *path, size_t path_len)
{
	struct rwy_compare *compare = cli->compare;
	struct rwy_run_proc *proc = &compare->up.back;
	char script[512], why[1024];
	const char *const plain[] = {script, part, NULL};
	const char *const with_dpdk[] = {script, "--dpdk", part, NULL};
	const char *const *argv = wants_dpdk(compare) ? with_dpdk : plain;

	rwy_run_find("guest", script, sizeof(script));
	if (!strchr(script, '/')) {
		fprintf(stderr,
			"ringway-perf: %s is needed: tests/lab/guest is not there, which "
			"would make one\n",
			part);
		return -ENOENT;
	}
	int err = rwy_run_call(&compare->run, proc, compare->env.cpu_back, argv, GUEST_MS);

	if (err < 0) {
		rwy_run_explain(&compare->run, proc, err, script, why, sizeof(why));
		fprintf(stderr, "ringway-perf: %s\n", why);
		return err;
	}
	while (proc->tail_len > 0 && strchr("\r\n", proc->tail[proc->tail_len - 1]))
		proc->tail[--proc->tail_len] = '\0';
	const char *line = strrchr(proc->tail, '\n');
	int len = snprintf(path, path_len, "%s", line ? line + 1 : proc->tail);

	return len >= 0 && (size_t)len < path_len ? 0 : -ENAMETOOLONG;
}

static int make_guest(struct cli *cli)
{
	struct rwy_path_env *env = env_of(cli);
	int err = 0;

	if (!env->kernel) {
		err = make_part(cli, "--kernel", cli->kernel, sizeof(cli->kernel));
		env->kernel = cli->kernel;
	}
	if (err == 0 && !env->initrd) {
		err = make_part(cli, "--initrd", cli->initrd, sizeof(cli->initrd));
		env->initrd = cli->initrd;
	}
	return err;
}

static int prepare(struct cli *cli)
{
	strcpy(cli->dir, "/tmp/ringway-compare.XXXXXX");
	if (mkdir(cli->out, 0777) < 0 && errno != EEXIST) {
		fprintf(stderr, "ringway-perf: --out: %s: %s\n", cli->out, strerror(errno));
		return -errno;
	}
	snprintf(cli->file, sizeof(cli->file), "%s/" RWY_RESULT_FILE, cli->out);
	if (!mkdtemp(cli->dir)) {
		fprintf(stderr, "ringway-perf: %s: %s\n", cli->dir, strerror(errno));
		return -errno;
	}
	cli->compare->env.dir = cli->dir;
	cli->compare->file = cli->file;
	return 0;
}

static int run(struct cli *cli)
{
	struct rwy_compare *compare = cli->compare;
	int err;

	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		fprintf(stderr,
			"ringway-perf: /dev/kvm: %s; tests/lab/lab runs this where it works\n",
			strerror(errno));
		return RWY_OPT_EXIT_USAGE;
	}
	choose(cli);
	rwy_work_look_for_dpdk(&compare->env);
	if (place(cli) < 0 || make_guest(cli) < 0 || prepare(cli) < 0)
		return RWY_OPT_EXIT_USAGE;
	err = rwy_compare_run(compare);
	rmdir(cli->dir);
	if (err < 0 && err != -EINTR && err != -EIO) {
		fprintf(stderr, "ringway-perf: %s: %s\n", cli->file, strerror(-err));
		return 1;
	}
	fprintf(stderr, "%s: %s\n", cli->file,
		err == -EINTR ? "interrupted; holds what was measured until then"
		: err < 0     ? "some paths failed; it says why"
			      : "all that is here was measured");
	return err < 0 ? 1 : 0;
}

static const struct rwy_opt opts[] = {
	{"kernel", "FILE",
	 "The guest's kernel, a stock one (default: what tests/lab/guest --kernel makes).",
	 set_kernel},
	{"initrd", "FILE",
	 "Its initial RAM file system, with the agent (default: what tests/lab/guest makes).",
	 set_initrd},
	{"net", NULL, "The network paths; without --blk, they alone.", set_net},
	{"blk", NULL, "The disk paths.", set_blk},
	{"paths", "LIST", "These paths, see --list (default: all).", set_paths},
	{"work", "LIST",
	 "This work, see --list (default: all). That of DPDK takes the guest's network card from "
	 "its\n"
	 "kernel meanwhile, and needs dpdk-testpmd on the host, to copy from, or in --initrd.",
	 set_work},
	{"list", NULL, "Says which paths and work there are, and what is missing here.", set_list},
	{"vfio", "BDF[,far=INTERFACE]",
	 "A function of the host, bound to vfio-pci, that guests may have: a network card or a\n"
	 "disk controller, of which everything is overwritten. far: the interface of this host\n"
	 "that the network card can reach; it is taken away meanwhile. Can be repeated.",
	 set_vfio},
	{"out", "DIR", "Where " RWY_RESULT_FILE " goes (default " DEFAULT_OUT ").", set_out},
	{"rounds", "N",
	 "Rounds, in each of which all paths have a turn (default 5; below 5 no difference\n"
	 "can be called one).",
	 set_rounds},
	{"seconds", "N", "Length of each piece of work (default 5).", set_seconds},
	{"loss", "PERCENT", "Most that may be lost at the rates searched for (default 0.1).",
	 set_loss},
	{"trials", "N", "Rates that this search tries at most (default 8).", set_trials},
	{"deadline", "SECONDS", "A path that takes longer in a round has failed (default 900).",
	 set_deadline},
	{"cpus", "A,B[,C]",
	 "CPU of the guest, of VMM and back-end, and of what is at the far end (default 0,1,1).",
	 set_cpus},
	{"place", "auto",
	 "Chooses these CPUs, and the node of the guest's memory: one NUMA node for all of it and\n"
	 "for the functions of --vfio where that can be. Says what is where and why.",
	 set_place},
	{"vcpus", "N[,pin=LIST]",
	 "CPUs of the guest, and where each of them is (default 1; all on the guest's of --cpus).",
	 set_vcpus},
	{"queues", "N",
	 "Queues of a virtio network card each way, and of a virtio disk (default 1).", set_queues},
	{"memory", "SIZE", "Memory of the guest (default 512M).", set_memory},
	{"disk", "SIZE", "Size of disks (default 256M).", set_disk},
	{"scratch", "DIR", "Where the files of disks are made (default /var/tmp).", set_scratch},
	{"append", "STR", "Added to the kernel's command line.", set_append},
};

int rwy_perf_compare_main(int argc, char **argv)
{
	struct rwy_compare *compare = calloc(1, sizeof(*compare));
	struct cli cli = {.compare = compare, .out = DEFAULT_OUT};
	const struct rwy_opt_program program = {
		.name = "ringway-perf compare",
		.usage = "[option...]",
		.summary =
			"Boots one stock guest over each attach path that this host has and has it "
			"do the same\nwork, path after path, round after round, each round "
			"beginning with another path. What\nit measured, and why some paths are "
			"not in it, goes to DIR/" RWY_RESULT_FILE ", also when it\nis interrupted. "
			"A guest's count of packets or requests must be that of the other side,\n"
			"or the run has failed. Exit status: 0 all was measured, 1 not all.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &cli,
	};
	int status = 1;

	if (!compare || rwy_run_init(&compare->run) < 0)
		goto free_compare;
	compare->progress = stderr;
	compare->rounds = 5;
	compare->deadline_s = 900;
	compare->work_opts = (struct rwy_work_opts){.seconds = 5, .loss = 0.001, .trials = 8};
	compare->env = (struct rwy_path_env){
		.run = &compare->run,
		.scratch = "/var/tmp",
		.append = "",
		.memory_mib = 512,
		.disk_mib = 256,
		.memory_node = -1,
		.nr_vcpus = 1,
		.nr_queues = 1,
		.cpu_back = 1,
		.cpu_far = 1,
	};
	if (!rwy_opt_parse(&program, argc, argv, stdout, stderr, &status))
		goto fini;
	if (cli.list)
		status = list(&cli);
	else
		status = run(&cli);
	rwy_result_fini(&compare->result);
fini:
	rwy_run_fini(&compare->run);
free_compare:
	free(compare);
	return status;
}
