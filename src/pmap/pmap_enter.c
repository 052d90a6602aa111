/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Making mappings: pmap_enter(), and the speculative pmap_enter_quick() and
 * pmap_enter_object().
 *
 * What all have in common: the reference on the page table comes first, then the
 * pv entry, then the pv list insertion under the page's pv list lock, and the
 * entry is stored last.  Whoever finds the mapping through the page tables or
 * through the page therefore finds all of it.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/pmap_enter.h"
#include "pmap/pmap_superpage.h"

static pt_entry_t
pmap_new_pte(const struct vm_page *m, vm_prot_t prot, uint32_t flags)
{
	pt_entry_t pte;

	pte = VM_PAGE_TO_PHYS(m) | PG_V | PG_A | PG_U;
	if ((flags & VM_PROT_WRITE) != 0)
		pte |= PG_M;
	if ((prot & VM_PROT_WRITE) != 0)
		pte |= PG_RW;
	if ((prot & VM_PROT_EXECUTE) == 0)
		pte |= PG_NX;
	if ((flags & PMAP_ENTER_WIRED) != 0)
		pte |= PG_W;
	pte |= pmap_cache_bits(m->md.pat_mode);
	if ((m->oflags & VPO_UNMANAGED) == 0)
		pte |= PG_MANAGED;
	else if ((pte & PG_RW) != 0)
		pte |= PG_M;
	return (pte);
}

/*
 * Take va's mapping of another page away, as the first half of a replacement.
 * Returns its pv entry for use again, NULL if it had none.
 *
 * The invalidation comes before the new entry becomes visible: otherwise one
 * thread could see the new page and then, through a stale TLB entry of another
 * CPU, a third thread the old one (B3).
 */
static struct pv_entry *
pmap_enter_displace(
    struct pmap *pmap, vm_offset_t va, pte_t *pte, struct pv_held *held)
{
	struct pv_entry *pv;
	struct vm_page *om;
	pt_entry_t old;

	old = pte_load_clear(pte);
	if ((old & PG_MANAGED) == 0) {
		pmap_invalidate_page(pmap, va);
		return (NULL);
	}
	om = PHYS_TO_VM_PAGE(pmap->pm_vp, old & PG_FRAME);
	if ((old & (PG_M | PG_RW)) == (PG_M | PG_RW))
		vm_page_dirty(om);
	if ((old & PG_A) != 0) {
		if (!BUG(pmap->pm_machine, B3))
			pmap_invalidate_page(pmap, va);
		vm_page_aflag_set(om, PGA_REFERENCED);
	}
	CHANGE_PV_LIST_LOCK(pmap->pm_machine->ma_pvt, held, om, old & PG_FRAME);
	PV_LIST_ASSERT_LOCKED(pmap->pm_machine->ma_pvt, om);
	pv = pmap_pvh_remove(&om->md, pmap, va);
	if (pv == NULL)
		panic("pmap_enter: no pv entry for va %#jx, page %#jx",
		    (uintmax_t)va, (uintmax_t)(old & PG_FRAME));
	pmap_clear_writeable_if_unmapped(om, held->pv_pvh);
	return (pv);
}

/* B4: what was displaced is given back, entry and all, before there is another. */
static struct pv_entry *
pmap_enter_b4(struct pmap *pmap, struct pv_entry *pv, struct vm_page *mpte,
    struct pv_held *held)
{
	free_pv_entry(pmap, pv);
	ptp_ref_add(mpte, UINT32_MAX);
	TEST_POINT(pmap->pm_machine, TP_ENTER_DISPLACED);
	pv = get_pv_entry(pmap, held);
	ptp_ref_add(mpte, 1);
	return (pv);
}

/* va maps m already: change the entry to newpte if that changes anything. */
static void
pmap_enter_same(struct pmap *pmap, vm_offset_t va, struct vm_page *m,
    pte_t *pte, pt_entry_t newpte)
{
	pt_entry_t old = pte_load(pte);

	if ((old & PG_MANAGED) != 0 && (newpte & PG_RW) != 0)
		vm_page_aflag_set(m, PGA_WRITEABLE);
	if (((old ^ newpte) & ~(PG_M | PG_A)) == 0)
		return;
	old = pte_swap(pte, newpte);
	if ((newpte & PG_M) == 0 && (old & (PG_M | PG_RW)) == (PG_M | PG_RW)) {
		if ((old & PG_MANAGED) != 0)
			vm_page_dirty(m);
	} else if ((old & PG_NX) != 0 || (newpte & PG_NX) == 0) {
		return; /* rights were only added: hardware walks again */
	}
	if ((old & PG_A) != 0)
		pmap_invalidate_page(pmap, va);
}

