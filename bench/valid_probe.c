/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One experiment in this process, and the command "probe", which validate calls
 * in pmapsim-virtual.  It is not listed: its options and its record are between
 * those two.
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "maps.h"
#include "opt.h"
#include "pmapsim/machine.h"
#include "presets.h"
#include "record.h"
#include "stats.h"
#include "valid.h"

void
valid_sum_up(struct valid_found *vf)
{
	if (vf->vf_n == 0)
		return;
	vf->vf_median = stats_of(vf->vf_ns, vf->vf_n).s_median;
	vf->vf_low = stats_quantile(vf->vf_ns, vf->vf_n, 0.1);
	vf->vf_high = stats_quantile(vf->vf_ns, vf->vf_n, 0.9);
}

struct valid_world {
	const struct valid_job *w_job;
	const struct memmap *w_map;
	struct valid_found *w_found;
	char w_err[256];
	int w_error;
};

static void
run_in_world(void *arg)
{
	struct valid_world *w = arg;
	const struct valid_job *vj = w->w_job;
	const struct machine_config mc = {
		.mc_map = w->w_map,
		.mc_design = VALID_DESIGN,
		.mc_ncpus = vj->vj_ncpus,
		.mc_profile = vj->vj_kind == PROBE_QUEUE,
	};
	const struct probe_config pc = {
		.pc_kind = vj->vj_kind,
		.pc_threads = vj->vj_threads,
		.pc_cpus = vj->vj_cpus,
		.pc_hostcpus = vj->vj_hostcpus,
		.pc_samples = vj->vj_samples,
		.pc_ops = vj->vj_ops,
		.pc_pages = vj->vj_pages > 0 ? vj->vj_pages : PROBE_PAGES,
		.pc_seed = vj->vj_seed,
		.pc_gap_ns = vj->vj_gap_ns,
		.pc_hold_ns = vj->vj_hold_ns,
		.pc_stop = &bench_stop,
	};
	struct machine *m;

	w->w_error = machine_create(&mc, &m, w->w_err, sizeof(w->w_err));
	if (w->w_error != 0)
		return;
	w->w_found->vf_probe.pr_ns = w->w_found->vf_ns;
	w->w_error = probe_run(m, &pc, &w->w_found->vf_probe);
	w->w_found->vf_probe.pr_ns = NULL;
	w->w_found->vf_n = w->w_found->vf_probe.pr_nsamples;
	if (machine_destroy(m, stderr) != 0 && w->w_error == 0)
		w->w_error = ENOTRECOVERABLE;
}

int
valid_run(
    const struct valid_job *vj, const struct preset *p, struct valid_found *vf)
{
	struct valid_world w = { .w_job = vj, .w_found = vf };
	struct memmap *mm;
	int error;

	memset(vf, 0, sizeof(*vf));
	error = maps_open(MAPS_DEFAULT, &mm);
	if (error != 0)
		return (error);
	w.w_map = mm;
	error = valid_world(p, vj->vj_ncpus, vj->vj_seed, run_in_world, &w);
	if (error == 0)
		error = w.w_error;
	memmap_free(mm);
	if (error == 0) {
		valid_sum_up(vf);
		return (0);
	}
	if (error != EINTR)
		warnx("probe %s: %s", probe_kinds[vj->vj_kind],
		    w.w_err[0] != '\0' ? w.w_err : strerror(error));
	return (bench_exit_status(error));
}

struct probe_cmd {
	const char *pc_kind;
	const char *pc_preset_name;
	const char *pc_cpus;
	const char *pc_hostcpus;
	struct valid_job pc_job;
	struct preset pc_preset;
	struct valid_found pc_found;
};

#define PC(field) offsetof(struct probe_cmd, field)

static const struct opt probe_opts[] = {
	{ "kind", "K", OPT_STRING, PC(pc_kind), 0, 0, "what of probe.h" },
	{ "preset", "NAME|FILE", OPT_STRING, PC(pc_preset_name), 0, 0,
	    "the host (pmapsim-virtual)" },
	{ "cpus", "N[,N]...", OPT_STRING, PC(pc_cpus), 0, 0,
	    "CPU of the machine for each thread" },
	{ "hostcpus", "N[,N]...", OPT_STRING, PC(pc_hostcpus), 0, 0,
	    "CPU of this host for each thread (pmapsim)" },
	{ "ncpus", "N", OPT_UNSIGNED, PC(pc_job.vj_ncpus), 1, PROBE_THREADS_MAX,
	    "CPUs of the machine" },
	{ "samples", "N", OPT_UNSIGNED, PC(pc_job.vj_samples), 1,
	    VALID_SAMPLES_MAX, "samples" },
	{ "ops", "N", OPT_U64, PC(pc_job.vj_ops), 2, UINT64_C(1) << 40,
	    "operations by a thread, in a sample" },
	{ "pages", "N", OPT_UNSIGNED, PC(pc_job.vj_pages), 1, 65536,
	    "enter, share: pages" },
	{ "seed", "N", OPT_U64, PC(pc_job.vj_seed), 0, UINT64_MAX, "seed" },
	{ "gap", "NS", OPT_U64, PC(pc_job.vj_gap_ns), 1, UINT64_C(1) << 40,
	    "queue: mean time between arrivals of a thread" },
	{ "hold", "NS", OPT_U64, PC(pc_job.vj_hold_ns), 1, UINT64_C(1) << 40,
	    "queue: mean hold" },
	{ .o_name = NULL },
};

