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

uint64_t __tsan_atomic64_load(const uint64_t *a, int order);
void __tsan_atomic64_store(uint64_t *a, uint64_t v, int order);

/* What is run, and what came of it. */
struct spin_case {
	bool sc_at_once;
	unsigned sc_n; /* units between looks */
	uint64_t sc_hold_ns;
	uint64_t sc_deadline_ns; /* after the beginning */
	unsigned sc_waiters;     /* on CPUs 1 and up; 0 writes */
	bool sc_two_words;       /* the second one is written */
	bool sc_preempted;       /* one more fiber on CPU 1 */
};
struct outcome {
	uint64_t o_end_ps[NCPUS];
	uint64_t o_accesses;
};

static struct preset pr;
static const struct spin_case *sc;
static struct outcome *out;
static uint64_t *words[2]; /* a line each */

static uint64_t
clock_ns(void)
{
	return (sim_native_ops->so_clock_ns(NULL));
}

static void
write_after_hold(void *arg)
{
	(void)arg;
	world_charge(VT_COMPUTE, sc->sc_hold_ns * 1000);
	__tsan_atomic64_store(words[sc->sc_two_words], 1, __ATOMIC_RELEASE);
	/* Soon after, so that late ones find the line elsewhere. */
	world_charge(VT_COMPUTE, 300000);
	__tsan_atomic64_store(words[sc->sc_two_words], 2, __ATOMIC_RELEASE);
	out->o_end_ps[0] = world_now_ps();
}

static void
spin_until_written(void *arg)
{
	uint64_t deadline = sc->sc_deadline_ns == NEVER
	    ? NEVER
	    : VIRT_BEGIN_PS / 1000 + sc->sc_deadline_ns;

	for (;;) {
		if (__tsan_atomic64_load(words[0], __ATOMIC_ACQUIRE) != 0 ||
		    (sc->sc_two_words &&
			__tsan_atomic64_load(words[1], __ATOMIC_ACQUIRE) != 0))
			break;
		if (clock_ns() >= deadline)
			break;
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
	p = arena_get(4096, 0);
	words[0] = (uint64_t *)(void *)p;
	words[1] = (uint64_t *)(void *)(p + 1024);
	assert_int_equal(world_create(0, write_after_hold, NULL, &fb[0]), 0);
	for (uintptr_t i = 1; i < n; i++)
		assert_int_equal(world_create((unsigned)i, spin_until_written,
				     (void *)i, &fb[i]),
		    0);
	if (c->sc_preempted) {
		assert_int_equal(world_create(1, sleep_and_compute,
				     (void *)(uintptr_t)n, &fb[n]),
		    0);
		n++;
	}
	for (unsigned i = 0; i < n; i++)
		world_join(fb[i]);
	o->o_accesses = virt_accesses();
	virt_end();
}

/* Returns how many accesses were left out. */
static uint64_t
run_both(struct spin_case *c)
{
	struct outcome at_once, rounds;

	c->sc_at_once = false;
	run(c, &rounds);
	c->sc_at_once = true;
	run(c, &at_once);
	for (unsigned i = 0; i < NCPUS; i++)
		assert_int_equal(at_once.o_end_ps[i], rounds.o_end_ps[i]);
	assert_true(at_once.o_accesses <= rounds.o_accesses);
	return (rounds.o_accesses - at_once.o_accesses);
}

/* On a host without SMT. */
static int
setup(void **state)
{
	struct preset_error pe;

	(void)state;
	if (preset_open("clx-2s-104", &pr, &pe) != 0)
		return (1);
	pr.pr_slice_ps = 5000000;
	return (0);
}

static void
a_write_ends_a_sleep_when_the_next_look_would_find_it(void **state)
{
	struct spin_case c = { .sc_deadline_ns = NEVER };

	(void)state;
	for (c.sc_n = 1; c.sc_n < 60; c.sc_n += 19) {
		for (c.sc_waiters = 1; c.sc_waiters < 6; c.sc_waiters += 2) {
			for (c.sc_hold_ns = 0; c.sc_hold_ns < 9000;
			     c.sc_hold_ns += 61)
				(void)run_both(&c);
		}
	}
	/* Long holds cost few accesses. */
	c.sc_n = 1;
	c.sc_waiters = 5;
	c.sc_hold_ns = 100000;
	assert_true(run_both(&c) > 5000);
}

static void
so_does_a_write_of_the_second_word(void **state)
{
	struct spin_case c = { .sc_deadline_ns = NEVER,
		.sc_n = 3,
		.sc_waiters = 4,
		.sc_two_words = true };

	(void)state;
	for (c.sc_hold_ns = 0; c.sc_hold_ns < 9000; c.sc_hold_ns += 17)
		(void)run_both(&c);
}

static void
a_deadline_ends_it_too(void **state)
{
	struct spin_case c = {
		.sc_n = 2, .sc_waiters = 3, .sc_hold_ns = 30000
	};

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
	struct spin_case c = { .sc_deadline_ns = NEVER,
		.sc_n = 2,
		.sc_waiters = 2,
		.sc_preempted = true,
		.sc_at_once = true };
	struct outcome o;

	(void)state;
	for (c.sc_hold_ns = 0; c.sc_hold_ns < 20000; c.sc_hold_ns += 317) {
		run(&c, &o);
		for (unsigned i = 1; i <= c.sc_waiters; i++)
			assert_true(o.o_end_ps[i] >=
			    VIRT_BEGIN_PS + c.sc_hold_ns * 1000);
		assert_true(o.o_end_ps[2] <=
		    VIRT_BEGIN_PS + c.sc_hold_ns * 1000 + 5000000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_write_ends_a_sleep_when_the_next_look_would_find_it),
		cmocka_unit_test(so_does_a_write_of_the_second_word),
		cmocka_unit_test(a_deadline_ends_it_too),
		cmocka_unit_test(a_sleeper_may_lose_its_cpu),
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
