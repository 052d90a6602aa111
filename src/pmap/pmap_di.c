/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Delayed invalidation: what both forms share.  See pmap_di.h.
 */

#include "pmap/pmap_di.h"

#include <errno.h>

#include "kern/check_report.h"
#include "lock/turnstile.h"
#include "pmap/pmap_var.h"

/* Source: FreeBSD main (2024), sys/sys/priority.h, PVM. */
#define PRI_BLOCK 84

/*
 * A block is not kept waiting behind threads that are as urgent as it was before:
 * others wait for it.  Only where priorities differ at all.
 */
static void
raise_priority(struct pmap_invl *pi, struct thread *td)
{
	/* Relaxed: at worst the block is as urgent as it was. */
	if (__predict_true(!atomic_load_explicit(
		&td->td_sim->sim_pri_mixed, memory_order_relaxed)) ||
	    td->td_base_pri <= PRI_BLOCK)
		return;
	pi->pi_raised = true;
	pi->pi_pri = td->td_base_pri;
	thread_setpri(td, PRI_BLOCK);
}

void
pmap_delayed_invl_start(struct machine *ma)
{
	struct pmap_di *di = ma->ma_di;
	struct thread *td = curthread();
	struct pmap_invl *pi = td->td_invl;

	KASSERT(!pi->pi_inside,
	    ("thread %u is in a delayed invalidation block", td->td_id));
	raise_priority(pi, td);
	if (di->di_lockless)
		pmap_di_start_lockless(di, pi);
	else
		pmap_di_start_mutex(di, pi);
	pi->pi_inside = true;
}

void
pmap_delayed_invl_finish(struct machine *ma)
{
	struct pmap_di *di = ma->ma_di;
	struct thread *td = curthread();
	struct pmap_invl *pi = td->td_invl;

	KASSERT(pi->pi_inside,
	    ("thread %u is in no delayed invalidation block", td->td_id));
	pi->pi_inside = false;
	pi->pi_region = UINT64_MAX;
	if (di->di_lockless)
		pmap_di_finish_lockless(di, pi);
	else
		pmap_di_finish_mutex(di, pi);
	if (__predict_false(pi->pi_raised)) {
		pi->pi_raised = false;
		thread_setpri(td, pi->pi_pri);
	}
}

/*
 * Plain loads and stores of pv_invl_gen would do for those who mark: they hold
 * the pv list lock.  Who waits does not.
 */
void
pmap_delayed_invl_mark(struct machine *ma, struct vm_page *m)
{
	struct pmap_invl *pi = curthread()->td_invl;
	struct pv_header ph;
	uint64_t gen;

	if (!pi->pi_inside || BUG(ma, di_unmarked))
		return;
	KASSERT(BUG(ma, di_late) || pv_lock_owned(ma->ma_pvt, m),
	    ("page %#jx: its region is marked without its lock",
		(uintmax_t)VM_PAGE_TO_PHYS(m)));
	ma->ma_pvt->pvt_ops->pvl_lookup(ma->ma_pvt, VM_PAGE_TO_PHYS(m), m, &ph);
	/* Relaxed: ours; a neighbour may raise it, and either value will do. */
	gen = atomic_load_explicit(&PMAP_INVL_GEN(pi), memory_order_relaxed);
	/*
	 * Many pages share a region, and with some layouts many superpages.
	 * Relaxed: the pv list lock orders those who write.
	 */
	if (atomic_load_explicit(ph.ph_invl_gen, memory_order_relaxed) < gen ||
	    BUG(ma, di_collision)) {
		/* Relaxed: who waits has had the pv list lock after us. */
		atomic_store_explicit(
		    ph.ph_invl_gen, gen, memory_order_relaxed);
	}
	pi->pi_region = VM_PAGE_TO_PHYS(m) >> PDRSHIFT;
}

