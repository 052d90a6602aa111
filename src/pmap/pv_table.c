/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What the header layouts share: the shape of a header, taking and dropping its
 * lock, and the profile around that.
 *
 * td_pv_held names the word a thread holds: it is set once the lock is had and
 * cleared once it is gone.  It shows that a thread has at most one pv list lock,
 * and backends that do not know their owner answer by it.  gen2 must publish what
 * it holds before it has it, and does so itself (lock/held.h).
 */

#include "pmap/pv_table.h"

#include <errno.h>

#include "lock/lock_hooks.h"

/*
 * The lock of a table, where it is taken and released.  bench/direct.c names one
 * backend here, and then calls it directly: to say what the choice costs.
 */
#ifndef PV_LOCK_OPS
#define PV_LOCK_OPS(pvt) ((pvt)->pvt_lock_ops)
#endif

static const struct pv_layout_ops *const layouts[PVL_COUNT] = {
	[PVL_HASHED] = &pv_hashed_ops,
	[PVL_PTRARRAY] = &pv_ptrarray_ops,
	[PVL_SPARSE] = &pv_sparse_ops,
	[PVL_SEGMENT] = &pv_segment_ops,
};

#define ROUNDUP(n, a) (((n) + (a)-1) / (a) * (a))

size_t
pv_header_bytes(const struct pv_lock_ops *ops)
{
	size_t align = ops->plo_align > 8 ? ops->plo_align : 8;

	return (ROUNDUP(ROUNDUP(ops->plo_size, 8) + sizeof(struct md_page) +
		sizeof(uint64_t),
	    align));
}

static int
word_init(struct pv_table *pvt, void *h)
{
	if ((pvt->pvt_lock_ops->plo_flags & PLO_ZEROINIT) != 0)
		return (0);
	return (pvt->pvt_lock_ops->plo_init((char *)h + pvt->pvt_word_off));
}

static void
word_fini(struct pv_table *pvt, void *h)
{
	if (pvt->pvt_lock_ops->plo_destroy != NULL)
		pvt->pvt_lock_ops->plo_destroy((char *)h + pvt->pvt_word_off);
}

#define GEN_BEFORE_WRAP 8
/* Of a row: 128 GB.  Headers of a vast machine must not be touched for nothing. */
#define GEN_AGED_MAX 65536

/* A generation that carries a lock begins just short of its wrap. */
static void
word_age(struct pv_table *pvt, void *h)
{
	_Atomic uint32_t *gen =
	    (_Atomic uint32_t *)(void *)((char *)h + pvt->pvt_word_off);

	/* Relaxed: nobody knows the header yet. */
	atomic_store_explicit(
	    gen, 0 - GEN_BEFORE_WRAP * pvt->pvt_gen_one, memory_order_relaxed);
}

int
pv_extent_add(
    struct pv_table *pvt, char *base, uint64_t count, size_t bytes, int domain)
{
	struct pv_extent *pe = &pvt->pvt_extents[pvt->pvt_nextents++];
	int error;

	*pe = (struct pv_extent){
		.pe_base = base,
		.pe_bytes = bytes,
		.pe_domain = domain,
	};
	if (INVARIANTS_ENABLED && pvt->pvt_gen_embedded) {
		/* Every run crosses the wrap. */
		for (uint64_t i = 0; i < count && i < GEN_AGED_MAX; i++)
			word_age(pvt, base + i * pvt->pvt_stride);
	}
	/* Zero is ready for most backends: then no header is touched. */
	if ((pvt->pvt_lock_ops->plo_flags & PLO_ZEROINIT) != 0)
		pe->pe_count = count;
	for (; pe->pe_count < count; pe->pe_count++) {
		error = word_init(pvt, base + pe->pe_count * pvt->pvt_stride);
		if (error != 0)
			return (error);
	}
	return (0);
}

/*
 * Must words be destroyed one by one?  Those that zero makes ready have nothing
 * to give back: their plo_destroy only asserts, and is not worth the memory of a
 * large table that nobody touched.
 */
static bool
words_need_fini(const struct pv_table *pvt)
{
	if (pvt->pvt_lock_ops->plo_destroy == NULL)
		return (false);
	return ((pvt->pvt_lock_ops->plo_flags & PLO_ZEROINIT) == 0 ||
	    pvt->pvt_nheaders * pvt->pvt_stride <= PV_WALK_MAX);
}

void
pv_extents_fini(struct pv_table *pvt)
{
	bool fini = words_need_fini(pvt);
	struct pv_extent *pe;
	uint64_t i;

	while (pvt->pvt_nextents > 0) {
		pe = &pvt->pvt_extents[--pvt->pvt_nextents];
		if (fini) {
			for (i = 0; i < pe->pe_count; i++)
				word_fini(
				    pvt, pe->pe_base + i * pvt->pvt_stride);
		}
		if (pe->pe_bytes != 0)
			kmem_free(pvt->pvt_kmem, pe->pe_base, pe->pe_bytes,
			    M_PVHEADER, pe->pe_domain);
	}
}

