/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The fibers of one CPU: who has it, who waits for it, whose deadline comes.
 *
 * The queue is in the order of arrival, and the most urgent is looked for when
 * one is needed: priorities change while threads wait, by loans that nobody tells
 * us of, and queues are short.
 */

#include "sim/sim.h"
#include "sim/virtual/world_impl.h"

int
vfiber_pri(const struct vfiber *fb)
{
	int pri = fb->fb_td != NULL ? fb->fb_td->td_pri : PRI_DEFAULT;

	return (fb->fb_lent_pri < pri ? fb->fb_lent_pri : pri);
}

void
vcpu_costs(struct vcpu *vc)
{
	const struct preset *pr = &virt_world.vw_preset;
	uint64_t permille = vc->vc_busy > 0 ? pr->pr_smt_permille : 1000;

	vc->vc_hit_ps = pr->pr_l1_hit_ps * permille / 1000;
	vc->vc_rmw_ps = pr->pr_rmw_ps * permille / 1000;
}

/* The CPU works from now on, or no longer: its siblings notice. */
static void
set_busy(const struct vcpu *vc, bool busy)
{
	struct vcpu *sibling;

	for (unsigned i = 0; i < vc->vc_nsiblings; i++) {
		sibling = &virt_world.vw_cpus[vc->vc_siblings[i]];
		if (busy)
			sibling->vc_busy++;
		else
			sibling->vc_busy--;
		vcpu_costs(sibling);
		world_disturbed(sibling, vc);
	}
}

/* Who is next: the most urgent that may run at that time; NULL: nobody. */
static struct vfiber *
best(const struct vcpu *vc, uint64_t ps)
{
	struct vfiber *found = NULL;

	for (struct vfiber *fb = vc->vc_ready; fb != NULL; fb = fb->fb_next) {
		if (fb->fb_ready_ps <= ps &&
		    (found == NULL || vfiber_pri(fb) < vfiber_pri(found)))
			found = fb;
	}
	return (found);
}

void
vcpu_plan(struct vcpu *vc)
{
	const struct vfiber *runs = vc->vc_fiber;
	uint64_t event = VIRT_NEVER, ps;

	if (vc->vc_timers != NULL)
		event = vc->vc_timers->fb_deadline_ps;
	for (const struct vfiber *fb = vc->vc_ready; fb != NULL;
	     fb = fb->fb_next) {
		ps = fb->fb_ready_ps;
		if (runs != NULL) {
			if (vfiber_pri(fb) > vfiber_pri(runs))
				continue;
			if (vfiber_pri(fb) == vfiber_pri(runs) &&
			    ps < vc->vc_slice_ps)
				ps = vc->vc_slice_ps;
		}
		if (ps < event)
			event = ps;
	}
	/* Nobody takes the CPU of one for whom no time passes. */
	vc->vc_event_ps = runs != NULL && runs->fb_untimed ? VIRT_NEVER : event;
}

static void
queue_remove(struct vfiber **fbp, struct vfiber *fb)
{
	while (*fbp != fb)
		fbp = &(*fbp)->fb_next;
	*fbp = fb->fb_next;
	fb->fb_next = NULL;
}

void
vcpu_timer_add(struct vcpu *vc, struct vfiber *fb)
{
	struct vfiber **fbp = &vc->vc_timers;

	while (*fbp != NULL && (*fbp)->fb_deadline_ps <= fb->fb_deadline_ps)
		fbp = &(*fbp)->fb_next;
	fb->fb_next = *fbp;
	*fbp = fb;
}

void
vcpu_timer_remove(struct vcpu *vc, struct vfiber *fb)
{
	queue_remove(&vc->vc_timers, fb);
}

static void
queue_append(struct vcpu *vc, struct vfiber *fb)
{
	struct vfiber **fbp = &vc->vc_ready;

	while (*fbp != NULL)
		fbp = &(*fbp)->fb_next;
	fb->fb_next = NULL;
	*fbp = fb;
}

void
vcpu_ready(struct vcpu *vc, struct vfiber *fb, uint64_t ps)
{
	if (fb->fb_state == FB_BLOCKED && !fb->fb_untimed)
		vstat_span(&fb->fb_stat, VT_BLOCKED, fb->fb_since_ps, ps);
	fb->fb_state = FB_READY;
	fb->fb_ready_ps = ps;
	queue_append(vc, fb);
	vcpu_plan(vc);
}

