/* SPDX-License-Identifier: BSD-2-Clause */

#include "script_min.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void
script_run_apart(const struct script_job *sj, const struct script_lines *sl,
    struct script_outcome *so)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE,
		SIGILL };
	struct script_job quiet = *sj;
	ssize_t n;
	int fds[2], status;
	pid_t pid;

	quiet.sj_diag = NULL;
	(void)fflush(NULL);
	if (pipe(fds) != 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		/* A test framework may have handlers that go on. */
		for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
			(void)signal(deadly[i], SIG_DFL);
		script_run(&quiet, sl, so);
		n = write(fds[1], so, sizeof(*so));
		_exit(n == (ssize_t)sizeof(*so) ? 0 : 1);
	}
	(void)close(fds[1]);
	/* Less than PIPE_BUF: it comes in one piece. */
	n = read(fds[0], so, sizeof(*so));
	(void)close(fds[0]);
	while (waitpid(pid, &status, 0) != pid)
		continue;
	if (n != (ssize_t)sizeof(*so)) {
		*so = (struct script_outcome){ .so_why = "died" };
		(void)snprintf(so->so_text, sizeof(so->so_text),
		    "the process died, status %#x", (unsigned)status);
	}
}

/* Does the script without lines [from, to) fail as before?  Then it is shorter. */
static bool
leave_out(const struct script_job *sj, struct script_lines *sl, size_t from,
    size_t to, struct script_outcome *so)
{
	struct script_lines less = { .sl_n = 0 };
	struct script_outcome now;
	bool same;

	for (size_t i = 0; i < sl->sl_n; i++) {
		if (i < from || i >= to)
			script_lines_add(&less, sl->sl_lines[i]);
	}
	script_run_apart(sj, &less, &now);
	same = !now.so_ok && strcmp(now.so_why, so->so_why) == 0;
	if (same) {
		*so = now;
		script_lines_free(sl);
		*sl = less;
	} else {
		script_lines_free(&less);
	}
	return (same);
}

void
script_minimise(const struct script_job *sj, struct script_lines *sl,
    struct script_outcome *so, unsigned max_runs)
{
	size_t at, chunk, end;
	bool shorter;

	/* Nothing after the failure matters, but for what the end shows. */
	if (so->so_line < sl->sl_n && max_runs > 0 &&
	    leave_out(sj, sl, so->so_line, sl->sl_n, so))
		max_runs--;
	for (chunk = sl->sl_n / 2; chunk > 0;
	     chunk = shorter && chunk == 1 ? 1 : chunk / 2) {
		shorter = false;
		for (at = sl->sl_n; at > 0 && max_runs > 0;
		     at = at > sl->sl_n ? sl->sl_n : at) {
			end = at;
			at = at > chunk ? at - chunk : 0;
			max_runs--;
			shorter |= leave_out(sj, sl, at, end, so);
		}
		if (max_runs == 0)
			return;
	}
}
