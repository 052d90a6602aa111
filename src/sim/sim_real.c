/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Real mode: host threads, the host's clock, a futex.
 *
 * Blocking.  td_park is a token with three states:
 *
 *	so_wake		any -> TOKEN		exchange; from ASLEEP, a futex wake
 *	so_block	NONE -> ASLEEP		CAS, owner; then it sleeps
 *			TOKEN -> NONE		exchange, owner; then it returns
 *	(give up)	ASLEEP -> NONE		exchange, owner
 *
 * Invariants.
 *   1. Only the owner leaves TOKEN, so a token that was set is not lost.
 *   2. Only the owner enters ASLEEP, and the futex sleeps only while the word is
 *	ASLEEP, so a waker that finds NONE owes no wake.
 *   3. The owner leaves TOKEN by an exchange that acquires: where two wakes
 *	became one token, it sees what both wakers wrote before.
 *
 * Binding.  A thread binds itself before it runs its function.  Where the host
 * does not let it, it runs unbound and is counted in sim_unbound: the caller
 * reports that, as a measurement then means something else.
 */
#include <sys/types.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "kern/cpu.h"
#include "kern/kassert.h"
#include "kern/kmem.h"
#include "kern/rcu.h"
#include "sim/asym.h"
#include "sim/clock.h"
#include "sim/host.h"
#include "sim/loan.h"
#include "sim/sim.h"

enum {
	PARK_NONE,
	PARK_TOKEN,
	PARK_ASLEEP
};

struct real_thread {
	struct sim *rt_sim;
	pthread_t rt_pthread;
	int rt_hostcpu; /* -1: anywhere */
	void (*rt_fn)(void *);
	void *rt_arg;
};

static uint64_t
real_clock_ns(struct sim *sim)
{
	(void)sim;
	return (clock_ns());
}

/* Take the token.  True if it was there; clears ASLEEP if it was not. */
static bool
park_take(struct thread *td)
{
	/* Acquire: pairs with real_wake(). */
	return (atomic_exchange_explicit(&td->td_park, PARK_NONE,
		    memory_order_acquire) == PARK_TOKEN);
}

/* Announce that we sleep.  False if there is a token already. */
static bool
park_announce(struct thread *td)
{
	uint32_t v = PARK_NONE;

	/* Relaxed: nothing is published; park_take() acquires. */
	return (atomic_compare_exchange_strong_explicit(&td->td_park, &v,
		    PARK_ASLEEP, memory_order_relaxed, memory_order_relaxed) ||
	    v == PARK_ASLEEP);
}

static void
real_block(struct thread *td)
{
	KASSERT(td == curthread(),
	    ("thread %u blocked by another", (unsigned)td->td_id));
	while (park_announce(td))
		futex_wait(&td->td_park, PARK_ASLEEP, UINT64_MAX);
	(void)park_take(td);
}

static bool
real_block_until(struct thread *td, uint64_t deadline_ns)
{
	uint64_t now;

	KASSERT(td == curthread(),
	    ("thread %u blocked by another", (unsigned)td->td_id));
	while (park_announce(td)) {
		now = clock_ns();
		if (now >= deadline_ns)
			break;
		futex_wait(&td->td_park, PARK_ASLEEP, deadline_ns - now);
	}
	/* A token that came with the deadline counts. */
	return (park_take(td));
}

static void
real_wake(struct thread *td)
{
	/* Release: pairs with park_take(). */
	if (atomic_exchange_explicit(
		&td->td_park, PARK_TOKEN, memory_order_release) == PARK_ASLEEP)
		futex_wake(&td->td_park, 1);
}

static void
real_spin(struct sim *sim, unsigned n)
{
	(void)sim;
	while (n-- > 0)
		cpu_spinwait();
}

static void
real_yield(struct sim *sim)
{
	(void)sim;
	(void)sched_yield();
}

static void *
real_thread_start(void *arg)
{
	struct real_thread *rt = arg;

	if (rt->rt_hostcpu >= 0 && !host_bind_thread(rt->rt_hostcpu)) {
		/* Relaxed: a count, read after the threads are joined. */
		atomic_fetch_add_explicit(
		    &rt->rt_sim->sim_unbound, 1, memory_order_relaxed);
	}
	rt->rt_fn(rt->rt_arg);
	return (NULL);
}

static int
real_thread_create(
    struct sim *sim, int hostcpu, void (*fn)(void *), void *arg, void **handlep)
{
	struct real_thread *rt;
	int error;

	rt =
	    kmem_alloc(sim->sim_kmem, sizeof(*rt), 0, M_THREAD, KMEM_ANYDOMAIN);
	if (rt == NULL)
		return (ENOMEM);
	rt->rt_sim = sim;
	rt->rt_hostcpu = hostcpu;
	rt->rt_fn = fn;
	rt->rt_arg = arg;
	error = pthread_create(&rt->rt_pthread, NULL, real_thread_start, rt);
	if (error != 0) {
		kmem_free(
		    sim->sim_kmem, rt, sizeof(*rt), M_THREAD, KMEM_ANYDOMAIN);
		return (error);
	}
	*handlep = rt;
	return (0);
}

static int
real_thread_join(struct sim *sim, void *handle)
{
	struct real_thread *rt = handle;
	int error;

	error = pthread_join(rt->rt_pthread, NULL);
	if (error == 0)
		kmem_free(
		    sim->sim_kmem, rt, sizeof(*rt), M_THREAD, KMEM_ANYDOMAIN);
	return (error);
}

const struct sim_ops sim_real_ops = {
	.so_name = "real",
	.so_clock_ns = real_clock_ns,
	.so_block = real_block,
	.so_block_until = real_block_until,
	.so_wake = real_wake,
	.so_lend = loan_lend,
	.so_block_lent = loan_block,
	.so_unlend = loan_return,
	.so_lend_cancel = loan_cancel,
	.so_host_pri = loan_host_pri,
	.so_tid = loan_tid,
	.so_pi_lock = loan_pi_lock,
	.so_pi_unlock = loan_pi_unlock,
	.so_asym_init = asym_init,
	.so_asym_thread = asym_thread,
	.so_asym_barrier = asym_barrier,
	.so_spin = real_spin,
	.so_yield = real_yield,
	.so_thread_create = real_thread_create,
	.so_thread_join = real_thread_join,
};
