/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pmapsim script: runs scripts of pmap operations, and compares their answers
 * with recorded ones.
 */

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "opt.h"
#include "pmapsim/machine.h"
#include "pmapsim/panic.h"
#include "pmapsim/script.h"

struct script_cmd {
	const char *sc_version;
	const char *sc_design_text;
	const char *sc_expect;
	bool sc_check;
	bool sc_verify;

	char *sc_design;
};

#define SC(field) offsetof(struct script_cmd, field)

static const struct opt script_opts[] = {
	{ "pmap", "VERSION", OPT_STRING, SC(sc_version), 0, 0,
	    "whose pmap: 12.1, 12.3, 14 or main (default 14); wins\n"
	    "over a pmap= in the design" },
	{ "design", "D", OPT_STRING, SC(sc_design_text), 0, 0,
	    "a design, see \"pmapsim list designs\" (default sparse/rwlock);\n"
	    "of its options only pmap=, superpages=off and bug= change\n"
	    "what a script prints" },
	{ "check", NULL, OPT_FLAG, SC(sc_check), 0, 0,
	    "check every invariant after every operation; slow" },
	{ "verify", NULL, OPT_FLAG, SC(sc_verify), 0, 0,
	    "instead of printing, compare with X.expect, or with\n"
	    "X.expect-VERSION, beside each X.txt; tests/vectors has\n"
	    "recorded 12.1, 12.3 and 14, and nothing of main" },
	{ "expect", "FILE", OPT_STRING, SC(sc_expect), 0, 0,
	    "instead of printing, compare with FILE (one script only)" },
	{ .o_name = NULL },
};

/* Where a panic finds us: one thread, one script. */
static struct {
	const char *path;
	unsigned line;
	struct script_out *out;
} running;

/*
 * The output up to here, and a line that ends it.  The thread that panicked is
 * the only one there is, so that output can be written.
 */
static void
on_script_panic(const char *file, int line, const char *msg)
{
	if (running.out != NULL && running.out->so_len > 0)
		(void)fwrite(
		    running.out->so_buf, 1, running.out->so_len, stdout);
	(void)printf("PANIC: %s\n", msg);
	(void)fflush(stdout);
	warnx("%s:%u: panic at %s:%d: %s", running.path, running.line, file,
	    line, msg);
	_Exit(EX_SOFTWARE);
}

/* All of a stream as text; ferror() afterwards. */
static void
read_all(FILE *f, struct script_out *text)
{
	char buf[4096];
	size_t n;

	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		script_out_add(text, buf, n);
	if (text->so_failed)
		errx(EX_OSERR, "out of memory");
}

static int
read_file(const char *path, struct script_out *text)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *f = standard ? stdin : fopen(path, "r");
	int error = 0;

	if (f == NULL) {
		error = errno;
		warn("%s", path);
		return (bench_exit_status(error));
	}
	errno = 0;
	read_all(f, text);
	if (ferror(f) != 0) {
		error = errno != 0 ? errno : EIO;
		warnx("%s: %s", path, strerror(error));
	}
	if (!standard)
		(void)fclose(f);
	return (bench_exit_status(error));
}

static const char *
shown(const char *path)
{
	return (strcmp(path, "-") == 0 ? "(stdin)" : path);
}

/* Run the lines of a script, output to out. */
static int
run_lines(struct script *s, const char *path, const struct script_out *text,
    struct script_out *out)
{
	char err[256], *line;
	const char *end, *p = text->so_len > 0 ? text->so_buf : "";
	unsigned n = 0;
	int error = 0;

	while (*p != '\0' && error == 0) {
		end = strchr(p, '\n');
		if (end == NULL)
			end = p + strlen(p);
		line = bench_calloc((size_t)(end - p) + 1, 1);
		memcpy(line, p, (size_t)(end - p));
		running.line = ++n;
		error = script_line(s, n, line, out, err, sizeof(err));
		free(line);
		p = *end == '\n' ? end + 1 : end;
	}
	switch (error) {
	case 0:
		return (0);
	case EINVAL:
		warnx("%s:%u: %s", path, n, err);
		return (EX_DATAERR);
	case EFAULT:
		warnx("%s:%u: %u violations, expected none", path, n,
		    script_violations(s));
		return (EX_SOFTWARE);
	default:
		warnx("%s:%u: out of memory", path, n);
		return (EX_OSERR);
	}
}

