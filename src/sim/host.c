/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What we know of the host, through hwloc: it is what keeps this portable.  The
 * one thing that hwloc does not tell, the frequency governor, is a file that
 * only Linux has; elsewhere it is not there and the governor unknown.
 *
 * The topology costs milliseconds to read, and threads are bound while a
 * measurement waits for them, so it is read once per process and kept.
 */
#include "sim/host.h"

#include <sys/utsname.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "sim/pin.h"

#define GOVERNOR_PATH "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"

/* Set once, by host_load(); constant after that. */
static hwloc_topology_t host_topo;
static hwloc_cpuset_t host_allowed;
static pthread_once_t host_once = PTHREAD_ONCE_INIT;

/*
 * The CPUs that the topology allows (a cpuset or a jail may have taken some)
 * and to which the process is bound, if it is.
 */
static hwloc_cpuset_t
read_allowed(hwloc_topology_t topo)
{
	hwloc_cpuset_t allowed, bound;

	allowed = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topo));
	if (allowed == NULL)
		return (NULL);
	bound = hwloc_bitmap_alloc();
	if (bound != NULL &&
	    hwloc_get_cpubind(topo, bound, HWLOC_CPUBIND_PROCESS) == 0 &&
	    hwloc_bitmap_intersects(allowed, bound))
		(void)hwloc_bitmap_and(allowed, allowed, bound);
	hwloc_bitmap_free(bound);
	return (allowed);
}

static void
host_load(void)
{
	hwloc_topology_t topo;

	if (hwloc_topology_init(&topo) != 0)
		return;
	if (hwloc_topology_load(topo) != 0) {
		hwloc_topology_destroy(topo);
		return;
	}
	host_allowed = read_allowed(topo);
	if (host_allowed == NULL) {
		hwloc_topology_destroy(topo);
		return;
	}
	host_topo = topo;
}

hwloc_topology_t
host_topology(void)
{
	(void)pthread_once(&host_once, host_load);
	return (host_topo);
}

hwloc_const_cpuset_t
host_cpuset(void)
{
	(void)pthread_once(&host_once, host_load);
	return (host_allowed);
}

bool
host_bind_thread(int hostcpu)
{
	hwloc_topology_t topo = host_topology();
	hwloc_cpuset_t set;
	int error;

	if (topo == NULL || hostcpu < 0)
		return (false);
	set = hwloc_bitmap_alloc();
	if (set == NULL)
		return (false);
	error = hwloc_bitmap_only(set, (unsigned)hostcpu);
	if (error == 0)
		error = hwloc_set_cpubind(topo, set, HWLOC_CPUBIND_THREAD);
	hwloc_bitmap_free(set);
	return (error == 0);
}

unsigned
host_ncpus(void)
{
	hwloc_const_cpuset_t allowed = host_cpuset();
	int n;

	if (allowed == NULL)
		return (1);
	n = hwloc_bitmap_weight(allowed);
	return (n < 1 ? 1 : (unsigned)n);
}

/* How many there are; 0 when the topology does not know any. */
static unsigned
count_objects(hwloc_topology_t topo, hwloc_obj_type_t type)
{
	int n = hwloc_get_nbobjs_by_type(topo, type);

	return (n < 0 ? 0 : (unsigned)n);
}

static void
read_cpu_model(hwloc_topology_t topo, char *buf, size_t size)
{
	hwloc_obj_t obj;
	const char *model = NULL;

	/* Some systems say it of each package, some of the machine. */
	obj = hwloc_get_obj_by_type(topo, HWLOC_OBJ_PACKAGE, 0);
	if (obj != NULL)
		model = hwloc_obj_get_info_by_name(obj, "CPUModel");
	if (model == NULL)
		model = hwloc_obj_get_info_by_name(
		    hwloc_get_root_obj(topo), "CPUModel");
	if (model != NULL)
		(void)snprintf(buf, size, "%s", model);
}

static void
read_governor(char *buf, size_t size)
{
	FILE *f;

	f = fopen(GOVERNOR_PATH, "re");
	if (f == NULL)
		return;
	if (fgets(buf, (int)size, f) == NULL)
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	(void)fclose(f);
}

void
host_info(struct host_info *hi)
{
	hwloc_topology_t topo = host_topology();
	struct utsname un;

	memset(hi, 0, sizeof(*hi));
	if (uname(&un) >= 0)
		(void)snprintf(hi->hi_kernel, sizeof(hi->hi_kernel),
		    "%.24s %.48s %.16s", un.sysname, un.release, un.machine);
	read_governor(hi->hi_governor, sizeof(hi->hi_governor));
	if (topo == NULL)
		return;
	read_cpu_model(topo, hi->hi_cpu_model, sizeof(hi->hi_cpu_model));
	hi->hi_packages = count_objects(topo, HWLOC_OBJ_PACKAGE);
	hi->hi_cores = count_objects(topo, HWLOC_OBJ_CORE);
	hi->hi_cpus = count_objects(topo, HWLOC_OBJ_PU);
	hi->hi_numa_nodes = count_objects(topo, HWLOC_OBJ_NUMANODE);
}
