/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The recorded behaviour of the real pmap, byte for byte.
 *
 * Without argument: every script under the versions it was recorded with, by the
 * pmap and by the model; what the random tests compare with is thus as near to
 * the original as the recordings are.  With a layout as argument: every script
 * under that layout, with every lock.  Where each operation checks itself, each
 * script has some of the locks only, and under a sanitizer one version, one layout
 * and one lock, so that all are used.
 */

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "kern/sanitizer.h"
#include "pmap_util.h"
#include "script_util.h"

#define VECTORS PMAPSIM_SOURCE_DIR "/tests/vectors"

static const char *layout;

static int
is_script(const struct dirent *de)
{
	size_t len = strlen(de->d_name);

	return (len > 4 && strcmp(de->d_name + len - 4, ".txt") == 0);
}

/* The expected output: X.expect, or X.expect-VERSION. */
static char *
read_expected(const char *path, enum pmap_version version)
{
	char name[512];
	char *text;

	(void)snprintf(
	    name, sizeof(name), "%.*s.expect", (int)strlen(path) - 4, path);
	text = script_read_file(name);
	if (text != NULL)
		return (text);
	(void)snprintf(name, sizeof(name), "%.*s.expect-%s",
	    (int)strlen(path) - 4, path, pmap_version_name(version));
	text = script_read_file(name);
	if (text == NULL)
		fail_msg("%s: no expected output", name);
	return (text);
}

/* Fails with the first line that differs. */
static void
compare(
    const char *path, const char *design, const char *got, const char *expected)
{
	size_t i = 0, g, e;

	if (strcmp(got, expected) == 0)
		return;
	while (got[i] == expected[i])
		i++;
	while (i > 0 && got[i - 1] != '\n')
		i--;
	g = strcspn(got + i, "\n");
	e = strcspn(expected + i, "\n");
	fail_msg("%s under %s:\n  expected %.*s\n  found    %.*s", path, design,
	    (int)e, expected + i, (int)g, got + i);
}

static void
run_one(const char *path, const char *design, enum pmap_version version)
{
	char text[128], *expected, *script;
	struct script_lines sl = { .sl_n = 0 };
	struct script_out out = { .so_buf = NULL };
	const struct script_job sj = {
		.sj_design = text,
		.sj_version = version,
		.sj_model = layout == NULL,
		.sj_end_state = layout == NULL,
		.sj_diag = stderr,
		.sj_out = &out,
	};
	struct script_outcome so;

	(void)snprintf(text, sizeof(text), "%s+pmap=%s", design,
	    pmap_version_name(version));
	script = script_read_file(path);
	assert_non_null(script);
	script_lines_split(&sl, script);
	expected = read_expected(path, version);
	script_run(&sj, &sl, &so);
	if (!so.so_ok)
		fail_msg(
		    "%s:%u under %s: %s", path, so.so_line, text, so.so_text);
	compare(path, text, out.so_buf, expected);
	script_lines_free(&sl);
	script_out_free(&out);
	free(expected);
	free(script);
}

/* Call fn for each script of a folder; returns how many there were. */
static unsigned
each_script(const char *folder, void (*fn)(const char *path, unsigned i))
{
	struct dirent **list;
	char path[512];
	unsigned i, n;
	int found;

	found = scandir(folder, &list, is_script, alphasort);
	assert_true(found > 0);
	n = (unsigned)found;
	for (i = 0; i < n; i++) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", folder, list[i]->d_name);
		fn(path, i);
		free(list[i]);
	}
	free(list);
	return (n);
}

static void
neutral(const char *path, unsigned i)
{
	static const enum pmap_version versions[] = { PMAP_14, PMAP_12_3,
		PMAP_12_1 };

	for (unsigned v = 0; v < 3; v++) {
		if (!SANITIZED || v == i % 3)
			run_one(path, "sparse/rwlock", versions[v]);
	}
}

static unsigned
layout_index(void)
{
	unsigned i;

	for (i = 0; strcmp(layout, pu_layouts[i]) != 0; i++)
		assert_true(i + 1 < PU_NLAYOUTS);
	return (i);
}

static void
scripts_answer_as_all_versions_did(void **state)
{
	(void)state;
	assert_int_equal(each_script(VECTORS "/public", neutral), 66);
}

static void
scripts_answer_as_each_version_did(void **state)
{
	(void)state;
	assert_int_equal(each_script(VECTORS "/versioned", neutral), 11);
}

static void
under_the_layout(const char *path, unsigned i)
{
	const struct pv_lock_ops *const *ops = pv_lock_ops_list();
	bool quick = DIAGNOSTIC_ENABLED || SANITIZED;
	char design[64];
	unsigned n = 0;

	if (SANITIZED && i % PU_NLAYOUTS != layout_index())
		return;
	while (ops[n] != NULL)
		n++;
	for (unsigned l = 0; l < n; l++) {
		if (quick && l != i % n && (SANITIZED || l != (i + n / 2) % n))
			continue;
		(void)snprintf(
		    design, sizeof(design), "%s/%s", layout, ops[l]->plo_name);
		run_one(path, design, PMAP_14);
	}
}

static void
no_layout_or_lock_changes_an_answer(void **state)
{
	(void)state;
	(void)each_script(VECTORS "/public", under_the_layout);
	(void)each_script(VECTORS "/versioned", under_the_layout);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(scripts_answer_as_all_versions_did),
		cmocka_unit_test(scripts_answer_as_each_version_did),
	};
	const struct CMUnitTest by_layout[] = {
		cmocka_unit_test(no_layout_or_lock_changes_an_answer),
	};

	if (argc < 2)
		return (cmocka_run_group_tests(plain, NULL, NULL));
	layout = argv[1];
	return (cmocka_run_group_tests_name(layout, by_layout, NULL, NULL));
}
