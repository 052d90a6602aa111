/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "locks.h"
#include "pmap/pv_table.h"
#include "table.h"

bool
locks_applies(const struct locks_load *ll, const struct pv_lock_ops *ops)
{
	if ((ops->plo_flags & PLO_NOLOCK) != 0)
		return (ll->ll_threads == 1);
	/* A waiter above the holder, on its CPU, would spin for good. */
	return (ll->ll_priority != LOCKS_PRI_FIFO ||
	    (ops->plo_flags & PLO_SPIN) == 0);
}

bool
locks_uses_turnstiles(const struct pv_lock_ops *ops)
{
	static const char *const names[] = { "rwlock", "mtx8", "gen2" };

	for (size_t i = 0; i < nitems(names); i++) {
		if (strcmp(ops->plo_name, names[i]) == 0)
			return (true);
	}
	return (false);
}

size_t
locks_find(const struct locks *lk, const char *name)
{
	size_t b;

	for (b = 0; b < lk->lk_nbackends; b++) {
		if (strcmp(lk->lk_backends[b]->plo_name, name) == 0)
			break;
	}
	return (b);
}

double
locks_mops(const struct locks_sample *lsa)
{
	return (stats_ratio(
	    (double)lsa->lsa_ops * 1e3, (double)lsa->lsa_elapsed_ns));
}

double
locks_op_ns(const struct locks_sample *lsa)
{
	return (stats_ratio((double)lsa->lsa_elapsed_ns, (double)lsa->lsa_ops));
}

double
locks_pair_ns(const struct locks_sample *lsa)
{
	return (lsa->lsa_pair_ns);
}

double
locks_jain(const struct locks_sample *lsa)
{
	return (lsa->lsa_jain);
}

double
locks_max_wait_us(const struct locks_sample *lsa)
{
	return ((double)lsa->lsa_wait.h_max / 1e3);
}

double
locks_sleeps(const struct locks_sample *lsa)
{
	return (
	    stats_ratio((double)lsa->lsa_sleeps * 1e3, (double)lsa->lsa_ops));
}

double
locks_wakes(const struct locks_sample *lsa)
{
	return (
	    stats_ratio((double)lsa->lsa_wakes * 1e3, (double)lsa->lsa_ops));
}

double
locks_voluntary(const struct locks_sample *lsa)
{
	if (!lsa->lsa_has_switches)
		return ((double)NAN);
	return (stats_ratio(
	    (double)lsa->lsa_voluntary * 1e3, (double)lsa->lsa_all_ops));
}

double
locks_involuntary(const struct locks_sample *lsa)
{
	if (!lsa->lsa_has_switches)
		return ((double)NAN);
	return (stats_ratio(
	    (double)lsa->lsa_involuntary * 1e3, (double)lsa->lsa_all_ops));
}

static bool
counts(const struct locks_sample *lsa)
{
	return (lsa->lsa_done && lsa->lsa_void[0] == '\0');
}

struct stats
locks_stats(
    const struct locks *lk, size_t series, size_t backend, locks_metric_fn *fn)
{
	double *v = bench_calloc(lk->lk_repeats, sizeof(v[0]));
	struct stats s;
	size_t n = 0;

	for (unsigned r = 0; backend < lk->lk_nbackends && r < lk->lk_repeats;
	     r++) {
		const struct locks_sample *lsa =
		    locks_at(lk, series, backend, r);

		if (counts(lsa))
			v[n++] = fn(lsa);
	}
	s = stats_of(v, n);
	free(v);
	return (s);
}

