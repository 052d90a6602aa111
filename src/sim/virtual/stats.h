/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_STATS_H
#define SIM_VIRTUAL_STATS_H

/*
 * Where virtual time goes.
 *
 * Four things are kept, from vstat_reset() on:
 *
 *	wait stacks	the time of each fiber by what it was spent on (enum
 *			vstat_time) and by the class of lock that the fiber was
 *			waiting for then; class 0 is none, it worked
 *	lines		each line of memory that missed: how often, from how
 *			far, which of its words, how long that took
 *	hand-offs	how far a lock's owner is from the one before, by class
 *	waiting		by class, the time waited in each of some equal
 *			intervals: CPUs that wait, over time
 *
 * All is host memory outside the model, so that looking changes nothing, and all
 * is written by the one host thread.  An access pays for an addition to the row
 * of its fiber; a miss is noted, and counted some misses later; what is rarer is in stats.c.
 *
 * A fiber's times add up to its elapsed time if the caller passes each piece of
 * it once.  Pieces that may have begun before vstat_reset() must be passed with
 * their ends, vstat_span(): all threads stand at a gate then, and what they wait
 * for there is not measured.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(enumerator, key in records, text for people) */
#define VSTAT_TIMES(X)                                                         \
	X(VT_COMPUTE, "compute", "compute")                                    \
	X(VT_HIT, "hit", "hits")                                               \
	X(VT_LOCAL, "local_miss", "local misses")                              \
	X(VT_REMOTE, "remote_miss", "remote misses")                           \
	X(VT_QUEUE, "line_queue", "line queueing")                             \
	X(VT_SPIN, "spin", "spinning")                                         \
	X(VT_BLOCKED, "blocked", "blocked")                                    \
	X(VT_READY, "ready", "waiting for a CPU")

/*
 * VT_COMPUTE	what is charged: user code, traps, switches, wake-ups, pauses
 *		that are no waiting, and instructions between accesses
 * VT_HIT	accesses that hit in caches of the own core, RMW cost included
 * VT_LOCAL	misses served within the socket: cache, LLC or own DRAM
 * VT_REMOTE	misses served by another socket
 * VT_QUEUE	a line that was busy with others' transfers
 * VT_SPIN	so_spin()
 * VT_BLOCKED	asleep, until somebody wakes it
 * VT_READY	awake, another fiber has the CPU
 */
enum vstat_time {
#define VSTAT_TIME_ENUM(name, key, text) name,
	VSTAT_TIMES(VSTAT_TIME_ENUM)
#undef VSTAT_TIME_ENUM
	NVT
};

/* How far: of two CPUs, or of a CPU and what has the line. */
#define VSTAT_DISTS(X)                                                         \
	X(VD_SELF, "self", "same CPU")                                         \
	X(VD_CORE, "core", "same core")                                        \
	X(VD_CLUSTER, "cluster", "same cluster")                               \
	X(VD_SOCKET, "socket", "same socket")                                  \
	X(VD_REMOTE, "remote", "across sockets")

enum vstat_dist {
#define VSTAT_DIST_ENUM(name, key, text) name,
	VSTAT_DISTS(VSTAT_DIST_ENUM)
#undef VSTAT_DIST_ENUM
	NVD
};

#define VSTAT_CLASSES   48 /* of locks, with class 0; more share the last one */
#define VSTAT_INTERVALS 60
#define VSTAT_WORDS     8 /* of 8 bytes in a line */

/* A fiber's share; zeroed is valid after vstat_fiber_init(). */
struct vstat_fiber {
	uint64_t *vf_row;     /* of vf_ps, by the class that is waited for */
	uint64_t vf_waits_ps; /* since when */
	unsigned vf_class;    /* 0: works */
	struct vstat_fiber *vf_next;
	uint64_t vf_ps[VSTAT_CLASSES][NVT];
};

/* A line that has missed. */
struct vstat_line {
	uint64_t vl_line; /* address of its first byte */
	uint64_t vl_ps;   /* that misses took, queueing included */
	uint64_t vl_queue_ps;
	uint32_t vl_from[NVD];         /* misses, by where the line was */
	uint32_t vl_memory;            /* of these, from DRAM */
	uint32_t vl_writes;            /* of these, stores and RMWs */
	uint32_t vl_word[VSTAT_WORDS]; /* misses by word that was wanted */
	uint16_t vl_writer[4];         /* CPU + 1, the last one first */
};

/*
 * A miss that is noted and not yet counted.  The lines of a run have more statistics
 * than the host has cache: one after the other, each miss of the model would be one
 * of the host, waited for; looked up together, the host's misses overlap.
 */
#define VSTAT_LATE 64
struct vstat_late {
	uint64_t vt_ps;
	uint64_t vt_queue_ps;
	uint32_t vt_index;
	uint16_t vt_cpu;
	uint8_t vt_from; /* enum vstat_dist */
	uint8_t vt_word;
	bool vt_memory;
	bool vt_write;
};

