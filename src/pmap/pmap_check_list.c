/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The checker's part on pv headers and lists: from the lists to what is mapped,
 * which superpage has which header, and that all locks are at rest.
 */

#include <stdlib.h>

#include "pmap/pmap_check.h"

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
		check_bad(&pc->pc_report, 37, "superpage %#jx has two headers",
		    (uintmax_t)(r << PDRSHIFT));
	if (ph.ph_word == (char *)pvt->pvt_dummy + pvt->pvt_word_off)
		check_bad(&pc->pc_report, 37, "superpage %#jx has no header",
		    (uintmax_t)(r << PDRSHIFT));
	return (ph);
}

/* Inv. 37: list heads ascend within a segment and are shared only by right. */
void
pmap_check_headers(struct pmap_checker *pc)
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
					check_bad(&pc->pc_report, 37,
					    "superpage %#jx has a header in "
					    "each of two segments",
					    (uintmax_t)(r << PDRSHIFT));
				continue;
			}
			if (rows[n].mr_lo == NULL) {
				rows[n].mr_lo = (const char *)ph.ph_md;
				rows[n].mr_first = r;
			} else if (ph.ph_md <= last.ph_md) {
				check_bad(&pc->pc_report, 37,
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
			check_bad(&pc->pc_report, 37,
			    "header rows of superpages %#jx and %#jx "
			    "overlap",
			    (uintmax_t)rows[i - 1].mr_first,
			    (uintmax_t)rows[i].mr_first);
	}
	/* Far beyond all memory: the dummy, in every layout. */
	pvt->pvt_ops->pvl_lookup(pvt, UINT64_MAX, NULL, &ph);
	if (!pv_list_empty(&ph.ph_md->pv_list))
		check_bad(&pc->pc_report, 6, "the dummy header has mappings");
}

/* Where the pv lists of pages are walked, all of them: up to so many pages. */
#define LIST_WALK_MAX (UINT64_C(1) << 16)

/* What pv, which is on a list, is an entry of; its leaf is *leafp, 0 for none. */
static bool
find_leaf(struct pmap *pmap, vm_offset_t va, bool super, pt_entry_t *leafp)
{
	pte_t *pde = pmap_pde(pmap, va);
	pt_entry_t e = pde == NULL ? 0 : pte_load(pde);

	*leafp = 0;
	if ((e & PG_V) == 0 || ((e & PG_PS) != 0) != super)
		return (false);
	*leafp = super ? e : pte_load(pmap_pde_to_pte(pmap, e, va));
	return ((*leafp & (PG_V | PG_MANAGED)) == (PG_V | PG_MANAGED));
}

/*
 * From a list to what its entries are of.  The list is that of the page at pa, or
 * of the superpage there.
 */
static void
check_list(
    struct pmap_checker *pc, struct pv_list *pvl, vm_paddr_t pa, bool super)
{
	const char *what = super ? "superpage" : "page";
	const struct pv_chunk *chunk;
	struct pv_entry *pv;
	struct pmap *pmap;
	pt_entry_t leaf;
	vm_paddr_t at;
	unsigned i;

	PV_LIST_FOREACH (pv, pvl) {
		pc->pc_listed++;
		chunk = pv_to_chunk(pv);
		at = (vm_paddr_t)((const char *)chunk -
		    pc->pc_ma->ma_vp->vp_dmap);
		if (!pmap_check_special(pc, at)) {
			check_bad(&pc->pc_report, 3,
			    "%s %#jx: pv entry %p of its list is in no chunk",
			    what, (uintmax_t)pa, (void *)pv);
			return;
		}
		i = (unsigned)(pv - chunk->pc_pventry);
		pmap = chunk->pc_pmap;
		if ((chunk->pc_map[i / 64] >> (i % 64) & 1) != 0)
			check_bad(&pc->pc_report, 7,
			    "%s %#jx: pmap %p's pv entry of va %#jx is on the "
			    "list, and free",
			    what, (uintmax_t)pa, (void *)pmap,
			    (uintmax_t)pv->pv_va);
		else if (!find_leaf(pmap, pv->pv_va, super, &leaf) ||
		    (leaf & (super ? PG_PS_FRAME : PG_FRAME)) != pa)
			check_bad(&pc->pc_report, 3,
			    "%s %#jx: pmap %p's pv entry of va %#jx is on the "
			    "list, and finds %#jx",
			    what, (uintmax_t)pa, (void *)pmap,
			    (uintmax_t)pv->pv_va, (uintmax_t)leaf);
	}
}

/*
 * All lists: what is on none that a leaf leads to is found, too.  In a machine too
 * large for that, nothing.
 */
void
pmap_check_lists(struct pmap_checker *pc)
{
	struct vm_phys *vp = pc->pc_ma->ma_vp;
	struct pv_table *pvt = pc->pc_ma->ma_pvt;
	const struct vm_phys_seg *seg;
	uint64_t last = UINT64_MAX;
	struct pv_header ph;
	struct vm_page *m;
	vm_paddr_t pa;

	if (vp->vp_npages > LIST_WALK_MAX)
		return;
	for (seg = vp->vp_segs; seg < &vp->vp_segs[vp->vp_nsegs]; seg++) {
		for (pa = seg->start; pa < seg->end; pa += PAGE_SIZE) {
			m = PHYS_TO_VM_PAGE(vp, pa);
			if (m != NULL && !pv_list_empty(&m->md.pv_list))
				check_list(pc, &m->md.pv_list, pa, false);
			if (pa >> PDRSHIFT == last)
				continue;
			last = pa >> PDRSHIFT;
			pvt->pvt_ops->pvl_lookup(pvt, pa, m, &ph);
			check_list(pc, &ph.ph_md->pv_list, pa & ~PDRMASK, true);
		}
	}
	if (pc->pc_listed != pc->pc_used)
		check_bad(&pc->pc_report, 7,
		    "%ju pv entries on lists, %ju in use",
		    (uintmax_t)pc->pc_listed, (uintmax_t)pc->pc_used);
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
		check_bad(&pc->pc_report, 43, "pv list lock %p is held", word);
	}
}

static void
check_thread(struct thread *td, void *arg)
{
	struct pmap_checker *pc = arg;

	if (td->td_pv_held != NULL)
		check_bad(&pc->pc_report, 43, "thread %u holds pv list lock %p",
		    td->td_id, td->td_pv_held);
}

void
pmap_check_words(struct pmap_checker *pc)
{
	struct pv_table *pvt = pc->pc_ma->ma_pvt;

	sim_thread_foreach(pc->pc_ma->ma_sim, check_thread, pc);
	if (pvt->pvt_nheaders * pvt->pvt_stride <= PV_WALK_MAX &&
	    curthread()->td_pv_held == NULL)
		pv_table_foreach_word(pvt, check_word, pc);
}
