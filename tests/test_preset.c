/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "sim/virtual/preset.h"

#define BASE "clx-2s-104"

static void
open_base(struct preset *p)
{
	struct preset_error pe;

	assert_int_equal(preset_open(BASE, p, &pe), 0);
}

/* The text of the base preset; the line of key, if any, replaced. */
static char *
text_with(const char *key, const char *line)
{
	struct preset p;
	char *text, *out, *at, start[64];

	open_base(&p);
	text = preset_write(&p, NULL);
	assert_non_null(text);
	if (key == NULL)
		return (text);
	(void)snprintf(start, sizeof(start), "\n%s = ", key);
	at = strstr(text, start);
	assert_non_null(at);
	out = malloc(strlen(text) + strlen(line) + 2);
	assert_non_null(out);
	(void)sprintf(out, "%.*s\n%s%s", (int)(at - text), text, line,
	    strchr(at + 1, '\n'));
	free(text);
	return (out);
}

/* The base preset with another line is no preset, for this reason. */
static void
expect_error(const char *key, const char *line, const char *why, bool at_line)
{
	char *text = text_with(key, line);
	struct preset_error pe = { .pe_line = 999 };
	struct preset p = { .pr_name = "untouched" };

	assert_int_equal(
	    preset_parse("x", text, strlen(text), &p, &pe), EINVAL);
	assert_string_equal(pe.pe_text, why);
	assert_string_equal(p.pr_name, "untouched");
	if (at_line) {
		unsigned n = 1;

		for (const char *c = text; c < strstr(text, line); c++)
			n += *c == '\n';
		assert_int_equal(pe.pe_line, n);
	} else {
		assert_int_equal(pe.pe_line, 0);
	}
	free(text);
}

static void
bundled_presets_are_as_they_are_called(void **state)
{
	static const struct {
		const char *e_name;
		uint64_t e_ncpus, e_cluster_ps, e_socket_ps, e_remote_ps;
	} expected[] = {
		{ "clx-2s-104", 104, 48000, 48000, 134000 },
		{ "milan-2s-256", 256, 23000, 107000, 197000 },
		{ "genoa-2s-384", 384, 20000, 95000, 200000 },
		{ "altra-80", 80, 46000, 46000, 350000 },
		{ "laptop-8", 8, 21000, 21000, 134000 },
	};
	struct preset_error pe;
	struct preset p;
	size_t i;

	(void)state;
	for (i = 0; preset_names[i] != NULL; i++) {
		assert_true(i < sizeof(expected) / sizeof(expected[0]));
		assert_string_equal(preset_names[i], expected[i].e_name);
		assert_int_equal(preset_open(preset_names[i], &p, &pe), 0);
		assert_string_equal(p.pr_name, preset_names[i]);
		assert_true(strlen(p.pr_title) > 0);
		assert_int_equal(preset_ncpus(&p), expected[i].e_ncpus);
		assert_int_equal(
		    p.pr_line_cluster_ps, expected[i].e_cluster_ps);
		assert_int_equal(p.pr_line_socket_ps, expected[i].e_socket_ps);
		assert_int_equal(p.pr_line_remote_ps, expected[i].e_remote_ps);
		for (unsigned f = 0; f < NPRESET_FIELDS; f++)
			assert_true(strlen(p.pr_source[f]) > 0);
	}
	assert_int_equal(i, sizeof(expected) / sizeof(expected[0]));
}

static void
what_is_written_reads_back_the_same(void **state)
{
	struct preset p, q;
	struct preset_error pe;
	size_t len;
	char *text;

	(void)state;
	for (size_t i = 0; preset_names[i] != NULL; i++) {
		assert_int_equal(preset_open(preset_names[i], &p, &pe), 0);
		/* No field is the same as another one's neighbour. */
		p.pr_rmw_ps = 1;
		p.pr_smt_permille = 1001;
		p.pr_wake_deep_ps = 9999999999;
		text = preset_write(&p, &len);
		assert_non_null(text);
		assert_int_equal(strlen(text), len);
		memset(&q, 0, sizeof(q));
		assert_int_equal(
		    preset_parse(p.pr_name, text, len, &q, &pe), 0);
		assert_memory_equal(&p, &q, sizeof(p));
		free(text);
	}
}

static void
a_file_is_read_by_its_path(void **state)
{
	char path[] = "/tmp/test_preset.XXXXXX";
	char *text = text_with("rmw", "rmw=1.25#source:here");
	struct preset_error pe;
	struct preset p;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	assert_int_equal(preset_open(path, &p, &pe), 0);
	assert_int_equal(p.pr_rmw_ps, 1250);
	assert_string_equal(p.pr_source[PRESET_pr_rmw_ps], "here");
	assert_string_equal(p.pr_name, "test_preset");
	(void)unlink(path);
	assert_int_equal(preset_open(path, &p, &pe), ENOENT);
	assert_int_equal(preset_open("/", &p, &pe), EISDIR);
	free(text);
}

static void
a_number_has_a_source(void **state)
{
	(void)state;
	expect_error("rmw", "rmw = 7",
	    "expected \"# source: ...\" after the number, found the end of the "
	    "line",
	    true);
	expect_error("rmw", "rmw = 7 # seven",
	    "expected \"source: ...\" after the number, found \"seven\"", true);
	expect_error("rmw", "rmw = 7 # source: ",
	    "expected where the number comes from, found the end of the line",
	    true);
}

