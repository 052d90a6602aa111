/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_PHYS_FIXTURE_H
#define TESTS_PHYS_FIXTURE_H

/* cmocka's set-up and tear-down of one small machine, for the tests of pages. */

#include "phys_util.h"

#define SMALL_MAP "100000-2000000 usable 0\n2000000-4000000 usable 1\n"
/* 1 GiB a domain: large enough for page caches of one CPU. */
#define CACHE_MAP "1000000-41000000 usable 0\n41000000-81000000 usable 1\n"

/* One list of 64 MiB above 16 MiB, and 15 MiB below. */
#define LOCKED_MAP "100000-5000000 usable 0\n"

extern struct phys_machine pm;

int open_small(void **state);
int open_cached(void **state);
/* Asserts that all is in order, and that nothing leaks. */
int close_pm(void **state);

/* With its one domain locked. */
int open_locked(void **state);
int close_locked(void **state);

#define SMALL(fn)  cmocka_unit_test_setup_teardown(fn, open_small, close_pm)
#define CACHED(fn) cmocka_unit_test_setup_teardown(fn, open_cached, close_pm)
#define LOCKED(fn)                                                             \
	cmocka_unit_test_setup_teardown(fn, open_locked, close_locked)

/* Free blocks of an order on a list of domain 0, pristine ones, too. */
uint64_t
free_blocks(const struct phys_machine *p, int list, int pool, int order);
/* Of pm: the address of the first in the queue, or UINT64_MAX. */
vm_paddr_t free_head(int list, int pool, int order);

/* Free pages of a domain by its own count, caches not included. */
uint64_t accounted(int domain);
/* Everything that class may have, as a list. */
struct vm_page *take_all(int domain, int flags, uint64_t *np);

#endif /* TESTS_PHYS_FIXTURE_H */
