/* SPDX-License-Identifier: BSD-3-Clause */
/* The way back to what was found, and what must be there again when something fails on a way. */
#include "tests/unit/vf_scenes.h"

static void released(void **state)
{
	for (unsigned s = 0; s < RWY_ARRAY_SIZE(scenes); s++) {
		struct sriov_rig rig;
		char *before, *after;

		set_up(&rig, &scenes[s]);
		before = sriov_rig_state(&rig);
		assert_int_equal(apply(&rig, &scenes[s]), 0);
		assert_int_equal(sriov_rig_release(&rig, PF), 0);
		after = sriov_rig_state(&rig);
		/* All but an interface that is up by now. */
		assert_string_equal(strchr(before, '\n'), strchr(after, '\n'));
		assert_false(sriov_rig_has(&rig, PF ".found"));
		free(before);
		free(after);
		assert_int_equal(sriov_rig_release(&rig, PF), 1);
		assert_true(log_said("nothing was applied to it"));
		sriov_rig_close(&rig);
	}
}

/* The way back fails at each write: all is as it was applied, and can be released after all. */
static void release_fails_everywhere(void **state)
{
	for (unsigned s = 0; s < RWY_ARRAY_SIZE(scenes); s++) {
		for (unsigned n = 1;; n++) {
			struct sriov_rig rig;
			char *applied, *after;
			int status;

			set_up(&rig, &scenes[s]);
			assert_int_equal(apply(&rig, &scenes[s]), 0);
			applied = sriov_rig_state(&rig);
			rig.kernel->fail_at = rig.kernel->nr_changes + n;
			status = sriov_rig_release(&rig, PF);
			after = sriov_rig_state(&rig);
			if (status)
				assert_string_equal(applied, after);
			assert_int_equal(sriov_rig_has(&rig, PF ".found"), status);
			if (status)
				assert_int_equal(sriov_rig_release(&rig, PF), 0);
			free(applied);
			free(after);
			sriov_rig_close(&rig);
			if (!status)
				break;
		}
	}
}

/* Resources of VFs that are there are taken and moved, and at each failure these have them again
 * and are online. */
static void resources_fail_everywhere(void **state)
{
	static const char *const wants[] = {
		"{\"pfs\": [{\"bdf\": \"" PF "\", \"vfs\": [{\"range\": \"0\","
		" \"queues\": 0, \"interrupts\": 0, \"online\": false}]}]}",
		"{\"pfs\": [{\"bdf\": \"" PF "\", \"vfs\": [{\"range\": \"0\","
		" \"queues\": 4, \"interrupts\": 2}, {\"range\": \"1\","
		" \"queues\": 0, \"interrupts\": 0, \"online\": false}]}]}",
	};
	const struct scene *scene = &scenes[5];

	for (unsigned w = 0; w < RWY_ARRAY_SIZE(wants); w++) {
		int status = 1;

		for (unsigned n = 1; status; n++) {
			struct sriov_rig rig;
			char *applied, *after;

			set_up(&rig, scene);
			assert_int_equal(apply(&rig, scene), 0);
			applied = sriov_rig_state(&rig);
			rig.kernel->fail_at = rig.kernel->nr_changes + n;
			status = sriov_rig_want(&rig, rwy_sriov_cmd_apply, wants[w]);
			after = sriov_rig_state(&rig);
			if (status)
				assert_string_equal(applied, after);
			else
				assert_true(n > 4);
			free(applied);
			free(after);
			sriov_rig_close(&rig);
		}
	}
}

/* That there is a switch is known only when there are VFs. */
static void old_kernel(void **state)
{
	const struct scene *scene = &scenes[RWY_ARRAY_SIZE(scenes) - 1];
	struct sriov_rig rig;
	char *before, *after;

	set_up(&rig, scene);
	rig.kernel->old = true;
	before = sriov_rig_state(&rig);
	assert_int_equal(apply(&rig, scene), 0);
	assert_true(rig.kernel->pfs[0].switchdev);
	assert_int_equal(apply(&rig, scene), 0);
	assert_string_equal(rig.out, "nothing to do\n");
	assert_int_equal(sriov_rig_release(&rig, PF), 0);
	after = sriov_rig_state(&rig);
	assert_string_equal(before, after);
	free(before);
	free(after);
	sriov_rig_close(&rig);
}

/* A card whose switch goes back to legacy mode when its VFs go: others get it back. */
static void falls_back(void **state)
{
	struct scene scene = {"bnxt_en", 2, false,
			      "{\"pfs\": [{\"bdf\": \"" PF "\", \"eswitch\": \"switchdev\","
			      " \"vfs\": [{\"range\": \"0-1\", \"driver\": \"none\"}]}]}"};
	struct sriov_rig rig;
	char *before, *after;

	set_up(&rig, &scene);
	assert_int_equal(apply(&rig, &scene), 0);
	before = sriov_rig_state(&rig);
	scene.want = "{\"pfs\": [{\"bdf\": \"" PF "\", \"numvfs\": 3}]}";
	rig.kernel->fail_at = rig.kernel->nr_changes + 4; /* the mode */
	assert_int_equal(apply(&rig, &scene), 1);
	after = sriov_rig_state(&rig);
	assert_string_equal(before, after);
	assert_int_equal(apply(&rig, &scene), 0);
	assert_int_equal(rig.kernel->pfs[0].nr_vfs, 3);
	assert_true(rig.kernel->pfs[0].switchdev);
	free(before);
	free(after);
	sriov_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(released),
		cmocka_unit_test(release_fails_everywhere),
		cmocka_unit_test(resources_fail_everywhere),
		cmocka_unit_test(old_kernel),
		cmocka_unit_test(falls_back),
	};

	return UNIT_RUN(tests);
}
