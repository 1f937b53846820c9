/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/doctor.h"

#include "lib/opt.h"

#include <errno.h>
#include <jansson.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const grades[] = {
	[RWY_DOCTOR_OK] = "ok",
	[RWY_DOCTOR_WARN] = "warn",
	[RWY_DOCTOR_FAIL] = "fail",
};

void rwy_doctor_say(struct rwy_doctor *doctor, enum rwy_doctor_grade grade, const char *fact,
		    const char *fmt, ...)
{
	struct rwy_doctor_line *line;
	va_list ap;

	if (doctor->nr_lines == RWY_DOCTOR_LINES) {
		doctor->nr_dropped++;
		return;
	}
	line = &doctor->lines[doctor->nr_lines++];
	line->grade = grade;
	line->fact = fact;
	line->mend[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(line->what, sizeof(line->what), fmt, ap);
	va_end(ap);
}

void rwy_doctor_mend(struct rwy_doctor *doctor, const char *fmt, ...)
{
	struct rwy_doctor_line *line = &doctor->lines[doctor->nr_lines - 1];
	va_list ap;

	if (doctor->nr_dropped)
		return;
	va_start(ap, fmt);
	vsnprintf(line->mend, sizeof(line->mend), fmt, ap);
	va_end(ap);
}

void rwy_doctor_examine(struct rwy_doctor *doctor)
{
	rwy_doctor_host_examine(doctor);
	rwy_doctor_pci_examine(doctor);
}

/* ---- the program ---- */

struct options {
	const char *root;
	bool json;
};

static int set_json(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct options *)ctx)->json = true;
	return 0;
}

static int set_root(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct options *)ctx)->root = value;
	return 0;
}

static const struct rwy_opt opts[] = {
	{"json", NULL, "An array of objects: fact, grade (ok, warn, fail), what, mend.", set_json},
	{"root", "DIR", "Look at a copy of another host's /proc, /sys and /dev in DIR.", set_root},
};

/* Without libcap: one bit of the effective set. */
static bool may_lock(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[CAP_IPC_LOCK / 32].effective & 1u << CAP_IPC_LOCK % 32);
}

static void print_text(const struct rwy_doctor *doctor, FILE *out)
{
	for (unsigned i = 0; i < doctor->nr_lines; i++) {
		const struct rwy_doctor_line *line = &doctor->lines[i];

		fprintf(out, "%-4s  %-11s %s%s%s\n", grades[line->grade], line->fact, line->what,
			line->mend[0] ? "; mend: " : "", line->mend);
	}
	if (doctor->nr_dropped)
		fprintf(out, "and %u lines more\n", doctor->nr_dropped);
}

static void print_json(const struct rwy_doctor *doctor, FILE *out)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < doctor->nr_lines; i++) {
		const struct rwy_doctor_line *line = &doctor->lines[i];

		json_array_append_new(list, json_pack("{ssssssss}", "fact", line->fact, "grade",
						      grades[line->grade], "what", line->what,
						      "mend", line->mend));
	}
	json_dumpf(list, out, JSON_INDENT(1));
	fputc('\n', out);
	json_decref(list);
}

int rwy_doctor_main(int argc, char **argv, FILE *out, FILE *err)
{
	struct options options = {.root = ""};
	const struct rwy_opt_program program = {
		.name = "ringway-vmm doctor",
		.usage = "[--json] [--root DIR]",
		.summary = "Says what decides whether machines, passthrough and speed will work on "
			   "this host,\na line for each fact, with the command that mends it. Exit "
			   "status 1: something fails.",
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = &options,
	};
	struct rwy_doctor *doctor;
	struct rlimit limit;
	int status = 0;

	if (!rwy_opt_parse(&program, argc, argv, out, err, &status))
		return status;
	doctor = calloc(1, sizeof(*doctor));
	if (!doctor)
		return rwy_opt_refuse(&program, err, "%s", strerror(ENOMEM));
	doctor->root = options.root;
	getrlimit(RLIMIT_MEMLOCK, &limit);
	doctor->memlock = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
	doctor->may_lock = may_lock();
	rwy_doctor_examine(doctor);
	if (options.json)
		print_json(doctor, out);
	else
		print_text(doctor, out);
	for (unsigned i = 0; i < doctor->nr_lines; i++)
		if (doctor->lines[i].grade == RWY_DOCTOR_FAIL)
			status = 1;
	free(doctor);
	return status;
}
