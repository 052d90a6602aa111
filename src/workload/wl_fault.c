/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Page faults of a process of a package build: what wl_process.c plans.
 *
 * The object of the page is locked around pmap_enter(): for reading where the
 * page is a file's, which many processes map, else for writing.
 *
 * Charged: the trap, and clearing or copying the page.
 */

#include "workload/wl_process.h"

/* Source: FreeBSD main (2024), sys/vm/vm_fault.c, PFBAK and PFFOR. */
#define AROUND    4u
#define TEXT_PROT (VM_PROT_READ | VM_PROT_EXECUTE)

static bool
area_has(const struct wl_area *ar, uint32_t page)
{
	return ((ar->ar_mapped[page / 64] >> page % 64 & 1) != 0);
}

static void
area_add(struct wl_area *ar, uint32_t page)
{
	KASSERT(page < WL_AREA_WORDS * 64, ("page %u of an area", page));
	ar->ar_mapped[page / 64] |= UINT64_C(1) << page % 64;
	ar->ar_left--;
}

void
wl_area_premap(struct wl_process *pr, struct wl_area *ar, uint32_t most)
{
	uint32_t end, first, n, next;

	VM_OBJECT_RLOCK(ar->ar_file->wlo_object);
	for (uint32_t i = 0; i < ar->ar_maps; i++) {
		first = ar->ar_shared * i / ar->ar_maps;
		next = ar->ar_shared * (i + 1) / ar->ar_maps;
		n = MIN(next - first, most);
		if (n == 0)
			continue;
		end = first + n;
		/* Not resident: only where all is mapped in one. */
		while (first < end && ar->ar_file->wlo_pages[first] == NULL)
			first++;
		pmap_enter_object(pr->wlp_pmap, wl_area_va(ar, first),
		    wl_area_va(ar, end), ar->ar_file->wlo_pages[first],
		    TEXT_PROT);
		if (n == ar->ar_shared) {
			ar->ar_left = 0;
			break;
		}
		for (uint32_t page = first; page < end; page++)
			area_add(ar, page);
	}
	VM_OBJECT_RUNLOCK(ar->ar_file->wlo_object);
}

/*
 * A fault that makes a private page: what is the charge for its contents.
 */
static int
fault_private(struct wl_world *ww, struct wl_process *pr, struct vm_object *obj,
    uint32_t pindex, vm_offset_t va, enum sim_cost what, struct vm_page **mp)
{
	enum kern_return kr = KERN_RESOURCE_SHORTAGE;
	struct vm_page *m;

	sim_charge(wl_world_sim(ww), SIM_FAULT, 1);
	VM_OBJECT_WLOCK(obj);
	m = vm_object_alloc_page(obj, pindex, 0);
	if (m != NULL) {
		sim_charge(wl_world_sim(ww), what, 1);
		kr = pmap_enter(pr->wlp_pmap, va, m,
		    VM_PROT_READ | VM_PROT_WRITE,
		    VM_PROT_WRITE | PMAP_ENTER_NOSLEEP, 0);
	}
	VM_OBJECT_WUNLOCK(obj);
	if (kr != KERN_SUCCESS)
		return (wl_out_of_memory(ww->ww_thread->wlt_run));
	if (mp != NULL)
		*mp = m;
	return (0);
}

/* A page of a file that is not mapped: where the fault is. */
static uint32_t
file_page(struct wl_rng *rng, struct wl_area *ar)
{
	uint32_t page = ar->ar_next;

	if (page >= ar->ar_shared || wl_below(rng, 3) == 0)
		page = wl_below(rng, ar->ar_shared);
	/* Some page is not mapped: ar_left > 0. */
	while (area_has(ar, page))
		page = page + 1 < ar->ar_shared ? page + 1 : 0;
	return (page);
}

