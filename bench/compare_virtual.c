/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare on a modelled host.
 *
 * One task for each number of CPUs, design and seed, in this order: so a sweep
 * that is interrupted has its first tables whole.
 */
#include "compare_virtual.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "opt.h"
#include "pmapsim/build.h"
#include "presets.h"
#include "progress.h"

static int
read_numbers(const char *option, const char *text, unsigned **listp, size_t *np)
{
	char **list;
	uint64_t v;
	size_t n;

	if (opt_list(text, &list, &n) != 0) {
		warnx("--%s: \"%s\": expected numbers between commas", option,
		    text);
		return (EX_USAGE);
	}
	*listp = bench_calloc(n, sizeof((*listp)[0]));
	*np = n;
	for (size_t i = 0; i < n; i++) {
		if (opt_number(list[i], 1, MACHINE_CPU_MAX, &v) != 0) {
			warnx("--%s: \"%s\": expected a number from 1 to %u",
			    option, list[i], MACHINE_CPU_MAX);
			free(list);
			return (EX_USAGE);
		}
		(*listp)[i] = (unsigned)v;
	}
	free(list);
	return (0);
}

/* A list of one is as long as another list. */
static void
stretch(unsigned **listp, size_t *np, size_t n)
{
	if (*np != 1)
		return;
	*listp = bench_reallocarray(*listp, n, sizeof((*listp)[0]));
	for (size_t i = 1; i < n; i++)
		(*listp)[i] = (*listp)[0];
	*np = n;
}

static int
check_distinct(const struct compare *co)
{
	for (size_t i = 0; i < co->co_nthreads; i++) {
		for (size_t k = 0; k < i; k++) {
			if (co->co_threads[i] != co->co_threads[k])
				continue;
			warnx("--threads, --cpus: expected a number of threads "
			      "once, not %u twice",
			    co->co_threads[i]);
			return (EX_USAGE);
		}
	}
	return (0);
}

static int
read_cpus(struct compare *co)
{
	size_t ncpus = 1;
	int error = 0;

	if (co->co_cpus_text != NULL) {
		error = read_numbers(
		    "cpus", co->co_cpus_text, &co->co_cpus, &ncpus);
	} else {
		co->co_cpus = bench_calloc(1, sizeof(co->co_cpus[0]));
		co->co_cpus[0] = (unsigned)preset_ncpus(co->co_host);
		if (co->co_cpus[0] > MACHINE_CPU_MAX)
			co->co_cpus[0] = MACHINE_CPU_MAX;
	}
	if (error == 0 && co->co_threads_text != NULL) {
		error = read_numbers("threads", co->co_threads_text,
		    &co->co_threads, &co->co_nthreads);
	} else if (error == 0) {
		co->co_nthreads = ncpus;
		co->co_threads = bench_calloc(ncpus, sizeof(co->co_cpus[0]));
		memcpy(co->co_threads, co->co_cpus,
		    ncpus * sizeof(co->co_cpus[0]));
	}
	if (error != 0)
		return (error);
	stretch(&co->co_cpus, &ncpus, co->co_nthreads);
	stretch(&co->co_threads, &co->co_nthreads, ncpus);
	if (ncpus != co->co_nthreads) {
		warnx("--threads, --cpus: expected lists of one length, or one "
		      "number; there are %zu and %zu",
		    co->co_nthreads, ncpus);
		return (EX_USAGE);
	}
	return (check_distinct(co));
}

int
compare_virtual_configure(struct compare *co)
{
	int error;

	co->co_host = bench_calloc(1, sizeof(*co->co_host));
	error = presets_open(co->co_virtual, co->co_host);
	if (error == 0)
		error = presets_set(co->co_host, "--set", co->co_set);
	if (error == 0)
		error = read_cpus(co);
	if (error == 0)
		error = compare_plot_check(co);
	if (co->co_jobs == 0)
		co->co_jobs = host_ncpus();
	return (error);
}

