/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The strategies, on programs that are numbers: fiber i takes steps_of[i] steps,
 * each of them a point.  What is counted can be computed.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/virtual/explore_sched.h"

#define TRACE_MAX 64

struct program {
	unsigned p_nfibers;
	unsigned p_steps[EX_FIBERS_MAX];
};

struct run {
	unsigned r_done[EX_FIBERS_MAX];
	unsigned r_n;
	uint8_t r_trace[TRACE_MAX]; /* who took the n-th step */
};

static struct ex_sched *
sched(const char *text)
{
	struct ex_strategy es;
	struct ex_sched *xs;

	assert_int_equal(ex_strategy_parse(text, &es), 0);
	assert_int_equal(ex_sched_create(&es, &xs), 0);
	return (xs);
}

static uint32_t
ready(const struct program *p, const struct run *r)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < p->p_nfibers; i++) {
		if (r->r_done[i] < p->p_steps[i])
			set |= UINT32_C(1) << i;
	}
	return (set);
}

/* Self is about to take a step, or has none left: who goes on? */
static unsigned
ask(struct ex_sched *xs, uint32_t set, unsigned self)
{
	struct ex_point xp = { .xp_ready = set, .xp_self = self };
	unsigned fiber;

	xp.xp_forced = (set & (UINT32_C(1) << self)) == 0;
	xp.xp_default = xp.xp_forced ? (unsigned)__builtin_ctz(set) : self;
	if ((set & (set - 1)) == 0)
		return (xp.xp_default);
	fiber = ex_sched_choose(xs, &xp);
	assert_true((set & (UINT32_C(1) << fiber)) != 0);
	return (fiber);
}

static void
play(struct ex_sched *xs, const struct program *p, uint64_t seed,
    unsigned npoints, struct run *r)
{
	unsigned self = EX_FIBERS_MAX;
	uint32_t set;

	*r = (struct run){ .r_n = 0 };
	ex_sched_begin(xs, seed, npoints);
	while ((set = ready(p, r)) != 0) {
		self = ask(xs, set, self);
		r->r_done[self]++;
		assert_true(r->r_n < TRACE_MAX);
		r->r_trace[r->r_n++] = (uint8_t)self;
	}
}

/*
 * bounded
 */

static uint64_t
choose(unsigned n, unsigned k)
{
	uint64_t c = 1;

	if (k > n)
		return (0);
	for (unsigned i = 0; i < k; i++)
		c = c * (n - i) / (i + 1);
	return (c);
}

/*
 * Schedules of two fibers with a and b steps and at most p preemptions.  One in
 * r pieces has r - 1 switches, and one of them is not a preemption: where the
 * first of the two ends.
 */
static uint64_t
schedules(unsigned a, unsigned b, unsigned p)
{
	uint64_t n = 0;

	for (unsigned r = 2; r <= p + 2; r++) {
		unsigned k = r / 2;

		if (r % 2 == 0)
			n += 2 * choose(a - 1, k - 1) * choose(b - 1, k - 1);
		else
			n += choose(a - 1, k) * choose(b - 1, k - 1) +
			    choose(a - 1, k - 1) * choose(b - 1, k);
	}
	return (n);
}

static int
compare_runs(const void *a, const void *b)
{
	return (memcmp(a, b, sizeof(struct run)));
}

/* All schedules; how many of them are different. */
static uint64_t
walk(const char *strategy, const struct program *p, uint64_t *runsp)
{
	struct ex_sched *xs = sched(strategy);
	uint64_t different = 0, n = 0;
	struct run *runs = NULL;

	do {
		runs = realloc(runs, (n + 1) * sizeof(*runs));
		assert_non_null(runs);
		play(xs, p, 0, 0, &runs[n]);
		n++;
	} while (ex_sched_next(xs));
	assert_false(ex_sched_diverged(xs));
	ex_sched_destroy(xs);
	qsort(runs, n, sizeof(*runs), compare_runs);
	for (uint64_t i = 0; i < n; i++) {
		if (i == 0 || compare_runs(&runs[i], &runs[i - 1]) != 0)
			different++;
	}
	free(runs);
	if (runsp != NULL)
		*runsp = n;
	return (different);
}

