/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The checker's part on superpages: 2 MB leaves, their pv entries, and the page
 * tables that are saved for them.
 */

#include "pmap/pmap_check.h"

static struct pv_list *
superpage_list(struct pmap *pmap, vm_paddr_t pa, const struct vm_page *m)
{
	struct pv_table *pvt = pmap->pm_machine->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, pa, m, &ph);
	return (&ph.ph_md->pv_list);
}

/* The bits of an entry, apart from what is mapped. */
static void
check_pde_bits(
    struct pmap_checker *pc, struct pmap *pmap, vm_offset_t va, pt_entry_t pde)
{
	if ((pde & PG_FRAME & PDRMASK & ~PG_PDE_PAT) != 0)
		check_bad(&pc->pc_report, 22,
		    "pmap %p va %#jx: pde %#jx is not aligned", (void *)pmap,
		    (uintmax_t)va, (uintmax_t)pde);
	if ((pde & (PG_RW | PG_M)) == PG_RW)
		check_bad(&pc->pc_report, 23,
		    "pmap %p va %#jx: pde %#jx is writable but not modified",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pde);
	if ((pde & (PG_W | PG_A)) == PG_W)
		check_bad(&pc->pc_report, 23,
		    "pmap %p va %#jx: pde %#jx is wired but not accessed",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pde);
	if ((pde & (PG_M | PG_RW)) == PG_M)
		check_bad(&pc->pc_report, 24,
		    "pmap %p va %#jx: pde %#jx is modified but not writable",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pde);
	if ((pde & PG_U) == 0 || (pde & PG_G) != 0)
		check_bad(&pc->pc_report, 26,
		    "pmap %p va %#jx: pde %#jx is no user entry", (void *)pmap,
		    (uintmax_t)va, (uintmax_t)pde);
	if ((pde & PG_W) != 0 && pmap->pm_machine->ma_rules.pr_wired_saves_pt &&
	    vm_radix_lookup(&pmap->pm_root, va >> PDRSHIFT) == NULL)
		check_bad(&pc->pc_report, 19,
		    "pmap %p va %#jx: wired superpage without a saved table",
		    (void *)pmap, (uintmax_t)va);
}

/* Page m, the i-th of the superpage. */
static void
check_pde_page(struct pmap_checker *pc, struct pmap *pmap, vm_offset_t va,
    pt_entry_t pde, struct vm_page *m, unsigned i)
{
	vm_paddr_t pa = (pde & PG_PS_FRAME) + (vm_paddr_t)i * PAGE_SIZE;

	va += (vm_offset_t)i * PAGE_SIZE;
	/* Relaxed: quiescent. */
	if (m->order_inv != 0 || pmap_check_special(pc, pa) ||
	    (m->object == NULL &&
		atomic_load_explicit(&m->ref_count, memory_order_relaxed) == 0))
		check_bad(&pc->pc_report, 27,
		    "pmap %p va %#jx: a superpage has page %#jx, which is %s",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pa,
		    pmap_check_special(pc, pa) ? "a table or a chunk" : "free");
	if (((pde & PG_MANAGED) != 0) != ((m->oflags & VPO_UNMANAGED) == 0))
		check_bad(&pc->pc_report, 4,
		    "pmap %p va %#jx: pde %#jx and page %#jx disagree on "
		    "managed",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pde, (uintmax_t)pa);
	if ((pde & PG_MANAGED) == 0)
		return;
	if ((pde & PG_RW) != 0 && (vm_page_aflags(m) & PGA_WRITEABLE) == 0)
		check_bad(&pc->pc_report, 25,
		    "pmap %p va %#jx is writable but page %#jx is not "
		    "PGA_WRITEABLE",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pa);
	if (pmap_check_list(pc, &m->md.pv_list, pa, pmap, va) != 0)
		check_bad(&pc->pc_report, 2,
		    "pmap %p va %#jx: a page of a superpage has a pv entry",
		    (void *)pmap, (uintmax_t)va);
}

void
pmap_check_pde(struct pmap_checker *pc, struct pmap *pmap, vm_offset_t va,
    pt_entry_t pde, struct pmap_tally *pt)
{
	vm_paddr_t pa = pde & PG_PS_FRAME;
	struct vm_page *m = PHYS_TO_VM_PAGE(pmap->pm_vp, pa);
	unsigned i, n;

	pc->pc_super++;
	pt->pt_leaves += NPTEPG;
	if ((pde & PG_W) != 0)
		pt->pt_wired += NPTEPG;
	check_pde_bits(pc, pmap, va, pde);
	if (m == NULL || m->segind == 0) {
		if ((pde & PG_MANAGED) != 0)
			check_bad(&pc->pc_report, 4,
			    "pmap %p va %#jx: managed pde %#jx maps no page",
			    (void *)pmap, (uintmax_t)va, (uintmax_t)pde);
		return;
	}
	for (i = 0; i < NPTEPG; i++)
		check_pde_page(pc, pmap, va, pde, &m[i], i);
	if ((pde & PG_PDE_CACHE) !=
	    (((pt_entry_t)(m->md.pat_mode & 3) << 3) |
		((pt_entry_t)(m->md.pat_mode & 4) << 10)))
		check_bad(&pc->pc_report, 26,
		    "pmap %p va %#jx: pde %#jx has not page %#jx's memory "
		    "type %d",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pde, (uintmax_t)pa,
		    m->md.pat_mode);
	if ((pde & PG_MANAGED) == 0)
		return;
	pc->pc_managed++;
	n = pmap_check_list(pc, superpage_list(pmap, pa, m), pa, pmap, va);
	if (n != 1)
		check_bad(&pc->pc_report, 2,
		    "pmap %p va %#jx: %u pv entries on superpage %#jx, "
		    "expected 1",
		    (void *)pmap, (uintmax_t)va, n, (uintmax_t)pa);
}

