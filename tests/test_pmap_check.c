/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The checker is tested: every invariant of the pmap layer, of delayed
 * invalidation and of TLBs that it knows is broken on purpose, exactly its number
 * must be reported, and the repair must be seen.  Where a state cannot be wrong in
 * one way only, the other numbers are listed.  Those of physical memory, 34 to 39,
 * are broken by test_vm_phys_check.c and by the tests of reservations.
 */

#include <ctype.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check_cases.h"

static const char map_lines[] = "0-98000 usable 0\n"
				"100000-4000000 usable 0\n"
				"4000000-8000000 usable 1\n";

struct pu cc_pu;
struct pmap *cc_p, *cc_q, *cc_s;
struct vm_page *cc_m0, *cc_m1, *cc_u, *cc_run, *cc_run2;
pt_entry_t cc_saved;

static const struct check_case *const tables[] = { check_cases_pv,
	check_cases_chunk, check_cases_pt, check_cases_super, check_cases_lock,
	check_cases_tlb };
#define NTABLES (sizeof(tables) / sizeof(tables[0]))

static void
begin_super(void)
{
	const vm_prot_t rw = VM_PROT_READ | VM_PROT_WRITE;

	cc_s = pu_pmap(&cc_pu);
	cc_run = pu_run(&cc_pu);
	cc_run2 = pu_run(&cc_pu);
	for (unsigned i = 0; i < NPTEPG; i++)
		assert_int_equal(pmap_enter(cc_s, SVA + i * PAGE_SIZE,
				     &cc_run[i], rw, VM_PROT_WRITE, 0),
		    KERN_SUCCESS);
	assert_int_equal(pmap_enter(cc_s, SVA2, cc_run2, VM_PROT_READ,
			     VM_PROT_READ | PMAP_ENTER_WIRED, 1),
	    KERN_SUCCESS);
	assert_int_equal(pmap_spare_count(cc_s), 2);
}

static void
begin(const struct check_case *c)
{
	struct machine_config mc = {
		.mc_design = c->design != NULL ? c->design : "sparse/rwlock",
		.mc_ncpus = 2,
		.mc_profile = c->profile,
	};
	const vm_prot_t rw = VM_PROT_READ | VM_PROT_WRITE;

	pu_setup_config(&cc_pu, map_lines, &mc);
	cc_p = pu_pmap(&cc_pu);
	cc_q = pu_pmap(&cc_pu);
	cc_m0 = pu_page(&cc_pu);
	cc_m1 = pu_page(&cc_pu);
	cc_u = pu_page(&cc_pu);
	cc_u->oflags |= VPO_UNMANAGED;
	assert_int_equal(
	    pmap_enter(cc_p, VA, cc_m0, rw, VM_PROT_WRITE, 0), KERN_SUCCESS);
	assert_int_equal(pmap_enter(cc_p, VA1, cc_m1, VM_PROT_READ, 0, 0), 0);
	assert_int_equal(pmap_enter(cc_p, VA2, cc_u, rw, 0, 0), 0);
	assert_int_equal(
	    pmap_enter(cc_q, VA, cc_m0, rw, VM_PROT_WRITE, 0), KERN_SUCCESS);
	if (c->super)
		begin_super();
	pu_check(&cc_pu);
}

static void
end(const struct check_case *c)
{
	pmap_remove(cc_p, 0, VM_MAXUSER_ADDRESS);
	pmap_remove(cc_q, 0, VM_MAXUSER_ADDRESS);
	pu_pmap_free(cc_p);
	pu_pmap_free(cc_q);
	pu_page_free(&cc_pu, cc_m0);
	pu_page_free(&cc_pu, cc_m1);
	pu_page_free(&cc_pu, cc_u);
	if (c->super) {
		pmap_remove(cc_s, 0, VM_MAXUSER_ADDRESS);
		pu_pmap_free(cc_s);
		pu_run_free(&cc_pu, cc_run);
		pu_run_free(&cc_pu, cc_run2);
	}
	pu_teardown(&cc_pu);
}

struct pv_chunk *
cc_chunk(struct pmap *pmap)
{
	return (TAILQ_FIRST(&pmap->pm_pvchunk));
}

void
cc_counter(enum counter c, uint64_t n)
{
	counter_add(&curthread()->td_counters, c, n);
}

void
cc_set_pte(vm_offset_t va, pt_entry_t pte)
{
	cc_saved = pu_leaf(cc_p, va);
	pte_store(pu_pte(cc_p, va), pte);
}

void
cc_set_refs(struct vm_page *m, uint32_t n)
{
	/* Relaxed: quiescent. */
	atomic_store_explicit(&m->ref_count, n, memory_order_relaxed);
}

struct vm_page *
cc_page_table(void)
{
	return (PHYS_TO_VM_PAGE(
	    cc_p->pm_vp, pte_load(pmap_pde(cc_p, VA)) & PG_FRAME));
}

