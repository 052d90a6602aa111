/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the program prints with: order statistics, histograms, numbers, tables,
 * options.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/hist.h"
#include "bench/opt.h"
#include "bench/stats.h"
#include "bench/table.h"

static void
median_is_the_middle_whatever_the_order(void **state)
{
	double odd[] = { 5, 1, 3 }, even[] = { 4, 1, 3, 2 }, one[] = { 7 };
	struct stats s;

	(void)state;
	s = stats_of(odd, 3);
	assert_int_equal(s.s_n, 3);
	assert_true(s.s_median == 3 && s.s_min == 1 && s.s_max == 5);
	s = stats_of(even, 4);
	assert_true(s.s_median == 2.5 && s.s_min == 1 && s.s_max == 4);
	s = stats_of(one, 1);
	assert_true(s.s_median == 7 && s.s_min == 7 && s.s_max == 7);
	s = stats_of(one, 0);
	assert_true(s.s_n == 0 && s.s_median == 0);
}

static void
quantiles_interpolate_between_neighbours(void **state)
{
	const double v[] = { 10, 20, 30, 40, 50 };

	(void)state;
	assert_true(stats_quantile(v, 5, 0) == 10);
	assert_true(stats_quantile(v, 5, 1) == 50);
	assert_true(stats_quantile(v, 5, 0.5) == 30);
	assert_true(stats_quantile(v, 5, 0.25) == 20);
	assert_true(stats_quantile(v, 5, 0.375) == 25);
	assert_true(stats_quantile(v, 1, 0.99) == 10);
}

static void
ratio_to_nothing_is_nothing(void **state)
{
	(void)state;
	assert_true(stats_ratio(1, 0) == 0);
	assert_true(stats_ratio(6, 3) == 2);
}

static void
jain_is_one_when_all_are_equal_and_one_nth_when_one_has_all(void **state)
{
	const double equal[] = { 3, 3, 3, 3 }, one[] = { 0, 5, 0, 0 },
		     half[] = { 1, 1, 0, 0 }, nothing[] = { 0, 0 };

	(void)state;
	assert_true(stats_jain(equal, 4) == 1);
	assert_true(stats_jain(one, 4) == 0.25);
	assert_true(stats_jain(half, 4) == 0.5);
	assert_true(stats_jain(nothing, 2) == 1);
	assert_true(stats_jain(nothing, 0) == 1);
}

static void
buckets_grow_with_the_value_and_stay_within_a_sixteenth(void **state)
{
	unsigned last = 0;

	(void)state;
	assert_int_equal(hist_index(0), 0);
	assert_int_equal(hist_index(UINT64_MAX), HIST_BUCKETS - 1);
	for (uint64_t v = 1; v < 100000; v++) {
		unsigned i = hist_index(v);

		assert_true(i == last || i == last + 1);
		last = i;
	}
	for (unsigned e = 17; e < 64; e++) {
		uint64_t v = UINT64_C(1) << e;

		assert_int_equal(hist_index(v), hist_index(v - 1) + 1);
		assert_int_equal(hist_index(v), hist_index(v + v / 16 - 1));
		assert_int_equal(hist_index(v) + 1, hist_index(v + v / 16));
	}
}

static void
histogram_quantiles_are_not_too_low_and_hardly_too_high(void **state)
{
	static struct hist h;

	(void)state;
	memset(&h, 0, sizeof(h));
	assert_int_equal(hist_quantile(&h, 0.5), 0);
	for (uint64_t v = 1; v <= 10000; v++)
		hist_add(&h, v);
	assert_int_equal(h.h_count, 10000);
	assert_int_equal(h.h_max, 10000);
	for (unsigned p = 1; p <= 1000; p++) {
		uint64_t exact = p * 10;
		uint64_t v = hist_quantile(&h, p / 1000.0);

		assert_true(v >= exact && v <= exact + exact / 16);
	}
	assert_int_equal(hist_quantile(&h, 0), 1);
	assert_int_equal(hist_quantile(&h, 1), 10000);
}

