/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical memory of a machine: from a memory map to segments, free lists, page
 * array and simulated memory.  SPEC 2.1 to 2.4 and 2.7.
 *
 * The page array is dense: it has a descriptor for every page from the first of
 * the lowest segment to the last of the highest, gaps included, so that pages
 * adjacent in PA are adjacent in the array.  It and the simulated memory are
 * mappings that commit host memory where they are touched, and creating a
 * machine touches them only at the ends of segments: see vm_buddy.c.
 *
 * Differs from FreeBSD: no segments for memory that is in use at boot, as there
 * is no kernel image here; no fictitious ranges.
 */

#include "phys/vm_phys.h"

#include <errno.h>
#include <string.h>

#include "phys/vm_phys_impl.h"

static const char too_many_segs[] = "more than 63 physical segments";
static const char no_memory[] = "out of memory";
_Static_assert(VM_PHYSSEG_MAX == 63, "the message above says so");

/* Insert a segment, sorted by address. */
static int
add_seg(struct vm_phys *vp, vm_paddr_t start, vm_paddr_t end, int domain,
    const char **whyp)
{
	struct vm_phys_seg *seg;
	int i;

	if (vp->vp_nsegs == VM_PHYSSEG_MAX) {
		*whyp = too_many_segs;
		return (EINVAL);
	}
	if (domain < 0 || domain >= vp->vp_ndomains) {
		*whyp = "a range outside the map's domains";
		return (EINVAL);
	}
	for (i = vp->vp_nsegs; i > 0 && vp->vp_segs[i - 1].start > start; i--)
		vp->vp_segs[i] = vp->vp_segs[i - 1];
	vp->vp_nsegs++;
	seg = &vp->vp_segs[i];
	*seg = (struct vm_phys_seg){
		.start = start,
		.end = end,
		.domain = domain,
	};
	if ((i > 0 && seg[-1].end > start) ||
	    (i + 1 < vp->vp_nsegs && seg[1].start < end)) {
		*whyp = "usable ranges overlap";
		return (EINVAL);
	}
	return (0);
}

/* Split at affinity boundaries, or believe the range where there are none. */
static int
add_piece(struct vm_phys *vp, const struct memmap *mm, vm_paddr_t start,
    vm_paddr_t end, int domain, const char **whyp)
{
	const struct memmap_affinity *ma;
	vm_paddr_t cut;
	size_t i;
	int error;

	if (mm->mm_naffinity == 0)
		return (add_seg(vp, start, end, domain, whyp));
	for (i = 0; i < mm->mm_naffinity && start < end; i++) {
		ma = &mm->mm_affinity[i];
		cut = ma->ma_end & ~(vm_paddr_t)PAGE_MASK;
		if (cut <= start)
			continue;
		if (ma->ma_start > start)
			break;
		if (cut > end)
			cut = end;
		error = add_seg(vp, start, cut, ma->ma_domain, whyp);
		if (error != 0)
			return (error);
		start = cut;
	}
	if (start < end) {
		*whyp = "usable memory that no affinity record covers";
		return (EINVAL);
	}
	return (0);
}

/* Split one usable range at 16 MiB and at 4 GiB. */
static int
add_range(struct vm_phys *vp, const struct memmap *mm,
    const struct memmap_range *mr, const char **whyp)
{
	static const vm_paddr_t bounds[] = { VM_LOWMEM_BOUNDARY,
		VM_DMA32_BOUNDARY };
	vm_paddr_t end, start;
	int error;

	if (mr->mr_end < PAGE_SIZE || mr->mr_start > mr->mr_end - PAGE_SIZE)
		return (0);
	start = (mr->mr_start + PAGE_MASK) & ~(vm_paddr_t)PAGE_MASK;
	end = mr->mr_end & ~(vm_paddr_t)PAGE_MASK;
	if (start >= end)
		return (0);
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		if (start >= bounds[i] || end <= bounds[i])
			continue;
		error =
		    add_piece(vp, mm, start, bounds[i], mr->mr_domain, whyp);
		if (error != 0)
			return (error);
		start = bounds[i];
	}
	return (add_piece(vp, mm, start, end, mr->mr_domain, whyp));
}

/* The free list that a segment goes to, if that exists. */
static int
seg_list(const struct vm_phys_seg *seg)
{
	if (seg->end <= VM_LOWMEM_BOUNDARY)
		return (VM_FREELIST_LOWMEM);
	if (seg->end <= VM_DMA32_BOUNDARY)
		return (VM_FREELIST_DMA32);
	return (VM_FREELIST_DEFAULT);
}

