/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rounds that are passed at once, to the picosecond: what test_virt_watch.c compares
 * is computed here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/sim.h"
#include "sim/virtual/world.h"
#include "watch_scene.h"

static void
the_next_look_is_the_first_after_the_write(void **state)
{
	struct scene s;
	uint64_t t;

	(void)state;
	for (unsigned k = 4; k < 7; k++) {
		for (t = END(k - 1) + 1; t <= END(k); t += ROUND / 8) {
			s = scene_of_one(t);
			assert_true(scene_run_both(&s) > 0);
			assert_int_equal(
			    s.s_waiters[0].w_end_ps, scene_seen(END(k), t));
		}
	}
}

/* CPU 0 comes before 1, and 7 after it. */
static void
events_of_one_time_are_in_the_order_of_cpus(void **state)
{
	struct scene s;

	(void)state;
	for (unsigned k = 2; k < 7; k++) {
		s = scene_of_one(END(k));
		(void)scene_run_both(&s);
		assert_int_equal(s.s_waiters[0].w_end_ps, END(k) + 2 * MISS);
		s.s_actors[0].ac_cpu = 7;
		(void)scene_run_both(&s);
		assert_int_equal(s.s_waiters[0].w_end_ps, END(k + 1) + MISS);
		s = scene_of_one(END(k) - 1);
		s.s_actors[0].ac_cpu = 7;
		(void)scene_run_both(&s);
		assert_int_equal(
		    s.s_waiters[0].w_end_ps, END(k) - 1 + 2 * MISS);
	}
}

/* What comes before the look and after it counts. */
static void
a_look_is_somewhere_in_its_round(void **state)
{
	const uint64_t round = 4 * HIT + 5000 + PAUSE;
	const uint64_t first = 2 * DRAM + 2 * HIT + 5000 + PAUSE + 3 * HIT;
	struct scene s;
	uint64_t at;

	(void)state;
	for (unsigned cpu = 0; cpu < 8; cpu += 7) {
		for (uint64_t t = first + 5 * round - 9000;
		     t < first + 5 * round + 9000; t += 100) {
			s = scene_of_one(t);
			s.s_actors[0].ac_cpu = cpu;
			s.s_waiters[0].w_before = 3;
			s.s_waiters[0].w_after_ps = 5000;
			(void)scene_run_both(&s);
			at = first + 5 * round;
			if (t > at || (t == at && cpu == 7))
				at += round;
			assert_int_equal(
			    s.s_waiters[0].w_end_ps, scene_seen(at, t));
		}
	}
}

/* The CPU of who sleeps through rounds has a timer before, or after, their end. */
static void
a_timer_does_not_change_it(void **state)
{
	const uint64_t t = END(4) + 30000;
	struct scene s;

	(void)state;
	for (uint64_t timer = t - ROUND; timer < END(5) + ROUND;
	     timer += 3700) {
		s = scene_of_one(t);
		s.s_early[0] = (struct actor){ .ac_cpu = 1,
			.ac_acts = { { 0, SLEEP, 0, timer } },
			.ac_nacts = 1 };
		s.s_nearly = 1;
		(void)scene_run_both(&s);
		assert_int_equal(
		    s.s_waiters[0].w_end_ps, scene_seen(END(5), t));
	}
}

/* It has slept when its slice ended: then it looks as soon as it has a CPU. */
static void
who_has_lost_its_cpu_looks_when_it_is_back(void **state)
{
	const uint64_t slice = 500000;
	struct scene s = scene_of_one(slice + 70000);

	(void)state;
	scene_preset.pr_slice_ps = slice;
	s.s_actors[1] = (struct actor){ .ac_cpu = 1,
		.ac_acts = { { 0, WORK, 0, slice + 200000 } },
		.ac_nacts = 1 };
	s.s_nactors = 2;
	s.s_at_once = true;
	scene_run(&s);
	assert_int_equal(s.s_waiters[0].w_end_ps, 2 * slice + MISS);
	assert_int_equal(s.s_actors[1].ac_end_ps, 2 * slice + MISS + 200000);

	/*
	 * Or at its deadline, later by what the other had, and not when a round
	 * would have ended if it had never lost it.
	 */
	s.s_actors[0].ac_acts[0].a_at_ps = 1600000;
	s.s_actors[1].ac_acts[0].a_v = slice;
	s.s_waiters[0].w_deadline_ns = 1100;
	scene_run(&s);
	assert_int_equal(s.s_waiters[0].w_end_ps, END(10) + slice + MISS);
}

