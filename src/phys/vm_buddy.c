/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buddy allocator: queues of free blocks of 2^order pages by domain, free
 * list, pool and order.
 *
 * Pristine blocks.  A machine of 12 TiB has 786 000 blocks of the largest order
 * when it boots.  To write a queue link into the first descriptor of each would
 * touch as many host pages, 3 GB.  So a largest block that no one has used since
 * boot is no more than a bit, and its descriptors are still all zero: the block
 * is pristine.  When a block leaves that state its first descriptor is filled
 * in; the others follow when they are handed out or begin a block themselves.
 *
 * All order-12 blocks enter their queues at boot, in ascending order; whatever
 * is freed later goes to the tail.  So in each queue of that order (of pool
 * DEFAULT, the only one filled at boot) the pristine blocks, ascending, come
 * before all others, always:
 *
 *	queue = pristine blocks by address, then the linked list
 *
 * and taking from the head, taking one from the middle and adding at the tail
 * keep it so.  Nothing is ever put back at the head of an order-12 queue: heads
 * are for halves of split blocks, which are smaller.  The order that callers see
 * is therefore exactly that of linking every block at boot (vpc_eager does that,
 * and a test compares).
 *
 * Invariants.
 *   1. Only the first page of a block on a linked list has order_inv != 0.
 *   2. All pages of a block carry the block's pool.  For a pristine block that
 *	is DEFAULT, which is zero.
 *   3. No page that was handed out lacks phys_addr or segind.
 *   4. Two free buddies of one order below 12 and one segment do not exist.
 *
 * Locks.  The caller holds the domain's free queue lock for all of it.
 *
 * Source: FreeBSD main (2024), sys/vm/vm_phys.c, for behaviour, not for form.
 */

#include <string.h>

#include "phys/vm_phys_impl.h"

static struct vm_freeq *
page_queue(struct vm_phys *vp, const struct vm_page *m, int order)
{
	return (&vm_page_seg(vp, m)->free_queues->fl_queues[m->pool][order]);
}

static void
freeq_add(struct vm_freeq *fq, struct vm_page *m, int order, bool at_tail)
{
	KASSERT(m->segind != 0 && m->order_inv == 0,
	    ("page %#jx put on queue %d, is on %d", (uintmax_t)m->phys_addr,
		order, VM_NFREEORDER - m->order_inv));
	m->order_inv = VM_ORDER_INV(order);
	if (at_tail) {
		m->q_next = NULL;
		m->q_prev = fq->fq_last;
	} else {
		m->q_next = fq->fq_first;
		m->q_prev = NULL;
	}
	if (m->q_prev != NULL)
		m->q_prev->q_next = m;
	else
		fq->fq_first = m;
	if (m->q_next != NULL)
		m->q_next->q_prev = m;
	else
		fq->fq_last = m;
	fq->fq_count++;
}

static void
freeq_remove(struct vm_freeq *fq, struct vm_page *m)
{
	KASSERT(m->order_inv != 0 && fq->fq_count > 0,
	    ("page %#jx is on no queue", (uintmax_t)m->phys_addr));
	if (m->q_next != NULL)
		m->q_next->q_prev = m->q_prev;
	else
		fq->fq_last = m->q_prev;
	if (m->q_prev != NULL)
		m->q_prev->q_next = m->q_next;
	else
		fq->fq_first = m->q_next;
	m->q_next = NULL;
	m->q_prev = NULL;
	m->order_inv = 0;
	fq->fq_count--;
}

void
vm_buddy_set_pool(struct vm_page *m, int order, int pool)
{
	for (struct vm_page *end = m + (UINT64_C(1) << order); m < end; m++)
		m->pool = (uint8_t)pool;
}

void
vm_buddy_hand_out(struct vm_phys *vp, struct vm_page *m, uint64_t npages)
{
	int segind = m->segind - 1;

	KASSERT(segind >= 0, ("page %p: no segment", (void *)m));
	for (struct vm_page *end = m + npages; m < end; m++) {
		vm_page_materialise(vp, m, segind);
		if ((m->flags & PG_FREED) != 0)
			m->flags &= (uint8_t)~PG_FREED;
	}
}

