/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PMAP_TLB_H
#define PMAP_PMAP_TLB_H

/*
 * At the end of pmap_var.h, which defines struct pmap.
 *
 * Telling TLBs that mappings of a pmap have gone or lost rights: see pmap_tlb.c.
 *
 * Called after the entry in the page table was changed, by the thread that did;
 * the pmap is locked.  On return no CPU uses, or will use, what it had remembered
 * of the range and of the pmap's page tables.  What has only gained rights, or
 * was not there, needs none of this.
 *
 * Without TLBs a call costs one branch.
 */

#include "kern/kassert.h"
#include "pmapsim/types.h"

/* From here on all is cheaper than page by page. */
#define PMAP_INVLPG_THRESHOLD (UINT64_C(16) << 20)

void pmap_tlb_page(struct pmap *pmap, vm_offset_t va);
void pmap_tlb_range(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva);
void pmap_tlb_all(struct pmap *pmap);
void pmap_tlb_pde_page(struct pmap *pmap, vm_offset_t va, pt_entry_t pde);
void pmap_tlb_update_pde(
    struct pmap *pmap, vm_offset_t va, pte_t *pde, pt_entry_t newpde);

/* The mapping, 4 KB or 2 MB, at va. */
static inline void
pmap_invalidate_page(struct pmap *pmap, vm_offset_t va)
{
	if (__predict_false(pmap->pm_mmu != NULL))
		pmap_tlb_page(pmap, va);
}

/* [sva, eva), page aligned. */
static inline void
pmap_invalidate_range(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva)
{
	if (__predict_false(pmap->pm_mmu != NULL))
		pmap_tlb_range(pmap, sva, eva);
}

/*
 * The 2 MB mapping pde of va has gone or changed.  One that was promoted may
 * have left 4 KB entries all over the 2 MB.
 */
static inline void
pmap_invalidate_pde_page(struct pmap *pmap, vm_offset_t va, pt_entry_t pde)
{
	if (__predict_false(pmap->pm_mmu != NULL))
		pmap_tlb_pde_page(pmap, va, pde);
}

static inline void
pmap_invalidate_all(struct pmap *pmap)
{
	if (__predict_false(pmap->pm_mmu != NULL))
		pmap_tlb_all(pmap);
}

/*
 * A promotion or a demotion: *pde becomes newpde, which translates as what was
 * there does, in the other size.
 */
static inline void
pmap_update_pde(
    struct pmap *pmap, vm_offset_t va, pte_t *pde, pt_entry_t newpde)
{
	if (__predict_false(pmap->pm_mmu != NULL &&
		pmap->pm_machine->ma_design.d_erratum383))
		pmap_tlb_update_pde(pmap, va, pde, newpde);
	else
		pte_store(pde, newpde);
}

#endif /* PMAP_PMAP_TLB_H */
