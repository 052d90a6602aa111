/* SPDX-License-Identifier: BSD-2-Clause */

#include "lock_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

unsigned mutant;
bool portable;

static const struct lock_model *model;

bool
lm_queued(const struct state *s, unsigned t)
{
	for (unsigned i = 0; i < s->s_n; i++) {
		if (s->s_q[i] == t)
			return (true);
	}
	return (false);
}

/* At the end; at the front, if it was on the queue before. */
static void
enqueue(struct state *s, unsigned t)
{
	bool again = s->s_td[t].mt_again != 0;

	if (again)
		memmove(s->s_q + 1, s->s_q, s->s_n);
	s->s_q[again ? 0 : s->s_n] = (uint8_t)t;
	s->s_n++;
}

static void
dequeue(struct state *s, unsigned t)
{
	unsigned i = 0;

	while (s->s_q[i] != t)
		i++;
	s->s_n--;
	memmove(s->s_q + i, s->s_q + i + 1, s->s_n - i);
	s->s_q[s->s_n] = 0;
	s->s_td[t].mt_told = s->s_n > 0 && mutant != NOT_TOLD_OF_REST;
}

bool
lm_take_chain(struct state *s, unsigned t)
{
	if (s->s_chain != 0)
		return (false);
	s->s_chain = (uint8_t)(t + 1);
	return (true);
}

void
lm_drop_chain(struct state *s, unsigned t)
{
	if (s->s_chain == t + 1)
		s->s_chain = 0;
}

void
lm_enter(struct model_thread *mt)
{
	mt->mt_pc = INSIDE;
	mt->mt_v = 0;
	mt->mt_again = 0;
	mt->mt_bits = 0;
}

void
lm_next_round(struct model_thread *mt)
{
	uint8_t round = mt->mt_round + 1;

	memset(mt, 0, sizeof(*mt));
	mt->mt_round = round;
	mt->mt_pc = round == NROUNDS ? DONE : LOCK_FIRST;
}

void
lm_signal(struct state *s, unsigned t, bool lenders)
{
	struct model_thread *mt = &s->s_td[t], *other;

	for (unsigned i = 0; i < s->s_n; i++) {
		other = &s->s_td[s->s_q[i]];
		if (other->mt_lent != t + 1)
			continue;
		other->mt_lent = 0;
		if (mutant == LOAN_IS_KEPT ||
		    (mutant == RETURNS_ONE_LOAN && i > 0))
			continue;
		mt->mt_returns |= (uint8_t)(1u << s->s_q[i]);
	}
	if (s->s_n == 0 || mutant == RELEASE_TAKES_NOBODY ||
	    (s->s_td[s->s_q[0]].mt_lent != 0 && !lenders))
		return;
	mt->mt_woke = (uint8_t)(s->s_q[0] + 1);
	dequeue(s, s->s_q[0]);
}

void
lm_unlock_wake(struct state *s, unsigned t)
{
	struct model_thread *mt = &s->s_td[t];

	lm_drop_chain(s, t);
	mt->mt_pc = mt->mt_woke != 0 ? WAKE_RUN : WAKE_RETURN;
	if (mt->mt_woke == 0 && mt->mt_returns == 0)
		lm_next_round(mt);
}

/* turnstile_wait() has returned. */
static void
woken(struct model_thread *mt)
{
	bool handed = mt->mt_handed != 0 && mutant != HAND_IN_SECRET;

	mt->mt_off = 0;
	mt->mt_back = 0;
	mt->mt_exact = 0;
	mt->mt_again = 1;
	mt->mt_bits = mt->mt_told != 0 ? model->lm_mark : 0;
	mt->mt_told = 0;
	mt->mt_pc = HARD_LOAD;
	if (handed) {
		mt->mt_handed = 0;
		lm_enter(mt);
	}
}

/* On the queue, with the chain locked: lend, if it is the first. */
static void
consider(struct state *s, unsigned t)
{
	s->s_td[t].mt_pc = s->s_q[0] == t ? LEND : BLOCK_UNLOCK;
}

/* Not to block after all. */
static void
back_off(struct state *s, unsigned t)
{
	lm_drop_chain(s, t);
	s->s_td[t].mt_pc = HARD_LOAD;
}

