/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checker of physical memory: invariants 34 to 39 and 43 (the numbering is
 * that of pmap_check.c).
 *
 *	34  a page is on a queue, in a cache or handed out, and only one of
 *	    these; they add up to the domain
 *	35  blocks are aligned, within one segment and one pool; only their heads
 *	    have an order; no two free buddies; queue counts and links are right
 *	36  free_count is what the queues hold, and what reservations have not
 *	    handed out
 *	37  phys_addr, segind and the place in the page array agree
 *	38  reservations: vm_reserv_check.c
 *	39
 *	43  no lock is held, and no thread waits for memory
 *
 * Who owns a page that was handed out is known above: there 34 is completed.
 * Pristine blocks are checked by their bits, not by their descriptors, which
 * must not be touched.  O(pages of the other free blocks), no locks: nobody else
 * may be using the machine.
 */

#include "kern/check_report.h"
#include "phys/vm_reserv_impl.h"

struct check {
	struct vm_phys *c_vp;
	struct check_report c_report;
	int c_domain;      /* being walked */
	int c_list;        /* likewise: index in vmd_lists */
	uint64_t c_queued; /* pages of the domain found on queues */
};

/* 37: what a descriptor says about its place, once it says anything. */
static bool
check_place(struct check *c, const struct vm_page *m, const char *where)
{
	struct vm_phys *vp = c->c_vp;
	vm_paddr_t pa = vm_page_index_to_phys(vp, m);
	const struct vm_phys_seg *seg = vm_phys_paddr_to_seg(vp, pa);

	if (seg == NULL) {
		check_bad(&c->c_report, 37, "%s: page %#jx is in no segment",
		    where, (uintmax_t)pa);
		return (false);
	}
	if (m->phys_addr != pa || m->segind != vm_phys_segind(vp, seg) + 1) {
		check_bad(&c->c_report, 37,
		    "%s: page %#jx in segment %d says %#jx in segment %d",
		    where, (uintmax_t)pa, vm_phys_segind(vp, seg),
		    (uintmax_t)m->phys_addr, m->segind - 1);
		return (false);
	}
	return (true);
}

/* 35: a free buddy of the same order. */
static void
check_buddy(struct check *c, const struct vm_phys_seg *seg,
    const struct vm_page *m, int order)
{
	vm_paddr_t pa = m->phys_addr, buddy_pa;

	buddy_pa = pa ^ (UINT64_C(1) << (PAGE_SHIFT + order));
	/* Each pair is reported once, by its lower block. */
	if (order == VM_ORDER_MAX || buddy_pa < pa || buddy_pa >= seg->end)
		return;
	if (vm_seg_page(seg, buddy_pa)->order_inv == VM_ORDER_INV(order)) {
		check_bad(&c->c_report, 35,
		    "blocks %#jx and %#jx of order %d are buddies",
		    (uintmax_t)pa, (uintmax_t)buddy_pa, order);
	}
}

/* 34, 35, 37 for the pages of a free block. */
static void
check_pages(struct check *c, const struct vm_page *head, uint64_t npages)
{
	const struct vm_page *m;
	bool heads = false, pools = false;

	for (uint64_t i = 0; i < npages; i++) {
		m = &head[i];
		if (m->segind != 0)
			(void)check_place(c, m, "free block");
		if (i > 0 && m->order_inv != 0 && !heads) {
			check_bad(&c->c_report, 35,
			    "page %#jx within block %#jx has order %d",
			    (uintmax_t)vm_page_index_to_phys(c->c_vp, m),
			    (uintmax_t)head->phys_addr,
			    VM_NFREEORDER - m->order_inv);
			heads = true;
		}
		if (m->pool != head->pool && !pools) {
			check_bad(&c->c_report, 35,
			    "page %#jx of block %#jx is in pool %d",
			    (uintmax_t)vm_page_index_to_phys(c->c_vp, m),
			    (uintmax_t)head->phys_addr, m->pool);
			pools = true;
		}
		if ((m->flags & PG_PCPU_CACHE) != 0) {
			check_bad(&c->c_report, 34,
			    "page %#jx is free and in a cache",
			    (uintmax_t)vm_page_index_to_phys(c->c_vp, m));
		}
		if (m->object != NULL ||
		    /* Relaxed: nobody changes it now. */
		    atomic_load_explicit(&m->ref_count, memory_order_relaxed) !=
			0) {
			check_bad(&c->c_report, 34,
			    "page %#jx is free and in use",
			    (uintmax_t)vm_page_index_to_phys(c->c_vp, m));
		}
	}
}

