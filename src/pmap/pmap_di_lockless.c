/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Delayed invalidation without a lock: a list whose links and generations change
 * two words at a time.  See pmap_di.h for what is to be achieved.
 *
 *	head {g0, .} -> oldest {g1, .} -> ... -> newest {gn, NULL}
 *
 * An element is {generation, next}.  Bit 0 of next is the mark: this element must
 * not be followed or changed now.  A thread in no block has just the mark.
 *
 *	start	follow the list to its end p; {g, NULL} -> {g, me}, and my
 *		generation is g + 1; then take my mark off
 *	finish	follow the list to p, whose next is me; set my mark; then
 *		{g, me} -> {my generation, my next}
 *
 * Who meets a mark, or is overtaken, starts again from the head after a while.
 *
 * Why it is right.
 *   1. The mark freezes an element: its two words change only by a swap that
 *	expects the mark off, and by its owner.
 *   2. So in finish the generation, read after the mark was set, and next are
 *	what they will be when p takes them over; read before, a block that is
 *	newer could have finished in between and handed its generation to me.
 *   3. The end of the list is found by next == NULL, and NULL is in next only
 *	after the owner took the mark off, that is, once the element is linked.
 *	Were it NULL before, a thread could come by through a stale pointer and
 *	append to an element that is on no list.
 *   4. A walk may go astray, through elements that have left and come back.
 *	It ends at some p whose {g, next} it then swaps; that they are still as
 *	read, {g, NULL} or {g, me}, means that p is on the list now: g only ever
 *	grows, so it is not an earlier life of p, and in no list there are no two
 *	elements with the same next.
 *   5. An element's generation never falls, from one block of its thread to the
 *	next, nor from one thread to the next: when it leaves, its generation is
 *	handed on, and who begins later is above that.
 *
 * Waiting.  Who waits counts itself, then looks at the head again, then sleeps;
 * who moves the head looks afterwards whether anybody is counted.  Both have a
 * full barrier in between, so one of them sees the other; and since the one who
 * waits looks with the turnstile's chain locked, which whoever wakes takes, too,
 * the wake-up does not come between the look and the sleep.
 *
 * Between its swap and taking off the mark a thread keeps everybody else from
 * passing.  FreeBSD's is in a critical section meanwhile.  A thread of the host
 * can lose its CPU there: the others spin for a bounded time and then yield.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c, pmap_delayed_invl_*_u().
 * Differs: no timer beside the count of those who wait, since the barriers leave
 * it nothing to do; only who moves the head wakes; the pair is read as two words,
 * as the swap compares both anyway.
 */

#include "lock/lock_delay.h"
#include "lock/turnstile.h"
#include "pmap/pmap_var.h"

static inline uint64_t
gen_load(const struct pmap_invl *pi)
{
	/* Relaxed: the swap that follows compares it. */
	return (atomic_load_explicit(&PMAP_INVL_GEN(pi), memory_order_relaxed));
}

static inline uint64_t
next_load(struct pmap_invl *pi)
{
	/* Acquire: pairs with mark_off() of the element it leads past. */
	uint64_t next =
	    atomic_load_explicit(&PMAP_INVL_NEXT(pi), memory_order_acquire);

	return (next);
}

static inline struct pmap_invl *
next_element(uint64_t next)
{
	return ((struct pmap_invl *)(uintptr_t)next);
}

static inline uint64_t
as_next(const struct pmap_invl *pi)
{
	return ((uint64_t)(uintptr_t)pi);
}

static inline void
next_store(struct pmap_invl *pi, uint64_t next)
{
	/* Release: whoever comes by sees the generation that goes with it. */
	atomic_store_explicit(&PMAP_INVL_NEXT(pi), next, memory_order_release);
}

/* A while, before the list is followed again. */
static void
back_off(struct lock_delay *ld, enum counter c)
{
	struct thread *td = curthread();

	counter_add(&td->td_counters, c, 1);
	if (!lock_delay(ld))
		td->td_sim->sim_ops->so_yield(td->td_sim);
}

/* The last element, or NULL: try again. */
static struct pmap_invl *
find_last(struct pmap_di *di, uint32_t *np)
{
	struct pmap_invl *p = &di->di_head;
	uint64_t next;

	for (*np = 0;; (*np)++) {
		next = next_load(p);
		if ((next & PMAP_DI_FREE) != 0)
			return (NULL);
		if (next == 0)
			return (p);
		p = next_element(next);
	}
}

