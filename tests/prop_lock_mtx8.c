/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A model of the 8-byte mutex word and its turnstile, walked over every
 * interleaving of NTHREADS threads that take and release it NROUNDS times.  As
 * prop_lock_gen2.c, which says how; here the owner is in the word, nobody has to
 * be looked for, and each loan goes to the owner.
 */

#include "lock_model.h"

#define C     0x80u /* contested: the mark */
#define OWNER 0x7fu /* 1 + the owner, 0: free */

#define MUTANTS(X)                                                             \
	X(RELEASE_IGNORES_C, BOTH, "frees whatever is in the word")            \
	X(FREES_BEFORE_CHAIN, BOTH, "frees a contested word unlocked")         \
	X(HAND_TO_THE_NEXT, BOTH, "hands over to one still on the queue")

enum {
	LAST_SHARED = LM_NMUTANTS - 1,
	MUTANTS(MUTANT_NAME) NMUTANTS
};

static const struct mutant_row mutants[] = { MUTANTS(MUTANT_ROW) };

/* LOCK_FIRST and HARD_FREE are the CAS of mtx_word_trylock(). */
enum {
	LOCK_STORE = LM_OWN, /* (mutant) */
	UNLOCK_CAS,          /* portable */
	FREE_EARLY,          /* (mutant) */
	HELD_CHAIN,          /* mtx_word_unlock_hard(): chain lock, signal */
	HELD_RELEASE         /* store, then chain unlock */
};

/* False at each step that is not its. */
static bool
step_lock(struct state *s, unsigned t)
{
	struct model_thread *mt = &s->s_td[t];
	uint8_t self = (uint8_t)(t + 1);

	switch (mt->mt_pc) {
	case LOCK_FIRST:
		if (s->s_word != 0) {
			mt->mt_pc = HARD_LOAD;
		} else if (mutant == LOCK_IS_NOT_ATOMIC) {
			mt->mt_pc = LOCK_STORE;
		} else {
			s->s_word = self;
			lm_enter(mt);
		}
		return (true);
	case LOCK_STORE:
		s->s_word = self;
		lm_enter(mt);
		return (true);
	case HARD_FREE:
		if (s->s_word == 0) {
			s->s_word = self;
			if (mutant != WOKEN_FORGETS_REST)
				s->s_word |= mt->mt_bits;
			lm_enter(mt);
		} else {
			mt->mt_pc = HARD_LOAD;
		}
		return (true);
	case LEND: /* mtx_owner(): load; td_lent_to */
		if ((s->s_word & C) != 0 || mutant == LENDS_UNMARKED)
			mt->mt_lent = s->s_word & OWNER;
		mt->mt_exact = mt->mt_lent != 0;
		mt->mt_pc = BLOCK_UNLOCK;
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

	other = mt->mt_woke != 0 ? &s->s_td[mt->mt_woke - 1] : NULL;
	switch (mt->mt_pc) {
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
		lm_next_round(mt);
		return (true);
	case FREE_EARLY:
		s->s_word = 0;
		mt->mt_pc = HELD_CHAIN;
		return (true);
	case HELD_CHAIN:
		if (!lm_take_chain(s, t))
			return (false);
		if (choice > 0 && mutant == HAND_TO_THE_NEXT) {
			if (s->s_n < 2)
				return (false);
			mt->mt_v = s->s_q[1] + 1;
			lm_signal(s, t, false);
			mt->mt_pc = HELD_RELEASE;
			return (true);
		}
		lm_signal(s, t, false);
		mt->mt_pc = HELD_RELEASE;
		if (choice == 0)
			return (true);
		if (mt->mt_woke == 0)
			return (false);
		mt->mt_v = mt->mt_woke;
		if (s->s_n > 0 && mutant != HAND_FORGETS_REST)
			mt->mt_v |= C;
		s->s_td[mt->mt_woke - 1].mt_handed = 1;
		return (true);
	case HELD_RELEASE:
		s->s_word = mt->mt_v;
		mt->mt_v = 0;
		if (other != NULL && other->mt_handed != 0)
			other->mt_handed = 2;
		lm_unlock_wake(s, t);
		return (true);
	default:
		return (false);
	}
}

static bool
step(struct state *s, unsigned t, unsigned choice)
{
	if (choice > 0 && s->s_td[t].mt_pc != HELD_CHAIN)
		return (false);
	return (step_lock(s, t) || step_unlock(s, t, choice));
}

static bool
owns(const struct model_thread *mt)
{
	switch (mt->mt_pc) {
	case INSIDE:
	case UNLOCK_LOAD:
	case UNLOCK_STORE:
	case UNLOCK_CAS:
	case FREE_EARLY:
	case HELD_CHAIN:
	case HELD_RELEASE:
		return (true);
	default:
		return (mt->mt_handed == 2);
	}
}

static const char *
complaint(const struct state *s)
{
	const struct model_thread *mt;
	bool comes = s->s_word > C;
	unsigned owners = 0;

	for (unsigned t = 0; t < NTHREADS; t++) {
		mt = &s->s_td[t];
		if (owns(mt)) {
			owners++;
			if ((s->s_word & OWNER) != t + 1)
				return ("an owner is not in the word");
		}
		if (mt->mt_pc == LENDING && mt->mt_lent != 0 &&
		    s->s_word != (C | mt->mt_lent))
			return ("a loan to one who does not come");
		if (!lm_queued(s, t) && (mt->mt_bits != 0 || mt->mt_told != 0))
			comes = true; /* woken, and told */
	}
	if (owners > 1)
		return ("two threads own the word");
	if (s->s_n > 0 && s->s_chain == 0 && !comes)
		return ("a thread on the queue is forgotten");
	return (NULL);
}

int
main(void)
{
	static const struct lock_model lm = {
		.lm_owned = OWNER,
		.lm_mark = C,
		.lm_step = step,
		.lm_complaint = complaint,
		.lm_mutants = mutants,
		.lm_nmutants = sizeof(mutants) / sizeof(mutants[0]),
	};

	return (lock_model_main(&lm));
}
