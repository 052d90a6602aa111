/* SPDX-License-Identifier: BSD-2-Clause */

#include "explore_bodies.h"

#include <stdatomic.h>

#include "kern/kassert.h"
#include "lock/mtx.h"

struct words {
	_Atomic uint64_t w_one;
	_Alignas(64) _Atomic uint64_t w_own[2];
	_Alignas(64) uint64_t w_plain;
	_Alignas(64) struct mtx w_mtx[2];
};

static const char *const designs[] = { "sparse/rwlock", NULL };

static void
setup(struct xs_run *run)
{
	struct words *w = xs_alloc(run, sizeof(*w));

	mtx_init(&w->w_mtx[0], "first", 0);
	mtx_init(&w->w_mtx[1], "second", 0);
	run->xr_state = w;
}

static void
teardown(struct xs_run *run)
{
	struct words *w = run->xr_state;

	mtx_destroy(&w->w_mtx[0]);
	mtx_destroy(&w->w_mtx[1]);
}

static const struct xs_kind kind = {
	.xk_designs = designs,
	.xk_lock_only = true,
	.xk_setup = setup,
	.xk_teardown = teardown,
};

#define SCENARIO(name, body, check)                                            \
	const struct xs_scenario eb_##name = {                                 \
		.xs_name = #name,                                              \
		.xs_descr = #name,                                             \
		.xs_threads = 2,                                               \
		.xs_kind = &kind,                                              \
		.xs_spins = true,                                              \
		.xs_body = body,                                               \
		.xs_check = check,                                             \
	}

static void
store(_Atomic uint64_t *word, uint64_t v, memory_order order)
{
	/* The order is the caller's, which is what is tested. */
	atomic_store_explicit(word, v, order);
}

static uint64_t
load(_Atomic uint64_t *word, memory_order order)
{
	/* As above. */
	return (atomic_load_explicit(word, order));
}

static void
stores_body(struct xs_run *run, unsigned i)
{
	struct words *w = run->xr_state;

	for (unsigned n = 0; n < STORES; n++)
		store(&w->w_one, i, memory_order_relaxed);
}
SCENARIO(stores, stores_body, NULL);

static void
apart_body(struct xs_run *run, unsigned i)
{
	struct words *w = run->xr_state;

	for (unsigned n = 0; n < STORES; n++)
		store(&w->w_own[i], n, memory_order_relaxed);
}
SCENARIO(apart, apart_body, NULL);

static void
loads_body(struct xs_run *run, unsigned i)
{
	struct words *w = run->xr_state;

	(void)i;
	for (unsigned n = 0; n < STORES; n++)
		(void)load(&w->w_one, memory_order_relaxed);
}
SCENARIO(loads, loads_body, NULL);

static void
lost_body(struct xs_run *run, unsigned i)
{
	struct words *w = run->xr_state;
	uint64_t v = load(&w->w_one, memory_order_relaxed);

	(void)i;
	store(&w->w_one, v + 1, memory_order_relaxed);
}

static void
lost_check(struct xs_run *run)
{
	struct words *w = run->xr_state;
	uint64_t v = load(&w->w_one, memory_order_relaxed);

	if (v != 2)
		xs_fail(run, "%ju instead of 2", (uintmax_t)v);
}
SCENARIO(lost, lost_body, lost_check);

static void
send(struct xs_run *run, unsigned i, memory_order sends, memory_order receives)
{
	struct words *w = run->xr_state;

	if (i == 0) {
		w->w_plain = 17;
		store(&w->w_one, 1, sends);
	} else if (load(&w->w_one, receives) == 1 && w->w_plain != 17) {
		xs_fail(run, "the message is not there");
	}
}

static void
message_body(struct xs_run *run, unsigned i)
{
	send(run, i, memory_order_release, memory_order_acquire);
}
SCENARIO(message, message_body, NULL);

static void
relaxed_body(struct xs_run *run, unsigned i)
{
	send(run, i, memory_order_relaxed, memory_order_acquire);
}
SCENARIO(relaxed, relaxed_body, NULL);

static void
take_both(struct xs_run *run, unsigned first)
{
	struct words *w = run->xr_state;

	mtx_lock(&w->w_mtx[first]);
	mtx_lock(&w->w_mtx[1 - first]);
	w->w_plain++;
	mtx_unlock(&w->w_mtx[1 - first]);
	mtx_unlock(&w->w_mtx[first]);
}

static void
order_body(struct xs_run *run, unsigned i)
{
	(void)i;
	take_both(run, 0);
}
SCENARIO(order, order_body, NULL);

static void
disorder_body(struct xs_run *run, unsigned i)
{
	take_both(run, i);
}
SCENARIO(disorder, disorder_body, NULL);

static void
wait_for(struct xs_run *run, uint64_t v)
{
	struct words *w = run->xr_state;
	const struct sim_ops *ops = run->xr_sim->sim_ops;

	while (load(&w->w_one, memory_order_acquire) != v)
		ops->so_spin(run->xr_sim, 1);
}

static void
spin_body(struct xs_run *run, unsigned i)
{
	struct words *w = run->xr_state;

	if (i == 0)
		store(&w->w_one, 1, memory_order_release);
	else
		wait_for(run, 1);
}
SCENARIO(spin, spin_body, NULL);

static void
for_ever_body(struct xs_run *run, unsigned i)
{
	if (i == 1)
		wait_for(run, 1);
}
SCENARIO(for_ever, for_ever_body, NULL);

static void
panics_body(struct xs_run *run, unsigned i)
{
	struct words *w = run->xr_state;

	if (i == 0)
		store(&w->w_one, 1, memory_order_relaxed);
	else if (load(&w->w_one, memory_order_relaxed) == 0)
		panic("the second is first");
}
SCENARIO(panics, panics_body, NULL);
