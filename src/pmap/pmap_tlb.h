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

static inline void
pmap_invalidate_all(struct pmap *pmap)
{
	(void)pmap;
}

#endif /* PMAP_PMAP_TLB_H */
