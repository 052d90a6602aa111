/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "compare.h"
#include "compare_preset.h"
#include "designs.h"
#include "maps.h"
#include "opt.h"
#include "pmapsim/machine.h"
#include "virtual.h"

#define NS_PER_S UINT64_C(1000000000)

#define CO(field) offsetof(struct compare, field)

static const struct opt compare_opts[] = {
	{ "virtual", "PRESET|FILE", OPT_STRING, CO(co_virtual), 0, 0,
	    "not on this host but on a modelled one, in virtual time:\n"
	    "the name of a bundled preset (see \"pmapsim list presets\"),\n"
	    "or a file as \"pmapsim calibrate\" writes it" },
	{ "cpus", "N[,N]...", OPT_STRING, CO(co_cpus_text), 0, 0,
	    "--virtual: CPUs, 1 to 1024; several: a table for each\n"
	    "(default: all that the modelled host has)" },
	{ "set", "KEY=VALUE[,...]", OPT_STRING, CO(co_set), 0, 0,
	    "--virtual: other numbers than the preset's, as in its file;\n"
	    "with --preset, besides those that it has" },
	{ "jobs", "N", OPT_UNSIGNED, CO(co_jobs), 1, 1024,
	    "--virtual: runs at a time; changes no result (default: the\n"
	    "host's CPUs)" },
	{ "plot", "FILE.svg|FILE.png", OPT_STRING, CO(co_plot), 0, 0,
	    "--virtual: also draw where time goes and how many CPUs wait,\n"
	    "with gnuplot" },
	{ "preset", "NAME", OPT_STRING, CO(co_preset), 0, 0,
	    "options that belong together, which others override:\n"
	    "one of " COMPARE_PRESETS },
	MAPS_OPT(CO(co_map)),
	{ "threads", "N[,N]...", OPT_STRING, CO(co_threads_text), 0, 0,
	    "threads, each with a CPU of the modelled machine, 1 to 1024;\n"
	    "several: a table for each (default: the host's CPUs; with\n"
	    "--virtual: as many as CPUs)" },
	{ "designs", "D[,D]...", OPT_STRING, CO(co_designs_text), 0, 0,
	    "designs, see \"pmapsim list\"; the first is what the others\n"
	    "are compared with; twice the same one shows the noise\n"
	    "(default head, superpage, superpage+batch,\n"
	    "sparse/mtx8+batch, sparse/gen2+batch)" },
	{ "workload", "NAME", OPT_STRING, CO(co_wc.wc_name), 0, 0,
	    "see \"pmapsim list workloads\" (default " COMPARE_WORKLOAD ")" },
#define PARAM_OPT(field, option, arg, min, max, help)                          \
	{ option, arg, OPT_UNSIGNED, CO(co_wc.wc_params.field), min, max,      \
		help },
	RECORD_PARAMS(PARAM_OPT)
#undef PARAM_OPT
	    { "seconds", "S", OPT_SECONDS, CO(co_wc.wc_measure_ns), 0, 0,
		"measured time of a run (default 0.4); a quarter of it, 0.02\n"
		"to 1, passes before as warm-up" },
	OPT_REPEATS(CO(co_repeats), 1, "5; --virtual: 3"),
	{ "pin", "ORDER", OPT_STRING, CO(co_pin_text), 0, 0,
	    "compact, scatter, core, smt-last or none (default smt-last:\n"
	    "a thread a core, hardware threads when cores run out)" },
	{ "seed", "N", OPT_U64, CO(co_wc.wc_seed), 0, UINT64_MAX / 2,
	    "seed of the first repeat; each has the next (default 1);\n"
	    "with --virtual it decides everything that chance does" },
	OPT_JSON(CO(co_json), "run", "tables"),
	{ "locks", NULL, OPT_FLAG, CO(co_locks), 0, 0,
	    "also print the profile by acquisition site, in the columns\n"
	    "of FreeBSD's debug.lock.prof.stats" },
	{ "quick", NULL, OPT_FLAG, CO(co_quick), 0, 0,
	    "about 10 s: 3 repeats of 0.06 s; --virtual: 1 of 0.004 s;\n"
	    "to try, not to compare" },
	{ "check", NULL, OPT_FLAG, CO(co_check), 0, 0,
	    "also say whether the goals are met (cost of an operation,\n"
	    "scaling in private with two threads), by the best of the\n"
	    "repeats; status 1 if not" },
	{ .o_name = NULL },
};

