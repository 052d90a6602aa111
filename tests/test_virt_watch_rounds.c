/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Which rounds of spinning are not passed at once: those that are not known to be as
 * the one before.
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

uint64_t __tsan_atomic64_load(const uint64_t *a, int order);

static void
what_is_no_such_round_is_not_left_out(void **state)
{
	const uint64_t t = END(12) + 40000;
	struct scene s;

	(void)state;
	s = scene_of_one(t);
	s.s_waiters[0].w_plain = true;
	assert_int_equal(scene_run_both(&s), 0);
	s = scene_of_one(t);
	s.s_waiters[0].w_alternates = true;
	assert_int_equal(scene_run_both(&s), 0);
	s = scene_of_one(t);
	s.s_waiters[0].w_adds = true;
	assert_int_equal(scene_run_both(&s), 0);
	/* A line that is shared is found in another way. */
	s = scene_of_one(t);
	s.s_waiters[0].w_plain = true;
	s.s_waiters[1] = s.s_waiters[0];
	s.s_waiters[1].w_cpu = 2;
	s.s_nwaiters = 2;
	assert_int_equal(scene_run_both(&s), 0);
	s.s_waiters[0].w_plain = s.s_waiters[1].w_plain = false;
	assert_true(scene_run_both(&s) > 0);
	/* A deadline that nobody looks at, and that has gone by. */
	s = scene_of_one(t);
	s.s_waiters[0].w_no_clock = true;
	s.s_waiters[0].w_deadline_ns = 1;
	assert_int_equal(scene_run_both(&s), 0);
	s = scene_of_one(t);
	s.s_waiters[0].w_counts = true;
	assert_int_equal(scene_run_both(&s), 0);
}

/* Also where a write is between them. */
static void
rounds_of_two_looks_are_not_left_out(void **state)
{
	const uint64_t end = 2 * DRAM + PAUSE + 6 * (2 * HIT + PAUSE);
	struct scene s;

	(void)state;
	for (uint64_t t = end - 3000; t < end + 6000; t += 100) {
		for (unsigned word = 0; word < 2; word++) {
			s = scene_of_one(t);
			s.s_actors[0].ac_acts[0].a_word = word;
			s.s_waiters[0].w_looks_twice = true;
			s.s_waiters[0].w_second = 1;
			assert_int_equal(scene_run_both(&s), 0);
		}
		s = scene_of_one(t);
		s.s_waiters[0].w_looks_twice = true;
		assert_int_equal(scene_run_both(&s), 0);
	}
}

/* The one that writes comes between a look and the spin. */
static void
a_round_in_which_others_ran_is_not_known(void **state)
{
	const uint64_t round = HIT + 6000 + PAUSE;
	const uint64_t end = DRAM + 6000 + PAUSE + 1 * round;
	struct scene s;

	(void)state;
	for (uint64_t t = end + 100; t < end + 7000; t += 300) {
		s = scene_of_one(t);
		s.s_waiters[0].w_after_ps = 6000;
		(void)scene_run_both(&s);
		assert_int_equal(s.s_waiters[0].w_end_ps, end + round + MISS);
	}
}

/* A miss in each of them, of a line that another writes each time. */
static void
rounds_of_the_same_misses_are_made(void **state)
{
	const uint64_t first = 2 * DRAM + PAUSE;
	const uint64_t round = HIT + MISS + PAUSE;
	struct scene s = scene_of_one(0);

	(void)state;
	for (unsigned k = 0; k < 6; k++)
		s.s_actors[0].ac_acts[k] =
		    (struct act){ first + k * round - 50000, STORE, 1, k == 5 };
	s.s_actors[0].ac_nacts = 6;
	s.s_waiters[0].w_reads = true;
	assert_int_equal(scene_run_both(&s), 0);
	assert_int_equal(
	    s.s_waiters[0].w_end_ps, first + 5 * round + HIT + MISS);
}

/* The sibling has a line that is counted in each round; it costs what an RMW does. */
static void
rounds_with_a_sibling_are_made(enum what what)
{
	struct scene s = scene_of_one(END(30));

	scene_two_threads_a_core();
	scene_preset.pr_line_smt_ps = 2 * RMW;
	s.s_waiters[0].w_counts = true;
	for (unsigned i = 0; i < NACTS - 1; i++)
		s.s_actors[1].ac_acts[i] =
		    (struct act){ 300000 + i * (ROUND * 2 + 30000), what, 2,
			    1 };
	s.s_actors[1].ac_acts[NACTS - 1] = (struct act){ 0, WORK, 0, END(30) };
	s.s_actors[1].ac_nacts = NACTS;
	s.s_actors[1].ac_cpu = 5;
	s.s_nactors = 2;
	assert_int_equal(scene_run_both(&s), 0);
}

