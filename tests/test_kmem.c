/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/mman.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "kern/kmem.h"
#include "kern/kmem_impl.h"
#include "panic_util.h"

/* A virtual machine has one host thread. */
#ifdef PMAPSIM_VIRTUAL
#define HOST_THREADS false
#else
#define HOST_THREADS true
#endif

#define NSHARERS 8 /* threads on one kmem */
#define NTHREADS 10
#define NROUNDS  4000

static struct kmem *km;

static int
setup(void **state)
{
	(void)state;
	return (kmem_create(2, &km));
}

/* Every test gives back what it took. */
static int
teardown(void **state)
{
	(void)state;
	return (kmem_destroy(km, stderr) == 0 ? 0 : -1);
}

static struct kmem_stats
stats(enum kmem_type type, int domain)
{
	struct kmem_stats ks;

	kmem_stats(km, type, domain, &ks);
	return (ks);
}

static void
assert_arena_agrees(int domain)
{
	assert_true(kmem_arena_allocated(km, domain) ==
	    stats(KMEM_NTYPES, domain).ks_usable_bytes);
}

/* Bytes of [p, p + size) that are in memory. */
static uint64_t
resident_bytes(const void *p, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = (uintptr_t)p & ~(page - 1);
	size_t npages = ((uintptr_t)p + size - start + page - 1) / page;
	uint64_t n = 0;
	unsigned char *vec;

	vec = calloc(npages, 1);
	assert_non_null(vec);
	/* The type of the last argument differs between systems. */
	assert_int_equal(mincore((void *)start, npages * page, (void *)vec), 0);
	for (size_t i = 0; i < npages; i++)
		n += vec[i] & 1;
	free(vec);
	return (n * page);
}

static bool
is_zero(const void *p, size_t size)
{
	const unsigned char *c = p;

	return (size == 0 || (c[0] == 0 && memcmp(c, c + 1, size - 1) == 0));
}

static void
accounts_are_by_type_and_domain(void **state)
{
	void *a, *b, *c;

	(void)state;
	a = kmem_alloc(km, 100, 0, M_PMAP, KMEM_ANYDOMAIN);
	b = kmem_alloc(km, 5000, 0, M_PMAP, 1);
	c = kmem_alloc(km, 33, 0, M_LOCK, 1);
	assert_true(a != NULL && b != NULL && c != NULL);

	assert_int_equal(stats(M_PMAP, KMEM_ANYDOMAIN).ks_requested_bytes, 100);
	assert_int_equal(stats(M_PMAP, KMEM_ANYDOMAIN).ks_blocks, 1);
	assert_int_equal(stats(M_PMAP, 0).ks_blocks, 0);
	assert_int_equal(stats(M_PMAP, 1).ks_requested_bytes, 5000);
	assert_int_equal(stats(KMEM_NTYPES, 1).ks_requested_bytes, 5033);
	assert_int_equal(stats(KMEM_NTYPES, 1).ks_blocks, 2);
	assert_int_equal(
	    stats(M_PMAP, KMEM_ALLDOMAINS).ks_requested_bytes, 5100);
	assert_int_equal(
	    stats(KMEM_NTYPES, KMEM_ALLDOMAINS).ks_requested_bytes, 5133);
	assert_true(stats(M_PMAP, 1).ks_usable_bytes >= 5000);

	kmem_free(km, a, 100, M_PMAP, KMEM_ANYDOMAIN);
	kmem_free(km, b, 5000, M_PMAP, 1);
	kmem_free(km, c, 33, M_LOCK, 1);
	kmem_free(km, NULL, 33, M_LOCK, 1);
	assert_int_equal(stats(KMEM_NTYPES, KMEM_ALLDOMAINS).ks_blocks, 0);
	assert_int_equal(
	    stats(KMEM_NTYPES, KMEM_ALLDOMAINS).ks_usable_bytes, 0);
}

