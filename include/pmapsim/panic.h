/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_PANIC_H
#define PMAPSIM_PANIC_H

/*
 * What the library does where the modelled kernel would panic, in any build, and
 * where an invariant does not hold, in builds with PMAPSIM_INVARIANTS.
 *
 * The handler is called with the place and the message.  It may end the
 * program, or leave by longjmp (a test does); when it returns, abort() follows.
 * The default handler prints one line to standard error and returns.  The
 * pointer is one per process; set it before the first thread is attached.
 */
typedef void panic_handler_fn(const char *file, int line, const char *msg);

extern panic_handler_fn *panic_handler;

#endif /* PMAPSIM_PANIC_H */
