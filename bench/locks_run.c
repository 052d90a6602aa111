/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One run of one backend.  How it goes is in locks.h.
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "fifo.h"
#include "locks_work.h"
#include "osstat.h"
#include "spinwork.h"

#define WARMUP_MIN_NS 4000000
#define SLICE_NS      20000000 /* between looks at bench_stop */
/* A sample of all counts that took longer is taken anew, so many times. */
#define SAMPLE_NS    20000
#define SAMPLE_TRIES 50

static void
pause_ns(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000) };

	(void)nanosleep(&ts, NULL);
}

/* Returns false when interrupted. */
static bool
pass_time(uint64_t ns)
{
	uint64_t end = bench_clock_ns() + ns, now;

	while ((now = bench_clock_ns()) < end && !bench_stopped())
		pause_ns(end - now < SLICE_NS ? end - now : SLICE_NS);
	return (!bench_stopped());
}

struct counts {
	uint64_t c_ns;
	uint64_t c_sleeps;
	uint64_t c_wakes;
	uint64_t c_ops[LOCKS_THREADS_MAX];
};

/* Counts of all threads at one moment, as nearly as that can be had. */
static void
take_counts(struct run *r, struct counts *c)
{
	for (int try = 0; try < SAMPLE_TRIES; try++) {
		c->c_ns = bench_clock_ns();
		for (unsigned i = 0; i < r->r_load->ll_threads; i++) {
			/* Relaxed: a count. */
			c->c_ops[i] = atomic_load_explicit(
			    &r->r_workers[i].w_ops, memory_order_relaxed);
		}
		if (bench_clock_ns() - c->c_ns < SAMPLE_NS)
			break;
	}
	c->c_sleeps = sim_counter(r->r_bed.lb_sim, CTR_LOCK_SLEEPS);
	c->c_wakes = sim_counter(r->r_bed.lb_sim, CTR_LOCK_WAKES);
}

/* Start all threads; the gate is closed.  Returns how many there are. */
static unsigned
start_workers(struct run *r, int *errorp)
{
	const struct locks_load *ll = r->r_load;
	int *cpus = bench_calloc(ll->ll_threads, sizeof(cpus[0]));
	size_t ncpus = pin_order_cpus(ll->ll_pin, cpus, ll->ll_threads);
	unsigned n;

	if (ncpus > ll->ll_threads)
		ncpus = ll->ll_threads;
	for (n = 0; n < ll->ll_threads; n++) {
		struct worker *w = &r->r_workers[n];
		int cpu = ncpus > 0 ? cpus[n % ncpus] : -1;

		w->w_run = r;
		w->w_i = n;
		w->w_random = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
		*errorp = sim_real_ops.so_thread_create(
		    r->r_bed.lb_sim, cpu, locks_work, w, &w->w_thread);
		if (*errorp != 0)
			break;
	}
	free(cpus);
	return (n);
}

static void
open_gate(struct run *r, unsigned n)
{
	/* Acquire: pairs with pass_gate(). */
	while (atomic_load_explicit(&r->r_ready, memory_order_acquire) < n)
		pause_ns(20000);
	/* Release: pairs with pass_gate(). */
	atomic_store_explicit(&r->r_go, true, memory_order_release);
}

static void
stop(struct run *r)
{
	/* Relaxed: polled. */
	atomic_store_explicit(&r->r_stop, true, memory_order_relaxed);
}

static void
join_workers(struct run *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)sim_real_ops.so_thread_join(
		    r->r_bed.lb_sim, r->r_workers[i].w_thread);
}

/* What a run by time has done between the two, and how evenly. */
static void
fill_window(const struct run *r, struct locks_sample *lsa,
    const struct counts *a, const struct counts *b)
{
	unsigned n = r->r_load->ll_threads;
	double *v = bench_calloc(n, sizeof(v[0]));

	lsa->lsa_elapsed_ns = b->c_ns - a->c_ns;
	for (unsigned i = 0; i < n; i++) {
		lsa->lsa_thread_ops[i] = b->c_ops[i] - a->c_ops[i];
		lsa->lsa_ops += lsa->lsa_thread_ops[i];
		v[i] = (double)lsa->lsa_thread_ops[i];
	}
	lsa->lsa_sleeps = b->c_sleeps - a->c_sleeps;
	lsa->lsa_wakes = b->c_wakes - a->c_wakes;
	lsa->lsa_jain = stats_jain(v, n);
	free(v);
}

