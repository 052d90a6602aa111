/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks by size class.
 *
 * Classes are multiples of 16 up to 128, then four for each doubling: a block is
 * at most a quarter larger than what was asked for.  Blocks of less than
 * HEAP_LARGE bytes are cut from slabs, one class a slab, one after the other, so
 * that objects of one kind lie side by side as a kernel's do; others lie on their
 * own, on whole pages.  The extent is used upwards.  A block that was freed goes on
 * the list of its class and never becomes one of another.
 *
 * Invariants.
 *   1. ah_class has, for a page of a slab and the first page of a large block, 1 +
 *	the class; 0 for all other pages.
 *   2. Slabs are aligned to their size, so a block's offset in its slab is known
 *	from its address.
 *   3. Of a free block, HEAP_ZAP bytes or larger, all but the link are zero.
 */
#include "sim/virtual/arena_heap.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "kern/kassert.h"
#include "pmapsim/types.h"
#include "sim/virtual/arena.h"

#define HEAP_SIZE  ((size_t)1 << 34)
#define HEAP_SLAB  ((size_t)64 * 1024)
#define HEAP_LARGE ((size_t)16 * 1024)
#define HEAP_ZAP   ((size_t)64 * 1024)
#define HEAP_MIN   16u

/* 8 below 256, then 4 a doubling up to HEAP_SIZE. */
#define NCLASSES 120u
_Static_assert(NCLASSES < UINT8_MAX, "1 + a class is a byte");

struct heap_free {
	struct heap_free *hf_next;
};

struct arena_heap {
	char *ah_base;
	char *ah_top;          /* above all slabs and large blocks */
	uint64_t ah_allocated; /* usable bytes of all blocks */
	struct heap_free *ah_free[NCLASSES];
	struct {
		char *hs_next; /* in the slab that is being cut up */
		char *hs_end;
	} ah_slab[NCLASSES];
	uint8_t ah_class[HEAP_SIZE / PAGE_SIZE];
};

static size_t
class_bytes(unsigned class)
{
	unsigned shift;

	if (class < 8)
		return (HEAP_MIN * (class + 1));
	shift = (class - 8) / 4;
	return ((size_t)(5 + (class - 8) % 4) << (shift + 5));
}

/* The smallest that has room for size. */
static unsigned
class_of(size_t size)
{
	unsigned log2;

	if (size <= 8 * HEAP_MIN)
		return ((unsigned)((size + HEAP_MIN - 1) / HEAP_MIN) - 1);
	/* 2^log2 < size <= 2^(log2 + 1), and log2 is at least 7. */
	log2 = 63 - (unsigned)__builtin_clzll(size - 1);
	return (8 + (log2 - 7) * 4 +
	    (unsigned)((size - 1 - ((size_t)1 << log2)) >> (log2 - 2)));
}

/*
 * A few that were destroyed, zeroed: they are large and mostly never touched, and
 * to have one from the kernel takes longer than to zero what was.
 */
#define SPARES 4
static struct arena_heap *heap_spares[SPARES];

static struct arena_heap *
heap_new(void)
{
	struct arena_heap *ah;

	for (unsigned i = 0; i < SPARES; i++) {
		ah = heap_spares[i];
		if (ah != NULL) {
			heap_spares[i] = NULL;
			return (ah);
		}
	}
	return (calloc(1, sizeof(*ah)));
}

static void
heap_discard(struct arena_heap *ah)
{
	size_t used = (size_t)(ah->ah_top - ah->ah_base);

	for (unsigned i = 0; i < SPARES; i++) {
		if (heap_spares[i] != NULL)
			continue;
		memset(ah->ah_class, 0, (used + PAGE_SIZE - 1) / PAGE_SIZE);
		memset(ah, 0, offsetof(struct arena_heap, ah_class));
		heap_spares[i] = ah;
		return;
	}
	free(ah);
}

int
arena_heap_create(int domain, struct arena_heap **ahp)
{
	struct arena_heap *ah;

	ah = heap_new();
	if (ah == NULL)
		return (ENOMEM);
	ah->ah_base = arena_get(HEAP_SIZE, HEAP_SLAB);
	if (ah->ah_base == NULL) {
		ah->ah_top = NULL;
		heap_discard(ah);
		return (ENOMEM);
	}
	ah->ah_top = ah->ah_base;
	arena_set_home(ah->ah_base, HEAP_SIZE, domain);
	*ahp = ah;
	return (0);
}

void
arena_heap_destroy(struct arena_heap *ah)
{
	arena_put_used(
	    ah->ah_base, HEAP_SIZE, (size_t)(ah->ah_top - ah->ah_base));
	heap_discard(ah);
}

static uint8_t *
heap_class_of(struct arena_heap *ah, const char *p)
{
	return (&ah->ah_class[(size_t)(p - ah->ah_base) / PAGE_SIZE]);
}

