/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_BUG_H
#define PMAP_BUG_H

/*
 * The faults of kern/bug.h in a machine, and places at which a test can step in.
 *
 * Faults of order show only when another thread comes at the right moment.
 * TEST_POINT(ma, NAME) is such a moment: the machine's test function is called
 * there, and does, or lets another thread do, what would go wrong.
 *
 * Both are false, and nothing, in builds without PMAPSIM_INVARIANTS.
 */

#include "kern/bug.h"
#include "pmapsim/types.h"

/* Where a test may step in. */
enum test_point {
	TP_REMOVE_UNLOCKED, /* pmap_remove(): a pv list lock was dropped */
	TP_REMOVE_FLUSH,    /* pmap_remove(): about to tell the TLBs */
	TP_REMOVE_ALL,      /* pmap_remove_all(): about to lock the pv list */
	TP_INVL_SENT,       /* between saying and looking who is told */
	TP_REMOVE_LOST,     /* a mapping's bits were passed to its page */
	TP_ENTER_DISPLACED, /* pmap_enter(): pv entry of what was there freed */
	TP_ENTER_STORED,    /* pmap_enter(): the new entry is visible */
	TP_PROTECT_READ     /* pmap_protect(): about to store what it read */
};

typedef void test_point_fn(struct machine *ma, enum test_point tp, void *arg);

const char *bug_name(enum bug b);
const char *bug_text(enum bug b);
/* Upper or lower case; NBUGS: there is none of that name. */
enum bug bug_lookup(const char *name);

/* For a test: fn is called at each point, by whoever comes there. */
void test_point_set(struct machine *ma, test_point_fn *fn, void *arg);
void test_point_call(struct machine *ma, enum test_point tp);

#define BUG(ma, name) BUG_IN((ma)->ma_design.d_bugs, name)

#define TEST_POINT(ma, tp)                                                     \
	do {                                                                   \
		if (INVARIANTS_ENABLED)                                        \
			test_point_call((ma), (tp));                           \
	} while (0)

#endif /* PMAP_BUG_H */
