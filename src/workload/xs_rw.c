/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Locks that many may share: a writer is alone, readers see what it wrote whole,
 * and nobody is left asleep, whoever upgrades, downgrades, tries or gives up.
 */

#include "lock/rwlock.h"
#include "lock/sx.h"
#include "workload/xs_list.h"
#include "workload/xs_util.h"

static const char *const designs[] = { "sparse/rwlock", NULL };

#define NLOCKS 2

struct rw {
	struct rwlock rw_lock[NLOCKS];
	/* Equal, unless a writer is in. */
	_Alignas(CACHE_LINE_SIZE) uint64_t rw_a;
	uint64_t rw_b;
	_Alignas(CACHE_LINE_SIZE) struct sx rw_sx;
	_Atomic unsigned rw_writes;
};

static void
setup(struct xs_run *run)
{
	struct rw *rw = xs_alloc(run, sizeof(*rw));

	for (unsigned i = 0; i < NLOCKS; i++)
		rw_init(&rw->rw_lock[i], "xs rw", RW_RECURSE);
	sx_init(&rw->rw_sx, "xs sx", SX_RECURSE);
	run->xr_state = rw;
}

static void
change(struct xs_run *run, struct rw *rw)
{
	rw->rw_a++;
	if (rw->rw_a != rw->rw_b + 1)
		xs_fail(run, "a writer is not alone");
	rw->rw_b++;
	/* Relaxed: a count. */
	atomic_fetch_add_explicit(&rw->rw_writes, 1, memory_order_relaxed);
}

static void
look(struct xs_run *run, const struct rw *rw)
{
	if (rw->rw_a != rw->rw_b)
		xs_fail(run, "a reader sees half of a change");
}

/* The end: all is counted, and no bit is left. */
static void
check(struct xs_run *run)
{
	struct rw *rw = run->xr_state;

	/* Relaxed: at rest. */
	if (rw->rw_a !=
	    atomic_load_explicit(&rw->rw_writes, memory_order_relaxed))
		xs_fail(run, "changes are lost");
	for (unsigned i = 0; i < NLOCKS; i++)
		rw_destroy(&rw->rw_lock[i]);
	sx_destroy(&rw->rw_sx);
}

static const struct xs_kind rws = {
	.xk_designs = designs,
	.xk_lock_only = true,
	.xk_setup = setup,
	.xk_check = check,
};

static void
body_mixed(struct xs_run *run, unsigned i)
{
	struct rw *rw = run->xr_state;
	struct rwlock *lock = &rw->rw_lock[0];

	for (unsigned n = 0; n < 2; n++) {
		if (i < 2) {
			rw_wlock(lock);
			change(run, rw);
			rw_wunlock(lock);
		} else {
			rw_rlock(lock);
			look(run, rw);
			rw_runlock(lock);
		}
	}
}

const struct xs_scenario xs_rw_block = {
	.xs_name = "rw-block",
	.xs_descr = "two writers, two readers, which block",
	.xs_threads = 4,
	.xs_kind = &rws,
	.xs_body = body_mixed,
};

const struct xs_scenario xs_rw_spin = {
	.xs_name = "rw-spin",
	.xs_descr = "two writers, two readers, which spin",
	.xs_threads = 4,
	.xs_kind = &rws,
	.xs_spins = true,
	.xs_body = body_mixed,
};

/* Two that read want to write; a third writes, and goes on reading. */
static void
body_change(struct xs_run *run, unsigned i)
{
	struct rw *rw = run->xr_state;
	struct rwlock *lock = &rw->rw_lock[0];

	if (i == 0) {
		rw_wlock(lock);
		change(run, rw);
		rw_downgrade(lock);
		look(run, rw);
		rw_runlock(lock);
		return;
	}
	rw_rlock(lock);
	look(run, rw);
	if (rw_try_upgrade(lock)) {
		change(run, rw);
		rw_wunlock(lock);
	} else {
		look(run, rw);
		rw_runlock(lock);
		rw_wlock(lock);
		change(run, rw);
		rw_wunlock(lock);
	}
}

const struct xs_scenario xs_rw_change = {
	.xs_name = "rw-change",
	.xs_descr = "two upgrade, one downgrades",
	.xs_threads = 3,
	.xs_kind = &rws,
	.xs_body = body_change,
};

/*
 * Who reads one lock may read the other though a writer waits for it: the writer
 * may be waiting for us.
 */
static void
body_nest(struct xs_run *run, unsigned i)
{
	struct rw *rw = run->xr_state;

	if (i < 2) {
		rw_rlock(&rw->rw_lock[i]);
		rw_rlock(&rw->rw_lock[1 - i]);
		look(run, rw);
		rw_runlock(&rw->rw_lock[1 - i]);
		rw_runlock(&rw->rw_lock[i]);
	} else {
		rw_wlock(&rw->rw_lock[i - 2]);
		rw_wunlock(&rw->rw_lock[i - 2]);
	}
}

const struct xs_scenario xs_rw_nest = {
	.xs_name = "rw-nest",
	.xs_descr = "two read two locks in either order, writers wait",
	.xs_threads = 4,
	.xs_kind = &rws,
	.xs_body = body_nest,
};

static void
body_try(struct xs_run *run, unsigned i)
{
	struct rw *rw = run->xr_state;
	struct rwlock *lock = &rw->rw_lock[0];

	if (i == 0) {
		body_mixed(run, i);
		return;
	}
	for (unsigned n = 0; n < 2; n++) {
		if (rw_try_wlock(lock)) {
			change(run, rw);
			rw_wunlock(lock);
		} else if (rw_try_rlock(lock)) {
			look(run, rw);
			rw_runlock(lock);
		} else {
			rw_rlock(lock);
			look(run, rw);
			rw_runlock(lock);
		}
	}
}

const struct xs_scenario xs_rw_try = {
	.xs_name = "rw-try",
	.xs_descr = "one writes, two try to write, then to read",
	.xs_threads = 3,
	.xs_kind = &rws,
	.xs_body = body_try,
};

static void
body_sx(struct xs_run *run, unsigned i)
{
	struct rw *rw = run->xr_state;
	struct sx *sx = &rw->rw_sx;

	if (i == 0) {
		sx_xlock(sx);
		change(run, rw);
		sx_downgrade(sx);
		look(run, rw);
		sx_sunlock(sx);
	} else if (i == 1) {
		sx_slock(sx);
		look(run, rw);
		if (sx_try_upgrade(sx)) {
			change(run, rw);
			sx_xunlock(sx);
		} else {
			sx_sunlock(sx);
		}
	} else {
		sx_xlock(sx);
		sx_xlock(sx); /* it recurses */
		change(run, rw);
		sx_xunlock(sx);
		sx_xunlock(sx);
		sx_slock(sx);
		look(run, rw);
		sx_sunlock(sx);
	}
}

const struct xs_scenario xs_sx_mixed = {
	.xs_name = "sx-mixed",
	.xs_descr = "an sx lock shared, exclusive, up, down and recursed",
	.xs_threads = 3,
	.xs_kind = &rws,
	.xs_body = body_sx,
};
