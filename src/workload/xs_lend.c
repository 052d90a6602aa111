/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Priorities: who holds a lock is as urgent as the most urgent that waits for it,
 * through chains of locks, and is itself again afterwards.
 *
 * What the books say of a thread (td_pri) is all that can be seen here; who is
 * given a CPU is not explored.  It is exact, under the chain lock, for a lock that
 * knows its owner.  One that tells suspects may lend to another for a while: what
 * is lent must be back in the end.
 */

#include <string.h>

#include "lock/lock.h"
#include "lock/mtx.h"
#include "lock/turnstile.h"
#include "workload/xs_list.h"
#include "workload/xs_util.h"

#define PRI_LOW  160
#define PRI_MID  140
#define PRI_HIGH 100
#define PRI_TOP  90
#define PRI_MOST 80

static const char *const designs[] = { "sparse/gen2", "sparse/mtx8",
	"sparse/rwlock", NULL };
static const char *const mtx8_designs[] = { "sparse/mtx8", NULL };
static const char *const owner_designs[] = { "sparse/mtx8", "sparse/rwlock",
	NULL };

static const int pris[] = { PRI_LOW, PRI_MID, PRI_HIGH, PRI_TOP };

static const char *
unfit_blocks(const struct design *d)
{
	return ((d->d_lock->plo_flags & (PLO_SPIN | PLO_GENERIC)) != 0
		? "its lock lends no priority"
		: NULL);
}

static const char *
unfit_exact(const struct design *d)
{
	return (strcmp(d->d_lock->plo_name, "mtx8") != 0
		? "its lock tells suspects, not its owner; or has another word"
		: NULL);
}

static int
pri_of(struct thread *td)
{
	int pri;

	leaf_lock(&td->td_pri_lock, td->td_sim);
	pri = td->td_pri;
	leaf_unlock(&td->td_pri_lock);
	return (pri);
}

/* We own the lock: are we as urgent as those that wait? */
static void
check_owner(struct xs_run *run, const struct xs_lock *xl)
{
	struct thread *self = curthread();
	const _Atomic uint64_t *word = (const void *)xl->xl_word;
	struct turnstile_chain *tc = turnstile_chain_lock(self, word);
	int first = PRI_MAX, pri = pri_of(self);

	/* Relaxed: with the chain lock.  Nobody is told of an owner without. */
	if ((atomic_load_explicit(word, memory_order_relaxed) &
		MTX_CONTESTED) != 0) {
		for (unsigned i = 0; i < run->xr_nthreads; i++) {
			if (run->xr_td[i]->td_ts_blocked != NULL &&
			    run->xr_td[i]->td_ts_pri < first)
				first = run->xr_td[i]->td_ts_pri;
		}
	}
	turnstile_chain_unlock(tc);
	if (pri > first)
		xs_fail(run, "priority %d of an owner that %d waits for", pri,
		    first);
}

static void
check_own(struct xs_run *run, unsigned i)
{
	struct thread *td = run->xr_td[i];
	int pri = pri_of(td);

	if (pri != td->td_base_pri)
		xs_fail(run, "thread %u has priority %d, not its own, %d", i,
		    pri, td->td_base_pri);
}

/* All is given back. */
static void
check_all(struct xs_run *run)
{
	for (unsigned i = 0; i < run->xr_nthreads; i++) {
		check_own(run, i);
		if (run->xr_td[i]->td_contested != NULL)
			xs_fail(run, "thread %u has kept a loan", i);
	}
}

static const struct xs_kind exact = {
	.xk_designs = mtx8_designs,
	.xk_unfit = unfit_exact,
	.xk_lock_only = true,
	.xk_setup = xs_locks_setup,
	.xk_check = check_all,
};

static const struct xs_kind loans = {
	.xk_designs = designs,
	.xk_unfit = unfit_blocks,
	.xk_lock_only = true,
	.xk_setup = xs_locks_setup,
	.xk_check = check_all,
};

/* Until we are as urgent as the most urgent that waits for us, in the end. */
static void
await_loan(struct xs_run *run)
{
	while (pri_of(curthread()) != PRI_TOP)
		run->xr_sim->sim_ops->so_yield(run->xr_sim);
}

