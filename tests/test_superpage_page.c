/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Each operation on a page that superpages map, by itself, with every layout and every lock: the
 * lock may live in the generation of the superpage's list.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "superpage_util.h"

#define WIRED PMAP_ENTER_WIRED

static pt_entry_t
leaf(struct pmap *pmap, unsigned i)
{
	return (pu_leaf(pmap, VA + i * PAGE_SIZE));
}

static void
questions_about_a_superpage(void **state)
{
	struct machine *ma = su_pu.pu_ma;
	struct vm_page *m = su_run(), *held;
	vm_offset_t va = VA + 5 * PAGE_SIZE;
	vm_paddr_t pa;

	(void)state;
	su_enter_super(su_p, VA, m, R, R);
	assert_int_equal(
	    pmap_extract(su_p, va + 0x123), VM_PAGE_TO_PHYS(&m[5]) + 0x123);
	held = pmap_extract_and_hold(su_p, va, R);
	assert_ptr_equal(held, &m[5]);
	vm_page_unhold(held);
	assert_null(pmap_extract_and_hold(su_p, va, W));
	assert_int_equal(pmap_mincore(su_p, va, &pa),
	    MINCORE_INCORE | MINCORE_SUPER | MINCORE_REFERENCED |
		MINCORE_REFERENCED_OTHER);
	assert_int_equal(pa, VM_PAGE_TO_PHYS(&m[5]));
	assert_false(pmap_is_prefaultable(su_p, va));
	assert_true(pmap_page_is_mapped(ma, &m[5]));
	assert_true(pmap_is_referenced(ma, &m[5]));
	assert_false(pmap_is_modified(ma, &m[5]));
	assert_true(pmap_page_exists_quick(su_p, &m[5]));
	assert_false(pmap_page_exists_quick(su_q, &m[5]));
	su_enter_super(su_q, VA, m, R | W, W);
	assert_true(pmap_is_modified(ma, &m[5]));
	assert_int_equal(pmap_page_wired_mappings(ma, &m[5]), 0);
	su_expect(0, 0, 0, 2);
	pmap_remove(su_p, VA, END);
	pmap_remove(su_q, VA, END);
	assert_false(pmap_page_is_mapped(ma, &m[5]));
	su_run_free(m);
}

/* Every superpage of the run is split for one page, and only that one goes. */
static void
remove_all_of_a_page(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	su_fill(su_p, VA, m, R | W, W);
	su_enter_super(su_q, END, m, R, R | WIRED);
	su_expect(1, 0, 0, 1);
	pmap_remove_all(su_pu.pu_ma, &m[9]);
	su_expect(0, 2, 0, 0);
	su_expect_pmap(su_p, NRUN - 1, 3, 0);
	su_expect_pmap(su_q, NRUN - 1, 3, 0);
	assert_int_equal(pmap_wired_count(su_q), NRUN - 1);
	assert_int_equal(pu_nmappings(&m[9]), 0);
	assert_int_equal(pu_nmappings(&m[8]), 2);
	assert_int_equal(su_ndirty(m), 1);
	assert_int_equal(su_naflag(m, PGA_WRITEABLE), NRUN - 1);
	pmap_remove(su_p, VA, END);
	pmap_remove(su_q, END, END + NBPDR);
	su_run_free(m);
}

/* Only what can be written is split. */
static void
remove_write_of_a_page(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	su_enter_super(su_q, VA, m, R, R);
	su_enter_super(su_p, VA, m, R | W, W);
	su_expect(0, 0, 0, 2);
	pmap_remove_write(su_pu.pu_ma, &m[9]);
	su_expect(0, 1, 0, 0);
	assert_true(su_is_super(su_q, VA));
	assert_int_equal(leaf(su_p, 9) & (PG_RW | PG_M), 0);
	assert_int_equal(leaf(su_p, 8) & (PG_RW | PG_M), PG_RW | PG_M);
	assert_int_equal(su_ndirty(m), 1);
	assert_int_equal(su_naflag(m, PGA_WRITEABLE), NRUN - 1);
	pmap_remove(su_p, VA, END);
	pmap_remove(su_q, VA, END);
	su_run_free(m);
}

/* The split mapping loses the right to write, too; a wired one does not. */
static void
clear_modify_of_a_page(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	su_enter_super(su_p, VA, m, R | W, W);
	su_enter_super(su_q, VA, m, R | W, W | WIRED);
	su_expect(0, 0, 0, 2);
	pmap_clear_modify(su_pu.pu_ma, &m[9]);
	su_expect(0, 2, 0, 0);
	assert_int_equal(leaf(su_p, 9) & (PG_RW | PG_M), 0);
	assert_int_equal(leaf(su_q, 9) & (PG_RW | PG_M), PG_RW);
	assert_int_equal(leaf(su_p, 8) & (PG_RW | PG_M), PG_RW | PG_M);
	assert_true(pu_dirty(&m[9]));
	assert_int_equal(su_ndirty(m), 1);
	assert_false(pmap_is_modified(su_pu.pu_ma, &m[9]));
	pmap_remove(su_p, VA, END);
	pmap_remove(su_q, VA, END);
	su_run_free(m);
}

