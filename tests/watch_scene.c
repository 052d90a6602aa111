/* SPDX-License-Identifier: BSD-2-Clause */
#include "watch_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sim/sim.h"
#include "sim/virtual/world.h"

uint64_t __tsan_atomic64_load(const uint64_t *a, int order);
void __tsan_atomic64_store(uint64_t *a, uint64_t v, int order);
uint64_t __tsan_atomic64_fetch_add(uint64_t *a, uint64_t v, int order);

struct preset scene_preset;
uint64_t *scene_words[3];
static bool at_once;

static uint64_t
now_ps(void)
{
	return (world_now_ps() - VIRT_BEGIN_PS);
}

static void
act(const struct act *a)
{
	if (a->a_at_ps > now_ps())
		world_charge(VT_COMPUTE, a->a_at_ps - now_ps());
	switch (a->a_what) {
	case STORE:
		__tsan_atomic64_store(
		    scene_words[a->a_word], a->a_v, __ATOMIC_RELEASE);
		break;
	case LOAD:
		(void)__tsan_atomic64_load(
		    scene_words[a->a_word], __ATOMIC_ACQUIRE);
		break;
	case WORK:
		world_charge(VT_COMPUTE, a->a_v);
		break;
	case SLEEP:
		(void)world_block(
		    "its time", NULL, VIRT_BEGIN_PS + a->a_v, NULL);
		break;
	}
}

void
scene_act(void *arg)
{
	struct actor *ac = arg;

	for (unsigned i = 0; i < ac->ac_nacts; i++)
		act(&ac->ac_acts[i]);
	ac->ac_end_ps = now_ps();
}

static bool
look(uint64_t *word, bool plain, bool adds)
{
	if (adds)
		return (
		    __tsan_atomic64_fetch_add(word, 0, __ATOMIC_ACQUIRE) != 0);
	if (!plain)
		return (__tsan_atomic64_load(word, __ATOMIC_ACQUIRE) != 0);
	world_access((uintptr_t)word, LINE_READ);
	return (*word != 0);
}

static void
spin(unsigned n, uint64_t deadline_ns)
{
	if (at_once)
		sim_native_ops->so_spin_until(NULL, n, deadline_ns);
	else
		sim_native_ops->so_spin(NULL, n);
}

static bool
waiter_round(struct waiter *w, uint64_t deadline_ns)
{
	for (unsigned i = 0; i < w->w_before; i++)
		world_access((uintptr_t)scene_words[2], LINE_READ);
	if (look(scene_words[w->w_word], w->w_plain, w->w_adds) ||
	    (w->w_looks_twice &&
		look(scene_words[w->w_second], false, false)) ||
	    (w->w_reads && look(scene_words[1], true, false)))
		return (true);
	if (w->w_counts)
		(void)__tsan_atomic64_fetch_add(
		    scene_words[2], 1, __ATOMIC_RELAXED);
	if (w->w_after_ps != 0)
		world_charge(VT_COMPUTE, w->w_after_ps);
	if (!w->w_no_clock && sim_native_ops->so_clock_ns(NULL) >= deadline_ns)
		return (true);
	w->w_rounds++;
	return (false);
}

static void
waiter_main(void *arg)
{
	struct waiter *w = arg;
	uint64_t deadline = w->w_deadline_ns;

	if (deadline != NEVER)
		deadline += VIRT_BEGIN_PS / 1000;
	while (!waiter_round(w, deadline))
		spin(w->w_alternates ? 1 + w->w_rounds % 2 : w->w_units,
		    deadline);
	w->w_end_ps = now_ps();
}

static uint64_t
time_of(const struct vfiber *fb)
{
	uint64_t sum = 0;

	for (unsigned t = 0; t < NVT; t++)
		sum += fb->fb_stat.vf_ps[0][t];
	return (sum);
}

void
scene_begin(struct explore *ex)
{
	struct virt_config vc = {
		.vc_preset = &scene_preset,
		.vc_ncpus = NCPUS,
		.vc_explore = ex,
	};
	char *p;

	assert_int_equal(virt_begin(&vc), 0);
	p = arena_get((size_t)4096 * 3, 0);
	for (unsigned i = 0; i < 3; i++)
		scene_words[i] = (uint64_t *)(void *)(p + i * (size_t)4096);
	vstat_reset(VIRT_BEGIN_PS, 0);
}

