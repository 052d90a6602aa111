/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_XS_UTIL_H
#define WORKLOAD_XS_UTIL_H

/*
 * What the scenarios share: locks to hold, flags to wait for, pages and pmaps.
 * What cannot fail in a scenario, since it is small, ends the run with xs_fail().
 */

#include <stdatomic.h>

#include "pmap/pmap_var.h"
#include "pmapsim/mmu.h"
#include "pmapsim/vm_phys.h"
#include "vm/vm_object.h"
#include "workload/xs.h"

#define XS_R  VM_PROT_READ
#define XS_W  VM_PROT_WRITE
#define XS_RW (VM_PROT_READ | VM_PROT_WRITE)

/* The first byte of a superpage, far from the ends of directories. */
#define XS_VA (UINT64_C(1) << 30 | UINT64_C(4) << 20)

/*
 * Something that a thread has done and others wait for.  Waiting orders nothing
 * but what the flag itself tells.
 */
typedef _Atomic unsigned xs_flag;

static inline unsigned
xs_flag_get(const xs_flag *flag)
{
	/* Acquire: pairs with xs_flag_set(). */
	return (atomic_load_explicit(flag, memory_order_acquire));
}

static inline void
xs_flag_set(xs_flag *flag, unsigned v)
{
	/* Release: pairs with xs_flag_get(). */
	atomic_store_explicit(flag, v, memory_order_release);
}

/* Yield until it is set. */
void xs_flag_await(struct xs_run *run, const xs_flag *flag);

/* A lock of the design, by itself, and what it guards. */
struct xs_lock {
	_Alignas(CACHE_PAIR_SIZE) unsigned char xl_word[PV_LOCK_WORD_MAX];
	/* Equal while nobody holds the lock: plain, so that races show. */
	_Alignas(CACHE_LINE_SIZE) uint64_t xl_a;
	uint64_t xl_b;
};

struct xs_lock *xs_lock_alloc(struct xs_run *run);
void xs_lock(struct xs_run *run, struct xs_lock *xl);
bool xs_trylock(struct xs_run *run, struct xs_lock *xl);
/* Counts, and looks whether anybody else is in. */
void xs_hold(struct xs_run *run, struct xs_lock *xl);
void xs_unlock(struct xs_run *run, struct xs_lock *xl);
/* Lock, hold and unlock. */
void xs_lock_use(struct xs_run *run, struct xs_lock *xl);
/* It was held so often, as the generation says, too, and is free. */
void
xs_lock_check(struct xs_run *run, const struct xs_lock *xl, uint64_t holds);

/* More than one lock, and what threads tell each other. */
#define XS_NLOCKS 3
struct xs_locks {
	struct xs_lock *ls_lock[XS_NLOCKS];
	xs_flag ls_flag[XS_NLOCKS];
};

/* An xs_setup(): they are the scenario's state. */
void xs_locks_setup(struct xs_run *run);

/* Yield until thread i waits for a lock. */
void xs_await_blocked(struct xs_run *run, unsigned i);

/* Pages are wired, and managed unless said otherwise. */
struct vm_page *xs_pages(struct xs_run *run, int order);
void xs_pages_free(struct xs_run *run, struct vm_page *m, int order);
struct vm_object *
xs_object(struct xs_run *run, vm_pindex_t size, enum vm_object_fill fill);
struct pmap *xs_pmap(struct xs_run *run);
/* It has no mapping. */
void xs_pmap_free(struct pmap *pmap);
/* pmap_enter() of 4 KB that succeeds. */
void xs_enter(struct xs_run *run, struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot, uint32_t flags);
/* The entries of all 512 pages but the last, to be promoted by that one. */
void xs_fill(struct xs_run *run, struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot);
/* 2 MB at once. */
void xs_enter_super(struct xs_run *run, struct pmap *pmap, vm_offset_t va,
    struct vm_page *m, vm_prot_t prot);

/* xs_unfit(): a design without TLBs. */
const char *xs_unfit_tlb(const struct design *d);

#endif /* WORKLOAD_XS_UTIL_H */
