/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_CHECK_CASES_H
#define TESTS_CHECK_CASES_H

/*
 * Ways to break each invariant that the checker knows, and to repair it: what
 * test_pmap_check.c plays.
 *
 * A machine of two domains.  VA of cc_p and of cc_q maps cc_m0, written; VA1 of
 * cc_p maps cc_m1, read only; VA2 of cc_p maps cc_u, unmanaged and writable.  For
 * cases of superpages, cc_s maps two runs: SVA, written, was promoted and has a
 * page table saved that a demotion would use; SVA2 is wired, read only, and has
 * one with nothing in it.
 */

#include "pmap/mmu.h"
#include "pmap/pmap_superpage.h"
#include "pmap_util.h"

#define VA   UINT64_C(0x7f0012345000)
#define VA1  (VA + 4096)
#define VA2  (VA + 8192)
#define SVA  UINT64_C(0x7f0000000000)
#define SVA2 (SVA + NBPDR)

struct check_case {
	int inv;
	int also[4]; /* what cannot but be reported, too; 0: nothing */
	const char *how;
	void (*break_it)(void);
	void (*repair)(void);
	const char *design; /* NULL: sparse/rwlock */
	bool profile;
	bool super; /* wants cc_s */
};

extern struct pu cc_pu;
extern struct pmap *cc_p, *cc_q, *cc_s;
extern struct vm_page *cc_m0, *cc_m1, *cc_u, *cc_run, *cc_run2;
extern pt_entry_t cc_saved;

/* The last has inv 0. */
extern const struct check_case check_cases_pv[];
extern const struct check_case check_cases_chunk[];
extern const struct check_case check_cases_pt[];
extern const struct check_case check_cases_super[];
extern const struct check_case check_cases_lock[];
extern const struct check_case check_cases_tlb[];

struct pv_chunk *cc_chunk(struct pmap *pmap);
struct vm_page *cc_chunk_page(void); /* of cc_p */
struct vm_page *cc_page_table(void); /* of cc_p's VA */
void cc_counter(enum counter c, uint64_t n);
/* Store an entry of cc_p; what was there goes to cc_saved. */
void cc_set_pte(vm_offset_t va, pt_entry_t pte);
void cc_set_refs(struct vm_page *m, uint32_t n);

#endif /* TESTS_CHECK_CASES_H */
