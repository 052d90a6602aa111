/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only file that names liburcu.
 *
 * Flavour: "memb".  A reader's entry and exit are a store each and a compiler
 * barrier; rcu_synchronize() pays for both with membarrier(2), or, where the
 * kernel has none, readers fall back to a fence.
 */
#include "kern/rcu.h"

#include <time.h>

#include <urcu/futex.h>
#include <urcu/urcu-memb.h>

#include "kern/kassert.h"
#include "kern/sanitizer.h"

#define NS_PER_S UINT64_C(1000000000)

_Static_assert(sizeof(_Atomic uint32_t) == sizeof(int32_t),
    "a futex is an int32_t to liburcu");

/* Registrations by this thread that are not undone yet. */
static _Thread_local unsigned rcu_registered;

/*
 * ThreadSanitizer does not see liburcu's barriers.  A reader's exit releases
 * rcu_order and the end of a grace period acquires it.  That is a little more
 * than RCU promises: it also orders readers that ended before others began to
 * wait, which is true as well, only by other means.
 */
static char rcu_order;

void
rcu_thread_register(void)
{
	if (rcu_registered++ == 0)
		urcu_memb_register_thread();
}

void
rcu_thread_unregister(void)
{
	KASSERT(rcu_registered > 0, ("RCU thread not registered"));
	if (--rcu_registered == 0)
		urcu_memb_unregister_thread();
}

void
rcu_enter(void)
{
	KASSERT(rcu_registered > 0, ("RCU reader not registered"));
	urcu_memb_read_lock();
}

void
rcu_exit(void)
{
	tsan_release(&rcu_order);
	urcu_memb_read_unlock();
}

void
rcu_synchronize(void)
{
	KASSERT(rcu_registered == 0 || !urcu_memb_read_ongoing(),
	    ("RCU reader waits for itself"));
	urcu_memb_synchronize_rcu();
	tsan_acquire(&rcu_order);
}

static struct timespec
ns_to_timespec(uint64_t ns)
{
	/* A time_t may have 32 bits; nobody waits for 68 years. */
	uint64_t s = ns / NS_PER_S;

	return ((struct timespec){
	    .tv_sec = s > INT32_MAX ? INT32_MAX : (time_t)s,
	    .tv_nsec = (long)(ns % NS_PER_S),
	});
}

/*
 * liburcu passes the timeout on as it is: relative to Linux, a point in time on
 * CLOCK_MONOTONIC to FreeBSD.  Its replacement for other systems has none.
 */
#if defined(__linux__)
static void
futex_wait_for(int32_t *word, int32_t expected, uint64_t ns)
{
	struct timespec ts = ns_to_timespec(ns);

	(void)futex_noasync(word, FUTEX_WAIT, expected, &ts, NULL, 0);
}
#elif defined(__FreeBSD__)
static void
futex_wait_for(int32_t *word, int32_t expected, uint64_t ns)
{
	struct timespec now, ts = ns_to_timespec(ns);

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	ts.tv_sec += now.tv_sec;
	ts.tv_nsec += now.tv_nsec;
	if (ts.tv_nsec >= (long)NS_PER_S) {
		ts.tv_nsec -= (long)NS_PER_S;
		ts.tv_sec++;
	}
	(void)futex_noasync(word, FUTEX_WAIT, expected, &ts, NULL, 0);
}
#else
static void
futex_wait_for(int32_t *word, int32_t expected, uint64_t ns)
{
	/* Polled: the caller looks again, at most a millisecond late. */
	struct timespec ts = ns_to_timespec(ns > 1000000 ? 1000000 : ns);

	(void)word;
	(void)expected;
	(void)nanosleep(&ts, NULL);
}
#endif

/* Not a plain cast: gcc takes _Atomic for a qualifier that is lost. */
static int32_t *
futex_addr(_Atomic uint32_t *word)
{
	return ((int32_t *)(uintptr_t)word);
}

void
futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
	int32_t *addr = futex_addr(word);

	if (timeout_ns != UINT64_MAX)
		futex_wait_for(addr, (int32_t)expected, timeout_ns);
	else
		(void)futex_noasync(
		    addr, FUTEX_WAIT, (int32_t)expected, NULL, NULL, 0);
}

void
futex_wake(_Atomic uint32_t *word, int n)
{
	(void)futex_noasync(futex_addr(word), FUTEX_WAKE, n, NULL, NULL, 0);
}
