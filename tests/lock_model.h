/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_LOCK_MODEL_H
#define TESTS_LOCK_MODEL_H

/*
 * What the models of two locks share.
 *
 * A lock is a word of one byte that a thread owns or that is free, with a mark for
 * those that block, and a turnstile.  Here is the way to the queue, sleep, loans
 * and wake-ups: src/lock/turnstile*.c, and what comes in front of it, which is
 * alike in both locks.  A model has the steps that take the word and give it up,
 * that find its owner, and what has to hold in each state: prop_lock_gen2.c, which
 * says how a step is cut, and prop_lock_mtx8.c.
 *
 * Both forms of the release are walked, as it is and with each mutant: those of
 * what is shared, and the model's own.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model_walk.h"
#include "mutants.h"

#define NTHREADS 3
#define NROUNDS  2

/* Where both locks can be broken in the same way. */
#define LM_MUTANTS(X)                                                          \
	X(LOCK_IS_NOT_ATOMIC, BOTH, "takes it by load and store")              \
	X(PORTABLE_STORE, PORTABLE, "a plain store without a section")         \
	X(NO_BARRIER, SECTION, "blocks without the barrier")                   \
	X(NO_SECOND_LOOK, SECTION, "trusts the mark after the barrier")        \
	X(BLOCK_WITHOUT_CHAIN, BOTH, "marks and queues unlocked")              \
	X(BLOCK_SETS_NO_MARK, BOTH, "queues at an unmarked word")              \
	X(BLOCK_IGNORES_FREE, BOTH, "queues at a free word")                   \
	X(WOKEN_FORGETS_REST, BOTH, "acquires without the mark")               \
	X(NOT_TOLD_OF_REST, BOTH, "does not tell that others stayed")          \
	X(RELEASE_TAKES_NOBODY, BOTH, "frees the word and wakes nobody")       \
	X(LOAN_IS_KEPT, BOTH, "returns no loans")                              \
	X(RETURNS_ONE_LOAN, BOTH, "returns the loan of the first alone")       \
	X(LENDS_UNMARKED, BOTH, "lends to an owner that saw no mark")          \
	X(HAND_FORGETS_REST, BOTH, "hands over without the mark")              \
	X(HAND_IN_SECRET, BOTH, "does not tell that it handed over")

enum {
	CORRECT,
	LM_MUTANTS(MUTANT_NAME) LM_NMUTANTS
};

enum {
	/* The model's own steps, as are those from LM_OWN on. */
	LOCK_FIRST,   /* the first of a round */
	HARD_FREE,    /* the word was free: try to take it */
	LEND,         /* first on the queue: whom to lend to */
	INSIDE,       /* owns the lock */
	UNLOCK_LOAD,  /* the first access of a release */
	UNLOCK_STORE, /* the store that ends the section */
	/* The same in both. */
	HARD_LOAD,    /* *_lock_hard(): load */
	BLOCK_CHAIN,  /* turnstile_chain_lock() */
	BLOCK_LOAD,   /* *_mark(): load */
	BLOCK_CAS,    /* CAS that sets the mark */
	BLOCK_FENCE,  /* so_asym_barrier() */
	BLOCK_RELOAD, /* load after it */
	BLOCK_QUEUE,  /* turnstile_wait(): on the queue */
	BLOCK_UNLOCK, /* turnstile_chain_unlock() */
	ASLEEP,       /* until td_blocked_on is NULL */
	LENDING,      /* so_block_lent() */
	LOOK_CHAIN,   /* the loan is back: ts_sleep() takes the chain lock */
	LEAVE_CHAIN,  /* time is up: sleep_lending() takes the chain lock */
	WAKE_RUN,     /* td_blocked_on = NULL, so_wake() */
	WAKE_RETURN,  /* so_unlend() */
	DONE,
	LM_OWN
};

struct model_thread {
	uint8_t mt_pc;
	uint8_t mt_round;
	uint8_t mt_v;       /* what it loaded, or is to store */
	uint8_t mt_bits;    /* the mark when told that others stayed */
	uint8_t mt_again;   /* was on the queue before */
	uint8_t mt_told;    /* others stayed, written by the waker */
	uint8_t mt_handed;  /* 1: about to be, 2: owns the word */
	uint8_t mt_off;     /* td_blocked_on is NULL */
	uint8_t mt_lent;    /* td_lent_to: 1 + borrower */
	uint8_t mt_exact;   /* without a time limit */
	uint8_t mt_back;    /* the loan is back */
	uint8_t mt_woke;    /* 1 + the thread it took off the queue */
	uint8_t mt_returns; /* mask: loans to give back */
	uint8_t mt_held;    /* (gen2) publishes the word */
	uint8_t mt_scan;    /* (gen2) lines read */
	uint8_t mt_mask;    /* (gen2) suspects */
};

/* All bytes, since they are compared.  All 0 is the first state. */
struct state {
	uint8_t s_word;
	uint8_t s_chain;       /* 1 + holder of the chain lock, 0: free */
	uint8_t s_n;           /* threads on the queue */
	uint8_t s_q[NTHREADS]; /* and who */
	uint8_t s_broken;      /* who was not on the queue left it */
	uint8_t s_bumps;       /* (gen2) releases that modified */
	struct model_thread s_td[NTHREADS];
};

struct lock_model {
	uint8_t lm_owned; /* some of these bits: owned */
	uint8_t lm_mark;  /* the bit for those that block */
	/* A step of the model's own; as mw_step. */
	bool (*lm_step)(struct state *s, unsigned t, unsigned choice);
	/* As mw_complaint. */
	const char *(*lm_complaint)(const struct state *s);
	const struct mutant_row *lm_mutants;
	unsigned lm_nmutants;
};

/* What is walked. */
extern unsigned mutant;
extern bool portable;

bool lm_queued(const struct state *s, unsigned t);
/* False: another has the chain lock. */
bool lm_take_chain(struct state *s, unsigned t);
/* Does not unlock what it has not locked: a mutant may not have. */
void lm_drop_chain(struct state *s, unsigned t);

/* It has the lock. */
void lm_enter(struct model_thread *mt);
/* Its release is over. */
void lm_next_round(struct model_thread *mt);
/*
 * turnstile_signal() by t, with the chain locked: gives loans back and takes the
 * first off the queue, but not who lends to another, unless lenders, too.
 */
void lm_signal(struct state *s, unsigned t, bool lenders);
/* turnstile_unlock_wake(): chain unlock; who was taken off is still to be woken. */
void lm_unlock_wake(struct state *s, unsigned t);

/* The tests of a model; returns what main() does. */
int lock_model_main(const struct lock_model *lm);

#endif /* TESTS_LOCK_MODEL_H */
