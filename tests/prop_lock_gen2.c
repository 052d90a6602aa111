/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A model of the pv list lock gen2 and its turnstile, walked over every
 * interleaving of NTHREADS threads that take and release it NROUNDS times.
 *
 * One step of the model is one access to shared memory in src/lock/lock_gen2.c
 * or src/lock/turnstile.c; the name of each program counter says which.  What a
 * thread does on its own between two accesses belongs to the first.  A spinning
 * thread may give up at once, so spinning adds nothing but the CAS that enters.
 *
 * In each state: at most one thread is inside; the generation counts the
 * releases that modified; a thread on the queue is not forgotten (invariant 4 of
 * lock_gen2.c).  In the end: every thread is done, the word is free and bare.  A
 * state with threads left and no step to take is a lost wake-up.
 *
 * The walk itself is tested: each mutant below breaks one line of the protocol
 * and must be caught.  Memory is sequentially consistent here; what the memory
 * orders do is for ThreadSanitizer and test_pv_lock.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NTHREADS 3
#define NROUNDS  2

#define L   1u
#define W   2u
#define ONE 4u

enum mutant {
	CORRECT,
	LOCK_IS_NOT_ATOMIC,         /* load and store instead of or */
	UNLOCK_CLEARS_W,            /* store from a load: loses a waiter's W */
	UNLOCK_TESTS_W_BEFORE,      /* looks at W before it adds */
	UNLOCK_WAKES_NOBODY,        /* never looks at W */
	BLOCK_WITHOUT_CHAIN_LOCK,   /* W and queue as two steps, unlocked */
	BLOCK_SETS_W_BEFORE_CHAIN,  /* sets W, then takes the chain lock */
	BLOCK_DOES_NOT_SET_W,       /* goes on the queue with W clear */
	BLOCK_DOES_NOT_LOOK_AT_L,   /* goes on the queue of a free word */
	WOKEN_FORGETS_THE_REST,     /* acquires with L only */
	WAKE_LEAVES_NO_MORE,        /* does not tell that others stayed */
	WAKE_CLEARS_W_AFTER_CHAIN,  /* clears W when it has dropped the lock */
	WAKE_TAKES_NOBODY,          /* clears W and wakes nobody */
	TOKEN_BEFORE_SLEEP_IS_LOST, /* waking one not yet asleep does nothing */
	BUMP_IS_ONE_TOO_LARGE,      /* adds 4 where it should add 3 */
	BUMP_WITHOUT_RELEASE_ORDER, /* bumps, in a step of its own, after */
	NMUTANTS
};

static const char *const mutant_names[NMUTANTS] = {
	"correct",
	"lock is not atomic",
	"unlock clears W",
	"unlock tests W before",
	"unlock wakes nobody",
	"block without chain lock",
	"block sets W before chain lock",
	"block does not set W",
	"block does not look at L",
	"woken forgets the rest",
	"wake leaves no more",
	"wake clears W after chain lock",
	"wake takes nobody",
	"token before sleep is lost",
	"bump is one too large",
	"bump after the release",
};

enum pc {
	LOCK_OR,         /* gen2_trylock(): fetch_or */
	LOCK_STORE,      /* (mutant) */
	HARD_LOAD,       /* gen2_lock_hard(): load */
	HARD_CAS,        /* CAS that enters */
	CHAIN_FOR_BLOCK, /* turnstile_chain_lock() */
	BLOCK_LOAD,      /* load under the chain lock */
	BLOCK_CAS,       /* CAS that sets W */
	BLOCK_ENQUEUE,   /* turnstile_wait(): on the queue, unlock the chain */
	BLOCK_SLEEP,     /* so_block() announces that it sleeps */
	BLOCK_TOKEN,     /* waits for the token */
	INSIDE,          /* holds the lock */
	UNLOCK_LOAD,     /* (mutants) */
	UNLOCK_ADD,      /* gen2_unlock(): fetch_add */
	UNLOCK_BUMP,     /* (mutant) */
	CHAIN_FOR_WAKE,  /* gen2_wake(): turnstile_chain_lock() */
	WAKE_LOAD,       /* load under the chain lock */
	WAKE_TAKE,       /* turnstile_signal() */
	WAKE_AND,        /* fetch_and that clears W */
	WAKE_UNLOCK,     /* turnstile_chain_unlock() */
	WAKE_TOKEN,      /* so_wake() */
	DONE
};

struct model_thread {
	uint8_t mt_pc;
	uint8_t mt_round;
	uint8_t mt_v;    /* what it loaded */
	uint8_t mt_bits; /* L, or L | W when told that others stayed */
	uint8_t mt_told; /* TD_TS_MORE, written by the waker */
	uint8_t mt_token;
	uint8_t mt_asleep;
	uint8_t mt_woke; /* 1 + the thread it took off the queue, 0: none */
};

