/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * TLBs: what they remember and forget, who is told, PCIDs, frame epochs, and what
 * the checker sees.  Over every kind of TLB, with and without PCIDs, and both
 * kinds of interrupts.
 */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pmap/mmu.h"
#include "pmap_util.h"

#define VA      (GB(1) + MB(4))
#define NCPUS   4
#define PROT_RW (VM_PROT_READ | VM_PROT_WRITE)

static char design[96]; /* under test */

struct fixture {
	struct pu f_pu;
	struct machine *f_ma;
	struct pmap *f_pmap;
	struct pmap *f_other;
	struct vm_page *f_m;
};

static int
setup(void **state)
{
	static struct fixture f;
	struct machine_config mc = { .mc_design = design, .mc_ncpus = NCPUS };

	pu_setup_config(&f.f_pu, NULL, &mc);
	f.f_ma = f.f_pu.pu_ma;
	f.f_pmap = pu_pmap(&f.f_pu);
	f.f_other = pu_pmap(&f.f_pu);
	f.f_m = pu_page(&f.f_pu);
	*state = &f;
	return (0);
}

static void
ignore(void *arg, int inv, const char *text)
{
	unsigned *invs = arg;

	assert_true(strlen(text) > 0);
	if (invs != NULL)
		*invs |= 1u << (inv - 31);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	pmap_remove(f->f_pmap, 0, VM_MAXUSER_ADDRESS);
	pmap_remove(f->f_other, 0, VM_MAXUSER_ADDRESS);
	assert_int_equal(mmu_check(f->f_ma, ignore, NULL), 0);
	for (unsigned c = 0; c < NCPUS; c++)
		pmap_deactivate(f->f_ma, c);
	pu_pmap_free(f->f_pmap);
	pu_pmap_free(f->f_other);
	pu_page_free(&f->f_pu, f->f_m);
	pu_teardown(&f->f_pu);
	return (0);
}

static void
enter(struct fixture *f, vm_offset_t va, vm_prot_t prot, vm_prot_t access)
{
	assert_int_equal(
	    pmap_enter(f->f_pmap, va, f->f_m, prot, access, 0), KERN_SUCCESS);
}

static enum mmu_result
access_on(struct fixture *f, unsigned cpu, vm_offset_t va, vm_prot_t access)
{
	return (mmu_access(f->f_ma, cpu, va, access, NULL));
}

static struct mmu_stats
stats(struct fixture *f)
{
	struct mmu_stats ms;

	mmu_stats(f->f_ma, &ms);
	return (ms);
}

/* Which of the invariants 31 to 33 are broken, as bits. */
static unsigned
broken(struct fixture *f)
{
	unsigned invs = 0;

	(void)mmu_check(f->f_ma, ignore, &invs);
	return (invs);
}

static void
an_access_is_remembered(void **state)
{
	struct fixture *f = *state;
	vm_paddr_t pa;

	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_NOTPRESENT);
	pmap_activate(f->f_pmap, 1);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_NOTPRESENT);
	enter(f, VA, PROT_RW, VM_PROT_READ);
	assert_int_equal(
	    mmu_access(f->f_ma, 1, VA + 5, VM_PROT_READ, &pa), MMU_OK);
	assert_int_equal(pa, VM_PAGE_TO_PHYS(f->f_m) + 5);
	assert_int_equal(stats(f).ms_hits, 0);
	assert_int_equal(access_on(f, 1, VA + 6, VM_PROT_READ), MMU_OK);
	assert_int_equal(stats(f).ms_hits, 1);
	/* Another CPU remembers for itself. */
	pmap_activate(f->f_pmap, 2);
	assert_int_equal(access_on(f, 2, VA, VM_PROT_READ), MMU_OK);
	assert_int_equal(stats(f).ms_hits, 1);
	assert_int_equal(access_on(f, 2, VA, VM_PROT_EXECUTE), MMU_PROTECTION);
}

/* The hazard that all the rest is for. */
static void
what_is_remembered_outlives_the_entry(void **state)
{
	struct fixture *f = *state;
	pt_entry_t was;

	enter(f, VA, PROT_RW, VM_PROT_WRITE);
	pmap_activate(f->f_pmap, 1);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_WRITE), MMU_OK);
	was = pte_load_clear(pu_pte(f->f_pmap, VA));
	assert_int_equal(access_on(f, 1, VA, VM_PROT_WRITE), MMU_OK);
	assert_int_equal(pu_leaf(f->f_pmap, VA), 0);
	assert_int_equal(broken(f), 1);
	pmap_invalidate_page(f->f_pmap, VA);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_NOTPRESENT);
	pte_store(pu_pte(f->f_pmap, VA), was);
}

