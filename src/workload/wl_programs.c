/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The programs of a package build, from recorded builds.
 *
 * Measured: traces of builds under Linux 6.18 on 2 CPUs (Cascade Lake, 2.5 GHz):
 * one configure run (4,281 processes in 21.4 s), four packages made with gcc at
 * -j3 (683 processes in 25.7 s on both CPUs), and one made with clang at -j8 (68
 * in 10.4 s).  Medians by program.
 *
 *   pages of files	mapped by a run and resident at its end; the common part,
 *			535 pages, is rtld and libc.  Of cc1's 9,985 mapped pages
 *			5,600 to 6,300 are resident, of clang's 57,089 20,967, of
 *			lld's 48,021 12,754, in windows of 16 pages
 *   data		file pages that a run copies: 12 for a small tool, 41 for
 *			cc1, 111 for the assembler, and so on, shared out over the
 *			files that programs have in common
 *   touched		distinct file pages, from a trace with a fault for each
 *   private		anonymous and copied pages at the peak, median and 90th
 *			percentile
 *   life, faults	as recorded, on a CPU: where a program waits for others
 *			(driver, shell, make), what is left of the run when the
 *			others' time is taken off
 *   children		counts of the traces: of 3,704 forks of configure 1,660
 *			never execed; of 450 children of make 34
 *
 * FreeBSD's compiler is clang, of which the driver, clang -cc1 and the assembler
 * are one program with all of LLVM linked in; so drivers map as much as compilers
 * do, and there is no as.  In the trace clang's libraries are shared ones: 2,694
 * pages that relocation copies there, and 2,055 of lld's, are not copied here.
 *
 * Assumed: clang compiles a configure test in the time of cc1, with the share of
 * the private pages of a real file that cc1 has, a half; lld links in the time of
 * ld; the driver does what gcc does.  How many variants a kind of program has (8 small tools, 3 text tools,
 * 4 others), and how many mappings its libraries have (two for each library:
 * read-only data and code).
 */

#include "workload/wl_programs.h"

#include <stddef.h>

/*
 * Measured: recording made the configure run 1.27 times as long; and what a fault
 * costs the recorded kernel (1.0 us on a file page to 2.5 us with a copy), which
 * is no user time.
 */
#define RECORDED_PERCENT  127
#define RECORDED_FAULT_NS 1500

const struct wl_file wl_files[WL_NFILES] = {
	/* name, pages, data, mappings, variants, resident, compiler */
	[WLF_RTLD] = { "rtld", 54, 3, 1, 1, 100, -1 },
	[WLF_LIBC] = { "libc", 481, 6, 2, 1, 100, -1 },
	[WLF_HINTS] = { "hints", 8, 0, 1, 1, 100, -1 },
	[WLF_LIBTEXT] = { "libtext", 200, 6, 4, 1, 100, -1 },
	[WLF_LIBCC] = { "libcc", 900, 12, 8, 1, 100, WL_GCC },
	[WLF_LIBBFD] = { "libbfd", 600, 42, 6, 1, 100, WL_GCC },
	[WLF_SH] = { "sh", 355, 19, 1, 1, 100, -1 },
	[WLF_COREUTIL] = { "coreutil", 13, 3, 1, 8, 100, -1 },
	[WLF_TEXTTOOL] = { "texttool", 35, 3, 1, 3, 100, -1 },
	[WLF_DRIVER] = { "driver", 313, 4, 1, 1, 100, WL_GCC },
	[WLF_COLLECT2] = { "collect2", 151, 3, 1, 1, 100, WL_GCC },
	[WLF_CC1] = { "cc1", 7900, 20, 1, 1, 63, WL_GCC },
	[WLF_AS] = { "as", 218, 60, 1, 1, 100, WL_GCC },
	[WLF_LD] = { "ld", 390, 3, 1, 1, 100, WL_GCC },
	[WLF_CLANG] = { "clang", 56550, 32, 1, 1, 36, WL_CLANG },
	[WLF_LLD] = { "lld", 47490, 32, 1, 1, 26, WL_CLANG },
	[WLF_MAKE] = { "make", 59, 6, 1, 1, 100, -1 },
	[WLF_OTHER] = { "other", 365, 12, 1, 4, 100, -1 },
};

