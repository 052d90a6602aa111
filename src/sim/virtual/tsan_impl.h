/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_TSAN_IMPL_H
#define SIM_VIRTUAL_TSAN_IMPL_H

/*
 * What the files of entry points share.
 *
 * With -fsanitize=thread a compiler puts a call before each access to memory, and
 * makes a call of each atomic operation.  The names are those of ThreadSanitizer's
 * runtime, the functions are ours.  Names and arguments are the compilers': gcc 12
 * (gcc/sanitizer.def) and clang 14 emit what is here, newer ones the same.
 *
 * An access with time costs one test here, whether it is to modelled memory; all
 * else is behind it: what is not modelled, what is not timed, exploring.
 */

#include "sim/virtual/world.h"

#define CALLER ((uintptr_t)__builtin_return_address(0))

/* The slow path of tsan_plain(). */
void tsan_plain_rest(uintptr_t addr, size_t size, bool write, uintptr_t pc);

/* Does it begin and end in one line? */
static inline bool
tsan_one_line(uintptr_t addr, size_t size)
{
	return ((addr & (ARENA_LINE - 1)) + size <= ARENA_LINE);
}

/* A load or store of an object that lies in one line. */
static inline __attribute__((always_inline)) void
tsan_plain(uintptr_t addr, size_t size, bool write, uintptr_t pc)
{
	if (__predict_true(addr - virt_world.vw_arena < virt_world.vw_span))
		world_access(addr, write ? LINE_WRITE : LINE_READ);
	else if (__predict_true(virt_world.vw_span != 0))
		world_access_outside();
	else
		tsan_plain_rest(addr, size, write, pc);
}

/* The same of one that may lie in several. */
void tsan_range(uintptr_t addr, size_t size, bool write, uintptr_t pc);

/*
 * Atomic operations.  Between these two the caller does it.  va is for a strategy
 * and is filled in only with one.
 */
void tsan_atomic_rest(uintptr_t addr, struct virt_access *va);

static inline __attribute__((always_inline)) void
tsan_atomic_begin(uintptr_t addr, size_t size, enum virt_kind kind, int order,
    uintptr_t pc, struct virt_access *va)
{
	enum line_op op = kind == VA_ATOMIC_LOAD ? LINE_ATOMIC_READ
	    : kind == VA_ATOMIC_STORE            ? LINE_ATOMIC_WRITE
						 : LINE_RMW;

	if (__predict_true(addr - virt_world.vw_arena < virt_world.vw_span)) {
		world_access(addr, op);
		/* A store that is a full fence as well: an exchange. */
		if (kind == VA_ATOMIC_STORE && order == __ATOMIC_SEQ_CST)
			line_fence(virt_world.vw_cpu);
		return;
	}
	*va = (struct virt_access){ .va_addr = addr,
		.va_size = size,
		.va_kind = kind,
		.va_order = order,
		.va_pc = pc };
	tsan_atomic_rest(addr, va);
}

static inline void
tsan_atomic_end(struct virt_access *va, uint64_t was, uint64_t is)
{
	if (__predict_false(virt_world.vw_explore != NULL) &&
	    arena_has((const void *)va->va_addr)) {
		va->va_old = was;
		va->va_new = is;
		world_explore_after(va);
	}
}

#endif /* SIM_VIRTUAL_TSAN_IMPL_H */
