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

static void
caches_import_buckets_and_keep_freed_pages(void **state)
{
	struct vm_page *m, *n;
	uint64_t free = vm_free_count(pm.pm_vp, 0);
	uint64_t cached;

	(void)state;
	m = vm_page_alloc(pm.pm_vp, 0, 0);
	assert_int_not_equal(m->flags & PG_PCPU_CACHE, 0);
	assert_int_equal(m->phys_addr, 0x1000000);
	cached = vm_pgcache_count(pm.pm_vp, 0);
	assert_true(cached > 0);
	/* Cached pages are free to users, not to the accounting. */
	assert_int_equal(vm_free_count(pm.pm_vp, 0), free - 1);
	assert_int_equal(accounted(0), free - 1 - cached);
	assert_int_equal(phys_check(&pm), 0);
	n = vm_page_alloc(pm.pm_vp, 0, 0);
	assert_int_equal(n->phys_addr, 0x1001000);
	assert_int_equal(vm_pgcache_count(pm.pm_vp, 0), cached - 1);
	vm_page_free(pm.pm_vp, m);
	assert_int_equal(vm_pgcache_count(pm.pm_vp, 0), cached);
	assert_ptr_equal(vm_page_alloc(pm.pm_vp, 0, VM_PAGE_ZERO), m);
	vm_page_free(pm.pm_vp, m);
	vm_page_free(pm.pm_vp, n);
	assert_int_equal(vm_free_count(pm.pm_vp, 0), free);
	assert_int_equal(vm_pgcache_drain(pm.pm_vp), cached + 1);
	assert_int_equal(accounted(0), free);
}

static void
each_domain_has_a_cache_of_its_own(void **state)
{
	uint64_t cached;
	struct vm_page *m;

	(void)state;
	assert_int_equal(pm.pm_td->td_domain, 0);
	m = vm_page_alloc(pm.pm_vp, 1, 0);
	assert_int_equal(vm_page_domain(pm.pm_vp, m), 1);
	assert_int_not_equal(m->flags & PG_PCPU_CACHE, 0);
	cached = vm_pgcache_count(pm.pm_vp, 1);
	assert_true(cached > 0);
	assert_int_equal(vm_pgcache_count(pm.pm_vp, 0), 0);
	vm_page_free(pm.pm_vp, m);
	assert_int_equal(vm_pgcache_count(pm.pm_vp, 1), cached + 1);
	assert_int_equal(vm_pgcache_count(pm.pm_vp, 0), 0);
	assert_int_equal(phys_check(&pm), 0);
	m = vm_page_alloc(pm.pm_vp, 0, 0);
	assert_int_equal(vm_page_domain(pm.pm_vp, m), 0);
	vm_page_free(pm.pm_vp, m);
	assert_int_equal(vm_pgcache_drain(pm.pm_vp), 2 * (cached + 1));
	assert_int_equal(accounted(1), vm_total_pages(pm.pm_vp, 1));
}

static void
a_full_cache_returns_a_bucket(void **state)
{
	static struct vm_page *pages[2000];
	uint64_t free;

	(void)state;
	for (int d = 0; d < 2; d++) {
		free = vm_free_count(pm.pm_vp, d);
		for (int i = 0; i < 2000; i++)
			pages[i] = vm_page_alloc(pm.pm_vp, d, VM_PAGE_NOOBJ);
		for (int i = 0; i < 2000; i++) {
			vm_page_free(pm.pm_vp, pages[i]);
			assert_true(
			    vm_pgcache_count(pm.pm_vp, d) <= VM_PGCACHE_MAX);
		}
		assert_int_equal(vm_free_count(pm.pm_vp, d), free);
		assert_int_equal(phys_check(&pm), 0);
	}
}

static void
an_allocation_that_would_fail_drains_the_own_cache(void **state)
{
	struct vm_page *a, *b;
	uint64_t n, total = vm_total_pages(pm.pm_vp, 0);

	(void)state;
	vm_page_free(pm.pm_vp, vm_page_alloc(pm.pm_vp, 0, VM_PAGE_NOOBJ));
	assert_true(vm_pgcache_count(pm.pm_vp, 0) > 0);
	a = take_all(0, VM_PAGE_EXACT | VM_PAGE_INTERRUPT, &n);
	assert_int_equal(n, total);
	b = take_all(0, VM_PAGE_EXACT | VM_PAGE_INTERRUPT, &n);
	assert_null(b);
	vm_page_free_list(pm.pm_vp, a);
}

