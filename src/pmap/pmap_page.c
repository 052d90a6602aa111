/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Operations that start from a page and reach its mappings through its pv list.
 *
 * The lock order is pmap before pv list lock, and here the pv list lock comes
 * first: so a mapping's pmap is only tried.  When the try fails, the generations
 * are saved, the pv list lock is dropped, the pmap is locked and waited for, the
 * pv list lock is taken again, and the generations are compared.  Equal: the
 * entry is still on the list and means the same mapping.  Different: the entry
 * may be gone, and so may the pmap; the pmap is unlocked (its mutex is valid for
 * ever) and the scan starts again.
 *
 * The entry cannot outlive its pmap: a pmap that is torn down removes the entry
 * first, which changes the generation.
 *
 * Where the superpage's 2 MB mappings will be scanned, before the 4 KB ones, both
 * generations are compared in the second phase, so that a mapping cannot escape
 * by moving to the list already scanned.  There are no 2 MB mappings yet, but
 * the header's generation is read and compared all the same.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/pmap_var.h"

struct page_scan {
	struct machine *ps_ma;
	struct vm_page *ps_m;
	void *ps_word; /* pv list lock of ps_m */
	struct md_page *ps_pvh;
	bool ps_shared; /* held for reading */
};

static void
page_scan_lock(struct page_scan *ps, const char *file, int line)
{
	if (ps->ps_shared)
		pv_word_rlock(ps->ps_ma->ma_pvt, ps->ps_word, file, line);
	else
		pv_word_lock(ps->ps_ma->ma_pvt, ps->ps_word, file, line);
}

static void
page_scan_unlock(struct page_scan *ps)
{
	if (ps->ps_shared)
		pv_word_runlock(ps->ps_ma->ma_pvt, ps->ps_word);
	else
		pv_word_unlock(ps->ps_ma->ma_pvt, ps->ps_word, false);
}

static void
page_scan_begin(struct page_scan *ps, struct machine *ma, struct vm_page *m,
    bool shared, const char *file, int line)
{
	struct pv_header ph;

	KASSERT((m->oflags & VPO_UNMANAGED) == 0,
	    ("page %#jx is not managed", (uintmax_t)VM_PAGE_TO_PHYS(m)));
	ma->ma_pvt->pvt_ops->pvl_lookup(ma->ma_pvt, VM_PAGE_TO_PHYS(m), m, &ph);
	*ps = (struct page_scan){
		.ps_ma = ma,
		.ps_m = m,
		.ps_word = ph.ph_word,
		.ps_pvh = ph.ph_md,
		.ps_shared = shared,
	};
	page_scan_lock(ps, file, line);
}

#define PAGE_SCAN_BEGIN(ps, ma, m, shared)                                     \
	page_scan_begin((ps), (ma), (m), (shared), __FILE__, __LINE__)

/*
 * Lock the pmap of pv, an entry of ps_m's list.  Returns false when the pv list
 * lock had to be dropped and the lists have changed: pv is then invalid, no pmap
 * is locked, and the caller starts again.
 */
static bool
page_scan_lock_pmap(struct page_scan *ps, struct pmap *pmap)
{
	struct pv_table *pvt = ps->ps_ma->ma_pvt;
	struct thread *td = curthread();
	uint32_t md_was, pvh_was;
	uint64_t wraps;

	if (__predict_true(PMAP_TRYLOCK(pmap)))
		return (true);
	counter_add(&td->td_counters, CTR_PMAP_TRYFAILS, 1);
	pvh_was = pvh_gen(pvt, ps->ps_pvh);
	wraps = lock_gen_wraps(td->td_sim);
	md_was = md_gen(&ps->ps_m->md);
	page_scan_unlock(ps);
	PMAP_LOCK(pmap);
	page_scan_lock(ps, __FILE__, __LINE__);
	if (pvh_was == pvh_gen(pvt, ps->ps_pvh) &&
	    wraps == lock_gen_wraps(td->td_sim) &&
	    md_was == md_gen(&ps->ps_m->md))
		return (true);
	PMAP_UNLOCK(pmap);
	counter_add(&td->td_counters, CTR_PV_RESTARTS, 1);
	return (false);
}

/* The entry that pv stands for.  Its pmap is locked. */
static pte_t *
pv_pte(struct pmap *pmap, const struct pv_entry *pv, pt_entry_t *pdep)
{
	pte_t *pte = pmap_pte_pde(pmap, pv->pv_va, pdep);

	if (pte == NULL)
		panic("pv entry %p: pmap %p has no page table for va %#jx",
		    (const void *)pv, (void *)pmap, (uintmax_t)pv->pv_va);
	return (pte);
}

void
pmap_remove_all(struct machine *ma, struct vm_page *m)
{
	struct page_scan ps;
	struct pmap *pmap;
	struct pv_entry *pv;
	struct vm_page *free = NULL;
	pt_entry_t pde, tpte;
	pte_t *pte;

	PAGE_SCAN_BEGIN(&ps, ma, m, false);
	while ((pv = m->md.pv_list.pvl_first) != NULL) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap))
			continue;
		pte = pv_pte(pmap, pv, &pde);
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
	page_scan_unlock(&ps);
	pmap_delayed_invl_wait(ma, m);
	if (free != NULL)
		vm_page_free_list(ma->ma_vp, free);
}

void
pmap_remove_write(struct machine *ma, struct vm_page *m)
{
	struct page_scan ps;
	struct pmap *pmap;
	struct pv_entry *pv;
	pt_entry_t old, pde;
	pte_t *pte;

	if ((vm_page_aflags(m) & PGA_WRITEABLE) == 0)
		return;
	PAGE_SCAN_BEGIN(&ps, ma, m, false);
retry:
	PV_LIST_FOREACH (pv, &m->md.pv_list) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap))
			goto retry;
		pte = pv_pte(pmap, pv, &pde);
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
	page_scan_unlock(&ps);
	pmap_delayed_invl_wait(ma, m);
}