/* Superpages first, five in all; each one looked at goes to the end. */
static void
references_of_a_page(void **state)
{
	struct machine *ma = su_pu.pu_ma;
	struct vm_page *m = su_run();
	unsigned hit;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		su_enter_super(su_p, VA + i * NBPDR, m, R | W, W);
	for (unsigned i = 0; i < 3; i++)
		su_enter(su_q, VA + i * NBPDR, m, R, R);
	su_expect(0, 0, 0, 4);
	hit = (unsigned)((VA >> 21) ^ (VM_PAGE_TO_PHYS(m) >> 12)) & 511;
	/* Page 0 clears, unless it is the hit of some of the addresses. */
	assert_true(hit > 3);
	assert_int_equal(pmap_ts_referenced(ma, &m[0]), 5);
	assert_int_equal(su_first_super(m), VA);
	assert_true(pu_dirty(&m[0]));
	assert_int_equal(su_ndirty(m), 1);
	assert_int_equal(pu_leaf(su_q, VA) & PG_A, 0);
	assert_int_equal(pu_leaf(su_q, VA + NBPDR) & PG_A, PG_A);
	assert_int_equal(m[0].md.pv_list.pvl_first->pv_va, VA + NBPDR);
	/* Four superpages go on telling; one of them stops for its page. */
	assert_int_equal(pmap_ts_referenced(ma, &m[hit]), 4);
	assert_int_equal(pmap_ts_referenced(ma, &m[hit]), 3);
	assert_int_equal(pu_leaf(su_p, VA) & PG_A, 0);
	su_expect(0, 0, 0, 0);
	pmap_remove(su_p, VA, VA + 4 * NBPDR);
	pmap_remove(su_q, VA, VA + 4 * NBPDR);
	/* A wired one stays accessed. */
	su_enter_super(su_p, VA, m, R, R | WIRED);
	assert_int_equal(pmap_ts_referenced(ma, &m[hit]), 1);
	assert_int_equal(pmap_ts_referenced(ma, &m[hit]), 1);
	su_expect(0, 0, 0, 1);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
}

static uint32_t
generation(struct vm_page *m)
{
	struct pv_table *pvt = su_pu.pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, VM_PAGE_TO_PHYS(m), m, &ph);
	return (pvh_gen(pvt, ph.ph_md));
}

static void
expect_change(struct vm_page *m, uint32_t *gen)
{
	assert_int_not_equal(generation(m), *gen);
	*gen = generation(m);
}

/* Who waits for a pmap meanwhile has nothing else to tell him. */
static void
every_change_of_the_list_is_counted(void **state)
{
	struct vm_page *m = su_run();
	uint32_t gen = generation(m);

	(void)state;
	su_fill(su_p, VA, m, R, R);
	expect_change(m, &gen); /* promotion */
	pmap_copy(su_q, su_p, VA, NBPDR, VA);
	expect_change(m, &gen);
	assert_int_equal(pmap_ts_referenced(su_pu.pu_ma, &m[1]), 1);
	expect_change(m, &gen); /* one of two goes to the end */
	pmap_protect(su_p, VA, END, R);
	assert_int_equal(generation(m), gen); /* nothing to take */
	pmap_unwire(su_p, END, END + NBPDR);
	assert_int_equal(generation(m), gen); /* nothing there */
	pmap_remove(su_p, VA, VA + PAGE_SIZE);
	expect_change(m, &gen); /* demotion */
	pmap_remove(su_q, VA, END);
	expect_change(m, &gen);
	su_enter_super(su_q, VA, m, R, R);
	expect_change(m, &gen);
	(void)pmap_is_referenced(su_pu.pu_ma, m);
	pmap_protect(su_q, VA, END, R);
	assert_int_equal(generation(m), gen); /* looked at, not changed */
	pmap_remove_pages(su_q);
	expect_change(m, &gen);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
}

struct scan {
	struct pu_thread sc_thread;
	struct vm_page *sc_page;
};

static void
scan_remove_all(void *arg)
{
	struct scan *sc = arg;

	pmap_remove_all(su_pu.pu_ma, sc->sc_page);
}

/*
 * A scan of the superpage's list waits for a pmap whose holder splits the mapping:
 * the entry has gone to the page's own list, and the scan finds it there.
 */
static void
a_scan_finds_what_was_split_meanwhile(void **state)
{
	struct vm_page *m = su_run();
	struct scan sc = { .sc_page = &m[3] };

	(void)state;
	su_enter_super(su_p, VA, m, R | W, W);
	su_expect(0, 0, 0, 1);
	PMAP_LOCK(su_p);
	pu_start(&su_pu, &sc.sc_thread, 1, scan_remove_all, &sc);
	pu_await_blocked(&sc.sc_thread, &su_p->pm_mtx.mtx_lock);
	assert_true(pmap_demote_pde(su_p, pmap_pde(su_p, VA), VA));
	PMAP_UNLOCK(su_p);
	pu_join(&sc.sc_thread);
	assert_int_equal(pu_counter(&su_pu, CTR_PV_RESTARTS), 1);
	assert_int_equal(pu_nmappings(&m[3]), 0);
	su_expect(0, 1, 0, 0);
	su_expect_pmap(su_p, NRUN - 1, 3, 0);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, su_setup, su_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(questions_about_a_superpage),
		T(remove_all_of_a_page),
		T(remove_write_of_a_page),
		T(clear_modify_of_a_page),
		T(references_of_a_page),
		T(every_change_of_the_list_is_counted),
		T(a_scan_finds_what_was_split_meanwhile),
	};

	return (pu_run_all_designs(
		    &su_design, tests, sizeof(tests) / sizeof(tests[0])) != 0);
}
