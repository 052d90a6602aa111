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
 * Locking key.
 *	c - constant
 *	o - written by the owning thread (lp_retired: under lp_lock), atomic
 *	l - lp_lock, a leaf
 *
 * Source: FreeBSD releng/12.1, sys/kern/subr_lock.c.
 * Differs: records belong to threads, not to CPUs, and are found at release by
 * the same key; histograms; instances; a read lock is profiled for each holder.
 */

#include "lock/lock_profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kern/kassert.h"
#include "lock/leaf_lock.h"
#include "lock/lock_env.h"

/* Assumed: sites in the library number some 100; a lock order is 12 deep. */
#define PROF_THREAD_RECS   256
#define PROF_THREAD_INSTS  1024
#define PROF_MACHINE_RECS  1024
#define PROF_MACHINE_INSTS 8192
#define PROF_HELD_MAX      32

struct prof_rec {
	_Atomic bool pr_used;
	enum lock_class pr_class; /* (c) once used, as all of the key */
	const char *pr_name;
	const char *pr_file;
	int pr_line;
	_Atomic uint64_t pr_hold_max_ns; /* (o), as all that follows */
	_Atomic uint64_t pr_wait_max_ns;
	_Atomic uint64_t pr_hold_ns;
	_Atomic uint64_t pr_wait_ns;
	_Atomic uint64_t pr_count;
	_Atomic uint64_t pr_contested;
	_Atomic uint64_t pr_wait_hist[LOCK_HIST_BUCKETS];
};

struct prof_inst {
	_Atomic bool pi_used;
	const void *pi_key; /* (c) once used */
	const char *pi_name;
	_Atomic uint64_t pi_wait_ns; /* (o) */
	_Atomic uint64_t pi_contested;
};

struct prof_table {
	size_t pt_nrecs;  /* (c) slots, a power of two */
	size_t pt_ninsts; /* (c) the same */
	size_t pt_recs_used;
	size_t pt_insts_used;
	_Atomic uint64_t pt_rejected; /* (o) */
	struct prof_rec *pt_recs;
	struct prof_inst *pt_insts;
};

struct held_lock {
	const void *hl_key;
	const char *hl_name;
	enum lock_class hl_class;
	int hl_line;
	const char *hl_file;
	uint64_t hl_acquired_ns;
	uint64_t hl_wait_ns;
	bool hl_contested;
};

struct lock_prof_thread {
	struct prof_table lpt_table;
	_Atomic unsigned lpt_nheld; /* (o) */
	struct held_lock lpt_held[PROF_HELD_MAX];
	struct lock_prof_thread *lpt_next; /* (l) */
	struct lock_prof_thread *lpt_prev; /* (l) */
};

struct lock_profile {
	struct leaf_lock lp_lock;
	struct sim *lp_sim;                  /* (c) */
	struct lock_prof_thread *lp_threads; /* (l) */
	struct prof_table lp_retired;        /* (l) to write */
};

static uint64_t
value(const _Atomic uint64_t *p)
{
	/* Relaxed: a statistic, or one's own. */
	return (atomic_load_explicit(p, memory_order_relaxed));
}

static void
set(_Atomic uint64_t *p, uint64_t v)
{
	/* Relaxed: one writer; readers want no order with anything else. */
	atomic_store_explicit(p, v, memory_order_relaxed);
}

static void
add(_Atomic uint64_t *p, uint64_t n)
{
	set(p, value(p) + n);
}

static void
raise_to(_Atomic uint64_t *p, uint64_t v)
{
	if (v > value(p))
		set(p, v);
}

static bool
is_used(const _Atomic bool *p)
{
	/* Acquire: pairs with the release in mark_used(); the key is there. */
	return (atomic_load_explicit(p, memory_order_acquire));
}

static void
mark_used(_Atomic bool *p)
{
	/* Release: publishes the key to readers of other threads. */
	atomic_store_explicit(p, true, memory_order_release);
}

