/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Promotion and demotion: when each happens, what each leaves, and every way in
 * which each can fail.  The checker runs after every step.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "superpage_util.h"

#define MAPPED (PG_V | PG_U | PG_A | PG_MANAGED)

static pt_entry_t
pa_of(const struct vm_page *m)
{
	return (VM_PAGE_TO_PHYS(m));
}

static void
the_512th_mapping_promotes(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	for (unsigned i = 1; i < NRUN; i++)
		su_enter(su_p, VA + i * PAGE_SIZE, m, R | W, W);
	su_expect(0, 0, 0, 0);
	su_expect_pmap(su_p, NRUN - 1, 3, 0);
	su_enter(su_p, VA, m, R | W, W);
	su_expect(1, 0, 0, 0);
	su_expect_pmap(su_p, NRUN, 2, 1);
	assert_int_equal(pu_leaf(su_p, VA),
	    pa_of(m) | MAPPED | PG_PS | PG_PROMOTED | PG_RW | PG_M | PG_NX);
	assert_int_equal(su_nsuper(m), 1);
	assert_int_equal(su_first_super(m), VA);
	for (unsigned i = 0; i < NRUN; i++)
		assert_int_equal(pu_nmappings(&m[i]), 0);
	assert_int_equal(pu_counter(&su_pu, CTR_PV_ENTRY_ALLOCS) -
		pu_counter(&su_pu, CTR_PV_ENTRY_FREES),
	    1);
	/* It is tried each time the table is full: split and mended. */
	su_enter(su_p, VA + 7 * PAGE_SIZE, m, R | W, W);
	su_expect(1, 1, 0, 0);
	su_expect_pmap(su_p, NRUN, 2, 1);
	/* Nothing is lost that the mappings did not lose. */
	assert_int_equal(su_ndirty(m), 0);
	assert_int_equal(su_naflag(m, PGA_WRITEABLE), NRUN);
	pmap_remove(su_p, VA, END);
	assert_int_equal(su_ndirty(m), NRUN);
	assert_int_equal(su_naflag(m, PGA_REFERENCED), NRUN);
	assert_int_equal(su_naflag(m, PGA_WRITEABLE), 0);
	su_expect_pmap(su_p, 0, 0, 0);
	su_expect(0, 0, 0, 0);
	su_run_free(m);
}

/* One entry of a full table is not like the others. */
static void
promotion_wants_512_alike(void **state)
{
	static const struct {
		unsigned odd; /* which entry */
		vm_prot_t prot;
		uint32_t flags;
	} odds[] = {
		{ 0, R, R },
		{ 0, R | X, R },
		{ 511, R | W, R },
		{ 511, R | W | X, W },
		{ 7, R | W, W | PMAP_ENTER_WIRED },
	};
	struct vm_page *m = su_run();

	(void)state;
	for (unsigned i = 0; i < sizeof(odds) / sizeof(odds[0]); i++) {
		vm_offset_t va = VA + odds[i].odd * PAGE_SIZE;

		for (unsigned j = 0; j < NRUN; j++) {
			if (j != odds[i].odd)
				su_enter(su_p, VA + j * PAGE_SIZE, m, R | W, W);
		}
		su_enter(su_p, va, m, odds[i].prot, odds[i].flags);
		su_expect(0, 0, 1, 0);
		su_expect_pmap(su_p, NRUN, 3, 0);
		su_enter(su_p, va, m, R | W, W);
		su_expect(1, 0, 0, 0);
		pmap_remove(su_p, VA, END);
		su_expect(0, 0, 0, 0);
	}
	su_run_free(m);
}

static void
promotion_wants_the_pages_in_order(void **state)
{
	struct vm_page *m = su_run(), *n = su_run();

	(void)state;
	/* Shifted by one page, so that entry 0 is not the run's first. */
	for (unsigned i = 0; i < NRUN - 1; i++)
		assert_int_equal(
		    pmap_enter(su_p, VA + i * PAGE_SIZE, &m[i + 1], R, R, 0),
		    KERN_SUCCESS);
	su_enter(su_p, END - PAGE_SIZE, n, R, R);
	su_expect(0, 0, 1, 0);
	/* All but one in place. */
	pmap_remove(su_p, VA, END);
	su_fill(su_p, VA, m, R, R);
	su_expect(1, 0, 0, 0);
	su_enter(su_p, VA + 100 * PAGE_SIZE, n, R, R);
	su_expect(0, 1, 1, 0);
	pmap_remove(su_p, VA, END);
	su_expect(0, 0, 0, 0);
	su_run_free(m);
	su_run_free(n);
}

