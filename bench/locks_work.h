/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_LOCKS_WORK_H
#define BENCH_LOCKS_WORK_H

/*
 * Within a run: what is shared by the threads that work (locks_work.c) and the
 * one that starts, watches and stops them (locks_run.c).
 */

#include <stdatomic.h>

#include "kern/cpu.h"
#include "locks.h"

#define PAIR_BATCH   256  /* pairs between two readings of the clock */
#define PAIR_BATCHES 4096 /* kept, the last ones */

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

/* What a thread runs; arg is its struct worker. */
void locks_work(void *arg);

#endif /* BENCH_LOCKS_WORK_H */
