/* SPDX-License-Identifier: BSD-2-Clause */
#include "kern/kassert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Longer messages are cut: a panic must not allocate. */
#define PANIC_MSG_MAX 512

static void
panic_print(const char *file, int line, const char *msg)
{
	(void)fprintf(stderr, "%s:%d: panic: %s\n", file, line, msg);
}

panic_handler_fn *panic_handler = panic_print;

_Noreturn void
panic_at(const char *file, int line, const char *fmt, ...)
{
	char msg[PANIC_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	panic_handler(file, line, msg);
	abort();
}