/* Not even an attempt, so no failure. */
static void
promotion_wants_a_full_run_and_superpages(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	assert_false(vm_reserv_assume(su_pu.pu_ma->ma_vp, pa_of(m), false));
	su_fill(su_p, VA, m, R, R);
	su_expect(0, 0, 0, 0);
	assert_true(vm_reserv_assume(su_pu.pu_ma->ma_vp, pa_of(m), true));
	su_enter(su_p, VA, m, R, R);
	su_expect(1, 0, 0, 0);
	pmap_remove(su_p, VA, END);
	su_run_free(m);

	su_again("sparse/gen2+superpages=off");
	m = su_run();
	su_fill(su_p, VA, m, R, R);
	su_expect(0, 0, 0, 0);
	su_expect_pmap(su_p, NRUN, 3, 0);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
}

static pt_entry_t
rw(unsigned i)
{
	return (pu_leaf(su_p, VA + i * PAGE_SIZE) & PG_RW);
}

/*
 * What is writable and clean is protected: entry 0, then from the end down to the
 * entry that spoils it.  It stays so (B14).
 */
static void
promotion_takes_the_write_right_from_clean_ones(void **state)
{
	struct vm_page *m = su_run();
	vm_offset_t va;

	(void)state;
	for (unsigned i = 0; i < NRUN; i++)
		su_enter(su_p, VA + i * PAGE_SIZE, m, R | W, i == 300 ? W : R);
	su_expect(0, 0, 1, 0);
	assert_int_equal(rw(0), 0);
	assert_int_equal(rw(1), PG_RW);
	assert_int_equal(rw(299), PG_RW);
	assert_int_equal(rw(300), PG_RW);
	for (unsigned i = 301; i < NRUN; i++)
		assert_int_equal(rw(i), 0);
	/* Writes in some other order mend it; the last one faults. */
	for (unsigned i = 0; i < NRUN; i++) {
		va = VA + (i * 77 % NRUN) * PAGE_SIZE;
		if (!pu_mmu(su_p, va, W))
			su_enter(su_p, va, m, R | W, W);
	}
	assert_true(su_is_super(su_p, VA));
	assert_int_equal(pu_leaf(su_p, VA) & (PG_RW | PG_M), PG_RW | PG_M);
	pmap_remove(su_p, VA, END);

	/* All clean: read-only. */
	su_fill(su_p, VA, m, R | W, R);
	assert_true(su_is_super(su_p, VA));
	assert_int_equal(pu_leaf(su_p, VA) & (PG_RW | PG_M), 0);
	/* The flag is a hint and stays. */
	assert_int_equal(su_naflag(m, PGA_WRITEABLE), NRUN);
	pu_check(&su_pu);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
}

/* Versions differ in what they make of mappings that nobody used. */
static void
promotion_and_the_accessed_bit(void **state)
{
	static const char *const designs[] = { "sparse/gen2",
		"sparse/gen2+pmap=14", "sparse/gen2+pmap=12.3",
		"sparse/gen2+pmap=12.1" };
	struct vm_page *m;

	(void)state;
	for (unsigned d = 0; d < 4; d++) {
		su_again(designs[d]);
		m = su_run();
		for (unsigned i = 0; i < NRUN - 1; i++)
			su_enter(su_p, VA + i * PAGE_SIZE, m, R, R);
		pmap_enter_quick(su_p, END - PAGE_SIZE, &m[NRUN - 1], R);
		if (d != 0) {
			/* Not by the quick one, nor by one that can. */
			su_expect(0, 0, 0, 0);
			su_enter(su_p, VA, m, R, R);
			su_expect(0, 0, 1, 0);
			assert_true(pu_mmu(su_p, END - 1, R));
			su_enter(su_p, VA, m, R, R);
			su_expect(1, 0, 0, 0);
			pmap_remove(su_p, VA, END);
			su_run_free(m);
			continue;
		}
		su_expect(1, 0, 0, 0);
		assert_int_equal(pu_leaf(su_p, VA) & PG_A, 0);
		/* Used since, it is split, into 512 that are accessed (B15). */
		assert_true(pu_mmu(su_p, VA, R));
		pmap_remove(su_p, VA, VA + PAGE_SIZE);
		su_expect(0, 1, 0, 0);
		for (unsigned i = 1; i < NRUN; i++)
			assert_int_equal(pu_leaf(su_p, VA + i * PAGE_SIZE),
			    pa_of(&m[i]) | MAPPED | PG_NX);
		pmap_remove(su_p, VA, END);
		su_run_free(m);
	}
}

