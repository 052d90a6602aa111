/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The checker is tested: every invariant that pmap_check.c knows is broken on
 * purpose, exactly its number must be reported, and the repair must be seen.
 * Where a state cannot be wrong in one way only, the other number is listed.
 */

#include <ctype.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pmap_util.h"

#define VA  UINT64_C(0x7f0012345000)
#define VA1 (VA + 4096)
#define VA2 (VA + 8192)

static const char map_lines[] = "0-98000 usable 0\n"
				"100000-4000000 usable 0\n"
				"4000000-8000000 usable 1\n";

/*
 * What the cases break: VA of p and q maps m0, written; VA1 of p maps m1, read
 * only; VA2 of p maps u, unmanaged and writable.
 */
static struct pu pu;
static struct pmap *p, *q, *extra;
static struct vm_page *m0, *m1, *u, *extra_page;
static pt_entry_t saved;
static struct pv_entry *saved_pv;
static void *saved_ptr;

static void
begin(const char *design, bool profile)
{
	struct machine_config mc = {
		.mc_design = design,
		.mc_ncpus = 2,
		.mc_profile = profile,
	};
	const vm_prot_t rw = VM_PROT_READ | VM_PROT_WRITE;

	pu_setup_config(&pu, map_lines, &mc);
	p = pu_pmap(&pu);
	q = pu_pmap(&pu);
	m0 = pu_page(&pu);
	m1 = pu_page(&pu);
	u = pu_page(&pu);
	u->oflags |= VPO_UNMANAGED;
	assert_int_equal(
	    pmap_enter(p, VA, m0, rw, VM_PROT_WRITE, 0), KERN_SUCCESS);
	assert_int_equal(pmap_enter(p, VA1, m1, VM_PROT_READ, 0, 0), 0);
	assert_int_equal(pmap_enter(p, VA2, u, rw, 0, 0), 0);
	assert_int_equal(
	    pmap_enter(q, VA, m0, rw, VM_PROT_WRITE, 0), KERN_SUCCESS);
	pu_check(&pu);
}

static void
end(void)
{
	pmap_remove(p, 0, VM_MAXUSER_ADDRESS);
	pmap_remove(q, 0, VM_MAXUSER_ADDRESS);
	pu_pmap_free(p);
	pu_pmap_free(q);
	pu_page_free(&pu, m0);
	pu_page_free(&pu, m1);
	pu_page_free(&pu, u);
	pu_teardown(&pu);
}

static struct pv_chunk *
chunk(struct pmap *pmap)
{
	return (TAILQ_FIRST(&pmap->pm_pvchunk));
}

static void
counter(enum counter c, uint64_t n)
{
	counter_add(&curthread()->td_counters, c, n);
}

/* Change bits of an entry; undone by restore_pte(). */
static void
set_pte(vm_offset_t va, pt_entry_t pte)
{
	saved = pu_leaf(p, va);
	pte_store(pu_pte(p, va), pte);
}

static void
set_refs(struct vm_page *m, uint32_t n)
{
	/* Relaxed: quiescent. */
	atomic_store_explicit(&m->ref_count, n, memory_order_relaxed);
}

static struct vm_page *
page_table(void)
{
	return (
	    PHYS_TO_VM_PAGE(p->pm_vp, pte_load(pmap_pde(p, VA)) & PG_FRAME));
}

static struct vm_page *
chunk_page(void)
{
	return (PHYS_TO_VM_PAGE(
	    p->pm_vp, (vm_paddr_t)((char *)chunk(p) - p->pm_vp->vp_dmap)));
}

/*
 * Put a free entry of p's chunk on m1's list in place of the one in use, which
 * is then in use for nothing: it can be spoilt without a leaf missing it.
 */
static struct pv_entry *
substitute(void)
{
	struct pv_entry *free = &chunk(p)->pc_pventry[160];

	saved_pv = m1->md.pv_list.pvl_first;
	pv_list_remove(&m1->md.pv_list, saved_pv);
	free->pv_va = VA1;
	pv_list_insert_tail(&m1->md.pv_list, free);
	return (saved_pv);
}

static void
unsubstitute(void)
{
	pv_list_remove(&m1->md.pv_list, m1->md.pv_list.pvl_first);
	saved_pv->pv_va = VA1;
	pv_list_insert_tail(&m1->md.pv_list, saved_pv);
}

