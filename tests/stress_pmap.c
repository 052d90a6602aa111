/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pmap layer with many threads: random operations on shared pmaps and shared
 * pages by the rules that callers obey, and the protocol of pv_gen step by step.
 *
 * In the directed tests the main thread holds a pmap's mutex until another
 * thread, which came from a page, has failed to try it, has dropped the pv list
 * lock and is blocked on the mutex.  What happens to the list meanwhile is then
 * certain, and so is whether the scan must start again.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lock/rwlock.h"
#include "lock_util.h"
#include "pmap_util.h"

#define R  VM_PROT_READ
#define W  VM_PROT_WRITE
#define VA UINT64_C(0x7f0012345000)

#define NTHREADS 8

static const char map_lines[] = "0-98000 usable 0\n"
				"100000-4000000 usable 0\n"
				"4000000-8000000 usable 1\n";

/* "none" excludes nobody. */
#define NSTRESSLOCKS (PU_NLOCKS - 1)

static void
for_each_design(void (*fn)(const char *design))
{
	char design[64];

	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		for (unsigned k = 0; k < NSTRESSLOCKS; k++) {
			(void)snprintf(design, sizeof(design), "%s/%s%s",
			    pu_layouts[l], pu_locks[k],
			    (l + k) % 2 == 0 ? "+batch" : "");
			fn(design);
		}
	}
}

/* The pv_gen protocol. */

enum scan_kind {
	SCAN_REMOVE_ALL,
	SCAN_REMOVE_WRITE,
	SCAN_CLEAR_MODIFY,
	SCAN_IS_MODIFIED,
	SCAN_IS_REFERENCED,
	SCAN_TS_REFERENCED,
	SCAN_WIRED,
	NSCANS
};

struct scan {
	struct machine *s_ma;
	struct vm_page *s_m;
	enum scan_kind s_kind;
	int s_result;
};

static void
scan(void *arg)
{
	struct scan *s = arg;

	switch (s->s_kind) {
	case SCAN_REMOVE_ALL:
		pmap_remove_all(s->s_ma, s->s_m);
		break;
	case SCAN_REMOVE_WRITE:
		pmap_remove_write(s->s_ma, s->s_m);
		break;
	case SCAN_CLEAR_MODIFY:
		pmap_clear_modify(s->s_ma, s->s_m);
		break;
	case SCAN_IS_MODIFIED:
		s->s_result = pmap_is_modified(s->s_ma, s->s_m);
		break;
	case SCAN_IS_REFERENCED:
		s->s_result = pmap_is_referenced(s->s_ma, s->s_m);
		break;
	case SCAN_TS_REFERENCED:
		s->s_result = pmap_ts_referenced(s->s_ma, s->s_m);
		break;
	case SCAN_WIRED:
		s->s_result = pmap_page_wired_mappings(s->s_ma, s->s_m);
		break;
	case NSCANS:
		break;
	}
}

enum meanwhile {
	NOTHING,
	ANOTHER_MAPPING, /* the page is mapped in a third pmap */
	SECOND_GONE,     /* the second mapping of the list goes */
	FIRST_GONE,      /* the one whose pmap is waited for goes */
	FIRST_REPLACED,  /* it goes and comes again */
	NMEANWHILE
};

/* Take va's mapping of m out of a pmap that is locked already. */
static void
remove_locked(struct pu *pu, struct pmap *pmap, struct vm_page *m)
{
	struct pv_table *pvt = pu->pu_ma->ma_pvt;
	struct pv_held held = PV_HELD_NONE;
	struct vm_page *free = NULL;
	pt_entry_t pde = 0;
	pte_t *pte = pmap_pte_pde(pmap, VA, &pde);
	pt_entry_t old = pte_load_clear(pte);

	pmap->pm_stats.wired_count -= (old & PG_W) != 0;
	pmap_resident_add(pmap, -1);
	pmap_lose(old, m);
	CHANGE_PV_LIST_LOCK(pvt, &held, m, m->phys_addr);
	free_pv_entry(pmap, pmap_pvh_remove(&m->md, pmap, VA));
	pmap_clear_writeable_if_unmapped(m, held.pv_pvh);
	pv_release_lock(pvt, &held);
	(void)pmap_unuse_pt(pmap, VA, pde, &free);
	pmap_free_ptps(pmap->pm_machine, free);
}

