/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A process of a package build: what it maps, faults on, copies and gives back.
 *
 * A run of a program goes as under FreeBSD.
 *
 *	exec	the program and rtld are mapped whole, as far as they are resident
 *		(MAP_PREFAULT); then rtld maps libraries, of each mapping the
 *		first --premap pages (MAP_PREFAULT_PARTIAL)
 *	copies	rtld relocates: a private copy of each data page of the files
 *	protect	mprotect(2) of the first half of those; hints are unmapped
 *	run	faults in random order, user time between them
 *		- on file pages that are not mapped, with 4 pages before and 4
 *		  after, each if it is not mapped yet (PFBAK, PFFOR)
 *		- on new private pages, which are zeroed: the first few of the
 *		  stack, then the heap, by ascending address
 *	exit	pmap_remove_pages(), private pages are freed one by one, page
 *		tables go
 *
 * A fork write-protects the private pages of the parent and copies all mappings
 * of both kinds by pmap_copy(), an area at a time.  The child copies pages by
 * writing to them; the parent, which goes on when the child has ended, is then
 * the only one who has the page, and gets it back writable in place.
 *
 * Private memory is in objects that grow, one for each area's data, one for the
 * heap, one for the stack: so each takes a reservation, as under FreeBSD.
 *
 * Numbers.  How many pages are touched is that of wl_programs.c.  Those that are
 * mapped beforehand cost no fault; of the others 28 % are left as faults by the 8
 * pages around each.
 * Measured: that share, by running a trace that has a fault for each page against
 * the window of 4 and 4.
 *
 * Assumed: what is resident of a large program is evenly spread; a program touches the pages of its
 * files evenly; two faults in three on a file are on the page behind what the
 * last one has mapped.  In the trace this page is the next one for 27 to 54 % of
 * all faults.
 * Differs: no map entries, no shadow chains: the copy of a page belongs to who
 * wrote, its original to the parent.
 * Source: FreeBSD main (2024), sys/kern/imgact_elf.c, sys/vm/vm_map.c,
 * vm_map_pmap_enter(), sys/vm/vm_fault.c, sys/kern/kern_exec.c.
 */

#include "workload/wl_process.h"

#include <errno.h>
#include <string.h>

#define PROGRAM_VA  UINT64_C(0x400000)
#define LIBS_VA     UINT64_C(0x800000000)
#define HINTS_VA    UINT64_C(0x880000000)
#define HEAP_MAX    (1u << 20) /* pages */
#define DATA_MAX    NPTEPG
#define FAULT_SHARE 28u /* percent */

/* A file that the program maps, at the first free address for libraries. */
static void
area_init(struct wl_world *ww, struct wl_process *pr, enum wl_file_id id)
{
	const struct wl_file *wf = &wl_files[id];
	struct wl_area *ar = &pr->wlp_areas[pr->wlp_nareas];
	struct vm_object *data = pr->wlp_data[pr->wlp_nareas];
	uint32_t variant = 0;

	memset(ar, 0, sizeof(*ar));
	if (wf->wf_variants > 1)
		variant = wl_below(&ww->ww_thread->wlt_rng, wf->wf_variants);
	ar->ar_file = ww->ww_jail->wj_files[id][variant];
	/* A file that was cut short still has a page of each kind. */
	ar->ar_data = MIN(wf->wf_data, ar->ar_file->wlo_npages / 2);
	ar->ar_shared = ar->ar_file->wlo_npages - ar->ar_data;
	ar->ar_left = ar->ar_shared;
	ar->ar_maps = wf->wf_maps;
	if (pr->wlp_nareas == 0) {
		ar->ar_va = PROGRAM_VA;
	} else if (pr->wlp_nareas == 1) {
		ar->ar_va = LIBS_VA;
	} else {
		ar->ar_va = wl_area_va(ar - 1, ar[-1].ar_file->wlo_npages);
		if (ar->ar_shared >= NPTEPG)
			ar->ar_va = roundup2(ar->ar_va, NBPDR);
	}
	/* Empty now: index and address of the copies are to be congruent. */
	data->pg_color =
	    (uint16_t)pmap_pte_index(wl_area_va(ar, ar->ar_shared));
	data->domain = ww->ww_thread->wlt_td->td_domain;
	pr->wlp_nareas++;
}

