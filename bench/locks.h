/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_LOCKS_H
#define BENCH_LOCKS_H

/*
 * pmapsim locks: backends of the pv list lock, and locks of other libraries,
 * beside each other.
 *
 * The runs.  A series is a load: so many threads, pinned so, with so much to do
 * inside and outside of the lock.  Each (series, backend) is run once in each
 * repeat; the backend that comes first rotates.  A run by time goes like this:
 *
 *	threads start -> gate opens -> warm-up -> window -> stop
 *
 * Only what is done in the window counts, all threads work before it begins
 * and after it has ended, and it is as long as the clock says it was.  Times of
 * single acquisitions come from a second run of the same kind, so that reading
 * the clock and keeping the streak does not disturb the first one.
 *
 * Each lock lies in a header of the size that a pv header with it has, its word
 * and what it guards as in the pmap; the generation is bumped at each release of
 * an exclusive hold, by the lock or, where it does not, by us.
 *
 *	cmd_locks.c	options, and what is done in which order
 *	locks_opt.c	options into series, locks_names.c into backends
 *	locks_bed.c	a machine's threads and locks, without its memory
 *	locks_run.c	one run, locks_work.c what its threads do
 *	locks_print.c	tables
 *	locks_bars.c	what the locks of this library are meant to reach
 *	locks_record.c	JSON lines
 */

#include <stdio.h>

#include "env.h"
#include "hist.h"
#include "pmapsim/pv_lock.h"
#include "progress.h"
#include "record.h"
#include "sim/pin.h"
#include "sim/sim.h"
#include "stats.h"

#define LOCKS_BASELINE    "pthread_mutex"
#define LOCKS_THREADS_MAX 1024
#define LOCKS_MAX         (1u << 22)
#define LOCKS_PRIORITIES  4

/* A machine's threads and locks: what a backend needs around it. */
struct locks_bed {
	struct kmem *lb_kmem;
	struct sim *lb_sim;
};
/* Returns 0 or an errno value. */
int locks_bed_create(unsigned ncpus, struct locks_bed *lb);
void locks_bed_destroy(struct locks_bed *lb);
/* The calling thread takes part.  Returns 0 or an errno value. */
int locks_bed_attach(
    struct locks_bed *lb, unsigned cpu, int pri, struct thread **tdp);
void locks_bed_detach(struct thread *td);

/*
 * Headers, as the pmap layer lays them out: the word, or the generation that it
 * lives in, and a counter where the list would be.
 */
struct locks_array {
	const struct pv_lock_ops *la_ops;
	char *la_base;
	size_t la_stride;
	size_t la_word_off;
	size_t la_count_off;
	size_t la_gen_off;
	unsigned la_n;
	unsigned la_made; /* words that were initialised */
};
/* Returns 0 or an errno value.  line: each header on cache lines of its own. */
int locks_array_create(struct locks_array *la, const struct pv_lock_ops *ops,
    unsigned n, bool line);
void locks_array_destroy(struct locks_array *la);
/* Of all headers. */
uint64_t locks_array_count(const struct locks_array *la);

enum locks_kind {
	LOCKS_LOAD,
	LOCKS_PAIR, /* lock and unlock, nothing else, one thread */
};

enum locks_priority {
	LOCKS_PRI_NONE, /* all alike */
	/* Threads get four of them in turn, the most urgent first. */
	LOCKS_PRI_SIM,  /* the model's */
	LOCKS_PRI_FIFO, /* the host's, of SCHED_FIFO */
};

struct locks_load {
	enum locks_kind ll_kind;
	unsigned ll_threads;
	enum pin_order ll_pin;
	unsigned ll_nlocks;
	bool ll_line;
	bool ll_random;         /* a lock at random, each time */
	const char *ll_inside;  /* as it was asked for */
	unsigned ll_increments; /* of the counter, inside */
	uint64_t ll_inside_ns;
	uint64_t ll_outside_min_ns;
	uint64_t ll_outside_max_ns;
	unsigned ll_readers; /* percent */
	enum locks_priority ll_priority;
	uint64_t ll_window_ns;
	uint64_t ll_ops; /* of each thread; 0: by time */
};

/* One repeat of one backend under one load. */
struct locks_sample {
	bool lsa_done;
	char lsa_void[80]; /* why it does not count, or "" */
	uint64_t lsa_elapsed_ns;
	uint64_t lsa_ops;
	uint64_t *lsa_thread_ops; /* [threads]; with ll_ops: their times, ns */
	double lsa_pair_ns;       /* LOCKS_PAIR */
	double lsa_jain;
	uint64_t lsa_lost; /* updates, of both runs */
	uint64_t lsa_sleeps;
	uint64_t lsa_wakes;
	bool lsa_has_switches;
	uint64_t lsa_voluntary; /* while lsa_all_ops were done */
	uint64_t lsa_involuntary;
	uint64_t lsa_all_ops;
	unsigned lsa_unbound; /* threads that could not be pinned */
	bool lsa_has_steal;
	double lsa_steal; /* part of the CPUs' time */
	double lsa_pause_ns;
	/* Of the second run. */
	struct hist lsa_wait;
	struct hist lsa_hold;
	struct hist *lsa_urgency; /* [LOCKS_PRIORITIES] waits, or NULL */
	uint64_t lsa_streak;
};

