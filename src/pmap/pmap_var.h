/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PMAP_VAR_H
#define PMAP_PMAP_VAR_H

/*
 * The inside of the pmap layer: struct pmap, struct machine, page table entries
 * and the helpers that the operations share.
 *
 * Locking key.
 *	p - the pmap's own mutex
 *	u - the chunk list's mutex
 *	z - the machine's pmap zone mutex
 *	c - constant once the machine, or the pmap, exists
 */

#include "lock/mtx.h"
#include "phys/vm_phys.h"
#include "pmap/bug.h"
#include "pmap/pmap_di.h"
#include "pmap/pv_list.h"
#include "pmap/pv_table.h"
#include "pmap/vm_radix.h"
#include "pmapsim/pmap.h"

/*
 * Bits of an entry.
 * Source: AMD64 Architecture Programmer's Manual, volume 2, chapter 5; the
 * software bits as FreeBSD main (2024), sys/amd64/include/pmap.h.
 */
#define PG_V         UINT64_C(0x001) /* present */
#define PG_RW        UINT64_C(0x002)
#define PG_U         UINT64_C(0x004)
#define PG_NC_PWT    UINT64_C(0x008)
#define PG_NC_PCD    UINT64_C(0x010)
#define PG_A         UINT64_C(0x020)
#define PG_M         UINT64_C(0x040)
#define PG_PS        UINT64_C(0x080) /* in a PDE; in a PTE it is the PAT bit */
#define PG_PTE_PAT   UINT64_C(0x080)
#define PG_G         UINT64_C(0x100)
#define PG_MANAGED   UINT64_C(0x400)     /* software: has a pv entry */
#define PG_W         UINT64_C(0x800)     /* software: wired */
#define PG_PDE_PAT   UINT64_C(0x1000)    /* the PAT bit of a 2 MB mapping */
#define PG_PROMOTED  (UINT64_C(1) << 54) /* software: see pmap_promote.c */
#define PG_NX        (UINT64_C(1) << 63)
#define PG_FRAME     UINT64_C(0x000ffffffffff000)
#define PG_PS_FRAME  UINT64_C(0x000fffffffe00000)
#define PG_PTE_CACHE (PG_PTE_PAT | PG_NC_PWT | PG_NC_PCD)
#define PG_PDE_CACHE (PG_PDE_PAT | PG_NC_PWT | PG_NC_PCD)
/* What an entry above the leaves is made of. */
#define PG_TABLE (PG_U | PG_RW | PG_V | PG_A | PG_M)

#define PDPSHIFT  30
#define PML4SHIFT 39
#define NBPDP     (UINT64_C(1) << PDPSHIFT)
#define NBPML4    (UINT64_C(1) << PML4SHIFT)

/* pindex of a page table page: unique per pmap, tells its level. */
#define NUPDE   (UINT64_C(1) << 26)
#define NUPDPE  (UINT64_C(1) << 17)
#define NUPML4E UINT64_C(256)

/* An entry is shared with the MMU, which sets A and M at any time. */
typedef _Atomic uint64_t pte_t;

struct pmap_statistics {
	_Atomic int64_t resident_count; /* mapped + table pages + root */
	int64_t wired_count;
};

TAILQ_HEAD(pv_chunklist, pv_chunk);
struct mmu;      /* pmap/mmu.h */
struct pmap_mmu; /* pmap/mmu.h */

/*
 * Type-stable; see pmap_alloc().
 * Source: FreeBSD main (2024), sys/amd64/include/pmap.h, struct pmap.
 */
struct pmap {
	struct mtx pm_mtx;               /* "pmap", LO_DUPOK */
	pte_t *pm_pml4;                  /* (c) root table */
	struct vm_phys *pm_vp;           /* (c) */
	struct machine *pm_machine;      /* (c) */
	struct pmap_statistics pm_stats; /* (p) */
	struct pmap_mmu *pm_mmu;         /* (c) NULL: there are no TLBs */
	struct pv_chunklist pm_pvchunk;  /* (p) full chunks last */
	struct vm_page *pm_root_page;    /* (c) page of pm_pml4 */
	struct vm_radix pm_root;         /* (p) saved page table pages */
	uint64_t pm_nspare;              /* (p) how many pm_root has */
	bool pm_chunk_quirk;            /* (p) remove_pages kept wired chunks */
	bool pm_live;                   /* (z) between pinit and release */
	TAILQ_ENTRY(pmap) pm_zone_all;  /* (z) */
	TAILQ_ENTRY(pmap) pm_zone_free; /* (z) */
};

#define PMAP_LOCK(pm)    mtx_lock(&(pm)->pm_mtx)
#define PMAP_TRYLOCK(pm) mtx_trylock(&(pm)->pm_mtx)
#define PMAP_UNLOCK(pm)  mtx_unlock(&(pm)->pm_mtx)
#define PMAP_LOCK_ASSERT(pm)                                                   \
	KASSERT(mtx_owned(&(pm)->pm_mtx),                                      \
	    ("pmap %p is not locked by this thread", (void *)(pm)))