static void
a_line_that_is_wrong_is_named(void **state)
{
	(void)state;
	expect_error(
	    "rmw", "", "expected a line \"rmw = NUMBER # source: ...\"", false);
	expect_error("rmw", "rwm = 7 # source: x",
	    "expected the name of a number, such as line_remote, found \"rwm = "
	    "7 # source: x\"",
	    true);
	expect_error("rmw", "rmw 7 # source: x",
	    "expected \"=\" after rmw, found \"7 # source: x\"", true);
	expect_error("fence", "rmw = 7 # source: again",
	    "rmw was given in line 13", true);
}

static void
a_number_is_in_range(void **state)
{
	static const char *const bad[] = { "", "-1", "1e3", "0x10", "1.",
		"1.0001", ".5", "nan", "1000.001", "18446744073709551616",
		"99999999999999999999999999999" };
	char line[80];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct preset_error pe;
		struct preset p;

		open_base(&p);
		(void)snprintf(line, sizeof(line), "rmw=%s", bad[i]);
		assert_int_equal(preset_set(&p, line, "test", &pe), EINVAL);
		assert_non_null(strstr(pe.pe_text,
		    "expected rmw from 0 to 1000 nanoseconds, found "));
		assert_int_equal(p.pr_rmw_ps, 7000);
	}
	expect_error("sockets", "sockets = 0 # source: x",
	    "expected sockets from 1 to 64, found \"0 # source: x\"", true);
	expect_error("sockets", "sockets = 1.5 # source: x",
	    "expected sockets from 1 to 64, found \"1.5 # source: x\"", true);
	expect_error("smt_factor", "smt_factor = 0.9 # source: x",
	    "expected smt_factor from 1 to 8, found \"0.9 # source: x\"", true);
}

static void
numbers_go_together(void **state)
{
	(void)state;
	expect_error("line_remote", "line_remote = 47 # source: x",
	    "expected line_socket <= line_remote, found 48 and 47", false);
	expect_error("l2_lines", "l2_lines = 100 # source: x",
	    "expected l1_lines <= l2_lines, found 512 and 100", false);
	expect_error("dram_local", "dram_local = 19.999 # source: x",
	    "expected llc_hit <= dram_local, found 20 and 19.999", false);
}

static void
a_number_is_replaced_with_its_source(void **state)
{
	struct preset_error pe;
	struct preset p;
	char text[PRESET_TEXT_MAX];

	(void)state;
	open_base(&p);
	assert_int_equal(preset_set(&p, "line_remote=90.5", "--set", &pe), 0);
	assert_int_equal(p.pr_line_remote_ps, 90500);
	assert_string_equal(p.pr_source[PRESET_pr_line_remote_ps], "--set");
	assert_string_equal(
	    preset_format(&p, PRESET_pr_line_remote_ps, text), "90.5");
	assert_int_equal(preset_check(&p, &pe), 0);
	/* Two that go together only when both are set. */
	assert_int_equal(preset_set(&p, "line_cluster = 100", "--set", &pe), 0);
	assert_int_equal(preset_check(&p, &pe), EINVAL);
	assert_int_equal(preset_set(&p, "rmw", "--set", &pe), EINVAL);
	assert_string_equal(
	    pe.pe_text, "expected \"=\" after rmw, found the end of the line");
	assert_int_equal(preset_set(&p, "rmw=1 2", "--set", &pe), EINVAL);
	assert_string_equal(
	    pe.pe_text, "expected nothing after the number, found \" 2\"");
	assert_int_equal(preset_set(&p, "", "--set", &pe), EINVAL);
}

/* Whatever is cut off or in the way, the answer is an error or a preset. */
static void
broken_text_is_refused(void **state)
{
	char *text = text_with(NULL, NULL), *copy;
	size_t len = strlen(text);
	struct preset_error pe;
	struct preset p;

	(void)state;
	for (size_t n = 0; n + 1 < len; n++) {
		/* Exactly as long, so that a sanitizer sees what is past it. */
		copy = malloc(n + 1);
		assert_non_null(copy);
		memcpy(copy, text, n);
		/* The last line's source may be cut short. */
		if (preset_parse("x", copy, n, &p, &pe) == 0)
			assert_true(n > len - 20);
		else
			assert_true(strlen(pe.pe_text) > 0);
		free(copy);
	}
	for (size_t n = 0; n < len; n++) {
		char was = text[n];

		text[n] = (char)(n * 37);
		pe.pe_text[0] = '\0';
		if (preset_parse("x", text, len, &p, &pe) != 0)
			assert_true(strlen(pe.pe_text) > 0);
		for (const char *c = pe.pe_text; *c != '\0'; c++)
			assert_true(*c >= ' ' && *c <= '~');
		text[n] = was;
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bundled_presets_are_as_they_are_called),
		cmocka_unit_test(what_is_written_reads_back_the_same),
		cmocka_unit_test(a_file_is_read_by_its_path),
		cmocka_unit_test(a_number_has_a_source),
		cmocka_unit_test(a_line_that_is_wrong_is_named),
		cmocka_unit_test(a_number_is_in_range),
		cmocka_unit_test(numbers_go_together),
		cmocka_unit_test(a_number_is_replaced_with_its_source),
		cmocka_unit_test(broken_text_is_refused),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