void
pv_table_foreach_word(
    struct pv_table *pvt, void (*fn)(void *arg, void *word), void *arg)
{
	const struct pv_extent *pe;
	uint64_t j;
	int i;

	for (i = 0; i < pvt->pvt_nextents; i++) {
		pe = &pvt->pvt_extents[i];
		for (j = 0; j < pe->pe_count; j++)
			fn(arg,
			    pe->pe_base + j * pvt->pvt_stride +
				pvt->pvt_word_off);
	}
}

static void
header_shape(struct pv_table *pvt)
{
	const struct pv_lock_ops *ops = pvt->pvt_lock_ops;

	pvt->pvt_stride = pv_header_bytes(ops);
	pvt->pvt_gen_embedded = ops->plo_size == 0;
	pvt->pvt_md_off = (uint32_t)ROUNDUP(ops->plo_size, 8);
	pvt->pvt_invl_off = pvt->pvt_md_off + (uint32_t)sizeof(struct md_page);
	pvt->pvt_word_off = pvt->pvt_gen_embedded
	    ? pvt->pvt_md_off + (uint32_t)offsetof(struct md_page, pv_gen)
	    : 0;
	pvt->pvt_gen_one = pvt->pvt_gen_embedded ? 1u << ops->plo_gen_bits : 1;
	pvt->pvt_gen_mask = ~(pvt->pvt_gen_one - 1);
}

int
pv_table_create(struct vm_phys *vp, struct kmem *km, const struct design *d,
    struct pv_table **pvtp)
{
	struct pv_table *pvt;
	int error;

	pvt = kmem_alloc(
	    km, sizeof(*pvt), CACHE_LINE_SIZE, M_MACHINE, KMEM_ANYDOMAIN);
	if (pvt == NULL)
		return (ENOMEM);
	pvt->pvt_ops = layouts[d->d_layout];
	pvt->pvt_lock_ops = d->d_lock;
	pvt->pvt_design = d;
	pvt->pvt_vp = vp;
	pvt->pvt_kmem = km;
	pvt->pvt_last_pa = vp->vp_segs[vp->vp_nsegs - 1].end;
	/* Designs are compared by one row of the profile, whatever the lock. */
	pvt->pvt_lock_object.lo_name = "pmap pv list";
	pvt->pvt_lock_object.lo_flags = LC_RW;
	pvt->pvt_dummy_object.lo_name = "pmap pv list dummy";
	pvt->pvt_dummy_object.lo_flags = LC_RW;
	header_shape(pvt);

	error = PV_LOCK_OPS(pvt) == d->d_lock ? pvt->pvt_ops->pvl_create(pvt)
					      : ENOTSUP;
	if (error != 0)
		goto fail;
	/*
	 * The dummy comes when the layout has said where a word lies, and is
	 * charged apart: it is not part of what a layout costs.
	 */
	pvt->pvt_dummy = kmem_alloc(
	    km, PV_LOCK_WORD_MAX + 64, 64, M_MACHINE, KMEM_ANYDOMAIN);
	if (pvt->pvt_dummy == NULL) {
		error = ENOMEM;
		goto fail;
	}
	error = word_init(pvt, pvt->pvt_dummy);
	if (error != 0) {
		kmem_free(km, pvt->pvt_dummy, PV_LOCK_WORD_MAX + 64, M_MACHINE,
		    KMEM_ANYDOMAIN);
		pvt->pvt_dummy = NULL;
		goto fail;
	}
	*pvtp = pvt;
	return (0);

fail:
	pv_table_destroy(pvt);
	return (error);
}

void
pv_table_destroy(struct pv_table *pvt)
{
	struct kmem *km;

	if (pvt == NULL)
		return;
	km = pvt->pvt_kmem;
	pvt->pvt_ops->pvl_destroy(pvt);
	if (pvt->pvt_dummy != NULL) {
		word_fini(pvt, pvt->pvt_dummy);
		kmem_free(km, pvt->pvt_dummy, PV_LOCK_WORD_MAX + 64, M_MACHINE,
		    KMEM_ANYDOMAIN);
	}
	kmem_free(km, pvt, sizeof(*pvt), M_MACHINE, KMEM_ANYDOMAIN);
}

void
pv_table_report(struct pv_table *pvt, struct pv_header_report *phr)
{
	const struct vm_phys *vp = pvt->pvt_vp;
	uint64_t first, last, next = 0;
	int i;

	/* Where locks are apart, what there is for each superpage. */
	phr->phr_header_bytes = pvt->pvt_mds != NULL
	    ? sizeof(pvt->pvt_mds[0])
	    : pv_header_bytes(pvt->pvt_lock_ops);
	phr->phr_headers = pvt->pvt_nheaders;
	phr->phr_total_bytes = pvt->pvt_bytes;
	phr->phr_reserved_bytes = pvt->pvt_reserved_bytes;
	phr->phr_superpages = 0;
	for (i = 0; i < vp->vp_nsegs; i++) {
		first = vp->vp_segs[i].start >> PDRSHIFT;
		last = (vp->vp_segs[i].end - 1) >> PDRSHIFT;
		if (first < next)
			first = next;
		if (first <= last)
			phr->phr_superpages += last - first + 1;
		next = last + 1;
	}
}

