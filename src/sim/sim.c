/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registry of threads.
 *
 * The idea.  A thread that attaches takes a struct thread, a slot, off a free
 * list, or a new one is made.  All slots ever made are in an array, in the
 * order of td_id:
 *
 *	sr_table ---> +----+----------+
 *	              | cap| n        |   replaced by one twice as large
 *	              +----+----------+   when n == cap
 *	              | slot 0: ------+--> struct thread   never freed before
 *	              | slot 1: ------+--> struct thread   sim_destroy()
 *	              | ...           |
 *
 * Invariants.
 *   1. Writers hold sr_lock.  Readers are inside RCU and hold nothing.
 *   2. A slot is written to the table before n counts it, and n only grows.
 *   3. A table that was replaced is freed after a grace period.
 *   4. A slot goes back to the free list a grace period after td_attached
 *	became false.  Hence a reader that saw td_attached true can read what is
 *	constant while the thread is attached until it leaves RCU.
 *   5. The counters of a slot are those of its present thread; sim_retired has
 *	those of all former ones.  Both change under sr_lock in one step.
 *
 * Not provided.  A stale token: who calls so_wake() on a thread that has left
 * may wake the slot's next owner, for no reason.  What blocks checks on return
 * whether it has what it waited for, as with any condition variable.
 *
 * Lock order.  sr_lock, then the mutex of the kmem.
 */
#include "sim/sim.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "kern/kassert.h"
#include "kern/rcu.h"
#include "pmapsim/types.h"
#include "sim/clock.h"
#include "sim/loan.h"
#include "sim/pin.h"

/* So that growth is an ordinary event in tests, not a rare one. */
#define TABLE_FIRST (INVARIANTS_ENABLED ? 1u : 64u)

/*
 * Locking key.
 *	r - sr_lock to write
 *	c - constant
 *	a - atomic
 */
struct thread_table {
	uint32_t tt_cap;        /* (c) */
	_Atomic uint32_t tt_n;  /* (a, r) */
	struct thread *tt_td[]; /* (r) below tt_n constant */
};

struct sim_registry {
	pthread_mutex_t sr_lock;
	struct thread_table *_Atomic sr_table; /* (a, r) */
	struct thread *sr_free;                /* (r) */
	unsigned sr_nattached;                 /* (r) */
};

_Static_assert(sizeof(struct thread) % CACHE_PAIR_SIZE == 0,
    "two slots share no pair of cache lines");
_Static_assert(offsetof(struct thread, td_cpu) < CACHE_LINE_SIZE,
    "a lock operation reads one line of the thread");
_Static_assert(offsetof(struct thread, td_park) == CACHE_LINE_SIZE &&
	offsetof(struct thread, td_free_next) < CACHE_PAIR_SIZE,
    "what others write is in the second line");

_Thread_local struct thread *sim_curthread;

static void
registry_lock(struct sim_registry *sr)
{
	int error;

	error = pthread_mutex_lock(&sr->sr_lock);
	KASSERT(error == 0, ("registry %p: lock: error %d", (void *)sr, error));
	(void)error;
}

static void
registry_unlock(struct sim_registry *sr)
{
	int error;

	error = pthread_mutex_unlock(&sr->sr_lock);
	KASSERT(
	    error == 0, ("registry %p: unlock: error %d", (void *)sr, error));
	(void)error;
}

static size_t
table_size(uint32_t cap)
{
	return (sizeof(struct thread_table) + cap * sizeof(struct thread *));
}

static struct thread_table *
table_create(struct kmem *km, uint32_t cap)
{
	struct thread_table *tt;

	tt = kmem_alloc(km, table_size(cap), 0, M_THREAD, KMEM_ANYDOMAIN);
	if (tt != NULL)
		tt->tt_cap = cap;
	return (tt);
}

