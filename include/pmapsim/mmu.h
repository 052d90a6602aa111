/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_MMU_H
#define PMAPSIM_MMU_H

/*
 * What the processor does with page tables: it walks them, sets accessed and
 * modified in the leaf, and remembers translations in a TLB of each CPU.
 *
 * The design says which TLBs the machine has:
 *
 *	tlb=none	each access walks; an invalidation costs nothing
 *	tlb=direct	64 entries, direct-mapped
 *	tlb=assoc	64 entries in sets of 4
 *	tlb=adversarial	keeps what it may keep, and fetches what it may fetch:
 *			what can go wrong with a TLB does so here first
 *
 * pcid=on lets entries of several address spaces stay side by side; ipi=sync
 * lets who invalidates do so in other CPUs' TLBs by itself, with ipi=mailbox it
 * asks and waits for the answers.
 *
 * erratum383=on: the CPUs are of AMD's family 10h, to which a TLB with entries of
 * 2 MB and of 4 KB for one address is a machine check: here it is a violation.  The
 * pmap stops all CPUs where one size takes the other's place.
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

/*
 * Load a pmap on CPU cpu of its machine, as a context switch does, in place of
 * the one loaded before; it may be loaded on any number of CPUs.  Before the pmap
 * is released it is unloaded everywhere.  Any attached thread may call these, for
 * any CPU.
 */
void pmap_activate(struct pmap *pmap, unsigned cpu);
/* Load none. */
void pmap_deactivate(struct machine *ma, unsigned cpu);

/*
 * One user-mode access to the byte at va by CPU cpu, in the address space that
 * is loaded there; MMU_NOTPRESENT if none is.
 *
 *	access	as mmu_touch()
 *	pap	NULL, or where the physical address goes
 *
 * The CPU looks into its TLB and, where that does not answer, walks, sets the
 * bits in the leaf and remembers the translation.  An access that reaches a
 * frame that was freed since the translation was remembered is a violation, and
 * is recorded: see mmu_violations().  With tlb=none it is mmu_touch().
 */
enum mmu_result mmu_access(struct machine *ma, unsigned cpu, vm_offset_t va,
    vm_prot_t access, vm_paddr_t *pap);

/*
 * With ipi=mailbox: let CPU cpu answer what other CPUs ask of it.  An access does
 * so by itself, and so does who waits for answers.  A CPU that does neither is
 * interrupted after a while by who waits.
 */
void mmu_poll(struct machine *ma, unsigned cpu);

/* What tlb=adversarial draws on; the same seed, the same draws of each CPU. */
void mmu_seed(struct machine *ma, uint64_t seed);

/* What the CPUs have done, all together. */
struct mmu_stats {
	uint64_t ms_accesses;
	uint64_t ms_hits;       /* answered by a TLB */
	uint64_t ms_walks;      /* prefetches not counted */
	uint64_t ms_prefetches; /* tlb=adversarial */
	uint64_t ms_pages;      /* invalidations of a page, by who asks */
	uint64_t ms_ranges;
	uint64_t ms_alls;
	uint64_t ms_ipis;   /* requests to other CPUs */
	uint64_t ms_acks;   /* and their answers */
	uint64_t ms_killed; /* entries that went by invalidation */
	uint64_t ms_switches;
	uint64_t ms_pcid_saves; /* a context that was still good */
};
void mmu_stats(struct machine *ma, struct mmu_stats *ms);

/*
 * An access to a frame, or a walk through a page table, that was freed before; or
 * entries of both sizes in a TLB with erratum383=on.
 */
struct mmu_violation {
	vm_offset_t mv_va;
	vm_paddr_t mv_pa;
	unsigned mv_cpu;
	bool mv_table; /* pa is of a page table */
	bool mv_write;
	bool mv_mixed; /* erratum383=on; pa is of the entry that came last */
};

/*
 * How many there were so far; the first n of them, if there were so many, go to
 * mv.  Few are kept.
 */
uint64_t mmu_violations(struct machine *ma, struct mmu_violation *mv, size_t n);

#endif /* PMAPSIM_MMU_H */
