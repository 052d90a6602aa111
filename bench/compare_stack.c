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

#define CLASSES_SHOWN  6
#define HANDOFFS_SHOWN 3

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
static size_t
class_rows(const struct compare *co, const struct series *se,
    struct compare_row **rowsp)
{
	struct compare_row *rows =
	    bench_calloc(co->co_ndesigns * VSTAT_CLASSES, sizeof(rows[0]));
	size_t n = 0;

	for (size_t d = 0; d < co->co_ndesigns; d++) {
		const struct virtual_result *vr =
		    compare_virtual_first(co, se, d);

		for (unsigned c = 1; vr != NULL && c < vr->vr_nclasses; c++) {
			const struct stack_cell sc = { vr->vr_class[c].vc_name,
				NVT };
			double cpus = stack_cpus(vr, &sc);

			n = compare_row_add(rows, n, sc.sc_class, cpus);
		}
	}
	compare_rows_sort(rows, n);
	*rowsp = rows;
	return (n);
}

static const char *const time_texts[NVT] = {
#define TIME_TEXT(name, key, text) [name] = text,
	VSTAT_TIMES(TIME_TEXT)
#undef TIME_TEXT
};

/* A class as a whole, and what it consists of where that is much. */
static void
class_block(const struct compare_columns *cc, const struct compare_row *cr)
{
	const struct compare *co = cc->cc_compare;
	char what[VIRTUAL_CLASS_MAX + 20];
	struct stack_cell sc = { cr->cr_name, NVT };

	(void)snprintf(what, sizeof(what), "waiting for %s", cr->cr_name);
	compare_cpus_row(cc, what, stack_cpus, &sc);
	for (sc.sc_time = 0; sc.sc_time < NVT; sc.sc_time++) {
		double max = 0;

		for (size_t d = 0; d < co->co_ndesigns; d++) {
			double v = compare_virtual_median(
			    co, cc->cc_series, d, stack_cpus, &sc);

			if (v > max)
				max = v;
		}
		if (max < cr->cr_max / 20)
			continue;
		(void)snprintf(
		    what, sizeof(what), "  %s", time_texts[sc.sc_time]);
		compare_cpus_row(cc, what, stack_cpus, &sc);
	}
}

static void
stack_rows(const struct compare_columns *cc, const struct compare_row *rows,
    size_t nrows)
{
	struct stack_cell sc = { "", NVT };

	compare_cpus_row(cc, "at work", stack_cpus, &sc);
	for (sc.sc_time = 0; sc.sc_time < NVT; sc.sc_time++) {
		char what[40];

		(void)snprintf(
		    what, sizeof(what), "  %s", time_texts[sc.sc_time]);
		compare_cpus_row(cc, what, stack_cpus, &sc);
	}
	for (size_t i = 0; i < nrows; i++) {
		if (i < CLASSES_SHOWN && rows[i].cr_max >= 0.0001)
			class_block(cc, &rows[i]);
	}
	table_rule(cc->cc_table);
	compare_cpus_row(cc, "all, with locks not shown", total_cpus, NULL);
}

void
compare_print_stacks(const struct compare *co, const struct series *se)
{
	struct compare_row *rows;
	size_t nrows = class_rows(co, se, &rows);

	(void)fprintf(co->co_out,
	    "\nWhere the time of %u threads on %u CPUs goes, in mean CPUs "
	    "(median of %u runs)\n\n",
	    se->se_threads, se->se_cpus, co->co_repeats);
	compare_print_columns(co, se, "MEAN CPUS", stack_rows, rows, nrows);
	free(rows);
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
handoff_block(const struct compare_columns *cc, const char *class)
{
	static const char *const texts[NVD] = {
#define DIST_TEXT(name, key, text) [name] = text,
		VSTAT_DISTS(DIST_TEXT)
#undef DIST_TEXT
	};
	struct handoff_cell hc = { class, 0 };
	struct table *t = cc->cc_table;

	table_cell(t, "%s", class);
	for (size_t d = cc->cc_first; d < cc->cc_end; d++)
		table_cell(t, "%s", "");
	for (hc.hc_dist = 0; hc.hc_dist < NVD; hc.hc_dist++) {
		table_cell(t, "  %s, %%", texts[hc.hc_dist]);
		for (size_t d = cc->cc_first; d < cc->cc_end; d++) {
			double v = compare_virtual_median(
			    cc->cc_compare, cc->cc_series, d, handoff_pct, &hc);

			if (v < 0)
				table_cell(t, "-");
			else
				table_cell(t, "%.1f", v);
		}
	}
}

static void
handoff_rows(const struct compare_columns *cc, const struct compare_row *rows,
    size_t nrows)
{
	for (size_t i = 0; i < nrows && i < HANDOFFS_SHOWN; i++)
		handoff_block(cc, rows[i].cr_name);
}

void
compare_print_handoffs(const struct compare *co, const struct series *se)
{
	struct compare_row *rows;
	size_t nrows = class_rows(co, se, &rows);

	if (nrows > 0) {
		(void)fprintf(co->co_out,
		    "\nHow far locks are handed on: from the last owner to the "
		    "next one, exclusive, contended or not\n(locks with the "
		    "longest waits, median of %u runs)\n\n",
		    co->co_repeats);
		compare_print_columns(
		    co, se, "PER CENT OF HAND-OFFS", handoff_rows, rows, nrows);
	}
	free(rows);
}
