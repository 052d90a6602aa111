/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rounds of spinning that are passed at once end when they would have ended.  Each
 * case is run twice, with so_spin_until() and round by round, and what threads find
 * must be the same to the picosecond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/sim.h"
#include "sim/virtual/world.h"

#define NCPUS 8u
#define NEVER UINT64_MAX
#define NS(n) (UINT64_C(1000) * (n))

uint64_t __tsan_atomic64_load(const uint64_t *a, int order);
void __tsan_atomic64_store(uint64_t *a, uint64_t v, int order);

/* What is run, and what came of it. */
struct spin_case {
	bool sc_at_once;
	unsigned sc_n; /* units between looks */
	uint64_t sc_hold_ps;
	uint64_t sc_deadline_ns; /* after the beginning */
	unsigned sc_waiters;     /* on CPUs sc_first and up; 0 writes */
	unsigned sc_first;
	bool sc_growing;     /* a round is longer than that before */
	bool sc_counting;    /* rounds are counted, in a line of its own */
	unsigned sc_sleeper; /* CPU of one more, that works at times; 0: none */
};
struct outcome {
	uint64_t o_end_ps[NCPUS];
	uint64_t o_rounds[NCPUS];
	uint64_t o_accesses;
};

static struct preset pr;
static uint64_t tolerance_ps; /* from one way to the other */
static const struct spin_case *sc;
static struct outcome *out;
static uint64_t *word;
static char *own; /* a page for each CPU */

static uint64_t
clock_ns(void)
{
	return (sim_native_ops->so_clock_ns(NULL));
}

static void
write_after_hold(void *arg)
{
	(void)arg;
	world_charge(VT_COMPUTE, sc->sc_hold_ps);
	__tsan_atomic64_store(word, 1, __ATOMIC_RELEASE);
	/* Soon after, so that late ones find the line elsewhere. */
	world_charge(VT_COMPUTE, 300000);
	__tsan_atomic64_store(word, 2, __ATOMIC_RELEASE);
	out->o_end_ps[0] = world_now_ps();
}

static void
spin_until_written(void *arg)
{
	const char *mine = own + (uintptr_t)arg * 4096;
	uint64_t deadline = sc->sc_deadline_ns == NEVER
	    ? NEVER
	    : VIRT_BEGIN_PS / 1000 + sc->sc_deadline_ns;

	for (uint64_t i = 0;; i++) {
		if (__tsan_atomic64_load(word, __ATOMIC_ACQUIRE) != 0)
			break;
		if (clock_ns() >= deadline)
			break;
		for (uint64_t j = 0; sc->sc_growing && j < i; j++)
			world_access((uintptr_t)mine, LINE_READ);
		if (sc->sc_counting) {
			world_access((uintptr_t)mine, LINE_RMW);
			out->o_rounds[(uintptr_t)arg]++;
		}
		if (sc->sc_at_once)
			sim_native_ops->so_spin_until(NULL, sc->sc_n, deadline);
		else
			sim_native_ops->so_spin(NULL, sc->sc_n);
	}
	out->o_end_ps[(uintptr_t)arg] = world_now_ps();
}

static void
sleep_and_compute(void *arg)
{
	for (unsigned i = 1; i <= 3; i++) {
		(void)world_block("its time", NULL,
		    VIRT_BEGIN_PS + i * UINT64_C(3333000), NULL);
		world_charge(VT_COMPUTE, 700000);
	}
	out->o_end_ps[(uintptr_t)arg] = world_now_ps();
}

/* All that a fiber was accounted for. */
static uint64_t
time_of(const struct vfiber *fb)
{
	uint64_t sum = 0;

	for (unsigned t = 0; t < NVT; t++)
		sum += fb->fb_stat.vf_ps[0][t];
	return (sum);
}

static void
run(const struct spin_case *c, struct outcome *o)
{
	struct virt_config vc = {
		.vc_preset = &pr,
		.vc_ncpus = NCPUS,
	};
	struct vfiber *fb[NCPUS];
	unsigned n = c->sc_waiters + 1;
	char *p;

	sc = c;
	out = o;
	*o = (struct outcome){ .o_accesses = 0 };
	assert_int_equal(virt_begin(&vc), 0);
	p = arena_get((NCPUS + 1) * (size_t)4096, 0);
	own = p + 4096;
	vstat_reset(VIRT_BEGIN_PS, 0);
	word = (uint64_t *)(void *)p;
	assert_int_equal(world_create(0, write_after_hold, NULL, &fb[0]), 0);
	for (uintptr_t i = 1; i < n; i++)
		assert_int_equal(world_create(c->sc_first + (unsigned)i - 1,
				     spin_until_written, (void *)i, &fb[i]),
		    0);
	if (c->sc_sleeper != 0) {
		assert_int_equal(world_create(c->sc_sleeper, sleep_and_compute,
				     (void *)(uintptr_t)n, &fb[n]),
		    0);
		n++;
	}
	for (unsigned i = 0; i < n; i++)
		world_join(fb[i]);
	o->o_accesses = virt_accesses();
	for (unsigned i = 0; i < n && c->sc_sleeper == 0; i++)
		assert_int_equal(
		    time_of(fb[i]), o->o_end_ps[i] - VIRT_BEGIN_PS);
	virt_end();
}

