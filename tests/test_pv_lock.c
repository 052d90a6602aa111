/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One table of conformance tests over every pv list lock: the library's own and
 * one that is defined here, as a program would define its own.
 *
 * Exclusion is tested with relaxed atomics: a broken lock then costs counts,
 * which we can see, and is not undefined behaviour, which we could not.
 * Publication is tested with plain data, for ThreadSanitizer.  Both testers are
 * tested: with a lock that does nothing, and with one whose release is relaxed.
 * On amd64 only ThreadSanitizer can catch the latter, so that test starts this
 * program again and expects a report where there is one to be had.
 */

#include <sys/types.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "kern/sanitizer.h"
#include "lock/lock_env.h"
#include "lock/rwlock.h"
#include "lock_util.h"
#include "pmapsim/pv_lock.h"

#define NTHREADS 8
#define NITERS   4000

extern char **environ;

static const char *program;
static const struct pv_lock_ops *ops; /* the backend under test */

/* A word of any backend, between two canaries. */
static struct {
	uint64_t w_before;
	_Alignas(64) char w_word[PV_LOCK_WORD_MAX];
	uint64_t w_after;
} w;
static char *const word = w.w_word;

struct shared {
	_Atomic uint64_t s_count;
	uint64_t s_plain;
	unsigned s_iters;
	_Atomic unsigned s_entered;
	bool s_result;
};

/* What the pmap layer does around a backend. */
static void
lock(void)
{
	ops->plo_lock(word);
	curthread()->td_pv_held = word;
}

static void
unlock(bool modified)
{
	curthread()->td_pv_held = NULL;
	ops->plo_unlock(word, modified);
}

static void
word_make(void)
{
	memset(&w, 0, sizeof(w));
	w.w_before = w.w_after = UINT64_C(0xfeedfacecafebeef);
	if (ops->plo_init != NULL)
		assert_int_equal(ops->plo_init(word), 0);
}

static void
word_unmake(void)
{
	size_t size = ops->plo_size > 0 ? ops->plo_size : sizeof(uint32_t);

	if (ops->plo_destroy != NULL)
		ops->plo_destroy(word);
	assert_true(w.w_before == UINT64_C(0xfeedfacecafebeef));
	assert_true(w.w_after == UINT64_C(0xfeedfacecafebeef));
	for (size_t i = size; i < sizeof(w.w_word); i++)
		assert_int_equal(word[i], 0);
}

static int
backend_setup(void **state)
{
	(void)state;
	lt_setup(&lt, &sim_real_ops, NTHREADS, false);
	return (0);
}

static int
backend_teardown(void **state)
{
	(void)state;
	lt_teardown(&lt);
	return (0);
}

static uint32_t
whole_word(void)
{
	/* Relaxed: compared with a value of the same word only. */
	return (atomic_load_explicit(
	    (_Atomic uint32_t *)(void *)word, memory_order_relaxed));
}

static uint32_t
generation(void)
{
	return (whole_word() >> ops->plo_gen_bits);
}

static unsigned
entered(const struct shared *s)
{
	/* Relaxed: a count; threads are joined where it must be exact. */
	return (atomic_load_explicit(&s->s_entered, memory_order_relaxed));
}

/* What threads sleep on, for the backends that sleep on turnstiles; or NULL. */
static const void *
turnstile_key(void)
{
	if (strcmp(ops->plo_name, "rwlock") == 0)
		return (word + offsetof(struct rwlock, rw_lock));
	if (strcmp(ops->plo_name, "mtx8") == 0 ||
	    strcmp(ops->plo_name, "gen2") == 0)
		return (word);
	return (NULL);
}

static void
increment(void *arg, unsigned i)
{
	struct shared *s = arg;
	uint64_t n;

	(void)i;
	for (unsigned k = 0; k < s->s_iters; k++) {
		lock();
		/* Relaxed: the lock has to do what is needed. */
		n = atomic_load_explicit(&s->s_count, memory_order_relaxed);
		if (k % 64 == 0)
			(void)sched_yield(); /* widen the window */
		/* Relaxed: as above. */
		atomic_store_explicit(&s->s_count, n + 1, memory_order_relaxed);
		unlock(true);
	}
}

