/* SPDX-License-Identifier: BSD-2-Clause */

/* Faults of making mappings. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "bug_util.h"
#include "pmapsim/mmu.h"

struct b3 {
	vm_paddr_t b3_other; /* what each CPU saw */
	vm_paddr_t b3_stale;
};

static void
b3_point(struct machine *ma, enum test_point tp, void *arg)
{
	struct b3 *s = arg;

	if (tp != TP_ENTER_STORED)
		return;
	(void)mmu_access(ma, 2, VA, R, &s->b3_other);
	(void)mmu_access(ma, 1, VA, R, &s->b3_stale);
}

/*
 * CPU 1 has the old page in its TLB.  The page is replaced, as after a write to a
 * copy-on-write page.  Once CPU 2 has seen the new page, CPU 1 must, too.
 */
static void
b3_all_see_the_new_page_or_none(void)
{
	struct vm_page *a, *b;
	struct b3 s = { 0 };

	bug_begin();
	a = pu_page(&su_pu);
	b = pu_page(&su_pu);
	assert_int_equal(pmap_enter(su_p, VA, a, R, R, 0), 0);
	pmap_activate(su_p, 1);
	pmap_activate(su_p, 2);
	assert_int_equal(mmu_access(su_pu.pu_ma, 1, VA, R, NULL), MMU_OK);
	test_point_set(su_pu.pu_ma, b3_point, &s);
	assert_int_equal(pmap_enter(su_p, VA, b, R | W, W, 0), 0);
	test_point_set(su_pu.pu_ma, NULL, NULL);
	if (s.b3_other != s.b3_stale)
		bug_caught("one CPU has seen the new page, another the old\n");
	pmap_deactivate(su_pu.pu_ma, 1);
	pmap_deactivate(su_pu.pu_ma, 2);
	pmap_remove(su_p, VA, END);
	pu_page_free(&su_pu, a);
	pu_page_free(&su_pu, b);
	bug_end();
}

static struct vm_page *hoard;

static void
b4_point(struct machine *ma, enum test_point tp, void *arg)
{
	(void)ma;
	(void)arg;
	if (tp == TP_ENTER_DISPLACED)
		pu_hoard(&su_pu, &hoard, 0);
}

/*
 * A chunk is full of mappings by one page table, another has one entry: of the
 * mapping, by the same table, that is replaced.  No page is free, and what the
 * second chunk gives back is taken by somebody else.
 */
static void
b4_the_page_table_stays_while_an_entry_is_had(void)
{
	struct vm_page *m;

	bug_begin();
	m = pu_pages(&su_pu, VM_LEVEL_0_ORDER);
	for (unsigned i = 0; i <= _NPCPV; i++)
		su_enter(su_p, VA + i * PAGE_SIZE, m, R, R);
	pu_hoard(&su_pu, &hoard, 0);
	test_point_set(su_pu.pu_ma, b4_point, NULL);
	assert_int_equal(
	    pmap_enter(su_p, VA + _NPCPV * PAGE_SIZE, &m[NRUN - 1], R, R, 0),
	    KERN_SUCCESS);
	test_point_set(su_pu.pu_ma, NULL, NULL);
	bug_check(su_pu.pu_ma);
	pu_unhoard(&su_pu, &hoard);
	pmap_remove(su_p, VA, END);
	pu_pages_free(&su_pu, m, VM_LEVEL_0_ORDER);
	bug_end();
}

/* The same run is entered twice, as by two threads that map one file. */
static void
b10_what_is_mapped_by_2mb_is_left_so(void)
{
	struct vm_page *m;

	bug_begin();
	m = bug_super_object();
	bug_object(m, 3);
	pmap_enter_object(su_p, VA, END, m, R);
	bug_check(su_pu.pu_ma);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
	bug_end();
}

