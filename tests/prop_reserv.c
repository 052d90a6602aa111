/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Random allocation, freeing, breaking, renaming and searching, step by step
 * against a naive model: for each reservation who has it, at which index it
 * begins, and an array of what is handed out.  What the model does not predict
 * is where a new run lies; it takes note.
 */

#include "reserv_util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOBJECTS 5
#define NRUNS    3
#define SIZE     (NRUNS * RUN)
#define NRESERVS 40 /* superpages of the machine, and some */
#define STEPS    6000

/* One superpage. */
struct model {
	int mo_object; /* -1: not in use */
	int64_t mo_pindex;
	bool mo_out[RUN];
	bool mo_queued;
	uint64_t mo_tick;
	uint64_t mo_stamp; /* larger: nearer to the end of the queue */
};

static struct model models[NRESERVS];
static struct vm_object *objects[NOBJECTS];
static struct vm_page *pages[NOBJECTS][SIZE];
static uint64_t nfull, stamp, x;

static struct model *
model_of(const struct vm_page *m)
{
	return (&models[VM_PAGE_TO_PHYS(m) >> PDRSHIFT]);
}

static unsigned
slot_of(const struct vm_page *m)
{
	return ((unsigned)(VM_PAGE_TO_PHYS(m) >> PAGE_SHIFT) % RUN);
}

static unsigned
model_count(const struct model *mo)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RUN; i++)
		n += mo->mo_out[i];
	return (n);
}

/* The queue after a page was handed out or came back, by the tick rule. */
static void
model_touch(struct model *mo, bool came_back)
{
	unsigned n = model_count(mo);
	bool same = mo->mo_tick == ru_ticks;

	if (came_back ? same && n != 0 : same && mo->mo_queued && n < RUN)
		return;
	mo->mo_tick = ru_ticks;
	mo->mo_queued = n > 0 && n < RUN;
	mo->mo_stamp = ++stamp;
}

static void
model_break(struct model *mo)
{
	uint64_t t = mo->mo_tick;

	memset(mo, 0, sizeof(*mo));
	mo->mo_object = -1;
	mo->mo_tick = t;
}

/* The pages of an object that are next to an index, before and after it. */
static void
neighbours(int o, vm_pindex_t pindex, int64_t near[2])
{
	near[0] = near[1] = -1;
	for (vm_pindex_t i = 0; i < SIZE; i++) {
		if (pages[o][i] != NULL && i < pindex)
			near[0] = (int64_t)i;
		if (pages[o][i] != NULL && i > pindex && near[1] < 0)
			near[1] = (int64_t)i;
	}
}

/* Which reservation a page at the index would come from, or NULL. */
static struct model *
model_at(int o, vm_pindex_t pindex)
{
	int64_t at = (int64_t)pindex, near[2];
	struct model *mo;

	neighbours(o, pindex, near);
	for (int i = 0; i < 2; i++) {
		if (near[i] < 0)
			continue;
		mo = model_of(pages[o][near[i]]);
		if (mo->mo_object == o && at >= mo->mo_pindex &&
		    at < mo->mo_pindex + (int64_t)RUN)
			return (mo);
	}
	return (NULL);
}

/*
 * May a new one begin where the index wants it?  Only the neighbours count:
 * after a rename reservations of one object can overlap.
 */
static bool
model_room(int o, vm_pindex_t pindex)
{
	int64_t begin, end, first = (int64_t)(pindex / RUN * RUN), near[2];
	const struct model *mo;

	neighbours(o, pindex, near);
	for (int i = 0; i < 2; i++) {
		if (near[i] < 0)
			continue;
		mo = model_of(pages[o][near[i]]);
		begin = mo->mo_object == o ? mo->mo_pindex : near[i];
		end = mo->mo_object == o ? begin + (int64_t)RUN : begin + 1;
		if (i == 0 ? end > first : begin < first + (int64_t)RUN)
			return (false);
	}
	return (true);
}

/* Is no superpage wholly free? */
static bool
no_run(void)
{
	struct vm_page *m = vm_page_alloc_order(ru_vp, 0, VM_LEVEL_0_ORDER, 0);

	if (m == NULL)
		return (true);
	for (unsigned i = 0; i < RUN; i++)
		m[i].q_next = i + 1 < RUN ? &m[i + 1] : NULL;
	vm_page_free_list(ru_vp, m);
	return (false);
}

