/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * From a page to its mappings, while the mappings go: page_scan.h.
 *
 * A scan that had to wait for a pmap finds by the generation whether the entry it
 * was at is still there.  The worst that can happen is that the entry's memory is
 * an entry of another mapping by then, or the pmap another address space.
 */

#include "workload/xs_list.h"
#include "workload/xs_space.h"

static const char *const designs[] = { "sparse/gen2", "hashed/mtx8+locks=1",
	"sparse/gen1", "segment/rwlock", "ptrarray/gen2", NULL };
static const char *const tlb_designs[] = { "sparse/gen2+tlb=assoc",
	"sparse/mtx8+tlb=assoc+ipi=mailbox+di=mutex", NULL };

/* In another page table than XS_VA. */
#define VA2 (XS_VA + 3 * NBPDR)

static void
setup(struct xs_run *run)
{
	struct xs_spaces *sp = xs_spaces_alloc(run, sizeof(*sp));

	xs_enter(run, sp->sp_p, XS_VA, sp->sp_m, XS_RW, XS_W);
	xs_enter(run, sp->sp_q, XS_VA, sp->sp_m, XS_RW, XS_W);
}

static const struct xs_kind scans = {
	.xk_designs = designs,
	.xk_setup = setup,
	.xk_teardown = xs_spaces_end,
};

static const struct xs_kind tlb_scans = {
	.xk_designs = tlb_designs,
	.xk_unfit = xs_unfit_tlb,
	.xk_setup = setup,
	.xk_teardown = xs_spaces_end,
};

/* All threads but the first. */
static void
scan(struct xs_run *run, unsigned i)
{
	const struct xs_spaces *sp = run->xr_state;

	if (i == 1)
		xs_freeze(run, sp->sp_m);
	else
		(void)pmap_ts_referenced(run->xr_machine, sp->sp_m);
}

static void
body_remove(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0) {
		pmap_remove(sp->sp_p, XS_VA, XS_VA + PAGE_SIZE);
		pmap_remove(sp->sp_q, XS_VA, XS_VA + PAGE_SIZE);
	} else {
		scan(run, i);
	}
}

const struct xs_scenario xs_scan_remove = {
	.xs_name = "scan-remove",
	.xs_descr =
	    "pmap_remove() beside pmap_remove_write(), _ts_referenced()",
	.xs_threads = 3,
	.xs_kind = &scans,
	.xs_body = body_remove,
};

/* The entry of one mapping becomes that of another, in another page table. */
static void
body_reuse(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0) {
		pmap_remove(sp->sp_p, XS_VA, XS_VA + PAGE_SIZE);
		xs_enter(run, sp->sp_p, VA2, sp->sp_n, XS_RW, XS_W);
	} else {
		scan(run, i);
	}
}

static void
check_reuse(struct xs_run *run)
{
	struct xs_spaces *sp = run->xr_state;

	/* By a scan of the other page's mappings. */
	if (!pmap_is_modified(run->xr_machine, sp->sp_n) ||
	    !pmap_is_referenced(run->xr_machine, sp->sp_n))
		xs_fail(run, "a mapping was changed that was not meant");
}

const struct xs_scenario xs_scan_reuse = {
	.xs_name = "scan-reuse",
	.xs_descr = "a pv entry is another mapping's when the scan comes back",
	.xs_threads = 3,
	.xs_kind = &scans,
	.xs_body = body_reuse,
	.xs_check = check_reuse,
};

/*
 * The address space ends, and its structure becomes another's.  Who waits for
 * its mutex finds that out.
 */
static void
body_pmap(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0) {
		pmap_remove(sp->sp_p, XS_VA, XS_VA + PAGE_SIZE);
		xs_pmap_renew(run, &sp->sp_p);
		xs_enter(run, sp->sp_p, XS_VA, sp->sp_n, XS_RW, XS_W);
	} else {
		scan(run, i);
	}
}

const struct xs_scenario xs_scan_pmap = {
	.xs_name = "scan-pmap",
	.xs_descr =
	    "a pmap is another address space when the scan has its lock",
	.xs_threads = 3,
	.xs_kind = &scans,
	.xs_body = body_pmap,
	.xs_check = check_reuse,
};

/* Scans that change all mappings, beside each other. */
static void
body_two(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;
	struct machine *ma = run->xr_machine;

	if (i == 0) {
		xs_unmap(run, sp->sp_m);
	} else if (i == 1) {
		xs_freeze(run, sp->sp_m);
		pmap_clear_modify(ma, sp->sp_m);
	} else {
		(void)pmap_extract(sp->sp_q, XS_VA);
		(void)pmap_is_referenced(ma, sp->sp_m);
		(void)pmap_page_wired_mappings(ma, sp->sp_m);
	}
}

const struct xs_scenario xs_scan_two = {
	.xs_name = "scan-two",
	.xs_descr = "pmap_remove_all() beside pmap_remove_write()",
	.xs_threads = 3,
	.xs_kind = &scans,
	.xs_body = body_two,
};

/*
 * A CPU that writes while the page is cleaned: what it wrote is known to the page
 * afterwards, or it faulted.
 */
static void
setup_write(struct xs_run *run)
{
	const struct xs_spaces *sp = run->xr_state;

	xs_launder(run, sp->sp_m);
	pmap_activate(sp->sp_p, 1);
}

static void
body_write(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;
	struct machine *ma = run->xr_machine;

	if (i == 0)
		pmap_remove_write(ma, sp->sp_m);
	else if (mmu_access(ma, 1, XS_VA, XS_W, NULL) == MMU_OK &&
	    !xs_is_dirty(run, sp->sp_m))
		xs_fail(run, "a write is lost");
}

const struct xs_scenario xs_scan_write = {
	.xs_name = "scan-write",
	.xs_descr = "a CPU writes while pmap_remove_write() takes the right",
	.xs_threads = 2,
	.xs_kind = &tlb_scans,
	.xs_setup = setup_write,
	.xs_body = body_write,
};
