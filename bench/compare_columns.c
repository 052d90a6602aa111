/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tables of a modelled host have in common: a column a design, over several
 * tables when they are many; rows that come from the results.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "compare_virtual.h"
#include "table.h"

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

size_t
compare_row_add(
    struct compare_row *rows, size_t n, const char *name, double value)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(rows[i].cr_name, name) == 0)
			break;
	}
	if (i == n)
		rows[n++] = (struct compare_row){ name, 0 };
	if (value > rows[i].cr_max)
		rows[i].cr_max = value;
	return (n);
}

static int
compare_rows(const void *ap, const void *bp)
{
	const struct compare_row *a = ap, *b = bp;

	if (a->cr_max != b->cr_max)
		return (a->cr_max < b->cr_max ? 1 : -1);
	return (strcmp(a->cr_name, b->cr_name));
}

void
compare_rows_sort(struct compare_row *rows, size_t n)
{
	qsort(rows, n, sizeof(rows[0]), compare_rows);
}

void
compare_cpus_row(const struct compare_columns *cc, const char *what,
    double (*fn)(const struct virtual_result *vr, const void *arg),
    const void *arg)
{
	table_cell(cc->cc_table, "%s", what);
	for (size_t d = cc->cc_first; d < cc->cc_end; d++) {
		double v = compare_virtual_median(
		    cc->cc_compare, cc->cc_series, d, fn, arg);

		if (v < 0)
			table_cell(cc->cc_table, "-");
		else
			table_cell(
			    cc->cc_table, v < 0.0995 ? "%.4f" : "%.2f", v);
	}
}

void
compare_print_columns(const struct compare *co, const struct series *se,
    const char *head,
    void (*fill)(const struct compare_columns *cc,
	const struct compare_row *rows, size_t nrows),
    const struct compare_row *rows, size_t nrows)
{
	size_t nd = co->co_ndesigns, n;

	for (size_t first = 0; first < nd; first += n) {
		struct compare_columns cc = { co, se, first, nd, NULL };

		n = nd - first < COMPARE_COLUMNS ? nd - first : COMPARE_COLUMNS;
		cc.cc_end = first + n;
		cc.cc_table = compare_table(co, first, n, head);
		fill(&cc, rows, nrows);
		table_print(cc.cc_table, co->co_out);
		table_destroy(cc.cc_table);
		if (first + n < nd)
			(void)fprintf(co->co_out, "\n");
	}
}
