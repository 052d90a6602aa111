/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * From a page to its mappings, while the mappings go: page_scan.h.
 *
 * A scan that had to wait for a pmap finds by the generation whether the entry it
 * was at is still there.  The worst that can happen is that the entry's memory is
 * an entry of another mapping by then, or the pmap another address space.
 */

#include "workload/xs_list.h"
#include "workload/xs_util.h"

static const char *const designs[] = { "sparse/gen2", "hashed/mtx8+locks=1",
	"sparse/gen1", "segment/rwlock", "ptrarray/gen2", NULL };
static const char *const tlb_designs[] = { "sparse/gen2+tlb=assoc",
	"sparse/mtx8+tlb=assoc+ipi=mailbox+di=mutex", NULL };

/* In another page table than XS_VA. */
#define VA2 (XS_VA + 3 * NBPDR)

struct scan {
	struct pmap *sc_p;
	struct pmap *sc_q;
	struct vm_page *sc_m; /* of both */
	struct vm_page *sc_n; /* what comes later */
};

static void
setup(struct xs_run *run)
{
	struct scan *sc = xs_alloc(run, sizeof(*sc));

	sc->sc_p = xs_pmap(run);
	sc->sc_q = xs_pmap(run);
	sc->sc_m = xs_pages(run, 0);
	sc->sc_n = xs_pages(run, 0);
	xs_enter(run, sc->sc_p, XS_VA, sc->sc_m, XS_RW, XS_W);
	xs_enter(run, sc->sc_q, XS_VA, sc->sc_m, XS_RW, XS_W);
	run->xr_state = sc;
}

static void
teardown(struct xs_run *run)
{
	struct scan *sc = run->xr_state;

	for (unsigned i = 0; i < run->xr_nthreads; i++)
		pmap_deactivate(run->xr_machine, i);
	pmap_remove(sc->sc_p, 0, VM_MAXUSER_ADDRESS);
	pmap_remove(sc->sc_q, 0, VM_MAXUSER_ADDRESS);
	xs_pmap_free(sc->sc_p);
	xs_pmap_free(sc->sc_q);
	xs_pages_free(run, sc->sc_m, 0);
	xs_pages_free(run, sc->sc_n, 0);
}

/* No mapping is made, so what a scan has done to all of them holds. */
static void
clean(struct xs_run *run, struct vm_page *m)
{
	pmap_remove_write(run->xr_machine, m);
	if (pmap_is_modified(run->xr_machine, m))
		xs_fail(run, "a page is modified that nobody may write");
}

static void
body_remove(struct xs_run *run, unsigned i)
{
	struct scan *sc = run->xr_state;

	if (i == 0) {
		pmap_remove(sc->sc_p, XS_VA, XS_VA + PAGE_SIZE);
		pmap_remove(sc->sc_q, XS_VA, XS_VA + PAGE_SIZE);
	} else if (i == 1) {
		clean(run, sc->sc_m);
	} else {
		(void)pmap_ts_referenced(run->xr_machine, sc->sc_m);
	}
}

const struct xs_scenario xs_scan_remove = {
	.xs_name = "scan-remove",
	.xs_descr =
	    "pmap_remove() beside pmap_remove_write(), _ts_referenced()",
	.xs_threads = 3,
	.xs_designs = designs,
	.xs_setup = setup,
	.xs_body = body_remove,
	.xs_teardown = teardown,
};

/* The entry of one mapping becomes that of another, in another page table. */
static void
body_reuse(struct xs_run *run, unsigned i)
{
	struct scan *sc = run->xr_state;

	if (i == 0) {
		pmap_remove(sc->sc_p, XS_VA, XS_VA + PAGE_SIZE);
		xs_enter(run, sc->sc_p, VA2, sc->sc_n, XS_RW, XS_W);
	} else if (i == 1) {
		clean(run, sc->sc_m);
	} else {
		(void)pmap_ts_referenced(run->xr_machine, sc->sc_m);
	}
}

static void
check_reuse(struct xs_run *run)
{
	struct scan *sc = run->xr_state;

	/* By a scan of the other page's mappings. */
	if (!pmap_is_modified(run->xr_machine, sc->sc_n) ||
	    !pmap_is_referenced(run->xr_machine, sc->sc_n))
		xs_fail(run, "a mapping was changed that was not meant");
}

