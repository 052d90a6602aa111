/* SPDX-License-Identifier: BSD-2-Clause */

#include "reserv_util.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "pmapsim/vm_phys.h"

static void
tick(void)
{
	/* Relaxed: one thread. */
	atomic_fetch_add_explicit(&ru_ticks, 1, memory_order_relaxed);
}

static void
fill(struct vm_object *obj, vm_pindex_t first)
{
	for (vm_pindex_t i = first; i < first + RUN; i++)
		assert_non_null(ru_alloc(obj, i));
}

static unsigned
queued(void)
{
	const struct vm_reserv *rv;
	unsigned n = 0;

	for (rv = ru_vp->vp_reservs->rvs_domains[0].rvd_first; rv != NULL;
	     rv = rv->partpopq_next)
		n++;
	return (n);
}

static void
page_has_the_slot_of_its_index(void **state)
{
	struct vm_object *obj = ru_object(2 * RUN, false);
	uint64_t free = machine_free_pages(ru_pu.pu_ma);
	struct vm_page *a, *b, *c;

	(void)state;
	a = ru_alloc(obj, 5);
	b = ru_alloc(obj, RUN + 88);
	c = ru_alloc(obj, RUN - 1);
	assert_ptr_equal(a, &ru_reserv(a)->pages[5]);
	assert_ptr_equal(b, &ru_reserv(b)->pages[88]);
	assert_ptr_equal(c, a + (RUN - 1 - 5));
	assert_ptr_not_equal(ru_reserv(a), ru_reserv(b));
	/* 1,024 pages are set aside, 3 are charged. */
	assert_int_equal(machine_free_pages(ru_pu.pu_ma), free - 3);
	assert_int_equal(vm_reserv_level(ru_vp, a), 0);
	assert_int_equal(vm_reserv_level_iffullpop(ru_vp, a), -1);
	assert_null(vm_reserv_to_superpage(ru_vp, a));
	pu_check(&ru_pu);
	vm_object_destroy(obj);
	assert_int_equal(vm_reserv_level(ru_vp, a), -1);
	assert_int_equal(machine_free_pages(ru_pu.pu_ma), free);
}

static void
color_shifts_the_slots(void **state)
{
	struct vm_object *obj = ru_object(3 * RUN, false);
	struct vm_page *m;

	(void)state;
	obj->pg_color = 500;
	/* Indices 0 to 11 are the end of a run that begins before 0. */
	m = ru_alloc(obj, 11);
	assert_int_equal(vm_reserv_level(ru_vp, m), -1);
	m = ru_alloc(obj, 12);
	assert_ptr_equal(m, ru_reserv(m)->pages);
	assert_int_equal(ru_reserv(m)->pindex, 12);
	vm_object_destroy(obj);
}

static void
full_reservation_is_a_superpage(void **state)
{
	struct vm_object *obj = ru_object(RUN, false);
	struct vm_page *first;

	(void)state;
	fill(obj, 0);
	first = obj->memq_first;
	assert_int_equal(first->psind, 1);
	assert_int_equal(vm_reserv_level_iffullpop(ru_vp, first + 77), 0);
	assert_ptr_equal(vm_reserv_to_superpage(ru_vp, first + 77), first);
	assert_int_equal(queued(), 0);
	assert_int_equal(vm_reserv_size(0), NBPDR);
	tick();
	ru_free(first + 77);
	assert_int_equal(first->psind, 0);
	assert_int_equal(vm_reserv_level_iffullpop(ru_vp, first), -1);
	assert_int_equal(queued(), 1);
	assert_ptr_equal(ru_alloc(obj, 77), first + 77);
	assert_int_equal(first->psind, 1);
	pu_check(&ru_pu);
	vm_object_destroy(obj);
}

