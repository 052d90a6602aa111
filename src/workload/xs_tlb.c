/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TLBs, and caches of page tables, beside what changes under them.  A CPU that
 * reaches a frame after it was freed is found by machine_check().
 */

#include "workload/xs_list.h"
#include "workload/xs_space.h"

static const char *const designs[] = { "sparse/gen2+tlb=assoc",
	"sparse/gen2+tlb=assoc+ipi=mailbox", "sparse/mtx8+tlb=adversarial",
	"sparse/gen2+tlb=direct+pcid=off", NULL };

static void
setup(struct xs_run *run)
{
	struct xs_spaces *sp = xs_spaces_alloc(run, sizeof(*sp));

	xs_enter(run, sp->sp_p, XS_VA, sp->sp_m, XS_RW, XS_W);
	pmap_activate(sp->sp_p, 1);
	xs_touch(run, 1, XS_VA, XS_R);
}

static const struct xs_kind tlbs = {
	.xk_designs = designs,
	.xk_unfit = xs_unfit_tlb,
	.xk_setup = setup,
	.xk_teardown = xs_spaces_end,
};

/* A CPU leaves the pmap, and loads it again, while it is told to forget. */
static void
body_load(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0) {
		pmap_remove(sp->sp_p, XS_VA, XS_VA + PAGE_SIZE);
		xs_page_drop(run, &sp->sp_m);
	} else {
		pmap_activate(sp->sp_q, 1);
		pmap_activate(sp->sp_p, 1);
		xs_touch(run, 1, XS_VA, XS_R);
		xs_touch(run, 1, XS_VA, XS_R);
	}
}

/* What is stale at the end, and is used then, shows as well. */
static void
check_load(struct xs_run *run)
{
	struct xs_spaces *sp = run->xr_state;

	if (sp->sp_m == NULL &&
	    mmu_access(run->xr_machine, 1, XS_VA, XS_R, NULL) == MMU_OK)
		xs_fail(run, "a page that was freed is reached");
}

const struct xs_scenario xs_tlb_load = {
	.xs_name = "tlb-load",
	.xs_descr = "a CPU loads a pmap while another invalidates",
	.xs_threads = 2,
	.xs_kind = &tlbs,
	.xs_body = body_load,
	.xs_check = check_load,
};

/* The frame is another's at once: LIFO. */
static void
body_reuse(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0) {
		pmap_remove(sp->sp_p, XS_VA, XS_VA + PAGE_SIZE);
		xs_pages_free(run, sp->sp_m, 0);
		sp->sp_m = xs_pages(run, 0);
		xs_enter(run, sp->sp_q, XS_VA, sp->sp_m, XS_RW, XS_W);
	} else {
		for (unsigned n = 0; n < 2; n++)
			xs_touch(run, 1, XS_VA, XS_W);
	}
}

const struct xs_scenario xs_tlb_reuse = {
	.xs_name = "tlb-reuse",
	.xs_descr = "a frame is used again while a CPU uses its old mapping",
	.xs_threads = 2,
	.xs_kind = &tlbs,
	.xs_body = body_reuse,
};

/* Written, or not: nothing between. */
static void
setup_clean(struct xs_run *run)
{
	const struct xs_spaces *sp = run->xr_state;

	xs_launder(run, sp->sp_m);
}

static void
body_protect(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0)
		pmap_protect(sp->sp_p, XS_VA, XS_VA + PAGE_SIZE, XS_R);
	else if (mmu_access(run->xr_machine, 1, XS_VA, XS_W, NULL) == MMU_OK &&
	    !xs_is_dirty(run, sp->sp_m))
		xs_fail(run, "a write is lost");
}

const struct xs_scenario xs_tlb_protect = {
	.xs_name = "tlb-protect",
	.xs_descr = "a CPU writes while pmap_protect() takes the right",
	.xs_threads = 2,
	.xs_kind = &tlbs,
	.xs_setup = setup_clean,
	.xs_body = body_protect,
};

static void
body_dirty(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0)
		pmap_remove(sp->sp_p, XS_VA, XS_VA + PAGE_SIZE);
	else if (!xs_is_dirty(run, sp->sp_m))
		xs_fail(run, "a written page looks clean");
}

/* It means something without TLBs, too. */
static const struct xs_kind any = {
	.xk_designs = designs,
	.xk_setup = setup,
	.xk_teardown = xs_spaces_end,
};

/* So that the mapping alone knows that the page was written. */
static void
setup_dirty(struct xs_run *run)
{
	const struct xs_spaces *sp = run->xr_state;

	/* Relaxed: nobody else looks. */
	atomic_store_explicit(&sp->sp_m->dirty, 0, memory_order_relaxed);
}

const struct xs_scenario xs_tlb_dirty = {
	.xs_name = "tlb-dirty",
	.xs_descr = "is a page modified whose mapping is removed?",
	.xs_threads = 2,
	.xs_kind = &any,
	.xs_setup = setup_dirty,
	.xs_body = body_dirty,
};

/*
 * The last mapping of a page table goes, and the table with it, while a CPU walks
 * it for a neighbour; and its page is wanted for another.
 */
static void
body_table(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0) {
		pmap_remove(sp->sp_p, XS_VA, XS_VA + PAGE_SIZE);
	} else if (i == 1) {
		for (unsigned n = 0; n < 2; n++)
			xs_touch(run, 1, XS_VA + PAGE_SIZE, XS_R);
	} else {
		xs_enter(run, sp->sp_q, XS_VA, sp->sp_m, XS_RW, XS_W);
	}
}

const struct xs_scenario xs_tlb_table = {
	.xs_name = "tlb-table",
	.xs_descr = "a page table is freed while a CPU walks it",
	.xs_threads = 3,
	.xs_kind = &tlbs,
	.xs_body = body_table,
};
