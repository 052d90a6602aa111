/* SPDX-License-Identifier: BSD-2-Clause */

/* Chunks, and what adds up: 8 to 12. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "check_cases.h"

static struct pv_entry *saved_pv;

static void
break_8_lru(void)
{
	TAILQ_REMOVE(
	    &cc_pu.pu_ma->ma_chunks[0]->pvc_list, cc_chunk(cc_p), pc_lru);
}

static void
repair_8_lru(void)
{
	TAILQ_INSERT_HEAD(
	    &cc_pu.pu_ma->ma_chunks[0]->pvc_list, cc_chunk(cc_p), pc_lru);
}

static void
break_8_domain(void)
{
	break_8_lru();
	TAILQ_INSERT_HEAD(
	    &cc_pu.pu_ma->ma_chunks[1]->pvc_list, cc_chunk(cc_p), pc_lru);
}

static void
repair_8_domain(void)
{
	TAILQ_REMOVE(
	    &cc_pu.pu_ma->ma_chunks[1]->pvc_list, cc_chunk(cc_p), pc_lru);
	repair_8_lru();
}

/* Its entries then belong to q: no leaf of p has one. */
static void
break_8_owner(void)
{
	cc_chunk(cc_p)->pc_pmap = cc_q;
}

static void
repair_8_owner(void)
{
	cc_chunk(cc_p)->pc_pmap = cc_p;
}

static void
break_9_free(void)
{
	PMAP_LOCK(cc_p);
	assert_true(reserve_pv_entries(cc_p, _NPCPV, NULL));
	PMAP_UNLOCK(cc_p);
}

static void
repair_9_free(void)
{
	struct pv_chunk *pc = cc_chunk(cc_p);

	TAILQ_REMOVE(&cc_p->pm_pvchunk, pc, pc_list);
	free_pv_chunk(cc_pu.pu_ma, pc);
}

static void
swap_chunks(void)
{
	struct pv_chunk *pc = cc_chunk(cc_q);

	TAILQ_REMOVE(&cc_q->pm_pvchunk, pc, pc_list);
	TAILQ_INSERT_TAIL(&cc_q->pm_pvchunk, pc, pc_list);
}

static void
break_9_order(void)
{
	/* A full chunk and one with a single entry, in the wrong order. */
	for (vm_offset_t i = 0; i < _NPCPV; i++)
		pmap_enter_quick(cc_q, VA1 + i * 4096, cc_m1, VM_PROT_READ);
	pu_check(&cc_pu);
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
	cc_pu.pu_ma->ma_chunks[1]->pvc_active_reclaims++;
}

static void
repair_10_active(void)
{
	cc_pu.pu_ma->ma_chunks[1]->pvc_active_reclaims--;
}

static struct pv_chunk marker;

static void
break_10_marker(void)
{
	TAILQ_INSERT_TAIL(
	    &cc_pu.pu_ma->ma_chunks[1]->pvc_list, &marker, pc_lru);
}

static void
repair_10_marker(void)
{
	TAILQ_REMOVE(&cc_pu.pu_ma->ma_chunks[1]->pvc_list, &marker, pc_lru);
}

static void
break_11_entries(void)
{
	cc_counter(CTR_PV_ENTRY_ALLOCS, 1);
}

static void
repair_11_entries(void)
{
	cc_counter(CTR_PV_ENTRY_FREES, 1);
}

static void
break_11_chunks(void)
{
	cc_counter(CTR_PC_CHUNK_FREES, 1);
}

static void
repair_11_chunks(void)
{
	cc_counter(CTR_PC_CHUNK_ALLOCS, 1);
}

/* An entry in use, sound, and on a list, for a leaf that has one already. */
static void
break_11_leaves(void)
{
	PMAP_LOCK(cc_p);
	saved_pv = get_pv_entry(cc_p, NULL);
	PMAP_UNLOCK(cc_p);
	saved_pv->pv_va = VA1;
	pv_list_insert_tail(&cc_m1->md.pv_list, saved_pv);
}

static void
repair_11_leaves(void)
{
	pv_list_remove(&cc_m1->md.pv_list, saved_pv);
	PMAP_LOCK(cc_p);
	free_pv_entry(cc_p, saved_pv);
	PMAP_UNLOCK(cc_p);
}

static void
break_12(void)
{
	cc_set_refs(cc_chunk_page(), 2);
}

static void
repair_12(void)
{
	cc_set_refs(cc_chunk_page(), 1);
}

const struct check_case check_cases_chunk[] = {
	{
	    .inv = 8,
	    .how = "no LRU",
	    .break_it = break_8_lru,
	    .repair = repair_8_lru,
	},
	{
	    .inv = 8,
	    .how = "another domain's LRU",
	    .break_it = break_8_domain,
	    .repair = repair_8_domain,
	},
	{
	    .inv = 8,
	    .also = { 1, 3 },
	    .how = "another owner",
	    .break_it = break_8_owner,
	    .repair = repair_8_owner,
	},
	{
	    .inv = 9,
	    .how = "wholly free",
	    .break_it = break_9_free,
	    .repair = repair_9_free,
	},
	{
	    .inv = 9,
	    .how = "full first",
	    .break_it = break_9_order,
	    .repair = repair_9_order,
	},
	{
	    .inv = 10,
	    .how = "active reclaim",
	    .break_it = break_10_active,
	    .repair = repair_10_active,
	},
	{
	    .inv = 10,
	    .also = { 8 },
	    .how = "marker",
	    .break_it = break_10_marker,
	    .repair = repair_10_marker,
	},
	{
	    .inv = 11,
	    .how = "entries",
	    .break_it = break_11_entries,
	    .repair = repair_11_entries,
	},
	{
	    .inv = 11,
	    .how = "chunks",
	    .break_it = break_11_chunks,
	    .repair = repair_11_chunks,
	},
	{
	    .inv = 11,
	    .also = { 1 },
	    .how = "leaves",
	    .break_it = break_11_leaves,
	    .repair = repair_11_leaves,
	},
	{
	    .inv = 12,
	    .how = "references",
	    .break_it = break_12,
	    .repair = repair_12,
	},
	{ .inv = 0 },
};
