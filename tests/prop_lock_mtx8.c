/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A model of the 8-byte mutex word and its turnstile, walked over every
 * interleaving of NTHREADS threads that take and release it NROUNDS times.  As
 * prop_lock_gen2.c, which says how; here the owner is in the word, nobody has to
 * be looked for, and each loan goes to the owner.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lock_model.h"

#define C 0x80u /* contested; below it 1 + the owner, 0: free */

#define MUTANTS(X)                                                             \
	X(LOCK_IS_NOT_ATOMIC, BOTH, "load and store instead of CAS")           \
	X(RELEASE_IGNORES_C, BOTH, "frees whatever is in the word")            \
	X(PORTABLE_STORE, PORTABLE, "a plain store without a section")         \
	X(NO_BARRIER, SECTION, "blocks without the barrier")                   \
	X(NO_SECOND_LOOK, SECTION, "trusts C after the barrier")               \
	X(BLOCK_WITHOUT_CHAIN, BOTH, "sets C and queues unlocked")             \
	X(BLOCK_SETS_NO_C, BOTH, "queues with C clear")                        \
	X(BLOCK_IGNORES_FREE, BOTH, "queues at a free word")                   \
	X(WOKEN_FORGETS_REST, BOTH, "acquires without C")                      \
	X(NOT_TOLD_OF_REST, BOTH, "does not tell that others stayed")          \
	X(RELEASE_TAKES_NOBODY, BOTH, "frees the word and wakes nobody")       \
	X(FREES_BEFORE_CHAIN, BOTH, "frees a contested word unlocked")         \
	X(LOAN_IS_KEPT, BOTH, "returns no loans")                              \
	X(RETURNS_ONE_LOAN, BOTH, "returns the loan of the one it wakes")      \
	X(LENDS_UNMARKED, BOTH, "lends to an owner that saw no C")             \
	X(HAND_FORGETS_REST, BOTH, "hands over without C")                     \
	X(HAND_IN_SECRET, BOTH, "does not tell that it handed over")           \
	X(HAND_TO_THE_NEXT, BOTH, "hands over to one still on the queue")

enum mutant {
	CORRECT,
	MUTANTS(MUTANT_NAME) NMUTANTS
};

static const struct mutant_row mutants[] = { MUTANTS(MUTANT_ROW) };

enum pc {
	LOCK_CAS,     /* mtx_word_trylock() */
	LOCK_STORE,   /* (mutant) */
	HARD_LOAD,    /* mtx_word_lock_hard(): load */
	HARD_CAS,     /* CAS that enters */
	BLOCK_CHAIN,  /* turnstile_chain_lock() */
	BLOCK_LOAD,   /* word_mark(): load */
	BLOCK_CAS,    /* CAS that sets C */
	BLOCK_FENCE,  /* so_asym_barrier() */
	BLOCK_RELOAD, /* load after it */
	BLOCK_QUEUE,  /* turnstile_wait(): on the queue */
	LEND,         /* mtx_owner(): load; td_lent_to */
	BLOCK_UNLOCK, /* turnstile_chain_unlock() */
	ASLEEP,       /* until td_blocked_on is NULL */
	LENDING,      /* so_block_lent() */
	LOOK_CHAIN,   /* the loan is back: ts_sleep() takes the chain lock */
	INSIDE,       /* owns the mutex */
	UNLOCK_LOAD,  /* mtx_word_unlock(): compare, in the section */
	UNLOCK_STORE, /* the store that ends the section */
	UNLOCK_CAS,   /* portable */
	FREE_EARLY,   /* (mutant) */
	HELD_CHAIN,   /* mtx_word_unlock_hard(): chain lock, signal */
	HELD_RELEASE, /* store, then chain unlock */
	WAKE_RUN,     /* td_blocked_on = NULL, so_wake() */
	WAKE_RETURN,  /* so_unlend() */
	DONE
};

