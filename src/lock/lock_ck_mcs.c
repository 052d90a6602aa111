/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "ck_mcs": Concurrency Kit's MCS queue lock; each waiter spins
 * on its own node.  The word is the queue's tail, NULL when free.
 *
 * The node is the thread's: it is on a queue from lock to unlock only, a thread
 * holds at most one pv list lock, and a holder does not end.
 */

#include <ck_spinlock.h>

#include "lock/lock_ck.h"
#include "lock/pv_backends.h"

static _Thread_local _Alignas(CACHE_LINE_SIZE) struct ck_spinlock_mcs node;

static void
ck_mcs_lock(void *word)
{
	ck_spinlock_mcs_lock(word, &node);
	tsan_acquire(word);
}

static bool
ck_mcs_trylock(void *word)
{
	if (!ck_spinlock_mcs_trylock(word, &node))
		return (false);
	tsan_acquire(word);
	return (true);
}

static void
ck_mcs_unlock(void *word, bool modified)
{
	(void)modified;
	tsan_release(word);
	ck_spinlock_mcs_unlock(word, &node);
}

const struct pv_lock_ops pv_lock_ck_mcs = {
	.plo_name = "ck_mcs",
	.plo_descr = "Concurrency Kit: MCS queue, first come first served",
	.plo_size = sizeof(ck_spinlock_mcs_t),
	.plo_align = _Alignof(ck_spinlock_mcs_t),
	.plo_flags = PLO_ZEROINIT | PLO_FAIR | PLO_SPIN,
	.plo_lock = ck_mcs_lock,
	.plo_trylock = ck_mcs_trylock,
	.plo_unlock = ck_mcs_unlock,
	.plo_owned = ck_word_owned,
};
