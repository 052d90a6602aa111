/* SPDX-License-Identifier: BSD-2-Clause */
/* A run that is explored: its beginning, its end, its failure. */
#include "sim/virtual/explore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/virtual/explore_impl.h"

static const char *const failure_names[] = {
	[EX_PASSED] = "passed",
	[EX_PANIC] = "panic",
	[EX_CHECK] = "check",
	[EX_DEADLOCK] = "deadlock",
	[EX_LIVELOCK] = "livelock",
	[EX_RACE] = "data race",
	[EX_CRASH] = "crash",
};

const char *
ex_failure_name(enum ex_failure what)
{
	return (failure_names[what]);
}

void
explore_fail(struct explore *ex, enum ex_failure what, const char *text)
{
	struct engine *e = engine_of(ex);
	struct ex_result *er = e->e_result;

	/* The first one is the reason. */
	if (er->er_failure == EX_PASSED) {
		er->er_failure = what;
		(void)snprintf(er->er_text, sizeof(er->er_text), "%s", text);
	}
	e->e_on = false;
	e->e_config.xc_failed(e->e_config.xc_arg);
}

int
explore_create(const struct ex_config *xc, struct explore **exp)
{
	static const struct ex_strategy none = { EX_MIX, 0 };
	struct engine *e;
	int error;

	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return (ENOMEM);
	e->e_base.ex_ops = &engine_ops;
	explore_configure(&e->e_base, xc);
	error = ex_places_create(&e->e_places);
	if (error == 0)
		error = ex_sched_create(
		    xc->xc_strategy != NULL ? xc->xc_strategy : &none,
		    &e->e_sched);
	if (error == 0 && xc->xc_races)
		error = race_create(&e->e_race);
	if (error != 0)
		explore_destroy(&e->e_base);
	else
		*exp = &e->e_base;
	return (error);
}

void
explore_destroy(struct explore *ex)
{
	struct engine *e = engine_of(ex);

	if (e == NULL)
		return;
	ex_places_destroy(e->e_places);
	ex_sched_destroy(e->e_sched);
	race_destroy(e->e_race);
	free(e);
}

struct ex_places *
explore_places(struct explore *ex)
{
	return (engine_of(ex)->e_places);
}

struct ex_sched *
explore_sched(struct explore *ex)
{
	return (engine_of(ex)->e_sched);
}

void
explore_configure(struct explore *ex, const struct ex_config *xc)
{
	struct engine *e = engine_of(ex);

	e->e_config = *xc;
	e->e_result = xc->xc_result;
	if (e->e_config.xc_steps_max == 0)
		e->e_config.xc_steps_max = EX_STEPS_MAX;
}

void
explore_begin(struct explore *ex, uint64_t seed, uint64_t times, bool keep)
{
	struct engine *e = engine_of(ex);
	const struct ex_choice *ec = e->e_config.xc_plan;
	const struct ex_choice *end = ec + e->e_config.xc_nplan;
	struct ex_result *er = e->e_result;

	er->er_seed = seed;
	er->er_times = times;
	er->er_hash = 0;
	er->er_steps = 0;
	er->er_points = 0;
	er->er_preemptions = 0;
	er->er_nchoices = 0;
	er->er_nevents = 0;
	er->er_failure = EX_PASSED;
	er->er_text[0] = '\0';
	e->e_on = false;
	e->e_times = times;
	e->e_writes = 0;
	for (unsigned i = 0; i < EX_FIBERS_MAX; i++) {
		struct ex_fiber *ef = &e->e_fibers[i];

		*ef = (struct ex_fiber){ .ef_pending = EX_NOT_KNOWN };
		while (ec < end && ec->ec_fiber < i)
			ec++;
		ef->ef_plan = ec;
		while (ec < end && ec->ec_fiber == i)
			ec++;
		ef->ef_plan_end = ec;
	}
	ex_sched_begin(e->e_sched, seed, e->e_config.xc_npoints);
	ex_places_begin(e->e_places, keep);
	if (e->e_race != NULL)
		race_reset(e->e_race);
}

void
explore_start(struct explore *ex)
{
	engine_of(ex)->e_on = true;
}

void
explore_stop(struct explore *ex)
{
	engine_of(ex)->e_on = false;
}
