/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host's kernel takes: a call, waking a thread, handing over a CPU,
 * interrupting other CPUs so that they forget a translation.
 */
#include <sys/mman.h>

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "calib.h"
#include "kern/cpu.h"
#include "osstat.h"
#include "thread.h"

#define SAMPLES      1001
#define CALLS        256
#define HANDS        32 /* there and back, a sample */
#define IDLE_NS      1000000
#define DEEP_SAMPLES 501
#define FAULTS       256
#define IPI_MAX      16 /* CPUs that are interrupted at most */

static double
calls(void *arg)
{
	uint64_t t0 = bench_clock_ns();

	(void)arg;
	for (unsigned i = 0; i < CALLS; i++)
		(void)getppid();
	return ((double)(bench_clock_ns() - t0) / CALLS);
}

/* Two threads that wake each other. */
struct hands {
	sem_t h_go[2];
	_Alignas(CACHE_PAIR_SIZE) _Atomic uint64_t h_sent_ns;
	_Atomic uint64_t h_took_ns;
	_Alignas(CACHE_PAIR_SIZE) _Atomic unsigned h_turn;
	_Atomic bool h_stop;
};

static void
sem_take(sem_t *s)
{
	while (sem_wait(s) != 0 && errno == EINTR)
		continue;
}

static bool
stopped(struct hands *h)
{
	/* Relaxed: a flag; the semaphores order what goes with it. */
	return (atomic_load_explicit(&h->h_stop, memory_order_relaxed));
}

static void
echo(void *arg)
{
	struct hands *h = arg;

	for (;;) {
		uint64_t sent;

		sem_take(&h->h_go[1]);
		/* Relaxed: the semaphore orders it. */
		sent =
		    atomic_load_explicit(&h->h_sent_ns, memory_order_relaxed);
		/* Relaxed: as above. */
		atomic_store_explicit(&h->h_took_ns, bench_clock_ns() - sent,
		    memory_order_relaxed);
		if (stopped(h))
			return;
		(void)sem_post(&h->h_go[0]);
	}
}

static double
hand_over(void *arg)
{
	struct hands *h = arg;
	uint64_t t0 = bench_clock_ns();

	for (unsigned i = 0; i < HANDS; i++) {
		(void)sem_post(&h->h_go[1]);
		sem_take(&h->h_go[0]);
	}
	return ((double)(bench_clock_ns() - t0) / (2.0 * HANDS));
}

/* The other thread has slept for long, and so has its CPU, when it is woken. */
static double
wake_idle(void *arg)
{
	struct hands *h = arg;
	uint64_t now = bench_clock_ns(), end = now + IDLE_NS;

	while (now < end)
		now = bench_clock_ns();
	/* Relaxed: the semaphore orders it. */
	atomic_store_explicit(&h->h_sent_ns, now, memory_order_relaxed);
	(void)sem_post(&h->h_go[1]);
	sem_take(&h->h_go[0]);
	/* Relaxed: as above. */
	return (
	    (double)atomic_load_explicit(&h->h_took_ns, memory_order_relaxed));
}

/* Samples of fn while the other thread echoes on a CPU. */
static size_t
with_echo(int cpu, int other, size_t n, double *v, double (*fn)(void *arg))
{
	struct hands h = { .h_turn = 0 };
	struct bench_thread bt;
	size_t got = 0;

	if (sem_init(&h.h_go[0], 0, 0) != 0)
		return (0);
	if (sem_init(&h.h_go[1], 0, 0) == 0) {
		if (bench_thread_start(&bt, other, echo, &h) == 0) {
			got = calib_sample(cpu, n, v, fn, &h);
			/* Relaxed: the semaphore orders it. */
			atomic_store_explicit(
			    &h.h_stop, true, memory_order_relaxed);
			(void)sem_post(&h.h_go[1]);
			bench_thread_join(&bt);
		}
		(void)sem_destroy(&h.h_go[1]);
	}
	(void)sem_destroy(&h.h_go[0]);
	return (got);
}

/* Yield until it is our turn, then pass it on. */
static bool
take_turn(struct hands *h, unsigned me)
{
	/* Relaxed: one CPU runs both. */
	while (atomic_load_explicit(&h->h_turn, memory_order_relaxed) != me) {
		if (stopped(h))
			return (false);
		(void)sched_yield();
	}
	/* Relaxed: as above. */
	atomic_store_explicit(&h->h_turn, !me, memory_order_relaxed);
	return (true);
}

static void
yield_beside(void *arg)
{
	struct hands *h = arg;

	while (take_turn(h, 1))
		continue;
}

