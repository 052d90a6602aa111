/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What this library's locks are meant to reach, as ratios taken side by side in
 * one run: the loads that show it, and whether they do.
 *
 * The loads.  short: four increments inside, 0 to 96 ns outside; medium: 600 ns
 * inside, 0 to 1200 outside.  Two threads are pinned, eight are not and share the
 * same two CPUs.
 *
 * The peers are all that are not ours and not the baseline.  A peer that sleeps
 * is one that does not spin for good; those are what a lock that sleeps is
 * compared with where threads outnumber CPUs.
 */

#include <math.h>
#include <string.h>

#include "bench.h"
#include "locks.h"
#include "table.h"

enum bar_series {
	BAR_PAIR,
	BAR_2_SHORT,
	BAR_2_MEDIUM,
	BAR_8_SHORT,
	BAR_8_MEDIUM,
	BAR_RANDOM,
	NBAR_SERIES
};

const char locks_bars_backends[] =
    "pthread_mutex,pthread_adaptive,pthread_pi,mtx8,gen2,gen1,ck_fas";

enum bar_other {
	BAR_VALUE,      /* the metric itself */
	BAR_OVER,       /* over that of another lock */
	BAR_BEST_PEER,  /* over the best peer's */
	BAR_BEST_SLEEP, /* over the best sleeping peer's */
};

static const struct bar {
	unsigned b_row;
	const char *b_what;
	const char *b_lock;
	enum bar_series b_series;
	locks_metric_fn *b_metric;
	enum bar_other b_kind;
	const char *b_other; /* BAR_OVER */
	double b_bar;
	bool b_at_most;
} bars[] = {
	{ 2, "pair, ns", "gen2", BAR_PAIR, locks_pair_ns, BAR_OVER,
	    LOCKS_BASELINE, 0.70, true },
	{ 2, "pair, ns", "gen2", BAR_PAIR, locks_pair_ns, BAR_OVER,
	    "pthread_pi", 0.55, true },
	{ 3, "pair, ns", "mtx8", BAR_PAIR, locks_pair_ns, BAR_OVER,
	    LOCKS_BASELINE, 0.60, true },
	{ 3, "pair, ns", "gen1", BAR_PAIR, locks_pair_ns, BAR_OVER, "ck_fas",
	    1.20, true },
	{ 4, "2 threads short", "gen2", BAR_2_SHORT, locks_mops, BAR_OVER,
	    LOCKS_BASELINE, 3.5, false },
	{ 4, "2 threads short, longest wait, us", "gen2", BAR_2_SHORT,
	    locks_max_wait_us, BAR_VALUE, NULL, 150, true },
	{ 5, "2 threads medium", "gen2", BAR_2_MEDIUM, locks_mops, BAR_OVER,
	    LOCKS_BASELINE, 2.7, false },
	{ 5, "2 threads medium", "gen2", BAR_2_MEDIUM, locks_mops,
	    BAR_BEST_PEER, NULL, 0.92, false },
	{ 6, "8 threads short", "gen2", BAR_8_SHORT, locks_mops, BAR_OVER,
	    LOCKS_BASELINE, 4.8, false },
	{ 6, "8 threads short", "gen2", BAR_8_SHORT, locks_mops, BAR_BEST_SLEEP,
	    NULL, 1.1, false },
	{ 6, "8 threads short, Jain", "gen2", BAR_8_SHORT, locks_jain,
	    BAR_VALUE, NULL, 0.85, false },
	{ 7, "8 threads medium", "gen2", BAR_8_MEDIUM, locks_mops, BAR_OVER,
	    LOCKS_BASELINE, 1.7, false },
	{ 7, "8 threads medium", "gen2", BAR_8_MEDIUM, locks_mops,
	    BAR_BEST_PEER, NULL, 0.92, false },
	{ 7, "8 threads medium, Jain", "gen2", BAR_8_MEDIUM, locks_jain,
	    BAR_VALUE, NULL, 0.85, false },
	{ 8, "2 threads short", "gen2", BAR_2_SHORT, locks_mops, BAR_OVER,
	    "pthread_pi", 20, false },
	{ 8, "2 threads medium", "gen2", BAR_2_MEDIUM, locks_mops, BAR_OVER,
	    "pthread_pi", 4.5, false },
	{ 8, "8 threads short", "gen2", BAR_8_SHORT, locks_mops, BAR_OVER,
	    "pthread_pi", 50, false },
	{ 8, "8 threads medium", "gen2", BAR_8_MEDIUM, locks_mops, BAR_OVER,
	    "pthread_pi", 9, false },
	{ 10, "8 threads short, longest wait", "gen2", BAR_8_SHORT,
	    locks_max_wait_us, BAR_BEST_SLEEP, NULL, 2, true },
	{ 10, "8 threads medium, longest wait", "gen2", BAR_8_MEDIUM,
	    locks_max_wait_us, BAR_BEST_SLEEP, NULL, 2, true },
	{ 11, "2 threads medium, sleeps of 1000", "gen2", BAR_2_MEDIUM,
	    locks_sleeps, BAR_VALUE, NULL, 0.5, true },
	{ 12, "random of 2^20 headers, ns", "gen2", BAR_RANDOM, locks_op_ns,
	    BAR_OVER, LOCKS_BASELINE, 0.60, true },
};