static void
break_1(void)
{
	/* Two for the leaf at VA, none for that at VA1. */
	saved_pv = m1->md.pv_list.pvl_first;
	pv_list_remove(&m1->md.pv_list, saved_pv);
	saved_pv->pv_va = VA;
	pv_list_insert_tail(&m0->md.pv_list, saved_pv);
}

static void
repair_1(void)
{
	pv_list_remove(&m0->md.pv_list, saved_pv);
	saved_pv->pv_va = VA1;
	pv_list_insert_tail(&m1->md.pv_list, saved_pv);
}

static void
break_3(void)
{
	substitute()->pv_va = 0x5000;
}

static void
break_4(void)
{
	m1->oflags |= VPO_UNMANAGED;
}

static void
repair_4(void)
{
	m1->oflags = 0;
}

static void
break_5_aligned(void)
{
	substitute()->pv_va = VA1 + 8;
}

static void
break_5_user(void)
{
	substitute()->pv_va = VM_MAXUSER_ADDRESS;
}

static struct md_page *
dummy_list(void)
{
	struct pv_table *pvt = pu.pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, UINT64_MAX, NULL, &ph);
	return (ph.ph_md);
}

static void
break_6(void)
{
	dummy_list()->pv_list.pvl_first = m0->md.pv_list.pvl_first;
}

static void
repair_6(void)
{
	dummy_list()->pv_list.pvl_first = NULL;
}

static void
break_7_unlisted(void)
{
	(void)substitute();
}

static void
break_7_tail(void)
{
	chunk(p)->pc_map[2] |= UINT64_C(1) << 40;
}

static void
repair_7_tail(void)
{
	chunk(p)->pc_map[2] &= PC_FREE2;
}

static void
break_7_links(void)
{
	/* A third entry on m0's list, behind those of the leaves. */
	saved_pv = &chunk(p)->pc_pventry[160];
	saved_pv->pv_va = 0x5000;
	pv_list_insert_tail(&m0->md.pv_list, saved_pv);
	saved_pv->pv_prevp = &saved_pv->pv_next;
}

static void
repair_7_links(void)
{
	struct pv_entry *second = m0->md.pv_list.pvl_first->pv_next;

	saved_pv->pv_prevp = &second->pv_next;
	pv_list_remove(&m0->md.pv_list, saved_pv);
}

static void
break_8_lru(void)
{
	TAILQ_REMOVE(&pu.pu_ma->ma_chunks[0]->pvc_list, chunk(p), pc_lru);
}

static void
repair_8_lru(void)
{
	TAILQ_INSERT_HEAD(&pu.pu_ma->ma_chunks[0]->pvc_list, chunk(p), pc_lru);
}

static void
break_8_domain(void)
{
	break_8_lru();
	TAILQ_INSERT_HEAD(&pu.pu_ma->ma_chunks[1]->pvc_list, chunk(p), pc_lru);
}

static void
repair_8_domain(void)
{
	TAILQ_REMOVE(&pu.pu_ma->ma_chunks[1]->pvc_list, chunk(p), pc_lru);
	repair_8_lru();
}

/* Its entries then belong to q: no leaf of p has one. */
static void
break_8_owner(void)
{
	chunk(p)->pc_pmap = q;
}

static void
repair_8_owner(void)
{
	chunk(p)->pc_pmap = p;
}

static void
break_9_free(void)
{
	PMAP_LOCK(p);
	assert_true(reserve_pv_entries(p, _NPCPV, NULL));
	PMAP_UNLOCK(p);
}

static void
repair_9_free(void)
{
	struct pv_chunk *pc = chunk(p);

	TAILQ_REMOVE(&p->pm_pvchunk, pc, pc_list);
	free_pv_chunk(pu.pu_ma, pc);
}

static void
swap_chunks(void)
{
	struct pv_chunk *pc = chunk(q);

	TAILQ_REMOVE(&q->pm_pvchunk, pc, pc_list);
	TAILQ_INSERT_TAIL(&q->pm_pvchunk, pc, pc_list);
}

static void
break_9_order(void)
{
	/* A full chunk and one with a single entry, in the wrong order. */
	for (vm_offset_t i = 0; i < _NPCPV; i++)
		pmap_enter_quick(q, VA1 + i * 4096, m1, VM_PROT_READ);
	pu_check(&pu);
	swap_chunks();
}

