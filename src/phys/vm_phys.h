/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PHYS_VM_PHYS_H
#define PHYS_VM_PHYS_H

/*
 * Physical memory of one machine: segments, buddy queues, page array, simulated
 * memory.
 */

#include "lock/mtx.h"
#include "pmapsim/memmap.h"
#include "pmapsim/vm_page.h"

#define VM_NFREEPOOL              2
#define VM_FREEPOOL_DEFAULT       0 /* pages of objects */
#define VM_FREEPOOL_DIRECT        1 /* page tables, pv chunks */
#define VM_NFREELIST              3
#define VM_FREELIST_DEFAULT       0
#define VM_FREELIST_DMA32         1
#define VM_FREELIST_LOWMEM        2
#define VM_LOWMEM_BOUNDARY        (UINT64_C(16) << 20)
#define VM_DMA32_BOUNDARY         (UINT64_C(1) << 32)
#define VM_DMA32_NPAGES_THRESHOLD UINT64_C(16777216)
#define VM_LEVEL_0_ORDER          9 /* a superpage */

struct vm_freelist; /* [VM_NFREEPOOL][VM_NFREEORDER] queues of one list */

/*
 * Source: FreeBSD main (2024), sys/vm/vm_phys.h, struct vm_phys_seg.
 * Constant once the machine is created.
 */
struct vm_phys_seg {
	vm_paddr_t start; /* page aligned */
	vm_paddr_t end;   /* exclusive, page aligned */
	struct vm_page *first_page;
	struct vm_reserv *first_reserv; /* of the superpage start is in */
	void *md_first;                 /* first pv header, layout "segment" */
	int domain;
	struct vm_freelist *free_queues;
};
_Static_assert(sizeof(struct vm_phys_seg) == 56, "as in FreeBSD");

enum vm_alloc_class {
	VM_ALLOC_NORMAL,
	VM_ALLOC_SYSTEM,
	VM_ALLOC_INTERRUPT
};

struct vm_page_place; /* phys/vm_reserv.h */
struct vm_reserv;
struct vm_reserv_state;
struct vm_domain; /* per-domain accounting and free queue lock */

struct vm_phys {
	/* First line: what translations read. */
	char *vp_dmap;            /* host address of PA 0 */
	struct vm_page *vp_array; /* descriptor of page vp_first_page */
	uint64_t vp_first_page;
	uint64_t vp_npages;          /* descriptors in the array */
	struct vm_reserv *vp_reserv; /* of superpage vp_first_page is in */
	int vp_nsegs;
	int vp_ndomains;

	/* Counts frees, for frame epochs; NULL where there are no TLBs. */
	_Atomic uint32_t *vp_clock;

	struct vm_phys_seg vp_segs[VM_PHYSSEG_MAX];
	struct vm_domain *vp_domains[MAXMEMDOM];
	struct vm_phys_private *vp_private; /* phys/vm_phys_impl.h */
	struct vm_reserv_state *vp_reservs; /* phys/vm_reserv_impl.h */
	struct sim *vp_sim;
	struct kmem *vp_kmem;
	size_t vp_dmap_size;
	size_t vp_array_size;
};

/* Options of vm_phys_create(). */
struct vm_phys_config {
	const struct memmap *vpc_map;
	const vm_paddr_t *vpc_blacklist; /* page addresses never handed out */
	size_t vpc_nblacklist;           /* PA 0 is always added */
	bool vpc_no_page_cache;          /* no per-thread page caches */
	bool vpc_no_reserv;       /* vm_page_alloc_at() makes no reservation */
	uint64_t vpc_limit_pages; /* 0, or keep only so many pages free, the
				     rest is withdrawn evenly by domain */
	uint64_t vpc_bugs;        /* of kern/bug.h */
	bool vpc_eager; /* put every block on its queue at boot (tests) */
};

/*
 * Build everything from a map.  Returns 0, ENOMEM, EINVAL (no usable page, more
 * than VM_PHYSSEG_MAX segments, an affinity record that starts inside a range);
 * *whyp then says what, in a constant or static-lifetime string.
 */
int vm_phys_create(struct sim *sim, struct kmem *km,
    const struct vm_phys_config *vpc, struct vm_phys **vpp, const char **whyp);
void vm_phys_destroy(struct vm_phys *vp);

static inline void *
PHYS_TO_DMAP(const struct vm_phys *vp, vm_paddr_t pa)
{
	return (vp->vp_dmap + pa);
}

/* NULL where pa has no descriptor (outside the array). */
static inline struct vm_page *
PHYS_TO_VM_PAGE(const struct vm_phys *vp, vm_paddr_t pa)
{
	uint64_t i = (pa >> PAGE_SHIFT) - vp->vp_first_page;

	return (i < vp->vp_npages ? &vp->vp_array[i] : NULL);
}

/* Physical address from the descriptor's place, filled in or not. */
static inline vm_paddr_t
vm_page_index_to_phys(const struct vm_phys *vp, const struct vm_page *m)
{
	return (
	    ((uint64_t)(m - vp->vp_array) + vp->vp_first_page) << PAGE_SHIFT);
}

/* Binary search; NULL outside every segment. */
struct vm_phys_seg *vm_phys_paddr_to_seg(struct vm_phys *vp, vm_paddr_t pa);
/* Domain by segment; the nearest segment below for a PA in a gap. */
int vm_phys_domain(struct vm_phys *vp, vm_paddr_t pa);

