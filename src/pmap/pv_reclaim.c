/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pv entries of others, when no page is free for a chunk.
 *
 * Why.  A managed page cannot be mapped without a pv entry, and a thread that
 * wants one may hold a pmap lock and may not sleep.  Mappings are a cache: one
 * that goes is entered again by the next fault.  So the least recently used
 * chunks are emptied, mapping by mapping, until a page comes free or, what is
 * as good, the thread's own pmap has a free entry.
 *
 * How.  The LRU of a domain is walked under its mutex, behind a marker that says
 * where the walk is, up to a marker for where the list ended when it began.  To
 * work on a chunk its pmap is locked, for which the mutex is dropped: then only
 * the marker can be relied on, and what comes next is read again.  Emptying skips
 * wired mappings and those of 2 MB, whose entry would cost 511 others.
 *
 * Chunks that gave nothing would be found first by every walk to come.  So a walk
 * that is alone on its LRU moves what it has passed to the tail.
 *
 * Invariants.
 *   1. While a chunk's pmap is locked the chunk stays where it is (pv_chunk.c,
 *	invariant 2).  A chunk that was read before the lock was taken may be
 *	gone.
 *   2. Each victim pmap's TLBs are told before its lock is dropped, and within a
 *	delayed invalidation block that began after the lock was taken: whoever
 *	finds the pages unmapped waits for it.
 *   3. Page table pages that empty are freed after that.
 *   4. The markers have no pmap.  Nobody but their thread moves them.
 *
 * Lock order.  The caller's pmap, which stays locked; then a victim with a
 * greater address may be waited for, without a pv list lock; one with a smaller
 * address is only tried.  Without a pmap of the caller's, one victim at a time
 * is waited for.
 *
 * Progress.  A walk passes each chunk but once and ends.  What it could not try,
 * since a smaller pmap was locked, it reports: the caller then lets go of its
 * own pmap, and asks again without one.
 *
 * Limits.  Two markers are 8 KB of stack.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c, reclaim_pv_chunk().
 * Differs: a page table page that becomes a chunk counts as one (FreeBSD's
 * count of chunk pages is then one too low).
 */

#include "pmap/pv_reclaim.h"
#include "pmap/pmap_var.h"

struct reclaim {
	struct machine *rc_ma;
	struct pmap *rc_own; /* the caller's, locked throughout; or NULL */
	struct pv_held *rc_held;
	struct pmap *rc_victim; /* locked, or NULL */
	struct pv_chunks_list *rc_lru;
	struct vm_page *rc_free;   /* page table pages that emptied */
	struct vm_page *rc_page;   /* of a chunk that emptied */
	bool rc_di;                /* blocks are ours to begin and end */
	bool rc_own_entry;         /* rc_own has a free entry now */
	bool rc_skipped;           /* a pmap could not be locked */
	struct pv_chunk rc_marker; /* behind what is done */
	struct pv_chunk rc_end;
	struct pv_chunklist rc_hidden; /* B1 */
};

/* Done with the victim: tell its TLBs, and let it go. */
static void
reclaim_leave(struct reclaim *rc)
{
	struct pmap *pmap = rc->rc_victim;

	if (pmap == NULL)
		return;
	pmap_invalidate_all(pmap);
	if (pmap != rc->rc_own)
		PMAP_UNLOCK(pmap);
	if (rc->rc_di)
		pmap_delayed_invl_finish(rc->rc_ma);
	rc->rc_victim = NULL;
}

enum reclaim_turn {
	TURN_WORK,  /* the victim is locked and the chunk is what it was */
	TURN_AGAIN, /* it is locked now: read what comes next again */
	TURN_BUSY   /* it cannot be locked */
};

/* Make pmap the victim.  No list's mutex is held. */
static enum reclaim_turn
reclaim_turn_to(struct reclaim *rc, struct pmap *pmap)
{
	enum reclaim_turn turn = TURN_AGAIN;

	if (rc->rc_victim == pmap)
		return (TURN_WORK);
	reclaim_leave(rc);
	if (pmap == rc->rc_own) {
		turn = TURN_WORK; /* locked all along: invariant 1 */
	} else if (rc->rc_own == NULL || pmap > rc->rc_own) {
		pv_release_lock(rc->rc_ma->ma_pvt, rc->rc_held);
		PMAP_LOCK(pmap);
	} else if (!PMAP_TRYLOCK(pmap)) {
		return (TURN_BUSY);
	}
	rc->rc_victim = pmap;
	if (rc->rc_di)
		pmap_delayed_invl_start(rc->rc_ma);
	return (turn);
}

