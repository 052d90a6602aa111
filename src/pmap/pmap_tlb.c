/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Invalidation: which CPUs are told, and how.
 *
 * Who changed page tables of a pmap
 *   1. declares its contexts dead on all CPUs that do not run it, by the
 *	generation of their PCIDs;
 *   2. then reads pm_active, by an exchange: these CPUs run it;
 *   3. flushes its own TLB, and has those CPUs flush theirs;
 *   4. returns when all have.
 *
 * A CPU that loads the pmap after 2 sees the generation 0, and loads it with a
 * flush (pmap_pcid.c).  One that unloads it meanwhile leaves a dead context.
 * Without PCIDs each load is a flush.
 *
 * ipi=sync: who asks locks the CPU and flushes its TLB.  ipi=mailbox: it writes
 * its request down, sets its bit in each target, and waits until all have acted
 * on it, as each does where it takes interrupts: at its next access or switch, or
 * while it waits itself, without which two that ask each other would wait for
 * ever.  A target that does none of these for a while is interrupted, that is,
 * who asks acts for it.
 *
 * Erratum 383.  A promotion or demotion tells nobody: entries of both sizes for an
 * address agree.  CPUs that take that for a machine check (erratum383=on) are
 * stopped meanwhile, by their locks, and lose what they have of the old size.  All
 * are: one that loads the pmap in between would walk to the old entry.
 *
 * Lock order.  A CPU's slot, then the locks of CPUs, one at a time, which are the
 * last of all; who stops all CPUs takes theirs from the first to the last.  They
 * are leaf locks: an access holds one for a few lines.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c, pmap_invalidate_*(), and x86
 * mp_x86.c, smp_targeted_tlb_shootdown(); pmap_update_pde(), which stops only the
 * CPUs that run the pmap.
 */

#include <string.h>

#include "pmap/mmu.h"

/* Assumed: looks for answers before a CPU is interrupted. */
#define MAILBOX_LOOKS 64

static void
flush(struct mmu_cpu *mc, const struct mmu_request *mr)
{
	if (mmu_current(mc) != mr->mr_pmap)
		return; /* what it may have of the pmap is dead */
	if (mr->mr_eva == MMU_FLUSH_ALL)
		mmu_flush_all(mc);
	else if (mr->mr_eva - mr->mr_sva == PAGE_SIZE)
		mmu_flush_page(mc, mr->mr_sva);
	else
		mmu_flush_range(mc, mr->mr_sva, mr->mr_eva);
}

void
mmu_serve(struct mmu *mu, struct mmu_cpu *mc)
{
	struct mmu_cpu *from;
	uint64_t bits;

	if (!mu->mu_mailbox)
		return;
	for (unsigned w = 0; w < MMU_WORDS(mu->mu_ncpus); w++) {
		/* Relaxed: a look; it costs less than an exchange. */
		if (atomic_load_explicit(
			&mc->mc_pending[w], memory_order_relaxed) == 0)
			continue;
		/* Acquire: pairs with ask(); the requests are there. */
		bits = atomic_exchange_explicit(
		    &mc->mc_pending[w], 0, memory_order_acquire);
		for (; bits != 0; bits &= bits - 1) {
			from = &mu->mu_cpus[w * 64 +
			    (unsigned)__builtin_ctzll(bits)];
			flush(mc, &from->mc_request);
			mc->mc_stats.ms_acks++;
			/* Release: pairs with ask(); it is done. */
			atomic_fetch_sub_explicit(
			    &from->mc_unacked, 1, memory_order_release);
		}
	}
}

static void
serve(struct mmu *mu, struct mmu_cpu *mc)
{
	mmu_cpu_lock(mc);
	mmu_serve(mu, mc);
	mmu_cpu_unlock(mc);
}

/* On this CPU; a context that is not loaded is dead. */
static void
flush_here(struct mmu *mu, struct mmu_cpu *self, const struct mmu_request *mr)
{
	struct pmap_pcid *pp = &mr->mr_pmap->pm_mmu->pm_pcids[self->mc_id];

	mmu_cpu_lock(self);
	if (mmu_current(self) == mr->mr_pmap)
		flush(self, mr);
	else if (mu->mu_pcid)
		/* Relaxed: with the CPU's lock. */
		atomic_store_explicit(&pp->pp_gen, 0, memory_order_relaxed);
	if (mr->mr_eva == MMU_FLUSH_ALL)
		self->mc_stats.ms_alls++;
	else if (mr->mr_eva - mr->mr_sva == PAGE_SIZE)
		self->mc_stats.ms_pages++;
	else
		self->mc_stats.ms_ranges++;
	mmu_cpu_unlock(self);
}