/* What the scan must find and leave, whatever happened meanwhile. */
static void
verify_scan(struct pu *pu, const struct scan *s, enum meanwhile what,
    struct pmap *const pmaps[3])
{
	unsigned mapped = 0, modified = 0, writable = 0, accessed = 0;
	unsigned expected;
	pt_entry_t pte;

	pu_check(pu);
	for (unsigned i = 0; i < 3; i++) {
		pte = pu_leaf(pmaps[i], VA);
		mapped += pte != 0;
		modified += (pte & PG_M) != 0;
		writable += (pte & PG_RW) != 0;
		accessed += (pte & PG_A) != 0;
	}
	expected = what == ANOTHER_MAPPING              ? 3
	    : what == SECOND_GONE || what == FIRST_GONE ? 1
							: 2;
	if (s->s_kind == SCAN_REMOVE_ALL) {
		expected = 0;
		assert_true(pu_dirty(s->s_m));
	}
	assert_int_equal(mapped, expected);
	assert_int_equal(pu_nmappings(s->s_m), expected);
	switch (s->s_kind) {
	case SCAN_REMOVE_WRITE:
		assert_int_equal(writable, 0);
		assert_false(pu_aflag(s->s_m, PGA_WRITEABLE));
		assert_true(pu_dirty(s->s_m));
		break;
	case SCAN_CLEAR_MODIFY:
		assert_int_equal(modified, 0);
		assert_int_equal(writable, expected);
		break;
	case SCAN_TS_REFERENCED:
		assert_int_equal(accessed, 0);
		assert_int_equal(s->s_result, expected);
		break;
	case SCAN_WIRED:
		assert_int_equal(s->s_result, expected);
		break;
	case SCAN_IS_MODIFIED:
	case SCAN_IS_REFERENCED:
		assert_int_equal(s->s_result, 1);
		break;
	default:
		break;
	}
}

static void
do_meanwhile(struct pu *pu, enum meanwhile what, struct pmap *const pmaps[3],
    struct vm_page *m)
{
	switch (what) {
	case ANOTHER_MAPPING:
		(void)pmap_enter(
		    pmaps[2], VA, m, R | W, W | PMAP_ENTER_WIRED, 0);
		break;
	case SECOND_GONE:
		pmap_remove(pmaps[1], VA, VA + 4096);
		break;
	case FIRST_GONE:
	case FIRST_REPLACED:
		remove_locked(pu, pmaps[0], m);
		break;
	default:
		break;
	}
}

static uint64_t tryfails, restarts; /* of all tests of this program */

static void
scan_while(const char *design, enum scan_kind kind, enum meanwhile what)
{
	struct pmap *pmaps[3];
	struct pu_thread put;
	struct scan s;
	struct pu pu;

	pu_setup(&pu, map_lines, design);
	for (unsigned i = 0; i < 3; i++)
		pmaps[i] = pu_pmap(&pu);
	s = (struct scan){ pu.pu_ma, pu_page(&pu), kind, -1 };
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pmap_enter(pmaps[i], VA, s.s_m, R | W,
				     W | PMAP_ENTER_WIRED, 0),
		    KERN_SUCCESS);

	PMAP_LOCK(pmaps[0]);
	pu_start(&pu, &put, 1, scan, &s);
	pu_await_blocked(&put, &pmaps[0]->pm_mtx.mtx_lock);
	do_meanwhile(&pu, what, pmaps, s.s_m);
	PMAP_UNLOCK(pmaps[0]);
	if (what == FIRST_REPLACED) {
		/* Before or after the scan's first look: both are right. */
		(void)pmap_enter(
		    pmaps[0], VA, s.s_m, R | W, W | PMAP_ENTER_WIRED, 0);
	}
	pu_join(&put);

	if (what != FIRST_REPLACED) {
		assert_int_equal(pu_counter(&pu, CTR_PMAP_TRYFAILS), 1);
		assert_int_equal(
		    pu_counter(&pu, CTR_PV_RESTARTS), what != NOTHING);
		verify_scan(&pu, &s, what, pmaps);
	}
	tryfails += pu_counter(&pu, CTR_PMAP_TRYFAILS);
	restarts += pu_counter(&pu, CTR_PV_RESTARTS);
	for (unsigned i = 0; i < 3; i++) {
		pmap_remove(pmaps[i], 0, VM_MAXUSER_ADDRESS);
		pu_pmap_free(pmaps[i]);
	}
	pu_page_free(&pu, s.s_m);
	pu_teardown(&pu);
}

