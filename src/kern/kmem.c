/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocation from arenas of our own, with exact accounts.
 *
 * Why arenas.  A machine is torn down by destroying them, whatever is left in
 * them; and what the allocator itself says is allocated there can be compared
 * with what we believe, to the byte.
 *
 * The idea.  Where memory comes from is behind a few calls (kmem_impl.h).  Under
 * the kmem's mutex a call is counted for fault injection, made, and charged.
 *
 * Invariants.
 *   1. The usable bytes charged to a domain are the bytes that the allocator says
 *	are allocated in the domain's arena.
 *   2. The allocator is entered for a kmem only with the kmem's mutex held.  For
 *	the accounts it would do to hold it before or after; but a block that is
 *	freed by one thread and allocated by another is then handed over in
 *	an order that ThreadSanitizer, which may not see into it, knows.
 *
 * Lock order.  The mutex is a leaf.
 */
#include "kern/kmem.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "kern/kassert.h"
#include "kern/kmem_impl.h"
#include "pmapsim/types.h"

#define KMEM_NARENAS (MAXMEMDOM + 1)

#define KMEM_MIN_ALIGN 16

/*
 * Locking key.
 *	k - km_lock
 *	c - constant
 *	a - atomic; written with km_lock held
 */
struct kmem {
	pthread_mutex_t km_lock;
	int km_narenas;                   /* (c) 1 + domains */
	uintptr_t km_arena[KMEM_NARENAS]; /* (c) by slot */
	struct kmem_stats km_blocks[KMEM_NTYPES][KMEM_NARENAS]; /* (k) */
	struct kmem_regions km_regions[KMEM_NTYPES];            /* (k) */
	uint64_t km_fail_in;   /* (k) allocations until one fails; 0: off */
	_Atomic bool km_fired; /* (a) */
};

static const char *const kmem_type_names[KMEM_NTYPES] = {
	[M_MACHINE] = "machine",
	[M_PVHEADER] = "pvheader",
	[M_PMAP] = "pmap",
	[M_THREAD] = "thread",
	[M_LOCK] = "lock",
	[M_PHYS] = "phys",
	[M_OBJECT] = "object",
	[M_WORKLOAD] = "workload",
};

static void
kmem_lock(struct kmem *km)
{
	int error;

	error = pthread_mutex_lock(&km->km_lock);
	KASSERT(error == 0, ("kmem %p: lock: error %d", (void *)km, error));
	(void)error;
}

static void
kmem_unlock(struct kmem *km)
{
	int error;

	error = pthread_mutex_unlock(&km->km_lock);
	KASSERT(error == 0, ("kmem %p: unlock: error %d", (void *)km, error));
	(void)error;
}

/* Where a domain's arena and accounts stand in the arrays. */
static size_t
kmem_slot(const struct kmem *km, int domain)
{
	KASSERT(domain >= KMEM_ANYDOMAIN && domain + 1 < km->km_narenas,
	    ("kmem %p has no domain %d", (const void *)km, domain));
	return ((size_t)(domain + 1));
}

int
kmem_ndomains(const struct kmem *km)
{
	return (km->km_narenas - 1);
}

/* Destroys a half-built kmem too. */
static void
kmem_discard(struct kmem *km)
{
	while (km->km_narenas > 0)
		kmem_arena_destroy(km->km_arena[--km->km_narenas]);
	(void)pthread_mutex_destroy(&km->km_lock);
	free(km);
}

int
kmem_create(int ndomains, struct kmem **kmp)
{
	struct kmem *km;
	int error;

	KASSERT(ndomains >= 0 && ndomains <= MAXMEMDOM,
	    ("%d memory domains", ndomains));
	km = calloc(1, sizeof(*km));
	if (km == NULL)
		return (ENOMEM);
	error = pthread_mutex_init(&km->km_lock, NULL);
	if (error != 0) {
		free(km);
		return (error);
	}
	while (km->km_narenas < ndomains + 1) {
		error = kmem_arena_create(
		    km->km_narenas - 1, &km->km_arena[km->km_narenas]);
		if (error != 0) {
			kmem_discard(km);
			return (error);
		}
		km->km_narenas++;
	}
	*kmp = km;
	return (0);
}

uint64_t
kmem_destroy(struct kmem *km, FILE *out)
{
	uint64_t all = 0, blocks, bytes;

	if (km == NULL)
		return (0);
	for (int t = 0; t < KMEM_NTYPES; t++) {
		bytes = km->km_regions[t].kg_reserved_bytes;
		blocks = km->km_regions[t].kg_count;
		for (int i = 0; i < km->km_narenas; i++) {
			bytes += km->km_blocks[t][i].ks_requested_bytes;
			blocks += km->km_blocks[t][i].ks_blocks;
		}
		if (blocks != 0 && out != NULL)
			(void)fprintf(out,
			    "%s: %" PRIu64 " bytes in %" PRIu64 " blocks\n",
			    kmem_type_names[t], bytes, blocks);
		all += bytes;
	}
	kmem_discard(km);
	return (all);
}

/* Count an allocation; false when it is the one to fail.  (k) */
static bool
kmem_count_allocation(struct kmem *km)
{
	if (km->km_fail_in == 0 || --km->km_fail_in > 0)
		return (true);
	/* Relaxed: a flag that publishes nothing. */
	atomic_store_explicit(&km->km_fired, true, memory_order_relaxed);
	return (false);
}

