/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The checker after every operation (machine_config.mc_check_ops).
 *
 * Why.  A violation is found where it was made, not where it does harm.
 *
 * Invariants hold when no thread is inside an operation.  So those inside are
 * counted, and the one that is the last to leave checks, if nobody has come in
 * meanwhile: ma_inside goes from 1 to CHECKING, which keeps others out, and to 0
 * after that.  With threads that are always inside nothing is checked until they
 * rest.  Operations may call each other; only the outermost is the last.
 *
 * Threads that attach or detach are inside, since the checker looks at each thread;
 * but they do not check, as they may not be attached.
 *
 * The caller may hold locks of its own, that of the page's object, and other
 * threads may do anything but operations.  So locks that are not the pmap layer's
 * are not looked at, and physical memory only where no other thread is attached.
 */

#include <stdio.h>

#include "pmap/mmu.h"

#define CHECKING (-1)

void
pmap_op_enter(struct machine *ma)
{
	struct sim *sim = ma->ma_sim;
	int n;

	/* Relaxed: the exchange decides. */
	n = atomic_load_explicit(&ma->ma_inside, memory_order_relaxed);
	for (;;) {
		if (n == CHECKING) {
			sim->sim_ops->so_yield(sim);
			/* Relaxed: as above. */
			n = atomic_load_explicit(
			    &ma->ma_inside, memory_order_relaxed);
		} else if (atomic_compare_exchange_weak_explicit(&ma->ma_inside,
			       &n, n + 1,
			       /* Acquire: pairs with pmap_op_leave(). */
			       memory_order_acquire, memory_order_relaxed)) {
			return;
		}
	}
}

struct op_check {
	unsigned oc_n;
	char oc_first[300];
};

static void
note(void *arg, int inv, const char *text)
{
	struct op_check *oc = arg;

	if (oc->oc_n++ == 0)
		(void)snprintf(oc->oc_first, sizeof(oc->oc_first), "inv %d: %s",
		    inv, text);
}

static void
check(struct machine *ma, const char *name)
{
	struct op_check oc = { 0 };

	ma->ma_checks++;
	(void)pmap_check(ma, note, &oc);
	(void)pmap_di_check(ma, note, &oc);
	(void)mmu_check(ma, note, &oc);
	if (sim_nthreads(ma->ma_sim) == 1)
		(void)vm_phys_check(ma->ma_vp, note, &oc);
	if (oc.oc_n != 0)
		panic("after %s(): %s (the first of %u)", name, oc.oc_first,
		    oc.oc_n);
}

void
pmap_op_leave(struct machine *ma, const char *name)
{
	int n;

	/* Relaxed: the exchange decides. */
	n = atomic_load_explicit(&ma->ma_inside, memory_order_relaxed);
	for (;;) {
		if (atomic_compare_exchange_weak_explicit(&ma->ma_inside, &n,
			n == 1 ? CHECKING : n - 1,
			/* Both: what others did inside is seen. */
			memory_order_acq_rel, memory_order_relaxed))
			break;
	}
	if (n != 1)
		return;
	if (name != NULL)
		check(ma, name);
	/* Release: pairs with pmap_op_enter(). */
	atomic_store_explicit(&ma->ma_inside, 0, memory_order_release);
}