static void
bounded_visits_each_schedule(void **state)
{
	static const unsigned sizes[][2] = { { 1, 1 }, { 3, 4 }, { 6, 6 },
		{ 9, 2 }, { 12, 12 } };
	static const char *const bounds[] = { "bounded:0", "bounded:1",
		"bounded:2", "bounded:3" };
	uint64_t runs, sum;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const struct program p = { 2, { sizes[i][0], sizes[i][1] } };

		sum = 0;
		for (unsigned bound = 0; bound < 4; bound++) {
			assert_int_equal(walk(bounds[bound], &p, &runs),
			    schedules(sizes[i][0], sizes[i][1], bound));
			/* Nothing twice, but for smaller bounds. */
			if (sizes[i][0] > bound && sizes[i][1] > bound) {
				sum +=
				    schedules(sizes[i][0], sizes[i][1], bound);
				assert_int_equal(runs, sum);
			}
		}
	}
}

static void
bounded_without_a_bound_visits_all(void **state)
{
	const struct program two = { 2, { 6, 7 } };
	const struct program three = { 3, { 3, 3, 3 } };
	const struct program four = { 4, { 2, 2, 2, 2 } };

	(void)state;
	assert_int_equal(walk("bounded:100", &two, NULL), choose(13, 6));
	/* 9! / (3! 3! 3!), and 8! / 2!^4. */
	assert_int_equal(walk("bounded:100", &three, NULL), 1680);
	assert_int_equal(walk("bounded:100", &four, NULL), 2520);
}

/* Part i of n of a search: its runs are added to those there are. */
static uint64_t
walk_part(const char *strategy, const struct program *p, unsigned i, unsigned n,
    struct run **runsp, uint64_t nruns)
{
	struct ex_sched *xs = sched(strategy);
	struct run r;

	ex_sched_part(xs, i, n);
	do {
		play(xs, p, 0, 0, &r);
		*runsp = realloc(*runsp, (nruns + 1) * sizeof(r));
		assert_non_null(*runsp);
		(*runsp)[nruns++] = r;
	} while (ex_sched_next(xs));
	ex_sched_destroy(xs);
	return (nruns);
}

static void
parts_of_a_search_are_all_of_it(void **state)
{
	const struct program p = { 3, { 3, 3, 3 } };
	uint64_t all, different, n, none, whole;
	struct run *runs;

	(void)state;
	none = walk("bounded:0", &p, NULL);
	all = walk("bounded:2", &p, &whole);
	for (unsigned nparts = 1; nparts <= 5; nparts++) {
		runs = NULL;
		n = 0;
		different = 0;
		for (unsigned i = 0; i < nparts; i++)
			n = walk_part("bounded:2", &p, i, nparts, &runs, n);
		qsort(runs, n, sizeof(*runs), compare_runs);
		for (uint64_t i = 0; i < n; i++) {
			if (i == 0 || compare_runs(&runs[i], &runs[i - 1]) != 0)
				different++;
		}
		free(runs);
		assert_int_equal(different, all);
		/* All bounds have those with no preemption in them. */
		assert_in_range(n, whole, whole + 3 * (nparts - 1) * none);
	}
}

static void
bounded_tries_few_preemptions_first(void **state)
{
	const struct program p = { 2, { 5, 5 } };
	struct ex_sched *xs = sched("bounded:3");
	struct run r;
	uint64_t n = 0;

	(void)state;
	do {
		play(xs, &p, 0, 0, &r);
		n++;
		if (n == 1)
			assert_int_equal(ex_sched_bound(xs), 0);
	} while (ex_sched_next(xs) && ex_sched_bound(xs) == 0);
	assert_int_equal(n, 2);
	assert_int_equal(ex_sched_bound(xs), 1);
	ex_sched_restart(xs);
	assert_int_equal(ex_sched_bound(xs), 0);
	n = 0;
	do {
		play(xs, &p, 0, 0, &r);
		n++;
	} while (ex_sched_next(xs));
	for (unsigned bound = 0; bound < 4; bound++)
		n -= schedules(5, 5, bound);
	assert_int_equal(n, 0);
	ex_sched_destroy(xs);
}

