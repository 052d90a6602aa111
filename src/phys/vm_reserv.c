/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Which runs of 512 pages are full.
 *
 * Source: FreeBSD main (2024), sys/vm/vm_reserv.c.
 */

#include "phys/vm_reserv.h"

/* The first page of the run at pa, if it lies wholly in one segment. */
static struct vm_page *
run_first(struct vm_phys *vp, vm_paddr_t pa)
{
	const struct vm_phys_seg *seg;

	pa &= ~PDRMASK;
	seg = vm_phys_paddr_to_seg(vp, pa);
	if (seg == NULL || seg->end - pa < NBPDR)
		return (NULL);
	return (PHYS_TO_VM_PAGE(vp, pa));
}

int
vm_reserv_level_iffullpop(struct vm_phys *vp, const struct vm_page *m)
{
	/* Only the first page of a run inside a segment can have it. */
	const struct vm_page *first =
	    PHYS_TO_VM_PAGE(vp, VM_PAGE_TO_PHYS(m) & ~PDRMASK);

	return (first != NULL && first->psind == 1 ? 0 : -1);
}

bool
vm_reserv_assume(struct vm_phys *vp, vm_paddr_t pa, bool full)
{
	struct vm_page *first = run_first(vp, pa);

	if (first == NULL)
		return (false);
	first->psind = full;
	return (full);
}
