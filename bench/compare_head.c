/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands around the tables: where and how it was measured, what does not
 * count, and whether the goals are met.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "compare.h"
#include "maps.h"
#include "pmapsim/machine.h"

#define LINE_WIDTH 96

static double
seconds(uint64_t ns)
{
	return ((double)ns / 1e9);
}

/* A word of the command; breaks the line before it gets too long. */
static void
print_word(const struct compare *co, size_t *columnp, const char *word)
{
	if (*columnp + 1 + strlen(word) > LINE_WIDTH - 2) {
		(void)fprintf(co->co_out, " \\\n              ");
		*columnp = 14;
	}
	(void)fprintf(co->co_out, " %s", word);
	*columnp += 1 + strlen(word);
}

static void
print_option(
    const struct compare *co, size_t *columnp, const char *name, char *value)
{
	/* For a shell, unless somebody has a quote in the name of a file. */
	bool plain =
	    value[strspn(value,
		"abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+,-./:=_")] == '\0';
	char *word =
	    bench_asprintf(plain ? "--%s %s" : "--%s '%s'", name, value);

	print_word(co, columnp, word);
	free(word);
	free(value);
}

static char *
join_numbers(const unsigned *numbers, size_t n)
{
	char **all = bench_calloc(n, sizeof(all[0])), *text;

	for (size_t i = 0; i < n; i++)
		all[i] = bench_asprintf("%u", numbers[i]);
	text = bench_join(all, n, ",");
	for (size_t i = 0; i < n; i++)
		free(all[i]);
	free(all);
	return (text);
}

static char *
join_threads(const struct compare *co)
{
	return (join_numbers(co->co_threads, co->co_nthreads));
}

/* The modelled host. */
static void
print_virtual(const struct compare *co, size_t *columnp)
{
	print_option(co, columnp, "virtual", bench_strdup(co->co_virtual));
	print_option(
	    co, columnp, "cpus", join_numbers(co->co_cpus, co->co_nthreads));
	if (co->co_set != NULL)
		print_option(co, columnp, "set", bench_strdup(co->co_set));
}

/* Everything that decides the result, also where a default did. */
void
compare_print_command(const struct compare *co)
{
	const struct workload_config *wc = &co->co_wc;
	size_t column = 8;

	(void)fprintf(co->co_out, "again   ");
	print_word(co, &column, "pmapsim compare");
	if (co->co_virtual != NULL)
		print_virtual(co, &column);
	print_option(co, &column, "map",
	    bench_strdup(co->co_map != NULL ? co->co_map : MAPS_DEFAULT));
	print_option(co, &column, "workload", bench_strdup(wc->wc_name));
	print_option(co, &column, "threads", join_threads(co));
	print_option(co, &column, "designs",
	    bench_join(co->co_designs, co->co_ndesigns, ","));
	print_option(co, &column, "seconds",
	    bench_asprintf("%g", seconds(wc->wc_measure_ns)));
	print_option(
	    co, &column, "repeats", bench_asprintf("%u", co->co_repeats));
	if (co->co_virtual == NULL)
		print_option(co, &column, "pin",
		    bench_strdup(pin_order_name(co->co_pin)));
	print_option(
	    co, &column, "seed", bench_asprintf("%ju", (uintmax_t)wc->wc_seed));
#define PRINT_PARAM(field, option, arg, min, max, help)                        \
	if (wc->wc_params.field != 0)                                          \
		print_option(co, &column, option,                              \
		    bench_asprintf("%u", wc->wc_params.field));
	RECORD_PARAMS(PRINT_PARAM)
#undef PRINT_PARAM
	if (co->co_quick)
		print_word(co, &column, "--quick");
	(void)fprintf(co->co_out, "\n");
}

/* What the workload makes of its parameters, with the most threads. */
void
compare_print_params(const struct compare *co)
{
	struct workload_config wc = co->co_wc;
	struct workload_params wp;
	const char *sep = "params   ";
	char err[200];

	wc.wc_threads = co->co_threads[co->co_nthreads - 1];
	if (workload_fill_params(&wc, &wp, err, sizeof(err)) != 0)
		return;
#define PRINT_PARAM(field, option, arg, min, max, help)                        \
	if (wp.field != 0) {                                                   \
		(void)fprintf(co->co_out, "%s%s %u", sep, option, wp.field);   \
		sep = ", ";                                                    \
	}
	RECORD_PARAMS(PRINT_PARAM)
#undef PRINT_PARAM
	if (sep[0] == ',')
		(void)fprintf(co->co_out, "\n");
}

/* --superpages 1 asks for what these designs do not have. */
static void
print_no_superpages(const struct compare *co)
{
	char err[256];
	struct design de;

	for (size_t d = 0; d < co->co_ndesigns; d++) {
		const char *text = co->co_designs[d];

		if (co->co_wc.wc_params.wp_superpages == 0 ||
		    design_parse(text, NULL, &de, err, sizeof(err)) != 0 ||
		    !(de.d_no_superpages || de.d_no_reserv))
			continue;
		(void)fprintf(co->co_out,
		    "NOTE     %s: %s, so that --superpages 1 maps no 2 MB\n",
		    text, de.d_no_superpages ? "superpages=off" : "reserv=off");
	}
}

void
compare_print_map(const struct compare *co)
{
	const struct memmap *mm = co->co_mm;

	(void)fprintf(co->co_out, "map      %s: %.1f GB, %d domain%s\n",
	    mm->mm_name,
	    (double)memmap_usable_bytes(mm, -1) / (double)(1 << 30),
	    mm->mm_ndomains, mm->mm_ndomains == 1 ? "" : "s");
}