/*
 * The buddy allocator.  The domain's free queue lock is held by the caller:
 * vm_phys_lock() / vm_phys_unlock().  Page counts of the accounting layer below
 * are not touched.
 */
void vm_phys_lock(struct vm_phys *vp, int domain);
void vm_phys_unlock(struct vm_phys *vp, int domain);
struct vm_page *
vm_phys_alloc_pages(struct vm_phys *vp, int domain, int pool, int order);
int vm_phys_alloc_npages(struct vm_phys *vp, int domain, int pool, int npages,
    struct vm_page **pages);
void vm_phys_free_pages(struct vm_phys *vp, struct vm_page *m, int order);
void
vm_phys_free_contig(struct vm_phys *vp, struct vm_page *m, uint64_t npages);
void
vm_phys_enqueue_contig(struct vm_phys *vp, struct vm_page *m, uint64_t npages);
bool vm_phys_unfree_page(struct vm_phys *vp, struct vm_page *m);
/* align and boundary: powers of two in bytes; boundary 0: none. */
struct vm_page *
vm_phys_alloc_contig(struct vm_phys *vp, int domain, uint64_t npages,
    vm_paddr_t low, vm_paddr_t high, vm_paddr_t align, vm_paddr_t boundary);

/*
 * Pages above the buddy.  Each takes the free queue lock itself.
 * domain: preferred; the others are tried after it in ascending cyclic order.
 * Nothing sleeps: NULL when there is none.
 *
 *	VM_PAGE_NOOBJ	  wired (ref_count 1), for page tables and chunks: pool
 *			  DIRECT; otherwise pool DEFAULT, ref_count 0
 *	VM_PAGE_ZERO	  contents zeroed
 */
#define VM_PAGE_NOOBJ     0x1
#define VM_PAGE_ZERO      0x2
#define VM_PAGE_SYSTEM    0x4
#define VM_PAGE_INTERRUPT 0x8
#define VM_PAGE_EXACT     0x10 /* no domain but the preferred one */
struct vm_page *vm_page_alloc(struct vm_phys *vp, int domain, int flags);
/*
 * A page of an object, from a reservation if there can be one; the object is
 * write-locked.  The caller inserts it.
 */
struct vm_page *vm_page_alloc_at(struct vm_phys *vp, int domain,
    const struct vm_page_place *place, int flags);
/* 2^order pages, naturally aligned, accounted; pool DEFAULT. */
struct vm_page *
vm_page_alloc_order(struct vm_phys *vp, int domain, int order, int flags);
/* npages pages with the constraints of vm_phys_alloc_contig(), accounted. */
struct vm_page *vm_page_alloc_contig(struct vm_phys *vp, int domain,
    uint64_t npages, vm_paddr_t low, vm_paddr_t high, vm_paddr_t align,
    vm_paddr_t boundary, int flags);
/* Unmapped, without object; ref_count is reset.  PG_ZERO promises zeroes. */
void vm_page_free(struct vm_phys *vp, struct vm_page *m);
/* A singly linked list through q_next, as delayed frees collect it. */
void vm_page_free_list(struct vm_phys *vp, struct vm_page *first);

/* Zero a page of simulated memory. */
void vm_page_zero(struct vm_phys *vp, struct vm_page *m);

/*
 * Wait until some page has been freed since since was read by vm_wait_token(),
 * or return at once if one was.  Panics, "out of memory", when every thread
 * between vm_pgcache_attach() and vm_pgcache_detach() either waits here or is
 * idle; the caller must be such a thread.
 *
 * vm_wait() does not hear of pages that an allocation of a run took off the
 * count and gave back: next to such allocations, use vm_wait_min().
 *
 * A thread is idle between vm_wait_idle_begin() and vm_wait_idle_end(): it will
 * free no page, for instance because it waits for other threads to end.
 */
uint64_t vm_wait_token(struct vm_phys *vp);
void vm_wait(struct vm_phys *vp, uint64_t since);
/* Pages that an ordinary request may take off the queues now; a snapshot. */
uint64_t vm_available_pages(struct vm_phys *vp);
/* Wait until so many pages can be had; the same panic. */
void vm_wait_min(struct vm_phys *vp, uint64_t npages);
void vm_wait_idle_begin(struct vm_phys *vp);
void vm_wait_idle_end(struct vm_phys *vp);

/*
 * Free pages, on the buddy queues, in the page caches, and in reservations but
 * not handed out: what could still be allocated if every thread gave its cache
 * back.  The accounting that admits allocations does not count the caches.
 * Exact at quiescence.
 * vm_total_pages(): all that were free when the machine was created, that is
 * without blacklisted and withdrawn pages.  domain < 0: all.
 */
uint64_t vm_free_count(struct vm_phys *vp, int domain);
uint64_t vm_total_pages(struct vm_phys *vp, int domain);

/*
 * The per-thread page caches.  td is the calling thread, with its lock state
 * attached; attach allocates (0 or ENOMEM), detach flushes.
 */
int vm_pgcache_attach(struct vm_phys *vp, struct thread *td);
void vm_pgcache_detach(struct vm_phys *vp, struct thread *td);

/*
 * Invariants 34 to 39 and 43, at quiescence: every violation is told to fn,
 * the number returned.  inv is the number.
 */
unsigned vm_phys_check(struct vm_phys *vp,
    void (*fn)(void *arg, int inv, const char *text), void *arg);

#endif /* PHYS_VM_PHYS_H */
