/* SPDX-License-Identifier: BSD-2-Clause */
/* ENTRY_POINTS is the name that the function has in this object. */
#include "virt_entry_points.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

__extension__ typedef unsigned __int128 uint128_t;

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9fb21c651e98df25);
	return (h ^ h >> 29);
}

/* Not inlined, so that the compiler knows nothing about the pointer. */
#define UNINLINED __attribute__((noinline))

#define SCALAR(bits)                                                           \
	UNINLINED static uint64_t scalar_##bits(uint##bits##_t *p)             \
	{                                                                      \
		uint64_t h = (uint64_t)p[0];                                   \
                                                                               \
		p[1] = (uint##bits##_t)(h + 3);                                \
		p[2] ^= (uint##bits##_t)(p[1] * 5u);                           \
		p[0] += p[2];                                                  \
		h = mix(h, (uint64_t)p[0]);                                    \
		return (mix(h, (uint64_t)p[2]));                               \
	}

SCALAR(8)
SCALAR(16)
SCALAR(32)
SCALAR(64)
SCALAR(128)

/* Members that lie across whatever is aligned. */
struct __attribute__((packed)) unaligned {
	uint8_t u_8;
	uint16_t u_16;
	uint32_t u_32;
	uint64_t u_64;
	uint128_t u_128;
};

UNINLINED static uint64_t
unaligned(struct unaligned *u)
{
	uint64_t h = u->u_8;

	u->u_16 = (uint16_t)(u->u_16 + 0x1234);
	u->u_32 += u->u_16 * 77u;
	u->u_64 ^= u->u_32 * UINT64_C(0x100000001);
	u->u_128 += (uint128_t)u->u_64 << 40;
	h = mix(h, u->u_16);
	h = mix(h, u->u_32);
	h = mix(h, u->u_64);
	return (mix(h, (uint64_t)(u->u_128 >> 64)));
}

/* Copied as wholes: ranges. */
struct range {
	uint64_t r_words[7];
	char r_bytes[5];
};

UNINLINED static uint64_t
range(struct range *from, struct range *to)
{
	uint64_t h = 0;

	from->r_words[3] = 99;
	from->r_bytes[4] = 7;
	*to = *from;
	to->r_words[0]++;
	*from = *to;
	for (int i = 0; i < 7; i++)
		h = mix(h, from->r_words[i]);
	return (mix(h, (unsigned char)from->r_bytes[4]));
}

UNINLINED static uint64_t
memory(unsigned char *p, size_t n)
{
	uint64_t h = 0;

	memset(p, 0x5a, n);
	memcpy(p + n, p, n);
	p[n + 3] = 9;
	memmove(p + 1, p + n, n);
	for (size_t i = 0; i < 2 * n; i++)
		h = mix(h, p[i]);
	return (h);
}

/* Every operation with every order that it may have. */
#define LOADS(X)                                                               \
	X(memory_order_relaxed)                                                \
	X(memory_order_consume)                                                \
	X(memory_order_acquire)                                                \
	X(memory_order_seq_cst)
#define STORES(X)                                                              \
	X(memory_order_relaxed)                                                \
	X(memory_order_release)                                                \
	X(memory_order_seq_cst)
#define BOTH(X)                                                                \
	X(memory_order_relaxed)                                                \
	X(memory_order_acquire)                                                \
	X(memory_order_release)                                                \
	X(memory_order_acq_rel)                                                \
	X(memory_order_seq_cst)

#define LOAD(order)  h = mix(h, (uint64_t)atomic_load_explicit(p, order));
#define STORE(order) atomic_store_explicit(p, ++v, order);
#define RMW(order)                                                             \
	h = mix(h, (uint64_t)atomic_exchange_explicit(p, ++v, order));         \
	h = mix(h, (uint64_t)atomic_fetch_add_explicit(p, 201, order));        \
	h = mix(h, (uint64_t)atomic_fetch_sub_explicit(p, 99, order));         \
	h = mix(h, (uint64_t)atomic_fetch_or_explicit(p, 0x41, order));        \
	h = mix(h, (uint64_t)atomic_fetch_and_explicit(p, 0x6f, order));       \
	h = mix(h, (uint64_t)atomic_fetch_xor_explicit(p, 0x33, order));       \
	old = atomic_load_explicit(p, memory_order_relaxed);                   \
	ok = atomic_compare_exchange_strong_explicit(                          \
	    p, &old, ++v, order, memory_order_relaxed);                        \
	h = mix(h, ok);                                                        \
	old++;                                                                 \
	ok = atomic_compare_exchange_strong_explicit(                          \
	    p, &old, ++v, order, memory_order_relaxed);                        \
	h = mix(h, ok);                                                        \
	h = mix(h, (uint64_t)old);                                             \
	/* A weak one may fail for no reason. */                               \
	while (!atomic_compare_exchange_weak_explicit(                         \
	    p, &old, v, order, memory_order_relaxed))                          \
		continue;

#define ATOMIC(bits)                                                           \
	UNINLINED static uint64_t ordered_##bits(_Atomic uint##bits##_t *p)    \
	{                                                                      \
		uint##bits##_t v = 17, old;                                    \
		uint64_t h = 0;                                                \
		bool ok;                                                       \
                                                                               \
		STORES(STORE)                                                  \
		LOADS(LOAD)                                                    \
		BOTH(RMW)                                                      \
		return (mix(h,                                                 \
		    (uint64_t)atomic_load_explicit(p, memory_order_seq_cst))); \
	}

ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

UNINLINED static uint64_t
fences(uint64_t *p)
{
	p[0] = 1;
	atomic_thread_fence(memory_order_acquire);
	p[1] = p[0] + 1;
	atomic_thread_fence(memory_order_release);
	p[2] = p[1] + 1;
	atomic_thread_fence(memory_order_acq_rel);
	p[3] = p[2] + 1;
	atomic_thread_fence(memory_order_seq_cst);
	atomic_signal_fence(memory_order_seq_cst);
	return (p[3]);
}

uint64_t
ENTRY_POINTS(unsigned char *mem)
{
	void *p = mem;
	uint64_t h = 1;

	h = mix(h, scalar_8(p));
	h = mix(h, scalar_16(p));
	h = mix(h, scalar_32(p));
	h = mix(h, scalar_64(p));
	h = mix(h, scalar_128(p));
	/* The first member is at the end of a line. */
	p = mem + 62;
	h = mix(h, unaligned(p));
	p = mem + 128;
	h = mix(h, range(p, (struct range *)p + 1));
	h = mix(h, memory(mem + 70, 100));
	p = mem + 320;
	h = mix(h, ordered_8(p));
	h = mix(h, ordered_16(p));
	h = mix(h, ordered_32(p));
	h = mix(h, ordered_64(p));
	h = mix(h, fences(p));
	for (int i = 0; i < ENTRY_POINTS_BYTES; i++)
		h = mix(h, mem[i]);
	return (h);
}

#ifdef ENTRY_POINTS_16

#define IS(call, want) bad += (call) != (want)

unsigned
entry_points_16(unsigned char *mem)
{
	void *p = mem;
	_Atomic uint128_t *a = p;
	uint128_t big = (uint128_t)7 << 100 | 5, old;
	unsigned bad = 0;

	atomic_store_explicit(a, big, memory_order_release);
	IS(atomic_load_explicit(a, memory_order_acquire), big);
	IS(atomic_exchange_explicit(a, big + 1, memory_order_seq_cst), big);
	IS(atomic_fetch_add_explicit(a, big, memory_order_relaxed), big + 1);
	IS(atomic_fetch_sub_explicit(a, 1, memory_order_acq_rel), 2 * big + 1);
	IS(atomic_fetch_or_explicit(a, 1, memory_order_acquire), 2 * big);
	IS(atomic_fetch_and_explicit(a, big, memory_order_release),
	    2 * big | 1);
	old = big & (2 * big | 1);
	IS(atomic_fetch_xor_explicit(a, big, memory_order_relaxed), old);
	old ^= big;
	IS(atomic_compare_exchange_strong_explicit(
	       a, &old, 3, memory_order_acq_rel, memory_order_relaxed),
	    true);
	IS(atomic_compare_exchange_strong_explicit(
	       a, &old, 4, memory_order_acq_rel, memory_order_relaxed),
	    false);
	IS(old, 3);
	while (!atomic_compare_exchange_weak_explicit(
	    a, &old, big, memory_order_seq_cst, memory_order_seq_cst))
		continue;
	IS(atomic_load_explicit(a, memory_order_relaxed), big);
	IS(atomic_compare_exchange_strong_explicit(
	       a, &old, 4, memory_order_seq_cst, memory_order_acquire),
	    false);
	return (bad);
}

#endif
