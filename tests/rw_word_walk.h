/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RW_WORD_WALK_H
#define TESTS_RW_WORD_WALK_H

/*
 * What prop_rw_word.c and its mutants share.  A mutant changes what one operation
 * sees in the word, or does to it, or what the walk's own waiting does.
 */

#include <stdint.h>

#include "code_walk_program.h"
#include "mutants.h"

#define MUTANTS(X)                                                             \
	X(CAS_IS_TWO_STEPS, "compares and sets in two steps")                  \
	X(BLOCKS_AT_FREE_WORD, "a writer queues at a free word")               \
	X(WAKES_NOBODY, "takes a thread off the queue and does not wake it")   \
	X(LOAN_IS_KEPT, "returns no loan")                                     \
	X(READS_PAST_WRITER, "a reader does not look at W")                    \
	X(READS_PAST_WAITER, "a reader does not look at WW")                   \
	X(READS_PAST_SPINNER, "a reader does not look at S")                   \
	X(READER_SETS_NO_BIT, "a reader queues without RW")                    \
	X(WRITER_SETS_NO_BIT, "a writer queues without WW")                    \
	X(READER_TAKES_WW, "a reader that queues clears WW")                   \
	X(WRITER_DROPS_BITS, "a writer acquires without the bits")             \
	X(UPGRADE_DROPS_BITS, "an upgrade drops the bits")                     \
	X(UPGRADE_OF_TWO, "one of two readers upgrades")                       \
	X(SPINNER_KEEPS_S, "a spinner that blocks leaves S")                   \
	X(WRITER_KEEPS_S, "a writer acquires and leaves S")                    \
	X(WUNLOCK_IGNORES_BITS, "a writer leaves without a look at the bits")  \
	X(RUNLOCK_IGNORES_BITS, "the last reader leaves without a look")       \
	X(RUNLOCK_TAKES_BITS, "the last reader's release clears the bits")     \
	X(RELEASE_DROPS_WW, "a release forgets the writers that stay")         \
	X(RELEASE_DROPS_RW, "a release forgets the readers that stay")         \
	X(SPINNER_IS_IGNORED, "the last reader takes S along")                 \
	X(DOWNGRADE_DROPS_BITS, "a downgrade forgets who waits")               \
	X(DOWNGRADE_LEAVES_W, "a downgrade adds a reader and stays a writer")

enum mutant {
	CORRECT,
	MUTANTS(MUTANT_PLAIN) NMUTANTS
};

enum doing {
	NOTHING,
	RLOCK,
	RUNLOCK,
	WLOCK,
	WUNLOCK,
	UPGRADE,
	DOWNGRADE
};

/* Of a thread; part of the state. */
struct ghost {
	uint8_t g_doing;
	uint8_t g_reads; /* holds, from an acquisition to the release of it */
	uint8_t g_writes;
};

extern struct ghost rww_ghosts[CW_THREADS_MAX];
extern enum mutant rww_mutant;

/* Of curthread(). */
static inline struct ghost *
rww_self(void)
{
	return (&rww_ghosts[curthread()->td_id]);
}

/* Set cwl_bends for rww_mutant. */
void rww_bend(void);

#endif /* TESTS_RW_WORD_WALK_H */
