/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pmap/pmap_var.h"
#include "vm/vm_object.h"
#include "workload_util.h"

#define RUN 512u /* pages of a superpage */

static struct machine *m; /* one for each test, attached */

static int
setup(void **state)
{
	(void)state;
	m = machine_of(map_two_domains, "sparse/rwlock", NULL);
	assert_int_equal(machine_thread_attach(m, 0), 0);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	machine_thread_detach(m);
	machine_end(m);
	return (0);
}

static void
count_violation(void *arg, const char *text)
{
	unsigned *n = arg;

	(void)text;
	(*n)++;
}

static unsigned
violations(struct vm_object *obj)
{
	unsigned n, told = 0;

	n = vm_object_check(obj, count_violation, &told);
	assert_int_equal(n, told);
	return (n);
}

static struct vm_object *
object_of(vm_pindex_t size, int domain, enum vm_object_fill fill)
{
	struct vm_object *obj;

	assert_int_equal(vm_object_create(m, size, domain, fill, &obj), 0);
	assert_int_equal(violations(obj), 0);
	assert_int_equal(
	    obj->resident_page_count, fill == VM_OBJECT_EMPTY ? 0 : size);
	return (obj);
}

static vm_paddr_t
superpage_of(const struct vm_page *p)
{
	return (VM_PAGE_TO_PHYS(p) >> PDRSHIFT);
}

static void
full_object_is_made_of_aligned_superpages(void **state)
{
	struct vm_object *obj = object_of(3 * RUN, 0, VM_OBJECT_RUNS);
	vm_pindex_t i = 0;

	(void)state;
	for (struct vm_page *p = obj->memq_first; p != NULL;
	     p = p->listq_next, i++) {
		assert_int_equal(p->pindex, i);
		assert_int_equal(
		    (VM_PAGE_TO_PHYS(p) >> PAGE_SHIFT) % RUN, i % RUN);
		if (i % RUN != 0)
			assert_int_equal(
			    superpage_of(p), superpage_of(p->listq_prev));
	}
	assert_int_equal(i, 3 * RUN);
	vm_object_destroy(obj);
}

static void
scattered_neighbours_lie_in_different_superpages(void **state)
{
	struct vm_object *obj = object_of(4 * RUN, 0, VM_OBJECT_SCATTERED);
	struct vm_page *p = obj->memq_first;

	(void)state;
	for (; p->listq_next != NULL; p = p->listq_next)
		assert_int_not_equal(
		    superpage_of(p), superpage_of(p->listq_next));
	vm_object_destroy(obj);
}

static void
remainder_of_a_superpage_comes_in_single_pages(void **state)
{
	struct vm_object *obj = object_of(RUN + 3, 0, VM_OBJECT_RUNS);

	(void)state;
	assert_int_equal(obj->memq_last->pindex, RUN + 2);
	vm_object_destroy(obj);
	obj = object_of(1, 0, VM_OBJECT_SCATTERED);
	assert_ptr_equal(obj->memq_first, obj->memq_last);
	vm_object_destroy(obj);
}

static void
pages_say_whose_they_are_until_they_are_removed(void **state)
{
	struct vm_object *obj = object_of(2, 0, VM_OBJECT_RUNS);
	struct vm_page *p = obj->memq_last;

	(void)state;
	assert_ptr_equal(p->object, obj);
	assert_int_equal(p->pindex, 1);
	assert_int_equal(p->ref_count, VPRC_OBJREF);
	assert_int_equal(p->valid, 0xff);
	VM_OBJECT_WLOCK(obj);
	vm_page_remove(p);
	VM_OBJECT_WUNLOCK(obj);
	assert_null(p->object);
	assert_null(p->listq_prev);
	assert_int_equal(p->ref_count, 0);
	assert_int_equal(p->valid, 0);
	assert_int_equal(obj->resident_page_count, 1);
	assert_int_equal(violations(obj), 0);
	vm_page_free(m->ma_vp, p);
	vm_object_destroy(obj);
}

static void
preferred_domain_comes_first(void **state)
{
	struct vm_object *obj;

	(void)state;
	for (int domain = 0; domain < 2; domain++) {
		obj = object_of(RUN + 1, domain, VM_OBJECT_RUNS);
		for (struct vm_page *p = obj->memq_first; p != NULL;
		     p = p->listq_next)
			assert_int_equal(
			    vm_phys_domain(m->ma_vp, VM_PAGE_TO_PHYS(p)),
			    domain);
		vm_object_destroy(obj);
	}
}

static void
destroyed_object_gives_all_pages_back_clean(void **state)
{
	uint64_t before = machine_free_pages(m);
	struct vm_object *obj = object_of(RUN + 5, 1, VM_OBJECT_RUNS);
	struct vm_page *p = obj->memq_last;

	(void)state;
	assert_int_equal(machine_free_pages(m), before - RUN - 5);
	vm_page_dirty(p);
	vm_page_aflag_set(p, PGA_REFERENCED);
	vm_object_destroy(obj);
	assert_int_equal(machine_free_pages(m), before);
	assert_int_equal(p->dirty, 0);
	assert_int_equal(vm_page_aflags(p), 0);
	vm_object_destroy(NULL);
	assert_int_equal(machine_check(m, stderr), 0);
}

