/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Atomic operations that come before their turn: nobody may see what is not yet.
 * Threads use locks of their own and, now and then, those of others.  Beside each
 * line stands here when it was written last: whoever comes after that in the
 * order of the host has to be done later in virtual time, too.
 *
 * Two errors of the model, which are not this one's, are kept out.  A sibling finds
 * a line in its core that is still on its way there: where there are siblings, only
 * they use each other's locks.  Who stands in line for a line reckons with the way
 * from where it is then: there is one socket, and all ways are the same.
 *
 * Lines are far apart, so that none is foreseen; what happens where they are in a row
 * has a test of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/virtual/explore_sched.h"
#include "sim/virtual/world.h"
#include "virt_util.h"

#define NCPUS  16u
#define NLINES 64u
#define NOPS   20000u
#define PAGE   4096u

static struct preset pr;
static char *memory;
static unsigned stride;
static uint64_t rng;

/* Of a line: what it holds was written then, and may be seen from then on. */
static uint64_t written_ps[NLINES];

/* Values that were seen before they were written. */
static unsigned unborn;
static uint64_t unborn_max_ps;

static uint64_t
next_random(void)
{
	return (ex_hash(rng++));
}

static void
begin(unsigned smt, uint64_t lookahead_permille, uint64_t seed)
{
	struct virt_config vc = { .vc_preset = &pr, .vc_ncpus = NCPUS };
	struct preset_error pe;

	assert_int_equal(preset_open("clx-2s-104", &pr, &pe), 0);
	pr.pr_smt = smt;
	pr.pr_sockets = 1;
	pr.pr_cores = NCPUS / smt;
	pr.pr_lookahead_permille = lookahead_permille;
	memory = virt_setup(&vc, (NLINES + NCPUS) * PAGE);
	memset(written_ps, 0, sizeof(written_ps));
	rng = seed << 32;
	unborn = 0;
	unborn_max_ps = 0;
	stride = PAGE;
}

/* It was done at begun_ps at the earliest, and has what it saw by now. */
static void
look(unsigned line, enum line_op op, uint64_t begun_ps)
{
	const struct vcpu *vc = virt_world.vw_cpu;
	uint64_t since = written_ps[line];

	/* A store sees nothing, and waits in the buffer for its line. */
	if (op != LINE_ATOMIC_WRITE && since > vc->vc_clock_ps) {
		unborn++;
		if (since - vc->vc_clock_ps > unborn_max_ps)
			unborn_max_ps = since - vc->vc_clock_ps;
	}
	if (op != LINE_ATOMIC_READ)
		written_ps[line] = begun_ps;
}

static void
use(unsigned line, enum line_op op)
{
	struct vcpu *vc = virt_world.vw_cpu;
	uint64_t cost;

	world_access((uintptr_t)memory + line * stride, op);
	/* What is no hit came when it was there; a hit took so long at least. */
	cost = op == LINE_RMW ? vc->vc_rmw_ps : vc->vc_hit_ps;
	look(line, op, vc->vc_clock_ps - cost);
}

/* Of any CPU, or of the sibling. */
static unsigned
another_line(unsigned self, unsigned r)
{
	const struct vcpu *vc = &virt_world.vw_cpus[self];

	if (vc->vc_nsiblings == 0)
		return (r % NLINES);
	return (vc->vc_siblings[0] + NCPUS * (r % 4));
}

static void
use_locks(void *arg)
{
	unsigned self = (unsigned)(uintptr_t)arg;
	const char *own = memory + (NLINES + self) * PAGE;
	static const enum line_op ops[] = { LINE_RMW, LINE_ATOMIC_READ,
		LINE_ATOMIC_WRITE, LINE_RMW };

	for (unsigned i = 0; i < NOPS; i++) {
		uint64_t r = next_random();
		unsigned line = self + NCPUS * (unsigned)(r >> 8 & 3);

		if (r % 64 == 0)
			line = another_line(self, (unsigned)(r >> 16));
		use(line, ops[r >> 40 & 3]);
		for (r = r >> 48 & 31; r > 0; r--)
			world_access((uintptr_t)own, LINE_READ);
	}
}

