/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "phys_util.h"

#define COUNTOF(a) (sizeof(a) / sizeof((a)[0]))
#define GIB(n)     ((vm_paddr_t)(n) << 30)

struct expected_seg {
	vm_paddr_t start;
	vm_paddr_t end;
	int domain;
	int list; /* index in the domain's lists */
};

static int
open_ranges(struct phys_machine *pm, struct memmap_range *ranges, size_t n,
    struct memmap_affinity *affinity, size_t naffinity, int ndomains)
{
	struct memmap mm = {
		.mm_ranges = ranges,
		.mm_nranges = n,
		.mm_affinity = affinity,
		.mm_naffinity = naffinity,
		.mm_ndomains = ndomains,
	};
	struct vm_phys_config vpc = { .vpc_map = &mm };

	memset(pm, 0, sizeof(*pm));
	return (phys_open(pm, &vpc));
}

static void
assert_segs(
    const struct phys_machine *pm, const struct expected_seg *es, int nsegs)
{
	const struct vm_phys *vp = pm->pm_vp;

	assert_int_equal(vp->vp_nsegs, nsegs);
	for (int i = 0; i < nsegs; i++) {
		const struct vm_phys_seg *seg = &vp->vp_segs[i];

		assert_int_equal(seg->start, es[i].start);
		assert_int_equal(seg->end, es[i].end);
		assert_int_equal(seg->domain, es[i].domain);
		assert_ptr_equal(seg->free_queues,
		    &vp->vp_domains[es[i].domain]->vmd_lists[es[i].list]);
		assert_ptr_equal(
		    seg->first_page, PHYS_TO_VM_PAGE(vp, seg->start));
	}
}

static void
ranges_are_rounded_to_whole_pages(void **state)
{
	static const struct expected_seg expected[] = {
		{ 0x1000, 0x9b000, 0, 1 },
		{ 0x100000, 0x1000000, 0, 1 },
		{ 0x1000000, 0x2000000, 0, 0 },
	};
	struct phys_machine pm;

	(void)state;
	assert_int_equal(phys_open_text(&pm,
			     "100-9b400 usable 0\n9b401-9cfff usable 0\n"
			     "a0000-a0fff usable 0\nfffff-2000fff usable 0\n",
			     NULL),
	    0);
	assert_segs(&pm, expected, COUNTOF(expected));
	assert_int_equal(pm.pm_vp->vp_first_page, 1);
	assert_int_equal(pm.pm_vp->vp_npages, 0x1fff);
	phys_close(&pm);
}

static void
a_range_splits_at_16_mib_and_at_4_gib(void **state)
{
	/* Without DMA32 the list below 4 GiB is that above, so they merge. */
	static const struct expected_seg expected[] = {
		{ 0x100000, 0x1000000, 0, 1 },
		{ 0x1000000, GIB(5), 0, 0 },
	};
	struct phys_machine pm;

	(void)state;
	assert_int_equal(
	    phys_open_text(&pm, "100000-140000000 usable 0\n", NULL), 0);
	assert_segs(&pm, expected, COUNTOF(expected));
	phys_close(&pm);
}

static void
dma32_exists_above_64_gib_of_other_memory(void **state)
{
	/* DEFAULT is index 0, DMA32 1, LOWMEM 2. */
	static const struct expected_seg with[] = {
		{ 0x100000, 0x1000000, 0, 2 },
		{ 0x1000000, GIB(4), 0, 1 },
		{ GIB(4), GIB(68) + 0x1000, 0, 0 },
	};
	/* 16777216 pages above are not enough: one more is. */
	static const struct expected_seg without[] = {
		{ 0x100000, 0x1000000, 0, 1 },
		{ 0x1000000, GIB(68), 0, 0 },
	};
	struct phys_machine pm;

	(void)state;
	assert_int_equal(
	    phys_open_text(&pm, "100000-1100001000 usable 0\n", NULL), 0);
	assert_segs(&pm, with, COUNTOF(with));
	phys_close(&pm);
	assert_int_equal(
	    phys_open_text(&pm, "100000-1100000000 usable 0\n", NULL), 0);
	assert_segs(&pm, without, COUNTOF(without));
	phys_close(&pm);
}

