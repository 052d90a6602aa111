/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of addresses, found in the child whose run has failed and read by its
 * parent.
 *
 * The run stopped in the middle of operations, so what is walked to find the names
 * may be inconsistent.  Everything else is in shared memory by then: a child that
 * dies of it, or does not come back, costs only the names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore.h"
#include "sim/virtual/arena.h"
#include "workload/names.h"

#define NAMES_MAX    8192
#define WALK_SECONDS 10

struct explore_entry {
	uintptr_t ee_addr;
	char ee_text[112];
};

struct explore_names {
	uintptr_t en_base; /* the child's arena_base */
	uint32_t en_n;
	struct explore_entry en_entries[NAMES_MAX]; /* by address */
};

struct explore_names *
explore_names_create(void)
{
	return (explore_shared(sizeof(struct explore_names)));
}

void
explore_names_destroy(struct explore_names *en)
{
	explore_unshare(en, sizeof(*en));
}

static int
compare_entries(const void *a, const void *b)
{
	const struct explore_entry *x = a, *y = b;

	return ((x->ee_addr > y->ee_addr) - (x->ee_addr < y->ee_addr));
}

static void
collect(struct explore_names *en, const struct ex_event *events, uint32_t n)
{
	uint32_t i, m = 0;

	for (i = 0; i < n && en->en_n < NAMES_MAX; i++) {
		if (events[i].ee_addr != 0)
			en->en_entries[en->en_n++].ee_addr = events[i].ee_addr;
	}
	qsort(en->en_entries, en->en_n, sizeof(en->en_entries[0]),
	    compare_entries);
	for (i = 0; i < en->en_n; i++) {
		if (i == 0 ||
		    en->en_entries[i].ee_addr != en->en_entries[i - 1].ee_addr)
			en->en_entries[m++] = en->en_entries[i];
	}
	en->en_n = m;
}

void
explore_names_find(struct explore_names *en, struct xs_run *run,
    const struct ex_event *events, uint32_t n)
{
	struct names *names = NULL;
	struct explore_entry *ee;
	struct name name;

	memset(en, 0, sizeof(*en));
	en->en_base = arena_base;
	collect(en, events, n);
	if (run == NULL)
		return;
	for (uint32_t i = 0; i < en->en_n; i++) {
		ee = &en->en_entries[i];
		(void)xs_name(
		    run, ee->ee_addr, ee->ee_text, sizeof(ee->ee_text));
	}
	(void)alarm(WALK_SECONDS);
	if ((run->xr_machine != NULL
		    ? names_create(run->xr_machine, NULL, &names)
		    : names_create_sim(run->xr_sim, &names)) != 0)
		return;
	for (uint32_t i = 0; i < en->en_n; i++) {
		ee = &en->en_entries[i];
		if (names_find(names, (const void *)ee->ee_addr, &name))
			name_format(&name, ee->ee_text, sizeof(ee->ee_text));
	}
	names_destroy(names);
	(void)alarm(0);
}

bool
explore_name_known(
    const struct explore_names *en, uintptr_t addr, char *buf, size_t size)
{
	const struct explore_entry key = { .ee_addr = addr };
	const struct explore_entry *ee;

	ee = bsearch(&key, en->en_entries, en->en_n, sizeof(en->en_entries[0]),
	    compare_entries);
	if (ee == NULL || ee->ee_text[0] == '\0')
		return (false);
	(void)snprintf(buf, size, "%s", ee->ee_text);
	return (true);
}

const char *
explore_name(
    const struct explore_names *en, uintptr_t addr, char *buf, size_t size)
{
	if (explore_name_known(en, addr, buf, size))
		return (buf);
	if (addr - en->en_base < ARENA_SIZE)
		(void)snprintf(
		    buf, size, "arena + %#jx", (uintmax_t)(addr - en->en_base));
	else
		(void)snprintf(buf, size, "%#jx", (uintmax_t)addr);
	return (buf);
}
