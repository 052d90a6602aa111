/* SPDX-License-Identifier: BSD-2-Clause */

/* Cases of test_pmap.c: the life of a pmap, and mappings that are made. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "pmap_cases.h"

/* Life. */

static void
a_new_pmap_has_a_root_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(pmap_resident_count(p), 1);
	assert_int_equal(pmap_wired_count(p), 0);
	assert_int_equal(machine_free_pages(pu.pu_ma), pu.pu_free - 2);
	assert_int_equal(pmap_extract(p, VA), 0);
	pc_remove(p, 0, VM_MAXUSER_ADDRESS);
}

static void
release(void *arg)
{
	pmap_release(arg);
}

static void
release_of_a_pmap_in_use_panics(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	pc_enter(p, VA, m, R, R);
	assert_true(pu_panics(release, p));
	assert_non_null(strstr(pu_panic_text, "resident count 5"));
	PMAP_UNLOCK(p); /* it was left locked */
	pc_remove(p, 0, VM_MAXUSER_ADDRESS);
	pu_page_free(&pu, m);
}

static void
a_pmap_keeps_its_memory_and_mutex_when_freed(void **state)
{
	struct pmap *a = pu_pmap(&pu), *b;

	(void)state;
	pu_pmap_free(a);
	/* Still a mutex: a late locker does no harm. */
	PMAP_LOCK(a);
	PMAP_UNLOCK(a);
	b = pu_pmap(&pu);
	assert_ptr_equal(a, b);
	pu_check(&pu);
	pu_pmap_free(b);
}

static void
no_root_is_a_shortage(void **state)
{
	struct vm_page *hoard = NULL;
	struct pmap *a = pmap_alloc(pu.pu_ma);

	(void)state;
	pu_hoard(&pu, &hoard, 0);
	assert_int_equal(pmap_pinit(a), KERN_RESOURCE_SHORTAGE);
	pu_check(&pu);
	pu_unhoard(&pu, &hoard);
	assert_int_equal(pmap_pinit(a), KERN_SUCCESS);
	pu_pmap_free(a);
}

/* enter */

static void
enter_makes_an_accessed_mapping(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	pc_enter(p, VA, m, R, R);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_NX);
	assert_int_equal(pmap_resident_count(p), 5); /* page, 3 tables, root */
	assert_int_equal(pu_nmappings(m), 1);
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	assert_int_equal(pmap_extract(p, VA + 0x7ff), m->phys_addr + 0x7ff);

	pc_enter(p, VA + 4096, m, R | W, R);
	pc_assert_leaf(p, VA + 4096, m, USER | PG_A | PG_NX | PG_RW);
	assert_true(pu_aflag(m, PGA_WRITEABLE));
	pc_enter(p, VA + 8192, m, R | W | X, W);
	pc_assert_leaf(p, VA + 8192, m, USER | PG_A | PG_RW | PG_M);
	assert_int_equal(pmap_resident_count(p), 7);
	assert_int_equal(pu_nmappings(m), 3);
	assert_int_equal(pmap_wired_count(p), 0);
	assert_false(pu_dirty(m));

	pc_remove(p, VA, VA + 3 * 4096);
	assert_true(pu_dirty(m));
	assert_true(pu_aflag(m, PGA_REFERENCED));
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	assert_int_equal(pmap_resident_count(p), 1);
	pu_page_free(&pu, m);
}