static void
two_on_one_cpu_sleep_each_on_its_word(void **state)
{
	const uint64_t slice = 500000;
	const struct act acts[] = { { 1200000, STORE, 0, 1 },
		{ 1700000, STORE, 1, 1 } };
	struct scene s = scene_of_one(0);

	(void)state;
	scene_preset.pr_slice_ps = slice;
	s.s_waiters[1] = s.s_waiters[0];
	s.s_waiters[1].w_word = 1;
	s.s_nwaiters = 2;
	s.s_actors[0].ac_acts[0] = acts[0];
	s.s_actors[0].ac_acts[1] = acts[1];
	s.s_actors[0].ac_nacts = 2;
	s.s_at_once = true;
	scene_run(&s);
	assert_int_equal(s.s_waiters[0].w_end_ps, END(11) + MISS);
	/* Its rounds began when the first slice ended. */
	assert_int_equal(s.s_waiters[1].w_end_ps, slice + END(11) + MISS);
}

/* By exact counts: neither more looks than it takes, nor fewer. */
static void
a_deadline_is_slept_through_in_a_few_pieces(void **state)
{
	/* One piece is a second, and a round at most. */
	const uint64_t deadline = UINT64_C(2500000000000);
	uint64_t k = (deadline - HIT - END(0) + ROUND - 1) / ROUND;
	struct scene s = scene_of_one(0);

	(void)state;
	s.s_nactors = 0;
	s.s_waiters[0].w_deadline_ns = deadline / 1000;
	s.s_at_once = true;
	scene_run(&s);
	assert_int_equal(s.s_waiters[0].w_end_ps, END(k) + HIT);
	/* A miss, a hit, and one before each of three pieces; the last look. */
	assert_int_equal(s.s_accesses, 6);
	/* To the picosecond, from either side. */
	for (uint64_t late = 0; late < 3; late++) {
		scene_preset.pr_l1_hit_ps = HIT - 1 + late;
		s.s_waiters[0].w_deadline_ns = (END(9) + HIT) / 1000;
		(void)scene_run_both(&s);
		k = late == 0 ? 10 : 9;
		assert_int_equal(s.s_waiters[0].w_end_ps,
		    DRAM + PAUSE + k * (PAUSE + scene_preset.pr_l1_hit_ps) +
			scene_preset.pr_l1_hit_ps);
	}
}

/* It has slept and looked, and found what was written to be what it was. */
static void
writes_that_change_nothing_are_seen_too(void **state)
{
	struct scene s = scene_of_one(0);
	uint64_t t = 1000000;

	(void)state;
	for (unsigned i = 0; i < 6; i++, t += 700000)
		s.s_actors[0].ac_acts[i] = (struct act){ t, STORE, 0, i == 5 };
	s.s_actors[0].ac_nacts = 6;
	assert_true(scene_run_both(&s) > 10);
}

/* The sleep of one of them is ended again before it has ended. */
static void
a_sleep_may_end_twice(void **state)
{
	struct scene s = scene_of_one(0);
	uint64_t t = 20 * PAUSE * 4 + 30000;

	(void)state;
	for (unsigned i = 0; i < 3; i++, t += 6 * ROUND)
		s.s_actors[0].ac_acts[i] = (struct act){ t, STORE, 0, i == 2 };
	s.s_actors[0].ac_nacts = 3;
	s.s_waiters[1] = s.s_waiters[0];
	s.s_waiters[1].w_cpu = 2;
	s.s_waiters[1].w_units = 20;
	s.s_nwaiters = 2;
	(void)scene_run_both(&s);
}

