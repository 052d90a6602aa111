/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERN_KMEM_IMPL_H
#define KERN_KMEM_IMPL_H

/*
 * What kmem.c and kva.c share, the accounts and the fault injection; and where
 * they have memory from: jemalloc and mmap(2), or, in a virtual machine, a fixed
 * part of the address space.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/kmem.h"

/* Address space of a type, in regions. */
struct kmem_regions {
	uint64_t kg_reserved_bytes;
	uint64_t kg_backed_bytes;
	uint64_t kg_count;
};

/*
 * Begin an allocation: count it for kmem_fail_nth().  Returns false when it is
 * to fail.  Takes and drops the kmem's mutex.
 */
bool kmem_may_allocate(struct kmem *km);

/*
 * Change the account of a type's regions by the differences given; negative
 * ones as two's complement.  Takes and drops the kmem's mutex.
 */
void kmem_charge_region(
    struct kmem *km, enum kmem_type type, const struct kmem_regions *diff);

int kmem_ndomains(const struct kmem *km);

/*
 * An arena is what a machine has its blocks of one domain from, KMEM_ANYDOMAIN or
 * one from 0; what names it is its allocator's business.  Blocks are zero, and
 * aligned to a power of two.  No two calls for one arena at the same time.
 */
int kmem_arena_create(int domain, uintptr_t *arenap);
/* With all that is left in it. */
void kmem_arena_destroy(uintptr_t arena);
void *kmem_arena_alloc(uintptr_t arena, size_t size, size_t align);
void kmem_arena_free(uintptr_t arena, void *p);
bool kmem_arena_owns(uintptr_t arena, void *p);
/* Of a block: what may be used; of an arena: the sum of that, as it sees it. */
size_t kmem_arena_usable(uintptr_t arena, const void *p);
uint64_t kmem_arena_bytes(uintptr_t arena);

/*
 * Address space, zero, lazily committed, without a reservation of swap.  Access is
 * allowed, or else by mprotect(2).  Returns NULL where there is none.
 */
void *kva_host_map(size_t size, bool access);
void kva_host_unmap(void *p, size_t size);

/*
 * The whole host pages, of page bytes each, that a part of a region touches, and
 * those that lie within it, if any does.
 */
struct kva_span {
	size_t ks_off;
	size_t ks_size;
};
struct kva_span kva_span_outer(size_t off, size_t size, size_t page);
struct kva_span kva_span_inner(size_t off, size_t size, size_t page);

#endif /* KERN_KMEM_IMPL_H */
