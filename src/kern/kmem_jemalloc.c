/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arenas of jemalloc's.
 *
 * mallocx() names the arena.  Every call bypasses the threads' caches: nothing may
 * sit there that the accounts do not know of.
 *
 * A large block comes zeroed from the kernel, or is given back to it and zeroed
 * that way, and is not written before its user does.
 *
 * Not provided.  Binding of a domain's arena to a NUMA node of the host.
 *
 * Limits.  jemalloc has 4095 arenas; a machine takes one, and one more for each
 * domain.  Those of destroyed machines are used again.  LeakSanitizer does not
 * look for pointers inside the arenas: what is malloc()ed and known only from
 * there counts as lost if it is still there when the program ends.
 */
#include <errno.h>
#include <stdio.h>

#ifdef PMAPSIM_LIBC_JEMALLOC
#include <malloc_np.h>
#else
#include <jemalloc/jemalloc.h>
#endif

#include "kern/kassert.h"
#include "kern/kmem_impl.h"

int
kmem_arena_create(int domain, uintptr_t *arenap)
{
	unsigned index;
	size_t len = sizeof(index);
	int error;

	(void)domain;
	error = mallctl("arenas.create", &index, &len, NULL, 0);
	if (error == 0)
		*arenap = index;
	return (error);
}

void
kmem_arena_destroy(uintptr_t arena)
{
	char name[48];
	int error;

	(void)snprintf(name, sizeof(name), "arena.%u.destroy", (unsigned)arena);
	error = mallctl(name, NULL, NULL, NULL, 0);
	KASSERT(error == 0, ("%s: error %d", name, error));
	(void)error;
}

void *
kmem_arena_alloc(uintptr_t arena, size_t size, size_t align)
{
	return (mallocx(size,
	    MALLOCX_ARENA((unsigned)arena) | MALLOCX_TCACHE_NONE |
		MALLOCX_ZERO | MALLOCX_ALIGN(align)));
}

void
kmem_arena_free(uintptr_t arena, void *p)
{
	(void)arena;
	/*
	 * Not sdallocx(): it derives the size class from the size and the
	 * alignment, and we are not told the latter.
	 */
	dallocx(p, MALLOCX_TCACHE_NONE);
}

bool
kmem_arena_owns(uintptr_t arena, void *p)
{
	unsigned found;
	size_t len = sizeof(found);

	return (mallctl("arenas.lookup", &found, &len, &p, sizeof(p)) == 0 &&
	    found == arena);
}

size_t
kmem_arena_usable(uintptr_t arena, const void *p)
{
	(void)arena;
	return (sallocx(p, 0));
}

uint64_t
kmem_arena_bytes(uintptr_t arena)
{
	static const char *const classes[] = { "small", "large" };
	char name[64];
	uint64_t all = 0, epoch = 1;
	size_t allocated, len;
	int error;

	/* jemalloc's numbers are a snapshot that a write to epoch renews. */
	error = mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
	for (size_t i = 0; i < 2 && error == 0; i++) {
		(void)snprintf(name, sizeof(name),
		    "stats.arenas.%u.%s.allocated", (unsigned)arena,
		    classes[i]);
		len = sizeof(allocated);
		error = mallctl(name, &allocated, &len, NULL, 0);
		if (error == 0)
			all += allocated;
	}
	KASSERT(error == 0,
	    ("arena %u: no statistics: %d", (unsigned)arena, error));
	return (all);
}
