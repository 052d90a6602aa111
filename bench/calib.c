/* SPDX-License-Identifier: BSD-2-Clause */
#include "calib.h"

#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "sim/pin.h"
#include "stats.h"
#include "thread.h"

const char *const calib_distance_names[NCALIB_DISTANCES] = {
	[CALIB_SMT] = "siblings of a core",
	[CALIB_CLUSTER] = "cores of a cluster",
	[CALIB_SOCKET] = "clusters of a socket",
	[CALIB_REMOTE] = "sockets",
};

size_t
calib_count(const struct calib *c, size_t n)
{
	size_t m = (size_t)((double)n * c->c_effort);

	return (m < 5 ? 5 : m);
}

struct calib_stat
calib_stat_of(double *v, size_t n)
{
	struct calib_stat cs = { .cs_n = n };

	if (n == 0)
		return (cs);
	cs.cs_median = stats_of(v, n).s_median;
	cs.cs_low = stats_quantile(v, n, 0.1);
	cs.cs_high = stats_quantile(v, n, 0.9);
	return (cs);
}

void
calib_known(struct calib *c, unsigned i, uint64_t value, const char *source)
{
	const struct preset_field *pf = &preset_fields[i];

	if (value < pf->pf_min)
		value = pf->pf_min;
	if (value > pf->pf_max)
		value = pf->pf_max;
	preset_put(&c->c_preset, i, value, source);
}

void
calib_from_base(struct calib *c, unsigned i, const char *why)
{
	char source[PRESET_SOURCE_MAX];

	(void)snprintf(
	    source, sizeof(source), "%s; %s", c->c_base->pr_name, why);
	calib_known(c, i, preset_value(c->c_base, i), source);
}

static const char *
number(char buf[32], double v)
{
	(void)snprintf(buf, 32, v < 100 ? "%.3g" : "%.0f", v);
	return (buf);
}

void
calib_measured(
    struct calib *c, unsigned i, double *v, size_t n, const char *what)
{
	char source[PRESET_SOURCE_MAX], low[32], high[32];
	struct calib_stat cs = calib_stat_of(v, n);

	if (n == 0) {
		calib_from_base(c, i, "could not be measured");
		return;
	}
	c->c_stats[i] = cs;
	if (n > 1)
		(void)snprintf(source, sizeof(source), "measured, %s, %s-%s",
		    what, number(low, cs.cs_low), number(high, cs.cs_high));
	else
		(void)snprintf(source, sizeof(source), "measured, %s", what);
	calib_known(
	    c, i, (uint64_t)(fmax(0, cs.cs_median) * 1000 + 0.5), source);
}

struct sampler {
	double (*s_fn)(void *arg);
	void *s_arg;
	double *s_v;
	size_t s_n;
	size_t s_taken;
};

static void
sampler_main(void *arg)
{
	struct sampler *s = arg;

	/* The first one warms up. */
	(void)s->s_fn(s->s_arg);
	while (s->s_taken < s->s_n && !bench_stopped()) {
		double v = s->s_fn(s->s_arg);

		if (!isfinite(v))
			break;
		s->s_v[s->s_taken++] = v;
	}
}

size_t
calib_sample(
    int hostcpu, size_t n, double *v, double (*fn)(void *arg), void *arg)
{
	struct sampler s = { .s_fn = fn, .s_arg = arg, .s_v = v, .s_n = n };
	struct bench_thread bt;

	if (bench_thread_start(&bt, hostcpu, sampler_main, &s) != 0)
		return (0);
	bench_thread_join(&bt);
	return (s.s_taken);
}

const char *
calib_mode_of(double ns)
{
	if (ns <= 0)
		return ("not measured");
	return (ns < CALIB_NEAR_NS ? "CPUs that share a cache or a core"
				   : "CPUs far from each other");
}

const char *
calib_mode(const struct calib *c)
{
	if (c->c_npairs == 0)
		return ("one CPU");
	if (c->c_pairs[0].cp_bimodal)
		return ("now near and now far: a virtual machine");
	return (calib_mode_of(c->c_pairs[0].cp_ns.cs_median));
}

