/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * See page_scan.h.
 *
 * Where the lock lives in the superpage's generation, the unlock adds what our own
 * changes count: that is not a change by others, and is not taken for one.
 */

#include "pmap/page_scan.h"

static void
page_scan_lock(struct page_scan *ps, const char *file, int line)
{
	if (ps->ps_shared)
		pv_word_rlock(
		    ps->ps_ma->ma_pvt, ps->ps_held.pv_word, file, line);
	else
		pv_word_lock(
		    ps->ps_ma->ma_pvt, ps->ps_held.pv_word, file, line);
}

static void
page_scan_unlock(struct page_scan *ps)
{
	if (ps->ps_shared)
		pv_word_runlock(ps->ps_ma->ma_pvt, ps->ps_held.pv_word);
	else
		pv_word_unlock(ps->ps_ma->ma_pvt, ps->ps_held.pv_word,
		    ps->ps_held.pv_modified);
	ps->ps_held.pv_modified = false;
}

void
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
		.ps_held = {
			.pv_word = ph.ph_word,
			.pv_pvh = ph.ph_md,
			.pv_region = VM_PAGE_TO_PHYS(m) >> PDRSHIFT,
		},
		.ps_shared = shared,
	};
	page_scan_lock(ps, file, line);
}

void
page_scan_end(struct page_scan *ps)
{
	page_scan_unlock(ps);
}

bool
page_scan_wait_pmap(
    struct page_scan *ps, struct pmap *pmap, enum page_scan_gens gens)
{
	struct pv_table *pvt = ps->ps_ma->ma_pvt;
	struct thread *td = curthread();
	uint32_t md_was, pvh_was;
	uint64_t wraps;

	counter_add(&td->td_counters, CTR_PMAP_TRYFAILS, 1);
	pvh_was = pvh_gen(pvt, ps->ps_held.pv_pvh);
	if (ps->ps_held.pv_modified)
		pvh_was += pvt->pvt_gen_one;
	wraps = lock_gen_wraps(td->td_sim);
	md_was = md_gen(&ps->ps_m->md);
	page_scan_unlock(ps);
	PMAP_LOCK(pmap);
	page_scan_lock(ps, __FILE__, __LINE__);
	if (((gens & SCAN_PVH) == 0 ||
		(pvh_was == pvh_gen(pvt, ps->ps_held.pv_pvh) &&
		    wraps == lock_gen_wraps(td->td_sim))) &&
	    ((gens & SCAN_MD) == 0 || md_was == md_gen(&ps->ps_m->md)))
		return (true);
	PMAP_UNLOCK(pmap);
	counter_add(&td->td_counters, CTR_PV_RESTARTS, 1);
	return (false);
}

pte_t *
page_scan_pte(struct pmap *pmap, const struct pv_entry *pv, pt_entry_t *pdep)
{
	pte_t *pte = pmap_pte_pde(pmap, pv->pv_va, pdep);

	if (pte == NULL)
		panic("pv entry %p: pmap %p has no page table for va %#jx",
		    (const void *)pv, (void *)pmap, (uintmax_t)pv->pv_va);
	return (pte);
}

pte_t *
page_scan_pde(struct pmap *pmap, const struct pv_entry *pv)
{
	pte_t *pde = pmap_pde(pmap, pv->pv_va);

	if (pde == NULL || (pte_load(pde) & (PG_V | PG_PS)) != (PG_V | PG_PS))
		panic("pv entry %p: pmap %p has no superpage at va %#jx",
		    (const void *)pv, (void *)pmap, (uintmax_t)pv->pv_va);
	return (pde);
}
