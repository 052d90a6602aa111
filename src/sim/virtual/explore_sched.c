/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The strategies.
 *
 * PCT.  Each fiber has a priority, and the highest that can runs.  The D - 1
 * changes are at points drawn from npoints; the n-th that was drawn, wherever it is,
 * makes the fiber the n-th below all that were not changed.  A bug that takes D ordered steps to
 * show is hit by a run with probability at least 1/(n k^(D-1)), for n fibers and k
 * points.  A fiber that spins or yields falls below all others too, since else
 * two that wait for a third would keep it from running.
 * Source: Burckhardt et al., A Randomized Scheduler with Probabilistic Guarantees
 * of Finding Bugs, 2010.
 *
 * Bounded.  A schedule is the sequence of choices at its points.  The next one has
 * the same choices up to the last at which another is left, and there that one;
 * after it, the default at each point.  So all that is kept is one path:
 *
 *	point		0    1    2    3    4
 *	chosen		a    a    b    a    c
 *	left		-    b    -    c    -		next: a a b c, defaults
 *
 * An alternative that would be a preemption is left out where the path has used
 * them up.  The bound begins with 0 and grows when a tree is done, so that
 * the first schedule that fails has as few preemptions as any.  A tree has those of
 * the one before in it, which are run again: of 2 fibers with 20 points each, 1 of
 * 20 schedules with a bound of 2.
 *
 * A search can be made in parts.  The first preemption of a schedule is at some
 * point, and the number of that point says whose part it is; the few schedules with
 * no preemption are run by all.
 */
#include "sim/virtual/explore_sched.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX  EX_N_MAX
#define PATH_INITIAL 1024

/* A point of the present path. */
struct choice {
	uint32_t ch_ready;
	uint32_t ch_left; /* alternatives that were not tried */
	uint8_t ch_chosen;
	uint8_t ch_self;
	bool ch_forced;
	uint16_t ch_used; /* preemptions before it */
};

struct ex_sched {
	struct ex_strategy xs_strategy; /* as given */
	struct ex_strategy xs_now;      /* of this run */
	uint64_t xs_rng;
	uint32_t xs_point; /* points so far in this run */

	/* pct */
	int64_t xs_pri[EX_FIBERS_MAX];
	int64_t xs_lowest;
	uint32_t xs_changes[CHANGES_MAX];
	unsigned xs_nchanges;

	/* bounded */
	struct choice *xs_path;
	uint32_t xs_npath;
	uint32_t xs_maxpath;
	uint32_t xs_prefix; /* choices that are given */
	unsigned xs_bound;
	unsigned xs_used;
	unsigned xs_part; /* of xs_nparts */
	unsigned xs_nparts;
	bool xs_diverged;
	bool xs_pruned; /* a preemption was left out: more bound, more runs */
};

static const struct ex_strategy mix[] = {
	{ EX_RANDOM, 1 },
	{ EX_PCT, 3 },
	{ EX_RANDOM, 8 },
	{ EX_PCT, 2 },
	{ EX_RANDOM, 32 },
	{ EX_PCT, 5 },
};
#define NMIX (sizeof(mix) / sizeof(mix[0]))

static const struct {
	const char *name;
	enum ex_kind kind;
	unsigned min;
	unsigned def; /* 0: must be given */
} kinds[] = {
	{ "random", EX_RANDOM, 1, 1 },
	{ "pct", EX_PCT, 1, 3 },
	{ "bounded", EX_BOUNDED, 0, 2 },
	{ "mix", EX_MIX, 0, 0 },
};
#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

int
ex_strategy_parse(const char *text, struct ex_strategy *es)
{
	size_t len = strcspn(text, ":");
	unsigned long n;
	char *end;

	for (size_t i = 0; i < NKINDS; i++) {
		if (strlen(kinds[i].name) != len ||
		    strncmp(text, kinds[i].name, len) != 0)
			continue;
		n = kinds[i].def;
		if (text[len] == ':') {
			if (kinds[i].kind == EX_MIX || text[len + 1] < '0' ||
			    text[len + 1] > '9')
				return (EINVAL);
			errno = 0;
			n = strtoul(text + len + 1, &end, 10);
			if (*end != '\0' || errno != 0)
				return (EINVAL);
		}
		if (n < kinds[i].min || n > EX_N_MAX)
			return (EINVAL);
		es->es_kind = kinds[i].kind;
		es->es_n = (unsigned)n;
		return (0);
	}
	return (EINVAL);
}

