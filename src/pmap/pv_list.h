/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PV_LIST_H
#define PMAP_PV_LIST_H

/*
 * pv entries, the chunks they live in, and the list of a page's mappings.
 *
 * The list is a tail queue whose empty state is all zero, so that a page
 * descriptor and a header need no initialisation: while pvl_first is NULL,
 * pvl_lastp means nothing and stands for &pvl_first.
 *
 * Locking key.
 *	p - the pmap lock of the owning pmap
 *	l - the pv list lock of the page's superpage
 *	u - the lock of the chunk list
 *	c - constant while the chunk exists
 *
 * Source: FreeBSD main (2024), sys/amd64/include/{_pv_entry,pmap}.h.
 */

#include <sys/queue.h>

#include "kern/kassert.h"
#include "pmapsim/vm_page.h"

struct pv_entry {
	vm_offset_t pv_va;          /* (l) */
	struct pv_entry *pv_next;   /* (l) */
	struct pv_entry **pv_prevp; /* (l) what points at this entry */
};
_Static_assert(sizeof(struct pv_entry) == 24, "as in FreeBSD");

#define _NPCM    3
#define _NPCPV   168
#define PC_FREE0 UINT64_C(0xffffffffffffffff)
#define PC_FREE2 UINT64_C(0x000000ffffffffff)

/* A page of pv entries, all of one pmap. */
struct pv_chunk {
	struct pmap *pc_pmap;          /* (c) owner; NULL: a marker */
	TAILQ_ENTRY(pv_chunk) pc_list; /* (p) the pmap's chunks */
	uint64_t pc_map[_NPCM];        /* (p) 1 is free */
	TAILQ_ENTRY(pv_chunk) pc_lru;  /* (p)+(u) */
	struct pv_entry pc_pventry[_NPCPV];
};
_Static_assert(sizeof(struct pv_chunk) == PAGE_SIZE,
    "a pv entry finds its chunk by masking its own address");

static inline struct pv_chunk *
pv_to_chunk(const struct pv_entry *pv)
{
	return ((struct pv_chunk *)((uintptr_t)pv & ~(uintptr_t)PAGE_MASK));
}

#define PV_PMAP(pv) (pv_to_chunk(pv)->pc_pmap)

static inline bool
pc_is_free(const struct pv_chunk *pc)
{
	return (pc->pc_map[0] == PC_FREE0 && pc->pc_map[1] == PC_FREE0 &&
	    pc->pc_map[2] == PC_FREE2);
}

/* Which entries of a field of the bitmap are taken. */
static inline uint64_t
pc_inuse(const struct pv_chunk *pc, unsigned field)
{
	return (~pc->pc_map[field] & (field < 2 ? PC_FREE0 : PC_FREE2));
}

static inline bool
pv_list_empty(const struct pv_list *pvl)
{
	return (pvl->pvl_first == NULL);
}

static inline void
pv_list_insert_tail(struct pv_list *pvl, struct pv_entry *pv)
{
	struct pv_entry **lastp;

	lastp = pvl->pvl_first == NULL ? &pvl->pvl_first : pvl->pvl_lastp;
	pv->pv_next = NULL;
	pv->pv_prevp = lastp;
	*lastp = pv;
	pvl->pvl_lastp = &pv->pv_next;
}

static inline void
pv_list_remove(struct pv_list *pvl, struct pv_entry *pv)
{
	KASSERT(*pv->pv_prevp == pv, ("pv %p not where it says", (void *)pv));
	if (pv->pv_next != NULL)
		pv->pv_next->pv_prevp = pv->pv_prevp;
	else
		pvl->pvl_lastp = pv->pv_prevp;
	*pv->pv_prevp = pv->pv_next;
}

#define PV_LIST_FOREACH(pv, pvl)                                               \
	for ((pv) = (pvl)->pvl_first; (pv) != NULL; (pv) = (pv)->pv_next)

/*
 * One more change of a page's list: the holder of its pv list lock.
 *
 * All 32 bits count, so nothing happens at the wrap that does not happen anywhere
 * else, and builds with invariants need not begin near it as the generations do
 * that share their word with a lock (pv_table.c).  Only whether two readings are
 * equal is ever asked.  2^32 changes between them would be missed, as in FreeBSD.
 */
static inline void
md_gen_bump(struct md_page *md)
{
	/* Relaxed: only the holder of the pv list lock writes or compares. */
	uint32_t g = atomic_load_explicit(&md->pv_gen, memory_order_relaxed);

	/* Relaxed: as above. */
	atomic_store_explicit(&md->pv_gen, g + 1, memory_order_relaxed);
}

static inline uint32_t
md_gen(const struct md_page *md)
{
	/* Relaxed: as md_gen_bump(). */
	return (atomic_load_explicit(&md->pv_gen, memory_order_relaxed));
}

#endif /* PMAP_PV_LIST_H */
