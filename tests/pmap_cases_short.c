/* SPDX-License-Identifier: BSD-2-Clause */

/* Cases of test_pmap.c: want of memory. */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "pmap_cases.h"

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
	pc_enter(p, 0, m, R | W, W | PMAP_ENTER_WIRED);
	pc_enter(p, top, m2, R | W, W);
	resident = pmap_resident_count(p);
	assert_int_equal(pmap_extract(p, again), 0);
	assert_int_equal(pmap_extract(p, again + top), 0);
	assert_null(pmap_extract_and_hold(p, again, R));
	assert_int_equal(pmap_mincore(p, again, &pa), 0);
	assert_false(pmap_is_prefaultable(p, again + PAGE_SIZE));
	pmap_copy(q, p, again, 2 * PAGE_SIZE, again);
	pmap_protect(p, again, again + MB(4), R);
	pmap_unwire(p, again, again + MB(4));
	pc_remove(p, again, again + MB(4));
	pc_remove(p, VM_MAXUSER_ADDRESS, ~UINT64_C(0xfff));
	assert_int_equal(pmap_resident_count(p), resident);
	assert_int_equal(pmap_resident_count(q), 1);
	assert_int_equal(pmap_wired_count(p), 1);
	assert_true((pu_leaf(p, 0) & PG_RW) != 0);
	assert_int_equal(pmap_extract(p, top), VM_PAGE_TO_PHYS(m2));

	pmap_protect(p, top, ~UINT64_C(0xfff), R);
	assert_true((pu_leaf(p, top) & PG_RW) == 0);
	assert_true((pu_leaf(p, 0) & PG_RW) != 0);
	pc_remove(p, 0, ~UINT64_C(0xfff));
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
	u = pc_unmanaged_page();
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
	pc_enter(q, VA, u, R, R | PMAP_ENTER_WIRED);
	pu_hoard(&pu, &hoard, 0);
	free = machine_free_pages(pu.pu_ma);
	assert_int_equal(pmap_enter(q, VA, n, R, R | PMAP_ENTER_NOSLEEP, 0),
	    KERN_RESOURCE_SHORTAGE);
	pu_check(&pu);
	assert_int_equal(machine_free_pages(pu.pu_ma), free);
	pc_assert_leaf(q, VA, u, PG_U | PG_A | PG_NX | PG_W);
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
	pc_remove(p, VA, VA + 4096);
	pc_remove(q, VA, VA + 4096);
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
	pc_remove(p, VA, VA + 4096);
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
		pc_remove(p, VA, VA + 4096);
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
	pc_enter(p, VA + NBPDR, first, R, R | PMAP_ENTER_WIRED);
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
	pc_remove(p, 0, VM_MAXUSER_ADDRESS);
	pu_page_free(&pu, m);
	pu_page_free(&pu, first);
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

#define T(f) cmocka_unit_test_setup_teardown(f, pc_setup, pc_teardown)

static const struct CMUnitTest tests[] = {
	T(nothing_is_above_the_user_addresses),
	T(a_failed_enter_changes_nothing),
	T(a_failed_quick_enter_changes_nothing),
	T(a_copy_that_runs_out_stops_cleanly),
	T(enter_waits_for_memory),
	T(enter_waits_for_no_more_than_is_missing),
	/* Leaves its machine behind. */
	cmocka_unit_test_setup(enter_without_hope_of_memory_panics, pc_setup),
};

const struct pmap_cases pmap_cases_short = { tests,
	sizeof(tests) / sizeof(tests[0]) };
