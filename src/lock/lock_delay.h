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
 * Taking turns.  With more threads than CPUs a thread that uses up its slice of
 * the host's scheduler is off its CPU for the slices of all others: 4 ms each
 * here.  Most of a busy thread's time is waiting, so that is where the slice
 * ends: the wait then takes 12 or 20 ms instead of 1 us, and so do those of all
 * that queue behind it.  Hence a thread that keeps meeting held locks gives its
 * CPU up by itself, at most once in LOCK_DELAY_TURN_NS, where it is about to wait
 * anyway.  All threads of such a lock do, so turns are short, and the longest wait
 * is a turn of each.  Where nobody else is runnable it costs one system call a
 * turn.  A thread that has met none for the length of a turn, because it had no
 * need or because it slept, begins a new one.
 *
 * The price: a thread that computes and takes no locks gets a slice for each turn.
 * Measured: 8 threads, medium sections, 2 CPUs with such a one on each: 0.58
 * million rounds a second with turns, 0.67 without; pthread_mutex 0.64.
 *
 * Measured, 8 threads on 2 CPUs, sections as "pmapsim locks" has them; million
 * rounds a second and the longest wait in ms, gen2:
 *
 *	turn, us	short		medium
 *	none		22.2  16.1	1.31  20.2
 *	400		22.5   4.0	1.35   4.8
 *	200		23.2   1.8	1.33   1.2
 *	150		22.8   0.8	1.33   1.4
 *	100		23.1   0.5	1.32   0.8
 *	75		23.6   0.7	1.34   1.0
 *	50		22.8   1.2	1.32   0.4
 *	30		22.9   0.3	1.27   0.4
 *
 * Tried: to block instead of yielding, at the end of a turn: 0.76 medium, and 14
 * ms; who is woken waits for a CPU like anybody.
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
/* Measured: the table above. */
#define LOCK_DELAY_TURN_NS 75000
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
