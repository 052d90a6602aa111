/* SPDX-License-Identifier: BSD-2-Clause */
#include "kern/cas2.h"

#if defined(__x86_64__)

#include <cpuid.h>

bool
cas2_supported(void)
{
	unsigned a, b, c, d;

	return (
	    __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_CMPXCHG16B) != 0);
}

#elif defined(__aarch64__)

bool
cas2_supported(void)
{
	return (true);
}

#endif
