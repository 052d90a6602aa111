/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of time on a modelled host.  The unit is mean CPUs: the time that all
 * threads together spent so, divided by the length of the run.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "compare_virtual.h"
#include "table.h"

#define CLASSES_SHOWN 6

const struct virtual_result *
compare_virtual_first(
    const struct compare *co, const struct series *se, size_t design)
{
	size_t s = (size_t)(se - co->co_series);

	for (unsigned r = 0; r < co->co_repeats; r++) {
		if (compare_at(co, s, design, r)->ru_counts)
			return (compare_virtual_at(co, s, design, r));
	}
	return (NULL);
}

double
compare_virtual_median(const struct compare *co, const struct series *se,
    size_t design,
    double (*fn)(const struct virtual_result *vr, const void *arg),
    const void *arg)
{
	double *v = bench_calloc(co->co_repeats, sizeof(v[0])), median = -1;
	size_t s = (size_t)(se - co->co_series), n = 0;

	for (unsigned r = 0; r < co->co_repeats; r++) {
		if (compare_at(co, s, design, r)->ru_counts)
			v[n++] = fn(compare_virtual_at(co, s, design, r), arg);
	}
	if (n > 0)
		median = stats_of(v, n).s_median;
	free(v);
	return (median);
}

const struct virtual_class *
virtual_class_find(const struct virtual_result *vr, const char *name)
{
	for (unsigned c = 1; c < vr->vr_nclasses; c++) {
		if (strcmp(vr->vr_class[c].vc_name, name) == 0)
			return (&vr->vr_class[c]);
	}
	return (NULL);
}

/* What a cell is about. */
struct stack_cell {
	const char *sc_class; /* "": no lock, it works */
	unsigned sc_time;     /* NVT: all */
};

static double
stack_cpus(const struct virtual_result *vr, const void *arg)
{
	const struct stack_cell *sc = arg;
	const struct virtual_class *vc = sc->sc_class[0] == '\0'
	    ? &vr->vr_class[0]
	    : virtual_class_find(vr, sc->sc_class);
	uint64_t ps = 0;

	for (unsigned t = 0; vc != NULL && t < NVT; t++) {
		if (sc->sc_time == NVT || sc->sc_time == t)
			ps += vc->vc_ps[t];
	}
	return (virtual_cpus(vr, ps));
}

static double
total_cpus(const struct virtual_result *vr, const void *arg)
{
	uint64_t ps = 0;

	(void)arg;
	for (unsigned c = 0; c < vr->vr_nclasses; c++) {
		for (unsigned t = 0; t < NVT; t++)
			ps += vr->vr_class[c].vc_ps[t];
	}
	return (virtual_cpus(vr, ps));
}

/* Classes by the largest time in any design; the first run that counts. */
struct class_row {
	const char *cr_name;
	double cr_max;
};

static int
compare_rows(const void *ap, const void *bp)
{
	const struct class_row *a = ap, *b = bp;

	if (a->cr_max != b->cr_max)
		return (a->cr_max < b->cr_max ? 1 : -1);
	return (strcmp(a->cr_name, b->cr_name));
}

static size_t
class_rows(const struct compare *co, const struct series *se,
    struct class_row rows[VSTAT_CLASSES])
{
	size_t n = 0, i;

	for (size_t d = 0; d < co->co_ndesigns; d++) {
		const struct virtual_result *vr =
		    compare_virtual_first(co, se, d);

		for (unsigned c = 1; vr != NULL && c < vr->vr_nclasses; c++) {
			const struct stack_cell sc = { vr->vr_class[c].vc_name,
				NVT };
			double cpus = stack_cpus(vr, &sc);

			for (i = 0; i < n; i++) {
				if (strcmp(rows[i].cr_name, sc.sc_class) == 0)
					break;
			}
			if (i == VSTAT_CLASSES)
				continue;
			if (i == n)
				rows[n++] =
				    (struct class_row){ sc.sc_class, 0 };
			if (cpus > rows[i].cr_max)
				rows[i].cr_max = cpus;
		}
	}
	if (n > 0)
		qsort(rows, n, sizeof(rows[0]), compare_rows);
	return (n);
}

static void
cpus_cell(struct table *t, double cpus)
{
	if (cpus < 0)
		table_cell(t, "-");
	else
		table_cell(t, cpus < 0.0995 ? "%.4f" : "%.2f", cpus);
}

