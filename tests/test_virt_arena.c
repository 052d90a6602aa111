/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/mman.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "sim/virtual/arena.h"
#include "sim/virtual/arena_heap.h"

#define NBLOCKS 3000u

static const char *program;

static void
panic_to_cmocka(const char *file, int line, const char *msg)
{
	mock_assert(0, msg, file, line);
}

static int
setup(void **state)
{
	(void)state;
	return (arena_begin());
}

static uint64_t
random_next(uint64_t *seed)
{
	/* xorshift64*: any generator does, so it is the same everywhere. */
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return (*seed * UINT64_C(2685821657736338717));
}

static bool
is_zero(const void *p, size_t size)
{
	const unsigned char *c = p;

	return (size == 0 || (c[0] == 0 && memcmp(c, c + 1, size - 1) == 0));
}

/* The shadow of every line that [p, p + size) touches. */
static void
shadow_fill(const char *p, size_t size, int byte)
{
	for (uint64_t l = arena_line(p); l <= arena_line(p + size - 1); l++)
		memset(arena_shadow(l), byte, ARENA_SHADOW_BYTES);
}

static bool
shadow_is_zero(const char *p, size_t size)
{
	for (uint64_t l = arena_line(p); l <= arena_line(p + size - 1); l++) {
		if (!is_zero(arena_shadow(l), ARENA_SHADOW_BYTES))
			return (false);
	}
	return (true);
}

static void
lines_and_shadows_are_arithmetic(void **state)
{
	char *p, local;

	(void)state;
	p = arena_get(3 * 4096, 0);
	assert_non_null(p);
	assert_true(arena_has(p));
	assert_true(arena_has(p + 3 * 4096 - 1));
	assert_false(arena_has(&local));
	assert_false(arena_has(&arena_base));
	assert_false(arena_has(NULL));
	assert_false(arena_has((void *)(arena_base - 1)));
	assert_true(arena_has((void *)arena_base));
	assert_false(arena_has((void *)(arena_base + ARENA_SIZE)));
	assert_int_equal(arena_line(p + 64), arena_line(p) + 1);
	assert_int_equal(arena_line(p + 63), arena_line(p));
	assert_ptr_equal(arena_line_addr(arena_line(p + 100)), p + 64);
	assert_int_equal(
	    arena_shadow_line(arena_shadow(arena_line(p))), arena_line(p));
	assert_ptr_equal((char *)arena_shadow(arena_line(p + 64)),
	    (char *)arena_shadow(arena_line(p)) + ARENA_SHADOW_BYTES);
	assert_false(arena_has(arena_shadow(arena_line(p))));
}

static void
extents_are_reused_and_zero(void **state)
{
	char *a, *b, *c, *d;

	(void)state;
	a = arena_get(8 * 4096, 0);
	b = arena_get(5000, 0);
	c = arena_get(1 << 20, 0);
	assert_true(a != NULL && b > a && c > b);
	memset(a, 1, 8 * 4096);
	shadow_fill(a, 8 * 4096, 1);
	memset(b, 2, 5000);
	shadow_fill(b, 5000, 2);
	arena_put(a, 8 * 4096);
	assert_int_equal(b[0], 2);
	assert_false(shadow_is_zero(b, 64));
	/* First fit: into the hole, and around it. */
	d = arena_get(9 * 4096, 0);
	assert_true(d > c);
	d = arena_get(3 * 4096, 0);
	assert_ptr_equal(d, a);
	assert_true(is_zero(d, 3 * 4096));
	assert_true(shadow_is_zero(d, 3 * 4096));
	/* The rest of it, and what is next to it, is one again. */
	arena_put(b, 5000);
	d = arena_get(7 * 4096, 0);
	assert_ptr_equal(d, a + 3 * 4096);
	assert_true(is_zero(d, 7 * 4096));
	assert_true(shadow_is_zero(d, 7 * 4096));
	/* And with what comes after it. */
	arena_put(c, 1 << 20);
	arena_put(c + (1 << 20), 9 * 4096);
	assert_ptr_equal(arena_get(1 << 30, 0), c);
}

static void
extents_are_aligned(void **state)
{
	char *p;

	(void)state;
	assert_non_null(arena_get(1, 0));
	for (size_t align = 4096; align <= (size_t)1 << 34; align *= 4) {
		p = arena_get(4096, align);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % align, 0);
	}
	assert_null(arena_get(ARENA_SIZE, 0));
	assert_null(arena_get(SIZE_MAX, 0));
	p = arena_get(ARENA_SIZE / 2, 0);
	assert_non_null(p);
	p[ARENA_SIZE / 2 - 1] = 1;
	assert_null(arena_get(ARENA_SIZE / 2, 0));
}

