/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Spinning costs the host nothing while nothing changes.
 *
 * A thread that spins for a lock looks at its word, pauses, and looks again, some
 * hundreds of times.  Each round is like the one before until another CPU writes
 * what it looks at, or its time is over:
 *
 *	end				end				end
 *	 |--- body: loads, clock ---|--- n pauses ---|--- body ...
 *	     ^ w_at_ps   ^ w_clock_ps		      = w_body_ps
 *
 * so_spin_until() is the promise of the caller that this is what it does, and until
 * when.  If the round that has just ended was one atomic load that hit, and as
 * long as the one before, and nobody else has run since that load, then all rounds
 * to come are known.  The CPU sleeps through them: it is charged for the pauses up
 * to the first end of a round whose look at the clock is at the deadline or after.
 * Whoever writes the line finds LINE_WATCHED in it and shortens that to the first
 * end of a round whose look at the line is after the write.  What follows is what
 * would have been: the same clock, the same miss, at the same time.
 *
 * With two looks in a round that could not be: a write between them is seen by the
 * second, and a round cannot be begun in its middle.  Such rounds are all made.
 *
 * With lookahead a round whose look is made early would find what was there before
 * the write, and another would follow: who sleeps finds it a round sooner.
 *
 * A sibling that begins to work, or ends, makes the rounds longer or shorter: that
 * ends a sleep too, at the next look.  Then it is a hit or two that cost what they
 * would have cost before, or after.
 *
 * Only the accounts see a difference: loads that are left out are in no count of
 * accesses, not in the event hash, and their time is that of the pauses.
 *
 * A preemption ends a sleep as it would end a charge; what is left of it is passed
 * later.  Untimed fibers write without a trace: who waits for one of them waits
 * until its deadline.
 */

#include "sim/virtual/world_impl.h"

/* Assumed: no spin lasts longer; then it looks again. */
#define WATCH_MAX_PS UINT64_C(1000000000000)

/* On the stack of the fiber that sleeps. */
struct watcher {
	struct watcher *wr_next;
	struct vfiber *wr_fiber;
	struct line *wr_line;
	uint64_t wr_end_ps; /* the first end of a round */
	uint64_t wr_at_ps;  /* from there to the look */
	uint64_t wr_round_ps;
};

static struct watcher *watchers;

/* The first end of a round after which the look at the line comes after vc. */
static uint64_t
end_after(const struct watcher *wr, const struct vcpu *vc)
{
	uint64_t look = wr->wr_end_ps + wr->wr_at_ps, rounds = 0;
	bool later = wr->wr_fiber->fb_cpu->vc_id > vc->vc_id;

	/* Events of one time are in the order of CPUs. */
	if (look < vc->vc_clock_ps)
		rounds = (vc->vc_clock_ps - look + wr->wr_round_ps - 1) /
		    wr->wr_round_ps;
	look += rounds * wr->wr_round_ps;
	if (look == vc->vc_clock_ps && !later)
		rounds++;
	return (wr->wr_end_ps + rounds * wr->wr_round_ps);
}

/* The watcher sleeps until end_ps at most. */
static void
shorten(struct watcher *wr, uint64_t end_ps)
{
	struct vfiber *fb = wr->wr_fiber;
	struct vcpu *vc = fb->fb_cpu;

	if (vc->vc_fiber != fb) {
		/* Another has the CPU; then it looks at once. */
		fb->fb_left_ps = 0;
	} else if (end_ps >= vc->vc_clock_ps) {
		if (end_ps < vc->vc_clock_ps + fb->fb_left_ps)
			fb->fb_left_ps = end_ps - vc->vc_clock_ps;
	} else {
		fb->fb_left_ps = 0;
		fb->fb_stolen_ps += vc->vc_clock_ps - end_ps;
		vc->vc_clock_ps = end_ps;
		vc->vc_mark_ps = end_ps;
		tree_set(vc->vc_id, end_ps);
	}
}

void
world_written(const struct vcpu *vc, struct line *ln)
{
	for (struct watcher *wr = watchers; wr != NULL; wr = wr->wr_next) {
		if (wr->wr_line == ln)
			shorten(wr, end_after(wr, vc));
	}
	ln->ln_flags &= (uint8_t)~LINE_WATCHED;
	world_limit();
}

void
world_disturbed(const struct vcpu *vc, const struct vcpu *by)
{
	for (struct watcher *wr = watchers; wr != NULL; wr = wr->wr_next) {
		if (wr->wr_fiber->fb_cpu == vc)
			shorten(wr, end_after(wr, by));
	}
}

/* How many rounds after the one that ends at end_ps come before the deadline. */
static uint64_t
rounds_until(
    const struct vwatch *w, uint64_t end_ps, uint64_t round_ps, uint64_t until)
{
	uint64_t look = end_ps + w->w_clock_ps;

	if (until > look + WATCH_MAX_PS)
		until = look + WATCH_MAX_PS;
	return (look < until ? (until - look + round_ps - 1) / round_ps : 0);
}

static void
sleep_through(
    const struct vwatch *w, uint64_t end_ps, uint64_t round_ps, uint64_t rounds)
{
	struct watcher self = {
		.wr_next = watchers,
		.wr_fiber = virt_world.vw_fiber,
		.wr_line = w->w_line,
		.wr_end_ps = end_ps,
		.wr_at_ps = w->w_at_ps,
		.wr_round_ps = round_ps,
	};
	struct watcher **wrp;

	w->w_line->ln_flags |= LINE_WATCHED;
	watchers = &self;
	world_pass(VT_SPIN,
	    end_ps + rounds * round_ps - virt_world.vw_cpu->vc_clock_ps);
	for (wrp = &watchers; *wrp != &self; wrp = &(*wrp)->wr_next)
		continue;
	*wrp = self.wr_next;
}

void
world_spin_until(uint64_t n, uint64_t deadline_ps)
{
	struct vcpu *vc = virt_world.vw_cpu;
	struct vwatch *w = &vc->vc_watch;
	uint64_t body, end, pause, rounds = 0;

	if (virt_world.vw_strategy != NULL) {
		world_spin(n);
		return;
	}
	pause = n * virt_world.vw_preset.pr_pause_ps;
	end = vc->vc_clock_ps + pause;
	body = vc->vc_clock_ps - w->w_end_ps;
	if (w->w_line != NULL && !w->w_else &&
	    w->w_fiber == virt_world.vw_fiber &&
	    w->w_switches == virt_world.vw_switches && w->w_n == n &&
	    w->w_body_ps == body && pause > 0)
		rounds = rounds_until(w, end, pause + body, deadline_ps);
	world_idle_round();
	if (rounds == 0)
		world_pass(VT_SPIN, pause);
	else
		sleep_through(w, end, pause + body, rounds);
	*w = (struct vwatch){
		.w_fiber = virt_world.vw_fiber,
		.w_end_ps = vc->vc_clock_ps,
		.w_body_ps = body,
		.w_n = n,
	};
}
