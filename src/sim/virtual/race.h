/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_RACE_H
#define SIM_VIRTUAL_RACE_H

/*
 * Data races, by happens-before.
 *
 * Told of every access, in the order in which they happen, this says whether two
 * of them that conflict are ordered by nothing but the chance of this schedule.
 * Two accesses conflict when they overlap, at least one writes, at least one is
 * no atomic operation, and they are of two fibers.  race.c says what orders them.
 *
 * The detector knows fibers by number and nothing of the world: tests feed it by
 * hand.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RACE_FIBERS_MAX 16

struct race;

struct race_access {
	uintptr_t ra_addr;
	uintptr_t ra_pc;
	uint32_t ra_step; /* the caller's count of events */
	uint8_t ra_size;  /* 1 to 16 */
	uint8_t ra_fiber;
	bool ra_write;
	bool ra_atomic;
};

struct race_pair {
	struct race_access rp_first;
	struct race_access rp_second;
};

/* Returns 0 or ENOMEM. */
int race_create(struct race **rp);
void race_destroy(struct race *r);

/* Forget everything: all that comes is after all that was.  O(1). */
void race_reset(struct race *r);

/*
 * An access that is no atomic operation, of any size.  Returns NULL, or the pair
 * of accesses that race, which stands until the next call.
 */
const struct race_pair *
race_plain(struct race *r, const struct race_access *ra, size_t size);

/* An atomic operation, as what it turned out to be: a failed CAS is a load. */
enum race_op {
	RACE_LOAD,
	RACE_STORE,
	RACE_RMW
};
const struct race_pair *race_atomic(struct race *r,
    const struct race_access *ra, enum race_op op, memory_order order);

void race_fence(struct race *r, unsigned fiber, memory_order order);

/*
 * Order that comes from elsewhere, by key: what precedes a release happens before
 * what follows a later acquire of the same key.
 */
void race_release(struct race *r, unsigned fiber, uintptr_t key);
void race_acquire(struct race *r, unsigned fiber, uintptr_t key);

/* What parent has done so far happens before child's start. */
void race_fork(struct race *r, unsigned parent, unsigned child);
/* All that child has done happens before what parent does next. */
void race_join(struct race *r, unsigned parent, unsigned child);

/*
 * Memory from an allocator: what was done to it before it was given back was done
 * to something else.  Giving it back counts as a write.
 */
void race_alloc(struct race *r, uintptr_t addr, size_t size);

#endif /* SIM_VIRTUAL_RACE_H */
