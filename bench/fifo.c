/* SPDX-License-Identifier: BSD-2-Clause */
#include "fifo.h"

#include <sched.h>

int
fifo_set(unsigned level)
{
	struct sched_param sp = {
		.sched_priority =
		    sched_get_priority_min(SCHED_FIFO) + (int)level,
	};

	return (pthread_setschedparam(pthread_self(), SCHED_FIFO, &sp));
}

void
fifo_unset(pthread_t thread)
{
	const struct sched_param sp = { .sched_priority = 0 };

	(void)pthread_setschedparam(thread, SCHED_OTHER, &sp);
}

int
fifo_try(void)
{
	int error = fifo_set(FIFO_LEVELS - 1);

	if (error == 0)
		fifo_unset(pthread_self());
	return (error);
}

bool
fifo_inherited(void)
{
	/* With a flag where children do not inherit it: then it is neither. */
	int policy = sched_getscheduler(0);

	return (policy == SCHED_FIFO || policy == SCHED_RR);
}