static void
bounded_notices_a_program_that_changes(void **state)
{
	const struct program p = { 2, { 3, 3 } }, q = { 2, { 1, 3 } };
	struct ex_sched *xs = sched("bounded:2");
	struct run r;
	bool diverged = false;

	(void)state;
	play(xs, &p, 0, 0, &r);
	for (unsigned i = 0; i < 12 && ex_sched_next(xs); i++) {
		play(xs, i % 2 == 0 ? &q : &p, 0, 0, &r);
		diverged = diverged || ex_sched_diverged(xs);
	}
	assert_true(diverged);
	ex_sched_destroy(xs);
}

/*
 * pct
 */

/* How many of n seeds make a run in which the two traces are the same. */
static unsigned
hits(const char *strategy, const struct program *p, unsigned n,
    bool (*bug)(const struct run *r))
{
	struct ex_sched *xs = sched(strategy);
	unsigned hit = 0, npoints = 0;
	struct run r;

	for (unsigned i = 0; i < p->p_nfibers; i++)
		npoints += p->p_steps[i];
	for (unsigned seed = 0; seed < n; seed++) {
		play(xs, p, seed, npoints, &r);
		if (bug(&r))
			hit++;
	}
	ex_sched_destroy(xs);
	return (hit);
}

/* Fiber 1 ends before fiber 0 begins: one ordering. */
static bool
depth_one(const struct run *r)
{
	const uint8_t *first = memchr(r->r_trace, 0, r->r_n);

	return (
	    memchr(first, 1, r->r_n - (size_t)(first - r->r_trace)) == NULL);
}

static int
place_of(const struct run *r, unsigned fiber, unsigned step)
{
	for (unsigned i = 0; i < r->r_n; i++) {
		if (r->r_trace[i] == fiber && step-- == 0)
			return ((int)i);
	}
	return (-1);
}

/* All of fiber 1 between two certain steps of fiber 0: two orderings. */
static bool
depth_two(const struct run *r)
{
	return (place_of(r, 0, 4) < place_of(r, 1, 0) &&
	    place_of(r, 1, 9) < place_of(r, 0, 5));
}

/* Fiber 0 for a while, fiber 1 for a while, fiber 0 for a while: three. */
static bool
depth_three(const struct run *r)
{
	return (place_of(r, 0, 2) < place_of(r, 1, 0) &&
	    place_of(r, 1, 4) < place_of(r, 0, 3) &&
	    place_of(r, 0, 6) < place_of(r, 1, 5));
}

/* Fiber 2 within fiber 1 within fiber 0: four. */
static bool
depth_four(const struct run *r)
{
	return (place_of(r, 0, 4) < place_of(r, 1, 0) &&
	    place_of(r, 1, 2) < place_of(r, 2, 0) &&
	    place_of(r, 2, 3) < place_of(r, 1, 3) &&
	    place_of(r, 1, 9) < place_of(r, 0, 5));
}

static void
pct_finds_a_bug_of_its_depth_as_often_as_it_promises(void **state)
{
	const struct program two = { 2, { 10, 10 } };
	const struct program three = { 3, { 10, 10, 4 } };
	const unsigned n = 200000;

	(void)state;
	/* 1/n, 1/(n k), 1/(n k^2): and some less, for chance. */
	assert_true(hits("pct:1", &two, n, depth_one) >= n / 2 * 9 / 10);
	assert_true(hits("pct:2", &two, n, depth_two) >= n / 40 * 9 / 10);
	assert_true(hits("pct:3", &two, n, depth_three) >= n / 800 * 8 / 10);
	/* Better than 1/(n k^3), since two of the orderings are one change. */
	assert_true(hits("pct:3", &three, n, depth_four) >= n / 3456 / 2);
	/* With one change less there is none. */
	assert_int_equal(hits("pct:1", &two, n, depth_two), 0);
	assert_int_equal(hits("pct:2", &two, n, depth_three), 0);
	assert_int_equal(hits("pct:2", &three, n, depth_four), 0);
}

static void
pct_lets_those_go_on_for_whom_somebody_spins(void **state)
{
	struct ex_sched *xs = sched("pct:1");
	struct ex_point xp = {
		.xp_ready = 7, .xp_forced = true, .xp_yields = true
	};
	unsigned seen;

	(void)state;
	/* Two that spin in turns do not keep out the third. */
	for (unsigned seed = 0; seed < 50; seed++) {
		ex_sched_begin(xs, seed, 10);
		xp.xp_self = 0;
		seen = 0;
		for (unsigned i = 0; i < 3; i++) {
			xp.xp_default = xp.xp_self;
			xp.xp_self = ex_sched_choose(xs, &xp);
			seen |= 1u << xp.xp_self;
		}
		assert_int_equal(seen, 7);
	}
	ex_sched_destroy(xs);
}

