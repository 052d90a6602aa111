/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RW_UTIL_H
#define TESTS_RW_UTIL_H

/*
 * What the tests of rwlocks and of sx locks share: a lock of either kind, what it
 * guards, who comes for it, and the tests that both pass.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lock/rwlock.h"
#include "lock/sx.h"
#include "lock_util.h"

#define NTHREADS 8

/* One kind of lock, in the words of rwlocks; l is the lock. */
struct rw_api {
	void (*ra_init)(void *l, bool recurse);
	void (*ra_destroy)(void *l);
	void (*ra_rlock)(void *l);
	void (*ra_runlock)(void *l);
	void (*ra_wlock)(void *l);
	void (*ra_wunlock)(void *l);
	bool (*ra_try_rlock)(void *l);
	bool (*ra_try_wlock)(void *l);
	bool (*ra_try_upgrade)(void *l);
	void (*ra_downgrade)(void *l);
	bool (*ra_wowned)(void *l);
	unsigned (*ra_nread)(const struct thread *td); /* holds of td */
};
extern const struct rw_api rw_api_rwlock, rw_api_sx;

struct shared {
	const struct rw_api *s_api;
	union {
		struct rwlock s_rw;
		struct sx s_sx;
	};
	uint64_t s_a; /* equal, under the lock */
	uint64_t s_b;
	unsigned s_iters;
	_Atomic unsigned s_torn;
	_Atomic unsigned s_inside;
	_Atomic bool s_event;
	unsigned s_trail[NTHREADS];
	bool s_result;
};

/* Zeroed, with a new lock. */
void shared_init(struct shared *s, const struct rw_api *api);
/* The lock's word: its place, and its value. */
_Atomic uint64_t *word_of(struct shared *s);
uint64_t word(struct shared *s);
/* How many readers have come in by enter(). */
unsigned inside(struct shared *s);

/* Bodies of threads; arg is a struct shared. */

/* Can it be had?  Into s_result. */
void try_read(void *arg, unsigned i);
void try_write(void *arg, unsigned i);
/*
 * The last half of the threads write, and leave their number in s_trail; the
 * others read, and stay until half of them are inside.
 */
void enter(void *arg, unsigned i);

/*
 * A program of tests: those that each kind passes (rw_both.c), then tests[0] to
 * tests[n - 1].  Returns what main() does.
 */
int rw_run_tests(
    const struct rw_api *api, const struct CMUnitTest *tests, size_t n);

#endif /* TESTS_RW_UTIL_H */
