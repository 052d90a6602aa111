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

uint64_t
test_seed(void)
{
	const char *s = getenv("PMAPSIM_SEED");
	uint64_t seed = s != NULL ? strtoull(s, NULL, 0) : 1;

	printf("PMAPSIM_SEED=%" PRIu64 "\n", seed);
	return (seed);
}
