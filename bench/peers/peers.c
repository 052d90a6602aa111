/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The tables of the peers that were built.  All are PLO_GENERIC, made outside the
 * library, and take part in the benchmarks of locks only.
 */

#include "peers.h"

#define PEER_OPS(name)                                                         \
	.plo_init = peer_##name##_init, .plo_destroy = peer_##name##_destroy,  \
	.plo_lock = peer_##name##_lock, .plo_trylock = peer_##name##_trylock,  \
	.plo_unlock = peer_##name##_unlock
#define PEER_SHARED_OPS(name)                                                  \
	.plo_rlock = peer_##name##_rlock,                                      \
	.plo_tryrlock = peer_##name##_tryrlock,                                \
	.plo_runlock = peer_##name##_runlock

#ifdef PMAPSIM_PEER_NSYNC
static const struct pv_lock_ops peer_nsync = {
	.plo_name = "nsync",
	.plo_descr = "nsync_mu",
	.plo_size = PEER_NSYNC_BYTES,
	.plo_flags = PLO_GENERIC,
	PEER_OPS(nsync),
	PEER_SHARED_OPS(nsync),
};
#endif
#ifdef PMAPSIM_PEER_ABSL
static const struct pv_lock_ops peer_absl = {
	.plo_name = "absl",
	.plo_descr = "absl::Mutex, its deadlock detector off",
	.plo_size = PEER_ABSL_BYTES,
	.plo_flags = PLO_GENERIC,
	PEER_OPS(absl),
	PEER_SHARED_OPS(absl),
};
#endif
#ifdef PMAPSIM_PEER_TBB
static const struct pv_lock_ops peer_tbb_spin = {
	.plo_name = "tbb_spin",
	.plo_descr = "tbb::spin_mutex",
	.plo_size = PEER_TBB_SPIN_BYTES,
	.plo_align = 4,
	.plo_flags = PLO_GENERIC | PLO_SPIN,
	PEER_OPS(tbb_spin),
};
static const struct pv_lock_ops peer_tbb_mutex = {
	.plo_name = "tbb_mutex",
	.plo_descr = "tbb::mutex",
	.plo_size = PEER_TBB_MUTEX_BYTES,
	.plo_align = 4,
	.plo_flags = PLO_GENERIC,
	PEER_OPS(tbb_mutex),
};
#endif

static const struct pv_lock_ops *const peers[] = {
#ifdef PMAPSIM_PEER_NSYNC
	&peer_nsync,
#endif
#ifdef PMAPSIM_PEER_ABSL
	&peer_absl,
#endif
#ifdef PMAPSIM_PEER_TBB
	&peer_tbb_spin,
	&peer_tbb_mutex,
#endif
	NULL,
};

const struct pv_lock_ops *const *
peers_list(void)
{
	return (peers);
}
