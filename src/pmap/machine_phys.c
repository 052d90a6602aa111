/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The public view of a machine's physical memory.
 */

#include "pmapsim/vm_phys.h"

#include "phys/vm_reserv.h"
#include "pmap/pmap_var.h"

#define RUN_PAGES (1 << VM_LEVEL_0_ORDER)

struct vm_page *
vm_phys_page_alloc(struct machine *m, int domain, int order)
{
	struct vm_page *page;
	int i;

	if (order < 0 || order > VM_PHYS_ORDER_MAX || domain < -1 ||
	    domain >= m->ma_ndomains)
		return (NULL);
	if (domain < 0)
		domain = curthread()->td_domain;
	page = order == 0 ? vm_page_alloc(m->ma_vp, domain, 0)
			  : vm_page_alloc_order(m->ma_vp, domain, order, 0);
	if (page == NULL)
		return (NULL);
	for (i = 0; i < 1 << order; i++) {
		/* Relaxed: nobody else knows the page yet. */
		atomic_store_explicit(
		    &page[i].ref_count, 1, memory_order_relaxed);
	}
	for (i = 0; i + RUN_PAGES <= 1 << order; i += RUN_PAGES)
		(void)vm_reserv_assume(
		    m->ma_vp, VM_PAGE_TO_PHYS(&page[i]), true);
	return (page);
}

void
vm_phys_page_free(struct machine *m, struct vm_page *page, int order)
{
	int i;

	/* Whatever run they are of, or were allocated as, is not full now. */
	for (i = 0; i < 1 << order; i += RUN_PAGES)
		vm_reserv_assume_not(m->ma_vp, &page[i]);
	for (i = 0; i < 1 << order; i++)
		page[i].q_next = i + 1 < 1 << order ? &page[i + 1] : NULL;
	vm_page_free_list(m->ma_vp, page);
}

struct vm_page *
vm_phys_paddr_to_vm_page(struct machine *m, vm_paddr_t pa)
{
	if (vm_phys_paddr_to_seg(m->ma_vp, pa) == NULL)
		return (NULL);
	return (PHYS_TO_VM_PAGE(m->ma_vp, pa));
}

void *
vm_phys_dmap(struct machine *m, vm_paddr_t pa)
{
	return (PHYS_TO_DMAP(m->ma_vp, pa));
}

int
vm_phys_segments(struct machine *m, struct vm_phys_segment *segs, int max)
{
	const struct vm_phys_seg *seg;
	int i;

	for (i = 0; i < m->ma_vp->vp_nsegs && i < max; i++) {
		seg = &m->ma_vp->vp_segs[i];
		segs[i] = (struct vm_phys_segment){
			.vps_start = seg->start,
			.vps_end = seg->end,
			.vps_domain = seg->domain,
		};
	}
	return (m->ma_vp->vp_nsegs);
}
