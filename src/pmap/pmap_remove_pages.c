/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pmap_remove_pages(): the end of a process.  Instead of the page tables the pv
 * chunks are walked, which name every managed mapping.
 *
 * No CPU runs on the pmap: entries are cleared by plain stores, and TLBs are told
 * once, at the end.  Nobody has to wait for that, since no thread can use what is
 * stale.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/pmap_superpage.h"

/* The page table that the entries of a chunk were found in last. */
struct pt_cursor {
	vm_offset_t pc_region; /* va >> PDRSHIFT, or ~0 */
	pte_t *pc_table;
	pt_entry_t pc_pde;
};

/* NULL where a superpage is mapped. */
static inline pte_t *
pt_cursor_pte(struct pmap *pmap, struct pt_cursor *cur, vm_offset_t va)
{
	pt_entry_t pde;

	if (cur->pc_region != va >> PDRSHIFT) {
		pde = pte_load(pmap_pde(pmap, va));
		if ((pde & PG_PS) != 0)
			return (NULL);
		cur->pc_pde = pde;
		cur->pc_table = pmap_table(pmap->pm_vp, pde);
		cur->pc_region = va >> PDRSHIFT;
	}
	return (&cur->pc_table[pmap_pte_index(va)]);
}

/* What pmap_remove_pages() carries from chunk to chunk. */
struct remove_pages {
	struct pmap *rp_pmap;
	struct pv_held rp_held;
	struct pt_cursor rp_cursor;
	struct vm_page *rp_free;
	uint64_t rp_freed; /* pv entries */
	uint64_t rp_super; /* superpages among them */
};

/* Remove the superpage of pv.  Returns false if it is wired and stays. */
static bool
pmap_remove_pages_pde(struct remove_pages *rp, struct pv_entry *pv)
{
	struct pmap *pmap = rp->rp_pmap;
	struct pv_table *pvt = pmap->pm_machine->ma_pvt;
	vm_offset_t va = pv->pv_va;
	struct vm_page *m, *mpte;
	pte_t *pde = pmap_pde(pmap, va);
	pt_entry_t tpde = pte_load(pde);
	unsigned i;

	if ((tpde & PG_W) != 0)
		return (false);
	/* Nobody runs on this pmap: no A or M can come. */
	pte_store_plain(pde, 0);
	m = PHYS_TO_VM_PAGE(pmap->pm_vp, tpde & PG_PS_FRAME);
	if ((tpde & (PG_M | PG_RW)) == (PG_M | PG_RW)) {
		for (i = 0; i < NPTEPG; i++)
			vm_page_dirty(&m[i]);
	}
	CHANGE_PV_LIST_LOCK(pvt, &rp->rp_held, m, tpde & PG_PS_FRAME);
	PV_LIST_ASSERT_LOCKED(pvt, m);
	pv_list_remove(&rp->rp_held.pv_pvh->pv_list, pv);
	pvh_gen_bump(pvt, &rp->rp_held);
	for (i = 0; i < NPTEPG; i++)
		pmap_clear_writeable_if_unmapped(&m[i], rp->rp_held.pv_pvh);
	mpte = pmap_remove_pt_page(pmap, va);
	if (mpte != NULL)
		pmap_drop_pt_page(pmap, mpte, false, &rp->rp_free);
	(void)pmap_unuse_pt(
	    pmap, va, pte_load(pmap_pdpe(pmap, va)), &rp->rp_free);
	rp->rp_super++;
	counter_add(&curthread()->td_counters, CTR_PDE_DESTROYED, 1);
	return (true);
}

