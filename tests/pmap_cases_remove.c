/* SPDX-License-Identifier: BSD-2-Clause */

/* Cases of test_pmap.c: mappings that go, and what a page is asked and told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pmap_cases.h"

/* remove */

static void
remove_takes_exactly_the_range(void **state)
{
	struct vm_page *m = pu_page(&pu);
	/* Around the ends of tables of all levels. */
	static const vm_offset_t vas[] = { 0, 0x1ff000, 0x200000, 0x3ffff000,
		0x40000000, 0x7ffffff000, 0x8000000000, 0x7ffffffff000 };

	(void)state;
	for (size_t i = 0; i < 8; i++)
		pc_enter(p, vas[i], m, R, R);
	/* 8 leaves; 7 page tables, 5 directories, 3 above, and the root */
	assert_int_equal(pmap_resident_count(p), 8 + 7 + 5 + 3 + 1);
	pc_remove(p, 0x200000, 0x3ffff000);
	assert_int_equal(pu_leaf(p, 0x200000), 0);
	assert_int_equal(pu_nmappings(m), 7);
	pc_remove(p, 0x1000, 0x1ff000); /* nothing there */
	assert_int_equal(pu_nmappings(m), 7);
	pc_remove(p, 0x1ff000, 0x8000000000);
	assert_int_equal(pu_nmappings(m), 3);
	assert_int_not_equal(pu_leaf(p, 0), 0);
	assert_int_not_equal(pu_leaf(p, 0x8000000000), 0);
	assert_int_equal(pmap_resident_count(p), 3 + 3 + 3 + 3 + 1);
	pc_remove(p, 0x8000000000, VM_MAXUSER_ADDRESS);
	assert_int_equal(pmap_resident_count(p), 1 + 3 + 1);
	pc_remove(p, 0, VM_MAXUSER_ADDRESS);
	assert_int_equal(pmap_resident_count(p), 1);
	assert_int_equal(pu_counter(&pu, CTR_PT_PAGE_ALLOCS),
	    pu_counter(&pu, CTR_PT_PAGE_FREES));
	pu_page_free(&pu, m);
}

static void
remove_passes_what_each_mapping_saw(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	pmap_enter_quick(p, VA, m, R);
	pmap_enter_quick(q, VA, m, R);
	pc_remove(p, VA, VA + 4096);
	assert_false(pu_aflag(m, PGA_REFERENCED));
	assert_true(pu_mmu(q, VA, R));
	pc_remove(q, VA, VA + 4096);
	assert_true(pu_aflag(m, PGA_REFERENCED));
	assert_false(pu_dirty(m));
	vm_page_aflag_clear(m, PGA_REFERENCED);

	/* The hint goes with the last mapping, whichever that is. */
	pc_enter(p, VA, m, R | W, R);
	pc_enter(q, VA, m, R, R);
	pc_remove(p, VA, VA + 4096);
	assert_true(pu_aflag(m, PGA_WRITEABLE));
	assert_false(pu_dirty(m));
	pc_remove(q, VA, VA + 4096);
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	pu_page_free(&pu, m);
}

/* remove_pages */

/*
 * Some of everything: shared, wired, unmanaged, dirty, several tables and more
 * than two chunks; then an exit.
 */
static void
exit_some_of_everything(void)
{
	struct vm_page *m = pu_pages(&pu, 9), *u = pc_unmanaged_page();
	struct vm_page *w = pu_page(&pu);

	for (int i = 0; i < 512; i++) {
		assert_int_equal(
		    pmap_enter(p, VA + (vm_offset_t)i * 4096, &m[i],
			i % 2 == 0 ? R | W : R, i % 4 == 0 ? W : R, 0),
		    KERN_SUCCESS);
	}
	pc_enter(q, VA, &m[0], R, R);
	pc_enter(p, 0x1000, w, R | W, W | PMAP_ENTER_WIRED);
	pc_enter(p, 0x2000, u, R | W, W);
	assert_int_equal(pmap_resident_count(p), 514 + 3 + 4 + 1);
	pmap_remove_pages(p);
	pu_check(&pu);
	/* The wired and the unmanaged one stay, with their table. */
	assert_int_equal(pmap_resident_count(p), 2 + 3 + 1);
	assert_int_equal(pmap_wired_count(p), 1);
	pc_assert_leaf(p, 0x1000, w, USER | PG_A | PG_NX | PG_RW | PG_M | PG_W);
	pc_assert_leaf(p, 0x2000, u, PG_U | PG_A | PG_NX | PG_RW | PG_M);
	for (int i = 0; i < 512; i++) {
		assert_int_equal(pu_dirty(&m[i]), i % 4 == 0);
		assert_false(pu_aflag(&m[i], PGA_REFERENCED));
		assert_int_equal(pu_nmappings(&m[i]), i == 0);
		assert_int_equal(pu_aflag(&m[i], PGA_WRITEABLE), i == 0);
	}
	assert_false(pu_dirty(w));
	/* The chunk with the wired entry is kept and still good for more. */
	pc_enter(p, VA, &m[1], R, R);
	pc_remove(p, 0, VM_MAXUSER_ADDRESS);
	assert_true(pu_dirty(w));
	assert_true(pu_aflag(w, PGA_REFERENCED));
	assert_int_equal(pmap_wired_count(p), 0);
	assert_int_equal(pmap_resident_count(p), 1);
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS) -
		pu_counter(&pu, CTR_PC_CHUNK_FREES),
	    1); /* q's */
	pmap_remove_pages(q);
	pu_check(&pu);
	pu_pages_free(&pu, m, 9);
	pu_page_free(&pu, u);
	pu_page_free(&pu, w);
}

