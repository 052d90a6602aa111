/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of locks: the review's, and FreeBSD's debug.lock.prof.stats.
 *
 * Waits are shown per second of run, so that runs of different lengths compare;
 * divided by a million they are the mean number of CPUs that waited.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "compare.h"
#include "table.h"

#define ROWS 8 /* locks shown */

static const struct workload_lock *
find_lock(const struct workload_result *wr, const char *name)
{
	for (unsigned i = 0; i < wr->wr_nlocks; i++) {
		if (strcmp(wr->wr_locks[i].wl_name, name) == 0)
			return (&wr->wr_locks[i]);
	}
	return (NULL);
}

/* Mean CPUs that waited for the lock named by arg; NULL: for any lock. */
static double
waiting_cpus(const struct workload_result *wr, const void *arg)
{
	const struct workload_lock *wl;
	double ns = 0;

	if (arg != NULL) {
		wl = find_lock(wr, arg);
		ns = wl != NULL ? (double)wl->wl_wait_ns : 0;
	} else {
		for (unsigned i = 0; i < wr->wr_nlocks; i++)
			ns += (double)wr->wr_locks[i].wl_wait_ns;
	}
	return (stats_ratio(ns, (double)wr->wr_elapsed_ns));
}

struct lock_row {
	const char *lr_name;
	double lr_first; /* of the first design */
	double lr_max;   /* of any design */
};

struct lock_rows {
	struct lock_row *rows;
	size_t n;
};

static void
add_row(struct lock_rows *lrs, const char *name)
{
	for (size_t i = 0; i < lrs->n; i++) {
		if (strcmp(lrs->rows[i].lr_name, name) == 0)
			return;
	}
	lrs->rows =
	    bench_reallocarray(lrs->rows, lrs->n + 1, sizeof(lrs->rows[0]));
	lrs->rows[lrs->n++] = (struct lock_row){ .lr_name = name };
}

static int
compare_max(const void *ap, const void *bp)
{
	const struct lock_row *a = ap, *b = bp;

	return ((a->lr_max < b->lr_max) - (a->lr_max > b->lr_max));
}

/* As in the review: by the first column, what is the question on top. */
static int
compare_first(const void *ap, const void *bp)
{
	const struct lock_row *a = ap, *b = bp;
	bool a_pv = strcmp(a->lr_name, COMPARE_PV_LOCK) == 0;
	bool b_pv = strcmp(b->lr_name, COMPARE_PV_LOCK) == 0;

	if (a_pv != b_pv)
		return (a_pv ? -1 : 1);
	if (a->lr_first != b->lr_first)
		return (a->lr_first < b->lr_first ? 1 : -1);
	return (compare_max(ap, bp));
}

/* The locks with the largest waits in any design; "rw:pmap pv list" always. */
static struct lock_rows
choose_rows(const struct compare *co, const struct series *se)
{
	struct lock_rows lrs = { .n = 0 };
	size_t series = (size_t)(se - co->co_series);

	add_row(&lrs, COMPARE_PV_LOCK);
	for (size_t d = 0; d < co->co_ndesigns; d++) {
		for (unsigned r = 0; r < co->co_repeats; r++) {
			const struct run *ru = compare_at(co, series, d, r);

			for (unsigned i = 0;
			     ru->ru_counts && i < ru->ru_wr.wr_nlocks; i++)
				add_row(&lrs, ru->ru_wr.wr_locks[i].wl_name);
		}
	}
	for (size_t i = 0; i < lrs.n; i++) {
		struct lock_row *lr = &lrs.rows[i];

		for (size_t d = 0; d < co->co_ndesigns; d++) {
			double v =
			    compare_stats(co, se, d, waiting_cpus, lr->lr_name)
				.s_median;

			if (d == 0)
				lr->lr_first = v;
			if (v > lr->lr_max)
				lr->lr_max = v;
		}
	}
	qsort(lrs.rows, lrs.n, sizeof(lrs.rows[0]), compare_max);
	/* The pv list must not fall below the cut. */
	for (size_t i = ROWS; i < lrs.n; i++) {
		if (strcmp(lrs.rows[i].lr_name, COMPARE_PV_LOCK) == 0)
			lrs.rows[ROWS - 1] = lrs.rows[i];
	}
	if (lrs.n > ROWS)
		lrs.n = ROWS;
	qsort(lrs.rows, lrs.n, sizeof(lrs.rows[0]), compare_first);
	return (lrs);
}

