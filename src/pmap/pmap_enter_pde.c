/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * 2 MB mappings made at once: pmap_enter() with psind 1, and the speculative ones
 * of pmap_enter_object().
 *
 * Nothing that was cached by 4 KB lingers: what was mapped before has been removed
 * and invalidated.  So PG_PROMOTED is not set.
 *
 * A wired mapping gets a page table here, saved at once, as a demotion of it must
 * not fail.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 * Differs: a page table that cannot be had, or saved, gives the reference on the
 * directory page back (B13).
 */

#include "pmap/pmap_enter.h"
#include "pmap/pmap_superpage.h"

/*
 * Put a pv entry of va, which pde is to map, on the superpage's list.  Returns
 * false when there is none to be had.
 */
bool
pmap_pv_insert_pde(struct pmap *pmap, vm_offset_t va, pt_entry_t pde,
    uint32_t flags, struct pv_held *held)
{
	struct pv_table *pvt = pmap->pm_machine->ma_pvt;
	vm_paddr_t pa = pde & PG_PS_FRAME;
	struct vm_page *m = PHYS_TO_VM_PAGE(pmap->pm_vp, pa);
	struct pv_entry *pv;

	pv = get_pv_entry(
	    pmap, (flags & PMAP_ENTER_NORECLAIM) != 0 ? NULL : held);
	if (pv == NULL)
		return (false);
	pv->pv_va = va;
	CHANGE_PV_LIST_LOCK(pvt, held, m, pa);
	PV_LIST_ASSERT_LOCKED(pvt, m);
	pv_list_insert_tail(&held->pv_pvh->pv_list, pv);
	pvh_gen_bump(pvt, held);
	return (true);
}

/*
 * Remove what *pde maps, a superpage or a page table, both maybe wired.  The
 * caller has a reference on the directory page.
 */
static void
pmap_enter_pde_clear(
    struct pmap *pmap, vm_offset_t va, pte_t *pde, struct pv_held *held)
{
	struct machine *ma = pmap->pm_machine;
	struct vm_page *free = NULL;
	pt_entry_t oldpde = pte_load(pde);

	if ((oldpde & PG_PS) != 0) {
		pmap_remove_pde(pmap, pde, va, &free, held);
		pmap_invalidate_pde_page(pmap, va, oldpde);
	} else {
		pmap_delayed_invl_start(ma);
		if (pmap_remove_ptes(pmap, va, va + NBPDR, oldpde, &free, held))
			pmap_invalidate_all(pmap);
		pmap_delayed_invl_finish(ma);
	}
	pmap_free_ptps(ma, free);
	KASSERT(pte_load(pde) == 0,
	    ("pmap_enter_pde: pde %#jx of va %#jx remains",
		(uintmax_t)pte_load(pde), (uintmax_t)va));
}

/* Save a page table for a wired mapping at va; false for want of memory. */
static bool
pmap_enter_pde_save(struct pmap *pmap, vm_offset_t va)
{
	struct vm_page *free = NULL, *mpte;

	mpte = pmap_alloc_pt_page(pmap, va);
	if (mpte == NULL)
		return (false);
	if (pmap_insert_pt_page(pmap, mpte, BUG(pmap->pm_machine, B16)) != 0) {
		pmap_drop_pt_page(pmap, mpte, false, &free);
		pmap_free_ptps(pmap->pm_machine, free);
		return (false);
	}
	/* Relaxed: guarded by the pmap lock. */
	atomic_store_explicit(&mpte->ref_count, NPTEPG, memory_order_relaxed);
	return (true);
}

/* Give back what an entry was not written for. */
static void
pmap_enter_pde_undo(
    struct pmap *pmap, vm_offset_t va, struct vm_page *pdpg, bool saved)
{
	struct vm_page *free = NULL;

	if (saved)
		pmap_drop_pt_page(
		    pmap, pmap_remove_pt_page(pmap, va), false, &free);
	pmap_free_ptps(pmap->pm_machine, free);
	pmap_abort_ptp(pmap, va, pdpg);
}

