/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * fork beside faults, and beside a fork the other way round, which locks the same
 * two pmaps.
 */

#include "workload/xs_list.h"
#include "workload/xs_util.h"

static const char *const designs[] = { "sparse/gen2", "hashed/mtx8+locks=1",
	"segment/rwlock", NULL };

#define NPAGES 3

struct copy {
	struct pmap *co_p;
	struct pmap *co_q;
	struct vm_page *co_m[NPAGES];
};

static void
setup(struct xs_run *run)
{
	struct copy *co = xs_alloc(run, sizeof(*co));

	co->co_p = xs_pmap(run);
	co->co_q = xs_pmap(run);
	for (unsigned i = 0; i < NPAGES; i++)
		co->co_m[i] = xs_pages(run, 0);
	xs_enter(run, co->co_p, XS_VA, co->co_m[0], XS_RW, XS_W);
	xs_enter(run, co->co_q, XS_VA + NBPDR, co->co_m[1], XS_R, XS_R);
	run->xr_state = co;
}

static void
teardown(struct xs_run *run)
{
	struct copy *co = run->xr_state;

	pmap_remove(co->co_p, 0, VM_MAXUSER_ADDRESS);
	pmap_remove(co->co_q, 0, VM_MAXUSER_ADDRESS);
	xs_pmap_free(co->co_p);
	xs_pmap_free(co->co_q);
	for (unsigned i = 0; i < NPAGES; i++)
		xs_pages_free(run, co->co_m[i], 0);
}

static void
body(struct xs_run *run, unsigned i)
{
	struct copy *co = run->xr_state;

	if (i == 0) {
		pmap_protect(co->co_p, XS_VA, XS_VA + PAGE_SIZE, XS_R);
		pmap_copy(co->co_q, co->co_p, XS_VA, 2 * NBPDR, XS_VA);
	} else if (i == 1) {
		xs_enter(
		    run, co->co_p, XS_VA + PAGE_SIZE, co->co_m[2], XS_R, XS_R);
		pmap_copy(co->co_p, co->co_q, XS_VA, 2 * NBPDR, XS_VA);
	} else {
		pmap_remove_all(run->xr_machine, co->co_m[1]);
		(void)pmap_ts_referenced(run->xr_machine, co->co_m[0]);
	}
}

static void
check(struct xs_run *run)
{
	struct copy *co = run->xr_state;
	vm_paddr_t pa = pmap_extract(co->co_q, XS_VA);

	if (pa != 0 && pa != VM_PAGE_TO_PHYS(co->co_m[0]))
		xs_fail(run, "the copy maps another page");
	if (pmap_extract_and_hold(co->co_q, XS_VA, XS_W) != NULL)
		xs_fail(run, "the copy can be written");
	pa = pmap_extract(co->co_p, XS_VA + PAGE_SIZE);
	if (pa != VM_PAGE_TO_PHYS(co->co_m[2]))
		xs_fail(run, "a mapping is missing");
}

const struct xs_scenario xs_copy_fault = {
	.xs_name = "copy-fault",
	.xs_descr = "two pmaps are copied into each other, and one faults",
	.xs_threads = 3,
	.xs_designs = designs,
	.xs_setup = setup,
	.xs_body = body,
	.xs_check = check,
	.xs_teardown = teardown,
};
