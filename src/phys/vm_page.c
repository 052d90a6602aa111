/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages for use: accounting, allocation and freeing above the buddy allocator.
 *
 * An allocation first reserves in vmd_free_count, which fails where it would
 * eat into what is kept for more important requests, then takes pages off the
 * queues under the free queue lock.  Freeing goes the other way.  Pages in page
 * caches count as allocated here (vm_pgcache.c), those that a reservation has not
 * handed out as free (vm_reserv.c): where the queues have nothing a reservation
 * is broken.  A page of an object comes out of a reservation, if that can be.
 *
 * Zeroes.  PG_ZERO on a page that is freed promises that it holds zeroes.  A
 * page that was never handed out since boot holds them too, as simulated memory
 * starts as such; PG_USED tells.  So VM_PAGE_ZERO writes only where it must.
 *
 * Lock order.  Page functions take the free queue lock of one domain at a time,
 * then, after they dropped it, that of vm_wait.c.
 *
 * Not provided.  Thresholds at which a page daemon is woken: one that runs looks
 * at vm_free_count().
 */

#include <string.h>

#include "phys/vm_phys_impl.h"
#include "phys/vm_reserv.h"

void
vm_phys_lock(struct vm_phys *vp, int domain)
{
	mtx_lock(&vp->vp_domains[domain]->vmd_lock.mtx);
}

void
vm_phys_unlock(struct vm_phys *vp, int domain)
{
	mtx_unlock(&vp->vp_domains[domain]->vmd_lock.mtx);
}

static enum vm_alloc_class
flags_class(int flags)
{
	if ((flags & VM_PAGE_INTERRUPT) != 0)
		return (VM_ALLOC_INTERRUPT);
	return (
	    (flags & VM_PAGE_SYSTEM) != 0 ? VM_ALLOC_SYSTEM : VM_ALLOC_NORMAL);
}

bool
vm_domain_reserve(
    struct vm_domain *vmd, enum vm_alloc_class class, uint64_t npages)
{
	uint64_t free, keep = 0;

	if (class == VM_ALLOC_NORMAL)
		keep = vmd->vmd_free_reserved;
	else if (class == VM_ALLOC_SYSTEM)
		keep = vmd->vmd_interrupt_free_min;
	/* Relaxed: a count; the pages themselves are behind the queue lock. */
	free = atomic_load_explicit(&vmd->vmd_free_count, memory_order_relaxed);
	do {
		if (free < keep || free - keep < npages)
			return (false);
		/* Relaxed: as above. */
	} while (!atomic_compare_exchange_weak_explicit(&vmd->vmd_free_count,
	    &free, free - npages, memory_order_relaxed, memory_order_relaxed));
	return (true);
}

void
vm_domain_unreserve(struct vm_domain *vmd, uint64_t npages)
{
	/* Relaxed: as vm_domain_reserve(). */
	atomic_fetch_add_explicit(
	    &vmd->vmd_free_count, npages, memory_order_relaxed);
}

void
vm_domain_freed(struct vm_phys *vp, struct vm_domain *vmd, uint64_t npages)
{
	vm_domain_unreserve(vmd, npages);
	/*
	 * Sequentially consistent, and so is the load in vm_wait_wakeup(): pairs
	 * with vm_wait(), which stores that it waits and then loads this.
	 */
	atomic_fetch_add_explicit(
	    &vmd->vmd_freed, npages, memory_order_seq_cst);
	vm_wait_wakeup(vp);
}

/* Is the page all zero?  O(n), for PMAPSIM_DIAGNOSTIC. */
static bool
page_is_zero(struct vm_phys *vp, const struct vm_page *m)
{
	static const char zeroes[PAGE_SIZE];

	return (memcmp(PHYS_TO_DMAP(vp, m->phys_addr), zeroes, PAGE_SIZE) == 0);
}

void
vm_page_zero(struct vm_phys *vp, struct vm_page *m)
{
	memset(PHYS_TO_DMAP(vp, m->phys_addr), 0, PAGE_SIZE);
}

