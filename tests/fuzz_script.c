/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A fuzzer over sequences of operations, led by coverage.
 *
 * Bytes are decisions of the generator of random scripts, so that every input is
 * a script that makes sense, and a small change of an input is a small change of
 * the script.  With PMAPSIM_SANITIZE=...,fuzzer-no-link and clang the program is
 * a libFuzzer target; fuzz_replay.c runs inputs without it.
 */

#include "fuzz_script.h"

#include <stdlib.h>

#include "script_gen.h"

#define NOPS_MAX  120
#define CHECK_OPS 16 /* invariants are walked after so many operations */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char *const layouts[] = { "sparse", "hashed", "ptrarray",
	"segment" };
static const char *const locks[] = { "rwlock", "gen2", "mtx8", "gen1" };

void
fuzz_decode(const uint8_t *bytes, size_t n, struct script_lines *sl,
    enum pmap_version *versionp, char *design, size_t size)
{
	static const enum pmap_version versions[] = { PMAP_MAIN, PMAP_14,
		PMAP_12_3, PMAP_12_1 };
	struct script_dice sd = { .sd_bytes = bytes, .sd_nbytes = n };
	uint8_t flavour = n > 0 ? bytes[0] : 0, variant = n > 1 ? bytes[1] : 0;

	sd.sd_pos = n < 2 ? n : 2;
	*versionp = versions[variant & 3];
	(void)snprintf(design, size, "%s/%s+pmap=%s", layouts[variant >> 2 & 3],
	    locks[variant >> 4 & 3], pmap_version_name(*versionp));
	script_generate(sl, (enum script_flavour)(flavour % FLAVOUR_COUNT),
	    *versionp, NOPS_MAX, &sd);
}

bool
fuzz_one(const uint8_t *bytes, size_t n, uint64_t *opsp)
{
	struct script_lines sl = { .sl_n = 0 };
	char design[96];
	struct script_job sj = {
		.sj_design = design,
		.sj_model = true,
		.sj_check_every = CHECK_OPS,
		.sj_end_state = true,
		.sj_diag = stderr,
	};
	struct script_outcome so;

	fuzz_decode(bytes, n, &sl, &sj.sj_version, design, sizeof(design));
	script_run(&sj, &sl, &so);
	*opsp += so.so_ops;
	if (!so.so_ok) {
		(void)fprintf(stderr, "%s, line %u: %s\n", design, so.so_line,
		    so.so_text);
		for (size_t i = 0; i < sl.sl_n; i++)
			(void)fprintf(stderr, "%s\n", sl.sl_lines[i]);
	}
	script_lines_free(&sl);
	return (so.so_ok);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint64_t ops = 0;

	if (!fuzz_one(bytes, n, &ops))
		abort();
	return (0);
}
