/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The race detector, told of small programs one access at a time: what orders two
 * accesses and what does not.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sim/virtual/race.h"

#define RLX memory_order_relaxed
#define ACQ memory_order_acquire
#define REL memory_order_release
#define AR  memory_order_acq_rel
#define SC  memory_order_seq_cst

/* Places in no memory at all. */
#define DATA UINT64_C(0x1000000)
#define FLAG UINT64_C(0x2000)
#define PAIR UINT64_C(0x3000)

static struct race *r;
static uint32_t step;
/* The pair that was found last, and whether one was since play(). */
static struct race_pair pair;
static unsigned races;

static void
note(const struct race_pair *rp)
{
	if (rp == NULL)
		return;
	pair = *rp;
	races++;
}

static void
plain(unsigned fiber, uintptr_t addr, size_t size, bool write)
{
	const struct race_access ra = {
		.ra_addr = addr,
		.ra_pc = 0x100 + step,
		.ra_step = step,
		.ra_size = (uint8_t)size,
		.ra_fiber = (uint8_t)fiber,
		.ra_write = write,
	};

	step++;
	note(race_plain(r, &ra, size));
}

static void
rd(unsigned fiber, uintptr_t addr, size_t size)
{
	plain(fiber, addr, size, false);
}

static void
wr(unsigned fiber, uintptr_t addr, size_t size)
{
	plain(fiber, addr, size, true);
}

static void
at(unsigned fiber, uintptr_t addr, size_t size, enum race_op op,
    memory_order order)
{
	const struct race_access ra = {
		.ra_addr = addr,
		.ra_pc = 0x100 + step,
		.ra_step = step,
		.ra_size = (uint8_t)size,
		.ra_fiber = (uint8_t)fiber,
		.ra_write = op != RACE_LOAD,
		.ra_atomic = true,
	};

	step++;
	note(race_atomic(r, &ra, op, order));
}

/* A message: data and a flag that says so; and its reader. */
static void
send(unsigned fiber, memory_order order)
{
	wr(fiber, DATA, 8);
	at(fiber, FLAG, 4, RACE_STORE, order);
}

static void
receive(unsigned fiber, memory_order order)
{
	at(fiber, FLAG, 4, RACE_LOAD, order);
	rd(fiber, DATA, 8);
}

static void
play(void)
{
	race_reset(r);
	races = 0;
	step = 0;
}

static void
conflicting_accesses_of_two_fibers_race(void **state)
{
	(void)state;
	play();
	wr(1, DATA, 4);
	rd(2, DATA, 4);
	assert_int_equal(races, 1);
	assert_int_equal(pair.rp_first.ra_addr, DATA);
	assert_int_equal(pair.rp_first.ra_size, 4);
	assert_int_equal(pair.rp_first.ra_fiber, 1);
	assert_int_equal(pair.rp_first.ra_pc, 0x100);
	assert_int_equal(pair.rp_first.ra_step, 0);
	assert_true(pair.rp_first.ra_write);
	assert_int_equal(pair.rp_second.ra_fiber, 2);
	assert_int_equal(pair.rp_second.ra_pc, 0x101);
	assert_false(pair.rp_second.ra_write);

	play();
	rd(1, DATA, 4);
	wr(2, DATA, 4);
	assert_int_equal(races, 1);

	play();
	wr(1, DATA, 4);
	wr(2, DATA, 4);
	assert_int_equal(races, 1);
}

static void
reads_or_other_bytes_or_one_fiber_do_not(void **state)
{
	(void)state;
	play();
	rd(1, DATA, 8);
	rd(2, DATA, 8);
	rd(3, DATA + 2, 4);
	assert_int_equal(races, 0);
	wr(1, DATA + 8, 4);
	wr(2, DATA + 12, 4);
	assert_int_equal(races, 0);
	wr(1, DATA + 8, 4);
	rd(1, DATA + 8, 2);
	assert_int_equal(races, 0);
}

static void
one_shared_byte_is_enough(void **state)
{
	(void)state;
	play();
	wr(1, DATA + 3, 1);
	rd(2, DATA, 4);
	assert_int_equal(races, 1);
	assert_int_equal(pair.rp_first.ra_addr, DATA + 3);

	/* Unaligned, across granules, and long. */
	play();
	wr(1, DATA + 9, 1);
	rd(2, DATA + 6, 4);
	assert_int_equal(races, 1);
	play();
	wr(1, DATA + 4095, 1);
	rd(2, DATA, 4095);
	assert_int_equal(races, 0);
	rd(2, DATA, 4096);
	assert_int_equal(races, 1);
}

