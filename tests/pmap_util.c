/* SPDX-License-Identifier: BSD-2-Clause */

#include "pmap_util.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "phys/vm_phys_impl.h"
#include "phys/vm_reserv.h"

const char *const pu_layouts[PU_NLAYOUTS] = { "hashed", "ptrarray", "sparse",
	"segment" };
const char *const pu_locks[PU_NLOCKS] = {
#ifndef PMAPSIM_VIRTUAL
	"pthread_mutex",
#endif
	"rwlock",
	"mtx8",
	"gen2",
	"gen1",
	"none",
};

int
pu_run_designs(const char **designp, const char *const *designs,
    size_t ndesigns, const struct CMUnitTest *tests, size_t n)
{
	int failed = 0;

	for (size_t i = 0; i < ndesigns; i++) {
		*designp = designs[i];
		failed +=
		    _cmocka_run_group_tests(designs[i], tests, n, NULL, NULL);
	}
	return (failed);
}

int
pu_run_all_designs(
    const char **designp, const struct CMUnitTest *tests, size_t n)
{
	char name[64];
	const char *const one[] = { name };
	int failed = 0;

	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		for (unsigned k = 0; k < PU_NLOCKS - 1; k++) {
			(void)snprintf(name, sizeof(name), "%s/%s",
			    pu_layouts[l], pu_locks[k]);
			failed += pu_run_designs(designp, one, 1, tests, n);
		}
	}
	return (failed);
}

struct memmap *
pu_memmap(const char *lines)
{
	struct memmap_error me;
	struct memmap *mm;
	int error;

	error = memmap_parse("test", lines, strlen(lines), &mm, &me);
	if (error != 0)
		print_error("line %u: %s\n", me.me_line, me.me_text);
	assert_int_equal(error, 0);
	return (mm);
}

void
pu_setup_config(struct pu *pu, const char *lines, struct machine_config *mc)
{
	char err[256] = "";
	int error;

	memset(pu, 0, sizeof(*pu));
	pu->pu_map = pu_memmap(lines != NULL ? lines : "0-4000000 usable 0\n");
	mc->mc_map = pu->pu_map;
	error = machine_create(mc, &pu->pu_ma, err, sizeof(err));
	if (error != 0)
		print_error("machine_create: %s\n", err);
	assert_int_equal(error, 0);
	assert_int_equal(machine_thread_attach(pu->pu_ma, 0), 0);
	pu->pu_td = machine_thread_self();
	pu->pu_free = machine_free_pages(pu->pu_ma);
}

void
pu_setup(struct pu *pu, const char *lines, const char *design)
{
	struct machine_config mc = { .mc_design = design, .mc_ncpus = 8 };

	pu_setup_config(pu, lines, &mc);
}

void
pu_teardown(struct pu *pu)
{
	pu_check(pu);
	assert_int_equal(machine_free_pages(pu->pu_ma), pu->pu_free);
	machine_thread_detach(pu->pu_ma);
	assert_int_equal(machine_destroy(pu->pu_ma, stderr), 0);
	memmap_free(pu->pu_map);
}

void
pu_check(struct pu *pu)
{
	assert_int_equal(machine_check(pu->pu_ma, stderr), 0);
}

static void
set_wired(struct vm_page *m, uint32_t n)
{
	/* Relaxed: nobody else knows the page. */
	atomic_store_explicit(&m->ref_count, n, memory_order_relaxed);
}

struct vm_page *
pu_pages(struct pu *pu, int order)
{
	struct vm_page *m;

	m = vm_page_alloc_order(
	    pu->pu_ma->ma_vp, curthread()->td_domain, order, 0);
	assert_non_null(m);
	for (int i = 0; i < 1 << order; i++)
		set_wired(&m[i], 1);
	return (m);
}

struct vm_page *
pu_page(struct pu *pu)
{
	return (pu_pages(pu, 0));
}

