/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of a virtual machine: kern/kmem.c's blocks and kern/kva.c's mappings from
 * the arena.
 */
#include <sys/mman.h>

#include "kern/kassert.h"
#include "kern/kmem_impl.h"
#include "sim/virtual/arena.h"
#include "sim/virtual/arena_heap.h"
#include "sim/virtual/virt.h"

static struct arena_heap *
heap_of(uintptr_t arena)
{
	return ((struct arena_heap *)arena);
}

int
kmem_arena_create(int domain, uintptr_t *arenap)
{
	struct arena_heap *ah;
	int error;

	if (!virt_on())
		panic("memory of a virtual machine, and there is no world");
	error = arena_heap_create(domain, &ah);
	if (error == 0)
		*arenap = (uintptr_t)ah;
	return (error);
}

void
kmem_arena_destroy(uintptr_t arena)
{
	arena_heap_destroy(heap_of(arena));
}

void *
kmem_arena_alloc(uintptr_t arena, size_t size, size_t align)
{
	void *p;

	p = arena_heap_alloc(heap_of(arena), size, align);
	if (p != NULL)
		virt_fresh(p, arena_heap_usable(heap_of(arena), p));
	return (p);
}

void
kmem_arena_free(uintptr_t arena, void *p)
{
	virt_fresh(p, arena_heap_usable(heap_of(arena), p));
	arena_heap_free(heap_of(arena), p);
}

bool
kmem_arena_owns(uintptr_t arena, void *p)
{
	return (arena_heap_owns(heap_of(arena), p));
}

size_t
kmem_arena_usable(uintptr_t arena, const void *p)
{
	return (arena_heap_usable(heap_of(arena), p));
}

uint64_t
kmem_arena_bytes(uintptr_t arena)
{
	return (arena_heap_allocated(heap_of(arena)));
}

void *
kva_host_map(size_t size, bool access)
{
	void *p;

	p = arena_get(size, 0);
	if (p == NULL || access)
		return (p);
	if (mprotect(p, size, PROT_NONE) != 0) {
		arena_put(p, size);
		return (NULL);
	}
	return (p);
}

void
kva_host_unmap(void *p, size_t size)
{
	virt_fresh(p, size);
	arena_put(p, size);
}

void
kva_set_home(const void *p, size_t size, int domain)
{
	arena_set_home(p, size, domain);
}