/* Small, large, and around the edges of size classes; every alignment. */
static void
accounts_equal_the_arenas(void **state)
{
	static const size_t sizes[] = { 1, 8, 16, 17, 64, 65, 4095, 4096, 4097,
		14336, 14337, 65536, 1000000, 2097152, 2097153, 33554433 };
	enum {
		NSIZES = sizeof(sizes) / sizeof(sizes[0]),
		NALIGN = 18
	};
	static void *blocks[NSIZES][NALIGN];

	(void)state;
	for (size_t i = 0; i < NSIZES; i++) {
		for (size_t a = 0; a < NALIGN; a++) {
			blocks[i][a] = kmem_alloc(km, sizes[i],
			    a == 0 ? 0 : (size_t)1 << a, M_PHYS,
			    (int)(a % 3) - 1);
			assert_non_null(blocks[i][a]);
			assert_int_equal(
			    (uintptr_t)blocks[i][a] % (a < 4 ? 16 : 1u << a),
			    0);
			assert_arena_agrees((int)(a % 3) - 1);
		}
	}
	for (size_t i = 0; i < NSIZES; i++) {
		for (size_t a = 0; a < NALIGN; a++) {
			kmem_free(km, blocks[i][a], sizes[i], M_PHYS,
			    (int)(a % 3) - 1);
			assert_arena_agrees((int)(a % 3) - 1);
		}
	}
	for (int d = KMEM_ANYDOMAIN; d < 2; d++)
		assert_int_equal(kmem_arena_allocated(km, d), 0);
}

static void
reused_block_is_zero(void **state)
{
	static const size_t sizes[] = { 48, 3000, 20000, 300000, 50000000 };
	void *p;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int round = 0; round < 3; round++) {
			p = kmem_alloc(km, sizes[i], 0, M_LOCK, 0);
			assert_non_null(p);
			assert_true(is_zero(p, sizes[i]));
			memset(p, 0xa5, sizes[i]);
			kmem_free(km, p, sizes[i], M_LOCK, 0);
		}
	}
}

/* What the pv headers of a 12 TB machine take. */
static void
large_block_costs_no_memory(void **state)
{
	size_t size = 400 * 1024 * 1024;
	char *p;

	(void)state;
	p = kmem_alloc(km, size, 64, M_PVHEADER, KMEM_ANYDOMAIN);
	assert_non_null(p);
	assert_int_equal(resident_bytes(p, size), 0);
	p[size / 2] = 1;
	/* One page; or one large page, where the host uses them unasked. */
	assert_in_range(resident_bytes(p, size), 1, 4 * 1024 * 1024);
	kmem_free(km, p, size, M_PVHEADER, KMEM_ANYDOMAIN);
}

static void
leak_is_reported_by_bytes_and_type(void **state)
{
	struct kva_region kr;
	struct kmem *leaky;
	size_t len = 0;
	char *text = NULL;
	FILE *out;

	(void)state;
	assert_int_equal(kmem_create(1, &leaky), 0);
	assert_non_null(kmem_alloc(leaky, 100, 0, M_OBJECT, 0));
	assert_non_null(kmem_alloc(leaky, 23, 0, M_OBJECT, KMEM_ANYDOMAIN));
	assert_non_null(kmem_alloc(leaky, 7, 0, M_THREAD, 0));
	assert_int_equal(kva_reserve(leaky, 1 << 20, M_PVHEADER, &kr), 0);
	out = open_memstream(&text, &len);
	assert_non_null(out);
	assert_int_equal(kmem_destroy(leaky, out), 100 + 23 + 7 + (1 << 20));
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text,
	    "pvheader: 1048576 bytes in 1 blocks\n"
	    "thread: 7 bytes in 1 blocks\n"
	    "object: 123 bytes in 2 blocks\n");
	free(text);
	kva_unmap(kr.kr_base, kr.kr_size);
}

static void
clean_destroy_says_nothing(void **state)
{
	struct kmem *clean;
	size_t len = 0;
	char *text = NULL;
	FILE *out;

	(void)state;
	assert_int_equal(kmem_create(16, &clean), 0);
	out = open_memstream(&text, &len);
	assert_non_null(out);
	assert_int_equal(kmem_destroy(clean, out), 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(len, 0);
	free(text);
	assert_int_equal(kmem_destroy(NULL, NULL), 0);
}

/* jemalloc has 4095 arenas; they must come back. */
static void
arenas_of_the_destroyed_are_used_again(void **state)
{
	struct kmem *other;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(kmem_create(8, &other), 0);
		assert_non_null(kmem_alloc(other, 64, 0, M_PMAP, i % 8));
		assert_int_equal(kmem_destroy(other, NULL), 64);
	}
}

