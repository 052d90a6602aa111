/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_CALIB_H
#define BENCH_CALIB_H

/*
 * Measuring this host for a preset (sim/virtual/preset.h).
 *
 * Each number is the median of many short samples, so that what preempts us
 * disturbs few of them, and is written with the range of the middle 80 %.  What
 * a host cannot show, another socket where it has but one, comes from a named
 * preset and says so.
 *
 * Where the CPUs are virtual, two of them may share a core now and not in a
 * minute, and the host does not tell.  So each pair's samples are also looked at
 * for two modes: see struct calib_pair.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "progress.h"
#include "sim/virtual/preset.h"

struct record;

/* Where two CPUs meet, as the host's topology has it. */
enum calib_distance {
	CALIB_SMT,
	CALIB_CLUSTER,
	CALIB_SOCKET,
	CALIB_REMOTE,
	NCALIB_DISTANCES
};
extern const char *const calib_distance_names[NCALIB_DISTANCES];

struct calib_stat {
	double cs_median;
	double cs_low; /* a tenth is below this */
	double cs_high;
	size_t cs_n; /* 0: not measured */
};

struct calib_pair {
	int cp_cpu[2]; /* as the operating system numbers them */
	enum calib_distance cp_distance;
	struct calib_stat cp_ns;
	/* Two modes: cp_near_share of the samples have the median cp_near_ns. */
	bool cp_bimodal;
	double cp_near_ns;
	double cp_far_ns;
	double cp_near_share;
};

struct calib {
	/* Given. */
	const struct preset *c_base;
	double c_effort; /* 1: some 20 s; less: fewer samples */
	/* What was found. */
	struct preset c_preset;
	struct calib_stat c_stats[NPRESET_FIELDS];
	struct calib_pair *c_pairs;
	size_t c_npairs;
	/* For those that measure. */
	int *c_cpus; /* that we may use, cores first */
	size_t c_ncpus;
	double c_fault_ns; /* a whole read fault of the zero page, 0: unknown */
	struct progress c_progress;
};

/*
 * Measure everything.  Returns 0 and c_preset, which calib_free() leaves alone;
 * or EX_INTERRUPTED; or another exit status, having said why.
 */
int calib_run(struct calib *c);
void calib_free(struct calib *c);

/*
 * In words: how far apart two CPUs are by what a line takes between them; and the
 * pair that is measured first, on which two threads of a benchmark run.
 *
 * Assumed: siblings of a core take 5 to 20 ns, cores that share a cache 17 to 50,
 * others more.
 */
#define CALIB_NEAR_NS 60
const char *calib_mode_of(double ns);
const char *calib_mode(const struct calib *c);

/* calib_print.c */
void calib_print(const struct calib *c, FILE *out);
void calib_record(const struct calib *c, struct record *r);

/* What follows is of the files calib_*.c. */

/* Samples worth taking where n are at full effort. */
size_t calib_count(const struct calib *c, size_t n);

/* Sorts v[0..n). */
struct calib_stat calib_stat_of(double *v, size_t n);
/*
 * Field i is the median of v[0..n) nanoseconds, which are sorted; what: how it
 * was measured, for its source.  Without samples it is the base's.
 */
void calib_measured(
    struct calib *c, unsigned i, double *v, size_t n, const char *what);
void
calib_known(struct calib *c, unsigned i, uint64_t value, const char *source);
/* Field i is what the base has; why: what this host lacks. */
void calib_from_base(struct calib *c, unsigned i, const char *why);

/*
 * Take n samples with fn, on a thread that is bound to a host CPU.  Returns how
 * many were taken: fewer when interrupted or when a sample is no number.
 */
size_t calib_sample(
    int hostcpu, size_t n, double *v, double (*fn)(void *arg), void *arg);

void calib_topology(struct calib *c);
enum calib_distance calib_distance(int a, int b);
void calib_lines(struct calib *c);  /* between CPUs */
void calib_share(struct calib *c);  /* that both want all the time */
void calib_core(struct calib *c);   /* one CPU's instructions */
void calib_memory(struct calib *c); /* caches, memory, pages */
void calib_kernel(struct calib *c); /* calls, waking, interrupts */

#endif /* BENCH_CALIB_H */
