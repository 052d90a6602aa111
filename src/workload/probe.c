/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probes: threads, the gate, samples, and what they come to.  The experiments are
 * in probe_line.c and probe_pmap.c.
 *
 * A sample ends when the first thread has done its operations; the others stop
 * when they see it, and rates are added, so that all that counts was done while
 * all were at it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lock/lock_profile.h"
#include "workload/probe_var.h"

const char *const probe_kinds[NPROBE_KINDS] = {
#define PROBE_NAME(e, name) [e] = name,
	PROBE_KINDS(PROBE_NAME)
#undef PROBE_NAME
};

static bool
probe_stopped(struct probe *p)
{
	atomic_bool *stop = p->p_config->pc_stop;

	/* Relaxed: flags that are polled; nothing else is passed on. */
	return (atomic_load_explicit(&p->p_failed, memory_order_relaxed) ||
	    (stop != NULL && atomic_load_explicit(stop, memory_order_relaxed)));
}

/*
 * The n-th meeting of all threads.  They spin, so that whoever has lost its CPU
 * holds up the others and not the sample.
 */
static void
gate(struct probe *p, unsigned n)
{
	struct sim *sim = p->p_machine->ma_sim;

	/* Acq_rel: what each did before is there for all after. */
	if (atomic_fetch_add_explicit(&p->p_arrived, 1, memory_order_acq_rel) +
		1 ==
	    n * p->p_config->pc_threads) {
		/* Release: as above. */
		atomic_store_explicit(&p->p_gate, n, memory_order_release);
		return;
	}
	/* Acquire: as above. */
	for (unsigned i = 1;
	     atomic_load_explicit(&p->p_gate, memory_order_acquire) < n; i++) {
		if (i % 4096 == 0)
			sim->sim_ops->so_yield(sim);
		else
			sim->sim_ops->so_spin(sim, 1);
	}
}

static void
sample(struct probe_thread *pt, unsigned n)
{
	struct probe *p = pt->pt_probe;
	unsigned done = n;

	switch (p->p_config->pc_kind) {
	case PROBE_PINGPONG:
		probe_pingpong(pt);
		break;
	case PROBE_COUNTER:
		probe_counter(pt, n);
		break;
	case PROBE_READERS:
		probe_readers(pt, n);
		break;
	case PROBE_ENTER:
	case PROBE_SHARE:
		probe_enter(pt, n);
		break;
	case PROBE_PROCESSES:
	case PROBE_THREADS:
		probe_fault(pt, n);
		break;
	case PROBE_QUEUE:
		probe_queue(pt);
		break;
	case NPROBE_KINDS:
		break;
	}
	/* Relaxed: as in probe_done(). */
	(void)atomic_compare_exchange_strong_explicit(&p->p_done, &done, n + 1,
	    memory_order_relaxed, memory_order_relaxed);
	pt->pt_rates[n] =
	    pt->pt_ns > 0 ? (double)pt->pt_ops / (double)pt->pt_ns : 0;
}

static int
start(struct probe_thread *pt)
{
	enum probe_kind kind = pt->pt_probe->p_config->pc_kind;

	pt->pt_rng.wrg_state =
	    pt->pt_probe->p_config->pc_seed * 1024 + pt->pt_index;
	if (probe_has_pmap(kind))
		return (probe_enter_start(pt));
	return (0);
}

static void
work(void *arg)
{
	struct probe_thread *pt = arg;
	struct probe *p = pt->pt_probe;
	const struct probe_config *pc = p->p_config;
	struct sim *sim = p->p_machine->ma_sim;
	unsigned meetings = 0;

	pt->pt_error =
	    machine_thread_attach(p->p_machine, pc->pc_cpus[pt->pt_index]);
	if (pt->pt_error == 0) {
		sim_untimed(sim, true);
		pt->pt_error = start(pt);
		sim_untimed(sim, false);
	}
	if (pt->pt_error != 0) {
		/* Relaxed: the gate orders it. */
		atomic_store_explicit(&p->p_failed, true, memory_order_relaxed);
	}
	gate(p, ++meetings);
	/* Nobody may leave while others still wait for him: all see the same. */
	for (unsigned n = 0; n < pc->pc_samples; n++) {
		bool go = !probe_stopped(p);

		if (!go)
			/* Relaxed: the gate orders it. */
			atomic_store_explicit(
			    &p->p_failed, true, memory_order_relaxed);
		gate(p, ++meetings);
		/* Relaxed: the gate has ordered it. */
		if (atomic_load_explicit(&p->p_failed, memory_order_relaxed))
			break;
		gate(p, ++meetings);
		sample(pt, n);
	}
	if (probe_has_pmap(pc->pc_kind)) {
		sim_untimed(sim, true);
		gate(p, ++meetings);
		probe_enter_finish(pt);
		sim_untimed(sim, false);
	}
	if (curthread() != NULL)
		machine_thread_detach(p->p_machine);
}

