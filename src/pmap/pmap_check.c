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
 * 34 to 36 are vm_phys_check()'s.  The walk is in two directions, tables to
 * entries and entries to tables, because each misses what hides in the other.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lock/lock_profile.h"
#include "pmap/pmap_check.h"

void
pmap_check_bad(struct pmap_checker *pc, int inv, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pc->pc_violations++;
	pc->pc_fn(pc->pc_arg, inv, text);
}

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

unsigned
pmap_check_list(struct pmap_checker *pc, struct pv_list *pvl, vm_paddr_t pa,
    struct pmap *pmap, vm_offset_t va)
{
	struct pv_entry **prevp = &pvl->pvl_first, *pv;
	unsigned n = 0;

	PV_LIST_FOREACH (pv, pvl) {
		if (pv->pv_prevp != prevp) {
			pmap_check_bad(pc, 7,
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
		pmap_check_bad(pc, 22,
		    "pmap %p va %#jx: pte %#jx is marked promoted",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pte);
	if ((pte & (PG_M | PG_RW)) == PG_M)
		pmap_check_bad(pc, 24,
		    "pmap %p va %#jx: pte %#jx is modified but not "
		    "writable",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pte);
	if ((pte & PG_U) == 0 || (pte & PG_G) != 0)
		pmap_check_bad(pc, 26,
		    "pmap %p va %#jx: pte %#jx is no user entry", (void *)pmap,
		    (uintmax_t)va, (uintmax_t)pte);
	if ((pte & (PG_MANAGED | PG_RW | PG_M)) == PG_RW)
		pmap_check_bad(pc, 23,
		    "pmap %p va %#jx: unmanaged pte %#jx is writable "
		    "but not modified",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pte);

	m = PHYS_TO_VM_PAGE(pmap->pm_vp, pte & PG_FRAME);
	if (m != NULL && m->segind == 0)
		m = NULL; /* device memory in a gap */
	if (m == NULL) {
		if ((pte & PG_MANAGED) != 0)
			pmap_check_bad(pc, 4,
			    "pmap %p va %#jx: managed pte %#jx maps no "
			    "page",
			    (void *)pmap, (uintmax_t)va, (uintmax_t)pte);
		return;
	}
	/* Relaxed: quiescent. */
	if (m->order_inv != 0 || pmap_check_special(pc, pte & PG_FRAME) ||
	    (m->object == NULL &&
		atomic_load_explicit(&m->ref_count, memory_order_relaxed) == 0))
		pmap_check_bad(pc, 27,
		    "pmap %p va %#jx maps page %#jx, which is %s", (void *)pmap,
		    (uintmax_t)va, (uintmax_t)(pte & PG_FRAME),
		    pmap_check_special(pc, pte & PG_FRAME)
			? "a table or a chunk"
			: "free");
	if (((pte & PG_MANAGED) != 0) != ((m->oflags & VPO_UNMANAGED) == 0))
		pmap_check_bad(pc, 4,
		    "pmap %p va %#jx: pte %#jx and page %#jx disagree "
		    "on managed",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pte,
		    (uintmax_t)VM_PAGE_TO_PHYS(m));
	if ((pte & PG_PTE_CACHE) !=
	    (((pt_entry_t)(m->md.pat_mode & 3) << 3) |
		((pt_entry_t)(m->md.pat_mode & 4) << 5)))
		pmap_check_bad(pc, 26,
		    "pmap %p va %#jx: pte %#jx has not page %#jx's "
		    "memory type %d",
		    (void *)pmap, (uintmax_t)va, (uintmax_t)pte,
		    (uintmax_t)VM_PAGE_TO_PHYS(m), m->md.pat_mode);
	if ((pte & PG_MANAGED) == 0)
		return;

	pc->pc_managed++;
	n = pmap_check_list(pc, &m->md.pv_list, VM_PAGE_TO_PHYS(m), pmap, va);
	if (n != 1)
		pmap_check_bad(pc, 1,
		    "pmap %p va %#jx: %u pv entries on page %#jx, "
		    "expected 1",
		    (void *)pmap, (uintmax_t)va, n,
		    (uintmax_t)VM_PAGE_TO_PHYS(m));
	if ((pte & PG_RW) != 0 && (vm_page_aflags(m) & PGA_WRITEABLE) == 0)
		pmap_check_bad(pc, 25,
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

/* leaves false: collect the table pages; true: check the leaves. */
static void
check_table(struct pmap_checker *pc, struct pmap *pmap, const pte_t *table,
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
			pmap_check_bad(pc, 16,
			    "pmap %p va %#jx: level %d entry %#jx "
			    "leads nowhere",
			    (void *)pmap, (uintmax_t)va, level, (uintmax_t)e);
			continue;
		}
		pt->pt_tables++;
		if (!leaves)
			pmap_check_special_add(pc, e & PG_FRAME);
		check_table(pc, pmap, pmap_table(pmap->pm_vp, e), level - 1, va,
		    m, leaves, pt);
	}
	if (leaves || page == NULL)
		return;
	if (n == 0)
		pmap_check_bad(pc, 17,
		    "pmap %p va %#jx: an empty table of level %d is "
		    "linked",
		    (void *)pmap, (uintmax_t)base, level);
	if (ptp_ref(page) != n)
		pmap_check_bad(pc, 15,
		    "pmap %p va %#jx: table of level %d has %u entries "
		    "but ref_count %u",
		    (void *)pmap, (uintmax_t)base, level, n, ptp_ref(page));
	if (page->pindex != table_pindex(level, base))
		pmap_check_bad(pc, 15,
		    "pmap %p va %#jx: table of level %d has pindex %ju, "
		    "expected %ju",
		    (void *)pmap, (uintmax_t)base, level,
		    (uintmax_t)page->pindex,
		    (uintmax_t)table_pindex(level, base));
}

static void
check_entry(struct pmap_checker *pc, struct pmap *pmap, struct pv_entry *pv)
{
	struct pv_entry *p;
	struct vm_page *m;
	pt_entry_t pde, pte;
	pte_t *ptep;

	pc->pc_used++;
	if ((pv->pv_va & PAGE_MASK) != 0 || pv->pv_va >= VM_MAXUSER_ADDRESS) {
		pmap_check_bad(pc, 5, "pmap %p: pv entry %p has va %#jx",
		    (void *)pmap, (void *)pv, (uintmax_t)pv->pv_va);
		return;
	}
	if (pmap_check_pde_entry(pc, pmap, pv))
		return;
	ptep = pmap_pte_pde(pmap, pv->pv_va, &pde);
	pte = ptep == NULL ? 0 : pte_load(ptep);
	if ((pte & (PG_V | PG_MANAGED)) != (PG_V | PG_MANAGED)) {
		pmap_check_bad(pc, 3,
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
	pmap_check_bad(pc, 7,
	    "pmap %p: pv entry of va %#jx is in use but not on the list "
	    "of page %#jx",
	    (void *)pmap, (uintmax_t)pv->pv_va, (uintmax_t)VM_PAGE_TO_PHYS(m));
}

static bool
lru_has(struct machine *ma, struct pv_chunk *chunk)
{
	struct pv_chunk *c;
	unsigned n = 0;

	TAILQ_FOREACH (c, &pv_chunk_list_of(ma, chunk)->pvc_list, pc_lru)
		n += c == chunk;
	return (n == 1);
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
		pmap_check_bad(pc, 8,
		    "chunk %#jx of pmap %p says its pmap is %p", (uintmax_t)pa,
		    (void *)pmap, (void *)chunk->pc_pmap);
	if (!lru_has(pc->pc_ma, chunk))
		pmap_check_bad(
		    pc, 8, "chunk %#jx is not once on its LRU", (uintmax_t)pa);
	/* Relaxed: quiescent. */
	if (m->object != NULL || m->order_inv != 0 ||
	    atomic_load_explicit(&m->ref_count, memory_order_relaxed) != 1)
		pmap_check_bad(pc, 12,
		    "chunk page %#jx is not a wired page without "
		    "object",
		    (uintmax_t)pa);
	if ((chunk->pc_map[2] & ~PC_FREE2) != 0)
		pmap_check_bad(pc, 7, "chunk %#jx: bitmap tail %#jx",
		    (uintmax_t)pa, (uintmax_t)chunk->pc_map[2]);
	for (i = 0; i < _NPCPV; i++) {
		if ((chunk->pc_map[i / 64] >> (i % 64) & 1) != 0)
			nfree++;
		else
			check_entry(pc, pmap, &chunk->pc_pventry[i]);
	}
	if (nfree == _NPCPV)
		pmap_check_bad(
		    pc, 9, "chunk %#jx is wholly free", (uintmax_t)pa);
	if (nfree == 0)
		*full_seen = true;
	else if (*full_seen && !pmap->pm_chunk_quirk)
		pmap_check_bad(pc, 9,
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
		pmap_check_bad(pc, 43, "pmap %p is locked", (void *)pmap);
	if (!pmap->pm_live) {
		if (pmap_resident(pmap) != 0 ||
		    !TAILQ_EMPTY(&pmap->pm_pvchunk) ||
		    !vm_radix_is_empty(&pmap->pm_root))
			pmap_check_bad(pc, 21,
			    "released pmap %p: resident count %jd",
			    (void *)pmap, (intmax_t)pmap_resident(pmap));
		return;
	}
	check_table(pc, pmap, pmap->pm_pml4, 4, 0, NULL, true, &pt);
	TAILQ_FOREACH (chunk, &pmap->pm_pvchunk, pc_list)
		check_chunk(pc, pmap, chunk, &full_seen);
	pmap_check_saved(pc, pmap, true, &pt);
	resident = pt.pt_leaves + pt.pt_tables +
	    pmap->pm_machine->ma_rules.pr_counts_root;
	if (pmap_resident(pmap) != resident)
		pmap_check_bad(pc, 13,
		    "pmap %p: resident count %jd, expected %jd (%jd "
		    "leaves, %jd tables, root)",
		    (void *)pmap, (intmax_t)pmap_resident(pmap),
		    (intmax_t)resident, (intmax_t)pt.pt_leaves,
		    (intmax_t)pt.pt_tables);
	if (pmap->pm_stats.wired_count != pt.pt_wired)
		pmap_check_bad(pc, 14,
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
	check_table(pc, pmap, pmap->pm_pml4, 4, 0, NULL, false, &pt);
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
			pmap_check_bad(pc, 16,
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
			pmap_check_bad(pc, 43, "chunk list %d is locked", i);
		if (ma->ma_chunks[i]->pvc_active_reclaims != 0)
			pmap_check_bad(pc, 10,
			    "chunk list %d: %d reclaims under way", i,
			    ma->ma_chunks[i]->pvc_active_reclaims);
		TAILQ_FOREACH (chunk, &ma->ma_chunks[i]->pvc_list, pc_lru) {
			n++;
			if (chunk->pc_pmap == NULL)
				pmap_check_bad(
				    pc, 10, "chunk list %d has a marker", i);
		}
	}
	if (n != pc->pc_chunks)
		pmap_check_bad(pc, 8, "%ju chunks on LRUs, %ju on pmaps",
		    (uintmax_t)n, (uintmax_t)pc->pc_chunks);
}

static void
check_sum(struct pmap_checker *pc, int inv, const char *what, uint64_t found,
    enum counter allocs, enum counter frees)
{
	uint64_t n = sim_counter(pc->pc_ma->ma_sim, allocs) -
	    sim_counter(pc->pc_ma->ma_sim, frees);

	if (found != n)
		pmap_check_bad(pc, inv, "%ju %s found, %ju by the counters",
		    (uintmax_t)found, what, (uintmax_t)n);
}

/* A row of list heads, of superpages that one segment has and none before. */
struct md_row {
	const char *mr_lo;
	const char *mr_hi;
	uint64_t mr_first;
};

static int
md_row_compare(const void *a, const void *b)
{
	const struct md_row *x = a, *y = b;

	return ((x->mr_lo > y->mr_lo) - (x->mr_lo < y->mr_lo));
}

/* The header of superpage r by its first and its last byte in seg. */
static struct pv_header
check_header(struct pmap_checker *pc, const struct vm_phys_seg *seg, uint64_t r)
{
	struct pv_table *pvt = pc->pc_ma->ma_pvt;
	struct pv_header end, ph;
	vm_paddr_t first = r << PDRSHIFT, last = first + PDRMASK;

	if (first < seg->start)
		first = seg->start;
	if (last >= seg->end)
		last = seg->end - 1;
	pvt->pvt_ops->pvl_lookup(pvt, first, NULL, &ph);
	pvt->pvt_ops->pvl_lookup(pvt, last, NULL, &end);
	if (ph.ph_word != end.ph_word || ph.ph_md != end.ph_md)
		pmap_check_bad(pc, 37, "superpage %#jx has two headers",
		    (uintmax_t)(r << PDRSHIFT));
	if (ph.ph_word == (char *)pvt->pvt_dummy + pvt->pvt_word_off)
		pmap_check_bad(pc, 37, "superpage %#jx has no header",
		    (uintmax_t)(r << PDRSHIFT));
	return (ph);
}

/* Inv. 37: list heads ascend within a segment and are shared only by right. */
static void
check_headers(struct pmap_checker *pc)
{
	struct vm_phys *vp = pc->pc_ma->ma_vp;
	struct pv_table *pvt = pc->pc_ma->ma_pvt;
	struct md_row rows[VM_PHYSSEG_MAX];
	const struct vm_phys_seg *seg;
	struct pv_header last = { 0 }, ph;
	uint64_t last_r = UINT64_MAX, r;
	size_t i, n = 0;

	for (seg = vp->vp_segs; seg < &vp->vp_segs[vp->vp_nsegs]; seg++) {
		rows[n].mr_lo = NULL;
		r = seg->start >> PDRSHIFT;
		for (; r <= (seg->end - 1) >> PDRSHIFT; r++) {
			ph = check_header(pc, seg, r);
			if (r == last_r) {
				/* Shared with the segments before. */
				if (ph.ph_word != last.ph_word ||
				    ph.ph_md != last.ph_md)
					pmap_check_bad(pc, 37,
					    "superpage %#jx has a header in "
					    "each of two segments",
					    (uintmax_t)(r << PDRSHIFT));
				continue;
			}
			if (rows[n].mr_lo == NULL) {
				rows[n].mr_lo = (const char *)ph.ph_md;
				rows[n].mr_first = r;
			} else if (ph.ph_md <= last.ph_md) {
				pmap_check_bad(pc, 37,
				    "superpages %#jx and %#jx share a "
				    "header",
				    (uintmax_t)((r - 1) << PDRSHIFT),
				    (uintmax_t)(r << PDRSHIFT));
			}
			rows[n].mr_hi = (const char *)ph.ph_md;
			last = ph;
			last_r = r;
		}
		n += rows[n].mr_lo != NULL;
	}
	qsort(rows, n, sizeof(rows[0]), md_row_compare);
	for (i = 1; i < n; i++) {
		if (rows[i].mr_lo <= rows[i - 1].mr_hi)
			pmap_check_bad(pc, 37,
			    "header rows of superpages %#jx and %#jx "
			    "overlap",
			    (uintmax_t)rows[i - 1].mr_first,
			    (uintmax_t)rows[i].mr_first);
	}
	/* Far beyond all memory: the dummy, in every layout. */
	pvt->pvt_ops->pvl_lookup(pvt, UINT64_MAX, NULL, &ph);
	if (!pv_list_empty(&ph.ph_md->pv_list))
		pmap_check_bad(pc, 6, "the dummy header has mappings");
}

/* A word at rest can be had and given back. */
static void
check_word(void *arg, void *word)
{
	struct pmap_checker *pc = arg;
	struct pv_table *pvt = pc->pc_ma->ma_pvt;
	struct thread *td = curthread();

	if (pvt->pvt_lock_ops->plo_trylock(word)) {
		td->td_pv_held = word;
		pvt->pvt_lock_ops->plo_unlock(word, false);
		td->td_pv_held = NULL;
	} else {
		pmap_check_bad(pc, 43, "pv list lock %p is held", word);
	}
}

static void
check_thread(struct thread *td, void *arg)
{
	struct pmap_checker *pc = arg;

	if (td->td_pv_held != NULL)
		pmap_check_bad(pc, 43, "thread %u holds pv list lock %p",
		    td->td_id, td->td_pv_held);
}

unsigned
pmap_check(struct machine *ma, void (*fn)(void *arg, int inv, const char *text),
    void *arg)
{
	struct pmap_checker pc = { .pc_ma = ma, .pc_fn = fn, .pc_arg = arg };
	struct pv_table *pvt = ma->ma_pvt;
	struct pmap *pmap;
	unsigned held;

	TAILQ_FOREACH (pmap, &ma->ma_pmaps, pm_zone_all) {
		if (pmap->pm_live)
			collect_pmap(&pc, pmap);
	}
	check_special(&pc);
	TAILQ_FOREACH (pmap, &ma->ma_pmaps, pm_zone_all)
		check_pmap(&pc, pmap);
	check_lrus(&pc);
	/* Relaxed: quiescent. */
	if (atomic_load_explicit(
		&ma->ma_zone_mtx.mtx_lock, memory_order_relaxed) != MTX_UNOWNED)
		pmap_check_bad(&pc, 43, "the pmap zone is locked");
	if (pc.pc_used != pc.pc_managed)
		pmap_check_bad(&pc, 11,
		    "%ju pv entries in use, %ju managed leaves",
		    (uintmax_t)pc.pc_used, (uintmax_t)pc.pc_managed);
	check_sum(&pc, 11, "pv entries", pc.pc_used, CTR_PV_ENTRY_ALLOCS,
	    CTR_PV_ENTRY_FREES);
	check_sum(&pc, 11, "pv chunks", pc.pc_chunks, CTR_PC_CHUNK_ALLOCS,
	    CTR_PC_CHUNK_FREES);
	check_sum(&pc, 16, "table pages", pc.pc_tables, CTR_PT_PAGE_ALLOCS,
	    CTR_PT_PAGE_FREES);
	pmap_check_pde_counters(&pc);
	check_headers(&pc);
	sim_thread_foreach(ma->ma_sim, check_thread, &pc);
	if (pvt->pvt_nheaders * pvt->pvt_stride <= PV_WALK_MAX &&
	    curthread()->td_pv_held == NULL)
		pv_table_foreach_word(pvt, check_word, &pc);
	held = lock_profile_held(ma->ma_sim);
	if (held != 0)
		pmap_check_bad(&pc, 44,
		    "%u locks are still on the profile's held lists", held);
	free(pc.pc_special);
	return (pc.pc_violations);
}
