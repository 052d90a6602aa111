/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rungs L0 to L3: see valid.h.
 *
 * On a virtual machine the distance of two CPUs changes from one minute to the
 * next.  So before and after each experiment with several threads their CPUs play
 * ping-pong, and the model of that experiment has one cluster in which a line
 * takes the mean of it: a poor model where pairs differ much, as the table then
 * says.  The rest of the preset stays as it is.
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "calib.h"
#include "presets.h"
#include "valid.h"

/* Exactly: the rest is the clock, which has whole nanoseconds. */
#define BOUND_EXACT 1e-4
#define BOUND_HOST  0.25
#define BOUND_QUEUE 0.10

#define THREADS_MAX 8 /* of an experiment on the host */
#define TRIES       4 /* of one that is disturbed */
#define CHANGED     1.2

struct valid_row *
valid_row(struct valid *v, const char *rung, const char *unit, double predicted,
    double measured, double bound, const char *fmt, ...)
{
	struct valid_row *vw;
	va_list ap;

	v->v_rows =
	    bench_reallocarray(v->v_rows, v->v_nrows + 1, sizeof(v->v_rows[0]));
	vw = &v->v_rows[v->v_nrows++];
	*vw = (struct valid_row){
		.vw_rung = rung,
		.vw_unit = unit,
		.vw_predicted = predicted,
		.vw_measured = measured,
		.vw_bound = bound,
		.vw_error = predicted / measured - 1,
		.vw_verdict = VALID_NO_BOUND,
	};
	va_start(ap, fmt);
	(void)vsnprintf(vw->vw_what, sizeof(vw->vw_what), fmt, ap);
	va_end(ap);
	if (bound >= 0) {
		/* Not a number is no number within a bound. */
		vw->vw_verdict =
		    fabs(vw->vw_error) <= bound ? VALID_HOLDS : VALID_MISSED;
		v->v_missed += vw->vw_verdict == VALID_MISSED;
	}
	return (vw);
}

static unsigned
count(const struct valid *v, unsigned n)
{
	unsigned m = (unsigned)((double)n * v->v_effort);

	return (m < 5 ? 5 : m);
}

void
valid_job_begin(struct valid_job *vj, enum probe_kind kind, unsigned threads)
{
	memset(vj, 0, sizeof(*vj));
	vj->vj_kind = kind;
	vj->vj_threads = threads;
	vj->vj_ncpus = threads;
	vj->vj_seed = 1;
	for (unsigned i = 0; i < threads; i++) {
		vj->vj_cpus[i] = i;
		vj->vj_hostcpus[i] = -1;
	}
}

enum valid_verdict
valid_order(double model, double published)
{
	if (fabs(model - 1) < 0.05)
		return (VALID_NO_ORDER);
	return (
	    (model > 1) == (published > 1) ? VALID_ORDER : VALID_OTHER_ORDER);
}

/*
 * L0.  The pairs of CPUs of each kind that a host has.
 */

static int
l0_pair(struct valid *v, const struct preset *p, unsigned other, uint64_t ps,
    const char *kind)
{
	struct valid_found vf;
	struct valid_job vj;
	int error;

	valid_job_begin(&vj, PROBE_PINGPONG, 2);
	vj.vj_cpus[1] = other;
	vj.vj_ncpus = (unsigned)preset_ncpus(p);
	vj.vj_samples = 3;
	vj.vj_ops = 8000;
	error = valid_predict(&vj, p, &vf);
	if (error == 0)
		(void)valid_row(v, "L0", "ns", vf.vf_median, (double)ps / 1000,
		    BOUND_EXACT, "line, %s, %s", kind, p->pr_name);
	return (error);
}

static int
l0_preset(struct valid *v, const struct preset *p)
{
	unsigned in_socket = (unsigned)(p->pr_clusters * p->pr_cores);
	int error = 0;

	if (p->pr_smt > 1)
		error = l0_pair(v, p, in_socket, p->pr_line_smt_ps,
		    calib_distance_names[CALIB_SMT]);
	if (error == 0 && p->pr_cores > 1)
		error = l0_pair(v, p, 1, p->pr_line_cluster_ps,
		    calib_distance_names[CALIB_CLUSTER]);
	if (error == 0 && p->pr_clusters > 1)
		error = l0_pair(v, p, (unsigned)p->pr_cores,
		    p->pr_line_socket_ps, calib_distance_names[CALIB_SOCKET]);
	if (error == 0 && p->pr_sockets > 1)
		error = l0_pair(v, p, (unsigned)(in_socket * p->pr_smt),
		    p->pr_line_remote_ps, calib_distance_names[CALIB_REMOTE]);
	return (error);
}

