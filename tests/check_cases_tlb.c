/* SPDX-License-Identifier: BSD-2-Clause */

/* Delayed invalidation, TLBs and who has which pmap loaded: 30 to 33. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "check_cases.h"

#define TLB "sparse/rwlock+tlb=assoc"

static pt_entry_t saved;
static uint32_t saved_pcid;

static struct pmap_di *
di(void)
{
	return (cc_pu.pu_ma->ma_di);
}

static void
break_30_block(void)
{
	pmap_delayed_invl_start(cc_pu.pu_ma);
}

static void
repair_30_block(void)
{
	pmap_delayed_invl_finish(cc_pu.pu_ma);
}

static void
break_30_region(void)
{
	struct pv_table *pvt = cc_pu.pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, 0x400000, NULL, &ph);
	/* Relaxed: at rest. */
	saved = atomic_exchange_explicit(
	    ph.ph_invl_gen, pmap_di_done(di()) + 1, memory_order_relaxed);
}

static void
repair_30_region(void)
{
	struct pv_table *pvt = cc_pu.pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, 0x400000, NULL, &ph);
	/* Relaxed: at rest. */
	atomic_store_explicit(ph.ph_invl_gen, saved, memory_order_relaxed);
}

static void
break_30_waiter(void)
{
	/* Relaxed: at rest. */
	atomic_store_explicit(&di()->di_waiters, 1, memory_order_relaxed);
}

static void
repair_30_waiter(void)
{
	/* Relaxed: at rest. */
	atomic_store_explicit(&di()->di_waiters, 0, memory_order_relaxed);
}

static void
break_30_priority(void)
{
	curthread()->td_invl->pi_raised = true;
}

static void
repair_30_priority(void)
{
	curthread()->td_invl->pi_raised = false;
}

/* CPU 1 runs cc_p, and has VA, VA1 and VA2 in its TLB. */
static void
load(void)
{
	struct machine *ma = cc_pu.pu_ma;

	pmap_activate(cc_p, 1);
	assert_int_equal(mmu_access(ma, 1, VA, VM_PROT_WRITE, NULL), MMU_OK);
	assert_int_equal(mmu_access(ma, 1, VA1, VM_PROT_READ, NULL), MMU_OK);
	assert_int_equal(mmu_access(ma, 1, VA2, VM_PROT_READ, NULL), MMU_OK);
	pu_check(&cc_pu);
}

static void
unload(void)
{
	pmap_deactivate(cc_pu.pu_ma, 1);
}

/* The entry of the TLB is right: a page table that says less is not. */
static void
break_31_rights(void)
{
	load();
	cc_set_pte(VA, pu_leaf(cc_p, VA) & ~(PG_RW | PG_M));
}

static void
repair_31(void)
{
	pte_store(pu_pte(cc_p, VA), cc_saved);
	unload();
}

static void
break_31_accessed(void)
{
	load();
	cc_set_pte(VA1, pu_leaf(cc_p, VA1) & ~PG_A);
}

static void
repair_31_accessed(void)
{
	pte_store(pu_pte(cc_p, VA1), cc_saved);
	unload();
}

static struct mmu_entry *
entry(vm_offset_t va, enum mmu_kind kind)
{
	struct mmu_cpu *mc = &cc_pu.pu_ma->ma_mmu->mu_cpus[1];
	struct mmu_entry *me;

	mmu_cpu_lock(mc);
	me = mmu_lookup(mc, va, kind);
	mmu_cpu_unlock(mc);
	assert_non_null(me);
	return (me);
}

static void
break_31_frame(void)
{
	load();
	entry(VA2, MMU_4K)->me_pte ^= PAGE_SIZE;
}

static void
break_31_table(void)
{
	load();
	entry(VA, MMU_TABLE)->me_pte ^= PAGE_SIZE;
}

static _Atomic uint64_t *
active(void)
{
	return (&cc_p->pm_mmu->pm_active[0]);
}

static void
break_32_active(void)
{
	/* Relaxed: at rest. */
	atomic_fetch_or_explicit(active(), 1, memory_order_relaxed);
}

