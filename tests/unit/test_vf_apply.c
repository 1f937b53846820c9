/* SPDX-License-Identifier: BSD-3-Clause */
/* Apply as one transaction: failing at every write, and killed at every write. */
#include "tests/unit/vf_scenes.h"

#include <sys/file.h>
#include <sys/wait.h>

/* The same in a process that a change may end. */
static int apply_apart(struct sriov_rig *rig, const struct scene *scene)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(apply(rig, scene));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* How many changes the scene takes, and what is there then. */
static unsigned count_changes(const struct scene *scene, char **after)
{
	struct sriov_rig rig;
	unsigned nr;

	set_up(&rig, scene);
	assert_int_equal(apply(&rig, scene), 0);
	nr = rig.kernel->nr_changes;
	*after = sriov_rig_state(&rig);
	sriov_rig_close(&rig);
	return nr;
}

static void twice(void **state)
{
	for (unsigned s = 0; s < RWY_ARRAY_SIZE(scenes); s++) {
		struct sriov_rig rig;
		unsigned nr;

		set_up(&rig, &scenes[s]);
		assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_plan, scenes[s].want), 0);
		assert_int_equal(rig.kernel->nr_changes, 0);
		assert_false(sriov_rig_has(&rig, PF ".found"));
		nr = 0;
		for (const char *at = rig.out; (at = strstr(at, "to do ")); at++)
			nr++;
		assert_int_equal(apply(&rig, &scenes[s]), 0);
		assert_int_equal(rig.kernel->nr_changes, nr);
		assert_null(strstr(rig.out, "to do"));
		assert_false(sriov_rig_has(&rig, "journal"));
		assert_true(sriov_rig_has(&rig, PF ".found"));
		assert_int_equal(apply(&rig, &scenes[s]), 0);
		assert_string_equal(rig.out, "nothing to do\n");
		assert_int_equal(rig.kernel->nr_changes, nr);
		sriov_rig_close(&rig);
	}
}

/* With each change of each scene going wrong, all is as it was. */
static void wrong_everywhere(void (*go_wrong)(struct sriov_rig *rig, unsigned n),
			     void (*look)(struct sriov_rig *rig))
{
	for (unsigned s = 0; s < RWY_ARRAY_SIZE(scenes); s++) {
		char *done;
		unsigned nr = count_changes(&scenes[s], &done);

		for (unsigned n = 1; n <= nr; n++) {
			struct sriov_rig rig;
			char *before, *after;

			set_up(&rig, &scenes[s]);
			before = sriov_rig_state(&rig);
			go_wrong(&rig, n);
			assert_int_equal(apply(&rig, &scenes[s]), 1);
			look(&rig);
			after = sriov_rig_state(&rig);
			assert_string_equal(before, after);
			free(before);
			free(after);
			sriov_rig_close(&rig);
		}
		free(done);
	}
}

static void let_fail(struct sriov_rig *rig, unsigned n)
{
	rig->kernel->fail_at = n;
}

/* Nothing is left to remember. */
static void look_at_failed(struct sriov_rig *rig)
{
	assert_non_null(strstr(rig->out, "failed "));
	assert_null(strstr(rig->out, "stuck"));
	assert_false(sriov_rig_has(rig, "journal"));
	assert_false(sriov_rig_has(rig, PF ".found"));
}

static void fails_everywhere(void **state)
{
	wrong_everywhere(let_fail, look_at_failed);
}

/* The kernel takes a write, and then does not do it: reading back tells. */
static void let_forget(struct sriov_rig *rig, unsigned n)
{
	rig->kernel->forget_at = n;
}

static void look_at_forgotten(struct sriov_rig *rig)
{
	assert_null(strstr(rig->out, "stuck"));
}

static void forgotten_everywhere(void **state)
{
	wrong_everywhere(let_forget, look_at_forgotten);
}

