/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * sparse: one array of headers indexed by PA >> 21, in address space that is
 * reserved for all of physical memory and backed only where segments need it.
 *
 * Why.  A lookup is a shift and a multiply-add, without a pointer array in
 * between, and the headers of a domain's memory are in that domain.
 *
 * Backing, in pages, segments ascending: everything from the last backed page to
 * the page of the header one past the segment is backed from the segment's
 * domain.  Hence
 *   1. two segments that share a superpage share its header, on the domain of
 *	the first, and none is wasted;
 *   2. headers in a gap between segments exist (gaps=backed), and belong to the
 *	domain of the segment above the gap: a lookup for device memory in a gap
 *	is harmless;
 *   3. the first headers of a segment may lie on the previous one's domain,
 *	since pages are whole.
 * gaps=trap starts at the segment's own first header instead, as the first
 * committed version did: a lookup in a gap traps.
 *
 * "One past the segment" is intended slack: a segment that ends on a superpage
 * boundary also backs the header that names its exclusive end.  So the
 * reservation counts last_pa / 2 MB + 1 headers.  With one less, a last segment
 * that ends at a multiple of a page of headers (128 MB with 64-byte headers)
 * would back one page more than is reserved.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c, pmap_init_pv_table().
 */

#include "pmap/pv_table.h"

#include <errno.h>

#include "kern/bug.h"

#define ROUND_PAGE(n) (((n) + PAGE_MASK) & ~(uint64_t)PAGE_MASK)
#define TRUNC_PAGE(n) ((n) & ~(uint64_t)PAGE_MASK)

/* Whole headers in the backed bytes [from, to). */
static int
add_row(struct pv_table *pvt, uint64_t from, uint64_t to)
{
	uint64_t first, end;

	if (from == to)
		return (0); /* nothing before the first segment */
	first = (from + pvt->pvt_stride - 1) / pvt->pvt_stride;
	end = to / pvt->pvt_stride;
	pvt->pvt_nheaders += end - first;
	return (pv_extent_add(
	    pvt, pvt->pvt_base + first * pvt->pvt_stride, end - first, 0, 0));
}

static int
pv_sparse_create(struct pv_table *pvt)
{
	const struct vm_phys *vp = pvt->pvt_vp;
	const struct vm_phys_seg *seg;
	uint64_t backed = 0, from, row = 0, to;
	int error, i;

	pvt->pvt_reserved_bytes =
	    ROUND_PAGE(((pvt->pvt_last_pa >> PDRSHIFT) +
			   !BUG_IN(pvt->pvt_design->d_bugs, B28)) *
		pvt->pvt_stride);
	error = kva_reserve(pvt->pvt_kmem, pvt->pvt_reserved_bytes, M_PVHEADER,
	    &pvt->pvt_region);
	if (error != 0)
		return (error);
	pvt->pvt_base = pvt->pvt_region.kr_base;

	for (i = 0; i < vp->vp_nsegs; i++) {
		seg = &vp->vp_segs[i];
		to = ROUND_PAGE(((seg->end >> PDRSHIFT) + 1) * pvt->pvt_stride);
		if (to <= backed)
			continue;
		from = backed;
		if (pvt->pvt_design->d_gaps_trap ||
		    BUG_IN(pvt->pvt_design->d_bugs, B28)) {
			from = TRUNC_PAGE(
			    (seg->start >> PDRSHIFT) * pvt->pvt_stride);
			if (from < backed)
				from = backed;
		}
		error = kva_back(pvt->pvt_kmem, &pvt->pvt_region, from,
		    to - from, seg->domain);
		if (error != 0)
			return (error);
		if (from != backed) {
			error = add_row(pvt, row, backed);
			if (error != 0)
				return (error);
			row = from;
		}
		backed = to;
	}
	pvt->pvt_bytes = pvt->pvt_region.kr_backed;
	return (add_row(pvt, row, backed));
}

static void
pv_sparse_destroy(struct pv_table *pvt)
{
	pv_extents_fini(pvt);
	if (pvt->pvt_region.kr_base != NULL)
		kva_release(pvt->pvt_kmem, &pvt->pvt_region);
}

static void
pv_sparse_lookup(struct pv_table *pvt, vm_paddr_t pa, const struct vm_page *m,
    struct pv_header *ph)
{
	(void)m;
	/* ">": the header of pvt_last_pa itself is the slack one. */
	if (__predict_false(pa > pvt->pvt_last_pa))
		pv_header_at(pvt, pvt->pvt_dummy, ph);
	else
		pv_header_at(pvt,
		    pvt->pvt_base + (pa >> PDRSHIFT) * pvt->pvt_stride, ph);
}

const struct pv_layout_ops pv_sparse_ops = {
	.pvl_name = "sparse",
	.pvl_descr = "array indexed by PA >> 21, backed where segments are",
	.pvl_create = pv_sparse_create,
	.pvl_destroy = pv_sparse_destroy,
	.pvl_lookup = pv_sparse_lookup,
};
