/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Happens-before, with vector clocks.
 *
 * The idea.  Each fiber has a clock that counts its releases, and a vector with
 * what it knows of the clocks of all.  An access of fiber f at clock c happens
 * before what fiber g does now if g's vector has at least c for f.  Vectors travel
 * with synchronisation:
 *
 *	store, release		L = C			L: of the atomic
 *	store, relaxed		L = F			C: of the fiber
 *	RMW, release		L = L join C		F: C at its last release
 *	RMW, relaxed		L = L join F		   fence
 *	load or RMW, acquire	C = C join L		A: what relaxed loads have
 *	  relaxed		A = A join L		   read
 *	fence, acquire		C = C join A
 *	fence, release		F = C
 *
 * and the clock of a fiber goes up after each operation that gave C away.  A store
 * ends the release sequence of the one before, also of its own thread, as C++20
 * has it: C17 lets the latter go on, which arm64 does not do in hardware.
 * seq_cst adds nothing to acquire and release: that all such operations have one
 * order excludes outcomes, and this is told only outcomes that have happened.
 *
 * Memory.  Each granule of 8 bytes has a list of accesses, each with the bytes it
 * touched.  One that a later access makes redundant is taken off the list:
 *
 *   1. A later access of the same bytes, ordered behind it, that conflicts with all
 *	that it conflicts with.  Whatever races with the former then races
 *	with the latter, or is ordered behind it and so behind both.
 *
 * so that lists stay short, mostly of one, and no race is missed.
 *
 * Not provided: atomics of different sizes at the same place synchronise only if
 * they begin at the same address, or are halves of one of 16 bytes.
 */
#include "sim/virtual/race.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/virtual/race_table.h"

#define NFIBERS RACE_FIBERS_MAX
#define GRANULE 8u

struct clocks {
	uint32_t vc[NFIBERS];
};

/* An access that is remembered. */
struct node {
	uint32_t n_next;
	uint32_t n_clock;
	uint32_t n_step;
	uint8_t n_mask; /* bytes of the granule */
	uint8_t n_fiber;
	bool n_write;
	bool n_atomic;
	uintptr_t n_pc;
};

/* By address. */
struct granule {
	struct race_entry g_entry;
	uint32_t g_nodes;
};

/* Something that synchronises. */
struct place {
	struct race_entry p_entry;
	struct clocks p_clocks;
};

struct race_fiber {
	struct clocks rf_now;     /* C */
	struct clocks rf_fence;   /* F */
	struct clocks rf_pending; /* A */
	uint32_t rf_stamp;
};

struct race {
	struct race_fiber r_fibers[NFIBERS];
	uint32_t r_stamp;
	struct race_table r_granules;
	struct race_table r_places;
	struct race_pool r_nodes;
	uint32_t r_free; /* nodes taken off lists */
	struct race_pair r_pair;
};

int
race_create(struct race **rp)
{
	struct race *r;

	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return (ENOMEM);
	race_reset(r);
	*rp = r;
	return (0);
}

void
race_destroy(struct race *r)
{
	if (r == NULL)
		return;
	free(r->r_granules.rt_pool.rp_base);
	free(r->r_places.rt_pool.rp_base);
	free(r->r_nodes.rp_base);
	free(r);
}

void
race_reset(struct race *r)
{
	/* Stamps are 0 in memory that was never used. */
	if (++r->r_stamp == 0) {
		memset(r->r_fibers, 0, sizeof(r->r_fibers));
		r->r_stamp = 1;
	}
	race_table_reset(&r->r_granules);
	race_table_reset(&r->r_places);
	race_pool_reset(&r->r_nodes);
	r->r_free = RACE_NONE;
}

static struct node *
node_at(struct race *r, uint32_t i)
{
	return (race_pool_at(&r->r_nodes, i, sizeof(struct node)));
}

static uint32_t
node_new(struct race *r)
{
	uint32_t i = r->r_free;

	if (i == RACE_NONE)
		return (race_pool_new(&r->r_nodes, sizeof(struct node)));
	r->r_free = node_at(r, i)->n_next;
	return (i);
}

