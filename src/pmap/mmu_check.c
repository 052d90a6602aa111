/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Invariants 31 to 33: what TLBs remember agrees with the page tables, who runs a
 * pmap is known, and no access went astray.
 *
 * 31.	An entry of a context that is loaded, or can be loaded without a flush,
 *	translates as the page tables do, with no right that they do not give.  A
 *	right to write counts only with modified: without it the CPU walks before
 *	it writes.  The 4 KB leaf is accessed.  The page table that is remembered
 *	for 2 MB is the one that is there, or was before they were promoted.
 * 32.	pm_active is who runs the pmap; and on one CPU no two contexts that can be
 *	loaded without a flush share a PCID.
 * 33.	No violation of frame epochs was recorded, nor of erratum 383.
 *
 * At quiescence; the CPUs are locked one by one.
 */

#include "kern/check_report.h"
#include "pmap/mmu.h"

struct check {
	struct machine *c_ma;
	struct check_report c_report;
};

/* Would pmap be loaded on mc without a flush, or is it loaded? */
static bool
context_lives(
    const struct mmu *mu, const struct mmu_cpu *mc, const struct pmap *pmap)
{
	const struct pmap_pcid *pp = &pmap->pm_mmu->pm_pcids[mc->mc_id];

	/* Relaxed: at rest. */
	return (mmu_current(mc) == pmap ||
	    (mu->mu_pcid && pmap->pm_live &&
		atomic_load_explicit(&pp->pp_gen, memory_order_relaxed) ==
		    mc->mc_pcid_gen));
}

static uint32_t
context_pcid(
    const struct mmu *mu, const struct mmu_cpu *mc, const struct pmap *pmap)
{
	/* Relaxed: at rest. */
	return (!mu->mu_pcid ? 0
			     : atomic_load_explicit(
				   &pmap->pm_mmu->pm_pcids[mc->mc_id].pp_pcid,
				   memory_order_relaxed));
}

/* The leaf of va; *framep: the 4 KB frame there. */
static pt_entry_t
leaf_of(
    const struct pmap *pmap, vm_offset_t va, vm_paddr_t *framep, bool *large)
{
	pte_t *p = pmap_pde(pmap, va);
	pt_entry_t e = p != NULL ? pte_load(p) : 0;

	*large = (e & (PG_V | PG_PS)) == (PG_V | PG_PS);
	if (*large) {
		*framep = (e & PG_PS_FRAME) |
		    (va & PDRMASK & ~(vm_offset_t)PAGE_MASK);
		return (e);
	}
	if ((e & PG_V) != 0)
		e = pte_load(pmap_pde_to_pte(pmap, e, va));
	*framep = e & PG_FRAME;
	return ((e & PG_V) != 0 ? e : 0);
}

static const char *
rights_of(pt_entry_t e)
{
	static const char *const names[] = { "r-", "rw", "r-x", "rwx" };

	return (names[((e & PG_NX) == 0 ? 2 : 0) + ((e & PG_RW) != 0 ? 1 : 0)]);
}

/* One address of a translation. */
static bool
check_translation(struct check *c, const struct mmu_cpu *mc,
    const struct mmu_entry *me, vm_offset_t va)
{
	vm_paddr_t frame, has;
	pt_entry_t e;
	bool large;

	e = leaf_of(me->me_pmap, va, &frame, &large);
	has = (me->me_pte & (me->me_kind == MMU_2M ? PG_PS_FRAME : PG_FRAME)) +
	    (me->me_kind == MMU_2M ? va & PDRMASK : 0);
	if (e == 0 || frame != has)
		check_bad(&c->c_report, 31,
		    "CPU %u: va %#jx of pmap %p leads to %#jx, the page tables "
		    "say %#jx",
		    mc->mc_id, (uintmax_t)va, (void *)me->me_pmap,
		    (uintmax_t)has, (uintmax_t)frame);
	else if (((me->me_pte & (PG_RW | PG_M)) == (PG_RW | PG_M) &&
		     (e & PG_RW) == 0) ||
	    ((me->me_pte & PG_NX) == 0 && (e & PG_NX) != 0))
		check_bad(&c->c_report, 31,
		    "CPU %u: va %#jx of pmap %p is %s, the page tables say %s",
		    mc->mc_id, (uintmax_t)va, (void *)me->me_pmap,
		    rights_of(me->me_pte), rights_of(e));
	else if (!large && (e & PG_A) == 0)
		check_bad(&c->c_report, 31,
		    "CPU %u: va %#jx of pmap %p is remembered, and not "
		    "accessed in the page tables",
		    mc->mc_id, (uintmax_t)va, (void *)me->me_pmap);
	else
		return (true);
	return (false);
}

static void
check_entry(
    struct check *c, const struct mmu_cpu *mc, const struct mmu_entry *me)
{
	vm_offset_t va;
	pt_entry_t e;
	pte_t *p;

