/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/virtual/stats.h"

/* Four CPUs: two cores of two, each in a socket of its own. */
static enum vstat_dist
distance(unsigned cpu, unsigned other)
{
	if (cpu == other)
		return (VD_SELF);
	return (cpu / 2 == other / 2 ? VD_CORE : VD_REMOTE);
}

/* The first fiber is the one that waits for the others. */
static int
setup(void **state)
{
	static struct vstat_fiber fibers[3];

	vstat_begin(distance);
	for (size_t i = 0; i < 3; i++)
		vstat_fiber_init(&fibers[i]);
	*state = fibers;
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	vstat_end();
	return (0);
}

static void
time_goes_to_the_lock_that_is_waited_for(void **state)
{
	static uint64_t ps[VSTAT_CLASSES][NVT];
	struct vstat_fiber *vf = *state;
	char other[] = "b";

	vstat_reset(1000, 0);
	vstat_time(&vf[0], VT_BLOCKED, 77);
	vstat_time(&vf[1], VT_COMPUTE, 10);
	vstat_waits(&vf[1], "a", 1010);
	vstat_time(&vf[1], VT_SPIN, 5);
	vstat_waits(&vf[1], NULL, 1015);
	vstat_time(&vf[1], VT_HIT, 1);
	vstat_waits(&vf[2], "b", 1000);
	vstat_time(&vf[2], VT_QUEUE, 3);
	/* The same text at another address is the same class. */
	vstat_waits(&vf[1], other, 1016);
	vstat_time(&vf[1], VT_QUEUE, 4);
	vstat_freeze();
	vstat_stack(ps);
	assert_int_equal(vstat.vs_nclasses, 3);
	assert_int_equal(ps[0][VT_COMPUTE], 10);
	assert_int_equal(ps[0][VT_HIT], 1);
	assert_int_equal(ps[0][VT_BLOCKED], 0);
	assert_string_equal(vstat.vs_class[1].vc_name, "a");
	assert_int_equal(ps[1][VT_SPIN], 5);
	assert_string_equal(vstat.vs_class[2].vc_name, "b");
	assert_int_equal(ps[2][VT_QUEUE], 7);
}

static void
what_began_before_the_reset_is_left_out(void **state)
{
	static uint64_t ps[VSTAT_CLASSES][NVT];
	struct vstat_fiber *vf = *state;

	vstat_time(&vf[1], VT_COMPUTE, 500);
	vstat_reset(1000, 0);
	vstat_span(&vf[1], VT_BLOCKED, 400, 1300);
	vstat_span(&vf[1], VT_READY, 1300, 1350);
	vstat_span(&vf[1], VT_READY, 100, 900);
	vstat_stack(ps);
	assert_int_equal(ps[0][VT_COMPUTE], 0);
	assert_int_equal(ps[0][VT_BLOCKED], 0);
	assert_int_equal(ps[0][VT_READY], 50);
}

static void
a_wait_is_spread_over_its_intervals(void **state)
{
	struct vstat_fiber *vf = *state;
	const struct vstat_class *vc;

	/* 10 ps an interval. */
	vstat_reset(1000, VSTAT_INTERVALS * 10);
	vstat_waits(&vf[1], "a", 1005);
	vstat_waits(&vf[1], NULL, 1027);
	vstat_waits(&vf[2], "a", 990);
	vstat_waits(&vf[2], NULL, 1001);
	/* Past the end: what is not measured is not shown. */
	vstat_waits(&vf[1], "a", 1000 + VSTAT_INTERVALS * 10 - 1);
	vstat_waits(&vf[1], NULL, 5000);
	vc = &vstat.vs_class[1];
	assert_int_equal(vc->vc_waits, 3);
	assert_int_equal(vc->vc_waited_ps[0], 5 + 1);
	assert_int_equal(vc->vc_waited_ps[1], 10);
	assert_int_equal(vc->vc_waited_ps[2], 7);
	assert_int_equal(vc->vc_waited_ps[3], 0);
	assert_int_equal(vc->vc_waited_ps[VSTAT_INTERVALS - 1], 1);
	vstat_freeze();
	vstat_waits(&vf[1], "a", 1000);
	vstat_waits(&vf[1], NULL, 1010);
	assert_int_equal(vc->vc_waits, 3);
}

