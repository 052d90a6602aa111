/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TLBs and delayed invalidation with many threads.
 *
 * Half of the threads enter, remove and protect mappings of a few pages, and free
 * the pages for new ones: remove all mappings, wait, free.  The other half are
 * CPUs that read and write through their TLBs and switch between address spaces.
 * Between unlinking and telling the TLBs a thread loses its CPU now and then
 * (with PMAPSIM_INVARIANTS).  No access may reach a frame that was freed, and in
 * the end the TLBs agree with the page tables.  Beside the pages there is a whole
 * superpage, which is promoted and demoted all the time.
 *
 * And blocks of delayed invalidation alone: who waits finds all done, plain data
 * included, that blocks did before they finished.
 */

#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lock_util.h"
#include "pmap/mmu.h"
#include "pmap_util.h"

#define NTHREADS 8
#define NCPUS    8
#define NPMAPS   3
#define NPAGES   24
#define NVAS     40 /* pages of address space, over two page tables */
#define NROUNDS  20000

#define VA       (GB(1) + NBPDR - NVAS / 2 * PAGE_SIZE)
#define VA_LARGE GB(2)
#define PROT_RW  (VM_PROT_READ | VM_PROT_WRITE)

struct slot {
	_Atomic bool sl_busy; /* the page is held busy, as by its object */
	struct vm_page *sl_m;
};

struct stress {
	struct pu st_pu;
	struct machine *st_ma;
	struct pmap *st_pmaps[NPMAPS];
	struct slot st_slots[NPAGES];
	struct slot st_large; /* of a whole superpage: its first page */
	_Atomic unsigned st_still_mapped;
	_Atomic uint64_t st_replaced;
	_Atomic uint64_t st_hits; /* accesses that succeeded */
};

struct worker {
	struct stress *w_st;
	unsigned w_id;
	uint64_t w_rng;
	struct pu_thread w_put;
};

static bool
slot_take(struct slot *sl)
{
	/* Acquire: pairs with slot_drop(). */
	return (!atomic_exchange_explicit(
	    &sl->sl_busy, true, memory_order_acquire));
}

static void
slot_drop(struct slot *sl)
{
	/* Release: pairs with slot_take(). */
	atomic_store_explicit(&sl->sl_busy, false, memory_order_release);
}

/* Free the page of a slot and put another there. */
static void
replace_page(struct stress *st, struct slot *sl)
{
	pmap_remove_all(st->st_ma, sl->sl_m);
	/* Relaxed, both: counts. */
	if (pmap_page_is_mapped(st->st_ma, sl->sl_m))
		atomic_fetch_add_explicit(
		    &st->st_still_mapped, 1, memory_order_relaxed);
	pu_page_free(&st->st_pu, sl->sl_m);
	sl->sl_m = pu_page(&st->st_pu);
	/* Relaxed: as above. */
	atomic_fetch_add_explicit(&st->st_replaced, 1, memory_order_relaxed);
}

/* Something with the superpage. */
static void
change_large(struct worker *w, struct pmap *pmap)
{
	struct stress *st = w->w_st;
	struct slot *sl = &st->st_large;
	uint64_t r = lt_random(&w->w_rng);
	vm_offset_t va = VA_LARGE + (r >> 8) % NPTEPG * PAGE_SIZE;

	switch (r % 8) {
	case 0:
		pmap_remove(pmap, va, va + 4 * PAGE_SIZE);
		return;
	case 1:
		pmap_protect(pmap, va, VA_LARGE + NBPDR, VM_PROT_READ);
		return;
	case 2:
		pmap_remove(pmap, VA_LARGE, VA_LARGE + NBPDR);
		return;
	default:
		break;
	}
	if (!slot_take(sl))
		return;
	if (r % 8 == 3)
		pmap_remove_all(st->st_ma, &sl->sl_m[(r >> 20) % NPTEPG]);
	else if (r % 8 == 4)
		pmap_remove_write(st->st_ma, &sl->sl_m[(r >> 20) % NPTEPG]);
	else if (r % 8 == 5)
		(void)pmap_ts_referenced(st->st_ma, sl->sl_m);
	for (unsigned i = 0; r % 8 > 5 && i < NPTEPG; i++)
		(void)pmap_enter(pmap, VA_LARGE + i * PAGE_SIZE, &sl->sl_m[i],
		    PROT_RW, VM_PROT_WRITE, 0);
	slot_drop(sl);
}

