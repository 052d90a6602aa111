/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Reading the lock profile: sums over the tables of all threads, present and
 * past, and what a histogram says.  How the tables are filled is told in
 * lock_profile.c.
 */

#include "lock/lock_profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lock/lock_env.h"
#include "lock/lock_profile_impl.h"

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
		if (!prof_is_used(&pr->pr_used) ||
		    prof_value(&pr->pr_count) == 0)
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
		lpr->lpr_hold_max_ns = prof_value(&pr->pr_hold_max_ns);
		lpr->lpr_wait_max_ns = prof_value(&pr->pr_wait_max_ns);
		lpr->lpr_hold_ns = prof_value(&pr->pr_hold_ns);
		lpr->lpr_wait_ns = prof_value(&pr->pr_wait_ns);
		lpr->lpr_count = prof_value(&pr->pr_count);
		lpr->lpr_contested = prof_value(&pr->pr_contested);
		for (unsigned b = 0; b < LOCK_HIST_BUCKETS; b++)
			lpr->lpr_wait_hist[b] =
			    prof_value(&pr->pr_wait_hist[b]);
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
		if (!prof_is_used(&pi->pi_used) ||
		    prof_value(&pi->pi_contested) == 0)
			continue;
		lpi = gather_add(arg, sizeof(*lpi));
		if (lpi == NULL)
			return (ENOMEM);
		lpi->lpi_name = printable(pi->pi_name);
		lpi->lpi_key = pi->pi_key;
		lpi->lpi_wait_ns = prof_value(&pi->pi_wait_ns);
		lpi->lpi_contested = prof_value(&pi->pi_contested);
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

/* Keys stay: only the numbers are zeroed. */
static void
table_reset(struct prof_table *pt)
{
	struct prof_inst *pi;
	struct prof_rec *pr;

	prof_set(&pt->pt_rejected, 0);
	for (size_t i = 0; i < pt->pt_nrecs; i++) {
		pr = &pt->pt_recs[i];
		if (!prof_is_used(&pr->pr_used))
			continue;
		prof_set(&pr->pr_hold_max_ns, 0);
		prof_set(&pr->pr_wait_max_ns, 0);
		prof_set(&pr->pr_hold_ns, 0);
		prof_set(&pr->pr_wait_ns, 0);
		prof_set(&pr->pr_count, 0);
		prof_set(&pr->pr_contested, 0);
		for (unsigned b = 0; b < LOCK_HIST_BUCKETS; b++)
			prof_set(&pr->pr_wait_hist[b], 0);
	}
	for (size_t i = 0; i < pt->pt_ninsts; i++) {
		pi = &pt->pt_insts[i];
		if (!prof_is_used(&pi->pi_used))
			continue;
		prof_set(&pi->pi_wait_ns, 0);
		prof_set(&pi->pi_contested, 0);
	}
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

	*sum += prof_value(&pt->pt_rejected);
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
		sum += prof_held(lpt);
	leaf_unlock(&lp->lp_lock);
	return (sum);
}
