/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_CODE_WALK_H
#define TESTS_CODE_WALK_H

/*
 * Walk every interleaving of threads that run real code.
 *
 * model_walk.h wants a model, which somebody writes down anew and which may differ
 * from the code.  Here the code itself is the model: its source is compiled a
 * second time, with code_walk_hooks.h in front, so that each access to shared
 * memory gives up the CPU first.  A thread is a coroutine; a step is what it does
 * from one access to the next.  A state is the bytes of its stacks and of the
 * memory named by cw_region(): the walk saves them, takes one step, and puts them
 * back to take another.
 *
 * States are remembered by a hash of 128 bits.  Two that differ and hash alike
 * would hide each other: for a million states the odds are below 1 to 10^26.
 * What lies in stale parts of a stack makes equal states look different, which
 * costs time and nothing else.
 *
 * Memory is sequentially consistent.  Sanitizers do not see through stacks that are
 * copied, so the programs are not built with them.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CW_THREADS_MAX 3

struct code_walk {
	unsigned cw_nthreads;
	/* What thread t does.  Runs on a small stack. */
	void (*cw_body)(unsigned t);
	/* Thread t is about to take a step. */
	void (*cw_switch)(unsigned t);
	/* NULL, or what is wrong with the state. */
	const char *(*cw_complaint)(void);
	/* The same, where every thread is done. */
	const char *(*cw_end)(void);
};

/* Memory that belongs to the state, as it is at the start. */
void cw_region(void *base, size_t size);
/* Forget all regions. */
void cw_reset(void);

/*
 * Walk from the state that memory is in, and leave it as it was.  Returns NULL, or
 * the first thing found wrong; a state that is not done and that no thread can
 * leave is a wake-up lost.  *nstatesp: states seen.
 */
const char *code_walk(const struct code_walk *cw, size_t *nstatesp);

/* For code that is walked.  Outside a walk they do nothing, or return 0. */

/* The next step begins here. */
void cw_yield(void);
/* Here, as soon as *p is 0, or is not. */
void cw_await(const _Atomic uint32_t *p, bool zero);
/* Go on in both ways. */
bool cw_choose(void);
/* Something is wrong; does not return within a walk. */
void cw_fail(const char *text);

#endif /* TESTS_CODE_WALK_H */
