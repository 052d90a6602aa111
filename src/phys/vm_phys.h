/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PHYS_VM_PHYS_H
#define PHYS_VM_PHYS_H

/*
 * Physical memory of one machine: segments, buddy queues, page array, simulated
 * memory.
 *
 * Conventions, for each function unless it says otherwise: any attached thread
 * may call it at any time; addresses are bytes and page aligned, page counts
 * are of 4 KB; domain is 0 to vp_ndomains - 1; nothing sleeps.
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
 * Build everything from a map, whose usable ranges become segments, all pages
 * free. sim has its locks; km has an arena for each domain of the map.
 *
 * Returns 0 and *vpp; or, with nothing left behind, ENOMEM or EINVAL (no usable
 * page, more than VM_PHYSSEG_MAX segments, an affinity record that starts
 * inside a range), when *whyp says what, in a constant or static-lifetime
 * string. No other thread knows any of it.  Takes no lock.
 * Source: FreeBSD main (2024), sys/vm/vm_phys.c, vm_phys_add_seg() and
 * vm_phys_init(); sys/vm/vm_page.c, vm_page_startup().
 * Differs: a descriptor is filled in when its page is first used.
 */
int vm_phys_create(struct sim *sim, struct kmem *km,
    const struct vm_phys_config *vpc, struct vm_phys **vpp, const char **whyp);
/*
 * Give everything back, of a machine built in part or whole.  No thread uses
 * it.
 * Differs: FreeBSD has no such function.
 */
void vm_phys_destroy(struct vm_phys *vp);

/*
 * Where the byte at pa, any up to the end of the last segment, lies in this
 * process.  Takes no lock.
 * Source: FreeBSD main (2024), sys/amd64/include/vmparam.h, PHYS_TO_DMAP().
 */
static inline void *
PHYS_TO_DMAP(const struct vm_phys *vp, vm_paddr_t pa)
{
	return (vp->vp_dmap + pa);
}

/*
 * The descriptor of the page that pa, any address, is in; NULL where there is
 * none (outside the array).  In a gap between segments there is one, all zero.
 * Takes no lock.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, PHYS_TO_VM_PAGE().
 */
static inline struct vm_page *
PHYS_TO_VM_PAGE(const struct vm_phys *vp, vm_paddr_t pa)
{
	uint64_t i = (pa >> PAGE_SHIFT) - vp->vp_first_page;

	return (i < vp->vp_npages ? &vp->vp_array[i] : NULL);
}

/*
 * The physical address of page m by its descriptor's place, filled in or not.
 * Takes no lock.
 * Differs: FreeBSD has no need of it: all descriptors are filled in at boot.
 */
static inline vm_paddr_t
vm_page_index_to_phys(const struct vm_phys *vp, const struct vm_page *m)
{
	return (
	    ((uint64_t)(m - vp->vp_array) + vp->vp_first_page) << PAGE_SHIFT);
}

/*
 * The segment that pa, any address, is in, by binary search; NULL outside every
 * segment.  Takes no lock.
 * Source: FreeBSD main (2024), sys/vm/vm_phys.c, vm_phys_paddr_to_seg().
 */
struct vm_phys_seg *vm_phys_paddr_to_seg(struct vm_phys *vp, vm_paddr_t pa);
/*
 * The domain of pa, any address: that of its segment, or of the nearest segment
 * below for a gap.  Takes no lock.
 * Source: FreeBSD main (2024), sys/vm/vm_phys.c, vm_phys_domain().
 */
int vm_phys_domain(struct vm_phys *vp, vm_paddr_t pa);

/*
 * The buddy allocator.  Blocks are of 1 << order pages, order 0 to
 * VM_NFREEORDER - 1, aligned to their size.  Unless said otherwise the caller
 * holds the free queue lock of the domain, or of the page's.  Page counts of
 * the accounting layer below are not touched.
 * Source: FreeBSD main (2024), sys/vm/vm_phys.c, the functions of the same
 * names.
 */

/*
 * "vm page free queue" of the domain, which is the last in the lock order.
 * Source: FreeBSD main (2024), sys/vm/vm_pagequeue.h, vm_domain_free_lock().
 */
void vm_phys_lock(struct vm_phys *vp, int domain);
void vm_phys_unlock(struct vm_phys *vp, int domain);

/*
 * A block of the domain, from the free lists in the order of preference, the
 * smallest that does; another pool's if pool has none, which then moves.  NULL
 * when there is none; nothing has changed then.
 */
struct vm_page *
vm_phys_alloc_pages(struct vm_phys *vp, int domain, int pool, int order);

/*
 * Up to npages single pages of the domain, not necessarily in a row, to
 * pages[].
 * Returns how many there were.
 */
int vm_phys_alloc_npages(struct vm_phys *vp, int domain, int pool, int npages,
    struct vm_page **pages);

/*
 * Give a block back, that was allocated as such or is part of one; it is merged
 * with its free buddies.
 */
