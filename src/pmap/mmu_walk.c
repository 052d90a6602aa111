/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The page walk of the simulated processor.
 *
 * A walk reads the entry of each level once, from the root down, and ends at a
 * leaf: a 4 KB entry, or a directory entry with PG_PS.  If the leaf allows the
 * access, accessed is set in it, and modified for a write, by compare and swap:
 * what was read is still there, or the walk starts again.  So a leaf that another
 * thread has just cleared is never written, and a bit set here is never lost by
 * a thread that swaps the leaf out.  The entries above are made with accessed
 * set and are not written.
 *
 * Rights are those of the leaf alone, as this pmap sets all of them above.
 *
 * What keeps a page table in place while it is walked.  A table goes back to the
 * allocator only after an invalidation of its pmap that every CPU has answered
 * which had the pmap loaded.  A CPU does not answer in the middle of a walk, so a
 * walk that could have read the entry that led to the table has ended by then,
 * and a later one does not find it.  No grace period is needed on top, as on
 * hardware: the shootdown is one.  A walk for no CPU holds the pmap's lock.
 *
 * Source: AMD64 Architecture Programmer's Manual, volume 2, chapter 5.
 */

#include "pmap/mmu_walk.h"

static inline pt_entry_t
walk_load(const pte_t *p)
{
	/*
	 * Acquire: pairs with pte_store(); a table was zeroed, and the frame of a
	 * leaf is what it was when the leaf was written.
	 */
	return (atomic_load_explicit(p, memory_order_acquire));
}

/* The entry of index in the table that e leads to, or NULL. */
static pte_t *
walk_down(const struct pmap *pmap, pt_entry_t e, unsigned index)
{
	if ((e & PG_V) == 0)
		return (NULL);
	return (&pmap_table(pmap->pm_vp, e)[index]);
}

/* The entry that is, or would be, va's leaf; NULL: a table is missing. */
static pte_t *
walk_to_leaf(const struct pmap *pmap, vm_offset_t va, struct mmu_leaf *ml)
{
	pt_entry_t pde;
	pte_t *p;

	p = walk_down(
	    pmap, walk_load(pmap_pml4e(pmap, va)), pmap_pdpe_index(va));
	if (p == NULL)
		return (NULL);
	p = walk_down(pmap, walk_load(p), pmap_pde_index(va));
	if (p == NULL)
		return (NULL);
	/* Once: it may turn from a table into a leaf meanwhile (B17). */
	pde = walk_load(p);
	ml->ml_large = (pde & (PG_V | PG_PS)) == (PG_V | PG_PS);
	if (ml->ml_large)
		return (p);
	ml->ml_table = pde & PG_FRAME;
	return (walk_down(pmap, pde, pmap_pte_index(va)));
}

enum mmu_result
mmu_walk(const struct pmap *pmap, vm_offset_t va, vm_prot_t access,
    vm_paddr_t table, struct mmu_leaf *ml)
{
	pt_entry_t bits, e;
	pte_t *leaf;

	if (va >= VM_MAXUSER_ADDRESS)
		return (MMU_NOTPRESENT);
	bits = PG_A | ((access & VM_PROT_WRITE) != 0 ? PG_M : 0);
	for (;;) {
		ml->ml_large = false;
		ml->ml_table = table;
		if (table != 0)
			leaf = pmap_pde_to_pte(pmap, table, va);
		else
			leaf = walk_to_leaf(pmap, va, ml);
		if (leaf == NULL)
			return (MMU_NOTPRESENT);
		e = walk_load(leaf);
		if ((e & PG_V) == 0)
			return (MMU_NOTPRESENT);
		/* The directory entry was replaced since it was read. */
		if (ml->ml_large && (e & PG_PS) == 0)
			continue;
		if (!mmu_allows(e, access))
			return (MMU_PROTECTION);
		ml->ml_entry = e | bits;
		if ((e & bits) == bits || pte_cas(leaf, &e, e | bits))
			return (MMU_OK);
	}
}

enum mmu_result
mmu_touch_locked(
    const struct pmap *pmap, vm_offset_t va, vm_prot_t access, vm_paddr_t *pap)
{
	enum mmu_result rv;
	struct mmu_leaf ml;

	KASSERT(access == VM_PROT_READ || access == VM_PROT_WRITE ||
		access == VM_PROT_EXECUTE,
	    ("access %#x is not one of read, write and execute", access));
	rv = mmu_walk(pmap, va, access, 0, &ml);
	if (rv == MMU_OK)
		*pap = ml.ml_large
		    ? (ml.ml_entry & PG_PS_FRAME) | (va & PDRMASK)
		    : (ml.ml_entry & PG_FRAME) | (va & PAGE_MASK);
	return (rv);
}

enum mmu_result
mmu_touch(struct pmap *pmap, vm_offset_t va, vm_prot_t access)
{
	PMAP_OPERATION(pmap->pm_machine);
	enum mmu_result rv;
	vm_paddr_t pa;

	PMAP_LOCK(pmap);
	rv = mmu_touch_locked(pmap, va, access, &pa);
	PMAP_UNLOCK(pmap);
	return (rv);
}
