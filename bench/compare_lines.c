/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of cache lines: by field of structure, and the hottest ones. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "compare_virtual.h"
#include "table.h"

#define KINDS_SHOWN 12
#define LINES_SHOWN 8
#define TEXT_WIDTH  60

static double
kind_cpus(const struct virtual_result *vr, const void *arg)
{
	const char *text = arg;

	for (unsigned i = 0; i < vr->vr_nkinds; i++) {
		if (strcmp(vr->vr_kind[i].vk_text, text) == 0)
			return (virtual_cpus(vr, vr->vr_kind[i].vk_ps));
	}
	return (0);
}

static double
all_cpus(const struct virtual_result *vr, const void *arg)
{
	(void)arg;
	return (virtual_cpus(vr, vr->vr_sum.vl_ps));
}

static double
queue_cpus(const struct virtual_result *vr, const void *arg)
{
	(void)arg;
	return (virtual_cpus(vr, vr->vr_sum.vl_queue_ps));
}

/* By the largest time in any design; the first run that counts. */
static size_t
kind_rows(const struct compare *co, const struct series *se,
    struct compare_row **rowsp)
{
	struct compare_row *rows =
	    bench_calloc(co->co_ndesigns * VIRTUAL_KINDS, sizeof(rows[0]));
	size_t n = 0;

	for (size_t d = 0; d < co->co_ndesigns; d++) {
		const struct virtual_result *vr =
		    compare_virtual_first(co, se, d);

		for (unsigned k = 0; vr != NULL && k < vr->vr_nkinds; k++) {
			const struct virtual_kind *vk = &vr->vr_kind[k];
			double cpus = virtual_cpus(vr, vk->vk_ps);

			n = compare_row_add(rows, n, vk->vk_text, cpus);
		}
	}
	compare_rows_sort(rows, n);
	*rowsp = rows;
	return (n < KINDS_SHOWN ? n : KINDS_SHOWN);
}

static void
print_rows(const struct compare_columns *cc, const struct compare_row *rows,
    size_t nrows)
{
	for (size_t i = 0; i < nrows; i++)
		compare_cpus_row(
		    cc, rows[i].cr_name, kind_cpus, rows[i].cr_name);
	table_rule(cc->cc_table);
	compare_cpus_row(cc, "all lines", all_cpus, NULL);
	compare_cpus_row(
	    cc, "  of it, queueing for the line", queue_cpus, NULL);
}

void
compare_print_kinds(const struct compare *co, const struct series *se)
{
	struct compare_row *rows;
	size_t nrows = kind_rows(co, se, &rows);

	(void)fprintf(co->co_out,
	    "\nTime in cache misses by what was wanted, in mean CPUs (median "
	    "of %u runs)\n\n",
	    co->co_repeats);
	compare_print_columns(
	    co, se, "STRUCTURE.FIELD", print_rows, rows, nrows);
	free(rows);
}

/* How much of text goes on a line: up to a blank, if there is one in time. */
static size_t
line_length(const char *text)
{
	size_t len = strlen(text), n = TEXT_WIDTH;

	if (len <= TEXT_WIDTH)
		return (len);
	while (n > 0 && text[n] != ' ')
		n--;
	return (n > 0 ? n : TEXT_WIDTH);
}

/* Numbers, and the name, on several rows if it is long. */
static void
line_row(struct table *t, const struct virtual_result *vr,
    const struct virtual_line *line)
{
	const struct vstat_line *vl = &line->vl_stat;
	const char *text = line->vl_text;
	double misses = 0;
	size_t len;

	for (unsigned d = 0; d < NVD; d++)
		misses += vl->vl_from[d];
	table_cell(t, "%.4f", virtual_cpus(vr, vl->vl_ps));
	table_cell(t, "%.0f",
	    100 * stats_ratio((double)vl->vl_queue_ps, (double)vl->vl_ps));
	table_cell(t, "%.0f", misses);
	table_cell(
	    t, "%.0f", 100 * stats_ratio(vl->vl_from[VD_REMOTE], misses));
	table_cell(t, "%.0f", 100 * stats_ratio(vl->vl_writes, misses));
	for (;;) {
		len = line_length(text);
		table_cell(t, "%.*s", (int)len, text);
		text += len + (text[len] == ' ');
		if (*text == '\0')
			break;
		for (unsigned i = 0; i < 5; i++)
			table_cell(t, "%s", "");
	}
}

void
compare_print_lines(const struct compare *co, const struct series *se)
{
	static const char *const columns[] = { "CPUs", "queue%", "misses",
		"remote%", "write%", "line" };

	for (size_t d = 0; d < co->co_ndesigns; d++) {
		const struct virtual_result *vr =
		    compare_virtual_first(co, se, d);
		struct table *t;

		if (vr == NULL || vr->vr_nlines == 0)
			continue;
		t = table_create("rrrrrl");
		(void)fprintf(co->co_out,
		    "\nHottest cache lines of %s, %u threads, one run\n\n",
		    co->co_designs[d], se->se_threads);
		for (size_t i = 0; i < nitems(columns); i++)
			table_cell(t, "%s", columns[i]);
		table_rule(t);
		for (unsigned i = 0; i < vr->vr_nlines && i < LINES_SHOWN; i++)
			line_row(t, vr, &vr->vr_line[i]);
		table_print(t, co->co_out);
		table_destroy(t);
	}
}