/* What the profile has of the mutex. */
static int
take_queue(struct probe *p, struct probe_result *pr)
{
	struct lock_prof_record *recs;
	size_t nrecs;
	int error;

	pr->pr_elapsed_ns = probe_clock(p) - p->p_begin_ns;
	for (unsigned i = 0; i < p->p_config->pc_threads; i++) {
		pr->pr_hold_ns += p->p_threads[i].pt_hold_ns;
		pr->pr_hold2_ns += p->p_threads[i].pt_hold2_ns;
	}
	error =
	    lock_profile_collect(p->p_machine->ma_sim, false, &recs, &nrecs);
	if (error != 0)
		return (error);
	for (size_t i = 0; i < nrecs; i++) {
		if (strcmp(recs[i].lpr_name, PROBE_MTX_NAME) != 0)
			continue;
		pr->pr_count = recs[i].lpr_count;
		pr->pr_contested = recs[i].lpr_contested;
		pr->pr_wait_ns = recs[i].lpr_wait_ns;
	}
	free(recs);
	return (0);
}

static void
take_samples(struct probe *p, struct probe_result *pr)
{
	const struct probe_config *pc = p->p_config;

	for (unsigned n = 0; n < pc->pc_samples; n++) {
		double rate = 0;

		for (unsigned i = 0; i < pc->pc_threads; i++)
			rate += p->p_threads[i].pt_rates[n];
		/* A page of enter and share is a thread's own time. */
		if (pc->pc_kind == PROBE_ENTER || pc->pc_kind == PROBE_SHARE)
			rate /= pc->pc_threads;
		if (rate > 0)
			pr->pr_ns[pr->pr_nsamples++] = 1 / rate;
	}
}

static int
run_threads(struct probe *p)
{
	const struct probe_config *pc = p->p_config;
	struct sim *sim = p->p_machine->ma_sim;
	unsigned started = 0;
	int error = 0;

	/* All or none: those that run wait for all at the gate. */
	for (; started < pc->pc_threads && error == 0; started++) {
		struct probe_thread *pt = &p->p_threads[started];

		error = sim->sim_ops->so_thread_create(sim,
		    pc->pc_hostcpus != NULL ? pc->pc_hostcpus[started] : -1,
		    work, pt, &pt->pt_handle);
	}
	if (error != 0) {
		started--;
		/* Relaxed: the gate orders it. */
		atomic_store_explicit(&p->p_failed, true, memory_order_relaxed);
		for (unsigned i = started; i < pc->pc_threads; i++) {
			/* In the place of those that are missing. */
			atomic_fetch_add_explicit(
			    &p->p_arrived, 1, memory_order_acq_rel);
		}
	}
	for (unsigned i = 0; i < started; i++) {
		int e = sim->sim_ops->so_thread_join(
		    sim, p->p_threads[i].pt_handle);

		if (error == 0)
			error = e != 0 ? e : p->p_threads[i].pt_error;
	}
	if (error == 0 && probe_stopped(p))
		error = EINTR;
	return (error);
}

int
probe_run(
    struct machine *m, const struct probe_config *pc, struct probe_result *pr)
{
	size_t n = pc->pc_threads, size, rates;
	struct kmem *km = m->ma_kmem;
	struct probe *p;
	int error = ENOMEM;

	pr->pr_nsamples = 0;
	if (pc->pc_kind == PROBE_QUEUE && m->ma_sim->sim_ops->so_charge == NULL)
		return (EOPNOTSUPP);
	rates = pc->pc_samples * sizeof(double);
	size = sizeof(*p) + n * sizeof(p->p_threads[0]) + n * rates;
	p = kmem_alloc(km, size, CACHE_PAIR_SIZE, M_WORKLOAD, KMEM_ANYDOMAIN);
	if (p == NULL)
		return (ENOMEM);
	p->p_machine = m;
	p->p_config = pc;
	p->p_threads = (struct probe_thread *)(p + 1);
	for (unsigned i = 0; i < n; i++) {
		p->p_threads[i].pt_probe = p;
		p->p_threads[i].pt_index = i;
		sx_init(&p->p_threads[i].pt_map, "probe map", 0);
		p->p_threads[i].pt_rates =
		    (double *)(void *)(p->p_threads + n) + i * pc->pc_samples;
	}
	mtx_init(&p->p_mtx, PROBE_MTX_NAME, 0);
	sx_init(&p->p_map, "probe map", 0);
	p->p_begin_ns = probe_clock(p);
	error = run_threads(p);
	if (error == 0 && pc->pc_kind == PROBE_QUEUE)
		error = take_queue(p, pr);
	else if (error == 0)
		take_samples(p, pr);
	for (unsigned i = 0; i < n; i++)
		sx_destroy(&p->p_threads[i].pt_map);
	sx_destroy(&p->p_map);
	mtx_destroy(&p->p_mtx);
	kmem_free(km, p, size, M_WORKLOAD, KMEM_ANYDOMAIN);
	return (error);
}
