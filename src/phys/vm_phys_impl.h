/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PHYS_VM_PHYS_IMPL_H
#define PHYS_VM_PHYS_IMPL_H

/*
 * What the files of src/phys share, and tests that look inside.
 *
 * Locking key.
 *	l - the domain's free queue lock, "vm page free queue"
 *	w - the wait lock, "vm domainset"
 *	t - the thread that the cache belongs to
 *	a - atomic
 *	c - constant once the machine is created
 */

#include "kern/bug.h"
#include "kern/kassert.h"
#include "phys/vm_phys.h"
#include "sim/sim.h"

#define VM_ORDER_MAX    (VM_NFREEORDER - 1)
#define VM_ORDER_PAGES  (UINT64_C(1) << VM_ORDER_MAX) /* in a largest block */
#define VM_BLOCK_SHIFT  (PAGE_SHIFT + VM_ORDER_MAX)
#define VM_ORDER_INV(o) ((uint8_t)(VM_NFREEORDER - (o)))
_Static_assert(VM_BLOCK_SHIFT == 24, "a largest block is 16 MiB");
_Static_assert(VM_NFREEORDER <= UINT8_MAX, "order_inv is a byte");
_Static_assert(VM_PHYSSEG_MAX < UINT8_MAX, "segind, plus one, is a byte");
_Static_assert(VM_PHYSSEG_MAX <= 64, "fl_pristine has a bit a segment");
_Static_assert(VM_FREEPOOL_DEFAULT == 0, "zeroed descriptors are in it");

/* The blocks of one list, pool and order that have descriptors filled in. */
struct vm_freeq {
	struct vm_page *fq_first; /* (l) */
	struct vm_page *fq_last;  /* (l) */
	uint64_t fq_count;        /* (l) */
};

/* All queues of one domain and one free list.  See vm_buddy.c for pristine. */
struct vm_freelist {
	struct vm_freeq fl_queues[VM_NFREEPOOL][VM_NFREEORDER];
	uint64_t fl_pristine;       /* (l) bit s: segment s has such blocks */
	uint64_t fl_pristine_count; /* (l) how many, over all segments */
};

/* The pristine blocks of one segment. */
struct vm_pristine {
	uint64_t vpr_first;  /* (c) number (PA >> 24) of the block of bit 0 */
	uint64_t vpr_blocks; /* (c) bits in vpr_bits */
	uint64_t vpr_count;  /* (l) bits set */
	uint64_t vpr_hint;   /* (l) no word before this one has a bit set */
	uint64_t *vpr_bits;  /* (l) */
};

struct vm_domain {
	int vmd_domain;                  /* (c) */
	bool vmd_has_pgcache;            /* (c) */
	uint64_t vmd_seg_pages;          /* (c) in segments */
	uint64_t vmd_blacklisted;        /* (c) of those */
	uint64_t vmd_withdrawn;          /* (c) of those */
	uint64_t vmd_page_count;         /* (c) the others */
	uint64_t vmd_free_reserved;      /* (c) kept from VM_ALLOC_NORMAL */
	uint64_t vmd_interrupt_free_min; /* (c) kept from VM_ALLOC_SYSTEM */

	_Alignas(CACHE_PAIR_SIZE) struct mtx_padalign vmd_lock;
	struct vm_freelist vmd_lists[VM_NFREELIST];
	uint64_t vmd_out; /* (l) of vmd_page_count, not on a queue */

	/* Pages on queues, and slots of reservations, nobody has charged. */
	_Alignas(CACHE_PAIR_SIZE) _Atomic uint64_t vmd_free_count; /* (a) */
	_Atomic uint64_t vmd_freed; /* (a) grows when pages can be had again */
};

/* Assumed, as recollected of uma(9): a bucket has at most 256 items. */
#define VM_PGCACHE_MAX 256

/* Pages of one domain and pool. */
struct vm_pgcache_pool {
	_Atomic uint32_t pgp_count; /* (t) to write, (a) to read */
	struct vm_page *pgp_pages[VM_PGCACHE_MAX]; /* (t) */
};

