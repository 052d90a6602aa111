/* SPDX-License-Identifier: BSD-2-Clause */

/* Cases of test_pmap.c: rights, wiring and copies, and questions about an address. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "pmap_cases.h"

/* protect, unwire */

static void
protect_only_takes(void **state)
{
	struct vm_page *m = pu_page(&pu), *u = pc_unmanaged_page();

	(void)state;
	pc_enter(p, VA, m, R | W | X, W);
	pc_enter(p, VA + 4096, u, R | W | X, W);
	pc_enter(p, VA + 8192, m, R, R);
	pmap_protect(p, VA, VA + 12288, R | W | X); /* nothing */
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_RW | PG_M);
	assert_false(pu_dirty(m));
	pmap_protect(p, VA, VA + 12288, R | W); /* only execute goes */
	pu_check(&pu);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_RW | PG_M | PG_NX);
	pc_assert_leaf(p, VA + 8192, m, USER | PG_A | PG_NX); /* none added */
	assert_false(pu_dirty(m));
	pmap_protect(p, VA, VA + 8192, R);
	pu_check(&pu);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_NX);
	pc_assert_leaf(p, VA + 4096, u, PG_U | PG_A | PG_NX);
	assert_true(pu_dirty(m));
	assert_false(pu_dirty(u));
	assert_true(pu_aflag(m, PGA_WRITEABLE)); /* the hint stays */
	pmap_protect(p, VA, VA + 4096, R | X);   /* none added */
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_NX);
	pmap_protect(p, VA, VA + 12288, VM_PROT_NONE);
	pu_check(&pu);
	assert_int_equal(pmap_resident_count(p), 1);
	pu_page_free(&pu, m);
	pu_page_free(&pu, u);
}

static void
unwire_unwires(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	pc_enter(p, VA, m, R | W, W | PMAP_ENTER_WIRED);
	pc_enter(p, VA + NBPDR, m, R, R | PMAP_ENTER_WIRED);
	pc_enter(p, VA + 2 * NBPDR, m, R, R | PMAP_ENTER_WIRED);
	pmap_unwire(p, VA, VA + 2 * NBPDR);
	pu_check(&pu);
	assert_int_equal(pmap_wired_count(p), 1);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_NX | PG_RW | PG_M);
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, m), 1);
	pc_remove(p, 0, VM_MAXUSER_ADDRESS);
	assert_int_equal(pmap_wired_count(p), 0);
	pu_page_free(&pu, m);
}

static void
unwire_va(void *arg)
{
	pmap_unwire(arg, VA, VA + 4096);
}

