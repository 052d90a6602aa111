/* SPDX-License-Identifier: BSD-2-Clause */

/* Designs as text, and what machine_create() says of a bad one. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pmap_util.h"

static struct design
parse(const char *text)
{
	struct design d;
	char err[256] = "";

	memset(&d, 0xa5, sizeof(d));
	if (design_parse(text, NULL, &d, err, sizeof(err)) != 0)
		fail_msg("%s: %s", text, err);
	assert_string_equal(d.d_text, text);
	return (d);
}

/* Asserts that err is expected, in which LOCKS stands for all backends. */
static void
assert_error(const char *err, const char *expected)
{
	const char *locks = strstr(expected, "LOCKS");
	const struct pv_lock_ops *const *ops = pv_lock_ops_list();
	char text[512];
	size_t n;

	if (locks == NULL) {
		assert_string_equal(err, expected);
		return;
	}
	n = (size_t)snprintf(
	    text, sizeof(text), "%.*s", (int)(locks - expected), expected);
	for (; *ops != NULL; ops++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
		    (*ops)->plo_name, ops[1] != NULL ? ", " : "");
	(void)snprintf(text + n, sizeof(text) - n, "%s", locks + 5);
	assert_string_equal(err, text);
}

static void
every_layout_goes_with_every_lock(void **state)
{
	const struct pv_lock_ops *const *ops;
	char text[64];
	struct design d;
	unsigned n = 0;

	(void)state;
	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		for (ops = pv_lock_ops_list(); *ops != NULL; ops++) {
			(void)snprintf(text, sizeof(text), "%s/%s",
			    pu_layouts[l], (*ops)->plo_name);
			d = parse(text);
			assert_int_equal(d.d_layout, l);
			assert_string_equal(
			    pv_layout_name(d.d_layout), pu_layouts[l]);
			assert_ptr_equal(d.d_lock, *ops);
			assert_int_equal(d.d_nlocks, l == PVL_HASHED ? 256 : 0);
			assert_false(d.d_pad || d.d_wart_alloc ||
			    d.d_gaps_trap || d.d_batch || d.d_chunks_global);
			n++;
		}
	}
	/* Those that the other tests run over are among them. */
	assert_true(n >= PU_NLAYOUTS * PU_NLOCKS);
	for (unsigned k = 0; k < PU_NLOCKS; k++)
		assert_non_null(pv_lock_ops_lookup(pu_locks[k]));
}

static void
each_option_sets_its_own_field(void **state)
{
	struct design d;

	(void)state;
	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		char text[64];

		(void)snprintf(
		    text, sizeof(text), "%s/gen2+batch", pu_layouts[l]);
		d = parse(text);
		assert_true(d.d_batch && !d.d_chunks_global);
		(void)snprintf(
		    text, sizeof(text), "%s/gen2+chunks=global", pu_layouts[l]);
		d = parse(text);
		assert_true(!d.d_batch && d.d_chunks_global);
		(void)snprintf(text, sizeof(text),
		    "%s/gen2+chunks=global+chunks=domain", pu_layouts[l]);
		assert_false(parse(text).d_chunks_global);
	}
	d = parse("hashed/mtx8+locks=1");
	assert_int_equal(d.d_nlocks, 1);
	assert_false(d.d_pad);
	d = parse("hashed/mtx8+locks=1048576+pad+batch+chunks=global");
	assert_int_equal(d.d_nlocks, 1048576);
	assert_true(d.d_pad && d.d_batch && d.d_chunks_global);
	assert_true(parse("ptrarray/mtx8+wart=alloc").d_wart_alloc);
	assert_false(parse("ptrarray/mtx8+wart=tight").d_wart_alloc);
	assert_true(parse("sparse/mtx8+gaps=trap").d_gaps_trap);
	assert_false(parse("sparse/mtx8+gaps=backed").d_gaps_trap);
	assert_true(parse("sparse/mtx8+erratum383=on").d_erratum383);
	assert_false(parse("sparse/mtx8").d_erratum383);
}

static void
names_are_the_columns_of_the_review(void **state)
{
	struct design d;

	(void)state;
	d = parse("head");
	assert_int_equal(d.d_layout, PVL_HASHED);
	assert_string_equal(d.d_lock->plo_name, "rwlock");
	assert_int_equal(d.d_nlocks, 256);
	assert_true(d.d_chunks_global && !d.d_batch && !d.d_pad);
	d = parse("superpage");
	assert_int_equal(d.d_layout, PVL_SPARSE);
	assert_string_equal(d.d_lock->plo_name, "rwlock");
	assert_true(d.d_chunks_global && !d.d_batch);
	assert_true(parse("superpage+batch").d_batch);
	assert_false(parse("head+chunks=domain").d_chunks_global);
	assert_int_equal(parse("head+locks=64").d_nlocks, 64);
}