static int
check_workload(const char *name)
{
	const struct workload_info *list = workload_list();
	char **names = NULL, *all;
	size_t n = 0;

	for (; list[n].wi_name != NULL; n++) {
		if (strcmp(list[n].wi_name, name) == 0)
			return (0);
	}
	names = bench_calloc(n, sizeof(names[0]));
	for (size_t i = 0; i < n; i++)
		names[i] = bench_strdup(list[i].wi_name);
	all = bench_join(names, n, ", ");
	warnx("--workload: \"%s\": expected one of %s", name, all);
	free(all);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return (EX_USAGE);
}

static int
read_threads(struct compare *co)
{
	char **list;
	size_t n;

	if (co->co_threads_text == NULL) {
		co->co_threads = bench_calloc(1, sizeof(co->co_threads[0]));
		co->co_threads[0] = host_ncpus();
		if (co->co_threads[0] > MACHINE_CPU_MAX)
			co->co_threads[0] = MACHINE_CPU_MAX;
		co->co_nthreads = 1;
		return (0);
	}
	if (opt_list(co->co_threads_text, &list, &n) != 0) {
		warnx("--threads: \"%s\": expected numbers between commas",
		    co->co_threads_text);
		return (EX_USAGE);
	}
	co->co_threads = bench_calloc(n, sizeof(co->co_threads[0]));
	for (size_t i = 0; i < n; i++) {
		uint64_t v;

		if (opt_number(list[i], 1, MACHINE_CPU_MAX, &v) != 0) {
			warnx("--threads: \"%s\": expected a number from 1 to "
			      "%u",
			    list[i], MACHINE_CPU_MAX);
			free(list);
			return (EX_USAGE);
		}
		co->co_threads[co->co_nthreads++] = (unsigned)v;
	}
	free(list);
	return (0);
}

static int
read_pin(struct compare *co)
{
	static const enum workload_pin pins[] = {
		[PIN_NONE] = WL_PIN_NONE,
		[PIN_COMPACT] = WL_PIN_COMPACT,
		[PIN_SCATTER] = WL_PIN_SCATTER,
		[PIN_CORE] = WL_PIN_CORE,
		[PIN_SMT_LAST] = WL_PIN_SMT_LAST,
	};
	int cpu = -1;

	co->co_pin = PIN_SMT_LAST;
	if (co->co_pin_text != NULL &&
	    pin_order_parse(co->co_pin_text, &co->co_pin) != 0) {
		warnx("--pin: \"%s\": expected compact, scatter, core, "
		      "smt-last or none",
		    co->co_pin_text);
		return (EX_USAGE);
	}
	co->co_wc.wc_pin = pins[co->co_pin];
	if (pin_order_cpus(co->co_pin, &cpu, 1) == 0)
		cpu = -1;
	co->co_micro.mc_hostcpu = cpu;
	return (0);
}

/* What was not said, of how long and how often. */
static void
set_times(struct compare *co)
{
	struct workload_config *wc = &co->co_wc;

	if (co->co_virtual != NULL) {
		if (co->co_repeats == 0)
			co->co_repeats = co->co_quick ? 1 : 3;
		if (wc->wc_measure_ns == 0)
			wc->wc_measure_ns =
			    NS_PER_S / (co->co_quick ? 250 : 50);
		wc->wc_warmup_ns = wc->wc_measure_ns / 4;
		return;
	}
	if (co->co_repeats == 0)
		co->co_repeats = co->co_quick ? 3 : 5;
	if (wc->wc_measure_ns == 0)
		wc->wc_measure_ns = NS_PER_S * (co->co_quick ? 6 : 40) / 100;
	wc->wc_warmup_ns = wc->wc_measure_ns / 4;
	if (wc->wc_warmup_ns < NS_PER_S / 50)
		wc->wc_warmup_ns = NS_PER_S / 50;
	if (wc->wc_warmup_ns > NS_PER_S)
		wc->wc_warmup_ns = NS_PER_S;
}

