/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * poudriere: a package build.  Each thread is a builder that keeps one CPU busy:
 * its shell, or its make, starts one process after the other and waits for it.
 *
 * A builder is in one of two stages for all of a run, which is short beside
 * them: configure, a shell that forks for everything it does; or make, which
 * mostly waits for a compiler.  What is started how often, how large it is and
 * how long it takes is in wl_programs.c, what a process does in wl_process.c.
 *
 * A compiler driver, while it lives, starts compiler, assembler and linker by
 * vfork(2); so up to three processes of a builder are alive, of which one runs.
 *
 * Steady state.  Builders do not start together.  Each begins in the midst of
 * something: what, is drawn by the time that the stage spends in it; how far, is
 * uniform.  What that process mapped before is mapped while the run is built.
 *
 * Jails.  Builders of one jail share each file, those of different jails none:
 * thread t is in jail t modulo the number of copies.
 *
 * User time.  On the virtual machine it passes by sim_charge().  In real mode
 * it takes no time at all, so that threads do nothing but what is measured; or,
 * with --spin 1, the thread looks at the clock until it has passed.
 *
 * A round is a slice of this: 32 events, or 0.2 ms of user time.
 *
 * Parameters, all that the statistics leave open, with range and default.
 *	text-copies   1 to 1024 (20)	jails: one file system of its own for each
 *			of so many groups of builders
 *	configure-pct 1 to 100 (62)	builders in configure.  Measured: 21.4 s
 *			for the configure run of one package, 12.9 CPU seconds
 *			to make one
 *	gcc	      0 or 1 (0)	the compiler is gcc, as where processes were
 *			recorded; else clang, FreeBSD's own
 *	lifetime-pct  1 to 10000 (100)	user time, of what was recorded
 *	premap	      1 to 65536 (96)	pages of a library's mapping that are
 *			mapped with it.  Source: FreeBSD main (2024),
 *			sys/vm/vm_map.c, MAX_INIT_PT
 *	text-pages    0 (all)	most pages of a file, for small memories
 *	anon-pages    0 (all)	most anonymous pages of a program, the same
 *	superpages    0 or 1 (0)	files lie in reservations, which are full:
 *			2 MB mappings of large ones; else in the same runs of
 *			pages, mapped by 4 KB
 *	spin	      0 or 1 (0)	as above
 */

#include <errno.h>
#include <string.h>

#include "workload/wl_process.h"

#define TEXT_COPIES   20u
#define CONFIGURE_PCT 62u
#define LIFETIME_PCT  100u
#define PREMAP_PAGES  96u
#define SLICE_EVENTS  32u
#define SLICE_NS      UINT64_C(200000)
#define DEPTH         3u /* base, its child, a driver's child */

/* What all share. */
struct poudriere {
	struct wl_jail *po_jails; /* [wp_text_copies] */
	unsigned po_njails;
};

struct builder {
	struct wl_world b_world;
	const struct wl_mix *b_mix; /* of its stage */
	struct wl_process b_procs[DEPTH];
	unsigned b_depth; /* processes that live; the last one runs */
	/* What the process runs when it has done what a forked one does. */
	enum wl_program_id b_then[DEPTH];
	/* What a driver has yet to start, in order. */
	enum wl_program_id b_children[WL_DRIVER_STARTS];
	unsigned b_nchildren;
	unsigned b_nstarted;
	uint64_t b_debt_ns; /* user time before the next event */
};

static struct wl_rng *
builder_rng(struct builder *b)
{
	return (&b->b_world.ww_thread->wlt_rng);
}

static bool
percent(struct builder *b, unsigned pct)
{
	return (wl_below(builder_rng(b), 100) < pct);
}

/* User time passes. */
static void
compute(struct builder *b, uint64_t ns)
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
base_rearm(struct builder *b, bool forked)
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
draw_child(struct builder *b)
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
plan_driver(struct builder *b, unsigned i, unsigned lot)
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
exec_top(struct builder *b, enum wl_program_id id)
{
	if (id == b->b_mix->wm_driver)
		plan_driver(b, 0, wl_below(builder_rng(b), 100));
	b->b_then[b->b_depth - 1] = id;
	return (wl_process_exec(&b->b_world, &b->b_procs[b->b_depth - 1], id));
}

/* The base starts a child: by fork, or by vfork and exec at once. */
static int
start_child(struct builder *b, enum wl_program_id id)
{
	struct wl_process *pr = &b->b_procs[b->b_depth++];

	if (id != WLP_FORKED && !percent(b, b->b_mix->wm_fork_pct))
		return (exec_top(b, id));
	b->b_then[b->b_depth - 1] = id;
	return (wl_process_fork(&b->b_world, &b->b_procs[0], pr));
}

