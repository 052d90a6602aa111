/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "ck_fas": Concurrency Kit's fetch-and-store (test and test-and-set)
 * lock, without back-off.  Zero is unlocked, CK_SPINLOCK_FAS_INITIALIZER.
 */

#include <ck_spinlock.h>

#include "lock/lock_ck.h"
#include "lock/pv_backends.h"

static void
ck_fas_lock(void *word)
{
	ck_spinlock_fas_lock(word);
	tsan_acquire(word);
}

static bool
ck_fas_trylock(void *word)
{
	if (!ck_spinlock_fas_trylock(word))
		return (false);
	tsan_acquire(word);
	return (true);
}

static void
ck_fas_unlock(void *word, bool modified)
{
	(void)modified;
	tsan_release(word);
	ck_spinlock_fas_unlock(word);
}

const struct pv_lock_ops pv_lock_ck_fas = {
	.plo_name = "ck_fas",
	.plo_descr = "Concurrency Kit: test and set, unfair",
	.plo_size = sizeof(struct ck_spinlock_fas),
	.plo_align = _Alignof(struct ck_spinlock_fas),
	.plo_flags = PLO_ZEROINIT | PLO_SPIN,
	.plo_lock = ck_fas_lock,
	.plo_trylock = ck_fas_trylock,
	.plo_unlock = ck_fas_unlock,
	.plo_owned = ck_word_owned,
};
