/* SPDX-License-Identifier: BSD-2-Clause */
#include "workload/xs_space.h"

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

void
xs_page_drop(struct xs_run *run, struct vm_page **mp)
{
	struct vm_page *m = *mp;

	*mp = NULL;
	xs_pages_free(run, m, 0);
}

void
xs_pages_try(struct xs_run *run, int order)
{
	struct vm_page *m = vm_phys_page_alloc(run->xr_machine, 0, order);

	if (m != NULL)
		xs_pages_free(run, m, order);
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
xs_pmap_renew(struct xs_run *run, struct pmap **pmapp)
{
	xs_pmap_free(*pmapp);
	*pmapp = xs_pmap(run);
}

void
xs_pmap_end(struct pmap *pmap)
{
	pmap_remove(pmap, 0, VM_MAXUSER_ADDRESS);
	xs_pmap_free(pmap);
}

void *
xs_spaces_alloc(struct xs_run *run, size_t size)
{
	struct xs_spaces *sp = xs_alloc(run, size);

	sp->sp_p = xs_pmap(run);
	sp->sp_q = xs_pmap(run);
	sp->sp_m = xs_pages(run, 0);
	sp->sp_n = xs_pages(run, 0);
	run->xr_state = sp;
	return (sp);
}

void
xs_spaces_setup(struct xs_run *run)
{
	(void)xs_spaces_alloc(run, sizeof(struct xs_spaces));
}

void
xs_spaces_end(struct xs_run *run)
{
	struct xs_spaces *sp = run->xr_state;

	for (unsigned i = 0; i < run->xr_nthreads; i++)
		pmap_deactivate(run->xr_machine, i);
	xs_pmap_end(sp->sp_p);
	xs_pmap_end(sp->sp_q);
	if (sp->sp_m != NULL)
		xs_pages_free(run, sp->sp_m, 0);
	xs_pages_free(run, sp->sp_n, 0);
	if (sp->sp_run != NULL)
		xs_pages_free(run, sp->sp_run, VM_LEVEL_0_ORDER);
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

void
xs_touch(struct xs_run *run, unsigned cpu, vm_offset_t va, vm_prot_t prot)
{
	(void)mmu_access(run->xr_machine, cpu, va, prot, NULL);
}

void
xs_freeze(struct xs_run *run, struct vm_page *m)
{
	pmap_remove_write(run->xr_machine, m);
	if (pmap_is_modified(run->xr_machine, m))
		xs_fail(run, "a page is modified that nobody may write");
}

void
xs_unmap(struct xs_run *run, struct vm_page *m)
{
	pmap_remove_all(run->xr_machine, m);
	if (pmap_page_is_mapped(run->xr_machine, m))
		xs_fail(run, "a removed page is mapped");
}

bool
xs_is_dirty(struct xs_run *run, struct vm_page *m)
{
	return (pmap_is_modified(run->xr_machine, m) ||
	    /* Relaxed: the pv list lock orders it. */
	    atomic_load_explicit(&m->dirty, memory_order_relaxed) != 0);
}

void
xs_launder(struct xs_run *run, struct vm_page *m)
{
	pmap_clear_modify(run->xr_machine, m);
	/* Relaxed: nobody else looks. */
	atomic_store_explicit(&m->dirty, 0, memory_order_relaxed);
}

const char *
xs_unfit_tlb(const struct design *d)
{
	return (d->d_tlb == PMAP_TLB_NONE ? "it has no TLBs" : NULL);
}
