/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probes of one line, and of one lock.
 */

#include <math.h>

#include "workload/probe_var.h"

#define BATCH 16 /* operations between two looks at the flag */

/* From turn to turn + 1. */
static void
strike(struct probe *p, uint64_t turn)
{
	uint64_t expected;

	do {
		expected = turn;
		/* Relaxed: the line is all that is passed on. */
	} while (!atomic_compare_exchange_weak_explicit(&p->p_line, &expected,
	    turn + 1, memory_order_relaxed, memory_order_relaxed));
}

/* Thread 0 tells the time, from its first strike to its last. */
void
probe_pingpong(struct probe_thread *pt)
{
	struct probe *p = pt->pt_probe;
	uint64_t n = p->p_config->pc_ops, i = 0, begin, turn;

	/* Relaxed: all are at the gate, or wait for this very turn. */
	turn = atomic_load_explicit(&p->p_line, memory_order_relaxed);
	turn = (turn + n) / (2 * n) * (2 * n) + pt->pt_index;
	/* Until both are at it, the line is not handed over. */
	for (; i < n / 8; i++, turn += 2)
		strike(p, turn);
	strike(p, turn);
	begin = probe_clock(p);
	for (i++; i < n; i++)
		strike(p, turn += 2);
	pt->pt_ns = probe_clock(p) - begin;
	pt->pt_ops = 2 * (n - 1 - n / 8);
	if (pt->pt_index != 0)
		pt->pt_ns = 0;
}

static void
add(struct probe_thread *pt, unsigned sample)
{
	struct probe *p = pt->pt_probe;
	uint64_t n = 0, begin = probe_clock(p);

	while (n < p->p_config->pc_ops && !probe_done(p, sample)) {
		for (unsigned i = 0; i < BATCH; i++) {
			/* Relaxed: a count; nothing else is passed on. */
			(void)atomic_fetch_add_explicit(
			    &p->p_line, 1, memory_order_relaxed);
		}
		n += BATCH;
	}
	pt->pt_ns = probe_clock(p) - begin;
	pt->pt_ops = n;
}

void
probe_counter(struct probe_thread *pt, unsigned sample)
{
	add(pt, sample);
}

/* Thread 0 adds; its additions are what is counted. */
void
probe_readers(struct probe_thread *pt, unsigned sample)
{
	struct probe *p = pt->pt_probe;

	if (pt->pt_index == 0) {
		add(pt, sample);
		return;
	}
	while (!probe_done(p, sample)) {
		for (unsigned i = 0; i < BATCH; i++) {
			/* Relaxed: only that the line is here counts. */
			(void)atomic_load_explicit(
			    &p->p_line, memory_order_relaxed);
		}
	}
	pt->pt_ns = 0;
}

/* Exponentially distributed with this mean, at least 1. */
static uint64_t
draw(struct wl_rng *rng, uint64_t mean)
{
	double u = ((double)(wl_rand(rng) >> 11) + 1) / 9007199254740993.0;
	double v = -log(u) * (double)mean;

	return (v < 1 ? 1 : (uint64_t)v);
}

/*
 * Arrivals at random, independent of the lock: a thread that is late, since it
 * waited, does not shift those after it.  They end after pc_ops of them on
 * average.  Holds: nine in ten of half the mean,
 * the others of 5.5 times the mean, each exponentially distributed around that.
 */
void
probe_queue(struct probe_thread *pt)
{
	struct probe *p = pt->pt_probe;
	const struct probe_config *pc = p->p_config;
	struct sim *sim = p->p_machine->ma_sim;
	uint64_t now = probe_clock(p), next = now, hold, t;
	uint64_t end = p->p_begin_ns + pc->pc_ops * pc->pc_gap_ns;

	for (;;) {
		next += draw(&pt->pt_rng, pc->pc_gap_ns);
		if (next >= end)
			break;
		hold = wl_below(&pt->pt_rng, 10) == 0 ? pc->pc_hold_ns * 11 / 2
						      : pc->pc_hold_ns / 2;
		hold = draw(&pt->pt_rng, hold);
		now = probe_clock(p);
		if (next > now)
			sim_charge(sim, SIM_COMPUTE_NS, next - now);
		mtx_lock(&p->p_mtx);
		t = probe_clock(p);
		sim_charge(sim, SIM_COMPUTE_NS, hold);
		t = probe_clock(p) - t;
		mtx_unlock(&p->p_mtx);
		pt->pt_hold_ns += (double)t;
		pt->pt_hold2_ns += (double)t * (double)t;
	}
}