static void
repair_9_order(void)
{
	swap_chunks();
}

static void
break_10_active(void)
{
	pu.pu_ma->ma_chunks[1]->pvc_active_reclaims++;
}

static void
repair_10_active(void)
{
	pu.pu_ma->ma_chunks[1]->pvc_active_reclaims--;
}

static struct pv_chunk marker;

static void
break_10_marker(void)
{
	TAILQ_INSERT_TAIL(&pu.pu_ma->ma_chunks[1]->pvc_list, &marker, pc_lru);
}

static void
repair_10_marker(void)
{
	TAILQ_REMOVE(&pu.pu_ma->ma_chunks[1]->pvc_list, &marker, pc_lru);
}

static void
break_11_entries(void)
{
	counter(CTR_PV_ENTRY_ALLOCS, 1);
}

static void
repair_11_entries(void)
{
	counter(CTR_PV_ENTRY_FREES, 1);
}

static void
break_11_chunks(void)
{
	counter(CTR_PC_CHUNK_FREES, 1);
}

static void
repair_11_chunks(void)
{
	counter(CTR_PC_CHUNK_ALLOCS, 1);
}

/* An entry in use, sound, and on a list, for a leaf that has one already. */
static void
break_11_leaves(void)
{
	PMAP_LOCK(p);
	saved_pv = get_pv_entry(p, NULL);
	PMAP_UNLOCK(p);
	saved_pv->pv_va = VA1;
	pv_list_insert_tail(&m1->md.pv_list, saved_pv);
}

static void
repair_11_leaves(void)
{
	pv_list_remove(&m1->md.pv_list, saved_pv);
	PMAP_LOCK(p);
	free_pv_entry(p, saved_pv);
	PMAP_UNLOCK(p);
}

static void
break_12(void)
{
	set_refs(chunk_page(), 2);
}

static void
repair_12(void)
{
	set_refs(chunk_page(), 1);
}

static void
break_13(void)
{
	pmap_resident_add(p, 1);
}

static void
repair_13(void)
{
	pmap_resident_add(p, -1);
}

static void
break_14(void)
{
	p->pm_stats.wired_count++;
}

static void
repair_14(void)
{
	p->pm_stats.wired_count--;
}

static void
break_15_refs(void)
{
	ptp_ref_add(page_table(), 1);
}

static void
repair_15_refs(void)
{
	ptp_ref_add(page_table(), UINT32_MAX);
}

static void
break_15_pindex(void)
{
	page_table()->pindex++;
}

static void
repair_15_pindex(void)
{
	page_table()->pindex--;
}

static void
break_16_counters(void)
{
	counter(CTR_PT_PAGE_ALLOCS, 1);
}

static void
repair_16_counters(void)
{
	counter(CTR_PT_PAGE_FREES, 1);
}

/* In the directory of VA, where no table is: an entry that is not valid. */
static void
break_16_nowhere(void)
{
	pte_store(pmap_pde(p, VA) + 1, 0x1000);
	ptp_ref_add(
	    PHYS_TO_VM_PAGE(p->pm_vp, pte_load(pmap_pdpe(p, VA)) & PG_FRAME),
	    1);
}

static void
repair_16_nowhere(void)
{
	pte_store(pmap_pde(p, VA) + 1, 0);
	ptp_ref_add(
	    PHYS_TO_VM_PAGE(p->pm_vp, pte_load(pmap_pdpe(p, VA)) & PG_FRAME),
	    UINT32_MAX);
}

static void
break_17(void)
{
	extra_page = pu_page(&pu);
	set_refs(extra_page, 0);
	extra_page->pindex = NUPDE + NUPDPE + 3;
	pte_store(&p->pm_pml4[3], VM_PAGE_TO_PHYS(extra_page) | PG_TABLE);
	pmap_resident_add(p, 1);
	counter(CTR_PT_PAGE_ALLOCS, 1);
}

static void
repair_17(void)
{
	pte_store(&p->pm_pml4[3], 0);
	pmap_resident_add(p, -1);
	counter(CTR_PT_PAGE_FREES, 1);
	pu_page_free(&pu, extra_page);
}

static void
break_21(void)
{
	extra = pu_pmap(&pu);
	pmap_release(extra);
	pmap_resident_add(extra, 1);
}

static void
repair_21(void)
{
	pmap_resident_add(extra, -1);
	pmap_free(extra);
}

