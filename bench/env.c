/* SPDX-License-Identifier: BSD-2-Clause */
#include "env.h"

#include <stdlib.h>
#include <string.h>

#include "pingpong.h"
#include "pmapsim/build.h"
#include "sim/loan.h"

void
env_get(struct env *e)
{
	double load[1];

	memset(e, 0, sizeof(*e));
	host_info(&e->e_host);
	e->e_version = pmapsim_version();
	e->e_commit = pmapsim_commit();
	e->e_compiler = pmapsim_compiler();
	e->e_cflags = pmapsim_cflags();
	e->e_invariants = pmapsim_invariants();
	e->e_cpus = host_ncpus();
	e->e_load = getloadavg(load, 1) == 1 ? load[0] : -1;
	e->e_no_loans = loan_missing();
	e->e_pingpong_ns = pingpong_ns(e->e_pingpong_cpu);
}

/*
 * Where the line travels decides what contention costs, and virtual machines
 * move between the first two from one minute to the next.
 *
 * Measured: two hardware threads of a core 14 to 20 ns, two cores of a package
 * 40 to 125, two packages more; Cascade Lake and Zen virtual machines.
 */
const char *
env_pingpong_mode(const struct env *e)
{
	if (e->e_pingpong_ns == 0)
		return ("not measured");
	if (e->e_pingpong_ns < 30)
		return ("CPUs that share a core");
	if (e->e_pingpong_ns < 180)
		return ("CPUs of different cores");
	return ("CPUs far apart, or a busy host");
}

void
env_print_build(const struct env *e, FILE *out)
{
	(void)fprintf(out, "pmapsim %s, commit %s\nbuild    %s, %s\n",
	    e->e_version, e->e_commit, e->e_compiler, e->e_cflags);
	if (e->e_invariants)
		(void)fprintf(out,
		    "WARNING  built with PMAPSIM_INVARIANTS: "
		    "these are no performance numbers\n");
}

static const char *
or_unknown(const char *s)
{
	return (s[0] != '\0' ? s : "unknown");
}

void
env_print_host(const struct env *e, FILE *out)
{
	const struct host_info *hi = &e->e_host;

	(void)fprintf(out,
	    "host     %s\n         packages %u, cores %u, CPUs %u (%u allowed), "
	    "NUMA nodes %u\n         %s, governor %s",
	    or_unknown(hi->hi_cpu_model), hi->hi_packages, hi->hi_cores,
	    hi->hi_cpus, e->e_cpus, hi->hi_numa_nodes,
	    or_unknown(hi->hi_kernel), or_unknown(hi->hi_governor));
	if (e->e_load >= 0)
		(void)fprintf(out, ", load %.1f", e->e_load);
	(void)fprintf(out, "\nline     ");
	if (e->e_pingpong_ns > 0)
		(void)fprintf(out,
		    "%.0f ns one way between CPU %d and CPU %d: %s\n",
		    e->e_pingpong_ns, e->e_pingpong_cpu[0],
		    e->e_pingpong_cpu[1], env_pingpong_mode(e));
	else
		(void)fprintf(out, "%s\n", env_pingpong_mode(e));
	if (e->e_no_loans != NULL)
		(void)fprintf(out,
		    "loans    none, waiters do not lend their priority: %s\n",
		    e->e_no_loans);
}