static void
a_clean_entry_walks_before_it_writes(void **state)
{
	struct fixture *f = *state;

	enter(f, VA, PROT_RW, VM_PROT_READ);
	pmap_activate(f->f_pmap, 1);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_OK);
	assert_int_equal(pu_leaf(f->f_pmap, VA) & PG_M, 0);
	/* Taken without telling anyone, as promotion does. */
	(void)pte_clear_bits(pu_pte(f->f_pmap, VA), PG_RW);
	assert_int_equal(broken(f), 0);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_WRITE), MMU_PROTECTION);
	enter(f, VA, PROT_RW, VM_PROT_READ);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_WRITE), MMU_OK);
	assert_int_not_equal(pu_leaf(f->f_pmap, VA) & PG_M, 0);
	(void)pte_clear_bits(pu_pte(f->f_pmap, VA), PG_RW);
	assert_int_equal(broken(f), 1);
	pmap_invalidate_page(f->f_pmap, VA);
	(void)pte_clear_bits(pu_pte(f->f_pmap, VA), PG_M);
}

/* Takes the right to write away in one of three ways. */
static void
invalidate(struct fixture *f, unsigned how)
{
	if (how == 0)
		pmap_invalidate_page(f->f_pmap, VA);
	else if (how == 1)
		pmap_invalidate_range(f->f_pmap, VA, VA + 2 * PAGE_SIZE);
	else
		pmap_invalidate_all(f->f_pmap);
}

static void
every_cpu_that_runs_the_pmap_is_told(void **state)
{
	struct fixture *f = *state;
	struct mmu_stats before, after;

	for (unsigned how = 0; how < 3; how++) {
		enter(f, VA, PROT_RW, VM_PROT_WRITE);
		for (unsigned c = 0; c < 3; c++) {
			pmap_activate(f->f_pmap, c);
			assert_int_equal(
			    access_on(f, c, VA, VM_PROT_WRITE), MMU_OK);
		}
		pmap_activate(f->f_other, 3);
		(void)pte_load_clear(pu_pte(f->f_pmap, VA));
		before = stats(f);
		invalidate(f, how);
		after = stats(f);
		for (unsigned c = 0; c < 3; c++)
			assert_int_equal(
			    access_on(f, c, VA, VM_PROT_READ), MMU_NOTPRESENT);
		assert_int_equal(after.ms_ipis - before.ms_ipis, 2);
		assert_int_equal(after.ms_acks - before.ms_acks, 2);
		assert_true(after.ms_killed - before.ms_killed >= 3);
		assert_int_equal(after.ms_pages - before.ms_pages, how == 0);
		assert_int_equal(after.ms_ranges - before.ms_ranges, how == 1);
		assert_int_equal(after.ms_alls - before.ms_alls, how == 2);
		/* As it was, for the pmap. */
		pte_store(pu_pte(f->f_pmap, VA),
		    VM_PAGE_TO_PHYS(f->f_m) | PG_V | PG_U | PG_RW | PG_A |
			PG_M | PG_NX | PG_MANAGED);
	}
}

static void
a_long_range_is_all(void **state)
{
	struct fixture *f = *state;

	pmap_invalidate_range(
	    f->f_pmap, VA, VA + PMAP_INVLPG_THRESHOLD - PAGE_SIZE);
	assert_int_equal(stats(f).ms_ranges, 1);
	pmap_invalidate_range(f->f_pmap, VA, VA + PMAP_INVLPG_THRESHOLD);
	assert_int_equal(stats(f).ms_ranges, 1);
	assert_int_equal(stats(f).ms_alls, 1);
}