static void
no_reservation_where_there_is_no_room(void **state)
{
	struct vm_object *obj = ru_object(2 * RUN + 9, false);
	struct vm_page *m = vm_page_alloc(ru_vp, 0, 0);

	(void)state;
	VM_OBJECT_WLOCK(obj);
	vm_page_insert(m, obj, 30);
	VM_OBJECT_WUNLOCK(obj);
	/* A page of another place, after and before. */
	assert_int_equal(vm_reserv_level(ru_vp, ru_alloc(obj, 20)), -1);
	assert_int_equal(vm_reserv_level(ru_vp, ru_alloc(obj, 40)), -1);
	assert_int_equal(vm_reserv_level(ru_vp, ru_alloc(obj, RUN)), 0);
	/* The end of the object; memory that may grow looks beyond. */
	assert_int_equal(vm_reserv_level(ru_vp, ru_alloc(obj, 2 * RUN)), -1);
	obj->grows = true;
	ru_free(obj->memq_last);
	assert_int_equal(vm_reserv_level(ru_vp, ru_alloc(obj, 2 * RUN)), 0);
	vm_object_destroy(obj);
}

static void
queue_is_left_alone_within_a_tick(void **state)
{
	struct vm_reserv_domain *rvd = &ru_vp->vp_reservs->rvs_domains[0];
	struct vm_object *obj = ru_object(2 * RUN, false);
	struct vm_reserv *a, *b;

	(void)state;
	a = ru_reserv(ru_alloc(obj, 0));
	b = ru_reserv(ru_alloc(obj, RUN));
	assert_ptr_equal(rvd->rvd_first, a);
	(void)ru_alloc(obj, 1);
	assert_ptr_equal(rvd->rvd_first, a);
	tick();
	(void)ru_alloc(obj, 2);
	assert_ptr_equal(rvd->rvd_first, b);
	assert_ptr_equal(rvd->rvd_last, a);
	vm_object_destroy(obj);
}

/* The quirk, and what the last resort is for. */
static void
page_lost_in_the_tick_of_filling_can_still_be_had(void **state)
{
	struct vm_object *obj = ru_object(RUN, false);
	struct vm_page *m, *taken = NULL;

	(void)state;
	fill(obj, 0);
	ru_free(obj->memq_first->listq_next);
	assert_int_equal(queued(), 0);
	pu_check(&ru_pu);
	while (machine_free_pages(ru_pu.pu_ma) > 0) {
		m = vm_page_alloc(ru_vp, 0, VM_PAGE_NOOBJ | VM_PAGE_INTERRUPT);
		assert_non_null(m);
		m->q_next = taken;
		taken = m;
	}
	assert_int_equal(vm_reserv_level(ru_vp, obj->memq_first), -1);
	vm_page_free_list(ru_vp, taken);
	vm_object_destroy(obj);
}

static void
shortage_breaks_the_longest_unused_first(void **state)
{
	struct vm_object *obj = ru_object(3 * RUN, false);
	struct vm_page *a, *b, *c, *m, *taken = NULL;

	(void)state;
	a = ru_alloc(obj, 0);
	b = ru_alloc(obj, RUN);
	tick();
	c = ru_alloc(obj, 2 * RUN);
	(void)ru_alloc(obj, 1);
	while (vm_reserv_level(ru_vp, b) == 0) {
		assert_int_equal(vm_reserv_level(ru_vp, a), 0);
		m = vm_page_alloc(ru_vp, 0, VM_PAGE_NOOBJ | VM_PAGE_INTERRUPT);
		assert_non_null(m);
		m->q_next = taken;
		taken = m;
	}
	assert_int_equal(vm_reserv_level(ru_vp, a), 0);
	assert_int_equal(vm_reserv_level(ru_vp, c), 0);
	pu_check(&ru_pu);
	/* b is now an ordinary page. */
	ru_free(b);
	vm_page_free_list(ru_vp, taken);
	vm_object_destroy(obj);
}