struct vm_page *
cc_chunk_page(void)
{
	return (pv_chunk_page(cc_pu.pu_ma, cc_chunk(cc_p)));
}

#define INV_MAX 64

/* Runs the checker; seen[n] is how often inv n was reported. */
static unsigned
check(unsigned seen[INV_MAX])
{
	char *text = NULL, *line, *save = NULL;
	size_t size = 0;
	unsigned n;
	FILE *out;
	int inv;

	memset(seen, 0, INV_MAX * sizeof(seen[0]));
	out = open_memstream(&text, &size);
	assert_non_null(out);
	n = machine_check(cc_pu.pu_ma, out);
	(void)fclose(out);
	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		assert_int_equal(sscanf(line, "inv %d:", &inv), 1);
		assert_in_range(inv, 1, INV_MAX - 1);
		seen[inv]++;
	}
	free(text);
	return (n);
}

static bool
is_expected(const struct check_case *c, int inv)
{
	for (size_t i = 0; i < sizeof(c->also) / sizeof(c->also[0]); i++) {
		if (inv == c->also[i])
			return (true);
	}
	return (inv == c->inv);
}

static void
play(const struct check_case *c)
{
	unsigned n, seen[INV_MAX], sum = 0;

	begin(c);
	c->break_it();
	n = check(seen);
	c->repair();
	for (int i = 1; i < INV_MAX; i++) {
		sum += seen[i];
		if ((seen[i] != 0) != is_expected(c, i))
			fail_msg("inv %d (%s): %u reports of inv %d", c->inv,
			    c->how, seen[i], i);
	}
	assert_int_equal(n, sum);
	pu_check(&cc_pu); /* repaired */
	end(c);
}

static void
each_invariant_is_reported_when_broken(void **state)
{
	(void)state;
	for (size_t t = 0; t < NTABLES; t++) {
		for (const struct check_case *c = tables[t]; c->inv != 0; c++)
			play(c);
	}
}

/* Which checker reports what is found by its calls, with a number in each. */
static const char *const calls[] = { "_report,", "check_sum(&pc,",
	"check_line(arg,", "check_line(co," };
static const char *const files[] = { "pmap_check.c", "pmap_check_list.c",
	"pmap_check_pde.c", "pmap_check_pt.c", "machine.c", "mmu_check.c",
	"pmap_di.c" };
#define NCALLS (sizeof(calls) / sizeof(calls[0]))
#define NFILES (sizeof(files) / sizeof(files[0]))

static char source[1 << 16];

/* Without white space. */
static void
read_source(const char *name)
{
	size_t n = 0;
	FILE *f;
	int c;

	(void)snprintf(
	    source, sizeof(source), "%s/src/pmap/%s", PMAPSIM_SOURCE_DIR, name);
	f = fopen(source, "r");
	assert_non_null(f);
	while ((c = getc(f)) != EOF) {
		assert_true(n < sizeof(source) - 1);
		if (!isspace(c))
			source[n++] = (char)c;
	}
	source[n] = '\0';
	(void)fclose(f);
}

/* How many calls there are, with a number that is a case's. */
static unsigned
count_calls(const char *call, const bool has[INV_MAX])
{
	unsigned found = 0;
	const char *s;
	char *stop;
	long inv;

	for (s = source; (s = strstr(s, call)) != NULL;) {
		s += strlen(call);
		inv = strtol(s, &stop, 10);
		if (stop == s)
			continue; /* passed on */
		assert_in_range(inv, 1, INV_MAX - 1);
		if (!has[inv])
			fail_msg("inv %ld: no case", inv);
		found++;
	}
	return (found);
}

/* The numbers that the source reports, so that a new one needs a case. */
static void
each_number_in_the_source_has_a_case(void **state)
{
	bool has[INV_MAX] = { false };
	unsigned found, sum = 0;

	(void)state;
	for (size_t t = 0; t < NTABLES; t++) {
		for (const struct check_case *c = tables[t]; c->inv != 0; c++)
			has[c->inv] = true;
	}
	/* And no number of the layer is missing. */
	for (int i = 1; i <= 33; i++) {
		if (!has[i] && i != 28 && i != 29)
			fail_msg("inv %d: no case", i);
	}
	for (size_t i = 0; i < NFILES; i++) {
		read_source(files[i]);
		found = 0;
		for (size_t k = 0; k < NCALLS; k++)
			found += count_calls(calls[k], has);
		/* The patterns still find the calls. */
		assert_true(found > 0);
		sum += found;
	}
	print_message("# %u calls\n", sum);
	assert_true(sum >= 80);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_invariant_is_reported_when_broken),
		cmocka_unit_test(each_number_in_the_source_has_a_case),
	};

	return (cmocka_run_group_tests_name("pmap_check", tests, NULL, NULL));
}
