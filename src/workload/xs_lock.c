/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One lock: nobody else is in while it is held, what the holder wrote is there for
 * the next, no wake-up is lost, and the generation counts.
 *
 * Where threads may spin few ever block, and where they may not all do: so there
 * is a scenario of each.  A lock is handed over only to who has waited for long,
 * so the holder of one spends time; and a generation wraps where it begins at its
 * end.
 */

#include "lock/lock.h"
#include "workload/xs_list.h"
#include "workload/xs_util.h"

static const char *const designs[] = { "sparse/gen2", "sparse/mtx8",
	"sparse/rwlock", "sparse/gen1", NULL };
static const char *const blocking_designs[] = { "sparse/gen2", "sparse/mtx8",
	"sparse/rwlock", NULL };
static const char *const fair_designs[] = { "sparse/gen2", "sparse/mtx8",
	NULL };
static const char *const gen_designs[] = { "sparse/gen2", "sparse/gen1", NULL };

#define ROUNDS 2
/* Longer than a thread waits before it is handed a lock. */
#define LONG_NS 600000

static void
setup(struct xs_run *run)
{
	run->xr_state = xs_lock_alloc(run);
}

static const struct xs_kind locks = {
	.xk_designs = designs,
	.xk_lock_only = true,
	.xk_setup = setup,
};

static void
rounds(struct xs_run *run, unsigned i)
{
	struct xs_lock *xl = run->xr_state;

	(void)i;
	for (unsigned n = 0; n < ROUNDS; n++)
		xs_lock_use(run, xl);
}

static void
check_rounds(struct xs_run *run)
{
	xs_lock_check(run, run->xr_state, (uint64_t)run->xr_nthreads * ROUNDS);
}

const struct xs_scenario xs_lock_block = {
	.xs_name = "lock-block",
	.xs_descr = "three threads that never spin take one lock twice",
	.xs_threads = 3,
	.xs_kind = &locks,
	.xs_body = rounds,
	.xs_check = check_rounds,
};

const struct xs_scenario xs_lock_spin = {
	.xs_name = "lock-spin",
	.xs_descr = "two threads that spin take one lock twice",
	.xs_threads = 2,
	.xs_kind = &locks,
	.xs_spins = true,
	.xs_body = rounds,
	.xs_check = check_rounds,
};

/* The last thread only tries, and changes nothing. */
static void
body_try(struct xs_run *run, unsigned i)
{
	struct xs_lock *xl = run->xr_state;

	if (i + 1 < run->xr_nthreads) {
		rounds(run, i);
		return;
	}
	for (unsigned n = 0; n < ROUNDS; n++) {
		if (!xs_trylock(run, xl))
			continue;
		if (xl->xl_a != xl->xl_b)
			xs_fail(run, "two threads hold the lock");
		run->xr_lock->plo_unlock(xl->xl_word, false);
	}
	xs_lock(run, xl);
	run->xr_lock->plo_unlock(xl->xl_word, false);
}

static void
check_try(struct xs_run *run)
{
	xs_lock_check(
	    run, run->xr_state, (uint64_t)(run->xr_nthreads - 1) * ROUNDS);
}

const struct xs_scenario xs_lock_try = {
	.xs_name = "lock-try",
	.xs_descr = "two threads take a lock, a third tries, then takes it",
	.xs_threads = 3,
	.xs_kind = &locks,
	.xs_body = body_try,
	.xs_check = check_try,
};

static const char *
unfit_spin(const struct design *d)
{
	return ((d->d_lock->plo_flags & PLO_SPIN) != 0 ? "its lock never blocks"
						       : NULL);
}

static const struct xs_kind blocking = {
	.xk_designs = blocking_designs,
	.xk_unfit = unfit_spin,
	.xk_lock_only = true,
	.xk_setup = setup,
};

static const struct xs_kind fair = {
	.xk_designs = fair_designs,
	.xk_unfit = unfit_spin,
	.xk_lock_only = true,
	.xk_setup = xs_locks_setup,
};

/*
 * Both wait, and have waited for long when the first lets go: so it is not the
 * first that has the lock next, though nobody else runs.
 */