/* Increments lost by n threads. */
static uint64_t
lost_increments(unsigned n)
{
	struct shared s = { .s_iters = lt_scale_lock(ops, NITERS) };

	word_make();
	lt_run(&lt, n, increment, &s);
	word_unmake();
	/* Relaxed: the threads are joined. */
	return ((uint64_t)n * s.s_iters -
	    atomic_load_explicit(&s.s_count, memory_order_relaxed));
}

static void
lock_excludes_other_threads(void **state)
{
	(void)state;
	assert_int_equal(lost_increments(2), 0);
	assert_int_equal(lost_increments(NTHREADS), 0);
}

static void
increment_plain(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	for (unsigned k = 0; k < s->s_iters; k++) {
		lock();
		s->s_plain++;
		unlock(false);
	}
}

static void
unlock_publishes_to_next_holder(void **state)
{
	struct shared s = { .s_iters = lt_scale_lock(ops, NITERS) };

	(void)state;
	word_make();
	lt_run(&lt, NTHREADS, increment_plain, &s);
	word_unmake();
	assert_int_equal(s.s_plain, (uint64_t)NTHREADS * s.s_iters);
}

static void
try_increment_plain(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	for (unsigned k = 0; k < s->s_iters; k++) {
		while (!ops->plo_trylock(word))
			(void)sched_yield();
		s->s_plain++;
		ops->plo_unlock(word, true);
	}
}

static void
trylock_excludes_and_acquires(void **state)
{
	struct shared s = { .s_iters = lt_scale_lock(ops, NITERS / 4) };

	(void)state;
	word_make();
	lt_run(&lt, NTHREADS, try_increment_plain, &s);
	word_unmake();
	assert_int_equal(s.s_plain, (uint64_t)NTHREADS * s.s_iters);
}

static void
try_once(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	s->s_result = ops->plo_trylock(word);
	if (s->s_result)
		ops->plo_unlock(word, false);
}

static void
trylock_fails_while_held(void **state)
{
	struct shared s = { .s_result = true };

	(void)state;
	word_make();
	lock();
	lt_run(&lt, 1, try_once, &s);
	assert_false(s.s_result);
	unlock(false);
	word_unmake();
}

static void
trylock_succeeds_when_free(void **state)
{
	struct shared s = { .s_result = false };

	(void)state;
	word_make();
	for (int i = 0; i < 3; i++) {
		lt_run(&lt, 1, try_once, &s);
		assert_true(s.s_result);
		lock();
		unlock(true);
	}
	word_unmake();
}

static void
zeroed_word_is_an_unlocked_lock(void **state)
{
	struct shared s = { .s_result = false };

	(void)state;
	memset(word, 0, sizeof(w.w_word));
	lt_run(&lt, 1, try_once, &s);
	assert_true(s.s_result);
	lock();
	unlock(false);
}

static void
ask_owned(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	s->s_result = ops->plo_owned(word);
}

static void
owned_is_true_for_the_holder_only(void **state)
{
	struct shared s = { .s_result = true };

	(void)state;
	word_make();
	assert_false(ops->plo_owned(word));
	lock();
	assert_true(ops->plo_owned(word));
	lt_run(&lt, 1, ask_owned, &s);
	assert_false(s.s_result);
	unlock(true);
	assert_false(ops->plo_owned(word));
	word_unmake();
}

static void
lock_once(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	lock();
	/* Relaxed: a count, read after the threads are joined. */
	atomic_fetch_add_explicit(&s->s_entered, 1, memory_order_relaxed);
	s->s_plain++;
	unlock(true);
}

static void
blocked_threads_wake(void **state)
{
	static struct lt_thread lth[2 * NTHREADS];
	struct shared s = { .s_plain = 0 };

	(void)state;
	word_make();
	lock();
	for (unsigned i = 0; i < 2 * NTHREADS; i++)
		lt_start(&lt, &lth[i], PRI_DEFAULT, lock_once, &s, i);
	if (turnstile_key() != NULL) {
		for (unsigned i = 0; i < 2 * NTHREADS; i++)
			lt_await_blocked(&lth[i], turnstile_key());
	}
	assert_int_equal(entered(&s), 0);
	unlock(false);
	for (unsigned i = 0; i < 2 * NTHREADS; i++)
		lt_join(&lth[i]);
	assert_int_equal(s.s_plain, 2 * NTHREADS);
	word_unmake();
	if (turnstile_key() != NULL) {
		assert_true(
		    sim_counter(lt.lt_sim, CTR_LOCK_SLEEPS) >= 2 * NTHREADS);
		assert_true(sim_counter(lt.lt_sim, CTR_LOCK_WAKES) > 0);
	}
}

