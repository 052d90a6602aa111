/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The output of a script: text that grows, and the form of its lines.
 */

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "pmapsim/script.h"

#define OUT_MIN 256

/* Source: the FNV-1a hash with 64 bits, by Fowler, Noll and Vo. */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

void
script_out_free(struct script_out *so)
{
	free(so->so_buf);
	*so = (struct script_out){ .so_buf = NULL };
}

void
script_out_clear(struct script_out *so)
{
	so->so_len = 0;
	so->so_failed = false;
	if (so->so_buf != NULL)
		so->so_buf[0] = '\0';
}

/* Room for len more bytes and the end. */
static bool
out_reserve(struct script_out *so, size_t len)
{
	size_t size = so->so_size != 0 ? so->so_size : OUT_MIN;
	char *buf;

	if (so->so_failed)
		return (false);
	while (size - so->so_len <= len)
		size *= 2;
	if (size == so->so_size)
		return (true);
	buf = realloc(so->so_buf, size);
	if (buf == NULL) {
		so->so_failed = true;
		return (false);
	}
	so->so_buf = buf;
	so->so_size = size;
	return (true);
}

void
script_out_add(struct script_out *so, const char *text, size_t len)
{
	if (!out_reserve(so, len))
		return;
	memcpy(so->so_buf + so->so_len, text, len);
	so->so_len += len;
	so->so_buf[so->so_len] = '\0';
}

void
script_out_printf(struct script_out *so, const char *fmt, ...)
{
	va_list ap;
	int n;

	/* Most pieces are short: try in the room there is at least. */
	if (!out_reserve(so, 0))
		return;
	va_start(ap, fmt);
	n = vsnprintf(
	    so->so_buf + so->so_len, so->so_size - so->so_len, fmt, ap);
	va_end(ap);
	if (n < 0) {
		so->so_failed = true;
		return;
	}
	if ((size_t)n >= so->so_size - so->so_len) {
		if (!out_reserve(so, (size_t)n))
			return;
		va_start(ap, fmt);
		n = vsnprintf(
		    so->so_buf + so->so_len, so->so_size - so->so_len, fmt, ap);
		va_end(ap);
	}
	so->so_len += (size_t)n;
}

uint64_t
script_hash(const char *text, size_t len)
{
	uint64_t h = FNV_BASIS;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * FNV_PRIME;
	return (h);
}

/* The line without comment, its words one blank apart. */
static void
print_squeezed(struct script_out *so, const char *line)
{
	const char *p = line, *word;
	bool first = true;

	for (;;) {
		while (isspace((unsigned char)*p))
			p++;
		if (*p == '\0' || *p == '#')
			return;
		word = p;
		while (*p != '\0' && *p != '#' && !isspace((unsigned char)*p))
			p++;
		if (!first)
			script_out_add(so, " ", 1);
		first = false;
		script_out_add(so, word, (size_t)(p - word));
	}
}

void
script_print(struct script_out *so, unsigned lineno, const char *line,
    const char *result)
{
	script_out_printf(so, "%u: ", lineno);
	print_squeezed(so, line);
	script_out_add(so, " -> ", 4);
	script_out_add(so, result, strlen(result));
	script_out_add(so, "\n", 1);
}

static const char *
next_newline(const char *p, const char *end)
{
	return (p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL);
}

void
script_print_lines(struct script_out *so, const struct script_out *lines,
    enum script_form form)
{
	const char *text = lines->so_len > 0 ? lines->so_buf : "";
	const char *nl, *p, *end = text + lines->so_len;
	size_t n = 0;

	for (p = text; (p = next_newline(p, end)) != NULL; p++)
		n++;
	if (form == SCRIPT_LISTED)
		script_out_add(so, "list", 4);
	else
		script_out_printf(so, "%zu", n);
	if (form == SCRIPT_HASHED) {
		script_out_printf(
		    so, " %016jx", (uintmax_t)script_hash(text, lines->so_len));
		return;
	}
	for (p = text; (nl = next_newline(p, end)) != NULL; p = nl + 1) {
		script_out_add(so, "\n  ", 3);
		script_out_add(so, p, (size_t)(nl - p));
	}
}