static void
scan_meanwhile(const char *design, enum meanwhile what)
{
	for (int kind = 0; kind < NSCANS; kind++)
		scan_while(design, (enum scan_kind)kind, what);
}

static void
unchanged(const char *design)
{
	scan_meanwhile(design, NOTHING);
}

static void
an_unchanged_list_is_scanned_on(void **state)
{
	(void)state;
	for_each_design(unchanged);
}

static void
changed(const char *design)
{
	for (int what = ANOTHER_MAPPING; what < FIRST_REPLACED; what++)
		scan_meanwhile(design, (enum meanwhile)what);
}

static void
a_changed_list_is_scanned_again(void **state)
{
	(void)state;
	for_each_design(changed);
}

static void
replaced(const char *design)
{
	scan_while(design, SCAN_TS_REFERENCED, FIRST_REPLACED);
	scan_while(design, SCAN_CLEAR_MODIFY, FIRST_REPLACED);
}

static void
a_mapping_may_go_and_come_back(void **state)
{
	(void)state;
	for_each_design(replaced);
}

/* The pmap that is waited for is released, and made anew, meanwhile. */
static void
pmap_reborn(const char *design)
{
	struct pu_thread put;
	struct pmap *p, *q;
	struct scan s;
	struct pu pu;

	pu_setup(&pu, map_lines, design);
	p = pu_pmap(&pu);
	s = (struct scan){ pu.pu_ma, pu_page(&pu), SCAN_REMOVE_ALL, -1 };
	assert_int_equal(pmap_enter(p, VA, s.s_m, R | W, W, 0), KERN_SUCCESS);
	PMAP_LOCK(p);
	pu_start(&pu, &put, 1, scan, &s);
	pu_await_blocked(&put, &p->pm_mtx.mtx_lock);
	remove_locked(&pu, p, s.s_m);
	PMAP_UNLOCK(p);
	pu_pmap_free(p);
	q = pu_pmap(&pu);
	assert_ptr_equal(q, p);
	pu_join(&put);
	assert_int_equal(pu_counter(&pu, CTR_PV_RESTARTS), 1);
	assert_int_equal(pmap_resident_count(q), 1);
	assert_true(pu_dirty(s.s_m));
	restarts++;
	pu_check(&pu);
	pu_pmap_free(q);
	pu_page_free(&pu, s.s_m);
	pu_teardown(&pu);
}

static void
a_pmap_may_be_reborn_while_waited_for(void **state)
{
	(void)state;
	for_each_design(pmap_reborn);
}

/* Writes against protection. */

struct writer {
	struct pmap *w_pmap;
	_Atomic uint64_t w_round;
	_Atomic uint64_t w_written; /* a round in which a write succeeded */
	_Atomic bool w_stop;
};

static void
write_on(void *arg)
{
	struct writer *w = arg;
	uint64_t round;

	/* Relaxed: ends some time. */
	while (!atomic_load_explicit(&w->w_stop, memory_order_relaxed)) {
		/* Acquire: pairs with the release of the main thread. */
		round = atomic_load_explicit(&w->w_round, memory_order_acquire);
		if (pu_mmu(w->w_pmap, VA, W)) {
			/* Release: the entry was changed before. */
			atomic_store_explicit(
			    &w->w_written, round, memory_order_release);
		}
	}
}

