/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PMAP_CHECK_H
#define PMAP_PMAP_CHECK_H

/*
 * What the parts of the checker share.  The invariants are listed in pmap_check.c.
 */

#include "kern/check_report.h"
#include "pmap/pmap_superpage.h"

/* A chunk on an LRU. */
struct lru_place {
	const struct pv_chunk *lp_chunk;
	const struct pv_chunks_list *lp_list;
};

struct pmap_checker {
	struct machine *pc_ma;
	struct check_report pc_report;

	/* Pages in use as tables and chunks, by physical address. */
	vm_paddr_t *pc_special;
	size_t pc_nspecial;
	size_t pc_capspecial;

	/* Chunks on LRUs, each time that one is there, sorted. */
	struct lru_place *pc_lru;
	size_t pc_nlru;

	uint64_t pc_tables;  /* below the roots, saved ones, too */
	uint64_t pc_managed; /* managed leaves */
	uint64_t pc_used;    /* pv entries in use */
	uint64_t pc_listed;  /* pv entries on lists */
	uint64_t pc_chunks;
	uint64_t pc_super; /* superpages */
};

/* What one pmap's tables contain. */
struct pmap_tally {
	int64_t pt_leaves; /* pages: 512 for a superpage */
	int64_t pt_wired;
	int64_t pt_tables; /* saved ones, too */
};

/* The first pass notes tables and chunks; the second asks. */
void pmap_check_special_add(struct pmap_checker *pc, vm_paddr_t pa);
bool pmap_check_special(const struct pmap_checker *pc, vm_paddr_t pa);

/*
 * pmap_check_pt.c.  A table of a level (1: page table) that serves addresses from
 * base on; page is its own, NULL for the root.  leaves false: note table pages,
 * and check their shape; true: check the leaves.
 */
void pmap_check_table(struct pmap_checker *pc, struct pmap *pmap,
    const pte_t *table, int level, vm_offset_t base, struct vm_page *page,
    bool leaves, struct pmap_tally *pt);
/* pv is in use. */
void pmap_check_entry(
    struct pmap_checker *pc, struct pmap *pmap, struct pv_entry *pv);
/*
 * Entries of pmap for va on the list of the page, or superpage, at pa; the list's
 * own links on the way.
 */
unsigned pmap_check_list(struct pmap_checker *pc, struct pv_list *pvl,
    vm_paddr_t pa, struct pmap *pmap, vm_offset_t va);

/* pmap_check_pde.c */
void pmap_check_pde(struct pmap_checker *pc, struct pmap *pmap, vm_offset_t va,
    pt_entry_t pde, struct pmap_tally *pt);
/* pv is in use.  True when it is a superpage's, which has been dealt with. */
bool pmap_check_pde_entry(
    struct pmap_checker *pc, struct pmap *pmap, struct pv_entry *pv);
/* check false: note them as tables. */
void pmap_check_saved(struct pmap_checker *pc, struct pmap *pmap, bool check,
    struct pmap_tally *pt);
void pmap_check_pde_counters(struct pmap_checker *pc);

/* pmap_check_list.c.  pmap_check_lists(): tables and chunks are noted. */
void pmap_check_headers(struct pmap_checker *pc);
void pmap_check_lists(struct pmap_checker *pc);
void pmap_check_words(struct pmap_checker *pc);

#endif /* PMAP_PMAP_CHECK_H */