struct vm_page *
pu_page_at(struct pu *pu, vm_paddr_t pa)
{
	struct vm_phys *vp = pu->pu_ma->ma_vp;
	struct vm_page *m = PHYS_TO_VM_PAGE(vp, pa);
	struct vm_domain *vmd = vp->vp_domains[vm_phys_domain(vp, pa)];

	/* No function allocates just this page. */
	assert_true(vm_domain_reserve(vmd, VM_ALLOC_INTERRUPT, 1));
	vm_phys_lock(vp, vmd->vmd_domain);
	assert_true(vm_phys_unfree_page(vp, m));
	vm_buddy_hand_out(vp, m, 1);
	vmd->vmd_out++;
	vm_phys_unlock(vp, vmd->vmd_domain);
	m->flags |= PG_USED;
	assert_int_equal(VM_PAGE_TO_PHYS(m), pa);
	set_wired(m, 1);
	return (m);
}

void
pu_pages_free(struct pu *pu, struct vm_page *m, int order)
{
	for (int i = 0; i < 1 << order; i++) {
		m[i].md.pat_mode = 0;
		vm_page_free(pu->pu_ma->ma_vp, &m[i]);
	}
}

struct vm_page *
pu_run(struct pu *pu)
{
	struct vm_page *m = pu_pages(pu, VM_LEVEL_0_ORDER);

	assert_true(
	    vm_reserv_assume(pu->pu_ma->ma_vp, VM_PAGE_TO_PHYS(m), true));
	return (m);
}

void
pu_run_free(struct pu *pu, struct vm_page *m)
{
	(void)vm_reserv_assume(pu->pu_ma->ma_vp, VM_PAGE_TO_PHYS(m), false);
	pu_pages_free(pu, m, VM_LEVEL_0_ORDER);
}

void
pu_page_free(struct pu *pu, struct vm_page *m)
{
	pu_pages_free(pu, m, 0);
}

struct pmap *
pu_pmap(struct pu *pu)
{
	struct pmap *pmap = pmap_alloc(pu->pu_ma);

	assert_non_null(pmap);
	assert_int_equal(pmap_pinit(pmap), KERN_SUCCESS);
	return (pmap);
}

void
pu_pmap_free(struct pmap *pmap)
{
	pmap_release(pmap);
	pmap_free(pmap);
}

/* The walk of the MMU, apart from the pmap layer's own. */
pte_t *
pu_pte(struct pmap *pmap, vm_offset_t va)
{
	const unsigned shifts[] = { 39, 30, 21 };
	pte_t *table = pmap->pm_pml4;
	pt_entry_t e;

	for (unsigned i = 0; i < 3; i++) {
		/* Relaxed: tests look at rest, or as an MMU does. */
		e = atomic_load_explicit(
		    &table[va >> shifts[i] & 511], memory_order_relaxed);
		if ((e & 1) == 0)
			return (NULL);
		/* A superpage: its own entry, where the last table would be. */
		if (shifts[i] == 21 && (e & 0x80) != 0)
			return (&table[va >> 21 & 511]);
		table = (pte_t *)(void *)(pmap->pm_vp->vp_dmap +
		    (e & UINT64_C(0xffffffffff000)));
	}
	return (&table[va >> 12 & 511]);
}

pt_entry_t
pu_leaf(struct pmap *pmap, vm_offset_t va)
{
	pte_t *pte = pu_pte(pmap, va);

	/* Relaxed: as pu_pte(). */
	return (
	    pte != NULL ? atomic_load_explicit(pte, memory_order_relaxed) : 0);
}

bool
pu_mmu(struct pmap *pmap, vm_offset_t va, vm_prot_t access)
{
	pte_t *pte = pu_pte(pmap, va);
	pt_entry_t new, old;

	if (pte == NULL)
		return (false);
	/* Relaxed: the exchange decides. */
	old = atomic_load_explicit(pte, memory_order_relaxed);
	do {
		if ((old & PG_V) == 0 ||
		    ((access & VM_PROT_WRITE) != 0 && (old & PG_RW) == 0) ||
		    ((access & VM_PROT_EXECUTE) != 0 && (old & PG_NX) != 0))
			return (false);
		new = old | PG_A;
		if ((access & VM_PROT_WRITE) != 0)
			new |= PG_M;
		/* Relaxed: hardware orders nothing either. */
	} while (!atomic_compare_exchange_weak_explicit(
	    pte, &old, new, memory_order_relaxed, memory_order_relaxed));
	return (true);
}

