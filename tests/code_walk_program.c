/* SPDX-License-Identifier: BSD-2-Clause */

#include "code_walk_program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

const char *cwp_programs[CW_THREADS_MAX];
unsigned cwp_nthreads;

const int cwp_pris[CWP_NPRIS][CW_THREADS_MAX] = {
	{ PRI_DEFAULT, PRI_DEFAULT, PRI_DEFAULT },
	{ 120, 110, 100 },
};

const char *
cwp_walk(const struct cwp_walk *cwp, const char *programs, const int *pris,
    size_t *nstatesp)
{
	const char *wrong;
	char copy[32];

	assert_true(strlen(programs) < sizeof(copy));
	(void)strcpy(copy, programs);
	cwp_nthreads = 0;
	for (char *p = strtok(copy, " "); p != NULL; p = strtok(NULL, " "))
		cwp_programs[cwp_nthreads++] = p;

	memset(cwp->cwp_ghosts, 0, cwp->cwp_ghosts_size);
	cwl_begin(pris, cwp_nthreads, cwp->cwp_lock, cwp->cwp_lock_size,
	    cwp->cwp_word);
	cw_region(cwp->cwp_ghosts, cwp->cwp_ghosts_size);
	wrong = code_walk(
	    &(struct code_walk){
		.cw_nthreads = cwp_nthreads,
		.cw_body = cwp->cwp_body,
		.cw_switch = cwl_switch,
		.cw_complaint = cwp->cwp_complaint,
		.cw_end = cwp->cwp_end,
	    },
	    nstatesp);
	cwl_end();
	return (wrong);
}
