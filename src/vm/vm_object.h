/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef VM_VM_OBJECT_H
#define VM_VM_OBJECT_H

/*
 * An object: resident pages with an index each, under one lock.
 *
 * What the pmap layer wants of whoever calls it is kept by this lock.  A page is
 * entered into a pmap while its object is locked, at least for reading; who
 * looks at all mappings of a page (pmap_remove_all() and the like) holds it for
 * writing, so that no mapping appears meanwhile.
 *
 * Locking key.
 *	o - the object's own lock
 *	c - constant while the object exists
 *
 * Lock order: vm object -> pmap -> pv list.  Two objects are locked together by
 * vm_page_rename()'s caller only, who knows an order.
 *
 * Differs: no radix tree, backing object, reference count or pager; a page is
 * found by walking the list.
 * Source: FreeBSD main (2024), sys/vm/vm_object.h, sys/vm/vm_page.c.
 */

#include "lock/rwlock.h"
#include "phys/vm_reserv.h"
#include "pmapsim/types.h"
#include "pmapsim/vm_page.h"

struct vm_object {
	/* Its reservations; first, and locked, as phys/vm_reserv.h has it. */
	_Alignas(CACHE_PAIR_SIZE) struct vm_reserv_head rvq;
	struct rwlock lock;           /* "vm object" */
	struct vm_page *memq_first;   /* (o) pages by ascending pindex */
	struct vm_page *memq_last;    /* (o) */
	uint64_t resident_page_count; /* (o) */
	vm_pindex_t size;             /* (c) pages */
	struct machine *machine;      /* (c) */
	int domain;                   /* (c) preferred */
	/*
	 * The slot, in a run of 512 pages, of the page with index 0, so that
	 * index and address are congruent; set before there are pages.
	 */
	uint16_t pg_color; /* (c) */
	/* Is a run taken even if it reaches past size?  As pg_color. */
	bool grows; /* (c) anonymous memory */
};
_Static_assert(offsetof(struct vm_object, rvq) == 0, "an object starts so");
_Static_assert(sizeof(struct vm_object) == CACHE_PAIR_SIZE,
    "locks of two objects do not share a line");

#define VM_OBJECT_RLOCK(obj)    rw_rlock(&(obj)->lock)
#define VM_OBJECT_RUNLOCK(obj)  rw_runlock(&(obj)->lock)
#define VM_OBJECT_WLOCK(obj)    rw_wlock(&(obj)->lock)
#define VM_OBJECT_TRYWLOCK(obj) rw_try_wlock(&(obj)->lock)
#define VM_OBJECT_WUNLOCK(obj)  rw_wunlock(&(obj)->lock)
#define VM_OBJECT_ASSERT_WLOCKED(obj)                                          \
	KASSERT(rw_wowned(&(obj)->lock),                                       \
	    ("object %p is not write-locked by this thread", (void *)(obj)))

/* Which pages an object is created with. */
enum vm_object_fill {
	VM_OBJECT_EMPTY,
	/*
	 * All, from reservations, so that 2 MB mappings are possible: in whole
	 * superpages, index and address congruent.  The rest of an object that
	 * is no multiple of a superpage, and what no free superpage is left
	 * for, in single pages.
	 */
	VM_OBJECT_RUNS,
	/* The same pages, but not of reservations: for 4 KB mappings only. */
	VM_OBJECT_SMALL,
	/* As many whole superpages, dealt out so that neighbours lie in
	 * different ones; not of reservations. */
	VM_OBJECT_SCATTERED,
};

/*
 * Create an object of size pages (>= 1), preferring memory of domain.
 *
 * Returns 0; ENOMEM without host memory, ENOSPC without enough free pages of
 * simulated memory, nothing is left then.  The caller is attached to ma.
 */
int vm_object_create(struct machine *ma, vm_pindex_t size, int domain,
    enum vm_object_fill fill, struct vm_object **objp);

/*
 * Free an object and its pages, none of which is mapped, wired or held.  Nobody
 * else knows the object.  Accepts NULL.
 */
void vm_object_destroy(struct vm_object *obj);

/*
 * Allocate the page of obj at pindex, where there is none, from a reservation if
 * that can be (flags: VM_PAGE_*), and insert it.  Returns NULL when no page is
 * free.  obj is write-locked.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, vm_page_alloc().
 */
struct vm_page *
vm_object_alloc_page(struct vm_object *obj, vm_pindex_t pindex, int flags);

/*
 * Move m, which is unmapped, to the object to at pindex, where there is none; its
 * reservation goes with it.  Both objects are write-locked.
 */
void
vm_page_rename(struct vm_page *m, struct vm_object *to, vm_pindex_t pindex);

/*
 * Make m, just allocated, the page of obj at pindex, where there is none.  O(1)
 * at the end of the list, else a walk from there.  obj is write-locked.
 */
void
vm_page_insert(struct vm_page *m, struct vm_object *obj, vm_pindex_t pindex);

/* Undo vm_page_insert().  m's object is write-locked; m is unmapped. */
void vm_page_remove(struct vm_page *m);

/* vm_page_remove(), then back to the free pages. */
void vm_object_free_page(struct vm_object *obj, struct vm_page *m);

/*
 * Count what is wrong with an object's lists and pages; O(n).  Each violation is
 * told to fn.  Nobody uses the object meanwhile.
 */
unsigned vm_object_check(
    struct vm_object *obj, void (*fn)(void *arg, const char *text), void *arg);

#endif /* VM_VM_OBJECT_H */
