/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Free memory: nobody is given a page that another has, pages that are put
 * together are found, and who waits for one is woken when one is freed.
 */

#include "phys/vm_phys_impl.h"
#include "workload/xs_list.h"
#include "workload/xs_space.h"

static const char *const designs[] = { "sparse/gen2", NULL };

#define LIMIT  64 /* pages that are free */
#define NTAKEN 2

struct page {
	struct vm_page *pa_hoard; /* main's, through q_next */
	struct vm_page *pa_last;  /* a thread's: what it frees */
	struct vm_page *pa_more;
};

static const struct xs_kind pages = {
	.xk_designs = designs,
	.xk_limit_pages = LIMIT,
};

static struct vm_page *
try_page(struct xs_run *run)
{
	struct vm_page *m = vm_phys_page_alloc(run->xr_machine, 0, 0);
	uint64_t *p;

	if (m != NULL) {
		/* Plain: who has it at the same time, races with us. */
		p = vm_phys_dmap(run->xr_machine, VM_PAGE_TO_PHYS(m));
		*p = VM_PAGE_TO_PHYS(m);
	}
	return (m);
}

static void
body_alloc(struct xs_run *run, unsigned i)
{
	struct vm_page *m[NTAKEN];

	if (i == 2)
		xs_pages_try(run, 3);
	for (unsigned k = 0; k < NTAKEN; k++)
		m[k] = try_page(run);
	for (unsigned k = 0; k < NTAKEN; k++) {
		if (m[k] == NULL)
			xs_fail(run, "thread %u: out of pages", i);
		else
			xs_pages_free(run, m[k], 0);
	}
}

const struct xs_scenario xs_page_alloc = {
	.xs_name = "page-alloc",
	.xs_descr = "three threads allocate and free pages",
	.xs_threads = 3,
	.xs_kind = &pages,
	.xs_body = body_alloc,
};

/* All pages are taken; two of them by the thread that gives them back. */
static void
setup_wait(struct xs_run *run)
{
	struct page *pa = xs_alloc(run, sizeof(*pa));
	struct vm_page *m;

	while ((m = vm_phys_page_alloc(run->xr_machine, 0, 0)) != NULL) {
		m->q_next = pa->pa_hoard;
		pa->pa_hoard = m;
	}
	pa->pa_last = pa->pa_hoard;
	pa->pa_more = pa->pa_last->q_next;
	pa->pa_hoard = pa->pa_more->q_next;
	run->xr_state = pa;
}

static void
teardown_wait(struct xs_run *run)
{
	struct page *pa = run->xr_state;
	struct vm_page *m;

	while ((m = pa->pa_hoard) != NULL) {
		pa->pa_hoard = m->q_next;
		xs_pages_free(run, m, 0);
	}
}

static const struct xs_kind waits = {
	.xk_designs = designs,
	.xk_limit_pages = LIMIT,
	.xk_teardown = teardown_wait,
};

static void
free_two(struct xs_run *run)
{
	struct page *pa = run->xr_state;

	xs_pages_free(run, pa->pa_last, 0);
	xs_pages_free(run, pa->pa_more, 0);
}

static void
get_and_put(struct xs_run *run)
{
	struct vm_phys *vp = run->xr_machine->ma_vp;
	struct vm_page *m;
	uint64_t since;

	for (;;) {
		since = vm_wait_token(vp);
		m = try_page(run);
		if (m != NULL)
			break;
		vm_wait(vp, since);
	}
	xs_pages_free(run, m, 0);
}

/* Whether it is there before the wait begins, or comes after that. */
static void
body_wait(struct xs_run *run, unsigned i)
{
	if (i == 0)
		free_two(run);
	else
		get_and_put(run);
}

const struct xs_scenario xs_page_wait = {
	.xs_name = "page-wait",
	.xs_descr = "two wait for memory while a third frees some",
	.xs_threads = 3,
	.xs_kind = &waits,
	.xs_setup = setup_wait,
	.xs_body = body_wait,
};

/*
 * As before, and no two pages that are free or will be are a run: who tries for one
 * takes them off the count, finds none, and puts them back.
 */
static void
setup_wait_min(struct xs_run *run)
{
	struct vm_phys *vp = run->xr_machine->ma_vp;
	uint64_t reserve = vp->vp_domains[0]->vmd_free_reserved;
	struct page *pa = xs_alloc(run, sizeof(*pa));
	struct vm_page *m, *next, *odd = NULL;

	run->xr_state = pa;
	while ((m = vm_page_alloc(vp, 0, VM_PAGE_INTERRUPT)) != NULL) {
		m->q_next = pa->pa_hoard;
		pa->pa_hoard = m;
	}
	for (m = pa->pa_hoard, pa->pa_hoard = NULL; m != NULL; m = next) {
		next = m->q_next;
		if ((VM_PAGE_TO_PHYS(m) >> PAGE_SHIFT) % 2 != 0) {
			m->q_next = odd;
			odd = m;
		} else if (reserve > 0) {
			reserve--;
			vm_page_free(vp, m);
		} else if (pa->pa_last == NULL) {
			pa->pa_last = m;
		} else if (pa->pa_more == NULL) {
			pa->pa_more = m;
		} else {
			m->q_next = odd;
			odd = m;
		}
	}
	pa->pa_hoard = odd;
}

/* One waits for two pages, and another tries for a run meanwhile. */
static void
body_wait_min(struct xs_run *run, unsigned i)
{
	if (i == 0)
		free_two(run);
	else if (i == 1)
		vm_wait_min(run->xr_machine->ma_vp, 2);
	else
		xs_pages_try(run, 1);
}

const struct xs_scenario xs_page_wait_min = {
	.xs_name = "page-wait-min",
	.xs_descr = "one waits for two pages, another tries for a run of two",
	.xs_threads = 3,
	.xs_kind = &waits,
	.xs_setup = setup_wait_min,
	.xs_body = body_wait_min,
};