static void
restore_va(void)
{
	pte_store(pu_pte(p, VA), saved);
}

static void
restore_va1(void)
{
	pte_store(pu_pte(p, VA1), saved);
}

static void
restore_va2(void)
{
	pte_store(pu_pte(p, VA2), saved);
}

static void
break_22(void)
{
	set_pte(VA, pu_leaf(p, VA) | UINT64_C(1) << 54);
}

static void
break_23(void)
{
	set_pte(VA2, pu_leaf(p, VA2) & ~PG_M);
}

static void
break_24(void)
{
	set_pte(VA1, pu_leaf(p, VA1) | PG_M);
}

static void
break_25(void)
{
	vm_page_aflag_clear(m0, PGA_WRITEABLE);
}

static void
repair_25(void)
{
	vm_page_aflag_set(m0, PGA_WRITEABLE);
}

static void
break_26_user(void)
{
	set_pte(VA, pu_leaf(p, VA) & ~PG_U);
}

static void
break_26_global(void)
{
	set_pte(VA, pu_leaf(p, VA) | PG_G);
}

static void
break_26_type(void)
{
	m1->md.pat_mode = 6;
}

static void
repair_26_type(void)
{
	m1->md.pat_mode = 0;
}

static void
break_27_free(void)
{
	set_refs(m1, 0);
}

static void
repair_27_free(void)
{
	set_refs(m1, 1);
}

/* An unmanaged mapping, since tables are. */
static void
break_27_table(void)
{
	set_pte(
	    VA2, (pu_leaf(p, VA2) & ~PG_FRAME) | VM_PAGE_TO_PHYS(page_table()));
}

static void
break_27_chunk(void)
{
	set_pte(
	    VA2, (pu_leaf(p, VA2) & ~PG_FRAME) | VM_PAGE_TO_PHYS(chunk_page()));
}

static void
break_37_shared(void)
{
	saved_ptr = pu.pu_ma->ma_pvt->pvt_ptrs[3];
	pu.pu_ma->ma_pvt->pvt_ptrs[3] = pu.pu_ma->ma_pvt->pvt_ptrs[2];
}

static void
break_37_none(void)
{
	saved_ptr = pu.pu_ma->ma_pvt->pvt_ptrs[3];
	pu.pu_ma->ma_pvt->pvt_ptrs[3] = NULL;
}

static void
repair_37(void)
{
	pu.pu_ma->ma_pvt->pvt_ptrs[3] = saved_ptr;
}

/* The second segment does not step back: superpage 0 has a second header. */
static void
break_37_second(void)
{
	struct vm_phys_seg *seg = &pu.pu_ma->ma_vp->vp_segs[1];

	saved_ptr = seg->md_first;
	seg->md_first = (char *)saved_ptr + pu.pu_ma->ma_pvt->pvt_stride;
}

static void
repair_37_second(void)
{
	pu.pu_ma->ma_vp->vp_segs[1].md_first = saved_ptr;
}

static void
break_43_pmap(void)
{
	PMAP_LOCK(p);
}

static void
repair_43_pmap(void)
{
	PMAP_UNLOCK(p);
}

static void
break_43_chunks(void)
{
	mtx_lock(&pu.pu_ma->ma_chunks[1]->pvc_lock);
}

static void
repair_43_chunks(void)
{
	mtx_unlock(&pu.pu_ma->ma_chunks[1]->pvc_lock);
}

static void
break_43_zone(void)
{
	mtx_lock(&pu.pu_ma->ma_zone_mtx);
}

static void
repair_43_zone(void)
{
	mtx_unlock(&pu.pu_ma->ma_zone_mtx);
}

static void *
some_word(void)
{
	struct pv_table *pvt = pu.pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, 0x400000, NULL, &ph);
	return (ph.ph_word);
}

static void
break_43_thread(void)
{
	pv_word_lock(pu.pu_ma->ma_pvt, some_word(), __FILE__, __LINE__);
}

static void
repair_43_thread(void)
{
	pv_word_unlock(pu.pu_ma->ma_pvt, some_word(), false);
}

/* Held, and nobody says so. */
static void
break_43_word(void)
{
	break_43_thread();
	curthread()->td_pv_held = NULL;
}

static void
repair_43_word(void)
{
	curthread()->td_pv_held = some_word();
	repair_43_thread();
}

static struct mtx private_mtx;