const struct wl_program wl_programs[WL_NPROGRAMS] = {
	/* name, file, library, touched, private, p90, cow, calls, us, faults */
	[WLP_BASE_SH] = { "base sh", WLF_SH, WLF_NONE, 370, 248, 254, 44, 32,
	    1370, 68 },
	[WLP_BASE_MAKE] = { "base make", WLF_MAKE, WLF_NONE, 240, 83, 86, 14,
	    70, 1370, 20 },
	[WLP_FORKED] = { "forked", WLF_NONE, WLF_NONE, 0, 0, 0, 42, 2, 690,
	    65 },
	[WLP_COREUTIL] = { "coreutil", WLF_COREUTIL, WLF_NONE, 165, 25, 26, 0,
	    26, 800, 57 },
	[WLP_TEXTTOOL] = { "texttool", WLF_TEXTTOOL, WLF_LIBTEXT, 230, 40, 46,
	    0, 42, 1410, 90 },
	[WLP_SH] = { "sh", WLF_SH, WLF_NONE, 180, 72, 143, 0, 32, 2000, 250 },
	[WLP_GCC] = { "gcc", WLF_DRIVER, WLF_NONE, 280, 39, 47, 0, 28, 5000,
	    90 },
	[WLP_CC1_TEST] = { "cc1 test", WLF_CC1, WLF_LIBCC, 2530, 1133, 1262, 0,
	    96, 34800, 1563 },
	[WLP_CC1] = { "cc1", WLF_CC1, WLF_LIBCC, 3640, 2199, 4614, 0, 126,
	    360000, 2720 },
	[WLP_AS] = { "as", WLF_AS, WLF_LIBBFD, 540, 214, 250, 0, 51, 3500,
	    289 },
	[WLP_COLLECT2] = { "collect2", WLF_COLLECT2, WLF_NONE, 200, 29, 30, 0,
	    26, 2700, 72 },
	[WLP_LD] = { "ld", WLF_LD, WLF_LIBBFD, 560, 1268, 1434, 0, 113, 28700,
	    1736 },
	[WLP_CLANG] = { "clang", WLF_CLANG, WLF_NONE, 280, 67, 75, 0, 28, 5000,
	    90 },
	[WLP_CLANG_TEST] = { "clang test", WLF_CLANG, WLF_NONE, 2530, 735, 820,
	    0, 96, 34800, 1563 },
	[WLP_CLANG_CC1] = { "clang cc1", WLF_CLANG, WLF_NONE, 4040, 1427, 2715,
	    0, 167, 420000, 5533 },
	[WLP_LLD] = { "lld", WLF_LLD, WLF_NONE, 2920, 758, 814, 0, 155, 28700,
	    3772 },
	[WLP_MAKE] = { "make", WLF_MAKE, WLF_NONE, 240, 83, 118, 0, 76, 2870,
	    122 },
	[WLP_OTHER] = { "other", WLF_OTHER, WLF_NONE, 155, 221, 717, 0, 58,
	    10000, 355 },
};

/* The children of a configure run, whose driver is that of the compiler. */
#define CONFIGURE(driver)                                                      \
	.wm_child = {                                                          \
		[WLP_FORKED] = 1660,                                           \
		[WLP_COREUTIL] = 1240,                                         \
		[WLP_TEXTTOOL] = 511,                                          \
		[driver] = 266,                                                \
		[WLP_SH] = 15,                                                 \
		[WLP_OTHER] = 8,                                               \
		[WLP_MAKE] = 4,                                                \
	},                                                                     \
	.wm_fork_pct = 100, .wm_base = WLP_BASE_SH, .wm_driver = (driver)

