/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "pthread_adaptive": glibc's mutex that spins for up to a
 * hundred rounds before it sleeps.  The type is an extension and its number is
 * not zero, so a zeroed word is a mutex of another type and plo_init is needed.
 * Where the host's library is another, there is no such backend.
 */

#include "lock/pv_backends.h"

#ifdef PV_HAVE_PTHREAD_ADAPTIVE

#include "lock/lock_pthread.h"

static int
pthread_adaptive_init(void *word)
{
	return (pthread_word_init(
	    word, pthread_mutexattr_settype, PTHREAD_MUTEX_ADAPTIVE_NP));
}

const struct pv_lock_ops pv_lock_pthread_adaptive = {
	.plo_name = "pthread_adaptive",
	.plo_descr = "the host's mutex that spins before it sleeps (glibc)",
	.plo_init = pthread_adaptive_init,
	.plo_destroy = pthread_word_destroy,
	PTHREAD_WORD_OPS,
};

#endif /* PV_HAVE_PTHREAD_ADAPTIVE */
