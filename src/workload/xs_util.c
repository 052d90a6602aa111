/* SPDX-License-Identifier: BSD-2-Clause */
#include "workload/xs_util.h"

#include "lock/lock.h"

void
xs_flag_await(struct xs_run *run, const xs_flag *flag)
{
	while (xs_flag_get(flag) == 0)
		run->xr_sim->sim_ops->so_yield(run->xr_sim);
}

struct xs_lock *
xs_lock_alloc(struct xs_run *run)
{
	struct xs_lock *xl = xs_alloc(run, sizeof(*xl));

	if (run->xr_lock->plo_init != NULL &&
	    run->xr_lock->plo_init(xl->xl_word) != 0)
		xs_fail(run, "the lock cannot be made");
	return (xl);
}

void
xs_lock(struct xs_run *run, struct xs_lock *xl)
{
	run->xr_lock->plo_lock(xl->xl_word);
}

bool
xs_trylock(struct xs_run *run, struct xs_lock *xl)
{
	return (run->xr_lock->plo_trylock(xl->xl_word));
}

void
xs_hold(struct xs_run *run, struct xs_lock *xl)
{
	xl->xl_a++;
	if (xl->xl_a != xl->xl_b + 1)
		xs_fail(run, "two threads hold the lock");
	xl->xl_b++;
}

void
xs_unlock(struct xs_run *run, struct xs_lock *xl)
{
	run->xr_lock->plo_unlock(xl->xl_word, true);
}

void
xs_lock_use(struct xs_run *run, struct xs_lock *xl)
{
	xs_lock(run, xl);
	xs_hold(run, xl);
	xs_unlock(run, xl);
}

void
xs_lock_check(struct xs_run *run, const struct xs_lock *xl, uint64_t holds)
{
	const struct pv_lock_ops *ops = run->xr_lock;
	const _Atomic uint32_t *word = (const void *)xl->xl_word;
	uint32_t v;

	if (xl->xl_a != holds || xl->xl_b != holds)
		xs_fail(run, "held %ju times, counted %ju and %ju",
		    (uintmax_t)holds, (uintmax_t)xl->xl_a, (uintmax_t)xl->xl_b);
	if (ops->plo_gen_bits == 0)
		return;
	/* Relaxed: at rest. */
	v = atomic_load_explicit(word, memory_order_relaxed);
	if (v != (uint32_t)holds << ops->plo_gen_bits)
		xs_fail(run, "word %#x after %ju changes", v, (uintmax_t)holds);
}

void
xs_locks_setup(struct xs_run *run)
{
	struct xs_locks *ls = xs_alloc(run, sizeof(*ls));

	for (unsigned i = 0; i < XS_NLOCKS; i++)
		ls->ls_lock[i] = xs_lock_alloc(run);
	run->xr_state = ls;
}

void
xs_await_blocked(struct xs_run *run, unsigned i)
{
	/* Relaxed: only the value counts. */
	while (atomic_load_explicit(
		   &run->xr_td[i]->td_blocked_on, memory_order_relaxed) == NULL)
		run->xr_sim->sim_ops->so_yield(run->xr_sim);
}

struct vm_page *
xs_pages(struct xs_run *run, int order)
{
	struct vm_page *m = vm_phys_page_alloc(run->xr_machine, 0, order);

	if (m == NULL)
		panic("%s: out of pages", run->xr_scenario->xs_name);
	return (m);
}

void
xs_pages_free(struct xs_run *run, struct vm_page *m, int order)
{
	vm_phys_page_free(run->xr_machine, m, order);
}

struct vm_object *
xs_object(struct xs_run *run, vm_pindex_t size, enum vm_object_fill fill)
{
	struct vm_object *object;

	if (vm_object_create(run->xr_machine, size, 0, fill, &object) != 0)
		panic("%s: no object", run->xr_scenario->xs_name);
	return (object);
}

struct pmap *
xs_pmap(struct xs_run *run)
{
	struct pmap *pmap = pmap_alloc(run->xr_machine);

	if (pmap == NULL || pmap_pinit(pmap) != KERN_SUCCESS)
		panic("%s: no pmap", run->xr_scenario->xs_name);
	return (pmap);
}

void
xs_pmap_free(struct pmap *pmap)
{
	pmap_release(pmap);
	pmap_free(pmap);
}

void
xs_enter(struct xs_run *run, struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot, uint32_t flags)
{
	enum kern_return rv = pmap_enter(pmap, va, m, prot, flags, 0);

	if (rv != KERN_SUCCESS)
		xs_fail(run, "pmap_enter() of va %#jx: %d", (uintmax_t)va, rv);
}

void
xs_fill(struct xs_run *run, struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot)
{
	for (unsigned i = 0; i < NPTEPG - 1; i++)
		xs_enter(run, pmap, va + i * PAGE_SIZE, &m[i], prot, prot);
}

void
xs_enter_super(struct xs_run *run, struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot)
{
	enum kern_return rv = pmap_enter(pmap, va, m, prot, prot, 1);

	if (rv != KERN_SUCCESS)
		xs_fail(run, "2 MB at va %#jx: %d", (uintmax_t)va, rv);
}

const char *
xs_unfit_tlb(const struct design *d)
{
	return (d->d_tlb == PMAP_TLB_NONE ? "it has no TLBs" : NULL);
}