static void
each_error_says_what_was_expected(void **state)
{
	static const struct {
		const char *text;
		const char *err;
	} bad[] = {
		{ "",
		    "\"\" is no design: expected LAYOUT/LOCK[+OPTION]..., "
		    "head or superpage" },
		{ "sparse",
		    "\"sparse\" is no design: expected "
		    "LAYOUT/LOCK[+OPTION]..., head or superpage" },
		{ "heads+batch",
		    "\"heads\" is no design: expected "
		    "LAYOUT/LOCK[+OPTION]..., head or superpage" },
		{ "+batch",
		    "\"\" is no design: expected "
		    "LAYOUT/LOCK[+OPTION]..., head or superpage" },
		{ "dense/gen2",
		    "unknown layout \"dense\": expected one of "
		    "hashed, ptrarray, sparse, segment" },
		{ "/gen2",
		    "unknown layout \"\": expected one of "
		    "hashed, ptrarray, sparse, segment" },
		{ "sparse/mutex",
		    "unknown lock \"mutex\": expected one of LOCKS" },
		{ "sparse/", "unknown lock \"\": expected one of LOCKS" },
		{ "sparse/gen2/gen1",
		    "unknown lock \"gen2/gen1\": expected one of LOCKS" },
		{ "sparse/gen2+",
		    "unknown option \"\" of layout sparse: "
		    "expected batch, chunks=domain|global, "
		    "pmap, superpages, reserv, di, tlb, pcid, ipi, erratum383, "
		    "gaps=backed|trap" },
		{ "sparse/gen2+pad",
		    "unknown option \"pad\" of layout sparse: "
		    "expected batch, chunks=domain|global, "
		    "pmap, superpages, reserv, di, tlb, pcid, ipi, erratum383, "
		    "gaps=backed|trap" },
		{ "segment/gen2+gaps=trap",
		    "unknown option \"gaps=trap\" of layout segment: "
		    "expected batch, chunks=domain|global, "
		    "pmap, superpages, reserv, di, tlb, pcid, ipi, erratum383" },
		{ "hashed/gen2+wart=alloc",
		    "unknown option \"wart=alloc\" of layout hashed: "
		    "expected batch, chunks=domain|global, "
		    "pmap, superpages, reserv, di, tlb, pcid, ipi, erratum383, locks=N, pad" },
		{ "ptrarray/gen2+locks=4",
		    "unknown option \"locks=4\" of layout ptrarray: "
		    "expected batch, chunks=domain|global, "
		    "pmap, superpages, reserv, di, tlb, pcid, ipi, erratum383, wart=tight|alloc" },
		{ "sparse/gen2+batch=1",
		    "unknown option \"batch=1\" of layout sparse: "
		    "expected batch, chunks=domain|global, "
		    "pmap, superpages, reserv, di, tlb, pcid, ipi, erratum383, gaps=backed|trap" },
		{ "sparse/gen2+chunks=",
		    "option \"chunks=\": expected "
		    "chunks=domain or chunks=global" },
		{ "sparse/gen2+gaps=none",
		    "option \"gaps=none\": expected "
		    "gaps=backed or gaps=trap" },
		{ "ptrarray/gen2+wart=x",
		    "option \"wart=x\": expected "
		    "wart=tight or wart=alloc" },
		{ "hashed/gen2+locks=0",
		    "option \"locks=0\": expected "
		    "locks=N, N from 1 to 1048576" },
		{ "hashed/gen2+locks=1048577",
		    "option \"locks=1048577\": expected "
		    "locks=N, N from 1 to 1048576" },
		{ "hashed/gen2+locks=",
		    "option \"locks=\": expected "
		    "locks=N, N from 1 to 1048576" },
		{ "hashed/gen2+locks=-1",
		    "option \"locks=-1\": expected "
		    "locks=N, N from 1 to 1048576" },
		{ "hashed/gen2+locks=8x",
		    "option \"locks=8x\": expected "
		    "locks=N, N from 1 to 1048576" },
		{ "hashed/gen2+locks=99999999999999999999",
		    "option \"locks=99999999999999999999\": expected "
		    "locks=N, N from 1 to 1048576" },
	};
	struct design d, before;
	char err[256], small[8];

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		d = before;
		assert_int_equal(
		    design_parse(bad[i].text, NULL, &d, err, sizeof(err)),
		    EINVAL);
		assert_error(err, bad[i].err);
		/* The result is untouched. */
		assert_memory_equal(&d, &before, sizeof(d));
		/* A short buffer is ended. */
		assert_int_equal(
		    design_parse(bad[i].text, NULL, &d, small, sizeof(small)),
		    EINVAL);
		assert_int_equal(strlen(small), sizeof(small) - 1);
	}
}

