/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs of pages that are no power of two: queueing and freeing them, finding
 * and taking one by address, taking one given page off the queues.
 *
 * Locks.  The free queue lock of the domain is held throughout.
 *
 * Source: FreeBSD main (2024), sys/vm/vm_phys.c, for behaviour, not for form.
 */

#include "phys/vm_phys_impl.h"

static void
assert_locked(struct vm_phys *vp, int domain)
{
	KASSERT(mtx_owned(&vp->vp_domains[domain]->vmd_lock.mtx),
	    ("domain %d: free queue not locked", domain));
	(void)vp;
	(void)domain;
}

/* A run may come in pages of both pools; a block has one. */
static void
unify_pool(struct vm_page *m, uint64_t npages)
{
	for (uint64_t i = 1; i < npages; i++) {
		if (m[i].pool != m->pool)
			m[i].pool = m->pool;
	}
}

void
vm_phys_enqueue_contig(struct vm_phys *vp, struct vm_page *m, uint64_t npages)
{
	const struct vm_phys_seg *seg = vm_page_seg(vp, m);
	uint64_t pfn = m->phys_addr >> PAGE_SHIFT;
	int order, pool = m->pool;

	assert_locked(vp, seg->domain);
	unify_pool(m, npages);
	while (npages > 0) {
		order = vm_buddy_order(pfn, npages);
		vm_buddy_add(vp, seg, m, pool, order, true);
		m += UINT64_C(1) << order;
		pfn += UINT64_C(1) << order;
		npages -= UINT64_C(1) << order;
	}
}

/*
 * Only the first and the last block of a run's decomposition can have a free
 * buddy outside the run, and once they merge the chain of merges takes in the
 * blocks between them; so those are queued first, and never searched for.
 *
 * Differs: a run that is a single block is the first one here; FreeBSD's
 * arithmetic takes it for a block between, and may leave it unmerged.
 */
void
vm_phys_free_contig(struct vm_phys *vp, struct vm_page *m, uint64_t npages)
{
	struct vm_page *last;
	uint64_t n, pfn = m->phys_addr >> PAGE_SHIFT;
	int first_order, last_order;

	KASSERT(npages > 0, ("no pages freed"));
	assert_locked(vp, vm_page_domain(vp, m));
	unify_pool(m, npages);
	first_order = vm_buddy_order(pfn, npages);
	n = UINT64_C(1) << first_order;
	if (npages == n) {
		vm_buddy_free(vp, m, first_order);
		return;
	}
	last_order = vm_buddy_order(pfn + npages, npages - n);
	last = m + npages - (UINT64_C(1) << last_order);
	if (last > m + n)
		vm_phys_enqueue_contig(vp, m + n, (uint64_t)(last - (m + n)));
	vm_buddy_free(vp, m, first_order);
	vm_buddy_free(vp, last, last_order);
}

/*
 * A window around the page grows until it begins with the head of a block at
 * least as large; that block is taken and halved until only the page is left.
 */
bool
vm_buddy_unfree(struct vm_phys *vp, struct vm_page *m)
{
	const struct vm_phys_seg *seg;
	struct vm_page *half, *set = NULL;
	vm_paddr_t pa = vm_page_index_to_phys(vp, m), set_pa;
	int order, window;

	seg = vm_phys_paddr_to_seg(vp, pa);
	if (seg == NULL)
		return (false);
	for (window = 0; window < VM_NFREEORDER; window++) {
		set_pa = pa >> (PAGE_SHIFT + window) << (PAGE_SHIFT + window);
		if (set_pa < seg->start)
			return (false);
		set = vm_seg_page(seg, set_pa);
		if (set->order_inv != 0 &&
		    VM_NFREEORDER - set->order_inv < window)
			return (false);
		if (set->order_inv != 0 || window == VM_ORDER_MAX)
			break;
	}
	set = vm_buddy_take(vp, seg, set_pa, &order);
	if (set == NULL)
		return (false);
	while (order > 0) {
		order--;
		half = set + (UINT64_C(1) << order);
		if (m >= half) {
			vm_buddy_add(vp, seg, set, set->pool, order, false);
			set = half;
			vm_page_materialise(vp, set, vm_phys_segind(vp, seg));
		} else
			vm_buddy_add(vp, seg, half, set->pool, order, false);
	}
	KASSERT(set == m, ("page %#jx: not what was left", (uintmax_t)pa));
	vm_buddy_hand_out(vp, m, 1);
	return (true);
}

bool
vm_phys_unfree_page(struct vm_phys *vp, struct vm_page *m)
{
	assert_locked(vp, vm_phys_domain(vp, vm_page_index_to_phys(vp, m)));
	return (vm_buddy_unfree(vp, m));
}

/* What alloc_contig() looks for, within one segment. */
struct contig {
	const struct vm_phys_seg *c_seg;
	uint64_t c_npages;
	vm_paddr_t c_low;
	vm_paddr_t c_high;
	vm_paddr_t c_align;
	vm_paddr_t c_boundary;
};

