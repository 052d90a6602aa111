/* SPDX-License-Identifier: BSD-2-Clause */
#include "kern/check_report.h"

#include <stdio.h>

void
check_vbad(struct check_report *cr, int inv, const char *where, const char *fmt,
    va_list ap)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s", where);

	if (n >= 0 && (size_t)n < sizeof(text))
		(void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	cr->cr_n++;
	cr->cr_fn(cr->cr_arg, inv, text);
}

void
check_bad(struct check_report *cr, int inv, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	check_vbad(cr, inv, "", fmt, ap);
	va_end(ap);
}