void
pmap_delayed_invl_wait(struct machine *ma, struct vm_page *m)
{
	struct pmap_di *di = ma->ma_di;
	struct thread *td = curthread();
	struct pv_header ph;
	uint64_t gen;

	KASSERT(td->td_pv_held == NULL,
	    ("waits for delayed invalidation with a pv list lock"));
	PMAP_ASSERT_NOT_IN_DI();
	ma->ma_pvt->pvt_ops->pvl_lookup(ma->ma_pvt, VM_PAGE_TO_PHYS(m), m, &ph);
	/* Relaxed: this thread has had the pv list lock under which it grew. */
	gen = atomic_load_explicit(ph.ph_invl_gen, memory_order_relaxed);
	if (__predict_true(gen <= pmap_di_done(di)))
		return;
	counter_add(&td->td_counters, CTR_INVL_WAIT, 1);
	if (di->di_lockless)
		pmap_di_wait_lockless(di, gen);
	else
		pmap_di_wait_mutex(di, gen);
}

struct thread *
pmap_di_owner(struct thread *td, const void *key, unsigned nth, unsigned *np)
{
	(void)td;
	(void)key;
	(void)nth;
	/* Held, so to speak, by blocks that cannot be lent to. */
	*np = 1;
	return (NULL);
}

void
pmap_di_broadcast(struct pmap_di *di, struct turnstile_chain *tc)
{
	struct thread *woken;

	woken = turnstile_broadcast(tc, &di->di_head, TS_SHARED_QUEUE);
	turnstile_unlock_wake(tc, woken);
}

void
pmap_di_qlen(struct pmap_di *di, uint32_t n)
{
	/* Relaxed, all: a statistic. */
	uint32_t max =
	    atomic_load_explicit(&di->di_max_qlen, memory_order_relaxed);

	while (n > max && /* Relaxed: as above. */
	    !atomic_compare_exchange_weak_explicit(&di->di_max_qlen, &max, n,
		memory_order_relaxed, memory_order_relaxed))
		;
}

uint32_t
pmap_di_max_qlen(const struct machine *ma)
{
	/* Relaxed: a statistic. */
	return (atomic_load_explicit(
	    &ma->ma_di->di_max_qlen, memory_order_relaxed));
}

int
pmap_di_create(struct machine *ma)
{
	struct pmap_di *di;

	di = kmem_alloc(ma->ma_kmem, sizeof(*di), CACHE_PAIR_SIZE, M_MACHINE,
	    KMEM_ANYDOMAIN);
	if (di == NULL)
		return (ENOMEM);
	mtx_init(&di->di_mtx, "invlgn", 0);
	/* Plain, in effect: nobody else knows it. */
	atomic_init(&PMAP_INVL_GEN(&di->di_head), 1);
	di->di_lockless =
	    ma->ma_design.d_di == PMAP_DI_LOCKLESS && cas2_supported();
	ma->ma_di = di;
	return (0);
}

void
pmap_di_destroy(struct machine *ma)
{
	struct pmap_di *di = ma->ma_di;
	struct pmap_invl *pi;

	if (di == NULL)
		return;
	while ((pi = di->di_pool) != NULL) {
		di->di_pool = pi->pi_pool;
		kmem_free(
		    ma->ma_kmem, pi, sizeof(*pi), M_MACHINE, KMEM_ANYDOMAIN);
	}
	mtx_destroy(&di->di_mtx);
	kmem_free(ma->ma_kmem, di, sizeof(*di), M_MACHINE, KMEM_ANYDOMAIN);
	ma->ma_di = NULL;
}

int
pmap_di_attach(struct machine *ma, struct thread *td)
{
	struct pmap_di *di = ma->ma_di;
	struct pmap_invl *pi;

	leaf_lock(&di->di_pool_lock, td->td_sim);
	pi = di->di_pool;
	if (pi != NULL)
		di->di_pool = pi->pi_pool;
	leaf_unlock(&di->di_pool_lock);
	if (pi == NULL) {
		pi = kmem_alloc(ma->ma_kmem, sizeof(*pi), CACHE_PAIR_SIZE,
		    M_MACHINE, KMEM_ANYDOMAIN);
		if (pi == NULL)
			return (ENOMEM);
		pi->pi_region = UINT64_MAX;
		/* Plain, in effect: nobody else knows it. */
		atomic_init(&PMAP_INVL_NEXT(pi), PMAP_DI_FREE);
	}
	td->td_invl = pi;
	return (0);
}

