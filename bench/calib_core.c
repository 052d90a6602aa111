/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One CPU: what hits, locked instructions, fences and pauses take, and what they
 * take while the core's other hardware thread works.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"
#include "calib.h"
#include "kern/cpu.h"
#include "thread.h"

#define SAMPLES 2001
#define N       4096 /* operations a sample: microseconds */
#define WORDS   1024 /* 8 KB: in every L1 */

struct core {
	_Alignas(CACHE_PAIR_SIZE) _Atomic uint64_t co_words[WORDS];
	_Alignas(CACHE_PAIR_SIZE) _Atomic uint64_t co_word;
	_Alignas(CACHE_PAIR_SIZE) _Atomic uint64_t co_sink;
	_Atomic bool co_stop;
	double co_rmw_ns;
};

/*
 * Step i of a loop: two loads and a store, each of another line than the one
 * before, with the arithmetic that addresses need.  Atomics, so that the compiler
 * leaves every one of them; relaxed ones are plain instructions.
 */
static inline void
access_thrice(struct core *co, unsigned i, uint64_t *ap, uint64_t *bp)
{
	unsigned w = (i * 9) % WORDS;

	/* Relaxed: nobody else is there. */
	*ap += atomic_load_explicit(&co->co_words[w], memory_order_relaxed);
	/* Relaxed: as above. */
	*bp ^= atomic_load_explicit(
	    &co->co_words[(w + 256) % WORDS], memory_order_relaxed);
	/* Relaxed: as above. */
	atomic_store_explicit(
	    &co->co_words[(w + 512) % WORDS], i, memory_order_relaxed);
}

static double
hits(void *arg)
{
	struct core *co = arg;
	uint64_t t0 = bench_clock_ns(), a = 0, b = 0;

	for (unsigned i = 0; i < N; i++)
		access_thrice(co, i, &a, &b);
	t0 = bench_clock_ns() - t0;
	/* Relaxed: so that the sums are used. */
	atomic_store_explicit(&co->co_sink, a + b, memory_order_relaxed);
	return ((double)t0 / (3.0 * N));
}

/* As lock and unlock use them: a compare-and-swap, then an addition. */
static double
rmws(void *arg)
{
	struct core *co = arg;
	uint64_t t0 = bench_clock_ns();

	for (unsigned i = 0; i < N / 2; i++) {
		/* Relaxed: nobody else is there. */
		uint64_t v =
		    atomic_load_explicit(&co->co_word, memory_order_relaxed);

		/* Acquire, release: as a lock has them. */
		(void)atomic_compare_exchange_strong_explicit(&co->co_word, &v,
		    v + 1, memory_order_acquire, memory_order_relaxed);
		(void)atomic_fetch_add_explicit(
		    &co->co_word, 1, memory_order_release);
	}
	return ((double)(bench_clock_ns() - t0) / N);
}

/*
 * As in code that locks: an RMW in so many accesses, with which it overlaps where
 * the CPU can do that.  In the library there are 27 (Measured: enter and remove
 * in the virtual machine).
 */
#define AMID 8 /* times three */

static double
amid(struct core *co, bool rmw)
{
	uint64_t t0 = bench_clock_ns(), a = 0, b = 0;

	for (unsigned i = 0; i < N / 2; i++) {
		access_thrice(co, i, &a, &b);
		if (rmw && i % AMID == 0) {
			/* Acq_rel: as locks have them, in sum. */
			(void)atomic_fetch_add_explicit(
			    &co->co_word, 1, memory_order_acq_rel);
		}
	}
	t0 = bench_clock_ns() - t0;
	/* Relaxed: so that the sums are used. */
	atomic_store_explicit(&co->co_sink, a + b, memory_order_relaxed);
	return ((double)t0 / (N / 2 / AMID));
}

/* The share of the time between two RMWs that the second one does not add. */
static double
overlap(void *arg)
{
	struct core *co = arg;
	double alone = amid(co, false), with = amid(co, true);

	return ((co->co_rmw_ns - (with - alone)) / alone);
}

static void
put_overlap(struct calib *c, struct core *co, double *v, size_t n)
{
	char source[PRESET_SOURCE_MAX];
	struct calib_stat cs;

	co->co_rmw_ns = (double)c->c_preset.pr_rmw_ps / 1000;
	n = calib_sample(c->c_cpus[0], n, v, overlap, co);
	if (n == 0) {
		calib_from_base(
		    c, PRESET_pr_rmw_overlap_permille, "could not be measured");
		return;
	}
	cs = calib_stat_of(v, n);
	(void)snprintf(source, sizeof(source),
	    "measured, an RMW in %d accesses, %.2f-%.2f", 3 * AMID, cs.cs_low,
	    cs.cs_high);
	calib_known(c, PRESET_pr_rmw_overlap_permille,
	    (uint64_t)(fmax(0, cs.cs_median) * 1000 + 0.5), source);
}

