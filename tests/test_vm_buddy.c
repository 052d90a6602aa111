/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buddy_model.h"
#include "phys_fixture.h"

#define MIB(n) ((vm_paddr_t)(n) << 20)
#define PFN(m) ((m)->phys_addr >> PAGE_SHIFT)

static void
boot_queues_the_largest_aligned_blocks(void **state)
{
	(void)state;
	assert_int_equal(pm.pm_vp->vp_nsegs, 2);
	assert_int_equal(free_blocks(&pm, 0, 0, VM_ORDER_MAX), 4);
	/* 1 to 16 MiB is one block of 1, 2, 4 and 8 MiB each. */
	for (int o = 8; o < VM_ORDER_MAX; o++) {
		assert_int_equal(free_blocks(&pm, 1, 0, o), 1);
		assert_int_equal(free_head(1, 0, o), MIB(1) << (o - 8));
	}
	assert_int_equal(free_blocks(&pm, 1, 0, VM_ORDER_MAX), 0);
}

static void
alloc_splits_the_first_block_and_queues_upper_halves(void **state)
{
	struct vm_page *m;

	(void)state;
	m = vm_phys_alloc_pages(pm.pm_vp, 0, VM_FREEPOOL_DEFAULT, 3);
	assert_int_equal(m->phys_addr, MIB(16));
	for (int i = 0; i < 8; i++) {
		assert_int_equal(
		    m[i].phys_addr, MIB(16) + (vm_paddr_t)i * 4096);
		assert_int_equal(m[i].segind, 2);
	}
	for (int o = 3; o < VM_ORDER_MAX; o++) {
		assert_int_equal(free_blocks(&pm, 0, 0, o), 1);
		assert_int_equal(free_head(0, 0, o), MIB(16) + (4096ull << o));
	}
	assert_int_equal(free_blocks(&pm, 0, 0, VM_ORDER_MAX), 3);
	vm_phys_free_pages(pm.pm_vp, m, 3);
	assert_int_equal(free_blocks(&pm, 0, 0, VM_ORDER_MAX), 4);
	/* To the tail: the block at 32 MiB is the next one. */
	m = vm_phys_alloc_pages(pm.pm_vp, 0, VM_FREEPOOL_DEFAULT, 12);
	assert_int_equal(m->phys_addr, MIB(32));
	vm_phys_free_pages(pm.pm_vp, m, 12);
}

static void
an_empty_pool_takes_and_converts_the_largest_block(void **state)
{
	struct vm_page *m, *n;

	(void)state;
	n = vm_phys_alloc_pages(pm.pm_vp, 0, VM_FREEPOOL_DEFAULT, 0);
	m = vm_phys_alloc_pages(pm.pm_vp, 0, VM_FREEPOOL_DIRECT, 0);
	assert_int_equal(n->phys_addr, MIB(16));
	assert_int_equal(m->phys_addr, MIB(32));
	for (unsigned i = 0; i < VM_ORDER_PAGES; i++)
		assert_int_equal(m[i].pool, VM_FREEPOOL_DIRECT);
	assert_int_equal(free_blocks(&pm, 0, VM_FREEPOOL_DIRECT, 11), 1);
	vm_phys_free_pages(pm.pm_vp, m, 0);
	vm_phys_free_pages(pm.pm_vp, n, 0);
	assert_int_equal(free_blocks(&pm, 0, VM_FREEPOOL_DIRECT, 12), 1);
	assert_int_equal(free_blocks(&pm, 0, VM_FREEPOOL_DEFAULT, 12), 3);
}

static void
a_merge_converts_the_buddy_to_the_freed_pages_pool(void **state)
{
	struct vm_page *m;

	(void)state;
	m = vm_phys_alloc_pages(pm.pm_vp, 0, VM_FREEPOOL_DEFAULT, 12);
	vm_buddy_set_pool(m, 11, VM_FREEPOOL_DIRECT);
	vm_phys_free_pages(pm.pm_vp, m, 11);
	vm_phys_free_pages(pm.pm_vp, m + 2048, 11);
	assert_int_equal(free_blocks(&pm, 0, VM_FREEPOOL_DIRECT, 11), 0);
	for (unsigned i = 0; i < VM_ORDER_PAGES; i++)
		assert_int_equal(m[i].pool, VM_FREEPOOL_DEFAULT);
}