static struct virtual_task *
make_tasks(struct compare *co, size_t *np)
{
	struct virtual_task *tasks, *vt;

	*np = co->co_nseries * co->co_ndesigns * co->co_repeats;
	tasks = bench_calloc(*np, sizeof(tasks[0]));
	vt = tasks;
	for (size_t s = 0; s < co->co_nseries; s++) {
		for (size_t d = 0; d < co->co_ndesigns; d++) {
			for (unsigned r = 0; r < co->co_repeats; r++, vt++) {
				struct workload_config *wc = &vt->vt_wc;

				vt->vt_map = co->co_mm;
				vt->vt_design = co->co_designs[d];
				vt->vt_preset = co->co_host;
				vt->vt_cpus = co->co_series[s].se_cpus;
				*wc = co->co_wc;
				wc->wc_threads = co->co_series[s].se_threads;
				wc->wc_seed += r;
				wc->wc_stop = NULL;
				if (wc->wc_params.wp_daemons >= wc->wc_threads)
					wc->wc_params.wp_daemons =
					    wc->wc_threads - 1;
			}
		}
	}
	return (tasks);
}

struct measure {
	struct compare *me_co;
	const struct virtual_task *me_tasks;
	size_t me_ntasks;
	struct progress me_progress;
	double me_host_s;
	uint64_t me_accesses;
};

static void
say_step(struct measure *me, size_t next)
{
	const struct virtual_task *vt = &me->me_tasks[next];
	char what[120];

	if (next == me->me_ntasks)
		return;
	(void)snprintf(what, sizeof(what), "run %zu/%zu: %s, %u CPUs, seed %ju",
	    next + 1, me->me_ntasks, vt->vt_design, vt->vt_cpus,
	    (uintmax_t)vt->vt_wc.wc_seed);
	progress_step(&me->me_progress, what);
}

static void
take_headers(struct compare *co, size_t d, const struct virtual_result *vr)
{
	struct headers *h = &co->co_headers[d];
	json_t *o;

	if (h->h_report.phr_headers != 0)
		return;
	h->h_report = vr->vr_headers;
	h->h_allocated = vr->vr_headers_allocated;
	o = json_pack(
	    "{s:s, s:s}", "type", "headers", "design", co->co_designs[d]);
	(void)json_object_update_new(
	    o, record_headers(&h->h_report, h->h_allocated));
	record_write(co->co_record, o);
}

static int
on_done(void *arg, size_t i, const struct virtual_result *vr)
{
	struct measure *me = arg;
	struct compare *co = me->me_co;
	const struct virtual_task *vt = &me->me_tasks[i];
	struct run *ru = &co->co_runs[i];
	size_t d = i / co->co_repeats % co->co_ndesigns;
	json_t *o;

	co->co_vresults[i] = *vr;
	ru->ru_wr = vr->vr_wr;
	ru->ru_done = true;
	ru->ru_counts = vr->vr_wr.wr_void[0] == '\0';
	if (!ru->ru_counts)
		co->co_nvoid++;
	me->me_host_s += vr->vr_host_s;
	me->me_accesses += vr->vr_accesses;
	take_headers(co, d, vr);
	o = json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:i, s:b, s:i, s:b}",
	    "type", "run", "kind", "virtual", "design", vt->vt_design, "column",
	    (int)d, "workload", vt->vt_wc.wc_name, "cpus", (int)vt->vt_cpus,
	    "threads", (int)vt->vt_wc.wc_threads, "profile", 1, "repeat",
	    (int)(i % co->co_repeats), "counts", (int)ru->ru_counts);
	record_set_u64(o, "seed", vt->vt_wc.wc_seed);
	(void)json_object_update_new(o, record_run(&vr->vr_wr));
	(void)json_object_update_new(o, virtual_record(vr));
	record_write(co->co_record, o);
	progress_done(&me->me_progress, 1);
	say_step(me, i + 1);
	return (record_failed(co->co_record) ? EX_IOERR : 0);
}

/* How fast the model was: of this host, so no part of the results. */
static void
say_speed(const struct measure *me)
{
	if (me->me_host_s > 0)
		(void)fprintf(stderr,
		    "pmapsim: %.1f s of CPU time for %.1f million accesses, "
		    "%.1f million a second\n",
		    me->me_host_s, (double)me->me_accesses / 1e6,
		    (double)me->me_accesses / 1e6 / me->me_host_s);
}

