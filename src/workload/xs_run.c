/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run of a small scenario: what it stands on, its threads, gate, verdict.
 *
 * The gate.  A thread that arrives blocks until it is woken, before its body and
 * after it; the last to arrive wakes main.  Main has nothing else to be woken
 * for, and neither has a thread outside its body, so tokens do not go astray; a
 * stale one, left by a body, is why the second gate looks at xr_released.
 *
 * In the virtual machine this file is not instrumented: what the gate does is not
 * part of what is explored.
 */
#include "workload/xs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kern/kassert.h"
#include "lock/lock.h"
#include "pmap/pmap_var.h"

#define MAP_DEFAULT "0-400000 usable 0\n"
#define XS_TEXT_MAX 512

struct xs_alloc {
	struct xs_alloc *xa_next;
	void *xa_p;
	size_t xa_size;
};

struct xs_thread {
	struct xs_run *xt_run;
	unsigned xt_i;
};

const struct xs_scenario *
xs_lookup(const char *name)
{
	for (size_t i = 0; xs_scenarios[i] != NULL; i++) {
		if (strcmp(xs_scenarios[i]->xs_name, name) == 0)
			return (xs_scenarios[i]);
	}
	return (NULL);
}

static void
fail_text(struct xs_run *run, const char *text)
{
	/* Relaxed: a flag, read by main when all threads are at the gate. */
	if (atomic_exchange_explicit(
		&run->xr_failed, true, memory_order_relaxed))
		return;
	if (run->xr_hooks == NULL || run->xr_hooks->xh_fail == NULL)
		panic("%s: %s", run->xr_scenario->xs_name, text);
	run->xr_hooks->xh_fail(run->xr_hooks->xh_arg, text);
}