#define MAKE(driver)                                                           \
	.wm_child = {                                                          \
		[WLP_FORKED] = 34,                                             \
		[WLP_COREUTIL] = 173,                                          \
		[WLP_TEXTTOOL] = 10,                                           \
		[driver] = 117,                                                \
		[WLP_SH] = 43,                                                 \
		[WLP_OTHER] = 64,                                              \
		[WLP_MAKE] = 9,                                                \
	},                                                                     \
	.wm_fork_pct = 36, .wm_base = WLP_BASE_MAKE, .wm_driver = (driver)

const struct wl_mix wl_mixes[WL_NCOMPILERS][WL_NSTAGES] = {
	[WL_CLANG] = {
		[WL_STAGE_CONFIGURE] = {
			CONFIGURE(WLP_CLANG),
			.wm_starts = {
				{ WLP_CLANG_TEST, 97 },
				{ WLP_LLD, 14 },
			},
		},
		[WL_STAGE_MAKE] = {
			MAKE(WLP_CLANG),
			.wm_starts = {
				{ WLP_CLANG_CC1, 87 },
				{ WLP_LLD, 13 },
			},
		},
	},
	[WL_GCC] = {
		[WL_STAGE_CONFIGURE] = {
			CONFIGURE(WLP_GCC),
			.wm_starts = {
				{ WLP_CC1_TEST, 97 },
				{ WLP_AS, 89 },
				{ WLP_COLLECT2, 14 },
				{ WLP_LD, 14 },
			},
		},
		[WL_STAGE_MAKE] = {
			MAKE(WLP_GCC),
			.wm_starts = {
				{ WLP_CC1, 87 },
				{ WLP_AS, 86 },
				{ WLP_COLLECT2, 13 },
				{ WLP_LD, 13 },
			},
		},
	},
};

uint64_t
wl_program_user_ns(const struct wl_program *wpg)
{
	uint64_t fault_ns = (uint64_t)wpg->wpg_faults * RECORDED_FAULT_NS;
	uint64_t life_ns =
	    (uint64_t)wpg->wpg_life_us * 1000 * 100 / RECORDED_PERCENT;

	return (life_ns > fault_ns ? life_ns - fault_ns : 0);
}

/*
 * Time between two faults of a thread in the configure trace, per thousand, up
 * to 1 ms: beyond that it waited for somebody.
 */
static const struct {
	uint32_t g_below; /* of 1000 */
	uint32_t g_ns;    /* are below this */
} gaps[] = {
	{ 0, 1000 },
	{ 33, 2000 },
	{ 228, 4000 },
	{ 648, 8000 },
	{ 832, 16000 },
	{ 913, 33000 },
	{ 957, 66000 },
	{ 989, 262000 },
	{ 1000, 1000000 },
};
#define NGAPS (sizeof(gaps) / sizeof(gaps[0]))
/* The mean of that, uniform between two lines. */
#define GAPS_MEAN_NS 21700

uint64_t
wl_gap_ns(uint32_t random, uint64_t mean_ns)
{
	/* Per million, so that the place between two lines has many values. */
	uint64_t at = (uint64_t)random * 1000000 >> 32, ns, width;
	size_t i = 1;

	while (at >= (uint64_t)gaps[i].g_below * 1000)
		i++;
	at -= (uint64_t)gaps[i - 1].g_below * 1000;
	width = (uint64_t)(gaps[i].g_below - gaps[i - 1].g_below) * 1000;
	ns = gaps[i - 1].g_ns + (gaps[i].g_ns - gaps[i - 1].g_ns) * at / width;
	return (ns * mean_ns / GAPS_MEAN_NS);
}

/*
 * Half lie evenly in the fifth below the median, four in ten from there to the
 * 90th percentile, the rest up to a third above that.
 */
uint32_t
wl_program_private(const struct wl_program *wpg, uint32_t random)
{
	uint64_t p50 = wpg->wpg_private, p90 = wpg->wpg_private90;
	uint64_t u = (uint64_t)random * 1000 >> 32;

	if (u < 500)
		return ((uint32_t)(p50 * 4 / 5 + p50 * u / 2500));
	if (u < 900)
		return ((uint32_t)(p50 + (p90 - p50) * (u - 500) / 400));
	return ((uint32_t)(p90 + p90 * (u - 900) / 300));
}
