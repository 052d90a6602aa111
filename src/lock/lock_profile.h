/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_LOCK_PROFILE_H
#define LOCK_LOCK_PROFILE_H

/*
 * The lock profile: who waited how long for which lock, in the columns of
 * FreeBSD's debug.lock.prof.stats.
 *
 * Nothing is shared on a hot path.  Each profiled thread has a hash of records,
 * keyed by (name, class, file, line of the acquisition), and a list of the locks
 * it holds.  A wait is counted from the first failed try; all accounting happens
 * at release.  Readers add the threads' records up, exactly when the threads are
 * quiescent.  Threads that leave hand their records to the machine.
 *
 * Source: FreeBSD releng/12.1, sys/kern/subr_lock.c.
 */

#include "lock/lock.h"

/* What a wait or hold histogram resolves: 4 buckets an octave of nanoseconds. */
#define LOCK_HIST_BUCKETS 160

struct lock_prof_record {
	const char *lpr_name;
	enum lock_class lpr_class;
	const char *lpr_file;
	int lpr_line;
	uint64_t lpr_hold_max_ns;
	uint64_t lpr_wait_max_ns;
	uint64_t lpr_hold_ns;
	uint64_t lpr_wait_ns;
	uint64_t lpr_count;     /* acquisitions */
	uint64_t lpr_contested; /* of them, those that failed at first */
	uint64_t lpr_wait_hist[LOCK_HIST_BUCKETS]; /* contested ones */
};

/*
 * The current time, never 0: a t0 of 0 below means that the first try succeeded.
 *
 * Called by lock_hooks.c, td->td_prof != NULL.  lo gives name and class; key is
 * the lock instance's address.
 */
uint64_t lock_profile_now(struct thread *td);
void lock_profile_acquired(struct thread *td, const struct lock_object *lo,
    const void *key, uint64_t t0, const char *file, int line);
void lock_profile_release(struct thread *td, const void *key);

/*
 * Sum over all threads, present and past.  by_site: one record for each
 * acquisition site; otherwise one for each "class:name", file NULL and line 0.
 * *recs is malloc()ed by the caller's libc and sorted by total wait,
 * descending; the caller frees it.  Returns 0 or ENOMEM.
 */
int lock_profile_collect(struct sim *sim, bool by_site,
    struct lock_prof_record **recs, size_t *nrecs);
/* Zero all records of all threads.  Threads must be quiescent. */
void lock_profile_reset(struct sim *sim);

/*
 * Locks by instance, where contested: how often and how long.  Sorted by wait;
 * shows collisions among hashed locks.  Same contract as above.
 */
struct lock_prof_instance {
	const char *lpi_name;
	const void *lpi_key;
	uint64_t lpi_wait_ns;
	uint64_t lpi_contested;
};
int lock_profile_instances(
    struct sim *sim, struct lock_prof_instance **insts, size_t *ninsts);

/* Threads must have released everything: the number of held records left. */
unsigned lock_profile_held(struct sim *sim);

/* Events not counted because a thread's fixed tables were full. */
uint64_t lock_profile_rejected(struct sim *sim);

/* Value in ns below which fraction q (0 to 1) of a histogram lies; 0 if empty. */
uint64_t lock_hist_quantile(const uint64_t hist[LOCK_HIST_BUCKETS], double q);
unsigned lock_hist_bucket(uint64_t ns);

/* For lock.c: the machine's and the threads' share of the above. */
struct lock_profile;
int lock_profile_create(struct sim *sim, struct lock_profile **lpp);
void lock_profile_destroy(struct sim *sim, struct lock_profile *lp);
/* Sets td->td_prof.  Returns 0 or ENOMEM. */
int lock_profile_thread_create(struct lock_profile *lp, struct thread *td);
/* Hands td's records over; td->td_prof becomes NULL. */
void lock_profile_thread_retire(struct lock_profile *lp, struct thread *td);

#endif /* LOCK_LOCK_PROFILE_H */
