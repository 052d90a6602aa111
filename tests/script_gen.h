/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SCRIPT_GEN_H
#define TESTS_SCRIPT_GEN_H

/*
 * Scripts by chance: from a seed, or from the bytes of a fuzzer, which then
 * decides what happens next.
 *
 * There are ten flavours, each with its own machine and its own idea of what is
 * likely; all use few places and few frames, so that mappings meet.  What is
 * malformed is rare, and harmless: the interpreter refuses it.
 */

#include "script_util.h"

/* Where decisions come from: bytes until they are used up, else a generator. */
struct script_dice {
	const uint8_t *sd_bytes; /* NULL: sd_state */
	size_t sd_nbytes;
	size_t sd_pos;
	uint64_t sd_state;
};

/* No more decisions are to be had. */
bool script_dice_empty(const struct script_dice *sd);

enum script_flavour {
	FLAVOUR_SMALL,     /* a few pages, everything that can be asked */
	FLAVOUR_PROMOTE,   /* full tables */
	FLAVOUR_FORK,      /* write-protect, copy, write, exit */
	FLAVOUR_PAGER,     /* what a page daemon does */
	FLAVOUR_WIRED,     /* wire and unwire */
	FLAVOUR_BOUNDARY,  /* ranges over the edges of tables and directories */
	FLAVOUR_UNMANAGED, /* devices and memory that is not paged */
	FLAVOUR_MIXED,     /* all of it */
	FLAVOUR_MANY,      /* many maps of the same frames */
	FLAVOUR_SHORTAGE,  /* no table pages */
	FLAVOUR_COUNT
};

const char *script_flavour_name(enum script_flavour f);

/*
 * Append a machine and up to nops operations to sl; fewer if the dice are empty
 * before.
 */
void script_generate(struct script_lines *sl, enum script_flavour flavour,
    enum pmap_version version, unsigned nops, struct script_dice *sd);

#endif /* TESTS_SCRIPT_GEN_H */