/* Could the run begin at pa, where a free block of sufficient order begins? */
static bool
fits(const struct vm_phys *vp, const struct contig *c, vm_paddr_t pa)
{
	uint64_t size = c->c_npages << PAGE_SHIFT;
	vm_paddr_t p;

	if (pa < c->c_low || pa >= c->c_high || c->c_high - pa < size)
		return (false);
	if (c->c_align > 1 && (pa & (c->c_align - 1)) != 0)
		return (false);
	if (c->c_boundary != 0 &&
	    ((pa ^ (pa + size - 1)) & ~(c->c_boundary - 1)) != 0)
		return (false);
	/* Beyond the largest block: those that follow must be free as well. */
	for (p = pa + (VM_ORDER_PAGES << PAGE_SHIFT); p < pa + size;
	     p += VM_ORDER_PAGES << PAGE_SHIFT) {
		if (!vm_buddy_is_max(vp, c->c_seg, p))
			return (false);
	}
	return (true);
}

/* The pristine blocks come first in their queue, ascending. */
static bool
find_pristine(const struct vm_phys *vp, const struct contig *c, vm_paddr_t *pap)
{
	const struct vm_pristine *vpr;
	vm_paddr_t pa;
	uint64_t word;

	vpr = &vp->vp_private->vpp_pristine[vm_phys_segind(vp, c->c_seg)];
	if (vpr->vpr_count == 0)
		return (false);
	for (uint64_t i = vpr->vpr_hint; i * 64 < vpr->vpr_blocks; i++) {
		for (word = vpr->vpr_bits[i]; word != 0; word &= word - 1) {
			pa = (vpr->vpr_first + i * 64 +
				 (uint64_t)__builtin_ctzll(word))
			    << VM_BLOCK_SHIFT;
			if (pa >= c->c_high)
				return (false);
			if (fits(vp, c, pa)) {
				*pap = pa;
				return (true);
			}
		}
	}
	return (false);
}

static bool
find(const struct vm_phys *vp, const struct contig *c, vm_paddr_t *pap)
{
	const struct vm_freelist *fl = c->c_seg->free_queues;
	const struct vm_page *m;
	int order = 0;

	while (order < VM_ORDER_MAX && (UINT64_C(1) << order) < c->c_npages)
		order++;
	for (; order < VM_NFREEORDER; order++) {
		for (int pool = 0; pool < VM_NFREEPOOL; pool++) {
			if (order == VM_ORDER_MAX &&
			    pool == VM_FREEPOOL_DEFAULT &&
			    find_pristine(vp, c, pap))
				return (true);
			m = fl->fl_queues[pool][order].fq_first;
			for (; m != NULL; m = m->q_next) {
				if (fits(vp, c, m->phys_addr)) {
					*pap = m->phys_addr;
					return (true);
				}
			}
		}
	}
	return (false);
}

/*
 * Take the blocks that the run covers; what is too much goes back.
 * Assumed: to the head, as halves do that unfree() splits off.
 */
static struct vm_page *
take_run(struct vm_phys *vp, const struct contig *c, vm_paddr_t pa)
{
	struct vm_page *m, *run = vm_seg_page(c->c_seg, pa);
	uint64_t n = 0;
	int order;

	while (n < c->c_npages) {
		m = vm_buddy_take(vp, c->c_seg, pa + (n << PAGE_SHIFT), &order);
		if (m == NULL) {
			panic("page %#jx: not free",
			    (uintmax_t)(pa + (n << PAGE_SHIFT)));
		}
		if (m->pool != VM_FREEPOOL_DEFAULT)
			vm_buddy_set_pool(m, order, VM_FREEPOOL_DEFAULT);
		n += UINT64_C(1) << order;
	}
	vm_buddy_add_residue(vp, c->c_seg, run + c->c_npages, n - c->c_npages,
	    VM_FREEPOOL_DEFAULT, false);
	vm_buddy_hand_out(vp, run, c->c_npages);
	return (run);
}

struct vm_page *
vm_phys_alloc_contig(struct vm_phys *vp, int domain, uint64_t npages,
    vm_paddr_t low, vm_paddr_t high, vm_paddr_t align, vm_paddr_t boundary)
{
	const struct vm_phys_seg *seg;
	struct contig c = {
		.c_npages = npages,
		.c_align = align,
		.c_boundary = boundary,
	};
	vm_paddr_t pa;

	assert_locked(vp, domain);
	KASSERT(npages > 0 && (align & (align - 1)) == 0 &&
		(boundary & (boundary - 1)) == 0,
	    ("%ju pages, align %#jx, boundary %#jx", (uintmax_t)npages,
		(uintmax_t)align, (uintmax_t)boundary));
	if (npages > vp->vp_npages)
		return (NULL);
	for (int i = vp->vp_nsegs - 1; i >= 0; i--) {
		seg = &vp->vp_segs[i];
		if (seg->domain != domain || seg->start >= high)
			continue;
		if (seg->end <= low)
			break;
		c.c_seg = seg;
		c.c_low = low > seg->start ? low : seg->start;
		c.c_high = high < seg->end ? high : seg->end;
		if (c.c_high - c.c_low >= npages << PAGE_SHIFT &&
		    find(vp, &c, &pa))
			return (take_run(vp, &c, pa));
	}
	return (NULL);
}