void
pmap_clear_modify(struct machine *ma, struct vm_page *m)
{
	struct page_scan ps;
	struct pmap *pmap;
	struct pv_entry *pv;
	pt_entry_t pde;
	pte_t *pte;

	if ((vm_page_aflags(m) & PGA_WRITEABLE) == 0)
		return;
	PAGE_SCAN_BEGIN(&ps, ma, m, false);
retry:
	PV_LIST_FOREACH (pv, &m->md.pv_list) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap))
			goto retry;
		pte = pv_pte(pmap, pv, &pde);
		if ((pte_load(pte) & (PG_M | PG_RW)) == (PG_M | PG_RW)) {
			(void)pte_clear_bits(pte, PG_M);
			pmap_invalidate_page(pmap, pv->pv_va);
		}
		PMAP_UNLOCK(pmap);
	}
	page_scan_unlock(&ps);
}

/* Has m a mapping in whose entry all bits of mask are set? */
static bool
pmap_page_test_mappings(struct machine *ma, struct vm_page *m, pt_entry_t mask)
{
	struct page_scan ps;
	struct pmap *pmap;
	struct pv_entry *pv;
	pt_entry_t pde;
	bool rv = false;

	PAGE_SCAN_BEGIN(&ps, ma, m, true);
retry:
	PV_LIST_FOREACH (pv, &m->md.pv_list) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap))
			goto retry;
		rv = (pte_load(pv_pte(pmap, pv, &pde)) & mask) == mask;
		PMAP_UNLOCK(pmap);
		if (rv)
			break;
	}
	page_scan_unlock(&ps);
	return (rv);
}

bool
pmap_is_modified(struct machine *ma, struct vm_page *m)
{
	if ((vm_page_aflags(m) & PGA_WRITEABLE) == 0)
		return (false);
	return (pmap_page_test_mappings(ma, m, PG_V | PG_RW | PG_M));
}

bool
pmap_is_referenced(struct machine *ma, struct vm_page *m)
{
	return (pmap_page_test_mappings(ma, m, PG_V | PG_A));
}

int
pmap_ts_referenced(struct machine *ma, struct vm_page *m)
{
	struct page_scan ps;
	struct pmap *pmap;
	struct pv_entry *first, *pv;
	pt_entry_t old, pde;
	pte_t *pte;
	int cleared = 0;

	PAGE_SCAN_BEGIN(&ps, ma, m, false);
retry:
	first = pv = m->md.pv_list.pvl_first;
	while (pv != NULL) {
		pmap = PV_PMAP(pv);
		/* A new list: what was cleared still counts. */
		if (!page_scan_lock_pmap(&ps, pmap))
			goto retry;
		pte = pv_pte(pmap, pv, &pde);
		old = pte_load(pte);
		if ((old & (PG_M | PG_RW)) == (PG_M | PG_RW))
			vm_page_dirty(m);
		if ((old & PG_A) != 0) {
			(void)pte_clear_bits(pte, PG_A);
			pmap_invalidate_page(pmap, pv->pv_va);
			cleared++;
		}
		PMAP_UNLOCK(pmap);
		/* The next call starts behind this one. */
		if (pv->pv_next != NULL) {
			PV_LIST_ASSERT_LOCKED(ma->ma_pvt, m);
			pv_list_remove(&m->md.pv_list, pv);
			pv_list_insert_tail(&m->md.pv_list, pv);
			md_gen_bump(&m->md);
		}
		pv = m->md.pv_list.pvl_first;
		if (pv == first || cleared >= PMAP_TS_REFERENCED_MAX)
			break;
	}
	page_scan_unlock(&ps);
	return (cleared);
}

int
pmap_page_wired_mappings(struct machine *ma, struct vm_page *m)
{
	struct page_scan ps;
	struct pmap *pmap;
	struct pv_entry *pv;
	pt_entry_t pde;
	int count;

	PAGE_SCAN_BEGIN(&ps, ma, m, true);
retry:
	count = 0;
	PV_LIST_FOREACH (pv, &m->md.pv_list) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap))
			goto retry;
		if ((pte_load(pv_pte(pmap, pv, &pde)) & PG_W) != 0)
			count++;
		PMAP_UNLOCK(pmap);
	}
	page_scan_unlock(&ps);
	return (count);
}

/* Source: FreeBSD main (2024), pmap_page_exists_quick(). */
#define EXISTS_QUICK_MAX 16

bool
pmap_page_exists_quick(struct pmap *pmap, struct vm_page *m)
{
	struct page_scan ps;
	struct pv_entry *pv;
	int loops = 0;
	bool rv = false;

	PAGE_SCAN_BEGIN(&ps, pmap->pm_machine, m, true);
	PV_LIST_FOREACH (pv, &m->md.pv_list) {
		rv = PV_PMAP(pv) == pmap;
		if (rv || ++loops >= EXISTS_QUICK_MAX)
			break;
	}
	page_scan_unlock(&ps);
	return (rv);
}

bool
pmap_page_is_mapped(struct machine *ma, struct vm_page *m)
{
	struct page_scan ps;
	bool rv;

	if ((m->oflags & VPO_UNMANAGED) != 0)
		return (false);
	PAGE_SCAN_BEGIN(&ps, ma, m, true);
	rv = !pv_list_empty(&m->md.pv_list) ||
	    !pv_list_empty(&ps.ps_pvh->pv_list);
	page_scan_unlock(&ps);
	return (rv);
}
