/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each invariant that vm_phys_check() looks after is broken on purpose; the
 * checker must say so under its number.  The break is then undone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "phys_fixture.h"

#define MAP                                                                    \
	"0-9f000 usable 0\n1000000-41000000 usable 0\n41000000-81000000 usable 1\n"

struct found {
	unsigned f_count[64];
	char f_text[200]; /* of the last one */
};

static void
note(void *arg, int inv, const char *text)
{
	struct found *f = arg;

	assert_true((inv >= 34 && inv <= 37) || inv == 43);
	f->f_count[inv]++;
	(void)snprintf(f->f_text, sizeof(f->f_text), "%s", text);
}

#define NO_SUMS  0 /* the break leaves all totals alone */
#define ALL_SUMS 1 /* it makes 34 and 36 not add up as well */

/* There are violations, of inv and of nothing that it does not imply. */
static void
assert_found(int inv, int sums)
{
	struct found f = { 0 };
	unsigned n = vm_phys_check(pm.pm_vp, note, &f);

	assert_true(f.f_count[inv] > 0);
	n -= f.f_count[inv];
	if (sums == ALL_SUMS) {
		n -= inv != 34 ? f.f_count[34] : 0;
		n -= inv != 36 ? f.f_count[36] : 0;
	}
	if (n != 0)
		fail_msg("%s", f.f_text);
}

static int
open_pm(void **state)
{
	(void)state;
	assert_int_equal(phys_open_text(&pm, MAP, NULL), 0);
	return (0);
}

static struct vm_domain *
domain(int d)
{
	return (pm.pm_vp->vp_domains[d]);
}

/* A page that the buddy allocator handed out; a block of order o is queued. */
static struct vm_page *
queued(int o)
{
	struct vm_page *m;

	/* Not from a cache, which would take many. */
	m = vm_page_alloc_contig(
	    pm.pm_vp, 1, 1, 0, UINT64_MAX, 0, 0, VM_PAGE_EXACT);
	assert_non_null(m);
	m = domain(1)->vmd_lists[0].fl_queues[0][o].fq_first;
	assert_non_null(m);
	return (m);
}

static void
a_used_machine_is_in_order(void **state)
{
	struct vm_page *a, *b, *c;

	(void)state;
	a = vm_page_alloc(pm.pm_vp, 0, VM_PAGE_NOOBJ);
	b = vm_page_alloc_order(pm.pm_vp, 0, 9, 0);
	c = vm_page_alloc_contig(pm.pm_vp, 0, 5000, 0, UINT64_MAX, 0, 0, 0);
	assert_int_equal(phys_check(&pm), 0);
	vm_page_free(pm.pm_vp, a);
	for (unsigned i = 0; i < 512; i++)
		vm_page_free(pm.pm_vp, &b[i]);
	for (unsigned i = 0; i < 5000; i++)
		vm_page_free(pm.pm_vp, &c[i]);
}

static void
i34_free_page_in_use(void **state)
{
	struct vm_page *m = queued(3);

	(void)state;
	/* Relaxed, both: one thread. */
	atomic_store_explicit(&m[5].ref_count, 1, memory_order_relaxed);
	assert_found(34, NO_SUMS);
	atomic_store_explicit(&m[5].ref_count, 0, memory_order_relaxed);
	m[7].object = (struct vm_object *)m;
	assert_found(34, NO_SUMS);
	m[7].object = NULL;
}