void
remove_pages_ends_a_process(void **state)
{
	(void)state;
	exit_some_of_everything();
}

static void
batched_and_unbatched_exits_leave_the_same(void **state)
{
	static const char *const designs[] = { "sparse/rwlock",
		"sparse/rwlock+batch", "sparse/rwlock+chunks=global",
		"sparse/rwlock+chunks=global+batch" };
	uint64_t first[NCOUNTERS] = { 0 };

	(void)state;
	for (size_t d = 0; d < 4; d++) {
		pc_begin(designs[d]);
		exit_some_of_everything();
		for (int c = 0; c < NCOUNTERS; c++) {
			if (d == 0)
				first[c] = pu_counter(&pu, (enum counter)c);
			assert_int_equal(
			    pu_counter(&pu, (enum counter)c), first[c]);
		}
		(void)pc_teardown(NULL);
	}
}

/* remove_all, remove_write, clear_modify */

static void
remove_all_takes_every_mapping(void **state)
{
	struct vm_page *m = pu_page(&pu), *n = pu_page(&pu);

	(void)state;
	pc_enter(p, VA, m, R | W, R);
	pc_enter(p, VA + 4096, m, R, R | PMAP_ENTER_WIRED);
	pc_enter(q, 0x5000, m, R | W, W);
	pc_enter(q, 0x6000, n, R, R);
	pmap_remove_all(pu.pu_ma, m);
	pu_check(&pu);
	assert_int_equal(pu_nmappings(m), 0);
	assert_int_equal(pmap_resident_count(p), 1);
	assert_int_equal(pmap_wired_count(p), 0);
	assert_int_equal(pmap_resident_count(q), 1 + 3 + 1);
	assert_true(pu_dirty(m));
	assert_true(pu_aflag(m, PGA_REFERENCED));
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	assert_int_equal(pu_nmappings(n), 1);
	assert_false(pu_aflag(n, PGA_REFERENCED));
	/* Nothing mapped, stale hint: it goes. */
	vm_page_aflag_set(m, PGA_WRITEABLE);
	pmap_remove_all(pu.pu_ma, m);
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	pc_remove(q, 0, VM_MAXUSER_ADDRESS);
	pu_page_free(&pu, m);
	pu_page_free(&pu, n);
}

static void
remove_write_leaves_read_only_mappings(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	pc_enter(p, VA, m, R | W | X, W);
	pc_enter(q, VA, m, R | W, R);
	pmap_remove_write(pu.pu_ma, m);
	pu_check(&pu);
	pc_assert_leaf(p, VA, m, USER | PG_A);
	pc_assert_leaf(q, VA, m, USER | PG_A | PG_NX);
	assert_true(pu_dirty(m));
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	assert_false(pu_aflag(m, PGA_REFERENCED));
	/* Clean ones make nothing dirty. */
	pu_undirty(m);
	pc_enter(p, VA, m, R | W, R);
	pmap_remove_write(pu.pu_ma, m);
	assert_false(pu_dirty(m));
	/* Without the hint it is not even looked at. */
	assert_int_equal(pu_counter(&pu, CTR_PV_LOCKS),
	    (pmap_remove_write(pu.pu_ma, m), pu_counter(&pu, CTR_PV_LOCKS)));
	pc_remove(p, VA, VA + 4096);
	pc_remove(q, VA, VA + 4096);
	pu_page_free(&pu, m);
}

static void
clear_modify_keeps_the_right_to_write(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	pc_enter(p, VA, m, R | W, W);
	pc_enter(q, VA, m, R | W, W);
	assert_true(pmap_is_modified(pu.pu_ma, m));
	pmap_clear_modify(pu.pu_ma, m);
	pu_check(&pu);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_NX | PG_RW);
	pc_assert_leaf(q, VA, m, USER | PG_A | PG_NX | PG_RW);
	assert_false(pu_dirty(m));
	assert_true(pu_aflag(m, PGA_WRITEABLE));
	assert_false(pmap_is_modified(pu.pu_ma, m));
	assert_true(pu_mmu(q, VA, W));
	assert_true(pmap_is_modified(pu.pu_ma, m));
	pc_remove(p, VA, VA + 4096);
	pc_remove(q, VA, VA + 4096);
	pu_page_free(&pu, m);
}

