/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAP_PV_TABLE_H
#define PMAP_PV_TABLE_H

/*
 * pv headers: for every superpage of physical memory a lock, the list of its
 * 2 MB mappings with a generation, and an invalidation generation.
 *
 * A layout says where the three lie for a physical address.  All layouts keep
 * the property on which everything relies: one lock per superpage, covering the
 * 2 MB list and the 512 lists of its pages, whichever segment a page is in.
 *
 * A header is packed by offsets that follow from the lock backend:
 *
 *	word in the header	lock | md_page | pv_invl_gen
 *	word in pv_gen		       md_page | pv_invl_gen
 */

#include "kern/kmem.h"
#include "lock/lock.h"
#include "phys/vm_phys.h"
#include "pmap/pv_list.h"
#include "pmapsim/machine.h"

struct pv_table;

/* What belongs to one superpage. */
struct pv_header {
	void *ph_word;         /* lock word of the backend */
	struct md_page *ph_md; /* 2 MB mappings and generation */
	_Atomic uint64_t *ph_invl_gen;
};

struct pv_layout_ops {
	const char *pvl_name;
	const char *pvl_descr; /* one line for people */
	/* Fill in pvt_*; 0 or errno.  On failure destroy is called. */
	int (*pvl_create)(struct pv_table *pvt);
	void (*pvl_destroy)(struct pv_table *pvt);
	/*
	 * The header of pa; m is its page, or NULL where the caller has none.
	 * Never fails: addresses outside every header get the dummy.
	 */
	void (*pvl_lookup)(struct pv_table *pvt, vm_paddr_t pa,
	    const struct vm_page *m, struct pv_header *ph);
};

extern const struct pv_layout_ops pv_hashed_ops;
extern const struct pv_layout_ops pv_ptrarray_ops;
extern const struct pv_layout_ops pv_sparse_ops;
extern const struct pv_layout_ops pv_segment_ops;

/* Headers that lie in a row: those of one segment, or of several. */
struct pv_extent {
	char *pe_base;     /* first header */
	uint64_t pe_count; /* headers */
	size_t pe_bytes;   /* allocated for them; 0: part of pvt_region */
	int pe_domain;     /* where they were allocated */
};

struct pv_table {
	/* First line: what a lookup reads. */
	const struct pv_layout_ops *pvt_ops;
	char *pvt_base;             /* headers, or locks of hashed */
	vm_paddr_t pvt_last_pa;     /* end of the last segment */
	size_t pvt_stride;          /* bytes from header to header */
	uint32_t pvt_md_off;        /* of md_page in a header */
	uint32_t pvt_invl_off;      /* of pv_invl_gen in a header */
	uint32_t pvt_word_off;      /* of the lock word in a header */
	uint32_t pvt_gen_mask;      /* bits of a header's pv_gen that count */
	void **pvt_ptrs;            /* ptrarray: by superpage */
	struct md_page *pvt_mds;    /* hashed: by superpage */
	_Atomic uint64_t *pvt_invl; /* hashed: by lock */
	uint64_t pvt_nlocks;        /* hashed */
	uint64_t pvt_hash_mask;     /* hashed: nlocks - 1 if a power of two */

	const struct pv_lock_ops *pvt_lock_ops;
	struct lock_object pvt_lock_object; /* name and class for the profile */
	uint32_t pvt_gen_one;  /* what one change adds to a header's pv_gen */
	bool pvt_gen_embedded; /* the lock word is the header's pv_gen */
	struct vm_phys *pvt_vp;
	struct kmem *pvt_kmem;
	const struct design *pvt_design;
	struct kva_region pvt_region; /* sparse, segment */
	struct pv_extent pvt_extents[VM_PHYSSEG_MAX];
	int pvt_nextents;
	void *pvt_dummy; /* a header, always empty */
	struct lock_object pvt_dummy_object;
	uint64_t pvt_nheaders; /* 2 MB lists, dummies not included */
	uint64_t pvt_bytes;    /* everything, see pv_header_report */
	uint64_t pvt_reserved_bytes;
};

int pv_table_create(struct vm_phys *vp, struct kmem *km, const struct design *d,
    struct pv_table **pvtp);
/* No lock is held.  Accepts a half-built table and NULL. */
void pv_table_destroy(struct pv_table *pvt);
void pv_table_report(struct pv_table *pvt, struct pv_header_report *phr);