struct model_thread {
	uint8_t mt_pc;
	uint8_t mt_round;
	uint8_t mt_v;       /* what it loaded, or is to store */
	uint8_t mt_bits;    /* C when told that others stayed */
	uint8_t mt_again;   /* was on the queue before */
	uint8_t mt_told;    /* others stayed, written by the waker */
	uint8_t mt_handed;  /* 1: about to be, 2: owns the word */
	uint8_t mt_off;     /* td_blocked_on is NULL */
	uint8_t mt_lent;    /* td_lent_to: 1 + borrower */
	uint8_t mt_back;    /* the loan is back */
	uint8_t mt_woke;    /* 1 + the thread it took off the queue */
	uint8_t mt_returns; /* mask: loans to give back */
};

struct state {
	uint8_t s_word;
	struct lm_queue s_q;
	struct model_thread s_td[NTHREADS];
};

static enum mutant mutant;
static bool portable;

static void
next_round(struct model_thread *mt)
{
	uint8_t round = mt->mt_round + 1;

	memset(mt, 0, sizeof(*mt));
	mt->mt_round = round;
	mt->mt_pc = round == NROUNDS ? DONE : LOCK_CAS;
}

static void
enter(struct model_thread *mt)
{
	mt->mt_pc = INSIDE;
	mt->mt_v = 0;
	mt->mt_again = 0;
	mt->mt_bits = 0;
}

/* turnstile_wait() has returned. */
static void
woken(struct model_thread *mt)
{
	bool handed = mt->mt_handed != 0 && mutant != HAND_IN_SECRET;

	mt->mt_off = 0;
	mt->mt_back = 0;
	mt->mt_again = 1;
	mt->mt_bits = mt->mt_told != 0 ? C : 0;
	mt->mt_told = 0;
	mt->mt_pc = HARD_LOAD;
	if (handed) {
		mt->mt_handed = 0;
		enter(mt);
	}
}

/* turnstile_signal() by t, with the chain locked. */
static void
signal_first(struct state *s, unsigned t)
{
	struct model_thread *mt = &s->s_td[t], *other;

	for (unsigned i = 0; i < s->s_q.lq_n; i++) {
		other = &s->s_td[s->s_q.lq_td[i]];
		if (other->mt_lent != t + 1)
			continue;
		other->mt_lent = 0;
		if (mutant == LOAN_IS_KEPT ||
		    (mutant == RETURNS_ONE_LOAN && i > 0))
			continue;
		mt->mt_returns |= (uint8_t)(1u << s->s_q.lq_td[i]);
	}
	if (s->s_q.lq_n == 0 || mutant == RELEASE_TAKES_NOBODY ||
	    s->s_td[s->s_q.lq_td[0]].mt_lent != 0)
		return;
	mt->mt_woke = (uint8_t)(s->s_q.lq_td[0] + 1);
	lm_dequeue(&s->s_q, s->s_q.lq_td[0]);
	s->s_td[mt->mt_woke - 1].mt_told =
	    s->s_q.lq_n > 0 && mutant != NOT_TOLD_OF_REST;
}

static bool
step_lock(struct state *s, unsigned t)
{
	struct model_thread *mt = &s->s_td[t];
	uint8_t self = (uint8_t)(t + 1);

	switch ((enum pc)mt->mt_pc) {
	case LOCK_CAS:
		if (s->s_word != 0) {
			mt->mt_pc = HARD_LOAD;
		} else if (mutant == LOCK_IS_NOT_ATOMIC) {
			mt->mt_pc = LOCK_STORE;
		} else {
			s->s_word = self;
			enter(mt);
		}
		return (true);
	case LOCK_STORE:
		s->s_word = self;
		enter(mt);
		return (true);
	case HARD_LOAD:
		if (s->s_word == 0)
			mt->mt_pc = HARD_CAS;
		else
			mt->mt_pc = mutant == BLOCK_WITHOUT_CHAIN ? BLOCK_LOAD
								  : BLOCK_CHAIN;
		return (true);
	case HARD_CAS:
		if (s->s_word == 0) {
			s->s_word = self;
			if (mutant != WOKEN_FORGETS_REST)
				s->s_word |= mt->mt_bits;
			enter(mt);
		} else {
			mt->mt_pc = HARD_LOAD;
		}
		return (true);
	default:
		return (false);
	}
}

