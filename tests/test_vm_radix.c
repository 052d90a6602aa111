/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The radix tree against a table of what it should have: random insertions and
 * removals, near and far indices, with nodes that cannot be had.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pmap/vm_radix.h"

#define NPAGES 256

static struct kmem *km;
static struct vm_radix rt;
static struct vm_page pages[NPAGES];
static bool present[NPAGES];

static uint64_t
next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) +
	    UINT64_C(1442695040888963407);
	return (*seed >> 33);
}

static uint64_t
nodes(void)
{
	struct kmem_stats ks;

	kmem_stats(km, M_PMAP, KMEM_ANYDOMAIN, &ks);
	return (ks.ks_blocks);
}

static int
setup(void **state)
{
	(void)state;
	memset(&rt, 0, sizeof(rt));
	memset(present, 0, sizeof(present));
	return (kmem_create(1, &km));
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(kmem_destroy(km, stderr), 0);
	return (0);
}

struct visit {
	unsigned v_n;
	vm_pindex_t v_last;
};

static void
visit(void *arg, struct vm_page *m)
{
	struct visit *v = arg;

	assert_true(present[m - pages]);
	assert_true(v->v_n == 0 || m->pindex > v->v_last);
	v->v_last = m->pindex;
	v->v_n++;
}

static void
compare(void)
{
	struct visit v = { 0 };
	unsigned n = 0;

	for (unsigned i = 0; i < NPAGES; i++) {
		n += present[i];
		assert_ptr_equal(vm_radix_lookup(&rt, pages[i].pindex),
		    present[i] ? &pages[i] : NULL);
	}
	vm_radix_foreach(&rt, visit, &v);
	assert_int_equal(v.v_n, n);
	assert_int_equal(vm_radix_is_empty(&rt), n == 0);
	/* Each node has two children or more. */
	assert_true(n == 0 ? nodes() == 0 : nodes() < n);
}

static void
agrees_with_a_table(void **state)
{
	uint64_t seed = 1;

	(void)state;
	/* In the same node, in neighbours, and far apart. */
	for (unsigned i = 0; i < NPAGES; i++)
		pages[i].pindex = i < 64 ? i
		    : i < 128            ? UINT64_C(0x3f80000) + i * 17
			      : (next_random(&seed) << 8 | i) & 0x3ffffff;
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i = (unsigned)next_random(&seed) % NPAGES;

		if (present[i]) {
			assert_ptr_equal(
			    vm_radix_remove(&rt, km, pages[i].pindex),
			    &pages[i]);
			present[i] = false;
		} else {
			kmem_fail_nth(km, next_random(&seed) % 2);
			if (vm_radix_insert(&rt, km, &pages[i]) == 0)
				present[i] = true;
			else
				assert_true(kmem_failed(km));
			kmem_fail_nth(km, 0);
		}
		assert_null(vm_radix_remove(&rt, km, 0x3fffffe));
		if (step % 16 == 0)
			compare();
	}
	for (unsigned i = 0; i < NPAGES; i++) {
		(void)vm_radix_remove(&rt, km, pages[i].pindex);
		present[i] = false;
	}
	compare();
}

static void
one_page_needs_no_node_and_two_need_one(void **state)
{
	(void)state;
	pages[0].pindex = 0x123456;
	pages[1].pindex = 0x123457;
	kmem_fail_nth(km, 1);
	assert_int_equal(vm_radix_insert(&rt, km, &pages[0]), 0);
	assert_int_equal(nodes(), 0);
	assert_int_equal(vm_radix_insert(&rt, km, &pages[1]), ENOMEM);
	assert_null(vm_radix_lookup(&rt, pages[1].pindex));
	assert_ptr_equal(vm_radix_lookup(&rt, pages[0].pindex), &pages[0]);
	assert_int_equal(vm_radix_insert(&rt, km, &pages[1]), 0);
	assert_int_equal(nodes(), 1);
	assert_ptr_equal(vm_radix_remove(&rt, km, pages[0].pindex), &pages[0]);
	assert_int_equal(nodes(), 0);
	assert_ptr_equal(vm_radix_remove(&rt, km, pages[1].pindex), &pages[1]);
	assert_true(vm_radix_is_empty(&rt));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(agrees_with_a_table),
		T(one_page_needs_no_node_and_two_need_one),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
