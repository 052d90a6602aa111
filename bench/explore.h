/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_EXPLORE_H
#define BENCH_EXPLORE_H

/*
 * pmapsim explore: small scenarios, each in thousands of orders.
 *
 * The command of pmapsim reads the options and becomes pmapsim-explore, a program
 * of the same library compiled for fibers and with its invariants on.  There a
 * target, a scenario with a design, goes through
 *
 *	learn	   some runs, to see which places threads share
 *	look	   runs by the strategy, in some processes at a time
 *	again	   what failed, from its plan
 *	minimise   while a choice can be left out
 *	show	   the shortest, recorded
 *
 * (src/sim/virtual/explore.h says what runs, points and plans are.)  Each run that
 * may fail is made in a child process, since what a failure leaves behind is of no
 * use; what it found lies in memory that both share.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench.h"
#include "opt.h"
#include "sim/virtual/explore.h"
#include "workload/xs.h"

struct explore_options {
	const char *eo_scenarios;
	const char *eo_design;
	const char *eo_strategy_text;
	const char *eo_replay;
	const char *eo_bug;
	const char *eo_json;
	uint64_t eo_runs;
	uint64_t eo_seconds_ns;
	uint64_t eo_seed;
	unsigned eo_jobs;
	unsigned eo_races;
	unsigned eo_steps;
	bool eo_full;
	bool eo_as_found;
	bool eo_list;

	struct ex_strategy eo_strategy;
};

#define EXPLORE_JOBS_MAX 256

extern const struct opt explore_opts[];

/* Returns 0, or EX_USAGE, having said why. */
int explore_read(int argc, char *argv[], struct explore_options *eo);

/* A scenario with a design. */
struct explore_target {
	const struct xs_scenario *et_xs;
	char *et_design;
};

/*
 * Plans as text: "TIMES:F@E=T,...": fiber F, before its event E, gives way to T.
 */
struct explore_plan {
	uint64_t ep_times;
	struct ex_choice *ep_choices; /* in the order in which they were made */
	size_t ep_n;
};
/* Returns 0 or EINVAL. */
int explore_plan_parse(const char *text, struct explore_plan *ep);
/* malloc()ed */
char *explore_plan_text(const struct explore_plan *ep);
void explore_plan_free(struct explore_plan *ep);
void explore_plan_of(const struct ex_result *er, struct explore_plan *ep);

/*
 * What a process needs to make runs of a target: explore_run.c.
 */
struct explore_world;

struct explore_setup {
	const struct explore_target *es_target;
	const struct ex_strategy *es_strategy; /* NULL: es_plan only */
	const struct explore_plan *es_plan;    /* or NULL */
	bool es_races;
	unsigned es_steps;
	uint32_t es_npoints;
	const uintptr_t *es_shared; /* places known to be shared */
	uint32_t es_nshared;
	struct ex_event *es_events; /* to be recorded, or NULL */
	uint32_t es_nevents;
	struct ex_result *es_result;
	/* The run has failed, or its order is chosen: all threads stand still. */
	void (*es_stopped)(void *arg, struct xs_run *run);
	void *es_arg;
};

/* Ends the process where it cannot be. */
struct explore_world *explore_world_create(const struct explore_setup *es);
/*
 * One run.  keep: as explore_begin().  If it fails es_stopped is called, and the
 * process ends with EXPLORE_FAILED.  Returns 0, or an exit status, having said why.
 */
int explore_world_run(
    struct explore_world *ew, uint64_t seed, uint64_t times, bool keep);
struct explore *explore_world_explore(struct explore_world *ew);
/* What decides about time in the run of a seed. */
uint64_t explore_times(const struct ex_strategy *es, uint64_t seed);

#define EXPLORE_FAILED 3 /* exit status of a child */

/*
 * Looking: explore_look.c.
 */
struct explore_stats {
	uint64_t st_runs;
	uint64_t st_steps;
	uint64_t st_points;
	uint64_t st_preemptions;
	uint64_t st_distinct;
	bool st_distinct_more; /* there was no room to count more */
	uint32_t st_nshared;
	uint64_t st_elapsed_ns;
	bool st_complete; /* bounded: every schedule was run */
	unsigned st_bound;
};

/* Places that threads share, and runs' length: from runs that learn. */
struct explore_learned {
	uint32_t el_npoints;
	uint32_t el_nshared;
	uintptr_t *el_shared; /* lives with the first explore_look() */
};

/*
 * Returns 0, or an exit status, having said why.  er->er_failure says what was
 * found; it has the run with the smallest seed of those that were.
 */
int
explore_look(const struct explore_options *eo, const struct explore_target *et,
    struct explore_stats *st, struct explore_learned *el, struct ex_result *er);
/* Only what there is to learn. */
int
explore_learn(const struct explore_options *eo, const struct explore_target *et,
    struct explore_learned *el, struct ex_result *er);

/*
 * Once more, in a child, with what is recorded in memory of explore_shared().
 * quiet: nothing of what it prints is seen.  Returns 0 or an exit status.
 */
int explore_child(
    const struct explore_setup *es, uint64_t seed, uint64_t times, bool quiet);
/* Zeroed memory that children share; ends the program where there is none. */
void *explore_shared(size_t size);
void explore_unshare(void *p, size_t size);

/* Leave choices out while it fails in the same way: explore_min.c. */
void explore_minimise(const struct explore_setup *es, struct explore_plan *ep,
    enum ex_failure what);

/* What a command has to tell: explore_tell.c. */
struct explore_teller;
int explore_teller_create(
    const struct explore_options *eo, struct explore_teller **etp);
void explore_tell(struct explore_teller *te, const struct explore_target *et,
    const struct explore_stats *st, const struct ex_result *er);
/* Returns 0, or EX_IOERR.  status: how the command ends. */
int explore_teller_close(struct explore_teller *te, int status);

/* A run, recorded, for people: explore_show.c. */
struct explore_names;
void explore_show(const struct ex_result *er, const struct ex_event *events,
    const struct explore_names *names, bool full);

/* What lies at the addresses of the events: explore_name.c.  Shared memory. */
struct explore_names *explore_names_create(void);
void explore_names_destroy(struct explore_names *en);
void explore_names_find(struct explore_names *en, struct xs_run *run,
    const struct ex_event *events, uint32_t n);
/* A name, in buf; false: there is none. */
bool explore_name_known(
    const struct explore_names *en, uintptr_t addr, char *buf, size_t size);
/* A name, or hexadecimal, in buf. */
const char *explore_name(
    const struct explore_names *en, uintptr_t addr, char *buf, size_t size);

/* Places in the code: explore_code.c.  "function file:line" */
struct explore_code;
struct explore_code *explore_code_create(const uintptr_t *pcs, size_t n);
void explore_code_destroy(struct explore_code *ec);
const char *explore_code_at(const struct explore_code *ec, uintptr_t pc);

#endif /* BENCH_EXPLORE_H */