/* A fault on a file, in the area that has most to offer. */
int
wl_fault_file(struct wl_world *ww, struct wl_process *pr)
{
	enum kern_return kr;
	struct wl_area *ar;
	uint32_t end, hit, left = 0, page;

	for (unsigned i = 0; i < pr->wlp_nareas; i++)
		left += pr->wlp_areas[i].ar_left;
	if (left == 0)
		return (0);
	left = wl_below(&ww->ww_thread->wlt_rng, left);
	for (ar = pr->wlp_areas; left >= ar->ar_left; ar++)
		left -= ar->ar_left;
	hit = file_page(&ww->ww_thread->wlt_rng, ar);
	page = hit > AROUND ? hit - AROUND : 0;
	end = MIN(hit + AROUND + 1, ar->ar_shared);
	ar->ar_next = end;

	sim_charge(wl_world_sim(ww), SIM_FAULT, 1);
	VM_OBJECT_RLOCK(ar->ar_file->wlo_object);
	kr = pmap_enter(pr->wlp_pmap, wl_area_va(ar, hit),
	    ar->ar_file->wlo_pages[hit], TEXT_PROT,
	    VM_PROT_EXECUTE | PMAP_ENTER_NOSLEEP, 0);
	for (; kr == KERN_SUCCESS && page < end; page++) {
		if (!area_has(ar, page))
			area_add(ar, page);
		else
			continue;
		if (page != hit &&
		    pmap_is_prefaultable(pr->wlp_pmap, wl_area_va(ar, page)))
			pmap_enter_quick(pr->wlp_pmap, wl_area_va(ar, page),
			    ar->ar_file->wlo_pages[page], TEXT_PROT);
	}
	VM_OBJECT_RUNLOCK(ar->ar_file->wlo_object);
	if (kr != KERN_SUCCESS)
		return (wl_out_of_memory(ww->ww_thread->wlt_run));
	return (0);
}

/* The next data page of the files: a private copy of it. */
int
wl_fault_copy(struct wl_world *ww, struct wl_process *pr)
{
	struct wl_area *ar = pr->wlp_areas;
	uint32_t page;

	while (ar->ar_copied == ar->ar_data)
		ar++;
	page = ar->ar_copied++;
	return (fault_private(ww, pr, pr->wlp_data[ar - pr->wlp_areas], page,
	    wl_area_va(ar, ar->ar_shared + page), SIM_PAGE_COPY, NULL));
}

int
wl_fault_anon(struct wl_world *ww, struct wl_process *pr)
{
	uint32_t page;

	if (pr->wlp_stack_pages < WL_STACK_PAGES) {
		page = pr->wlp_stack_pages++;
		return (fault_private(ww, pr, pr->wlp_stack, page,
		    WL_STACK_VA + (vm_offset_t)page * PAGE_SIZE, SIM_PAGE_CLEAR,
		    NULL));
	}
	page = pr->wlp_heap_pages++;
	return (fault_private(ww, pr, pr->wlp_heap, page,
	    WL_HEAP_VA + (vm_offset_t)page * PAGE_SIZE, SIM_PAGE_CLEAR,
	    page < WL_HEAP_KNOWN ? &pr->wlp_known[page] : NULL));
}

/*
 * A write to a heap page that was shared at a fork.  A child copies it; whose
 * child has ended has it alone.
 */
int
wl_fault_cow(struct wl_world *ww, struct wl_process *pr)
{
	const struct wl_process *owner =
	    pr->wlp_parent != NULL ? pr->wlp_parent : pr;
	uint32_t known = MIN(owner->wlp_heap_pages, WL_HEAP_KNOWN), page;
	enum kern_return kr;
	vm_offset_t va;

	if (pr->wlp_cow_next >= known)
		return (0);
	page = pr->wlp_cow_next++;
	va = WL_HEAP_VA + (vm_offset_t)page * PAGE_SIZE;
	if (pr->wlp_parent != NULL)
		return (fault_private(
		    ww, pr, pr->wlp_heap, page, va, SIM_PAGE_COPY, NULL));
	sim_charge(wl_world_sim(ww), SIM_FAULT, 1);
	VM_OBJECT_WLOCK(pr->wlp_heap);
	kr = pmap_enter(pr->wlp_pmap, va, pr->wlp_known[page],
	    VM_PROT_READ | VM_PROT_WRITE, VM_PROT_WRITE | PMAP_ENTER_NOSLEEP,
	    0);
	VM_OBJECT_WUNLOCK(pr->wlp_heap);
	if (kr != KERN_SUCCESS)
		return (wl_out_of_memory(ww->ww_thread->wlt_run));
	return (0);
}
