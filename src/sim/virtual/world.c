/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The world: who runs, and what happens to time.  The design is in world.h.
 *
 * There is no fiber that schedules: the one that has to stop looks for the next
 * and switches to it.  world_schedule() returns in the one that was found, which
 * had once called it too.
 */

#include "sim/virtual/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pmapsim/types.h"
#include "sim/sim.h"
#include "sim/virtual/world_impl.h"

_Static_assert(MACHINE_CPU_MAX <= 1 << VIRT_CPU_BITS,
    "a time has the number of its CPU in the low bits");

/* Stacks are touched where they are used: this is address space. */
#define VFIBER_STACK ((size_t)256 * 1024)

/*
 * Rounds of spinning or yielding by anybody, and no progress by anybody, until the
 * world is held to be stuck.
 */
#define LIVELOCK_ROUNDS 20000000
/* And for each fiber, that all the others may wait for while it works. */
#define LIVELOCK_FIBER 1000000

/* What an access finds without a world: its clock is nobody's. */
static struct vcpu nobody;

#define NO_WORLD                                                               \
	{                                                                      \
		.vw_cpu = &nobody, .vw_limit_ps = VIRT_NEVER,                  \
		.vw_early_ps = VIRT_NEVER, .vw_next = VIRT_NEVER               \
	}
static const struct world no_world = NO_WORLD;
struct world virt_world = NO_WORLD;

bool
virt_on(void)
{
	return (virt_world.vw_on);
}

uint64_t
virt_event_hash(void)
{
	return (virt_world.vw_hash);
}

uint64_t
virt_switches(void)
{
	return (virt_world.vw_switches);
}

uint64_t
virt_accesses(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < virt_world.vw_ncpus; i++)
		n += virt_world.vw_cpus[i].vc_accesses;
	return (n);
}

void
virt_home(const void *base, size_t size, int domain)
{
	arena_set_home(base, size, domain);
}

void
virt_fresh(const void *p, size_t size)
{
	struct explore *ex = virt_world.vw_strategy;

	if (ex != NULL && ex->ex_ops->eo_fresh != NULL)
		ex->ex_ops->eo_fresh(ex, p, size);
}

/*
 * Fibers.
 */

void
world_mode(void)
{
	struct world *vw = &virt_world;
	bool untimed = vw->vw_fiber->fb_untimed;

	vw->vw_explore = untimed ? NULL : vw->vw_strategy;
	vw->vw_span =
	    untimed || vw->vw_strategy != NULL ? 0 : (uint64_t)ARENA_SIZE;
}

void
world_switch(struct vfiber *fb)
{
	struct vfiber *self = virt_world.vw_fiber;

	self->fb_curtd = sim_curthread;
	sim_curthread = fb->fb_curtd;
	virt_world.vw_fiber = fb;
	virt_world.vw_switches++;
	if (__predict_false(fb->fb_untimed != self->fb_untimed))
		world_mode();
	fiber_switch(&self->fb_ctx, &fb->fb_ctx);
}

/*
 * The CPU that comes next, and its fiber's stack, may have been thrown out of the
 * host's L1 by those that have run since.
 */
static inline void
prefetch(uint64_t next)
{
	const struct vcpu *vc = &virt_world.vw_cpus[next & VIRT_CPU_MASK];
	const char *p = (const char *)vc;

	__builtin_prefetch(p + 64, 1);
	if (vc->vc_fiber == NULL)
		return;
	p = vc->vc_fiber->fb_ctx.fc_sp;
	__builtin_prefetch(p);
	__builtin_prefetch(p + 64);
	__builtin_prefetch(p + 128);
}