static void
i34_free_page_in_a_cache(void **state)
{
	struct vm_pgcache_pool *pgp = &pm.pm_td->td_pgcache->pgc_pools[0][0];
	struct vm_page *m, *saved;

	(void)state;
	vm_page_free(pm.pm_vp, vm_page_alloc(pm.pm_vp, 0, 0));
	saved = pgp->pgp_pages[0];
	/* Twice in the cache. */
	pgp->pgp_pages[0] = pgp->pgp_pages[1];
	assert_found(34, NO_SUMS);
	/* On a queue and in the cache. */
	m = domain(0)->vmd_lists[0].fl_queues[0][7].fq_first;
	assert_non_null(m);
	m->flags |= PG_PCPU_CACHE;
	pgp->pgp_pages[0] = m;
	assert_found(34, NO_SUMS);
	m->flags &= (uint8_t)~PG_PCPU_CACHE;
	pgp->pgp_pages[0] = saved;
	saved->flags &= (uint8_t)~PG_PCPU_CACHE;
	assert_found(34, NO_SUMS);
	saved->flags |= PG_PCPU_CACHE;
	saved->pool = VM_FREEPOOL_DIRECT;
	assert_found(34, NO_SUMS);
	saved->pool = VM_FREEPOOL_DEFAULT;
}

static void
i34_page_in_the_cache_of_another_domain(void **state)
{
	struct vm_pgcache_pool(*pools)[VM_NFREEPOOL];
	struct vm_page *m;

	(void)state;
	pools = pm.pm_td->td_pgcache->pgc_pools;
	for (int d = 0; d < 2; d++)
		vm_page_free(pm.pm_vp, vm_page_alloc(pm.pm_vp, d, 0));
	for (int i = 0; i < 2; i++) {
		m = pools[0][VM_FREEPOOL_DEFAULT].pgp_pages[0];
		pools[0][VM_FREEPOOL_DEFAULT].pgp_pages[0] =
		    pools[1][VM_FREEPOOL_DEFAULT].pgp_pages[0];
		pools[1][VM_FREEPOOL_DEFAULT].pgp_pages[0] = m;
		if (i == 0)
			assert_found(34, NO_SUMS);
	}
}

static void
i34_sums_do_not_add_up(void **state)
{
	(void)state;
	domain(1)->vmd_out++;
	assert_found(34, NO_SUMS);
	domain(1)->vmd_out--;
	domain(0)->vmd_page_count--;
	assert_found(34, NO_SUMS);
	domain(0)->vmd_page_count++;
}

static void
i34_lost_page(void **state)
{
	struct vm_page *m;

	(void)state;
	/* Taken off the queues behind the back of the accounting. */
	vm_phys_lock(pm.pm_vp, 1);
	m = vm_phys_alloc_pages(pm.pm_vp, 1, 0, 2);
	vm_phys_unlock(pm.pm_vp, 1);
	assert_found(34, ALL_SUMS);
	vm_phys_lock(pm.pm_vp, 1);
	vm_phys_free_pages(pm.pm_vp, m, 2);
	vm_phys_unlock(pm.pm_vp, 1);
}

static void
i34_pristine_and_queued(void **state)
{
	struct vm_page *m;
	struct vm_pristine *vpr;
	uint64_t i;

	(void)state;
	m = vm_page_alloc_order(pm.pm_vp, 1, 12, 0);
	for (unsigned j = 0; j < VM_ORDER_PAGES; j++)
		vm_page_free(pm.pm_vp, &m[j]);
	vpr = &pm.pm_vp->vp_private->vpp_pristine[m->segind - 1];
	i = (m->phys_addr >> VM_BLOCK_SHIFT) - vpr->vpr_first;
	vpr->vpr_bits[i / 64] |= UINT64_C(1) << (i % 64);
	vpr->vpr_count++;
	domain(1)->vmd_lists[0].fl_pristine_count++;
	assert_found(34, ALL_SUMS);
	vpr->vpr_bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
	vpr->vpr_count--;
	domain(1)->vmd_lists[0].fl_pristine_count--;
}

static void
i34_blacklisted_page_used(void **state)
{
	struct vm_page *m = PHYS_TO_VM_PAGE(pm.pm_vp, 0);

	(void)state;
	m->flags |= PG_USED;
	assert_found(34, NO_SUMS);
	m->flags &= (uint8_t)~PG_USED;
}

