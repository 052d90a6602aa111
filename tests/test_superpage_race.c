/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What other threads do to superpages at the worst moment, step by step: the main
 * thread holds a pmap's mutex until another thread, which came from a page, is
 * blocked on it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "superpage_util.h"

static const char *const designs[] = { "sparse/gen2", "hashed/rwlock+locks=1",
	"segment/mtx8", "ptrarray/pthread_mutex", "hashed/gen1" };
#define NDESIGNS (sizeof(designs) / sizeof(designs[0]))

enum scan_kind {
	SCAN_REMOVE_ALL,
	SCAN_REMOVE_WRITE,
	SCAN_CLEAR_MODIFY,
	SCAN_TS_REFERENCED,
	SCAN_IS_MODIFIED,
	SCAN_WIRED,
	NSCANS
};

struct scan {
	struct vm_page *s_m;
	enum scan_kind s_kind;
	int s_result;
};

static void
scan(void *arg)
{
	struct machine *ma = su_pu.pu_ma;
	struct scan *s = arg;

	switch (s->s_kind) {
	case SCAN_REMOVE_ALL:
		pmap_remove_all(ma, s->s_m);
		break;
	case SCAN_REMOVE_WRITE:
		pmap_remove_write(ma, s->s_m);
		break;
	case SCAN_CLEAR_MODIFY:
		pmap_clear_modify(ma, s->s_m);
		break;
	case SCAN_TS_REFERENCED:
		s->s_result = pmap_ts_referenced(ma, s->s_m);
		break;
	case SCAN_IS_MODIFIED:
		s->s_result = pmap_is_modified(ma, s->s_m);
		break;
	default:
		s->s_result = pmap_page_wired_mappings(ma, s->s_m);
		break;
	}
}

/* All mappings of m are as the scan leaves them. */
static void
verify(const struct scan *s, vm_offset_t va)
{
	struct pmap *const pmaps[] = { su_p, su_q };
	pt_entry_t e;

	pu_check(&su_pu);
	for (unsigned i = 0; i < 2; i++) {
		e = pu_leaf(pmaps[i], va);
		switch (s->s_kind) {
		case SCAN_REMOVE_ALL:
			assert_int_equal(e, 0);
			break;
		case SCAN_REMOVE_WRITE:
			assert_int_equal(e & PG_RW, 0);
			break;
		case SCAN_CLEAR_MODIFY:
			assert_int_equal(e & PG_M, 0);
			break;
		case SCAN_TS_REFERENCED:
			assert_int_equal(s->s_result, 2);
			break;
		default:
			assert_int_equal(
			    s->s_result, s->s_kind == SCAN_WIRED ? 0 : 1);
			break;
		}
	}
}

/* A scan of page 7 of run m waits for q's pmap, while p's mappings change. */
static void
scan_while(
    struct vm_page *m, enum scan_kind kind, void (*change)(struct vm_page *m))
{
	const vm_offset_t va = VA + 7 * PAGE_SIZE;
	struct scan s = { m + 7, kind, -1 };
	struct pu_thread put;

	PMAP_LOCK(su_q);
	pu_start(&su_pu, &put, 1, scan, &s);
	pu_await_blocked(&put, &su_q->pm_mtx.mtx_lock);
	change(m);
	PMAP_UNLOCK(su_q);
	pu_join(&put);
	assert_int_equal(pu_counter(&su_pu, CTR_PV_RESTARTS), 1);
	verify(&s, va);
	pmap_remove(su_p, VA, END);
	pmap_remove(su_q, VA, END);
	su_run_free(m);
}

/* For each design, and each kind of scan. */
static void
scan_in_all_ways(
    void (*begin)(struct vm_page *m), void (*change)(struct vm_page *m))
{
	struct vm_page *m;

	for (size_t i = 0; i < NDESIGNS; i++) {
		for (int kind = 0; kind < NSCANS; kind++) {
			su_again(designs[i]);
			m = su_run();
			begin(m);
			scan_while(m, (enum scan_kind)kind, change);
		}
	}
}

static void
map_all_but_one(struct vm_page *m)
{
	su_enter(su_q, VA + 7 * PAGE_SIZE, m, R | W, W);
	for (unsigned i = 0; i < NRUN - 1; i++)
		su_enter(su_p, VA + i * PAGE_SIZE, m, R | W, W);
}

static void
promote(struct vm_page *m)
{
	su_enter(su_p, END - PAGE_SIZE, m, R | W, W);
	assert_true(su_is_super(su_p, VA));
}

/*
 * The page is mapped in q, and in p, where all but one page of the run is mapped;
 * that one comes, and p has a superpage.
 */
static void
no_promotion_hides_a_mapping(void **state)
{
	(void)state;
	scan_in_all_ways(map_all_but_one, promote);
}

