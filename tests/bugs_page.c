/* SPDX-License-Identifier: BSD-2-Clause */

/* Faults of reclaim, and of what a page knows of its mappings. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "bug_util.h"
#include "pmapsim/mmu.h"

static struct vm_page *hoard;

static void
fill_chunk(struct pmap *pmap, struct vm_page *m, uint32_t flags)
{
	for (unsigned i = 0; i < _NPCPV; i++)
		su_enter(pmap, VA + i * PAGE_SIZE, m, R | W, R | flags);
}

struct b1 {
	struct pmap *b1_own; /* lowest in memory */
	struct pmap *b1_passed;
	struct pmap *b1_busy;
	struct vm_page *b1_m;
};

static void
b1_enter(void *arg)
{
	struct b1 *s = arg;

	(void)pmap_enter(
	    s->b1_own, VA + _NPCPV * PAGE_SIZE, &s->b1_m[_NPCPV], R, R, 0);
}

static void
b1_swap(struct pmap **a, struct pmap **b)
{
	struct pmap *c = *a;

	if (*a > *b) {
		*a = *b;
		*b = c;
	}
}

/*
 * A walk has passed a chunk, which is wired, and waits for the pmap of the next.
 * Meanwhile the pmap of the first loses all, and a new chunk is made, of another
 * page than that of the first.
 */
static void
b1_a_chunk_that_was_passed_can_be_freed(void)
{
	struct vm_page *m, *old, **mp;
	struct pu_thread put;
	struct pmap *third;
	struct b1 s;

	bug_begin();
	m = pu_pages(&su_pu, VM_LEVEL_0_ORDER);
	third = pu_pmap(&su_pu);
	s = (struct b1){ su_p, su_q, third, m };
	b1_swap(&s.b1_own, &s.b1_passed);
	b1_swap(&s.b1_passed, &s.b1_busy);
	b1_swap(&s.b1_own, &s.b1_passed);
	fill_chunk(s.b1_passed, m, PMAP_ENTER_WIRED);
	fill_chunk(s.b1_busy, m, 0);
	fill_chunk(s.b1_own, m, PMAP_ENTER_WIRED);
	pu_hoard(&su_pu, &hoard, 0);
	PMAP_LOCK(s.b1_busy);
	pu_start(&su_pu, &put, 1, b1_enter, &s);
	pu_await_blocked(&put, &s.b1_busy->pm_mtx.mtx_lock);

	old = pv_chunk_page(su_pu.pu_ma, TAILQ_FIRST(&s.b1_passed->pm_pvchunk));
	pmap_unwire(s.b1_passed, VA, END);
	pmap_remove(s.b1_passed, VA, END);
	pu_hoard(&su_pu, &hoard, 0);
	for (mp = &hoard; *mp != old;)
		mp = &(*mp)->q_next;
	*mp = old->q_next;
	pu_hoard(&su_pu, &hoard, 4);
	su_enter(s.b1_passed, VA, m, R, R);

	PMAP_UNLOCK(s.b1_busy);
	pu_join(&put);
	bug_check(su_pu.pu_ma);
	old->q_next = hoard;
	hoard = old;
	pu_unhoard(&su_pu, &hoard);
	pmap_unwire(s.b1_own, VA, VA + _NPCPV * PAGE_SIZE);
	pmap_remove(s.b1_own, VA, END);
	pmap_remove(s.b1_passed, VA, END);
	pmap_remove(s.b1_busy, VA, END);
	pu_pages_free(&su_pu, m, VM_LEVEL_0_ORDER);
	pu_pmap_free(third);
	bug_end();
}

/* Another pmap's mappings are reclaimed; no page was written. */
static void
b2_what_mappings_knew_goes_to_their_pages(void)
{
	struct vm_page *m;

	bug_begin();
	m = pu_pages(&su_pu, VM_LEVEL_0_ORDER);
	fill_chunk(su_p, m, 0);
	fill_chunk(su_q, m, PMAP_ENTER_WIRED);
	for (unsigned i = 0; i < _NPCPV; i++) {
		pu_undirty(&m[i]);
		vm_page_aflag_clear(&m[i], PGA_REFERENCED);
	}
	pu_hoard(&su_pu, &hoard, 0);
	su_enter(su_q, VA + _NPCPV * PAGE_SIZE, m, R, R);
	for (unsigned i = 0; i < _NPCPV; i++) {
		assert_int_equal(pu_leaf(su_p, VA + i * PAGE_SIZE), 0);
		if (pu_dirty(&m[i]))
			bug_caught("a page is dirty that nobody wrote\n");
		if (!pu_aflag(&m[i], PGA_REFERENCED))
			bug_caught("a reference was lost\n");
	}
	pu_unhoard(&su_pu, &hoard);
	pmap_unwire(su_q, VA, VA + _NPCPV * PAGE_SIZE);
	pmap_remove(su_q, VA, END);
	pu_pages_free(&su_pu, m, VM_LEVEL_0_ORDER);
	bug_end();
}

