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
 * The walk itself is tested: each mutant below breaks one line of the protocol
 * and must be caught.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model_walk.h"

#define NTHREADS 3
#define NROUNDS  2

#define L   1u
#define W   2u
#define ONE 4u

#define PORTABLE 0x1u /* caught in the portable form */
#define SECTION  0x2u /* caught in the restartable form */
#define BOTH     (PORTABLE | SECTION)

#define MUTANTS(X)                                                             \
	X(LOCK_IS_NOT_ATOMIC, BOTH, "load and store instead of or")            \
	X(PUBLISH_AFTER, BOTH, "publishes once it has the lock")               \
	X(CLEAR_BEFORE, BOTH, "clears its slot, then releases")                \
	X(PORTABLE_STORE, PORTABLE, "a plain store without a section")         \
	X(LATE_IS_IGNORED, PORTABLE, "the add does not look at W")             \
	X(NO_BARRIER, SECTION, "blocks without the barrier")                   \
	X(NO_SECOND_LOOK, SECTION, "trusts W after the barrier")               \
	X(BLOCK_WITHOUT_CHAIN, BOTH, "sets W and queues unlocked")             \
	X(BLOCK_SETS_NO_W, BOTH, "queues with W clear")                        \
	X(BLOCK_IGNORES_L, BOTH, "queues at a free word")                      \
	X(WOKEN_FORGETS_REST, BOTH, "acquires without W")                      \
	X(NOT_TOLD_OF_REST, BOTH, "does not tell that others stayed")          \
	X(RELEASE_TAKES_NOBODY, BOTH, "clears W and wakes nobody")             \
	X(TAKES_A_LENDER, PORTABLE, "wakes who lends to another")              \
	X(LENDER_LOSES_W, PORTABLE, "clears W over one who lends on")          \
	X(LOAN_IS_KEPT, BOTH, "returns no loans")                              \
	X(SUSPECT_FOR_EVER, BOTH, "lends to one of several without limit")     \
	X(SCAN_TWICE, BOTH, "counts in one pass, picks in the next")           \
	X(LENDS_UNMARKED, BOTH, "lends to an owner that saw no W")             \
	X(HAND_FREES, BOTH, "clears L when it hands over")                     \
	X(HAND_UNPUBLISHED, BOTH, "hands over without publishing")             \
	X(HAND_FORGETS_REST, BOTH, "hands over without W")                     \
	X(HAND_IN_SECRET, BOTH, "does not tell that it handed over")           \
	X(BUMP_TOO_LARGE, BOTH, "adds 4 where it should add 3")

enum mutant {
	CORRECT,
#define MUTANT(name, forms, text) name,
	MUTANTS(MUTANT)
#undef MUTANT
	NMUTANTS
};

static const struct {
	const char *text;
	unsigned forms;
} mutants[NMUTANTS] = {
#define MUTANT(name, forms, text) [name] = { text, forms },
	MUTANTS(MUTANT)
#undef MUTANT
};

enum pc {
	LOCK_PUBLISH, /* gen2_trylock(): its slot */
	LOCK_OR,      /* fetch_or */
	LOCK_STORE,   /* (mutant) */
	LOCK_LATE,    /* (mutant) publishes */
	LOCK_CLEAR,   /* its slot again */
	HARD_LOAD,    /* gen2_lock_hard(): load */
	HARD_PUBLISH, /* its slot */
	HARD_CAS,     /* CAS that enters */
	HARD_CLEAR,
	BLOCK_CHAIN,  /* turnstile_chain_lock() */
	BLOCK_LOAD,   /* gen2_mark(): load */
	BLOCK_CAS,    /* CAS that sets W */
	BLOCK_FENCE,  /* so_asym_barrier() */
	BLOCK_RELOAD, /* load after it */
	BLOCK_QUEUE,  /* turnstile_wait(): on the queue */
	SCAN_WORD,    /* gen2_owner(): load */
	SCAN_LINE,    /* held_scan(): the next line */
	SCAN_AGAIN,   /* (mutant) */
	BLOCK_UNLOCK, /* turnstile_chain_unlock() */
	ASLEEP,       /* until td_blocked_on is NULL */
	LENDING,      /* so_block_lent() */
	LOOK_CHAIN,   /* the loan is back: ts_sleep() takes the chain lock */
	LEAVE_CHAIN,  /* time is up: sleep_lending() takes the chain lock */
	INSIDE,       /* owns the lock */
	UNLOCK_EARLY, /* (mutant) clears its slot */
	UNLOCK_LOAD,  /* gen2_unlock(): load */
	UNLOCK_STORE, /* the store that ends the section */
	UNLOCK_ADD,   /* fetch_add */
	UNLOCK_CLEAR, /* its slot */
	HELD_CHAIN,   /* gen2_unlock_held(): chain lock, load, signal */
	HELD_GIVE,    /* the slot of the one it hands to */
	HELD_RELEASE, /* store */
	FREED_CHAIN,  /* gen2_unlock_freed(): chain lock, load, signal */
	FREED_AND,    /* fetch_and that clears W */
	WAKE_CLEAR,   /* its slot; turnstile_unlock_wake(): chain unlock */
	WAKE_RUN,     /* td_blocked_on = NULL, so_wake() */
	WAKE_RETURN,  /* so_unlend() */
	DONE
};