/* Make a page from the queues or a cache what the caller asked for. */
static void
prepare(struct vm_phys *vp, struct vm_page *m, int flags)
{
	bool zero;

	KASSERT(m->order_inv == 0 && m->object == NULL &&
		m->md.pv_list.pvl_first == NULL,
	    ("page %#jx: in use", (uintmax_t)m->phys_addr));
	zero = (m->flags & PG_ZERO) != 0 || (m->flags & PG_USED) == 0;
	m->flags = (uint8_t)(PG_USED | (m->flags & PG_PCPU_CACHE));
	m->q_next = NULL;
	m->q_prev = NULL;
	if ((flags & VM_PAGE_ZERO) != 0) {
		if (!zero)
			vm_page_zero(vp, m);
		KASSERT(!DIAGNOSTIC_ENABLED || page_is_zero(vp, m),
		    ("page %#jx: written to while free",
			(uintmax_t)m->phys_addr));
	}
	if ((flags & VM_PAGE_NOOBJ) != 0) {
		m->oflags = VPO_UNMANAGED;
		/* Relaxed: the page is ours alone. */
		atomic_store_explicit(&m->ref_count, 1, memory_order_relaxed);
	}
}

static void
prepare_run(struct vm_phys *vp, struct vm_page *m, uint64_t npages, int flags)
{
	for (uint64_t i = 0; i < npages; i++)
		prepare(vp, &m[i], flags);
	counter_add(&curthread()->td_counters, CTR_PAGE_ALLOCS, npages);
}

/* What is asked of one domain. */
struct request {
	const struct vm_page_place *r_place; /* NULL: for no object */
	int r_flags;
	int r_pool;
	int r_order;
	bool r_contig;
	uint64_t r_npages;
	vm_paddr_t r_low;
	vm_paddr_t r_high;
	vm_paddr_t r_align;
	vm_paddr_t r_boundary;
};

static struct vm_page *
alloc_charged(struct vm_phys *vp, int domain, const struct request *r)
{
	struct vm_page *m;

	vm_phys_lock(vp, domain);
	m = r->r_contig
	    ? vm_phys_alloc_contig(vp, domain, r->r_npages, r->r_low, r->r_high,
		  r->r_align, r->r_boundary)
	    : vm_phys_alloc_pages(vp, domain, r->r_pool, r->r_order);
	if (m != NULL)
		vp->vp_domains[domain]->vmd_out += r->r_npages;
	vm_phys_unlock(vp, domain);
	if (m != NULL || (r->r_order == 0 && !r->r_contig))
		return (m);
	if (r->r_contig)
		return (vm_reserv_reclaim_contig(vp, domain, r->r_npages,
		    r->r_low, r->r_high, r->r_align, r->r_boundary));
	return (vm_reserv_reclaim_contig(vp, domain, r->r_npages, 0, UINT64_MAX,
	    r->r_npages << PAGE_SHIFT, 0));
}

static struct vm_page *
alloc_domain(struct vm_phys *vp, int domain, const struct request *r)
{
	struct vm_domain *vmd = vp->vp_domains[domain];
	struct vm_page *m;

	for (;;) {
		if (!vm_domain_reserve(
			vmd, flags_class(r->r_flags), r->r_npages))
			return (NULL);
		m = alloc_charged(vp, domain, r);
		if (m != NULL)
			return (m);
		vm_domain_refund(vp, vmd, r->r_npages);
		/* The page that was charged is in some reservation. */
		if (r->r_order > 0 || r->r_contig ||
		    !vm_reserv_reclaim_inactive(vp, domain))
			return (NULL);
	}
}

