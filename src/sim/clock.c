/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's clock.
 *
 * Why.  A lock operation that is profiled reads the clock twice.  clock_gettime()
 * costs more than twice what the time stamp counter does, and is a system call
 * where the kernel does not trust the counter.
 * Measured: AMD EPYC, a virtual machine, 10^7 calls in a loop: clock_ns() 10 ns,
 * clock_gettime(CLOCK_MONOTONIC) 24 ns.
 *
 * The idea.  Where the CPU says that its counter is invariant (it ticks at one
 * rate in all power states, CPUID 80000007H, EDX bit 8), the counter's rate is
 * measured once per process against CLOCK_MONOTONIC and a reading is one
 * multiplication and a shift.  Elsewhere it is CLOCK_MONOTONIC itself.
 *
 * Limits.
 *   - The rate is measured over CALIBRATE_NS, each end to within the time that
 *	one clock_gettime(2) takes, the best of CALIBRATE_TRIES.  With 50 ns at
 *	both ends that is 20 parts in a million: compare times of one process,
 *	and take long intervals that matter from CLOCK_MONOTONIC.
 *   - RDTSC is not ordered with memory accesses.  A reading may be early or late
 *	by the depth of the CPU's pipeline, tens of nanoseconds, so that a
 *	thread which was woken can read a time before the one its waker read:
 *	whoever subtracts readings of two threads clips at 0.
 *	Assumed: two readings in one thread are in order on all amd64 CPUs,
 *	though the manuals do not promise it.
 *   - The counters of two sockets are synchronised by the firmware.  Linux
 *	checks that, and if it finds a difference it changes its own clock
 *	source; we do not look.
 */
#include "sim/clock.h"

#include <pthread.h>
#include <time.h>

#include "kern/cpu.h"

#define NS_PER_S UINT64_C(1000000000)

/* Assumed: long enough for 20 ppm, short enough to go unnoticed. */
#define CALIBRATE_NS    UINT64_C(5000000)
#define CALIBRATE_TRIES 16

__extension__ typedef unsigned __int128 uint128_t;

/* Set once, by clock_init(); constant after that. */
static bool host_clock_is_tsc;
static uint64_t host_clock_base; /* ticks */
static struct clock_scale host_clock_scale;
static pthread_once_t host_clock_once = PTHREAD_ONCE_INIT;

struct clock_scale
clock_scale_from(uint64_t ticks, uint64_t ns)
{
	struct clock_scale cs = { .cs_shift = 63 };
	uint128_t mult;

	/* The largest factor that fits: the least rounding. */
	for (;;) {
		mult = ((uint128_t)ns << cs.cs_shift) / ticks;
		if (mult <= UINT64_MAX)
			break;
		cs.cs_shift--;
	}
	cs.cs_mult = (uint64_t)mult;
	return (cs);
}

uint64_t
clock_scale_apply(struct clock_scale cs, uint64_t ticks)
{
	return ((uint64_t)(((uint128_t)ticks * cs.cs_mult) >> cs.cs_shift));
}

static uint64_t
monotonic_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec);
}

#if defined(__x86_64__)
#include <cpuid.h>

static bool
tsc_is_invariant(void)
{
	unsigned a, b, c, d;

	return (__get_cpuid(0x80000007u, &a, &b, &c, &d) != 0 &&
	    (d & (1u << 8)) != 0);
}

static uint64_t
tsc_read(void)
{
	return (__builtin_ia32_rdtsc());
}
#else
static bool
tsc_is_invariant(void)
{
	return (false);
}

static uint64_t
tsc_read(void)
{
	return (0);
}
#endif

/* The same moment on both clocks, as well as can be had. */
static void
read_both(uint64_t *ticksp, uint64_t *nsp)
{
	uint64_t after, before, best = UINT64_MAX, ns;

	for (int i = 0; i < CALIBRATE_TRIES; i++) {
		before = tsc_read();
		ns = monotonic_ns();
		after = tsc_read();
		if (after - before < best) {
			best = after - before;
			*ticksp = before + best / 2;
			*nsp = ns;
		}
	}
}

static void
clock_calibrate(void)
{
	uint64_t ns0, ns1, ticks0, ticks1;

	if (!tsc_is_invariant())
		return;
	read_both(&ticks0, &ns0);
	while (monotonic_ns() - ns0 < CALIBRATE_NS)
		cpu_spinwait();
	read_both(&ticks1, &ns1);
	if (ticks1 <= ticks0 || ns1 <= ns0)
		return;
	host_clock_scale = clock_scale_from(ticks1 - ticks0, ns1 - ns0);
	host_clock_base = ticks0;
	host_clock_is_tsc = true;
}

void
clock_init(void)
{
	(void)pthread_once(&host_clock_once, clock_calibrate);
}

uint64_t
clock_ns(void)
{
	if (!host_clock_is_tsc)
		return (monotonic_ns());
	return (
	    clock_scale_apply(host_clock_scale, tsc_read() - host_clock_base));
}

bool
clock_is_tsc(void)
{
	return (host_clock_is_tsc);
}