/* Killed before and after each write; the next run undoes, and then does all. */
static void killed_everywhere(void **state)
{
	for (unsigned s = 0; s < RWY_ARRAY_SIZE(scenes); s++) {
		char *done;
		unsigned nr = count_changes(&scenes[s], &done);

		for (unsigned n = 0; n < 2 * nr; n++) {
			struct sriov_rig rig;
			char *after;

			set_up(&rig, &scenes[s]);
			rig.kernel->die_at = n / 2 + 1;
			rig.kernel->die_after = n & 1;
			assert_int_equal(apply_apart(&rig, &scenes[s]), FAKE_SRIOV_DIED);
			assert_true(sriov_rig_has(&rig, "journal"));
			rig.kernel->die_at = 0;
			(void)sriov_rig_want(&rig, rwy_sriov_cmd_plan, scenes[s].want);
			assert_true(log_said("a run is under way or was killed"));
			assert_int_equal(apply(&rig, &scenes[s]), 0);
			assert_true(log_said("an earlier run ended in the middle"));
			assert_false(sriov_rig_has(&rig, "journal"));
			after = sriov_rig_state(&rig);
			assert_string_equal(after, done);
			free(after);
			sriov_rig_close(&rig);
		}
		free(done);
	}
}

/* The line that was being written is there in part. */
static void tear(const struct sriov_rig *rig)
{
	char path[600];
	FILE *file;

	snprintf(path, sizeof(path), "%s/journal", rig->run_dir);
	file = fopen(path, "ae");
	assert_non_null(file);
	fputs("beg", file);
	fclose(file);
}

/* Killed at a write, and again at each write of the recovery: the third run still knows. */
static void killed_in_recovery(void **state)
{
	const struct scene *scene = &scenes[1];
	char *done;
	unsigned nr = count_changes(scene, &done), nr_tried = 0;

	for (unsigned first = 2; first <= nr; first += 3) {
		for (unsigned n = 1;; n++) {
			struct sriov_rig rig;
			char *before, *after;
			int status;

			set_up(&rig, scene);
			before = sriov_rig_state(&rig);
			rig.kernel->die_at = first;
			rig.kernel->die_after = true;
			assert_int_equal(apply_apart(&rig, scene), FAKE_SRIOV_DIED);
			tear(&rig);
			rig.kernel->die_at = first + (n + 1) / 2;
			rig.kernel->die_after = n & 1;
			status = apply_apart(&rig, scene);
			rig.kernel->die_at = 0;
			if (status == 0) /* no writes are left to die in */
				assert_true(n > 2 * first);
			else
				assert_int_equal(status, FAKE_SRIOV_DIED);
			if (status && sriov_rig_has(&rig, "journal")) {
				nr_tried++;
				/* Undone by a run that then finds nothing it may do. */
				assert_int_equal(sriov_rig_want(&rig, rwy_sriov_cmd_apply, "{}"),
						 1);
				after = sriov_rig_state(&rig);
				assert_string_equal(before, after);
				free(after);
			}
			free(before);
			sriov_rig_close(&rig);
			if (status == 0)
				break;
		}
	}
	assert_true(nr_tried > nr);
	free(done);
}

static void unsupported(void **state)
{
	static const struct scene scene = {"igb", 0, false,
					   "{\"pfs\": [{\"bdf\": \"" PF
					   "\", \"numvfs\": 1, \"vfs\": [{\"range\": \"0\","
					   " \"rss_query\": true, \"trust\": true}]}]}"};
	struct sriov_rig rig;
	unsigned nr;

	set_up(&rig, &scene);
	assert_int_equal(apply(&rig, &scene), 3);
	assert_non_null(strstr(rig.out, "unsupported " PF " VF 0 rss_query: on"));
	assert_non_null(strstr(rig.out, "applied     " PF " VF 0 trust: on"));
	nr = rig.kernel->nr_changes;
	assert_int_equal(apply(&rig, &scene), 3);
	assert_int_equal(rig.kernel->nr_changes, nr);
	assert_string_equal(rig.out, "unsupported " PF " VF 0 rss_query: unsupported -> on\n");
	assert_int_equal(sriov_rig_release(&rig, PF), 0);
	sriov_rig_close(&rig);
}

static void late_vfs(void **state)
{
	struct sriov_rig rig;
	char *before, *after;

	set_up(&rig, &scenes[0]);
	rig.kernel->late = 300;
	assert_int_equal(apply(&rig, &scenes[0]), 0);
	assert_true(log_said(PF ": 0 of 2 VFs are there"));
	sriov_rig_close(&rig);
	set_up(&rig, &scenes[0]);
	before = sriov_rig_state(&rig);
	rig.kernel->late = FAKE_SRIOV_NEVER;
	assert_int_equal(apply(&rig, &scenes[0]), 1);
	assert_true(log_said("numvfs: cannot be set to 2: Connection timed out"));
	after = sriov_rig_state(&rig);
	assert_string_equal(before, after);
	free(before);
	free(after);
	sriov_rig_close(&rig);
}

