/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Operations that change all mappings of a page: remove, write-protect, clear
 * modified, count and clear references.
 *
 * First the superpage's list: what cannot be done to one page of 2 MB is done to a
 * 4 KB mapping that a demotion makes of it, or by the demotion, if that removes
 * the mapping.  Then the page's own list, under both generations (page_scan.h).
 *
 * A demotion may drop the pv list lock and leaves it held.  The entry it was for
 * is off the list either way, so the scan of the superpage's list starts again.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/page_scan.h"
#include "pmap/pmap_superpage.h"

/* Demote the superpages of ps's page, those whose entry has all bits of mask. */
static void
page_scan_demote(struct page_scan *ps, pt_entry_t mask)
{
	struct pmap *pmap;
	struct pv_entry *pv;
	pte_t *pde;

retry:
	PV_LIST_FOREACH (pv, page_scan_pvh(ps)) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(ps, pmap, SCAN_PVH))
			goto retry;
		pde = page_scan_pde(pmap, pv);
		if ((pte_load(pde) & mask) != mask) {
			PMAP_UNLOCK(pmap);
			continue;
		}
		(void)pmap_demote_pde_locked(
		    pmap, pde, pv->pv_va, &ps->ps_held);
		PMAP_UNLOCK(pmap);
		goto retry;
	}
}

void
pmap_remove_all(struct machine *ma, struct vm_page *m)
{
	PMAP_OPERATION(ma);
	struct page_scan ps;
	struct pmap *pmap;
	struct pv_entry *pv;
	struct vm_page *free = NULL;
	pt_entry_t pde, tpte;
	pte_t *pte;

	if (BUG(ma, di_early_wait))
		pmap_delayed_invl_wait(ma, m);
	TEST_POINT(ma, TP_REMOVE_ALL);
	PAGE_SCAN_BEGIN(&ps, ma, m, false);
retry:
	page_scan_demote(&ps, 0);
	while ((pv = m->md.pv_list.pvl_first) != NULL) {
		pmap = PV_PMAP(pv);
		/* A promotion may have taken a mapping to the first list. */
		if (!page_scan_lock_pmap(&ps, pmap, SCAN_BOTH))
			goto retry;
		pte = page_scan_pte(pmap, pv, &pde);
		tpte = pte_load_clear(pte);
		pmap_resident_add(pmap, -1);
		if ((tpte & PG_W) != 0)
			pmap->pm_stats.wired_count--;
		pmap_lose(tpte, m);
		(void)pmap_unuse_pt(pmap, pv->pv_va, pde, &free);
		/* Under both locks: nobody can find the page mapped now. */
		pmap_invalidate_page(pmap, pv->pv_va);
		PV_LIST_ASSERT_LOCKED(ma->ma_pvt, m);
		pv_list_remove(&m->md.pv_list, pv);
		md_gen_bump(&m->md);
		free_pv_entry(pmap, pv);
		PMAP_UNLOCK(pmap);
	}
	vm_page_aflag_clear(m, PGA_WRITEABLE);
	page_scan_end(&ps);
	if (!BUG(ma, di_early_wait))
		pmap_delayed_invl_wait(ma, m);
	pmap_free_ptps(ma, free);
}

void
pmap_remove_write(struct machine *ma, struct vm_page *m)
{
	PMAP_OPERATION(ma);
	struct page_scan ps;
	struct pmap *pmap;
	struct pv_entry *pv;
	pt_entry_t old, pde;
	pte_t *pte;

	if ((vm_page_aflags(m) & PGA_WRITEABLE) == 0)
		return;
	PAGE_SCAN_BEGIN(&ps, ma, m, false);
retry:
	page_scan_demote(&ps, PG_RW);
	PV_LIST_FOREACH (pv, &m->md.pv_list) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap, SCAN_BOTH))
			goto retry;
		pte = page_scan_pte(pmap, pv, &pde);
		old = pte_load(pte);
		if ((old & PG_RW) != 0) {
			while (!pte_cas(pte, &old, old & ~(PG_RW | PG_M)))
				;
			if ((old & PG_M) != 0)
				vm_page_dirty(m);
			pmap_invalidate_page(pmap, pv->pv_va);
		}
		PMAP_UNLOCK(pmap);
	}
	/*
	 * After the dirty bits, so that nobody finds the page clean (B18); with
	 * the lock, since pmap_enter() sets the flag under it.
	 */
	vm_page_aflag_clear(m, PGA_WRITEABLE);
	page_scan_end(&ps);
	pmap_delayed_invl_wait(ma, m);
}

/*
 * The superpage *pde of va, which is writable, loses modified for m alone.  The
 * mapping of m loses the write right, too: its next write faults, and may promote
 * again; and m becomes dirty, so that nothing is lost.  A wired mapping must not
 * fault: it keeps both bits, and the 4 KB scan comes to it.
 */
static void
pmap_clear_modify_pde(
    struct page_scan *ps, struct pmap *pmap, pte_t *pde, vm_offset_t va)
{
	pt_entry_t oldpde = pte_load(pde);
	pte_t *pte;

	if (!pmap_demote_pde_locked(pmap, pde, va, &ps->ps_held) ||
	    (oldpde & PG_W) != 0)
		return;
	va += VM_PAGE_TO_PHYS(ps->ps_m) & PDRMASK;
	pte = pmap_pde_to_pte(pmap, pte_load(pde), va);
	(void)pte_clear_bits(pte, PG_M | PG_RW);
	vm_page_dirty(ps->ps_m);
	pmap_invalidate_page(pmap, va);
}