/* A write that succeeded makes the page dirty, however close it was (B19). */
static void
no_write_is_lost(void **state)
{
	struct writer w = { .w_pmap = NULL };
	uint64_t hits = 0, lost = 0, n = lt_scale(20000);
	struct pu_thread put;
	struct vm_page *m;
	struct pu pu;

	(void)state;
	pu_setup(&pu, map_lines, "sparse/gen2");
	w.w_pmap = pu_pmap(&pu);
	m = pu_page(&pu);
	assert_int_equal(pmap_enter(w.w_pmap, VA, m, R, R, 0), KERN_SUCCESS);
	pu_start(&pu, &put, 1, write_on, &w);
	for (uint64_t i = 1; i <= n; i++) {
		pu_undirty(m);
		(void)pmap_enter(w.w_pmap, VA, m, R | W, R, 0);
		/* Release: writes of this round find the entry writable. */
		atomic_store_explicit(&w.w_round, i, memory_order_release);
		if (i % 4 == 0)
			sim_real_ops.so_yield(pu.pu_ma->ma_sim);
		if (i % 2 == 0)
			pmap_protect(w.w_pmap, VA, VA + 4096, R);
		else if (i % 3 == 0)
			pmap_remove_write(pu.pu_ma, m);
		else
			(void)pmap_enter(w.w_pmap, VA, m, R, R, 0);
		/* Acquire: pairs with the writer's release. */
		if (atomic_load_explicit(&w.w_written, memory_order_acquire) ==
		    i) {
			hits++;
			lost += !pu_dirty(m);
		}
	}
	/* Relaxed: joined next. */
	atomic_store_explicit(&w.w_stop, true, memory_order_relaxed);
	pu_join(&put);
	assert_int_equal(lost, 0);
	print_message(
	    "%" PRIu64 " of %" PRIu64 " rounds had a write\n", hits, n);
	pmap_remove(w.w_pmap, VA, VA + 4096);
	pu_pmap_free(w.w_pmap);
	pu_page_free(&pu, m);
	pu_teardown(&pu);
}

/* The dirty bit against the hint. */

struct witness {
	struct machine *wi_ma;
	struct vm_page *wi_m;
	_Atomic uint64_t wi_round; /* 0: between rounds */
	_Atomic bool wi_stop;
	uint64_t wi_looked;
	uint64_t wi_clean; /* times the written page looked clean */
};

/* As the page daemon tells a clean page: no modified mapping, not dirty. */
static void
witness(void *arg)
{
	struct witness *wi = arg;
	uint64_t round;
	bool dirty;

	/* Relaxed: ends some time. */
	while (!atomic_load_explicit(&wi->wi_stop, memory_order_relaxed)) {
		/* Acquire: pairs with the release that opens a round. */
		round =
		    atomic_load_explicit(&wi->wi_round, memory_order_acquire);
		if (round == 0 || pmap_is_modified(wi->wi_ma, wi->wi_m))
			continue;
		/* Acquire: the round is looked at again after this. */
		dirty = atomic_load_explicit(
			    &wi->wi_m->dirty, memory_order_acquire) != 0;
		/* Relaxed: as above. */
		if (atomic_load_explicit(&wi->wi_round, memory_order_relaxed) !=
		    round)
			continue;
		wi->wi_looked++;
		wi->wi_clean += !dirty;
	}
}

static void
take_mapping(struct pu *pu, struct pmap *pmap, struct vm_page *m,
    struct vm_page *other, uint64_t how)
{
	switch (how % 6) {
	case 0:
		pmap_remove(pmap, VA, VA + 4096);
		break;
	case 1:
		pmap_remove_all(pu->pu_ma, m);
		break;
	case 2:
		pmap_remove_write(pu->pu_ma, m);
		break;
	case 3:
		pmap_remove_pages(pmap);
		break;
	case 4:
		pmap_protect(pmap, VA, VA + 4096, R);
		break;
	default:
		(void)pmap_enter(pmap, VA, other, R, R, 0);
		break;
	}
}

