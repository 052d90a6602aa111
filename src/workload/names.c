/* SPDX-License-Identifier: BSD-2-Clause */
#include "workload/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workload/names_impl.h"

void
names_add(struct names *names, const struct name_range *nr)
{
	struct name_range *ranges;
	size_t max;

	if (nr->nr_size == 0 || nr->nr_base == 0)
		return;
	if (names->na_n == names->na_max) {
		max = names->na_max == 0 ? 256 : 2 * names->na_max;
		ranges = realloc(names->na_ranges, max * sizeof(ranges[0]));
		if (ranges == NULL) {
			names->na_full = true;
			return;
		}
		names->na_ranges = ranges;
		names->na_max = max;
	}
	names->na_ranges[names->na_n++] = *nr;
}

void
names_add_one(struct names *names, const void *p, size_t size, const char *what,
    int64_t number, const struct name_field *fields)
{
	const struct name_range nr = {
		.nr_base = (uintptr_t)p,
		.nr_size = size,
		.nr_what = what,
		.nr_row = number >= 0,
		.nr_first = number >= 0 ? (uint64_t)number : 0,
		.nr_stride = size,
		.nr_fields = fields,
	};

	names_add(names, &nr);
}

void
names_add_row(struct names *names, const void *p, size_t n, size_t stride,
    const char *what, const struct name_field *fields)
{
	const struct name_range nr = {
		.nr_base = (uintptr_t)p,
		.nr_size = n * stride,
		.nr_what = what,
		.nr_row = true,
		.nr_stride = stride,
		.nr_fields = fields,
	};

	names_add(names, &nr);
}

static int
compare_ranges(const void *ap, const void *bp)
{
	const struct name_range *a = ap, *b = bp;

	return ((a->nr_base > b->nr_base) - (a->nr_base < b->nr_base));
}

static int
compare_roots(const void *ap, const void *bp)
{
	const struct name_root *a = ap, *b = bp;

	return ((a->ro_page > b->ro_page) - (a->ro_page < b->ro_page));
}

/* All ranges are there.  0, or ENOMEM with nothing left. */
static int
names_complete(struct names *names, struct names **namesp)
{
	if (names->na_full) {
		names_destroy(names);
		return (ENOMEM);
	}
	qsort(names->na_ranges, names->na_n, sizeof(names->na_ranges[0]),
	    compare_ranges);
	if (names->na_nroots > 0)
		qsort(names->na_roots, names->na_nroots,
		    sizeof(names->na_roots[0]), compare_roots);

	*namesp = names;
	return (0);
}

int
names_create(struct machine *m, const struct wl_run *run, struct names **namesp)
{
	struct names *names = calloc(1, sizeof(*names));

	if (names == NULL)
		return (ENOMEM);
	names->na_machine = m;
	names->na_run = run;
	names_walk(names);
	names_walk_pv(names);
	return (names_complete(names, namesp));
}

int
names_create_sim(struct sim *sim, struct names **namesp)
{
	struct names *names = calloc(1, sizeof(*names));

	if (names == NULL)
		return (ENOMEM);
	names_walk_sim(names, sim);
	return (names_complete(names, namesp));
}

void
names_destroy(struct names *names)
{
	if (names == NULL)
		return;
	free(names->na_ranges);
	free(names->na_roots);
	free(names);
}

void
name_set_field(struct name *n, const struct name_field *fields, size_t off)
{
	for (; fields != NULL && fields->nf_name != NULL; fields++) {
		if (off - fields->nf_off < fields->nf_size) {
			name_copy(
			    n->n_field, sizeof(n->n_field), fields->nf_name);
			return;
		}
	}
}

/* The last range that begins at addr or below; NULL: none. */
static const struct name_range *
find_range(const struct names *names, uintptr_t addr)
{
	size_t low = 0, high = names->na_n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (names->na_ranges[mid].nr_base <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return (low == 0 ? NULL : &names->na_ranges[low - 1]);
}

int
names_number(const struct names *names, const void *p, const char *kind)
{
	const struct name_range *nr = find_range(names, (uintptr_t)p);

	if (nr == NULL || nr->nr_base != (uintptr_t)p ||
	    strcmp(nr->nr_what, kind) != 0)
		return (-1);
	return ((int)nr->nr_first);
}

static bool
find(const struct names *names, const void *addr, bool brief, struct name *n)
{
	const struct name_range *nr = find_range(names, (uintptr_t)addr);
	size_t off;

	memset(n, 0, sizeof(*n));
	n->n_brief = brief;
	if (nr == NULL || (uintptr_t)addr - nr->nr_base >= nr->nr_size) {
		name_copy(n->n_kind, sizeof(n->n_kind), "unknown");
		name_copy(n->n_what, sizeof(n->n_what), "unknown");
		return (false);
	}
	off = (uintptr_t)addr - nr->nr_base;
	if (nr->nr_fn != NULL) {
		nr->nr_fn(names, nr, off, n);
		return (true);
	}
	name_copy(n->n_kind, sizeof(n->n_kind), nr->nr_what);
	if (nr->nr_row && !brief)
		(void)snprintf(n->n_what, sizeof(n->n_what), "%s[%" PRIu64 "]",
		    nr->nr_what, nr->nr_first + off / nr->nr_stride);
	else if (!brief)
		name_copy(n->n_what, sizeof(n->n_what), nr->nr_what);
	name_set_field(n, nr->nr_fields, off % nr->nr_stride);
	return (true);
}

bool
names_find(const struct names *names, const void *addr, struct name *n)
{
	return (find(names, addr, false, n));
}

bool
names_find_kind(const struct names *names, const void *addr, struct name *n)
{
	return (find(names, addr, true, n));
}

void
name_format(const struct name *n, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%s%s%s", n->n_what,
	    n->n_field[0] != '\0' ? "." : "", n->n_field);
}
