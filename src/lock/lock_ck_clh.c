/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The pv list lock "ck_clh": Concurrency Kit's CLH queue lock; each waiter spins
 * on the node of the one before it.  The word is the queue's tail, which is
 * never NULL: a free lock's tail is a node with wait == 0.
 *
 * Nodes.  A thread that unlocks leaves its node as the lock's and takes the one
 * before it along, so nodes wander between threads and locks and no storage of
 * either may hold them.  There are as many as locks plus threads:
 *
 *   1. Each lock has one node and each entry of the table of threads another, in
 *	its life always; which one changes.
 *   2. A thread's first node is static and belongs to its entry.  When the thread
 *	ends, the entry keeps the node that it has then for the next thread.
 *   3. A lock's first node comes from a pool that grows by slabs and is never
 *	given back to the host; plo_destroy puts the node the lock has then into
 *	the pool.  So a node is always some node, also to a thread that reads
 *	late, and nothing is allocated but by plo_init.
 *
 * Try-lock.  Concurrency Kit has none.  Ours reads the tail and, if it says
 * "free", puts its own node in its place by a CAS.  That the tail did not change
 * does not mean that it is free still: its thread may have got the same node
 * back and queued it again.  Then the try-lock is in the queue and has to wait
 * its turn; rare, and short of that it never waits.
 *
 * Cost.  8 bytes in the header and a node of a cache line elsewhere.
 */

#include <ck_pr.h>
#include <ck_spinlock.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "lock/lock_ck.h"
#include "lock/pv_backends.h"

#define SLAB_NODES 63 /* with the header, a page */

/* Two on a line would make one waiter's spinning disturb another's. */
struct clh_node {
	_Alignas(CACHE_LINE_SIZE) struct ck_spinlock_clh cn_node;
	struct clh_node *cn_next; /* in the pool */
};

/* Chained, so that a leak checker finds what is never given back. */
struct clh_slab {
	struct clh_slab *cs_next;
	struct clh_node cs_nodes[SLAB_NODES];
};

static struct clh_node clh_first[CK_THREADS_MAX];
static pthread_mutex_t clh_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct clh_slab *clh_slabs; /* clh_mutex */
static struct clh_node *clh_pool;  /* clh_mutex */

static struct clh_node *
node_of(struct ck_spinlock_clh *n)
{
	return ((struct clh_node *)(void *)n);
}

static int
pool_grow(void)
{
	struct clh_slab *cs = aligned_alloc(CACHE_LINE_SIZE, sizeof(*cs));

	if (cs == NULL)
		return (ENOMEM);
	cs->cs_next = clh_slabs;
	clh_slabs = cs;
	for (unsigned i = 0; i < SLAB_NODES; i++) {
		cs->cs_nodes[i].cn_next = clh_pool;
		clh_pool = &cs->cs_nodes[i];
	}
	return (0);
}

static int
ck_clh_init(void *word)
{
	struct clh_node *cn = NULL;
	int error = 0;

	(void)pthread_mutex_lock(&clh_mutex);
	if (clh_pool == NULL)
		error = pool_grow();
	if (error == 0) {
		cn = clh_pool;
		clh_pool = cn->cn_next;
	}
	(void)pthread_mutex_unlock(&clh_mutex);
	if (error == 0)
		ck_spinlock_clh_init(word, &cn->cn_node);
	return (error);
}

static void
ck_clh_destroy(void *word)
{
	ck_spinlock_clh_t **tail = word;
	struct clh_node *cn = node_of(*tail);

	(void)pthread_mutex_lock(&clh_mutex);
	cn->cn_next = clh_pool;
	clh_pool = cn;
	(void)pthread_mutex_unlock(&clh_mutex);
	*tail = NULL;
}

static struct ck_thread *
clh_self(void)
{
	struct ck_thread *ct = ck_thread_self();

	if (__predict_false(ct->ct_clh == NULL))
		ct->ct_clh = &clh_first[ct->ct_id].cn_node;
	return (ct);
}

static void
ck_clh_lock(void *word)
{
	ck_spinlock_clh_lock(word, clh_self()->ct_clh);
	tsan_acquire(word);
}

static bool
ck_clh_trylock(void *word)
{
	struct ck_spinlock_clh *own = clh_self()->ct_clh, *head;
	ck_spinlock_clh_t **tail = word;

	head = ck_pr_load_ptr(tail);
	if (ck_pr_load_uint(&head->wait) != 0)
		return (false);
	own->wait = true;
	own->previous = head;
	ck_pr_fence_store_atomic();
	if (!ck_pr_cas_ptr(tail, head, own))
		return (false);
	while (ck_pr_load_uint(&head->wait) != 0)
		ck_pr_stall();
	ck_pr_fence_lock();
	tsan_acquire(word);
	return (true);
}

static void
ck_clh_unlock(void *word, bool modified)
{
	struct ck_thread *ct = ck_thread_self();

	(void)modified;
	tsan_release(word);
	ck_ignore_reads(); /* of the node's previous one */
	ck_spinlock_clh_unlock(&ct->ct_clh);
	ck_ignore_reads_done();
}

const struct pv_lock_ops pv_lock_ck_clh = {
	.plo_name = "ck_clh",
	.plo_descr = "Concurrency Kit: CLH queue, first come first served",
	.plo_size = sizeof(ck_spinlock_clh_t *),
	.plo_align = _Alignof(ck_spinlock_clh_t *),
	.plo_flags = PLO_FAIR | PLO_SPIN,
	.plo_init = ck_clh_init,
	.plo_destroy = ck_clh_destroy,
	.plo_lock = ck_clh_lock,
	.plo_trylock = ck_clh_trylock,
	.plo_unlock = ck_clh_unlock,
	.plo_owned = ck_word_owned,
};
