/* SPDX-License-Identifier: BSD-2-Clause */

#include "script_util.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "pmapsim/panic.h"

void
script_lines_add(struct script_lines *sl, const char *line)
{
	if (sl->sl_n == sl->sl_max) {
		sl->sl_max = sl->sl_max * 2 + 16;
		sl->sl_lines =
		    realloc(sl->sl_lines, sl->sl_max * sizeof(char *));
		if (sl->sl_lines == NULL)
			abort();
	}
	sl->sl_lines[sl->sl_n] = strdup(line);
	if (sl->sl_lines[sl->sl_n++] == NULL)
		abort();
}

void
script_lines_free(struct script_lines *sl)
{
	for (size_t i = 0; i < sl->sl_n; i++)
		free(sl->sl_lines[i]);
	free(sl->sl_lines);
	*sl = (struct script_lines){ .sl_n = 0 };
}

void
script_lines_split(struct script_lines *sl, const char *text)
{
	const char *p;
	char *line;
	size_t len;

	for (p = text; *p != '\0'; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		line = strndup(p, len);
		if (line == NULL)
			abort();
		script_lines_add(sl, line);
		free(line);
	}
}

char *
script_read_file(const char *path)
{
	struct script_out text = { .so_buf = NULL };
	FILE *f = fopen(path, "r");
	char buf[8192];
	size_t n;

	if (f == NULL)
		return (NULL);
	script_out_add(&text, "", 0);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		script_out_add(&text, buf, n);
	(void)fclose(f);
	if (text.so_failed)
		abort();
	return (text.so_buf);
}

static jmp_buf panicked;
static char panic_text[512];

static void
catch_panic(const char *file, int line, const char *msg)
{
	(void)snprintf(
	    panic_text, sizeof(panic_text), "%s:%d: %s", file, line, msg);
	longjmp(panicked, 1);
}