/* The same for a fixed number of operations: the threads end when they do. */
static void
fill_ops(const struct run *r, struct locks_sample *lsa)
{
	unsigned n = r->r_load->ll_threads;
	double *v = bench_calloc(n, sizeof(v[0]));

	for (unsigned i = 0; i < n; i++) {
		uint64_t ns = r->r_workers[i].w_time_ns;

		lsa->lsa_thread_ops[i] = ns;
		lsa->lsa_ops += r->r_load->ll_ops;
		if (ns > lsa->lsa_elapsed_ns)
			lsa->lsa_elapsed_ns = ns;
		v[i] = ns > 0 ? 1e9 / (double)ns : 0;
	}
	lsa->lsa_sleeps = sim_counter(r->r_bed.lb_sim, CTR_LOCK_SLEEPS);
	lsa->lsa_wakes = sim_counter(r->r_bed.lb_sim, CTR_LOCK_WAKES);
	lsa->lsa_jain = stats_jain(v, n);
	free(v);
}

static void
fill_threads(const struct run *r, struct locks_sample *lsa)
{
	uint64_t writes = 0;

	for (unsigned i = 0; i < r->r_load->ll_threads; i++) {
		const struct worker *w = &r->r_workers[i];

		writes += w->w_writes;
		if (w->w_wait != NULL) {
			hist_merge(&lsa->lsa_wait, w->w_wait);
			if (lsa->lsa_urgency != NULL)
				hist_merge(
				    &lsa->lsa_urgency[i % LOCKS_PRIORITIES],
				    w->w_wait);
			hist_merge(&lsa->lsa_hold, w->w_hold);
			if (w->w_streak > lsa->lsa_streak)
				lsa->lsa_streak = w->w_streak;
			continue;
		}
		/* Relaxed: the thread is joined. */
		lsa->lsa_all_ops +=
		    atomic_load_explicit(&w->w_ops, memory_order_relaxed);
		lsa->lsa_has_switches = w->w_has_switches;
		lsa->lsa_voluntary += w->w_voluntary;
		lsa->lsa_involuntary += w->w_involuntary;
	}
	writes *= r->r_load->ll_increments;
	lsa->lsa_lost += writes - locks_array_count(&r->r_array);
	if (lsa->lsa_lost != 0)
		(void)snprintf(lsa->lsa_void, sizeof(lsa->lsa_void),
		    "%ju updates lost", (uintmax_t)lsa->lsa_lost);
}

/* Between gate and end.  Returns 0 or an errno value. */
static int
conduct(struct run *r, struct locks_sample *lsa)
{
	const struct locks_load *ll = r->r_load;
	struct counts *a = bench_calloc(2, sizeof(*a)), *b = &a[1];
	unsigned n;
	bool timed = r->r_last != NULL, interrupted = false;
	bool fifo = ll->ll_priority == LOCKS_PRI_FIFO;
	uint64_t warmup = ll->ll_window_ns / 5;
	int error = 0;

	/* Who ends the run must get a CPU. */
	if (fifo)
		error = fifo_set(LOCKS_PRIORITIES);
	n = error == 0 ? start_workers(r, &error) : 0;
	/* With fewer threads than asked for, what is there has nothing to do. */
	if (error != 0)
		stop(r);
	open_gate(r, n);
	if (error == 0 && ll->ll_kind == LOCKS_LOAD && ll->ll_ops == 0) {
		interrupted =
		    !pass_time(warmup < WARMUP_MIN_NS ? WARMUP_MIN_NS : warmup);
		take_counts(r, a);
		interrupted |=
		    !pass_time(timed ? ll->ll_window_ns / 2 : ll->ll_window_ns);
		take_counts(r, b);
		stop(r);
	}
	join_workers(r, n);
	if (fifo)
		fifo_unset(pthread_self());
	interrupted |= bench_stopped();
	for (unsigned i = 0; i < n && error == 0; i++)
		error = r->r_workers[i].w_error;
	if (error == 0 && interrupted)
		error = EINTR;
	if (error == 0 && !timed && ll->ll_kind == LOCKS_LOAD) {
		if (ll->ll_ops > 0)
			fill_ops(r, lsa);
		else
			fill_window(r, lsa, a, b);
	}
	free(a);
	return (error);
}

