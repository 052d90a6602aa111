/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Questions about all mappings of a page.  The pv list lock is held for reading,
 * where it can be.  Here the page's own list comes first and the superpage's
 * second, which is why the second is scanned under both generations
 * (page_scan.h).
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/page_scan.h"

/*
 * How many mappings of m have all bits of mask in their entry: counted up to max.
 */
static int
count_mappings(struct machine *ma, struct vm_page *m, pt_entry_t mask, int max)
{
	struct page_scan ps;
	struct pmap *pmap;
	struct pv_entry *pv;
	pt_entry_t pde;
	int n;

	PAGE_SCAN_BEGIN(&ps, ma, m, true);
retry:
	n = 0;
	PV_LIST_FOREACH (pv, &m->md.pv_list) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap, SCAN_MD))
			goto retry;
		n += (pte_load(page_scan_pte(pmap, pv, &pde)) & mask) == mask;
		PMAP_UNLOCK(pmap);
		if (n >= max)
			goto out;
	}
	PV_LIST_FOREACH (pv, page_scan_pvh(&ps)) {
		pmap = PV_PMAP(pv);
		if (!page_scan_lock_pmap(&ps, pmap, SCAN_BOTH))
			goto retry;
		n += (pte_load(page_scan_pde(pmap, pv)) & mask) == mask;
		PMAP_UNLOCK(pmap);
		if (n >= max)
			goto out;
	}
out:
	page_scan_end(&ps);
	return (n);
}

bool
pmap_is_modified(struct machine *ma, struct vm_page *m)
{
	PMAP_OPERATION(ma);
	if ((vm_page_aflags(m) & PGA_WRITEABLE) == 0)
		return (false);
	return (count_mappings(ma, m, PG_V | PG_RW | PG_M, 1) != 0);
}

bool
pmap_is_referenced(struct machine *ma, struct vm_page *m)
{
	PMAP_OPERATION(ma);
	return (count_mappings(ma, m, PG_V | PG_A, 1) != 0);
}

int
pmap_page_wired_mappings(struct machine *ma, struct vm_page *m)
{
	PMAP_OPERATION(ma);
	return (count_mappings(ma, m, PG_W, INT32_MAX));
}

/* Source: FreeBSD main (2024), pmap_page_exists_quick(). */
#define EXISTS_QUICK_MAX 16

bool
pmap_page_exists_quick(struct pmap *pmap, struct vm_page *m)
{
	PMAP_OPERATION(pmap->pm_machine);
	struct page_scan ps;
	struct pv_entry *pv;
	int loops = 0;
	bool rv = false;

	PAGE_SCAN_BEGIN(&ps, pmap->pm_machine, m, true);
	PV_LIST_FOREACH (pv, &m->md.pv_list) {
		rv = PV_PMAP(pv) == pmap;
		if (rv || ++loops >= EXISTS_QUICK_MAX)
			goto out;
	}
	PV_LIST_FOREACH (pv, page_scan_pvh(&ps)) {
		rv = PV_PMAP(pv) == pmap;
		if (rv || ++loops >= EXISTS_QUICK_MAX)
			break;
	}
out:
	page_scan_end(&ps);
	return (rv);
}

bool
pmap_page_is_mapped(struct machine *ma, struct vm_page *m)
{
	PMAP_OPERATION(ma);
	struct page_scan ps;
	bool rv;

	if ((m->oflags & VPO_UNMANAGED) != 0)
		return (false);
	PAGE_SCAN_BEGIN(&ps, ma, m, true);
	rv = !pv_list_empty(&m->md.pv_list) ||
	    !pv_list_empty(page_scan_pvh(&ps));
	page_scan_end(&ps);
	return (rv);
}
