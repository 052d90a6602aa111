/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An interleaving, to be read from top to bottom: a column for each thread, a line
 * for each access to a place that they share.
 *
 * Where one thread does many accesses in a row, only those next to a switch are
 * shown, and of a long run only the last part; --full shows everything.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"

#define NEAR  5   /* lines shown after and before a switch */
#define LINES 160 /* of a run, if not in full */
#define WIDE  24  /* a column */

struct show {
	const struct ex_event *sh_events;
	const struct explore_names *sh_names;
	const struct explore_code *sh_code;
	bool sh_full;
	unsigned sh_column;
};

static const char *
order_name(uint8_t order)
{
	static const char *const names[] = {
		[__ATOMIC_RELAXED] = "relaxed",
		[__ATOMIC_CONSUME] = "consume",
		[__ATOMIC_ACQUIRE] = "acquire",
		[__ATOMIC_RELEASE] = "release",
		[__ATOMIC_ACQ_REL] = "acq_rel",
		[__ATOMIC_SEQ_CST] = "seq_cst",
	};

	return (order < nitems(names) ? names[order] : "?");
}

static void
print_value(uint64_t v)
{
	(void)printf(v < 10 ? "%" PRIu64 : "%#" PRIx64, v);
}

static void
print_access(const struct show *sh, const struct ex_event *ee)
{
	static const char *const verbs[] = {
		[VA_READ] = "reads",
		[VA_WRITE] = "writes",
		[VA_ATOMIC_LOAD] = "loads",
		[VA_ATOMIC_STORE] = "stores",
		[VA_RMW] = "changes",
		[VA_CAS_FAILED] = "fails to change",
		[VA_FENCE] = "fence",
		[VA_ACQUIRE] = "acquires",
		[VA_RELEASE] = "releases",
	};
	char name[128];
	bool writes = ee->ee_access == VA_WRITE ||
	    ee->ee_access == VA_ATOMIC_STORE || ee->ee_access == VA_RMW;

	(void)printf("%s", verbs[ee->ee_access]);
	if (ee->ee_access == VA_FENCE) {
		(void)printf(", %s", order_name(ee->ee_order));
	} else {
		(void)printf(" %s",
		    explore_name(
			sh->sh_names, ee->ee_addr, name, sizeof(name)));
		if (ee->ee_size > 8)
			(void)printf(", %" PRIu32 " bytes", ee->ee_size);
	}
	if (ee->ee_values) {
		(void)printf(": ");
		print_value(ee->ee_old);
		if (writes) {
			(void)printf(" -> ");
			print_value(ee->ee_new);
		}
	}
	if (ee->ee_access >= VA_ATOMIC_LOAD && ee->ee_access <= VA_CAS_FAILED)
		(void)printf(", %s", order_name(ee->ee_order));
	(void)printf("  [%s]", explore_code_at(sh->sh_code, ee->ee_pc));
}

static void
print_event(const struct show *sh, const struct ex_event *ee)
{
	char name[128];

	(void)printf("%6" PRIu32 "  %*sT%u ", ee->ee_event,
	    (int)(sh->sh_column * (ee->ee_fiber > 0 ? ee->ee_fiber - 1u : 0)),
	    "", ee->ee_fiber);
	switch ((enum ex_event_kind)ee->ee_kind) {
	case EV_ACCESS:
		print_access(sh, ee);
		break;
	case EV_SPIN:
		(void)printf("spins");
		break;
	case EV_YIELD:
		(void)printf("yields");
		break;
	case EV_BLOCK:
		(void)printf("sleeps for %s", ee->ee_text);
		if (ee->ee_addr != 0)
			(void)printf(" at %s",
			    explore_name(
				sh->sh_names, ee->ee_addr, name, sizeof(name)));
		break;
	case EV_EXIT:
		(void)printf("ends");
		break;
	case EV_WAKE:
		(void)printf("wakes T%u", ee->ee_other);
		break;
	case EV_WOKEN:
		(void)printf("has its wake-up");
		break;
	}
	(void)putchar('\n');
}

/* Others could see it. */
static bool
matters(const struct show *sh, const struct ex_event *ee)
{
	return (sh->sh_full ||
	    (ee->ee_fiber != 0 && (ee->ee_point || ee->ee_kind != EV_ACCESS)));
}

/* Events that matter, as indices. */
static size_t
pick(const struct show *sh, uint32_t n, uint32_t *picked)
{
	size_t m = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (matters(sh, &sh->sh_events[i]))
			picked[m++] = i;
	}
	return (m);
}

