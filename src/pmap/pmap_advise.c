/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pmap_advise(): madvise(2)'s DONTNEED and FREE.
 *
 * Mappings stay, but look untouched, so that the page daemon can tell what is used
 * again.  A superpage has one accessed and one modified bit for 512 pages, so it is
 * demoted.  One 4 KB mapping of it is removed: when that page is used again, the
 * fault tries a promotion, which nothing else would.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/pmap_superpage.h"

/*
 * Split the superpage *pde, of which [va, end) is meant.  Returns false when it is
 * unmanaged or has gone: then there is nothing more to do.
 */
static bool
pmap_advise_pde(struct pmap *pmap, pte_t *pde, vm_offset_t va, vm_offset_t end,
    bool *changed)
{
	struct pv_held held = PV_HELD_NONE;
	struct vm_page *free = NULL;
	pt_entry_t oldpde = pte_load(pde);
	bool rv;

	if ((oldpde & PG_MANAGED) == 0)
		return (false);
	rv = pmap_demote_pde_locked(pmap, pde, va, &held);
	if (rv && (oldpde & PG_W) == 0) {
		va = end - PAGE_SIZE;
		(void)pmap_remove_pte(pmap,
		    pmap_pde_to_pte(pmap, pte_load(pde), va), va, pte_load(pde),
		    &free, &held);
		KASSERT(free == NULL,
		    ("pmap_advise: table of %#jx lost", (uintmax_t)va));
		*changed = true;
	}
	pv_release_lock(pmap->pm_machine->ma_pvt, &held);
	return (rv);
}

/* Returns whether *pte changed. */
static bool
pmap_advise_pte(struct pmap *pmap, pte_t *pte, enum pmap_advice advice)
{
	pt_entry_t old = pte_load(pte);

	if ((old & (PG_MANAGED | PG_V)) != (PG_MANAGED | PG_V))
		return (false);
	if ((old & (PG_M | PG_RW)) == (PG_M | PG_RW)) {
		if (advice == PMAP_ADVISE_DONTNEED)
			vm_page_dirty(
			    PHYS_TO_VM_PAGE(pmap->pm_vp, old & PG_FRAME));
		(void)pte_clear_bits(pte, PG_M | PG_A);
		return (true);
	}
	if ((old & PG_A) == 0)
		return (false);
	(void)pte_clear_bits(pte, PG_A);
	return (true);
}

void
pmap_advise(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva,
    enum pmap_advice advice)
{
	PMAP_OPERATION(pmap->pm_machine);
	struct machine *ma = pmap->pm_machine;
	vm_offset_t end, va = sva;
	pte_t *pde, *pte;
	bool changed = false;

	pmap_delayed_invl_start(ma);
	PMAP_LOCK(pmap);
	for (; (pde = pmap_next_pde(pmap, &va, eva, &end)) != NULL; va = end) {
		if ((pte_load(pde) & PG_PS) != 0 &&
		    !pmap_advise_pde(pmap, pde, va, end, &changed))
			continue;
		for (pte = pmap_pde_to_pte(pmap, pte_load(pde), va); va < end;
		     va += PAGE_SIZE, pte++)
			changed |= pmap_advise_pte(pmap, pte, advice);
	}
	if (changed)
		pmap_invalidate_all(pmap);
	PMAP_UNLOCK(pmap);
	pmap_delayed_invl_finish(ma);
}
