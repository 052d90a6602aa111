/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Looking at pmaps from outside: counts, all mappings in order; what differs
 * between FreeBSD's versions; limits for tests.
 */

#include "pmap/pmap_var.h"

/*
 * Source: releng/12.1, releng/12.3, main of July 2022 and of 2024, amd64 pmap.c.
 */
const struct pmap_rules pmap_rules[PMAP_VERSION_COUNT] = {
	[PMAP_MAIN] = {
		.pr_quick_promotes = true,
		.pr_noreplace_space = true,
		.pr_wired_saves_pt = true,
		.pr_counts_root = true,
	},
	[PMAP_14] = {
		.pr_promote_needs_a = true,
		.pr_counts_root = true,
	},
	[PMAP_12_3] = {
		.pr_promote_needs_a = true,
		.pr_copy_keeps_a = true,
		.pr_copy_leaves_pd = true,
	},
	[PMAP_12_1] = {
		.pr_promote_needs_a = true,
		.pr_copy_keeps_a = true,
		.pr_copy_leaves_pd = true,
		.pr_protect_x_dirties = true,
	},
};

uint64_t
pmap_resident_count(struct pmap *pmap)
{
	PMAP_OPERATION(pmap->pm_machine);
	return ((uint64_t)pmap_resident(pmap));
}

uint64_t
pmap_wired_count(struct pmap *pmap)
{
	PMAP_OPERATION(pmap->pm_machine);
	int64_t n;

	PMAP_LOCK(pmap);
	n = pmap->pm_stats.wired_count;
	PMAP_UNLOCK(pmap);
	return ((uint64_t)n);
}

uint64_t
pmap_spare_count(struct pmap *pmap)
{
	PMAP_OPERATION(pmap->pm_machine);
	uint64_t n;

	PMAP_LOCK(pmap);
	n = pmap->pm_nspare;
	PMAP_UNLOCK(pmap);
	return (n);
}

/* Tables that table, of a level above 1, leads to. */
static uint64_t
count_tables(struct pmap *pmap, const pte_t *table, int level)
{
	uint64_t n = 0;
	pt_entry_t e;
	unsigned i;

	for (i = 0; i < NPTEPG; i++) {
		e = pte_load(&table[i]);
		if ((e & PG_V) == 0 || (level == 2 && (e & PG_PS) != 0))
			continue;
		n++;
		if (level > 2)
			n += count_tables(
			    pmap, pmap_table(pmap->pm_vp, e), level - 1);
	}
	return (n);
}

uint64_t
pmap_table_count(struct pmap *pmap)
{
	PMAP_OPERATION(pmap->pm_machine);
	uint64_t n;

	PMAP_LOCK(pmap);
	n = count_tables(pmap, pmap->pm_pml4, 4);
	PMAP_UNLOCK(pmap);
	return (n);
}

void
pmap_walk(struct pmap *pmap,
    void (*fn)(void *arg, vm_offset_t va, pt_entry_t entry, vm_size_t size),
    void *arg)
{
	PMAP_OPERATION(pmap->pm_machine);
	vm_offset_t end, va = 0;
	pt_entry_t e;
	pte_t *pde, *pte;

	PMAP_LOCK(pmap);
	for (;
	     (pde = pmap_next_pde(pmap, &va, VM_MAXUSER_ADDRESS, &end)) != NULL;
	     va = end) {
		e = pte_load(pde);
		if ((e & PG_PS) != 0) {
			fn(arg, va, e, NBPDR);
			continue;
		}
		for (pte = pmap_pde_to_pte(pmap, e, va); va < end;
		     va += PAGE_SIZE, pte++) {
			e = pte_load(pte);
			if ((e & PG_V) != 0)
				fn(arg, va, e, PAGE_SIZE);
		}
	}
	PMAP_UNLOCK(pmap);
}

void
pmap_pde_stats(struct machine *ma, struct pmap_pde_stats *pds)
{
	pds->pds_promotions = sim_counter(ma->ma_sim, CTR_PDE_PROMOTIONS);
	pds->pds_demotions = sim_counter(ma->ma_sim, CTR_PDE_DEMOTIONS);
	pds->pds_p_failures = sim_counter(ma->ma_sim, CTR_PDE_P_FAILURES);
	pds->pds_mappings = sim_counter(ma->ma_sim, CTR_PDE_MAPPINGS);
}

void
pmap_limit(struct machine *ma, int64_t pt_pages, int64_t pv_chunks)
{
	/* Relaxed: no operation is under way. */
	atomic_store_explicit(&ma->ma_pt_limit, pt_pages, memory_order_relaxed);
	/* Relaxed: as above. */
	atomic_store_explicit(
	    &ma->ma_pv_limit, pv_chunks, memory_order_relaxed);
}