static void
enter_of_the_same_page_changes_the_entry(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	pc_enter(p, VA, m, R | W, W);
	/* Nothing but M differs: nothing is written, M stays. */
	pc_enter(p, VA, m, R | W, R);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_NX | PG_RW | PG_M);
	assert_false(pu_dirty(m));
	/* Loses M: the page gets it. */
	pc_enter(p, VA, m, R, R);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_NX);
	assert_true(pu_dirty(m));
	/* The hint stays. */
	assert_true(pu_aflag(m, PGA_WRITEABLE));
	pu_undirty(m);
	/* More rights. */
	pc_enter(p, VA, m, R | W | X, X);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_RW);
	/* Same rights, other access: M is not set either. */
	pc_enter(p, VA, m, R | W | X, W);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_RW);
	/* From written to written: not lost, so not dirty. */
	assert_true(pu_mmu(p, VA, W));
	pc_enter(p, VA, m, R | W, W);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_NX | PG_RW | PG_M);
	assert_false(pu_dirty(m));
	assert_int_equal(pu_nmappings(m), 1);
	assert_int_equal(pmap_resident_count(p), 5);
	pc_remove(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

static void
enter_of_the_same_page_restores_the_writeable_hint(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	pc_enter(p, VA, m, R, R);
	pc_enter(q, VA, m, R | W, R);
	pc_remove(q, VA, VA + 4096);
	assert_true(pu_aflag(m, PGA_WRITEABLE)); /* p still maps it */
	pmap_remove_write(pu.pu_ma, m);
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	pc_enter(p, VA, m, R | W, R);
	assert_true(pu_aflag(m, PGA_WRITEABLE));
	pc_remove(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

static void
enter_counts_wired_mappings(void **state)
{
	struct vm_page *m = pu_page(&pu), *n = pu_page(&pu);

	(void)state;
	pc_enter(p, VA, m, R, R | PMAP_ENTER_WIRED);
	pc_assert_leaf(p, VA, m, USER | PG_A | PG_NX | PG_W);
	assert_int_equal(pmap_wired_count(p), 1);
	pc_enter(p, VA, m, R, R | PMAP_ENTER_WIRED);
	assert_int_equal(pmap_wired_count(p), 1);
	pc_enter(p, VA, m, R, R);
	assert_int_equal(pmap_wired_count(p), 0);
	pc_enter(p, VA, m, R, R | PMAP_ENTER_WIRED);
	pc_enter(p, VA, n, R, R | PMAP_ENTER_WIRED); /* replaced */
	assert_int_equal(pmap_wired_count(p), 1);
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, m), 0);
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, n), 1);
	pc_enter(p, VA, m, R, R);
	assert_int_equal(pmap_wired_count(p), 0);
	pc_enter(p, VA, m, R, R | PMAP_ENTER_WIRED);
	pc_remove(p, VA, VA + 4096);
	assert_int_equal(pmap_wired_count(p), 0);
	pu_page_free(&pu, m);
	pu_page_free(&pu, n);
}

static void
enter_replaces_another_page(void **state)
{
	struct vm_page *m = pu_page(&pu), *n = pu_page(&pu);
	struct pv_entry *pv;
	uint64_t allocs;

	(void)state;
	pc_enter(p, VA, m, R | W, W);
	pv = m->md.pv_list.pvl_first;
	allocs = pu_counter(&pu, CTR_PV_ENTRY_ALLOCS);
	pc_enter(p, VA, n, R, R);
	pc_assert_leaf(p, VA, n, USER | PG_A | PG_NX);
	assert_true(pu_dirty(m));
	assert_true(pu_aflag(m, PGA_REFERENCED));
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	assert_int_equal(pu_nmappings(m), 0);
	assert_false(pu_dirty(n));
	assert_false(pu_aflag(n, PGA_WRITEABLE));
	assert_int_equal(pmap_resident_count(p), 5);
	/* B4: the entry is used again, none is allocated. */
	assert_ptr_equal(n->md.pv_list.pvl_first, pv);
	assert_int_equal(pu_counter(&pu, CTR_PV_ENTRY_ALLOCS), allocs);
	/* Neither accessed nor modified: nothing to pass on. */
	pmap_remove(p, VA, VA + 4096);
	pmap_enter_quick(p, VA, n, R);
	vm_page_aflag_clear(n, PGA_REFERENCED);
	pc_enter(p, VA, m, R, R);
	assert_false(pu_aflag(n, PGA_REFERENCED));
	assert_false(pu_dirty(n));
	pc_remove(p, VA, VA + 4096);
	pu_page_free(&pu, m);
	pu_page_free(&pu, n);
}

