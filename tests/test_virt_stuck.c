/* SPDX-License-Identifier: BSD-2-Clause */

/* What a world says when nobody can go on, each in a process of its own. */
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/virtual/world.h"

/* Two fibers on two CPUs, and the one that waits for them. */
static void
run(void (*fn)(void *))
{
	static struct preset pr;
	struct virt_config vc = {
		.vc_preset = &pr,
		.vc_ncpus = 2,
	};
	struct preset_error pe;
	struct vfiber *fb[2];

	if (preset_open("clx-2s-104", &pr, &pe) != 0 || virt_begin(&vc) != 0)
		_exit(1);
	for (unsigned i = 0; i < 2; i++) {
		if (world_create(i, fn, NULL, &fb[i]) != 0)
			_exit(1);
	}
	world_join(fb[0]);
	world_join(fb[1]);
}

static void
sleep_for_ever(void *arg)
{
	(void)world_block("nothing", arg, VIRT_NEVER, NULL);
}

static void
spin_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		world_spin(1);
}

/* What a process says on standard error that ends with EX_SOFTWARE. */
static void
expect_stuck(void (*fn)(void *), const char *first, const char *word)
{
	char text[4096];
	size_t len = 0;
	ssize_t n;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		run(fn);
		_exit(0);
	}
	(void)close(fds[1]);
	while ((n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	(void)close(fds[0]);
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EX_SOFTWARE);
	assert_true(strncmp(text, first, strlen(first)) == 0);
	assert_non_null(strstr(text, "fiber 0, CPU 0: sleeps for the end of"));
	assert_non_null(strstr(text, "fiber 2, CPU 1:"));
	assert_non_null(strstr(text, word));
}

static void
a_deadlock_is_reported(void **state)
{
	(void)state;
	expect_stuck(sleep_for_ever, "deadlock:", "sleeps for nothing");
}

static void
a_livelock_is_reported(void **state)
{
	(void)state;
	expect_stuck(spin_for_ever, "livelock:", " runs");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deadlock_is_reported),
		cmocka_unit_test(a_livelock_is_reported),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