static void
i35_wrong_order(void **state)
{
	struct vm_page *m = queued(5);

	(void)state;
	m->order_inv = VM_ORDER_INV(4);
	assert_found(35, NO_SUMS);
	m->order_inv = VM_ORDER_INV(5);
	m[3].order_inv = VM_ORDER_INV(0);
	assert_found(35, NO_SUMS);
	m[3].order_inv = 0;
}

static void
i35_mixed_pools(void **state)
{
	struct vm_page *m = queued(5);

	(void)state;
	m[9].pool = VM_FREEPOOL_DIRECT;
	assert_found(35, NO_SUMS);
	m[9].pool = VM_FREEPOOL_DEFAULT;
	vm_buddy_set_pool(m, 5, VM_FREEPOOL_DIRECT);
	assert_found(35, NO_SUMS);
	vm_buddy_set_pool(m, 5, VM_FREEPOOL_DEFAULT);
}

static void
i35_counts_and_links(void **state)
{
	struct vm_page *m = queued(5);
	struct vm_freeq *fq = &domain(1)->vmd_lists[0].fl_queues[0][5];

	(void)state;
	fq->fq_count++;
	assert_found(35, NO_SUMS);
	fq->fq_count--;
	fq->fq_last = NULL;
	assert_found(35, NO_SUMS);
	fq->fq_last = m;
	m->q_prev = m;
	assert_found(35, NO_SUMS);
	m->q_prev = NULL;
	/* A circle ends. */
	m->q_next = m;
	assert_found(35, NO_SUMS);
	/* And what is no page is not followed. */
	m->q_next = (struct vm_page *)&pm;
	fq->fq_count++;
	assert_found(35, NO_SUMS);
	fq->fq_count--;
	m->q_next = NULL;
}

static void
i35_free_buddies(void **state)
{
	struct vm_page *a = vm_page_alloc_order(pm.pm_vp, 1, 1, 0);
	struct vm_domain *vmd = domain(1);
	const struct vm_phys_seg *seg = vm_page_seg(pm.pm_vp, a);
	int order;

	(void)state;
	/* Two single pages where one block of two belongs. */
	vm_page_free(pm.pm_vp, a);
	vm_phys_lock(pm.pm_vp, 1);
	vm_buddy_add(pm.pm_vp, seg, a + 1, 0, 0, true);
	vm_phys_unlock(pm.pm_vp, 1);
	vmd->vmd_out--;
	vm_domain_unreserve(vmd, 1);
	assert_found(35, NO_SUMS);
	vm_phys_lock(pm.pm_vp, 1);
	assert_ptr_equal(
	    vm_buddy_take(pm.pm_vp, seg, a[1].phys_addr, &order), a + 1);
	vm_phys_unlock(pm.pm_vp, 1);
	vmd->vmd_out++;
	assert_true(vm_domain_reserve(vmd, VM_ALLOC_INTERRUPT, 1));
	vm_page_free(pm.pm_vp, a + 1);
}

static void
i35_unaligned_block(void **state)
{
	struct vm_page *m = queued(5);
	struct vm_freeq *fq = &domain(1)->vmd_lists[0].fl_queues[0][5];
	struct vm_page *next = m + 1;

	(void)state;
	/* Move the block up by a page. */
	fq->fq_first = fq->fq_last = next;
	next->order_inv = m->order_inv;
	next->phys_addr = m->phys_addr + PAGE_SIZE;
	next->segind = m->segind;
	m->order_inv = 0;
	assert_found(35, NO_SUMS);
	m->order_inv = next->order_inv;
	next->order_inv = 0;
	fq->fq_first = fq->fq_last = m;
}

static void
i35_wrong_queue(void **state)
{
	struct vm_freeq *q0 = &domain(0)->vmd_lists[0].fl_queues[0][5];
	struct vm_freeq *q1 = &domain(1)->vmd_lists[0].fl_queues[0][5];
	struct vm_freeq saved;

	(void)state;
	(void)queued(5);
	vm_page_free(pm.pm_vp, vm_page_alloc(pm.pm_vp, 0, 0));
	saved = *q0;
	*q0 = *q1;
	*q1 = saved;
	assert_found(35, ALL_SUMS);
	saved = *q0;
	*q0 = *q1;
	*q1 = saved;
}

