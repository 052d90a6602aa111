/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_GEN2_MODEL_H
#define TESTS_GEN2_MODEL_H

/*
 * The states of the model of gen2, and its mutants; prop_lock_gen2.c says what is
 * modelled, and gen2_model.c has the steps.
 */

#include "lock_model.h"

#define L   1u
#define W   2u
#define ONE 4u

#define MUTANTS(X)                                                             \
	X(LOCK_IS_NOT_ATOMIC, BOTH, "load and store instead of or")            \
	X(PUBLISH_AFTER, BOTH, "publishes once it has the lock")               \
	X(CLEAR_BEFORE, BOTH, "clears its slot, then releases")                \
	X(PORTABLE_STORE, PORTABLE, "a plain store without a section")         \
	X(LATE_IS_IGNORED, PORTABLE, "the add does not look at W")             \
	X(NO_BARRIER, SECTION, "blocks without the barrier")                   \
	X(NO_SECOND_LOOK, SECTION, "trusts W after the barrier")               \
	X(BLOCK_WITHOUT_CHAIN, BOTH, "sets W and queues unlocked")             \
	X(BLOCK_SETS_NO_W, BOTH, "queues with W clear")                        \
	X(BLOCK_IGNORES_L, BOTH, "queues at a free word")                      \
	X(WOKEN_FORGETS_REST, BOTH, "acquires without W")                      \
	X(NOT_TOLD_OF_REST, BOTH, "does not tell that others stayed")          \
	X(RELEASE_TAKES_NOBODY, BOTH, "clears W and wakes nobody")             \
	X(TAKES_A_LENDER, PORTABLE, "wakes who lends to another")              \
	X(LENDER_LOSES_W, PORTABLE, "clears W over one who lends on")          \
	X(LOAN_IS_KEPT, BOTH, "returns no loans")                              \
	X(SUSPECT_FOR_EVER, BOTH, "lends to one of several without limit")     \
	X(SCAN_TWICE, BOTH, "counts in one pass, picks in the next")           \
	X(LENDS_UNMARKED, BOTH, "lends to an owner that saw no W")             \
	X(HAND_FREES, BOTH, "clears L when it hands over")                     \
	X(HAND_UNPUBLISHED, BOTH, "hands over without publishing")             \
	X(HAND_FORGETS_REST, BOTH, "hands over without W")                     \
	X(HAND_IN_SECRET, BOTH, "does not tell that it handed over")           \
	X(BUMP_TOO_LARGE, BOTH, "adds 4 where it should add 3")

enum mutant {
	CORRECT,
	MUTANTS(MUTANT_NAME) NMUTANTS
};

enum pc {
	LOCK_PUBLISH, /* gen2_trylock(): its slot */
	LOCK_OR,      /* fetch_or */
	LOCK_STORE,   /* (mutant) */
	LOCK_LATE,    /* (mutant) publishes */
	LOCK_CLEAR,   /* its slot again */
	HARD_LOAD,    /* gen2_lock_hard(): load */
	HARD_PUBLISH, /* its slot */
	HARD_CAS,     /* CAS that enters */
	HARD_CLEAR,
	BLOCK_CHAIN,  /* turnstile_chain_lock() */
	BLOCK_LOAD,   /* gen2_mark(): load */
	BLOCK_CAS,    /* CAS that sets W */
	BLOCK_FENCE,  /* so_asym_barrier() */
	BLOCK_RELOAD, /* load after it */
	BLOCK_QUEUE,  /* turnstile_wait(): on the queue */
	SCAN_WORD,    /* gen2_owner(): load */
	SCAN_LINE,    /* held_scan(): the next line */
	SCAN_AGAIN,   /* (mutant) */
	BLOCK_UNLOCK, /* turnstile_chain_unlock() */
	ASLEEP,       /* until td_blocked_on is NULL */
	LENDING,      /* so_block_lent() */
	LOOK_CHAIN,   /* the loan is back: ts_sleep() takes the chain lock */
	LEAVE_CHAIN,  /* time is up: sleep_lending() takes the chain lock */
	INSIDE,       /* owns the lock */
	UNLOCK_EARLY, /* (mutant) clears its slot */
	UNLOCK_LOAD,  /* gen2_unlock(): load */
	UNLOCK_STORE, /* the store that ends the section */
	UNLOCK_ADD,   /* fetch_add */
	UNLOCK_CLEAR, /* its slot */
	HELD_CHAIN,   /* gen2_unlock_held(): chain lock, load, signal */
	HELD_GIVE,    /* the slot of the one it hands to */
	HELD_RELEASE, /* store */
	FREED_CHAIN,  /* gen2_unlock_freed(): chain lock, load, signal */
	FREED_AND,    /* fetch_and that clears W */
	WAKE_CLEAR,   /* its slot; turnstile_unlock_wake(): chain unlock */
	WAKE_RUN,     /* td_blocked_on = NULL, so_wake() */
	WAKE_RETURN,  /* so_unlend() */
	DONE
};

struct model_thread {
	uint8_t mt_pc;
	uint8_t mt_round;
	uint8_t mt_v;       /* what it loaded, or is to store */
	uint8_t mt_bits;    /* L, or L | W when told that others stayed */
	uint8_t mt_held;    /* publishes the word */
	uint8_t mt_again;   /* was on the queue before */
	uint8_t mt_told;    /* others stayed, written by the waker */
	uint8_t mt_handed;  /* 1: about to be, 2: owns the word */
	uint8_t mt_off;     /* td_blocked_on is NULL */
	uint8_t mt_lent;    /* td_lent_to: 1 + borrower */
	uint8_t mt_exact;   /* without a time limit */
	uint8_t mt_back;    /* the loan is back */
	uint8_t mt_scan;    /* lines read */
	uint8_t mt_mask;    /* suspects */
	uint8_t mt_woke;    /* 1 + the thread it took off the queue */
	uint8_t mt_returns; /* mask: loans to give back */
};

struct state {
	uint8_t s_word; /* generation from bit 2 */
	struct lm_queue s_q;
	uint8_t s_bumps; /* releases that modified */
	uint8_t s_broken;
	struct model_thread s_td[NTHREADS];
};
_Static_assert((NTHREADS * NROUNDS + 1) * ONE <= 256, "s_word is wide enough");

/* What is walked. */
extern enum mutant mutant;
extern bool portable;

/* Which releases modify: some do and some do not, of each thread. */
static inline bool
modifies(unsigned t, unsigned round)
{
	return ((t + round) % 2 == 0);
}

static inline uint8_t
bump(const struct model_thread *mt, unsigned t)
{
	if (!modifies(t, mt->mt_round))
		return (0);
	return (mutant == BUMP_TOO_LARGE ? 2 * ONE : ONE);
}

/* A model_walk's step. */
bool gen2_step(void *state, unsigned t, unsigned choice);

#endif /* TESTS_GEN2_MODEL_H */