/* What the flag's orders do to the data. */
static unsigned
message(memory_order store, memory_order load)
{
	play();
	send(1, store);
	receive(2, load);
	return (races);
}

static void
release_and_acquire_order_a_message(void **state)
{
	(void)state;
	assert_int_equal(message(REL, ACQ), 0);
	assert_int_equal(message(SC, SC), 0);
	assert_int_equal(message(REL, memory_order_consume), 0);
	assert_int_equal(message(RLX, ACQ), 1);
	assert_int_equal(message(REL, RLX), 1);
	assert_int_equal(message(RLX, RLX), 1);
	assert_int_equal(message(SC, RLX), 1);
}

static void
what_comes_after_a_release_is_not_part_of_it(void **state)
{
	(void)state;
	play();
	at(1, FLAG, 4, RACE_STORE, REL);
	wr(1, DATA, 8);
	receive(2, ACQ);
	assert_int_equal(races, 1);
}

/* The same with fences beside relaxed accesses. */
static unsigned
fences(memory_order before_store, memory_order after_load)
{
	play();
	wr(1, DATA, 8);
	race_fence(r, 1, before_store);
	at(1, FLAG, 4, RACE_STORE, RLX);
	at(2, FLAG, 4, RACE_LOAD, RLX);
	race_fence(r, 2, after_load);
	rd(2, DATA, 8);
	return (races);
}

static void
fences_order_a_message(void **state)
{
	(void)state;
	assert_int_equal(fences(REL, ACQ), 0);
	assert_int_equal(fences(SC, SC), 0);
	assert_int_equal(fences(AR, AR), 0);
	assert_int_equal(fences(ACQ, ACQ), 1);
	assert_int_equal(fences(REL, REL), 1);
	assert_int_equal(fences(RLX, ACQ), 1);

	/* A fence does not give away what comes after it. */
	play();
	race_fence(r, 1, REL);
	wr(1, DATA, 8);
	at(1, FLAG, 4, RACE_STORE, RLX);
	receive(2, ACQ);
	assert_int_equal(races, 1);
}

static void
read_modify_writes_carry_a_release_on(void **state)
{
	(void)state;
	play();
	send(1, REL);
	at(2, FLAG, 4, RACE_RMW, RLX);
	receive(3, ACQ);
	assert_int_equal(races, 0);
	/* The one between has not acquired. */
	rd(2, DATA, 8);
	assert_int_equal(races, 1);

	/* A store between ends it. */
	play();
	send(1, REL);
	at(2, FLAG, 4, RACE_STORE, RLX);
	receive(3, ACQ);
	assert_int_equal(races, 1);
}

/* Two fibers count under a lock of one word. */
static unsigned
locked(memory_order lock, memory_order unlock)
{
	play();
	for (unsigned i = 0; i < 6; i++) {
		at(1 + i % 2, FLAG, 4, RACE_RMW, lock);
		rd(1 + i % 2, DATA, 8);
		wr(1 + i % 2, DATA, 8);
		at(1 + i % 2, FLAG, 4, RACE_STORE, unlock);
	}
	return (races);
}

static void
a_lock_needs_both_its_orders(void **state)
{
	(void)state;
	assert_int_equal(locked(ACQ, REL), 0);
	assert_int_equal(locked(SC, SC), 0);
	assert_true(locked(RLX, REL) > 0);
	assert_true(locked(ACQ, RLX) > 0);
}

static void
a_failed_cas_is_a_load(void **state)
{
	(void)state;
	play();
	wr(1, DATA, 8);
	at(1, FLAG, 8, RACE_LOAD, ACQ); /* failed, with release on success */
	at(2, FLAG, 8, RACE_LOAD, ACQ);
	rd(2, DATA, 8);
	assert_int_equal(races, 1);
}

static void
sixteen_bytes_synchronise_with_their_halves(void **state)
{
	(void)state;
	play();
	wr(1, DATA, 8);
	at(1, PAIR, 16, RACE_RMW, REL);
	at(2, PAIR + 8, 8, RACE_LOAD, ACQ);
	rd(2, DATA, 8);
	assert_int_equal(races, 0);
	at(3, PAIR, 8, RACE_LOAD, ACQ);
	rd(3, DATA, 8);
	assert_int_equal(races, 0);
	wr(3, DATA, 8);
	at(3, PAIR + 8, 8, RACE_STORE, REL);
	at(1, PAIR, 16, RACE_RMW, AR);
	/* Fiber 2 read after fiber 1 wrote, and gave nothing away. */
	assert_int_equal(races, 1);
	wr(1, DATA, 8);
	assert_int_equal(races, 2);

	/* A plain access to the second half. */
	play();
	at(1, PAIR, 16, RACE_RMW, AR);
	rd(2, PAIR + 8, 8);
	assert_int_equal(races, 1);
}

