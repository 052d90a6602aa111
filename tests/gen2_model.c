/* SPDX-License-Identifier: BSD-2-Clause */

/* The steps of prop_lock_gen2.c. */

#include "gen2_model.h"

#include <string.h>

enum mutant mutant;
bool portable;

static void
dequeue(struct state *s, unsigned t)
{
	lm_dequeue(&s->s_q, t);
	s->s_td[t].mt_told = s->s_q.lq_n > 0 && mutant != NOT_TOLD_OF_REST;
}

static void
next_round(struct model_thread *mt)
{
	uint8_t round = mt->mt_round + 1;

	memset(mt, 0, sizeof(*mt));
	mt->mt_round = round;
	mt->mt_pc = round == NROUNDS ? DONE : LOCK_PUBLISH;
	mt->mt_bits = L;
}

static void
enter(struct model_thread *mt)
{
	mt->mt_pc = mutant == PUBLISH_AFTER ? LOCK_LATE : INSIDE;
	mt->mt_v = 0;
	mt->mt_again = 0;
	mt->mt_bits = L;
}

/* turnstile_wait() has returned. */
static void
woken(struct model_thread *mt)
{
	bool handed = mt->mt_handed != 0 && mutant != HAND_IN_SECRET;

	mt->mt_off = 0;
	mt->mt_back = 0;
	mt->mt_exact = 0;
	mt->mt_v = 0;
	mt->mt_again = 1;
	if (handed) {
		mt->mt_handed = 0;
		mt->mt_told = 0;
		mt->mt_pc = INSIDE;
		return;
	}
	mt->mt_bits = mt->mt_told != 0 ? L | W : L;
	mt->mt_told = 0;
	mt->mt_pc = HARD_LOAD;
}

/* On the queue, with the chain locked: lend, if it is the first. */
static void
consider(struct state *s, unsigned t)
{
	s->s_td[t].mt_scan = 0;
	s->s_td[t].mt_mask = 0;
	s->s_td[t].mt_pc = s->s_q.lq_td[0] == t ? SCAN_WORD : BLOCK_UNLOCK;
}

/* The scan is over: lend to the suspect of that choice. */
static bool
lend(struct model_thread *mt, unsigned choice)
{
	unsigned first = NTHREADS, last = 0, n = 0;

	for (unsigned i = 0; i < NTHREADS; i++) {
		if ((mt->mt_mask & (1u << i)) == 0)
			continue;
		if (first == NTHREADS)
			first = i;
		last = i;
		n++;
	}
	if (choice > 0 && n < 2)
		return (false);
	if (n > 0) {
		mt->mt_lent = (uint8_t)(1 + (choice > 0 ? last : first));
		if (mt->mt_exact == 0)
			mt->mt_exact = n == 1 || mutant == SUSPECT_FOR_EVER;
	}
	mt->mt_pc = BLOCK_UNLOCK;
	mt->mt_mask = 0;
	mt->mt_scan = 0;
	return (true);
}

/* turnstile_signal() by t, with the chain locked. */
static void
signal_first(struct state *s, unsigned t)
{
	struct model_thread *first, *mt = &s->s_td[t], *other;

	mt->mt_woke = 0;
	for (unsigned i = 0; i < s->s_q.lq_n; i++) {
		other = &s->s_td[s->s_q.lq_td[i]];
		if (other->mt_lent != t + 1)
			continue;
		other->mt_lent = 0;
		if (mutant != LOAN_IS_KEPT)
			mt->mt_returns |= (uint8_t)(1u << s->s_q.lq_td[i]);
	}
	if (s->s_q.lq_n == 0 || mutant == RELEASE_TAKES_NOBODY)
		return;
	first = &s->s_td[s->s_q.lq_td[0]];
	if (first->mt_lent != 0 && mutant != TAKES_A_LENDER)
		return;
	mt->mt_woke = (uint8_t)(s->s_q.lq_td[0] + 1);
	dequeue(s, s->s_q.lq_td[0]);
}

static bool
w_stays(const struct state *s, const struct model_thread *mt)
{
	return (mt->mt_woke == 0 && s->s_q.lq_n > 0 &&
	    mutant != LENDER_LOSES_W && mutant != RELEASE_TAKES_NOBODY);
}

