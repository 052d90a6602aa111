/* SPDX-License-Identifier: BSD-2-Clause */

/* The operations on addresses.  See superpage_storm.h. */

#include "superpage_storm.h"

#define R VM_PROT_READ
#define W VM_PROT_WRITE
#define X VM_PROT_EXECUTE

/* Most runs are mapped in one slot: else nothing would fit together. */
static unsigned
some_run(struct sps_thread *st, unsigned slot)
{
	return (sps_odds(st, 8) ? (unsigned)sps_below(st, SPS_NRUNS) : slot);
}

static vm_prot_t
some_prot(struct sps_thread *st)
{
	static const vm_prot_t prots[] = { R, R | X, R | W, R | W };

	return (prots[sps_below(st, 4)]);
}

/* One page of a run in a slot; with psind 1 the run. */
static void
enter_one(struct sps_thread *st, struct pmap *pmap, unsigned run, unsigned slot,
    unsigned i, vm_prot_t prot, uint32_t flags, int psind)
{
	struct sps_object *so = &st->st_sps->runs[run / 2];
	vm_offset_t va = sps_slot(slot) + (vm_offset_t)i * PAGE_SIZE;
	struct vm_page *m = st->st_sps->run[run] + i;
	enum sps_shortage shortage = st->st_sps->config->sc_shortage;

	if ((shortage == SPS_LIMIT || shortage == SPS_WAIT) &&
	    sps_odds(st, 4) && sps_busy_shared(so)) {
		(void)pmap_enter(pmap, va, m, prot, flags, psind);
		sps_busy_drop(so);
		return;
	}
	VM_OBJECT_RLOCK(so->so_object);
	(void)pmap_enter(pmap, va, m, prot, flags | PMAP_ENTER_NOSLEEP, psind);
	VM_OBJECT_RUNLOCK(so->so_object);
}

/* All pages that are left, as a process comes to use them. */
static void
fill(struct sps_thread *st, struct pmap *pmap, unsigned run, unsigned slot)
{
	vm_prot_t prot = some_prot(st);
	uint32_t access = (prot & W) != 0 && !sps_odds(st, 4) ? W : R;
	unsigned first = (unsigned)sps_below(st, SPS_RUN);

	for (unsigned i = 0; i < SPS_RUN; i++)
		enter_one(st, pmap, run, slot, (first + i) % SPS_RUN, prot,
		    access, 0);
}

static void
enter_object(
    struct sps_thread *st, struct pmap *pmap, unsigned run, unsigned slot)
{
	struct sps_object *so = &st->st_sps->runs[run / 2];
	unsigned n = SPS_RUN, i = 0;

	/* Two runs at once, the second in the slot behind. */
	if (run % 2 == 0 && sps_odds(st, 2))
		n = 2 * SPS_RUN;
	if (sps_odds(st, 4)) {
		i = (unsigned)sps_below(st, n);
		n -= i;
	}
	VM_OBJECT_RLOCK(so->so_object);
	pmap_enter_object(pmap, sps_slot(slot) + (vm_offset_t)i * PAGE_SIZE,
	    sps_slot(slot) + (vm_offset_t)(i + n) * PAGE_SIZE,
	    so->so_pages[run % 2 * SPS_RUN + i], sps_odds(st, 2) ? R : R | X);
	VM_OBJECT_RUNLOCK(so->so_object);
}

/* A single page; sometimes in the midst of a run, as a copy on write. */
static void
enter_single(struct sps_thread *st, struct pmap *pmap)
{
	struct sps_object *so = &st->st_sps->singles;
	unsigned i = (unsigned)sps_below(st, SPS_NSINGLES);
	vm_offset_t va;

	va = sps_odds(st, 4) ? sps_slot(sps_below(st, SPS_NSLOTS))
			     : sps_slot(SPS_NSLOTS);
	va += (vm_offset_t)i * PAGE_SIZE;
	VM_OBJECT_RLOCK(so->so_object);
	if (so->so_pages[i] != NULL) {
		if (sps_odds(st, 3))
			pmap_enter_quick(pmap, va, so->so_pages[i], R);
		else
			(void)pmap_enter(pmap, va, so->so_pages[i], R | W,
			    W | PMAP_ENTER_NOSLEEP, 0);
	}
	VM_OBJECT_RUNLOCK(so->so_object);
}

void
sps_enter(struct sps_thread *st)
{
	unsigned slot = (unsigned)sps_below(st, SPS_NSLOTS);
	unsigned run = some_run(st, slot);
	struct pmap *pmap = sps_some_pmap(st);
	struct sps_object *so = &st->st_sps->runs[run / 2];
	unsigned i = (unsigned)sps_below(st, SPS_RUN);
	vm_prot_t prot = some_prot(st);

	if (pmap == NULL)
		return;
	switch (sps_below(st, 16)) {
	case 0:
	case 1:
		fill(st, pmap, run, slot);
		break;
	case 2:
	case 3:
	case 4:
		/* A writable superpage is written to. */
		enter_one(
		    st, pmap, run, slot, 0, prot, (prot & W) != 0 ? W : R, 1);
		break;
	case 5:
	case 6:
		enter_object(st, pmap, run, slot);
		break;
	case 7:
		VM_OBJECT_RLOCK(so->so_object);
		pmap_enter_quick(pmap, sps_slot(slot) + i * PAGE_SIZE,
		    st->st_sps->run[run] + i, R);
		VM_OBJECT_RUNLOCK(so->so_object);
		break;
	case 8:
	case 9:
	case 10:
		enter_single(st, pmap);
		break;
	default:
		enter_one(st, pmap, run, slot, i, prot,
		    sps_odds(st, 2) ? prot : R, 0);
		break;
	}
}

