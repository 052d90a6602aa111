/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens every memory map that is shipped, and prints what that took.  The
 * numbers are for people: nothing about time or size is asserted.
 */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "phys_util.h"

static long
resident_kb(void)
{
	long pages = 0, size = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL)
		return (0);
	if (fscanf(f, "%ld %ld", &size, &pages) != 2)
		pages = 0;
	(void)fclose(f);
	return (pages * (sysconf(_SC_PAGESIZE) / 1024));
}

static double
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6);
}

/* 0: all memory is free. */
static void
open_all(uint64_t limit_pages)
{
	struct vm_phys_config vpc = { .vpc_limit_pages = limit_pages };
	struct phys_machine pm;
	double t0, t1;
	long kb0, kb1;
	unsigned opened = 0;
	int error;

	printf("%-24s %9s %5s %8s %8s\n", "map", "GiB free", "segs", "open ms",
	    "KB");
	for (size_t i = 0; phys_maps[i] != NULL; i++) {
		kb0 = resident_kb();
		t0 = now_ms();
		error = phys_open_map(&pm, phys_maps[i], &vpc);
		t1 = now_ms();
		kb1 = resident_kb();
		if (error == ENOMEM && PHYS_ADDRESS_SPACE_LIMITED) {
			printf("%-24s skipped: the sanitizer has too little "
			       "address space\n",
			    phys_maps[i]);
			continue;
		}
		assert_int_equal(error, 0);
		printf("%-24s %9.3f %5d %8.2f %8ld\n", phys_maps[i],
		    (double)vm_total_pages(pm.pm_vp, -1) / 262144,
		    pm.pm_vp->vp_nsegs, t1 - t0, kb1 - kb0);
		assert_int_equal(phys_check(&pm), 0);
		phys_close(&pm);
		opened++;
	}
	assert_true(opened > 0);
}

static void
every_map_opens_and_checks(void **state)
{
	(void)state;
	open_all(0);
}

static void
every_map_opens_and_checks_with_little_memory(void **state)
{
	(void)state;
	open_all(16384);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_map_opens_and_checks),
		cmocka_unit_test(every_map_opens_and_checks_with_little_memory),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
