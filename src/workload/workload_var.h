/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_WORKLOAD_VAR_H
#define WORKLOAD_WORKLOAD_VAR_H

/*
 * The inside of the workload layer: a run, its threads, and what a scenario has
 * to provide.
 *
 * A run goes through phases.  The main thread builds, starts the threads one
 * after the other (each builds its own part before the next one starts, so that
 * what is allocated lies in the same order each time and no superpage is shared
 * by chance), and then opens the gate for each phase.  All threads stop at the
 * gate between phases; only then are profile and counters read or reset.
 *
 * The gate.  A thread that arrives blocks exactly once and is woken exactly
 * once; the last to arrive wakes the main thread, which blocks exactly once for
 * each phase.  So every token of struct sim_ops is used up by whom it was meant
 * for, and no lock of the model ever finds a stray one.
 *
 * Locking key.
 *	c - constant once the threads run
 *	g - written by the main thread while all others are at the gate
 *	t - the thread's own; the main thread's at the gate
 *	a - atomic
 */

#include <sys/queue.h>

#include "pmap/pmap_var.h"
#include "pmapsim/workload.h"
#include "vm/vm_object.h"

/*
 * As in <sys/param.h>, which on FreeBSD also has names of types.h.  Arguments
 * are evaluated more than once.
 */
#ifndef MIN
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#endif
#ifndef MAX
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif
#ifndef howmany
#define howmany(n, d) (((n) + ((d)-1)) / (d))
#endif
#ifndef roundup2
#define roundup2(n, d) (((n) + ((d)-1)) & ~(uint64_t)((d)-1))
#endif

struct wl_run;

/* A full object with its pages by index: what a radix tree will do one day. */
struct wl_object {
	struct vm_object *wlo_object;
	struct vm_page **wlo_pages; /* NULL: not resident */
	uint32_t wlo_npages;
	TAILQ_ENTRY(wl_object) wlo_link;
};
TAILQ_HEAD(wl_objectlist, wl_object);

/* splitmix64: the state is a counter, so any seed is a good one. */
struct wl_rng {
	uint64_t wrg_state;
};

static inline uint64_t
wl_rand(struct wl_rng *rng)
{
	uint64_t z = rng->wrg_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31));
}

/* 0 to n - 1; n > 0. */
static inline uint32_t
wl_below(struct wl_rng *rng, uint32_t n)
{
	return ((uint32_t)(((wl_rand(rng) >> 32) * n) >> 32));
}

enum wl_phase {
	WL_PHASE_START,
	WL_PHASE_RUN,
	WL_PHASE_END
};

struct wl_thread {
	_Alignas(CACHE_PAIR_SIZE) struct wl_run *wlt_run; /* (c) */
	unsigned wlt_index;                               /* (c) */
	unsigned wlt_cpu;                /* (c) of the machine */
	struct thread *wlt_td;           /* (t) NULL: could not attach */
	void *wlt_handle;                /* (c) of so_thread_create */
	void *wlt_state;                 /* (t) the scenario's */
	struct wl_rng wlt_rng;           /* (t) */
	uint64_t wlt_pageops;            /* (t) counted by the scenario */
	uint64_t wlt_start_ns;           /* (t) of the last phase */
	uint64_t wlt_end_ns;             /* (t) */
	int wlt_error;                   /* (t) of building */
	bool wlt_stopped;                /* (t) by wc_stop */
	struct workload_thread wlt_work; /* (t) of the last phase */
};

/*
 * A scenario.  wo_check fills in the defaults of run->wlr_params.  Functions
 * that return int return 0, ENOMEM (host memory) or what wl_out_of_memory()
 * returns.  wo_finish and wo_destroy accept what was built in part.
 */
struct wl_ops {
	/* 0, or EINVAL and a sentence.  Nothing is built yet. */
	int (*wo_check)(struct wl_run *run, char *err, size_t errsize);
	/* By the main thread: what all share. */
	int (*wo_build)(struct wl_run *run);
	/* By each thread: its own part. */
	int (*wo_start)(struct wl_thread *wlt);
	/* One unit of work, below a millisecond.  0 or wl_out_of_memory(). */
	int (*wo_round)(struct wl_thread *wlt);
	/* By each thread: nothing of its own stays mapped. */
	void (*wo_finish)(struct wl_thread *wlt);
	/* By the main thread, after all others: the same for what is shared. */
	void (*wo_destroy)(struct wl_run *run);
};

extern const struct wl_ops wl_exec_exit_ops;
extern const struct wl_ops wl_one_pmap_ops;
extern const struct wl_ops wl_pageout_ops;
extern const struct wl_ops wl_poudriere_ops;
extern const struct wl_ops wl_private_ops;

struct wl_run {
	struct machine *wlr_machine;              /* (c) */
	const struct workload_config *wlr_config; /* (c) */
	const struct wl_ops *wlr_ops;             /* (c) */
	struct workload_params wlr_params;        /* (c) defaults filled in */
	struct wl_thread *wlr_threads;            /* (c) [wc_threads] */
	unsigned wlr_nthreads;                    /* (g) started */
	struct thread *wlr_main;                  /* (c) */
	void *wlr_shared;                         /* (c) the scenario's */
	struct wl_objectlist wlr_objects;         /* (c) all full ones */
	enum wl_phase wlr_phase;                  /* (g) */
	uint64_t wlr_rounds;                      /* (g) 0: until deadline */
	uint64_t wlr_deadline_ns;                 /* (g) */
	char wlr_why[160];                        /* written once, see below */
	/* What threads read each round, and write once in a run. */
	_Alignas(CACHE_PAIR_SIZE) atomic_bool wlr_failed; /* (a) ends the run */
	/* What threads write at the gate. */
	_Alignas(CACHE_PAIR_SIZE) atomic_uint wlr_left; /* (a) yet to arrive */
};

