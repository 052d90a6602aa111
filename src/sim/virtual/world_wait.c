/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Sleeping, waking, lending.
 *
 * What a sleep costs.  Half of pr_block_wake_same_ps is paid by who goes to sleep,
 * half by who wakes it.  If the CPU of the sleeper has nothing else to do, it takes
 * pr_wake_remote_ps from the wake-up until the sleeper runs; pr_wake_deep_ps if it
 * has had nothing to do for pr_deep_after_ps.
 *
 * A sleeper may lend its priority to another fiber, which passes it on if it sleeps
 * and lends itself.  What a fiber is lent is the best of those that lend to it now;
 * sleepers that lend are few, and only where priorities differ is that computed.
 */

#include "sim/sim.h"
#include "sim/virtual/world_impl.h"

static uint64_t
half_block_ps(void)
{
	return (virt_world.vw_preset.pr_block_wake_same_ps / 2);
}

/*
 * What the CPU of vc does, or when, has changed; it is not the one that runs.  If
 * a more urgent fiber waits there and the CPU's is in the middle of a charge, the
 * charge is interrupted now.
 */
static void
replan(struct vcpu *vc)
{
	uint64_t now_ps = virt_world.vw_cpu->vc_clock_ps;

	vcpu_plan(vc);
	if (vc != virt_world.vw_cpu) {
		if (vc->vc_fiber != NULL && vc->vc_from_ps != VIRT_NEVER &&
		    vc->vc_event_ps < vc->vc_clock_ps) {
			if (now_ps < vc->vc_event_ps)
				now_ps = vc->vc_event_ps;
			if (now_ps < vc->vc_from_ps)
				now_ps = vc->vc_from_ps;
			if (now_ps < vc->vc_clock_ps) {
				vc->vc_fiber->fb_left_ps +=
				    vc->vc_clock_ps - now_ps;
				vc->vc_fiber->fb_stolen_ps +=
				    vc->vc_clock_ps - now_ps;
				vc->vc_clock_ps = now_ps;
				vc->vc_mark_ps = now_ps;
			}
		}
		tree_set(vc->vc_id, vcpu_time(vc));
	}
	world_limit();
}

void
world_ready(struct vfiber *fb, uint64_t ps)
{
	vcpu_ready(fb->fb_cpu, fb, ps);
	replan(fb->fb_cpu);
}

static int
lent_to(const struct vfiber *fb)
{
	int best = PRI_NONE, pri;

	for (unsigned i = 0; i < virt_world.vw_nfibers; i++) {
		const struct vfiber *other = virt_world.vw_fibers[i];

		if (other->fb_state != FB_BLOCKED || other->fb_lends_to != fb)
			continue;
		pri = vfiber_pri(other);
		if (pri < best)
			best = pri;
	}
	return (best);
}

void
world_pri_changed(struct vfiber *fb)
{
	/* Along the chain; one that has come round changes nothing. */
	for (unsigned i = 0; i < virt_world.vw_nfibers; i++) {
		if (fb->fb_state != FB_BLOCKED) {
			if (virt_world.vw_strategy == NULL)
				replan(fb->fb_cpu);
			return;
		}
		fb = fb->fb_lends_to;
		if (fb == NULL)
			return;
		fb->fb_lent_pri = lent_to(fb);
	}
}

static void
lend(struct vfiber *fb, struct vfiber *to)
{
	fb->fb_lends_to = to;
	if (to != NULL && vfiber_pri(fb) < vfiber_pri(to)) {
		to->fb_lent_pri = lent_to(to);
		world_pri_changed(to);
	}
}

static void
unlend(struct vfiber *fb)
{
	struct vfiber *to = fb->fb_lends_to;

	fb->fb_lends_to = NULL;
	if (to != NULL && to->fb_lent_pri != PRI_NONE) {
		to->fb_lent_pri = lent_to(to);
		world_pri_changed(to);
	}
}

bool
world_block(const char *why, const void *on, uint64_t deadline_ps,
    struct vfiber *lends_to)
{
	struct vfiber *fb = virt_world.vw_fiber;
	struct vcpu *vc = virt_world.vw_cpu;
	bool timed = !fb->fb_untimed && virt_world.vw_strategy == NULL;

	fb->fb_why = why;
	fb->fb_on = on;
	fb->fb_timed_out = false;
	fb->fb_deadline_ps = deadline_ps;
	fb->fb_state = FB_BLOCKED;
	lend(fb, lends_to);
	if (virt_world.vw_strategy != NULL) {
		explore_pick(VIRT_BLOCK);
	} else {
		if (timed) {
			world_account(vc);
			vstat_time(&fb->fb_stat, VT_COMPUTE, half_block_ps());
			vc->vc_clock_ps += half_block_ps();
			vc->vc_mark_ps = vc->vc_clock_ps;
		}
		fb->fb_since_ps = vc->vc_clock_ps;
		if (deadline_ps != VIRT_NEVER)
			vcpu_timer_add(vc, fb);
		vcpu_vacant(vc);
		world_schedule();
	}
	fb->fb_why = NULL;
	fb->fb_deadline_ps = VIRT_NEVER;
	unlend(fb);
	return (!fb->fb_timed_out);
}

/* When will a fiber run that is woken now, if nobody else has its CPU? */
static uint64_t
wake_ps(const struct vcpu *vc)
{
	const struct preset *pr = &virt_world.vw_preset;
	uint64_t now_ps = virt_world.vw_cpu->vc_clock_ps;

	if (vc->vc_fiber != NULL)
		return (now_ps);
	if (now_ps > vc->vc_idle_ps &&
	    now_ps - vc->vc_idle_ps >= pr->pr_deep_after_ps)
		return (now_ps + pr->pr_wake_deep_ps);
	return (now_ps + pr->pr_wake_remote_ps);
}

void
world_wake(struct vfiber *fb)
{
	struct explore *ex = virt_world.vw_strategy;

	virt_world.vw_spins = 0;
	if (ex != NULL) {
		if (ex->ex_ops->eo_wake != NULL)
			ex->ex_ops->eo_wake(ex, fb);
		if (fb->fb_state == FB_BLOCKED)
			fb->fb_state = FB_READY;
		return;
	}
	if (fb->fb_state != FB_BLOCKED)
		return;
	if (fb->fb_deadline_ps != VIRT_NEVER)
		vcpu_timer_remove(fb->fb_cpu, fb);
	world_ready(fb, wake_ps(fb->fb_cpu));
	/* One that has ended already pays no more. */
	if (virt_world.vw_fiber->fb_state == FB_RUNS)
		world_charge(VT_COMPUTE, half_block_ps());
}

void
world_move(unsigned cpu)
{
	struct vfiber *fb = virt_world.vw_fiber;
	struct vcpu *from = virt_world.vw_cpu, *to = &virt_world.vw_cpus[cpu];

	if (from == to)
		return;
	fb->fb_cpu = to;
	if (virt_world.vw_strategy != NULL) {
		virt_world.vw_cpu = to;
		return;
	}
	world_account(from);
	fb->fb_state = FB_READY;
	vcpu_ready(to, fb, from->vc_clock_ps);
	tree_set(to->vc_id, vcpu_time(to));
	vcpu_vacant(from);
	world_schedule();
}