	if (me->me_kind == MMU_4K) {
		(void)check_translation(c, mc, me, me->me_va);
	} else if (me->me_kind == MMU_2M) {
		for (va = me->me_va; va <= (me->me_va | PDRMASK);
		     va += PAGE_SIZE) {
			if (!check_translation(c, mc, me, va))
				break;
		}
	} else {
		p = pmap_pde(me->me_pmap, me->me_va);
		e = p != NULL ? pte_load(p) : 0;
		if ((e & PG_V) == 0 ||
		    ((e & PG_PS) == 0 && (e & PG_FRAME) != me->me_pte))
			check_bad(&c->c_report, 31,
			    "CPU %u: va %#jx of pmap %p: page table %#jx, the "
			    "directory says %#jx",
			    mc->mc_id, (uintmax_t)me->me_va,
			    (void *)me->me_pmap, (uintmax_t)me->me_pte,
			    (uintmax_t)e);
	}
}

static void
check_table(
    struct check *c, const struct mmu_cpu *mc, const struct mmu_table *mt)
{
	const struct mmu *mu = c->c_ma->ma_mmu;
	const struct mmu_entry *me;

	for (uint32_t i = 0; i < mt->mt_nsets * mt->mt_nways; i++) {
		me = &mt->mt_entries[i];
		if (me->me_kind != MMU_EMPTY &&
		    context_lives(mu, mc, me->me_pmap) &&
		    context_pcid(mu, mc, me->me_pmap) == me->me_pcid)
			check_entry(c, mc, me);
	}
}

/* Invariant 32 of one pmap on one CPU; seen: PCIDs of live contexts. */
static void
check_context(struct check *c, const struct mmu_cpu *mc,
    const struct pmap *pmap, uint64_t *seen)
{
	const struct mmu *mu = c->c_ma->ma_mmu;
	uint32_t pcid;
	bool active;

	/* Relaxed: at rest. */
	active = (atomic_load_explicit(&pmap->pm_mmu->pm_active[mc->mc_id / 64],
		      memory_order_relaxed) >>
			 mc->mc_id % 64 &
		     1) != 0;
	if (active != (mmu_current(mc) == pmap))
		check_bad(&c->c_report, 32,
		    "CPU %u: pmap %p is %s, pm_active says %s", mc->mc_id,
		    (const void *)pmap, active ? "not loaded" : "loaded",
		    active ? "so" : "not");
	if (!mu->mu_pcid || !context_lives(mu, mc, pmap))
		return;
	pcid = context_pcid(mu, mc, pmap);
	if ((seen[pcid / 64] >> pcid % 64 & 1) != 0)
		check_bad(&c->c_report, 32,
		    "CPU %u: two pmaps have PCID %u, one is %p", mc->mc_id,
		    pcid, (const void *)pmap);
	seen[pcid / 64] |= UINT64_C(1) << pcid % 64;
}

static void
report(struct check *c, const struct mmu_violation *mv)
{
	if (mv->mv_mixed)
		check_bad(&c->c_report, 33,
		    "CPU %u: entries of 2 MB and of 4 KB at va %#jx",
		    mv->mv_cpu, (uintmax_t)mv->mv_va);
	else
		check_bad(&c->c_report, 33,
		    "CPU %u: va %#jx was %s through a stale translation: %s "
		    "%#jx had been freed",
		    mv->mv_cpu, (uintmax_t)mv->mv_va,
		    mv->mv_table       ? "walked"
			: mv->mv_write ? "written"
				       : "read",
		    mv->mv_table ? "page table" : "frame",
		    (uintmax_t)mv->mv_pa);
}

unsigned
mmu_check(struct machine *ma, void (*fn)(void *arg, int inv, const char *text),
    void *arg)
{
	struct check c = { .c_ma = ma,
		.c_report = { .cr_fn = fn, .cr_arg = arg } };
	struct mmu *mu = ma->ma_mmu;
	struct mmu_violation mv[MMU_NREPORTS];
	struct mmu_cpu *mc;
	struct pmap *pmap;
	uint64_t n;

	if (!mu->mu_tlbs)
		return (0);
	mtx_lock(&ma->ma_zone_mtx);
	for (unsigned i = 0; i < mu->mu_ncpus; i++) {
		uint64_t seen[PMAP_PCID_OVERMAX / 64] = { 0 };

		mc = &mu->mu_cpus[i];
		mmu_cpu_lock(mc);
		check_table(&c, mc, &mc->mc_tlb);
		check_table(&c, mc, &mc->mc_psc);
		TAILQ_FOREACH (pmap, &ma->ma_pmaps, pm_zone_all)
			check_context(&c, mc, pmap, seen);
		mmu_cpu_unlock(mc);
	}
	mtx_unlock(&ma->ma_zone_mtx);
	n = mmu_violations(ma, mv, MMU_NREPORTS);
	for (uint64_t i = 0; i < n && i < MMU_NREPORTS; i++)
		report(&c, &mv[i]);
	return (c.c_report.cr_n);
}
