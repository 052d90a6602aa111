/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Each operation of the pmap layer by itself, against what the kernel does.
 * The machine has two segments in superpage 0 and two domains; the checker runs
 * after every step.
 */

#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "phys/vm_phys_impl.h"
#include "pmap_util.h"

#define R  VM_PROT_READ
#define W  VM_PROT_WRITE
#define X  VM_PROT_EXECUTE
#define VA UINT64_C(0x7f0012345000)

static const char map_lines[] = "0-98000 usable 0\n"
				"100000-4000000 usable 0\n"
				"4000000-8000000 usable 1\n";

static const char *design; /* of the tests that run over all */
static struct pu pu;
static struct pmap *p, *q;

static void
begin(const char *d)
{
	pu_setup(&pu, map_lines, d);
	p = pu_pmap(&pu);
	q = pu_pmap(&pu);
}

static int
setup(void **state)
{
	(void)state;
	begin(design != NULL ? design : "sparse/gen2");
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	pu_pmap_free(p);
	pu_pmap_free(q);
	pu_teardown(&pu);
	return (0);
}

static void
enter(struct pmap *pmap, vm_offset_t va, struct vm_page *m, vm_prot_t prot,
    uint32_t flags)
{
	assert_int_equal(pmap_enter(pmap, va, m, prot, flags, 0), KERN_SUCCESS);
	pu_check(&pu);
}

static void
remove_range(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva)
{
	pmap_remove(pmap, sva, eva);
	pu_check(&pu);
}

static struct vm_page *
unmanaged_page(void)
{
	struct vm_page *m = pu_page(&pu);

	m->oflags |= VPO_UNMANAGED;
	return (m);
}

static void
assert_leaf(
    struct pmap *pmap, vm_offset_t va, const struct vm_page *m, pt_entry_t bits)
{
	assert_int_equal(pu_leaf(pmap, va), VM_PAGE_TO_PHYS(m) | PG_V | bits);
}

#define USER (PG_U | PG_MANAGED)

/* Life. */

static void
a_new_pmap_has_a_root_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(pmap_resident_count(p), 1);
	assert_int_equal(pmap_wired_count(p), 0);
	assert_int_equal(machine_free_pages(pu.pu_ma), pu.pu_free - 2);
	assert_int_equal(pmap_extract(p, VA), 0);
	remove_range(p, 0, VM_MAXUSER_ADDRESS);
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
	enter(p, VA, m, R, R);
	assert_true(pu_panics(release, p));
	assert_non_null(strstr(pu_panic_text, "resident count 5"));
	PMAP_UNLOCK(p); /* it was left locked */
	remove_range(p, 0, VM_MAXUSER_ADDRESS);
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
	enter(p, VA, m, R, R);
	assert_leaf(p, VA, m, USER | PG_A | PG_NX);
	assert_int_equal(pmap_resident_count(p), 5); /* page, 3 tables, root */
	assert_int_equal(pu_nmappings(m), 1);
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	assert_int_equal(pmap_extract(p, VA + 0x7ff), m->phys_addr + 0x7ff);

	enter(p, VA + 4096, m, R | W, R);
	assert_leaf(p, VA + 4096, m, USER | PG_A | PG_NX | PG_RW);
	assert_true(pu_aflag(m, PGA_WRITEABLE));
	enter(p, VA + 8192, m, R | W | X, W);
	assert_leaf(p, VA + 8192, m, USER | PG_A | PG_RW | PG_M);
	assert_int_equal(pmap_resident_count(p), 7);
	assert_int_equal(pu_nmappings(m), 3);
	assert_int_equal(pmap_wired_count(p), 0);
	assert_false(pu_dirty(m));

	remove_range(p, VA, VA + 3 * 4096);
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
	enter(p, VA, m, R | W, W);
	/* Nothing but M differs: nothing is written, M stays. */
	enter(p, VA, m, R | W, R);
	assert_leaf(p, VA, m, USER | PG_A | PG_NX | PG_RW | PG_M);
	assert_false(pu_dirty(m));
	/* Loses M: the page gets it. */
	enter(p, VA, m, R, R);
	assert_leaf(p, VA, m, USER | PG_A | PG_NX);
	assert_true(pu_dirty(m));
	/* The hint stays. */
	assert_true(pu_aflag(m, PGA_WRITEABLE));
	pu_undirty(m);
	/* More rights. */
	enter(p, VA, m, R | W | X, X);
	assert_leaf(p, VA, m, USER | PG_A | PG_RW);
	/* Same rights, other access: M is not set either. */
	enter(p, VA, m, R | W | X, W);
	assert_leaf(p, VA, m, USER | PG_A | PG_RW);
	/* From written to written: not lost, so not dirty. */
	assert_true(pu_mmu(p, VA, W));
	enter(p, VA, m, R | W, W);
	assert_leaf(p, VA, m, USER | PG_A | PG_NX | PG_RW | PG_M);
	assert_false(pu_dirty(m));
	assert_int_equal(pu_nmappings(m), 1);
	assert_int_equal(pmap_resident_count(p), 5);
	remove_range(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

static void
enter_of_the_same_page_restores_the_writeable_hint(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	enter(p, VA, m, R, R);
	enter(q, VA, m, R | W, R);
	remove_range(q, VA, VA + 4096);
	assert_true(pu_aflag(m, PGA_WRITEABLE)); /* p still maps it */
	pmap_remove_write(pu.pu_ma, m);
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	enter(p, VA, m, R | W, R);
	assert_true(pu_aflag(m, PGA_WRITEABLE));
	remove_range(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

static void
enter_counts_wired_mappings(void **state)
{
	struct vm_page *m = pu_page(&pu), *n = pu_page(&pu);

	(void)state;
	enter(p, VA, m, R, R | PMAP_ENTER_WIRED);
	assert_leaf(p, VA, m, USER | PG_A | PG_NX | PG_W);
	assert_int_equal(pmap_wired_count(p), 1);
	enter(p, VA, m, R, R | PMAP_ENTER_WIRED);
	assert_int_equal(pmap_wired_count(p), 1);
	enter(p, VA, m, R, R);
	assert_int_equal(pmap_wired_count(p), 0);
	enter(p, VA, m, R, R | PMAP_ENTER_WIRED);
	enter(p, VA, n, R, R | PMAP_ENTER_WIRED); /* replaced */
	assert_int_equal(pmap_wired_count(p), 1);
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, m), 0);
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, n), 1);
	enter(p, VA, m, R, R);
	assert_int_equal(pmap_wired_count(p), 0);
	enter(p, VA, m, R, R | PMAP_ENTER_WIRED);
	remove_range(p, VA, VA + 4096);
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
	enter(p, VA, m, R | W, W);
	pv = m->md.pv_list.pvl_first;
	allocs = pu_counter(&pu, CTR_PV_ENTRY_ALLOCS);
	enter(p, VA, n, R, R);
	assert_leaf(p, VA, n, USER | PG_A | PG_NX);
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
	enter(p, VA, m, R, R);
	assert_false(pu_aflag(n, PGA_REFERENCED));
	assert_false(pu_dirty(n));
	remove_range(p, VA, VA + 4096);
	pu_page_free(&pu, m);
	pu_page_free(&pu, n);
}