void
world_schedule(void)
{
	struct world *vw = &virt_world;
	struct vcpu *vc = vw->vw_cpu;
	uint64_t ps = vcpu_time(vc), key = tree_key(vc->vc_id, ps);
	uint64_t next = vw->vw_next;

	/* Mostly it is known already that another comes first, and who. */
	if (key > next && ps < vc->vc_event_ps) {
		tree_put(vc->vc_id, key);
		KASSERT(tree_first() == next, ("who comes next has changed"));
		goto other;
	}
	for (;;) {
		next = tree_next(vc);
		if (key < next && ps < vc->vc_event_ps)
			break;
		if (key < next) {
			vcpu_events(vc);
			ps = vcpu_time(vc);
			key = tree_key(vc->vc_id, ps);
			continue;
		}
		tree_put(vc->vc_id, key);
		next = tree_first();
		if (next == VIRT_NEVER)
			world_stuck("deadlock");
	other:
		vc = &vw->vw_cpus[next & VIRT_CPU_MASK];
		ps = vcpu_time(vc);
		key = tree_key(vc->vc_id, ps);
	}
	vw->vw_cpu = vc;
	world_limit_next(vc, next);
	if (__predict_true(next != VIRT_NEVER))
		prefetch(next);
	if (vc->vc_fiber != vw->vw_fiber)
		world_switch(vc->vc_fiber);
}

void
world_order(void)
{
	do {
		world_schedule();
	} while (!world_my_turn(virt_world.vw_cpu));
}

static void
fiber_exit(struct vfiber *fb)
{
	struct world *vw = &virt_world;
	struct explore *ex = vw->vw_strategy;

	if (ex != NULL && ex->ex_ops->eo_exit != NULL)
		ex->ex_ops->eo_exit(ex, fb);
	else
		world_account(vw->vw_cpu);
	fb->fb_state = FB_DEAD;
	vw->vw_nlive--;
	vw->vw_spins = 0;
	if (fb->fb_joiner != NULL)
		world_wake(fb->fb_joiner);
	if (ex != NULL) {
		explore_pick(VIRT_EXIT);
	} else {
		vcpu_vacant(vw->vw_cpu);
		world_schedule();
	}
	panic("fiber %u goes on after its end", fb->fb_id);
}

static void
fiber_main(void *arg)
{
	struct vfiber *fb = arg;

	fb->fb_fn(fb->fb_arg);
	fiber_exit(fb);
}

static struct vfiber *
vfiber_new(struct vcpu *vc)
{
	struct world *vw = &virt_world;
	unsigned max = vw->vw_maxfibers == 0 ? 64 : 2 * vw->vw_maxfibers;
	struct vfiber *fb, **fibers;

	if (vw->vw_nfibers == vw->vw_maxfibers) {
		fibers = realloc(vw->vw_fibers, max * sizeof(*fibers));
		if (fibers == NULL)
			return (NULL);
		vw->vw_fibers = fibers;
		vw->vw_maxfibers = max;
	}
	fb = aligned_alloc(_Alignof(struct vfiber), sizeof(*fb));
	if (fb == NULL)
		return (NULL);
	memset(fb, 0, sizeof(*fb));
	fb->fb_id = vw->vw_nfibers;
	fb->fb_cpu = vc;
	fb->fb_deadline_ps = VIRT_NEVER;
	fb->fb_lent_pri = PRI_NONE;
	vstat_fiber_init(&fb->fb_stat);
	vw->vw_fibers[vw->vw_nfibers++] = fb;
	vw->vw_nlive++;
	return (fb);
}

int
world_create(unsigned cpu, void (*fn)(void *), void *arg, struct vfiber **fbp)
{
	struct world *vw = &virt_world;
	struct vcpu *vc = &vw->vw_cpus[cpu];
	struct explore *ex = vw->vw_strategy;
	struct vfiber *fb;
	int error;

	fb = vfiber_new(vc);
	if (fb == NULL)
		return (ENOMEM);
	fb->fb_fn = fn;
	fb->fb_arg = arg;
	error =
	    fiber_create(&fb->fb_ctx, fb->fb_id, VFIBER_STACK, fiber_main, fb);
	if (error != 0) {
		fb->fb_state = FB_DEAD;
		vw->vw_nlive--;
		return (error);
	}
	fb->fb_state = FB_READY;
	if (ex == NULL)
		world_ready(fb, vw->vw_cpu->vc_clock_ps);
	else if (ex->ex_ops->eo_create != NULL)
		ex->ex_ops->eo_create(ex, fb);
	*fbp = fb;
	return (0);
}

