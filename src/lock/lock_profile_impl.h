/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_LOCK_PROFILE_IMPL_H
#define LOCK_LOCK_PROFILE_IMPL_H

/*
 * The tables of the lock profile, for lock_profile.c, which fills them, and
 * lock_profile_collect.c, which reads them.
 *
 * Locking key.
 *	c - constant
 *	o - written by the owning thread (lp_retired: under lp_lock), atomic
 *	l - lp_lock, a leaf
 */

#include <stdatomic.h>

#include "lock/leaf_lock.h"
#include "lock/lock_profile.h"

/* Assumed: sites in the library number some 100; a lock order is 12 deep. */
#define PROF_THREAD_RECS   256
#define PROF_THREAD_INSTS  1024
#define PROF_MACHINE_RECS  1024
#define PROF_MACHINE_INSTS 8192
#define PROF_HELD_MAX      32

struct prof_rec {
	_Atomic bool pr_used;
	enum lock_class pr_class; /* (c) once used, as all of the key */
	const char *pr_name;
	const char *pr_file;
	int pr_line;
	_Atomic uint64_t pr_hold_max_ns; /* (o), as all that follows */
	_Atomic uint64_t pr_wait_max_ns;
	_Atomic uint64_t pr_hold_ns;
	_Atomic uint64_t pr_wait_ns;
	_Atomic uint64_t pr_count;
	_Atomic uint64_t pr_contested;
	_Atomic uint64_t pr_wait_hist[LOCK_HIST_BUCKETS];
};

struct prof_inst {
	_Atomic bool pi_used;
	const void *pi_key; /* (c) once used */
	const char *pi_name;
	_Atomic uint64_t pi_wait_ns; /* (o) */
	_Atomic uint64_t pi_contested;
};

struct prof_table {
	size_t pt_nrecs;  /* (c) slots, a power of two */
	size_t pt_ninsts; /* (c) the same */
	size_t pt_recs_used;
	size_t pt_insts_used;
	_Atomic uint64_t pt_rejected; /* (o) */
	struct prof_rec *pt_recs;
	struct prof_inst *pt_insts;
};

struct held_lock {
	const void *hl_key;
	const char *hl_name;
	enum lock_class hl_class;
	int hl_line;
	const char *hl_file;
	uint64_t hl_acquired_ns;
	uint64_t hl_wait_ns;
	bool hl_contested;
};

struct lock_prof_thread {
	struct prof_table lpt_table;
	_Atomic unsigned lpt_nheld; /* (o) */
	struct held_lock lpt_held[PROF_HELD_MAX];
	struct lock_prof_thread *lpt_next; /* (l) */
	struct lock_prof_thread *lpt_prev; /* (l) */
};

struct lock_profile {
	struct leaf_lock lp_lock;
	struct sim *lp_sim;                  /* (c) */
	struct lock_prof_thread *lp_threads; /* (l) */
	struct prof_table lp_retired;        /* (l) to write */
};

static inline uint64_t
prof_value(const _Atomic uint64_t *p)
{
	/* Relaxed: a statistic, or one's own. */
	return (atomic_load_explicit(p, memory_order_relaxed));
}

static inline void
prof_set(_Atomic uint64_t *p, uint64_t v)
{
	/* Relaxed: one writer; readers want no order with anything else. */
	atomic_store_explicit(p, v, memory_order_relaxed);
}

static inline void
prof_add(_Atomic uint64_t *p, uint64_t n)
{
	prof_set(p, prof_value(p) + n);
}

static inline void
prof_raise(_Atomic uint64_t *p, uint64_t v)
{
	if (v > prof_value(p))
		prof_set(p, v);
}

static inline bool
prof_is_used(const _Atomic bool *p)
{
	/* Acquire: pairs with the release in prof_mark_used(); the key is there. */
	return (atomic_load_explicit(p, memory_order_acquire));
}

static inline void
prof_mark_used(_Atomic bool *p)
{
	/* Release: publishes the key to readers of other threads. */
	atomic_store_explicit(p, true, memory_order_release);
}

static inline unsigned
prof_held(const struct lock_prof_thread *lpt)
{
	/* Relaxed: one's own, or a statistic. */
	return (atomic_load_explicit(&lpt->lpt_nheld, memory_order_relaxed));
}

#endif /* LOCK_LOCK_PROFILE_IMPL_H */
