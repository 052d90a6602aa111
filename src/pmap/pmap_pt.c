/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Page table pages of user pmaps.
 *
 * ref_count of a table page is the number of valid entries in it, plus the
 * references of operations in progress, each of which has asked for the page
 * with the entry in mind that it is about to write.  A new page starts with one
 * such reference.  The root is not counted: it goes with the pmap.
 *
 * Invariants (all under the pmap lock).
 *   1. Between operations ref_count is the number of non-zero entries, and at
 *	least 1: a table that empties is unlinked at once.
 *   2. A table is zero when it is linked and zero again when it is unlinked.
 *   3. An unlinked table goes back to the allocator only after the invalidation
 *	that covers it: until then it is on the caller's list.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/pmap_var.h"
#include "pmap/pv_reclaim.h"

static vm_pindex_t
pt_pindex(vm_offset_t va)
{
	return (va >> PDRSHIFT);
}

static vm_pindex_t
pd_pindex(vm_offset_t va)
{
	return (NUPDE + (va >> PDPSHIFT));
}

static vm_pindex_t
pdp_pindex(vm_offset_t va)
{
	return (NUPDE + NUPDPE + (va >> PML4SHIFT));
}

static struct vm_page *
alloc_table(struct pmap *pmap, vm_pindex_t pindex, int flags)
{
	struct machine *ma = pmap->pm_machine;
	struct thread *td = curthread();
	struct vm_page *m;

	if (!pmap_limit_take(&ma->ma_pt_limit))
		return (NULL);
	m = vm_page_alloc(pmap->pm_vp, td->td_domain, VM_PAGE_NOOBJ | flags);
	if (m == NULL) {
		pmap_limit_give(&ma->ma_pt_limit, 1);
		return (NULL);
	}
	m->pindex = pindex;
	pmap_resident_add(pmap, 1);
	counter_add(&td->td_counters, CTR_PT_PAGE_ALLOCS, 1);
	return (m);
}

/*
 * A page table for va that is linked nowhere, its contents unknown; NULL when no
 * page is free.
 */
struct vm_page *
pmap_alloc_pt_page(struct pmap *pmap, vm_offset_t va)
{
	return (alloc_table(pmap, pt_pindex(va), 0));
}

/* m is unlinked; zero: all of its entries are. */
void
pmap_drop_pt_page(
    struct pmap *pmap, struct vm_page *m, bool zero, struct vm_page **free)
{
	pmap_resident_add(pmap, -1);
	counter_add(&curthread()->td_counters, CTR_PT_PAGE_FREES, 1);
	if (zero)
		m->flags |= PG_ZERO;
	m->q_next = *free;
	*free = m;
}

void
pmap_free_ptps(struct machine *ma, struct vm_page *free)
{
	struct vm_page *m;
	int64_t n = 0;

	if (free == NULL)
		return;
	/* Relaxed: as pmap_limit_take(). */
	if (__predict_false(atomic_load_explicit(
				&ma->ma_pt_limit, memory_order_relaxed) >= 0)) {
		for (m = free; m != NULL; m = m->q_next)
			n++;
	}
	vm_page_free_list(ma->ma_vp, free);
	pmap_limit_give(&ma->ma_pt_limit, n);
}

static struct vm_page *
pmap_allocpte_nosleep(struct pmap *pmap, vm_pindex_t pindex, vm_offset_t va);

/*
 * A reference on the table that the entry *e names, for one more entry in it; if
 * it names none, the table is made, and its first reference is the one.
 */
static struct vm_page *
pmap_ref_table(
    struct pmap *pmap, pt_entry_t e, vm_pindex_t pindex, vm_offset_t va)
{
	struct vm_page *m;

	if ((e & PG_V) == 0)
		return (pmap_allocpte_nosleep(pmap, pindex, va));
	m = PHYS_TO_VM_PAGE(pmap->pm_vp, e & PG_FRAME);
	ptp_ref_add(m, 1);
	return (m);
}

/*
 * Make the table page pindex that serves va, and what is missing above it.  The
 * page comes first and is linked last: a failure above it finds nothing to undo
 * but this page, still zero and unknown to anyone.
 */
