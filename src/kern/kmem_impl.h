/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERN_KMEM_IMPL_H
#define KERN_KMEM_IMPL_H

/*
 * What kmem.c and kva.c share: the accounts and the fault injection.
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
