/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Threads with more objects than memory: reservations are made, broken, searched
 * for runs and given back all at once.  Each page is stamped while a thread has
 * it.  Who finds no page waits for one, so a page that nobody can find any more
 * ends the test by a panic, "out of memory".
 */

#include "reserv_util.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define THREADS 6
#define PAGES   (2 * RUN)
#define ROUNDS  (INVARIANTS_ENABLED ? 300 : 3000)
#define LIMIT   3000 /* of THREADS * PAGES: 6,144 */

static _Atomic unsigned lost;
static _Atomic uint64_t runs;

struct worker {
	uint64_t wk_x;
	struct vm_object *wk_object;
};

static uint64_t *
stamp_of(const struct vm_page *m)
{
	return (PHYS_TO_DMAP(ru_vp, VM_PAGE_TO_PHYS(m)));
}

/* Relaxed, here and below: sums for the main thread, which joins. */
static void
check_stamp(const struct vm_page *m, const void *owner)
{
	if (*stamp_of(m) != (uint64_t)(uintptr_t)owner)
		atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
}

static void
drop_all(struct worker *wk)
{
	struct vm_object *obj = wk->wk_object;

	VM_OBJECT_WLOCK(obj);
	while (obj->memq_first != NULL) {
		check_stamp(obj->memq_first, wk);
		vm_object_free_page(obj, obj->memq_first);
	}
	VM_OBJECT_WUNLOCK(obj);
}

/* The object ends, with what it has, while others break its reservations. */
static void
replace(struct worker *wk)
{
	vm_object_destroy(wk->wk_object);
	wk->wk_object = ru_object(PAGES, true);
}

/* Some pages in a row of the object, as far as there is memory. */
static bool
grow(struct worker *wk)
{
	struct vm_object *obj = wk->wk_object;
	vm_pindex_t first = ru_random(&wk->wk_x) % PAGES, i, last;
	struct vm_page *m = NULL, *p;
	bool enough = true;

	last = first + 64 < PAGES ? first + 64 : PAGES;
	VM_OBJECT_WLOCK(obj);
	for (i = first; i < last && enough; i++) {
		for (p = obj->memq_last; p != NULL && p->pindex > i;)
			p = p->listq_prev;
		if (p != NULL && p->pindex == i)
			continue;
		m = vm_object_alloc_page(obj, i, 0);
		enough = m != NULL;
		if (enough)
			*stamp_of(m) = (uint64_t)(uintptr_t)wk;
	}
	VM_OBJECT_WUNLOCK(obj);
	return (enough);
}

static void
shrink(struct worker *wk)
{
	struct vm_object *obj = wk->wk_object;
	struct vm_page *m, *next;

	VM_OBJECT_WLOCK(obj);
	for (m = obj->memq_first; m != NULL; m = next) {
		next = m->listq_next;
		if (ru_random(&wk->wk_x) % 4 == 0) {
			check_stamp(m, wk);
			vm_object_free_page(obj, m);
		}
	}
	if (ru_random(&wk->wk_x) % 16 == 0)
		vm_reserv_break_all(ru_vp, obj);
	VM_OBJECT_WUNLOCK(obj);
}

/* A run of pages, as for a device. */
static void
take_a_run(struct worker *wk)
{
	int order = 1 + (int)(ru_random(&wk->wk_x) % 7);
	struct vm_page *m = vm_page_alloc_order(ru_vp, 0, order, 0);

	if (m == NULL)
		return;
	for (int i = 0; i < 1 << order; i++)
		*stamp_of(&m[i]) = (uint64_t)(uintptr_t)&m[i];
	for (int i = 0; i < 1 << order; i++) {
		check_stamp(&m[i], &m[i]);
		m[i].q_next = i + 1 < 1 << order ? &m[i + 1] : NULL;
	}
	vm_page_free_list(ru_vp, m);
	atomic_fetch_add_explicit(&runs, 1, memory_order_relaxed);
}

