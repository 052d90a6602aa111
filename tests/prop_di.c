/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A model of lockless delayed invalidation, walked over every interleaving of
 * NTHREADS threads.  Each goes once or twice through a block, in which it removes
 * a mapping of the one page there is, and then sees the page without mappings and
 * waits.
 *
 * One step of the model is one access to shared memory in
 * src/pmap/pmap_di_lockless.c, or what is done under one hold of the pv list
 * lock; the name of each program counter says which.
 *
 * In each state: generations strictly rise along the list, from the head's; the
 * head has not reached the generation of a block that is not finished.  The head's
 * generation never falls.  When a wait returns, every block that had removed a
 * mapping before the page was looked at has told the TLBs.  In the end the list
 * is empty and the head has reached the region's generation.  A state with
 * threads left and no step to take is a lost wake-up.
 *
 * The walk itself is tested: each mutant breaks one line and must be caught.  A
 * walk that follows what is marked is none of them: it goes astray more often, but
 * the swap finds that out.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "di_model.h"
#include "model_walk.h"

static enum mutant mutant;

static bool
start_step(struct model *m, struct model_thread *mt, uint8_t me)
{
	struct element *p = &m->m_el[mt->mt_p];
	uint8_t next = p->e_next;

	switch (mt->mt_pc) {
	case START_WALK:
		if ((next & FREED) != 0) {
			mt->mt_p = HEAD;
		} else if (next == NIL) {
			mt->mt_pc = START_GEN;
		} else {
			mt->mt_p = next;
		}
		return (true);
	case START_GEN:
		mt->mt_gen = p->e_gen;
		mt->mt_pc = START_SET;
		return (true);
	case START_SET:
		m->m_el[me].e_gen =
		    (uint8_t)(mt->mt_gen + (mutant == SAME_GEN ? 0 : 1));
		mt->mt_pc = mutant == NEXT_EARLY ? START_OFF0 : START_CAS;
		return (true);
	case START_OFF0:
		m->m_el[me].e_next = NIL;
		mt->mt_pc = START_CAS;
		return (true);
	case START_CAS:
		if (next == NIL &&
		    (p->e_gen == mt->mt_gen || mutant == START_SWAPS_ONE)) {
			p->e_gen = mt->mt_gen;
			p->e_next = me;
			mt->mt_pc = mutant == NEXT_EARLY ? MARK_GEN : START_OFF;
		} else {
			mt->mt_p = HEAD;
			mt->mt_pc = START_WALK;
		}
		return (true);
	default: /* START_OFF */
		m->m_el[me].e_next = NIL;
		mt->mt_pc = MARK_GEN;
		return (true);
	}
}

static void
mark(struct model *m, struct model_thread *mt)
{
	if (mutant == REMOVE_UNMARKED)
		return;
	if (m->m_region < mt->mt_gen)
		m->m_region = mt->mt_gen;
	mt->mt_marked = mt->mt_gen;
}

static void
flush(struct model *m, unsigned t)
{
	m->m_stale &= (uint8_t) ~(1u << t);
	for (unsigned i = 0; i < NTHREADS; i++)
		m->m_thread[i].mt_owed &= (uint8_t) ~(1u << t);
}

static bool
block_step(struct model *m, struct model_thread *mt, unsigned t)
{
	switch (mt->mt_pc) {
	case MARK_GEN:
		mt->mt_gen = m->m_el[t + 1].e_gen;
		mt->mt_pc = UNLINK;
		return (true);
	case UNLINK:
		m->m_stale |= (uint8_t)(1u << t);
		if (mutant == MARK_LATE) {
			mt->mt_pc = MARK;
			return (true);
		}
		mark(m, mt);
		mt->mt_pc = FLUSH;
		return (true);
	case MARK:
		mark(m, mt);
		mt->mt_pc = FLUSH;
		return (true);
	default: /* FLUSH */
		if (mutant != FLUSH_LATE)
			flush(m, t);
		mt->mt_p = HEAD;
		mt->mt_pc = FIN_WALK;
		return (true);
	}
}

static enum pc
after_finish(void)
{
	return (mutant == FLUSH_LATE   ? FLUSH_NOW
		: mutant == WAIT_EARLY ? OBSERVE0
				       : OBSERVE);
}

/* Unlink; what follows depends on who was before it. */
static void
finish_cas(struct model *m, struct model_thread *mt, uint8_t me)
{
	struct element *p = &m->m_el[mt->mt_p];

	if (p->e_gen != mt->mt_pgen || p->e_next != me) {
		mt->mt_pc = FIN_UNDO;
		return;
	}
	if (mutant != KEEPS_GEN)
		p->e_gen = mt->mt_gen;
	if (p->e_gen < mt->mt_pgen)
		m->m_wrong = 1;
	p->e_next = mt->mt_next;
	mt->mt_marked = 0;
	mt->mt_pc = FIN_FREE;
}

