/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Each operation on address ranges with superpages, by itself, with every layout and every lock: the
 * lock may live in the generation of the superpage's list.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "superpage_util.h"

#define NOSLEEP PMAP_ENTER_NOSLEEP
#define WIRED   PMAP_ENTER_WIRED

static pt_entry_t
leaf(struct pmap *pmap, unsigned i)
{
	return (pu_leaf(pmap, VA + i * PAGE_SIZE));
}

/* Made at once: modified from the start, no table saved, unless wired. */
static void
enter_by_2mb(void **state)
{
	struct vm_page *m = su_run(), *n = su_run();

	(void)state;
	su_enter_super(su_p, VA, m, R | W, W);
	su_expect(0, 0, 0, 1);
	su_expect_pmap(su_p, NRUN, 2, 0);
	assert_int_equal(leaf(su_p, 0),
	    VM_PAGE_TO_PHYS(m) | PG_V | PG_U | PG_A | PG_MANAGED | PG_PS |
		PG_RW | PG_M | PG_NX);
	assert_int_equal(su_naflag(m, PGA_WRITEABLE), NRUN);
	/* Over a superpage; over a table, with wired mappings. */
	su_enter_super(su_p, VA, n, R, R);
	assert_int_equal(su_ndirty(m), NRUN);
	assert_int_equal(su_nsuper(m), 0);
	su_expect(0, 0, 0, 1);
	pmap_remove(su_p, VA, END);
	su_enter(su_p, VA, n, R, R | WIRED);
	su_enter(su_p, VA + 9 * PAGE_SIZE, n, R, R);
	su_enter_super(su_p, VA, n, R, R | WIRED);
	su_expect(0, 0, 0, 1);
	su_expect_pmap(su_p, NRUN, 2, 1);
	assert_int_equal(pmap_wired_count(su_p), NRUN);
	assert_int_equal(pmap_page_wired_mappings(su_pu.pu_ma, &n[5]), 1);
	/* Its table is there when memory is not. */
	pmap_limit(su_pu.pu_ma, 0, -1);
	pmap_unwire(su_p, VA + PAGE_SIZE, VA + 2 * PAGE_SIZE);
	pmap_limit(su_pu.pu_ma, -1, -1);
	su_expect(0, 1, 0, 0);
	assert_int_equal(pmap_wired_count(su_p), NRUN - 1);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
	su_run_free(n);
}

/* What is short: directory pages, the wired mapping's table, a node, a pv entry. */
static void
enter_by_2mb_without_memory(void **state)
{
	struct vm_page *m = su_run(), *n = su_run();

	(void)state;
	for (int pt = 0; pt < 3; pt++) {
		pmap_limit(su_pu.pu_ma, pt, -1);
		assert_int_equal(
		    pmap_enter(su_p, VA, m, R, R | WIRED | NOSLEEP, 1),
		    KERN_RESOURCE_SHORTAGE);
		su_expect_pmap(su_p, 0, 0, 0);
		su_expect(0, 0, 0, 0);
	}
	pmap_limit(su_pu.pu_ma, -1, 0);
	assert_int_equal(pmap_enter(su_p, VA, m, R, R | WIRED | NOSLEEP, 1),
	    KERN_RESOURCE_SHORTAGE);
	su_expect_pmap(su_p, 0, 0, 0);
	pmap_limit(su_pu.pu_ma, -1, -1);
	su_enter_super(su_p, VA, m, R, R | WIRED);
	su_expect(0, 0, 0, 1);
	kmem_fail_nth(su_pu.pu_ma->ma_kmem, 1);
	assert_int_equal(
	    pmap_enter(su_p, END, n, R, R | WIRED, 1), KERN_RESOURCE_SHORTAGE);
	assert_true(kmem_failed(su_pu.pu_ma->ma_kmem));
	su_expect(0, 0, 0, 0);
	su_expect_pmap(su_p, NRUN, 2, 1);
	pmap_remove(su_p, VA, END);
	/* One that may wait gets what it needs. */
	pmap_limit(su_pu.pu_ma, 0, 0);
	su_enter_super(su_p, VA, m, R, R);
	su_expect(0, 0, 0, 1);
	pmap_limit(su_pu.pu_ma, -1, -1);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
	su_run_free(n);
}