/* The own ones, in a row with those of others; now and then all are looked at. */
static void
scan_locks(void *arg)
{
	unsigned self = (unsigned)(uintptr_t)arg;
	const char *own = memory + (NLINES + self) * PAGE;

	for (unsigned i = 0; i < NOPS; i++) {
		uint64_t r = next_random();

		if (r % 256 == 0) {
			for (unsigned line = 0; line < NLINES; line++)
				use(line, LINE_ATOMIC_READ);
		} else {
			use(self * (NLINES / NCPUS) +
				(unsigned)(r >> 8) % (NLINES / NCPUS),
			    LINE_RMW);
		}
		for (r = r >> 48 & 31; r > 0; r--)
			world_access((uintptr_t)own, LINE_READ);
	}
}

static void
run_all(void (*fn)(void *))
{
	struct vfiber *fibers[NCPUS];

	for (unsigned i = 0; i < NCPUS; i++)
		assert_int_equal(
		    world_create(i, fn, (void *)(uintptr_t)i, &fibers[i]), 0);
	for (unsigned i = 0; i < NCPUS; i++)
		world_join(fibers[i]);
}

static uint64_t
run(unsigned smt, uint64_t lookahead_permille, uint64_t seed)
{
	uint64_t switches;

	begin(smt, lookahead_permille, seed);
	run_all(use_locks);
	switches = virt_switches();
	virt_end();
	return (switches);
}

static void
nobody_sees_what_is_not_yet(void **state)
{
	(void)state;
	for (unsigned smt = 1; smt <= 2; smt++) {
		for (uint64_t seed = 1; seed <= 4; seed++) {
			(void)run(smt, 0, seed);
			assert_int_equal(unborn, 0);
			(void)run(smt, 1000, seed);
			assert_int_equal(unborn, 0);
		}
	}
}

/* That is because of the shortest way of a line. */
static void
with_too_much_lookahead_somebody_does(void **state)
{
	(void)state;
	for (unsigned smt = 1; smt <= 2; smt++) {
		(void)run(smt, 20000, 1);
		assert_true(unborn > 0);
	}
}

/* Returns the lookahead. */
static uint64_t
scan(uint64_t lookahead_permille)
{
	uint64_t ps;

	begin(1, lookahead_permille, 1);
	stride = ARENA_LINE;
	ps = virt_world.vw_lookahead_ps;
	run_all(scan_locks);
	virt_end();
	return (ps);
}

/* A line that is foreseen comes sooner than the shortest way takes. */
static void
who_foresees_may_see_it_less_than_the_lookahead_too_soon(void **state)
{
	uint64_t lookahead_ps;

	(void)state;
	(void)scan(0);
	assert_int_equal(unborn, 0);
	lookahead_ps = scan(1000);
	assert_true(unborn > 0);
	assert_true(unborn_max_ps < lookahead_ps);
}

static void
most_switches_are_saved(void **state)
{
	(void)state;
	assert_true(2 * run(1, 1000, 1) < run(1, 0, 1));
}

static void
two_runs_with_lookahead_are_the_same(void **state)
{
	uint64_t switches = run(2, 1000, 7);

	(void)state;
	assert_true(run(2, 1000, 7) == switches);
	assert_true(run(2, 1000, 8) != switches);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
		    nobody_sees_what_is_not_yet, virt_teardown),
		cmocka_unit_test_teardown(
		    with_too_much_lookahead_somebody_does, virt_teardown),
		cmocka_unit_test_teardown(
		    who_foresees_may_see_it_less_than_the_lookahead_too_soon,
		    virt_teardown),
		cmocka_unit_test_teardown(
		    most_switches_are_saved, virt_teardown),
		cmocka_unit_test_teardown(
		    two_runs_with_lookahead_are_the_same, virt_teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
