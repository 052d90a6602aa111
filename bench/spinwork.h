/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_SPINWORK_H
#define BENCH_SPINWORK_H

/*
 * Work of a given length that touches no memory: a chain of multiplications,
 * since what a pause costs differs by a factor of twenty between CPUs.
 *
 * Its length is right for the clock rate at which it was calibrated.  Measured:
 * AMD EPYC, 600 ns asked for, 595 to 610 ns had.
 */

#include <stdint.h>

/* Takes some 10 ms, once; before the first spinwork(). */
void spinwork_calibrate(void);

/* Rounds of the chain for ns nanoseconds. */
uint64_t spinwork_rounds(uint64_t ns);

static inline void
spinwork(uint64_t rounds)
{
	uint64_t x = rounds;

	for (; rounds > 0; rounds--) {
		x = x * UINT64_C(6364136223846793005) + 1;
		/* The chain is to be computed, not foreseen. */
		__asm__ __volatile__("" : "+r"(x));
	}
}

/* What a pause costs, in nanoseconds. */
double spinwork_pause_ns(void);

#endif /* BENCH_SPINWORK_H */
