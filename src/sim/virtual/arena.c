/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reservation, the extents in it and where they lie.
 *
 *	ARENA_AT			  + ARENA_SIZE		     + half of it
 *	|  extents, from below		  |  shadow of the extents   |
 *
 * Why a fixed place.  Hash tables are indexed by addresses, ties are broken by
 * them, and lines share sets of a cache by them.  With the same addresses in each
 * run all of that is the same, whatever the host does to its address space.
 *
 * Extents are handed out first fit by address, and neighbours that come back are
 * joined: the same calls get the same addresses.  The books are kept outside.
 *
 * Invariants.
 *   1. Free extents are in the order of their addresses and do not touch.
 *   2. What is free is zero and may be read and written, and so is its shadow.
 *   3. Homes are in the order of their addresses and do not overlap.
 *
 * ARENA_AT lies where neither Linux nor FreeBSD on amd64 and arm64 puts programs,
 * stacks or mappings unasked: above what is near 0, below what is near the end of
 * 47 bits.  It is asked for and not forced, so that what is there stays.
 *
 * Limits.  Hosts with an address space of less than 46 bits have no room for it.
 * Linux with vm.overcommit_memory=2 ignores MAP_NORESERVE and refuses it.
 */
#include "sim/virtual/arena.h"

#include <sys/mman.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kern/kassert.h"
#include "pmapsim/types.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

/* zero_in_place(): bytes looked at, pages in use, pages at a time. */
#define CLEAN_MAX   ((uint64_t)64 << 20)
#define CLEAN_PAGES 1024
#define CLEAN_CHUNK 1024

#define ARENA_AT     (UINT64_C(1) << 44)
#define ARENA_MAPPED (ARENA_SIZE + (ARENA_SIZE >> 1))

_Static_assert(ARENA_LINE_SHIFT - ARENA_SHADOW_SHIFT == 1,
    "the shadow is half as large as the arena");

/* A piece of the arena by its offset; ar_domain of homes only. */
struct arena_range {
	uint64_t ar_start;
	uint64_t ar_end;
	int ar_domain;
};

/* A growing array of them, in the order of ar_start. */
struct arena_ranges {
	struct arena_range *rs_ranges;
	size_t rs_n;
	size_t rs_cap;
};

/* No address of a process minus this is below ARENA_SIZE. */
uintptr_t arena_base = UINTPTR_MAX / 2 + 1;
uintptr_t arena_shadow_base;

static bool arena_reserved;
static uint64_t arena_page; /* of the host, or of the model if that is larger */
static uint64_t arena_high; /* no extent has ended above, since arena_begin() */
static struct arena_ranges arena_free;
static struct arena_ranges arena_homes;

/* The first range that ends above off. */
static size_t
ranges_find(const struct arena_ranges *rs, uint64_t off)
{
	size_t low = 0, high = rs->rs_n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (rs->rs_ranges[mid].ar_end > off)
			high = mid;
		else
			low = mid + 1;
	}
	return (low);
}

/* The host has no memory for our books: nothing sensible can follow. */
static void
ranges_insert(struct arena_ranges *rs, size_t i, struct arena_range ar)
{
	struct arena_range *larger;

	if (rs->rs_n == rs->rs_cap) {
		rs->rs_cap = rs->rs_cap == 0 ? 64 : 2 * rs->rs_cap;
		larger = realloc(rs->rs_ranges, rs->rs_cap * sizeof(*larger));
		if (larger == NULL)
			panic("arena: out of host memory");
		rs->rs_ranges = larger;
	}
	memmove(&rs->rs_ranges[i + 1], &rs->rs_ranges[i],
	    (rs->rs_n - i) * sizeof(rs->rs_ranges[0]));
	rs->rs_ranges[i] = ar;
	rs->rs_n++;
}

static void
ranges_remove(struct arena_ranges *rs, size_t i)
{
	rs->rs_n--;
	memmove(&rs->rs_ranges[i], &rs->rs_ranges[i + 1],
	    (rs->rs_n - i) * sizeof(rs->rs_ranges[0]));
}

