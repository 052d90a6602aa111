/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Deadlocks are told, of whatever priorities, by a panic that names the threads
 * and the locks.  So are locks of threads that have left.
 *
 * Who deadlocks does not come back, so that is the work of a child: this program
 * again, with the name of a scene and what it is to be played with.  It leaves
 * with 0 if there was a panic with the text that it expects.
 */

#include <sys/types.h>
#include <sys/wait.h>

#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "lock/held.h"
#include "lock/rwlock.h"
#include "lock/turnstile.h"
#include "lock_util.h"
#include "pmapsim/pv_lock.h"
#include "stage_util.h"

#define NMAX   3
#define NCROWD 20
/* Of a child: what it takes is far below a second. */
#define CHILD_SECONDS 60

static const char *const kinds[] = { "mtx8", "rwlock", "gen2" };

struct place {
	_Alignas(64) char p_word[PV_LOCK_WORD_MAX];
	const struct pv_lock_ops *p_ops;
};

static const char *self; /* this program */

/*
 * The child.
 */
static struct place places[NMAX];
static unsigned nplaces;
static struct lt_thread players[NMAX + 1];
static _Atomic unsigned ready; /* have what they should */
static _Atomic bool go;
static _Atomic bool told;

/* What the panic must say. */
static char expected[NMAX + 1][80];
static unsigned nexpected;

static const void *
key_of(const struct place *p)
{
	return (strcmp(p->p_ops->plo_name, "rwlock") == 0
		? p->p_word + offsetof(struct rwlock, rw_lock)
		: p->p_word);
}

static void
take(unsigned i)
{
	places[i].p_ops->plo_lock(places[i].p_word);
}

static void
drop(unsigned i)
{
	places[i].p_ops->plo_unlock(places[i].p_word, true);
}

static void
is_ready(void)
{
	/* Release: pairs with await_ready(). */
	atomic_fetch_add_explicit(&ready, 1, memory_order_release);
}

static void
await_ready(unsigned n)
{
	/* Acquire: pairs with is_ready(). */
	while (atomic_load_explicit(&ready, memory_order_acquire) < n)
		(void)sched_yield();
}

static void
await_go(void)
{
	/* Acquire: pairs with let_go(). */
	while (!atomic_load_explicit(&go, memory_order_acquire))
		(void)sched_yield();
}

static void
let_go(void)
{
	/* Release: pairs with await_go(). */
	atomic_store_explicit(&go, true, memory_order_release);
}

