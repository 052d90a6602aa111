/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of pmapsim explore, which two programs read. */
#include <string.h>

#include "explore.h"
#include "opt.h"

#define EO(field) offsetof(struct explore_options, field)

const struct opt explore_opts[] = {
	{ "scenario", "NAMES", OPT_STRING, EO(eo_scenarios), 0, 0,
	    "scenarios, separated by commas, or \"all\" (default all)" },
	{ "design", "D", OPT_STRING, EO(eo_design), 0, 0,
	    "a design, see \"pmapsim list designs\"; \"all\": each that the\n"
	    "scenario names (default: the first of these)" },
	{ "strategy", "S", OPT_STRING, EO(eo_strategy_text), 0, 0,
	    "random[:N], pct[:D], bounded[:P] or mix (default mix)" },
	{ "runs", "N", OPT_U64, EO(eo_runs), 1, UINT64_C(1) << 40,
	    "runs of each scenario and design, at most (default 10000, with\n"
	    "bounded 1000000; with --seconds no limit)" },
	{ "seconds", "S", OPT_SECONDS, EO(eo_seconds_ns), 0, 0,
	    "time for each of them" },
	{ "seed", "N", OPT_U64, EO(eo_seed), 0, UINT64_MAX >> 1,
	    "of the first run; the next has the next (default 1)" },
	{ "jobs", "N", OPT_UNSIGNED, EO(eo_jobs), 1, EXPLORE_JOBS_MAX,
	    "runs at a time (default: CPUs)" },
	{ "races", "0|1", OPT_UNSIGNED, EO(eo_races), 0, 1,
	    "a data race is a failure (default 1)" },
	{ "steps", "N", OPT_UNSIGNED, EO(eo_steps), 100, 100000000,
	    "events after which a run is a livelock (default 200000)" },
	{ "bug", "NAME", OPT_STRING, EO(eo_bug), 0, 0,
	    "switch a fault on, as +bug=NAME in the design" },
	{ "replay", "SEED|PLAN", OPT_STRING, EO(eo_replay), 0, 0,
	    "one run, shown" },
	{ "full", NULL, OPT_FLAG, EO(eo_full), 0, 0,
	    "show each access, not only those around switches" },
	{ "as-found", NULL, OPT_FLAG, EO(eo_as_found), 0, 0,
	    "do not leave out choices that a failure does not need" },
	{ "list", NULL, OPT_FLAG, EO(eo_list), 0, 0,
	    "print the scenarios and their designs" },
	OPT_JSON(EO(eo_json), "result", "table"),
	{ .o_name = NULL },
};

int
explore_read(int argc, char *argv[], struct explore_options *eo)
{
	*eo = (struct explore_options){
		.eo_scenarios = "all",
		.eo_strategy_text = "mix",
		.eo_seed = 1,
		.eo_races = 1,
	};
	return (opt_parse_only(explore_opts, argc, argv, eo));
}
