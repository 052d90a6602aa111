/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One task: a world, a machine in it, a workload on that, and what there is to
 * tell of it.
 *
 * The statistics are read, and lines get their names, while all threads stand at
 * the gate after the measured interval: what lies where is still as it was.
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "bench.h"
#include "sim/virtual/virt.h"
#include "virtual.h"
#include "virtual_lines.h"
#include "workload/workload_var.h"

#define PS_PER_NS UINT64_C(1000)

struct task_run {
	const struct virtual_task *tr_task;
	struct virtual_result *tr_result;
	int tr_error; /* errno */
};

static double
cpu_seconds(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) != 0)
		return (0);
	return ((double)ts.tv_sec + (double)ts.tv_nsec / 1e9);
}

static void
take_classes(struct virtual_result *vr)
{
	static uint64_t ps[VSTAT_CLASSES][NVT];

	vstat_stack(ps);
	vr->vr_nclasses = vstat.vs_nclasses;
	vr->vr_interval_ps = vstat.vs_interval_ps;
	for (unsigned c = 0; c < vstat.vs_nclasses; c++) {
		const struct vstat_class *vc = &vstat.vs_class[c];
		struct virtual_class *to = &vr->vr_class[c];

		(void)snprintf(to->vc_name, sizeof(to->vc_name), "%s",
		    vc->vc_name != NULL ? vc->vc_name : "");
		to->vc_waits = vc->vc_waits;
		memcpy(to->vc_ps, ps[c], sizeof(to->vc_ps));
		memcpy(
		    to->vc_handoffs, vc->vc_handoffs, sizeof(to->vc_handoffs));
		memcpy(to->vc_waited_ps, vc->vc_waited_ps,
		    sizeof(to->vc_waited_ps));
	}
}

/* With all threads at the gate. */
static void
on_hook(struct wl_run *run, enum wl_hook_when when, void *arg)
{
	struct task_run *tr = arg;
	struct sim *sim = run->wlr_machine->ma_sim;

	switch (when) {
	case WL_HOOK_BEGIN:
		vstat_reset(sim_clock_ns(sim) * PS_PER_NS,
		    run->wlr_config->wc_measure_ns * PS_PER_NS);
		break;
	case WL_HOOK_MEASURED:
		vstat_freeze();
		sim_untimed(sim, true);
		take_classes(tr->tr_result);
		tr->tr_error = virtual_lines_take(run, tr->tr_result);
		sim_untimed(sim, false);
		break;
	case WL_HOOK_BEFORE_CHECK:
	case WL_HOOK_AFTER_CHECK:
		break;
	}
}

/*
 * The measured time of a run.  Threads begin and end with whole rounds, one after
 * the other; time that some have and others have not is no part of what is
 * divided by it.  So it is the mean over the threads.
 */
static uint64_t
mean_elapsed(const struct workload_result *wr)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < wr->wr_nthreads; i++)
		sum += wr->wr_threads[i].wt_elapsed_ns;
	return (wr->wr_nthreads > 0 ? sum / wr->wr_nthreads : 0);
}

static int
run_workload(
    struct machine *m, const struct virtual_task *vt, struct virtual_result *vr)
{
	struct task_run tr = { .tr_task = vt, .tr_result = vr };
	char err[256] = "";
	int error;

	error = workload_run_hooked(
	    m, &vt->vt_wc, on_hook, &tr, &vr->vr_wr, err, sizeof(err));
	if (error == 0) {
		vr->vr_wr.wr_elapsed_ns = mean_elapsed(&vr->vr_wr);
		if (tr.tr_error == 0)
			return (0);
		workload_result_free(&vr->vr_wr);
		error = tr.tr_error;
	}
	warnx("%s: %s", vt->vt_design, err[0] != '\0' ? err : strerror(error));
	return (error == EINVAL ? EX_USAGE : bench_exit_status(error));
}

static int
run_machine(const struct virtual_task *vt, struct virtual_result *vr)
{
	const struct machine_config mc = {
		.mc_map = vt->vt_map,
		.mc_design = vt->vt_design,
		.mc_ncpus = vt->vt_cpus,
		.mc_profile = true, /* the model does not see it */
	};
	char err[256] = "";
	struct machine *m;
	uint64_t leaked;
	int error;

	error = machine_create(&mc, &m, err, sizeof(err));
	if (error != 0) {
		warnx("%s: machine with %s: %s", vt->vt_map->mm_name,
		    vt->vt_design, err[0] != '\0' ? err : strerror(error));
		return (bench_exit_status(error));
	}
	machine_pv_header_report(m, &vr->vr_headers);
	vr->vr_headers_allocated = machine_pv_header_allocated(m);
	error = run_workload(m, vt, vr);
	leaked = machine_destroy(m, stderr);
	if (error == 0 && leaked != 0) {
		warnx("%s: the machine leaked %ju bytes", vt->vt_design,
		    (uintmax_t)leaked);
		workload_result_free(&vr->vr_wr);
		error = EX_SOFTWARE;
	}
	return (error);
}

int
virtual_task_run(const struct virtual_task *vt, struct virtual_result *vr)
{
	const struct virt_config vc = {
		.vc_preset = vt->vt_preset,
		.vc_ncpus = vt->vt_cpus,
		.vc_seed = vt->vt_wc.wc_seed,
		.vc_sees_cpus = true,
	};
	double begin = cpu_seconds();
	int error;

	memset(vr, 0, sizeof(*vr));
	error = virt_begin(&vc);
	if (error != 0) {
		warnx("%s: a world with %u CPUs: %s", vt->vt_preset->pr_name,
		    vt->vt_cpus, strerror(error));
		return (bench_exit_status(error));
	}
	error = run_machine(vt, vr);
	vr->vr_hash = virt_event_hash();
	vr->vr_accesses = virt_accesses();
	vr->vr_switches = virt_switches();
	virt_end();
	vr->vr_host_s = cpu_seconds() - begin;
	return (error);
}
