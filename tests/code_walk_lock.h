/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_CODE_WALK_LOCK_H
#define TESTS_CODE_WALK_LOCK_H

/*
 * A walk over a lock of 8 bytes and the real turnstile, with threads of a sim whose
 * waiting is the walk's.  code_walk_hooks.h calls what is below.
 *
 * Spinning.  A thread that looks again at what it has just seen is where it was, so
 * it gives up at once; except where the lock does something between two looks.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "code_walk.h"
#include "sim/sim.h"

struct leaf_lock;
struct lock_delay;

extern struct thread cwl_td[CW_THREADS_MAX];

/* What a test may have done to the code: each changes one step of it. */
struct cwl_bends {
	/* What the calling thread sees in the word. */
	uint64_t (*cb_load)(uint64_t v);
	/*
	 * It is about to replace *expectedp by *newp in a word that is v; either
	 * may be changed.
	 */
	void (*cb_cas)(uint64_t v, uint64_t *expectedp, uint64_t *newp);
	/* What it is about to store. */
	uint64_t (*cb_store)(uint64_t v);
	bool cb_cas_is_two_steps;
	bool cb_wakes_nobody;
	bool cb_returns_no_loan;
	bool cb_no_barrier;
};
extern struct cwl_bends cwl_bends;

/* Set before cwl_begin(), and cleared by cwl_end(). */
/* How often curthread(), which has read v, may look again.  NULL: never. */
extern unsigned (*cwl_looks)(uint64_t v);
extern bool cwl_asym;           /* releases are restartable sections */
extern bool (*cwl_hands)(void); /* may this release hand over? */
/* NULL, or what is wrong with that change of the word by curthread(). */
extern const char *(*cwl_change)(uint64_t from, uint64_t to);

/* Begin with threads of those priorities, and a word in a lock of that size. */
void cwl_begin(const int *pris, unsigned n, void *lock, size_t size,
    _Atomic uint64_t *word);
void cwl_end(void);
void cwl_switch(unsigned t);

/* The word, for who looks on. */
uint64_t cwl_word(void);
/* Does curthread() have the chain lock?  Does anybody? */
bool cwl_has_chain(void);
bool cwl_chain_free(void);
/* Does nobody wait on that queue now, or since who has the chain lock took it? */
bool cwl_empty(unsigned queue);
bool cwl_was_empty(unsigned queue);
/*
 * NULL, or what is wrong with priorities and loans.  owner, of the word, may be
 * NULL; marked: the word has a bit that makes its release take the chain lock;
 * settled: its acquisition has returned, and its release has not begun.
 */
const char *
cwl_loans_complaint(const struct thread *owner, bool marked, bool settled);
/* What the threads should have got back in the end. */
const char *cwl_threads_complaint(void);

/* For the code that is walked. */
void *cwl_alloc(size_t size);
void cwl_leaf_lock(struct leaf_lock *ll);
void cwl_leaf_unlock(struct leaf_lock *ll);
bool cwl_delay_seen(struct lock_delay *ld, uint64_t v);
bool cwl_asym_clear64(_Atomic uint64_t *word, uint64_t v);
uint64_t cwl_load(const _Atomic uint64_t *p);
const void *cwl_load_ptr(const void *_Atomic *p);
bool cwl_load_bool(_Atomic bool *p);
void cwl_store(_Atomic uint64_t *p, uint64_t v);
void cwl_store_ptr(const void *_Atomic *p, const void *v);
void cwl_store_bool(_Atomic bool *p, bool v);
bool cwl_cas(_Atomic uint64_t *p, uint64_t *expected, uint64_t v);
uint64_t cwl_fetch_or(_Atomic uint64_t *p, uint64_t v);
uint64_t cwl_fetch_and(_Atomic uint64_t *p, uint64_t v);

#endif /* TESTS_CODE_WALK_LOCK_H */
