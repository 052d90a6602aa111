/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PMAP_TLB_H
#define PMAP_PMAP_TLB_H

/*
 * Where TLBs are told.  The machine has no TLBs yet: each call marks a place and
 * an extent at which the kernel invalidates, and compiles to nothing.
 */

#include "pmapsim/types.h"

static inline void
pmap_invalidate_page(struct pmap *pmap, vm_offset_t va)
{
	(void)pmap;
	(void)va;
}

/* [sva, eva), page aligned. */
static inline void
pmap_invalidate_range(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva)
{
	(void)pmap;
	(void)sva;
	(void)eva;
}

/*
 * The 2 MB mapping pde of va has gone or changed.  One that was promoted may
 * have left 4 KB entries all over the 2 MB.
 */
static inline void
pmap_invalidate_pde_page(struct pmap *pmap, vm_offset_t va, pt_entry_t pde)
{
	(void)pmap;
	(void)va;
	(void)pde;
}

static inline void
pmap_invalidate_all(struct pmap *pmap)
{
	(void)pmap;
}

#endif /* PMAP_PMAP_TLB_H */
