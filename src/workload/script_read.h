/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WORKLOAD_SCRIPT_READ_H
#define WORKLOAD_SCRIPT_READ_H

/*
 * Reading one line of a script word by word.
 *
 * Functions that return an int return 0, or EINVAL after saying what is wrong,
 * and what was expected, in sr_err.
 */

#include "pmapsim/script.h"

#define SCRIPT_WORD_MAX 128

/* Where we are in the line, and where complaints go. */
struct script_reader {
	const char *sr_pos;
	char sr_word[SCRIPT_WORD_MAX]; /* the word read last */
	char *sr_err;
	size_t sr_errsize;
};

/* Says it and returns EINVAL. */
int sr_complain(const struct script_reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The next word into sr_word.  Returns false at the end of the line. */
bool sr_next_word(struct script_reader *r);

/*
 * The number that text begins with.  Returns false if it begins with none;
 * *endp is what follows.
 */
bool sr_read_number(const char *text, const char **endp, uint64_t *vp);

/* The word as a number from min to max, a multiple of align. */
int sr_address(const struct script_reader *r, const char *what, uint64_t align,
    uint64_t min, uint64_t max, uint64_t *vp);

/* The word as the name of a map. */
int sr_name(const struct script_reader *r, char name[SCRIPT_NAME_MAX + 1]);

/* The word is one of two: *secondp says which. */
int sr_choice(const struct script_reader *r, const char *first,
    const char *second, bool *secondp);

/* One of r, w, x. */
int
sr_access(const struct script_reader *r, const char *text, vm_prot_t *accessp);

/* Some of r, w, x; with none_ok, "none" or "-". */
int sr_prot(const struct script_reader *r, const char *text, bool none_ok,
    vm_prot_t *protp);

#endif /* WORKLOAD_SCRIPT_READ_H */