const char *
ex_strategy_text(const struct ex_strategy *es, char *buf, size_t size)
{
	for (size_t i = 0; i < NKINDS; i++) {
		if (kinds[i].kind != es->es_kind)
			continue;
		if (es->es_kind == EX_MIX)
			(void)snprintf(buf, size, "%s", kinds[i].name);
		else
			(void)snprintf(
			    buf, size, "%s:%u", kinds[i].name, es->es_n);
	}
	return (buf);
}

struct ex_strategy
ex_strategy_of_seed(const struct ex_strategy *es, uint64_t seed)
{
	return (es->es_kind == EX_MIX ? mix[seed % NMIX] : *es);
}

int
ex_sched_create(const struct ex_strategy *es, struct ex_sched **xsp)
{
	struct ex_sched *xs;

	xs = calloc(1, sizeof(*xs));
	if (xs == NULL)
		return (ENOMEM);
	xs->xs_strategy = *es;
	xs->xs_now = *es;
	xs->xs_nparts = 1;
	*xsp = xs;
	return (0);
}

void
ex_sched_destroy(struct ex_sched *xs)
{
	if (xs == NULL)
		return;
	free(xs->xs_path);
	free(xs);
}

static uint64_t
next_random(struct ex_sched *xs)
{
	return (ex_hash(xs->xs_rng++));
}

/* 0 to n - 1; the bias of 32 bits does not matter here. */
static uint32_t
below(struct ex_sched *xs, uint32_t n)
{
	return ((uint32_t)(((next_random(xs) >> 32) * n) >> 32));
}

/* The n-th fiber of a set. */
static unsigned
nth_of(uint32_t set, unsigned n)
{
	while (n-- > 0)
		set &= set - 1;
	return ((unsigned)__builtin_ctz(set));
}

static unsigned
any_of(struct ex_sched *xs, uint32_t set)
{
	return (nth_of(set, below(xs, (uint32_t)__builtin_popcount(set))));
}

/*
 * pct
 */

static void
pct_begin(struct ex_sched *xs, unsigned npoints)
{
	unsigned j;
	int64_t pri;

	for (unsigned i = 0; i < EX_FIBERS_MAX; i++)
		xs->xs_pri[i] = (int64_t)i + 1;
	for (unsigned i = EX_FIBERS_MAX - 1; i > 0; i--) {
		j = below(xs, i + 1);
		pri = xs->xs_pri[i];
		xs->xs_pri[i] = xs->xs_pri[j];
		xs->xs_pri[j] = pri;
	}
	xs->xs_nchanges = xs->xs_now.es_n - 1;
	xs->xs_lowest = -(int64_t)xs->xs_nchanges;
	for (unsigned i = 0; i < xs->xs_nchanges; i++)
		xs->xs_changes[i] = below(xs, npoints > 0 ? npoints : 1);
}

static unsigned
pct_choose(struct ex_sched *xs, const struct ex_point *xp)
{
	unsigned best = xp->xp_default;
	uint32_t set;

	if (xp->xp_yields)
		xs->xs_pri[xp->xp_self] = --xs->xs_lowest;
	/* Before the first step nobody is at the point. */
	for (unsigned i = 0; xp->xp_self < EX_FIBERS_MAX && i < xs->xs_nchanges;
	     i++) {
		if (xs->xs_changes[i] == xs->xs_point)
			xs->xs_pri[xp->xp_self] = -(int64_t)i;
	}
	for (set = xp->xp_ready; set != 0; set &= set - 1) {
		unsigned i = (unsigned)__builtin_ctz(set);

		/* The default may be nobody, who has no priority. */
		if ((xp->xp_ready & (UINT32_C(1) << best)) == 0 ||
		    xs->xs_pri[i] > xs->xs_pri[best])
			best = i;
	}
	return (best);
}

/*
 * bounded
 */

static struct choice *
path_add(struct ex_sched *xs)
{
	if (xs->xs_npath == xs->xs_maxpath) {
		xs->xs_maxpath =
		    xs->xs_maxpath == 0 ? PATH_INITIAL : 2 * xs->xs_maxpath;
		xs->xs_path =
		    realloc(xs->xs_path, xs->xs_maxpath * sizeof(*xs->xs_path));
		if (xs->xs_path == NULL)
			abort();
	}
	return (&xs->xs_path[xs->xs_npath++]);
}

static bool
is_preemption(const struct choice *ch, unsigned fiber)
{
	return (!ch->ch_forced && fiber != ch->ch_self);
}

