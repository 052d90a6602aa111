/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_PV_BACKENDS_H
#define LOCK_PV_BACKENDS_H

/* The tables behind pv_lock_ops_list(), one for each lock_*.c. */

#include <limits.h> /* says which C library this is */
#include <stdbool.h>

#include "pmapsim/pv_lock.h"

extern const struct pv_lock_ops pv_lock_gen1;
extern const struct pv_lock_ops pv_lock_gen2;
extern const struct pv_lock_ops pv_lock_mtx8;
extern const struct pv_lock_ops pv_lock_none;
extern const struct pv_lock_ops pv_lock_pthread_mutex;
extern const struct pv_lock_ops pv_lock_pthread_pi;
extern const struct pv_lock_ops pv_lock_rwlock;

/*
 * Is this the name of a lock, here or elsewhere, that waits as the host does, by its
 * mutex or by spinning on its CPU, and is this a virtual machine, which has none?
 */
bool pv_lock_is_real_only(const char *name);

/* A type of mutex that only glibc has. */
#if defined(__linux__) && defined(__GLIBC__)
#define PV_HAVE_PTHREAD_ADAPTIVE
extern const struct pv_lock_ops pv_lock_pthread_adaptive;
#endif

#ifdef PMAPSIM_HAVE_CK
extern const struct pv_lock_ops pv_lock_ck_anderson;
extern const struct pv_lock_ops pv_lock_ck_clh;
extern const struct pv_lock_ops pv_lock_ck_fas;
extern const struct pv_lock_ops pv_lock_ck_mcs;
extern const struct pv_lock_ops pv_lock_ck_ticket;
#endif

#endif /* LOCK_PV_BACKENDS_H */
