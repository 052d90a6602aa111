/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The checker's part on page tables: from the tables to what they map, and from a
 * pv entry to its place in them.
 */

#include "pmap/pmap_check.h"

unsigned
pmap_check_list(struct pmap_checker *pc, struct pv_list *pvl, vm_paddr_t pa,
    struct pmap *pmap, vm_offset_t va)
{
	struct pv_entry **prevp = &pvl->pvl_first, *pv;
	unsigned n = 0;

	PV_LIST_FOREACH (pv, pvl) {
		if (pv->pv_prevp != prevp) {
			check_bad(&pc->pc_report, 7,
			    "page %#jx: list broken at entry of %#jx",
			    (uintmax_t)pa, (uintmax_t)pv->pv_va);
			break;
		}
		prevp = &pv->pv_next;
		n += pv->pv_va == va && PV_PMAP(pv) == pmap;
	}
	return (n);
}

static void
check_leaf(struct pmap_checker *pc, struct pmap *pmap, vm_offset_t va,
    pt_entry_t pte, struct pmap_tally *pt)
{
	struct vm_page *m;
	unsigned n;

	pt->pt_leaves++;
	pt->pt_wired += (pte & PG_W) != 0;
	if ((pte & PG_PROMOTED) != 0)
		check_bad(&pc->pc_report, 22,
		    "pmap %p va %#jx: pte %#jx is marked promoted",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pte);
	if ((pte & (PG_M | PG_RW)) == PG_M)
		check_bad(&pc->pc_report, 24,
		    "pmap %p va %#jx: pte %#jx is modified but not "
		    "writable",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pte);
	if ((pte & PG_U) == 0 || (pte & PG_G) != 0)
		check_bad(&pc->pc_report, 26,
		    "pmap %p va %#jx: pte %#jx is no user entry", (void *)pmap,
		    (uintmax_t)va, (uintmax_t)pte);
	if ((pte & (PG_MANAGED | PG_RW | PG_M)) == PG_RW)
		check_bad(&pc->pc_report, 23,
		    "pmap %p va %#jx: unmanaged pte %#jx is writable "
		    "but not modified",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pte);

	m = PHYS_TO_VM_PAGE(pmap->pm_vp, pte & PG_FRAME);
	if (m != NULL && m->segind == 0)
		m = NULL; /* device memory in a gap */
	if (m == NULL) {
		if ((pte & PG_MANAGED) != 0)
			check_bad(&pc->pc_report, 4,
			    "pmap %p va %#jx: managed pte %#jx maps no "
			    "page",
			    (void *)pmap, (uintmax_t)va, (uintmax_t)pte);
		return;
	}
	/* Relaxed: quiescent. */
	if (m->order_inv != 0 || pmap_check_special(pc, pte & PG_FRAME) ||
	    (m->object == NULL &&
		atomic_load_explicit(&m->ref_count, memory_order_relaxed) == 0))
		check_bad(&pc->pc_report, 27,
		    "pmap %p va %#jx maps page %#jx, which is %s", (void *)pmap,
		    (uintmax_t)va, (uintmax_t)(pte & PG_FRAME),
		    pmap_check_special(pc, pte & PG_FRAME)
			? "a table or a chunk"
			: "free");
	if (((pte & PG_MANAGED) != 0) != ((m->oflags & VPO_UNMANAGED) == 0))
		check_bad(&pc->pc_report, 4,
		    "pmap %p va %#jx: pte %#jx and page %#jx disagree "
		    "on managed",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pte,
		    (uintmax_t)VM_PAGE_TO_PHYS(m));
	if ((pte & PG_PTE_CACHE) !=
	    (((pt_entry_t)(m->md.pat_mode & 3) << 3) |
		((pt_entry_t)(m->md.pat_mode & 4) << 5)))
		check_bad(&pc->pc_report, 26,
		    "pmap %p va %#jx: pte %#jx has not page %#jx's "
		    "memory type %d",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pte,
		    (uintmax_t)VM_PAGE_TO_PHYS(m), m->md.pat_mode);
	if ((pte & PG_MANAGED) == 0)
		return;

	pc->pc_managed++;
	n = pmap_check_list(pc, &m->md.pv_list, VM_PAGE_TO_PHYS(m), pmap, va);
	if (n != 1)
		check_bad(&pc->pc_report, 1,
		    "pmap %p va %#jx: %u pv entries on page %#jx, "
		    "expected 1",
		    (void *)pmap, (uintmax_t)va, n,
		    (uintmax_t)VM_PAGE_TO_PHYS(m));
	if ((pte & PG_RW) != 0 && (vm_page_aflags(m) & PGA_WRITEABLE) == 0)
		check_bad(&pc->pc_report, 25,
		    "pmap %p va %#jx is writable but page %#jx is not "
		    "PGA_WRITEABLE",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)VM_PAGE_TO_PHYS(m));
}

