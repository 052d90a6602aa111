/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The TLB of a simulated CPU, as a table: look up, fill, flush.
 *
 * There are two tables: translations of 4 KB and 2 MB, and page tables by the 2 MB
 * they serve (the paging-structure cache, from which a walk starts further down).
 * Each is set-associative; direct-mapped is one way.  Where a set is full a victim
 * is drawn.  The adversarial TLB has so many ways that this hardly happens.
 *
 * An entry belongs to a PCID.  INVLPG takes the address's translations of the
 * current PCID, of both sizes, and all page tables of it.  4 KB and 2 MB entries
 * for the same address may be there at once, as on hardware but for erratum 383; the
 * smaller is found first, as it is likelier to be the older.
 *
 * Source: AMD64 Architecture Programmer's Manual, volume 2, 5.5.
 */

#include "pmap/mmu.h"

static vm_offset_t
kind_mask(enum mmu_kind kind)
{
	return (kind == MMU_4K ? PAGE_MASK : PDRMASK);
}

static struct mmu_entry *
set_of(const struct mmu_table *mt, vm_offset_t va, enum mmu_kind kind)
{
	uint64_t page = va >> (kind == MMU_4K ? PAGE_SHIFT : PDRSHIFT);

	return (&mt->mt_entries[(page & (mt->mt_nsets - 1)) * mt->mt_nways]);
}

static struct mmu_table *
table_of(struct mmu_cpu *mc, enum mmu_kind kind)
{
	return (kind == MMU_TABLE ? &mc->mc_psc : &mc->mc_tlb);
}

/* A step of xorshift64*. */
uint64_t
mmu_random(struct mmu_cpu *mc)
{
	uint64_t x = mc->mc_rng;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	mc->mc_rng = x;
	return (x * UINT64_C(2685821657736338717));
}

struct mmu_entry *
mmu_lookup(struct mmu_cpu *mc, vm_offset_t va, enum mmu_kind kind)
{
	struct mmu_table *mt = table_of(mc, kind);
	struct mmu_entry *set = set_of(mt, va, kind);

	va &= ~kind_mask(kind);
	for (uint32_t i = 0; i < mt->mt_nways; i++) {
		if (set[i].me_kind == kind && set[i].me_va == va &&
		    set[i].me_pcid == mc->mc_pcid)
			return (&set[i]);
	}
	return (NULL);
}

void
mmu_fill(struct mmu_cpu *mc, vm_offset_t va, enum mmu_kind kind, pt_entry_t pte,
    uint32_t stamp)
{
	struct mmu_table *mt = table_of(mc, kind);
	struct mmu_entry *me = mmu_lookup(mc, va, kind), *set;

	set = set_of(mt, va, kind);
	for (uint32_t i = 0; me == NULL && i < mt->mt_nways; i++) {
		if (set[i].me_kind == MMU_EMPTY)
			me = &set[i];
	}
	if (me == NULL)
		me = &set[mmu_random(mc) % mt->mt_nways];
	*me = (struct mmu_entry){
		.me_va = va & ~kind_mask(kind),
		.me_pte = pte,
		.me_pmap = mmu_current(mc),
		.me_pcid = mc->mc_pcid,
		.me_stamp = stamp,
		.me_kind = kind,
	};
}

static void
kill_entry(struct mmu_cpu *mc, struct mmu_entry *me)
{
	me->me_kind = MMU_EMPTY;
	mc->mc_stats.ms_killed++;
}

/* Entries of the current PCID that overlap [sva, eva]. */
static void
kill_range(
    struct mmu_cpu *mc, struct mmu_table *mt, vm_offset_t sva, vm_offset_t last)
{
	struct mmu_entry *me;
	uint32_t n = mt->mt_nsets * mt->mt_nways;

	for (me = mt->mt_entries; me < mt->mt_entries + n; me++) {
		if (me->me_kind != MMU_EMPTY && me->me_pcid == mc->mc_pcid &&
		    me->me_va <= last &&
		    sva <= (me->me_va | kind_mask(me->me_kind)))
			kill_entry(mc, me);
	}
}

bool
mmu_mixed(struct mmu_cpu *mc, vm_offset_t va)
{
	const struct mmu_table *mt = &mc->mc_tlb;
	const struct mmu_entry *me = mt->mt_entries;
	uint32_t n = mt->mt_nsets * mt->mt_nways;

	if (mmu_lookup(mc, va, MMU_2M) == NULL)
		return (false);
	for (; n > 0; n--, me++) {
		if (me->me_kind == MMU_4K && me->me_pcid == mc->mc_pcid &&
		    ((me->me_va ^ va) & ~PDRMASK) == 0)
			return (true);
	}
	return (false);
}

void
mmu_flush_page(struct mmu_cpu *mc, vm_offset_t va)
{
	struct mmu_entry *me;

	me = mmu_lookup(mc, va, MMU_4K);
	if (me != NULL)
		kill_entry(mc, me);
	me = mmu_lookup(mc, va, MMU_2M);
	if (me != NULL)
		kill_entry(mc, me);
	kill_range(mc, &mc->mc_psc, 0, UINT64_MAX);
}

void
mmu_flush_range(struct mmu_cpu *mc, vm_offset_t sva, vm_offset_t eva)
{
	if (sva == eva)
		return;
	kill_range(mc, &mc->mc_tlb, sva, eva - 1);
	kill_range(mc, &mc->mc_psc, 0, UINT64_MAX);
}

void
mmu_flush_all(struct mmu_cpu *mc)
{
	kill_range(mc, &mc->mc_tlb, 0, UINT64_MAX);
	kill_range(mc, &mc->mc_psc, 0, UINT64_MAX);
}
