/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_ARENA_H
#define SIM_VIRTUAL_ARENA_H

/*
 * All memory of the model, at the same addresses in each run.
 *
 * One reservation of address space has the arena, 16 TB, and after it the shadow:
 * ARENA_SHADOW_BYTES for each cache line of the arena, found by arithmetic.  Both
 * are zero until they are written and cost what is touched.  The model keeps its
 * state of a line in the shadow; zero is the state of a line that nobody has
 * touched.
 *
 * The reservation stays while the process lives; arena_begin() empties it.
 * Memory is handed out in extents (kern/kva.c: regions, simulated physical memory)
 * and, within extents, in blocks (arena_heap.h: what is kern/kmem.c's).  Which
 * comes where depends on nothing but the order of the calls.
 *
 * What lies outside, stacks and constants and what malloc() gave, has no shadow.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_LINE_SHIFT   6
#define ARENA_LINE         ((size_t)1 << ARENA_LINE_SHIFT)
#define ARENA_SHADOW_SHIFT 5
#define ARENA_SHADOW_BYTES ((size_t)1 << ARENA_SHADOW_SHIFT)
#define ARENA_SIZE         (UINT64_C(1) << 44)

/* Constant after the first arena_begin(); before it, no address is in it. */
extern uintptr_t arena_base;
extern uintptr_t arena_shadow_base;

/*
 * Make the arena empty, and it and its shadow zero; the first time, reserve them.
 * Says so on standard error where they could not be had at their usual place, and
 * what is printed of addresses then differs from other runs'.  Returns 0 or ENOMEM.
 */
int arena_begin(void);

static inline bool
arena_has(const void *p)
{
	return ((uintptr_t)p - arena_base < ARENA_SIZE);
}

/* Number of the line of p, which is in the arena: the same in each run. */
static inline uint64_t
arena_line(const void *p)
{
	return (((uintptr_t)p - arena_base) >> ARENA_LINE_SHIFT);
}

static inline void *
arena_line_addr(uint64_t line)
{
	return ((void *)(arena_base + (line << ARENA_LINE_SHIFT)));
}

static inline void *
arena_shadow(uint64_t line)
{
	return ((void *)(arena_shadow_base + (line << ARENA_SHADOW_SHIFT)));
}

static inline uint64_t
arena_shadow_line(const void *shadow)
{
	return (((uintptr_t)shadow - arena_shadow_base) >> ARENA_SHADOW_SHIFT);
}

/*
 * Whole host pages, zero and with a zero shadow, aligned to a power of two (0: a page).
 * Returns NULL where nothing is left.  arena_put() takes back what was got, all of
 * it, and forgets the homes of it.
 */
void *arena_get(size_t size, size_t align);
void arena_put(void *p, size_t size);
/* The same where nobody has touched or protected more than the first used bytes. */
void arena_put_used(void *p, size_t size, size_t used);

/* Make a part of what was got zero, and give its memory back. */
void arena_zero(void *p, size_t size);

/*
 * The domain in which [base, base + size) lies, -1: none.  Bounds are rounded to
 * lines.  Homes are to be set before a line is first touched: nobody is told.
 */
void arena_set_home(const void *base, size_t size, int domain);
int arena_home(const void *p);

#endif /* SIM_VIRTUAL_ARENA_H */