/* Below 4 exactly, then four to the octave; the last one is open. */
unsigned
lock_hist_bucket(uint64_t ns)
{
	unsigned b, msb;

	if (ns < 4)
		return ((unsigned)ns);
	msb = 63 - (unsigned)__builtin_clzll(ns);
	b = 4 * (msb - 1) + (unsigned)((ns >> (msb - 2)) & 3);
	return (b < LOCK_HIST_BUCKETS ? b : LOCK_HIST_BUCKETS - 1);
}

/* The smallest value that is past bucket b. */
static uint64_t
hist_bucket_end(unsigned b)
{
	if (++b < 4)
		return (b);
	return ((uint64_t)(4 + b % 4) << (b / 4 - 1));
}

uint64_t
lock_hist_quantile(const uint64_t hist[LOCK_HIST_BUCKETS], double q)
{
	uint64_t rank, seen = 0, total = 0;

	for (unsigned b = 0; b < LOCK_HIST_BUCKETS; b++)
		total += hist[b];
	if (total == 0)
		return (0);
	rank = (uint64_t)((double)total * q);
	if ((double)rank < (double)total * q)
		rank++;
	if (rank == 0)
		rank = 1;
	for (unsigned b = 0; b < LOCK_HIST_BUCKETS; b++) {
		seen += hist[b];
		if (seen >= rank)
			return (hist_bucket_end(b));
	}
	return (hist_bucket_end(LOCK_HIST_BUCKETS - 1));
}

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
		if (!is_used(&pr->pr_used))
			break;
		if (pr->pr_line == line && pr->pr_file == file &&
		    pr->pr_name == name && pr->pr_class == lc)
			return (pr);
	}
	if (pt->pt_recs_used >= pt->pt_nrecs / 4 * 3) {
		add(&pt->pt_rejected, 1);
		return (NULL);
	}
	pt->pt_recs_used++;
	pr->pr_name = name;
	pr->pr_class = lc;
	pr->pr_file = file;
	pr->pr_line = line;
	mark_used(&pr->pr_used);
	return (pr);
}

static struct prof_inst *
find_inst(struct prof_table *pt, const void *key, const char *name)
{
	struct prof_inst *pi;
	size_t i = hash_mix((uintptr_t)key, 0);

	for (;; i++) {
		pi = &pt->pt_insts[i & (pt->pt_ninsts - 1)];
		if (!is_used(&pi->pi_used))
			break;
		if (pi->pi_key == key && pi->pi_name == name)
			return (pi);
	}
	if (pt->pt_insts_used >= pt->pt_ninsts / 4 * 3) {
		add(&pt->pt_rejected, 1);
		return (NULL);
	}
	pt->pt_insts_used++;
	pi->pi_key = key;
	pi->pi_name = name;
	mark_used(&pi->pi_used);
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

	add(&dst->pt_rejected, value(&src->pt_rejected));
	for (size_t i = 0; i < src->pt_nrecs; i++) {
		pr = &src->pt_recs[i];
		if (!is_used(&pr->pr_used) || value(&pr->pr_count) == 0)
			continue;
		dr = find_rec(
		    dst, pr->pr_name, pr->pr_class, pr->pr_file, pr->pr_line);
		if (dr == NULL)
			continue;
		raise_to(&dr->pr_hold_max_ns, value(&pr->pr_hold_max_ns));
		raise_to(&dr->pr_wait_max_ns, value(&pr->pr_wait_max_ns));
		add(&dr->pr_hold_ns, value(&pr->pr_hold_ns));
		add(&dr->pr_wait_ns, value(&pr->pr_wait_ns));
		add(&dr->pr_count, value(&pr->pr_count));
		add(&dr->pr_contested, value(&pr->pr_contested));
		for (unsigned b = 0; b < LOCK_HIST_BUCKETS; b++)
			add(&dr->pr_wait_hist[b], value(&pr->pr_wait_hist[b]));
	}
	for (size_t i = 0; i < src->pt_ninsts; i++) {
		pi = &src->pt_insts[i];
		if (!is_used(&pi->pi_used) || value(&pi->pi_contested) == 0)
			continue;
		di = find_inst(dst, pi->pi_key, pi->pi_name);
		if (di == NULL)
			continue;
		add(&di->pi_wait_ns, value(&pi->pi_wait_ns));
		add(&di->pi_contested, value(&pi->pi_contested));
	}
}

