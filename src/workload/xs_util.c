/* SPDX-License-Identifier: BSD-2-Clause */
#include "workload/xs_util.h"

#include "lock/lock.h"

void
xs_flag_await(struct xs_run *run, const xs_flag *flag)
{
	while (xs_flag_get(flag) == 0)
		run->xr_sim->sim_ops->so_yield(run->xr_sim);
}

struct xs_lock *
xs_lock_alloc(struct xs_run *run)
{
	struct xs_lock *xl = xs_alloc(run, sizeof(*xl));

	if (run->xr_lock->plo_init != NULL &&
	    run->xr_lock->plo_init(xl->xl_word) != 0)
		xs_fail(run, "the lock cannot be made");
	return (xl);
}

void
xs_lock(struct xs_run *run, struct xs_lock *xl)
{
	run->xr_lock->plo_lock(xl->xl_word);
}

bool
xs_trylock(struct xs_run *run, struct xs_lock *xl)
{
	return (run->xr_lock->plo_trylock(xl->xl_word));
}

void
xs_hold(struct xs_run *run, struct xs_lock *xl)
{
	xl->xl_a++;
	if (xl->xl_a != xl->xl_b + 1)
		xs_fail(run, "two threads hold the lock");
	xl->xl_b++;
}

void
xs_unlock(struct xs_run *run, struct xs_lock *xl)
{
	run->xr_lock->plo_unlock(xl->xl_word, true);
}

void
xs_lock_use(struct xs_run *run, struct xs_lock *xl)
{
	xs_lock(run, xl);
	xs_hold(run, xl);
	xs_unlock(run, xl);
}

void
xs_lock_check(struct xs_run *run, const struct xs_lock *xl, uint64_t holds)
{
	const struct pv_lock_ops *ops = run->xr_lock;
	const _Atomic uint32_t *word = (const void *)xl->xl_word;
	uint32_t v;

	if (xl->xl_a != holds || xl->xl_b != holds)
		xs_fail(run, "held %ju times, counted %ju and %ju",
		    (uintmax_t)holds, (uintmax_t)xl->xl_a, (uintmax_t)xl->xl_b);
	if (ops->plo_gen_bits == 0)
		return;
	/* Relaxed: at rest. */
	v = atomic_load_explicit(word, memory_order_relaxed);
	if (v != (uint32_t)holds << ops->plo_gen_bits)
		xs_fail(run, "word %#x after %ju changes", v, (uintmax_t)holds);
}

void
xs_locks_setup(struct xs_run *run)
{
	struct xs_locks *ls = xs_alloc(run, sizeof(*ls));

	for (unsigned i = 0; i < XS_NLOCKS; i++)
		ls->ls_lock[i] = xs_lock_alloc(run);
	run->xr_state = ls;
}

void
xs_await_blocked(struct xs_run *run, unsigned i)
{
	/* Relaxed: only the value counts. */
	while (atomic_load_explicit(
		   &run->xr_td[i]->td_blocked_on, memory_order_relaxed) == NULL)
		run->xr_sim->sim_ops->so_yield(run->xr_sim);
}
