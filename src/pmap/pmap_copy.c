/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pmap_copy(): fork's shortcut, which saves the child faults on what the parent
 * has mapped.
 *
 * It is advisory: nothing sleeps, nothing is replaced, no pv entry is reclaimed,
 * and where something is missing the copy ends.  Two pmaps are locked, the one of
 * lower address first.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 * Differs: 4 KB mappings that meet a managed superpage in the destination; there
 * FreeBSD demotes it without a pv list lock to work with and panics, here it is
 * demoted.
 */

#include "pmap/pmap_enter.h"
#include "pmap/pmap_superpage.h"

/*
 * Copy a superpage that is wholly in the range.  Returns false where the whole
 * copy ends.
 */
static bool
pmap_copy_pde(
    struct pmap *dst, vm_offset_t va, pt_entry_t srcpde, struct pv_held *held)
{
	const struct pmap_rules *pr = &dst->pm_machine->ma_rules;
	struct vm_page *dstpdpg;
	pte_t *pde;

	pde = pmap_alloc_pde(dst, va, &dstpdpg, NULL);
	if (pde == NULL)
		return (false);
	if (pte_load(pde) != 0) {
		pmap_abort_ptp(dst, va, dstpdpg);
		return (true);
	}
	if ((srcpde & PG_MANAGED) != 0 &&
	    !pmap_pv_insert_pde(dst, va, srcpde, PMAP_ENTER_NORECLAIM, held)) {
		if (pr->pr_copy_leaves_pd)
			ptp_ref_add(dstpdpg, UINT32_MAX);
		else
			pmap_abort_ptp(dst, va, dstpdpg);
		return (true);
	}
	/* M stays: a writable superpage has it.  Without A it may be dropped. */
	srcpde &= ~PG_W;
	if ((srcpde & PG_MANAGED) != 0 && !pr->pr_copy_keeps_a)
		srcpde &= ~PG_A;
	pte_store(pde, srcpde);
	pmap_resident_add(dst, NPTEPG);
	counter_add(&curthread()->td_counters, CTR_PDE_MAPPINGS, 1);
	return (true);
}

/*
 * The page table of va in dst, with one more reference; a superpage in the way is
 * demoted.  hint: the table used last, or NULL.
 */
static struct vm_page *
pmap_copy_ptp(struct pmap *dst, vm_offset_t va, struct vm_page *hint,
    struct pv_held *held)
{
	pte_t *pde;

	if (hint != NULL && hint->pindex == va >> PDRSHIFT) {
		ptp_ref_add(hint, 1);
		return (hint);
	}
	pde = pmap_pde(dst, va);
	if (pde != NULL && (pte_load(pde) & (PG_V | PG_PS)) == (PG_V | PG_PS))
		(void)pmap_demote_pde_noreclaim(dst, pde, va, held);
	return (pmap_allocpte(dst, va, NULL));
}

/*
 * Copy one page table's worth, [va, end).  Returns false where the whole copy
 * ends.  Both pmaps are locked.
 */
static bool
pmap_copy_pt(struct pmap *dst, struct pmap *src, vm_offset_t va,
    vm_offset_t end, pt_entry_t srcpde, struct pv_held *held)
{
	struct vm_page *dstmpte = NULL, *m, *srcmpte;
	struct pv_entry *pv;
	pt_entry_t pte;
	pte_t *dpte, *spte;

	srcmpte = PHYS_TO_VM_PAGE(src->pm_vp, srcpde & PG_FRAME);
	for (spte = pmap_pde_to_pte(src, srcpde, va); va < end;
	     va += PAGE_SIZE, spte++) {
		pte = pte_load(spte);
		if ((pte & PG_MANAGED) == 0)
			continue;
		dstmpte = pmap_copy_ptp(dst, va, dstmpte, held);
		if (dstmpte == NULL)
			return (false);
		dpte = pmap_ptp_to_pte(dst, dstmpte, va);
		pv = pte_load(dpte) == 0 ? get_pv_entry(dst, NULL) : NULL;
		if (pv == NULL) {
			if (!BUG(dst->pm_machine, B11))
				pmap_abort_ptp(dst, va, dstmpte);
			return (false);
		}
		m = PHYS_TO_VM_PAGE(dst->pm_vp, pte & PG_FRAME);
		CHANGE_PV_LIST_LOCK(
		    dst->pm_machine->ma_pvt, held, m, pte & PG_FRAME);
		pmap_pv_insert(dst, pv, va, m);
		pte_store(dpte, pte & ~(PG_W | PG_M | PG_A));
		pmap_resident_add(dst, 1);
		/* Every valid entry of the source has been seen. */
		if (ptp_ref(dstmpte) >= ptp_ref(srcmpte))
			break;
	}
	return (true);
}

void
pmap_copy(struct pmap *dst, struct pmap *src, vm_offset_t dst_addr,
    vm_size_t len, vm_offset_t src_addr)
{
	PMAP_OPERATION(dst->pm_machine);
	struct pv_held held = PV_HELD_NONE;
	vm_offset_t end, eva = src_addr + len, va = src_addr;
	bool goon;
	pt_entry_t srcpde;
	pte_t *pde;

	if (dst_addr != src_addr || dst == src)
		return;
	if (dst < src) {
		PMAP_LOCK(dst);
		PMAP_LOCK(src);
	} else {
		PMAP_LOCK(src);
		PMAP_LOCK(dst);
	}
	while ((pde = pmap_next_pde(src, &va, eva, &end)) != NULL) {
		srcpde = pte_load(pde);
		goon = (srcpde & PG_PS) == 0
		    ? pmap_copy_pt(dst, src, va, end, srcpde, &held)
		    : end - va != NBPDR ||
			pmap_copy_pde(dst, va, srcpde, &held);
		if (!goon)
			break;
		va = end;
	}
	pv_release_lock(dst->pm_machine->ma_pvt, &held);
	PMAP_UNLOCK(src);
	PMAP_UNLOCK(dst);
}
