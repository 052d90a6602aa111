/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Making the simulated CPUs of a machine and a pmap's part of them.
 */

#include <errno.h>

#include "pmap/mmu.h"

/* Entries of the TLBs; the paging-structure cache has as many ways. */
static const struct {
	uint32_t tlb_sets;
	uint32_t psc_sets;
	uint32_t ways;
} geometry[] = {
	[PMAP_TLB_NONE] = { 0, 0, 0 },
	[PMAP_TLB_DIRECT] = { 64, 8, 1 },
	[PMAP_TLB_ASSOC] = { 16, 4, 4 },
	[PMAP_TLB_ADVERSARIAL] = { 128, 16, 16 },
};

static size_t
table_bytes(const struct mmu_table *mt)
{
	return (
	    (size_t)mt->mt_nsets * mt->mt_nways * sizeof(mt->mt_entries[0]));
}

static int
table_create(
    struct machine *ma, struct mmu_table *mt, uint32_t nsets, uint32_t nways)
{
	mt->mt_nsets = nsets;
	mt->mt_nways = nways;
	mt->mt_entries = kmem_alloc(ma->ma_kmem, table_bytes(mt),
	    CACHE_PAIR_SIZE, M_MACHINE, KMEM_ANYDOMAIN);
	return (mt->mt_entries == NULL ? ENOMEM : 0);
}

static int
cpu_create(struct machine *ma, struct mmu_cpu *mc)
{
	enum pmap_tlb_kind kind = ma->ma_design.d_tlb;
	int error;

	mc->mc_pcid_next = 1;
	mc->mc_pcid_gen = 1;
	if (kind == PMAP_TLB_NONE)
		return (0);
	error = table_create(
	    ma, &mc->mc_tlb, geometry[kind].tlb_sets, geometry[kind].ways);
	if (error == 0)
		error = table_create(ma, &mc->mc_psc, geometry[kind].psc_sets,
		    geometry[kind].ways);
	if (error != 0)
		return (error);
	mc->mc_pending = kmem_alloc(ma->ma_kmem,
	    MMU_WORDS(ma->ma_ncpus) * sizeof(mc->mc_pending[0]), 0, M_MACHINE,
	    KMEM_ANYDOMAIN);
	return (mc->mc_pending == NULL ? ENOMEM : 0);
}

int
mmu_create(struct machine *ma)
{
	struct mmu *mu;
	int error;

	mu = kmem_alloc(ma->ma_kmem, sizeof(*mu), CACHE_PAIR_SIZE, M_MACHINE,
	    KMEM_ANYDOMAIN);
	if (mu == NULL)
		return (ENOMEM);
	ma->ma_mmu = mu;
	mu->mu_ncpus = ma->ma_ncpus;
	mu->mu_tlbs = ma->ma_design.d_tlb != PMAP_TLB_NONE;
	mu->mu_adversarial = ma->ma_design.d_tlb == PMAP_TLB_ADVERSARIAL;
	mu->mu_pcid = !ma->ma_design.d_no_pcid;
	mu->mu_mailbox = mu->mu_tlbs && ma->ma_design.d_ipi == PMAP_IPI_MAILBOX;
	mu->mu_erratum383 = ma->ma_design.d_erratum383;
	mu->mu_pcid_limit = PMAP_PCID_OVERMAX;
	mu->mu_bytes = mu->mu_ncpus * sizeof(mu->mu_cpus[0]);
	mu->mu_cpus = kmem_alloc(ma->ma_kmem, mu->mu_bytes, CACHE_PAIR_SIZE,
	    M_MACHINE, KMEM_ANYDOMAIN);
	if (mu->mu_cpus == NULL)
		return (ENOMEM);
	for (unsigned c = 0; c < mu->mu_ncpus; c++) {
		mu->mu_cpus[c].mc_id = c;
		mu->mu_cpus[c].mc_rng = c + 1;
		error = cpu_create(ma, &mu->mu_cpus[c]);
		if (error != 0)
			return (error);
	}
	if (mu->mu_tlbs)
		ma->ma_vp->vp_clock = &mu->mu_clock;
	return (0);
}

void
mmu_destroy(struct machine *ma)
{
	struct mmu *mu = ma->ma_mmu;
	struct mmu_cpu *mc;

	if (mu == NULL)
		return;
	if (ma->ma_vp != NULL)
		ma->ma_vp->vp_clock = NULL;
	for (unsigned c = 0; mu->mu_cpus != NULL && c < mu->mu_ncpus; c++) {
		mc = &mu->mu_cpus[c];
		kmem_free(ma->ma_kmem, mc->mc_tlb.mt_entries,
		    table_bytes(&mc->mc_tlb), M_MACHINE, KMEM_ANYDOMAIN);
		kmem_free(ma->ma_kmem, mc->mc_psc.mt_entries,
		    table_bytes(&mc->mc_psc), M_MACHINE, KMEM_ANYDOMAIN);
		kmem_free(ma->ma_kmem, (void *)(uintptr_t)mc->mc_pending,
		    MMU_WORDS(mu->mu_ncpus) * sizeof(mc->mc_pending[0]),
		    M_MACHINE, KMEM_ANYDOMAIN);
	}
	kmem_free(
	    ma->ma_kmem, mu->mu_cpus, mu->mu_bytes, M_MACHINE, KMEM_ANYDOMAIN);
	kmem_free(ma->ma_kmem, mu, sizeof(*mu), M_MACHINE, KMEM_ANYDOMAIN);
	ma->ma_mmu = NULL;
}

static size_t
pmap_mmu_bytes(const struct mmu *mu)
{
	return (
	    sizeof(struct pmap_mmu) + mu->mu_ncpus * sizeof(struct pmap_pcid));
}

int
pmap_mmu_alloc(struct pmap *pmap)
{
	struct machine *ma = pmap->pm_machine;

	if (!ma->ma_mmu->mu_tlbs)
		return (0);
	pmap->pm_mmu = kmem_alloc(ma->ma_kmem, pmap_mmu_bytes(ma->ma_mmu),
	    CACHE_PAIR_SIZE, M_PMAP, KMEM_ANYDOMAIN);
	return (pmap->pm_mmu == NULL ? ENOMEM : 0);
}

void
pmap_mmu_free(struct pmap *pmap)
{
	struct machine *ma = pmap->pm_machine;

	if (pmap->pm_mmu != NULL)
		kmem_free(ma->ma_kmem, pmap->pm_mmu, pmap_mmu_bytes(ma->ma_mmu),
		    M_PMAP, KMEM_ANYDOMAIN);
}
