/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * From a run that has come to rest to the figures that are reported.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lock/lock_profile.h"
#include "workload/workload_var.h"

/* The path below the sources' folder, whatever the compiler was given. */
static const char *
source_name(const char *path)
{
	const char *p, *name = path;

	for (p = strstr(path, "src/"); p != NULL; p = strstr(p + 1, "src/"))
		name = p + strlen("src/");
	return (name);
}

static void
lock_row(const struct lock_prof_record *lpr, struct workload_lock *wl)
{
	(void)snprintf(wl->wl_name, sizeof(wl->wl_name), "%s:%s",
	    lock_class_name(lpr->lpr_class), lpr->lpr_name);
	wl->wl_wait_ns = lpr->lpr_wait_ns;
	wl->wl_wait_max_ns = lpr->lpr_wait_max_ns;
	wl->wl_hold_ns = lpr->lpr_hold_ns;
	wl->wl_hold_max_ns = lpr->lpr_hold_max_ns;
	wl->wl_count = lpr->lpr_count;
	wl->wl_contested = lpr->lpr_contested;
	wl->wl_wait_p50_ns = lock_hist_quantile(lpr->lpr_wait_hist, 0.5);
	wl->wl_wait_p99_ns = lock_hist_quantile(lpr->lpr_wait_hist, 0.99);
	wl->wl_wait_p999_ns = lock_hist_quantile(lpr->lpr_wait_hist, 0.999);
}

static void
site_row(const struct lock_prof_record *lpr, struct workload_site *ws)
{
	(void)snprintf(ws->ws_name, sizeof(ws->ws_name), "%s:%d (%s:%s)",
	    source_name(lpr->lpr_file), lpr->lpr_line,
	    lock_class_name(lpr->lpr_class), lpr->lpr_name);
	ws->ws_hold_max_ns = lpr->lpr_hold_max_ns;
	ws->ws_wait_max_ns = lpr->lpr_wait_max_ns;
	ws->ws_hold_ns = lpr->lpr_hold_ns;
	ws->ws_wait_ns = lpr->lpr_wait_ns;
	ws->ws_count = lpr->lpr_count;
	ws->ws_contested = lpr->lpr_contested;
}

static int
result_locks(struct sim *sim, struct workload_result *wr)
{
	struct lock_prof_record *recs = NULL;
	size_t n = 0;
	int error;

	error = lock_profile_collect(sim, false, &recs, &n);
	if (error != 0)
		return (error);
	for (size_t i = 0; i < n && i < WORKLOAD_LOCKS_MAX; i++)
		lock_row(&recs[i], &wr->wr_locks[wr->wr_nlocks++]);
	free(recs);
	return (0);
}

static int
result_sites(struct sim *sim, struct workload_result *wr)
{
	struct lock_prof_record *recs = NULL;
	size_t n = 0;
	int error;

	error = lock_profile_collect(sim, true, &recs, &n);
	if (error != 0)
		return (error);
	if (n > 0) {
		wr->wr_sites = calloc(n, sizeof(wr->wr_sites[0]));
		if (wr->wr_sites == NULL)
			error = ENOMEM;
	}
	for (size_t i = 0; error == 0 && i < n; i++)
		site_row(&recs[i], &wr->wr_sites[wr->wr_nsites++]);
	free(recs);
	return (error);
}

static int
result_instances(struct sim *sim, struct workload_result *wr)
{
	struct lock_prof_instance *insts = NULL;
	size_t n = 0;
	int error;

	error = lock_profile_instances(sim, &insts, &n);
	if (error != 0)
		return (error);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(insts[i].lpi_name, "pmap pv list") != 0)
			continue;
		wr->wr_pv_instances++;
		wr->wr_pv_worst_wait_ns =
		    MAX(wr->wr_pv_worst_wait_ns, insts[i].lpi_wait_ns);
	}
	free(insts);
	wr->wr_rejected = lock_profile_rejected(sim);
	return (0);
}

int
wl_result_profile(struct wl_run *run, struct workload_result *wr)
{
	struct sim *sim = run->wlr_machine->ma_sim;
	int error;

	error = result_locks(sim, wr);
	if (error == 0)
		error = result_sites(sim, wr);
	if (error == 0)
		error = result_instances(sim, wr);
	return (error);
}

/* X(field of struct workload_result, counter) */
#define RESULT_COUNTS(X)                                                       \
	X(wr_pv_locks, CTR_PV_LOCKS)                                           \
	X(wr_pv_restarts, CTR_PV_RESTARTS)                                     \
	X(wr_pde_promotions, CTR_PDE_PROMOTIONS)                               \
	X(wr_pde_mappings, CTR_PDE_MAPPINGS)                                   \
	X(wr_pde_demotions, CTR_PDE_DEMOTIONS)                                 \
	X(wr_pde_destroyed, CTR_PDE_DESTROYED)

void
wl_result_begin(struct sim *sim, struct workload_result *wr)
{
#define COUNT_BEGIN(field, counter) wr->field = sim_counter(sim, counter);
	RESULT_COUNTS(COUNT_BEGIN)
#undef COUNT_BEGIN
}

void
wl_result_end(struct sim *sim, struct workload_result *wr)
{
#define COUNT_END(field, counter)                                              \
	wr->field = sim_counter(sim, counter) - wr->field;
	RESULT_COUNTS(COUNT_END)
#undef COUNT_END
}

static uint64_t
thread_ops(const struct workload_thread *wt)
{
	return (wt->wt_enters + wt->wt_removes + wt->wt_pageops);
}

/*
 * Jain's index over work of the same kind: threads that only scan pages are
 * left out.  1 is fair, 1/n is one thread doing everything.
 */
static double
jain_index(const struct workload_thread *wt, unsigned n)
{
	double x, sum = 0, squares = 0;
	unsigned workers = 0;

	for (unsigned i = 0; i < n; i++) {
		if (wt[i].wt_enters == 0 && wt[i].wt_pageops != 0)
			continue;
		x = (double)thread_ops(&wt[i]);
		sum += x;
		squares += x * x;
		workers++;
	}
	return (squares > 0 ? sum * sum / (workers * squares) : 0);
}

int
wl_result_threads(struct wl_run *run, struct workload_result *wr)
{
	uint64_t start = UINT64_MAX, end = 0;
	const struct wl_thread *wlt;

	wr->wr_threads = calloc(run->wlr_nthreads, sizeof(wr->wr_threads[0]));
	if (wr->wr_threads == NULL)
		return (ENOMEM);
	wr->wr_nthreads = run->wlr_nthreads;
	for (unsigned i = 0; i < run->wlr_nthreads; i++) {
		wlt = &run->wlr_threads[i];
		wr->wr_threads[i] = wlt->wlt_work;
		wr->wr_ops += thread_ops(&wlt->wlt_work);
		start = MIN(start, wlt->wlt_start_ns);
		end = MAX(end, wlt->wlt_end_ns);
		if (wlt->wlt_stopped)
			wr->wr_stopped = true;
		if (wlt->wlt_work.wt_rounds == 0)
			wl_fail(run, "thread %u did no work", i);
	}
	wr->wr_elapsed_ns = end - start;
	wr->wr_jain = jain_index(wr->wr_threads, wr->wr_nthreads);
	if (wr->wr_ops == 0)
		wl_fail(run, "no mapping was made or removed");
	return (0);
}