static void
work(void *arg)
{
	struct worker *wk = arg;
	uint64_t token;

	for (int i = 0; i < ROUNDS; i++) {
		atomic_fetch_add_explicit(&ru_ticks, 1, memory_order_relaxed);
		switch (ru_random(&wk->wk_x) % 8) {
		case 0:
			if (i % 2 == 0)
				drop_all(wk);
			else
				replace(wk);
			break;
		case 1:
			shrink(wk);
			break;
		case 2:
			take_a_run(wk);
			break;
		default:
			token = vm_wait_token(ru_vp);
			if (grow(wk))
				break;
			/* Others need what this one has before it waits. */
			drop_all(wk);
			if (vm_wait_token(ru_vp) == token)
				vm_wait(ru_vp, token);
		}
	}
	drop_all(wk);
}

/* All pages go to one who asks for single ones, and to many who do. */
static void
take_single_pages(void *arg)
{
	struct vm_page *first = NULL, *m;
	uint64_t token;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		for (int n = 0; n < 200; n++) {
			token = vm_wait_token(ru_vp);
			m = vm_page_alloc(ru_vp, 0, VM_PAGE_NOOBJ);
			if (m == NULL) {
				vm_page_free_list(ru_vp, first);
				first = NULL;
				vm_wait(ru_vp, token);
				continue;
			}
			m->q_next = first;
			first = m;
		}
		vm_page_free_list(ru_vp, first);
		first = NULL;
	}
}

static void
no_page_is_lost_under_shortage(void **state)
{
	struct pu_thread threads[THREADS + 2];
	struct worker workers[THREADS];
	uint64_t seed = ru_seed();

	(void)state;
	ru_setup(NULL, LIMIT);
	for (int i = 0; i < THREADS; i++) {
		workers[i].wk_x = seed + (uint64_t)i;
		workers[i].wk_object = ru_object(PAGES, true);
	}
	machine_thread_idle_begin(ru_pu.pu_ma);
	for (int i = 0; i < THREADS + 2; i++)
		pu_start(&ru_pu, &threads[i], (unsigned)i % 8,
		    i < THREADS ? work : take_single_pages,
		    i < THREADS ? &workers[i] : NULL);
	for (int i = 0; i < THREADS + 2; i++)
		pu_join(&threads[i]);
	machine_thread_idle_end(ru_pu.pu_ma);
	assert_int_equal(lost, 0);
	assert_true(runs > 0);
	for (int i = 0; i < THREADS; i++)
		vm_object_destroy(workers[i].wk_object);
	ru_teardown();
}

static _Atomic bool broken;

static void
break_one(void *arg)
{
	(void)arg;
	if (!vm_reserv_reclaim_inactive(ru_vp, 0))
		panic("there is no reservation to break");
	/* Relaxed: what it wrote is not to be ordered by the test. */
	atomic_store_explicit(&broken, true, memory_order_relaxed);
}

/*
 * An object has a reservation and no page in it: a rename brought it, and the page
 * has gone again.  Who breaks it has nothing to do with the object, which ends
 * after that.  A sanitizer sees whether the two agree on a lock.
 */
static void
an_object_ends_after_others_broke_its_reservation(void **state)
{
	struct vm_object *from, *to;
	struct pu_thread thread;
	struct vm_page *m, *rest;

	(void)state;
	ru_setup(NULL, 0);
	from = ru_object(RUN, false);
	to = ru_object(RUN, false);
	m = ru_alloc(from, 0);
	rest = ru_alloc(from, 1);
	ru_rename(m, to, 0);
	ru_free(m);
	assert_ptr_equal(to->rvq.rvh_first, ru_reserv(rest));
	pu_start(&ru_pu, &thread, 1, break_one, NULL);
	/* Relaxed: as above. */
	while (!atomic_load_explicit(&broken, memory_order_relaxed))
		sched_yield();
	vm_object_destroy(to);
	pu_join(&thread);
	assert_int_equal(vm_reserv_level(ru_vp, rest), -1);
	vm_object_destroy(from);
	ru_teardown();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_object_ends_after_others_broke_its_reservation),
		cmocka_unit_test(no_page_is_lost_under_shortage),
	};

	return (cmocka_run_group_tests_name("reserv", tests, NULL, NULL));
}
