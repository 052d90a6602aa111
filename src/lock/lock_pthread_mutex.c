/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "pthread_mutex": the host's default mutex, the baseline.
 *
 * Zeroed memory is an unlocked mutex where PTHREAD_MUTEX_INITIALIZER is all
 * zero and locking such a mutex does not allocate.  Both hold for glibc and
 * musl on Linux; test_pv_lock compares the initializer with zeroes.  On FreeBSD
 * the initializer is a null pointer, zero too, but the first lock then
 * allocates the mutex behind it, which a backend may not: so everywhere else the
 * word is made by plo_init.  It is decided when we are built and not at run
 * time, because the flag decides how headers are laid out and made.
 *
 * The host keeps no owner that one may ask for: plo_owned goes by td_pv_held.
 */

#include "lock/lock_pthread.h"

#include "kern/kassert.h"
#include "lock/pv_backends.h"
#include "sim/sim.h"

#ifdef __linux__
#define PTHREAD_MUTEX_FLAGS   PLO_ZEROINIT
#define PTHREAD_MUTEX_INIT    NULL
#define PTHREAD_MUTEX_DESTROY NULL
#else
static int
pthread_mutex_word_init(void *word)
{
	return (pthread_mutex_init(word, NULL));
}
#define PTHREAD_MUTEX_FLAGS   0
#define PTHREAD_MUTEX_INIT    pthread_mutex_word_init
#define PTHREAD_MUTEX_DESTROY pthread_word_destroy
#endif

int
pthread_word_init(void *word, int (*fn)(pthread_mutexattr_t *, int), int value)
{
	pthread_mutexattr_t attr;
	int error;

	error = pthread_mutexattr_init(&attr);
	if (error != 0)
		return (error);
	error = fn(&attr, value);
	if (error == 0)
		error = pthread_mutex_init(word, &attr);
	(void)pthread_mutexattr_destroy(&attr);
	return (error);
}

void
pthread_word_destroy(void *word)
{
	int error = pthread_mutex_destroy(word);

	KASSERT(error == 0, ("pthread_mutex_destroy: error %d", error));
	(void)error;
}

void
pthread_word_lock(void *word)
{
	int error = pthread_mutex_lock(word);

	KASSERT(error == 0, ("pthread_mutex_lock: error %d", error));
	(void)error;
}

bool
pthread_word_trylock(void *word)
{
	return (pthread_mutex_trylock(word) == 0);
}

void
pthread_word_unlock(void *word, bool modified)
{
	int error = pthread_mutex_unlock(word);

	KASSERT(error == 0, ("pthread_mutex_unlock: error %d", error));
	(void)error;
	(void)modified;
}

bool
pthread_word_owned(const void *word)
{
	return (curthread()->td_pv_held == word);
}

const struct pv_lock_ops pv_lock_pthread_mutex = {
	.plo_name = "pthread_mutex",
	.plo_descr = "the host's default mutex; the baseline",
	.plo_flags = PTHREAD_MUTEX_FLAGS,
	.plo_init = PTHREAD_MUTEX_INIT,
	.plo_destroy = PTHREAD_MUTEX_DESTROY,
	PTHREAD_WORD_OPS,
};
_Static_assert(sizeof(pthread_mutex_t) <= PV_LOCK_WORD_MAX,
    "a foreign mutex fits the largest word");
