/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERN_COUNTER_H
#define KERN_COUNTER_H

/*
 * Event counters.  Each thread has its own set, alone on its cache lines; one
 * writer each, relaxed; readers add the sets up.  One X-macro, so that name,
 * JSON key and help text cannot drift apart.
 *
 *	X(enumerator, "name", "what it counts")
 */

#include <stdatomic.h>
#include <stdint.h>

#define COUNTER_LIST(X)                                                        \
	X(CTR_PV_ENTRY_ALLOCS, "pv_entry_allocs", "pv entries taken")          \
	X(CTR_PV_ENTRY_FREES, "pv_entry_frees", "pv entries given back")       \
	X(CTR_PC_CHUNK_ALLOCS, "pc_chunk_allocs", "pv chunks created")         \
	X(CTR_PC_CHUNK_FREES, "pc_chunk_frees", "pv chunks destroyed")         \
	X(CTR_PC_CHUNK_TRYFAIL, "pc_chunk_tryfail",                            \
	    "pv chunks that could not be had")                                 \
	X(CTR_PT_PAGE_ALLOCS, "pt_page_allocs",                                \
	    "page table pages taken, roots not counted")                       \
	X(CTR_PT_PAGE_FREES, "pt_page_frees", "page table pages given back")   \
	X(CTR_PV_RECLAIMS, "pv_reclaims",                                      \
	    "mappings removed for their pv entries")                           \
	X(CTR_PV_LOCKS, "pv_locks", "pv list lock acquisitions")               \
	X(CTR_PV_RESTARTS, "pv_restarts",                                      \
	    "scans restarted because pv_gen had changed")                      \
	X(CTR_PMAP_TRYFAILS, "pmap_tryfails",                                  \
	    "pmap try-locks under a pv list lock that failed")                 \
	X(CTR_PDE_PROMOTIONS, "pde_promotions",                                \
	    "page tables turned into 2 MB mappings")                           \
	X(CTR_PDE_DEMOTIONS, "pde_demotions",                                  \
	    "2 MB mappings split into a page table")                           \
	X(CTR_PDE_MAPPINGS, "pde_mappings", "2 MB mappings made at once")      \
	X(CTR_PDE_DESTROYED, "pde_destroyed", "2 MB mappings removed")         \
	X(CTR_PDE_P_FAILURES, "pde_p_failures",                                \
	    "promotions that were tried in vain")                              \
	X(CTR_INVL_WAIT, "invl_wait", "waits for delayed invalidation blocks") \
	X(CTR_INVL_WAIT_SLOW, "invl_wait_slow",                                \
	    "times blocked in such a wait")                                    \
	X(CTR_INVL_START_RESTARTS, "invl_start_restart",                       \
	    "new tries to begin a block")                                      \
	X(CTR_INVL_FINISH_RESTARTS, "invl_finish_restart",                     \
	    "new tries to end a block")                                        \
	X(CTR_LOCK_SLEEPS, "lock_sleeps", "times blocked on a turnstile")      \
	X(CTR_LOCK_WAKES, "lock_wakes", "threads woken from a turnstile")      \
	X(CTR_PAGE_ALLOCS, "page_allocs", "pages allocated")                   \
	X(CTR_PAGE_FREES, "page_frees", "pages freed")

enum counter {
#define COUNTER_ENUM(e, name, help) e,
	COUNTER_LIST(COUNTER_ENUM)
#undef COUNTER_ENUM
	NCOUNTERS
};

struct counter_set {
	_Atomic uint64_t cs_value[NCOUNTERS];
};

const char *counter_name(enum counter c);
const char *counter_help(enum counter c);

/* By the set's one writer only. */
static inline void
counter_add(struct counter_set *cs, enum counter c, uint64_t n)
{
	/* Relaxed: one writer; readers want no order with anything else. */
	uint64_t v =
	    atomic_load_explicit(&cs->cs_value[c], memory_order_relaxed);

	/* Relaxed: as above. */
	atomic_store_explicit(&cs->cs_value[c], v + n, memory_order_relaxed);
}

static inline uint64_t
counter_read(const struct counter_set *cs, enum counter c)
{
	/* Relaxed: a statistic. */
	return (atomic_load_explicit(&cs->cs_value[c], memory_order_relaxed));
}

#endif /* KERN_COUNTER_H */