static int
run_script(const struct script_cmd *sc, const char *path,
    const struct script_out *text, struct script_out *out)
{
	const struct script_config config = {
		.sc_design = sc->sc_design,
		.sc_check = sc->sc_check,
		.sc_diag = stderr,
	};
	panic_handler_fn *before = panic_handler;
	struct script *s = script_create(&config);
	uint64_t leaked;
	int status;

	if (s == NULL)
		errx(EX_OSERR, "out of memory");
	running.path = path;
	running.out = out;
	panic_handler = on_script_panic;
	status = run_lines(s, path, text, out);
	leaked = script_destroy(s);
	panic_handler = before;
	running.out = NULL;
	if (leaked != 0 && status == 0) {
		warnx("%s: the machine leaked %ju bytes", path,
		    (uintmax_t)leaked);
		status = EX_SOFTWARE;
	}
	return (status);
}

/* Length of the line at p, without its end. */
static size_t
line_length(const char *p)
{
	return (strcspn(p, "\n"));
}

/* Compare two outputs, and show where they part. */
static int
compare_outputs(const char *path, const char *expect_path, const char *got,
    const char *expected)
{
	unsigned n = 1;
	size_t len;

	while (*got != '\0' || *expected != '\0') {
		len = line_length(got);
		if (len != line_length(expected) ||
		    memcmp(got, expected, len) != 0 ||
		    got[len] != expected[len])
			break;
		got += len + (got[len] != '\0');
		expected += len + (expected[len] != '\0');
		n++;
	}
	if (*got == '\0' && *expected == '\0') {
		(void)printf("%s: as in %s\n", path, expect_path);
		return (0);
	}
	(void)printf(
	    "%s: differs from %s at its line %u\n", path, expect_path, n);
	got = *got != '\0' ? got : "(end)";
	expected = *expected != '\0' ? expected : "(end)";
	(void)printf("  expected: %.*s\n  found:    %.*s\n",
	    (int)line_length(expected), expected, (int)line_length(got), got);
	return (EX_VOID);
}

static bool
can_read(const char *path)
{
	FILE *f = fopen(path, "r");

	if (f != NULL)
		(void)fclose(f);
	return (f != NULL);
}

/*
 * The file with the expected output of the script at path, or NULL, having said
 * that there is none.
 */
static char *
expect_path(const struct script_cmd *sc, const char *path)
{
	static const char suffix[] = ".txt";
	size_t len = strlen(path);
	char *any, *versioned;

	if (sc->sc_expect != NULL)
		return (bench_strdup(sc->sc_expect));
	if (len >= strlen(suffix) &&
	    strcmp(path + len - strlen(suffix), suffix) == 0)
		len -= strlen(suffix);
	any = bench_asprintf("%.*s.expect", (int)len, path);
	if (can_read(any))
		return (any);
	versioned = bench_asprintf("%s-%s", any, sc->sc_version);
	if (!can_read(versioned)) {
		warnx("%s or %s: %s", any, versioned, strerror(errno));
		free(versioned);
		versioned = NULL;
	}
	free(any);
	return (versioned);
}

static int
verify(
    const struct script_cmd *sc, const char *path, const struct script_out *out)
{
	struct script_out expected = { .so_buf = NULL };
	char *name = expect_path(sc, path);
	int status;

	if (name == NULL)
		return (EX_NOINPUT);
	status = read_file(name, &expected);
	if (status == 0)
		status = compare_outputs(shown(path), name,
		    out->so_len > 0 ? out->so_buf : "",
		    expected.so_len > 0 ? expected.so_buf : "");
	script_out_free(&expected);
	free(name);
	return (status);
}

static int
do_file(const struct script_cmd *sc, const char *path)
{
	struct script_out out = { .so_buf = NULL }, text = { .so_buf = NULL };
	bool comparing = sc->sc_verify || sc->sc_expect != NULL;
	int status;

	status = read_file(path, &text);
	if (status == 0 && text.so_len > 0 &&
	    memchr(text.so_buf, '\0', text.so_len) != NULL) {
		warnx("%s: expected text, found a byte 0", shown(path));
		status = EX_DATAERR;
	}
	if (status == 0) {
		status = run_script(sc, shown(path), &text, &out);
		if (!comparing && out.so_len > 0)
			(void)fwrite(out.so_buf, 1, out.so_len, stdout);
	}
	if (status == 0 && comparing)
		status = verify(sc, path, &out);
	script_out_free(&text);
	script_out_free(&out);
	return (status);
}

