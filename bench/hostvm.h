/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_HOSTVM_H
#define BENCH_HOSTVM_H

/*
 * For context: what the host's own kernel takes for the work that is modelled.
 * Private anonymous memory in 4 KB pages, one thread.  A touch includes the trap
 * and the zeroing of the page, neither of which the model has; an unmap includes
 * the TLB flush and giving the page back.
 */

#include <stdbool.h>

#include "stats.h"

#define HOSTVM_PAGES 512 /* in a mapping */

/* X(field, "JSON key", "for people") */
#define HOSTVM_LIST(X)                                                         \
	X(hv_mmap_ns, "mmap_ns", "mmap, ns a call")                            \
	X(hv_touch_ns, "touch_ns", "first touch (write), ns a page")           \
	X(hv_protect_ns, "mprotect_ns", "mprotect to read-only, ns a page")    \
	X(hv_unmap_ns, "munmap_ns", "munmap of touched pages, ns a page")

struct hostvm {
#define HOSTVM_FIELD(field, key, text) struct stats field;
	HOSTVM_LIST(HOSTVM_FIELD)
#undef HOSTVM_FIELD
};

/*
 * Measure on the host CPU given, -1 for any; takes about 0.1 s.  Returns 0, or
 * an errno value when a mapping cannot be had.
 */
int hostvm_measure(int hostcpu, struct hostvm *hv);

#endif /* BENCH_HOSTVM_H */