static void
enter_keeps_unmanaged_pages_off_lists(void **state)
{
	struct vm_page *m = pu_page(&pu), *u = unmanaged_page(), *v;

	(void)state;
	v = unmanaged_page();
	enter(p, VA, u, R, R);
	assert_leaf(p, VA, u, PG_U | PG_A | PG_NX);
	/* RW implies M. */
	enter(p, VA, u, R | W, R);
	assert_leaf(p, VA, u, PG_U | PG_A | PG_NX | PG_RW | PG_M);
	assert_false(pu_aflag(u, PGA_WRITEABLE));
	assert_int_equal(pu_nmappings(u), 0);
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS), 0);
	/* unmanaged -> unmanaged, -> managed, -> unmanaged, -> gone */
	enter(p, VA, v, R, R | PMAP_ENTER_WIRED);
	assert_int_equal(pmap_wired_count(p), 1);
	assert_false(pu_dirty(u));
	assert_false(pu_aflag(u, PGA_REFERENCED));
	enter(p, VA, m, R | W, W);
	assert_int_equal(pu_nmappings(m), 1);
	assert_int_equal(pmap_wired_count(p), 0);
	enter(p, VA, u, R, R);
	assert_int_equal(pu_nmappings(m), 0);
	assert_true(pu_dirty(m));
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_FREES), 1);
	assert_int_equal(pmap_resident_count(p), 5);
	assert_false(pmap_page_is_mapped(pu.pu_ma, u));
	remove_range(p, VA, VA + 4096);
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
		enter(p, VA + (vm_offset_t)i * 4096, &m[i], R | W,
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
	u = unmanaged_page();
	pmap_enter_quick(p, VA, m, R | W);
	pu_check(&pu);
	assert_leaf(p, VA, m, USER | PG_NX); /* not accessed, read-only */
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	pmap_enter_quick(p, VA, n, R | X); /* never replaces */
	pu_check(&pu);
	assert_leaf(p, VA, m, USER | PG_NX);
	assert_int_equal(pu_nmappings(n), 0);
	pmap_enter_quick(p, VA + 4096, n, R | W | X);
	assert_leaf(p, VA + 4096, n, USER);
	pmap_enter_quick(p, VA + 8192, u, R | W);
	assert_leaf(p, VA + 8192, u, PG_U | PG_NX);
	assert_int_equal(pmap_resident_count(p), 7);
	pu_check(&pu);
	remove_range(p, VA, VA + 12288);
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
	enter(p, va + 3 * 4096, other, R, R); /* in the way of m[2] */
	/* From m[1] on, 600 pages: m[5] is out of it, m[4] on another table. */
	pmap_enter_object(p, va + 4096, va + 601 * 4096, m[1], R | W | X);
	pu_check(&pu);
	assert_int_equal(pu_leaf(p, va), 0);
	assert_leaf(p, va + 4096, m[1], USER);
	assert_int_equal(pu_leaf(p, va + 2 * 4096), 0);
	assert_leaf(p, va + 3 * 4096, other, USER | PG_A | PG_NX);
	assert_leaf(p, va + 4 * 4096, m[3], USER);
	assert_leaf(p, va + 293 * 4096, m[4], USER);
	assert_int_equal(pu_nmappings(m[0]), 0);
	assert_int_equal(pu_nmappings(m[2]), 0);
	assert_int_equal(pu_nmappings(m[5]), 0);
	assert_int_equal(pmap_resident_count(p), 4 + 3 + 1);
	/* One page more would have taken m[5]. */
	pmap_enter_object(p, va + 4096, va + 894 * 4096, m[1], R);
	pu_check(&pu);
	assert_leaf(p, va + 893 * 4096, m[5], USER | PG_NX);
	assert_int_equal(pmap_resident_count(p), 5 + 4 + 1);
	remove_range(p, va, va + 1024 * 4096);
	for (int i = 0; i < 6; i++) {
		m[i]->listq_next = NULL;
		pu_page_free(&pu, m[i]);
	}
	pu_page_free(&pu, other);
}

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
		enter(p, vas[i], m, R, R);
	/* 8 leaves; 7 page tables, 5 directories, 3 above, and the root */
	assert_int_equal(pmap_resident_count(p), 8 + 7 + 5 + 3 + 1);
	remove_range(p, 0x200000, 0x3ffff000);
	assert_int_equal(pu_leaf(p, 0x200000), 0);
	assert_int_equal(pu_nmappings(m), 7);
	remove_range(p, 0x1000, 0x1ff000); /* nothing there */
	assert_int_equal(pu_nmappings(m), 7);
	remove_range(p, 0x1ff000, 0x8000000000);
	assert_int_equal(pu_nmappings(m), 3);
	assert_int_not_equal(pu_leaf(p, 0), 0);
	assert_int_not_equal(pu_leaf(p, 0x8000000000), 0);
	assert_int_equal(pmap_resident_count(p), 3 + 3 + 3 + 3 + 1);
	remove_range(p, 0x8000000000, VM_MAXUSER_ADDRESS);
	assert_int_equal(pmap_resident_count(p), 1 + 3 + 1);
	remove_range(p, 0, VM_MAXUSER_ADDRESS);
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
	remove_range(p, VA, VA + 4096);
	assert_false(pu_aflag(m, PGA_REFERENCED));
	assert_true(pu_mmu(q, VA, R));
	remove_range(q, VA, VA + 4096);
	assert_true(pu_aflag(m, PGA_REFERENCED));
	assert_false(pu_dirty(m));
	vm_page_aflag_clear(m, PGA_REFERENCED);

	/* The hint goes with the last mapping, whichever that is. */
	enter(p, VA, m, R | W, R);
	enter(q, VA, m, R, R);
	remove_range(p, VA, VA + 4096);
	assert_true(pu_aflag(m, PGA_WRITEABLE));
	assert_false(pu_dirty(m));
	remove_range(q, VA, VA + 4096);
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
	struct vm_page *m = pu_pages(&pu, 9), *u = unmanaged_page();
	struct vm_page *w = pu_page(&pu);

	for (int i = 0; i < 512; i++) {
		assert_int_equal(
		    pmap_enter(p, VA + (vm_offset_t)i * 4096, &m[i],
			i % 2 == 0 ? R | W : R, i % 4 == 0 ? W : R, 0),
		    KERN_SUCCESS);
	}
	enter(q, VA, &m[0], R, R);
	enter(p, 0x1000, w, R | W, W | PMAP_ENTER_WIRED);
	enter(p, 0x2000, u, R | W, W);
	assert_int_equal(pmap_resident_count(p), 514 + 3 + 4 + 1);
	pmap_remove_pages(p);
	pu_check(&pu);
	/* The wired and the unmanaged one stay, with their table. */
	assert_int_equal(pmap_resident_count(p), 2 + 3 + 1);
	assert_int_equal(pmap_wired_count(p), 1);
	assert_leaf(p, 0x1000, w, USER | PG_A | PG_NX | PG_RW | PG_M | PG_W);
	assert_leaf(p, 0x2000, u, PG_U | PG_A | PG_NX | PG_RW | PG_M);
	for (int i = 0; i < 512; i++) {
		assert_int_equal(pu_dirty(&m[i]), i % 4 == 0);
		assert_false(pu_aflag(&m[i], PGA_REFERENCED));
		assert_int_equal(pu_nmappings(&m[i]), i == 0);
		assert_int_equal(pu_aflag(&m[i], PGA_WRITEABLE), i == 0);
	}
	assert_false(pu_dirty(w));
	/* The chunk with the wired entry is kept and still good for more. */
	enter(p, VA, &m[1], R, R);
	remove_range(p, 0, VM_MAXUSER_ADDRESS);
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