/* B18: a page whose hint is gone has been made dirty before. */
static void
a_written_page_never_looks_clean(void **state)
{
	struct witness wi = { .wi_ma = NULL };
	struct vm_page *other;
	struct pu_thread put;
	struct pmap *pmap;
	struct pu pu;

	(void)state;
	pu_setup(&pu, map_lines, "sparse/gen2");
	pmap = pu_pmap(&pu);
	other = pu_page(&pu);
	wi.wi_ma = pu.pu_ma;
	wi.wi_m = pu_page(&pu);
	pu_start(&pu, &put, 1, witness, &wi);
	for (uint64_t i = 1; i <= lt_scale(60000); i++) {
		(void)pmap_enter(pmap, VA, wi.wi_m, R | W, W, 0);
		/* Release: the mapping is there. */
		atomic_store_explicit(&wi.wi_round, i, memory_order_release);
		if (i % 64 == 0)
			sim_real_ops.so_yield(pu.pu_ma->ma_sim);
		take_mapping(&pu, pmap, wi.wi_m, other, i);
		/* Acquire: what follows is outside; release: what was, not. */
		(void)atomic_exchange_explicit(
		    &wi.wi_round, 0, memory_order_acq_rel);
		pmap_remove(pmap, VA, VA + 4096);
		pu_undirty(wi.wi_m);
	}
	/* Relaxed: joined next. */
	atomic_store_explicit(&wi.wi_stop, true, memory_order_relaxed);
	pu_join(&put);
	print_message("%" PRIu64 " looks\n", wi.wi_looked);
	assert_int_equal(wi.wi_clean, 0);
	pu_pmap_free(pmap);
	pu_page_free(&pu, wi.wi_m);
	pu_page_free(&pu, other);
	pu_teardown(&pu);
}

/* Random operations. */

#define NSHARED  3
#define NOBJECTS 4
#define NPAGES   32 /* in objects of 8 */
#define NSLOTS   48

/* Pages that share superpages, and superpages that share nothing. */
static const vm_paddr_t stride = 0x187000;

struct storm {
	struct pu pu;
	struct pmap *shared[NSHARED];
	struct pmap *own[NTHREADS];
	struct vm_page *page[NPAGES];
	struct rwlock object[NOBJECTS]; /* a page is entered under its lock */
	uint64_t seed;
	unsigned nops;
	_Atomic unsigned wrong;
};

struct storm_thread {
	struct storm *st;
	unsigned i;
};

static vm_offset_t
slot_va(uint64_t slot)
{
	/* Half of them before the end of a directory, half after. */
	return (0x40000000 - NSLOTS / 2 * 4096 + slot % NSLOTS * 4096);
}

static struct pmap *
some_pmap(struct storm *st, unsigned i, uint64_t r)
{
	return (r % 4 == 0 ? st->own[i] : st->shared[r % NSHARED]);
}

/* The process ends and another begins. */
static void
exit_own(struct storm *st, unsigned i)
{
	struct pmap *own = st->own[i];

	pmap_remove_pages(own);
	pmap_remove(own, 0, VM_MAXUSER_ADDRESS);
	pmap_release(own);
	pmap_free(own);
	own = pmap_alloc(st->pu.pu_ma);
	if (own == NULL || pmap_pinit(own) != KERN_SUCCESS) {
		/* Relaxed: read after the join. */
		atomic_fetch_add_explicit(&st->wrong, 1, memory_order_relaxed);
		return;
	}
	st->own[i] = own;
}

/* By address. */
static void
storm_va(struct storm *st, unsigned i, uint64_t r)
{
	struct pmap *pmap = some_pmap(st, i, r >> 8);
	vm_offset_t va = slot_va(r >> 16);
	vm_offset_t end = slot_va(r >> 24);
	struct vm_page *m;
	vm_paddr_t pa;

	if (end <= va)
		end = va + 4096;
	switch (r % 8) {
	case 0:
	case 1:
		pmap_remove(pmap, va, end);
		break;
	case 2:
		pmap_protect(pmap, va, end, R);
		break;
	case 3: /* as the MMU, which cannot meet a freed table */
		PMAP_LOCK(pmap);
		(void)pu_mmu(pmap, va, (r >> 32) % 2 == 0 ? R : W);
		PMAP_UNLOCK(pmap);
		break;
	case 4:
		m = pmap_extract_and_hold(pmap, va, R);
		if (m != NULL)
			vm_page_unhold(m);
		(void)pmap_mincore(pmap, va, &pa);
		(void)pmap_is_prefaultable(pmap, va);
		break;
	case 5: /* fork */
		pmap_copy(st->own[i], st->shared[(r >> 32) % NSHARED],
		    slot_va(0), NSLOTS * 4096, slot_va(0));
		break;
	case 6:
		if ((r >> 32) % 3 != 0)
			exit_own(st, i);
		else
			pmap_copy(st->shared[(r >> 36) % 2], st->shared[2], va,
			    end - va, va);
		break;
	default: /* nobody else wires in this pmap */
		m = st->page[(r >> 32) % NPAGES];
		rw_rlock(&st->object[(r >> 32) % NPAGES / 8]);
		(void)pmap_enter(
		    st->own[i], va, m, R | W, W | PMAP_ENTER_WIRED, 0);
		rw_runlock(&st->object[(r >> 32) % NPAGES / 8]);
		pmap_unwire(st->own[i], va, va + 4096);
		break;
	}
}

