/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Mappings that are made while others are made, replaced and removed.
 */

#include "workload/xs_list.h"
#include "workload/xs_space.h"

static const char *const designs[] = { "sparse/gen2", "hashed/mtx8+locks=1",
	"sparse/gen1", "segment/rwlock", NULL };
static const char *const tlb_designs[] = { "sparse/gen2+tlb=assoc",
	"sparse/mtx8+tlb=adversarial", "sparse/gen2+tlb=direct+ipi=mailbox",
	NULL };

#define NCPUS 3

static const struct xs_kind enters = {
	.xk_designs = designs,
	.xk_setup = xs_spaces_setup,
	.xk_teardown = xs_spaces_end,
};

static const struct xs_kind tlb_enters = {
	.xk_designs = tlb_designs,
	.xk_unfit = xs_unfit_tlb,
	.xk_setup = xs_spaces_setup,
	.xk_teardown = xs_spaces_end,
};

/* One page in two pmaps, and two pages by one page table. */
static void
body_two(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0)
		xs_enter(run, sp->sp_p, XS_VA, sp->sp_m, XS_RW, XS_W);
	else if (i == 1)
		xs_enter(run, sp->sp_q, XS_VA, sp->sp_m, XS_R, XS_R);
	else
		xs_enter(
		    run, sp->sp_p, XS_VA + PAGE_SIZE, sp->sp_n, XS_R, XS_R);
}

static void
check_two(struct xs_run *run)
{
	struct xs_spaces *sp = run->xr_state;

	if (pmap_extract(sp->sp_p, XS_VA) != VM_PAGE_TO_PHYS(sp->sp_m) ||
	    pmap_extract(sp->sp_q, XS_VA) != VM_PAGE_TO_PHYS(sp->sp_m) ||
	    pmap_extract(sp->sp_p, XS_VA + PAGE_SIZE) !=
		VM_PAGE_TO_PHYS(sp->sp_n))
		xs_fail(run, "a mapping is missing");
}

const struct xs_scenario xs_enter_two = {
	.xs_name = "enter-two",
	.xs_descr = "one page enters two pmaps, another the same page table",
	.xs_threads = 3,
	.xs_kind = &enters,
	.xs_body = body_two,
	.xs_check = check_two,
};

/*
 * A mapping is replaced.  When one CPU has seen the new page, which the flag says,
 * no other sees the old one any more.
 */
static void
setup_replace(struct xs_run *run)
{
	const struct xs_spaces *sp = run->xr_state;

	xs_enter(run, sp->sp_p, XS_VA, sp->sp_m, XS_RW, XS_W);
	pmap_activate(sp->sp_p, 1);
	pmap_activate(sp->sp_p, 2);
	xs_touch(run, 2, XS_VA, XS_R);
}

static void
body_replace(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;
	unsigned seen;
	vm_paddr_t pa;

	if (i == 0) {
		xs_enter(run, sp->sp_p, XS_VA, sp->sp_n, XS_RW, XS_W);
		return;
	}
	for (unsigned n = 0; n < 2; n++) {
		seen = xs_flag_get(&sp->sp_flag);
		if (mmu_access(run->xr_machine, i, XS_VA, XS_R, &pa) != MMU_OK)
			continue;
		if (pa == VM_PAGE_TO_PHYS(sp->sp_n))
			xs_flag_set(&sp->sp_flag, 1);
		else if (seen != 0)
			xs_fail(run, "CPU %u sees what was replaced", i);
	}
}

const struct xs_scenario xs_enter_replace = {
	.xs_name = "enter-replace",
	.xs_descr = "a mapping is replaced under the eyes of two CPUs",
	.xs_threads = NCPUS,
	.xs_kind = &tlb_enters,
	.xs_setup = setup_replace,
	.xs_body = body_replace,
};

struct claim {
	struct xs_spaces cl_spaces;
	struct vm_object *cl_object; /* sp_m is its page */
};

/*
 * As the layer above does it: a page is entered with its object locked for
 * reading, and taken away with it locked for writing; then nobody reaches it
 * until that is unlocked.  Flag 1: so it is.
 */
static void
setup_claim(struct xs_run *run)
{
	struct claim *cl = xs_spaces_alloc(run, sizeof(*cl));
	struct xs_spaces *sp = &cl->cl_spaces;

	xs_page_drop(run, &sp->sp_m);
	cl->cl_object = xs_object(run, 1, VM_OBJECT_SMALL);
	sp->sp_m = cl->cl_object->memq_first;
	pmap_activate(sp->sp_p, 2);
	xs_enter(run, sp->sp_p, XS_VA, sp->sp_m, XS_RW, XS_W);
	xs_touch(run, 2, XS_VA, XS_W);
}

static void
teardown_claim(struct xs_run *run)
{
	struct claim *cl = run->xr_state;

	cl->cl_spaces.sp_m = NULL;
	xs_spaces_end(run);
	vm_object_destroy(cl->cl_object);
}

static const struct xs_kind claims = {
	.xk_designs = tlb_designs,
	.xk_unfit = xs_unfit_tlb,
	.xk_setup = setup_claim,
	.xk_teardown = teardown_claim,
};

/* An access between two looks, which agree that the page is frozen. */
static void
access_frozen(struct xs_run *run, unsigned cpu)
{
	struct xs_spaces *sp = run->xr_state;
	unsigned was = xs_flag_get(&sp->sp_flag);

	if (mmu_access(run->xr_machine, cpu, XS_VA, XS_R, NULL) == MMU_OK &&
	    was % 2 != 0 && xs_flag_get(&sp->sp_flag) == was)
		xs_fail(run, "CPU %u reaches a page that was removed", cpu);
}

static void
body_claim(struct xs_run *run, unsigned i)
{
	struct claim *cl = run->xr_state;
	struct xs_spaces *sp = &cl->cl_spaces;

	if (i == 0) {
		VM_OBJECT_RLOCK(cl->cl_object);
		(void)pmap_enter(sp->sp_p, XS_VA, sp->sp_m, XS_R,
		    XS_R | PMAP_ENTER_NOSLEEP, 0);
		VM_OBJECT_RUNLOCK(cl->cl_object);
	} else if (i == 1) {
		VM_OBJECT_WLOCK(cl->cl_object);
		pmap_remove_all(run->xr_machine, sp->sp_m);
		xs_flag_set(&sp->sp_flag, 1);
		if (pmap_page_is_mapped(run->xr_machine, sp->sp_m))
			xs_fail(run, "a removed page is mapped");
		xs_flag_set(&sp->sp_flag, 2);
		VM_OBJECT_WUNLOCK(cl->cl_object);
	} else {
		access_frozen(run, i);
		access_frozen(run, i);
	}
}

const struct xs_scenario xs_enter_claim = {
	.xs_name = "enter-claim",
	.xs_descr = "a page is entered, removed and used by three CPUs",
	.xs_threads = NCPUS,
	.xs_kind = &claims,
	.xs_body = body_claim,
};
