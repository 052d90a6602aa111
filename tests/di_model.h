/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_DI_MODEL_H
#define TESTS_DI_MODEL_H

/*
 * The states of the model of lockless delayed invalidation, prop_di.c.
 */

#include <stdint.h>

#include "mutants.h"

#define NTHREADS 3
/* Of the first two threads; the third goes once. */
#define NROUNDS 2

#define MUTANTS(X)                                                             \
	X(FINISH_UNMARKED, "finish does not set the mark")                     \
	X(GEN_BEFORE_MARK, "finish reads its generation, then sets the mark")  \
	X(NEXT_EARLY, "start takes its mark off before it is linked")          \
	X(LEAVES_NULL, "finish leaves NULL and not the mark")                  \
	X(KEEPS_GEN, "finish does not hand its generation on")                 \
	X(SAME_GEN, "start takes the generation of the last block")            \
	X(START_SWAPS_ONE, "start compares only next")                         \
	X(WAIT_SHORT, "wait is content with one generation less")              \
	X(WAIT_LONG, "wait wants one generation more")                         \
	X(COUNT_LATE, "wait counts itself after it has looked again")          \
	X(NO_SECOND_LOOK, "wait sleeps without another look")                  \
	X(LOOK_WITHOUT_CHAIN, "wait looks again before it has the chain")      \
	X(WAKE_EARLY, "finish looks for waiters, then swaps")                  \
	X(WAKE_NEVER, "finish wakes only when it is not the oldest")           \
	X(REMOVE_UNMARKED, "a removal does not mark the region")               \
	X(MARK_LATE, "the region is marked after its lock was dropped")        \
	X(FLUSH_LATE, "the TLBs are told after finish")                        \
	X(WAIT_EARLY, "wait reads the region before the page is looked at")

enum mutant {
	CORRECT,
	MUTANTS(MUTANT_PLAIN) NMUTANTS
};

enum pc {
	START_WALK, /* find_last(): next of p */
	START_GEN,  /* gen of p */
	START_SET,  /* my gen */
	START_OFF0, /* (mutant) */
	START_CAS,
	START_OFF, /* my next = NULL */
	MARK_GEN,  /* pmap_delayed_invl_mark(): my gen */
	UNLINK,    /* under the pv list lock: removes and marks */
	MARK,      /* (mutant) */
	FLUSH,     /* tells the TLBs */
	FIN_WALK,  /* find_previous(): next of p */
	FIN_GEN0,  /* (mutant) */
	FIN_MARK,  /* my next |= mark */
	FIN_GEN,   /* my gen */
	FIN_PGEN,  /* gen of p */
	FIN_LOOK0, /* (mutant) */
	FIN_CAS,
	FIN_UNDO,  /* my next without the mark */
	FIN_FREE,  /* my next = mark alone */
	FIN_LOOK,  /* is anybody counted? */
	FIN_CHAIN, /* turnstile_chain_lock(), broadcast, unlock */
	FLUSH_NOW, /* (mutant) */
	OBSERVE0,  /* (mutant) */
	OBSERVE,   /* under the pv list lock: the page has no mappings */
	WAIT_LOOK, /* gen of the head */
	WAIT_COUNT,
	WAIT_LOOK0,  /* (mutant) */
	WAIT_CHAIN,  /* turnstile_chain_lock() */
	WAIT_AGAIN,  /* gen of the head; unlocks, or sleeps */
	WAIT_COUNT0, /* (mutant) */
	WAIT_SLEEP,  /* (mutant) */
	ASLEEP,
	WAIT_UNCOUNT,
	DONE
};

#define HEAD  0u /* element 0; thread t's is t + 1 */
#define NIL   0u
#define FREED 0x80u /* the mark */

struct element {
	uint8_t e_gen;
	uint8_t e_next;
};

struct model_thread {
	uint8_t mt_pc;
	uint8_t mt_round;
	uint8_t mt_p;      /* element it is at */
	uint8_t mt_gen;    /* what it read of p, or of its own */
	uint8_t mt_pgen;   /* of p */
	uint8_t mt_next;   /* of its own, without the mark */
	uint8_t mt_target; /* what it waits for */
	uint8_t mt_owed;   /* blocks that must have told the TLBs */
	uint8_t mt_marked; /* with that generation; 0: no block, or not yet */
	uint8_t mt_asleep;
};

struct model {
	struct element m_el[NTHREADS + 1];
	uint8_t m_region;  /* pv_invl_gen */
	uint8_t m_stale;   /* threads that have removed and not told */
	uint8_t m_waiters; /* di_waiters */
	uint8_t m_chain;   /* 1 + who has it */
	uint8_t m_wrong;   /* the head's generation fell; a wait was short */
	struct model_thread m_thread[NTHREADS];
};

#endif /* TESTS_DI_MODEL_H */