/*
 * The run is void, and why; it ends.  The first reason stays.  Any thread.
 */
void wl_fail(struct wl_run *run, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* wl_fail() with how much memory there is.  Returns ENOSPC. */
int wl_out_of_memory(struct wl_run *run);

/* For wo_check: 0, or EINVAL and "what: n is not in min to max". */
int wl_check_range(const char *what, uint64_t n, uint64_t min, uint64_t max,
    char *err, size_t errsize);

/*
 * A full object, known to the run, which destroys it at its end.  By the main
 * thread, or by a thread in wo_start.
 */
int wl_object_create(struct wl_run *run, uint32_t npages, int domain,
    enum vm_object_fill fill, struct wl_object **wlop);

/*
 * The same of an object that only pct percent of are resident, evenly spread in
 * windows of 16 pages: as a file is that was read in where it was touched.  Its
 * pages come from reservations, which are never full.
 */
int wl_object_create_sparse(struct wl_run *run, uint32_t npages, int domain,
    unsigned pct, struct wl_object **wlop);

void wl_objects_destroy(struct wl_run *run);
/* Unmap what is left of their pages: how many were mapped. */
uint64_t wl_objects_unmap(struct wl_run *run);

/* A ready address space; an error as of wo_start. */
int wl_pmap_create(struct wl_run *run, struct pmap **pmapp);
/* Nothing is left mapped there.  Accepts NULL. */
void wl_pmap_destroy(struct pmap *pmap);

/* Zeroed memory on cache-line pairs of its own. */
void *wl_alloc(struct wl_run *run, size_t size);
void wl_free(struct wl_run *run, void *p, size_t size);

/* The parts that "pageout" puts together. */
#define WL_ANON_PAGES      200
#define WL_TEXT_PAGES      350
#define WL_PARAM_PAGES_MAX (UINT64_C(1) << 20)

/* private: pages of its own, entered and removed. */
struct wl_private {
	struct pmap *wpr_pmap;
	struct wl_object *wpr_object;
};
int wl_private_start(
    struct wl_thread *wlt, struct wl_private *wpr, uint32_t npages);
int wl_private_round(struct wl_thread *wlt, struct wl_private *wpr);
void wl_private_finish(struct wl_private *wpr);

/* exec_exit: processes on shared text. */
struct wl_text {
	struct wl_object **wtx_copies; /* [wtx_ncopies] */
	unsigned wtx_ncopies;
	uint32_t wtx_superpages; /* of each copy */
};
struct wl_exec {
	struct sim *wex_sim;
	const struct wl_text *wex_text;
	struct wl_object *wex_copy; /* the one this thread uses */
	struct pmap *wex_pmap;
	struct vm_object *wex_anon; /* pages of the live process */
};
int
wl_text_create(struct wl_run *run, uint32_t superpages, struct wl_text *wtx);
void wl_text_destroy(struct wl_run *run, struct wl_text *wtx);
int wl_exec_start(
    struct wl_thread *wlt, struct wl_exec *wex, const struct wl_text *wtx);
int wl_exec_round(struct wl_thread *wlt, struct wl_exec *wex);
void wl_exec_finish(struct wl_exec *wex);
int wl_exec_check(struct wl_run *run, char *err, size_t errsize);

/* one_pmap: ranges of one address space. */
struct wl_shared {
	struct pmap *wsh_pmap;
	struct wl_object *wsh_object;
};
int wl_shared_create(struct wl_run *run, struct wl_shared *wsh);
void wl_shared_destroy(struct wl_shared *wsh);
int wl_ranges_start(struct wl_thread *wlt, struct wl_object **wlop);
int wl_ranges_round(struct wl_thread *wlt, const struct wl_shared *wsh,
    const struct wl_object *wlo);
void wl_ranges_finish(struct wl_thread *wlt, const struct wl_shared *wsh,
    const struct wl_object *wlo);
int wl_ranges_check(struct wl_run *run, char *err, size_t errsize);

/*
 * workload_run() that calls hook with all threads at the gate.  For who accounts
 * for time: when they are about to be measured, and when they have been.  For
 * tests: then, to forge what they counted; before the check, to break something;
 * and after it, to repair that.
 */
enum wl_hook_when {
	WL_HOOK_BEGIN,
	WL_HOOK_MEASURED,
	WL_HOOK_BEFORE_CHECK,
	WL_HOOK_AFTER_CHECK,
};
typedef void wl_hook_fn(struct wl_run *run, enum wl_hook_when when, void *arg);

int workload_run_hooked(struct machine *m, const struct workload_config *wc,
    wl_hook_fn *hook, void *arg, struct workload_result *wr, char *err,
    size_t errsize);

/* Events that are counted: between these two, with all threads at the gate. */
void wl_result_begin(struct sim *sim, struct workload_result *wr);
void wl_result_end(struct sim *sim, struct workload_result *wr);

/* Fill in parts of a result from a run at the gate.  0 or ENOMEM. */
int wl_result_profile(struct wl_run *run, struct workload_result *wr);
int wl_result_threads(struct wl_run *run, struct workload_result *wr);

#endif /* WORKLOAD_WORKLOAD_VAR_H */