static void
allocation_prefers_high_memory(void **state)
{
	struct phys_machine pm;
	struct vm_page *m;

	(void)state;
	assert_int_equal(
	    phys_open_text(&pm, "100000-1100001000 usable 0\n", NULL), 0);
	m = vm_page_alloc_order(pm.pm_vp, 0, 12, 0);
	assert_int_equal(m->phys_addr, GIB(4));
	/* The single page at the end is a block of its own, so it goes first. */
	m = vm_page_alloc(pm.pm_vp, 0, 0);
	assert_int_equal(m->phys_addr, GIB(68));
	phys_close(&pm);
}

static void
low_memory_alone_has_one_list(void **state)
{
	static const struct expected_seg expected[] = {
		{ 0x100000, 0x1000000, 0, 0 },
	};
	struct phys_machine pm;
	struct vm_page *m;

	(void)state;
	assert_int_equal(
	    phys_open_text(&pm, "100000-1000000 usable 0\n", NULL), 0);
	assert_segs(&pm, expected, COUNTOF(expected));
	assert_int_equal(pm.pm_vp->vp_private->vpp_flind[0], -1);
	m = vm_page_alloc(pm.pm_vp, 0, 0);
	assert_non_null(m);
	vm_page_free(pm.pm_vp, m);
	assert_int_equal(phys_check(&pm), 0);
	phys_close(&pm);
}

static void
neighbours_on_one_list_merge_and_others_do_not(void **state)
{
	static const struct expected_seg expected[] = {
		{ 0x1000000, 0x3000000, 0, 0 },
		{ 0x3000000, 0x4000000, 1, 0 },
		{ 0x4000000, 0x5000000, 0, 0 },
		{ 0x5001000, 0x6000000, 0, 0 },
	};
	struct phys_machine pm;

	(void)state;
	assert_int_equal(
	    phys_open_text(&pm,
		"1000000-2000000 usable 0\n4000000-5000000 usable 0\n"
		"2000000-3000000 usable 0\n3000000-4000000 usable 1\n"
		"5001000-6000000 usable 0\n",
		NULL),
	    0);
	assert_segs(&pm, expected, COUNTOF(expected));
	phys_close(&pm);
}

static void
affinity_cuts_ranges(void **state)
{
	static const struct expected_seg expected[] = {
		{ 0x100000, 0x1000000, 0, 1 },
		{ 0x1000000, 0x8000000, 0, 0 },
		{ 0x8000000, 0x9000000, 1, 0 },
		{ 0x9000000, 0xa000000, 0, 0 },
	};
	struct memmap_range range = { .mr_start = 0x100000,
		.mr_end = 0xa000000 };
	struct memmap_affinity affinity[] = {
		{ 0, 0x90000, 1 },
		{ 0x90000, 0x8000000, 0 },
		{ 0x8000000, 0x9000000, 1 },
		{ 0x9000000, 0x20000000, 0 },
	};
	struct phys_machine pm;

	(void)state;
	assert_int_equal(open_ranges(&pm, &range, 1, affinity, 4, 2), 0);
	assert_segs(&pm, expected, COUNTOF(expected));
	phys_close(&pm);

	/* A record that begins inside the range, and none at all at its end. */
	affinity[2].ma_start = 0x8001000;
	assert_int_equal(open_ranges(&pm, &range, 1, affinity, 4, 2), EINVAL);
	assert_string_equal(
	    pm.pm_why, "usable memory that no affinity record covers");
	assert_int_equal(open_ranges(&pm, &range, 1, affinity, 2, 2), EINVAL);
}

static void
more_than_63_segments_are_refused(void **state)
{
	struct memmap_range ranges[64];
	struct phys_machine pm;

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		ranges[i] = (struct memmap_range){
			.mr_start = 0x1000000 + (vm_paddr_t)i * 0x2000,
			.mr_end = 0x1001000 + (vm_paddr_t)i * 0x2000,
		};
	}
	assert_int_equal(open_ranges(&pm, ranges, 64, NULL, 0, 1), EINVAL);
	assert_string_equal(pm.pm_why, "more than 63 physical segments");
	assert_int_equal(open_ranges(&pm, ranges, 63, NULL, 0, 1), 0);
	assert_int_equal(pm.pm_vp->vp_nsegs, 63);
	assert_int_equal(phys_check(&pm), 0);
	phys_close(&pm);
}