/* By page. */
static void
storm_page(struct storm *st, unsigned i, uint64_t r)
{
	struct machine *ma = st->pu.pu_ma;
	struct vm_page *m = st->page[(r >> 8) % NPAGES];
	struct rwlock *lock = &st->object[(r >> 8) % NPAGES / 8];
	int n;

	switch (r % 8) {
	case 0:
		rw_wlock(lock);
		pmap_remove_all(ma, m);
		/* Nobody enters it now. */
		if (pmap_page_is_mapped(ma, m)) {
			/* Relaxed: read after the join. */
			atomic_fetch_add_explicit(
			    &st->wrong, 1, memory_order_relaxed);
		}
		rw_wunlock(lock);
		break;
	case 1:
		rw_wlock(lock);
		pmap_remove_write(ma, m);
		if (pmap_is_modified(ma, m)) {
			/* Relaxed: as above. */
			atomic_fetch_add_explicit(
			    &st->wrong, 1, memory_order_relaxed);
		}
		rw_wunlock(lock);
		break;
	case 2:
		rw_wlock(lock);
		pmap_clear_modify(ma, m);
		rw_wunlock(lock);
		break;
	case 3:
	case 4:
		n = pmap_ts_referenced(ma, m);
		/* Restarts keep what was counted. */
		if (n < 0 || n > PMAP_TS_REFERENCED_MAX) {
			/* Relaxed: as above. */
			atomic_fetch_add_explicit(
			    &st->wrong, 1, memory_order_relaxed);
		}
		break;
	case 5:
		(void)pmap_is_modified(ma, m);
		(void)pmap_is_referenced(ma, m);
		break;
	case 6:
		(void)pmap_page_exists_quick(st->own[i], m);
		(void)pmap_page_is_mapped(ma, m);
		break;
	default:
		(void)pmap_page_wired_mappings(ma, m);
		break;
	}
}

static void
storm_enter(struct storm *st, unsigned i, uint64_t r)
{
	struct pmap *pmap = some_pmap(st, i, r >> 8);
	unsigned page = (unsigned)((r >> 16) % NPAGES);
	struct rwlock *lock = &st->object[page / 8];
	vm_offset_t va = slot_va(r >> 32);
	vm_prot_t prot = (r >> 40) % 2 == 0 ? R : R | W;

	rw_rlock(lock);
	if (r % 8 < 5)
		(void)pmap_enter(
		    pmap, va, st->page[page], prot, r % 2 ? prot : R, 0);
	else if (r % 8 < 7)
		pmap_enter_quick(pmap, va, st->page[page], prot);
	else
		pmap_enter_object(pmap, va, va + 4 * 4096, st->page[page], R);
	rw_runlock(lock);
}

static void
storm_main(void *arg)
{
	const struct storm_thread *sth = arg;
	struct storm *st = sth->st;
	uint64_t r, seed = st->seed + sth->i * 1000003;

	for (unsigned n = 0; n < st->nops; n++) {
		r = lt_random(&seed);
		switch (r % 8) {
		case 0:
		case 1:
		case 2:
			storm_enter(st, sth->i, r >> 3);
			break;
		case 3:
		case 4:
		case 5:
			storm_page(st, sth->i, r >> 3);
			break;
		default:
			storm_va(st, sth->i, r >> 3);
			break;
		}
	}
}

static uint64_t base_seed;

