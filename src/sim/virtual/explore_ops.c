/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the world calls: events, points, choices.  The design is in explore.h.
 *
 * Everything here is called by the fiber that runs, on its stack, and touches no
 * memory of the model but to read it.
 */
#include <stdio.h>

#include "sim/virtual/explore_impl.h"

#define SPINS_MAX  2
#define PS_PER_US  UINT64_C(1000000)
#define BIT(fiber) (UINT32_C(1) << (fiber))

static unsigned
self_id(void)
{
	return (virt_world.vw_fiber->fb_id);
}

/*
 * Who can go on.
 */

static uint32_t
can_run(void)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < virt_world.vw_nfibers; i++) {
		const struct vfiber *fb = virt_world.vw_fibers[i];

		if (fb->fb_state == FB_RUNS || fb->fb_state == FB_READY)
			set |= BIT(i);
	}
	return (set);
}

/* It spins, and would find what it found. */
static bool
has_no_use(const struct engine *e, unsigned i)
{
	const struct ex_fiber *ef = &e->e_fibers[i];

	return (ef->ef_spins >= SPINS_MAX &&
	    e->e_writes - ef->ef_writes == ef->ef_seen);
}

/* Those of a set who have a use; maybe nobody. */
static uint32_t
useful(const struct engine *e, uint32_t set)
{
	uint32_t some = set;

	for (; set != 0; set &= set - 1) {
		unsigned i = (unsigned)__builtin_ctz(set);

		if (has_no_use(e, i))
			some &= ~BIT(i);
	}
	return (some);
}

/* The next of the set after self, going round; self at last. */
static unsigned
next_after(uint32_t set, unsigned self)
{
	uint32_t above = set & ~(BIT(self) | (BIT(self) - 1));

	return ((unsigned)__builtin_ctz(above != 0 ? above : set));
}

/*
 * Choices.
 */

static const struct ex_choice *
planned(struct ex_fiber *ef)
{
	while (ef->ef_plan < ef->ef_plan_end &&
	    ef->ef_plan->ec_event < ef->ef_events)
		ef->ef_plan++;
	if (ef->ef_plan < ef->ef_plan_end &&
	    ef->ef_plan->ec_event == ef->ef_events)
		return (ef->ef_plan);
	return (NULL);
}

static void
record_choice(struct engine *e, const struct ex_point *xp, unsigned to)
{
	struct ex_result *er = e->e_result;

	if (!xp->xp_forced)
		er->er_preemptions++;
	if (er->er_nchoices < EX_CHOICES_MAX) {
		er->er_choices[er->er_nchoices] = (struct ex_choice){
			.ec_event = e->e_fibers[xp->xp_self].ef_events,
			.ec_fiber = (uint8_t)xp->xp_self,
			.ec_to = (uint8_t)to,
			.ec_preempts = !xp->xp_forced,
		};
	}
	er->er_nchoices++;
}

/* A point.  shared: not only because of a plan. */
static unsigned
decide(struct engine *e, struct ex_point *xp, bool shared)
{
	const struct ex_choice *ec = planned(&e->e_fibers[xp->xp_self]);
	unsigned to = xp->xp_default;

	if ((xp->xp_ready & (xp->xp_ready - 1)) == 0)
		return ((unsigned)__builtin_ctz(xp->xp_ready));
	if (shared)
		e->e_result->er_points++;
	if (ec != NULL) {
		if ((xp->xp_ready & BIT(ec->ec_to)) != 0)
			to = ec->ec_to;
	} else if (shared && e->e_config.xc_strategy != NULL) {
		to = ex_sched_choose(e->e_sched, xp);
	}
	if (to != xp->xp_default)
		record_choice(e, xp, to);
	return (to);
}

/* One more event of self; too many are a livelock. */
static struct ex_fiber *
count_event(struct engine *e, unsigned self)
{
	struct ex_fiber *ef = &e->e_fibers[self];

	ef->ef_events++;
	if (++e->e_result->er_steps == e->e_config.xc_steps_max) {
		char text[96];

		(void)snprintf(text, sizeof(text),
		    "no end after %u events of all threads",
		    e->e_config.xc_steps_max);
		explore_fail(&e->e_base, EX_LIVELOCK, text);
	}
	return (ef);
}

/*
 * What the world calls.
 */

/* A fiber's token, as a key: no address is as small. */
static uintptr_t
token_key(const struct vfiber *fb)
{
	return ((uintptr_t)fb->fb_id + 1);
}

/* Does the event have a place that others can see? */
static bool
touch(struct engine *e, unsigned self, const struct virt_access *va)
{
	uint64_t hash;

	if (va->va_kind >= VA_FENCE || va->va_size == 0)
		return (false);
	if (!ex_places_touch(e->e_places, self, va->va_addr, va->va_size,
		engine_writes(va->va_kind), &hash))
		return (false);
	hash += (uint64_t)self << 56;
	e->e_result->er_hash += ex_hash(hash ^ e->e_fibers[self].ef_events);
	return (true);
}

static struct vfiber *
on_before(struct explore *ex, const struct virt_access *va)
{
	struct engine *e = engine_of(ex);
	struct ex_point xp = { .xp_forced = false };
	unsigned self = self_id();
	struct ex_fiber *ef;
	bool shared;

	if (!e->e_on)
		return (virt_world.vw_fiber);
	engine_settle(e, self);
	ef = count_event(e, self);
	shared = touch(e, self, va);
	e->e_point = shared;
	if (!shared && (ef->ef_plan == ef->ef_plan_end || planned(ef) == NULL))
		return (virt_world.vw_fiber);
	xp.xp_self = self;
	xp.xp_default = self;
	/* Whoever runs has a use, whatever it did before. */
	xp.xp_ready = useful(e, can_run() & ~BIT(self)) | BIT(self);
	return (virt_world.vw_fibers[decide(e, &xp, shared)]);
}