static void
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
		begin(designs[d]);
		exit_some_of_everything();
		for (int c = 0; c < NCOUNTERS; c++) {
			if (d == 0)
				first[c] = pu_counter(&pu, (enum counter)c);
			assert_int_equal(
			    pu_counter(&pu, (enum counter)c), first[c]);
		}
		(void)teardown(NULL);
	}
}

/* remove_all, remove_write, clear_modify */

static void
remove_all_takes_every_mapping(void **state)
{
	struct vm_page *m = pu_page(&pu), *n = pu_page(&pu);

	(void)state;
	enter(p, VA, m, R | W, R);
	enter(p, VA + 4096, m, R, R | PMAP_ENTER_WIRED);
	enter(q, 0x5000, m, R | W, W);
	enter(q, 0x6000, n, R, R);
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
	remove_range(q, 0, VM_MAXUSER_ADDRESS);
	pu_page_free(&pu, m);
	pu_page_free(&pu, n);
}

static void
remove_write_leaves_read_only_mappings(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	enter(p, VA, m, R | W | X, W);
	enter(q, VA, m, R | W, R);
	pmap_remove_write(pu.pu_ma, m);
	pu_check(&pu);
	assert_leaf(p, VA, m, USER | PG_A);
	assert_leaf(q, VA, m, USER | PG_A | PG_NX);
	assert_true(pu_dirty(m));
	assert_false(pu_aflag(m, PGA_WRITEABLE));
	assert_false(pu_aflag(m, PGA_REFERENCED));
	/* Clean ones make nothing dirty. */
	pu_undirty(m);
	enter(p, VA, m, R | W, R);
	pmap_remove_write(pu.pu_ma, m);
	assert_false(pu_dirty(m));
	/* Without the hint it is not even looked at. */
	assert_int_equal(pu_counter(&pu, CTR_PV_LOCKS),
	    (pmap_remove_write(pu.pu_ma, m), pu_counter(&pu, CTR_PV_LOCKS)));
	remove_range(p, VA, VA + 4096);
	remove_range(q, VA, VA + 4096);
	pu_page_free(&pu, m);
}

static void
clear_modify_keeps_the_right_to_write(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	enter(p, VA, m, R | W, W);
	enter(q, VA, m, R | W, W);
	assert_true(pmap_is_modified(pu.pu_ma, m));
	pmap_clear_modify(pu.pu_ma, m);
	pu_check(&pu);
	assert_leaf(p, VA, m, USER | PG_A | PG_NX | PG_RW);
	assert_leaf(q, VA, m, USER | PG_A | PG_NX | PG_RW);
	assert_false(pu_dirty(m));
	assert_true(pu_aflag(m, PGA_WRITEABLE));
	assert_false(pmap_is_modified(pu.pu_ma, m));
	assert_true(pu_mmu(q, VA, W));
	assert_true(pmap_is_modified(pu.pu_ma, m));
	remove_range(p, VA, VA + 4096);
	remove_range(q, VA, VA + 4096);
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
	remove_range(p, VA, VA + 4096);
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
	remove_range(q, VA, VA + 4096);
	assert_false(pmap_is_referenced(pu.pu_ma, m));
	remove_range(p, VA, VA + 4096);
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
		enter(p, va, m, R | W, R);
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
	remove_range(p, VA + 4096, VA + 12 * 4096);
	assert_true(pu_mmu(p, VA, R));
	assert_int_equal(
	    md_gen(&m->md), (pmap_ts_referenced(pu.pu_ma, m), md_gen(&m->md)));
	assert_int_equal(pu_leaf(p, VA) & PG_A, 0);
	remove_range(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

static void
exists_quick_looks_at_sixteen(void **state)
{
	struct vm_page *m = pu_page(&pu);
	vm_offset_t va;

	(void)state;
	for (va = VA; va < VA + 15 * 4096; va += 4096)
		enter(p, va, m, R, R);
	enter(q, VA, m, R, R);
	assert_true(pmap_page_exists_quick(p, m));
	assert_true(pmap_page_exists_quick(q, m)); /* the 16th */
	remove_range(q, VA, VA + 4096);
	assert_false(pmap_page_exists_quick(q, m));
	enter(p, va, m, R, R);
	enter(q, VA, m, R, R);
	assert_false(pmap_page_exists_quick(q, m)); /* the 17th */
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, m), 0);
	enter(q, VA, m, R, R | PMAP_ENTER_WIRED);
	enter(p, VA, m, R, R | PMAP_ENTER_WIRED);
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, m), 2);
	assert_true(pmap_page_is_mapped(pu.pu_ma, m));
	pmap_remove_all(pu.pu_ma, m);
	assert_false(pmap_page_is_mapped(pu.pu_ma, m));
	pu_page_free(&pu, m);
}

