/* SPDX-License-Identifier: BSD-2-Clause */

#include <new>

#include <oneapi/tbb/mutex.h>
#include <oneapi/tbb/spin_mutex.h>

#include "peers.h"

static_assert(
    sizeof(tbb::spin_mutex) <= PEER_TBB_SPIN_BYTES, "as the table says");
static_assert(sizeof(tbb::mutex) <= PEER_TBB_MUTEX_BYTES, "as the table says");

int
peer_tbb_spin_init(void *word)
{
	new (word) tbb::spin_mutex;
	return (0);
}

void
peer_tbb_spin_destroy(void *word)
{
	static_cast<tbb::spin_mutex *>(word)->~spin_mutex();
}

void
peer_tbb_spin_lock(void *word)
{
	static_cast<tbb::spin_mutex *>(word)->lock();
}

bool
peer_tbb_spin_trylock(void *word)
{
	return (static_cast<tbb::spin_mutex *>(word)->try_lock());
}

void
peer_tbb_spin_unlock(void *word, bool modified)
{
	(void)modified;
	static_cast<tbb::spin_mutex *>(word)->unlock();
}

int
peer_tbb_mutex_init(void *word)
{
	new (word) tbb::mutex;
	return (0);
}

void
peer_tbb_mutex_destroy(void *word)
{
	static_cast<tbb::mutex *>(word)->~mutex();
}

void
peer_tbb_mutex_lock(void *word)
{
	static_cast<tbb::mutex *>(word)->lock();
}

bool
peer_tbb_mutex_trylock(void *word)
{
	return (static_cast<tbb::mutex *>(word)->try_lock());
}

void
peer_tbb_mutex_unlock(void *word, bool modified)
{
	(void)modified;
	static_cast<tbb::mutex *>(word)->unlock();
}
