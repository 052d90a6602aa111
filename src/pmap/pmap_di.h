/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PMAP_DI_H
#define PMAP_PMAP_DI_H

/*
 * Delayed invalidation.
 *
 * Why.  pmap_remove() and others unlink pv entries, and drop the pv list lock,
 * long before they tell the TLBs, once and for all they removed.  A thread that
 * meanwhile finds the page without mappings must not take it for unreachable: a
 * CPU may still get there through its TLB.
 *
 * The idea.  Who works so is in a block, from pmap_delayed_invl_start() to
 * pmap_delayed_invl_finish(), and a block has a generation.  With each pv entry
 * that goes, pmap_delayed_invl_page() raises the generation of the page's region,
 * pv_invl_gen in its pv header, to that of the block; the pv list lock is held
 * for writing.  Who has then found the page without mappings, under the pv list
 * lock, and has dropped it, waits with pmap_delayed_invl_wait() until every block
 * of such a generation, or of an earlier one, has finished.
 *
 * There are two forms, chosen by the design: pmap_di_mutex.c and
 * pmap_di_lockless.c.  Both keep
 *
 *   a. the head's generation never falls;
 *   b. along the list of blocks, oldest first, generations strictly rise, and
 *	that of the oldest is above the head's;
 *   c. once the head's generation is g, every block has finished that had a
 *	generation of g or less when it marked a region;
 *   d. no region's generation exceeds the highest that a block ever had;
 *   e. when nobody is inside, no region's exceeds the head's.
 *
 * A block that finishes gives its generation to the one before it, or to the
 * head if it is the oldest.  So the head's generation moves when the oldest
 * leaves, by as much as all those have reached that left before it and had begun
 * right after it.
 *
 * A block marks each region but once.  Its generation may rise later, but
 * everything older stays below the one it had first (by b, and since generations
 * only go from a block to an older one), so the head does not get there before
 * the block finishes.
 *
 * Rules: a thread is in one block at most; within, it does not sleep for memory,
 * as those who wait may hold what memory is waited with; and who waits holds no
 * lock of the pmap layer and is in no block.  All are asserted, but that who waits
 * holds no pmap's lock.
 *
 * Lock order.  "invlgn", of the one form, is a leaf; of the other nobody ever
 * holds anything, but a block that is just linked or unlinked makes others spin.
 *
 * Source: FreeBSD main (2024), amd64 pmap.c, pmap_delayed_invl_*().
 * Differs: who waits reads the region's generation once, when it begins, so that
 * blocks that begin later never keep it.  FreeBSD reads it again and again.
 */

#include "kern/cas2.h"
#include "lock/leaf_lock.h"
#include "lock/mtx.h"
#include "pmapsim/vm_page.h"

struct pmap_di;
struct turnstile_chain;

/*
 * A thread's part in it.  Type-stable: threads that walk the list may look at
 * one that has left it.
 *
 *	o - the thread's own
 *	m - mutex form: di_mtx
 *	p - di_pool_lock
 *	c - constant
 */
struct pmap_invl {
	/* Lockless: generation, and next with the mark.  (m): generation. */
	_Alignas(CACHE_PAIR_SIZE) struct cas2 pi_word;
	struct pmap_invl *pi_older; /* (m) */
	struct pmap_invl *pi_newer; /* (m) */
	uint64_t pi_region;         /* (o) what the block marked last */
	struct pmap_invl *pi_pool;  /* (p) */
	bool pi_inside;             /* (o) in a block */
	bool pi_raised;             /* (o) its priority is not its own */
	int pi_pri;                 /* (o) what that was */
};
#define PMAP_INVL_GEN(pi)  ((pi)->pi_word.c2_lo)
#define PMAP_INVL_NEXT(pi) ((pi)->pi_word.c2_hi)