/* Remove the mappings of one chunk.  Returns true when it is wholly free. */
static bool
pmap_remove_chunk(struct remove_pages *rp, struct pv_chunk *pc)
{
	static const uint64_t pc_freemask[_NPCM] = { PC_FREE0, PC_FREE0,
		PC_FREE2 };
	struct pmap *pmap = rp->rp_pmap;
	struct pv_table *pvt = pmap->pm_machine->ma_pvt;
	struct pv_entry *pv;
	struct vm_page *m;
	uint64_t freed, inuse;
	pt_entry_t tpte;
	pte_t *pte;
	bool allfree = true;
	unsigned field;

	for (field = 0; field < _NPCM; field++) {
		inuse = ~pc->pc_map[field] & pc_freemask[field];
		freed = 0;
		for (; inuse != 0; inuse &= inuse - 1) {
			pv = &pc->pc_pventry[field * 64 +
			    (unsigned)__builtin_ctzll(inuse)];
			pte = pt_cursor_pte(pmap, &rp->rp_cursor, pv->pv_va);
			/*
			 * Only the PDE can tell: in a 4 KB entry PG_PS is the
			 * PAT bit (B31).
			 */
			if (__predict_false(pte == NULL) ||
			    (BUG(pmap->pm_machine, B31) &&
				(pte_load(pte) & PG_PS) != 0)) {
				if (pmap_remove_pages_pde(rp, pv))
					freed |= inuse & -inuse;
				else
					allfree = false;
				continue;
			}
			tpte = pte_load(pte);
			if (__predict_false((tpte & PG_W) != 0)) {
				allfree = false;
				continue;
			}
			freed |= inuse & -inuse;
			/* Nobody runs on this pmap: no A or M can come. */
			pte_store_plain(pte, 0);
			m = PHYS_TO_VM_PAGE(pmap->pm_vp, tpte & PG_FRAME);
			if ((tpte & (PG_M | PG_RW)) == (PG_M | PG_RW))
				vm_page_dirty(m);
			CHANGE_PV_LIST_LOCK(
			    pvt, &rp->rp_held, m, tpte & PG_FRAME);
			PV_LIST_ASSERT_LOCKED(pvt, m);
			pv_list_remove(&m->md.pv_list, pv);
			md_gen_bump(&m->md);
			pmap_clear_writeable_if_unmapped(m, rp->rp_held.pv_pvh);
			if (pmap_unuse_pt(pmap, pv->pv_va, rp->rp_cursor.pc_pde,
				&rp->rp_free))
				rp->rp_cursor.pc_region = UINT64_MAX;
		}
		pc->pc_map[field] |= freed;
		rp->rp_freed += (uint64_t)__builtin_popcountll(freed);
	}
	return (allfree);
}

void
pmap_remove_pages(struct pmap *pmap)
{
	PMAP_OPERATION(pmap->pm_machine);
	struct machine *ma = pmap->pm_machine;
	struct pv_chunklist batch[MAXMEMDOM];
	struct pv_chunk *next, *pc;
	struct remove_pages rp = {
		.rp_pmap = pmap,
		.rp_held = PV_HELD_NONE,
		.rp_cursor = { .pc_region = UINT64_MAX },
	};
	int i;

	for (i = 0; i < ma->ma_nchunklists; i++)
		TAILQ_INIT(&batch[i]);

	PMAP_LOCK(pmap);
	for (pc = TAILQ_FIRST(&pmap->pm_pvchunk); pc != NULL; pc = next) {
		next = TAILQ_NEXT(pc, pc_list);
		if (!pmap_remove_chunk(&rp, pc)) {
			pmap->pm_chunk_quirk = true;
			continue;
		}
		TAILQ_REMOVE(&pmap->pm_pvchunk, pc, pc_list);
		if (ma->ma_design.d_batch)
			TAILQ_INSERT_TAIL(
			    &batch[pv_chunk_domain(ma, pc)], pc, pc_list);
		else
			free_pv_chunk(ma, pc); /* under the pv list lock */
	}
	pmap_resident_add(
	    pmap, -(int64_t)(rp.rp_freed + rp.rp_super * (NPTEPG - 1)));
	counter_add(&curthread()->td_counters, CTR_PV_ENTRY_FREES, rp.rp_freed);
	pv_release_lock(ma->ma_pvt, &rp.rp_held);
	pmap_invalidate_all(pmap);
	free_pv_chunk_batch(ma, batch);
	PMAP_UNLOCK(pmap);
	pmap_free_ptps(ma, rp.rp_free);
}