void
world_join(struct vfiber *fb)
{
	struct explore *ex = virt_world.vw_strategy;

	fb->fb_joiner = virt_world.vw_fiber;
	while (fb->fb_state != FB_DEAD)
		(void)world_block(
		    "the end of a thread", NULL, VIRT_NEVER, NULL);
	if (ex != NULL && ex->ex_ops->eo_join != NULL)
		ex->ex_ops->eo_join(ex, fb);
	if (fb->fb_ctx.fc_stack != NULL)
		fiber_destroy(&fb->fb_ctx);
}

struct vfiber *
world_fiber(uint32_t tid)
{
	if (tid == 0 || tid > virt_world.vw_nfibers ||
	    virt_world.vw_fibers[tid - 1]->fb_state == FB_DEAD)
		return (NULL);
	return (virt_world.vw_fibers[tid - 1]);
}

/*
 * Time.
 */

void
world_pass(enum vstat_time what, uint64_t ps)
{
	struct vfiber *fb = virt_world.vw_fiber;
	struct vcpu *vc = virt_world.vw_cpu;
	uint64_t n;

	world_account(vc);
	fb->fb_left_ps = ps;
	do {
		vc = fb->fb_cpu;
		n = fb->fb_left_ps;
		if (vc->vc_event_ps <= vc->vc_clock_ps)
			n = 0;
		else if (n > vc->vc_event_ps - vc->vc_clock_ps)
			n = vc->vc_event_ps - vc->vc_clock_ps;
		fb->fb_left_ps -= n;
		vc->vc_from_ps = vc->vc_clock_ps;
		vc->vc_clock_ps += n;
		vc->vc_mark_ps = vc->vc_clock_ps;
		if (!world_my_turn(vc))
			world_schedule();
		vc->vc_from_ps = VIRT_NEVER;
		vstat_time(&fb->fb_stat, what, n - fb->fb_stolen_ps);
		fb->fb_stolen_ps = 0;
	} while (fb->fb_left_ps > 0);
}

void
world_charge(enum vstat_time what, uint64_t ps)
{
	virt_world.vw_spins = 0;
	if (!virt_world.vw_fiber->fb_untimed && virt_world.vw_strategy == NULL)
		world_pass(what, ps);
}

void
world_idle_round(void)
{
	if (++virt_world.vw_spins >=
	    LIVELOCK_ROUNDS + (uint64_t)virt_world.vw_nlive * LIVELOCK_FIBER)
		world_stuck("livelock");
}

void
world_spin(uint64_t n)
{
	if (virt_world.vw_strategy != NULL) {
		virt_world.vw_explore_ps += n * VIRT_EXPLORE_PS;
		explore_pick(VIRT_SPIN);
		return;
	}
	world_idle_round();
	world_pass(VT_SPIN, n * virt_world.vw_preset.pr_pause_ps);
}

void
world_untimed(bool on)
{
	struct vcpu *vc = virt_world.vw_cpu;

	if (!on)
		vc->vc_mark_ps = vc->vc_clock_ps;
	else if (!virt_world.vw_fiber->fb_untimed)
		world_account(vc);
	virt_world.vw_fiber->fb_untimed = on;
	world_mode();
	if (virt_world.vw_strategy == NULL) {
		vcpu_plan(vc);
		world_limit();
	}
}

/*
 * The beginning and the end.
 */

