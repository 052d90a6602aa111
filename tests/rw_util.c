/* SPDX-License-Identifier: BSD-2-Clause */

#include "rw_util.h"

#include <sched.h>
#include <string.h>

static void
of_rwlock_init(void *l, bool recurse)
{
	rw_init(l, "test", recurse ? RW_RECURSE : 0);
}

static void
of_rwlock_destroy(void *l)
{
	rw_destroy(l);
}

static void
of_rwlock_rlock(void *l)
{
	rw_rlock(l);
}

static void
of_rwlock_runlock(void *l)
{
	rw_runlock(l);
}

static void
of_rwlock_wlock(void *l)
{
	rw_wlock(l);
}

static void
of_rwlock_wunlock(void *l)
{
	rw_wunlock(l);
}

static bool
of_rwlock_try_rlock(void *l)
{
	return (rw_try_rlock(l));
}

static bool
of_rwlock_try_wlock(void *l)
{
	return (rw_try_wlock(l));
}

static bool
of_rwlock_try_upgrade(void *l)
{
	return (rw_try_upgrade(l));
}

static void
of_rwlock_downgrade(void *l)
{
	rw_downgrade(l);
}

static bool
of_rwlock_wowned(void *l)
{
	return (rw_wowned(l));
}

static unsigned
of_rwlock_nread(const struct thread *td)
{
	return (td->td_rw_rlocks);
}

const struct rw_api rw_api_rwlock = {
	.ra_init = of_rwlock_init,
	.ra_destroy = of_rwlock_destroy,
	.ra_rlock = of_rwlock_rlock,
	.ra_runlock = of_rwlock_runlock,
	.ra_wlock = of_rwlock_wlock,
	.ra_wunlock = of_rwlock_wunlock,
	.ra_try_rlock = of_rwlock_try_rlock,
	.ra_try_wlock = of_rwlock_try_wlock,
	.ra_try_upgrade = of_rwlock_try_upgrade,
	.ra_downgrade = of_rwlock_downgrade,
	.ra_wowned = of_rwlock_wowned,
	.ra_nread = of_rwlock_nread,
};

static void
of_sx_init(void *l, bool recurse)
{
	sx_init(l, "test", recurse ? SX_RECURSE : 0);
}

static void
of_sx_destroy(void *l)
{
	sx_destroy(l);
}

static void
of_sx_rlock(void *l)
{
	sx_slock(l);
}

static void
of_sx_runlock(void *l)
{
	sx_sunlock(l);
}

static void
of_sx_wlock(void *l)
{
	sx_xlock(l);
}

static void
of_sx_wunlock(void *l)
{
	sx_unlock(l);
}

static bool
of_sx_try_rlock(void *l)
{
	return (sx_try_slock(l));
}

static bool
of_sx_try_wlock(void *l)
{
	return (sx_try_xlock(l));
}

static bool
of_sx_try_upgrade(void *l)
{
	return (sx_try_upgrade(l));
}

static void
of_sx_downgrade(void *l)
{
	sx_downgrade(l);
}

static bool
of_sx_wowned(void *l)
{
	return (sx_xlocked(l));
}

static unsigned
of_sx_nread(const struct thread *td)
{
	return (td->td_sx_slocks);
}

const struct rw_api rw_api_sx = {
	.ra_init = of_sx_init,
	.ra_destroy = of_sx_destroy,
	.ra_rlock = of_sx_rlock,
	.ra_runlock = of_sx_runlock,
	.ra_wlock = of_sx_wlock,
	.ra_wunlock = of_sx_wunlock,
	.ra_try_rlock = of_sx_try_rlock,
	.ra_try_wlock = of_sx_try_wlock,
	.ra_try_upgrade = of_sx_try_upgrade,
	.ra_downgrade = of_sx_downgrade,
	.ra_wowned = of_sx_wowned,
	.ra_nread = of_sx_nread,
};

void
shared_init(struct shared *s, const struct rw_api *api)
{
	memset(s, 0, sizeof(*s));
	s->s_api = api;
	api->ra_init(&s->s_rw, false);
}

_Atomic uint64_t *
word_of(struct shared *s)
{
	return (s->s_api == &rw_api_sx ? &s->s_sx.sx_lock : &s->s_rw.rw_lock);
}

uint64_t
word(struct shared *s)
{
	/* Relaxed: threads are joined, or the value is our own. */
	return (atomic_load_explicit(word_of(s), memory_order_relaxed));
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
	s->s_result = s->s_api->ra_try_rlock(&s->s_rw);
	if (s->s_result)
		s->s_api->ra_runlock(&s->s_rw);
}

void
try_write(void *arg, unsigned i)
{
	struct shared *s = arg;

	(void)i;
	s->s_result =
	    s->s_api->ra_wowned(&s->s_rw) || s->s_api->ra_try_wlock(&s->s_rw);
	if (s->s_result)
		s->s_api->ra_wunlock(&s->s_rw);
}

void
enter(void *arg, unsigned i)
{
	struct shared *s = arg;

	if (i >= NTHREADS / 2) {
		s->s_api->ra_wlock(&s->s_rw);
		s->s_trail[s->s_a++] = i;
		s->s_api->ra_wunlock(&s->s_rw);
	} else {
		s->s_api->ra_rlock(&s->s_rw);
		s->s_trail[i] = (unsigned)s->s_a;
		/* Relaxed: a signal, nothing is published with it. */
		atomic_fetch_add_explicit(
		    &s->s_inside, 1, memory_order_relaxed);
		while (inside(s) < NTHREADS / 2)
			(void)sched_yield();
		s->s_api->ra_runlock(&s->s_rw);
	}
}