bool
pmap_check_pde_entry(
    struct pmap_checker *pc, struct pmap *pmap, struct pv_entry *pv)
{
	pte_t *pdep = pmap_pde(pmap, pv->pv_va);
	struct pv_entry *p;
	pt_entry_t pde;
	vm_paddr_t pa;

	if (pdep == NULL)
		return (false);
	pde = pte_load(pdep);
	if ((pde & (PG_V | PG_PS)) != (PG_V | PG_PS))
		return (false);
	if ((pde & PG_MANAGED) == 0) {
		check_bad(&pc->pc_report, 3,
		    "pmap %p: pv entry of va %#jx finds pde %#jx", (void *)pmap,
		    (uintmax_t)pv->pv_va, (uintmax_t)pde);
		return (true);
	}
	if ((pv->pv_va & PDRMASK) != 0)
		check_bad(&pc->pc_report, 5,
		    "pmap %p: pv entry of a superpage has va %#jx",
		    (void *)pmap, (uintmax_t)pv->pv_va);
	pa = pde & PG_PS_FRAME;
	PV_LIST_FOREACH (
	    p, superpage_list(pmap, pa, PHYS_TO_VM_PAGE(pmap->pm_vp, pa))) {
		if (p == pv)
			return (true);
	}
	check_bad(&pc->pc_report, 7,
	    "pmap %p: pv entry of va %#jx is in use but not on the list of "
	    "superpage %#jx",
	    (void *)pmap, (uintmax_t)pv->pv_va, (uintmax_t)pa);
	return (true);
}

struct saved_check {
	struct pmap_checker *sc_pc;
	struct pmap *sc_pmap;
	struct pmap_tally *sc_pt;
	bool sc_check;
};

/* The 512 entries of a table that a demotion would use as they are. */
static void
check_exact(struct saved_check *sc, const struct vm_page *m, pt_entry_t pde)
{
	vm_offset_t va = m->pindex << PDRSHIFT;
	const pte_t *table = pmap_ptp_to_pte(sc->sc_pmap, m, va);
	vm_paddr_t pa = pde & PG_PS_FRAME;
	pt_entry_t e;
	unsigned i;

	for (i = 0; i < NPTEPG; i++, pa += PAGE_SIZE) {
		e = pte_load(&table[i]);
		if ((e & (PG_FRAME | PG_V | PG_A)) == (pa | PG_V | PG_A))
			continue;
		check_bad(&sc->sc_pc->pc_report, 18,
		    "pmap %p va %#jx: entry %u of the saved table is %#jx",
		    (void *)sc->sc_pmap, (uintmax_t)va, i, (uintmax_t)e);
		return;
	}
}

static void
check_saved(void *arg, struct vm_page *m)
{
	struct saved_check *sc = arg;
	vm_offset_t va = m->pindex << PDRSHIFT;
	pte_t *pdep;
	pt_entry_t pde;

	sc->sc_pt->pt_tables++;
	if (!sc->sc_check) {
		pmap_check_special_add(sc->sc_pc, VM_PAGE_TO_PHYS(m));
		return;
	}
	pdep = pmap_pde(sc->sc_pmap, va);
	pde = pdep == NULL ? 0 : pte_load(pdep);
	if ((pde & (PG_V | PG_PS)) != (PG_V | PG_PS))
		check_bad(&sc->sc_pc->pc_report, 18,
		    "pmap %p va %#jx: saved table where pde is %#jx",
		    (void *)sc->sc_pmap, (uintmax_t)va, (uintmax_t)pde);
	else if (m->valid == SAVED_EXACT)
		check_exact(sc, m, pde);
	if (ptp_ref(m) != NPTEPG ||
	    (m->valid != SAVED_EXACT && m->valid != SAVED_STALE))
		check_bad(&sc->sc_pc->pc_report, 18,
		    "pmap %p va %#jx: saved table has ref_count %u, valid %u",
		    (void *)sc->sc_pmap, (uintmax_t)va, ptp_ref(m), m->valid);
}

void
pmap_check_saved(struct pmap_checker *pc, struct pmap *pmap, bool check,
    struct pmap_tally *pt)
{
	struct saved_check sc = { pc, pmap, pt, check };
	int64_t n = pt->pt_tables;

	vm_radix_foreach(&pmap->pm_root, check_saved, &sc);
	n = pt->pt_tables - n;
	if (check && (uint64_t)n != pmap->pm_nspare)
		check_bad(&pc->pc_report, 18,
		    "pmap %p: %jd saved tables, counted %ju", (void *)pmap,
		    (intmax_t)n, (uintmax_t)pmap->pm_nspare);
}

void
pmap_check_pde_counters(struct pmap_checker *pc)
{
	struct sim *sim = pc->pc_ma->ma_sim;
	uint64_t n;

	n = sim_counter(sim, CTR_PDE_PROMOTIONS) +
	    sim_counter(sim, CTR_PDE_MAPPINGS) -
	    sim_counter(sim, CTR_PDE_DEMOTIONS) -
	    sim_counter(sim, CTR_PDE_DESTROYED);
	if (pc->pc_super != n)
		check_bad(&pc->pc_report, 20,
		    "%ju superpages found, %ju by the counters",
		    (uintmax_t)pc->pc_super, (uintmax_t)n);
}