const struct xs_scenario xs_scan_reuse = {
	.xs_name = "scan-reuse",
	.xs_descr = "a pv entry is another mapping's when the scan comes back",
	.xs_threads = 3,
	.xs_designs = designs,
	.xs_setup = setup,
	.xs_body = body_reuse,
	.xs_check = check_reuse,
	.xs_teardown = teardown,
};

/*
 * The address space ends, and its structure becomes another's.  Who waits for
 * its mutex finds that out.
 */
static void
body_pmap(struct xs_run *run, unsigned i)
{
	struct scan *sc = run->xr_state;

	if (i == 0) {
		pmap_remove(sc->sc_p, XS_VA, XS_VA + PAGE_SIZE);
		xs_pmap_free(sc->sc_p);
		sc->sc_p = xs_pmap(run);
		xs_enter(run, sc->sc_p, XS_VA, sc->sc_n, XS_RW, XS_W);
	} else if (i == 1) {
		clean(run, sc->sc_m);
	} else {
		(void)pmap_ts_referenced(run->xr_machine, sc->sc_m);
	}
}

const struct xs_scenario xs_scan_pmap = {
	.xs_name = "scan-pmap",
	.xs_descr =
	    "a pmap is another address space when the scan has its lock",
	.xs_threads = 3,
	.xs_designs = designs,
	.xs_setup = setup,
	.xs_body = body_pmap,
	.xs_check = check_reuse,
	.xs_teardown = teardown,
};

/* Scans that change all mappings, beside each other. */
static void
body_two(struct xs_run *run, unsigned i)
{
	struct scan *sc = run->xr_state;
	struct machine *ma = run->xr_machine;

	if (i == 0) {
		pmap_remove_all(ma, sc->sc_m);
		if (pmap_page_is_mapped(ma, sc->sc_m))
			xs_fail(run, "a removed page is mapped");
	} else if (i == 1) {
		clean(run, sc->sc_m);
		pmap_clear_modify(ma, sc->sc_m);
	} else {
		(void)pmap_extract(sc->sc_q, XS_VA);
		(void)pmap_is_referenced(ma, sc->sc_m);
		(void)pmap_page_wired_mappings(ma, sc->sc_m);
	}
}

const struct xs_scenario xs_scan_two = {
	.xs_name = "scan-two",
	.xs_descr = "pmap_remove_all() beside pmap_remove_write()",
	.xs_threads = 3,
	.xs_designs = designs,
	.xs_setup = setup,
	.xs_body = body_two,
	.xs_teardown = teardown,
};

/*
 * A CPU that writes while the page is cleaned: what it wrote is known to the page
 * afterwards, or it faulted.
 */
static void
setup_write(struct xs_run *run)
{
	struct scan *sc;

	setup(run);
	sc = run->xr_state;
	pmap_clear_modify(run->xr_machine, sc->sc_m);
	/* Relaxed: nobody else looks. */
	atomic_store_explicit(&sc->sc_m->dirty, 0, memory_order_relaxed);
	pmap_activate(sc->sc_p, 1);
}

static void
body_write(struct xs_run *run, unsigned i)
{
	struct scan *sc = run->xr_state;
	struct machine *ma = run->xr_machine;

	if (i == 0) {
		pmap_remove_write(ma, sc->sc_m);
	} else if (mmu_access(ma, 1, XS_VA, XS_W, NULL) == MMU_OK &&
	    !pmap_is_modified(ma, sc->sc_m) &&
	    /* Relaxed: the pv list lock orders it. */
	    atomic_load_explicit(&sc->sc_m->dirty, memory_order_relaxed) == 0) {
		xs_fail(run, "a write is lost");
	}
}

const struct xs_scenario xs_scan_write = {
	.xs_name = "scan-write",
	.xs_descr = "a CPU writes while pmap_remove_write() takes the right",
	.xs_threads = 2,
	.xs_designs = tlb_designs,
	.xs_unfit = xs_unfit_tlb,
	.xs_setup = setup_write,
	.xs_body = body_write,
	.xs_teardown = teardown,
};