static void
body_exact(struct xs_run *run, unsigned i)
{
	struct xs_locks *ls = run->xr_state;

	thread_setpri(curthread(), pris[i]);
	for (unsigned n = 0; n < 2; n++) {
		xs_lock(run, ls->ls_lock[0]);
		xs_hold(run, ls->ls_lock[0]);
		/* Behind turnstile_claim(), which is the last of locking. */
		check_owner(run, ls->ls_lock[0]);
		xs_unlock(run, ls->ls_lock[0]);
		check_own(run, i);
	}
}

const struct xs_scenario xs_lend_exact = {
	.xs_name = "lend-exact",
	.xs_descr = "an owner is as urgent as who waits, at any moment",
	.xs_threads = 3,
	.xs_kind = &exact,
	.xs_body = body_exact,
};

static void
body_back(struct xs_run *run, unsigned i)
{
	struct xs_locks *ls = run->xr_state;

	thread_setpri(curthread(), pris[i]);
	for (unsigned n = 0; n < 2; n++)
		xs_lock_use(run, ls->ls_lock[0]);
}

const struct xs_scenario xs_lend_back = {
	.xs_name = "lend-back",
	.xs_descr = "three priorities, one lock: what was lent is given back",
	.xs_threads = 3,
	.xs_kind = &loans,
	.xs_body = body_back,
};

/*
 * The first holds a lock, each of the next two holds one and waits for that of the
 * one before, the last waits for the third: then the first is as urgent as the
 * last.  It does not let go before it is.
 */
static void
body_chain(struct xs_run *run, unsigned i)
{
	struct xs_locks *ls = run->xr_state;

	thread_setpri(curthread(), pris[i]);
	if (i > 0)
		xs_flag_await(run, &ls->ls_flag[i - 1]);
	if (i < XS_NLOCKS) {
		xs_lock(run, ls->ls_lock[i]);
		xs_flag_set(&ls->ls_flag[i], 1);
	}
	if (i > 0) {
		xs_lock(run, ls->ls_lock[i - 1]);
		xs_unlock(run, ls->ls_lock[i - 1]);
	} else {
		await_loan(run);
	}
	if (i < XS_NLOCKS)
		xs_unlock(run, ls->ls_lock[i]);
}

const struct xs_scenario xs_lend_chain = {
	.xs_name = "lend-chain",
	.xs_descr = "a loan is passed along a chain of three locks",
	.xs_threads = 4,
	.xs_kind = &loans,
	.xs_body = body_chain,
};

/*
 * As before, with two locks; and the third thread tries the first lock, in vain, so
 * that there are two suspects for a while, of whom one is the owner.
 */
static void
suspect(struct xs_run *run, unsigned i, int pri)
{
	struct xs_locks *ls = run->xr_state;

	thread_setpri(curthread(), pri);
	if (i > 0)
		xs_flag_await(run, &ls->ls_flag[i == 3 ? 1 : 0]);
	switch (i) {
	case 0:
		xs_lock(run, ls->ls_lock[0]);
		xs_flag_set(&ls->ls_flag[0], 1);
		await_loan(run);
		xs_unlock(run, ls->ls_lock[0]);
		break;
	case 1:
		xs_lock(run, ls->ls_lock[1]);
		xs_flag_set(&ls->ls_flag[1], 1);
		xs_lock(run, ls->ls_lock[0]);
		xs_unlock(run, ls->ls_lock[0]);
		xs_unlock(run, ls->ls_lock[1]);
		break;
	case 2:
		for (unsigned n = 0; n < 2; n++) {
			if (xs_trylock(run, ls->ls_lock[0]))
				xs_unlock(run, ls->ls_lock[0]);
		}
		break;
	default:
		xs_lock(run, ls->ls_lock[1]);
		xs_unlock(run, ls->ls_lock[1]);
		break;
	}
}

static void
body_suspect(struct xs_run *run, unsigned i)
{
	suspect(run, i, pris[i]);
}

const struct xs_scenario xs_lend_suspect = {
	.xs_name = "lend-suspect",
	.xs_descr =
	    "a loan is passed to the owner though another was suspected",
	.xs_threads = 4,
	.xs_kind = &loans,
	.xs_body = body_suspect,
};

/*
 * The same where the second thread lends nothing until it gets more urgent, and the
 * third needs no loan then.
 */
static void
body_kick(struct xs_run *run, unsigned i)
{
	static const int own[] = { PRI_MID, PRI_LOW, PRI_MOST, PRI_TOP };

	suspect(run, i, own[i]);
}

