/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Running a scenario: configuration, threads, gate, phases, and the verdict.
 */

#include "pmapsim/workload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lock/lock_profile.h"
#include "sim/pin.h"
#include "workload/workload_var.h"

static const struct workload_info scenarios[] = {
	{ "private", "each thread its own pmap: fault pages in, unmap them" },
	{ "exec_exit", "processes: map shared text and private pages, exit" },
	{ "one_pmap", "threads of one process: disjoint and shared ranges" },
	{ "pageout", "a page daemon against the other three" },
	{ "poudriere", "package builders: shells, compilers, what they run" },
	{ NULL, NULL },
};

/* In the same order. */
static const struct wl_ops *const scenario_ops[] = {
	&wl_private_ops,
	&wl_exec_exit_ops,
	&wl_one_pmap_ops,
	&wl_pageout_ops,
	&wl_poudriere_ops,
};
_Static_assert(sizeof(scenario_ops) / sizeof(scenario_ops[0]) + 1 ==
	sizeof(scenarios) / sizeof(scenarios[0]),
    "each scenario has its functions");

const struct workload_info *
workload_list(void)
{
	return (scenarios);
}

/*
 * Configuration.
 */

static int
bad_name(const char *name, char *err, size_t errsize)
{
	char known[80] = "";
	size_t len = 0;

	for (const struct workload_info *wi = scenarios; wi->wi_name != NULL;
	     wi++)
		len += (size_t)snprintf(known + len, sizeof(known) - len,
		    "%s%s", wi == scenarios ? "" : ", ", wi->wi_name);
	(void)snprintf(err, errsize,
	    "unknown workload \"%s\": expected one of %s", name, known);
	return (EINVAL);
}

static int
find_scenario(
    const char *name, const struct wl_ops **opsp, char *err, size_t errsize)
{
	if (name == NULL)
		return (bad_name("", err, errsize));
	for (size_t i = 0; scenarios[i].wi_name != NULL; i++) {
		if (strcmp(name, scenarios[i].wi_name) == 0) {
			*opsp = scenario_ops[i];
			return (0);
		}
	}
	return (bad_name(name, err, errsize));
}

/* What can be checked, and filled in, without a machine. */
static int
params_check(struct wl_run *run, char *err, size_t errsize)
{
	const struct workload_config *wc = run->wlr_config;
	int error;

	error = find_scenario(wc->wc_name, &run->wlr_ops, err, errsize);
	if (error == 0)
		error = wl_check_range("threads", wc->wc_threads, 1,
		    MACHINE_CPU_MAX, err, errsize);
	if (error == 0)
		error = wl_check_range("pin order", wc->wc_pin, WL_PIN_NONE,
		    WL_PIN_SMT_LAST, err, errsize);
	if (error != 0)
		return (error);
	run->wlr_params = wc->wc_params;
	return (run->wlr_ops->wo_check(run, err, errsize));
}

static int
config_check(struct wl_run *run, char *err, size_t errsize)
{
	const struct pv_lock_ops *lock = run->wlr_machine->ma_design.d_lock;
	const struct workload_config *wc = run->wlr_config;
	int error;

	error = params_check(run, err, errsize);
	if (error != 0)
		return (error);
	if (wc->wc_threads > 1 && (lock->plo_flags & PLO_NOLOCK) != 0) {
		(void)snprintf(err, errsize,
		    "lock \"%s\" excludes nobody: expected 1 thread, not %u",
		    lock->plo_name, wc->wc_threads);
		return (EINVAL);
	}
	if (wc->wc_measure_ns == 0 && wc->wc_rounds == 0) {
		(void)snprintf(err, errsize,
		    "expected a measuring time or a number of rounds");
		return (EINVAL);
	}
	return (0);
}

/*
 * What a worker does.
 */

static struct sim *
run_sim(const struct wl_run *run)
{
	return (run->wlr_machine->ma_sim);
}

/* At the gate; the caller need not be attached. */
static void
gate_arrive(struct wl_run *run)
{
	/*
	 * Acquire-release: the last to arrive has seen what all wrote, and
	 * hands it to the main thread with the wake.
	 */
	if (atomic_fetch_sub_explicit(
		&run->wlr_left, 1, memory_order_acq_rel) == 1)
		run_sim(run)->sim_ops->so_wake(run->wlr_main);
}

/* By the caller of workload_run(). */
static bool
stop_asked(const struct wl_run *run)
{
	const atomic_bool *stop = run->wlr_config->wc_stop;

	/* Relaxed: a request; nothing else is read because of it. */
	return (
	    stop != NULL && atomic_load_explicit(stop, memory_order_relaxed));
}

