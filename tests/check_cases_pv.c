/* SPDX-License-Identifier: BSD-2-Clause */

/* Lists and entries: 1 to 7. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "check_cases.h"

static struct pv_entry *saved_pv;
static struct vm_page *saved_page;

/*
 * Put a free entry of p's chunk on m1's list in place of the one in use, which
 * is then in use for nothing: it can be spoilt without a leaf missing it.
 */
static struct pv_entry *
substitute(void)
{
	struct pv_entry *free = &cc_chunk(cc_p)->pc_pventry[160];

	saved_pv = cc_m1->md.pv_list.pvl_first;
	pv_list_remove(&cc_m1->md.pv_list, saved_pv);
	free->pv_va = VA1;
	pv_list_insert_tail(&cc_m1->md.pv_list, free);
	return (saved_pv);
}

static void
unsubstitute(void)
{
	pv_list_remove(&cc_m1->md.pv_list, cc_m1->md.pv_list.pvl_first);
	saved_pv->pv_va = VA1;
	pv_list_insert_tail(&cc_m1->md.pv_list, saved_pv);
}

static void
break_1(void)
{
	/* Two for the leaf at VA, none for that at VA1. */
	saved_pv = cc_m1->md.pv_list.pvl_first;
	pv_list_remove(&cc_m1->md.pv_list, saved_pv);
	saved_pv->pv_va = VA;
	pv_list_insert_tail(&cc_m0->md.pv_list, saved_pv);
}

static void
repair_1(void)
{
	pv_list_remove(&cc_m0->md.pv_list, saved_pv);
	saved_pv->pv_va = VA1;
	pv_list_insert_tail(&cc_m1->md.pv_list, saved_pv);
}

static void
break_3(void)
{
	substitute()->pv_va = 0x5000;
}

/* On the list of a page that nobody maps: no leaf leads there. */
static void
break_7_freed(void)
{
	struct pmap *pmap = cc_q;

	saved_page = pu_page(&cc_pu);
	PMAP_LOCK(pmap);
	saved_pv = get_pv_entry(pmap, NULL);
	PMAP_UNLOCK(pmap);
	saved_pv->pv_va = VA1;
	pv_list_insert_tail(&saved_page->md.pv_list, saved_pv);
	cc_counter(CTR_PV_ENTRY_FREES, 1);
	cc_chunk(pmap)->pc_map[0] |= UINT64_C(1) << 1;
}

static void
repair_7_freed(void)
{
	pv_list_remove(&saved_page->md.pv_list, saved_pv);
	pu_page_free(&cc_pu, saved_page);
}

/* In a page that is no chunk. */
static void
break_3_stray(void)
{
	struct pv_chunk *stray;

	saved_page = pu_page(&cc_pu);
	stray = PHYS_TO_DMAP(cc_pu.pu_ma->ma_vp, VM_PAGE_TO_PHYS(saved_page));
	saved_pv = &stray->pc_pventry[3];
	pv_list_insert_tail(&saved_page->md.pv_list, saved_pv);
}

static void
repair_3_stray(void)
{
	pv_list_remove(&saved_page->md.pv_list, saved_pv);
	pu_page_free(&cc_pu, saved_page);
}

static void
break_4(void)
{
	cc_m1->oflags |= VPO_UNMANAGED;
}

static void
repair_4(void)
{
	cc_m1->oflags = 0;
}

static void
break_5_aligned(void)
{
	substitute()->pv_va = VA1 + 8;
}

static void
break_5_user(void)
{
	substitute()->pv_va = VM_MAXUSER_ADDRESS;
}

static struct md_page *
dummy_list(void)
{
	struct pv_table *pvt = cc_pu.pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, UINT64_MAX, NULL, &ph);
	return (ph.ph_md);
}

static void
break_6(void)
{
	dummy_list()->pv_list.pvl_first = cc_m0->md.pv_list.pvl_first;
}

static void
repair_6(void)
{
	dummy_list()->pv_list.pvl_first = NULL;
}

static void
break_7_unlisted(void)
{
	(void)substitute();
}

static void
break_7_tail(void)
{
	cc_chunk(cc_p)->pc_map[2] |= UINT64_C(1) << 40;
}

static void
repair_7_tail(void)
{
	cc_chunk(cc_p)->pc_map[2] &= PC_FREE2;
}

static void
break_7_links(void)
{
	/* A third entry on m0's list, behind those of the leaves. */
	saved_pv = &cc_chunk(cc_p)->pc_pventry[160];
	saved_pv->pv_va = 0x5000;
	pv_list_insert_tail(&cc_m0->md.pv_list, saved_pv);
	saved_pv->pv_prevp = &saved_pv->pv_next;
}

static void
repair_7_links(void)
{
	struct pv_entry *second = cc_m0->md.pv_list.pvl_first->pv_next;

	saved_pv->pv_prevp = &second->pv_next;
	pv_list_remove(&cc_m0->md.pv_list, saved_pv);
}

const struct check_case check_cases_pv[] = {
	{
	    .inv = 1,
	    .how = "two entries, and none",
	    .break_it = break_1,
	    .repair = repair_1,
	},
	{ .inv = 3,
	    .how = "an entry of no chunk",
	    .break_it = break_3_stray,
	    .repair = repair_3_stray,
	    .also = { 7 } },
	{
	    .inv = 3,
	    .also = { 7 },
	    .how = "an entry for nothing",
	    .break_it = break_3,
	    .repair = unsubstitute,
	},
	{
	    .inv = 4,
	    .how = "a page not managed",
	    .break_it = break_4,
	    .repair = repair_4,
	},
	{
	    .inv = 5,
	    .also = { 7 },
	    .how = "va in a page",
	    .break_it = break_5_aligned,
	    .repair = unsubstitute,
	},
	{
	    .inv = 5,
	    .also = { 7 },
	    .how = "va of the kernel",
	    .break_it = break_5_user,
	    .repair = unsubstitute,
	},
	{
	    .inv = 6,
	    .how = "hashed",
	    .break_it = break_6,
	    .repair = repair_6,
	    .design = "hashed/rwlock",
	},
	{
	    .inv = 6,
	    .how = "ptrarray",
	    .break_it = break_6,
	    .repair = repair_6,
	    .design = "ptrarray/mtx8",
	},
	{
	    .inv = 6,
	    .how = "sparse",
	    .break_it = break_6,
	    .repair = repair_6,
	    .design = "sparse/gen2",
	},
	{
	    .inv = 6,
	    .how = "segment",
	    .break_it = break_6,
	    .repair = repair_6,
	    .design = "segment/gen1",
	},
	{ .inv = 7,
	    .how = "a free entry on a list",
	    .break_it = break_7_freed,
	    .repair = repair_7_freed },
	{
	    .inv = 7,
	    .how = "entry on no list",
	    .break_it = break_7_unlisted,
	    .repair = unsubstitute,
	},
	{
	    .inv = 7,
	    .how = "bits behind the last",
	    .break_it = break_7_tail,
	    .repair = repair_7_tail,
	},
	{
	    .inv = 7,
	    .how = "links",
	    .break_it = break_7_links,
	    .repair = repair_7_links,
	},
	{ .inv = 0 },
};