/* Options into a configuration.  Returns 0 or an exit status. */
static int
configure(struct compare *co)
{
	struct workload_config *wc = &co->co_wc;
	int error;

	if (wc->wc_name == NULL)
		wc->wc_name = COMPARE_WORKLOAD;
	error = check_workload(wc->wc_name);
	if (error == 0)
		error = co->co_virtual != NULL ? compare_virtual_configure(co)
					       : read_threads(co);
	if (error == 0)
		error = designs_read(co->co_designs_text,
		    compare_max_threads(co), &co->co_designs, &co->co_ndesigns);
	if (error == 0)
		error = read_pin(co);
	if (error == 0)
		error = maps_open(co->co_map, &co->co_mm);
	if (error != 0)
		return (error);

	set_times(co);
	wc->wc_stop = &bench_stop;
	co->co_micro.mc_map = co->co_mm;
	co->co_micro.mc_pages = MICRO_PAGES;
	co->co_micro.mc_sample_ns = NS_PER_S * (co->co_quick ? 2 : 8) / 1000;

	return (record_open_option(co->co_json, &co->co_record, &co->co_out));
}

static void
print_results(struct compare *co)
{
	for (size_t i = 0; i < co->co_nthreads; i++) {
		compare_print_locks(co, co->co_threads[i]);
		if (co->co_locks)
			compare_print_sites(co, co->co_threads[i]);
	}
	for (size_t i = 0; i < co->co_nthreads; i++)
		compare_print_summary(co, co->co_threads[i]);
	compare_print_headers(co);
	if (co->co_nsamples[0] > 0) {
		(void)fprintf(co->co_out, "\n");
		micro_print(&co->co_micro, co->co_designs, co->co_ndesigns,
		    co->co_samples, co->co_repeats, co->co_nsamples,
		    co->co_has_hostvm ? &co->co_hostvm : NULL, co->co_out);
	}
	if (co->co_check)
		compare_print_goals(co);
	compare_print_voids(co);
}

static int
compare(struct compare *co)
{
	int error;

	env_get(&co->co_env);
	compare_record_header(co, "real", record_env(&co->co_env));
	/* A minute later the disk would still be full. */
	if (record_failed(co->co_record))
		return (EX_IOERR);
	compare_print_header(co);
	(void)fflush(co->co_out);
	compare_plan(co);
	co->co_begin_ns = bench_clock_ns();
	error = compare_measure(co);
	if (error == 0)
		print_results(co);
	return (compare_end(co, error));
}

/*
 * Options: first those of --preset, so that the others override them.  Returns 0
 * or EX_USAGE.
 */
static int
read_options(int argc, char *argv[], struct compare *co)
{
	const char *set;
	int error;

	error = opt_parse_only(compare_opts, argc, argv, co);
	if (error != 0 || co->co_preset == NULL)
		return (error);
	co->co_set = NULL;
	error = compare_preset(compare_opts, co->co_preset, co);
	if (error != 0)
		return (error);
	set = co->co_set;
	co->co_set = NULL;
	error = opt_parse_only(compare_opts, argc, argv, co);
	/* Numbers override numbers; the later ones win. */
	if (set != NULL && co->co_set != NULL)
		set = co->co_sets = bench_asprintf("%s,%s", set, co->co_set);
	if (set != NULL)
		co->co_set = set;
	return (error);
}

/* Options that want, or do not want, a modelled host. */
static int
check_virtual(const struct compare *co)
{
	const struct {
		const char *option;
		bool given;
		bool modelled;
	} options[] = {
		{ "cpus", co->co_cpus_text != NULL, true },
		{ "set", co->co_set != NULL, true },
		{ "jobs", co->co_jobs != 0, true },
		{ "plot", co->co_plot != NULL, true },
		{ "pin", co->co_pin_text != NULL, false },
		{ "check", co->co_check, false },
	};

	for (size_t i = 0; i < nitems(options); i++) {
		if (!options[i].given ||
		    options[i].modelled == (co->co_virtual != NULL))
			continue;
		warnx("--%s: %s --virtual", options[i].option,
		    options[i].modelled ? "expected with" : "not with");
		return (EX_USAGE);
	}
	return (0);
}

