/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PAGE_SCAN_H
#define PMAP_PAGE_SCAN_H

/*
 * From a page to its mappings: the pv list lock first, the pmaps after.
 *
 * The lock order is pmap before pv list lock, and here the pv list lock comes
 * first: so a mapping's pmap is only tried.  When the try fails, generations are
 * saved, the pv list lock is dropped, the pmap is locked and waited for, the pv
 * list lock is taken again, and the generations are compared.  Equal: the entry is
 * still on the list and means the same mapping.  Different: the entry may be gone,
 * and so may the pmap; the pmap is unlocked (its mutex is valid for ever) and the
 * scan starts again.
 *
 * The entry cannot outlive its pmap: a pmap that is torn down removes the entry
 * first, which changes the generation.
 *
 * A page's mappings are on two lists, its own and its superpage's, and promotion
 * and demotion move them from one to the other.  The list that is scanned second
 * is scanned under both generations, so that a mapping cannot escape to the list
 * already scanned.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c.
 */

#include "pmap/pmap_var.h"

struct page_scan {
	struct machine *ps_ma;
	struct vm_page *ps_m;
	struct pv_held ps_held; /* pv list lock of ps_m */
	bool ps_shared;         /* held for reading */
};

/* Whose generations count. */
enum page_scan_gens {
	SCAN_MD = 1,  /* the page's */
	SCAN_PVH = 2, /* the superpage's */
	SCAN_BOTH = 3
};

#define PAGE_SCAN_BEGIN(ps, ma, m, shared)                                     \
	page_scan_begin((ps), (ma), (m), (shared), __FILE__, __LINE__)
void page_scan_begin(struct page_scan *ps, struct machine *ma,
    struct vm_page *m, bool shared, const char *file, int line);
void page_scan_end(struct page_scan *ps);

/*
 * The pmap could not be had at once.  Returns true when it is locked and the lists
 * are as before.
 */
bool page_scan_wait_pmap(
    struct page_scan *ps, struct pmap *pmap, enum page_scan_gens gens);

/*
 * Lock the pmap of an entry.  Returns false when the pv list lock had to be
 * dropped and a list has changed: the entry is then invalid, no pmap is locked,
 * and the caller starts again.
 */
static inline bool
page_scan_lock_pmap(
    struct page_scan *ps, struct pmap *pmap, enum page_scan_gens gens)
{
	if (__predict_true(PMAP_TRYLOCK(pmap)))
		return (true);
	return (page_scan_wait_pmap(ps, pmap, gens));
}

static inline struct pv_list *
page_scan_pvh(struct page_scan *ps)
{
	return (&ps->ps_held.pv_pvh->pv_list);
}

/* The entry that pv, of the page's list, stands for.  Its pmap is locked. */
pte_t *
page_scan_pte(struct pmap *pmap, const struct pv_entry *pv, pt_entry_t *pdep);
/* The same of the superpage's list. */
pte_t *page_scan_pde(struct pmap *pmap, const struct pv_entry *pv);

#endif /* PMAP_PAGE_SCAN_H */