static void
read_and_tell(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	ops->plo_rlock(word);
	/* Relaxed: a signal, nothing is published with it. */
	atomic_fetch_add_explicit(&s->s_entered, 1, memory_order_relaxed);
	while (entered(s) < 2)
		(void)sched_yield();
	ops->plo_runlock(word);
}

static void
try_read(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	s->s_result = ops->plo_tryrlock(word);
	if (s->s_result)
		ops->plo_runlock(word);
}

static void
readers_share_and_exclude_writers(void **state)
{
	struct shared s = { .s_result = true };

	(void)state;
	word_make();
	lt_run(&lt, 2, read_and_tell, &s); /* ends only if both are in */

	assert_true(ops->plo_tryrlock(word));
	lt_run(&lt, 1, try_once, &s);
	assert_false(s.s_result);
	lt_run(&lt, 1, try_read, &s);
	assert_true(s.s_result);
	ops->plo_runlock(word);

	lock();
	lt_run(&lt, 1, try_read, &s);
	assert_false(s.s_result);
	unlock(true);
	lt_run(&lt, 1, try_once, &s);
	assert_true(s.s_result);
	word_unmake();
}

static void
read_or_write(void *arg, unsigned i)
{
	struct shared *s = arg;
	bool torn = false;

	for (unsigned k = 0; k < s->s_iters; k++) {
		if ((k + i) % 4 == 0) {
			lock();
			s->s_plain++;
			/* Relaxed: under the lock. */
			atomic_store_explicit(
			    &s->s_count, s->s_plain, memory_order_relaxed);
			unlock(true);
		} else {
			ops->plo_rlock(word);
			/* Relaxed: under the lock. */
			torn |= atomic_load_explicit(&s->s_count,
				    memory_order_relaxed) != s->s_plain;
			ops->plo_runlock(word);
		}
	}
	if (torn) {
		/* Relaxed: a count, read after the threads are joined. */
		atomic_fetch_add_explicit(
		    &s->s_entered, 1, memory_order_relaxed);
	}
}

static void
readers_see_whole_writes(void **state)
{
	struct shared s = { .s_iters = lt_scale_lock(ops, NITERS) & ~3u };

	(void)state;
	word_make();
	lt_run(&lt, NTHREADS, read_or_write, &s);
	word_unmake();
	assert_int_equal(entered(&s), 0);
	assert_int_equal(s.s_plain, (uint64_t)NTHREADS * s.s_iters / 4);
}

static void
generation_steps_only_when_modified(void **state)
{
	(void)state;
	word_make();
	lock();
	assert_int_equal(generation(), 0);
	unlock(false);
	assert_int_equal(whole_word(), 0);
	lock();
	assert_int_equal(generation(), 0);
	unlock(true);
	assert_int_equal(whole_word(), UINT32_C(1) << ops->plo_gen_bits);
	assert_true(ops->plo_trylock(word));
	assert_false(ops->plo_trylock(word));
	ops->plo_unlock(word, true);
	assert_int_equal(whole_word(), UINT32_C(2) << ops->plo_gen_bits);
	word_unmake();
}

static void
generation_wraps_to_zero(void **state)
{
	_Atomic uint32_t *gen = (_Atomic uint32_t *)(void *)word;

	(void)state;
	word_make();
	/* Relaxed: one thread. */
	atomic_store_explicit(
	    gen, UINT32_C(0) - (2u << ops->plo_gen_bits), memory_order_relaxed);
	lock();
	unlock(true);
	assert_int_equal(generation(), UINT32_MAX >> ops->plo_gen_bits);
	lock();
	unlock(true);
	assert_int_equal(whole_word(), 0);
	lock();
	assert_int_equal(generation(), 0);
	unlock(false);
	word_unmake();
}

