/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Delayed invalidation: who finds a page without mappings, and waits, may give the
 * page away.  See pmap/pmap_di.h.
 */

#include "workload/xs_list.h"
#include "workload/xs_space.h"

static const char *const list_designs[] = { "sparse/gen2+di=lockless",
	"sparse/gen2+di=mutex", "hashed/mtx8+locks=1+di=lockless", NULL };
static const char *const designs[] = { "sparse/gen2+tlb=assoc+di=lockless",
	"sparse/rwlock+tlb=assoc+di=mutex",
	"sparse/mtx8+tlb=adversarial+di=lockless",
	"sparse/gen2+tlb=direct+ipi=mailbox+di=lockless",
	"sparse/gen2+tlb=assoc+pcid=off+di=mutex", NULL };

#define VA2 (XS_VA + NBPDR)

/*
 * The protocol by itself: two that remove, in blocks of their own, and one that
 * looks.  What it has seen removed has been flushed when it has waited.
 */
#define NREMOVERS 2

struct di_list {
	struct vm_page *dl_m;
	bool dl_removed[NREMOVERS]; /* under the pv list lock */
	xs_flag dl_flushed[NREMOVERS];
};

static void
setup_list(struct xs_run *run)
{
	struct di_list *dl = xs_alloc(run, sizeof(*dl));

	dl->dl_m = xs_pages(run, 0);
	run->xr_state = dl;
}

static void
teardown_list(struct xs_run *run)
{
	struct di_list *dl = run->xr_state;

	xs_pages_free(run, dl->dl_m, 0);
}

static const struct xs_kind lists = {
	.xk_designs = list_designs,
	.xk_setup = setup_list,
	.xk_teardown = teardown_list,
};

static void
remove_in_block(struct xs_run *run, unsigned i)
{
	struct machine *ma = run->xr_machine;
	struct di_list *dl = run->xr_state;
	struct pv_held held = PV_HELD_NONE;

	pmap_delayed_invl_start(ma);
	CHANGE_PV_LIST_LOCK(
	    ma->ma_pvt, &held, dl->dl_m, VM_PAGE_TO_PHYS(dl->dl_m));
	dl->dl_removed[i] = true;
	pmap_delayed_invl_page(ma, dl->dl_m);
	pv_release_lock(ma->ma_pvt, &held);
	xs_flag_set(&dl->dl_flushed[i], 1);
	pmap_delayed_invl_finish(ma);
}

static void
body_list(struct xs_run *run, unsigned i)
{
	struct machine *ma = run->xr_machine;
	struct di_list *dl = run->xr_state;
	struct pv_held held = PV_HELD_NONE;
	bool removed[NREMOVERS];

	if (i < NREMOVERS) {
		remove_in_block(run, i);
		return;
	}
	CHANGE_PV_LIST_LOCK(
	    ma->ma_pvt, &held, dl->dl_m, VM_PAGE_TO_PHYS(dl->dl_m));
	for (unsigned k = 0; k < NREMOVERS; k++)
		removed[k] = dl->dl_removed[k];
	pv_release_lock(ma->ma_pvt, &held);
	pmap_delayed_invl_wait(ma, dl->dl_m);
	for (unsigned k = 0; k < NREMOVERS; k++) {
		if (removed[k] && xs_flag_get(&dl->dl_flushed[k]) == 0)
			xs_fail(run, "the wait ended before block %u", k);
	}
}

const struct xs_scenario xs_di_list = {
	.xs_name = "di-list",
	.xs_descr = "two blocks begin and end while one waits for them",
	.xs_threads = NREMOVERS + 1,
	.xs_kind = &lists,
	.xs_body = body_list,
};

/* Blocks alone: begun and ended, again and again, by three. */
static void
body_blocks(struct xs_run *run, unsigned i)
{
	(void)i;
	for (unsigned n = 0; n < 2; n++) {
		pmap_delayed_invl_start(run->xr_machine);
		pmap_delayed_invl_finish(run->xr_machine);
	}
}

const struct xs_scenario xs_di_blocks = {
	.xs_name = "di-blocks",
	.xs_descr = "three threads begin and end blocks twice",
	.xs_threads = 3,
	.xs_kind = &lists,
	.xs_body = body_blocks,
};

/*
 * All of it: one CPU removes two pages of different superpages, so that it drops a
 * pv list lock in between; another removes what is left of the first page, and
 * frees it; a third uses it, through its TLB or not.
 */
static void
setup(struct xs_run *run)
{
	struct xs_spaces *sp = xs_spaces_alloc(run, sizeof(*sp));

	sp->sp_run = xs_pages(run, VM_LEVEL_0_ORDER);
	xs_enter(run, sp->sp_p, XS_VA, sp->sp_m, XS_RW, XS_W);
	xs_enter(run, sp->sp_p, VA2, &sp->sp_run[3], XS_RW, XS_W);
	xs_enter(run, sp->sp_q, XS_VA, sp->sp_m, XS_RW, XS_W);
	pmap_activate(sp->sp_p, 2);
	xs_touch(run, 2, XS_VA, XS_W);
}

static const struct xs_kind pages = {
	.xk_designs = designs,
	.xk_unfit = xs_unfit_tlb,
	.xk_map = XS_MAP_8MB,
	.xk_setup = setup,
	.xk_teardown = xs_spaces_end,
};

static void
body_free(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0) {
		pmap_remove(sp->sp_p, XS_VA, VA2 + PAGE_SIZE);
	} else if (i == 1) {
		pmap_remove_all(run->xr_machine, sp->sp_m);
		xs_page_drop(run, &sp->sp_m);
	} else {
		for (unsigned n = 0; n < 2; n++)
			xs_touch(run, 2, XS_VA, XS_R);
	}
}

const struct xs_scenario xs_di_free = {
	.xs_name = "di-free",
	.xs_descr = "a page is freed while another thread removes it",
	.xs_threads = 3,
	.xs_kind = &pages,
	.xs_body = body_free,
};

/* Flag 1: nobody may write to the page. */
static void
body_clean(struct xs_run *run, unsigned i)
{
	struct machine *ma = run->xr_machine;
	struct xs_spaces *sp = run->xr_state;
	unsigned was;

	if (i == 0) {
		pmap_remove(sp->sp_p, XS_VA, VA2 + PAGE_SIZE);
	} else if (i == 1) {
		pmap_remove_write(ma, sp->sp_m);
		xs_flag_set(&sp->sp_flag, 1);
	} else {
		for (unsigned n = 0; n < 2; n++) {
			was = xs_flag_get(&sp->sp_flag);
			if (mmu_access(ma, 2, XS_VA, XS_W, NULL) == MMU_OK &&
			    was != 0)
				xs_fail(run, "a read-only page is written");
		}
	}
}

const struct xs_scenario xs_di_clean = {
	.xs_name = "di-clean",
	.xs_descr = "a page is made read-only while another thread removes it",
	.xs_threads = 3,
	.xs_kind = &pages,
	.xs_body = body_clean,
};