const struct xs_scenario xs_lend_kick = {
	.xs_name = "lend-kick",
	.xs_descr =
	    "a thread that waits gets more urgent, and has to look who owns",
	.xs_threads = 4,
	.xs_kind = &loans,
	.xs_body = body_kick,
};

/* Two locks in an order, one of them tried in the other; loans of all kinds. */
static void
body_nest(struct xs_run *run, unsigned i)
{
	struct xs_locks *ls = run->xr_state;

	thread_setpri(curthread(), pris[i]);
	if (i % 2 == 0) {
		xs_lock(run, ls->ls_lock[0]);
		xs_lock(run, ls->ls_lock[1]);
		xs_hold(run, ls->ls_lock[1]);
		xs_unlock(run, ls->ls_lock[0]);
		xs_unlock(run, ls->ls_lock[1]);
	} else {
		xs_lock(run, ls->ls_lock[1]);
		xs_hold(run, ls->ls_lock[1]);
		if (xs_trylock(run, ls->ls_lock[0]))
			xs_unlock(run, ls->ls_lock[0]);
		xs_unlock(run, ls->ls_lock[1]);
		xs_lock(run, ls->ls_lock[0]);
		xs_unlock(run, ls->ls_lock[0]);
	}
}

const struct xs_scenario xs_lend_nest = {
	.xs_name = "lend-nest",
	.xs_descr = "four priorities, two locks, one tried against the order",
	.xs_threads = 4,
	.xs_kind = &loans,
	.xs_body = body_nest,
};

/*
 * Not for suspects: who lends to one leaves the queue now and then, to look who
 * it is.
 */
static const char *
unfit_order(const struct design *d)
{
	return (d->d_lock->plo_gen_bits != 0 ? "its lock tells suspects"
					     : unfit_blocks(d));
}

static const struct xs_kind queues = {
	.xk_designs = owner_designs,
	.xk_unfit = unfit_order,
	.xk_lock_only = true,
	.xk_setup = xs_locks_setup,
};

static void
body_order(struct xs_run *run, unsigned i)
{
	struct xs_locks *ls = run->xr_state;

	if (i == 0) {
		xs_lock(run, ls->ls_lock[0]);
		xs_flag_set(&ls->ls_flag[0], 1);
		/* Both wait, and nobody comes after that. */
		xs_await_blocked(run, 1);
		xs_await_blocked(run, 2);
		xs_unlock(run, ls->ls_lock[0]);
		return;
	}
	thread_setpri(curthread(), pris[i]);
	xs_flag_await(run, &ls->ls_flag[0]);
	xs_lock(run, ls->ls_lock[0]);
	xs_hold(run, ls->ls_lock[0]);
	if (ls->ls_lock[0]->xl_a == 1 && i == 1)
		xs_fail(run, "the less urgent of two that wait is first");
	xs_unlock(run, ls->ls_lock[0]);
}

const struct xs_scenario xs_lend_order = {
	.xs_name = "lend-order",
	.xs_descr = "of two that wait the more urgent is first",
	.xs_threads = 3,
	.xs_kind = &queues,
	.xs_body = body_order,
};

/* The second comes when the first waits already; neither is more urgent. */
static void
body_fifo(struct xs_run *run, unsigned i)
{
	struct xs_locks *ls = run->xr_state;

	if (i == 0) {
		xs_lock(run, ls->ls_lock[0]);
		xs_flag_set(&ls->ls_flag[0], 1);
		xs_await_blocked(run, 1);
		xs_flag_set(&ls->ls_flag[1], 1);
		xs_await_blocked(run, 2);
		xs_unlock(run, ls->ls_lock[0]);
		return;
	}
	xs_flag_await(run, &ls->ls_flag[i - 1]);
	xs_lock(run, ls->ls_lock[0]);
	xs_hold(run, ls->ls_lock[0]);
	if (ls->ls_lock[0]->xl_a == 1 && i == 2)
		xs_fail(run, "who came last of two equals is first");
	xs_unlock(run, ls->ls_lock[0]);
}

const struct xs_scenario xs_lend_fifo = {
	.xs_name = "lend-fifo",
	.xs_descr = "of two that wait, equally urgent, the first to come is",
	.xs_threads = 3,
	.xs_kind = &queues,
	.xs_body = body_fifo,
};