/* Which lists exist, as dense indices; an absent one has its predecessor's. */
static void
index_lists(struct vm_phys *vp)
{
	int *flind = vp->vp_private->vpp_flind;
	uint64_t npages = 0;
	int list;

	memset(flind, 0, sizeof(vp->vp_private->vpp_flind));
	for (int i = vp->vp_nsegs - 1; i >= 0; i--) {
		list = seg_list(&vp->vp_segs[i]);
		if (list == VM_FREELIST_DMA32 &&
		    npages <= VM_DMA32_NPAGES_THRESHOLD)
			list = VM_FREELIST_DEFAULT;
		flind[list] = 1;
		if (list == VM_FREELIST_DEFAULT) {
			npages += (vp->vp_segs[i].end - vp->vp_segs[i].start) >>
			    PAGE_SHIFT;
		}
	}
	for (int i = 1; i < VM_NFREELIST; i++)
		flind[i] += flind[i - 1];
	for (int i = 0; i < VM_NFREELIST; i++)
		flind[i]--;
}

/* Give each segment its queues and pages, and merge neighbours on the same. */
static void
place_segs(struct vm_phys *vp)
{
	struct vm_phys_seg *seg, *prev = NULL;
	int n = 0;

	for (int i = 0; i < vp->vp_nsegs; i++) {
		seg = &vp->vp_segs[i];
		seg->free_queues =
		    &vp->vp_domains[seg->domain]
			 ->vmd_lists[vp->vp_private->vpp_flind[seg_list(seg)]];
		seg->first_page = &vp->vp_array[(seg->start >> PAGE_SHIFT) -
		    vp->vp_first_page];
		if (prev != NULL && prev->end == seg->start &&
		    prev->free_queues == seg->free_queues) {
			prev->end = seg->end;
			continue;
		}
		prev = &vp->vp_segs[n++];
		*prev = *seg;
	}
	vp->vp_nsegs = n;
}

static int
create_domains(struct vm_phys *vp)
{
	struct vm_domain *vmd;

	for (int d = 0; d < vp->vp_ndomains; d++) {
		vmd = kmem_alloc(
		    vp->vp_kmem, sizeof(*vmd), CACHE_PAIR_SIZE, M_PHYS, d);
		if (vmd == NULL)
			return (ENOMEM);
		vmd->vmd_domain = d;
		mtx_init(&vmd->vmd_lock.mtx, "vm page free queue", 0);
		vp->vp_domains[d] = vmd;
	}
	return (0);
}

static int
map_memory(struct vm_phys *vp)
{
	vm_paddr_t end = vp->vp_segs[vp->vp_nsegs - 1].end;
	void *p;
	int error;

	vp->vp_first_page = vp->vp_segs[0].start >> PAGE_SHIFT;
	vp->vp_npages = (end >> PAGE_SHIFT) - vp->vp_first_page;
	/* Both are below 2^52 pages' worth; neither sum overflows. */
	vp->vp_array_size =
	    (vp->vp_npages * sizeof(struct vm_page) + PDRMASK) & ~PDRMASK;
	error = kva_map_noreserve(vp->vp_array_size, &p);
	if (error != 0)
		return (error);
	vp->vp_array = p;
	vp->vp_dmap_size = (end + PDRMASK) & ~PDRMASK;
	error = kva_map_noreserve(vp->vp_dmap_size, &p);
	if (error != 0)
		return (error);
	vp->vp_dmap = p;
	return (0);
}

static int
create_pristine(struct vm_phys *vp)
{
	struct vm_phys_private *vpp = vp->vp_private;
	struct vm_pristine *vpr;
	uint64_t nwords = 0, *word;

	for (int i = 0; i < vp->vp_nsegs; i++) {
		vpr = &vpp->vpp_pristine[i];
		vpr->vpr_first = vp->vp_segs[i].start >> VM_BLOCK_SHIFT;
		vpr->vpr_blocks = ((vp->vp_segs[i].end - 1) >> VM_BLOCK_SHIFT) -
		    vpr->vpr_first + 1;
		nwords += (vpr->vpr_blocks + 63) / 64;
	}
	vpp->vpp_bits = kmem_alloc(
	    vp->vp_kmem, nwords * sizeof(*word), 0, M_PHYS, KMEM_ANYDOMAIN);
	if (vpp->vpp_bits == NULL)
		return (ENOMEM);
	vpp->vpp_bits_size = nwords * sizeof(*word);
	word = vpp->vpp_bits;
	for (int i = 0; i < vp->vp_nsegs; i++) {
		vpr = &vpp->vpp_pristine[i];
		vpr->vpr_bits = word;
		word += (vpr->vpr_blocks + 63) / 64;
	}
	return (0);
}

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
			if (vm_buddy_is_max(vp, seg, pa)) {
				(void)vm_buddy_take(vp, seg, pa, &o);
				npages -= VM_ORDER_PAGES;
			}
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
 * Source: FreeBSD main (2024), sys/vm/vm_pageout.c, vm_pageout_init_domain():
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
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, vm_page_init_cache_zones().
 */
static bool
has_pgcache(const struct vm_phys *vp, const struct vm_domain *vmd)
{
	return (!vp->vp_private->vpp_no_pgcache &&
	    vmd->vmd_page_count / 400 >= (uint64_t)VM_PGCACHE_MAX *
		    vp->vp_sim->sim_ncpus * VM_NFREEPOOL);
}

