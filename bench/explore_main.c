/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmapsim-explore, which pmapsim becomes: targets one after the other.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "explore.h"
#include "progress.h"

#define EVENTS_MAX   300000u
#define RUNS         10000
#define RUNS_BOUNDED 1000000

struct targets {
	struct explore_target *ts_targets;
	size_t ts_n;
};

/*
 * What is to be looked at.
 */

static void
add_target(struct targets *ts, const struct xs_scenario *xs, const char *design,
    const char *bug)
{
	struct explore_target *et;

	ts->ts_targets = bench_reallocarray(
	    ts->ts_targets, ts->ts_n + 1, sizeof(*ts->ts_targets));
	et = &ts->ts_targets[ts->ts_n++];
	et->et_xs = xs;
	et->et_design = bug != NULL ? bench_asprintf("%s+bug=%s", design, bug)
				    : bench_strdup(design);
}

/* Returns 0 or EX_USAGE.  all: a design that is unfit is left out. */
static int
add_scenario(struct targets *ts, const struct explore_options *eo,
    const struct xs_scenario *xs, bool all)
{
	const struct xs_kind *xk = xs->xs_kind;
	const char *design = eo->eo_design, *why;
	struct design d;
	char text[256];

	if (design == NULL || strcmp(design, "all") == 0) {
		for (size_t i = 0; xk->xk_designs[i] != NULL; i++) {
			add_target(ts, xs, xk->xk_designs[i], eo->eo_bug);
			if (design == NULL)
				break;
		}
		return (0);
	}
	if (design_parse(design, NULL, &d, text, sizeof(text)) != 0) {
		warnx("--design: %s", text);
		return (EX_USAGE);
	}
	why = xk->xk_unfit != NULL ? xk->xk_unfit(&d) : NULL;
	if (why == NULL) {
		add_target(ts, xs, design, eo->eo_bug);
	} else if (!all) {
		warnx("--design: %s: %s: %s", xs->xs_name, design, why);
		return (EX_USAGE);
	}
	return (0);
}

/* A fault that does not exist is said once, before anything runs. */
static int
check_bug(const struct explore_options *eo)
{
	struct design d;
	char *design, text[256];
	int error;

	if (eo->eo_bug == NULL)
		return (0);
	design = bench_asprintf("sparse/gen2+bug=%s", eo->eo_bug);
	error = design_parse(design, NULL, &d, text, sizeof(text));
	free(design);
	if (error == 0)
		return (0);
	warnx("--bug: %s: expected one of tests/README.md", text);
	return (EX_USAGE);
}

static int
add_targets(struct targets *ts, const struct explore_options *eo)
{
	bool all = strcmp(eo->eo_scenarios, "all") == 0;
	const struct xs_scenario *xs;
	char **names;
	size_t n;
	int error = 0;

	for (size_t i = 0; all && error == 0 && xs_scenarios[i] != NULL; i++)
		error = add_scenario(ts, eo, xs_scenarios[i], true);
	if (all)
		return (error);
	if (opt_list(eo->eo_scenarios, &names, &n) != 0) {
		warnx("--scenario: \"%s\": a name is empty", eo->eo_scenarios);
		return (EX_USAGE);
	}
	for (size_t i = 0; error == 0 && i < n; i++) {
		xs = xs_lookup(names[i]);
		if (xs == NULL) {
			warnx("--scenario: no \"%s\"; see --list", names[i]);
			error = EX_USAGE;
		} else {
			error = add_scenario(ts, eo, xs, false);
		}
	}
	free(names);
	return (error);
}

/*
 * One run, recorded.
 */

struct recorder {
	struct ex_result *re_result;
	struct ex_event *re_events;
	struct explore_names *re_names;
};

static void
recorder_create(struct recorder *re)
{
	re->re_result = explore_shared(sizeof(*re->re_result));
	re->re_events = explore_shared(EVENTS_MAX * sizeof(*re->re_events));
	re->re_names = explore_names_create();
}

static void
recorder_destroy(struct recorder *re)
{
	explore_unshare(re->re_result, sizeof(*re->re_result));
	explore_unshare(re->re_events, EVENTS_MAX * sizeof(*re->re_events));
	explore_names_destroy(re->re_names);
}