static void
a_free_while_others_wait_drains_the_own_cache(void **state)
{
	struct vm_page *m;

	(void)state;
	m = vm_page_alloc(pm.pm_vp, 0, 0);
	vm_page_free(pm.pm_vp, vm_page_alloc(pm.pm_vp, 1, 0));
	for (int d = 0; d < 2; d++)
		assert_true(vm_pgcache_count(pm.pm_vp, d) > 0);
	/* Relaxed: one thread. */
	atomic_store_explicit(
	    &pm.pm_vp->vp_private->vpp_nwaiters, 1, memory_order_relaxed);
	vm_page_free(pm.pm_vp, m);
	for (int d = 0; d < 2; d++) {
		assert_int_equal(vm_pgcache_count(pm.pm_vp, d), 0);
		assert_int_equal(accounted(d), vm_total_pages(pm.pm_vp, d));
	}
}

static void
small_domains_have_no_caches(void **state)
{
	struct vm_page *m;

	(void)state;
	assert_false(pm.pm_vp->vp_domains[0]->vmd_has_pgcache);
	m = vm_page_alloc(pm.pm_vp, 0, 0);
	assert_int_equal(m->flags & PG_PCPU_CACHE, 0);
	vm_page_free(pm.pm_vp, m);
	assert_int_equal(vm_pgcache_count(pm.pm_vp, 0), 0);
}

static void
caches_can_be_switched_off(void **state)
{
	struct vm_phys_config vpc = { .vpc_no_page_cache = true };

	(void)state;
	assert_int_equal(phys_open_text(&pm, CACHE_MAP, &vpc), 0);
	assert_false(pm.pm_vp->vp_domains[0]->vmd_has_pgcache);
	assert_int_equal(close_pm(NULL), 0);
}

static void
detaching_gives_the_cache_back(void **state)
{
	(void)state;
	vm_page_free(pm.pm_vp, vm_page_alloc(pm.pm_vp, 0, 0));
	assert_true(vm_pgcache_count(pm.pm_vp, 0) > 0);
	vm_pgcache_detach(pm.pm_vp, pm.pm_td);
	assert_int_equal(vm_pgcache_count(pm.pm_vp, 0), 0);
	assert_int_equal(accounted(0), vm_total_pages(pm.pm_vp, 0));
	assert_int_equal(vm_pgcache_attach(pm.pm_vp, pm.pm_td), 0);
}

static void
attaching_fails_cleanly(void **state)
{
	struct thread *td = pm.pm_td;

	(void)state;
	/* A cache that a thread has left is used again, without allocating. */
	vm_pgcache_detach(pm.pm_vp, td);
	kmem_fail_nth(pm.pm_kmem, 1);
	assert_int_equal(vm_pgcache_attach(pm.pm_vp, td), 0);
	assert_false(kmem_failed(pm.pm_kmem));
	vm_pgcache_detach(pm.pm_vp, td);
	td->td_domain = 1;
	kmem_fail_nth(pm.pm_kmem, 1);
	assert_int_equal(vm_pgcache_attach(pm.pm_vp, td), ENOMEM);
	assert_null(td->td_pgcache);
	kmem_fail_nth(pm.pm_kmem, 0);
	assert_int_equal(vm_pgcache_attach(pm.pm_vp, td), 0);
}

static void
threads_with_caches_never_share_a_page(void **state)
{
	(void)state;
	assert_int_equal(phys_open_text(&pm, CACHE_MAP, NULL), 0);
	phys_run_workers(&pm, 20000, false);
	assert_int_equal(close_pm(NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CACHED(caches_import_buckets_and_keep_freed_pages),
		CACHED(each_domain_has_a_cache_of_its_own),
		CACHED(a_full_cache_returns_a_bucket),
		CACHED(an_allocation_that_would_fail_drains_the_own_cache),
		CACHED(a_free_while_others_wait_drains_the_own_cache),
		cmocka_unit_test_setup_teardown(
		    small_domains_have_no_caches, open_small, close_pm),
		cmocka_unit_test(caches_can_be_switched_off),
		CACHED(detaching_gives_the_cache_back),
		CACHED(attaching_fails_cleanly),
		cmocka_unit_test(threads_with_caches_never_share_a_page),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
