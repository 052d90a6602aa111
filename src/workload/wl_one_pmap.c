/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * one_pmap: the threads of one process.
 *
 * Each thread has a range of addresses with pages of its own, where it faults
 * a piece in, looks at it, write-protects it and unmaps it.  On the shared ranges
 * all threads enter, remove, protect and extract the same addresses with the
 * same pages.  The pmap's mutex is shared throughout; pv list locks are on the
 * shared ranges only.
 *
 * An address has one page that it can be mapped to.  What pmap_extract() says is
 * compared with that: a wrong answer makes the run void.
 *
 * The shared pages are scattered, so that a piece crosses many superpages.
 *
 * Charged: a trap for each page that is entered, and an entry into the kernel for
 * everything else that is done to a piece.
 */

#include <errno.h>
#include <inttypes.h>

#include "workload/workload_var.h"

#define RANGE_PAGES  1024u
#define RANGES       4u  /* shared ones */
#define PIECE        32u /* pages an operation works on */
#define ROUND_PIECES 16u
#define SHARED_PCT   50u
#define SHARED_VA    (UINT64_C(1) << 36)
#define THREADS_VA   (UINT64_C(1) << 38)

/* Where a piece lies, and which pages belong there. */
struct piece {
	struct pmap *pc_pmap;
	const struct wl_object *pc_object;
	vm_offset_t pc_va; /* of page 0 of the object */
	uint32_t pc_first; /* page */
	uint32_t pc_end;
};

static vm_offset_t
piece_va(const struct piece *pc, uint32_t i)
{
	return (pc->pc_va + (vm_offset_t)i * PAGE_SIZE);
}

static int
piece_enter(struct wl_thread *wlt, const struct piece *pc)
{
	struct sim *sim = wlt->wlt_run->wlr_machine->ma_sim;
	enum kern_return kr = KERN_SUCCESS;
	uint32_t i;

	VM_OBJECT_RLOCK(pc->pc_object->wlo_object);
	for (i = pc->pc_first; i < pc->pc_end && kr == KERN_SUCCESS; i++) {
		sim_charge(sim, SIM_FAULT, 1);
		kr = pmap_enter(pc->pc_pmap, piece_va(pc, i),
		    pc->pc_object->wlo_pages[i], VM_PROT_READ | VM_PROT_WRITE,
		    VM_PROT_WRITE | PMAP_ENTER_NOSLEEP, 0);
	}
	VM_OBJECT_RUNLOCK(pc->pc_object->wlo_object);
	return (kr == KERN_SUCCESS ? 0 : wl_out_of_memory(wlt->wlt_run));
}

static void
piece_protect(const struct piece *pc)
{
	pmap_protect(pc->pc_pmap, piece_va(pc, pc->pc_first),
	    piece_va(pc, pc->pc_end), VM_PROT_READ);
}

static void
piece_remove(const struct piece *pc)
{
	pmap_remove(
	    pc->pc_pmap, piece_va(pc, pc->pc_first), piece_va(pc, pc->pc_end));
}

static void
wrong_page(struct wl_thread *wlt, const char *fn, vm_offset_t va, vm_paddr_t pa,
    vm_paddr_t expected)
{
	wl_fail(wlt->wlt_run,
	    "thread %u: %s of va %" PRIx64 " gave %" PRIx64 ", not %" PRIx64,
	    wlt->wlt_index, fn, va, pa, expected);
}

static void
piece_extract(struct wl_thread *wlt, const struct piece *pc)
{
	vm_paddr_t expected, pa;
	struct vm_page *m;

	for (uint32_t i = pc->pc_first; i < pc->pc_end; i++) {
		expected = VM_PAGE_TO_PHYS(pc->pc_object->wlo_pages[i]);
		pa = pmap_extract(pc->pc_pmap, piece_va(pc, i));
		if (pa != 0 && pa != expected)
			wrong_page(
			    wlt, "pmap_extract", piece_va(pc, i), pa, expected);
	}
	m = pmap_extract_and_hold(
	    pc->pc_pmap, piece_va(pc, pc->pc_first), VM_PROT_READ);
	if (m == NULL)
		return;
	expected = VM_PAGE_TO_PHYS(pc->pc_object->wlo_pages[pc->pc_first]);
	if (VM_PAGE_TO_PHYS(m) != expected)
		wrong_page(wlt, "pmap_extract_and_hold",
		    piece_va(pc, pc->pc_first), VM_PAGE_TO_PHYS(m), expected);
	vm_page_unhold(m);
}

static int
shared_piece(struct wl_thread *wlt, const struct piece *pc)
{
	uint32_t what = wl_below(&wlt->wlt_rng, 4);

	sim_charge(
	    wlt->wlt_run->wlr_machine->ma_sim, SIM_SYSCALL, what < 3 ? 1 : 0);
	switch (what) {
	case 0:
		piece_remove(pc);
		return (0);
	case 1:
		piece_protect(pc);
		return (0);
	case 2:
		piece_extract(wlt, pc);
		return (0);
	default:
		return (piece_enter(wlt, pc));
	}
}