static bool
step_mark(struct state *s, unsigned t)
{
	struct model_thread *mt = &s->s_td[t];
	bool good;

	switch ((enum pc)mt->mt_pc) {
	case BLOCK_CHAIN:
		if (!lm_take_chain(&s->s_q, t))
			return (false);
		mt->mt_pc = BLOCK_LOAD;
		return (true);
	case BLOCK_LOAD:
		if (s->s_word == 0 && mutant != BLOCK_IGNORES_FREE) {
			lm_drop_chain(&s->s_q, t);
			mt->mt_pc = HARD_LOAD;
		} else if ((s->s_word & C) != 0 || mutant == BLOCK_SETS_NO_C ||
		    s->s_word == 0) {
			mt->mt_pc = BLOCK_QUEUE;
		} else {
			mt->mt_v = s->s_word;
			mt->mt_pc = BLOCK_CAS;
		}
		return (true);
	case BLOCK_CAS:
		good = s->s_word == mt->mt_v;
		mt->mt_v = 0;
		if (good) {
			s->s_word |= C;
			mt->mt_pc = portable || mutant == NO_BARRIER
			    ? BLOCK_QUEUE
			    : BLOCK_FENCE;
		} else {
			lm_drop_chain(&s->s_q, t);
			mt->mt_pc = HARD_LOAD;
		}
		return (true);
	case BLOCK_FENCE:
		for (unsigned i = 0; i < NTHREADS; i++) {
			if (s->s_td[i].mt_pc == UNLOCK_STORE)
				s->s_td[i].mt_pc = UNLOCK_LOAD;
		}
		mt->mt_pc =
		    mutant == NO_SECOND_LOOK ? BLOCK_QUEUE : BLOCK_RELOAD;
		return (true);
	case BLOCK_RELOAD:
		if (s->s_word > C) {
			mt->mt_pc = BLOCK_QUEUE;
		} else {
			lm_drop_chain(&s->s_q, t);
			mt->mt_pc = HARD_LOAD;
		}
		return (true);
	case BLOCK_QUEUE:
		lm_enqueue(&s->s_q, t, mt->mt_again != 0);
		mt->mt_told = 0;
		mt->mt_bits = 0;
		mt->mt_pc = s->s_q.lq_td[0] == t ? LEND : BLOCK_UNLOCK;
		return (true);
	default:
		return (false);
	}
}

static bool
step_sleep(struct state *s, unsigned t)
{
	struct model_thread *mt = &s->s_td[t];
	unsigned owner;

	switch ((enum pc)mt->mt_pc) {
	case LEND:
		owner = s->s_word & ~C;
		if ((s->s_word & C) != 0 || mutant == LENDS_UNMARKED)
			mt->mt_lent = (uint8_t)owner;
		mt->mt_pc = BLOCK_UNLOCK;
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
		if (!lm_queued(&s->s_q, t)) {
			lm_drop_chain(&s->s_q, t);
			mt->mt_pc = ASLEEP;
		} else {
			mt->mt_pc = s->s_q.lq_td[0] == t ? LEND : BLOCK_UNLOCK;
		}
		return (true);
	default:
		return (false);
	}
}

