/* SPDX-License-Identifier: BSD-2-Clause */
#include "workload_util.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char *const map_two_domains = "# two small domains\n"
				    "0-9fc00 usable 0\n"
				    "9fc00-100000 reserved 0\n"
				    "100000-4000000 usable 0\n"
				    "4000000-8000000 usable 1\n";

struct machine *
machine_of(
    const char *map, const char *design, const struct machine_options *mo)
{
	static const struct machine_options none;
	struct machine_config mc = { .mc_design = design };
	struct memmap_error me;
	struct memmap *mm;
	struct machine *m;
	char err[256] = "";

	if (mo == NULL)
		mo = &none;
	if (memmap_parse("test", map, strlen(map), &mm, &me) != 0)
		fail_msg("map: line %u: %s", me.me_line, me.me_text);
	mc.mc_map = mm;
	mc.mc_ncpus = mo->mo_ncpus;
	mc.mc_profile = mo->mo_profile;
	mc.mc_witness = mo->mo_witness;
	mc.mc_limit_pages = mo->mo_limit_pages;
	mc.mc_blacklist = mo->mo_blacklist;
	mc.mc_nblacklist = mo->mo_nblacklist;
	if (machine_create(&mc, &m, err, sizeof(err)) != 0)
		fail_msg("%s: %s", design, err);
	memmap_free(mm);
	return (m);
}

void
machine_end(struct machine *m)
{
	assert_int_equal(machine_destroy(m, stderr), 0);
}

struct workload_config
small_workload(
    const char *name, unsigned threads, uint64_t seed, uint64_t rounds)
{
	struct workload_config wc = {
		.wc_name = name,
		.wc_threads = threads,
		.wc_seed = seed,
		.wc_rounds = rounds,
		.wc_params = {
			.wp_text_copies = 2,
			.wp_text_pages = 100,
			.wp_anon_pages = 60,
			.wp_range_pages = 128,
		},
	};

	if (threads > 1 && strcmp(name, "pageout") == 0)
		wc.wc_params.wp_daemons = 2;
	return (wc);
}

void
run_workload(struct machine *m, const struct workload_config *wc,
    struct workload_result *wr)
{
	char err[256] = "";

	if (workload_run(m, wc, wr, err, sizeof(err)) != 0)
		fail_msg("%s: %s", wc->wc_name, err);
	if (wr->wr_void[0] != '\0')
		fail_msg("%s: void: %s", wc->wc_name, wr->wr_void);
	assert_int_equal(wr->wr_violations, 0);
	assert_int_equal(wr->wr_nthreads, wc->wc_threads);
}

enum pv_layout test_layouts[PVL_COUNT] = {
	[PVL_HASHED] = PVL_HASHED,
	[PVL_PTRARRAY] = PVL_PTRARRAY,
	[PVL_SPARSE] = PVL_SPARSE,
	[PVL_SEGMENT] = PVL_SEGMENT,
};

uint64_t
test_seed(void)
{
	const char *s = getenv("PMAPSIM_SEED");
	uint64_t seed = s != NULL ? strtoull(s, NULL, 0) : 1;

	printf("PMAPSIM_SEED=%" PRIu64 "\n", seed);
	return (seed);
}
