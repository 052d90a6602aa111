/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sysexits.h>

#include "bench.h"
#include "compare.h"
#include "pmapsim/machine.h"
#include "progress.h"

/* Allowed for making, checking and destroying a machine.  Only for progress. */
#define RUN_OVERHEAD_NS UINT64_C(30000000)

const struct series *
compare_find_series(const struct compare *co, unsigned threads, bool profile)
{
	for (size_t i = 0; i < co->co_nseries; i++) {
		const struct series *se = &co->co_series[i];

		if (se->se_threads == threads && se->se_profile == profile)
			return (se);
	}
	return (NULL);
}

static void
add_series(struct compare *co, unsigned threads, unsigned cpus, bool profile)
{
	if (compare_find_series(co, threads, profile) != NULL)
		return;
	co->co_series[co->co_nseries].se_threads = threads;
	co->co_series[co->co_nseries].se_cpus = cpus;
	co->co_series[co->co_nseries].se_profile = profile;
	co->co_nseries++;
}

void
compare_plan(struct compare *co)
{
	size_t nd = co->co_ndesigns;

	co->co_series =
	    bench_calloc(2 * co->co_nthreads + 1, sizeof(co->co_series[0]));
	/* The first question first: a measurement may be cut short. */
	for (size_t i = 0; i < co->co_nthreads; i++) {
		if (co->co_virtual != NULL) {
			add_series(co, co->co_threads[i], co->co_cpus[i], true);
			continue;
		}
		add_series(co, co->co_threads[i], 0, true);
		add_series(co, co->co_threads[i], 0, false);
	}
	if (co->co_virtual == NULL)
		add_series(co, 1, 0, false);
	co->co_runs = bench_calloc(
	    co->co_nseries * nd * co->co_repeats, sizeof(co->co_runs[0]));
	co->co_headers = bench_calloc(nd, sizeof(co->co_headers[0]));
	co->co_samples =
	    bench_calloc(nd * co->co_repeats, sizeof(co->co_samples[0]));
	co->co_nsamples = bench_calloc(nd, sizeof(co->co_nsamples[0]));
}

void
compare_free(struct compare *co)
{
	size_t n = co->co_nseries * co->co_ndesigns * co->co_repeats;

	for (size_t i = 0; co->co_runs != NULL && i < n; i++) {
		if (co->co_runs[i].ru_done)
			workload_result_free(&co->co_runs[i].ru_wr);
	}
	free(co->co_runs);
	free(co->co_series);
	free(co->co_headers);
	free(co->co_samples);
	free(co->co_nsamples);
	free(co->co_vresults);
	free(co->co_designs);
	free(co->co_sets);
	free(co->co_threads);
	free(co->co_cpus);
	free(co->co_host);
	memmap_free(co->co_mm);
}

struct stats
compare_stats(const struct compare *co, const struct series *series,
    size_t design,
    double (*fn)(const struct workload_result *wr, const void *arg),
    const void *arg)
{
	double *v = bench_calloc(co->co_repeats, sizeof(v[0]));
	struct stats s;
	size_t n = 0;

	for (unsigned r = 0; series != NULL && r < co->co_repeats; r++) {
		const struct run *ru =
		    compare_at(co, (size_t)(series - co->co_series), design, r);

		if (ru->ru_counts)
			v[n++] = fn(&ru->ru_wr, arg);
	}
	s = stats_of(v, n);
	free(v);
	return (s);
}

double
compare_switches(
    const struct compare *co, const struct series *series, size_t design)
{
	double *v = bench_calloc(co->co_repeats, sizeof(v[0])), median;
	size_t n = 0;

	for (unsigned r = 0; series != NULL && r < co->co_repeats; r++) {
		const struct run *ru =
		    compare_at(co, (size_t)(series - co->co_series), design, r);

		if (ru->ru_counts)
			v[n++] = (double)ru->ru_switches * 1e9 /
			    (double)(co->co_wc.wc_warmup_ns +
				ru->ru_wr.wr_elapsed_ns) /
			    series->se_threads;
	}
	median = n > 0 ? stats_of(v, n).s_median : -1;
	free(v);
	return (median);
}

/* Involuntary context switches of this process so far. */
static uint64_t
switches(void)
{
	struct rusage ru;

	if (getrusage(RUSAGE_SELF, &ru) != 0)
		return (0);
	return ((uint64_t)ru.ru_nivcsw);
}

