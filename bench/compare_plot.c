/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The drawing: on top, where the time goes, a stacked bar for each design; below,
 * CPUs that wait for the pv list lock over time.  Of the largest number of
 * threads.  gnuplot reads its program from a pipe; nothing is written but the
 * picture.
 */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench.h"
#include "compare_virtual.h"
#include "table.h"

static const char *
suffix_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	return (dot != NULL ? dot : "");
}

/* Is there a program of this name in PATH? */
static bool
in_path(const char *program)
{
	const char *path = getenv("PATH");

	while (path != NULL && *path != '\0') {
		size_t len = strcspn(path, ":");
		char *file = bench_asprintf("%.*s/%s", (int)len, path, program);
		bool found = access(file, X_OK) == 0;

		free(file);
		if (found)
			return (true);
		path += len + (path[len] == ':');
	}
	return (false);
}

int
compare_plot_check(const struct compare *co)
{
	const char *suffix;

	if (co->co_plot == NULL)
		return (0);
	suffix = suffix_of(co->co_plot);
	if (strcmp(suffix, ".svg") != 0 && strcmp(suffix, ".png") != 0) {
		warnx("--plot: \"%s\": expected a name that ends in .svg or "
		      ".png",
		    co->co_plot);
		return (EX_USAGE);
	}
	if (!in_path("gnuplot")) {
		warnx("--plot: expected gnuplot in PATH; it is not installed");
		return (EX_UNAVAILABLE);
	}
	return (0);
}

/* The areas of a bar; what waits is the red ones. */
struct area {
	const char *ar_text;
	const char *ar_color;
};

static const struct area areas[] = {
	{ "compute", "#4e79a7" },
	{ "hits", "#76b7b2" },
	{ "local misses", "#f1ce63" },
	{ "remote misses", "#f28e2b" },
	{ "line queueing", "#b6992d" },
	{ "waiting for pv list", "#e15759" },
	{ "waiting for other locks", "#ff9da7" },
	{ "idle or no CPU", "#bab0ac" },
};

/* All of a class, or of all locks but one. */
static uint64_t
locks_ps(const struct virtual_result *vr, const char *name, bool others)
{
	uint64_t ps = 0;

	for (unsigned c = 1; c < vr->vr_nclasses; c++) {
		bool same = strcmp(vr->vr_class[c].vc_name, name) == 0;

		for (unsigned t = 0; same != others && t < NVT; t++)
			ps += vr->vr_class[c].vc_ps[t];
	}
	return (ps);
}

static uint64_t
area_ps(const struct virtual_result *vr, unsigned area)
{
	const uint64_t *work = vr->vr_class[0].vc_ps;

	switch (area) {
	case 0:
		return (work[VT_COMPUTE] + work[VT_SPIN]);
	case 1:
		return (work[VT_HIT]);
	case 2:
		return (work[VT_LOCAL]);
	case 3:
		return (work[VT_REMOTE]);
	case 4:
		return (work[VT_QUEUE]);
	case 5:
		return (locks_ps(vr, COMPARE_VIRTUAL_PV, false));
	case 6:
		return (locks_ps(vr, COMPARE_VIRTUAL_PV, true));
	default:
		return (work[VT_BLOCKED] + work[VT_READY]);
	}
}

/* A string for gnuplot: '' is a quote in single quotes. */
static void
put_string(FILE *f, const char *s)
{
	(void)fputc('\'', f);
	for (; *s != '\0'; s++) {
		if (*s == '\'')
			(void)fputc('\'', f);
		(void)fputc(*s, f);
	}
	(void)fputc('\'', f);
}

/* A design's name, broken where it is in tables; "\\n" is gnuplot's. */
static void
put_label(FILE *f, const char *design)
{
	char *name = table_break_name(design, 14);

	(void)fputc('"', f);
	for (const char *s = name; *s != '\0'; s++) {
		if (*s == '\n')
			(void)fputs("\\n", f);
		else
			(void)fputc(*s, f);
	}
	(void)fputc('"', f);
	free(name);
}

