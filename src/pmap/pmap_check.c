/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The checker of the pmap layer: walks every pmap, chunk, list and header at
 * quiescence and tells what does not hold.  The numbers are used in reports and
 * tests; those that are missing belong to what is not modelled yet.
 *
 *	 1  a managed leaf has exactly one pv entry on its page's list
 *	 2  a managed superpage has exactly one, on its superpage's list
 *	 3  a pv entry resolves to a valid leaf that maps that page
 *	 4  managed leaves map managed pages, unmanaged ones unmanaged pages
 *	 5  a pv entry's va is page aligned and a user address
 *	 6  the dummy header's list is empty
 *	 7  a chunk's bit is clear exactly if its entry is on a list
 *	 8  a chunk is on its pmap's list once and on its LRU once
 *	 9  no chunk is wholly free; full ones come last
 *	10  no marker on an LRU, no reclaim under way
 *	11  chunks, entries and leaves add up with the counters
 *	12  a chunk's page is wired, without object, and not mapped
 *	13  resident_count        14  wired_count
 *	15  a table's ref_count is its number of entries; pindex fits its place
 *	16  table pages add up with the counters; each is reached once
 *	17  no empty table is linked
 *	18  a saved table belongs to a superpage, is whole and says its state
 *	19  a wired superpage has a saved table
 *	20  superpages add up with the counters
 *	21  nothing is left of a released pmap
 *	22  superpages are aligned; PTEs never have the promoted bit
 *	23  an unmanaged writable leaf is modified; so is a managed writable
 *	    superpage, and a wired one is accessed
 *	24  modified implies writable
 *	25  a managed writable leaf's page is PGA_WRITEABLE
 *	26  leaves are user leaves, with the page's memory type
 *	27  a leaf's page is allocated, and no table or chunk
 *	37  one header for each superpage, whichever segment it is looked up from
 *	43  every lock is at rest, nobody holds a pv list lock
 *	44  the profile's lists of held locks are empty
 *
 * 30 is pmap_di_check()'s, 31 to 33 are mmu_check()'s, 34 to 39 vm_phys_check()'s;
 * 28 and 29 concern the map above, which is not modelled.
 *
 * The walk is in three directions, tables to entries, entries to tables, and lists
 * to both, because each misses what hides in the others.
 */

#include <stdlib.h>

#include "lock/lock_profile.h"
#include "pmap/pmap_check.h"

void
pmap_check_special_add(struct pmap_checker *pc, vm_paddr_t pa)
{
	vm_paddr_t *p;

	if (pc->pc_nspecial == pc->pc_capspecial) {
		pc->pc_capspecial = pc->pc_capspecial * 2 + 64;
		p = realloc(pc->pc_special,
		    pc->pc_capspecial * sizeof(pc->pc_special[0]));
		if (p == NULL)
			panic("pmap_check: out of host memory");
		pc->pc_special = p;
	}
	pc->pc_special[pc->pc_nspecial++] = pa;
}

static int
pa_compare(const void *a, const void *b)
{
	vm_paddr_t x = *(const vm_paddr_t *)a, y = *(const vm_paddr_t *)b;

	return ((x > y) - (x < y));
}

bool
pmap_check_special(const struct pmap_checker *pc, vm_paddr_t pa)
{
	return (pc->pc_nspecial != 0 &&
	    bsearch(&pa, pc->pc_special, pc->pc_nspecial, sizeof(pa),
		pa_compare) != NULL);
}

static int
place_compare(const void *a, const void *b)
{
	const struct lru_place *x = a, *y = b;
	uintptr_t u = (uintptr_t)x->lp_chunk, v = (uintptr_t)y->lp_chunk;

	return ((u > v) - (u < v));
}

/* Write down who is on which LRU: to look there anew for each chunk is too slow. */
static void
collect_lrus(struct pmap_checker *pc)
{
	struct machine *ma = pc->pc_ma;
	struct pv_chunk *chunk;
	size_t n = 0;

	for (int i = 0; i < ma->ma_nchunklists; i++) {
		TAILQ_FOREACH (chunk, &ma->ma_chunks[i]->pvc_list, pc_lru)
			n++;
	}
	if (n == 0)
		return;
	pc->pc_lru = malloc(n * sizeof(pc->pc_lru[0]));
	if (pc->pc_lru == NULL)
		panic("pmap_check: out of host memory");
	for (int i = 0; i < ma->ma_nchunklists; i++) {
		TAILQ_FOREACH (chunk, &ma->ma_chunks[i]->pvc_list, pc_lru)
			pc->pc_lru[pc->pc_nlru++] =
			    (struct lru_place){ chunk, ma->ma_chunks[i] };
	}
	qsort(pc->pc_lru, n, sizeof(pc->pc_lru[0]), place_compare);
}

