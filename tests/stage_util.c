/* SPDX-License-Identifier: BSD-2-Clause */

#include "stage_util.h"

#include <sched.h>

#define NTHREADS 64 /* of td_id */

struct sim_ops stage_ops;

static _Atomic uint64_t now;
static const struct thread *_Atomic held;
static stage_loan_fn *_Atomic loan_fn;
static const struct thread *lends_to[NTHREADS]; /* each its thread's own */

static uint64_t
stage_clock_ns(struct sim *sim)
{
	(void)sim;
	/* Relaxed: time orders nothing. */
	return (atomic_load_explicit(&now, memory_order_relaxed));
}

void
stage_clock_add(uint64_t ns)
{
	/* Relaxed: as above. */
	atomic_fetch_add_explicit(&now, ns, memory_order_relaxed);
}

void
stage_hold(const struct thread *td)
{
	/* Relaxed: td is woken after this, by this thread. */
	atomic_store_explicit(&held, td, memory_order_relaxed);
}

void
stage_release(void)
{
	/* Release: what the director did before. */
	atomic_store_explicit(&held, NULL, memory_order_release);
}

static void
stage_block(struct thread *td)
{
	sim_real_ops.so_block(td);
	/* Acquire: pairs with stage_release(). */
	while (atomic_load_explicit(&held, memory_order_acquire) == td)
		(void)sched_yield();
}

static void
stage_lend(struct thread *td, const struct thread *to)
{
	lends_to[td->td_id % NTHREADS] = to;
	sim_real_ops.so_lend(td, to);
}

static int
stage_block_lent(struct thread *td, uint64_t deadline_ns)
{
	/* Acquire: what the director wrote before stage_loans(). */
	stage_loan_fn *fn =
	    atomic_load_explicit(&loan_fn, memory_order_acquire);
	int error = STAGE_REAL;

	if (fn != NULL)
		error = fn(td, lends_to[td->td_id % NTHREADS],
		    deadline_ns != UINT64_MAX);
	if (error != STAGE_REAL)
		return (error);
	return (sim_real_ops.so_block_lent(td, UINT64_MAX));
}

void
stage_loans(stage_loan_fn *fn)
{
	/* Release: pairs with stage_block_lent(). */
	atomic_store_explicit(&loan_fn, fn, memory_order_release);
}

void
stage_reset(void)
{
	stage_ops = sim_real_ops;
	stage_ops.so_clock_ns = stage_clock_ns;
	stage_ops.so_block = stage_block;
	stage_ops.so_lend = stage_lend;
	stage_ops.so_block_lent = stage_block_lent;
	/* Relaxed: there are no threads yet.  Not 0, which means unset. */
	atomic_store_explicit(&now, UINT64_C(1000000000), memory_order_relaxed);
	stage_release();
	stage_loans(NULL);
}
