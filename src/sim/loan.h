/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_LOAN_H
#define SIM_LOAN_H

/*
 * Real mode's part of struct sim_ops that lends priorities: what each function
 * does is said there.  There are several forms of it:
 *
 *	loan_linux.c	PI futexes
 *	loan_freebsd.c	umutexes of protocol UMUTEX_PRIO_INHERIT
 *	loan_none.c	no loans: a thread that would lend just blocks
 *
 * A host that knows how to lend may still not let this process: a kernel without
 * PI futexes, an emulator, a sandbox that forbids the call.  So the host's form is
 * tried, once in a process and in microseconds, and where that fails the last one
 * is taken.  PMAPSIM_LOANS=none in the environment of the first sim takes it
 * anyway.  A sandbox whose answer is a signal is not asked gently by anybody:
 * there the environment is the way.
 *
 * What has worked in the trial is relied on.  A thread that a later sandbox
 * forbids it to panics: it may neither sleep, since a loan to it could not be
 * returned, nor go on.
 */

#include "sim/sim.h"

/* The calls of struct sim_ops, in the form that was chosen. */
void loan_lend(struct thread *td, const struct thread *to);
int loan_block(struct thread *td, uint64_t deadline_ns);
void loan_return(struct thread *td);
void loan_cancel(struct thread *td);
int loan_host_pri(const struct thread *td);
uint32_t loan_tid(void);
void loan_pi_lock(struct pi_word *pw, uint32_t tid);
void loan_pi_unlock(struct pi_word *pw);

/* Choose a form.  Before the calls above; again is harmless.  Any thread. */
void loan_init(void);

/*
 * Why nothing is lent, in a few words, or NULL where loans are real.  Chooses, if
 * that has not been done.
 */
const char *loan_missing(void);

static inline bool
loan_is_real(void)
{
	return (loan_missing() == NULL);
}

/* A form. */
struct loan_ops {
	void (*lo_lend)(struct thread *td, const struct thread *to);
	int (*lo_block)(struct thread *td, uint64_t deadline_ns);
	void (*lo_return)(struct thread *td);
	void (*lo_cancel)(struct thread *td);
	int (*lo_host_pri)(const struct thread *td);
	uint32_t (*lo_tid)(void);
	void (*lo_pi_lock)(struct pi_word *pw, uint32_t tid);
	void (*lo_pi_unlock)(struct pi_word *pw);
};

extern const struct loan_ops loan_none_ops;

/*
 * The host's own form, tried: or NULL, and *whyp says what it lacks.  Calls from
 * loan_init() only, once.
 */
const struct loan_ops *loan_linux(const char **whyp);
const struct loan_ops *loan_freebsd(const char **whyp);

#endif /* SIM_LOAN_H */
