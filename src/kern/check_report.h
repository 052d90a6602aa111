/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERN_CHECK_REPORT_H
#define KERN_CHECK_REPORT_H

/*
 * How a checker tells what it finds: one line of text and the number of the
 * invariant for each violation, passed to the function that its caller gave.
 */

#include <stdarg.h>

struct check_report {
	void (*cr_fn)(void *arg, int inv, const char *text);
	void *cr_arg;
	unsigned cr_n; /* violations told so far */
};

/* Tell a violation of invariant inv.  No newline; cut off after some 250 bytes. */
void check_bad(struct check_report *cr, int inv, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the text of where in front. */
void check_vbad(struct check_report *cr, int inv, const char *where,
    const char *fmt, va_list ap) __attribute__((format(printf, 4, 0)));

#endif /* KERN_CHECK_REPORT_H */