static int
measure(struct compare *co)
{
	struct measure me = { .me_co = co };
	struct virtual_task *tasks = make_tasks(co, &me.me_ntasks);
	char what[120];
	int error;

	me.me_tasks = tasks;
	co->co_vresults =
	    bench_calloc(me.me_ntasks, sizeof(co->co_vresults[0]));
	(void)snprintf(what, sizeof(what),
	    "%zu runs of %g virtual ms, %u at a "
	    "time",
	    me.me_ntasks,
	    (double)(co->co_wc.wc_warmup_ns + co->co_wc.wc_measure_ns) / 1e6,
	    co->co_jobs);
	progress_begin(&me.me_progress, me.me_ntasks);
	progress_stage(&me.me_progress, what);
	say_step(&me, 0);
	error =
	    virtual_jobs_run(tasks, me.me_ntasks, co->co_jobs, on_done, &me);
	progress_end(&me.me_progress);
	if (error == 0)
		say_speed(&me);
	co->co_interrupted = bench_stopped();
	free(tasks);
	return (error);
}

static void
print_head(const struct compare *co)
{
	const struct preset *pr = co->co_host;
	FILE *out = co->co_out;

	(void)fprintf(out, "pmapsim  %s\n", pmapsim_version());
	(void)fprintf(
	    out, "host     modelled, %s: %s\n", pr->pr_name, pr->pr_title);
	(void)fprintf(out,
	    "         %ju CPUs: %ju socket%s of %ju x %ju cores, %ju "
	    "thread%s a core\n",
	    (uintmax_t)preset_ncpus(pr), (uintmax_t)pr->pr_sockets,
	    pr->pr_sockets == 1 ? "" : "s", (uintmax_t)pr->pr_clusters,
	    (uintmax_t)pr->pr_cores, (uintmax_t)pr->pr_smt,
	    pr->pr_smt == 1 ? "" : "s");
	if (co->co_set != NULL)
		(void)fprintf(out, "         with %s\n", co->co_set);
	compare_print_map(co);
	(void)fprintf(out,
	    "runs     %s, %u of %g virtual ms each after %g of warm-up, seeds "
	    "from %ju\n",
	    co->co_wc.wc_name, co->co_repeats,
	    (double)co->co_wc.wc_measure_ns / 1e6,
	    (double)co->co_wc.wc_warmup_ns / 1e6, (uintmax_t)co->co_wc.wc_seed);
	compare_print_params(co);
	compare_print_command(co);
	(void)fprintf(out,
	    "NOTE     virtual time: designs compare by order and ratio; no "
	    "absolute time is promised\n");
}

static void
print_tables(struct compare *co)
{
	for (size_t i = 0; i < co->co_nthreads; i++) {
		const struct series *se =
		    compare_find_series(co, co->co_threads[i], true);

		compare_print_locks(co, co->co_threads[i]);
		if (co->co_locks)
			compare_print_sites(co, co->co_threads[i]);
		compare_print_summary(co, co->co_threads[i]);
		compare_print_stacks(co, se);
		compare_print_waiting(co, se);
		compare_print_handoffs(co, se);
		compare_print_kinds(co, se);
		compare_print_lines(co, se);
	}
	compare_print_headers(co);
	compare_print_voids(co);
}

int
compare_virtual(struct compare *co)
{
	json_t *host = json_object();
	int error;

	record_set_string(host, "version", pmapsim_version());
	(void)json_object_set_new(
	    host, "host", virtual_record_preset(co->co_host));
	compare_record_header(co, "virtual", host);
	if (record_failed(co->co_record))
		return (EX_IOERR);
	print_head(co);
	(void)fflush(co->co_out);
	compare_plan(co);
	error = measure(co);
	if (error == 0 || error == EX_INTERRUPTED)
		print_tables(co);
	if (error == 0 && co->co_plot != NULL)
		error = compare_plot(co);
	return (compare_end(co, error));
}
