/* SPDX-License-Identifier: BSD-2-Clause */

/* Page tables and what is in them: 13 to 27. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "check_cases.h"

static struct pmap *extra;
static struct vm_page *extra_page;

static void
break_13(void)
{
	pmap_resident_add(cc_p, 1);
}

static void
repair_13(void)
{
	pmap_resident_add(cc_p, -1);
}

static void
break_14(void)
{
	cc_p->pm_stats.wired_count++;
}

static void
repair_14(void)
{
	cc_p->pm_stats.wired_count--;
}

static void
break_15_refs(void)
{
	ptp_ref_add(cc_page_table(), 1);
}

static void
repair_15_refs(void)
{
	ptp_ref_add(cc_page_table(), UINT32_MAX);
}

static void
break_15_pindex(void)
{
	cc_page_table()->pindex++;
}

static void
repair_15_pindex(void)
{
	cc_page_table()->pindex--;
}

static void
break_16_counters(void)
{
	cc_counter(CTR_PT_PAGE_ALLOCS, 1);
}

static void
repair_16_counters(void)
{
	cc_counter(CTR_PT_PAGE_FREES, 1);
}

/* In the directory of VA, where no table is: an entry that is not valid. */
static void
break_16_nowhere(void)
{
	pte_store(pmap_pde(cc_p, VA) + 1, 0x1000);
	ptp_ref_add(PHYS_TO_VM_PAGE(
			cc_p->pm_vp, pte_load(pmap_pdpe(cc_p, VA)) & PG_FRAME),
	    1);
}

static void
repair_16_nowhere(void)
{
	pte_store(pmap_pde(cc_p, VA) + 1, 0);
	ptp_ref_add(PHYS_TO_VM_PAGE(
			cc_p->pm_vp, pte_load(pmap_pdpe(cc_p, VA)) & PG_FRAME),
	    UINT32_MAX);
}

static void
break_17(void)
{
	extra_page = pu_page(&cc_pu);
	cc_set_refs(extra_page, 0);
	extra_page->pindex = NUPDE + NUPDPE + 3;
	pte_store(&cc_p->pm_pml4[3], VM_PAGE_TO_PHYS(extra_page) | PG_TABLE);
	pmap_resident_add(cc_p, 1);
	cc_counter(CTR_PT_PAGE_ALLOCS, 1);
}

static void
repair_17(void)
{
	pte_store(&cc_p->pm_pml4[3], 0);
	pmap_resident_add(cc_p, -1);
	cc_counter(CTR_PT_PAGE_FREES, 1);
	pu_page_free(&cc_pu, extra_page);
}

static void
break_21(void)
{
	extra = pu_pmap(&cc_pu);
	pmap_release(extra);
	pmap_resident_add(extra, 1);
}

static void
repair_21(void)
{
	pmap_resident_add(extra, -1);
	pmap_free(extra);
}

static void
restore_va(void)
{
	pte_store(pu_pte(cc_p, VA), cc_saved);
}

static void
restore_va1(void)
{
	pte_store(pu_pte(cc_p, VA1), cc_saved);
}

static void
restore_va2(void)
{
	pte_store(pu_pte(cc_p, VA2), cc_saved);
}

static void
break_22(void)
{
	cc_set_pte(VA, pu_leaf(cc_p, VA) | UINT64_C(1) << 54);
}

static void
break_23(void)
{
	cc_set_pte(VA2, pu_leaf(cc_p, VA2) & ~PG_M);
}

static void
break_24(void)
{
	cc_set_pte(VA1, pu_leaf(cc_p, VA1) | PG_M);
}

static void
break_25(void)
{
	vm_page_aflag_clear(cc_m0, PGA_WRITEABLE);
}

static void
repair_25(void)
{
	vm_page_aflag_set(cc_m0, PGA_WRITEABLE);
}

static void
break_26_user(void)
{
	cc_set_pte(VA, pu_leaf(cc_p, VA) & ~PG_U);
}

static void
break_26_global(void)
{
	cc_set_pte(VA, pu_leaf(cc_p, VA) | PG_G);
}

static void
break_26_type(void)
{
	cc_m1->md.pat_mode = 6;
}

static void
repair_26_type(void)
{
	cc_m1->md.pat_mode = 0;
}

static void
break_27_free(void)
{
	cc_set_refs(cc_m1, 0);
}

static void
repair_27_free(void)
{
	cc_set_refs(cc_m1, 1);
}

/* An unmanaged mapping, since tables are. */
static void
break_27_table(void)
{
	cc_set_pte(VA2,
	    (pu_leaf(cc_p, VA2) & ~PG_FRAME) |
		VM_PAGE_TO_PHYS(cc_page_table()));
}

static void
break_27_chunk(void)
{
	cc_set_pte(VA2,
	    (pu_leaf(cc_p, VA2) & ~PG_FRAME) |
		VM_PAGE_TO_PHYS(cc_chunk_page()));
}

const struct check_case check_cases_pt[] = {
	{
	    .inv = 13,
	    .how = "count",
	    .break_it = break_13,
	    .repair = repair_13,
	},
	{
	    .inv = 14,
	    .how = "count",
	    .break_it = break_14,
	    .repair = repair_14,
	},
	{
	    .inv = 15,
	    .how = "references",
	    .break_it = break_15_refs,
	    .repair = repair_15_refs,
	},
	{
	    .inv = 15,
	    .how = "pindex",
	    .break_it = break_15_pindex,
	    .repair = repair_15_pindex,
	},
	{
	    .inv = 16,
	    .how = "counters",
	    .break_it = break_16_counters,
	    .repair = repair_16_counters,
	},
	{
	    .inv = 16,
	    .how = "entry not valid",
	    .break_it = break_16_nowhere,
	    .repair = repair_16_nowhere,
	},
	{
	    .inv = 17,
	    .how = "empty table",
	    .break_it = break_17,
	    .repair = repair_17,
	},
	{
	    .inv = 21,
	    .how = "count",
	    .break_it = break_21,
	    .repair = repair_21,
	},
	{
	    .inv = 22,
	    .how = "bit 54",
	    .break_it = break_22,
	    .repair = restore_va,
	},
	{
	    .inv = 23,
	    .how = "unmanaged, clean",
	    .break_it = break_23,
	    .repair = restore_va2,
	},
	{
	    .inv = 24,
	    .how = "modified, read-only",
	    .break_it = break_24,
	    .repair = restore_va1,
	},
	{
	    .inv = 25,
	    .how = "hint",
	    .break_it = break_25,
	    .repair = repair_25,
	},
	{
	    .inv = 26,
	    .how = "not user",
	    .break_it = break_26_user,
	    .repair = restore_va,
	},
	{
	    .inv = 26,
	    .how = "global",
	    .break_it = break_26_global,
	    .repair = restore_va,
	},
	{
	    .inv = 26,
	    .how = "memory type",
	    .break_it = break_26_type,
	    .repair = repair_26_type,
	},
	{
	    .inv = 27,
	    .how = "free page",
	    .break_it = break_27_free,
	    .repair = repair_27_free,
	},
	{
	    .inv = 27,
	    .how = "table",
	    .break_it = break_27_table,
	    .repair = restore_va2,
	},
	{
	    .inv = 27,
	    .how = "chunk",
	    .break_it = break_27_chunk,
	    .repair = restore_va2,
	},
	{ .inv = 0 },
};