/* protect, unwire */

static void
protect_only_takes(void **state)
{
	struct vm_page *m = pu_page(&pu), *u = unmanaged_page();

	(void)state;
	enter(p, VA, m, R | W | X, W);
	enter(p, VA + 4096, u, R | W | X, W);
	enter(p, VA + 8192, m, R, R);
	pmap_protect(p, VA, VA + 12288, R | W | X); /* nothing */
	assert_leaf(p, VA, m, USER | PG_A | PG_RW | PG_M);
	assert_false(pu_dirty(m));
	pmap_protect(p, VA, VA + 12288, R | W); /* only execute goes */
	pu_check(&pu);
	assert_leaf(p, VA, m, USER | PG_A | PG_RW | PG_M | PG_NX);
	assert_leaf(p, VA + 8192, m, USER | PG_A | PG_NX); /* none added */
	assert_false(pu_dirty(m));
	pmap_protect(p, VA, VA + 8192, R);
	pu_check(&pu);
	assert_leaf(p, VA, m, USER | PG_A | PG_NX);
	assert_leaf(p, VA + 4096, u, PG_U | PG_A | PG_NX);
	assert_true(pu_dirty(m));
	assert_false(pu_dirty(u));
	assert_true(pu_aflag(m, PGA_WRITEABLE)); /* the hint stays */
	pmap_protect(p, VA, VA + 4096, R | X);   /* none added */
	assert_leaf(p, VA, m, USER | PG_A | PG_NX);
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
	enter(p, VA, m, R | W, W | PMAP_ENTER_WIRED);
	enter(p, VA + NBPDR, m, R, R | PMAP_ENTER_WIRED);
	enter(p, VA + 2 * NBPDR, m, R, R | PMAP_ENTER_WIRED);
	pmap_unwire(p, VA, VA + 2 * NBPDR);
	pu_check(&pu);
	assert_int_equal(pmap_wired_count(p), 1);
	assert_leaf(p, VA, m, USER | PG_A | PG_NX | PG_RW | PG_M);
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, m), 1);
	remove_range(p, 0, VM_MAXUSER_ADDRESS);
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
	enter(p, VA, m, R, R);
	assert_true(pu_panics(unwire_va, p));
	assert_non_null(strstr(pu_panic_text, "not wired"));
	PMAP_UNLOCK(p);
	remove_range(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

/* copy */

static void
copy_drops_what_is_the_parents_own(void **state)
{
	struct vm_page *m = pu_page(&pu), *u = unmanaged_page();

	(void)state;
	enter(p, VA, m, R | W, W | PMAP_ENTER_WIRED);
	enter(p, VA + 4096, m, R | X, R);
	enter(p, VA + 8192, u, R, R);
	enter(p, VA + NBPDP, m, R, R);
	/* Another address: nothing. */
	pmap_copy(q, p, 0, NBPDP, VA);
	pu_check(&pu);
	assert_int_equal(pmap_resident_count(q), 1);
	pmap_copy(q, p, VA, NBPDP, VA);
	pu_check(&pu);
	assert_leaf(q, VA, m, USER | PG_RW | PG_NX);
	assert_leaf(q, VA + 4096, m, USER);
	assert_int_equal(pu_leaf(q, VA + 8192), 0);
	assert_int_equal(pu_leaf(q, VA + NBPDP), 0); /* not in range */
	assert_int_equal(pmap_wired_count(q), 0);
	assert_int_equal(pmap_resident_count(q), 2 + 3 + 1);
	assert_int_equal(pu_nmappings(m), 5);
	assert_leaf(p, VA, m, USER | PG_A | PG_M | PG_RW | PG_NX | PG_W);
	pmap_remove_pages(q);
	remove_range(p, 0, VM_MAXUSER_ADDRESS);
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
		enter(p, va + i * 4096, m, R, R);
	enter(p, va + NBPDR, m, R, R);
	enter(q, va + 2 * 4096, n, R, R);
	pmap_copy(q, p, va, 2 * NBPDR, va);
	pu_check(&pu);
	assert_int_not_equal(pu_leaf(q, va + 4096), 0);
	assert_leaf(q, va + 2 * 4096, n, USER | PG_A | PG_NX);
	assert_int_equal(pu_leaf(q, va + 3 * 4096), 0);
	assert_int_equal(pu_leaf(q, va + NBPDR), 0); /* the whole copy ends */
	remove_range(q, 0, VM_MAXUSER_ADDRESS);

	/*
	 * A target's table with as many entries as the source's is left early,
	 * and the copy goes on with the next.
	 */
	enter(q, va + 100 * 4096, n, R, R);
	pmap_copy(q, p, va, 2 * NBPDR, va);
	pu_check(&pu);
	for (vm_offset_t i = 0; i < 6; i++)
		assert_int_equal(pu_leaf(q, va + i * 4096) != 0, i < 5);
	assert_int_not_equal(pu_leaf(q, va + NBPDR), 0);
	remove_range(q, 0, VM_MAXUSER_ADDRESS);
	remove_range(p, 0, VM_MAXUSER_ADDRESS);
	pu_page_free(&pu, m);
	pu_page_free(&pu, n);
}

/* Both orders of the two pmaps' addresses. */
static void
copy_goes_both_ways(void **state)
{
	struct vm_page *m = pu_page(&pu);

	(void)state;
	enter(p, VA, m, R, R);
	pmap_copy(q, p, VA, 4096, VA);
	pu_check(&pu);
	remove_range(p, VA, VA + 4096);
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
	enter(p, VA, m, R, R);
	assert_null(pmap_extract_and_hold(p, VA, R | W));
	assert_null(pmap_extract_and_hold(p, VA + 4096, R));
	assert_ptr_equal(pmap_extract_and_hold(p, VA, R), m);
	assert_int_equal(refs(m), 2);
	vm_page_unhold(m);
	enter(p, VA, m, R | W, R);
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
	remove_range(p, VA, VA + 4096);
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
		remove_range(p, VA, VA + 4096);
	}
}