static bool
step_lock(struct state *s, unsigned t, unsigned choice)
{
	struct model_thread *mt = &s->s_td[t];
	uint8_t old = s->s_word;

	if (choice > 0)
		return (false);
	switch ((enum pc)mt->mt_pc) {
	case LOCK_PUBLISH:
		mt->mt_held = mutant != PUBLISH_AFTER;
		mt->mt_pc = LOCK_OR;
		return (true);
	case LOCK_OR:
		if ((old & L) != 0) {
			mt->mt_pc = LOCK_CLEAR;
		} else if (mutant == LOCK_IS_NOT_ATOMIC) {
			mt->mt_v = old;
			mt->mt_pc = LOCK_STORE;
		} else {
			s->s_word |= L;
			enter(mt);
		}
		return (true);
	case LOCK_STORE:
		s->s_word = mt->mt_v | L;
		enter(mt);
		return (true);
	case LOCK_LATE:
		mt->mt_held = 1;
		mt->mt_pc = INSIDE;
		return (true);
	case LOCK_CLEAR:
	case HARD_CLEAR:
		mt->mt_held = 0;
		mt->mt_pc = HARD_LOAD;
		return (true);
	case HARD_LOAD:
		mt->mt_v = (old & L) == 0 ? old : 0;
		if ((old & L) == 0)
			mt->mt_pc = HARD_PUBLISH;
		else
			mt->mt_pc = mutant == BLOCK_WITHOUT_CHAIN ? BLOCK_LOAD
								  : BLOCK_CHAIN;
		return (true);
	case HARD_PUBLISH:
		mt->mt_held = mutant != PUBLISH_AFTER;
		mt->mt_pc = HARD_CAS;
		return (true);
	case HARD_CAS:
		if (old == mt->mt_v) {
			s->s_word |=
			    mutant == WOKEN_FORGETS_REST ? L : mt->mt_bits;
			enter(mt);
		} else {
			mt->mt_v = 0;
			mt->mt_pc = HARD_CLEAR;
		}
		return (true);
	default:
		return (false);
	}
}

static bool
step_mark(struct state *s, unsigned t, unsigned choice)
{
	struct model_thread *mt = &s->s_td[t];

	if (choice > 0)
		return (false);
	switch ((enum pc)mt->mt_pc) {
	case BLOCK_CHAIN:
		if (!lm_take_chain(&s->s_q, t))
			return (false);
		mt->mt_pc = BLOCK_LOAD;
		return (true);
	case BLOCK_LOAD:
		mt->mt_v = s->s_word;
		mt->mt_pc = BLOCK_CAS;
		if ((mt->mt_v & L) == 0 && mutant != BLOCK_IGNORES_L) {
			lm_drop_chain(&s->s_q, t);
			mt->mt_v = 0;
			mt->mt_pc = HARD_LOAD;
		} else if ((mt->mt_v & W) != 0 || mutant == BLOCK_SETS_NO_W) {
			mt->mt_pc = BLOCK_QUEUE;
		}
		return (true);
	case BLOCK_CAS:
		if (s->s_word == mt->mt_v) {
			s->s_word |= W;
			mt->mt_pc = portable || mutant == NO_BARRIER
			    ? BLOCK_QUEUE
			    : BLOCK_FENCE;
		} else {
			lm_drop_chain(&s->s_q, t);
			mt->mt_pc = HARD_LOAD;
		}
		mt->mt_v = 0;
		return (true);
	case BLOCK_FENCE:
		for (unsigned i = 0; i < NTHREADS; i++) {
			if (s->s_td[i].mt_pc != UNLOCK_STORE)
				continue;
			s->s_td[i].mt_pc = UNLOCK_LOAD;
			s->s_td[i].mt_v = 0;
		}
		mt->mt_pc =
		    mutant == NO_SECOND_LOOK ? BLOCK_QUEUE : BLOCK_RELOAD;
		return (true);
	case BLOCK_RELOAD:
		if ((s->s_word & (L | W)) == (L | W)) {
			mt->mt_pc = BLOCK_QUEUE;
		} else {
			lm_drop_chain(&s->s_q, t);
			mt->mt_pc = HARD_LOAD;
		}
		return (true);
	case BLOCK_QUEUE:
		lm_enqueue(&s->s_q, t, mt->mt_again != 0);
		mt->mt_told = 0;
		mt->mt_bits = L;
		mt->mt_v = 0;
		consider(s, t);
		return (true);
	default:
		return (false);
	}
}