static int
private_piece(struct wl_thread *wlt, const struct piece *pc)
{
	int error;

	error = piece_enter(wlt, pc);
	sim_charge(wlt->wlt_run->wlr_machine->ma_sim, SIM_SYSCALL, 3);
	piece_extract(wlt, pc);
	piece_protect(pc);
	piece_remove(pc);
	return (error);
}

/* Ranges of threads do not share page tables. */
static vm_offset_t
thread_va(const struct wl_thread *wlt)
{
	uint64_t range;

	range = roundup2(
	    (uint64_t)wlt->wlt_run->wlr_params.wp_range_pages * PAGE_SIZE,
	    NBPDR);
	return (THREADS_VA + wlt->wlt_index * range);
}

int
wl_ranges_round(struct wl_thread *wlt, const struct wl_shared *wsh,
    const struct wl_object *wlo)
{
	const struct workload_params *wp = &wlt->wlt_run->wlr_params;
	struct piece pc = { .pc_pmap = wsh->wsh_pmap };
	bool shared;
	int error;

	for (unsigned n = 0; n < ROUND_PIECES; n++) {
		shared = wl_below(&wlt->wlt_rng, 100) < wp->wp_shared_pct;
		pc.pc_object = shared ? wsh->wsh_object : wlo;
		pc.pc_va = shared ? SHARED_VA : thread_va(wlt);
		pc.pc_first = wl_below(&wlt->wlt_rng,
				  howmany(pc.pc_object->wlo_npages, PIECE)) *
		    PIECE;
		pc.pc_end = MIN(pc.pc_first + PIECE, pc.pc_object->wlo_npages);
		error =
		    shared ? shared_piece(wlt, &pc) : private_piece(wlt, &pc);
		if (error != 0)
			return (error);
	}
	return (0);
}

int
wl_ranges_start(struct wl_thread *wlt, struct wl_object **wlop)
{
	return (wl_object_create(wlt->wlt_run,
	    wlt->wlt_run->wlr_params.wp_range_pages, wlt->wlt_td->td_domain,
	    VM_OBJECT_RUNS, wlop));
}

void
wl_ranges_finish(struct wl_thread *wlt, const struct wl_shared *wsh,
    const struct wl_object *wlo)
{
	vm_offset_t va = thread_va(wlt);

	pmap_remove(
	    wsh->wsh_pmap, va, va + (vm_offset_t)wlo->wlo_npages * PAGE_SIZE);
}

int
wl_shared_create(struct wl_run *run, struct wl_shared *wsh)
{
	int error;

	error = wl_object_create(run, RANGES * run->wlr_params.wp_range_pages,
	    0, VM_OBJECT_SCATTERED, &wsh->wsh_object);
	if (error != 0)
		return (error);
	return (wl_pmap_create(run, &wsh->wsh_pmap));
}

void
wl_shared_destroy(struct wl_shared *wsh)
{
	if (wsh->wsh_pmap == NULL)
		return;
	pmap_remove(wsh->wsh_pmap, 0, VM_MAXUSER_ADDRESS);
	wl_pmap_destroy(wsh->wsh_pmap);
}

int
wl_ranges_check(struct wl_run *run, char *err, size_t errsize)
{
	struct workload_params *wp = &run->wlr_params;
	int error;

	if (wp->wp_range_pages == 0)
		wp->wp_range_pages = RANGE_PAGES;
	if (wp->wp_shared_pct == 0)
		wp->wp_shared_pct = SHARED_PCT;
	error = wl_check_range("range pages", wp->wp_range_pages, 1,
	    WL_PARAM_PAGES_MAX, err, errsize);
	if (error == 0)
		error = wl_check_range("shared percentage", wp->wp_shared_pct,
		    1, 100, err, errsize);
	return (error);
}

static int
one_pmap_build(struct wl_run *run)
{
	struct wl_shared *wsh;

	wsh = wl_alloc(run, sizeof(*wsh));
	if (wsh == NULL)
		return (ENOMEM);
	run->wlr_shared = wsh;
	return (wl_shared_create(run, wsh));
}

static int
one_pmap_start(struct wl_thread *wlt)
{
	struct wl_object *wlo;
	int error;

	error = wl_ranges_start(wlt, &wlo);
	if (error == 0)
		wlt->wlt_state = wlo;
	return (error);
}

static int
one_pmap_round(struct wl_thread *wlt)
{
	return (wl_ranges_round(wlt, wlt->wlt_run->wlr_shared, wlt->wlt_state));
}

static void
one_pmap_finish(struct wl_thread *wlt)
{
	if (wlt->wlt_state != NULL)
		wl_ranges_finish(wlt, wlt->wlt_run->wlr_shared, wlt->wlt_state);
}

static void
one_pmap_destroy(struct wl_run *run)
{
	struct wl_shared *wsh = run->wlr_shared;

	if (wsh == NULL)
		return;
	wl_shared_destroy(wsh);
	wl_free(run, wsh, sizeof(*wsh));
}

const struct wl_ops wl_one_pmap_ops = {
	.wo_check = wl_ranges_check,
	.wo_build = one_pmap_build,
	.wo_start = one_pmap_start,
	.wo_round = one_pmap_round,
	.wo_finish = one_pmap_finish,
	.wo_destroy = one_pmap_destroy,
};
