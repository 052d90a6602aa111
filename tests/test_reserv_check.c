/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the checker of reservations says when something is broken, and the faults
 * that they once had.
 */

#include "reserv_util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bug_util.h"

/* Each line breaks something; the checker tells, and is content again after. */
static void
checker_catches_each_lie(void **state)
{
	struct vm_reserv_domain *rvd = &ru_vp->vp_reservs->rvs_domains[0];
	struct vm_object *obj = ru_object(2 * RUN, false);
	struct vm_object *other = ru_object(RUN, false);
	struct vm_page *m = ru_alloc(obj, 3);
	struct vm_reserv *rv = ru_reserv(m), *rv2;
	struct vm_reserv **prevp;
	struct vm_domain *vmd = ru_vp->vp_domains[0];

	(void)state;
	rv2 = ru_reserv(ru_alloc(obj, RUN));
	prevp = rv->objq_prevp;
#define LIE(inv, lie, truth)                                                   \
	do {                                                                   \
		char *text = NULL;                                             \
		size_t size = 0;                                               \
		FILE *out = open_memstream(&text, &size);                      \
		lie;                                                           \
		assert_true(machine_check(ru_pu.pu_ma, out) > 0);              \
		truth;                                                         \
		(void)fclose(out);                                             \
		if (strstr(text, "inv " #inv ":") == NULL)                     \
			fail_msg("%s: %s", #lie, text);                        \
		free(text);                                                    \
		pu_check(&ru_pu);                                              \
	} while (0)
	LIE(38, vm_reserv_set_popcnt(rv, 2), vm_reserv_set_popcnt(rv, 1));
	LIE(38, rv->popmap[0] |= 1, rv->popmap[0] &= ~UINT64_C(1));
	LIE(36, rv->popmap[1] |= 1, rv->popmap[1] &= ~UINT64_C(1));
	LIE(38, rv->pages->psind = 1, rv->pages->psind = 0);
	LIE(38, m->pindex = 4, m->pindex = 3);
	LIE(38, m->flags |= PG_FREED, m->flags &= (uint8_t)~PG_FREED);
	LIE(38, m[1].object = obj, m[1].object = NULL);
	LIE(38, rv->inpartpopq = false, rv->inpartpopq = true);
	LIE(38, rvd->rvd_first = rv2, rvd->rvd_first = rv);
	LIE(38, rvd->rvd_last = rv, rvd->rvd_last = rv2);
	LIE(38, rv->object = NULL, rv->object = obj);
	LIE(39, rv->object = other, rv->object = obj);
	LIE(39, rv->objq_prevp = NULL, rv->objq_prevp = prevp);
	LIE(39, obj->rvq.rvh_first = rv, obj->rvq.rvh_first = rv2);
	LIE(36, vmd->vmd_free_count++, vmd->vmd_free_count--);
	LIE(43, mtx_lock(&rv->lock), mtx_unlock(&rv->lock));
	LIE(43, mtx_lock(&rvd->rvd_lock), mtx_unlock(&rvd->rvd_lock));
#undef LIE
	vm_object_destroy(obj);
	vm_object_destroy(other);
}

static void
count_text(void *arg, const char *text)
{
	(void)text;
	(*(unsigned *)arg)++;
}

static void
object_check_catches_a_foreign_reservation(void **state)
{
	struct vm_object *obj = ru_object(RUN, false);
	struct vm_object *other = ru_object(RUN, false);
	unsigned n = 0;

	(void)state;
	(void)ru_alloc(obj, 0);
	assert_int_equal(vm_object_check(other, count_text, &n), 0);
	other->rvq.rvh_first = obj->rvq.rvh_first;
	assert_int_equal(vm_object_check(other, count_text, &n), 1);
	other->rvq.rvh_first = NULL;
	assert_int_equal(n, 1);
	vm_object_destroy(obj);
	vm_object_destroy(other);
}

/*
 * A search for a run waits for the lock of the first reservation, which has no
 * such run; meanwhile another ends, or the first one leaves the queue.
 */
static void
scene_search(void *arg)
{
	(void)arg;
	if (vm_reserv_reclaim_contig(ru_vp, 0, 300, 0, UINT64_MAX, 0, 0) !=
	    NULL)
		bug_caught("a run of what has ended\n");
}

static void
scene_end_object(void *arg)
{
	vm_object_destroy(arg);
}

static void
scene_queue_changes(bool other_ends)
{
	struct pu_thread ender, searcher;
	struct vm_reserv_domain *rvd;
	struct vm_object *a, *b;
	struct vm_reserv *rv;

	ru_setup(bug_design, 0);
	rvd = &ru_vp->vp_reservs->rvs_domains[0];
	a = ru_object(RUN, false);
	b = ru_object(RUN, false);
	rv = ru_reserv(ru_alloc(a, 0));
	(void)ru_alloc(a, 256);
	(void)ru_alloc(b, other_ends ? 0 : 256);
	mtx_lock(&rv->lock);
	pu_start(&ru_pu, &searcher, 2, scene_search, NULL);
	pu_await_blocked(&searcher, &rv->lock.mtx_lock);
	if (other_ends) {
		pu_start(&ru_pu, &ender, 1, scene_end_object, b);
		pu_join(&ender);
	} else {
		mtx_lock(&rvd->rvd_lock);
		vm_reserv_partpopq_remove(rvd, rv);
		mtx_unlock(&rvd->rvd_lock);
	}
	mtx_unlock(&rv->lock);
	pu_join(&searcher);
	bug_check(ru_pu.pu_ma);
	vm_object_destroy(a);
	if (!other_ends)
		vm_object_destroy(b);
	ru_teardown();
}

static void
search_goes_on_where_the_queue_is(void)
{
	scene_queue_changes(true);
}

static void
search_leaves_what_left_the_queue_unlocked(void)
{
	scene_queue_changes(false);
}

static const struct bug_scene scenes[] = {
	{ "B21", "search_goes_on_where_the_queue_is",
	    search_goes_on_where_the_queue_is, "not on the queue", NULL },
	{ "B21_lock", "search_leaves_what_left_the_queue_unlocked",
	    search_leaves_what_left_the_queue_unlocked, "lock", NULL },
};

#define NSCENES (sizeof(scenes) / sizeof(scenes[0]))

/* Played before the tests begin, as in test_bugs.c. */
static unsigned failed_scenes;

static void
play_scenes(char *self, bool on)
{
	char text[1024];
	bool good;

	for (size_t i = 0; i < NSCENES; i++) {
		bug_run(self, (unsigned)i, on, text, sizeof(text));
		good = on ? strstr(text, scenes[i].bs_report) != NULL
			  : text[0] == '\0';
		print_message("# %s %s: %s%s\n", scenes[i].bs_bug,
		    on ? "on" : "off", text, good ? "" : "  <-- WRONG");
		failed_scenes += !good;
	}
}

static void
faults_of_the_search_are_caught(void **state)
{
	(void)state;
	assert_int_equal(failed_scenes, 0);
}

int
main(int argc, char *argv[])
{
	unsigned n;
	bool on;
#define TEST(f) cmocka_unit_test_setup_teardown(f, ru_begin, ru_end)
	const struct CMUnitTest tests[] = {
		TEST(checker_catches_each_lie),
		TEST(object_check_catches_a_foreign_reservation),
		cmocka_unit_test(faults_of_the_search_are_caught),
	};

	if (bug_wanted(argc, argv, &n, &on) && n < NSCENES)
		bug_play(&scenes[n], on);
	if (INVARIANTS_ENABLED)
		play_scenes(argv[0], true);
	play_scenes(argv[0], false);
	return (cmocka_run_group_tests_name("reserv_check", tests, NULL, NULL));
}
