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
 * as it is now 1.34 to 1.40.  Computed: at most 1.43 if a release were known at
 * once, 1.40 with the 33 ns that the line takes.
 *
 * Taking turns.  With more threads than CPUs, a thread that uses up its slice of
 * the host's scheduler is off its CPU for the slices of all others, 4 ms each under
 * Linux at 250 Hz.  A busy thread is waiting half of its time, so that is where
 * the slice often ends; and where a holder loses its CPU, or the one that was woken
 * has to wait for one, so do all that queue.  A wait of 1 us then takes 12 to 24 ms.
 * So a thread that keeps meeting held locks gives its CPU up by itself, once in
 * LOCK_DELAY_TURN_NS, when it is about to wait anyway.  All threads of such a lock
 * do: turns are short, slices are never used up, and the longest wait is a turn of
 * each other thread of the CPU.  Where nobody else is runnable it is one system call
 * a turn.  A thread that met none for the length of a turn, because it had no need
 * of any or because it slept, begins a new one.
 *
 * Real-time threads take no turns, where the host tells of them (so_host_pri): the
 * host takes their CPU for nobody who waits for a slice, those of less priority do
 * not get it by a yield, and one of SCHED_DEADLINE would give away what is left to
 * it of its period.
 *
 * Measured: AMD EPYC, Zen 5, "pmapsim locks --cpus 2 --threads 8 --pin none", gen2:
 * million rounds a second, and the longest wait of about 2 s in ms.
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
 * The price is paid by who shares CPUs with threads that take no locks: these get a
 * slice for each turn.  With one such on each CPU, medium, 0.62 million rounds a
 * second, and without turns 0.79; pthread_mutex makes 0.57.  To block at the end
 * of a turn and not to yield costs nothing there; but where nobody computes it made
 * 0.76 for 1.32, and a longest wait of 14 ms: who is woken waits for a CPU like
 * anybody.
 *
 * Differs: FreeBSD spins as long as the owner runs.  A thread of the host cannot
 * know that of another, so ours is bounded; and where waiting cannot let the
 * owner proceed (one CPU, or more of ours than the host's) it is not at all.  The
 * virtual machine knows it: there, who can name the owner does as FreeBSD does, and
 * the delay doubles with each look, up to 256 pauses for each CPU (rounded up).
 * Source: FreeBSD releng/12.1, sys/kern/subr_lock.c, lock_delay().
 */

#include <stdbool.h>

#include "sim/sim.h"

/*
 * Measured: what a wake-up across CPUs takes, 18 to 24 us under Linux in a VM.  Two
 * threads with medium sections sleep in 1.2 of 1000 rounds with 5 us, 0.5 with 10,
 * 0.1 with 20, 0.01 with 40; from 10 on that does not show in the rounds made.
 */
#define LOCK_DELAY_BUDGET_NS 20000
/* Measured, as above; 20 and 80 are slower by 3 to 15 %. */
#define LOCK_DELAY_MIN_NS 40
/*
 * Measured: two threads, sections of 4 increments.  From 60 to 400 the rounds made
 * are the same within 5 %; the p99 of a wait is 0.4 us up to 100, and 0.7 with 400.
 * The cap shows in neither from 1000 to 6000.
 */
#define LOCK_DELAY_BUSY_NS 100
#define LOCK_DELAY_MAX_NS  3000
/* Measured: the table above. */
#define LOCK_DELAY_TURN_NS 75000
/* Assumed: units of so_spin that a thread adds for those ahead of it, at most. */
#define LOCK_DELAY_MAX 128
/* Source: as above; the longest delay of an adaptive lock, in pauses. */
#define LOCK_DELAY_OWNER_CPU 256
#define LOCK_DELAY_OWNER_MAX 32678

struct lock_delay {
	struct sim *ld_sim;
	uint64_t ld_deadline_ns; /* 0: not started */
	uint64_t ld_seen;
	uint64_t ld_delay_ns;
	unsigned ld_owner_units; /* the last delay of lock_delay_owner() */
};

static inline void
lock_delay_init(struct lock_delay *ld, struct sim *sim)
{
	ld->ld_sim = sim;
	ld->ld_deadline_ns = 0;
	ld->ld_seen = 0;
	ld->ld_delay_ns = LOCK_DELAY_MIN_NS;
	ld->ld_owner_units = 0;
}

/*
 * Wait a little; seen is the word, as it was just read.  False at once when the
 * caller had better block or yield.  The caller does nothing between two calls but
 * look at memory; where time is virtual, rounds that find nothing new are one.
 */
bool lock_delay_seen(struct lock_delay *ld, uint64_t seen);

/*
 * The same, for who knows the owner.  Where the host tells that it has its CPU
 * (so_runs) the caller spins for as long as it has, with FreeBSD's delays.
 */
bool lock_delay_owner(
    struct lock_delay *ld, const struct thread *owner, uint64_t seen);

/* The same, for who counts rounds, or does something in them. */
bool lock_delay_round(struct lock_delay *ld, uint64_t seen);

/* The same, for who has no word to show: the delay doubles. */
bool lock_delay(struct lock_delay *ld);

#endif /* LOCK_LOCK_DELAY_H */
