/* SPDX-License-Identifier: BSD-2-Clause */

/* Faults of what memory a machine has: headers, descriptors, devices. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "bug_util.h"
#include "pmapsim/vm_phys.h"

static void
b27_a_device_has_no_page_to_hold(void)
{
	struct vm_page device = {
		.oflags = VPO_UNMANAGED,
		.flags = PG_FICTITIOUS,
		.phys_addr = 0xfee00000,
	};

	bug_begin();
	assert_int_equal(pmap_enter(su_p, VA, &device, R | W, W, 0), 0);
	assert_null(pmap_extract_and_hold(su_p, VA, R));
	pmap_remove(su_p, VA, END);
	bug_end();
}

/* More than a page of headers lies in the gap, where a device may be. */
static void
b28_headers_in_a_gap_can_be_looked_up(void)
{
	struct pv_table *pvt;
	struct pv_header ph;
	struct pu pu;

	pu_setup(&pu,
	    "0-4000000 usable 0\n"
	    "40000000-44000000 usable 0\n",
	    bug_design);
	pvt = pu.pu_ma->ma_pvt;
	for (vm_paddr_t pa = 0; pa < 0x40000000; pa += NBPDR) {
		pvt->pvt_ops->pvl_lookup(pvt, pa, NULL, &ph);
		assert_true(pv_list_empty(&ph.ph_md->pv_list));
	}
	pu_teardown(&pu);
}

/* The header one past the last is the first of a page: 64 fit. */
static void
b28_the_last_segment_ends_with_a_page_of_headers(void)
{
	struct pu pu;

	pu_setup(&pu, "0-8000000 usable 0\n", bug_design);
	assert_int_equal(pu.pu_ma->ma_pvt->pvt_stride, 64);
	pu_teardown(&pu);
}

static void
b28_a_superpage_of_two_segments_has_one_header(void)
{
	struct pv_header_report phr;
	struct pu pu;

	pu_setup(&pu,
	    "0-98000 usable 0\n"
	    "100000-4000000 usable 0\n",
	    bug_design);
	machine_pv_header_report(pu.pu_ma, &phr);
	if (phr.phr_headers != phr.phr_superpages)
		bug_caught("two headers for one superpage\n");
	pu_teardown(&pu);
}

static void
b30_the_last_page_has_a_descriptor(void)
{
	struct pu pu;

	pu_setup(&pu, "0-4001000 usable 0\n", bug_design);
	if (vm_phys_paddr_to_vm_page(pu.pu_ma, 0x4000000) == NULL)
		bug_caught("the last page has no descriptor\n");
	bug_check(pu.pu_ma);
	pu_teardown(&pu);
}

const struct bug_scene bug_scenes_memory[] = {
	{ "B27", "memory of a device has no page to hold",
	    b27_a_device_has_no_page_to_hold, BUG_DIES, NULL },
	{ "B28", "headers in a gap can be looked up",
	    b28_headers_in_a_gap_can_be_looked_up, BUG_DIES, NULL },
	{ "B28", "the last segment may end with a page of headers",
	    b28_the_last_segment_ends_with_a_page_of_headers, "backed at",
	    "sparse/rwlock" },
	{ "B28", "a superpage of two segments has one header",
	    b28_a_superpage_of_two_segments_has_one_header,
	    "two headers for one superpage", "ptrarray/gen2" },
	{ "B30", "the last page has a descriptor",
	    b30_the_last_page_has_a_descriptor,
	    "the last page has no descriptor", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};
