/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_LOCK_DELAY_H
#define LOCK_LOCK_DELAY_H

/*
 * How long a thread spins for a lock before it blocks.
 *
 * Each call of lock_delay() passes twice the time of the one before, up to a
 * cap, and says whether the budget allows another.  The budget is time and not
 * rounds: what a pause costs differs by a factor of twenty between CPUs.
 *
 * Differs: FreeBSD spins as long as the owner runs.  A thread of the host cannot
 * know that of another, so ours is bounded; and where waiting cannot let the
 * owner proceed (one CPU, or more of ours than the host's) it is not at all.
 * Source: FreeBSD releng/12.1, sys/kern/subr_lock.c, lock_delay().
 */

#include <stdbool.h>

#include "sim/sim.h"

/* Assumed: half of a wake-up across CPUs, some 50 us under Linux in a VM. */
#define LOCK_DELAY_BUDGET_NS 20000
/* Assumed: longer pauses cost short sections more than the quiet line gains. */
#define LOCK_DELAY_MAX 128

struct lock_delay {
	struct sim *ld_sim;
	uint64_t ld_deadline_ns; /* 0: not started */
	unsigned ld_delay;       /* units of so_spin */
};

static inline void
lock_delay_init(struct lock_delay *ld, struct sim *sim)
{
	ld->ld_sim = sim;
	ld->ld_deadline_ns = 0;
	ld->ld_delay = 1;
}

/* Wait a little.  False at once when the caller had better block or yield. */
bool lock_delay(struct lock_delay *ld);

#endif /* LOCK_LOCK_DELAY_H */