static void
b11_a_copy_that_ends_leaves_no_page_table(void)
{
	struct vm_page *m;

	bug_begin();
	m = pu_page(&su_pu);
	assert_int_equal(pmap_enter(su_p, VA, m, R, R, 0), 0);
	pmap_limit(su_pu.pu_ma, -1, 0);
	pmap_copy(su_q, su_p, VA, NBPDR, VA);
	pmap_limit(su_pu.pu_ma, -1, -1);
	bug_check(su_pu.pu_ma);
	pmap_remove(su_p, VA, END);
	pu_page_free(&su_pu, m);
	bug_end();
}

/* Part of a locked superpage is unlocked, and there is no memory. */
static void
b12_a_wired_superpage_can_be_demoted(void)
{
	struct vm_page *m;

	bug_begin();
	m = su_run();
	su_enter_super(su_p, VA, m, R, R | PMAP_ENTER_WIRED);
	pmap_limit(su_pu.pu_ma, 0, -1);
	pmap_unwire(su_p, VA, VA + PAGE_SIZE);
	pmap_limit(su_pu.pu_ma, -1, -1);
	bug_check(su_pu.pu_ma);
	pmap_unwire(su_p, VA + PAGE_SIZE, END);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
	bug_end();
}

/* There is memory for two directories, and none for the table to save. */
static void
b13_a_superpage_not_made_leaves_no_directory(void)
{
	struct vm_page *m;

	bug_begin();
	m = su_run();
	pmap_limit(su_pu.pu_ma, 2, -1);
	assert_int_equal(pmap_enter(su_p, VA, m, R,
			     R | PMAP_ENTER_WIRED | PMAP_ENTER_NOSLEEP, 1),
	    KERN_RESOURCE_SHORTAGE);
	pmap_limit(su_pu.pu_ma, -1, -1);
	bug_check(su_pu.pu_ma);
	su_run_free(m);
	bug_end();
}

static void
b16_an_empty_table_is_not_saved_as_exact(void)
{
	struct vm_page *m;

	bug_begin();
	m = su_run();
	su_enter_super(su_p, VA, m, R, R | PMAP_ENTER_WIRED);
	bug_check(su_pu.pu_ma);
	pmap_unwire(su_p, VA, END);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
	bug_end();
}

/* Page 5 completes a page table, which is promoted; page 6 has its address. */
static void
b29_a_promoted_table_is_no_hint(void)
{
	struct vm_page *m;

	bug_begin();
	m = su_run();
	bug_object(m, NRUN);
	for (unsigned i = 0; i < NRUN; i++) {
		if (i != 5)
			su_enter(su_p, VA + i * PAGE_SIZE, m, R, R);
	}
	pmap_enter_object(
	    su_p, VA + 5 * PAGE_SIZE, VA + 8 * PAGE_SIZE, &m[5], R);
	assert_true(su_is_super(su_p, VA));
	pmap_remove(su_p, VA, END);
	su_run_free(m);
	bug_end();
}

const struct bug_scene bug_scenes_enter[] = {
	{ "B3", "all CPUs see the new page, or none",
	    b3_all_see_the_new_page_or_none, "one CPU has seen the new page",
	    "sparse/rwlock+tlb=assoc" },
	{ "B4", "a page table in use stays while a pv entry is had",
	    b4_the_page_table_stays_while_an_entry_is_had, "inv 3:", NULL },
	{ "B10", "what is mapped by 2 MB is left so",
	    b10_what_is_mapped_by_2mb_is_left_so, "inv 2:", NULL },
	{ "B11", "a copy that ends leaves no page table",
	    b11_a_copy_that_ends_leaves_no_page_table, "inv 17:", NULL },
	{ "B12", "a wired superpage can be demoted without memory",
	    b12_a_wired_superpage_can_be_demoted, "wired mapping", NULL },
	{ "B13", "a superpage that is not made leaves no directory page",
	    b13_a_superpage_not_made_leaves_no_directory, "inv 17:", NULL },
	{ "B16", "a table that is not filled is not saved as exact",
	    b16_an_empty_table_is_not_saved_as_exact, "inv 18:", NULL },
	{ "B29", "a promoted page table is no hint",
	    b29_a_promoted_table_is_no_hint, "is no page table of va", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};