void
xs_fail(struct xs_run *run, const char *fmt, ...)
{
	char text[XS_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail_text(run, text);
}

void *
xs_alloc(struct xs_run *run, size_t size)
{
	struct xs_alloc *xa;

	size = (size + CACHE_PAIR_SIZE - 1) & ~(size_t)(CACHE_PAIR_SIZE - 1);
	xa = kmem_alloc(
	    run->xr_kmem, sizeof(*xa), 0, M_WORKLOAD, KMEM_ANYDOMAIN);
	if (xa == NULL)
		panic("%s: out of memory", run->xr_scenario->xs_name);
	xa->xa_p = kmem_alloc(
	    run->xr_kmem, size, CACHE_PAIR_SIZE, M_WORKLOAD, KMEM_ANYDOMAIN);
	if (xa->xa_p == NULL)
		panic("%s: out of memory", run->xr_scenario->xs_name);
	xa->xa_size = size;
	xa->xa_next = run->xr_allocs;
	run->xr_allocs = xa;
	return (xa->xa_p);
}

bool
xs_name(const struct xs_run *run, uintptr_t addr, char *buf, size_t size)
{
	const struct xs_alloc *xa;
	unsigned n = 0;

	for (xa = run->xr_allocs; xa != NULL; xa = xa->xa_next)
		n++;
	for (xa = run->xr_allocs; xa != NULL; xa = xa->xa_next, n--) {
		if (addr - (uintptr_t)xa->xa_p < xa->xa_size) {
			(void)snprintf(buf, size, "memory %u + %#jx", n,
			    (uintmax_t)(addr - (uintptr_t)xa->xa_p));
			return (true);
		}
	}
	return (false);
}

static void
free_allocs(struct xs_run *run)
{
	struct xs_alloc *xa;

	while ((xa = run->xr_allocs) != NULL) {
		run->xr_allocs = xa->xa_next;
		kmem_free(run->xr_kmem, xa->xa_p, xa->xa_size, M_WORKLOAD,
		    KMEM_ANYDOMAIN);
		kmem_free(
		    run->xr_kmem, xa, sizeof(*xa), M_WORKLOAD, KMEM_ANYDOMAIN);
	}
}

/*
 * Attaching, to a machine or to a sim.
 */

static int
attach(struct xs_run *run, unsigned cpu, struct thread **tdp)
{
	struct thread *td;
	int error;

	if (run->xr_machine != NULL) {
		error = machine_thread_attach(run->xr_machine, cpu);
		if (error == 0)
			*tdp = machine_thread_self();
		return (error);
	}
	error = sim_thread_attach(run->xr_sim, cpu, 0, &td);
	if (error != 0)
		return (error);
	error = lock_thread_attach(td);
	if (error != 0)
		sim_thread_detach(td);
	else
		*tdp = td;
	return (error);
}

static void
detach(struct xs_run *run, struct thread *td)
{
	if (run->xr_machine != NULL) {
		machine_thread_detach(run->xr_machine);
		return;
	}
	lock_thread_detach(td);
	sim_thread_detach(td);
}

static void
arrive(struct xs_run *run)
{
	/* Acquire-release: the last has seen what all wrote. */
	if (atomic_fetch_add_explicit(
		&run->xr_arrived, 1, memory_order_acq_rel) +
		1 ==
	    run->xr_nthreads)
		run->xr_sim->sim_ops->so_wake(run->xr_main);
}

static bool
released(struct xs_run *run)
{
	/* Acquire: pairs with end_threads(). */
	return (atomic_load_explicit(&run->xr_released, memory_order_acquire));
}

static void
worker(void *arg)
{
	struct xs_thread *xt = arg;
	struct xs_run *run = xt->xt_run;
	const struct sim_ops *ops = run->xr_sim->sim_ops;
	struct thread *td;
	int error;

	sim_untimed(run->xr_sim, true);
	error = attach(run, xt->xt_i, &td);
	if (error != 0) {
		run->xr_error = error;
		ops->so_wake(run->xr_main);
		return;
	}
	run->xr_td[xt->xt_i] = td;
	ops->so_wake(run->xr_main);
	ops->so_block(td);
	if (!released(run)) {
		sim_untimed(run->xr_sim, false);
		run->xr_scenario->xs_body(run, xt->xt_i);
		sim_untimed(run->xr_sim, true);
	}
	arrive(run);
	while (!released(run))
		ops->so_block(td);
	detach(run, td);
}

/*
 * By main.
 */

/* Threads start one after the other: each has its slot, on each run the same. */
static int
start_threads(struct xs_run *run, struct xs_thread *xt)
{
	const struct sim_ops *ops = run->xr_sim->sim_ops;
	unsigned n = run->xr_scenario->xs_threads;
	int error;

	for (unsigned i = 0; i < n; i++) {
		xt[i] = (struct xs_thread){ .xt_run = run, .xt_i = i };
		error = ops->so_thread_create(
		    run->xr_sim, -1, worker, &xt[i], &run->xr_handles[i]);
		if (error != 0)
			return (error);
		run->xr_nthreads++;
		ops->so_block(run->xr_main);
		if (run->xr_error != 0)
			return (run->xr_error);
	}
	return (0);
}

static void
explore_threads(struct xs_run *run)
{
	const struct sim_ops *ops = run->xr_sim->sim_ops;
	const struct xs_hooks *xh = run->xr_hooks;

	if (xh != NULL && xh->xh_begin != NULL)
		xh->xh_begin(xh->xh_arg, run);
	for (unsigned i = 0; i < run->xr_nthreads; i++)
		ops->so_wake(run->xr_td[i]);
	/* Acquire: pairs with arrive(). */
	while (atomic_load_explicit(&run->xr_arrived, memory_order_acquire) !=
	    run->xr_nthreads)
		ops->so_block(run->xr_main);
	if (xh != NULL && xh->xh_end != NULL)
		xh->xh_end(xh->xh_arg, run);
}

static void
end_threads(struct xs_run *run)
{
	const struct sim_ops *ops = run->xr_sim->sim_ops;
	int error;

	/* Release: pairs with released(). */
	atomic_store_explicit(&run->xr_released, true, memory_order_release);
	for (unsigned i = 0; i < run->xr_nthreads; i++) {
		if (run->xr_td[i] != NULL)
			ops->so_wake(run->xr_td[i]);
		error = ops->so_thread_join(run->xr_sim, run->xr_handles[i]);
		if (error != 0)
			panic("thread %u: join: error %d", i, error);
	}
}

static void
check_text(void *arg, const char *text)
{
	fail_text(arg, text);
}

/* Nobody is inside any operation. */
static void
check(struct xs_run *run)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	if (run->xr_machine == NULL) {
		(void)lock_env_check(run->xr_sim, check_text, run);
		return;
	}
	f = open_memstream(&text, &size);
	if (f == NULL)
		panic("no memory for the checker's text");
	if (machine_check(run->xr_machine, f) != 0 && fflush(f) == 0) {
		text[strcspn(text, "\n")] = '\0';
		fail_text(run, text);
	}
	(void)fclose(f);
	free(text);
}

static void
call(void (*part)(struct xs_run *run), struct xs_run *run)
{
	if (part != NULL)
		part(run);
}

static int
run_threads(struct xs_run *run)
{
	const struct xs_scenario *xs = run->xr_scenario;
	const struct xs_kind *xk = xs->xs_kind;
	struct xs_thread *xt;
	uint64_t free_before = 0;
	int error;

	if (run->xr_machine != NULL)
		free_before = machine_free_pages(run->xr_machine);
	xt = xs_alloc(run, xs->xs_threads * sizeof(*xt));
	if (xk->xk_lock_only && !xs->xs_spins)
		run->xr_sim->sim_oversubscribed = true;
	call(xk->xk_setup, run);
	call(xs->xs_setup, run);
	error = start_threads(run, xt);
	if (error == 0) {
		explore_threads(run);
		check(run);
		call(xk->xk_check, run);
		call(xs->xs_check, run);
	}
	end_threads(run);
	call(xk->xk_teardown, run);
	if (error == 0 && run->xr_machine != NULL) {
		check(run);
		if (machine_free_pages(run->xr_machine) != free_before)
			xs_fail(run,
			    "%ju pages were free before, %ju are after",
			    (uintmax_t)free_before,
			    (uintmax_t)machine_free_pages(run->xr_machine));
	}
	free_allocs(run);
	return (error);
}

