/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_EXPLORE_SCHED_H
#define SIM_VIRTUAL_EXPLORE_SCHED_H

/*
 * Strategies: who goes on at each point of a run.  They see fibers as numbers and
 * bits; what a point is, explore.h says.
 *
 *	random[:N]   at each point, with probability 1/N (1), any of those that can
 *	pct:D	     priorities at random, and D - 1 points at which the fiber that
 *		     runs falls below all others
 *	bounded:P    every schedule with at most P preemptions, once
 *	mix	     by the seed: random, random:8, pct:2, pct:3, pct:5, random:32
 *
 * A fiber that was made to stop is preempted; one that blocks, ends, spins or
 * yields is not.  With all of them, at a point where nobody can go on but one, or
 * that is none, nothing is asked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EX_FIBERS_MAX 16

enum ex_kind {
	EX_RANDOM,
	EX_PCT,
	EX_BOUNDED,
	EX_MIX
};

struct ex_strategy {
	enum ex_kind es_kind;
	unsigned es_n; /* N, D or P above */
};

#define EX_N_MAX 1000

/* Returns 0 or EINVAL. */
int ex_strategy_parse(const char *text, struct ex_strategy *es);
/* As it is parsed, in buf, which is returned. */
const char *
ex_strategy_text(const struct ex_strategy *es, char *buf, size_t size);
/* What a mix is with this seed; any other, itself. */
struct ex_strategy
ex_strategy_of_seed(const struct ex_strategy *es, uint64_t seed);

/* A point: a set of fibers, one of which goes on. */
struct ex_point {
	uint32_t xp_ready; /* bit i: fiber i can; at least two */
	unsigned xp_self;  /* who runs, or ran */
	/* Who goes on if nobody has a reason for another. */
	unsigned xp_default;
	bool xp_forced; /* self cannot go on, or would rather not */
	bool xp_yields; /* the latter */
};

struct ex_sched;

/* Returns 0 or ENOMEM. */
int ex_sched_create(const struct ex_strategy *es, struct ex_sched **xsp);
void ex_sched_destroy(struct ex_sched *xs);

/*
 * A run begins.  npoints: how many points runs have, about; pct's changes are
 * among so many.  bounded takes no seed: each run is the next schedule.
 */
void ex_sched_begin(struct ex_sched *xs, uint64_t seed, unsigned npoints);
unsigned ex_sched_choose(struct ex_sched *xs, const struct ex_point *xp);

/*
 * bounded: the run is over.  Returns whether there is a schedule left; the next
 * ex_sched_begin() begins it.  With the others always true.
 */
bool ex_sched_next(struct ex_sched *xs);
/*
 * bounded, before the first run: only part (from 0) of nparts, which together have
 * every schedule.
 */
void ex_sched_part(struct ex_sched *xs, unsigned part, unsigned nparts);
/* bounded: begin anew, with as many preemptions as at first. */
void ex_sched_restart(struct ex_sched *xs);
/*
 * bounded: preemptions of the schedules that are run now; all schedules with fewer
 * have been.
 */
unsigned ex_sched_bound(const struct ex_sched *xs);
/* bounded: the program did another thing than before, given the same choices. */
bool ex_sched_diverged(const struct ex_sched *xs);

/* splitmix64 */
static inline uint64_t
ex_hash(uint64_t z)
{
	z += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31));
}

#endif /* SIM_VIRTUAL_EXPLORE_SCHED_H */
