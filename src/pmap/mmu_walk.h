/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_MMU_WALK_H
#define PMAP_MMU_WALK_H

/*
 * The page walk: see mmu_walk.c.
 */

#include "pmap/pmap_var.h"
#include "pmapsim/mmu.h"

/* Where a walk ended. */
struct mmu_leaf {
	pt_entry_t ml_entry; /* the leaf, as the walk left it */
	vm_paddr_t ml_table; /* of 4 KB: the page table it is in */
	bool ml_large;       /* 2 MB */
};

/*
 * Walk pmap's tables for one access to va.  table: 0, or the page table that a
 * paging-structure cache has for va, from which the walk then starts.  On
 * MMU_OK *ml is the leaf.
 */
enum mmu_result mmu_walk(const struct pmap *pmap, vm_offset_t va,
    vm_prot_t access, vm_paddr_t table, struct mmu_leaf *ml);

/* mmu_touch() of a pmap that is locked, and where that is. */
enum mmu_result mmu_touch_locked(
    const struct pmap *pmap, vm_offset_t va, vm_prot_t access, vm_paddr_t *pap);

/* Does a leaf allow an access from user mode? */
static inline bool
mmu_allows(pt_entry_t e, vm_prot_t access)
{
	if ((e & PG_U) == 0)
		return (false);
	if ((access & VM_PROT_WRITE) != 0)
		return ((e & PG_RW) != 0);
	return ((access & VM_PROT_EXECUTE) == 0 || (e & PG_NX) == 0);
}

#endif /* PMAP_MMU_WALK_H */