/* A range: all of some slots, or a part. */
static vm_offset_t
some_range(struct sps_thread *st, vm_offset_t *endp)
{
	unsigned slot = (unsigned)sps_below(st, SPS_NSLOTS + 1);
	vm_offset_t end, va = sps_slot(slot);

	if (sps_odds(st, 3)) {
		*endp = va + NBPDR;
		return (va);
	}
	va += sps_below(st, SPS_RUN) * PAGE_SIZE;
	end = va + (1 + sps_below(st, sps_odds(st, 4) ? 1024 : 32)) * PAGE_SIZE;
	*endp = end;
	return (va);
}

static void
fork_own(struct sps_thread *st)
{
	struct sps *sps = st->st_sps;
	struct pmap *dst = sps->own[st->st_i];
	struct pmap *src = sps->shared[sps_below(st, SPS_NSHARED)];
	vm_offset_t va = sps_slot(0), len = SPS_NSLOTS * NBPDR;

	if (dst == NULL || sps_odds(st, 4)) {
		dst = sps->shared[sps_below(st, SPS_NSHARED)];
		va += sps_below(st, SPS_RUN) * PAGE_SIZE;
		len -= NBPDR;
	}
	/* The parent's pages are written by neither from now on. */
	if (sps_odds(st, 2))
		pmap_protect(src, va, va + len, R | X);
	pmap_copy(dst, src, va, len, va);
}

static void
look(struct sps_thread *st, struct pmap *pmap, vm_offset_t va)
{
	struct vm_page *m;
	vm_paddr_t pa;

	/* A single page may be freed: then it must not be held. */
	if (va < sps_slot(SPS_NSLOTS) && pmap == st->st_sps->own[st->st_i]) {
		VM_OBJECT_RLOCK(st->st_sps->singles.so_object);
		m = pmap_extract_and_hold(pmap, va, R);
		if (m != NULL)
			vm_page_unhold(m);
		VM_OBJECT_RUNLOCK(st->st_sps->singles.so_object);
	}
	(void)pmap_extract(pmap, va);
	(void)pmap_mincore(pmap, va, &pa);
	(void)pmap_is_prefaultable(pmap, va);
}

void
sps_change(struct sps_thread *st)
{
	struct pmap *pmap = sps_some_pmap(st);
	vm_offset_t end, va = some_range(st, &end);

	if (pmap == NULL)
		return;
	switch (sps_below(st, 8)) {
	case 0:
	case 1:
		pmap_remove(pmap, va, end);
		break;
	case 2:
		pmap_protect(pmap, va, end, sps_odds(st, 2) ? R : R | X);
		break;
	case 3:
		pmap_protect(pmap, va, end, R | W);
		break;
	case 4:
	case 5:
		pmap_advise(pmap, va, end,
		    sps_odds(st, 2) ? PMAP_ADVISE_DONTNEED : PMAP_ADVISE_FREE);
		break;
	case 6:
		fork_own(st);
		break;
	default:
		look(st, pmap, va);
		break;
	}
}

/*
 * mlock(2) and munlock(2), in two steps, of a run in the thread's own address
 * space.  In between it is used and its pages are looked at by others.
 */
void
sps_wire(struct sps_thread *st)
{
	struct pmap *own = st->st_sps->own[st->st_i];
	unsigned slot = (unsigned)sps_below(st, SPS_NSLOTS);
	unsigned part = (unsigned)sps_below(st, SPS_RUN);
	vm_offset_t va = sps_slot(slot);
	vm_prot_t prot = some_prot(st);

	if (own == NULL)
		return;
	pmap_remove(own, va, va + NBPDR);
	/* What main repaired: others save no table, and need one to split it. */
	if (machine_design(own->pm_machine)->d_pmap == PMAP_MAIN &&
	    sps_odds(st, 2)) {
		enter_one(st, own, slot, slot, 0, prot,
		    ((prot & W) != 0 ? W : R) | PMAP_ENTER_WIRED, 1);
	} else {
		for (unsigned i = 0; i < SPS_RUN; i++)
			enter_one(st, own, slot, slot, i, prot,
			    ((prot & W) != 0 ? W : R) | PMAP_ENTER_WIRED, 0);
	}
	for (unsigned n = (unsigned)sps_below(st, 4); n > 0; n--) {
		if (sps_odds(st, 2))
			sps_page(st);
		else
			sps_use(st);
	}
	if (sps_odds(st, 2))
		pmap_protect(own, va, va + part * PAGE_SIZE, R | X);
	if (sps_odds(st, 4))
		pmap_advise(own, va, va + NBPDR, PMAP_ADVISE_DONTNEED);
	if (sps_odds(st, 4))
		return; /* wired until it is removed, or the process ends */
	if (part != 0)
		pmap_unwire(own, va, va + part * PAGE_SIZE);
	pmap_unwire(own, va + part * PAGE_SIZE, va + NBPDR);
}

/* The process ends, and another begins if there is memory for it. */
void
sps_exit(struct sps_thread *st)
{
	struct sps *sps = st->st_sps;
	struct pmap *own = sps->own[st->st_i];

	if (own != NULL) {
		if (st->st_loaded == own)
			sps_unload(st);
		if (!sps_odds(st, 4))
			pmap_remove_pages(own);
		pmap_remove(own, 0, VM_MAXUSER_ADDRESS);
		pmap_release(own);
		pmap_free(own);
		sps->own[st->st_i] = NULL;
	}
	own = pmap_alloc(sps->pu.pu_ma);
	if (own == NULL) {
		sps_wrong(sps, "no pmap");
	} else if (pmap_pinit(own) != KERN_SUCCESS) {
		if (sps->config->sc_shortage < SPS_FEW)
			sps_wrong(sps, "no root page");
		pmap_free(own);
	} else {
		sps->own[st->st_i] = own;
	}
}
