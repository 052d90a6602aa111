/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_COUNT_RUN_H
#define TESTS_COUNT_RUN_H

/*
 * What test_shared_count.c asks of where it runs: count_real.c, threads; count_virtual.c, a
 * virtual machine.
 */

#include <stdbool.h>

#include "workload/xs.h"

extern const bool count_run_is_virtual;

/* The status of a process in which a race was found; as ThreadSanitizer's. */
#define RACE_STATUS 66

/* Around the whole of a run; watched: a data race ends the process. */
void count_run_begin(bool watched);
void count_run_end(void);
/* For xs_run() between the two. */
extern const struct xs_hooks count_run_hooks;

#endif /* TESTS_COUNT_RUN_H */
