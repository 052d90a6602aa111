/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_DI_UTIL_H
#define TESTS_DI_UTIL_H

/*
 * What the tests of delayed invalidation share: a machine with one page, the
 * generation of its region, and the designs that they are run over.
 */

#include "pmap_util.h"

struct di_fixture {
	struct pu f_pu;
	struct vm_page *f_m;
	struct pmap_di *f_di;
};

/* For cmocka; *state is a struct di_fixture. */
int di_setup(void **state);
int di_teardown(void **state);
/* Run the tests with both forms of it; returns how many failed. */
struct CMUnitTest;
int di_run_tests(const struct CMUnitTest *tests, size_t n);

/* pv_invl_gen of the page's region. */
_Atomic uint64_t *di_region_gen(struct di_fixture *f);
uint64_t di_region(struct di_fixture *f);
/* As if a mapping of the page went; of any page. */
void di_mark(struct di_fixture *f);
void di_mark_page(struct machine *ma, struct vm_page *m);

#endif /* TESTS_DI_UTIL_H */
