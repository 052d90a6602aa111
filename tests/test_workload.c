/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "workload/workload_var.h"
#include "workload_util.h"

#define THREADS 4
#define ROUNDS  3
#define PAGES   200 /* private ones */

static uint64_t seed;

static struct workload_config
config_of(const char *name, unsigned threads)
{
	struct workload_config wc = {
		.wc_name = name,
		.wc_threads = threads,
		.wc_seed = seed,
		.wc_rounds = ROUNDS,
		.wc_params = {
			.wp_text_copies = 2,
			.wp_text_pages = 100,
			.wp_anon_pages = PAGES,
			.wp_range_pages = 200,
		},
	};

	return (wc);
}

static struct machine *
machine_for(const char *design, unsigned ncpus)
{
	struct machine_options mo = { .mo_ncpus = ncpus };

	return (machine_of(map_two_domains, design, &mo));
}

static uint64_t
sum_of(const struct workload_result *wr)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < wr->wr_nthreads; i++)
		sum += wr->wr_threads[i].wt_enters +
		    wr->wr_threads[i].wt_removes + wr->wr_threads[i].wt_pageops;
	return (sum);
}

/* What each scenario promises about the counts of a fixed number of rounds. */
static void
check_counts(const struct workload_config *wc, const struct workload_result *wr)
{
	const struct workload_thread *wt;

	assert_int_equal(wr->wr_ops, sum_of(wr));
	assert_true(wr->wr_ops > 0);
	assert_true(wr->wr_elapsed_ns > 0);
	assert_true(wr->wr_jain > 0 && wr->wr_jain <= 1.000001);
	assert_false(wr->wr_stopped);
	for (unsigned i = 0; i < wr->wr_nthreads; i++) {
		wt = &wr->wr_threads[i];
		assert_int_equal(wt->wt_rounds, wc->wc_rounds);
		assert_true(wt->wt_elapsed_ns > 0);
		assert_true(wt->wt_elapsed_ns <= wr->wr_elapsed_ns);
		if (strcmp(wc->wc_name, "private") == 0)
			assert_int_equal(wt->wt_enters,
			    wc->wc_rounds * wc->wc_params.wp_anon_pages);
		if (strcmp(wc->wc_name, "private") == 0 ||
		    strcmp(wc->wc_name, "exec_exit") == 0)
			assert_int_equal(wt->wt_enters, wt->wt_removes);
		if (strcmp(wc->wc_name, "exec_exit") == 0)
			assert_true(wt->wt_enters >= wc->wc_rounds *
				(wc->wc_params.wp_anon_pages / 2 +
				    wc->wc_params.wp_text_pages / 2));
		if (strcmp(wc->wc_name, "pageout") != 0)
			assert_int_equal(wt->wt_pageops, 0);
	}
}

static void
list_names_every_scenario_once(void **state)
{
	const char *const names[] = { "private", "exec_exit", "one_pmap",
		"pageout", "poudriere" };
	const struct workload_info *wi = workload_list();

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++, wi++) {
		assert_string_equal(wi->wi_name, names[i]);
		assert_true(strlen(wi->wi_descr) > 10);
	}
	assert_null(wi->wi_name);
}

static void
every_lock_does_every_scenario(void **state)
{
	const enum pv_layout *layout = *state;
	const struct pv_lock_ops *const *p;
	const struct workload_info *wi;
	struct workload_config wc;
	struct workload_result wr;
	struct machine *m;
	char design[96];

	for (p = pv_lock_ops_list(); *p != NULL; p++) {
		unsigned threads =
		    ((*p)->plo_flags & PLO_NOLOCK) != 0 ? 1 : THREADS;

		(void)snprintf(design, sizeof(design), "%s/%s",
		    pv_layout_name(*layout), (*p)->plo_name);
		/* One machine for all: each run leaves it as it was. */
		m = machine_for(design, threads);
		for (wi = workload_list(); wi->wi_name != NULL; wi++) {
			wc = config_of(wi->wi_name, threads);
			run_workload(m, &wc, &wr);
			check_counts(&wc, &wr);
			workload_result_free(&wr);
		}
		machine_end(m);
	}
}

static void
run_counts(
    const char *name, unsigned threads, uint64_t s, struct workload_thread wt[])
{
	struct workload_config wc = config_of(name, threads);
	struct machine *m = machine_for("sparse/mtx8", threads);
	struct workload_result wr;

	wc.wc_seed = s;
	run_workload(m, &wc, &wr);
	memcpy(wt, wr.wr_threads, threads * sizeof(wt[0]));
	for (unsigned i = 0; i < threads; i++)
		wt[i].wt_elapsed_ns = 0;
	workload_result_free(&wr);
	machine_end(m);
}

