/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PMAP_ENTER_H
#define PMAP_PMAP_ENTER_H

/*
 * What the functions that make mappings share.
 */

#include "pmap/pmap_var.h"

/*
 * The bits that select a memory type in a 4 KB entry.
 * Source: AMD64 manual, volume 2, 7.8: bits 0, 1, 2 of the PAT index are PWT,
 * PCD, PAT.
 */
static inline pt_entry_t
pmap_cache_bits(int32_t pat_mode)
{
	pt_entry_t bits = 0;

	if (__predict_true(pat_mode == 0))
		return (0);
	if ((pat_mode & 1) != 0)
		bits |= PG_NC_PWT;
	if ((pat_mode & 2) != 0)
		bits |= PG_NC_PCD;
	if ((pat_mode & 4) != 0)
		bits |= PG_PTE_PAT;
	return (bits);
}

/* Insert pv, of va, for m.  The pv list lock is held. */
static inline void
pmap_pv_insert(
    struct pmap *pmap, struct pv_entry *pv, vm_offset_t va, struct vm_page *m)
{
	pv->pv_va = va;
	PV_LIST_ASSERT_LOCKED(pmap->pm_machine->ma_pvt, m);
	pv_list_insert_tail(&m->md.pv_list, pv);
	md_gen_bump(&m->md);
	(void)pmap;
}

#endif /* PMAP_PMAP_ENTER_H */
