/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Exploring, from the access that the compiler announces to the failure that is
 * told: small programs, and what all their schedules, or some, have to come to.
 *
 * A search that fails ends in the middle of a run, so each is made in a process of
 * its own; what it found is in memory that both share.
 */

#include <sys/mman.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "explore_bodies.h"
#include "pmapsim/panic.h"
#include "sim/virtual/explore.h"
#include "sim/virtual/explore_place.h"
#include "sim/virtual/virt.h"

enum {
	CHILD_COMPLETE = 10,
	CHILD_FAILED,
	CHILD_ERROR
};

#define HASHES 256

struct search {
	struct ex_result s_result;
	unsigned s_runs; /* since the search began anew */
	unsigned s_bound;
	bool s_complete;
	uint64_t s_hashes[HASHES];
	unsigned s_nhashes; /* different ones */
};
static struct search *search;
static struct explore *explore;

static void
on_begin(void *arg, struct xs_run *run)
{
	(void)arg, (void)run;
	explore_start(explore);
}

static void
on_end(void *arg, struct xs_run *run)
{
	(void)arg, (void)run;
	explore_stop(explore);
}

static void
on_fail(void *arg, const char *text)
{
	(void)arg;
	explore_fail(explore, EX_CHECK, text);
}

static void
on_panic(const char *file, int line, const char *msg)
{
	(void)file, (void)line;
	explore_fail(explore, EX_PANIC, msg);
}

static void
on_failed(void *arg)
{
	(void)arg;
	_exit(CHILD_FAILED);
}

static void
run_once(const struct xs_scenario *xs)
{
	static const struct xs_hooks hooks = {
		.xh_begin = on_begin, .xh_end = on_end, .xh_fail = on_fail
	};
	const struct virt_config vc = { .vc_ncpus = xs->xs_threads + 1,
		.vc_explore = explore };
	char err[128];

	if (virt_begin(&vc) != 0 ||
	    xs_run(xs, NULL, &hooks, err, sizeof(err)) != 0)
		_exit(CHILD_ERROR);
	virt_end();
}

static void
note_hash(uint64_t hash)
{
	unsigned i = 0;

	while (i < search->s_nhashes && search->s_hashes[i] != hash)
		i++;
	if (i == HASHES)
		_exit(CHILD_ERROR);
	search->s_hashes[i] = hash;
	if (i == search->s_nhashes)
		search->s_nhashes++;
}

/* All schedules, until one fails. */
static _Noreturn void
search_all(const struct xs_scenario *xs)
{
	struct ex_sched *sched = explore_sched(explore);
	struct ex_places *ep = explore_places(explore);
	uint32_t nshared = 0;

	for (;;) {
		explore_begin(explore, 0, 0, true);
		run_once(xs);
		search->s_runs++;
		search->s_bound = ex_sched_bound(sched);
		if (ex_places_nshared(ep) != nshared) {
			nshared = ex_places_nshared(ep);
			search->s_runs = 0;
			search->s_nhashes = 0;
			ex_sched_restart(sched);
			continue;
		}
		if (ex_sched_diverged(sched))
			_exit(CHILD_ERROR);
		note_hash(search->s_result.er_hash);
		if (!ex_sched_next(sched)) {
			_exit(CHILD_COMPLETE);
		}
	}
}

/* plan NULL: every schedule with so many preemptions.  Returns what failed. */
static enum ex_failure
look(const struct xs_scenario *xs, unsigned bound, const struct ex_choice *plan,
    size_t nplan)
{
	const struct ex_strategy es = { EX_BOUNDED, bound };
	const struct ex_config xc = {
		.xc_strategy = plan == NULL ? &es : NULL,
		.xc_plan = plan,
		.xc_nplan = nplan,
		.xc_races = true,
		.xc_steps_max = 5000,
		.xc_result = &search->s_result,
		.xc_failed = on_failed,
	};
	int status;
	pid_t pid;

	memset(search, 0, sizeof(*search));
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		panic_handler = on_panic;
		if (explore_create(&xc, &explore) != 0)
			_exit(CHILD_ERROR);
		if (plan == NULL)
			search_all(xs);
		explore_begin(explore, 0, 0, false);
		run_once(xs);
		_exit(CHILD_COMPLETE);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), CHILD_COMPLETE, CHILD_FAILED);
	search->s_complete = WEXITSTATUS(status) == CHILD_COMPLETE;
	assert_int_equal(
	    search->s_complete, search->s_result.er_failure == EX_PASSED);
	return (search->s_result.er_failure);
}