/* pmap_enter() of 2 MB, the pmap not yet locked. */
static enum kern_return
pmap_enter_super(struct pmap *pmap, vm_offset_t va, struct vm_page *m,
    pt_entry_t newpte, uint32_t flags)
{
	struct pv_held held = PV_HELD_NONE;
	enum kern_return rv;

	if (((va | VM_PAGE_TO_PHYS(m)) & PDRMASK) != 0)
		return (KERN_INVALID_ARGUMENT);
	if ((newpte & PG_MANAGED) != 0 && m->psind == 0)
		return (KERN_INVALID_ARGUMENT);
	PMAP_LOCK(pmap);
	rv = pmap_enter_pde(
	    pmap, va, pmap_pte_to_pde_cache(newpte) | PG_PS, flags, m, &held);
	pv_release_lock(pmap->pm_machine->ma_pvt, &held);
	PMAP_UNLOCK(pmap);
	return (rv);
}

enum kern_return
pmap_enter(struct pmap *pmap, vm_offset_t va, struct vm_page *m, vm_prot_t prot,
    uint32_t flags, int psind)
{
	PMAP_OPERATION(pmap->pm_machine);
	struct machine *ma = pmap->pm_machine;
	struct pv_held held = PV_HELD_NONE;
	struct pv_entry *pv;
	struct vm_page *mpte;
	pt_entry_t e, newpte, old;
	enum kern_return rv = KERN_SUCCESS;
	bool nosleep = (flags & PMAP_ENTER_NOSLEEP) != 0;
	pte_t *pde, *pte;

	if (va >= VM_MAXUSER_ADDRESS)
		return (KERN_INVALID_ADDRESS);
	KASSERT(
	    (va & PAGE_MASK) == 0, ("pmap_enter: bad va %#jx", (uintmax_t)va));
	KASSERT((flags & VM_PROT_ALL & ~(uint32_t)prot) == 0,
	    ("pmap_enter: access %#x exceeds protection %#x", flags, prot));
	KASSERT((flags & ~(0xffu | PMAP_ENTER_NOSLEEP | PMAP_ENTER_WIRED)) == 0,
	    ("pmap_enter: flags %#x", flags));
	newpte = pmap_new_pte(m, prot, flags);
	if (__predict_false(psind != 0)) {
		if (psind != 1)
			return (KERN_INVALID_ARGUMENT);
		return (pmap_enter_super(pmap, va, m, newpte, flags));
	}

	PMAP_LOCK(pmap);
retry:
	pde = pmap_pde(pmap, va);
	e = pde == NULL ? 0 : pte_load(pde);
	if (__predict_false((e & PG_PS) != 0)) {
		/* It is split; if it goes, its tables may, too. */
		e = pmap_demote_pde_locked(pmap, pde, va, &held) ? pte_load(pde)
								 : 0;
	}
	if (__predict_true((e & PG_V) != 0)) {
		mpte = PHYS_TO_VM_PAGE(pmap->pm_vp, e & PG_FRAME);
		pte = pmap_pde_to_pte(pmap, e, va);
		ptp_ref_add(mpte, 1);
	} else {
		mpte = pmap_allocpte(pmap, va, nosleep ? NULL : &held);
		if (mpte == NULL) {
			if (!nosleep)
				goto retry;
			rv = KERN_RESOURCE_SHORTAGE;
			goto out;
		}
		pte = pmap_ptp_to_pte(pmap, mpte, va);
	}

	old = pte_load(pte);
	if ((old & PG_V) != 0 && ((old ^ newpte) & PG_FRAME) == 0) {
		ptp_ref_add(mpte, UINT32_MAX);
		pmap->pm_stats.wired_count += (int64_t)((newpte & PG_W) != 0) -
		    (int64_t)((old & PG_W) != 0);
		pmap_enter_same(pmap, va, m, pte, newpte);
		goto promote;
	}

	/*
	 * The pv entry is had before anything changes, unless the displaced
	 * mapping leaves one: a failure then has nothing to undo but the
	 * reference, which also keeps the page table meanwhile (B4).
	 */
	pv = NULL;
	if ((newpte & PG_MANAGED) != 0 &&
	    (old & (PG_V | PG_MANAGED)) != (PG_V | PG_MANAGED)) {
		pv = get_pv_entry(pmap, &held);
		if (__predict_false(pv == NULL)) {
			pmap_abort_ptp(pmap, va, mpte);
			if (nosleep) {
				rv = KERN_RESOURCE_SHORTAGE;
				goto out;
			}
			pv_release_lock(ma->ma_pvt, &held);
			pmap_wait_for_pages(pmap, va, 1, 0, true);
			goto retry;
		}
	}

	pmap->pm_stats.wired_count += (int64_t)((newpte & PG_W) != 0);
	if ((old & PG_V) == 0) {
		pmap_resident_add(pmap, 1);
	} else {
		pmap->pm_stats.wired_count -= (int64_t)((old & PG_W) != 0);
		ptp_ref_add(mpte, UINT32_MAX);
		KASSERT(ptp_ref(mpte) > 0,
		    ("page table of %#jx lost", (uintmax_t)va));
		if (pv == NULL)
			pv = pmap_enter_displace(pmap, va, pte, &held);
		else
			(void)pmap_enter_displace(pmap, va, pte, &held);
		if (pv != NULL && (newpte & PG_MANAGED) == 0)
			free_pv_entry(pmap, pv);
		else if (BUG(ma, B4) && pv != NULL)
			pv = pmap_enter_b4(pmap, pv, mpte, &held);
	}
	if ((newpte & PG_MANAGED) != 0) {
		CHANGE_PV_LIST_LOCK(ma->ma_pvt, &held, m, newpte & PG_FRAME);
		pmap_pv_insert(pmap, pv, va, m);
		/* Before the entry is visible, under the pv list lock. */
		if ((newpte & PG_RW) != 0)
			vm_page_aflag_set(m, PGA_WRITEABLE);
	}
	pte_store(pte, newpte);
	TEST_POINT(ma, TP_ENTER_STORED);
	if (BUG(ma, B3))
		pmap_invalidate_page(pmap, va);
promote:
	if (pmap_may_promote(pmap, ptp_ref(mpte), m))
		(void)pmap_promote_pde(
		    pmap, pmap_pde(pmap, va), va, mpte, &held);
out:
	pv_release_lock(ma->ma_pvt, &held);
	PMAP_UNLOCK(pmap);
	return (rv);
}