static double
fences(void *arg)
{
	uint64_t t0 = bench_clock_ns();

	(void)arg;
	for (unsigned i = 0; i < N; i++) {
		/* Seq_cst: the fence itself is what is timed. */
		atomic_thread_fence(memory_order_seq_cst);
	}
	return ((double)(bench_clock_ns() - t0) / N);
}

static double
pauses(void *arg)
{
	uint64_t t0 = bench_clock_ns();

	(void)arg;
	for (unsigned i = 0; i < N; i++)
		cpu_spinwait();
	return ((double)(bench_clock_ns() - t0) / N);
}

static void
work_beside(void *arg)
{
	struct core *co = arg;
	struct core *own = bench_calloc(1, sizeof(*own));

	/* Relaxed: a flag that is polled; nothing else is passed on. */
	while (!atomic_load_explicit(&co->co_stop, memory_order_relaxed))
		(void)hits(own);
	free(own);
}

/* The same hits with a sibling at work, as a factor. */
static void
put_smt(struct calib *c, struct core *co, double *v, size_t n)
{
	struct bench_thread beside;
	struct calib_stat cs;
	char source[PRESET_SOURCE_MAX];
	double alone;
	int sibling = -1;

	for (size_t i = 1; i < c->c_ncpus && sibling < 0; i++) {
		if (calib_distance(c->c_cpus[0], c->c_cpus[i]) == CALIB_SMT)
			sibling = c->c_cpus[i];
	}
	if (sibling < 0) {
		calib_from_base(c, PRESET_pr_smt_permille,
		    "this host shows no two siblings of a core");
		return;
	}
	alone = calib_stat_of(v, calib_sample(c->c_cpus[0], n, v, hits, co))
		    .cs_median;
	if (alone <= 0 ||
	    bench_thread_start(&beside, sibling, work_beside, co) != 0) {
		calib_from_base(
		    c, PRESET_pr_smt_permille, "could not be measured");
		return;
	}
	cs = calib_stat_of(v, calib_sample(c->c_cpus[0], n, v, hits, co));
	/* Relaxed: as in work_beside(). */
	atomic_store_explicit(&co->co_stop, true, memory_order_relaxed);
	bench_thread_join(&beside);
	(void)snprintf(source, sizeof(source),
	    "measured, hits %.3g ns alone, %.3g with a sibling at work", alone,
	    cs.cs_median);
	calib_known(c, PRESET_pr_smt_permille,
	    (uint64_t)(cs.cs_median / alone * 1000 + 0.5), source);
}

void
calib_core(struct calib *c)
{
	size_t n = calib_count(c, SAMPLES);
	double *v = bench_calloc(n, sizeof(v[0]));
	struct core *co;
	int cpu = c->c_cpus[0];

	if (posix_memalign((void **)&co, CACHE_PAIR_SIZE, sizeof(*co)) != 0)
		co = NULL;
	if (co != NULL) {
		for (unsigned i = 0; i < WORDS; i++)
			atomic_init(&co->co_words[i], i);
		atomic_init(&co->co_word, 0);
		atomic_init(&co->co_sink, 0);
		atomic_init(&co->co_stop, false);
	}
#define MEASURE(field, fn, what)                                               \
	calib_measured(c, PRESET_##field, v,                                   \
	    co != NULL ? calib_sample(cpu, n, v, fn, co) : 0, what)
	MEASURE(pr_l1_hit_ps, hits, "throughput of 2 loads : 1 store");
	MEASURE(pr_rmw_ps, rmws, "cmpxchg and xadd in turn");
	MEASURE(pr_fence_ps, fences, "seq_cst fence");
	MEASURE(pr_pause_ps, pauses, "loop of them");
#undef MEASURE
	if (co != NULL) {
		put_overlap(c, co, v, n);
		put_smt(c, co, v, n);
	} else {
		calib_from_base(c, PRESET_pr_rmw_overlap_permille, "no memory");
		calib_from_base(c, PRESET_pr_smt_permille, "no memory");
	}
	free(co);
	free(v);
}