static void
a_context_outlives_a_switch_with_pcids_only(void **state)
{
	struct fixture *f = *state;
	bool pcid = f->f_ma->ma_mmu->mu_pcid;
	uint64_t hits, saves;

	enter(f, VA, PROT_RW, VM_PROT_READ);
	pmap_activate(f->f_pmap, 1);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_OK);
	pmap_activate(f->f_other, 1);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_NOTPRESENT);
	pmap_activate(f->f_pmap, 1);
	assert_int_equal(stats(f).ms_pcid_saves, pcid);
	hits = stats(f).ms_hits;
	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_OK);
	assert_int_equal(stats(f).ms_hits, hits + pcid);
	/* It is dead when something changed meanwhile. */
	pmap_activate(f->f_other, 1);
	pmap_remove(f->f_pmap, VA, VA + PAGE_SIZE);
	saves = stats(f).ms_pcid_saves;
	pmap_activate(f->f_pmap, 1);
	assert_int_equal(stats(f).ms_pcid_saves, saves);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_NOTPRESENT);
}

/* Also on the CPU of the thread that invalidates. */
static void
a_context_dies_on_ones_own_cpu(void **state)
{
	struct fixture *f = *state;
	unsigned self = curthread()->td_cpu;

	enter(f, VA, PROT_RW, VM_PROT_READ);
	pmap_activate(f->f_pmap, self);
	assert_int_equal(access_on(f, self, VA, VM_PROT_READ), MMU_OK);
	pmap_activate(f->f_other, self);
	pmap_remove(f->f_pmap, VA, VA + PAGE_SIZE);
	pmap_activate(f->f_pmap, self);
	assert_int_equal(access_on(f, self, VA, VM_PROT_READ), MMU_NOTPRESENT);
}

static void
pcids_are_used_again(void **state)
{
	struct fixture *f = *state;
	struct pmap *pm[6];

	f->f_ma->ma_mmu->mu_pcid_limit = 4;
	enter(f, VA, PROT_RW, VM_PROT_READ);
	pmap_activate(f->f_pmap, 1);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_OK);
	for (unsigned i = 0; i < 6; i++) {
		pm[i] = pu_pmap(&f->f_pu);
		pmap_activate(pm[i], 1);
		/* It may have the PCID that f_pmap had. */
		assert_int_equal(
		    access_on(f, 1, VA, VM_PROT_READ), MMU_NOTPRESENT);
		assert_int_equal(broken(f), 0);
	}
	pmap_activate(f->f_pmap, 1);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_OK);
	for (unsigned i = 0; i < 6; i++)
		pu_pmap_free(pm[i]);
}

static void
a_stale_access_to_a_freed_frame_is_a_violation(void **state)
{
	struct fixture *f = *state;
	struct vm_page *m = pu_page(&f->f_pu);
	struct mmu_violation mv;
	pt_entry_t was;

	enter(f, VA, PROT_RW, VM_PROT_READ);
	pmap_activate(f->f_pmap, 1);
	was = pte_swap(pu_pte(f->f_pmap, VA),
	    VM_PAGE_TO_PHYS(m) | PG_V | PG_U | PG_A | PG_NX);
	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_OK);
	assert_int_equal(mmu_violations(f->f_ma, NULL, 0), 0);
	pu_page_free(&f->f_pu, m);
	assert_int_equal(access_on(f, 1, VA + 8, VM_PROT_READ), MMU_OK);
	assert_int_equal(mmu_violations(f->f_ma, &mv, 1), 1);
	assert_int_equal(mv.mv_va, VA + 8);
	assert_int_equal(mv.mv_pa, VM_PAGE_TO_PHYS(m) + 8);
	assert_int_equal(mv.mv_cpu, 1);
	assert_false(mv.mv_table || mv.mv_write);
	assert_int_equal(broken(f), 4); /* the page tables say the same */
	(void)pte_swap(pu_pte(f->f_pmap, VA), was);
	pmap_invalidate_all(f->f_pmap);
	assert_int_equal(broken(f), 4);
	/* Reused and mapped properly it is fine. */
	assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_OK);
	assert_int_equal(mmu_violations(f->f_ma, NULL, 0), 1);
	/* Relaxed: for the teardown. */
	atomic_store_explicit(
	    &f->f_ma->ma_mmu->mu_violations, 0, memory_order_relaxed);
}