static void
atomics_race_with_plain_accesses_only(void **state)
{
	(void)state;
	play();
	at(1, FLAG, 4, RACE_STORE, RLX);
	at(2, FLAG, 4, RACE_STORE, RLX);
	at(3, FLAG, 4, RACE_LOAD, RLX);
	assert_int_equal(races, 0);
	rd(3, FLAG, 4);
	assert_int_equal(races, 1);
	assert_true(pair.rp_first.ra_atomic);
	assert_false(pair.rp_second.ra_atomic);

	/* An atomic that follows hides no plain access that came before. */
	play();
	wr(1, FLAG, 4);
	race_release(r, 1, 7);
	race_acquire(r, 2, 7);
	at(2, FLAG, 4, RACE_STORE, RLX);
	assert_int_equal(races, 0);
	at(3, FLAG, 4, RACE_LOAD, RLX);
	assert_int_equal(races, 1);
}

static void
keys_forks_and_joins_order(void **state)
{
	(void)state;
	play();
	wr(0, DATA, 8);
	race_fork(r, 0, 1);
	race_fork(r, 0, 2);
	rd(1, DATA, 8);
	rd(2, DATA, 8);
	wr(0, DATA + 8, 8);
	rd(1, DATA + 8, 8);
	assert_int_equal(races, 1);

	play();
	race_fork(r, 0, 1);
	wr(1, DATA, 8);
	race_join(r, 0, 1);
	wr(0, DATA, 8);
	assert_int_equal(races, 0);

	play();
	wr(1, DATA, 8);
	race_release(r, 1, 5);
	race_acquire(r, 2, 6);
	rd(2, DATA, 8);
	assert_int_equal(races, 1);
	race_acquire(r, 3, 5);
	rd(3, DATA, 8);
	assert_int_equal(races, 1);

	/* Two that release the same key: both are acquired. */
	play();
	wr(1, DATA, 8);
	race_release(r, 1, 5);
	wr(2, DATA + 8, 8);
	race_release(r, 2, 5);
	race_acquire(r, 3, 5);
	wr(3, DATA, 16);
	assert_int_equal(races, 0);
}

static void
memory_that_is_given_out_anew_has_no_past(void **state)
{
	(void)state;
	play();
	wr(1, DATA, 64);
	race_alloc(r, DATA, 64);
	wr(2, DATA, 64);
	assert_int_equal(races, 0);
	race_alloc(r, DATA, 32);
	wr(3, DATA, 64);
	assert_true(races > 0);
}

static void
a_reset_forgets(void **state)
{
	(void)state;
	play();
	for (unsigned i = 0; i < 100000; i++)
		wr(1, DATA + UINT64_C(8) * i, 8);
	at(1, FLAG, 8, RACE_STORE, REL);
	play();
	for (unsigned i = 0; i < 100000; i++)
		wr(2, DATA + UINT64_C(8) * i, 8);
	assert_int_equal(races, 0);
	/* Nor is there an order left: fiber 3 acquires nothing. */
	at(3, FLAG, 8, RACE_LOAD, ACQ);
	rd(3, DATA, 8);
	assert_int_equal(races, 1);
}

static int
setup(void **state)
{
	(void)state;
	return (race_create(&r));
}

static int
teardown(void **state)
{
	(void)state;
	race_destroy(r);
	return (0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conflicting_accesses_of_two_fibers_race),
		cmocka_unit_test(reads_or_other_bytes_or_one_fiber_do_not),
		cmocka_unit_test(one_shared_byte_is_enough),
		cmocka_unit_test(release_and_acquire_order_a_message),
		cmocka_unit_test(what_comes_after_a_release_is_not_part_of_it),
		cmocka_unit_test(fences_order_a_message),
		cmocka_unit_test(read_modify_writes_carry_a_release_on),
		cmocka_unit_test(a_lock_needs_both_its_orders),
		cmocka_unit_test(a_failed_cas_is_a_load),
		cmocka_unit_test(sixteen_bytes_synchronise_with_their_halves),
		cmocka_unit_test(atomics_race_with_plain_accesses_only),
		cmocka_unit_test(keys_forks_and_joins_order),
		cmocka_unit_test(memory_that_is_given_out_anew_has_no_past),
		cmocka_unit_test(a_reset_forgets),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
