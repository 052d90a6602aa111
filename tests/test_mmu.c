/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The page walk: results, what it sets, and that a walk and a thread that
 * changes the same entry lose nothing of each other.
 */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pmap/mmu_walk.h"
#include "pmap_util.h"

#define VA     (GB(1) + MB(4))
#define NTRIES 20000

#define PROT_RW (VM_PROT_READ | VM_PROT_WRITE)
#define PROT_RX (VM_PROT_READ | VM_PROT_EXECUTE)

struct fixture {
	struct pu f_pu;
	struct pmap *f_pmap;
	struct vm_page *f_m;
};

static int
setup(void **state)
{
	static struct fixture f;
	struct machine_config mc = {
		.mc_design = "sparse/rwlock",
		.mc_ncpus = 2,
	};

	pu_setup_config(&f.f_pu, NULL, &mc);
	f.f_pmap = pu_pmap(&f.f_pu);
	f.f_m = pu_page(&f.f_pu);
	*state = &f;
	return (0);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	pmap_remove(f->f_pmap, 0, VM_MAXUSER_ADDRESS);
	pu_pmap_free(f->f_pmap);
	pu_page_free(&f->f_pu, f->f_m);
	pu_teardown(&f->f_pu);
	return (0);
}

static void
enter(struct fixture *f, vm_offset_t va, vm_prot_t prot)
{
	assert_int_equal(
	    pmap_enter(f->f_pmap, va, f->f_m, prot, VM_PROT_READ, 0),
	    KERN_SUCCESS);
}

static void
touch_tells_what_is_missing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    mmu_touch(f->f_pmap, VA, VM_PROT_READ), MMU_NOTPRESENT);
	enter(f, VA, PROT_RX);
	assert_int_equal(
	    mmu_touch(f->f_pmap, VA + PAGE_SIZE, VM_PROT_READ), MMU_NOTPRESENT);
	assert_int_equal(
	    mmu_touch(f->f_pmap, VA + NBPDR, VM_PROT_READ), MMU_NOTPRESENT);
	assert_int_equal(
	    mmu_touch(f->f_pmap, VA + NBPDP, VM_PROT_READ), MMU_NOTPRESENT);
	/* The indices of a table would start again from 0. */
	assert_int_equal(
	    mmu_touch(f->f_pmap, VA + (UINT64_C(1) << 48), VM_PROT_READ),
	    MMU_NOTPRESENT);
	assert_int_equal(
	    mmu_touch(f->f_pmap, VA, VM_PROT_WRITE), MMU_PROTECTION);
	assert_int_equal(mmu_touch(f->f_pmap, VA, VM_PROT_EXECUTE), MMU_OK);
	enter(f, VA, PROT_RW);
	assert_int_equal(
	    mmu_touch(f->f_pmap, VA, VM_PROT_EXECUTE), MMU_PROTECTION);
	assert_int_equal(
	    mmu_touch(f->f_pmap, VA + 4095, VM_PROT_WRITE), MMU_OK);
}

static void
touch_sets_accessed_and_modified(void **state)
{
	struct fixture *f = *state;
	pt_entry_t was;

	enter(f, VA, PROT_RW);
	(void)pte_clear_bits(pu_pte(f->f_pmap, VA), PG_A);
	was = pu_leaf(f->f_pmap, VA);
	assert_int_equal(
	    mmu_touch(f->f_pmap, VA, VM_PROT_EXECUTE), MMU_PROTECTION);
	assert_int_equal(pu_leaf(f->f_pmap, VA), was);
	assert_int_equal(mmu_touch(f->f_pmap, VA, VM_PROT_READ), MMU_OK);
	assert_int_equal(pu_leaf(f->f_pmap, VA), was | PG_A);
	assert_int_equal(mmu_touch(f->f_pmap, VA, VM_PROT_WRITE), MMU_OK);
	assert_int_equal(pu_leaf(f->f_pmap, VA), was | PG_A | PG_M);
}

/* A directory entry with PG_PS is a leaf. */
static void
walk_ends_at_a_superpage(void **state)
{
	struct fixture *f = *state;
	pt_entry_t leaf = MB(8) | PG_V | PG_U | PG_RW | PG_PS, pde;
	struct mmu_leaf ml;

	enter(f, VA, PROT_RW);
	pde = pte_swap(pmap_pde(f->f_pmap, VA), leaf);
	assert_int_equal(
	    mmu_walk(f->f_pmap, VA + NBPDR - 1, VM_PROT_WRITE, 0, &ml), MMU_OK);
	assert_true(ml.ml_large);
	assert_int_equal(ml.ml_entry, leaf | PG_A | PG_M);
	assert_int_equal(
	    pte_swap(pmap_pde(f->f_pmap, VA), pde), leaf | PG_A | PG_M);
	/* From the page table that a cache remembers. */
	assert_int_equal(
	    mmu_walk(f->f_pmap, VA, VM_PROT_WRITE, pde & PG_FRAME, &ml),
	    MMU_OK);
	assert_false(ml.ml_large);
	assert_int_equal(ml.ml_table, pde & PG_FRAME);
}

