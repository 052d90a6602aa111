/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "none": excludes nobody and has no word.  It prices
 * everything around a lock; correct with one thread only.
 */

#include "lock/pv_backends.h"

static void
none_lock(void *word)
{
	(void)word;
}

static bool
none_trylock(void *word)
{
	(void)word;
	return (true);
}

static void
none_unlock(void *word, bool modified)
{
	(void)word;
	(void)modified;
}

const struct pv_lock_ops pv_lock_none = {
	.plo_name = "none",
	.plo_descr =
	    "no lock at all: the price of the harness, one thread only",
	.plo_flags = PLO_ZEROINIT | PLO_NOLOCK,
	.plo_lock = none_lock,
	.plo_trylock = none_trylock,
	.plo_unlock = none_unlock,
};
