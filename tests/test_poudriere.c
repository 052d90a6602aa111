/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Processes of the scenario poudriere one by one; that it runs under every
 * design is in test_workload.c.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workload/wl_process.h"
#include "workload_util.h"

static uint64_t seed;

/* Room for every file of a jail. */
static const char *const map_one_domain = "# one domain\n"
					  "100000-40000000 usable 0\n";

/* A machine, a run of one thread on it that nobody starts, and a jail. */
struct bed {
	struct machine *b_machine;
	struct workload_config b_config;
	struct wl_run b_run;
	struct wl_thread b_thread;
	struct wl_jail b_jail;
	struct wl_world b_world;
	uint64_t b_free;
};

static uint64_t charged[NSIM_COSTS];

static void
count_charge(struct sim *sim, enum sim_cost what, uint64_t n)
{
	(void)sim;
	charged[what] += n;
}

static struct sim_ops counting_ops;

static void
bed_begin(struct bed *b)
{
	const struct machine_options mo = { .mo_ncpus = 1 };
	char err[200];

	memset(b, 0, sizeof(*b));
	memset(charged, 0, sizeof(charged));
	b->b_machine = machine_of(map_one_domain, "sparse/mtx8", &mo);
	counting_ops = *b->b_machine->ma_sim->sim_ops;
	counting_ops.so_charge = count_charge;
	b->b_machine->ma_sim->sim_ops = &counting_ops;
	assert_int_equal(machine_thread_attach(b->b_machine, 0), 0);
	b->b_free = machine_free_pages(b->b_machine);

	b->b_config.wc_name = "poudriere";
	b->b_config.wc_threads = 1;
	b->b_run.wlr_machine = b->b_machine;
	b->b_run.wlr_config = &b->b_config;
	b->b_run.wlr_threads = &b->b_thread;
	TAILQ_INIT(&b->b_run.wlr_objects);
	assert_int_equal(
	    wl_poudriere_ops.wo_check(&b->b_run, err, sizeof(err)), 0);
	b->b_thread.wlt_run = &b->b_run;
	b->b_thread.wlt_td = machine_thread_self();
	b->b_thread.wlt_rng.wrg_state = seed;
	b->b_world.ww_thread = &b->b_thread;
	b->b_world.ww_jail = &b->b_jail;
	for (unsigned f = 0; f < WL_NFILES; f++) {
		for (unsigned v = 0; v < wl_files[f].wf_variants; v++)
			assert_int_equal(wl_object_create_sparse(&b->b_run,
					     wl_files[f].wf_pages, 0,
					     wl_files[f].wf_resident,
					     &b->b_jail.wj_files[f][v]),
			    0);
	}
}

static void
bed_end(struct bed *b)
{
	assert_int_equal(wl_objects_unmap(&b->b_run), 0);
	wl_objects_destroy(&b->b_run);
	assert_int_equal(machine_free_pages(b->b_machine), b->b_free);
	assert_int_equal(machine_check(b->b_machine, stderr), 0);
	machine_thread_detach(b->b_machine);
	machine_end(b->b_machine);
}

/* All that a process does but for its end. */
static uint64_t
live(struct bed *b, struct wl_process *pr)
{
	uint64_t user_ns = 0;
	bool done;

	do {
		user_ns += wl_process_gap(&b->b_world, pr);
		assert_int_equal(wl_process_event(&b->b_world, pr, &done), 0);
	} while (!done);
	return (user_ns);
}

static uint64_t
private_pages(const struct wl_process *pr)
{
	uint64_t n = pr->wlp_heap->resident_page_count +
	    pr->wlp_stack->resident_page_count;

	for (unsigned i = 0; i < WL_AREAS; i++)
		n += pr->wlp_data[i]->resident_page_count;
	return (n);
}

/* Shared pages of an area that are mapped. */
static uint64_t
mapped_pages(const struct wl_area *ar)
{
	uint64_t n = 0;

	if (ar->ar_left != 0 || ar->ar_maps > 1)
		return (ar->ar_shared - ar->ar_left);
	for (uint32_t i = 0; i < ar->ar_shared; i++)
		n += ar->ar_file->wlo_pages[i] != NULL;
	return (n);
}