/* One of the two runs.  Returns 0 or an errno value. */
static int
run_once(const struct locks_load *ll, const struct pv_lock_ops *ops, bool timed,
    struct locks_sample *lsa)
{
	struct hist *hists = NULL;
	struct run *r;
	int error;

	r = aligned_alloc(CACHE_PAIR_SIZE, sizeof(*r));
	if (r == NULL)
		return (ENOMEM);
	memset(r, 0, sizeof(*r));
	r->r_load = ll;
	r->r_ops = ops;
	r->r_ncpus =
	    ll->ll_threads < host_ncpus() ? ll->ll_threads : host_ncpus();
	r->r_bump = ops->plo_gen_bits == 0;
	r->r_inside = spinwork_rounds(ll->ll_inside_ns);
	r->r_workers = aligned_alloc(
	    CACHE_PAIR_SIZE, ll->ll_threads * sizeof(r->r_workers[0]));
	if (r->r_workers == NULL) {
		free(r);
		return (ENOMEM);
	}
	memset(r->r_workers, 0, ll->ll_threads * sizeof(r->r_workers[0]));
	if (timed) {
		hists = bench_calloc(2 * ll->ll_threads, sizeof(hists[0]));
		r->r_last = aligned_alloc(
		    CACHE_LINE_SIZE, ll->ll_nlocks * sizeof(r->r_last[0]));
		if (r->r_last == NULL) {
			error = ENOMEM;
			goto done;
		}
		memset(r->r_last, 0, ll->ll_nlocks * sizeof(r->r_last[0]));
		for (unsigned i = 0; i < ll->ll_threads; i++) {
			r->r_workers[i].w_wait = &hists[2 * i];
			r->r_workers[i].w_hold = &hists[2 * i + 1];
		}
	}
	if (ll->ll_kind == LOCKS_PAIR)
		r->r_workers[0].w_batches =
		    bench_calloc(PAIR_BATCHES, sizeof(double));
	error =
	    locks_array_create(&r->r_array, ops, ll->ll_nlocks, ll->ll_line);
	if (error != 0)
		goto done;
	error = locks_bed_create(r->r_ncpus, &r->r_bed);
	if (error == 0) {
		error = conduct(r, lsa);
		if (error == 0 && ll->ll_kind == LOCKS_LOAD)
			fill_threads(r, lsa);
		if (error == 0 && ll->ll_kind == LOCKS_PAIR)
			lsa->lsa_pair_ns = stats_of(r->r_workers[0].w_batches,
			    r->r_workers[0].w_nbatches)
					       .s_median;
		/* Relaxed: the threads are joined. */
		lsa->lsa_unbound += atomic_load_explicit(
		    &r->r_bed.lb_sim->sim_unbound, memory_order_relaxed);
		locks_bed_destroy(&r->r_bed);
	}
	locks_array_destroy(&r->r_array);
done:
	free(r->r_workers[0].w_batches);
	free(hists);
	free(r->r_last);
	free(r->r_workers);
	free(r);
	return (error);
}

int
locks_run(const struct locks_load *ll, const struct pv_lock_ops *ops,
    struct locks_sample *lsa)
{
	uint64_t steal0, steal1, total0, total1;
	int error;

	memset(lsa, 0, sizeof(*lsa));
	lsa->lsa_thread_ops =
	    bench_calloc(ll->ll_threads, sizeof(lsa->lsa_thread_ops[0]));
	if (ll->ll_priority != LOCKS_PRI_NONE)
		lsa->lsa_urgency =
		    bench_calloc(LOCKS_PRIORITIES, sizeof(lsa->lsa_urgency[0]));
	lsa->lsa_has_steal = osstat_steal(&steal0, &total0);
	lsa->lsa_pause_ns = spinwork_pause_ns();
	error = run_once(ll, ops, false, lsa);
	if (error == 0 && ll->ll_kind == LOCKS_LOAD)
		error = run_once(ll, ops, true, lsa);
	lsa->lsa_has_steal &= osstat_steal(&steal1, &total1);
	if (lsa->lsa_has_steal && total1 > total0)
		lsa->lsa_steal =
		    (double)(steal1 - steal0) / (double)(total1 - total0);
	lsa->lsa_done = error == 0;
	return (error);
}

void
locks_sample_free(struct locks_sample *lsa)
{
	free(lsa->lsa_thread_ops);
	free(lsa->lsa_urgency);
	lsa->lsa_thread_ops = NULL;
	lsa->lsa_urgency = NULL;
}