static void
change(struct worker *w)
{
	struct stress *st = w->w_st;
	uint64_t r = lt_random(&w->w_rng);
	struct pmap *pmap = st->st_pmaps[r % NPMAPS];
	struct slot *sl = &st->st_slots[(r >> 8) % NPAGES];
	vm_offset_t va = VA + (r >> 16) % NVAS * PAGE_SIZE;
	vm_offset_t len = ((r >> 24) % 8 + 1) * PAGE_SIZE;

	if ((r >> 48) % 64 == 0) {
		change_large(w, pmap);
		return;
	}
	switch ((r >> 32) % 8) {
	case 0:
	case 1:
		pmap_remove(pmap, va, va + len);
		return;
	case 2:
		pmap_protect(pmap, va, va + len, VM_PROT_READ);
		return;
	default:
		break;
	}
	if (!slot_take(sl))
		return;
	if ((r >> 32) % 8 == 3)
		replace_page(st, sl);
	else if ((r >> 32) % 8 == 4)
		pmap_remove_write(st->st_ma, sl->sl_m);
	else
		(void)pmap_enter(pmap, va, sl->sl_m, PROT_RW,
		    (r >> 40) % 2 == 0 ? VM_PROT_READ : VM_PROT_WRITE, 0);
	slot_drop(sl);
}

static void
use(struct worker *w)
{
	struct stress *st = w->w_st;
	uint64_t r = lt_random(&w->w_rng);
	vm_offset_t va = VA + (r >> 16) % NVAS * PAGE_SIZE;

	if ((r >> 40) % 4 == 0)
		va = VA_LARGE + (r >> 16) % NPTEPG * PAGE_SIZE;
	if (r % 32 == 0)
		pmap_activate(st->st_pmaps[(r >> 8) % NPMAPS], w->w_id);
	if (mmu_access(st->st_ma, w->w_id, va,
		(r >> 24) % 4 == 0 ? VM_PROT_WRITE : VM_PROT_READ,
		NULL) == MMU_OK)
		/* Relaxed: a count. */
		atomic_fetch_add_explicit(
		    &st->st_hits, 1, memory_order_relaxed);
	if ((r >> 32) % 256 == 0)
		(void)sched_yield();
}

static void
work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < lt_scale(NROUNDS); i++) {
		if (w->w_id % 2 == 0)
			change(w);
		else
			for (unsigned k = 0; k < 8; k++)
				use(w);
	}
}

/* Lose the CPU where it hurts. */
static void
stall(struct machine *ma, enum test_point tp, void *arg)
{
	static _Thread_local unsigned n;

	(void)ma;
	(void)arg;
	if (tp == TP_REMOVE_FLUSH && n++ % 4 == 0) {
		for (unsigned i = 0; i < 8; i++)
			(void)sched_yield();
	}
}