static struct vm_page *
pmap_allocpte_nosleep(struct pmap *pmap, vm_pindex_t pindex, vm_offset_t va)
{
	struct vm_page *free = NULL, *m, *parent = NULL;
	pte_t *slot, *pdpe;

	m = alloc_table(pmap, pindex, VM_PAGE_ZERO);
	if (m == NULL)
		return (NULL);
	if (pindex >= NUPDE + NUPDPE) {
		slot = pmap_pml4e(pmap, va);
	} else if (pindex >= NUPDE) {
		parent = pmap_ref_table(
		    pmap, pte_load(pmap_pml4e(pmap, va)), pdp_pindex(va), va);
		if (parent == NULL)
			goto fail;
		slot = pmap_pdpe(pmap, va);
	} else {
		pdpe = pmap_pdpe(pmap, va);
		parent = pmap_ref_table(
		    pmap, pdpe == NULL ? 0 : pte_load(pdpe), pd_pindex(va), va);
		if (parent == NULL)
			goto fail;
		slot = pmap_pde(pmap, va);
	}
	KASSERT(pte_load(slot) == 0,
	    ("table slot for %#jx is taken: %#jx", (uintmax_t)va,
		(uintmax_t)pte_load(slot)));
	pte_store(slot, VM_PAGE_TO_PHYS(m) | PG_TABLE);
	return (m);

fail:
	pmap_drop_pt_page(pmap, m, true, &free);
	pmap_free_ptps(pmap->pm_machine, free);
	return (NULL);
}

/* Tables that a mapping at va takes, down to the level of its entry. */
static unsigned
pmap_tables_missing(struct pmap *pmap, vm_offset_t va, int level)
{
	unsigned leaf = level == 1;
	pte_t *pde = pmap_pde(pmap, va);

	if (pde != NULL)
		return (leaf & ((pte_load(pde) & PG_V) == 0));
	return (leaf + (pmap_pdpe(pmap, va) != NULL ? 1 : 2));
}

static void
pmap_limit_raise(_Atomic int64_t *limit, int64_t n)
{
	/* Relaxed: as pmap_limit_take(). */
	int64_t v = atomic_load_explicit(limit, memory_order_relaxed);

	/* Relaxed: as above. */
	while (v >= 0 && v < n &&
	    !atomic_compare_exchange_weak_explicit(
		limit, &v, n, memory_order_relaxed, memory_order_relaxed))
		;
}

/*
 * An allocation for va has failed and been undone: wait until the whole mapping
 * of a managed page can be made, by an entry in a table of level 1 (4 KB) or 2.
 * It was a table that could not be had, or a pv entry.  nsaved tables are wanted
 * beside, to be saved.
 * The pmap is locked before and after, but not meanwhile; no pv list lock is held.
 *
 * Waiting for just any free page would not do: what the failed attempt itself
 * gave back is one, and the thread would try for ever.  Nor would waiting for
 * more than is missing, as there may never be more.
 */
void
pmap_wait_for_pages(
    struct pmap *pmap, vm_offset_t va, int level, unsigned nsaved, bool pv)
{
	unsigned npt = pmap_tables_missing(pmap, va, level) + nsaved;
	unsigned npv = pv_entry_is_spare(pmap) ? 0 : 1;
	unsigned i, n = npt + npv;

	/* Those who wait for the block may hold what memory is waited with. */
	PMAP_ASSERT_NOT_IN_DI();
	PMAP_UNLOCK(pmap);
	pmap_limit_raise(&pmap->pm_machine->ma_pt_limit, npt);
	if (pv)
		pmap_limit_raise(&pmap->pm_machine->ma_pv_limit, npv);
	/* With no lock held any mapping can be reclaimed, if it comes to that. */
	for (i = 0; i < n && vm_available_pages(pmap->pm_vp) < n; i++) {
		if (!reclaim_pv_page(pmap->pm_machine))
			break;
	}
	vm_wait_min(pmap->pm_vp, n);
	PMAP_LOCK(pmap);
}

/*
 * The page table of va, with one more reference; no superpage is there.
 *
 * Returns NULL when no page is free.  With held == NULL that is all; otherwise
 * the function has then dropped *held and the pmap lock, waited for memory and
 * locked the pmap again, and the caller walks again from the top.
 */
struct vm_page *
pmap_allocpte(struct pmap *pmap, vm_offset_t va, struct pv_held *held)
{
	struct vm_page *m;
	pte_t *pde;

	PMAP_LOCK_ASSERT(pmap);
	pde = pmap_pde(pmap, va);
	m = pmap_ref_table(
	    pmap, pde == NULL ? 0 : pte_load(pde), pt_pindex(va), va);
	if (m == NULL && held != NULL) {
		pv_release_lock(pmap->pm_machine->ma_pvt, held);
		pmap_wait_for_pages(pmap, va, 1, 0, false);
	}
	return (m);
}

/*
 * The PDE of va, valid or not, with one more reference on the directory page that
 * it lies in, *pdpgp.  Returns NULL when there is no memory; with held != NULL it
 * waits instead, and *held is dropped meanwhile, and the pmap lock.
 */