static void
on_stopped(void *arg, struct xs_run *run)
{
	struct recorder *re = arg;

	explore_names_find(
	    re->re_names, run, re->re_events, re->re_result->er_nevents);
}

static int
record_run(struct recorder *re, const struct explore_setup *es, uint64_t seed,
    uint64_t times)
{
	struct explore_setup setup = *es;

	setup.es_events = re->re_events;
	setup.es_nevents = EVENTS_MAX;
	setup.es_result = re->re_result;
	setup.es_stopped = on_stopped;
	setup.es_arg = re;
	return (explore_child(&setup, seed, times, false));
}

static void
print_replay(const struct explore_target *et, const struct explore_plan *ep)
{
	char *text = explore_plan_text(ep);

	(void)printf("again: pmapsim explore --scenario %s --design %s "
		     "--replay %s\n\n",
	    et->et_xs->xs_name, et->et_design, text);
	free(text);
}

/* With what is recorded in re. */
static bool
fails_again(struct recorder *re, const struct explore_setup *es,
    const struct explore_plan *ep, enum ex_failure what)
{
	return (record_run(re, es, 0, ep->ep_times) == 0 &&
	    re->re_result->er_failure == what);
}

/* What was found, from its plan, as short as it gets. */
static void
report(const struct explore_options *eo, const struct explore_target *et,
    const struct explore_learned *el, const struct ex_result *er)
{
	struct explore_plan plan;
	struct explore_setup es = {
		.es_target = et,
		.es_plan = &plan,
		.es_races = eo->eo_races != 0,
		.es_steps = eo->eo_steps,
		.es_shared = el->el_shared,
		.es_nshared = el->el_nshared,
	};
	struct recorder re;
	size_t n;

	recorder_create(&re);
	explore_plan_of(er, &plan);
	n = plan.ep_n;
	(void)printf("%s, %s: %s\n", et->et_xs->xs_name, et->et_design,
	    ex_failure_name(er->er_failure));
	if (!fails_again(&re, &es, &plan, er->er_failure)) {
		(void)printf("does not come again from its choices:\n%s\n"
			     "again: pmapsim explore --scenario %s --design %s "
			     "--strategy %s --replay %ju\n\n",
		    er->er_text, et->et_xs->xs_name, et->et_design,
		    eo->eo_strategy_text, (uintmax_t)er->er_seed);
	} else {
		es.es_result = re.re_result;
		if (!eo->eo_as_found)
			explore_minimise(&es, &plan, er->er_failure);
		if (!eo->eo_as_found)
			(void)printf(
			    "%zu choices, %zu of them needed\n", n, plan.ep_n);
		(void)fails_again(&re, &es, &plan, er->er_failure);
		explore_show(
		    re.re_result, re.re_events, re.re_names, eo->eo_full);
	}
	print_replay(et, &plan);
	explore_plan_free(&plan);
	recorder_destroy(&re);
}

/* --replay */
static int
replay(const struct explore_options *eo, const struct explore_target *et)
{
	struct explore_learned el = { .el_nshared = 0 };
	struct explore_plan plan = { .ep_n = 0 };
	struct explore_setup es = {
		.es_target = et,
		.es_races = eo->eo_races != 0,
		.es_steps = eo->eo_steps,
	};
	struct ex_result *er = bench_calloc(1, sizeof(*er));
	uint64_t seed = 0, times;
	struct recorder re;
	int error;

	if (opt_number(eo->eo_replay, 0, UINT64_MAX, &seed) == 0) {
		es.es_strategy = &eo->eo_strategy;
		times = explore_times(&eo->eo_strategy, seed);
	} else if (explore_plan_parse(eo->eo_replay, &plan) == 0) {
		es.es_plan = &plan;
		times = plan.ep_times;
	} else {
		warnx("--replay: \"%s\": expected a seed, or a plan as it is "
		      "printed with a failure",
		    eo->eo_replay);
		free(er);
		return (EX_USAGE);
	}
	recorder_create(&re);
	error = explore_learn(eo, et, &el, er);
	es.es_shared = el.el_shared;
	es.es_nshared = el.el_nshared;
	es.es_npoints = el.el_npoints;
	if (error == 0)
		error = record_run(&re, &es, seed, times);
	if (error == 0) {
		explore_show(
		    re.re_result, re.re_events, re.re_names, eo->eo_full);
		if (re.re_result->er_failure != EX_PASSED)
			error = EX_VOID;
		else
			(void)printf("nothing failed\n");
	}
	recorder_destroy(&re);
	explore_plan_free(&plan);
	free(el.el_shared);
	free(er);
	return (error);
}