/* The process at the top has nothing left to do. */
static int
top_done(struct builder *b)
{
	struct wl_process *pr = &b->b_procs[b->b_depth - 1];
	enum wl_program_id then = b->b_then[b->b_depth - 1];
	bool forked = pr->wlp_parent != NULL;

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
builder_event(struct builder *b)
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

static int
poudriere_round(struct wl_thread *wlt)
{
	struct builder *b = wlt->wlt_state;
	uint64_t left_ns = SLICE_NS, ns;
	int error = 0;

	for (unsigned n = 0; n < SLICE_EVENTS && error == 0; n++) {
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
draw_present(struct builder *b)
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
live_until(struct builder *b, uint64_t left_ns)
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
live(struct builder *b)
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
begin_in_driver(struct builder *b, unsigned i)
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

static int
builder_begin(struct builder *b)
{
	const struct wl_mix *wm = b->b_mix;
	enum wl_program_id id;
	int error;

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

static int
poudriere_start(struct wl_thread *wlt)
{
	const struct poudriere *po = wlt->wlt_run->wlr_shared;
	unsigned i = wlt->wlt_index, pct;
	struct builder *b;
	int error = 0;

	b = wl_alloc(wlt->wlt_run, sizeof(*b));
	if (b == NULL)
		return (ENOMEM);
	wlt->wlt_state = b;
	b->b_world.ww_thread = wlt;
	b->b_world.ww_jail = &po->po_jails[i % po->po_njails];
	/* As many as there should be, evenly spread. */
	pct = wlt->wlt_run->wlr_params.wp_configure_pct;
	b->b_mix =
	    &wl_mixes[wlt->wlt_run->wlr_params.wp_gcc != 0 ? WL_GCC : WL_CLANG]
		     [(i + 1) * pct / 100 > i * pct / 100 ? WL_STAGE_CONFIGURE
							  : WL_STAGE_MAKE];
	for (i = 0; i < DEPTH && error == 0; i++)
		error = wl_process_create(wlt, &b->b_procs[i]);
	if (error == 0)
		error = builder_begin(b);
	return (error);
}

static void
poudriere_finish(struct wl_thread *wlt)
{
	struct builder *b = wlt->wlt_state;

	if (b == NULL)
		return;
	/* A child has pages of its parent mapped. */
	for (unsigned i = DEPTH; i-- > 0;)
		wl_process_destroy(&b->b_procs[i]);
	wl_free(wlt->wlt_run, b, sizeof(*b));
}

static int
poudriere_build(struct wl_run *run)
{
	unsigned ncopies = run->wlr_params.wp_text_copies;
	uint32_t most = run->wlr_params.wp_text_pages, pages;
	struct poudriere *po;
	int domain, error;

	po = wl_alloc(run, sizeof(*po));
	if (po == NULL)
		return (ENOMEM);
	run->wlr_shared = po;
	po->po_jails = wl_alloc(run, ncopies * sizeof(po->po_jails[0]));
	if (po->po_jails == NULL)
		return (ENOMEM);
	po->po_njails = ncopies;
	for (unsigned i = 0; i < ncopies; i++) {
		domain = (int)(i % (unsigned)run->wlr_machine->ma_ndomains);
		for (unsigned f = 0; f < WL_NFILES; f++) {
			if (wl_files[f].wf_compiler >= 0 &&
			    wl_files[f].wf_compiler !=
				(run->wlr_params.wp_gcc != 0 ? WL_GCC
							     : WL_CLANG))
				continue;
			pages = wl_files[f].wf_pages;
			if (most != 0)
				pages = MIN(pages, most);
			for (unsigned v = 0; v < wl_files[f].wf_variants; v++) {
				error = wl_object_create(run, pages, domain,
				    VM_OBJECT_RUNS,
				    &po->po_jails[i].wj_files[f][v]);
				if (error != 0)
					return (error);
			}
		}
	}
	return (0);
}

static void
poudriere_destroy(struct wl_run *run)
{
	struct poudriere *po = run->wlr_shared;

	if (po == NULL)
		return;
	/* The objects are the run's. */
	if (po->po_jails != NULL)
		wl_free(
		    run, po->po_jails, po->po_njails * sizeof(po->po_jails[0]));
	wl_free(run, po, sizeof(*po));
}

static int
poudriere_check(struct wl_run *run, char *err, size_t errsize)
{
	struct workload_params *wp = &run->wlr_params;
	int error;

	if (wp->wp_text_copies == 0)
		wp->wp_text_copies = TEXT_COPIES;
	if (wp->wp_configure_pct == 0)
		wp->wp_configure_pct = CONFIGURE_PCT;
	if (wp->wp_lifetime_pct == 0)
		wp->wp_lifetime_pct = LIFETIME_PCT;
	if (wp->wp_premap_pages == 0)
		wp->wp_premap_pages = PREMAP_PAGES;
	error = wl_check_range(
	    "text copies", wp->wp_text_copies, 1, 1024, err, errsize);
	if (error == 0)
		error = wl_check_range("percentage in configure",
		    wp->wp_configure_pct, 1, 100, err, errsize);
	if (error == 0)
		error = wl_check_range("percentage of lifetime",
		    wp->wp_lifetime_pct, 1, 10000, err, errsize);
	if (error == 0)
		error = wl_check_range("pages mapped beforehand",
		    wp->wp_premap_pages, 1, 65536, err, errsize);
	wp->wp_text_copies =
	    MIN(wp->wp_text_copies, run->wlr_config->wc_threads);
	return (error);
}

const struct wl_ops wl_poudriere_ops = {
	.wo_check = poudriere_check,
	.wo_build = poudriere_build,
	.wo_start = poudriere_start,
	.wo_round = poudriere_round,
	.wo_finish = poudriere_finish,
	.wo_destroy = poudriere_destroy,
};