static void
wait_cells(const struct compare *co, const struct series *se, size_t first,
    size_t n, struct table *t, const char *lock)
{
	char buf[TABLE_NUMBER_MAX];

	for (size_t d = first; d < first + n; d++) {
		struct stats s = compare_stats(co, se, d, waiting_cpus, lock);

		table_cell(t, "%s",
		    table_number(buf, s.s_n > 0 ? s.s_median * 1e6 : -1));
	}
}

static void
cpus_row(const struct compare *co, const struct series *se, size_t first,
    size_t n, struct table *t, const char *text, const char *lock)
{
	table_cell(t, "%s", text);
	for (size_t d = first; d < first + n; d++) {
		struct stats s = compare_stats(co, se, d, waiting_cpus, lock);

		if (s.s_n > 0)
			table_cell(t, "%.5f", s.s_median);
		else
			table_cell(t, "-");
	}
}

/* What follows the waits: range, ratio, mean CPUs. */
static void
derived_rows(const struct compare *co, const struct series *se, size_t first,
    size_t n, struct table *t)
{
	char buf[TABLE_NUMBER_MAX];
	double base =
	    compare_stats(co, se, 0, waiting_cpus, COMPARE_PV_LOCK).s_median;
	struct stats s;

	table_cell(t, "pv list, least of the runs");
	for (size_t d = first; d < first + n; d++) {
		s = compare_stats(co, se, d, waiting_cpus, COMPARE_PV_LOCK);
		table_cell(
		    t, "%s", table_number(buf, s.s_n > 0 ? s.s_min * 1e6 : -1));
	}
	table_cell(t, "pv list, most");
	for (size_t d = first; d < first + n; d++) {
		s = compare_stats(co, se, d, waiting_cpus, COMPARE_PV_LOCK);
		table_cell(
		    t, "%s", table_number(buf, s.s_n > 0 ? s.s_max * 1e6 : -1));
	}
	table_cell(t, "pv list, first design / this one");
	for (size_t d = first; d < first + n; d++) {
		s = compare_stats(co, se, d, waiting_cpus, COMPARE_PV_LOCK);
		if (s.s_median > 0 && base > 0)
			table_cell(t, "%.2f", base / s.s_median);
		else
			table_cell(
			    t, "%s", s.s_n > 0 && base > 0 ? "no wait" : "-");
	}
	cpus_row(
	    co, se, first, n, t, "pv list, mean CPUs waiting", COMPARE_PV_LOCK);
	cpus_row(co, se, first, n, t, "all locks, mean CPUs waiting", NULL);
}

void
compare_print_locks(const struct compare *co, unsigned threads)
{
	const struct series *se = compare_find_series(co, threads, true);
	struct lock_rows lrs = choose_rows(co, se);
	size_t nd = co->co_ndesigns, n;

	(void)fprintf(co->co_out,
	    "\nLock waits of %s, %u thread%s, in us per second of run, all "
	    "threads together\n(median of %u runs %s; as FreeBSD's "
	    "wait_total)\n\n",
	    co->co_wc.wc_name, threads, threads == 1 ? "" : "s", co->co_repeats,
	    co->co_virtual != NULL ? "in virtual time" : "with the profile on");
	for (size_t first = 0; first < nd; first += n) {
		struct table *t;

		n = nd - first < COMPARE_COLUMNS ? nd - first : COMPARE_COLUMNS;
		t = compare_table(co, first, n, "WAIT (class:name)");
		for (size_t i = 0; i < lrs.n; i++) {
			if (lrs.rows[i].lr_max == 0 &&
			    strcmp(lrs.rows[i].lr_name, COMPARE_PV_LOCK) != 0)
				continue;
			table_cell(t, "%s", lrs.rows[i].lr_name);
			wait_cells(co, se, first, n, t, lrs.rows[i].lr_name);
		}
		table_rule(t);
		derived_rows(co, se, first, n, t);
		table_print(t, co->co_out);
		table_destroy(t);
		if (first + n < nd)
			(void)fprintf(co->co_out, "\n");
	}
	free(lrs.rows);
}

