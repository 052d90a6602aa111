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
 * All tables are empty when their stamp is not that of the present run, so that a
 * reset costs nothing.  A list belongs to an address, not to a bucket: collisions
 * cost time and nothing else.
 *
 * Not provided: atomics of different sizes at the same place synchronise only if
 * they begin at the same address, or are halves of one of 16 bytes.
 */
#include "sim/virtual/race.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NFIBERS       RACE_FIBERS_MAX
#define GRANULE       8u
#define TABLE_BITS    14
#define TABLE_SIZE    (1u << TABLE_BITS)
#define NODES_INITIAL 4096
#define NONE          UINT32_MAX

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

/* A granule, or a place that synchronises; chained by bucket. */
struct granule {
	uintptr_t g_addr;
	uint32_t g_next;
	uint32_t g_nodes;
};

struct place {
	uintptr_t p_key;
	uint32_t p_next;
	struct clocks p_clocks;
};

struct bucket {
	uint32_t b_stamp;
	uint32_t b_head;
};

/* A vector of n_used objects that grows. */
struct pool {
	void *p_base;
	uint32_t p_used;
	uint32_t p_size;
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
	struct bucket r_granules[TABLE_SIZE];
	struct bucket r_places[TABLE_SIZE];
	struct pool r_granule_pool;
	struct pool r_place_pool;
	struct pool r_node_pool;
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
	free(r->r_granule_pool.p_base);
	free(r->r_place_pool.p_base);
	free(r->r_node_pool.p_base);
	free(r);
}

void
race_reset(struct race *r)
{
	/* Stamps are 0 in memory that was never used. */
	if (++r->r_stamp == 0) {
		memset(r->r_granules, 0, sizeof(r->r_granules));
		memset(r->r_places, 0, sizeof(r->r_places));
		memset(r->r_fibers, 0, sizeof(r->r_fibers));
		r->r_stamp = 1;
	}
	r->r_granule_pool.p_used = 0;
	r->r_place_pool.p_used = 0;
	r->r_node_pool.p_used = 0;
	r->r_free = NONE;
}

/* An object of the pool, by index; there is no way on without memory. */
static uint32_t
pool_new(struct pool *p, size_t size)
{
	if (p->p_used == p->p_size) {
		p->p_size = p->p_size == 0 ? NODES_INITIAL : 2 * p->p_size;
		p->p_base = realloc(p->p_base, p->p_size * size);
		if (p->p_base == NULL)
			abort();
	}
	return (p->p_used++);
}

static struct node *
node_at(struct race *r, uint32_t i)
{
	return ((struct node *)r->r_node_pool.p_base + i);
}

static struct granule *
granule_at(struct race *r, uint32_t i)
{
	return ((struct granule *)r->r_granule_pool.p_base + i);
}

static struct place *
place_at(struct race *r, uint32_t i)
{
	return ((struct place *)r->r_place_pool.p_base + i);
}

static struct bucket *
bucket_of(struct race *r, struct bucket *table, uintptr_t key)
{
	uint64_t h = (uint64_t)key * UINT64_C(0x9e3779b97f4a7c15);
	struct bucket *b = &table[h >> (64 - TABLE_BITS)];

	if (b->b_stamp != r->r_stamp) {
		b->b_stamp = r->r_stamp;
		b->b_head = NONE;
	}
	return (b);
}

static struct granule *
granule_find(struct race *r, uintptr_t addr, bool create)
{
	struct bucket *b = bucket_of(r, r->r_granules, addr);
	struct granule *g;
	uint32_t i;

	for (i = b->b_head; i != NONE; i = granule_at(r, i)->g_next) {
		if (granule_at(r, i)->g_addr == addr)
			return (granule_at(r, i));
	}
	if (!create)
		return (NULL);
	i = pool_new(&r->r_granule_pool, sizeof(struct granule));
	g = granule_at(r, i);
	*g = (struct granule){
		.g_addr = addr, .g_next = b->b_head, .g_nodes = NONE
	};
	b->b_head = i;
	return (g);
}

/* create false: NULL when nobody has released there. */
static struct clocks *
place_find(struct race *r, uintptr_t key, bool create)
{
	struct bucket *b = bucket_of(r, r->r_places, key);
	struct place *p;
	uint32_t i;

	for (i = b->b_head; i != NONE; i = place_at(r, i)->p_next) {
		if (place_at(r, i)->p_key == key)
			return (&place_at(r, i)->p_clocks);
	}
	if (!create)
		return (NULL);
	i = pool_new(&r->r_place_pool, sizeof(struct place));
	p = place_at(r, i);
	*p = (struct place){ .p_key = key, .p_next = b->b_head };
	b->b_head = i;
	return (&p->p_clocks);
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

	while ((i = *link) != NONE) {
		n = node_at(r, i);
		if (n->n_clock > now->vc[n->n_fiber] &&
		    n->n_fiber != ra->ra_fiber) {
			if (rp == NULL &&
			    conflicts(n, mask, ra->ra_write, ra->ra_atomic))
				rp = found(r, addr, n, ra);
		} else if (redundant(n, mask, ra->ra_write, ra->ra_atomic)) {
			*link = n->n_next;
			n->n_next = r->r_free;
			r->r_free = i;
			continue;
		}
		link = &n->n_next;
	}
	i = r->r_free;
	if (i != NONE)
		r->r_free = node_at(r, i)->n_next;
	else
		i = pool_new(&r->r_node_pool, sizeof(struct node));
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
	struct node *n;
	uint32_t i;

	for (; a < addr + size; a += GRANULE) {
		g = granule_find(r, a, false);
		if (g == NULL)
			continue;
		while ((i = g->g_nodes) != NONE) {
			n = node_at(r, i);
			g->g_nodes = n->n_next;
			n->n_next = r->r_free;
			r->r_free = i;
		}
	}
}
