/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>

/* Order statistics of some repeats.  With s_n == 0 the rest is 0. */
struct stats {
	size_t s_n;
	double s_median;
	double s_min;
	double s_max;
};

/* Sorts v[0..n) in place. */
struct stats stats_of(double *v, size_t n);

/*
 * The value below which fraction q, 0 to 1, of sorted v[0..n) lies, by linear
 * interpolation between neighbours; n > 0.
 */
double stats_quantile(const double *v, size_t n, double q);

/* a / b, or 0 where b is 0: a column that shows "-" then. */
double stats_ratio(double a, double b);

/*
 * Jain's index of fairness of n shares: 1 when all are equal, 1/n when one has
 * everything; 1 for no shares and for shares of nothing.
 */
double stats_jain(const double *v, size_t n);

#endif /* BENCH_STATS_H */