static void
step_alloc(int o, vm_pindex_t pindex)
{
	struct model *at = model_at(o, pindex), *mo;
	bool room = model_room(o, pindex);
	struct vm_page *m;

	if (pages[o][pindex] != NULL)
		return;
	m = ru_alloc(objects[o], pindex);
	if (m == NULL)
		return;
	pages[o][pindex] = m;
	mo = model_of(m);
	if (at != NULL && !at->mo_out[(int64_t)pindex - at->mo_pindex]) {
		assert_ptr_equal(mo, at);
		assert_int_equal(slot_of(m), (int64_t)pindex - at->mo_pindex);
	} else if (vm_reserv_level(ru_vp, m) < 0) {
		/* An ordinary page, for want of room or of a run. */
		assert_int_equal(mo->mo_object, -1);
		assert_true(at != NULL || !room || no_run());
		return;
	} else {
		assert_true(at == NULL && room);
		assert_int_equal(mo->mo_object, -1);
		assert_int_equal(slot_of(m), pindex % RUN);
		mo->mo_object = o;
		mo->mo_pindex = (int64_t)(pindex / RUN * RUN);
	}
	mo->mo_out[slot_of(m)] = true;
	model_touch(mo, false);
}

static void
step_free(int o, vm_pindex_t pindex)
{
	struct vm_page *m = pages[o][pindex];
	struct model *mo;

	if (m == NULL)
		return;
	mo = model_of(m);
	pages[o][pindex] = NULL;
	ru_free(m);
	if (mo->mo_object < 0)
		return;
	mo->mo_out[slot_of(m)] = false;
	model_touch(mo, true);
	if (model_count(mo) == 0)
		model_break(mo);
}

static void
step_rename(int from, vm_pindex_t pindex, int to, vm_pindex_t at)
{
	struct vm_page *m = pages[from][pindex];
	struct model *mo;

	if (m == NULL || from == to || pages[to][at] != NULL)
		return;
	ru_rename(m, objects[to], at);
	pages[from][pindex] = NULL;
	pages[to][at] = m;
	mo = model_of(m);
	if (mo->mo_object != from)
		return;
	mo->mo_object = to;
	mo->mo_pindex -= (int64_t)pindex - (int64_t)at;
}

static void
step_break_all(int o)
{
	VM_OBJECT_WLOCK(objects[o]);
	vm_reserv_break_all(ru_vp, objects[o]);
	VM_OBJECT_WUNLOCK(objects[o]);
	for (int i = 0; i < NRESERVS; i++) {
		if (models[i].mo_object == o)
			model_break(&models[i]);
	}
}

static void
step_reclaim(void)
{
	struct model *first = NULL, *mo;
	bool any = false, done;

	for (mo = models; mo < models + NRESERVS; mo++) {
		if (mo->mo_object >= 0 && model_count(mo) < RUN)
			any = true;
		if (mo->mo_queued &&
		    (first == NULL || mo->mo_stamp < first->mo_stamp))
			first = mo;
	}
	done = vm_reserv_reclaim_inactive(ru_vp, 0);
	assert_int_equal(done, any);
	/* The last resort takes them by address. */
	for (mo = models; first == NULL && any; mo++) {
		if (mo->mo_object >= 0 && model_count(mo) < RUN)
			first = mo;
	}
	if (first != NULL)
		model_break(first);
}

/* The first in the queue with n pages in a row at a multiple of n. */
static struct model *
model_search(unsigned n, unsigned *slotp)
{
	struct model *best = NULL;

	for (struct model *mo = models; mo < models + NRESERVS; mo++) {
		if (!mo->mo_queued ||
		    (best != NULL && best->mo_stamp < mo->mo_stamp))
			continue;
		for (unsigned i = 0, free; i + n <= RUN; i += n) {
			for (free = 0; free < n && !mo->mo_out[i + free];)
				free++;
			if (free == n) {
				best = mo;
				*slotp = i;
				break;
			}
		}
	}
	return (best);
}

