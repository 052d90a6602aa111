/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_WORLD_IMPL_H
#define SIM_VIRTUAL_WORLD_IMPL_H

/*
 * What the files of the world share; world.h says what it is.
 *
 * The tree of times.  A leaf for each CPU, above each pair the smaller of the two,
 * so the root is the next CPU.  A time has the number of its CPU in the low bits:
 * no two are the same, and the order of CPUs with the same clock is theirs.
 *
 * The CPU that runs leaves its time in the tree as it was, and writes the new one
 * when it stops: one way up.  Until then the smallest time of the others is that
 * of the other halves along its way, which are read without waiting for another.
 * It is kept in vw_next, while no other time changes: when the CPU has to stop, the
 * next one is known before the way up is done.
 */

#include "sim/virtual/world.h"

#define VIRT_CPU_BITS 10
#define VIRT_CPU_MASK ((1u << VIRT_CPU_BITS) - 1)

/* What stands in the tree for a CPU. */
static inline uint64_t
tree_key(unsigned cpu, uint64_t ps)
{
	return (ps == VIRT_NEVER ? VIRT_NEVER : ps << VIRT_CPU_BITS | cpu);
}

static inline void
tree_put(unsigned cpu, uint64_t key)
{
	uint64_t *tree = virt_world.vw_tree, sibling;
	size_t i = virt_world.vw_leaves + cpu;

	tree[i] = key;
	/* The key is carried along: what was just stored is not read again. */
	while (i > 1) {
		sibling = tree[i ^ 1];
		i /= 2;
		key = sibling < key ? sibling : key;
		tree[i] = key;
	}
}

/* The time of a CPU that does not run. */
static inline void
tree_set(unsigned cpu, uint64_t ps)
{
	tree_put(cpu, tree_key(cpu, ps));
	virt_world.vw_next = VIRT_NEVER;
}

/* The root.  The CPU that runs has written its time. */
static inline uint64_t
tree_first(void)
{
	return (virt_world.vw_tree[1]);
}

/* The first of all others in the tree. */
static inline uint64_t
tree_next(const struct vcpu *vc)
{
	const uint64_t *tree = virt_world.vw_tree;
	uint64_t first = VIRT_NEVER, key;

	for (size_t i = virt_world.vw_leaves + vc->vc_id; i > 1; i /= 2) {
		key = tree[i ^ 1];
		first = key < first ? key : first;
	}
	return (first);
}

/* vw_limit_ps of vc, before whose turn next has none, and vw_early_ps. */
static inline void
world_limit_next(const struct vcpu *vc, uint64_t next)
{
	const uint64_t *leaves = virt_world.vw_tree + virt_world.vw_leaves;
	uint64_t event = vc->vc_event_ps, limit = event, early = event, near;

	if (next != VIRT_NEVER) {
		limit = (next >> VIRT_CPU_BITS) +
		    (vc->vc_id < (next & VIRT_CPU_MASK));
		early = limit + virt_world.vw_lookahead_ps;
	}
	/* Siblings are nearer. */
	for (unsigned i = 0; i < vc->vc_nsiblings; i++) {
		near = (leaves[vc->vc_siblings[i]] >> VIRT_CPU_BITS) +
		    virt_world.vw_lookahead_smt_ps;
		early = near < early ? near : early;
	}
	virt_world.vw_next = next;
	virt_world.vw_limit_ps = limit < event ? limit : event;
	virt_world.vw_early_ps = early < event ? early : event;
}

/* The same after a change of the tree, or of vw_cpu's next event. */
static inline void
world_limit(void)
{
	world_limit_next(virt_world.vw_cpu, tree_next(virt_world.vw_cpu));
}

/*
 * world_cpu.c: the fibers of one CPU.
 */

/* Do what is due at the CPU's clock; vc_event_ps is in the future then. */
void vcpu_events(struct vcpu *vc);
/* When does it have something to do?  VIRT_NEVER: nothing. */
static inline uint64_t
vcpu_time(const struct vcpu *vc)
{
	if (__predict_true(vc->vc_fiber != NULL))
		return (vc->vc_clock_ps);
	return (vc->vc_event_ps > vc->vc_clock_ps ? vc->vc_event_ps
						  : vc->vc_clock_ps);
}
/* fb, of that CPU, may run from ps on. */
void vcpu_ready(struct vcpu *vc, struct vfiber *fb, uint64_t ps);
/* vc_fiber has left the CPU: another one, or none. */
void vcpu_vacant(struct vcpu *vc);
/* The CPU's fiber goes to the queue. */
void vcpu_requeue(struct vcpu *vc, bool first);
void vcpu_timer_add(struct vcpu *vc, struct vfiber *fb);
void vcpu_timer_remove(struct vcpu *vc, struct vfiber *fb);
/* vc_event_ps is computed anew. */
void vcpu_plan(struct vcpu *vc);
/* fb has the CPU when the world begins. */
void vcpu_first(struct vcpu *vc, struct vfiber *fb);
/* What a hit costs has changed with the siblings. */
void vcpu_costs(struct vcpu *vc);

/*
 * world.c.
 */

/* Find who runs, and run it; returns when vw_fiber runs again. */
void world_schedule(void);
/* The host runs fb from here on; returns when it runs vw_fiber again. */
void world_switch(struct vfiber *fb);
/* ps of what pass, even for a fiber that is untimed; others may run. */
void world_pass(enum vstat_time what, uint64_t ps);
/* A round of spinning or yielding. */
void world_idle_round(void);
/* What depends on the fiber that runs. */
void world_mode(void);

/* world_wait.c: fb, new or asleep, may run from ps on. */
void world_ready(struct vfiber *fb, uint64_t ps);

/* world_watch.c: hits of vc cost something else, as of now for its sibling. */
void world_disturbed(const struct vcpu *vc, const struct vcpu *by);

/*
 * world_explore.c: the same with a strategy.
 */

void explore_pick(enum virt_why why);
bool vfiber_can_run(const struct vfiber *fb);

#endif /* SIM_VIRTUAL_WORLD_IMPL_H */