static void
run_is_found_in_a_reservation(void **state)
{
	struct vm_object *obj = ru_object(2 * RUN, false);
	struct vm_page *a, *b, *m;
	vm_paddr_t pa;

	(void)state;
	a = ru_alloc(obj, 256);
	b = ru_alloc(obj, RUN + 100);
	/* 300 fit into the second only, 100 aligned and bounded in the first. */
	m = vm_reserv_reclaim_contig(
	    ru_vp, 0, 100, 0, UINT64_MAX, UINT64_C(1) << 19, UINT64_C(1) << 20);
	assert_null(ru_vp->vp_reservs->rvs_domains[0].rvd_marker.partpopq_next);
	assert_non_null(m);
	pa = VM_PAGE_TO_PHYS(m);
	assert_int_equal(pa & ((UINT64_C(1) << 19) - 1), 0);
	assert_ptr_equal(m, a - 256);
	assert_int_equal(vm_reserv_level(ru_vp, a), -1);
	assert_true(
	    vm_domain_reserve(ru_vp->vp_domains[0], VM_ALLOC_NORMAL, 100));
	for (int i = 0; i < 100; i++) {
		m[i].flags |= PG_USED;
		m[i].q_next = i + 1 < 100 ? &m[i + 1] : NULL;
	}
	pu_check(&ru_pu);
	vm_page_free_list(ru_vp, m);
	assert_null(
	    vm_reserv_reclaim_contig(ru_vp, 0, 412, 0, UINT64_MAX, 0, 0));
	assert_null(vm_reserv_reclaim_contig(ru_vp, 0, 300, 0, pa, 0, 0));
	assert_null(
	    vm_reserv_reclaim_contig(ru_vp, 0, 1, pa + 1, pa + 2, 0, 0));
	assert_int_equal(vm_reserv_level(ru_vp, b), 0);
	vm_object_destroy(obj);
}

/* The public way: the queues have no such run. */
static void
run_allocation_breaks_a_reservation(void **state)
{
	struct vm_object *obj = ru_object(30 * RUN, false);
	struct vm_page *m, *rest = NULL;
	vm_pindex_t i = 0;

	(void)state;
	/* All runs become reservations of one page each. */
	while (i < 30 * RUN && vm_reserv_level(ru_vp, ru_alloc(obj, i)) == 0)
		i += RUN;
	while ((m = vm_page_alloc_order(ru_vp, 0, 7, 0)) != NULL &&
	    queued() * RUN == i) {
		m->q_next = rest;
		rest = m;
	}
	assert_non_null(m);
	assert_int_equal(VM_PAGE_TO_PHYS(m) & (MB(1) / 2 - 1), 0);
	m->q_next = rest;
	rest = m;
	pu_check(&ru_pu);
	for (; rest != NULL; rest = m) {
		m = rest->q_next;
		vm_phys_page_free(ru_pu.pu_ma, rest, 7);
	}
	vm_object_destroy(obj);
}

static void
reservation_moves_with_a_renamed_page(void **state)
{
	struct vm_object *from = ru_object(2 * RUN, false);
	struct vm_object *to = ru_object(2 * RUN, false);
	struct vm_page *a, *b;

	(void)state;
	a = ru_alloc(from, RUN + 3);
	b = ru_alloc(from, RUN + 4);
	ru_rename(a, to, 3);
	assert_ptr_equal(vm_reserv_object(ru_reserv(a)), to);
	assert_int_equal(ru_reserv(a)->pindex, 0);
	assert_null(from->rvq.rvh_first);
	assert_ptr_equal(ru_alloc(to, 5), a + 2);
	/* The slot of index 4 has b, which is still the other's. */
	assert_int_equal(vm_reserv_level(ru_vp, ru_alloc(to, 4)), -1);
	pu_check(&ru_pu);
	/* Going back into the reservation, whoever has it. */
	ru_free(b);
	assert_false(vm_reserv_populated(ru_reserv(a), 4));
	vm_object_destroy(to);
	vm_object_destroy(from);
}

static void
object_that_ends_breaks_what_others_have_pages_of(void **state)
{
	struct vm_object *from = ru_object(RUN, false);
	struct vm_object *to = ru_object(RUN, false);
	struct vm_page *a, *b;

	(void)state;
	a = ru_alloc(from, 1);
	b = ru_alloc(from, 2);
	ru_rename(a, to, 1);
	vm_object_destroy(to);
	assert_int_equal(vm_reserv_level(ru_vp, b), -1);
	assert_ptr_equal(b->object, from);
	pu_check(&ru_pu);
	vm_object_destroy(from);
}

