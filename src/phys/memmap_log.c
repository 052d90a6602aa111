/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory maps out of boot logs: a few lines among many, behind any time stamp
 * or prefix.
 *
 *	BIOS-e820: [mem 0xFIRST-0xLAST] TYPE
 *	BIOS-e820: START - END (TYPE)			before Linux 3.5
 *	ACPI: SRAT: Node N PXM P [mem 0xFIRST-0xLAST]
 *	SRAT: Node N PXM P START-END			before Linux 3.5
 *	SMAP type=T base=B len=L			FreeBSD, verbose boot
 *	SMAP type=T, xattr=X, base=B, len=L		FreeBSD, sysctl machdep.smap
 *
 * Source: Linux 6.1, arch/x86/kernel/e820.c, e820__print_table(), and
 * drivers/acpi/numa/srat.c; FreeBSD main (2024), sys/amd64/amd64/machdep.c and
 * sbin/sysctl/sysctl.c.
 */

#include <errno.h>
#include <string.h>

#include "phys/memmap_reader.h"

#define E820 "BIOS-e820:"
#define SRAT "SRAT: Node "
#define SMAP "SMAP type="

bool
mm_is_log_line(const struct mm_line *ml)
{
	static const char *const marks[] = { E820, SRAT, SMAP };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		struct mm_line l = *ml;

		if (mm_find(&l, marks[i]))
			return (true);
	}
	return (false);
}

/* "[mem 0xFIRST-0xLAST]" */
static int
parse_mem(struct mm_reader *mr, struct mm_line *ml, struct mm_entry *me)
{
	struct mm_line at = *ml;
	uint64_t last;

	mm_skip_blanks(&at);
	*ml = at;
	if (!mm_take(ml, "[mem ") || !mm_take_hex(ml, &me->me_start) ||
	    !mm_take(ml, "-") || !mm_take_hex(ml, &last) || !mm_take(ml, "]"))
		return (mm_expected(mr, &at, "[mem 0xFIRST-0xLAST]"));
	if (me->me_start > last)
		return (mm_expected(mr, &at, "FIRST not above LAST"));
	if (last == UINT64_MAX)
		return (mm_expected(mr, &at, "LAST below 2^64 - 1"));
	me->me_end = last + 1;
	return (0);
}

/* What Linux prints for a type, by version: see e820_print_type(). */
static enum memmap_type
e820_type(struct mm_line l)
{
	static const struct {
		const char *text;
		enum memmap_type type;
	} types[] = {
		/* The first that occurs: "usable" is part of "unusable". */
		{ "unusable", MEMMAP_UNUSABLE },
		{ "usable", MEMMAP_USABLE },
		{ "System RAM", MEMMAP_USABLE },
		{ "reserved", MEMMAP_RESERVED },
		{ "ACPI data", MEMMAP_ACPI },
		{ "ACPI NVS", MEMMAP_NVS },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct mm_line at = l;

		if (mm_find(&at, types[i].text))
			return (types[i].type);
	}
	return (MEMMAP_OTHER);
}

static int
parse_e820(struct mm_reader *mr, struct mm_line *ml)
{
	struct mm_entry me = { .me_line = ml->ml_number };
	struct mm_line at;
	int error;

	if (mr->mr_e820_line == 0)
		mr->mr_e820_line = ml->ml_number;
	mm_skip_blanks(ml);
	at = *ml;
	if (mm_take(ml, "[gap "))
		return (0);
	*ml = at;
	if (ml->ml_p < ml->ml_end && *ml->ml_p == '[') {
		error = parse_mem(mr, ml, &me);
		if (error != 0)
			return (error);
		mm_skip_blanks(ml);
	} else {
		if (!mm_take_hex(ml, &me.me_start) || !mm_take(ml, " - ") ||
		    !mm_take_hex(ml, &me.me_end)) {
			return (mm_expected(
			    mr, &at, "[mem 0xFIRST-0xLAST] or START - END"));
		}
		if (me.me_start >= me.me_end)
			return (mm_expected(mr, &at, "START below END"));
		mm_skip_blanks(ml);
		if (!mm_take(ml, "("))
			return (mm_expected(mr, ml, "(TYPE)"));
	}
	if (mm_at_end(ml))
		return (mm_expected(mr, ml, "a type of memory"));
	me.me_type = e820_type(*ml);
	return (mm_add(&mr->mr_ranges, &me));
}

static int
parse_srat(struct mm_reader *mr, struct mm_line *ml)
{
	struct mm_entry me = { .me_line = ml->ml_number };
	struct mm_line at = *ml;
	unsigned pxm;
	int error;

	if (!mm_take_decimal(ml, &me.me_domain) || !mm_take(ml, " PXM ") ||
	    !mm_take_decimal(ml, &pxm))
		return (mm_expected(mr, &at, "N PXM P after \"Node\""));
	mm_skip_blanks(ml);
	at = *ml;
	if (ml->ml_p < ml->ml_end && *ml->ml_p == '[') {
		error = parse_mem(mr, ml, &me);
		if (error != 0)
			return (error);
	} else {
		if (!mm_take_hex(ml, &me.me_start) || !mm_take(ml, "-") ||
		    !mm_take_hex(ml, &me.me_end)) {
			return (mm_expected(
			    mr, &at, "[mem 0xFIRST-0xLAST] or START-END"));
		}
		if (me.me_start >= me.me_end)
			return (mm_expected(mr, &at, "START below END"));
	}
	return (mm_add(&mr->mr_affinity, &me));
}

/* ", " or " " and the name of a field. */
static bool
take_field(struct mm_line *ml, const char *name, uint64_t *valuep)
{
	struct mm_line l = *ml;

	(void)mm_take(&l, ",");
	mm_skip_blanks(&l);
	if (!mm_take(&l, name) || !mm_take_hex(&l, valuep))
		return (false);
	*ml = l;
	return (true);
}

static int
parse_smap(struct mm_reader *mr, struct mm_line *ml)
{
	static const enum memmap_type types[] = { MEMMAP_OTHER, MEMMAP_USABLE,
		MEMMAP_RESERVED, MEMMAP_ACPI, MEMMAP_NVS, MEMMAP_UNUSABLE };
	struct mm_entry me = { .me_line = ml->ml_number };
	struct mm_line at = *ml;
	uint64_t len, type, xattr;

	if (mr->mr_smap_line == 0)
		mr->mr_smap_line = ml->ml_number;
	if (!mm_take_hex(ml, &type))
		return (mm_expected(mr, &at, "a type after \"SMAP type=\""));
	(void)take_field(ml, "xattr=", &xattr);
	at = *ml;
	mm_skip_blanks(&at);
	if (!take_field(ml, "base=", &me.me_start) ||
	    !take_field(ml, "len=", &len))
		return (mm_expected(mr, &at, "base=B len=L"));
	if (len > UINT64_MAX - me.me_start)
		return (mm_expected(mr, &at, "an end below 2^64"));
	me.me_end = me.me_start + len;
	me.me_type = type < sizeof(types) / sizeof(types[0]) ? types[type]
							     : MEMMAP_OTHER;
	/* Firmware does list empty ranges, and FreeBSD skips them. */
	if (len == 0)
		return (0);
	return (mm_add(&mr->mr_ranges, &me));
}

int
mm_log_line(struct mm_reader *mr, struct mm_line *ml)
{
	struct mm_line l = *ml;

	if (mm_find(&l, E820))
		return (parse_e820(mr, &l));
	if (mm_find(&l, SRAT))
		return (parse_srat(mr, &l));
	if (mm_find(&l, SMAP))
		return (parse_smap(mr, &l));
	return (0);
}
