/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_WITNESS_H
#define LOCK_WITNESS_H

/*
 * The witness: does every thread take its locks in one order?
 *
 * It watches whole classes of locks, which share a name, and so finds a deadlock
 * that could happen without it having to happen.  See witness.c.
 *
 * Source: FreeBSD releng/12.1, sys/kern/subr_witness.c.
 */

#include "lock/lock.h"

enum witness_kind {
	WITNESS_REVERSAL,  /* against the order seen before, or given */
	WITNESS_DUPLICATE, /* two locks of a class without LO_DUPOK */
	WITNESS_SELF,  /* a lock that the thread holds, and would wait for */
	WITNESS_LEAF,  /* a lock under one that allows none */
	WITNESS_SLEEP, /* sleeps, or may, while others must not wait */
	WITNESS_LIMIT, /* a table is full: from now on less is checked */
	NWITNESS_KINDS
};

/* A lock, and where it was acquired. */
struct witness_place {
	const char *wp_name;
	enum lock_class wp_class;
	const void *wp_key;  /* the lock instance */
	const char *wp_file; /* NULL: the order was given, not seen */
	int wp_line;
};

/* "outer was held when inner was wanted" */
struct witness_step {
	struct witness_place ws_outer;
	struct witness_place ws_inner;
};

#define WITNESS_STEPS_MAX 8

struct witness_report {
	enum witness_kind wr_kind;
	uint32_t wr_thread; /* td_id */
	struct witness_place wr_held;
	struct witness_place wr_wanted; /* SLEEP: the name may be an event */
	/*
	 * REVERSAL: how wr_wanted came to precede wr_held; the first step's
	 * outer is of wr_wanted's class, the last one's inner of wr_held's.
	 * wr_nsteps is their number, of which WITNESS_STEPS_MAX are here.
	 */
	unsigned wr_nsteps;
	struct witness_step wr_steps[WITNESS_STEPS_MAX];
};

/* Several lines, the last one ended.  As snprintf() returns. */
int
witness_format(const struct witness_report *wr, char *text, size_t textsize);

/*
 * Called once for each kind and pair of classes, by the thread that found it,
 * which may hold any locks.  Takes none itself.
 */
typedef void witness_reporter_fn(void *arg, const struct witness_report *wr);

/* Writes to stderr, and the thread continues.  The default. */
witness_reporter_fn witness_print;
/* panic(). */
witness_reporter_fn witness_panic;

/*
 * An order given beforehand.  wo_chains: names, outer ones first; NULL ends a
 * chain and two NULLs the list.  wo_rules: ended by a NULL name.
 */
struct witness_rule {
	const char *wu_name;
	uint32_t wu_flags;
};
#define WITNESS_LEAF_CLASS 0x1u /* nothing is acquired under it, nor tried */
#define WITNESS_ALONE      0x2u /* no second one is held, even by trylock */

struct witness_order {
	const char *const *wo_chains;
	const struct witness_rule *wo_rules;
};

/* The order of SPEC appendix A: witness_order.c. */
extern const struct witness_order witness_vm_order;

/*
 * Switch the witness on for a sim whose locks have been created, before any
 * thread is attached.  wo may be NULL.  Gone with lock_env_destroy().
 * Returns 0 or ENOMEM; with ENOMEM there is no witness.
 */
int witness_create(struct sim *sim, const struct witness_order *wo);
/* fn NULL: the default.  No other thread is attached. */
void witness_set_reporter(struct sim *sim, witness_reporter_fn *fn, void *arg);

/* How many reports there were; 0 without a witness. */
unsigned witness_reports(struct sim *sim);

/* Call fn for each pair of classes that was seen in this order. */
struct witness_edge {
	struct witness_step we_first; /* where it was seen first */
	bool we_given;                /* follows from the order given */
};
void witness_foreach_edge(struct sim *sim,
    void (*fn)(void *arg, const struct witness_edge *we), void *arg);

/* What the calling thread knows of its own hold of a lock. */
enum witness_hold {
	WITNESS_UNKNOWN, /* no witness */
	WITNESS_NOT_HELD,
	WITNESS_SHARED,
	WITNESS_EXCLUSIVE
};
enum witness_hold witness_held(struct thread *td, const void *key);

/*
 * The thread is about to sleep for an event, not for a lock: it may hold locks
 * of class LC_SX only.
 */
#define witness_sleep(event)                                                   \
	witness_sleep_at(curthread(), (event), __FILE__, __LINE__)
void witness_sleep_at(
    struct thread *td, const char *event, const char *file, int line);

/* For lock.c and lock_hooks.c. */
struct witness;
void witness_destroy(struct sim *sim, struct witness *w);
/* Sets td->td_witness.  Returns 0 or ENOMEM. */
int witness_thread_create(struct witness *w, struct thread *td);
void witness_thread_destroy(struct witness *w, struct thread *td);
void witness_want(struct thread *td, const struct lock_object *lo,
    const void *key, unsigned how, const char *file, int line);
void witness_acquired(struct thread *td, const struct lock_object *lo,
    const void *key, unsigned how, const char *file, int line);
void witness_converted(struct thread *td, const void *key, unsigned how);
void witness_released(struct thread *td, const void *key);

#endif /* LOCK_WITNESS_H */
