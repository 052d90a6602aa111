/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_MAPS_H
#define BENCH_MAPS_H

/*
 * Memory maps by file or by the name of a bundled one.  A name is looked for
 *	1. as a path,
 *	2. in share/pmapsim/memmaps beside the program's bin,
 *	3. in the source tree that the program was built from,
 *	4. among what is compiled in, which is MAPS_DEFAULT.
 */

#include "pmapsim/memmap.h"

#define MAPS_DEFAULT "xeon-2s-48t-256g"

/* The option, as an entry of a table of opt.h. */
#define MAPS_OPT(offset)                                                            \
	{                                                                           \
		"map", "FILE|NAME", OPT_STRING, offset, 0, 0,                       \
		    "memory map of the modelled machine: a file in one of the\n"    \
		    "formats of \"pmapsim help memmap\", \"-\", or the name of a\n" \
		    "bundled one (default " MAPS_DEFAULT ")"                        \
	}

/*
 * name: NULL for the compiled-in map, "-" for standard input, a file or the name
 * of a bundled map.  Returns 0 and the map, which memmap_free() gives back; or
 * an exit status, having said why.
 */
int maps_open(const char *name, struct memmap **mmp);

/*
 * The names of the bundled maps, sorted, ended by NULL; free with
 * maps_names_free().
 */
char **maps_names(void);
void maps_names_free(char **names);

#endif /* BENCH_MAPS_H */