/* Wired mappings of which some were not used: a demotion must not drop it (B33). */
static void
a_wired_superpage_is_accessed(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	for (unsigned i = 0; i < NRUN - 1; i++)
		su_enter(su_p, VA + i * PAGE_SIZE, m, R, R | PMAP_ENTER_WIRED);
	pmap_advise(su_p, VA, END, PMAP_ADVISE_DONTNEED);
	su_enter(su_p, END - PAGE_SIZE, m, R, R | PMAP_ENTER_WIRED);
	su_expect(1, 0, 0, 0);
	assert_int_equal(pu_leaf(su_p, VA) & (PG_W | PG_A), PG_W | PG_A);
	assert_int_equal(pmap_wired_count(su_p), NRUN);
	pmap_limit(su_pu.pu_ma, 0, -1);
	pmap_unwire(su_p, VA, VA + PAGE_SIZE);
	pmap_limit(su_pu.pu_ma, -1, -1);
	su_expect(0, 1, 0, 0);
	assert_int_equal(pmap_wired_count(su_p), NRUN - 1);
	for (unsigned i = 0; i < NRUN; i++)
		assert_int_equal(
		    pu_leaf(su_p, VA + i * PAGE_SIZE) & PG_A, PG_A);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
}

static void
promotion_fails_without_a_node(void **state)
{
	struct vm_page *m = su_run(), *n = su_run();

	(void)state;
	/* The first saved table needs none. */
	kmem_fail_nth(su_pu.pu_ma->ma_kmem, 1);
	su_fill(su_p, VA, m, R, R);
	su_expect(1, 0, 0, 0);
	assert_false(kmem_failed(su_pu.pu_ma->ma_kmem));
	su_fill(su_p, END, n, R, R);
	assert_true(kmem_failed(su_pu.pu_ma->ma_kmem));
	su_expect(0, 0, 1, 0);
	su_expect_pmap(su_p, 2 * NRUN, 3, 1);
	su_enter(su_p, END, n, R, R);
	su_expect(1, 0, 0, 0);
	su_expect_pmap(su_p, 2 * NRUN, 2, 2);
	pmap_remove(su_p, VA, END + NBPDR);
	su_expect_pmap(su_p, 0, 0, 0);
	su_run_free(m);
	su_run_free(n);
}

/* The third bit of the memory type lies in another place, and back. */
static void
the_memory_type_survives(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	for (unsigned i = 0; i < NRUN; i++)
		m[i].md.pat_mode = 5;
	su_fill(su_p, VA, m, R, R);
	su_expect(1, 0, 0, 0);
	assert_int_equal(pu_leaf(su_p, VA) & (PG_PDE_CACHE | PG_PS),
	    PG_PDE_PAT | PG_NC_PWT | PG_PS);
	pmap_protect(su_p, VA, VA + PAGE_SIZE, R | X);
	su_expect(0, 1, 0, 0);
	assert_int_equal(
	    pu_leaf(su_p, VA + PAGE_SIZE) & (PG_FRAME | PG_PTE_CACHE),
	    pa_of(&m[1]) | PG_PTE_PAT | PG_NC_PWT);
	/* PG_PS is that bit in a 4 KB entry: exit must not mix them up (B31). */
	pmap_remove_pages(su_p);
	su_expect_pmap(su_p, 0, 0, 0);
	su_expect(0, 0, 0, 0);
	su_enter_super(su_p, VA, m, R, R);
	assert_int_equal(
	    pu_leaf(su_p, VA) & PG_PDE_CACHE, PG_PDE_PAT | PG_NC_PWT);
	su_expect(0, 0, 0, 1);
	pmap_remove_pages(su_p);
	su_expect(0, 0, 0, 0);
	su_run_free(m);
}

/* Each page's list gets the mapping at its end; the saved table is used. */
static void
demotion_makes_512_of_it(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	su_fill(su_p, VA, m, R | W, W);
	su_enter(su_q, VA + 3 * PAGE_SIZE, m, R, R);
	su_expect(1, 0, 0, 0);
	pmap_protect(su_p, VA + PAGE_SIZE, VA + 2 * PAGE_SIZE, R);
	su_expect(0, 1, 0, 0);
	su_expect_pmap(su_p, NRUN, 3, 0);
	assert_int_equal(su_nsuper(m), 0);
	for (unsigned i = 0; i < NRUN; i++) {
		assert_int_equal(pu_nmappings(&m[i]), 1 + (i == 3));
		assert_int_equal(pu_leaf(su_p, VA + i * PAGE_SIZE),
		    pa_of(&m[i]) | MAPPED | PG_NX |
			(i == 1 ? 0 : PG_RW | PG_M));
	}
	assert_ptr_equal(PV_PMAP(m[3].md.pv_list.pvl_first), su_q);
	assert_int_equal(su_ndirty(m), 1);
	pmap_remove(su_p, VA, END);
	pmap_remove(su_q, VA, END);
	su_run_free(m);
}

