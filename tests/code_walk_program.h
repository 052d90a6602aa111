/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_CODE_WALK_PROGRAM_H
#define TESTS_CODE_WALK_PROGRAM_H

/*
 * Walks over a lock whose threads run programs: strings with a letter for each
 * operation, those of up to CW_THREADS_MAX threads separated by blanks.  What the
 * letters mean is the test's.
 */

#include "code_walk_lock.h"

/* Of the walk that is under way. */
extern const char *cwp_programs[CW_THREADS_MAX];
extern unsigned cwp_nthreads;

/* Which of the threads are more urgent. */
#define CWP_NPRIS 2u
extern const int cwp_pris[CWP_NPRIS][CW_THREADS_MAX];

struct cwp_walk {
	/* The lock, made, and its word. */
	void *cwp_lock;
	size_t cwp_lock_size;
	_Atomic uint64_t *cwp_word;
	/* What the test notes of its threads: part of the state, zero at first. */
	void *cwp_ghosts;
	size_t cwp_ghosts_size;
	/* As in struct code_walk. */
	void (*cwp_body)(unsigned t);
	const char *(*cwp_complaint)(void);
	const char *(*cwp_end)(void);
};

/* code_walk(); what cwl_begin() wants set is set. */
const char *cwp_walk(const struct cwp_walk *cwp, const char *programs,
    const int *pris, size_t *nstatesp);

#endif /* TESTS_CODE_WALK_PROGRAM_H */
