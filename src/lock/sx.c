/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * struct sx: the reader/writer word with a lock_object, on turnstiles that have
 * no owner.  See rw_word.c.
 */

#include "lock/sx.h"

#include "lock/rw_object.h"

static struct thread *
sx_nobody(struct thread *td, const void *key, unsigned nth, unsigned *np)
{
	(void)td;
	(void)key;
	(void)nth;
	*np = 1;
	return (NULL);
}

const struct rw_kind rw_kind_sx = {
	.rk_name = "sx",
	.rk_owner = sx_nobody,
	.rk_sx = true,
};

static struct rw_object
object(struct sx *sx)
{
	return ((struct rw_object){
	    .ro_lo = &sx->lock_object,
	    .ro_word = &sx->sx_lock,
	    .ro_kind = &rw_kind_sx,
	});
}

void
sx_init(struct sx *sx, const char *name, uint32_t flags)
{
	rw_object_init(object(sx), name, flags | LC_SX);
}

void
sx_destroy(struct sx *sx)
{
	rw_object_destroy(object(sx));
}

void
sx_xlock_at(struct sx *sx, const char *file, int line)
{
	rw_object_wlock(object(sx), file, line);
}

bool
sx_try_xlock_at(struct sx *sx, const char *file, int line)
{
	return (rw_object_try_wlock(object(sx), file, line));
}

void
sx_xunlock(struct sx *sx)
{
	rw_object_wunlock(object(sx));
}

void
sx_slock_at(struct sx *sx, const char *file, int line)
{
	rw_object_rlock(object(sx), file, line);
}

bool
sx_try_slock_at(struct sx *sx, const char *file, int line)
{
	return (rw_object_try_rlock(object(sx), file, line));
}

void
sx_sunlock(struct sx *sx)
{
	rw_object_runlock(object(sx));
}

void
sx_unlock(struct sx *sx)
{
	if (sx_xlocked(sx))
		sx_xunlock(sx);
	else
		sx_sunlock(sx);
}

bool
sx_try_upgrade(struct sx *sx)
{
	return (rw_object_try_upgrade(object(sx)));
}

void
sx_downgrade(struct sx *sx)
{
	rw_object_downgrade(object(sx));
}

bool
sx_xlocked(const struct sx *sx)
{
	return (rw_word_wowned(&sx->sx_lock));
}
