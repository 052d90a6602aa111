/* SPDX-License-Identifier: BSD-2-Clause */

/* Cases of test_pmap.c: changes of lists, and the chunks of pv entries. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pmap_cases.h"

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
	pu_setup_config(&pu, pc_map_lines, &mc);
	p = pu_pmap(&pu);
	q = pu_pmap(&pu);
	m = pu_page(&pu);
	m2 = pu_page(&pu);
	nasked = 0;
	pc_enter(p, VA, m, R, R);
	expect_asked("enter");
	pc_enter(p, VA, m2, R, R);
	expect_asked("enter of another page");
	pmap_enter_quick(p, VA + 4096, m2, R);
	expect_asked("enter_quick");
	pmap_copy(q, p, VA, 8192, VA);
	expect_asked("copy");
	(void)pmap_ts_referenced(pu.pu_ma, m2);
	expect_asked("ts_referenced");
	pc_remove(p, VA, VA + 4096);
	expect_asked("remove");
	pmap_remove_pages(q);
	expect_asked("remove_pages");
	pmap_remove_all(pu.pu_ma, m2);
	expect_asked("remove_all");
	pu_page_free(&pu, m);
	pu_page_free(&pu, m2);
	assert_int_equal(pc_teardown(NULL), 0);
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
		pc_enter(p, VA + i * 4096, &m[i], R, R);
		assert_int_equal(slot_of(&m[i]), i);
	}
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS), 1);
	first = chunk_of(&m[0]);
	pc_enter(p, VA + 168 * 4096, &m[168], R, R);
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_ALLOCS), 2);
	second = chunk_of(&m[168]);
	assert_ptr_not_equal(first, second);
	assert_int_equal(slot_of(&m[168]), 0);
	/* The full one is behind. */
	assert_ptr_equal(TAILQ_FIRST(&p->pm_pvchunk), second);
	assert_ptr_equal(TAILQ_LAST(&p->pm_pvchunk, pv_chunklist), first);
	/* One that gets room goes to the front; the lowest hole is taken. */
	pc_remove(p, VA + 100 * 4096, VA + 101 * 4096);
	pc_remove(p, VA + 70 * 4096, VA + 71 * 4096);
	assert_ptr_equal(TAILQ_FIRST(&p->pm_pvchunk), first);
	pc_enter(p, VA + 200 * 4096, &m[200], R, R);
	assert_ptr_equal(chunk_of(&m[200]), first);
	assert_int_equal(slot_of(&m[200]), 70);
	pc_enter(p, VA + 201 * 4096, &m[201], R, R);
	assert_int_equal(slot_of(&m[201]), 100);
	/* Full again: behind, and the next comes from the second. */
	assert_ptr_equal(TAILQ_FIRST(&p->pm_pvchunk), second);
	pc_enter(p, VA + 202 * 4096, &m[202], R, R);
	assert_int_equal(slot_of(&m[202]), 1);
	/* An empty one is freed at once. */
	pc_remove(p, VA + 168 * 4096, VA + 169 * 4096);
	assert_int_equal(pu_counter(&pu, CTR_PC_CHUNK_FREES), 0);
	pc_remove(p, VA + 202 * 4096, VA + 203 * 4096);
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
		pc_begin(designs[global]);
		m = pu_page(&pu);
		rm = (struct remote){ q, m };
		pc_enter(p, VA, m, R, R);
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
		(void)pc_teardown(NULL);
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
	pc_enter(p, VA, &m[0], R, R);
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
	pc_enter(p, VA, m, R, R);
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
	pc_remove(p, VA, VA + 4096);
	pu_page_free(&pu, m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, pc_setup, pc_teardown)

static const struct CMUnitTest tests[] = {
	T(chunks_hand_out_the_lowest_entry),
	cmocka_unit_test(chunks_are_listed_by_their_pages_domain),
	T(reserve_makes_room_for_what_is_needed),
	T(a_failed_reserve_changes_nothing),
	cmocka_unit_test(changes_of_a_list_ask_for_its_lock),
};

const struct pmap_cases pmap_cases_chunk = { tests,
	sizeof(tests) / sizeof(tests[0]) };