bool
vm_buddy_is_pristine(
    const struct vm_phys *vp, const struct vm_phys_seg *seg, vm_paddr_t pa)
{
	const struct vm_pristine *vpr;
	uint64_t i;

	vpr = &vp->vp_private->vpp_pristine[vm_phys_segind(vp, seg)];
	i = (pa >> VM_BLOCK_SHIFT) - vpr->vpr_first;
	return (i < vpr->vpr_blocks &&
	    (vpr->vpr_bits[i / 64] >> (i % 64) & 1) != 0);
}

void
vm_buddy_drop_pristine(
    struct vm_phys *vp, const struct vm_phys_seg *seg, vm_paddr_t pa)
{
	int segind = vm_phys_segind(vp, seg);
	struct vm_pristine *vpr = &vp->vp_private->vpp_pristine[segind];
	struct vm_freelist *fl = seg->free_queues;
	uint64_t i;

	i = (pa >> VM_BLOCK_SHIFT) - vpr->vpr_first;
	vpr->vpr_bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
	if (--vpr->vpr_count == 0)
		fl->fl_pristine &= ~(UINT64_C(1) << segind);
	fl->fl_pristine_count--;
}

/* Materialise the pristine block at pa; the caller queues it or splits it. */
static struct vm_page *
pristine_take(struct vm_phys *vp, const struct vm_phys_seg *seg, vm_paddr_t pa)
{
	struct vm_page *m = vm_seg_page(seg, pa);

	vm_buddy_drop_pristine(vp, seg, pa);
	KASSERT(m->order_inv == 0 && m->pool == VM_FREEPOOL_DEFAULT,
	    ("pristine block %#jx was written to", (uintmax_t)pa));
	vm_page_materialise(vp, m, vm_phys_segind(vp, seg));
	return (m);
}

/* The lowest pristine block of a segment that has one. */
static vm_paddr_t
pristine_first(struct vm_phys *vp, int segind)
{
	struct vm_pristine *vpr = &vp->vp_private->vpp_pristine[segind];

	while (vpr->vpr_bits[vpr->vpr_hint] == 0)
		vpr->vpr_hint++;
	return ((vpr->vpr_first + vpr->vpr_hint * 64 +
		    (uint64_t)__builtin_ctzll(vpr->vpr_bits[vpr->vpr_hint]))
	    << VM_BLOCK_SHIFT);
}

/* Take the first block of a queue, or NULL.  Segments are in address order. */
static struct vm_page *
take_first(struct vm_phys *vp, struct vm_freelist *fl, int pool, int order)
{
	struct vm_freeq *fq = &fl->fl_queues[pool][order];
	struct vm_page *m;
	int segind;

	if (order == VM_ORDER_MAX && pool == VM_FREEPOOL_DEFAULT &&
	    fl->fl_pristine != 0) {
		segind = __builtin_ctzll(fl->fl_pristine);
		return (pristine_take(
		    vp, &vp->vp_segs[segind], pristine_first(vp, segind)));
	}
	m = fq->fq_first;
	if (m != NULL)
		freeq_remove(fq, m);
	return (m);
}

struct vm_page *
vm_buddy_take(
    struct vm_phys *vp, const struct vm_phys_seg *seg, vm_paddr_t pa, int *op)
{
	struct vm_page *m;

	if (vm_buddy_is_pristine(vp, seg, pa)) {
		*op = VM_ORDER_MAX;
		return (pristine_take(vp, seg, pa));
	}
	m = vm_seg_page(seg, pa);
	if (m->order_inv == 0)
		return (NULL);
	*op = VM_NFREEORDER - m->order_inv;
	freeq_remove(page_queue(vp, m, *op), m);
	return (m);
}

void
vm_buddy_add(struct vm_phys *vp, const struct vm_phys_seg *seg,
    struct vm_page *m, int pool, int order, bool at_tail)
{
	vm_page_materialise(vp, m, vm_phys_segind(vp, seg));
	freeq_add(&seg->free_queues->fl_queues[pool][order], m, order, at_tail);
}