void
locks_bars_series(struct locks *lk)
{
	static const struct {
		unsigned threads;
		bool medium;
	} loads[] = { { 2, false }, { 2, true }, { 8, false }, { 8, true } };
	struct locks_load *ll;

	lk->lk_series = bench_calloc(NBAR_SERIES, sizeof(lk->lk_series[0]));
	lk->lk_nseries = NBAR_SERIES;
	for (size_t i = 0; i < NBAR_SERIES; i++) {
		ll = &lk->lk_series[i];
		ll->ll_kind = i == BAR_PAIR ? LOCKS_PAIR : LOCKS_LOAD;
		ll->ll_threads = 1;
		ll->ll_pin = PIN_SMT_LAST;
		ll->ll_nlocks = 1;
		ll->ll_inside = "nothing";
		ll->ll_window_ns = 25000000;
	}
	for (size_t i = 0; i < nitems(loads); i++) {
		ll = &lk->lk_series[BAR_2_SHORT + i];
		ll->ll_threads = loads[i].threads;
		ll->ll_inside = loads[i].medium ? "medium" : "short";
		ll->ll_increments = loads[i].medium ? 1 : 4;
		ll->ll_inside_ns = loads[i].medium ? 600 : 0;
		ll->ll_outside_max_ns = loads[i].medium ? 1200 : 96;
		if (loads[i].threads > 2) {
			ll->ll_pin = PIN_NONE;
			ll->ll_window_ns = 80000000;
		}
	}
	ll = &lk->lk_series[BAR_RANDOM];
	ll->ll_nlocks = 1u << 20;
	ll->ll_random = true;
	ll->ll_increments = 1;
	ll->ll_inside = "one increment";
}

static bool
is_peer(const struct pv_lock_ops *ops)
{
	return ((ops->plo_flags & PLO_GENERIC) != 0 ||
	    strncmp(ops->plo_name, "ck_", 3) == 0 ||
	    strcmp(ops->plo_name, "pthread_adaptive") == 0);
}

/* The backend that a bar compares with, or lk_nbackends. */
static size_t
other_of(const struct locks *lk, const struct bar *bar)
{
	size_t best = lk->lk_nbackends;
	double v, top = 0;

	if (bar->b_kind == BAR_OVER)
		return (locks_find(lk, bar->b_other));
	for (size_t b = 0; b < lk->lk_nbackends; b++) {
		const struct pv_lock_ops *ops = lk->lk_backends[b];
		struct stats s =
		    locks_stats(lk, bar->b_series, b, bar->b_metric);

		if (!is_peer(ops) || s.s_n == 0 ||
		    (bar->b_kind == BAR_BEST_SLEEP &&
			(ops->plo_flags & PLO_SPIN) != 0))
			continue;
		v = s.s_median;
		if (best == lk->lk_nbackends ||
		    (bar->b_at_most ? v < top : v > top)) {
			best = b;
			top = v;
		}
	}
	return (best);
}

static void
print_bar(struct locks *lk, const struct bar *bar, struct table *t)
{
	size_t own = locks_find(lk, bar->b_lock), other = lk->lk_nbackends;
	struct stats s, o = { .s_n = 0 };
	double v;
	bool ok;

	table_cell(t, "%u", bar->b_row);
	table_cell(t, "%s, %s", bar->b_lock, bar->b_what);
	s = locks_stats(lk, bar->b_series, own, bar->b_metric);
	if (bar->b_kind != BAR_VALUE) {
		other = other_of(lk, bar);
		if (other < lk->lk_nbackends)
			o = locks_stats(
			    lk, bar->b_series, other, bar->b_metric);
		table_cell(t, "/ %s",
		    other < lk->lk_nbackends ? lk->lk_backends[other]->plo_name
					     : "no such lock");
	} else {
		table_cell(t, "%s", "");
	}
	table_cell(t, "%s %.2f", bar->b_at_most ? "<=" : ">=", bar->b_bar);
	v = bar->b_kind == BAR_VALUE ? s.s_median
				     : stats_ratio(s.s_median, o.s_median);
	if (s.s_n == 0 || (bar->b_kind != BAR_VALUE && o.s_n == 0)) {
		table_cell(t, "-");
		table_cell(t, "n/a");
		return;
	}
	ok = bar->b_at_most ? v <= bar->b_bar : v >= bar->b_bar;
	lk->lk_nmissed += !ok;
	table_cell(t, "%.2f", v);
	table_cell(t, "%s", ok ? "ok" : "MISS");
	locks_record_bar(lk, bar->b_row, bar->b_lock, bar->b_what,
	    other < lk->lk_nbackends ? lk->lk_backends[other]->plo_name : NULL,
	    bar->b_bar, v, ok);
}

void
locks_print_bars(struct locks *lk)
{
	struct table *t = table_create("rllrrl");

	table_cell(t, "row");
	table_cell(t, "what");
	table_cell(t, "%s", "");
	table_cell(t, "bar");
	table_cell(t, "found");
	table_cell(t, "%s", "");
	table_rule(t);
	for (size_t i = 0; i < nitems(bars); i++)
		print_bar(lk, &bars[i], t);
	(void)fprintf(lk->lk_out, "\nBars\n\n");
	table_print(t, lk->lk_out);
	table_destroy(t);
}
