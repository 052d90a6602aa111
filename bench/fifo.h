/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_FIFO_H
#define BENCH_FIFO_H

/*
 * The host's real-time class SCHED_FIFO: a thread runs until it blocks, or until
 * one of a higher level wants its CPU.  Needs a privilege, on Linux CAP_SYS_NICE
 * or a limit RLIMIT_RTPRIO that is large enough.
 */

#include <pthread.h>
#include <stdbool.h>

#define FIFO_LEVELS 40 /* that fifo_set() knows, 0 is the lowest */

/* Puts the calling thread there.  Returns 0 or an errno value. */
int fifo_set(unsigned level);
/* Takes a thread back to the usual class. */
void fifo_unset(pthread_t thread);
/* May this process?  Leaves the calling thread as it is.  0 or errno value. */
int fifo_try(void);
/*
 * Is the calling thread in a real-time class, SCHED_FIFO or SCHED_RR, and so
 * those that it starts?
 */
bool fifo_inherited(void);

#endif /* BENCH_FIFO_H */
