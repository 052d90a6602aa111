/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Each fault of pmap/bug.h that concerns delayed invalidation and TLBs, switched
 * on and caught, in a schedule that is directed by the machine's test points and
 * so leaves nothing to luck.  The same schedule finds nothing wrong in a machine
 * without the fault.
 */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "di_util.h"
#include "flag.h"
#include "tlb_scene.h"

static const char *const forms[] = { "tlb=adversarial+di=lockless",
	"tlb=adversarial+di=mutex", "tlb=assoc+ipi=mailbox",
	"tlb=direct+pcid=off" };
#define NFORMS (sizeof(forms) / sizeof(forms[0]))

void
scene_begin(struct scene *s, const char *form, const char *bug)
{
	struct machine_config mc = { .mc_ncpus = 4 };
	char design[128];

	memset(s, 0, sizeof(*s));
	(void)snprintf(design, sizeof(design), "sparse/rwlock+%s%s%s", form,
	    bug != NULL ? "+bug=" : "", bug != NULL ? bug : "");
	mc.mc_design = design;
	pu_setup_config(&s->s_pu, NULL, &mc);
	s->s_ma = s->s_pu.pu_ma;
	s->s_pmap = pu_pmap(&s->s_pu);
	s->s_other = pu_pmap(&s->s_pu);
}

uint64_t
scene_end(struct scene *s)
{
	uint64_t n = mmu_violations(s->s_ma, NULL, 0);

	test_point_set(s->s_ma, NULL, NULL);
	pmap_remove(s->s_pmap, 0, VM_MAXUSER_ADDRESS);
	for (unsigned c = 0; c < 4; c++)
		pmap_deactivate(s->s_ma, c);
	/* What was found is not for the teardown. */
	/* Relaxed: at rest. */
	atomic_store_explicit(
	    &s->s_ma->ma_mmu->mu_violations, 0, memory_order_relaxed);
	pu_pmap_free(s->s_pmap);
	pu_pmap_free(s->s_other);
	pu_teardown(&s->s_pu);
	return (n);
}

void
scene_enter(struct scene *s, vm_offset_t va, struct vm_page *m)
{
	assert_int_equal(
	    pmap_enter(s->s_pmap, va, m, PROT_RW, VM_PROT_WRITE, 0),
	    KERN_SUCCESS);
}

enum mmu_result
scene_read(struct scene *s, vm_offset_t va)
{
	return (mmu_access(s->s_ma, READER, va, VM_PROT_READ, NULL));
}

/*
 * One thread removes the mapping and is stopped before it tells the TLBs; another
 * wants to free the page: it removes all mappings, finds none, waits, frees.
 */
static void
freed_while_removed_point(struct machine *ma, enum test_point tp, void *arg)
{
	struct scene *s = arg;

	(void)ma;
	if (tp == TP_REMOVE_ALL) {
		flag_set(&s->s_looking);
		flag_await(&s->s_unlinked);
	} else if ((tp == TP_REMOVE_UNLOCKED || tp == TP_REMOVE_FLUSH) &&
	    !flag_get(&s->s_unlinked)) {
		flag_set(&s->s_unlinked);
		flag_await(&s->s_go);
	}
}

static void
free_page(void *arg)
{
	struct scene *s = arg;

	pmap_remove_all(s->s_ma, s->s_m);
	pu_page_free(&s->s_pu, s->s_m);
	flag_set(&s->s_freed);
}

static void
remove_page(void *arg)
{
	struct scene *s = arg;

	pmap_remove(s->s_pmap, VA, VA + PAGE_SIZE);
}

/* Is the freer done, or does it wait as it should? */
static void
await_freer(struct scene *s)
{
	const void *word = &s->s_ma->ma_di->di_head;
	struct thread *td;

	while (!flag_get(&s->s_freed)) {
		/* Acquire: pairs with the thread's start. */
		td = atomic_load_explicit(
		    &s->s_freer.put_td, memory_order_acquire);
		/* Relaxed: only the value counts. */
		if (td != NULL &&
		    atomic_load_explicit(
			&td->td_blocked_on, memory_order_relaxed) == word)
			return;
		(void)sched_yield();
	}
}