struct pmap_di {
	struct pmap_invl di_head; /* its generation is what has finished */
	/* Lockless: threads in, or about to enter, the turnstile. */
	_Alignas(CACHE_PAIR_SIZE) _Atomic uint32_t di_waiters;
	_Atomic uint32_t di_max_qlen;
	bool di_lockless;            /* (c) */
	struct mtx di_mtx;           /* invlgn */
	struct pmap_invl *di_newest; /* (m) mutex form */
	uint32_t di_qlen;            /* (m) mutex form: blocks */
	struct leaf_lock di_pool_lock;
	struct pmap_invl *di_pool; /* (p) elements of no thread */
};

/* Begin a block.  Before the pmap's lock, or with it. */
void pmap_delayed_invl_start(struct machine *ma);
/* End it.  Every CPU has been told of what was removed. */
void pmap_delayed_invl_finish(struct machine *ma);

void pmap_delayed_invl_mark(struct machine *ma, struct vm_page *m);

/*
 * A pv entry of m goes.  The pv list lock of m is held for writing, and was when
 * the entry went.  Outside a block this does nothing.
 */
static inline void
pmap_delayed_invl_page(struct machine *ma, struct vm_page *m)
{
	if (curthread()->td_invl->pi_region != m->phys_addr >> PDRSHIFT)
		pmap_delayed_invl_mark(ma, m);
}

/*
 * Wait for the blocks whose removals of m's mappings this thread has seen the
 * result of, under m's pv list lock, which it has dropped since.
 */
void pmap_delayed_invl_wait(struct machine *ma, struct vm_page *m);

/* For assertions: is the calling thread in a block? */
static inline bool
pmap_in_di(void)
{
	return (curthread()->td_invl->pi_inside);
}

#define PMAP_ASSERT_NOT_IN_DI()                                                \
	KASSERT(!pmap_in_di(), ("in a delayed invalidation block"))

/*
 * The machine's, and a thread's: return 0 or ENOMEM.  pmap_di_destroy() accepts a
 * machine that has none.
 */
int pmap_di_create(struct machine *ma);
void pmap_di_destroy(struct machine *ma);
int pmap_di_attach(struct machine *ma, struct thread *td);
void pmap_di_detach(struct machine *ma, struct thread *td);

/* Invariant 30, at quiescence. */
unsigned pmap_di_check(struct machine *ma,
    void (*fn)(void *arg, int inv, const char *text), void *arg);

/* The longest list of blocks that a block found when it began. */
uint32_t pmap_di_max_qlen(const struct machine *ma);

/* The forms.  wait: until the head's generation is at least gen. */
void pmap_di_start_mutex(struct pmap_di *di, struct pmap_invl *pi);
void pmap_di_finish_mutex(struct pmap_di *di, struct pmap_invl *pi);
void pmap_di_wait_mutex(struct pmap_di *di, uint64_t gen);
void pmap_di_start_lockless(struct pmap_di *di, struct pmap_invl *pi);
void pmap_di_finish_lockless(struct pmap_di *di, struct pmap_invl *pi);
void pmap_di_wait_lockless(struct pmap_di *di, uint64_t gen);

/* For the forms. */
#define PMAP_DI_FREE UINT64_C(1) /* the mark; alone: in no block */

void pmap_di_qlen(struct pmap_di *di, uint32_t n);
/* Nobody owns what is waited for. */
struct thread *
pmap_di_owner(struct thread *td, const void *key, unsigned nth, unsigned *np);
/* All who wait look again.  The chain is locked, and is unlocked after that. */
void pmap_di_broadcast(struct pmap_di *di, struct turnstile_chain *tc);

static inline uint64_t
pmap_di_done(const struct pmap_di *di)
{
	/*
	 * Acquire: pairs with the swap, or the store, of whoever moved the head;
	 * what the blocks did that have finished is seen.
	 */
	return (atomic_load_explicit(
	    &PMAP_INVL_GEN(&di->di_head), memory_order_acquire));
}

#endif /* PMAP_PMAP_DI_H */
