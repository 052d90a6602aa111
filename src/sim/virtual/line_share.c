/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Which cores have a line: up to LINE_INLINE in the line, more in an array.
 *
 * The array has a stamp for each core of the machine, and beside it what all its
 * sharers have in common, so that the distance to the farthest, which a writer
 * pays, is known without a look at each.  ln_share[0] is the last reader in any
 * case: that is all that the fast path looks at.
 */

#include <stdlib.h>
#include <string.h>

#include "kern/kassert.h"
#include "sim/virtual/line_impl.h"

static uint16_t *
stamps_of(uint32_t many)
{
	return (&line_model.lm_stamps[(size_t)many * line_model.lm_ncores]);
}

/* 0 means "does not share", so a stamp of 0 is a unit off. */
static uint16_t
stamp_some(unsigned stamp)
{
	return (stamp == 0 ? 1 : (uint16_t)stamp);
}

static void
many_grow(void)
{
	struct line_model *lm = &line_model;
	uint32_t max = lm->lm_maxmany == 0 ? 256 : 2 * lm->lm_maxmany;
	size_t row = lm->lm_ncores * sizeof(lm->lm_stamps[0]);

	lm->lm_many = realloc(lm->lm_many, max * sizeof(lm->lm_many[0]));
	lm->lm_stamps = realloc(lm->lm_stamps, max * row);
	if (lm->lm_many == NULL || lm->lm_stamps == NULL)
		panic(
		    "%u lines with many sharers: out of memory", (unsigned)max);
	memset((char *)lm->lm_stamps + lm->lm_maxmany * row, 0,
	    (max - lm->lm_maxmany) * row);
	lm->lm_maxmany = max;
	if (lm->lm_nmany == 0)
		lm->lm_nmany = 1;
}

/* An array without sharers. */
static uint32_t
many_get(void)
{
	struct line_model *lm = &line_model;
	uint32_t i = lm->lm_freemany;

	if (i != 0) {
		lm->lm_freemany = lm->lm_many[i].lmy_next;
	} else {
		if (lm->lm_nmany >= lm->lm_maxmany)
			many_grow();
		i = lm->lm_nmany++;
	}
	lm->lm_many[i].lmy_n = 0;
	return (i);
}

static void
many_put(uint32_t i)
{
	struct line_model *lm = &line_model;

	memset(stamps_of(i), 0, lm->lm_ncores * sizeof(lm->lm_stamps[0]));
	lm->lm_many[i].lmy_next = lm->lm_freemany;
	lm->lm_freemany = i;
}

static void
many_add(uint32_t i, const struct vcpu *vc, unsigned stamp)
{
	struct line_many *lmy = &line_model.lm_many[i];
	uint16_t *stampp = &stamps_of(i)[vc->vc_core];

	if (*stampp == 0) {
		if (lmy->lmy_n++ == 0) {
			lmy->lmy_cluster = vc->vc_cluster;
			lmy->lmy_socket = vc->vc_socket;
		} else {
			if (lmy->lmy_cluster != vc->vc_cluster)
				lmy->lmy_cluster = LINE_MIXED;
			if (lmy->lmy_socket != vc->vc_socket)
				lmy->lmy_socket = LINE_MIXED;
		}
	}
	*stampp = stamp_some(stamp);
}

void
line_forget(struct line *ln)
{
	if (ln->ln_nshare == LINE_MANY)
		many_put(ln->ln_many);
	memset(ln->ln_share, 0, sizeof(ln->ln_share));
	ln->ln_nshare = 0;
	ln->ln_state = LINE_NONE;
	ln->ln_many = 0;
}

void
line_add_sharer(struct line *ln, const struct vcpu *vc)
{
	const struct vcpu *cpus = line_model.lm_cpus;
	line_tag tag;
	unsigned i;

	ln->ln_state = LINE_SHARED;
	if (ln->ln_nshare == LINE_MANY) {
		many_add(ln->ln_many, vc, vc->vc_tag >> 16);
		ln->ln_share[0] = vc->vc_tag;
		return;
	}
	for (i = 0; i < ln->ln_nshare; i++) {
		if (cpus[line_tag_cpu(ln->ln_share[i])].vc_core == vc->vc_core)
			break;
	}
	if (i == LINE_INLINE) {
		ln->ln_many = many_get();
		for (i = 0; i < LINE_INLINE; i++) {
			tag = ln->ln_share[i];
			many_add(
			    ln->ln_many, &cpus[line_tag_cpu(tag)], tag >> 16);
		}
		many_add(ln->ln_many, vc, vc->vc_tag >> 16);
		ln->ln_nshare = LINE_MANY;
	} else {
		if (i == ln->ln_nshare)
			ln->ln_nshare++;
		/* The last reader comes first. */
		for (; i > 0; i--)
			ln->ln_share[i] = ln->ln_share[i - 1];
	}
	ln->ln_share[0] = vc->vc_tag;
}