void
pmap_di_detach(struct machine *ma, struct thread *td)
{
	struct pmap_di *di = ma->ma_di;
	struct pmap_invl *pi = td->td_invl;

	KASSERT(!pi->pi_inside,
	    ("thread %u leaves in a delayed invalidation block", td->td_id));
	td->td_invl = NULL;
	leaf_lock(&di->di_pool_lock, td->td_sim);
	pi->pi_pool = di->di_pool;
	di->di_pool = pi;
	leaf_unlock(&di->di_pool_lock);
}

struct di_check {
	struct machine *dc_ma;
	struct check_report dc_report;
};

static void
di_check_thread(struct thread *td, void *arg)
{
	struct di_check *dc = arg;
	struct pmap_invl *pi = td->td_invl;

	if (pi == NULL || td->td_machine != dc->dc_ma)
		return;
	if (pi->pi_inside)
		check_bad(&dc->dc_report, 30,
		    "thread %u is in a delayed invalidation block", td->td_id);
	if (pi->pi_raised)
		check_bad(&dc->dc_report, 30,
		    "thread %u has kept the priority of a block", td->td_id);
	/* Relaxed: at rest. */
	if (dc->dc_ma->ma_di->di_lockless &&
	    atomic_load_explicit(&PMAP_INVL_NEXT(pi), memory_order_relaxed) !=
		PMAP_DI_FREE)
		check_bad(&dc->dc_report, 30,
		    "thread %u: its element is on a list", td->td_id);
}

static void
di_check_regions(struct di_check *dc, uint64_t head)
{
	struct pv_table *pvt = dc->dc_ma->ma_pvt;
	const struct vm_phys *vp = dc->dc_ma->ma_vp;
	struct pv_header ph;
	vm_paddr_t pa;
	uint64_t gen;

	/* Headers that nobody used would be touched, and use memory. */
	if (pvt->pvt_bytes > PV_WALK_MAX)
		return;
	for (int i = 0; i < vp->vp_nsegs; i++) {
		for (pa = vp->vp_segs[i].start; pa < vp->vp_segs[i].end;
		     pa = (pa + NBPDR) & ~PDRMASK) {
			pvt->pvt_ops->pvl_lookup(
			    pvt, pa, PHYS_TO_VM_PAGE(vp, pa), &ph);
			/* Relaxed: at rest. */
			gen = atomic_load_explicit(
			    ph.ph_invl_gen, memory_order_relaxed);
			if (gen > head)
				check_bad(&dc->dc_report, 30,
				    "superpage %#jx: pv_invl_gen %ju, but only "
				    "%ju has finished",
				    (uintmax_t)(pa & ~PDRMASK), (uintmax_t)gen,
				    (uintmax_t)head);
		}
	}
}

unsigned
pmap_di_check(struct machine *ma,
    void (*fn)(void *arg, int inv, const char *text), void *arg)
{
	struct di_check dc = { .dc_ma = ma,
		.dc_report = { .cr_fn = fn, .cr_arg = arg } };
	struct pmap_di *di = ma->ma_di;
	uint32_t n;

	/* Relaxed, all: at rest. */
	if (di->di_newest != NULL ||
	    atomic_load_explicit(
		&PMAP_INVL_NEXT(&di->di_head), memory_order_relaxed) != 0)
		check_bad(&dc.dc_report, 30, "the list of blocks is not empty");
	/* Relaxed: as above. */
	n = atomic_load_explicit(&di->di_waiters, memory_order_relaxed);
	if (n != 0)
		check_bad(&dc.dc_report, 30, "%u threads wait for blocks", n);
	sim_thread_foreach(ma->ma_sim, di_check_thread, &dc);
	di_check_regions(&dc, pmap_di_done(di));
	return (dc.dc_report.cr_n);
}
