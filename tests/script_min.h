/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SCRIPT_MIN_H
#define TESTS_SCRIPT_MIN_H

/*
 * Making a script that fails as short as it gets, by delta debugging: leave out
 * half of the lines, a quarter, and so on down to single ones, as long as it
 * still fails in the same way.
 *
 * Each attempt runs in a process of its own, since what fails may leave locks
 * held, or kill the process.
 */

#include "script_util.h"

/*
 * Run in a child.  A child that dies has the outcome "died".
 */
void script_run_apart(const struct script_job *sj,
    const struct script_lines *sl, struct script_outcome *so);

/*
 * Leave out of sl what is not needed for the failure in *so, which is then that of
 * the shorter script.  At most max_runs attempts.
 */
void script_minimise(const struct script_job *sj, struct script_lines *sl,
    struct script_outcome *so, unsigned max_runs);

#endif /* TESTS_SCRIPT_MIN_H */