static void
step_contig(void)
{
	unsigned n = 1u << ru_random(&x) % 9, slot = 0;
	struct model *mo = model_search(n, &slot);
	struct vm_page *m;

	if (!vm_domain_reserve(ru_vp->vp_domains[0], VM_ALLOC_NORMAL, n))
		return;
	m = vm_reserv_reclaim_contig(
	    ru_vp, 0, n, 0, UINT64_MAX, (vm_paddr_t)n << PAGE_SHIFT, 0);
	if (mo == NULL) {
		assert_null(m);
		vm_domain_refund(ru_vp, ru_vp->vp_domains[0], n);
		return;
	}
	assert_non_null(m);
	assert_ptr_equal(model_of(m), mo);
	assert_int_equal(slot_of(m), slot);
	model_break(mo);
	for (unsigned i = 0; i < n; i++) {
		m[i].flags = PG_USED;
		m[i].q_next = i + 1 < n ? &m[i + 1] : NULL;
	}
	vm_page_free_list(ru_vp, m);
}

static void
compare_all(void)
{
	const struct vm_reserv *rv;
	const struct model *mo;

	for (uint64_t i = 0; (rv = vm_reserv_next_used(ru_vp, &i)) != NULL;
	     i++) {
		mo = model_of(rv->pages);
		assert_ptr_equal(vm_reserv_object(rv),
		    mo->mo_object >= 0 ? objects[mo->mo_object] : NULL);
		assert_int_equal(vm_reserv_popcnt(rv), model_count(mo));
		assert_int_equal(rv->pages->psind, model_count(mo) == RUN);
		nfull += model_count(mo) == RUN;
		assert_int_equal(rv->inpartpopq, mo->mo_queued);
		for (unsigned s = 0; s < RUN; s++)
			assert_int_equal(
			    vm_reserv_populated(rv, s), mo->mo_out[s]);
		if (mo->mo_object >= 0)
			assert_int_equal((int64_t)rv->pindex, mo->mo_pindex);
		if (rv->inpartpopq && rv->partpopq_next != NULL)
			assert_true(mo->mo_stamp <
			    model_of(rv->partpopq_next->pages)->mo_stamp);
	}
}

/* An object's page or, often, one beside the last one used. */
static vm_pindex_t
some_index(void)
{
	static vm_pindex_t last;
	uint64_t r = ru_random(&x);

	last = r % 8 == 0 ? ru_random(&x) % SIZE : (last + 1) % SIZE;
	return (last);
}

static void
step(void)
{
	int o = (int)(ru_random(&x) % NOBJECTS);
	uint64_t r = ru_random(&x) % 1000;
	vm_pindex_t pindex = some_index();

	if (ru_random(&x) % 4 == 0)
		ru_ticks++;
	if (r < 15) {
		/* A whole run anew, which becomes full. */
		pindex = pindex / RUN * RUN;
		for (unsigned i = 0; i < RUN; i++)
			step_free(o, pindex + i);
		for (unsigned i = 0; i < RUN; i++)
			step_alloc(o, pindex + i);
	} else if (r < 640) {
		for (int i = 0; i < 24 && pindex + (vm_pindex_t)i < SIZE; i++)
			step_alloc(o, pindex + (vm_pindex_t)i);
	} else if (r < 930) {
		for (int i = 0; i < 20 && pindex + (vm_pindex_t)i < SIZE; i++)
			step_free(o, pindex + (vm_pindex_t)i);
	} else if (r < 960) {
		step_rename(o, pindex, (int)(ru_random(&x) % NOBJECTS),
		    ru_random(&x) % 2 == 0 ? pindex : some_index());
	} else if (r < 970) {
		step_break_all(o);
	} else if (r < 985) {
		step_reclaim();
	} else {
		step_contig();
	}
}

static void
reservations_agree_with_the_model(void **state)
{
	(void)state;
	x = ru_seed();
	ru_setup(NULL, 0);
	for (int i = 0; i < NRESERVS; i++)
		models[i].mo_object = -1;
	for (int o = 0; o < NOBJECTS; o++)
		objects[o] = ru_object(SIZE, false);
	for (int i = 0; i < STEPS; i++) {
		step();
		compare_all();
		if (i % 16 == 0)
			pu_check(&ru_pu);
	}
	assert_true(nfull > 0);
	for (int o = 0; o < NOBJECTS; o++)
		vm_object_destroy(objects[o]);
	ru_teardown();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reservations_agree_with_the_model),
	};

	return (cmocka_run_group_tests_name("reserv", tests, NULL, NULL));
}