static void
put_data(const struct compare *co, const struct series *se, FILE *f)
{
	(void)fprintf(f, "$stack << END\n");
	for (size_t d = 0; d < co->co_ndesigns; d++) {
		const struct virtual_result *vr =
		    compare_virtual_first(co, se, d);

		if (vr == NULL)
			continue;
		put_label(f, co->co_designs[d]);
		for (unsigned a = 0; a < nitems(areas); a++)
			(void)fprintf(
			    f, " %.4f", virtual_cpus(vr, area_ps(vr, a)));
		(void)fprintf(f, "\n");
	}
	(void)fprintf(f, "END\n$waiting << END\n");
	for (unsigned i = 0; i < VSTAT_INTERVALS; i++) {
		(void)fprintf(f, "%.4f",
		    ((double)i + 0.5) * (double)co->co_wc.wc_measure_ns / 1e6 /
			VSTAT_INTERVALS);
		for (size_t d = 0; d < co->co_ndesigns; d++) {
			const struct virtual_result *vr =
			    compare_virtual_first(co, se, d);
			const struct virtual_class *vc = vr != NULL
			    ? virtual_class_find(vr, COMPARE_VIRTUAL_PV)
			    : NULL;

			(void)fprintf(f, " %.4f",
			    vc != NULL
				? stats_ratio((double)vc->vc_waited_ps[i],
				      (double)vr->vr_interval_ps)
				: 0);
		}
		(void)fprintf(f, "\n");
	}
	(void)fprintf(f, "END\n");
}

static void
put_plots(const struct compare *co, const struct series *se, FILE *f)
{
	char *title = bench_asprintf(
	    "%s on %s, modelled: %u threads, %u CPUs, virtual time",
	    co->co_wc.wc_name, co->co_host->pr_name, se->se_threads,
	    se->se_cpus);

	(void)fprintf(f,
	    "set termoption noenhanced\nset lmargin 9\nset rmargin 28\n"
	    "set multiplot layout 2,1 title ");
	put_string(f, title);
	free(title);
	(void)fprintf(f,
	    "\nset style data histograms\nset style histogram rowstacked\n"
	    "set style fill solid 0.9 border -1\nset boxwidth 0.6\n"
	    "set key outside right invert\n"
	    "set ylabel 'mean CPUs'\nset yrange [0:*]\n"
	    "set xtics font ',9'\nset grid ytics\n"
	    "set title 'Where the time goes'\nplot ");
	for (unsigned a = 0; a < nitems(areas); a++) {
		(void)fprintf(f, "%s$stack using %u%s title '%s' lc rgb '%s'",
		    a > 0 ? ", " : "", a + 2, a == 0 ? ":xtic(1)" : "",
		    areas[a].ar_text, areas[a].ar_color);
	}
	(void)fprintf(f,
	    "\nset key outside right noinvert\n"
	    "set title 'CPUs waiting for " COMPARE_VIRTUAL_PV
	    "'\nset xlabel 'virtual ms of the measured interval'\n"
	    "set ylabel 'CPUs'\nset xtics auto\nplot ");
	for (size_t d = 0; d < co->co_ndesigns; d++) {
		(void)fprintf(f,
		    "%s$waiting using 1:%zu with lines lw 2 title ",
		    d > 0 ? ", " : "", d + 2);
		put_string(f, co->co_designs[d]);
	}
	(void)fprintf(f, "\nunset multiplot\n");
}

/* gnuplot with its standard input in *fp; its process, or -1. */
static pid_t
start_gnuplot(FILE **fp)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds) != 0)
		return (-1);
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[0], STDIN_FILENO);
		(void)close(fds[0]);
		(void)close(fds[1]);
		(void)execlp("gnuplot", "gnuplot", (char *)NULL);
		_exit(127);
	}
	(void)close(fds[0]);
	*fp = pid > 0 ? fdopen(fds[1], "w") : NULL;
	if (*fp == NULL)
		(void)close(fds[1]);
	return (pid);
}

int
compare_plot(const struct compare *co)
{
	const struct series *se = &co->co_series[0];
	int status = 0;
	FILE *f;
	pid_t pid;

	for (size_t s = 1; s < co->co_nseries; s++) {
		if (co->co_series[s].se_threads > se->se_threads)
			se = &co->co_series[s];
	}
	(void)signal(SIGPIPE, SIG_IGN);
	pid = start_gnuplot(&f);
	if (pid < 0 || f == NULL) {
		warn("gnuplot");
		return (EX_OSERR);
	}
	(void)fprintf(f,
	    strcmp(suffix_of(co->co_plot), ".svg") == 0
		? "set terminal svg size 1000,900 font 'sans,12' background "
		  "'white'\n"
		: "set terminal pngcairo size 1000,900 font 'sans,11'\n");
	(void)fprintf(f, "set output ");
	put_string(f, co->co_plot);
	(void)fprintf(f, "\n");
	put_data(co, se, f);
	put_plots(co, se, f);
	if (fclose(f) != 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		warnx("%s: gnuplot could not draw it", co->co_plot);
		return (EX_CANTCREAT);
	}
	return (0);
}