/*
 * All of them.
 */

static int
look_at(const struct explore_options *eo, const struct explore_target *et,
    struct explore_teller *te)
{
	struct ex_result *er = bench_calloc(1, sizeof(*er));
	struct explore_learned el = { .el_nshared = 0 };
	struct explore_stats st;
	int error;

	error = explore_look(eo, et, &st, &el, er);
	if (error == 0 || error == EX_INTERRUPTED)
		explore_tell(te, et, &st, er);
	if (error == 0 && er->er_failure != EX_PASSED) {
		report(eo, et, &el, er);
		error = EX_VOID;
	}
	free(el.el_shared);
	free(er);
	return (error);
}

static int
look_at_all(const struct explore_options *eo, const struct targets *ts)
{
	struct explore_teller *te;
	struct progress pr;
	int error, status = 0;

	error = explore_teller_create(eo, &te);
	if (error != 0)
		return (error);
	progress_begin(&pr, ts->ts_n);
	for (size_t i = 0; i < ts->ts_n && !bench_stopped(); i++) {
		progress_step(&pr, ts->ts_targets[i].et_xs->xs_name);
		error = look_at(eo, &ts->ts_targets[i], te);
		progress_done(&pr, 1);
		if (error != 0 && error != EX_VOID) {
			status = error;
			break;
		}
		if (error != 0)
			status = error;
	}
	progress_end(&pr);
	error = explore_teller_close(te, status);
	return (status != 0 ? status : error);
}

static unsigned
ncpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return (n < 1                  ? 1
		: n > EXPLORE_JOBS_MAX ? EXPLORE_JOBS_MAX
				       : (unsigned)n);
}

/* What the options say of how to look.  Returns 0 or EX_USAGE. */
static int
configure(struct explore_options *eo)
{
	if (ex_strategy_parse(eo->eo_strategy_text, &eo->eo_strategy) != 0) {
		warnx("--strategy: \"%s\": expected random[:N], pct[:D], "
		      "bounded[:P] or mix",
		    eo->eo_strategy_text);
		return (EX_USAGE);
	}
	if (eo->eo_jobs == 0)
		eo->eo_jobs = ncpus();
	if (eo->eo_runs == 0 && eo->eo_seconds_ns != 0)
		eo->eo_runs = UINT64_MAX;
	else if (eo->eo_runs == 0)
		eo->eo_runs =
		    eo->eo_strategy.es_kind == EX_BOUNDED ? RUNS_BOUNDED : RUNS;
	return (0);
}

int
main(int argc, char *argv[])
{
	struct targets ts = { .ts_n = 0 };
	struct explore_options eo;
	int error;

	if (argc < 2 || strcmp(argv[1], "explore") != 0)
		errx(EX_USAGE, "expected to be called by pmapsim explore");
	error = explore_read(argc - 1, argv + 1, &eo);
	if (error == 0)
		error = configure(&eo);
	if (error == 0)
		error = check_bug(&eo);
	if (error == 0)
		error = add_targets(&ts, &eo);
	if (error == 0 && eo.eo_replay != NULL && ts.ts_n != 1) {
		warnx("--replay: expected one scenario and one design");
		error = EX_USAGE;
	}
	if (error == 0) {
		bench_catch_signals();
		error = eo.eo_replay != NULL ? replay(&eo, &ts.ts_targets[0])
					     : look_at_all(&eo, &ts);
	}
	for (size_t i = 0; i < ts.ts_n; i++)
		free(ts.ts_targets[i].et_design);
	free(ts.ts_targets);
	if (fclose(stdout) != 0 && error == 0)
		error = EX_IOERR;
	return (error);
}