static void
i35_pristine_bits(void **state)
{
	struct vm_freelist *fl = &domain(1)->vmd_lists[0];
	struct vm_pristine *vpr;
	int s = pm.pm_vp->vp_nsegs - 1;

	(void)state;
	vpr = &pm.pm_vp->vp_private->vpp_pristine[s];
	assert_int_equal(vpr->vpr_count, 64);
	vpr->vpr_count--;
	assert_found(35, NO_SUMS);
	vpr->vpr_count++;
	fl->fl_pristine &= ~(UINT64_C(1) << s);
	assert_found(35, NO_SUMS);
	fl->fl_pristine |= UINT64_C(1) << s;
	fl->fl_pristine_count++;
	assert_found(35, NO_SUMS);
	fl->fl_pristine_count--;
	vpr->vpr_hint = 1;
	assert_found(35, NO_SUMS);
	vpr->vpr_hint = 0;
	/* A block that ends beyond its segment. */
	pm.pm_vp->vp_segs[s].end -= PAGE_SIZE;
	assert_found(35, NO_SUMS);
	pm.pm_vp->vp_segs[s].end += PAGE_SIZE;
}

static void
i36_free_count(void **state)
{
	(void)state;
	vm_domain_unreserve(domain(1), 1);
	assert_found(36, NO_SUMS);
	assert_true(vm_domain_reserve(domain(1), VM_ALLOC_INTERRUPT, 1));
}

static void
i37_place(void **state)
{
	struct vm_page *m = queued(5);

	(void)state;
	m[2].segind = 1;
	m[2].phys_addr = m->phys_addr + 2 * PAGE_SIZE;
	assert_found(37, NO_SUMS);
	m[2].segind = m->segind;
	m[2].phys_addr += PAGE_SIZE;
	assert_found(37, NO_SUMS);
	m[2].phys_addr -= PAGE_SIZE;
	/* The head itself. */
	m->segind--;
	assert_found(37, ALL_SUMS);
	m->segind++;
}

static void
i43_locks(void **state)
{
	struct vm_phys_private *vpp = pm.pm_vp->vp_private;

	(void)state;
	vm_phys_lock(pm.pm_vp, 1);
	assert_found(43, NO_SUMS);
	vm_phys_unlock(pm.pm_vp, 1);
	mtx_lock(&vpp->vpp_wait_lock);
	assert_found(43, NO_SUMS);
	mtx_unlock(&vpp->vpp_wait_lock);
	/* Relaxed: no other thread is there. */
	atomic_store_explicit(&vpp->vpp_nwaiters, 1, memory_order_relaxed);
	assert_found(43, NO_SUMS);
	/* Relaxed: as above. */
	atomic_store_explicit(&vpp->vpp_nwaiters, 0, memory_order_relaxed);
}

int
main(void)
{
#define BROKEN(fn) cmocka_unit_test_setup_teardown(fn, open_pm, close_pm)
	const struct CMUnitTest tests[] = {
		BROKEN(a_used_machine_is_in_order),
		BROKEN(i34_free_page_in_use),
		BROKEN(i34_free_page_in_a_cache),
		BROKEN(i34_page_in_the_cache_of_another_domain),
		BROKEN(i34_sums_do_not_add_up),
		BROKEN(i34_lost_page),
		BROKEN(i34_pristine_and_queued),
		BROKEN(i34_blacklisted_page_used),
		BROKEN(i35_wrong_order),
		BROKEN(i35_mixed_pools),
		BROKEN(i35_counts_and_links),
		BROKEN(i35_free_buddies),
		BROKEN(i35_unaligned_block),
		BROKEN(i35_wrong_queue),
		BROKEN(i35_pristine_bits),
		BROKEN(i36_free_count),
		BROKEN(i37_place),
		BROKEN(i43_locks),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
