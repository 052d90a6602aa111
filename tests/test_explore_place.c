/* SPDX-License-Identifier: BSD-2-Clause */

/* Which places are shared, when, and for how long. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sim/virtual/explore_place.h"

static struct ex_places *ep;
static uint64_t hash;

static bool
rd(unsigned fiber, uintptr_t addr, size_t size)
{
	return (ex_places_touch(ep, fiber, addr, size, false, &hash));
}

static bool
wr(unsigned fiber, uintptr_t addr, size_t size)
{
	return (ex_places_touch(ep, fiber, addr, size, true, &hash));
}

static void
two_fibers_and_a_write_share_a_place(void **state)
{
	(void)state;
	ex_places_begin(ep, false);
	assert_false(rd(1, 0x100, 4));
	assert_false(rd(2, 0x104, 4));
	assert_false(wr(1, 0x108, 8));
	assert_false(wr(1, 0x108, 8));
	assert_true(rd(2, 0x108, 1));
	assert_true(rd(1, 0x10f, 1));
	/* Who wrote may be the first, the second, or neither of the two. */
	assert_true(wr(2, 0x100, 1));
	assert_true(rd(3, 0x100, 1));
	/* Across granules one that is shared is enough. */
	assert_true(rd(1, 0x0f0, 32));
	assert_false(rd(1, 0x110, 8));
}

static void
what_is_not_kept_is_of_one_run(void **state)
{
	(void)state;
	ex_places_begin(ep, false);
	assert_false(wr(1, 0x200, 8));
	assert_true(wr(2, 0x200, 8));
	ex_places_begin(ep, false);
	assert_int_equal(ex_places_nshared(ep), 0);
	assert_false(rd(1, 0x200, 8));
	assert_false(rd(2, 0x200, 8));
}

static void
what_is_kept_is_shared_from_the_first_access_on(void **state)
{
	(void)state;
	ex_places_begin(ep, true);
	assert_false(wr(1, 0x300, 8));
	assert_true(wr(2, 0x300, 8));
	assert_int_equal(ex_places_nshared(ep), 1);
	assert_int_equal(ex_places_shared(ep, 0), 0x300);
	ex_places_begin(ep, false);
	assert_true(rd(1, 0x307, 1));
	ex_places_share(ep, 0x404);
	assert_true(rd(1, 0x400, 4));
	assert_int_equal(ex_places_nshared(ep), 2);
}

/* Reads of two fibers commute; a write and a read do not. */
static void
a_hash_tells_orders_that_differ(void **state)
{
	uint64_t read_first, write_first, one, other;

	(void)state;
	ex_places_share(ep, 0x500);
	ex_places_begin(ep, false);
	(void)rd(1, 0x500, 8);
	one = hash;
	(void)rd(2, 0x500, 8);
	other = hash;
	assert_true(one == other);
	read_first = hash;
	(void)wr(1, 0x500, 8);
	(void)rd(2, 0x500, 8);
	write_first = hash;
	assert_true(read_first != write_first);
}

static void
there_is_room_for_many(void **state)
{
	(void)state;
	ex_places_begin(ep, true);
	for (uintptr_t i = 0; i < 50000; i++)
		assert_false(wr(1, 0x10000 + 8 * i, 8));
	for (uintptr_t i = 0; i < 50000; i++)
		assert_true(wr(2, 0x10000 + 8 * i, 8));
	assert_int_equal(ex_places_nshared(ep), 50000);
}

static int
setup(void **state)
{
	(void)state;
	return (ex_places_create(&ep));
}

static int
teardown(void **state)
{
	(void)state;
	ex_places_destroy(ep);
	return (0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(two_fibers_and_a_write_share_a_place),
		TEST(what_is_not_kept_is_of_one_run),
		TEST(what_is_kept_is_shared_from_the_first_access_on),
		TEST(a_hash_tells_orders_that_differ),
		TEST(there_is_room_for_many),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