/*
 * LRU of chunks, one for each domain, or one for all (12.1).
 * Source: FreeBSD main (2024), struct pv_chunks_list.
 */
struct pv_chunks_list {
	_Alignas(CACHE_LINE_SIZE) struct mtx pvc_lock; /* pmap pv chunk list */
	struct pv_chunklist pvc_list;                  /* (u) */
	int pvc_active_reclaims;                       /* (u) */
};
_Static_assert(sizeof(struct pv_chunks_list) == CACHE_LINE_SIZE,
    "two lists do not share a line");

/*
 * What differs between versions of FreeBSD's pmap, by enum pmap_version.  Code
 * asks for the difference, not for the version.
 */
struct pmap_rules {
	bool
	    pr_promote_needs_a; /* all 512 mappings accessed, or no promotion */
	bool pr_quick_promotes; /* pmap_enter_quick() promotes */
	bool pr_copy_keeps_a;   /* of a managed 2 MB mapping */
	bool pr_copy_leaves_pd; /* an empty one, for want of a pv entry */
	bool pr_protect_x_dirties; /* a 2 MB mapping that loses but execute */
	bool pr_noreplace_space;   /* KERN_NO_SPACE where 2 MB are mapped */
	bool pr_wired_saves_pt;    /* a wired 2 MB mapping has a page table */
	bool pr_counts_root;       /* resident_count does */
};
extern const struct pmap_rules pmap_rules[PMAP_VERSION_COUNT];

struct machine {
	struct design ma_design;    /* (c) */
	struct pmap_rules ma_rules; /* (c) */
	bool ma_superpages;         /* (c) */
	bool ma_check_ops;          /* (c) */
	/* pmap_op.c: threads in operations; -1: the checker runs. */
	_Atomic int ma_inside;
	uint64_t ma_checks; /* by who checks */
	/* pmap_limit(); -1: none.  Atomic: pmaps share them. */
	_Atomic int64_t ma_pt_limit;
	_Atomic int64_t ma_pv_limit;
	struct pv_table *ma_pvt;                     /* (c) */
	struct vm_phys *ma_vp;                       /* (c) */
	struct sim *ma_sim;                          /* (c) */
	struct kmem *ma_kmem;                        /* (c) */
	struct pmap_di *ma_di;                       /* (c) */
	struct mmu *ma_mmu;                          /* (c) */
	test_point_fn *_Atomic ma_point;             /* (a) pmap/bug.h */
	void *ma_point_arg;                          /* of ma_point */
	struct pv_chunks_list *ma_chunks[MAXMEMDOM]; /* (c) by domain */
	int ma_ndomains;                             /* (c) */
	int ma_nchunklists;                          /* (c) 1, or ma_ndomains */
	unsigned ma_ncpus;                           /* (c) */

	struct mtx ma_zone_mtx;           /* "pmap zone" */
	TAILQ_HEAD(, pmap) ma_pmaps;      /* (z) all there ever were */
	TAILQ_HEAD(, pmap) ma_pmaps_free; /* (z) */
};

static inline pt_entry_t
pte_load(const pte_t *pte)
{
	/* Relaxed: the pmap lock orders us; the MMU only sets A and M. */
	return (atomic_load_explicit(pte, memory_order_relaxed));
}

static inline void
pte_store(pte_t *pte, pt_entry_t v)
{
	/* Release: a table must be zeroed before a walk can reach it. */
	atomic_store_explicit(pte, v, memory_order_release);
}

/* For what nobody walks any more, and for clearing at exit. */
static inline void
pte_store_plain(pte_t *pte, pt_entry_t v)
{
	/* Relaxed: no other thread and no MMU uses this table now. */
	atomic_store_explicit(pte, v, memory_order_relaxed);
}

static inline pt_entry_t
pte_swap(pte_t *pte, pt_entry_t v)
{
	/* Acquire-release: an A or M set by the MMU must not get lost. */
	return (atomic_exchange_explicit(pte, v, memory_order_acq_rel));
}

#define pte_load_clear(pte) pte_swap((pte), 0)

static inline pt_entry_t
pte_clear_bits(pte_t *pte, pt_entry_t bits)
{
	/* Acquire-release: as pte_swap(). */
	return (atomic_fetch_and_explicit(pte, ~bits, memory_order_acq_rel));
}

static inline bool
pte_cas(pte_t *pte, pt_entry_t *oldp, pt_entry_t v)
{
	/* Acquire-release: as pte_swap(). */
	return (atomic_compare_exchange_strong_explicit(
	    pte, oldp, v, memory_order_acq_rel, memory_order_relaxed));
}

