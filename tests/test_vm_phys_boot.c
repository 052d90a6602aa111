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

#include "phys_util.h"

#define COUNTOF(a) (sizeof(a) / sizeof((a)[0]))
#define MIB(n)     ((vm_paddr_t)(n) << 20)

static void
blacklisted_pages_are_never_handed_out(void **state)
{
	static const vm_paddr_t bad[] = { 0x3000, MIB(20) + 0x1234, MIB(900),
		MIB(20), 0x3000 };
	struct vm_phys_config vpc = { .vpc_blacklist = bad,
		.vpc_nblacklist = 5 };
	struct phys_machine pm;
	struct vm_page *m;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(
	    phys_open_text(
		&pm, "0-9f000 usable 0\n1000000-2000000 usable 0\n", &vpc),
	    0);
	/* Page 0 comes on its own, one is named twice, one does not exist. */
	assert_int_equal(vm_total_pages(pm.pm_vp, -1), 0x9f + 4096 - 4);
	assert_int_equal(phys_check(&pm), 0);
	while ((m = vm_page_alloc(pm.pm_vp, 0, VM_PAGE_INTERRUPT)) != NULL) {
		assert_int_not_equal(m->phys_addr, 0);
		assert_int_not_equal(m->phys_addr, 0x3000);
		assert_int_not_equal(m->phys_addr, MIB(20));
		assert_int_not_equal(m->phys_addr, MIB(20) + 0x1000);
		n++;
	}
	assert_int_equal(n, 0x9f + 4096 - 4);
	phys_close(&pm);
}

static void
a_limit_withdraws_evenly_from_big_machines(void **state)
{
	static const uint64_t limits[] = { 1, 64, 1000, 4096, 100000, 8000000 };
	static const char *const maps[] = { "superdome-16s-480t-12t",
		"vm-4cpu-3g-2n", "vm-2cpu-256m" };
	struct phys_machine pm;
	uint64_t lowest, highest, n, total;
	int error;

	(void)state;
	for (size_t i = 0; i < COUNTOF(maps) * COUNTOF(limits); i++) {
		struct vm_phys_config vpc = { .vpc_limit_pages =
						  limits[i % COUNTOF(limits)] };

		error = phys_open_map(&pm, maps[i / COUNTOF(limits)], &vpc);
		if (error == ENOMEM && PHYS_ADDRESS_SPACE_LIMITED)
			continue;
		assert_int_equal(error, 0);
		assert_int_equal(phys_check(&pm), 0);
		total = vm_total_pages(pm.pm_vp, -1);
		lowest = UINT64_MAX;
		highest = 0;
		for (int d = 0; d < pm.pm_vp->vp_ndomains; d++) {
			n = vm_total_pages(pm.pm_vp, d);
			lowest = n < lowest ? n : lowest;
			highest = n > highest ? n : highest;
		}
		if (total == vpc.vpc_limit_pages)
			assert_true(highest - lowest <= 1 || total > 500000);
		else
			assert_true(total < vpc.vpc_limit_pages);
		assert_int_equal(vm_free_count(pm.pm_vp, -1), total);
		phys_close(&pm);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blacklisted_pages_are_never_handed_out),
		cmocka_unit_test(a_limit_withdraws_evenly_from_big_machines),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