static bool
stop_wanted(struct wl_thread *wlt)
{
	wlt->wlt_stopped = stop_asked(wlt->wlt_run);
	/* Relaxed: the reason is read after the gate. */
	return (wlt->wlt_stopped ||
	    atomic_load_explicit(
		&wlt->wlt_run->wlr_failed, memory_order_relaxed));
}

/*
 * Mappings made and removed: pv entries, but for the 511 that a promotion gives
 * back, or a demotion takes, of pages that stay mapped.
 */
static uint64_t
mappings_made(const struct counter_set *cs)
{
	return (counter_read(cs, CTR_PV_ENTRY_ALLOCS) -
	    (NPTEPG - 1) * counter_read(cs, CTR_PDE_DEMOTIONS));
}

static uint64_t
mappings_removed(const struct counter_set *cs)
{
	return (counter_read(cs, CTR_PV_ENTRY_FREES) -
	    (NPTEPG - 1) * counter_read(cs, CTR_PDE_PROMOTIONS));
}

/* Rounds until the phase is over, at least one. */
static void
run_rounds(struct wl_thread *wlt)
{
	const struct counter_set *cs = &wlt->wlt_td->td_counters;
	struct workload_thread *wt = &wlt->wlt_work;
	struct wl_run *run = wlt->wlt_run;
	struct sim *sim = run_sim(run);
	uint64_t enters, pageops, removes, rounds = 0;

	enters = mappings_made(cs);
	removes = mappings_removed(cs);
	pageops = wlt->wlt_pageops;
	wlt->wlt_start_ns = sim_clock_ns(sim);
	do {
		if (run->wlr_ops->wo_round(wlt) != 0)
			break;
		rounds++;
	} while (!stop_wanted(wlt) &&
	    (run->wlr_rounds != 0 ? rounds < run->wlr_rounds
				  : sim_clock_ns(sim) < run->wlr_deadline_ns));
	wlt->wlt_end_ns = sim_clock_ns(sim);
	wt->wt_rounds = rounds;
	wt->wt_enters = mappings_made(cs) - enters;
	wt->wt_removes = mappings_removed(cs) - removes;
	wt->wt_pageops = wlt->wlt_pageops - pageops;
	wt->wt_elapsed_ns = wlt->wlt_end_ns - wlt->wlt_start_ns;
}

static void
worker(void *arg)
{
	struct wl_thread *wlt = arg;
	struct wl_run *run = wlt->wlt_run;
	struct machine *m = run->wlr_machine;

	wlt->wlt_error = machine_thread_attach(m, wlt->wlt_cpu);
	if (wlt->wlt_error != 0) {
		gate_arrive(run);
		return;
	}
	wlt->wlt_td = machine_thread_self();
	wlt->wlt_error = run->wlr_ops->wo_start(wlt);
	for (;;) {
		gate_arrive(run);
		/* The token is the gate: see workload_var.h. */
		run_sim(run)->sim_ops->so_block(wlt->wlt_td);
		if (run->wlr_phase == WL_PHASE_END)
			break;
		run_rounds(wlt);
	}
	run->wlr_ops->wo_finish(wlt);
	machine_thread_detach(m);
}

/*
 * What the main thread does.
 */

/* Wait until n threads, who are on their way, are at the gate. */
static void
gate_expect(struct wl_run *run, unsigned n)
{
	/* Relaxed: nobody is past the gate. */
	atomic_store_explicit(&run->wlr_left, n, memory_order_relaxed);
}

static void
gate_wait(struct wl_run *run)
{
	run_sim(run)->sim_ops->so_block(run->wlr_main);
}

static void
gate_open(struct wl_run *run, enum wl_phase phase)
{
	run->wlr_phase = phase;
	for (unsigned i = 0; i < run->wlr_nthreads; i++) {
		if (run->wlr_threads[i].wlt_td != NULL)
			run_sim(run)->sim_ops->so_wake(
			    run->wlr_threads[i].wlt_td);
	}
}

/* The end of time if it is too far away. */
static uint64_t
deadline_after(uint64_t now_ns, uint64_t ns)
{
	return (ns < UINT64_MAX - now_ns ? now_ns + ns : UINT64_MAX);
}

/* All threads work for ns nanoseconds, or some rounds each. */
static void
run_phase(struct wl_run *run, uint64_t ns)
{
	struct sim *sim = run_sim(run);

	run->wlr_rounds = run->wlr_config->wc_rounds;
	if (run->wlr_rounds == 0)
		run->wlr_deadline_ns = deadline_after(sim_clock_ns(sim), ns);
	gate_expect(run, run->wlr_nthreads);
	sim_untimed(sim, false);
	gate_open(run, WL_PHASE_RUN);
	gate_wait(run);
	sim_untimed(sim, true);
}

