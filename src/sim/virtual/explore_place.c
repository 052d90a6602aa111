/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hash table with open addressing; places are never taken out.  What belongs to
 * a run has the run's stamp.
 */
#include "sim/virtual/explore_place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/virtual/explore_sched.h"

#define GRANULE_SHIFT 3
#define SIZE_INITIAL  4096u

struct place {
	uintptr_t p_granule; /* 0: empty */
	uint32_t p_stamp;
	uint32_t p_version;   /* writes in this run */
	uint32_t p_shared_in; /* stamp of a run in which it is shared */
	uint16_t p_readers;   /* fibers, in this run */
	uint16_t p_writers;
	bool p_shared;
};

struct ex_places {
	struct place *ep_table;
	uint32_t ep_size; /* a power of two */
	uint32_t ep_used;
	uint32_t ep_stamp;
	bool ep_keep;
	uintptr_t *ep_shared;
	uint32_t ep_nshared;
	uint32_t ep_maxshared;
};

int
ex_places_create(struct ex_places **epp)
{
	struct ex_places *ep;

	ep = calloc(1, sizeof(*ep));
	if (ep == NULL)
		return (ENOMEM);
	ep->ep_table = calloc(SIZE_INITIAL, sizeof(*ep->ep_table));
	if (ep->ep_table == NULL) {
		free(ep);
		return (ENOMEM);
	}
	ep->ep_size = SIZE_INITIAL;
	ep->ep_stamp = 1;
	*epp = ep;
	return (0);
}

void
ex_places_destroy(struct ex_places *ep)
{
	if (ep == NULL)
		return;
	free(ep->ep_table);
	free(ep->ep_shared);
	free(ep);
}

void
ex_places_begin(struct ex_places *ep, bool keep)
{
	ep->ep_keep = keep;
	if (++ep->ep_stamp == 0) {
		for (uint32_t i = 0; i < ep->ep_size; i++) {
			ep->ep_table[i].p_stamp = 0;
			ep->ep_table[i].p_shared_in = 0;
		}
		ep->ep_stamp = 1;
	}
}

/* The slot of a granule, or the empty one where it belongs. */
static struct place *
slot_of(struct ex_places *ep, uintptr_t granule)
{
	uint32_t i = (uint32_t)(ex_hash(granule) & (ep->ep_size - 1));

	while (ep->ep_table[i].p_granule != 0 &&
	    ep->ep_table[i].p_granule != granule)
		i = (i + 1) & (ep->ep_size - 1);
	return (&ep->ep_table[i]);
}

static void
grow(struct ex_places *ep)
{
	struct place *old = ep->ep_table;
	uint32_t n = ep->ep_size;

	ep->ep_size = 2 * n;
	ep->ep_table = calloc(ep->ep_size, sizeof(*ep->ep_table));
	if (ep->ep_table == NULL)
		abort();
	for (uint32_t i = 0; i < n; i++) {
		if (old[i].p_granule != 0)
			*slot_of(ep, old[i].p_granule) = old[i];
	}
	free(old);
}

static struct place *
place_of(struct ex_places *ep, uintptr_t granule)
{
	struct place *p = slot_of(ep, granule);

	if (p->p_granule == 0) {
		if (4 * (ep->ep_used + 1) > 3 * ep->ep_size) {
			grow(ep);
			p = slot_of(ep, granule);
		}
		ep->ep_used++;
		p->p_granule = granule;
	}
	if (p->p_stamp != ep->ep_stamp) {
		p->p_stamp = ep->ep_stamp;
		p->p_version = 0;
		p->p_readers = 0;
		p->p_writers = 0;
	}
	return (p);
}

static bool
is_shared(const struct ex_places *ep, const struct place *p)
{
	return (p->p_shared || p->p_shared_in == ep->ep_stamp);
}

static void
share(struct ex_places *ep, struct place *p)
{
	if (p->p_shared)
		return;
	p->p_shared = true;
	if (ep->ep_nshared == ep->ep_maxshared) {
		ep->ep_maxshared =
		    ep->ep_maxshared == 0 ? 256 : 2 * ep->ep_maxshared;
		ep->ep_shared = realloc(
		    ep->ep_shared, ep->ep_maxshared * sizeof(*ep->ep_shared));
		if (ep->ep_shared == NULL)
			abort();
	}
	ep->ep_shared[ep->ep_nshared++] = p->p_granule << GRANULE_SHIFT;
}

static void
found(struct ex_places *ep, struct place *p)
{
	if (ep->ep_keep)
		share(ep, p);
	else
		p->p_shared_in = ep->ep_stamp;
}

bool
ex_places_touch(struct ex_places *ep, unsigned fiber, uintptr_t addr,
    size_t size, bool write, uint64_t *hash)
{
	uintptr_t g = addr >> GRANULE_SHIFT;
	uintptr_t last = (addr + size - 1) >> GRANULE_SHIFT;
	uint16_t bit = (uint16_t)(1u << fiber), all;
	uint64_t h = 0;
	bool shared = false;
	struct place *p;

	for (; g <= last; g++) {
		p = place_of(ep, g);
		if (write)
			p->p_writers |= bit;
		else
			p->p_readers |= bit;
		all = p->p_readers | p->p_writers;
		if (p->p_writers != 0 && (all & (all - 1)) != 0)
			found(ep, p);
		if (is_shared(ep, p)) {
			shared = true;
			h += ex_hash(g * 0x10001 + p->p_version);
		}
		if (write)
			p->p_version++;
	}
	*hash = h;
	return (shared);
}

uint32_t
ex_places_nshared(const struct ex_places *ep)
{
	return (ep->ep_nshared);
}

uintptr_t
ex_places_shared(const struct ex_places *ep, uint32_t i)
{
	return (ep->ep_shared[i]);
}

void
ex_places_share(struct ex_places *ep, uintptr_t addr)
{
	share(ep, place_of(ep, addr >> GRANULE_SHIFT));
}