static void
stack_row(const struct compare *co, const struct series *se, size_t first,
    size_t n, struct table *t, const char *what, const struct stack_cell *sc)
{
	table_cell(t, "%s", what);
	for (size_t d = first; d < first + n; d++)
		cpus_cell(t, compare_virtual_median(co, se, d, stack_cpus, sc));
}

static const char *const time_texts[NVT] = {
#define TIME_TEXT(name, key, text) [name] = text,
	VSTAT_TIMES(TIME_TEXT)
#undef TIME_TEXT
};

/* A class as a whole, and what it consists of where that is much. */
static void
class_block(const struct compare *co, const struct series *se, size_t first,
    size_t n, struct table *t, const struct class_row *cr)
{
	char what[VIRTUAL_CLASS_MAX + 20];
	struct stack_cell sc = { cr->cr_name, NVT };

	(void)snprintf(what, sizeof(what), "waiting for %s", cr->cr_name);
	stack_row(co, se, first, n, t, what, &sc);
	for (sc.sc_time = 0; sc.sc_time < NVT; sc.sc_time++) {
		double max = 0;

		for (size_t d = 0; d < co->co_ndesigns; d++) {
			double v =
			    compare_virtual_median(co, se, d, stack_cpus, &sc);

			if (v > max)
				max = v;
		}
		if (max < cr->cr_max / 20)
			continue;
		(void)snprintf(
		    what, sizeof(what), "  %s", time_texts[sc.sc_time]);
		stack_row(co, se, first, n, t, what, &sc);
	}
}

static void
stack_table(const struct compare *co, const struct series *se, size_t first,
    size_t n, const struct class_row *rows, size_t nrows)
{
	struct table *t = compare_table(co, first, n, "MEAN CPUS");
	struct stack_cell sc = { "", NVT };

	stack_row(co, se, first, n, t, "at work", &sc);
	for (sc.sc_time = 0; sc.sc_time < NVT; sc.sc_time++) {
		char what[40];

		(void)snprintf(
		    what, sizeof(what), "  %s", time_texts[sc.sc_time]);
		stack_row(co, se, first, n, t, what, &sc);
	}
	for (size_t i = 0; i < nrows; i++) {
		if (i < CLASSES_SHOWN && rows[i].cr_max >= 0.0001)
			class_block(co, se, first, n, t, &rows[i]);
	}
	table_rule(t);
	table_cell(t, "all, with locks not shown");
	for (size_t d = first; d < first + n; d++)
		cpus_cell(
		    t, compare_virtual_median(co, se, d, total_cpus, NULL));
	table_print(t, co->co_out);
	table_destroy(t);
}

void
compare_print_stacks(const struct compare *co, const struct series *se)
{
	struct class_row rows[VSTAT_CLASSES];
	size_t nrows = class_rows(co, se, rows), nd = co->co_ndesigns, n;

	(void)fprintf(co->co_out,
	    "\nWhere the time of %u threads on %u CPUs goes, in mean CPUs "
	    "(median of %u runs)\n\n",
	    se->se_threads, se->se_cpus, co->co_repeats);
	for (size_t first = 0; first < nd; first += n) {
		n = nd - first < COMPARE_COLUMNS ? nd - first : COMPARE_COLUMNS;
		stack_table(co, se, first, n, rows, nrows);
		if (first + n < nd)
			(void)fprintf(co->co_out, "\n");
	}
}

/*
 * CPUs that wait, over time: a character an interval, by the tallest one of all
 * designs.
 */

static double
interval_cpus(const struct virtual_result *vr, const char *name, unsigned i)
{
	uint64_t ps = 0;

	for (unsigned c = 1; c < vr->vr_nclasses; c++) {
		if (name == NULL || strcmp(vr->vr_class[c].vc_name, name) == 0)
			ps += vr->vr_class[c].vc_waited_ps[i];
	}
	return (stats_ratio((double)ps, (double)vr->vr_interval_ps));
}

static double
strip_max(const struct compare *co, const struct series *se, const char *name)
{
	double max = 0, v;

	for (size_t d = 0; d < co->co_ndesigns; d++) {
		const struct virtual_result *vr =
		    compare_virtual_first(co, se, d);

		for (unsigned i = 0; vr != NULL && i < VSTAT_INTERVALS; i++) {
			v = interval_cpus(vr, name, i);
			if (v > max)
				max = v;
		}
	}
	return (max);
}

