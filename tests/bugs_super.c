/* SPDX-License-Identifier: BSD-2-Clause */

/* Faults of promotion and demotion, and of what is left of superpages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "bug_util.h"

static void
b7_a_table_made_by_demotion_is_resident(void)
{
	struct vm_page *m;

	bug_begin();
	m = su_run();
	su_enter_super(su_p, VA, m, R | W, W);
	pmap_protect(su_p, VA, VA + PAGE_SIZE, R);
	bug_check(su_pu.pu_ma);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
	bug_end();
}

static void
b8_a_saved_table_is_counted_when_it_goes(void)
{
	struct vm_page *m;

	bug_begin();
	m = su_run();
	su_fill(su_p, VA, m, R | W, W);
	assert_true(su_is_super(su_p, VA));
	pmap_remove(su_p, VA, END);
	bug_check(su_pu.pu_ma);
	su_run_free(m);
	bug_end();
}

/*
 * After MADV_FREE of a superpage all is written anew, page 100 after the page that
 * faults, since it was unmapped.  The promotion that this tries fails for page
 * 100, which must fault, too, so that there is another.
 */
static void
b14_memory_that_was_freed_and_written_is_promoted(void)
{
	const unsigned late = 100, last = NRUN - 1;
	struct vm_page *m;

	bug_begin();
	m = su_run();
	su_fill(su_p, VA, m, R | W, W);
	pmap_advise(su_p, VA, END, PMAP_ADVISE_FREE);
	assert_false(su_is_super(su_p, VA));
	for (unsigned i = 0; i < last; i++) {
		if (i != late)
			assert_true(pu_mmu(su_p, VA + i * PAGE_SIZE, W));
	}
	assert_false(pu_mmu(su_p, VA + last * PAGE_SIZE, W));
	su_enter(su_p, VA + last * PAGE_SIZE, m, R | W, W);
	if (!pu_mmu(su_p, VA + late * PAGE_SIZE, W))
		su_enter(su_p, VA + late * PAGE_SIZE, m, R | W, W);
	if (!su_is_super(su_p, VA))
		bug_caught("all is written, and not promoted\n");
	pmap_remove(su_p, VA, END);
	su_run_free(m);
	bug_end();
}

/* Half of the pages were entered ahead of use, and are not accessed. */
static void
b15_a_table_not_accessed_throughout_is_not_exact(void)
{
	struct vm_page *m;

	bug_begin();
	m = su_run();
	for (unsigned i = 0; i < NRUN / 2; i++)
		pmap_enter_quick(su_p, VA + i * PAGE_SIZE, &m[i], R);
	for (unsigned i = NRUN / 2; i < NRUN; i++)
		su_enter(su_p, VA + i * PAGE_SIZE, m, R, R);
	assert_true(su_is_super(su_p, VA));
	bug_check(su_pu.pu_ma);
	/* And the demotion says so. */
	assert_true(pu_mmu(su_p, VA, R));
	pmap_remove(su_p, END - PAGE_SIZE, END);
	for (unsigned i = 0; i < NRUN - 1; i++) {
		if ((pu_leaf(su_p, VA + i * PAGE_SIZE) & PG_A) == 0)
			bug_caught("a demoted mapping is not accessed\n");
	}
	pmap_remove(su_p, VA, END);
	su_run_free(m);
	bug_end();
}

/* A superpage that was never used is to be split in the middle. */
static void
b20_a_failed_demotion_removes_all(void)
{
	struct vm_page *m;

	bug_begin();
	m = bug_super_object();
	pmap_remove(su_p, VA + 16 * PAGE_SIZE, VA + 20 * PAGE_SIZE);
	bug_check(su_pu.pu_ma);
	assert_int_equal(pmap_extract(su_p, VA), 0);
	su_run_free(m);
	bug_end();
}

/* A page whose memory type has the bit that means 2 MB elsewhere. */
static void
b31_the_memory_type_is_not_the_size(void)
{
	struct vm_page *m;

	bug_begin();
	m = pu_page(&su_pu);
	m->md.pat_mode = 5;
	assert_int_equal(pmap_enter(su_p, VA, m, R, R, 0), 0);
	assert_true((pu_leaf(su_p, VA) & PG_PTE_PAT) != 0);
	pmap_remove_pages(su_p);
	bug_check(su_pu.pu_ma);
	pu_page_free(&su_pu, m);
	bug_end();
}

static void
b33_a_wired_superpage_is_accessed(void)
{
	struct vm_page *m;

	bug_begin();
	m = su_run();
	su_fill(su_p, VA, m, R, R | PMAP_ENTER_WIRED);
	pmap_advise(su_p, VA, END, PMAP_ADVISE_DONTNEED);
	assert_false(su_is_super(su_p, VA));
	su_enter(su_p, VA + 7 * PAGE_SIZE, m, R, R | PMAP_ENTER_WIRED);
	assert_true(su_is_super(su_p, VA));
	bug_check(su_pu.pu_ma);
	pmap_unwire(su_p, VA, END);
	pmap_remove(su_p, VA, END);
	su_run_free(m);
	bug_end();
}

const struct bug_scene bug_scenes_super[] = {
	{ "B7", "a page table made by a demotion is resident",
	    b7_a_table_made_by_demotion_is_resident, "inv 13:", NULL },
	{ "B8", "a saved page table is counted when it goes",
	    b8_a_saved_table_is_counted_when_it_goes, "inv 16:", NULL },
	{ "B14", "memory that was freed and written is promoted again",
	    b14_memory_that_was_freed_and_written_is_promoted,
	    "all is written, and not promoted", NULL },
	{ "B15", "a table not accessed throughout is not saved as exact",
	    b15_a_table_not_accessed_throughout_is_not_exact, "inv 18:", NULL },
	{ "B20", "a demotion that fails removes the whole superpage",
	    b20_a_failed_demotion_removes_all, "is not aligned", NULL },
	{ "B31", "the memory type of a page is not its size",
	    b31_the_memory_type_is_not_the_size, "resident_count", NULL },
	{ "B33", "a wired superpage is accessed",
	    b33_a_wired_superpage_is_accessed, "inv 23:", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};
