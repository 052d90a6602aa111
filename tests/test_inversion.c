/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Priority inversion on the host, with its real-time priorities.  All on one CPU:
 * low holds a lock, mid runs on and on, high wants the lock.  Low can let it go
 * only if it runs, and it runs only if it is lent the priority of high.  With more
 * links a thread holds one lock and waits for the one below.
 *
 * Nothing is timed.  Mid does a fixed amount of work, and the question is whether
 * high has the lock before that is done.  A lock that lends nothing must fail the
 * same test, or the test shows nothing.
 *
 * Needs the right to have a real-time priority, and two CPUs, one of them for the
 * main thread; and no sanitizer.  Elsewhere it is skipped and says why.
 */

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flag.h"
#include "kern/sanitizer.h"
#include "lock_util.h"
#include "pmapsim/pv_lock.h"
#include "sim/loan.h"

#define LINKS_MAX 3
/* Some tenths of a second, below what the host lets real-time threads have. */
#define MID_WORK UINT64_C(100000000)

#define TRIES 10

static size_t test_cpu; /* where the threads run */

struct inversion {
	_Alignas(64) char in_word[LINKS_MAX][PV_LOCK_WORD_MAX];
	const struct pv_lock_ops *in_ops[LINKS_MAX];
	unsigned in_links;
	struct thread *_Atomic in_high;
	_Atomic unsigned in_ready; /* links that are held */
	_Atomic bool in_mid_runs;  /* low has lost its CPU */
	_Atomic bool in_mid_done;  /* the work is done */
	_Atomic bool in_high_done; /* high had the lock */
	_Atomic bool in_refused;   /* no real-time priority */
	bool in_inverted;          /* mid was done first */
	struct lt_thread in_lth[LINKS_MAX + 2];
};

static bool
become_urgent(struct inversion *in, int priority)
{
	struct sched_param sp = { .sched_priority = priority };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(test_cpu, &set);
	/* In this order: at the old priority it might never run there. */
	if (sched_setscheduler(0, SCHED_FIFO, &sp) == 0 &&
	    sched_setaffinity(0, sizeof(set), &set) == 0)
		return (true);
	flag_set(&in->in_refused);
	return (false);
}

static void
take(struct inversion *in, unsigned link)
{
	in->in_ops[link]->plo_lock(in->in_word[link]);
}

static void
drop(struct inversion *in, unsigned link)
{
	in->in_ops[link]->plo_unlock(in->in_word[link], false);
}

/* Holds the lowest link until high waits: while mid runs, it must be lent to. */
static void
low(void *arg, unsigned i)
{
	struct inversion *in = arg;
	struct thread *high;

	(void)i;
	if (!become_urgent(in, 1))
		return;
	take(in, 0);
	/* Release: pairs with await_ready(). */
	atomic_fetch_add_explicit(&in->in_ready, 1, memory_order_release);
	do {
		/* Acquire: pairs with high(). */
		high = atomic_load_explicit(&in->in_high, memory_order_acquire);
		/* Relaxed: only whether it waits. */
	} while (!flag_get(&in->in_mid_done) &&
	    (high == NULL ||
		atomic_load_explicit(
		    &high->td_blocked_on, memory_order_relaxed) == NULL));
	drop(in, 0);
}

static void
middle_link(void *arg, unsigned i)
{
	struct inversion *in = arg;

	if (!become_urgent(in, 1 + (int)i))
		return;
	take(in, i);
	/* Release: pairs with await_ready(). */
	atomic_fetch_add_explicit(&in->in_ready, 1, memory_order_release);
	take(in, i - 1);
	drop(in, i - 1);
	drop(in, i);
}

static void
mid(void *arg, unsigned i)
{
	struct inversion *in = arg;

	(void)i;
	if (!become_urgent(in, 20))
		return;
	flag_set(&in->in_mid_runs);
	for (uint64_t k = 0; k < MID_WORK && !flag_get(&in->in_high_done); k++)
		continue;
	flag_set(&in->in_mid_done);
}

static void
high(void *arg, unsigned i)
{
	struct inversion *in = arg;

	(void)i;
	if (!become_urgent(in, 30))
		return;
	/* Release: low looks into it. */
	atomic_store_explicit(&in->in_high, curthread(), memory_order_release);
	take(in, in->in_links - 1);
	in->in_inverted = flag_get(&in->in_mid_done);
	flag_set(&in->in_high_done);
	drop(in, in->in_links - 1);
}

/* Until n links are held, and all but the lowest of them wait. */
static void
await_ready(struct inversion *in, unsigned n)
{
	/* Acquire: pairs with low() and middle_link(). */
	while (atomic_load_explicit(&in->in_ready, memory_order_acquire) < n &&
	    !flag_get(&in->in_refused))
		(void)sched_yield();
	if (n > 1 && !flag_get(&in->in_refused))
		lt_await_blocked(&in->in_lth[n - 1], in->in_word[n - 2]);
}