static void
enter_keeps_unmanaged_pages_off_lists(void **state)
{
	struct vm_page *m = pu_page(&pu), *u = pc_unmanaged_page(), *v;

	(void)state;
	v = pc_unmanaged_page();
	pc_enter(p, VA, u, R, R);
	pc_assert_leaf(p, VA, u, PG_U | PG_A | PG_NX);
	/* RW implies M. */
	pc_enter(p, VA, u, R | W, R);
	pc_assert_leaf(p, VA, u, PG_U | PG_A | PG_NX | PG_RW | PG_M);
	assert_false(pu_aflag(u, PGA_WRITEABLE));
	assert_int_equal(pu_nmappings(u), 0);
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS), 0);
	/* unmanaged -> unmanaged, -> managed, -> unmanaged, -> gone */
	pc_enter(p, VA, v, R, R | PMAP_ENTER_WIRED);
	assert_int_equal(pmap_wired_count(p), 1);
	assert_false(pu_dirty(u));
	assert_false(pu_aflag(u, PGA_REFERENCED));
	pc_enter(p, VA, m, R | W, W);
	assert_int_equal(pu_nmappings(m), 1);
	assert_int_equal(pmap_wired_count(p), 0);
	pc_enter(p, VA, u, R, R);
	assert_int_equal(pu_nmappings(m), 0);
	assert_true(pu_dirty(m));
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_FREES), 1);
	assert_int_equal(pmap_resident_count(p), 5);
	assert_false(pmap_page_is_mapped(pu.pu_ma, u));
	pc_remove(p, VA, VA + 4096);
	assert_false(pu_aflag(u, PGA_REFERENCED));
	pu_page_free(&pu, m);
	pu_page_free(&pu, u);
	pu_page_free(&pu, v);
}

static void
enter_refuses_a_size_that_does_not_fit(void **state)
{
	struct vm_page *m = pu_pages(&pu, 9);

	(void)state;
	/* Not 2 MB aligned: the address, the page; 1 GB. */
	assert_int_equal(
	    pmap_enter(p, 0x201000, m, R, R, 1), KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    pmap_enter(p, 0x200000, m + 1, R, R, 1), KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    pmap_enter(p, 0x200000, m, R, R, 2), KERN_INVALID_ARGUMENT);
	pu_check(&pu);
	pu_pages_free(&pu, m, 9);
}

/* Memory types; B31: in a 4 KB entry the bit of PG_PS is PAT. */
static void
memory_types_survive_until_the_exit(void **state)
{
	static const pt_entry_t bits[] = { 0, 0x08, 0x10, 0x18, 0x80, 0x88,
		0x90, 0x98 };
	struct vm_page *m = pu_pages(&pu, 3);

	(void)state;
	for (int i = 0; i < 8; i++) {
		m[i].md.pat_mode = i;
		pc_enter(p, VA + (vm_offset_t)i * 4096, &m[i], R | W,
		    i % 2 == 0 ? W : R);
		assert_int_equal(
		    pu_leaf(p, VA + (vm_offset_t)i * 4096) & 0x98, bits[i]);
		pmap_enter_quick(q, VA + (vm_offset_t)i * 4096, &m[i], R);
		assert_int_equal(
		    pu_leaf(q, VA + (vm_offset_t)i * 4096) & 0x98, bits[i]);
	}
	pu_check(&pu);
	pmap_protect(p, VA, VA + 4 * 4096, R);
	pu_check(&pu);
	assert_int_equal(pmap_extract(p, VA + 6 * 4096), m[6].phys_addr);
	pmap_remove_pages(p);
	pu_check(&pu);
	assert_int_equal(pmap_resident_count(p), 1);
	pmap_remove_pages(q);
	assert_int_equal(pmap_resident_count(q), 1);
	pu_check(&pu);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(pu_nmappings(&m[i]), 0);
		assert_int_equal(pu_dirty(&m[i]), i % 2 == 0);
	}
	pu_pages_free(&pu, m, 3);
}

/* enter_quick, enter_object */

