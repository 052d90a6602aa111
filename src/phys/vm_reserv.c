/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reservations: making them, handing their pages out, taking pages back.
 *
 * States.  A reservation is
 *
 *	free	   no object; its pages are on the free queues, or anybody's
 *	partial	   an object's, 1 to 511 pages handed out, normally on the queue
 *		   of its domain, the last one used at the end
 *	full	   all 512, off the queue; its first page has psind 1
 *
 *	free -> partial: vm_reserv_alloc_page() finds no reservation at an index
 *		and there is room for one
 *	partial <-> full, by vm_reserv_alloc_page() and vm_reserv_free_page()
 *	partial -> free: the last page came back, the run goes to the free queue
 *		whole; or it is broken (vm_reserv_reclaim.c), its populated pages
 *		staying what they are
 *
 * The array has one for each superpage that the page array touches.  All zero is
 * free, and only what is used is backed by memory of the host, so a machine of
 * 12 TB opens in no time.  The mutex and the pages of one are filled in when its
 * run is first taken, by the only thread that has the run.  One that reaches
 * past a segment is never taken, as no block of the buddy allocator does.
 *
 * Accounts.  free_count counts what the free queues have and what reservations
 * have not handed out; making or breaking one does not change it, each page
 * handed out or taken back does, by one.  Hence a thread that was admitted by the
 * count may find the free queues empty: it breaks a reservation then.  While a
 * run is between a queue and a reservation neither has it; who moved it then
 * says so as if pages had been freed (vm_wait.c), lest a thread sleep on.
 *
 * The tick rule.  A reservation moves to the end of its queue no more than once
 * in a tick of the simulated clock, so that the domain's lock is taken once and
 * not 512 times.  A full one that loses a page in the tick in which it became
 * full stays off the queue, until it is used again.
 *
 * Invariants.
 *   38. popcnt is the number of bits in popmap; there is an object if and only
 *	 if it is not 0; on the queue it is 1 to 511; psind is 1 if and only if it
 *	 is 512; a page handed out is the object's, at the index of its slot, or
 *	 another's after a rename, a page not handed out nobody's.
 *   39. An object's list is exactly its reservations.
 *
 * Lock order: vm object -> vm reserv -> resv obj lock, VM reserv domain -> vm
 * page free queue; the two in the middle are not held together.  With the
 * domain's lock held a reservation's is only tried.  No lock of a pmap or an
 * object is acquired under any of them.
 *
 * Differs: the search for neighbours looks at their reservations without "resv
 * obj lock"; they cannot change hands while a page of the write-locked object is
 * in them.  A page's slot is found from the reservation's index and not from the
 * object's color.
 * Source: FreeBSD main (2024), sys/vm/vm_reserv.c.
 */

#include <string.h>

#include "phys/vm_reserv_impl.h"

/* Source: FreeBSD: hz is 1000, PARTPOPSLOP 1. */
#define TICK_NS UINT64_C(1000000)

static uint32_t
ticks(const struct vm_phys *vp)
{
	return ((uint32_t)(sim_clock_ns(vp->vp_sim) / TICK_NS));
}

void
vm_reserv_objq_insert(
    struct vm_phys *vp, struct vm_reserv *rv, struct vm_object *object)
{
	struct vm_reserv_head *rvh = vm_reserv_head(object);
	struct mtx *lock = vm_reserv_object_lock(vp, object);

	mtx_lock(lock);
	rv->objq_next = rvh->rvh_first;
	rv->objq_prevp = &rvh->rvh_first;
	if (rv->objq_next != NULL)
		rv->objq_next->objq_prevp = &rv->objq_next;
	rvh->rvh_first = rv;
	/* Release: pairs with vm_reserv_object(). */
	atomic_store_explicit(&rv->object, object, memory_order_release);
	mtx_unlock(lock);
}

static void
objq_unlink(struct vm_reserv *rv)
{
	if (rv->objq_next != NULL)
		rv->objq_next->objq_prevp = rv->objq_prevp;
	*rv->objq_prevp = rv->objq_next;
	rv->objq_next = NULL;
	rv->objq_prevp = NULL;
}

void
vm_reserv_objq_remove(struct vm_phys *vp, struct vm_reserv *rv)
{
	struct mtx *lock = vm_reserv_object_lock(vp, vm_reserv_object(rv));

	mtx_lock(lock);
	objq_unlink(rv);
	/* Relaxed: who sees it late locks the reservation and looks again. */
	atomic_store_explicit(&rv->object, NULL, memory_order_relaxed);
	mtx_unlock(lock);
}

