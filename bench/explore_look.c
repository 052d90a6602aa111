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
 * The bounded search is made in parts, one a worker.  A worker keeps what it learns
 * about shared places; when there is a new one, choices that have been passed over
 * may matter, and it begins its part again.  When all have ended, what each has
 * learned is told to all, and if that was news to one, there is another round.  So
 * in the end the search has been made with all places that any of its runs has
 * found to be shared.
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

#include "explore_look.h"

#define HANG_NS UINT64_C(30000000000)
#define POLL_NS 2000000

/* A process, and when it was last seen to move. */
struct worker {
	pid_t w_pid;
	uint64_t w_seen; /* runs, and steps of the present one */
	uint64_t w_seen_ns;
};

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

static int
start(const struct looker *lk, struct worker *wk, struct slot *slot, unsigned w,
    bool learner_only)
{
	slot->s_nshared = lk->lk_look->lo_nshared;
	slot->s_nfound = 0;
	slot->s_complete = false;
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
		if (learner_only)
			explore_learner(lk, slot);
		explore_worker(lk, slot, w);
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
run_all(const struct looker *lk, unsigned n, bool learner_only)
{
	static const struct timespec pause = { .tv_nsec = POLL_NS };
	struct look *lo = lk->lk_look;
	struct worker *wk = bench_calloc(n, sizeof(*wk));
	unsigned running = 0;
	int error = 0, e, status;

	for (unsigned i = 0; i < n && error == 0; i++) {
		error = start(lk, &wk[i], &lo->lo_slots[i], i, learner_only);
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
		st->st_complete =
		    (i == 0 || st->st_complete) && slot->s_complete;
		if (slot->s_bound > st->st_bound)
			st->st_bound = slot->s_bound;
		if (slot->s_nshared > st->st_nshared)
			st->st_nshared = slot->s_nshared;
	}
	/* Relaxed: as above. */
	st->st_distinct =
	    atomic_load_explicit(&lo->lo_distinct, memory_order_relaxed);
	st->st_distinct_more = st->st_distinct >= HASHES_MAX;
}

static bool
is_known(const struct look *lo, uintptr_t addr)
{
	uint32_t i = 0;

	while (i < lo->lo_nshared && lo->lo_shared[i] != addr)
		i++;
	return (i < lo->lo_nshared);
}

/* What each has found is told to all.  Was it news to one that was complete? */
static bool
share_news(struct look *lo, unsigned n)
{
	uint32_t before = lo->lo_nshared;
	bool complete = true;

	for (unsigned i = 0; i < n; i++) {
		struct slot *slot = &lo->lo_slots[i];

		complete = complete && slot->s_complete;
		for (uint32_t j = 0; j < slot->s_nfound; j++) {
			if (lo->lo_nshared < LEARNED_MAX &&
			    !is_known(lo, slot->s_found[j]))
				lo->lo_shared[lo->lo_nshared++] =
				    slot->s_found[j];
		}
	}
	return (complete && n > 1 && lo->lo_nshared > before);
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
		do {
			error = run_all(&lk, eo->eo_jobs, false);
		} while (error == 0 && share_news(lk.lk_look, eo->eo_jobs));
		take_failure(&lk, eo->eo_jobs, er);
	}
	sum_up(&lk, st);
	st->st_elapsed_ns = bench_clock_ns() - begin;
	explore_unshare(lk.lk_look, look_size(eo->eo_jobs));
	return (error);
}