static inline unsigned
pmap_pte_index(vm_offset_t va)
{
	return ((va >> PAGE_SHIFT) & (NPTEPG - 1));
}

static inline unsigned
pmap_pde_index(vm_offset_t va)
{
	return ((va >> PDRSHIFT) & (NPTEPG - 1));
}

static inline unsigned
pmap_pdpe_index(vm_offset_t va)
{
	return ((va >> PDPSHIFT) & (NPTEPG - 1));
}

static inline unsigned
pmap_pml4e_index(vm_offset_t va)
{
	return ((va >> PML4SHIFT) & (NPTEPG - 1));
}

static inline pte_t *
pmap_table(const struct vm_phys *vp, pt_entry_t e)
{
	return (PHYS_TO_DMAP(vp, e & PG_FRAME));
}

static inline pte_t *
pmap_pml4e(const struct pmap *pm, vm_offset_t va)
{
	return (&pm->pm_pml4[pmap_pml4e_index(va)]);
}

/* NULL where a table above is missing. */
static inline pte_t *
pmap_pdpe(const struct pmap *pm, vm_offset_t va)
{
	pt_entry_t e = pte_load(pmap_pml4e(pm, va));

	if ((e & PG_V) == 0)
		return (NULL);
	return (&pmap_table(pm->pm_vp, e)[pmap_pdpe_index(va)]);
}

static inline pte_t *
pmap_pde(const struct pmap *pm, vm_offset_t va)
{
	pte_t *pdpe = pmap_pdpe(pm, va);
	pt_entry_t e;

	if (pdpe == NULL)
		return (NULL);
	e = pte_load(pdpe);
	if ((e & PG_V) == 0)
		return (NULL);
	return (&pmap_table(pm->pm_vp, e)[pmap_pde_index(va)]);
}

static inline pte_t *
pmap_pde_to_pte(const struct pmap *pm, pt_entry_t pde, vm_offset_t va)
{
	return (&pmap_table(pm->pm_vp, pde)[pmap_pte_index(va)]);
}

/* The same where the page table's own page is at hand. */
static inline pte_t *
pmap_ptp_to_pte(
    const struct pmap *pm, const struct vm_page *ptp, vm_offset_t va)
{
	return (pmap_pde_to_pte(pm, VM_PAGE_TO_PHYS(ptp), va));
}

/* The 4 KB entry of va and its PDE's value; NULL for none or a superpage. */
static inline pte_t *
pmap_pte_pde(const struct pmap *pm, vm_offset_t va, pt_entry_t *pdep)
{
	pte_t *pde = pmap_pde(pm, va);

	if (pde == NULL)
		return (NULL);
	*pdep = pte_load(pde);
	if ((*pdep & (PG_V | PG_PS)) != PG_V)
		return (NULL);
	return (pmap_pde_to_pte(pm, *pdep, va));
}

/* ref_count of a page table page: plain, guarded by the pmap lock. */
static inline uint32_t
ptp_ref(const struct vm_page *m)
{
	/* Relaxed: guarded by the pmap lock. */
	return (atomic_load_explicit(&m->ref_count, memory_order_relaxed));
}

static inline void
ptp_ref_add(struct vm_page *m, uint32_t n)
{
	/* Relaxed: guarded by the pmap lock. */
	atomic_store_explicit(
	    &m->ref_count, ptp_ref(m) + n, memory_order_relaxed);
}

/*
 * The next page table or superpage at or after va, below eva: its PDE, with *vap
 * its first address in the range and *endp where it, or the range, ends.  Returns
 * NULL when there is none.  Whole empty strides of upper levels are skipped.  A
 * range may go beyond the user addresses: nothing is there.
 */
pte_t *pmap_next_pde(
    struct pmap *pmap, vm_offset_t *vap, vm_offset_t eva, vm_offset_t *endp);

/*
 * Page table pages (pmap_pt.c).  free: a list through q_next of pages that go
 * back to the allocator when no TLB can lead to them any more.
 */
struct vm_page *
pmap_allocpte(struct pmap *pmap, vm_offset_t va, struct pv_held *held);
pte_t *pmap_alloc_pde(struct pmap *pmap, vm_offset_t va, struct vm_page **pdpgp,
    struct pv_held *held);
struct vm_page *pmap_alloc_pt_page(struct pmap *pmap, vm_offset_t va);
void pmap_drop_pt_page(
    struct pmap *pmap, struct vm_page *m, bool zero, struct vm_page **free);
void pmap_wait_for_pages(
    struct pmap *pmap, vm_offset_t va, int level, unsigned nsaved, bool pv);
bool pmap_unwire_ptp(struct pmap *pmap, vm_offset_t va, struct vm_page *m,
    struct vm_page **free);
bool pmap_unuse_pt(
    struct pmap *pmap, vm_offset_t va, pt_entry_t pde, struct vm_page **free);
