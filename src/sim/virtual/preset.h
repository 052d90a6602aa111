/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_PRESET_H
#define SIM_VIRTUAL_PRESET_H

/*
 * The numbers of a modelled host: its topology, what an access to memory costs by
 * where the line is, what the kernel's services cost.
 *
 * One list says what there is; the reader, the writer, the records and the help
 * are made of it.  A file has a line for each number, in any order:
 *
 *	# comment; the first one is the title
 *	line_remote = 134 # source: S24, CAS ping-pong, one way, median
 *
 * Where a number comes from is part of it: a line without a source is an error,
 * as is a number that is missing, given twice, or out of range.  A source that
 * starts with "assumed" is an estimate; what replaces a number later replaces its
 * source too.
 *
 * Times are read and written in nanoseconds with up to three decimals, and are
 * kept in picoseconds; factors are kept in thousandths.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum preset_unit {
	PRESET_COUNT,
	PRESET_NS,     /* kept in picoseconds */
	PRESET_FACTOR, /* kept in thousandths */
};

/*
 * X(field, key, unit, min, max, help); min and max as the field is kept.  CPUs
 * are numbered by socket; in a socket the first of each core, then the siblings.
 */
#define PRESET_FIELDS(X)                                                       \
	X(pr_sockets, "sockets", PRESET_COUNT, 1, 64,                          \
	    "sockets, each a memory domain")                                   \
	X(pr_clusters, "clusters", PRESET_COUNT, 1, 256,                       \
	    "groups of cores in a socket that share a last-level cache")       \
	X(pr_cores, "cores", PRESET_COUNT, 1, 1024, "cores in a cluster")      \
	X(pr_smt, "smt", PRESET_COUNT, 1, 8, "CPUs in a core")                 \
	X(pr_smt_permille, "smt_factor", PRESET_FACTOR, 1000, 8000,            \
	    "computing and hits take this much longer while a sibling works")  \
	X(pr_l1_hit_ps, "l1_hit", PRESET_NS, 0, 100000,                        \
	    "load or store that hits L1: by throughput, not latency")          \
	X(pr_l2_hit_ps, "l2_hit", PRESET_NS, 0, 1000000,                       \
	    "load from the core's L2")                                         \
	X(pr_llc_hit_ps, "llc_hit", PRESET_NS, 0, 1000000,                     \
	    "load from the cluster's last-level cache")                        \
	X(pr_rmw_ps, "rmw", PRESET_NS, 0, 1000000,                             \
	    "atomic read-modify-write of a line that the core owns")           \
	X(pr_rmw_overlap_permille, "rmw_overlap", PRESET_FACTOR, 0, 1000,      \
	    "of the time since the last RMW, what overlaps with the next")     \
	X(pr_line_smt_ps, "line_smt", PRESET_NS, 0, 10000000,                  \
	    "line handed from an SMT sibling")                                 \
	X(pr_line_cluster_ps, "line_cluster", PRESET_NS, 0, 10000000,          \
	    "line from another core of the cluster")                           \
	X(pr_line_socket_ps, "line_socket", PRESET_NS, 0, 10000000,            \
	    "line from another cluster of the socket")                         \
	X(pr_line_remote_ps, "line_remote", PRESET_NS, 0, 10000000,            \
	    "line from another socket")                                        \
	X(pr_line_hold_permille, "line_hold", PRESET_FACTOR, 0, 900,           \
	    "of the time between two CPUs, in which a core keeps a line that " \
	    "it has just got, although others wait")                           \
	X(pr_lookahead_permille, "lookahead", PRESET_FACTOR, 0, 1000,          \
	    "of the shortest way of a line from one CPU to another, by which " \
	    "an atomic operation may come before its turn on a line that "     \
	    "only its CPU has; 0: strict order")                               \
	X(pr_dram_local_ps, "dram_local", PRESET_NS, 0, 10000000,              \
	    "line from the memory of the own socket")                          \
	X(pr_dram_remote_ps, "dram_remote", PRESET_NS, 0, 10000000,            \
	    "line from the memory of another socket")                          \
	X(pr_occupancy_read_ps, "occupancy_read", PRESET_NS, 0, 10000000,      \
	    "how long a line that is read keeps others off; 0: the latency")   \
	X(pr_occupancy_write_ps, "occupancy_write", PRESET_NS, 0, 10000000,    \
	    "the same of a line that changes its owner; 0: the latency")       \
	X(pr_pause_ps, "pause", PRESET_NS, 0, 10000000,                        \
	    "the CPU's pause instruction, in spin loops")                      \
	X(pr_fence_ps, "fence", PRESET_NS, 0, 10000000,                        \
	    "full fence with an empty store buffer")                           \
	X(pr_store_buffer, "store_buffer", PRESET_COUNT, 1, 1024,              \
	    "stores that miss and may be under way at once")                   \
	X(pr_l1_lines, "l1_lines", PRESET_COUNT, 1, 1048576,                   \
	    "lines of 64 bytes in a core's L1")                                \
	X(pr_l2_lines, "l2_lines", PRESET_COUNT, 1, 16777216,                  \
	    "the same of a core's L2")                                         \
	X(pr_llc_lines, "llc_lines", PRESET_COUNT, 1, 268435456,               \
	    "the same of a cluster's last-level cache")                        \
	X(pr_syscall_ps, "syscall", PRESET_NS, 0, 1000000000,                  \
	    "entry into the kernel and return")                                \
	X(pr_fault_ps, "fault", PRESET_NS, 0, 1000000000,                      \
	    "trap of a page fault and return, without what it does")           \
	X(pr_page_clear_ps, "page_clear", PRESET_NS, 0, 1000000000,            \
	    "clearing 4 KB that no cache has")                                 \
	X(pr_page_copy_ps, "page_copy", PRESET_NS, 0, 1000000000,              \
	    "copying 4 KB that no cache has")                                  \
	X(pr_block_wake_same_ps, "block_wake_same", PRESET_NS, 0, 1000000000,  \
	    "blocking, and being woken by a thread on the same CPU")           \
	X(pr_wake_remote_ps, "wake_remote", PRESET_NS, 0, 1000000000,          \
	    "waking a thread on another CPU, which idles")                     \
	X(pr_wake_deep_ps, "wake_deep", PRESET_NS, 0, 10000000000,             \
	    "the same where that CPU is in deep sleep")                        \
	X(pr_deep_after_ps, "deep_after", PRESET_NS, 0, 1000000000000,         \
	    "time idle after which a CPU is in deep sleep")                    \
	X(pr_context_switch_ps, "context_switch", PRESET_NS, 0, 1000000000,    \
	    "from one thread to another that is ready")                        \
	X(pr_slice_ps, "slice", PRESET_NS, 1000000, 10000000000000,            \
	    "a thread's turn where others wait for the CPU")                   \
	X(pr_lock_profile_ps, "lock_profile", PRESET_NS, 0, 1000000,           \
	    "what a kernel with LOCK_PROFILING does under each lock: once "    \
	    "after it has come and once before it goes")                       \
	X(pr_pv_chunk_ps, "pv_chunk", PRESET_NS, 0, 1000000000,                \
	    "what a kernel does to free a chunk of pv entries, without the "   \
	    "list and the page")                                               \
	X(pr_ipi_fixed_ps, "ipi_fixed", PRESET_NS, 0, 1000000000,              \
	    "TLB shootdown: whatever the number of CPUs it goes to")           \
	X(pr_ipi_same_ps, "ipi_same", PRESET_NS, 0, 1000000000,                \
	    "and for each CPU of the own socket")                              \
	X(pr_ipi_remote_ps, "ipi_remote", PRESET_NS, 0, 1000000000,            \
	    "and for each CPU of another socket")

