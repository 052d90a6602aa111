/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One run of one backend.  How it goes is in locks.h.
 *
 * Costs of our own, the same for all and priced by the backend "none": the call
 * through the table, two steps of a generator, publishing a count, the bump of
 * the generation where the lock does not do it.
 *
 * Times of single acquisitions are right to some tens of nanoseconds: the CPU
 * may read its counter before the work in front of it is done (see clock.c).
 */

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "fifo.h"
#include "kern/kassert.h"
#include "locks.h"
#include "osstat.h"
#include "sim/clock.h"
#include "spinwork.h"

#define PAIR_BATCH   256  /* pairs between two readings of the clock */
#define PAIR_BATCHES 4096 /* kept, the last ones */
#define PAIR_WINDOW  8000000
#define WARMUP_MIN   4000000
#define SLICE_NS     20000000 /* between looks at bench_stop */
#define NPRIORITIES  4
#define PRI_STEP     8
/* A sample of all counts that took longer is taken anew, so many times. */
#define SAMPLE_NS    20000
#define SAMPLE_TRIES 50

struct run;

/* What a thread does in a run. */
struct worker {
	/* Written at each operation, read twice. */
	_Alignas(CACHE_PAIR_SIZE) _Atomic uint64_t w_ops;

	_Alignas(CACHE_PAIR_SIZE) struct run *w_run;
	void *w_thread;
	unsigned w_i;
	uint64_t w_random;
	uint64_t w_writes;
	uint64_t w_time_ns; /* with ll_ops: what they took */
	uint64_t w_streak;
	bool w_has_switches;
	uint64_t w_voluntary;
	uint64_t w_involuntary;
	int w_error;
	struct thread *w_td;
	struct hist *w_wait; /* NULL: not timed */
	struct hist *w_hold;
	double *w_batches; /* LOCKS_PAIR */
	size_t w_nbatches;
};

/* Who had a lock last; guarded by it.  Only where times are taken. */
struct last {
	_Alignas(CACHE_LINE_SIZE) unsigned la_worker;
	uint64_t la_streak;
};

struct run {
	const struct locks_load *r_load;
	const struct pv_lock_ops *r_ops;
	struct locks_array r_array;
	struct locks_bed r_bed;
	struct worker *r_workers;
	struct last *r_last; /* [locks], NULL: not timed */
	unsigned r_ncpus;
	bool r_bump; /* the generation is ours to bump */
	uint64_t r_inside;
	_Alignas(CACHE_PAIR_SIZE) _Atomic unsigned r_ready;
	_Alignas(CACHE_PAIR_SIZE) _Atomic bool r_go;
	_Atomic bool r_stop;
};

static inline uint64_t
next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return (x * UINT64_C(0x2545f4914f6cdd1d));
}

/* From 0 to n - 1. */
static inline uint64_t
scale_random(uint64_t r, uint64_t n)
{
	return (((r >> 32) * n) >> 32);
}

static bool
stopped(struct run *r)
{
	/* Relaxed: a flag that is polled; nothing else is passed on. */
	return (atomic_load_explicit(&r->r_stop, memory_order_relaxed));
}

/*
 * Increments of what the lock guards.  Relaxed atomics: a broken lock costs
 * counts, which we can see, and is not undefined behaviour, which we could not.
 */
static inline void
increment(char *header, const struct locks_array *la, unsigned n)
{
	_Atomic uint64_t *p = (void *)(header + la->la_count_off);

	for (; n > 0; n--) {
		/* Relaxed: the lock has to do what is needed. */
		uint64_t v = atomic_load_explicit(p, memory_order_relaxed);

		/* Relaxed: as above. */
		atomic_store_explicit(p, v + 1, memory_order_relaxed);
	}
}

static inline void
bump(char *header, const struct locks_array *la)
{
	_Atomic uint32_t *p = (void *)(header + la->la_gen_off);
	/* Relaxed: the lock has to do what is needed. */
	uint32_t v = atomic_load_explicit(p, memory_order_relaxed);

	/* Relaxed: as above. */
	atomic_store_explicit(p, v + 1, memory_order_relaxed);
}

/* Under an exclusive hold: how often in a row has this thread had it? */
static void
keep_streak(struct worker *w, struct last *last)
{
	if (last->la_worker == w->w_i + 1) {
		last->la_streak++;
	} else {
		last->la_worker = w->w_i + 1;
		last->la_streak = 1;
	}
	if (last->la_streak > w->w_streak)
		w->w_streak = last->la_streak;
}

static inline void
hold_exclusively(
    struct worker *w, struct run *r, char *header, unsigned i, bool modify)
{
	const struct locks_array *la = &r->r_array;
	void *word = header + la->la_word_off;
	uint64_t t0 = 0, t1 = 0, t2 = 0;
	bool timed = w->w_wait != NULL;

	if (timed)
		t0 = clock_ns();
	r->r_ops->plo_lock(word);
	if (timed) {
		t1 = clock_ns();
		keep_streak(w, &r->r_last[i]);
	}
	if (modify)
		increment(header, la, r->r_load->ll_increments);
	spinwork(r->r_inside);
	if (modify && r->r_bump)
		bump(header, la);
	if (timed)
		t2 = clock_ns();
	r->r_ops->plo_unlock(word, modify);
	w->w_writes += modify;
	if (timed) {
		hist_add(w->w_wait, t1 > t0 ? t1 - t0 : 0);
		hist_add(w->w_hold, t2 > t1 ? t2 - t1 : 0);
	}
}