/*
 * Make newpde, of page m, the mapping at va.  flags, next to pmap_enter()'s:
 *
 *	PMAP_ENTER_NOREPLACE  keep what is there: KERN_NO_SPACE if that is a
 *			      superpage, else KERN_FAILURE
 *	PMAP_ENTER_NORECLAIM  take no pv entry from elsewhere
 *
 * KERN_RESOURCE_SHORTAGE where memory is missing: what was mapped may be gone.
 * Only without PMAP_ENTER_NOSLEEP are *held and the pmap lock dropped, to wait.
 */
enum kern_return
pmap_enter_pde(struct pmap *pmap, vm_offset_t va, pt_entry_t newpde,
    uint32_t flags, struct vm_page *m, struct pv_held *held)
{
	bool nosleep = (flags & PMAP_ENTER_NOSLEEP) != 0;
	bool saves;
	struct vm_page *pdpg;
	pt_entry_t oldpde;
	pte_t *pde;
	unsigned i;

	PMAP_LOCK_ASSERT(pmap);
	KASSERT((newpde & (PG_MANAGED | PG_RW | PG_M)) != (PG_MANAGED | PG_RW),
	    ("pmap_enter_pde: pde %#jx is writable, not modified",
		(uintmax_t)newpde));
	saves = (newpde & PG_W) != 0 &&
	    pmap->pm_machine->ma_rules.pr_wired_saves_pt &&
	    !BUG(pmap->pm_machine, B12);
retry:
	pde = pmap_alloc_pde(pmap, va, &pdpg, nosleep ? NULL : held);
	if (pde == NULL)
		return (KERN_RESOURCE_SHORTAGE);
	oldpde = pte_load(pde);
	if ((oldpde & PG_V) != 0) {
		KASSERT(ptp_ref(pdpg) > 1,
		    ("directory page of va %#jx lost", (uintmax_t)va));
		if ((flags & PMAP_ENTER_NOREPLACE) != 0) {
			ptp_ref_add(pdpg, UINT32_MAX);
			return ((oldpde & PG_PS) != 0 &&
				    pmap->pm_machine->ma_rules
					.pr_noreplace_space
				? KERN_NO_SPACE
				: KERN_FAILURE);
		}
		pmap_enter_pde_clear(pmap, va, pde, held);
	}
	if (saves && !pmap_enter_pde_save(pmap, va)) {
		if (!BUG(pmap->pm_machine, B13))
			pmap_abort_ptp(pmap, va, pdpg);
		return (KERN_RESOURCE_SHORTAGE);
	}
	if ((newpde & PG_MANAGED) != 0) {
		if (!pmap_pv_insert_pde(pmap, va, newpde, flags, held)) {
			pmap_enter_pde_undo(pmap, va, pdpg, saves);
			if (nosleep)
				return (KERN_RESOURCE_SHORTAGE);
			pv_release_lock(pmap->pm_machine->ma_pvt, held);
			pmap_wait_for_pages(pmap, va, 2, saves, true);
			goto retry;
		}
		/* Before the entry is visible, under the pv list lock. */
		for (i = 0; (newpde & PG_RW) != 0 && i < NPTEPG; i++)
			vm_page_aflag_set(&m[i], PGA_WRITEABLE);
	}
	if ((newpde & PG_W) != 0)
		pmap->pm_stats.wired_count += NPTEPG;
	pmap_resident_add(pmap, NPTEPG);
	pte_store(pde, newpde);
	counter_add(&curthread()->td_counters, CTR_PDE_MAPPINGS, 1);
	return (KERN_SUCCESS);
}

/* Map the full run of m, read-only, not accessed, where nothing is mapped. */
enum kern_return
pmap_enter_2mpage(struct pmap *pmap, vm_offset_t va, struct vm_page *m,
    vm_prot_t prot, struct pv_held *held)
{
	pt_entry_t newpde;

	newpde = VM_PAGE_TO_PHYS(m) |
	    pmap_pte_to_pde_cache(pmap_cache_bits(m->md.pat_mode)) | PG_PS |
	    PG_U | PG_V;
	if ((m->oflags & VPO_UNMANAGED) == 0)
		newpde |= PG_MANAGED;
	if ((prot & VM_PROT_EXECUTE) == 0)
		newpde |= PG_NX;
	return (pmap_enter_pde(pmap, va, newpde,
	    PMAP_ENTER_NOSLEEP | PMAP_ENTER_NOREPLACE | PMAP_ENTER_NORECLAIM, m,
	    held));
}
