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
 * the owner; and whether a release hands over is a free choice.  lock_model.c has
 * the steps that are not gen2's alone.
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

#include "lock_model.h"

#define L   1u
#define W   2u /* the mark */
#define ONE 4u /* of the generation */

_Static_assert((NTHREADS * NROUNDS + 1) * ONE <= 256, "s_word is wide enough");

#define MUTANTS(X)                                                             \
	X(PUBLISH_AFTER, BOTH, "publishes once it has the lock")               \
	X(CLEAR_BEFORE, BOTH, "clears its slot, then releases")                \
	X(LATE_IS_IGNORED, PORTABLE, "the add does not look at W")             \
	X(TAKES_A_LENDER, PORTABLE, "wakes who lends to another")              \
	X(LENDER_LOSES_W, PORTABLE, "clears W over one who lends on")          \
	X(SUSPECT_FOR_EVER, BOTH, "lends to one of several without limit")     \
	X(SCAN_TWICE, BOTH, "counts in one pass, picks in the next")           \
	X(HAND_FREES, BOTH, "clears L when it hands over")                     \
	X(HAND_UNPUBLISHED, BOTH, "hands over without publishing")             \
	X(BUMP_TOO_LARGE, BOTH, "adds 4 where it should add 3")

enum {
	LAST_SHARED = LM_NMUTANTS - 1,
	MUTANTS(MUTANT_NAME) NMUTANTS
};

static const struct mutant_row mutants[] = { MUTANTS(MUTANT_ROW) };

/* LOCK_FIRST publishes: gen2_trylock(), its slot. */
enum {
	LOCK_OR = LM_OWN, /* fetch_or */
	LOCK_STORE,       /* (mutant) */
	LOCK_LATE,        /* (mutant) publishes */
	HARD_CLEAR,       /* its slot again */
	HARD_CAS,         /* gen2_lock_hard(): CAS that enters */
	SCAN_LINE,        /* held_scan(): the next line */
	UNLOCK_EARLY,     /* (mutant) clears its slot */
	UNLOCK_ADD,       /* fetch_add */
	UNLOCK_CLEAR,     /* its slot */
	HELD_CHAIN,       /* gen2_unlock_held(): chain lock, load, signal */
	HELD_GIVE,        /* the slot of the one it hands to */
	HELD_RELEASE,     /* store */
	FREED_CHAIN,      /* gen2_unlock_freed(): chain lock, load, signal */
	FREED_AND,        /* fetch_and that clears W */
	WAKE_CLEAR        /* its slot; turnstile_unlock_wake(): chain unlock */
};

/* Which releases modify: some do and some do not, of each thread. */
static bool
modifies(unsigned t, unsigned round)
{
	return ((t + round) % 2 == 0);
}

static uint8_t
bump(const struct model_thread *mt, unsigned t)
{
	if (!modifies(t, mt->mt_round))
		return (0);
	return (mutant == BUMP_TOO_LARGE ? 2 * ONE : ONE);
}