static void
start(unsigned cpu, void (*fn)(void *), void *arg, struct vfiber **fbp)
{
	assert_int_equal(world_create(cpu, fn, arg, fbp), 0);
}

void
scene_run(struct scene *s)
{
	struct vfiber *fb[1 + 2 + NACTORS];
	unsigned n = 0;

	at_once = s->s_at_once;
	scene_begin(NULL);
	for (unsigned i = 0; i < s->s_nearly; i++)
		start(
		    s->s_early[i].ac_cpu, scene_act, &s->s_early[i], &fb[n++]);
	for (unsigned i = 0; i < s->s_nwaiters; i++) {
		s->s_waiters[i].w_rounds = 0;
		start(s->s_waiters[i].w_cpu, waiter_main, &s->s_waiters[i],
		    &fb[n++]);
	}
	for (unsigned i = 0; i < s->s_nactors; i++)
		start(s->s_actors[i].ac_cpu, scene_act, &s->s_actors[i],
		    &fb[n++]);
	for (unsigned i = 0; i < n; i++)
		world_join(fb[i]);
	for (unsigned i = 0; i < s->s_nwaiters; i++)
		assert_int_equal(
		    time_of(fb[s->s_nearly + i]), s->s_waiters[i].w_end_ps);
	s->s_accesses = virt_accesses();
	virt_end();
}

uint64_t
scene_run_both(struct scene *s)
{
	struct scene rounds;

	s->s_at_once = false;
	scene_run(s);
	rounds = *s;
	s->s_at_once = true;
	scene_run(s);
	for (unsigned i = 0; i < s->s_nwaiters; i++)
		assert_int_equal(
		    s->s_waiters[i].w_end_ps, rounds.s_waiters[i].w_end_ps);
	for (unsigned i = 0; i < s->s_nactors; i++)
		assert_int_equal(
		    s->s_actors[i].ac_end_ps, rounds.s_actors[i].ac_end_ps);
	assert_true(s->s_accesses <= rounds.s_accesses);
	return (rounds.s_accesses - s->s_accesses);
}

int
scene_setup(void **state)
{
	struct preset_error pe;

	(void)state;
	if (preset_open("clx-2s-104", &scene_preset, &pe) != 0)
		return (1);
	scene_preset.pr_sockets = 1;
	scene_preset.pr_cores = NCPUS;
	scene_preset.pr_l1_hit_ps = HIT;
	scene_preset.pr_rmw_ps = RMW;
	scene_preset.pr_line_cluster_ps = MISS;
	scene_preset.pr_line_hold_permille = 0;
	/* Order decides what is equal to the picosecond. */
	scene_preset.pr_lookahead_permille = 0;
	scene_preset.pr_rmw_overlap_permille = 0;
	scene_preset.pr_dram_local_ps = DRAM;
	scene_preset.pr_occupancy_read_ps = 0;
	scene_preset.pr_pause_ps = PAUSE;
	scene_preset.pr_smt_permille = 2000;
	scene_preset.pr_context_switch_ps = 0;
	scene_preset.pr_block_wake_same_ps = 0;
	scene_preset.pr_wake_remote_ps = 0;
	return (0);
}

struct scene
scene_of_one(uint64_t written_ps)
{
	struct scene s = {
		.s_waiters = { { .w_cpu = 1,
		    .w_units = 1,
		    .w_deadline_ns = NEVER } },
		.s_nwaiters = 1,
		.s_actors = { { .ac_acts = { { written_ps, STORE, 0, 1 } },
		    .ac_nacts = 1 } },
		.s_nactors = 1,
	};

	return (s);
}

uint64_t
scene_seen(uint64_t look_ps, uint64_t written_ps)
{
	uint64_t free_ps = written_ps + MISS;

	return ((look_ps > free_ps ? look_ps : free_ps) + MISS);
}

void
scene_two_threads_a_core(void)
{
	scene_preset.pr_cores = NCPUS / 2;
}
