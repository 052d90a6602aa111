/* SPDX-License-Identifier: BSD-2-Clause */
#include "kern/counter.h"

#include "kern/kassert.h"

static const struct {
	const char *name;
	const char *help;
} counters[NCOUNTERS] = {
#define COUNTER_ROW(e, name, help) [e] = { name, help },
	COUNTER_LIST(COUNTER_ROW)
#undef COUNTER_ROW
};

const char *
counter_name(enum counter c)
{
	KASSERT((unsigned)c < NCOUNTERS, ("counter %u", (unsigned)c));
	return (counters[c].name);
}

const char *
counter_help(enum counter c)
{
	KASSERT((unsigned)c < NCOUNTERS, ("counter %u", (unsigned)c));
	return (counters[c].help);
}