static void
the_checker_sees_who_runs_what(void **state)
{
	struct fixture *f = *state;
	struct mmu *mu = f->f_ma->ma_mmu;
	struct pmap_mmu *pm = f->f_pmap->pm_mmu, *om = f->f_other->pm_mmu;

	pmap_activate(f->f_pmap, 1);
	assert_int_equal(broken(f), 0);
	/* Relaxed, all: at rest. */
	atomic_fetch_or_explicit(&pm->pm_active[0], 4, memory_order_relaxed);
	assert_int_equal(broken(f), 2);
	/* Relaxed: as above. */
	atomic_store_explicit(&pm->pm_active[0], 0, memory_order_relaxed);
	assert_int_equal(broken(f), 2);
	/* Relaxed: as above. */
	atomic_store_explicit(&pm->pm_active[0], 2, memory_order_relaxed);
	if (!mu->mu_pcid)
		return;
	/* Plain, in effect: nobody else is here. */
	om->pm_pcids[1] = pm->pm_pcids[1];
	assert_int_equal(broken(f), 2);
	om->pm_pcids[1] = (struct pmap_pcid){ 0 };
}

static void
release(void *arg)
{
	pmap_release(arg);
}

static void
release_of_a_loaded_pmap_panics(void **state)
{
	struct fixture *f = *state;

	if (!INVARIANTS_ENABLED)
		skip();
	pmap_activate(f->f_other, 1);
	assert_true(pu_panics(release, f->f_other));
}

/* Two CPUs that ask each other at once. */
struct asker {
	struct fixture *a_f;
	unsigned a_cpu;
};

static void
ask_on(void *arg)
{
	struct asker *a = arg;

	for (unsigned i = 0; i < 2000; i++) {
		pmap_invalidate_page(a->a_f->f_pmap, VA);
		if (i % 16 == 0)
			mmu_poll(a->a_f->f_ma, a->a_cpu);
	}
}

static void
who_waits_for_answers_gives_them(void **state)
{
	struct fixture *f = *state;
	struct asker a[3];
	struct pu_thread put[3];

	for (unsigned c = 0; c < NCPUS; c++)
		pmap_activate(f->f_pmap, c);
	for (unsigned i = 0; i < 3; i++) {
		a[i] = (struct asker){ f, i };
		pu_start(&f->f_pu, &put[i], i, ask_on, &a[i]);
	}
	for (unsigned i = 0; i < 3; i++)
		pu_join(&put[i]);
	assert_int_equal(stats(f).ms_ipis, 3 * 2000 * (NCPUS - 1));
	assert_int_equal(stats(f).ms_acks, stats(f).ms_ipis);
}

static void
the_adversarial_one_fetches_ahead(void **state)
{
	struct fixture *f = *state;
	bool adversarial = f->f_ma->ma_mmu->mu_adversarial;

	mmu_seed(f->f_ma, 7);
	pmap_activate(f->f_pmap, 1);
	for (unsigned i = 0; i < 512; i++)
		enter(f, VA + i * PAGE_SIZE, VM_PROT_READ, VM_PROT_READ);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(access_on(f, 1, VA, VM_PROT_READ), MMU_OK);
	assert_int_equal(stats(f).ms_prefetches > 0, adversarial);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(
		    access_on(f, 1, VA + i * PAGE_SIZE, VM_PROT_READ), MMU_OK);
	/* It forgot none of them. */
	if (adversarial)
		assert_int_equal(
		    stats(f).ms_walks + stats(f).ms_prefetches, 512);
	assert_int_equal(broken(f), 0);
}

int
main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_access_is_remembered),
		T(what_is_remembered_outlives_the_entry),
		T(a_clean_entry_walks_before_it_writes),
		T(every_cpu_that_runs_the_pmap_is_told),
		T(a_long_range_is_all),
		T(a_context_outlives_a_switch_with_pcids_only),
		T(a_context_dies_on_ones_own_cpu),
		T(pcids_are_used_again),
		T(a_stale_access_to_a_freed_frame_is_a_violation),
		T(the_checker_sees_who_runs_what),
		T(release_of_a_loaded_pmap_panics),
		T(who_waits_for_answers_gives_them),
		T(the_adversarial_one_fetches_ahead),
	};
#undef T
	static const char *const tlbs[] = { "direct", "assoc", "adversarial" };
	int failed = 0;

	for (unsigned i = 0; i < 12; i++) {
		(void)snprintf(design, sizeof(design),
		    "sparse/rwlock+tlb=%s+pcid=%s+ipi=%s", tlbs[i / 4],
		    i % 2 == 0 ? "on" : "off",
		    i / 2 % 2 == 0 ? "sync" : "mailbox");
		failed +=
		    cmocka_run_group_tests_name(design, tests, NULL, NULL);
	}
	return (failed != 0);
}
