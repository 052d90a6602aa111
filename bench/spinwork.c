/* SPDX-License-Identifier: BSD-2-Clause */
#include "spinwork.h"

#include "kern/cpu.h"
#include "sim/clock.h"

#define TRIES  15
#define ROUNDS 200000
#define PAUSES 2000

/* Set by spinwork_calibrate(): rounds in 2^16 ns. */
static uint64_t spinwork_scale;

void
spinwork_calibrate(void)
{
	uint64_t best = UINT64_MAX, t0, t;

	clock_init();
	/* The fastest: what disturbs only ever makes it longer. */
	for (int i = 0; i < TRIES; i++) {
		t0 = clock_ns();
		spinwork(ROUNDS);
		t = clock_ns() - t0;
		if (t < best)
			best = t;
	}
	spinwork_scale = ((uint64_t)ROUNDS << 16) / (best > 0 ? best : 1);
}

uint64_t
spinwork_rounds(uint64_t ns)
{
	return ((ns * spinwork_scale) >> 16);
}

double
spinwork_pause_ns(void)
{
	uint64_t best = UINT64_MAX, t0, t;

	for (int i = 0; i < TRIES; i++) {
		t0 = clock_ns();
		for (int k = 0; k < PAUSES; k++)
			cpu_spinwait();
		t = clock_ns() - t0;
		if (t < best)
			best = t;
	}
	return ((double)best / PAUSES);
}
