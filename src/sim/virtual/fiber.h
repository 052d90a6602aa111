/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_FIBER_H
#define SIM_VIRTUAL_FIBER_H

/*
 * Contexts: a stack each, and a switch from one to another.
 *
 * Nothing here knows of time or of CPUs.  All fibers of a process run on the one
 * host thread that uses them.  What a switch keeps is what a function call keeps
 * by the ABI: the callee-saved registers and the floating-point modes; not the
 * signal mask, errno, or what is _Thread_local.
 */

#include <stddef.h>

/*
 * A fiber that does not run is its stack pointer; the registers are on the stack.
 * All zero, with a number: the context that the caller runs on, which may switch
 * to others and must not be destroyed.
 */
struct fiber_ctx {
	void *fc_sp;        /* while it does not run; see fiber.c */
	char *fc_stack;     /* lowest byte above the guard; NULL: not ours */
	size_t fc_size;     /* of the stack, bytes */
	unsigned fc_number; /* for messages */
};

/* Stacks are this much at least, and whole pages. */
#define FIBER_STACK_MIN ((size_t)16 * 1024)

/*
 * A new fiber that calls fn(arg) when it is first switched to; fn must not return.
 * Below the stack lies a guard: a fiber that runs into it ends the process, with
 * one line that names its number and status FIBER_OVERFLOW_STATUS.  Returns 0 or
 * ENOMEM.
 */
int fiber_create(struct fiber_ctx *fc, unsigned number, size_t stack_size,
    void (*fn)(void *), void *arg);
/* fc does not run.  Its stack is kept for the next of the same size. */
void fiber_destroy(struct fiber_ctx *fc);

/* from is what runs now; to is not.  Returns when somebody switches to from. */
void fiber_switch(struct fiber_ctx *from, struct fiber_ctx *to);

#define FIBER_OVERFLOW_STATUS 70

/* "x86-64", "arm64" or "ucontext": which of the forms this is. */
const char *fiber_form(void);

#endif /* SIM_VIRTUAL_FIBER_H */
