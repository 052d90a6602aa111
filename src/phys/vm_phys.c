/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical memory of a machine: from a memory map to segments, free lists, page
 * array and simulated memory.
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

#include "phys/vm_reserv_impl.h"

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
/* The pages of a segment, and the structs that describe them. */
static void
set_home(const struct vm_phys *vp, const struct vm_phys_seg *seg)
{
	vm_size_t size = seg->end - seg->start;

	kva_set_home(vp->vp_dmap + seg->start, size, seg->domain);
	kva_set_home(seg->first_page,
	    (size >> PAGE_SHIFT) * sizeof(struct vm_page), seg->domain);
}

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
		set_home(vp, seg);
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
	vp->vp_npages =
	    (end >> PAGE_SHIFT) - vp->vp_first_page - VM_BUG(vp, B30);
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
	vp->vp_private->vpp_bugs = vpc->vpc_bugs;
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
		error = vm_reserv_create(vp, vpc);
	if (error == 0)
		error = vm_phys_boot(vp, vpc);
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
	vm_reserv_destroy(vp);
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
