/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process of a search does: runs, one after the other. */
#include <err.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "explore_look.h"
#include "sim/virtual/explore_place.h"

#define LEARN_MIN  24  /* runs without anything new */
#define LEARN_MAX  200 /* runs in all */
#define LEARN_SEED (UINT64_C(1) << 62)

static void
count_distinct(struct look *lo, uint64_t hash)
{
	uint64_t i, was;

	if (hash == 0)
		hash = 1;
	/* Relaxed: a count that may be a little late. */
	if (atomic_load_explicit(&lo->lo_distinct, memory_order_relaxed) >=
	    HASHES_MAX)
		return;
	for (i = ex_hash(hash);; i++) {
		was = 0;
		/* Relaxed: a number is all that there is. */
		if (atomic_compare_exchange_strong_explicit(
			&lo->lo_hashes[i % HASHES], &was, hash,
			memory_order_relaxed, memory_order_relaxed)) {
			/* Relaxed: as above. */
			atomic_fetch_add_explicit(
			    &lo->lo_distinct, 1, memory_order_relaxed);
			return;
		}
		if (was == hash)
			return;
	}
}

static bool
goes_on(const struct looker *lk, uint64_t index)
{
	const struct look *lo = lk->lk_look;

	/* Relaxed: requests; a run too many does no harm. */
	return (index < lk->lk_options->eo_runs &&
	    !atomic_load_explicit(&lo->lo_stop, memory_order_relaxed) &&
	    index <
		atomic_load_explicit(&lo->lo_failed, memory_order_relaxed) &&
	    (lk->lk_end_ns == 0 || bench_clock_ns() < lk->lk_end_ns));
}

static struct explore_world *
world_of(
    const struct looker *lk, const struct ex_strategy *es, struct slot *slot)
{
	const struct explore_setup setup = {
		.es_target = lk->lk_target,
		.es_strategy = es,
		.es_races = lk->lk_options->eo_races != 0,
		.es_steps = lk->lk_options->eo_steps,
		.es_npoints = lk->lk_look->lo_npoints,
		.es_shared = lk->lk_look->lo_shared,
		.es_nshared = lk->lk_look->lo_nshared,
		.es_result = &slot->s_result,
	};

	return (explore_world_create(&setup));
}

static void
count_run(struct look *lo, struct slot *slot)
{
	const struct ex_result *er = &slot->s_result;

	slot->s_steps += er->er_steps;
	slot->s_points += er->er_points;
	slot->s_preemptions += er->er_preemptions;
	count_distinct(lo, er->er_hash);
	/* Relaxed: one writer; the parent looks whether it moves. */
	atomic_fetch_add_explicit(&slot->s_runs, 1, memory_order_relaxed);
}

_Noreturn void
explore_learner(const struct looker *lk, struct slot *slot)
{
	static const struct ex_strategy mix = { EX_MIX, 0 };
	struct look *lo = lk->lk_look;
	struct explore_world *ew = world_of(lk, &mix, slot);
	struct ex_places *ep = explore_places(explore_world_explore(ew));
	uint32_t n;
	int error;

	for (unsigned i = 0, same = 0; i < LEARN_MAX && same < LEARN_MIN; i++) {
		slot->s_index = i;
		error = explore_world_run(ew, LEARN_SEED + i,
		    explore_times(&mix, LEARN_SEED + i), true);
		if (error != 0)
			_exit(error);
		if (slot->s_result.er_points > lo->lo_npoints)
			lo->lo_npoints = slot->s_result.er_points;
		n = ex_places_nshared(ep);
		same = n == lo->lo_nshared ? same + 1 : 0;
		while (lo->lo_nshared < n && lo->lo_nshared < LEARNED_MAX) {
			lo->lo_shared[lo->lo_nshared] =
			    ex_places_shared(ep, lo->lo_nshared);
			lo->lo_nshared++;
		}
		/* Relaxed: as in count_run(). */
		atomic_fetch_add_explicit(
		    &slot->s_runs, 1, memory_order_relaxed);
	}
	_exit(0);
}

/* Are there places that are new? */
static bool
learns(struct slot *slot, const struct ex_places *ep)
{
	uint32_t n = ex_places_nshared(ep);
	bool news = n != slot->s_nshared;

	for (; slot->s_nshared < n; slot->s_nshared++) {
		if (slot->s_nfound < FOUND_MAX)
			slot->s_found[slot->s_nfound++] =
			    ex_places_shared(ep, slot->s_nshared);
	}
	return (news);
}

_Noreturn void
explore_worker(const struct looker *lk, struct slot *slot, unsigned w)
{
	const struct explore_options *eo = lk->lk_options;
	struct explore_world *ew = world_of(lk, &eo->eo_strategy, slot);
	struct ex_places *ep = explore_places(explore_world_explore(ew));
	struct ex_sched *xs = explore_sched(explore_world_explore(ew));
	bool bounded = eo->eo_strategy.es_kind == EX_BOUNDED;
	uint64_t index, seed;
	int error;

	if (bounded)
		ex_sched_part(xs, w, eo->eo_jobs);
	/* Relaxed: its one writer is here. */
	index = w +
	    eo->eo_jobs *
		atomic_load_explicit(&slot->s_runs, memory_order_relaxed);
	for (; goes_on(lk, index); index += eo->eo_jobs) {
		slot->s_index = index;
		seed = eo->eo_seed + index;
		error = explore_world_run(
		    ew, seed, explore_times(&eo->eo_strategy, seed), bounded);
		if (error != 0)
			_exit(error);
		count_run(lk->lk_look, slot);
		if (!bounded)
			continue;
		slot->s_bound = ex_sched_bound(xs);
		/* A place that is new makes points that were not planned for. */
		if (learns(slot, ep)) {
			ex_sched_restart(xs);
		} else if (ex_sched_diverged(xs)) {
			warnx("explore: %s: the same choices lead to "
			      "different runs",
			    lk->lk_target->et_xs->xs_name);
			_exit(EX_SOFTWARE);
		} else if (!ex_sched_next(xs)) {
			slot->s_complete = true;
			break;
		}
	}
	_exit(0);
}
