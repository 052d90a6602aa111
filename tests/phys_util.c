/* SPDX-License-Identifier: BSD-2-Clause */
#include "phys_util.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lock/lock.h"

const char *const phys_maps[] = {
	"desktop-freebsd-12g",
	"epyc-2s-128t-1t-8n",
	"epyc-2s-384t-1536g",
	"hpe-uv-4t-16n",
	"superdome-16s-480t-12t",
	"tablet-8cpu-16g",
	"vm-2cpu-24g",
	"vm-2cpu-256m",
	"vm-4cpu-3g-2n",
	"xeon-2s-104t-192g",
	"xeon-2s-48t-256g",
	"xeon-2s-88t-64g",
	"xeon-4s-80t-128g",
	NULL,
};

void
phys_map_path(const char *name, char *path, size_t size)
{
	(void)snprintf(
	    path, size, "%s/bench/memmaps/%s.map", PMAPSIM_SOURCE_DIR, name);
}

struct thread *
phys_attach(struct phys_machine *pm, unsigned cpu, int domain)
{
	struct thread *td;

	if (sim_thread_attach(pm->pm_sim, cpu, domain, &td) != 0)
		return (NULL);
	if (lock_thread_attach(td) != 0) {
		sim_thread_detach(td);
		return (NULL);
	}
	if (vm_pgcache_attach(pm->pm_vp, td) != 0) {
		lock_thread_detach(td);
		sim_thread_detach(td);
		return (NULL);
	}
	return (td);
}

void
phys_detach(struct phys_machine *pm, struct thread *td)
{
	vm_pgcache_detach(pm->pm_vp, td);
	lock_thread_detach(td);
	sim_thread_detach(td);
}

int
phys_open(struct phys_machine *pm, const struct vm_phys_config *vpc)
{
	int error;

	if (pm->pm_ncpus == 0)
		pm->pm_ncpus = 1;
	assert_int_equal(
	    kmem_create(vpc->vpc_map->mm_ndomains, &pm->pm_kmem), 0);
	assert_int_equal(
	    sim_create(pm->pm_kmem, &sim_real_ops, pm->pm_ncpus, &pm->pm_sim),
	    0);
	assert_int_equal(lock_env_create(pm->pm_sim, false), 0);
	error = vm_phys_create(
	    pm->pm_sim, pm->pm_kmem, vpc, &pm->pm_vp, &pm->pm_why);
	if (error != 0) {
		lock_env_destroy(pm->pm_sim);
		sim_destroy(pm->pm_sim);
		assert_int_equal(kmem_destroy(pm->pm_kmem, stderr), 0);
		return (error);
	}
	pm->pm_td = phys_attach(pm, 0, 0);
	assert_non_null(pm->pm_td);
	return (0);
}

void
phys_close(struct phys_machine *pm)
{
	phys_detach(pm, pm->pm_td);
	vm_phys_destroy(pm->pm_vp);
	lock_env_destroy(pm->pm_sim);
	sim_destroy(pm->pm_sim);
	assert_int_equal(kmem_destroy(pm->pm_kmem, stderr), 0);
}

static int
open_memmap(struct phys_machine *pm, struct memmap *mm,
    const struct vm_phys_config *vpc)
{
	struct vm_phys_config config = { 0 };
	int error;

	if (vpc != NULL)
		config = *vpc;
	config.vpc_map = mm;
	memset(pm, 0, sizeof(*pm));
	error = phys_open(pm, &config);
	memmap_free(mm);
	return (error);
}

int
phys_open_text(
    struct phys_machine *pm, const char *map, const struct vm_phys_config *vpc)
{
	struct memmap_error me;
	struct memmap *mm;

	if (memmap_parse("text", map, strlen(map), &mm, &me) != 0)
		fail_msg("line %u: %s", me.me_line, me.me_text);
	return (open_memmap(pm, mm, vpc));
}

int
phys_open_map(
    struct phys_machine *pm, const char *name, const struct vm_phys_config *vpc)
{
	struct memmap_error me;
	struct memmap *mm;
	char path[1024];

	phys_map_path(name, path, sizeof(path));
	if (memmap_read(path, &mm, &me) != 0)
		fail_msg("%s:%u: %s", path, me.me_line, me.me_text);
	return (open_memmap(pm, mm, vpc));
}

static void
print_violation(void *arg, int inv, const char *text)
{
	(void)arg;
	fprintf(stderr, "invariant %d: %s\n", inv, text);
}

unsigned
phys_check(struct phys_machine *pm)
{
	return (vm_phys_check(pm->pm_vp, print_violation, NULL));
}

