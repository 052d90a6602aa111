/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Mappings that are made while others are made, replaced and removed.
 */

#include "workload/xs_list.h"
#include "workload/xs_util.h"

static const char *const designs[] = { "sparse/gen2", "hashed/mtx8+locks=1",
	"sparse/gen1", "segment/rwlock", NULL };
static const char *const tlb_designs[] = { "sparse/gen2+tlb=assoc",
	"sparse/mtx8+tlb=adversarial", "sparse/gen2+tlb=direct+ipi=mailbox",
	NULL };

#define NCPUS 3

struct enter {
	struct pmap *en_p;
	struct pmap *en_q;
	struct vm_page *en_m;
	struct vm_page *en_n;
	struct vm_object *en_object;
	xs_flag en_new;    /* a CPU has seen what is new */
	xs_flag en_frozen; /* odd: nobody may reach the page */
};

static void
setup(struct xs_run *run)
{
	struct enter *en = xs_alloc(run, sizeof(*en));

	en->en_p = xs_pmap(run);
	en->en_q = xs_pmap(run);
	en->en_m = xs_pages(run, 0);
	en->en_n = xs_pages(run, 0);
	run->xr_state = en;
}

static void
teardown(struct xs_run *run)
{
	struct enter *en = run->xr_state;

	for (unsigned i = 0; i < run->xr_nthreads; i++)
		pmap_deactivate(run->xr_machine, i);
	pmap_remove(en->en_p, 0, VM_MAXUSER_ADDRESS);
	pmap_remove(en->en_q, 0, VM_MAXUSER_ADDRESS);
	xs_pmap_free(en->en_p);
	xs_pmap_free(en->en_q);
	if (en->en_object == NULL)
		xs_pages_free(run, en->en_m, 0);
	vm_object_destroy(en->en_object);
	xs_pages_free(run, en->en_n, 0);
}

/* One page in two pmaps, and two pages by one page table. */
static void
body_two(struct xs_run *run, unsigned i)
{
	struct enter *en = run->xr_state;

	if (i == 0)
		xs_enter(run, en->en_p, XS_VA, en->en_m, XS_RW, XS_W);
	else if (i == 1)
		xs_enter(run, en->en_q, XS_VA, en->en_m, XS_R, XS_R);
	else
		xs_enter(
		    run, en->en_p, XS_VA + PAGE_SIZE, en->en_n, XS_R, XS_R);
}

static void
check_two(struct xs_run *run)
{
	struct enter *en = run->xr_state;

	if (pmap_extract(en->en_p, XS_VA) != VM_PAGE_TO_PHYS(en->en_m) ||
	    pmap_extract(en->en_q, XS_VA) != VM_PAGE_TO_PHYS(en->en_m) ||
	    pmap_extract(en->en_p, XS_VA + PAGE_SIZE) !=
		VM_PAGE_TO_PHYS(en->en_n))
		xs_fail(run, "a mapping is missing");
}

const struct xs_scenario xs_enter_two = {
	.xs_name = "enter-two",
	.xs_descr = "one page enters two pmaps, another the same page table",
	.xs_threads = 3,
	.xs_designs = designs,
	.xs_setup = setup,
	.xs_body = body_two,
	.xs_check = check_two,
	.xs_teardown = teardown,
};

/*
 * A mapping is replaced.  When one CPU has seen the new page, no other sees the old
 * one any more.
 */
static void
setup_replace(struct xs_run *run)
{
	struct enter *en;

	setup(run);
	en = run->xr_state;
	xs_enter(run, en->en_p, XS_VA, en->en_m, XS_RW, XS_W);
	pmap_activate(en->en_p, 1);
	pmap_activate(en->en_p, 2);
	(void)mmu_access(run->xr_machine, 2, XS_VA, XS_R, NULL);
}

static void
body_replace(struct xs_run *run, unsigned i)
{
	struct enter *en = run->xr_state;
	unsigned seen;
	vm_paddr_t pa;

	if (i == 0) {
		xs_enter(run, en->en_p, XS_VA, en->en_n, XS_RW, XS_W);
		return;
	}
	for (unsigned n = 0; n < 2; n++) {
		seen = xs_flag_get(&en->en_new);
		if (mmu_access(run->xr_machine, i, XS_VA, XS_R, &pa) != MMU_OK)
			continue;
		if (pa == VM_PAGE_TO_PHYS(en->en_n))
			xs_flag_set(&en->en_new, 1);
		else if (seen != 0)
			xs_fail(run, "CPU %u sees what was replaced", i);
	}
}

const struct xs_scenario xs_enter_replace = {
	.xs_name = "enter-replace",
	.xs_descr = "a mapping is replaced under the eyes of two CPUs",
	.xs_threads = NCPUS,
	.xs_designs = tlb_designs,
	.xs_unfit = xs_unfit_tlb,
	.xs_setup = setup_replace,
	.xs_body = body_replace,
	.xs_teardown = teardown,
};

/*
 * As the layer above does it: a page is entered with its object locked for
 * reading, and taken away with it locked for writing; then nobody reaches it
 * until that is unlocked.
 */
static void
setup_claim(struct xs_run *run)
{
	struct enter *en;

	setup(run);
	en = run->xr_state;
	xs_pages_free(run, en->en_m, 0);
	en->en_object = xs_object(run, 1, VM_OBJECT_SMALL);
	en->en_m = en->en_object->memq_first;
	pmap_activate(en->en_p, 2);
	xs_enter(run, en->en_p, XS_VA, en->en_m, XS_RW, XS_W);
	(void)mmu_access(run->xr_machine, 2, XS_VA, XS_W, NULL);
}

/* An access between two looks, which agree that the page is frozen. */
static void
access_frozen(struct xs_run *run, unsigned cpu)
{
	struct enter *en = run->xr_state;
	unsigned was = xs_flag_get(&en->en_frozen);

	if (mmu_access(run->xr_machine, cpu, XS_VA, XS_R, NULL) == MMU_OK &&
	    was % 2 != 0 && xs_flag_get(&en->en_frozen) == was)
		xs_fail(run, "CPU %u reaches a page that was removed", cpu);
}

static void
body_claim(struct xs_run *run, unsigned i)
{
	struct enter *en = run->xr_state;

	if (i == 0) {
		VM_OBJECT_RLOCK(en->en_object);
		(void)pmap_enter(en->en_p, XS_VA, en->en_m, XS_R,
		    XS_R | PMAP_ENTER_NOSLEEP, 0);
		VM_OBJECT_RUNLOCK(en->en_object);
	} else if (i == 1) {
		VM_OBJECT_WLOCK(en->en_object);
		pmap_remove_all(run->xr_machine, en->en_m);
		xs_flag_set(&en->en_frozen, 1);
		if (pmap_page_is_mapped(run->xr_machine, en->en_m))
			xs_fail(run, "a removed page is mapped");
		xs_flag_set(&en->en_frozen, 2);
		VM_OBJECT_WUNLOCK(en->en_object);
	} else {
		access_frozen(run, i);
		access_frozen(run, i);
	}
}

const struct xs_scenario xs_enter_claim = {
	.xs_name = "enter-claim",
	.xs_descr = "a page is entered, removed and used by three CPUs",
	.xs_threads = NCPUS,
	.xs_designs = tlb_designs,
	.xs_unfit = xs_unfit_tlb,
	.xs_setup = setup_claim,
	.xs_body = body_claim,
	.xs_teardown = teardown,
};