/* The preferred domain, then the others in ascending cyclic order. */
static struct vm_page *
alloc_domains(struct vm_phys *vp, int domain, const struct request *r)
{
	struct vm_page *m = NULL;
	int d, n;

	KASSERT(domain >= 0 && domain < vp->vp_ndomains,
	    ("domain %d of %d", domain, vp->vp_ndomains));
	n = (r->r_flags & VM_PAGE_EXACT) != 0 ? 1 : vp->vp_ndomains;
	for (int i = 0; i < n && m == NULL; i++) {
		d = domain + i < vp->vp_ndomains ? domain + i
						 : domain + i - vp->vp_ndomains;
		if (r->r_place != NULL)
			m = vm_reserv_alloc_page(
			    vp, d, flags_class(r->r_flags), r->r_place);
		if (m == NULL && r->r_order == 0 && !r->r_contig) {
			m = vm_pgcache_alloc(vp, vp->vp_domains[d], r->r_pool);
		}
		if (m == NULL)
			m = alloc_domain(vp, d, r);
	}
	return (m);
}

static struct vm_page *
alloc(struct vm_phys *vp, int domain, const struct request *r)
{
	struct vm_page *m;

	m = alloc_domains(vp, domain, r);
	/* What this thread caches may be just what is missing. */
	if (m == NULL && vm_pgcache_drain(vp) > 0)
		m = alloc_domains(vp, domain, r);
	if (m != NULL)
		prepare_run(vp, m, r->r_npages, r->r_flags);
	return (m);
}

struct vm_page *
vm_page_alloc(struct vm_phys *vp, int domain, int flags)
{
	const struct request r = {
		.r_flags = flags,
		.r_pool = (flags & VM_PAGE_NOOBJ) != 0 ? VM_FREEPOOL_DIRECT
						       : VM_FREEPOOL_DEFAULT,
		.r_npages = 1,
	};

	return (alloc(vp, domain, &r));
}

struct vm_page *
vm_page_alloc_at(struct vm_phys *vp, int domain,
    const struct vm_page_place *place, int flags)
{
	const struct request r = {
		.r_place = place,
		.r_flags = flags,
		.r_pool = VM_FREEPOOL_DEFAULT,
		.r_npages = 1,
	};

	return (alloc(vp, domain, &r));
}

struct vm_page *
vm_page_alloc_order(struct vm_phys *vp, int domain, int order, int flags)
{
	const struct request r = {
		.r_flags = flags,
		.r_pool = VM_FREEPOOL_DEFAULT,
		.r_order = order,
		.r_npages = UINT64_C(1) << order,
	};

	return (alloc(vp, domain, &r));
}

struct vm_page *
vm_page_alloc_contig(struct vm_phys *vp, int domain, uint64_t npages,
    vm_paddr_t low, vm_paddr_t high, vm_paddr_t align, vm_paddr_t boundary,
    int flags)
{
	const struct request r = {
		.r_flags = flags,
		.r_contig = true,
		.r_npages = npages,
		.r_low = low,
		.r_high = high,
		.r_align = align,
		.r_boundary = boundary,
	};

	return (alloc(vp, domain, &r));
}

void
vm_page_new_epoch(struct vm_phys *vp, struct vm_page *m)
{
	if (__predict_true(vp->vp_clock == NULL))
		return;
	/* Release: pairs with mmu_clock(); or the frame is not reused. */
	atomic_store_explicit(&m->epoch,
	    atomic_fetch_add_explicit(vp->vp_clock, 1, memory_order_acq_rel) +
		1,
	    memory_order_release);
}

