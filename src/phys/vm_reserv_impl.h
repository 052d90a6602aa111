/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PHYS_VM_RESERV_IMPL_H
#define PHYS_VM_RESERV_IMPL_H

/*
 * What the files of reservations share, and tests that look inside.
 *
 * Locking key.
 *	r - the reservation's lock, "vm reserv"
 *	o - "resv obj lock" of the object
 *	d - the domain's lock, "VM reserv domain"
 *	w - the object is write-locked, and a page of it is in the run
 *	a - atomic
 *	c - constant once set
 * A field with two letters: either to read, both to write.
 */

#include "phys/vm_phys_impl.h"
#include "phys/vm_reserv.h"

struct vm_reserv {
	struct mtx lock;                  /* "vm reserv" */
	struct vm_reserv *partpopq_next;  /* (d) */
	struct vm_reserv *partpopq_prev;  /* (d) */
	struct vm_reserv *objq_next;      /* (o) */
	struct vm_reserv **objq_prevp;    /* (o) */
	struct vm_object *_Atomic object; /* (r, o), (a) NULL: not in use */
	vm_pindex_t pindex;               /* (r, w) of the run's first page */
	struct vm_page *pages;            /* (c) NULL: never used */
	_Atomic uint16_t popcnt;          /* (r), (a) bits in popmap */
	uint8_t domain;                   /* (c) */
	bool inpartpopq;                  /* (r, d) */
	uint32_t lasttick;                /* (r) */
	uint64_t popmap[VM_LEVEL_0_NPAGES / 64]; /* (r) bit 1: handed out */
};
_Static_assert(sizeof(struct vm_reserv) == 160, "as in FreeBSD");
_Static_assert(MAXMEMDOM <= UINT8_MAX, "domain is a byte");

/*
 * Partly handed out reservations of one domain, the one that was used last at
 * the end.
 */
struct vm_reserv_domain {
	_Alignas(CACHE_PAIR_SIZE) struct mtx rvd_lock; /* "VM reserv domain" */
	struct vm_reserv *rvd_first;                   /* (d) */
	struct vm_reserv *rvd_last;                    /* (d) */
	/*
	 * In the queue where a search for a run has got to.  Its lock, "vm
	 * reserv marker", is held by who searches, so that there is one.
	 */
	struct vm_reserv rvd_marker;
};

/* Source: FreeBSD, sys/vm/vm_reserv.c: one lock of an array of MAXCPU. */
#define RESERV_OBJ_LOCKS 1024u

struct vm_reserv_state {
	struct vm_reserv_domain rvs_domains[MAXMEMDOM];
	struct mtx_padalign rvs_obj_locks[RESERV_OBJ_LOCKS];
	_Atomic uint64_t *rvs_used; /* (a) bit: that reservation has pages */
	uint64_t rvs_count;         /* (c) reservations in vp_reserv */
	size_t rvs_size;            /* (c) bytes mapped for them */
	bool rvs_off;               /* (c) none is ever made */
};

/* vm_reserv_create.c: with the machine.  0, ENOMEM. */
int vm_reserv_create(struct vm_phys *vp, const struct vm_phys_config *vpc);
void vm_reserv_destroy(struct vm_phys *vp);

static inline uint64_t
vm_reserv_index(const struct vm_phys *vp, vm_paddr_t pa)
{
	return ((pa >> PDRSHIFT) - (vp->vp_first_page >> VM_LEVEL_0_ORDER));
}

/* The reservation that m, which has its descriptor filled in, may be in. */
static inline struct vm_reserv *
vm_reserv_from_page(const struct vm_phys *vp, const struct vm_page *m)
{
	return (&vp->vp_reserv[vm_reserv_index(vp, m->phys_addr)]);
}

static inline struct vm_object *
vm_reserv_object(const struct vm_reserv *rv)
{
	/* Acquire: pairs with the release where a reservation is made. */
	return (atomic_load_explicit(&rv->object, memory_order_acquire));
}

static inline unsigned
vm_reserv_popcnt(const struct vm_reserv *rv)
{
	/* Relaxed: a hint without the lock. */
	return (atomic_load_explicit(&rv->popcnt, memory_order_relaxed));
}

static inline void
vm_reserv_set_popcnt(struct vm_reserv *rv, unsigned n)
{
	/* Relaxed: written under the lock. */
	atomic_store_explicit(&rv->popcnt, (uint16_t)n, memory_order_relaxed);
}

static inline bool
vm_reserv_populated(const struct vm_reserv *rv, unsigned i)
{
	return ((rv->popmap[i / 64] >> (i % 64) & 1) != 0);
}

/* The reservations of an object; it starts with them. */
static inline struct vm_reserv_head *
vm_reserv_head(struct vm_object *object)
{
	return ((struct vm_reserv_head *)(void *)object);
}

static inline struct mtx *
vm_reserv_object_lock(struct vm_phys *vp, const struct vm_object *object)
{
	/* An object is as large as a pair of cache lines. */
	return (&vp->vp_reservs
		     ->rvs_obj_locks[(uintptr_t)object / CACHE_PAIR_SIZE %
			 RESERV_OBJ_LOCKS]
		     .mtx);
}

/* The next reservation at or after number *ip that was ever used, or NULL. */
struct vm_reserv *vm_reserv_next_used(const struct vm_phys *vp, uint64_t *ip);

/* Pages of a domain that its reservations have not handed out; quiescent. */
uint64_t vm_reserv_free_slots(struct vm_phys *vp, int domain);

/* Pages have left the space between two places: let waiters look again. */
void vm_reserv_tell_waiters(struct vm_phys *vp, int domain);

/*
 * rv->lock is held; for the queue, the domain's, too.  after NULL: first.  Off
 * the list, a reservation has no object.
 */
void vm_reserv_objq_insert(
    struct vm_phys *vp, struct vm_reserv *rv, struct vm_object *object);
void vm_reserv_objq_remove(struct vm_phys *vp, struct vm_reserv *rv);
void vm_reserv_partpopq_insert(struct vm_reserv_domain *rvd,
    struct vm_reserv *after, struct vm_reserv *rv);
void
vm_reserv_partpopq_remove(struct vm_reserv_domain *rvd, struct vm_reserv *rv);

#endif /* PHYS_VM_RESERV_IMPL_H */
