/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands of ringway-sriov on a model of the kernel, and what they said. */
#ifndef RWY_TESTS_SRIOV_RIG_H
#define RWY_TESTS_SRIOV_RIG_H

#include "tests/unit/fake_sriov_kernel.h"
#include "tests/unit/log_catch.h"

#include "sriov/host.h"
#include "sriov/sriov_cmd.h"
#include "sriov/vf_file.h"
#include "sriov/vf_link.h"

/* The directory of the journal is in memory, as /run is: it is made durable all the time. */
struct sriov_rig {
	struct fake_sriov_kernel *kernel;
	char file[FAKE_ROOT_PATH], run_dir[FAKE_ROOT_PATH];
	char *out, *err;
};

typedef int sriov_command(const struct rwy_sriov_sys *sys, int argc, char **argv, FILE *out,
			  FILE *err);

static inline void sriov_rig_open(struct sriov_rig *rig)
{
	*rig = (struct sriov_rig){.run_dir = "/dev/shm/ringway-run.XXXXXX"};
	rig->kernel = fake_sriov_kernel_open();
	assert_non_null(mkdtemp(rig->run_dir));
	snprintf(rig->file, sizeof(rig->file), "%.200s/wanted.json", rig->kernel->sys.root);
}

static inline void sriov_rig_close(struct sriov_rig *rig)
{
	free(rig->out);
	free(rig->err);
	fake_sriov_kernel_close(rig->kernel);
	assert_int_equal(nftw(rig->run_dir, fake_root_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Up to two arguments; the exit status. */
static inline int sriov_rig_run(struct sriov_rig *rig, sriov_command *command, const char *a,
				const char *b)
{
	char *argv[] = {(char *)"x", (char *)a, (char *)(a ? b : NULL), NULL};
	size_t len;
	FILE *out, *err;
	int argc = 1, status;

	while (argv[argc])
		argc++;
	free(rig->out);
	free(rig->err);
	out = open_memstream(&rig->out, &len);
	err = open_memstream(&rig->err, &len);
	status = command(&rig->kernel->sys, argc, argv, out, err);
	fclose(out);
	fclose(err);
	return status;
}

/* plan or apply of a text. */
static inline int sriov_rig_want(struct sriov_rig *rig, sriov_command *command, const char *text)
{
	char run_dir[FAKE_ROOT_PATH + 16];

	fake_root_write(rig->kernel->sys.root, "/wanted.json", text);
	snprintf(run_dir, sizeof(run_dir), "--run-dir=%s", rig->run_dir);
	return sriov_rig_run(rig, command, rig->file, run_dir);
}

static inline int sriov_rig_release(struct sriov_rig *rig, const char *bdf)
{
	char run_dir[FAKE_ROOT_PATH + 16];

	snprintf(run_dir, sizeof(run_dir), "--run-dir=%s", rig->run_dir);
	return sriov_rig_run(rig, rwy_sriov_cmd_release, bdf, run_dir);
}

/* All that there is to know of the host, as one text to be freed. */
static inline char *sriov_rig_state(struct sriov_rig *rig)
{
	struct rwy_nl nl;
	struct rwy_pf_list list;
	char *text;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	rwy_nl_init(&nl, &rig->kernel->sys);
	assert_int_equal(rwy_host_read(&nl, &list), 0);
	for (unsigned i = 0; i < list.nr; i++) {
		char *pf = rwy_vf_file_format(&list.pfs[i]);

		fprintf(file, "%s: %s\n%s", list.pfs[i].bdf, list.pfs[i].value[RWY_ATTR_UP], pf);
		free(pf);
	}
	fclose(file);
	rwy_pf_list_fini(&list);
	rwy_nl_fini(&nl);
	return text;
}

static inline bool sriov_rig_has(struct sriov_rig *rig, const char *name)
{
	char path[2 * FAKE_ROOT_PATH];

	snprintf(path, sizeof(path), "%s/%s", rig->run_dir, name);
	return access(path, F_OK) == 0;
}

#endif
