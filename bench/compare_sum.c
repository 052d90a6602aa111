/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of what is no lock: throughput, cost, fairness, memory.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "compare.h"
#include "pmapsim/machine.h"
#include "table.h"

#define NAME_WIDTH 12 /* of a line of a design's name */

double
run_mops(const struct workload_result *wr, const void *arg)
{
	(void)arg;
	return (
	    stats_ratio((double)wr->wr_ops * 1e3, (double)wr->wr_elapsed_ns));
}

/* Nanoseconds of a thread for a mapping made and removed. */
static double
run_pair_ns(const struct workload_result *wr, const void *arg)
{
	uint64_t ops = 0, ns = 0;

	(void)arg;
	for (unsigned i = 0; i < wr->wr_nthreads; i++) {
		ops +=
		    wr->wr_threads[i].wt_enters + wr->wr_threads[i].wt_removes;
		ns += wr->wr_threads[i].wt_elapsed_ns;
	}
	return (stats_ratio(2 * (double)ns, (double)ops));
}

static double
run_jain(const struct workload_result *wr, const void *arg)
{
	(void)arg;
	return (wr->wr_jain);
}

/* Of 2 MB mappings, a second. */
static double
run_2mb_made(const struct workload_result *wr, const void *arg)
{
	(void)arg;
	return (1e9 *
	    stats_ratio((double)(wr->wr_pde_promotions + wr->wr_pde_mappings),
		(double)wr->wr_elapsed_ns));
}

static double
run_2mb_demoted(const struct workload_result *wr, const void *arg)
{
	(void)arg;
	return (1e9 *
	    stats_ratio(
		(double)wr->wr_pde_demotions, (double)wr->wr_elapsed_ns));
}

/* Number at offset *arg in the profile's row of the pv list lock. */
static double
run_pv_lock(const struct workload_result *wr, const void *arg)
{
	const size_t *offset = arg;
	uint64_t v = 0;

	for (unsigned i = 0; i < wr->wr_nlocks; i++) {
		if (strcmp(wr->wr_locks[i].wl_name, COMPARE_PV_LOCK) == 0)
			memcpy(&v, (const char *)&wr->wr_locks[i] + *offset,
			    sizeof(v));
	}
	return ((double)v);
}

static double
run_contested_pct(const struct workload_result *wr, const void *arg)
{
	const size_t count = offsetof(struct workload_lock, wl_count);
	const size_t contested = offsetof(struct workload_lock, wl_contested);

	(void)arg;
	return (100 *
	    stats_ratio(run_pv_lock(wr, &contested), run_pv_lock(wr, &count)));
}

struct table *
compare_table(
    const struct compare *co, size_t first, size_t n, const char *what)
{
	char align[COMPARE_COLUMNS + 2] = "l";
	struct table *t;

	memset(align + 1, 'r', n);
	t = table_create(align);
	table_cell(t, "%s", what);
	for (size_t d = first; d < first + n; d++) {
		char *name = table_break_name(co->co_designs[d], NAME_WIDTH);

		table_cell(t, "%s", name);
		free(name);
	}
	table_rule(t);
	return (t);
}

/* Which runs a row is about. */
struct sum_row {
	const char *sr_text;
	const char *sr_range; /* text of a row with the range, or NULL */
	double (*sr_fn)(const struct workload_result *wr, const void *arg);
	const size_t *sr_arg;
	bool sr_single; /* of one thread */
	bool sr_profile;
};

static const size_t wait_p50 = offsetof(struct workload_lock, wl_wait_p50_ns);
static const size_t wait_p99 = offsetof(struct workload_lock, wl_wait_p99_ns);
static const size_t wait_p999 = offsetof(struct workload_lock, wl_wait_p999_ns);
static const size_t wait_max = offsetof(struct workload_lock, wl_wait_max_ns);

static const struct sum_row rows_virtual[] = {
	{ "throughput, M operations/s", "  range", run_mops, NULL, false,
	    true },
};