bool
kmem_may_allocate(struct kmem *km)
{
	bool allowed;

	kmem_lock(km);
	allowed = kmem_count_allocation(km);
	kmem_unlock(km);
	return (allowed);
}

void
kmem_charge_region(
    struct kmem *km, enum kmem_type type, const struct kmem_regions *diff)
{
	struct kmem_regions *kg = &km->km_regions[type];

	kmem_lock(km);
	kg->kg_reserved_bytes += diff->kg_reserved_bytes;
	kg->kg_backed_bytes += diff->kg_backed_bytes;
	kg->kg_count += diff->kg_count;
	KASSERT((int64_t)kg->kg_reserved_bytes >= 0 &&
		(int64_t)kg->kg_backed_bytes >= 0 && (int64_t)kg->kg_count >= 0,
	    ("%s: more regions released than reserved", kmem_type_names[type]));
	kmem_unlock(km);
}

void *
kmem_alloc(
    struct kmem *km, size_t size, size_t align, enum kmem_type type, int domain)
{
	struct kmem_stats *ks;
	size_t slot = kmem_slot(km, domain);
	void *p = NULL;

	if (align < KMEM_MIN_ALIGN)
		align = KMEM_MIN_ALIGN;
	KASSERT((align & (align - 1)) == 0, ("alignment of %zu", align));
	KASSERT(size > 0, ("%s: block of no bytes", kmem_type_name(type)));

	kmem_lock(km);
	if (kmem_count_allocation(km))
		p = kmem_arena_alloc(km->km_arena[slot], size, align);
	if (p != NULL) {
		ks = &km->km_blocks[type][slot];
		ks->ks_requested_bytes += size;
		ks->ks_usable_bytes += kmem_arena_usable(km->km_arena[slot], p);
		ks->ks_blocks++;
	}
	kmem_unlock(km);
	return (p);
}

void
kmem_free(
    struct kmem *km, void *p, size_t size, enum kmem_type type, int domain)
{
	struct kmem_stats *ks;
	size_t slot, usable;

	if (p == NULL)
		return;
	slot = kmem_slot(km, domain);
	ks = &km->km_blocks[type][slot];
	kmem_lock(km);
	KASSERT(kmem_arena_owns(km->km_arena[slot], p),
	    ("%s: %p is no block of domain %d", kmem_type_name(type), p,
		domain));
	usable = kmem_arena_usable(km->km_arena[slot], p);
	KASSERT(size <= usable,
	    ("%s: %p freed as %zu bytes has %zu", kmem_type_name(type), p, size,
		usable));
	KASSERT(ks->ks_blocks > 0 && ks->ks_requested_bytes >= size &&
		ks->ks_usable_bytes >= usable,
	    ("%s: %p of another type freed", kmem_type_name(type), p));
	ks->ks_requested_bytes -= size;
	ks->ks_usable_bytes -= usable;
	ks->ks_blocks--;
	kmem_arena_free(km->km_arena[slot], p);
	kmem_unlock(km);
}

void
kmem_fail_nth(struct kmem *km, uint64_t n)
{
	kmem_lock(km);
	km->km_fail_in = n;
	/* Relaxed: as in kmem_count_allocation(). */
	atomic_store_explicit(&km->km_fired, false, memory_order_relaxed);
	kmem_unlock(km);
}

bool
kmem_failed(const struct kmem *km)
{
	/* Relaxed: as in kmem_count_allocation(). */
	return (atomic_load_explicit(&km->km_fired, memory_order_relaxed));
}

void
kmem_stats(
    struct kmem *km, enum kmem_type type, int domain, struct kmem_stats *ks)
{
	const struct kmem_stats *from;
	size_t first = 0, last = (size_t)km->km_narenas - 1;

	if (domain != KMEM_ALLDOMAINS)
		first = last = kmem_slot(km, domain);
	*ks = (struct kmem_stats){ 0 };
	kmem_lock(km);
	for (int t = 0; t < KMEM_NTYPES; t++) {
		if (type != KMEM_NTYPES && t != (int)type)
			continue;
		for (size_t i = first; i <= last; i++) {
			from = &km->km_blocks[t][i];
			ks->ks_requested_bytes += from->ks_requested_bytes;
			ks->ks_usable_bytes += from->ks_usable_bytes;
			ks->ks_blocks += from->ks_blocks;
		}
		if (domain == KMEM_ALLDOMAINS) {
			ks->ks_requested_bytes +=
			    km->km_regions[t].kg_backed_bytes;
			ks->ks_usable_bytes +=
			    km->km_regions[t].kg_backed_bytes;
			ks->ks_blocks += km->km_regions[t].kg_count;
		}
	}
	kmem_unlock(km);
}

uint64_t
kmem_arena_allocated(struct kmem *km, int domain)
{
	uint64_t all;

	kmem_lock(km);
	all = kmem_arena_bytes(km->km_arena[kmem_slot(km, domain)]);
	kmem_unlock(km);
	return (all);
}

const char *
kmem_type_name(enum kmem_type type)
{
	KASSERT((unsigned)type < KMEM_NTYPES, ("kmem type %u", (unsigned)type));
	return (kmem_type_names[type]);
}