static void
a_design_has_at_most_155_characters(void **state)
{
	char text[400] = "sparse/gen2", err[512];
	struct design d;

	(void)state;
	while (strlen(text) + strlen("+batch") <= 155)
		strcat(text, "+batch");
	assert_int_equal(strlen(text), 155);
	assert_true(parse(text).d_batch);
	strcat(text, "x");
	assert_int_equal(
	    design_parse(text, NULL, &d, err, sizeof(err)), EINVAL);
	assert_string_equal(err, "a design has at most 155 characters");
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(
	    design_parse(text, NULL, &d, err, sizeof(err)), EINVAL);
	assert_string_equal(err, "a design has at most 155 characters");

	/* The longest lock name there can be is printed as far as it goes. */
	memset(text, 'x', 155);
	text[155] = '\0';
	memcpy(text, "sparse/", 7);
	assert_int_equal(
	    design_parse(text, NULL, &d, err, sizeof(err)), EINVAL);
	assert_non_null(strstr(err, "unknown lock \"xxx"));
	/* A name with its meaning in place grows, and still fits. */
	(void)strcpy(text, "superpage");
	while (strlen(text) + strlen("+batch") <= 155)
		strcat(text, "+batch");
	assert_true(parse(text).d_chunks_global);
}

/* Foreign backends. */

static bool
foreign_trylock(void *word)
{
	return (pv_lock_ops_lookup("mtx8")->plo_trylock(word));
}

static void
foreign_lock(void *word)
{
	pv_lock_ops_lookup("mtx8")->plo_lock(word);
}

static void
foreign_unlock(void *word, bool modified)
{
	pv_lock_ops_lookup("mtx8")->plo_unlock(word, modified);
}

static unsigned ninit;

static int
foreign_init(void *word)
{
	(void)word;
	ninit++;
	return (0);
}

static void
foreign_destroy(void *word)
{
	(void)word;
	ninit--;
}

static int
failing_init(void *word)
{
	if (ninit == 5)
		return (EAGAIN);
	return (foreign_init(word));
}

static const struct pv_lock_ops foreign = {
	.plo_name = "foreign",
	.plo_descr = "a test's",
	.plo_size = 24,
	.plo_align = 16,
	.plo_init = foreign_init,
	.plo_destroy = foreign_destroy,
	.plo_lock = foreign_lock,
	.plo_trylock = foreign_trylock,
	.plo_unlock = foreign_unlock,
};

/* The name of a backend of the library, which it hides. */
static const struct pv_lock_ops hiding = {
	.plo_name = "gen2",
	.plo_descr = "a test's",
	.plo_size = 8,
	.plo_flags = PLO_ZEROINIT,
	.plo_lock = foreign_lock,
	.plo_trylock = foreign_trylock,
	.plo_unlock = foreign_unlock,
};

static void
foreign_backends_are_found_by_name(void **state)
{
	static const struct pv_lock_ops *const list[] = { &foreign, &hiding,
		NULL };
	struct design d;
	char err[256];

	(void)state;
	assert_int_equal(
	    design_parse("sparse/foreign", list, &d, err, sizeof(err)), 0);
	assert_ptr_equal(d.d_lock, &foreign);
	assert_int_equal(
	    design_parse("sparse/gen2", list, &d, err, sizeof(err)), 0);
	assert_ptr_equal(d.d_lock, &hiding);
	assert_int_equal(
	    design_parse("sparse/mtx8", list, &d, err, sizeof(err)), 0);
	assert_int_equal(
	    design_parse("sparse/foreign", NULL, &d, err, sizeof(err)), EINVAL);
	assert_int_equal(
	    design_parse("sparse/no", list, &d, err, sizeof(err)), EINVAL);
	assert_error(
	    err, "unknown lock \"no\": expected one of LOCKS, foreign, gen2");
}

