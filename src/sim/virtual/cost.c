/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What is charged by name, from the numbers of the preset.  Accesses to memory are
 * not: line.c prices each of them.
 */

#include "sim/virtual/cost.h"

#include "sim/virtual/world.h"

static uint64_t
ipi_ps(uint64_t cpu)
{
	const struct preset *pr = &virt_world.vw_preset;

	return (
	    line_distance(virt_world.vw_cpu->vc_id, (unsigned)cpu) == VD_REMOTE
		? pr->pr_ipi_remote_ps
		: pr->pr_ipi_same_ps);
}

/* A CPU whose sibling works computes slower; memory is as fast. */
static uint64_t
computing_ps(uint64_t ps)
{
	if (virt_world.vw_cpu->vc_busy == 0)
		return (ps);
	return (ps * virt_world.vw_preset.pr_smt_permille / 1000);
}

void
cost_charge(struct sim *sim, enum sim_cost what, uint64_t n)
{
	const struct preset *pr = &virt_world.vw_preset;
	uint64_t ps = 0;

	(void)sim;
	if (virt_world.vw_strategy != NULL) {
		/* Nothing costs time, but who wants some to pass may say so. */
		if (what == SIM_COMPUTE_NS)
			virt_world.vw_explore_ps += n * 1000;
		return;
	}
	switch (what) {
	case SIM_COMPUTE_NS:
		ps = computing_ps(n * 1000);
		break;
	case SIM_SYSCALL:
		ps = computing_ps(n * pr->pr_syscall_ps);
		break;
	case SIM_FAULT:
		ps = computing_ps(n * pr->pr_fault_ps);
		break;
	case SIM_PAGE_CLEAR:
		ps = n * pr->pr_page_clear_ps;
		break;
	case SIM_PAGE_COPY:
		ps = n * pr->pr_page_copy_ps;
		break;
	case SIM_IPI:
		ps = n * pr->pr_ipi_fixed_ps;
		break;
	case SIM_IPI_TARGET:
		ps = ipi_ps(n);
		break;
	case SIM_LOCK_PROFILE:
		ps = computing_ps(n * pr->pr_lock_profile_ps);
		break;
	case SIM_PV_CHUNK:
		ps = computing_ps(n * pr->pr_pv_chunk_ps);
		break;
	case NSIM_COSTS:
		break;
	}
	/* What takes no time is no progress: locks may come and go for ever. */
	if (ps > 0)
		world_charge(VT_COMPUTE, ps);
}
