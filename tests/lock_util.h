/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_LOCK_UTIL_H
#define TESTS_LOCK_UTIL_H

/* What the tests of src/lock share: a sim with locks, and threads in it. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock/lock.h"
#include "pmapsim/pv_lock.h"
#include "sim/sim.h"

#define LT_THREADS_MAX 32

struct lt {
	struct kmem *lt_kmem;
	struct sim *lt_sim;
	struct thread *lt_td; /* the main thread's */
};

/* A new sim with its lock environment; the calling thread is attached. */
void lt_setup(
    struct lt *lt, const struct sim_ops *ops, unsigned ncpus, bool profile);
/* Asserts that nothing is left blocked, held or allocated. */
void lt_teardown(struct lt *lt);

/*
 * Run tests[0] to tests[n - 1] one after the other in one sim of ncpus CPUs, which
 * is lt.  Returns what main() does.
 */
struct CMUnitTest;
extern struct lt lt;
int lt_run_tests(const struct CMUnitTest *tests, size_t n, unsigned ncpus);
/* lt_teardown(&lt) as a cmocka fixture, for tests that set lt up themselves. */
int lt_end(void **state);

struct lt_thread {
	struct lt *lth_lt;
	void (*lth_fn)(void *arg, unsigned i);
	void *lth_arg;
	_Atomic unsigned *lth_gate; /* NULL: starts at once */
	unsigned lth_i;
	int lth_pri; /* PRI_* */
	int lth_error;
	void *lth_handle;
	struct thread *_Atomic lth_td; /* set once attached, until detached */
};

/* Start one such thread, at a priority.  Asserts that it starts. */
void lt_start(struct lt *lt, struct lt_thread *lth, int pri,
    void (*fn)(void *arg, unsigned i), void *arg, unsigned i);
/* Asserts that the thread could attach. */
void lt_join(struct lt_thread *lth);
void
lt_run(struct lt *lt, unsigned n, void (*fn)(void *arg, unsigned i), void *arg);
/* The same, thread i at priority PRI_DEFAULT + i % npris. */
void lt_run_pri(struct lt *lt, unsigned n, unsigned npris,
    void (*fn)(void *arg, unsigned i), void *arg);

/* The thread, once it is attached. */
struct thread *lt_td(const struct lt_thread *lth);
/* Wait, yielding, until the thread is blocked on key. */
void lt_await_blocked(struct lt_thread *lth, const void *key);
/*
 * The priority of a thread of lt, loans included; lt_await_pri(): once it is
 * expected, or the patience of a test is at its end.
 */
int lt_pri(struct thread *td);
int lt_await_pri(struct thread *td, int expected);

/* Make panics what expect_assert_failure() expects; or no longer. */
void lt_mock_panics(bool on);

/* PMAPSIM_SEED or a fixed number; printed. */
uint64_t lt_seed(void);
/* A small generator (splitmix64). */
uint64_t lt_random(uint64_t *state);

/* Divide an amount of work by what the sanitizer, or the model, costs. */
unsigned lt_scale(unsigned n);
/*
 * And by what it costs that a lock is handed to a thread that does not run while
 * the others spin: with more threads than CPUs, a time slice each time.
 */
unsigned lt_scale_lock(const struct pv_lock_ops *ops, unsigned n);

#endif /* TESTS_LOCK_UTIL_H */
