/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

/*
 * pmapsim compare: one workload under several designs.
 *
 * The runs.  A series is a number of threads, with or without the lock profile.
 * Throughput comes from series without it, the lock table from those with it,
 * and the cost on one CPU from a series of one thread.  Every (series, design)
 * is run once in each repeat, so that a drift of the host hits all alike; the
 * design that comes first rotates.  Each run has a machine of its own.
 *
 *	cmd_compare.c	options, and what is done in which order
 *	compare_run.c	the runs
 *	compare_lock.c	tables of locks
 *	compare_sum.c	tables of everything else
 *	compare_virtual.c  the same on a modelled host: one series for a number
 *			of CPUs, always with the profile; repeats are seeds
 */

#include <stdio.h>

#include "env.h"
#include "hostvm.h"
#include "micro.h"
#include "pmapsim/workload.h"
#include "record.h"
#include "sim/pin.h"
#include "stats.h"

struct preset;         /* sim/virtual/preset.h */
struct virtual_result; /* virtual.h */

#define COMPARE_WORKLOAD "exec_exit"
#define COMPARE_PV_LOCK  "rw:pmap pv list"

/* Designs that one table has room for in 100 columns. */
#define COMPARE_COLUMNS 5

struct series {
	unsigned se_threads;
	unsigned se_cpus; /* of a modelled host */
	bool se_profile;
};

struct run {
	bool ru_done;
	bool ru_counts; /* in the tables: neither void nor cut short */
	/* Involuntary context switches: somebody else wanted the CPUs. */
	uint64_t ru_switches;
	struct workload_result ru_wr;
};

/* What a design's pv headers take on this map. */
struct headers {
	struct pv_header_report h_report;
	uint64_t h_allocated; /* says the arena */
};

struct compare {
	/* Options. */
	const char *co_preset;    /* workload and more, compare_preset.h */
	const char *co_virtual;   /* modelled host; NULL: this one */
	const char *co_cpus_text; /* of it */
	const char *co_set;       /* numbers of it */
	char *co_sets;            /* of the preset and of the user */
	const char *co_plot;
	unsigned co_jobs;
	const char *co_map;
	const char *co_threads_text;
	const char *co_designs_text;
	const char *co_pin_text;
	const char *co_json;
	struct workload_config co_wc; /* name, seed, times, parameters */
	unsigned co_repeats;
	bool co_locks;
	bool co_quick;
	bool co_check;

	/* What they mean. */
	struct memmap *co_mm;
	char **co_designs;
	size_t co_ndesigns;
	unsigned *co_threads;
	size_t co_nthreads;
	enum pin_order co_pin;
	struct preset *co_host;   /* modelled */
	unsigned *co_cpus;        /* [co_nthreads], modelled */
	FILE *co_out;             /* the tables */
	struct record *co_record; /* NULL: no records */
	struct env co_env;

	/* Results. */
	struct series *co_series;
	size_t co_nseries;
	struct run *co_runs;                /* [series][design][repeat] */
	struct virtual_result *co_vresults; /* as co_runs; modelled */
	struct headers *co_headers;         /* [design] */
	struct micro_config co_micro;
	struct micro_sample *co_samples; /* [design][repeat] */
	size_t *co_nsamples;             /* [design] */
	struct hostvm co_hostvm;
	bool co_has_hostvm;
	unsigned co_nvoid;
	unsigned co_nwrong; /* headers, goals: what must hold and does not */
	bool co_interrupted;
	uint64_t co_begin_ns;
};

/* Fill in co_series and make room for the results. */
void compare_plan(struct compare *co);
void compare_free(struct compare *co);

/* Measure everything.  Returns 0 or an exit status, having said why. */
int compare_measure(struct compare *co);

static inline struct run *
compare_at(
    const struct compare *co, size_t series, size_t design, unsigned repeat)
{
	return (
	    &co->co_runs[(series * co->co_ndesigns + design) * co->co_repeats +
		repeat]);
}

/* The first record.  env, of the host, is given away. */
void compare_record_header(struct compare *co, const char *kind, json_t *env);
/*
 * The last one, with the exit status, which it returns: error, or if that is 0
 * what the results say.
 */
int compare_end(struct compare *co, int error);

/* On a modelled host: options, and everything.  As their namesakes. */
int compare_virtual_configure(struct compare *co);
int compare_virtual(struct compare *co);

/* The most threads that any run has. */
unsigned compare_max_threads(const struct compare *co);

/* The series, or NULL when it was not asked for. */
const struct series *
compare_find_series(const struct compare *co, unsigned threads, bool profile);

/*
 * Median and range of fn over the runs that count of one series and design.
 * arg is handed to fn.  series may be NULL: nothing.
 */
struct stats compare_stats(const struct compare *co,
    const struct series *series, size_t design,
    double (*fn)(const struct workload_result *wr, const void *arg),
    const void *arg);

/* Median of involuntary context switches, per second and thread. */
double compare_switches(
    const struct compare *co, const struct series *series, size_t design);

/* Metrics of a run, for compare_stats(); arg is not used unless said. */
double run_mops(const struct workload_result *wr, const void *arg);

/* The tables, each with its title. */
void compare_print_command(const struct compare *co);
void compare_print_params(const struct compare *co);
void compare_print_map(const struct compare *co);
void compare_print_header(const struct compare *co);
void compare_print_voids(const struct compare *co);
void compare_print_locks(const struct compare *co, unsigned threads);
void compare_print_sites(const struct compare *co, unsigned threads);
void compare_print_summary(const struct compare *co, unsigned threads);
void compare_print_headers(struct compare *co);
void compare_print_goals(struct compare *co);

/* The first cells of a table: what, then a column for each design. */
struct table *compare_table(
    const struct compare *co, size_t first, size_t n, const char *what);

#endif /* BENCH_COMPARE_H */
