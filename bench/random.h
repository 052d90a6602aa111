/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include <stdint.h>

/* xorshift64*: some nanoseconds, and no call, between two measured operations. */
static inline uint64_t
bench_random(uint64_t *state) /* not 0 */
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return (x * UINT64_C(0x2545f4914f6cdd1d));
}

#endif /* BENCH_RANDOM_H */