/* pindex of the table at a level (1: page table) that serves va. */
static vm_pindex_t
table_pindex(int level, vm_offset_t va)
{
	switch (level) {
	case 1:
		return (va >> PDRSHIFT);
	case 2:
		return (NUPDE + (va >> PDPSHIFT));
	default:
		return (NUPDE + NUPDPE + (va >> PML4SHIFT));
	}
}

void
pmap_check_table(struct pmap_checker *pc, struct pmap *pmap, const pte_t *table,
    int level, vm_offset_t base, struct vm_page *page, bool leaves,
    struct pmap_tally *pt)
{
	unsigned i, n = 0;
	vm_offset_t va;
	pt_entry_t e;
	struct vm_page *m;

	for (i = 0; i < NPTEPG; i++) {
		e = pte_load(&table[i]);
		if (e == 0)
			continue;
		n++;
		va = base + ((vm_offset_t)i << (PAGE_SHIFT + 9 * (level - 1)));
		if (level == 1) {
			if (leaves)
				check_leaf(pc, pmap, va, e, pt);
			continue;
		}
		if (level == 2 && (e & (PG_V | PG_PS)) == (PG_V | PG_PS)) {
			if (leaves)
				pmap_check_pde(pc, pmap, va, e, pt);
			continue;
		}
		m = PHYS_TO_VM_PAGE(pmap->pm_vp, e & PG_FRAME);
		if (m == NULL || (e & PG_V) == 0) {
			check_bad(&pc->pc_report, 16,
			    "pmap %p va %#jx: level %d entry %#jx "
			    "leads nowhere",
			    (void *)pmap, (uintmax_t)va, level, (uintmax_t)e);
			continue;
		}
		pt->pt_tables++;
		if (!leaves)
			pmap_check_special_add(pc, e & PG_FRAME);
		pmap_check_table(pc, pmap, pmap_table(pmap->pm_vp, e),
		    level - 1, va, m, leaves, pt);
	}
	if (leaves || page == NULL)
		return;
	if (n == 0)
		check_bad(&pc->pc_report, 17,
		    "pmap %p va %#jx: an empty table of level %d is "
		    "linked",
		    (void *)pmap, (uintmax_t)base, level);
	if (ptp_ref(page) != n)
		check_bad(&pc->pc_report, 15,
		    "pmap %p va %#jx: table of level %d has %u entries "
		    "but ref_count %u",
		    (void *)pmap, (uintmax_t)base, level, n, ptp_ref(page));
	if (page->pindex != table_pindex(level, base))
		check_bad(&pc->pc_report, 15,
		    "pmap %p va %#jx: table of level %d has pindex %ju, "
		    "expected %ju",
		    (void *)pmap, (uintmax_t)base, level,
		    (uintmax_t)page->pindex,
		    (uintmax_t)table_pindex(level, base));
}

void
pmap_check_entry(
    struct pmap_checker *pc, struct pmap *pmap, struct pv_entry *pv)
{
	struct pv_entry *p;
	struct vm_page *m;
	pt_entry_t pde, pte;
	pte_t *ptep;

	pc->pc_used++;
	if ((pv->pv_va & PAGE_MASK) != 0 || pv->pv_va >= VM_MAXUSER_ADDRESS) {
		check_bad(&pc->pc_report, 5, "pmap %p: pv entry %p has va %#jx",
		    (void *)pmap, (void *)pv, (uintmax_t)pv->pv_va);
		return;
	}
	if (pmap_check_pde_entry(pc, pmap, pv))
		return;
	ptep = pmap_pte_pde(pmap, pv->pv_va, &pde);
	pte = ptep == NULL ? 0 : pte_load(ptep);
	if ((pte & (PG_V | PG_MANAGED)) != (PG_V | PG_MANAGED)) {
		check_bad(&pc->pc_report, 3,
		    "pmap %p: pv entry of va %#jx finds pte %#jx", (void *)pmap,
		    (uintmax_t)pv->pv_va, (uintmax_t)pte);
		return;
	}
	m = PHYS_TO_VM_PAGE(pmap->pm_vp, pte & PG_FRAME);
	if (m == NULL)
		return; /* told by check_leaf() */
	PV_LIST_FOREACH (p, &m->md.pv_list) {
		if (p == pv)
			return;
	}
	check_bad(&pc->pc_report, 7,
	    "pmap %p: pv entry of va %#jx is in use but not on the list "
	    "of page %#jx",
	    (void *)pmap, (uintmax_t)pv->pv_va, (uintmax_t)VM_PAGE_TO_PHYS(m));
}