static void
a_sibling_that_works_makes_rounds_longer(void **state)
{
	const uint64_t from = END(7) + 30000, until = END(20) + 60000;
	struct scene s = scene_of_one(0);
	uint64_t at;

	(void)state;
	scene_two_threads_a_core();
	for (unsigned k = 0; k < 20; k++) {
		/* 13 looks cost one hit more, from END(8) on. */
		at = END(8) + k * ROUND + (k < 13 ? k : 13) * HIT;
		s = scene_of_one(at - 20000);
		s.s_actors[1] = (struct actor){ .ac_cpu = 5,
			.ac_acts = { { 0, SLEEP, 0, from },
			    { 0, WORK, 0, until - from } },
			.ac_nacts = 2 };
		s.s_nactors = 2;
		/* Another, which sleeps first or last, has no part in it. */
		s.s_waiters[1] = s.s_waiters[0];
		s.s_waiters[k % 2].w_cpu = 2;
		s.s_waiters[k % 2].w_word = 1;
		s.s_actors[0].ac_acts[1] = (struct act){ END(40), STORE, 1, 1 };
		s.s_actors[0].ac_nacts = 2;
		s.s_nwaiters = 2;
		(void)scene_run_both(&s);
		assert_int_equal(s.s_waiters[1 - k % 2].w_end_ps,
		    scene_seen(at, at - 20000));
	}
}

/* CPU 5 works from the beginning: looks of CPU 1 cost two hits. */
static void
a_sibling_writes_as_others_do(void **state)
{
	const uint64_t round = 2 * HIT + PAUSE, end = DRAM + PAUSE + 9 * round;
	struct scene s = scene_of_one(end - 40000);

	(void)state;
	scene_two_threads_a_core();
	s.s_actors[0].ac_cpu = 5;
	/* It works on: that it ends would be noticed as well. */
	s.s_actors[0].ac_acts[1] = (struct act){ 0, WORK, 0, 3 * ROUND };
	s.s_actors[0].ac_nacts = 2;
	assert_true(scene_run_both(&s) > 0);
	assert_int_equal(
	    s.s_waiters[0].w_end_ps, end + scene_preset.pr_line_smt_ps);
}

/* It is idle; that its sibling works is nothing to CPU 2. */
static void
only_the_sibling_is_disturbed(void **state)
{
	struct scene s = scene_of_one(END(20));
	uint64_t accesses;

	(void)state;
	scene_two_threads_a_core();
	s.s_waiters[0].w_cpu = 2;
	s.s_at_once = true;
	scene_run(&s);
	accesses = s.s_accesses;
	s.s_actors[1] = (struct actor){ .ac_cpu = 5,
		.ac_acts = { { 0, SLEEP, 0, END(10) }, { 0, WORK, 0, ROUND } },
		.ac_nacts = 2 };
	s.s_nactors = 2;
	scene_run(&s);
	assert_int_equal(s.s_accesses, accesses);
}

#define TEST(name) cmocka_unit_test_setup(name, scene_setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_next_look_is_the_first_after_the_write),
		TEST(events_of_one_time_are_in_the_order_of_cpus),
		TEST(a_look_is_somewhere_in_its_round),
		TEST(a_timer_does_not_change_it),
		TEST(who_has_lost_its_cpu_looks_when_it_is_back),
		TEST(two_on_one_cpu_sleep_each_on_its_word),
		TEST(a_deadline_is_slept_through_in_a_few_pieces),
		TEST(writes_that_change_nothing_are_seen_too),
		TEST(a_sleep_may_end_twice),
		TEST(a_sibling_that_works_makes_rounds_longer),
		TEST(a_sibling_writes_as_others_do),
		TEST(only_the_sibling_is_disturbed),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
