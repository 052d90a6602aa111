/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Taking memory away from reservations: a broken one gives what is not handed
 * out to the free queues, and its populated pages become ordinary ones.
 *
 * Who.  The object, when it ends (vm_reserv_break_all()); an allocation that the
 * count of free pages admitted and that finds the free queues empty
 * (vm_reserv_reclaim_inactive()); one of a run that finds none
 * (vm_reserv_reclaim_contig()).  None of the latter two has anything to do with
 * the object, and its lock is not taken.
 *
 * The search for a run.  It walks the queue of partial reservations and must
 * lock each, which may block: the domain's lock is dropped for that, and then
 * the queue may be another.  A marker stays behind the reservation that is
 * looked at; whatever is removed meanwhile, the marker's next is where to go on.
 * Other walks skip the marker, since its lock is held.  When the reservation is
 * locked it may be off the queue: then it is left alone.
 *
 * The last resort.  vm_reserv_reclaim_inactive() skips who is locked at that
 * moment, and the tick rule keeps some reservations off the queue.  No thread
 * may wait for pages that exist, so before it gives up it walks over all
 * reservations that were ever used, waiting for each lock.  What it does not
 * find is on its way from one place to another in the hands of a thread that
 * will say so: vm_wait().
 *
 * Differs: FreeBSD has no last resort: its waiting threads are woken by the page
 * daemon.
 * Source: FreeBSD main (2024), sys/vm/vm_reserv.c.
 */

#include <string.h>

#include "kern/bug.h"
#include "phys/vm_reserv_impl.h"

/* The first slot at or after i that is populated, or is not; or 512. */
static unsigned
next_slot(const struct vm_reserv *rv, unsigned i, bool populated)
{
	uint64_t word;

	while (i < VM_LEVEL_0_NPAGES) {
		word = rv->popmap[i / 64];
		if (!populated)
			word = ~word;
		word >>= i % 64;
		if (word != 0)
			return (i + (unsigned)__builtin_ctzll(word));
		i = (i | 63) + 1;
	}
	return (VM_LEVEL_0_NPAGES);
}

/* Break a reservation, which is locked and on no queue. */
static void
reserv_break(struct vm_phys *vp, struct vm_reserv *rv)
{
	struct vm_domain *vmd = vp->vp_domains[rv->domain];
	unsigned end, i;

	KASSERT(mtx_owned(&rv->lock) && !rv->inpartpopq,
	    ("reservation %p: not locked, or queued", (void *)rv));
	if (vm_reserv_popcnt(rv) == VM_LEVEL_0_NPAGES)
		rv->pages->psind = 0;
	vm_phys_lock(vp, rv->domain);
	for (i = next_slot(rv, 0, false); i < VM_LEVEL_0_NPAGES;
	     i = next_slot(rv, end, false)) {
		end = next_slot(rv, i, true);
		vm_phys_enqueue_contig(vp, rv->pages + i, end - i);
		vmd->vmd_out -= end - i;
	}
	vm_phys_unlock(vp, rv->domain);
	/*
	 * Last: who frees a page of the run and finds no object does not lock the
	 * reservation.  On the queue before its neighbours, which are not merged,
	 * it would stay apart from them.
	 * Differs: FreeBSD removes the object first.
	 */
	vm_reserv_objq_remove(vp, rv);
	memset(rv->popmap, 0, sizeof(rv->popmap));
	vm_reserv_set_popcnt(rv, 0);
}

/* The same, with rv on the queue or off it. */
static void
dequeue_and_break(struct vm_phys *vp, struct vm_reserv *rv)
{
	struct vm_reserv_domain *rvd = &vp->vp_reservs->rvs_domains[rv->domain];

	if (rv->inpartpopq) {
		mtx_lock(&rvd->rvd_lock);
		vm_reserv_partpopq_remove(rvd, rv);
		mtx_unlock(&rvd->rvd_lock);
	}
	reserv_break(vp, rv);
}

