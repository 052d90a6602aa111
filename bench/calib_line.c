/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a line takes from one CPU to another, by pair: two threads take turns
 * at it with a compare-and-swap, so that it is always owned by one of them, and
 * half of there and back is one way.
 *
 * A virtual machine may have its CPUs in several clusters of its host and say
 * that they are one.  The lines tell: when those between cores of one cluster
 * are of two kinds, the near ones make the clusters.
 */
#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "calib.h"
#include "kern/cpu.h"
#include "stats.h"
#include "thread.h"

#define ROUNDS  200  /* there and back, a sample */
#define SAMPLES 4000 /* a pair: 40 to 400 ms */
/* Of a kind, spread over the host: a large one has thousands. */
#define PAIRS_MAX 24
/* A partner that was preempted is not waited for by spinning alone. */
#define SPINS 20000
/* Two modes lie apart by this factor, and each has a tenth of the samples. */
#define MODE_FACTOR 1.7
#define MODE_SHARE  0.1

struct ball {
	_Alignas(CACHE_PAIR_SIZE) _Atomic uint64_t b_turn;
	_Alignas(CACHE_PAIR_SIZE) uint64_t b_last; /* turn that ends it */
	double *b_v;
	size_t b_n;
};

/* From turn to turn + 1. */
static void
strike(struct ball *b, uint64_t turn)
{
	uint64_t expected;

	for (unsigned n = 1;; n++) {
		expected = turn;
		/* Relaxed: the line is all that is passed on. */
		if (atomic_compare_exchange_strong_explicit(&b->b_turn,
			&expected, turn + 1, memory_order_relaxed,
			memory_order_relaxed))
			return;
		if (n % SPINS == 0)
			(void)sched_yield();
	}
}

static void
ping(void *arg)
{
	struct ball *b = arg;
	uint64_t turn = 0;

	for (size_t i = 0; i < b->b_n; i++) {
		uint64_t t0 = bench_clock_ns();

		for (unsigned r = 0; r < ROUNDS; r++, turn += 2)
			strike(b, turn);
		b->b_v[i] = (double)(bench_clock_ns() - t0) / (2.0 * ROUNDS);
	}
}

static void
pong(void *arg)
{
	struct ball *b = arg;

	for (uint64_t turn = 1; turn < b->b_last; turn += 2)
		strike(b, turn);
}

/* The samples, sorted, fall into two heaps when there is a gap among them. */
static void
find_modes(struct calib_pair *cp, const double *v, size_t n)
{
	size_t skip = (size_t)((double)n * MODE_SHARE) + 1, gap = 0;
	double widest = 0;

	for (size_t i = skip; i + skip < n; i++) {
		if (v[i] / v[i - 1] > widest) {
			widest = v[i] / v[i - 1];
			gap = i;
		}
	}
	if (gap == 0)
		return;
	cp->cp_near_ns = stats_quantile(v, gap, 0.5);
	cp->cp_far_ns = stats_quantile(v + gap, n - gap, 0.5);
	cp->cp_near_share = (double)gap / (double)n;
	cp->cp_bimodal =
	    widest > 1.2 && cp->cp_far_ns > cp->cp_near_ns * MODE_FACTOR;
}

/* Returns false when there is no thread to be had. */
static bool
measure_pair(struct calib_pair *cp, double *v, size_t n)
{
	struct ball b = { .b_turn = 0, .b_v = v, .b_n = n };
	struct bench_thread one, two;

	b.b_last = 2 * ROUNDS * (uint64_t)n;
	if (bench_thread_start(&one, cp->cp_cpu[1], pong, &b) != 0)
		return (false);
	if (bench_thread_start(&two, cp->cp_cpu[0], ping, &b) != 0) {
		ping(&b);
		bench_thread_join(&one);
		return (false);
	}
	bench_thread_join(&two);
	bench_thread_join(&one);
	cp->cp_ns = calib_stat_of(v, n);
	find_modes(cp, v, n);
	return (true);
}

static void
add_pairs(struct calib *c)
{
	size_t n = c->c_ncpus, seen[NCALIB_DISTANCES] = { 0 };
	size_t every[NCALIB_DISTANCES], taken[NCALIB_DISTANCES] = { 0 };

	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++)
			seen[calib_distance(c->c_cpus[i], c->c_cpus[j])]++;
	}
	for (unsigned d = 0; d < NCALIB_DISTANCES; d++) {
		every[d] = (seen[d] + PAIRS_MAX - 1) / PAIRS_MAX;
		seen[d] = 0;
	}
	c->c_pairs =
	    bench_calloc(NCALIB_DISTANCES * PAIRS_MAX, sizeof(c->c_pairs[0]));
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			enum calib_distance d =
			    calib_distance(c->c_cpus[i], c->c_cpus[j]);

			if (seen[d]++ % every[d] != 0 ||
			    taken[d]++ >= PAIRS_MAX)
				continue;
			c->c_pairs[c->c_npairs++] = (struct calib_pair){
				.cp_cpu = { c->c_cpus[i], c->c_cpus[j] },
				.cp_distance = d,
			};
		}
	}
}

