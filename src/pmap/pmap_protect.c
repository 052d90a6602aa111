/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Changing attributes of mappings by address: pmap_protect(), pmap_unwire().
 *
 * The MMU may set A and M while an entry is changed, so that it is changed by
 * compare and swap, and a page is made dirty before M is taken away.  No pv entry
 * goes, so there is no delayed invalidation: a page-oriented operation locks the
 * pmap of each mapping and thereby waits for our TLB invalidation.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/pmap_superpage.h"

/* Take from *pte what prot does not have.  Returns whether it changed. */
static bool
pmap_protect_pte(struct pmap *pmap, pte_t *pte, vm_prot_t prot)
{
	pt_entry_t new, old = pte_load(pte);

	do {
		new = old;
		if ((old & PG_V) == 0)
			return (false);
		if ((prot & VM_PROT_WRITE) == 0) {
			/* Dirty first; again if M came. */
			if ((old & (PG_MANAGED | PG_M | PG_RW)) ==
			    (PG_MANAGED | PG_M | PG_RW))
				vm_page_dirty(PHYS_TO_VM_PAGE(
				    pmap->pm_vp, old & PG_FRAME));
			new &= ~(PG_RW | PG_M);
		}
		if ((prot & VM_PROT_EXECUTE) == 0)
			new |= PG_NX;
		if (new != old)
			TEST_POINT(pmap->pm_machine, TP_PROTECT_READ);
		if (BUG(pmap->pm_machine, B19)) {
			pte_store(pte, new);
			break;
		}
	} while (new != old && !pte_cas(pte, &old, new));
	return (new != old);
}

/*
 * The same with the superpage *pde, which stays one.  It is not promoted any more:
 * the caller invalidates everything, lingering 4 KB entries, too.
 */
static bool
pmap_protect_pde(struct pmap *pmap, pte_t *pde, vm_prot_t prot)
{
	bool dirties = (prot & VM_PROT_WRITE) == 0 ||
	    pmap->pm_machine->ma_rules.pr_protect_x_dirties;
	pt_entry_t new, old = pte_load(pde);
	struct vm_page *m;
	unsigned i;

	do {
		new = old;
		if (dirties &&
		    (old & (PG_MANAGED | PG_M | PG_RW)) ==
			(PG_MANAGED | PG_M | PG_RW)) {
			m = PHYS_TO_VM_PAGE(pmap->pm_vp, old & PG_PS_FRAME);
			for (i = 0; i < NPTEPG; i++)
				vm_page_dirty(&m[i]);
		}
		if ((prot & VM_PROT_WRITE) == 0)
			new &= ~(PG_RW | PG_M);
		if ((prot & VM_PROT_EXECUTE) == 0)
			new |= PG_NX;
	} while (new != old && !pte_cas(pde, &old, new & ~PG_PROMOTED));
	return (new != old);
}

void
pmap_protect(
    struct pmap *pmap, vm_offset_t sva, vm_offset_t eva, vm_prot_t prot)
{
	PMAP_OPERATION(pmap->pm_machine);
	vm_offset_t end, va = sva;
	pte_t *pde, *pte;
	bool changed = false;

	if (prot == VM_PROT_NONE) {
		pmap_remove(pmap, sva, eva);
		return;
	}
	if ((prot & (VM_PROT_WRITE | VM_PROT_EXECUTE)) ==
	    (VM_PROT_WRITE | VM_PROT_EXECUTE))
		return;

	PMAP_LOCK(pmap);
	for (; (pde = pmap_next_pde(pmap, &va, eva, &end)) != NULL; va = end) {
		if (__predict_false((pte_load(pde) & PG_PS) != 0)) {
			if (end - va == NBPDR) {
				changed |= pmap_protect_pde(pmap, pde, prot);
				continue;
			}
			if (!pmap_demote_pde(pmap, pde, va))
				continue;
		}
		for (pte = pmap_pde_to_pte(pmap, pte_load(pde), va); va < end;
		     va += PAGE_SIZE, pte++)
			changed |= pmap_protect_pte(pmap, pte, prot);
	}
	if (changed)
		pmap_invalidate_all(pmap);
	PMAP_UNLOCK(pmap);
}

/* Take PG_W from *pte, which is valid and stands for npages pages. */
static void
pmap_unwire_pte(struct pmap *pmap, pte_t *pte, vm_offset_t va, int64_t npages)
{
	pt_entry_t old = pte_load(pte);

	if ((old & PG_W) == 0)
		panic("pmap_unwire: entry %#jx of %#jx is not wired",
		    (uintmax_t)old, (uintmax_t)va);
	/* The MMU does not look at PG_W: no TLB has to be told. */
	(void)pte_clear_bits(pte, PG_W);
	pmap->pm_stats.wired_count -= npages;
}

void
pmap_unwire(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva)
{
	PMAP_OPERATION(pmap->pm_machine);
	vm_offset_t end, va = sva;
	pte_t *pde, *pte;

	PMAP_LOCK(pmap);
	for (; (pde = pmap_next_pde(pmap, &va, eva, &end)) != NULL; va = end) {
		if (__predict_false((pte_load(pde) & PG_PS) != 0)) {
			if (end - va == NBPDR) {
				pmap_unwire_pte(pmap, pde, va, NPTEPG);
				continue;
			}
			if (!pmap_demote_pde(pmap, pde, va))
				panic("pmap_unwire: superpage of %#jx lost",
				    (uintmax_t)va);
		}
		for (pte = pmap_pde_to_pte(pmap, pte_load(pde), va); va < end;
		     va += PAGE_SIZE, pte++) {
			if ((pte_load(pte) & PG_V) != 0)
				pmap_unwire_pte(pmap, pte, va, 1);
		}
	}
	PMAP_UNLOCK(pmap);
}