/* A 4 KB mapping into a superpage; a speculative one does nothing. */
static void
enter_into_a_superpage(void **state)
{
	struct vm_page *m = su_run(), *n = su_run();

	(void)state;
	su_enter_super(su_p, VA, m, R, R);
	pmap_enter_quick(su_p, VA, n, R);
	su_expect(0, 0, 0, 1);
	assert_true(su_is_super(su_p, VA));
	su_enter(su_p, VA + PAGE_SIZE, n, R, R);
	su_expect(0, 1, 1, 0);
	su_expect_pmap(su_p, NRUN, 3, 0);
	assert_int_equal(pu_nmappings(&m[1]), 0);
	assert_int_equal(pu_nmappings(&n[1]), 1);
	pmap_remove(su_p, VA, END);

	/* No table: the superpage goes, and then there is a table of its. */
	su_enter_super(su_p, VA, m, R | W, W);
	pmap_limit(su_pu.pu_ma, 0, -1);
	assert_int_equal(
	    pmap_enter(su_p, VA, n, R, R | NOSLEEP, 0), KERN_RESOURCE_SHORTAGE);
	pmap_limit(su_pu.pu_ma, -1, -1);
	su_expect(0, 0, 0, 1);
	su_expect_pmap(su_p, 0, 0, 0);
	assert_int_equal(su_ndirty(m), NRUN);
	su_run_free(m);
	su_run_free(n);
}

/* Links m's pages as those of an object. */
static void
chain(struct vm_page *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		m[i].pindex = i;
		m[i].listq_next = i + 1 < n ? &m[i + 1] : NULL;
	}
}

static void
unchain(struct vm_page *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		m[i].listq_next = NULL;
}

static void
enter_object_by_2mb(void **state)
{
	struct vm_page *m = su_run(), *n = su_run();

	(void)state;
	chain(m, NRUN);
	pmap_enter_object(su_p, VA, END, m, R | W);
	su_expect(0, 0, 0, 1);
	su_expect_pmap(su_p, NRUN, 2, 0);
	assert_int_equal(leaf(su_p, 0),
	    VM_PAGE_TO_PHYS(m) | PG_V | PG_U | PG_MANAGED | PG_PS | PG_NX);
	/* Again: it is there.  Not the whole: nothing is put into it (B10). */
	pmap_enter_object(su_p, VA, END, m, R);
	pmap_enter_object(su_p, VA, END - PAGE_SIZE, m, R);
	su_expect(0, 0, 0, 0);
	pmap_remove(su_p, VA, END);
	/* A table in the place: by 4 KB, what is mapped stays. */
	su_enter(su_p, VA, n, R, R);
	pmap_enter_object(su_p, VA, END, m, R);
	su_expect(0, 0, 1, 0);
	su_expect_pmap(su_p, NRUN, 3, 0);
	assert_int_equal(leaf(su_p, 0) & PG_FRAME, VM_PAGE_TO_PHYS(n));
	pmap_remove(su_p, VA, END);
	/* By 4 KB, as the end is short by one; then the last one promotes. */
	pmap_enter_object(su_p, VA, END - PAGE_SIZE, m, R);
	su_expect(0, 0, 0, 0);
	su_expect_pmap(su_p, NRUN - 1, 3, 0);
	pmap_enter_object(su_p, VA, END, m, R);
	su_expect(1, 0, 0, 0);
	su_expect_pmap(su_p, NRUN, 2, 1);
	pmap_remove(su_p, VA, END);
	/* Not aligned. */
	pmap_enter_object(su_p, VA + PAGE_SIZE, END, m, R);
	su_expect(0, 0, 0, 0);
	su_expect_pmap(su_p, NRUN - 1, 3, 0);
	pmap_remove(su_p, VA, END);
	unchain(m, NRUN);
	su_run_free(m);
	su_run_free(n);
}

/*
 * The table that the last insertion used is promoted, and the next page is of the
 * same 2 MB: it must not go into the saved table (B29).
 */
static void
a_promoted_table_is_no_hint(void **state)
{
	struct vm_page *m = su_run(), *n = su_run();

	(void)state;
	for (unsigned i = 1; i < NRUN; i++)
		su_enter(su_p, VA + i * PAGE_SIZE, m, R, R);
	m[0].pindex = 0;
	m[0].listq_next = &n[1];
	n[1].pindex = 1;
	pmap_enter_object(su_p, VA, END, m, R);
	m[0].listq_next = NULL;
	su_expect(1, 0, 0, 0);
	su_expect_pmap(su_p, NRUN, 2, 1);
	assert_int_equal(pu_nmappings(&n[1]), 0);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
	su_run_free(n);
}