static void
npages_takes_small_blocks_first_and_returns_the_residue(void **state)
{
	struct vm_page *m[5000], *first;
	int n;

	(void)state;
	first = vm_phys_alloc_pages(pm.pm_vp, 0, VM_FREEPOOL_DEFAULT, 0);
	n = vm_phys_alloc_npages(pm.pm_vp, 0, VM_FREEPOOL_DEFAULT, 5, m);
	assert_int_equal(n, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(PFN(m[i]), PFN(first) + 1 + (unsigned)i);
	/* 1 + 2 + 2 of 4 pages: a block of 2 is left of that. */
	assert_int_equal(free_head(0, 0, 1), MIB(16) + 6 * 4096);
	assert_int_equal(free_blocks(&pm, 0, 0, 0), 0);
	n = vm_phys_alloc_npages(pm.pm_vp, 0, VM_FREEPOOL_DIRECT, 5000, m);
	assert_int_equal(n, 5000);
	for (int i = 0; i < n; i++) {
		assert_int_equal(m[i]->pool, VM_FREEPOOL_DIRECT);
		assert_int_equal(m[i]->order_inv, 0);
		assert_int_equal(
		    m[i]->phys_addr, vm_page_index_to_phys(pm.pm_vp, m[i]));
	}
}

static void
npages_may_fall_short(void **state)
{
	static struct vm_page *m[20000];
	int n;

	(void)state;
	n = vm_phys_alloc_npages(pm.pm_vp, 0, VM_FREEPOOL_DIRECT, 20000, m);
	assert_int_equal(n, 79 * 256 < 20000 ? 79 * 256 : 20000);
	n += vm_phys_alloc_npages(pm.pm_vp, 0, VM_FREEPOOL_DEFAULT, 20000, m);
	assert_int_equal(n, 79 * 256);
	assert_null(vm_phys_alloc_pages(pm.pm_vp, 0, VM_FREEPOOL_DIRECT, 0));
}

static void
segments_do_not_merge_with_each_other(void **state)
{
	struct phys_machine other;
	struct vm_page *a, *b;
	struct vm_domain *vmd;

	(void)state;
	/* Page 1000 and page 1001 are buddies in different domains. */
	assert_int_equal(
	    phys_open_text(&other,
		"3e0000-3e9000 usable 0\n3e9000-3f0000 usable 1\n", NULL),
	    0);
	vmd = other.pm_vp->vp_domains[0];
	vm_phys_lock(other.pm_vp, 0);
	vm_phys_lock(other.pm_vp, 1);
	a = PHYS_TO_VM_PAGE(other.pm_vp, 0x3e8000);
	b = PHYS_TO_VM_PAGE(other.pm_vp, 0x3e9000);
	assert_true(vm_phys_unfree_page(other.pm_vp, a));
	assert_true(vm_phys_unfree_page(other.pm_vp, b));
	vm_phys_free_pages(other.pm_vp, b, 0);
	vm_phys_free_pages(other.pm_vp, a, 0);
	assert_int_equal(a->order_inv, VM_ORDER_INV(0));
	assert_int_equal(b->order_inv, VM_ORDER_INV(0));
	assert_int_equal(vmd->vmd_lists[0].fl_queues[0][0].fq_count, 1);
	vm_phys_unlock(other.pm_vp, 1);
	vm_phys_unlock(other.pm_vp, 0);
	phys_close(&other);
	sim_thread_switch(pm.pm_td);
}

/* A machine that works by bits, one that links all blocks, and the model. */
#define RANDOM_MAP                                                             \
	"0-9f000 usable 0\n100000-2fff000 usable 0\n"                          \
	"3001000-a123000 usable 0\na200000-e000000 usable 0\n"

struct run {
	uint64_t pfn;
	uint64_t npages;
};

static struct phys_machine lazy, eager;
static struct model model;
static struct run runs[16384];
static size_t nruns;

static void
add_run(uint64_t pfn, uint64_t npages)
{
	if (npages == 0)
		return;
	assert_true(nruns < sizeof(runs) / sizeof(runs[0]));
	runs[nruns++] = (struct run){ .pfn = pfn, .npages = npages };
}

static struct vm_page *
page_of(struct phys_machine *p, uint64_t pfn)
{
	return (PHYS_TO_VM_PAGE(p->pm_vp, pfn << PAGE_SHIFT));
}

static uint64_t
pfn_of(struct phys_machine *p, const struct vm_page *m)
{
	if (m == NULL)
		return (MODEL_NONE);
	assert_int_equal(m->phys_addr, vm_page_index_to_phys(p->pm_vp, m));
	assert_int_not_equal(m->segind, 0);
	return (PFN(m));
}

static void
enter(struct phys_machine *p)
{
	sim_thread_switch(p->pm_td);
}

static void
step_alloc(uint64_t *rnd)
{
	struct phys_machine *both[] = { &lazy, &eager };
	int pool = (int)(phys_random(rnd) % 2);
	int order = (int)(phys_random(rnd) % 13);
	uint64_t want;

	if (phys_random(rnd) % 4 != 0)
		order = order % 4;
	want = model_alloc(&model, pool, order);
	for (int i = 0; i < 2; i++) {
		enter(both[i]);
		assert_int_equal(
		    pfn_of(both[i],
			vm_phys_alloc_pages(both[i]->pm_vp, 0, pool, order)),
		    want);
	}
	if (want != MODEL_NONE)
		add_run(want, UINT64_C(1) << order);
}

static void
step_npages(uint64_t *rnd)
{
	struct phys_machine *both[] = { &lazy, &eager };
	static uint64_t want[300];
	static struct vm_page *got[300];
	int pool = (int)(phys_random(rnd) % 2);
	int n, npages = 1 + (int)(phys_random(rnd) % 300);

	n = model_alloc_npages(&model, pool, npages, want);
	for (int i = 0; i < 2; i++) {
		enter(both[i]);
		assert_int_equal(
		    vm_phys_alloc_npages(both[i]->pm_vp, 0, pool, npages, got),
		    n);
		for (int j = 0; j < n; j++)
			assert_int_equal(pfn_of(both[i], got[j]), want[j]);
	}
	for (int i = 0, j; i < n; i = j) {
		for (j = i + 1; j < n && want[j] == want[j - 1] + 1; j++)
			continue;
		add_run(want[i], (uint64_t)(j - i));
	}
}

static void
step_contig(uint64_t *rnd)
{
	struct phys_machine *both[] = { &lazy, &eager };
	static const uint64_t sizes[] = { 1, 3, 17, 600, 3000, 5000, 9000 };
	uint64_t npages, want;
	vm_paddr_t align, boundary, high, low;

	npages = sizes[phys_random(rnd) % 7];
	low = (phys_random(rnd) % 3 == 0) ? phys_random(rnd) % MIB(200) : 0;
	high = (phys_random(rnd) % 3 == 0) ? low + phys_random(rnd) % MIB(100)
					   : UINT64_MAX;
	align = UINT64_C(1) << phys_random(rnd) % 26;
	boundary = (phys_random(rnd) % 2 == 0)
	    ? UINT64_C(4096) << phys_random(rnd) % 16
	    : 0;
	want = model_alloc_contig(&model, npages, low, high, align, boundary);
	for (int i = 0; i < 2; i++) {
		enter(both[i]);
		assert_int_equal(pfn_of(both[i],
				     vm_phys_alloc_contig(both[i]->pm_vp, 0,
					 npages, low, high, align, boundary)),
		    want);
	}
	if (want != MODEL_NONE)
		add_run(want, npages);
}

static void
step_unfree(uint64_t *rnd)
{
	struct phys_machine *both[] = { &lazy, &eager };
	uint64_t pfn = phys_random(rnd) % (MIB(224) >> PAGE_SHIFT);
	bool want = model_unfree(&model, pfn);

	for (int i = 0; i < 2; i++) {
		enter(both[i]);
		assert_int_equal(
		    vm_phys_unfree_page(both[i]->pm_vp, page_of(both[i], pfn)),
		    want);
	}
	if (want)
		add_run(pfn, 1);
}

static void
step_free(uint64_t *rnd)
{
	static struct model naive;
	struct phys_machine *both[] = { &lazy, &eager };
	uint64_t pfn, npages, skip;
	struct run *r;
	struct run run;
	int order = -1;

	if (nruns == 0)
		return;
	r = &runs[phys_random(rnd) % nruns];
	run = *r;
	*r = runs[--nruns];
	/* All of it, or a part. */
	skip = phys_random(rnd) % 2 != 0 ? 0 : phys_random(rnd) % run.npages;
	pfn = run.pfn + skip;
	npages = run.npages - skip;
	if (phys_random(rnd) % 2 == 0)
		npages = 1 + phys_random(rnd) % npages;
	add_run(run.pfn, skip);
	add_run(pfn + npages, run.npages - skip - npages);
	if (phys_random(rnd) % 2 == 0) {
		order = vm_buddy_order(pfn, npages);
		add_run(pfn + (UINT64_C(1) << order),
		    npages - (UINT64_C(1) << order));
		npages = UINT64_C(1) << order;
		model_free(&model, pfn, order);
	} else {
		naive = model;
		model_free_blocks(&naive, pfn, npages);
		model_free_contig(&model, pfn, npages);
	}
	for (int i = 0; i < 2; i++) {
		enter(both[i]);
		if (order >= 0) {
			vm_phys_free_pages(
			    both[i]->pm_vp, page_of(both[i], pfn), order);
		} else {
			vm_phys_free_contig(
			    both[i]->pm_vp, page_of(both[i], pfn), npages);
		}
	}
	if (order < 0) {
		naive.mo_vp = lazy.pm_vp;
		assert_null(model_compare(&naive, false));
	}
}

static void
random_operations_match_model_and_eager_twin(void **state)
{
	struct vm_phys_config vpc = { .vpc_eager = true };
	uint64_t phase, rnd;
	const char *text;

	(void)state;
	rnd = phys_seed();
	assert_int_equal(phys_open_text(&lazy, RANDOM_MAP, NULL), 0);
	assert_int_equal(phys_open_text(&eager, RANDOM_MAP, &vpc), 0);
	enter(&lazy);
	vm_phys_lock(lazy.pm_vp, 0);
	enter(&eager);
	vm_phys_lock(eager.pm_vp, 0);
	model_init(&model, lazy.pm_vp);
	assert_true(model_unfree(&model, 0));
	nruns = 0;
	for (unsigned step = 0; step < 6000; step++) {
		/* Allocate more than is freed, then the reverse, in turn. */
		phase = step / 500 % 2 == 0 ? 3 : 8;
		switch (phys_random(&rnd) % 12) {
		case 0:
			step_npages(&rnd);
			break;
		case 1:
			step_contig(&rnd);
			break;
		case 2:
			step_unfree(&rnd);
			break;
		default:
			if (phys_random(&rnd) % 10 < phase)
				step_free(&rnd);
			else
				step_alloc(&rnd);
			break;
		}
		model.mo_vp = lazy.pm_vp;
		text = model_compare(&model, true);
		if (text == NULL) {
			model.mo_vp = eager.pm_vp;
			text = model_compare(&model, true);
		}
		if (text != NULL)
			fail_msg("step %u: %s", step, text);
	}
	while (nruns > 0)
		step_free(&rnd);
	/* All but page 0 is free again, and merged as at boot. */
	model_init(&model, lazy.pm_vp);
	assert_true(model_unfree(&model, 0));
	for (int l = 0; l < MODEL_LISTS; l++) {
		for (int o = 0; o < VM_NFREEORDER; o++) {
			assert_int_equal(free_blocks(&lazy, l, 0, o) +
				free_blocks(&lazy, l, 1, o),
			    model.mo_queues[l][0][o].mq_n);
		}
	}
	enter(&lazy);
	vm_phys_unlock(lazy.pm_vp, 0);
	phys_close(&lazy);
	enter(&eager);
	vm_phys_unlock(eager.pm_vp, 0);
	phys_close(&eager);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOCKED(boot_queues_the_largest_aligned_blocks),
		LOCKED(alloc_splits_the_first_block_and_queues_upper_halves),
		LOCKED(an_empty_pool_takes_and_converts_the_largest_block),
		LOCKED(a_merge_converts_the_buddy_to_the_freed_pages_pool),
		LOCKED(npages_takes_small_blocks_first_and_returns_the_residue),
		LOCKED(npages_may_fall_short),
		LOCKED(segments_do_not_merge_with_each_other),
		cmocka_unit_test(random_operations_match_model_and_eager_twin),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