/* The node that *link names comes off its list. */
static void
node_free(struct race *r, uint32_t *link)
{
	uint32_t i = *link;
	struct node *n = node_at(r, i);

	*link = n->n_next;
	n->n_next = r->r_free;
	r->r_free = i;
}

/* create false: NULL when nothing of it is remembered. */
static struct granule *
granule_find(struct race *r, uintptr_t addr, bool create)
{
	return (race_table_find(
	    &r->r_granules, addr, sizeof(struct granule), create));
}

/* create false: NULL when nobody has released there. */
static struct clocks *
place_find(struct race *r, uintptr_t key, bool create)
{
	struct place *p =
	    race_table_find(&r->r_places, key, sizeof(*p), create);

	return (p != NULL ? &p->p_clocks : NULL);
}

/* A fiber that is new in this run knows nothing but its own clock, 1. */
static struct race_fiber *
fiber_at(struct race *r, unsigned fiber)
{
	struct race_fiber *rf = &r->r_fibers[fiber];

	if (rf->rf_stamp != r->r_stamp) {
		memset(rf, 0, sizeof(*rf));
		rf->rf_now.vc[fiber] = 1;
		rf->rf_stamp = r->r_stamp;
	}
	return (rf);
}

static void
join(struct clocks *to, const struct clocks *from)
{
	for (unsigned i = 0; i < NFIBERS; i++) {
		if (from->vc[i] > to->vc[i])
			to->vc[i] = from->vc[i];
	}
}

/*
 * Accesses.
 */

static bool
conflicts(const struct node *n, uint8_t mask, bool write, bool atomic)
{
	return ((n->n_mask & mask) != 0 && (n->n_write || write) &&
	    !(n->n_atomic && atomic));
}

/* Invariant 1: n is ordered before an access that conflicts with as much. */
static bool
redundant(const struct node *n, uint8_t mask, bool write, bool atomic)
{
	return ((n->n_mask & ~mask) == 0 && (write || !n->n_write) &&
	    (!atomic || n->n_atomic));
}

static const struct race_pair *
found(struct race *r, uintptr_t addr, const struct node *n,
    const struct race_access *ra)
{
	struct race_access *first = &r->r_pair.rp_first;
	unsigned low = (unsigned)__builtin_ctz(n->n_mask);

	*first = (struct race_access){
		.ra_addr = addr + low,
		.ra_pc = n->n_pc,
		.ra_step = n->n_step,
		.ra_size = (uint8_t)__builtin_popcount(n->n_mask),
		.ra_fiber = n->n_fiber,
		.ra_write = n->n_write,
		.ra_atomic = n->n_atomic,
	};
	r->r_pair.rp_second = *ra;
	return (&r->r_pair);
}

/* The bytes of mask in the granule at addr. */
static const struct race_pair *
access_granule(
    struct race *r, uintptr_t addr, uint8_t mask, const struct race_access *ra)
{
	const struct clocks *now = &fiber_at(r, ra->ra_fiber)->rf_now;
	struct granule *g = granule_find(r, addr, true);
	const struct race_pair *rp = NULL;
	uint32_t *link = &g->g_nodes, i;
	struct node *n;

	while (*link != RACE_NONE) {
		n = node_at(r, *link);
		if (n->n_clock > now->vc[n->n_fiber] &&
		    n->n_fiber != ra->ra_fiber) {
			if (rp == NULL &&
			    conflicts(n, mask, ra->ra_write, ra->ra_atomic))
				rp = found(r, addr, n, ra);
		} else if (redundant(n, mask, ra->ra_write, ra->ra_atomic)) {
			node_free(r, link);
			continue;
		}
		link = &n->n_next;
	}
	i = node_new(r);
	*node_at(r, i) = (struct node){
		.n_next = g->g_nodes,
		.n_clock = now->vc[ra->ra_fiber],
		.n_step = ra->ra_step,
		.n_mask = mask,
		.n_fiber = ra->ra_fiber,
		.n_write = ra->ra_write,
		.n_atomic = ra->ra_atomic,
		.n_pc = ra->ra_pc,
	};
	g->g_nodes = i;
	return (rp);
}

