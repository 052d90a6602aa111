/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The life of a pmap, and questions about one address.
 *
 * struct pmap is type-stable: it comes from a zone of the machine, goes back to
 * it, and its mutex stays valid for ever.  A thread that starts from a page finds
 * a pmap through a pv entry, drops the pv list lock and then locks the pmap; the
 * pmap may have been released and reused meanwhile, which the generation shows,
 * but the mutex must be one all the time.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/mmu.h"

struct pmap *
pmap_alloc(struct machine *m)
{
	PMAP_OPERATION(m);
	struct pmap *pmap;

	mtx_lock(&m->ma_zone_mtx);
	pmap = TAILQ_FIRST(&m->ma_pmaps_free);
	if (pmap != NULL)
		TAILQ_REMOVE(&m->ma_pmaps_free, pmap, pm_zone_free);
	mtx_unlock(&m->ma_zone_mtx);
	if (pmap != NULL)
		return (pmap);

	/* Its own cache lines: another process's pmap is no neighbour. */
	pmap = kmem_alloc(
	    m->ma_kmem, sizeof(*pmap), CACHE_PAIR_SIZE, M_PMAP, KMEM_ANYDOMAIN);
	if (pmap == NULL)
		return (NULL);
	pmap->pm_machine = m;
	if (pmap_mmu_alloc(pmap) != 0) {
		kmem_free(
		    m->ma_kmem, pmap, sizeof(*pmap), M_PMAP, KMEM_ANYDOMAIN);
		return (NULL);
	}
	mtx_init(&pmap->pm_mtx, "pmap", LO_DUPOK);
	pmap->pm_vp = m->ma_vp;
	TAILQ_INIT(&pmap->pm_pvchunk);
	mtx_lock(&m->ma_zone_mtx);
	TAILQ_INSERT_TAIL(&m->ma_pmaps, pmap, pm_zone_all);
	mtx_unlock(&m->ma_zone_mtx);
	return (pmap);
}

void
pmap_free(struct pmap *pmap)
{
	PMAP_OPERATION(pmap->pm_machine);
	struct machine *m = pmap->pm_machine;

	KASSERT(!pmap->pm_live, ("pmap %p freed alive", (void *)pmap));
	mtx_lock(&m->ma_zone_mtx);
	TAILQ_INSERT_HEAD(&m->ma_pmaps_free, pmap, pm_zone_free);
	mtx_unlock(&m->ma_zone_mtx);
}

enum kern_return
pmap_pinit(struct pmap *pmap)
{
	PMAP_OPERATION(pmap->pm_machine);
	struct vm_page *m;

	KASSERT(!pmap->pm_live, ("pmap %p is live already", (void *)pmap));
	m = vm_page_alloc(
	    pmap->pm_vp, curthread()->td_domain, VM_PAGE_NOOBJ | VM_PAGE_ZERO);
	if (m == NULL)
		return (KERN_RESOURCE_SHORTAGE);
	/*
	 * Under the lock: a thread that came here through a stale pv entry may
	 * hold it for a moment.
	 */
	PMAP_LOCK(pmap);
	pmap_mmu_init(pmap);
	pmap->pm_root_page = m;
	pmap->pm_pml4 = PHYS_TO_DMAP(pmap->pm_vp, VM_PAGE_TO_PHYS(m));
	pmap->pm_stats.wired_count = 0;
	pmap->pm_chunk_quirk = false;
	KASSERT(vm_radix_is_empty(&pmap->pm_root),
	    ("pmap %p has saved page tables", (void *)pmap));
	pmap_resident_add(pmap,
	    pmap->pm_machine->ma_rules.pr_counts_root - pmap_resident(pmap));
	pmap->pm_live = true;
	PMAP_UNLOCK(pmap);
	return (KERN_SUCCESS);
}

void
pmap_release(struct pmap *pmap)
{
	PMAP_OPERATION(pmap->pm_machine);
	struct vm_page *m = pmap->pm_root_page;

	pmap_mmu_assert_idle(pmap);
	PMAP_LOCK(pmap);
	if (pmap_resident(pmap) != pmap->pm_machine->ma_rules.pr_counts_root)
		panic("pmap %p released with resident count %jd", (void *)pmap,
		    (intmax_t)pmap_resident(pmap));
	KASSERT(TAILQ_EMPTY(&pmap->pm_pvchunk),
	    ("pmap %p released with pv chunks", (void *)pmap));
	KASSERT(vm_radix_is_empty(&pmap->pm_root),
	    ("pmap %p released with saved page tables", (void *)pmap));
	pmap_resident_add(pmap, -pmap_resident(pmap));
	pmap->pm_pml4 = NULL;
	pmap->pm_root_page = NULL;
	pmap->pm_live = false;
	PMAP_UNLOCK(pmap);
	/* Every slot was cleared when its table went. */
	m->flags |= PG_ZERO;
	vm_page_free(pmap->pm_vp, m);
}

/*
 * The leaf entry of va, 0 for none, and the 4 KB page in *pap.  A superpage's entry
 * has PG_PS and is returned as it is.  The pmap is locked.
 */