static void
repair_32_active(void)
{
	/* Relaxed: at rest. */
	atomic_fetch_and_explicit(active(), ~UINT64_C(1), memory_order_relaxed);
}

static void
break_32_loaded(void)
{
	load();
	/* Relaxed: at rest. */
	atomic_fetch_and_explicit(active(), ~UINT64_C(2), memory_order_relaxed);
}

static void
repair_32_loaded(void)
{
	/* Relaxed: at rest. */
	atomic_fetch_or_explicit(active(), 2, memory_order_relaxed);
	unload();
}

/* Both can be loaded without a flush. */
static void
break_32_pcid(void)
{
	struct pmap_pcid *p, *q;

	pmap_activate(cc_p, 1);
	pmap_activate(cc_q, 1);
	pmap_deactivate(cc_pu.pu_ma, 1);
	p = &cc_p->pm_mmu->pm_pcids[1];
	q = &cc_q->pm_mmu->pm_pcids[1];
	/* Relaxed, both: at rest. */
	saved_pcid = atomic_load_explicit(&p->pp_pcid, memory_order_relaxed);
	atomic_store_explicit(&p->pp_pcid,
	    /* Relaxed: as above. */
	    atomic_load_explicit(&q->pp_pcid, memory_order_relaxed),
	    memory_order_relaxed);
}

static void
repair_32_pcid(void)
{
	/* Relaxed: at rest. */
	atomic_store_explicit(&cc_p->pm_mmu->pm_pcids[1].pp_pcid, saved_pcid,
	    memory_order_relaxed);
}

static void
set_violations(uint64_t n)
{
	struct mmu *mu = cc_pu.pu_ma->ma_mmu;

	mu->mu_reports[0] = (struct mmu_violation){ .mv_va = VA, .mv_cpu = 1 };
	/* Relaxed: at rest. */
	atomic_store_explicit(&mu->mu_violations, n, memory_order_relaxed);
}

static void
break_33(void)
{
	set_violations(1);
}

static void
repair_33(void)
{
	set_violations(0);
}

const struct check_case check_cases_tlb[] = {
	{ .inv = 30,
	    .how = "a block",
	    .break_it = break_30_block,
	    .repair = repair_30_block },
	{ .inv = 30,
	    .how = "a block under a mutex",
	    .break_it = break_30_block,
	    .repair = repair_30_block,
	    .design = "sparse/rwlock+di=mutex" },
	{ .inv = 30,
	    .how = "a region",
	    .break_it = break_30_region,
	    .repair = repair_30_region },
	{ .inv = 30,
	    .how = "a waiter",
	    .break_it = break_30_waiter,
	    .repair = repair_30_waiter },
	{ .inv = 30,
	    .how = "a priority",
	    .break_it = break_30_priority,
	    .repair = repair_30_priority },
	{ .inv = 31,
	    .how = "rights",
	    .break_it = break_31_rights,
	    .repair = repair_31,
	    .design = TLB },
	{ .inv = 31,
	    .how = "accessed",
	    .break_it = break_31_accessed,
	    .repair = repair_31_accessed,
	    .design = TLB },
	{ .inv = 31,
	    .how = "frame",
	    .break_it = break_31_frame,
	    .repair = unload,
	    .design = TLB "+pcid=off" },
	{ .inv = 31,
	    .how = "page table",
	    .break_it = break_31_table,
	    .repair = unload,
	    .design = TLB "+pcid=off" },
	{ .inv = 32,
	    .how = "active, not loaded",
	    .break_it = break_32_active,
	    .repair = repair_32_active,
	    .design = TLB },
	{ .inv = 32,
	    .how = "loaded, not active",
	    .break_it = break_32_loaded,
	    .repair = repair_32_loaded,
	    .design = TLB },
	{ .inv = 32,
	    .how = "two of one PCID",
	    .break_it = break_32_pcid,
	    .repair = repair_32_pcid,
	    .design = TLB },
	{ .inv = 33,
	    .how = "a violation",
	    .break_it = break_33,
	    .repair = repair_33,
	    .design = TLB },
	{ .inv = 0 },
};