/* fb gets the CPU, of which another has been got rid of at a cost. */
static void
dispatch(struct vcpu *vc, struct vfiber *fb, uint64_t cost_ps)
{
	queue_remove(&vc->vc_ready, fb);
	if (!fb->fb_untimed) {
		vstat_span(
		    &fb->fb_stat, VT_READY, fb->fb_ready_ps, vc->vc_clock_ps);
		vstat_time(&fb->fb_stat, VT_COMPUTE, cost_ps);
	}
	vc->vc_clock_ps += cost_ps;
	vc->vc_mark_ps = vc->vc_clock_ps;
	vc->vc_slice_ps = vc->vc_clock_ps + virt_world.vw_preset.pr_slice_ps;
	fb->fb_state = FB_RUNS;
	vc->vc_fiber = fb;
}

void
vcpu_requeue(struct vcpu *vc, bool first)
{
	struct vfiber *fb = vc->vc_fiber;

	vstat_time(&fb->fb_stat, VT_HIT, vc->vc_clock_ps - vc->vc_mark_ps);
	vc->vc_mark_ps = vc->vc_clock_ps;
	fb->fb_state = FB_READY;
	fb->fb_ready_ps = vc->vc_clock_ps;
	if (first) {
		fb->fb_next = vc->vc_ready;
		vc->vc_ready = fb;
	} else {
		queue_append(vc, fb);
	}
	vc->vc_fiber = NULL;
}

/* The sleepers whose time has come. */
static void
run_timers(struct vcpu *vc)
{
	struct vfiber *fb;

	while ((fb = vc->vc_timers) != NULL &&
	    fb->fb_deadline_ps <= vc->vc_clock_ps) {
		vc->vc_timers = fb->fb_next;
		fb->fb_timed_out = true;
		vcpu_ready(vc, fb, fb->fb_deadline_ps);
	}
}

void
vcpu_events(struct vcpu *vc)
{
	uint64_t switch_ps = virt_world.vw_preset.pr_context_switch_ps;
	struct vfiber *fb, *runs = vc->vc_fiber;
	int pri;

	if (runs == NULL && vc->vc_event_ps > vc->vc_clock_ps)
		vc->vc_clock_ps = vc->vc_event_ps;
	run_timers(vc);
	fb = best(vc, vc->vc_clock_ps);
	if (fb != NULL && runs == NULL) {
		set_busy(vc, true);
		/* What that took is part of the wake-up. */
		dispatch(vc, fb, 0);
	} else if (fb != NULL && !runs->fb_untimed) {
		pri = vfiber_pri(runs);
		if (vfiber_pri(fb) < pri ||
		    (vfiber_pri(fb) == pri &&
			vc->vc_clock_ps >= vc->vc_slice_ps)) {
			vcpu_requeue(vc, vfiber_pri(fb) < pri);
			dispatch(vc, fb, switch_ps);
		}
	}
	if (vc->vc_clock_ps >= vc->vc_slice_ps)
		vc->vc_slice_ps =
		    vc->vc_clock_ps + virt_world.vw_preset.pr_slice_ps;
	vcpu_plan(vc);
}

void
vcpu_first(struct vcpu *vc, struct vfiber *fb)
{
	vc->vc_fiber = fb;
	set_busy(vc, true);
	vcpu_plan(vc);
}

void
vcpu_vacant(struct vcpu *vc)
{
	struct vfiber *fb;

	vc->vc_fiber = NULL;
	run_timers(vc);
	fb = best(vc, vc->vc_clock_ps);
	if (fb != NULL) {
		dispatch(vc, fb, 0);
	} else {
		vc->vc_idle_ps = vc->vc_clock_ps;
		set_busy(vc, false);
	}
	vcpu_plan(vc);
}

void
world_yield(void)
{
	struct vcpu *vc = virt_world.vw_cpu;
	struct vfiber *fb;

	if (virt_world.vw_strategy != NULL) {
		explore_pick(VIRT_YIELD);
		return;
	}
	world_account(vc);
	world_idle_round();
	fb = best(vc, vc->vc_clock_ps);
	if (fb == NULL || vfiber_pri(fb) > vfiber_pri(vc->vc_fiber)) {
		world_pass(VT_COMPUTE, virt_world.vw_preset.pr_syscall_ps);
		return;
	}
	vcpu_requeue(vc, false);
	dispatch(vc, fb, virt_world.vw_preset.pr_context_switch_ps);
	vcpu_plan(vc);
	world_schedule();
}