static void
body_fair(struct xs_run *run, unsigned i)
{
	struct xs_locks *ls = run->xr_state;
	struct xs_lock *xl = ls->ls_lock[0];

	if (i != 0)
		xs_flag_await(run, &ls->ls_flag[0]);
	xs_lock(run, xl);
	xs_hold(run, xl);
	if (i == 0) {
		xs_flag_set(&ls->ls_flag[0], 1);
		xs_await_blocked(run, 1);
		xs_await_blocked(run, 2);
		sim_charge(run->xr_sim, SIM_COMPUTE_NS, LONG_NS);
	}
	xs_unlock(run, xl);
	if (i == 0) {
		xs_lock(run, xl);
		/* Where time passes by itself it was not long. */
		if (xl->xl_a == 1 && run->xr_sim->sim_ops->so_charge != NULL)
			xs_fail(run, "who waited for long was passed");
		xs_hold(run, xl);
		xs_unlock(run, xl);
	}
}

static void
check_fair(struct xs_run *run)
{
	const struct xs_locks *ls = run->xr_state;

	xs_lock_check(run, ls->ls_lock[0], (uint64_t)run->xr_nthreads + 1);
}

const struct xs_scenario xs_lock_fair = {
	.xs_name = "lock-fair",
	.xs_descr = "two wait for long, and one of them is handed the lock",
	.xs_threads = 3,
	.xs_kind = &fair,
	.xs_body = body_fair,
	.xs_check = check_fair,
};

static const char *
unfit_wrap(const struct design *d)
{
	return (
	    d->d_lock->plo_gen_bits == 0 ? "its lock has no generation" : NULL);
}

static const struct xs_kind generations = {
	.xk_designs = gen_designs,
	.xk_unfit = unfit_wrap,
	.xk_lock_only = true,
	.xk_setup = setup,
};

/* So many changes and the generation is 0 again. */
#define BEFORE_WRAP 2

static void
setup_wrap(struct xs_run *run)
{
	struct xs_lock *xl = run->xr_state;

	/* Relaxed: nobody else knows it. */
	atomic_store_explicit((_Atomic uint32_t *)(void *)xl->xl_word,
	    -((uint32_t)BEFORE_WRAP << run->xr_lock->plo_gen_bits),
	    memory_order_relaxed);
	xl->xl_a = xl->xl_b = -(uint64_t)BEFORE_WRAP;
}

/* Who sees generation 0 under the lock has been told of the wrap. */
static void
body_wrap(struct xs_run *run, unsigned i)
{
	struct xs_lock *xl = run->xr_state;

	(void)i;
	for (unsigned n = 0; n < ROUNDS; n++) {
		xs_lock(run, xl);
		if (xl->xl_a < BEFORE_WRAP && lock_gen_wraps(run->xr_sim) != 1)
			xs_fail(run, "the generation has wrapped, untold");
		xs_hold(run, xl);
		xs_unlock(run, xl);
	}
}

static void
check_wrap(struct xs_run *run)
{
	uint64_t n = (uint64_t)run->xr_nthreads * ROUNDS - BEFORE_WRAP;

	xs_lock_check(run, run->xr_state, n);
	if (lock_gen_wraps(run->xr_sim) != 1)
		xs_fail(run, "%ju wraps are counted",
		    (uintmax_t)lock_gen_wraps(run->xr_sim));
}

const struct xs_scenario xs_lock_wrap = {
	.xs_name = "lock-wrap",
	.xs_descr = "the generation in the lock's word wraps",
	.xs_threads = 2,
	.xs_kind = &generations,
	.xs_setup = setup_wrap,
	.xs_body = body_wrap,
	.xs_check = check_wrap,
};

/* Woken, late: the lock is another's again, and more wait behind. */
static void
body_woken(struct xs_run *run, unsigned i)
{
	struct xs_lock *xl = run->xr_state;
	unsigned n = i == 0 ? 3 : 1;

	for (; n > 0; n--)
		xs_lock_use(run, xl);
}

static void
check_woken(struct xs_run *run)
{
	xs_lock_check(run, run->xr_state, (uint64_t)run->xr_nthreads + 2);
}

const struct xs_scenario xs_lock_woken = {
	.xs_name = "lock-woken",
	.xs_descr = "one takes the lock again and again, three wait for it",
	.xs_threads = 4,
	.xs_kind = &blocking,
	.xs_body = body_woken,
	.xs_check = check_woken,
};
