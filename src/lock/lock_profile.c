/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The lock profile.
 *
 * Each profiled thread has one block of memory, taken when it is attached and
 * never grown: a hash of records by acquisition site, a hash of contested locks
 * by instance, and a stack of the locks it holds now.  On the way in the stack
 * gets an entry; on the way out the entry is found from the top, and the records
 * get what it knows.  Both tables are open-addressed and only ever filled, to
 * three quarters; what finds no place is counted as rejected.
 *
 * A table has one writer, so its numbers are relaxed atomics that are loaded and
 * stored, never read-modify-written; a slot's key is written before the slot is
 * marked used.  Readers may come at any time and see each number whole, but
 * numbers of one record that belong together only once its thread is quiescent.
 *
 * A thread that leaves adds its tables to the machine's, lp_retired, which has
 * the same shape and is larger.
 *
 * Source: FreeBSD releng/12.1, sys/kern/subr_lock.c.
 * Differs: records belong to threads, not to CPUs, and are found at release by
 * the same key; histograms; instances; a read lock is profiled for each holder.
 */

#include "lock/lock_profile.h"

#include <errno.h>

#include "kern/kassert.h"
#include "lock/lock_hooks.h"
#include "lock/lock_profile_impl.h"

static size_t
hash_mix(uintptr_t a, uintptr_t b)
{
	uint64_t h =
	    ((uint64_t)a ^ ((uint64_t)b << 20)) * UINT64_C(0x9e3779b97f4a7c15);

	return ((size_t)(h >> 32));
}

/* The record of a site, made if there is none.  NULL: the table is full. */
static struct prof_rec *
find_rec(struct prof_table *pt, const char *name, enum lock_class lc,
    const char *file, int line)
{
	struct prof_rec *pr;
	size_t i =
	    hash_mix((uintptr_t)file ^ ((uintptr_t)name << 3), (uintptr_t)line);

	for (;; i++) {
		pr = &pt->pt_recs[i & (pt->pt_nrecs - 1)];
		if (!prof_is_used(&pr->pr_used))
			break;
		if (pr->pr_line == line && pr->pr_file == file &&
		    pr->pr_name == name && pr->pr_class == lc)
			return (pr);
	}
	if (pt->pt_recs_used >= pt->pt_nrecs / 4 * 3) {
		prof_add(&pt->pt_rejected, 1);
		return (NULL);
	}
	pt->pt_recs_used++;
	pr->pr_name = name;
	pr->pr_class = lc;
	pr->pr_file = file;
	pr->pr_line = line;
	prof_mark_used(&pr->pr_used);
	return (pr);
}

static struct prof_inst *
find_inst(struct prof_table *pt, const void *key, const char *name)
{
	struct prof_inst *pi;
	size_t i = hash_mix((uintptr_t)key, 0);

	for (;; i++) {
		pi = &pt->pt_insts[i & (pt->pt_ninsts - 1)];
		if (!prof_is_used(&pi->pi_used))
			break;
		if (pi->pi_key == key && pi->pi_name == name)
			return (pi);
	}
	if (pt->pt_insts_used >= pt->pt_ninsts / 4 * 3) {
		prof_add(&pt->pt_rejected, 1);
		return (NULL);
	}
	pt->pt_insts_used++;
	pi->pi_key = key;
	pi->pi_name = name;
	prof_mark_used(&pi->pi_used);
	return (pi);
}

static int
table_create(
    struct sim *sim, struct prof_table *pt, size_t nrecs, size_t ninsts)
{
	pt->pt_nrecs = nrecs;
	pt->pt_ninsts = ninsts;
	pt->pt_recs = kmem_alloc(sim->sim_kmem, nrecs * sizeof(*pt->pt_recs),
	    CACHE_PAIR_SIZE, M_LOCK, KMEM_ANYDOMAIN);
	pt->pt_insts = kmem_alloc(sim->sim_kmem, ninsts * sizeof(*pt->pt_insts),
	    CACHE_PAIR_SIZE, M_LOCK, KMEM_ANYDOMAIN);
	return (pt->pt_recs == NULL || pt->pt_insts == NULL ? ENOMEM : 0);
}

/* Accepts a half-made table. */
static void
table_destroy(struct sim *sim, struct prof_table *pt)
{
	kmem_free(sim->sim_kmem, pt->pt_recs,
	    pt->pt_nrecs * sizeof(*pt->pt_recs), M_LOCK, KMEM_ANYDOMAIN);
	kmem_free(sim->sim_kmem, pt->pt_insts,
	    pt->pt_ninsts * sizeof(*pt->pt_insts), M_LOCK, KMEM_ANYDOMAIN);
}

