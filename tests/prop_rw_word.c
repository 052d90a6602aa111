/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The reader/writer word and its turnstile, walked over every interleaving of two
 * and of three threads: rw_word.c, rwlock.c, sx.c and turnstile.c themselves, see
 * code_walk.h.
 *
 * A thread runs a program, a letter an operation:
 *
 *	R	read			N	read, and read again
 *	W	write			D	write, downgrade
 *	U	read, upgrade if it can	r, w	try to read, to write
 *
 * Whatever changes the word is held against the table in rw_word.c.  In each state
 * writers exclude; what rw_word.c numbers 1 to 3 holds, and who waits for a writer
 * has lent to it.  Each walk ends: the word is bare, nobody is asleep, nothing is
 * lent.  That a writer is not kept waiting by readers for ever is in three parts:
 * where a writer is on the queue WW is set (1); while WW or S is set no thread
 * enters as a reader but one that reads already; and a release that finds both
 * takes a writer.  What FreeBSD allows is allowed: other writers may barge past it,
 * and readers past one that was woken.
 *
 * The walk is tested: each mutant below changes what one of the operations does to
 * the word, or what the walk's own waiting does, and must be caught.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lock/rwlock.h"
#include "lock/sx.h"
#include "rw_word_walk.h"

struct ghost rww_ghosts[CW_THREADS_MAX];
static bool is_sx;
static union {
	struct rwlock rw;
	struct sx sx;
} lock;

static void
unlock(void)
{
	bool writes = rww_self()->g_writes > 0;

	/* A state in which it holds the lock, and does nothing else. */
	cw_yield();
	rww_self()->g_writes = 0;
	if (!writes)
		rww_self()->g_reads--;
	rww_self()->g_doing = writes ? WUNLOCK : RUNLOCK;
	if (is_sx)
		sx_unlock(&lock.sx);
	else if (writes)
		rw_wunlock(&lock.rw);
	else
		rw_runlock(&lock.rw);
	rww_self()->g_doing = NOTHING;
}

static bool
read_lock(bool try)
{
	bool had = true;

	rww_self()->g_doing = RLOCK;
	if (try)
		had = is_sx ? sx_try_slock(&lock.sx) : rw_try_rlock(&lock.rw);
	else if (is_sx)
		sx_slock(&lock.sx);
	else
		rw_rlock(&lock.rw);
	rww_self()->g_doing = NOTHING;
	rww_self()->g_reads += had;
	return (had);
}

static bool
write_lock(bool try)
{
	bool had = true;

	rww_self()->g_doing = WLOCK;
	if (try)
		had = is_sx ? sx_try_xlock(&lock.sx) : rw_try_wlock(&lock.rw);
	else if (is_sx)
		sx_xlock(&lock.sx);
	else
		rw_wlock(&lock.rw);
	rww_self()->g_doing = NOTHING;
	rww_self()->g_writes += had;
	return (had);
}

static void
upgrade(void)
{
	rww_self()->g_doing = UPGRADE;
	if (is_sx ? sx_try_upgrade(&lock.sx) : rw_try_upgrade(&lock.rw)) {
		rww_self()->g_reads--;
		rww_self()->g_writes++;
	}
	rww_self()->g_doing = NOTHING;
}

static void
downgrade(void)
{
	cw_yield();
	rww_self()->g_writes--;
	rww_self()->g_doing = DOWNGRADE;
	if (is_sx)
		sx_downgrade(&lock.sx);
	else
		rw_downgrade(&lock.rw);
	rww_self()->g_doing = NOTHING;
	rww_self()->g_reads++;
}

static void
body(unsigned t)
{
	for (const char *p = cwp_programs[t]; *p != '\0'; p++) {
		switch (*p) {
		case 'R':
		case 'N':
		case 'U':
			(void)read_lock(false);
			if (*p == 'N') {
				(void)read_lock(false);
				unlock();
			} else if (*p == 'U') {
				upgrade();
			}
			unlock();
			break;
		case 'W':
		case 'D':
			(void)write_lock(false);
			if (*p == 'D')
				downgrade();
			unlock();
			break;
		case 'r':
			if (read_lock(true))
				unlock();
			break;
		case 'w':
			if (write_lock(true))
				unlock();
			break;
		default:
			cw_fail("no such operation");
		}
	}
}

