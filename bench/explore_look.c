/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking for a run that fails, in several processes.
 *
 * Runs have indices, and the seed of run i is that of the first plus i.  Worker w
 * of n makes runs w, w + n, w + 2n and so on.  When one fails, its worker has
 * ended; the others go on as long as their next index is smaller than the smallest
 * that has failed.  So which run is told does not depend on how many workers there
 * are, but where time ends the search.
 *
 * Workers share with the parent a slot each, with the run that they are in, so that
 * it is known what they did when they crash; and a table of the hashes of runs, to
 * count those that differ.
 *
 * The bounded search is one worker.  It keeps what it learns about shared places;
 * when there is a new one, choices that have been passed over may matter, and the
 * search begins again.  So in the end it has been made with all places that any of
 * its runs has found to be shared.
 */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "explore.h"
#include "sim/virtual/explore_place.h"

#define HASHES      (1u << 20) /* room for */
#define HASHES_MAX  (HASHES / 4 * 3)
#define LEARN_MIN   24  /* runs without anything new */
#define LEARN_MAX   200 /* runs in all */
#define LEARN_SEED  (UINT64_C(1) << 62)
#define LEARNED_MAX 65536
#define HANG_NS     UINT64_C(30000000000)
#define POLL_NS     2000000
#define NO_INDEX    UINT64_MAX

struct slot {
	struct ex_result s_result;
	_Atomic uint64_t s_runs;
	uint64_t s_steps;
	uint64_t s_points;
	uint64_t s_preemptions;
	uint64_t s_index; /* of the run that it is in */
	bool s_complete;
	unsigned s_bound;
	uint32_t s_nshared;
};

/* What processes share. */
struct look {
	_Atomic uint64_t lo_failed; /* smallest index that has */
	atomic_bool lo_stop;
	_Atomic uint32_t lo_distinct;
	uint32_t lo_npoints;
	uint32_t lo_nshared;
	uintptr_t lo_shared[LEARNED_MAX];
	_Atomic uint64_t lo_hashes[HASHES];
	struct slot lo_slots[];
};

struct looker {
	const struct explore_options *lk_options;
	const struct explore_target *lk_target;
	struct look *lk_look;
	uint64_t lk_end_ns; /* 0: never */
};

/* Worker's view of one process. */
struct worker {
	pid_t w_pid;
	uint64_t w_seen; /* runs, and steps of the present one */
	uint64_t w_seen_ns;
};

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

