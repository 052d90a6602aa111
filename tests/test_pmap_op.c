/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The checker after every operation: it runs, finds what an operation did wrong as
 * soon as it is done, and with threads finds nothing where nothing is wrong.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "superpage_util.h"

#define NTHREADS 4
#define NPHASES  8
#define NROUNDS  8 /* of each thread in a phase */

static struct pu pu;

static void
begin(const char *design)
{
	struct machine_config mc = {
		.mc_design = design,
		.mc_ncpus = NTHREADS,
		.mc_check_ops = true,
	};

	pu_setup_config(&pu, NULL, &mc);
}

static void
each_operation_is_checked(void **state)
{
	struct pmap *pmap;
	struct vm_page *m;
	uint64_t n;

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	begin("sparse/gen2");
	pmap = pu_pmap(&pu);
	m = pu_page(&pu);
	n = pu.pu_ma->ma_checks;
	assert_true(n >= 2); /* pmap_alloc(), pmap_pinit() */
	assert_int_equal(pmap_enter(pmap, VA, m, R, R, 0), KERN_SUCCESS);
	assert_int_equal(pu.pu_ma->ma_checks, n + 1);
	/* One that calls another is one. */
	pmap_protect(pmap, VA, END, VM_PROT_NONE);
	assert_int_equal(pu.pu_ma->ma_checks, n + 2);
	pmap_remove_all(pu.pu_ma, m);
	assert_int_equal(pmap_extract(pmap, VA), 0);
	assert_int_equal(pu.pu_ma->ma_checks, n + 4);
	/* An early return is the end, too. */
	assert_int_equal(pmap_enter(pmap, VM_MAXUSER_ADDRESS, m, R, R, 0),
	    KERN_INVALID_ADDRESS);
	assert_int_equal(pu.pu_ma->ma_checks, n + 5);
	pu_page_free(&pu, m);
	pu_pmap_free(pmap);
	pu_teardown(&pu);
}

struct wrong {
	struct pmap *w_pmap;
};

static void
demote(void *arg)
{
	struct wrong *w = arg;

	pmap_protect(w->w_pmap, VA, VA + PAGE_SIZE, R);
}

/* The fault of a demotion is found by the operation that demoted. */
static void
the_operation_that_was_wrong_is_named(void **state)
{
	struct vm_page *m;
	struct wrong w;

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	begin("sparse/gen2+bug=B7");
	w.w_pmap = pu_pmap(&pu);
	m = pu_run(&pu);
	assert_int_equal(
	    pmap_enter(w.w_pmap, VA, m, R | W, W, 1), KERN_SUCCESS);
	assert_true(pu_panics(demote, &w));
	assert_non_null(strstr(pu_panic_text, "after pmap_protect()"));
	assert_non_null(strstr(pu_panic_text, "inv 13:"));
	/* As if the checker had come back; and without the fault. */
	/* Relaxed, all: one thread. */
	atomic_store_explicit(&pu.pu_ma->ma_inside, 0, memory_order_relaxed);
	pmap_resident_add(w.w_pmap, 1);
	pmap_remove(w.w_pmap, VA, END);
	pu_run_free(&pu, m);
	pu_pmap_free(w.w_pmap);
	pu_teardown(&pu);
}

struct worker {
	struct pu_thread wk_thread;
	struct pmap *wk_pmap;
	struct vm_page *wk_pages; /* shared */
};

static void
work(void *arg)
{
	struct worker *wk = arg;

	for (unsigned i = 0; i < NROUNDS; i++) {
		vm_offset_t va = VA + i % 8 * PAGE_SIZE;

		(void)pmap_enter(
		    wk->wk_pmap, va, &wk->wk_pages[i % 16], R | W, W, 0);
		(void)pmap_ts_referenced(pu.pu_ma, &wk->wk_pages[(i + 1) % 16]);
		if (i % 8 == 7)
			pmap_remove(wk->wk_pmap, VA, END);
	}
	pmap_remove(wk->wk_pmap, VA, END);
}

static void
threads_are_checked_when_all_are_outside(void **state)
{
	struct worker wk[NTHREADS];
	struct vm_page *pages;
	uint64_t n;

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	begin("segment/mtx8+tlb=assoc");
	pages = pu_pages(&pu, 4);
	for (unsigned i = 0; i < NTHREADS; i++) {
		wk[i].wk_pmap = pu_pmap(&pu);
		wk[i].wk_pages = pages;
	}
	n = pu.pu_ma->ma_checks;
	for (unsigned p = 0; p < NPHASES; p++) {
		for (unsigned i = 0; i < NTHREADS; i++)
			pu_start(&pu, &wk[i].wk_thread, i, work, &wk[i]);
		for (unsigned i = 0; i < NTHREADS; i++)
			pu_join(&wk[i].wk_thread);
		/*
		 * How often all were outside at once is chance.  Now they are:
		 * one check, of what the threads have left.
		 */
		(void)pmap_ts_referenced(pu.pu_ma, pages);
	}
	assert_true(pu.pu_ma->ma_checks - n >= NPHASES);
	for (unsigned i = 0; i < NTHREADS; i++)
		pu_pmap_free(wk[i].wk_pmap);
	pu_pages_free(&pu, pages, 4);
	pu_teardown(&pu);
}

static void
builds_without_invariants_say_so(void **state)
{
	struct memmap *mm = pu_memmap("0-4000000 usable 0\n");
	struct machine_config mc = { .mc_map = mm, .mc_check_ops = true };
	struct machine *m;
	char err[128];

	(void)state;
	if (!INVARIANTS_ENABLED) {
		assert_int_not_equal(
		    machine_create(&mc, &m, err, sizeof(err)), 0);
		assert_non_null(strstr(err, "invariants"));
	}
	memmap_free(mm);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_operation_is_checked),
		cmocka_unit_test(the_operation_that_was_wrong_is_named),
		cmocka_unit_test(threads_are_checked_when_all_are_outside),
		cmocka_unit_test(builds_without_invariants_say_so),
	};

	return (cmocka_run_group_tests_name("pmap_op", tests, NULL, NULL));
}
