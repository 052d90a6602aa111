/* SPDX-License-Identifier: BSD-2-Clause */

/* Which form of loans this process uses: see loan.h. */

#include "sim/loan.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kern/kassert.h"
#include "sim/clock.h"
#include "sim/loan_word.h"

#define NS_PER_S UINT64_C(1000000000)

/* Set once, by loan_choose(); constant after that. */
static const struct loan_ops *loan_ops = &loan_none_ops;
static const char *loan_why = "not chosen yet";
static pthread_once_t loan_once = PTHREAD_ONCE_INIT;

static const struct loan_ops *
loan_host(const char **whyp)
{
#if SIM_UMUTEX
	return (loan_freebsd(whyp));
#elif defined(__linux__)
	return (loan_linux(whyp));
#else
	*whyp = "nobody has written how to lend on this system";
	return (NULL);
#endif
}

static void
loan_choose(void)
{
	const char *s = getenv("PMAPSIM_LOANS");
	const struct loan_ops *ops;

	if (s != NULL && strcmp(s, "none") == 0) {
		loan_why = "PMAPSIM_LOANS=none";
		return;
	}
	ops = loan_host(&loan_why);
	if (ops != NULL) {
		loan_ops = ops;
		loan_why = NULL;
	}
}

void
loan_init(void)
{
	(void)pthread_once(&loan_once, loan_choose);
}

const char *
loan_missing(void)
{
	loan_init();
	return (loan_why);
}

void
loan_deadline(uint64_t deadline_ns, clockid_t clock, struct timespec *ts)
{
	uint64_t now = clock_ns();
	uint64_t ns = deadline_ns > now ? deadline_ns - now : 0;

	(void)clock_gettime(clock, ts);
	ns += (uint64_t)ts->tv_nsec;
	ts->tv_sec += (time_t)(ns / NS_PER_S);
	ts->tv_nsec = (long)(ns % NS_PER_S);
}

_Noreturn void
loan_failed(const char *what, const struct pi_word *pw, int error)
{
	panic("loan: %s on %#" PRIxPTR ": %s; it worked when the process "
	      "began, PMAPSIM_LOANS=none does without",
	    what, (uintptr_t)pw, strerror(error));
}

void
loan_lend(struct thread *td, const struct thread *to)
{
	loan_ops->lo_lend(td, to);
}

int
loan_block(struct thread *td, uint64_t deadline_ns)
{
	return (loan_ops->lo_block(td, deadline_ns));
}

void
loan_return(struct thread *td)
{
	loan_ops->lo_return(td);
}

void
loan_cancel(struct thread *td)
{
	loan_ops->lo_cancel(td);
}

int
loan_host_pri(const struct thread *td)
{
	return (loan_ops->lo_host_pri(td));
}

uint32_t
loan_tid(void)
{
	return (loan_ops->lo_tid());
}

void
loan_pi_lock(struct pi_word *pw, uint32_t tid)
{
	loan_ops->lo_pi_lock(pw, tid);
}

void
loan_pi_unlock(struct pi_word *pw)
{
	loan_ops->lo_pi_unlock(pw);
}