/* Three allocations, any of which may fail.  Returns 0 or ENOMEM. */
static int
take_three(void)
{
	struct kva_region kr = { 0 };
	void *p;
	int error = ENOMEM;

	p = kmem_alloc(km, 10, 0, M_LOCK, 0);
	if (p == NULL)
		return (ENOMEM);
	error = kva_reserve(km, 1 << 20, M_PVHEADER, &kr);
	if (error == 0)
		error = kva_back(km, &kr, 0, 1 << 16, 0);
	kva_release(km, &kr);
	kmem_free(km, p, 10, M_LOCK, 0);
	return (error);
}

static void
nth_allocation_fails_once(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 3; n++) {
		kmem_fail_nth(km, n);
		assert_false(kmem_failed(km));
		assert_int_equal(take_three(), ENOMEM);
		assert_true(kmem_failed(km));
		assert_int_equal(
		    stats(KMEM_NTYPES, KMEM_ALLDOMAINS).ks_blocks, 0);
		assert_int_equal(take_three(), 0);
	}
	kmem_fail_nth(km, 4);
	assert_int_equal(take_three(), 0);
	assert_false(kmem_failed(km));
	kmem_fail_nth(km, 0);
	assert_int_equal(take_three(), 0);
	assert_false(kmem_failed(km));
}

/* The kernel's view of an address: no signal to catch. */
static bool
is_readable(const void *p)
{
	int error, fd[2];
	ssize_t n;

	assert_int_equal(pipe(fd), 0);
	n = write(fd[1], p, 1);
	error = errno;
	(void)close(fd[0]);
	(void)close(fd[1]);
	if (n == 1)
		return (true);
	assert_int_equal(error, EFAULT);
	return (false);
}

static void
region_is_charged_as_it_is_backed(void **state)
{
	struct kva_region kr;
	size_t size = (size_t)1 << 30, part = 1 << 16;

	(void)state;
	assert_int_equal(kva_reserve(km, size, M_PVHEADER, &kr), 0);
	assert_int_equal(kr.kr_size, size);
	assert_int_equal(kr.kr_backed, 0);
	assert_int_equal(stats(M_PVHEADER, KMEM_ALLDOMAINS).ks_usable_bytes, 0);
	assert_int_equal(stats(M_PVHEADER, KMEM_ALLDOMAINS).ks_blocks, 1);
	assert_false(is_readable(kr.kr_base + part));

	assert_int_equal(kva_back(km, &kr, part, part, 1), 0);
	assert_int_equal(
	    kva_back(km, &kr, size - part, part, KMEM_ANYDOMAIN), 0);
	assert_true(is_readable(kr.kr_base + part));
	assert_false(is_readable(kr.kr_base + part - 1));
	assert_false(is_readable(kr.kr_base + 2 * part));
	assert_true(is_zero(kr.kr_base + part, part));
	memset(kr.kr_base + size - part, 1, part);
	assert_int_equal(kr.kr_backed, 2 * part);
	assert_int_equal(kr.kr_by_domain[0], part);
	assert_int_equal(kr.kr_by_domain[1], 0);
	assert_int_equal(kr.kr_by_domain[2], part);
	assert_int_equal(
	    stats(M_PVHEADER, KMEM_ALLDOMAINS).ks_usable_bytes, 2 * part);
	assert_int_equal(
	    stats(M_PVHEADER, KMEM_ALLDOMAINS).ks_requested_bytes, 2 * part);
	/* The arenas know nothing of it. */
	assert_int_equal(stats(M_PVHEADER, 1).ks_usable_bytes, 0);
	assert_arena_agrees(1);

	kva_release(km, &kr);
	assert_null(kr.kr_base);
	kva_release(km, &kr);
	assert_int_equal(stats(M_PVHEADER, KMEM_ALLDOMAINS).ks_blocks, 0);
	assert_int_equal(stats(M_PVHEADER, KMEM_ALLDOMAINS).ks_usable_bytes, 0);
}