static double
yield(void *arg)
{
	struct hands *h = arg;
	uint64_t t0 = bench_clock_ns();

	for (unsigned i = 0; i < HANDS; i++)
		(void)take_turn(h, 0);
	return ((double)(bench_clock_ns() - t0) / (2.0 * HANDS));
}

static void
put_switch(struct calib *c, double *v, size_t n)
{
	struct hands h = { .h_turn = 0 };
	struct bench_thread bt;
	size_t got = 0;

	if (bench_thread_start(&bt, c->c_cpus[0], yield_beside, &h) == 0) {
		got = calib_sample(c->c_cpus[0], n, v, yield, &h);
		/* Relaxed: a flag that is polled. */
		atomic_store_explicit(&h.h_stop, true, memory_order_relaxed);
		bench_thread_join(&bt);
	}
	calib_measured(
	    c, PRESET_pr_context_switch_ps, v, got, "sched_yield on one CPU");
}

/* A read fault: the trap, and what the kernel does to map its zero page. */
static double
faults(void *arg)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = FAULTS * page;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t t0;

	(void)arg;
	if (p == MAP_FAILED)
		return (NAN);
	osstat_want_small(p, size);
	t0 = bench_clock_ns();
	for (size_t i = 0; i < FAULTS; i++) {
		/* The load is the point; what it reads is not. */
		__asm__ __volatile__("" : : "r"(p[i * page]) : "memory");
	}
	t0 = bench_clock_ns() - t0;
	(void)munmap(p, size);
	return ((double)t0 / FAULTS);
}

/* Threads that run in our address space, so that they must be told. */
struct crowd {
	char *cr_page;
	size_t cr_n;
	struct beat {
		_Alignas(CACHE_PAIR_SIZE) _Atomic uint64_t be_count;
		struct crowd *be_crowd;
	} cr_beats[IPI_MAX];
	_Atomic bool cr_stop;
};

static void
stand_by(void *arg)
{
	struct beat *be = arg;
	uint64_t n = 0;

	/* Relaxed: a flag that is polled. */
	while (!atomic_load_explicit(
	    &be->be_crowd->cr_stop, memory_order_relaxed)) {
		/* Relaxed: a count; nothing else is passed on. */
		atomic_store_explicit(&be->be_count, ++n, memory_order_relaxed);
		cpu_spinwait();
	}
}

/* A thread that has lost its CPU needs no interrupt: see each one at work. */
static void
see_beats(struct crowd *cr)
{
	for (size_t i = 0; i < cr->cr_n; i++) {
		_Atomic uint64_t *count = &cr->cr_beats[i].be_count;
		/* Relaxed: as in stand_by(). */
		uint64_t n = atomic_load_explicit(count, memory_order_relaxed);

		/* Relaxed: as above. */
		while (atomic_load_explicit(count, memory_order_relaxed) == n) {
			if (bench_stopped())
				return;
			(void)sched_yield();
		}
	}
}

static double
change_protection(void *arg)
{
	struct crowd *cr = arg;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t t0;

	(void)mprotect(cr->cr_page, page, PROT_READ | PROT_WRITE);
	*cr->cr_page = 1;
	see_beats(cr);
	t0 = bench_clock_ns();
	if (mprotect(cr->cr_page, page, PROT_READ) != 0)
		return (NAN);
	return ((double)(bench_clock_ns() - t0));
}

/* What write-protecting a page takes with others on the first CPUs of a list. */
static double
protect_with(
    struct calib *c, const int *cpus, size_t others, double *v, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), started = 0;
	struct bench_thread bt[IPI_MAX];
	double median = NAN;
	struct crowd *cr;

	if (posix_memalign((void **)&cr, CACHE_PAIR_SIZE, sizeof(*cr)) != 0)
		return (NAN);
	memset(cr, 0, sizeof(*cr));
	cr->cr_n = others;
	cr->cr_page = mmap(NULL, page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (cr->cr_page == MAP_FAILED) {
		free(cr);
		return (NAN);
	}
	while (started < others) {
		struct beat *be = &cr->cr_beats[started];

		be->be_crowd = cr;
		if (bench_thread_start(
			&bt[started], cpus[started], stand_by, be) != 0)
			break;
		started++;
	}
	if (started == others) {
		n = calib_sample(c->c_cpus[0], n, v, change_protection, cr);
		if (n > 0)
			median = calib_stat_of(v, n).cs_median;
	}
	/* Relaxed: as in stand_by(). */
	atomic_store_explicit(&cr->cr_stop, true, memory_order_relaxed);
	while (started > 0)
		bench_thread_join(&bt[--started]);
	(void)munmap(cr->cr_page, page);
	free(cr);
	return (median);
}

