/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

/*
 * How often which time was measured: buckets of equal relative width, 16 for
 * each power of two, so a quantile is too high by at most one part in 16.  Below
 * 16 ns it is exact, and so is the maximum.
 */

#include <stdint.h>

#define HIST_SUB     16
#define HIST_BUCKETS (61 * HIST_SUB)

struct hist {
	uint64_t h_count;
	uint64_t h_max;
	uint64_t h_bucket[HIST_BUCKETS];
};

/* The bucket of a value. */
static inline unsigned
hist_index(uint64_t v)
{
	unsigned e;

	if (v < HIST_SUB)
		return ((unsigned)v);
	e = 63 - (unsigned)__builtin_clzll(v);
	return ((e - 3) * HIST_SUB + (unsigned)(v >> (e - 4)) % HIST_SUB);
}

static inline void
hist_add(struct hist *h, uint64_t v)
{
	h->h_bucket[hist_index(v)]++;
	h->h_count++;
	if (v > h->h_max)
		h->h_max = v;
}

/* Add what is in b to a. */
void hist_merge(struct hist *a, const struct hist *b);

/*
 * The value that fraction q, 0 to 1, of those measured do not exceed; 0 when
 * there is none.
 */
uint64_t hist_quantile(const struct hist *h, double q);

#endif /* BENCH_HIST_H */