static void
map_both_by_2mb(struct vm_page *m)
{
	su_enter_super(su_q, VA, m, R | W, W);
	su_enter_super(su_p, VA, m, R | W, W);
}

static void
demote(struct vm_page *m)
{
	(void)m;
	pmap_remove(su_p, VA, VA + PAGE_SIZE);
	assert_false(su_is_super(su_p, VA));
}

/* Both have it by 2 MB; p's is split. */
static void
no_demotion_hides_a_mapping(void **state)
{
	(void)state;
	scan_in_all_ways(map_both_by_2mb, demote);
}

/*
 * With two pmaps locked a copy waits for no third, nor for its own source: where
 * a split needs pv entries and there are none it takes none from anybody.
 */
static void
a_copy_reclaims_nothing(void **state)
{
	struct vm_page *m, *n;
	struct pmap *dst = su_p < su_q ? su_p : su_q;
	struct pmap *src = su_p < su_q ? su_q : su_p;

	(void)state;
	m = su_run();
	n = pu_page(&su_pu);
	su_enter_super(dst, VA, m, R, R);
	assert_int_equal(pmap_enter(src, VA, n, R, R, 0), KERN_SUCCESS);
	pmap_limit(su_pu.pu_ma, -1, 0);
	pmap_copy(dst, src, VA, NBPDR, VA);
	pmap_limit(su_pu.pu_ma, -1, -1);
	assert_int_equal(pu_counter(&su_pu, CTR_PV_RECLAIMS), 0);
	assert_int_equal(pmap_extract(src, VA), VM_PAGE_TO_PHYS(n));
	pu_check(&su_pu);
	pmap_remove(dst, VA, END);
	pmap_remove(src, VA, END);
	pu_page_free(&su_pu, n);
	su_run_free(m);
}

static void
unwire_first(void *arg)
{
	(void)arg;
	pmap_unwire(su_q, VA, VA + PAGE_SIZE);
}

/*
 * A wired superpage is split though there is no memory for 511 pv entries and the
 * pmap that has some is locked by another thread.
 */
static void
a_wired_superpage_survives_a_shortage(void **state)
{
	struct vm_page *hoard = NULL, *m, *n;
	struct pu_thread put;

	(void)state;
	m = su_run();
	n = pu_page(&su_pu);
	/* Tried, not waited for: q is the greater. */
	if (su_q < su_p) {
		struct pmap *t = su_p;

		su_p = su_q;
		su_q = t;
	}
	assert_int_equal(pmap_enter(su_p, VA, n, R, R, 0), KERN_SUCCESS);
	su_enter_super(su_q, VA, m, R | W, W | PMAP_ENTER_WIRED);
	for (unsigned limit = 0; limit < 2; limit++) {
		if (limit != 0)
			pmap_limit(su_pu.pu_ma, -1, 0);
		else
			pu_hoard(&su_pu, &hoard, 0);
		PMAP_LOCK(su_p);
		pu_start(&su_pu, &put, 1, unwire_first, NULL);
		pu_join(&put);
		PMAP_UNLOCK(su_p);
		pmap_limit(su_pu.pu_ma, -1, -1);
		pu_unhoard(&su_pu, &hoard);
		assert_false(su_is_super(su_q, VA));
		assert_int_equal(pmap_wired_count(su_q), NRUN - 1);
		pu_check(&su_pu);
		pmap_remove(su_q, VA, END);
		su_enter_super(su_q, VA, m, R | W, W | PMAP_ENTER_WIRED);
	}
	pmap_remove(su_p, VA, END);
	pmap_remove(su_q, VA, END);
	pu_page_free(&su_pu, n);
	su_run_free(m);
}

static struct vm_page *all_pages;
static unsigned yields;

/* Somebody else frees memory. */
static void
yield_frees(struct sim *sim)
{
	(void)sim;
	yields++;
	pu_unhoard(&su_pu, &all_pages);
}

/* What is kept for such a need is used up, too: it is split once others free. */
static void
a_wired_superpage_is_split_once_there_is_memory(void **state)
{
	struct sim *sim = su_pu.pu_ma->ma_sim;
	const struct sim_ops *ops = sim->sim_ops;
	struct sim_ops spy = *ops;
	struct vm_page *m, *n;

	(void)state;
	m = su_run();
	su_enter_super(su_q, VA, m, R | W, W | PMAP_ENTER_WIRED);
	while ((n = vm_page_alloc(su_pu.pu_ma->ma_vp, 0,
		    VM_PAGE_NOOBJ | VM_PAGE_INTERRUPT)) != NULL) {
		n->q_next = all_pages;
		all_pages = n;
	}
	yields = 0;
	spy.so_yield = yield_frees;
	sim->sim_ops = &spy;
	pmap_unwire(su_q, VA, VA + PAGE_SIZE);
	sim->sim_ops = ops;
	assert_int_equal(yields, 1);
	assert_false(su_is_super(su_q, VA));
	assert_int_equal(pmap_wired_count(su_q), NRUN - 1);
	pu_check(&su_pu);
	pmap_remove(su_q, VA, END);
	su_run_free(m);
}

