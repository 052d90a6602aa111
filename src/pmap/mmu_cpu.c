/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An access by a simulated CPU, and what it remembers.
 *
 * An access looks into the TLB.  An entry answers if it allows the access, and,
 * for a write, has modified set; otherwise it is dropped and the CPU walks, from
 * the page table that the paging-structure cache has, or from the root.  The walk
 * sets the bits of the leaf and the translation is remembered.
 *
 * tlb=adversarial forgets nothing while it may keep it and fetches ahead: at each
 * access it may walk for another address near by, as speculation does, which sets
 * accessed there.
 *
 * Frame epochs.  The machine has a clock that counts frees of frames.  A frame
 * that is freed gets its time as epoch; an entry gets the time at which it was
 * filled, after the walk.  A frame whose epoch is later than the entry through
 * which it is reached was freed since: a stale translation was used.  The same
 * goes for page tables that the paging-structure cache remembers.  The clock has
 * 32 bits and is compared by difference.
 */

#include <errno.h>
#include <string.h>

#include "pmap/mmu.h"
#include "pmap/mmu_walk.h"

/* Assumed: one in so many accesses fetches something else, too. */
#define PREFETCH_ODDS 4
/* It is this near, in bytes. */
#define PREFETCH_SPAN (UINT64_C(4) << 20)

static uint32_t
mmu_clock(const struct mmu *mu)
{
	/*
	 * Relaxed: after the walk, whose load of the leaf is an acquire; the
	 * leaf was written after the frame was allocated, so after the free
	 * before that.
	 */
	return (atomic_load_explicit(&mu->mu_clock, memory_order_relaxed));
}

static void
record(struct mmu *mu, const struct mmu_violation *mv)
{
	uint64_t n;

	/* Relaxed: a slot of one's own. */
	n = atomic_fetch_add_explicit(
	    &mu->mu_violations, 1, memory_order_relaxed);
	if (n < MMU_NREPORTS)
		mu->mu_reports[n] = *mv;
}

/* Record it if the frame at pa was freed after stamp. */
static void
epoch_check(struct machine *ma, const struct mmu_cpu *mc, vm_offset_t va,
    vm_paddr_t pa, uint32_t stamp, bool table, bool write)
{
	const struct vm_page *m = PHYS_TO_VM_PAGE(ma->ma_vp, pa);

	/* Acquire: pairs with retire(), which stores it. */
	if (m == NULL ||
	    (int32_t)(atomic_load_explicit(&m->epoch, memory_order_acquire) -
		stamp) <= 0)
		return;
	record(ma->ma_mmu,
	    &(struct mmu_violation){
		.mv_va = va,
		.mv_pa = pa,
		.mv_cpu = mc->mc_id,
		.mv_table = table,
		.mv_write = write,
	    });
}

static vm_paddr_t
entry_pa(const struct mmu_entry *me, vm_offset_t va)
{
	if (me->me_kind == MMU_2M)
		return ((me->me_pte & PG_PS_FRAME) | (va & PDRMASK));
	return ((me->me_pte & PG_FRAME) | (va & PAGE_MASK));
}

/* An entry that answers for the access, or NULL. */
static struct mmu_entry *
tlb_hit(struct mmu_cpu *mc, vm_offset_t va, vm_prot_t access)
{
	static const enum mmu_kind kinds[] = { MMU_4K, MMU_2M };
	struct mmu_entry *me;

	for (unsigned i = 0; i < 2; i++) {
		me = mmu_lookup(mc, va, kinds[i]);
		if (me == NULL)
			continue;
		if (mmu_allows(me->me_pte, access) &&
		    ((access & VM_PROT_WRITE) == 0 || (me->me_pte & PG_M) != 0))
			return (me);
		/* Hardware walks again before it writes, or faults. */
		me->me_kind = MMU_EMPTY;
	}
	return (NULL);
}

/* Walk and remember. */
static enum mmu_result
walk_and_fill(struct machine *ma, struct mmu_cpu *mc, vm_offset_t va,
    vm_prot_t access, struct mmu_leaf *ml)
{
	struct pmap *pmap = mmu_current(mc);
	struct mmu_entry *me;
	enum mmu_result rv = MMU_NOTPRESENT;
	uint32_t stamp;

	if (va >= VM_MAXUSER_ADDRESS)
		return (MMU_NOTPRESENT);
	me = mmu_lookup(mc, va, MMU_TABLE);
	if (me != NULL) {
		epoch_check(ma, mc, va, me->me_pte, me->me_stamp, true, false);
		rv = mmu_walk(pmap, va, access, me->me_pte, ml);
	}
	if (rv != MMU_OK) {
		/* No fault because of a cache: from the root. */
		rv = mmu_walk(pmap, va, access, 0, ml);
		if (rv != MMU_OK)
			return (rv);
	}
	stamp = mmu_clock(ma->ma_mmu);
	if (!ml->ml_large)
		mmu_fill(mc, va, MMU_TABLE, ml->ml_table, stamp);
	mmu_fill(mc, va, ml->ml_large ? MMU_2M : MMU_4K, ml->ml_entry, stamp);
	if (ma->ma_mmu->mu_erratum383 && mmu_mixed(mc, va))
		record(ma->ma_mmu,
		    &(struct mmu_violation){
			.mv_va = va,
			.mv_pa = ml->ml_entry & PG_FRAME,
			.mv_cpu = mc->mc_id,
			.mv_mixed = true,
		    });
	return (MMU_OK);
}

