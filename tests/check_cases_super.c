/* SPDX-License-Identifier: BSD-2-Clause */

/* Superpages and saved page tables: 2, 4, 5, 7, 18 to 20 and 22 to 27. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "check_cases.h"

static pt_entry_t saved;
static struct pv_entry *saved_pv;
static struct vm_page *table;

static struct pv_list *
list_of(struct vm_page *m)
{
	struct pv_table *pvt = cc_pu.pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, VM_PAGE_TO_PHYS(m), m, &ph);
	return (&ph.ph_md->pv_list);
}

static void
set_pde(vm_offset_t va, pt_entry_t on, pt_entry_t off)
{
	pte_t *pde = pmap_pde(cc_s, va);

	saved = pte_load(pde);
	pte_store(pde, (saved | on) & ~off);
}

static void
restore(void)
{
	pte_store(pmap_pde(cc_s, SVA), saved);
}

static void
restore2(void)
{
	pte_store(pmap_pde(cc_s, SVA2), saved);
}

/* The two entries change places, and addresses. */
static void
swap_lists(void)
{
	struct pv_entry *a = list_of(cc_run)->pvl_first;
	struct pv_entry *b = list_of(cc_run2)->pvl_first;

	pv_list_remove(list_of(cc_run), a);
	pv_list_remove(list_of(cc_run2), b);
	pv_list_insert_tail(list_of(cc_run2), a);
	pv_list_insert_tail(list_of(cc_run), b);
}

/* An entry in use for a page of a superpage, apart from the superpage's. */
static void
break_2_page(void)
{
	PMAP_LOCK(cc_s);
	saved_pv = get_pv_entry(cc_s, NULL);
	PMAP_UNLOCK(cc_s);
	saved_pv->pv_va = SVA + 5 * PAGE_SIZE;
	pv_list_insert_tail(&cc_run[5].md.pv_list, saved_pv);
}

static void
repair_2_page(void)
{
	pv_list_remove(&cc_run[5].md.pv_list, saved_pv);
	PMAP_LOCK(cc_s);
	free_pv_entry(cc_s, saved_pv);
	PMAP_UNLOCK(cc_s);
}

static void
break_4(void)
{
	cc_run[7].oflags |= VPO_UNMANAGED;
}

static void
repair_4(void)
{
	cc_run[7].oflags = 0;
}

static void
break_5(void)
{
	list_of(cc_run)->pvl_first->pv_va += PAGE_SIZE;
}

static void
repair_5(void)
{
	list_of(cc_run)->pvl_first->pv_va -= PAGE_SIZE;
}

/* No list has it, and a free one is in its place. */
static void
break_7(void)
{
	struct pv_list *pvl = list_of(cc_run);
	struct pv_entry *free = &cc_chunk(cc_s)->pc_pventry[160];

	saved_pv = pvl->pvl_first;
	pv_list_remove(pvl, saved_pv);
	free->pv_va = SVA;
	pv_list_insert_tail(pvl, free);
}

static void
repair_7(void)
{
	struct pv_list *pvl = list_of(cc_run);

	pv_list_remove(pvl, pvl->pvl_first);
	pv_list_insert_tail(pvl, saved_pv);
}

static struct vm_page *
saved_table(vm_offset_t va)
{
	return (vm_radix_lookup(&cc_s->pm_root, va >> PDRSHIFT));
}

static void
break_18_entry(void)
{
	pte_t *pte = pmap_ptp_to_pte(cc_s, saved_table(SVA), SVA) + 9;

	saved = pte_load(pte);
	pte_store(pte, saved & ~PG_A);
}

static void
repair_18_entry(void)
{
	pte_store(pmap_ptp_to_pte(cc_s, saved_table(SVA), SVA) + 9, saved);
}

static void
break_18_valid(void)
{
	saved_table(SVA2)->valid = 3;
}

static void
repair_18_valid(void)
{
	saved_table(SVA2)->valid = SAVED_STALE;
}

static void
break_18_refs(void)
{
	cc_set_refs(saved_table(SVA), NPTEPG - 1);
}

static void
repair_18_refs(void)
{
	cc_set_refs(saved_table(SVA), NPTEPG);
}

static void
break_18_count(void)
{
	cc_s->pm_nspare++;
}

static void
repair_18_count(void)
{
	cc_s->pm_nspare--;
}

/* Saved for an address at which nothing is mapped. */
static void
break_18_place(void)
{
	table = pmap_remove_pt_page(cc_s, SVA);
	table->pindex += 7;
	assert_int_equal(pmap_insert_pt_page(cc_s, table, true), 0);
}

