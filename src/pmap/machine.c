/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * struct machine: putting the layers together and taking them apart, and who is
 * attached.
 */

#include "pmapsim/machine.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "lock/lock_profile.h"
#include "lock/witness.h"
#include "pmap/mmu.h"

#define LIMIT_PAGES_MIN 64

static int sayerr(int error, char *err, size_t errsize, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int
sayerr(int error, char *err, size_t errsize, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err, errsize, fmt, ap);
	va_end(ap);
	return (error);
}

/* Everything but the kmem, of a machine built in part or whole. */
static void
machine_fini(struct machine *m)
{
	struct pmap *pmap;
	int i;

	while ((pmap = TAILQ_FIRST(&m->ma_pmaps)) != NULL) {
		KASSERT(!pmap->pm_live,
		    ("machine destroyed with live pmap %p", (void *)pmap));
		TAILQ_REMOVE(&m->ma_pmaps, pmap, pm_zone_all);
		mtx_destroy(&pmap->pm_mtx);
		pmap_mmu_free(pmap);
		kmem_free(
		    m->ma_kmem, pmap, sizeof(*pmap), M_PMAP, KMEM_ANYDOMAIN);
	}
	for (i = 0; i < m->ma_nchunklists; i++) {
		if (m->ma_chunks[i] == NULL)
			continue;
		mtx_destroy(&m->ma_chunks[i]->pvc_lock);
		kmem_free(m->ma_kmem, m->ma_chunks[i], sizeof(*m->ma_chunks[i]),
		    M_MACHINE,
		    m->ma_design.d_chunks_global ? KMEM_ANYDOMAIN : i);
	}
	mmu_destroy(m);
	pmap_di_destroy(m);
	pv_table_destroy(m->ma_pvt);
	if (m->ma_vp != NULL)
		vm_phys_destroy(m->ma_vp);
	if (m->ma_sim != NULL) {
		if (m->ma_sim->sim_locks != NULL)
			lock_env_destroy(m->ma_sim);
		sim_destroy(m->ma_sim);
	}
	mtx_destroy(&m->ma_zone_mtx);
}

static int
chunk_lists_create(struct machine *m)
{
	struct pv_chunks_list *pvc;
	int i;

	m->ma_nchunklists = m->ma_design.d_chunks_global ? 1 : m->ma_ndomains;
	for (i = 0; i < m->ma_nchunklists; i++) {
		pvc = kmem_alloc(m->ma_kmem, sizeof(*pvc), CACHE_LINE_SIZE,
		    M_MACHINE,
		    m->ma_design.d_chunks_global ? KMEM_ANYDOMAIN : i);
		if (pvc == NULL)
			return (ENOMEM);
		mtx_init(&pvc->pvc_lock, "pmap pv chunk list", 0);
		TAILQ_INIT(&pvc->pvc_list);
		m->ma_chunks[i] = pvc;
	}
	return (0);
}

static int
witness_start(struct machine *m, enum machine_witness mw)
{
	int error;

	if (mw == MACHINE_WITNESS_DEFAULT)
		mw = INVARIANTS_ENABLED ? MACHINE_WITNESS_PRINT
					: MACHINE_WITNESS_OFF;
	if (mw == MACHINE_WITNESS_OFF)
		return (0);
	error = witness_create(m->ma_sim, &witness_vm_order);
	if (error == 0 && mw == MACHINE_WITNESS_PANIC)
		witness_set_reporter(m->ma_sim, witness_panic, NULL);
	return (error);
}

static int
machine_build(struct machine *m, const struct machine_config *mc, char *err,
    size_t errsize)
{
	struct vm_phys_config vpc = {
		.vpc_map = mc->mc_map,
		.vpc_blacklist = mc->mc_blacklist,
		.vpc_nblacklist = mc->mc_nblacklist,
		.vpc_limit_pages = mc->mc_limit_pages,
		.vpc_no_reserv = m->ma_design.d_no_reserv,
		.vpc_bugs = m->ma_design.d_bugs,
	};
	const char *why = "out of host memory";
	int error;

	error = sim_create(m->ma_kmem, sim_native_ops, m->ma_ncpus, &m->ma_sim);
	if (error == 0)
		error = lock_env_create(m->ma_sim, mc->mc_profile);
	if (error == 0)
		error = witness_start(m, mc->mc_witness);
	if (error != 0)
		return (sayerr(error, err, errsize, "%s", strerror(error)));
	error = vm_phys_create(m->ma_sim, m->ma_kmem, &vpc, &m->ma_vp, &why);
	if (error != 0)
		return (sayerr(error, err, errsize, "memory map \"%s\": %s",
		    mc->mc_map->mm_name, why));
	m->ma_ndomains = m->ma_vp->vp_ndomains;
	error = chunk_lists_create(m);
	if (error == 0)
		error = pmap_di_create(m);
	if (error == 0)
		error = mmu_create(m);
	if (error == 0)
		error = pv_table_create(
		    m->ma_vp, m->ma_kmem, &m->ma_design, &m->ma_pvt);
	if (error != 0)
		return (sayerr(error, err, errsize, "pv headers of \"%s\": %s",
		    m->ma_design.d_text, strerror(error)));
	return (0);
}