static void
stress(const char *design, uint64_t seed)
{
	struct machine_config mc = { .mc_design = design, .mc_ncpus = NCPUS };
	static struct stress st;
	struct worker w[NTHREADS];
	uint64_t violations;

	memset(&st, 0, sizeof(st));
	print_message("%s, seed %" PRIu64 "\n", design, seed);
	pu_setup_config(&st.st_pu, NULL, &mc);
	st.st_ma = st.st_pu.pu_ma;
	mmu_seed(st.st_ma, seed);
	test_point_set(st.st_ma, stall, NULL);
	for (unsigned i = 0; i < NPMAPS; i++)
		st.st_pmaps[i] = pu_pmap(&st.st_pu);
	for (unsigned i = 0; i < NPAGES; i++)
		st.st_slots[i].sl_m = pu_page(&st.st_pu);
	st.st_large.sl_m = pu_run(&st.st_pu);
	machine_thread_idle_begin(st.st_ma);
	for (unsigned i = 0; i < NTHREADS; i++) {
		w[i].w_st = &st;
		w[i].w_id = i;
		w[i].w_rng = seed * NTHREADS + i;
		pu_start(&st.st_pu, &w[i].w_put, i, work, &w[i]);
	}
	for (unsigned i = 0; i < NTHREADS; i++)
		pu_join(&w[i].w_put);
	machine_thread_idle_end(st.st_ma);
	violations = mmu_violations(st.st_ma, NULL, 0);
	pu_check(&st.st_pu);
	assert_int_equal(violations, 0);
	assert_int_equal(st.st_still_mapped, 0);
	assert_true(st.st_replaced > 100);
	assert_true(st.st_hits > 1000);
	assert_true(pu_counter(&st.st_pu, CTR_PDE_PROMOTIONS) > 0);
	assert_true(pu_counter(&st.st_pu, CTR_PDE_DEMOTIONS) > 0);
	for (unsigned c = 0; c < NCPUS; c++)
		pmap_deactivate(st.st_ma, c);
	for (unsigned i = 0; i < NPMAPS; i++) {
		pmap_remove(st.st_pmaps[i], 0, VM_MAXUSER_ADDRESS);
		pu_pmap_free(st.st_pmaps[i]);
	}
	for (unsigned i = 0; i < NPAGES; i++)
		pu_page_free(&st.st_pu, st.st_slots[i].sl_m);
	pu_run_free(&st.st_pu, st.st_large.sl_m);
	pu_teardown(&st.st_pu);
}

static void
no_access_reaches_a_freed_frame(void **state)
{
	static const char *const layouts[] = { "sparse/rwlock", "hashed/gen2",
		"segment/mtx8", "ptrarray/rwlock" };
	static const char *const tlbs[] = { "adversarial", "assoc",
		"adversarial+pcid=off", "direct" };
	uint64_t seed = lt_seed();
	char design[128];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		(void)snprintf(design, sizeof(design),
		    "%s+tlb=%s+ipi=%s+di=%s%s", layouts[i % 4],
		    tlbs[(i + i / 4) % 4], i % 2 == 0 ? "sync" : "mailbox",
		    i / 2 % 2 == 0 ? "lockless" : "mutex",
		    i % 3 == 2 ? "+erratum383=on" : "");
		stress(design, seed + i);
	}
}

/* Blocks alone. */

#define NREGIONS 4
#define NBLOCKS  4000

struct promise {
	struct pu pr_pu;
	struct vm_page *pr_m[NREGIONS];
	/* By region and thread, (pv list lock): block that marked it last. */
	uint32_t pr_marked[NREGIONS][NTHREADS];
	/* By thread and block: the block, when it was done; plain, on purpose. */
	uint32_t pr_done[NTHREADS][NBLOCKS];
	uint32_t pr_early[NTHREADS]; /* by thread: waits that were too short */
};

struct promiser {
	struct promise *p_pr;
	unsigned p_id;
	uint64_t p_rng;
	struct pu_thread p_put;
};

static void
mark(struct promiser *p, unsigned region, uint32_t block)
{
	struct promise *pr = p->p_pr;
	struct pv_table *pvt = pr->pr_pu.pu_ma->ma_pvt;
	struct vm_page *m = pr->pr_m[region];
	struct pv_held held = PV_HELD_NONE;

	CHANGE_PV_LIST_LOCK(pvt, &held, m, VM_PAGE_TO_PHYS(m));
	pmap_delayed_invl_page(pr->pr_pu.pu_ma, m);
	pr->pr_marked[region][p->p_id] = block;
	pv_release_lock(pvt, &held);
}