/* The scene begins: a page that the watched CPU has read. */
static void
watch_page(struct scene *s, const char *form, const char *bug)
{
	scene_begin(s, form, bug);
	s->s_m = pu_page(&s->s_pu);
	scene_enter(s, VA, s->s_m);
	pmap_activate(s->s_pmap, READER);
	assert_int_equal(scene_read(s, VA), MMU_OK);
	test_point_set(s->s_ma, freed_while_removed_point, s);
}

/* And ends: the remover flushes; both threads come to their end. */
static uint64_t
let_remover_go(struct scene *s, struct pu_thread *remover)
{
	/* The hazard: the TLB has it still, as it was not told. */
	assert_int_equal(scene_read(s, VA), MMU_OK);
	flag_set(&s->s_go);
	pu_join(remover);
	pu_join(&s->s_freer);
	assert_int_equal(scene_read(s, VA), MMU_NOTPRESENT);
	return (scene_end(s));
}

static uint64_t
page_freed_while_removed(const char *form, const char *bug)
{
	struct pu_thread remover;
	struct scene s;

	watch_page(&s, form, bug);
	pu_start(&s.s_pu, &s.s_freer, 1, free_page, &s);
	flag_await(&s.s_looking);
	pu_start(&s.s_pu, &remover, 0, remove_page, &s);
	flag_await(&s.s_unlinked);
	await_freer(&s);
	return (let_remover_go(&s, &remover));
}

/*
 * The same, while an older block marks the region last and finishes first: who
 * wants to free the page has to wait for the newer one all the same.
 */
static uint64_t
page_freed_under_two_blocks(const char *form, const char *bug)
{
	struct pu_thread remover;
	struct scene s;

	watch_page(&s, form, bug);
	pmap_delayed_invl_start(s.s_ma);
	pu_start(&s.s_pu, &remover, 0, remove_page, &s);
	flag_await(&s.s_unlinked);
	/* Of another page in the region. */
	di_mark_page(s.s_ma, s.s_m);
	pmap_delayed_invl_finish(s.s_ma);
	pu_start(&s.s_pu, &s.s_freer, 1, free_page, &s);
	await_freer(&s);
	return (let_remover_go(&s, &remover));
}

static void
clean_page(void *arg)
{
	struct scene *s = arg;

	pmap_remove_write(s->s_ma, s->s_m);
	flag_set(&s->s_freed);
}

/*
 * The same with a page that has another mapping and is to become read-only: who
 * has done that and waited must not see it written any more (S2).
 */
static uint64_t
page_cleaned_while_removed(const char *form, const char *bug)
{
	struct pu_thread remover;
	struct scene s;
	uint64_t written = 0;

	scene_begin(&s, form, bug);
	s.s_m = pu_page(&s.s_pu);
	scene_enter(&s, VA, s.s_m);
	/* Of another pmap: the remover holds the lock of its own. */
	assert_int_equal(
	    pmap_enter(s.s_other, VA, s.s_m, PROT_RW, VM_PROT_WRITE, 0),
	    KERN_SUCCESS);
	pmap_activate(s.s_pmap, READER);
	assert_int_equal(
	    mmu_access(s.s_ma, READER, VA, VM_PROT_WRITE, NULL), MMU_OK);
	test_point_set(s.s_ma, freed_while_removed_point, &s);
	pu_start(&s.s_pu, &remover, 0, remove_page, &s);
	flag_await(&s.s_unlinked);
	pu_start(&s.s_pu, &s.s_freer, 1, clean_page, &s);
	await_freer(&s);
	if (flag_get(&s.s_freed) &&
	    mmu_access(s.s_ma, READER, VA, VM_PROT_WRITE, NULL) == MMU_OK)
		written = 1;
	flag_set(&s.s_go);
	pu_join(&remover);
	pu_join(&s.s_freer);
	assert_int_equal(pu_leaf(s.s_other, VA) & PG_RW, 0);
	pmap_remove_all(s.s_ma, s.s_m);
	pu_page_free(&s.s_pu, s.s_m);
	return (written + scene_end(&s));
}

/* A page table that goes with the last mapping is walked from a cache. */
static void
table_freed_point(struct machine *ma, enum test_point tp, void *arg)
{
	struct scene *s = arg;

	(void)ma;
	if (tp == TP_REMOVE_FLUSH)
		assert_int_equal(scene_read(s, VA + PAGE_SIZE), MMU_NOTPRESENT);
}

