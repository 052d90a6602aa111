/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of a scenario in a world of its own, in this process. */
#include "pmapsim/panic.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "explore.h"
#include "sim/virtual/explore_place.h"
#include "sim/virtual/virt.h"

struct explore_world {
	struct explore_setup ew_setup;
	struct explore *ew_explore;
	struct ex_choice *ew_plan; /* sorted */
	struct xs_run *ew_run;     /* while its threads run */
};

/* The library has one handler of panics, and it knows of no world. */
static struct explore_world *panicking;

uint64_t
explore_times(const struct ex_strategy *es, uint64_t seed)
{
	/* A search that is to be complete leaves nothing to chance. */
	return (es->es_kind == EX_BOUNDED ? 0 : ex_hash(seed) | 1);
}

static void
on_begin(void *arg, struct xs_run *run)
{
	struct explore_world *ew = arg;

	ew->ew_run = run;
	explore_start(ew->ew_explore);
}

static void
on_end(void *arg, struct xs_run *run)
{
	struct explore_world *ew = arg;

	explore_stop(ew->ew_explore);
	if (ew->ew_setup.es_stopped != NULL)
		ew->ew_setup.es_stopped(ew->ew_setup.es_arg, run);
}

static void
on_fail(void *arg, const char *text)
{
	struct explore_world *ew = arg;

	explore_fail(ew->ew_explore, EX_CHECK, text);
}

static void
on_panic(const char *file, int line, const char *msg)
{
	const char *name = strrchr(file, '/');
	char text[768];

	(void)snprintf(text, sizeof(text), "%s:%d: %s",
	    name != NULL ? name + 1 : file, line, msg);
	explore_fail(panicking->ew_explore, EX_PANIC, text);
}

static void
on_failed(void *arg)
{
	struct explore_world *ew = arg;

	if (ew->ew_setup.es_stopped != NULL)
		ew->ew_setup.es_stopped(ew->ew_setup.es_arg, ew->ew_run);
	_exit(EXPLORE_FAILED);
}

static int
compare_choices(const void *a, const void *b)
{
	const struct ex_choice *x = a, *y = b;

	if (x->ec_fiber != y->ec_fiber)
		return (x->ec_fiber < y->ec_fiber ? -1 : 1);
	return ((x->ec_event > y->ec_event) - (x->ec_event < y->ec_event));
}

struct explore_world *
explore_world_create(const struct explore_setup *es)
{
	struct explore_world *ew = bench_calloc(1, sizeof(*ew));
	struct ex_config xc = {
		.xc_strategy = es->es_strategy,
		.xc_races = es->es_races,
		.xc_steps_max = es->es_steps,
		.xc_npoints = es->es_npoints,
		.xc_events = es->es_events,
		.xc_nevents = es->es_nevents,
		.xc_result = es->es_result,
		.xc_failed = on_failed,
		.xc_arg = ew,
	};

	ew->ew_setup = *es;
	if (es->es_plan != NULL) {
		xc.xc_nplan = es->es_plan->ep_n;
		ew->ew_plan =
		    bench_calloc(xc.xc_nplan + 1, sizeof(*ew->ew_plan));
		memcpy(ew->ew_plan, es->es_plan->ep_choices,
		    xc.xc_nplan * sizeof(*ew->ew_plan));
		qsort(ew->ew_plan, xc.xc_nplan, sizeof(*ew->ew_plan),
		    compare_choices);
		xc.xc_plan = ew->ew_plan;
	}
	if (explore_create(&xc, &ew->ew_explore) != 0)
		errx(EX_OSERR, "explore: out of memory");
	for (uint32_t i = 0; i < es->es_nshared; i++)
		ex_places_share(
		    explore_places(ew->ew_explore), es->es_shared[i]);
	panicking = ew;
	panic_handler = on_panic;
	return (ew);
}

struct explore *
explore_world_explore(struct explore_world *ew)
{
	return (ew->ew_explore);
}

int
explore_world_run(
    struct explore_world *ew, uint64_t seed, uint64_t times, bool keep)
{
	const struct explore_target *et = ew->ew_setup.es_target;
	const struct xs_hooks hooks = {
		.xh_begin = on_begin,
		.xh_end = on_end,
		.xh_fail = on_fail,
		.xh_arg = ew,
	};
	const struct virt_config vc = {
		.vc_ncpus = et->et_xs->xs_threads + 1,
		.vc_seed = seed,
		.vc_explore = ew->ew_explore,
	};
	char text[256] = "";
	int error;

	explore_begin(ew->ew_explore, seed, times, keep);
	error = virt_begin(&vc);
	if (error != 0) {
		warnx("explore: a world: %s", strerror(error));
		return (bench_exit_status(error));
	}
	error = xs_run(et->et_xs, et->et_design, &hooks, text, sizeof(text));
	virt_end();
	ew->ew_run = NULL;
	if (error != 0) {
		warnx("%s", text);
		return (error == EINVAL ? EX_USAGE : bench_exit_status(error));
	}
	return (0);
}

void *
explore_shared(size_t size)
{
	void *p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	    -1, 0);
	if (p == MAP_FAILED)
		err(EX_OSERR, "explore: %zu bytes that children share", size);
	return (p);
}

void
explore_unshare(void *p, size_t size)
{
	if (p != NULL)
		(void)munmap(p, size);
}

int
explore_child(
    const struct explore_setup *es, uint64_t seed, uint64_t times, bool quiet)
{
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0) {
		warn("explore: fork");
		return (EX_UNAVAILABLE);
	}
	if (pid == 0) {
		struct explore_world *ew = explore_world_create(es);

		if (quiet)
			(void)freopen("/dev/null", "w", stderr);
		_exit(explore_world_run(ew, seed, times, false));
	}
	if (waitpid(pid, &status, 0) != pid) {
		warn("explore: waitpid");
		return (EX_OSERR);
	}
	if (WIFSIGNALED(status) ||
	    (WEXITSTATUS(status) != 0 &&
		WEXITSTATUS(status) != EXPLORE_FAILED &&
		es->es_result->er_steps != 0)) {
		es->es_result->er_failure = EX_CRASH;
		(void)snprintf(es->es_result->er_text,
		    sizeof(es->es_result->er_text), "ended by %s %d",
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status));
		return (0);
	}
	return (
	    WEXITSTATUS(status) == EXPLORE_FAILED ? 0 : WEXITSTATUS(status));
}