static bool
finish_step(struct model *m, struct model_thread *mt, unsigned t)
{
	uint8_t me = (uint8_t)(t + 1), next;

	switch (mt->mt_pc) {
	case FIN_WALK:
		next = m->m_el[mt->mt_p].e_next;
		if (next == me)
			mt->mt_pc =
			    mutant == GEN_BEFORE_MARK ? FIN_GEN0 : FIN_MARK;
		else if (next == NIL || (next & FREED) != 0)
			mt->mt_p = HEAD;
		else
			mt->mt_p = next;
		return (true);
	case FIN_GEN0:
		mt->mt_gen = m->m_el[me].e_gen;
		mt->mt_pc = FIN_MARK;
		return (true);
	case FIN_MARK:
		mt->mt_next = m->m_el[me].e_next;
		if (mutant != FINISH_UNMARKED)
			m->m_el[me].e_next |= FREED;
		mt->mt_pc = mutant == GEN_BEFORE_MARK ? FIN_PGEN : FIN_GEN;
		return (true);
	case FIN_GEN:
		mt->mt_gen = m->m_el[me].e_gen;
		mt->mt_pc = FIN_PGEN;
		return (true);
	case FIN_PGEN:
		mt->mt_pgen = m->m_el[mt->mt_p].e_gen;
		mt->mt_pc = mutant == WAKE_EARLY ? FIN_LOOK0 : FIN_CAS;
		return (true);
	case FIN_LOOK0:
		mt->mt_target = m->m_waiters;
		mt->mt_pc = FIN_CAS;
		return (true);
	case FIN_CAS:
		finish_cas(m, mt, me);
		return (true);
	case FIN_UNDO:
		m->m_el[me].e_next = mt->mt_next;
		mt->mt_p = HEAD;
		mt->mt_pc = FIN_WALK;
		return (true);
	case FIN_FREE:
		m->m_el[me].e_next = mutant == LEAVES_NULL ? NIL : FREED;
		mt->mt_pc = (uint8_t)after_finish();
		if ((mt->mt_p == HEAD) == (mutant != WAKE_NEVER))
			mt->mt_pc = FIN_LOOK;
		return (true);
	case FIN_LOOK:
		next = mutant == WAKE_EARLY ? mt->mt_target : m->m_waiters;
		mt->mt_pc = next != 0 ? FIN_CHAIN : (uint8_t)after_finish();
		return (true);
	default: /* FIN_CHAIN */
		if (m->m_chain != 0)
			return (false);
		for (unsigned i = 0; i < NTHREADS; i++)
			m->m_thread[i].mt_asleep = 0;
		mt->mt_pc = (uint8_t)after_finish();
		return (true);
	}
}

static bool
reached(const struct model *m, const struct model_thread *mt)
{
	uint8_t head = m->m_el[HEAD].e_gen;

	if (mutant == WAIT_SHORT)
		head++;
	if (mutant == WAIT_LONG)
		head--;
	return (head >= mt->mt_target);
}

static void
waited(struct model *m, struct model_thread *mt, unsigned t)
{
	if (mt->mt_owed != 0)
		m->m_wrong = 2;
	mt->mt_target = 0;
	mt->mt_gen = mt->mt_pgen = mt->mt_next = 0;
	mt->mt_p = HEAD;
	mt->mt_pc =
	    ++mt->mt_round < NROUNDS && t < NTHREADS - 1 ? START_WALK : DONE;
}

static bool
wait_step(struct model *m, struct model_thread *mt, unsigned t)
{
	switch (mt->mt_pc) {
	case FLUSH_NOW:
		flush(m, t);
		mt->mt_pc = OBSERVE;
		return (true);
	case OBSERVE0:
		mt->mt_target = m->m_region;
		mt->mt_pc = OBSERVE;
		return (true);
	case OBSERVE:
		mt->mt_owed = m->m_stale;
		if (mutant != WAIT_EARLY)
			mt->mt_target = m->m_region;
		mt->mt_pc = WAIT_LOOK;
		return (true);
	case WAIT_LOOK:
		if (reached(m, mt))
			waited(m, mt, t);
		else
			mt->mt_pc =
			    mutant == COUNT_LATE ? WAIT_CHAIN : WAIT_COUNT;
		return (true);
	case WAIT_COUNT:
		m->m_waiters++;
		mt->mt_pc =
		    mutant == LOOK_WITHOUT_CHAIN ? WAIT_LOOK0 : WAIT_CHAIN;
		return (true);
	case WAIT_LOOK0:
		mt->mt_pc = reached(m, mt) ? WAIT_UNCOUNT : WAIT_CHAIN;
		return (true);
	case WAIT_CHAIN:
		if (m->m_chain != 0)
			return (false);
		m->m_chain = (uint8_t)(t + 1);
		mt->mt_pc =
		    mutant == LOOK_WITHOUT_CHAIN || mutant == NO_SECOND_LOOK
		    ? WAIT_SLEEP
		    : WAIT_AGAIN;
		return (true);
	case WAIT_AGAIN:
		if (!reached(m, mt)) {
			mt->mt_pc =
			    mutant == COUNT_LATE ? WAIT_COUNT0 : WAIT_SLEEP;
		} else {
			m->m_chain = 0;
			mt->mt_pc =
			    mutant == COUNT_LATE ? WAIT_LOOK : WAIT_UNCOUNT;
		}
		return (true);
	case WAIT_COUNT0:
		m->m_waiters++;
		mt->mt_pc = WAIT_SLEEP;
		return (true);
	case WAIT_SLEEP:
		mt->mt_asleep = 1;
		m->m_chain = 0;
		mt->mt_pc = ASLEEP;
		return (true);
	case ASLEEP:
		if (mt->mt_asleep != 0)
			return (false);
		mt->mt_pc = WAIT_UNCOUNT;
		return (true);
	default: /* WAIT_UNCOUNT */
		m->m_waiters--;
		mt->mt_pc = WAIT_LOOK;
		return (true);
	}
}

