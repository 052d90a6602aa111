/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_LOCK_H
#define LOCK_LOCK_H

/*
 * What all locks of the model share: the head of a lock, its class, and the
 * lock environment of a machine (turnstile chains and the lock profile).
 */

#include <stdbool.h>
#include <stdint.h>

#include "sim/sim.h"

enum lock_class {
	LC_MTX,
	LC_SPIN,
	LC_RW,
	LC_SX,
	LC_PV,
	NLOCK_CLASSES
};

/*
 * Source: FreeBSD releng/12.1, sys/sys/_lock.h, struct lock_object.
 * A zeroed one is a lock without a name.
 */
struct lock_object {
	const char *lo_name; /* constant string; identity in the profile */
	uint32_t lo_flags;   /* LO_* and the class */
	uint32_t lo_data;    /* recursion count */
	void *lo_witness;    /* unused: see witness.c */
};
_Static_assert(sizeof(struct lock_object) == 24, "as in FreeBSD");

#define LO_CLASSMASK  0x0fu /* enum lock_class */
#define LO_DUPOK      0x10u /* two of this name may be held */
#define LO_INITED     0x20u
#define LO_RECURSABLE 0x40u /* its owner may take it again */

/*
 * How the class is printed: "sleep mutex", "spin mutex", "rw", "sx".  A pv list
 * lock of any backend prints as "rw", so that one table compares designs.
 */
const char *lock_class_name(enum lock_class lc);

/*
 * Create or destroy sim->sim_locks.  profile: threads attached from now on are
 * profiled.  Destroying checks that all turnstile chains are empty (panics).
 */
int lock_env_create(struct sim *sim, bool profile);
void lock_env_destroy(struct sim *sim);

/*
 * How many generations that carry a lock have wrapped to 0, of all locks of the
 * machine.  Counted before the generation shows it, to whoever takes the lock
 * after that.  So a generation and this number, saved under the lock and found
 * equal under it, say that nothing has changed; the generation alone says so only
 * up to 2^30 changes.
 */
uint64_t lock_gen_wraps(const struct sim *sim);
/* For a lock, which holds the generation: count one. */
void lock_gen_wrapped(struct sim *sim);

/* Per-thread state: spare turnstile and profile.  After/before sim attach. */
int lock_thread_attach(struct thread *td);
void lock_thread_detach(struct thread *td);

/*
 * Quiescent: every turnstile chain is empty, every attached thread owns its
 * spare turnstile; and the witness had nothing to report.  Returns the number of
 * violations, each told to fn.
 */
unsigned lock_env_check(
    struct sim *sim, void (*fn)(void *arg, const char *text), void *arg);

#endif /* LOCK_LOCK_H */
