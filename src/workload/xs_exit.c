/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The end of a process beside the page daemon: pmap_remove_pages() takes all
 * mappings of a pmap, and its chunks, while scans of their pages wait for it.  Then
 * the pmap's structure and its memory are somebody else's.
 */

#include "workload/xs_list.h"
#include "workload/xs_util.h"

static const char *const designs[] = { "sparse/gen2", "sparse/gen2+batch",
	"hashed/mtx8+locks=1+batch", "sparse/gen1",
	"segment/rwlock+chunks=global", NULL };

#define MAP "0-800000 usable 0\n"
#define VA2 (XS_VA + NBPDR)

struct exit_state {
	struct pmap *ex_p;
	struct pmap *ex_q;
	struct vm_page *ex_m;
	struct vm_page *ex_n;
	struct vm_page *ex_run; /* of 2 MB; NULL: none */
};

static void
setup(struct xs_run *run)
{
	struct exit_state *ex = xs_alloc(run, sizeof(*ex));

	ex->ex_p = xs_pmap(run);
	ex->ex_q = xs_pmap(run);
	ex->ex_m = xs_pages(run, 0);
	ex->ex_n = xs_pages(run, 0);
	xs_enter(run, ex->ex_p, XS_VA, ex->ex_m, XS_RW, XS_W);
	xs_enter(run, ex->ex_p, VA2, ex->ex_n, XS_R, XS_R);
	xs_enter(run, ex->ex_q, XS_VA, ex->ex_m, XS_R, XS_R);
	run->xr_state = ex;
}

static void
teardown(struct xs_run *run)
{
	struct exit_state *ex = run->xr_state;

	pmap_remove(ex->ex_p, 0, VM_MAXUSER_ADDRESS);
	pmap_remove(ex->ex_q, 0, VM_MAXUSER_ADDRESS);
	xs_pmap_free(ex->ex_p);
	xs_pmap_free(ex->ex_q);
	xs_pages_free(run, ex->ex_m, 0);
	xs_pages_free(run, ex->ex_n, 0);
	if (ex->ex_run != NULL)
		xs_pages_free(run, ex->ex_run, VM_LEVEL_0_ORDER);
}

static void
exit_process(struct xs_run *run)
{
	struct exit_state *ex = run->xr_state;

	pmap_remove_pages(ex->ex_p);
	xs_pmap_free(ex->ex_p);
	/* A new process, with the same structure. */
	ex->ex_p = xs_pmap(run);
}

static void
body_scan(struct xs_run *run, unsigned i)
{
	struct exit_state *ex = run->xr_state;
	struct machine *ma = run->xr_machine;

	if (i == 0) {
		exit_process(run);
	} else if (i == 1) {
		pmap_remove_all(ma, ex->ex_m);
		if (pmap_page_is_mapped(ma, ex->ex_m))
			xs_fail(run, "a removed page is mapped");
	} else {
		(void)pmap_ts_referenced(ma, ex->ex_n);
		pmap_remove_write(ma, ex->ex_m);
	}
}

static void
check_scan(struct xs_run *run)
{
	struct exit_state *ex = run->xr_state;

	/* Relaxed: at rest. */
	if (atomic_load_explicit(&ex->ex_m->dirty, memory_order_relaxed) == 0)
		xs_fail(run, "a write is lost");
}

const struct xs_scenario xs_exit_scan = {
	.xs_name = "exit-scan",
	.xs_descr = "a process ends while the page daemon scans its pages",
	.xs_threads = 3,
	.xs_designs = designs,
	.xs_setup = setup,
	.xs_body = body_scan,
	.xs_check = check_scan,
	.xs_teardown = teardown,
};

static void
setup_super(struct xs_run *run)
{
	struct exit_state *ex;

	setup(run);
	ex = run->xr_state;
	ex->ex_run = xs_pages(run, VM_LEVEL_0_ORDER);
	xs_enter_super(run, ex->ex_p, XS_VA + 4 * NBPDR, ex->ex_run, XS_RW);
}

/* Of a superpage that one of them wants to split. */
static void
body_super(struct xs_run *run, unsigned i)
{
	struct exit_state *ex = run->xr_state;

	if (i == 0)
		exit_process(run);
	else if (i == 1)
		pmap_remove_all(run->xr_machine, &ex->ex_run[5]);
	else
		(void)pmap_is_modified(run->xr_machine, &ex->ex_run[7]);
}

const struct xs_scenario xs_exit_super = {
	.xs_name = "exit-super",
	.xs_descr = "a process ends while a superpage of it is split",
	.xs_threads = 3,
	.xs_designs = designs,
	.xs_map = MAP,
	.xs_setup = setup_super,
	.xs_body = body_super,
	.xs_teardown = teardown,
};