static const struct sum_row rows_speed[] = {
	{ "throughput, M operations/s", "  range", run_mops, NULL, false,
	    false },
	{ "with 1 thread", "  range", run_mops, NULL, true, false },
	{ "1 CPU: ns per enter + remove", "  range", run_pair_ns, NULL, true,
	    false },
};

/* With --superpages 1. */
static const struct sum_row rows_super[] = {
	{ "2 MB mappings made, 1/s", NULL, run_2mb_made, NULL, false, false },
	{ "  demoted, 1/s", NULL, run_2mb_demoted, NULL, false, false },
};

static const struct sum_row rows_lock[] = {
	{ "fairness over threads (Jain)", NULL, run_jain, NULL, false, false },
	{ "pv list: contested, %", NULL, run_contested_pct, NULL, false, true },
	{ "  of these, wait p50, ns", NULL, run_pv_lock, &wait_p50, false,
	    true },
	{ "  p99, ns", NULL, run_pv_lock, &wait_p99, false, true },
	{ "  p99.9, ns", NULL, run_pv_lock, &wait_p999, false, true },
	{ "  max, ns", NULL, run_pv_lock, &wait_max, false, true },
};

static void
sum_rows(const struct compare *co, unsigned threads, size_t first, size_t n,
    struct table *t, const struct sum_row *rows, size_t nrows)
{
	char buf[TABLE_RANGE_MAX];
	struct stats s[COMPARE_COLUMNS];

	for (size_t i = 0; i < nrows; i++) {
		const struct sum_row *sr = &rows[i];
		const struct series *se =
		    compare_find_series(co, sr->sr_single ? 1 : threads,
			sr->sr_profile || co->co_virtual != NULL);

		table_cell(t, "%s", sr->sr_text);
		for (size_t d = 0; d < n; d++) {
			s[d] = compare_stats(
			    co, se, first + d, sr->sr_fn, sr->sr_arg);
			if (s[d].s_n > 0 && sr->sr_fn == run_jain)
				table_cell(t, "%.4f", s[d].s_median);
			else
				table_cell(t, "%s",
				    table_number(buf,
					s[d].s_n > 0 ? s[d].s_median : -1));
		}
		if (sr->sr_range == NULL)
			continue;
		table_cell(t, "%s", sr->sr_range);
		for (size_t d = 0; d < n; d++)
			table_cell(t, "%s",
			    s[d].s_n > 0
				? table_range(buf, s[d].s_min, s[d].s_max)
				: "-");
	}
}

static double
median_mops(const struct compare *co, unsigned threads, bool profile, size_t d)
{
	return (compare_stats(
	    co, compare_find_series(co, threads, profile), d, run_mops, NULL)
		    .s_median);
}

static void
ratio_rows(const struct compare *co, unsigned threads, size_t first, size_t n,
    struct table *t)
{
	table_cell(
	    t, "scaling, %u thread%s / 1", threads, threads == 1 ? "" : "s");
	for (size_t d = first; d < first + n; d++) {
		double one = median_mops(co, 1, false, d);
		double all = median_mops(co, threads, false, d);

		if (one > 0 && all > 0)
			table_cell(t, "%.2f", all / one);
		else
			table_cell(t, "-");
	}
}

/* Zero, but where the host has other work for these CPUs. */
static void
switch_row(const struct compare *co, unsigned threads, size_t first, size_t n,
    struct table *t)
{
	char buf[TABLE_NUMBER_MAX];

	table_cell(t, "preempted by the host, 1/s");
	for (size_t d = first; d < first + n; d++)
		table_cell(t, "%s",
		    table_number(buf,
			compare_switches(
			    co, compare_find_series(co, threads, false), d)));
}

static void
profile_row(const struct compare *co, unsigned threads, size_t first, size_t n,
    struct table *t)
{
	table_cell(t, "profile on: throughput, %%");
	for (size_t d = first; d < first + n; d++) {
		double on = median_mops(co, threads, true, d);
		double off = median_mops(co, threads, false, d);

		if (on > 0 && off > 0)
			table_cell(t, "%+.1f", 100 * (on / off - 1));
		else
			table_cell(t, "-");
	}
}