/* Some drivers take nothing for a VF while that is being reset. */
static void not_ready(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct scene *scene = &scenes[i];
		struct sriov_rig rig;

		/* The first one's driver has no such thing, the second one's says so. */
		set_up(&rig, scene);
		rig.kernel->not_ready = 5;
		assert_int_equal(apply(&rig, scene), i ? 0 : 1);
		assert_int_equal(rig.kernel->not_ready, i ? 0 : 4);
		sriov_rig_close(&rig);
	}
}

/* A card that has no link any more: rates are waited for, and then all is undone. */
static ssize_t no_send(const struct rwy_sriov_sys *sys, enum rwy_sriov_wire wire,
		       const void *message, size_t len)
{
	return -ENETDOWN;
}

static void no_link(void **state)
{
	struct sriov_rig rig;
	char *before, *after;

	set_up(&rig, &scenes[0]);
	before = sriov_rig_state(&rig);
	rig.kernel->link_never = true;
	assert_int_equal(apply(&rig, &scenes[0]), 1);
	assert_true(log_said("VF 0 rate: cannot be set to 0-100: Network is down"));
	after = sriov_rig_state(&rig);
	assert_string_equal(before, after);
	free(before);
	free(after);
	sriov_rig_close(&rig);
	/* And where nothing is known of VFs, nothing is begun. */
	set_up(&rig, &scenes[1]);
	rig.kernel->sys.send = no_send;
	assert_int_equal(apply(&rig, &scenes[1]), 1);
	assert_true(log_said("what it knows of its VFs cannot be read: Network is down"));
	assert_int_equal(rig.kernel->nr_changes, 0);
	sriov_rig_close(&rig);
}

static void only_what_differs(void **state)
{
	static const struct scene scene = {
		"ice", 4, true,
		"{\"pfs\": [{\"bdf\": \"" PF "\", \"numvfs\": 4, \"vfs\": [{\"range\": \"0-3\","
		" \"mac\": \"52:54:00:00:00:00\", \"vlan\": 7, \"qos\": 1, \"max_rate\": 500},"
		" {\"range\": \"5\", \"trust\": true}]}]}"};
	struct sriov_rig rig;

	set_up(&rig, &scene);
	assert_int_equal(apply(&rig, &scene), 1);
	assert_true(log_said("VF 5 is wanted, but the last is 3"));
	strcpy(rig.kernel->pfs[0].vfs[2][RWY_ATTR_MAC], "00:00:00:00:00:00");
	assert_int_equal(
		sriov_rig_want(&rig, rwy_sriov_cmd_apply,
			       "{\"pfs\": [{\"bdf\": \"" PF "\", \"numvfs\": 4, \"vfs\": "
			       "[{\"range\": \"0-3\", \"mac\": \"52:54:00:00:00:00\"}]}]}"),
		0);
	assert_string_equal(rig.out, "applied     " PF " VF 2 mac: 00:00:00:00:00:00 -> "
				     "52:54:00:00:00:02\n");
	assert_int_equal(rig.kernel->nr_changes, 1);
	sriov_rig_close(&rig);
}

