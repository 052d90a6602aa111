/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

/*
 * How far a long command is.  On a terminal one line of standard error that is
 * rewritten; elsewhere one line a stage, so that a log stays readable.
 */

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool pr_tty;
	uint64_t pr_begin_ns;
	uint64_t pr_total; /* units of expected work, any unit */
	uint64_t pr_done;
};

/* total: what all progress_done() add up to. */
void progress_begin(struct progress *pr, uint64_t total);
/* A stage begins; what: a constant or longer-lived string. */
void progress_stage(struct progress *pr, const char *what);
/* Something within the stage begins.  Says nothing but on a terminal. */
void progress_step(struct progress *pr, const char *what);
void progress_done(struct progress *pr, uint64_t units);
/* Leaves the terminal's line empty. */
void progress_end(struct progress *pr);

#endif /* BENCH_PROGRESS_H */