static void
prefetch(struct machine *ma, struct mmu_cpu *mc, vm_offset_t va)
{
	uint64_t r = mmu_random(mc);
	struct mmu_leaf ml;

	if (r % PREFETCH_ODDS != 0)
		return;
	va &= ~(PREFETCH_SPAN - 1);
	va += (r >> 8) % (PREFETCH_SPAN / PAGE_SIZE) * PAGE_SIZE;
	if (tlb_hit(mc, va, VM_PROT_READ) == NULL &&
	    walk_and_fill(ma, mc, va, VM_PROT_READ, &ml) == MMU_OK)
		mc->mc_stats.ms_prefetches++;
}

static enum mmu_result
access_locked(struct machine *ma, struct mmu_cpu *mc, vm_offset_t va,
    vm_prot_t access, vm_paddr_t *pap)
{
	bool write = (access & VM_PROT_WRITE) != 0;
	struct mmu_entry *me;
	enum mmu_result rv;
	struct mmu_leaf ml;

	if (mmu_current(mc) == NULL)
		return (MMU_NOTPRESENT);
	mc->mc_stats.ms_accesses++;
	me = tlb_hit(mc, va, access);
	if (me != NULL) {
		mc->mc_stats.ms_hits++;
	} else {
		mc->mc_stats.ms_walks++;
		rv = walk_and_fill(ma, mc, va, access, &ml);
		if (rv != MMU_OK)
			return (rv);
		me = mmu_lookup(mc, va, ml.ml_large ? MMU_2M : MMU_4K);
	}
	*pap = entry_pa(me, va);
	epoch_check(ma, mc, va, *pap, me->me_stamp, false, write);
	if (ma->ma_mmu->mu_adversarial)
		prefetch(ma, mc, va);
	return (MMU_OK);
}

/*
 * Without TLBs: under the lock of the pmap, which is still loaded then.  So who
 * unloads and releases it meanwhile has to wait.
 */
static enum mmu_result
access_without_tlb(struct machine *ma, const struct mmu_cpu *mc, vm_offset_t va,
    vm_prot_t access, vm_paddr_t *pap)
{
	PMAP_OPERATION(ma);
	enum mmu_result rv = MMU_NOTPRESENT;
	struct pmap *pmap;
	bool loaded = false;

	while (!loaded && (pmap = mmu_current(mc)) != NULL) {
		PMAP_LOCK(pmap);
		loaded = mmu_current(mc) == pmap;
		if (loaded)
			rv = mmu_touch_locked(pmap, va, access, pap);
		PMAP_UNLOCK(pmap);
	}
	return (rv);
}

enum mmu_result
mmu_access(struct machine *ma, unsigned cpu, vm_offset_t va, vm_prot_t access,
    vm_paddr_t *pap)
{
	struct mmu *mu = ma->ma_mmu;
	struct mmu_cpu *mc = &mu->mu_cpus[cpu];
	enum mmu_result rv;
	vm_paddr_t pa = 0;

	KASSERT(cpu < mu->mu_ncpus, ("no CPU %u", cpu));
	if (!mu->mu_tlbs) {
		rv = access_without_tlb(ma, mc, va, access, &pa);
	} else {
		mmu_cpu_lock(mc);
		mmu_serve(mu, mc);
		rv = access_locked(ma, mc, va, access, &pa);
		mmu_cpu_unlock(mc);
	}
	if (pap != NULL)
		*pap = pa;
	return (rv);
}

void
mmu_poll(struct machine *ma, unsigned cpu)
{
	struct mmu_cpu *mc = &ma->ma_mmu->mu_cpus[cpu];

	mmu_cpu_lock(mc);
	mmu_serve(ma->ma_mmu, mc);
	mmu_cpu_unlock(mc);
}

void
mmu_seed(struct machine *ma, uint64_t seed)
{
	struct mmu *mu = ma->ma_mmu;
	struct mmu_cpu *mc;

	for (unsigned c = 0; c < mu->mu_ncpus; c++) {
		mc = &mu->mu_cpus[c];
		mmu_cpu_lock(mc);
		/* Never 0, of which nothing else would follow. */
		mc->mc_rng = ((seed + 1) * UINT64_C(0x9e3779b97f4a7c15) ^
				 ((uint64_t)c << 32)) |
		    1;
		mmu_cpu_unlock(mc);
	}
}

void
mmu_stats(struct machine *ma, struct mmu_stats *ms)
{
	struct mmu *mu = ma->ma_mmu;
	const uint64_t *from;
	uint64_t *to = (uint64_t *)(void *)ms;

	memset(ms, 0, sizeof(*ms));
	for (unsigned c = 0; c < mu->mu_ncpus; c++) {
		mmu_cpu_lock(&mu->mu_cpus[c]);
		from = (const uint64_t *)(const void *)&mu->mu_cpus[c].mc_stats;
		for (size_t i = 0; i < sizeof(*ms) / sizeof(*to); i++)
			to[i] += from[i];
		mmu_cpu_unlock(&mu->mu_cpus[c]);
	}
}

uint64_t
mmu_violations(struct machine *ma, struct mmu_violation *mv, size_t n)
{
	const struct mmu *mu = ma->ma_mmu;
	/* Relaxed: for who looks at rest. */
	uint64_t total =
	    atomic_load_explicit(&mu->mu_violations, memory_order_relaxed);

	for (size_t i = 0; i < n && i < total && i < MMU_NREPORTS; i++)
		mv[i] = mu->mu_reports[i];
	return (total);
}