bool
pu_dirty(const struct vm_page *m)
{
	/* Relaxed: at rest. */
	return (atomic_load_explicit(&m->dirty, memory_order_relaxed) != 0);
}

void
pu_undirty(struct vm_page *m)
{
	/* Relaxed: at rest. */
	atomic_store_explicit(&m->dirty, 0, memory_order_relaxed);
}

bool
pu_aflag(const struct vm_page *m, uint8_t flag)
{
	return ((vm_page_aflags(m) & flag) != 0);
}

unsigned
pu_nmappings(const struct vm_page *m)
{
	const struct pv_entry *pv;
	unsigned n = 0;

	PV_LIST_FOREACH (pv, &m->md.pv_list)
		n++;
	return (n);
}

uint64_t
pu_counter(struct pu *pu, enum counter c)
{
	return (sim_counter(pu->pu_ma->ma_sim, c));
}

void
pu_hoard(struct pu *pu, struct vm_page **hoard, unsigned n)
{
	struct vm_phys *vp = pu->pu_ma->ma_vp;
	struct vm_page *m;

	while ((m = vm_page_alloc(vp, 0, VM_PAGE_NOOBJ)) != NULL) {
		m->q_next = *hoard;
		*hoard = m;
	}
	for (; n > 0; n--) {
		m = *hoard;
		assert_non_null(m);
		*hoard = m->q_next;
		vm_page_free(vp, m);
	}
}

void
pu_unhoard(struct pu *pu, struct vm_page **hoard)
{
	if (*hoard != NULL)
		vm_page_free_list(pu->pu_ma->ma_vp, *hoard);
	*hoard = NULL;
}

static void
thread_main(void *arg)
{
	struct pu_thread *put = arg;
	struct machine *ma = put->put_pu->pu_ma;

	put->put_error = machine_thread_attach(ma, put->put_cpu);
	if (put->put_error != 0)
		return;
	/* Release: the main thread looks into it. */
	atomic_store_explicit(
	    &put->put_td, machine_thread_self(), memory_order_release);
	put->put_fn(put->put_arg);
	/* Relaxed: nobody waits for this thread any more. */
	atomic_store_explicit(&put->put_td, NULL, memory_order_relaxed);
	machine_thread_detach(ma);
}

void
pu_start(struct pu *pu, struct pu_thread *put, unsigned cpu,
    void (*fn)(void *arg), void *arg)
{
	struct sim *sim = pu->pu_ma->ma_sim;

	memset(put, 0, sizeof(*put));
	put->put_pu = pu;
	put->put_cpu = cpu;
	put->put_fn = fn;
	put->put_arg = arg;
	assert_int_equal(sim->sim_ops->so_thread_create(
			     sim, -1, thread_main, put, &put->put_handle),
	    0);
}

void
pu_join(struct pu_thread *put)
{
	struct sim *sim = put->put_pu->pu_ma->ma_sim;

	assert_int_equal(sim->sim_ops->so_thread_join(sim, put->put_handle), 0);
	assert_int_equal(put->put_error, 0);
}

void
pu_await_blocked(struct pu_thread *put, const void *word)
{
	struct thread *td;

	for (;;) {
		/* Acquire: pairs with the release in thread_main(). */
		td = atomic_load_explicit(&put->put_td, memory_order_acquire);
		/* Relaxed: only the value counts. */
		if (td != NULL &&
		    atomic_load_explicit(
			&td->td_blocked_on, memory_order_relaxed) == word)
			return;
		(void)sched_yield();
	}
}

char pu_panic_text[256];
static jmp_buf panic_jmp;

static void
panic_jump(const char *file, int line, const char *msg)
{
	(void)snprintf(
	    pu_panic_text, sizeof(pu_panic_text), "%s:%d: %s", file, line, msg);
	longjmp(panic_jmp, 1);
}

bool
pu_panics(void (*fn)(void *arg), void *arg)
{
	static panic_handler_fn *saved;

	saved = panic_handler;
	panic_handler = panic_jump;
	if (setjmp(panic_jmp) == 0) {
		fn(arg);
		panic_handler = saved;
		return (false);
	}
	panic_handler = saved;
	return (true);
}