static void
observe_and_wait(struct promiser *p, unsigned region)
{
	struct promise *pr = p->p_pr;
	struct pv_table *pvt = pr->pr_pu.pu_ma->ma_pvt;
	struct vm_page *m = pr->pr_m[region];
	struct pv_held held = PV_HELD_NONE;
	uint32_t seen[NTHREADS];

	CHANGE_PV_LIST_LOCK(pvt, &held, m, VM_PAGE_TO_PHYS(m));
	memcpy(seen, pr->pr_marked[region], sizeof(seen));
	pv_release_lock(pvt, &held);
	pmap_delayed_invl_wait(pr->pr_pu.pu_ma, m);
	for (unsigned t = 0; t < NTHREADS; t++) {
		if (seen[t] != 0 && pr->pr_done[t][seen[t]] != seen[t])
			pr->pr_early[p->p_id]++;
	}
}

static void
promise(void *arg)
{
	struct promiser *p = arg;
	struct promise *pr = p->p_pr;
	struct machine *ma = pr->pr_pu.pu_ma;
	uint64_t r;

	for (uint32_t b = 1; b < NBLOCKS; b++) {
		r = lt_random(&p->p_rng);
		pmap_delayed_invl_start(ma);
		for (unsigned i = 0; i < r % 3; i++)
			mark(p, (unsigned)(r >> (8 + 8 * i)) % NREGIONS, b);
		if ((r >> 32) % 8 == 0)
			(void)sched_yield();
		pr->pr_done[p->p_id][b] = b;
		pmap_delayed_invl_finish(ma);
		if ((r >> 40) % 2 == 0)
			observe_and_wait(p, (unsigned)(r >> 48) % NREGIONS);
	}
}

static void
keep_promises(const char *design, uint64_t seed)
{
	static struct promise pr;
	static struct promiser p[NTHREADS];
	uint64_t early = 0;

	memset(&pr, 0, sizeof(pr));
	print_message("%s, seed %" PRIu64 "\n", design, seed);
	pu_setup(&pr.pr_pu, NULL, design);
	for (unsigned i = 0; i < NREGIONS; i++)
		pr.pr_m[i] =
		    pu_page_at(&pr.pr_pu, MB(16) + i * NBPDR + i * PAGE_SIZE);
	for (unsigned i = 0; i < NTHREADS; i++) {
		p[i].p_pr = &pr;
		p[i].p_id = i;
		p[i].p_rng = seed * NTHREADS + i;
		pu_start(&pr.pr_pu, &p[i].p_put, 0, promise, &p[i]);
	}
	for (unsigned i = 0; i < NTHREADS; i++)
		pu_join(&p[i].p_put);
	for (unsigned i = 0; i < NTHREADS; i++)
		early += pr.pr_early[i];
	print_message("waits %" PRIu64 ", slow %" PRIu64 ", restarts %" PRIu64
		      " and %" PRIu64 "\n",
	    pu_counter(&pr.pr_pu, CTR_INVL_WAIT),
	    pu_counter(&pr.pr_pu, CTR_INVL_WAIT_SLOW),
	    pu_counter(&pr.pr_pu, CTR_INVL_START_RESTARTS),
	    pu_counter(&pr.pr_pu, CTR_INVL_FINISH_RESTARTS));
	assert_int_equal(early, 0);
	for (unsigned i = 0; i < NREGIONS; i++)
		pu_page_free(&pr.pr_pu, pr.pr_m[i]);
	pu_teardown(&pr.pr_pu);
}

static void
who_waits_finds_blocks_done(void **state)
{
	uint64_t seed = lt_seed();

	(void)state;
	keep_promises("sparse/rwlock+di=lockless", seed);
	keep_promises("sparse/rwlock+di=mutex", seed);
	keep_promises("hashed/gen2+di=lockless", seed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_access_reaches_a_freed_frame),
		cmocka_unit_test(who_waits_finds_blocks_done),
	};

	return (cmocka_run_group_tests_name("tlb", tests, NULL, NULL) != 0);
}
