/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_NAMES_H
#define WORKLOAD_NAMES_H

/*
 * What lies at an address: which structure of a machine, and which field of it.
 *
 * "pv_list_lock[17]" and "lock"; "vm_page 0x1a2b3000 (object 3, index 17)" and
 * "md.pv_list".  The index of all structures is made by walking the machine, and
 * is as old as that; pages are looked at when they are asked for.  So the machine
 * is quiescent, or all its threads wait, from names_create() to the last question.
 *
 * Private pages, page tables and chunks come and go: the name says what an address
 * is at the time of the question.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;
struct names;
struct sim;
struct wl_run;

struct name {
	char n_kind[40];  /* of structure: n_what without its number */
	char n_what[72];  /* the structure */
	char n_field[40]; /* empty: not known, or none */
	bool n_brief;     /* n_what is not asked for */
};

/*
 * run: whose machine it is, for its objects and workers; NULL: nobody's.
 * Returns 0 or ENOMEM.
 */
int names_create(
    struct machine *m, const struct wl_run *run, struct names **namesp);
/* Threads and locks of a sim that belongs to no machine. */
int names_create_sim(struct sim *sim, struct names **namesp);
/* Accepts NULL. */
void names_destroy(struct names *names);

/* false: nothing that is known, and *n is "unknown". */
bool names_find(const struct names *names, const void *addr, struct name *n);

/* The same without n_what and numbers of entries, most of the work of a name. */
bool
names_find_kind(const struct names *names, const void *addr, struct name *n);

/* "what.field", or what.  Cut where it does not fit. */
void name_format(const struct name *n, char *buf, size_t size);

#endif /* WORKLOAD_NAMES_H */
