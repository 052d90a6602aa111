/* SPDX-License-Identifier: BSD-2-Clause */

#include "bug_util.h"

#include <sys/wait.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kern/sanitizer.h"

#define STATUS_CAUGHT 3

const char *bug_design;

#define REPORT_FD 3 /* of the process that plays */

_Noreturn void
bug_caught(const char *text)
{
	if (write(REPORT_FD, text, strlen(text)) < 0)
		_exit(1);
	_exit(STATUS_CAUGHT);
}

static void
caught_panic(const char *file, int line, const char *msg)
{
	char text[512];

	(void)snprintf(
	    text, sizeof(text), "%s:%d: panic: %s\n", file, line, msg);
	bug_caught(text);
}

void
bug_check(struct machine *ma)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	out = open_memstream(&text, &size);
	if (out == NULL)
		_exit(1);
	if (machine_check(ma, out) != 0) {
		(void)fclose(out);
		bug_caught(text);
	}
	(void)fclose(out);
	free(text);
}

void
bug_begin(void)
{
	su_design = bug_design;
	(void)su_setup(NULL);
}

void
bug_end(void)
{
	bug_check(su_pu.pu_ma);
	(void)su_teardown(NULL);
}

void
bug_object(struct vm_page *m, unsigned npages)
{
	for (unsigned i = 0; i < npages; i++) {
		m[i].pindex = i;
		m[i].listq_next = i + 1 < npages ? &m[i + 1] : NULL;
	}
}

struct vm_page *
bug_super_object(void)
{
	struct vm_page *m = su_run();

	bug_object(m, NRUN);
	pmap_enter_object(su_p, VA, END, m, R);
	assert_true(su_is_super(su_p, VA));
	return (m);
}

_Noreturn void
bug_play(const struct bug_scene *bs, bool on)
{
	char design[128];

	(void)snprintf(design, sizeof(design), "%s%s%s",
	    bs->bs_design != NULL ? bs->bs_design : "sparse/gen2",
	    on ? "+bug=" : "", on ? bs->bs_bug : "");
	bug_design = design;
	/* To die is a way to be caught, not one to be explained at length. */
	(void)signal(SIGSEGV, SIG_DFL);
	(void)signal(SIGBUS, SIG_DFL);
	panic_handler = caught_panic;
	bs->bs_play();
	_exit(0);
}

/* What the scene said until it closed the pipe. */
static void
listen(int fd, char *text, size_t size)
{
	char more[256];
	size_t n = 0;
	ssize_t got;

	do {
		got = n < size - 1 ? read(fd, text + n, size - 1 - n)
				   : read(fd, more, sizeof(more));
		if (got > 0 && n < size - 1)
			n += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	text[n] = '\0';
}

bool
bug_wanted(int argc, char *argv[], unsigned *np, bool *onp)
{
	int on;

	if (argc != 3 || strcmp(argv[1], "--play") != 0 ||
	    sscanf(argv[2], "%u.%d", np, &on) != 2)
		return (false);
	*onp = on != 0;
	return (true);
}

void
bug_run(char *self, unsigned n, bool on, char *text, size_t size)
{
	extern char **environ;
	char word[32], option[] = "--play";
	char *argv[] = { self, option, word, NULL };
	posix_spawn_file_actions_t fa;
	int fds[2], status;
	pid_t pid;

	(void)snprintf(word, sizeof(word), "%u.%d", n, on);
	assert_int_equal(pipe(fds), 0);
	(void)fflush(NULL);
	/* Not fork() alone: a sanitizer's runtime does not outlive it well. */
	assert_int_equal(posix_spawn_file_actions_init(&fa), 0);
	assert_int_equal(
	    posix_spawn_file_actions_adddup2(&fa, fds[1], REPORT_FD), 0);
	if (fds[1] != REPORT_FD)
		assert_int_equal(
		    posix_spawn_file_actions_addclose(&fa, fds[1]), 0);
	assert_int_equal(posix_spawn(&pid, self, &fa, NULL, argv, environ), 0);
	(void)posix_spawn_file_actions_destroy(&fa);
	(void)close(fds[1]);
	listen(fds[0], text, size);
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_CAUGHT)
		return;
	/* A sanitizer ends it in its own way. */
	if (WIFSIGNALED(status) ||
	    (SANITIZED && WEXITSTATUS(status) != 0 &&
		WEXITSTATUS(status) != 255))
		(void)snprintf(text, size, "%s\n", BUG_DIES);
	else if (WEXITSTATUS(status) != 0)
		/* An assertion that is none about the fault. */
		(void)snprintf(text, size, "the scene itself failed\n");
}