static bool
run_ended(struct wl_run *run)
{
	/* Acquire: pairs with wl_fail(). */
	return (stop_asked(run) ||
	    atomic_load_explicit(&run->wlr_failed, memory_order_acquire));
}

static void
end_unmeasured(struct wl_run *run, struct workload_result *wr)
{
	wr->wr_stopped = stop_asked(run);
	wl_fail(run, "stopped before it was measured");
}

static enum pin_order
pin_order_of(enum workload_pin wp)
{
	static const enum pin_order orders[] = {
		[WL_PIN_NONE] = PIN_NONE,
		[WL_PIN_COMPACT] = PIN_COMPACT,
		[WL_PIN_SCATTER] = PIN_SCATTER,
		[WL_PIN_CORE] = PIN_CORE,
		[WL_PIN_SMT_LAST] = PIN_SMT_LAST,
	};

	return (orders[wp]);
}

/* More threads than CPUs: they go round. */
static int
host_cpu(const int *cpus, size_t ncpus, unsigned i)
{
	return (ncpus == 0 ? -1 : cpus[i % ncpus]);
}

static unsigned
unbound_threads(struct wl_run *run)
{
	/* Relaxed: the threads that count are at the gate. */
	return (atomic_load_explicit(
	    &run_sim(run)->sim_unbound, memory_order_relaxed));
}

/*
 * Start the threads, each after the one before has built its part.  Returns 0,
 * or ENOMEM, EAGAIN; what has been started is wlr_nthreads.
 */
static int
start_threads(struct wl_run *run)
{
	unsigned i, n = run->wlr_config->wc_threads;
	struct sim *sim = run_sim(run);
	struct wl_rng rng = { run->wlr_config->wc_seed };
	int cpus[MACHINE_CPU_MAX], error;
	struct wl_thread *wlt;
	size_t ncpus;

	ncpus = pin_order_cpus(
	    pin_order_of(run->wlr_config->wc_pin), cpus, MACHINE_CPU_MAX);
	ncpus = MIN(ncpus, MACHINE_CPU_MAX);
	for (i = 0; i < n && !run_ended(run); i++) {
		wlt = &run->wlr_threads[i];
		wlt->wlt_run = run;
		wlt->wlt_index = i;
		wlt->wlt_cpu = i % run->wlr_machine->ma_ncpus;
		wlt->wlt_rng.wrg_state = wl_rand(&rng);
		gate_expect(run, 1);
		error = sim->sim_ops->so_thread_create(sim,
		    host_cpu(cpus, ncpus, i), worker, wlt, &wlt->wlt_handle);
		if (error != 0)
			return (error);
		run->wlr_nthreads++;
		gate_wait(run);
		if (wlt->wlt_error == ENOMEM)
			return (ENOMEM);
	}
	return (0);
}

static void
end_threads(struct wl_run *run)
{
	struct sim *sim = run_sim(run);
	int error;

	gate_open(run, WL_PHASE_END);
	for (unsigned i = 0; i < run->wlr_nthreads; i++) {
		error = sim->sim_ops->so_thread_join(
		    sim, run->wlr_threads[i].wlt_handle);
		KASSERT(error == 0, ("thread %u: join: error %d", i, error));
	}
}

/* The invariants, with every thread at the gate and its mappings in place. */
static int
check_machine(struct wl_run *run, struct workload_result *wr)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	f = open_memstream(&text, &size);
	if (f == NULL)
		return (ENOMEM);
	wr->wr_violations = machine_check(run->wlr_machine, f);
	if (fclose(f) != 0) {
		free(text);
		return (ENOMEM);
	}
	if (wr->wr_violations != 0) {
		/* Worse than any reason there is already. */
		(void)snprintf(wr->wr_void, sizeof(wr->wr_void),
		    "the checker found %u violation(s), first: %.*s",
		    wr->wr_violations, (int)strcspn(text, "\n"), text);
	}
	free(text);
	return (0);
}

/* From here on threads are at the gate only between the phases. */
static int
run_phases(
    struct wl_run *run, wl_hook_fn *hook, void *arg, struct workload_result *wr)
{
	const struct workload_config *wc = run->wlr_config;
	struct sim *sim = run_sim(run);
	int error;