/* rtld maps the next library, and after the last one looks at its hints. */
static void
load(struct wl_world *ww, struct wl_process *pr)
{
	const struct wl_object *hints = ww->ww_jail->wj_files[WLF_HINTS][0];
	const struct workload_params *wp = &ww->ww_thread->wlt_run->wlr_params;
	struct wl_area *ar = &pr->wlp_areas[pr->wlp_nareas - pr->wlp_loads];
	vm_offset_t end = HINTS_VA + (vm_offset_t)hints->wlo_npages * PAGE_SIZE;

	/* open, read, fstat, mmap of each part, close */
	sim_charge(wl_world_sim(ww), SIM_SYSCALL, 5 + ar->ar_maps);
	wl_area_premap(pr, ar, wp->wp_premap_pages);
	if (--pr->wlp_loads > 0)
		return;
	sim_charge(wl_world_sim(ww), SIM_SYSCALL, 2);
	VM_OBJECT_RLOCK(hints->wlo_object);
	pmap_enter_object(
	    pr->wlp_pmap, HINTS_VA, end, hints->wlo_pages[0], VM_PROT_READ);
	VM_OBJECT_RUNLOCK(hints->wlo_object);
	pmap_remove(pr->wlp_pmap, HINTS_VA, end);
}

/* Relocated for good: the first half of each area's data. */
static void
protect(struct wl_world *ww, struct wl_process *pr)
{
	const struct wl_area *ar;

	for (unsigned i = 0; i < pr->wlp_nareas; i++) {
		ar = &pr->wlp_areas[i];
		sim_charge(wl_world_sim(ww), SIM_SYSCALL, 1);
		pmap_protect(pr->wlp_pmap, wl_area_va(ar, ar->ar_shared),
		    wl_area_va(ar, ar->ar_shared + ar->ar_data / 2),
		    VM_PROT_READ);
	}
}

static uint32_t
events_left(const struct wl_process *pr)
{
	return (pr->wlp_loads + pr->wlp_copy + pr->wlp_file + pr->wlp_cow +
	    pr->wlp_anon);
}

uint64_t
wl_process_gap(struct wl_world *ww, struct wl_process *pr)
{
	uint32_t left = events_left(pr);
	uint64_t ns = pr->wlp_user_ns;

	if (left > 0) {
		ns = wl_gap_ns(
		    (uint32_t)wl_rand(&ww->ww_thread->wlt_rng), ns / left);
		ns = MIN(ns, pr->wlp_user_ns);
	}
	pr->wlp_user_ns -= ns;
	return (ns);
}

int
wl_process_event(struct wl_world *ww, struct wl_process *pr, bool *donep)
{
	uint32_t i;

	*donep = false;
	if (pr->wlp_loads > 0) {
		load(ww, pr);
		return (0);
	}
	if (pr->wlp_copy > 0) {
		if (--pr->wlp_copy == 0)
			protect(ww, pr);
		return (wl_fault_copy(ww, pr));
	}
	i = events_left(pr);
	if (i == 0) {
		*donep = true;
		return (0);
	}
	i = wl_below(&ww->ww_thread->wlt_rng, i);
	if (i < pr->wlp_file) {
		pr->wlp_file--;
		return (wl_fault_file(ww, pr));
	}
	if (i < pr->wlp_file + pr->wlp_cow) {
		pr->wlp_cow--;
		return (wl_fault_cow(ww, pr));
	}
	pr->wlp_anon--;
	return (wl_fault_anon(ww, pr));
}