static int
config_check(const struct machine_config *mc, struct design *d, char *err,
    size_t errsize)
{
	const struct pv_lock_ops *const *p;
	const char *why;

	if (mc->mc_map == NULL)
		return (sayerr(EINVAL, err, errsize, "no memory map given"));
	if (mc->mc_check_ops && !INVARIANTS_ENABLED)
		return (sayerr(EINVAL, err, errsize,
		    "operations are checked only in builds with invariants"));
	/* Of a map that no reader made; the arenas are made by it. */
	if (mc->mc_map->mm_ndomains < 1 || mc->mc_map->mm_ndomains > MAXMEMDOM)
		return (sayerr(EINVAL, err, errsize,
		    "memory map \"%s\": %d domains: expected 1 to %d",
		    mc->mc_map->mm_name, mc->mc_map->mm_ndomains, MAXMEMDOM));
	if (mc->mc_ncpus > MACHINE_CPU_MAX)
		return (
		    sayerr(EINVAL, err, errsize, "%u CPUs: expected 1 to %u",
			mc->mc_ncpus, MACHINE_CPU_MAX));
	if (mc->mc_limit_pages != 0 && mc->mc_limit_pages < LIMIT_PAGES_MIN)
		return (sayerr(EINVAL, err, errsize,
		    "memory limited to %ju pages: expected at least %d",
		    (uintmax_t)mc->mc_limit_pages, LIMIT_PAGES_MIN));
	for (p = mc->mc_locks; p != NULL && *p != NULL; p++) {
		if (pv_lock_ops_check(*p, &why) != 0)
			return (sayerr(EINVAL, err, errsize,
			    "lock backend \"%s\": %s",
			    (*p)->plo_name != NULL ? (*p)->plo_name : "?",
			    why));
	}
	return (design_parse(
	    mc->mc_design != NULL ? mc->mc_design : "sparse/rwlock",
	    mc->mc_locks, d, err, errsize));
}

int
machine_create(const struct machine_config *mc, struct machine **mp, char *err,
    size_t errsize)
{
	struct design d;
	struct kmem *km;
	struct machine *m;
	int error;

	error = config_check(mc, &d, err, errsize);
	if (error != 0)
		return (error);
	error = kmem_create(mc->mc_map->mm_ndomains, &km);
	if (error != 0)
		return (sayerr(error, err, errsize, "allocation arenas: %s",
		    strerror(error)));
	kmem_fail_nth(km, mc->mc_fail_nth);
	m = kmem_alloc(
	    km, sizeof(*m), CACHE_LINE_SIZE, M_MACHINE, KMEM_ANYDOMAIN);
	if (m == NULL) {
		error = sayerr(ENOMEM, err, errsize, "out of host memory");
		goto fail;
	}
	m->ma_kmem = km;
	m->ma_design = d;
	m->ma_rules = pmap_rules[d.d_pmap];
	m->ma_superpages = !d.d_no_superpages;
	m->ma_check_ops = mc->mc_check_ops;
	/* Relaxed: nobody knows the machine yet. */
	atomic_store_explicit(&m->ma_pt_limit, -1, memory_order_relaxed);
	atomic_store_explicit(&m->ma_pv_limit, -1, memory_order_relaxed);
	m->ma_ncpus = mc->mc_ncpus != 0 ? mc->mc_ncpus : 1;
	TAILQ_INIT(&m->ma_pmaps);
	TAILQ_INIT(&m->ma_pmaps_free);
	mtx_init(&m->ma_zone_mtx, "pmap zone", 0);

	error = machine_build(m, mc, err, errsize);
	if (error != 0)
		goto fail;
	kmem_fail_nth(km, 0);
	*mp = m;
	return (0);

fail:
	if (m != NULL) {
		machine_fini(m);
		kmem_free(km, m, sizeof(*m), M_MACHINE, KMEM_ANYDOMAIN);
	}
	if (kmem_destroy(km, stderr) != 0)
		panic("machine_create: a failed creation left memory behind");
	return (error);
}

