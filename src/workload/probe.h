/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_PROBE_H
#define WORKLOAD_PROBE_H

/*
 * Small experiments that real mode and the virtual machine do alike, so that what
 * a model predicts can be held against what a host does.
 *
 *	pingpong  two threads take turns at a line: nanoseconds one way
 *	counter	  threads add to one line: nanoseconds an addition of any of them
 *	readers	  one thread adds to a line, the others read it: an addition
 *	enter	  each thread enters pages of its own and removes them: a page
 *	share	  the same with one set of pages, each in its own pmap
 *	processes each thread faults its own pages in, as the threads of many
 *		  processes, and unmaps them: nanoseconds a fault of all together
 *	threads	  the same in one address space, whose map has one lock
 *	queue	  threads arrive at one mutex at random and hold it for times of
 *		  their own: what queueing theory predicts.  Virtual only: what
 *		  passes there are charges.
 *
 * A run takes samples; before each one all threads meet at a gate.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;

/* X(enumerator, "name") */
#define PROBE_KINDS(X)                                                         \
	X(PROBE_PINGPONG, "pingpong")                                          \
	X(PROBE_COUNTER, "counter")                                            \
	X(PROBE_READERS, "readers")                                            \
	X(PROBE_ENTER, "enter")                                                \
	X(PROBE_SHARE, "share")                                                \
	X(PROBE_PROCESSES, "processes")                                        \
	X(PROBE_THREADS, "threads")                                            \
	X(PROBE_QUEUE, "queue")

enum probe_kind {
#define PROBE_ENUM(e, name) e,
	PROBE_KINDS(PROBE_ENUM)
#undef PROBE_ENUM
	NPROBE_KINDS
};

extern const char *const probe_kinds[NPROBE_KINDS];

#define PROBE_THREADS_MAX 1024
#define PROBE_PAGES       1008 /* six full pv chunks */

struct probe_config {
	enum probe_kind pc_kind;
	unsigned pc_threads;
	const unsigned *pc_cpus; /* [pc_threads], of the machine */
	const int *pc_hostcpus;  /* [pc_threads], -1: anywhere; or NULL */
	unsigned pc_samples;
	uint64_t pc_ops;   /* by a thread, in a sample */
	unsigned pc_pages; /* of a thread; share: of all */
	uint64_t pc_seed;
	/* queue: a thread's mean time between arrivals, and its mean hold. */
	uint64_t pc_gap_ns;
	uint64_t pc_hold_ns;
	atomic_bool *pc_stop; /* may be NULL */
};

struct probe_result {
	double *pr_ns; /* [pc_samples], the caller's */
	unsigned pr_nsamples;
	/* Of queue, instead. */
	uint64_t pr_count;     /* acquisitions */
	uint64_t pr_contested; /* by the lock profile */
	uint64_t pr_wait_ns;   /* the same */
	uint64_t pr_elapsed_ns;
	double pr_hold_ns; /* sum of holds, and of their squares */
	double pr_hold2_ns;
};

/*
 * Run on a machine that nobody else uses and that has as many CPUs as pc_cpus
 * names; for queue with its lock profile.  Returns 0; EINTR, by pc_stop; EAGAIN,
 * no threads; ENOMEM; EOPNOTSUPP, a queue in real mode.
 */
int probe_run(
    struct machine *m, const struct probe_config *pc, struct probe_result *pr);

#endif /* WORKLOAD_PROBE_H */
