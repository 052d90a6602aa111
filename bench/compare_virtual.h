/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_COMPARE_VIRTUAL_H
#define BENCH_COMPARE_VIRTUAL_H

/*
 * What compare prints, records and draws of a modelled host; the rest is
 * compare.h.
 *
 *	compare_virtual.c  options, tasks, and what is done in which order
 *	compare_columns.c  what tables with a column a design have in common
 *	compare_stack.c	   tables of time: wait stacks, CPUs that wait, hand-offs
 *	compare_lines.c	   tables of cache lines
 *	compare_plot.c	   the drawing
 *	virtual_record.c   records
 */

#include "compare.h"
#include "virtual.h"

/* The lock that this is all about, by its name alone. */
#define COMPARE_VIRTUAL_PV "pmap pv list"

static inline const struct virtual_result *
compare_virtual_at(
    const struct compare *co, size_t series, size_t design, unsigned repeat)
{
	return (&co->co_vresults[(series * co->co_ndesigns + design) *
		co->co_repeats +
	    repeat]);
}

/* The first run that counts, or NULL. */
const struct virtual_result *compare_virtual_first(
    const struct compare *co, const struct series *se, size_t design);

/* Median over the runs that count of fn; < 0: there are none. */
double compare_virtual_median(const struct compare *co, const struct series *se,
    size_t design,
    double (*fn)(const struct virtual_result *vr, const void *arg),
    const void *arg);

/*
 * Rows of a table, which are not the same for all designs: by the largest value
 * that any of them has.
 */
struct compare_row {
	const char *cr_name;
	double cr_max;
};

/* value, under this name: rows[0..n) plus one if it is new.  Returns the new n. */
size_t compare_row_add(
    struct compare_row *rows, size_t n, const char *name, double value);
/* The largest first. */
void compare_rows_sort(struct compare_row *rows, size_t n);

/* A table's columns: one for each of the designs from cc_first to cc_end - 1. */
struct compare_columns {
	const struct compare *cc_compare;
	const struct series *cc_series;
	size_t cc_first;
	size_t cc_end;
	struct table *cc_table;
};

/* A row: what, and in each column the median of fn, in CPUs. */
void compare_cpus_row(const struct compare_columns *cc, const char *what,
    double (*fn)(const struct virtual_result *vr, const void *arg),
    const void *arg);

/*
 * Print all designs, in as many tables as it takes.  Head stands above the names of
 * rows; fill adds the cells below the designs' names.
 */
void compare_print_columns(const struct compare *co, const struct series *se,
    const char *head,
    void (*fill)(const struct compare_columns *cc,
	const struct compare_row *rows, size_t nrows),
    const struct compare_row *rows, size_t nrows);

/* ps of the measured interval as mean CPUs. */
static inline double
virtual_cpus(const struct virtual_result *vr, uint64_t ps)
{
	return (
	    stats_ratio((double)ps / 1000, (double)vr->vr_wr.wr_elapsed_ns));
}

/* The class of this name, or NULL. */
const struct virtual_class *
virtual_class_find(const struct virtual_result *vr, const char *name);

void compare_print_stacks(const struct compare *co, const struct series *se);
void compare_print_waiting(const struct compare *co, const struct series *se);
void compare_print_handoffs(const struct compare *co, const struct series *se);
void compare_print_kinds(const struct compare *co, const struct series *se);
void compare_print_lines(const struct compare *co, const struct series *se);

/* Can it be drawn?  0 or an exit status, having said why. */
int compare_plot_check(const struct compare *co);
int compare_plot(const struct compare *co);

/* A run's share that a real one has not; the numbers of a host. */
json_t *virtual_record(const struct virtual_result *vr);
json_t *virtual_record_preset(const struct preset *pr);

#endif /* BENCH_COMPARE_VIRTUAL_H */