/* Returns how many accesses were left out. */
static uint64_t
run_both(struct spin_case *c)
{
	struct outcome at_once, rounds;
	uint64_t late;

	c->sc_at_once = false;
	run(c, &rounds);
	c->sc_at_once = true;
	run(c, &at_once);
	for (unsigned i = 0; i < NCPUS; i++) {
		late = at_once.o_end_ps[i] - rounds.o_end_ps[i];
		assert_true(late + tolerance_ps <= 2 * tolerance_ps);
		assert_int_equal(at_once.o_rounds[i], rounds.o_rounds[i]);
	}
	assert_true(at_once.o_accesses <= rounds.o_accesses);
	return (rounds.o_accesses - at_once.o_accesses);
}

/* CPUs that are no siblings. */
static int
setup(void **state)
{
	struct preset_error pe;

	(void)state;
	if (preset_open("clx-2s-104", &pr, &pe) != 0)
		return (1);
	pr.pr_slice_ps = 5000000;
	tolerance_ps = 0;
	return (0);
}

static void
a_write_ends_a_sleep_when_the_next_look_would_find_it(void **state)
{
	struct spin_case c = { .sc_first = 1, .sc_deadline_ns = NEVER };

	(void)state;
	for (c.sc_n = 1; c.sc_n < 60; c.sc_n += 19) {
		for (c.sc_waiters = 1; c.sc_waiters < 6; c.sc_waiters += 2) {
			for (c.sc_hold_ps = 0; c.sc_hold_ps < NS(9000);
			     c.sc_hold_ps += NS(61))
				(void)run_both(&c);
		}
	}
	/* Long holds cost few accesses. */
	c.sc_n = 1;
	c.sc_waiters = 5;
	c.sc_hold_ps = NS(100000);
	assert_true(run_both(&c) > 5000);
}

static void
rounds_that_differ_are_all_made(void **state)
{
	struct spin_case c = { .sc_first = 1,
		.sc_deadline_ns = NEVER,
		.sc_n = 1,
		.sc_waiters = 2 };

	(void)state;
	for (c.sc_hold_ps = 0; c.sc_hold_ps < NS(9000);
	     c.sc_hold_ps += NS(171)) {
		c.sc_growing = true;
		assert_int_equal(run_both(&c), 0);
		c.sc_growing = false;
		c.sc_counting = true;
		assert_int_equal(run_both(&c), 0);
		c.sc_counting = false;
	}
}

/* CPU 4 is the sibling of the one that writes. */
static void
siblings_write_too_and_change_what_rounds_take(void **state)
{
	struct spin_case c = {
		.sc_first = 1, .sc_deadline_ns = NEVER, .sc_n = 1
	};

	(void)state;
	pr.pr_sockets = 1;
	pr.pr_cores = NCPUS / 2;
	tolerance_ps = 2 * pr.pr_l1_hit_ps;
	for (c.sc_hold_ps = 0; c.sc_hold_ps < NS(9000);
	     c.sc_hold_ps += NS(71)) {
		c.sc_first = 1;
		for (c.sc_waiters = 4; c.sc_waiters < 7; c.sc_waiters++)
			(void)run_both(&c);
		c.sc_waiters = 1;
		c.sc_sleeper = 5;
		(void)run_both(&c);
		c.sc_first = 4;
		c.sc_sleeper = 0;
		(void)run_both(&c);
	}
}

static void
a_deadline_ends_it_too(void **state)
{
	struct spin_case c = { .sc_first = 1,
		.sc_waiters = 3,
		.sc_n = 2,
		.sc_hold_ps = NS(30000) };

	(void)state;
	for (c.sc_deadline_ns = 0; c.sc_deadline_ns < 20000;
	     c.sc_deadline_ns += 113)
		(void)run_both(&c);
	assert_true(run_both(&c) > 500);
}

/* What is left of a sleep is passed later: another time, but it ends. */
static void
a_sleeper_may_lose_its_cpu(void **state)
{
	struct spin_case c = { .sc_first = 1,
		.sc_deadline_ns = NEVER,
		.sc_n = 2,
		.sc_waiters = 2,
		.sc_sleeper = 1,
		.sc_at_once = true };
	struct outcome o;

	(void)state;
	for (c.sc_hold_ps = 0; c.sc_hold_ps < NS(20000);
	     c.sc_hold_ps += NS(317)) {
		run(&c, &o);
		for (unsigned i = 1; i <= c.sc_waiters; i++)
			assert_true(
			    o.o_end_ps[i] >= VIRT_BEGIN_PS + c.sc_hold_ps);
		assert_true(
		    o.o_end_ps[2] <= VIRT_BEGIN_PS + c.sc_hold_ps + 5000000);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_write_ends_a_sleep_when_the_next_look_would_find_it),
		TEST(rounds_that_differ_are_all_made),
		TEST(siblings_write_too_and_change_what_rounds_take),
		TEST(a_deadline_ends_it_too),
		TEST(a_sleeper_may_lose_its_cpu),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
