/* SPDX-License-Identifier: BSD-2-Clause */

/* Passing on what locks tell. */

#include "lock/lock_hooks.h"

#include "lock/lock_profile.h"
#include "lock/witness.h"

static const char *
name_of(const struct lock_object *lo)
{
	return (lo->lo_name != NULL ? lo->lo_name : "unnamed");
}

void
lock_hook_want(struct thread *td, const struct lock_object *lo, const void *key,
    unsigned how, const char *file, int line)
{
	if ((td->td_lock_hooks & LOCK_HOOK_WITNESS) != 0)
		witness_want(td, lo, key, how, file, line);
}

uint64_t
lock_hook_contested(struct thread *td, const struct lock_object *lo)
{
	const struct sim_ops *so = td->td_sim->sim_ops;

	if ((td->td_lock_hooks & LOCK_HOOK_PROFILE) == 0)
		return (0);
	if (so->so_waits != NULL)
		so->so_waits(td, name_of(lo));
	return (lock_profile_now(td));
}

void
lock_hook_acquired(struct thread *td, const struct lock_object *lo,
    const void *key, uint64_t t0, unsigned how, const char *file, int line)
{
	const struct sim_ops *so = td->td_sim->sim_ops;

	if (t0 != 0 && so->so_waits != NULL)
		so->so_waits(td, NULL);
	if ((how & LOP_EXCLUSIVE) != 0 && so->so_owns != NULL)
		so->so_owns(td, name_of(lo), key);
	if ((td->td_lock_hooks & LOCK_HOOK_PROFILE) != 0) {
		lock_profile_acquired(td, lo, key, t0, file, line);
		sim_charge(td->td_sim, SIM_LOCK_PROFILE, 1);
	}
	if ((td->td_lock_hooks & LOCK_HOOK_WITNESS) != 0)
		witness_acquired(td, lo, key, how, file, line);
}

void
lock_hook_release(struct thread *td, const void *key)
{
	if ((td->td_lock_hooks & LOCK_HOOK_PROFILE) != 0) {
		lock_profile_release(td, key);
		sim_charge(td->td_sim, SIM_LOCK_PROFILE, 1);
	}
	if ((td->td_lock_hooks & LOCK_HOOK_WITNESS) != 0)
		witness_released(td, key);
}

void
lock_hook_converted(struct thread *td, const void *key, unsigned how)
{
	if ((td->td_lock_hooks & LOCK_HOOK_WITNESS) != 0)
		witness_converted(td, key, how);
}
