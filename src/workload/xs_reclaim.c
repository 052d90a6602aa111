/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pv chunks are short: who wants one takes the entries of others, while these
 * enter, wire, remove and end.  See pmap/pv_reclaim.c.
 */

#include "workload/xs_list.h"
#include "workload/xs_space.h"

static const char *const designs[] = { "sparse/gen2",
	"hashed/mtx8+locks=1+di=mutex", "sparse/gen1+chunks=global", NULL };

static const char *const tlb_designs[] = { "sparse/gen2+tlb=assoc",
	"sparse/mtx8+tlb=assoc+di=mutex", NULL };

#define NPMAPS 3

struct reclaim_state {
	struct pmap *re_pmap[NPMAPS]; /* by ascending address */
	struct vm_page *re_m;
	struct vm_page *re_run; /* NULL: none */
	struct vm_page *re_n;   /* mapped by the last; NULL: freed */
};

static void
sort(struct pmap **pm)
{
	struct pmap *t;

	for (unsigned i = 0; i < NPMAPS; i++) {
		for (unsigned k = i + 1; k < NPMAPS; k++) {
			if (pm[k] < pm[i]) {
				t = pm[i];
				pm[i] = pm[k];
				pm[k] = t;
			}
		}
	}
}

/* A chunk each, the first's excepted; then there are no more. */
static void
setup(struct xs_run *run)
{
	struct reclaim_state *re = xs_alloc(run, sizeof(*re));

	for (unsigned i = 0; i < NPMAPS; i++)
		re->re_pmap[i] = xs_pmap(run);
	sort(re->re_pmap);
	re->re_m = xs_pages(run, 0);
	xs_enter(run, re->re_pmap[1], XS_VA, re->re_m, XS_R,
	    XS_R | PMAP_ENTER_WIRED);
	xs_enter(run, re->re_pmap[2], XS_VA, re->re_m, XS_RW, XS_W);
	pmap_limit(run->xr_machine, -1, 0);
	run->xr_state = re;
}

static void
teardown(struct xs_run *run)
{
	struct reclaim_state *re = run->xr_state;

	pmap_deactivate(run->xr_machine, 2);
	pmap_limit(run->xr_machine, -1, -1);
	for (unsigned i = 0; i < NPMAPS; i++)
		xs_pmap_end(re->re_pmap[i]);
	xs_pages_free(run, re->re_m, 0);
	if (re->re_n != NULL)
		xs_pages_free(run, re->re_n, 0);
	for (unsigned i = 1; re->re_run != NULL && i < NPTEPG; i++)
		xs_pages_free(run, &re->re_run[i], 0);
}

static const struct xs_kind reclaims = {
	.xk_designs = designs,
	.xk_setup = setup,
	.xk_teardown = teardown,
};

static const struct xs_kind tlb_reclaims = {
	.xk_designs = tlb_designs,
	.xk_unfit = xs_unfit_tlb,
	.xk_map = XS_MAP_8MB,
	.xk_setup = setup,
	.xk_teardown = teardown,
};

static void
enter(struct xs_run *run, unsigned n)
{
	struct reclaim_state *re = run->xr_state;

	xs_enter(run, re->re_pmap[n], XS_VA, re->re_m, XS_R, XS_R);
}

/*
 * The walk passes a chunk, which is wired, and waits for the pmap of the next.
 * Meanwhile the first is freed, and another made.
 */
static void
body_pass(struct xs_run *run, unsigned i)
{
	struct reclaim_state *re = run->xr_state;

	if (i == 0) {
		enter(run, 0);
	} else if (i == 1) {
		pmap_unwire(re->re_pmap[1], XS_VA, XS_VA + PAGE_SIZE);
		pmap_remove(re->re_pmap[1], XS_VA, XS_VA + PAGE_SIZE);
		enter(run, 1);
	} else {
		(void)pmap_extract(re->re_pmap[2], XS_VA);
		(void)pmap_ts_referenced(run->xr_machine, re->re_m);
	}
}

const struct xs_scenario xs_reclaim_pass = {
	.xs_name = "reclaim-pass",
	.xs_descr = "a chunk that reclaim has passed is freed",
	.xs_threads = 3,
	.xs_kind = &reclaims,
	.xs_body = body_pass,
};

/* Two walks at once, and a victim that ends. */
static void
body_two(struct xs_run *run, unsigned i)
{
	struct reclaim_state *re = run->xr_state;

	if (i == 0) {
		enter(run, 0);
	} else if (i == 1) {
		pmap_unwire(re->re_pmap[1], XS_VA, XS_VA + PAGE_SIZE);
		pmap_remove_pages(re->re_pmap[1]);
		enter(run, 1);
	} else {
		pmap_remove_pages(re->re_pmap[2]);
		xs_pmap_renew(run, &re->re_pmap[2]);
		enter(run, 2);
	}
}

const struct xs_scenario xs_reclaim_exit = {
	.xs_name = "reclaim-exit",
	.xs_descr = "entries are taken from processes that end",
	.xs_threads = 3,
	.xs_kind = &reclaims,
	.xs_body = body_two,
};

/*
 * The victim runs, and has a page to itself, whose entry goes first; the lock of
 * its superpage is dropped for that of the other page.
 */
static void
setup_free(struct xs_run *run)
{
	struct reclaim_state *re = run->xr_state;
	struct pmap *victim = re->re_pmap[2];

	re->re_run = xs_pages(run, VM_LEVEL_0_ORDER);
	re->re_n = &re->re_run[0];
	pmap_limit(run->xr_machine, -1, -1);
	pmap_remove(victim, XS_VA, XS_VA + PAGE_SIZE);
	xs_enter(run, victim, XS_VA + PAGE_SIZE, re->re_n, XS_R, XS_R);
	xs_enter(run, victim, XS_VA, re->re_m, XS_R, XS_R);
	pmap_limit(run->xr_machine, -1, 0);
	pmap_activate(victim, 2);
	xs_touch(run, 2, XS_VA + PAGE_SIZE, XS_R);
}

/* A page that reclaim has unmapped is freed before, or after, TLBs were told. */
static void
body_free(struct xs_run *run, unsigned i)
{
	struct reclaim_state *re = run->xr_state;
	struct vm_page *m;

	if (i == 0) {
		enter(run, 0);
	} else if (i == 1) {
		m = re->re_n;
		re->re_n = NULL;
		pmap_remove_all(run->xr_machine, m);
		xs_pages_free(run, m, 0);
	} else {
		for (unsigned n = 0; n < 2; n++)
			xs_touch(run, 2, XS_VA + PAGE_SIZE, XS_R);
	}
}

const struct xs_scenario xs_reclaim_free = {
	.xs_name = "reclaim-free",
	.xs_descr = "a page is freed whose mapping is reclaimed",
	.xs_threads = 3,
	.xs_kind = &tlb_reclaims,
	.xs_setup = setup_free,
	.xs_body = body_free,
};
