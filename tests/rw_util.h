/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RW_UTIL_H
#define TESTS_RW_UTIL_H

/* What the tests of rwlocks share: a lock, what it guards, and who comes for it. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lock/rwlock.h"
#include "lock_util.h"

#define NTHREADS 8

struct shared {
	struct rwlock s_rw;
	uint64_t s_a; /* equal, under the lock */
	uint64_t s_b;
	unsigned s_iters;
	_Atomic unsigned s_torn;
	_Atomic unsigned s_inside;
	unsigned s_trail[NTHREADS];
	bool s_result;
};

uint64_t word(const struct rwlock *rw);
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

#endif /* TESTS_RW_UTIL_H */
