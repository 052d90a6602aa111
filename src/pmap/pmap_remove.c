/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Taking mappings away by address: pmap_remove(), and what others use of it.
 *
 * pmap_remove() drops the pv list lock before the TLBs are told: a page looks
 * unmapped while another CPU can still reach it.  That is what a delayed
 * invalidation block is for: whoever then acts on the page waits for its end.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/pmap_superpage.h"

/* As pmap_remove_pte(). */
static inline bool
remove_pte(struct pmap *pmap, pte_t *pte, vm_offset_t va, pt_entry_t pde,
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
		if (!BUG(ma, B18))
			pmap_lose(old, m);
		CHANGE_PV_LIST_LOCK(ma->ma_pvt, held, m, old & PG_FRAME);
		PV_LIST_ASSERT_LOCKED(ma->ma_pvt, m);
		pv = pmap_pvh_remove(&m->md, pmap, va);
		if (pv == NULL)
			panic("pmap_remove: no pv entry for va %#jx, page %#jx",
			    (uintmax_t)va, (uintmax_t)(old & PG_FRAME));
		free_pv_entry(pmap, pv);
		pmap_clear_writeable_if_unmapped(m, held->pv_pvh);
		TEST_POINT(ma, TP_REMOVE_LOST);
		if (BUG(ma, B18))
			pmap_lose(old, m);
		if (BUG(ma, di_late)) {
			pv_release_lock(ma->ma_pvt, held);
			TEST_POINT(ma, TP_REMOVE_UNLOCKED);
		}
		pmap_delayed_invl_page(ma, m);
	}
	return (pmap_unuse_pt(pmap, va, pde, free));
}

/*
 * Remove the valid entry *pte of va.  May change *held.  Returns true when the
 * page table went, too.
 */
bool
pmap_remove_pte(struct pmap *pmap, pte_t *pte, vm_offset_t va, pt_entry_t pde,
    struct vm_page **free, struct pv_held *held)
{
	return (remove_pte(pmap, pte, va, pde, free, held));
}

/*
 * Remove what is mapped in [sva, eva), which pde's page table serves.  Returns
 * true when anything was: the caller invalidates.
 */
bool
pmap_remove_ptes(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva,
    pt_entry_t pde, struct vm_page **free, struct pv_held *held)
{
	pte_t *pte = pmap_pde_to_pte(pmap, pde, sva);
	bool anyvalid = false;

	for (; sva < eva; sva += PAGE_SIZE, pte++) {
		if ((pte_load(pte) & PG_V) == 0)
			continue;
		anyvalid = true;
		if (remove_pte(pmap, pte, sva, pde, free, held))
			break;
	}
	return (anyvalid);
}

/* The managed superpage oldpde of va has gone from the page tables. */
static void
pmap_remove_pde_pv(
    struct pmap *pmap, pt_entry_t oldpde, vm_offset_t va, struct pv_held *held)
{
	struct machine *ma = pmap->pm_machine;
	vm_paddr_t pa = oldpde & PG_PS_FRAME;
	struct vm_page *m = PHYS_TO_VM_PAGE(pmap->pm_vp, pa);
	struct pv_entry *pv;
	unsigned i;

	CHANGE_PV_LIST_LOCK(ma->ma_pvt, held, m, pa);
	PV_LIST_ASSERT_LOCKED(ma->ma_pvt, m);
	pv = pmap_pvh_remove_pde(pmap, held, va);
	if (pv == NULL)
		panic("pmap_remove: no pv entry for va %#jx, superpage %#jx",
		    (uintmax_t)va, (uintmax_t)pa);
	free_pv_entry(pmap, pv);
	for (i = 0; i < NPTEPG; i++) {
		pmap_lose(oldpde, &m[i]);
		pmap_clear_writeable_if_unmapped(&m[i], held->pv_pvh);
		pmap_delayed_invl_page(ma, &m[i]);
	}
}

/*
 * Remove the superpage *pde of va.  May change *held.  The caller invalidates;
 * on *free are tables that went.
 */
void
pmap_remove_pde(struct pmap *pmap, pte_t *pde, vm_offset_t va,
    struct vm_page **free, struct pv_held *held)
{
	struct vm_page *mpte;
	pt_entry_t oldpde;

	PMAP_LOCK_ASSERT(pmap);
	KASSERT((va & PDRMASK) == 0,
	    ("pmap_remove_pde: va %#jx is not aligned", (uintmax_t)va));
	oldpde = pte_load_clear(pde);
	if ((oldpde & PG_W) != 0)
		pmap->pm_stats.wired_count -= NPTEPG;
	pmap_resident_add(pmap, -NPTEPG);
	counter_add(&curthread()->td_counters, CTR_PDE_DESTROYED, 1);
	if ((oldpde & PG_MANAGED) != 0)
		pmap_remove_pde_pv(pmap, oldpde, va, held);
	mpte = pmap_remove_pt_page(pmap, va);
	if (mpte != NULL)
		pmap_drop_pt_page(pmap, mpte, false, free);
	if (mpte != NULL && BUG(pmap->pm_machine, B8))
		counter_add(&curthread()->td_counters, CTR_PT_PAGE_ALLOCS, 1);
	(void)pmap_unuse_pt(pmap, va, pte_load(pmap_pdpe(pmap, va)), free);
}

void
pmap_remove(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva)
{
	PMAP_OPERATION(pmap->pm_machine);
	struct machine *ma = pmap->pm_machine;
	struct pv_held held = PV_HELD_NONE;
	struct vm_page *free = NULL;
	vm_offset_t end, va = sva;
	bool anyvalid = false, single = eva - sva == PAGE_SIZE;
	pte_t *pde;

	/*
	 * Without the lock: whoever could add a mapping holds the map lock, and
	 * so does our caller.  The root, where counted, is always resident.
	 */
	if (pmap_resident(pmap) <= ma->ma_rules.pr_counts_root)
		return;

	pmap_delayed_invl_start(ma);
	PMAP_LOCK(pmap);
	for (; (pde = pmap_next_pde(pmap, &va, eva, &end)) != NULL; va = end) {
		if (__predict_false((pte_load(pde) & PG_PS) != 0)) {
			single = false;
			if (end - va == NBPDR) {
				pmap_remove_pde(pmap, pde, va, &free, &held);
				anyvalid = true;
				continue;
			}
			if (!pmap_demote_pde_locked(pmap, pde, va, &held))
				continue;
		}
		anyvalid |= pmap_remove_ptes(
		    pmap, va, end, pte_load(pde), &free, &held);
	}
	pv_release_lock(ma->ma_pvt, &held);
	if (BUG(ma, di_early_finish))
		pmap_delayed_invl_finish(ma);
	if (BUG(ma, di_early_free)) {
		pmap_free_ptps(ma, free);
		free = NULL;
	}
	TEST_POINT(ma, TP_REMOVE_FLUSH);
	if (anyvalid && single)
		pmap_invalidate_page(pmap, sva);
	else if (anyvalid)
		pmap_invalidate_all(pmap);
	PMAP_UNLOCK(pmap);
	if (!BUG(ma, di_early_finish))
		pmap_delayed_invl_finish(ma);
	pmap_free_ptps(ma, free);
}
