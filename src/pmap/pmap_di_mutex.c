/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Delayed invalidation under a mutex: the plain form, also where two words cannot
 * be swapped as one.  See pmap_di.h.
 *
 * The list and the generations of its blocks belong to "invlgn".  The head's
 * generation is also read without it, by those who wait: it is stored with the
 * turnstile's chain locked, under which they look again before they sleep, so
 * that the broadcast that follows misses nobody.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c, pmap_delayed_invl_*_l().
 */

#include "lock/turnstile.h"
#include "pmap/pmap_var.h"

static uint64_t
gen_of(const struct pmap_invl *pi)
{
	/* Relaxed: under the mutex. */
	return (atomic_load_explicit(&PMAP_INVL_GEN(pi), memory_order_relaxed));
}

static void
gen_set(struct pmap_invl *pi, uint64_t gen)
{
	KASSERT(gen > gen_of(pi),
	    ("generation %ju after %ju", (uintmax_t)gen,
		(uintmax_t)gen_of(pi)));
	/* Relaxed: as gen_of(). */
	atomic_store_explicit(&PMAP_INVL_GEN(pi), gen, memory_order_relaxed);
}

void
pmap_di_start_mutex(struct pmap_di *di, struct pmap_invl *pi)
{
	struct pmap_invl *newest;

	mtx_lock(&di->di_mtx);
	newest = di->di_newest;
	gen_set(pi, gen_of(newest != NULL ? newest : &di->di_head) + 1);
	pi->pi_newer = NULL;
	pi->pi_older = newest;
	if (newest != NULL)
		newest->pi_newer = pi;
	di->di_newest = pi;
	pmap_di_qlen(di, ++di->di_qlen);
	mtx_unlock(&di->di_mtx);
}

/* The oldest leaves: its generation is the head's. */
static void
head_set(struct pmap_di *di, uint64_t gen)
{
	struct turnstile_chain *tc;

	tc = turnstile_chain_lock(curthread(), &di->di_head);
	KASSERT(gen > pmap_di_done(di),
	    ("the head's generation %ju after %ju", (uintmax_t)gen,
		(uintmax_t)pmap_di_done(di)));
	/* Release: pairs with pmap_di_done(). */
	atomic_store_explicit(
	    &PMAP_INVL_GEN(&di->di_head), gen, memory_order_release);
	pmap_di_broadcast(di, tc);
}

void
pmap_di_finish_mutex(struct pmap_di *di, struct pmap_invl *pi)
{
	mtx_lock(&di->di_mtx);
	if (pi->pi_older != NULL) {
		gen_set(pi->pi_older, gen_of(pi));
		pi->pi_older->pi_newer = pi->pi_newer;
	} else {
		head_set(di, gen_of(pi));
	}
	if (pi->pi_newer != NULL)
		pi->pi_newer->pi_older = pi->pi_older;
	else
		di->di_newest = pi->pi_older;
	di->di_qlen--;
	mtx_unlock(&di->di_mtx);
}

void
pmap_di_wait_mutex(struct pmap_di *di, uint64_t gen)
{
	struct thread *td = curthread();
	struct turnstile_chain *tc;

	while (pmap_di_done(di) < gen) {
		tc = turnstile_chain_lock(td, &di->di_head);
		if (pmap_di_done(di) >= gen) {
			turnstile_chain_unlock(tc);
			break;
		}
		counter_add(&td->td_counters, CTR_INVL_WAIT_SLOW, 1);
		(void)turnstile_wait(tc, td, &di->di_head, pmap_di_owner,
		    TS_SHARED_QUEUE, false);
	}
}
