/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_LOCK_CK_H
#define LOCK_LOCK_CK_H

/*
 * What the backends made of Concurrency Kit's spin locks share.
 *
 * They are peers, to be measured as they are: their waiters spin and never give
 * the CPU away.  The FIFO ones among them (all but fas) come to a crawl once
 * there are more threads than CPUs, since the lock goes to a thread that does not
 * run.
 *
 * Per thread.  A thread holds at most one pv list lock, so one queue node for
 * each thread is enough.  An MCS node is used by others only between lock and
 * unlock, so it is thread-local storage.  A CLH node changes hands, and an
 * Anderson slot is one of a fixed number: both need the thread's place in a
 * table that outlives the thread, which is what ck_thread_self() gives.
 *
 * Owner.  None is kept: plo_owned goes by td_pv_held.
 *
 * ThreadSanitizer does not see the atomic operations, which are inline assembly.
 * tsan_acquire() and tsan_release() tell it what the lock promises; so a test of
 * that promise by ThreadSanitizer says nothing about these backends.  What an
 * unlock reads before its releasing store, but after tsan_release(), is no race:
 * ck_ignore_reads() says so.
 */

#include <stdbool.h>

#include "kern/kassert.h"
#include "kern/sanitizer.h"
#include "pmapsim/types.h"
#include "sim/sim.h"

#if SANITIZER_THREAD
/* From ThreadSanitizer's runtime, which declares them nowhere. */
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
#define ck_ignore_reads()      AnnotateIgnoreReadsBegin(__FILE__, __LINE__)
#define ck_ignore_reads_done() AnnotateIgnoreReadsEnd(__FILE__, __LINE__)
#else
#define ck_ignore_reads()      ((void)0)
#define ck_ignore_reads_done() ((void)0)
#endif

struct ck_spinlock_clh;

/* Threads that may use ck_clh and ck_anderson at a time; more panic. */
#define CK_THREADS_MAX (2 * MACHINE_CPU_MAX)

struct ck_thread {
	_Alignas(CACHE_LINE_SIZE) unsigned ct_id; /* 0 to the most there were */
	struct ck_spinlock_clh *ct_clh;           /* the node it has now */
	struct ck_thread *ct_next;                /* on the free list */
};

extern _Thread_local struct ck_thread *ck_thread_known;
struct ck_thread *ck_thread_register(void);

/* The calling thread's entry.  Its first call takes one, its end returns it. */
static inline struct ck_thread *
ck_thread_self(void)
{
	struct ck_thread *ct = ck_thread_known;

	return (__predict_true(ct != NULL) ? ct : ck_thread_register());
}

static inline bool
ck_word_owned(const void *word)
{
	return (curthread()->td_pv_held == word);
}

#endif /* LOCK_LOCK_CK_H */