static bool
step_sleep(struct state *s, unsigned t, unsigned choice)
{
	struct model_thread *mt = &s->s_td[t];

	if (choice > 0 && mt->mt_pc != SCAN_LINE && mt->mt_pc != LENDING)
		return (false);
	switch ((enum pc)mt->mt_pc) {
	case SCAN_WORD:
		mt->mt_pc =
		    (s->s_word & (L | W)) == (L | W) || mutant == LENDS_UNMARKED
		    ? SCAN_LINE
		    : BLOCK_UNLOCK;
		return (true);
	case SCAN_LINE:
		if (mt->mt_scan == NTHREADS) {
			if (mutant == SCAN_TWICE && mt->mt_exact == 0 &&
			    (mt->mt_mask & (mt->mt_mask - 1)) == 0 &&
			    mt->mt_mask != 0) {
				if (choice > 0)
					return (false);
				mt->mt_exact = 1;
				mt->mt_mask = 0;
				mt->mt_scan = 0;
				return (true);
			}
			return (lend(mt, choice));
		}
		if (choice > 0)
			return (false);
		if (mt->mt_scan != t && s->s_td[mt->mt_scan].mt_held != 0)
			mt->mt_mask |= (uint8_t)(1u << mt->mt_scan);
		mt->mt_scan++;
		return (true);
	case BLOCK_UNLOCK:
		lm_drop_chain(&s->s_q, t);
		mt->mt_pc = mt->mt_lent != 0 ? LENDING : ASLEEP;
		return (true);
	case ASLEEP:
		if (mt->mt_off == 0)
			return (false);
		woken(mt);
		return (true);
	case LENDING:
		if (choice > 0) {
			if (mt->mt_exact != 0 || mt->mt_back != 0)
				return (false);
			mt->mt_pc = LEAVE_CHAIN;
			return (true);
		}
		if (mt->mt_back == 0)
			return (false);
		mt->mt_back = 0;
		if (mt->mt_off != 0)
			woken(mt);
		else
			mt->mt_pc = LOOK_CHAIN;
		return (true);
	case LOOK_CHAIN:
		if (!lm_take_chain(&s->s_q, t))
			return (false);
		mt->mt_exact = 0;
		if (lm_queued(&s->s_q, t)) {
			consider(s, t);
		} else {
			lm_drop_chain(&s->s_q, t);
			mt->mt_pc = ASLEEP;
		}
		return (true);
	case LEAVE_CHAIN:
		if (!lm_take_chain(&s->s_q, t))
			return (false);
		if (mt->mt_lent != 0) {
			mt->mt_lent = 0;
			s->s_broken |= !lm_queued(&s->s_q, t);
			if (lm_queued(&s->s_q, t))
				dequeue(s, t);
			woken(mt);
		} else {
			mt->mt_exact = 1;
			mt->mt_pc = LENDING;
		}
		lm_drop_chain(&s->s_q, t);
		return (true);
	default:
		return (false);
	}
}

static bool
step_unlock(struct state *s, unsigned t, unsigned choice)
{
	struct model_thread *mt = &s->s_td[t];
	uint8_t old;

	if (choice > 0)
		return (false);
	switch ((enum pc)mt->mt_pc) {
	case INSIDE:
		mt->mt_pc = mutant == CLEAR_BEFORE ? UNLOCK_EARLY : UNLOCK_LOAD;
		return (true);
	case UNLOCK_EARLY:
		mt->mt_held = 0;
		mt->mt_pc = UNLOCK_LOAD;
		return (true);
	case UNLOCK_LOAD:
		mt->mt_v = s->s_word;
		if ((mt->mt_v & W) != 0)
			mt->mt_pc = HELD_CHAIN;
		else
			mt->mt_pc = portable && mutant != PORTABLE_STORE
			    ? UNLOCK_ADD
			    : UNLOCK_STORE;
		if (mt->mt_pc != UNLOCK_STORE)
			mt->mt_v = 0;
		return (true);
	case UNLOCK_STORE:
		s->s_word = (uint8_t)(mt->mt_v - L + bump(mt, t));
		s->s_bumps += modifies(t, mt->mt_round);
		mt->mt_v = 0;
		mt->mt_pc = UNLOCK_CLEAR;
		return (true);
	case UNLOCK_ADD:
		old = s->s_word;
		s->s_word = (uint8_t)(old - L + bump(mt, t));
		s->s_bumps += modifies(t, mt->mt_round);
		mt->mt_pc = (old & W) != 0 && mutant != LATE_IS_IGNORED
		    ? FREED_CHAIN
		    : UNLOCK_CLEAR;
		return (true);
	case UNLOCK_CLEAR:
		next_round(mt);
		return (true);
	default:
		return (false);
	}
}

