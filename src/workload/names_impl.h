/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_NAMES_IMPL_H
#define WORKLOAD_NAMES_IMPL_H

/*
 * The index that names.c searches and names_walk.c and names_pv.c fill.
 *
 * A range is a row of equal structures, or one.  Ranges do not overlap; the index
 * is sorted by address before it is searched.
 */

#include <string.h>

#include "workload/names.h"
#include "workload/workload_var.h"

struct name_field {
	const char *nf_name;
	size_t nf_off;
	size_t nf_size;
};
#define NAME_FIELD(type, field)                                                \
	{                                                                      \
#field, offsetof(type, field), sizeof(((type *)NULL)->field)   \
	}
#define NAME_FIELD_END                                                         \
	{                                                                      \
		NULL, 0, 0                                                     \
	}

struct name_range;
/* Fill in *n for offset off of the range. */
typedef void name_fn(const struct names *names, const struct name_range *nr,
    size_t off, struct name *n);

struct name_range {
	uintptr_t nr_base;
	size_t nr_size;
	const char *nr_what; /* "pv_list_lock" */
	bool nr_row;         /* what[number] */
	uint64_t nr_first;   /* number of the first one */
	size_t nr_stride;    /* bytes from one to the next; a row */
	name_fn *nr_fn;      /* NULL: by the fields below */
	/* Ended by nf_name == NULL; NULL: no fields. */
	const struct name_field *nr_fields;
};

struct name_root {
	const struct vm_page *ro_page;
	int ro_pmap;
};

struct names {
	struct machine *na_machine;
	const struct wl_run *na_run;
	struct name_range *na_ranges;
	size_t na_n;
	size_t na_max;
	bool na_full; /* no memory */
	/* Pages of root tables, sorted by address. */
	struct name_root *na_roots;
	size_t na_nroots;
	/* Of a pv header: they depend on the lock. */
	struct name_field na_header[6];
};

/* Text that is only copied: for the names of a hundred thousand lines. */
static inline void
name_copy(char *buf, size_t size, const char *text)
{
	size_t n = strlen(text);

	if (n >= size)
		n = size - 1;
	memcpy(buf, text, n);
	buf[n] = '\0';
}

/* Without memory na_full is set; a range of no bytes is left out. */
void names_add(struct names *names, const struct name_range *nr);
/* One structure; number < 0: the only one. */
void names_add_one(struct names *names, const void *p, size_t size,
    const char *what, int64_t number, const struct name_field *fields);
/* n of them, numbered from 0. */
void names_add_row(struct names *names, const void *p, size_t n, size_t stride,
    const char *what, const struct name_field *fields);
void
name_set_field(struct name *n, const struct name_field *fields, size_t off);

/* The number of the structure of that kind which begins at p; -1: none. */
int names_number(const struct names *names, const void *p, const char *kind);

/* names_walk.c, names_pv.c: what a machine has. */
void names_walk(struct names *names);
void names_walk_sim(struct names *names, struct sim *sim);
void names_walk_pv(struct names *names);

/* names_page.c: the page array, and memory itself. */
name_fn name_of_page;
name_fn name_in_page;

#endif /* WORKLOAD_NAMES_IMPL_H */
