/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Entry points of -fsanitize=thread: loads and stores.
 *
 * The forms _pc have the caller's address as an argument; volatile ones are for
 * KCSAN (--param tsan-distinguish-volatile); vptr ones for C++; read_write ones
 * are a load and a store to one place, of clang.  Entries and exits of functions
 * are turned off in our builds, but the calls exist for those that do not.
 */
#include <string.h>

#include "sim/virtual/tsan_impl.h"

/* What a plain access is, to a strategy; the value that memory has now. */
static void
explore_plain(uintptr_t addr, size_t size, bool write, uintptr_t pc)
{
	struct virt_access va = { .va_addr = addr,
		.va_size = size,
		.va_kind = write ? VA_WRITE : VA_READ,
		.va_order = __ATOMIC_RELAXED,
		.va_pc = pc };

	world_explore_before(&va);
	if (size <= sizeof(va.va_old))
		memcpy(&va.va_old, (const void *)addr, size);
	va.va_new = va.va_old;
	world_explore_after(&va);
}

__slowpath void
tsan_plain_rest(uintptr_t addr, size_t size, bool write, uintptr_t pc)
{
	if (virt_world.vw_explore != NULL && arena_has((const void *)addr))
		explore_plain(addr, size, write, pc);
}

void
tsan_range(uintptr_t addr, size_t size, bool write, uintptr_t pc)
{
	size_t n;

	if (virt_world.vw_explore != NULL) {
		tsan_plain_rest(addr, size, write, pc);
		return;
	}
	/* By the size alone: where a stack lies is another place in each run. */
	if (!arena_has((const void *)addr))
		addr = 0;
	while (size > 0) {
		n = ARENA_LINE - (addr & (ARENA_LINE - 1));
		if (n > size)
			n = size;
		tsan_plain(addr, n, write, pc);
		addr += n;
		size -= n;
	}
}

static void
tsan_unaligned(uintptr_t addr, size_t size, bool write, uintptr_t pc)
{
	if (__predict_true(tsan_one_line(addr, size)))
		tsan_plain(addr, size, write, pc);
	else
		tsan_range(addr, size, write, pc);
}

#define PLAIN(name, size, write)                                               \
	void __tsan_##name(void *addr);                                        \
	void __tsan_##name##_pc(void *addr, void *pc);                         \
	void __tsan_##name(void *addr)                                         \
	{                                                                      \
		tsan_plain((uintptr_t)addr, size, write, CALLER);              \
	}                                                                      \
	void __tsan_##name##_pc(void *addr, void *pc)                          \
	{                                                                      \
		tsan_plain((uintptr_t)addr, size, write, (uintptr_t)pc);       \
	}

#define UNALIGNED(name, size, write)                                           \
	void __tsan_unaligned_##name(void *addr);                              \
	void __tsan_unaligned_##name(void *addr)                               \
	{                                                                      \
		tsan_unaligned((uintptr_t)addr, size, write, CALLER);          \
	}

#define VOLATILE(name, size, write)                                            \
	void __tsan_volatile_##name(void *addr);                               \
	void __tsan_unaligned_volatile_##name(void *addr);                     \
	void __tsan_volatile_##name(void *addr)                                \
	{                                                                      \
		tsan_plain((uintptr_t)addr, size, write, CALLER);              \
	}                                                                      \
	void __tsan_unaligned_volatile_##name(void *addr)                      \
	{                                                                      \
		tsan_unaligned((uintptr_t)addr, size, write, CALLER);          \
	}

#define READ_WRITE(size)                                                       \
	void __tsan_read_write##size(void *addr);                              \
	void __tsan_read_write##size##_pc(void *addr, void *pc);               \
	void __tsan_unaligned_read_write##size(void *addr);                    \
	void __tsan_read_write##size(void *addr)                               \
	{                                                                      \
		tsan_plain((uintptr_t)addr, size, false, CALLER);              \
		tsan_plain((uintptr_t)addr, size, true, CALLER);               \
	}                                                                      \
	void __tsan_read_write##size##_pc(void *addr, void *pc)                \
	{                                                                      \
		tsan_plain((uintptr_t)addr, size, false, (uintptr_t)pc);       \
		tsan_plain((uintptr_t)addr, size, true, (uintptr_t)pc);        \
	}                                                                      \
	void __tsan_unaligned_read_write##size(void *addr)                     \
	{                                                                      \
		tsan_unaligned((uintptr_t)addr, size, false, CALLER);          \
		tsan_unaligned((uintptr_t)addr, size, true, CALLER);           \
	}

/* An object of 16 bytes is often aligned to 8 only. */
#define ALL(size)                                                              \
	PLAIN(read##size, size, false)                                         \
	PLAIN(write##size, size, true)                                         \
	UNALIGNED(read##size, size, false)                                     \
	UNALIGNED(write##size, size, true)                                     \
	VOLATILE(read##size, size, false)                                      \
	VOLATILE(write##size, size, true)                                      \
	READ_WRITE(size)

ALL(1)
ALL(2)
ALL(4)
ALL(8)
ALL(16)

/* Not loads or stores, but calls that a compiler makes around them. */

void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_vptr_update(void **vptr, void *new_vptr);
void __tsan_vptr_read(void **vptr);
void __tsan_ignore_thread_begin(void);
void __tsan_ignore_thread_end(void);

void
__tsan_init(void)
{
}

void
__tsan_func_entry(void *pc)
{
	(void)pc;
}

void
__tsan_func_exit(void)
{
}

void
__tsan_vptr_update(void **vptr, void *new_vptr)
{
	(void)new_vptr;
	tsan_plain((uintptr_t)vptr, sizeof(*vptr), true, CALLER);
}

void
__tsan_vptr_read(void **vptr)
{
	tsan_plain((uintptr_t)vptr, sizeof(*vptr), false, CALLER);
}

/* Between these ThreadSanitizer does not look.  Time goes on. */
void
__tsan_ignore_thread_begin(void)
{
}

void
__tsan_ignore_thread_end(void)
{
}