unsigned
compare_max_threads(const struct compare *co)
{
	unsigned max = 1;

	for (size_t i = 0; i < co->co_nthreads; i++) {
		if (co->co_threads[i] > max)
			max = co->co_threads[i];
	}
	return (max);
}

static int
make_machine(struct compare *co, size_t design, unsigned ncpus, bool profile,
    struct machine **mp)
{
	const struct machine_config mc = {
		.mc_map = co->co_mm,
		.mc_design = co->co_designs[design],
		.mc_ncpus = ncpus,
		.mc_profile = profile,
	};
	char err[256] = "";
	int error;

	error = machine_create(&mc, mp, err, sizeof(err));
	if (error == 0)
		return (0);
	warnx("%s: machine with %s: %s", co->co_mm->mm_name, mc.mc_design,
	    err[0] != '\0' ? err : strerror(error));
	return (bench_exit_status(error));
}

static int
end_machine(struct compare *co, size_t design, struct machine *m)
{
	uint64_t leaked = machine_destroy(m, stderr);

	if (leaked == 0)
		return (0);
	warnx("%s: the machine leaked %ju bytes", co->co_designs[design],
	    (uintmax_t)leaked);
	return (EX_SOFTWARE);
}

/* What the headers take, by the layout's arithmetic and by the arenas. */
static int
measure_headers(struct compare *co, size_t design)
{
	struct headers *h = &co->co_headers[design];
	struct machine *m;
	json_t *o;
	int error;

	error = make_machine(co, design, compare_max_threads(co), false, &m);
	if (error != 0)
		return (error);
	machine_pv_header_report(m, &h->h_report);
	h->h_allocated = machine_pv_header_allocated(m);
	o = json_pack(
	    "{s:s, s:s}", "type", "headers", "design", co->co_designs[design]);
	(void)json_object_update_new(
	    o, record_headers(&h->h_report, h->h_allocated));
	record_write(co->co_record, o);
	return (end_machine(co, design, m));
}

static void
record_one(struct compare *co, const struct series *se, size_t design,
    unsigned repeat, uint64_t seed, const struct run *ru)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:b, s:i, s:b}",
	    "type", "run", "kind", "real", "design", co->co_designs[design],
	    "column", (int)design, "workload", co->co_wc.wc_name, "threads",
	    (int)se->se_threads, "profile", (int)se->se_profile, "repeat",
	    (int)repeat, "counts", (int)ru->ru_counts);

	record_set_u64(o, "seed", seed);
	record_set_u64(o, "involuntary_switches", ru->ru_switches);
	(void)json_object_update_new(o, record_run(&ru->ru_wr));
	record_write(co->co_record, o);
}

/*
 * One run.  A run that was interrupted late is as good as the others: what is
 * reported is per second.  One that had less than half of its time is not.
 */
static int
measure_run(struct compare *co, size_t series, size_t design, unsigned repeat)
{
	const struct series *se = &co->co_series[series];
	struct run *ru = compare_at(co, series, design, repeat);
	struct workload_config wc = co->co_wc;
	char err[256] = "";
	struct machine *m;
	int error;

	error = make_machine(co, design, se->se_threads, se->se_profile, &m);
	if (error != 0)
		return (error);
	wc.wc_threads = se->se_threads;
	wc.wc_seed += repeat;
	/* Somebody must be left for the daemons to work against. */
	if (wc.wc_params.wp_daemons >= se->se_threads)
		wc.wc_params.wp_daemons = se->se_threads - 1;
	ru->ru_switches = switches();
	error = workload_run(m, &wc, &ru->ru_wr, err, sizeof(err));
	ru->ru_switches = switches() - ru->ru_switches;
	if (error != 0) {
		warnx("%s: %s", co->co_designs[design],
		    err[0] != '\0' ? err : strerror(error));
		(void)machine_destroy(m, NULL);
		return (error == EINVAL ? EX_USAGE : bench_exit_status(error));
	}
	ru->ru_done = true;
	if (ru->ru_wr.wr_stopped && ru->ru_wr.wr_void[0] == '\0')
		ru->ru_counts = ru->ru_wr.wr_elapsed_ns >= wc.wc_measure_ns / 2;
	else
		ru->ru_counts = ru->ru_wr.wr_void[0] == '\0';
	/* Being cut short is not the machine's fault. */
	if (!ru->ru_counts && !ru->ru_wr.wr_stopped)
		co->co_nvoid++;
	record_one(co, se, design, repeat, wc.wc_seed, ru);
	return (end_machine(co, design, m));
}

