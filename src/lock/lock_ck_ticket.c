/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "ck_ticket": Concurrency Kit's ticket lock, without back-off.  Zero is
 * unlocked, CK_SPINLOCK_TICKET_INITIALIZER.
 *
 * Limits.  On amd64 the word is 4 bytes, tickets have 16 bits: at most 65535
 * threads wait for one.
 */

#include <ck_spinlock.h>

#include "lock/lock_ck.h"
#include "lock/pv_backends.h"

static void
ck_ticket_lock(void *word)
{
	ck_spinlock_ticket_lock(word);
	tsan_acquire(word);
}

static bool
ck_ticket_trylock(void *word)
{
	if (!ck_spinlock_ticket_trylock(word))
		return (false);
	tsan_acquire(word);
	return (true);
}

static void
ck_ticket_unlock(void *word, bool modified)
{
	(void)modified;
	tsan_release(word);
	ck_spinlock_ticket_unlock(word);
}

const struct pv_lock_ops pv_lock_ck_ticket = {
	.plo_name = "ck_ticket",
	.plo_descr = "Concurrency Kit: tickets, first come first served",
	.plo_size = sizeof(struct ck_spinlock_ticket),
	.plo_align = _Alignof(struct ck_spinlock_ticket),
	.plo_flags = PLO_ZEROINIT | PLO_FAIR | PLO_SPIN,
	.plo_lock = ck_ticket_lock,
	.plo_trylock = ck_ticket_trylock,
	.plo_unlock = ck_ticket_unlock,
	.plo_owned = ck_word_owned,
};
