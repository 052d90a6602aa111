/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PHYS_MEMMAP_READER_H
#define PHYS_MEMMAP_READER_H

/*
 * What the readers of the memory map formats share.  memmap.c splits the text
 * into lines, decides which format it is, hands each line to one of the
 * mm_*_line() functions below, and makes a struct memmap of what they recorded.
 *
 * The text is untrusted and not a C string: nothing here looks past ml_end.
 */

#include "pmapsim/memmap.h"

/* What is left of one line; without its end-of-line characters. */
struct mm_line {
	const char *ml_p;
	const char *ml_end;
	unsigned ml_number; /* 1-based */
};

/* A memory range or an affinity record, and the line it comes from. */
struct mm_entry {
	vm_paddr_t me_start;
	vm_paddr_t me_end; /* exclusive, > me_start */
	enum memmap_type me_type;
	unsigned me_domain; /* as numbered in the text */
	unsigned me_line;
};

struct mm_table {
	struct mm_entry *mt_entries;
	size_t mt_count;
	size_t mt_capacity;
};

struct mm_reader {
	struct mm_table mr_ranges;
	struct mm_table mr_affinity;
	struct memmap_error *mr_error;
	unsigned mr_e820_line;  /* first line of this form; 0: none */
	unsigned mr_smap_line;  /* likewise */
	bool mr_hidden;         /* iomem: every range so far is 0-0 */
	unsigned mr_first_line; /* iomem: line of the first range */
	char mr_title[160];
};

/*
 * One line each.  Return 0, or EINVAL with *mr_error filled in, or ENOMEM.  A
 * log line that is none of ours is no error.
 */
int mm_map_line(struct mm_reader *mr, struct mm_line *ml);
int mm_iomem_line(struct mm_reader *mr, struct mm_line *ml);
int mm_log_line(struct mm_reader *mr, struct mm_line *ml);

/*
 * Make a map of what was recorded.  numbered: domain numbers are the author's,
 * and a gap between them is an error.  Returns as above.
 */
int mm_build(struct mm_reader *mr, bool numbered, struct memmap **mmp);

/* Whole pages in a range. */
uint64_t mm_usable_pages(vm_paddr_t start, vm_paddr_t end);

/* Would mm_log_line() look at this line, or mm_iomem_line() accept its start? */
bool mm_is_log_line(const struct mm_line *ml);
bool mm_is_iomem_line(const struct mm_line *ml);

/* Fill in *mr_error; line 0 is the file as a whole.  Returns EINVAL. */
int mm_fail(struct mm_reader *mr, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same: "expected WHAT", and the text found there. */
int
mm_expected(struct mm_reader *mr, const struct mm_line *ml, const char *what);

/* Append to a table.  Returns 0, ENOMEM. */
int mm_add(struct mm_table *mt, const struct mm_entry *me);

/* Scanning.  Those that return false leave the line where it was. */
void mm_skip_blanks(struct mm_line *ml);
bool mm_at_end(const struct mm_line *ml);
bool mm_take(struct mm_line *ml, const char *text);
bool mm_take_hex(struct mm_line *ml, uint64_t *valuep); /* 0x optional */
bool mm_take_decimal(struct mm_line *ml, unsigned *valuep);
/* Move to just after the first occurrence of text. */
bool mm_find(struct mm_line *ml, const char *text);

#endif /* PHYS_MEMMAP_READER_H */
