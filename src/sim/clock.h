/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

/*
 * The host's clock in nanoseconds, as cheap as the host has it: see clock.c.
 */

#include <stdbool.h>
#include <stdint.h>

/* Before the first clock_ns(); again is harmless.  Takes 5 ms once. */
void clock_init(void);

/*
 * Nanoseconds from an arbitrary point in time.  Never goes backwards within a
 * thread; between threads it may by what clock.c says.
 */
uint64_t clock_ns(void);

/* Is it the CPU's time stamp counter, rather than clock_gettime(2)? */
bool clock_is_tsc(void);

/*
 * (ticks * mult) >> shift without overflow, and the factors for it: ns
 * nanoseconds passed while ticks did.  Exposed for tests.
 */
struct clock_scale {
	uint64_t cs_mult;
	unsigned cs_shift;
};
struct clock_scale clock_scale_from(uint64_t ticks, uint64_t ns);
uint64_t clock_scale_apply(struct clock_scale cs, uint64_t ticks);

#endif /* SIM_CLOCK_H */
