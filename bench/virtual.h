/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_VIRTUAL_H
#define BENCH_VIRTUAL_H

/*
 * Runs on a modelled host.
 *
 * pmapsim itself cannot: the library is compiled a second time, for another
 * runtime (src/sim/virtual), into the program pmapsim-virtual, which has the same
 * commands.  A command of pmapsim that is asked for a virtual run becomes that
 * program (virtual_exec.c).
 *
 * There a task is one world: a machine with a design, a workload, a seed.  Each
 * has a process of its own, some of them at a time, and what it finds comes back
 * through a pipe (virtual_jobs.c).  Tasks know nothing of each other, and results
 * are delivered in their order, so that nothing depends on how many there are at
 * a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pmapsim/machine.h"
#include "pmapsim/workload.h"
#include "sim/virtual/preset.h"
#include "sim/virtual/stats.h"

/*
 * Become pmapsim-virtual, with the same arguments; argv[0] is the command.  It
 * lies beside this program or in the libexec folder of its installation.  Returns
 * EX_UNAVAILABLE, having said why; in pmapsim-virtual, which has nobody to become,
 * 0.
 */
int virtual_exec(int argc, char *argv[]);

/* Is this pmapsim-virtual? */
extern const bool virtual_here;

#define VIRTUAL_LINES     24 /* hottest lines that a result has */
#define VIRTUAL_KINDS     24 /* kinds of lines */
#define VIRTUAL_TEXT_MAX  160
#define VIRTUAL_CLASS_MAX 40

struct virtual_task {
	const struct memmap *vt_map;
	const char *vt_design;
	const struct preset *vt_preset;
	unsigned vt_cpus;
	struct workload_config vt_wc; /* its seed is that of the world too */
};

/* A hot line by the names of what lies in it. */
struct virtual_line {
	char vl_text[VIRTUAL_TEXT_MAX];
	unsigned vl_structures; /* more than 1: they share it */
	struct vstat_line vl_stat;
};

/* All lines, or parts of lines, with the same field of the same structure. */
struct virtual_kind {
	char vk_text[80];
	uint64_t vk_ps;
	uint64_t vk_queue_ps;
	uint64_t vk_misses;
	uint64_t vk_remote;
};

struct virtual_class {
	char vc_name[VIRTUAL_CLASS_MAX]; /* "pmap pv list"; [0]: none, "" */
	uint64_t vc_ps[NVT];             /* the wait stack's part */
	uint64_t vc_waits;
	uint64_t vc_handoffs[NVD];
	uint64_t vc_waited_ps[VSTAT_INTERVALS];
};

struct virtual_result {
	struct workload_result vr_wr;
	struct pv_header_report vr_headers;
	uint64_t vr_headers_allocated;
	uint64_t vr_hash;
	uint64_t vr_accesses; /* from the world's begin to its end */
	uint64_t vr_switches;
	uint64_t vr_interval_ps;
	unsigned vr_nclasses;
	unsigned vr_nlines;
	unsigned vr_nkinds;
	struct virtual_class vr_class[VSTAT_CLASSES];
	struct virtual_line vr_line[VIRTUAL_LINES];
	struct virtual_kind vr_kind[VIRTUAL_KINDS];
	struct vstat_line vr_sum; /* of all lines */
	double vr_host_s;         /* CPU time of this host */
};

/*
 * One task, in this process, whose only world it is.  Returns 0 and *vr, whose
 * vr_wr is to be freed; or an exit status, having said why.
 */
int virtual_task_run(const struct virtual_task *vt, struct virtual_result *vr);

/*
 * Called with the result of task i, in their order; it has to free vr_wr.  Not
 * 0: no more.
 */
typedef int
virtual_done_fn(void *arg, size_t i, const struct virtual_result *vr);

/*
 * Run tasks, jobs of them at a time.  Returns 0, also when bench_stop was set and
 * not all were run; an exit status, having said why; or what done returned.
 */
int virtual_jobs_run(const struct virtual_task *tasks, size_t n, unsigned jobs,
    virtual_done_fn *done, void *arg);

#endif /* BENCH_VIRTUAL_H */
