/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pv entries and the chunks they come in.
 *
 * A chunk is a page of 168 entries that belong to one pmap, with a bitmap of
 * free ones.  It is on two lists: its pmap's, under the pmap lock, and an LRU,
 * under the LRU's mutex, one for each memory domain or one for all.
 *
 * Invariants.
 *   1. In a pmap's list, chunks without a free entry come after all others: the
 *	first chunk decides whether an entry can be had.  pmap_remove_pages()
 *	breaks this for chunks it keeps, and says so in pm_chunk_quirk.
 *   2. A chunk leaves an LRU only under both the LRU's mutex and its pmap's
 *	lock: who holds the pmap lock has the chunk pinned.
 *   3. No chunk is wholly free outside these functions and pv_reclaim.c.
 *
 * Lock order.  pmap -> pv list lock -> chunk list.  Nothing is acquired under a
 * chunk list's mutex.  A chunk's page is freed after the mutex is dropped.
 *
 * When no page is free entries are taken from mappings that exist; see
 * pv_reclaim.c.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c; releng/12.1 for one list.
 */

#include "pmap/pmap_var.h"
#include "pmap/pv_reclaim.h"

static inline bool
pc_is_full(const struct pv_chunk *pc)
{
	return ((pc->pc_map[0] | pc->pc_map[1] | pc->pc_map[2]) == 0);
}

struct vm_page *
pv_chunk_page(struct machine *ma, const struct pv_chunk *pc)
{
	vm_paddr_t pa = (vm_paddr_t)((const char *)pc - ma->ma_vp->vp_dmap);

	return (PHYS_TO_VM_PAGE(ma->ma_vp, pa));
}

int
pv_chunk_domain(struct machine *ma, const struct pv_chunk *pc)
{
	if (ma->ma_nchunklists == 1)
		return (0);
	return (ma->ma_vp->vp_segs[pv_chunk_page(ma, pc)->segind - 1].domain);
}

struct pv_chunks_list *
pv_chunk_list_of(struct machine *ma, const struct pv_chunk *pc)
{
	return (ma->ma_chunks[pv_chunk_domain(ma, pc)]);
}

/* The lowest free entry of pc, which has one. */
static struct pv_entry *
pc_take(struct pmap *pmap, struct pv_chunk *pc)
{
	unsigned bit, field;

	for (field = 0; pc->pc_map[field] == 0; field++)
		KASSERT(field < _NPCM - 1, ("chunk %p is full", (void *)pc));
	bit = (unsigned)__builtin_ctzll(pc->pc_map[field]);
	pc->pc_map[field] &= pc->pc_map[field] - 1;
	if (__predict_false(pc_is_full(pc))) {
		/* Invariant 1. */
		TAILQ_REMOVE(&pmap->pm_pvchunk, pc, pc_list);
		TAILQ_INSERT_TAIL(&pmap->pm_pvchunk, pc, pc_list);
	}
	return (&pc->pc_pventry[field * 64 + bit]);
}

/* Page m becomes a chunk, all free, on no list. */
static struct pv_chunk *
pc_init(struct pmap *pmap, const struct vm_page *m)
{
	struct pv_chunk *pc = PHYS_TO_DMAP(pmap->pm_vp, VM_PAGE_TO_PHYS(m));

	counter_add(&curthread()->td_counters, CTR_PC_CHUNK_ALLOCS, 1);
	pc->pc_pmap = pmap;
	pc->pc_map[0] = PC_FREE0;
	pc->pc_map[1] = PC_FREE0;
	pc->pc_map[2] = PC_FREE2;
	return (pc);
}

/*
 * A new chunk; NULL when no page is free.  flags: VM_PAGE_INTERRUPT, to take of
 * what is kept for those who cannot do without, or 0.
 */
static struct pv_chunk *
pc_create(struct pmap *pmap, int flags)
{
	struct machine *ma = pmap->pm_machine;
	struct thread *td = curthread();
	struct vm_page *m;

	/* Who cannot do without raises the limit. */
	if (flags == 0 && !pmap_limit_take(&ma->ma_pv_limit))
		goto fail;
	m = vm_page_alloc(ma->ma_vp, td->td_domain, VM_PAGE_NOOBJ | flags);
	if (m == NULL) {
		if (flags == 0)
			pmap_limit_give(&ma->ma_pv_limit, 1);
		goto fail;
	}
	return (pc_init(pmap, m));

fail:
	counter_add(&td->td_counters, CTR_PC_CHUNK_TRYFAIL, 1);
	return (NULL);
}

/*
 * A new chunk, from a page that is free or that is reclaimed.  NULL: there is
 * none; *againp says whether an entry of this pmap came free instead.
 */
__slowpath static struct pv_chunk *
pc_obtain(struct pmap *pmap, struct pv_held *held, int flags, bool *againp)
{
	struct pv_chunk *pc = pc_create(pmap, flags);
	enum reclaim_result how;
	struct vm_page *m;

	*againp = false;
	if (pc != NULL || held == NULL)
		return (pc);
	how = reclaim_pv_chunk(pmap->pm_machine, pmap, held, &m);
	*againp = how == RECLAIM_ENTRY;
	return (how == RECLAIM_PAGE ? pc_init(pmap, m) : NULL);
}