/* What changed for the whole superpage is in all 512. */
static void
demotion_knows_what_changed_meanwhile(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	su_fill(su_p, VA, m, R | W | X, W | PMAP_ENTER_WIRED);
	su_expect(1, 0, 0, 0);
	pmap_protect(su_p, VA, END, R);
	pmap_unwire(su_p, VA, END);
	assert_int_equal(pu_leaf(su_p, VA), pa_of(m) | MAPPED | PG_PS | PG_NX);
	assert_int_equal(su_ndirty(m), NRUN);
	assert_int_equal(pmap_wired_count(su_p), 0);
	su_expect(0, 0, 0, 0);
	pmap_remove(su_p, END - PAGE_SIZE, END);
	su_expect(0, 1, 0, 0);
	for (unsigned i = 0; i < NRUN - 1; i++)
		assert_int_equal(pu_leaf(su_p, VA + i * PAGE_SIZE),
		    pa_of(&m[i]) | MAPPED | PG_NX);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
}

/* A superpage that was never used is not worth a page table. */
static void
demotion_drops_what_was_not_used(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	su_fill(su_p, VA, m, R | W, W);
	/* The one page in 512 that may clear the bit. */
	assert_int_equal(pmap_ts_referenced(su_pu.pu_ma,
			     &m[((VA >> 21) ^ (pa_of(m) >> 12)) & 511]),
	    1);
	assert_int_equal(pu_leaf(su_p, VA) & PG_A, 0);
	su_expect(1, 0, 0, 0);
	/* In the middle (B20). */
	pmap_protect(su_p, VA + 5 * PAGE_SIZE, VA + 6 * PAGE_SIZE, R);
	su_expect(0, 0, 0, 0);
	su_expect_pmap(su_p, 0, 0, 0);
	assert_int_equal(su_ndirty(m), NRUN);
	assert_int_equal(su_naflag(m, PGA_REFERENCED), 0);
	assert_int_equal(su_naflag(m, PGA_WRITEABLE), 0);
	su_run_free(m);
}

/* It was made at once, so that no table is saved, and none can be had. */
static void
demotion_drops_it_without_a_table(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	su_enter_super(su_p, VA, m, R | W, W);
	su_expect_pmap(su_p, NRUN, 2, 0);
	pmap_limit(su_pu.pu_ma, 0, -1);
	pmap_remove(su_p, VA + 5 * PAGE_SIZE, VA + 6 * PAGE_SIZE);
	su_expect(0, 0, 0, 1);
	su_expect_pmap(su_p, 0, 0, 0);
	assert_int_equal(su_ndirty(m), NRUN);
	assert_int_equal(su_naflag(m, PGA_REFERENCED), NRUN);
	/* What it gave back can be had again: two tables, not three. */
	assert_int_equal(pmap_enter(su_p, VA, m, R, R | PMAP_ENTER_NOSLEEP, 1),
	    KERN_SUCCESS);
	pmap_remove(su_p, VA, END);
	su_expect(0, 0, 0, 1);
	assert_int_equal(pmap_enter(su_p, VA, m, R, R | PMAP_ENTER_NOSLEEP, 0),
	    KERN_RESOURCE_SHORTAGE);
	pmap_limit(su_pu.pu_ma, -1, -1);
	su_enter_super(su_p, VA, m, R | W, W);
	pmap_remove(su_p, VA + 5 * PAGE_SIZE, VA + 6 * PAGE_SIZE);
	su_expect(0, 1, 0, 1);
	su_expect_pmap(su_p, NRUN - 1, 3, 0);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
}

/* 511 more pv entries cannot be had: the saved table goes, too. */
static void
demotion_drops_it_without_pv_entries(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	su_fill(su_p, VA, m, R | W, W);
	su_expect(1, 0, 0, 0);
	pmap_limit(su_pu.pu_ma, -1, 0);
	pmap_remove(su_p, VA, VA + PAGE_SIZE);
	pmap_limit(su_pu.pu_ma, -1, -1);
	su_expect(0, 0, 0, 0);
	su_expect_pmap(su_p, 0, 0, 0);
	assert_int_equal(su_ndirty(m), NRUN);
	su_run_free(m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, su_setup, su_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_512th_mapping_promotes),
		T(promotion_wants_512_alike),
		T(promotion_wants_the_pages_in_order),
		T(promotion_wants_a_full_run_and_superpages),
		T(promotion_takes_the_write_right_from_clean_ones),
		T(promotion_and_the_accessed_bit),
		T(a_wired_superpage_is_accessed),
		T(promotion_fails_without_a_node),
		T(the_memory_type_survives),
		T(demotion_makes_512_of_it),
		T(demotion_knows_what_changed_meanwhile),
		T(demotion_drops_what_was_not_used),
		T(demotion_drops_it_without_a_table),
		T(demotion_drops_it_without_pv_entries),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