static void
table_merge(struct prof_table *dst, const struct prof_table *src)
{
	const struct prof_inst *pi;
	const struct prof_rec *pr;
	struct prof_inst *di;
	struct prof_rec *dr;

	prof_add(&dst->pt_rejected, prof_value(&src->pt_rejected));
	for (size_t i = 0; i < src->pt_nrecs; i++) {
		pr = &src->pt_recs[i];
		if (!prof_is_used(&pr->pr_used) ||
		    prof_value(&pr->pr_count) == 0)
			continue;
		dr = find_rec(
		    dst, pr->pr_name, pr->pr_class, pr->pr_file, pr->pr_line);
		if (dr == NULL)
			continue;
		prof_raise(
		    &dr->pr_hold_max_ns, prof_value(&pr->pr_hold_max_ns));
		prof_raise(
		    &dr->pr_wait_max_ns, prof_value(&pr->pr_wait_max_ns));
		prof_add(&dr->pr_hold_ns, prof_value(&pr->pr_hold_ns));
		prof_add(&dr->pr_wait_ns, prof_value(&pr->pr_wait_ns));
		prof_add(&dr->pr_count, prof_value(&pr->pr_count));
		prof_add(&dr->pr_contested, prof_value(&pr->pr_contested));
		for (unsigned b = 0; b < LOCK_HIST_BUCKETS; b++)
			prof_add(&dr->pr_wait_hist[b],
			    prof_value(&pr->pr_wait_hist[b]));
	}
	for (size_t i = 0; i < src->pt_ninsts; i++) {
		pi = &src->pt_insts[i];
		if (!prof_is_used(&pi->pi_used) ||
		    prof_value(&pi->pi_contested) == 0)
			continue;
		di = find_inst(dst, pi->pi_key, pi->pi_name);
		if (di == NULL)
			continue;
		prof_add(&di->pi_wait_ns, prof_value(&pi->pi_wait_ns));
		prof_add(&di->pi_contested, prof_value(&pi->pi_contested));
	}
}

int
lock_profile_create(struct sim *sim, struct lock_profile **lpp)
{
	struct lock_profile *lp;
	int error;

	lp = kmem_alloc(sim->sim_kmem, sizeof(*lp), CACHE_PAIR_SIZE, M_LOCK,
	    KMEM_ANYDOMAIN);
	if (lp == NULL)
		return (ENOMEM);
	lp->lp_sim = sim;
	error = table_create(
	    sim, &lp->lp_retired, PROF_MACHINE_RECS, PROF_MACHINE_INSTS);
	if (error != 0)
		goto fail;

	*lpp = lp;
	return (0);

fail:
	lock_profile_destroy(sim, lp);
	return (error);
}

void
lock_profile_destroy(struct sim *sim, struct lock_profile *lp)
{
	if (lp == NULL)
		return;
	KASSERT(lp->lp_threads == NULL,
	    ("lock profile destroyed with threads attached"));
	table_destroy(sim, &lp->lp_retired);
	kmem_free(sim->sim_kmem, lp, sizeof(*lp), M_LOCK, KMEM_ANYDOMAIN);
}

static void
thread_free(struct sim *sim, struct lock_prof_thread *lpt)
{
	table_destroy(sim, &lpt->lpt_table);
	kmem_free(sim->sim_kmem, lpt, sizeof(*lpt), M_LOCK, KMEM_ANYDOMAIN);
}

int
lock_profile_thread_create(struct lock_profile *lp, struct thread *td)
{
	struct sim *sim = lp->lp_sim;
	struct lock_prof_thread *lpt;
	int error;

	lpt = kmem_alloc(sim->sim_kmem, sizeof(*lpt), CACHE_PAIR_SIZE, M_LOCK,
	    KMEM_ANYDOMAIN);
	if (lpt == NULL)
		return (ENOMEM);
	error = table_create(
	    sim, &lpt->lpt_table, PROF_THREAD_RECS, PROF_THREAD_INSTS);
	if (error != 0) {
		thread_free(sim, lpt);
		return (error);
	}

	leaf_lock(&lp->lp_lock, sim);
	lpt->lpt_next = lp->lp_threads;
	if (lpt->lpt_next != NULL)
		lpt->lpt_next->lpt_prev = lpt;
	lp->lp_threads = lpt;
	leaf_unlock(&lp->lp_lock);

	td->td_prof = lpt;
	td->td_lock_hooks |= LOCK_HOOK_PROFILE;
	return (0);
}