static void
prefaultable_is_an_empty_slot_of_a_table(void **state)
{
	struct vm_page *m = pu_page(&pu);
	const vm_offset_t va = VA & ~PDRMASK;

	(void)state;
	assert_false(pmap_is_prefaultable(p, va));
	enter(p, va, m, R, R);
	assert_false(pmap_is_prefaultable(p, va));
	assert_true(pmap_is_prefaultable(p, va + 4096));
	assert_true(pmap_is_prefaultable(p, va + NBPDR - 4096));
	assert_false(pmap_is_prefaultable(p, va + NBPDR));
	assert_false(pmap_is_prefaultable(p, va - 4096));
	remove_range(p, va, va + 4096);
	assert_false(pmap_is_prefaultable(p, va + 4096));
	pu_page_free(&pu, m);
}

static void
mincore_tells_whether_to_look_at_the_page(void **state)
{
	struct vm_page *m = pu_page(&pu), *u = unmanaged_page();
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
	enter(p, VA, m, R | W, W);
	assert_int_equal(pmap_mincore(p, VA, &pa), MINCORE_INCORE | ref | mod);
	assert_int_equal(pa, 0);
	enter(p, VA, u, R, R);
	assert_int_equal(pmap_mincore(p, VA, &pa), MINCORE_INCORE | ref);
	assert_int_equal(pa, 0); /* no list to look at */
	remove_range(p, VA, VA + 4096);
	pu_page_free(&pu, m);
	pu_page_free(&pu, u);
}

/* Shortage. */

/*
 * With n pages free, for n = 0, 1, ... until it succeeds: a mapping far from
 * all others needs three tables and, at need, a chunk.
 */
/* 2^48 would be 0 again to the tables, and so would the end of all addresses. */
static void
nothing_is_above_the_user_addresses(void **state)
{
	const vm_offset_t top = VM_MAXUSER_ADDRESS - PAGE_SIZE;
	const vm_offset_t again = UINT64_C(1) << 48;
	struct vm_page *m = pu_page(&pu), *m2 = pu_page(&pu);
	uint64_t resident;
	vm_paddr_t pa;

	(void)state;
	enter(p, 0, m, R | W, W | PMAP_ENTER_WIRED);
	enter(p, top, m2, R | W, W);
	resident = pmap_resident_count(p);
	assert_int_equal(pmap_extract(p, again), 0);
	assert_int_equal(pmap_extract(p, again + top), 0);
	assert_null(pmap_extract_and_hold(p, again, R));
	assert_int_equal(pmap_mincore(p, again, &pa), 0);
	assert_false(pmap_is_prefaultable(p, again + PAGE_SIZE));
	pmap_copy(q, p, again, 2 * PAGE_SIZE, again);
	pmap_protect(p, again, again + MB(4), R);
	pmap_unwire(p, again, again + MB(4));
	remove_range(p, again, again + MB(4));
	remove_range(p, VM_MAXUSER_ADDRESS, ~UINT64_C(0xfff));
	assert_int_equal(pmap_resident_count(p), resident);
	assert_int_equal(pmap_resident_count(q), 1);
	assert_int_equal(pmap_wired_count(p), 1);
	assert_true((pu_leaf(p, 0) & PG_RW) != 0);
	assert_int_equal(pmap_extract(p, top), VM_PAGE_TO_PHYS(m2));

	pmap_protect(p, top, ~UINT64_C(0xfff), R);
	assert_true((pu_leaf(p, top) & PG_RW) == 0);
	assert_true((pu_leaf(p, 0) & PG_RW) != 0);
	remove_range(p, 0, ~UINT64_C(0xfff));
	assert_int_equal(pmap_resident_count(p), 1);
	pu_page_free(&pu, m);
	pu_page_free(&pu, m2);
}

static void
a_failed_enter_changes_nothing(void **state)
{
	struct vm_page *m = pu_page(&pu), *n = pu_page(&pu), *u, *hoard = NULL;
	uint64_t free;
	unsigned failures = 0;

	(void)state;
	u = unmanaged_page();
	for (unsigned left = 0;; left++) {
		pu_hoard(&pu, &hoard, left);
		free = machine_free_pages(pu.pu_ma);
		/* Wired: it is not to be reclaimed below. */
		if (pmap_enter(p, VA, m, R | W,
			W | PMAP_ENTER_NOSLEEP | PMAP_ENTER_WIRED,
			0) == KERN_SUCCESS)
			break;
		failures++;
		pu_check(&pu);
		assert_int_equal(machine_free_pages(pu.pu_ma), free);
		assert_int_equal(pmap_resident_count(p), 1);
		assert_false(pu_aflag(m, PGA_WRITEABLE));
		assert_int_equal(pu_nmappings(m), 0);
	}
	assert_int_equal(failures, 4);
	pu_check(&pu);

	/* The tables are there, the chunk is not: q has no entry yet. */
	pu_unhoard(&pu, &hoard);
	enter(q, VA, u, R, R | PMAP_ENTER_WIRED);
	pu_hoard(&pu, &hoard, 0);
	free = machine_free_pages(pu.pu_ma);
	assert_int_equal(pmap_enter(q, VA, n, R, R | PMAP_ENTER_NOSLEEP, 0),
	    KERN_RESOURCE_SHORTAGE);
	pu_check(&pu);
	assert_int_equal(machine_free_pages(pu.pu_ma), free);
	assert_leaf(q, VA, u, PG_U | PG_A | PG_NX | PG_W);
	assert_int_equal(pmap_wired_count(q), 1);
	assert_int_equal(
	    pmap_enter(q, VA + 4096, n, R, R | PMAP_ENTER_NOSLEEP, 0),
	    KERN_RESOURCE_SHORTAGE);
	pu_check(&pu);

	/* B4: a replacement needs no page at all. */
	assert_int_equal(
	    pmap_enter(p, VA, n, R, R | PMAP_ENTER_NOSLEEP, 0), KERN_SUCCESS);
	pu_check(&pu);
	assert_true(pu_dirty(m));
	pu_unhoard(&pu, &hoard);
	remove_range(p, VA, VA + 4096);
	remove_range(q, VA, VA + 4096);
	pu_page_free(&pu, m);
	pu_page_free(&pu, n);
	pu_page_free(&pu, u);
}

