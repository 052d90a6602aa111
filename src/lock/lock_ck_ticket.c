/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "ck_ticket": Concurrency Kit's ticket lock, without back-off.  Zero is
 * unlocked, CK_SPINLOCK_TICKET_INITIALIZER.
 *
 * Two forms.  On amd64 both tickets are in one word of 4 bytes.  Elsewhere they are
 * two words, and Concurrency Kit has no trylock; ours follows from what lock does.
 *
 * Limits.  On amd64 tickets have 16 bits: at most 65535 threads wait for one.
 */

#include <ck_spinlock.h>

#include "lock/lock_ck.h"
#include "lock/pv_backends.h"

#ifdef CK_F_SPINLOCK_TICKET_TRYLOCK
#define ticket_try ck_spinlock_ticket_trylock
#else
/* The position never passes next: where the next ticket is still that, it is free. */
static bool
ticket_try(struct ck_spinlock_ticket *ticket)
{
	unsigned position = ck_pr_load_uint(&ticket->position);

	if (!ck_pr_cas_uint(&ticket->next, position, position + 1))
		return (false);
	ck_pr_fence_lock();
	return (true);
}
#endif

static void
ck_ticket_lock(void *word)
{
	ck_spinlock_ticket_lock(word);
	tsan_acquire(word);
}

static bool
ck_ticket_trylock(void *word)
{
	if (!ticket_try(word))
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