bool
pv_entry_is_spare(const struct pmap *pmap)
{
	const struct pv_chunk *pc = TAILQ_FIRST(&pmap->pm_pvchunk);

	return (pc != NULL && !pc_is_full(pc));
}

static void
pv_chunk_enqueue(struct machine *ma, struct pv_chunk *pc)
{
	struct pv_chunks_list *pvc = pv_chunk_list_of(ma, pc);

	mtx_lock(&pvc->pvc_lock);
	TAILQ_INSERT_TAIL(&pvc->pvc_list, pc, pc_lru);
	mtx_unlock(&pvc->pvc_lock);
}

/*
 * An entry of this pmap, which is locked.  With held NULL, returns NULL when no
 * chunk has room and no page is free.  Otherwise mappings are reclaimed, this
 * pmap's too, for which *held may be dropped and changed; NULL says that there
 * was nothing to reclaim, or that other pmaps were locked: the caller unlocks
 * its own, waits with pmap_wait_for_pages(), and tries again.
 */
struct pv_entry *
get_pv_entry(struct pmap *pmap, struct pv_held *held)
{
	struct pv_chunk *pc;
	bool again;

	PMAP_LOCK_ASSERT(pmap);
	pc = TAILQ_FIRST(&pmap->pm_pvchunk);
	while (__predict_false(pc == NULL || pc_is_full(pc))) {
		pc = pc_obtain(pmap, held, 0, &again);
		if (pc != NULL) {
			TAILQ_INSERT_HEAD(&pmap->pm_pvchunk, pc, pc_list);
			pv_chunk_enqueue(pmap->pm_machine, pc);
		} else if (again) {
			pc = TAILQ_FIRST(&pmap->pm_pvchunk);
		} else {
			return (NULL);
		}
	}
	counter_add(&curthread()->td_counters, CTR_PV_ENTRY_ALLOCS, 1);
	return (pc_take(pmap, pc));
}

/* The chunk is off both lists: its page goes back. */
void
free_pv_chunk_dequeued(struct machine *ma, struct pv_chunk *pc)
{
	counter_add(&curthread()->td_counters, CTR_PC_CHUNK_FREES, 1);
	sim_charge(ma->ma_sim, SIM_PV_CHUNK, 1);
	vm_page_free(ma->ma_vp, pv_chunk_page(ma, pc));
	pmap_limit_give(&ma->ma_pv_limit, 1);
}

void
free_pv_chunk(struct machine *ma, struct pv_chunk *pc)
{
	struct pv_chunks_list *pvc = pv_chunk_list_of(ma, pc);

	mtx_lock(&pvc->pvc_lock);
	TAILQ_REMOVE(&pvc->pvc_list, pc, pc_lru);
	mtx_unlock(&pvc->pvc_lock);
	free_pv_chunk_dequeued(ma, pc);
}

/*
 * Free chunks that were collected by domain on private lists through pc_list,
 * with one hold of each list's mutex, and the pages after that.
 */
void
free_pv_chunk_batch(struct machine *ma, struct pv_chunklist batch[])
{
	struct pv_chunks_list *pvc;
	struct pv_chunk *pc, *next;
	int i;

	for (i = 0; i < ma->ma_nchunklists; i++) {
		if (TAILQ_EMPTY(&batch[i]))
			continue;
		pvc = ma->ma_chunks[i];
		mtx_lock(&pvc->pvc_lock);
		TAILQ_FOREACH (pc, &batch[i], pc_list)
			TAILQ_REMOVE(&pvc->pvc_list, pc, pc_lru);
		mtx_unlock(&pvc->pvc_lock);
	}
	for (i = 0; i < ma->ma_nchunklists; i++) {
		for (pc = TAILQ_FIRST(&batch[i]); pc != NULL; pc = next) {
			next = TAILQ_NEXT(pc, pc_list);
			free_pv_chunk_dequeued(ma, pc);
		}
	}
}

/* Give an entry back.  The pmap is locked; a pv list lock may be held. */
void
free_pv_entry(struct pmap *pmap, struct pv_entry *pv)
{
	struct pv_chunk *pc = pv_to_chunk(pv);
	unsigned i = (unsigned)(pv - pc->pc_pventry);

	PMAP_LOCK_ASSERT(pmap);
	KASSERT((pc->pc_map[i / 64] >> (i % 64) & 1) == 0,
	    ("pv entry %p is free already", (void *)pv));
	counter_add(&curthread()->td_counters, CTR_PV_ENTRY_FREES, 1);
	pc->pc_map[i / 64] |= UINT64_C(1) << (i % 64);
	if (__predict_true(!pc_is_free(pc))) {
		if (pc != TAILQ_FIRST(&pmap->pm_pvchunk)) {
			TAILQ_REMOVE(&pmap->pm_pvchunk, pc, pc_list);
			TAILQ_INSERT_HEAD(&pmap->pm_pvchunk, pc, pc_list);
		}
		return;
	}
	TAILQ_REMOVE(&pmap->pm_pvchunk, pc, pc_list);
	free_pv_chunk(pmap->pm_machine, pc);
}