static void
print_strip(const struct compare *co, const struct virtual_result *vr,
    const char *name, double max)
{
	static const char levels[] = " .:-=+*#%@";
	const unsigned nlevels = sizeof(levels) - 1;
	char strip[VSTAT_INTERVALS + 1];
	double mean = 0, top = 0;

	for (unsigned i = 0; i < VSTAT_INTERVALS; i++) {
		double v = interval_cpus(vr, name, i);
		unsigned level = (unsigned)(v / max * nlevels);

		/* A blank is nobody. */
		if (level == 0 && v > 0)
			level = 1;
		strip[i] = levels[level < nlevels ? level : nlevels - 1];
		mean += v / VSTAT_INTERVALS;
		top = v > top ? v : top;
	}
	strip[VSTAT_INTERVALS] = '\0';
	(void)fprintf(
	    co->co_out, "  |%s| mean %.3f, most %.2f\n", strip, mean, top);
}

static void
print_strips(const struct compare *co, const struct series *se,
    const char *name, const char *text)
{
	double max = strip_max(co, se, name);

	if (max <= 0)
		return;
	(void)fprintf(co->co_out, "\n%s; @: %.2f CPUs\n", text, max);
	for (size_t d = 0; d < co->co_ndesigns; d++) {
		const struct virtual_result *vr =
		    compare_virtual_first(co, se, d);

		if (vr == NULL)
			continue;
		(void)fprintf(co->co_out, "%s\n", co->co_designs[d]);
		print_strip(co, vr, name, max);
	}
}

void
compare_print_waiting(const struct compare *co, const struct series *se)
{
	(void)fprintf(co->co_out,
	    "\nCPUs waiting over time, %u threads, seed %ju: a column is %g "
	    "virtual ms\n",
	    se->se_threads, (uintmax_t)co->co_wc.wc_seed,
	    (double)co->co_wc.wc_measure_ns / 1e6 / VSTAT_INTERVALS);
	print_strips(co, se, COMPARE_VIRTUAL_PV, "For " COMPARE_VIRTUAL_PV);
	print_strips(co, se, NULL, "For any lock");
}

/*
 * Hand-offs.
 */

struct handoff_cell {
	const char *hc_class;
	unsigned hc_dist;
};

static double
handoff_pct(const struct virtual_result *vr, const void *arg)
{
	const struct handoff_cell *hc = arg;
	const struct virtual_class *vc = virtual_class_find(vr, hc->hc_class);
	uint64_t all = 0;

	if (vc == NULL)
		return (0);
	for (unsigned d = 0; d < NVD; d++)
		all += vc->vc_handoffs[d];
	return (100 *
	    stats_ratio((double)vc->vc_handoffs[hc->hc_dist], (double)all));
}

static void
handoff_block(const struct compare *co, const struct series *se, size_t first,
    size_t n, struct table *t, const char *class)
{
	static const char *const texts[NVD] = {
#define DIST_TEXT(name, key, text) [name] = text,
		VSTAT_DISTS(DIST_TEXT)
#undef DIST_TEXT
	};
	struct handoff_cell hc = { class, 0 };

	table_cell(t, "%s", class);
	for (size_t d = 0; d < n; d++)
		table_cell(t, "%s", "");
	for (hc.hc_dist = 0; hc.hc_dist < NVD; hc.hc_dist++) {
		table_cell(t, "  %s, %%", texts[hc.hc_dist]);
		for (size_t d = first; d < first + n; d++) {
			double v =
			    compare_virtual_median(co, se, d, handoff_pct, &hc);

			if (v < 0)
				table_cell(t, "-");
			else
				table_cell(t, "%.1f", v);
		}
	}
}

void
compare_print_handoffs(const struct compare *co, const struct series *se)
{
	struct class_row rows[VSTAT_CLASSES];
	size_t nrows = class_rows(co, se, rows), nd = co->co_ndesigns, n;
	const size_t shown = 3;

	if (nrows == 0)
		return;
	(void)fprintf(co->co_out,
	    "\nHow far locks are handed on: from the last owner to the next "
	    "one, exclusive, contended or not\n(locks with the longest waits, "
	    "median of %u runs)\n\n",
	    co->co_repeats);
	for (size_t first = 0; first < nd; first += n) {
		struct table *t;

		n = nd - first < COMPARE_COLUMNS ? nd - first : COMPARE_COLUMNS;
		t = compare_table(co, first, n, "PER CENT OF HAND-OFFS");
		for (size_t i = 0; i < nrows && i < shown; i++)
			handoff_block(co, se, first, n, t, rows[i].cr_name);
		table_print(t, co->co_out);
		table_destroy(t);
		if (first + n < nd)
			(void)fprintf(co->co_out, "\n");
	}
}
