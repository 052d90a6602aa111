/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SUPERPAGE_STORM_H
#define TESTS_SUPERPAGE_STORM_H

/*
 * Random operations by many threads on runs of 512 pages that they share, so that
 * superpages come and go all the time.
 *
 * There are two objects of two full runs each, and one of single pages that are
 * freed and allocated anew.  Address spaces have four slots of 2 MB, on both sides
 * of the end of a directory, that runs are mapped in, mostly each in its own; and
 * a fifth for the single pages.  Three address spaces are shared, and each thread
 * has one of its own, which ends and begins again: there are fork, exec and exit.
 *
 * Rules of callers.  A page is entered under its object's lock, read-locked, and
 * does not wait for memory; or with the object busy, and may.  Who looks at all
 * mappings has the object write-locked and nobody has it busy, so that no mapping
 * appears.  What is removed or write-protected then is frozen: no access, or no
 * write, reaches the page until the lock is dropped, through whatever TLB.
 *
 * Wired mappings are in address spaces that one thread owns, since the rest of the
 * kernel would know what it has wired.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmap_util.h"
#include "pmapsim/mmu.h"
#include "vm/vm_object.h"

#define SPS_NTHREADS 8 /* that change mappings */
#define SPS_NREADERS 2 /* that use them */
#define SPS_NCPUS    (SPS_NTHREADS + SPS_NREADERS)
#define SPS_NSHARED  3
#define SPS_NRUNS    4
#define SPS_NSLOTS   4
#define SPS_RUN      512u
#define SPS_NSINGLES 64u

enum sps_shortage {
	SPS_PLENTY,
	SPS_LIMIT, /* few page tables and chunks: pmap_limit() */
	SPS_FEW,   /* few pages, nobody waits for one */
	SPS_WAIT,  /* few pages; some wait */
	SPS_NSHORTAGES
};

struct sps_config {
	const char *sc_design;
	uint64_t sc_seed;
	unsigned sc_rounds; /* the checker looks after each */
	unsigned sc_nops;   /* of each thread in a round */
	enum sps_shortage sc_shortage;
	bool sc_preempt; /* yield at unlocks of pv lists, and in between */
};

/* What happened, over all calls. */
struct sps_totals {
	uint64_t st_promotions;
	uint64_t st_demotions;
	uint64_t st_mappings;
	uint64_t st_restarts;
	uint64_t st_reclaims;
	uint64_t st_invl_waits;
	uint64_t st_hits;
	uint64_t st_frozen; /* pages that were frozen */
};
extern struct sps_totals sps_totals;

struct sps_object {
	struct vm_object *so_object;
	struct vm_page **so_pages; /* under the object's lock */
	_Atomic int so_busy;       /* who has it busy; -1: one, alone */
};

/* A page that must not be reached while the number is odd. */
struct sps_frozen {
	_Atomic uint32_t sf_all;
	_Atomic uint32_t sf_write;
};

struct sps {
	struct pu pu;
	const struct sps_config *config;
	struct pmap *shared[SPS_NSHARED];
	struct pmap *own[SPS_NTHREADS]; /* NULL: no memory for one */
	struct sps_object runs[SPS_NRUNS / 2];
	struct sps_object singles;
	struct vm_page *run[SPS_NRUNS]; /* first pages */
	bool assumed[SPS_NRUNS];        /* full because we say so */
	struct sps_frozen frozen[SPS_NRUNS][SPS_RUN];
	struct vm_page *hoard;
	uint64_t seed;
	_Atomic unsigned left;    /* threads that are not readers */
	_Atomic unsigned look_at; /* a page that was frozen lately */
	_Atomic uint64_t nfrozen;
	_Atomic unsigned wrong;
};

struct sps_thread {
	struct sps *st_sps;
	unsigned st_i;
	unsigned st_cpu;
	uint64_t st_rng;
	struct pmap *st_loaded;
};

/* Run it; asserts that nothing was wrong.  By the main thread. */
void sps_run(const struct sps_config *sc);

/* For the parts.  A number below n. */
uint64_t sps_below(struct sps_thread *st, uint64_t n);
/* One in n. */
bool sps_odds(struct sps_thread *st, uint64_t n);
void sps_wrong(struct sps *sps, const char *what);
vm_offset_t sps_slot(uint64_t slot);
struct pmap *sps_some_pmap(struct sps_thread *st);
bool sps_busy_shared(struct sps_object *so);
void sps_busy_drop(struct sps_object *so);

/* One operation (superpage_storm_va.c, superpage_storm_page.c). */
void sps_enter(struct sps_thread *st);
void sps_change(struct sps_thread *st);
void sps_wire(struct sps_thread *st);
void sps_exit(struct sps_thread *st);
void sps_page(struct sps_thread *st);
void sps_replace_single(struct sps_thread *st);
/* Some accesses by the thread's CPU, which may load another address space. */
void sps_use(struct sps_thread *st);
void sps_unload(struct sps_thread *st);

#endif /* TESTS_SUPERPAGE_STORM_H */
