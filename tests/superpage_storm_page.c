/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The operations on pages, as a page daemon's, and accesses by CPUs.  See
 * superpage_storm.h.
 */

#include "superpage_storm.h"

#define R VM_PROT_READ
#define W VM_PROT_WRITE

/* The object write-locked, and nobody has it busy; or false. */
static bool
claim(struct sps_object *so)
{
	int none = 0;

	VM_OBJECT_WLOCK(so->so_object);
	/* Acquire: pairs with sps_busy_drop(). */
	if (atomic_compare_exchange_strong_explicit(&so->so_busy, &none, -1,
		memory_order_acquire, memory_order_relaxed))
		return (true);
	VM_OBJECT_WUNLOCK(so->so_object);
	return (false);
}

static void
claim_drop(struct sps_object *so)
{
	/* Release: pairs with sps_busy_shared(). */
	atomic_store_explicit(&so->so_busy, 0, memory_order_release);
	VM_OBJECT_WUNLOCK(so->so_object);
}

static void
frozen_step(_Atomic uint32_t *seq)
{
	/* Acquire-release: what the operation did comes before, or after. */
	atomic_fetch_add_explicit(seq, 1, memory_order_acq_rel);
}

static struct sps_frozen *
frozen_of(struct sps *sps, vm_paddr_t pa)
{
	vm_paddr_t first;

	for (unsigned run = 0; run < SPS_NRUNS; run++) {
		first = VM_PAGE_TO_PHYS(sps->run[run]);
		if (pa >= first && pa - first < NBPDR)
			return (&sps->frozen[run][(pa - first) >> PAGE_SHIFT]);
	}
	return (NULL);
}

/*
 * One access; and if the page is frozen, it was frozen a moment ago or should not
 * have been reached.  So a second access decides, which lies wholly between two
 * looks.
 */
static void
use_one(struct sps_thread *st, vm_offset_t va, vm_prot_t access)
{
	struct sps *sps = st->st_sps;
	struct machine *ma = sps->pu.pu_ma;
	_Atomic uint32_t *seq;
	struct sps_frozen *sf;
	vm_paddr_t again, pa;
	uint32_t was;

	if (mmu_access(ma, st->st_cpu, va, access, &pa) != MMU_OK)
		return;
	sf = frozen_of(sps, pa);
	if (sf == NULL)
		return;
	for (unsigned k = 0; k < 2; k++) {
		seq = k == 0 ? &sf->sf_all : &sf->sf_write;
		if (k == 1 && access != W)
			continue;
		/* Acquire: the access comes after. */
		was = atomic_load_explicit(seq, memory_order_acquire);
		if (was % 2 == 0)
			continue;
		if (mmu_access(ma, st->st_cpu, va, access, &again) == MMU_OK &&
		    again == pa &&
		    /* Acquire-release: a write, so that it comes after. */
		    atomic_fetch_add_explicit(seq, 0, memory_order_acq_rel) ==
			was)
			sps_wrong(sps,
			    k == 0 ? "a removed page is reached"
				   : "a read-only page is written");
	}
}

/*
 * Page i of a run is claimed and no access reaches it, or no write: see whether
 * one does, from this CPU or, as they are told where to look, from others.
 */
static void
frozen_wait(struct sps_thread *st, unsigned run, unsigned i,
    _Atomic uint32_t *seq, vm_prot_t access)
{
	struct sps *sps = st->st_sps;
	struct sim *sim = sps->pu.pu_ma->ma_sim;

	frozen_step(seq);
	/* Relaxed: a count. */
	atomic_fetch_add_explicit(&sps->nfrozen, 1, memory_order_relaxed);
	/* Relaxed: a hint. */
	atomic_store_explicit(
	    &sps->look_at, run * SPS_RUN + i, memory_order_relaxed);
	for (uint64_t n = sps_below(st, 4); n > 0; n--) {
		use_one(st, sps_slot(run) + i * PAGE_SIZE, access);
		sim->sim_ops->so_yield(sim);
	}
	frozen_step(seq);
}

