/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_LOCK_ENV_H
#define LOCK_LOCK_ENV_H

#include <stdatomic.h>
#include <stdint.h>

#include "lock/held.h"
#include "lock/turnstile.h"

struct lock_profile; /* lock_profile.c */
struct witness;      /* witness.c */

/* What the locks of one machine share: sim->sim_locks. */
struct lock_env {
	struct turnstile_chain le_chains[TC_TABLESIZE];
	struct lock_profile *le_profile; /* NULL: off */
	struct witness *le_witness;      /* NULL: off */
	struct held_registry le_held;
	_Atomic uint64_t le_gen_wraps; /* generations that wrapped to 0 */
};

#endif /* LOCK_LOCK_ENV_H */
