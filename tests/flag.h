/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_FLAG_H
#define TESTS_FLAG_H

/* Flags by which the threads of a test wait for each other. */

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

static inline bool
flag_get(const _Atomic bool *flag)
{
	/* Acquire: pairs with flag_set(). */
	return (atomic_load_explicit(flag, memory_order_acquire));
}

static inline void
flag_set(_Atomic bool *flag)
{
	/* Release: pairs with flag_get(). */
	atomic_store_explicit(flag, true, memory_order_release);
}

static inline void
flag_await(const _Atomic bool *flag)
{
	while (!flag_get(flag))
		(void)sched_yield();
}

#endif /* TESTS_FLAG_H */