/* Keys stay: only the numbers are zeroed. */
static void
table_reset(struct prof_table *pt)
{
	struct prof_inst *pi;
	struct prof_rec *pr;

	set(&pt->pt_rejected, 0);
	for (size_t i = 0; i < pt->pt_nrecs; i++) {
		pr = &pt->pt_recs[i];
		if (!is_used(&pr->pr_used))
			continue;
		set(&pr->pr_hold_max_ns, 0);
		set(&pr->pr_wait_max_ns, 0);
		set(&pr->pr_hold_ns, 0);
		set(&pr->pr_wait_ns, 0);
		set(&pr->pr_count, 0);
		set(&pr->pr_contested, 0);
		for (unsigned b = 0; b < LOCK_HIST_BUCKETS; b++)
			set(&pr->pr_wait_hist[b], 0);
	}
	for (size_t i = 0; i < pt->pt_ninsts; i++) {
		pi = &pt->pt_insts[i];
		if (!is_used(&pi->pi_used))
			continue;
		set(&pi->pi_wait_ns, 0);
		set(&pi->pi_contested, 0);
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
	return (0);
}

static unsigned
held(const struct lock_prof_thread *lpt)
{
	/* Relaxed: one's own, or a statistic. */
	return (atomic_load_explicit(&lpt->lpt_nheld, memory_order_relaxed));
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

	KASSERT(held(lpt) == 0,
	    ("thread %u leaves holding %u locks, one is %s", td->td_id,
		held(lpt), lpt->lpt_held[0].hl_name));
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
	unsigned n = held(lpt);
	struct held_lock *hl;

	if (n == PROF_HELD_MAX) {
		add(&lpt->lpt_table.pt_rejected, 1);
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
	unsigned i, n = held(lpt);
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
		raise_to(&pr->pr_hold_max_ns, hold_ns);
		add(&pr->pr_hold_ns, hold_ns);
		add(&pr->pr_count, 1);
	}
	if (!hl.hl_contested)
		return;
	if (pr != NULL) {
		raise_to(&pr->pr_wait_max_ns, hl.hl_wait_ns);
		add(&pr->pr_wait_ns, hl.hl_wait_ns);
		add(&pr->pr_contested, 1);
		add(&pr->pr_wait_hist[lock_hist_bucket(hl.hl_wait_ns)], 1);
	}
	pi = find_inst(&lpt->lpt_table, key, hl.hl_name);
	if (pi != NULL) {
		add(&pi->pi_wait_ns, hl.hl_wait_ns);
		add(&pi->pi_contested, 1);
	}
}

static struct lock_profile *
profile_of(struct sim *sim)
{
	struct lock_env *le = sim->sim_locks;

	return (le->le_profile);
}

/*
 * Call fn for the table of each thread and for that of the past ones, as long
 * as it returns 0.  fn runs under lp_lock.
 */
static int
foreach_table(
    struct sim *sim, int (*fn)(struct prof_table *pt, void *arg), void *arg)
{
	struct lock_profile *lp = profile_of(sim);
	struct lock_prof_thread *lpt;
	int error;

	if (lp == NULL)
		return (0);
	leaf_lock(&lp->lp_lock, sim);
	error = fn(&lp->lp_retired, arg);
	for (lpt = lp->lp_threads; lpt != NULL && error == 0;
	     lpt = lpt->lpt_next)
		error = fn(&lpt->lpt_table, arg);
	leaf_unlock(&lp->lp_lock);
	return (error);
}

struct gather {
	bool g_by_site;
	void *g_elems;
	size_t g_n;
	size_t g_max;
};

/* Room for one more element, zeroed; NULL: no memory. */
static void *
gather_add(struct gather *g, size_t size)
{
	void *elems;
	size_t max;

	if (g->g_n == g->g_max) {
		max = g->g_max == 0 ? 64 : 2 * g->g_max;
		elems = realloc(g->g_elems, max * size);
		if (elems == NULL)
			return (NULL);
		g->g_elems = elems;
		g->g_max = max;
	}
	elems = (char *)g->g_elems + g->g_n++ * size;
	memset(elems, 0, size);
	return (elems);
}

static const char *
printable(const char *name)
{
	return (name != NULL ? name : "unnamed");
}

static int
gather_recs(struct prof_table *pt, void *arg)
{
	struct gather *g = arg;
	struct lock_prof_record *lpr;
	const struct prof_rec *pr;

	for (size_t i = 0; i < pt->pt_nrecs; i++) {
		pr = &pt->pt_recs[i];
		if (!is_used(&pr->pr_used) || value(&pr->pr_count) == 0)
			continue;
		lpr = gather_add(g, sizeof(*lpr));
		if (lpr == NULL)
			return (ENOMEM);
		lpr->lpr_name = printable(pr->pr_name);
		lpr->lpr_class = pr->pr_class;
		if (g->g_by_site) {
			lpr->lpr_file = pr->pr_file;
			lpr->lpr_line = pr->pr_line;
		}
		lpr->lpr_hold_max_ns = value(&pr->pr_hold_max_ns);
		lpr->lpr_wait_max_ns = value(&pr->pr_wait_max_ns);
		lpr->lpr_hold_ns = value(&pr->pr_hold_ns);
		lpr->lpr_wait_ns = value(&pr->pr_wait_ns);
		lpr->lpr_count = value(&pr->pr_count);
		lpr->lpr_contested = value(&pr->pr_contested);
		for (unsigned b = 0; b < LOCK_HIST_BUCKETS; b++)
			lpr->lpr_wait_hist[b] = value(&pr->pr_wait_hist[b]);
	}
	return (0);
}

/* By the text of the key: the same text may have several addresses. */
static int
rec_key_cmp(const void *a, const void *b)
{
	const struct lock_prof_record *x = a, *y = b;
	int cmp;

	cmp = strcmp(
	    lock_class_name(x->lpr_class), lock_class_name(y->lpr_class));
	if (cmp == 0)
		cmp = strcmp(x->lpr_name, y->lpr_name);
	if (cmp == 0 && x->lpr_file != NULL && y->lpr_file != NULL)
		cmp = strcmp(x->lpr_file, y->lpr_file);
	if (cmp == 0)
		cmp = (x->lpr_line > y->lpr_line) - (x->lpr_line < y->lpr_line);
	return (cmp);
}

static int
rec_wait_cmp(const void *a, const void *b)
{
	const struct lock_prof_record *x = a, *y = b;

	if (x->lpr_wait_ns != y->lpr_wait_ns)
		return (x->lpr_wait_ns < y->lpr_wait_ns ? 1 : -1);
	return (rec_key_cmp(a, b));
}

static void
rec_merge(struct lock_prof_record *dst, const struct lock_prof_record *src)
{
	if (src->lpr_hold_max_ns > dst->lpr_hold_max_ns)
		dst->lpr_hold_max_ns = src->lpr_hold_max_ns;
	if (src->lpr_wait_max_ns > dst->lpr_wait_max_ns)
		dst->lpr_wait_max_ns = src->lpr_wait_max_ns;
	dst->lpr_hold_ns += src->lpr_hold_ns;
	dst->lpr_wait_ns += src->lpr_wait_ns;
	dst->lpr_count += src->lpr_count;
	dst->lpr_contested += src->lpr_contested;
	for (unsigned b = 0; b < LOCK_HIST_BUCKETS; b++)
		dst->lpr_wait_hist[b] += src->lpr_wait_hist[b];
}

int
lock_profile_collect(struct sim *sim, bool by_site,
    struct lock_prof_record **recs, size_t *nrecs)
{
	struct gather g = { .g_by_site = by_site };
	struct lock_prof_record *r;
	size_t n = 0;
	int error;

	error = foreach_table(sim, gather_recs, &g);
	if (error != 0)
		goto fail;
	r = g.g_elems;
	if (g.g_n > 0)
		qsort(r, g.g_n, sizeof(*r), rec_key_cmp);
	for (size_t i = 0; i < g.g_n; i++) {
		if (n > 0 && rec_key_cmp(&r[n - 1], &r[i]) == 0)
			rec_merge(&r[n - 1], &r[i]);
		else if (n++ != i)
			r[n - 1] = r[i];
	}
	if (n > 0)
		qsort(r, n, sizeof(*r), rec_wait_cmp);

	*recs = r;
	*nrecs = n;
	return (0);

fail:
	free(g.g_elems);
	return (error);
}

static int
gather_insts(struct prof_table *pt, void *arg)
{
	struct lock_prof_instance *lpi;
	const struct prof_inst *pi;

	for (size_t i = 0; i < pt->pt_ninsts; i++) {
		pi = &pt->pt_insts[i];
		if (!is_used(&pi->pi_used) || value(&pi->pi_contested) == 0)
			continue;
		lpi = gather_add(arg, sizeof(*lpi));
		if (lpi == NULL)
			return (ENOMEM);
		lpi->lpi_name = printable(pi->pi_name);
		lpi->lpi_key = pi->pi_key;
		lpi->lpi_wait_ns = value(&pi->pi_wait_ns);
		lpi->lpi_contested = value(&pi->pi_contested);
	}
	return (0);
}

static int
inst_key_cmp(const void *a, const void *b)
{
	const struct lock_prof_instance *x = a, *y = b;
	uintptr_t kx = (uintptr_t)x->lpi_key, ky = (uintptr_t)y->lpi_key;

	if (kx != ky)
		return (kx < ky ? -1 : 1);
	return (strcmp(x->lpi_name, y->lpi_name));
}

static int
inst_wait_cmp(const void *a, const void *b)
{
	const struct lock_prof_instance *x = a, *y = b;

	if (x->lpi_wait_ns != y->lpi_wait_ns)
		return (x->lpi_wait_ns < y->lpi_wait_ns ? 1 : -1);
	return (inst_key_cmp(a, b));
}

int
lock_profile_instances(
    struct sim *sim, struct lock_prof_instance **insts, size_t *ninsts)
{
	struct gather g = { .g_by_site = false };
	struct lock_prof_instance *r;
	size_t n = 0;
	int error;

	error = foreach_table(sim, gather_insts, &g);
	if (error != 0)
		goto fail;
	r = g.g_elems;
	if (g.g_n > 0)
		qsort(r, g.g_n, sizeof(*r), inst_key_cmp);
	for (size_t i = 0; i < g.g_n; i++) {
		if (n > 0 && inst_key_cmp(&r[n - 1], &r[i]) == 0) {
			r[n - 1].lpi_wait_ns += r[i].lpi_wait_ns;
			r[n - 1].lpi_contested += r[i].lpi_contested;
		} else if (n++ != i) {
			r[n - 1] = r[i];
		}
	}
	if (n > 0)
		qsort(r, n, sizeof(*r), inst_wait_cmp);

	*insts = r;
	*ninsts = n;
	return (0);

fail:
	free(g.g_elems);
	return (error);
}

static int
reset_one(struct prof_table *pt, void *arg)
{
	(void)arg;
	table_reset(pt);
	return (0);
}

void
lock_profile_reset(struct sim *sim)
{
	(void)foreach_table(sim, reset_one, NULL);
}

static int
sum_rejected(struct prof_table *pt, void *arg)
{
	uint64_t *sum = arg;

	*sum += value(&pt->pt_rejected);
	return (0);
}

uint64_t
lock_profile_rejected(struct sim *sim)
{
	uint64_t sum = 0;

	(void)foreach_table(sim, sum_rejected, &sum);
	return (sum);
}

unsigned
lock_profile_held(struct sim *sim)
{
	struct lock_profile *lp = profile_of(sim);
	struct lock_prof_thread *lpt;
	unsigned sum = 0;

	if (lp == NULL)
		return (0);
	leaf_lock(&lp->lp_lock, sim);
	for (lpt = lp->lp_threads; lpt != NULL; lpt = lpt->lpt_next)
		sum += held(lpt);
	leaf_unlock(&lp->lp_lock);
	return (sum);
}
