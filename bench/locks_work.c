/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the threads of a run do.
 *
 * Costs of our own, the same for all and priced by the backend "none": the call
 * through the table, two steps of a generator, publishing a count, the bump of
 * the generation where the lock does not do it.
 *
 * Times of single acquisitions are right to some tens of nanoseconds: the CPU
 * may read its counter before the work in front of it is done (see clock.c).
 */

#include "locks_work.h"

#include <sched.h>

#include "bench.h"
#include "fifo.h"
#include "osstat.h"
#include "random.h"
#include "sim/clock.h"
#include "spinwork.h"

#define PAIR_WINDOW_NS 8000000
#define PRI_STEP       8

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
		random = bench_random(&w->w_random);
		if (ll->ll_random)
			i = (unsigned)scale_random(random, ll->ll_nlocks);
		header = r->r_array.la_base + i * r->r_array.la_stride;
		random = bench_random(&w->w_random);
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
	end = t0 + PAIR_WINDOW_NS;
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

void
locks_work(void *arg)
{
	struct worker *w = arg;
	struct run *r = w->w_run;
	const struct locks_load *ll = r->r_load;
	uint64_t voluntary = 0, involuntary = 0;
	int pri = PRI_DEFAULT;

	if (ll->ll_priority == LOCKS_PRI_SIM)
		pri += (int)(w->w_i % LOCKS_PRIORITIES) * PRI_STEP;
	w->w_error =
	    locks_bed_attach(&r->r_bed, w->w_i % r->r_ncpus, pri, &w->w_td);
	pass_gate(r);
	/* Not before: a waiting thread would keep those below from the gate. */
	if (w->w_error == 0 && ll->ll_priority == LOCKS_PRI_FIFO)
		w->w_error =
		    fifo_set(LOCKS_PRIORITIES - 1 - w->w_i % LOCKS_PRIORITIES);
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