void
vm_reserv_break_all(struct vm_phys *vp, struct vm_object *object)
{
	struct mtx *lock = vm_reserv_object_lock(vp, object);
	struct vm_reserv *rv;
	int domain;

	for (;;) {
		mtx_lock(lock);
		rv = vm_reserv_head(object)->rvh_first;
		mtx_unlock(lock);
		if (rv == NULL)
			return;
		mtx_lock(&rv->lock);
		domain = -1;
		/* It may have been reclaimed meanwhile. */
		if (vm_reserv_object(rv) == object) {
			domain = rv->domain;
			dequeue_and_break(vp, rv);
		}
		mtx_unlock(&rv->lock);
		if (domain >= 0)
			vm_reserv_tell_waiters(vp, domain);
	}
}

/* The longest unused one whose lock is free, locked and off the queue. */
static struct vm_reserv *
take_inactive(struct vm_reserv_domain *rvd)
{
	struct vm_reserv *rv;

	mtx_lock(&rvd->rvd_lock);
	for (rv = rvd->rvd_first; rv != NULL; rv = rv->partpopq_next) {
		/* The marker's is not free. */
		if (mtx_trylock(&rv->lock)) {
			vm_reserv_partpopq_remove(rvd, rv);
			break;
		}
	}
	mtx_unlock(&rvd->rvd_lock);
	return (rv);
}

/* Any that has slots left, locked, on the queue or not: the last resort. */
static struct vm_reserv *
take_any(struct vm_phys *vp, int domain)
{
	struct vm_reserv *rv;
	unsigned n;

	for (uint64_t i = 0; (rv = vm_reserv_next_used(vp, &i)) != NULL; i++) {
		if (rv->domain != domain || vm_reserv_object(rv) == NULL)
			continue;
		mtx_lock(&rv->lock);
		n = vm_reserv_popcnt(rv);
		if (vm_reserv_object(rv) != NULL && n < VM_LEVEL_0_NPAGES)
			return (rv);
		mtx_unlock(&rv->lock);
	}
	return (NULL);
}

bool
vm_reserv_reclaim_inactive(struct vm_phys *vp, int domain)
{
	struct vm_reserv *rv;

	rv = take_inactive(&vp->vp_reservs->rvs_domains[domain]);
	if (rv == NULL)
		rv = take_any(vp, domain);
	if (rv == NULL)
		return (false);
	dequeue_and_break(vp, rv);
	mtx_unlock(&rv->lock);
	vm_reserv_tell_waiters(vp, domain);
	return (true);
}

/* What a run of pages is to be. */
struct run {
	uint64_t r_npages;
	vm_paddr_t r_low;
	vm_paddr_t r_high;
	vm_paddr_t r_align;
	vm_paddr_t r_boundary;
};

/* The first slot at or after i at which the run could begin by its address. */
static unsigned
fit_slot(const struct vm_reserv *rv, const struct run *r, unsigned i)
{
	vm_paddr_t base = rv->pages->phys_addr, pa, size;

	size = r->r_npages << PAGE_SHIFT;
	for (; i + r->r_npages <= VM_LEVEL_0_NPAGES; i++) {
		pa = base + ((vm_paddr_t)i << PAGE_SHIFT);
		if (pa < r->r_low)
			continue;
		if (pa >= r->r_high || r->r_high - pa < size)
			break;
		if (r->r_align > 1 && (pa & (r->r_align - 1)) != 0)
			continue;
		if (r->r_boundary == 0 ||
		    ((pa ^ (pa + size - 1)) & ~(r->r_boundary - 1)) == 0)
			return (i);
	}
	return (VM_LEVEL_0_NPAGES);
}