static void
handoffs_are_told_by_distance(void **state)
{
	const struct vstat_class *vc = &vstat.vs_class[1];
	static char keys[20000];

	(void)state;
	vstat_owns(1, "a", &keys[0]); /* before: who had it is known */
	vstat_reset(0, 0);
	vstat_owns(1, "a", &keys[0]);
	vstat_owns(0, "a", &keys[0]);
	vstat_owns(3, "a", &keys[0]);
	vstat_owns(3, "a", &keys[1]); /* another lock: its first owner */
	vstat_owns(2, "a", &keys[0]);
	assert_int_equal(vc->vc_handoffs[VD_SELF], 1);
	assert_int_equal(vc->vc_handoffs[VD_CORE], 2);
	assert_int_equal(vc->vc_handoffs[VD_REMOTE], 1);
	assert_int_equal(vc->vc_first, 1);
	/* Many locks: the table grows and forgets none. */
	for (size_t i = 0; i < sizeof(keys); i++)
		vstat_owns((unsigned)i % 4, "b", &keys[i]);
	for (size_t i = 0; i < sizeof(keys); i++)
		vstat_owns((unsigned)i % 4, "c", &keys[i]);
	vc = &vstat.vs_class[3];
	assert_int_equal(vc->vc_handoffs[VD_SELF], sizeof(keys));
	assert_int_equal(vc->vc_first, 0);
}

static void
more_classes_than_there_is_room_for_share_the_last(void **state)
{
	static char names[VSTAT_CLASSES + 5][8];
	struct vstat_fiber *vf = *state;

	vstat_reset(0, 0);
	for (size_t i = 0; i < VSTAT_CLASSES + 5; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "n%zu", i);
		vstat_waits(&vf[1], names[i], i);
	}
	assert_int_equal(vstat.vs_nclasses, VSTAT_CLASSES);
	assert_string_equal(
	    vstat.vs_class[VSTAT_CLASSES - 1].vc_name, "others");
	assert_int_equal(vf[1].vf_class, VSTAT_CLASSES - 1);
}

static void
the_hottest_lines_come_first(void **state)
{
	struct vstat_line lines[3], sum;
	uint32_t index[5000] = { 0 };

	(void)state;
	vstat_miss(&index[0], 0x40, 0, VD_CORE, false, true, 9, 9);
	assert_int_equal(index[0], 0); /* nothing is on */
	vstat_reset(0, 0);
	for (uint32_t i = 0; i < 5000; i++)
		vstat_miss(&index[i], i * 64, 1, VD_REMOTE, false, false, 1, 0);
	vstat_miss(&index[7], 7 * 64 + 16, 0, VD_CORE, false, true, 50, 20);
	vstat_miss(&index[7], 7 * 64 + 23, 3, VD_REMOTE, true, true, 50, 20);
	vstat_miss(&index[4999], 4999 * 64, 2, VD_SELF, false, true, 30, 0);
	assert_int_equal(vstat_hottest(lines, 3), 3);
	assert_int_equal(lines[0].vl_line, 7 * 64);
	assert_int_equal(lines[0].vl_ps, 101);
	assert_int_equal(lines[0].vl_queue_ps, 40);
	assert_int_equal(lines[0].vl_word[0], 1);
	assert_int_equal(lines[0].vl_word[2], 2);
	assert_int_equal(lines[0].vl_writes, 2);
	assert_int_equal(lines[0].vl_memory, 1);
	assert_int_equal(lines[0].vl_writer[0], 4);
	assert_int_equal(lines[0].vl_writer[1], 1);
	assert_int_equal(lines[1].vl_line, 4999 * 64);
	/* Equal ones by address. */
	assert_int_equal(lines[2].vl_line, 0);
	vstat_lines_sum(&sum);
	assert_int_equal(sum.vl_ps, 5000 + 130);
	assert_int_equal(sum.vl_from[VD_REMOTE], 5001);
	assert_int_equal(sum.vl_from[VD_CORE], 1);
	/* A new interval: the lines are known, their numbers are not. */
	vstat_reset(10, 0);
	assert_int_equal(vstat_hottest(lines, 3), 0);
	vstat_miss(&index[8], 8 * 64, 1, VD_CORE, false, false, 2, 0);
	assert_int_equal(vstat_hottest(lines, 3), 1);
	assert_int_equal(lines[0].vl_line, 8 * 64);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(time_goes_to_the_lock_that_is_waited_for),
		TEST(what_began_before_the_reset_is_left_out),
		TEST(a_wait_is_spread_over_its_intervals),
		TEST(handoffs_are_told_by_distance),
		TEST(more_classes_than_there_is_room_for_share_the_last),
		TEST(the_hottest_lines_come_first),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