static bool
step_mark(struct state *s, unsigned t)
{
	struct model_thread *mt = &s->s_td[t];
	bool owned = (s->s_word & model->lm_owned) != 0;
	bool marked = (s->s_word & model->lm_mark) != 0;
	uint8_t v = mt->mt_v;

	mt->mt_v = 0;
	switch (mt->mt_pc) {
	case HARD_LOAD:
		if (!owned) {
			mt->mt_v = s->s_word;
			mt->mt_pc = HARD_FREE;
		} else {
			mt->mt_pc = mutant == BLOCK_WITHOUT_CHAIN ? BLOCK_LOAD
								  : BLOCK_CHAIN;
		}
		return (true);
	case BLOCK_CHAIN:
		if (!lm_take_chain(s, t))
			return (false);
		mt->mt_pc = BLOCK_LOAD;
		return (true);
	case BLOCK_LOAD:
		if (!owned && mutant != BLOCK_IGNORES_FREE) {
			back_off(s, t);
		} else if (!owned || marked || mutant == BLOCK_SETS_NO_MARK) {
			mt->mt_pc = BLOCK_QUEUE;
		} else {
			mt->mt_v = s->s_word;
			mt->mt_pc = BLOCK_CAS;
		}
		return (true);
	case BLOCK_CAS:
		if (s->s_word == v) {
			s->s_word |= model->lm_mark;
			mt->mt_pc = portable || mutant == NO_BARRIER
			    ? BLOCK_QUEUE
			    : BLOCK_FENCE;
		} else {
			back_off(s, t);
		}
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
		if (owned && marked)
			mt->mt_pc = BLOCK_QUEUE;
		else
			back_off(s, t);
		return (true);
	case BLOCK_QUEUE:
		enqueue(s, t);
		mt->mt_told = 0;
		mt->mt_bits = 0;
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

	switch (mt->mt_pc) {
	case BLOCK_UNLOCK:
		lm_drop_chain(s, t);
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
		if (!lm_take_chain(s, t))
			return (false);
		mt->mt_exact = 0;
		if (lm_queued(s, t)) {
			consider(s, t);
		} else {
			lm_drop_chain(s, t);
			mt->mt_pc = ASLEEP;
		}
		return (true);
	case LEAVE_CHAIN:
		if (!lm_take_chain(s, t))
			return (false);
		if (mt->mt_lent != 0) {
			mt->mt_lent = 0;
			s->s_broken |= !lm_queued(s, t);
			if (lm_queued(s, t))
				dequeue(s, t);
			woken(mt);
		} else {
			mt->mt_exact = 1;
			mt->mt_pc = LENDING;
		}
		lm_drop_chain(s, t);
		return (true);
	case WAKE_RUN:
		s->s_td[mt->mt_woke - 1].mt_off = 1;
		mt->mt_pc = WAKE_RETURN;
		if (mt->mt_returns == 0)
			lm_next_round(mt);
		return (true);
	case WAKE_RETURN:
		for (unsigned i = 0; i < NTHREADS; i++) {
			if ((mt->mt_returns & (1u << i)) != 0)
				s->s_td[i].mt_back = 1;
		}
		lm_next_round(mt);
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

	if (pc < HARD_LOAD || pc >= LM_OWN)
		return (model->lm_step(s, t, choice));
	if (choice > 0 && pc != LENDING)
		return (false);
	if (pc <= BLOCK_QUEUE)
		return (step_mark(s, t));
	return (step_sleep(s, t, choice));
}

static const char *
complaint(const void *state)
{
	return (model->lm_complaint(state));
}

static bool
all_done(const void *state, const char **wrongp)
{
	const struct state *s = state;

	for (unsigned t = 0; t < NTHREADS; t++) {
		if (s->s_td[t].mt_pc != DONE)
			return (false);
	}
	if ((s->s_word & (model->lm_owned | model->lm_mark)) != 0)
		*wrongp = "the word is not bare in the end";
	return (true);
}

static const char *
walk(unsigned id, unsigned form)
{
	static const struct state first;
	static const struct model_walk mw = {
		.mw_size = sizeof(struct state),
		.mw_nthreads = NTHREADS,
		.mw_step = step,
		.mw_complaint = complaint,
		.mw_done = all_done,
	};
	const char *wrong;
	size_t n;

	mutant = id;
	portable = form == PORTABLE;
	wrong = model_walk(&mw, &first, &n);
	if (mutant == CORRECT) {
		print_message("%s release: %zu states\n", mutant_form(form), n);
		assert_true(wrong != NULL || n > 1000);
	}
	return (wrong);
}

static void
protocol_holds_in_every_interleaving(void **state)
{
	const char *wrong;

	(void)state;
	for (unsigned form = PORTABLE; form <= SECTION; form <<= 1) {
		wrong = walk(CORRECT, form);
		if (wrong != NULL)
			fail_msg("%s", wrong);
	}
}

static void
every_shared_mutant_is_caught(void **state)
{
	static const struct mutant_row rows[] = { LM_MUTANTS(MUTANT_ROW) };

	(void)state;
	mutants_are_caught(rows, LM_NMUTANTS - 1, walk);
}

static void
every_mutant_of_the_lock_is_caught(void **state)
{
	(void)state;
	mutants_are_caught(model->lm_mutants, model->lm_nmutants, walk);
}

int
lock_model_main(const struct lock_model *lm)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protocol_holds_in_every_interleaving),
		cmocka_unit_test(every_shared_mutant_is_caught),
		cmocka_unit_test(every_mutant_of_the_lock_is_caught),
	};

	model = lm;
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
