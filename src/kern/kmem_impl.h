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

#endif /* KERN_KMEM_IMPL_H */