static void expect(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
expect(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(expected[nexpected++], sizeof(expected[0]), fmt, ap);
	va_end(ap);
}

static void
check_panic(const char *file, int line, const char *text)
{
	/* Relaxed: one of those who tell; more than one may. */
	while (atomic_exchange_explicit(&told, true, memory_order_relaxed))
		(void)pause();
	for (unsigned i = 0; i < nexpected; i++) {
		if (strstr(text, expected[i]) != NULL)
			continue;
		fprintf(stderr, "%s:%d: panic: %s\nwithout: %s\n", file, line,
		    text, expected[i]);
		_exit(1);
	}
	printf("%s\n", text);
	(void)fflush(stdout);
	_exit(0);
}

/* Has its own lock, and wants that of the next. */
static void
link_up(void *arg, unsigned i)
{
	(void)arg;
	take(i);
	is_ready();
	await_go();
	take((i + 1) % nplaces);
}

/* Publishes each word, as one that is about to fail, and gets no further. */
static void
hang_about(void *arg, unsigned i)
{
	struct thread *td = curthread();

	(void)arg;
	(void)i;
	for (unsigned k = 0; k < nplaces; k++)
		held_publish(held_slot(td), places[k].p_word);
	is_ready();
	for (;;)
		(void)pause();
}

/* Each waits for the next; the panic may begin with any of them. */
static void
expect_cycle(unsigned n)
{
	expect("deadlock of %u threads: thread ", n);
	for (unsigned i = 0; i < n; i++)
		expect("waits for lock %#" PRIxPTR " of thread %u",
		    (uintptr_t)key_of(&places[i]),
		    (unsigned)lt_td(&players[i])->td_id);
}

static void
scene_cycle(const int *pris)
{
	for (unsigned i = 0; i < nplaces; i++)
		lt_start(&lt, &players[i], pris[i], link_up, NULL, i);
	await_ready(nplaces);
	expect_cycle(nplaces);
	let_go();
	lt_join(&players[0]);
}

static void
scene_bystander(const int *pris)
{
	lt_start(&lt, &players[nplaces], PRI_DEFAULT, hang_about, NULL, 0);
	await_ready(1);
	for (unsigned i = 0; i < nplaces; i++)
		lt_start(&lt, &players[i], pris[i], link_up, NULL, i);
	await_ready(nplaces + 1);
	expect_cycle(nplaces);
	let_go();
	lt_join(&players[0]);
}

/* More bystanders than a scan tells one by one, and all before the owners. */
static void
scene_crowd(const int *pris)
{
	static struct lt_thread crowd[NCROWD];

	for (unsigned i = 0; i < NCROWD; i++)
		lt_start(&lt, &crowd[i], PRI_DEFAULT, hang_about, NULL, 0);
	await_ready(NCROWD);
	for (unsigned i = 0; i < nplaces; i++)
		lt_start(&lt, &players[i], pris[i], link_up, NULL, i);
	await_ready(NCROWD + nplaces);
	expect_cycle(nplaces);
	let_go();
	lt_join(&players[0]);
}

static void
want_first(void *arg, unsigned i)
{
	(void)arg;
	if (i != 0)
		take(i);
	is_ready();
	take(0);
}

/* When the main thread waits, the woken one may come. */
static void
release_late(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	/* Relaxed: only the value counts. */
	while (atomic_load_explicit(&lt.lt_td->td_blocked_on,
		   memory_order_relaxed) != key_of(&places[1]))
		(void)sched_yield();
	stage_release();
	/* ThreadSanitizer minds threads that end and are not joined. */
	for (;;)
		(void)pause();
}

/*
 * Place 0 has no waiters bit when the main thread closes the cycle: one was woken
 * for it, and came too late.  That one finds the cycle, and is no part of it.
 */
static void
scene_unmarked(const int *pris)
{
	take(0);
	lt_start(&lt, &players[0], pris[0], want_first, NULL, 0);
	lt_await_blocked(&players[0], key_of(&places[0]));
	lt_start(&lt, &players[1], pris[1], want_first, NULL, 1);
	lt_await_blocked(&players[1], key_of(&places[0]));
	stage_hold(lt_td(&players[0]));
	drop(0);
	take(0);
	expect("deadlock of 2 threads: ");
	expect("lock %#" PRIxPTR " of thread %u", (uintptr_t)key_of(&places[0]),
	    (unsigned)lt.lt_td->td_id);
	expect("lock %#" PRIxPTR " of thread %u", (uintptr_t)key_of(&places[1]),
	    (unsigned)lt_td(&players[1])->td_id);
	lt_start(&lt, &players[2], PRI_DEFAULT, release_late, NULL, 0);
	take(1);
}

static void
take_and_leave(void *arg, unsigned i)
{
	(void)arg;
	take(i);
	is_ready();
	await_go();
}

/* A thread leaves with a lock that another waits for. */
static void
scene_leaves(const int *pris)
{
	lt_start(&lt, &players[0], pris[0], take_and_leave, NULL, 0);
	await_ready(1);
	lt_start(&lt, &players[1], pris[1], want_first, NULL, 0);
	lt_await_blocked(&players[1], key_of(&places[0]));
	expect("thread %u leaves with lock %p",
	    (unsigned)lt_td(&players[0])->td_id, key_of(&places[0]));
	let_go();
	lt_join(&players[0]);
}

/* It has left, and now another waits. */
static void
scene_left(const int *pris)
{
	lt_start(&lt, &players[0], pris[0], take_and_leave, NULL, 0);
	await_ready(1);
	expect("of thread %u, which has left",
	    (unsigned)lt_td(&players[0])->td_id);
	expect("lock %#" PRIxPTR " ", (uintptr_t)key_of(&places[0]));
	let_go();
	lt_join(&players[0]);
	take(0);
}

static const struct {
	const char *sc_name;
	void (*sc_fn)(const int *pris);
} scenes[] = {
	{ "cycle", scene_cycle },
	{ "bystander", scene_bystander },
	{ "crowd", scene_crowd },
	{ "unmarked", scene_unmarked },
	{ "leaves", scene_leaves },
	{ "left", scene_left },
};

/* argv: scene, and for each place its kind and the priority of a thread. */
static int
play(int argc, char **argv)
{
	int pris[NMAX] = { PRI_DEFAULT };

	(void)alarm(CHILD_SECONDS);
	for (int i = 1; i + 1 < argc && nplaces < NMAX; i += 2) {
		places[nplaces].p_ops = pv_lock_ops_lookup(argv[i]);
		pris[nplaces++] = atoi(argv[i + 1]);
	}
	panic_handler = check_panic;
	stage_reset();
	/* On one CPU nobody spins: the clock stands. */
	lt_setup(&lt, &stage_ops, 1, false);
	for (unsigned i = 0; i < nplaces; i++) {
		if (places[i].p_ops->plo_init != NULL)
			assert_int_equal(
			    places[i].p_ops->plo_init(places[i].p_word), 0);
	}
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		if (strcmp(argv[0], scenes[i].sc_name) == 0)
			scenes[i].sc_fn(pris);
	}
	fprintf(stderr, "%s: no panic\n", argv[0]);
	return (2);
}