/* Owners of the locks of a class. */
struct vstat_class {
	const char *vc_name;       /* "pmap pv list"; class 0: NULL */
	uint64_t vc_handoffs[NVD]; /* acquisitions by distance to the last */
	uint64_t vc_first;         /* those without a last one */
	uint64_t vc_waits;         /* waits that have ended */
	uint64_t vc_waited_ps[VSTAT_INTERVALS]; /* in each interval */
};

struct vstat {
	bool vs_on; /* vstat_reset() to vstat_freeze() */
	uint64_t vs_begin_ps;
	uint64_t vs_interval_ps; /* 0: no intervals */
	enum vstat_dist (*vs_distance)(unsigned cpu, unsigned other);
	struct vstat_fiber *vs_fibers;
	struct vstat_class vs_class[VSTAT_CLASSES];
	unsigned vs_nclasses;
	struct vstat_line *vs_lines; /* [1, vs_nlines) */
	uint32_t vs_nlines;
	uint32_t vs_maxlines;
	uint32_t vs_nlate;
	struct vstat_late vs_late[VSTAT_LATE]; /* in the order of events */
	struct vstat_owner *vs_owners;         /* stats.c */
	size_t vs_nowners;
	size_t vs_maxowners;
};

/* That of the world. */
extern struct vstat vstat;

/* Called by virt_begin() and virt_end().  distance: of two CPUs, VD_SELF if one. */
void vstat_begin(enum vstat_dist (*distance)(unsigned cpu, unsigned other));
void vstat_end(void);

/* A fiber is there; its memory stays until vstat_end(). */
void vstat_fiber_init(struct vstat_fiber *vf);

/*
 * Forget what was, at now_ps: the measured interval begins, measure_ps long (0:
 * unknown, no intervals).  Threads may be asleep, or have clocks beyond.
 */
void vstat_reset(uint64_t now_ps, uint64_t measure_ps);
/* From now on nothing is added to lines, hand-offs and waiting. */
void vstat_freeze(void);

/* A piece of a fiber's time, all of it after vstat_reset(). */
static inline void
vstat_time(struct vstat_fiber *vf, enum vstat_time what, uint64_t ps)
{
	vf->vf_row[what] += ps;
}

/* The same, but of a piece that may have begun before: then it is left out. */
static inline void
vstat_span(struct vstat_fiber *vf, enum vstat_time what, uint64_t from_ps,
    uint64_t to_ps)
{
	if (from_ps >= vstat.vs_begin_ps)
		vf->vf_row[what] += to_ps - from_ps;
}

/* For the first miss of a line: *indexp becomes its index, not 0. */
void vstat_line_new(uint32_t *indexp, uint64_t line);
/* What is noted is counted. */
void vstat_catch_up(void);

/*
 * cpu has missed at addr.  *indexp: kept by the caller with the line, 0 in the
 * beginning.  from: how far its owner, sharer or memory is; memory: it came from
 * DRAM.  wait_ps of time went by, for queue_ps of which the line was busy; a
 * buffered store may wait for nothing.
 */
static inline void
vstat_miss(uint32_t *indexp, uint64_t addr, unsigned cpu, enum vstat_dist from,
    bool memory, bool write, uint64_t wait_ps, uint64_t queue_ps)
{
	if (!vstat.vs_on)
		return;
	if (__builtin_expect(*indexp == 0, 0))
		vstat_line_new(indexp, addr & ~UINT64_C(63));
	vstat.vs_late[vstat.vs_nlate++] = (struct vstat_late){
		.vt_ps = wait_ps,
		.vt_queue_ps = queue_ps,
		.vt_index = *indexp,
		.vt_cpu = (uint16_t)cpu,
		.vt_from = (uint8_t)from,
		.vt_word = (uint8_t)(addr / 8 % VSTAT_WORDS),
		.vt_memory = memory,
		.vt_write = write,
	};
	if (vstat.vs_nlate == VSTAT_LATE)
		vstat_catch_up();
}

/* so_waits(): the fiber begins to wait, or, with NULL, has what it waited for. */
void vstat_waits(struct vstat_fiber *vf, const char *name, uint64_t now_ps);
/* so_owns(): the thread on cpu has the lock at key, after a wait or at once. */
void vstat_owns(unsigned cpu, const char *name, const void *key);

/*
 * Results, after vstat_freeze().
 */

/* Sum over the fibers, without the first one, which waits for the others. */
void vstat_stack(uint64_t ps[VSTAT_CLASSES][NVT]);
/*
 * The n lines whose misses took longest, the first one first.  Returns how many
 * there are.
 */
size_t vstat_hottest(struct vstat_line *lines, size_t n);
/* Sum over all lines, vl_line 0. */
void vstat_lines_sum(struct vstat_line *sum);

#endif /* SIM_VIRTUAL_STATS_H */