static void
is_modified_trusts_the_hint(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	assert_int_equal(pmap_enter(p, VA, m, R | W, W, 0), KERN_SUCCESS);
	vm_page_aflag_clear(m, PGA_WRITEABLE);
	assert_false(pmap_is_modified(pu.pu_ma, m));
	vm_page_aflag_set(m, PGA_WRITEABLE);
	assert_true(pmap_is_modified(pu.pu_ma, m));
	pc_remove(p, VA, VA + 4096);
	assert_false(pmap_is_modified(pu.pu_ma, m));
	pu_page_free(&pu, m);
}

static void
is_referenced_asks_all_mappings(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	pmap_enter_quick(p, VA, m, R);
	pmap_enter_quick(q, VA, m, R);
	assert_false(pmap_is_referenced(pu.pu_ma, m));
	assert_true(pu_mmu(q, VA, R));
	assert_true(pmap_is_referenced(pu.pu_ma, m));
	pc_remove(q, VA, VA + 4096);
	assert_false(pmap_is_referenced(pu.pu_ma, m));
	pc_remove(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

static void
ts_referenced_counts_five_and_goes_on_from_there(void **state)
{
	struct vm_page *m = pu_page(&pu);
	vm_offset_t va;

	(void)state;
	assert_int_equal(pmap_ts_referenced(pu.pu_ma, m), 0);
	for (va = VA; va < VA + 12 * 4096; va += 4096)
		pc_enter(p, va, m, R | W, R);
	assert_true(pu_mmu(p, VA + 7 * 4096, W));
	assert_int_equal(pmap_ts_referenced(pu.pu_ma, m), 5);
	pu_check(&pu);
	assert_false(pu_dirty(m));
	/* The first five went to the end. */
	assert_int_equal(m->md.pv_list.pvl_first->pv_va, VA + 5 * 4096);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(
		    (pu_leaf(p, VA + i * 4096) & PG_A) != 0, i > 4);
	assert_int_equal(pmap_ts_referenced(pu.pu_ma, m), 5);
	assert_true(pu_dirty(m));
	assert_true((pu_leaf(p, VA + 7 * 4096) & PG_M) != 0); /* stays */
	assert_int_equal(pmap_ts_referenced(pu.pu_ma, m), 2);
	assert_int_equal(pmap_ts_referenced(pu.pu_ma, m), 0);
	assert_false(pu_aflag(m, PGA_REFERENCED));
	pu_check(&pu);
	/* One mapping: nothing to rotate, no change of the list. */
	pc_remove(p, VA + 4096, VA + 12 * 4096);
	assert_true(pu_mmu(p, VA, R));
	assert_int_equal(
	    md_gen(&m->md), (pmap_ts_referenced(pu.pu_ma, m), md_gen(&m->md)));
	assert_int_equal(pu_leaf(p, VA) & PG_A, 0);
	pc_remove(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

static void
exists_quick_looks_at_sixteen(void **state)
{
	struct vm_page *m = pu_page(&pu);
	vm_offset_t va;

	(void)state;
	for (va = VA; va < VA + 15 * 4096; va += 4096)
		pc_enter(p, va, m, R, R);
	pc_enter(q, VA, m, R, R);
	assert_true(pmap_page_exists_quick(p, m));
	assert_true(pmap_page_exists_quick(q, m)); /* the 16th */
	pc_remove(q, VA, VA + 4096);
	assert_false(pmap_page_exists_quick(q, m));
	pc_enter(p, va, m, R, R);
	pc_enter(q, VA, m, R, R);
	assert_false(pmap_page_exists_quick(q, m)); /* the 17th */
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, m), 0);
	pc_enter(q, VA, m, R, R | PMAP_ENTER_WIRED);
	pc_enter(p, VA, m, R, R | PMAP_ENTER_WIRED);
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, m), 2);
	assert_true(pmap_page_is_mapped(pu.pu_ma, m));
	pmap_remove_all(pu.pu_ma, m);
	assert_false(pmap_page_is_mapped(pu.pu_ma, m));
	pu_page_free(&pu, m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, pc_setup, pc_teardown)

static const struct CMUnitTest tests[] = {
	T(remove_takes_exactly_the_range),
	T(remove_passes_what_each_mapping_saw),
	T(remove_pages_ends_a_process),
	cmocka_unit_test(batched_and_unbatched_exits_leave_the_same),
	T(remove_all_takes_every_mapping),
	T(remove_write_leaves_read_only_mappings),
	T(clear_modify_keeps_the_right_to_write),
	T(is_modified_trusts_the_hint),
	T(is_referenced_asks_all_mappings),
	T(ts_referenced_counts_five_and_goes_on_from_there),
	T(exists_quick_looks_at_sixteen),
};

const struct pmap_cases pmap_cases_remove = { tests,
	sizeof(tests) / sizeof(tests[0]) };
