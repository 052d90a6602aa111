/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * struct mtx and its turnstile, walked over every interleaving: mtx.c and
 * turnstile.c themselves, see code_walk.h.  prop_lock_mtx8.c walks a model of the
 * word; here is the code, with recursion, and both forms of the release.
 *
 * A thread runs a program, a letter an operation: L lock, unlock; t try to; C lock,
 * lock again, unlock, unlock.  Whether a release under the chain lock hands over is
 * a free choice.
 *
 * In each state at most one thread owns the mutex, and is in the word; what mtx.c
 * numbers 1 and 3 holds; who waits has lent to the owner.  Each walk ends with a
 * bare word and nothing lent.  The walk is tested by mutants, as prop_rw_word.c.
 *
 * Limits.  Three threads of two rounds each, "LL LL LL", are 3.4 to 17.5 million
 * states, which hold, and take two minutes; the test keeps to less.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* In front of mtx.h, whose inline functions are walked. */
#include "code_walk_hooks.h"
#include "code_walk_program.h"
#include "lock/mtx.h"
#include "lock/turnstile.h"
#include "mutants.h"

#define MUTANTS(X)                                                             \
	X(CAS_IS_TWO_STEPS, BOTH, "compares and sets in two steps")            \
	X(WAKES_NOBODY, BOTH, "takes a thread off the queue, wakes nobody")    \
	X(LOAN_IS_KEPT, BOTH, "returns no loan")                               \
	X(NO_BARRIER, SECTION, "blocks without the barrier")                   \
	X(BLOCK_SETS_NO_C, BOTH, "queues without C")                           \
	X(BLOCKS_AT_FREE_WORD, BOTH, "queues at a free word")                  \
	X(UNLOCK_IGNORES_C, PORTABLE, "frees the word without a look at C")    \
	X(WOKEN_DROPS_C, BOTH, "acquires without C although others stayed")    \
	X(HAND_DROPS_C, BOTH, "hands over without C")                          \
	X(HAND_FREES, BOTH, "frees the word that it hands over")

enum mutant {
	CORRECT,
	MUTANTS(MUTANT_NAME) NMUTANTS
};

static const struct mutant_row mutants[] = { MUTANTS(MUTANT_ROW) };

enum doing {
	NOTHING,
	LOCK,
	UNLOCK
};

/* Of a thread; part of the state. */
struct ghost {
	uint8_t g_doing;
	uint8_t g_holds; /* from the acquisition to the release */
};

static struct ghost ghosts[CW_THREADS_MAX];
static enum mutant mutant;
static struct mtx m;

static struct ghost *
self(void)
{
	return (&ghosts[curthread()->td_id]);
}

static void
unlock(void)
{
	/* A state in which it owns the mutex, and does nothing else. */
	cw_yield();
	self()->g_holds--;
	self()->g_doing = UNLOCK;
	mtx_unlock(&m);
	self()->g_doing = NOTHING;
}

static void
lock(void)
{
	self()->g_doing = LOCK;
	mtx_lock(&m);
	self()->g_doing = NOTHING;
	self()->g_holds++;
}

static void
body(unsigned t)
{
	for (const char *p = cwp_programs[t]; *p != '\0'; p++) {
		if (*p == 't') {
			if (!mtx_trylock(&m))
				continue;
			self()->g_holds++;
		} else {
			lock();
		}
		if (*p == 'C') {
			lock();
			unlock();
		}
		unlock();
	}
}

static const struct thread *
owner(uint64_t v)
{
	return ((const struct thread *)(uintptr_t)(v & ~MTX_FLAGMASK));
}

/* Was it taken off the queue, and has it yet to come to the word? */
static bool
somebody_comes(void)
{
	for (unsigned t = 0; t < cwp_nthreads; t++) {
		if (ghosts[t].g_doing == LOCK && cwl_td[t].td_turnstile != NULL)
			return (true);
	}
	return (false);
}

static const char *
complaint(void)
{
	unsigned owners = 0;
	uint64_t v = cwl_word();

	for (unsigned t = 0; t < cwp_nthreads; t++) {
		if (ghosts[t].g_holds == 0)
			continue;
		owners++;
		if (owner(v) != &cwl_td[t])
			return ("1: an owner is not in the word");
	}
	if (owners > 1)
		return ("two threads own the mutex");
	if (!cwl_chain_free())
		return (NULL);
	if (!cwl_empty(TS_EXCLUSIVE_QUEUE) && (v & MTX_CONTESTED) == 0 &&
	    !somebody_comes())
		return ("3: a thread on the queue is forgotten");
	/* One that barged in past a woken thread is not told, nor lent to. */
	return (cwl_loans_complaint(owner(v), (v & MTX_CONTESTED) != 0,
	    owners > 0 && (v & MTX_CONTESTED) != 0));
}

