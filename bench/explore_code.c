/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which function and line a place in the code is, by addr2line(1) where there is
 * one and the program has debugging information; else its address.
 *
 * A place is a return address: the call is in front of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "explore.h"

struct explore_code {
	size_t ec_n;
	struct code_place {
		uintptr_t cp_pc;
		char cp_text[96];
	} * ec_places; /* by address */
};

static int
compare_places(const void *a, const void *b)
{
	const struct code_place *x = a, *y = b;

	return ((x->cp_pc > y->cp_pc) - (x->cp_pc < y->cp_pc));
}

/* Start addr2line; what is written to *inp comes back from *outp. */
static pid_t
start(FILE *in, FILE **outp)
{
	char program[64];
	int fds[2];
	pid_t pid;

	/* In the child "self" is another. */
	(void)snprintf(
	    program, sizeof(program), "/proc/%ld/exe", (long)getpid());
	if (pipe(fds) != 0)
		return (-1);
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fileno(in), STDIN_FILENO);
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)close(fds[0]);
		(void)close(fds[1]);
		(void)freopen("/dev/null", "w", stderr);
		(void)execlp("addr2line", "addr2line", "-f", "-e", program,
		    (char *)NULL);
		_exit(127);
	}
	(void)close(fds[1]);
	*outp = pid < 0 ? NULL : fdopen(fds[0], "r");
	if (*outp == NULL)
		(void)close(fds[0]);
	return (pid);
}

/* "function\n" and "folder/file:line (...)\n" */
static bool
read_place(FILE *f, struct code_place *cp)
{
	char function[64], line[1024], *file, *end;

	if (fgets(line, sizeof(line), f) == NULL)
		return (false);
	line[strcspn(line, "\n")] = '\0';
	(void)snprintf(function, sizeof(function), "%.63s", line);
	if (fgets(line, sizeof(line), f) == NULL)
		return (false);
	if (function[0] == '?')
		return (true);
	line[strcspn(line, "\n")] = '\0';
	end = strstr(line, " (");
	if (end != NULL)
		*end = '\0';
	file = strrchr(line, '/');
	file = file != NULL ? file + 1 : line;
	(void)snprintf(cp->cp_text, sizeof(cp->cp_text), "%s %.30s", function,
	    file[0] == '?' ? "" : file);
	return (true);
}

static void
ask(struct explore_code *ec)
{
	FILE *in = tmpfile(), *out = NULL;
	int status;
	pid_t pid;

	if (in == NULL)
		return;
	for (size_t i = 0; i < ec->ec_n; i++)
		(void)fprintf(
		    in, "%#jx\n", (uintmax_t)ec->ec_places[i].cp_pc - 1);
	(void)fflush(in);
	rewind(in);
	pid = start(in, &out);
	if (pid > 0) {
		for (size_t i = 0; out != NULL && i < ec->ec_n; i++) {
			if (!read_place(out, &ec->ec_places[i]))
				break;
		}
		if (out != NULL)
			(void)fclose(out);
		(void)waitpid(pid, &status, 0);
	}
	(void)fclose(in);
}

struct explore_code *
explore_code_create(const uintptr_t *pcs, size_t n)
{
	struct explore_code *ec = bench_calloc(1, sizeof(*ec));
	size_t m = 0;

	ec->ec_places = bench_calloc(n + 1, sizeof(*ec->ec_places));
	for (size_t i = 0; i < n; i++)
		ec->ec_places[i].cp_pc = pcs[i];
	qsort(ec->ec_places, n, sizeof(*ec->ec_places), compare_places);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 ||
		    ec->ec_places[i].cp_pc != ec->ec_places[i - 1].cp_pc)
			ec->ec_places[m++] = ec->ec_places[i];
	}
	ec->ec_n = m;
	ask(ec);
	for (size_t i = 0; i < m; i++) {
		struct code_place *cp = &ec->ec_places[i];

		if (cp->cp_text[0] == '\0')
			(void)snprintf(cp->cp_text, sizeof(cp->cp_text), "%#jx",
			    (uintmax_t)cp->cp_pc);
	}
	return (ec);
}

void
explore_code_destroy(struct explore_code *ec)
{
	if (ec == NULL)
		return;
	free(ec->ec_places);
	free(ec);
}

const char *
explore_code_at(const struct explore_code *ec, uintptr_t pc)
{
	const struct code_place key = { .cp_pc = pc };
	const struct code_place *cp;

	cp = bsearch(&key, ec->ec_places, ec->ec_n, sizeof(*ec->ec_places),
	    compare_places);
	return (cp != NULL ? cp->cp_text : "?");
}