/* With the object claimed. */
static void
page_alone(struct sps_thread *st, unsigned run, unsigned i)
{
	struct sps *sps = st->st_sps;
	struct sps_frozen *sf = &sps->frozen[run][i];
	struct vm_page *m = sps->run[run] + i;
	struct machine *ma = sps->pu.pu_ma;

	switch (sps_below(st, 4)) {
	case 0:
		pmap_remove_all(ma, m);
		if (pmap_page_is_mapped(ma, m))
			sps_wrong(sps, "a page is mapped that was removed");
		frozen_wait(st, run, i, &sf->sf_all, R);
		break;
	case 1:
		pmap_remove_write(ma, m);
		if (pmap_is_modified(ma, m))
			sps_wrong(sps, "a read-only page is modified");
		frozen_wait(st, run, i, &sf->sf_write, W);
		break;
	case 2:
		pmap_clear_modify(ma, m);
		break;
	default:
		/* Laundered. */
		pmap_remove_write(ma, m);
		pu_undirty(m);
		break;
	}
}

/* Whatever others do. */
static void
page_any(struct sps_thread *st, struct vm_page *m)
{
	struct sps *sps = st->st_sps;
	struct machine *ma = sps->pu.pu_ma;
	int n;

	switch (sps_below(st, 6)) {
	case 0:
	case 1:
		n = pmap_ts_referenced(ma, m);
		/* Restarts keep what was counted. */
		if (n < 0 || n > PMAP_TS_REFERENCED_MAX)
			sps_wrong(sps, "references");
		break;
	case 2:
		(void)pmap_is_modified(ma, m);
		break;
	case 3:
		(void)pmap_is_referenced(ma, m);
		break;
	case 4:
		(void)pmap_page_exists_quick(sps->shared[0], m);
		(void)pmap_page_is_mapped(ma, m);
		break;
	default:
		(void)pmap_page_wired_mappings(ma, m);
		break;
	}
}

void
sps_page(struct sps_thread *st)
{
	struct sps *sps = st->st_sps;
	unsigned run = (unsigned)sps_below(st, SPS_NRUNS);
	unsigned i = (unsigned)sps_below(st, SPS_RUN);
	struct sps_object *so = &sps->runs[run / 2];
	struct vm_page *m = sps->run[run] + i;

	if (!sps_odds(st, 3)) {
		page_any(st, m);
	} else if (claim(so)) {
		page_alone(st, run, i);
		claim_drop(so);
	}
}

/* A single page is freed, and another takes its place if there is one. */
void
sps_replace_single(struct sps_thread *st)
{
	struct sps *sps = st->st_sps;
	struct vm_phys *vp = sps->pu.pu_ma->ma_vp;
	struct sps_object *so = &sps->singles;
	unsigned i = (unsigned)sps_below(st, SPS_NSINGLES);
	struct vm_page *m;

	VM_OBJECT_WLOCK(so->so_object);
	m = so->so_pages[i];
	if (m != NULL) {
		pmap_remove_all(sps->pu.pu_ma, m);
		vm_object_free_page(so->so_object, m);
	}
	m = vm_page_alloc(vp, curthread()->td_domain, 0);
	if (m != NULL)
		vm_page_insert(m, so->so_object, i);
	so->so_pages[i] = m;
	VM_OBJECT_WUNLOCK(so->so_object);
}

void
sps_unload(struct sps_thread *st)
{
	pmap_deactivate(st->st_sps->pu.pu_ma, st->st_cpu);
	st->st_loaded = NULL;
}

void
sps_use(struct sps_thread *st)
{
	struct sps *sps = st->st_sps;
	struct pmap *pmap;
	vm_offset_t va;

	if (sps_odds(st, 3)) {
		pmap = sps_some_pmap(st);
		if (pmap == NULL) {
			sps_unload(st);
		} else {
			pmap_activate(pmap, st->st_cpu);
			st->st_loaded = pmap;
		}
	}
	for (uint64_t n = 1 + sps_below(st, 24); n > 0; n--) {
		va = sps_slot(sps_below(st, SPS_NSLOTS)) +
		    sps_below(st, SPS_RUN) * PAGE_SIZE;
		if (sps_odds(st, 4)) {
			/* Relaxed: a hint. */
			va = sps_slot(0) +
			    (vm_offset_t)atomic_load_explicit(
				&sps->look_at, memory_order_relaxed) *
				PAGE_SIZE;
		}
		if (sps_odds(st, 8))
			va = sps_slot(SPS_NSLOTS) +
			    sps_below(st, SPS_NSINGLES) * PAGE_SIZE;
		use_one(st, va, sps_odds(st, 2) ? W : R);
	}
}
