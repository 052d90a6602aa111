/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reservations: objects that fill theirs, while others break them for a page or for
 * a run, and while objects end.
 */

#include "workload/xs_list.h"
#include "workload/xs_space.h"

static const char *const designs[] = { "sparse/gen2", NULL };

/* Three whole superpages and one that begins with a page that is not used. */
#define NOBJS 2
#define NRUNS 64 /* that are hoarded, at most */

struct reserv {
	struct vm_object *rs_object[NOBJS];
	struct vm_page *rs_hoard[NRUNS];
	int rs_order[NRUNS];
	unsigned rs_nhoard;
};

static struct vm_page *
object_page(struct vm_object *object, vm_pindex_t i)
{
	struct vm_page *m;

	VM_OBJECT_WLOCK(object);
	m = vm_object_alloc_page(object, i, 0);
	VM_OBJECT_WUNLOCK(object);
	return (m);
}

/* Two objects with a page of a reservation each, and nothing else is free. */
static void
setup(struct xs_run *run)
{
	struct reserv *rs = xs_alloc(run, sizeof(*rs));
	struct vm_page *m;

	run->xr_state = rs;
	for (unsigned i = 0; i < NOBJS; i++) {
		rs->rs_object[i] =
		    xs_object(run, VM_LEVEL_0_NPAGES, VM_OBJECT_EMPTY);
		if (object_page(rs->rs_object[i], 0) == NULL)
			xs_fail(run, "no page for an object");
	}
	for (int order = VM_LEVEL_0_ORDER; order >= 4; order--) {
		/* Smaller ones would break what we are about. */
		while (machine_free_pages(run->xr_machine) >
			(UINT64_C(1) << order) + NOBJS * VM_LEVEL_0_NPAGES &&
		    (m = vm_phys_page_alloc(run->xr_machine, 0, order)) !=
			NULL) {
			rs->rs_order[rs->rs_nhoard] = order;
			rs->rs_hoard[rs->rs_nhoard++] = m;
		}
	}
}

static void
teardown(struct xs_run *run)
{
	struct reserv *rs = run->xr_state;

	for (unsigned i = 0; i < NOBJS; i++)
		vm_object_destroy(rs->rs_object[i]);
	for (unsigned i = 0; i < rs->rs_nhoard; i++)
		xs_pages_free(run, rs->rs_hoard[i], rs->rs_order[i]);
}

static const struct xs_kind reservs = {
	.xk_designs = designs,
	.xk_map = XS_MAP_8MB,
	.xk_setup = setup,
	.xk_teardown = teardown,
};

/* One fills its reservation, one breaks any, one wants a run. */
static void
body_break(struct xs_run *run, unsigned i)
{
	struct reserv *rs = run->xr_state;

	if (i == 0) {
		if (object_page(rs->rs_object[0], 1) == NULL ||
		    object_page(rs->rs_object[1], 7) == NULL)
			xs_fail(run, "no page for an object");
	} else if (i == 1) {
		(void)vm_reserv_reclaim_inactive(run->xr_machine->ma_vp, 0);
	} else {
		xs_pages_try(run, 6);
	}
}

const struct xs_scenario xs_reserv_break = {
	.xs_name = "reserv-break",
	.xs_descr = "a reservation is broken while its object fills it",
	.xs_threads = 3,
	.xs_kind = &reservs,
	.xs_body = body_break,
};

/* The search for a run waits for a reservation, which ends. */
static void
body_run(struct xs_run *run, unsigned i)
{
	struct reserv *rs = run->xr_state;
	struct vm_object *object;

	if (i < 2) {
		object = rs->rs_object[i];
		rs->rs_object[i] = NULL;
		vm_object_destroy(object);
	} else {
		xs_pages_try(run, 6);
	}
}

const struct xs_scenario xs_reserv_run = {
	.xs_name = "reserv-run",
	.xs_descr = "a run is looked for in reservations that end",
	.xs_threads = 3,
	.xs_kind = &reservs,
	.xs_body = body_run,
};
