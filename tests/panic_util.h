/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_PANIC_UTIL_H
#define TESTS_PANIC_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kern/kassert.h"

/* A panic_handler: a panic is what expect_assert_failure() expects. */
static inline void
panic_as_assertion(const char *file, int line, const char *msg)
{
	mock_assert(0, msg, file, line);
}

#endif /* TESTS_PANIC_UTIL_H */
