/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_LINE_IMPL_H
#define SIM_VIRTUAL_LINE_IMPL_H

/*
 * What the files of the coherence model share; line.h says what it is.
 */

#include "sim/virtual/line.h"
#include "sim/virtual/world.h"

/* Fills of a core in a unit of its stamp, and the largest stamp. */
#define LINE_STAMP_SHIFT 6
#define LINE_STAMP_MAX   0xffffu

/*
 * Assumed: a line that others want moves before it could have gone to the farthest
 * so many times.
 */
#define LINE_SETTLED 8

/* A line with more sharers than fit: the rest of its state. */
struct line_many {
	uint32_t lmy_next;    /* free: the next one */
	uint32_t lmy_n;       /* sharers */
	uint32_t lmy_cluster; /* of all of them, or MIXED */
	uint32_t lmy_socket;  /* the same */
};
#define LINE_MIXED UINT32_MAX

struct line_model {
	const struct preset *lm_preset;
	struct vcpu *lm_cpus;
	unsigned lm_ncpus;
	unsigned lm_ncores;
	uint64_t lm_cost[NVD];  /* of a line that another core has */
	uint64_t lm_settled_ps; /* a line that has not moved for so long */
	unsigned lm_l1_units;
	unsigned lm_l2_units;
	unsigned lm_llc_units; /* a core's share */
	uint64_t lm_sharing_llc;
	uint64_t *lm_fills;  /* by core */
	uint64_t *lm_stores; /* of all CPUs */

	/* By ln_many; 0 is none.  A stamp of each core, 0: does not share. */
	struct line_many *lm_many;
	uint16_t *lm_stamps;
	uint32_t lm_nmany;
	uint32_t lm_maxmany;
	uint32_t lm_freemany;
};

extern struct line_model line_model;

static inline unsigned
line_tag_cpu(line_tag tag)
{
	return ((tag & 0xffff) - 1);
}

static inline uint16_t
line_stamp(unsigned core)
{
	return ((uint16_t)(line_model.lm_fills[core] >> LINE_STAMP_SHIFT));
}

static inline line_tag
line_tag_now(const struct vcpu *vc)
{
	return ((vc->vc_id + 1) | (line_tag)line_stamp(vc->vc_core) << 16);
}

/* Units that the core has filled since that stamp. */
static inline unsigned
line_age(unsigned core, unsigned stamp)
{
	return ((uint16_t)(line_stamp(core) - stamp));
}

static inline unsigned
line_tag_age(line_tag tag)
{
	return (
	    line_age(line_model.lm_cpus[line_tag_cpu(tag)].vc_core, tag >> 16));
}

static inline enum vstat_dist
line_dist(const struct vcpu *a, const struct vcpu *b)
{
	if (a->vc_core == b->vc_core)
		return (a == b ? VD_SELF : VD_CORE);
	if (a->vc_cluster == b->vc_cluster)
		return (VD_CLUSTER);
	return (a->vc_socket == b->vc_socket ? VD_SOCKET : VD_REMOTE);
}

/*
 * Sharers of a line: line_share.c.
 */

/* No core has the line. */
void line_forget(struct line *ln);
/* vc's core shares it, with others if there are; vc used it last. */
void line_add_sharer(struct line *ln, const struct vcpu *vc);
/* Has vc's core a line that is shared in its L1?  Then vc used it last now. */
bool line_shared_in_l1(struct line *ln, const struct vcpu *vc);
/* Only vc's core has it. */
static inline void
line_take(struct line *ln, const struct vcpu *vc, enum line_state state)
{
	if (__predict_false(ln->ln_nshare != 1))
		line_forget(ln);
	ln->ln_share[0] = vc->vc_tag;
	ln->ln_nshare = 1;
	ln->ln_state = (uint8_t)state;
}

/*
 * What vc finds out about a line that its core does not have in its own caches,
 * or that it wants for itself.
 */
struct line_look {
	bool lk_mine;            /* the core has it */
	unsigned lk_age;         /* then: units since */
	line_tag lk_tag;         /* and the CPU of the core that used it */
	bool lk_others;          /* other cores have it, or their LLC */
	enum vstat_dist lk_near; /* the nearest of them */
	enum vstat_dist lk_far;  /* the farthest */
	bool lk_private;         /* the nearest has it in its own cache */
};
void
line_look(const struct line *ln, const struct vcpu *vc, struct line_look *lk);

/*
 * Misses: line_source.c.
 */

/* A miss: where the line is. */
struct line_miss {
	uint64_t lm_ps;
	enum vstat_dist lm_from;
	bool lm_memory;
};

/* Did the CPU foresee that this line comes next?  Within a page of 4 KB. */
bool line_foreseen(struct vcpu *vc, uint64_t line);
/* Where a line comes from that vc's core has not, and what that takes. */
void line_find_source(struct line *ln, struct vcpu *vc, uintptr_t addr,
    const struct line_look *lk, struct line_miss *miss);

#endif /* SIM_VIRTUAL_LINE_IMPL_H */
