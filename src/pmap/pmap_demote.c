/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Demotion: one 2 MB mapping becomes 512 of 4 KB.
 *
 * What can go wrong makes the mapping go away instead, all of it: it was never
 * accessed, so that splitting it is not worth a page table; no page table is saved
 * and none can be had; there are no 511 more pv entries.  The pages fault in
 * again.  A wired mapping must not go, hence invariant 2 of pmap_superpage.h.
 *
 * Order.  The pv entries are reserved before anything changes, since that may drop
 * the pv list lock and may reclaim from this very pmap: reclaim passes over
 * superpages, so it must still see one.  The page table is complete before the
 * PDE names it.  The pv list lock is held from the first to the last pv entry that
 * moves: who looks at a page finds either one 2 MB mapping or all of the small
 * ones.
 *
 * No TLB is told: the old entry and the new ones agree.  Whoever changes one of
 * them invalidates its address, and with it the 2 MB entry.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 * Differs: for want of pv entries the mapping goes, too, where FreeBSD would
 * reclaim until it has them.  For a wired one we do as well, but not for ever.
 */

#include "pmap/pmap_superpage.h"

/* Assumed: others have let go of a page, or of a pmap, by then, or never do. */
#define WIRED_TRIES 1000

/*
 * The mapping is destroyed.  va may be anywhere in it (B20).  On free is its page
 * table if that was taken already: TLBs may still lead to it.
 */
static void
pmap_demote_pde_abort(struct pmap *pmap, vm_offset_t va, pte_t *pde,
    pt_entry_t oldpde, struct vm_page *free, struct pv_held *held)
{
	vm_offset_t sva = va;

	if (!BUG(pmap->pm_machine, B20))
		sva &= ~PDRMASK;
	if ((oldpde & PG_W) != 0)
		panic("pmap_demote_pde: wired mapping %#jx of va %#jx lost",
		    (uintmax_t)oldpde, (uintmax_t)sva);
	pmap_remove_pde(pmap, pde, sva, &free, held);
	pmap_invalidate_pde_page(pmap, sva, oldpde);
	pmap_free_ptps(pmap->pm_machine, free);
}

/*
 * The page table to demote into, on none of the pmap's lists; NULL when there is
 * no memory.
 */
static struct vm_page *
demotion_table(struct pmap *pmap, vm_offset_t va)
{
	struct vm_page *mpte = pmap_remove_pt_page(pmap, va);

	if (mpte != NULL)
		return (mpte);
	mpte = pmap_alloc_pt_page(pmap, va);
	if (mpte == NULL)
		return (NULL);
	if (BUG(pmap->pm_machine, B7))
		pmap_resident_add(pmap, -1);
	mpte->valid = 0;
	/* Relaxed: guarded by the pmap lock. */
	atomic_store_explicit(&mpte->ref_count, NPTEPG, memory_order_relaxed);
	return (mpte);
}

/* Make the table say what the superpage says; newpte is its first entry. */
static void
fill_table(pte_t *table, pt_entry_t newpte, bool exact)
{
	unsigned i;

	/*
	 * Attributes of the superpage may have changed since the table was
	 * saved; those of the table are all alike then.
	 */
	if (exact && ((pte_load(&table[0]) ^ newpte) & PG_PTE_PROMOTE) == 0) {
		KASSERT(
		    (pte_load(&table[0]) & PG_FRAME) == (newpte & PG_FRAME) &&
			(pte_load(&table[NPTEPG - 1]) & PG_FRAME) ==
			    (newpte & PG_FRAME) + NBPDR - PAGE_SIZE,
		    ("saved table maps other pages than %#jx",
			(uintmax_t)newpte));
		return;
	}
	for (i = 0; i < NPTEPG; i++, newpte += PAGE_SIZE)
		pte_store_plain(&table[i], newpte);
}

/*
 * See that there are 511 more pv entries.  For a wired mapping, which must not go,
 * they come from what is kept for such a need, if all else fails: it may, as other
 * pmaps are only tried.  If that is used up, too, others have to free some: the pmap
 * is locked, so there is no sleep, only another try.
 */