/* What rw_word.c says of the bits of a change by curthread(). */
static const char *
bits_complaint(uint64_t from, uint64_t to)
{
	bool s_was = (from & RW_LOCK_WRITE_SPINNER) != 0;
	bool s_is = (to & RW_LOCK_WRITE_SPINNER) != 0;

	if (((from ^ to) & RW_LOCK_WAITERS) != 0 && !cwl_has_chain())
		return ("1: a bit changes without the chain lock");
	if (s_is && (to & RW_LOCK_WRITE) != 0)
		return ("2: a spinner's bit while a writer owns the word");
	if (s_is && !s_was && rw_readers(from) == 0)
		return ("2: a spinner's bit where nobody reads");
	if (s_was && !s_is && rww_self()->g_doing != WLOCK &&
	    rww_self()->g_doing != UPGRADE)
		return ("3: a spinner's bit is taken away");
	return (NULL);
}

/* Does a release, or a downgrade, prefer the writers? */
static const char *
preference_complaint(void)
{
	if (cwl_has_chain() && !cwl_was_empty(TS_EXCLUSIVE_QUEUE) &&
	    !cwl_was_empty(TS_SHARED_QUEUE) && cwl_empty(TS_SHARED_QUEUE))
		return ("readers go before a writer that waits");
	return (NULL);
}

static const char *
change(uint64_t from, uint64_t to)
{
	const char *text = bits_complaint(from, to);
	unsigned doing = rww_self()->g_doing;

	if (text != NULL)
		return (text);
	if ((to & RW_LOCK_WRITE) != 0 && (from & RW_LOCK_WRITE) == 0) {
		if (rw_word_owner(to) != curthread())
			return ("a writer is not in the word");
		if (rw_readers(from) != (doing == UPGRADE ? 1 : 0))
			return ("a writer enters past readers");
	} else if ((to & RW_LOCK_WRITE) == 0 && (from & RW_LOCK_WRITE) != 0) {
		if (rw_word_owner(from) != curthread() ||
		    rw_readers(to) != (doing == DOWNGRADE ? 1 : 0))
			return ("a writer leaves as it should not");
		return (preference_complaint());
	} else if ((to & RW_LOCK_WRITE) != 0) {
		if (((from ^ to) & ~RW_LOCK_WAITERS) != 0)
			return ("a word changes under its writer");
	} else if (rw_readers(to) > rw_readers(from)) {
		if (rw_readers(to) != rw_readers(from) + 1 || doing != RLOCK)
			return ("a reader enters more than once");
		if (!rw_may_read(from) && rww_self()->g_reads == 0)
			return ("a reader enters past a writer that waits");
	} else if (rw_readers(to) < rw_readers(from)) {
		if (rw_readers(to) + 1 != rw_readers(from) || doing != RUNLOCK)
			return ("a reader leaves more than once");
		return (preference_complaint());
	}
	return (NULL);
}

/* Is there a spinner that has neither acquired nor blocked? */
static bool
somebody_spins(void)
{
	for (unsigned t = 0; t < cwp_nthreads; t++) {
		if (rww_ghosts[t].g_doing == WLOCK &&
		    cwl_td[t].td_turnstile != NULL)
			return (true);
	}
	return (false);
}

static const char *
complaint(void)
{
	unsigned readers = 0, writers = 0;
	uint64_t v = cwl_word();

	for (unsigned t = 0; t < cwp_nthreads; t++) {
		if (rww_ghosts[t].g_doing != UPGRADE)
			readers += rww_ghosts[t].g_reads;
		writers += rww_ghosts[t].g_writes;
		if (rww_ghosts[t].g_writes > 0 &&
		    rw_word_owner(v) != &cwl_td[t])
			return ("a writer is not in the word");
	}
	if (writers > 1 || (writers > 0 && readers > 0))
		return ("a writer does not exclude");
	if (rw_readers(v) < readers)
		return ("a reader is not in the word");
	if ((v & RW_LOCK_WRITE_SPINNER) != 0 && !somebody_spins())
		return ("3: a spinner's bit, and nobody spins");
	if (!cwl_chain_free())
		return (NULL);
	if (!cwl_empty(TS_EXCLUSIVE_QUEUE) && (v & RW_LOCK_WRITE_WAITERS) == 0)
		return ("1: a writer on the queue without its bit");
	if (!cwl_empty(TS_SHARED_QUEUE) && (v & RW_LOCK_READ_WAITERS) == 0)
		return ("1: a reader on the queue without its bit");
	return (is_sx ? NULL
		      : cwl_loans_complaint(rw_word_owner(v),
			    (v & RW_LOCK_WAITERS) != 0, writers > 0));
}

