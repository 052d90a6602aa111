/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * L5: what others have measured on a host of the class of clx-2s-104.
 *
 * Published: Linux's kernel test robot, two sockets of Skylake, 104 CPUs, 192 GB;
 * will-it-scale's page_fault2, millions of faults a second.  The kernel is another
 * one and a fault does more there than what is modelled, so numbers are shown, and
 * only their order is judged: processes scale to the cores, threads of one address
 * space do not, and many of them do worse than a few.
 */
#include <stdlib.h>

#include "bench.h"
#include "presets.h"
#include "valid.h"

#define PAGES 512 /* that are mapped and unmapped at a time */

static const struct anchor {
	const char *a_name;
	enum probe_kind a_kind;
	unsigned a_threads;
	double a_low; /* published */
	double a_high;
} anchors[] = {
	{ "104 processes", PROBE_PROCESSES, 104, 8.4, 9.5 },
	{ "52 processes", PROBE_PROCESSES, 52, 8.6, 9.7 },
	{ "16 threads", PROBE_THREADS, 16, 3.86, 4.30 },
	{ "104 threads", PROBE_THREADS, 104, 2.8, 3.4 },
};

/* The first does more than the second; not where that lies within the ranges. */
static const unsigned orders[][2] = { { 1, 2 }, { 2, 3 }, { 0, 3 } };

static double
published(const struct anchor *a)
{
	return ((a->a_low + a->a_high) / 2);
}

static int
predict(const struct anchor *a, const struct preset *p, double *perns)
{
	struct valid_found *vf = bench_calloc(1, sizeof(*vf));
	struct valid_job *vj = bench_calloc(1, sizeof(*vj));
	int error;

	valid_job_begin(vj, a->a_kind, a->a_threads);
	/* All CPUs are there, and the first ones are cores of both sockets. */
	vj->vj_ncpus = (unsigned)preset_ncpus(p);
	for (unsigned i = 0; i < a->a_threads; i++) {
		unsigned in_socket = vj->vj_ncpus / (unsigned)p->pr_sockets;

		vj->vj_cpus[i] = i / 2 + i % 2 * in_socket;
	}
	vj->vj_pages = PAGES;
	vj->vj_ops = PAGES;
	vj->vj_samples = 2;
	error = valid_predict(vj, p, vf);
	*perns = 1 / vf->vf_median;
	free(vf);
	free(vj);
	return (error);
}

int
valid_l5(struct valid *v)
{
	double rate[nitems(anchors)], model, then;
	struct valid_row *vw;
	struct preset p;
	int error;

	error = presets_open("clx-2s-104", &p);
	for (size_t i = 0; i < nitems(anchors) && error == 0; i++) {
		const struct anchor *a = &anchors[i];

		error = predict(a, &p, &rate[i]);
		if (error != 0)
			break;
		/* An operation in a nanosecond is 1000 millions in a second. */
		vw = valid_row(v, "L5", "M/s", 1000 * rate[i], published(a), -1,
		    "page faults, %s (published)", a->a_name);
		vw->vw_low = a->a_low;
		vw->vw_high = a->a_high;
	}
	for (size_t i = 0; i < nitems(orders) && error == 0; i++) {
		const struct anchor *a = &anchors[orders[i][0]];
		const struct anchor *b = &anchors[orders[i][1]];

		model = rate[orders[i][0]] / rate[orders[i][1]];
		then = published(a) / published(b);
		vw = valid_row(v, "L5", "x", model, then, -1, "%s against %s",
		    a->a_name, b->a_name);
		vw->vw_verdict = valid_order(model, then);
	}
	return (error);
}