void
locks_load_title(const struct locks_load *ll, char *buf, size_t size)
{
	static const char *const priorities[] = {
		[LOCKS_PRI_NONE] = "",
		[LOCKS_PRI_SIM] = ", four simulated priorities",
		[LOCKS_PRI_FIFO] = ", four priorities of SCHED_FIFO",
	};
	char locks[64] = "", ops[64] = "", readers[32] = "";

	if (ll->ll_kind == LOCKS_PAIR) {
		(void)snprintf(
		    buf, size, "uncontended: lock, bump, unlock; 1 thread");
		return;
	}
	if (ll->ll_nlocks > 1)
		(void)snprintf(locks, sizeof(locks), ", %s of %u locks%s",
		    ll->ll_random ? "random one" : "its own", ll->ll_nlocks,
		    ll->ll_line ? ", apart" : "");
	if (ll->ll_readers > 0)
		(void)snprintf(readers, sizeof(readers), ", %u %% readers",
		    ll->ll_readers);
	if (ll->ll_ops > 0)
		(void)snprintf(
		    ops, sizeof(ops), ", %ju each", (uintmax_t)ll->ll_ops);
	(void)snprintf(buf, size,
	    "%u thread%s pinned %s, %s inside, %ju-%ju ns outside%s%s%s%s",
	    ll->ll_threads, ll->ll_threads == 1 ? "" : "s",
	    pin_order_name(ll->ll_pin), ll->ll_inside,
	    (uintmax_t)ll->ll_outside_min_ns, (uintmax_t)ll->ll_outside_max_ns,
	    locks, readers, priorities[ll->ll_priority], ops);
}

void
locks_print_header(const struct locks *lk)
{
	FILE *out = lk->lk_out;

	env_print_build(&lk->lk_env, out);
	env_print_host(&lk->lk_env, out);
	(void)fprintf(out,
	    "runs     %u of each, interleaved; medians and ranges; times of "
	    "single acquisitions\n         from runs of their own; x: "
	    "%s = 1, more is better\n",
	    lk->lk_repeats, LOCKS_BASELINE);
	for (size_t s = 0; s < lk->lk_nseries; s++) {
		unsigned threads = lk->lk_series[s].ll_threads;

		if (threads > lk->lk_env.e_cpus)
			(void)fprintf(out, "NOTE     %u threads on %u CPUs\n",
			    threads, lk->lk_env.e_cpus);
	}
}

/* What the machine was like during a series. */
static void
print_machine(const struct locks *lk, size_t series)
{
	double *pauses =
	    bench_calloc(lk->lk_nbackends * lk->lk_repeats, sizeof(double));
	double steal = 0;
	size_t n = 0, nsteal = 0;
	unsigned unbound = 0;

	for (size_t b = 0; b < lk->lk_nbackends; b++) {
		for (unsigned r = 0; r < lk->lk_repeats; r++) {
			const struct locks_sample *lsa =
			    locks_at(lk, series, b, r);

			if (!lsa->lsa_done)
				continue;
			pauses[n++] = lsa->lsa_pause_ns;
			unbound += lsa->lsa_unbound;
			if (lsa->lsa_has_steal) {
				steal += lsa->lsa_steal;
				nsteal++;
			}
		}
	}
	(void)fprintf(
	    lk->lk_out, "(pause %.1f ns, line ", stats_of(pauses, n).s_median);
	if (lk->lk_env.e_pingpong_ns > 0)
		(void)fprintf(lk->lk_out, "%.0f ns one way, steal ",
		    lk->lk_env.e_pingpong_ns);
	else
		(void)fprintf(lk->lk_out, "n/a, steal ");
	if (nsteal > 0)
		(void)fprintf(
		    lk->lk_out, "%.1f %%", 100 * steal / (double)nsteal);
	else
		(void)fprintf(lk->lk_out, "n/a");
	if (unbound > 0)
		(void)fprintf(
		    lk->lk_out, ", %u threads could not be pinned", unbound);
	(void)fprintf(lk->lk_out, ")\n\n");
	free(pauses);
}

/* A cell for a number that may be none. */
static void
cell(struct table *t, struct stats s, bool known)
{
	char buf[TABLE_NUMBER_MAX];

	table_cell(t, "%s",
	    table_number(buf,
		known && s.s_n > 0 && isfinite(s.s_median) ? s.s_median : -1));
}

static void
range_cell(struct table *t, struct stats s)
{
	char range[TABLE_RANGE_MAX];

	table_cell(
	    t, "%s", s.s_n > 0 ? table_range(range, s.s_min, s.s_max) : "-");
}

static void
ratio_cell(struct table *t, double a, double b)
{
	if (a > 0 && b > 0)
		table_cell(t, "%.2f", a / b);
	else
		table_cell(t, "-");
}