void
pmap_clear_modify(struct machine *ma, struct vm_page *m)
{
	PMAP_OPERATION(ma);
	struct page_scan ps;
	struct pmap *pmap;
	struct pv_entry *pv;
	pt_entry_t pde;
	pte_t *pte;

	if ((vm_page_aflags(m) & PGA_WRITEABLE) == 0)
		return;
	PAGE_SCAN_BEGIN(&ps, ma, m, false);
retry:
	PV_LIST_FOREACH (pv, page_scan_pvh(&ps)) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap, SCAN_PVH))
			goto retry;
		pte = page_scan_pde(pmap, pv);
		if ((pte_load(pte) & PG_RW) == 0) {
			PMAP_UNLOCK(pmap);
			continue;
		}
		pmap_clear_modify_pde(&ps, pmap, pte, pv->pv_va);
		PMAP_UNLOCK(pmap);
		goto retry;
	}
	PV_LIST_FOREACH (pv, &m->md.pv_list) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap, SCAN_BOTH))
			goto retry;
		pte = page_scan_pte(pmap, pv, &pde);
		if ((pte_load(pte) & (PG_M | PG_RW)) == (PG_M | PG_RW)) {
			(void)pte_clear_bits(pte, PG_M);
			pmap_invalidate_page(pmap, pv->pv_va);
		}
		PMAP_UNLOCK(pmap);
	}
	page_scan_end(&ps);
}

/*
 * One superpage has one accessed bit for 512 pages.  If each page that asks
 * cleared it, a busy superpage would look idle to the others; if none did, an idle
 * one would look busy for ever.  So one page in 512 clears it, another one for each
 * address.  Not for a wired mapping, which must stay accessed.
 * Differs: FreeBSD mixes the pmap's address in; left out, so that runs can be
 * repeated.
 */
static bool
ts_may_clear_pde(const struct vm_page *m, vm_offset_t va, pt_entry_t pde)
{
	return ((((VM_PAGE_TO_PHYS(m) >> PAGE_SHIFT) ^ (va >> PDRSHIFT)) &
		    (NPTEPG - 1)) == 0 &&
	    (pde & PG_W) == 0);
}

/* Returns 1 if *pte was accessed.  *cleared then counts if it is not any more. */
static int
ts_referenced_one(struct page_scan *ps, struct pmap *pmap, pte_t *pte,
    vm_offset_t va, bool super, int *cleared)
{
	pt_entry_t old = pte_load(pte);

	/* Of a superpage, only this page: the others tell for themselves. */
	if ((old & (PG_M | PG_RW)) == (PG_M | PG_RW))
		vm_page_dirty(ps->ps_m);
	if ((old & PG_A) == 0)
		return (0);
	if (!super || ts_may_clear_pde(ps->ps_m, va, old)) {
		(void)pte_clear_bits(pte, PG_A);
		pmap_invalidate_page(pmap, va);
		(*cleared)++;
	}
	return (1);
}

int
pmap_ts_referenced(struct machine *ma, struct vm_page *m)
{
	PMAP_OPERATION(ma);
	struct page_scan ps;
	struct pmap *pmap;
	struct pv_entry *first, *pv;
	pt_entry_t pde;
	int cleared = 0, not_cleared, was;

	PAGE_SCAN_BEGIN(&ps, ma, m, false);
retry:
	/* A new list: what was cleared still counts. */
	not_cleared = 0;
	first = pv = page_scan_pvh(&ps)->pvl_first;
	while (pv != NULL) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap, SCAN_PVH))
			goto retry;
		was = cleared;
		not_cleared += ts_referenced_one(&ps, pmap,
		    page_scan_pde(pmap, pv), pv->pv_va, true, &cleared);
		not_cleared -= cleared - was;
		PMAP_UNLOCK(pmap);
		/* The next call starts behind this one. */
		if (pv->pv_next != NULL) {
			PV_LIST_ASSERT_LOCKED(ma->ma_pvt, m);
			pv_list_remove(page_scan_pvh(&ps), pv);
			pv_list_insert_tail(page_scan_pvh(&ps), pv);
			pvh_gen_bump(ma->ma_pvt, &ps.ps_held);
		}
		if (cleared + not_cleared >= PMAP_TS_REFERENCED_MAX)
			goto out;
		pv = page_scan_pvh(&ps)->pvl_first;
		if (pv == first)
			break;
	}
	first = pv = m->md.pv_list.pvl_first;
	while (pv != NULL) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap, SCAN_BOTH))
			goto retry;
		(void)ts_referenced_one(&ps, pmap,
		    page_scan_pte(pmap, pv, &pde), pv->pv_va, false, &cleared);
		PMAP_UNLOCK(pmap);
		if (pv->pv_next != NULL) {
			PV_LIST_ASSERT_LOCKED(ma->ma_pvt, m);
			pv_list_remove(&m->md.pv_list, pv);
			pv_list_insert_tail(&m->md.pv_list, pv);
			md_gen_bump(&m->md);
		}
		pv = m->md.pv_list.pvl_first;
		if (pv == first ||
		    cleared + not_cleared >= PMAP_TS_REFERENCED_MAX)
			break;
	}
out:
	page_scan_end(&ps);
	return (cleared + not_cleared);
}