static bool
demotion_entries(struct pmap *pmap, pt_entry_t oldpde, struct pv_held *rheld)
{
	struct sim *sim = pmap->pm_machine->ma_sim;

	for (int i = 0; !reserve_pv_entries(pmap, NPTEPG - 1, rheld); i++) {
		if ((oldpde & PG_W) == 0 || i == WIRED_TRIES)
			return (false);
		if (reserve_pv_entries_kept(pmap, NPTEPG - 1))
			break;
		sim->sim_ops->so_yield(sim);
	}
	return (true);
}

/* 511 pv entries are to be had from the pmap's chunks. */
static void
pmap_pv_demote_pde(
    struct pmap *pmap, vm_offset_t va, vm_paddr_t pa, struct pv_held *held)
{
	struct pv_table *pvt = pmap->pm_machine->ma_pvt;
	struct vm_page *m = PHYS_TO_VM_PAGE(pmap->pm_vp, pa);
	struct pv_entry *pv;
	unsigned i;

	CHANGE_PV_LIST_LOCK(pvt, held, m, pa);
	PV_LIST_ASSERT_LOCKED(pvt, m);
	pv = pmap_pvh_remove_pde(pmap, held, va);
	if (pv == NULL)
		panic("pmap_demote_pde: no pv entry for va %#jx, page %#jx",
		    (uintmax_t)va, (uintmax_t)pa);
	for (i = 0;;) {
		pv->pv_va = va;
		pv_list_insert_tail(&m->md.pv_list, pv);
		md_gen_bump(&m->md);
		if (++i == NPTEPG)
			break;
		m++;
		va += PAGE_SIZE;
		pv = get_pv_entry(pmap, NULL);
		if (pv == NULL)
			panic("pmap_demote_pde: a reserved pv entry is gone");
	}
}

/* rheld: as get_pv_entry()'s held. */
static bool
demote_pde(struct pmap *pmap, pte_t *pde, vm_offset_t va, struct pv_held *held,
    struct pv_held *rheld)
{
	struct vm_page *free = NULL, *mpte;
	pt_entry_t newpte, oldpde = pte_load(pde);

	PMAP_LOCK_ASSERT(pmap);
	KASSERT((oldpde & (PG_PS | PG_V)) == (PG_PS | PG_V),
	    ("demotion of %#jx at va %#jx", (uintmax_t)oldpde, (uintmax_t)va));
	if ((oldpde & PG_A) == 0)
		goto abort;
	va &= ~PDRMASK;
	mpte = demotion_table(pmap, va);
	if (mpte == NULL)
		goto abort;
	newpte = pmap_pde_to_pte_cache(oldpde & ~PG_PROMOTED);
	fill_table(pmap_ptp_to_pte(pmap, mpte, va), newpte,
	    mpte->valid == SAVED_EXACT);
	if ((oldpde & PG_MANAGED) != 0 &&
	    !demotion_entries(pmap, oldpde, rheld)) {
		pmap_drop_pt_page(pmap, mpte, false, &free);
		goto abort;
	}
	/*
	 * A plain store: A is set, and M where it could come, so the MMU has
	 * nothing to write.
	 */
	pmap_update_pde(pmap, va, pde, VM_PAGE_TO_PHYS(mpte) | PG_TABLE);
	if ((oldpde & PG_MANAGED) != 0)
		pmap_pv_demote_pde(pmap, va, oldpde & PG_PS_FRAME, held);
	counter_add(&curthread()->td_counters, CTR_PDE_DEMOTIONS, 1);
	return (true);

abort:
	pmap_demote_pde_abort(pmap, va, pde, oldpde, free, held);
	return (false);
}

bool
pmap_demote_pde_locked(
    struct pmap *pmap, pte_t *pde, vm_offset_t va, struct pv_held *held)
{
	return (demote_pde(pmap, pde, va, held, held));
}

bool
pmap_demote_pde_noreclaim(
    struct pmap *pmap, pte_t *pde, vm_offset_t va, struct pv_held *held)
{
	return (demote_pde(pmap, pde, va, held, NULL));
}

bool
pmap_demote_pde(struct pmap *pmap, pte_t *pde, vm_offset_t va)
{
	struct pv_held held = PV_HELD_NONE;
	bool rv;

	rv = pmap_demote_pde_locked(pmap, pde, va, &held);
	pv_release_lock(pmap->pm_machine->ma_pvt, &held);
	return (rv);
}