/* Backends that ran, in order; the others are left out. */
static bool
ran(const struct locks *lk, size_t series, size_t b)
{
	return (locks_stats(lk, series, b, locks_mops).s_n > 0);
}

static void
print_pairs(const struct locks *lk, size_t series)
{
	struct table *t = table_create("lrrrrr");
	double base = locks_stats(
	    lk, series, locks_find(lk, LOCKS_BASELINE), locks_pair_ns)
			  .s_median;

	table_cell(t, "lock");
	table_cell(t, "bytes");
	table_cell(t, "header");
	table_cell(t, "pair ns");
	table_cell(t, "range");
	table_cell(t, "time x");
	table_rule(t);
	for (size_t b = 0; b < lk->lk_nbackends; b++) {
		const struct pv_lock_ops *ops = lk->lk_backends[b];
		struct stats s = locks_stats(lk, series, b, locks_pair_ns);

		if (s.s_n == 0)
			continue;
		table_cell(t, "%s", ops->plo_name);
		table_cell(t, "%zu", ops->plo_size);
		table_cell(t, "%zu", pv_header_bytes(ops));
		cell(t, s, true);
		range_cell(t, s);
		ratio_cell(t, s.s_median, base);
	}
	table_print(t, lk->lk_out);
	table_destroy(t);
}

static void
print_throughput(const struct locks *lk, size_t series)
{
	struct table *t = table_create("lrrrrrrrrr");
	double base =
	    locks_stats(lk, series, locks_find(lk, LOCKS_BASELINE), locks_mops)
		.s_median;
	char buf[TABLE_NUMBER_MAX];

	table_cell(t, "\nlock");
	table_cell(t, "\nMops/s");
	table_cell(t, "\nrange");
	table_cell(t, "\nx");
	table_cell(t, "\nJain");
	table_cell(t, "longest\nstreak");
	table_cell(t, "of 1000\nsleeps");
	table_cell(t, "\nwakes");
	table_cell(t, "switches\nvolunt.");
	table_cell(t, "\ninvol.");
	table_rule(t);
	for (size_t b = 0; b < lk->lk_nbackends; b++) {
		const struct pv_lock_ops *ops = lk->lk_backends[b];
		struct stats s = locks_stats(lk, series, b, locks_mops);
		bool counters = locks_uses_turnstiles(ops) ||
		    (ops->plo_flags & PLO_SPIN) != 0;
		uint64_t streak = 0;

		if (!ran(lk, series, b))
			continue;
		for (unsigned r = 0; r < lk->lk_repeats; r++) {
			uint64_t v = locks_at(lk, series, b, r)->lsa_streak;

			streak = v > streak ? v : streak;
		}
		table_cell(t, "%s", ops->plo_name);
		cell(t, s, true);
		range_cell(t, s);
		ratio_cell(t, s.s_median, base);
		table_cell(
		    t, "%.2f", locks_stats(lk, series, b, locks_jain).s_median);
		table_cell(t, "%s", table_integer(buf, streak));
		cell(t, locks_stats(lk, series, b, locks_sleeps), counters);
		cell(t, locks_stats(lk, series, b, locks_wakes), counters);
		cell(t, locks_stats(lk, series, b, locks_voluntary), true);
		cell(t, locks_stats(lk, series, b, locks_involuntary), true);
	}
	table_print(t, lk->lk_out);
	table_destroy(t);
}

static const double quantiles[] = { 0.5, 0.99, 0.999 };

static void
time_cells(struct table *t, const struct hist *h)
{
	char buf[TABLE_NUMBER_MAX];

	for (size_t i = 0; i < nitems(quantiles); i++)
		table_cell(t, "%s",
		    table_number(
			buf, (double)hist_quantile(h, quantiles[i]) / 1e3));
	table_cell(t, "%s", table_number(buf, (double)h->h_max / 1e3));
}