bool
line_shared_in_l1(struct line *ln, const struct vcpu *vc)
{
	const struct vcpu *cpus = line_model.lm_cpus;
	unsigned now = vc->vc_tag >> 16, i;
	uint16_t *stampp;

	if (ln->ln_nshare == LINE_MANY) {
		stampp = &stamps_of(ln->ln_many)[vc->vc_core];
		if (*stampp == 0 ||
		    (uint16_t)(now - *stampp) > line_model.lm_l1_units)
			return (false);
		*stampp = stamp_some(now);
	} else {
		for (i = 0; i < ln->ln_nshare; i++) {
			if (cpus[line_tag_cpu(ln->ln_share[i])].vc_core ==
			    vc->vc_core)
				break;
		}
		if (i == ln->ln_nshare ||
		    (uint16_t)(now - (ln->ln_share[i] >> 16)) >
			line_model.lm_l1_units)
			return (false);
		for (; i > 0; i--)
			ln->ln_share[i] = ln->ln_share[i - 1];
	}
	ln->ln_share[0] = vc->vc_tag;
	return (true);
}

static void
look_at(struct line_look *lk, const struct vcpu *vc, const struct vcpu *other,
    unsigned age)
{
	enum vstat_dist dist = line_dist(vc, other);

	if (age > line_model.lm_llc_units)
		return;
	if (!lk->lk_others || dist < lk->lk_near) {
		lk->lk_near = dist;
		lk->lk_private = age <= line_model.lm_l2_units;
	}
	if (!lk->lk_others || dist > lk->lk_far)
		lk->lk_far = dist;
	lk->lk_others = true;
}

/* Of many sharers: what they have in common is as good as each of them. */
static void
look_many(const struct line *ln, const struct vcpu *vc, struct line_look *lk)
{
	const struct line_many *lmy = &line_model.lm_many[ln->ln_many];
	unsigned stamp = stamps_of(ln->ln_many)[vc->vc_core];
	unsigned n = lmy->lmy_n;

	if (stamp != 0) {
		lk->lk_mine = true;
		lk->lk_age = line_age(vc->vc_core, stamp);
		lk->lk_tag = vc->vc_tag;
		n--;
	}
	if (n == 0)
		return;
	lk->lk_others = true;
	lk->lk_private = false;
	if (lmy->lmy_cluster == vc->vc_cluster)
		lk->lk_far = VD_CLUSTER;
	else if (lmy->lmy_socket == vc->vc_socket)
		lk->lk_far = VD_SOCKET;
	else
		lk->lk_far = VD_REMOTE;
	lk->lk_near = lk->lk_far;
	/* So many, and some elsewhere: take it that some are here. */
	if (lmy->lmy_cluster == LINE_MIXED && lk->lk_far == VD_SOCKET)
		lk->lk_near = VD_CLUSTER;
	else if (lmy->lmy_socket == LINE_MIXED)
		lk->lk_near = VD_CLUSTER;
}

void
line_look(const struct line *ln, const struct vcpu *vc, struct line_look *lk)
{
	const struct vcpu *cpus = line_model.lm_cpus, *other;

	memset(lk, 0, sizeof(*lk));
	if (ln->ln_nshare == LINE_MANY) {
		look_many(ln, vc, lk);
		return;
	}
	for (unsigned i = 0; i < ln->ln_nshare; i++) {
		other = &cpus[line_tag_cpu(ln->ln_share[i])];
		if (other->vc_core == vc->vc_core) {
			lk->lk_mine = true;
			lk->lk_age =
			    line_age(vc->vc_core, ln->ln_share[i] >> 16);
			lk->lk_tag = ln->ln_share[i];
		} else {
			look_at(lk, vc, other, line_tag_age(ln->ln_share[i]));
		}
	}
}
