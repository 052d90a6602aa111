/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Superpages under load: many threads promote, demote, reclaim, fork, exit, scan
 * and use the same runs of pages, with every layout and every lock, with both
 * forms of delayed invalidation, all kinds of TLBs, and memory that runs out.  See
 * superpage_storm.h.
 *
 * Each layout is run with each lock once; what else the machine has is drawn by
 * the seed.  PMAPSIM_STRESS_SECONDS goes on, with other seeds, for so long;
 * PMAPSIM_STRESS_OPTIONS ("+bug=b6") is added to each design.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "lock_util.h"
#include "superpage_storm.h"

/* "none" excludes nobody. */
#define NLOCKS (PU_NLOCKS - 1)

static uint64_t base_seed;

/* The rest of the design, and of the run. */
static void
storm(const char *layout, const char *lock)
{
	static const char *const tlbs[] = { "adversarial", "adversarial",
		"direct", "assoc", "none" };
	const char *options = getenv("PMAPSIM_STRESS_OPTIONS");
	uint64_t seed = base_seed++;
	uint64_t rng = seed;
	uint64_t r = lt_random(&rng);
	char design[140];
	struct sps_config sc = {
		.sc_design = design,
		.sc_seed = seed,
		.sc_rounds = 2,
		.sc_nops = lt_scale(320),
		.sc_shortage = (enum sps_shortage)((r >> 16) % SPS_NSHORTAGES),
		.sc_preempt = (r >> 24) % 2 != 0,
	};

	(void)snprintf(design, sizeof(design),
	    "%s/%s%s%s+di=%s+tlb=%s+ipi=%s+pcid=%s%s%s%s", layout, lock,
	    (r >> 1) % 2 != 0 ? "+batch" : "",
	    (r >> 2) % 3 == 0 ? "+chunks=global" : "",
	    (r >> 4) % 2 != 0 ? "mutex" : "lockless",
	    tlbs[(r >> 5) % (sizeof(tlbs) / sizeof(tlbs[0]))],
	    (r >> 8) % 2 != 0 ? "mailbox" : "sync",
	    (r >> 9) % 4 != 0 ? "on" : "off",
	    (r >> 11) % 4 == 0 ? "+pmap=14" : "",
	    (r >> 13) % 3 == 0 ? "+erratum383=on" : "",
	    options != NULL ? options : "");
	if (getenv("PMAPSIM_STRESS_VERBOSE") != NULL)
		print_message("%s, shortage %d, seed %" PRIu64 "\n", design,
		    (int)sc.sc_shortage, seed);
	sps_run(&sc);
}

static void
every_layout_with_every_lock(void **state)
{
	(void)state;
	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		for (unsigned k = 0; k < NLOCKS; k++)
			storm(pu_layouts[l], pu_locks[k]);
	}
}

/* All headers under few locks: superpages that hash to one. */
static void
few_locks(void **state)
{
	(void)state;
	storm("hashed", "gen2+locks=1");
	storm("hashed", "mtx8+locks=2");
	storm("hashed", "rwlock+locks=1");
}

/* For people: as long as they like. */
static void
go_on(void **state)
{
	const char *s = getenv("PMAPSIM_STRESS_SECONDS");
	time_t end, now = time(NULL);
	uint64_t n = 0;

	(void)state;
	if (s == NULL)
		skip();
	end = now + (time_t)strtoull(s, NULL, 0);
	for (; time(NULL) < end; n++)
		storm(pu_layouts[n % PU_NLAYOUTS],
		    pu_locks[n / PU_NLAYOUTS % NLOCKS]);
	print_message(
	    "%" PRIu64 " storms, next seed %" PRIu64 "\n", n, base_seed);
}

/* A storm in which nothing happens shows nothing. */
static void
what_is_looked_for_has_happened(void **state)
{
	(void)state;
	print_message("%" PRIu64 " promotions, %" PRIu64 " demotions, %" PRIu64
		      " 2 MB mappings, %" PRIu64 " restarts, %" PRIu64
		      " reclaimed, %" PRIu64 " waits, %" PRIu64
		      " TLB hits, %" PRIu64 " pages frozen\n",
	    sps_totals.st_promotions, sps_totals.st_demotions,
	    sps_totals.st_mappings, sps_totals.st_restarts,
	    sps_totals.st_reclaims, sps_totals.st_invl_waits,
	    sps_totals.st_hits, sps_totals.st_frozen);
	assert_true(sps_totals.st_promotions > 0);
	assert_true(sps_totals.st_demotions > 0);
	assert_true(sps_totals.st_mappings > 0);
	assert_true(sps_totals.st_reclaims > 0);
	assert_true(sps_totals.st_hits > 0);
	assert_true(sps_totals.st_frozen > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_with_every_lock),
		cmocka_unit_test(few_locks),
		cmocka_unit_test(go_on),
		/* Last: it looks at what the others did. */
		cmocka_unit_test(what_is_looked_for_has_happened),
	};

	base_seed = lt_seed();
	return (
	    cmocka_run_group_tests_name("superpage stress", tests, NULL, NULL));
}
