/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Linux without what we would like of it: calls that the kernel does not have, or a
 * sandbox forbids, before the first sim is made or afterwards.  A seccomp filter
 * plays both; it needs no privilege.  A filter stays, so each case is a process: this
 * program with the name of the case.
 */

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lock_util.h"
#include "pmapsim/pv_lock.h"
#include "sim/asym.h"
#include "sim/loan.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#define SOON_NS 2000000

/* Of a child: no filter could be set, or the case is not to be had here. */
#define EXIT_SKIP 77

static const char *program;

/* From now on the call nr fails if its argument arg, masked, is value. */
static void
deny(long nr, unsigned arg, uint32_t mask, uint32_t value, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 4),
		/* The low half: little-endian. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    (uint32_t)offsetof(struct seccomp_data, args) + 8 * arg),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K,
		    SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
		_exit(EXIT_SKIP);
}

static void
deny_futex(int op, int error)
{
	deny(SYS_futex, 1, (uint32_t)FUTEX_CMD_MASK, (uint32_t)op, error);
}

static void
deny_membarrier(int cmd, int error)
{
	deny(SYS_membarrier, 0, UINT32_MAX, (uint32_t)cmd, error);
}

/* Run a case in a child.  What it writes to stderr goes to text. */
static int
status_of(const char *name, char *text, size_t size)
{
	size_t n = 0;
	ssize_t got;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		(void)close(fds[0]);
		(void)close(fds[1]);
		(void)execl(program, program, name, (char *)NULL);
		_exit(EXIT_SKIP);
	}
	(void)close(fds[1]);
	while (n < size - 1 &&
	    ((got = read(fds[0], text + n, size - 1 - n)) > 0 ||
		(got < 0 && errno == EINTR)))
		n += got > 0 ? (size_t)got : 0;
	text[n] = '\0';
	(void)close(fds[0]);
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return (status);
}

static void
passes(const char *name)
{
	char text[4096];
	int status = status_of(name, text, sizeof(text));

	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
		print_message("skipped: %s\n", text);
		skip();
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("status %#x: %s", (unsigned)status, text);
}

static void
panics(const char *name, const char *what, const char *advice)
{
	char text[4096];
	int status = status_of(name, text, sizeof(text));

	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
		print_message("skipped: %s\n", text);
		skip();
	}
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT ||
	    strstr(text, what) == NULL || strstr(text, advice) == NULL)
		fail_msg("status %#x: %s", (unsigned)status, text);
}

static int
complain(const char *what)
{
	(void)fprintf(stderr, "%s\n", what);
	return (1);
}

static int
not_here(const char *why)
{
	(void)fprintf(stderr, "%s", why);
	return (EXIT_SKIP);
}

static _Alignas(64) char word[PV_LOCK_WORD_MAX];
static const struct pv_lock_ops *ops;
static unsigned sum; /* word */

static void
add(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	for (unsigned n = 0; n < 500; n++) {
		ops->plo_lock(word);
		sum++;
		ops->plo_unlock(word, true);
	}
}

/* Threads of several priorities, so that they lend, with blocking locks. */
static int
locks_work(void)
{
	static const char *const names[] = { "gen2", "mtx8", "rwlock" };

	lt_setup(&lt, &sim_real_ops, 2, false);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ops = pv_lock_ops_lookup(names[i]);
		memset(word, 0, sizeof(word));
		if (ops->plo_init != NULL && ops->plo_init(word) != 0)
			return (complain("plo_init"));
		sum = 0;
		lt_run_pri(&lt, 6, 3, add, NULL);
		if (sum != 6 * 500)
			return (complain(names[i]));
		if (ops->plo_destroy != NULL)
			ops->plo_destroy(word);
	}
	lt_teardown(&lt);
	return (0);
}

static _Atomic bool leave;

static void
stay(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
	/* Acquire: pairs with deadlines_work(). */
	while (!atomic_load_explicit(&leave, memory_order_acquire))
		(void)sched_yield();
}

/* By the wrong clock one would have passed long ago, or be years away. */
static int
deadlines_work(void)
{
	static struct lt_thread lth;
	struct thread *td;
	uint64_t end;
	int error;

	lt_setup(&lt, &sim_real_ops, 2, false);
	lt_start(&lt, &lth, PRI_DEFAULT, stay, NULL, 0);
	do {
		/* Acquire: pairs with lt_start()'s thread. */
		td = atomic_load_explicit(&lth.lth_td, memory_order_acquire);
	} while (td == NULL);
	loan_lend(lt.lt_td, td);
	end = sim_clock_ns(lt.lt_sim) + SOON_NS;
	error = loan_block(lt.lt_td, end);
	if (error != ETIMEDOUT)
		return (complain("no deadline"));
	/* The clocks are calibrated against each other, to some 20 ppm. */
	if (sim_clock_ns(lt.lt_sim) + SOON_NS / 2 < end)
		return (complain("an early deadline"));
	loan_cancel(lt.lt_td);
	/* Release: pairs with stay(). */
	atomic_store_explicit(&leave, true, memory_order_release);
	lt_join(&lth);
	lt_teardown(&lt);
	return (0);
}