	if (wc->wc_rounds == 0 && wc->wc_warmup_ns != 0 && !run_ended(run))
		run_phase(run, wc->wc_warmup_ns);
	if (run_ended(run)) {
		end_unmeasured(run, wr);
	} else {
		lock_profile_reset(sim);
		wl_result_begin(sim, wr);
		if (hook != NULL)
			hook(run, WL_HOOK_BEGIN, arg);
		run_phase(run, wc->wc_measure_ns);
		wl_result_end(sim, wr);
		if (hook != NULL)
			hook(run, WL_HOOK_MEASURED, arg);
		error = wl_result_profile(run, wr);
		if (error == 0)
			error = wl_result_threads(run, wr);
		if (error != 0)
			return (error);
	}
	if (hook != NULL)
		hook(run, WL_HOOK_BEFORE_CHECK, arg);
	error = check_machine(run, wr);
	if (hook != NULL)
		hook(run, WL_HOOK_AFTER_CHECK, arg);
	return (error);
}

/* Nothing may be mapped any more, and all memory must come back. */
static void
end_run(struct wl_run *run, uint64_t free_before)
{
	struct machine *m = run->wlr_machine;
	uint64_t n;

	if (run->wlr_ops->wo_destroy != NULL)
		run->wlr_ops->wo_destroy(run);
	n = wl_objects_unmap(run);
	if (n != 0)
		wl_fail(run, "%" PRIu64 " page(s) still mapped at the end", n);
	wl_objects_destroy(run);
	n = machine_free_pages(m);
	if (n != free_before)
		wl_fail(run,
		    "%" PRIu64 " pages were free before, %" PRIu64 " are after",
		    free_before, n);
}

static int
run_scenario(
    struct wl_run *run, wl_hook_fn *hook, void *arg, struct workload_result *wr)
{
	uint64_t free_before = machine_free_pages(run->wlr_machine);
	unsigned unbound_before = unbound_threads(run);
	size_t size = run->wlr_config->wc_threads * sizeof(struct wl_thread);
	int error = 0;

	run->wlr_threads = wl_alloc(run, size);
	if (run->wlr_threads == NULL)
		return (ENOMEM);
	if (run->wlr_ops->wo_build != NULL)
		error = run->wlr_ops->wo_build(run);
	if (error == 0)
		error = start_threads(run);
	wr->wr_unbound = unbound_threads(run) - unbound_before;
	/* Out of simulated memory is a verdict, not an error: wl_fail(). */
	if (error == 0 && run->wlr_nthreads == run->wlr_config->wc_threads)
		error = run_phases(run, hook, arg, wr);
	else if (error == 0)
		end_unmeasured(run, wr);
	end_threads(run);
	end_run(run, free_before);
	wl_free(run, run->wlr_threads, size);
	return (error == ENOSPC ? 0 : error);
}

int
workload_run_hooked(struct machine *m, const struct workload_config *wc,
    wl_hook_fn *hook, void *arg, struct workload_result *wr, char *err,
    size_t errsize)
{
	struct thread *other = machine_thread_self();
	struct wl_run run = { .wlr_machine = m, .wlr_config = wc };
	int error;

	TAILQ_INIT(&run.wlr_objects);
	error = config_check(&run, err, errsize);
	if (error != 0)
		return (error);
	memset(wr, 0, sizeof(*wr));
	wr->wr_params = run.wlr_params;
	error = machine_thread_attach(m, 0);
	if (error == 0) {
		run.wlr_main = machine_thread_self();
		/* Only the phases take time: see run_phase(). */
		sim_untimed(run_sim(&run), true);
		error = run_scenario(&run, hook, arg, wr);
		sim_untimed(run_sim(&run), false);
		machine_thread_detach(m);
		machine_thread_use(other);
	}
	if (error != 0) {
		(void)snprintf(err, errsize, "%s",
		    error == ENOMEM ? "out of host memory"
				    : "no more threads can be started");
		workload_result_free(wr);
		return (error);
	}
	if (wr->wr_void[0] == '\0')
		memcpy(wr->wr_void, run.wlr_why, sizeof(wr->wr_void));
	return (0);
}

int
workload_fill_params(const struct workload_config *wc,
    struct workload_params *wp, char *err, size_t errsize)
{
	struct wl_run run = { .wlr_config = wc };
	int error;

	error = params_check(&run, err, errsize);
	if (error == 0)
		*wp = run.wlr_params;
	return (error);
}

int
workload_run(struct machine *m, const struct workload_config *wc,
    struct workload_result *wr, char *err, size_t errsize)
{
	return (workload_run_hooked(m, wc, NULL, NULL, wr, err, errsize));
}

void
workload_result_free(struct workload_result *wr)
{
	free(wr->wr_threads);
	free(wr->wr_sites);
	wr->wr_threads = NULL;
	wr->wr_sites = NULL;
	wr->wr_nthreads = 0;
	wr->wr_nsites = 0;
}