/* Reclaim empties a page table, and no chunk: one entry of it is wired. */
static void
b32_a_table_that_becomes_a_chunk_is_counted(void)
{
	struct vm_page *m;

	bug_begin();
	m = pu_pages(&su_pu, VM_LEVEL_0_ORDER);
	su_enter(su_p, END, m, R, R | PMAP_ENTER_WIRED);
	for (unsigned i = 1; i < _NPCPV; i++)
		su_enter(su_p, VA + i * PAGE_SIZE, m, R, R);
	fill_chunk(su_q, m, PMAP_ENTER_WIRED);
	pu_hoard(&su_pu, &hoard, 0);
	su_enter(su_q, VA + _NPCPV * PAGE_SIZE, m, R, R);
	bug_check(su_pu.pu_ma);
	pu_unhoard(&su_pu, &hoard);
	pmap_unwire(su_p, END, END + PAGE_SIZE);
	pmap_unwire(su_q, VA, VA + _NPCPV * PAGE_SIZE);
	pmap_remove(su_p, VA, END + PAGE_SIZE);
	pmap_remove(su_q, VA, END);
	pu_pages_free(&su_pu, m, VM_LEVEL_0_ORDER);
	bug_end();
}

struct b18 {
	struct vm_page *b18_m;
	bool b18_clean;
};

static void
b18_point(struct machine *ma, enum test_point tp, void *arg)
{
	struct b18 *s = arg;

	/* The page daemon's question, in its order; no lock is needed here. */
	if (tp == TP_REMOVE_LOST)
		s->b18_clean =
		    !pmap_is_modified(ma, s->b18_m) && !pu_dirty(s->b18_m);
}

static void
b18_a_written_page_never_looks_clean(void)
{
	struct b18 s = { 0 };

	bug_begin();
	s.b18_m = pu_page(&su_pu);
	assert_int_equal(pmap_enter(su_p, VA, s.b18_m, R | W, W, 0), 0);
	pu_undirty(s.b18_m);
	test_point_set(su_pu.pu_ma, b18_point, &s);
	pmap_remove(su_p, VA, VA + PAGE_SIZE);
	test_point_set(su_pu.pu_ma, NULL, NULL);
	if (s.b18_clean)
		bug_caught("a written page looks clean\n");
	pu_page_free(&su_pu, s.b18_m);
	bug_end();
}

static void
b19_point(struct machine *ma, enum test_point tp, void *arg)
{
	if (tp == TP_PROTECT_READ)
		*(enum mmu_result *)arg = mmu_access(ma, 1, VA, W, NULL);
}

/* The page is written after pmap_protect() has read the entry. */
static void
b19_a_write_while_rights_are_taken_is_not_lost(void)
{
	enum mmu_result rv = MMU_NOTPRESENT;
	struct vm_page *m;

	bug_begin();
	m = pu_page(&su_pu);
	assert_int_equal(pmap_enter(su_p, VA, m, R | W, R, 0), 0);
	pmap_activate(su_p, 1);
	test_point_set(su_pu.pu_ma, b19_point, &rv);
	pmap_protect(su_p, VA, VA + PAGE_SIZE, R);
	test_point_set(su_pu.pu_ma, NULL, NULL);
	assert_int_equal(rv, INVARIANTS_ENABLED ? MMU_OK : MMU_NOTPRESENT);
	if (rv == MMU_OK && !pu_dirty(m) && !pmap_is_modified(su_pu.pu_ma, m))
		bug_caught("a write is lost\n");
	pmap_deactivate(su_pu.pu_ma, 1);
	pmap_remove(su_p, VA, END);
	pu_page_free(&su_pu, m);
	bug_end();
}

const struct bug_scene bug_scenes_page[] = {
	{ "B1", "a chunk that reclaim has passed can be freed",
	    b1_a_chunk_that_was_passed_can_be_freed, "inv 8:", NULL },
	{ "B2", "what mappings knew goes to their pages",
	    b2_what_mappings_knew_goes_to_their_pages,
	    "a page is dirty that nobody wrote", NULL },
	{ "B18", "a written page never looks clean",
	    b18_a_written_page_never_looks_clean, "a written page looks clean",
	    NULL },
	{ "B19", "a write while rights are taken is not lost",
	    b19_a_write_while_rights_are_taken_is_not_lost, "a write is lost",
	    "sparse/rwlock+tlb=assoc" },
	{ "B32", "a page table that becomes a chunk is counted",
	    b32_a_table_that_becomes_a_chunk_is_counted, "inv 11:", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};
