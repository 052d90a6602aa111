/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is free when a machine starts: all pages of all segments, but for those
 * that are blacklisted or withdrawn to make a big machine scarce of
 * memory; and how much of that is kept in reserve.
 */

#include <errno.h>

#include "phys/vm_phys_impl.h"

static void
blacklist_page(struct vm_phys *vp, vm_paddr_t pa)
{
	struct vm_phys_private *vpp = vp->vp_private;
	struct vm_page *m = PHYS_TO_VM_PAGE(vp, pa);
	struct vm_domain *vmd;

	if (m == NULL || !vm_buddy_unfree(vp, m))
		return;
	vmd = vp->vp_domains[vm_page_domain(vp, m)];
	vmd->vmd_blacklisted++;
	vpp->vpp_blacklist[vpp->vpp_nblacklist++] = m->phys_addr;
}

static int
blacklist_pages(struct vm_phys *vp, const struct vm_phys_config *vpc)
{
	struct vm_phys_private *vpp = vp->vp_private;

	vpp->vpp_blacklist_size =
	    (vpc->vpc_nblacklist + 1) * sizeof(vpp->vpp_blacklist[0]);
	vpp->vpp_blacklist = kmem_alloc(
	    vp->vp_kmem, vpp->vpp_blacklist_size, 0, M_PHYS, KMEM_ANYDOMAIN);
	if (vpp->vpp_blacklist == NULL)
		return (ENOMEM);
	blacklist_page(vp, 0);
	for (size_t i = 0; i < vpc->vpc_nblacklist; i++)
		blacklist_page(vp, vpc->vpc_blacklist[i]);
	return (0);
}

/*
 * Take npages pages of a domain off the queues for good: largest blocks from
 * the top of memory down, then whatever is first in line.
 */
static void
withdraw(struct vm_phys *vp, struct vm_domain *vmd, uint64_t npages)
{
	const struct vm_phys_seg *seg;
	vm_paddr_t pa;
	int o, order;

	vmd->vmd_withdrawn = npages;
	for (int i = vp->vp_nsegs - 1; i >= 0; i--) {
		seg = &vp->vp_segs[i];
		if (seg->domain != vmd->vmd_domain)
			continue;
		pa = seg->end >> VM_BLOCK_SHIFT << VM_BLOCK_SHIFT;
		while (npages >= VM_ORDER_PAGES &&
		    pa >= seg->start + (VM_ORDER_PAGES << PAGE_SHIFT)) {
			pa -= VM_ORDER_PAGES << PAGE_SHIFT;
			if (!vm_buddy_is_max(vp, seg, pa))
				continue;
			if (vm_buddy_is_pristine(vp, seg, pa))
				vm_buddy_drop_pristine(vp, seg, pa);
			else
				(void)vm_buddy_take(vp, seg, pa, &o);
			npages -= VM_ORDER_PAGES;
		}
	}
	for (order = VM_ORDER_MAX; order >= 0; order--) {
		while (npages >= UINT64_C(1) << order &&
		    vm_buddy_alloc(vp, vmd->vmd_domain, VM_FREEPOOL_DEFAULT,
			order) != NULL)
			npages -= UINT64_C(1) << order;
	}
	KASSERT(npages == 0,
	    ("domain %d: %ju pages not withdrawn", vmd->vmd_domain,
		(uintmax_t)npages));
}

/* Leave limit pages free, an equal share in each domain that has as many. */
static void
limit_pages(struct vm_phys *vp, uint64_t limit)
{
	uint64_t keep[MAXMEMDOM] = { 0 }, room[MAXMEMDOM], share;
	struct vm_domain *vmd;
	int d, open;

	for (d = 0; d < vp->vp_ndomains; d++) {
		vmd = vp->vp_domains[d];
		room[d] = vmd->vmd_seg_pages - vmd->vmd_blacklisted;
	}
	/* Each round uses the limit up or leaves one domain fewer with room. */
	while (limit > 0) {
		open = 0;
		for (d = 0; d < vp->vp_ndomains; d++)
			open += keep[d] < room[d];
		if (open == 0)
			break;
		share = limit / (uint64_t)open;
		if (share == 0)
			share = 1;
		for (d = 0; d < vp->vp_ndomains && limit > 0; d++) {
			uint64_t n = room[d] - keep[d];

			n = n < share ? n : share;
			keep[d] += n;
			limit -= n;
		}
	}
	for (d = 0; d < vp->vp_ndomains; d++)
		withdraw(vp, vp->vp_domains[d], room[d] - keep[d]);
}

/*
 * Assumed, as recollected of FreeBSD, vm_pageout_init_domain():
 * interrupt_free_min is 2; free_reserved is the 32 pages of a pageout cluster,
 * two buffers of 64 KB, and 1/768 of the domain.
 * Assumed: never more than an eighth, so that a tiny machine is usable.
 */
static void
set_reserves(struct vm_domain *vmd)
{
	vmd->vmd_interrupt_free_min = 2;
	vmd->vmd_free_reserved = 32 + 2 * (65536 / PAGE_SIZE) +
	    vmd->vmd_interrupt_free_min + vmd->vmd_page_count / 768;
	if (vmd->vmd_free_reserved > vmd->vmd_page_count / 8)
		vmd->vmd_free_reserved = vmd->vmd_page_count / 8;
	if (vmd->vmd_interrupt_free_min > vmd->vmd_free_reserved)
		vmd->vmd_interrupt_free_min = vmd->vmd_free_reserved;
}

/*
 * A domain has page caches if filling all of them takes no more than 1/400 of
 * it.
 * Source: FreeBSD main (2024), vm_page_init_cache_zones().
 */
static bool
has_pgcache(const struct vm_phys *vp, const struct vm_domain *vmd)
{
	return (!vp->vp_private->vpp_no_pgcache &&
	    vmd->vmd_page_count / 400 >= (uint64_t)VM_PGCACHE_MAX *
		    vp->vp_sim->sim_ncpus * VM_NFREEPOOL);
}

int
vm_phys_boot(struct vm_phys *vp, const struct vm_phys_config *vpc)
{
	const struct vm_phys_seg *seg;
	struct vm_domain *vmd;
	uint64_t total = 0;
	int error;

	for (int i = 0; i < vp->vp_nsegs; i++) {
		seg = &vp->vp_segs[i];
		vmd = vp->vp_domains[seg->domain];
		vm_buddy_boot_release(vp, i);
		vmd->vmd_seg_pages += (seg->end - seg->start) >> PAGE_SHIFT;
	}
	error = blacklist_pages(vp, vpc);
	if (error != 0)
		return (error);
	for (int d = 0; d < vp->vp_ndomains; d++) {
		total += vp->vp_domains[d]->vmd_seg_pages -
		    vp->vp_domains[d]->vmd_blacklisted;
	}
	if (vpc->vpc_limit_pages != 0 && vpc->vpc_limit_pages < total)
		limit_pages(vp, vpc->vpc_limit_pages);
	for (int d = 0; d < vp->vp_ndomains; d++) {
		vmd = vp->vp_domains[d];
		vmd->vmd_page_count = vmd->vmd_seg_pages -
		    vmd->vmd_blacklisted - vmd->vmd_withdrawn;
		set_reserves(vmd);
		vmd->vmd_has_pgcache = has_pgcache(vp, vmd);
		/* Relaxed: no other thread knows the machine yet. */
		atomic_store_explicit(&vmd->vmd_free_count, vmd->vmd_page_count,
		    memory_order_relaxed);
	}
	return (0);
}
