/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_ARENA_HEAP_H
#define SIM_VIRTUAL_ARENA_HEAP_H

/*
 * Blocks of any size from an extent of the arena, all in one domain.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_heap;

/* Returns 0 or ENOMEM.  domain: -1 or the home of all blocks. */
int arena_heap_create(int domain, struct arena_heap **ahp);
/* With all blocks that are left. */
void arena_heap_destroy(struct arena_heap *ah);

/*
 * size bytes, zero, aligned to a power of two, at least 16.  Freed blocks are used
 * again last first.  NULL: the heap's extent is full.
 */
void *arena_heap_alloc(struct arena_heap *ah, size_t size, size_t align);
void arena_heap_free(struct arena_heap *ah, void *p);

/* Is p a block of the heap, or was one? */
bool arena_heap_owns(const struct arena_heap *ah, const void *p);
/* The bytes of a block that may be used. */
size_t arena_heap_usable(const struct arena_heap *ah, const void *p);
/* The sum of that over all blocks. */
uint64_t arena_heap_allocated(const struct arena_heap *ah);

#endif /* SIM_VIRTUAL_ARENA_HEAP_H */
