/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A model of the pv list lock gen2 and its turnstile, walked over every
 * interleaving of NTHREADS threads that take and release it NROUNDS times.
 *
 * One step of the model is one access to shared memory in src/lock/lock_gen2.c,
 * held.h or turnstile.c; the name of each program counter says which.  What a
 * thread does on its own between two accesses belongs to the first.  A spinning
 * thread may give up at once, so spinning adds nothing but the CAS that enters.
 * Every thread that is first on the queue lends, as if each were more urgent than
 * the owner; and whether a release hands over is a free choice.
 *
 * In each state: at most one thread owns the word, and then L is set; the
 * generation counts the releases that modified; a thread on the queue is not
 * forgotten; who is lent to without a time limit comes to return it.  In the end:
 * every thread is done and the word is free and bare.  A state with threads left
 * and no step to take is a lost wake-up.
 *
 * Both forms of the release are walked.  In the restartable one the barrier sends
 * threads that have read the word, and have not written it, back to read it.
 *
 * The walk itself is tested: each mutant breaks one line of the protocol
 * and must be caught.
 */

#include "gen2_model.h"

static const struct mutant_row mutants[] = { MUTANTS(MUTANT_ROW) };

static bool
owns(const struct model_thread *mt)
{
	switch ((enum pc)mt->mt_pc) {
	case LOCK_LATE:
	case INSIDE:
	case UNLOCK_EARLY:
	case UNLOCK_LOAD:
	case UNLOCK_STORE:
	case UNLOCK_ADD:
	case HELD_CHAIN:
	case HELD_GIVE:
	case HELD_RELEASE:
		return (true);
	default:
		return (mt->mt_handed == 2);
	}
}

/* Will it come to the chain lock, or has it been there and is on its way out? */
static bool
comes(const struct state *s, unsigned t)
{
	const struct model_thread *mt = &s->s_td[t];

	return (mt->mt_pc == FREED_CHAIN || mt->mt_pc == HELD_CHAIN ||
	    (owns(mt) && (s->s_word & W) != 0));
}

/* Is some thread bound to come and see to those on the queue? */
static bool
someone_comes(const struct state *s)
{
	const struct model_thread *mt;

	for (unsigned t = 0; t < NTHREADS; t++) {
		mt = &s->s_td[t];
		if (mt->mt_pc == FREED_CHAIN)
			return (true);
		if (lm_queued(&s->s_q, t)) {
			/* It lends for a time only, or has the loan back. */
			if ((mt->mt_pc == LENDING &&
				(mt->mt_exact == 0 || mt->mt_back != 0)) ||
			    mt->mt_pc == LEAVE_CHAIN)
				return (true);
			continue;
		}
		if (mt->mt_bits == (L | W))
			return (true); /* woken, told, and back */
		if (mt->mt_told != 0 && mt->mt_handed == 0 &&
		    (mt->mt_pc == ASLEEP || mt->mt_pc == LENDING ||
			mt->mt_pc == LOOK_CHAIN || mt->mt_pc == LEAVE_CHAIN))
			return (true); /* woken, and told */
	}
	return (false);
}

static const char *
complaint(const void *state)
{
	const struct state *s = state;
	const struct model_thread *mt;
	unsigned owners = 0;

	for (unsigned t = 0; t < NTHREADS; t++) {
		mt = &s->s_td[t];
		owners += owns(mt);
		/* Its loan is on nobody's list to return. */
		if (mt->mt_pc == LENDING && mt->mt_exact != 0 &&
		    mt->mt_lent != 0 && s->s_q.lq_chain == 0 &&
		    !comes(s, mt->mt_lent - 1u))
			return ("a loan to one who does not come");
	}
	if (s->s_broken != 0)
		return ("a lender leaves the queue that it is not on");
	if (owners > 1)
		return ("two threads own the word");
	if (owners == 1 && (s->s_word & L) == 0)
		return ("a thread owns the word and L is clear");
	if (s->s_word / ONE != s->s_bumps)
		return ("the generation does not count the modifications");
	if (s->s_q.lq_n > 0 && s->s_q.lq_chain == 0 &&
	    (s->s_word & (L | W)) != (L | W) && !someone_comes(s))
		return ("a thread on the queue is forgotten");
	return (NULL);
}

static bool
all_done(const void *state, const char **wrongp)
{
	const struct state *s = state;

	for (unsigned t = 0; t < NTHREADS; t++) {
		if (s->s_td[t].mt_pc != DONE)
			return (false);
	}
	if ((s->s_word & (L | W)) != 0)
		*wrongp = "the word is not bare in the end";
	return (true);
}

static void
set(unsigned id, bool form)
{
	mutant = (enum mutant)id;
	portable = form;
}

int
main(void)
{
	static struct state first;
	static const struct lock_model lm = {
		.lm_walk = {
			.mw_size = sizeof(struct state),
			.mw_nthreads = NTHREADS,
			.mw_step = gen2_step,
			.mw_complaint = complaint,
			.mw_done = all_done,
		},
		.lm_first = &first,
		.lm_mutants = mutants,
		.lm_nmutants = NMUTANTS - 1,
		.lm_set = set,
	};

	for (unsigned t = 0; t < NTHREADS; t++)
		first.s_td[t].mt_bits = L;
	return (lock_model_main(&lm));
}