/* How many events in a row, from the i-th on, are of one thread. */
static size_t
row_length(const struct show *sh, const uint32_t *picked, size_t m, size_t i)
{
	size_t j = i;

	while (j < m &&
	    sh->sh_events[picked[j]].ee_fiber ==
		sh->sh_events[picked[i]].ee_fiber)
		j++;
	return (j - i);
}

static bool
gives_way(const struct ex_event *ee)
{
	return (ee->ee_kind == EV_SPIN || ee->ee_kind == EV_YIELD ||
	    ee->ee_kind == EV_BLOCK || ee->ee_kind == EV_EXIT);
}

static void
print_rows(const struct show *sh, const uint32_t *picked, size_t m)
{
	size_t first = 0, len;

	if (!sh->sh_full && m > LINES) {
		/* Rows that are cut count as what is shown of them. */
		size_t lines = 0;

		for (size_t i = 0; i < m; i += len) {
			len = row_length(sh, picked, m, i);
			lines += len > 2 * NEAR ? 2 * NEAR + 1 : len;
		}
		for (size_t i = 0; i < m && lines > LINES; i += len) {
			len = row_length(sh, picked, m, i);
			lines -= len > 2 * NEAR ? 2 * NEAR + 1 : len;
			first = i + len;
		}
		if (first > 0)
			(void)printf("  ... %zu events before\n", first);
	}
	for (size_t i = first; i < m; i += len) {
		len = row_length(sh, picked, m, i);
		for (size_t j = i; j < i + len; j++) {
			if (!sh->sh_full && len > 2 * NEAR && j == i + NEAR) {
				(void)printf(
				    "  ... %zu more\n", len - 2 * NEAR);
				j = i + len - NEAR;
			}
			print_event(sh, &sh->sh_events[picked[j]]);
		}
		if (i + len < m &&
		    !gives_way(&sh->sh_events[picked[i + len - 1]]))
			(void)printf("        -- T%u is preempted --\n",
			    sh->sh_events[picked[i]].ee_fiber);
	}
}

/* A text, with names behind its addresses. */
static void
print_text(const struct show *sh, const char *text)
{
	const char *p;
	char name[128], *end;

	while ((p = strstr(text, "0x")) != NULL) {
		uintptr_t addr = strtoull(p, &end, 16);

		(void)printf("%.*s", (int)(end - text), text);
		if (end > p + 2 &&
		    explore_name_known(sh->sh_names, addr, name, sizeof(name)))
			(void)printf(" (%s)", name);
		text = end;
	}
	(void)printf("%s\n", text);
}

static void
print_race(
    const struct show *sh, const char *which, const struct race_access *ra)
{
	char name[128];

	(void)printf("  %s T%u %s %u bytes%s of %s\n         [%s]\n", which,
	    ra->ra_fiber, ra->ra_write ? "writes" : "reads", ra->ra_size,
	    ra->ra_atomic ? ", atomically," : "",
	    explore_name(sh->sh_names, ra->ra_addr, name, sizeof(name)),
	    explore_code_at(sh->sh_code, ra->ra_pc));
}

void
explore_show(const struct ex_result *er, const struct ex_event *events,
    const struct explore_names *names, bool full)
{
	uint32_t n = er->er_nevents;
	uint32_t *picked = bench_calloc(n + 1, sizeof(*picked));
	uintptr_t *pcs = bench_calloc(n + 3, sizeof(*pcs));
	struct explore_code *code;
	struct show sh = {
		.sh_events = events, .sh_names = names, .sh_full = full
	};
	unsigned nfibers = 1;
	size_t m;

	m = pick(&sh, n, picked);
	for (size_t i = 0; i < m; i++) {
		pcs[i] = events[picked[i]].ee_pc;
		if (events[picked[i]].ee_fiber > nfibers)
			nfibers = events[picked[i]].ee_fiber;
	}
	pcs[m] = er->er_race.rp_first.ra_pc;
	pcs[m + 1] = er->er_race.rp_second.ra_pc;
	code = explore_code_create(pcs, m + 2);
	sh.sh_code = code;
	sh.sh_column = nfibers > 3 ? WIDE / 2 : WIDE;
	print_rows(&sh, picked, m);
	if (er->er_failure != EX_PASSED) {
		(void)printf("%s: ", ex_failure_name(er->er_failure));
		print_text(&sh, er->er_text);
	}
	if (er->er_failure == EX_RACE) {
		print_race(&sh, "first ", &er->er_race.rp_first);
		print_race(&sh, "second", &er->er_race.rp_second);
	}
	explore_code_destroy(code);
	free(picked);
	free(pcs);
}
