/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "calib.h"
#include "env.h"
#include "opt.h"
#include "presets.h"
#include "progress.h"
#include "record.h"
#include "valid.h"

struct validate_cmd {
	const char *vc_preset_name;
	const char *vc_rungs;
	const char *vc_json;
	bool vc_quick;
	struct preset vc_base;
	struct calib vc_calib;
	struct valid vc_valid;
	int *vc_hostcpus;
	struct record *vc_record;
	FILE *vc_out;
};

#define VC(field) offsetof(struct validate_cmd, field)

static const struct opt validate_opts[] = {
	{ "preset", "NAME|FILE", OPT_STRING, VC(vc_preset_name), 0, 0,
	    "this host's preset (default: it is calibrated first)" },
	{ "rungs", "L[,L]...", OPT_STRING, VC(vc_rungs), 0, 0,
	    "of 0,1,2,3,4,5 (default all)" },
	OPT_QUICK_SAMPLES(VC(vc_quick)),
	OPT_JSON(VC(vc_json), "row", "table"),
	{ .o_name = NULL },
};

static const struct rung {
	const char *r_name;
	const char *r_what;
	int (*r_fn)(struct valid *v);
} rungs[] = {
	{ "0", "L0: a line between two CPUs of the model", valid_l0 },
	{ "1", "L1: one line, on the host and in the model", valid_l1 },
	{ "2", "L2: the pmap, on the host and in the model", valid_l2 },
	{ "3", "L3: a queue in the model", valid_l3 },
	{ "4", "L4: a package build in the model, some minutes", valid_l4 },
	{ "5", "L5: 104 CPUs in the model", valid_l5 },
};

static int
read_rungs(const char *text, bool wanted[nitems(rungs)])
{
	char **list;
	size_t n, r;

	if (text == NULL) {
		for (r = 0; r < nitems(rungs); r++)
			wanted[r] = true;
		return (0);
	}
	if (opt_list(text, &list, &n) != 0)
		goto bad;
	for (size_t i = 0; i < n; i++) {
		for (r = 0; r < nitems(rungs); r++) {
			if (strcmp(list[i], rungs[r].r_name) == 0)
				break;
		}
		if (r == nitems(rungs)) {
			free(list);
			goto bad;
		}
		wanted[r] = true;
	}
	free(list);
	return (0);
bad:
	warnx("--rungs: \"%s\": expected some of 0,1,2,3,4,5 between commas",
	    text);
	return (EX_USAGE);
}

/* This host's preset: read, or measured. */
static int
have_preset(struct validate_cmd *vc)
{
	struct valid *v = &vc->vc_valid;
	int error;

	if (vc->vc_preset_name != NULL)
		return (presets_open(vc->vc_preset_name, &v->v_preset));
	error = presets_open(PRESETS_DEFAULT, &vc->vc_base);
	if (error != 0)
		return (error);
	vc->vc_calib.c_base = &vc->vc_base;
	vc->vc_calib.c_effort = vc->vc_quick ? 0.1 : 1;
	error = calib_run(&vc->vc_calib);
	v->v_preset = vc->vc_calib.c_preset;
	if (error == 0)
		calib_record(&vc->vc_calib, vc->vc_record);
	return (error);
}

static void
record_rows(const struct validate_cmd *vc)
{
	static const char *const names[] = { "holds", "missed", "same order",
		"other order", "no order", "no bound" };
	const struct valid *v = &vc->vc_valid;

	for (size_t i = 0; i < v->v_nrows; i++) {
		const struct valid_row *vw = &v->v_rows[i];
		json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type",
		    "validation", "rung", vw->vw_rung, "what", vw->vw_what,
		    "unit", vw->vw_unit, "verdict", names[vw->vw_verdict]);

		record_set_real(o, "predicted", vw->vw_predicted);
		record_set_real(o, "measured", vw->vw_measured);
		record_set_real(o, "low", vw->vw_low);
		record_set_real(o, "high", vw->vw_high);
		record_set_real(o, "error", vw->vw_error);
		record_set_real(
		    o, "bound", vw->vw_bound < 0 ? (double)NAN : vw->vw_bound);
		record_write(vc->vc_record, o);
	}
}