static void
histogram_of_one_value_is_that_value(void **state)
{
	static struct hist h;

	(void)state;
	memset(&h, 0, sizeof(h));
	hist_add(&h, 1000003);
	assert_int_equal(hist_quantile(&h, 0.001), 1000003);
	assert_int_equal(hist_quantile(&h, 0.999), 1000003);
}

static void
merged_histograms_have_both(void **state)
{
	static struct hist a, b;

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	for (int i = 0; i < 90; i++)
		hist_add(&a, 5);
	for (int i = 0; i < 10; i++)
		hist_add(&b, 7000);
	hist_merge(&a, &b);
	assert_int_equal(a.h_count, 100);
	assert_int_equal(a.h_max, 7000);
	assert_int_equal(hist_quantile(&a, 0.9), 5);
	assert_int_equal(hist_quantile(&a, 0.91), 7000);
}

static void
numbers_have_three_digits_and_groups(void **state)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ -1, "-" },
		{ 0.004, "0.00" },
		{ 1.234, "1.23" },
		{ 9.994, "9.99" },
		{ 9.996, "10.0" },
		{ 12.34, "12.3" },
		{ 99.94, "99.9" },
		{ 99.96, "100" },
		{ 999.5, "1 000" },
		{ 14750058915.0, "14 750 058 915" },
	};
	char buf[TABLE_NUMBER_MAX], range[TABLE_RANGE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
		    table_number(buf, cases[i].v), cases[i].text);
	assert_string_equal(table_integer(buf, 0), "0");
	assert_string_equal(table_integer(buf, 100), "100");
	assert_string_equal(table_integer(buf, 1000), "1 000");
	assert_string_equal(
	    table_integer(buf, UINT64_MAX), "18 446 744 073 709 551 615");
	assert_string_equal(table_range(range, 1, 1000), "1.00-1000");
}

static void
names_break_before_their_options(void **state)
{
	static const struct {
		const char *name, *broken;
	} cases[] = {
		{ "head", "head" },
		{ "superpage+batch", "superpage\n+batch" },
		{ "sparse/gen2+batch", "sparse/gen2\n+batch" },
		{ "a+b+c", "a+b+c" },
		{ "hashed/rwlock+pad+batch", "hashed/\nrwlock+pad\n+batch" },
		{ "+batch", "+batch" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *s = table_break_name(cases[i].name, 12);

		assert_string_equal(s, cases[i].broken);
		free(s);
	}
}

static void
table_aligns_and_leaves_no_blanks_at_the_end(void **state)
{
	static const char expected[] = "          two\n"
				       "name    lines  note\n"
				       "-------------------\n"
				       "a           1  x\n"
				       "longer     22\n";
	struct table *t = table_create("lrl");
	char text[256];
	FILE *f;

	(void)state;
	table_cell(t, "name");
	table_cell(t, "two\nlines");
	table_cell(t, "note");
	table_rule(t);
	table_cell(t, "a");
	table_cell(t, "%d", 1);
	table_cell(t, "x");
	table_cell(t, "longer");
	table_cell(t, "%d", 22);
	table_cell(t, "%s", "");
	assert_int_equal(table_width(t), 19);
	memset(text, 0, sizeof(text));
	f = fmemopen(text, sizeof(text), "w");
	assert_non_null(f);
	table_print(t, f);
	(void)fclose(f);
	table_destroy(t);
	assert_string_equal(text, expected);
}

static void
table_destroy_accepts_null(void **state)
{
	(void)state;
	table_destroy(NULL);
}

static void
number_takes_digits_only(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1",
		"1e3", "abc", "11", "18446744073709551616",
		"99999999999999999999999" };
	uint64_t v = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_not_equal(opt_number(bad[i], 1, 10, &v), 0);
		assert_int_equal(v, 42);
	}
	assert_int_not_equal(opt_number("0", 1, 10, &v), 0);
	assert_int_equal(opt_number("10", 1, 10, &v), 0);
	assert_int_equal(v, 10);
	assert_int_equal(
	    opt_number("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
}

static void
seconds_are_decimal(void **state)
{
	static const char *const bad[] = { "", ".", "-1", "1e3", "inf", "nan",
		"0x10", "0", "0.0001", "86401", "1.2.3", "1s" };
	uint64_t ns = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_not_equal(opt_seconds(bad[i], &ns), 0);
		assert_int_equal(ns, 42);
	}
	assert_int_equal(opt_seconds("0.4", &ns), 0);
	assert_int_equal(ns, 400000000);
	assert_int_equal(opt_seconds("2", &ns), 0);
	assert_int_equal(ns, 2000000000);
}