/* Remove the mapping of pv, if it may be.  The victim is locked. */
static bool
reclaim_mapping(struct reclaim *rc, const struct pv_entry *pv)
{
	struct pv_table *pvt = rc->rc_ma->ma_pvt;
	struct pmap *pmap = rc->rc_victim;
	struct vm_page *m;
	pt_entry_t pde, tpte;
	pte_t *pte;

	pte = pmap_pte_pde(pmap, pv->pv_va, &pde);
	if (pte == NULL || (pte_load(pte) & PG_W) != 0)
		return (false);
	tpte = pte_load_clear(pte);
	m = PHYS_TO_VM_PAGE(pmap->pm_vp, tpte & PG_FRAME);
	/* With the bits of no pmap all is modified, and nothing accessed. */
	pmap_lose(BUG(rc->rc_ma, B2) ? PG_M | PG_RW : tpte, m);
	CHANGE_PV_LIST_LOCK(pvt, rc->rc_held, m, tpte & PG_FRAME);
	PV_LIST_ASSERT_LOCKED(pvt, m);
	pv_list_remove(&m->md.pv_list, (struct pv_entry *)(uintptr_t)pv);
	md_gen_bump(&m->md);
	pmap_clear_writeable_if_unmapped(m, rc->rc_held->pv_pvh);
	pmap_delayed_invl_page(rc->rc_ma, m);
	(void)pmap_unuse_pt(pmap, pv->pv_va, pde, &rc->rc_free);
	return (true);
}

/* Empty pc as far as may be, a chunk of the victim.  How many entries? */
static int
reclaim_entries(struct reclaim *rc, struct pv_chunk *pc)
{
	uint64_t inuse;
	unsigned bit, field;
	int freed = 0;

	for (field = 0; field < _NPCM; field++) {
		inuse = pc_inuse(pc, field);
		for (; inuse != 0; inuse &= inuse - 1) {
			bit = (unsigned)__builtin_ctzll(inuse);
			if (!reclaim_mapping(
				rc, &pc->pc_pventry[field * 64 + bit]))
				continue;
			pc->pc_map[field] |= UINT64_C(1) << bit;
			freed++;
		}
	}
	return (freed);
}

/*
 * Empty pc, and take its page if nothing is left in it.  The list's mutex is not
 * held before, and held after.  True: the walk has what it wants.
 */
static bool
reclaim_chunk(struct reclaim *rc, struct pv_chunk *pc)
{
	struct thread *td = curthread();
	struct pmap *pmap = rc->rc_victim;
	int freed = reclaim_entries(rc, pc);

	if (freed == 0) {
		mtx_lock(&rc->rc_lru->pvc_lock);
		return (false);
	}
	pmap_resident_add(pmap, -freed);
	counter_add(&td->td_counters, CTR_PV_ENTRY_FREES, (uint64_t)freed);
	counter_add(&td->td_counters, CTR_PV_RECLAIMS, (uint64_t)freed);
	TAILQ_REMOVE(&pmap->pm_pvchunk, pc, pc_list);
	if (pc_is_free(pc)) {
		mtx_lock(&rc->rc_lru->pvc_lock);
		TAILQ_REMOVE(&rc->rc_lru->pvc_list, pc, pc_lru);
		counter_add(&td->td_counters, CTR_PC_CHUNK_FREES, 1);
		rc->rc_page = pv_chunk_page(rc->rc_ma, pc);
		return (true);
	}
	/* It has free entries now: they are found at the head. */
	TAILQ_INSERT_HEAD(&pmap->pm_pvchunk, pc, pc_list);
	mtx_lock(&rc->rc_lru->pvc_lock);
	rc->rc_own_entry = pmap == rc->rc_own;
	return (rc->rc_own_entry);
}

/* pc is done with: the marker goes behind it.  The list's mutex is held. */
static void
reclaim_pass(struct reclaim *rc, struct pv_chunk *pc)
{
	struct pv_chunklist *lru = &rc->rc_lru->pvc_list;

	TAILQ_REMOVE(lru, &rc->rc_marker, pc_lru);
	TAILQ_INSERT_AFTER(lru, pc, &rc->rc_marker, pc_lru);
	if (BUG(rc->rc_ma, B1) && pc->pc_pmap != NULL) {
		TAILQ_REMOVE(lru, pc, pc_lru);
		TAILQ_INSERT_TAIL(&rc->rc_hidden, pc, pc_lru);
	}
	/*
	 * Without a victim the last chunk was not looked at.  With two walks the
	 * other's marker is among those to be moved.
	 */
	if (rc->rc_lru->pvc_active_reclaims != 1 || rc->rc_victim == NULL)
		return;
	while ((pc = TAILQ_FIRST(lru)) != &rc->rc_marker) {
		TAILQ_REMOVE(lru, pc, pc_lru);
		TAILQ_INSERT_TAIL(lru, pc, pc_lru);
	}
}