/*
 * Pages cached by one thread.  Such a struct is reused by a later thread and freed
 * with the machine, so that others can read the counts.
 */
struct vm_pgcache {
	struct vm_phys *pgc_vp;      /* (c) */
	int pgc_home;                /* (c) domain that this memory is in */
	_Atomic bool pgc_used;       /* (a) a thread has it */
	struct vm_pgcache *pgc_next; /* (c) */
	struct vm_pgcache_pool pgc_pools[][VM_NFREEPOOL]; /* by domain */
};

/* A thread in vm_wait(), on its stack. */
struct vm_waiter {
	struct thread *vmw_td;
	struct vm_waiter *vmw_next; /* (w) */
	uint64_t vmw_npages;        /* (c) that are enough; 0: any is */
	_Atomic bool vmw_woken;     /* (a) */
};

struct vm_phys_private {
	int vpp_flind[VM_NFREELIST]; /* (c) index of a free list; < 0: none */
	struct vm_pristine vpp_pristine[VM_PHYSSEG_MAX];
	uint64_t *vpp_bits;        /* (c) all vpr_bits in one block */
	size_t vpp_bits_size;      /* (c) bytes */
	vm_paddr_t *vpp_blacklist; /* (c) pages taken off the queues */
	size_t vpp_nblacklist;     /* (c) */
	size_t vpp_blacklist_size; /* (c) bytes allocated */
	bool vpp_eager;            /* (c) */
	bool vpp_no_pgcache;       /* (c) */
	uint64_t vpp_bugs;         /* (c) of kern/bug.h */

	struct vm_pgcache *_Atomic vpp_pgcaches; /* (a) never shortened */

	/* Read at each free, written when threads run out of memory. */
	_Alignas(CACHE_PAIR_SIZE) _Atomic uint32_t vpp_nwaiters; /* (w), (a) */

	_Alignas(CACHE_PAIR_SIZE) struct mtx vpp_wait_lock;
	struct vm_waiter *vpp_waiters; /* (w) */
	_Atomic uint32_t vpp_nthreads; /* (a) attached threads */
	uint32_t vpp_nidle;            /* (w) of those */
};

#define VM_BUG(vp, name) BUG_IN((vp)->vp_private->vpp_bugs, name)

static inline int
vm_phys_segind(const struct vm_phys *vp, const struct vm_phys_seg *seg)
{
	return ((int)(seg - vp->vp_segs));
}

static inline struct vm_phys_seg *
vm_page_seg(struct vm_phys *vp, const struct vm_page *m)
{
	KASSERT(m->segind != 0 && m->segind <= vp->vp_nsegs,
	    ("page %p: segment %d", (const void *)m, m->segind - 1));
	return (&vp->vp_segs[m->segind - 1]);
}

static inline int
vm_page_domain(struct vm_phys *vp, const struct vm_page *m)
{
	return (vm_page_seg(vp, m)->domain);
}

static inline struct vm_page *
vm_seg_page(const struct vm_phys_seg *seg, vm_paddr_t pa)
{
	return (&seg->first_page[(pa - seg->start) >> PAGE_SHIFT]);
}

/* Fill in what a zeroed descriptor lacks. */
static inline void
vm_page_materialise(struct vm_phys *vp, struct vm_page *m, int segind)
{
	if (m->segind == 0) {
		m->phys_addr = vm_page_index_to_phys(vp, m);
		m->segind = (uint8_t)(segind + 1);
	}
}

/* vm_phys_boot.c.  Returns 0, ENOMEM. */
int vm_phys_boot(struct vm_phys *vp, const struct vm_phys_config *vpc);

/*
 * vm_buddy.c.  None of these looks at locks, as the creator of a machine needs
 * none; everybody else holds the free queue lock of the domain.
 */

