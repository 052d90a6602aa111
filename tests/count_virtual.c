/* SPDX-License-Identifier: BSD-2-Clause */
/* A world with time; or, to watch, one in which the order is chosen. */
#include "count_run.h"

#include <err.h>
#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "sim/virtual/explore.h"
#include "sim/virtual/preset.h"
#include "sim/virtual/virt.h"

const bool count_run_is_virtual = true;

static struct explore *explore;
static struct ex_result result;

static void
on_begin(void *arg, struct xs_run *run)
{
	(void)arg;
	(void)run;
	if (explore != NULL)
		explore_start(explore);
}

static void
on_end(void *arg, struct xs_run *run)
{
	(void)arg;
	(void)run;
	if (explore != NULL)
		explore_stop(explore);
}

const struct xs_hooks count_run_hooks = {
	.xh_begin = on_begin,
	.xh_end = on_end,
};

/* On the stack of the fiber that made the second access. */
static void
say_and_exit(void *arg)
{
	(void)arg;
	(void)fprintf(stderr, "%s: %s\n", ex_failure_name(result.er_failure),
	    result.er_text);
	_exit(result.er_failure == EX_RACE ? RACE_STATUS : EX_SOFTWARE);
}

void
count_run_begin(bool watched)
{
	static struct preset pr;
	struct ex_config xc = {
		.xc_races = true,
		.xc_result = &result,
		.xc_failed = say_and_exit,
	};
	struct virt_config vc = {
		.vc_preset = &pr,
		.vc_ncpus = 8,
		.vc_seed = 1,
	};
	struct preset_error pe;

	if (preset_open("laptop-8", &pr, &pe) != 0)
		errx(EX_SOFTWARE, "preset: %s", pe.pe_text);
	explore = NULL;
	if (watched) {
		if (explore_create(&xc, &explore) != 0)
			errx(EX_OSERR, "no memory to explore");
		explore_begin(explore, 1, 0, false);
		vc.vc_explore = explore;
	}
	if (virt_begin(&vc) != 0)
		errx(EX_OSERR, "no world");
}

void
count_run_end(void)
{
	virt_end();
	if (explore != NULL)
		explore_destroy(explore);
}
