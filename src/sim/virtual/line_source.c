/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Where a line comes from that a core has not in its own caches, or for whose right
 * to write it has to ask: another core, the cluster's cache, memory; and whether it
 * was foreseen.
 */

#include "sim/virtual/line_impl.h"

bool
line_foreseen(struct vcpu *vc, uint64_t line)
{
	const unsigned n = sizeof(vc->vc_stream) / sizeof(vc->vc_stream[0]);

	for (unsigned i = 0; i < n; i++) {
		if (vc->vc_stream[i] == line) {
			vc->vc_stream[i] = line + 1;
			return (line % 64 != 0);
		}
	}
	vc->vc_stream[vc->vc_stream_at] = line + 1;
	vc->vc_stream_at = (vc->vc_stream_at + 1) % n;
	return (false);
}

static void
from_memory(struct line *ln, const struct vcpu *vc, uintptr_t addr,
    struct line_miss *miss)
{
	const struct preset *pr = line_model.lm_preset;
	int domain;

	if (ln->ln_home == 0) {
		/* Nobody said: memory of the socket that comes first. */
		domain = arena_home((const void *)addr);
		if (domain < 0)
			domain = (int)vc->vc_socket;
		ln->ln_home = (uint8_t)((uint64_t)domain % pr->pr_sockets + 1);
	}
	miss->lm_memory = true;
	if (ln->ln_home == vc->vc_socket + 1) {
		miss->lm_from = VD_SOCKET;
		miss->lm_ps = pr->pr_dram_local_ps;
	} else {
		miss->lm_from = VD_REMOTE;
		miss->lm_ps = pr->pr_dram_remote_ps;
	}
}

void
line_find_source(struct line *ln, struct vcpu *vc, uintptr_t addr,
    const struct line_look *lk, struct line_miss *miss)
{
	const struct preset *pr = line_model.lm_preset;
	struct line_miss memory;
	bool soon;

	miss->lm_memory = false;
	soon = line_foreseen(vc, arena_line((const void *)addr));
	if (lk->lk_others && lk->lk_private && ln->ln_state != LINE_SHARED) {
		/* Its only owner must give it away. */
		miss->lm_from = lk->lk_near;
		miss->lm_ps = line_model.lm_cost[lk->lk_near];
	} else if (lk->lk_mine && lk->lk_age <= line_model.lm_llc_units) {
		miss->lm_from = VD_CLUSTER;
		miss->lm_ps = pr->pr_llc_hit_ps;
	} else if (lk->lk_others) {
		miss->lm_from = lk->lk_near;
		miss->lm_ps = lk->lk_near <= VD_CLUSTER
		    ? pr->pr_llc_hit_ps
		    : line_model.lm_cost[lk->lk_near];
		if (lk->lk_near == VD_REMOTE) {
			from_memory(ln, vc, addr, &memory);
			if (memory.lm_ps < miss->lm_ps)
				*miss = memory;
		}
	} else {
		from_memory(ln, vc, addr, miss);
	}
	if (soon && pr->pr_l2_hit_ps < miss->lm_ps)
		miss->lm_ps = pr->pr_l2_hit_ps;
}