/* The element whose next is pi, or NULL: try again. */
static struct pmap_invl *
find_previous(struct pmap_di *di, const struct pmap_invl *pi)
{
	struct pmap_invl *p = &di->di_head;
	uint64_t next;

	for (;;) {
		next = next_load(p);
		if (next == as_next(pi))
			return (p);
		if (next == 0 || (next & PMAP_DI_FREE) != 0)
			return (NULL);
		p = next_element(next);
	}
}

void
pmap_di_start_lockless(struct pmap_di *di, struct pmap_invl *pi)
{
	struct lock_delay ld;
	struct pmap_invl *p;
	uint64_t gen;
	uint32_t n;

	lock_delay_init(&ld, curthread()->td_sim);
	for (;;) {
		p = find_last(di, &n);
		if (p != NULL) {
			gen = gen_load(p);
			/* Relaxed: told by the swap. */
			atomic_store_explicit(
			    &PMAP_INVL_GEN(pi), gen + 1, memory_order_relaxed);
			if (cas2(&p->pi_word, gen, 0, gen, as_next(pi)))
				break;
		}
		back_off(&ld, CTR_INVL_START_RESTARTS);
	}
	next_store(pi, 0);
	pmap_di_qlen(di, n + 1);
}

/* The head moved: wake those who wait for that. */
static void
wake_waiters(struct pmap_di *di)
{
	/*
	 * Sequentially consistent: pairs with the count in wait; the swap before
	 * is a full barrier, which C11 does not know.
	 */
	if (__predict_true(atomic_load_explicit(
			       &di->di_waiters, memory_order_seq_cst) == 0))
		return;
	pmap_di_broadcast(di, turnstile_chain_lock(curthread(), &di->di_head));
}

void
pmap_di_finish_lockless(struct pmap_di *di, struct pmap_invl *pi)
{
	struct lock_delay ld;
	struct pmap_invl *p;
	uint64_t gen, next, pgen;

	lock_delay_init(&ld, curthread()->td_sim);
	for (;;) {
		p = find_previous(di, pi);
		if (p != NULL) {
			/* Full: the generation is read after the mark is set. */
			next = atomic_fetch_or_explicit(&PMAP_INVL_NEXT(pi),
			    PMAP_DI_FREE, memory_order_seq_cst);
			/* Acquire: as above; not before the mark. */
			gen = atomic_load_explicit(
			    &PMAP_INVL_GEN(pi), memory_order_acquire);
			pgen = gen_load(p);
			if (cas2(&p->pi_word, pgen, as_next(pi), gen, next))
				break;
			next_store(pi, next);
		}
		back_off(&ld, CTR_INVL_FINISH_RESTARTS);
	}
	KASSERT(gen > pgen,
	    ("generation %ju after %ju", (uintmax_t)pgen, (uintmax_t)gen));
	next_store(pi, PMAP_DI_FREE);
	if (p == &di->di_head)
		wake_waiters(di);
}

void
pmap_di_wait_lockless(struct pmap_di *di, uint64_t gen)
{
	struct thread *td = curthread();
	struct turnstile_chain *tc;
	struct lock_delay ld;

	lock_delay_init(&ld, td->td_sim);
	/* Once: blocks are short, or their threads have lost their CPU. */
	(void)lock_delay(&ld);
	while (pmap_di_done(di) < gen) {
		counter_add(&td->td_counters, CTR_INVL_WAIT_SLOW, 1);
		/* Sequentially consistent: pairs with wake_waiters(). */
		atomic_fetch_add_explicit(
		    &di->di_waiters, 1, memory_order_seq_cst);
		tc = turnstile_chain_lock(td, &di->di_head);
		/* Sequentially consistent: after the count, as all see it. */
		if (atomic_load_explicit(&PMAP_INVL_GEN(&di->di_head),
			memory_order_seq_cst) >= gen)
			turnstile_chain_unlock(tc);
		else
			(void)turnstile_wait(tc, td, &di->di_head,
			    pmap_di_owner, TS_SHARED_QUEUE, false);
		/* Relaxed: too high for a while does no harm. */
		atomic_fetch_sub_explicit(
		    &di->di_waiters, 1, memory_order_relaxed);
	}
}