static void
break_44(void)
{
	mtx_init(&private_mtx, "private", 0);
	mtx_lock(&private_mtx);
}

static void
repair_44(void)
{
	mtx_unlock(&private_mtx);
	mtx_destroy(&private_mtx);
}

/* The number is inv; also: another that cannot but be reported, or 0. */
static const struct check_case {
	int inv;
	int also;
	const char *how;
	void (*break_it)(void);
	void (*repair)(void);
	const char *design; /* NULL: sparse/rwlock */
	bool profile;
} cases[] = {
	{ 1, 0, "two entries, and none", break_1, repair_1, NULL, false },
	{ 3, 0, "an entry for nothing", break_3, unsubstitute, NULL, false },
	{ 4, 0, "a page not managed", break_4, repair_4, NULL, false },
	{ 5, 0, "va in a page", break_5_aligned, unsubstitute, NULL, false },
	{ 5, 0, "va of the kernel", break_5_user, unsubstitute, NULL, false },
	{ 6, 0, "hashed", break_6, repair_6, "hashed/rwlock", false },
	{ 6, 0, "ptrarray", break_6, repair_6, "ptrarray/mtx8", false },
	{ 6, 0, "sparse", break_6, repair_6, "sparse/gen2", false },
	{ 6, 0, "segment", break_6, repair_6, "segment/gen1", false },
	{ 7, 0, "entry on no list", break_7_unlisted, unsubstitute, NULL,
	    false },
	{ 7, 0, "bits behind the last", break_7_tail, repair_7_tail, NULL,
	    false },
	{ 7, 0, "links", break_7_links, repair_7_links, NULL, false },
	{ 8, 0, "no LRU", break_8_lru, repair_8_lru, NULL, false },
	{ 8, 0, "another domain's LRU", break_8_domain, repair_8_domain, NULL,
	    false },
	{ 8, 1, "another owner", break_8_owner, repair_8_owner, NULL, false },
	{ 9, 0, "wholly free", break_9_free, repair_9_free, NULL, false },
	{ 9, 0, "full first", break_9_order, repair_9_order, NULL, false },
	{ 10, 0, "active reclaim", break_10_active, repair_10_active, NULL,
	    false },
	{ 10, 8, "marker", break_10_marker, repair_10_marker, NULL, false },
	{ 11, 0, "entries", break_11_entries, repair_11_entries, NULL, false },
	{ 11, 0, "chunks", break_11_chunks, repair_11_chunks, NULL, false },
	{ 11, 1, "leaves", break_11_leaves, repair_11_leaves, NULL, false },
	{ 12, 0, "references", break_12, repair_12, NULL, false },
	{ 13, 0, "count", break_13, repair_13, NULL, false },
	{ 14, 0, "count", break_14, repair_14, NULL, false },
	{ 15, 0, "references", break_15_refs, repair_15_refs, NULL, false },
	{ 15, 0, "pindex", break_15_pindex, repair_15_pindex, NULL, false },
	{ 16, 0, "counters", break_16_counters, repair_16_counters, NULL,
	    false },
	{ 16, 0, "entry not valid", break_16_nowhere, repair_16_nowhere, NULL,
	    false },
	{ 17, 0, "empty table", break_17, repair_17, NULL, false },
	{ 21, 0, "count", break_21, repair_21, NULL, false },
	{ 22, 0, "bit 54", break_22, restore_va, NULL, false },
	{ 23, 0, "unmanaged, clean", break_23, restore_va2, NULL, false },
	{ 24, 0, "modified, read-only", break_24, restore_va1, NULL, false },
	{ 25, 0, "hint", break_25, repair_25, NULL, false },
	{ 26, 0, "not user", break_26_user, restore_va, NULL, false },
	{ 26, 0, "global", break_26_global, restore_va, NULL, false },
	{ 26, 0, "memory type", break_26_type, repair_26_type, NULL, false },
	{ 27, 0, "free page", break_27_free, repair_27_free, NULL, false },
	{ 27, 0, "table", break_27_table, restore_va2, NULL, false },
	{ 27, 0, "chunk", break_27_chunk, restore_va2, NULL, false },
	{ 37, 0, "one header for two", break_37_shared, repair_37,
	    "ptrarray/gen2", false },
	{ 37, 0, "no header", break_37_none, repair_37, "ptrarray/gen2",
	    false },
	{ 37, 0, "two headers for one", break_37_second, repair_37_second,
	    "segment/gen2", false },
	{ 43, 0, "pmap", break_43_pmap, repair_43_pmap, NULL, false },
	{ 43, 0, "chunk list", break_43_chunks, repair_43_chunks, NULL, false },
	{ 43, 0, "pmap zone", break_43_zone, repair_43_zone, NULL, false },
	{ 43, 0, "thread", break_43_thread, repair_43_thread, NULL, false },
	{ 43, 0, "word of rwlock", break_43_word, repair_43_word, NULL, false },
	{ 43, 0, "word of mtx8", break_43_word, repair_43_word, "segment/mtx8",
	    false },
	{ 43, 0, "word of gen2", break_43_word, repair_43_word, "ptrarray/gen2",
	    false },
	{ 43, 0, "word of gen1", break_43_word, repair_43_word, "hashed/gen1",
	    false },
	{ 44, 0, "held", break_44, repair_44, NULL, true },
};
#define NCASES (sizeof(cases) / sizeof(cases[0]))