static void
table_destroy(struct kmem *km, struct thread_table *tt)
{
	if (tt != NULL)
		kmem_free(
		    km, tt, table_size(tt->tt_cap), M_THREAD, KMEM_ANYDOMAIN);
}

/* Destroys a half-built registry too. */
static void
registry_destroy(struct kmem *km, struct sim_registry *sr)
{
	struct thread_table *tt;
	uint32_t n;

	/* Relaxed: the last user is us. */
	tt = atomic_load_explicit(&sr->sr_table, memory_order_relaxed);
	if (tt != NULL) {
		/* Relaxed: as above. */
		n = atomic_load_explicit(&tt->tt_n, memory_order_relaxed);
		for (uint32_t i = 0; i < n; i++)
			kmem_free(km, tt->tt_td[i], sizeof(struct thread),
			    M_THREAD, KMEM_ANYDOMAIN);
	}
	table_destroy(km, tt);
	(void)pthread_mutex_destroy(&sr->sr_lock);
	kmem_free(km, sr, sizeof(*sr), M_THREAD, KMEM_ANYDOMAIN);
}

static int
registry_create(struct kmem *km, struct sim_registry **srp)
{
	struct sim_registry *sr;
	struct thread_table *tt;
	int error;

	sr = kmem_alloc(km, sizeof(*sr), 0, M_THREAD, KMEM_ANYDOMAIN);
	if (sr == NULL)
		return (ENOMEM);
	error = pthread_mutex_init(&sr->sr_lock, NULL);
	if (error != 0) {
		kmem_free(km, sr, sizeof(*sr), M_THREAD, KMEM_ANYDOMAIN);
		return (error);
	}
	tt = table_create(km, TABLE_FIRST);
	if (tt == NULL) {
		registry_destroy(km, sr);
		return (ENOMEM);
	}
	/* Relaxed: nobody else knows the registry yet. */
	atomic_store_explicit(&sr->sr_table, tt, memory_order_relaxed);
	*srp = sr;
	return (0);
}

/* The best of some, since the CPU may be taken away; a few microseconds. */
static unsigned
measure_spin_ns(struct sim *sim)
{
	const unsigned n = 32;
	uint64_t best = UINT64_MAX, ns, start;

	for (int i = 0; i < 5; i++) {
		start = sim_clock_ns(sim);
		sim->sim_ops->so_spin(sim, n);
		ns = sim_clock_ns(sim) - start;
		if (ns < best)
			best = ns;
	}
	return (best / n > 0 && best / n < 10000 ? (unsigned)(best / n) : 1);
}

int
sim_create(struct kmem *km, const struct sim_ops *ops, unsigned ncpus,
    struct sim **simp)
{
	struct sim *sim;
	unsigned ncpus_host;
	int error;

	KASSERT(ncpus >= 1 && ncpus <= MACHINE_CPU_MAX, ("%u CPUs", ncpus));
	if (ops->so_ncpus != NULL) {
		ncpus_host = ops->so_ncpus();
	} else {
		clock_init();
		loan_init();
		ncpus_host = host_ncpus();
	}
	sim = kmem_alloc(km, sizeof(*sim), 0, M_THREAD, KMEM_ANYDOMAIN);
	if (sim == NULL)
		return (ENOMEM);
	sim->sim_ops = ops;
	sim->sim_kmem = km;
	sim->sim_ncpus = ncpus;
	sim->sim_oversubscribed = ncpus > ncpus_host;
	sim->sim_spin_ns = measure_spin_ns(sim);
	sim->sim_asym = ops->so_asym_init();
	error = registry_create(km, &sim->sim_registry);
	if (error != 0) {
		kmem_free(km, sim, sizeof(*sim), M_THREAD, KMEM_ANYDOMAIN);
		return (error);
	}
	*simp = sim;
	return (0);
}

