/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page caches: each thread keeps a few free pages of each domain, by pool, so that
 * most allocations and frees take no lock, wherever the pages are.
 *
 * A cache that is empty imports a bucket of pages, and one that is full returns
 * a bucket, under one hold of the free queue lock.  Pages that came out of a
 * cache carry PG_PCPU_CACHE and go back to one.  Caches exist only in domains
 * that are large for the number of CPUs (vm_phys.c).
 *
 * For the accounting a cached page is allocated.  A thread that runs out, waits,
 * idles, or frees a page of a cache while others wait for memory gives all that it
 * caches back, whatever the domain: so no page that a waiter needs stays hidden,
 * except with threads that free none.
 *
 * Differs: FreeBSD has these caches per CPU (uma(9) zones "vm pgcache", one per
 * domain and pool); here they are per thread.
 * Assumed: a bucket is 64 pages; uma(9) adapts its size up to 256.  Builds with
 * PMAPSIM_INVARIANTS use 4, so that imports and returns are ordinary.
 */

#include <errno.h>
#include <string.h>

#include "phys/vm_phys_impl.h"

#define BUCKET (INVARIANTS_ENABLED ? 4 : 64)
_Static_assert(2 * 64 <= VM_PGCACHE_MAX, "a cache holds two buckets");

/* The calling thread's cache of this machine, or NULL. */
static struct vm_pgcache *
own_cache(struct vm_phys *vp)
{
	struct vm_pgcache *pgc = curthread()->td_pgcache;

	return (pgc != NULL && pgc->pgc_vp == vp ? pgc : NULL);
}

static uint32_t
count(const struct vm_pgcache_pool *pgp)
{
	/* Relaxed: our own, or a statistic. */
	return (atomic_load_explicit(&pgp->pgp_count, memory_order_relaxed));
}

static void
set_count(struct vm_pgcache_pool *pgp, uint32_t n)
{
	/* Relaxed: the pages are for the owner only. */
	atomic_store_explicit(&pgp->pgp_count, n, memory_order_relaxed);
}

static size_t
cache_size(const struct vm_phys *vp)
{
	return (sizeof(struct vm_pgcache) +
	    (size_t)vp->vp_ndomains *
		sizeof(((struct vm_pgcache *)NULL)->pgc_pools[0]));
}

/* A new one, or one that a thread of the same domain has left. */
static struct vm_pgcache *
get_cache(struct vm_phys *vp, int domain)
{
	struct vm_phys_private *vpp = vp->vp_private;
	struct vm_pgcache *head, *pgc;
	bool used;

	/* Acquire: pairs with the release below. */
	head = atomic_load_explicit(&vpp->vpp_pgcaches, memory_order_acquire);
	for (pgc = head; pgc != NULL; pgc = pgc->pgc_next) {
		used = false;
		/* Acquire: pairs with the release in vm_pgcache_detach(). */
		if (pgc->pgc_home == domain &&
		    atomic_compare_exchange_strong_explicit(&pgc->pgc_used,
			&used, true, memory_order_acquire,
			memory_order_relaxed))
			return (pgc);
	}
	pgc = kmem_alloc(
	    vp->vp_kmem, cache_size(vp), CACHE_PAIR_SIZE, M_PHYS, domain);
	if (pgc == NULL)
		return (NULL);
	pgc->pgc_vp = vp;
	pgc->pgc_home = domain;
	/* Relaxed: published below. */
	atomic_store_explicit(&pgc->pgc_used, true, memory_order_relaxed);
	pgc->pgc_next = head;
	/* Release: publishes the cache to those that walk the list. */
	while (!atomic_compare_exchange_weak_explicit(&vpp->vpp_pgcaches,
	    &pgc->pgc_next, pgc, memory_order_release, memory_order_relaxed))
		continue;
	return (pgc);
}

int
vm_pgcache_attach(struct vm_phys *vp, struct thread *td)
{
	struct vm_pgcache *pgc;

	KASSERT(td->td_pgcache == NULL,
	    ("thread %u has a page cache", (unsigned)td->td_id));
	KASSERT(td->td_domain >= 0 && td->td_domain < vp->vp_ndomains,
	    ("thread %u: domain %d", (unsigned)td->td_id, td->td_domain));
	pgc = get_cache(vp, td->td_domain);
	if (pgc == NULL)
		return (ENOMEM);
	td->td_pgcache = pgc;
	/* Relaxed: vm_wait() wants the number of threads, no order. */
	atomic_fetch_add_explicit(
	    &vp->vp_private->vpp_nthreads, 1, memory_order_relaxed);
	return (0);
}

void
vm_pgcache_detach(struct vm_phys *vp, struct thread *td)
{
	struct vm_pgcache *pgc = td->td_pgcache;

	KASSERT(td == curthread(), ("page cache of another thread"));
	(void)vm_pgcache_drain(vp);
	td->td_pgcache = NULL;
	/* Release: hands the cache to the next thread in get_cache(). */
	atomic_store_explicit(&pgc->pgc_used, false, memory_order_release);
	vm_wait_thread_gone(vp);
}

