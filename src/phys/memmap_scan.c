/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scanning one line of a memory map, and saying what is wrong with it.
 */

#include "phys/memmap_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
mm_fail(struct mm_reader *mr, unsigned line, const char *fmt, ...)
{
	struct memmap_error *me = mr->mr_error;
	va_list ap;

	me->me_line = line;
	va_start(ap, fmt);
	(void)vsnprintf(me->me_text, sizeof(me->me_text), fmt, ap);
	va_end(ap);
	return (EINVAL);
}

int
mm_expected(struct mm_reader *mr, const struct mm_line *ml, const char *what)
{
	char found[33];
	size_t i, n;

	n = (size_t)(ml->ml_end - ml->ml_p);
	if (n == 0) {
		return (mm_fail(mr, ml->ml_number,
		    "expected %s, found the end of the line", what));
	}
	if (n > sizeof(found) - 1)
		n = sizeof(found) - 1;
	for (i = 0; i < n; i++) {
		/* The text goes to a terminal: printable ASCII only. */
		found[i] = ml->ml_p[i];
		if (found[i] < ' ' || found[i] > '~')
			found[i] = '?';
	}
	found[n] = '\0';
	return (mm_fail(
	    mr, ml->ml_number, "expected %s, found \"%s\"", what, found));
}

int
mm_add(struct mm_table *mt, const struct mm_entry *me)
{
	struct mm_entry *grown;
	size_t capacity;

	if (mt->mt_count == mt->mt_capacity) {
		capacity = mt->mt_capacity == 0 ? 64 : 2 * mt->mt_capacity;
		if (capacity > SIZE_MAX / sizeof(*grown))
			return (ENOMEM);
		grown = realloc(mt->mt_entries, capacity * sizeof(*grown));
		if (grown == NULL)
			return (ENOMEM);
		mt->mt_entries = grown;
		mt->mt_capacity = capacity;
	}
	mt->mt_entries[mt->mt_count++] = *me;
	return (0);
}

void
mm_skip_blanks(struct mm_line *ml)
{
	while (ml->ml_p < ml->ml_end && (*ml->ml_p == ' ' || *ml->ml_p == '\t'))
		ml->ml_p++;
}

bool
mm_at_end(const struct mm_line *ml)
{
	return (ml->ml_p == ml->ml_end);
}

bool
mm_take(struct mm_line *ml, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(ml->ml_end - ml->ml_p) < n ||
	    memcmp(ml->ml_p, text, n) != 0)
		return (false);
	ml->ml_p += n;
	return (true);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (-1);
}

bool
mm_take_hex(struct mm_line *ml, uint64_t *valuep)
{
	struct mm_line l = *ml;
	const char *first;
	uint64_t v = 0;
	int d;

	if (!mm_take(&l, "0x"))
		(void)mm_take(&l, "0X");
	first = l.ml_p;
	for (; l.ml_p < l.ml_end; l.ml_p++) {
		d = hex_digit(*l.ml_p);
		if (d < 0)
			break;
		if (v > UINT64_MAX >> 4)
			return (false);
		v = v << 4 | (uint64_t)d;
	}
	if (l.ml_p == first)
		return (false);
	*ml = l;
	*valuep = v;
	return (true);
}

bool
mm_take_decimal(struct mm_line *ml, unsigned *valuep)
{
	struct mm_line l = *ml;
	unsigned v = 0;

	for (; l.ml_p < l.ml_end; l.ml_p++) {
		if (*l.ml_p < '0' || *l.ml_p > '9')
			break;
		/* Nothing here numbers further; so it cannot overflow. */
		if (v >= 100000000)
			return (false);
		v = v * 10 + (unsigned)(*l.ml_p - '0');
	}
	if (l.ml_p == ml->ml_p)
		return (false);
	*ml = l;
	*valuep = v;
	return (true);
}

bool
mm_find(struct mm_line *ml, const char *text)
{
	size_t n = strlen(text);
	const char *p;

	p = memmem(ml->ml_p, (size_t)(ml->ml_end - ml->ml_p), text, n);
	if (p == NULL)
		return (false);
	ml->ml_p = p + n;
	return (true);
}