struct model_thread {
	uint8_t mt_pc;
	uint8_t mt_round;
	uint8_t mt_v;       /* what it loaded, or is to store */
	uint8_t mt_bits;    /* L, or L | W when told that others stayed */
	uint8_t mt_held;    /* publishes the word */
	uint8_t mt_again;   /* was on the queue before */
	uint8_t mt_told;    /* others stayed, written by the waker */
	uint8_t mt_handed;  /* 1: about to be, 2: owns the word */
	uint8_t mt_off;     /* td_blocked_on is NULL */
	uint8_t mt_lent;    /* td_lent_to: 1 + borrower */
	uint8_t mt_exact;   /* without a time limit */
	uint8_t mt_back;    /* the loan is back */
	uint8_t mt_scan;    /* lines read */
	uint8_t mt_mask;    /* suspects */
	uint8_t mt_woke;    /* 1 + the thread it took off the queue */
	uint8_t mt_returns; /* mask: loans to give back */
};

struct state {
	uint8_t s_word;  /* generation from bit 2 */
	uint8_t s_chain; /* 1 + holder of the chain lock, 0: free */
	uint8_t s_queue[NTHREADS];
	uint8_t s_queued;
	uint8_t s_bumps; /* releases that modified */
	uint8_t s_broken;
	struct model_thread s_td[NTHREADS];
};
_Static_assert((NTHREADS * NROUNDS + 1) * ONE <= 256, "s_word is wide enough");

static enum mutant mutant;
static bool portable;

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

static bool
queued(const struct state *s, unsigned t)
{
	for (unsigned i = 0; i < s->s_queued; i++) {
		if (s->s_queue[i] == t)
			return (true);
	}
	return (false);
}

static void
dequeue(struct state *s, unsigned t)
{
	unsigned i = 0;

	while (s->s_queue[i] != t)
		i++;
	s->s_queued--;
	memmove(s->s_queue + i, s->s_queue + i + 1, s->s_queued - i);
	s->s_queue[s->s_queued] = 0;
	s->s_td[t].mt_told = s->s_queued > 0 && mutant != NOT_TOLD_OF_REST;
}

static bool
take_chain(struct state *s, unsigned t)
{
	if (s->s_chain != 0)
		return (false);
	s->s_chain = (uint8_t)(t + 1);
	return (true);
}

/* Does not unlock what it has not locked: a mutant may not have. */
static void
drop_chain(struct state *s, unsigned t)
{
	if (s->s_chain == t + 1)
		s->s_chain = 0;
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
	s->s_td[t].mt_pc = s->s_queue[0] == t ? SCAN_WORD : BLOCK_UNLOCK;
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
	for (unsigned i = 0; i < s->s_queued; i++) {
		other = &s->s_td[s->s_queue[i]];
		if (other->mt_lent != t + 1)
			continue;
		other->mt_lent = 0;
		if (mutant != LOAN_IS_KEPT)
			mt->mt_returns |= (uint8_t)(1u << s->s_queue[i]);
	}
	if (s->s_queued == 0 || mutant == RELEASE_TAKES_NOBODY)
		return;
	first = &s->s_td[s->s_queue[0]];
	if (first->mt_lent != 0 && mutant != TAKES_A_LENDER)
		return;
	mt->mt_woke = (uint8_t)(s->s_queue[0] + 1);
	dequeue(s, s->s_queue[0]);
}

