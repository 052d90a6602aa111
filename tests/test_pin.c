/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/pin.h"

#define MAXCPUS 1024

static const enum pin_order orders[] = { PIN_NONE, PIN_COMPACT, PIN_SCATTER,
	PIN_CORE, PIN_SMT_LAST };

#define NORDERS (sizeof(orders) / sizeof(orders[0]))

struct expected {
	const char *description;
	const char *allowed;
	enum pin_order order;
	const char *cpus;
};

/* In hwloc's synthetic machines siblings have neighbouring numbers. */
static const struct expected table[] = {
	{ "pack:2 core:2 pu:2", NULL, PIN_COMPACT, "0 1 2 3 4 5 6 7" },
	{ "pack:2 core:2 pu:2", NULL, PIN_SCATTER, "0 4 2 6 1 5 3 7" },
	{ "pack:2 core:2 pu:2", NULL, PIN_CORE, "0 2 4 6" },
	{ "pack:2 core:2 pu:2", NULL, PIN_SMT_LAST, "0 2 4 6 1 3 5 7" },
	{ "pack:2 core:2 pu:2", NULL, PIN_NONE, "-1 -1 -1 -1 -1 -1 -1 -1" },
	/* As Linux numbers them: siblings come in a second round. */
	{ "pack:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", NULL, PIN_COMPACT,
	    "0 4 1 5 2 6 3 7" },
	{ "pack:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", NULL, PIN_SCATTER,
	    "0 2 1 3 4 6 5 7" },
	{ "pack:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", NULL, PIN_CORE,
	    "0 1 2 3" },
	{ "pack:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", NULL, PIN_SMT_LAST,
	    "0 1 2 3 4 5 6 7" },
	/* Only some CPUs: ranks are counted over those. */
	{ "pack:2 core:2 pu:2", "1,3-5", PIN_COMPACT, "1 3 4 5" },
	{ "pack:2 core:2 pu:2", "1,3-5", PIN_SCATTER, "1 4 3 5" },
	{ "pack:2 core:2 pu:2", "1,3-5", PIN_CORE, "1 3 4" },
	{ "pack:2 core:2 pu:2", "1,3-5", PIN_SMT_LAST, "1 3 4 5" },
	{ "pack:2 core:2 pu:2", "6", PIN_SCATTER, "6" },
	{ "pack:2 core:2 pu:2", "1,3-5", PIN_NONE, "-1 -1 -1 -1" },
	/* Packages of different size, by what is allowed of them. */
	{ "pack:2 core:4 pu:1", "0,4-7", PIN_SCATTER, "0 4 5 6 7" },
	/* Shared caches and NUMA nodes between package and core. */
	{ "pack:2 numa:2 l3:1 core:2 pu:1", NULL, PIN_COMPACT,
	    "0 1 2 3 4 5 6 7" },
	{ "pack:2 numa:2 l3:1 core:2 pu:1", NULL, PIN_SCATTER,
	    "0 4 1 5 2 6 3 7" },
	/* No packages; no cores; one of everything. */
	{ "core:2 pu:2", NULL, PIN_SCATTER, "0 2 1 3" },
	{ "pu:4", NULL, PIN_CORE, "0 1 2 3" },
	{ "pack:1 core:1 pu:1", NULL, PIN_SMT_LAST, "0" },
};

static void
list_cpus(char *buf, size_t size, const int *cpus, size_t n)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%d",
		    i == 0 ? "" : " ", cpus[i]);
}

static void
orders_are_as_described(void **state)
{
	int cpus[MAXCPUS];
	char text[256];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		n = pin_order_synthetic(table[i].order, table[i].description,
		    table[i].allowed, cpus, MAXCPUS);
		list_cpus(text, sizeof(text), cpus, n);
		if (strcmp(text, table[i].cpus) != 0)
			print_error("%s of \"%s\", %s allowed\n",
			    pin_order_name(table[i].order),
			    table[i].description,
			    table[i].allowed == NULL ? "all"
						     : table[i].allowed);
		assert_string_equal(text, table[i].cpus);
	}
}

