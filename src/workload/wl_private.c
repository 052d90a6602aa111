/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * private: each thread has an address space and pages of its own; it faults all
 * of them in and unmaps them piece by piece.
 *
 * The scenario of scaling.  Nothing is shared but the machine: the pages are
 * whole superpages that no other thread maps, hence pv list locks of their own
 * under one lock a superpage.  What is left are the pv chunk lists and the page
 * allocator, once in 168 and 512 pages.
 *
 * Charged: a trap for each page, and an entry into the kernel for each piece that
 * is unmapped.
 */

#include <errno.h>

#include "workload/workload_var.h"

#define PRIVATE_PAGES UINT32_C(4096) /* 8 superpages */
#define PRIVATE_PIECE UINT32_C(64)   /* pages a fault-around or munmap */
#define PRIVATE_VA    (UINT64_C(1) << 32)

int
wl_private_start(struct wl_thread *wlt, struct wl_private *wpr, uint32_t npages)
{
	int error;

	error = wl_object_create(wlt->wlt_run, npages, wlt->wlt_td->td_domain,
	    VM_OBJECT_RUNS, &wpr->wpr_object);
	if (error != 0)
		return (error);
	return (wl_pmap_create(wlt->wlt_run, &wpr->wpr_pmap));
}

int
wl_private_round(struct wl_thread *wlt, struct wl_private *wpr)
{
	struct sim *sim = wlt->wlt_run->wlr_machine->ma_sim;
	const struct wl_object *wlo = wpr->wpr_object;
	uint32_t end, i, n = wlo->wlo_npages;

	for (i = 0; i < n;) {
		end = MIN(i + PRIVATE_PIECE, n);
		VM_OBJECT_RLOCK(wlo->wlo_object);
		for (; i < end; i++) {
			sim_charge(sim, SIM_FAULT, 1);
			if (pmap_enter(wpr->wpr_pmap,
				PRIVATE_VA + (vm_offset_t)i * PAGE_SIZE,
				wlo->wlo_pages[i], VM_PROT_READ | VM_PROT_WRITE,
				VM_PROT_WRITE | PMAP_ENTER_NOSLEEP,
				0) != KERN_SUCCESS)
				break;
		}
		VM_OBJECT_RUNLOCK(wlo->wlo_object);
		if (i < end)
			return (wl_out_of_memory(wlt->wlt_run));
	}
	for (i = 0; i < n; i = end) {
		end = MIN(i + PRIVATE_PIECE, n);
		sim_charge(sim, SIM_SYSCALL, 1);
		pmap_remove(wpr->wpr_pmap,
		    PRIVATE_VA + (vm_offset_t)i * PAGE_SIZE,
		    PRIVATE_VA + (vm_offset_t)end * PAGE_SIZE);
	}
	return (0);
}

void
wl_private_finish(struct wl_private *wpr)
{
	if (wpr->wpr_pmap == NULL)
		return;
	pmap_remove(wpr->wpr_pmap, 0, VM_MAXUSER_ADDRESS);
	wl_pmap_destroy(wpr->wpr_pmap);
	wpr->wpr_pmap = NULL;
}

static int
private_check(struct wl_run *run, char *err, size_t errsize)
{
	struct workload_params *wp = &run->wlr_params;

	if (wp->wp_anon_pages == 0)
		wp->wp_anon_pages = PRIVATE_PAGES;
	return (wl_check_range("private pages", wp->wp_anon_pages, 1,
	    WL_PARAM_PAGES_MAX, err, errsize));
}

static int
private_start(struct wl_thread *wlt)
{
	struct wl_private *wpr;

	wpr = wl_alloc(wlt->wlt_run, sizeof(*wpr));
	if (wpr == NULL)
		return (ENOMEM);
	wlt->wlt_state = wpr;
	return (
	    wl_private_start(wlt, wpr, wlt->wlt_run->wlr_params.wp_anon_pages));
}

static int
private_round(struct wl_thread *wlt)
{
	return (wl_private_round(wlt, wlt->wlt_state));
}

static void
private_finish(struct wl_thread *wlt)
{
	struct wl_private *wpr = wlt->wlt_state;

	if (wpr == NULL)
		return;
	wl_private_finish(wpr);
	wl_free(wlt->wlt_run, wpr, sizeof(*wpr));
}

const struct wl_ops wl_private_ops = {
	.wo_check = private_check,
	.wo_start = private_start,
	.wo_round = private_round,
	.wo_finish = private_finish,
};
