/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_WITNESS_IMPL_H
#define LOCK_WITNESS_IMPL_H

/*
 * The tables of the witness, for witness.c, which has the threads' side, and
 * witness_graph.c, which has the classes' side.
 */

#include <stdatomic.h>

#include "lock/leaf_lock.h"
#include "lock/lock_env.h"
#include "lock/lock_hooks.h"
#include "lock/witness.h"

#define WITNESS_CLASSES_MAX 64
#define WITNESS_EDGES_MAX   512 /* whose first place is remembered */
#define WITNESS_HELD_MAX    32
#define WITNESS_CACHE       64 /* of class by name, in each thread */
#define NOCLASS             (-1)
#define BIT(c)              (UINT64_C(1) << (c))

/* Which table is full, for WITNESS_LIMIT. */
enum {
	LIMIT_CLASSES,
	LIMIT_EDGES,
	LIMIT_HELD
};

/* A lock that is held or wanted. */
struct witness_lock {
	struct witness_place wl_place;
	int wl_class;    /* index, or NOCLASS */
	bool wl_dupok;   /* LO_DUPOK */
	unsigned wl_how; /* LOP_* */
};

struct witness_thread {
	unsigned wt_nheld;
	bool wt_lost; /* a lock was held that found no place here */
	struct witness_lock wt_held[WITNESS_HELD_MAX];
	struct {
		const char *wt_name;
		int wt_class;
	} wt_cache[WITNESS_CACHE];
};

/*
 * Locking key.
 *	c - constant once the first thread is attached
 *	l - w_lock
 *	a - atomic; w_lock to write
 */
struct witness {
	struct leaf_lock w_lock;
	struct sim *w_sim;                             /* (c) */
	witness_reporter_fn *w_reporter;               /* (c) */
	void *w_reporter_arg;                          /* (c) */
	uint64_t w_leaf;                               /* (c) classes */
	uint64_t w_alone;                              /* (c) classes */
	uint64_t w_given[WITNESS_CLASSES_MAX];         /* (c) w_reach then */
	_Atomic uint64_t w_known[WITNESS_CLASSES_MAX]; /* (a) */
	_Atomic unsigned w_reports;                    /* (a) */
	int w_nclasses;                                /* (l) */
	unsigned w_nedges;                             /* (l) */
	const char *w_names[WITNESS_CLASSES_MAX];      /* (l) */
	uint64_t w_after[WITNESS_CLASSES_MAX];         /* (l) */
	uint64_t w_reach[WITNESS_CLASSES_MAX];         /* (l) */
	uint64_t w_told[NWITNESS_KINDS][WITNESS_CLASSES_MAX]; /* (l) */
	struct {
		int e_outer;
		int e_inner;
		struct witness_step e_first;
	} w_edges[WITNESS_EDGES_MAX]; /* (l) */
};

static inline struct witness *
witness_of(const struct sim *sim)
{
	struct lock_env *le = sim->sim_locks;

	return (le->le_witness);
}

/* The later may be acquired under the earlier, not the other way round. */
static inline int
waiting_rank(enum lock_class lc)
{
	switch (lc) {
	case LC_SX:
		return (0); /* holders may sleep */
	case LC_SPIN:
		return (2); /* holders may not even block */
	default:
		return (1);
	}
}

/* All of these: w_lock is held, or no thread is attached yet. */

/* The class of a name, made if there is none; NOCLASS: no room. */
int witness_class(struct witness *w, const char *name);
void witness_load_order(struct witness *w, const struct witness_order *wo);
/* NWITNESS_KINDS: nothing is wrong. */
enum witness_kind witness_judge(const struct witness *w,
    const struct witness_lock *held, const struct witness_lock *wl);
/* How one class came to precede another: wr_steps, wr_nsteps. */
void witness_path(
    const struct witness *w, int from, int to, struct witness_report *wr);
/* A new edge.  False: no room to remember where it was seen. */
bool witness_edge_add(struct witness *w, const struct witness_lock *held,
    const struct witness_lock *wl);

#endif /* LOCK_WITNESS_IMPL_H */