/* The CPUs of set, one after the other, without self. */
#define CPU_FOREACH(c, mu, set, self)                                          \
	for ((c) = 0; (c) < (mu)->mu_ncpus; (c)++)                             \
		if (((set)[(c) / 64] >> (c) % 64 & 1) != 0 &&                  \
		    (c) != (self)->mc_id)

/* The interrupts take time, on both sides. */
static void
charge(struct mmu *mu, const struct mmu_cpu *self, const uint64_t *set)
{
	struct sim *sim = curthread()->td_sim;
	bool begun = false;
	unsigned c;

	CPU_FOREACH(c, mu, set, self)
	{
		if (!begun)
			sim_charge(sim, SIM_IPI, 1);
		begun = true;
		sim_charge(sim, SIM_IPI_TARGET, c);
	}
}

static void
flush_there(struct mmu *mu, struct mmu_cpu *self, const struct mmu_request *mr,
    const uint64_t *set)
{
	struct mmu_cpu *mc;
	unsigned c;

	CPU_FOREACH(c, mu, set, self)
	{
		mc = &mu->mu_cpus[c];
		mmu_cpu_lock(mc);
		flush(mc, mr);
		mc->mc_stats.ms_ipis++;
		mc->mc_stats.ms_acks++;
		mmu_cpu_unlock(mc);
	}
}

/* Interrupt those who do not look. */
static void
interrupt(struct mmu *mu, struct mmu_cpu *self, const uint64_t *set)
{
	unsigned c;

	CPU_FOREACH(c, mu, set, self)
	serve(mu, &mu->mu_cpus[c]);
}

static void
ask(struct mmu *mu, struct mmu_cpu *self, const struct mmu_request *mr,
    const uint64_t *set)
{
	struct sim *sim = curthread()->td_sim;
	unsigned c, looks = 0, n = 0;

	leaf_lock(&self->mc_slot_lock, sim);
	self->mc_request = *mr;
	CPU_FOREACH(c, mu, set, self)
	n++;
	/* Relaxed: told by the bits. */
	atomic_store_explicit(&self->mc_unacked, n, memory_order_relaxed);
	CPU_FOREACH(c, mu, set, self)
	{
		/* Release: pairs with mmu_serve(). */
		atomic_fetch_or_explicit(
		    &mu->mu_cpus[c].mc_pending[self->mc_id / 64],
		    UINT64_C(1) << self->mc_id % 64, memory_order_release);
	}
	/* Acquire: pairs with mmu_serve(); their TLBs are clean. */
	while (atomic_load_explicit(&self->mc_unacked, memory_order_acquire) !=
	    0) {
		serve(mu, self);
		if (++looks % MAILBOX_LOOKS == 0)
			interrupt(mu, self, set);
		else
			sim->sim_ops->so_spin(sim, 1);
	}
	mmu_cpu_lock(self);
	self->mc_stats.ms_ipis += n;
	mmu_cpu_unlock(self);
	leaf_unlock(&self->mc_slot_lock);
}

/* Contexts of the pmap on CPUs other than self are dead, loaded or not. */
static void
forget(const struct mmu *mu, struct pmap *pmap, const struct mmu_cpu *self)
{
	for (unsigned c = 0; mu->mu_pcid && c < mu->mu_ncpus; c++) {
		if (c != self->mc_id)
			/* Relaxed: told by read_active(). */
			atomic_store_explicit(&pmap->pm_mmu->pm_pcids[c].pp_gen,
			    0, memory_order_relaxed);
	}
}

static void
read_active(const struct mmu *mu, struct pmap *pmap, uint64_t *set)
{
	for (unsigned w = 0; w < MMU_WORDS(mu->mu_ncpus); w++)
		/*
		 * Acquire-release, and a write, of what was there: a CPU that
		 * sets its bit later reads from here, and so sees the changed
		 * entry and the generation.  Pairs with active_set().
		 */
		set[w] = atomic_fetch_or_explicit(
		    &pmap->pm_mmu->pm_active[w], 0, memory_order_acq_rel);
}

