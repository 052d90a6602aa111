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
waiting_returns_at_once_after_a_free(void **state)
{
	struct vm_page *m = vm_page_alloc(pm.pm_vp, 0, 0);
	uint64_t token = vm_wait_token(pm.pm_vp);

	(void)state;
	vm_page_free(pm.pm_vp, m);
	vm_wait(pm.pm_vp, token);
}

static void
waiting_gives_the_own_cache_back(void **state)
{
	struct vm_page *m = vm_page_alloc(pm.pm_vp, 0, 0);
	uint64_t token = vm_wait_token(pm.pm_vp);

	(void)state;
	vm_page_free(pm.pm_vp, m);
	assert_int_equal(vm_wait_token(pm.pm_vp), token);
	vm_wait(pm.pm_vp, token);
	assert_int_equal(vm_pgcache_count(pm.pm_vp, 0), 0);
}

static void
threads_short_of_memory_wait_and_get_on(void **state)
{
	struct vm_phys_config vpc = { .vpc_limit_pages = 80 };

	(void)state;
	assert_int_equal(phys_open_text(&pm, SMALL_MAP, &vpc), 0);
	phys_run_workers(&pm, 20000, true);
	assert_int_equal(close_pm(NULL), 0);
}

static void
wait_alone(void)
{
	vm_wait(pm.pm_vp, vm_wait_token(pm.pm_vp));
}

static void
waiting_alone_panics(void **state)
{
	(void)state;
	phys_assert_panics(wait_alone, "out of memory");
	/* Nothing is left behind: it can be said again. */
	phys_assert_panics(wait_alone, "out of memory");
}

/* A thread that waits until the test's own thread is idle, or frees a page. */
static void
wait_for_memory(void *arg)
{
	bool *woken = arg;
	struct thread *td = phys_attach(&pm, 0, 0);

	if (td == NULL)
		return;
	vm_wait(pm.pm_vp, vm_wait_token(pm.pm_vp));
	*woken = true;
	phys_detach(&pm, td);
}

static void
start_waiter(bool *woken, void **handlep)
{
	*woken = false;
	assert_int_equal(sim_real_ops.so_thread_create(
			     pm.pm_sim, -1, wait_for_memory, woken, handlep),
	    0);
	/* Acquire: the waiter is on the list before it is counted. */
	while (atomic_load_explicit(&pm.pm_vp->vp_private->vpp_nwaiters,
		   memory_order_acquire) == 0)
		sim_real_ops.so_yield(pm.pm_sim);
}

static void
a_free_wakes_a_waiter(void **state)
{
	struct vm_page *m = vm_page_alloc(pm.pm_vp, 0, 0);
	void *handle;
	bool woken;

	(void)state;
	start_waiter(&woken, &handle);
	/* Not into the cache: somebody waits for it. */
	vm_page_free(pm.pm_vp, m);
	assert_int_equal(sim_real_ops.so_thread_join(pm.pm_sim, handle), 0);
	assert_true(woken);
}

static void
ask_for_a_run(void *arg)
{
	struct thread *td = phys_attach(&pm, 0, 0);
	bool *refused = arg;

	if (td == NULL)
		return;
	*refused = vm_page_alloc_order(pm.pm_vp, 0, 1, VM_PAGE_EXACT) == NULL;
	phys_detach(&pm, td);
}

static uint64_t wanted; /* by the waiter */

static void
wait_for_pages(void *arg)
{
	struct thread *td = phys_attach(&pm, 0, 0);
	bool *woken = arg;

	if (td == NULL)
		return;
	vm_wait_min(pm.pm_vp, wanted);
	*woken = true;
	phys_detach(&pm, td);
}

static void
start(void (*fn)(void *arg), void *arg, void **handlep)
{
	assert_int_equal(
	    sim_real_ops.so_thread_create(pm.pm_sim, -1, fn, arg, handlep), 0);
}

/* Wait until *p is n. */
static void
await64(const _Atomic uint64_t *p, uint64_t n)
{
	/* Relaxed: only the value counts. */
	while (atomic_load_explicit(p, memory_order_relaxed) != n)
		sim_real_ops.so_yield(pm.pm_sim);
}

/*
 * An allocation of a run takes the pages off the count, and gives them back when
 * it finds none: by then somebody may have begun to wait for just these.
 */
static void
a_run_that_is_not_found_strands_nobody(void **state)
{
	struct vm_page *even = NULL, *m, *odd = NULL;
	struct vm_domain *vmd = pm.pm_vp->vp_domains[0];
	bool refused = false, woken = false;
	void *allocator, *waiter;
	uint64_t n = 0;

	(void)state;
	while ((m = vm_page_alloc(pm.pm_vp, 0, VM_PAGE_INTERRUPT)) != NULL) {
		if ((m->phys_addr & PAGE_SIZE) != 0 &&
		    vm_page_domain(pm.pm_vp, m) == 0) {
			m->q_next = odd;
			odd = m;
			n++;
		} else {
			m->q_next = even;
			even = m;
		}
	}
	vm_page_free_list(pm.pm_vp, odd);
	wanted = n - vmd->vmd_free_reserved;

	vm_phys_lock(pm.pm_vp, 0);
	start(ask_for_a_run, &refused, &allocator);
	await64(&vmd->vmd_free_count, n - 2);
	start(wait_for_pages, &woken, &waiter);
	/* Acquire: the waiter is on the list before it is counted. */
	while (atomic_load_explicit(&pm.pm_vp->vp_private->vpp_nwaiters,
		   memory_order_acquire) == 0)
		sim_real_ops.so_yield(pm.pm_sim);
	vm_phys_unlock(pm.pm_vp, 0);

	vm_wait_idle_begin(pm.pm_vp);
	assert_int_equal(sim_real_ops.so_thread_join(pm.pm_sim, allocator), 0);
	assert_int_equal(sim_real_ops.so_thread_join(pm.pm_sim, waiter), 0);
	vm_wait_idle_end(pm.pm_vp);
	assert_true(refused);
	assert_true(woken);
	vm_page_free_list(pm.pm_vp, even);
}

static void
go_idle(void)
{
	vm_wait_idle_begin(pm.pm_vp);
}

static void
idling_while_all_others_wait_panics(void **state)
{
	struct vm_page *m = vm_page_alloc(pm.pm_vp, 0, 0);
	void *handle;
	bool woken;

	(void)state;
	start_waiter(&woken, &handle);
	phys_assert_panics(go_idle, "out of memory");
	vm_wait_idle_end(pm.pm_vp);
	vm_page_free(pm.pm_vp, m);
	assert_int_equal(sim_real_ops.so_thread_join(pm.pm_sim, handle), 0);
	assert_true(woken);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SMALL(waiting_returns_at_once_after_a_free),
		CACHED(waiting_gives_the_own_cache_back),
		SMALL(a_free_wakes_a_waiter),
		CACHED(a_free_wakes_a_waiter),
		SMALL(waiting_alone_panics),
		SMALL(idling_while_all_others_wait_panics),
		SMALL(a_run_that_is_not_found_strands_nobody),
		cmocka_unit_test(threads_short_of_memory_wait_and_get_on),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