void
compare_print_header(const struct compare *co)
{
	const struct env *e = &co->co_env;
	char *threads = join_threads(co);
	FILE *out = co->co_out;

	env_print_build(e, out);
	env_print_host(e, out);
	compare_print_map(co);
	(void)fprintf(out,
	    "runs     %s, threads %s, pinned %s, seed %ju; %u of %g s each "
	    "after %g s of warm-up\n",
	    co->co_wc.wc_name, threads, pin_order_name(co->co_pin),
	    (uintmax_t)co->co_wc.wc_seed, co->co_repeats,
	    seconds(co->co_wc.wc_measure_ns), seconds(co->co_wc.wc_warmup_ns));
	compare_print_params(co);
	for (size_t i = 0; i < co->co_nthreads; i++) {
		if (co->co_threads[i] > e->e_cpus)
			(void)fprintf(out,
			    "WARNING  %u threads on %u CPUs: waits contain "
			    "what the host's scheduler does\n",
			    co->co_threads[i], e->e_cpus);
	}
	print_no_superpages(co);
	compare_print_command(co);
	free(threads);
}

void
compare_print_voids(const struct compare *co)
{
	FILE *out = co->co_out;
	uint64_t unbound = 0;

	if (co->co_nvoid + (unsigned)co->co_interrupted > 0)
		(void)fprintf(out, "\n");
	for (size_t s = 0; s < co->co_nseries; s++) {
		const struct series *se = &co->co_series[s];

		for (size_t d = 0; d < co->co_ndesigns; d++) {
			for (unsigned r = 0; r < co->co_repeats; r++) {
				const struct run *ru = compare_at(co, s, d, r);

				if (ru->ru_done)
					unbound += ru->ru_wr.wr_unbound;
				if (!ru->ru_done ||
				    ru->ru_wr.wr_void[0] == '\0' ||
				    ru->ru_wr.wr_stopped)
					continue;
				(void)fprintf(out,
				    "VOID: %s, %u thread%s%s, repeat %u: %s\n",
				    co->co_designs[d], se->se_threads,
				    se->se_threads == 1 ? "" : "s",
				    se->se_profile ? ", profile" : "", r + 1,
				    ru->ru_wr.wr_void);
			}
		}
	}
	if (unbound > 0)
		(void)fprintf(out,
		    "WARNING  %ju threads could not be pinned as asked\n",
		    (uintmax_t)unbound);
	if (co->co_interrupted)
		(void)fprintf(out,
		    "INTERRUPTED: medians are of fewer runs than planned\n");
}

/* best and median of the same thing. */
static void
print_goal(struct compare *co, const char *what, const char *design,
    double best, double median, bool holds, const char *goal)
{
	(void)fprintf(co->co_out, "%-6s  %s, %s: %.2f (median %.2f; %s)\n",
	    holds ? "holds" : "MISSED", what, design, best, median, goal);
	if (!holds)
		co->co_nwrong++;
}

/* Designs with a lock for each superpage. */
static bool
is_per_superpage(const char *text)
{
	char err[256];
	struct design d;

	return (design_parse(text, NULL, &d, err, sizeof(err)) == 0 &&
	    d.d_layout != PVL_HASHED);
}

/*
 * Goals.  Assumed: a host of the class of a 2.5 GHz Cascade Lake, where minimal
 * code takes 28 ns for an enter and 4 to 7 ns a page for remove_pages.
 */
#define GOAL_DESIGN          "sparse/gen2+batch"
#define GOAL_ENTER_NS        60
#define GOAL_REMOVE_PAGES_NS 12
#define GOAL_SCALING         1.9

static void
goal_scaling(struct compare *co, size_t d)
{
	struct stats one = compare_stats(
	    co, compare_find_series(co, 1, false), d, run_mops, NULL);
	struct stats two = compare_stats(
	    co, compare_find_series(co, 2, false), d, run_mops, NULL);
	double best = stats_ratio(two.s_max, one.s_max);

	print_goal(co, "2 threads / 1", co->co_designs[d], best,
	    stats_ratio(two.s_median, one.s_median), best >= GOAL_SCALING,
	    "goal: at least 1.9");
}

static void
goal_micro(struct compare *co, size_t d, enum micro_op op, const char *what,
    double goal_ns, const char *goal)
{
	struct stats s = micro_stats(
	    &co->co_samples[d * co->co_repeats], co->co_nsamples[d], op);

	print_goal(co, what, co->co_designs[d], s.s_min, s.s_median,
	    s.s_min <= goal_ns, goal);
}

void
compare_print_goals(struct compare *co)
{
	bool scaling = strcmp(co->co_wc.wc_name, "private") == 0 &&
	    compare_find_series(co, 2, false) != NULL;
	unsigned n = 0;

	(void)fprintf(co->co_out,
	    "\nGoals, by the best of the repeats: what else runs on the host "
	    "only slows them down\n\n");
	for (size_t d = 0; d < co->co_ndesigns; d++) {
		if (strcmp(co->co_designs[d], GOAL_DESIGN) == 0 &&
		    co->co_nsamples[d] > 0) {
			goal_micro(co, d, MICRO_ENTER, "enter, ns",
			    GOAL_ENTER_NS, "goal: at most 60");
			goal_micro(co, d, MICRO_REMOVE_PAGES,
			    "remove_pages, ns", GOAL_REMOVE_PAGES_NS,
			    "goal: at most 12");
			n += 2;
		}
		if (scaling && is_per_superpage(co->co_designs[d])) {
			goal_scaling(co, d);
			n++;
		}
	}
	if (n == 0)
		(void)fprintf(co->co_out,
		    "none applies: they are about %s, and about\n"
		    "--workload private --threads 2\n",
		    GOAL_DESIGN);
}
