/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * pmapsim explore: reads the options, lists scenarios, and becomes
 * pmapsim-explore, which has the library that can.
 */

#include <stdio.h>

#include "explore.h"
#include "program.h"
#include "table.h"

static void
list(void)
{
	struct table *t = table_create("lrl");
	const char *const *designs;

	table_cell(t, "scenario");
	table_cell(t, "threads");
	table_cell(t, "what they do");
	table_rule(t);
	for (size_t i = 0; xs_scenarios[i] != NULL; i++) {
		table_cell(t, "%s", xs_scenarios[i]->xs_name);
		table_cell(t, "%u", xs_scenarios[i]->xs_threads);
		table_cell(t, "%s", xs_scenarios[i]->xs_descr);
	}
	table_print(t, stdout);
	table_destroy(t);
	(void)printf("\nDesigns, the default first:\n");
	for (size_t i = 0; xs_scenarios[i] != NULL; i++) {
		(void)printf("  %-14s", xs_scenarios[i]->xs_name);
		designs = xs_scenarios[i]->xs_kind->xk_designs;
		for (size_t n = 0; designs[n] != NULL; n++)
			(void)printf(" %s", designs[n]);
		(void)putchar('\n');
	}
}

static int
explore_main(int argc, char *argv[])
{
	struct explore_options eo;
	int error;

	error = explore_read(argc, argv, &eo);
	if (error != 0)
		return (error);
	if (eo.eo_list) {
		list();
		return (0);
	}
	return (program_become("pmapsim-explore", argc, argv));
}

const struct command cmd_explore = {
	.c_name = "explore",
	.c_args = "[OPTION]...",
	.c_brief = "small scenarios in thousands of orders, to find what fails",
	.c_opts = explore_opts,
	.c_run = explore_main,
	.c_descr =
	    "Runs small scenarios, each a few operations by a few threads, again "
	    "and again, each\ntime in another order: every access to memory that "
	    "threads share is a point at\nwhich another may go on.  A run fails "
	    "that panics, breaks an invariant, deadlocks,\nnever ends, or has a "
	    "data race.  What fails is made as short as it gets, printed\nas "
	    "an interleaving, and had again with --replay.\n\n"
	    "Strategies:\n"
	    "  random:N   at each point, with probability 1/N, any thread\n"
	    "  pct:D      priorities by chance, and D - 1 changes of them: finds "
	    "what needs D\n"
	    "             orderings of events with a probability that is known\n"
	    "  bounded:P  every order with at most P preemptions\n"
	    "  mix        one of random and pct, by the seed\n\n"
	    "Status 1: something was found.\n",
	.c_examples =
	    "  pmapsim explore --list\n"
	    "  pmapsim explore --runs 1000\n"
	    "      all scenarios, a thousand orders of each\n"
	    "  pmapsim explore --scenario counter --strategy bounded:2\n"
	    "      all orders with two preemptions or less\n"
	    "  pmapsim explore --scenario scan-remove --bug B1 --seconds 60\n"
	    "      look for a fault that was switched on\n",
};