void
vm_reserv_partpopq_insert(
    struct vm_reserv_domain *rvd, struct vm_reserv *after, struct vm_reserv *rv)
{
	KASSERT(
	    !rv->inpartpopq, ("reservation %p is on the queue", (void *)rv));
	rv->partpopq_prev = after;
	rv->partpopq_next =
	    after != NULL ? after->partpopq_next : rvd->rvd_first;
	if (after != NULL)
		after->partpopq_next = rv;
	else
		rvd->rvd_first = rv;
	if (rv->partpopq_next != NULL)
		rv->partpopq_next->partpopq_prev = rv;
	else
		rvd->rvd_last = rv;
	rv->inpartpopq = true;
}

void
vm_reserv_partpopq_remove(struct vm_reserv_domain *rvd, struct vm_reserv *rv)
{
	KASSERT(
	    rv->inpartpopq, ("reservation %p is not on the queue", (void *)rv));
	if (rv->partpopq_prev != NULL)
		rv->partpopq_prev->partpopq_next = rv->partpopq_next;
	else
		rvd->rvd_first = rv->partpopq_next;
	if (rv->partpopq_next != NULL)
		rv->partpopq_next->partpopq_prev = rv->partpopq_prev;
	else
		rvd->rvd_last = rv->partpopq_prev;
	rv->partpopq_next = NULL;
	rv->partpopq_prev = NULL;
	rv->inpartpopq = false;
}

/* To the end of the queue, or off it: as popcnt says. */
static void
requeue(struct vm_phys *vp, struct vm_reserv *rv, unsigned popcnt)
{
	struct vm_reserv_domain *rvd = &vp->vp_reservs->rvs_domains[rv->domain];

	mtx_lock(&rvd->rvd_lock);
	if (rv->inpartpopq)
		vm_reserv_partpopq_remove(rvd, rv);
	if (popcnt > 0 && popcnt < VM_LEVEL_0_NPAGES)
		vm_reserv_partpopq_insert(rvd, rvd->rvd_last, rv);
	mtx_unlock(&rvd->rvd_lock);
}

/* Hand slot i out. */
static void
populate(struct vm_phys *vp, struct vm_reserv *rv, unsigned i)
{
	unsigned popcnt = vm_reserv_popcnt(rv) + 1;
	uint32_t now = ticks(vp);

	KASSERT(mtx_owned(&rv->lock) && vm_reserv_object(rv) != NULL,
	    ("reservation %p: not locked, or free", (void *)rv));
	KASSERT(!vm_reserv_populated(rv, i),
	    ("reservation %p: slot %u handed out twice", (void *)rv, i));
	rv->popmap[i / 64] |= UINT64_C(1) << (i % 64);
	vm_reserv_set_popcnt(rv, popcnt);
	if (popcnt == VM_LEVEL_0_NPAGES)
		rv->pages->psind = 1;
	else if (now == rv->lasttick && rv->inpartpopq)
		return;
	rv->lasttick = now;
	requeue(vp, rv, popcnt);
}

/* Give the run, of which no page is handed out, back. */
static void
retire_run(struct vm_phys *vp, struct vm_reserv *rv)
{
	vm_reserv_objq_remove(vp, rv);
	vm_phys_lock(vp, rv->domain);
	vm_phys_free_pages(vp, rv->pages, VM_LEVEL_0_ORDER);
	vp->vp_domains[rv->domain]->vmd_out -= VM_LEVEL_0_NPAGES;
	vm_phys_unlock(vp, rv->domain);
}

/* Take slot i back. */
static void
depopulate(struct vm_phys *vp, struct vm_reserv *rv, unsigned i)
{
	unsigned popcnt = vm_reserv_popcnt(rv) - 1;
	uint32_t now = ticks(vp);

	KASSERT(vm_reserv_populated(rv, i),
	    ("reservation %p: slot %u was not handed out", (void *)rv, i));
	if (popcnt == VM_LEVEL_0_NPAGES - 1)
		rv->pages->psind = 0;
	rv->popmap[i / 64] &= ~(UINT64_C(1) << (i % 64));
	vm_reserv_set_popcnt(rv, popcnt);
	if (now == rv->lasttick && popcnt != 0)
		return;
	rv->lasttick = now;
	requeue(vp, rv, popcnt);
	if (popcnt == 0)
		retire_run(vp, rv);
}

bool
vm_reserv_free_page(struct vm_phys *vp, struct vm_page *m)
{
	struct vm_reserv *rv = vm_reserv_from_page(vp, m);
	bool ours;

	if (__predict_true(vm_reserv_object(rv) == NULL))
		return (false);
	mtx_lock(&rv->lock);
	/* It may have been broken meanwhile; m keeps it from being another's. */
	ours = vm_reserv_object(rv) != NULL;
	if (ours)
		depopulate(vp, rv, (unsigned)(m - rv->pages));
	mtx_unlock(&rv->lock);
	return (ours);
}

