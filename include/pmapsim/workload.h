/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_WORKLOAD_H
#define PMAPSIM_WORKLOAD_H

/*
 * What drives a machine: a named scenario, run by some threads for some time on
 * a fresh machine, with everything that happened counted and the end state
 * checked.
 *
 *	private	   each thread its own pmap: fault pages in, unmap them
 *	exec_exit  short processes: map shared text and private pages, exit
 *	one_pmap   threads of one process, on disjoint and on shared ranges
 *	pageout	   a page daemon's remove_all, ts_referenced and remove_write
 *		   against the other three
 *	poudriere  a package build: shells, compilers and what they run, in
 *		   the proportions of recorded builds
 *
 * A run is: build objects, start the threads, open the gate, let the warm-up
 * pass, measure, stop, join, check.  Threads count the work they finished within
 * the measured interval only.  A run whose machine fails its check, whose pages
 * ran out or that did no work is void: wr_void says why.
 */

#include <stdatomic.h>

#include "pmapsim/machine.h"
#include "pmapsim/types.h"

/* Numbers a scenario can be given; 0 means its default. */
struct workload_params {
	/*
	 * exec_exit, poudriere: copies of the text, 1 to 1024 (20), at most one a
	 * thread.  How many threads share a copy decides most about contention.
	 */
	unsigned wp_text_copies;
	/* exec_exit: pages mapped of a copy; poudriere: most of a file (all). */
	unsigned wp_text_pages;
	/* exec_exit, private: private pages; poudriere: most of a process. */
	unsigned wp_anon_pages;
	unsigned wp_shared_pct;  /* one_pmap: share of work on shared ranges */
	unsigned wp_range_pages; /* one_pmap: pages in a range */
	unsigned wp_daemons;     /* pageout: threads that scan */
	/*
	 * 1: the pages of objects come from reservations, so that 2 MB mappings
	 * are made; 0: they do not, and all mappings are of 4 KB.
	 */
	unsigned wp_superpages;
	/* poudriere; wl_poudriere.c says where the defaults are from. */
	unsigned wp_configure_pct; /* threads in configure, not make (62) */
	unsigned wp_gcc;           /* 1: gcc compiles, 0: clang (0) */
	unsigned wp_lifetime_pct;  /* user time, of what was recorded (100) */
	unsigned wp_migrate_pct;   /* processes given to another CPU (0) */
	unsigned wp_premap_pages;  /* of a library's mapping (96) */
	unsigned wp_spin; /* 1: user time passes in real mode, too (0) */
};

enum workload_pin {
	WL_PIN_NONE,
	WL_PIN_COMPACT,
	WL_PIN_SCATTER,
	WL_PIN_CORE,
	WL_PIN_SMT_LAST
};

struct workload_config {
	const char *wc_name;
	unsigned wc_threads; /* 1 to MACHINE_CPU_MAX */
	uint64_t wc_seed;
	uint64_t wc_warmup_ns;
	uint64_t wc_measure_ns;
	/* Not 0: no clock; each thread does so many rounds (tests). */
	uint64_t wc_rounds;
	enum workload_pin wc_pin;
	struct workload_params wc_params;
	/* Set by somebody else to end early (SIGINT); may be NULL. */
	atomic_bool *wc_stop;
};

/*
 * One thread's work in the measured interval.  A promotion or a demotion neither
 * makes nor removes a mapping; one of 2 MB that is made or removed whole is one.
 */
struct workload_thread {
	uint64_t wt_rounds;  /* processes, fault-unmap rounds, scans */
	uint64_t wt_enters;  /* mappings made */
	uint64_t wt_removes; /* mappings removed, in whatever way */
	uint64_t wt_pageops; /* operations by page */
	uint64_t wt_elapsed_ns;
};

/* A lock class's share: one row of the review's table. */
struct workload_lock {
	char wl_name[48]; /* "rw:pmap pv list" */
	uint64_t wl_wait_ns;
	uint64_t wl_wait_max_ns;
	uint64_t wl_hold_ns;
	uint64_t wl_hold_max_ns;
	uint64_t wl_count;
	uint64_t wl_contested;
	uint64_t wl_wait_p50_ns; /* of contested acquisitions */
	uint64_t wl_wait_p99_ns;
	uint64_t wl_wait_p999_ns;
};
#define WORKLOAD_LOCKS_MAX 32

/* An acquisition site, in the columns of debug.lock.prof.stats. */
struct workload_site {
	char ws_name[96]; /* "file:line (class:name)" */
	uint64_t ws_hold_max_ns;
	uint64_t ws_wait_max_ns;
	uint64_t ws_hold_ns;
	uint64_t ws_wait_ns;
	uint64_t ws_count;
	uint64_t ws_contested;
};

struct workload_result {
	char wr_void[160]; /* empty, or why the run does not count */
	bool wr_stopped;   /* ended early by wc_stop */
	unsigned wr_nthreads;
	unsigned wr_unbound; /* threads that could not be pinned as asked */
	struct workload_thread *wr_threads; /* [wr_nthreads] */
	struct workload_params wr_params;   /* as used, defaults filled in */
	uint64_t wr_elapsed_ns;             /* measured interval */
	uint64_t wr_ops; /* enters + removes + pageops, all threads */
	/* With mc_profile, otherwise 0 rows; sorted by wait, descending. */
	struct workload_lock wr_locks[WORKLOAD_LOCKS_MAX];
	unsigned wr_nlocks;
	struct workload_site *wr_sites;
	size_t wr_nsites;
	/* Contested lock instances: how many, and the worst one's share. */
	uint64_t wr_pv_instances;
	/*
	 * Sites and contested instances that the profile had no room for; what
	 * it says of those is too low then.
	 */
	uint64_t wr_rejected;
	uint64_t wr_pv_worst_wait_ns;
	uint64_t wr_pv_locks;    /* pv list lock acquisitions */
	uint64_t wr_pv_restarts; /* scans restarted, pv_gen had changed */
	/* 2 MB mappings: what happened to them in the measured interval. */
	uint64_t wr_pde_promotions; /* made of a page table */
	uint64_t wr_pde_mappings;   /* made at once */
	uint64_t wr_pde_demotions;  /* split into a page table */
	uint64_t wr_pde_destroyed;  /* removed whole */
	unsigned wr_violations;     /* of the checker */
	double wr_jain;             /* Jain index over the threads' work */
};

struct workload_info {
	const char *wi_name;
	const char *wi_descr; /* one line */
};
/* All scenarios, ended by wi_name == NULL. */
const struct workload_info *workload_list(void);

/*
 * The parameters that a run of this configuration would use: *wp has the
 * defaults filled in, 0 where a scenario has no such parameter.  Returns 0, or
 * EINVAL with a sentence in err.
 */
int workload_fill_params(const struct workload_config *wc,
    struct workload_params *wp, char *err, size_t errsize);

/*
 * Run a scenario on a machine that nobody else uses; the caller is not attached.
 * Returns 0 with *wr filled in (look at wr_void first), EINVAL for a bad
 * configuration with a sentence in err, ENOMEM, EAGAIN (no more threads).  Free
 * the result with workload_result_free() after a 0.
 */
int workload_run(struct machine *m, const struct workload_config *wc,
    struct workload_result *wr, char *err, size_t errsize);
void workload_result_free(struct workload_result *wr);

#endif /* PMAPSIM_WORKLOAD_H */