/* Headers are visited one by one, where need not be, up to so many bytes. */
#define PV_WALK_MAX (UINT64_C(64) << 20)

/* Bytes of one header under a lock backend. */
size_t pv_header_bytes(const struct pv_lock_ops *ops);

/*
 * For layouts.  Record a row of count headers at base and make their locks
 * ready; 0 or errno.  A failure leaves a shorter row, or none, recorded.
 */
int pv_extent_add(
    struct pv_table *pvt, char *base, uint64_t count, size_t bytes, int domain);
/* Undo all rows' locks and free those that were allocated by themselves. */
void pv_extents_fini(struct pv_table *pvt);

/*
 * Call fn for the lock word of every header, or of every lock where the layout
 * has them apart; dummies not included.
 */
void pv_table_foreach_word(
    struct pv_table *pvt, void (*fn)(void *arg, void *word), void *arg);

static inline void
pv_header_at(const struct pv_table *pvt, void *h, struct pv_header *ph)
{
	char *p = h;

	ph->ph_word = p + pvt->pvt_word_off;
	ph->ph_md = (struct md_page *)(void *)(p + pvt->pvt_md_off);
	ph->ph_invl_gen = (_Atomic uint64_t *)(void *)(p + pvt->pvt_invl_off);
}

/*
 * "The pv list lock this thread holds, if any": what FreeBSD passes about as
 * struct rwlock **lockp.  At most one is held by a thread, ever.
 */
struct pv_held {
	void *pv_word;          /* NULL: none held */
	struct md_page *pv_pvh; /* 2 MB list of pv_region */
	uint64_t pv_region;     /* superpage number it was taken for */
	bool pv_modified;       /* a header's 2 MB list changed under it */
};
#define PV_HELD_NONE                                                           \
	{                                                                      \
		.pv_word = NULL, .pv_region = UINT64_MAX                       \
	}

void pv_word_lock(struct pv_table *pvt, void *word, const char *file, int line);
void
pv_word_rlock(struct pv_table *pvt, void *word, const char *file, int line);
void pv_word_unlock(struct pv_table *pvt, void *word, bool modified);
void pv_word_runlock(struct pv_table *pvt, void *word);

/* Hold the lock of m's superpage, and of no other.  May drop another. */
void pv_change_lock(struct pv_table *pvt, struct pv_held *held,
    const struct vm_page *m, vm_paddr_t pa, const char *file, int line);

static inline void
pv_release_lock(struct pv_table *pvt, struct pv_held *held)
{
	if (held->pv_word != NULL) {
		pv_word_unlock(pvt, held->pv_word, held->pv_modified);
		held->pv_word = NULL;
		held->pv_region = UINT64_MAX;
		held->pv_modified = false;
	}
}

#define CHANGE_PV_LIST_LOCK(pvt, held, m, pa)                                  \
	do {                                                                   \
		if ((held)->pv_region != (pa) >> PDRSHIFT)                     \
			pv_change_lock(                                        \
			    (pvt), (held), (m), (pa), __FILE__, __LINE__);     \
	} while (0)

/* The generation of a header's 2 MB list, lock bits removed. */
static inline uint32_t
pvh_gen(const struct pv_table *pvt, const struct md_page *pvh)
{
	/* Relaxed: compared by a holder of the lock that guards it. */
	return (atomic_load_explicit(&pvh->pv_gen, memory_order_relaxed) &
	    pvt->pvt_gen_mask);
}

/*
 * The 2 MB list of the lock in held has changed.  Where the lock lives in the
 * generation, it is the unlock that counts.
 */
static inline void
pvh_gen_bump(const struct pv_table *pvt, struct pv_held *held)
{
	if (pvt->pvt_gen_embedded)
		held->pv_modified = true;
	else
		md_gen_bump(held->pv_pvh);
}

/*
 * The calling thread's statement for assertions: it holds the lock under which
 * m's list may change.
 */
bool pv_lock_owned(struct pv_table *pvt, const struct vm_page *m);

/* Where m's list changes. */
#define PV_LIST_ASSERT_LOCKED(pvt, m)                                          \
	KASSERT(pv_lock_owned((pvt), (m)),                                     \
	    ("pv list of page %#jx changes without its lock",                  \
		(uintmax_t)VM_PAGE_TO_PHYS(m)))

#endif /* PMAP_PV_TABLE_H */
