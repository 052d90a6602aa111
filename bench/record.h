/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_RECORD_H
#define BENCH_RECORD_H

/*
 * Records: one JSON object a line, written as soon as it is known.
 *
 *	{"type":"header", ...}	 first: host, build, configuration
 *	{"type":"headers", ...}	 a design's pv headers on this map
 *	{"type":"run", ...}	 a repeat of a design, "kind":"real" or "virtual"
 *	{"type":"micro", ...}	 a repeat of the micro loops, "kind":"real"
 *	{"type":"hostvm", ...}	 the host's kernel
 *	{"type":"calibration", ...} numbers of this host's preset, pairs of CPUs
 *	{"type":"validation", ...} a line of validate's table
 *	{"type":"end", ...}	 last: how it ended
 *
 * Times are in nanoseconds, sizes in bytes.  Nothing is averaged.  A run has, by
 * the names of pmapsim/workload.h, what its measured interval has; of 2 MB
 * mappings "pde_promotions", "pde_mappings" (made at once), "pde_demotions" and
 * "pde_destroyed".
 *
 * Virtual runs are told by the header's "kind", too, which has "host", the numbers
 * that were modelled, and nothing of the host that they ran on: the same options
 * give the same bytes.  Their "elapsed_ns" is the mean over the threads.  They
 * have "event_hash"; "wait_stack", the time of all threads by the lock that they
 * waited for (null: none) and by what it was spent on, with "handoffs" and what
 * was waited in each interval of "interval_ns"; "lines", the hottest ones, and
 * "line_kinds", all of them by structure and field.
 */

#include <jansson.h>
#include <stdio.h>

#include "env.h"
#include "hostvm.h"
#include "micro.h"
#include "pmapsim/workload.h"

struct record;

/*
 * Start a file, "-" for standard output.  Returns 0, or EX_CANTCREAT, having
 * said why.
 */
int record_open(const char *path, struct record **rp);
/*
 * The same for a command's --json, NULL if it was not given: *rp is then left alone.
 * *outp is where the tables go: standard error when the records are on standard
 * output.
 */
int record_open_option(const char *json, struct record **rp, FILE **outp);

/*
 * Write an object, which is given away, as a line.  The first failure is said,
 * and is what record_close() returns.
 */
void record_write(struct record *r, json_t *object);

/* Has a record been lost?  Accepts NULL. */
bool record_failed(const struct record *r);

/* Returns 0 or EX_IOERR.  Accepts NULL. */
int record_close(struct record *r);

/* Parts of records.  All are new references. */
json_t *record_env(const struct env *e);
json_t *record_memmap(const struct memmap *mm);
json_t *record_run(const struct workload_result *wr);
json_t *record_micro(const struct micro_config *mc, const char *design,
    unsigned column, unsigned repeat, const struct micro_sample *ms);
json_t *record_hostvm(const struct hostvm *hv);
json_t *record_params(const struct workload_params *wp);
json_t *
record_headers(const struct pv_header_report *phr, uint64_t allocated_bytes);

/* Set a number that may be none: null where it is not finite. */
void record_set_real(json_t *object, const char *key, double v);
void record_set_u64(json_t *object, const char *key, uint64_t v);
void record_set_string(json_t *object, const char *key, const char *v);

/* X(field of struct workload_params, "option", "ARG", min, max, "help") */
#define RECORD_PARAMS(X)                                                       \
	X(wp_text_copies, "text-copies", "K", 1, 1024,                         \
	    "exec_exit, poudriere: copies of the shared text, 1 to 1024\n"     \
	    "(default 20; at most one a thread)")                              \
	X(wp_text_pages, "text-pages", "N", 1, 1048576,                        \
	    "exec_exit: pages that a process maps of its copy; poudriere:\n"   \
	    "most pages of a file (default all)")                              \
	X(wp_anon_pages, "anon-pages", "N", 1, 1048576,                        \
	    "exec_exit, private: private pages of a process; poudriere:\n"     \
	    "most anonymous pages of a program (default all)")                 \
	X(wp_shared_pct, "shared-pct", "N", 1, 100,                            \
	    "one_pmap: percentage of work on shared ranges")                   \
	X(wp_range_pages, "range-pages", "N", 1, 1048576,                      \
	    "one_pmap: pages in a range")                                      \
	X(wp_daemons, "daemons", "N", 1, 1024, "pageout: threads that scan")   \
	X(wp_superpages, "superpages", "0|1", 0, 1,                            \
	    "1: whole superpages are reserved, so that mappings of private\n"  \
	    "and pageout get 2 MB (promotion); those of exec_exit only\n"      \
	    "with text-pages in thousands, of one_pmap never; poudriere:\n"    \
	    "files in full reservations (default 0)")                          \
	X(wp_configure_pct, "configure-pct", "P", 1, 100,                      \
	    "poudriere: threads in configure, percent; others make (62)")      \
	X(wp_gcc, "gcc", "0|1", 0, 1,                                          \
	    "poudriere: 1: gcc compiles, as where processes were recorded;\n"  \
	    "0: clang, FreeBSD's own (default 0)")                             \
	X(wp_lifetime_pct, "lifetime-pct", "P", 1, 10000,                      \
	    "poudriere: user time of processes, percent of what was\n"         \
	    "recorded (default 100)")                                          \
	X(wp_migrate_pct, "migrate-pct", "P", 0, 100,                          \
	    "poudriere: percent of processes that start, or go on, on\n"       \
	    "another CPU (default 0)")                                         \
	X(wp_premap_pages, "premap", "N", 1, 65536,                            \
	    "poudriere: pages of a library's mapping that are mapped with\n"   \
	    "it (default 96)")                                                 \
	X(wp_spin, "spin", "0|1", 0, 1,                                        \
	    "poudriere: 1: user time passes in real mode, too (default 0:\n"   \
	    "it takes none)")

#endif /* BENCH_RECORD_H */
