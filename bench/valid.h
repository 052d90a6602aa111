/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_VALID_H
#define BENCH_VALID_H

/*
 * Does the model predict what this host does?  The same experiments
 * (workload/probe.h) run in real mode here and in the virtual machine, which has
 * this host's numbers, and are compared, rung by rung:
 *
 *	L0  a line between two CPUs takes what the preset says, exactly
 *	L1  threads that add to, or read, one line
 *	L2  entering and removing pages, alone and with the same pages
 *	L3  waiting for a lock is what queueing theory says of its holds
 *	L4  steps between designs are as published
 *	L5  what was published of a large host comes in the same order
 *
 * What holds exactly or within a bound is said to, and what does not is said to
 * be missed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "sim/virtual/preset.h"
#include "workload/probe.h"

struct memmap;
struct record;

#define VALID_SAMPLES_MAX 4096
#define VALID_DESIGN      "sparse/rwlock+chunks=global"

/* An experiment. */
struct valid_job {
	enum probe_kind vj_kind;
	unsigned vj_threads;
	unsigned vj_cpus[PROBE_THREADS_MAX]; /* of the machine */
	int vj_hostcpus[PROBE_THREADS_MAX];  /* real mode */
	unsigned vj_ncpus;                   /* of the machine */
	unsigned vj_samples;
	uint64_t vj_ops;
	unsigned vj_pages; /* 0: PROBE_PAGES */
	uint64_t vj_seed;
	uint64_t vj_gap_ns;
	uint64_t vj_hold_ns;
};

/* What came of it. */
struct valid_found {
	double vf_ns[VALID_SAMPLES_MAX]; /* sorted */
	unsigned vf_n;
	double vf_median;
	double vf_low; /* a tenth is below this */
	double vf_high;
	struct probe_result vf_probe; /* of a queue; pr_ns is NULL */
};

/*
 * In this process: in real mode, or, where the program is pmapsim-virtual, on the
 * host of a preset.  Returns 0, or an exit status, having said why.
 */
int valid_run(
    const struct valid_job *vj, const struct preset *p, struct valid_found *vf);
/* The median and what belongs to it, of vf_ns[0..vf_n). */
void valid_sum_up(struct valid_found *vf);

/*
 * valid_real.c and valid_virtual.c: call fn(arg) in a world with so many CPUs, or
 * just so.  Returns 0 or an errno value.
 */
int valid_world(const struct preset *p, unsigned ncpus, uint64_t seed,
    void (*fn)(void *arg), void *arg);

/*
 * In pmapsim-virtual, as a child of this process, on the host that the preset
 * describes.  Returns as above.
 */
int valid_predict(
    const struct valid_job *vj, const struct preset *p, struct valid_found *vf);

/*
 * pmapsim-virtual with these words, the first of which is the command; what it
 * writes to its standard output is text, ended by NUL.  Returns its exit status.
 */
int valid_child(int argc, char *argv[], char *text, size_t size);

/* One line of the table. */
enum valid_verdict {
	VALID_HOLDS,
	VALID_MISSED, /* outside a bound that must hold */
	VALID_ORDER,  /* on the same side of 1 as what was published */
	VALID_OTHER_ORDER,
	VALID_NO_ORDER, /* too near to 1 to say */
	VALID_NO_BOUND
};

struct valid_row {
	const char *vw_rung;
	char vw_what[96];
	double vw_predicted;
	double vw_measured;
	double vw_low; /* of what was measured; 0: no range */
	double vw_high;
	double vw_error; /* predicted / measured - 1 */
	double vw_bound; /* of its absolute value; < 0: none */
	enum valid_verdict vw_verdict;
	const char *vw_unit;
};

/* Ratios within 5 % of 1 are no order. */
enum valid_verdict valid_order(double model, double published);

struct valid {
	/* Given. */
	struct preset v_preset;
	double v_effort;
	const int *v_hostcpus; /* in the order in which threads take them */
	unsigned v_nhostcpus;
	/* Found. */
	struct valid_row *v_rows;
	size_t v_nrows;
	unsigned v_missed;
	struct record *v_record; /* may be NULL */
};

/* The rungs.  Each returns 0 or an exit status, having said why. */
int valid_l0(struct valid *v);
int valid_l1(struct valid *v);
int valid_l2(struct valid *v);
int valid_l3(struct valid *v);
int valid_l4(struct valid *v); /* valid_build.c */
int valid_l5(struct valid *v); /* valid_anchors.c */

/*
 * Add a row: error and verdict are worked out; bound < 0: none.  rung and unit
 * are constant.
 */
struct valid_row *valid_row(struct valid *v, const char *rung, const char *unit,
    double predicted, double measured, double bound, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));

/* An experiment on the CPUs 0 to threads - 1 of as large a machine. */
void
valid_job_begin(struct valid_job *vj, enum probe_kind kind, unsigned threads);

void valid_print(const struct valid *v, FILE *out);

#endif /* BENCH_VALID_H */
