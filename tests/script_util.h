/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SCRIPT_UTIL_H
#define TESTS_SCRIPT_UTIL_H

/*
 * What the tests of scripts share: scripts as arrays of lines, running them on a
 * pmap and on the model at once, and panics caught.
 */

#include "model_pmap.h"

struct script_lines {
	char **sl_lines; /* each its own allocation */
	size_t sl_n;
	size_t sl_max;
};

void script_lines_add(struct script_lines *sl, const char *line);
void script_lines_free(struct script_lines *sl);
/* The lines of a text. */
void script_lines_split(struct script_lines *sl, const char *text);

/* All of a file, which ends with '\0' in addition; NULL if there is none. */
char *script_read_file(const char *path);

/* How a script went. */
struct script_outcome {
	bool so_ok;
	unsigned so_line;    /* of the script, from 1: where it went wrong */
	char so_why[64];     /* one word for the kind of failure, stable */
	char so_text[1024];  /* for people */
	uint64_t so_ops;     /* operations done */
	uint64_t so_refused; /* and how many of them were malformed */
};

struct script_job {
	const char *sj_design;
	enum pmap_version sj_version; /* for the model; as the design says */
	bool sj_model;                /* compare with the model, line by line */
	unsigned sj_check_every; /* check invariants every so many; 0: no */
	bool sj_end_state; /* in the end compare dump and pages, and check */
	FILE *sj_diag;     /* violations; NULL: nowhere */
	/* The output, unless NULL. */
	struct script_out *sj_out;
	/* To see the comparison fail: called before each line. */
	void (*sj_hook)(struct script *s, unsigned line);
};

/*
 * Run lines.  A line that is malformed is left out, by the model too, and does
 * not end the script.  A panic, a violation, a leak and a difference do.
 */
void script_run(const struct script_job *sj, const struct script_lines *sl,
    struct script_outcome *so);

/*
 * Write a script to a file in the current directory, and its name to name.
 */
void script_save(const struct script_lines *sl, const char *prefix,
    const struct script_outcome *so, char *name, size_t size);

#endif /* TESTS_SCRIPT_UTIL_H */
