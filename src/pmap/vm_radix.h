/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_VM_RADIX_H
#define PMAP_VM_RADIX_H

/*
 * A set of pages by pindex: what a pmap remembers of page tables that are not in
 * use.  All zero is empty.
 *
 * Locks: none; the owner's lock guards it, here the pmap's.
 * Source: FreeBSD main (2024), sys/vm/vm_radix.h.
 * Differs: pindex is below 2^32; see vm_radix.c.
 */

#include "kern/kmem.h"
#include "pmapsim/vm_page.h"

struct vm_radix {
	uintptr_t rt_root; /* 0, a page marked as such, or a node */
};

/* Returns 0; ENOMEM when a node was needed and none could be had. */
int vm_radix_insert(struct vm_radix *rt, struct kmem *km, struct vm_page *m);
/* Both return NULL when there is no page of that index. */
struct vm_page *vm_radix_lookup(const struct vm_radix *rt, vm_pindex_t index);
struct vm_page *
vm_radix_remove(struct vm_radix *rt, struct kmem *km, vm_pindex_t index);

/* Call fn for each page, by ascending index; fn changes nothing. */
void vm_radix_foreach(const struct vm_radix *rt,
    void (*fn)(void *arg, struct vm_page *m), void *arg);

static inline bool
vm_radix_is_empty(const struct vm_radix *rt)
{
	return (rt->rt_root == 0);
}

#endif /* PMAP_VM_RADIX_H */