static void
list_has_no_empty_element(void **state)
{
	static const char *const bad[] = { "", ",", "a,", ",a", "a,,b" };
	char **list;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(opt_list(bad[i], &list, &n), 0);
	assert_int_equal(opt_list("a,bc,d", &list, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(list[0], "a");
	assert_string_equal(list[1], "bc");
	assert_string_equal(list[2], "d");
	assert_null(list[3]);
	free(list);
}

struct conf {
	bool c_flag;
	unsigned c_number;
	uint64_t c_ns;
	const char *c_text;
};

static const struct opt opts[] = {
	{ "flag", NULL, OPT_FLAG, offsetof(struct conf, c_flag), 0, 0, "" },
	{ "number", "N", OPT_UNSIGNED, offsetof(struct conf, c_number), 1, 9,
	    "" },
	{ "seconds", "S", OPT_SECONDS, offsetof(struct conf, c_ns), 0, 0, "" },
	{ "text", "T", OPT_STRING, offsetof(struct conf, c_text), 0, 0, "" },
	{ .o_name = NULL },
};

static void
options_are_read_until_the_first_argument(void **state)
{
	char *argv[] = { (char[]){ "cmd" }, (char[]){ "--flag" },
		(char[]){ "--number=3" }, (char[]){ "--number" },
		(char[]){ "4" }, (char[]){ "--text" }, (char[]){ "-" },
		(char[]){ "--seconds=0.5" }, (char[]){ "-" },
		(char[]){ "--flag" } };
	struct conf c = { .c_number = 0 };
	int rest = 0;

	(void)state;
	assert_int_equal(opt_parse(opts, 10, argv, &c, &rest), 0);
	assert_int_equal(rest, 8);
	assert_true(c.c_flag);
	assert_int_equal(c.c_number, 4);
	assert_int_equal(c.c_ns, 500000000);
	assert_string_equal(c.c_text, "-");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(median_is_the_middle_whatever_the_order),
		cmocka_unit_test(quantiles_interpolate_between_neighbours),
		cmocka_unit_test(ratio_to_nothing_is_nothing),
		cmocka_unit_test(
		    jain_is_one_when_all_are_equal_and_one_nth_when_one_has_all),
		cmocka_unit_test(
		    buckets_grow_with_the_value_and_stay_within_a_sixteenth),
		cmocka_unit_test(
		    histogram_quantiles_are_not_too_low_and_hardly_too_high),
		cmocka_unit_test(histogram_of_one_value_is_that_value),
		cmocka_unit_test(merged_histograms_have_both),
		cmocka_unit_test(numbers_have_three_digits_and_groups),
		cmocka_unit_test(names_break_before_their_options),
		cmocka_unit_test(table_aligns_and_leaves_no_blanks_at_the_end),
		cmocka_unit_test(table_destroy_accepts_null),
		cmocka_unit_test(number_takes_digits_only),
		cmocka_unit_test(seconds_are_decimal),
		cmocka_unit_test(list_has_no_empty_element),
		cmocka_unit_test(options_are_read_until_the_first_argument),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