/* Each bumps in every other hold, and sees nobody else do so. */
static void
bump_and_watch(void *arg, unsigned i)
{
	struct shared *s = arg;
	bool changed = false;
	uint32_t gen;

	(void)i;
	for (unsigned k = 0; k < s->s_iters; k++) {
		lock();
		gen = generation();
		if (k % 32 == 0)
			(void)sched_yield(); /* let others try */
		changed |= generation() != gen;
		unlock(k % 2 == 0);
	}
	if (changed) {
		/* Relaxed: a count, read after the threads are joined. */
		atomic_fetch_add_explicit(
		    &s->s_entered, 1, memory_order_relaxed);
	}
}

static void
lock_bits_never_leak_into_the_generation(void **state)
{
	struct shared s = { .s_iters = lt_scale_lock(ops, NITERS) & ~1u };
	_Atomic uint32_t *gen = (_Atomic uint32_t *)(void *)word;
	uint32_t first = UINT32_MAX - 99, mask;

	(void)state;
	mask = UINT32_MAX >> ops->plo_gen_bits;
	word_make();
	/* Relaxed: the threads are not there yet.  It wraps on the way. */
	atomic_store_explicit(
	    gen, first << ops->plo_gen_bits, memory_order_relaxed);
	lt_run(&lt, NTHREADS, bump_and_watch, &s);
	assert_int_equal(entered(&s), 0);
	assert_int_equal(
	    generation(), (first + NTHREADS * s.s_iters / 2) & mask);
	assert_int_equal(whole_word() & ((1u << ops->plo_gen_bits) - 1), 0);
	word_unmake();
}

/*
 * A backend as a program would make its own: test-and-set, whose free word is
 * not zero.
 */
#define FOREIGN_FREE UINT32_C(0x600d)
#define FOREIGN_HELD UINT32_C(0xbad0)

static int
foreign_init(void *p)
{
	/* Relaxed: nobody knows the word yet. */
	atomic_store_explicit(
	    (_Atomic uint32_t *)p, FOREIGN_FREE, memory_order_relaxed);
	return (0);
}

static bool
foreign_trylock(void *p)
{
	uint32_t v = FOREIGN_FREE;

	/* Acquire: pairs with the release in foreign_unlock(). */
	return (atomic_compare_exchange_strong_explicit((_Atomic uint32_t *)p,
	    &v, FOREIGN_HELD, memory_order_acquire, memory_order_relaxed));
}

static void
foreign_lock(void *p)
{
	while (!foreign_trylock(p))
		(void)sched_yield();
}

static void
foreign_unlock(void *p, bool modified)
{
	(void)modified;
	/* Release: to the next foreign_trylock(). */
	atomic_store_explicit(
	    (_Atomic uint32_t *)p, FOREIGN_FREE, memory_order_release);
}

static const struct pv_lock_ops foreign = {
	.plo_name = "foreign",
	.plo_descr = "a lock made outside the library",
	.plo_size = 4,
	.plo_align = 4,
	.plo_flags = PLO_SPIN,
	.plo_init = foreign_init,
	.plo_lock = foreign_lock,
	.plo_trylock = foreign_trylock,
	.plo_unlock = foreign_unlock,
};

static void
relaxed_unlock(void *p, bool modified)
{
	(void)modified;
	/* Relaxed: wrong on purpose; nothing is handed over. */
	atomic_store_explicit(
	    (_Atomic uint32_t *)p, FOREIGN_FREE, memory_order_relaxed);
}

static const struct pv_lock_ops relaxed = {
	.plo_name = "relaxed",
	.plo_descr = "excludes, but its release is relaxed",
	.plo_size = 4,
	.plo_flags = PLO_SPIN,
	.plo_init = foreign_init,
	.plo_lock = foreign_lock,
	.plo_trylock = foreign_trylock,
	.plo_unlock = relaxed_unlock,
};

static void
busted_lock(void *p)
{
	(void)p;
}

static bool
busted_trylock(void *p)
{
	(void)p;
	return (true);
}

static void
busted_unlock(void *p, bool modified)
{
	(void)p;
	(void)modified;
}

static const struct pv_lock_ops busted = {
	.plo_name = "busted",
	.plo_descr = "does not lock",
	.plo_size = 4,
	.plo_flags = PLO_ZEROINIT,
	.plo_lock = busted_lock,
	.plo_trylock = busted_trylock,
	.plo_unlock = busted_unlock,
};

static void
checker_catches_a_busted_lock(void **state)
{
	uint64_t lost = 0;

	(void)state;
	ops = &busted;
	for (int i = 0; i < 100 && lost == 0; i++)
		lost = lost_increments(NTHREADS);
	assert_true(lost > 0);
}

