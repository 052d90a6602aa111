/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Is there what asym.h needs?  glibc 2.35 or later, which registers each thread
 * for restartable sequences, and membarrier(2) with the command that restarts
 * them (Linux 5.10).
 */

#include "sim/asym.h"

#include <stddef.h>

#if ASYM_POSSIBLE && defined(__has_include)
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define ASYM_GLIBC 1
#endif
#endif

#ifdef ASYM_GLIBC

#include <linux/membarrier.h>
#include <sys/syscall.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kern/kassert.h"

/* Ours must be the one that the library was compiled for. */
_Static_assert(RSEQ_SIG == 0x53053053, "the signature in asym.h");

/* The thread's area, wherever glibc put it. */
static struct rseq *
rseq_area(void)
{
	char *tp;

	__asm__("movq %%fs:0, %0" : "=r"(tp));
	return ((struct rseq *)(void *)(tp + __rseq_offset));
}

/* 0 or errno. */
static int
barrier_try(void)
{
	int error;

	do {
		error = syscall(SYS_membarrier,
			    MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0) == 0
		    ? 0
		    : errno;
		/* It wants a set of CPUs, some bytes, and has none just now. */
	} while (error == ENOMEM);
	return (error);
}

bool
asym_init(void)
{
	const char *s = getenv("PMAPSIM_RELEASE");

	if (s != NULL && strcmp(s, "portable") == 0)
		return (false);
	/* To be registered is not to be allowed the call: a filter may differ. */
	return (__rseq_size > 0 &&
	    syscall(SYS_membarrier,
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0) == 0 &&
	    barrier_try() == 0);
}

uint64_t *
asym_thread(void)
{
	struct rseq *rs = rseq_area();

	/* Negative: the kernel refused this thread. */
	if (__rseq_size == 0 || (int32_t)rs->cpu_id < 0)
		return (NULL);
	return (
	    (uint64_t *)(void *)((char *)rs + offsetof(struct rseq, rseq_cs)));
}

void
asym_barrier(void)
{
	int error = barrier_try();

	if (error != 0)
		panic("membarrier(2): %s; it worked when the sim was made, "
		      "PMAPSIM_RELEASE=portable does without",
		    strerror(error));
}

#else

bool
asym_init(void)
{
	return (false);
}

uint64_t *
asym_thread(void)
{
	return (NULL);
}

void
asym_barrier(void)
{
}

#endif