/* Take [start, end) out of all ranges. */
static void
ranges_clear(struct arena_ranges *rs, uint64_t start, uint64_t end)
{
	struct arena_range *ar, rest;
	size_t i = ranges_find(rs, start);

	while (i < rs->rs_n && rs->rs_ranges[i].ar_start < end) {
		ar = &rs->rs_ranges[i];
		rest = *ar;
		rest.ar_start = end;
		if (ar->ar_start < start) {
			ar->ar_end = start;
			i++;
		} else {
			ranges_remove(rs, i);
		}
		if (rest.ar_end > end)
			ranges_insert(rs, i, rest);
	}
}

/* Fresh memory in the place of [addr, addr + size). */
static void
map_anew(uintptr_t addr, uint64_t size)
{
	void *p;

	if (size == 0)
		return;
	p = mmap((void *)addr, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	if (p == MAP_FAILED)
		panic("arena: %ju bytes at %#jx are not mapped anew: error %d",
		    (uintmax_t)size, (uintmax_t)addr, errno);
}

/* The same where host pages at the ends are shared with what stays. */
static void
zero_range(uintptr_t addr, uint64_t size)
{
	uintptr_t end = addr + size;
	uintptr_t first = (addr + arena_page - 1) / arena_page * arena_page;
	uintptr_t last = end / arena_page * arena_page;

	if (first >= last) {
		memset((void *)addr, 0, size);
		return;
	}
	memset((void *)addr, 0, first - addr);
	map_anew(first, last - first);
	memset((void *)last, 0, end - last);
}

/*
 * The same for what may have few pages in use: these are zeroed and stay.  Worlds
 * that explore come and go thousands of times a second.  Measured: AMD EPYC in a
 * VM, a world with 54 pages: 157 us of the kernel's time to give them back and be
 * given others, 6 us to zero them.  Returns false where too many are in use, with
 * some of them zeroed.
 */
static bool
zero_in_place(uintptr_t addr, uint64_t size)
{
	unsigned char used[CLEAN_CHUNK];
	uint64_t n, pages = size / arena_page;
	unsigned zeroed = 0;

	if (size > CLEAN_MAX || size % arena_page != 0 ||
	    addr % arena_page != 0)
		return (false);
	for (; pages > 0; pages -= n, addr += n * arena_page) {
		n = pages < CLEAN_CHUNK ? pages : CLEAN_CHUNK;
		if (mincore((void *)addr, n * arena_page, (void *)used) != 0)
			return (false);
		for (uint64_t i = 0; i < n; i++) {
			if ((used[i] & 1) == 0)
				continue;
			if (++zeroed > CLEAN_PAGES)
				return (false);
			memset((void *)(addr + i * arena_page), 0, arena_page);
		}
	}
	return (true);
}

static void
zero_shadow(uint64_t start, uint64_t size)
{
	if (zero_in_place(arena_shadow_base + start / 2, size / 2))
		return;
	zero_range(arena_shadow_base + start / 2, size / 2);
}

static int
arena_reserve(void)
{
	void *p;
	long page = sysconf(_SC_PAGESIZE);

	p = mmap((void *)(uintptr_t)ARENA_AT, ARENA_MAPPED,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	    -1, 0);
	if (p == MAP_FAILED)
		return (ENOMEM);
	if ((uintptr_t)p != ARENA_AT)
		(void)fprintf(stderr,
		    "pmapsim: the model's memory is at %p instead of %#jx: "
		    "results are not those of other runs\n",
		    p, (uintmax_t)ARENA_AT);
	arena_base = (uintptr_t)p;
	arena_shadow_base = arena_base + ARENA_SIZE;
	arena_page = page > PAGE_SIZE ? (uint64_t)page : PAGE_SIZE;
	arena_reserved = true;
	return (0);
}

int
arena_begin(void)
{
	int error;

	if (!arena_reserved) {
		error = arena_reserve();
		if (error != 0)
			return (error);
	}
	/* Invariant 2: where all is free, all is zero. */
	if (arena_free.rs_n != 1 || arena_free.rs_ranges[0].ar_start != 0 ||
	    arena_free.rs_ranges[0].ar_end != ARENA_SIZE) {
		map_anew(arena_base, arena_high);
		zero_shadow(0, arena_high);
	}
	arena_high = 0;
	arena_homes.rs_n = 0;
	arena_free.rs_n = 0;
	ranges_insert(&arena_free, 0,
	    (struct arena_range){ .ar_start = 0, .ar_end = ARENA_SIZE });
	return (0);
}

static uint64_t
round_up(uint64_t n, uint64_t to)
{
	return ((n + to - 1) / to * to);
}

void *
arena_get(size_t size, size_t align)
{
	struct arena_range ar;
	uint64_t start;

	KASSERT((align & (align - 1)) == 0, ("alignment of %zu", align));
	KASSERT(size > 0, ("extent of no bytes"));
	if (align < arena_page)
		align = arena_page;
	if (size > ARENA_SIZE)
		return (NULL);
	size = round_up(size, arena_page);
	for (size_t i = 0; i < arena_free.rs_n; i++) {
		ar = arena_free.rs_ranges[i];
		/* Of the address, should the base not be as round. */
		start = round_up(arena_base + ar.ar_start, align) - arena_base;
		if (start > ar.ar_end || ar.ar_end - start < size)
			continue;
		ranges_clear(&arena_free, start, start + size);
		if (start + size > arena_high)
			arena_high = start + size;
		return ((void *)(arena_base + start));
	}
	return (NULL);
}

void
arena_put(void *p, size_t size)
{
	arena_put_used(p, size, size);
}

void
arena_put_used(void *p, size_t size, size_t used)
{
	uint64_t start = (uintptr_t)p - arena_base, end;
	struct arena_range *ar, *next;
	size_t i;

	size = round_up(size, arena_page);
	end = start + size;
	KASSERT(start < arena_high && size <= arena_high - start,
	    ("%p, %zu bytes, is no extent", p, size));
	used = round_up(used, arena_page);
	/* Regions are protected where they are not backed. */
	if (mprotect(p, used, PROT_READ | PROT_WRITE) != 0 ||
	    !zero_in_place((uintptr_t)p, used))
		map_anew((uintptr_t)p, used);
	zero_shadow(start, used);
	ranges_clear(&arena_homes, start, end);

	i = ranges_find(&arena_free, start);
	KASSERT(i == arena_free.rs_n || arena_free.rs_ranges[i].ar_start >= end,
	    ("%p, %zu bytes, is free already", p, size));
	ranges_insert(&arena_free, i,
	    (struct arena_range){ .ar_start = start, .ar_end = end });
	ar = &arena_free.rs_ranges[i];
	next = ar + 1;
	if (i + 1 < arena_free.rs_n && next->ar_start == end) {
		ar->ar_end = next->ar_end;
		ranges_remove(&arena_free, i + 1);
	}
	if (i > 0 && ar[-1].ar_end == start) {
		ar[-1].ar_end = ar->ar_end;
		ranges_remove(&arena_free, i);
	}
}

void
arena_zero(void *p, size_t size)
{
	zero_range((uintptr_t)p, size);
}

void
arena_set_home(const void *base, size_t size, int domain)
{
	uint64_t start = (uintptr_t)base - arena_base, end;
	struct arena_range *ar;
	size_t i;

	if (!arena_has(base) || size == 0)
		return;
	end = round_up(start + size, ARENA_LINE);
	start = start / ARENA_LINE * ARENA_LINE;
	ranges_clear(&arena_homes, start, end);
	if (domain < 0)
		return;
	i = ranges_find(&arena_homes, start);
	/* Regions are backed piece by piece, upwards. */
	if (i > 0) {
		ar = &arena_homes.rs_ranges[i - 1];
		if (ar->ar_end == start && ar->ar_domain == domain) {
			ar->ar_end = end;
			return;
		}
	}
	ranges_insert(&arena_homes, i,
	    (struct arena_range){
		.ar_start = start, .ar_end = end, .ar_domain = domain });
}

int
arena_home(const void *p)
{
	uint64_t off = (uintptr_t)p - arena_base;
	size_t i = ranges_find(&arena_homes, off);

	if (i == arena_homes.rs_n || arena_homes.rs_ranges[i].ar_start > off)
		return (-1);
	return (arena_homes.rs_ranges[i].ar_domain);
}
