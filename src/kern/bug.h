/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERN_BUG_H
#define KERN_BUG_H

/*
 * Faults that can be switched on.
 *
 * A checker that has never caught anything is not known to work.  So where this
 * code would once have been wrong, or easily could be, the fault is kept beside
 * it, as a bit of a set.  A machine's set is its design's: bug=NAME.  Each is
 * caught by a test that names it; tests/README.md has the table.
 *
 * B1 to B33 are faults that FreeBSD once had; those that are missing cannot exist
 * here, or belong to what is above the pmap.  In builds without
 * PMAPSIM_INVARIANTS none can be switched on, and BUG_IN() is constant.
 *
 *	X(NAME, what is wrong)
 */

#include <stdint.h>

#include "kern/kassert.h"

#define BUG_LIST(X)                                                            \
	X(B1, "reclaim hides passed chunks while their pmap is unlocked")      \
	X(B2, "reclaim looks at entries with masks that are not set")          \
	X(B3, "a mapping is replaced first and invalidated later")             \
	X(B4, "the old mapping's pv entry is freed, then another allocated")   \
	X(b5, "looks who has the pmap loaded, then says that it changed")      \
	X(b6, "a promoted 2 MB mapping is flushed as if it were one page")     \
	X(B7, "a demotion's page table is not counted as resident")            \
	X(B8, "a saved page table that goes is not counted")                   \
	X(B10, "pages are entered by 4 KB where 2 MB are mapped")              \
	X(B11, "pmap_copy() keeps a reference on the page table it gave up")   \
	X(B12, "a wired 2 MB mapping is made without a saved page table")      \
	X(B13, "a 2 MB mapping not made keeps a reference on the directory")   \
	X(B14, "promotion compares before it protects")                        \
	X(B15,                                                                 \
	    "a page table with some entries not accessed is saved as exact")   \
	X(B16, "a page table with unknown contents is saved as exact")         \
	X(B18, "a page loses writeable before it becomes dirty")               \
	X(B19, "pmap_protect() stores what it has read, without a compare")    \
	X(B20,                                                                 \
	    "a demotion that fails removes at the address that it was given")  \
	X(B21, "a search for a run goes on where a queue was before")          \
	X(B21_lock, "and keeps the lock of what has left the queue")           \
	X(B27, "a page without a descriptor is held")                          \
	X(B28, "pv headers: none in gaps, one too few, or two for one")        \
	X(B29, "a promoted page table remains the hint")                       \
	X(B30, "the page array ends a page early")                             \
	X(B31, "the memory type of a 4 KB entry is taken for 2 MB at exit")    \
	X(B32, "a page table that becomes a chunk is not counted")             \
	X(B33, "a wired mapping is promoted without accessed")                 \
	X(e383, "a superpage's entry changes while other CPUs run on")         \
	X(di_unmarked, "removing a pv entry does not mark its region")         \
	X(di_late, "the region is marked after its lock was dropped")          \
	X(di_collision, "marking a region hides that a newer block did")       \
	X(di_early_finish, "a block finishes before the TLBs are told")        \
	X(di_early_wait, "waits before it looks whether a page is mapped")     \
	X(di_early_free, "page table pages are freed before the TLBs know")

enum bug {
#define BUG_ENUM(name, text) BUG_##name,
	BUG_LIST(BUG_ENUM)
#undef BUG_ENUM
	NBUGS
};
_Static_assert(NBUGS <= 64, "a set of them is a uint64_t");

#define BUG_IN(set, name)                                                      \
	(INVARIANTS_ENABLED &&                                                 \
	    __predict_false(((set) & (UINT64_C(1) << BUG_##name)) != 0))

#endif /* KERN_BUG_H */