static void
advise_splits_and_unmaps_one(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	su_fill(su_p, VA, m, R | W, W);
	pmap_advise(su_p, VA, VA + 3 * PAGE_SIZE, PMAP_ADVISE_DONTNEED);
	su_expect(1, 1, 0, 0);
	su_expect_pmap(su_p, NRUN - 1, 3, 0);
	assert_int_equal(leaf(su_p, 2), 0);
	assert_int_equal(leaf(su_p, 1) & (PG_A | PG_M | PG_RW), PG_RW);
	assert_int_equal(leaf(su_p, 3) & (PG_A | PG_M), PG_A | PG_M);
	assert_int_equal(su_ndirty(m), 3);
	/* Its use brings the superpage back, once all were written. */
	for (unsigned i = 0; i < 3; i++) {
		if (!pu_mmu(su_p, VA + i * PAGE_SIZE, W))
			su_enter(su_p, VA + i * PAGE_SIZE, m, R | W, W);
	}
	su_expect(1, 0, 0, 0);
	/* Freed, it is not dirty but for the page that went; nor split if gone. */
	for (unsigned i = 0; i < NRUN; i++)
		pu_undirty(&m[i]);
	pmap_advise(su_p, VA, END, PMAP_ADVISE_FREE);
	su_expect(0, 1, 0, 0);
	assert_int_equal(su_ndirty(m), 1);
	assert_int_equal(leaf(su_p, 511), 0);
	pmap_remove(su_p, VA, END);
	/* A wired one keeps all; an unmanaged one is left alone. */
	su_enter_super(su_p, VA, m, R, R | WIRED);
	pmap_advise(su_p, VA, END, PMAP_ADVISE_FREE);
	su_expect(0, 1, 0, 1);
	su_expect_pmap(su_p, NRUN, 3, 0);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
}

static void
unmanaged(struct vm_page *m, bool on)
{
	for (unsigned i = 0; i < NRUN; i++)
		m[i].oflags = on ? VPO_UNMANAGED : 0;
}

static void
unmanaged_superpages(void **state)
{
	struct vm_page *m = su_run();

	(void)state;
	unmanaged(m, true);
	su_fill(su_p, VA, m, R | W, R);
	su_expect(1, 0, 0, 0);
	assert_int_equal(su_nsuper(m), 0);
	assert_int_equal(leaf(su_p, 0) & (PG_M | PG_MANAGED), PG_M);
	pmap_advise(su_p, VA, END, PMAP_ADVISE_FREE);
	pmap_remove_pages(su_p);
	su_expect_pmap(su_p, NRUN, 2, 1);
	pmap_copy(su_q, su_p, VA, NBPDR, VA);
	assert_int_equal(leaf(su_q, 0) & PG_A, PG_A);
	su_expect(0, 0, 0, 1);
	pmap_remove(su_q, VA, VA + PAGE_SIZE);
	pmap_remove(su_p, VA, VA + PAGE_SIZE);
	su_expect(0, 2, 0, 0);
	pmap_remove(su_p, VA, END);
	pmap_remove(su_q, VA, END);
	unmanaged(m, false);
	su_run_free(m);
}

static void
copy_takes_whole_superpages(void **state)
{
	struct vm_page *m = su_run(), *n = su_run(), *k = su_run();

	(void)state;
	su_fill(su_p, VA, m, R | W, W | WIRED);
	su_enter_super(su_p, END, n, R, R);
	su_enter_super(su_p, END + NBPDR, k, R, R);
	su_enter(su_q, END + PAGE_SIZE, n, R, R);
	/* The first whole, the second into a table, the third in part. */
	pmap_copy(su_q, su_p, VA, 2 * NBPDR + PAGE_SIZE, VA);
	su_expect(1, 0, 0, 3);
	su_expect_pmap(su_q, NRUN + 1, 3, 0);
	assert_int_equal(
	    leaf(su_q, 0), (leaf(su_p, 0) & ~(PG_W | PG_A)) | PG_PROMOTED);
	assert_int_equal(su_nsuper(m), 2);
	assert_int_equal(pmap_wired_count(su_q), 0);
	/* Never used by the child: a part of it takes it all. */
	pmap_remove(su_q, VA, VA + PAGE_SIZE);
	su_expect(0, 0, 0, 0);
	su_expect_pmap(su_q, 1, 3, 0);
	pmap_remove(su_q, VA, END + NBPDR);
	/* No directory page: it ends.  No pv entry: passed over. */
	pmap_limit(su_pu.pu_ma, 1, -1);
	pmap_copy(su_q, su_p, VA, 3 * NBPDR, VA);
	su_expect_pmap(su_q, 0, 0, 0);
	pmap_limit(su_pu.pu_ma, -1, 0);
	pmap_copy(su_q, su_p, VA, 3 * NBPDR, VA);
	su_expect_pmap(su_q, 0, 0, 0);
	pmap_limit(su_pu.pu_ma, -1, -1);
	su_expect(0, 0, 0, 0);
	pmap_remove(su_p, VA, END + 2 * NBPDR);
	su_run_free(m);
	su_run_free(n);
	su_run_free(k);
}

