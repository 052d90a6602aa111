/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_LINE_H
#define SIM_VIRTUAL_LINE_H

/*
 * The coherence model: where a cache line is, and what it costs to get it here.
 *
 * A line of the arena has 32 bytes of state in the shadow (arena.h), zero if no
 * core has it.  Then one or more cores have it:
 *
 *	shared		any number of cores may have read it
 *	exclusive	one core has it, and every CPU of that core has seen
 *			what is in it
 *	modified	one core has it, and one of its CPUs has written it
 *			since the others looked
 *
 * A core is named by the CPU of it that used the line last.  Three are in the
 * line itself, with stamps; more are in an array with a stamp for each core of
 * the machine.  A stamp is the number of lines that the core had filled, in
 * units, when it used this one last: so what has filled it since then tells
 * whether it is still in its L1, its L2 or the cluster's cache, and nothing needs
 * to be thrown out.
 *
 * What an access costs, with the numbers of the preset:
 *
 *	hit in the own L1	pr_l1_hit_ps; by a CPU whose sibling wrote the
 *				line since, pr_line_smt_ps
 *	miss			where it comes from: the own L2, the LLC,
 *				another core or its LLC, memory
 *	write, others share it	as the miss that the farthest of them costs
 *	RMW			pr_rmw_ps where the line is here; else the miss,
 *				which has the instruction's own time in it
 *
 * A line that goes from one core to another is busy for pr_occupancy_read_ps or
 * pr_occupancy_write_ps (0: as long as it takes).  Who wants it in that time
 * waits first: that is queueing, and why a line that many CPUs write is slower
 * than any of its transfers.
 *
 * What is measured between two CPUs that both want a line all the time has two
 * parts: the line's way, and the time for which a core that has just got it goes on
 * with it, pr_line_hold of the whole (0: none).  So a line that nobody else wants
 * comes in the first part alone, and two cores that add to a line do so several
 * times for each transfer.
 *
 * An RMW overlaps with what the core has done since the last one, as far as
 * pr_rmw_overlap says.
 *
 * A plain store that misses costs a hit: it goes to a store buffer of
 * pr_store_buffer entries and the line comes in the background.  Stores complete
 * in their order.  A full buffer waits for its oldest entry, a full fence for all.
 * An RMW waits for all before it has its turn: until then others may have the line.
 * An atomic store waits for none, but its line is not for others before all that
 * are in front of it are complete, so nobody sees what it unlocks too early.  Loads
 * wait for their own line only.
 *
 * Misses of lines one after another are foreseen from the second on, as hardware
 * does: they cost as a hit in L2, wherever the line comes from, and those in L2 as
 * a hit.
 *
 * Order.  The state of a line is read and changed by misses and atomic operations
 * in the order of virtual time, which is the caller's business (world.h, also on
 * those that come early); plain hits change nothing that another core can see.
 *
 * Not modelled: loads that overlap, sets and ways, TLBs of the host, bandwidth of
 * memory, stores that are combined, and weak memory orders other than in time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/virtual/arena.h"
#include "sim/virtual/stats.h"

struct vcpu;

enum line_state {
	LINE_NONE,
	LINE_SHARED,
	LINE_EXCLUSIVE,
	LINE_MODIFIED
};

#define LINE_INLINE 3    /* sharers in the line itself */
#define LINE_MANY   0xff /* ln_nshare: there is an array */

/* ln_flags */
#define LINE_SILENT  0x01 /* accesses cost nothing and are not recorded */
#define LINE_WATCHED 0x02 /* a CPU spins until it is written */
#define LINE_MOVED   0x04 /* from another CPU or the LLC, not from memory */

/* One CPU has it: its number plus 1, and the stamp of its core above. */
typedef uint32_t line_tag;

struct line {
	uint64_t ln_free_ps; /* not for others before then */
	line_tag ln_share[LINE_INLINE];
	uint8_t ln_state;  /* enum line_state */
	uint8_t ln_nshare; /* or LINE_MANY */
	uint8_t ln_flags;
	uint8_t ln_home;  /* domain + 1; 0: not known yet */
	uint32_t ln_many; /* index of the array, with LINE_MANY */
	uint32_t ln_stat; /* of the statistics, 0: none */
};
_Static_assert(sizeof(struct line) == ARENA_SHADOW_BYTES,
    "the shadow has a place for each line");

/* What is done to a line. */
enum line_op {
	LINE_READ,
	LINE_WRITE,
	LINE_ATOMIC_READ,
	LINE_ATOMIC_WRITE,
	LINE_RMW,
	NLINE_OPS
};

static inline struct line *
line_of(const void *p)
{
	return (arena_shadow(arena_line(p)));
}

struct preset;

#define LINE_SIBLINGS_MAX 7

/*
 * Begin: ncpus CPUs on the host that the preset describes.  If it has fewer, it
 * gets more cores: in clusters of the same size, or in the one cluster of a
 * socket.  Returns 0 or ENOMEM.
 */
int line_begin(const struct preset *pr, struct vcpu *cpus, unsigned ncpus);
void line_end(void);

/*
 * An access of vc to the line of addr, which is in the arena, that is not the
 * simplest of hits (world.h).  True: done, the clock of vc has advanced.  False:
 * it has to be in order and it is not vc's turn, or was not until vc had waited in
 * line; for that, and for the stores before an RMW, the clock may have advanced.  To
 * be asked again when it is vc's turn.
 */
bool line_access(struct vcpu *vc, uintptr_t addr, enum line_op op);

/* Wait for the store buffer; a full fence. */
void line_fence(struct vcpu *vc);

/* Accesses to [p, p + size) are the program's own business, or no longer. */
void line_silence(const void *p, size_t size, bool silent);

/* How far two CPUs are; for statistics and the costs of interrupts. */
enum vstat_dist line_distance(unsigned cpu, unsigned other);
/* The least time from a CPU to its sibling, or to others; 0: there is none. */
uint64_t line_shortest_ps(bool sibling);
unsigned line_socket_of(unsigned cpu);

#endif /* SIM_VIRTUAL_LINE_H */