/* What no program can measure, or none without the machine to itself. */
static void
leave_to_base(struct calib *c)
{
	char why[80];

	calib_from_base(c, PRESET_pr_occupancy_write_ps, "not measured");
	calib_from_base(
	    c, PRESET_pr_lookahead_permille, "of the model, not of hosts");
	calib_from_base(c, PRESET_pr_store_buffer, "not measured");
	calib_from_base(c, PRESET_pr_slice_ps, "FreeBSD's, not this host's");
	calib_from_base(
	    c, PRESET_pr_lock_profile_ps, "FreeBSD's, not this host's");
	calib_from_base(c, PRESET_pr_pv_chunk_ps, "FreeBSD's, not this host's");
	calib_from_base(c, PRESET_pr_deep_after_ps, "not measured");
	if (c->c_fault_ns > 0)
		(void)snprintf(why, sizeof(why),
		    "a whole read fault took %.0f ns", c->c_fault_ns);
	else
		(void)snprintf(why, sizeof(why), "not measured");
	calib_from_base(c, PRESET_pr_fault_ps, why);
}

/*
 * What came from the base, or is noise, may contradict what was measured: then
 * the farther line takes as long as the nearer one.
 */
static void
reconcile(struct calib *c)
{
	char source[PRESET_SOURCE_MAX];

	for (size_t i = 0; i < preset_nrules; i++) {
		const struct preset_rule *r = &preset_rules[i];
		uint64_t v = preset_value(&c->c_preset, r->pr_less);

		if (v <= preset_value(&c->c_preset, r->pr_more))
			continue;
		(void)snprintf(source, sizeof(source), "as %s: was less, %.60s",
		    preset_fields[r->pr_less].pf_key,
		    c->c_preset.pr_source[r->pr_more]);
		calib_known(c, r->pr_more, v, source);
	}
}

static void
title(struct calib *c)
{
	struct host_info hi;

	host_info(&hi);
	(void)snprintf(c->c_preset.pr_title, sizeof(c->c_preset.pr_title),
	    "Measured: %.48s, %u CPUs; %.48s",
	    hi.hi_cpu_model[0] != '\0' ? hi.hi_cpu_model : "unknown CPU",
	    hi.hi_cpus, calib_mode(c));
}

int
calib_run(struct calib *c)
{
	static const struct {
		const char *s_name;
		void (*s_fn)(struct calib *c);
	} stages[] = {
		{ "topology", calib_topology },
		{ "lines from CPU to CPU", calib_lines },
		{ "instructions", calib_core },
		{ "lines that two CPUs want", calib_share },
		{ "caches and memory", calib_memory },
		{ "the host's kernel", calib_kernel },
	};
	struct preset_error pe;

	c->c_ncpus = host_ncpus();
	c->c_cpus = bench_calloc(c->c_ncpus, sizeof(c->c_cpus[0]));
	if (pin_order_cpus(PIN_SMT_LAST, c->c_cpus, c->c_ncpus) < c->c_ncpus) {
		warnx("calibrate: the host's topology cannot be read");
		return (EX_UNAVAILABLE);
	}
	(void)snprintf(
	    c->c_preset.pr_name, sizeof(c->c_preset.pr_name), "%s", "host");
	progress_begin(&c->c_progress, nitems(stages));
	for (size_t i = 0; i < nitems(stages) && !bench_stopped(); i++) {
		progress_stage(&c->c_progress, stages[i].s_name);
		stages[i].s_fn(c);
		progress_done(&c->c_progress, 1);
	}
	progress_end(&c->c_progress);
	if (bench_stopped())
		return (EX_INTERRUPTED);
	leave_to_base(c);
	reconcile(c);
	title(c);
	if (preset_check(&c->c_preset, &pe) != 0) {
		warnx("calibrate: %s", pe.pe_text);
		return (EX_SOFTWARE);
	}
	return (0);
}

void
calib_free(struct calib *c)
{
	free(c->c_pairs);
	free(c->c_cpus);
}
