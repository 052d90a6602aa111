/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "phys_fixture.h"

static uint32_t
refs(const struct vm_page *m)
{
	/* Relaxed: one thread. */
	return (atomic_load_explicit(&m->ref_count, memory_order_relaxed));
}

static bool
is_filled(const struct vm_page *m, int byte)
{
	const unsigned char *p = PHYS_TO_DMAP(pm.pm_vp, m->phys_addr);

	for (unsigned i = 0; i < PAGE_SIZE; i++) {
		if (p[i] != byte)
			return (false);
	}
	return (true);
}

static void
fill(const struct vm_page *m, int byte)
{
	memset(PHYS_TO_DMAP(pm.pm_vp, m->phys_addr), byte, PAGE_SIZE);
}

static void
pages_come_as_asked_for(void **state)
{
	struct vm_page *m, *n;
	uint64_t free = vm_free_count(pm.pm_vp, -1);

	(void)state;
	m = vm_page_alloc(pm.pm_vp, 0, 0);
	assert_int_equal(refs(m), 0);
	assert_int_equal(m->pool, VM_FREEPOOL_DEFAULT);
	assert_int_equal(m->oflags, 0);
	n = vm_page_alloc(pm.pm_vp, 1, VM_PAGE_NOOBJ | VM_PAGE_ZERO);
	assert_int_equal(refs(n), 1);
	assert_int_equal(n->pool, VM_FREEPOOL_DIRECT);
	assert_int_equal(n->oflags, VPO_UNMANAGED);
	assert_int_equal(vm_page_domain(pm.pm_vp, n), 1);
	assert_int_equal(vm_free_count(pm.pm_vp, -1), free - 2);
	assert_int_equal(
	    vm_free_count(pm.pm_vp, 1), vm_total_pages(pm.pm_vp, 1) - 1);
	assert_int_equal(sim_counter(pm.pm_sim, CTR_PAGE_ALLOCS), 2);
	n->pindex = 17;
	n->valid = 0xff;
	n->md.pat_mode = 1;
	vm_page_aflag_set(n, PGA_REFERENCED);
	vm_page_dirty(n);
	m->q_next = n;
	vm_page_free_list(pm.pm_vp, m);
	assert_int_equal(refs(n), 0);
	assert_int_equal(n->pindex, 0);
	assert_int_equal(n->valid, 0);
	assert_int_equal(n->md.pat_mode, 0);
	assert_int_equal(vm_page_aflags(n), 0);
	assert_int_equal(n->oflags, 0);
	assert_int_equal(vm_free_count(pm.pm_vp, -1), free);
	assert_int_equal(sim_counter(pm.pm_sim, CTR_PAGE_FREES), 2);
}

static void
zeroed_pages_are_zero_and_others_keep_their_contents(void **state)
{
	struct vm_page *m;

	(void)state;
	/* Never used: zero without being written. */
	m = vm_page_alloc(pm.pm_vp, 0, VM_PAGE_ZERO);
	assert_true(is_filled(m, 0));
	fill(m, 0x5a);
	vm_page_free(pm.pm_vp, m);
	assert_ptr_equal(vm_page_alloc(pm.pm_vp, 0, 0), m);
	assert_true(is_filled(m, 0x5a));
	vm_page_free(pm.pm_vp, m);
	assert_ptr_equal(vm_page_alloc(pm.pm_vp, 0, VM_PAGE_ZERO), m);
	assert_true(is_filled(m, 0));

	/* The promise is believed, once. */
	m->flags |= PG_ZERO;
	vm_page_free(pm.pm_vp, m);
	assert_ptr_equal(vm_page_alloc(pm.pm_vp, 0, VM_PAGE_ZERO), m);
	assert_int_equal(m->flags & PG_ZERO, 0);
	fill(m, 0x5a);
	vm_page_free(pm.pm_vp, m);
	assert_ptr_equal(vm_page_alloc(pm.pm_vp, 0, VM_PAGE_ZERO), m);
	assert_true(is_filled(m, 0));
	fill(m, 1);
	vm_page_zero(pm.pm_vp, m);
	assert_true(is_filled(m, 0));
	vm_page_free(pm.pm_vp, m);
}