uint64_t
phys_seed(void)
{
	const char *text = getenv("PMAPSIM_SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 1;

	printf("PMAPSIM_SEED=%" PRIu64 "\n", seed);
	return (seed);
}

/* splitmix64: any state will do, and each is left behind after one step. */
uint64_t
phys_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31);
}

#define NTHREADS 4

/* A thread that allocates, stamps, checks stamps and frees. */
struct worker {
	struct phys_machine *w_pm;
	unsigned w_id;
	uint64_t w_seed;
	uint64_t w_errors;
	uint64_t w_done;
	unsigned w_rounds;
	bool w_wait; /* wait for memory where there is none */
	void *w_handle;
};

static void
work(void *arg)
{
	static const int kinds[] = { 0, VM_PAGE_NOOBJ, VM_PAGE_ZERO,
		VM_PAGE_NOOBJ | VM_PAGE_ZERO };
	struct vm_page *held[64] = { NULL }, *m;
	struct worker *w = arg;
	struct vm_phys *vp = w->w_pm->pm_vp;
	struct thread *td;
	uint64_t *stamp, token, rnd = w->w_seed;
	unsigned i;
	int flags;

	td = phys_attach(w->w_pm, 0, (int)w->w_id % 2);
	if (td == NULL) {
		w->w_errors++;
		return;
	}
	for (unsigned n = 0; n < w->w_rounds; n++) {
		i = (unsigned)(phys_random(&rnd) % 64);
		flags = kinds[phys_random(&rnd) % 4];
		m = held[i];
		if (m != NULL) {
			stamp = PHYS_TO_DMAP(vp, m->phys_addr);
			w->w_errors += stamp[w->w_id] != (w->w_id + 1) ||
			    stamp[100] != m->phys_addr;
			held[i] = NULL;
			vm_page_free(vp, m);
			continue;
		}
		token = vm_wait_token(vp);
		m = vm_page_alloc(vp, td->td_domain, flags);
		if (m == NULL) {
			if (!w->w_wait)
				continue;
			/* Holding nothing, so that somebody gets on. */
			for (i = 0; i < 64; i++) {
				if (held[i] != NULL)
					vm_page_free(vp, held[i]);
				held[i] = NULL;
			}
			vm_wait(vp, token);
			continue;
		}
		w->w_done++;
		stamp = PHYS_TO_DMAP(vp, m->phys_addr);
		if ((flags & VM_PAGE_ZERO) != 0) {
			w->w_errors += stamp[100] != 0 || stamp[w->w_id] != 0;
		}
		stamp[w->w_id] = w->w_id + 1;
		stamp[100] = m->phys_addr;
		held[i] = m;
	}
	for (i = 0; i < 64; i++) {
		if (held[i] != NULL)
			vm_page_free(vp, held[i]);
	}
	phys_detach(w->w_pm, td);
}

void
phys_run_workers(struct phys_machine *pm, unsigned rounds, bool wait)
{
	struct worker w[NTHREADS];
	uint64_t seed = phys_seed();

	for (unsigned i = 0; i < NTHREADS; i++) {
		w[i] = (struct worker){
			.w_pm = pm,
			.w_id = i,
			.w_seed = seed + i,
			.w_rounds = rounds,
			.w_wait = wait,
		};
		assert_int_equal(sim_real_ops.so_thread_create(pm->pm_sim, -1,
				     work, &w[i], &w[i].w_handle),
		    0);
	}
	vm_wait_idle_begin(pm->pm_vp);
	for (unsigned i = 0; i < NTHREADS; i++) {
		assert_int_equal(
		    sim_real_ops.so_thread_join(pm->pm_sim, w[i].w_handle), 0);
	}
	vm_wait_idle_end(pm->pm_vp);
	for (unsigned i = 0; i < NTHREADS; i++) {
		assert_int_equal(w[i].w_errors, 0);
		assert_true(w[i].w_done > 0);
	}
	assert_int_equal(
	    vm_free_count(pm->pm_vp, -1), vm_total_pages(pm->pm_vp, -1));
	assert_int_equal(sim_counter(pm->pm_sim, CTR_PAGE_ALLOCS),
	    sim_counter(pm->pm_sim, CTR_PAGE_FREES));
}

static char panic_text[200];

static void
catch_panic(const char *file, int line, const char *msg)
{
	(void)snprintf(panic_text, sizeof(panic_text), "%s", msg);
	mock_assert(0, msg, file, line);
}

void
phys_assert_panics(void (*fn)(void), const char *text)
{
	panic_handler_fn *old = panic_handler;

	panic_handler = catch_panic;
	panic_text[0] = '\0';
	expect_assert_failure(fn());
	panic_handler = old;
	assert_non_null(strstr(panic_text, text));
}
