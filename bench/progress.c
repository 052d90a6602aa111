/* SPDX-License-Identifier: BSD-2-Clause */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define CLEAR_LINE "\r\033[K"

void
progress_begin(struct progress *pr, uint64_t total)
{
	const char *term = getenv("TERM");

	pr->pr_tty = isatty(STDERR_FILENO) != 0 &&
	    (term == NULL || strcmp(term, "dumb") != 0);
	pr->pr_begin_ns = bench_clock_ns();
	pr->pr_total = total > 0 ? total : 1;
	pr->pr_done = 0;
}

void
progress_stage(struct progress *pr, const char *what)
{
	if (pr->pr_tty)
		progress_step(pr, what);
	else
		(void)fprintf(stderr, "pmapsim: %s\n", what);
}

void
progress_step(struct progress *pr, const char *what)
{
	uint64_t gone = bench_clock_ns() - pr->pr_begin_ns, left;
	double part = (double)pr->pr_done / (double)pr->pr_total;

	if (!pr->pr_tty)
		return;
	(void)fprintf(stderr, CLEAR_LINE "[%3.0f%%] ", 100 * part);
	/* An estimate from the first moments would be a guess. */
	if (part > 0.02) {
		left = (uint64_t)((double)gone * (1 - part) / part);
		(void)fprintf(stderr, "%u s left  ",
		    (unsigned)((left + 999999999) / 1000000000));
	}
	(void)fprintf(stderr, "%.55s", what);
	(void)fflush(stderr);
}

void
progress_done(struct progress *pr, uint64_t units)
{
	pr->pr_done += units;
	if (pr->pr_done > pr->pr_total)
		pr->pr_done = pr->pr_total;
}

void
progress_end(struct progress *pr)
{
	if (pr->pr_tty)
		(void)fprintf(stderr, CLEAR_LINE);
}
