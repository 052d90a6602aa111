/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pv entries taken from mappings that exist, when no page is free for a chunk.
 *
 * Two pmaps, lo below hi in memory, since the walk may wait for one above the
 * caller's and only try one below.  A chunk of each holds 168 mappings of pages
 * that stay allocated; free pages are hoarded, so that the next mapping must
 * reclaim.  The checker runs after every step.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pmap/pv_reclaim.h"
#include "pmap_util.h"

#define R  VM_PROT_READ
#define W  VM_PROT_WRITE
#define VA UINT64_C(0x40000000)

static const char *design;
static struct pu pu;
static struct pmap *lo, *hi;
static struct vm_page *pages; /* 512 */
static struct vm_page *hoard;

static int
setup(void **state)
{
	struct pmap *other;

	(void)state;
	pu_setup(&pu, "0-2000000 usable 0\n",
	    design != NULL ? design : "sparse/gen2");
	lo = pu_pmap(&pu);
	hi = pu_pmap(&pu);
	if (lo > hi) {
		other = lo;
		lo = hi;
		hi = other;
	}
	pages = pu_pages(&pu, 9);
	hoard = NULL;
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	pu_unhoard(&pu, &hoard);
	pmap_unwire(lo, 0, 0);
	pmap_remove(lo, 0, VM_MAXUSER_ADDRESS);
	pmap_remove(hi, 0, VM_MAXUSER_ADDRESS);
	pu_pages_free(&pu, pages, 9);
	pu_pmap_free(lo);
	pu_pmap_free(hi);
	pu_teardown(&pu);
	return (0);
}

static enum kern_return
enter(struct pmap *pmap, unsigned i, uint32_t flags)
{
	return (pmap_enter(pmap, VA + (uint64_t)i * PAGE_SIZE, &pages[i], R | W,
	    R | flags, 0));
}

/* Map pages from..to - 1, and check. */
static void
fill(struct pmap *pmap, unsigned from, unsigned to, uint32_t flags)
{
	for (unsigned i = from; i < to; i++)
		assert_int_equal(enter(pmap, i, flags), KERN_SUCCESS);
	pu_check(&pu);
}

static unsigned
mapped(struct pmap *pmap)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 512; i++)
		n += pu_leaf(pmap, VA + (uint64_t)i * PAGE_SIZE) != 0;
	return (n);
}

static void
reclaims_from(struct pmap *victim, struct pmap *own)
{
	fill(victim, 0, _NPCPV, 0);
	fill(own, 0, _NPCPV, 0);
	pu_hoard(&pu, &hoard, 0);
	assert_int_equal(enter(own, _NPCPV, 0), KERN_SUCCESS);
	pu_check(&pu);
	assert_int_equal(mapped(victim), 0);
	assert_int_equal(mapped(own), _NPCPV + 1);
	assert_int_equal(pu_counter(&pu, CTR_PV_RECLAIMS), _NPCPV);
}

static void
the_oldest_chunk_goes_if_it_is_of_a_pmap_above(void **state)
{
	(void)state;
	reclaims_from(hi, lo);
}

static void
the_oldest_chunk_goes_if_it_is_of_a_pmap_below(void **state)
{
	(void)state;
	reclaims_from(lo, hi);
}

static void
the_oldest_chunk_goes_if_it_is_ones_own(void **state)
{
	(void)state;
	fill(lo, 0, _NPCPV, 0);
	fill(hi, 0, _NPCPV, 0);
	pu_hoard(&pu, &hoard, 0);
	assert_int_equal(enter(lo, _NPCPV, 0), KERN_SUCCESS);
	pu_check(&pu);
	/* The page table stays although it was empty: the entry wants it. */
	assert_int_equal(mapped(lo), 1);
	assert_int_equal(mapped(hi), _NPCPV);
}

/* Of the victim, one page table can be emptied and one cannot. */
static void
fill_two_tables(void)
{
	assert_int_equal(
	    pmap_enter(hi, VA + NBPDR, &pages[0], R, R | PMAP_ENTER_WIRED, 0),
	    KERN_SUCCESS);
	fill(hi, 1, _NPCPV, 0);
	fill(lo, 0, _NPCPV, 0);
	pu_hoard(&pu, &hoard, 0);
}