static void
enter(struct model_thread *mt)
{
	lm_enter(mt);
	if (mutant == PUBLISH_AFTER)
		mt->mt_pc = LOCK_LATE;
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

static bool
w_stays(const struct state *s, const struct model_thread *mt)
{
	return (mt->mt_woke == 0 && s->s_n > 0 && mutant != LENDER_LOSES_W &&
	    mutant != RELEASE_TAKES_NOBODY);
}

/* step_lock() and step_unlock() return false at each step that is not theirs. */
static bool
step_lock(struct state *s, unsigned t)
{
	struct model_thread *mt = &s->s_td[t];
	uint8_t v = mt->mt_v;

	switch (mt->mt_pc) {
	case LOCK_FIRST:
		mt->mt_held = mutant != PUBLISH_AFTER;
		mt->mt_pc = LOCK_OR;
		return (true);
	case LOCK_OR:
		if ((s->s_word & L) != 0) {
			mt->mt_pc = HARD_CLEAR;
		} else if (mutant == LOCK_IS_NOT_ATOMIC) {
			mt->mt_v = s->s_word;
			mt->mt_pc = LOCK_STORE;
		} else {
			s->s_word |= L;
			enter(mt);
		}
		return (true);
	case LOCK_STORE:
		s->s_word = v | L;
		enter(mt);
		return (true);
	case LOCK_LATE:
		mt->mt_held = 1;
		mt->mt_pc = INSIDE;
		return (true);
	case HARD_CLEAR:
		mt->mt_held = 0;
		mt->mt_pc = HARD_LOAD;
		return (true);
	case HARD_FREE:
		mt->mt_held = mutant != PUBLISH_AFTER;
		mt->mt_pc = HARD_CAS;
		return (true);
	case HARD_CAS:
		if (s->s_word == v) {
			s->s_word |= L;
			if (mutant != WOKEN_FORGETS_REST)
				s->s_word |= mt->mt_bits;
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
step_scan(struct state *s, unsigned t, unsigned choice)
{
	struct model_thread *mt = &s->s_td[t];

	if (mt->mt_pc == LEND) { /* gen2_owner(): load */
		mt->mt_pc =
		    (s->s_word & (L | W)) == (L | W) || mutant == LENDS_UNMARKED
		    ? SCAN_LINE
		    : BLOCK_UNLOCK;
		return (choice == 0);
	}
	if (mt->mt_scan < NTHREADS) {
		if (mt->mt_scan != t && s->s_td[mt->mt_scan].mt_held != 0)
			mt->mt_mask |= (uint8_t)(1u << mt->mt_scan);
		mt->mt_scan++;
		return (choice == 0);
	}
	if (mutant == SCAN_TWICE && mt->mt_exact == 0 && mt->mt_mask != 0 &&
	    (mt->mt_mask & (mt->mt_mask - 1)) == 0) {
		mt->mt_exact = 1;
		mt->mt_mask = 0;
		mt->mt_scan = 0;
		return (choice == 0);
	}
	return (lend(mt, choice));
}

static bool
step_unlock(struct state *s, unsigned t)
{
	struct model_thread *mt = &s->s_td[t];
	uint8_t old;

	switch (mt->mt_pc) {
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
		lm_next_round(mt);
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

	other = mt->mt_woke != 0 ? &s->s_td[mt->mt_woke - 1] : NULL;
	switch (mt->mt_pc) {
	case HELD_CHAIN:
		if (!lm_take_chain(s, t))
			return (false);
		lm_signal(s, t, mutant == TAKES_A_LENDER);
		v = (uint8_t)((s->s_word & ~(L | W)) + bump(mt, t));
		mt->mt_pc = HELD_RELEASE;
		if (choice > 0) {
			if (mt->mt_woke == 0)
				return (false);
			if (mutant != HAND_FREES)
				v |= L;
			if (s->s_n > 0 && mutant != HAND_FORGETS_REST)
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
		if (!lm_take_chain(s, t))
			return (false);
		mt->mt_pc = WAKE_CLEAR;
		if ((s->s_word & W) != 0) {
			lm_signal(s, t, mutant == TAKES_A_LENDER);
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
		lm_unlock_wake(s, t);
		return (true);
	default:
		return (false);
	}
}

static bool
step(struct state *s, unsigned t, unsigned choice)
{
	uint8_t pc = s->s_td[t].mt_pc;

	if (pc == LEND || pc == SCAN_LINE)
		return (step_scan(s, t, choice));
	if (choice > 0 && pc != HELD_CHAIN)
		return (false);
	return (
	    step_lock(s, t) || step_unlock(s, t) || step_wake(s, t, choice));
}

static bool
owns(const struct model_thread *mt)
{
	switch (mt->mt_pc) {
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
		if (lm_queued(s, t)) {
			/* It lends for a time only, or has the loan back. */
			if ((mt->mt_pc == LENDING &&
				(mt->mt_exact == 0 || mt->mt_back != 0)) ||
			    mt->mt_pc == LEAVE_CHAIN)
				return (true);
			continue;
		}
		if (mt->mt_bits != 0)
			return (true); /* woken, told, and back */
		if (mt->mt_told != 0 && mt->mt_handed == 0 &&
		    (mt->mt_pc == ASLEEP || mt->mt_pc == LENDING ||
			mt->mt_pc == LOOK_CHAIN || mt->mt_pc == LEAVE_CHAIN))
			return (true); /* woken, and told */
	}
	return (false);
}

static const char *
complaint(const struct state *s)
{
	const struct model_thread *mt;
	unsigned owners = 0;

	for (unsigned t = 0; t < NTHREADS; t++) {
		mt = &s->s_td[t];
		owners += owns(mt);
		/* Its loan is on nobody's list to return. */
		if (mt->mt_pc == LENDING && mt->mt_exact != 0 &&
		    mt->mt_lent != 0 && s->s_chain == 0 &&
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
	if (s->s_n > 0 && s->s_chain == 0 && (s->s_word & (L | W)) != (L | W) &&
	    !someone_comes(s))
		return ("a thread on the queue is forgotten");
	return (NULL);
}

int
main(void)
{
	static const struct lock_model lm = {
		.lm_owned = L,
		.lm_mark = W,
		.lm_step = step,
		.lm_complaint = complaint,
		.lm_mutants = mutants,
		.lm_nmutants = sizeof(mutants) / sizeof(mutants[0]),
	};

	return (lock_model_main(&lm));
}