static void
begin_empties_it(void **state)
{
	char *first, *p;
	struct arena_heap *ah;

	(void)state;
	first = arena_get(1 << 20, 0);
	memset(first, 0xa5, 1 << 20);
	shadow_fill(first, 1 << 20, 0xa5);
	arena_set_home(first, 1 << 20, 3);
	assert_int_equal(arena_heap_create(2, &ah), 0);
	assert_non_null(arena_heap_alloc(ah, 100, 16));
	/* What the heap keeps outside is the caller's to give back. */
	arena_heap_destroy(ah);
	assert_int_equal(arena_begin(), 0);
	p = arena_get(1 << 20, 0);
	assert_ptr_equal(p, first);
	assert_true(is_zero(p, 1 << 20));
	assert_true(shadow_is_zero(p, 1 << 20));
	assert_int_equal(arena_home(p), -1);
}

static void
homes_are_by_line(void **state)
{
	char *p = arena_get(1 << 20, 0);
	int local;

	(void)state;
	assert_int_equal(arena_home(p), -1);
	arena_set_home(p + 4096, 8192, 2);
	arena_set_home(p + 12288, 4096, 2);
	assert_int_equal(arena_home(p + 4095), -1);
	assert_int_equal(arena_home(p + 4096), 2);
	assert_int_equal(arena_home(p + 16383), 2);
	assert_int_equal(arena_home(p + 16384), -1);
	/* The later one wins, and what is around stays. */
	arena_set_home(p + 8192, 100, 0);
	assert_int_equal(arena_home(p + 8191), 2);
	assert_int_equal(arena_home(p + 8192), 0);
	assert_int_equal(arena_home(p + 8192 + 127), 0);
	assert_int_equal(arena_home(p + 8192 + 128), 2);
	arena_set_home(p, 1 << 20, 5);
	assert_int_equal(arena_home(p + 8192), 5);
	assert_int_equal(arena_home(p), 5);
	arena_set_home(p + 64, 64, -1);
	assert_int_equal(arena_home(p + 63), 5);
	assert_int_equal(arena_home(p + 64), -1);
	assert_int_equal(arena_home(p + 128), 5);
	arena_put(p, 1 << 20);
	assert_int_equal(arena_home(p), -1);
	/* Outside, nothing is kept. */
	arena_set_home(&local, sizeof(local), 1);
	assert_int_equal(arena_home(&local), -1);
}

/* As many blocks as NBLOCKS come and go; where[] is where each has been. */
static void
churn(struct arena_heap *ah, uint64_t seed, uint64_t *where)
{
	static char *blocks[64];
	static size_t sizes[64];
	size_t align, i, size;
	uint64_t r;

	memset(blocks, 0, sizeof(blocks));
	for (unsigned n = 0; n < NBLOCKS; n++) {
		r = random_next(&seed);
		i = r % 64;
		if (blocks[i] != NULL) {
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(blocks[i][k], (char)i);
			arena_heap_free(ah, blocks[i]);
		}
		size = 1 + (r >> 8) % (r % 7 == 0 ? 300000 : 2000);
		align = (size_t)16 << (r >> 60) % 12;
		blocks[i] = arena_heap_alloc(ah, size, align);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % align, 0);
		assert_true(arena_heap_owns(ah, blocks[i]));
		assert_true(arena_heap_usable(ah, blocks[i]) >= size);
		assert_true(
		    is_zero(blocks[i], arena_heap_usable(ah, blocks[i])));
		memset(blocks[i], (int)i, arena_heap_usable(ah, blocks[i]));
		sizes[i] = arena_heap_usable(ah, blocks[i]);
		where[n] = (uint64_t)(blocks[i] - (char *)arena_base);
	}
	for (i = 0; i < 64; i++) {
		if (blocks[i] != NULL)
			arena_heap_free(ah, blocks[i]);
	}
	assert_int_equal(arena_heap_allocated(ah), 0);
}

static void
same_calls_get_same_addresses(void **state)
{
	static uint64_t first[NBLOCKS], second[NBLOCKS];
	struct arena_heap *ah;

	(void)state;
	assert_int_equal(arena_heap_create(-1, &ah), 0);
	churn(ah, 1, first);
	arena_heap_destroy(ah);
	/* Also in a heap in the place of a former one, without a begin. */
	assert_int_equal(arena_heap_create(-1, &ah), 0);
	churn(ah, 1, second);
	arena_heap_destroy(ah);
	assert_memory_equal(first, second, sizeof(first));
	assert_int_equal(arena_begin(), 0);
	assert_int_equal(arena_heap_create(-1, &ah), 0);
	churn(ah, 1, second);
	assert_memory_equal(first, second, sizeof(first));
	churn(ah, 2, second);
	assert_memory_not_equal(first, second, sizeof(first));
	arena_heap_destroy(ah);
}

