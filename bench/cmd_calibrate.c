/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "calib.h"
#include "env.h"
#include "opt.h"
#include "presets.h"
#include "record.h"

struct calibrate_cmd {
	const char *cc_output;
	const char *cc_base_name;
	const char *cc_json;
	bool cc_quick;
	struct preset cc_base;
	struct calib cc_calib;
	struct record *cc_record;
};

#define CC(field) offsetof(struct calibrate_cmd, field)

static const struct opt calibrate_opts[] = {
	{ "output", "FILE", OPT_STRING, CC(cc_output), 0, 0,
	    "write the preset to FILE (default: to standard output,\n"
	    "and the tables to standard error)" },
	{ "base", "NAME|FILE", OPT_STRING, CC(cc_base_name), 0, 0,
	    "preset that what this host cannot show is taken from\n"
	    "(default " PRESETS_DEFAULT ")" },
	OPT_QUICK_SAMPLES(CC(cc_quick)),
	{ "json", "FILE", OPT_STRING, CC(cc_json), 0, 0,
	    "also write what was measured as JSON lines" },
	{ .o_name = NULL },
};

static int
write_preset(const struct calibrate_cmd *cc)
{
	FILE *out = stdout;
	bool failed;
	char *text;
	size_t len;

	text = preset_write(&cc->cc_calib.c_preset, &len);
	if (text == NULL) {
		warnx("out of memory");
		return (EX_OSERR);
	}
	if (cc->cc_output != NULL)
		out = fopen(cc->cc_output, "w");
	if (out == NULL) {
		warnx("%s: %s", cc->cc_output, strerror(errno));
		free(text);
		return (EX_CANTCREAT);
	}
	failed = fwrite(text, 1, len, out) != len || fflush(out) != 0;
	if (out != stdout && fclose(out) != 0)
		failed = true;
	free(text);
	if (failed) {
		warnx("%s: expected to write the preset, and could not",
		    cc->cc_output != NULL ? cc->cc_output : "(stdout)");
		return (EX_IOERR);
	}
	return (0);
}

static int
calibrate(struct calibrate_cmd *cc)
{
	FILE *out = cc->cc_output != NULL ? stdout : stderr;
	struct env e;
	json_t *o;
	int error;

	env_get(&e);
	o = json_pack("{s:s, s:s, s:s}", "type", "header", "program",
	    "pmapsim calibrate", "base", cc->cc_base.pr_name);
	(void)json_object_update_new(o, record_env(&e));
	record_write(cc->cc_record, o);
	env_print_build(&e, out);
	env_print_host(&e, out);
	(void)fputc('\n', out);
	(void)fflush(out);
	cc->cc_calib.c_base = &cc->cc_base;
	cc->cc_calib.c_effort = cc->cc_quick ? 0.1 : 1;
	error = calib_run(&cc->cc_calib);
	if (error != 0)
		return (error);
	calib_record(&cc->cc_calib, cc->cc_record);
	calib_print(&cc->cc_calib, out);
	return (write_preset(cc));
}

static int
calibrate_main(int argc, char *argv[])
{
	struct calibrate_cmd cc;
	int error, status;

	memset(&cc, 0, sizeof(cc));
	cc.cc_base_name = PRESETS_DEFAULT;
	error = opt_parse_only(calibrate_opts, argc, argv, &cc);
	if (error != 0)
		return (error);
	if (cc.cc_json != NULL && strcmp(cc.cc_json, "-") == 0 &&
	    cc.cc_output == NULL) {
		warnx("--json -: expected --output, so that the preset goes "
		      "elsewhere");
		return (EX_USAGE);
	}
	status = presets_open(cc.cc_base_name, &cc.cc_base);
	if (status == 0 && cc.cc_json != NULL)
		status = record_open(cc.cc_json, &cc.cc_record);
	if (status == 0) {
		bench_catch_signals();
		status = calibrate(&cc);
	}
	error = record_close(cc.cc_record);
	calib_free(&cc.cc_calib);
	return (status != 0 ? status : error);
}

const struct command cmd_calibrate = {
	.c_name = "calibrate",
	.c_args = "[OPTION]...",
	.c_brief = "measure this host, and write a preset of it",
	.c_opts = calibrate_opts,
	.c_run = calibrate_main,
	.c_descr =
	    "Measures what the virtual machine's model wants to know of a host: "
	    "how long a line\ntakes from CPU to CPU, by pair; locked "
	    "instructions, caches, memory; calls, waking\nand interrupts of the "
	    "kernel.  Each number of the preset has its source: how it was\n"
	    "measured and with which spread, or the preset that it was taken "
	    "from where this host\ncannot show it.  Takes some 20 seconds, "
	    "during which nothing else should run.\n\nOn a virtual machine two "
	    "CPUs may share a core at one time and not at another; then\nlines "
	    "move several times as fast.  The table says which of it was "
	    "found.\n",
	.c_examples =
	    "  pmapsim calibrate --output here.preset\n"
	    "      for compare --virtual ./here.preset\n"
	    "  pmapsim calibrate --base milan-2s-256 >here.preset\n"
	    "      what this host cannot show as on two sockets of Milan\n",
};
