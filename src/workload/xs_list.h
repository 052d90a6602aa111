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
	X(lend_suspect)                                                        \
	X(lend_kick)                                                           \
	X(lend_nest)                                                           \
	X(lend_order)                                                          \
	X(lend_fifo)                                                           \
	X(order_rumour)                                                        \
	X(order_try)                                                           \
	X(mtx_last)                                                            \
	X(rw_block)                                                            \
	X(rw_spin)                                                             \
	X(rw_change)                                                           \
	X(rw_nest)                                                             \
	X(rw_try)                                                              \
	X(sx_mixed)                                                            \
	X(scan_remove)                                                         \
	X(scan_reuse)                                                          \
	X(scan_pmap)                                                           \
	X(scan_two)                                                            \
	X(scan_write)                                                          \
	X(enter_two)                                                           \
	X(enter_replace)                                                       \
	X(enter_claim)                                                         \
	X(exit_scan)                                                           \
	X(exit_super)                                                          \
	X(promote_look)                                                        \
	X(promote_scan)                                                        \
	X(demote_scan)                                                         \
	X(demote_look)                                                         \
	X(di_list)                                                             \
	X(di_blocks)                                                           \
	X(di_free)                                                             \
	X(di_clean)                                                            \
	X(tlb_load)                                                            \
	X(tlb_reuse)                                                           \
	X(tlb_protect)                                                         \
	X(tlb_dirty)                                                           \
	X(tlb_table)                                                           \
	X(reclaim_pass)                                                        \
	X(reclaim_exit)                                                        \
	X(reclaim_free)                                                        \
	X(copy_fault)                                                          \
	X(page_alloc)                                                          \
	X(page_wait)                                                           \
	X(page_wait_min)                                                       \
	X(reserv_break)                                                        \
	X(reserv_run)

#define XS_EXTERN(name) extern const struct xs_scenario xs_##name;
XS_LIST(XS_EXTERN)
#undef XS_EXTERN

#endif /* WORKLOAD_XS_LIST_H */