static void
shootdown(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva)
{
	struct machine *ma = pmap->pm_machine;
	struct mmu *mu = ma->ma_mmu;
	struct mmu_cpu *self = &mu->mu_cpus[curthread()->td_cpu];
	const struct mmu_request mr = {
		.mr_pmap = pmap,
		.mr_sva = sva,
		.mr_eva = eva,
	};
	uint64_t set[MMU_WORDS(MACHINE_CPU_MAX)];

	if (BUG(ma, b5)) {
		read_active(mu, pmap, set);
		TEST_POINT(ma, TP_INVL_SENT);
		forget(mu, pmap, self);
	} else {
		forget(mu, pmap, self);
		TEST_POINT(ma, TP_INVL_SENT);
		read_active(mu, pmap, set);
	}
	flush_here(mu, self, &mr);
	charge(mu, self, set);
	if (mu->mu_mailbox)
		ask(mu, self, &mr, set);
	else
		flush_there(mu, self, &mr, set);
}

void
pmap_tlb_page(struct pmap *pmap, vm_offset_t va)
{
	va &= ~(vm_offset_t)PAGE_MASK;
	shootdown(pmap, va, va + PAGE_SIZE);
}

void
pmap_tlb_range(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva)
{
	if (eva - sva >= PMAP_INVLPG_THRESHOLD)
		eva = MMU_FLUSH_ALL;
	shootdown(pmap, sva, eva);
}

void
pmap_tlb_all(struct pmap *pmap)
{
	shootdown(pmap, 0, MMU_FLUSH_ALL);
}

void
pmap_tlb_pde_page(struct pmap *pmap, vm_offset_t va, pt_entry_t pde)
{
	if ((pde & PG_PROMOTED) != 0 && !BUG(pmap->pm_machine, b6))
		pmap_tlb_range(pmap, va & ~PDRMASK, (va & ~PDRMASK) + NBPDR);
	else
		pmap_tlb_page(pmap, va);
}

/* Of a CPU that is stopped. */
static void
update_cpu(struct mmu *mu, struct mmu_cpu *mc, struct pmap *pmap,
    vm_offset_t va, bool promotes)
{
	if (mmu_current(mc) != pmap) {
		if (mu->mu_pcid)
			/* Relaxed: with the CPU's lock. */
			atomic_store_explicit(
			    &pmap->pm_mmu->pm_pcids[mc->mc_id].pp_gen, 0,
			    memory_order_relaxed);
		return;
	}
	if (promotes) {
		/* 512 pages, and the page table: too much to go one by one. */
		mmu_flush_all(mc);
		mc->mc_stats.ms_alls++;
	} else {
		mmu_flush_page(mc, va);
		mc->mc_stats.ms_pages++;
	}
}

void
pmap_tlb_update_pde(
    struct pmap *pmap, vm_offset_t va, pte_t *pde, pt_entry_t newpde)
{
	struct mmu *mu = pmap->pm_machine->ma_mmu;
	struct mmu_cpu *mc, *self = &mu->mu_cpus[curthread()->td_cpu];
	uint64_t set[MMU_WORDS(MACHINE_CPU_MAX)];
	unsigned c;

	if (BUG(pmap->pm_machine, e383)) {
		pte_store(pde, newpde);
		return;
	}
	read_active(mu, pmap, set);
	charge(mu, self, set);
	for (c = 0; c < mu->mu_ncpus; c++)
		mmu_cpu_lock(&mu->mu_cpus[c]);
	pte_store(pde, newpde);
	for (c = 0; c < mu->mu_ncpus; c++) {
		mc = &mu->mu_cpus[c];
		if (mc != self && mmu_current(mc) == pmap) {
			mc->mc_stats.ms_ipis++;
			mc->mc_stats.ms_acks++;
		}
		update_cpu(mu, mc, pmap, va, (newpde & PG_PS) != 0);
	}
	for (c = 0; c < mu->mu_ncpus; c++)
		mmu_cpu_unlock(&mu->mu_cpus[c]);
}
