/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * fork beside faults, and beside a fork the other way round, which locks the same
 * two pmaps.
 */

#include "workload/xs_list.h"
#include "workload/xs_space.h"

static const char *const designs[] = { "sparse/gen2", "hashed/mtx8+locks=1",
	"segment/rwlock", NULL };

struct copy {
	struct xs_spaces co_spaces;
	struct vm_page *co_new; /* what the fault maps */
};

static void
setup(struct xs_run *run)
{
	struct copy *co = xs_spaces_alloc(run, sizeof(*co));
	struct xs_spaces *sp = &co->co_spaces;

	co->co_new = xs_pages(run, 0);
	xs_enter(run, sp->sp_p, XS_VA, sp->sp_m, XS_RW, XS_W);
	xs_enter(run, sp->sp_q, XS_VA + NBPDR, sp->sp_n, XS_R, XS_R);
}

static void
teardown(struct xs_run *run)
{
	struct copy *co = run->xr_state;

	xs_spaces_end(run);
	xs_pages_free(run, co->co_new, 0);
}

static const struct xs_kind copies = {
	.xk_designs = designs,
	.xk_setup = setup,
	.xk_teardown = teardown,
};

static void
body(struct xs_run *run, unsigned i)
{
	struct copy *co = run->xr_state;
	struct xs_spaces *sp = &co->co_spaces;

	if (i == 0) {
		pmap_protect(sp->sp_p, XS_VA, XS_VA + PAGE_SIZE, XS_R);
		pmap_copy(sp->sp_q, sp->sp_p, XS_VA, 2 * NBPDR, XS_VA);
	} else if (i == 1) {
		xs_enter(
		    run, sp->sp_p, XS_VA + PAGE_SIZE, co->co_new, XS_R, XS_R);
		pmap_copy(sp->sp_p, sp->sp_q, XS_VA, 2 * NBPDR, XS_VA);
	} else {
		pmap_remove_all(run->xr_machine, sp->sp_n);
		(void)pmap_ts_referenced(run->xr_machine, sp->sp_m);
	}
}

static void
check(struct xs_run *run)
{
	const struct copy *co = run->xr_state;
	const struct xs_spaces *sp = &co->co_spaces;
	vm_paddr_t pa = pmap_extract(sp->sp_q, XS_VA);

	if (pa != 0 && pa != VM_PAGE_TO_PHYS(sp->sp_m))
		xs_fail(run, "the copy maps another page");
	if (pmap_extract_and_hold(sp->sp_q, XS_VA, XS_W) != NULL)
		xs_fail(run, "the copy can be written");
	pa = pmap_extract(sp->sp_p, XS_VA + PAGE_SIZE);
	if (pa != VM_PAGE_TO_PHYS(co->co_new))
		xs_fail(run, "a mapping is missing");
}

const struct xs_scenario xs_copy_fault = {
	.xs_name = "copy-fault",
	.xs_descr = "two pmaps are copied into each other, and one faults",
	.xs_threads = 3,
	.xs_kind = &copies,
	.xs_body = body,
	.xs_check = check,
};
