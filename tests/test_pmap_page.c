/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What pmap_page.c does when it finds the pmap of a mapping locked: it drops the pv
 * list lock, waits for the pmap, and starts again if, and only if, a list that it
 * walks has changed meanwhile.  The generations are how it knows.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pmap/pv_list.h"
#include "pmap/pv_table.h"
#include "pmap_util.h"

#define R  VM_PROT_READ
#define VA UINT64_C(0x7f0012345000)

static const char *design;
static struct pu pu;
static struct pmap *p, *q;

struct scan {
	struct vm_page *sc_page;
	struct pmap *sc_first; /* whose mapping the scan comes to first */
	struct pmap *sc_other;
	int sc_count;
	struct pu_thread sc_thread;
};

static int
setup(void **state)
{
	(void)state;
	pu_setup(&pu, NULL, design);
	p = pu_pmap(&pu);
	q = pu_pmap(&pu);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	pu_pmap_free(p);
	pu_pmap_free(q);
	pu_teardown(&pu);
	return (0);
}

static void
count_wired(void *arg)
{
	struct scan *sc = arg;

	sc->sc_count = pmap_page_wired_mappings(pu.pu_ma, sc->sc_page);
}

static void
count_referenced(void *arg)
{
	struct scan *sc = arg;

	sc->sc_count = pmap_ts_referenced(pu.pu_ma, sc->sc_page);
}

/* A scan of a page that two pmaps have wired waits for the first of them. */
static void
scan_begin(struct scan *sc, void (*fn)(void *arg))
{
	uint32_t flags = R | PMAP_ENTER_WIRED;

	memset(sc, 0, sizeof(*sc));
	sc->sc_page = pu_page(&pu);
	assert_int_equal(
	    pmap_enter(p, VA, sc->sc_page, R, flags, 0), KERN_SUCCESS);
	assert_int_equal(
	    pmap_enter(q, VA, sc->sc_page, R, flags, 0), KERN_SUCCESS);
	sc->sc_first = PV_PMAP(sc->sc_page->md.pv_list.pvl_first);
	sc->sc_other = sc->sc_first == p ? q : p;
	PMAP_LOCK(sc->sc_first);
	pu_start(&pu, &sc->sc_thread, 1, fn, sc);
	pu_await_blocked(&sc->sc_thread, &sc->sc_first->pm_mtx.mtx_lock);
}

static void
scan_end(struct scan *sc, int count, uint64_t restarts)
{
	PMAP_UNLOCK(sc->sc_first);
	pu_join(&sc->sc_thread);
	assert_int_equal(sc->sc_count, count);
	assert_int_equal(pu_counter(&pu, CTR_PMAP_TRYFAILS), 1);
	assert_int_equal(pu_counter(&pu, CTR_PV_RESTARTS), restarts);
	pmap_remove(p, VA, VA + 4096);
	pmap_remove(q, VA, VA + 4096);
	pu_page_free(&pu, sc->sc_page);
}

static void
a_scan_goes_on_where_nothing_changed(void **state)
{
	struct scan sc;

	(void)state;
	scan_begin(&sc, count_wired);
	scan_end(&sc, 2, 0);
}

static void
a_scan_starts_again_when_the_page_has_another_list(void **state)
{
	struct scan sc;

	(void)state;
	scan_begin(&sc, count_wired);
	pmap_remove(sc.sc_other, VA, VA + 4096);
	scan_end(&sc, 1, 1);
}

/* As one that enters a mapping of 2 MB does it. */
static void
change_header(const struct vm_page *m)
{
	struct pv_table *pvt = pu.pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, VM_PAGE_TO_PHYS(m), m, &ph);
	pv_word_lock(pvt, ph.ph_word, __FILE__, __LINE__);
	if (!pvt->pvt_gen_embedded)
		md_gen_bump(ph.ph_md);
	pv_word_unlock(pvt, ph.ph_word, true);
}

/* The second list is scanned under both generations ... */
static void
a_scan_starts_again_when_the_header_has_another_list(void **state)
{
	struct scan sc;

	(void)state;
	scan_begin(&sc, count_referenced);
	change_header(sc.sc_page);
	scan_end(&sc, 2, 1);
}

/* ... and a question asks the page's own list first. */
static void
a_question_does_not_care_for_the_header_first(void **state)
{
	struct scan sc;

	(void)state;
	scan_begin(&sc, count_wired);
	change_header(sc.sc_page);
	scan_end(&sc, 2, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_scan_goes_on_where_nothing_changed),
		T(a_scan_starts_again_when_the_page_has_another_list),
		T(a_scan_starts_again_when_the_header_has_another_list),
		T(a_question_does_not_care_for_the_header_first),
	};

	return (pu_run_all_designs(
		    &design, tests, sizeof(tests) / sizeof(tests[0])) != 0);
}