static const char *
end(void)
{
	if (cwl_word() != 0)
		return ("the word is not bare in the end");
	for (unsigned t = 0; t < cwp_nthreads; t++) {
		if (cwl_td[t].td_rw_rlocks != 0 || cwl_td[t].td_sx_slocks != 0)
			return ("a thread counts holds that it does not have");
	}
	return (cwl_threads_complaint());
}

/* A writer sets S between its looks at readers. */
static unsigned
looks(uint64_t v)
{
	return (rww_self()->g_doing == WLOCK && rw_readers(v) > 0 ? 2 : 0);
}

static const char *
walk(const char *text, bool sx, const int *pris, size_t *np)
{
	const struct cwp_walk cwp = {
		.cwp_lock = &lock,
		.cwp_lock_size = sizeof(lock),
		.cwp_word = sx ? &lock.sx.sx_lock : &lock.rw.rw_lock,
		.cwp_ghosts = rww_ghosts,
		.cwp_ghosts_size = sizeof(rww_ghosts),
		.cwp_body = body,
		.cwp_complaint = complaint,
		.cwp_end = end,
	};

	memset(&lock, 0, sizeof(lock));
	is_sx = sx;
	if (sx)
		sx_init(&lock.sx, "test", 0);
	else
		rw_init(&lock.rw, "test", 0);
	rww_bend();
	cwl_looks = looks;
	cwl_change = change;
	return (cwp_walk(&cwp, text, pris, np));
}

static void
must_hold(const char *text, bool sx)
{
	const char *wrong;
	size_t n, total = 0;

	rww_mutant = CORRECT;
	/* An sx lends nothing: priorities make no difference. */
	for (unsigned i = 0; i < (sx ? 1 : CWP_NPRIS); i++) {
		wrong = walk(text, sx, cwp_pris[i], &n);
		if (wrong != NULL)
			fail_msg("%s, %s, priorities %u: %s", sx ? "sx" : "rw",
			    text, i, wrong);
		total += n;
	}
	assert_true(total > 20);
	print_message("%s, %s: %zu states\n", sx ? "sx" : "rw", text, total);
}

static void
two_threads_with_each_pair_of_operations(void **state)
{
	static const char ops[] = "RNWDUrw";
	char text[] = "? ?";

	(void)state;
	for (const char *p = ops; *p != '\0'; p++) {
		for (const char *q = p; *q != '\0'; q++) {
			text[0] = *p;
			text[2] = *q;
			must_hold(text, false);
			must_hold(text, true);
			/* The other one is the more urgent. */
			text[0] = *q;
			text[2] = *p;
			if (p != q)
				must_hold(text, false);
		}
	}
}

static void
two_threads_with_longer_programs(void **state)
{
	static const char *const texts[] = { "RW WR", "WRW RWR", "UDR WND",
		"DU DU", "NWU RDw", "rwW UrD", "WWW WWW", "RUR URU" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		must_hold(texts[i], false);
		must_hold(texts[i], true);
	}
}

static void
three_threads(void **state)
{
	static const char *const texts[] = { "R R R", "R R W", "W R R", "R W W",
		"W W W", "R R U", "R U U", "U U U", "R R D", "D R R", "R W D",
		"W D U", "U W R", "N R W", "W W D", "D D D", "U U W", "r W W",
		"w R W", "w U D" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		must_hold(texts[i], false);
	must_hold("R R W", true);
	must_hold("R W W", true);
	must_hold("W D U", true);
}

static const char *
walk_mutant(unsigned id, unsigned form)
{
	static const char *const texts[] = { "W W", "R W", "W R", "N W", "U W",
		"U U", "D W", "D R", "R W W", "R R W", "D R W", "U R W",
		"W W W", "U W W", "R W D" };
	const char *wrong = NULL;
	size_t n;

	(void)form;
	rww_mutant = (enum mutant)id;
	for (size_t i = 0;
	     wrong == NULL && i < CWP_NPRIS * sizeof(texts) / sizeof(texts[0]);
	     i++)
		wrong = walk(
		    texts[i / CWP_NPRIS], false, cwp_pris[i % CWP_NPRIS], &n);
	return (wrong);
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
		cmocka_unit_test(two_threads_with_each_pair_of_operations),
		cmocka_unit_test(two_threads_with_longer_programs),
		cmocka_unit_test(three_threads),
		cmocka_unit_test(every_mutant_is_caught),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