static void
relaxed_release_is_caught_by_tsan(void **state)
{
	char flag[] = "--relaxed", *argv[] = { NULL, flag, NULL };
	posix_spawn_file_actions_t fa;
	char path[4096];
	int status;
	pid_t pid;

	(void)state;
	assert_true(strlen(program) < sizeof(path));
	strcpy(path, program);
	argv[0] = path;
	assert_int_equal(posix_spawn_file_actions_init(&fa), 0);
	assert_int_equal(posix_spawn_file_actions_addopen(
			     &fa, STDERR_FILENO, "/dev/null", O_WRONLY, 0),
	    0);
	assert_int_equal(
	    posix_spawn(&pid, program, &fa, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(posix_spawn_file_actions_destroy(&fa), 0);
	assert_int_equal(
	    WIFEXITED(status) && WEXITSTATUS(status) == 0, !SANITIZER_THREAD);
}

/* The other program of the test above. */
static int
relaxed_main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_excludes_other_threads),
		cmocka_unit_test(unlock_publishes_to_next_holder),
	};

	ops = &relaxed;
	return (cmocka_run_group_tests_name(
	    "relaxed", tests, backend_setup, backend_teardown));
}

static void
misuse_panics(void)
{
	word_make();
	expect_assert_failure(ops->plo_unlock(word, true));
	lock();
	expect_assert_failure(ops->plo_lock(word));
	unlock(false);
	expect_assert_failure(ops->plo_unlock(word, false));
	lock();
	unlock(true);
	word_unmake();
}

/* By each backend of ours that can tell. */
static void
misuse_panics_with_invariants(void **state)
{
	static const char *const names[] = { "rwlock", "mtx8", "gen2", "gen1" };

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	lt_mock_panics(true);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ops = pv_lock_ops_lookup(names[i]);
		misuse_panics();
	}
	lt_mock_panics(false);
}

/* What is detected in every build, by a lock that knows its owner. */
static void
release_by_another(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	ops->plo_unlock(word, true);
}

static _Thread_local sigjmp_buf *escape;
static _Atomic unsigned escaped;

/* A panic in a worker: it goes on behind the call. */
static void
panic_in_worker(const char *file, int line, const char *msg)
{
	(void)file;
	(void)line;
	(void)msg;
	/* Relaxed: a count, read after the thread is joined. */
	atomic_fetch_add_explicit(&escaped, 1, memory_order_relaxed);
	siglongjmp(*escape, 1);
}

static void
try_to_release(void *arg, unsigned i)
{
	sigjmp_buf here;

	escape = &here;
	if (sigsetjmp(here, 0) == 0)
		release_by_another(arg, i);
}

static void
an_owner_is_told_from_others_in_every_build(void **state)
{
	static const char *const names[] = { "mtx8", "gen2" };
	panic_handler_fn *saved = panic_handler;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ops = pv_lock_ops_lookup(names[i]);
		word_make();
		lock();
		lt_mock_panics(true);
		expect_assert_failure(ops->plo_lock(word));
		lt_mock_panics(false);
		panic_handler = panic_in_worker;
		/* Relaxed: no thread is there. */
		atomic_store_explicit(&escaped, 0, memory_order_relaxed);
		lt_run(&lt, 1, try_to_release, NULL);
		/* Relaxed: the thread is joined. */
		assert_int_equal(
		    atomic_load_explicit(&escaped, memory_order_relaxed), 1);
		panic_handler = saved;
		assert_true(ops->plo_owned(word));
		unlock(false);
		word_unmake();
	}
}

static void
gen2_is_not_destroyed_while_held(void **state)
{
	(void)state;
	ops = pv_lock_ops_lookup("gen2");
	if (ops->plo_destroy == NULL)
		skip(); /* without invariants headers are not looked at */
	word_make();
	lock();
	lt_mock_panics(true);
	expect_assert_failure(ops->plo_destroy(word));
	lt_mock_panics(false);
	unlock(false);
	word_unmake();
}

