/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_PV_BACKENDS_H
#define LOCK_PV_BACKENDS_H

/* The tables behind pv_lock_ops_list(), one for each lock_*.c. */

#include "pmapsim/pv_lock.h"

extern const struct pv_lock_ops pv_lock_gen1;
extern const struct pv_lock_ops pv_lock_gen2;
extern const struct pv_lock_ops pv_lock_mtx8;
extern const struct pv_lock_ops pv_lock_none;
extern const struct pv_lock_ops pv_lock_pthread_mutex;
extern const struct pv_lock_ops pv_lock_rwlock;

#endif /* LOCK_PV_BACKENDS_H */