pte_t *
pmap_alloc_pde(struct pmap *pmap, vm_offset_t va, struct vm_page **pdpgp,
    struct pv_held *held)
{
	struct vm_page *m;
	pte_t *pdpe;

	PMAP_LOCK_ASSERT(pmap);
	for (;;) {
		pdpe = pmap_pdpe(pmap, va);
		m = pmap_ref_table(
		    pmap, pdpe == NULL ? 0 : pte_load(pdpe), pd_pindex(va), va);
		if (m != NULL)
			break;
		if (held == NULL)
			return (NULL);
		pv_release_lock(pmap->pm_machine->ma_pvt, held);
		pmap_wait_for_pages(pmap, va, 2, 0, false);
	}
	*pdpgp = m;
	return (pmap_pde(pmap, va));
}

/*
 * Drop one reference of table page m, which serves va.  When it was the last,
 * unlink the page, put it on *free, drop its parent's reference in turn, and
 * return true.
 */
bool
pmap_unwire_ptp(
    struct pmap *pmap, vm_offset_t va, struct vm_page *m, struct vm_page **free)
{
	pte_t *slot;
	pt_entry_t up;

	KASSERT(ptp_ref(m) > 0,
	    ("table page %#jx has no reference to drop",
		(uintmax_t)VM_PAGE_TO_PHYS(m)));
	ptp_ref_add(m, UINT32_MAX);
	if (__predict_true(ptp_ref(m) != 0))
		return (false);

	if (m->pindex >= NUPDE + NUPDPE) {
		slot = pmap_pml4e(pmap, va);
		up = 0;
	} else if (m->pindex >= NUPDE) {
		slot = pmap_pdpe(pmap, va);
		up = pte_load(pmap_pml4e(pmap, va));
	} else {
		slot = pmap_pde(pmap, va);
		up = pte_load(pmap_pdpe(pmap, va));
	}
	KASSERT((pte_load(slot) & PG_FRAME) == VM_PAGE_TO_PHYS(m),
	    ("table page %#jx is not where va %#jx leads",
		(uintmax_t)VM_PAGE_TO_PHYS(m), (uintmax_t)va));
	pte_store(slot, 0);
	pmap_drop_pt_page(pmap, m, true, free);
	if (up != 0)
		(void)pmap_unwire_ptp(pmap, va,
		    PHYS_TO_VM_PAGE(pmap->pm_vp, up & PG_FRAME), free);
	return (true);
}

/* An entry of the page table that pde names, serving va, has been cleared. */
bool
pmap_unuse_pt(
    struct pmap *pmap, vm_offset_t va, pt_entry_t pde, struct vm_page **free)
{
	return (pmap_unwire_ptp(
	    pmap, va, PHYS_TO_VM_PAGE(pmap->pm_vp, pde & PG_FRAME), free));
}

/* Give a reference back that no entry was written for. */
void
pmap_abort_ptp(struct pmap *pmap, vm_offset_t va, struct vm_page *m)
{
	struct vm_page *free = NULL;

	if (pmap_unwire_ptp(pmap, va, m, &free)) {
		/* Paging-structure caches may hold the upper entries. */
		pmap_invalidate_page(pmap, va);
		pmap_free_ptps(pmap->pm_machine, free);
	}
}

pte_t *
pmap_next_pde(
    struct pmap *pmap, vm_offset_t *vap, vm_offset_t eva, vm_offset_t *endp)
{
	vm_offset_t va = *vap;
	pte_t *pde, *pdpe;

	KASSERT((va & PAGE_MASK) == 0 && (eva & PAGE_MASK) == 0,
	    ("pmap %p: range %#jx to %#jx is not of pages", (void *)pmap,
		(uintmax_t)va, (uintmax_t)eva));
	/*
	 * Nothing is mapped above.  The indices of 2^48 are those of 0 again,
	 * and just below 2^64 the end of a stride is 0.
	 */
	if (eva > VM_MAXUSER_ADDRESS)
		eva = VM_MAXUSER_ADDRESS;
	while (va < eva) {
		if ((pte_load(pmap_pml4e(pmap, va)) & PG_V) == 0) {
			va = (va + NBPML4) & ~(NBPML4 - 1);
			continue;
		}
		pdpe = pmap_pdpe(pmap, va);
		if ((pte_load(pdpe) & PG_V) == 0) {
			va = (va + NBPDP) & ~(NBPDP - 1);
			continue;
		}
		pde = pmap_pde(pmap, va);
		if ((pte_load(pde) & PG_V) != 0) {
			*vap = va;
			*endp = (va + NBPDR) & ~PDRMASK;
			if (*endp > eva)
				*endp = eva;
			return (pde);
		}
		va = (va + NBPDR) & ~PDRMASK;
	}
	return (NULL);
}
