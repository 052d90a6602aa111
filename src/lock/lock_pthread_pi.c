/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "pthread_pi": the host's mutex with priority inheritance, the
 * peer of every lock of ours that lends.  On Linux a contended one is handed
 * over by the kernel from owner to first waiter, each time.
 *
 * plo_init returns ENOTSUP where the host has no priority inheritance.
 */

#include "lock/lock_pthread.h"
#include "lock/pv_backends.h"

static int
pthread_pi_init(void *word)
{
	return (pthread_word_init(
	    word, pthread_mutexattr_setprotocol, PTHREAD_PRIO_INHERIT));
}

const struct pv_lock_ops pv_lock_pthread_pi = {
	.plo_name = "pthread_pi",
	.plo_descr = "the host's mutex with priority inheritance",
	.plo_init = pthread_pi_init,
	.plo_destroy = pthread_word_destroy,
	PTHREAD_WORD_OPS,
};
