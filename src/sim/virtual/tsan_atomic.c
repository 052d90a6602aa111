/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Entry points of -fsanitize=thread: atomic operations.
 *
 * There is one host thread, and it changes fibers only in calls: so the operations
 * are plain C, between a call before and one after.  All orders are strong; what
 * one costs depends on the order only where the modelled host, an amd64, would take
 * another instruction: a store that is sequentially consistent, a full fence.
 */
#include "sim/virtual/tsan_impl.h"

typedef uint8_t a8;
typedef uint16_t a16;
typedef uint32_t a32;
typedef uint64_t a64;
__extension__ typedef unsigned __int128 a128;

#define BEGIN(bits, kind)                                                      \
	struct virt_access va;                                                 \
	tsan_atomic_begin((uintptr_t)a, bits / 8, kind, order, CALLER, &va)

#define LOAD_STORE(bits)                                                       \
	a##bits __tsan_atomic##bits##_load(const a##bits *a, int order);       \
	void __tsan_atomic##bits##_store(a##bits *a, a##bits v, int order);    \
	a##bits __tsan_atomic##bits##_load(const a##bits *a, int order)        \
	{                                                                      \
		a##bits v;                                                     \
		BEGIN(bits, VA_ATOMIC_LOAD);                                   \
		v = *a;                                                        \
		tsan_atomic_end(&va, (uint64_t)v, (uint64_t)v);                \
		return (v);                                                    \
	}                                                                      \
	void __tsan_atomic##bits##_store(a##bits *a, a##bits v, int order)     \
	{                                                                      \
		a##bits was;                                                   \
		BEGIN(bits, VA_ATOMIC_STORE);                                  \
		was = *a;                                                      \
		*a = v;                                                        \
		tsan_atomic_end(&va, (uint64_t)was, (uint64_t)v);              \
	}

#define RMW(bits, name, expr)                                                  \
	a##bits __tsan_atomic##bits##_##name(                                  \
	    a##bits *a, a##bits v, int order);                                 \
	a##bits __tsan_atomic##bits##_##name(a##bits *a, a##bits v, int order) \
	{                                                                      \
		a##bits was;                                                   \
		BEGIN(bits, VA_RMW);                                           \
		was = *a;                                                      \
		*a = (a##bits)(expr);                                          \
		tsan_atomic_end(&va, (uint64_t)was, (uint64_t)*a);             \
		return (was);                                                  \
	}

#define CAS(bits)                                                              \
	static inline __attribute__((always_inline))                           \
	a##bits cas##bits(a##bits *a, a##bits old, a##bits v, int order,       \
	    int failed, uintptr_t pc)                                          \
	{                                                                      \
		struct virt_access va;                                         \
		a##bits was;                                                   \
		tsan_atomic_begin(                                             \
		    (uintptr_t)a, bits / 8, VA_RMW, order, pc, &va);           \
		was = *a;                                                      \
		if (was == old) {                                              \
			*a = v;                                                \
		} else {                                                       \
			va.va_kind = VA_CAS_FAILED;                            \
			va.va_order = failed;                                  \
		}                                                              \
		tsan_atomic_end(&va, (uint64_t)was, (uint64_t)*a);             \
		return (was);                                                  \
	}                                                                      \
	int __tsan_atomic##bits##_compare_exchange_strong(                     \
	    a##bits *a, a##bits *c, a##bits v, int order, int failed);         \
	int __tsan_atomic##bits##_compare_exchange_weak(                       \
	    a##bits *a, a##bits *c, a##bits v, int order, int failed);         \
	a##bits __tsan_atomic##bits##_compare_exchange_val(                    \
	    a##bits *a, a##bits c, a##bits v, int order, int failed);          \
	int __tsan_atomic##bits##_compare_exchange_strong(                     \
	    a##bits *a, a##bits *c, a##bits v, int order, int failed)          \
	{                                                                      \
		a##bits old = *c, was;                                         \
		was = cas##bits(a, old, v, order, failed, CALLER);             \
		if (was == old)                                                \
			return (1);                                            \
		*c = was;                                                      \
		return (0);                                                    \
	}                                                                      \
	int __tsan_atomic##bits##_compare_exchange_weak(                       \
	    a##bits *a, a##bits *c, a##bits v, int order, int failed)          \
	{                                                                      \
		a##bits old = *c, was;                                         \
		was = cas##bits(a, old, v, order, failed, CALLER);             \
		if (was == old)                                                \
			return (1);                                            \
		*c = was;                                                      \
		return (0);                                                    \
	}                                                                      \
	a##bits __tsan_atomic##bits##_compare_exchange_val(                    \
	    a##bits *a, a##bits c, a##bits v, int order, int failed)           \
	{                                                                      \
		return (cas##bits(a, c, v, order, failed, CALLER));            \
	}

#define ALL(bits)                                                              \
	LOAD_STORE(bits)                                                       \
	RMW(bits, exchange, v)                                                 \
	RMW(bits, fetch_add, was + v)                                          \
	RMW(bits, fetch_sub, was - v)                                          \
	RMW(bits, fetch_and, was &v)                                           \
	RMW(bits, fetch_or, was | v)                                           \
	RMW(bits, fetch_xor, was ^ v)                                          \
	RMW(bits, fetch_nand, ~(was & v))                                      \
	CAS(bits)

ALL(8)
ALL(16)
ALL(32)
ALL(64)
ALL(128)

bool
virt_cas2(void *p, uint64_t olo, uint64_t ohi, uint64_t lo, uint64_t hi)
{
	a128 old = (a128)ohi << 64 | olo, v = (a128)hi << 64 | lo;

	return (cas128(p, old, v, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST, CALLER) ==
	    old);
}

__slowpath void
tsan_atomic_rest(uintptr_t addr, struct virt_access *va)
{
	if (virt_world.vw_explore == NULL)
		world_access_outside();
	else if (arena_has((const void *)addr))
		world_explore_before(va);
}

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);

void
__tsan_atomic_thread_fence(int order)
{
	struct virt_access va = {
		.va_kind = VA_FENCE, .va_order = order, .va_pc = CALLER
	};

	if (virt_world.vw_explore != NULL) {
		world_explore_before(&va);
		world_explore_after(&va);
	} else if (virt_world.vw_span != 0 && order == __ATOMIC_SEQ_CST) {
		world_account(virt_world.vw_cpu);
		if (!world_my_turn(virt_world.vw_cpu))
			world_order();
		line_fence(virt_world.vw_cpu);
	}
}

void
__tsan_atomic_signal_fence(int order)
{
	(void)order;
}