enum {
#define X(field, key, unit, min, max, help) PRESET_##field,
	PRESET_FIELDS(X)
#undef X
	NPRESET_FIELDS
};

#define PRESET_NAME_MAX   64
#define PRESET_TITLE_MAX  128
#define PRESET_SOURCE_MAX 128

struct preset {
#define X(field, key, unit, min, max, help) uint64_t field;
	PRESET_FIELDS(X)
#undef X
	char pr_name[PRESET_NAME_MAX];   /* file name, no folder or suffix */
	char pr_title[PRESET_TITLE_MAX]; /* first comment, or empty */
	char pr_source[NPRESET_FIELDS][PRESET_SOURCE_MAX];
};

/* The list above as a table, in its order. */
struct preset_field {
	const char *pf_key;
	enum preset_unit pf_unit;
	uint64_t pf_min;
	uint64_t pf_max;
	const char *pf_help;
};
extern const struct preset_field preset_fields[NPRESET_FIELDS];

/* Why reading failed: where, and what was expected there. */
struct preset_error {
	unsigned pe_line;  /* 1-based; 0: the file as a whole */
	char pe_text[200]; /* no newline, no file name */
};

/*
 * A bundled preset by its name, or one from the file of that path ("-": standard
 * input).  Returns 0 and fills *p; or ENOENT, neither is there; or EINVAL and
 * fills *pe; or what reading the file gives.
 */
int preset_open(const char *name, struct preset *p, struct preset_error *pe);

/* The same from len bytes of text under the given name.  Returns 0, EINVAL. */
int preset_parse(const char *name, const char *text, size_t len,
    struct preset *p, struct preset_error *pe);

/*
 * Replace one number: "key=value" as in a file, whose source becomes what source
 * says.  The preset as a whole is not checked.  Returns 0, EINVAL with pe_line 0.
 */
int preset_set(struct preset *p, const char *text, const char *source,
    struct preset_error *pe);

/*
 * Do the numbers go together?  A farther line is no nearer than a near one, a
 * larger cache no smaller and no faster than the one before it.  Readers ask
 * this; whoever calls preset_set() does so after the last one.  Returns 0, EINVAL.
 */
int preset_check(const struct preset *p, struct preset_error *pe);

/* Those rules: field pr_less is at most field pr_more.  In order of both. */
struct preset_rule {
	unsigned pr_less;
	unsigned pr_more;
};
extern const struct preset_rule preset_rules[];
extern const size_t preset_nrules;

/* CPUs of the whole host. */
static inline uint64_t
preset_ncpus(const struct preset *p)
{
	return (p->pr_sockets * p->pr_clusters * p->pr_cores * p->pr_smt);
}

/* Number i of preset_fields[]. */
uint64_t preset_value(const struct preset *p, unsigned i);
void
preset_put(struct preset *p, unsigned i, uint64_t value, const char *source);
/* The index of a key, or NPRESET_FIELDS. */
unsigned preset_find(const char *key, size_t len);

/* A number as a file has it: "134", "0.3".  Always fits. */
#define PRESET_TEXT_MAX 32
const char *
preset_format(const struct preset *p, unsigned i, char buf[PRESET_TEXT_MAX]);

/*
 * The text of a file that reads back as *p; malloc()ed, NULL without memory.
 * *lenp, where not NULL, is its length without the final NUL.
 */
char *preset_write(const struct preset *p, size_t *lenp);

/* Names of the bundled presets, ended by NULL. */
extern const char *const preset_names[];

#endif /* SIM_VIRTUAL_PRESET_H */