static void
a_failed_quick_enter_changes_nothing(void **state)
{
	struct vm_page *m = pu_page(&pu), *hoard = NULL;
	unsigned failures = 0;
	uint64_t free;

	(void)state;
	for (unsigned left = 0;; left++) {
		pu_hoard(&pu, &hoard, left);
		free = machine_free_pages(pu.pu_ma);
		pmap_enter_quick(p, VA, m, R);
		pu_check(&pu);
		if (pmap_extract(p, VA) != 0)
			break;
		assert_int_equal(pmap_resident_count(p), 1);
		assert_int_equal(machine_free_pages(pu.pu_ma), free);
		pmap_enter_object(p, VA, VA + 8192, m, R);
		pu_check(&pu);
		assert_int_equal(pmap_resident_count(p), 1);
		failures++;
	}
	assert_int_equal(failures, 4);
	pu_unhoard(&pu, &hoard);
	remove_range(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

/* B11: pmap_copy() that fails half-way leaves no reference behind. */
static void
a_copy_that_runs_out_stops_cleanly(void **state)
{
	struct vm_page *m = pu_page(&pu), *hoard = NULL;
	const vm_offset_t va = VA & ~PDRMASK;
	unsigned left, copied, before = 0;
	vm_offset_t i;

	(void)state;
	/* 400 mappings in each of two tables: two tables and five chunks. */
	for (i = 0; i < 800; i++)
		assert_int_equal(
		    pmap_enter(
			p, va + i / 400 * NBPDR + i % 400 * 4096, m, R, R, 0),
		    KERN_SUCCESS);
	for (left = 0; left <= 9; left++) {
		pu_hoard(&pu, &hoard, left);
		pmap_copy(q, p, va, 2 * NBPDR, va);
		pu_check(&pu);
		copied = 0;
		for (i = 0; i < 800; i++)
			copied +=
			    pu_leaf(q, va + i / 400 * NBPDR + i % 400 * 4096) !=
			    0;
		/* In order, as far as chunks and tables went. */
		assert_true(copied >= before);
		before = copied;
		assert_int_equal(pu_nmappings(m), 800 + copied);
		if (left < 4)
			assert_int_equal(copied, 0);
		pmap_remove_pages(q);
		pu_check(&pu);
		assert_int_equal(pmap_resident_count(q), 1);
	}
	assert_int_equal(copied, 800);
	pu_unhoard(&pu, &hoard);
	pmap_remove_pages(p);
	pu_page_free(&pu, m);
}

struct sleeper {
	struct pmap *sl_pmap;
	struct vm_page *sl_page;
	enum kern_return sl_rv;
};

static void
enter_sleeping(void *arg)
{
	struct sleeper *sl = arg;

	sl->sl_rv = pmap_enter(sl->sl_pmap, VA, sl->sl_page, R, R, 0);
}

static void
enter_waits_for_memory(void **state)
{
	struct vm_page *m = pu_page(&pu), *hoard = NULL;
	struct sleeper sl = { p, m, KERN_FAILURE };
	struct pu_thread put;

	(void)state;
	for (unsigned left = 0; left < 4; left++) {
		pu_hoard(&pu, &hoard, left);
		pu_start(&pu, &put, 1, enter_sleeping, &sl);
		/* Relaxed: only the value counts. */
		while (atomic_load_explicit(
			   &pu.pu_ma->ma_vp->vp_private->vpp_nwaiters,
			   memory_order_relaxed) == 0)
			(void)sched_yield();
		pu_unhoard(&pu, &hoard);
		vm_wait_idle_begin(pu.pu_ma->ma_vp);
		pu_join(&put);
		vm_wait_idle_end(pu.pu_ma->ma_vp);
		assert_int_equal(sl.sl_rv, KERN_SUCCESS);
		pu_check(&pu);
		remove_range(p, VA, VA + 4096);
	}
	pu_page_free(&pu, m);
}

static void
enter_waits_for_no_more_than_is_missing(void **state)
{
	struct vm_page *m = pu_page(&pu), *first = pu_page(&pu);
	struct vm_page *hoard = NULL, *last;
	struct sleeper sl = { p, m, KERN_FAILURE };
	struct pu_thread put;

	(void)state;
	/*
	 * All tables but the last, and a chunk, are there; wired, it is not
	 * reclaimed.
	 */
	enter(p, VA + NBPDR, first, R, R | PMAP_ENTER_WIRED);
	pu_hoard(&pu, &hoard, 0);
	last = hoard;
	hoard = last->q_next;
	pu_start(&pu, &put, 1, enter_sleeping, &sl);
	/* Relaxed: only the value counts. */
	while (atomic_load_explicit(&pu.pu_ma->ma_vp->vp_private->vpp_nwaiters,
		   memory_order_relaxed) == 0)
		(void)sched_yield();
	vm_page_free(pu.pu_ma->ma_vp, last);
	vm_wait_idle_begin(pu.pu_ma->ma_vp);
	pu_join(&put);
	vm_wait_idle_end(pu.pu_ma->ma_vp);
	assert_int_equal(sl.sl_rv, KERN_SUCCESS);
	pu_unhoard(&pu, &hoard);
	remove_range(p, 0, VM_MAXUSER_ADDRESS);
	pu_page_free(&pu, m);
	pu_page_free(&pu, first);
}

/* A lock that counts who asks whether it is held. */
static unsigned nasked;

static void
asked_lock(void *word)
{
	(void)word;
}

static bool
asked_trylock(void *word)
{
	(void)word;
	return (true);
}

static void
asked_unlock(void *word, bool modified)
{
	(void)word;
	(void)modified;
}

static bool
asked_owned(const void *word)
{
	(void)word;
	nasked++;
	return (true);
}

static const struct pv_lock_ops asked_ops = {
	.plo_name = "asked",
	.plo_descr = "excludes nobody, counts assertions",
	.plo_size = 8,
	.plo_flags = PLO_ZEROINIT | PLO_NOLOCK,
	.plo_lock = asked_lock,
	.plo_trylock = asked_trylock,
	.plo_unlock = asked_unlock,
	.plo_owned = asked_owned,
};

static void
expect_asked(const char *what)
{
	if (INVARIANTS_ENABLED && nasked == 0)
		fail_msg("%s: nobody asked for the pv list lock", what);
	nasked = 0;
}

/* The pv list lock is held at each change of a list. */
static void
changes_of_a_list_ask_for_its_lock(void **state)
{
	static const struct pv_lock_ops *const locks[] = { &asked_ops, NULL };
	struct machine_config mc = { .mc_design = "sparse/asked",
		.mc_locks = locks };
	struct vm_page *m, *m2;

	(void)state;
	pu_setup_config(&pu, map_lines, &mc);
	p = pu_pmap(&pu);
	q = pu_pmap(&pu);
	m = pu_page(&pu);
	m2 = pu_page(&pu);
	nasked = 0;
	enter(p, VA, m, R, R);
	expect_asked("enter");
	enter(p, VA, m2, R, R);
	expect_asked("enter of another page");
	pmap_enter_quick(p, VA + 4096, m2, R);
	expect_asked("enter_quick");
	pmap_copy(q, p, VA, 8192, VA);
	expect_asked("copy");
	(void)pmap_ts_referenced(pu.pu_ma, m2);
	expect_asked("ts_referenced");
	remove_range(p, VA, VA + 4096);
	expect_asked("remove");
	pmap_remove_pages(q);
	expect_asked("remove_pages");
	pmap_remove_all(pu.pu_ma, m2);
	expect_asked("remove_all");
	pu_page_free(&pu, m);
	pu_page_free(&pu, m2);
	assert_int_equal(teardown(NULL), 0);
}

static struct kmem *_Atomic lost_kmem;

static void
enter_without_hope_of_memory_panics(void **state)
{
	struct vm_page *m = pu_page(&pu), *hoard = NULL;
	struct sleeper sl = { p, m, KERN_FAILURE };

	(void)state;
	pu_hoard(&pu, &hoard, 3);
	/* The only thread there is would wait for itself. */
	assert_true(pu_panics(enter_sleeping, &sl));
	assert_non_null(strstr(pu_panic_text, "out of memory"));
	/* It had given everything back first. */
	assert_false(mtx_owned(&p->pm_mtx));
	assert_int_equal(pmap_resident_count(p), 1);
	/* It panicked inside vm_wait(): the machine is lost, and not a leak. */
	memmap_free(pu.pu_map);
	/* Relaxed: only to keep it in reach. */
	atomic_store_explicit(
	    &lost_kmem, pu.pu_ma->ma_kmem, memory_order_relaxed);
}

/* Chunks. */

static struct pv_chunk *
chunk_of(const struct vm_page *m)
{
	return (pv_to_chunk(m->md.pv_list.pvl_first));
}

static unsigned
slot_of(const struct vm_page *m)
{
	const struct pv_entry *pv = m->md.pv_list.pvl_first;

	return ((unsigned)(pv - pv_to_chunk(pv)->pc_pventry));
}

static void
chunks_hand_out_the_lowest_entry(void **state)
{
	struct vm_page *m = pu_pages(&pu, 9);
	struct pv_chunk *first, *second;

	(void)state;
	for (unsigned i = 0; i < 168; i++) {
		enter(p, VA + i * 4096, &m[i], R, R);
		assert_int_equal(slot_of(&m[i]), i);
	}
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS), 1);
	first = chunk_of(&m[0]);
	enter(p, VA + 168 * 4096, &m[168], R, R);
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS), 2);
	second = chunk_of(&m[168]);
	assert_ptr_not_equal(first, second);
	assert_int_equal(slot_of(&m[168]), 0);
	/* The full one is behind. */
	assert_ptr_equal(TAILQ_FIRST(&p->pm_pvchunk), second);
	assert_ptr_equal(TAILQ_LAST(&p->pm_pvchunk, pv_chunklist), first);
	/* One that gets room goes to the front; the lowest hole is taken. */
	remove_range(p, VA + 100 * 4096, VA + 101 * 4096);
	remove_range(p, VA + 70 * 4096, VA + 71 * 4096);
	assert_ptr_equal(TAILQ_FIRST(&p->pm_pvchunk), first);
	enter(p, VA + 200 * 4096, &m[200], R, R);
	assert_ptr_equal(chunk_of(&m[200]), first);
	assert_int_equal(slot_of(&m[200]), 70);
	enter(p, VA + 201 * 4096, &m[201], R, R);
	assert_int_equal(slot_of(&m[201]), 100);
	/* Full again: behind, and the next comes from the second. */
	assert_ptr_equal(TAILQ_FIRST(&p->pm_pvchunk), second);
	enter(p, VA + 202 * 4096, &m[202], R, R);
	assert_int_equal(slot_of(&m[202]), 1);
	/* An empty one is freed at once. */
	remove_range(p, VA + 168 * 4096, VA + 169 * 4096);
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_FREES), 0);
	remove_range(p, VA + 202 * 4096, VA + 203 * 4096);
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_FREES), 1);
	pmap_remove_pages(p);
	pu_check(&pu);
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_FREES), 2);
	pu_pages_free(&pu, m, 9);
}