static void
all_schedules_are_run_once(void **state)
{
	(void)state;
	/*
	 * Six stores in a row, three of each: 20.  A thread can also be preempted
	 * when it has begun and not stored yet, so it has four steps, and there
	 * are 70 schedules, of which 2, 8, 26, 44, 62, 68, 70 have at most 0, 1
	 * ... preemptions.  A search has those with smaller bounds in it.
	 */
	assert_int_equal(look(&eb_stores, 0, NULL, 0), EX_PASSED);
	assert_int_equal(search->s_runs, 2);
	assert_int_equal(look(&eb_stores, 1, NULL, 0), EX_PASSED);
	assert_int_equal(search->s_runs, 2 + 8);
	assert_int_equal(look(&eb_stores, 2, NULL, 0), EX_PASSED);
	assert_int_equal(search->s_runs, 2 + 8 + 26);
	assert_int_equal(look(&eb_stores, 100, NULL, 0), EX_PASSED);
	assert_int_equal(search->s_bound, 6);
	assert_int_equal(search->s_runs, 2 + 8 + 26 + 44 + 62 + 68 + 70);
	/* Whatever the schedule, there are 20 things that can happen. */
	assert_int_equal(search->s_nhashes, 20);
}

static void
what_is_not_shared_is_no_point(void **state)
{
	(void)state;
	/* Only who is first is left to choose. */
	assert_int_equal(look(&eb_apart, 100, NULL, 0), EX_PASSED);
	assert_int_equal(search->s_runs, 2);
	assert_int_equal(look(&eb_loads, 100, NULL, 0), EX_PASSED);
	assert_int_equal(search->s_runs, 2);
}

static void
a_check_fails_with_a_preemption_and_not_without(void **state)
{
	(void)state;
	assert_int_equal(look(&eb_lost, 0, NULL, 0), EX_PASSED);
	assert_int_equal(look(&eb_lost, 1, NULL, 0), EX_CHECK);
	assert_string_equal(search->s_result.er_text, "1 instead of 2");
	assert_int_equal(search->s_result.er_preemptions, 1);
}

static void
a_plan_has_the_same_run_again(void **state)
{
	struct ex_choice plan[4];
	uint32_t n;

	(void)state;
	assert_int_equal(look(&eb_lost, 1, NULL, 0), EX_CHECK);
	n = search->s_result.er_nchoices;
	assert_in_range(n, 1, 4);
	memcpy(plan, search->s_result.er_choices, n * sizeof(plan[0]));
	/* Of two fibers, in the order of fibers already. */
	assert_int_equal(look(&eb_lost, 0, plan, n), EX_CHECK);
	assert_int_equal(search->s_result.er_nchoices, n);
	assert_memory_equal(
	    search->s_result.er_choices, plan, n * sizeof(plan[0]));
	/* Without its choices it is another. */
	assert_int_equal(look(&eb_lost, 0, plan, 0), EX_PASSED);
}

static void
an_order_that_is_missing_is_a_race(void **state)
{
	const struct race_pair *rp = &search->s_result.er_race;

	(void)state;
	assert_int_equal(look(&eb_message, 100, NULL, 0), EX_PASSED);
	assert_int_equal(look(&eb_relaxed, 100, NULL, 0), EX_RACE);
	assert_true(rp->rp_first.ra_write);
	assert_false(rp->rp_second.ra_write);
	assert_int_equal(rp->rp_first.ra_addr, rp->rp_second.ra_addr);
	assert_int_not_equal(rp->rp_first.ra_pc, rp->rp_second.ra_pc);
}

static void
locks_in_two_orders_are_a_deadlock(void **state)
{
	(void)state;
	assert_int_equal(look(&eb_order, 2, NULL, 0), EX_PASSED);
	assert_int_equal(look(&eb_disorder, 0, NULL, 0), EX_PASSED);
	/* Mutexes notice a cycle themselves, where they look for one. */
	assert_int_not_equal(look(&eb_disorder, 1, NULL, 0), EX_PASSED);
	assert_true(search->s_result.er_failure == EX_DEADLOCK ||
	    search->s_result.er_failure == EX_PANIC);
}

static void
who_spins_lets_others_go_on(void **state)
{
	(void)state;
	assert_int_equal(look(&eb_spin, 100, NULL, 0), EX_PASSED);
	assert_int_equal(look(&eb_for_ever, 0, NULL, 0), EX_LIVELOCK);
	assert_non_null(strstr(search->s_result.er_text, "5000 events"));
}

static void
a_panic_is_told(void **state)
{
	(void)state;
	assert_int_equal(look(&eb_panics, 0, NULL, 0), EX_PANIC);
	assert_string_equal(search->s_result.er_text, "the second is first");
}

static int
map_search(void **state)
{
	(void)state;
	search = mmap(NULL, sizeof(*search), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return (search == MAP_FAILED ? -1 : 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_schedules_are_run_once),
		cmocka_unit_test(what_is_not_shared_is_no_point),
		cmocka_unit_test(
		    a_check_fails_with_a_preemption_and_not_without),
		cmocka_unit_test(a_plan_has_the_same_run_again),
		cmocka_unit_test(an_order_that_is_missing_is_a_race),
		cmocka_unit_test(locks_in_two_orders_are_a_deadlock),
		cmocka_unit_test(who_spins_lets_others_go_on),
		cmocka_unit_test(a_panic_is_told),
	};

	return (cmocka_run_group_tests(tests, map_search, NULL));
}