/* The page table of the victim empties, a chunk does not. */
static void
a_page_table_page_serves_as_well(void **state)
{
	uint64_t allocs;

	(void)state;
	fill_two_tables();
	allocs = pu_counter(&pu, CTR_PC_CHUNK_ALLOCS);
	assert_int_equal(enter(lo, _NPCPV, 0), KERN_SUCCESS);
	pu_check(&pu);
	assert_int_equal(mapped(hi), 0);
	assert_int_equal(pmap_wired_count(hi), 1);
	assert_int_equal(mapped(lo), _NPCPV + 1);
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS), allocs + 1);
	pmap_unwire(hi, VA + NBPDR, VA + NBPDR + PAGE_SIZE);
}

/* A CPU that still found that table would be seen to. */
static void
a_page_table_page_that_is_taken_has_a_new_epoch(void **state)
{
	const char *was = design;
	struct vm_page *table;
	uint32_t epoch;

	teardown(state);
	design = "sparse/gen2+tlb=direct";
	setup(state);
	design = was;
	fill_two_tables();
	table = PHYS_TO_VM_PAGE(
	    pu.pu_ma->ma_vp, pte_load(pmap_pde(hi, VA)) & PG_FRAME);
	/* Relaxed, here and below: nobody else is there. */
	epoch = atomic_load_explicit(&table->epoch, memory_order_relaxed);
	assert_int_equal(enter(lo, _NPCPV, 0), KERN_SUCCESS);
	/* It is in use all the time. */
	assert_int_equal(table->flags & PG_FREED, 0);
	assert_int_equal(pmap_table_count(hi), 3);
	assert_int_not_equal(
	    atomic_load_explicit(&table->epoch, memory_order_relaxed), epoch);
	pmap_unwire(hi, VA + NBPDR, VA + NBPDR + PAGE_SIZE);
}

/* What mappings knew of their pages is passed on (B2: in each pmap). */
static void
modified_and_accessed_are_passed_on(void **state)
{
	(void)state;
	for (unsigned i = 0; i < _NPCPV; i++) {
		struct pmap *pmap = i % 2 == 0 ? lo : hi;

		assert_int_equal(enter(pmap, i, i < 100 ? W : 0), KERN_SUCCESS);
		pu_undirty(&pages[i]);
		vm_page_aflag_clear(&pages[i], PGA_REFERENCED);
	}
	for (unsigned i = 300; i < 384; i++)
		assert_int_equal(enter(hi, i, 0), KERN_SUCCESS);
	/* hi's chunk is full; lo's, the older one, goes, and its own. */
	fill(lo, 400, 484, 0);
	pu_hoard(&pu, &hoard, 0);
	assert_int_equal(enter(hi, 384, 0), KERN_SUCCESS);
	pu_check(&pu);
	for (unsigned i = 0; i < _NPCPV; i += 2) {
		assert_int_equal(pu_dirty(&pages[i]), i < 100);
		assert_true(pu_aflag(&pages[i], PGA_REFERENCED));
		assert_false(pu_aflag(&pages[i], PGA_WRITEABLE));
	}
}

static void
wired_mappings_are_left(void **state)
{
	(void)state;
	fill(hi, 0, 100, PMAP_ENTER_WIRED);
	fill(hi, 100, _NPCPV, 0);
	pu_hoard(&pu, &hoard, 0);
	/* Own entries come free, and no page. */
	assert_int_equal(enter(hi, _NPCPV, PMAP_ENTER_NOSLEEP), KERN_SUCCESS);
	pu_check(&pu);
	assert_int_equal(mapped(hi), 101);
	assert_int_equal(pmap_wired_count(hi), 100);
	pmap_unwire(hi, VA, VA + 100 * PAGE_SIZE);
}

static void
nothing_to_reclaim_is_a_shortage(void **state)
{
	uint64_t free;

	(void)state;
	fill(hi, 0, _NPCPV, PMAP_ENTER_WIRED);
	fill(lo, 0, _NPCPV, PMAP_ENTER_WIRED);
	pu_hoard(&pu, &hoard, 0);
	free = machine_free_pages(pu.pu_ma);
	assert_int_equal(
	    enter(lo, _NPCPV, PMAP_ENTER_NOSLEEP), KERN_RESOURCE_SHORTAGE);
	assert_int_equal(
	    enter(hi, _NPCPV, PMAP_ENTER_NOSLEEP), KERN_RESOURCE_SHORTAGE);
	pu_check(&pu);
	assert_int_equal(mapped(lo), _NPCPV);
	assert_int_equal(mapped(hi), _NPCPV);
	assert_int_equal(machine_free_pages(pu.pu_ma), free);
	pmap_unwire(lo, VA, VA + _NPCPV * PAGE_SIZE);
	pmap_unwire(hi, VA, VA + _NPCPV * PAGE_SIZE);
}

