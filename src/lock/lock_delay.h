/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_LOCK_DELAY_H
#define LOCK_LOCK_DELAY_H

/*
 * How long a thread spins for a lock before it blocks, and how often it looks.
 *
 * Between two looks a thread leaves the word alone.  How long it should is told by
 * the word.  If it is what it was, one holder is still inside: the section is a
 * long one, and the next look had better be soon after it ends.  If the word is
 * another, still held, others have come and gone meanwhile: sections are short,
 * looks only take the line from those who use it, and waiting for several of them
 * costs little.  So the delay starts short and stays so, until the word changes
 * between looks; then it doubles, up to a cap.  Where the change cannot be seen
 * (one owner that comes back, a generation that is not bumped) the delay stays
 * short, which is safe.
 *
 * All of it is in time and not in rounds: what a pause costs differs by a factor
 * of twenty between CPUs.  Measured: AMD EPYC, Zen 5, 28 ns; with a cap of 128
 * pauses two threads with sections of 0.6 us made 1.20 million rounds a second,
 * as it is now 1.37 to 1.40.
 * Assumed: an owner that hands over at once would make some 1.42.
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
/* Measured, as above; from 30 to 60 it makes no difference. */
#define LOCK_DELAY_MIN_NS 40
/* Measured: sections of 4 increments; less is slower, more is unfair. */
#define LOCK_DELAY_BUSY_NS 400
#define LOCK_DELAY_MAX_NS  3000
/* Assumed: units of so_spin that a thread adds for those ahead of it, at most. */
#define LOCK_DELAY_MAX 128

struct lock_delay {
	struct sim *ld_sim;
	uint64_t ld_deadline_ns; /* 0: not started */
	uint64_t ld_seen;
	uint64_t ld_delay_ns;
};

static inline void
lock_delay_init(struct lock_delay *ld, struct sim *sim)
{
	ld->ld_sim = sim;
	ld->ld_deadline_ns = 0;
	ld->ld_seen = 0;
	ld->ld_delay_ns = LOCK_DELAY_MIN_NS;
}

/*
 * Wait a little; seen is the word, as it was just read.  False at once when the
 * caller had better block or yield.
 */
bool lock_delay_seen(struct lock_delay *ld, uint64_t seen);

/* The same, for who has no word to show: the delay doubles. */
bool lock_delay(struct lock_delay *ld);

#endif /* LOCK_LOCK_DELAY_H */