static void
noreserve_mapping_costs_what_is_touched(void **state)
{
	size_t size = (size_t)1 << 38, window = 1 << 26;
	void *p;
	char *c;

	(void)state;
	assert_int_equal(kva_map_noreserve(size, &p), 0);
	c = p;
	assert_int_equal(c[size - 1], 0);
	c[size - window] = 1;
	assert_int_equal(resident_bytes(c, window), 0);
	assert_in_range(
	    resident_bytes(c + size - window, window), 1, window / 2);
	kva_unmap(p, size);
	kva_unmap(NULL, 0);
}

static void
impossible_sizes_are_refused(void **state)
{
	struct kva_region kr;
	void *p = &kr;

	(void)state;
	assert_null(kmem_alloc(km, (size_t)1 << 62, 0, M_PHYS, 0));
	assert_int_equal(stats(M_PHYS, 0).ks_blocks, 0);
	assert_int_equal(kva_reserve(km, (size_t)1 << 62, M_PHYS, &kr), ENOMEM);
	assert_int_equal(kva_map_noreserve((size_t)1 << 62, &p), ENOMEM);
	assert_ptr_equal(p, &kr);
}

static void
misuse_panics(void **state)
{
	/* The panic leaves their mutexes locked: they cannot be destroyed. */
	static struct kmem *abandoned[3];
	void *p[3];

	(void)state;
	if (!INVARIANTS_ENABLED)
		skip();
	expect_assert_failure(kmem_alloc(km, 1, 0, M_PHYS, 2));
	expect_assert_failure(kmem_alloc(km, 1, 0, M_PHYS, -2));
	expect_assert_failure(kmem_alloc(km, 1, 24, M_PHYS, 0));
	expect_assert_failure(kmem_alloc(km, 0, 0, M_PHYS, 0));

	for (int i = 0; i < 3; i++) {
		assert_int_equal(kmem_create(1, &abandoned[i]), 0);
		p[i] = kmem_alloc(abandoned[i], 8, 0, M_PHYS, 0);
		assert_non_null(p[i]);
	}
	expect_assert_failure(kmem_free(abandoned[0], p[0], 8, M_LOCK, 0));
	expect_assert_failure(
	    kmem_free(abandoned[1], p[1], 8, M_PHYS, KMEM_ANYDOMAIN));
	expect_assert_failure(kmem_free(abandoned[2], p[2], 4096, M_PHYS, 0));
}

/* A block that knows its size and what should be in it. */
struct block {
	size_t b_size;
	unsigned char b_byte;
	unsigned char b_data[];
};

struct churn {
	struct kmem *ch_km;
	struct block *_Atomic *ch_pool; /* blocks between two owners */
	uint64_t ch_seed;
	unsigned ch_bad; /* blocks that were not as they should be */
	unsigned ch_denied;
};

#define NPOOL 64

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
block_is_whole(const struct block *b)
{
	for (size_t i = 0; i < b->b_size - sizeof(*b); i++) {
		if (b->b_data[i] != b->b_byte)
			return (false);
	}
	return (true);
}

static struct block *
block_create(struct churn *ch, uint64_t r)
{
	struct block *b;
	/* Mostly small; some cross into the large classes. */
	size_t size = sizeof(*b) + (r % 16 == 0 ? r % 40000 : r % 300);

	b = kmem_alloc(ch->ch_km, size, (size_t)1 << (r >> 60) % 8, M_WORKLOAD,
	    (int)(size % 3) - 1);
	if (b == NULL) {
		ch->ch_denied++;
		return (NULL);
	}
	if (!is_zero(b, size))
		ch->ch_bad++;
	b->b_size = size;
	b->b_byte = (unsigned char)(r >> 32);
	memset(b->b_data, b->b_byte, size - sizeof(*b));
	return (b);
}

static void
block_destroy(struct churn *ch, struct block *b)
{
	if (b == NULL)
		return;
	if (!block_is_whole(b))
		ch->ch_bad++;
	kmem_free(
	    ch->ch_km, b, b->b_size, M_WORKLOAD, (int)(b->b_size % 3) - 1);
}