static void
same_seed_gives_same_counts(void **state)
{
	struct workload_thread a[THREADS], b[THREADS];

	(void)state;
	for (const struct workload_info *wi = workload_list();
	     wi->wi_name != NULL; wi++) {
		run_counts(wi->wi_name, 1, seed, a);
		run_counts(wi->wi_name, 1, seed, b);
		assert_memory_equal(a, b, sizeof(a[0]));
	}
	/* Processes do not disturb each other's counts either. */
	for (size_t i = 0; i < 2; i++) {
		const char *name = i == 0 ? "exec_exit" : "poudriere";

		run_counts(name, THREADS, seed, a);
		run_counts(name, THREADS, seed, b);
		assert_memory_equal(a, b, sizeof(a));
		run_counts(name, THREADS, seed + 1, b);
		assert_memory_not_equal(a, b, sizeof(a));
	}
}

/* A builder that another thread goes on with loses nothing. */
static void
builders_can_migrate(void **state)
{
	struct workload_config wc = config_of("poudriere", THREADS);
	struct machine *m = machine_for("sparse/mtx8+batch", THREADS);
	struct workload_result wr;

	(void)state;
	wc.wc_rounds = 100;
	wc.wc_params.wp_migrate_pct = 100;
	run_workload(m, &wc, &wr);
	check_counts(&wc, &wr);
	workload_result_free(&wr);
	machine_end(m);
}

static void
expect_einval(
    struct machine *m, const struct workload_config *wc, const char *text)
{
	struct workload_result wr;
	char err[256] = "";

	assert_int_equal(workload_run(m, wc, &wr, err, sizeof(err)), EINVAL);
	assert_string_equal(err, text);
	assert_null(machine_thread_self());
}

static void
bad_configuration_is_one_clear_sentence(void **state)
{
	struct machine *m = machine_for("sparse/none", 2);
	struct workload_config wc;

	(void)state;
	wc = config_of("privat", 1);
	expect_einval(m, &wc,
	    "unknown workload \"privat\": expected one of private, exec_exit, "
	    "one_pmap, pageout, poudriere");
	wc = config_of(NULL, 1);
	expect_einval(m, &wc,
	    "unknown workload \"\": expected one of private, exec_exit, "
	    "one_pmap, pageout, poudriere");
	wc = config_of("private", 0);
	expect_einval(m, &wc, "threads: 0 is not in 1 to 1024");
	wc = config_of("private", 1025);
	expect_einval(m, &wc, "threads: 1025 is not in 1 to 1024");
	wc = config_of("private", 2);
	expect_einval(
	    m, &wc, "lock \"none\" excludes nobody: expected 1 thread, not 2");
	wc = config_of("private", 1);
	wc.wc_rounds = 0;
	expect_einval(
	    m, &wc, "expected a measuring time or a number of rounds");
	wc = config_of("private", 1);
	wc.wc_pin = WL_PIN_SMT_LAST + 1;
	expect_einval(m, &wc, "pin order: 5 is not in 0 to 4");
	wc = config_of("private", 1);
	wc.wc_params.wp_anon_pages = 2000000;
	expect_einval(m, &wc, "private pages: 2000000 is not in 1 to 1048576");
	machine_end(m);
}

static void
bad_parameter_is_one_clear_sentence(void **state)
{
	struct machine *m = machine_for("sparse/mtx8", 4);
	struct workload_config wc;

	(void)state;
	wc = config_of("exec_exit", 4);
	wc.wc_params.wp_text_copies = 1025;
	expect_einval(m, &wc, "text copies: 1025 is not in 1 to 1024");
	wc = config_of("exec_exit", 4);
	wc.wc_params.wp_text_pages = 40000;
	expect_einval(m, &wc, "text pages: 40000 is not in 1 to 32768");
	wc = config_of("one_pmap", 4);
	wc.wc_params.wp_range_pages = 2000000;
	expect_einval(m, &wc, "range pages: 2000000 is not in 1 to 1048576");
	wc = config_of("one_pmap", 4);
	wc.wc_params.wp_shared_pct = 101;
	expect_einval(m, &wc, "shared percentage: 101 is not in 1 to 100");
	wc = config_of("poudriere", 4);
	wc.wc_params.wp_configure_pct = 101;
	expect_einval(
	    m, &wc, "percentage in configure: 101 is not in 1 to 100");
	wc = config_of("poudriere", 4);
	wc.wc_params.wp_lifetime_pct = 10001;
	expect_einval(
	    m, &wc, "percentage of lifetime: 10001 is not in 1 to 10000");
	wc = config_of("pageout", 4);
	wc.wc_params.wp_daemons = 4;
	expect_einval(m, &wc, "page daemons: 4 is not in 1 to 3");
	wc = config_of("pageout", 1);
	wc.wc_params.wp_daemons = 1;
	expect_einval(m, &wc, "page daemons: 1 is not in 0 to 0");
	machine_end(m);
}