#define INV_MAX 64

/* Runs the checker; seen[n] is how often inv n was reported. */
static unsigned
check(unsigned seen[INV_MAX])
{
	char *text = NULL, *line, *save = NULL;
	size_t size = 0;
	unsigned n;
	FILE *out;
	int inv;

	memset(seen, 0, INV_MAX * sizeof(seen[0]));
	out = open_memstream(&text, &size);
	assert_non_null(out);
	n = machine_check(pu.pu_ma, out);
	(void)fclose(out);
	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		assert_int_equal(sscanf(line, "inv %d:", &inv), 1);
		assert_in_range(inv, 1, INV_MAX - 1);
		seen[inv]++;
	}
	free(text);
	return (n);
}

static void
each_invariant_is_reported_when_broken(void **state)
{
	const struct check_case *c;
	unsigned n, seen[INV_MAX], sum;

	(void)state;
	for (c = cases; c < cases + NCASES; c++) {
		begin(c->design != NULL ? c->design : "sparse/rwlock",
		    c->profile);
		c->break_it();
		n = check(seen);
		c->repair();
		sum = 0;
		for (int i = 1; i < INV_MAX; i++) {
			sum += seen[i];
			if ((seen[i] != 0) !=
			    (i == c->inv || (i == c->also && i != 0)))
				fail_msg("inv %d (%s): %u reports of inv %d",
				    c->inv, c->how, seen[i], i);
		}
		assert_int_equal(n, sum);
		pu_check(&pu); /* repaired */
		end();
	}
}

/* The numbers that the source reports, so that a new one needs a case. */
static void
each_number_in_the_source_has_a_case(void **state)
{
	static const char *const calls[] = { "bad(pc,", "bad(&pc,",
		"check_sum(&pc,", "check_line(arg," };
	static const char *const files[] = { "/src/pmap/pmap_check.c",
		"/src/pmap/machine.c" };
	static char text[1 << 17];
	bool has[INV_MAX] = { false };
	unsigned found = 0;
	const char *s;
	long inv;
	char *stop;
	size_t n;
	FILE *f;

	(void)state;
	for (size_t i = 0; i < NCASES; i++)
		has[cases[i].inv] = true;
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(
		    text, sizeof(text), "%s%s", PMAPSIM_SOURCE_DIR, files[i]);
		f = fopen(text, "r");
		assert_non_null(f);
		n = fread(text, 1, sizeof(text) - 1, f);
		assert_true(n < sizeof(text) - 1);
		text[n] = '\0';
		(void)fclose(f);
		for (size_t k = 0; k < 4; k++) {
			for (s = text; (s = strstr(s, calls[k])) != NULL;) {
				s += strlen(calls[k]);
				while (isspace((unsigned char)*s))
					s++;
				inv = strtol(s, &stop, 10);
				if (stop == s)
					continue; /* passed on */
				assert_in_range(inv, 1, INV_MAX - 1);
				if (!has[inv])
					fail_msg("inv %ld: no case", inv);
				found++;
			}
		}
	}
	/* The patterns still find the calls. */
	assert_true(found >= 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_invariant_is_reported_when_broken),
		cmocka_unit_test(each_number_in_the_source_has_a_case),
	};

	return (cmocka_run_group_tests_name("pmap_check", tests, NULL, NULL));
}
