/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line that two CPUs want all the time: what it takes then says how long its
 * owner goes on with it, and how long a reader keeps it.
 *
 * Two threads that add to a line need c ns for an addition.  A line that takes l ns
 * from CPU to CPU, and in part h of that is still the owner's, who adds every r ns,
 * serves h * l / r additions, and the one it came for, in l: hence h.  With one
 * that adds and one that reads, the same number is served in l and what the reader
 * takes.
 *
 * The three are measured in turn, many times, since a virtual machine's CPUs
 * change their distance.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "calib.h"
#include "valid.h"

#define TURNS   25
#define SAMPLES 41
/* More would be a line that never leaves. */
#define HOLD_MAX 0.9

/* The median of one experiment on the first two CPUs, or not a number. */
static double
measure(const struct calib *c, enum probe_kind kind, uint64_t ops)
{
	struct valid_found *vf = bench_calloc(1, sizeof(*vf));
	struct valid_job *vj = bench_calloc(1, sizeof(*vj));
	double ns = NAN;

	vj->vj_kind = kind;
	vj->vj_threads = vj->vj_ncpus = 2;
	vj->vj_samples = SAMPLES;
	vj->vj_ops = ops;
	for (unsigned i = 0; i < 2; i++) {
		vj->vj_cpus[i] = i;
		vj->vj_hostcpus[i] = c->c_cpus[i];
	}
	if (valid_run(vj, NULL, vf) == 0 && vf->vf_n > 0)
		ns = vf->vf_median;
	free(vf);
	free(vj);
	return (ns);
}

void
calib_share(struct calib *c)
{
	size_t n = calib_count(c, TURNS), got = 0;
	double *hold = bench_calloc(n, sizeof(hold[0]));
	double *read = bench_calloc(n, sizeof(read[0]));
	double rmw = (double)c->c_preset.pr_rmw_ps / 1000;
	char source[PRESET_SOURCE_MAX];
	struct calib_stat h, r;

	for (; c->c_ncpus > 1 && got < n && !bench_stopped(); got++) {
		double line = measure(c, PROBE_PINGPONG, 400);
		double add = measure(c, PROBE_COUNTER, 1000);
		double beside = measure(c, PROBE_READERS, 1000);

		hold[got] = (line / add - 1) * rmw / line;
		hold[got] = fmin(fmax(hold[got], 0), HOLD_MAX);
		read[got] = beside * (hold[got] * line / rmw + 1) / line - 1;
		if (!isfinite(hold[got]) || !isfinite(read[got]))
			break;
	}
	h = calib_stat_of(hold, got);
	r = calib_stat_of(read, got);
	free(hold);
	free(read);
	if (got == 0) {
		calib_from_base(
		    c, PRESET_pr_line_hold_permille, "not measured");
		calib_from_base(c, PRESET_pr_occupancy_read_ps, "not measured");
		return;
	}
	(void)snprintf(source, sizeof(source),
	    "measured, two threads that add to a line, %.2f-%.2f", h.cs_low,
	    h.cs_high);
	calib_known(c, PRESET_pr_line_hold_permille,
	    (uint64_t)(h.cs_median * 1000 + 0.5), source);
	(void)snprintf(source, sizeof(source),
	    "measured, one adds and one reads, %.2f-%.2f of the transfer",
	    r.cs_low, r.cs_high);
	if (r.cs_median > 0.5)
		/* As long as it takes: so it is right for each distance. */
		calib_known(c, PRESET_pr_occupancy_read_ps, 0, source);
	else
		calib_known(c, PRESET_pr_occupancy_read_ps,
		    (uint64_t)(fmax(0.01, r.cs_median) *
			(double)c->c_preset.pr_line_cluster_ps),
		    source);
}