/* What a series without the profile, and one of one thread, tell. */
static void
speed_rows(const struct compare *co, unsigned threads, size_t first, size_t n,
    struct table *t)
{
	if (co->co_virtual != NULL) {
		sum_rows(co, threads, first, n, t, rows_virtual,
		    nitems(rows_virtual));
		return;
	}
	sum_rows(co, threads, first, n, t, rows_speed, nitems(rows_speed));
	ratio_rows(co, threads, first, n, t);
}

void
compare_print_summary(const struct compare *co, unsigned threads)
{
	size_t nd = co->co_ndesigns, n;

	(void)fprintf(co->co_out,
	    "\nWork and waits of %s, %u thread%s (median of %u runs%s;\nan "
	    "operation is a mapping made or removed, or an operation by "
	    "page)\n\n",
	    co->co_wc.wc_name, threads, threads == 1 ? "" : "s", co->co_repeats,
	    co->co_virtual != NULL ? ", virtual time"
				   : "; profile off but for the pv list rows");
	for (size_t first = 0; first < nd; first += n) {
		struct table *t;

		n = nd - first < COMPARE_COLUMNS ? nd - first : COMPARE_COLUMNS;
		t = compare_table(co, first, n, "");
		speed_rows(co, threads, first, n, t);
		if (co->co_wc.wc_params.wp_superpages != 0)
			sum_rows(co, threads, first, n, t, rows_super,
			    nitems(rows_super));
		sum_rows(
		    co, threads, first, n, t, rows_lock, nitems(rows_lock));
		if (co->co_virtual == NULL) {
			profile_row(co, threads, first, n, t);
			switch_row(co, threads, first, n, t);
		}
		table_print(t, co->co_out);
		table_destroy(t);
		if (first + n < nd)
			(void)fprintf(co->co_out, "\n");
	}
}

/* X(what, number of design d) */
#define HEADER_ROWS(X)                                                         \
	X("bytes of a header", h->h_report.phr_header_bytes)                   \
	X("headers", h->h_report.phr_headers)                                  \
	X("superpages with memory", h->h_report.phr_superpages)                \
	X("total bytes", h->h_report.phr_total_bytes)                          \
	X("bytes per GB of memory",                                            \
	    (double)h->h_report.phr_total_bytes / gbytes)                      \
	X("allocated, say the arenas", h->h_allocated)                         \
	X("address space reserved", h->h_report.phr_reserved_bytes)

static void
header_table(const struct compare *co, size_t first, size_t n, double gbytes)
{
	struct table *t = compare_table(co, first, n, "");
	char buf[TABLE_NUMBER_MAX];
	const struct headers *h;

#define HEADER_ROW(text, value)                                                \
	table_cell(t, text);                                                   \
	for (size_t d = first; d < first + n; d++) {                           \
		h = &co->co_headers[d];                                        \
		table_cell(t, "%s",                                            \
		    table_integer(buf, (uint64_t)((double)(value) + 0.5)));    \
	}
	HEADER_ROWS(HEADER_ROW)
#undef HEADER_ROW
	table_print(t, co->co_out);
	table_destroy(t);
}

void
compare_print_headers(struct compare *co)
{
	double gbytes = (double)memmap_usable_bytes(co->co_mm, -1) /
	    (double)(UINT64_C(1) << 30);
	size_t nd = co->co_ndesigns, n;

	(void)fprintf(co->co_out,
	    "\npv headers of %s, %.1f GB of memory (locks, pointers and "
	    "rounding included)\n\n",
	    co->co_mm->mm_name, gbytes);
	for (size_t first = 0; first < nd; first += n) {
		n = nd - first < COMPARE_COLUMNS ? nd - first : COMPARE_COLUMNS;
		header_table(co, first, n, gbytes);
		if (first + n < nd)
			(void)fprintf(co->co_out, "\n");
	}
	for (size_t d = 0; d < nd; d++) {
		const struct headers *h = &co->co_headers[d];

		if (h->h_allocated == h->h_report.phr_total_bytes)
			continue;
		(void)fprintf(co->co_out,
		    "WRONG: %s reports other bytes than were allocated\n",
		    co->co_designs[d]);
		co->co_nwrong++;
	}
}
