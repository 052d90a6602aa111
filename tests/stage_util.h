/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_STAGE_UTIL_H
#define TESTS_STAGE_UTIL_H

/*
 * Real mode with a director: a clock that stands until it is moved, threads that
 * are kept from going on after they were woken, and loans that end when the test
 * says so.  One stage at a time.
 */

#include "sim/sim.h"

extern struct sim_ops stage_ops;

/* Set the clock back, let everybody go, loans as in real mode. */
void stage_reset(void);

/* The clock stands, so that nobody has waited for long; move it. */
void stage_clock_add(uint64_t ns);

/* From now on a wake-up of td takes effect only after stage_release(). */
void stage_hold(const struct thread *td);
void stage_release(void);

/*
 * What so_block_lent() does: td sleeps for a loan to another thread.  May be called
 * in any thread.  Returns what so_block_lent() is to return, or STAGE_REAL: the
 * loan is the host's, until it is returned.
 */
#define STAGE_REAL (-1)
typedef int
stage_loan_fn(struct thread *td, const struct thread *to, bool timed);
void stage_loans(stage_loan_fn *fn);

#endif /* TESTS_STAGE_UTIL_H */
