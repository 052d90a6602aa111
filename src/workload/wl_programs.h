/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_WL_PROGRAMS_H
#define WORKLOAD_WL_PROGRAMS_H

/*
 * What a package build runs: which programs, of what size, how often, for how
 * long.  Data only; wl_process.c makes processes of it, wl_poudriere.c builds.
 */

#include <stdint.h>

/* What a builder does for seconds on end. */
enum wl_stage {
	WL_STAGE_CONFIGURE,
	WL_STAGE_MAKE
};
#define WL_NSTAGES 2

/* Who compiles. */
enum wl_compiler {
	WL_CLANG,
	WL_GCC
};
#define WL_NCOMPILERS 2

/* Files that a jail has one copy of, in as many variants as wf_variants says. */
enum wl_file_id {
	WLF_RTLD,
	WLF_LIBC,
	WLF_HINTS, /* mapped, looked at and unmapped while a program starts */
	WLF_LIBTEXT,
	WLF_LIBCC,
	WLF_LIBBFD,
	WLF_SH,
	WLF_COREUTIL,
	WLF_TEXTTOOL,
	WLF_DRIVER,
	WLF_COLLECT2,
	WLF_CC1,
	WLF_AS,
	WLF_LD,
	WLF_CLANG,
	WLF_LLD,
	WLF_MAKE,
	WLF_OTHER
};
#define WL_NFILES        (WLF_OTHER + 1)
#define WL_FILE_VARIANTS 8 /* at most */
#define WLF_NONE         WL_NFILES

struct wl_file {
	const char *wf_name;
	uint16_t wf_pages;
	uint16_t wf_data; /* the last of them, which a process copies */
	uint8_t wf_maps;  /* mappings that share the rest evenly */
	uint8_t wf_variants;
	uint8_t wf_resident; /* percent of the pages; less: in windows */
	int8_t wf_compiler;  /* enum wl_compiler that uses it, -1: either */
};
extern const struct wl_file wl_files[WL_NFILES];

enum wl_program_id {
	WLP_BASE_SH,   /* configure's shell, all through a builder's life */
	WLP_BASE_MAKE, /* make, the same */
	WLP_FORKED,    /* a copy of the base, until it execs or exits */
	WLP_COREUTIL,
	WLP_TEXTTOOL,
	WLP_SH,
	/* Compiler drivers, and what they start. */
	WLP_GCC,
	WLP_CC1_TEST,
	WLP_CC1,
	WLP_AS,
	WLP_COLLECT2,
	WLP_LD,
	WLP_CLANG,
	WLP_CLANG_TEST, /* clang -cc1 */
	WLP_CLANG_CC1,
	WLP_LLD,
	WLP_MAKE,
	WLP_OTHER
};
#define WL_NPROGRAMS (WLP_OTHER + 1)

struct wl_program {
	const char *wpg_name;
	enum wl_file_id wpg_file;
	enum wl_file_id wpg_lib; /* besides libc, or WLF_NONE */
	uint16_t wpg_touched;    /* distinct file pages */
	uint16_t wpg_private;    /* private pages: median */
	uint16_t wpg_private90;  /* and 90th percentile */
	uint16_t wpg_forkcow;    /* writes to pages shared since a fork */
	uint16_t wpg_calls;      /* mmap, mprotect, munmap, brk */
	uint32_t wpg_life_us;    /* on a CPU, as recorded */
	uint16_t wpg_faults;     /* in that time, as recorded */
};
extern const struct wl_program wl_programs[WL_NPROGRAMS];

#define WL_DRIVER_STARTS 4

/* What the base starts: so many of all children in a stage. */
struct wl_mix {
	uint16_t wm_child[WL_NPROGRAMS]; /* WLP_FORKED: never execs */
	uint16_t wm_fork_pct;            /* by fork, which copies; else vfork */
	enum wl_program_id wm_base;
	enum wl_program_id wm_driver;
	/* What drivers start, in order, and how many of 100 do. */
	struct {
		enum wl_program_id ws_program;
		uint8_t ws_pct;
	} wm_starts[WL_DRIVER_STARTS];
};
extern const struct wl_mix wl_mixes[WL_NCOMPILERS][WL_NSTAGES];

/* User time of a run of the program, in ns. */
uint64_t wl_program_user_ns(const struct wl_program *wpg);

/*
 * A time between two events whose mean is mean_ns, from 32 random bits: half
 * are below a third of it, a few are tens of times as long.
 */
uint64_t wl_gap_ns(uint32_t random, uint64_t mean_ns);

/* Private pages of one run, from 32 random bits. */
uint32_t wl_program_private(const struct wl_program *wpg, uint32_t random);

#endif /* WORKLOAD_WL_PROGRAMS_H */
