/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Promotion: a full page table becomes one 2 MB mapping.
 *
 * The MMU writes A and M while we look.  An entry that is writable but not
 * modified is therefore write-protected first, by compare and swap: from then on
 * M cannot come, and the attributes can be compared.  No TLB has to be told: an
 * entry cached without M must be looked up again before a write, which then
 * faults.  Whatever was protected stays so when the attempt fails later: the next
 * write faults and tries again (B14).
 *
 * So what is promoted is either writable and modified throughout or read-only
 * throughout, and 4 KB entries that linger in TLBs allow nothing that the 2 MB
 * entry does not: the store of the PDE needs no invalidation either.
 *
 * The page table is saved for the demotion that may come.  Without memory to
 * remember it there is no promotion.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c; releng/12.1 for the accessed bit.
 * Differs: a wired mapping is promoted as accessed even if some of its 512 were
 * not, which nothing upstream forbids and its demotion asserts against (B33).
 */

#include "pmap/pmap_superpage.h"

/*
 * Save mpte as the page table of its address.  exact: its entries are those that
 * a demotion would fill in.  Returns 0 or ENOMEM.
 */
int
pmap_insert_pt_page(struct pmap *pmap, struct vm_page *mpte, bool exact)
{
	int error;

	PMAP_LOCK_ASSERT(pmap);
	error =
	    vm_radix_insert(&pmap->pm_root, pmap->pm_machine->ma_kmem, mpte);
	if (error != 0)
		return (error);
	mpte->valid = exact ? SAVED_EXACT : SAVED_STALE;
	pmap->pm_nspare++;
	return (0);
}

/* Take the saved page table of va back; NULL if there is none. */
struct vm_page *
pmap_remove_pt_page(struct pmap *pmap, vm_offset_t va)
{
	struct vm_page *mpte;

	PMAP_LOCK_ASSERT(pmap);
	mpte = vm_radix_remove(
	    &pmap->pm_root, pmap->pm_machine->ma_kmem, va >> PDRSHIFT);
	if (mpte == NULL)
		return (NULL);
	KASSERT(mpte->valid != 0 && ptp_ref(mpte) == NPTEPG,
	    ("saved table of %#jx: valid %u, ref_count %u", (uintmax_t)va,
		mpte->valid, ptp_ref(mpte)));
	pmap->pm_nspare--;
	return (mpte);
}

/* Take the write right from an entry that is not modified. */
static pt_entry_t
protect_clean(pte_t *pte, pt_entry_t e)
{
	while ((e & (PG_M | PG_RW)) == PG_RW) {
		if (pte_cas(pte, &e, e & ~PG_RW))
			return (e & ~PG_RW);
	}
	return (e);
}

/*
 * Can the table be one entry?  Returns that entry, but for PG_PS, with PG_A only
 * if all have it; or 0.
 */
static pt_entry_t
promotable(struct pmap *pmap, pte_t *table)
{
	bool needs_a = pmap->pm_machine->ma_rules.pr_promote_needs_a;
	pt_entry_t need = needs_a ? PG_V | PG_A : PG_V;
	pt_entry_t all, e, first, pa;
	unsigned i;

	first = pte_load(&table[0]);
	if ((first & (need | (PG_FRAME & PDRMASK))) != need)
		return (0);
	first = protect_clean(&table[0], first);

	all = first;
	pa = (first & PG_PS_FRAME) + NBPDR;
	for (i = NPTEPG - 1; i > 0; i--) {
		pa -= PAGE_SIZE;
		e = pte_load(&table[i]);
		if ((e & (need | PG_FRAME)) != (need | pa))
			return (0);
		if (BUG(pmap->pm_machine, B14) && ((e ^ first) & PG_M) != 0)
			return (0);
		e = protect_clean(&table[i], e);
		if (((e ^ first) & PG_PTE_PROMOTE) != 0)
			return (0);
		all &= e;
	}
	return ((first & ~PG_A) | (all & PG_A));
}

/* The pv entry of page 0 goes to the superpage's list, the others go. */
static void
pmap_pv_promote_pde(
    struct pmap *pmap, vm_offset_t va, vm_paddr_t pa, struct pv_held *held)
{
	struct pv_table *pvt = pmap->pm_machine->ma_pvt;
	struct vm_page *m = PHYS_TO_VM_PAGE(pmap->pm_vp, pa);
	struct pv_entry *first = NULL, *pv;
	unsigned i;

	CHANGE_PV_LIST_LOCK(pvt, held, m, pa);
	PV_LIST_ASSERT_LOCKED(pvt, m);
	for (i = 0; i < NPTEPG; i++, m++, va += PAGE_SIZE) {
		pv = pmap_pvh_remove(&m->md, pmap, va);
		if (pv == NULL)
			panic("pmap_promote_pde: no pv entry for va %#jx",
			    (uintmax_t)va);
		if (i == 0)
			first = pv;
		else
			free_pv_entry(pmap, pv);
	}
	pv_list_insert_tail(&held->pv_pvh->pv_list, first);
	pvh_gen_bump(pvt, held);
}

/*
 * Try to turn the page table mpte, which *pde names, into a 2 MB mapping.  The
 * table is full.  Returns whether it was done: mpte is saved then.
 */
bool
pmap_promote_pde(struct pmap *pmap, pte_t *pde, vm_offset_t va,
    struct vm_page *mpte, struct pv_held *held)
{
	struct counter_set *cs = &curthread()->td_counters;
	pt_entry_t newpde;
	bool exact;

	PMAP_LOCK_ASSERT(pmap);
	KASSERT(ptp_ref(mpte) == NPTEPG && mpte->pindex == va >> PDRSHIFT,
	    ("promotion of a table with %u references", ptp_ref(mpte)));
	if (!pmap->pm_machine->ma_superpages)
		return (false);
	va &= ~PDRMASK;
	newpde = promotable(pmap, pmap_ptp_to_pte(pmap, mpte, va));
	exact = (newpde & PG_A) != 0 || BUG(pmap->pm_machine, B15);
	if (newpde == 0 || pmap_insert_pt_page(pmap, mpte, exact) != 0) {
		counter_add(cs, CTR_PDE_P_FAILURES, 1);
		return (false);
	}
	if ((newpde & PG_W) != 0 && !BUG(pmap->pm_machine, B33))
		newpde |= PG_A;
	if ((newpde & PG_MANAGED) != 0)
		pmap_pv_promote_pde(pmap, va, newpde & PG_PS_FRAME, held);
	newpde = pmap_pte_to_pde_cache(newpde) | PG_PS;
	/* With the erratum no 4 KB entries linger. */
	if (!pmap->pm_machine->ma_design.d_erratum383)
		newpde |= PG_PROMOTED;
	pmap_update_pde(pmap, va, pde, newpde);
	counter_add(cs, CTR_PDE_PROMOTIONS, 1);
	return (true);
}
