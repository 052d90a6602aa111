/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Several locks, in an order in which no deadlock is possible: none is reported
 * either, though owners that are met one after the other run in circles.
 *
 * Also words that stop being locks: who unlocks last gives the memory to somebody
 * else, and nobody touches it after that.
 */

#include "lock/mtx.h"
#include "workload/xs_list.h"
#include "workload/xs_util.h"

static const char *const designs[] = { "sparse/gen2", "sparse/mtx8",
	"sparse/rwlock", NULL };

static const struct xs_kind orders = {
	.xk_designs = designs,
	.xk_lock_only = true,
	.xk_setup = xs_locks_setup,
};

static void
take(struct xs_run *run, unsigned n)
{
	struct xs_locks *ls = run->xr_state;

	xs_lock(run, ls->ls_lock[n]);
	xs_hold(run, ls->ls_lock[n]);
}

static void
drop(struct xs_run *run, unsigned n)
{
	struct xs_locks *ls = run->xr_state;

	xs_unlock(run, ls->ls_lock[n]);
}

/*
 * The first waits for a lock of the second, which waits for one of the third.  A
 * walk along the owners goes on when the second has moved on, and waits for the
 * first; which waits still, as the fourth was before it.  Flag 2: the third holds
 * its lock.
 */
static void
body_rumour(struct xs_run *run, unsigned i)
{
	struct xs_locks *ls = run->xr_state;

	switch (i) {
	case 0:
		take(run, 0);
		xs_await_blocked(run, 3);
		take(run, 1);
		drop(run, 1);
		drop(run, 0);
		break;
	case 1:
		take(run, 1);
		xs_flag_await(run, &ls->ls_flag[2]);
		take(run, 2);
		drop(run, 2);
		drop(run, 1);
		take(run, 0);
		drop(run, 0);
		break;
	case 2:
		take(run, 2);
		xs_flag_set(&ls->ls_flag[2], 1);
		xs_await_blocked(run, 0);
		drop(run, 2);
		break;
	default:
		xs_await_blocked(run, 1);
		take(run, 1);
		drop(run, 1);
		break;
	}
}

static void
check_rumour(struct xs_run *run)
{
	struct xs_locks *ls = run->xr_state;

	xs_lock_check(run, ls->ls_lock[0], 2);
	xs_lock_check(run, ls->ls_lock[1], 3);
	xs_lock_check(run, ls->ls_lock[2], 2);
}

const struct xs_scenario xs_order_rumour = {
	.xs_name = "order-rumour",
	.xs_descr = "three locks in order, and no deadlock is reported",
	.xs_threads = 4,
	.xs_kind = &orders,
	.xs_body = body_rumour,
	.xs_check = check_rumour,
};

/* One tries in the other order. */
static void
body_try(struct xs_run *run, unsigned i)
{
	struct xs_locks *ls = run->xr_state;

	if (i < 2) {
		for (unsigned n = 0; n < XS_NLOCKS; n++)
			take(run, n);
		for (unsigned n = XS_NLOCKS; n > 0; n--)
			drop(run, n - 1);
		return;
	}
	take(run, 2);
	if (xs_trylock(run, ls->ls_lock[1])) {
		xs_hold(run, ls->ls_lock[1]);
		if (xs_trylock(run, ls->ls_lock[0])) {
			xs_hold(run, ls->ls_lock[0]);
			drop(run, 0);
		}
		drop(run, 1);
	}
	drop(run, 2);
}

static void
check_try(struct xs_run *run)
{
	struct xs_locks *ls = run->xr_state;

	for (unsigned n = 0; n < XS_NLOCKS; n++) {
		if (ls->ls_lock[n]->xl_a != ls->ls_lock[n]->xl_b)
			xs_fail(run, "lock %u: counts differ", n);
		xs_lock_check(run, ls->ls_lock[n], ls->ls_lock[n]->xl_a);
	}
}

const struct xs_scenario xs_order_try = {
	.xs_name = "order-try",
	.xs_descr = "two take three locks, one tries them backwards",
	.xs_threads = 3,
	.xs_kind = &orders,
	.xs_body = body_try,
	.xs_check = check_try,
};

struct owner {
	struct mtx ow_mtx;
	unsigned ow_refs;  /* under ow_mtx */
	unsigned ow_freed; /* plain: by the last */
};

static void
setup_last(struct xs_run *run)
{
	struct owner *ow = xs_alloc(run, sizeof(*ow));

	mtx_init(&ow->ow_mtx, "xs", MTX_RECURSE);
	ow->ow_refs = run->xr_scenario->xs_threads;
	run->xr_state = ow;
}

static const char *const mtx_designs[] = { "sparse/mtx8", NULL };

static const struct xs_kind mutexes = {
	.xk_designs = mtx_designs,
	.xk_lock_only = true,
	.xk_setup = setup_last,
};

/* Who drops the last reference ends the mutex, and uses its memory. */
static void
body_last(struct xs_run *run, unsigned i)
{
	struct owner *ow = run->xr_state;
	bool last;

	(void)i;
	mtx_lock(&ow->ow_mtx);
	mtx_lock(&ow->ow_mtx); /* it recurses */
	mtx_unlock(&ow->ow_mtx);
	last = --ow->ow_refs == 0;
	mtx_unlock(&ow->ow_mtx);
	if (last) {
		mtx_destroy(&ow->ow_mtx);
		ow->ow_freed++;
		/* Relaxed: it is no lock any more. */
		atomic_store_explicit(
		    &ow->ow_mtx.mtx_lock, UINT64_MAX, memory_order_relaxed);
	}
}

static void
check_last(struct xs_run *run)
{
	struct owner *ow = run->xr_state;

	/* Relaxed: at rest. */
	if (ow->ow_freed != 1 ||
	    atomic_load_explicit(&ow->ow_mtx.mtx_lock, memory_order_relaxed) !=
		UINT64_MAX)
		xs_fail(run, "the memory of a mutex that ended was written to");
}

const struct xs_scenario xs_mtx_last = {
	.xs_name = "mtx-last",
	.xs_descr = "who unlocks a mutex last destroys it",
	.xs_threads = 3,
	.xs_kind = &mutexes,
	.xs_body = body_last,
	.xs_check = check_last,
};