static int
world_init(struct world *vw, const struct virt_config *vc)
{
	unsigned leaves = 2;
	int error;

	while (leaves < vc->vc_ncpus)
		leaves *= 2;
	vw->vw_ncpus = vc->vc_ncpus;
	vw->vw_seed = vc->vc_seed;
	vw->vw_sees_cpus = vc->vc_sees_cpus;
	vw->vw_strategy = vc->vc_explore;
	vw->vw_explore_ps = VIRT_BEGIN_PS;
	vw->vw_leaves = leaves;
	vw->vw_cpus = aligned_alloc(
	    _Alignof(struct vcpu), vc->vc_ncpus * sizeof(struct vcpu));
	vw->vw_tree = malloc(2 * leaves * sizeof(vw->vw_tree[0]));
	if (vw->vw_cpus == NULL || vw->vw_tree == NULL)
		return (ENOMEM);
	memset(vw->vw_cpus, 0, vc->vc_ncpus * sizeof(struct vcpu));
	memset(vw->vw_tree, 0xff, 2 * leaves * sizeof(vw->vw_tree[0]));
	for (unsigned i = 0; i < vc->vc_ncpus; i++) {
		vw->vw_cpus[i].vc_clock_ps = VIRT_BEGIN_PS;
		vw->vw_cpus[i].vc_mark_ps = VIRT_BEGIN_PS;
		vw->vw_cpus[i].vc_idle_ps = VIRT_BEGIN_PS;
		vw->vw_cpus[i].vc_event_ps = VIRT_NEVER;
		vw->vw_cpus[i].vc_from_ps = VIRT_NEVER;
	}
	error = arena_begin();
	vw->vw_arena = arena_base;
	vw->vw_shadow = arena_shadow_base;
	if (error == 0)
		error = line_begin(&vw->vw_preset, vw->vw_cpus, vc->vc_ncpus);
	if (error != 0)
		return (error);
	vw->vw_lookahead_ps = line_shortest_ps(false) *
	    vw->vw_preset.pr_lookahead_permille / 1000;
	vw->vw_lookahead_smt_ps =
	    line_shortest_ps(true) * vw->vw_preset.pr_lookahead_permille / 1000;
	return (0);
}

/* A host for a world without time. */
static struct preset
timeless(unsigned ncpus)
{
	struct preset pr = { .pr_sockets = 1,
		.pr_clusters = 1,
		.pr_cores = ncpus,
		.pr_smt = 1,
		.pr_smt_permille = 1000,
		.pr_store_buffer = 1 };

	return (pr);
}

int
virt_begin(const struct virt_config *vc)
{
	struct world *vw = &virt_world;
	struct vfiber *fb;
	int error;

	if (vw->vw_on)
		return (EBUSY);
	KASSERT(vc->vc_ncpus >= 1 && vc->vc_ncpus <= MACHINE_CPU_MAX,
	    ("world of %u CPUs", vc->vc_ncpus));
	*vw = no_world;
	if (vc->vc_preset != NULL)
		vw->vw_preset = *vc->vc_preset;
	else
		vw->vw_preset = timeless(vc->vc_ncpus);
	vstat_begin(line_distance);
	error = world_init(vw, vc);
	fb = error == 0 ? vfiber_new(&vw->vw_cpus[0]) : NULL;
	if (fb == NULL) {
		virt_end();
		return (error != 0 ? error : ENOMEM);
	}
	for (unsigned i = 0; i < vc->vc_ncpus; i++)
		vcpu_costs(&vw->vw_cpus[i]);
	fb->fb_state = FB_RUNS;
	fb->fb_untimed = true;
	fb->fb_curtd = sim_curthread;
	vw->vw_fiber = fb;
	vw->vw_cpu = &vw->vw_cpus[0];
	vcpu_first(vw->vw_cpu, fb);
	vw->vw_on = true;
	world_mode();
	world_limit();
	return (0);
}

void
virt_end(void)
{
	struct world *vw = &virt_world;

	for (unsigned i = 0; i < vw->vw_nfibers; i++) {
		if (vw->vw_fibers[i]->fb_ctx.fc_stack != NULL)
			fiber_destroy(&vw->vw_fibers[i]->fb_ctx);
		free(vw->vw_fibers[i]);
	}
	vstat_end();
	line_end();
	free(vw->vw_fibers);
	free(vw->vw_cpus);
	free(vw->vw_tree);
	*vw = no_world;
}
