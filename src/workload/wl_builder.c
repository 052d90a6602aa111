/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A builder keeps one CPU busy: its base, a shell or make, starts one process
 * after the other and waits for it.
 *
 * In configure the base is a shell that forks for everything it does; in the
 * other stage it is make, which mostly waits for a compiler.  What is started how
 * often, how large it is and how long it takes is in wl_programs.c, what a
 * process does in wl_process.c.
 *
 * A compiler driver, while it lives, starts compiler, assembler and linker by
 * vfork(2); so up to three processes of a builder are alive, of which the one
 * that was started last runs.
 *
 * Steady state.  Builders do not start together.  Each begins in the midst of
 * something: what, is drawn by the time that its stage spends in it; how far, is
 * uniform.  What that process mapped before is mapped while the run is built.
 */

#include "workload/wl_builder.h"

#define SLICE_EVENTS 32u
#define SLICE_NS     UINT64_C(200000)

static struct wl_rng *
builder_rng(struct wl_builder *b)
{
	return (&b->b_world.ww_thread->wlt_rng);
}

static bool
percent(struct wl_builder *b, unsigned pct)
{
	return (wl_below(builder_rng(b), 100) < pct);
}

/* User time passes. */
static void
compute(struct wl_builder *b, uint64_t ns)
{
	struct wl_run *run = b->b_world.ww_thread->wlt_run;
	struct sim *sim = run->wlr_machine->ma_sim;
	uint64_t end;

	sim_charge(sim, SIM_COMPUTE_NS, ns);
	if (run->wlr_params.wp_spin == 0)
		return;
	end = sim_clock_ns(sim) + ns;
	while (sim_clock_ns(sim) < end)
		continue;
}

/* The base has something to do until it starts the next child. */
static void
base_rearm(struct wl_builder *b, bool forked)
{
	const struct workload_params *wp =
	    &b->b_world.ww_thread->wlt_run->wlr_params;
	struct wl_process *pr = &b->b_procs[0];

	pr->wlp_user_ns =
	    wl_program_user_ns(pr->wlp_program) * wp->wp_lifetime_pct / 100;
	pr->wlp_cow = forked ? pr->wlp_program->wpg_forkcow : 0;
	pr->wlp_cow_next = 0;
}

/* What the base starts next. */
static enum wl_program_id
draw_child(struct wl_builder *b)
{
	const struct wl_mix *wm = b->b_mix;
	uint32_t all = 0, at;
	unsigned i;

	for (i = 0; i < WL_NPROGRAMS; i++)
		all += wm->wm_child[i];
	at = wl_below(builder_rng(b), all);
	for (i = 0; at >= wm->wm_child[i]; i++)
		at -= wm->wm_child[i];
	return ((enum wl_program_id)i);
}

/*
 * What a driver starts from the i-th on.  One lot decides: whoever links has
 * compiled before.
 */
static void
plan_driver(struct wl_builder *b, unsigned i, unsigned lot)
{
	const struct wl_mix *wm = b->b_mix;

	b->b_nchildren = b->b_nstarted = 0;
	for (; i < WL_DRIVER_STARTS; i++) {
		if (lot < wm->wm_starts[i].ws_pct)
			b->b_children[b->b_nchildren++] =
			    wm->wm_starts[i].ws_program;
	}
}

/* The process at the top becomes a run of a program. */
static int
exec_top(struct wl_builder *b, enum wl_program_id id)
{
	if (id == b->b_mix->wm_driver)
		plan_driver(b, 0, wl_below(builder_rng(b), 100));
	b->b_then[b->b_depth - 1] = id;
	return (wl_process_exec(&b->b_world, &b->b_procs[b->b_depth - 1], id));
}

/* The base starts a child: by fork, or by vfork and exec at once. */
static int
start_child(struct wl_builder *b, enum wl_program_id id)
{
	struct wl_process *pr = &b->b_procs[b->b_depth++];

	if (id != WLP_FORKED && !percent(b, b->b_mix->wm_fork_pct))
		return (exec_top(b, id));
	b->b_then[b->b_depth - 1] = id;
	return (wl_process_fork(&b->b_world, &b->b_procs[0], pr));
}

/* The process at the top has nothing left to do. */
static int
top_done(struct wl_builder *b)
{
	struct wl_process *pr = &b->b_procs[b->b_depth - 1];
	enum wl_program_id then = b->b_then[b->b_depth - 1];
	bool forked = pr->wlp_parent != NULL;

	b->b_switched = true;
	if (b->b_depth == 1)
		return (start_child(b, draw_child(b)));
	if (forked && then != WLP_FORKED)
		return (exec_top(b, then));
	if (then == b->b_mix->wm_driver && b->b_nstarted < b->b_nchildren) {
		b->b_depth++;
		return (exec_top(b, b->b_children[b->b_nstarted++]));
	}
	wl_process_exit(&b->b_world, pr);
	if (--b->b_depth == 1)
		base_rearm(b, b->b_mix->wm_fork_pct == 100);
	return (0);
}

/* What comes next, and the time up to what comes then. */
static int
builder_event(struct wl_builder *b)
{
	struct wl_process *pr = &b->b_procs[b->b_depth - 1];
	bool done;
	int error;

	error = wl_process_event(&b->b_world, pr, &done);
	if (error == 0 && done)
		error = top_done(b);
	if (error == 0)
		b->b_debt_ns =
		    wl_process_gap(&b->b_world, &b->b_procs[b->b_depth - 1]);
	return (error);
}