void vm_phys_free_pages(struct vm_phys *vp, struct vm_page *m, int order);

/*
 * Give npages pages in a row back, aligned in any way, within one segment; they
 * are merged with free buddies.
 */
void
vm_phys_free_contig(struct vm_phys *vp, struct vm_page *m, uint64_t npages);

/*
 * The same for pages whose outer neighbours, to which they could be joined, are
 * not free: nothing is merged.
 */
void
vm_phys_enqueue_contig(struct vm_phys *vp, struct vm_page *m, uint64_t npages);

/*
 * Take one page out of the free block that it is in, whose rest stays free.
 * Returns false, with nothing changed, if it is in none.
 */
bool vm_phys_unfree_page(struct vm_phys *vp, struct vm_page *m);

/*
 * npages pages, at least 1, in a row of the domain, in the highest segment that
 * has such a run.
 *
 *	low, high	bytes; the pages lie in [low, high)
 *	align		a power of two, bytes: of the first page; 0: none
 *	boundary	a power of two, bytes: a multiple of it that they do not
 *			cross; 0: none
 *
 * NULL when there is no such run; nothing has changed then.
 */
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
/*
 * One page, from the thread's page cache or the queues.  Neither VM_PAGE_SYSTEM
 * nor VM_PAGE_INTERRUPT: some pages are left in reserve.
 * Locks: the free queue's of the domain.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, vm_page_alloc_noobj_domain().
 */
struct vm_page *vm_page_alloc(struct vm_phys *vp, int domain, int flags);
/*
 * A page of an object, from a reservation if there can be one; the object is
 * write-locked.  The caller inserts it.
 * Locks: those of reservations, then the free queue's.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, vm_page_alloc_domain_after().
 */
struct vm_page *vm_page_alloc_at(struct vm_phys *vp, int domain,
    const struct vm_page_place *place, int flags);
/*
 * 1 << order pages in a row, naturally aligned, accounted; pool DEFAULT.
 * flags: without VM_PAGE_NOOBJ.  NULL when there is no such block; nothing has
 * changed then.
 * Locks: the free queue's of the domain.
 * Differs: FreeBSD has no such function; vm_page_alloc_contig() serves.
 */
struct vm_page *
vm_page_alloc_order(struct vm_phys *vp, int domain, int order, int flags);
/*
 * npages pages with the constraints of vm_phys_alloc_contig(), accounted.
 * Locks: the free queue's of the domain.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c,
 * vm_page_alloc_noobj_contig_domain().
 */
struct vm_page *vm_page_alloc_contig(struct vm_phys *vp, int domain,
    uint64_t npages, vm_paddr_t low, vm_paddr_t high, vm_paddr_t align,
    vm_paddr_t boundary, int flags);
/*
 * Give a page back: it is unmapped and in no object, and nobody else has it.
 * ref_count is reset.  PG_ZERO in flags promises that it is all zero.
 * Locks: its reservation's, if it is in one; the free queue's of its domain, or
 * none where the thread's page cache has room.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, vm_page_free_toq().
 */
void vm_page_free(struct vm_phys *vp, struct vm_page *m);
/*
 * vm_page_free() for a list through q_next, as delayed frees collect it, ended
 * by NULL.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, vm_page_free_pages_toq().
 */
void vm_page_free_list(struct vm_phys *vp, struct vm_page *first);

/*
 * Zero a page of simulated memory, which nobody else uses.  Takes no lock.
 * Source: FreeBSD main (2024), sys/amd64/amd64/pmap.c, pmap_zero_page().
 */
void vm_page_zero(struct vm_phys *vp, struct vm_page *m);

/*
 * Page m, which nobody else uses, becomes something else without being freed: who
 * reaches it through a translation of before commits a violation (mmu.h).  A page
 * that is freed needs none of this.  Takes no lock.
 * Differs: FreeBSD has no such function.
 */
void vm_page_new_epoch(struct vm_phys *vp, struct vm_page *m);

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
/* A number that changes whenever a page is freed. */
uint64_t vm_wait_token(struct vm_phys *vp);
/*
 * Sleeps.  The caller holds no lock but sx locks.  since: of vm_wait_token(),
 * read before the allocation that failed.
 * Source: FreeBSD main (2024), sys/vm/vm_page.c, vm_wait().
 */
void vm_wait(struct vm_phys *vp, uint64_t since);
/* Pages that an ordinary request may take off the queues now; a snapshot. */
uint64_t vm_available_pages(struct vm_phys *vp);
/*
 * Wait until so many pages can be had; the same panic.  Locks as vm_wait().
 * Differs: FreeBSD waits for a number that is the domain's, not the caller's.
 */
void vm_wait_min(struct vm_phys *vp, uint64_t npages);
/*
 * Begin and end being idle, in pairs, by the thread itself.
 * Differs: FreeBSD kills a process instead of finding out that none can go on.
 */
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
