/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * ptrarray: an array of pointers indexed by PA >> 21, to headers allocated for
 * each segment in its domain.
 *
 * Why.  The first version that was reviewed: headers only where memory is, but a
 * lookup reads a pointer first, and the pointers cover gaps, too.
 *
 * A segment whose first superpage is the last one of the segment before finds
 * the pointer set and keeps the header it leads to: two headers would be two
 * locks for one superpage.  The reviewed code had allocated a header for it all
 * the same (wart=alloc); wart=tight allocates one less.
 *
 * Source: the first version of FreeBSD review D21833.
 */

#include "pmap/pv_table.h"

#include <errno.h>

#include "kern/bug.h"

static int
pv_ptrarray_create(struct pv_table *pvt)
{
	const struct vm_phys *vp = pvt->pvt_vp;
	const struct vm_phys_seg *seg;
	uint64_t first, i, last, nptrs, row;
	size_t bytes;
	char *base;
	int error, s;

	nptrs = (pvt->pvt_last_pa + PDRMASK) >> PDRSHIFT;
	bytes = nptrs * sizeof(pvt->pvt_ptrs[0]);
	pvt->pvt_ptrs =
	    kmem_alloc(pvt->pvt_kmem, bytes, 0, M_PVHEADER, KMEM_ANYDOMAIN);
	if (pvt->pvt_ptrs == NULL)
		return (ENOMEM);
	pvt->pvt_bytes = bytes;

	for (s = 0; s < vp->vp_nsegs; s++) {
		seg = &vp->vp_segs[s];
		first = seg->start >> PDRSHIFT;
		last = (seg->end - 1) >> PDRSHIFT;
		row = last - first + 1;
		i = pvt->pvt_ptrs[first] != NULL &&
			!BUG_IN(pvt->pvt_design->d_bugs, B28)
		    ? 1
		    : 0;
		if (!pvt->pvt_design->d_wart_alloc)
			row -= i;
		if (row == 0)
			continue;
		bytes = row * pvt->pvt_stride;
		base = kmem_alloc(pvt->pvt_kmem, bytes, CACHE_LINE_SIZE,
		    M_PVHEADER, seg->domain);
		if (base == NULL)
			return (ENOMEM);
		pvt->pvt_bytes += bytes;
		pvt->pvt_nheaders += row;
		error = pv_extent_add(pvt, base, row, bytes, seg->domain);
		if (error != 0)
			return (error);
		if (i == 1 && pvt->pvt_design->d_wart_alloc)
			base += pvt->pvt_stride; /* the wasted one */
		for (i += first; i <= last; i++, base += pvt->pvt_stride)
			pvt->pvt_ptrs[i] = base;
	}
	return (0);
}

static void
pv_ptrarray_destroy(struct pv_table *pvt)
{
	uint64_t nptrs = (pvt->pvt_last_pa + PDRMASK) >> PDRSHIFT;

	pv_extents_fini(pvt);
	kmem_free(pvt->pvt_kmem, pvt->pvt_ptrs,
	    nptrs * sizeof(pvt->pvt_ptrs[0]), M_PVHEADER, KMEM_ANYDOMAIN);
}

static void
pv_ptrarray_lookup(struct pv_table *pvt, vm_paddr_t pa, const struct vm_page *m,
    struct pv_header *ph)
{
	void *h = NULL;

	(void)m;
	if (__predict_true(pa < pvt->pvt_last_pa))
		h = pvt->pvt_ptrs[pa >> PDRSHIFT];
	pv_header_at(pvt, h != NULL ? h : pvt->pvt_dummy, ph);
}

const struct pv_layout_ops pv_ptrarray_ops = {
	.pvl_name = "ptrarray",
	.pvl_descr = "pointers indexed by PA >> 21 to headers by segment",
	.pvl_create = pv_ptrarray_create,
	.pvl_destroy = pv_ptrarray_destroy,
	.pvl_lookup = pv_ptrarray_lookup,
};