static int
measure_micro(struct compare *co, size_t design, unsigned repeat)
{
	struct micro_sample *ms =
	    &co->co_samples[design * co->co_repeats + co->co_nsamples[design]];
	char err[256] = "";
	int error;

	error = micro_run(
	    &co->co_micro, co->co_designs[design], ms, err, sizeof(err));
	if (error == EINTR)
		return (0);
	if (error != 0) {
		warnx("%s: %s", co->co_designs[design],
		    err[0] != '\0' ? err : strerror(error));
		return (bench_exit_status(error));
	}
	co->co_nsamples[design]++;
	record_write(co->co_record,
	    record_micro(&co->co_micro, co->co_designs[design],
		(unsigned)design, repeat, ms));
	return (0);
}

static int
measure_repeat(struct compare *co, struct progress *pr, unsigned repeat)
{
	size_t nd = co->co_ndesigns;
	uint64_t run_ns =
	    co->co_wc.wc_warmup_ns + co->co_wc.wc_measure_ns + RUN_OVERHEAD_NS;
	char what[160];
	int error = 0;

	for (size_t s = 0; s < co->co_nseries && error == 0; s++) {
		const struct series *se = &co->co_series[s];

		for (size_t i = 0; i < nd && error == 0; i++) {
			size_t d = (i + repeat) % nd;

			if (bench_stopped())
				return (0);
			(void)snprintf(what, sizeof(what),
			    "repeat %u/%u: %s, %u thread%s%s", repeat + 1,
			    co->co_repeats, co->co_designs[d], se->se_threads,
			    se->se_threads == 1 ? "" : "s",
			    se->se_profile ? ", profile" : "");
			progress_step(pr, what);
			error = measure_run(co, s, d, repeat);
			progress_done(pr, run_ns);
		}
	}
	progress_step(pr, "single operations");
	for (size_t i = 0; i < nd && error == 0; i++) {
		if (bench_stopped())
			return (0);
		error = measure_micro(co, (i + repeat) % nd, repeat);
		progress_done(pr, co->co_micro.mc_sample_ns * NMICRO_OPS * 3);
	}
	return (error);
}

static uint64_t
total_work(const struct compare *co)
{
	uint64_t run_ns =
	    co->co_wc.wc_warmup_ns + co->co_wc.wc_measure_ns + RUN_OVERHEAD_NS;

	return (co->co_repeats * co->co_ndesigns *
	    (co->co_nseries * run_ns +
		co->co_micro.mc_sample_ns * NMICRO_OPS * 3));
}

int
compare_measure(struct compare *co)
{
	uint64_t work = total_work(co);
	struct progress pr;
	char what[120];
	int error = 0;

	progress_begin(&pr, work);
	progress_stage(&pr, "pv headers on this memory map");
	for (size_t d = 0; d < co->co_ndesigns && error == 0; d++)
		error = measure_headers(co, d);

	if (error == 0 && !bench_stopped()) {
		progress_stage(&pr, "the host's own kernel");
		error = hostvm_measure(co->co_micro.mc_hostcpu, &co->co_hostvm);
		co->co_has_hostvm = error == 0;
		if (error == 0) {
			json_t *o = json_pack("{s:s}", "type", "hostvm");

			(void)json_object_update_new(
			    o, record_hostvm(&co->co_hostvm));
			record_write(co->co_record, o);
		}
		/* It is only context. */
		error = 0;
	}
	(void)snprintf(what, sizeof(what), "%zu runs, about %u s",
	    co->co_nseries * co->co_ndesigns * co->co_repeats,
	    (unsigned)(work / 1000000000 + 1));
	if (error == 0)
		progress_stage(&pr, what);
	for (unsigned r = 0; r < co->co_repeats && error == 0; r++)
		error = measure_repeat(co, &pr, r);
	progress_end(&pr);
	co->co_interrupted = bench_stopped();
	return (error);
}
