/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SUPERPAGE_UTIL_H
#define TESTS_SUPERPAGE_UTIL_H

/*
 * What the tests of superpages share: a machine of 64 MB with two pmaps, full runs
 * of pages, and what promotion and demotion did since the last look.
 */

#include "pmap/pmap_superpage.h"
#include "pmap_util.h"

#define R    VM_PROT_READ
#define W    VM_PROT_WRITE
#define X    VM_PROT_EXECUTE
#define VA   UINT64_C(0x7f0012200000)
#define END  (VA + NBPDR)
#define NRUN 512u

extern struct pu su_pu;
extern struct pmap *su_p, *su_q;
extern const char *su_design; /* for su_setup(); NULL: sparse/gen2 */

/* For cmocka.  The second asserts that nothing is mapped or lost. */
int su_setup(void **state);
int su_teardown(void **state);
/* Tear down and set up again with another design. */
void su_again(const char *design);

/* A full run of wired pages, all zero, and its end. */
struct vm_page *su_run(void);
void su_run_free(struct vm_page *m);

/* pmap_enter() that succeeds, of page va - VA of run m; of all of it. */
void su_enter(struct pmap *pmap, vm_offset_t va, struct vm_page *m,
    vm_prot_t prot, uint32_t flags);
void su_fill(struct pmap *pmap, vm_offset_t va, struct vm_page *m,
    vm_prot_t prot, uint32_t flags);
/* By psind 1. */
void su_enter_super(struct pmap *pmap, vm_offset_t va, struct vm_page *m,
    vm_prot_t prot, uint32_t flags);

/* Is va mapped by 2 MB? */
bool su_is_super(struct pmap *pmap, vm_offset_t va);
/* Mappings of 2 MB on the list of m's superpage, and their first address. */
unsigned su_nsuper(struct vm_page *m);
vm_offset_t su_first_super(struct vm_page *m);

/* Of m's 512 pages: how many are dirty, or have the flag. */
unsigned su_ndirty(const struct vm_page *m);
unsigned su_naflag(const struct vm_page *m, uint8_t flag);

/*
 * Assert what has happened since the last call, and that the checker finds
 * nothing.
 */
void su_expect(unsigned promotions, unsigned demotions, unsigned failures,
    unsigned mappings);
/* Assert pages mapped, page tables in the tree, and saved ones. */
void
su_expect_pmap(struct pmap *pmap, uint64_t pages, uint64_t pt, uint64_t spare);

#endif /* TESTS_SUPERPAGE_UTIL_H */
