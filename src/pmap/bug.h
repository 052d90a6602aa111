/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_BUG_H
#define PMAP_BUG_H

/*
 * Faults that can be switched on, and places at which a test can step in.
 *
 * A checker that has never caught anything is not known to work.  So where this
 * code would once have been wrong, or easily could be, the fault is kept beside
 * it: BUG(ma, NAME) is true in a machine whose design says bug=NAME.  Each is
 * caught by a test that names it.
 *
 * Faults of order show only when another thread comes at the right moment.
 * TEST_POINT(ma, NAME) is such a moment: the machine's test function is called
 * there, and does, or lets another thread do, what would go wrong.
 *
 * Both are false, and nothing, in builds without PMAPSIM_INVARIANTS.
 *
 *	X(NAME, what is wrong)
 */

#include "kern/kassert.h"
#include "pmapsim/types.h"

#define BUG_LIST(X)                                                            \
	X(di_unmarked, "removing a pv entry does not mark its region")         \
	X(di_late, "the region is marked after its lock was dropped")          \
	X(di_early_finish, "a block finishes before the TLBs are told")        \
	X(di_early_wait, "waits before it looks whether a page is mapped")     \
	X(di_early_free, "page table pages are freed before the TLBs know")    \
	X(b5, "looks who has the pmap loaded, then says that it changed")      \
	X(b6, "a promoted 2 MB mapping is flushed as if it were one page")

enum bug {
#define BUG_ENUM(name, text) BUG_##name,
	BUG_LIST(BUG_ENUM)
#undef BUG_ENUM
	NBUGS
};

/* Where a test may step in. */
enum test_point {
	TP_REMOVE_UNLOCKED, /* pmap_remove(): a pv list lock was dropped */
	TP_REMOVE_FLUSH,    /* pmap_remove(): about to tell the TLBs */
	TP_REMOVE_ALL,      /* pmap_remove_all(): about to lock the pv list */
	TP_INVL_SENT        /* between saying and looking who is told */
};

typedef void test_point_fn(struct machine *ma, enum test_point tp, void *arg);

const char *bug_name(enum bug b);
const char *bug_text(enum bug b);
/* NBUGS: there is none of that name. */
enum bug bug_lookup(const char *name);

/* For a test: fn is called at each point, by whoever comes there. */
void test_point_set(struct machine *ma, test_point_fn *fn, void *arg);
void test_point_call(struct machine *ma, enum test_point tp);

#define BUG(ma, name)                                                          \
	(INVARIANTS_ENABLED &&                                                 \
	    __predict_false(                                                   \
		((ma)->ma_design.d_bugs & (UINT64_C(1) << BUG_##name)) != 0))

#define TEST_POINT(ma, tp)                                                     \
	do {                                                                   \
		if (INVARIANTS_ENABLED)                                        \
			test_point_call((ma), (tp));                           \
	} while (0)

#endif /* PMAP_BUG_H */