static void
print_times(const struct locks *lk, size_t series)
{
	static const char *const heads[] = { "wait us\np50", "\np99", "\np99.9",
		"\nmax", "hold us\np50", "\np99", "\np99.9", "\nmax" };
	struct hist *h = bench_calloc(2, sizeof(h[0]));
	struct table *t = table_create("lrrrrrrrr");

	table_cell(t, "\nlock");
	for (size_t i = 0; i < nitems(heads); i++)
		table_cell(t, "%s", heads[i]);
	table_rule(t);
	for (size_t b = 0; b < lk->lk_nbackends; b++) {
		if (!ran(lk, series, b))
			continue;
		memset(h, 0, 2 * sizeof(h[0]));
		for (unsigned r = 0; r < lk->lk_repeats; r++) {
			const struct locks_sample *lsa =
			    locks_at(lk, series, b, r);

			if (!counts(lsa))
				continue;
			hist_merge(&h[0], &lsa->lsa_wait);
			hist_merge(&h[1], &lsa->lsa_hold);
		}
		table_cell(t, "%s", lk->lk_backends[b]->plo_name);
		time_cells(t, &h[0]);
		time_cells(t, &h[1]);
	}
	(void)fprintf(lk->lk_out, "\n");
	table_print(t, lk->lk_out);
	table_destroy(t);
	free(h);
}

/* Waits by priority, the most urgent first. */
static void
print_urgencies(const struct locks *lk, size_t series)
{
	struct hist *h = bench_calloc(1, sizeof(h[0]));
	struct table *t = table_create("lrrrrrrrr");
	char buf[TABLE_NUMBER_MAX];

	table_cell(t, "wait us,\npriority");
	for (unsigned u = 0; u < LOCKS_PRIORITIES; u++) {
		table_cell(t, "%u\np99", u + 1);
		table_cell(t, "\nmax");
	}
	table_rule(t);
	for (size_t b = 0; b < lk->lk_nbackends; b++) {
		if (!ran(lk, series, b))
			continue;
		table_cell(t, "%s", lk->lk_backends[b]->plo_name);
		for (unsigned u = 0; u < LOCKS_PRIORITIES; u++) {
			memset(h, 0, sizeof(h[0]));
			for (unsigned r = 0; r < lk->lk_repeats; r++) {
				const struct locks_sample *lsa =
				    locks_at(lk, series, b, r);

				if (counts(lsa))
					hist_merge(h, &lsa->lsa_urgency[u]);
			}
			table_cell(t, "%s",
			    table_number(
				buf, (double)hist_quantile(h, 0.99) / 1e3));
			table_cell(
			    t, "%s", table_number(buf, (double)h->h_max / 1e3));
		}
	}
	(void)fprintf(lk->lk_out, "\n");
	table_print(t, lk->lk_out);
	table_destroy(t);
	free(h);
}

void
locks_print_series(const struct locks *lk, size_t series)
{
	char title[240];

	locks_load_title(&lk->lk_series[series], title, sizeof(title));
	(void)fprintf(lk->lk_out, "\n%s\n", title);
	print_machine(lk, series);
	if (lk->lk_series[series].ll_kind == LOCKS_PAIR) {
		print_pairs(lk, series);
		return;
	}
	print_throughput(lk, series);
	print_times(lk, series);
	if (lk->lk_series[series].ll_priority != LOCKS_PRI_NONE)
		print_urgencies(lk, series);
}

void
locks_print_voids(const struct locks *lk)
{
	char title[240];

	for (size_t s = 0; s < lk->lk_nseries; s++) {
		locks_load_title(&lk->lk_series[s], title, sizeof(title));
		for (size_t b = 0; b < lk->lk_nbackends; b++) {
			for (unsigned r = 0; r < lk->lk_repeats; r++) {
				const struct locks_sample *lsa =
				    locks_at(lk, s, b, r);

				if (lsa->lsa_void[0] == '\0')
					continue;
				(void)fprintf(lk->lk_out,
				    "VOID: %s, %s, repeat %u: %s\n",
				    lk->lk_backends[b]->plo_name, title, r + 1,
				    lsa->lsa_void);
			}
		}
	}
	if (lk->lk_interrupted)
		(void)fprintf(lk->lk_out,
		    "INTERRUPTED: medians are of fewer runs than planned\n");
}