/* One block of a linked list.  False if the list cannot be followed further. */
static bool
check_block(struct check *c, const struct vm_page *m, int pool, int order)
{
	struct vm_phys *vp = c->c_vp;
	const struct vm_phys_seg *seg;
	uint64_t npages = UINT64_C(1) << order;
	vm_paddr_t pa;

	if (m < vp->vp_array || m >= vp->vp_array + vp->vp_npages) {
		check_bad(&c->c_report, 35, "queue %d/%d/%d/%d: %p is no page",
		    c->c_domain, c->c_list, pool, order, (const void *)m);
		return (false);
	}
	if (!check_place(c, m, "queue"))
		return (true);
	pa = m->phys_addr;
	seg = vm_phys_paddr_to_seg(vp, pa);
	c->c_queued += npages;
	if (m->order_inv != VM_ORDER_INV(order)) {
		check_bad(&c->c_report, 35,
		    "block %#jx is on queue %d, has order %d", (uintmax_t)pa,
		    order, VM_NFREEORDER - m->order_inv);
	}
	if (m->pool != pool) {
		check_bad(&c->c_report, 35,
		    "block %#jx is on queues of pool %d, has %d", (uintmax_t)pa,
		    pool, m->pool);
	}
	if (seg->free_queues !=
	    &vp->vp_domains[c->c_domain]->vmd_lists[c->c_list]) {
		check_bad(&c->c_report, 35,
		    "block %#jx is on queues of domain %d list %d",
		    (uintmax_t)pa, c->c_domain, c->c_list);
	}
	if ((pa & ((npages << PAGE_SHIFT) - 1)) != 0 ||
	    seg->end - pa < npages << PAGE_SHIFT) {
		check_bad(&c->c_report, 35,
		    "block %#jx of order %d: not aligned, or "
		    "beyond its segment",
		    (uintmax_t)pa, order);
		return (true);
	}
	if (vm_buddy_is_pristine(vp, seg, pa)) {
		check_bad(&c->c_report, 34, "block %#jx is queued and pristine",
		    (uintmax_t)pa);
	}
	check_buddy(c, seg, m, order);
	check_pages(c, m, npages);
	return (true);
}

static void
check_queue(struct check *c, const struct vm_freeq *fq, int pool, int order)
{
	const struct vm_page *m, *prev = NULL;
	uint64_t n = 0;

	for (m = fq->fq_first; m != NULL; m = m->q_next) {
		if (n == fq->fq_count || !check_block(c, m, pool, order))
			break;
		if (m->q_prev != prev) {
			check_bad(&c->c_report, 35, "block %#jx: bad link",
			    (uintmax_t)m->phys_addr);
		}
		prev = m;
		n++;
	}
	if (m != NULL || n != fq->fq_count || fq->fq_last != prev) {
		check_bad(&c->c_report, 35,
		    "queue %d/%d/%d/%d: %ju blocks counted, %s%ju found",
		    c->c_domain, c->c_list, pool, order,
		    (uintmax_t)fq->fq_count, m != NULL ? "more than " : "",
		    (uintmax_t)n);
	}
}

