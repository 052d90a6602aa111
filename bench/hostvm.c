/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostvm.h"

#include <sys/mman.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "osstat.h"
#include "thread.h"

#define REPEATS 7
#define ROUNDS  8 /* mappings a repeat; the first is warm-up */

enum phase {
	PHASE_MMAP,
	PHASE_TOUCH,
	PHASE_PROTECT,
	PHASE_UNMAP,
	NPHASES
};

struct hostvm_run {
	double hr_ns[NPHASES][REPEATS];
	int hr_error;
};

/* One mapping's life; what each phase took is added to ns[]. */
static int
hostvm_round(size_t page, double ns[NPHASES])
{
	size_t size = HOSTVM_PAGES * page;
	uint64_t t0, t1;
	char *p;

	t0 = bench_clock_ns();
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t1 = bench_clock_ns();
	if (p == MAP_FAILED)
		return (errno);
	ns[PHASE_MMAP] += (double)(t1 - t0);
	/* Huge pages would hide what a page costs. */
	osstat_want_small(p, size);

	t0 = bench_clock_ns();
	for (size_t i = 0; i < HOSTVM_PAGES; i++) {
		p[i * page] = 1;
		/* The compiler must not leave out what nobody reads. */
		__asm__ __volatile__("" : : "r"(p) : "memory");
	}
	t1 = bench_clock_ns();
	ns[PHASE_TOUCH] += (double)(t1 - t0);
	if (mprotect(p, size, PROT_READ) != 0) {
		int error = errno;

		(void)munmap(p, size);
		return (error);
	}
	t0 = bench_clock_ns();
	ns[PHASE_PROTECT] += (double)(t0 - t1);
	if (munmap(p, size) != 0)
		return (errno);
	ns[PHASE_UNMAP] += (double)(bench_clock_ns() - t0);
	return (0);
}

static void
hostvm_main(void *arg)
{
	struct hostvm_run *hr = arg;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	double ns[NPHASES];

	for (unsigned r = 0; r < REPEATS; r++) {
		for (unsigned i = 0; i < ROUNDS; i++) {
			if (i <= 1)
				memset(ns, 0, sizeof(ns));
			hr->hr_error = hostvm_round(page, ns);
			if (hr->hr_error != 0)
				return;
		}
		for (unsigned p = 0; p < NPHASES; p++) {
			hr->hr_ns[p][r] = ns[p] / (ROUNDS - 1);
			if (p != PHASE_MMAP)
				hr->hr_ns[p][r] /= HOSTVM_PAGES;
		}
	}
}

int
hostvm_measure(int hostcpu, struct hostvm *hv)
{
	struct hostvm_run hr = { .hr_error = 0 };
	struct bench_thread bt;
	int error;

	error = bench_thread_start(&bt, hostcpu, hostvm_main, &hr);
	if (error != 0)
		return (error);
	bench_thread_join(&bt);
	if (hr.hr_error != 0)
		return (hr.hr_error);
	hv->hv_mmap_ns = stats_of(hr.hr_ns[PHASE_MMAP], REPEATS);
	hv->hv_touch_ns = stats_of(hr.hr_ns[PHASE_TOUCH], REPEATS);
	hv->hv_protect_ns = stats_of(hr.hr_ns[PHASE_PROTECT], REPEATS);
	hv->hv_unmap_ns = stats_of(hr.hr_ns[PHASE_UNMAP], REPEATS);
	return (0);
}