/* Does rv belong to the place's object and cover its index? */
static bool
covers(const struct vm_reserv *rv, const struct vm_page_place *place)
{
	return (vm_reserv_object(rv) == place->vpl_object &&
	    place->vpl_pindex - rv->pindex < VM_LEVEL_0_NPAGES);
}

/* The object's reservation at the place, by a neighbour that is in it. */
static struct vm_reserv *
reserv_at(struct vm_phys *vp, const struct vm_page_place *place)
{
	struct vm_reserv *rv;

	if (place->vpl_pred != NULL) {
		rv = vm_reserv_from_page(vp, place->vpl_pred);
		if (covers(rv, place))
			return (rv);
	}
	if (place->vpl_succ != NULL) {
		rv = vm_reserv_from_page(vp, place->vpl_succ);
		if (covers(rv, place))
			return (rv);
	}
	return (NULL);
}

static struct vm_page *
alloc_from(struct vm_phys *vp, struct vm_reserv *rv, enum vm_alloc_class class,
    const struct vm_page_place *place)
{
	struct vm_page *m = NULL;
	unsigned i;

	mtx_lock(&rv->lock);
	i = (unsigned)(place->vpl_pindex - rv->pindex);
	/* Broken meanwhile, or a rename filled the slot. */
	if (vm_reserv_object(rv) == place->vpl_object &&
	    !vm_reserv_populated(rv, i) &&
	    vm_domain_reserve(vp->vp_domains[rv->domain], class, 1)) {
		populate(vp, rv, i);
		m = &rv->pages[i];
	}
	mtx_unlock(&rv->lock);
	return (m);
}

/* Is there room for a run at index first, between the neighbours? */
static bool
has_room(
    struct vm_phys *vp, const struct vm_page_place *place, vm_pindex_t first)
{
	const struct vm_reserv *rv;
	vm_pindex_t left, right;

	if (first + VM_LEVEL_0_NPAGES > place->vpl_size && !place->vpl_grows)
		return (false);
	if (place->vpl_pred != NULL) {
		rv = vm_reserv_from_page(vp, place->vpl_pred);
		left = vm_reserv_object(rv) == place->vpl_object
		    ? rv->pindex + VM_LEVEL_0_NPAGES
		    : place->vpl_pred->pindex + 1;
		if (left > first)
			return (false);
	}
	if (place->vpl_succ != NULL) {
		rv = vm_reserv_from_page(vp, place->vpl_succ);
		right = vm_reserv_object(rv) == place->vpl_object
		    ? rv->pindex
		    : place->vpl_succ->pindex;
		if (first + VM_LEVEL_0_NPAGES > right)
			return (false);
	}
	return (true);
}

/* Take a run off the free queues. */
static struct vm_reserv *
take_run(struct vm_phys *vp, int domain)
{
	struct vm_reserv_state *rvs = vp->vp_reservs;
	struct vm_reserv *rv;
	struct vm_page *m;
	uint64_t i;

	vm_phys_lock(vp, domain);
	m = vm_phys_alloc_pages(
	    vp, domain, VM_FREEPOOL_DEFAULT, VM_LEVEL_0_ORDER);
	if (m != NULL)
		vp->vp_domains[domain]->vmd_out += VM_LEVEL_0_NPAGES;
	vm_phys_unlock(vp, domain);
	if (m == NULL)
		return (NULL);
	rv = vm_reserv_from_page(vp, m);
	if (rv->pages == NULL) {
		/* Before this nobody has looked further than at object. */
		mtx_init(&rv->lock, "vm reserv", 0);
		rv->pages = m;
		rv->domain = (uint8_t)domain;
		i = vm_reserv_index(vp, m->phys_addr);
		/* Release: pairs with vm_reserv_next_used(). */
		atomic_fetch_or_explicit(&rvs->rvs_used[i / 64],
		    UINT64_C(1) << (i % 64), memory_order_release);
	}
	return (rv);
}

void
vm_reserv_tell_waiters(struct vm_phys *vp, int domain)
{
	/* Sequentially consistent: see vm_wait.c. */
	atomic_fetch_add_explicit(
	    &vp->vp_domains[domain]->vmd_freed, 1, memory_order_seq_cst);
	vm_wait_wakeup(vp);
}