/*
 * random
 */

static void
random_is_uniform(void **state)
{
	struct ex_sched *xs = sched("random");
	const struct ex_point xp = { .xp_ready = 0x16, .xp_self = 1 };
	unsigned count[EX_FIBERS_MAX] = { 0 };

	(void)state;
	for (unsigned seed = 0; seed < 3000; seed++) {
		ex_sched_begin(xs, seed, 0);
		for (unsigned i = 0; i < 10; i++)
			count[ex_sched_choose(xs, &xp)]++;
	}
	/* 10000 each; the standard deviation is 82. */
	for (unsigned i = 0; i < EX_FIBERS_MAX; i++) {
		if ((0x16u >> i & 1) != 0)
			assert_in_range(count[i], 9590, 10410);
		else
			assert_int_equal(count[i], 0);
	}
	ex_sched_destroy(xs);
}

static void
random_by_n_mostly_goes_on(void **state)
{
	struct ex_sched *xs = sched("random:10");
	const struct ex_point xp = {
		.xp_ready = 6, .xp_self = 1, .xp_default = 1
	};
	unsigned other = 0;

	(void)state;
	ex_sched_begin(xs, 1, 0);
	for (unsigned i = 0; i < 20000; i++)
		other += ex_sched_choose(xs, &xp) == 2;
	/* 1 of 20: 1000, standard deviation 31. */
	assert_in_range(other, 845, 1155);
	ex_sched_destroy(xs);
}

static void
a_seed_is_a_run(void **state)
{
	static const char *const strategies[] = { "random", "pct:3", "mix",
		"random:4" };
	const struct program p = { 3, { 9, 9, 9 } };
	unsigned different;
	struct run a, b, first;

	(void)state;
	for (size_t i = 0; i < sizeof(strategies) / sizeof(strategies[0]);
	     i++) {
		struct ex_sched *xs = sched(strategies[i]);
		struct ex_sched *ys = sched(strategies[i]);

		different = 0;
		for (unsigned seed = 0; seed < 40; seed++) {
			play(xs, &p, seed, 27, &a);
			play(ys, &p, 99 - seed, 27, &b);
			play(ys, &p, seed, 27, &b);
			assert_memory_equal(&a, &b, sizeof(a));
			if (seed == 0)
				first = a;
			else if (compare_runs(&a, &first) != 0)
				different++;
			assert_true(ex_sched_next(xs));
		}
		assert_true(different > 20);
		ex_sched_destroy(xs);
		ex_sched_destroy(ys);
	}
}

static void
names_are_read_and_printed(void **state)
{
	static const char *const good[][2] = { { "random", "random:1" },
		{ "random:8", "random:8" }, { "pct", "pct:3" },
		{ "pct:1", "pct:1" }, { "bounded:0", "bounded:0" },
		{ "bounded", "bounded:2" }, { "mix", "mix" } };
	static const char *const bad[] = { "", "rand", "randoms",
		"pct:", "pct:0", "pct:x", "pct:3x", "pct:-1", "pct: 3", "mix:1",
		"bounded:1001", "random:99999999999999999999" };
	struct ex_strategy es;
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(ex_strategy_parse(good[i][0], &es), 0);
		assert_string_equal(
		    ex_strategy_text(&es, buf, sizeof(buf)), good[i][1]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ex_strategy_parse(bad[i], &es), EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounded_visits_each_schedule),
		cmocka_unit_test(bounded_without_a_bound_visits_all),
		cmocka_unit_test(parts_of_a_search_are_all_of_it),
		cmocka_unit_test(bounded_tries_few_preemptions_first),
		cmocka_unit_test(bounded_notices_a_program_that_changes),
		cmocka_unit_test(
		    pct_finds_a_bug_of_its_depth_as_often_as_it_promises),
		cmocka_unit_test(pct_lets_those_go_on_for_whom_somebody_spins),
		cmocka_unit_test(random_is_uniform),
		cmocka_unit_test(random_by_n_mostly_goes_on),
		cmocka_unit_test(a_seed_is_a_run),
		cmocka_unit_test(names_are_read_and_printed),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
