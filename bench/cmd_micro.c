/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "designs.h"
#include "env.h"
#include "maps.h"
#include "micro.h"
#include "opt.h"
#include "progress.h"
#include "record.h"

struct micro_cmd {
	const char *mc_map;
	const char *mc_designs_text;
	const char *mc_json;
	unsigned mc_repeats;
	uint64_t mc_sample_ns;
	struct micro_config mc_config;

	char **mc_designs;
	size_t mc_ndesigns;
	struct micro_sample *mc_samples; /* [design][repeat] */
	size_t *mc_nsamples;             /* [design] */
	struct hostvm mc_hostvm;
	bool mc_has_hostvm;
	struct memmap *mc_mm;
	struct record *mc_record;
	FILE *mc_out;
};

#define MC(field) offsetof(struct micro_cmd, field)

static const struct opt micro_opts[] = {
	MAPS_OPT(MC(mc_map)),
	{ "designs", "D[,D]...", OPT_STRING, MC(mc_designs_text), 0, 0,
	    "designs, see \"pmapsim list\" (default as in compare)" },
	{ "pages", "N", OPT_UNSIGNED, MC(mc_config.mc_pages), 1,
	    MICRO_PAGES_MAX,
	    "pages in a round, 1 to 262144 (default 512): more than fit\n"
	    "into the caches shows what misses cost" },
	{ "seconds", "S", OPT_SECONDS, MC(mc_sample_ns), 0, 0,
	    "timed for each operation and repeat (default 0.02)" },
	OPT_REPEATS(MC(mc_repeats), 1, "7"),
	OPT_JSON(MC(mc_json), "repeat", "table"),
	{ .o_name = NULL },
};

static int
configure(struct micro_cmd *mc)
{
	int cpu = -1, error;

	/* One thread is all that micro has. */
	error = designs_read(
	    mc->mc_designs_text, 1, &mc->mc_designs, &mc->mc_ndesigns);
	if (error != 0)
		return (error);
	if (pin_order_cpus(PIN_SMT_LAST, &cpu, 1) == 0)
		cpu = -1;
	mc->mc_config.mc_hostcpu = cpu;
	mc->mc_config.mc_sample_ns = mc->mc_sample_ns;
	mc->mc_samples = bench_calloc(
	    mc->mc_ndesigns * mc->mc_repeats, sizeof(mc->mc_samples[0]));
	mc->mc_nsamples =
	    bench_calloc(mc->mc_ndesigns, sizeof(mc->mc_nsamples[0]));
	return (0);
}

static int
measure(struct micro_cmd *mc)
{
	struct progress pr;
	char err[256] = "";
	int error;

	progress_begin(&pr, mc->mc_repeats * mc->mc_ndesigns);
	progress_stage(&pr, "single operations");
	mc->mc_has_hostvm =
	    hostvm_measure(mc->mc_config.mc_hostcpu, &mc->mc_hostvm) == 0;
	for (unsigned r = 0; r < mc->mc_repeats; r++) {
		for (size_t i = 0; i < mc->mc_ndesigns; i++) {
			size_t d = (i + r) % mc->mc_ndesigns;
			struct micro_sample *ms =
			    &mc->mc_samples[d * mc->mc_repeats +
				mc->mc_nsamples[d]];

			progress_step(&pr, mc->mc_designs[d]);
			error = micro_run(&mc->mc_config, mc->mc_designs[d], ms,
			    err, sizeof(err));
			if (error != 0) {
				progress_end(&pr);
				if (error != EINTR)
					warnx("%s: %s", mc->mc_designs[d],
					    err[0] != '\0' ? err
							   : strerror(error));
				return (bench_exit_status(error));
			}
			mc->mc_nsamples[d]++;
			progress_done(&pr, 1);
			record_write(mc->mc_record,
			    record_micro(&mc->mc_config, mc->mc_designs[d],
				(unsigned)d, r, ms));
		}
	}
	progress_end(&pr);
	return (0);
}

static int
micro(struct micro_cmd *mc)
{
	FILE *out = mc->mc_out;
	struct env e;
	json_t *o;
	int error;

	env_get(&e);
	o = json_pack(
	    "{s:s, s:s}", "type", "header", "program", "pmapsim micro");
	(void)json_object_set_new(o, "map", record_memmap(mc->mc_mm));
	(void)json_object_update_new(o, record_env(&e));
	record_write(mc->mc_record, o);
	env_print_build(&e, out);
	env_print_host(&e, out);
	(void)fprintf(out, "map      %s\n\n", mc->mc_mm->mm_name);
	(void)fflush(out);
	error = measure(mc);
	if ((error == 0 || error == EX_INTERRUPTED) && mc->mc_nsamples[0] > 0)
		micro_print(&mc->mc_config, mc->mc_designs, mc->mc_ndesigns,
		    mc->mc_samples, mc->mc_repeats, mc->mc_nsamples,
		    mc->mc_has_hostvm ? &mc->mc_hostvm : NULL, out);
	return (error);
}

static int
micro_main(int argc, char *argv[])
{
	struct micro_cmd mc;
	int error, status;

	memset(&mc, 0, sizeof(mc));
	mc.mc_designs_text = DESIGNS_DEFAULT;
	mc.mc_repeats = 7;
	mc.mc_sample_ns = 20000000;
	mc.mc_config.mc_pages = MICRO_PAGES;
	error = opt_parse_only(micro_opts, argc, argv, &mc);
	if (error != 0)
		return (error);
	status = configure(&mc);
	if (status == 0)
		status = maps_open(mc.mc_map, &mc.mc_mm);
	mc.mc_config.mc_map = mc.mc_mm;
	if (status == 0)
		status =
		    record_open_option(mc.mc_json, &mc.mc_record, &mc.mc_out);
	if (status == 0) {
		bench_catch_signals();
		status = micro(&mc);
	}
	error = record_close(mc.mc_record);
	memmap_free(mc.mc_mm);
	free(mc.mc_designs);
	free(mc.mc_samples);
	free(mc.mc_nsamples);
	return (status != 0 ? status : error);
}

const struct command cmd_micro = {
	.c_name = "micro",
	.c_args = "[OPTION]...",
	.c_brief = "the cost of single operations, one thread, warm caches",
	.c_opts = micro_opts,
	.c_run = micro_main,
	.c_descr =
	    "Times loops over single operations of the pmap, on one pinned "
	    "thread, without a\nworkload and without the lock profile: what "
	    "compare prints as its last table, with\nmore time for it.\n",
	.c_examples =
	    "  pmapsim micro --designs sparse/none,sparse/gen2,sparse/rwlock\n"
	    "      what the locks cost when nobody contends: none prices the "
	    "rest\n"
	    "  pmapsim micro --pages 65536\n"
	    "      256 MB of pages: out of the caches\n",
};
