/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_HELD_H
#define LOCK_HELD_H

/*
 * Who may hold a lock that has no room for its owner.
 *
 * Each thread has one line in which it publishes the words of such locks: before
 * it tries to acquire, and until after it has released.  So whoever reads "held"
 * in a word, and then all lines, finds the owner; and perhaps others, who have
 * just failed or just released.  Lines lie side by side in the order of td_id,
 * since they are read in a row, and stay where they are until the environment is
 * destroyed.
 *
 * A slot is written by its thread; or by a thread that hands a lock over, while
 * the slot's own sleeps.  Slot 0 is used unless locks nest.
 */

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "kern/kassert.h"
#include "sim/sim.h"

/* A thread has at most one pv list lock; some to spare, for tests and peers. */
#define HELD_SLOTS 6

struct held_line {
	_Alignas(CACHE_LINE_SIZE) const void *_Atomic hl_word[HELD_SLOTS];
	struct thread *_Atomic hl_td; /* constant once set */
};
_Static_assert(sizeof(struct held_line) == CACHE_LINE_SIZE,
    "a scan reads one line a thread");

#define HELD_FIRST  64 /* lines in the first chunk; each next has twice more */
#define HELD_CHUNKS 16

/*
 * Locking key.
 *	a - atomic, set once
 */
struct held_registry {
	struct held_line *_Atomic hr_chunk[HELD_CHUNKS]; /* (a) */
	_Atomic uint32_t hr_n;                           /* (a) lines in use */
};

/* Give td its line.  0 or ENOMEM. */
int held_attach(struct held_registry *hr, struct thread *td);
void held_destroy(struct held_registry *hr, struct sim *sim);

/*
 * The threads but td that publish word: their number, with the one that is
 * number nth among them, modulo the number, in *tdp.  HELD_BLOCKED: if there are
 * several, one that is on a queue, and published while it was, or NULL.
 */
#define HELD_BLOCKED UINT_MAX
unsigned held_scan(struct held_registry *hr, const struct thread *td,
    const void *word, unsigned nth, struct thread **tdp);

/* The slot in which td publishes word, or NULL. */
const void *_Atomic *held_find(struct thread *td, const void *word);

/* A free slot, when the first is not.  Panics if there is none. */
const void *_Atomic *held_spare(struct thread *td);

static inline const void *_Atomic *
held_slot(struct thread *td)
{
	const void *_Atomic *slot = &td->td_held->hl_word[0];

	/* Relaxed: our own. */
	if (__predict_false(
		atomic_load_explicit(slot, memory_order_relaxed) != NULL))
		slot = held_spare(td);
	return (slot);
}

static inline void
held_publish(const void *_Atomic *slot, const void *word)
{
	/*
	 * Release: who finds the word there sees what the thread did before.
	 * That it is found at all is the work of the operation that acquires
	 * the word, which comes next and releases.
	 */
	atomic_store_explicit(slot, word, memory_order_release);
}

static inline void
held_clear(const void *_Atomic *slot)
{
	/* Release: not before the release of the word, on any CPU. */
	atomic_store_explicit(slot, NULL, memory_order_release);
}

#endif /* LOCK_HELD_H */
