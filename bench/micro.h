/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

/*
 * What one operation of the pmap costs one thread with warm caches: loops over
 * pmap.h, without a workload and without the profile.
 *
 * A round maps some pages, which are resident but not mapped, side by side into
 * an empty pmap; does the operation to all of them; and empties the pmap.  Only
 * the operation is timed.  What it costs beside the page itself (page tables, pv
 * chunks, locks) is in it, divided by the pages.
 */

#include <stdio.h>

#include "hostvm.h"
#include "pmapsim/memmap.h"
#include "stats.h"

/* X(enumerator, "JSON key", "for people") */
#define MICRO_LIST(X)                                                          \
	X(MICRO_ENTER, "enter_ns", "enter, page resident")                     \
	X(MICRO_REENTER, "reenter_ns", "enter, mapped already")                \
	X(MICRO_ENTER_REMOVE, "enter_remove_ns", "enter + remove")             \
	X(MICRO_REMOVE_PAGES, "remove_pages_ns", "remove_pages")               \
	X(MICRO_PROTECT, "protect_ns", "protect")                              \
	X(MICRO_COPY, "copy_ns", "copy (fork)")                                \
	X(MICRO_OBJECT, "enter_object_ns", "enter_object")                     \
	X(MICRO_REMOVE, "remove_ns", "remove")                                 \
	X(MICRO_PROMOTE, "promote_ns", "promotion")                            \
	X(MICRO_DEMOTE, "demote_ns", "demotion")                               \
	X(MICRO_2MB_ENTER, "enter_2mb_ns", "2 MB: enter")                      \
	X(MICRO_2MB_OBJECT, "enter_object_2mb_ns", "2 MB: enter_object")       \
	X(MICRO_2MB_PROTECT, "protect_2mb_ns", "2 MB: protect")                \
	X(MICRO_2MB_COPY, "copy_2mb_ns", "2 MB: copy (fork)")                  \
	X(MICRO_2MB_REMOVE, "remove_2mb_ns", "2 MB: remove")                   \
	X(MICRO_2MB_EXIT, "remove_pages_2mb_ns", "2 MB: remove_pages")

enum micro_op {
#define MICRO_ENUM(e, key, text) e,
	MICRO_LIST(MICRO_ENUM)
#undef MICRO_ENUM
	NMICRO_OPS
};
/* From here on micro_super.c measures. */
#define MICRO_SUPER MICRO_OBJECT

extern const char *const micro_keys[NMICRO_OPS];

#define MICRO_PAGES     512    /* in a round, unless said otherwise */
#define MICRO_PAGES_MAX 262144 /* 1 GB */

struct micro_config {
	const struct memmap *mc_map;
	unsigned mc_pages;
	uint64_t mc_sample_ns; /* timed, for each operation */
	int mc_hostcpu;        /* -1: anywhere */
};

struct micro_sample {
	double ms_ns[NMICRO_OPS]; /* a page of 4 KB; NaN: not measured */
};

/*
 * Measure a design once, on a machine of its own.  Returns 0; EINTR after
 * SIGINT; or an errno value, and a sentence in err.
 */
int micro_run(const struct micro_config *mc, const char *design,
    struct micro_sample *ms, char *err, size_t errsize);

/*
 * The operations from MICRO_SUPER on, by the thread that is attached to the
 * machine, in two empty pmaps; those of 2 MB only where the design has them.  Returns 0, ENOMEM, EINTR, or ENOTRECOVERABLE: an operation did not
 * do its work.
 */
struct machine;
struct pmap;
int micro_super_run(struct machine *ma, struct pmap *pmap, struct pmap *child,
    uint64_t sample_ns, struct micro_sample *ms);

/*
 * Print a table with a column a design.  samples: [ndesigns][max], of which
 * nsamples[design] count.  hv: may be NULL.
 */
void micro_print(const struct micro_config *mc, char *const *designs,
    size_t ndesigns, const struct micro_sample *samples, size_t max,
    const size_t *nsamples, const struct hostvm *hv, FILE *out);

/* Median and range of one operation. */
struct stats
micro_stats(const struct micro_sample *samples, size_t n, enum micro_op op);

#endif /* BENCH_MICRO_H */
