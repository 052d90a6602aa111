/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * FreeBSD's umutexes of protocol UMUTEX_PRIO_INHERIT, in a process: what its kernel
 * does with the word, with those that sleep, and with the note of who owns it for
 * the purpose of lending.  It runs nobody with a lent priority; it says who would
 * be lent to.
 *
 * One mutex guards all.  A model of protocol, not of races within the kernel: what
 * is a step here takes several there, under a busy mark of the umutex.
 *
 * As in the kernel:
 *   - Who finds the word without an owner takes it by a CAS, also before the thread
 *	that an unlock has woken for it.
 *   - A sleeper sets UMUTEX_CONTESTED first.  The note of the owner (pi_owner) is
 *	made from the word by the first that sleeps, and ends with an unlock, or
 *	when nobody is in the kernel for that umutex any more.
 *   - An unlock by another than the owner in the word, or in the note, is EPERM.
 *   - An unlock leaves 0 where at most one sleeps, else UMUTEX_CONTESTED.
 *
 * What the kernel would take amiss in silence, or only some versions would, ends the
 * program here.  Every so often a sleep is interrupted, with nothing done.
 *
 * Source: FreeBSD releng/14, sys/kern/kern_umtx.c, _umtx_op(2).
 * Differs: sleepers are woken in the order of their coming, not of priority.
 */

#include "umtx_model.h"

#include <errno.h>
#include <pthread.h>
#include <pthread_np.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/rtprio.h>
#include <sys/umtx.h>

/* One sleep in so many is interrupted. */
#define INTERRUPT_EVERY 5

#define FIRST_TID 100001

struct sleeper {
	pthread_cond_t s_cond;
	bool s_woken;
	struct sleeper *s_next;
};

/* There as long as somebody is in do_lock(). */
struct pi {
	const void *pi_key;
	uint32_t pi_owner; /* 0: none */
	unsigned pi_refs;
	struct sleeper *pi_sleepers; /* not woken, in the order of coming */
	struct pi *pi_next;
};

static pthread_mutex_t model_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pi *model_pis;    /* model_lock */
static unsigned model_sleeps;   /* model_lock */
static struct rtprio model_rtp; /* model_lock */
static _Atomic int model_denied;

static _Noreturn void
amiss(const char *what)
{
	(void)fprintf(stderr, "umtx model: %s\n", what);
	abort();
}

int
pthread_getthreadid_np(void)
{
	static _Atomic int last = FIRST_TID;
	static _Thread_local int tid;

	/* Relaxed: distinct numbers, no more. */
	if (tid == 0)
		tid = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed);
	return (tid);
}

int
rtprio_thread(int function, int32_t lwpid, struct rtprio *rtp)
{
	(void)lwpid;
	if (function != RTP_LOOKUP)
		amiss("rtprio_thread: not a look-up");
	(void)pthread_mutex_lock(&model_lock);
	*rtp = model_rtp;
	(void)pthread_mutex_unlock(&model_lock);
	return (0);
}

void
umtx_model_rtprio(unsigned short type, unsigned short prio)
{
	(void)pthread_mutex_lock(&model_lock);
	model_rtp = (struct rtprio){ .type = type, .prio = prio };
	(void)pthread_mutex_unlock(&model_lock);
}

void
umtx_model_deny(int error)
{
	/* Relaxed: a setting of the test. */
	atomic_store_explicit(&model_denied, error, memory_order_relaxed);
}

unsigned
umtx_model_lends_to(uint32_t tid)
{
	unsigned n = 0;

	(void)pthread_mutex_lock(&model_lock);
	for (const struct pi *pi = model_pis; pi != NULL; pi = pi->pi_next) {
		if (pi->pi_owner != tid)
			continue;
		for (const struct sleeper *s = pi->pi_sleepers; s != NULL;
		     s = s->s_next)
			n++;
	}
	(void)pthread_mutex_unlock(&model_lock);
	return (n);
}

/* As the kernel does it; *oldp is what was there. */
static bool
word_cas(struct umutex *m, uint32_t old, uint32_t new, uint32_t *oldp)
{
	_Atomic uint32_t *word = (_Atomic uint32_t *)(void *)&m->m_owner;

	*oldp = old;
	return (atomic_compare_exchange_strong_explicit(
	    word, oldp, new, memory_order_acq_rel, memory_order_acquire));
}

static struct pi **
pi_find(const void *key)
{
	struct pi **pip = &model_pis;

	while (*pip != NULL && (*pip)->pi_key != key)
		pip = &(*pip)->pi_next;
	return (pip);
}

static struct pi *
pi_ref(const void *key)
{
	struct pi **pip = pi_find(key);

	if (*pip == NULL) {
		*pip = calloc(1, sizeof(**pip));
		if (*pip == NULL)
			amiss("no memory");
		(*pip)->pi_key = key;
	}
	(*pip)->pi_refs++;
	return (*pip);
}