/* Did mid finish before high had the lock? */
static bool
inverted(const char *bottom, const char *above, unsigned links)
{
	static struct inversion in;
	unsigned n = 0;

	memset(&in, 0, sizeof(in));
	in.in_links = links;
	for (unsigned i = 0; i < links; i++) {
		in.in_ops[i] = pv_lock_ops_lookup(i == 0 ? bottom : above);
		if (in.in_ops[i]->plo_init != NULL)
			assert_int_equal(
			    in.in_ops[i]->plo_init(in.in_word[i]), 0);
	}
	for (unsigned i = 0; i < links; i++) {
		lt_start(&lt, &in.in_lth[n++], PRI_DEFAULT,
		    i == 0 ? low : middle_link, &in, i);
		await_ready(&in, i + 1);
	}
	lt_start(&lt, &in.in_lth[n++], PRI_DEFAULT, mid, &in, 0);
	while (!flag_get(&in.in_mid_runs) && !flag_get(&in.in_refused))
		(void)sched_yield();
	lt_start(&lt, &in.in_lth[n++], PRI_DEFAULT, high, &in, 0);
	for (unsigned i = 0; i < n; i++)
		lt_join(&in.in_lth[i]);
	assert_false(flag_get(&in.in_refused));
	return (in.in_inverted);
}

/*
 * Did it once in a few times come out as it should?  The host may take the CPU from
 * all of them, or stop real-time threads that have had their share; and where
 * the main thread is late, mid is done before high has begun.  A lock that does not
 * lend inverts every time.
 */
static bool
lends(const char *bottom, const char *above, unsigned links)
{
	for (int i = 0; i < TRIES; i++) {
		if (!inverted(bottom, above, links))
			return (true);
		print_message(
		    "%s, %s, %u links: once more\n", bottom, above, links);
	}
	return (false);
}

static void
high_does_not_wait_for_mid(void **state)
{
	static const char *const names[] = { "gen2", "mtx8" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		print_message("%s\n", names[i]);
		for (unsigned links = 1; links <= LINKS_MAX; links++)
			assert_true(lends(names[i], names[i], links));
	}
}

static void
loans_cross_from_one_lock_to_another(void **state)
{
	(void)state;
	assert_true(lends("gen2", "mtx8", 2));
	assert_true(lends("gen2", "mtx8", LINKS_MAX));
	assert_true(lends("mtx8", "gen2", LINKS_MAX));
}

static void
a_lock_that_lends_nothing_is_inverted(void **state)
{
	bool seen = false;

	(void)state;
	for (int i = 0; i < TRIES && !seen; i++)
		seen = inverted("pthread_mutex", "pthread_mutex", 1);
	/* The host may run another thread where mid stood still. */
	if (!seen)
		skip();
}

/* NULL, or why nothing of this can be tested here. */
static const char *
reason_to_skip(cpu_set_t *all)
{
	struct sched_param sp = { .sched_priority = 1 }, none = { 0 };
	size_t main_cpu = CPU_SETSIZE;
	cpu_set_t set;

	/* Its own threads and locks, which lend nothing, are in the way. */
	if (SANITIZED)
		return ("a sanitizer has locks of its own");
	if (!loan_is_real())
		return (loan_missing());
	if (sched_getaffinity(0, sizeof(*all), all) != 0)
		return ("no CPU affinity");
	test_cpu = CPU_SETSIZE;
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, all))
			continue;
		if (main_cpu == CPU_SETSIZE)
			main_cpu = cpu;
		else
			test_cpu = cpu;
	}
	if (test_cpu == CPU_SETSIZE)
		return ("one CPU only");
	if (sched_setscheduler(0, SCHED_FIFO, &sp) != 0)
		return ("no right to a real-time priority");
	(void)sched_setscheduler(0, SCHED_OTHER, &none);
	CPU_ZERO(&set);
	CPU_SET(main_cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
	return (NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(high_does_not_wait_for_mid),
		cmocka_unit_test(loans_cross_from_one_lock_to_another),
		cmocka_unit_test(a_lock_that_lends_nothing_is_inverted),
	};
	const char *why;
	cpu_set_t all;
	int failed;

	why = reason_to_skip(&all);
	if (why != NULL) {
		print_message("skipped: no loans to be seen: %s\n", why);
		return (0);
	}
	lt_setup(&lt, &sim_real_ops, 2, false);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	lt_teardown(&lt);
	(void)sched_setaffinity(0, sizeof(all), &all);
	return (failed == 0 ? 0 : 1);
}