int
valid_l0(struct valid *v)
{
	static const char *const bundled[] = { "clx-2s-104", "milan-2s-256" };
	struct preset p;
	int error = l0_preset(v, &v->v_preset);

	for (size_t i = 0; error == 0 && i < nitems(bundled); i++) {
		error = presets_open(bundled[i], &p);
		if (error == 0)
			error = l0_preset(v, &p);
	}
	return (error);
}

/*
 * L1 and L2: the same on the host and on its model.
 */

/* Nanoseconds one way, over the pairs of some CPUs. */
struct distance {
	double d_mean, d_min, d_max;
};

/* Of the first n host CPUs. */
static int
distance(struct valid *v, unsigned n, struct distance *d)
{
	struct valid_found vf;
	struct valid_job vj;
	double sum = 0;
	unsigned pairs = 0;
	int error = 0;

	*d = (struct distance){ 0, INFINITY, 0 };
	for (unsigned i = 0; i < n && error == 0; i++) {
		for (unsigned j = i + 1; j < n && error == 0; j++) {
			valid_job_begin(&vj, PROBE_PINGPONG, 2);
			vj.vj_hostcpus[0] = v->v_hostcpus[i];
			vj.vj_hostcpus[1] = v->v_hostcpus[j];
			vj.vj_samples = count(v, 101);
			vj.vj_ops = 400;
			error = valid_run(&vj, NULL, &vf);
			sum += vf.vf_median;
			d->d_min = fmin(d->d_min, vf.vf_median);
			d->d_max = fmax(d->d_max, vf.vf_median);
			pairs++;
		}
	}
	d->d_mean = pairs > 0 ? sum / pairs : 0;
	return (error);
}

/* The host's preset with a distance that was just measured. */
static void
at_distance(const struct valid *v, double ns, struct preset *p)
{
	*p = v->v_preset;
	if (ns <= 0)
		return;
	p->pr_cores *= p->pr_clusters * p->pr_sockets * p->pr_smt;
	p->pr_clusters = p->pr_sockets = p->pr_smt = 1;
	p->pr_line_cluster_ps = (uint64_t)(ns * 1000 + 0.5);
	p->pr_line_socket_ps = p->pr_line_cluster_ps;
	if (p->pr_line_smt_ps > p->pr_line_cluster_ps)
		p->pr_line_smt_ps = p->pr_line_cluster_ps;
	if (p->pr_line_remote_ps < p->pr_line_socket_ps)
		p->pr_line_remote_ps = p->pr_line_socket_ps;
}

/*
 * The experiment on the host, at a distance that is the same before and after it;
 * that of the last try where it never is.
 */
static int
on_host(struct valid *v, const struct valid_job *vj, struct valid_found *found,
    struct distance *d, bool *changedp)
{
	struct distance before;
	int error = 0;

	for (unsigned try = 0; try < TRIES && error == 0; try++) {
		error = distance(v, vj->vj_threads, &before);
		if (error == 0)
			error = valid_run(vj, NULL, found);
		if (error == 0)
			error = distance(v, vj->vj_threads, d);
		if (error != 0)
			break;
		*changedp = fmax(before.d_mean, d->d_mean) >
			CHANGED * fmin(before.d_mean, d->d_mean) ||
		    found->vf_high > CHANGED * CHANGED * found->vf_low;
		if (!*changedp)
			break;
	}
	return (error);
}

