/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_PROBE_VAR_H
#define WORKLOAD_PROBE_VAR_H

/* What the files of probes share: see probe.h. */

#include "lock/mtx.h"
#include "lock/sx.h"
#include "workload/probe.h"
#include "workload/workload_var.h"

#define PROBE_MTX_NAME "probe queue"

struct probe_thread {
	_Alignas(CACHE_PAIR_SIZE) struct probe *pt_probe;
	unsigned pt_index;
	void *pt_handle;
	int pt_error;
	uint64_t pt_ops;  /* of the sample */
	uint64_t pt_ns;   /* that they took */
	double *pt_rates; /* [samples] operations in a nanosecond */
	struct sx pt_map; /* processes: the map's lock */
	struct pmap *pt_pmap;
	struct vm_page **pt_pages;
	size_t pt_npages; /* that are its to free */
	struct wl_rng pt_rng;
	double pt_hold_ns; /* queue */
	double pt_hold2_ns;
};

struct probe {
	struct machine *p_machine;
	const struct probe_config *p_config;
	struct probe_thread *p_threads;
	struct vm_page **p_shared; /* share: thread 0's */
	uint64_t p_begin_ns;       /* queue */
	_Alignas(CACHE_PAIR_SIZE) _Atomic uint64_t p_line;
	_Alignas(CACHE_PAIR_SIZE) struct mtx p_mtx;
	_Alignas(CACHE_PAIR_SIZE) struct sx p_map;            /* threads */
	_Alignas(CACHE_PAIR_SIZE) _Atomic unsigned p_arrived; /* at the gate */
	_Alignas(CACHE_PAIR_SIZE) _Atomic unsigned p_gate; /* times it opened */
	_Atomic unsigned p_done; /* samples that somebody has finished */
	_Atomic bool p_failed;
};

/* Has somebody finished this sample? */
static inline bool
probe_done(struct probe *p, unsigned sample)
{
	/* Relaxed: a flag that is polled; nothing else is passed on. */
	return (
	    atomic_load_explicit(&p->p_done, memory_order_relaxed) > sample);
}

/* The part of a sample: pt_ops operations in pt_ns. */
void probe_pingpong(struct probe_thread *pt);
void probe_counter(struct probe_thread *pt, unsigned sample);
void probe_readers(struct probe_thread *pt, unsigned sample);
void probe_enter(struct probe_thread *pt, unsigned sample);
void probe_fault(struct probe_thread *pt, unsigned sample);
void probe_queue(struct probe_thread *pt);

/* Pages and a pmap.  Returns 0, ENOMEM. */
int probe_enter_start(struct probe_thread *pt);
void probe_enter_finish(struct probe_thread *pt);

static inline bool
probe_has_pmap(enum probe_kind kind)
{
	return (kind == PROBE_ENTER || kind == PROBE_SHARE ||
	    kind == PROBE_PROCESSES || kind == PROBE_THREADS);
}

static inline uint64_t
probe_clock(struct probe *p)
{
	return (sim_clock_ns(p->p_machine->ma_sim));
}

#endif /* WORKLOAD_PROBE_VAR_H */