static int
read_kind(const char *name, enum probe_kind *kindp)
{
	for (unsigned k = 0; name != NULL && k < NPROBE_KINDS; k++) {
		if (strcmp(name, probe_kinds[k]) == 0) {
			*kindp = (enum probe_kind)k;
			return (0);
		}
	}
	warnx("--kind: expected a kind of probe");
	return (EX_USAGE);
}

/* The CPUs of threads: as many as both lists say, if there are two. */
static int
read_cpus(struct probe_cmd *pc)
{
	struct valid_job *vj = &pc->pc_job;
	const char *texts[] = { pc->pc_cpus, pc->pc_hostcpus };

	for (unsigned i = 0; i < PROBE_THREADS_MAX; i++)
		vj->vj_hostcpus[i] = -1;
	for (unsigned k = 0; k < nitems(texts); k++) {
		char **list;
		uint64_t cpu;
		size_t n;
		bool good;

		if (texts[k] == NULL && k == 1)
			break;
		good = texts[k] != NULL && opt_list(texts[k], &list, &n) == 0;
		if (good) {
			good = n <= PROBE_THREADS_MAX &&
			    (k == 0 || n == vj->vj_threads);
			for (size_t i = 0; good && i < n; i++) {
				good =
				    opt_number(list[i], 0,
					k == 0 ? vj->vj_ncpus - 1 : INT32_MAX,
					&cpu) == 0;
				if (k == 0)
					vj->vj_cpus[i] = (unsigned)cpu;
				else
					vj->vj_hostcpus[i] = (int)cpu;
			}
			vj->vj_threads = (unsigned)n;
			free(list);
		}
		if (!good) {
			warnx("--%s: expected CPUs between commas",
			    k == 0 ? "cpus" : "hostcpus");
			return (EX_USAGE);
		}
	}
	return (0);
}

static void
print_found(const struct probe_cmd *pc)
{
	const struct valid_found *vf = &pc->pc_found;
	const struct probe_result *pr = &vf->vf_probe;
	json_t *o = json_pack("{s:s, s:s}", "type", "probe", "probe",
	    probe_kinds[pc->pc_job.vj_kind]);
	json_t *ns = json_array();
	struct record *r;

	for (unsigned i = 0; i < vf->vf_n; i++)
		(void)json_array_append_new(ns, json_real(vf->vf_ns[i]));
	(void)json_object_set_new(o, "ns", ns);
	record_set_u64(o, "count", pr->pr_count);
	record_set_u64(o, "contested", pr->pr_contested);
	record_set_u64(o, "wait_ns", pr->pr_wait_ns);
	record_set_u64(o, "elapsed_ns", pr->pr_elapsed_ns);
	record_set_real(o, "hold_ns", pr->pr_hold_ns);
	record_set_real(o, "hold2_ns", pr->pr_hold2_ns);
	if (record_open("-", &r) != 0)
		return;
	record_write(r, o);
	(void)record_close(r);
}

static int
probe_main(int argc, char *argv[])
{
	static struct probe_cmd pc;
	int error;

	memset(&pc, 0, sizeof(pc));
	pc.pc_preset_name = PRESETS_DEFAULT;
	pc.pc_cpus = "0";
	pc.pc_job.vj_ncpus = 1;
	pc.pc_job.vj_samples = 10;
	pc.pc_job.vj_ops = 1000;
	pc.pc_job.vj_gap_ns = 1000000;
	pc.pc_job.vj_hold_ns = 10000;
	error = opt_parse_only(probe_opts, argc, argv, &pc);
	if (error != 0)
		return (error);
	error = read_kind(pc.pc_kind, &pc.pc_job.vj_kind);
	if (error == 0)
		error = read_cpus(&pc);
	if (error == 0)
		error = presets_open(pc.pc_preset_name, &pc.pc_preset);
	if (error == 0)
		error = valid_run(&pc.pc_job, &pc.pc_preset, &pc.pc_found);
	if (error == 0)
		print_found(&pc);
	return (error);
}

const struct command cmd_probe = {
	.c_name = "probe",
	.c_args = "[OPTION]...",
	.c_opts = probe_opts,
	.c_run = probe_main,
	.c_descr = "One experiment of validate.\n",
	.c_examples = "  pmapsim-virtual probe --kind counter --ncpus 2 --cpus "
		      "0,1\n",
};
