/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kern/rcu.h for fibers.
 *
 * A reader may be switched away from inside, where it touches the model's memory.
 * So readers have numbers, in the order in which they entered, and are on a list.
 * Who waits for a grace period blocks until no reader is left that entered before;
 * the one that leaves last wakes it.
 *
 * Both lists are as long as there are fibers inside or waiting at a time: few.
 * There is one world, and these are its; they are empty when it ends.
 */
#include "kern/rcu.h"

#include <stddef.h>

#include "kern/kassert.h"
#include "sim/virtual/world.h"

/* In the array below, oldest first. */
struct rcu_reader {
	struct vfiber *rr_fiber;
	uint64_t rr_number;
	unsigned rr_depth; /* rcu_enter() nests */
};

/* In the frame of its rcu_synchronize(). */
struct rcu_waiter {
	struct rcu_waiter *rw_next;
	struct vfiber *rw_fiber;
	uint64_t rw_number; /* of the last reader that it waits for */
};

#define READERS_MAX (2 * 1024u)

static struct rcu_reader rcu_readers[READERS_MAX];
static unsigned rcu_nreaders;
static uint64_t rcu_number;
static struct rcu_waiter *rcu_waiters;

/* For who looks for data races: the order that a grace period makes. */
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
static char rcu_order;

void
rcu_thread_register(void)
{
}

void
rcu_thread_unregister(void)
{
}

/* The entry of the fiber that runs, or rcu_nreaders. */
static unsigned
rcu_find(void)
{
	unsigned i = 0;

	while (
	    i < rcu_nreaders && rcu_readers[i].rr_fiber != virt_world.vw_fiber)
		i++;
	return (i);
}

void
rcu_enter(void)
{
	unsigned i = rcu_find();

	if (i == rcu_nreaders) {
		if (rcu_nreaders == READERS_MAX)
			panic("RCU: %u fibers inside", rcu_nreaders);
		rcu_readers[rcu_nreaders++] = (struct rcu_reader){
			.rr_fiber = virt_world.vw_fiber,
			.rr_number = ++rcu_number,
		};
	}
	rcu_readers[i].rr_depth++;
}

/* Has nobody entered up to this number and not left? */
static bool
rcu_passed(uint64_t number)
{
	return (rcu_nreaders == 0 || rcu_readers[0].rr_number > number);
}

/* Take somebody off the list who need not wait any more. */
static struct rcu_waiter *
rcu_unlink_passed(void)
{
	struct rcu_waiter *rw, **rwp;

	for (rwp = &rcu_waiters; (rw = *rwp) != NULL; rwp = &rw->rw_next) {
		if (rcu_passed(rw->rw_number)) {
			*rwp = rw->rw_next;
			return (rw);
		}
	}
	return (NULL);
}

void
rcu_exit(void)
{
	struct rcu_waiter *rw;
	unsigned i = rcu_find();

	if (i == rcu_nreaders)
		panic("RCU: a reader leaves that is not inside");
	if (--rcu_readers[i].rr_depth > 0)
		return;
	__tsan_release(&rcu_order);
	rcu_nreaders--;
	for (; i < rcu_nreaders; i++)
		rcu_readers[i] = rcu_readers[i + 1];
	/* A wake-up may switch, and what is linked be another afterwards. */
	while ((rw = rcu_unlink_passed()) != NULL)
		world_wake(rw->rw_fiber);
}

static void
rcu_unlink(struct rcu_waiter *rw)
{
	struct rcu_waiter **rwp;

	for (rwp = &rcu_waiters; *rwp != NULL; rwp = &(*rwp)->rw_next) {
		if (*rwp == rw) {
			*rwp = rw->rw_next;
			return;
		}
	}
}

void
rcu_synchronize(void)
{
	struct rcu_waiter rw = {
		.rw_fiber = virt_world.vw_fiber,
		.rw_number = rcu_number,
	};

	if (rcu_find() != rcu_nreaders)
		panic("RCU: a reader waits for itself");
	while (!rcu_passed(rw.rw_number)) {
		rw.rw_next = rcu_waiters;
		rcu_waiters = &rw;
		(void)world_block("readers of RCU", NULL, VIRT_NEVER, NULL);
		/* It is unlinked, unless somebody else woke us. */
		rcu_unlink(&rw);
	}
	__tsan_acquire(&rcu_order);
}

/* A fiber that waits on a word of the host's would stop all of them. */
void
futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
	(void)expected, (void)timeout_ns;
	panic("futex_wait(%#jx): real mode only", (uintmax_t)(uintptr_t)word);
}

void
futex_wake(_Atomic uint32_t *word, int n)
{
	(void)n;
	panic("futex_wake(%#jx): real mode only", (uintmax_t)(uintptr_t)word);
}
