/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Where the CPUs of a world are on the host that is modelled.
 *
 * Sockets get the same number of CPUs, in order of their numbers.  Within a
 * socket the first ones are on cores of their own, and the next, if there are
 * more than cores, are siblings of these in the same order: as Linux numbers
 * them, and with one thread a CPU no core has two while another has none.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kern/kassert.h"
#include "sim/virtual/line_impl.h"

struct line_model line_model;

/* So many fills that no line is younger than a core that is new. */
#define FILLS_BEGIN ((uint64_t)1 << LINE_STAMP_SHIFT)

static uint64_t
div_up(uint64_t n, uint64_t by)
{
	return ((n + by - 1) / by);
}

static void
place_cpus(const struct preset *pr, struct vcpu *cpus, unsigned ncpus)
{
	struct line_model *lm = &line_model;
	uint64_t in_socket, cores, local, core;

	in_socket = div_up(ncpus, pr->pr_sockets);
	cores = pr->pr_clusters * pr->pr_cores;
	if (in_socket <= cores)
		cores = in_socket;
	else if (in_socket > cores * pr->pr_smt)
		cores = div_up(in_socket, pr->pr_smt);
	for (unsigned i = 0; i < ncpus; i++) {
		local = i % in_socket;
		core = local % cores;
		cpus[i].vc_id = i;
		cpus[i].vc_socket = (unsigned)(i / in_socket);
		cpus[i].vc_core = (unsigned)(cpus[i].vc_socket * cores + core);
		/* One cluster of a socket is as large as need be. */
		cpus[i].vc_cluster =
		    pr->pr_clusters == 1 ? 0 : (unsigned)(core / pr->pr_cores);
		cpus[i].vc_cluster +=
		    cpus[i].vc_socket * (unsigned)div_up(cores, pr->pr_cores);
		if (cpus[i].vc_core >= lm->lm_ncores)
			lm->lm_ncores = cpus[i].vc_core + 1;
	}
	lm->lm_sharing_llc =
	    pr->pr_clusters == 1 || cores < pr->pr_cores ? cores : pr->pr_cores;
}

static void
find_siblings(struct vcpu *cpus, unsigned ncpus)
{
	for (unsigned i = 0; i < ncpus; i++) {
		struct vcpu *vc = &cpus[i];

		for (unsigned j = 0; j < ncpus; j++) {
			if (j != i && cpus[j].vc_core == vc->vc_core) {
				KASSERT(vc->vc_nsiblings < LINE_SIBLINGS_MAX,
				    ("CPU %u: too many siblings", i));
				vc->vc_siblings[vc->vc_nsiblings++] =
				    (uint16_t)j;
			}
		}
	}
}

static unsigned
stamp_units(uint64_t lines)
{
	uint64_t units = lines >> LINE_STAMP_SHIFT;

	/* Older ones than half the range look young again. */
	return (
	    units > LINE_STAMP_MAX / 2 ? LINE_STAMP_MAX / 2 : (unsigned)units);
}

int
line_begin(const struct preset *pr, struct vcpu *cpus, unsigned ncpus)
{
	struct line_model *lm = &line_model;

	memset(lm, 0, sizeof(*lm));
	lm->lm_preset = pr;
	lm->lm_cpus = cpus;
	lm->lm_ncpus = ncpus;
	place_cpus(pr, cpus, ncpus);
	find_siblings(cpus, ncpus);
	lm->lm_cost[VD_SELF] = pr->pr_l1_hit_ps;
	lm->lm_cost[VD_CORE] = pr->pr_line_smt_ps;
	lm->lm_cost[VD_CLUSTER] = pr->pr_line_cluster_ps;
	lm->lm_cost[VD_SOCKET] = pr->pr_line_socket_ps;
	lm->lm_cost[VD_REMOTE] = pr->pr_line_remote_ps;
	/* What is left of a transfer without the time that the owner keeps it. */
	for (enum vstat_dist d = VD_CLUSTER; d <= VD_REMOTE; d++)
		lm->lm_cost[d] =
		    lm->lm_cost[d] * (1000 - pr->pr_line_hold_permille) / 1000;
	lm->lm_settled_ps = LINE_SETTLED * lm->lm_cost[VD_REMOTE];
	lm->lm_l1_units = stamp_units(pr->pr_l1_lines);
	lm->lm_l2_units = stamp_units(pr->pr_l2_lines);
	lm->lm_llc_units = stamp_units(pr->pr_llc_lines / lm->lm_sharing_llc);

	lm->lm_fills = calloc(lm->lm_ncores, sizeof(lm->lm_fills[0]));
	lm->lm_stores =
	    calloc(ncpus * pr->pr_store_buffer, sizeof(lm->lm_stores[0]));
	if (lm->lm_fills == NULL || lm->lm_stores == NULL) {
		line_end();
		return (ENOMEM);
	}
	for (unsigned i = 0; i < lm->lm_ncores; i++)
		lm->lm_fills[i] = FILLS_BEGIN;
	for (unsigned i = 0; i < ncpus; i++) {
		cpus[i].vc_tag = line_tag_now(&cpus[i]);
		cpus[i].vc_stores = &lm->lm_stores[i * pr->pr_store_buffer];
	}
	return (0);
}

void
line_end(void)
{
	free(line_model.lm_fills);
	free(line_model.lm_stores);
	free(line_model.lm_many);
	free(line_model.lm_stamps);
	memset(&line_model, 0, sizeof(line_model));
}

enum vstat_dist
line_distance(unsigned cpu, unsigned other)
{
	return (
	    line_dist(&line_model.lm_cpus[cpu], &line_model.lm_cpus[other]));
}

uint64_t
line_shortest_ps(bool sibling)
{
	const struct line_model *lm = &line_model;
	uint64_t least = UINT64_MAX;
	enum vstat_dist d;

	for (unsigned i = 0; i < lm->lm_ncpus; i++) {
		for (unsigned j = 0; j < i; j++) {
			d = line_distance(i, j);
			if ((d == VD_CORE) == sibling && lm->lm_cost[d] < least)
				least = lm->lm_cost[d];
		}
	}
	return (least == UINT64_MAX ? 0 : least);
}

void
line_silence(const void *p, size_t size, bool silent)
{
	uint64_t last;

	if (!arena_has(p) || size == 0)
		return;
	last = arena_line((const char *)p + size - 1);
	for (uint64_t n = arena_line(p); n <= last; n++) {
		struct line *ln = arena_shadow(n);

		/* Without a sharer no access takes the fast path. */
		line_forget(ln);
		ln->ln_flags = silent ? LINE_SILENT : 0;
	}
}