/* Fill in what of the machine's memory is left when it runs out. */
static void
expect_out_of_memory(struct machine *m, const struct workload_config *wc)
{
	uint64_t left, total, before = machine_free_pages(m);
	struct workload_result wr;
	char err[256];
	int end = 0;

	assert_int_equal(workload_run(m, wc, &wr, err, sizeof(err)), 0);
	if (sscanf(wr.wr_void,
		"out of simulated memory: %" SCNu64 " of %" SCNu64
		" pages free; use a larger map or fewer threads%n",
		&left, &total, &end) != 2)
		fail_msg("%s: void: \"%s\"", wc->wc_name, wr.wr_void);
	assert_int_equal(wr.wr_void[end], '\0');
	assert_true(left <= before);
	assert_true(total >= before);
	assert_int_equal(wr.wr_violations, 0);
	workload_result_free(&wr);
	assert_int_equal(machine_free_pages(m), before);
}

static void
memory_that_runs_out_makes_the_run_void(void **state)
{
	struct machine_options mo = { .mo_ncpus = 2, .mo_limit_pages = 2000 };
	struct workload_config wc;
	struct workload_result wr;
	struct machine *m;

	(void)state;
	m = machine_of(map_two_domains, "sparse/mtx8+batch", &mo);
	/* The pages do not fit; they fit, but what maps them does not. */
	wc = config_of("private", 2);
	wc.wc_params.wp_anon_pages = 4000;
	expect_out_of_memory(m, &wc);
	wc.wc_params.wp_anon_pages = 992;
	expect_out_of_memory(m, &wc);
	wc = config_of("exec_exit", 2);
	wc.wc_params.wp_text_copies = 1;
	wc.wc_params.wp_anon_pages = 3000;
	expect_out_of_memory(m, &wc);
	wc = config_of("one_pmap", 2);
	wc.wc_params.wp_range_pages = 500;
	expect_out_of_memory(m, &wc);
	wc = config_of("pageout", 2);
	expect_out_of_memory(m, &wc);

	/* The machine is none the worse for it. */
	wc = config_of("private", 2);
	run_workload(m, &wc, &wr);
	workload_result_free(&wr);
	machine_end(m);
}

struct stopper {
	struct machine *s_machine;
	atomic_bool s_stop;
};

/* Ask for the end once work has been seen. */
static void *
stop_when_busy(void *arg)
{
	struct stopper *s = arg;

	while (sim_counter(s->s_machine->ma_sim, CTR_PV_LOCKS) < 1000)
		(void)sched_yield();
	/* Relaxed: a request. */
	atomic_store_explicit(&s->s_stop, true, memory_order_relaxed);
	return (NULL);
}

static void
stop_flag_ends_a_run_early(void **state)
{
	struct machine *m = machine_for("sparse/mtx8", THREADS);
	struct stopper s = { .s_machine = m };
	struct workload_config wc = config_of("exec_exit", THREADS);
	struct workload_result wr;
	pthread_t td;

	(void)state;
	wc.wc_stop = &s.s_stop;
	wc.wc_rounds = UINT64_MAX;
	assert_int_equal(pthread_create(&td, NULL, stop_when_busy, &s), 0);
	run_workload(m, &wc, &wr);
	assert_int_equal(pthread_join(td, NULL), 0);
	assert_true(wr.wr_stopped);
	workload_result_free(&wr);
	machine_end(m);

	m = machine_for("sparse/mtx8", THREADS);
	s.s_machine = m;
	wc.wc_rounds = 0;
	wc.wc_measure_ns = UINT64_C(1000000000000000);
	/* Relaxed: no thread is there. */
	atomic_store_explicit(&s.s_stop, false, memory_order_relaxed);
	assert_int_equal(pthread_create(&td, NULL, stop_when_busy, &s), 0);
	run_workload(m, &wc, &wr);
	assert_int_equal(pthread_join(td, NULL), 0);
	assert_true(wr.wr_stopped);
	workload_result_free(&wr);
	machine_end(m);
}