/* Memory that was never used.  NULL: there is none. */
static char *
heap_extend(struct arena_heap *ah, size_t size, size_t align)
{
	size_t used = (size_t)(ah->ah_top - ah->ah_base);
	uintptr_t base = (uintptr_t)ah->ah_base;
	size_t start;

	if (align > HEAP_SIZE || size > HEAP_SIZE)
		return (NULL);
	start = ((base + used + align - 1) & ~(align - 1)) - base;
	if (start > HEAP_SIZE || size > HEAP_SIZE - start)
		return (NULL);
	ah->ah_top = ah->ah_base + start + size;
	return (ah->ah_base + start);
}

static void *
heap_alloc_small(struct arena_heap *ah, unsigned class)
{
	size_t size = class_bytes(class);
	struct heap_free *hf = ah->ah_free[class];
	char *p;

	if (hf != NULL) {
		ah->ah_free[class] = hf->hf_next;
		return (memset(hf, 0, size));
	}
	p = ah->ah_slab[class].hs_next;
	if (p == NULL || size > (size_t)(ah->ah_slab[class].hs_end - p)) {
		p = heap_extend(ah, HEAP_SLAB, HEAP_SLAB);
		if (p == NULL)
			return (NULL);
		ah->ah_slab[class].hs_end = p + HEAP_SLAB;
		memset(heap_class_of(ah, p), (int)class + 1,
		    HEAP_SLAB / PAGE_SIZE);
	}
	ah->ah_slab[class].hs_next = p + size;
	return (p);
}

static void *
heap_alloc_large(struct arena_heap *ah, unsigned class, size_t align)
{
	size_t size = class_bytes(class);
	struct heap_free **hfp, *hf;
	char *p;

	for (hfp = &ah->ah_free[class]; (hf = *hfp) != NULL;
	     hfp = &hf->hf_next) {
		if (((uintptr_t)hf & (align - 1)) != 0)
			continue;
		*hfp = hf->hf_next;
		return (memset(hf, 0, size < HEAP_ZAP ? size : sizeof(*hf)));
	}
	p = heap_extend(ah, size, align < PAGE_SIZE ? PAGE_SIZE : align);
	if (p != NULL)
		*heap_class_of(ah, p) = (uint8_t)(class + 1);
	return (p);
}

void *
arena_heap_alloc(struct arena_heap *ah, size_t size, size_t align)
{
	unsigned class;
	void *p;

	KASSERT(size > 0 && (align & (align - 1)) == 0,
	    ("block of %zu bytes, aligned to %zu", size, align));
	if (size > HEAP_SIZE || align > HEAP_SIZE)
		return (NULL);
	if (size < align && align < HEAP_LARGE)
		size = align;
	class = class_of(size);
	if (class_bytes(class) < HEAP_LARGE && align < HEAP_LARGE) {
		/* Blocks of a slab are as aligned as their size is round. */
		while (class_bytes(class) % align != 0)
			class ++;
	} else if (class_bytes(class) < HEAP_LARGE) {
		class = class_of(HEAP_LARGE);
	}
	if (class_bytes(class) < HEAP_LARGE)
		p = heap_alloc_small(ah, class);
	else
		p = heap_alloc_large(ah, class, align);
	if (p != NULL)
		ah->ah_allocated += class_bytes(class);
	return (p);
}

void
arena_heap_free(struct arena_heap *ah, void *p)
{
	struct heap_free *hf = p;
	unsigned class;

	KASSERT(arena_heap_owns(ah, p), ("%p is no block", p));
	class = *heap_class_of(ah, p) - 1u;
	ah->ah_allocated -= class_bytes(class);
	if (class_bytes(class) >= HEAP_ZAP)
		arena_zero(p, class_bytes(class));
	hf->hf_next = ah->ah_free[class];
	ah->ah_free[class] = hf;
}

bool
arena_heap_owns(const struct arena_heap *ah, const void *p)
{
	size_t off = (uintptr_t)p - (uintptr_t)ah->ah_base, size;
	unsigned class;

	if (off >= HEAP_SIZE)
		return (false);
	class = ah->ah_class[off / PAGE_SIZE];
	if (class == 0)
		return (false);
	size = class_bytes(class - 1);
	if (size >= HEAP_LARGE)
		return (off % PAGE_SIZE == 0);
	return (off % HEAP_SLAB % size == 0);
}

size_t
arena_heap_usable(const struct arena_heap *ah, const void *p)
{
	size_t off = (uintptr_t)p - (uintptr_t)ah->ah_base;

	KASSERT(arena_heap_owns(ah, p), ("%p is no block", p));
	return (class_bytes(ah->ah_class[off / PAGE_SIZE] - 1u));
}

uint64_t
arena_heap_allocated(const struct arena_heap *ah)
{
	return (ah->ah_allocated);
}