static bool
w_stays(const struct state *s, const struct model_thread *mt)
{
	return (mt->mt_woke == 0 && s->s_queued > 0 &&
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
		if (!take_chain(s, t))
			return (false);
		mt->mt_pc = BLOCK_LOAD;
		return (true);
	case BLOCK_LOAD:
		mt->mt_v = s->s_word;
		mt->mt_pc = BLOCK_CAS;
		if ((mt->mt_v & L) == 0 && mutant != BLOCK_IGNORES_L) {
			drop_chain(s, t);
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
			drop_chain(s, t);
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
			drop_chain(s, t);
			mt->mt_pc = HARD_LOAD;
		}
		return (true);
	case BLOCK_QUEUE:
		if (mt->mt_again != 0) {
			memmove(s->s_queue + 1, s->s_queue, s->s_queued);
			s->s_queue[0] = (uint8_t)t;
		} else {
			s->s_queue[s->s_queued] = (uint8_t)t;
		}
		s->s_queued++;
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
		drop_chain(s, t);
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
		if (!take_chain(s, t))
			return (false);
		mt->mt_exact = 0;
		if (queued(s, t)) {
			consider(s, t);
		} else {
			drop_chain(s, t);
			mt->mt_pc = ASLEEP;
		}
		return (true);
	case LEAVE_CHAIN:
		if (!take_chain(s, t))
			return (false);
		if (mt->mt_lent != 0) {
			mt->mt_lent = 0;
			s->s_broken |= !queued(s, t);
			if (queued(s, t))
				dequeue(s, t);
			woken(mt);
		} else {
			mt->mt_exact = 1;
			mt->mt_pc = LENDING;
		}
		drop_chain(s, t);
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
		if (!take_chain(s, t))
			return (false);
		signal_first(s, t);
		v = (uint8_t)((s->s_word & ~(L | W)) + bump(mt, t));
		mt->mt_pc = HELD_RELEASE;
		if (choice > 0) {
			if (mt->mt_woke == 0)
				return (false);
			if (mutant != HAND_FREES)
				v |= L;
			if (s->s_queued > 0 && mutant != HAND_FORGETS_REST)
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
		if (!take_chain(s, t))
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
		drop_chain(s, t);
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

static bool
step(void *state, unsigned t, unsigned choice)
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
		if (queued(s, t)) {
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
	if (s->s_queued > 0 && s->s_chain == 0 &&
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

static const char *
walk(size_t *np)
{
	const struct model_walk mw = {
		.mw_size = sizeof(struct state),
		.mw_nthreads = NTHREADS,
		.mw_step = step,
		.mw_complaint = complaint,
		.mw_done = all_done,
	};
	struct state first;

	memset(&first, 0, sizeof(first));
	for (unsigned t = 0; t < NTHREADS; t++)
		first.s_td[t].mt_bits = L;
	return (model_walk(&mw, &first, np));
}

static void
protocol_holds_in_every_interleaving(void **state)
{
	const char *wrong;
	size_t n;

	(void)state;
	mutant = CORRECT;
	for (int form = 0; form < 2; form++) {
		portable = form == 0;
		wrong = walk(&n);
		print_message("%s release: %zu states\n",
		    portable ? "portable" : "restartable", n);
		if (wrong != NULL)
			fail_msg("%s", wrong);
		assert_true(n > 1000);
	}
}

static void
every_mutant_is_caught(void **state)
{
	const char *wrong;
	unsigned alive = 0;
	size_t n;

	(void)state;
	for (mutant = CORRECT + 1; mutant < NMUTANTS; mutant++) {
		for (int form = 0; form < 2; form++) {
			portable = form == 0;
			if ((mutants[mutant].forms &
				(portable ? PORTABLE : SECTION)) == 0)
				continue;
			wrong = walk(&n);
			print_message("%s, %s: %s\n", mutants[mutant].text,
			    portable ? "portable" : "restartable",
			    wrong != NULL ? wrong : "NOT CAUGHT");
			if (wrong == NULL)
				alive++;
		}
	}
	assert_int_equal(alive, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protocol_holds_in_every_interleaving),
		cmocka_unit_test(every_mutant_is_caught),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