static struct vm_page *
alloc_new(struct vm_phys *vp, int domain, enum vm_alloc_class class,
    const struct vm_page_place *place)
{
	struct vm_domain *vmd = vp->vp_domains[domain];
	unsigned i = (unsigned)((place->vpl_color + place->vpl_pindex) %
	    VM_LEVEL_0_NPAGES);
	struct vm_reserv *rv;

	if (place->vpl_pindex < i ||
	    !has_room(vp, place, place->vpl_pindex - i) ||
	    !vm_domain_reserve(vmd, class, 1))
		return (NULL);
	rv = take_run(vp, domain);
	if (rv == NULL) {
		vm_domain_refund(vp, vmd, 1);
		return (NULL);
	}
	mtx_lock(&rv->lock);
	KASSERT(vm_reserv_object(rv) == NULL && !rv->inpartpopq,
	    ("reservation %p is in use", (void *)rv));
	vm_reserv_set_popcnt(rv, 0);
	rv->pindex = place->vpl_pindex - i;
	vm_reserv_objq_insert(vp, rv, place->vpl_object);
	populate(vp, rv, i);
	mtx_unlock(&rv->lock);
	vm_reserv_tell_waiters(vp, domain);
	return (&rv->pages[i]);
}

struct vm_page *
vm_reserv_alloc_page(struct vm_phys *vp, int domain, enum vm_alloc_class class,
    const struct vm_page_place *place)
{
	struct vm_reserv *rv;

	if (vp->vp_reservs->rvs_off || place->vpl_pindex >= place->vpl_size)
		return (NULL);
	rv = reserv_at(vp, place);
	return (rv != NULL ? alloc_from(vp, rv, class, place)
			   : alloc_new(vp, domain, class, place));
}

void
vm_reserv_rename(struct vm_phys *vp, const struct vm_page *m,
    struct vm_object *to, struct vm_object *from, vm_pindex_t offset)
{
	struct mtx *lock = vm_reserv_object_lock(vp, from);
	struct vm_reserv *rv = vm_reserv_from_page(vp, m);

	if (vm_reserv_object(rv) != from)
		return;
	mtx_lock(&rv->lock);
	if (vm_reserv_object(rv) == from) {
		mtx_lock(lock);
		objq_unlink(rv);
		mtx_unlock(lock);
		rv->pindex -= offset;
		/* It has an object throughout: who frees a page looks. */
		vm_reserv_objq_insert(vp, rv, to);
	}
	mtx_unlock(&rv->lock);
}

int
vm_reserv_level_iffullpop(struct vm_phys *vp, const struct vm_page *m)
{
	return (
	    vm_reserv_popcnt(vm_reserv_from_page(vp, m)) == VM_LEVEL_0_NPAGES
		? 0
		: -1);
}

int
vm_reserv_level(struct vm_phys *vp, const struct vm_page *m)
{
	return (vm_reserv_object(vm_reserv_from_page(vp, m)) != NULL ? 0 : -1);
}

vm_size_t
vm_reserv_size(int level)
{
	return (level == 0 ? NBPDR : PAGE_SIZE);
}

struct vm_page *
vm_reserv_to_superpage(struct vm_phys *vp, const struct vm_page *m)
{
	const struct vm_reserv *rv = vm_reserv_from_page(vp, m);

	return (vm_reserv_object(rv) == m->object && m->object != NULL &&
		    vm_reserv_popcnt(rv) == VM_LEVEL_0_NPAGES
		? rv->pages
		: NULL);
}

bool
vm_reserv_assume(struct vm_phys *vp, vm_paddr_t pa, bool full)
{
	const struct vm_phys_seg *seg;
	struct vm_reserv *rv;

	pa &= ~PDRMASK;
	seg = vm_phys_paddr_to_seg(vp, pa);
	if (seg == NULL || seg->end - pa < NBPDR)
		return (false);
	rv = &vp->vp_reserv[vm_reserv_index(vp, pa)];
	KASSERT(vm_reserv_object(rv) == NULL,
	    ("superpage %#jx: has a reservation", (uintmax_t)pa));
	/* Full and nobody's: no real reservation is. */
	vm_reserv_set_popcnt(rv, full ? VM_LEVEL_0_NPAGES : 0);
	PHYS_TO_VM_PAGE(vp, pa)->psind = full;
	return (full);
}

void
vm_reserv_assume_not(struct vm_phys *vp, const struct vm_page *m)
{
	struct vm_reserv *rv = vm_reserv_from_page(vp, m);

	if (vm_reserv_popcnt(rv) == VM_LEVEL_0_NPAGES &&
	    vm_reserv_object(rv) == NULL)
		(void)vm_reserv_assume(vp, VM_PAGE_TO_PHYS(m), false);
}
