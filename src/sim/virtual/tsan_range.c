/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Entry points of -fsanitize=thread: ranges, the memcpy family, annotations.
 */
#include <string.h>

#include "sim/virtual/tsan_impl.h"

void __tsan_read_range(void *addr, size_t size);
void __tsan_write_range(void *addr, size_t size);
void __tsan_read_range_pc(void *addr, size_t size, void *pc);
void __tsan_write_range_pc(void *addr, size_t size, void *pc);
void *__tsan_memcpy(void *dst, const void *src, size_t size);
void *__tsan_memmove(void *dst, const void *src, size_t size);
void *__tsan_memset(void *dst, int c, size_t size);
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);

void
__tsan_read_range(void *addr, size_t size)
{
	tsan_range((uintptr_t)addr, size, false, CALLER);
}

void
__tsan_write_range(void *addr, size_t size)
{
	tsan_range((uintptr_t)addr, size, true, CALLER);
}

void
__tsan_read_range_pc(void *addr, size_t size, void *pc)
{
	tsan_range((uintptr_t)addr, size, false, (uintptr_t)pc);
}

void
__tsan_write_range_pc(void *addr, size_t size, void *pc)
{
	tsan_range((uintptr_t)addr, size, true, (uintptr_t)pc);
}

void *
__tsan_memcpy(void *dst, const void *src, size_t size)
{
	tsan_range((uintptr_t)src, size, false, CALLER);
	tsan_range((uintptr_t)dst, size, true, CALLER);
	return (memcpy(dst, src, size));
}

void *
__tsan_memmove(void *dst, const void *src, size_t size)
{
	tsan_range((uintptr_t)src, size, false, CALLER);
	tsan_range((uintptr_t)dst, size, true, CALLER);
	return (memmove(dst, src, size));
}

void *
__tsan_memset(void *dst, int c, size_t size)
{
	tsan_range((uintptr_t)dst, size, true, CALLER);
	return (memset(dst, c, size));
}

/* Order that the compiler does not see: it takes no time, and a strategy is told. */
static void
annotate(void *addr, enum virt_kind kind, uintptr_t pc)
{
	struct virt_access va = { .va_addr = (uintptr_t)addr,
		.va_kind = kind,
		.va_order =
		    kind == VA_ACQUIRE ? __ATOMIC_ACQUIRE : __ATOMIC_RELEASE,
		.va_pc = pc };

	if (virt_world.vw_explore != NULL)
		world_explore_after(&va);
}

void
__tsan_acquire(void *addr)
{
	annotate(addr, VA_ACQUIRE, CALLER);
}

void
__tsan_release(void *addr)
{
	annotate(addr, VA_RELEASE, CALLER);
}