static void
storm_begin(struct storm *st, const char *design)
{
	memset(st, 0, sizeof(*st));
	pu_setup(&st->pu, map_lines, design);
	for (unsigned i = 0; i < NPAGES; i++) {
		st->page[i] = pu_page_at(&st->pu,
		    i % 2 == 0 ? 0x100000 + i / 2 * stride
			       : 0x4000000 + i / 2 * 4096);
		st->page[i]->pindex = i;
		if (i % 8 != 0)
			st->page[i - 1]->listq_next = st->page[i];
	}
	for (unsigned i = 0; i < NOBJECTS; i++)
		rw_init(&st->object[i], "vm object", 0);
	for (unsigned i = 0; i < NSHARED; i++)
		st->shared[i] = pu_pmap(&st->pu);
	for (unsigned i = 0; i < NTHREADS; i++)
		st->own[i] = pu_pmap(&st->pu);
	st->seed = base_seed++;
	st->nops = lt_scale(4000);
}

static void
storm_end(struct storm *st)
{
	for (unsigned i = 0; i < NTHREADS; i++) {
		exit_own(st, i);
		pu_pmap_free(st->own[i]);
	}
	pu_check(&st->pu);
	for (unsigned i = 0; i < NSHARED; i++) {
		pmap_remove(st->shared[i], 0, VM_MAXUSER_ADDRESS);
		assert_int_equal(pmap_resident_count(st->shared[i]), 1);
		pu_pmap_free(st->shared[i]);
	}
	for (unsigned i = 0; i < NOBJECTS; i++)
		rw_destroy(&st->object[i]);
	for (unsigned i = 0; i < NPAGES; i++) {
		assert_int_equal(pu_nmappings(st->page[i]), 0);
		st->page[i]->listq_next = NULL;
		pu_page_free(&st->pu, st->page[i]);
	}
	pu_teardown(&st->pu);
}

static void
storm(const char *design)
{
	static struct storm_thread args[NTHREADS];
	static struct pu_thread put[NTHREADS];
	static struct storm st;
	uint64_t seed = base_seed;

	storm_begin(&st, design);
	for (unsigned i = 0; i < NTHREADS; i++) {
		args[i] = (struct storm_thread){ &st, i };
		pu_start(&st.pu, &put[i], i, storm_main, &args[i]);
	}
	for (unsigned i = 0; i < NTHREADS; i++)
		pu_join(&put[i]);
	tryfails += pu_counter(&st.pu, CTR_PMAP_TRYFAILS);
	restarts += pu_counter(&st.pu, CTR_PV_RESTARTS);
	/* Relaxed: all joined. */
	if (machine_check(st.pu.pu_ma, stderr) != 0 ||
	    atomic_load_explicit(&st.wrong, memory_order_relaxed) != 0)
		fail_msg(
		    "%s, seed %" PRIu64 ": %u wrong", design, seed, st.wrong);
	storm_end(&st);
}

static void
a_storm_leaves_every_invariant(void **state)
{
	(void)state;
	for_each_design(storm);
}

static void
a_storm_over_few_locks_leaves_every_invariant(void **state)
{
	static const char *const designs[] = { "hashed/gen2+locks=1",
		"hashed/rwlock+locks=2+chunks=global+batch",
		"ptrarray/mtx8+wart=alloc", "sparse/gen2+gaps=trap", "head",
		"superpage+batch" };

	(void)state;
	for (size_t i = 0; i < sizeof(designs) / sizeof(designs[0]); i++)
		storm(designs[i]);
}

static void
try_locks_have_failed_and_scans_restarted(void **state)
{
	(void)state;
	print_message("%" PRIu64 " try-locks failed, %" PRIu64
		      " scans restarted\n",
	    tryfails, restarts);
	assert_true(tryfails > 0);
	assert_true(restarts > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unchanged_list_is_scanned_on),
		cmocka_unit_test(a_changed_list_is_scanned_again),
		cmocka_unit_test(a_mapping_may_go_and_come_back),
		cmocka_unit_test(a_pmap_may_be_reborn_while_waited_for),
		cmocka_unit_test(no_write_is_lost),
		cmocka_unit_test(a_written_page_never_looks_clean),
		cmocka_unit_test(a_storm_leaves_every_invariant),
		cmocka_unit_test(a_storm_over_few_locks_leaves_every_invariant),
		/* Last: it looks at what the others did. */
		cmocka_unit_test(try_locks_have_failed_and_scans_restarted),
	};

	base_seed = lt_seed();
	return (cmocka_run_group_tests_name("pmap stress", tests, NULL, NULL));
}
