/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

/*
 * Plain text tables, fit for a mail: ASCII, no tabs, columns as wide as their
 * widest cell, no blanks at the ends of lines.  Cells are added one after the
 * other, row by row.  A cell may have several lines ('\n'); in the row it is
 * then as high as the highest one and stands at the bottom.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct table;

/*
 * left: one character a column, 'l' or 'r', its alignment; its length is the
 * number of columns.
 */
struct table *table_create(const char *align);
void table_destroy(struct table *t);

/* The next cell.  An empty one is "". */
void table_cell(struct table *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A line of dashes between the rows; the row before it is complete. */
void table_rule(struct table *t);
/* The last row is complete. */
void table_print(const struct table *t, FILE *out);
/* Columns that table_print() uses at most. */
size_t table_width(const struct table *t);

/*
 * A number for people in buf: digits in groups of three, with one decimal below
 * 100 and two below 10; "0" for 0 and "-" for what is negative (not measured).
 */
#define TABLE_NUMBER_MAX 40
const char *table_number(char buf[TABLE_NUMBER_MAX], double v);
/* "LOW-HIGH", digits not in groups. */
#define TABLE_RANGE_MAX (2 * TABLE_NUMBER_MAX)
const char *table_range(char buf[TABLE_RANGE_MAX], double low, double high);
/* Digits in groups of three. */
const char *table_integer(char buf[TABLE_NUMBER_MAX], uint64_t v);

/*
 * Break a design's name before '+' and behind '/' so that no line is longer than
 * width, where that can be; the result is malloc()ed.
 */
char *table_break_name(const char *name, size_t width);

#endif /* BENCH_TABLE_H */