static int
release_memory(struct vm_phys *vp, const struct vm_phys_config *vpc)
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

int
vm_phys_create(struct sim *sim, struct kmem *km,
    const struct vm_phys_config *vpc, struct vm_phys **vpp, const char **whyp)
{
	const struct memmap *mm = vpc->vpc_map;
	struct vm_phys *vp;
	int error;

	*whyp = no_memory;
	vp = kmem_alloc(
	    km, sizeof(*vp), CACHE_PAIR_SIZE, M_PHYS, KMEM_ANYDOMAIN);
	if (vp == NULL)
		return (ENOMEM);
	vp->vp_sim = sim;
	vp->vp_kmem = km;
	vp->vp_private = kmem_alloc(km, sizeof(*vp->vp_private),
	    CACHE_PAIR_SIZE, M_PHYS, KMEM_ANYDOMAIN);
	if (vp->vp_private == NULL) {
		error = ENOMEM;
		goto fail;
	}
	vp->vp_private->vpp_eager = vpc->vpc_eager;
	vp->vp_private->vpp_no_pgcache = vpc->vpc_no_page_cache;
	mtx_init(&vp->vp_private->vpp_wait_lock, "vm domainset", 0);
	if (mm->mm_ndomains < 1 || mm->mm_ndomains > MAXMEMDOM) {
		*whyp = "a map without domains, or with more than 16";
		error = EINVAL;
		goto fail;
	}
	vp->vp_ndomains = mm->mm_ndomains;
	for (size_t i = 0; i < mm->mm_nranges; i++) {
		if (mm->mm_ranges[i].mr_type != MEMMAP_USABLE)
			continue;
		error = add_range(vp, mm, &mm->mm_ranges[i], whyp);
		if (error != 0)
			goto fail;
	}
	if (vp->vp_nsegs == 0) {
		*whyp = "no usable page";
		error = EINVAL;
		goto fail;
	}
	error = create_domains(vp);
	if (error != 0)
		goto fail;
	index_lists(vp);
	error = map_memory(vp);
	if (error != 0) {
		*whyp = "no address space for simulated memory";
		goto fail;
	}
	place_segs(vp);
	error = create_pristine(vp);
	if (error == 0)
		error = release_memory(vp, vpc);
	if (error != 0)
		goto fail;
	*vpp = vp;
	*whyp = NULL;
	return (0);

fail:
	vm_phys_destroy(vp);
	return (error);
}

void
vm_phys_destroy(struct vm_phys *vp)
{
	struct vm_phys_private *vpp;
	struct kmem *km;

	if (vp == NULL)
		return;
	km = vp->vp_kmem;
	vpp = vp->vp_private;
	if (vpp != NULL) {
		vm_pgcache_destroy(vp);
		mtx_destroy(&vpp->vpp_wait_lock);
		kmem_free(km, vpp->vpp_bits, vpp->vpp_bits_size, M_PHYS,
		    KMEM_ANYDOMAIN);
		kmem_free(km, vpp->vpp_blacklist, vpp->vpp_blacklist_size,
		    M_PHYS, KMEM_ANYDOMAIN);
		kmem_free(km, vpp, sizeof(*vpp), M_PHYS, KMEM_ANYDOMAIN);
	}
	for (int d = 0; d < vp->vp_ndomains; d++) {
		if (vp->vp_domains[d] == NULL)
			continue;
		mtx_destroy(&vp->vp_domains[d]->vmd_lock.mtx);
		kmem_free(km, vp->vp_domains[d], sizeof(*vp->vp_domains[d]),
		    M_PHYS, d);
	}
	kva_unmap(vp->vp_array, vp->vp_array_size);
	kva_unmap(vp->vp_dmap, vp->vp_dmap_size);
	kmem_free(km, vp, sizeof(*vp), M_PHYS, KMEM_ANYDOMAIN);
}

/* The first segment that ends above pa, or the number of segments. */
static int
first_seg_above(const struct vm_phys *vp, vm_paddr_t pa)
{
	int high = vp->vp_nsegs, low = 0, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (vp->vp_segs[mid].end > pa)
			high = mid;
		else
			low = mid + 1;
	}
	return (low);
}

struct vm_phys_seg *
vm_phys_paddr_to_seg(struct vm_phys *vp, vm_paddr_t pa)
{
	int i = first_seg_above(vp, pa);

	return (i < vp->vp_nsegs && vp->vp_segs[i].start <= pa ? &vp->vp_segs[i]
							       : NULL);
}

int
vm_phys_domain(struct vm_phys *vp, vm_paddr_t pa)
{
	int i = first_seg_above(vp, pa);

	if (i == vp->vp_nsegs || (vp->vp_segs[i].start > pa && i > 0))
		i--;
	return (vp->vp_segs[i].domain);
}
