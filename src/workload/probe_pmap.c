/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probes of the pmap: pages are entered one by one, and removed by range.
 */

#include <errno.h>

#include "pmapsim/vm_phys.h"
#include "workload/probe_var.h"

#define PROBE_VA (UINT64_C(1) << 33)

void
probe_enter(struct probe_thread *pt, unsigned sample)
{
	struct probe *p = pt->pt_probe;
	struct vm_page **pages =
	    p->p_config->pc_kind == PROBE_SHARE ? p->p_shared : pt->pt_pages;
	uint64_t begin = probe_clock(p), n = 0;
	unsigned npages = p->p_config->pc_pages;

	while (n < p->p_config->pc_ops && !probe_done(p, sample)) {
		for (unsigned i = 0; i < npages; i++) {
			if (pmap_enter(pt->pt_pmap,
				PROBE_VA + (vm_offset_t)i * PAGE_SIZE, pages[i],
				VM_PROT_READ, VM_PROT_READ,
				0) != KERN_SUCCESS) {
				pt->pt_error = ENOMEM;
				pt->pt_ns = 0;
				return;
			}
		}
		pmap_remove(pt->pt_pmap, PROBE_VA,
		    PROBE_VA + (vm_offset_t)npages * PAGE_SIZE);
		n += npages;
	}
	pt->pt_ns = probe_clock(p) - begin;
	pt->pt_ops = n;
}

/*
 * A fault holds the map shared, an unmap holds it exclusively, as in FreeBSD's
 * vm_fault() and vm_map_remove().  What they look up there is left out.
 */
void
probe_fault(struct probe_thread *pt, unsigned sample)
{
	struct probe *p = pt->pt_probe;
	struct sim *sim = p->p_machine->ma_sim;
	bool one = p->p_config->pc_kind == PROBE_THREADS;
	struct pmap *pmap = one ? p->p_threads[0].pt_pmap : pt->pt_pmap;
	struct sx *map = one ? &p->p_map : &pt->pt_map;
	/* Page tables of its own, whichever it is. */
	vm_offset_t va = PROBE_VA + ((vm_offset_t)pt->pt_index << PDPSHIFT);
	uint64_t begin = probe_clock(p), n = 0;
	unsigned npages = p->p_config->pc_pages;

	while (n < p->p_config->pc_ops && !probe_done(p, sample)) {
		for (unsigned i = 0; i < npages; i++) {
			sim_charge(sim, SIM_FAULT, 1);
			sx_slock(map);
			sim_charge(sim, SIM_PAGE_CLEAR, 1);
			if (pmap_enter(pmap, va + (vm_offset_t)i * PAGE_SIZE,
				pt->pt_pages[i], VM_PROT_READ, VM_PROT_READ,
				0) != KERN_SUCCESS)
				pt->pt_error = ENOMEM;
			sx_sunlock(map);
		}
		sim_charge(sim, SIM_SYSCALL, 1);
		sx_xlock(map);
		pmap_remove(pmap, va, va + (vm_offset_t)npages * PAGE_SIZE);
		sx_xunlock(map);
		n += npages;
	}
	pt->pt_ns = probe_clock(p) - begin;
	pt->pt_ops = n;
}

static int
make_pmap(struct probe_thread *pt)
{
	struct machine *m = pt->pt_probe->p_machine;

	pt->pt_pmap = pmap_alloc(m);
	if (pt->pt_pmap == NULL)
		return (ENOMEM);
	if (pmap_pinit(pt->pt_pmap) == KERN_SUCCESS)
		return (0);
	pmap_free(pt->pt_pmap);
	pt->pt_pmap = NULL;
	return (ENOMEM);
}

int
probe_enter_start(struct probe_thread *pt)
{
	struct probe *p = pt->pt_probe;
	struct machine *m = p->p_machine;
	enum probe_kind kind = p->p_config->pc_kind;
	int error;

	if (kind != PROBE_THREADS || pt->pt_index == 0) {
		error = make_pmap(pt);
		if (error != 0)
			return (error);
	}
	if (kind == PROBE_SHARE && pt->pt_index != 0)
		return (0);
	pt->pt_pages = kmem_alloc(m->ma_kmem,
	    p->p_config->pc_pages * sizeof(pt->pt_pages[0]), CACHE_PAIR_SIZE,
	    M_WORKLOAD, KMEM_ANYDOMAIN);
	if (pt->pt_pages == NULL)
		return (ENOMEM);
	while (pt->pt_npages < p->p_config->pc_pages) {
		struct vm_page *page =
		    vm_phys_page_alloc(m, curthread()->td_domain, 0);

		if (page == NULL)
			return (ENOMEM);
		pt->pt_pages[pt->pt_npages++] = page;
	}
	if (pt->pt_index == 0)
		p->p_shared = pt->pt_pages;
	return (0);
}

void
probe_enter_finish(struct probe_thread *pt)
{
	struct probe *p = pt->pt_probe;
	struct machine *m = p->p_machine;

	if (pt->pt_pmap != NULL) {
		pmap_remove_pages(pt->pt_pmap);
		pmap_release(pt->pt_pmap);
		pmap_free(pt->pt_pmap);
		pt->pt_pmap = NULL;
	}
	if (pt->pt_pages == NULL)
		return;
	while (pt->pt_npages > 0)
		vm_phys_page_free(m, pt->pt_pages[--pt->pt_npages], 0);
	kmem_free(m->ma_kmem, pt->pt_pages,
	    p->p_config->pc_pages * sizeof(pt->pt_pages[0]), M_WORKLOAD,
	    KMEM_ANYDOMAIN);
	pt->pt_pages = NULL;
}