static void
times_between_events_have_their_mean(void **state)
{
	const uint32_t step = 4096;
	uint64_t below = 0, max = 0, n = 0, ns, sum = 0;

	(void)state;
	for (uint64_t r = 0; r <= UINT32_MAX; r += step, n++) {
		ns = wl_gap_ns((uint32_t)r, 100000);
		sum += ns;
		max = MAX(max, ns);
		below += ns < 33333;
	}
	assert_in_range(sum / n, 99000, 101000);
	/* As the design says: half below a third, some tens of times the mean. */
	assert_in_range(below * 100 / n, 45, 75);
	assert_in_range(max, 4000000, 5000000);
}

static void
private_pages_have_their_quantiles(void **state)
{
	const struct wl_program *wpg = &wl_programs[WLP_CC1];

	(void)state;
	assert_in_range(wl_program_private(wpg, 1u << 31), wpg->wpg_private - 5,
	    wpg->wpg_private + 10u);
	assert_in_range(wl_program_private(wpg, (uint32_t)(0.9 * 4294967296.0)),
	    wpg->wpg_private90 - 20, wpg->wpg_private90 + 20u);
	assert_true(
	    wl_program_private(wpg, UINT32_MAX) < wpg->wpg_private90 * 1.34);
	assert_in_range(wl_program_private(wpg, 0), wpg->wpg_private * 0.79,
	    wpg->wpg_private * 0.81);
}

static void
file_pages_that_are_copied_add_up(void **state)
{
	/* By program, as recorded: a check of the table against itself. */
	static const struct {
		enum wl_program_id id;
		unsigned copies;
	} recorded[] = {
		{ WLP_COREUTIL, 12 },
		{ WLP_TEXTTOOL, 18 },
		{ WLP_GCC, 13 },
		{ WLP_COLLECT2, 12 },
		{ WLP_CC1, 41 },
		{ WLP_AS, 111 },
		{ WLP_LD, 54 },
		{ WLP_SH, 28 },
		{ WLP_MAKE, 15 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++) {
		const struct wl_program *wpg = &wl_programs[recorded[i].id];
		unsigned n = wl_files[WLF_RTLD].wf_data;

		n += wl_files[WLF_LIBC].wf_data;
		n += wl_files[wpg->wpg_file].wf_data;

		if (wpg->wpg_lib != WLF_NONE)
			n += wl_files[wpg->wpg_lib].wf_data;
		assert_int_equal(n, recorded[i].copies);
	}
}

static void
program_maps_what_the_table_says(void **state)
{
	static const enum wl_program_id ids[] = { WLP_COREUTIL, WLP_TEXTTOOL,
		WLP_SH, WLP_GCC, WLP_AS, WLP_LD, WLP_CC1_TEST, WLP_LLD };
	struct wl_process pr;
	struct bed b;

	(void)state;
	bed_begin(&b);
	memset(&pr, 0, sizeof(pr));
	assert_int_equal(wl_process_create(&b.b_thread, &pr), 0);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const struct wl_program *wpg = &wl_programs[ids[i]];
		uint64_t faults, mapped = 0, planned, private, user_ns;

		memset(charged, 0, sizeof(charged));
		assert_int_equal(wl_process_exec(&b.b_world, &pr, ids[i]), 0);
		private = pr.wlp_copy + pr.wlp_anon;
		faults = private + pr.wlp_file;
		planned = pr.wlp_user_ns;
		user_ns = live(&b, &pr);
		assert_int_equal(private_pages(&pr), private);
		assert_in_range(private, wpg->wpg_private * 0.79,
		    wpg->wpg_private90 * 1.34);
		for (unsigned a = 0; a < pr.wlp_nareas; a++)
			mapped += mapped_pages(&pr.wlp_areas[a]);
		assert_true(mapped > wpg->wpg_touched / 2);
		/* With page tables, the root, and 2 MB where they fit. */
		assert_in_range(pmap_resident_count(pr.wlp_pmap),
		    mapped + private, mapped + private + 160);
		/* Of the time, all; of the faults, each. */
		assert_int_equal(user_ns, planned);
		assert_in_range(user_ns, wl_program_user_ns(wpg) * 79 / 100,
		    wl_program_user_ns(wpg) * 28 / 10);
		assert_in_range(charged[SIM_FAULT], private, faults);
		assert_int_equal(
		    charged[SIM_PAGE_COPY], private - charged[SIM_PAGE_CLEAR]);
		assert_true(charged[SIM_SYSCALL] > wpg->wpg_calls);
		wl_process_exit(&b.b_world, &pr);
	}
	wl_process_destroy(&pr);
	bed_end(&b);
}