/* Where in a reservation the run fits among what is not handed out, or 512. */
static unsigned
find_run(const struct vm_reserv *rv, const struct run *r)
{
	unsigned end, i = 0;

	while ((i = fit_slot(rv, r, i)) < VM_LEVEL_0_NPAGES) {
		if (vm_reserv_populated(rv, i)) {
			i = next_slot(rv, i, false);
			continue;
		}
		end = next_slot(rv, i, true);
		if (end - i >= r->r_npages)
			return (i);
		i = end;
	}
	return (VM_LEVEL_0_NPAGES);
}

/* Could any page of the reservation's run be in range? */
static bool
in_range(const struct vm_reserv *rv, const struct run *r)
{
	vm_paddr_t pa = rv->pages->phys_addr;

	return (pa < r->r_high && pa + NBPDR > r->r_low);
}

/*
 * Lock a reservation of the queue.  The domain's lock is dropped if that blocks.
 * False, without the lock, when it has left the queue meanwhile.
 */
static bool
lock_queued(
    struct vm_phys *vp, struct vm_reserv_domain *rvd, struct vm_reserv *rv)
{
	if (mtx_trylock(&rv->lock))
		return (true);
	mtx_unlock(&rvd->rvd_lock);
	mtx_lock(&rv->lock);
	mtx_lock(&rvd->rvd_lock);
	if (rv->inpartpopq || BUG_IN(vp->vp_private->vpp_bugs, B21))
		return (true);
	if (!BUG_IN(vp->vp_private->vpp_bugs, B21_lock))
		mtx_unlock(&rv->lock);
	return (false);
}

/*
 * A reservation with such a run, locked and off the queue; the slot in *ip.  The
 * domain's lock and the marker's are held.
 */
static struct vm_reserv *
take_with_run(struct vm_phys *vp, struct vm_reserv_domain *rvd,
    const struct run *r, unsigned *ip)
{
	struct vm_reserv *marker = &rvd->rvd_marker, *next, *rv;

	for (rv = rvd->rvd_first; rv != NULL; rv = next) {
		next = rv->partpopq_next;
		if (!in_range(rv, r))
			continue;
		vm_reserv_partpopq_insert(rvd, rv, marker);
		if (lock_queued(vp, rvd, rv)) {
			*ip = find_run(rv, r);
			if (*ip < VM_LEVEL_0_NPAGES) {
				vm_reserv_partpopq_remove(rvd, marker);
				vm_reserv_partpopq_remove(rvd, rv);
				return (rv);
			}
			mtx_unlock(&rv->lock);
		}
		/* Not what was next before the lock was dropped. */
		if (!BUG_IN(vp->vp_private->vpp_bugs, B21))
			next = marker->partpopq_next;
		vm_reserv_partpopq_remove(rvd, marker);
	}
	return (NULL);
}

struct vm_page *
vm_reserv_reclaim_contig(struct vm_phys *vp, int domain, uint64_t npages,
    vm_paddr_t low, vm_paddr_t high, vm_paddr_t align, vm_paddr_t boundary)
{
	struct vm_reserv_domain *rvd = &vp->vp_reservs->rvs_domains[domain];
	const struct run r = {
		.r_npages = npages,
		.r_low = low,
		.r_high = high,
		.r_align = align,
		.r_boundary = boundary,
	};
	struct vm_reserv *rv;
	unsigned i, n;

	if (npages >= VM_LEVEL_0_NPAGES)
		return (NULL);
	mtx_lock(&rvd->rvd_marker.lock);
	mtx_lock(&rvd->rvd_lock);
	rv = take_with_run(vp, rvd, &r, &i);
	mtx_unlock(&rvd->rvd_lock);
	mtx_unlock(&rvd->rvd_marker.lock);
	if (rv == NULL)
		return (NULL);
	/* As if the run were handed out: the rest goes to the queues. */
	for (n = i; n < i + npages; n++)
		rv->popmap[n / 64] |= UINT64_C(1) << (n % 64);
	reserv_break(vp, rv);
	mtx_unlock(&rv->lock);
	vm_reserv_tell_waiters(vp, domain);
	return (&rv->pages[i]);
}