static void
sizes_are_kept_by_class(void **state)
{
	struct arena_heap *ah;
	uint64_t sum = 0;
	size_t usable;
	char *p;

	(void)state;
	assert_int_equal(arena_heap_create(-1, &ah), 0);
	for (size_t size = 1; size < (size_t)1 << 30; size += 1 + size / 7) {
		p = arena_heap_alloc(ah, size, 16);
		assert_non_null(p);
		usable = arena_heap_usable(ah, p);
		assert_true(usable >= size);
		/* No more than a quarter is lost, from 128 bytes on. */
		assert_true(usable <= size + (size > 128 ? size / 4 : 16));
		sum += usable;
		assert_int_equal(arena_heap_allocated(ah), sum);
		arena_heap_free(ah, p);
		sum -= usable;
		assert_ptr_equal(arena_heap_alloc(ah, usable, 16), p);
		sum += usable;
		assert_false(arena_heap_owns(ah, p + 1));
	}
	assert_null(arena_heap_alloc(ah, (size_t)1 << 34, 16));
	assert_null(arena_heap_alloc(ah, (size_t)1 << 62, 16));
	arena_heap_destroy(ah);
}

static void
last_freed_is_first_used(void **state)
{
	struct arena_heap *ah;
	void *p[4];

	(void)state;
	assert_int_equal(arena_heap_create(-1, &ah), 0);
	for (int i = 0; i < 4; i++)
		p[i] = arena_heap_alloc(ah, 200, 16);
	/* Objects of a kind lie side by side. */
	assert_ptr_equal(p[1], (char *)p[0] + 224);
	arena_heap_free(ah, p[2]);
	arena_heap_free(ah, p[0]);
	assert_ptr_equal(arena_heap_alloc(ah, 210, 16), p[0]);
	assert_ptr_equal(arena_heap_alloc(ah, 195, 16), p[2]);
	arena_heap_destroy(ah);
}

static void
heaps_lie_in_their_domains(void **state)
{
	struct arena_heap *ah[3];
	void *p[3];

	(void)state;
	for (int d = 0; d < 3; d++)
		assert_int_equal(arena_heap_create(d - 1, &ah[d]), 0);
	for (int d = 0; d < 3; d++) {
		p[d] = arena_heap_alloc(ah[d], 100, 16);
		assert_int_equal(arena_home(p[d]), d - 1);
	}
	for (int d = 0; d < 3; d++) {
		for (int e = 0; e < 3; e++)
			assert_int_equal(arena_heap_owns(ah[d], p[e]), d == e);
		arena_heap_destroy(ah[d]);
	}
	assert_int_equal(arena_home(p[2]), -1);
}

static void
misuse_panics(void **state)
{
	struct arena_heap *ah;
	char *p;

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	assert_int_equal(arena_heap_create(-1, &ah), 0);
	p = arena_heap_alloc(ah, 100, 16);
	expect_assert_failure(arena_heap_free(ah, p + 16));
	expect_assert_failure(arena_heap_free(ah, &ah));
	expect_assert_failure(arena_put(&ah, 4096));
	arena_heap_destroy(ah);
	p = arena_get(4096, 0);
	arena_put(p, 4096);
	p = arena_get(8192, 0);
	arena_put(p, 4096);
	expect_assert_failure(arena_put(p, 4096));
}

/* In a process of its own: something lies where the arena would. */
static int
begin_elsewhere(void)
{
	void *usual = (void *)(uintptr_t)(UINT64_C(1) << 44);
	char *p;

	p = mmap(usual, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p != usual)
		return (2);
	*p = 'x';
	if (arena_begin() != 0)
		return (3);
	if (*p != 'x' || arena_has(p))
		return (4);
	p = arena_get(4096, 0);
	return (p != NULL && arena_has(p) && *p == 0 ? 0 : 5);
}

static void
another_place_is_taken_and_said(void **state)
{
	char command[512], line[256];
	FILE *out;

	(void)state;
	(void)snprintf(
	    command, sizeof(command), "'%s' elsewhere 2>&1", program);
	out = popen(command, "r");
	assert_non_null(out);
	assert_non_null(fgets(line, sizeof(line), out));
	assert_non_null(strstr(line, "the model's memory is at 0x"));
	assert_null(fgets(line, sizeof(line), out));
	assert_int_equal(pclose(out), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_place_is_taken_and_said),
		cmocka_unit_test_setup(lines_and_shadows_are_arithmetic, setup),
		cmocka_unit_test_setup(extents_are_reused_and_zero, setup),
		cmocka_unit_test_setup(extents_are_aligned, setup),
		cmocka_unit_test_setup(begin_empties_it, setup),
		cmocka_unit_test_setup(homes_are_by_line, setup),
		cmocka_unit_test_setup(same_calls_get_same_addresses, setup),
		cmocka_unit_test_setup(sizes_are_kept_by_class, setup),
		cmocka_unit_test_setup(last_freed_is_first_used, setup),
		cmocka_unit_test_setup(heaps_lie_in_their_domains, setup),
		cmocka_unit_test_setup(misuse_panics, setup),
	};

	if (argc > 1)
		return (begin_elsewhere());
	program = argv[0];
	panic_handler = panic_to_cmocka;
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
