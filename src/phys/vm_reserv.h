/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PHYS_VM_RESERV_H
#define PHYS_VM_RESERV_H

/*
 * Reservations: aligned runs of 512 pages that are set aside for one object.
 *
 * Why.  A 2 MB mapping wants 512 pages in a row that belong together.  To get
 * them together the first page of a run takes the whole run off the free queues;
 * the others are handed out when the object asks for their indices.  What is
 * not handed out counts as free, and is taken away from the object when memory
 * runs short.
 *
 * The mechanism is described in vm_reserv.c, how memory is taken away in
 * vm_reserv_reclaim.c.
 *
 * Source: FreeBSD main (2024), sys/vm/vm_reserv.h.
 */

#include "phys/vm_phys.h"

#define VM_LEVEL_0_NPAGES (1u << VM_LEVEL_0_ORDER)
_Static_assert(VM_LEVEL_0_NPAGES *PAGE_SIZE == NBPDR, "a run is a superpage");

struct vm_object;
struct vm_reserv;

/*
 * The first member of struct vm_object: its reservations.  Guarded by the
 * object's "resv obj lock".
 */
struct vm_reserv_head {
	struct vm_reserv *rvh_first;
};

/* Where a page is to go, as vm_page_alloc_at() wants to know it. */
struct vm_page_place {
	struct vm_object *vpl_object; /* write-locked by the caller */
	vm_pindex_t vpl_pindex;       /* has no page yet */
	vm_pindex_t vpl_size;         /* of the object, pages */
	uint16_t vpl_color; /* page 0 of the object is slot color of a run */
	bool vpl_grows;     /* a run may reach past the object's size */
	const struct vm_page
	    *vpl_pred; /* nearest resident page before pindex */
	const struct vm_page *vpl_succ; /* and after it; or NULL */
};

/*
 * A page of place's object from a reservation: one that the object has there, or
 * a new one in domain.  One page is charged to the domain it comes from.  NULL
 * when there is no room for a run, no free run, or no page is left to charge.
 * Locks: "vm reserv", below it "resv obj lock" or "VM reserv domain", "vm page
 * free queue"; never another thread's object or pmap.
 */
struct vm_page *vm_reserv_alloc_page(struct vm_phys *vp, int domain,
    enum vm_alloc_class class, const struct vm_page_place *place);

/*
 * Take a page back that is out of use: true.  False when it is in no
 * reservation.  The caller charges nothing before and adds one to the domain's
 * free count after.
 */
bool vm_reserv_free_page(struct vm_phys *vp, struct vm_page *m);

/*
 * The object is about to end, or to be absorbed: its reservations end, what is
 * not handed out of them goes to the free queues.  It is write-locked.
 */
void vm_reserv_break_all(struct vm_phys *vp, struct vm_object *object);

/*
 * Break a reservation of domain that is partly handed out, the one that was
 * left alone for longest.  False: there is none.  The caller holds no lock of
 * this layer.
 */
bool vm_reserv_reclaim_inactive(struct vm_phys *vp, int domain);

/*
 * Break a reservation with npages unused pages in a row that satisfy the
 * constraints of vm_phys_alloc_contig(), and hand those out: their first, or
 * NULL.  The caller has charged them.
 */
struct vm_page *
vm_reserv_reclaim_contig(struct vm_phys *vp, int domain, uint64_t npages,
    vm_paddr_t low, vm_paddr_t high, vm_paddr_t align, vm_paddr_t boundary);

/*
 * m moves from the object from to the object to, its index becoming smaller by
 * offset: its reservation, if it is from's, goes with it, whole.  Both objects
 * are write-locked.
 */
void vm_reserv_rename(struct vm_phys *vp, const struct vm_page *m,
    struct vm_object *to, struct vm_object *from, vm_pindex_t offset);

/*
 * 0 if the run that m is in is full, else -1.  No lock: a hint, which is exact
 * while the object is locked that the reservation belongs to.
 */
int vm_reserv_level_iffullpop(struct vm_phys *vp, const struct vm_page *m);

/* 0 if m is in a reservation, else -1. */
int vm_reserv_level(struct vm_phys *vp, const struct vm_page *m);

/* Bytes of a reservation of a level (-1: a page). */
vm_size_t vm_reserv_size(int level);

/*
 * The first page of m's run if it is full and belongs to m's object, which is
 * locked; or NULL.
 */
struct vm_page *
vm_reserv_to_superpage(struct vm_phys *vp, const struct vm_page *m);

/*
 * Let the run that contains pa, of which no reservation exists, count as full, or
 * not, whatever is allocated: for runs that no object owns, and for scripts.
 * Returns what holds then.  Nobody else looks at the run meanwhile.
 */
bool vm_reserv_assume(struct vm_phys *vp, vm_paddr_t pa, bool full);
/* m is to be freed: its run is not full, if that was but assumed. */
void vm_reserv_assume_not(struct vm_phys *vp, const struct vm_page *m);

/*
 * Invariants 38, 39 and 43 of all reservations, at quiescence: every violation
 * is told to fn, the number returned.
 */
unsigned vm_reserv_check(struct vm_phys *vp,
    void (*fn)(void *arg, int inv, const char *text), void *arg);

/* 39, from the side of one object; how many violations. */
unsigned vm_reserv_check_object(struct vm_phys *vp, struct vm_object *object,
    void (*fn)(void *arg, const char *text), void *arg);

#endif /* PHYS_VM_RESERV_H */
