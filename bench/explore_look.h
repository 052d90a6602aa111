/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_EXPLORE_LOOK_H
#define BENCH_EXPLORE_LOOK_H

/* What the processes of a search share; explore_look.c says how it is made. */

#include <stdatomic.h>

#include "explore.h"

#define HASHES      (1u << 20) /* room for */
#define HASHES_MAX  (HASHES / 4 * 3)
#define LEARNED_MAX 65536
#define FOUND_MAX   4096
#define NO_INDEX    UINT64_MAX

struct slot {
	struct ex_result s_result;
	_Atomic uint64_t s_runs;
	uint64_t s_steps;
	uint64_t s_points;
	uint64_t s_preemptions;
	uint64_t s_index; /* of the run that it is in */
	bool s_complete;
	unsigned s_bound;
	uint32_t s_nshared;
	/* Of these, what nobody knew when it began. */
	uint32_t s_nfound;
	uintptr_t s_found[FOUND_MAX];
};

/* What processes share. */
struct look {
	_Atomic uint64_t lo_failed; /* smallest index that has */
	atomic_bool lo_stop;
	_Atomic uint32_t lo_distinct;
	uint32_t lo_npoints;
	uint32_t lo_nshared;
	uintptr_t lo_shared[LEARNED_MAX];
	_Atomic uint64_t lo_hashes[HASHES];
	struct slot lo_slots[];
};

struct looker {
	const struct explore_options *lk_options;
	const struct explore_target *lk_target;
	struct look *lk_look;
	uint64_t lk_end_ns; /* 0: never */
};

/* In processes of their own.  They end with 0, EXPLORE_FAILED or an exit status. */
_Noreturn void explore_learner(const struct looker *lk, struct slot *slot);
_Noreturn void
explore_worker(const struct looker *lk, struct slot *slot, unsigned w);

#endif /* BENCH_EXPLORE_LOOK_H */