static void two_at_once(void **state)
{
	struct sriov_rig rig;
	int fd;

	set_up(&rig, &scenes[0]);
	fd = open(rig.run_dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(apply(&rig, &scenes[0]), 1);
	assert_true(log_said("another ringway-sriov is at work"));
	assert_int_equal(rig.kernel->nr_changes, 0);
	close(fd);
	assert_int_equal(apply(&rig, &scenes[0]), 0);
	sriov_rig_close(&rig);
}

static void damaged_journal(void **state)
{
	static const char *const texts[] = {
		"",
		"ringway-sriov journal 2\n",
		"ringway-sriov journal 1\nstep nonsense\n",
		"ringway-sriov journal 1\nstep " PF " -1 mac a b\n",
		"ringway-sriov journal 1\nstep " PF " 0 mac a b c\n",
		"ringway-sriov journal 1\nstep " PF " 99999 mac a b\n",
		"ringway-sriov journal 1\nstep " PF " 0 mac a b\nbegin 1\n",
		"ringway-sriov journal 1\nstep " PF " 0 mac a b\nundone 0\n",
		"ringway-sriov journal 1\nstep " PF " 0 mac a b\nbegin 0\nstep " PF " 0 mac a b\n",
	};

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(texts); i++) {
		struct sriov_rig rig;

		set_up(&rig, &scenes[0]);
		fake_root_write(rig.run_dir, "/journal", texts[i]);
		assert_int_equal(apply(&rig, &scenes[0]), 1);
		assert_true(log_said("what a killed run left is not known"));
		assert_int_equal(rig.kernel->nr_changes, 0);
		assert_true(sriov_rig_has(&rig, "journal"));
		sriov_rig_close(&rig);
	}
}

static void many(void **state)
{
	static const struct scene scene = {
		"mlx5_core", 0, false,
		"{\"pfs\": [{\"bdf\": \"" PF "\", \"numvfs\": 256, \"vfs\": [{\"range\": \"0-255\","
		" \"mac\": \"52:54:00:00:10:80\", \"driver\": \"vfio-pci\"}]}]}"};
	struct sriov_rig rig;

	set_up(&rig, &scene);
	rig.kernel->pfs[0].total = 256;
	fake_root_write(rig.kernel->sys.root, "/sys/bus/pci/devices/" PF "/sriov_totalvfs",
			"256\n");
	assert_int_equal(apply(&rig, &scene), 0);
	assert_string_equal(rig.kernel->pfs[0].vfs[255][RWY_ATTR_MAC], "52:54:00:00:11:7f");
	assert_int_equal(rig.kernel->nr_changes, 2 + 3 * 256);
	assert_int_equal(apply(&rig, &scene), 0);
	assert_int_equal(rig.kernel->nr_changes, 2 + 3 * 256);
	sriov_rig_close(&rig);
}

static int (*model_write)(const struct rwy_sriov_sys *sys, const char *path, const char *text);
static unsigned nr_binding, most_binding;

/* A driver that takes its time. */
static int slow_write(const struct rwy_sriov_sys *sys, const char *path, const char *text)
{
	unsigned nr;

	if (!strstr(path, "vfio-pci/bind"))
		return model_write(sys, path, text);
	nr = __atomic_add_fetch(&nr_binding, 1, __ATOMIC_SEQ_CST);
	if (nr > __atomic_load_n(&most_binding, __ATOMIC_SEQ_CST))
		__atomic_store_n(&most_binding, nr, __ATOMIC_SEQ_CST);
	usleep(20000);
	__atomic_sub_fetch(&nr_binding, 1, __ATOMIC_SEQ_CST);
	return model_write(sys, path, text);
}

static void side_by_side(void **state)
{
	static const struct scene scene = {"ice", 0, false,
					   "{\"pfs\": [{\"bdf\": \"" PF
					   "\", \"numvfs\": 8, \"vfs\": [{\"range\": \"0-7\","
					   " \"driver\": \"vfio-pci\"}]}]}"};
	struct sriov_rig rig;

	set_up(&rig, &scene);
	model_write = rig.kernel->sys.write;
	rig.kernel->sys.write = slow_write;
	assert_int_equal(apply(&rig, &scene), 0);
	assert_int_equal(nr_binding, 0);
	assert_in_range(most_binding, 2, 8);
	sriov_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twice),
		cmocka_unit_test(fails_everywhere),
		cmocka_unit_test(forgotten_everywhere),
		cmocka_unit_test(killed_everywhere),
		cmocka_unit_test(killed_in_recovery),
		cmocka_unit_test(unsupported),
		cmocka_unit_test(late_vfs),
		cmocka_unit_test(not_ready),
		cmocka_unit_test(no_link),
		cmocka_unit_test(only_what_differs),
		cmocka_unit_test(two_at_once),
		cmocka_unit_test(damaged_journal),
		cmocka_unit_test(many),
		cmocka_unit_test(side_by_side),
	};

	return UNIT_RUN(tests);
}
