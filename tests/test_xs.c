/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The small scenarios, in whatever order the host runs their threads: all run,
 * and nothing in them fails.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kern/sanitizer.h"
#include "workload/xs.h"

/* Of each scenario with each design; the host's orders differ a little. */
#define RUNS (SANITIZED ? 3 : 10)

struct seen {
	unsigned s_begins;
	unsigned s_ends;
	char s_text[256];
};

static void
on_begin(void *arg, struct xs_run *run)
{
	struct seen *s = arg;

	(void)run;
	s->s_begins++;
}

static void
on_end(void *arg, struct xs_run *run)
{
	struct seen *s = arg;

	(void)run;
	s->s_ends++;
}

static void
on_fail(void *arg, const char *text)
{
	struct seen *s = arg;

	(void)snprintf(s->s_text, sizeof(s->s_text), "%s", text);
}

static int
run_once(const struct xs_scenario *xs, const char *design, struct seen *s,
    char *err, size_t errsize)
{
	const struct xs_hooks xh = {
		.xh_begin = on_begin,
		.xh_end = on_end,
		.xh_fail = on_fail,
		.xh_arg = s,
	};

	*s = (struct seen){ .s_begins = 0 };
	err[0] = '\0';
	return (xs_run(xs, design, &xh, err, errsize));
}

static void
run_often(const struct xs_scenario *xs, const char *design)
{
	char err[256];
	struct seen s;

	print_message("%s, %s\n", xs->xs_name, design);
	for (unsigned n = 0; n < RUNS; n++) {
		assert_int_equal(run_once(xs, design, &s, err, sizeof(err)), 0);
		assert_string_equal(err, "");
		assert_string_equal(s.s_text, "");
		assert_int_equal(s.s_begins, 1);
		assert_int_equal(s.s_ends, 1);
	}
}

static void
every_scenario_passes_with_each_of_its_designs(void **state)
{
	const struct xs_scenario *xs;
	const char *const *designs;

	(void)state;
	for (size_t i = 0; (xs = xs_scenarios[i]) != NULL; i++) {
		assert_ptr_equal(xs_lookup(xs->xs_name), xs);
		assert_in_range(xs->xs_threads, 1, XS_THREADS_MAX);
		designs = xs->xs_kind->xk_designs;
		for (size_t d = 0; designs[d] != NULL; d++)
			run_often(xs, designs[d]);
	}
}

static void
a_bad_or_unfit_design_is_refused(void **state)
{
	const struct xs_scenario *xs = xs_lookup("counter");
	char err[256];
	struct seen s;

	(void)state;
	assert_int_equal(
	    run_once(xs, "nonsense", &s, err, sizeof(err)), EINVAL);
	assert_string_not_equal(err, "");
	assert_int_equal(
	    run_once(xs, "sparse/none", &s, err, sizeof(err)), EINVAL);
	assert_non_null(strstr(err, "excludes nobody"));
	assert_int_equal(s.s_begins, 0);
	assert_null(xs_lookup("nonsense"));
}

static void
body_that_fails(struct xs_run *run, unsigned i)
{
	if (i == 1)
		xs_fail(run, "thread %u says so", i);
}

static void
a_failure_is_told(void **state)
{
	struct xs_scenario xs = *xs_lookup("counter");
	char err[256];
	struct seen s;

	(void)state;
	xs.xs_body = body_that_fails;
	xs.xs_check = NULL;
	assert_int_equal(run_once(&xs, NULL, &s, err, sizeof(err)), 0);
	assert_string_equal(s.s_text, "thread 1 says so");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_scenario_passes_with_each_of_its_designs),
		cmocka_unit_test(a_bad_or_unfit_design_is_refused),
		cmocka_unit_test(a_failure_is_told),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