static void
child_copies_and_parent_gets_its_pages_back(void **state)
{
	const vm_offset_t va = WL_HEAP_VA;
	struct wl_process child, pr;
	uint64_t kept;
	struct vm_page *m;
	vm_paddr_t pa;
	struct bed b;
	bool done;

	(void)state;
	bed_begin(&b);
	memset(&pr, 0, sizeof(pr));
	memset(&child, 0, sizeof(child));
	assert_int_equal(wl_process_create(&b.b_thread, &pr), 0);
	assert_int_equal(wl_process_create(&b.b_thread, &child), 0);
	assert_int_equal(wl_process_exec(&b.b_world, &pr, WLP_BASE_SH), 0);
	(void)live(&b, &pr);
	kept = private_pages(&pr);
	pa = pmap_extract(pr.wlp_pmap, va);
	assert_true(pa != 0);

	assert_int_equal(wl_process_fork(&b.b_world, &pr, &child), 0);
	assert_int_equal(pmap_extract(child.wlp_pmap, va), pa);
	m = pmap_extract_and_hold(pr.wlp_pmap, va, VM_PROT_WRITE);
	assert_null(m);
	memset(charged, 0, sizeof(charged));
	(void)live(&b, &child);
	assert_int_equal(
	    charged[SIM_PAGE_COPY], wl_programs[WLP_FORKED].wpg_forkcow);
	assert_true(pmap_extract(child.wlp_pmap, va) != pa);
	assert_int_equal(pmap_extract(pr.wlp_pmap, va), pa);

	/* It becomes something else, and ends. */
	assert_int_equal(wl_process_exec(&b.b_world, &child, WLP_COREUTIL), 0);
	assert_null(child.wlp_parent);
	assert_int_equal(pmap_extract(child.wlp_pmap, va), 0);
	(void)live(&b, &child);
	wl_process_exit(&b.b_world, &child);

	pr.wlp_cow = 1;
	pr.wlp_cow_next = 0;
	assert_int_equal(wl_process_event(&b.b_world, &pr, &done), 0);
	assert_false(done);
	assert_int_equal(pmap_extract(pr.wlp_pmap, va), pa);
	m = pmap_extract_and_hold(pr.wlp_pmap, va, VM_PROT_WRITE);
	assert_non_null(m);
	vm_page_unhold(m);
	assert_int_equal(private_pages(&pr), kept);
	wl_process_destroy(&child);
	wl_process_destroy(&pr);
	bed_end(&b);
}

static void
processes_of_a_jail_share_its_files_only(void **state)
{
	struct wl_process a, c;
	vm_paddr_t pa;
	struct bed b;

	(void)state;
	bed_begin(&b);
	memset(&a, 0, sizeof(a));
	memset(&c, 0, sizeof(c));
	assert_int_equal(wl_process_create(&b.b_thread, &a), 0);
	assert_int_equal(wl_process_create(&b.b_thread, &c), 0);
	assert_int_equal(wl_process_exec(&b.b_world, &a, WLP_AS), 0);
	(void)live(&b, &a);
	assert_int_equal(wl_process_exec(&b.b_world, &c, WLP_GCC), 0);
	(void)live(&b, &c);
	/* rtld: the same page; the program and the stack: not. */
	pa = pmap_extract(a.wlp_pmap, a.wlp_areas[1].ar_va);
	assert_true(pa != 0);
	assert_int_equal(pmap_extract(c.wlp_pmap, c.wlp_areas[1].ar_va), pa);
	assert_true(pmap_extract(a.wlp_pmap, a.wlp_areas[0].ar_va) !=
	    pmap_extract(c.wlp_pmap, c.wlp_areas[0].ar_va));
	assert_true(pmap_extract(a.wlp_pmap, WL_STACK_VA) !=
	    pmap_extract(c.wlp_pmap, WL_STACK_VA));
	wl_process_destroy(&a);
	wl_process_destroy(&c);
	bed_end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_between_events_have_their_mean),
		cmocka_unit_test(private_pages_have_their_quantiles),
		cmocka_unit_test(file_pages_that_are_copied_add_up),
		cmocka_unit_test(program_maps_what_the_table_says),
		cmocka_unit_test(child_copies_and_parent_gets_its_pages_back),
		cmocka_unit_test(processes_of_a_jail_share_its_files_only),
	};

	seed = test_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