int
wl_builder_slice(struct wl_builder *b)
{
	uint64_t left_ns = SLICE_NS, ns;
	int error = 0;

	b->b_switched = false;
	for (unsigned n = 0; n < SLICE_EVENTS && !b->b_switched && error == 0;
	     n++) {
		ns = MIN(b->b_debt_ns, left_ns);
		compute(b, ns);
		b->b_debt_ns -= ns;
		left_ns -= ns;
		if (left_ns == 0)
			break;
		error = builder_event(b);
	}
	return (error);
}

/*
 * How a builder begins.
 */

/* Time that a stage spends in its base and in each program. */
static uint64_t
stage_time(const struct wl_mix *wm, uint64_t time[WL_NPROGRAMS])
{
	uint64_t all = 0, children = 0, drivers = wm->wm_child[wm->wm_driver];
	uint64_t count[WL_NPROGRAMS] = { 0 };

	for (unsigned i = 0; i < WL_NPROGRAMS; i++) {
		count[i] = wm->wm_child[i];
		children += count[i];
	}
	count[wm->wm_base] = children;
	/* Those that exec were forked, too. */
	count[WLP_FORKED] +=
	    (children - count[WLP_FORKED]) * wm->wm_fork_pct / 100;
	for (unsigned i = 0; i < WL_DRIVER_STARTS; i++)
		count[wm->wm_starts[i].ws_program] +=
		    drivers * wm->wm_starts[i].ws_pct / 100;
	for (unsigned i = 0; i < WL_NPROGRAMS; i++) {
		time[i] = count[i] * wl_program_user_ns(&wl_programs[i]);
		all += time[i];
	}
	return (all);
}

/* What the builder is in the midst of. */
static enum wl_program_id
draw_present(struct wl_builder *b)
{
	uint64_t at, time[WL_NPROGRAMS];
	unsigned i;

	at = wl_rand(builder_rng(b)) % stage_time(b->b_mix, time);
	for (i = 0; at >= time[i]; i++)
		at -= time[i];
	return ((enum wl_program_id)i);
}

/* Let the process at the top go on until it has so little user time left. */
static int
live_until(struct wl_builder *b, uint64_t left_ns)
{
	struct wl_process *pr = &b->b_procs[b->b_depth - 1];
	bool done = false;
	int error = 0;

	while (error == 0 && !done && pr->wlp_user_ns > left_ns) {
		(void)wl_process_gap(&b->b_world, pr);
		error = wl_process_event(&b->b_world, pr, &done);
	}
	return (error);
}

/* All that a process does but for its end. */
static int
live(struct wl_builder *b)
{
	struct wl_process *pr = &b->b_procs[b->b_depth - 1];
	bool done = false;
	int error = 0;

	while (error == 0 && !done)
		error = wl_process_event(&b->b_world, pr, &done);
	pr->wlp_user_ns = 0;
	return (error);
}

/* Where drivers start this; WL_DRIVER_STARTS: the base does. */
static unsigned
driver_start(const struct wl_mix *wm, enum wl_program_id id)
{
	unsigned i = 0;

	while (i < WL_DRIVER_STARTS &&
	    (wm->wm_starts[i].ws_pct == 0 || wm->wm_starts[i].ws_program != id))
		i++;
	return (i);
}

/* In what a driver started as its i-th. */
static int
begin_in_driver(struct wl_builder *b, unsigned i)
{
	const struct wl_mix *wm = b->b_mix;
	int error;

	b->b_depth++;
	error = exec_top(b, wm->wm_driver);
	if (error == 0)
		error = live(b);
	if (error != 0)
		return (error);
	plan_driver(
	    b, i + 1, wl_below(builder_rng(b), wm->wm_starts[i].ws_pct));
	b->b_depth++;
	return (exec_top(b, wm->wm_starts[i].ws_program));
}

int
wl_builder_begin(struct wl_builder *b)
{
	const struct wl_mix *wm = b->b_mix;
	enum wl_program_id id;
	int error = 0;

	for (unsigned i = 0; i < WL_BUILDER_DEPTH && error == 0; i++)
		error = wl_process_create(b->b_world.ww_thread, &b->b_procs[i]);
	if (error != 0)
		return (error);
	b->b_depth = 1;
	error = exec_top(b, wm->wm_base);
	if (error == 0)
		error = live(b);
	if (error != 0)
		return (error);
	id = draw_present(b);
	if (id == wm->wm_base) {
		base_rearm(b, wm->wm_fork_pct == 100);
	} else if (id == WLP_FORKED) {
		error = start_child(b, WLP_FORKED);
		b->b_then[1] = draw_child(b);
	} else if (driver_start(wm, id) < WL_DRIVER_STARTS) {
		error = begin_in_driver(b, driver_start(wm, id));
	} else {
		b->b_depth++;
		error = exec_top(b, id);
	}
	if (error != 0)
		return (error);
	return (live_until(b,
	    b->b_procs[b->b_depth - 1].wlp_user_ns *
		wl_below(builder_rng(b), 1000) / 1000));
}

void
wl_builder_end(struct wl_builder *b)
{
	/* A child has pages of its parent mapped. */
	for (unsigned i = WL_BUILDER_DEPTH; i-- > 0;)
		wl_process_destroy(&b->b_procs[i]);
}