static void
every_cpu_of_a_large_machine_comes_once(void **state)
{
	static unsigned char seen[MAXCPUS];
	int cpus[MAXCPUS];
	size_t n;

	(void)state;
	for (size_t i = 0; i < NORDERS; i++) {
		if (orders[i] == PIN_NONE || orders[i] == PIN_CORE)
			continue;
		n = pin_order_synthetic(
		    orders[i], "pack:4 core:128 pu:2", NULL, cpus, MAXCPUS);
		assert_int_equal(n, 1024);
		memset(seen, 0, sizeof(seen));
		for (size_t c = 0; c < n; c++) {
			assert_in_range(cpus[c], 0, 1023);
			assert_int_equal(seen[cpus[c]]++, 0);
		}
	}
}

static void
count_may_exceed_the_array(void **state)
{
	int cpus[3] = { -7, -7, -7 };

	(void)state;
	assert_int_equal(pin_order_synthetic(
			     PIN_SMT_LAST, "pack:2 core:4 pu:2", NULL, cpus, 2),
	    16);
	assert_int_equal(cpus[0], 0);
	assert_int_equal(cpus[1], 2);
	assert_int_equal(cpus[2], -7);
	assert_int_equal(
	    pin_order_synthetic(PIN_COMPACT, "pu:4", NULL, NULL, 0), 4);
}

static void
malformed_description_gives_no_cpus(void **state)
{
	int cpus[4];

	(void)state;
	assert_int_equal(
	    pin_order_synthetic(PIN_COMPACT, "pack:", NULL, cpus, 4), 0);
	assert_int_equal(
	    pin_order_synthetic(PIN_COMPACT, "pu:4", "9", cpus, 4), 0);
}

static void
names_are_parsed_back(void **state)
{
	enum pin_order po = PIN_CORE;

	(void)state;
	for (size_t i = 0; i < NORDERS; i++) {
		assert_int_equal(
		    pin_order_parse(pin_order_name(orders[i]), &po), 0);
		assert_int_equal(po, orders[i]);
	}
	po = PIN_CORE;
	assert_int_equal(pin_order_parse("", &po), EINVAL);
	assert_int_equal(pin_order_parse("compac", &po), EINVAL);
	assert_int_equal(pin_order_parse("compact ", &po), EINVAL);
	assert_int_equal(po, PIN_CORE);
}

static void
host_offers_its_cpus_in_every_order(void **state)
{
	int cpus[MAXCPUS];
	size_t n;

	(void)state;
	assert_true(host_ncpus() >= 1);
	for (size_t i = 0; i < NORDERS; i++) {
		n = pin_order_cpus(orders[i], cpus, MAXCPUS);
		assert_in_range(n, 1, host_ncpus());
		if (orders[i] != PIN_CORE)
			assert_int_equal(n, host_ncpus());
		for (size_t c = 0; c < n && c < MAXCPUS; c++)
			assert_int_equal(cpus[c] < 0, orders[i] == PIN_NONE);
	}
}

static void
host_is_described(void **state)
{
	struct host_info hi;

	(void)state;
	memset(&hi, 0xff, sizeof(hi));
	host_info(&hi);
	assert_true(strlen(hi.hi_kernel) > 0);
	assert_true(strlen(hi.hi_cpu_model) < sizeof(hi.hi_cpu_model));
	assert_null(strchr(hi.hi_governor, '\n'));
	assert_true(hi.hi_cpus >= host_ncpus());
	assert_true(hi.hi_cores <= hi.hi_cpus);
	assert_true(hi.hi_packages <= hi.hi_cpus);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_are_as_described),
		cmocka_unit_test(every_cpu_of_a_large_machine_comes_once),
		cmocka_unit_test(count_may_exceed_the_array),
		cmocka_unit_test(malformed_description_gives_no_cpus),
		cmocka_unit_test(names_are_parsed_back),
		cmocka_unit_test(host_offers_its_cpus_in_every_order),
		cmocka_unit_test(host_is_described),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