/* Every word is initialised once and destroyed once, in every layout. */
static void
foreign_words_are_made_and_unmade(void **state)
{
	static const struct pv_lock_ops *const list[] = { &foreign, NULL };
	static struct pv_lock_ops failing;
	const struct pv_lock_ops *failing_list[] = { &failing, NULL };
	struct machine_config mc = { .mc_ncpus = 2 };
	struct machine *ma;
	struct vm_page *m;
	struct pmap *pmap;
	char design[64], err[256];
	struct pu pu;

	(void)state;
	failing = foreign;
	failing.plo_init = failing_init;
	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		(void)snprintf(
		    design, sizeof(design), "%s/foreign", pu_layouts[l]);
		mc.mc_design = design;
		mc.mc_locks = list;
		pu_setup_config(&pu, NULL, &mc);
		assert_true(ninit >= 32);
		assert_int_equal(pv_header_bytes(&foreign), 64);
		m = pu_page(&pu);
		pmap = pu_pmap(&pu);
		assert_int_equal(
		    pmap_enter(pmap, 0x1000, m, 1, 1, 0), KERN_SUCCESS);
		pmap_remove_all(pu.pu_ma, m);
		pu_pmap_free(pmap);
		pu_page_free(&pu, m);
		pu_teardown(&pu);
		assert_int_equal(ninit, 0);

		/* The sixth fails: five are destroyed, nothing is left. */
		mc.mc_locks = failing_list;
		mc.mc_map = pu_memmap("0-4000000 usable 0\n");
		assert_int_equal(
		    machine_create(&mc, &ma, err, sizeof(err)), EAGAIN);
		assert_int_equal(ninit, 0);
		memmap_free((struct memmap *)(uintptr_t)mc.mc_map);
	}
}

static void
expect_refusal(struct machine_config *mc, const char *expected)
{
	struct machine *ma = NULL;
	char err[256] = "";

	assert_int_equal(machine_create(mc, &ma, err, sizeof(err)), EINVAL);
	assert_null(ma);
	assert_error(err, expected);
}

static void
machine_create_refuses_a_bad_configuration(void **state)
{
	static struct pv_lock_ops broken;
	static const struct pv_lock_ops *const list[] = { &broken, NULL };
	struct machine_config mc = { .mc_map = NULL };
	struct memmap *mm = pu_memmap("0-4000000 usable 0\n");

	(void)state;
	expect_refusal(&mc, "no memory map given");
	mc.mc_map = mm;
	mm->mm_ndomains = MAXMEMDOM + 1;
	expect_refusal(
	    &mc, "memory map \"test\": 17 domains: expected 1 to 16");
	mm->mm_ndomains = -1;
	expect_refusal(
	    &mc, "memory map \"test\": -1 domains: expected 1 to 16");
	mm->mm_ndomains = 1;
	mc.mc_ncpus = MACHINE_CPU_MAX + 1;
	expect_refusal(&mc, "1025 CPUs: expected 1 to 1024");
	mc.mc_ncpus = 0;
	mc.mc_limit_pages = 63;
	expect_refusal(&mc, "memory limited to 63 pages: expected at least 64");
	mc.mc_limit_pages = 0;
	mc.mc_design = "sparse/lock";
	expect_refusal(&mc, "unknown lock \"lock\": expected one of LOCKS");
	mc.mc_design = NULL;
	broken = foreign;
	broken.plo_unlock = NULL;
	mc.mc_locks = list;
	{
		struct machine *ma;
		char err[256] = "";

		assert_int_equal(
		    machine_create(&mc, &ma, err, sizeof(err)), EINVAL);
		assert_int_equal(
		    strncmp(err, "lock backend \"foreign\": ", 24), 0);
	}
	memmap_free(mm);
}

static void
a_machine_remembers_its_design(void **state)
{
	struct machine_config mc = { .mc_ncpus = 0 };
	struct pu pu;

	(void)state;
	pu_setup_config(&pu, NULL, &mc);
	assert_string_equal(machine_design(pu.pu_ma)->d_text, "sparse/rwlock");
	assert_int_equal(machine_ncpus(pu.pu_ma), 1);
	assert_int_equal(machine_ndomains(pu.pu_ma), 1);
	pu_teardown(&pu);
	mc.mc_design = "head+locks=3";
	mc.mc_ncpus = 5;
	mc.mc_limit_pages = 64;
	pu_setup_config(
	    &pu, "1000000-2000000 usable 0\n2000000-3000000 usable 1\n", &mc);
	assert_string_equal(machine_design(pu.pu_ma)->d_text, "head+locks=3");
	assert_int_equal(machine_ncpus(pu.pu_ma), 5);
	assert_int_equal(machine_ndomains(pu.pu_ma), 2);
	assert_int_equal(machine_free_pages(pu.pu_ma), 64);
	pu_teardown(&pu);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_goes_with_every_lock),
		cmocka_unit_test(each_option_sets_its_own_field),
		cmocka_unit_test(names_are_the_columns_of_the_review),
		cmocka_unit_test(each_error_says_what_was_expected),
		cmocka_unit_test(a_design_has_at_most_155_characters),
		cmocka_unit_test(foreign_backends_are_found_by_name),
		cmocka_unit_test(foreign_words_are_made_and_unmade),
		cmocka_unit_test(machine_create_refuses_a_bad_configuration),
		cmocka_unit_test(a_machine_remembers_its_design),
	};

	return (cmocka_run_group_tests_name("design", tests, NULL, NULL));
}