/* Is chunk once on its LRU, and on no other? */
static bool
lru_has(const struct pmap_checker *pc, struct pv_chunk *chunk)
{
	const struct lru_place want = { .lp_chunk = chunk };
	const struct lru_place *lp;
	size_t i;

	if (pc->pc_nlru == 0)
		return (false);
	lp = bsearch(
	    &want, pc->pc_lru, pc->pc_nlru, sizeof(want), place_compare);
	if (lp == NULL || lp->lp_list != pv_chunk_list_of(pc->pc_ma, chunk))
		return (false);
	/* A second time would be next to it. */
	i = (size_t)(lp - pc->pc_lru);
	return ((i == 0 || lp[-1].lp_chunk != chunk) &&
	    (i + 1 == pc->pc_nlru || lp[1].lp_chunk != chunk));
}

static void
check_chunk(struct pmap_checker *pc, struct pmap *pmap, struct pv_chunk *chunk,
    bool *full_seen)
{
	struct vm_phys *vp = pmap->pm_vp;
	vm_paddr_t pa = (vm_paddr_t)((char *)chunk - vp->vp_dmap);
	struct vm_page *m = PHYS_TO_VM_PAGE(vp, pa);
	unsigned i, nfree = 0;

	pc->pc_chunks++;
	if (chunk->pc_pmap != pmap)
		check_bad(&pc->pc_report, 8,
		    "chunk %#jx of pmap %p says its pmap is %p", (uintmax_t)pa,
		    (void *)pmap, (void *)chunk->pc_pmap);
	if (!lru_has(pc, chunk))
		check_bad(&pc->pc_report, 8,
		    "chunk %#jx is not once on its LRU", (uintmax_t)pa);
	/* Relaxed: quiescent. */
	if (m->object != NULL || m->order_inv != 0 ||
	    atomic_load_explicit(&m->ref_count, memory_order_relaxed) != 1)
		check_bad(&pc->pc_report, 12,
		    "chunk page %#jx is not a wired page without "
		    "object",
		    (uintmax_t)pa);
	if ((chunk->pc_map[2] & ~PC_FREE2) != 0)
		check_bad(&pc->pc_report, 7, "chunk %#jx: bitmap tail %#jx",
		    (uintmax_t)pa, (uintmax_t)chunk->pc_map[2]);
	for (i = 0; i < _NPCPV; i++) {
		if ((chunk->pc_map[i / 64] >> (i % 64) & 1) != 0)
			nfree++;
		else
			pmap_check_entry(pc, pmap, &chunk->pc_pventry[i]);
	}
	if (nfree == _NPCPV)
		check_bad(&pc->pc_report, 9, "chunk %#jx is wholly free",
		    (uintmax_t)pa);
	if (nfree == 0)
		*full_seen = true;
	else if (*full_seen && !pmap->pm_chunk_quirk)
		check_bad(&pc->pc_report, 9,
		    "chunk %#jx has free entries behind a full one",
		    (uintmax_t)pa);
}

static void
check_pmap(struct pmap_checker *pc, struct pmap *pmap)
{
	struct pmap_tally pt = { 0 };
	struct pv_chunk *chunk;
	bool full_seen = false;
	int64_t resident;

	/* Relaxed: quiescent. */
	if (atomic_load_explicit(
		&pmap->pm_mtx.mtx_lock, memory_order_relaxed) != MTX_UNOWNED)
		check_bad(
		    &pc->pc_report, 43, "pmap %p is locked", (void *)pmap);
	if (!pmap->pm_live) {
		if (pmap_resident(pmap) != 0 ||
		    !TAILQ_EMPTY(&pmap->pm_pvchunk) ||
		    !vm_radix_is_empty(&pmap->pm_root))
			check_bad(&pc->pc_report, 21,
			    "released pmap %p: resident count %jd",
			    (void *)pmap, (intmax_t)pmap_resident(pmap));
		return;
	}
	pmap_check_table(pc, pmap, pmap->pm_pml4, 4, 0, NULL, true, &pt);
	TAILQ_FOREACH (chunk, &pmap->pm_pvchunk, pc_list)
		check_chunk(pc, pmap, chunk, &full_seen);
	pmap_check_saved(pc, pmap, true, &pt);
	resident = pt.pt_leaves + pt.pt_tables +
	    pmap->pm_machine->ma_rules.pr_counts_root;
	if (pmap_resident(pmap) != resident)
		check_bad(&pc->pc_report, 13,
		    "pmap %p: resident count %jd, expected %jd (%jd "
		    "leaves, %jd tables, root)",
		    (void *)pmap, (intmax_t)pmap_resident(pmap),
		    (intmax_t)resident, (intmax_t)pt.pt_leaves,
		    (intmax_t)pt.pt_tables);
	if (pmap->pm_stats.wired_count != pt.pt_wired)
		check_bad(&pc->pc_report, 14,
		    "pmap %p: wired count %jd, %jd leaves are wired",
		    (void *)pmap, (intmax_t)pmap->pm_stats.wired_count,
		    (intmax_t)pt.pt_wired);
	pc->pc_tables += (uint64_t)pt.pt_tables;
}