/* CPUs of our socket, or of others. */
static size_t
others(const struct calib *c, bool remote, int cpus[IPI_MAX])
{
	size_t n = 0;

	for (size_t i = 1; i < c->c_ncpus && n < IPI_MAX; i++) {
		enum calib_distance d =
		    calib_distance(c->c_cpus[0], c->c_cpus[i]);

		if ((d == CALIB_REMOTE) == remote)
			cpus[n++] = c->c_cpus[i];
	}
	return (n);
}

static void
put_slope(struct calib *c, unsigned field, double one, double all, size_t n)
{
	double slope = (all - one) / (double)(n - 1);

	if (isfinite(slope))
		calib_measured(c, field, &(double){ fmax(0, slope) }, 1,
		    "mprotect with threads on other CPUs, each more");
	else
		calib_from_base(c, field, "could not be measured");
}

/*
 * mprotect() of a page by one thread, and the same with threads on other CPUs:
 * the difference is the interrupt, and grows with their number.
 */
static void
put_ipi(struct calib *c, double *v, size_t n)
{
	int cpus[IPI_MAX];
	double none, one, all;
	size_t near = others(c, false, cpus), far;

	if (near < 2) {
		calib_from_base(
		    c, PRESET_pr_ipi_fixed_ps, "too few CPUs in a socket");
		calib_from_base(
		    c, PRESET_pr_ipi_same_ps, "too few CPUs in a socket");
	} else {
		none = protect_with(c, cpus, 0, v, n);
		one = protect_with(c, cpus, 1, v, n);
		all = protect_with(c, cpus, near, v, n);
		put_slope(c, PRESET_pr_ipi_same_ps, one, all, near);
		one -= none + (double)c->c_preset.pr_ipi_same_ps / 1000;
		if (isfinite(one))
			calib_measured(c, PRESET_pr_ipi_fixed_ps,
			    &(double){ fmax(0, one) }, 1,
			    "mprotect with a thread on another CPU, and alone");
		else
			calib_from_base(
			    c, PRESET_pr_ipi_fixed_ps, "could not be measured");
	}
	far = others(c, true, cpus);
	if (far < 2) {
		calib_from_base(
		    c, PRESET_pr_ipi_remote_ps, "this host has no two sockets");
		return;
	}
	one = protect_with(c, cpus, 1, v, n);
	all = protect_with(c, cpus, far, v, n);
	put_slope(c, PRESET_pr_ipi_remote_ps, one, all, far);
}

/* A CPU that shares no core with the first, or -1. */
static int
another_core(const struct calib *c)
{
	for (size_t i = 1; i < c->c_ncpus; i++) {
		if (calib_distance(c->c_cpus[0], c->c_cpus[i]) != CALIB_SMT)
			return (c->c_cpus[i]);
	}
	return (-1);
}

void
calib_kernel(struct calib *c)
{
	size_t n = calib_count(c, SAMPLES), deep = calib_count(c, DEEP_SAMPLES);
	double *v = bench_calloc(n > deep ? n : deep, sizeof(v[0]));
	int cpu = c->c_cpus[0], other = another_core(c);
	size_t got;

	got = calib_sample(cpu, n, v, calls, NULL);
	calib_measured(c, PRESET_pr_syscall_ps, v, got, "getppid");
	got = with_echo(cpu, cpu, n, v, hand_over);
	calib_measured(
	    c, PRESET_pr_block_wake_same_ps, v, got, "semaphores, one CPU");
	if (other < 0) {
		calib_from_base(
		    c, PRESET_pr_wake_remote_ps, "this host has one core");
		calib_from_base(
		    c, PRESET_pr_wake_deep_ps, "this host has one core");
	} else {
		got = with_echo(cpu, other, n, v, hand_over);
		calib_measured(c, PRESET_pr_wake_remote_ps, v, got,
		    "semaphores, two CPUs");
		got = with_echo(cpu, other, deep, v, wake_idle);
		calib_measured(c, PRESET_pr_wake_deep_ps, v, got,
		    "semaphore, CPU idle for 1 ms");
	}
	put_switch(c, v, n);
	got = calib_sample(cpu, n, v, faults, NULL);
	c->c_fault_ns = calib_stat_of(v, got).cs_median;
	put_ipi(c, v, n);
	free(v);
}
