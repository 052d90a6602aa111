/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_XS_SPACE_H
#define WORKLOAD_XS_SPACE_H

/*
 * What the scenarios of pmaps share: pages, address spaces, and what is done to
 * them.  What cannot fail in a scenario, since it is small, ends the run.
 */

#include "pmap/pmap_var.h"
#include "pmapsim/mmu.h"
#include "pmapsim/vm_phys.h"
#include "vm/vm_object.h"
#include "workload/xs_util.h"

#define XS_R  VM_PROT_READ
#define XS_W  VM_PROT_WRITE
#define XS_RW (VM_PROT_READ | VM_PROT_WRITE)

/* The first byte of a superpage, far from the ends of directories. */
#define XS_VA (UINT64_C(1) << 30 | UINT64_C(4) << 20)

/* An xk_map: room for superpages. */
#define XS_MAP_8MB "0-800000 usable 0\n"

/* Pages are wired, and managed unless said otherwise. */
struct vm_page *xs_pages(struct xs_run *run, int order);
void xs_pages_free(struct xs_run *run, struct vm_page *m, int order);
/* Free one page; no pointer is left. */
void xs_page_drop(struct xs_run *run, struct vm_page **mp);
/* Free a run of pages at once, if there is one. */
void xs_pages_try(struct xs_run *run, int order);
struct vm_object *
xs_object(struct xs_run *run, vm_pindex_t size, enum vm_object_fill fill);

struct pmap *xs_pmap(struct xs_run *run);
/* It has no mapping. */
void xs_pmap_free(struct pmap *pmap);
/* Without mappings it ends, and a new one, most likely, has its structure. */
void xs_pmap_renew(struct xs_run *run, struct pmap **pmapp);
/* With all that it maps. */
void xs_pmap_end(struct pmap *pmap);

/*
 * Two address spaces, and pages to map in them: the state of a scenario, or what
 * its state begins with.
 */
struct xs_spaces {
	struct pmap *sp_p;
	struct pmap *sp_q;
	/* NULL: freed. */
	struct vm_page *sp_m;
	struct vm_page *sp_n;
	struct vm_page *sp_run; /* 2 MB; NULL: none */
	xs_flag sp_flag;        /* what threads tell each other */
};

/* For a set-up: the state, of size bytes, with nothing mapped, and no run. */
void *xs_spaces_alloc(struct xs_run *run, size_t size);
/* An xk_setup(): there is no more than that. */
void xs_spaces_setup(struct xs_run *run);
/* An xk_teardown(): the spaces end, on whatever CPUs, and the pages are freed. */
void xs_spaces_end(struct xs_run *run);

/* pmap_enter() of 4 KB that succeeds. */
void xs_enter(struct xs_run *run, struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot, uint32_t flags);
/* The entries of all 512 pages but the last, to be promoted by that one. */
void xs_fill(struct xs_run *run, struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot);
/* 2 MB at once. */
void xs_enter_super(struct xs_run *run, struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot);
/* The CPU reads or writes, or faults. */
void xs_touch(struct xs_run *run, unsigned cpu, vm_offset_t va, vm_prot_t prot);

/* Of a page that nobody maps meanwhile: no mapping may write, or none is left. */
void xs_freeze(struct xs_run *run, struct vm_page *m);
void xs_unmap(struct xs_run *run, struct vm_page *m);
/* Asks in the page daemon's order. */
bool xs_is_dirty(struct xs_run *run, struct vm_page *m);
/* For a set-up: as if it had just been written out. */
void xs_launder(struct xs_run *run, struct vm_page *m);

/* An xk_unfit(): a design without TLBs. */
const char *xs_unfit_tlb(const struct design *d);

#endif /* WORKLOAD_XS_SPACE_H */