static void
run_stopped_before_it_is_measured_is_void(void **state)
{
	struct machine *m = machine_for("sparse/mtx8", THREADS);
	struct workload_config wc = config_of("private", THREADS);
	struct workload_result wr;
	atomic_bool stop = true;
	char err[256];

	(void)state;
	wc.wc_stop = &stop;
	assert_int_equal(workload_run(m, &wc, &wr, err, sizeof(err)), 0);
	assert_string_equal(wr.wr_void, "stopped before it was measured");
	assert_true(wr.wr_stopped);
	assert_int_equal(wr.wr_nthreads, 0);
	workload_result_free(&wr);
	machine_end(m);
}

static void
timed_run_discards_its_warm_up(void **state)
{
	struct machine_options mo = { .mo_ncpus = 2, .mo_profile = true };
	struct machine *m = machine_of(map_two_domains, "head", &mo);
	struct workload_config wc = config_of("private", 2);
	struct workload_result wr;
	uint64_t locks;

	(void)state;
	wc.wc_rounds = 0;
	wc.wc_warmup_ns = 5000000;
	wc.wc_measure_ns = 10000000;
	wc.wc_pin = WL_PIN_COMPACT;
	run_workload(m, &wc, &wr);
	locks = sim_counter(m->ma_sim, CTR_PV_LOCKS);
	assert_true(wr.wr_pv_locks > 0);
	assert_true(wr.wr_pv_locks < locks);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(wr.wr_threads[i].wt_enters,
		    wr.wr_threads[i].wt_rounds * PAGES);
	workload_result_free(&wr);
	machine_end(m);
}

/* What promotion and demotion do to pv entries is no work. */
static void
superpages_are_counted_as_what_they_map(void **state)
{
	struct machine *m = machine_for("sparse/gen2", 2);
	struct workload_config wc = config_of("private", 2);
	struct workload_result wr;

	(void)state;
	wc.wc_params.wp_anon_pages = 2 * NPTEPG;
	wc.wc_params.wp_superpages = 1;
	run_workload(m, &wc, &wr);
	check_counts(&wc, &wr);
	/* Two for each thread and round; nothing is left of them. */
	assert_int_equal(wr.wr_pde_promotions, 2 * 2 * wc.wc_rounds);
	assert_int_equal(wr.wr_pde_demotions, wr.wr_pde_promotions);
	assert_int_equal(wr.wr_pde_mappings, 0);
	assert_int_equal(wr.wr_pde_destroyed, 0);
	workload_result_free(&wr);
	machine_end(m);
}

static const struct workload_lock *
lock_named(const struct workload_result *wr, const char *name)
{
	for (unsigned i = 0; i < wr->wr_nlocks; i++) {
		if (strcmp(wr->wr_locks[i].wl_name, name) == 0)
			return (&wr->wr_locks[i]);
	}
	fail_msg("no lock %s in the profile", name);
	return (NULL);
}

static void
profile_tells_what_the_counters_tell(void **state)
{
	struct machine_options mo = { .mo_ncpus = 2, .mo_profile = true };
	struct machine *m = machine_of(map_two_domains, "sparse/mtx8", &mo);
	struct workload_config wc = config_of("exec_exit", 2);
	struct workload_result wr;
	uint64_t by_site = 0, by_name = 0;

	(void)state;
	run_workload(m, &wc, &wr);
	assert_int_equal(
	    lock_named(&wr, "rw:pmap pv list")->wl_count, wr.wr_pv_locks);
	assert_true(lock_named(&wr, "rw:vm object")->wl_count > 0);
	assert_true(lock_named(&wr, "sleep mutex:pmap")->wl_hold_ns > 0);
	for (unsigned i = 0; i < wr.wr_nlocks; i++) {
		by_name += wr.wr_locks[i].wl_count;
		if (i > 0)
			assert_true(wr.wr_locks[i].wl_wait_ns <=
			    wr.wr_locks[i - 1].wl_wait_ns);
	}
	for (size_t i = 0; i < wr.wr_nsites; i++) {
		by_site += wr.wr_sites[i].ws_count;
		assert_non_null(strstr(wr.wr_sites[i].ws_name, ".c:"));
		assert_null(strstr(wr.wr_sites[i].ws_name, "src/"));
	}
	assert_int_equal(by_site, by_name);
	workload_result_free(&wr);
	machine_end(m);

	m = machine_for("sparse/mtx8", 2);
	run_workload(m, &wc, &wr);
	assert_int_equal(wr.wr_nlocks, 0);
	assert_int_equal(wr.wr_nsites, 0);
	workload_result_free(&wr);
	machine_end(m);
}