/* 35: the bits, their counts, and that each stands for a whole block. */
static void
check_pristine(struct check *c, int list)
{
	struct vm_phys *vp = c->c_vp;
	struct vm_freelist *fl = &vp->vp_domains[c->c_domain]->vmd_lists[list];
	const struct vm_pristine *vpr;
	const struct vm_phys_seg *seg;
	uint64_t n, total = 0;
	vm_paddr_t pa;

	for (int s = 0; s < vp->vp_nsegs; s++) {
		seg = &vp->vp_segs[s];
		if (seg->free_queues != fl)
			continue;
		vpr = &vp->vp_private->vpp_pristine[s];
		n = 0;
		for (uint64_t i = 0; i < vpr->vpr_blocks; i++) {
			pa = (vpr->vpr_first + i) << VM_BLOCK_SHIFT;
			if ((vpr->vpr_bits[i / 64] >> (i % 64) & 1) == 0)
				continue;
			n++;
			if (pa < seg->start ||
			    seg->end - pa < VM_ORDER_PAGES << PAGE_SHIFT) {
				check_bad(&c->c_report, 35,
				    "pristine block %#jx: beyond its segment",
				    (uintmax_t)pa);
			}
			if (i / 64 < vpr->vpr_hint) {
				check_bad(&c->c_report, 35,
				    "pristine block %#jx: before the hint",
				    (uintmax_t)pa);
			}
		}
		if (n != vpr->vpr_count ||
		    (n > 0) != (fl->fl_pristine >> s & 1)) {
			check_bad(&c->c_report, 35,
			    "segment %d: %ju pristine blocks counted, %ju found",
			    s, (uintmax_t)vpr->vpr_count, (uintmax_t)n);
		}
		total += n;
	}
	if (total != fl->fl_pristine_count) {
		check_bad(&c->c_report, 35,
		    "list %d/%d: %ju pristine blocks counted, %ju found",
		    c->c_domain, list, (uintmax_t)fl->fl_pristine_count,
		    (uintmax_t)total);
	}
	c->c_queued += total * VM_ORDER_PAGES;
}

/* 34: is the page part of a free block? */
static bool
is_queued(struct vm_phys *vp, const struct vm_page *m)
{
	const struct vm_phys_seg *seg;
	const struct vm_page *head;
	vm_paddr_t pa = vm_page_index_to_phys(vp, m), head_pa;

	seg = vm_phys_paddr_to_seg(vp, pa);
	for (int o = 0; o < VM_NFREEORDER; o++) {
		head_pa = pa >> (PAGE_SHIFT + o) << (PAGE_SHIFT + o);
		if (head_pa < seg->start)
			return (false);
		head = vm_seg_page(seg, head_pa);
		if (head->order_inv != 0 &&
		    VM_NFREEORDER - head->order_inv >= o)
			return (true);
	}
	return (vm_buddy_is_pristine(vp, seg, pa));
}

/*
 * 34: the pages of the caches.  A page that is in two of them is found by a
 * mark in pindex, which is zero in a free page.
 */
static uint64_t
check_caches(struct check *c)
{
	struct vm_phys *vp = c->c_vp;
	struct vm_pgcache_pool *pgp;
	struct vm_pgcache *first, *pgc;
	struct vm_page *m;
	uint64_t total = 0;
	uint32_t n;

	/* Relaxed, all: nobody changes them now. */
	first = atomic_load_explicit(
	    &vp->vp_private->vpp_pgcaches, memory_order_relaxed);
	for (pgc = first; pgc != NULL; pgc = pgc->pgc_next) {
		for (int p = 0; p < VM_NFREEPOOL; p++) {
			pgp = &pgc->pgc_pools[c->c_domain][p];
			n = atomic_load_explicit(
			    &pgp->pgp_count, memory_order_relaxed);
			total += n;
			for (uint32_t i = 0; i < n; i++) {
				m = pgp->pgp_pages[i];
				if (!check_place(c, m, "cache"))
					continue;
				if ((m->flags & PG_PCPU_CACHE) == 0 ||
				    m->pool != p || m->pindex != 0 ||
				    vm_page_domain(vp, m) != c->c_domain ||
				    is_queued(vp, m)) {
					check_bad(&c->c_report, 34,
					    "page %#jx in a cache: of another "
					    "domain or pool, in two caches, "
					    "or free as well",
					    (uintmax_t)m->phys_addr);
				}
				m->pindex = 1;
			}
		}
	}
	for (pgc = first; pgc != NULL; pgc = pgc->pgc_next) {
		for (int p = 0; p < VM_NFREEPOOL; p++) {
			pgp = &pgc->pgc_pools[c->c_domain][p];
			/* Relaxed: as above. */
			n = atomic_load_explicit(
			    &pgp->pgp_count, memory_order_relaxed);
			for (uint32_t i = 0; i < n; i++)
				pgp->pgp_pages[i]->pindex = 0;
		}
	}
	return (total);
}

