/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_PEERS_PEERS_H
#define BENCH_PEERS_PEERS_H

/*
 * Locks of other libraries, for comparison: each is a shim of a few lines that is
 * built where its library was found, in the language of the library.  What a
 * shim does not offer, peers.c makes a table of pv_lock_ops of.
 */

#include <stdbool.h>

#include "pmapsim/pv_lock.h"

/* Those that were built, ended by NULL. */
const struct pv_lock_ops *const *peers_list(void);

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a word; the shims check them. */
#define PEER_ABSL_BYTES      8
#define PEER_NSYNC_BYTES     16
#define PEER_TBB_SPIN_BYTES  4 /* 1, but a word is 4 at least */
#define PEER_TBB_MUTEX_BYTES 4

/* The verbs of pv_lock_ops, without shared mode. */
#define PEER_VERBS(name)                                                       \
	int peer_##name##_init(void *word);                                    \
	void peer_##name##_destroy(void *word);                                \
	void peer_##name##_lock(void *word);                                   \
	bool peer_##name##_trylock(void *word);                                \
	void peer_##name##_unlock(void *word, bool modified);
#define PEER_SHARED_VERBS(name)                                                \
	void peer_##name##_rlock(void *word);                                  \
	bool peer_##name##_tryrlock(void *word);                               \
	void peer_##name##_runlock(void *word);

PEER_VERBS(absl)
PEER_SHARED_VERBS(absl)
PEER_VERBS(nsync)
PEER_SHARED_VERBS(nsync)
PEER_VERBS(tbb_spin)
PEER_VERBS(tbb_mutex)

#ifdef __cplusplus
}
#endif

#endif /* BENCH_PEERS_PEERS_H */