static void
enter_and_wait(void *arg)
{
	(void)arg;
	(void)enter(lo, _NPCPV, 0);
}

/* With nobody else to free a page, waiting for one has no end: it is said. */
static void
who_may_sleep_runs_out_of_memory(void **state)
{
	(void)state;
	fill(hi, 0, _NPCPV, PMAP_ENTER_WIRED);
	fill(lo, 0, _NPCPV, PMAP_ENTER_WIRED);
	pu_hoard(&pu, &hoard, 0);
	assert_true(pu_panics(enter_and_wait, NULL));
	assert_non_null(strstr(pu_panic_text, "out of memory"));
	pmap_unwire(lo, VA, VA + _NPCPV * PAGE_SIZE);
	pmap_unwire(hi, VA, VA + _NPCPV * PAGE_SIZE);
}

static void
advisory_mappings_reclaim_nothing(void **state)
{
	(void)state;
	fill(hi, 0, _NPCPV, 0);
	fill(lo, 0, _NPCPV, 0);
	pu_hoard(&pu, &hoard, 0);
	pmap_enter_quick(lo, VA + _NPCPV * PAGE_SIZE, &pages[_NPCPV], R);
	pu_check(&pu);
	assert_int_equal(mapped(lo), _NPCPV);
	assert_int_equal(mapped(hi), _NPCPV);
	assert_int_equal(pu_counter(&pu, CTR_PV_RECLAIMS), 0);
}

/* What gave nothing is not looked at first by the next walk. */
static void
chunks_that_gave_nothing_go_to_the_tail(void **state)
{
	struct pv_chunks_list *pvc = pu.pu_ma->ma_chunks[0];
	const struct pv_chunk *first;

	(void)state;
	fill(hi, 0, _NPCPV, PMAP_ENTER_WIRED);
	fill(hi, _NPCPV, 2 * _NPCPV, 0);
	fill(lo, 0, _NPCPV, 0);
	first = TAILQ_FIRST(&pvc->pvc_list);
	assert_ptr_equal(first->pc_pmap, hi);
	pu_hoard(&pu, &hoard, 0);
	assert_int_equal(enter(lo, _NPCPV, 0), KERN_SUCCESS);
	pu_check(&pu);
	assert_int_equal(mapped(hi), _NPCPV);
	/* The wired one is behind lo's first; the other served. */
	assert_ptr_equal(TAILQ_FIRST(&pvc->pvc_list)->pc_pmap, lo);
	assert_ptr_not_equal(TAILQ_FIRST(&pvc->pvc_list), first);
	pmap_unwire(hi, VA, VA + _NPCPV * PAGE_SIZE);
}

/* A thread that enters a page, for which the chunk of another pmap is to go. */
struct entering {
	struct pu_thread en_put;
	struct pmap *en_own;
	struct pmap *en_busy; /* that other pmap, which is locked */
	enum kern_return en_result;
};

static void
enter_one(void *arg)
{
	struct entering *en = arg;

	en->en_result = enter(en->en_own, _NPCPV, 0);
}

/* On return it waits for the other pmap. */
static void
enter_begin(struct entering *en, struct pmap *own, struct pmap *busy)
{
	*en = (struct entering){
		.en_own = own, .en_busy = busy, .en_result = KERN_FAILURE
	};
	fill(busy, 0, _NPCPV, 0);
	fill(own, 0, _NPCPV, PMAP_ENTER_WIRED);
	pu_hoard(&pu, &hoard, 0);
	PMAP_LOCK(busy);
	pu_start(&pu, &en->en_put, 1, enter_one, en);
	pu_await_blocked(&en->en_put, &busy->pm_mtx.mtx_lock);
}

/* The other pmap is unlocked: it has its page. */
static void
enter_end(struct entering *en)
{
	pu_join(&en->en_put);
	assert_int_equal(en->en_result, KERN_SUCCESS);
	pu_check(&pu);
	assert_int_equal(mapped(en->en_busy), 0);
	assert_int_equal(mapped(en->en_own), _NPCPV + 1);
	pmap_unwire(en->en_own, VA, VA + _NPCPV * PAGE_SIZE);
}

