/* SPDX-License-Identifier: BSD-2-Clause */
#include "pingpong.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench.h"
#include "kern/cpu.h"
#include "sim/pin.h"
#include "stats.h"
#include "thread.h"

#define BATCHES 31
#define ROUNDS  2000 /* there and back, a batch */
/* A partner that was preempted is not waited for by spinning alone. */
#define SPINS 10000

struct pingpong {
	_Alignas(CACHE_PAIR_SIZE) _Atomic uint32_t p_ball;
	_Alignas(CACHE_PAIR_SIZE) double p_ns[BATCHES];
};

static void
wait_for(struct pingpong *p, uint32_t ball)
{
	/* Acquire: pairs with the release of whoever hit the ball. */
	for (unsigned n = 1;
	     atomic_load_explicit(&p->p_ball, memory_order_acquire) != ball;
	     n++) {
		if (n % SPINS == 0)
			(void)sched_yield();
	}
}

static void
hit(struct pingpong *p, uint32_t ball)
{
	/* Release: pairs with wait_for(). */
	atomic_store_explicit(&p->p_ball, ball, memory_order_release);
}

static void
ping(void *arg)
{
	struct pingpong *p = arg;
	uint32_t ball = 0;

	for (unsigned b = 0; b < BATCHES; b++) {
		uint64_t t0 = bench_clock_ns();

		for (unsigned i = 0; i < ROUNDS; i++) {
			hit(p, ++ball);
			wait_for(p, ++ball);
		}
		p->p_ns[b] = (double)(bench_clock_ns() - t0) / (2.0 * ROUNDS);
	}
}

static void
pong(void *arg)
{
	struct pingpong *p = arg;
	uint32_t ball = 0;

	for (unsigned i = 0; i < BATCHES * ROUNDS; i++) {
		wait_for(p, ++ball);
		hit(p, ++ball);
	}
}

double
pingpong_ns(int hostcpu[2])
{
	struct pingpong p = { .p_ball = 0 };
	struct bench_thread a, b;

	hostcpu[0] = hostcpu[1] = -1;
	if (host_ncpus() < 2)
		return (0);
	if (pin_order_cpus(PIN_SMT_LAST, hostcpu, 2) < 2)
		hostcpu[0] = hostcpu[1] = -1;
	if (bench_thread_start(&a, hostcpu[0], pong, &p) != 0)
		return (0);
	if (bench_thread_start(&b, hostcpu[1], ping, &p) != 0) {
		/* Play its part here, or the other one never ends. */
		ping(&p);
		bench_thread_join(&a);
		return (0);
	}
	bench_thread_join(&b);
	bench_thread_join(&a);
	/* What preempts a batch only adds: the quiet ones tell the distance. */
	(void)stats_of(p.p_ns, BATCHES);
	return (stats_quantile(p.p_ns, BATCHES, 0.1));
}
