/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Threads that count in shared memory, with a lock and without.
 *
 * These sources are built with threads, with ThreadSanitizer and for a virtual
 * machine, and the same must come of them: with the lock nothing is lost and nobody
 * reports anything; without it ThreadSanitizer reports a data race, the virtual
 * machine loses increments, the same number each time, and exploring reports the
 * race in the very order in which nothing would be lost.
 */

#include <sys/wait.h>

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

#include "count_run.h"
#include "kern/sanitizer.h"
#include "lock/mtx.h"
#include "workload/xs.h"

extern char **environ;

#define NTHREADS 4u
#define NROUNDS  50u

/* In the scenario's memory, which is what the model sees. */
struct count {
	struct mtx c_mtx;
	uint64_t c_n;
};

static uint64_t counted;
static char *program;

static void
setup(struct xs_run *run)
{
	struct count *c = xs_alloc(run, sizeof(*c));

	mtx_init(&c->c_mtx, "count", 0);
	run->xr_state = c;
}

static void
count_locked(struct xs_run *run, unsigned i)
{
	struct count *c = run->xr_state;

	(void)i;
	for (unsigned n = 0; n < NROUNDS; n++) {
		mtx_lock(&c->c_mtx);
		c->c_n++;
		mtx_unlock(&c->c_mtx);
	}
}

static void
count_unlocked(struct xs_run *run, unsigned i)
{
	struct count *c = run->xr_state;

	(void)i;
	for (unsigned n = 0; n < NROUNDS; n++) {
		c->c_n++;
		/* Or all rounds would be made one addition. */
		__asm__ __volatile__("" : : "r"(c) : "memory");
	}
}

static void
check(struct xs_run *run)
{
	const struct count *c = run->xr_state;

	counted = c->c_n;
}

static void
teardown(struct xs_run *run)
{
	struct count *c = run->xr_state;

	mtx_destroy(&c->c_mtx);
}

/* NTHREADS threads do that; what they have counted. */
static uint64_t
run(void (*body)(struct xs_run *run, unsigned i), bool watched)
{
	static const char *const designs[] = { "sparse/gen2", NULL };
	static const struct xs_kind kind = {
		.xk_designs = designs,
		.xk_lock_only = true,
		.xk_setup = setup,
		.xk_teardown = teardown,
	};
	const struct xs_scenario xs = {
		.xs_name = "count",
		.xs_descr = "threads that count",
		.xs_threads = NTHREADS,
		.xs_kind = &kind,
		.xs_spins = true,
		.xs_body = body,
		.xs_check = check,
	};
	char err[256] = "";
	int error;

	counted = 0;
	count_run_begin(watched);
	error = xs_run(&xs, NULL, &count_run_hooks, err, sizeof(err));
	count_run_end();
	if (error != 0)
		print_error("xs_run: %s\n", err);
	return (counted);
}

/*
 * This program again, to run that one alone: its status, and what it says on
 * standard error.  Not by fork(2), of which ThreadSanitizer makes too much where
 * there are as many mutexes as jemalloc has.
 */
static int
run_child(const char *which, char *text, size_t size)
{
	char *argv[] = { program, strdup(which), NULL };
	posix_spawn_file_actions_t fa;
	int fds[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(posix_spawn_file_actions_init(&fa), 0);
	assert_int_equal(
	    posix_spawn_file_actions_adddup2(&fa, fds[1], STDERR_FILENO), 0);
	assert_int_equal(
	    posix_spawn(&pid, program, &fa, NULL, argv, environ), 0);
	(void)posix_spawn_file_actions_destroy(&fa);
	free(argv[1]);
	(void)close(fds[1]);
	while ((got = read(fds[0], text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return (status);
}

static void
with_a_lock_nothing_is_lost(void **state)
{
	(void)state;
	assert_int_equal(run(count_locked, false), NTHREADS * NROUNDS);
}

static void
without_it_the_virtual_machine_loses_some(void **state)
{
	uint64_t lost;

	(void)state;
	if (!count_run_is_virtual)
		skip();
	lost = NTHREADS * NROUNDS - run(count_unlocked, false);
	assert_in_range(lost, 1, NTHREADS * NROUNDS - 1);
	assert_int_equal(NTHREADS * NROUNDS - run(count_unlocked, false), lost);
}

static void
a_race_is_reported(void **state)
{
	static char text[65536];
	int status;

	(void)state;
	if (!count_run_is_virtual && !SANITIZER_THREAD)
		skip();
	status = run_child("locked", text, sizeof(text));
	assert_string_equal(text, "");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	status = run_child("unlocked", text, sizeof(text));
	assert_non_null(strstr(text, "data race"));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), RACE_STATUS);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_a_lock_nothing_is_lost),
		cmocka_unit_test(without_it_the_virtual_machine_loses_some),
		cmocka_unit_test(a_race_is_reported),
	};

	program = argv[0];
	if (argc > 1)
		return (run(strcmp(argv[1], "locked") == 0 ? count_locked
							   : count_unlocked,
			    true) != NTHREADS * NROUNDS);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
