/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The lock environment of a machine, a thread's share in it, and the two small
 * waits that all locks are made of.
 */

#include "lock/lock.h"

#include <errno.h>
#include <stdio.h>

#include "kern/kassert.h"
#include "lock/held.h"
#include "lock/leaf_lock.h"
#include "lock/lock_delay.h"
#include "lock/lock_env.h"
#include "lock/lock_profile.h"
#include "lock/witness.h"

const char *
lock_class_name(enum lock_class lc)
{
	static const char *const names[NLOCK_CLASSES] = {
		[LC_MTX] = "sleep mutex",
		[LC_SPIN] = "spin mutex",
		[LC_RW] = "rw",
		[LC_SX] = "sx",
		[LC_PV] = "rw",
	};

	return (lc < NLOCK_CLASSES ? names[lc] : "?");
}

/* Can another thread proceed while this one spins? */
static bool
spinning_helps(const struct sim *sim)
{
	return (sim->sim_ncpus > 1 && !sim->sim_oversubscribed);
}

void
leaf_unlock_hard(struct leaf_lock *ll)
{
	const struct thread *td = curthread();

	/* Only host threads are ever not attached. */
	(td != NULL ? td->td_sim->sim_ops : sim_native_ops)
	    ->so_pi_unlock(&ll->ll_word);
}

/* The calling thread has met a held lock.  Returns the time. */
static uint64_t
take_turns(struct sim *sim, uint64_t now)
{
	const struct sim_ops *ops = sim->sim_ops;
	struct thread *td = curthread();

	if (now - td->td_met_ns > LOCK_DELAY_TURN_NS) {
		td->td_turn_ns = now;
	} else if (now - td->td_turn_ns > LOCK_DELAY_TURN_NS) {
		if (ops->so_host_pri(td) == PRI_NONE)
			ops->so_yield(sim);
		now = td->td_turn_ns = sim_clock_ns(sim);
	}
	td->td_met_ns = now;
	return (now);
}

/* A round; the units of it, or 0: the caller had better block or yield. */
static unsigned
next_delay(struct lock_delay *ld, uint64_t seen)
{
	struct sim *sim = ld->ld_sim;
	uint64_t now;

	if (!spinning_helps(sim))
		return (0);
	now = sim_clock_ns(sim);
	if (ld->ld_deadline_ns == 0) {
		now = take_turns(sim, now);
		ld->ld_deadline_ns = now + LOCK_DELAY_BUDGET_NS;
	} else if (now >= ld->ld_deadline_ns) {
		return (0);
	} else if (seen != ld->ld_seen) {
		ld->ld_delay_ns *= 2;
		if (ld->ld_delay_ns < LOCK_DELAY_BUSY_NS)
			ld->ld_delay_ns = LOCK_DELAY_BUSY_NS;
		else if (ld->ld_delay_ns > LOCK_DELAY_MAX_NS)
			ld->ld_delay_ns = LOCK_DELAY_MAX_NS;
	}
	ld->ld_seen = seen;
	/* For one call, and at least one unit. */
	return ((unsigned)(ld->ld_delay_ns / sim->sim_spin_ns) + 1);
}

bool
lock_delay_seen(struct lock_delay *ld, uint64_t seen)
{
	unsigned n = next_delay(ld, seen);

	if (n != 0)
		sim_spin_until(ld->ld_sim, n, ld->ld_deadline_ns);
	return (n != 0);
}

/* The next delay of who sees the owner run: twice the last one. */
static unsigned
owner_delay(struct lock_delay *ld)
{
	unsigned max = LOCK_DELAY_OWNER_CPU;

	for (unsigned n = 1; n < ld->ld_sim->sim_ncpus; n *= 2)
		max *= 2;
	if (max > LOCK_DELAY_OWNER_MAX)
		max = LOCK_DELAY_OWNER_MAX;
	ld->ld_owner_units =
	    ld->ld_owner_units == 0 ? 2 : 2 * ld->ld_owner_units;
	if (ld->ld_owner_units > max)
		ld->ld_owner_units = max;
	return (ld->ld_owner_units);
}

bool
lock_delay_owner(
    struct lock_delay *ld, const struct thread *owner, uint64_t seen)
{
	struct sim *sim = ld->ld_sim;
	int runs =
	    sim->sim_ops->so_runs != NULL ? sim->sim_ops->so_runs(owner) : -1;

	if (runs < 0)
		return (lock_delay_seen(ld, seen));
	if (runs == 0 || !spinning_helps(sim))
		return (false);
	sim->sim_ops->so_spin(sim, owner_delay(ld));
	return (true);
}

bool
lock_delay_round(struct lock_delay *ld, uint64_t seen)
{
	unsigned n = next_delay(ld, seen);

	if (n != 0)
		ld->ld_sim->sim_ops->so_spin(ld->ld_sim, n);
	return (n != 0);
}

bool
lock_delay(struct lock_delay *ld)
{
	return (lock_delay_round(ld, ld->ld_seen + 1));
}