/* Complete the design; said by name which version, an option says it too. */
static int
configure(struct script_cmd *sc)
{
	char err[256] = "";
	struct design d;

	if (sc->sc_design_text == NULL)
		sc->sc_design_text = "sparse/rwlock";
	if (design_parse(sc->sc_design_text, NULL, &d, err, sizeof(err)) != 0) {
		warnx("--design: %s", err);
		return (EX_USAGE);
	}
	if (sc->sc_version == NULL) {
		sc->sc_version = "14";
		if (strstr(sc->sc_design_text, "+pmap=") != NULL)
			sc->sc_version = pmap_version_name(d.d_pmap);
	}
	for (int v = 0; v < PMAP_VERSION_COUNT; v++) {
		if (strcmp(pmap_version_name((enum pmap_version)v),
			sc->sc_version) != 0)
			continue;
		sc->sc_design = bench_asprintf(
		    "%s+pmap=%s", sc->sc_design_text, sc->sc_version);
		return (0);
	}
	warnx(
	    "--pmap: \"%s\": expected 12.1, 12.3, 14 or main", sc->sc_version);
	return (EX_USAGE);
}

static int
script_main(int argc, char *argv[])
{
	struct script_cmd sc = { .sc_version = NULL };
	int error, rest, status = 0;

	error = opt_parse(script_opts, argc, argv, &sc, &rest);
	if (error != 0)
		return (error);
	if (rest == argc) {
		warnx("script: expected files, or \"-\" for standard input");
		return (EX_USAGE);
	}
	if (sc.sc_expect != NULL && argc - rest != 1) {
		warnx("script: --expect: expected one script, found %d",
		    argc - rest);
		return (EX_USAGE);
	}
	error = configure(&sc);
	if (error != 0)
		return (error);
	/* All scripts are run; the first that fails decides the status. */
	for (int i = rest; i < argc; i++) {
		error = do_file(&sc, argv[i]);
		if (status == 0)
			status = error;
	}
	free(sc.sc_design);
	return (status);
}

const struct command cmd_script = {
	.c_name = "script",
	.c_args = "FILE...",
	.c_brief = "pmap operations one by one, and what each answers",
	.c_opts = script_opts,
	.c_run = script_main,
	.c_descr =
	    "Runs scripts of pmap operations and prints each operation with its "
	    "result.  A\nscript is text, one operation a line, \"#\" starts a "
	    "comment; \"-\" is standard input.\nNumbers are decimal or "
	    "hexadecimal, addresses bytes, an END is excluded.\n\n"
	    "  machine seg=START-END[:DOMAIN]... [nosuper]      comes first\n"
	    "  reserv PA full|partial        shortage [pt=N] [pv=N] | off\n"
	    "  pmap NAME                     release NAME\n"
	    "  enter NAME VA PA prot=rwx [access=r|w|x] [wired] "
	    "[psind=0|1]\n"
	    "        [nosleep] [unmanaged]\n"
	    "  enter_range NAME START END PA prot=rwx ...\n"
	    "  enter_quick NAME VA PA prot=rwx\n"
	    "  enter_object NAME START END PA prot=rwx\n"
	    "  remove NAME START END         remove_pages NAME\n"
	    "  protect NAME START END prot=rwx|none\n"
	    "  unwire NAME START END         advise NAME START END "
	    "dontneed|free\n"
	    "  copy DST SRC DSTVA LEN SRCVA\n"
	    "  remove_all PA                 remove_write PA\n"
	    "  clear_modify PA               unref PA, undirty PA\n"
	    "  touch NAME VA r|w|x           touch_range NAME START END "
	    "r|w|x\n"
	    "  extract NAME VA               extract_hold NAME VA prot=rw\n"
	    "  mincore NAME VA               is_prefaultable NAME VA\n"
	    "  is_modified PA                is_referenced PA\n"
	    "  ts_referenced PA              page_wired_mappings PA\n"
	    "  page_is_mapped PA             page_exists_quick NAME PA\n"
	    "  dump NAME, digest NAME        every mapping, or a hash of them\n"
	    "  pages, pages_digest           every frame that has something to "
	    "tell\n"
	    "  stat NAME                     page PA\n\n"
	    "tests/vectors/FORMAT.md explains each, and the rules behind the "
	    "answers.  A line\nthat is malformed has the result \"error: "
	    "...\" and ends the script with status 65;\na panic prints a line "
	    "PANIC and ends the program with status 70.\n",
	.c_examples = "  pmapsim script tests/vectors/public/h07-promote.txt\n"
		      "      what it takes to get a superpage\n"
		      "  pmapsim script --verify tests/vectors/public/*.txt\n"
		      "      compare with what FreeBSD answered\n"
		      "  pmapsim script --pmap 12.1 --check --design "
		      "hashed/gen2 -\n"
		      "      an older pmap, every invariant checked, from "
		      "standard input\n",
};