static void
bad_maps_are_refused(void **state)
{
	struct memmap_range ranges[] = {
		{ .mr_start = 0x1000, .mr_end = 0x3000 },
		{ .mr_start = 0x2000, .mr_end = 0x4000 },
	};
	struct memmap_range tiny = { .mr_start = 1, .mr_end = 0x1fff };
	struct memmap_range high = { .mr_start = GIB(1) << 20,
		.mr_end = (GIB(1) << 21) };
	struct phys_machine pm;

	(void)state;
	assert_int_equal(open_ranges(&pm, ranges, 2, NULL, 0, 1), EINVAL);
	assert_string_equal(pm.pm_why, "usable ranges overlap");
	assert_int_equal(open_ranges(&pm, &tiny, 1, NULL, 0, 1), EINVAL);
	assert_string_equal(pm.pm_why, "no usable page");
	assert_int_equal(open_ranges(&pm, NULL, 0, NULL, 0, 1), EINVAL);
	ranges[0].mr_domain = 1;
	assert_int_equal(open_ranges(&pm, ranges, 1, NULL, 0, 1), EINVAL);
	assert_string_equal(pm.pm_why, "a range outside the map's domains");
	/* 1 PiB of simulated memory is more than a host has addresses. */
	assert_int_equal(open_ranges(&pm, &high, 1, NULL, 0, 1), ENOMEM);
	assert_string_equal(pm.pm_why, "no address space for simulated memory");
}

static void
lookup_finds_segments_and_gaps(void **state)
{
	struct phys_machine pm;
	struct vm_phys *vp;

	(void)state;
	assert_int_equal(
	    phys_open_text(&pm,
		"1000-9f000 usable 0\n100000-1000000 usable 0\n"
		"40000000-80000000 usable 1\n100000000-140000000 usable 2\n",
		NULL),
	    0);
	vp = pm.pm_vp;
	assert_null(vm_phys_paddr_to_seg(vp, 0));
	assert_ptr_equal(vm_phys_paddr_to_seg(vp, 0x1000), &vp->vp_segs[0]);
	assert_ptr_equal(vm_phys_paddr_to_seg(vp, 0x9efff), &vp->vp_segs[0]);
	assert_null(vm_phys_paddr_to_seg(vp, 0x9f000));
	assert_ptr_equal(vm_phys_paddr_to_seg(vp, 0x100000), &vp->vp_segs[1]);
	assert_null(vm_phys_paddr_to_seg(vp, 0x3fffffff));
	assert_ptr_equal(vm_phys_paddr_to_seg(vp, 0x7fffffff), &vp->vp_segs[2]);
	assert_ptr_equal(
	    vm_phys_paddr_to_seg(vp, 0x13fffffff), &vp->vp_segs[3]);
	assert_null(vm_phys_paddr_to_seg(vp, 0x140000000));
	assert_int_equal(vm_phys_domain(vp, 0), 0);
	assert_int_equal(vm_phys_domain(vp, 0x9f000), 0);
	assert_int_equal(vm_phys_domain(vp, 0x30000000), 0);
	assert_int_equal(vm_phys_domain(vp, 0x40000000), 1);
	assert_int_equal(vm_phys_domain(vp, 0x80000000), 1);
	assert_int_equal(vm_phys_domain(vp, 0x100000000), 2);
	assert_int_equal(vm_phys_domain(vp, UINT64_MAX), 2);
	/* Gaps have descriptors: neighbours in PA are neighbours there. */
	assert_null(PHYS_TO_VM_PAGE(vp, 0));
	assert_ptr_equal(
	    PHYS_TO_VM_PAGE(vp, 0x9f000), PHYS_TO_VM_PAGE(vp, 0x9efff) + 1);
	assert_null(PHYS_TO_VM_PAGE(vp, 0x140000000));
	assert_int_equal(
	    vm_page_index_to_phys(vp, PHYS_TO_VM_PAGE(vp, 0x9f123)), 0x9f000);
	assert_ptr_equal(PHYS_TO_DMAP(vp, 0x1234), vp->vp_dmap + 0x1234);
	phys_close(&pm);
}