static int
run_attached(struct xs_run *run)
{
	int error;

	error = attach(run, run->xr_scenario->xs_threads, &run->xr_main);
	if (error != 0)
		return (error);
	error = run_threads(run);
	detach(run, run->xr_main);
	return (error);
}

static int
run_machine(const struct xs_scenario *xs, const char *design,
    const struct xs_hooks *hooks, char *err, size_t errsize)
{
	const struct xs_kind *xk = xs->xs_kind;
	const char *map = xk->xk_map != NULL ? xk->xk_map : MAP_DEFAULT;
	struct machine_config mc = {
		.mc_design = design,
		.mc_ncpus = xs->xs_threads + 1,
		.mc_witness = MACHINE_WITNESS_OFF,
		.mc_limit_pages = xk->xk_limit_pages,
	};
	struct memmap_error me;
	struct memmap *mm;
	struct xs_run *run;
	struct kmem *km;
	int error;

	error = memmap_parse(xs->xs_name, map, strlen(map), &mm, &me);
	if (error != 0) {
		(void)snprintf(err, errsize, "memory map, line %u: %s",
		    me.me_line, me.me_text);
		return (error);
	}
	mc.mc_map = mm;
	error = kmem_create(1, &km);
	if (error != 0)
		goto out;
	run = kmem_alloc(
	    km, sizeof(*run), CACHE_PAIR_SIZE, M_WORKLOAD, KMEM_ANYDOMAIN);
	if (run == NULL) {
		error = ENOMEM;
		goto destroy;
	}
	error = machine_create(&mc, &run->xr_machine, err, errsize);
	if (error == 0) {
		run->xr_scenario = xs;
		run->xr_hooks = hooks;
		run->xr_kmem = km;
		run->xr_sim = run->xr_machine->ma_sim;
		run->xr_design = machine_design(run->xr_machine);
		run->xr_lock = run->xr_design->d_lock;
		error = run_attached(run);
		if (machine_destroy(run->xr_machine, NULL) != 0 && error == 0)
			xs_fail(run, "memory was never freed");
	}
	kmem_free(km, run, sizeof(*run), M_WORKLOAD, KMEM_ANYDOMAIN);
destroy:
	(void)kmem_destroy(km, NULL);
out:
	memmap_free(mm);
	return (error);
}

static int
run_locks(const struct xs_scenario *xs, const struct design *d,
    const struct xs_hooks *hooks)
{
	struct xs_run *run = NULL;
	struct sim *sim = NULL;
	struct kmem *km;
	int error;

	error = kmem_create(1, &km);
	if (error != 0)
		return (error);
	error = sim_create(km, sim_native_ops, xs->xs_threads + 1, &sim);
	if (error == 0)
		error = lock_env_create(sim, false);
	if (error == 0) {
		run = kmem_alloc(km, sizeof(*run), CACHE_PAIR_SIZE, M_WORKLOAD,
		    KMEM_ANYDOMAIN);
		error = run != NULL ? 0 : ENOMEM;
	}
	if (error == 0) {
		run->xr_scenario = xs;
		run->xr_hooks = hooks;
		run->xr_kmem = km;
		run->xr_sim = sim;
		run->xr_design = d;
		run->xr_lock = d->d_lock;
		error = run_attached(run);
	}
	if (sim != NULL && sim->sim_locks != NULL)
		lock_env_destroy(sim);
	sim_destroy(sim);
	kmem_free(km, run, sizeof(*run), M_WORKLOAD, KMEM_ANYDOMAIN);
	(void)kmem_destroy(km, NULL);
	return (error);
}

int
xs_run(const struct xs_scenario *xs, const char *design,
    const struct xs_hooks *hooks, char *err, size_t errsize)
{
	const struct xs_kind *xk = xs->xs_kind;
	const char *why = NULL;
	struct design d;
	int error;

	if (design == NULL)
		design = xk->xk_designs[0];
	error = design_parse(design, NULL, &d, err, errsize);
	if (error != 0)
		return (error);
	if (xk->xk_unfit != NULL)
		why = xk->xk_unfit(&d);
	else if ((d.d_lock->plo_flags & PLO_NOLOCK) != 0)
		why = "its lock excludes nobody";
	if (why != NULL) {
		(void)snprintf(err, errsize, "%s: design \"%s\": %s",
		    xs->xs_name, design, why);
		return (EINVAL);
	}
	error = xk->xk_lock_only ? run_locks(xs, &d, hooks)
				 : run_machine(xs, design, hooks, err, errsize);
	if (error != 0 && err[0] == '\0')
		(void)snprintf(
		    err, errsize, "%s: %s", xs->xs_name, strerror(error));
	return (error);
}
