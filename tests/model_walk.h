/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_MODEL_WALK_H
#define TESTS_MODEL_WALK_H

/*
 * Walk every state that a small model can reach.
 *
 * A model is a struct without padding, whose bytes are the state, and three
 * functions.  Memory is sequentially consistent; what memory orders do is for
 * ThreadSanitizer.
 */

#include <stdbool.h>
#include <stddef.h>

/* Ways in which one thread may go on from one state: mw_step's choice. */
#define MW_CHOICES 2

struct model_walk {
	size_t mw_size; /* bytes of a state */
	unsigned mw_nthreads;
	/*
	 * Let thread t take its next step, in one of MW_CHOICES ways.  False: it
	 * cannot, or not in that way.
	 */
	bool (*mw_step)(void *state, unsigned t, unsigned choice);
	/* NULL, or what is wrong with a state. */
	const char *(*mw_complaint)(const void *state);
	/* Is every thread done?  Then *wrongp may be set to what is wrong. */
	bool (*mw_done)(const void *state, const char **wrongp);
};

/*
 * Walk from the state at first.  Returns NULL, or the first thing found wrong; a
 * state that is not done and that no thread can leave is a wake-up lost.
 * *nstatesp: states seen.
 */
const char *
model_walk(const struct model_walk *mw, const void *first, size_t *nstatesp);

#endif /* TESTS_MODEL_WALK_H */