/* Sites of all runs that count of a design, added up. */
static struct workload_site *
sum_sites(
    const struct compare *co, const struct series *se, size_t d, size_t *np)
{
	size_t series = (size_t)(se - co->co_series), n = 0, max = 0, i;
	struct workload_site *sum = NULL;

	for (unsigned r = 0; r < co->co_repeats; r++) {
		const struct run *ru = compare_at(co, series, d, r);

		for (size_t k = 0; ru->ru_counts && k < ru->ru_wr.wr_nsites;
		     k++) {
			const struct workload_site *ws = &ru->ru_wr.wr_sites[k];

			for (i = 0; i < n; i++) {
				if (strcmp(sum[i].ws_name, ws->ws_name) == 0)
					break;
			}
			if (i == n) {
				if (n == max) {
					max = max == 0 ? 32 : 2 * max;
					sum = bench_reallocarray(
					    sum, max, sizeof(sum[0]));
				}
				sum[n++] = *ws;
				continue;
			}
			if (ws->ws_hold_max_ns > sum[i].ws_hold_max_ns)
				sum[i].ws_hold_max_ns = ws->ws_hold_max_ns;
			if (ws->ws_wait_max_ns > sum[i].ws_wait_max_ns)
				sum[i].ws_wait_max_ns = ws->ws_wait_max_ns;
			sum[i].ws_hold_ns += ws->ws_hold_ns;
			sum[i].ws_wait_ns += ws->ws_wait_ns;
			sum[i].ws_count += ws->ws_count;
			sum[i].ws_contested += ws->ws_contested;
		}
	}
	*np = n;
	return (sum);
}

static int
compare_sites(const void *ap, const void *bp)
{
	const struct workload_site *a = ap, *b = bp;

	if (a->ws_wait_ns != b->ws_wait_ns)
		return (a->ws_wait_ns < b->ws_wait_ns ? 1 : -1);
	if (a->ws_hold_ns != b->ws_hold_ns)
		return (a->ws_hold_ns < b->ws_hold_ns ? 1 : -1);
	return (strcmp(a->ws_name, b->ws_name));
}

static void
print_site(struct table *t, const struct workload_site *ws)
{
	uint64_t count = ws->ws_count > 0 ? ws->ws_count : 1;

	table_cell(t, "%ju", (uintmax_t)(ws->ws_hold_max_ns / 1000));
	table_cell(t, "%ju", (uintmax_t)(ws->ws_wait_max_ns / 1000));
	table_cell(t, "%ju", (uintmax_t)(ws->ws_hold_ns / 1000));
	table_cell(t, "%ju", (uintmax_t)(ws->ws_wait_ns / 1000));
	table_cell(t, "%ju", (uintmax_t)ws->ws_count);
	table_cell(t, "%ju", (uintmax_t)(ws->ws_hold_ns / 1000 / count));
	table_cell(t, "%ju", (uintmax_t)(ws->ws_wait_ns / 1000 / count));
	table_cell(t, "0");
	table_cell(t, "%ju", (uintmax_t)ws->ws_contested);
	table_cell(t, "%s", ws->ws_name);
}

void
compare_print_sites(const struct compare *co, unsigned threads)
{
	static const char *const columns[] = { "max", "wait_max", "total",
		"wait_total", "count", "avg", "wait_avg", "cnt_hold",
		"cnt_lock", "name" };
	const struct series *se = compare_find_series(co, threads, true);

	for (size_t d = 0; d < co->co_ndesigns; d++) {
		struct table *t = table_create("rrrrrrrrrl");
		struct workload_site *sum;
		size_t n;

		(void)fprintf(co->co_out,
		    "\nLock profile by site of %s, %u thread%s: times in us, "
		    "all repeats added up\n\n",
		    co->co_designs[d], threads, threads == 1 ? "" : "s");
		for (size_t i = 0; i < nitems(columns); i++)
			table_cell(t, "%s", columns[i]);
		sum = sum_sites(co, se, d, &n);
		if (n > 0)
			qsort(sum, n, sizeof(sum[0]), compare_sites);
		for (size_t i = 0; i < n; i++)
			print_site(t, &sum[i]);
		table_print(t, co->co_out);
		table_destroy(t);
		free(sum);
	}
}