/*
 * The parent.
 */

/* What the child leaves with; -1: a signal. */
static int
play_out(const char *scene, unsigned n, const char *const *kind, const int *pri)
{
	char text[NMAX][16], *argv[2 * NMAX + 3];
	int argc = 0, status;
	pid_t pid;

	argv[argc++] = (char *)(uintptr_t)self;
	argv[argc++] = (char *)(uintptr_t)scene;
	for (unsigned i = 0; i < n; i++) {
		snprintf(text[i], sizeof(text[i]), "%d", pri[i]);
		argv[argc++] = (char *)(uintptr_t)kind[i];
		argv[argc++] = text[i];
	}
	argv[argc] = NULL;
	(void)fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)execv(self, argv);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static const int pris[][NMAX] = {
	{ PRI_DEFAULT, PRI_DEFAULT, PRI_DEFAULT },
	{ 140, 130, 120 },
	{ 120, 130, 140 },
	{ 120, 140, 130 },
};
#define NPRIS  (sizeof(pris) / sizeof(pris[0]))
#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Kind k throughout, or each another. */
static void
cast(size_t k, const char **kind)
{
	for (size_t i = 0; i < NMAX; i++)
		kind[i] = kinds[k < NKINDS ? k : i % NKINDS];
}

static void
a_cycle_is_told_whatever_the_priorities(void **state)
{
	const char *kind[NMAX];

	(void)state;
	for (size_t k = 0; k <= NKINDS; k++) {
		cast(k, kind);
		for (size_t p = 0; p < NPRIS; p++) {
			for (unsigned n = 2; n <= NMAX; n++)
				assert_int_equal(
				    play_out("cycle", n, kind, pris[p]), 0);
		}
	}
}

static void
bystanders_hide_no_cycle(void **state)
{
	const char *kind[NMAX];

	(void)state;
	cast(2, kind);
	assert_string_equal(kind[0], "gen2");
	for (size_t p = 0; p < NPRIS; p++)
		assert_int_equal(play_out("bystander", NMAX, kind, pris[p]), 0);
	assert_int_equal(play_out("crowd", NMAX, kind, pris[0]), 0);
}

static void
a_woken_thread_that_comes_late_finds_the_cycle(void **state)
{
	static const char *const first[] = { "mtx8", "gen2" };
	const char *kind[NMAX];

	(void)state;
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		cast(0, kind);
		kind[0] = first[i];
		assert_int_equal(play_out("unmarked", 2, kind, pris[0]), 0);
	}
}

static void
who_leaves_with_a_lock_is_told(void **state)
{
	const char *kind[NMAX];

	(void)state;
	for (size_t k = 0; k < NKINDS; k++) {
		cast(k, kind);
		for (size_t p = 0; p < NPRIS; p++)
			assert_int_equal(
			    play_out("leaves", 1, kind, pris[p]), 0);
	}
}

static void
who_waits_for_one_that_has_left_is_told(void **state)
{
	const char *kind[NMAX];

	(void)state;
	/* Whose owner is published is told when it leaves, above. */
	for (size_t k = 0; k < 2; k++) {
		cast(k, kind);
		assert_int_equal(play_out("left", 1, kind, pris[0]), 0);
	}
}

/* ThreadSanitizer waits for a second in every child that leaves, else. */
static void
no_sleep_at_exit(void)
{
	const char *was = getenv("TSAN_OPTIONS");
	char text[512];

	snprintf(
	    text, sizeof(text), "%s:atexit_sleep_ms=0", was != NULL ? was : "");
	assert_int_equal(setenv("TSAN_OPTIONS", text, 1), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cycle_is_told_whatever_the_priorities),
		cmocka_unit_test(bystanders_hide_no_cycle),
		cmocka_unit_test(
		    a_woken_thread_that_comes_late_finds_the_cycle),
		cmocka_unit_test(who_leaves_with_a_lock_is_told),
		cmocka_unit_test(who_waits_for_one_that_has_left_is_told),
	};

	if (argc > 1)
		return (play(argc - 1, argv + 1));
	self = argv[0];
	no_sleep_at_exit();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