static void
orders_and_runs_are_accounted(void **state)
{
	struct vm_page *m, *n;
	uint64_t free = vm_free_count(pm.pm_vp, -1);

	(void)state;
	m = vm_page_alloc_order(pm.pm_vp, 1, 9, VM_PAGE_ZERO);
	assert_int_equal(m->phys_addr & PDRMASK, 0);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(m[i].phys_addr, m->phys_addr + i * 4096);
	n = vm_page_alloc_contig(
	    pm.pm_vp, 0, 10, 0, UINT64_MAX, 0x10000, 0, VM_PAGE_NOOBJ);
	assert_int_equal(n->phys_addr & 0xffff, 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(refs(&n[i]), 1);
	assert_int_equal(vm_free_count(pm.pm_vp, -1), free - 522);
	assert_null(vm_page_alloc_contig(
	    pm.pm_vp, 0, 10, 0x8000000, UINT64_MAX, 0, 0, 0));
	assert_int_equal(vm_free_count(pm.pm_vp, -1), free - 522);
	assert_int_equal(phys_check(&pm), 0);
	for (unsigned i = 0; i < 512; i++)
		vm_page_free(pm.pm_vp, &m[i]);
	for (unsigned i = 0; i < 10; i++)
		vm_page_free(pm.pm_vp, &n[i]);
}

static void
classes_leave_reserves_and_exhaustion_gives_null(void **state)
{
	struct vm_domain *vmd = pm.pm_vp->vp_domains[0];
	struct vm_page *a, *b, *c;
	uint64_t n, total = vm_total_pages(pm.pm_vp, 0);

	(void)state;
	/* 32 + 34 and 1/768 of the domain. */
	assert_int_equal(vmd->vmd_free_reserved, 66 + total / 768);
	a = take_all(0, VM_PAGE_EXACT, &n);
	assert_int_equal(n, total - vmd->vmd_free_reserved);
	b = take_all(0, VM_PAGE_EXACT | VM_PAGE_SYSTEM, &n);
	assert_int_equal(n, vmd->vmd_free_reserved - 2);
	c = take_all(0, VM_PAGE_EXACT | VM_PAGE_INTERRUPT | VM_PAGE_NOOBJ, &n);
	assert_int_equal(n, 2);
	assert_int_equal(vm_free_count(pm.pm_vp, 0), 0);
	assert_int_equal(phys_check(&pm), 0);
	vm_page_free_list(pm.pm_vp, c);
	vm_page_free_list(pm.pm_vp, b);
	vm_page_free_list(pm.pm_vp, a);
	assert_int_equal(vm_free_count(pm.pm_vp, 0), total);
}

static void
other_domains_follow_in_cyclic_order(void **state)
{
	struct vm_page *a, *m;
	uint64_t n;

	(void)state;
	a = take_all(1, VM_PAGE_EXACT, &n);
	m = vm_page_alloc(pm.pm_vp, 1, 0);
	assert_int_equal(vm_page_domain(pm.pm_vp, m), 0);
	assert_null(vm_page_alloc(pm.pm_vp, 1, VM_PAGE_EXACT));
	assert_null(vm_page_alloc_order(pm.pm_vp, 1, 12, VM_PAGE_EXACT));
	vm_page_free(pm.pm_vp, m);
	vm_page_free_list(pm.pm_vp, a);
}

static void
an_order_may_be_missing_though_pages_are_free(void **state)
{
	struct vm_page *a, *m;
	uint64_t free, n;

	(void)state;
	a = take_all(0, VM_PAGE_INTERRUPT, &n);
	/* Free every other page. */
	for (m = a; m != NULL && m->q_next != NULL; m = m->q_next) {
		struct vm_page *victim = m->q_next;

		m->q_next = victim->q_next;
		vm_page_free(pm.pm_vp, victim);
		if (m->q_next == NULL)
			break;
	}
	free = accounted(0);
	assert_true(free > 1000);
	assert_null(vm_page_alloc_order(pm.pm_vp, 0, 1, VM_PAGE_EXACT));
	assert_int_equal(accounted(0), free);
	assert_int_equal(phys_check(&pm), 0);
	vm_page_free_list(pm.pm_vp, a);
}

static struct vm_page *page;

static void
free_page(void)
{
	vm_page_free(pm.pm_vp, page);
}

static void
misuse_panics_with_invariants(void **state)
{
	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	page = vm_page_alloc(pm.pm_vp, 0, 0);
	page->object = (struct vm_object *)page;
	phys_assert_panics(free_page, "freed in use");
	page->object = NULL;
	free_page();
	phys_assert_panics(free_page, "freed twice");
	page = PHYS_TO_VM_PAGE(pm.pm_vp, 0x3fff000);
	phys_assert_panics(free_page, "never allocated");
}

static void
broken_zero_promises_panic_with_diagnostics(void **state)
{
	(void)state;
	if (!DIAGNOSTIC_ENABLED)
		skip();
	page = vm_page_alloc(pm.pm_vp, 0, 0);
	fill(page, 1);
	page->flags |= PG_ZERO;
	phys_assert_panics(free_page, "freed as zero, is not");
	page->flags &= (uint8_t)~PG_ZERO;
	free_page();
}

static void
threads_never_share_a_page(void **state)
{
	(void)state;
	assert_int_equal(phys_open_text(&pm, SMALL_MAP, NULL), 0);
	phys_run_workers(&pm, 20000, false);
	assert_int_equal(close_pm(NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SMALL(pages_come_as_asked_for),
		SMALL(zeroed_pages_are_zero_and_others_keep_their_contents),
		SMALL(orders_and_runs_are_accounted),
		SMALL(classes_leave_reserves_and_exhaustion_gives_null),
		SMALL(other_domains_follow_in_cyclic_order),
		SMALL(an_order_may_be_missing_though_pages_are_free),
		cmocka_unit_test(threads_never_share_a_page),
		SMALL(misuse_panics_with_invariants),
		SMALL(broken_zero_promises_panic_with_diagnostics),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