uint64_t
machine_destroy(struct machine *m, FILE *out)
{
	struct kmem *km;

	if (m == NULL)
		return (0);
	if (sim_nthreads(m->ma_sim) != 0)
		panic("machine destroyed with %u threads attached",
		    sim_nthreads(m->ma_sim));
	km = m->ma_kmem;
	machine_fini(m);
	kmem_free(km, m, sizeof(*m), M_MACHINE, KMEM_ANYDOMAIN);
	return (kmem_destroy(km, out));
}

static int
thread_attach(struct machine *m, unsigned cpu)
{
	struct thread *other = curthread(), *td;
	int domain, error;

	if (cpu >= m->ma_ncpus)
		return (EINVAL);
	domain = (int)((uint64_t)cpu * (unsigned)m->ma_ndomains / m->ma_ncpus);
	error = sim_thread_attach(m->ma_sim, cpu, domain, &td);
	if (error != 0)
		return (error);
	td->td_machine = m;
	error = lock_thread_attach(td);
	if (error != 0)
		goto detach;
	error = pmap_di_attach(m, td);
	if (error != 0)
		goto unlock;
	error = vm_pgcache_attach(m->ma_vp, td);
	if (error != 0)
		goto undelay;
	return (0);

undelay:
	pmap_di_detach(m, td);
unlock:
	lock_thread_detach(td);
detach:
	sim_thread_detach(td);
	/* The caller's attachment to another machine is current as before. */
	sim_thread_switch(other);
	return (error);
}

int
machine_thread_attach(struct machine *m, unsigned cpu)
{
	int error;

	if (m->ma_check_ops)
		pmap_op_enter(m);
	error = thread_attach(m, cpu);
	if (m->ma_check_ops)
		pmap_op_leave(m, NULL);
	return (error);
}

void
machine_thread_detach(struct machine *m)
{
	struct thread *td = curthread();

	KASSERT(td != NULL && td->td_machine == m,
	    ("detach from a machine that is not the current one"));
	KASSERT(td->td_pv_held == NULL,
	    ("thread %u leaves with pv list lock %p", td->td_id,
		td->td_pv_held));
	if (m->ma_check_ops)
		pmap_op_enter(m);
	vm_pgcache_detach(m->ma_vp, td);
	pmap_di_detach(m, td);
	lock_thread_detach(td);
	sim_thread_detach(td);
	if (m->ma_check_ops)
		pmap_op_leave(m, NULL);
}

void
machine_thread_idle_begin(struct machine *m)
{
	vm_wait_idle_begin(m->ma_vp);
}

void
machine_thread_idle_end(struct machine *m)
{
	vm_wait_idle_end(m->ma_vp);
}

struct thread *
machine_thread_self(void)
{
	return (curthread());
}

void
machine_thread_use(struct thread *td)
{
	sim_thread_switch(td);
}

void
machine_pv_header_report(struct machine *m, struct pv_header_report *phr)
{
	pv_table_report(m->ma_pvt, phr);
}

uint64_t
machine_pv_header_allocated(struct machine *m)
{
	struct kmem_stats ks;

	kmem_stats(m->ma_kmem, M_PVHEADER, KMEM_ALLDOMAINS, &ks);
	return (ks.ks_requested_bytes);
}

const struct design *
machine_design(const struct machine *m)
{
	return (&m->ma_design);
}

int
machine_ndomains(const struct machine *m)
{
	return (m->ma_ndomains);
}

unsigned
machine_ncpus(const struct machine *m)
{
	return (m->ma_ncpus);
}

uint64_t
machine_free_pages(struct machine *m)
{
	return (vm_free_count(m->ma_vp, -1));
}

struct check_out {
	FILE *co_out;
};

static void
check_line(void *arg, int inv, const char *text)
{
	const struct check_out *co = arg;

	if (co->co_out != NULL)
		(void)fprintf(co->co_out, "inv %d: %s\n", inv, text);
}

/* 44: the lists of held locks that the profile keeps are empty. */
static unsigned
check_profile(struct machine *m, struct check_out *co)
{
	unsigned held = lock_profile_held(m->ma_sim);
	char text[64];

	if (held == 0)
		return (0);
	(void)snprintf(text, sizeof(text),
	    "%u locks are still on the profile's held lists", held);
	check_line(co, 44, text);
	return (1);
}

static void
check_lock_line(void *arg, const char *text)
{
	check_line(arg, 43, text);
}

unsigned
machine_check(struct machine *m, FILE *out)
{
	struct check_out co = { .co_out = out };
	unsigned n;

	n = pmap_check(m, check_line, &co);
	n += pmap_di_check(m, check_line, &co);
	n += mmu_check(m, check_line, &co);
	n += vm_phys_check(m->ma_vp, check_line, &co);
	n += lock_env_check(m->ma_sim, check_lock_line, &co);
	n += check_profile(m, &co);
	return (n);
}
