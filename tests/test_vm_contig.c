/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "phys_fixture.h"

#define MIB(n) ((vm_paddr_t)(n) << 20)

static void
unfree_leaves_halves_at_the_heads(void **state)
{
	struct vm_page *a, *m;

	(void)state;
	/* Have another block of order 11 first. */
	a = vm_phys_alloc_pages(pm.pm_vp, 0, VM_FREEPOOL_DEFAULT, 11);
	m = PHYS_TO_VM_PAGE(pm.pm_vp, MIB(48) + 5 * 4096);
	assert_true(vm_phys_unfree_page(pm.pm_vp, m));
	assert_int_equal(m->phys_addr, MIB(48) + 5 * 4096);
	assert_int_equal(free_head(0, 0, 0), MIB(48) + 4 * 4096);
	assert_int_equal(free_head(0, 0, 1), MIB(48) + 6 * 4096);
	assert_int_equal(free_head(0, 0, 2), MIB(48));
	assert_int_equal(free_head(0, 0, 11), MIB(56));
	assert_int_equal(free_blocks(&pm, 0, 0, 11), 2);
	assert_int_equal(free_blocks(&pm, 0, 0, 12), 2);
	assert_false(vm_phys_unfree_page(pm.pm_vp, m));
	assert_false(vm_phys_unfree_page(pm.pm_vp, a + 17));
	vm_phys_free_pages(pm.pm_vp, m, 0);
	assert_int_equal(free_blocks(&pm, 0, 0, 12), 3);
}

static void
contig_respects_range_alignment_and_boundary(void **state)
{
	struct vm_phys *vp = pm.pm_vp;
	struct vm_page *m;

	(void)state;
	/* Segments are searched from the top, queues from the head. */
	m = vm_phys_alloc_contig(vp, 0, 3, 0, UINT64_MAX, 0, 0);
	assert_int_equal(m->phys_addr, MIB(16));
	m = vm_phys_alloc_contig(vp, 0, 3, 0, MIB(16), 0, 0);
	assert_int_equal(m->phys_addr, MIB(1));
	m = vm_phys_alloc_contig(vp, 0, 3, MIB(33), MIB(64), 0, 0);
	assert_int_equal(m->phys_addr, MIB(48));
	m = vm_phys_alloc_contig(vp, 0, 1, MIB(17), MIB(24), MIB(4), 0);
	assert_int_equal(m->phys_addr, MIB(20));
	/* The rest of the block at 48 MiB begins 3 pages on, then at 4. */
	m = vm_phys_alloc_contig(vp, 0, 4, MIB(48), MIB(64), 0, 0x8000);
	assert_int_equal(m->phys_addr, MIB(48) + 0x4000);
	assert_null(vm_phys_alloc_contig(vp, 0, 9, 0, UINT64_MAX, 0, 0x8000));
	assert_null(
	    vm_phys_alloc_contig(vp, 0, 2, MIB(40), MIB(40) + 0x1000, 0, 0));
	assert_null(vm_phys_alloc_contig(vp, 0, 1, MIB(80), MIB(90), 0, 0));
	assert_null(
	    vm_phys_alloc_contig(vp, 0, UINT64_MAX, 0, UINT64_MAX, 0, 0));
}

static void
contig_beyond_the_largest_block_needs_neighbours(void **state)
{
	struct vm_phys *vp = pm.pm_vp;
	struct vm_page *a, *m;

	(void)state;
	a = vm_phys_alloc_contig(vp, 0, 1, MIB(32), MIB(48), 0, 0);
	assert_int_equal(a->phys_addr, MIB(32));
	assert_null(vm_phys_alloc_contig(vp, 0, 8193, 0, UINT64_MAX, 0, 0));
	m = vm_phys_alloc_contig(vp, 0, 5000, 0, UINT64_MAX, 0, 0);
	assert_int_equal(m->phys_addr, MIB(48));
	for (int i = 0; i < 5000; i++)
		assert_int_equal(m[i].segind, 2);
	assert_int_equal(free_blocks(&pm, 0, 0, 12), 1);
	vm_phys_free_contig(vp, m, 5000);
	assert_int_equal(free_blocks(&pm, 0, 0, 12), 3);
	vm_phys_free_pages(vp, a, 0);
	assert_int_equal(free_blocks(&pm, 0, 0, 12), 4);
	m = vm_phys_alloc_contig(vp, 0, 16384, 0, UINT64_MAX, 0, 0);
	assert_int_equal(m->phys_addr, MIB(16));
	vm_phys_free_contig(vp, m, 16384);
}

static void
contig_makes_the_pages_default(void **state)
{
	struct vm_page *m;

	(void)state;
	m = vm_phys_alloc_pages(pm.pm_vp, 0, VM_FREEPOOL_DIRECT, 0);
	vm_phys_free_pages(pm.pm_vp, m, 0);
	m = vm_phys_alloc_contig(pm.pm_vp, 0, 100, MIB(16), MIB(32), 0, 0);
	assert_int_equal(m->phys_addr, MIB(16));
	for (unsigned i = 0; i < VM_ORDER_PAGES; i++)
		assert_int_equal(m[i].pool, VM_FREEPOOL_DEFAULT);
	/* 4096 - 100 pages: 4, 8, 16, 128 ... 2048. */
	assert_int_equal(free_head(0, 0, 2), MIB(16) + 100 * 4096);
	assert_int_equal(free_head(0, 0, 11), MIB(24));
}

static void
enqueue_contig_does_not_merge(void **state)
{
	struct vm_page *m;

	(void)state;
	m = vm_phys_alloc_pages(pm.pm_vp, 0, VM_FREEPOOL_DEFAULT, 12);
	vm_phys_enqueue_contig(pm.pm_vp, m + 1, 5);
	assert_int_equal(m[1].order_inv, VM_ORDER_INV(0));
	assert_int_equal(m[2].order_inv, VM_ORDER_INV(1));
	assert_int_equal(m[4].order_inv, VM_ORDER_INV(1));
	vm_phys_free_pages(pm.pm_vp, m, 0);
	assert_int_equal(m[0].order_inv, VM_ORDER_INV(2));
	vm_phys_free_contig(pm.pm_vp, m + 6, 4090);
	assert_int_equal(m[0].order_inv, VM_ORDER_INV(12));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOCKED(unfree_leaves_halves_at_the_heads),
		LOCKED(contig_respects_range_alignment_and_boundary),
		LOCKED(contig_beyond_the_largest_block_needs_neighbours),
		LOCKED(contig_makes_the_pages_default),
		LOCKED(enqueue_contig_does_not_merge),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
