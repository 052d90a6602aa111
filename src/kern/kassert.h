/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERN_KASSERT_H
#define KERN_KASSERT_H

#include <stdbool.h>

#include "pmapsim/panic.h"

_Noreturn void panic_at(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* For states that the caller cannot repair, in any build. */
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)

#ifdef PMAPSIM_INVARIANTS
#define INVARIANTS_ENABLED true
#else
#define INVARIANTS_ENABLED false
#endif

/* Assertions that cost O(n), as a look at a page's contents. */
#ifdef PMAPSIM_DIAGNOSTIC
#define DIAGNOSTIC_ENABLED true
#else
#define DIAGNOSTIC_ENABLED false
#endif

#define __predict_true(e)  __builtin_expect((e) != 0, 1)
#define __predict_false(e) __builtin_expect((e) != 0, 0)

/* A slow path: inlined it would make its fast path save registers. */
#define __slowpath __attribute__((noinline, cold))

/*
 * KASSERT(expr, (fmt, args)) checks an invariant in O(1).  It costs nothing
 * without PMAPSIM_INVARIANTS, but it is compiled in every build: the expression
 * and the message cannot rot.  No side effects in expr.
 */
#define KASSERT(expr, msg)                                                     \
	do {                                                                   \
		if (INVARIANTS_ENABLED && __predict_false(!(expr)))            \
			panic msg;                                             \
	} while (0)

#endif /* KERN_KASSERT_H */