struct state {
	uint8_t s_word;  /* generation from bit 2 */
	uint8_t s_chain; /* 1 + holder of the chain lock, 0: free */
	uint8_t s_queue[NTHREADS];
	uint8_t s_queued;
	uint8_t s_bumps; /* releases that modified */
	struct model_thread s_td[NTHREADS];
};
_Static_assert((NTHREADS * NROUNDS + 1) * ONE <= 256, "s_word is wide enough");

static enum mutant mutant;

/* Which releases modify: some do and some do not, of each thread. */
static bool
modifies(unsigned t, unsigned round)
{
	return ((t + round) % 2 == 0);
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
released(struct state *s, struct model_thread *mt, unsigned t, uint8_t old)
{
	if (modifies(t, mt->mt_round))
		s->s_bumps++;
	mt->mt_pc = (old & W) != 0 && mutant != UNLOCK_WAKES_NOBODY
	    ? CHAIN_FOR_WAKE
	    : LOCK_OR;
}

/* After a release and whatever it led to. */
static void
next_round(struct model_thread *mt)
{
	mt->mt_round++;
	mt->mt_pc = mt->mt_round == NROUNDS ? DONE : LOCK_OR;
	mt->mt_v = 0;
	mt->mt_bits = L;
	mt->mt_told = 0;
	mt->mt_woke = 0;
}

/* Let thread t take its next step.  False: it cannot now. */
static bool
step(struct state *s, unsigned t)
{
	struct model_thread *mt = &s->s_td[t], *other;
	uint8_t add, old;

	switch ((enum pc)mt->mt_pc) {
	case LOCK_OR:
		old = s->s_word;
		if (mutant == LOCK_IS_NOT_ATOMIC) {
			mt->mt_v = old;
			mt->mt_pc = (old & L) == 0 ? LOCK_STORE : HARD_LOAD;
			return (true);
		}
		s->s_word |= L;
		mt->mt_pc = (old & L) == 0 ? INSIDE : HARD_LOAD;
		return (true);
	case LOCK_STORE:
		s->s_word = mt->mt_v | L;
		mt->mt_pc = INSIDE;
		return (true);
	case HARD_LOAD:
		mt->mt_v = s->s_word;
		if ((mt->mt_v & L) == 0)
			mt->mt_pc = HARD_CAS;
		else if (mutant == BLOCK_WITHOUT_CHAIN_LOCK)
			mt->mt_pc = BLOCK_LOAD;
		else if (mutant == BLOCK_SETS_W_BEFORE_CHAIN)
			mt->mt_pc = BLOCK_CAS;
		else
			mt->mt_pc = CHAIN_FOR_BLOCK;
		return (true);
	case HARD_CAS:
		if (s->s_word == mt->mt_v) {
			s->s_word |=
			    mutant == WOKEN_FORGETS_THE_REST ? L : mt->mt_bits;
			mt->mt_pc = INSIDE;
		} else {
			mt->mt_pc = HARD_LOAD;
		}
		return (true);
	case CHAIN_FOR_BLOCK:
		if (s->s_chain != 0)
			return (false);
		s->s_chain = (uint8_t)(t + 1);
		mt->mt_pc = mutant == BLOCK_SETS_W_BEFORE_CHAIN ? BLOCK_ENQUEUE
								: BLOCK_LOAD;
		return (true);
	case BLOCK_LOAD:
		mt->mt_v = s->s_word;
		if ((mt->mt_v & L) == 0 && mutant != BLOCK_DOES_NOT_LOOK_AT_L) {
			if (s->s_chain == t + 1)
				s->s_chain = 0;
			mt->mt_pc = HARD_LOAD;
		} else if ((mt->mt_v & W) != 0 ||
		    mutant == BLOCK_DOES_NOT_SET_W) {
			mt->mt_pc = BLOCK_ENQUEUE;
		} else {
			mt->mt_pc = BLOCK_CAS;
		}
		return (true);
	case BLOCK_CAS:
		if (s->s_word == mt->mt_v) {
			s->s_word |= W;
			mt->mt_pc = mutant == BLOCK_SETS_W_BEFORE_CHAIN
			    ? CHAIN_FOR_BLOCK
			    : BLOCK_ENQUEUE;
		} else {
			if (s->s_chain == t + 1)
				s->s_chain = 0;
			mt->mt_pc = HARD_LOAD;
		}
		return (true);
	case BLOCK_ENQUEUE:
		s->s_queue[s->s_queued++] = (uint8_t)t;
		if (s->s_chain == t + 1)
			s->s_chain = 0;
		mt->mt_told = 0;
		mt->mt_pc = BLOCK_SLEEP;
		return (true);
	case BLOCK_SLEEP:
		mt->mt_asleep = 1;
		mt->mt_pc = BLOCK_TOKEN;
		return (true);
	case BLOCK_TOKEN:
		if (mt->mt_token == 0)
			return (false);
		mt->mt_token = 0;
		mt->mt_asleep = 0;
		mt->mt_bits = mt->mt_told != 0 ? L | W : L;
		mt->mt_v = 0;
		mt->mt_pc = HARD_LOAD;
		return (true);
	case INSIDE:
		mt->mt_pc =
		    mutant == UNLOCK_CLEARS_W || mutant == UNLOCK_TESTS_W_BEFORE
		    ? UNLOCK_LOAD
		    : UNLOCK_ADD;
		return (true);
	case UNLOCK_LOAD:
		mt->mt_v = s->s_word;
		mt->mt_pc = UNLOCK_ADD;
		return (true);
	case UNLOCK_ADD:
		add = modifies(t, mt->mt_round) ? ONE - L : (uint8_t)-L;
		old = s->s_word;
		if (mutant == BUMP_IS_ONE_TOO_LARGE &&
		    modifies(t, mt->mt_round))
			add++;
		if (mutant == BUMP_WITHOUT_RELEASE_ORDER)
			add = (uint8_t)-L;
		if (mutant == UNLOCK_CLEARS_W)
			s->s_word = mt->mt_v;
		if (mutant == UNLOCK_TESTS_W_BEFORE)
			old = mt->mt_v;
		s->s_word = (uint8_t)(s->s_word + add);
		if (mutant == UNLOCK_CLEARS_W)
			old = mt->mt_v;
		released(s, mt, t, old);
		if (mutant == BUMP_WITHOUT_RELEASE_ORDER &&
		    modifies(t, mt->mt_round))
			mt->mt_pc = UNLOCK_BUMP;
		else if (mt->mt_pc == LOCK_OR)
			next_round(mt);
		return (true);
	case UNLOCK_BUMP:
		s->s_word = (uint8_t)(s->s_word + ONE);
		next_round(mt);
		return (true);
	case CHAIN_FOR_WAKE:
		if (s->s_chain != 0)
			return (false);
		s->s_chain = (uint8_t)(t + 1);
		mt->mt_pc = WAKE_LOAD;
		return (true);
	case WAKE_LOAD:
		mt->mt_woke = 0;
		mt->mt_pc = (s->s_word & W) != 0 ? WAKE_TAKE : WAKE_UNLOCK;
		return (true);
	case WAKE_TAKE:
		if (s->s_queued > 0 && mutant != WAKE_TAKES_NOBODY) {
			mt->mt_woke = s->s_queue[0] + 1;
			s->s_queued--;
			memmove(s->s_queue, s->s_queue + 1, s->s_queued);
			s->s_queue[s->s_queued] = 0;
			other = &s->s_td[mt->mt_woke - 1];
			other->mt_told =
			    s->s_queued > 0 && mutant != WAKE_LEAVES_NO_MORE;
		}
		mt->mt_pc = mutant == WAKE_CLEARS_W_AFTER_CHAIN ? WAKE_UNLOCK
								: WAKE_AND;
		return (true);
	case WAKE_AND:
		s->s_word &= (uint8_t)~W;
		mt->mt_pc = mutant == WAKE_CLEARS_W_AFTER_CHAIN ? WAKE_TOKEN
								: WAKE_UNLOCK;
		return (true);
	case WAKE_UNLOCK:
		s->s_chain = 0;
		mt->mt_pc =
		    mutant == WAKE_CLEARS_W_AFTER_CHAIN ? WAKE_AND : WAKE_TOKEN;
		return (true);
	case WAKE_TOKEN:
		if (mt->mt_woke != 0) {
			other = &s->s_td[mt->mt_woke - 1];
			if (mutant != TOKEN_BEFORE_SLEEP_IS_LOST ||
			    other->mt_asleep != 0)
				other->mt_token = 1;
		}
		next_round(mt);
		return (true);
	case DONE:
		return (false);
	}
	return (false);
}

/* Is some thread, not on the queue, bound to come and see to those that are? */
static bool
someone_comes(const struct state *s)
{
	const struct model_thread *mt;

	for (unsigned t = 0; t < NTHREADS; t++) {
		mt = &s->s_td[t];
		if (queued(s, t))
			continue;
		switch ((enum pc)mt->mt_pc) {
		case CHAIN_FOR_WAKE:
		case WAKE_LOAD:
		case WAKE_TAKE:
			return (true); /* a releaser that saw W */
		case BLOCK_SLEEP:
		case BLOCK_TOKEN:
			if (mt->mt_told != 0)
				return (true); /* woken, and told */
			break;
		case HARD_LOAD:
		case HARD_CAS:
		case CHAIN_FOR_BLOCK:
		case BLOCK_LOAD:
		case BLOCK_CAS:
		case BLOCK_ENQUEUE:
			if (mt->mt_bits == (L | W))
				return (true); /* the same, a little later */
			break;
		default:
			break;
		}
	}
	return (false);
}

/* NULL, or what is wrong with a state. */
static const char *
complaint(const struct state *s)
{
	unsigned inside = 0;

	for (unsigned t = 0; t < NTHREADS; t++) {
		if (s->s_td[t].mt_pc >= INSIDE &&
		    s->s_td[t].mt_pc <= UNLOCK_ADD)
			inside++;
	}
	if (inside > 1)
		return ("two threads are inside");
	if (inside == 1 && (s->s_word & L) == 0)
		return ("a thread is inside and L is clear");
	if (s->s_word / ONE != s->s_bumps)
		return ("the generation does not count the modifications");
	if (s->s_queued > 0 && s->s_chain == 0 &&
	    (s->s_word & (L | W)) != (L | W) && !someone_comes(s))
		return ("a thread on the queue is forgotten");
	return (NULL);
}

/* A set of states: open addressing, grown by rehashing. */
static struct state *set;
static uint8_t *set_used;
static size_t set_size, set_n;

static size_t
hash(const struct state *s)
{
	const uint8_t *p = (const uint8_t *)s;
	uint64_t h = UINT64_C(1469598103934665603);

	for (size_t i = 0; i < sizeof(*s); i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return ((size_t)(h ^ (h >> 32)));
}

/* True if it was not there. */
static bool
set_insert(const struct state *s)
{
	size_t i;

	assert_true(set_n < set_size / 2);
	for (i = hash(s) & (set_size - 1); set_used[i] != 0;
	     i = (i + 1) & (set_size - 1)) {
		if (memcmp(&set[i], s, sizeof(*s)) == 0)
			return (false);
	}
	set[i] = *s;
	set_used[i] = 1;
	set_n++;
	return (true);
}

/* Walk all states.  Returns NULL, or the first thing found wrong. */
static const char *
walk(void)
{
	struct state first, next, s, *stack;
	size_t depth = 0;
	const char *wrong = NULL;
	bool stuck, done;

	set_size = (size_t)1 << 21;
	set_n = 0;
	set = malloc(set_size * sizeof(*set));
	set_used = calloc(set_size, 1);
	stack = malloc(set_size / 2 * sizeof(*stack));
	assert_non_null(set);
	assert_non_null(set_used);
	assert_non_null(stack);

	memset(&first, 0, sizeof(first));
	for (unsigned t = 0; t < NTHREADS; t++)
		first.s_td[t].mt_bits = L;
	(void)set_insert(&first);
	stack[depth++] = first;
	while (depth > 0 && wrong == NULL) {
		s = stack[--depth];
		wrong = complaint(&s);
		stuck = done = true;
		for (unsigned t = 0; t < NTHREADS && wrong == NULL; t++) {
			done &= s.s_td[t].mt_pc == DONE;
			next = s;
			if (!step(&next, t))
				continue;
			stuck = false;
			if (set_insert(&next))
				stack[depth++] = next;
		}
		if (wrong == NULL && stuck && !done)
			wrong = "a wake-up is lost";
		else if (wrong == NULL && done && (s.s_word & (L | W)) != 0)
			wrong = "the word is not bare in the end";
	}

	free(stack);
	free(set_used);
	free(set);
	return (wrong);
}

static void
protocol_holds_in_every_interleaving(void **state)
{
	const char *wrong;

	(void)state;
	mutant = CORRECT;
	wrong = walk();
	print_message("%zu states\n", set_n);
	if (wrong != NULL)
		fail_msg("%s", wrong);
	assert_true(set_n > 1000);
}

static void
every_mutant_is_caught(void **state)
{
	const char *wrong;
	unsigned alive = 0;

	(void)state;
	for (mutant = CORRECT + 1; mutant < NMUTANTS; mutant++) {
		wrong = walk();
		print_message("%s: %s\n", mutant_names[mutant],
		    wrong != NULL ? wrong : "NOT CAUGHT");
		if (wrong == NULL)
			alive++;
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