static const char *
end(void)
{
	if (cwl_word() != 0)
		return ("the word is not bare in the end");
	return (cwl_threads_complaint());
}

/* A release under the chain lock may find that who is first has waited long. */
static bool
hands(void)
{
	return (self()->g_doing == UNLOCK);
}

static uint64_t
bend_load(uint64_t v)
{
	if (mutant == BLOCKS_AT_FREE_WORD && self()->g_doing == LOCK &&
	    v == 0 && cwl_has_chain())
		return ((uint64_t)(uintptr_t)&cwl_td[0] | MTX_CONTESTED);
	if (mutant == BLOCK_SETS_NO_C && self()->g_doing == LOCK && v != 0 &&
	    cwl_has_chain())
		return (v | MTX_CONTESTED);
	return (v);
}

static void
bend_cas(uint64_t v, uint64_t *expectedp, uint64_t *newp)
{
	if (mutant == UNLOCK_IGNORES_C && self()->g_doing == UNLOCK &&
	    (v & ~MTX_CONTESTED) == *expectedp)
		*expectedp = v;
	if (mutant == WOKEN_DROPS_C && v == 0)
		*newp &= ~MTX_CONTESTED;
}

static uint64_t
bend_store(uint64_t v)
{
	if (mutant == HAND_DROPS_C)
		return (v & ~MTX_CONTESTED);
	return (mutant == HAND_FREES ? 0 : v);
}

static const char *
change(uint64_t from, uint64_t to)
{
	bool flags_only = owner(from) == owner(to);

	if (flags_only && ((from ^ to) & MTX_CONTESTED) != 0 &&
	    !cwl_has_chain())
		return ("C changes without the chain lock");
	if (!flags_only && from != 0 && owner(from) != curthread())
		return ("1: the word is freed by another");
	if (!flags_only && (from & MTX_CONTESTED) != 0 && !cwl_has_chain())
		return ("1: a contested word is freed without the chain lock");
	return (NULL);
}

static const char *
walk(const char *text, bool portable, const int *pris, size_t *np)
{
	static const struct cwp_walk cwp = {
		.cwp_lock = &m,
		.cwp_lock_size = sizeof(m),
		.cwp_word = &m.mtx_lock,
		.cwp_ghosts = ghosts,
		.cwp_ghosts_size = sizeof(ghosts),
		.cwp_body = body,
		.cwp_complaint = complaint,
		.cwp_end = end,
	};

	mtx_init(&m, "test", MTX_RECURSE);
	cwl_bends = (struct cwl_bends){
		.cb_load = bend_load,
		.cb_cas = bend_cas,
		.cb_store = bend_store,
		.cb_cas_is_two_steps = mutant == CAS_IS_TWO_STEPS,
		.cb_wakes_nobody = mutant == WAKES_NOBODY,
		.cb_returns_no_loan = mutant == LOAN_IS_KEPT,
		.cb_no_barrier = mutant == NO_BARRIER,
	};
	cwl_asym = !portable;
	cwl_hands = hands;
	cwl_change = change;
	return (cwp_walk(&cwp, text, pris, np));
}

static void
protocol_holds_in_every_interleaving(void **state)
{
	static const char *const texts[] = { "LLL LLL", "CC CC", "tL Lt",
		"L L L", "C L L", "t L C", "LL L L" };
	const char *wrong;
	unsigned form;
	size_t n;

	(void)state;
	mutant = CORRECT;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (unsigned how = 0; how < 2 * CWP_NPRIS; how++) {
			form = how % 2 == 0 ? PORTABLE : SECTION;
			wrong = walk(
			    texts[i], form == PORTABLE, cwp_pris[how / 2], &n);
			print_message("%s, %s release, priorities %u: "
				      "%zu states\n",
			    texts[i], mutant_form(form), how / 2, n);
			if (wrong != NULL)
				fail_msg("%s", wrong);
			assert_true(n > 50);
		}
	}
}

static const char *
walk_mutant(unsigned id, unsigned form)
{
	static const char *const texts[] = { "L L", "C L", "L L L", "C L L",
		"LL LL", "LL L L" };
	const char *wrong = NULL;
	size_t n;

	mutant = (enum mutant)id;
	for (size_t i = 0;
	     wrong == NULL && i < CWP_NPRIS * sizeof(texts) / sizeof(texts[0]);
	     i++)
		wrong = walk(texts[i / CWP_NPRIS], form == PORTABLE,
		    cwp_pris[i % CWP_NPRIS], &n);
	return (wrong);
}

static void
every_mutant_is_caught(void **state)
{
	(void)state;
	mutants_are_caught(mutants, NMUTANTS - 1, walk_mutant);
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