static void
unwire_of_what_is_not_wired_panics(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	pc_enter(p, VA, m, R, R);
	assert_true(pu_panics(unwire_va, p));
	assert_non_null(strstr(pu_panic_text, "not wired"));
	PMAP_UNLOCK(p);
	pc_remove(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

/* copy */

static void
copy_drops_what_is_the_parents_own(void **state)
{
	struct vm_page *m = pu_page(&pu), *u = pc_unmanaged_page();

	(void)state;
	pc_enter(p, VA, m, R | W, W | PMAP_ENTER_WIRED);
	pc_enter(p, VA + 4096, m, R | X, R);
	pc_enter(p, VA + 8192, u, R, R);
	pc_enter(p, VA + NBPDP, m, R, R);
	/* Another address: nothing. */
	pmap_copy(q, p, 0, NBPDP, VA);
	pu_check(&pu);
	assert_int_equal(pmap_resident_count(q), 1);
	pmap_copy(q, p, VA, NBPDP, VA);
	pu_check(&pu);
	pc_assert_leaf(q, VA, m, USER | PG_RW | PG_NX);
	pc_assert_leaf(q, VA + 4096, m, USER);
	assert_int_equal(pu_leaf(q, VA + 8192), 0);
	assert_int_equal(pu_leaf(q, VA + NBPDP), 0); /* not in range */
	assert_int_equal(pmap_wired_count(q), 0);
	assert_int_equal(pmap_resident_count(q), 2 + 3 + 1);
	assert_int_equal(pu_nmappings(m), 5);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_M | PG_RW | PG_NX | PG_W);
	pmap_remove_pages(q);
	pc_remove(p, 0, VM_MAXUSER_ADDRESS);
	pu_page_free(&pu, m);
	pu_page_free(&pu, u);
}

static void
copy_ends_where_the_target_has_something(void **state)
{
	struct vm_page *m = pu_page(&pu), *n = pu_page(&pu);
	const vm_offset_t va = VA & ~PDRMASK;

	(void)state;
	for (vm_offset_t i = 0; i < 6; i++)
		pc_enter(p, va + i * 4096, m, R, R);
	pc_enter(p, va + NBPDR, m, R, R);
	pc_enter(q, va + 2 * 4096, n, R, R);
	pmap_copy(q, p, va, 2 * NBPDR, va);
	pu_check(&pu);
	assert_int_not_equal(pu_leaf(q, va + 4096), 0);
	pc_assert_leaf(q, va + 2 * 4096, n, USER | PG_A | PG_NX);
	assert_int_equal(pu_leaf(q, va + 3 * 4096), 0);
	assert_int_equal(pu_leaf(q, va + NBPDR), 0); /* the whole copy ends */
	pc_remove(q, 0, VM_MAXUSER_ADDRESS);

	/*
	 * A target's table with as many entries as the source's is left early,
	 * and the copy goes on with the next.
	 */
	pc_enter(q, va + 100 * 4096, n, R, R);
	pmap_copy(q, p, va, 2 * NBPDR, va);
	pu_check(&pu);
	for (vm_offset_t i = 0; i < 6; i++)
		assert_int_equal(pu_leaf(q, va + i * 4096) != 0, i < 5);
	assert_int_not_equal(pu_leaf(q, va + NBPDR), 0);
	pc_remove(q, 0, VM_MAXUSER_ADDRESS);
	pc_remove(p, 0, VM_MAXUSER_ADDRESS);
	pu_page_free(&pu, m);
	pu_page_free(&pu, n);
}

/* Both orders of the two pmaps' addresses. */
static void
copy_goes_both_ways(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	pc_enter(p, VA, m, R, R);
	pmap_copy(q, p, VA, 4096, VA);
	pu_check(&pu);
	pc_remove(p, VA, VA + 4096);
	pmap_copy(p, q, VA, 4096, VA);
	pu_check(&pu);
	assert_int_equal(pu_nmappings(m), 2);
	pmap_remove_all(pu.pu_ma, m);
	pu_page_free(&pu, m);
}

/* Questions about an address. */

static uint32_t
refs(const struct vm_page *m)
{
	/* Relaxed: at rest. */
	return (atomic_load_explicit(&m->ref_count, memory_order_relaxed));
}

static void
extract_and_hold_takes_a_reference(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	assert_null(pmap_extract_and_hold(p, VA, R));
	pc_enter(p, VA, m, R, R);
	assert_null(pmap_extract_and_hold(p, VA, R | W));
	assert_null(pmap_extract_and_hold(p, VA + 4096, R));
	assert_ptr_equal(pmap_extract_and_hold(p, VA, R), m);
	assert_int_equal(refs(m), 2);
	vm_page_unhold(m);
	pc_enter(p, VA, m, R | W, R);
	assert_ptr_equal(pmap_extract_and_hold(p, VA, R | W), m);
	vm_page_unhold(m);
	/* A page on its way out gives no more references. */
	/* Relaxed: nobody else uses the page. */
	atomic_store_explicit(
	    &m->ref_count, VPRC_BLOCKED | 1, memory_order_relaxed);
	assert_null(pmap_extract_and_hold(p, VA, R));
	assert_int_equal(refs(m), VPRC_BLOCKED | 1);
	/* Relaxed: as above. */
	atomic_store_explicit(&m->ref_count, 1, memory_order_relaxed);
	pc_remove(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

/* B27: a device's memory, within the page array and beyond it. */
static void
extract_and_hold_finds_no_page_of_a_device(void **state)
{
	static const vm_paddr_t pas[] = { 0xa0000, UINT64_C(0xfee00000) };
	struct vm_page device = { .oflags = VPO_UNMANAGED,
		.flags = PG_FICTITIOUS };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		device.phys_addr = pas[i];
		device.md.pat_mode = i == 0 ? 6 : 3;
		assert_int_equal(
		    pmap_enter(p, VA, &device, R | W, W, 0), KERN_SUCCESS);
		pu_check(&pu);
		assert_int_equal(pmap_extract(p, VA + 8), pas[i] + 8);
		assert_null(pmap_extract_and_hold(p, VA, R));
		pmap_copy(q, p, VA, 4096, VA);
		assert_int_equal(pmap_resident_count(q), 1);
		pmap_protect(p, VA, VA + 4096, R);
		pmap_remove_pages(p);
		assert_int_equal(pmap_extract(p, VA), pas[i]);
		pc_remove(p, VA, VA + 4096);
	}
}

static void
prefaultable_is_an_empty_slot_of_a_table(void **state)
{
	struct vm_page *m = pu_page(&pu);
	const vm_offset_t va = VA & ~PDRMASK;

	(void)state;
	assert_false(pmap_is_prefaultable(p, va));
	pc_enter(p, va, m, R, R);
	assert_false(pmap_is_prefaultable(p, va));
	assert_true(pmap_is_prefaultable(p, va + 4096));
	assert_true(pmap_is_prefaultable(p, va + NBPDR - 4096));
	assert_false(pmap_is_prefaultable(p, va + NBPDR));
	assert_false(pmap_is_prefaultable(p, va - 4096));
	pc_remove(p, va, va + 4096);
	assert_false(pmap_is_prefaultable(p, va + 4096));
	pu_page_free(&pu, m);
}

static void
mincore_tells_whether_to_look_at_the_page(void **state)
{
	struct vm_page *m = pu_page(&pu), *u = pc_unmanaged_page();
	const int ref = MINCORE_REFERENCED | MINCORE_REFERENCED_OTHER;
	const int mod = MINCORE_MODIFIED | MINCORE_MODIFIED_OTHER;
	vm_paddr_t pa;

	(void)state;
	pa = 1;
	assert_int_equal(pmap_mincore(p, VA, &pa), 0);
	assert_int_equal(pa, 0);
	pmap_enter_quick(p, VA, m, R);
	assert_int_equal(pmap_mincore(p, VA, &pa), MINCORE_INCORE);
	assert_int_equal(pa, m->phys_addr);
	assert_true(pu_mmu(p, VA, R));
	assert_int_equal(pmap_mincore(p, VA, &pa), MINCORE_INCORE | ref);
	assert_int_equal(pa, m->phys_addr);
	pc_enter(p, VA, m, R | W, W);
	assert_int_equal(pmap_mincore(p, VA, &pa), MINCORE_INCORE | ref | mod);
	assert_int_equal(pa, 0);
	pc_enter(p, VA, u, R, R);
	assert_int_equal(pmap_mincore(p, VA, &pa), MINCORE_INCORE | ref);
	assert_int_equal(pa, 0); /* no list to look at */
	pc_remove(p, VA, VA + 4096);
	pu_page_free(&pu, m);
	pu_page_free(&pu, u);
}

#define T(f) cmocka_unit_test_setup_teardown(f, pc_setup, pc_teardown)

static const struct CMUnitTest tests[] = {
	T(protect_only_takes),
	T(unwire_unwires),
	T(unwire_of_what_is_not_wired_panics),
	T(copy_drops_what_is_the_parents_own),
	T(copy_ends_where_the_target_has_something),
	T(copy_goes_both_ways),
	T(extract_and_hold_takes_a_reference),
	T(extract_and_hold_finds_no_page_of_a_device),
	T(prefaultable_is_an_empty_slot_of_a_table),
	T(mincore_tells_whether_to_look_at_the_page),
};

const struct pmap_cases pmap_cases_range = { tests,
	sizeof(tests) / sizeof(tests[0]) };