static void
repair_18_place(void)
{
	(void)pmap_remove_pt_page(cc_s, SVA + 7 * NBPDR);
	table->pindex -= 7;
	assert_int_equal(pmap_insert_pt_page(cc_s, table, true), 0);
}

static void
lock_and(void (*fn)(void))
{
	PMAP_LOCK(cc_s);
	fn();
	PMAP_UNLOCK(cc_s);
}

static void
locked_break_18_place(void)
{
	lock_and(break_18_place);
}

static void
locked_repair_18_place(void)
{
	lock_and(repair_18_place);
}

/* It keeps its page, which is counted, but nobody knows of it. */
static void
lose_table(void)
{
	table = pmap_remove_pt_page(cc_s, SVA2);
	pmap_resident_add(cc_s, -1);
	cc_counter(CTR_PT_PAGE_FREES, 1);
}

static void
find_table(void)
{
	assert_int_equal(pmap_insert_pt_page(cc_s, table, false), 0);
	pmap_resident_add(cc_s, 1);
	cc_counter(CTR_PT_PAGE_ALLOCS, 1);
}

static void
break_19(void)
{
	lock_and(lose_table);
}

static void
repair_19(void)
{
	lock_and(find_table);
}

static void
break_20(void)
{
	cc_counter(CTR_PDE_PROMOTIONS, 1);
}

static void
repair_20(void)
{
	cc_counter(CTR_PDE_DESTROYED, 1);
}

static void
break_22(void)
{
	set_pde(SVA2, 0x4000, 0);
}

static void
break_23_clean(void)
{
	set_pde(SVA, 0, PG_M);
}

static void
break_23_wired(void)
{
	set_pde(SVA2, 0, PG_A);
}

static void
break_24(void)
{
	set_pde(SVA2, PG_M, 0);
}

static void
break_25(void)
{
	vm_page_aflag_clear(&cc_run[300], PGA_WRITEABLE);
}

static void
repair_25(void)
{
	vm_page_aflag_set(&cc_run[300], PGA_WRITEABLE);
}

static void
break_26_user(void)
{
	set_pde(SVA2, 0, PG_U);
}

static void
break_26_type(void)
{
	cc_run->md.pat_mode = 6;
}

static void
repair_26_type(void)
{
	cc_run->md.pat_mode = 0;
}

static void
break_27(void)
{
	cc_set_refs(&cc_run[511], 0);
}

static void
repair_27(void)
{
	cc_set_refs(&cc_run[511], 1);
}

#define SUPER(n, text, b, r)                                                   \
	{                                                                      \
		.inv = (n), .how = (text), .break_it = (b), .repair = (r),     \
		.super = true                                                  \
	}
#define SUPER_ALSO(n, text, b, r, ...)                                         \
	{                                                                      \
		.inv = (n), .how = (text), .break_it = (b), .repair = (r),     \
		.super = true, .also = {                                       \
			__VA_ARGS__                                            \
		}                                                              \
	}

const struct check_case check_cases_super[] = {
	SUPER_ALSO(2, "each on the other's list", swap_lists, swap_lists, 3, 7),
	SUPER_ALSO(2, "an entry for one page", break_2_page, repair_2_page, 3,
	    5, 7, 11),
	SUPER(4, "a page not managed", break_4, repair_4),
	SUPER_ALSO(5, "va within", break_5, repair_5, 2),
	SUPER(7, "on no list", break_7, repair_7),
	SUPER(18, "not accessed", break_18_entry, repair_18_entry),
	SUPER(18, "state", break_18_valid, repair_18_valid),
	SUPER(18, "references", break_18_refs, repair_18_refs),
	SUPER(18, "count", break_18_count, repair_18_count),
	SUPER(18, "place", locked_break_18_place, locked_repair_18_place),
	SUPER(19, "no table", break_19, repair_19),
	SUPER(20, "count", break_20, repair_20),
	SUPER(22, "not aligned", break_22, restore2),
	SUPER(23, "writable, clean", break_23_clean, restore),
	SUPER(23, "wired, not accessed", break_23_wired, restore2),
	SUPER(24, "modified, read-only", break_24, restore2),
	SUPER(25, "hint", break_25, repair_25),
	SUPER(26, "not user", break_26_user, restore2),
	SUPER(26, "memory type", break_26_type, repair_26_type),
	SUPER(27, "free page", break_27, repair_27),
	{ .inv = 0 },
};