static void
on_after(struct explore *ex, const struct virt_access *va)
{
	struct engine *e = engine_of(ex);
	const struct race_pair *rp;
	unsigned self = self_id();

	if (!e->e_on)
		return;
	if (engine_writes(va->va_kind)) {
		e->e_writes++;
		e->e_fibers[self].ef_writes++;
	}
	engine_record_access(e, self, va);
	if (e->e_race == NULL)
		return;
	rp = engine_race(e, self, va);
	if (rp != NULL) {
		e->e_result->er_race = *rp;
		explore_fail(ex, EX_RACE,
		    "two accesses that nothing but this order keeps apart");
	}
}

/* More than a spin takes: see explore.h. */
static uint64_t
spin_ps(const struct engine *e, const struct ex_fiber *ef, unsigned self)
{
	static const uint16_t us[16] = { 1, 1, 1, 1, 1, 1, 1, 1, 25, 25, 25, 25,
		25, 300, 300, 5000 };
	uint64_t h;

	if (e->e_times == 0)
		return (25 * PS_PER_US);
	h = ex_hash(e->e_times + ((uint64_t)self << 32) + ef->ef_nspins);
	return (us[h % 16] * PS_PER_US);
}

static void
spun(struct engine *e, struct ex_fiber *ef, unsigned self)
{
	uint64_t others = e->e_writes - ef->ef_writes;

	if (others != ef->ef_seen)
		ef->ef_spins = 0;
	ef->ef_seen = others;
	ef->ef_spins++;
	ef->ef_nspins++;
	virt_world.vw_explore_ps += spin_ps(e, ef, self);
}

static struct vfiber *
on_pick(struct explore *ex, enum virt_why why)
{
	static const enum ex_event_kind kinds[] = {
		[VIRT_SPIN] = EV_SPIN,
		[VIRT_YIELD] = EV_YIELD,
		[VIRT_BLOCK] = EV_BLOCK,
		[VIRT_EXIT] = EV_EXIT,
	};
	struct engine *e = engine_of(ex);
	unsigned self = self_id();
	struct ex_point xp = { .xp_forced = true };
	struct ex_fiber *ef;
	struct ex_event *ee;

	if (!e->e_on)
		return (virt_world.vw_fibers[next_after(can_run(), self)]);
	engine_settle(e, self);
	ef = count_event(e, self);
	if (why == VIRT_SPIN || why == VIRT_YIELD)
		spun(e, ef, self);
	e->e_point = true;
	ee = engine_record(e, self, kinds[why]);
	if (ee != NULL && why == VIRT_BLOCK) {
		(void)snprintf(ee->ee_text, sizeof(ee->ee_text), "%s",
		    virt_world.vw_fiber->fb_why);
		ee->ee_addr = (uintptr_t)virt_world.vw_fiber->fb_on;
	}
	xp.xp_self = self;
	xp.xp_ready = useful(e, can_run());
	if (xp.xp_ready == 0)
		xp.xp_ready = can_run();
	xp.xp_default = next_after(xp.xp_ready, self);
	xp.xp_yields = why == VIRT_SPIN || why == VIRT_YIELD;
	return (virt_world.vw_fibers[decide(e, &xp, true)]);
}

static void
on_create(struct explore *ex, struct vfiber *fb)
{
	struct engine *e = engine_of(ex);

	if (fb->fb_id >= EX_FIBERS_MAX)
		panic("explore: more than %d fibers", EX_FIBERS_MAX);
	if (e->e_on && e->e_race != NULL)
		race_fork(e->e_race, self_id(), fb->fb_id);
}

static void
on_join(struct explore *ex, struct vfiber *fb)
{
	struct engine *e = engine_of(ex);

	if (e->e_on && e->e_race != NULL)
		race_join(e->e_race, self_id(), fb->fb_id);
}

static void
on_wake(struct explore *ex, struct vfiber *fb)
{
	struct engine *e = engine_of(ex);
	unsigned self = self_id();
	struct ex_event *ee;

	if (!e->e_on)
		return;
	engine_settle(e, self);
	(void)count_event(e, self);
	e->e_writes++;
	e->e_fibers[self].ef_writes++;
	e->e_point = false;
	ee = engine_record(e, self, EV_WAKE);
	if (ee != NULL)
		ee->ee_other = (uint8_t)fb->fb_id;
	if (e->e_race != NULL)
		race_release(e->e_race, self, token_key(fb));
}

static void
on_woken(struct explore *ex)
{
	struct engine *e = engine_of(ex);

	if (!e->e_on)
		return;
	e->e_point = false;
	(void)engine_record(e, self_id(), EV_WOKEN);
	if (e->e_race != NULL)
		race_acquire(
		    e->e_race, self_id(), token_key(virt_world.vw_fiber));
}

static void
on_fresh(struct explore *ex, const void *p, size_t size)
{
	struct engine *e = engine_of(ex);

	if (e->e_on && e->e_race != NULL)
		race_alloc(e->e_race, (uintptr_t)p, size);
}

static void
on_deadlock(struct explore *ex, const char *text)
{
	explore_fail(ex, EX_DEADLOCK, text);
}

const struct explore_ops engine_ops = {
	.eo_before = on_before,
	.eo_after = on_after,
	.eo_pick = on_pick,
	.eo_create = on_create,
	.eo_join = on_join,
	.eo_wake = on_wake,
	.eo_woken = on_woken,
	.eo_fresh = on_fresh,
	.eo_deadlock = on_deadlock,
};