static uint64_t
next_random(uint64_t *x)
{
	*x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*x >> 33);
}

/* Insert and remove at random; a bit map is the model. */
static void
order_survives_random_inserts_and_removes(void **state)
{
	enum {
		N = 97,
		STEPS = 4000
	};
	struct vm_object *obj = object_of(N, 0, VM_OBJECT_EMPTY);
	struct vm_page *pages[N] = { NULL }, *p;
	uint64_t x = test_seed(), live = 0;

	(void)state;
	VM_OBJECT_WLOCK(obj);
	for (int step = 0; step < STEPS; step++) {
		vm_pindex_t i = next_random(&x) % N;

		if (pages[i] == NULL) {
			pages[i] = vm_page_alloc(m->ma_vp, 0, 0);
			assert_non_null(pages[i]);
			vm_page_insert(pages[i], obj, i);
			live++;
		} else {
			vm_object_free_page(obj, pages[i]);
			pages[i] = NULL;
			live--;
		}
		assert_int_equal(violations(obj), 0);
		assert_int_equal(obj->resident_page_count, live);
		p = obj->memq_first;
		for (i = 0; i < N; i++) {
			if (pages[i] == NULL)
				continue;
			assert_ptr_equal(p, pages[i]);
			p = p->listq_next;
		}
		assert_null(p);
	}
	VM_OBJECT_WUNLOCK(obj);
	vm_object_destroy(obj);
}

static void
object_larger_than_memory_fails_and_leaves_nothing(void **state)
{
	uint64_t before = machine_free_pages(m);
	struct vm_object *obj;

	(void)state;
	assert_int_equal(
	    vm_object_create(m, before + 1, 0, VM_OBJECT_RUNS, &obj), ENOSPC);
	assert_int_equal(machine_free_pages(m), before);
	/* A reserve is kept for more urgent needs: fails half-way. */
	assert_int_equal(
	    vm_object_create(m, before, 0, VM_OBJECT_RUNS, &obj), ENOSPC);
	assert_int_equal(machine_free_pages(m), before);
	obj = object_of(before / 2, 0, VM_OBJECT_RUNS);
	vm_object_destroy(obj);
	assert_int_equal(machine_free_pages(m), before);
}

static void
failed_host_allocation_leaves_nothing(void **state)
{
	uint64_t before = machine_free_pages(m);
	struct vm_object *obj = NULL;
	int error = ENOMEM;

	(void)state;
	for (uint64_t n = 1; error != 0; n++) {
		kmem_fail_nth(m->ma_kmem, n);
		error = vm_object_create(m, RUN, 0, VM_OBJECT_RUNS, &obj);
		assert_int_equal(kmem_failed(m->ma_kmem), error == ENOMEM);
		if (error != 0)
			assert_int_equal(machine_free_pages(m), before);
		assert_true(n < 100);
	}
	kmem_fail_nth(m->ma_kmem, 0);
	vm_object_destroy(obj);
}

static void
checker_catches_a_broken_list(void **state)
{
	struct vm_object *obj = object_of(3, 0, VM_OBJECT_RUNS);
	struct vm_page *first = obj->memq_first;

	(void)state;
	obj->resident_page_count++;
	assert_int_equal(violations(obj), 1);
	obj->resident_page_count--;
	first->pindex = 2;
	assert_int_equal(violations(obj), 1);
	first->pindex = 0;
	first->object = NULL;
	assert_int_equal(violations(obj), 1);
	first->object = obj;
	obj->memq_last = first;
	assert_int_equal(violations(obj), 1);
	obj->memq_last = first->listq_next->listq_next;
	vm_object_destroy(obj);
}

/* Its own machine: one page of each superpage cannot be had. */
static void
fragmented_memory_gives_single_pages(void **state)
{
	struct machine_options mo = { 0 };
	vm_paddr_t blacklist[64];
	struct vm_object *obj;

	(void)state;
	for (size_t i = 0; i < 64; i++)
		blacklist[i] = i * NBPDR + NBPDR / 2;
	mo.mo_blacklist = blacklist;
	mo.mo_nblacklist = 64;
	m = machine_of(map_two_domains, "sparse/rwlock", &mo);
	assert_int_equal(machine_thread_attach(m, 0), 0);
	for (enum vm_object_fill fill = VM_OBJECT_RUNS;
	     fill <= VM_OBJECT_SCATTERED; fill++) {
		obj = object_of(2 * RUN, 0, fill);
		vm_object_destroy(obj);
	}
	machine_thread_detach(m);
	machine_end(m);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(full_object_is_made_of_aligned_superpages),
		TEST(scattered_neighbours_lie_in_different_superpages),
		TEST(remainder_of_a_superpage_comes_in_single_pages),
		TEST(pages_say_whose_they_are_until_they_are_removed),
		TEST(preferred_domain_comes_first),
		TEST(destroyed_object_gives_all_pages_back_clean),
		TEST(order_survives_random_inserts_and_removes),
		TEST(object_larger_than_memory_fails_and_leaves_nothing),
		TEST(failed_host_allocation_leaves_nothing),
		TEST(checker_catches_a_broken_list),
		cmocka_unit_test(fragmented_memory_gives_single_pages),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