static bool
step(void *state, unsigned t, unsigned choice)
{
	struct model *m = state;
	struct model_thread *mt = &m->m_thread[t];

	if (choice != 0 || mt->mt_pc == DONE)
		return (false);
	if (mt->mt_pc <= START_OFF)
		return (start_step(m, mt, (uint8_t)(t + 1)));
	if (mt->mt_pc <= FLUSH)
		return (block_step(m, mt, t));
	if (mt->mt_pc <= FIN_CHAIN)
		return (finish_step(m, mt, t));
	return (wait_step(m, mt, t));
}

static const char *
complaint(const void *state)
{
	const struct model *m = state;
	const struct element *e = &m->m_el[HEAD], *f;

	if (m->m_wrong == 1)
		return ("a generation fell");
	if (m->m_wrong == 2)
		return ("a wait returned before the TLBs were told");
	for (unsigned n = 0; (e->e_next & ~FREED) != NIL; n++, e = f) {
		if (n > NTHREADS)
			return ("the list is a circle");
		f = &m->m_el[e->e_next & ~FREED];
		if (f->e_gen <= e->e_gen)
			return ("generations do not rise along the list");
	}
	for (unsigned t = 0; t < NTHREADS; t++) {
		if (m->m_thread[t].mt_marked != 0 &&
		    m->m_thread[t].mt_marked <= m->m_el[HEAD].e_gen)
			return ("the head is at a block that is not finished");
	}
	return (NULL);
}

static bool
done(const void *state, const char **wrongp)
{
	const struct model *m = state;

	for (unsigned t = 0; t < NTHREADS; t++) {
		if (m->m_thread[t].mt_pc != DONE)
			return (false);
	}
	if (m->m_el[HEAD].e_next != NIL)
		*wrongp = "the list is not empty";
	else if (m->m_region > m->m_el[HEAD].e_gen)
		*wrongp = "the region is ahead of the head";
	else if (m->m_waiters != 0)
		*wrongp = "waiters are counted";
	return (true);
}

static const char *
walk(enum mutant mu, size_t *nstatesp)
{
	const struct model_walk mw = {
		.mw_size = sizeof(struct model),
		.mw_nthreads = NTHREADS,
		.mw_step = step,
		.mw_complaint = complaint,
		.mw_done = done,
	};
	struct model first;

	mutant = mu;
	memset(&first, 0, sizeof(first));
	first.m_el[HEAD].e_gen = 1;
	for (unsigned t = 0; t < NTHREADS; t++)
		first.m_el[t + 1].e_next = FREED;
	return (model_walk(&mw, &first, nstatesp));
}

static void
every_interleaving_keeps_the_promise(void **state)
{
	const char *wrong;
	size_t n;

	(void)state;
	wrong = walk(CORRECT, &n);
	print_message("%zu states\n", n);
	if (wrong != NULL)
		fail_msg("%s", wrong);
	assert_true(n > 100000);
}

static const char *
walk_mutant(unsigned id, unsigned form)
{
	size_t n;

	(void)form;
	return (walk((enum mutant)id, &n));
}

static void
every_mutant_is_caught(void **state)
{
	static const struct mutant_row rows[] = { MUTANTS(MUTANT_PLAIN_ROW) };

	(void)state;
	mutants_are_caught(rows, NMUTANTS - 1, walk_mutant);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_interleaving_keeps_the_promise),
		cmocka_unit_test(every_mutant_is_caught),
	};

	return (cmocka_run_group_tests_name("di", tests, NULL, NULL) != 0);
}