static bool
step_unlock(struct state *s, unsigned t, unsigned choice)
{
	struct model_thread *mt = &s->s_td[t], *other;
	uint8_t self = (uint8_t)(t + 1);

	if (choice > 0 && mt->mt_pc != HELD_CHAIN)
		return (false);
	other = mt->mt_woke != 0 ? &s->s_td[mt->mt_woke - 1] : NULL;
	switch ((enum pc)mt->mt_pc) {
	case INSIDE:
		mt->mt_pc = portable && mutant != PORTABLE_STORE ? UNLOCK_CAS
								 : UNLOCK_LOAD;
		return (true);
	case UNLOCK_LOAD:
		if (s->s_word == self || mutant == RELEASE_IGNORES_C)
			mt->mt_pc = UNLOCK_STORE;
		else
			mt->mt_pc = mutant == FREES_BEFORE_CHAIN ? FREE_EARLY
								 : HELD_CHAIN;
		return (true);
	case UNLOCK_CAS:
		if (s->s_word != self && mutant != RELEASE_IGNORES_C) {
			mt->mt_pc = mutant == FREES_BEFORE_CHAIN ? FREE_EARLY
								 : HELD_CHAIN;
			return (true);
		}
		/* FALLTHROUGH */
	case UNLOCK_STORE:
		s->s_word = 0;
		next_round(mt);
		return (true);
	case FREE_EARLY:
		s->s_word = 0;
		mt->mt_pc = HELD_CHAIN;
		return (true);
	case HELD_CHAIN:
		if (!lm_take_chain(&s->s_q, t))
			return (false);
		if (choice > 0 && mutant == HAND_TO_THE_NEXT) {
			if (s->s_q.lq_n < 2)
				return (false);
			mt->mt_v = s->s_q.lq_td[1] + 1;
			signal_first(s, t);
			mt->mt_pc = HELD_RELEASE;
			return (true);
		}
		signal_first(s, t);
		mt->mt_pc = HELD_RELEASE;
		if (choice == 0)
			return (true);
		if (mt->mt_woke == 0)
			return (false);
		mt->mt_v = mt->mt_woke;
		if (s->s_q.lq_n > 0 && mutant != HAND_FORGETS_REST)
			mt->mt_v |= C;
		s->s_td[mt->mt_woke - 1].mt_handed = 1;
		return (true);
	case HELD_RELEASE:
		s->s_word = mt->mt_v;
		mt->mt_v = 0;
		if (other != NULL && other->mt_handed != 0)
			other->mt_handed = 2;
		lm_drop_chain(&s->s_q, t);
		mt->mt_pc = WAKE_RUN;
		return (true);
	case WAKE_RUN:
		if (other != NULL)
			other->mt_off = 1;
		mt->mt_pc = WAKE_RETURN;
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

static bool
step(void *state, unsigned t, unsigned choice)
{
	struct state *s = state;
	uint8_t pc = s->s_td[t].mt_pc;

	if (pc >= INSIDE)
		return (step_unlock(s, t, choice));
	if (choice > 0)
		return (false);
	if (pc <= HARD_CAS)
		return (step_lock(s, t));
	if (pc <= BLOCK_QUEUE)
		return (step_mark(s, t));
	return (step_sleep(s, t));
}

static bool
owns(const struct model_thread *mt)
{
	return ((mt->mt_pc >= INSIDE && mt->mt_pc <= HELD_RELEASE) ||
	    mt->mt_handed == 2);
}

static const char *
complaint(const void *state)
{
	const struct state *s = state;
	const struct model_thread *mt;
	bool comes = s->s_word > C;
	unsigned owners = 0;

	for (unsigned t = 0; t < NTHREADS; t++) {
		mt = &s->s_td[t];
		if (owns(mt)) {
			owners++;
			if ((s->s_word & ~C) != t + 1)
				return ("an owner is not in the word");
		}
		if (mt->mt_pc == LENDING && mt->mt_lent != 0 &&
		    s->s_word != (C | mt->mt_lent))
			return ("a loan to one who does not come");
		if (!lm_queued(&s->s_q, t) &&
		    (mt->mt_bits != 0 || mt->mt_told != 0))
			comes = true; /* woken, and told */
	}
	if (owners > 1)
		return ("two threads own the word");
	if (s->s_q.lq_n > 0 && s->s_q.lq_chain == 0 && !comes)
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
	if (s->s_word != 0)
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
	static const struct state first;
	static const struct lock_model lm = {
		.lm_walk = {
			.mw_size = sizeof(struct state),
			.mw_nthreads = NTHREADS,
			.mw_step = step,
			.mw_complaint = complaint,
			.mw_done = all_done,
		},
		.lm_first = &first,
		.lm_mutants = mutants,
		.lm_nmutants = NMUTANTS - 1,
		.lm_set = set,
	};

	return (lock_model_main(&lm));
}
