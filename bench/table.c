/* SPDX-License-Identifier: BSD-2-Clause */
#include "table.h"

#include <err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"

#define GUTTER 2 /* blanks between columns */

struct table {
	size_t t_ncols;
	char *t_align;
	char **t_cells; /* [t_ncells], row by row; NULL: part of a rule */
	size_t t_ncells;
	size_t t_max;
};

struct table *
table_create(const char *align)
{
	struct table *t = bench_calloc(1, sizeof(*t));

	t->t_ncols = strlen(align);
	t->t_align = bench_strdup(align);
	return (t);
}

void
table_destroy(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->t_ncells; i++)
		free(t->t_cells[i]);
	free(t->t_cells);
	free(t->t_align);
	free(t);
}

static void
add_cell(struct table *t, char *text)
{
	if (t->t_ncells == t->t_max) {
		t->t_max = t->t_max == 0 ? 64 : 2 * t->t_max;
		t->t_cells = bench_reallocarray(
		    t->t_cells, t->t_max, sizeof(t->t_cells[0]));
	}
	t->t_cells[t->t_ncells++] = text;
}

void
table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		errx(EX_OSERR, "out of memory");
	add_cell(t, s);
}

void
table_rule(struct table *t)
{
	for (size_t i = 0; i < t->t_ncols; i++)
		add_cell(t, NULL);
}

static size_t
count_lines(const char *s)
{
	size_t n = 1;

	for (; *s != '\0'; s++)
		n += *s == '\n';
	return (n);
}

/* Line i of s: its start and, in *lenp, its length. */
static const char *
cell_line(const char *s, size_t i, size_t *lenp)
{
	for (; i > 0; i--)
		s = strchr(s, '\n') + 1;
	*lenp = strcspn(s, "\n");
	return (s);
}

static size_t
column_width(const struct table *t, size_t col)
{
	size_t width = 0, len;

	for (size_t i = col; i < t->t_ncells; i += t->t_ncols) {
		const char *s = t->t_cells[i];

		for (size_t l = 0; s != NULL && l < count_lines(s); l++) {
			(void)cell_line(s, l, &len);
			if (len > width)
				width = len;
		}
	}
	return (width);
}

size_t
table_width(const struct table *t)
{
	size_t width = 0;

	for (size_t col = 0; col < t->t_ncols; col++)
		width += column_width(t, col) + (col > 0 ? GUTTER : 0);
	return (width);
}

static void
print_blanks(FILE *out, size_t n)
{
	for (; n > 0; n--)
		(void)fputc(' ', out);
}

static void
print_row(
    const struct table *t, char *const *row, const size_t *widths, FILE *out)
{
	size_t height = 1, blanks, len;

	for (size_t c = 0; c < t->t_ncols; c++) {
		if (count_lines(row[c]) > height)
			height = count_lines(row[c]);
	}
	for (size_t l = 0; l < height; l++) {
		/* Blanks are owed until something follows them. */
		blanks = 0;
		for (size_t c = 0; c < t->t_ncols; c++) {
			size_t skip = height - count_lines(row[c]);
			const char *s = "";

			len = 0;
			if (l >= skip)
				s = cell_line(row[c], l - skip, &len);
			if (t->t_align[c] == 'r')
				blanks += widths[c] - len;
			if (len > 0) {
				print_blanks(out, blanks);
				(void)fwrite(s, 1, len, out);
				blanks = 0;
			}
			if (t->t_align[c] != 'r')
				blanks += widths[c] - len;
			blanks += GUTTER;
		}
		(void)fputc('\n', out);
	}
}

void
table_print(const struct table *t, FILE *out)
{
	size_t *widths = bench_calloc(t->t_ncols, sizeof(widths[0]));
	size_t width = table_width(t);

	for (size_t c = 0; c < t->t_ncols; c++)
		widths[c] = column_width(t, c);
	for (size_t i = 0; i + t->t_ncols <= t->t_ncells; i += t->t_ncols) {
		if (t->t_cells[i] != NULL) {
			print_row(t, &t->t_cells[i], widths, out);
			continue;
		}
		for (size_t j = 0; j < width; j++)
			(void)fputc('-', out);
		(void)fputc('\n', out);
	}
	free(widths);
}

const char *
table_integer(char buf[TABLE_NUMBER_MAX], uint64_t v)
{
	char digits[24];
	size_t n, o = 0;

	n = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, v);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			buf[o++] = ' ';
		buf[o++] = digits[i];
	}
	buf[o] = '\0';
	return (buf);
}

const char *
table_number(char buf[TABLE_NUMBER_MAX], double v)
{
	if (!(v >= 0))
		(void)snprintf(buf, TABLE_NUMBER_MAX, "-");
	else if (v == 0)
		(void)snprintf(buf, TABLE_NUMBER_MAX, "0");
	else if (v < 9.995)
		(void)snprintf(buf, TABLE_NUMBER_MAX, "%.2f", v);
	else if (v < 99.95)
		(void)snprintf(buf, TABLE_NUMBER_MAX, "%.1f", v);
	else if (v < 1e18)
		(void)table_integer(buf, (uint64_t)(v + 0.5));
	else
		(void)snprintf(buf, TABLE_NUMBER_MAX, "%.3g", v);
	return (buf);
}

/* The number without its blanks, which a range has no room for. */
static void
squeeze(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (*s != ' ')
			*to++ = *s;
	}
	*to = '\0';
}

const char *
table_range(char buf[TABLE_RANGE_MAX], double low, double high)
{
	char a[TABLE_NUMBER_MAX], b[TABLE_NUMBER_MAX];

	(void)table_number(a, low);
	(void)table_number(b, high);
	squeeze(a);
	squeeze(b);
	(void)snprintf(buf, TABLE_RANGE_MAX, "%s-%s", a, b);
	return (buf);
}

char *
table_break_name(const char *name, size_t width)
{
	size_t column = 0, len, o = 0;
	/* A line break for each character at most. */
	char *s = bench_calloc(2 * strlen(name) + 1, 1);

	while (*name != '\0') {
		len = strcspn(name + 1, "+/") + 1;
		len += name[len] == '/';
		if (column > 0 && column + len > width) {
			s[o++] = '\n';
			column = 0;
		}
		memcpy(s + o, name, len);
		o += len;
		column += len;
		name += len;
	}
	return (s);
}