void
vm_pgcache_destroy(struct vm_phys *vp)
{
	struct vm_pgcache *next, *pgc;

	/* Relaxed: no other thread is left. */
	pgc = atomic_load_explicit(
	    &vp->vp_private->vpp_pgcaches, memory_order_relaxed);
	for (; pgc != NULL; pgc = next) {
		next = pgc->pgc_next;
		kmem_free(
		    vp->vp_kmem, pgc, cache_size(vp), M_PHYS, pgc->pgc_home);
	}
}

uint64_t
vm_pgcache_count(struct vm_phys *vp, int domain)
{
	struct vm_pgcache *pgc;
	uint64_t n = 0;

	/* Acquire: pairs with the release in get_cache(). */
	pgc = atomic_load_explicit(
	    &vp->vp_private->vpp_pgcaches, memory_order_acquire);
	for (; pgc != NULL; pgc = pgc->pgc_next) {
		for (int p = 0; p < VM_NFREEPOOL; p++)
			n += count(&pgc->pgc_pools[domain][p]);
	}
	return (n);
}

/* Fill an empty cache.  False when there is too little memory for that. */
static bool
import(struct vm_phys *vp, struct vm_domain *vmd, int pool,
    struct vm_pgcache_pool *pgp)
{
	int got;

	if (!vm_domain_reserve(vmd, VM_ALLOC_NORMAL, BUCKET))
		return (false);
	vm_phys_lock(vp, vmd->vmd_domain);
	got = vm_phys_alloc_npages(
	    vp, vmd->vmd_domain, pool, BUCKET, pgp->pgp_pages);
	vmd->vmd_out += (uint64_t)got;
	vm_phys_unlock(vp, vmd->vmd_domain);
	if (got < BUCKET)
		vm_domain_refund(vp, vmd, (uint64_t)(BUCKET - got));
	for (int i = 0; i < got; i++)
		pgp->pgp_pages[i]->flags |= PG_PCPU_CACHE;
	/* The first, which is the lowest, is to leave first. */
	for (int i = 0; i < got / 2; i++) {
		struct vm_page *m = pgp->pgp_pages[i];

		pgp->pgp_pages[i] = pgp->pgp_pages[got - 1 - i];
		pgp->pgp_pages[got - 1 - i] = m;
	}
	set_count(pgp, (uint32_t)got);
	return (got > 0);
}

struct vm_page *
vm_pgcache_alloc(struct vm_phys *vp, struct vm_domain *vmd, int pool)
{
	struct vm_pgcache *pgc = own_cache(vp);
	struct vm_pgcache_pool *pgp;
	uint32_t n;

	if (pgc == NULL || !vmd->vmd_has_pgcache)
		return (NULL);
	pgp = &pgc->pgc_pools[vmd->vmd_domain][pool];
	if (count(pgp) == 0 && !import(vp, vmd, pool, pgp))
		return (NULL);
	n = count(pgp) - 1;
	set_count(pgp, n);
	return (pgp->pgp_pages[n]);
}

/* Return the n pages that were cached first. */
static void
give_back(struct vm_phys *vp, struct vm_domain *vmd,
    struct vm_pgcache_pool *pgp, uint32_t n)
{
	struct vm_page *m;
	uint32_t left = count(pgp) - n;

	vm_phys_lock(vp, vmd->vmd_domain);
	for (uint32_t i = 0; i < n; i++) {
		m = pgp->pgp_pages[i];
		m->flags &= (uint8_t)~PG_PCPU_CACHE;
		vm_phys_free_pages(vp, m, 0);
	}
	vmd->vmd_out -= n;
	vm_phys_unlock(vp, vmd->vmd_domain);
	memmove(pgp->pgp_pages, pgp->pgp_pages + n,
	    left * sizeof(pgp->pgp_pages[0]));
	set_count(pgp, left);
	vm_domain_freed(vp, vmd, n);
}

bool
vm_pgcache_free(struct vm_phys *vp, struct vm_page *m)
{
	struct vm_pgcache *pgc;
	struct vm_pgcache_pool *pgp;
	int domain;

	if ((m->flags & PG_PCPU_CACHE) == 0)
		return (false);
	pgc = own_cache(vp);
	if (pgc == NULL)
		return (false);
	/* Relaxed: too late a look is made up for when a thread drains. */
	if (atomic_load_explicit(
		&vp->vp_private->vpp_nwaiters, memory_order_relaxed) != 0) {
		(void)vm_pgcache_drain(vp);
		return (false);
	}
	domain = vm_page_domain(vp, m);
	pgp = &pgc->pgc_pools[domain][m->pool];
	if (count(pgp) == 2 * BUCKET)
		give_back(vp, vp->vp_domains[domain], pgp, BUCKET);
	pgp->pgp_pages[count(pgp)] = m;
	set_count(pgp, count(pgp) + 1);
	return (true);
}

uint64_t
vm_pgcache_drain(struct vm_phys *vp)
{
	struct vm_pgcache *pgc = own_cache(vp);
	struct vm_pgcache_pool *pgp;
	uint64_t total = 0;
	uint32_t n;

	if (pgc == NULL)
		return (0);
	for (int i = 0; i < vp->vp_ndomains * VM_NFREEPOOL; i++) {
		pgp = &pgc->pgc_pools[i / VM_NFREEPOOL][i % VM_NFREEPOOL];
		n = count(pgp);
		if (n > 0) {
			give_back(vp, vp->vp_domains[i / VM_NFREEPOOL], pgp, n);
			total += n;
		}
	}
	return (total);
}