/* Reset what the last user left; the contents stay. */
static void
retire(struct vm_phys *vp, struct vm_page *m)
{
	KASSERT(m->order_inv == 0 && (m->flags & PG_FREED) == 0,
	    ("page %#jx: freed twice", (uintmax_t)m->phys_addr));
	KASSERT((m->flags & PG_USED) != 0,
	    ("page %#jx: freed, never allocated", (uintmax_t)m->phys_addr));
	KASSERT(m->object == NULL && m->md.pv_list.pvl_first == NULL,
	    ("page %#jx: freed in use", (uintmax_t)m->phys_addr));
	KASSERT((m->flags & PG_ZERO) == 0 || !DIAGNOSTIC_ENABLED ||
		page_is_zero(vp, m),
	    ("page %#jx: freed as zero, is not", (uintmax_t)m->phys_addr));
	vm_page_new_epoch(vp, m);
	m->flags |= PG_FREED;
	m->oflags = 0;
	m->pindex = 0;
	m->psind = 0;
	m->valid = 0;
	m->md.pat_mode = 0;
	/* Relaxed, all: nobody else has the page any more. */
	atomic_store_explicit(&m->ref_count, 0, memory_order_relaxed);
	atomic_store_explicit(&m->busy_lock, 0, memory_order_relaxed);
	atomic_store_explicit(&m->aflags, 0, memory_order_relaxed);
	atomic_store_explicit(&m->dirty, 0, memory_order_relaxed);
}

/* Free a list of pages to the queues; one lock hold for neighbours. */
static void
free_to_queues(struct vm_phys *vp, struct vm_page *first)
{
	struct vm_domain *vmd;
	struct vm_page *m = first, *next;
	uint64_t n;

	while (m != NULL) {
		vmd = vp->vp_domains[vm_page_domain(vp, m)];
		vm_phys_lock(vp, vmd->vmd_domain);
		for (n = 0;
		     m != NULL && vm_page_domain(vp, m) == vmd->vmd_domain;
		     m = next, n++) {
			next = m->q_next;
			m->q_next = NULL;
			m->flags &= (uint8_t)~PG_PCPU_CACHE;
			vm_phys_free_pages(vp, m, 0);
		}
		vmd->vmd_out -= n;
		vm_phys_unlock(vp, vmd->vmd_domain);
		vm_domain_freed(vp, vmd, n);
	}
}

/* To a page cache or a reservation.  False: to the queues. */
static bool
free_aside(struct vm_phys *vp, struct vm_page *m)
{
	if ((m->flags & PG_PCPU_CACHE) != 0)
		return (vm_pgcache_free(vp, m));
	if (!vm_reserv_free_page(vp, m))
		return (false);
	vm_domain_freed(vp, vp->vp_domains[vm_page_domain(vp, m)], 1);
	return (true);
}

void
vm_page_free_list(struct vm_phys *vp, struct vm_page *first)
{
	struct vm_page *m, *next, *rest = NULL, **lastp = &rest;
	uint64_t n = 0;

	for (m = first; m != NULL; m = next, n++) {
		next = m->q_next;
		m->q_next = NULL;
		m->q_prev = NULL;
		retire(vp, m);
		if (free_aside(vp, m))
			continue;
		*lastp = m;
		lastp = &m->q_next;
	}
	*lastp = NULL;
	free_to_queues(vp, rest);
	counter_add(&curthread()->td_counters, CTR_PAGE_FREES, n);
}

void
vm_page_free(struct vm_phys *vp, struct vm_page *m)
{
	m->q_next = NULL;
	vm_page_free_list(vp, m);
}

static uint64_t
sum_domains(struct vm_phys *vp, int domain,
    uint64_t (*fn)(struct vm_phys *vp, int domain))
{
	uint64_t sum = 0;

	if (domain >= 0)
		return (fn(vp, domain));
	for (int d = 0; d < vp->vp_ndomains; d++)
		sum += fn(vp, d);
	return (sum);
}

static uint64_t
domain_free(struct vm_phys *vp, int domain)
{
	/* Relaxed: exact only when nobody changes it. */
	return (atomic_load_explicit(&vp->vp_domains[domain]->vmd_free_count,
		    memory_order_relaxed) +
	    vm_pgcache_count(vp, domain));
}

static uint64_t
domain_total(struct vm_phys *vp, int domain)
{
	return (vp->vp_domains[domain]->vmd_page_count);
}

uint64_t
vm_free_count(struct vm_phys *vp, int domain)
{
	return (sum_domains(vp, domain, domain_free));
}

uint64_t
vm_total_pages(struct vm_phys *vp, int domain)
{
	return (sum_domains(vp, domain, domain_total));
}