static uint64_t
table_freed_while_cached(const char *form, const char *bug)
{
	struct scene s;
	struct vm_page *m;
	uint64_t n;

	scene_begin(&s, form, bug);
	m = pu_page(&s.s_pu);
	scene_enter(&s, VA, m);
	pmap_activate(s.s_pmap, READER);
	assert_int_equal(scene_read(&s, VA), MMU_OK);
	test_point_set(s.s_ma, table_freed_point, &s);
	pmap_remove(s.s_pmap, VA, VA + PAGE_SIZE);
	test_point_set(s.s_ma, NULL, NULL);
	n = mmu_violations(s.s_ma, NULL, 0);
	pu_page_free(&s.s_pu, m);
	(void)scene_end(&s);
	return (n);
}

/* A CPU loads the pmap between the two halves of an invalidation. */
static void
loaded_point(struct machine *ma, enum test_point tp, void *arg)
{
	struct scene *s = arg;

	(void)ma;
	if (tp == TP_INVL_SENT)
		pmap_activate(s->s_pmap, READER);
}

static uint64_t
loaded_while_told(const char *form, const char *bug)
{
	struct scene s;

	scene_begin(&s, form, bug);
	s.s_m = pu_page(&s.s_pu);
	scene_enter(&s, VA, s.s_m);
	pmap_activate(s.s_pmap, READER);
	assert_int_equal(scene_read(&s, VA), MMU_OK);
	pmap_activate(s.s_other, READER);
	test_point_set(s.s_ma, loaded_point, &s);
	remove_page(&s);
	test_point_set(s.s_ma, NULL, NULL);
	free_page(&s);
	(void)scene_read(&s, VA);
	return (scene_end(&s));
}

static const struct {
	const char *bug;
	uint64_t (*schedule)(const char *form, const char *bug);
	bool pcid; /* only there */
} bugs[] = {
	{ "di_unmarked", page_freed_while_removed, false },
	{ "di_late", page_freed_while_removed, false },
	{ "di_collision", page_freed_under_two_blocks, false },
	{ "di_early_finish", page_freed_while_removed, false },
	{ "di_unmarked", page_cleaned_while_removed, false },
	{ "di_early_finish", page_cleaned_while_removed, false },
	{ "di_early_wait", page_freed_while_removed, false },
	{ "di_early_free", table_freed_while_cached, false },
	{ "b5", loaded_while_told, true },
	{ "b6", promoted_superpage_flushed, false },
	{ "e383", sizes_meet, false },
	{ "e383", large_entry_stays, false },
};
#define NTESTED (sizeof(bugs) / sizeof(bugs[0]))

static void
every_fault_is_caught(void **state)
{
	uint64_t n;

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	for (unsigned i = 0; i < NTESTED; i++) {
		for (unsigned k = 0; k < NFORMS; k++) {
			if (bugs[i].pcid && strstr(forms[k], "pcid=off"))
				continue;
			n = bugs[i].schedule(forms[k], bugs[i].bug);
			if (n == 0)
				fail_msg("%s, %s: not caught", bugs[i].bug,
				    forms[k]);
		}
	}
}

static void
nothing_is_found_without_a_fault(void **state)
{
	uint64_t n;

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip(); /* no test points */
	for (unsigned i = 0; i < NTESTED; i++) {
		for (unsigned k = 0; k < NFORMS; k++) {
			n = bugs[i].schedule(forms[k], NULL);
			if (n != 0)
				fail_msg("schedule of %s, %s: %ju violations",
				    bugs[i].bug, forms[k], (uintmax_t)n);
		}
	}
}

static void
names_of_faults_are_known(void **state)
{
	(void)state;
	for (unsigned b = 0; b < NBUGS; b++) {
		assert_int_equal(bug_lookup(bug_name((enum bug)b)), b);
		assert_true(strlen(bug_text((enum bug)b)) > 0);
	}
	assert_int_equal(bug_lookup("none"), NBUGS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_faults_are_known),
		cmocka_unit_test(nothing_is_found_without_a_fault),
		cmocka_unit_test(every_fault_is_caught),
	};

	return (cmocka_run_group_tests_name("bugs", tests, NULL, NULL) != 0);
}