static void
gen2_counts_generations_that_wrap(void **state)
{
	struct lock_env *le = lt.lt_sim->sim_locks;
	_Atomic uint32_t *gen = (_Atomic uint32_t *)(void *)word;
	uint64_t before;

	(void)state;
	ops = pv_lock_ops_lookup("gen2");
	word_make();
	/* Relaxed: no other thread is there. */
	atomic_store_explicit(gen, UINT32_MAX - 3, memory_order_relaxed);
	/* Relaxed: as above. */
	before = atomic_load_explicit(&le->le_gen_wraps, memory_order_relaxed);
	lock();
	unlock(false);
	assert_int_equal(generation(), UINT32_MAX >> 2);
	/* Relaxed: as above. */
	assert_true(atomic_load_explicit(
			&le->le_gen_wraps, memory_order_relaxed) == before);
	for (int i = 0; i < 3; i++) {
		lock();
		unlock(true);
		assert_int_equal(whole_word(), i << 2);
		/* Relaxed: as above. */
		assert_true(atomic_load_explicit(&le->le_gen_wraps,
				memory_order_relaxed) == before + 1);
	}
	word_unmake();
}

#define RUN(name, tests)                                                       \
	cmocka_run_group_tests_name(                                           \
	    name, tests, backend_setup, backend_teardown)

static int
run_backend(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_excludes_other_threads),
		cmocka_unit_test(unlock_publishes_to_next_holder),
		cmocka_unit_test(trylock_excludes_and_acquires),
		cmocka_unit_test(trylock_fails_while_held),
		cmocka_unit_test(trylock_succeeds_when_free),
		cmocka_unit_test(blocked_threads_wake),
	};
	const struct CMUnitTest zeroinit_tests[] = {
		cmocka_unit_test(zeroed_word_is_an_unlocked_lock),
	};
	const struct CMUnitTest owned_tests[] = {
		cmocka_unit_test(owned_is_true_for_the_holder_only),
	};
	const struct CMUnitTest shared_tests[] = {
		cmocka_unit_test(readers_share_and_exclude_writers),
		cmocka_unit_test(readers_see_whole_writes),
	};
	const struct CMUnitTest gen_tests[] = {
		cmocka_unit_test(generation_steps_only_when_modified),
		cmocka_unit_test(generation_wraps_to_zero),
		cmocka_unit_test(lock_bits_never_leak_into_the_generation),
	};
	int failed;

	failed = RUN(ops->plo_name, tests);
	if ((ops->plo_flags & PLO_ZEROINIT) != 0)
		failed += RUN(ops->plo_name, zeroinit_tests);
	if (ops->plo_owned != NULL)
		failed += RUN(ops->plo_name, owned_tests);
	if (ops->plo_rlock != NULL)
		failed += RUN(ops->plo_name, shared_tests);
	if (ops->plo_gen_bits > 0)
		failed += RUN(ops->plo_name, gen_tests);
	return (failed);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest own_tests[] = {
		cmocka_unit_test(misuse_panics_with_invariants),
		cmocka_unit_test(checker_catches_a_busted_lock),
		cmocka_unit_test(relaxed_release_is_caught_by_tsan),
	};
	const struct CMUnitTest owner_tests[] = {
		cmocka_unit_test(an_owner_is_told_from_others_in_every_build),
		cmocka_unit_test(gen2_is_not_destroyed_while_held),
		cmocka_unit_test(gen2_counts_generations_that_wrap),
	};
	/* With another than the host's own form of release: sim/asym.h. */
	static const char *const portable[] = { "mtx8", "gen2" };
	const struct pv_lock_ops *const *list = pv_lock_ops_list();
	int failed = 0;

	if (argc > 1 && strcmp(argv[1], "--relaxed") == 0)
		return (relaxed_main());
	program = argv[0];
	for (size_t i = 0; list[i] != NULL; i++) {
		ops = list[i];
		if ((ops->plo_flags & PLO_NOLOCK) == 0)
			failed += run_backend();
	}
	ops = &foreign;
	failed += run_backend();
	failed += RUN("own", own_tests);
	failed += RUN("owner", owner_tests);

	if (setenv("PMAPSIM_RELEASE", "portable", 1) != 0)
		return (1);
	for (size_t i = 0; i < sizeof(portable) / sizeof(portable[0]); i++) {
		ops = pv_lock_ops_lookup(portable[i]);
		failed += run_backend();
	}
	failed += RUN("owner, portable", owner_tests);
	return (failed == 0 ? 0 : 1);
}