struct race {
	struct fixture *r_f;
	_Atomic bool r_stop;
	uint64_t r_written; /* writes that the MMU let through */
};

static void
write_on(void *arg)
{
	struct race *r = arg;
	struct mmu_leaf ml;

	/* Relaxed: a flag. */
	while (!atomic_load_explicit(&r->r_stop, memory_order_relaxed)) {
		if (mmu_walk(r->r_f->f_pmap, VA, VM_PROT_WRITE, 0, &ml) ==
		    MMU_OK)
			r->r_written++;
	}
}

/*
 * Against a walk that writes, a leaf is swapped out and in again.  A bit that the
 * walk set was in what was swapped out, and what is swapped out is never written.
 */
static void
walk_loses_and_invents_no_modified_bit(void **state)
{
	struct fixture *f = *state;
	struct race r = { .r_f = f };
	struct pu_thread put;
	uint64_t modified = 0;
	pt_entry_t clean, old;
	pte_t *pte;

	enter(f, VA, PROT_RW);
	pte = pu_pte(f->f_pmap, VA);
	clean = pu_leaf(f->f_pmap, VA) & ~(PG_A | PG_M);
	pte_store(pte, 0);
	pu_start(&f->f_pu, &put, 0, write_on, &r);
	for (int i = 0; i < NTRIES; i++) {
		pte_store(pte, clean);
		/* Half of the time until the walk has been. */
		while (i % 2 == 0 && (pte_load(pte) & PG_M) == 0)
			(void)sched_yield();
		old = pte_load_clear(pte);
		if (pte_load(pte) != 0)
			break; /* written after it was cleared */
		modified += (old & PG_M) != 0;
	}
	/* Relaxed: a flag. */
	atomic_store_explicit(&r.r_stop, true, memory_order_relaxed);
	pu_join(&put);
	assert_int_equal(pte_load(pte), 0);
	assert_true(modified >= NTRIES / 2);
	assert_true(r.r_written >= modified);
	pte_store(pte, clean);
}

struct loader {
	struct fixture *l_f;
	_Atomic bool l_stop;
};

/* A CPU runs one short process after the other. */
static void
load_and_release(void *arg)
{
	struct loader *l = arg;
	struct machine *ma = l->l_f->f_pu.pu_ma;
	struct pmap *pmap = l->l_f->f_pmap;

	for (int i = 0; i < NTRIES; i++) {
		pmap_activate(pmap, 1);
		pmap_deactivate(ma, 1);
		pmap_release(pmap);
		if (pmap_pinit(pmap) != KERN_SUCCESS)
			panic("no page for a root");
	}
	/* Relaxed: a flag. */
	atomic_store_explicit(&l->l_stop, true, memory_order_relaxed);
}

/* Without TLBs as with them: what is not loaded any more is not looked at. */
static void
an_access_finds_a_pmap_or_none(void **state)
{
	struct loader l = { .l_f = *state };
	struct machine *ma = l.l_f->f_pu.pu_ma;
	struct pu_thread thread;

	pu_start(&l.l_f->f_pu, &thread, 1, load_and_release, &l);
	/* Relaxed: a flag. */
	while (!atomic_load_explicit(&l.l_stop, memory_order_relaxed)) {
		if (mmu_access(ma, 1, VA, VM_PROT_READ, NULL) != MMU_NOTPRESENT)
			break;
	}
	pu_join(&thread);
	assert_int_equal(
	    mmu_access(ma, 1, VA, VM_PROT_READ, NULL), MMU_NOTPRESENT);
	pmap_activate(l.l_f->f_pmap, 1);
	enter(l.l_f, VA, PROT_RX);
	assert_int_equal(mmu_access(ma, 1, VA, VM_PROT_READ, NULL), MMU_OK);
	assert_int_equal(
	    mmu_access(ma, 0, VA, VM_PROT_READ, NULL), MMU_NOTPRESENT);
	pmap_deactivate(ma, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    touch_tells_what_is_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    touch_sets_accessed_and_modified, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    walk_ends_at_a_superpage, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    walk_loses_and_invents_no_modified_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    an_access_finds_a_pmap_or_none, setup, teardown),
	};

	return (cmocka_run_group_tests_name("mmu", tests, NULL, NULL) != 0);
}
