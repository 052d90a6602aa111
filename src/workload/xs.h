/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_XS_H
#define WORKLOAD_XS_H

/*
 * Small scenarios: a few threads that do a few operations each, and what must be
 * true afterwards, whatever the order in which they ran.  `pmapsim explore` runs
 * one thousands of times, each time in another order.
 *
 * A run:
 *
 *	main			thread i		explored?
 *
 *	machine or sim, map				no
 *	xk_setup(), xs_setup()				no
 *				attach, gate		no
 *	gate opens
 *				xs_body(run, i)		yes
 *				gate			yes
 *	xk_check(), xs_check()				no
 *	xk_teardown()					no
 *				detach			no
 *	machine_check(), destroy			no
 *
 * Main is attached too, on a CPU of its own: it may create pmaps and map pages in
 * a set-up.  Every access of xs_body() to memory that another thread also
 * touches is a point at which another thread may go on, so a body is short: tens
 * to a few hundred such accesses, few pages, two or three threads.
 *
 * What threads share lies in memory of xs_alloc() or of the machine.  Variables of
 * a body on its stack are its own; a pointer to one is not passed to others.
 * Nothing in a scenario depends on addresses, real time or random numbers: the
 * same order of accesses gives the same run.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmapsim/machine.h"
#include "sim/sim.h"

#define XS_THREADS_MAX 8

struct xs_run;

/* What some scenarios have in common: where they run, and on what. */
struct xs_kind {
	/*
	 * Designs that they are run with, ended by NULL; the first is the
	 * default.  Of scenarios for locks only the lock counts: "sparse/gen2".
	 */
	const char *const *xk_designs;
	/*
	 * Any other design that a user names: NULL, or why these scenarios mean
	 * nothing there.  May be NULL: they run with all.
	 */
	const char *(*xk_unfit)(const struct design *d);
	/* No machine: a sim with locks only, which takes no time to make. */
	bool xk_lock_only;
	/* Memory map, lines as in bench/memmaps; NULL: 4 MB in one domain. */
	const char *xk_map;
	/* As mc_limit_pages; 0: all. */
	uint64_t xk_limit_pages;
	/* What is built, and what must hold in the end.  Each may be NULL. */
	void (*xk_setup)(struct xs_run *run);
	void (*xk_check)(struct xs_run *run);
	/* Nothing stays mapped or allocated.  May be NULL. */
	void (*xk_teardown)(struct xs_run *run);
};

struct xs_scenario {
	const char *xs_name; /* [a-z][a-z0-9-]* */
	const char *xs_descr;
	unsigned xs_threads; /* 1 to XS_THREADS_MAX */
	const struct xs_kind *xs_kind;
	/*
	 * Of a scenario for locks: who meets a held one spins first, as on a
	 * machine.  Otherwise it blocks at once.
	 */
	bool xs_spins;
	/* What is built after what its kind has built.  May be NULL. */
	void (*xs_setup)(struct xs_run *run);
	void (*xs_body)(struct xs_run *run, unsigned i);
	/* Looks at the end state, calls xs_fail().  May be NULL. */
	void (*xs_check)(struct xs_run *run);
};

/* All scenarios, ended by NULL. */
extern const struct xs_scenario *const xs_scenarios[];
const struct xs_scenario *xs_lookup(const char *name);

/* What the runner of many schedules is told, and asked. */
struct xs_hooks {
	/* From here on, and until here, the order of threads is explored. */
	void (*xh_begin)(void *arg, struct xs_run *run);
	void (*xh_end)(void *arg, struct xs_run *run);
	/* It failed.  Does not have to return. */
	void (*xh_fail)(void *arg, const char *text);
	void *xh_arg;
};

/*
 * Locking key.
 *	c - constant while threads run
 *	m - main's
 *	a - atomic
 */
struct xs_run {
	const struct xs_scenario *xr_scenario; /* (c) */
	const struct design *xr_design;        /* (c) */
	const struct pv_lock_ops *xr_lock;     /* (c) the design's */
	struct machine *xr_machine;            /* (c) NULL: locks only */
	struct sim *xr_sim;                    /* (c) */
	struct kmem *xr_kmem;                  /* (c) */
	unsigned xr_nthreads;                  /* (c) */
	void *xr_state;                        /* (c) the scenario's */
	struct thread *xr_td[XS_THREADS_MAX];  /* (c) */

	/* Of xs_run.c. */
	const struct xs_hooks *xr_hooks; /* (c) */
	struct thread *xr_main;          /* (c) */
	struct xs_alloc *xr_allocs;      /* (m) */
	void *xr_handles[XS_THREADS_MAX];
	atomic_uint xr_arrived;  /* (a) */
	atomic_bool xr_failed;   /* (a) */
	atomic_bool xr_released; /* (a) */
	int xr_error;            /* of a thread that could not attach */
};

/*
 * Run it once.  design NULL: the default.  Returns 0 when it ran, whether or not
 * it failed; EINVAL for a bad or unfit design, with a sentence in err; ENOMEM,
 * EAGAIN.
 */
int xs_run(const struct xs_scenario *xs, const char *design,
    const struct xs_hooks *hooks, char *err, size_t errsize);

/* What had to hold did not.  From anywhere in a run. */
void xs_fail(struct xs_run *run, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Zeroed memory on cache lines of its own, in a set-up; given back at the end
 * of the run.  Panics without memory: a scenario is small.
 */
void *xs_alloc(struct xs_run *run, size_t size);

/*
 * Which memory of xs_alloc() lies at addr: "memory 1 + 0x40", the first being 1.
 * Returns false, and leaves buf alone, if none does.
 */
bool xs_name(const struct xs_run *run, uintptr_t addr, char *buf, size_t size);

#endif /* WORKLOAD_XS_H */