void
sim_destroy(struct sim *sim)
{
	struct kmem *km;

	if (sim == NULL)
		return;
	km = sim->sim_kmem;
	KASSERT(sim_nthreads(sim) == 0,
	    ("sim %p: %u threads attached", (void *)sim, sim_nthreads(sim)));
	registry_destroy(km, sim->sim_registry);
	kmem_free(km, sim, sizeof(*sim), M_THREAD, KMEM_ANYDOMAIN);
}

/*
 * Append a new slot to the table, in place or in a larger copy; the table it
 * replaces, if it does, is left in *oldp for the caller to free.  (r)
 */
static struct thread *
registry_grow(struct sim *sim, struct thread_table **oldp)
{
	struct sim_registry *sr = sim->sim_registry;
	struct thread_table *larger = NULL, *tt;
	struct thread *td;
	uint32_t n;

	/* Relaxed: written under the registry lock, which we hold. */
	tt = atomic_load_explicit(&sr->sr_table, memory_order_relaxed);
	/* Relaxed: as above. */
	n = atomic_load_explicit(&tt->tt_n, memory_order_relaxed);
	if (n == tt->tt_cap) {
		larger = table_create(sim->sim_kmem, 2 * tt->tt_cap);
		if (larger == NULL)
			return (NULL);
		memcpy(larger->tt_td, tt->tt_td, n * sizeof(tt->tt_td[0]));
	}
	td = kmem_alloc(sim->sim_kmem, sizeof(*td), _Alignof(struct thread),
	    M_THREAD, KMEM_ANYDOMAIN);
	if (td == NULL) {
		table_destroy(sim->sim_kmem, larger);
		return (NULL);
	}
	td->td_sim = sim;
	td->td_id = n;

	if (larger != NULL) {
		larger->tt_td[n] = td;
		/* Relaxed: published with the table, below. */
		atomic_store_explicit(
		    &larger->tt_n, n + 1, memory_order_relaxed);
		/* Release: pairs with sim_thread_foreach(). */
		atomic_store_explicit(
		    &sr->sr_table, larger, memory_order_release);
		*oldp = tt;
	} else {
		tt->tt_td[n] = td;
		/* Release: pairs with sim_thread_foreach(). */
		atomic_store_explicit(&tt->tt_n, n + 1, memory_order_release);
	}
	return (td);
}

int
sim_thread_attach(
    struct sim *sim, unsigned cpu, int domain, struct thread **tdp)
{
	struct sim_registry *sr = sim->sim_registry;
	struct thread_table *old = NULL;
	struct thread *td;

	KASSERT(cpu < sim->sim_ncpus,
	    ("thread on CPU %u of %u", cpu, sim->sim_ncpus));
	registry_lock(sr);
	td = sr->sr_free;
	if (td != NULL)
		sr->sr_free = td->td_free_next;
	else
		td = registry_grow(sim, &old);
	if (td == NULL) {
		registry_unlock(sr);
		return (ENOMEM);
	}
	td->td_lock_hooks = 0;
	td->td_rw_rlocks = 0;
	td->td_sx_slocks = 0;
	td->td_prof = NULL;
	td->td_witness = NULL;
	td->td_pv_held = NULL;
	td->td_held = NULL;
	td->td_rseq_cs = sim->sim_asym ? sim->sim_ops->so_asym_thread() : NULL;
	td->td_tid = sim->sim_ops->so_tid();
	td->td_machine = NULL;
	td->td_pgcache = NULL;
	td->td_turnstile = NULL;
	td->td_free_next = NULL;
	td->td_cpu = cpu;
	td->td_domain = domain;
	td->td_pri = PRI_DEFAULT;
	td->td_base_pri = PRI_DEFAULT;
	td->td_host_pri = PRI_NONE;
	td->td_lends_exact = false;
	/* Relaxed: a token for the slot's former thread is none of ours. */
	atomic_store_explicit(&td->td_park, 0, memory_order_relaxed);
	sr->sr_nattached++;
	/* Release: pairs with sim_thread_foreach(); publishes the above. */
	atomic_store_explicit(&td->td_attached, true, memory_order_release);
	registry_unlock(sr);

