/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Every lock backend under every layout in every scenario, 8 threads at once:
 * for sanitizers and for the checker, not for speed.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "kern/sanitizer.h"
#include "pmapsim/workload.h"
#include "workload_util.h"

#define THREADS 8
/*
 * Where the lock is handed to a thread that may not run while others spin: few
 * enough to have a CPU each, and one more than there are daemons.
 */
#define FIFO_SPIN_THREADS 3
#define ROUNDS            15 /* enough that all threads run at once */

static uint64_t seed;

/* What a design is tested with: both ways to keep and to free chunks. */
static const char *const options[] = { "", "+batch+chunks=global" };

static void
run_scenario(const char *design, const char *name, unsigned threads)
{
	struct machine_options mo = { .mo_ncpus = threads, .mo_profile = true };
	struct workload_config wc = small_workload(name, threads, seed, ROUNDS);
	struct machine *m = machine_of(map_two_domains, design, &mo);
	struct workload_result wr;

	run_workload(m, &wc, &wr);
	for (unsigned i = 0; i < threads; i++)
		assert_int_equal(wr.wr_threads[i].wt_rounds, ROUNDS);
	assert_true(wr.wr_pv_locks > 0);
	workload_result_free(&wr);
	machine_end(m);
}

static unsigned
threads_for(const struct pv_lock_ops *ops)
{
	const uint32_t fifo_spin = PLO_FAIR | PLO_SPIN;

	if ((ops->plo_flags & PLO_NOLOCK) != 0)
		return (1);
	return ((ops->plo_flags & fifo_spin) == fifo_spin ? FIFO_SPIN_THREADS
							  : THREADS);
}

static void
run_backend(const char *design, const struct pv_lock_ops *ops)
{
	for (const struct workload_info *wi = workload_list();
	     wi->wi_name != NULL; wi++)
		run_scenario(design, wi->wi_name, threads_for(ops));
}

static void
every_backend_passes_every_scenario(void **state)
{
	const struct pv_lock_ops *const *list = pv_lock_ops_list(), *const * p;
	enum pv_layout *layout = *state;
	char design[96];

	for (p = list; *p != NULL; p++) {
		for (size_t i = 0; i < 2; i++) {
			/* Under a sanitizer each meets one layout in each way. */
			if (SANITIZED &&
			    ((size_t)(p - list) + i) % PVL_COUNT != *layout)
				continue;
			(void)snprintf(design, sizeof(design), "%s/%s%s",
			    pv_layout_name(*layout), (*p)->plo_name,
			    options[i]);
			printf("# %s\n", design);
			run_backend(design, *p);
		}
	}
}

/* Few locks for many pages: waiting is the rule. */
static void
every_backend_passes_with_few_locks(void **state)
{
	const struct pv_lock_ops *const *p;
	char design[96];

	(void)state;
	for (p = pv_lock_ops_list(); *p != NULL; p++) {
		if (((*p)->plo_flags & PLO_NOLOCK) != 0)
			continue;
		(void)snprintf(design, sizeof(design), "hashed/%s+locks=2",
		    (*p)->plo_name);
		printf("# %s\n", design);
		run_backend(design, *p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAYOUT_TEST(every_backend_passes_every_scenario, PVL_HASHED),
		LAYOUT_TEST(every_backend_passes_every_scenario, PVL_PTRARRAY),
		LAYOUT_TEST(every_backend_passes_every_scenario, PVL_SPARSE),
		LAYOUT_TEST(every_backend_passes_every_scenario, PVL_SEGMENT),
		cmocka_unit_test(every_backend_passes_with_few_locks),
	};

	seed = test_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
