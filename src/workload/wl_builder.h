/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_WL_BUILDER_H
#define WORKLOAD_WL_BUILDER_H

/*
 * A builder of packages: a shell, or make, and what it has started.  See
 * wl_builder.c.
 *
 * Locking: one thread at a time has a builder.
 */

#include "workload/wl_process.h"

#define WL_BUILDER_DEPTH 3u /* base, its child, a driver's child */

struct wl_builder {
	struct wl_world b_world;
	const struct wl_mix *b_mix; /* of its stage */
	struct wl_process b_procs[WL_BUILDER_DEPTH];
	unsigned b_depth; /* processes that live; the last one runs */
	/* What the process runs when it has done what a forked one does. */
	enum wl_program_id b_then[WL_BUILDER_DEPTH];
	/* What a driver has yet to start, in order. */
	enum wl_program_id b_children[WL_DRIVER_STARTS];
	unsigned b_nchildren;
	unsigned b_nstarted;
	uint64_t b_debt_ns; /* user time before the next event */
	bool b_switched;    /* a process has begun or ended in this slice */
};

/*
 * Create the processes of a builder, whose b_world and b_mix are set and the rest
 * zero, and put it in the midst of something.  An error as of wo_start.
 */
int wl_builder_begin(struct wl_builder *b);

/*
 * Work on: 32 events, or 0.2 ms of user time, or until a process begins or ends.
 * Returns 0, or what wl_out_of_memory() returns.
 */
int wl_builder_slice(struct wl_builder *b);

/* Also one that has begun in part. */
void wl_builder_end(struct wl_builder *b);

#endif /* WORKLOAD_WL_BUILDER_H */