/* Return the upper halves of a block of order from, down to order to. */
static void
split(struct vm_phys *vp, struct vm_page *m, int from, int to)
{
	const struct vm_phys_seg *seg = vm_page_seg(vp, m);

	while (from > to) {
		from--;
		vm_buddy_add(
		    vp, seg, m + (UINT64_C(1) << from), m->pool, from, true);
	}
}

void
vm_buddy_add_residue(struct vm_phys *vp, const struct vm_phys_seg *seg,
    struct vm_page *m, uint64_t npages, int pool, bool at_tail)
{
	int order;

	for (; npages != 0; npages &= npages - 1) {
		order = __builtin_ctzll(npages);
		vm_buddy_add(vp, seg, m, pool, order, at_tail);
		m += UINT64_C(1) << order;
	}
}

static struct vm_page *
alloc_from_list(struct vm_phys *vp, struct vm_freelist *fl, int pool, int order)
{
	struct vm_page *m;

	for (int o = order; o < VM_NFREEORDER; o++) {
		m = take_first(vp, fl, pool, o);
		if (m != NULL) {
			split(vp, m, o, order);
			return (m);
		}
	}
	/* The pool is empty: convert the largest block that any has. */
	for (int o = VM_ORDER_MAX; o >= order; o--) {
		for (int p = 0; p < VM_NFREEPOOL; p++) {
			m = take_first(vp, fl, p, o);
			if (m != NULL) {
				if (m->pool != pool)
					vm_buddy_set_pool(m, o, pool);
				split(vp, m, o, order);
				return (m);
			}
		}
	}
	return (NULL);
}

/* The queues of a free list, or NULL where the machine has no such list. */
static struct vm_freelist *
domain_list(struct vm_phys *vp, int domain, int list)
{
	int flind = vp->vp_private->vpp_flind[list];

	return (flind < 0 ? NULL : &vp->vp_domains[domain]->vmd_lists[flind]);
}

struct vm_page *
vm_buddy_alloc(struct vm_phys *vp, int domain, int pool, int order)
{
	struct vm_freelist *fl;
	struct vm_page *m;

	for (int list = 0; list < VM_NFREELIST; list++) {
		fl = domain_list(vp, domain, list);
		m = fl != NULL ? alloc_from_list(vp, fl, pool, order) : NULL;
		if (m != NULL) {
			vm_buddy_hand_out(vp, m, UINT64_C(1) << order);
			return (m);
		}
	}
	return (NULL);
}

struct vm_page *
vm_phys_alloc_pages(struct vm_phys *vp, int domain, int pool, int order)
{
	KASSERT(domain >= 0 && domain < vp->vp_ndomains && pool >= 0 &&
		pool < VM_NFREEPOOL && order >= 0 && order < VM_NFREEORDER,
	    ("domain %d, pool %d, order %d", domain, pool, order));
	KASSERT(mtx_owned(&vp->vp_domains[domain]->vmd_lock.mtx),
	    ("domain %d: free queue not locked", domain));
	return (vm_buddy_alloc(vp, domain, pool, order));
}

/*
 * Hand out what is needed of the block m just taken off a queue, and queue the
 * rest.  Returns how many pages of the npages wanted are there now.
 */
static int
consume(struct vm_phys *vp, struct vm_page *m, int order, int got, int npages,
    struct vm_page **pages)
{
	const struct vm_phys_seg *seg = vm_page_seg(vp, m);
	int pool = m->pool;
	uint64_t i, n = UINT64_C(1) << order;

	for (i = 0; i < n && got < npages; i++)
		pages[got++] = m + i;
	vm_buddy_hand_out(vp, m, i);
	vm_buddy_add_residue(vp, seg, m + i, n - i, pool, true);
	return (got);
}

int
vm_phys_alloc_npages(struct vm_phys *vp, int domain, int pool, int npages,
    struct vm_page **pages)
{
	struct vm_freelist *fl;
	struct vm_page *m;
	int got = 0;

