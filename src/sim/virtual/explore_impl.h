/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_EXPLORE_IMPL_H
#define SIM_VIRTUAL_EXPLORE_IMPL_H

/* What the files of explore.h share. */

#include "sim/virtual/explore.h"
#include "sim/virtual/explore_place.h"

#define EX_NOT_KNOWN UINT32_MAX

/* What is known of a fiber in this run. */
struct ex_fiber {
	uint32_t ef_events;
	uint32_t ef_spins;  /* since others have written */
	uint32_t ef_nspins; /* in this run */
	uint64_t ef_writes;
	uint64_t ef_seen; /* what others had written when it spun */
	/* Its event whose new value is not known yet. */
	uint32_t ef_pending;
	const struct ex_choice *ef_plan; /* what comes next of it */
	const struct ex_choice *ef_plan_end;
};

struct engine {
	struct explore e_base;
	struct ex_config e_config;
	struct ex_sched *e_sched;
	struct ex_places *e_places;
	struct race *e_race;
	struct ex_result *e_result;
	bool e_on;
	bool e_point;      /* the event that comes is one */
	uint64_t e_times;  /* explore_begin() */
	uint64_t e_writes; /* of all */
	struct ex_fiber e_fibers[EX_FIBERS_MAX];
};

static inline bool
engine_writes(enum virt_kind kind)
{
	return (kind == VA_WRITE || kind == VA_ATOMIC_STORE || kind == VA_RMW);
}

static inline struct engine *
engine_of(struct explore *ex)
{
	return ((struct engine *)ex);
}

/* explore_ops.c */
extern const struct explore_ops engine_ops;

/* explore_record.c */
void engine_settle(struct engine *e, unsigned self);
struct ex_event *
engine_record(struct engine *e, unsigned self, enum ex_event_kind kind);
void engine_record_access(
    struct engine *e, unsigned self, const struct virt_access *va);
const struct race_pair *
engine_race(struct engine *e, unsigned self, const struct virt_access *va);

#endif /* SIM_VIRTUAL_EXPLORE_IMPL_H */