static const struct lock_object *
word_object(const struct pv_table *pvt, const void *word)
{
	if (word == (const char *)pvt->pvt_dummy + pvt->pvt_word_off)
		return (&pvt->pvt_dummy_object);
	return (&pvt->pvt_lock_object);
}

/*
 * The profile or witness looks on.  By themselves, since what they need would be
 * paid for in registers by all others.
 */
__slowpath static void
word_lock_hooked(struct pv_table *pvt, struct thread *td, void *word,
    const char *file, int line)
{
	const struct pv_lock_ops *ops = PV_LOCK_OPS(pvt);
	const struct lock_object *lo = word_object(pvt, word);
	uint64_t t0 = 0;

	lock_hook_want(td, lo, word, LOP_EXCLUSIVE, file, line);
	if (!ops->plo_trylock(word)) {
		t0 = lock_hook_contested(td, lo);
		ops->plo_lock(word);
	}
	lock_hook_acquired(td, lo, word, t0, LOP_EXCLUSIVE, file, line);
}

void
pv_word_lock(struct pv_table *pvt, void *word, const char *file, int line)
{
	struct thread *td = curthread();

	KASSERT(td->td_pv_held == NULL,
	    ("pv list lock %p wanted while %p is held", word, td->td_pv_held));
	if (__predict_false(lock_hooked(td)))
		word_lock_hooked(pvt, td, word, file, line);
	else
		PV_LOCK_OPS(pvt)->plo_lock(word);
	td->td_pv_held = word;
	counter_add(&td->td_counters, CTR_PV_LOCKS, 1);
}

void
pv_word_rlock(struct pv_table *pvt, void *word, const char *file, int line)
{
	const struct pv_lock_ops *ops = PV_LOCK_OPS(pvt);
	const struct lock_object *lo;
	struct thread *td = curthread();
	uint64_t t0 = 0;

	if (ops->plo_rlock == NULL) {
		pv_word_lock(pvt, word, file, line);
		return;
	}
	KASSERT(td->td_pv_held == NULL,
	    ("pv list lock %p wanted while %p is held", word, td->td_pv_held));
	if (lock_hooked(td)) {
		lo = word_object(pvt, word);
		lock_hook_want(td, lo, word, 0, file, line);
		if (!ops->plo_tryrlock(word)) {
			t0 = lock_hook_contested(td, lo);
			ops->plo_rlock(word);
		}
		lock_hook_acquired(td, lo, word, t0, 0, file, line);
	} else {
		ops->plo_rlock(word);
	}
	td->td_pv_held = word;
	counter_add(&td->td_counters, CTR_PV_LOCKS, 1);
}

void
pv_word_unlock(struct pv_table *pvt, void *word, bool modified)
{
	struct thread *td = curthread();

	KASSERT(td->td_pv_held == word,
	    ("pv list lock %p released, %p is held", word, td->td_pv_held));
	if (lock_hooked(td))
		lock_hook_release(td, word);
	PV_LOCK_OPS(pvt)->plo_unlock(word, modified && pvt->pvt_gen_embedded);
	td->td_pv_held = NULL;
}

void
pv_word_runlock(struct pv_table *pvt, void *word)
{
	struct thread *td = curthread();

	if (PV_LOCK_OPS(pvt)->plo_rlock == NULL) {
		pv_word_unlock(pvt, word, false);
		return;
	}
	KASSERT(td->td_pv_held == word,
	    ("pv list lock %p released, %p is held", word, td->td_pv_held));
	if (lock_hooked(td))
		lock_hook_release(td, word);
	PV_LOCK_OPS(pvt)->plo_runlock(word);
	td->td_pv_held = NULL;
}

void
pv_change_lock(struct pv_table *pvt, struct pv_held *held,
    const struct vm_page *m, vm_paddr_t pa, const char *file, int line)
{
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, pa, m, &ph);
	held->pv_pvh = ph.ph_md;
	/* Two superpages may hash to one lock: then it stays held. */
	if (held->pv_word != ph.ph_word) {
		if (held->pv_word != NULL)
			pv_word_unlock(pvt, held->pv_word, held->pv_modified);
		held->pv_modified = false;
		held->pv_word = ph.ph_word;
		pv_word_lock(pvt, ph.ph_word, file, line);
	}
	held->pv_region = pa >> PDRSHIFT;
}

bool
pv_lock_owned(struct pv_table *pvt, const struct vm_page *m)
{
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(
	    pvt, vm_page_index_to_phys(pvt->pvt_vp, m), m, &ph);
	if (curthread()->td_pv_held != ph.ph_word)
		return (false);
	return (pvt->pvt_lock_ops->plo_owned == NULL ||
	    pvt->pvt_lock_ops->plo_owned(ph.ph_word));
}