static unsigned
bounded_choose(struct ex_sched *xs, const struct ex_point *xp)
{
	struct choice *ch;

	if (xs->xs_point < xs->xs_prefix) {
		ch = &xs->xs_path[xs->xs_point];
		if (ch->ch_ready != xp->xp_ready ||
		    ch->ch_self != xp->xp_self ||
		    ch->ch_forced != xp->xp_forced) {
			/* What was planned means nothing here. */
			xs->xs_diverged = true;
			if ((xp->xp_ready & (UINT32_C(1) << ch->ch_chosen)) ==
			    0)
				return (xp->xp_default);
		}
	} else {
		ch = path_add(xs);
		*ch = (struct choice){
			.ch_ready = xp->xp_ready,
			.ch_chosen = (uint8_t)xp->xp_default,
			.ch_self = (uint8_t)xp->xp_self,
			.ch_forced = xp->xp_forced,
			.ch_used = (uint16_t)xs->xs_used,
		};
		ch->ch_left = xp->xp_ready & ~(UINT32_C(1) << xp->xp_default);
		if (!xp->xp_forced && xs->xs_used == 0 &&
		    xs->xs_point % xs->xs_nparts != xs->xs_part) {
			ch->ch_left = 0;
		} else if (!xp->xp_forced && xs->xs_used >= xs->xs_bound) {
			ch->ch_left = 0;
			xs->xs_pruned = true;
		}
	}
	if (is_preemption(ch, ch->ch_chosen))
		xs->xs_used++;
	return (ch->ch_chosen);
}

/* The last choice with an alternative left takes it; false: there is none. */
static bool
bounded_next(struct ex_sched *xs)
{
	struct choice *ch;
	unsigned fiber;

	/* It ended before it came to the choices that were given. */
	if (xs->xs_point < xs->xs_prefix)
		xs->xs_diverged = true;
	while (xs->xs_npath > 0) {
		ch = &xs->xs_path[xs->xs_npath - 1];
		if (ch->ch_left != 0) {
			fiber = (unsigned)__builtin_ctz(ch->ch_left);
			ch->ch_left &= ch->ch_left - 1;
			ch->ch_chosen = (uint8_t)fiber;
			xs->xs_prefix = xs->xs_npath;
			return (true);
		}
		xs->xs_npath--;
	}
	xs->xs_prefix = 0;
	if (!xs->xs_pruned || xs->xs_bound >= xs->xs_strategy.es_n)
		return (false);
	xs->xs_bound++;
	xs->xs_pruned = false;
	return (true);
}

/*
 * All of them.
 */

void
ex_sched_begin(struct ex_sched *xs, uint64_t seed, unsigned npoints)
{
	xs->xs_now = ex_strategy_of_seed(&xs->xs_strategy, seed);
	/* Seeds that follow each other have streams that do not overlap. */
	xs->xs_rng = ex_hash(seed);
	xs->xs_point = 0;
	xs->xs_used = 0;
	if (xs->xs_now.es_kind == EX_PCT)
		pct_begin(xs, npoints);
	if (xs->xs_now.es_kind == EX_BOUNDED)
		xs->xs_npath = xs->xs_prefix;
}

unsigned
ex_sched_choose(struct ex_sched *xs, const struct ex_point *xp)
{
	unsigned fiber = xp->xp_default;

	switch (xs->xs_now.es_kind) {
	case EX_RANDOM:
		if (xp->xp_forced || below(xs, xs->xs_now.es_n) == 0)
			fiber = any_of(xs, xp->xp_ready);
		break;
	case EX_PCT:
		fiber = pct_choose(xs, xp);
		break;
	case EX_BOUNDED:
		fiber = bounded_choose(xs, xp);
		break;
	case EX_MIX:
		break;
	}
	xs->xs_point++;
	return (fiber);
}

bool
ex_sched_next(struct ex_sched *xs)
{
	if (xs->xs_strategy.es_kind != EX_BOUNDED)
		return (true);
	return (bounded_next(xs));
}

void
ex_sched_restart(struct ex_sched *xs)
{
	xs->xs_npath = 0;
	xs->xs_prefix = 0;
	xs->xs_bound = 0;
	xs->xs_pruned = false;
	xs->xs_diverged = false;
}

void
ex_sched_part(struct ex_sched *xs, unsigned part, unsigned nparts)
{
	xs->xs_part = part;
	xs->xs_nparts = nparts;
}

unsigned
ex_sched_bound(const struct ex_sched *xs)
{
	return (xs->xs_bound);
}

bool
ex_sched_diverged(const struct ex_sched *xs)
{
	return (xs->xs_diverged);
}
