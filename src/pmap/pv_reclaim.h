/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PV_RECLAIM_H
#define PMAP_PV_RECLAIM_H

/*
 * Taking pv entries from mappings that can be made again.  See pv_reclaim.c.
 */

#include "pmapsim/types.h"

struct pv_held;

enum reclaim_result {
	RECLAIM_NOTHING, /* every mapping there is is wired, or of 2 MB */
	RECLAIM_BUSY,  /* some pmap could not be locked, and no other served */
	RECLAIM_ENTRY, /* the caller's pmap has a free entry now */
	RECLAIM_PAGE   /* *pagep is a page for a chunk, wired, not zeroed */
};

/*
 * own: the caller's pmap, locked, which stays so; or NULL, and no pmap is.  *held
 * may be dropped and changed.  The page counts against pmap_limit()'s chunks as
 * the one that it was, or was taken for.
 */
enum reclaim_result reclaim_pv_chunk(struct machine *ma, struct pmap *own,
    struct pv_held *held, struct vm_page **pagep);

/* Free a page that way.  The caller has no pmap or pv list locked. */
bool reclaim_pv_page(struct machine *ma);

#endif /* PMAP_PV_RECLAIM_H */
