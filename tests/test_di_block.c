/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Blocks of delayed invalidation, in both forms, as one thread has them: what they
 * mark, what is asserted, and what the checker sees; and the swap of two words.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "di_util.h"
#include "lock/turnstile.h"

static void
a_mark_outside_a_block_does_nothing(void **state)
{
	struct di_fixture *f = *state;

	di_mark(f);
	assert_int_equal(di_region(f), 0);
	pmap_delayed_invl_wait(f->f_pu.pu_ma, f->f_m);
	assert_int_equal(pu_counter(&f->f_pu, CTR_INVL_WAIT), 0);
}

static void
a_block_marks_with_its_generation(void **state)
{
	struct di_fixture *f = *state;
	struct machine *ma = f->f_pu.pu_ma;

	assert_int_equal(pmap_di_done(f->f_di), 1);
	for (uint64_t g = 2; g < 5; g++) {
		pmap_delayed_invl_start(ma);
		di_mark(f);
		di_mark(f);
		assert_int_equal(di_region(f), g);
		assert_int_equal(pmap_di_done(f->f_di), g - 1);
		pmap_delayed_invl_finish(ma);
		assert_int_equal(pmap_di_done(f->f_di), g);
	}
	pmap_delayed_invl_wait(ma, f->f_m);
	assert_int_equal(pu_counter(&f->f_pu, CTR_INVL_WAIT), 0);
	assert_int_equal(pmap_di_max_qlen(ma), 1);
}

static void
a_block_is_urgent_where_priorities_differ(void **state)
{
	struct di_fixture *f = *state;
	struct machine *ma = f->f_pu.pu_ma;
	struct thread *td = curthread();

	pmap_delayed_invl_start(ma);
	assert_int_equal(td->td_base_pri, PRI_DEFAULT);
	pmap_delayed_invl_finish(ma);
	thread_setpri(td, PRI_MAX);
	pmap_delayed_invl_start(ma);
	assert_true(td->td_base_pri < PRI_DEFAULT);
	pmap_delayed_invl_finish(ma);
	assert_int_equal(td->td_base_pri, PRI_MAX);
	thread_setpri(td, PRI_MIN);
	pmap_delayed_invl_start(ma);
	assert_int_equal(td->td_base_pri, PRI_MIN);
	pmap_delayed_invl_finish(ma);
	assert_int_equal(td->td_base_pri, PRI_MIN);
	thread_setpri(td, PRI_DEFAULT);
}

static void
start(void *arg)
{
	struct di_fixture *f = arg;

	pmap_delayed_invl_start(f->f_pu.pu_ma);
}

static void
finish(void *arg)
{
	struct di_fixture *f = arg;

	pmap_delayed_invl_finish(f->f_pu.pu_ma);
}

static void
wait_for_it(void *arg)
{
	struct di_fixture *f = arg;

	pmap_delayed_invl_wait(f->f_pu.pu_ma, f->f_m);
}

static void
wait_with_pv_lock(void *arg)
{
	struct di_fixture *f = arg;
	struct pv_held held = PV_HELD_NONE;
	struct pv_table *pvt = f->f_pu.pu_ma->ma_pvt;

	CHANGE_PV_LIST_LOCK(pvt, &held, f->f_m, VM_PAGE_TO_PHYS(f->f_m));
	wait_for_it(f);
}

static void
mark_without_lock(void *arg)
{
	struct di_fixture *f = arg;

	pmap_delayed_invl_page(f->f_pu.pu_ma, f->f_m);
}

static void
misuse_panics(void **state)
{
	struct di_fixture *f = *state;
	struct pv_header ph;

	if (!INVARIANTS_ENABLED)
		skip();
	assert_true(pu_panics(finish, f));
	start(f);
	assert_true(pu_panics(start, f));
	assert_true(pu_panics(wait_for_it, f));
	assert_true(pu_panics(mark_without_lock, f));
	finish(f);
	assert_true(pu_panics(wait_with_pv_lock, f));
	f->f_pu.pu_ma->ma_pvt->pvt_ops->pvl_lookup(
	    f->f_pu.pu_ma->ma_pvt, VM_PAGE_TO_PHYS(f->f_m), f->f_m, &ph);
	pv_word_unlock(f->f_pu.pu_ma->ma_pvt, ph.ph_word, false);
}

struct enter_args {
	struct di_fixture *e_f;
	struct pmap *e_pmap;
};

static void
enter(void *arg)
{
	struct enter_args *e = arg;

	(void)pmap_enter(
	    e->e_pmap, GB(1), e->e_f->f_m, VM_PROT_READ, VM_PROT_READ, 0);
}

/* Who waits for the block may hold what the memory would come from. */
static void
sleeping_for_memory_in_a_block_panics(void **state)
{
	struct di_fixture *f = *state;
	struct enter_args e = { f, pu_pmap(&f->f_pu) };
	struct vm_page *hoard = NULL;

	if (INVARIANTS_ENABLED) {
		pu_hoard(&f->f_pu, &hoard, 0);
		start(f);
		assert_true(pu_panics(enter, &e));
		finish(f);
		PMAP_UNLOCK(e.e_pmap);
		pu_unhoard(&f->f_pu, &hoard);
	}
	pu_pmap_free(e.e_pmap);
}

static void
the_checker_sees_blocks_and_regions(void **state)
{
	struct di_fixture *f = *state;
	struct machine *ma = f->f_pu.pu_ma;

	assert_int_equal(machine_check(ma, NULL), 0);
	pmap_delayed_invl_start(ma);
	di_mark(f);
	assert_true(machine_check(ma, NULL) >= 3);
	pmap_delayed_invl_finish(ma);
	assert_int_equal(machine_check(ma, NULL), 0);
	/* Relaxed: at rest. */
	atomic_store_explicit(di_region_gen(f), 3, memory_order_relaxed);
	assert_int_equal(machine_check(ma, NULL), 1);
	/* Relaxed: as above. */
	atomic_store_explicit(di_region_gen(f), 2, memory_order_relaxed);
	/* Relaxed: as above. */
	atomic_store_explicit(&f->f_di->di_waiters, 1, memory_order_relaxed);
	assert_int_equal(machine_check(ma, NULL), 1);
	/* Relaxed: as above. */
	atomic_store_explicit(&f->f_di->di_waiters, 0, memory_order_relaxed);
}

static void
two_words_are_swapped_as_one(void **state)
{
	struct cas2 c = { 1, 2 };

	(void)state;
	if (!cas2_supported())
		skip();
	assert_false(cas2(&c, 1, 3, 5, 6));
	assert_false(cas2(&c, 0, 2, 5, 6));
	assert_true(c.c2_lo == 1 && c.c2_hi == 2);
	assert_true(cas2(&c, 1, 2, 5, 6));
	assert_true(c.c2_lo == 5 && c.c2_hi == 6);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, di_setup, di_teardown)
	const struct CMUnitTest tests[] = {
		T(a_mark_outside_a_block_does_nothing),
		T(a_block_marks_with_its_generation),
		T(a_block_is_urgent_where_priorities_differ),
		T(misuse_panics),
		T(sleeping_for_memory_in_a_block_panics),
		T(the_checker_sees_blocks_and_regions),
	};
#undef T
	const struct CMUnitTest cas2_tests[] = {
		cmocka_unit_test(two_words_are_swapped_as_one),
	};
	int failed;

	failed = cmocka_run_group_tests_name("cas2", cas2_tests, NULL, NULL);
	failed += di_run_tests(tests, sizeof(tests) / sizeof(tests[0]));
	return (failed != 0);
}