/*
 * Run one.  Returns 0, also for a run that is void, or an errno value: EINTR
 * when it was interrupted.
 */
int locks_run(const struct locks_load *ll, const struct pv_lock_ops *ops,
    struct locks_sample *lsa);
void locks_sample_free(struct locks_sample *lsa);

struct locks {
	/* Options. */
	const char *lk_threads_text;
	const char *lk_pin_text;
	const char *lk_backends_text;
	const char *lk_inside_text;
	const char *lk_outside_text;
	const char *lk_pick_text;
	const char *lk_spacing_text;
	const char *lk_priority_text;
	const char *lk_preset_text;
	const char *lk_json;
	unsigned lk_nlocks;
	unsigned lk_readers;
	unsigned lk_cpus;
	unsigned lk_repeats;
	uint64_t lk_window_ns;
	uint64_t lk_ops;

	/* What they mean. */
	const struct pv_lock_ops **lk_backends;
	size_t lk_nbackends;
	struct locks_load *lk_series;
	size_t lk_nseries;
	char **lk_insides; /* what ll_inside points into */
	bool lk_bars;
	FILE *lk_out;
	struct record *lk_record;
	struct env lk_env;

	/* Results: [series][backend][repeat]. */
	struct locks_sample *lk_samples;
	unsigned lk_nvoid;
	unsigned lk_nmissed;
	bool lk_interrupted;
};

static inline struct locks_sample *
locks_at(const struct locks *lk, size_t series, size_t backend, unsigned repeat)
{
	return (&lk->lk_samples[(series * lk->lk_nbackends + backend) *
		lk->lk_repeats +
	    repeat]);
}

/* Does this backend run under this load? */
bool locks_applies(const struct locks_load *ll, const struct pv_lock_ops *ops);
/* Is it one of ours that sleeps?  Its sleeps and wake-ups are counted. */
bool locks_uses_turnstiles(const struct pv_lock_ops *ops);
/* The backend of that name, or lk_nbackends. */
size_t locks_find(const struct locks *lk, const char *name);

/*
 * The index of text among words; NULL is the first.  Returns 0 or EX_USAGE,
 * having said why.
 */
int locks_read_word(const char *option, const char *text,
    const char *const *words, size_t n, unsigned *indexp);
/* Options into lk_series, the uncontended pair first.  Returns 0 or EX_USAGE. */
int locks_read_series(struct locks *lk);

/*
 * The backends named between commas, the peers that were built among them; NULL:
 * all.  The list is malloc()ed.  Returns 0 or EX_USAGE, having said why.
 */
int locks_read_backends(
    const char *text, const struct pv_lock_ops ***listp, size_t *np);
/* Append one by its name, unless it is there. */
void locks_add_backend(
    const struct pv_lock_ops ***listp, size_t *np, const char *name);

/* Metrics of a sample; NAN where it has none. */
typedef double locks_metric_fn(const struct locks_sample *lsa);
locks_metric_fn locks_mops;
locks_metric_fn locks_op_ns; /* of all threads together */
locks_metric_fn locks_pair_ns;
locks_metric_fn locks_jain;
locks_metric_fn locks_max_wait_us;
locks_metric_fn locks_sleeps;
locks_metric_fn locks_wakes;
locks_metric_fn locks_voluntary;
locks_metric_fn locks_involuntary;

/*
 * Median and range of a metric over the repeats that count; of none for a
 * backend that locks_find() did not find.
 */
struct stats locks_stats(
    const struct locks *lk, size_t series, size_t backend, locks_metric_fn *fn);

void locks_print_header(const struct locks *lk);
/* "8 threads, short" */
void locks_load_title(const struct locks_load *ll, char *buf, size_t size);
void locks_print_series(const struct locks *lk, size_t series);
void locks_print_voids(const struct locks *lk);

/* The loads of the bars, and whether they are met; counts in lk_nmissed. */
void locks_bars_series(struct locks *lk);
void locks_print_bars(struct locks *lk);
/* The backends of --preset bars, between commas; those of peers are added. */
extern const char locks_bars_backends[];

void locks_record_header(const struct locks *lk);
void locks_record_bar(const struct locks *lk, unsigned row, const char *lock,
    const char *what, const char *other, double bar, double found, bool ok);
void locks_record_run(
    const struct locks *lk, size_t series, size_t backend, unsigned repeat);

#endif /* BENCH_LOCKS_H */
