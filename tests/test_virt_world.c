/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The world: order, time, sleeping and waking.  What threads of a sim do with it is
 * in test_virt_sim.c, and what it says when nobody can go on in test_virt_stuck.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/virtual/world.h"
#include "virt_util.h"

#define NCPUS     104u
#define NMARKS    20000u
#define NS(n)     (UINT64_C(1000) * (n))
#define US(n)     (UINT64_C(1000000) * (n))
#define NFIBERS   256u
#define HOPS      1000u
#define PAGE_SIZE 4096u

static struct preset pr;
static char *memory;
static struct vfiber *fibers[NFIBERS];

/* What fibers wrote down, in the order in which the host ran them. */
struct mark {
	unsigned m_who;
	uint64_t m_ps;
};
static struct mark marks[NMARKS];
static unsigned nmarks;

static void
mark(void)
{
	if (nmarks == NMARKS)
		return;
	marks[nmarks].m_who = virt_world.vw_fiber->fb_id;
	marks[nmarks++].m_ps = world_now_ps();
}

static void
begin(unsigned ncpus)
{
	struct virt_config vc = {
		.vc_preset = &pr,
		.vc_ncpus = ncpus,
		.vc_seed = 1,
	};
	struct preset_error pe;

	assert_int_equal(preset_open("clx-2s-104", &pr, &pe), 0);
	/* Nobody keeps a line: a transfer takes what the preset says. */
	assert_int_equal(preset_set(&pr, "line_hold=0", "test", &pe), 0);
	memory = virt_setup(&vc, NFIBERS * PAGE_SIZE);
	nmarks = 0;
}

static void
start(unsigned i, unsigned cpu, void (*fn)(void *), uint64_t arg)
{
	assert_int_equal(
	    world_create(cpu, fn, (void *)(uintptr_t)arg, &fibers[i]), 0);
}

/* n fibers, on CPUs first, first + step, ... in the round; joined. */
static void
run(unsigned n, unsigned first, unsigned step, void (*fn)(void *))
{
	for (unsigned i = 0; i < n; i++)
		start(i, (first + i * step) % virt_world.vw_ncpus, fn, i);
	for (unsigned i = 0; i < n; i++)
		world_join(fibers[i]);
}

static void
wait_until(uint64_t ps)
{
	while (world_now_ps() < ps)
		(void)world_block("its time", NULL, ps, NULL);
}

/*
 * Order.
 */

/* Events on one line, at intervals that differ from fiber to fiber. */
static void
touch_and_compute(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 50; i++) {
		world_access((uintptr_t)memory, LINE_RMW);
		mark();
		world_charge(VT_COMPUTE, NS(10 + n * 7 % 31));
		if (i % 16 == n % 16)
			world_access(
			    (uintptr_t)memory + n * PAGE_SIZE, LINE_WRITE);
	}
}

static uint64_t
run_touching(unsigned ncpus, unsigned n)
{
	uint64_t hash;

	begin(ncpus);
	run(n, 0, 1, touch_and_compute);
	hash = virt_event_hash();
	virt_end();
	return (hash);
}

static void
two_runs_are_the_same(void **state)
{
	uint64_t hash = run_touching(NCPUS, NCPUS);

	(void)state;
	assert_int_equal(nmarks, 50 * NCPUS);
	for (unsigned i = 0; i < 3; i++)
		assert_true(run_touching(NCPUS, NCPUS) == hash);
	assert_true(run_touching(NCPUS, NCPUS - 1) != hash);
	assert_true(run_touching(NCPUS - 1, NCPUS) != hash);
	/* More fibers than CPUs. */
	assert_true(run_touching(3, NFIBERS) == run_touching(3, NFIBERS));
	assert_true(run_touching(1, NFIBERS) == run_touching(1, NFIBERS));
}

static void
note_the_beginning(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 50; i++) {
		world_charge(VT_COMPUTE, NS(n * 13 % 17 + 1));
		if (!world_my_turn(virt_world.vw_cpu))
			world_order();
		mark();
	}
}

static void
events_are_in_the_order_of_clock_and_cpu(void **state)
{
	unsigned ties = 0;

	(void)state;
	begin(NCPUS);
	run(NCPUS - 1, 1, 1, note_the_beginning);
	assert_int_equal(nmarks, 50 * (NCPUS - 1));
	for (unsigned i = 1; i < nmarks; i++) {
		assert_true(marks[i].m_ps >= marks[i - 1].m_ps);
		if (marks[i].m_ps != marks[i - 1].m_ps)
			continue;
		ties++;
		/* CPU n has fiber n. */
		assert_true(marks[i].m_who > marks[i - 1].m_who);
	}
	assert_true(ties > 100);
}

