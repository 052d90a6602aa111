/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The end of a process beside the page daemon: pmap_remove_pages() takes all
 * mappings of a pmap, and its chunks, while scans of their pages wait for it.  Then
 * the pmap's structure and its memory are somebody else's.
 */

#include "workload/xs_list.h"
#include "workload/xs_space.h"

static const char *const designs[] = { "sparse/gen2", "sparse/gen2+batch",
	"hashed/mtx8+locks=1+batch", "sparse/gen1",
	"segment/rwlock+chunks=global", NULL };

#define VA2 (XS_VA + NBPDR)

static void
setup(struct xs_run *run)
{
	struct xs_spaces *sp = xs_spaces_alloc(run, sizeof(*sp));

	xs_enter(run, sp->sp_p, XS_VA, sp->sp_m, XS_RW, XS_W);
	xs_enter(run, sp->sp_p, VA2, sp->sp_n, XS_R, XS_R);
	xs_enter(run, sp->sp_q, XS_VA, sp->sp_m, XS_R, XS_R);
}

static const struct xs_kind exits = {
	.xk_designs = designs,
	.xk_setup = setup,
	.xk_teardown = xs_spaces_end,
};

static const struct xs_kind super_exits = {
	.xk_designs = designs,
	.xk_map = XS_MAP_8MB,
	.xk_setup = setup,
	.xk_teardown = xs_spaces_end,
};

static void
exit_process(struct xs_run *run)
{
	struct xs_spaces *sp = run->xr_state;

	pmap_remove_pages(sp->sp_p);
	xs_pmap_renew(run, &sp->sp_p);
}

static void
body_scan(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;
	struct machine *ma = run->xr_machine;

	if (i == 0) {
		exit_process(run);
	} else if (i == 1) {
		xs_unmap(run, sp->sp_m);
	} else {
		(void)pmap_ts_referenced(ma, sp->sp_n);
		pmap_remove_write(ma, sp->sp_m);
	}
}

static void
check_scan(struct xs_run *run)
{
	struct xs_spaces *sp = run->xr_state;

	/* Relaxed: at rest. */
	if (atomic_load_explicit(&sp->sp_m->dirty, memory_order_relaxed) == 0)
		xs_fail(run, "a write is lost");
}

const struct xs_scenario xs_exit_scan = {
	.xs_name = "exit-scan",
	.xs_descr = "a process ends while the page daemon scans its pages",
	.xs_threads = 3,
	.xs_kind = &exits,
	.xs_body = body_scan,
	.xs_check = check_scan,
};

static void
setup_super(struct xs_run *run)
{
	struct xs_spaces *sp = run->xr_state;

	sp->sp_run = xs_pages(run, VM_LEVEL_0_ORDER);
	xs_enter_super(run, sp->sp_p, XS_VA + 4 * NBPDR, sp->sp_run, XS_RW);
}

/* Of a superpage that one of them wants to split. */
static void
body_super(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0)
		exit_process(run);
	else if (i == 1)
		pmap_remove_all(run->xr_machine, &sp->sp_run[5]);
	else
		(void)pmap_is_modified(run->xr_machine, &sp->sp_run[7]);
}

const struct xs_scenario xs_exit_super = {
	.xs_name = "exit-super",
	.xs_descr = "a process ends while a superpage of it is split",
	.xs_threads = 3,
	.xs_kind = &super_exits,
	.xs_setup = setup_super,
	.xs_body = body_super,
};
