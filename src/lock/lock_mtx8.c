/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "mtx8": the word of a mutex without its lock_object, 8 bytes
 * instead of 32.  Owner, blocking and exact assertions are those of mtx.c.
 */

#include "lock/mtx.h"
#include "lock/pv_backends.h"

static void
mtx8_lock(void *word)
{
	mtx_word_lock(word, curthread());
}

static bool
mtx8_trylock(void *word)
{
	return (mtx_word_trylock(word, curthread()));
}

static void
mtx8_unlock(void *word, bool modified)
{
	(void)modified;
	mtx_word_unlock(word, curthread());
}

static bool
mtx8_owned(const void *word)
{
	return (mtx_word_owned(word));
}

const struct pv_lock_ops pv_lock_mtx8 = {
	.plo_name = "mtx8",
	.plo_descr = "8-byte mutex, owner in the word; blocks on a turnstile",
	.plo_size = sizeof(uint64_t),
	.plo_align = _Alignof(_Atomic uint64_t),
	.plo_flags = PLO_ZEROINIT,
	.plo_lock = mtx8_lock,
	.plo_trylock = mtx8_trylock,
	.plo_unlock = mtx8_unlock,
	.plo_owned = mtx8_owned,
};
