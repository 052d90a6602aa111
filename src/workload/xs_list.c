/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of small scenarios, and the simplest one: a counter under a lock.
 */
#include <string.h>

#include "kern/kassert.h"
#include "workload/xs_list.h"

#define COUNTER_ROUNDS 2

struct counter_state {
	_Alignas(64) unsigned char cst_word[PV_LOCK_WORD_MAX];
	_Alignas(64) unsigned cst_count;
};

static const char *const lock_designs[] = { "sparse/gen2", "sparse/gen1",
	"sparse/mtx8", "sparse/rwlock", NULL };

static void
counter_setup(struct xs_run *run)
{
	struct counter_state *cst = xs_alloc(run, sizeof(*cst));

	run->xr_state = cst;
	if (run->xr_lock->plo_init != NULL &&
	    run->xr_lock->plo_init(cst->cst_word) != 0)
		xs_fail(run, "the lock cannot be made");
}

static void
counter_body(struct xs_run *run, unsigned i)
{
	struct counter_state *cst = run->xr_state;

	(void)i;
	for (int n = 0; n < COUNTER_ROUNDS; n++) {
		run->xr_lock->plo_lock(cst->cst_word);
		cst->cst_count++;
		run->xr_lock->plo_unlock(cst->cst_word, true);
	}
}

static void
counter_check(struct xs_run *run)
{
	const struct counter_state *cst = run->xr_state;

	if (cst->cst_count != run->xr_nthreads * COUNTER_ROUNDS)
		xs_fail(run, "%u rounds of %u threads counted %u",
		    COUNTER_ROUNDS, run->xr_nthreads, cst->cst_count);
}

static void
counter_teardown(struct xs_run *run)
{
	struct counter_state *cst = run->xr_state;

	if (run->xr_lock->plo_destroy != NULL)
		run->xr_lock->plo_destroy(cst->cst_word);
}

static const struct xs_kind counters = {
	.xk_designs = lock_designs,
	.xk_lock_only = true,
	.xk_setup = counter_setup,
	.xk_teardown = counter_teardown,
};

const struct xs_scenario xs_counter = {
	.xs_name = "counter",
	.xs_descr = "two threads count under one lock, twice each",
	.xs_threads = 2,
	.xs_kind = &counters,
	.xs_spins = true,
	.xs_body = counter_body,
	.xs_check = counter_check,
};

const struct xs_scenario *const xs_scenarios[] = {
#define XS_ROW(name) &xs_##name,
	XS_LIST(XS_ROW)
#undef XS_ROW
	    NULL,
};
