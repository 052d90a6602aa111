/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_BUG_UTIL_H
#define TESTS_BUG_UTIL_H

/*
 * Scenes that catch the faults of kern/bug.h.  Each is played in a process of its
 * own, with the fault and without: what a fault breaks may take the process along.
 *
 * A scene says what it finds wrong with bug_caught(), or lets the checker say it;
 * either ends the process.  So does a panic.  A scene that comes to its end has
 * found nothing.
 */

#include "superpage_util.h"

struct bug_scene {
	const char *bs_bug;
	const char *bs_name; /* as a sentence */
	void (*bs_play)(void);
	/* What is said of the fault, in part; BUG_DIES: the process dies. */
	const char *bs_report;
	const char *bs_design; /* NULL: sparse/gen2 */
};
#define BUG_DIES "died"

/* The design that the scene is played on, with or without the fault. */
extern const char *bug_design;

/*
 * Run this program, self, again for its scene n, and wait.  What was said, at most
 * size bytes, goes to text: "" for nothing.
 */
void bug_run(char *self, unsigned n, bool on, char *text, size_t size);
/* Was this program run for a scene?  Then bug_play() it. */
bool bug_wanted(int argc, char *argv[], unsigned *np, bool *onp);
/* With the fault, or without. */
_Noreturn void bug_play(const struct bug_scene *bs, bool on);

/* For scenes. */
_Noreturn void bug_caught(const char *text);
/* machine_check(): if anything is wrong, that is what is caught. */
void bug_check(struct machine *ma);
/* A machine with su_p and su_q; and its end, at which all is in order. */
void bug_begin(void);
void bug_end(void);
/* The pages of m become those of an object, by pindex from 0 on. */
void bug_object(struct vm_page *m, unsigned npages);
/* A run as an object, mapped by 2 MB at VA of su_p. */
struct vm_page *bug_super_object(void);

/* bugs_*.c; the last has no bs_bug. */
extern const struct bug_scene bug_scenes_enter[];
extern const struct bug_scene bug_scenes_super[];
extern const struct bug_scene bug_scenes_page[];
extern const struct bug_scene bug_scenes_memory[];

#endif /* TESTS_BUG_UTIL_H */
