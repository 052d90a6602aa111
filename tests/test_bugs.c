/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Each fault that FreeBSD once had is switched on and must be caught, by what the
 * scene's row says; without the fault the same scene must find nothing wrong.
 * Faults of TLBs and delayed invalidation are those of test_tlb_bugs.c, of
 * reservations those of test_reserv_check.c.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bug_util.h"

static const struct bug_scene *const tables[] = {
	bug_scenes_enter,
	bug_scenes_super,
	bug_scenes_page,
	bug_scenes_memory,
};
#define NTABLES (sizeof(tables) / sizeof(tables[0]))

/* Caught elsewhere. */
static const char *const elsewhere[] = { "b5", "b6", "e383", "B21", "B21_lock",
	"di_unmarked", "di_late", "di_collision", "di_early_finish",
	"di_early_wait", "di_early_free" };

#define ROWS_MAX 64 /* of a table; scenes are numbered */

/* Returns how many rows do not do what they say. */
static unsigned
play_all(char *self, bool on)
{
	const struct bug_scene *bs;
	unsigned failed = 0;
	char text[1024];
	bool good;

	for (size_t i = 0; i < NTABLES; i++) {
		for (bs = tables[i]; bs->bs_bug != NULL; bs++) {
			bug_run(self,
			    (unsigned)(i * ROWS_MAX + (size_t)(bs - tables[i])),
			    on, text, sizeof(text));
			good = on ? strstr(text, bs->bs_report) != NULL
				  : text[0] == '\0';
			text[strcspn(text, "\n")] = '\0';
			print_message("# %-4s %-3s %s: %s%s\n", bs->bs_bug,
			    on ? "on" : "off", bs->bs_name,
			    text[0] != '\0' ? text : "nothing",
			    good ? "" : "  <-- WRONG");
			failed += !good;
		}
	}
	return (failed);
}

/*
 * Played before the tests begin: an assertion that fails in a scene then ends its
 * process, and does not run the tests that follow in it.
 */
static unsigned failed_on, failed_off;

static void
each_fault_is_caught(void **state)
{
	(void)state;
	if (!INVARIANTS_ENABLED)
		skip(); /* there are none */
	assert_int_equal(failed_on, 0);
}

static void
nothing_is_caught_without_a_fault(void **state)
{
	(void)state;
	assert_int_equal(failed_off, 0);
}

static void
each_fault_has_a_scene(void **state)
{
	const struct bug_scene *bs;
	bool found;

	(void)state;
	for (unsigned b = 0; b < NBUGS; b++) {
		found = false;
		for (size_t i = 0; i < NTABLES; i++) {
			for (bs = tables[i]; bs->bs_bug != NULL; bs++)
				found |= bug_lookup(bs->bs_bug) == b;
		}
		for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]);
		     i++)
			found |= bug_lookup(elsewhere[i]) == b;
		if (!found)
			fail_msg("%s: no scene", bug_name((enum bug)b));
	}
}

int
main(int argc, char *argv[])
{
	unsigned n;
	bool on;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault_is_caught),
		cmocka_unit_test(nothing_is_caught_without_a_fault),
		cmocka_unit_test(each_fault_has_a_scene),
	};

	if (bug_wanted(argc, argv, &n, &on) && n / ROWS_MAX < NTABLES)
		bug_play(&tables[n / ROWS_MAX][n % ROWS_MAX], on);
	if (INVARIANTS_ENABLED)
		failed_on = play_all(argv[0], true);
	failed_off = play_all(argv[0], false);
	return (cmocka_run_group_tests_name("bugs", tests, NULL, NULL));
}
