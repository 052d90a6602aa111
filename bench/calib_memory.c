/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Caches and memory: a chain of loads, each of whose address is what the one
 * before has read, through as much memory as the level in question holds and the
 * one before it does not; and pages that no cache has, cleared and copied.
 *
 * Lines are visited in random order, which leaves prefetchers nothing, and in
 * large pages where the host has them: a TLB's misses are not the cache's.
 */
#include <sys/mman.h>

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "calib.h"
#include "osstat.h"
#include "random.h"

#define LINE       64
#define PAGE       4096
#define SAMPLES    501
#define STEPS      4096
#define DRAM_MAX   (UINT64_C(512) << 20)
#define PAGES      64 /* a sample */
#define LARGE_PAGE (UINT64_C(2) << 20)

struct chain {
	char *ch_base;
	size_t ch_bytes;
	_Atomic(void *) ch_at; /* where the walk is */
	uint64_t ch_random;
};

/* Memory in large pages if possible; NULL when there is none. */
static char *
map(size_t bytes)
{
	char *p = mmap(NULL, bytes + LARGE_PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t off;

	if (p == MAP_FAILED)
		return (NULL);
	/* Aligned, so that all of it can be large; the rest is not touched. */
	off = (size_t)(-(uintptr_t)p & (LARGE_PAGE - 1));
	if (off != 0)
		(void)munmap(p, off);
	if (off != LARGE_PAGE)
		(void)munmap(p + off + bytes, LARGE_PAGE - off);
	osstat_want_huge(p + off, bytes);
	return (p + off);
}

/* One cycle through all lines of the first bytes, in random order. */
static void
link_chain(struct chain *ch, size_t bytes)
{
	size_t n = bytes / LINE;
	uint32_t *order = bench_calloc(n, sizeof(order[0]));

	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n - 1; i > 0; i--) {
		size_t j = (size_t)(bench_random(&ch->ch_random) % i);
		uint32_t t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	for (size_t i = 0; i < n; i++) {
		*(void **)(void *)(ch->ch_base + (size_t)order[i] * LINE) =
		    ch->ch_base + (size_t)order[(i + 1) % n] * LINE;
	}
	free(order);
	atomic_init(&ch->ch_at, ch->ch_base);
}

static double
walk(void *arg)
{
	struct chain *ch = arg;
	/* Relaxed: so that the compiler keeps the walk; nobody else is there. */
	void **p = atomic_load_explicit(&ch->ch_at, memory_order_relaxed);
	uint64_t t0 = bench_clock_ns();

	for (unsigned i = 0; i < STEPS; i++)
		p = *p;
	t0 = bench_clock_ns() - t0;
	/* Relaxed: as above. */
	atomic_store_explicit(&ch->ch_at, p, memory_order_relaxed);
	return ((double)t0 / STEPS);
}

/* Fill the caches with the chain, as far as it fits. */
static double
walk_all(void *arg)
{
	struct chain *ch = arg;

	for (size_t i = 0; i < ch->ch_bytes / LINE; i += STEPS)
		(void)walk(ch);
	return (NAN);
}

static void
put_level(struct calib *c, struct chain *ch, unsigned field, size_t bytes,
    double *v, size_t n)
{
	char what[64];
	int cpu = c->c_cpus[0];

	if (bench_stopped())
		return;
	ch->ch_bytes = bytes;
	link_chain(ch, bytes);
	(void)calib_sample(cpu, 1, v, walk_all, ch);
	n = calib_sample(cpu, n, v, walk, ch);
	(void)snprintf(
	    what, sizeof(what), "chain of loads through %zu KB", bytes >> 10);
	calib_measured(c, field, v, n, what);
}

static double
clear_pages(void *arg)
{
	struct chain *ch = arg;
	uint64_t t0, ns = 0;

	for (unsigned i = 0; i < PAGES; i++) {
		char *page = ch->ch_base +
		    bench_random(&ch->ch_random) % (ch->ch_bytes / PAGE) * PAGE;

		t0 = bench_clock_ns();
		memset(page, 0, PAGE);
		/* The compiler must not leave out what nobody reads. */
		__asm__ __volatile__("" : : "r"(page) : "memory");
		ns += bench_clock_ns() - t0;
	}
	return ((double)ns / PAGES);
}

static double
copy_pages(void *arg)
{
	struct chain *ch = arg;
	size_t pages = ch->ch_bytes / PAGE;
	uint64_t t0, ns = 0;

	for (unsigned i = 0; i < PAGES; i++) {
		size_t from = bench_random(&ch->ch_random) % pages;
		size_t to = bench_random(&ch->ch_random) % pages;

		if (to == from)
			to = (to + 1) % pages;
		t0 = bench_clock_ns();
		memcpy(
		    ch->ch_base + to * PAGE, ch->ch_base + from * PAGE, PAGE);
		/* As above. */
		__asm__ __volatile__("" : : "r"(ch->ch_base) : "memory");
		ns += bench_clock_ns() - t0;
	}
	return ((double)ns / PAGES);
}

static double
clock_alone(void *arg)
{
	uint64_t t0 = bench_clock_ns(), t = 0;

	(void)arg;
	for (unsigned i = 0; i < PAGES; i++)
		t = bench_clock_ns();
	return ((double)(t - t0) / PAGES);
}

static void
put_pages(struct calib *c, struct chain *ch, double *v, size_t n)
{
	int cpu = c->c_cpus[0];
	size_t got;
	double clock;

	clock = calib_stat_of(v, calib_sample(cpu, n, v, clock_alone, NULL))
		    .cs_median;
	got = calib_sample(cpu, n, v, clear_pages, ch);
	for (size_t i = 0; i < got; i++)
		v[i] -= clock;
	calib_measured(c, PRESET_pr_page_clear_ps, v, got, "memset, cold");
	got = calib_sample(cpu, n, v, copy_pages, ch);
	for (size_t i = 0; i < got; i++)
		v[i] -= clock;
	calib_measured(c, PRESET_pr_page_copy_ps, v, got, "memcpy, cold");
}

static size_t
whole_pages(uint64_t bytes)
{
	return ((size_t)(bytes / PAGE < 4 ? 4 : bytes / PAGE) * PAGE);
}

/* What another socket's memory takes: the base's ratio. */
static void
put_remote(struct calib *c)
{
	char source[PRESET_SOURCE_MAX];
	double ratio = (double)c->c_base->pr_dram_remote_ps /
	    (double)c->c_base->pr_dram_local_ps;

	(void)snprintf(source, sizeof(source),
	    "dram_local x %.2f as in %s; not measured", ratio,
	    c->c_base->pr_name);
	calib_known(c, PRESET_pr_dram_remote_ps,
	    (uint64_t)((double)c->c_preset.pr_dram_local_ps * ratio + 0.5),
	    source);
}

void
calib_memory(struct calib *c)
{
	size_t n = calib_count(c, SAMPLES);
	double *v = bench_calloc(n, sizeof(v[0]));
	uint64_t l1 = c->c_preset.pr_l1_lines * LINE;
	uint64_t l2 = c->c_preset.pr_l2_lines * LINE;
	uint64_t llc = c->c_preset.pr_llc_lines * LINE;
	uint64_t dram = 4 * llc > DRAM_MAX ? DRAM_MAX : 4 * llc;
	struct chain ch = { .ch_random = 1 };

	if (dram < 4 * l2)
		dram = 4 * l2;
	ch.ch_base = map(whole_pages(dram));
	if (ch.ch_base == NULL) {
		calib_from_base(c, PRESET_pr_l2_hit_ps, "no memory");
		calib_from_base(c, PRESET_pr_llc_hit_ps, "no memory");
		calib_from_base(c, PRESET_pr_dram_local_ps, "no memory");
		calib_from_base(c, PRESET_pr_page_clear_ps, "no memory");
		calib_from_base(c, PRESET_pr_page_copy_ps, "no memory");
	} else {
		memset(ch.ch_base, 0, whole_pages(dram));
		put_level(c, &ch, PRESET_pr_l2_hit_ps,
		    whole_pages(l2 / 2 > 2 * l1 ? l2 / 2 : 2 * l1), v, n);
		put_level(c, &ch, PRESET_pr_llc_hit_ps,
		    whole_pages(3 * l2 < llc / 2 ? 3 * l2 : llc / 2), v, n);
		put_level(
		    c, &ch, PRESET_pr_dram_local_ps, whole_pages(dram), v, n);
		put_pages(c, &ch, v, n);
		(void)munmap(ch.ch_base, whole_pages(dram));
	}
	put_remote(c);
	free(v);
}