static void
equal_work_has_jain_index_one(void **state)
{
	struct machine *m = machine_for("sparse/mtx8", THREADS);
	struct workload_config wc = config_of("private", THREADS);
	struct workload_result wr;

	(void)state;
	run_workload(m, &wc, &wr);
	assert_true(wr.wr_jain > 0.999999 && wr.wr_jain < 1.000001);
	workload_result_free(&wr);
	machine_end(m);
}

/*
 * Void on purpose.
 */

static struct pmap *
live_pmap(struct machine *m)
{
	struct pmap *pmap;

	TAILQ_FOREACH (pmap, &m->ma_pmaps, pm_zone_all) {
		if (pmap->pm_live)
			return (pmap);
	}
	return (NULL);
}

static void
miscount_pmap(struct wl_run *run, enum wl_hook_when when, void *arg)
{
	struct pmap *pmap = live_pmap(run->wlr_machine);

	(void)arg;
	if (when == WL_HOOK_BEFORE_CHECK)
		pmap->pm_stats.resident_count++;
	if (when == WL_HOOK_AFTER_CHECK)
		pmap->pm_stats.resident_count--;
}

static void
forge_no_rounds(struct wl_run *run, enum wl_hook_when when, void *arg)
{
	(void)arg;
	if (when == WL_HOOK_MEASURED)
		run->wlr_threads[1].wlt_work.wt_rounds = 0;
}

static void
forge_no_work(struct wl_run *run, enum wl_hook_when when, void *arg)
{
	(void)arg;
	if (when != WL_HOOK_MEASURED)
		return;
	for (unsigned i = 0; i < run->wlr_nthreads; i++) {
		run->wlr_threads[i].wlt_work.wt_enters = 0;
		run->wlr_threads[i].wlt_work.wt_removes = 0;
	}
}

/* Two pages of the run stay mapped by a pmap that the run does not know. */
static void
leave_mappings(struct wl_run *run, enum wl_hook_when when, void *arg)
{
	struct wl_object *wlo = TAILQ_FIRST(&run->wlr_objects);
	struct pmap **pmapp = arg;

	if (when != WL_HOOK_AFTER_CHECK)
		return;
	*pmapp = pmap_alloc(run->wlr_machine);
	if (*pmapp == NULL || pmap_pinit(*pmapp) != KERN_SUCCESS)
		return;
	VM_OBJECT_WLOCK(wlo->wlo_object);
	for (uint32_t i = 0; i < 2; i++)
		(void)pmap_enter(*pmapp, NBPDR + i * PAGE_SIZE,
		    wlo->wlo_pages[i], VM_PROT_READ,
		    VM_PROT_READ | PMAP_ENTER_NOSLEEP, 0);
	VM_OBJECT_WUNLOCK(wlo->wlo_object);
}

static void
keep_page(struct wl_run *run, enum wl_hook_when when, void *arg)
{
	struct vm_page **pagep = arg;

	if (when == WL_HOOK_AFTER_CHECK)
		*pagep =
		    vm_page_alloc(run->wlr_machine->ma_vp, 0, VM_PAGE_NOOBJ);
}

static void
run_void(
    struct machine *m, wl_hook_fn *hook, void *arg, char *text, size_t textsize)
{
	struct workload_config wc = config_of("private", 2);
	struct workload_result wr;
	char err[256];

	assert_int_equal(
	    workload_run_hooked(m, &wc, hook, arg, &wr, err, sizeof(err)), 0);
	(void)snprintf(text, textsize, "%s", wr.wr_void);
	workload_result_free(&wr);
}