static pt_entry_t
pmap_leaf(struct pmap *pmap, vm_offset_t va, vm_paddr_t *pap, bool *superp)
{
	pt_entry_t e;
	pte_t *pde;

	*pap = 0;
	*superp = false;
	/* Above, the tables' indices would start again from 0. */
	if (va >= VM_MAXUSER_ADDRESS)
		return (0);
	pde = pmap_pde(pmap, va);
	if (pde == NULL)
		return (0);
	e = pte_load(pde);
	if ((e & PG_V) == 0)
		return (0);
	if ((e & PG_PS) != 0) {
		*superp = true;
		*pap = (e & PG_PS_FRAME) |
		    (va & PDRMASK & ~(vm_offset_t)PAGE_MASK);
		return (e);
	}
	e = pte_load(pmap_pde_to_pte(pmap, e, va));
	if ((e & PG_V) == 0)
		return (0);
	*pap = e & PG_FRAME;
	return (e);
}

vm_paddr_t
pmap_extract(struct pmap *pmap, vm_offset_t va)
{
	PMAP_OPERATION(pmap->pm_machine);
	vm_paddr_t pa;
	pt_entry_t pte;
	bool super;

	PMAP_LOCK(pmap);
	pte = pmap_leaf(pmap, va, &pa, &super);
	PMAP_UNLOCK(pmap);
	return (pte == 0 ? 0 : pa | (va & PAGE_MASK));
}

/* One more reference, unless references are blocked. */
static bool
vm_page_hold(struct vm_page *m)
{
	/* Relaxed: the exchange below decides. */
	uint32_t v = atomic_load_explicit(&m->ref_count, memory_order_relaxed);

	do {
		if ((v & VPRC_BLOCKED) != 0)
			return (false);
		/* Acquire: what the page's owner wrote before is seen. */
	} while (!atomic_compare_exchange_weak_explicit(&m->ref_count, &v,
	    v + 1, memory_order_acquire, memory_order_relaxed));
	return (true);
}

void
vm_page_unhold(struct vm_page *m)
{
	/* Release: our use of the page ends before whoever frees it. */
	uint32_t v =
	    atomic_fetch_sub_explicit(&m->ref_count, 1, memory_order_release);

	KASSERT((v & ~(VPRC_OBJREF | VPRC_BLOCKED)) != 0,
	    ("page %#jx was not held", (uintmax_t)VM_PAGE_TO_PHYS(m)));
	(void)v;
}

struct vm_page *
pmap_extract_and_hold(struct pmap *pmap, vm_offset_t va, vm_prot_t prot)
{
	PMAP_OPERATION(pmap->pm_machine);
	struct vm_page *m = NULL;
	vm_paddr_t pa;
	pt_entry_t pte;
	bool super;

	PMAP_LOCK(pmap);
	pte = pmap_leaf(pmap, va, &pa, &super);
	if (pte != 0 && ((prot & VM_PROT_WRITE) == 0 || (pte & PG_RW) != 0)) {
		/* A device's memory has no descriptor (B27). */
		m = PHYS_TO_VM_PAGE(pmap->pm_vp, pa);
		if ((m != NULL || BUG(pmap->pm_machine, B27)) &&
		    (m->segind == 0 || !vm_page_hold(m)))
			m = NULL;
	}
	PMAP_UNLOCK(pmap);
	return (m);
}

bool
pmap_is_prefaultable(struct pmap *pmap, vm_offset_t va)
{
	PMAP_OPERATION(pmap->pm_machine);
	pt_entry_t pde;
	pte_t *pte;
	bool rv;

	if (va >= VM_MAXUSER_ADDRESS)
		return (false);
	PMAP_LOCK(pmap);
	pte = pmap_pte_pde(pmap, va, &pde);
	rv = pte != NULL && (pte_load(pte) & PG_V) == 0;
	PMAP_UNLOCK(pmap);
	return (rv);
}

int
pmap_mincore(struct pmap *pmap, vm_offset_t va, vm_paddr_t *pap)
{
	PMAP_OPERATION(pmap->pm_machine);
	vm_paddr_t pa;
	pt_entry_t pte;
	bool super;
	int val;

	PMAP_LOCK(pmap);
	pte = pmap_leaf(pmap, va, &pa, &super);
	PMAP_UNLOCK(pmap);
	*pap = 0;
	if (pte == 0)
		return (0);
	val = super ? MINCORE_INCORE | MINCORE_SUPER : MINCORE_INCORE;
	if ((pte & (PG_M | PG_RW)) == (PG_M | PG_RW))
		val |= MINCORE_MODIFIED | MINCORE_MODIFIED_OTHER;
	if ((pte & PG_A) != 0)
		val |= MINCORE_REFERENCED | MINCORE_REFERENCED_OTHER;
	/* Other mappings of the page may add what this one lacks. */
	if ((val & (MINCORE_MODIFIED_OTHER | MINCORE_REFERENCED_OTHER)) !=
		(MINCORE_MODIFIED_OTHER | MINCORE_REFERENCED_OTHER) &&
	    (pte & PG_MANAGED) != 0)
		*pap = pa;
	return (val);
}