static void
enter_quick_is_modest(void **state)
{
	struct vm_page *m = pu_page(&pu), *n = pu_page(&pu), *u;

	(void)state;
	u = pc_unmanaged_page();
	pmap_enter_quick(p, VA, m, R | W);
	pu_check(&pu);
	pc_assert_leaf(p, VA, m, USER | PG_NX); /* not accessed, read-only */
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	pmap_enter_quick(p, VA, n, R | X); /* never replaces */
	pu_check(&pu);
	pc_assert_leaf(p, VA, m, USER | PG_NX);
	assert_int_equal(pu_nmappings(n), 0);
	pmap_enter_quick(p, VA + 4096, n, R | W | X);
	pc_assert_leaf(p, VA + 4096, n, USER);
	pmap_enter_quick(p, VA + 8192, u, R | W);
	pc_assert_leaf(p, VA + 8192, u, PG_U | PG_NX);
	assert_int_equal(pmap_resident_count(p), 7);
	pu_check(&pu);
	pc_remove(p, VA, VA + 12288);
	assert_false(pu_aflag(m, PGA_REFERENCED));
	assert_false(pu_dirty(m));
	pu_page_free(&pu, m);
	pu_page_free(&pu, n);
	pu_page_free(&pu, u);
}

static void
enter_object_leaves_gaps_where_the_object_has_them(void **state)
{
	static const vm_pindex_t pindex[] = { 7, 8, 10, 11, 300, 900 };
	struct vm_page *m[6], *other = pu_page(&pu);
	const vm_offset_t va = VA & ~PDRMASK;

	(void)state;
	for (int i = 0; i < 6; i++) {
		m[i] = pu_page(&pu);
		m[i]->pindex = pindex[i];
	}
	for (int i = 0; i < 5; i++)
		m[i]->listq_next = m[i + 1];
	pc_enter(p, va + 3 * 4096, other, R, R); /* in the way of m[2] */
	/* From m[1] on, 600 pages: m[5] is out of it, m[4] on another table. */
	pmap_enter_object(p, va + 4096, va + 601 * 4096, m[1], R | W | X);
	pu_check(&pu);
	assert_int_equal(pu_leaf(p, va), 0);
	pc_assert_leaf(p, va + 4096, m[1], USER);
	assert_int_equal(pu_leaf(p, va + 2 * 4096), 0);
	pc_assert_leaf(p, va + 3 * 4096, other, USER | PG_A | PG_NX);
	pc_assert_leaf(p, va + 4 * 4096, m[3], USER);
	pc_assert_leaf(p, va + 293 * 4096, m[4], USER);
	assert_int_equal(pu_nmappings(m[0]), 0);
	assert_int_equal(pu_nmappings(m[2]), 0);
	assert_int_equal(pu_nmappings(m[5]), 0);
	assert_int_equal(pmap_resident_count(p), 4 + 3 + 1);
	/* One page more would have taken m[5]. */
	pmap_enter_object(p, va + 4096, va + 894 * 4096, m[1], R);
	pu_check(&pu);
	pc_assert_leaf(p, va + 893 * 4096, m[5], USER | PG_NX);
	assert_int_equal(pmap_resident_count(p), 5 + 4 + 1);
	pc_remove(p, va, va + 1024 * 4096);
	for (int i = 0; i < 6; i++) {
		m[i]->listq_next = NULL;
		pu_page_free(&pu, m[i]);
	}
	pu_page_free(&pu, other);
}

#define T(f) cmocka_unit_test_setup_teardown(f, pc_setup, pc_teardown)

static const struct CMUnitTest tests[] = {
	T(a_new_pmap_has_a_root_and_nothing_else),
	T(release_of_a_pmap_in_use_panics),
	T(a_pmap_keeps_its_memory_and_mutex_when_freed),
	T(no_root_is_a_shortage),
	T(enter_makes_an_accessed_mapping),
	T(enter_of_the_same_page_changes_the_entry),
	T(enter_of_the_same_page_restores_the_writeable_hint),
	T(enter_counts_wired_mappings),
	T(enter_replaces_another_page),
	T(enter_keeps_unmanaged_pages_off_lists),
	T(enter_refuses_a_size_that_does_not_fit),
	T(memory_types_survive_until_the_exit),
	T(enter_quick_is_modest),
	T(enter_object_leaves_gaps_where_the_object_has_them),
};

const struct pmap_cases pmap_cases_enter = { tests,
	sizeof(tests) / sizeof(tests[0]) };