static void
run_that_fails_a_check_is_void_and_says_why(void **state)
{
	struct machine *m = machine_for("sparse/mtx8", 2);
	struct vm_page *page = NULL;
	struct pmap *pmap = NULL;
	uint64_t before;
	char text[160], expected[160];

	(void)state;
	run_void(m, miscount_pmap, NULL, text, sizeof(text));
	assert_non_null(
	    strstr(text, "the checker found 1 violation(s), first: inv 13: "));
	run_void(m, forge_no_rounds, NULL, text, sizeof(text));
	assert_string_equal(text, "thread 1 did no work");
	run_void(m, forge_no_work, NULL, text, sizeof(text));
	assert_string_equal(text, "no mapping was made or removed");

	run_void(m, leave_mappings, &pmap, text, sizeof(text));
	assert_string_equal(text, "2 page(s) still mapped at the end");
	assert_int_equal(machine_thread_attach(m, 0), 0);
	pmap_release(pmap);
	pmap_free(pmap);
	machine_thread_detach(m);

	before = machine_free_pages(m);
	run_void(m, keep_page, &page, text, sizeof(text));
	(void)snprintf(expected, sizeof(expected),
	    "%" PRIu64 " pages were free before, %" PRIu64 " are after", before,
	    before - 1);
	assert_string_equal(text, expected);
	assert_int_equal(machine_thread_attach(m, 0), 0);
	vm_page_free(m->ma_vp, page);
	machine_thread_detach(m);
	machine_end(m);
}

static uint64_t
live_bytes(struct machine *m, enum kmem_type type)
{
	struct kmem_stats ks;

	kmem_stats(m->ma_kmem, type, KMEM_ALLDOMAINS, &ks);
	return (ks.ks_requested_bytes);
}

/* Every allocation of a run fails once. */
static void
failed_host_allocation_ends_a_run_cleanly(void **state)
{
	const struct workload_info *wi;
	struct workload_config wc;
	struct workload_result wr;
	struct machine *m;
	char err[256];
	uint64_t before, n;
	int error;

	(void)state;
	for (wi = workload_list(); wi->wi_name != NULL; wi++) {
		m = machine_for("sparse/mtx8", 2);
		before = machine_free_pages(m);
		wc = config_of(wi->wi_name, 2);
		wc.wc_rounds = 1;
		for (error = ENOMEM, n = 1; error != 0; n++) {
			kmem_fail_nth(m->ma_kmem, n);
			error = workload_run(m, &wc, &wr, err, sizeof(err));
			if (error != 0) {
				assert_int_equal(error, ENOMEM);
				assert_string_equal(err, "out of host memory");
			}
			assert_int_equal(machine_free_pages(m), before);
			assert_int_equal(live_bytes(m, M_WORKLOAD), 0);
			assert_int_equal(live_bytes(m, M_OBJECT), 0);
			assert_null(machine_thread_self());
			assert_true(n < 1000);
		}
		kmem_fail_nth(m->ma_kmem, 0);
		assert_string_equal(wr.wr_void, "");
		workload_result_free(&wr);
		machine_end(m);
	}
}

static void
caller_stays_attached_to_its_own_machine(void **state)
{
	struct machine *own = machine_for("sparse/mtx8", 1);
	struct machine *m = machine_for("sparse/gen2", 2);
	struct workload_config wc = config_of("one_pmap", 2);
	struct workload_result wr;
	struct thread *td;

	(void)state;
	assert_int_equal(machine_thread_attach(own, 0), 0);
	td = machine_thread_self();
	run_workload(m, &wc, &wr);
	assert_ptr_equal(machine_thread_self(), td);
	workload_result_free(&wr);
	machine_end(m);
	machine_thread_detach(own);
	machine_end(own);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_names_every_scenario_once),
		LAYOUT_TEST(every_lock_does_every_scenario, PVL_HASHED),
		LAYOUT_TEST(every_lock_does_every_scenario, PVL_PTRARRAY),
		LAYOUT_TEST(every_lock_does_every_scenario, PVL_SPARSE),
		LAYOUT_TEST(every_lock_does_every_scenario, PVL_SEGMENT),
		cmocka_unit_test(same_seed_gives_same_counts),
		cmocka_unit_test(builders_can_migrate),
		cmocka_unit_test(bad_configuration_is_one_clear_sentence),
		cmocka_unit_test(bad_parameter_is_one_clear_sentence),
		cmocka_unit_test(memory_that_runs_out_makes_the_run_void),
		cmocka_unit_test(stop_flag_ends_a_run_early),
		cmocka_unit_test(run_stopped_before_it_is_measured_is_void),
		cmocka_unit_test(timed_run_discards_its_warm_up),
		cmocka_unit_test(superpages_are_counted_as_what_they_map),
		cmocka_unit_test(profile_tells_what_the_counters_tell),
		cmocka_unit_test(equal_work_has_jain_index_one),
		cmocka_unit_test(run_that_fails_a_check_is_void_and_says_why),
		cmocka_unit_test(failed_host_allocation_ends_a_run_cleanly),
		cmocka_unit_test(caller_stays_attached_to_its_own_machine),
	};

	seed = test_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
