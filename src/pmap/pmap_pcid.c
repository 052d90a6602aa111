/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Loading a pmap on a CPU, and process-context identifiers.
 *
 * With PCIDs a CPU keeps the translations of address spaces that it does not run
 * now.  A pmap has a PCID on each CPU, and the generation of that CPU's PCIDs in
 * which it got it.  If that is still the CPU's generation the context is good and
 * is loaded without a flush; otherwise the pmap gets the next PCID of the CPU,
 * loaded with one.  When a CPU runs out of PCIDs it starts anew with another
 * generation, by which all contexts are dead.  Generation 0 is no CPU's: who
 * invalidates stores it for the CPUs that do not run the pmap.
 *
 * Order.  A CPU sets its bit in pm_active, and then looks at the generation and
 * loads the tables; who invalidates stores 0 as the generation, and then looks at
 * pm_active.  Both do that by an atomic exchange of the same word, so one is
 * first: either the CPU sees the 0, or it is told.  The other way round it could
 * be neither (B5).
 *
 * Source: FreeBSD main (2024), amd64 pmap.c, pmap_pcid_alloc() and
 * pmap_activate_sw().
 */

#include "pmap/mmu.h"

/* A PCID for pmap.  Returns whether what the TLB has under it is good. */
static bool
pcid_alloc(struct mmu *mu, struct mmu_cpu *mc, struct pmap_pcid *pp)
{
	/* Relaxed: the exchange of pm_active came first. */
	if (atomic_load_explicit(&pp->pp_gen, memory_order_relaxed) ==
	    mc->mc_pcid_gen) {
		mc->mc_stats.ms_pcid_saves++;
		return (true);
	}
	if (mc->mc_pcid_next == mu->mu_pcid_limit) {
		if (++mc->mc_pcid_gen == 0)
			mc->mc_pcid_gen = 1;
		mc->mc_pcid_next = 1;
	}
	/* Relaxed, both: with the CPU's lock. */
	atomic_store_explicit(
	    &pp->pp_pcid, mc->mc_pcid_next++, memory_order_relaxed);
	/* Relaxed: as above. */
	atomic_store_explicit(
	    &pp->pp_gen, mc->mc_pcid_gen, memory_order_relaxed);
	return (false);
}

static void
active_set(struct pmap *pmap, unsigned cpu)
{
	/* Acquire-release: pairs with read_active(); see above. */
	atomic_fetch_or_explicit(&pmap->pm_mmu->pm_active[cpu / 64],
	    UINT64_C(1) << cpu % 64, memory_order_acq_rel);
}

static void
active_clear(struct pmap *pmap, unsigned cpu)
{
	/* Release: accesses before it were made before nobody asks us. */
	atomic_fetch_and_explicit(&pmap->pm_mmu->pm_active[cpu / 64],
	    ~(UINT64_C(1) << cpu % 64), memory_order_release);
}

void
mmu_load(struct mmu *mu, struct mmu_cpu *mc, struct pmap *pmap)
{
	struct pmap *old = mmu_current(mc);
	struct pmap_pcid *pp;
	bool cached = false;

	if (old == pmap)
		return;
	mc->mc_stats.ms_switches++;
	if (pmap != NULL && mu->mu_tlbs) {
		active_set(pmap, mc->mc_id);
		if (mu->mu_pcid) {
			pp = &pmap->pm_mmu->pm_pcids[mc->mc_id];
			cached = pcid_alloc(mu, mc, pp);
			/* Relaxed: with the CPU's lock. */
			mc->mc_pcid = atomic_load_explicit(
			    &pp->pp_pcid, memory_order_relaxed);
		}
	}
	/* Relaxed: see mmu_current(). */
	atomic_store_explicit(&mc->mc_pmap, pmap, memory_order_relaxed);
	if (mu->mu_tlbs) {
		if (!cached && (pmap != NULL || !mu->mu_pcid))
			mmu_flush_all(mc);
		if (old != NULL)
			active_clear(old, mc->mc_id);
	}
}

void
pmap_activate(struct pmap *pmap, unsigned cpu)
{
	struct mmu *mu = pmap->pm_machine->ma_mmu;
	struct mmu_cpu *mc = &mu->mu_cpus[cpu];

	KASSERT(cpu < mu->mu_ncpus, ("no CPU %u", cpu));
	KASSERT(pmap->pm_live, ("pmap %p is not alive", (void *)pmap));
	mmu_cpu_lock(mc);
	mmu_serve(mu, mc);
	mmu_load(mu, mc, pmap);
	mmu_cpu_unlock(mc);
}

void
pmap_deactivate(struct machine *ma, unsigned cpu)
{
	struct mmu *mu = ma->ma_mmu;
	struct mmu_cpu *mc = &mu->mu_cpus[cpu];

	KASSERT(cpu < mu->mu_ncpus, ("no CPU %u", cpu));
	mmu_cpu_lock(mc);
	mmu_serve(mu, mc);
	mmu_load(mu, mc, NULL);
	mmu_cpu_unlock(mc);
}

void
pmap_mmu_init(struct pmap *pmap)
{
	struct pmap_mmu *pm = pmap->pm_mmu;

	if (pm == NULL)
		return;
	/* Relaxed, all: the pmap is loaded nowhere. */
	for (unsigned c = 0; c < pmap->pm_machine->ma_mmu->mu_ncpus; c++)
		atomic_store_explicit(
		    &pm->pm_pcids[c].pp_gen, 0, memory_order_relaxed);
}

void
pmap_mmu_assert_idle(struct pmap *pmap)
{
	struct mmu *mu = pmap->pm_machine->ma_mmu;

	for (unsigned c = 0; INVARIANTS_ENABLED && c < mu->mu_ncpus; c++)
		KASSERT(mmu_current(&mu->mu_cpus[c]) != pmap,
		    ("pmap %p is released and loaded on CPU %u", (void *)pmap,
			c));
}