/*
 * A walk for the fourth of the chunks that a split needs empties a page table of
 * the same pmap, whose page it takes, and so frees the last seven entries, too:
 * the chunk is not needed, and is not kept.
 */
static void
a_split_keeps_no_chunk_without_use(void **state)
{
	const vm_offset_t va2 = VA + NBPDR, va3 = VA + 2 * NBPDR;
	struct vm_page *hoard = NULL, *m, *n;

	(void)state;
	m = su_run();
	n = su_run();
	/* One chunk, full. */
	su_enter_super(su_p, VA, m, R, R);
	for (unsigned i = 0; i < _NPCPV - 8; i++)
		su_enter(su_p, va3 + i * PAGE_SIZE, n, R, R | PMAP_ENTER_WIRED);
	for (unsigned i = 0; i < 7; i++)
		su_enter(su_p, va2 + i * PAGE_SIZE, n, R, R);
	assert_int_equal(pu_counter(&su_pu, CTR_PC_CHUNK_ALLOCS), 1);
	/* A page table and three chunks. */
	pu_hoard(&su_pu, &hoard, 4);
	pmap_remove(su_p, VA, VA + PAGE_SIZE);
	assert_int_equal(pu_counter(&su_pu, CTR_PV_RECLAIMS), 7);
	pu_unhoard(&su_pu, &hoard);
	assert_false(su_is_super(su_p, VA));
	assert_int_equal(pmap_extract(su_p, END - PAGE_SIZE),
	    VM_PAGE_TO_PHYS(m) + NBPDR - PAGE_SIZE);
	pu_check(&su_pu);
	pmap_remove(su_p, 0, VM_MAXUSER_ADDRESS);
	assert_true(TAILQ_EMPTY(&su_p->pm_pvchunk));
	su_run_free(m);
	su_run_free(n);
}

static void
enter_wired(void *arg)
{
	/* Whether it succeeds is seen from what is mapped. */
	(void)pmap_enter(su_p, VA, arg, R, R | PMAP_ENTER_WIRED, 1);
}

/*
 * A wired superpage takes a table to save before it takes a pv entry.  With one
 * page free it must not give that back, find it free, and try for ever.
 */
static void
a_wired_superpage_waits_for_all_it_needs(void **state)
{
	struct vm_page *hoard = NULL, *m, *n;
	struct pu_thread put;
	uint64_t tries;

	(void)state;
	m = su_run();
	n = pu_page(&su_pu);
	/* The directory is there, and there is no chunk. */
	n->oflags |= VPO_UNMANAGED;
	assert_int_equal(
	    pmap_enter(su_p, VA + NBPDR, n, R, R, 0), KERN_SUCCESS);
	pu_hoard(&su_pu, &hoard, 1);
	tries = pu_counter(&su_pu, CTR_PC_CHUNK_TRYFAIL);
	pu_start(&su_pu, &put, 1, enter_wired, m);
	while (pu_counter(&su_pu, CTR_PC_CHUNK_TRYFAIL) == tries)
		sim_real_ops.so_yield(su_pu.pu_ma->ma_sim);
	/* Time enough to try again; who waits does not, however long. */
	for (unsigned i = 0; i < 2000; i++)
		sim_real_ops.so_yield(su_pu.pu_ma->ma_sim);
	tries = pu_counter(&su_pu, CTR_PC_CHUNK_TRYFAIL) - tries;
	pu_unhoard(&su_pu, &hoard);
	pu_join(&put);
	assert_in_range(tries, 1, 2);
	assert_true(su_is_super(su_p, VA));
	pmap_unwire(su_p, VA, END);
	pmap_remove(su_p, VA, END + NBPDR);
	n->oflags &= (uint8_t)~VPO_UNMANAGED;
	pu_page_free(&su_pu, n);
	su_run_free(m);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, su_setup, su_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_promotion_hides_a_mapping),
		TEST(no_demotion_hides_a_mapping),
		TEST(a_copy_reclaims_nothing),
		TEST(a_wired_superpage_survives_a_shortage),
		TEST(a_wired_superpage_is_split_once_there_is_memory),
		TEST(a_split_keeps_no_chunk_without_use),
		TEST(a_wired_superpage_waits_for_all_it_needs),
	};

	return (
	    cmocka_run_group_tests_name("superpage race", tests, NULL, NULL));
}
