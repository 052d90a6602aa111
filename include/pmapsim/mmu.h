/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_MMU_H
#define PMAPSIM_MMU_H

/*
 * What the processor does with page tables: it walks them, sets accessed and
 * modified in the leaf, and remembers translations in a TLB of each CPU.
 */

#include "pmapsim/types.h"

/* How an access ends. */
enum mmu_result {
	MMU_OK,
	MMU_NOTPRESENT, /* page fault: nothing is mapped */
	MMU_PROTECTION  /* page fault: the mapping does not allow it */
};

/*
 * One user-mode access to the byte at va by a processor without a TLB.
 *
 *	access	VM_PROT_READ, VM_PROT_WRITE or VM_PROT_EXECUTE, one of them
 *
 * If a present mapping allows it the leaf becomes accessed, and modified for a
 * write; otherwise nothing changes.  The bits are set as hardware sets them, by
 * compare and swap on the leaf, but the page tables are kept in place by the
 * pmap's lock, which is taken: no CPU has the pmap loaded for this access, so no
 * invalidation would wait for it.  Any attached thread may call this.
 */
enum mmu_result mmu_touch(struct pmap *pmap, vm_offset_t va, vm_prot_t access);

#endif /* PMAPSIM_MMU_H */
