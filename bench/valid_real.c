/* SPDX-License-Identifier: BSD-2-Clause */
/* pmapsim: the world is the host. */
#include "valid.h"

int
valid_world(const struct preset *p, unsigned ncpus, uint64_t seed,
    void (*fn)(void *arg), void *arg)
{
	(void)p;
	(void)ncpus;
	(void)seed;
	fn(arg);
	return (0);
}