static int
compare_main(int argc, char *argv[])
{
	struct compare co;
	int error, status;

	memset(&co, 0, sizeof(co));
	co.co_wc.wc_seed = 1;
	co.co_designs_text = DESIGNS_DEFAULT;
	error = read_options(argc, argv, &co);
	if (error == 0)
		error = check_virtual(&co);
	if (error == 0 && virtual_here && co.co_virtual == NULL) {
		warnx("expected --virtual: pmapsim has the other runs");
		error = EX_USAGE;
	}
	if (error == 0 && co.co_virtual != NULL)
		error = virtual_exec(argc, argv);
	if (error != 0)
		return (error);
	status = configure(&co);
	if (status == 0) {
		bench_catch_signals();
		status =
		    co.co_virtual != NULL ? compare_virtual(&co) : compare(&co);
	}
	error = record_close(co.co_record);
	compare_free(&co);
	return (status != 0 ? status : error);
}

const struct command cmd_compare = {
	.c_name = "compare",
	.c_args = "[OPTION]...",
	.c_brief = "one workload under several designs, side by side",
	.c_opts = compare_opts,
	.c_run = compare_main,
	.c_descr =
	    "Runs one workload under several designs of pv headers and locks, "
	    "and prints\n"
	    "  1. the locks with the largest total wait, side by side;\n"
	    "  2. throughput, cost on one CPU, scaling, waits for the pv list "
	    "lock,\n"
	    "     fairness over the threads, and what the lock profile costs;\n"
	    "  3. the bytes of pv headers on the memory map;\n"
	    "  4. the cost of single operations, beside that of the host's own "
	    "kernel.\n"
	    "Each run has a machine of its own; repeats of the designs are "
	    "interleaved; medians\nand ranges are printed, and no run is left "
	    "out but those that are void (named,\nexit status 1).  SIGINT ends "
	    "the measurement and prints what there is; the exit\nstatus is then "
	    "130.\n\n"
	    "With --virtual, time is that of a modelled host, and a run is the "
	    "same whenever it\nis repeated: caches, sockets and a scheduler "
	    "for up to 1024 CPUs, with the library's\nown code on them.  What "
	    "is printed then: 1, 2 and 3, and where the time of all CPUs\ngoes "
	    "(misses, queueing for lines, spinning, blocking, by lock), the "
	    "hottest cache\nlines by name, how far locks are handed on, and "
	    "how many CPUs wait as time goes by.\nOrder and ratio of designs "
	    "is what such a run is good for; absolute times are not.\n",
	.c_examples =
	    "  pmapsim compare\n"
	    "      the review's columns and this library's own, in about a "
	    "minute\n"
	    "  pmapsim compare --workload private --threads 1,2,4 --seconds 2\n"
	    "      how it scales where nothing is shared\n"
	    "  pmapsim compare --map /proc/iomem --designs head,head,hashed/"
	    "rwlock+locks=16384+pad\n"
	    "      this very machine (as root, else addresses read 0); how "
	    "large is the noise?\n"
	    "  pmapsim compare --text-copies 1 --locks --json runs.jsonl\n"
	    "      one copy of the text for all, each acquisition site, every "
	    "run on record\n"
	    "  pmapsim compare --virtual clx-2s-104\n"
	    "      the same designs on 104 CPUs that nobody here has\n"
	    "  pmapsim compare --virtual clx-2s-104 --cpus 8,26,52,104 --set "
	    "line_remote=250\n"
	    "      how it grows with the CPUs if the sockets are farther "
	    "apart\n"
	    "  pmapsim compare --virtual altra-80 --text-copies 1 --plot "
	    "altra.svg\n"
	    "      a drawing of where the time goes\n",
};