/*
 * The page table of va, with one more reference, for a mapping that may as well
 * not be made.  hint: the one used last, or NULL.  NULL where there is a
 * superpage, or no memory.
 */
static struct vm_page *
pmap_quick_ptp(struct pmap *pmap, vm_offset_t va, struct vm_page *hint)
{
	pte_t *pde;

	if (hint != NULL && hint->pindex == va >> PDRSHIFT) {
		KASSERT((pte_load(pmap_pde(pmap, va)) & (PG_FRAME | PG_PS)) ==
			VM_PAGE_TO_PHYS(hint),
		    ("pmap %p: hint %#jx is no page table of va %#jx",
			(void *)pmap, (uintmax_t)VM_PAGE_TO_PHYS(hint),
			(uintmax_t)va));
		ptp_ref_add(hint, 1);
		return (hint);
	}
	pde = pmap_pde(pmap, va);
	if (pde != NULL && (pte_load(pde) & (PG_V | PG_PS)) == (PG_V | PG_PS) &&
	    !BUG(pmap->pm_machine, B10))
		return (NULL);
	return (pmap_allocpte(pmap, va, NULL));
}

/*
 * The pmap is locked.  Returns the page table used, as a hint, or NULL: also when
 * it has been promoted, as it is no table of the pmap's any more (B29).
 */
