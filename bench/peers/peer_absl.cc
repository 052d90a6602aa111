/* SPDX-License-Identifier: BSD-2-Clause */

#include <new>

#include <absl/synchronization/mutex.h>

#include "peers.h"

static_assert(sizeof(absl::Mutex) <= PEER_ABSL_BYTES, "as the table says");

static absl::Mutex *
mutex_of(void *word)
{
	return (static_cast<absl::Mutex *>(word));
}

int
peer_absl_init(void *word)
{
	/* Debian builds it in; it would triple the price of a pair. */
	absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
	new (word) absl::Mutex;
	return (0);
}

void
peer_absl_destroy(void *word)
{
	mutex_of(word)->~Mutex();
}

void
peer_absl_lock(void *word)
{
	mutex_of(word)->Lock();
}

bool
peer_absl_trylock(void *word)
{
	return (mutex_of(word)->TryLock());
}

void
peer_absl_unlock(void *word, bool modified)
{
	(void)modified;
	mutex_of(word)->Unlock();
}

void
peer_absl_rlock(void *word)
{
	mutex_of(word)->ReaderLock();
}

bool
peer_absl_tryrlock(void *word)
{
	return (mutex_of(word)->ReaderTryLock());
}

void
peer_absl_runlock(void *word)
{
	mutex_of(word)->ReaderUnlock();
}