static void
check_domain(struct check *c, int domain)
{
	struct vm_domain *vmd = c->c_vp->vp_domains[domain];
	uint64_t cached, free, slots;

	c->c_domain = domain;
	c->c_queued = 0;
	for (c->c_list = 0; c->c_list < VM_NFREELIST; c->c_list++) {
		for (int p = 0; p < VM_NFREEPOOL; p++) {
			for (int o = 0; o < VM_NFREEORDER; o++) {
				check_queue(c,
				    &vmd->vmd_lists[c->c_list].fl_queues[p][o],
				    p, o);
			}
		}
		check_pristine(c, c->c_list);
	}
	cached = check_caches(c);
	slots = vm_reserv_free_slots(c->c_vp, domain);
	if (c->c_queued + vmd->vmd_out != vmd->vmd_page_count ||
	    cached + slots > vmd->vmd_out) {
		check_bad(&c->c_report, 34,
		    "domain %d: %ju pages free, %ju cached and allocated (%ju "
		    "cached), of %ju",
		    domain, (uintmax_t)c->c_queued, (uintmax_t)vmd->vmd_out,
		    (uintmax_t)cached, (uintmax_t)vmd->vmd_page_count);
	}
	/* Relaxed: nobody changes it now. */
	free = atomic_load_explicit(&vmd->vmd_free_count, memory_order_relaxed);
	if (free != c->c_queued + slots) {
		check_bad(&c->c_report, 36,
		    "domain %d: free_count %ju, %ju pages queued, %ju in "
		    "reservations",
		    domain, (uintmax_t)free, (uintmax_t)c->c_queued,
		    (uintmax_t)slots);
	}
}

/* 34: blacklisted pages are handed out to nobody. */
static void
check_blacklist(struct check *c)
{
	struct vm_phys *vp = c->c_vp;
	const struct vm_page *m;

	for (size_t i = 0; i < vp->vp_private->vpp_nblacklist; i++) {
		m = PHYS_TO_VM_PAGE(vp, vp->vp_private->vpp_blacklist[i]);
		if ((m->flags & PG_USED) != 0 || is_queued(vp, m)) {
			check_bad(&c->c_report, 34,
			    "blacklisted page %#jx is in use",
			    (uintmax_t)vp->vp_private->vpp_blacklist[i]);
		}
	}
}

static bool
is_locked(const struct mtx *mtx)
{
	/* Relaxed: nobody changes it now. */
	return (atomic_load_explicit(&mtx->mtx_lock, memory_order_relaxed) !=
	    MTX_UNOWNED);
}

static void
check_locks(struct check *c)
{
	struct vm_phys *vp = c->c_vp;
	struct vm_phys_private *vpp = vp->vp_private;
	uint32_t n;

	for (int d = 0; d < vp->vp_ndomains; d++) {
		if (is_locked(&vp->vp_domains[d]->vmd_lock.mtx))
			check_bad(&c->c_report, 43,
			    "domain %d: free queue is locked", d);
	}
	if (is_locked(&vpp->vpp_wait_lock))
		check_bad(&c->c_report, 43, "the list of waiters is locked");
	/* Relaxed: nobody changes it now. */
	n = atomic_load_explicit(&vpp->vpp_nwaiters, memory_order_relaxed);
	if (n != 0 || vpp->vpp_waiters != NULL)
		check_bad(&c->c_report, 43, "%u threads wait for memory",
		    (unsigned)n);
}

unsigned
vm_phys_check(struct vm_phys *vp,
    void (*fn)(void *arg, int inv, const char *text), void *arg)
{
	struct check c = { .c_vp = vp,
		.c_report = { .cr_fn = fn, .cr_arg = arg } };

	for (int d = 0; d < vp->vp_ndomains; d++)
		check_domain(&c, d);
	check_blacklist(&c);
	check_locks(&c);
	return (c.c_report.cr_n + vm_reserv_check(vp, fn, arg));
}