/* What a run of the program has before it. */
static void
process_plan(struct wl_world *ww, struct wl_process *pr, enum wl_program_id id)
{
	const struct workload_params *wp = &ww->ww_thread->wlt_run->wlr_params;
	const struct wl_program *wpg = &wl_programs[id];
	uint64_t all = 0, left = 0;
	uint32_t pages, private;

	pr->wlp_program = wpg;
	pr->wlp_copy = 0;
	for (unsigned i = 0; i < pr->wlp_nareas; i++) {
		const struct wl_area *ar = &pr->wlp_areas[i];

		/* The first two are mapped whole. */
		pages = ar->ar_shared / ar->ar_maps;
		if (i >= 2 && pages > wp->wp_premap_pages)
			left += (uint64_t)(pages - wp->wp_premap_pages) *
			    ar->ar_maps;
		all += ar->ar_shared;
		pr->wlp_copy += ar->ar_data;
	}
	private =
	    wl_program_private(wpg, (uint32_t)wl_rand(&ww->ww_thread->wlt_rng));
	pr->wlp_file =
	    (uint32_t)(wpg->wpg_touched * left / all * FAULT_SHARE / 100);
	pr->wlp_anon = private > pr->wlp_copy ? private - pr->wlp_copy : 1;
	if (wp->wp_anon_pages != 0)
		pr->wlp_anon = MIN(pr->wlp_anon, wp->wp_anon_pages);
	pr->wlp_cow = 0;
	/* Who has more to do needs more memory. */
	pr->wlp_user_ns = wl_program_user_ns(wpg) * private / wpg->wpg_private *
	    wp->wp_lifetime_pct / 100;
}

/* Empty the address space and free private pages. */
static void
process_clear(struct wl_process *pr)
{
	struct vm_object *objs[WL_AREAS + 2];

	pmap_remove_pages(pr->wlp_pmap);
	pmap_remove(pr->wlp_pmap, 0, VM_MAXUSER_ADDRESS);
	memcpy(objs, pr->wlp_data, sizeof(pr->wlp_data));
	objs[WL_AREAS] = pr->wlp_heap;
	objs[WL_AREAS + 1] = pr->wlp_stack;
	for (unsigned i = 0; i < WL_AREAS + 2; i++) {
		VM_OBJECT_WLOCK(objs[i]);
		while (objs[i]->memq_last != NULL)
			vm_object_free_page(objs[i], objs[i]->memq_last);
		VM_OBJECT_WUNLOCK(objs[i]);
	}
	pr->wlp_nareas = 0;
	pr->wlp_heap_pages = 0;
	pr->wlp_stack_pages = 0;
	pr->wlp_cow_next = 0;
	pr->wlp_parent = NULL;
}

static int
process_begin(struct wl_world *ww, struct wl_process *pr)
{
	if (pmap_pinit(pr->wlp_pmap) != KERN_SUCCESS)
		return (wl_out_of_memory(ww->ww_thread->wlt_run));
	pr->wlp_live = true;
	return (0);
}

int
wl_process_exec(
    struct wl_world *ww, struct wl_process *pr, enum wl_program_id id)
{
	const struct wl_program *wpg = &wl_programs[id];
	int error;

	sim_charge(wl_world_sim(ww), SIM_SYSCALL, 1);
	if (pr->wlp_live) {
		process_clear(pr);
	} else {
		error = process_begin(ww, pr);
		if (error != 0)
			return (error);
	}
	/* Pages come from where they are touched first. */
	pr->wlp_heap->domain = ww->ww_thread->wlt_td->td_domain;
	pr->wlp_stack->domain = pr->wlp_heap->domain;
	area_init(ww, pr, wpg->wpg_file);
	area_init(ww, pr, WLF_RTLD);
	area_init(ww, pr, WLF_LIBC);
	if (wpg->wpg_lib != WLF_NONE)
		area_init(ww, pr, wpg->wpg_lib);
	process_plan(ww, pr, id);
	pr->wlp_loads = pr->wlp_nareas - 2;
	for (unsigned i = 0; i < 2; i++)
		wl_area_premap(pr, &pr->wlp_areas[i], UINT32_MAX);
	/* Those of load() and protect() besides. */
	sim_charge(wl_world_sim(ww), SIM_SYSCALL, wpg->wpg_calls);
	return (0);
}

