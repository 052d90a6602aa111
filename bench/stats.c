/* SPDX-License-Identifier: BSD-2-Clause */
#include "stats.h"

#include <stdlib.h>

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return ((x > y) - (x < y));
}

double
stats_quantile(const double *v, size_t n, double q)
{
	double pos, part;
	size_t i;

	if (q <= 0)
		return (v[0]);
	if (q >= 1)
		return (v[n - 1]);
	pos = q * (double)(n - 1);
	i = (size_t)pos;
	part = pos - (double)i;
	if (part == 0)
		return (v[i]);
	return (v[i] + (v[i + 1] - v[i]) * part);
}

struct stats
stats_of(double *v, size_t n)
{
	struct stats s = { .s_n = n };

	if (n == 0)
		return (s);
	qsort(v, n, sizeof(v[0]), compare_doubles);
	s.s_min = v[0];
	s.s_max = v[n - 1];
	s.s_median = stats_quantile(v, n, 0.5);
	return (s);
}

double
stats_ratio(double a, double b)
{
	return (b != 0 ? a / b : 0);
}

double
stats_jain(const double *v, size_t n)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < n; i++) {
		sum += v[i];
		squares += v[i] * v[i];
	}
	return (squares > 0 ? sum * sum / ((double)n * squares) : 1);
}
