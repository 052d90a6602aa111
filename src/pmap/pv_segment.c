/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * segment: each segment points at its own dense row of headers; all rows lie in
 * one piece of address space, one after the other.
 *
 * Why.  Gaps cost nothing, whatever their size.  The price is that a lookup
 * needs the segment: from the page where the caller has one, else by a search.
 *
 * The rows are laid by a cursor that counts headers, while backing is allocated
 * in whole pages for each segment: so a row may start on the page of the row
 * before, and domains drift by up to a page a segment.  Kept as it is.
 *
 * Where a segment ends in the superpage in which the next begins, the cursor
 * steps back by one and the two rows share that header: one lock a superpage.
 *
 * Source: FreeBSD main (2024), sys/arm64/arm64/pmap.c, pmap_init_pv_table().
 */

#include "pmap/pv_table.h"

#include <errno.h>

#define ROUND_PAGE(n) (((n) + PAGE_MASK) & ~(uint64_t)PAGE_MASK)

static uint64_t
seg_count(const struct vm_phys_seg *seg)
{
	return (((seg->end + PDRMASK) >> PDRSHIFT) - (seg->start >> PDRSHIFT));
}

static int
pv_segment_create(struct pv_table *pvt)
{
	struct vm_phys *vp = pvt->pvt_vp;
	struct vm_phys_seg *seg;
	uint64_t bytes, off = 0;
	int error, i;

	for (i = 0; i < vp->vp_nsegs; i++)
		off += ROUND_PAGE(seg_count(&vp->vp_segs[i]) * pvt->pvt_stride);
	pvt->pvt_reserved_bytes = off;
	error = kva_reserve(pvt->pvt_kmem, off, M_PVHEADER, &pvt->pvt_region);
	if (error != 0)
		return (error);
	pvt->pvt_base = pvt->pvt_region.kr_base;

	off = 0;
	for (i = 0; i < vp->vp_nsegs; i++) {
		seg = &vp->vp_segs[i];
		bytes = ROUND_PAGE(seg_count(seg) * pvt->pvt_stride);
		error = kva_back(
		    pvt->pvt_kmem, &pvt->pvt_region, off, bytes, seg->domain);
		if (error != 0)
			return (error);
		off += bytes;
	}
	pvt->pvt_bytes = pvt->pvt_region.kr_backed;

	off = 0;
	for (i = 0; i < vp->vp_nsegs; i++) {
		seg = &vp->vp_segs[i];
		if (i > 0 &&
		    (seg[-1].end - 1) >> PDRSHIFT == seg->start >> PDRSHIFT)
			off--;
		seg->md_first = pvt->pvt_base + off * pvt->pvt_stride;
		off += seg_count(seg);
	}
	pvt->pvt_nheaders = off;
	return (pv_extent_add(pvt, pvt->pvt_base, off, 0, 0));
}

static void
pv_segment_destroy(struct pv_table *pvt)
{
	pv_extents_fini(pvt);
	if (pvt->pvt_region.kr_base != NULL)
		kva_release(pvt->pvt_kmem, &pvt->pvt_region);
}

static void
pv_segment_lookup(struct pv_table *pvt, vm_paddr_t pa, const struct vm_page *m,
    struct pv_header *ph)
{
	struct vm_phys *vp = pvt->pvt_vp;
	const struct vm_phys_seg *seg;

	if (m != NULL && (m->flags & PG_FICTITIOUS) != 0)
		seg = NULL;
	else if (__predict_true(m != NULL && m->segind != 0))
		seg = &vp->vp_segs[m->segind - 1];
	else
		seg = vm_phys_paddr_to_seg(vp, pa);

	if (__predict_false(seg == NULL))
		pv_header_at(pvt, pvt->pvt_dummy, ph);
	else
		pv_header_at(pvt,
		    (char *)seg->md_first +
			((pa >> PDRSHIFT) - (seg->start >> PDRSHIFT)) *
			    pvt->pvt_stride,
		    ph);
}

const struct pv_layout_ops pv_segment_ops = {
	.pvl_name = "segment",
	.pvl_descr = "a dense row of headers for each segment",
	.pvl_create = pv_segment_create,
	.pvl_destroy = pv_segment_destroy,
	.pvl_lookup = pv_segment_lookup,
};