static void
segments_that_share_a_superpage_stay_apart(void **state)
{
	static const struct expected_seg expected[] = {
		{ 0, 0x8f000, 0, 1 },
		{ 0x90000, 0xa0000, 0, 1 },
		{ 0x100000, 0x1000000, 0, 1 },
		{ 0x1000000, 0x6cacf000, 0, 0 },
		{ 0x6ffff000, 0x70000000, 0, 0 },
	};
	struct phys_machine pm;
	int error;

	(void)state;
	error = phys_open_map(&pm, "epyc-2s-128t-1t-8n", NULL);
	if (error == ENOMEM && PHYS_ADDRESS_SPACE_LIMITED) {
		print_message("skipped: address space under this sanitizer\n");
		skip();
	}
	assert_int_equal(error, 0);
	assert_int_equal(pm.pm_vp->vp_nsegs, 14);
	/* 1 TiB makes a DMA32 list. */
	for (int i = 0; i < 5; i++) {
		assert_int_equal(pm.pm_vp->vp_segs[i].start, expected[i].start);
		assert_int_equal(pm.pm_vp->vp_segs[i].end, expected[i].end);
		assert_ptr_equal(pm.pm_vp->vp_segs[i].free_queues,
		    &pm.pm_vp->vp_domains[0]->vmd_lists[expected[i].list + 1]);
	}
	phys_close(&pm);
}

/* phys_close() and phys_open() assert that nothing leaks. */
static void
creation_fails_cleanly_at_every_allocation(void **state)
{
	static const char map[] = "0-9f000 usable 0\n100000-4000000 usable 1\n"
				  "4000000-8000000 usable 2\n";
	struct vm_phys_config vpc = { 0 };
	struct memmap_error me;
	struct memmap *mm;
	struct kmem *km;
	struct sim *sim;
	struct vm_phys *vp;
	const char *why;
	bool failed = true;
	unsigned n;
	int error;

	(void)state;
	assert_int_equal(memmap_parse("x", map, strlen(map), &mm, &me), 0);
	vpc.vpc_map = mm;
	for (n = 1; failed; n++) {
		assert_int_equal(kmem_create(3, &km), 0);
		assert_int_equal(sim_create(km, &sim_real_ops, 1, &sim), 0);
		kmem_fail_nth(km, n);
		error = vm_phys_create(sim, km, &vpc, &vp, &why);
		failed = kmem_failed(km);
		kmem_fail_nth(km, 0);
		assert_int_equal(error, failed ? ENOMEM : 0);
		if (failed)
			assert_string_equal(why, "out of memory");
		else
			vm_phys_destroy(vp);
		sim_destroy(sim);
		assert_int_equal(kmem_destroy(km, stderr), 0);
	}
	/* Machine, private part, 3 domains, bits, reservations 2, blacklist. */
	assert_int_equal(n - 2, 9);
	memmap_free(mm);
	vm_phys_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_rounded_to_whole_pages),
		cmocka_unit_test(a_range_splits_at_16_mib_and_at_4_gib),
		cmocka_unit_test(dma32_exists_above_64_gib_of_other_memory),
		cmocka_unit_test(allocation_prefers_high_memory),
		cmocka_unit_test(low_memory_alone_has_one_list),
		cmocka_unit_test(
		    neighbours_on_one_list_merge_and_others_do_not),
		cmocka_unit_test(affinity_cuts_ranges),
		cmocka_unit_test(more_than_63_segments_are_refused),
		cmocka_unit_test(bad_maps_are_refused),
		cmocka_unit_test(lookup_finds_segments_and_gaps),
		cmocka_unit_test(segments_that_share_a_superpage_stay_apart),
		cmocka_unit_test(creation_fails_cleanly_at_every_allocation),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
