/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * All scenarios, with the witness watching: each order of two locks that is seen
 * must follow from the order written down in witness_order.c, and the orders
 * that make up the pv layer must have been seen.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lock/witness.h"
#include "pmap/pmap_var.h"
#include "pmapsim/workload.h"
#include "workload_util.h"

#define THREADS 4
#define ROUNDS  10

static uint64_t seed;

static const char *const designs[] = {
	"sparse/rwlock",
	"sparse/gen2+batch",
	"segment/mtx8+chunks=global",
	"ptrarray/pthread_mutex",
	"hashed/gen1+locks=2",
};

/* What any run of all scenarios must have shown. */
static const char *const expected[][2] = {
	{ "vm object", "pmap" },
	{ "vm object", "pmap pv list" },
	{ "vm object", "vm page free queue" },
	{ "pmap", "pmap pv list" },
	{ "pmap", "pmap pv chunk list" },
	{ "pmap", "vm page free queue" },
	{ "pmap pv list", "pmap pv chunk list" },
	{ "pmap pv list", "vm page free queue" },
};
#define NEXPECTED (sizeof(expected) / sizeof(expected[0]))

struct seen {
	unsigned s_edges;
	unsigned s_strange;
	bool s_expected[NEXPECTED];
};

static void
look(void *arg, const struct witness_edge *we)
{
	const struct witness_place *outer = &we->we_first.ws_outer;
	const struct witness_place *inner = &we->we_first.ws_inner;
	struct seen *s = arg;

	s->s_edges++;
	s->s_strange += !we->we_given;
	print_message("# %-20s -> %-20s %s%s:%d, %s:%d\n", outer->wp_name,
	    inner->wp_name, we->we_given ? "" : "(not given) ", outer->wp_file,
	    outer->wp_line, inner->wp_file, inner->wp_line);
	for (size_t i = 0; i < NEXPECTED; i++) {
		if (strcmp(outer->wp_name, expected[i][0]) == 0 &&
		    strcmp(inner->wp_name, expected[i][1]) == 0)
			s->s_expected[i] = true;
	}
}

static void
every_order_seen_is_one_of_those_given(void **state)
{
	struct machine_options mo = {
		.mo_ncpus = THREADS,
		.mo_witness = MACHINE_WITNESS_PRINT,
	};
	struct workload_config wc;
	struct workload_result wr;
	struct seen s = { 0 };
	struct machine *m;

	(void)state;
	for (size_t i = 0; i < sizeof(designs) / sizeof(designs[0]); i++) {
		print_message("# %s\n", designs[i]);
		m = machine_of(map_two_domains, designs[i], &mo);
		for (const struct workload_info *wi = workload_list();
		     wi->wi_name != NULL; wi++) {
			wc = small_workload(wi->wi_name, THREADS, seed, ROUNDS);
			run_workload(m, &wc, &wr);
			workload_result_free(&wr);
		}
		witness_foreach_edge(m->ma_sim, look, &s);
		assert_int_equal(witness_reports(m->ma_sim), 0);
		machine_end(m);
	}
	assert_true(s.s_edges > 0);
	assert_int_equal(s.s_strange, 0);
	for (size_t i = 0; i < NEXPECTED; i++) {
		if (!s.s_expected[i])
			fail_msg("%s -> %s was not seen", expected[i][0],
			    expected[i][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_seen_is_one_of_those_given),
	};

	seed = test_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