static unsigned
lru_length(int list)
{
	struct pv_chunk *pc;
	unsigned n = 0;

	TAILQ_FOREACH (pc, &pu.pu_ma->ma_chunks[list]->pvc_list, pc_lru)
		n++;
	return (n);
}

struct remote {
	struct pmap *rm_pmap;
	struct vm_page *rm_page;
};

static void
enter_remotely(void *arg)
{
	struct remote *rm = arg;

	(void)pmap_enter(rm->rm_pmap, VA, rm->rm_page, R, R, 0);
}

/* CPUs 0 to 3 are in domain 0, 4 to 7 in domain 1. */
static void
chunks_are_listed_by_their_pages_domain(void **state)
{
	static const char *const designs[] = { "sparse/gen2",
		"sparse/gen2+chunks=global" };
	struct vm_page *m;
	struct remote rm;
	struct pu_thread put;

	(void)state;
	for (unsigned global = 0; global < 2; global++) {
		begin(designs[global]);
		m = pu_page(&pu);
		rm = (struct remote){ q, m };
		enter(p, VA, m, R, R);
		pu_start(&pu, &put, 7, enter_remotely, &rm);
		pu_join(&put);
		pu_check(&pu);
		assert_int_equal(pu.pu_ma->ma_nchunklists, global ? 1 : 2);
		assert_int_equal(lru_length(0), global ? 2 : 1);
		if (global == 0) {
			assert_int_equal(lru_length(1), 1);
			assert_ptr_equal(
			    TAILQ_FIRST(&pu.pu_ma->ma_chunks[1]->pvc_list),
			    TAILQ_FIRST(&q->pm_pvchunk));
		}
		/* Freed by a thread of the other domain. */
		pmap_remove_all(pu.pu_ma, m);
		pu_check(&pu);
		assert_int_equal(lru_length(0), 0);
		pu_page_free(&pu, m);
		(void)teardown(NULL);
	}
}

static bool
reserve(struct pmap *pmap, int needed)
{
	bool ok;

	PMAP_LOCK(pmap);
	ok = reserve_pv_entries(pmap, needed, NULL);
	PMAP_UNLOCK(pmap);
	return (ok);
}

