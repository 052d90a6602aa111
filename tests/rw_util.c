/* SPDX-License-Identifier: BSD-2-Clause */

#include "rw_util.h"

#include <sched.h>

uint64_t
word(const struct rwlock *rw)
{
	/* Relaxed: threads are joined, or the value is our own. */
	return (atomic_load_explicit(&rw->rw_lock, memory_order_relaxed));
}

unsigned
inside(struct shared *s)
{
	/* Relaxed: a signal, nothing is published with it. */
	return (atomic_load_explicit(&s->s_inside, memory_order_relaxed));
}

void
try_read(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	s->s_result = rw_try_rlock(&s->s_rw);
	if (s->s_result)
		rw_runlock(&s->s_rw);
}

void
try_write(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	s->s_result = rw_wowned(&s->s_rw) || rw_try_wlock(&s->s_rw);
	if (s->s_result)
		rw_wunlock(&s->s_rw);
}

void
enter(void *arg, unsigned i)
{
	struct shared *s = arg;

	if (i >= NTHREADS / 2) {
		rw_wlock(&s->s_rw);
		s->s_trail[s->s_a++] = i;
		rw_wunlock(&s->s_rw);
	} else {
		rw_rlock(&s->s_rw);
		s->s_trail[i] = (unsigned)s->s_a;
		/* Relaxed: a signal, nothing is published with it. */
		atomic_fetch_add_explicit(
		    &s->s_inside, 1, memory_order_relaxed);
		while (inside(s) < NTHREADS / 2)
			(void)sched_yield();
		rw_runlock(&s->s_rw);
	}
}