	rcu_thread_register();
	if (old != NULL) {
		rcu_synchronize();
		table_destroy(sim->sim_kmem, old);
	}
	sim_curthread = td;
	if (sim->sim_ops->so_attach != NULL)
		sim->sim_ops->so_attach(td);
	*tdp = td;
	return (0);
}

void
sim_thread_detach(struct thread *td)
{
	struct sim *sim = td->td_sim;
	struct sim_registry *sr = sim->sim_registry;
	uint64_t n;

	KASSERT(td == curthread(),
	    ("thread %u detached by another", (unsigned)td->td_id));
	KASSERT(td->td_pv_held == NULL,
	    ("thread %u leaves with pv list lock %p", (unsigned)td->td_id,
		td->td_pv_held));
	if (sim->sim_ops->so_detach != NULL)
		sim->sim_ops->so_detach(td);
	/* The kernel must find nothing of ours there once we are unloaded. */
	if (td->td_rseq_cs != NULL)
		*td->td_rseq_cs = 0;
	sim_curthread = NULL;

	registry_lock(sr);
	for (enum counter c = 0; c < NCOUNTERS; c++) {
		n = counter_read(&td->td_counters, c);
		counter_add(&sim->sim_retired, c, n);
		/* Relaxed: readers hold the registry lock, invariant 5. */
		atomic_store_explicit(
		    &td->td_counters.cs_value[c], 0, memory_order_relaxed);
	}
	/* Relaxed: readers may see the thread until the grace period ends. */
	atomic_store_explicit(&td->td_attached, false, memory_order_relaxed);
	sr->sr_nattached--;
	registry_unlock(sr);

	rcu_thread_unregister();
	rcu_synchronize();

	registry_lock(sr);
	td->td_free_next = sr->sr_free;
	sr->sr_free = td;
	registry_unlock(sr);
}

void
sim_thread_switch(struct thread *td)
{
	sim_curthread = td;
}

void
sim_thread_foreach(
    struct sim *sim, void (*fn)(struct thread *td, void *arg), void *arg)
{
	struct thread_table *tt;
	uint32_t n;

	/* The caller need not be attached. */
	rcu_thread_register();
	rcu_enter();
	/* Acquire: pairs with registry_grow(). */
	tt = atomic_load_explicit(
	    &sim->sim_registry->sr_table, memory_order_acquire);
	/* Acquire: as above. */
	n = atomic_load_explicit(&tt->tt_n, memory_order_acquire);
	for (uint32_t i = 0; i < n; i++) {
		/* Acquire: pairs with sim_thread_attach(). */
		if (atomic_load_explicit(
			&tt->tt_td[i]->td_attached, memory_order_acquire))
			fn(tt->tt_td[i], arg);
	}
	rcu_exit();
	rcu_thread_unregister();
}

unsigned
sim_nthreads(struct sim *sim)
{
	unsigned n;

	registry_lock(sim->sim_registry);
	n = sim->sim_registry->sr_nattached;
	registry_unlock(sim->sim_registry);
	return (n);
}

uint64_t
sim_counter(struct sim *sim, enum counter c)
{
	struct sim_registry *sr = sim->sim_registry;
	struct thread_table *tt;
	uint64_t sum;
	uint32_t n;

	registry_lock(sr);
	sum = counter_read(&sim->sim_retired, c);
	/* Relaxed: written under the registry lock, which we hold. */
	tt = atomic_load_explicit(&sr->sr_table, memory_order_relaxed);
	/* Relaxed: as above. */
	n = atomic_load_explicit(&tt->tt_n, memory_order_relaxed);
	for (uint32_t i = 0; i < n; i++)
		sum += counter_read(&tt->tt_td[i]->td_counters, c);
	registry_unlock(sr);
	return (sum);
}
