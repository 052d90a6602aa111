/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_RACE_TABLE_H
#define SIM_VIRTUAL_RACE_TABLE_H

/*
 * Pools and hash tables of race.c, which each access looks into: so all is inline,
 * and the size of an object is a constant there.
 *
 * An object has a number, since the pool that it is in moves when it grows: a
 * pointer stands until the next object is made.  A bucket whose stamp is not the
 * table's is empty, so that a reset costs nothing.  An object belongs to a key,
 * not to a bucket: collisions cost time and nothing else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RACE_NONE         0u /* the number of no object */
#define RACE_POOL_INITIAL 4096
#define RACE_TABLE_BITS   14

/* A vector of rp_used objects that grows; all zero it has to be reset. */
struct race_pool {
	void *rp_base;
	uint32_t rp_used;
	uint32_t rp_size;
};

/* What an object of a table begins with. */
struct race_entry {
	uintptr_t re_key;
	uint32_t re_next; /* in the bucket */
};

struct race_bucket {
	uint32_t rb_stamp;
	uint32_t rb_head;
};

/* All zero it has to be reset. */
struct race_table {
	struct race_bucket rt_buckets[1u << RACE_TABLE_BITS];
	struct race_pool rt_pool;
	uint32_t rt_stamp;
};

static inline void
race_pool_reset(struct race_pool *rp)
{
	rp->rp_used = RACE_NONE + 1;
}

static inline void *
race_pool_at(const struct race_pool *rp, uint32_t i, size_t size)
{
	return ((char *)rp->rp_base + i * size);
}

/* An object, by number, as it may be; there is no way on without memory. */
static inline uint32_t
race_pool_new(struct race_pool *rp, size_t size)
{
	if (rp->rp_used >= rp->rp_size) {
		rp->rp_size =
		    rp->rp_size == 0 ? RACE_POOL_INITIAL : 2 * rp->rp_size;
		rp->rp_base = realloc(rp->rp_base, rp->rp_size * size);
		if (rp->rp_base == NULL)
			abort();
	}
	return (rp->rp_used++);
}

static inline void
race_table_reset(struct race_table *rt)
{
	/* Stamps are 0 in memory that was never used. */
	if (++rt->rt_stamp == 0) {
		memset(rt->rt_buckets, 0, sizeof(rt->rt_buckets));
		rt->rt_stamp = 1;
	}
	race_pool_reset(&rt->rt_pool);
}

/*
 * The object with this key.  If there is none: NULL, or with create a new one, of
 * size bytes that are zero but for its struct race_entry.
 */
static inline void *
race_table_find(struct race_table *rt, uintptr_t key, size_t size, bool create)
{
	uint64_t h = (uint64_t)key * UINT64_C(0x9e3779b97f4a7c15);
	struct race_bucket *rb = &rt->rt_buckets[h >> (64 - RACE_TABLE_BITS)];
	struct race_entry *re;
	uint32_t i;

	if (rb->rb_stamp != rt->rt_stamp)
		*rb = (struct race_bucket){ rt->rt_stamp, RACE_NONE };
	for (i = rb->rb_head; i != RACE_NONE; i = re->re_next) {
		re = race_pool_at(&rt->rt_pool, i, size);
		if (re->re_key == key)
			return (re);
	}
	if (!create)
		return (NULL);
	i = race_pool_new(&rt->rt_pool, size);
	re = race_pool_at(&rt->rt_pool, i, size);
	memset(re, 0, size);
	*re = (struct race_entry){ .re_key = key, .re_next = rb->rb_head };
	rb->rb_head = i;
	return (re);
}

#endif /* SIM_VIRTUAL_RACE_TABLE_H */