static int
climb(struct validate_cmd *vc, const bool wanted[nitems(rungs)])
{
	struct progress pr;
	int error = 0;

	progress_begin(&pr, nitems(rungs));
	for (size_t r = 0; r < nitems(rungs) && error == 0; r++) {
		if (wanted[r]) {
			progress_stage(&pr, rungs[r].r_what);
			error = rungs[r].r_fn(&vc->vc_valid);
		}
		progress_done(&pr, 1);
	}
	progress_end(&pr);
	return (error);
}

static int
validate(struct validate_cmd *vc, const bool wanted[nitems(rungs)])
{
	struct valid *v = &vc->vc_valid;
	struct env e;
	json_t *o;
	unsigned bounds = 0;
	int error;

	env_get(&e);
	o = json_pack(
	    "{s:s, s:s}", "type", "header", "program", "pmapsim validate");
	(void)json_object_update_new(o, record_env(&e));
	record_write(vc->vc_record, o);
	env_print_build(&e, vc->vc_out);
	env_print_host(&e, vc->vc_out);
	(void)fputc('\n', vc->vc_out);
	(void)fflush(vc->vc_out);
	v->v_effort = vc->vc_quick ? 0.1 : 1;
	v->v_nhostcpus = host_ncpus();
	vc->vc_hostcpus =
	    bench_calloc(v->v_nhostcpus, sizeof(vc->vc_hostcpus[0]));
	v->v_hostcpus = vc->vc_hostcpus;
	(void)pin_order_cpus(PIN_SMT_LAST, vc->vc_hostcpus, v->v_nhostcpus);
	error = have_preset(vc);
	if (error == 0)
		error = climb(vc, wanted);
	if (v->v_nrows == 0)
		return (error);
	(void)fprintf(vc->vc_out, "The model of %s against %s\n\n",
	    v->v_preset.pr_name, "this host, numbers and theory");
	valid_print(v, vc->vc_out);
	record_rows(vc);
	if (error != 0)
		return (error);
	for (size_t i = 0; i < v->v_nrows; i++)
		bounds += v->v_rows[i].vw_bound >= 0;
	(void)fprintf(
	    vc->vc_out, "\n%u of %u bounds missed.\n", v->v_missed, bounds);
	return (v->v_missed > 0 ? EX_VOID : 0);
}

static int
validate_main(int argc, char *argv[])
{
	bool wanted[nitems(rungs)] = { false };
	struct validate_cmd *vc = bench_calloc(1, sizeof(*vc));
	int error, status;

	status = opt_parse_only(validate_opts, argc, argv, vc);
	if (status == 0)
		status = read_rungs(vc->vc_rungs, wanted);
	if (status == 0)
		status = record_open_option(
		    vc->vc_json, &vc->vc_record, &vc->vc_out);
	if (status == 0) {
		bench_catch_signals();
		status = validate(vc, wanted);
	}
	error = record_close(vc->vc_record);
	calib_free(&vc->vc_calib);
	free(vc->vc_valid.v_rows);
	free(vc->vc_hostcpus);
	free(vc);
	return (status != 0 ? status : error);
}

const struct command cmd_validate = {
	.c_name = "validate",
	.c_args = "[OPTION]...",
	.c_brief = "does the virtual machine predict what this host does?",
	.c_opts = validate_opts,
	.c_run = validate_main,
	.c_descr =
	    "Runs small experiments on this host and in the virtual machine, "
	    "which has this host's\nnumbers, and holds one against the other, "
	    "rung by rung:\n\n"
	    "  L0  a line between two CPUs takes what the preset says: exactly\n"
	    "  L1  threads add to one line, or read it: within 25 %\n"
	    "  L2  pages are entered and removed, alone and with another CPU on "
	    "the same pages:\n      within 25 %\n"
	    "  L3  waiting for a lock takes what queueing theory makes of its "
	    "holds: within 10 %\n"
	    "  L4  a package build under four designs: the steps that were "
	    "published of FreeBSD\n      on 104 CPUs\n"
	    "  L5  page faults of 16 to 104 threads and processes: in the order "
	    "that was published\n      of a host with 104 CPUs (Linux, two "
	    "sockets of Skylake); no more than that\n\n"
	    "The exit status is 1 when one of L0 to L3 is missed.  Nothing else "
	    "should run meanwhile.\n",
	.c_examples =
	    "  pmapsim validate\n"
	    "      calibrate this host, then climb\n"
	    "  pmapsim validate --preset ./here.preset --rungs 1,2\n"
	    "      two rungs, with numbers that were measured before\n",
};