static struct vm_page *
pmap_enter_quick_locked(struct pmap *pmap, vm_offset_t va, struct vm_page *m,
    vm_prot_t prot, struct vm_page *hint, struct pv_held *held)
{
	struct pv_entry *pv;
	struct vm_page *mpte;
	pt_entry_t newpte;
	pte_t *pte;

	KASSERT(va < VM_MAXUSER_ADDRESS && (va & PAGE_MASK) == 0,
	    ("pmap_enter_quick: bad va %#jx", (uintmax_t)va));
	mpte = pmap_quick_ptp(pmap, va, hint);
	if (mpte == NULL)
		return (NULL);
	pte = pmap_ptp_to_pte(pmap, mpte, va);
	if (pte_load(pte) != 0) {
		ptp_ref_add(mpte, UINT32_MAX);
		return (NULL);
	}
	newpte =
	    VM_PAGE_TO_PHYS(m) | PG_V | PG_U | pmap_cache_bits(m->md.pat_mode);
	if ((prot & VM_PROT_EXECUTE) == 0)
		newpte |= PG_NX;
	if ((m->oflags & VPO_UNMANAGED) == 0) {
		pv = get_pv_entry(pmap, NULL);
		if (pv == NULL) {
			pmap_abort_ptp(pmap, va, mpte);
			return (NULL);
		}
		CHANGE_PV_LIST_LOCK(
		    pmap->pm_machine->ma_pvt, held, m, VM_PAGE_TO_PHYS(m));
		pmap_pv_insert(pmap, pv, va, m);
		newpte |= PG_MANAGED;
	}
	pmap_resident_add(pmap, 1);
	pte_store(pte, newpte);
	if (__predict_false(ptp_ref(mpte) == NPTEPG) &&
	    pmap->pm_machine->ma_rules.pr_quick_promotes &&
	    pmap_may_promote(pmap, ptp_ref(mpte), m) &&
	    pmap_promote_pde(pmap, pmap_pde(pmap, va), va, mpte, held) &&
	    !BUG(pmap->pm_machine, B29))
		return (NULL);
	return (mpte);
}

void
pmap_enter_quick(
    struct pmap *pmap, vm_offset_t va, struct vm_page *m, vm_prot_t prot)
{
	PMAP_OPERATION(pmap->pm_machine);
	struct pv_held held = PV_HELD_NONE;

	PMAP_LOCK(pmap);
	(void)pmap_enter_quick_locked(pmap, va, m, prot, NULL, &held);
	pv_release_lock(pmap->pm_machine->ma_pvt, &held);
	PMAP_UNLOCK(pmap);
}

/* Has the whole run of m, which is full, been dealt with as one? */
static bool
pmap_enter_object_2mpage(struct pmap *pmap, vm_offset_t va, vm_offset_t end,
    struct vm_page *m, vm_prot_t prot, struct pv_held *held)
{
	enum kern_return rv;

	if (!pmap->pm_machine->ma_superpages || (va & PDRMASK) != 0 ||
	    end - va < NBPDR)
		return (false);
	rv = pmap_enter_2mpage(pmap, va, m, prot, held);
	return (rv == KERN_SUCCESS ||
	    (rv == KERN_NO_SPACE && !BUG(pmap->pm_machine, B10)));
}

void
pmap_enter_object(struct pmap *pmap, vm_offset_t start, vm_offset_t end,
    struct vm_page *m_start, vm_prot_t prot)
{
	PMAP_OPERATION(pmap->pm_machine);
	struct pv_held held = PV_HELD_NONE;
	struct vm_page *m, *mpte = NULL;
	vm_pindex_t diff, npages = (end - start) >> PAGE_SHIFT;
	vm_offset_t va;

	PMAP_LOCK(pmap);
	for (m = m_start; m != NULL; m = m->listq_next) {
		diff = m->pindex - m_start->pindex;
		if (diff >= npages)
			break;
		va = start + (diff << PAGE_SHIFT);
		if (m->psind == 1 &&
		    pmap_enter_object_2mpage(pmap, va, end, m, prot, &held))
			m = &m[NPTEPG - 1];
		else
			mpte = pmap_enter_quick_locked(
			    pmap, va, m, prot, mpte, &held);
	}
	pv_release_lock(pmap->pm_machine->ma_pvt, &held);
	PMAP_UNLOCK(pmap);
}