/* What the pairs of one kind have in common: the median of their medians. */
static void
put_distance(struct calib *c, enum calib_distance d, unsigned field)
{
	double v[PAIRS_MAX];
	char what[64];
	size_t n = 0;

	for (size_t i = 0; i < c->c_npairs; i++) {
		if (c->c_pairs[i].cp_distance == d &&
		    c->c_pairs[i].cp_ns.cs_n > 0)
			v[n++] = c->c_pairs[i].cp_ns.cs_median;
	}
	if (n == 0) {
		(void)snprintf(what, sizeof(what), "this host has no two %s",
		    calib_distance_names[d]);
		calib_from_base(c, field, what);
		return;
	}
	(void)snprintf(
	    what, sizeof(what), "CAS ping-pong one way, %zu pairs", n);
	calib_measured(c, field, v, n, what);
}

/* The root of a CPU's group, by its place in c_cpus. */
static size_t
root_of(const size_t *group, size_t i)
{
	while (group[i] != i)
		i = group[i];
	return (i);
}

static size_t
place_of(const struct calib *c, int cpu)
{
	size_t i = 0;

	while (c->c_cpus[i] != cpu)
		i++;
	return (i);
}

/* How many groups the CPUs fall into that lines nearer than limit connect. */
static size_t
count_groups(const struct calib *c, double limit)
{
	size_t *group = bench_calloc(c->c_ncpus, sizeof(group[0])), n = 0;

	for (size_t i = 0; i < c->c_ncpus; i++)
		group[i] = i;
	for (size_t i = 0; i < c->c_npairs; i++) {
		const struct calib_pair *cp = &c->c_pairs[i];

		if (cp->cp_ns.cs_median < limit)
			group[root_of(group, place_of(c, cp->cp_cpu[0]))] =
			    root_of(group, place_of(c, cp->cp_cpu[1]));
	}
	for (size_t i = 0; i < c->c_ncpus; i++)
		n += group[i] == i;
	free(group);
	return (n);
}

/*
 * Clusters that the topology does not know.  Returns whether there are any; then
 * the lines within and between them are set.
 */
static bool
find_clusters(struct calib *c)
{
	double v[PAIRS_MAX], widest = 0;
	size_t n = 0, gap = 0, groups;
	uint64_t cores = c->c_preset.pr_cores;
	char source[PRESET_SOURCE_MAX];

	for (size_t i = 0; i < c->c_npairs; i++) {
		if (c->c_pairs[i].cp_distance == CALIB_CLUSTER)
			v[n++] = c->c_pairs[i].cp_ns.cs_median;
	}
	/* Not where only some of the pairs were looked at. */
	if (c->c_preset.pr_clusters > 1 || n < 2 ||
	    n != c->c_ncpus * (c->c_ncpus - 1) / 2)
		return (false);
	(void)stats_of(v, n);
	for (size_t i = 1; i < n; i++) {
		if (v[i] / v[i - 1] > widest) {
			widest = v[i] / v[i - 1];
			gap = i;
		}
	}
	if (widest < MODE_FACTOR)
		return (false);
	groups = count_groups(c, v[gap]);
	if (groups < 2 || cores % groups != 0)
		return (false);
	(void)snprintf(source, sizeof(source),
	    "hwloc has 1 cluster; lines are near in %zu of %zu pairs of CPUs",
	    gap, n);
	calib_known(c, PRESET_pr_clusters, groups, source);
	calib_known(c, PRESET_pr_cores, cores / groups, source);
	(void)snprintf(source, sizeof(source),
	    "CAS ping-pong one way, %zu near pairs", gap);
	calib_measured(c, PRESET_pr_line_cluster_ps, v, gap, source);
	(void)snprintf(source, sizeof(source),
	    "CAS ping-pong one way, %zu far pairs", n - gap);
	calib_measured(c, PRESET_pr_line_socket_ps, v + gap, n - gap, source);
	return (true);
}

void
calib_lines(struct calib *c)
{
	size_t n = calib_count(c, SAMPLES);
	double *v = bench_calloc(n, sizeof(v[0]));

	add_pairs(c);
	for (size_t i = 0; i < c->c_npairs && !bench_stopped(); i++) {
		if (!measure_pair(&c->c_pairs[i], v, n))
			break;
	}
	put_distance(c, CALIB_SMT, PRESET_pr_line_smt_ps);
	put_distance(c, CALIB_REMOTE, PRESET_pr_line_remote_ps);
	if (find_clusters(c)) {
		free(v);
		return;
	}
	put_distance(c, CALIB_CLUSTER, PRESET_pr_line_cluster_ps);
	if (c->c_preset.pr_clusters > 1) {
		put_distance(c, CALIB_SOCKET, PRESET_pr_line_socket_ps);
	} else {
		calib_known(c, PRESET_pr_line_socket_ps,
		    c->c_preset.pr_line_cluster_ps,
		    "as line_cluster: a socket has one cluster");
	}
	free(v);
}