/* Queue all pages of a segment. */
void vm_buddy_boot_release(struct vm_phys *vp, int segind);

struct vm_page *
vm_buddy_alloc(struct vm_phys *vp, int domain, int pool, int order);

/* Queue 2^order pages, merging them with their buddies. */
void vm_buddy_free(struct vm_phys *vp, struct vm_page *m, int order);

/* Queue 2^order pages at m, which nothing can merge with. */
void vm_buddy_add(struct vm_phys *vp, const struct vm_phys_seg *seg,
    struct vm_page *m, int pool, int order, bool at_tail);

/*
 * Queue npages (or no) pages that are the end of a block, so that their number,
 * read from its lowest bit up, is their decomposition.
 */
void vm_buddy_add_residue(struct vm_phys *vp, const struct vm_phys_seg *seg,
    struct vm_page *m, uint64_t npages, int pool, bool at_tail);

/* Take the block that begins at pa off its queue.  NULL where none does. */
struct vm_page *vm_buddy_take(
    struct vm_phys *vp, const struct vm_phys_seg *seg, vm_paddr_t pa, int *op);

bool vm_buddy_is_pristine(
    const struct vm_phys *vp, const struct vm_phys_seg *seg, vm_paddr_t pa);

/* Take a pristine block off its queue for good, without touching it. */
void vm_buddy_drop_pristine(
    struct vm_phys *vp, const struct vm_phys_seg *seg, vm_paddr_t pa);

/* Does a free block of the largest order begin at pa? */
static inline bool
vm_buddy_is_max(
    const struct vm_phys *vp, const struct vm_phys_seg *seg, vm_paddr_t pa)
{
	return (vm_buddy_is_pristine(vp, seg, pa) ||
	    vm_seg_page(seg, pa)->order_inv == VM_ORDER_INV(VM_ORDER_MAX));
}

/* Put all pages of a block of that order into pool. */
void vm_buddy_set_pool(struct vm_page *m, int order, int pool);

/* Fill in the descriptors of npages pages of one segment; that of m is. */
void vm_buddy_hand_out(struct vm_phys *vp, struct vm_page *m, uint64_t npages);

/*
 * The largest order of a block that begins at page number pfn, or ends before
 * it, and has no more than npages pages (> 0).
 */
static inline int
vm_buddy_order(uint64_t pfn, uint64_t npages)
{
	int align = pfn == 0 ? VM_ORDER_MAX : __builtin_ctzll(pfn);
	int fit = 63 - __builtin_clzll(npages);
	int order = align < fit ? align : fit;

	return (order < VM_ORDER_MAX ? order : VM_ORDER_MAX);
}

/* vm_contig.c; as above. */
bool vm_buddy_unfree(struct vm_phys *vp, struct vm_page *m);

/* vm_page.c: to and from the queues of a domain, accounted. */
bool vm_domain_reserve(
    struct vm_domain *vmd, enum vm_alloc_class class, uint64_t npages);
void vm_domain_unreserve(struct vm_domain *vmd, uint64_t npages);
void
vm_domain_freed(struct vm_phys *vp, struct vm_domain *vmd, uint64_t npages);

/* vm_pgcache.c; td's own cache only. */
struct vm_page *
vm_pgcache_alloc(struct vm_phys *vp, struct vm_domain *vmd, int pool);
bool vm_pgcache_free(struct vm_phys *vp, struct vm_page *m);
uint64_t vm_pgcache_drain(struct vm_phys *vp);
uint64_t vm_pgcache_count(struct vm_phys *vp, int domain);
void vm_pgcache_destroy(struct vm_phys *vp);

/* vm_wait.c */
/* vm_domain_unreserve() of what others may wait for. */
void
vm_domain_refund(struct vm_phys *vp, struct vm_domain *vmd, uint64_t npages);
void vm_wait_wakeup(struct vm_phys *vp);
void vm_wait_thread_gone(struct vm_phys *vp);

#endif /* PHYS_VM_PHYS_IMPL_H */
