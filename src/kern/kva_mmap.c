/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address space by mmap(2).
 *
 * Limits.  Linux with vm.overcommit_memory=2 ignores MAP_NORESERVE: a mapping
 * larger than its commit limit then fails.  ThreadSanitizer, on amd64, has room
 * for 1 TB: 2 TB fail there.
 */
#include <sys/mman.h>

#include "kern/kassert.h"
#include "kern/kmem_impl.h"

/* FreeBSD has no such flag: there, nothing is reserved by default. */
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

void *
kva_host_map(size_t size, bool access)
{
	void *p;

	p = mmap(NULL, size, access ? PROT_READ | PROT_WRITE : PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return (p == MAP_FAILED ? NULL : p);
}

void
kva_host_unmap(void *p, size_t size)
{
	int error;

	error = munmap(p, size);
	KASSERT(error == 0, ("munmap %p, %zu bytes", p, size));
	(void)error;
}

void
kva_set_home(const void *p, size_t size, int domain)
{
	(void)p, (void)size, (void)domain;
}
