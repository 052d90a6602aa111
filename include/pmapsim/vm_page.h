/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_VM_PAGE_H
#define PMAPSIM_VM_PAGE_H

/*
 * The descriptor of a page of simulated memory, and the allocation of pages.
 *
 * All zero is a descriptor's initial state: nothing is written when a machine is
 * created, and a descriptor that was never used costs no host memory.  Hence
 * three differences in form from FreeBSD's: phys_addr and segind are filled in
 * when the page first leaves or enters a free list, order is stored as its
 * distance from "not the head of a free block", and an empty list is all zero.
 *
 * Locking key.
 *	o - the page's object
 *	f - the free queue of the page's domain
 *	p - the pv list lock of the superpage the page lies in
 *	w - whoever holds the page's only reference (page table pages: the pmap)
 *	a - atomic
 *	c - constant once set
 *
 * Source: FreeBSD main (2024), sys/vm/vm_page.h.
 */

#include <stdatomic.h>

#include "pmapsim/types.h"

struct pv_entry;
struct vm_object;

/* A tail queue whose empty state is all zero; see pmap/pv_list.h. */
struct pv_list {
	struct pv_entry *pvl_first;
	struct pv_entry **pvl_lastp; /* meaningful unless empty */
};

/* The part of a page, or of a superpage, that the pmap layer owns. */
struct md_page {
	struct pv_list pv_list;  /* (p) mappings */
	_Atomic uint32_t pv_gen; /* (p) changes whenever pv_list does */
	int32_t pat_mode;        /* (p) memory type, 0 is write-back */
};
_Static_assert(sizeof(struct md_page) == 24, "as in FreeBSD");

/* vm_page.aflags */
#define PGA_WRITEABLE  0x01u
#define PGA_REFERENCED 0x02u
#define PGA_EXECUTABLE 0x04u

/* vm_page.flags */
#define PG_PCPU_CACHE 0x01u
#define PG_FICTITIOUS 0x04u
#define PG_ZERO       0x08u
#define PG_MARKER     0x10u
#define PG_USED       0x20u /* handed out since boot: contents unknown */
#define PG_FREED      0x40u /* given to vm_page_free(), not handed out since */

/* vm_page.oflags */
#define VPO_UNMANAGED 0x04u

/* vm_page.ref_count of a page with no object: wired once. */
#define VPRC_OBJREF  0x40000000u
#define VPRC_BLOCKED 0x80000000u

#define VM_NFREEORDER 13 /* orders 0 to 12: 4 KB to 16 MB */

struct vm_page {
	struct vm_page *q_next; /* (f) free list, page cache, delayed free */
	struct vm_page *q_prev; /* (f) */
	struct vm_page *listq_next; /* (o) object's pages by pindex */
	struct vm_page *listq_prev; /* (o) */
	struct vm_object *object;   /* (o) NULL: none */
	vm_pindex_t pindex;         /* (o); of a page table page (w) */
	vm_paddr_t phys_addr;       /* (c) 0: not yet filled in, or page 0 */
	struct md_page md;
	_Atomic uint32_t ref_count; /* (a); of a page table page (w) */
	_Atomic uint32_t busy_lock; /* (a) */
	_Atomic uint8_t aflags;     /* (a) PGA_* */
	_Atomic uint8_t dirty;      /* (a) 0 clean, 0xff dirty */
	uint8_t order_inv;          /* (f) VM_NFREEORDER - order; 0: no head */
	uint8_t pool;               /* (f) */
	uint8_t flags;              /* (w) PG_* */
	uint8_t oflags;             /* (o) VPO_* */
	uint8_t psind;              /* (o) 1: first of a full superpage */
	uint8_t segind;             /* (c) 1 + segment, 0: not yet filled in */
	uint8_t valid;              /* (o) of a saved page table page (w) */
	uint8_t pad[3];
	_Atomic uint32_t epoch; /* (a) when last freed; where there are TLBs */
};
_Static_assert(sizeof(struct vm_page) == 104, "as in FreeBSD");

static inline vm_paddr_t
VM_PAGE_TO_PHYS(const struct vm_page *m)
{
	return (m->phys_addr);
}

/* Record that the page's contents changed.  Any thread, any time. */
static inline void
vm_page_dirty(struct vm_page *m)
{
	/* Relaxed: a sticky bit, ordered by the lock of whoever asks. */
	atomic_store_explicit(&m->dirty, 0xff, memory_order_relaxed);
}

static inline void
vm_page_aflag_set(struct vm_page *m, uint8_t bits)
{
	/* Relaxed: hints, ordered by the pv list lock where it matters. */
	uint8_t v = atomic_load_explicit(&m->aflags, memory_order_relaxed);

	if ((v & bits) != bits) {
		/* Relaxed: as above. */
		atomic_fetch_or_explicit(
		    &m->aflags, bits, memory_order_relaxed);
	}
}

static inline void
vm_page_aflag_clear(struct vm_page *m, uint8_t bits)
{
	/* Relaxed: as vm_page_aflag_set(). */
	uint8_t v = atomic_load_explicit(&m->aflags, memory_order_relaxed);

	if ((v & bits) != 0) {
		/*
		 * Release: pairs with vm_page_aflags(); who finds a page not
		 * writeable any more finds it dirty if it was made so before.
		 */
		atomic_fetch_and_explicit(
		    &m->aflags, (uint8_t)~bits, memory_order_release);
	}
}

static inline uint8_t
vm_page_aflags(const struct vm_page *m)
{
	/* Acquire: pairs with vm_page_aflag_clear(). */
	return (atomic_load_explicit(&m->aflags, memory_order_acquire));
}

#endif /* PMAPSIM_VM_PAGE_H */
