/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_VM_PHYS_H
#define PMAPSIM_VM_PHYS_H

/*
 * Physical memory of a machine, for programs that drive a pmap: pages to map,
 * and where they lie.  Addresses are bytes.  All functions may be called by any
 * thread at any time; those that allocate or free want an attached caller.
 */

#include "pmapsim/machine.h"
#include "pmapsim/vm_page.h"

/* Largest order of a run of pages: 16 MB. */
#define VM_PHYS_ORDER_MAX (VM_NFREEORDER - 1)

/*
 * Allocate 1 << order pages in a row, aligned to their size, to be mapped.
 *
 *	domain	where, 0 to machine_ndomains() - 1; -1: where the caller runs.
 *		Other domains are tried when there is no such run.
 *	order	0 to VM_PHYS_ORDER_MAX; 9 is a superpage: from there on the pages
 *		are runs that 2 MB mappings can be made of, by pmap_enter() with
 *		psind 1 or by promotion, until a page of theirs is freed
 *
 * Returns the first page's descriptor, those of the others follow it; or NULL
 * when there is no such run of free pages, no such domain or order; nothing has
 * changed then.  The pages are managed, wired and hold zeroes or whatever their
 * last user left.
 * Locks: the domain's "vm page free queue", or none where the thread's page
 * cache has one.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, vm_page_alloc_noobj().
 * Differs: the pages are managed though no object owns them.
 */
struct vm_page *vm_phys_page_alloc(struct machine *m, int domain, int order);

/*
 * Give 1 << order pages in a row back, allocated together or not.  None of them
 * is mapped, and nobody else has one.
 * Locks: the domain's "vm page free queue", or none where the thread's page
 * cache has room.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, vm_page_free().
 */
void vm_phys_page_free(struct machine *m, struct vm_page *page, int order);

/*
 * The descriptor of the page at pa, or NULL where there is none: outside of
 * what the map calls usable memory.  The fields of a page that was never
 * allocated, phys_addr among them, may be all zero.  pa is any address; takes
 * no lock.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, PHYS_TO_VM_PAGE().
 * Differs: FreeBSD's has fictitious pages, too.
 */
struct vm_page *vm_phys_paddr_to_vm_page(struct machine *m, vm_paddr_t pa);

/*
 * Where the byte at physical address pa, within some segment, lies in this
 * process: the direct map.  Takes no lock.
 * Source: FreeBSD main (2024), sys/amd64/include/vmparam.h, PHYS_TO_DMAP().
 */
void *vm_phys_dmap(struct machine *m, vm_paddr_t pa);

/* A segment: a maximal run of memory of one domain and one free list. */
struct vm_phys_segment {
	vm_paddr_t vps_start; /* page aligned */
	vm_paddr_t vps_end;   /* exclusive, page aligned */
	int vps_domain;
};

/*
 * Fill in up to max segments, ascending.  Returns how many the machine has, at
 * most VM_PHYSSEG_MAX.  Takes no lock: segments are constant.
 * Differs: FreeBSD shows them as sysctl vm.phys_segs.
 */
int vm_phys_segments(struct machine *m, struct vm_phys_segment *segs, int max);

#endif /* PMAPSIM_VM_PHYS_H */