uint64_t
lock_gen_wraps(const struct sim *sim)
{
	const struct lock_env *le = sim->sim_locks;

	/* Relaxed: the lock of the generation orders it. */
	return (atomic_load_explicit(&le->le_gen_wraps, memory_order_relaxed));
}

void
lock_gen_wrapped(struct sim *sim)
{
	struct lock_env *le = sim->sim_locks;

	/* Relaxed: the release of the lock publishes it. */
	atomic_fetch_add_explicit(&le->le_gen_wraps, 1, memory_order_relaxed);
}

int
lock_env_create(struct sim *sim, bool profile)
{
	struct lock_env *le;
	int error;

	le = kmem_alloc(sim->sim_kmem, sizeof(*le), CACHE_PAIR_SIZE, M_LOCK,
	    KMEM_ANYDOMAIN);
	if (le == NULL)
		return (ENOMEM);
	for (unsigned i = 0; i < TC_TABLESIZE; i++)
		le->le_chains[i].tc_sim = sim;
	sim->sim_locks = le;
	if (profile) {
		error = lock_profile_create(sim, &le->le_profile);
		if (error != 0)
			goto fail;
	}
	return (0);

fail:
	lock_env_destroy(sim);
	return (error);
}

void
lock_env_destroy(struct sim *sim)
{
	struct lock_env *le = sim->sim_locks;

	if (le == NULL)
		return;
	for (unsigned i = 0; i < TC_TABLESIZE; i++) {
		if (le->le_chains[i].tc_turnstiles != NULL)
			panic("lock environment destroyed with threads blocked"
			      " on chain %u",
			    i);
	}
	held_destroy(&le->le_held, sim);
	lock_profile_destroy(sim, le->le_profile);
	if (le->le_witness != NULL)
		witness_destroy(sim, le->le_witness);
	sim->sim_locks = NULL;
	kmem_free(sim->sim_kmem, le, sizeof(*le), M_LOCK, KMEM_ANYDOMAIN);
}

int
lock_thread_attach(struct thread *td)
{
	struct sim *sim = td->td_sim;
	struct lock_env *le = sim->sim_locks;
	int error;

	td->td_prof = NULL;
	td->td_pv_held = NULL;
	error = held_attach(&le->le_held, td);
	if (error != 0)
		return (error);
	thread_setpri(td, td->td_pri);
	td->td_turnstile = turnstile_alloc(sim);
	if (td->td_turnstile == NULL)
		return (ENOMEM);
	if (le->le_profile != NULL) {
		error = lock_profile_thread_create(le->le_profile, td);
		if (error != 0)
			goto fail;
	}
	if (le->le_witness != NULL) {
		error = witness_thread_create(le->le_witness, td);
		if (error != 0)
			goto fail;
	}
	return (0);

fail:
	lock_thread_detach(td);
	return (error);
}

void
lock_thread_detach(struct thread *td)
{
	struct sim *sim = td->td_sim;
	struct lock_env *le = sim->sim_locks;
	const void *word;

	KASSERT(td->td_turnstile != NULL,
	    ("thread %u leaves without its turnstile", td->td_id));
	for (unsigned s = 0; s < HELD_SLOTS; s++) {
		/* Relaxed: our own. */
		word = atomic_load_explicit(
		    &td->td_held->hl_word[s], memory_order_relaxed);
		if (word != NULL)
			panic("thread %u leaves with lock %p", td->td_id, word);
	}
	turnstile_leave(td);
	if (td->td_prof != NULL)
		lock_profile_thread_retire(le->le_profile, td);
	if (td->td_witness != NULL)
		witness_thread_destroy(le->le_witness, td);
	turnstile_free(sim, td->td_turnstile);
	td->td_turnstile = NULL;
}

struct env_check {
	void (*ec_fn)(void *arg, const char *text);
	void *ec_arg;
	unsigned ec_violations;
};

static void
check_thread(struct thread *td, void *arg)
{
	struct env_check *ec = arg;
	char text[80];

	if (td->td_turnstile != NULL)
		return;
	snprintf(text, sizeof(text), "thread %u has no turnstile", td->td_id);
	ec->ec_violations++;
	ec->ec_fn(ec->ec_arg, text);
}

unsigned
lock_env_check(
    struct sim *sim, void (*fn)(void *arg, const char *text), void *arg)
{
	struct env_check ec = { .ec_fn = fn, .ec_arg = arg };
	struct lock_env *le = sim->sim_locks;
	struct turnstile_chain *tc;
	char text[80];
	bool empty;

	for (unsigned i = 0; i < TC_TABLESIZE; i++) {
		tc = &le->le_chains[i];
		leaf_lock(&tc->tc_lock, sim);
		empty = tc->tc_turnstiles == NULL;
		leaf_unlock(&tc->tc_lock);
		if (empty)
			continue;
		snprintf(text, sizeof(text), "turnstile chain %u is in use", i);
		ec.ec_violations++;
		fn(arg, text);
	}
	sim_thread_foreach(sim, check_thread, &ec);
	if (witness_reports(sim) != 0) {
		snprintf(text, sizeof(text), "the witness has made %u reports",
		    witness_reports(sim));
		ec.ec_violations++;
		fn(arg, text);
	}
	return (ec.ec_violations);
}