	KASSERT(mtx_owned(&vp->vp_domains[domain]->vmd_lock.mtx),
	    ("domain %d: free queue not locked", domain));
	for (int list = 0; list < VM_NFREELIST; list++) {
		fl = domain_list(vp, domain, list);
		if (fl == NULL)
			continue;
		for (int o = 0; o < VM_NFREEORDER; o++) {
			while (got < npages &&
			    (m = take_first(vp, fl, pool, o)) != NULL)
				got = consume(vp, m, o, got, npages, pages);
		}
		for (int o = VM_ORDER_MAX; o >= 0; o--) {
			for (int p = 0; p < VM_NFREEPOOL; p++) {
				while (got < npages &&
				    (m = take_first(vp, fl, p, o)) != NULL) {
					if (m->pool != pool)
						vm_buddy_set_pool(m, o, pool);
					got = consume(
					    vp, m, o, got, npages, pages);
				}
			}
		}
	}
	return (got);
}

void
vm_buddy_free(struct vm_phys *vp, struct vm_page *m, int order)
{
	const struct vm_phys_seg *seg = vm_page_seg(vp, m);
	struct vm_page *buddy;
	vm_paddr_t buddy_pa, pa = m->phys_addr;
	int pool = m->pool;

	KASSERT(m->order_inv == 0 && pool < VM_NFREEPOOL && order >= 0 &&
		order < VM_NFREEORDER,
	    ("page %#jx freed: order %d, its own %d, pool %d", (uintmax_t)pa,
		order, VM_NFREEORDER - m->order_inv, pool));
	KASSERT((pa & ((UINT64_C(1) << (PAGE_SHIFT + order)) - 1)) == 0,
	    ("page %#jx freed: order %d", (uintmax_t)pa, order));
	for (; order < VM_ORDER_MAX; order++) {
		buddy_pa = pa ^ (UINT64_C(1) << (PAGE_SHIFT + order));
		if (buddy_pa < seg->start || buddy_pa >= seg->end)
			break;
		buddy = vm_seg_page(seg, buddy_pa);
		if (buddy->order_inv != VM_ORDER_INV(order))
			break;
		freeq_remove(page_queue(vp, buddy, order), buddy);
		if (buddy->pool != pool)
			vm_buddy_set_pool(buddy, order, pool);
		pa &= buddy_pa;
	}
	vm_buddy_add(vp, seg, vm_seg_page(seg, pa), pool, order, true);
}

void
vm_phys_free_pages(struct vm_phys *vp, struct vm_page *m, int order)
{
	KASSERT(mtx_owned(&vp->vp_domains[vm_page_domain(vp, m)]->vmd_lock.mtx),
	    ("domain %d: free queue not locked", vm_page_domain(vp, m)));
	vm_buddy_free(vp, m, order);
}

void
vm_buddy_boot_release(struct vm_phys *vp, int segind)
{
	const struct vm_phys_seg *seg = &vp->vp_segs[segind];
	struct vm_pristine *vpr = &vp->vp_private->vpp_pristine[segind];
	uint64_t i, pfn, end = seg->end >> PAGE_SHIFT;
	int order;

	for (pfn = seg->start >> PAGE_SHIFT; pfn < end;
	     pfn += UINT64_C(1) << order) {
		order = vm_buddy_order(pfn, end - pfn);
		if (order < VM_ORDER_MAX || vp->vp_private->vpp_eager) {
			vm_buddy_add(vp, seg,
			    vm_seg_page(seg, pfn << PAGE_SHIFT),
			    VM_FREEPOOL_DEFAULT, order, true);
			continue;
		}
		i = (pfn >> VM_ORDER_MAX) - vpr->vpr_first;
		vpr->vpr_bits[i / 64] |= UINT64_C(1) << (i % 64);
		vpr->vpr_count++;
	}
	if (vpr->vpr_count > 0)
		seg->free_queues->fl_pristine |= UINT64_C(1) << segind;
	seg->free_queues->fl_pristine_count += vpr->vpr_count;
}
