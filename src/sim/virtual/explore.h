/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_EXPLORE_H
#define SIM_VIRTUAL_EXPLORE_H

/*
 * One run of some fibers, in the order that a strategy chooses: what is recorded of
 * it, what makes it fail, and how it is had again.
 *
 * Events.  Each access of a fiber to memory of the model, each time it spins, yields, blocks, wakes another or ends is an event, and counts up the
 * fiber's number of events.  That number names a moment of the fiber in all runs in
 * which it has done the same so far.
 *
 * Points.  An event is a point if it touches a shared place (explore_place.h) or if
 * the fiber cannot, or would rather not, go on.  At a point with more than one
 * fiber that can go on the strategy chooses.  Fences and what comes before the
 * exploration begins are none.
 *
 * A plan is the list of choices that were not the default: "fiber 1, before its
 * event 57, gives way to fiber 2".  The default is to go on, else the next fiber by
 * number.  With the numbers that decide about time it has all that a run is made
 * of, and does not depend on which places are shared; so each run that fails is
 * told as a plan, and can be had again from it whatever strategy it came from.
 *
 * Spinning.  A fiber that has spun twice, while no other has written anything, is
 * not asked again until one has, or nobody else can run.  Each time it spins the
 * clock moves, by more than a spin takes, so that it comes to the end of its
 * patience soon: otherwise others would have to be preempted for hundreds of
 * rounds for it to block.
 *
 * Limits.  Accesses have one order, as on a machine that is sequentially consistent:
 * what a weaker one may do besides is not seen in values, though an order that is
 * missing shows as a race of the plain accesses that it should keep apart.  What
 * is not instrumented, kern/ and sim/, runs in one go.  Stacks and static data are
 * taken for private; what a thread waits for on its own stack is written by others
 * without a point.  At most EX_FIBERS_MAX fibers, main's included.
 *
 * What fails.  A panic, what the caller finds (explore_fail()), a data race, nobody
 * who can run, and too many events.  The caller's function is called on the spot
 * and must not return.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/virtual/explore_sched.h"
#include "sim/virtual/race.h"
#include "sim/virtual/world.h"

enum ex_failure {
	EX_PASSED,
	EX_PANIC,
	EX_CHECK,
	EX_DEADLOCK,
	EX_LIVELOCK,
	EX_RACE,
	EX_CRASH /* the process ended; told by who watches it */
};
const char *ex_failure_name(enum ex_failure what);

/* A choice that was not the default. */
struct ex_choice {
	uint32_t ec_event; /* of ec_fiber */
	uint8_t ec_fiber;
	uint8_t ec_to;
	uint8_t ec_preempts; /* ec_fiber could have gone on */
};

enum ex_event_kind {
	EV_ACCESS, /* ee_access says which */
	EV_SPIN,
	EV_YIELD,
	EV_BLOCK,
	EV_EXIT,
	EV_WAKE, /* ee_other */
	EV_WOKEN
};

/* What is recorded of an event when a run is to be shown. */
struct ex_event {
	uintptr_t ee_addr;
	uintptr_t ee_pc;
	uint64_t ee_old; /* sizes of at most 8 */
	uint64_t ee_new;
	uint32_t ee_event; /* of the fiber */
	uint32_t ee_size;
	uint8_t ee_fiber;
	uint8_t ee_other;
	uint8_t ee_kind;   /* enum ex_event_kind */
	uint8_t ee_access; /* enum virt_kind */
	uint8_t ee_order;  /* __ATOMIC_* */
	bool ee_point;
	bool ee_values;   /* old and new are known */
	char ee_text[29]; /* what it waits for */
};

/*
 * What a run leaves behind; in memory that outlives the process where that may die.
 */
#define EX_CHOICES_MAX 8192
struct ex_result {
	uint64_t er_seed;
	uint64_t er_times; /* as explore_begin() */
	uint64_t er_hash;  /* the same for runs that differ in nothing */
	uint32_t er_steps; /* events of all fibers */
	uint32_t er_points;
	uint32_t er_preemptions;
	uint32_t er_nchoices; /* may be more than there is room for */
	uint32_t er_nevents;  /* recorded */
	enum ex_failure er_failure;
	char er_text[2048];
	struct race_pair er_race; /* of an EX_RACE */
	struct ex_choice er_choices[EX_CHOICES_MAX];
};

struct ex_config {
	const struct ex_strategy *xc_strategy; /* NULL: only the plan */
	const struct ex_choice *xc_plan;       /* sorted by fiber and event */
	size_t xc_nplan;
	bool xc_races;
	uint32_t xc_steps_max; /* 0: EX_STEPS_MAX */
	uint32_t xc_npoints;   /* as ex_sched_begin() */
	/* Room for events, or NULL. */
	struct ex_event *xc_events;
	uint32_t xc_nevents;
	struct ex_result *xc_result;
	/* Must not return.  er_failure and er_text are set. */
	void (*xc_failed)(void *arg);
	void *xc_arg;
};
#define EX_STEPS_MAX 200000u

struct ex_places;

/* Returns 0 or ENOMEM.  *xc is copied; what it points to stays. */
int explore_create(const struct ex_config *xc, struct explore **exp);
void explore_destroy(struct explore *ex);

struct ex_places *explore_places(struct explore *ex);
struct ex_sched *explore_sched(struct explore *ex);
/* Change what comes next: the plan, the places for events. */
void explore_configure(struct explore *ex, const struct ex_config *xc);

/*
 * A run.  explore_begin() before virt_begin(); between explore_start() and
 * explore_stop(), both called by main's fiber, the order is chosen.
 * keep: places that are found to be shared are shared in later runs.
 * times: what decides about time; 0: always the same.
 */
void
explore_begin(struct explore *ex, uint64_t seed, uint64_t times, bool keep);
void explore_start(struct explore *ex);
void explore_stop(struct explore *ex);

/* The run fails.  Does not return while the order is chosen. */
void explore_fail(struct explore *ex, enum ex_failure what, const char *text);

#endif /* SIM_VIRTUAL_EXPLORE_H */