static bool
step_wake(struct state *s, unsigned t, unsigned choice)
{
	struct model_thread *mt = &s->s_td[t], *other;
	uint8_t v;

	if (choice > 0 && mt->mt_pc != HELD_CHAIN)
		return (false);
	other = mt->mt_woke != 0 ? &s->s_td[mt->mt_woke - 1] : NULL;
	switch ((enum pc)mt->mt_pc) {
	case HELD_CHAIN:
		if (!lm_take_chain(&s->s_q, t))
			return (false);
		signal_first(s, t);
		v = (uint8_t)((s->s_word & ~(L | W)) + bump(mt, t));
		mt->mt_pc = HELD_RELEASE;
		if (choice > 0) {
			if (mt->mt_woke == 0)
				return (false);
			if (mutant != HAND_FREES)
				v |= L;
			if (s->s_q.lq_n > 0 && mutant != HAND_FORGETS_REST)
				v |= W;
			s->s_td[mt->mt_woke - 1].mt_handed = 1;
			mt->mt_pc = HELD_GIVE;
		} else if (w_stays(s, mt)) {
			v |= W;
		}
		mt->mt_v = v;
		return (true);
	case HELD_GIVE:
		other->mt_held = mutant != HAND_UNPUBLISHED;
		mt->mt_pc = HELD_RELEASE;
		return (true);
	case HELD_RELEASE:
		s->s_word = mt->mt_v;
		s->s_bumps += modifies(t, mt->mt_round);
		if (other != NULL && other->mt_handed != 0)
			other->mt_handed = 2;
		mt->mt_v = 0;
		mt->mt_pc = WAKE_CLEAR;
		return (true);
	case FREED_CHAIN:
		if (!lm_take_chain(&s->s_q, t))
			return (false);
		mt->mt_pc = WAKE_CLEAR;
		if ((s->s_word & W) != 0) {
			signal_first(s, t);
			if (!w_stays(s, mt))
				mt->mt_pc = FREED_AND;
		}
		return (true);
	case FREED_AND:
		s->s_word &= (uint8_t)~W;
		mt->mt_pc = WAKE_CLEAR;
		return (true);
	case WAKE_CLEAR:
		/* The scan that could tell this from the next waits for both. */
		mt->mt_held = 0;
		lm_drop_chain(&s->s_q, t);
		mt->mt_pc = mt->mt_woke != 0 ? WAKE_RUN : WAKE_RETURN;
		if (mt->mt_woke == 0 && mt->mt_returns == 0)
			next_round(mt);
		return (true);
	case WAKE_RUN:
		other->mt_off = 1;
		mt->mt_pc = WAKE_RETURN;
		if (mt->mt_returns == 0)
			next_round(mt);
		return (true);
	case WAKE_RETURN:
		for (unsigned i = 0; i < NTHREADS; i++) {
			if ((mt->mt_returns & (1u << i)) != 0)
				s->s_td[i].mt_back = 1;
		}
		next_round(mt);
		return (true);
	default:
		return (false);
	}
}

bool
gen2_step(void *state, unsigned t, unsigned choice)
{
	struct state *s = state;
	uint8_t pc = s->s_td[t].mt_pc;

	if (pc <= HARD_CLEAR)
		return (step_lock(s, t, choice));
	if (pc <= BLOCK_QUEUE)
		return (step_mark(s, t, choice));
	if (pc <= LEAVE_CHAIN)
		return (step_sleep(s, t, choice));
	if (pc <= UNLOCK_CLEAR)
		return (step_unlock(s, t, choice));
	return (step_wake(s, t, choice));
}
