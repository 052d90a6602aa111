/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_VIRT_UTIL_H
#define TESTS_VIRT_UTIL_H

/*
 * Tests that begin a world of their own.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/virtual/arena.h"
#include "sim/virtual/virt.h"

/* The world begins: bytes of its memory, in domain 0. */
static inline char *
virt_setup(const struct virt_config *vc, size_t bytes)
{
	char *memory;

	assert_int_equal(virt_begin(vc), 0);
	memory = arena_get(bytes, 0);
	assert_non_null(memory);
	return (memory);
}

/* Whatever it was that a test began. */
static inline int
virt_teardown(void **state)
{
	(void)state;
	virt_end();
	return (0);
}

#endif /* TESTS_VIRT_UTIL_H */