/* Where FreeBSD's versions differ; see the table of rules. */
static void
versions_of_copy_and_protect(void **state)
{
	static const char *const versions[] = { "main", "14", "12.3", "12.1" };
	struct vm_page *m;
	char text[128];

	(void)state;
	for (unsigned v = 0; v < 4; v++) {
		(void)snprintf(
		    text, sizeof(text), "%s+pmap=%s", su_design, versions[v]);
		su_again(text);
		m = su_run();
		su_enter_super(su_p, VA, m, R | W | X, W);
		pmap_copy(su_q, su_p, VA, NBPDR, VA);
		assert_int_equal(leaf(su_q, 0) & PG_A, v >= 2 ? PG_A : 0);
		pmap_remove(su_q, VA, END);
		for (unsigned i = 0; i < NRUN; i++)
			pu_undirty(&m[i]);
		pmap_protect(su_p, VA, END, R | W);
		assert_int_equal(su_ndirty(m), v == 3 ? NRUN : 0);
		su_expect(0, 0, 0, 2);
		/* No pv entry: an empty directory page may be left. */
		pmap_limit(su_pu.pu_ma, -1, 0);
		pmap_copy(su_q, su_p, VA, NBPDR, VA);
		pmap_limit(su_pu.pu_ma, -1, -1);
		su_expect_pmap(su_q, 0, v >= 2 ? 2 : 0, 0);
		su_enter(su_q, VA, m, R, R);
		pmap_remove(su_q, VA, END);
		pmap_remove(su_p, VA, END);
		su_expect(0, 0, 0, 0);
		su_run_free(m);
	}
}

static void
exit_takes_superpages(void **state)
{
	struct vm_page *m = su_run(), *n = su_run();

	(void)state;
	su_fill(su_p, VA, m, R | W, W);
	su_enter_super(su_p, END, n, R, R | WIRED);
	su_enter_super(su_q, VA, m, R, R);
	su_expect(1, 0, 0, 2);
	pmap_remove_pages(su_p);
	su_expect(0, 0, 0, 0);
	su_expect_pmap(su_p, NRUN, 2, 1);
	assert_int_equal(su_ndirty(m), NRUN);
	assert_int_equal(su_naflag(m, PGA_REFERENCED), 0);
	/* Another mapping is left, which keeps the hint. */
	assert_int_equal(su_naflag(m, PGA_WRITEABLE), NRUN);
	pmap_remove_pages(su_q);
	assert_int_equal(su_naflag(m, PGA_WRITEABLE), 0);
	pmap_unwire(su_p, END, END + NBPDR);
	pmap_remove_pages(su_p);
	su_expect_pmap(su_p, 0, 0, 0);
	su_run_free(m);
	su_run_free(n);
}

#define T(f) cmocka_unit_test_setup_teardown(f, su_setup, su_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(enter_by_2mb),
		T(enter_by_2mb_without_memory),
		T(enter_into_a_superpage),
		T(enter_object_by_2mb),
		T(a_promoted_table_is_no_hint),
		T(advise_splits_and_unmaps_one),
		T(unmanaged_superpages),
		T(copy_takes_whole_superpages),
		T(versions_of_copy_and_protect),
		T(exit_takes_superpages),
	};

	return (pu_run_all_designs(
		    &su_design, tests, sizeof(tests) / sizeof(tests[0])) != 0);
}
