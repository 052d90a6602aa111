/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Random scripts: the pmap answers as the model does, line by line.
 *
 * Flavours, versions, layouts and locks take turns.  PMAPSIM_SEED chooses other
 * scripts, PMAPSIM_SCRIPTS how many.  One that fails is made as short as possible
 * and written to a file, which "pmapsim script" runs.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "kern/sanitizer.h"
#include "pmap_util.h"
#include "script_gen.h"
#include "script_min.h"

#define LINES    300
#define MIN_RUNS 1500
#define BAD_SEED UINT64_C(0xbad)

static uint64_t
number_from_env(const char *name, uint64_t value)
{
	const char *text = getenv(name);

	if (text != NULL)
		value = strtoull(text, NULL, 0);
	printf("%s=%ju\n", name, (uintmax_t)value);
	return (value);
}

/* So that all builds together do a million operations in a minute or so each. */
static uint64_t
default_scripts(void)
{
	if (DIAGNOSTIC_ENABLED)
		return (200);
	return (SANITIZED ? 40 : 1380);
}

static void
choose_design(uint64_t i, enum pmap_version version, char *design, size_t size)
{
	const struct pv_lock_ops *const *ops = pv_lock_ops_list();
	uint64_t n = 0;

	while (ops[n] != NULL)
		n++;
	(void)snprintf(design, size, "%s/%s+pmap=%s",
	    pu_layouts[i % PU_NLAYOUTS], ops[i / PU_NLAYOUTS % n]->plo_name,
	    pmap_version_name(version));
}

static void
generate(struct script_lines *sl, uint64_t seed, enum script_flavour flavour,
    enum pmap_version version)
{
	struct script_dice sd = { .sd_state = seed };

	script_generate(sl, flavour, version, LINES, &sd);
}

static void
report(const struct script_job *sj, struct script_lines *sl,
    struct script_outcome *so)
{
	char name[128];

	script_minimise(sj, sl, so, MIN_RUNS);
	script_save(sl, "failed-script", so, name, sizeof(name));
	printf("%zu lines are left, in %s:\n", sl->sl_n, name);
	for (size_t i = 0; i < sl->sl_n && i < 60; i++)
		printf("  %s\n", sl->sl_lines[i]);
}

static void
pmap_answers_as_the_model(void **state)
{
	static const enum pmap_version versions[] = { PMAP_14, PMAP_MAIN,
		PMAP_14, PMAP_MAIN, PMAP_12_3, PMAP_12_1 };
	uint64_t seed = number_from_env("PMAPSIM_SEED", 1);
	uint64_t n = number_from_env("PMAPSIM_SCRIPTS", default_scripts());
	uint64_t ops = 0, refused = 0;
	char design[96];
	struct script_job sj = {
		.sj_design = design,
		.sj_model = true,
		.sj_end_state = true,
		.sj_diag = stdout,
	};

	(void)state;
	for (uint64_t i = 0; i < n; i++) {
		enum script_flavour f =
		    (enum script_flavour)(i % FLAVOUR_COUNT);
		struct script_lines sl = { .sl_n = 0 };
		uint64_t script_seed = seed * UINT64_C(1000003) + i;
		struct script_outcome so;

		sj.sj_version = versions[i / FLAVOUR_COUNT % 6];
		choose_design(i, sj.sj_version, design, sizeof(design));
		generate(&sl, script_seed, f, sj.sj_version);
		script_run(&sj, &sl, &so);
		ops += so.so_ops;
		refused += so.so_refused;
		if (!so.so_ok) {
			printf("script %ju, %s, design %s, line %u: %s\n",
			    (uintmax_t)i, script_flavour_name(f), design,
			    so.so_line, so.so_text);
			report(&sj, &sl, &so);
			fail_msg("%s", so.so_text);
		}
		script_lines_free(&sl);
	}
	printf("%ju scripts, %ju operations compared, %ju refused\n",
	    (uintmax_t)n, (uintmax_t)ops, (uintmax_t)refused);
	/* The generator makes sense. */
	assert_true(refused < ops / 20);
}

static void
break_dirty(struct script *s, unsigned line)
{
	struct machine *m = script_machine(s);
	struct vm_page *page;

	/* Well after the machine was made, if there is one. */
	if (line != 30 || m == NULL)
		return;
	page = PHYS_TO_VM_PAGE(m->ma_vp, 0x201000);
	if (page->phys_addr != 0)
		vm_page_dirty(page);
}

/*
 * A difference is seen, and what is left of the script then is short: a machine,
 * a line that names the run, one that shows it, and those that make the break
 * happen at line 30.
 */
static void
a_difference_is_found_and_made_short(void **state)
{
	struct script_lines sl = { .sl_n = 0 };
	const struct script_job sj = {
		.sj_design = "sparse/rwlock+pmap=14",
		.sj_version = PMAP_14,
		.sj_model = true,
		.sj_end_state = true,
		.sj_hook = break_dirty,
	};
	struct script_outcome so;

	(void)state;
	generate(&sl, BAD_SEED, FLAVOUR_PROMOTE, PMAP_14);
	script_run(&sj, &sl, &so);
	assert_false(so.so_ok);
	script_minimise(&sj, &sl, &so, MIN_RUNS);
	assert_false(so.so_ok);
	assert_true(sl.sl_n <= 32);
	script_lines_free(&sl);
}

/* Does one of n scripts fail with a fault switched on? */
static bool
fault_is_found(const char *bug, uint64_t n)
{
	char design[96];
	struct script_job sj = {
		.sj_design = design,
		.sj_model = true,
		.sj_check_every = 60,
		.sj_end_state = true,
	};
	struct script_outcome so = { .so_ok = true };

	for (uint64_t i = 0; i < n && so.so_ok; i++) {
		enum script_flavour f =
		    (enum script_flavour)(i % FLAVOUR_COUNT);
		struct script_lines sl = { .sl_n = 0 };

		sj.sj_version =
		    i / FLAVOUR_COUNT % 2 == 0 ? PMAP_MAIN : PMAP_14;
		(void)snprintf(design, sizeof(design),
		    "sparse/rwlock+pmap=%s+bug=%s",
		    pmap_version_name(sj.sj_version), bug);
		generate(&sl, i, f, sj.sj_version);
		script_run_apart(&sj, &sl, &so);
		script_lines_free(&sl);
	}
	return (!so.so_ok);
}

/*
 * Those of pmap/bug.h that need neither other threads nor a TLB.  A sanitizer finds
 * nothing more here, and takes a minute.
 */
static void
faults_that_are_switched_on_are_found(void **state)
{
	static const char *const bugs[] = { "B7", "B8", "B10", "B11", "B12",
		"B14", "B15", "B16", "B20", "B28", "B29" };

	(void)state;
	if (!INVARIANTS_ENABLED || SANITIZED)
		skip();
	for (size_t i = 0; i < sizeof(bugs) / sizeof(bugs[0]); i++) {
		if (!fault_is_found(bugs[i], 200))
			fail_msg("%s is not found", bugs[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pmap_answers_as_the_model),
		cmocka_unit_test(a_difference_is_found_and_made_short),
		cmocka_unit_test(faults_that_are_switched_on_are_found),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