/* Pages that were between two places: who found none looks again. */
static void
wait_for_pages(void *arg)
{
	(void)arg;
	vm_wait(ru_vp, vm_wait_token(ru_vp));
}

static void
waiter_hears_of_pages_that_arrive(void **state)
{
	struct vm_object *obj = ru_object(2 * RUN, false);
	struct pu_thread waiter;

	(void)state;
	for (int i = 0; i < 4; i++) {
		pu_start(&ru_pu, &waiter, 1, wait_for_pages, NULL);
		/* Relaxed: the list itself is looked at by others. */
		while (atomic_load_explicit(&ru_vp->vp_private->vpp_nwaiters,
			   memory_order_relaxed) == 0)
			(void)sched_yield();
		switch (i) {
		case 0:
			assert_non_null(ru_alloc(obj, 0));
			break;
		case 1:
			assert_true(vm_reserv_reclaim_inactive(ru_vp, 0));
			break;
		case 2:
			/* A new one, first. */
			assert_non_null(ru_alloc(obj, RUN));
			break;
		default:
			VM_OBJECT_WLOCK(obj);
			vm_reserv_break_all(ru_vp, obj);
			VM_OBJECT_WUNLOCK(obj);
		}
		pu_join(&waiter);
	}
	vm_object_destroy(obj);
}

static void
object_of_runs_is_mapped_by_superpages(void **state)
{
	struct pmap *pmap = pu_pmap(&ru_pu);
	struct vm_object *obj;

	(void)state;
	assert_int_equal(
	    vm_object_create(ru_pu.pu_ma, 2 * RUN, 0, VM_OBJECT_RUNS, &obj), 0);
	VM_OBJECT_RLOCK(obj);
	pmap_enter_object(
	    pmap, GB(1), GB(1) + 2 * NBPDR, obj->memq_first, VM_PROT_READ);
	VM_OBJECT_RUNLOCK(obj);
	assert_int_equal(pu_counter(&ru_pu, CTR_PDE_MAPPINGS), 2);
	pu_check(&ru_pu);
	pmap_remove(pmap, 0, VM_MAXUSER_ADDRESS);
	pu_pmap_free(pmap);
	vm_object_destroy(obj);
}

/* Its own machine. */
static void
design_without_reservations_has_none(void **state)
{
	struct vm_object *obj;

	(void)state;
	ru_setup("sparse/rwlock+reserv=off", 0);
	obj = ru_object(RUN, false);
	assert_int_equal(vm_reserv_level(ru_vp, ru_alloc(obj, 0)), -1);
	vm_object_destroy(obj);
	assert_int_equal(
	    vm_object_create(ru_pu.pu_ma, RUN, 0, VM_OBJECT_RUNS, &obj), 0);
	assert_int_equal(obj->memq_first->psind, 0);
	vm_object_destroy(obj);
	ru_teardown();
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, ru_begin, ru_end)
	const struct CMUnitTest tests[] = {
		TEST(page_has_the_slot_of_its_index),
		TEST(color_shifts_the_slots),
		TEST(full_reservation_is_a_superpage),
		TEST(no_reservation_where_there_is_no_room),
		TEST(queue_is_left_alone_within_a_tick),
		TEST(page_lost_in_the_tick_of_filling_can_still_be_had),
		TEST(shortage_breaks_the_longest_unused_first),
		TEST(run_is_found_in_a_reservation),
		TEST(run_allocation_breaks_a_reservation),
		TEST(reservation_moves_with_a_renamed_page),
		TEST(object_that_ends_breaks_what_others_have_pages_of),
		TEST(waiter_hears_of_pages_that_arrive),
		TEST(object_of_runs_is_mapped_by_superpages),
		cmocka_unit_test(design_without_reservations_has_none),
	};

	return (cmocka_run_group_tests_name("reserv", tests, NULL, NULL));
}
