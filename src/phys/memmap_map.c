/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two memory map formats in which every line counts: our own,
 *
 *	# comment
 *	START-END TYPE DOMAIN
 *
 * with an exclusive END, and Linux's /proc/iomem,
 *
 *	START-END : NAME
 *	  START-END : NAME of a part
 *
 * with an inclusive one, where an indented line describes a part of the last
 * line that is indented less.
 * Source: Linux 6.1, kernel/resource.c, r_show(), which also shows every
 * address as zero to a reader without CAP_SYS_ADMIN.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "phys/memmap_reader.h"

static const struct {
	const char *name;
	enum memmap_type type;
} map_types[] = {
	/* No name is the beginning of a later one. */
	{ "usable", MEMMAP_USABLE },
	{ "reserved", MEMMAP_RESERVED },
	{ "acpi", MEMMAP_ACPI },
	{ "nvs", MEMMAP_NVS },
	{ "unusable", MEMMAP_UNUSABLE },
	{ "other", MEMMAP_OTHER },
};

/* Anything else at the top level is a device. */
static const struct {
	const char *name;
	enum memmap_type type;
} iomem_names[] = {
	{ "System RAM", MEMMAP_USABLE },
	{ "Reserved", MEMMAP_RESERVED },
	{ "reserved", MEMMAP_RESERVED },
	{ "ACPI Tables", MEMMAP_ACPI },
	{ "ACPI Non-volatile Storage", MEMMAP_NVS },
	{ "Unusable memory", MEMMAP_UNUSABLE },
};

#define COUNTOF(a) (sizeof(a) / sizeof((a)[0]))

static bool
take_blanks(struct mm_line *ml)
{
	const char *p = ml->ml_p;

	mm_skip_blanks(ml);
	return (ml->ml_p != p);
}

static bool
take_map_type(struct mm_line *ml, enum memmap_type *typep)
{
	for (size_t i = 0; i < COUNTOF(map_types); i++) {
		if (mm_take(ml, map_types[i].name)) {
			*typep = map_types[i].type;
			return (true);
		}
	}
	return (false);
}

int
mm_map_line(struct mm_reader *mr, struct mm_line *ml)
{
	struct mm_entry me = { .me_line = ml->ml_number };
	struct mm_line at;

	mm_skip_blanks(ml);
	if (mm_at_end(ml))
		return (0);
	if (mm_take(ml, "#")) {
		mm_skip_blanks(ml);
		if (mr->mr_title[0] == '\0') {
			(void)snprintf(mr->mr_title, sizeof(mr->mr_title),
			    "%.*s",
			    (int)(ml->ml_end - ml->ml_p > 1000
				    ? 1000
				    : ml->ml_end - ml->ml_p),
			    ml->ml_p);
		}
		return (0);
	}

	at = *ml;
	if (!mm_take_hex(ml, &me.me_start) || !mm_take(ml, "-"))
		return (mm_expected(mr, &at, "START-END TYPE DOMAIN"));
	if (!mm_take_hex(ml, &me.me_end))
		return (mm_expected(mr, ml, "END, a hexadecimal address"));
	if (me.me_end <= me.me_start)
		return (mm_expected(mr, &at, "START below END"));
	at = *ml;
	if (!take_blanks(ml) || !take_map_type(ml, &me.me_type)) {
		mm_skip_blanks(&at);
		return (mm_expected(
		    mr, &at, "usable, reserved, acpi, nvs, unusable or other"));
	}
	at = *ml;
	if (!take_blanks(ml) || !mm_take_decimal(ml, &me.me_domain) ||
	    me.me_domain >= MAXMEMDOM) {
		mm_skip_blanks(&at);
		return (mm_expected(mr, &at, "a domain from 0 to 15"));
	}
	mm_skip_blanks(ml);
	if (!mm_at_end(ml))
		return (mm_expected(mr, ml, "the end of the line"));
	return (mm_add(&mr->mr_ranges, &me));
}
_Static_assert(MAXMEMDOM == 16, "the message above says 15");

bool
mm_is_iomem_line(const struct mm_line *ml)
{
	struct mm_line l = *ml;
	uint64_t v;

	mm_skip_blanks(&l);
	if (!mm_take_hex(&l, &v) || !mm_take(&l, "-") || !mm_take_hex(&l, &v))
		return (false);
	mm_skip_blanks(&l);
	return (mm_take(&l, ":"));
}

int
mm_iomem_line(struct mm_reader *mr, struct mm_line *ml)
{
	struct mm_entry me = { .me_line = ml->ml_number };
	struct mm_line at;
	uint64_t last;
	size_t n;
	bool nested;

	nested = take_blanks(ml);
	if (mm_at_end(ml))
		return (0);
	at = *ml;
	if (!mm_take_hex(ml, &me.me_start) || !mm_take(ml, "-") ||
	    !mm_take_hex(ml, &last))
		return (mm_expected(mr, &at, "START-END : NAME"));
	mm_skip_blanks(ml);
	if (!mm_take(ml, ":"))
		return (mm_expected(mr, ml, "\" : NAME\""));
	mm_skip_blanks(ml);
	if (me.me_start > last)
		return (mm_expected(mr, &at, "START not above END"));
	if (last == UINT64_MAX)
		return (mm_expected(mr, &at, "END below 2^64 - 1"));
	if (nested)
		return (0);

	if (mr->mr_first_line == 0) {
		mr->mr_first_line = ml->ml_number;
		mr->mr_hidden = true;
	}
	if (last != 0)
		mr->mr_hidden = false;
	me.me_end = last + 1;
	me.me_type = MEMMAP_OTHER;
	while (ml->ml_end > ml->ml_p && ml->ml_end[-1] == ' ')
		ml->ml_end--;
	n = (size_t)(ml->ml_end - ml->ml_p);
	for (size_t i = 0; i < COUNTOF(iomem_names); i++) {
		if (n == strlen(iomem_names[i].name) &&
		    memcmp(ml->ml_p, iomem_names[i].name, n) == 0)
			me.me_type = iomem_names[i].type;
	}
	return (mm_add(&mr->mr_ranges, &me));
}
