/* SPDX-License-Identifier: BSD-2-Clause */

#include <nsync.h>

#include "peers.h"

_Static_assert(sizeof(nsync_mu) <= PEER_NSYNC_BYTES, "as the table says");

int
peer_nsync_init(void *word)
{
	nsync_mu_init(word);
	return (0);
}

void
peer_nsync_destroy(void *word)
{
	(void)word;
}

void
peer_nsync_lock(void *word)
{
	nsync_mu_lock(word);
}

bool
peer_nsync_trylock(void *word)
{
	return (nsync_mu_trylock(word) != 0);
}

void
peer_nsync_unlock(void *word, bool modified)
{
	(void)modified;
	nsync_mu_unlock(word);
}

void
peer_nsync_rlock(void *word)
{
	nsync_mu_rlock(word);
}

bool
peer_nsync_tryrlock(void *word)
{
	return (nsync_mu_rtrylock(word) != 0);
}

void
peer_nsync_runlock(void *word)
{
	nsync_mu_runlock(word);
}