static int
older_kernel(void)
{
	deny_futex(FUTEX_LOCK_PI2, ENOSYS);
	if (!loan_is_real())
		return (not_here(loan_missing()));
	return (deadlines_work() != 0 || locks_work() != 0);
}

static void
a_kernel_without_lock_pi2_lends(void **state)
{
	(void)state;
	passes("older_kernel");
}

static int
newer_kernel(void)
{
	/* What it does not need there. */
	deny_futex(FUTEX_LOCK_PI, ENOSYS);
	if (!loan_is_real())
		return (not_here("no FUTEX_LOCK_PI2"));
	return (deadlines_work() != 0 || locks_work() != 0);
}

static void
a_kernel_with_lock_pi2_uses_it(void **state)
{
	(void)state;
	passes("newer_kernel");
}

static int
no_pi(void)
{
	deny_futex(FUTEX_LOCK_PI2, EPERM);
	deny_futex(FUTEX_LOCK_PI, EPERM);
	if (loan_is_real())
		return (complain("loans are real"));
	return (locks_work());
}

static int
no_unlock(void)
{
	deny_futex(FUTEX_UNLOCK_PI, ENOSYS);
	if (loan_is_real())
		return (complain("loans are real"));
	return (locks_work());
}

static void
locks_work_where_nothing_can_be_lent(void **state)
{
	(void)state;
	passes("no_pi");
	passes("no_unlock");
}

static int
unlock_denied_later(void)
{
	static struct pi_word pw;

	if (!loan_is_real())
		return (not_here(loan_missing()));
	deny_futex(FUTEX_UNLOCK_PI, EPERM);
	loan_pi_lock(&pw, loan_tid());
	loan_pi_unlock(&pw);
	return (complain("it went on"));
}

static int
lock_denied_later(void)
{
	static struct pi_word pw;

	if (!loan_is_real())
		return (not_here(loan_missing()));
	deny_futex(FUTEX_LOCK_PI, EPERM);
	deny_futex(FUTEX_LOCK_PI2, EPERM);
	loan_pi_lock(&pw, loan_tid());
	loan_pi_lock(&pw, loan_tid());
	return (complain("it went on"));
}

static void
a_later_refusal_panics(void **state)
{
	(void)state;
	panics("unlock_denied_later", "FUTEX_UNLOCK_PI", "PMAPSIM_LOANS=none");
	panics("lock_denied_later", "FUTEX_LOCK_PI", "PMAPSIM_LOANS=none");
}

static int
not_registered(void)
{
	if (!asym_init())
		return (not_here("releases are portable"));
	deny_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, EPERM);
	if (asym_init())
		return (complain("it is to be used"));
	return (locks_work());
}

/* A filter may well let a process register, and deny it the call. */
static int
not_called(void)
{
	if (!asym_init())
		return (not_here("releases are portable"));
	deny_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, EPERM);
	if (asym_init())
		return (complain("it is to be used"));
	return (locks_work());
}

static void
releases_are_portable_without_membarrier(void **state)
{
	(void)state;
	passes("not_registered");
	passes("not_called");
}

static int
barrier_denied_later(void)
{
	if (!asym_init())
		return (not_here("releases are portable"));
	deny_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, EPERM);
	asym_barrier();
	return (complain("it went on"));
}

static void
a_barrier_that_is_refused_later_panics(void **state)
{
	(void)state;
	panics("barrier_denied_later", "membarrier(2)",
	    "PMAPSIM_RELEASE=portable");
}

static const struct {
	const char *name;
	int (*fn)(void);
} cases[] = {
	{ "older_kernel", older_kernel },
	{ "newer_kernel", newer_kernel },
	{ "no_pi", no_pi },
	{ "no_unlock", no_unlock },
	{ "unlock_denied_later", unlock_denied_later },
	{ "lock_denied_later", lock_denied_later },
	{ "not_registered", not_registered },
	{ "not_called", not_called },
	{ "barrier_denied_later", barrier_denied_later },
};

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_without_lock_pi2_lends),
		cmocka_unit_test(a_kernel_with_lock_pi2_uses_it),
		cmocka_unit_test(locks_work_where_nothing_can_be_lent),
		cmocka_unit_test(a_later_refusal_panics),
		cmocka_unit_test(releases_are_portable_without_membarrier),
		cmocka_unit_test(a_barrier_that_is_refused_later_panics),
	};

	program = argv[0];
	for (size_t i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]);
	     i++) {
		if (strcmp(argv[1], cases[i].name) == 0)
			return (cases[i].fn());
	}
	return (cmocka_run_group_tests(tests, NULL, NULL) == 0 ? 0 : 1);
}
