/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PMAP_SUPERPAGE_H
#define PMAP_PMAP_SUPERPAGE_H

/*
 * 2 MB mappings: what the operations on address ranges and on pages need of
 * promotion, demotion, entering and removing.  The pmap is locked in all of it.
 *
 * Invariants of a 2 MB mapping.
 *   1. Managed and writable, it is modified: the MMU has nothing to write to the
 *	PDE but A, so that a plain store may replace it.
 *   2. Wired, it is accessed, and has a page table saved: a demotion can neither
 *	find it never used nor want memory for a table.
 *   3. PG_PROMOTED says that 4 KB entries may linger in TLBs.  It is never in a
 *	4 KB entry.
 *   4. A managed one has one pv entry, on its superpage's list, and its 512 pages
 *	have none for those addresses.
 *
 * Saved page tables (pm_root, by va >> PDRSHIFT) stay in resident_count and keep
 * ref_count 512.  vm_page.valid says what is in them:
 *
 *	SAVED_STALE	unknown, or some not accessed: to be filled anew
 *	SAVED_EXACT	512 accessed mappings of the right frames; their attributes
 *			are compared before they are used
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 * Differs: no kernel pmap, hence no third state, "zero-filled".
 */

#include "phys/vm_reserv.h"
#include "pmap/pmap_var.h"

#define SAVED_STALE 1
#define SAVED_EXACT 0xff

/* Attributes in which 512 mappings must agree. */
#define PG_PTE_PROMOTE                                                         \
	(PG_NX | PG_MANAGED | PG_W | PG_G | PG_PTE_CACHE | PG_M | PG_U |       \
	    PG_RW | PG_V)

/* Internal flags of pmap_enter_pde(). */
#define PMAP_ENTER_NORECLAIM 0x1000000u
#define PMAP_ENTER_NOREPLACE 0x2000000u

/* The memory type's third bit lies elsewhere in a 2 MB entry. */
static inline pt_entry_t
pmap_pte_to_pde_cache(pt_entry_t pte)
{
	if ((pte & PG_PTE_PAT) == 0)
		return (pte);
	return ((pte & ~PG_PTE_PAT) | PG_PDE_PAT);
}

/* Clears PG_PS, which is that bit in a 4 KB entry. */
static inline pt_entry_t
pmap_pde_to_pte_cache(pt_entry_t pde)
{
	pt_entry_t pte = pde & ~(PG_PS | PG_PDE_PAT);

	return ((pde & PG_PDE_PAT) != 0 ? pte | PG_PTE_PAT : pte);
}

/* pmap_promote.c */
int pmap_insert_pt_page(struct pmap *pmap, struct vm_page *mpte, bool exact);
struct vm_page *pmap_remove_pt_page(struct pmap *pmap, vm_offset_t va);
bool pmap_promote_pde(struct pmap *pmap, pte_t *pde, vm_offset_t va,
    struct vm_page *mpte, struct pv_held *held);

/*
 * Is it time to try a promotion?  m has just been mapped, by a page table with
 * ref references.
 */
static inline bool
pmap_may_promote(struct pmap *pmap, uint32_t ref, struct vm_page *m)
{
	if (__predict_true(ref != NPTEPG))
		return (false);
	return (pmap->pm_machine->ma_superpages &&
	    (m->flags & PG_FICTITIOUS) == 0 &&
	    vm_reserv_level_iffullpop(pmap->pm_vp, m) == 0);
}

/*
 * pmap_demote.c.  True: 512 small mappings now; false: the mapping is gone, and
 * maybe the table that pde lies in.  May change *held; if the mapping was managed
 * it ends as the lock of its superpage.  The second form uses none of the
 * caller's.
 */
bool pmap_demote_pde_locked(
    struct pmap *pmap, pte_t *pde, vm_offset_t va, struct pv_held *held);
bool pmap_demote_pde(struct pmap *pmap, pte_t *pde, vm_offset_t va);
/*
 * The first form that takes no pv entry from elsewhere: for who has two pmaps
 * locked and so may not wait for a third.
 */
bool pmap_demote_pde_noreclaim(
    struct pmap *pmap, pte_t *pde, vm_offset_t va, struct pv_held *held);

/* pmap_enter_pde.c */
enum kern_return pmap_enter_pde(struct pmap *pmap, vm_offset_t va,
    pt_entry_t newpde, uint32_t flags, struct vm_page *m, struct pv_held *held);
enum kern_return pmap_enter_2mpage(struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot, struct pv_held *held);
bool pmap_pv_insert_pde(struct pmap *pmap, vm_offset_t va, pt_entry_t pde,
    uint32_t flags, struct pv_held *held);

/*
 * pmap_remove.c.  pmap_remove_pte(): *pte is valid; true when the page table
 * went.  pmap_remove_ptes(): [sva, eva) in one page table; true when something
 * was removed.
 */
bool pmap_remove_pte(struct pmap *pmap, pte_t *pte, vm_offset_t va,
    pt_entry_t pde, struct vm_page **free, struct pv_held *held);
bool pmap_remove_ptes(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva,
    pt_entry_t pde, struct vm_page **free, struct pv_held *held);
void pmap_remove_pde(struct pmap *pmap, pte_t *pde, vm_offset_t va,
    struct vm_page **free, struct pv_held *held);

#endif /* PMAP_PMAP_SUPERPAGE_H */
