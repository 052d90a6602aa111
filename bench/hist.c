/* SPDX-License-Identifier: BSD-2-Clause */
#include "hist.h"

void
hist_merge(struct hist *a, const struct hist *b)
{
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		a->h_bucket[i] += b->h_bucket[i];
	a->h_count += b->h_count;
	if (b->h_max > a->h_max)
		a->h_max = b->h_max;
}

/* The largest value of a bucket. */
static uint64_t
bucket_end(unsigned i)
{
	unsigned e = i / HIST_SUB + 3;

	if (i < HIST_SUB)
		return (i);
	return (((UINT64_C(1) << e) + ((uint64_t)(i % HIST_SUB) << (e - 4))) +
	    (UINT64_C(1) << (e - 4)) - 1);
}

uint64_t
hist_quantile(const struct hist *h, double q)
{
	uint64_t rank, seen = 0, v;

	if (h->h_count == 0)
		return (0);
	/* At least one, and at most all. */
	rank = (uint64_t)(q * (double)h->h_count);
	if ((double)rank < q * (double)h->h_count || rank == 0)
		rank++;
	if (rank > h->h_count)
		rank = h->h_count;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->h_bucket[i];
		if (seen >= rank) {
			v = bucket_end(i);
			return (v < h->h_max ? v : h->h_max);
		}
	}
	return (h->h_max);
}