static void
reserve_makes_room_for_what_is_needed(void **state)
{
	struct vm_page *m = pu_pages(&pu, 9);
	uint64_t chunks;

	(void)state;
	enter(p, VA, &m[0], R, R);
	/* 167 are there. */
	assert_true(reserve(p, 167));
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS), 1);
	assert_true(reserve(p, 168));
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS), 2);
	assert_true(reserve(p, 335));
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS), 2);
	assert_true(reserve(p, 511));
	chunks = pu_counter(&pu, CTR_PC_CHUNK_ALLOCS);
	assert_int_equal(chunks, 4);
	assert_int_equal(lru_length(0), 4);
	for (unsigned i = 1; i < 512; i++)
		assert_int_equal(
		    pmap_enter(p, VA + i * 4096, &m[i], R, R, 0), KERN_SUCCESS);
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS), chunks);
	pu_check(&pu);
	pmap_remove_pages(p);
	pu_check(&pu);
	pu_pages_free(&pu, m, 9);
}

static void
a_failed_reserve_changes_nothing(void **state)
{
	struct vm_page *m = pu_page(&pu), *hoard = NULL;
	uint64_t free;

	(void)state;
	enter(p, VA, m, R, R);
	for (unsigned left = 0; left < 4; left++) {
		pu_hoard(&pu, &hoard, left);
		free = machine_free_pages(pu.pu_ma);
		/* needs 4 chunks more */
		assert_false(reserve(p, 167 + 3 * 168 + 1));
		pu_check(&pu);
		assert_int_equal(machine_free_pages(pu.pu_ma), free);
		assert_int_equal(lru_length(0), 1);
	}
	assert_true(reserve(p, 167));
	pu_unhoard(&pu, &hoard);
	remove_range(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

/* All layouts and locks: a core of it. */

static void
core_operations(void **state)
{
	/* One page in each of the segments of superpage 0, and elsewhere. */
	static const vm_paddr_t pas[] = { 0x90000, 0x100000, 0x200000,
		0x3fff000, 0x4000000, 0x7fff000 };
	struct vm_page *m[6];
	struct pmap *pmaps[] = { p, q };
	uint32_t gen;

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		m[i] = pu_page_at(&pu, pas[i]);
	for (unsigned i = 0; i < 12; i++)
		enter(pmaps[i % 2], VA + i * 4096, m[i / 2], R | W,
		    i % 3 == 0 ? W : R);
	/* Replacements within a superpage and across. */
	enter(p, VA, m[1], R | W, W);
	enter(p, VA, m[5], R | W, R);
	enter(p, VA, m[0], R | W, W);
	assert_true(pu_dirty(m[0]) && pu_dirty(m[1]));
	assert_true(pmap_is_modified(pu.pu_ma, m[0]));
	pmap_clear_modify(pu.pu_ma, m[0]);
	assert_false(pmap_is_modified(pu.pu_ma, m[0]));
	assert_true(pmap_is_referenced(pu.pu_ma, m[4]));
	assert_int_equal(pmap_ts_referenced(pu.pu_ma, m[4]), 2);
	assert_false(pmap_is_referenced(pu.pu_ma, m[4]));
	pu_check(&pu);
	pmap_remove_write(pu.pu_ma, m[3]);
	pu_check(&pu);
	assert_false(pu_aflag(m[3], PGA_WRITEABLE));
	assert_true(pmap_page_exists_quick(p, m[3]));
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, m[3]), 0);
	gen = md_gen(&m[3]->md);
	pmap_remove_all(pu.pu_ma, m[3]);
	pu_check(&pu);
	assert_int_equal(md_gen(&m[3]->md), gen + 2); /* one a mapping */
	assert_false(pmap_page_is_mapped(pu.pu_ma, m[3]));
	pmap_protect(p, VA, VA + MB(2), R);
	pmap_copy(q, p, VA, MB(2), VA);
	pu_check(&pu);
	pmap_remove_pages(q);
	pu_check(&pu);
	remove_range(p, 0, VM_MAXUSER_ADDRESS);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(pu_nmappings(m[i]), 0);
		pu_page_free(&pu, m[i]);
	}
}

/* Readers take a lock that has a shared mode in that mode. */
static void
readers_share_a_shared_lock(void **state)
{
	struct vm_page *m = pu_page(&pu);
	struct pv_table *pvt = pu.pu_ma->ma_pvt;
	struct pv_header ph;

	(void)state;
	pvt->pvt_ops->pvl_lookup(pvt, m->phys_addr, m, &ph);
	if (pvt->pvt_lock_ops->plo_rlock != NULL) {
		pvt->pvt_lock_ops->plo_rlock(ph.ph_word);
		/* With a writer's lock this would hang. */
		assert_false(pmap_page_is_mapped(pu.pu_ma, m));
		assert_false(pmap_is_referenced(pu.pu_ma, m));
		assert_false(pmap_page_exists_quick(p, m));
		pvt->pvt_lock_ops->plo_runlock(ph.ph_word);
	}
	pu_page_free(&pu, m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
		T(nothing_is_above_the_user_addresses),
		T(a_failed_enter_changes_nothing),
		T(a_failed_quick_enter_changes_nothing),
		T(a_copy_that_runs_out_stops_cleanly),
		T(enter_waits_for_memory),
		T(enter_waits_for_no_more_than_is_missing),
		T(chunks_hand_out_the_lowest_entry),
		cmocka_unit_test(chunks_are_listed_by_their_pages_domain),
		T(reserve_makes_room_for_what_is_needed),
		T(a_failed_reserve_changes_nothing),
		cmocka_unit_test(changes_of_a_list_ask_for_its_lock),
		/* Leaves its machine behind. */
		cmocka_unit_test_setup(
		    enter_without_hope_of_memory_panics, setup),
	};
	const struct CMUnitTest every_design[] = {
		T(core_operations),
		T(remove_pages_ends_a_process),
		T(readers_share_a_shared_lock),
	};
	char name[64];
	int failed;

	failed = cmocka_run_group_tests_name("pmap", tests, NULL, NULL);
	design = name;
	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		for (unsigned k = 0; k < PU_NLOCKS; k++) {
			(void)snprintf(name, sizeof(name), "%s/%s%s",
			    pu_layouts[l], pu_locks[k],
			    (l + k) % 2 != 0 ? "+batch" : "");
			failed += cmocka_run_group_tests_name(
			    name, every_design, NULL, NULL);
		}
	}
	return (failed == 0 ? 0 : 1);
}