static void
fail_index(struct look *lo, uint64_t index)
{
	/* Relaxed: the slot is read when the process has ended. */
	uint64_t was =
	    atomic_load_explicit(&lo->lo_failed, memory_order_relaxed);

	/* Relaxed: as above. */
	while (index < was &&
	    !atomic_compare_exchange_weak_explicit(&lo->lo_failed, &was, index,
		memory_order_relaxed, memory_order_relaxed))
		continue;
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

/*
 * Processes.
 */

static _Noreturn void
learner(const struct looker *lk, struct slot *slot)
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

static _Noreturn void
worker(const struct looker *lk, struct slot *slot, unsigned w)
{
	const struct explore_options *eo = lk->lk_options;
	struct explore_world *ew = world_of(lk, &eo->eo_strategy, slot);
	struct ex_places *ep = explore_places(explore_world_explore(ew));
	struct ex_sched *xs = explore_sched(explore_world_explore(ew));
	bool bounded = eo->eo_strategy.es_kind == EX_BOUNDED;
	uint64_t index, seed;
	int error;

	for (index = w; goes_on(lk, index); index += eo->eo_jobs) {
		slot->s_index = index;
		seed = eo->eo_seed + index;
		error = explore_world_run(
		    ew, seed, explore_times(&eo->eo_strategy, seed), bounded);
		if (error != 0)
			_exit(error);
		count_run(lk->lk_look, slot);
		if (bounded) {
			if (ex_sched_diverged(xs)) {
				warnx("explore: %s: the same choices lead to "
				      "different runs",
				    lk->lk_target->et_xs->xs_name);
				_exit(EX_SOFTWARE);
			}
			slot->s_bound = ex_sched_bound(xs);
			if (ex_places_nshared(ep) != slot->s_nshared) {
				slot->s_nshared = ex_places_nshared(ep);
				ex_sched_restart(xs);
			} else if (!ex_sched_next(xs)) {
				slot->s_complete = true;
				break;
			}
		}
	}
	_exit(0);
}

static int
start(const struct looker *lk, struct worker *wk, struct slot *slot, unsigned w,
    bool learns)
{
	slot->s_nshared = lk->lk_look->lo_nshared;
	slot->s_index = NO_INDEX;
	wk->w_seen_ns = bench_clock_ns();
	(void)fflush(NULL);
	wk->w_pid = fork();
	if (wk->w_pid < 0) {
		warn("explore: fork");
		wk->w_pid = 0;
		return (EX_UNAVAILABLE);
	}
	if (wk->w_pid == 0) {
		(void)signal(SIGINT, SIG_DFL);
		(void)signal(SIGTERM, SIG_DFL);
		if (learns)
			learner(lk, slot);
		worker(lk, slot, w);
	}
	return (0);
}

/* It has ended.  Returns 0, or an exit status: it said why. */
static int
ended(struct look *lo, struct slot *slot, int status)
{
	struct ex_result *er = &slot->s_result;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return (0);
	if (WIFEXITED(status) && WEXITSTATUS(status) != EXPLORE_FAILED &&
	    er->er_steps == 0)
		return (WEXITSTATUS(status));
	if (er->er_failure == EX_PASSED) {
		er->er_failure = EX_CRASH;
		(void)snprintf(er->er_text, sizeof(er->er_text),
		    WIFSIGNALED(status) ? "ended by signal %d"
					: "ended with status %d",
		    WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status));
	}
	fail_index(lo, slot->s_index);
	return (0);
}

/* Does it still move?  One that hangs, outside of what is explored, is ended. */
static void
watch(struct worker *wk, struct slot *slot)
{
	/* Relaxed: does it change? */
	uint64_t seen =
	    (atomic_load_explicit(&slot->s_runs, memory_order_relaxed) << 32) +
	    slot->s_result.er_steps;
	uint64_t now = bench_clock_ns();

	if (seen != wk->w_seen) {
		wk->w_seen = seen;
		wk->w_seen_ns = now;
	} else if (now - wk->w_seen_ns > HANG_NS) {
		(void)kill(wk->w_pid, SIGKILL);
	}
}

static void
stop_all(struct look *lo, struct worker *wk, unsigned n, bool now)
{
	/* Relaxed: a request. */
	atomic_store_explicit(&lo->lo_stop, true, memory_order_relaxed);
	for (unsigned i = 0; now && i < n; i++) {
		if (wk[i].w_pid != 0)
			(void)kill(wk[i].w_pid, SIGKILL);
	}
}

/* Start n, and wait until all have ended. */
static int
run_all(const struct looker *lk, unsigned n, bool learns)
{
	static const struct timespec pause = { .tv_nsec = POLL_NS };
	struct look *lo = lk->lk_look;
	struct worker *wk = bench_calloc(n, sizeof(*wk));
	unsigned running = 0;
	int error = 0, e, status;

	for (unsigned i = 0; i < n && error == 0; i++) {
		error = start(lk, &wk[i], &lo->lo_slots[i], i, learns);
		if (error == 0)
			running++;
	}
	if (error != 0)
		stop_all(lo, wk, n, true);
	while (running > 0) {
		for (unsigned i = 0; i < n; i++) {
			if (wk[i].w_pid == 0)
				continue;
			if (waitpid(wk[i].w_pid, &status, WNOHANG) !=
			    wk[i].w_pid) {
				watch(&wk[i], &lo->lo_slots[i]);
				continue;
			}
			wk[i].w_pid = 0;
			running--;
			e = ended(lo, &lo->lo_slots[i], status);
			if (e != 0 && error == 0) {
				error = e;
				stop_all(lo, wk, n, true);
			}
		}
		if (bench_stopped())
			stop_all(lo, wk, n, true);
		if (running > 0)
			(void)nanosleep(&pause, NULL);
	}
	free(wk);
	return (error == 0 && bench_stopped() ? EX_INTERRUPTED : error);
}