/* Two CPUs that take a line from each other, as in a measurement. */
static void
ping(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < HOPS / 2; i++)
		world_access((uintptr_t)memory, LINE_RMW);
	mark();
}

static void
ping_pong_takes_what_the_preset_says(void **state)
{
	const uint64_t *prices[] = { &pr.pr_line_cluster_ps,
		&pr.pr_line_remote_ps, &pr.pr_line_smt_ps };
	const unsigned others[] = { 1, 52, 26 };
	uint64_t price, took;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		begin(NCPUS);
		price = *prices[i];
		run(2, 0, others[i], ping);
		assert_int_equal(nmarks, 2);
		took = marks[1].m_ps - VIRT_BEGIN_PS;
		/* The first access is of memory, and one CPU is woken. */
		assert_true(took >= price * (HOPS - 1));
		assert_true(took <= price * (HOPS - 1) + pr.pr_dram_remote_ps +
			2 * pr.pr_wake_remote_ps);
		virt_end();
	}
}

static uint64_t switches;

static void
own_memory(void *arg)
{
	uintptr_t p = (uintptr_t)memory + (uintptr_t)arg * PAGE_SIZE;

	world_access(p, LINE_WRITE);
	switches = virt_switches();
	for (unsigned i = 0; i < 10000; i++)
		world_access(p, i % 2 == 0 ? LINE_READ : LINE_WRITE);
	switches = virt_switches() - switches;
}

static void
hits_need_no_order(void **state)
{
	(void)state;
	begin(NCPUS);
	run(NCPUS, 0, 1, own_memory);
	assert_int_equal(switches, 0);
	/* All have ended: nobody is slowed by a sibling, but by main's. */
	for (unsigned i = 0; i < NCPUS; i++)
		assert_int_equal(virt_world.vw_cpus[i].vc_hit_ps,
		    line_distance(0, i) == VD_CORE
			? pr.pr_l1_hit_ps * pr.pr_smt_permille / 1000
			: pr.pr_l1_hit_ps);
	assert_true(virt_accesses() >= 10000 * NCPUS);
}

/*
 * Time.
 */

static void
untimed_time_stands_still(void **state)
{
	uint64_t hash;

	(void)state;
	begin(2);
	hash = virt_event_hash();
	world_charge(VT_COMPUTE, US(5));
	for (unsigned i = 0; i < 100; i++)
		world_access((uintptr_t)memory + i * PAGE_SIZE, LINE_RMW);
	assert_int_equal(world_now_ps(), VIRT_BEGIN_PS);
	assert_true(virt_event_hash() == hash);
	world_untimed(false);
	world_charge(VT_COMPUTE, US(5));
	assert_int_equal(world_now_ps(), VIRT_BEGIN_PS + US(5));
	world_access((uintptr_t)memory, LINE_RMW);
	assert_true(virt_event_hash() != hash);
	world_untimed(true);
	/* Who spins or yields waits for somebody: that takes time. */
	hash = world_now_ps();
	world_spin(3);
	assert_int_equal(world_now_ps(), hash + 3 * pr.pr_pause_ps);
	world_yield();
	assert_true(world_now_ps() > hash + 3 * pr.pr_pause_ps);
}

static struct vfiber *sleeper;
static uint64_t woke_ps, asked_ps;

static void
sleep_once(void *arg)
{
	(void)arg;
	sleeper = virt_world.vw_fiber;
	/* Who joins looks, on return, whether there was an end. */
	world_wake(virt_world.vw_fibers[0]);
	(void)world_block("a test", NULL, VIRT_NEVER, NULL);
	woke_ps = world_now_ps();
}

static void
wake_it(void *arg)
{
	wait_until(VIRT_BEGIN_PS + (uint64_t)(uintptr_t)arg);
	asked_ps = world_now_ps();
	world_wake(sleeper);
}

/* One fiber sleeps on a CPU, another wakes it at a time; how long that took. */
static uint64_t
wake_after(unsigned cpu, uint64_t ps)
{
	begin(4);
	start(0, 2, sleep_once, 0);
	start(1, cpu, wake_it, ps);
	world_join(fibers[0]);
	world_join(fibers[1]);
	virt_end();
	return (woke_ps - asked_ps);
}

