/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The world without time: a strategy says who runs.  See struct explore_ops.
 *
 * The clock is one for all.  It moves with each access and each unit of a spin,
 * and jumps to the first deadline where nobody else can go on.
 */

#include "sim/virtual/world_impl.h"

bool
vfiber_can_run(const struct vfiber *fb)
{
	return (fb->fb_state == FB_RUNS || fb->fb_state == FB_READY);
}

/* fb runs from here on. */
static void
go_on(struct vfiber *fb)
{
	KASSERT(vfiber_can_run(fb), ("fiber %u cannot run", fb->fb_id));
	fb->fb_state = FB_RUNS;
	virt_world.vw_cpu = fb->fb_cpu;
	if (fb != virt_world.vw_fiber)
		world_switch(fb);
}

/*
 * Sleepers whose time has come can run.  Returns whether anybody can; *nextp: the
 * first deadline to come.
 */
static bool
look_at_sleepers(uint64_t *nextp)
{
	struct world *vw = &virt_world;
	bool any = false;

	*nextp = VIRT_NEVER;
	for (unsigned i = 0; i < vw->vw_nfibers; i++) {
		struct vfiber *fb = vw->vw_fibers[i];

		if (fb->fb_state == FB_BLOCKED &&
		    fb->fb_deadline_ps <= vw->vw_explore_ps) {
			fb->fb_state = FB_READY;
			fb->fb_timed_out = true;
		}
		any = any || vfiber_can_run(fb);
		if (fb->fb_state == FB_BLOCKED && fb->fb_deadline_ps < *nextp)
			*nextp = fb->fb_deadline_ps;
	}
	return (any);
}

void
explore_pick(enum virt_why why)
{
	struct explore *ex = virt_world.vw_strategy;
	uint64_t next_ps;

	if (!look_at_sleepers(&next_ps)) {
		if (next_ps == VIRT_NEVER)
			world_stuck("deadlock");
		virt_world.vw_explore_ps = next_ps;
		(void)look_at_sleepers(&next_ps);
	}
	go_on(ex->ex_ops->eo_pick(ex, why));
}

void
world_explore_before(const struct virt_access *va)
{
	struct explore *ex = virt_world.vw_explore;

	virt_world.vw_explore_ps += VIRT_EXPLORE_PS;
	virt_world.vw_cpu->vc_accesses++;
	go_on(ex->ex_ops->eo_before(ex, va));
	world_event(va->va_addr - arena_base,
	    (uint64_t)va->va_kind << 32 | virt_world.vw_fiber->fb_id);
}

void
world_explore_after(const struct virt_access *va)
{
	struct explore *ex = virt_world.vw_explore;

	if (va->va_kind == VA_WRITE || va->va_kind == VA_ATOMIC_STORE ||
	    va->va_kind == VA_RMW)
		virt_world.vw_writes++;
	if (ex->ex_ops->eo_after != NULL)
		ex->ex_ops->eo_after(ex, va);
}