/* Walk one LRU. */
static void
reclaim_walk(struct reclaim *rc)
{
	struct pv_chunklist *lru = &rc->rc_lru->pvc_list;
	enum reclaim_turn turn;
	struct pv_chunk *pc;
	struct pmap *pmap;

	mtx_lock(&rc->rc_lru->pvc_lock);
	rc->rc_lru->pvc_active_reclaims++;
	TAILQ_INSERT_HEAD(lru, &rc->rc_marker, pc_lru);
	TAILQ_INSERT_TAIL(lru, &rc->rc_end, pc_lru);
	TAILQ_INIT(&rc->rc_hidden);
	while ((pc = TAILQ_NEXT(&rc->rc_marker, pc_lru)) != &rc->rc_end &&
	    rc->rc_free == NULL) {
		pmap = pc->pc_pmap;
		if (pmap == NULL) {
			reclaim_pass(rc, pc); /* a marker of another walk */
			continue;
		}
		mtx_unlock(&rc->rc_lru->pvc_lock);
		turn = reclaim_turn_to(rc, pmap);
		if (turn == TURN_WORK) {
			if (reclaim_chunk(rc, pc))
				break;
			reclaim_pass(rc, pc);
			continue;
		}
		mtx_lock(&rc->rc_lru->pvc_lock);
		if (turn == TURN_BUSY) {
			rc->rc_skipped = true;
			pc = TAILQ_NEXT(&rc->rc_marker, pc_lru);
			if (pc != &rc->rc_end && pc->pc_pmap == pmap)
				reclaim_pass(rc, pc);
		}
	}
	TAILQ_REMOVE(lru, &rc->rc_marker, pc_lru);
	TAILQ_REMOVE(lru, &rc->rc_end, pc_lru);
	if (BUG(rc->rc_ma, B1))
		TAILQ_CONCAT(lru, &rc->rc_hidden, pc_lru);
	rc->rc_lru->pvc_active_reclaims--;
	mtx_unlock(&rc->rc_lru->pvc_lock);
	reclaim_leave(rc);
}

/* A page table page becomes a chunk's page. */
static struct vm_page *
reclaim_take_ptp(struct reclaim *rc)
{
	struct vm_page *m = rc->rc_free;

	if (m == NULL || !pmap_limit_take(&rc->rc_ma->ma_pv_limit))
		return (NULL);
	pmap_limit_give(&rc->rc_ma->ma_pt_limit, 1);
	if (BUG(rc->rc_ma, B32))
		counter_add(&curthread()->td_counters, CTR_PC_CHUNK_FREES, 1);
	rc->rc_free = m->q_next;
	m->q_next = NULL;
	m->flags &= (uint8_t)~PG_ZERO;
	m->pindex = 0;
	ptp_ref_add(m, 1 - ptp_ref(m));
	/* No walk may come here any more; if one does it shows. */
	vm_page_new_epoch(rc->rc_ma->ma_vp, m);
	return (m);
}

enum reclaim_result
reclaim_pv_chunk(struct machine *ma, struct pmap *own, struct pv_held *held,
    struct vm_page **pagep)
{
	struct thread *td = curthread();
	struct reclaim rc; /* but for the markers' entries, all is set below */
	int i, n = ma->ma_nchunklists;

	*pagep = NULL;
	rc.rc_ma = ma;
	rc.rc_own = own;
	rc.rc_held = held;
	rc.rc_victim = NULL;
	rc.rc_free = NULL;
	rc.rc_page = NULL;
	rc.rc_di = !pmap_in_di();
	rc.rc_own_entry = false;
	rc.rc_skipped = false;
	rc.rc_marker.pc_pmap = NULL;
	rc.rc_end.pc_pmap = NULL;
	for (i = 0; i < n; i++) {
		rc.rc_lru = ma->ma_chunks[(td->td_domain + i) % n];
		reclaim_walk(&rc);
		if (rc.rc_page == NULL)
			rc.rc_page = reclaim_take_ptp(&rc);
		pmap_free_ptps(ma, rc.rc_free);
		rc.rc_free = NULL;
		*pagep = rc.rc_page;
		if (rc.rc_page != NULL)
			return (RECLAIM_PAGE);
		if (rc.rc_own_entry)
			return (RECLAIM_ENTRY);
	}
	return (rc.rc_skipped ? RECLAIM_BUSY : RECLAIM_NOTHING);
}

bool
reclaim_pv_page(struct machine *ma)
{
	struct pv_held held = PV_HELD_NONE;
	struct vm_page *m;

	(void)reclaim_pv_chunk(ma, NULL, &held, &m);
	pv_release_lock(ma->ma_pvt, &held);
	if (m == NULL)
		return (false);
	vm_page_free(ma->ma_vp, m);
	pmap_limit_give(&ma->ma_pv_limit, 1);
	return (true);
}
