/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_VIRTUAL_LINES_H
#define BENCH_VIRTUAL_LINES_H

/* The lines of a world that took the longest, in words. */

struct virtual_result;
struct wl_run;

/*
 * Fill in vr_line, vr_kind and vr_sum from the statistics, which are frozen.
 * Returns 0 or ENOMEM.
 */
int virtual_lines_take(struct wl_run *run, struct virtual_result *vr);

#endif /* BENCH_VIRTUAL_LINES_H */