void pmap_abort_ptp(struct pmap *pmap, vm_offset_t va, struct vm_page *m);
void pmap_free_ptps(struct machine *ma, struct vm_page *free);

/* One of what pmap_limit() counts; n back.  -1 is no limit. */
static inline bool
pmap_limit_take(_Atomic int64_t *limit)
{
	/* Relaxed: a count for tests. */
	int64_t v = atomic_load_explicit(limit, memory_order_relaxed);

	if (__predict_true(v < 0))
		return (true);
	do {
		if (v == 0)
			return (false);
		/* Relaxed: as above. */
	} while (!atomic_compare_exchange_weak_explicit(
	    limit, &v, v - 1, memory_order_relaxed, memory_order_relaxed));
	return (true);
}

static inline void
pmap_limit_give(_Atomic int64_t *limit, int64_t n)
{
	/* Relaxed: as pmap_limit_take(); it is set at rest only. */
	if (__predict_false(
		atomic_load_explicit(limit, memory_order_relaxed) >= 0)) {
		/* Relaxed: as above. */
		atomic_fetch_add_explicit(limit, n, memory_order_relaxed);
	}
}

/*
 * pv entries and chunks (pv_chunk.c).  held: the pv list lock that may be dropped
 * while entries are reclaimed, or NULL: do without.
 */
struct pv_entry *get_pv_entry(struct pmap *pmap, struct pv_held *held);
/* Would get_pv_entry() do without a new chunk?  The pmap is locked. */
bool pv_entry_is_spare(const struct pmap *pmap);
void free_pv_entry(struct pmap *pmap, struct pv_entry *pv);
bool reserve_pv_entries(struct pmap *pmap, int needed, struct pv_held *held);
/*
 * The same for who cannot do without: of the pages kept for that, and whatever
 * pmap_limit() says.
 */
bool reserve_pv_entries_kept(struct pmap *pmap, int needed);
void free_pv_chunk_dequeued(struct machine *ma, struct pv_chunk *pc);
struct pv_chunks_list *
pv_chunk_list_of(struct machine *ma, const struct pv_chunk *pc);
/* Unlink a wholly free chunk, already off the pmap, and free its page. */
void free_pv_chunk(struct machine *ma, struct pv_chunk *pc);
void free_pv_chunk_batch(struct machine *ma, struct pv_chunklist batch[]);
/* Remove va's entry from m's list.  The caller holds m's pv list lock. */
struct pv_entry *
pmap_pvh_remove(struct md_page *md, struct pmap *pmap, vm_offset_t va);
/* The same with the 2 MB list of the lock that is held. */
struct pv_entry *
pmap_pvh_remove_pde(struct pmap *pmap, struct pv_held *held, vm_offset_t va);
struct vm_page *pv_chunk_page(struct machine *ma, const struct pv_chunk *pc);
/* The index of pc's list in ma_chunks, and in a batch. */
int pv_chunk_domain(struct machine *ma, const struct pv_chunk *pc);

/* If m's lists are both empty it cannot be writeable. */
static inline void
pmap_clear_writeable_if_unmapped(struct vm_page *m, const struct md_page *pvh)
{
	if (pv_list_empty(&m->md.pv_list) && pv_list_empty(&pvh->pv_list))
		vm_page_aflag_clear(m, PGA_WRITEABLE);
}

/* Pass the bits of a mapping that goes on to its page: dirty comes first. */
static inline void
pmap_lose(pt_entry_t pte, struct vm_page *m)
{
	if ((pte & (PG_M | PG_RW)) == (PG_M | PG_RW))
		vm_page_dirty(m);
	if ((pte & PG_A) != 0)
		vm_page_aflag_set(m, PGA_REFERENCED);
}

/* The lock orders writers; pmap_remove() looks without it. */
static inline int64_t
pmap_resident(const struct pmap *pmap)
{
	/* Relaxed: a count; the early look wants no order. */
	return (atomic_load_explicit(
	    &pmap->pm_stats.resident_count, memory_order_relaxed));
}

static inline void
pmap_resident_add(struct pmap *pmap, int64_t n)
{
	KASSERT(pmap_resident(pmap) + n >= 0,
	    ("pmap %p resident_count %jd%+jd", (void *)pmap,
		(intmax_t)pmap_resident(pmap), (intmax_t)n));
	/* Relaxed: as pmap_resident(). */
	atomic_store_explicit(&pmap->pm_stats.resident_count,
	    pmap_resident(pmap) + n, memory_order_relaxed);
}

unsigned pmap_check(struct machine *ma,
    void (*fn)(void *arg, int inv, const char *text), void *arg);

#include "pmap/pmap_op.h"
#include "pmap/pmap_tlb.h"

#endif /* PMAP_PMAP_VAR_H */
