/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "ck_anderson": Concurrency Kit's array lock; each waiter spins
 * on a slot of its own in the lock's array, handed on in a circle.
 *
 * The array.  It needs a slot for each thread that may wait: with fewer, two
 * threads share a slot and both enter.  It does not fit into a word, so plo_init
 * allocates it: ANDERSON_SLOTS of 8 bytes, 2 KB for each lock, which is what this
 * algorithm costs and why it is here for comparison only.  The number of slots
 * cannot follow the number of threads, which nobody knows when headers are made;
 * a thread that finds itself beyond it panics rather than break exclusion.
 *
 * Slots are not padded to cache lines, as Concurrency Kit's own are not: that
 * would be 16 KB a lock.
 *
 * Try-lock.  Concurrency Kit has none.  The slot that the next thread will take
 * is open while the lock is free, and only while it is: ours looks, and takes
 * the number by a CAS.  The number repeats after 2^32 acquisitions.
 */

#include <ck_pr.h>
#include <ck_spinlock.h>
#include <errno.h>
#include <stdlib.h>

#include "kern/kassert.h"
#include "lock/lock_ck.h"
#include "lock/pv_backends.h"

#define ANDERSON_SLOTS 256 /* a power of two, so that numbers may wrap */

/* From lock to unlock: a thread holds at most one pv list lock. */
static _Thread_local ck_spinlock_anderson_thread_t *slot;

static int
ck_anderson_init(void *word)
{
	ck_spinlock_anderson_thread_t *slots;

	slots =
	    aligned_alloc(CACHE_LINE_SIZE, ANDERSON_SLOTS * sizeof(slots[0]));
	if (slots == NULL)
		return (ENOMEM);
	ck_spinlock_anderson_init(word, slots, ANDERSON_SLOTS);
	return (0);
}

static void
ck_anderson_destroy(void *word)
{
	ck_spinlock_anderson_t *lock = word;

	free(lock->slots);
	*lock = (ck_spinlock_anderson_t){ .slots = NULL };
}

static void
check_thread(void)
{
	if (__predict_false(ck_thread_self()->ct_id >= ANDERSON_SLOTS))
		panic("ck_anderson: more than %d threads", ANDERSON_SLOTS);
}

static void
ck_anderson_lock(void *word)
{
	check_thread();
	ck_spinlock_anderson_lock(word, &slot);
	tsan_acquire(word);
}

static bool
ck_anderson_trylock(void *word)
{
	ck_spinlock_anderson_t *lock = word;
	ck_spinlock_anderson_thread_t *next;
	unsigned position;

	check_thread();
	position = ck_pr_load_uint(&lock->next);
	next = &lock->slots[position & lock->mask];
	if (ck_pr_load_uint(&next->locked) != 0 ||
	    !ck_pr_cas_uint(&lock->next, position, position + 1))
		return (false);
	ck_pr_store_uint(&next->locked, true);
	ck_pr_fence_lock();
	slot = next;
	tsan_acquire(word);
	return (true);
}

static void
ck_anderson_unlock(void *word, bool modified)
{
	(void)modified;
	tsan_release(word);
	ck_spinlock_anderson_unlock(word, slot);
}

const struct pv_lock_ops pv_lock_ck_anderson = {
	.plo_name = "ck_anderson",
	.plo_descr = "Concurrency Kit: array of 256 slots, first come first "
		     "served",
	.plo_size = sizeof(ck_spinlock_anderson_t),
	.plo_align = _Alignof(ck_spinlock_anderson_t),
	.plo_flags = PLO_FAIR | PLO_SPIN,
	.plo_init = ck_anderson_init,
	.plo_destroy = ck_anderson_destroy,
	.plo_lock = ck_anderson_lock,
	.plo_trylock = ck_anderson_trylock,
	.plo_unlock = ck_anderson_unlock,
	.plo_owned = ck_word_owned,
};
_Static_assert(sizeof(ck_spinlock_anderson_t) <= PV_LOCK_WORD_MAX,
    "the word has no array in it");