static void
pi_unref(struct pi *pi)
{
	struct pi **pip = pi_find(pi->pi_key);

	if (--pi->pi_refs == 0) {
		*pip = pi->pi_next;
		free(pi);
	}
}

/* Drops model_lock meanwhile.  0 when woken, also for nothing. */
static int
sleep_on(struct pi *pi, const struct _umtx_time *ut)
{
	struct sleeper s = { .s_woken = false }, **sp;
	pthread_condattr_t attr;
	int error = 0;

	for (sp = &pi->pi_sleepers; *sp != NULL; sp = &(*sp)->s_next)
		continue;
	*sp = &s;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&s.s_cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (++model_sleeps % INTERRUPT_EVERY == 0)
		error = EINTR;
	while (!s.s_woken && error == 0) {
		error = ut != NULL ? pthread_cond_timedwait(
					 &s.s_cond, &model_lock, &ut->_timeout)
				   : pthread_cond_wait(&s.s_cond, &model_lock);
	}
	if (!s.s_woken) {
		for (sp = &pi->pi_sleepers; *sp != &s; sp = &(*sp)->s_next)
			continue;
		*sp = s.s_next;
	} else
		error = 0;
	(void)pthread_cond_destroy(&s.s_cond);
	return (error);
}

static int
lock_of(struct umutex *m, struct pi *pi, const struct _umtx_time *ut)
{
	uint32_t id = (uint32_t)pthread_getthreadid_np(), owner;
	int error = 0;

	for (;;) {
		if (word_cas(m, UMUTEX_UNOWNED, id, &owner))
			return (0);
		if (owner == UMUTEX_CONTESTED) {
			if (!word_cas(m, owner, id | UMUTEX_CONTESTED, &owner))
				continue;
			if (pi->pi_owner != 0)
				amiss("claimed, and owned by another");
			pi->pi_owner = id;
			return (0);
		}
		if ((owner & ~UMUTEX_CONTESTED) == id)
			return (EDEADLK);
		if (error != 0)
			return (error);
		if (!word_cas(m, owner, owner | UMUTEX_CONTESTED, &owner))
			continue;
		if (pi->pi_owner == 0)
			pi->pi_owner = owner & ~UMUTEX_CONTESTED;
		error = sleep_on(pi, ut);
	}
}

static int
do_unlock(struct umutex *m)
{
	uint32_t id = (uint32_t)pthread_getthreadid_np(), owner;
	struct pi *pi = *pi_find(m);
	struct sleeper *first = NULL;
	uint32_t new = UMUTEX_UNOWNED;

	/* A CAS that changes nothing, to read it. */
	(void)word_cas(m, 0, 0, &owner);
	if ((owner & ~UMUTEX_CONTESTED) != id)
		return (EPERM);
	if (pi != NULL) {
		first = pi->pi_sleepers;
		if (first != NULL && pi->pi_owner != id)
			return (EPERM);
		if (pi->pi_owner == id)
			pi->pi_owner = 0;
	}
	if (first != NULL) {
		if (first->s_next != NULL)
			new = UMUTEX_CONTESTED;
		pi->pi_sleepers = first->s_next;
		first->s_next = NULL;
		first->s_woken = true;
		(void)pthread_cond_signal(&first->s_cond);
	}
	return (word_cas(m, owner, new, &owner) ? 0 : EINVAL);
}

static const struct _umtx_time *
time_of(void *uaddr, void *uaddr2)
{
	const struct _umtx_time *ut = uaddr2;

	if (ut == NULL)
		return (NULL);
	if ((uintptr_t)uaddr != sizeof(*ut))
		amiss("the size of a timeout");
	if (ut->_flags != UMTX_ABSTIME || ut->_clockid != CLOCK_MONOTONIC)
		amiss("another clock, or a time from now");
	return (ut);
}

int
_umtx_op(void *obj, int op, unsigned long val, void *uaddr, void *uaddr2)
{
	struct umutex *m = obj;
	_Atomic uint32_t *flags = (_Atomic uint32_t *)(void *)&m->m_flags;
	struct pi *pi;
	int error;

	(void)val;
	/* Relaxed: a setting of the test. */
	error = atomic_load_explicit(&model_denied, memory_order_relaxed);
	/* Relaxed: the caller's own store, or another's of the same. */
	if (error == 0 &&
	    atomic_load_explicit(flags, memory_order_relaxed) !=
		UMUTEX_PRIO_INHERIT)
		amiss("a umutex of another protocol");
	if (error == 0) {
		(void)pthread_mutex_lock(&model_lock);
		if (op == UMTX_OP_MUTEX_LOCK) {
			pi = pi_ref(m);
			error = lock_of(m, pi, time_of(uaddr, uaddr2));
			pi_unref(pi);
		} else if (op == UMTX_OP_MUTEX_UNLOCK)
			error = do_unlock(m);
		else
			amiss("an operation that it does not have");
		(void)pthread_mutex_unlock(&model_lock);
	}
	errno = error;
	return (error == 0 ? 0 : -1);
}
