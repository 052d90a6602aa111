/* SPDX-License-Identifier: BSD-2-Clause */
#include "compare_preset.h"

#include <err.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "opt.h"

#define ARGS_MAX 24

/* args: as a user would write them; ended by NULL. */
struct compare_preset {
	const char *cp_name;
	const char *cp_args[ARGS_MAX];
};

static const struct compare_preset presets[] = {
	/* The columns of the review on a host of its class. */
	{ "review",
	    { "--virtual", "clx-2s-104", "--workload", "exec_exit",
		"--text-copies", "20", "--designs",
		"head,superpage,superpage+batch", NULL } },
};

int
compare_preset(const struct opt *opts, const char *name, void *conf)
{
	for (size_t i = 0; i < nitems(presets); i++) {
		const struct compare_preset *cp = &presets[i];
		char *argv[ARGS_MAX + 1];
		int argc = 0, rest;

		if (strcmp(cp->cp_name, name) != 0)
			continue;
		argv[argc++] = (char *)(uintptr_t) "compare";
		for (const char *const *arg = cp->cp_args; *arg != NULL; arg++)
			argv[argc++] = (char *)(uintptr_t)*arg;
		return (opt_parse(opts, argc, argv, conf, &rest));
	}
	warnx("--preset: \"%s\": expected one of %s", name, COMPARE_PRESETS);
	return (EX_USAGE);
}