static void
set_held(struct lock_prof_thread *lpt, unsigned n)
{
	/* Relaxed: one writer; what lies on the stack is its alone. */
	atomic_store_explicit(&lpt->lpt_nheld, n, memory_order_relaxed);
}

void
lock_profile_thread_retire(struct lock_profile *lp, struct thread *td)
{
	struct lock_prof_thread *lpt = td->td_prof;

	KASSERT(prof_held(lpt) == 0,
	    ("thread %u leaves holding %u locks, one is %s", td->td_id,
		prof_held(lpt), lpt->lpt_held[0].hl_name));
	leaf_lock(&lp->lp_lock, lp->lp_sim);
	table_merge(&lp->lp_retired, &lpt->lpt_table);
	if (lpt->lpt_prev != NULL)
		lpt->lpt_prev->lpt_next = lpt->lpt_next;
	else
		lp->lp_threads = lpt->lpt_next;
	if (lpt->lpt_next != NULL)
		lpt->lpt_next->lpt_prev = lpt->lpt_prev;
	leaf_unlock(&lp->lp_lock);

	td->td_prof = NULL;
	td->td_lock_hooks &= (uint16_t)~LOCK_HOOK_PROFILE;
	thread_free(lp->lp_sim, lpt);
}

uint64_t
lock_profile_now(struct thread *td)
{
	uint64_t now = sim_clock_ns(td->td_sim);

	return (now != 0 ? now : 1);
}

void
lock_profile_acquired(struct thread *td, const struct lock_object *lo,
    const void *key, uint64_t t0, const char *file, int line)
{
	struct lock_prof_thread *lpt = td->td_prof;
	unsigned n = prof_held(lpt);
	struct held_lock *hl;

	if (n == PROF_HELD_MAX) {
		prof_add(&lpt->lpt_table.pt_rejected, 1);
		return;
	}
	hl = &lpt->lpt_held[n];
	hl->hl_key = key;
	hl->hl_name = lo->lo_name;
	hl->hl_class = (enum lock_class)(lo->lo_flags & LO_CLASSMASK);
	hl->hl_file = file;
	hl->hl_line = line;
	hl->hl_acquired_ns = lock_profile_now(td);
	hl->hl_wait_ns = t0 == 0 ? 0 : hl->hl_acquired_ns - t0;
	hl->hl_contested = t0 != 0;
	set_held(lpt, n + 1);
}

void
lock_profile_release(struct thread *td, const void *key)
{
	struct lock_prof_thread *lpt = td->td_prof;
	unsigned i, n = prof_held(lpt);
	struct held_lock hl;
	struct prof_inst *pi;
	struct prof_rec *pr;
	uint64_t hold_ns;

	for (i = n; i > 0; i--) {
		if (lpt->lpt_held[i - 1].hl_key == key)
			break;
	}
	if (i == 0)
		return; /* its acquisition was rejected */
	hl = lpt->lpt_held[i - 1];
	for (; i < n; i++)
		lpt->lpt_held[i - 1] = lpt->lpt_held[i];
	set_held(lpt, n - 1);

	hold_ns = lock_profile_now(td) - hl.hl_acquired_ns;
	pr = find_rec(
	    &lpt->lpt_table, hl.hl_name, hl.hl_class, hl.hl_file, hl.hl_line);
	if (pr != NULL) {
		prof_raise(&pr->pr_hold_max_ns, hold_ns);
		prof_add(&pr->pr_hold_ns, hold_ns);
		prof_add(&pr->pr_count, 1);
	}
	if (!hl.hl_contested)
		return;
	if (pr != NULL) {
		prof_raise(&pr->pr_wait_max_ns, hl.hl_wait_ns);
		prof_add(&pr->pr_wait_ns, hl.hl_wait_ns);
		prof_add(&pr->pr_contested, 1);
		prof_add(&pr->pr_wait_hist[lock_hist_bucket(hl.hl_wait_ns)], 1);
	}
	pi = find_inst(&lpt->lpt_table, key, hl.hl_name);
	if (pi != NULL) {
		prof_add(&pi->pi_wait_ns, hl.hl_wait_ns);
		prof_add(&pi->pi_contested, 1);
	}
}
