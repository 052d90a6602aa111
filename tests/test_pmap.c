/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Each operation of the pmap layer by itself, against what the kernel does.
 * The machine has two segments in superpage 0 and two domains; the checker runs
 * after every step.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "pmap_cases.h"

const char pc_map_lines[] = "0-98000 usable 0\n"
			    "100000-4000000 usable 0\n"
			    "4000000-8000000 usable 1\n";

static const char *design; /* of the tests that run over all */
struct pu pu;
struct pmap *p, *q;

void
pc_begin(const char *d)
{
	pu_setup(&pu, pc_map_lines, d);
	p = pu_pmap(&pu);
	q = pu_pmap(&pu);
}

int
pc_setup(void **state)
{
	(void)state;
	pc_begin(design != NULL ? design : "sparse/gen2");
	return (0);
}

int
pc_teardown(void **state)
{
	(void)state;
	pu_pmap_free(p);
	pu_pmap_free(q);
	pu_teardown(&pu);
	return (0);
}

void
pc_enter(struct pmap *pmap, vm_offset_t va, struct vm_page *m, vm_prot_t prot,
    uint32_t flags)
{
	assert_int_equal(pmap_enter(pmap, va, m, prot, flags, 0), KERN_SUCCESS);
	pu_check(&pu);
}

void
pc_remove(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva)
{
	pmap_remove(pmap, sva, eva);
	pu_check(&pu);
}

struct vm_page *
pc_unmanaged_page(void)
{
	struct vm_page *m = pu_page(&pu);

	m->oflags |= VPO_UNMANAGED;
	return (m);
}

void
pc_assert_leaf(
    struct pmap *pmap, vm_offset_t va, const struct vm_page *m, pt_entry_t bits)
{
	assert_int_equal(pu_leaf(pmap, va), VM_PAGE_TO_PHYS(m) | PG_V | bits);
}

/* All layouts and locks: a core of it. */

static void
core_operations(void **state)
{
	/* One page in each of the segments of superpage 0, and elsewhere. */
	static const vm_paddr_t pas[] = { 0x90000, 0x100000, 0x200000,
		0x3fff000, 0x4000000, 0x7fff000 };
	struct vm_page *m[6];
	struct pmap *pmaps[] = { p, q };
	uint32_t gen;

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		m[i] = pu_page_at(&pu, pas[i]);
	for (unsigned i = 0; i < 12; i++)
		pc_enter(pmaps[i % 2], VA + i * 4096, m[i / 2], R | W,
		    i % 3 == 0 ? W : R);
	/* Replacements within a superpage and across. */
	pc_enter(p, VA, m[1], R | W, W);
	pc_enter(p, VA, m[5], R | W, R);
	pc_enter(p, VA, m[0], R | W, W);
	assert_true(pu_dirty(m[0]) && pu_dirty(m[1]));
	assert_true(pmap_is_modified(pu.pu_ma, m[0]));
	pmap_clear_modify(pu.pu_ma, m[0]);
	assert_false(pmap_is_modified(pu.pu_ma, m[0]));
	assert_true(pmap_is_referenced(pu.pu_ma, m[4]));
	assert_int_equal(pmap_ts_referenced(pu.pu_ma, m[4]), 2);
	assert_false(pmap_is_referenced(pu.pu_ma, m[4]));
	pu_check(&pu);
	pmap_remove_write(pu.pu_ma, m[3]);
	pu_check(&pu);
	assert_false(pu_aflag(m[3], PGA_WRITEABLE));
	assert_true(pmap_page_exists_quick(p, m[3]));
	assert_int_equal(pmap_page_wired_mappings(pu.pu_ma, m[3]), 0);
	gen = md_gen(&m[3]->md);
	pmap_remove_all(pu.pu_ma, m[3]);
	pu_check(&pu);
	assert_int_equal(md_gen(&m[3]->md), gen + 2); /* one a mapping */
	assert_false(pmap_page_is_mapped(pu.pu_ma, m[3]));
	pmap_protect(p, VA, VA + MB(2), R);
	pmap_copy(q, p, VA, MB(2), VA);
	pu_check(&pu);
	pmap_remove_pages(q);
	pu_check(&pu);
	pc_remove(p, 0, VM_MAXUSER_ADDRESS);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(pu_nmappings(m[i]), 0);
		pu_page_free(&pu, m[i]);
	}
}

/* Readers take a lock that has a shared mode in that mode. */
static void
readers_share_a_shared_lock(void **state)
{
	struct vm_page *m = pu_page(&pu);
	struct pv_table *pvt = pu.pu_ma->ma_pvt;
	struct pv_header ph;

	(void)state;
	pvt->pvt_ops->pvl_lookup(pvt, m->phys_addr, m, &ph);
	if (pvt->pvt_lock_ops->plo_rlock != NULL) {
		pvt->pvt_lock_ops->plo_rlock(ph.ph_word);
		/* With a writer's lock this would hang. */
		assert_false(pmap_page_is_mapped(pu.pu_ma, m));
		assert_false(pmap_is_referenced(pu.pu_ma, m));
		assert_false(pmap_page_exists_quick(p, m));
		pvt->pvt_lock_ops->plo_runlock(ph.ph_word);
	}
	pu_page_free(&pu, m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, pc_setup, pc_teardown)

static const struct {
	const char *name;
	const struct pmap_cases *cases;
} groups[] = {
	{ "pmap enter", &pmap_cases_enter },
	{ "pmap remove", &pmap_cases_remove },
	{ "pmap range", &pmap_cases_range },
	{ "pmap chunk", &pmap_cases_chunk },
	/* Leaves a machine behind. */
	{ "pmap short", &pmap_cases_short },
};

int
main(void)
{
	const struct CMUnitTest every_design[] = {
		T(core_operations),
		T(remove_pages_ends_a_process),
		T(readers_share_a_shared_lock),
	};
	char name[64];
	int failed = 0;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		failed += _cmocka_run_group_tests(groups[i].name,
		    groups[i].cases->pc_tests, groups[i].cases->pc_n, NULL,
		    NULL);
	design = name;
	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		for (unsigned k = 0; k < PU_NLOCKS; k++) {
			(void)snprintf(name, sizeof(name), "%s/%s%s",
			    pu_layouts[l], pu_locks[k],
			    (l + k) % 2 != 0 ? "+batch" : "");
			failed += cmocka_run_group_tests_name(
			    name, every_design, NULL, NULL);
		}
	}
	return (failed == 0 ? 0 : 1);
}
