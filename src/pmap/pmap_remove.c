/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Taking mappings, or rights, away by address: pmap_remove(), pmap_protect(),
 * pmap_unwire(), and pmap_remove_pages() for a process that ends.
 *
 * pmap_remove() drops the pv list lock before the TLBs are told: a page looks
 * unmapped while another CPU can still reach it.  That is what a delayed
 * invalidation block is for: whoever then acts on the page waits for its end.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/pmap_var.h"

/*
 * Remove the valid entry *pte of va.  May change *held.  Returns true when the
 * page table went, too.
 */
static bool
pmap_remove_pte(struct pmap *pmap, pte_t *pte, vm_offset_t va, pt_entry_t pde,
    struct vm_page **free, struct pv_held *held)
{
	struct machine *ma = pmap->pm_machine;
	struct pv_entry *pv;
	struct vm_page *m;
	pt_entry_t old;

	old = pte_load_clear(pte);
	if ((old & PG_W) != 0)
		pmap->pm_stats.wired_count--;
	pmap_resident_add(pmap, -1);
	if ((old & PG_MANAGED) != 0) {
		m = PHYS_TO_VM_PAGE(pmap->pm_vp, old & PG_FRAME);
		pmap_lose(old, m);
		CHANGE_PV_LIST_LOCK(ma->ma_pvt, held, m, old & PG_FRAME);
		PV_LIST_ASSERT_LOCKED(ma->ma_pvt, m);
		pv = pmap_pvh_remove(&m->md, pmap, va);
		if (pv == NULL)
			panic("pmap_remove: no pv entry for va %#jx, page %#jx",
			    (uintmax_t)va, (uintmax_t)(old & PG_FRAME));
		free_pv_entry(pmap, pv);
		pmap_clear_writeable_if_unmapped(m, held->pv_pvh);
		pmap_delayed_invl_page(ma, m);
	}
	return (pmap_unuse_pt(pmap, va, pde, free));
}

void
pmap_remove(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva)
{
	struct machine *ma = pmap->pm_machine;
	struct pv_held held = PV_HELD_NONE;
	struct vm_page *free = NULL;
	vm_offset_t end, va = sva;
	pt_entry_t pde;
	pte_t *pte;
	bool anyvalid = false;

	/*
	 * Without the lock: whoever could add a mapping holds the map lock, and
	 * so does our caller.  The root is always resident.
	 */
	if (pmap_resident(pmap) <= 1)
		return;

	pmap_delayed_invl_start(ma);
	PMAP_LOCK(pmap);
	while ((pde = pmap_next_pt(pmap, &va, eva, &end)) != 0) {
		for (pte = pmap_pde_to_pte(pmap, pde, va); va < end;
		     va += PAGE_SIZE, pte++) {
			if ((pte_load(pte) & PG_V) == 0)
				continue;
			anyvalid = true;
			if (pmap_remove_pte(pmap, pte, va, pde, &free, &held))
				break;
		}
		va = end;
	}
	pv_release_lock(ma->ma_pvt, &held);
	if (anyvalid && eva - sva == PAGE_SIZE)
		pmap_invalidate_page(pmap, sva);
	else if (anyvalid)
		pmap_invalidate_all(pmap);
	PMAP_UNLOCK(pmap);
	pmap_delayed_invl_finish(ma);
	pmap_free_ptps(pmap, free);
}

void
pmap_protect(
    struct pmap *pmap, vm_offset_t sva, vm_offset_t eva, vm_prot_t prot)
{
	vm_offset_t end, va = sva;
	pt_entry_t new, old, pde;
	pte_t *pte;
	bool changed = false;

	if (prot == VM_PROT_NONE) {
		pmap_remove(pmap, sva, eva);
		return;
	}
	if ((prot & (VM_PROT_WRITE | VM_PROT_EXECUTE)) ==
	    (VM_PROT_WRITE | VM_PROT_EXECUTE))
		return;

	PMAP_LOCK(pmap);
	while ((pde = pmap_next_pt(pmap, &va, eva, &end)) != 0) {
		for (pte = pmap_pde_to_pte(pmap, pde, va); va < end;
		     va += PAGE_SIZE, pte++) {
			old = pte_load(pte);
			do {
				new = old;
				if ((old & PG_V) == 0)
					break;
				if ((prot & VM_PROT_WRITE) == 0) {
					/* Dirty first; again if M came. */
					if ((old & PG_MANAGED) != 0 &&
					    (old & (PG_M | PG_RW)) ==
						(PG_M | PG_RW))
						vm_page_dirty(
						    PHYS_TO_VM_PAGE(pmap->pm_vp,
							old & PG_FRAME));
					new &= ~(PG_RW | PG_M);
				}
				if ((prot & VM_PROT_EXECUTE) == 0)
					new |= PG_NX;
			} while (new != old && !pte_cas(pte, &old, new));
			changed |= new != old;
		}
		va = end;
	}
	if (changed)
		pmap_invalidate_all(pmap);
	PMAP_UNLOCK(pmap);
}

void
pmap_unwire(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva)
{
	vm_offset_t end, va = sva;
	pt_entry_t pde, old;
	pte_t *pte;

	PMAP_LOCK(pmap);
	while ((pde = pmap_next_pt(pmap, &va, eva, &end)) != 0) {
		for (pte = pmap_pde_to_pte(pmap, pde, va); va < end;
		     va += PAGE_SIZE, pte++) {
			old = pte_load(pte);
			if ((old & PG_V) == 0)
				continue;
			if ((old & PG_W) == 0)
				panic("pmap_unwire: pte %#jx of %#jx is not "
				      "wired",
				    (uintmax_t)old, (uintmax_t)va);
			(void)pte_clear_bits(pte, PG_W);
			pmap->pm_stats.wired_count--;
		}
		va = end;
	}
	PMAP_UNLOCK(pmap);
}

/* The page table that the entries of a chunk were found in last. */
struct pt_cursor {
	vm_offset_t pc_region; /* va >> PDRSHIFT, or ~0 */
	pte_t *pc_table;
	pt_entry_t pc_pde;
};

static inline pte_t *
pt_cursor_pte(struct pmap *pmap, struct pt_cursor *cur, vm_offset_t va)
{
	if (cur->pc_region != va >> PDRSHIFT) {
		cur->pc_pde = pte_load(pmap_pde(pmap, va));
		cur->pc_table = pmap_table(pmap->pm_vp, cur->pc_pde);
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
	uint64_t rp_freed;
};

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
	pmap_resident_add(pmap, -(int64_t)rp.rp_freed);
	counter_add(&curthread()->td_counters, CTR_PV_ENTRY_FREES, rp.rp_freed);
	pv_release_lock(ma->ma_pvt, &rp.rp_held);
	pmap_invalidate_all(pmap);
	free_pv_chunk_batch(ma, batch);
	PMAP_UNLOCK(pmap);
	pmap_free_ptps(pmap, rp.rp_free);
}
