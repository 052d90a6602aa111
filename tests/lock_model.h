/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_LOCK_MODEL_H
#define TESTS_LOCK_MODEL_H

/*
 * What the models of a lock's word share: the turnstile's queue and chain lock, and
 * how a model is walked, as it is and with each of its mutants.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model_walk.h"
#include "mutants.h"

#define NTHREADS 3
#define NROUNDS  2

/* Of the word's turnstile.  All bytes: part of a state. */
struct lm_queue {
	uint8_t lq_chain; /* 1 + holder of the chain lock, 0: free */
	uint8_t lq_td[NTHREADS];
	uint8_t lq_n;
};

bool lm_queued(const struct lm_queue *lq, unsigned t);
/* At the end; at the front, if it was on the queue before. */
void lm_enqueue(struct lm_queue *lq, unsigned t, bool again);
/* t is on the queue. */
void lm_dequeue(struct lm_queue *lq, unsigned t);
/* False: another has the chain lock. */
bool lm_take_chain(struct lm_queue *lq, unsigned t);
/* Does not unlock what it has not locked: a mutant may not have. */
void lm_drop_chain(struct lm_queue *lq, unsigned t);

struct lock_model {
	struct model_walk lm_walk;
	const void *lm_first;
	const struct mutant_row *lm_mutants;
	unsigned lm_nmutants;
	/* Walk with that mutant from now on, 0 is none; in that form. */
	void (*lm_set)(unsigned mutant, bool portable);
};

/* The tests of a model; returns what main() does. */
int lock_model_main(const struct lock_model *lm);

#endif /* TESTS_LOCK_MODEL_H */
