/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_PMAP_CASES_H
#define TESTS_PMAP_CASES_H

/*
 * What the files of test_pmap.c share: a machine with two pmaps, and the tables of
 * tests.
 */

#include "phys/vm_phys_impl.h"
#include "pmap_util.h"

#define R    VM_PROT_READ
#define W    VM_PROT_WRITE
#define X    VM_PROT_EXECUTE
#define VA   UINT64_C(0x7f0012345000)
#define USER (PG_U | PG_MANAGED)

/* Two segments in superpage 0, two domains. */
extern const char pc_map_lines[];
extern struct pu pu;
extern struct pmap *p, *q;

void pc_begin(const char *design);
/* For cmocka: with the design that is under test. */
int pc_setup(void **state);
int pc_teardown(void **state);

/* Enter and remove, and check. */
void pc_enter(struct pmap *pmap, vm_offset_t va, struct vm_page *m,
    vm_prot_t prot, uint32_t flags);
void pc_remove(struct pmap *pmap, vm_offset_t sva, vm_offset_t eva);
struct vm_page *pc_unmanaged_page(void);
/* va's entry is of m, valid, with those bits. */
void pc_assert_leaf(struct pmap *pmap, vm_offset_t va, const struct vm_page *m,
    pt_entry_t bits);

/* Of test_pmap.c's every design, too. */
void remove_pages_ends_a_process(void **state);

struct pmap_cases {
	const struct CMUnitTest *pc_tests;
	size_t pc_n;
};
extern const struct pmap_cases pmap_cases_enter, pmap_cases_remove,
    pmap_cases_range, pmap_cases_short, pmap_cases_chunk;

#endif /* TESTS_PMAP_CASES_H */