/*
 * The only victim is below the caller's pmap, and locked.  The caller lets go of
 * its own, waits for the victim's, and has its page.
 */
static void
a_busy_victim_below_is_waited_for_without_a_lock(void **state)
{
	struct entering en;

	(void)state;
	enter_begin(&en, hi, lo);
	/* It holds nothing meanwhile. */
	PMAP_LOCK(hi);
	PMAP_UNLOCK(hi);
	PMAP_UNLOCK(lo);
	enter_end(&en);
}

/*
 * Two walks at once.  One waits, with its marker in the list, for a pmap that is
 * locked; the other passes the marker and has what it wants.
 */
static void
two_walks_pass_each_other(void **state)
{
	struct pv_held held = PV_HELD_NONE;
	struct entering en;
	struct vm_page *m;

	(void)state;
	enter_begin(&en, lo, hi);
	assert_int_equal(
	    reclaim_pv_chunk(pu.pu_ma, hi, &held, &m), RECLAIM_PAGE);
	pv_release_lock(pu.pu_ma->ma_pvt, &held);
	PMAP_UNLOCK(hi);
	vm_page_free(pu.pu_ma->ma_vp, m);
	enter_end(&en);
}

/* reserve_pv_entries() reclaims as well, and counts anew after that. */
static void
a_reserve_reclaims(void **state)
{
	struct pv_held held = PV_HELD_NONE;
	bool ok;

	(void)state;
	fill(hi, 0, 2 * _NPCPV, 0);
	fill(lo, 0, 1, 0);
	pu_hoard(&pu, &hoard, 0);
	PMAP_LOCK(lo);
	ok = reserve_pv_entries(lo, 2 * _NPCPV, &held);
	pv_release_lock(pu.pu_ma->ma_pvt, &held);
	PMAP_UNLOCK(lo);
	assert_true(ok);
	assert_int_equal(mapped(hi), 0);
	pu_unhoard(&pu, &hoard);
	fill(lo, 1, 2 * _NPCPV, 0);
	assert_int_equal(mapped(lo), 2 * _NPCPV);
}

/* A failing reserve gives back what it took, reclaimed or not. */
static void
a_failed_reserve_leaves_no_free_chunk(void **state)
{
	struct pv_held held = PV_HELD_NONE;
	bool ok;

	(void)state;
	fill(hi, 0, _NPCPV, 0);
	fill(lo, 0, _NPCPV, PMAP_ENTER_WIRED);
	pu_hoard(&pu, &hoard, 0);
	PMAP_LOCK(lo);
	/* hi gives a chunk, a page table page and two above it. */
	ok = reserve_pv_entries(lo, 5 * _NPCPV, &held);
	pv_release_lock(pu.pu_ma->ma_pvt, &held);
	PMAP_UNLOCK(lo);
	assert_false(ok);
	pu_check(&pu);
	pmap_unwire(lo, VA, VA + _NPCPV * PAGE_SIZE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	static const char *const designs[] = { "sparse/gen2",
		"hashed/rwlock+chunks=global", "segment/mtx8+batch",
		"ptrarray/pthread_mutex+di=mutex" };
	const struct CMUnitTest tests[] = {
		T(the_oldest_chunk_goes_if_it_is_of_a_pmap_above),
		T(the_oldest_chunk_goes_if_it_is_of_a_pmap_below),
		T(the_oldest_chunk_goes_if_it_is_ones_own),
		T(a_page_table_page_serves_as_well),
		T(a_page_table_page_that_is_taken_has_a_new_epoch),
		T(modified_and_accessed_are_passed_on),
		T(wired_mappings_are_left),
		T(nothing_to_reclaim_is_a_shortage),
		T(who_may_sleep_runs_out_of_memory),
		T(advisory_mappings_reclaim_nothing),
		T(chunks_that_gave_nothing_go_to_the_tail),
		T(a_busy_victim_below_is_waited_for_without_a_lock),
		T(two_walks_pass_each_other),
		T(a_reserve_reclaims),
		T(a_failed_reserve_leaves_no_free_chunk),
	};

	return (pu_run_designs(&design, designs,
		    sizeof(designs) / sizeof(designs[0]), tests,
		    sizeof(tests) / sizeof(tests[0])) != 0);
}
