/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_UTIL_H
#define WORKLOAD_UTIL_H

/* Small machines for tests of what stands above the pmap. */

#include "pmapsim/machine.h"
#include "pmapsim/pv_lock.h"
#include "pmapsim/workload.h"

/* 128 MB in two domains of 64, with a superpage shared by two segments. */
extern const char *const map_two_domains;

struct machine_options {
	unsigned mo_ncpus; /* 0: 1 */
	bool mo_profile;
	enum machine_witness mo_witness;
	uint64_t mo_limit_pages;
	const vm_paddr_t *mo_blacklist;
	size_t mo_nblacklist;
};

/* Main thread only: asserts that it succeeds.  mo may be NULL. */
struct machine *machine_of(
    const char *map, const char *design, const struct machine_options *mo);
/* The same: asserts that nothing leaked. */
void machine_end(struct machine *m);

/* A scenario in little memory; two daemons, where it is pageout with threads. */
struct workload_config small_workload(
    const char *name, unsigned threads, uint64_t seed, uint64_t rounds);
/* workload_run(): asserts that the run counts. */
void run_workload(struct machine *m, const struct workload_config *wc,
    struct workload_result *wr);

/* A test of a layout, which is its initial state, and in its name. */
extern enum pv_layout test_layouts[PVL_COUNT];
#define LAYOUT_TEST(f, pl)                                                     \
	{                                                                      \
		.name = #f ":" #pl, .test_func = f,                            \
		.initial_state = &test_layouts[pl]                             \
	}

/* PMAPSIM_SEED or a fixed one; printed. */
uint64_t test_seed(void);

#endif /* WORKLOAD_UTIL_H */
