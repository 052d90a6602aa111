/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for memory.
 *
 * Every free to the queues of a domain adds to its vmd_freed; a token is the sum
 * over the domains.  A thread reads a token, tries to allocate, fails, and waits
 * until the sum is no longer the token.  No wake-up is lost: the waiter stores
 * vpp_nwaiters and then reads the sum, the freer adds to the sum and then reads
 * vpp_nwaiters, all sequentially consistent, so one of them sees the other.
 * While nobody waits a free costs one load of a line that nobody writes.
 *
 * vm_wait_min() waits for a number of pages.  An allocation takes its pages off
 * the count before it looks for them, so one that finds no run of them was for a
 * moment in the way: it gives them back with vm_domain_refund(), in the same
 * order against the same waiters.  The token does not change, since no page was
 * freed: who asks for runs would wake itself.
 *
 * A free into a page cache does not count, hence a thread drains its cache
 * before it waits or idles.
 *
 * Deadlock.  When all attached threads wait or idle no page will ever be freed.
 * Whoever makes that so panics: the last to wait, to idle, or to detach.
 *
 * Differs: FreeBSD's vm_wait() sleeps until the page daemon has freed enough;
 * here a thread is woken by any free page, tries again, and may wait again.
 */

#include "lock/witness.h"
#include "phys/vm_phys_impl.h"

uint64_t
vm_wait_token(struct vm_phys *vp)
{
	uint64_t sum = 0;

	for (int d = 0; d < vp->vp_ndomains; d++) {
		/* Sequentially consistent: see the top. */
		sum += atomic_load_explicit(
		    &vp->vp_domains[d]->vmd_freed, memory_order_seq_cst);
	}
	return (sum);
}

static uint32_t
nwaiters(struct vm_phys_private *vpp)
{
	/* Sequentially consistent: see the top. */
	return (atomic_load_explicit(&vpp->vpp_nwaiters, memory_order_seq_cst));
}

static void
set_nwaiters(struct vm_phys_private *vpp, uint32_t n)
{
	/* Sequentially consistent: see the top. */
	atomic_store_explicit(&vpp->vpp_nwaiters, n, memory_order_seq_cst);
}

/* Let waiters go that were taken off the list. */
static void
wake(struct vm_phys *vp, struct vm_waiter *vmw)
{
	struct vm_waiter *next;
	struct thread *td;

	for (; vmw != NULL; vmw = next) {
		next = vmw->vmw_next;
		td = vmw->vmw_td;
		/* Release: the waiter may leave now, and its stack with it. */
		atomic_store_explicit(
		    &vmw->vmw_woken, true, memory_order_release);
		vp->vp_sim->sim_ops->so_wake(td);
	}
}

void
vm_wait_wakeup(struct vm_phys *vp)
{
	struct vm_phys_private *vpp = vp->vp_private;
	struct vm_waiter *vmw;

	if (__predict_true(nwaiters(vpp) == 0))
		return;
	mtx_lock(&vpp->vpp_wait_lock);
	vmw = vpp->vpp_waiters;
	vpp->vpp_waiters = NULL;
	set_nwaiters(vpp, 0);
	mtx_unlock(&vpp->vpp_wait_lock);
	wake(vp, vmw);
}

uint64_t
vm_available_pages(struct vm_phys *vp)
{
	const struct vm_domain *vmd;
	uint64_t free, sum = 0;

	for (int d = 0; d < vp->vp_ndomains; d++) {
		vmd = vp->vp_domains[d];
		/* Sequentially consistent: see the top. */
		free = atomic_load_explicit(
		    &vmd->vmd_free_count, memory_order_seq_cst);
		if (free > vmd->vmd_free_reserved)
			sum += free - vmd->vmd_free_reserved;
	}
	return (sum);
}

/* Is what a waiter for a number of pages, if it is one, waits for there? */
static bool
has_enough(struct vm_phys *vp, uint64_t npages)
{
	return (npages != 0 && vm_available_pages(vp) >= npages);
}

void
vm_domain_refund(struct vm_phys *vp, struct vm_domain *vmd, uint64_t npages)
{
	struct vm_phys_private *vpp = vp->vp_private;
	struct vm_waiter **link, *vmw, *woken = NULL;

	/* Sequentially consistent: see the top. */
	atomic_fetch_add_explicit(
	    &vmd->vmd_free_count, npages, memory_order_seq_cst);
	if (__predict_true(nwaiters(vpp) == 0))
		return;
	mtx_lock(&vpp->vpp_wait_lock);
	for (link = &vpp->vpp_waiters; (vmw = *link) != NULL;) {
		if (!has_enough(vp, vmw->vmw_npages)) {
			link = &vmw->vmw_next;
			continue;
		}
		*link = vmw->vmw_next;
		vmw->vmw_next = woken;
		woken = vmw;
		set_nwaiters(vpp, nwaiters(vpp) - 1);
	}
	mtx_unlock(&vpp->vpp_wait_lock);
	wake(vp, woken);
}

