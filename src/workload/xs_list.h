/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_XS_LIST_H
#define WORKLOAD_XS_LIST_H

/* All small scenarios, in the order they are listed to people. */

#include "workload/xs.h"

#define XS_LIST(X)                                                             \
	X(counter)                                                             \
	X(lock_block)                                                          \
	X(lock_spin)                                                           \
	X(lock_try)                                                            \
	X(lock_woken)                                                          \
	X(lock_fair)                                                           \
	X(lock_wrap)                                                           \
	X(lend_exact)                                                          \
	X(lend_back)                                                           \
	X(lend_chain)                                                          \
	X(lend_order)                                                          \
	X(order_rumour)                                                        \
	X(order_try)                                                           \
	X(mtx_last)                                                            \
	X(rw_block)                                                            \
	X(rw_spin)                                                             \
	X(rw_change)                                                           \
	X(rw_nest)                                                             \
	X(rw_try)                                                              \
	X(sx_mixed)

#define XS_EXTERN(name) extern const struct xs_scenario xs_##name;
XS_LIST(XS_EXTERN)
#undef XS_EXTERN

#endif /* WORKLOAD_XS_LIST_H */