static void went_wrong(struct script_outcome *so, const char *why,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void
went_wrong(struct script_outcome *so, const char *why, const char *fmt, ...)
{
	va_list ap;

	if (!so->so_ok)
		return;
	so->so_ok = false;
	(void)snprintf(so->so_why, sizeof(so->so_why), "%s", why);
	va_start(ap, fmt);
	(void)vsnprintf(so->so_text, sizeof(so->so_text), fmt, ap);
	va_end(ap);
}

struct run {
	const struct script_job *job;
	struct script *s;
	struct model *mo;
	struct script_out got;
	struct script_out want;
	struct script_outcome *so;
};

/* Where two texts part: some of each. */
static void
differ(struct run *r, const char *line)
{
	const char *a = r->got.so_buf, *b = r->want.so_buf;
	char why[sizeof(r->so->so_why)];
	size_t i = 0;

	while (a[i] != '\0' && a[i] == b[i])
		i++;
	while (i > 0 && a[i - 1] != '\n')
		i--;
	(void)snprintf(
	    why, sizeof(why), "differs:%.*s", (int)strcspn(line, " "), line);
	went_wrong(r->so, why, "%s\n  pmap:  %.300s\n  model: %.300s", line,
	    a + i, b + i);
}

static void
check_now(struct run *r, const char *line)
{
	struct machine *m = script_machine(r->s);

	if (m == NULL)
		return;
	if (machine_check(m, r->job->sj_diag) != 0)
		went_wrong(
		    r->so, "violation", "%s: an invariant does not hold", line);
}

static void
run_op(struct run *r, const struct script_op *op, const char *line,
    unsigned lineno)
{
	int error;

	script_out_clear(&r->got);
	error = script_exec(r->s, op, &r->got);
	if (error == ENOMEM)
		abort();
	/* Line 0 is none of the script's. */
	if (r->job->sj_out != NULL && lineno != 0)
		script_print(r->job->sj_out, lineno, line, r->got.so_buf);
	r->so->so_ops++;
	if (error == EINVAL) {
		r->so->so_refused++;
		return;
	}
	if (r->job->sj_model) {
		script_out_clear(&r->want);
		model_exec(r->mo, op, &r->want);
		if (strcmp(r->got.so_buf, r->want.so_buf) != 0)
			differ(r, line);
	}
	if (r->job->sj_check_every != 0 &&
	    r->so->so_ops % r->job->sj_check_every == 0)
		check_now(r, line);
}

static void
run_line(struct run *r, const char *line, unsigned lineno)
{
	struct script_op op;
	char err[256], result[300];

	if (r->job->sj_hook != NULL)
		r->job->sj_hook(r->s, lineno);
	r->so->so_line = lineno;
	if (script_parse(line, &op, err, sizeof(err)) != 0) {
		r->so->so_ops++;
		r->so->so_refused++;
		(void)snprintf(result, sizeof(result), "error: %s", err);
		if (r->job->sj_out != NULL)
			script_print(r->job->sj_out, lineno, line, result);
	} else if (op.so_code != SCRIPT_NONE) {
		run_op(r, &op, line, lineno);
	}
}

/* All that can be seen in the end. */
static void
end_state(struct run *r)
{
	const struct model_map *map;
	char line[SCRIPT_NAME_MAX + 8];
	struct script_op op;
	char err[256];

	if (script_machine(r->s) == NULL)
		return;
	for (map = r->mo->maps; map != NULL && r->so->so_ok; map = map->next) {
		(void)snprintf(line, sizeof(line), "dump %s", map->name);
		(void)script_parse(line, &op, err, sizeof(err));
		run_op(r, &op, line, 0);
		op.so_code = SCRIPT_STAT;
		run_op(r, &op, "stat", 0);
	}
	op = (struct script_op){ .so_code = SCRIPT_PAGES };
	run_op(r, &op, "pages", 0);
	check_now(r, "end");
}

void
script_run(const struct script_job *sj, const struct script_lines *sl,
    struct script_outcome *so)
{
	const struct script_config sc = {
		.sc_design = sj->sj_design,
		.sc_diag = sj->sj_diag,
	};
	/* Static: they are looked at after longjmp(). */
	static struct run r;
	panic_handler_fn *before = panic_handler;
	struct thread *td = machine_thread_self();

	*so = (struct script_outcome){ .so_ok = true };
	r = (struct run){ .job = sj, .so = so };
	r.s = script_create(&sc);
	r.mo = model_create(sj->sj_version);
	if (r.s == NULL)
		abort();
	panic_handler = catch_panic;
	if (setjmp(panicked) == 0) {
		for (size_t i = 0; i < sl->sl_n && so->so_ok; i++)
			run_line(&r, sl->sl_lines[i], (unsigned)i + 1);
		if (so->so_ok && sj->sj_end_state)
			end_state(&r);
		if (script_destroy(r.s) != 0)
			went_wrong(so, "leak", "the machine has leaked");
	} else {
		went_wrong(so, "panic", "panic: %s", panic_text);
		script_abandon(r.s);
		machine_thread_use(td);
	}
	panic_handler = before;
	script_out_free(&r.got);
	script_out_free(&r.want);
	model_destroy(r.mo);
}

void
script_save(const struct script_lines *sl, const char *prefix,
    const struct script_outcome *so, char *name, size_t size)
{
	uint64_t h = 0;
	FILE *f;

	for (size_t i = 0; i < sl->sl_n; i++)
		h ^= script_hash(sl->sl_lines[i], strlen(sl->sl_lines[i])) + i;
	(void)snprintf(name, size, "%s-%016jx.txt", prefix, (uintmax_t)h);
	f = fopen(name, "w");
	if (f == NULL) {
		(void)snprintf(name, size, "(%s cannot be written)", prefix);
		return;
	}
	(void)fprintf(f, "# %s\n", so->so_why);
	for (size_t i = 0; i < sl->sl_n; i++)
		(void)fprintf(f, "%s\n", sl->sl_lines[i]);
	(void)fclose(f);
}