static void
rounds_of_rmws_are_made_whatever_siblings_do(void **state)
{
	(void)state;
	rounds_with_a_sibling_are_made(STORE);
	rounds_with_a_sibling_are_made(LOAD);
}

/*
 * The fibers of one CPU.  What the other has seen of its own is no round of who comes
 * after it, even if it has taken as long.
 */
static uint64_t other_end_ps;

static void
spin_and_yield(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 3; i++) {
		sim_native_ops->so_spin_until(NULL, 1, NEVER);
		if (i < 2)
			(void)__tsan_atomic64_load(
			    scene_words[1], __ATOMIC_ACQUIRE);
	}
	world_yield();
}

static void
work_yield_and_look(void *arg)
{
	const uint64_t *word = scene_words[0];

	(void)arg;
	/* For a hit. */
	(void)__tsan_atomic64_load(word, __ATOMIC_ACQUIRE);
	world_yield();
	for (;;) {
		if (__tsan_atomic64_load(word, __ATOMIC_ACQUIRE) != 0)
			break;
		sim_native_ops->so_spin_until(NULL, 1, NEVER);
		for (unsigned i = 0; i < 7; i++)
			world_access((uintptr_t)scene_words[2], LINE_READ);
	}
	other_end_ps = world_now_ps() - VIRT_BEGIN_PS;
}

static void
a_round_is_that_of_one_fiber(void **state)
{
	const uint64_t round = 8 * HIT + PAUSE;
	/* Of both; then a miss in the body of the first. */
	const uint64_t first = 2 * DRAM + HIT + 4 * PAUSE;
	struct vfiber *fb[3];
	struct actor ac = { .ac_acts = { { 2345678, STORE, 0, 1 } },
		.ac_nacts = 1 };
	uint64_t look;

	(void)state;
	scene_begin(NULL);
	assert_int_equal(world_create(1, work_yield_and_look, NULL, &fb[0]), 0);
	assert_int_equal(world_create(1, spin_and_yield, NULL, &fb[1]), 0);
	assert_int_equal(world_create(0, scene_act, &ac, &fb[2]), 0);
	for (unsigned i = 0; i < 3; i++)
		world_join(fb[i]);
	virt_end();
	look = first + HIT + 6 * HIT + DRAM;
	while (look < 2345678)
		look += round;
	assert_int_equal(other_end_ps, scene_seen(look, 2345678));
}

static unsigned npicks;

static struct vfiber *
pick(struct explore *ex, enum virt_why why)
{
	(void)ex;
	npicks += why == VIRT_SPIN;
	return (virt_world.vw_fiber);
}

static void
a_strategy_is_asked_each_time(void **state)
{
	static const struct explore_ops ops = { .eo_pick = pick };
	struct explore ex = { &ops };

	(void)state;
	scene_begin(&ex);
	npicks = 0;
	for (unsigned i = 0; i < 4; i++)
		sim_native_ops->so_spin_until(NULL, 3, NEVER);
	assert_int_equal(npicks, 4);
	assert_int_equal(
	    world_now_ps(), VIRT_BEGIN_PS + UINT64_C(12) * VIRT_EXPLORE_PS);
	virt_end();
}

/* Who looks at nothing is not known to find nothing. */
static void
each_spin_is_a_sign_of_a_livelock(void **state)
{
	(void)state;
	scene_begin(NULL);
	for (unsigned i = 0; i < 4; i++)
		sim_native_ops->so_spin_until(NULL, 1, NEVER);
	assert_int_equal(virt_world.vw_spins, 4);
	assert_int_equal(world_now_ps(), VIRT_BEGIN_PS + 4 * PAUSE);
	virt_end();
}

static void
look_in_no_time(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 5; i++) {
		(void)__tsan_atomic64_load(scene_words[0], __ATOMIC_ACQUIRE);
		sim_native_ops->so_spin_until(NULL, 0, NEVER);
	}
	other_end_ps = world_now_ps() - VIRT_BEGIN_PS;
}

static void
rounds_may_take_no_time(void **state)
{
	struct vfiber *fb;

	(void)state;
	scene_preset.pr_l1_hit_ps = 0;
	scene_begin(NULL);
	assert_int_equal(world_create(1, look_in_no_time, NULL, &fb), 0);
	world_join(fb);
	virt_end();
	assert_int_equal(other_end_ps, DRAM);
}

#define TEST(name) cmocka_unit_test_setup(name, scene_setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_no_such_round_is_not_left_out),
		TEST(rounds_of_two_looks_are_not_left_out),
		TEST(a_round_in_which_others_ran_is_not_known),
		TEST(rounds_of_the_same_misses_are_made),
		TEST(rounds_of_rmws_are_made_whatever_siblings_do),
		TEST(a_round_is_that_of_one_fiber),
		TEST(a_strategy_is_asked_each_time),
		TEST(each_spin_is_a_sign_of_a_livelock),
		TEST(rounds_may_take_no_time),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