/* The run with the smallest index that failed. */
static void
take_failure(const struct looker *lk, unsigned n, struct ex_result *er)
{
	const struct look *lo = lk->lk_look;
	/* Relaxed: all processes have ended. */
	uint64_t index =
	    atomic_load_explicit(&lo->lo_failed, memory_order_relaxed);

	*er = (struct ex_result){ .er_failure = EX_PASSED };
	for (unsigned i = 0; i < n && index != NO_INDEX; i++) {
		if (lo->lo_slots[i].s_index == index &&
		    lo->lo_slots[i].s_result.er_failure != EX_PASSED)
			*er = lo->lo_slots[i].s_result;
	}
}

static size_t
look_size(unsigned jobs)
{
	return (sizeof(struct look) + jobs * sizeof(struct slot));
}

static int
learn(struct looker *lk, struct explore_learned *el, struct ex_result *er)
{
	struct look *lo = lk->lk_look;
	int error;

	/* Relaxed: no other process yet. */
	atomic_store_explicit(&lo->lo_failed, NO_INDEX, memory_order_relaxed);
	error = run_all(lk, 1, true);
	take_failure(lk, 1, er);
	memset(&lo->lo_slots[0], 0, sizeof(lo->lo_slots[0]));
	el->el_npoints = lo->lo_npoints;
	el->el_nshared = lo->lo_nshared;
	el->el_shared =
	    bench_calloc(lo->lo_nshared + 1, sizeof(*el->el_shared));
	memcpy(el->el_shared, lo->lo_shared,
	    lo->lo_nshared * sizeof(*el->el_shared));
	return (error);
}

int
explore_learn(const struct explore_options *eo, const struct explore_target *et,
    struct explore_learned *el, struct ex_result *er)
{
	struct looker lk = {
		.lk_options = eo,
		.lk_target = et,
		.lk_look = explore_shared(look_size(1)),
	};
	int error;

	error = learn(&lk, el, er);
	explore_unshare(lk.lk_look, look_size(1));
	return (error);
}

static void
sum_up(const struct looker *lk, struct explore_stats *st)
{
	const struct look *lo = lk->lk_look;

	for (unsigned i = 0; i < lk->lk_options->eo_jobs; i++) {
		const struct slot *slot = &lo->lo_slots[i];

		/* Relaxed: all processes have ended. */
		st->st_runs +=
		    atomic_load_explicit(&slot->s_runs, memory_order_relaxed);
		st->st_steps += slot->s_steps;
		st->st_points += slot->s_points;
		st->st_preemptions += slot->s_preemptions;
		st->st_complete = st->st_complete || slot->s_complete;
		st->st_bound = slot->s_bound;
		if (slot->s_nshared > st->st_nshared)
			st->st_nshared = slot->s_nshared;
	}
	/* Relaxed: as above. */
	st->st_distinct =
	    atomic_load_explicit(&lo->lo_distinct, memory_order_relaxed);
	st->st_distinct_more = st->st_distinct >= HASHES_MAX;
}

int
explore_look(const struct explore_options *eo, const struct explore_target *et,
    struct explore_stats *st, struct explore_learned *el, struct ex_result *er)
{
	struct looker lk = {
		.lk_options = eo,
		.lk_target = et,
		.lk_look = explore_shared(look_size(eo->eo_jobs)),
	};
	uint64_t begin = bench_clock_ns();
	int error;

	*st = (struct explore_stats){ .st_runs = 0 };
	if (eo->eo_seconds_ns != 0)
		lk.lk_end_ns = begin + eo->eo_seconds_ns;
	error = learn(&lk, el, er);
	if (error == 0 && er->er_failure == EX_PASSED) {
		error = run_all(&lk, eo->eo_jobs, false);
		take_failure(&lk, eo->eo_jobs, er);
	}
	sum_up(&lk, st);
	st->st_elapsed_ns = bench_clock_ns() - begin;
	explore_unshare(lk.lk_look, look_size(eo->eo_jobs));
	return (error);
}