static int
both(struct valid *v, const char *rung, enum probe_kind kind, unsigned threads,
    uint64_t ops, unsigned samples, const char *what)
{
	struct valid_found found, predicted;
	struct valid_row *vw;
	struct valid_job vj;
	struct preset p;
	bool changed = false;
	struct distance d;
	char line[40];
	int error;

	valid_job_begin(&vj, kind, threads);
	for (unsigned i = 0; i < threads; i++)
		vj.vj_hostcpus[i] = v->v_hostcpus[i];
	vj.vj_ops = ops;
	vj.vj_samples = count(v, samples);
	error = on_host(v, &vj, &found, &d, &changed);
	if (error != 0)
		return (error);
	at_distance(v, d.d_mean, &p);
	vj.vj_samples = 9;
	error = valid_predict(&vj, &p, &predicted);
	if (error != 0)
		return (error);
	/* One distance, or the mean of some that are not alike. */
	if (d.d_max > CHANGED * d.d_min)
		(void)snprintf(line, sizeof(line), "line %.0f, %.0f to %.0f",
		    d.d_mean, d.d_min, d.d_max);
	else
		(void)snprintf(line, sizeof(line), "line %.0f", d.d_mean);
	if (threads == 1)
		vw = valid_row(v, rung, "ns", predicted.vf_median,
		    found.vf_median, BOUND_HOST, "%s, 1 thread", what);
	else
		vw = valid_row(v, rung, "ns", predicted.vf_median,
		    found.vf_median, BOUND_HOST, "%s, %u threads, %s ns%s",
		    what, threads, line, changed ? " (unsteady)" : "");
	vw->vw_low = found.vf_low;
	vw->vw_high = found.vf_high;
	return (0);
}

static unsigned
threads_max(const struct valid *v)
{
	return (v->v_nhostcpus < THREADS_MAX ? v->v_nhostcpus : THREADS_MAX);
}

int
valid_l1(struct valid *v)
{
	int error = 0;

	for (unsigned n = 1; n <= threads_max(v) && error == 0; n++)
		error = both(
		    v, "L1", PROBE_COUNTER, n, 2000, 1001, "adding to a line");
	for (unsigned n = 2; n <= threads_max(v) && error == 0; n++)
		error = both(v, "L1", PROBE_READERS, n, 2000, 1001,
		    "adding to a line that others read");
	return (error);
}

/*
 * The model's lock releases are RMWs, as FreeBSD's are, and not what real mode does
 * where the host can restart a thread (sim/asym.h); so they are RMWs here.
 */
int
valid_l2(struct valid *v)
{
	int error;

	(void)setenv("PMAPSIM_RELEASE", "portable", 1);
	error = both(
	    v, "L2", PROBE_ENTER, 1, 10 * PROBE_PAGES, 301, "enter + remove");
	if (v->v_nhostcpus < 2)
		return (error);
	if (error == 0)
		error = both(v, "L2", PROBE_ENTER, 2, 10 * PROBE_PAGES, 301,
		    "enter + remove");
	if (error == 0)
		error = both(v, "L2", PROBE_SHARE, 2, 10 * PROBE_PAGES, 301,
		    "the same pages");
	return (error);
}

/*
 * L3.  Arrivals that do not depend on the lock's state come of many threads.
 *
 * Pollaczek and Khinchine: waiting, on average, takes the rate of arrivals times
 * the mean square of holds, by twice the share of time in which nobody holds.
 */

#define QUEUE_THREADS 512
#define QUEUE_LOAD    0.5

static int
queue(struct valid *v, uint64_t hold_ns, double bound)
{
	const struct probe_result *pr;
	struct valid_found *vf = bench_calloc(1, sizeof(*vf));
	double n, rate, busy, wait;
	struct valid_job vj;
	struct preset p;
	int error;

	error = presets_open("clx-2s-104", &p);
	/* Of one thread a core: siblings would make holds longer. */
	p.pr_smt = 1;
	valid_job_begin(&vj, PROBE_QUEUE, QUEUE_THREADS);
	vj.vj_samples = 1;
	vj.vj_ops = count(v, 2000);
	vj.vj_hold_ns = hold_ns;
	vj.vj_gap_ns = (uint64_t)((double)hold_ns * QUEUE_THREADS / QUEUE_LOAD);
	if (error == 0)
		error = valid_predict(&vj, &p, vf);
	pr = &vf->vf_probe;
	if (error == 0) {
		n = (double)pr->pr_count;
		rate = n / (double)pr->pr_elapsed_ns;
		busy = rate * pr->pr_hold_ns / n;
		wait = rate * pr->pr_hold2_ns / n / (2 * (1 - busy));
		(void)valid_row(v, "L3", "us", wait / 1000,
		    (double)pr->pr_wait_ns / n / 1000, bound,
		    "wait for a mutex, holds %g us, busy %.0f %%",
		    (double)hold_ns / 1000, 100 * busy);
	}
	free(vf);
	return (error);
}

int
valid_l3(struct valid *v)
{
	int error = queue(v, 1000000, BOUND_QUEUE);

	/* Here waking a sleeper is no longer small, which holds do not say. */
	if (error == 0)
		error = queue(v, 20000, -1);
	return (error);
}