static int
pc_nfree(const struct pv_chunk *pc)
{
	return (__builtin_popcountll(pc->pc_map[0]) +
	    __builtin_popcountll(pc->pc_map[1]) +
	    __builtin_popcountll(pc->pc_map[2]));
}

/* How many free entries the pmap has, or needed if those are more. */
static int
pv_entries_free(const struct pmap *pmap, int needed)
{
	const struct pv_chunk *pc;
	int avail = 0, nfree;

	TAILQ_FOREACH (pc, &pmap->pm_pvchunk, pc_list) {
		nfree = pc_nfree(pc);
		if (nfree == 0 || avail >= needed)
			break;
		avail += nfree;
	}
	return (avail);
}

/* Fresh chunks go where all are, or nowhere: nobody would come back for them. */
static void
reserve_end(struct pmap *pmap, struct pv_chunklist fresh[], bool keep)
{
	struct machine *ma = pmap->pm_machine;
	struct pv_chunks_list *pvc;
	struct pv_chunk *pc;
	int i;

	for (i = 0; i < ma->ma_nchunklists; i++) {
		if (TAILQ_EMPTY(&fresh[i]))
			continue;
		if (keep) {
			pvc = ma->ma_chunks[i];
			mtx_lock(&pvc->pvc_lock);
			TAILQ_CONCAT(&pvc->pvc_list, &fresh[i], pc_lru);
			mtx_unlock(&pvc->pvc_lock);
			continue;
		}
		while ((pc = TAILQ_FIRST(&fresh[i])) != NULL) {
			TAILQ_REMOVE(&fresh[i], pc, pc_lru);
			TAILQ_REMOVE(&pmap->pm_pvchunk, pc, pc_list);
			free_pv_chunk_dequeued(ma, pc);
		}
	}
}

/*
 * Make sure that the pmap has at least needed free entries.  The pmap is locked
 * and stays so; held as in get_pv_entry().  Returns false, with no chunk more
 * than before, when they are not to be had.
 *
 * New chunks stay off the LRUs until the end: there they could be taken again
 * before they are used.  A walk for one may free entries of this pmap, or a
 * chunk of it that was counted on: so after each the count begins anew.
 */
static bool
reserve(struct pmap *pmap, int needed, struct pv_held *held, int flags)
{
	struct machine *ma = pmap->pm_machine;
	struct pv_chunklist fresh[MAXMEMDOM];
	struct pv_chunk *pc;
	bool again, ok = true;
	int i;

	PMAP_LOCK_ASSERT(pmap);
	for (i = 0; i < ma->ma_nchunklists; i++)
		TAILQ_INIT(&fresh[i]);
	while (pv_entries_free(pmap, needed) < needed) {
		pc = pc_obtain(pmap, held, flags, &again);
		if (pc == NULL && !again) {
			ok = false;
			break;
		}
		if (pc == NULL)
			continue;
		/*
		 * What was reclaimed may have been this pmap's, too: a chunk
		 * that is not needed would never be used (invariant 3).
		 */
		if (pv_entries_free(pmap, needed) >= needed) {
			free_pv_chunk_dequeued(ma, pc);
			break;
		}
		TAILQ_INSERT_HEAD(&pmap->pm_pvchunk, pc, pc_list);
		TAILQ_INSERT_TAIL(&fresh[pv_chunk_domain(ma, pc)], pc, pc_lru);
	}
	reserve_end(pmap, fresh, ok);
	return (ok);
}

bool
reserve_pv_entries(struct pmap *pmap, int needed, struct pv_held *held)
{
	return (reserve(pmap, needed, held, 0));
}

bool
reserve_pv_entries_kept(struct pmap *pmap, int needed)
{
	return (reserve(pmap, needed, NULL, VM_PAGE_INTERRUPT));
}

/* Off the list, if it is there.  The caller counts the change. */
static struct pv_entry *
pv_list_take(struct pv_list *pvl, struct pmap *pmap, vm_offset_t va)
{
	struct pv_entry *pv;

	PV_LIST_FOREACH (pv, pvl) {
		if (pv->pv_va == va && PV_PMAP(pv) == pmap) {
			pv_list_remove(pvl, pv);
			return (pv);
		}
	}
	return (NULL);
}

struct pv_entry *
pmap_pvh_remove(struct md_page *md, struct pmap *pmap, vm_offset_t va)
{
	struct pv_entry *pv = pv_list_take(&md->pv_list, pmap, va);

	if (__predict_true(pv != NULL))
		md_gen_bump(md);
	return (pv);
}

struct pv_entry *
pmap_pvh_remove_pde(struct pmap *pmap, struct pv_held *held, vm_offset_t va)
{
	struct pv_entry *pv = pv_list_take(&held->pv_pvh->pv_list, pmap, va);

	if (pv != NULL)
		pvh_gen_bump(pmap->pm_machine->ma_pvt, held);
	return (pv);
}