/* Does somebody wait, and nobody is left to free a page? */
static bool
all_wait(struct vm_phys_private *vpp)
{
	uint32_t n = nwaiters(vpp);

	/* Relaxed: who attaches now has no page to free. */
	return (n > 0 &&
	    n + vpp->vpp_nidle >=
		atomic_load_explicit(&vpp->vpp_nthreads, memory_order_relaxed));
}

_Noreturn static void
out_of_memory(struct vm_phys *vp)
{
	panic("out of memory: all threads wait for a free page, %ju of %ju are "
	      "free",
	    (uintmax_t)vm_free_count(vp, -1),
	    (uintmax_t)vm_total_pages(vp, -1));
}

/* Wait for a token other than since or, unless that is 0, for npages pages. */
static void
wait_for(struct vm_phys *vp, uint64_t since, uint64_t npages)
{
	struct vm_phys_private *vpp = vp->vp_private;
	struct thread *td = curthread();
	struct vm_waiter self = { .vmw_td = td, .vmw_npages = npages };

	KASSERT(td->td_pgcache != NULL && td->td_pgcache->pgc_vp == vp,
	    ("thread %u waits unattached", (unsigned)td->td_id));
	witness_sleep("vm_wait");
	(void)vm_pgcache_drain(vp);
	mtx_lock(&vpp->vpp_wait_lock);
	set_nwaiters(vpp, nwaiters(vpp) + 1);
	if (vm_wait_token(vp) != since || has_enough(vp, npages)) {
		set_nwaiters(vpp, nwaiters(vpp) - 1);
		mtx_unlock(&vpp->vpp_wait_lock);
		return;
	}
	if (all_wait(vpp)) {
		set_nwaiters(vpp, nwaiters(vpp) - 1);
		mtx_unlock(&vpp->vpp_wait_lock);
		out_of_memory(vp);
	}
	self.vmw_next = vpp->vpp_waiters;
	vpp->vpp_waiters = &self;
	mtx_unlock(&vpp->vpp_wait_lock);
	/*
	 * At least once, even if woken by now: the wake-up leaves a token.
	 * Acquire: pairs with the release in wake().
	 */
	do {
		vp->vp_sim->sim_ops->so_block(td);
	} while (!atomic_load_explicit(&self.vmw_woken, memory_order_acquire));
}

void
vm_wait(struct vm_phys *vp, uint64_t since)
{
	wait_for(vp, since, 0);
}

void
vm_wait_min(struct vm_phys *vp, uint64_t npages)
{
	uint64_t since;

	for (;;) {
		since = vm_wait_token(vp);
		if (vm_available_pages(vp) >= npages)
			return;
		wait_for(vp, since, npages);
	}
}

void
vm_wait_idle_begin(struct vm_phys *vp)
{
	struct vm_phys_private *vpp = vp->vp_private;
	bool stuck;

	(void)vm_pgcache_drain(vp);
	mtx_lock(&vpp->vpp_wait_lock);
	vpp->vpp_nidle++;
	stuck = all_wait(vpp);
	mtx_unlock(&vpp->vpp_wait_lock);
	if (stuck)
		out_of_memory(vp);
}

void
vm_wait_idle_end(struct vm_phys *vp)
{
	struct vm_phys_private *vpp = vp->vp_private;

	mtx_lock(&vpp->vpp_wait_lock);
	KASSERT(vpp->vpp_nidle > 0, ("no thread is idle"));
	vpp->vpp_nidle--;
	mtx_unlock(&vpp->vpp_wait_lock);
}

void
vm_wait_thread_gone(struct vm_phys *vp)
{
	struct vm_phys_private *vpp = vp->vp_private;
	bool stuck;

	mtx_lock(&vpp->vpp_wait_lock);
	/* Relaxed: under the lock for those that wait. */
	atomic_fetch_sub_explicit(&vpp->vpp_nthreads, 1, memory_order_relaxed);
	stuck = all_wait(vpp);
	mtx_unlock(&vpp->vpp_wait_lock);
	if (stuck)
		out_of_memory(vp);
}