/* Pass 1: which pages are tables and chunks; the shape of the tables. */
static void
collect_pmap(struct pmap_checker *pc, struct pmap *pmap)
{
	struct pmap_tally pt = { 0 };
	struct pv_chunk *chunk;

	pmap_check_special_add(pc, VM_PAGE_TO_PHYS(pmap->pm_root_page));
	pmap_check_table(pc, pmap, pmap->pm_pml4, 4, 0, NULL, false, &pt);
	pmap_check_saved(pc, pmap, false, &pt);
	TAILQ_FOREACH (chunk, &pmap->pm_pvchunk, pc_list)
		pmap_check_special_add(
		    pc, (vm_paddr_t)((char *)chunk - pmap->pm_vp->vp_dmap));
}

static void
check_special(struct pmap_checker *pc)
{
	size_t i;

	if (pc->pc_nspecial == 0)
		return;
	qsort(pc->pc_special, pc->pc_nspecial, sizeof(pc->pc_special[0]),
	    pa_compare);
	for (i = 1; i < pc->pc_nspecial; i++) {
		if (pc->pc_special[i] == pc->pc_special[i - 1])
			check_bad(&pc->pc_report, 16,
			    "page %#jx is a table or chunk twice",
			    (uintmax_t)pc->pc_special[i]);
	}
}

static void
check_lrus(struct pmap_checker *pc)
{
	struct machine *ma = pc->pc_ma;
	struct pv_chunk *chunk;
	uint64_t n = 0;
	int i;

	for (i = 0; i < ma->ma_nchunklists; i++) {
		/* Relaxed: quiescent. */
		if (atomic_load_explicit(&ma->ma_chunks[i]->pvc_lock.mtx_lock,
			memory_order_relaxed) != MTX_UNOWNED)
			check_bad(
			    &pc->pc_report, 43, "chunk list %d is locked", i);
		if (ma->ma_chunks[i]->pvc_active_reclaims != 0)
			check_bad(&pc->pc_report, 10,
			    "chunk list %d: %d reclaims under way", i,
			    ma->ma_chunks[i]->pvc_active_reclaims);
		TAILQ_FOREACH (chunk, &ma->ma_chunks[i]->pvc_list, pc_lru) {
			n++;
			if (chunk->pc_pmap == NULL)
				check_bad(&pc->pc_report, 10,
				    "chunk list %d has a marker", i);
		}
	}
	if (n != pc->pc_chunks)
		check_bad(&pc->pc_report, 8, "%ju chunks on LRUs, %ju on pmaps",
		    (uintmax_t)n, (uintmax_t)pc->pc_chunks);
}

static void
check_sum(struct pmap_checker *pc, int inv, const char *what, uint64_t found,
    enum counter allocs, enum counter frees)
{
	uint64_t n = sim_counter(pc->pc_ma->ma_sim, allocs) -
	    sim_counter(pc->pc_ma->ma_sim, frees);

	if (found != n)
		check_bad(&pc->pc_report, inv,
		    "%ju %s found, %ju by the counters", (uintmax_t)found, what,
		    (uintmax_t)n);
}

unsigned
pmap_check(struct machine *ma, void (*fn)(void *arg, int inv, const char *text),
    void *arg)
{
	struct pmap_checker pc = { .pc_ma = ma,
		.pc_report = { .cr_fn = fn, .cr_arg = arg } };
	struct pmap *pmap;
	unsigned held;

	TAILQ_FOREACH (pmap, &ma->ma_pmaps, pm_zone_all) {
		if (pmap->pm_live)
			collect_pmap(&pc, pmap);
	}
	check_special(&pc);
	collect_lrus(&pc);
	TAILQ_FOREACH (pmap, &ma->ma_pmaps, pm_zone_all)
		check_pmap(&pc, pmap);
	check_lrus(&pc);
	/* Relaxed: quiescent. */
	if (atomic_load_explicit(
		&ma->ma_zone_mtx.mtx_lock, memory_order_relaxed) != MTX_UNOWNED)
		check_bad(&pc.pc_report, 43, "the pmap zone is locked");
	if (pc.pc_used != pc.pc_managed)
		check_bad(&pc.pc_report, 11,
		    "%ju pv entries in use, %ju managed leaves",
		    (uintmax_t)pc.pc_used, (uintmax_t)pc.pc_managed);
	check_sum(&pc, 11, "pv entries", pc.pc_used, CTR_PV_ENTRY_ALLOCS,
	    CTR_PV_ENTRY_FREES);
	check_sum(&pc, 11, "pv chunks", pc.pc_chunks, CTR_PC_CHUNK_ALLOCS,
	    CTR_PC_CHUNK_FREES);
	check_sum(&pc, 16, "table pages", pc.pc_tables, CTR_PT_PAGE_ALLOCS,
	    CTR_PT_PAGE_FREES);
	pmap_check_pde_counters(&pc);
	pmap_check_headers(&pc);
	pmap_check_lists(&pc);
	pmap_check_words(&pc);
	held = lock_profile_held(ma->ma_sim);
	if (held != 0)
		check_bad(&pc.pc_report, 44,
		    "%u locks are still on the profile's held lists", held);
	free(pc.pc_lru);
	free(pc.pc_special);
	return (pc.pc_report.cr_n);
}
