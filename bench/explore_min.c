/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fewest choices that make a run fail.
 *
 * Choices are left out in pieces, halves first and single ones last, and what still
 * fails in the same way is kept: at the end none can be left out.  Each trial is a
 * run in a child.  What a trial leaves behind is what it really chose, which may be
 * less than it was told.
 *
 * Source: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input,
 * 2002, without its complements.
 */
#include <stdlib.h>
#include <string.h>

#include "explore.h"

#define TRIALS_MAX 4000

static bool
fails(const struct explore_setup *es, const struct explore_plan *ep,
    enum ex_failure what)
{
	struct explore_setup once = *es;

	once.es_plan = ep;
	once.es_strategy = NULL;
	once.es_result->er_failure = EX_PASSED;
	return (explore_child(&once, 0, ep->ep_times, true) == 0 &&
	    es->es_result->er_failure == what);
}

/* ep without [from, to). */
static void
without(const struct explore_plan *ep, size_t from, size_t to,
    struct explore_plan *shorter)
{
	size_t rest = ep->ep_n - to;

	shorter->ep_times = ep->ep_times;
	shorter->ep_n = from + rest;
	shorter->ep_choices =
	    bench_calloc(shorter->ep_n + 1, sizeof(*ep->ep_choices));
	memcpy(shorter->ep_choices, ep->ep_choices,
	    from * sizeof(*ep->ep_choices));
	memcpy(shorter->ep_choices + from, ep->ep_choices + to,
	    rest * sizeof(*ep->ep_choices));
}

/* Time that does not depend on a seed, if it fails with it, too. */
static void
simplify_times(const struct explore_setup *es, struct explore_plan *ep,
    enum ex_failure what)
{
	uint64_t times = ep->ep_times;

	ep->ep_times = 0;
	if (times != 0 && !fails(es, ep, what))
		ep->ep_times = times;
}

void
explore_minimise(const struct explore_setup *es, struct explore_plan *ep,
    enum ex_failure what)
{
	struct explore_plan shorter;
	unsigned trials = 0;
	size_t piece = ep->ep_n, i;
	bool less;

	while (ep->ep_n > 0 && trials < TRIALS_MAX) {
		less = false;
		for (i = 0; i < ep->ep_n && trials < TRIALS_MAX;) {
			size_t to = i + piece < ep->ep_n ? i + piece : ep->ep_n;

			without(ep, i, to, &shorter);
			trials++;
			if (fails(es, &shorter, what)) {
				explore_plan_free(&shorter);
				explore_plan_free(ep);
				explore_plan_of(es->es_result, ep);
				less = true;
			} else {
				explore_plan_free(&shorter);
				i = to;
			}
		}
		if (piece == 1 && !less)
			break;
		if (piece > 1)
			piece = (piece + 1) / 2;
		if (piece > ep->ep_n && ep->ep_n > 0)
			piece = ep->ep_n;
	}
	simplify_times(es, ep, what);
}