static const struct race_pair *
access_range(struct race *r, const struct race_access *ra, size_t size)
{
	uintptr_t addr = ra->ra_addr, end = addr + size, base;
	const struct race_pair *p, *rp = NULL;
	unsigned from, n;

	while (addr < end) {
		base = addr & ~(uintptr_t)(GRANULE - 1);
		from = (unsigned)(addr - base);
		n = GRANULE - from;
		if (n > end - addr)
			n = (unsigned)(end - addr);
		p = access_granule(
		    r, base, (uint8_t)(((1u << n) - 1) << from), ra);
		if (p != NULL)
			rp = p;
		addr += n;
	}
	return (rp);
}

const struct race_pair *
race_plain(struct race *r, const struct race_access *ra, size_t size)
{
	return (access_range(r, ra, size));
}

/*
 * Synchronisation.
 */

static bool
acquires(memory_order order)
{
	return (order == memory_order_acquire ||
	    order == memory_order_consume || order == memory_order_acq_rel ||
	    order == memory_order_seq_cst);
}

static bool
releases(memory_order order)
{
	return (order == memory_order_release ||
	    order == memory_order_acq_rel || order == memory_order_seq_cst);
}

/* C was given away: what comes is not what was given. */
static void
tick(struct race_fiber *rf, unsigned fiber)
{
	rf->rf_now.vc[fiber]++;
}

static void
sync_atomic(struct race *r, unsigned fiber, uintptr_t key, enum race_op op,
    memory_order order)
{
	struct race_fiber *rf = fiber_at(r, fiber);
	struct clocks *at = place_find(r, key, op != RACE_LOAD);
	const struct clocks *give;

	if (at != NULL && op != RACE_STORE)
		join(acquires(order) ? &rf->rf_now : &rf->rf_pending, at);
	if (op == RACE_LOAD)
		return;
	give = releases(order) ? &rf->rf_now : &rf->rf_fence;
	if (op == RACE_STORE)
		*at = *give;
	else
		join(at, give);
}

const struct race_pair *
race_atomic(struct race *r, const struct race_access *ra, enum race_op op,
    memory_order order)
{
	const struct race_pair *rp;
	unsigned fiber = ra->ra_fiber;

	/*
	 * The access first: an acquire must not excuse itself, a store that
	 * races with a plain one is not ordered by its own value.
	 */
	rp = access_range(r, ra, ra->ra_size);
	sync_atomic(r, fiber, ra->ra_addr, op, order);
	if (ra->ra_size == 2 * GRANULE)
		sync_atomic(r, fiber, ra->ra_addr + GRANULE, op, order);
	if (op != RACE_LOAD && releases(order))
		tick(fiber_at(r, fiber), fiber);
	return (rp);
}

void
race_fence(struct race *r, unsigned fiber, memory_order order)
{
	struct race_fiber *rf = fiber_at(r, fiber);

	if (acquires(order))
		join(&rf->rf_now, &rf->rf_pending);
	if (releases(order)) {
		rf->rf_fence = rf->rf_now;
		tick(rf, fiber);
	}
}

void
race_release(struct race *r, unsigned fiber, uintptr_t key)
{
	struct race_fiber *rf = fiber_at(r, fiber);

	join(place_find(r, key, true), &rf->rf_now);
	tick(rf, fiber);
}

void
race_acquire(struct race *r, unsigned fiber, uintptr_t key)
{
	const struct clocks *at = place_find(r, key, false);

	if (at != NULL)
		join(&fiber_at(r, fiber)->rf_now, at);
}

void
race_fork(struct race *r, unsigned parent, unsigned child)
{
	struct race_fiber *rf = fiber_at(r, parent);

	join(&fiber_at(r, child)->rf_now, &rf->rf_now);
	tick(rf, parent);
}

void
race_join(struct race *r, unsigned parent, unsigned child)
{
	join(&fiber_at(r, parent)->rf_now, &fiber_at(r, child)->rf_now);
}

void
race_alloc(struct race *r, uintptr_t addr, size_t size)
{
	uintptr_t a = addr & ~(uintptr_t)(GRANULE - 1);
	struct granule *g;

	for (; a < addr + size; a += GRANULE) {
		g = granule_find(r, a, false);
		while (g != NULL && g->g_nodes != RACE_NONE)
			node_free(r, &g->g_nodes);
	}
}