static void
hold_shared(struct worker *w, struct run *r, char *header)
{
	void *word = header + r->r_array.la_word_off;
	uint64_t t0 = 0, t1 = 0, t2 = 0;
	bool timed = w->w_wait != NULL;

	if (timed)
		t0 = clock_ns();
	r->r_ops->plo_rlock(word);
	if (timed)
		t1 = clock_ns();
	spinwork(r->r_inside);
	if (timed)
		t2 = clock_ns();
	r->r_ops->plo_runlock(word);
	if (timed) {
		hist_add(w->w_wait, t1 > t0 ? t1 - t0 : 0);
		hist_add(w->w_hold, t2 > t1 ? t2 - t1 : 0);
	}
}

static void
work(struct worker *w, struct run *r)
{
	const struct locks_load *ll = r->r_load;
	uint64_t outside_min = spinwork_rounds(ll->ll_outside_min_ns);
	uint64_t outside_range =
	    spinwork_rounds(ll->ll_outside_max_ns) - outside_min + 1;
	uint64_t ops = 0, random, t0 = clock_ns();
	unsigned i = w->w_i % ll->ll_nlocks;
	char *header;

	while (!stopped(r) && (ll->ll_ops == 0 || ops < ll->ll_ops)) {
		random = next_random(&w->w_random);
		if (ll->ll_random)
			i = (unsigned)scale_random(random, ll->ll_nlocks);
		header = r->r_array.la_base + i * r->r_array.la_stride;
		random = next_random(&w->w_random);
		if (ll->ll_readers > 0 && random % 100 < ll->ll_readers) {
			if (r->r_ops->plo_rlock != NULL)
				hold_shared(w, r, header);
			else
				hold_exclusively(w, r, header, i, false);
		} else {
			hold_exclusively(w, r, header, i, true);
		}
		/* Relaxed: a count; read by the thread that takes samples. */
		atomic_store_explicit(&w->w_ops, ++ops, memory_order_relaxed);
		/* Nobody else would end a fixed number of operations. */
		if (ll->ll_ops > 0 && ops % 1024 == 0 && bench_stopped())
			break;
		if (ll->ll_outside_max_ns > 0)
			spinwork(
			    outside_min + scale_random(random, outside_range));
	}
	w->w_time_ns = clock_ns() - t0;
}

/* Lock and unlock as one would write it, timed in batches. */
static void
work_pairs(struct worker *w, struct run *r)
{
	const struct pv_lock_ops *ops = r->r_ops;
	char *header = r->r_array.la_base;
	void *word = header + r->r_array.la_word_off;
	uint64_t batches = 0, t0, end;

	t0 = clock_ns();
	end = t0 + PAIR_WINDOW;
	while (t0 < end && !stopped(r)) {
		uint64_t t1;

		for (int k = 0; k < PAIR_BATCH; k++) {
			ops->plo_lock(word);
			if (r->r_bump)
				bump(header, &r->r_array);
			ops->plo_unlock(word, true);
		}
		t1 = clock_ns();
		w->w_batches[batches++ % PAIR_BATCHES] =
		    (double)(t1 - t0) / PAIR_BATCH;
		t0 = t1;
	}
	w->w_nbatches = batches < PAIR_BATCHES ? batches : PAIR_BATCHES;
	/* Relaxed: read after the thread is joined. */
	atomic_store_explicit(
	    &w->w_ops, batches * PAIR_BATCH, memory_order_relaxed);
}

static void
pass_gate(struct run *r)
{
	/* Release: the fields above are there for who waits for us. */
	atomic_fetch_add_explicit(&r->r_ready, 1, memory_order_release);
	/* Acquire: the gate opens when everything is set up. */
	while (!atomic_load_explicit(&r->r_go, memory_order_acquire))
		(void)sched_yield();
}

static void
worker_main(void *arg)
{
	struct worker *w = arg;
	struct run *r = w->w_run;
	const struct locks_load *ll = r->r_load;
	uint64_t voluntary = 0, involuntary = 0;
	int pri = PRI_DEFAULT;

	if (ll->ll_priority == LOCKS_PRI_SIM)
		pri += (int)(w->w_i % NPRIORITIES) * PRI_STEP;
	w->w_error =
	    locks_bed_attach(&r->r_bed, w->w_i % r->r_ncpus, pri, &w->w_td);
	pass_gate(r);
	/* Not before: a waiting thread would keep those below from the gate. */
	if (w->w_error == 0 && ll->ll_priority == LOCKS_PRI_FIFO)
		w->w_error = fifo_set(w->w_i % NPRIORITIES);
	if (w->w_error == 0) {
		w->w_has_switches = osstat_switches(&voluntary, &involuntary);
		if (ll->ll_kind == LOCKS_PAIR)
			work_pairs(w, r);
		else
			work(w, r);
		if (w->w_has_switches &&
		    osstat_switches(&w->w_voluntary, &w->w_involuntary)) {
			w->w_voluntary -= voluntary;
			w->w_involuntary -= involuntary;
		}
	}
	if (w->w_td != NULL)
		locks_bed_detach(w->w_td);
}

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
		    r->r_bed.lb_sim, cpu, worker_main, w, &w->w_thread);
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
		error = fifo_set(NPRIORITIES);
	n = error == 0 ? start_workers(r, &error) : 0;
	/* With fewer threads than asked for, what is there has nothing to do. */
	if (error != 0)
		stop(r);
	open_gate(r, n);
	if (error == 0 && ll->ll_kind == LOCKS_LOAD && ll->ll_ops == 0) {
		interrupted =
		    !pass_time(warmup < WARMUP_MIN ? WARMUP_MIN : warmup);
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
	lsa->lsa_thread_ops = NULL;
}