static void *
churn(void *arg)
{
	struct churn *ch = arg;
	struct block *b;
	uint64_t r;

	for (int i = 0; i < NROUNDS; i++) {
		r = random_next(&ch->ch_seed);
		b = block_create(ch, r);
		/* Acquire, release: what is in a block goes with it. */
		b = atomic_exchange_explicit(
		    &ch->ch_pool[(r >> 40) % NPOOL], b, memory_order_acq_rel);
		block_destroy(ch, b);
	}
	return (NULL);
}

/* And two more on another, since jemalloc keeps some things for all arenas. */
static void
threads_share_a_kmem(void **state)
{
	static struct block *_Atomic pool[2][NPOOL];
	struct kmem *kms[2] = { km, NULL };
	struct churn ch[NTHREADS];
	pthread_t td[NTHREADS];

	(void)state;
	if (!HOST_THREADS)
		skip();
	assert_int_equal(kmem_create(2, &kms[1]), 0);
	for (int i = 0; i < NTHREADS; i++) {
		ch[i] = (struct churn){
			.ch_km = kms[i / NSHARERS],
			.ch_pool = pool[i / NSHARERS],
			.ch_seed = (uint64_t)i + 1,
		};
		assert_int_equal(
		    pthread_create(&td[i], NULL, churn, &ch[i]), 0);
	}
	for (int i = 0; i < NTHREADS; i++)
		assert_int_equal(pthread_join(td[i], NULL), 0);
	for (int d = KMEM_ANYDOMAIN; d < 2; d++)
		assert_arena_agrees(d);
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < NPOOL; i++) {
			/* Relaxed: the threads are joined. */
			block_destroy(&ch[k * NSHARERS],
			    atomic_load_explicit(
				&pool[k][i], memory_order_relaxed));
		}
	}
	for (int i = 0; i < NTHREADS; i++) {
		assert_int_equal(ch[i].ch_bad, 0);
		assert_int_equal(ch[i].ch_denied, 0);
	}
	assert_int_equal(kmem_destroy(kms[1], stderr), 0);
}

/* With pages of 64 KB, as arm64 has them, no range of the model is aligned. */
static void
larger_host_pages_are_opened_whole(void **state)
{
	static const struct {
		size_t off, size, page;
		struct kva_span outer, inner;
	} cases[] = {
		{ 0x3000, 0x2000, 0x1000, { 0x3000, 0x2000 },
		    { 0x3000, 0x2000 } },
		{ 0x1000, 0x1000, 0x10000, { 0, 0x10000 }, { 0x10000, 0 } },
		{ 0xf000, 0x2000, 0x10000, { 0, 0x20000 }, { 0x10000, 0 } },
		{ 0xf000, 0x12000, 0x10000, { 0, 0x30000 },
		    { 0x10000, 0x10000 } },
		{ 0x10000, 0x10000, 0x10000, { 0x10000, 0x10000 },
		    { 0x10000, 0x10000 } },
	};
	struct kva_span ks;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ks = kva_span_outer(cases[i].off, cases[i].size, cases[i].page);
		assert_int_equal(ks.ks_off, cases[i].outer.ks_off);
		assert_int_equal(ks.ks_size, cases[i].outer.ks_size);
		ks = kva_span_inner(cases[i].off, cases[i].size, cases[i].page);
		assert_int_equal(ks.ks_size, cases[i].inner.ks_size);
		if (ks.ks_size != 0)
			assert_int_equal(ks.ks_off, cases[i].inner.ks_off);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    accounts_are_by_type_and_domain, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    accounts_equal_the_arenas, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    reused_block_is_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    large_block_costs_no_memory, setup, teardown),
		cmocka_unit_test(leak_is_reported_by_bytes_and_type),
		cmocka_unit_test(clean_destroy_says_nothing),
		cmocka_unit_test(arenas_of_the_destroyed_are_used_again),
		cmocka_unit_test_setup_teardown(
		    nth_allocation_fails_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    region_is_charged_as_it_is_backed, setup, teardown),
		cmocka_unit_test(larger_host_pages_are_opened_whole),
		cmocka_unit_test(noreserve_mapping_costs_what_is_touched),
		cmocka_unit_test_setup_teardown(
		    impossible_sizes_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(misuse_panics, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    threads_share_a_kmem, setup, teardown),
	};

	panic_handler = panic_as_assertion;
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