/* Pages from va on, in both: read-only when they are private. */
static void
fork_range(struct wl_process *pr, struct wl_process *child, vm_offset_t va,
    uint32_t npages, bool private)
{
	vm_size_t len = (vm_size_t)npages * PAGE_SIZE;

	if (npages == 0)
		return;
	if (private)
		pmap_protect(pr->wlp_pmap, va, va + len, VM_PROT_READ);
	pmap_copy(child->wlp_pmap, pr->wlp_pmap, va, len, va);
}

int
wl_process_fork(
    struct wl_world *ww, struct wl_process *pr, struct wl_process *child)
{
	const struct workload_params *wp = &ww->ww_thread->wlt_run->wlr_params;
	const struct wl_program *wpg = &wl_programs[WLP_FORKED];
	const struct wl_area *ar;
	int error;

	sim_charge(wl_world_sim(ww), SIM_SYSCALL, 1);
	error = process_begin(ww, child);
	if (error != 0)
		return (error);
	memcpy(child->wlp_areas, pr->wlp_areas, sizeof(pr->wlp_areas));
	child->wlp_nareas = pr->wlp_nareas;
	for (unsigned i = 0; i < pr->wlp_nareas; i++) {
		ar = &pr->wlp_areas[i];
		for (uint32_t j = 0; j < ar->ar_maps; j++) {
			uint32_t first = ar->ar_shared * j / ar->ar_maps;
			uint32_t next = ar->ar_shared * (j + 1) / ar->ar_maps;

			fork_range(pr, child, wl_area_va(ar, first),
			    next - first, false);
		}
		fork_range(pr, child, wl_area_va(ar, ar->ar_shared),
		    ar->ar_data, true);
	}
	fork_range(pr, child, WL_HEAP_VA, pr->wlp_heap_pages, true);
	fork_range(pr, child, WL_STACK_VA, pr->wlp_stack_pages, true);

	child->wlp_program = wpg;
	child->wlp_parent = pr;
	child->wlp_heap_pages = pr->wlp_heap_pages;
	child->wlp_stack_pages = pr->wlp_stack_pages;
	child->wlp_cow = wpg->wpg_forkcow;
	child->wlp_loads = child->wlp_copy = 0;
	child->wlp_file = child->wlp_anon = 0;
	child->wlp_user_ns =
	    wl_program_user_ns(wpg) * wp->wp_lifetime_pct / 100;
	return (0);
}

void
wl_process_exit(struct wl_world *ww, struct wl_process *pr)
{
	sim_charge(wl_world_sim(ww), SIM_SYSCALL, 1);
	process_clear(pr);
	pmap_release(pr->wlp_pmap);
	pr->wlp_live = false;
}

static int
private_object(struct wl_thread *wlt, uint32_t pages, struct vm_object **objp)
{
	int error;

	error = vm_object_create(wlt->wlt_run->wlr_machine, pages,
	    wlt->wlt_td->td_domain, VM_OBJECT_EMPTY, objp);
	if (error == 0)
		(*objp)->grows = true;
	return (error);
}

int
wl_process_create(struct wl_thread *wlt, struct wl_process *pr)
{
	int error;

	pr->wlp_pmap = pmap_alloc(wlt->wlt_run->wlr_machine);
	if (pr->wlp_pmap == NULL)
		return (ENOMEM);
	error = private_object(wlt, HEAP_MAX, &pr->wlp_heap);
	if (error == 0)
		error = private_object(wlt, WL_STACK_PAGES, &pr->wlp_stack);
	for (unsigned i = 0; i < WL_AREAS && error == 0; i++)
		error = private_object(wlt, DATA_MAX, &pr->wlp_data[i]);
	return (error);
}

void
wl_process_destroy(struct wl_process *pr)
{
	if (pr->wlp_live) {
		process_clear(pr);
		pmap_release(pr->wlp_pmap);
	}
	for (unsigned i = 0; i < WL_AREAS; i++)
		vm_object_destroy(pr->wlp_data[i]);
	vm_object_destroy(pr->wlp_stack);
	vm_object_destroy(pr->wlp_heap);
	if (pr->wlp_pmap != NULL)
		pmap_free(pr->wlp_pmap);
}
