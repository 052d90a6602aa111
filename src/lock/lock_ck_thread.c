/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A place for each thread in a table that is never freed: see lock_ck.h.
 *
 * The table is static and a thread that ends returns its place, so the first use
 * in a thread allocates nothing.  Places are handed out last in, first out: as
 * many are touched as there ever were threads at a time.
 */

#include "lock/lock_ck.h"

#include <pthread.h>

_Thread_local struct ck_thread *ck_thread_known;

static struct ck_thread ck_threads[CK_THREADS_MAX];
static unsigned ck_nthreads;      /* ever handed out; ck_mutex */
static struct ck_thread *ck_free; /* ck_mutex */
static pthread_mutex_t ck_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t ck_key; /* its destructor is what we want of it */
static pthread_once_t ck_once = PTHREAD_ONCE_INIT;

static void
ck_thread_leave(void *arg)
{
	struct ck_thread *ct = arg;

	ck_thread_known = NULL;
	(void)pthread_mutex_lock(&ck_mutex);
	ct->ct_next = ck_free;
	ck_free = ct;
	(void)pthread_mutex_unlock(&ck_mutex);
}

static void
ck_thread_init(void)
{
	int error = pthread_key_create(&ck_key, ck_thread_leave);

	if (error != 0)
		panic("ck locks: pthread_key_create: error %d", error);
}

__slowpath struct ck_thread *
ck_thread_register(void)
{
	struct ck_thread *ct;
	int error;

	(void)pthread_once(&ck_once, ck_thread_init);
	(void)pthread_mutex_lock(&ck_mutex);
	ct = ck_free;
	if (ct != NULL) {
		ck_free = ct->ct_next;
	} else if (ck_nthreads < CK_THREADS_MAX) {
		ct = &ck_threads[ck_nthreads];
		ct->ct_id = ck_nthreads++;
	}
	(void)pthread_mutex_unlock(&ck_mutex);
	if (ct == NULL)
		panic("ck locks: more than %u threads", CK_THREADS_MAX);
	ck_thread_known = ct;
	error = pthread_setspecific(ck_key, ct);
	if (error != 0)
		panic("ck locks: pthread_setspecific: error %d", error);
	return (ct);
}