static void
a_wakeup_takes_what_the_preset_says(void **state)
{
	(void)state;
	/* The waker goes on first, pays its half, and ends. */
	assert_int_equal(wake_after(2, US(100)), pr.pr_block_wake_same_ps / 2);
	assert_int_equal(wake_after(1, US(100)), pr.pr_wake_remote_ps);
	assert_int_equal(
	    wake_after(1, 2 * pr.pr_deep_after_ps), pr.pr_wake_deep_ps);
}

static bool in_time;

static void
sleep_until_deadline(void *arg)
{
	sleeper = virt_world.vw_fiber;
	in_time = world_block(
	    "a test", NULL, VIRT_BEGIN_PS + (uint64_t)(uintptr_t)arg, NULL);
	woke_ps = world_now_ps();
}

static void
a_deadline_ends_a_sleep(void **state)
{
	(void)state;
	begin(2);
	start(0, 1, sleep_until_deadline, US(40));
	world_join(fibers[0]);
	assert_false(in_time);
	assert_int_equal(woke_ps, VIRT_BEGIN_PS + US(40));
	/* Unless it is woken before. */
	start(0, 1, sleep_until_deadline, US(900));
	start(1, 0, wake_it, US(500));
	world_join(fibers[0]);
	world_join(fibers[1]);
	assert_true(in_time);
	assert_true(woke_ps < VIRT_BEGIN_PS + US(600));
}

static void
compute(void *arg)
{
	world_charge(VT_COMPUTE, (uint64_t)(uintptr_t)arg);
	mark();
}

static void
slices_take_turns(void **state)
{
	uint64_t slice, took;

	(void)state;
	begin(2);
	slice = pr.pr_slice_ps;
	/* Three that need two slices and a half each, on one CPU. */
	for (unsigned i = 0; i < 3; i++)
		start(i, 1, compute, slice * 5 / 2);
	for (unsigned i = 0; i < 3; i++)
		world_join(fibers[i]);
	assert_int_equal(nmarks, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(marks[i].m_who, fibers[i]->fb_id);
	/* They end half a slice after another: each has had its turns. */
	took = marks[2].m_ps - marks[0].m_ps;
	assert_true(took >= slice / 2 * 2 && took < slice + US(100));
	took = marks[2].m_ps - VIRT_BEGIN_PS;
	assert_true(took >= slice * 15 / 2);
	assert_true(took <= slice * 15 / 2 + 9 * pr.pr_context_switch_ps +
		2 * pr.pr_wake_remote_ps);
}

static void
yield_often(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 5; i++) {
		mark();
		world_yield();
	}
}

static void
yielding_lets_the_others_of_the_cpu_run(void **state)
{
	(void)state;
	begin(2);
	run(3, 1, 0, yield_often);
	assert_int_equal(nmarks, 15);
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(marks[i].m_who, fibers[i % 3]->fb_id);
}

static void
times_add_up(void **state)
{
	uint64_t sum;

	(void)state;
	begin(NCPUS);
	vstat_reset(VIRT_BEGIN_PS, 0);
	run(NCPUS - 1, 1, 1, touch_and_compute);
	for (unsigned i = 0; i < NCPUS - 1; i++) {
		sum = 0;
		for (unsigned t = 0; t < NVT; t++)
			sum += fibers[i]->fb_stat.vf_ps[0][t];
		assert_int_equal(
		    sum, fibers[i]->fb_cpu->vc_clock_ps - VIRT_BEGIN_PS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(two_runs_are_the_same, virt_teardown),
		cmocka_unit_test_teardown(
		    events_are_in_the_order_of_clock_and_cpu, virt_teardown),
		cmocka_unit_test_teardown(
		    ping_pong_takes_what_the_preset_says, virt_teardown),
		cmocka_unit_test_teardown(hits_need_no_order, virt_teardown),
		cmocka_unit_test_teardown(
		    untimed_time_stands_still, virt_teardown),
		cmocka_unit_test_teardown(
		    a_wakeup_takes_what_the_preset_says, virt_teardown),
		cmocka_unit_test_teardown(
		    a_deadline_ends_a_sleep, virt_teardown),
		cmocka_unit_test_teardown(slices_take_turns, virt_teardown),
		cmocka_unit_test_teardown(
		    yielding_lets_the_others_of_the_cpu_run, virt_teardown),
		cmocka_unit_test_teardown(times_add_up, virt_teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
