/* SPDX-License-Identifier: BSD-2-Clause */
#include "buddy_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The model knows two lists by their first-come index, as the machine does. */
static int
list_of(const struct model *mo, uint64_t pfn)
{
	const struct vm_phys *vp = mo->mo_vp;

	for (int i = 0; i < vp->vp_nsegs; i++) {
		const struct vm_phys_seg *seg = &vp->vp_segs[i];

		if (pfn >= seg->start >> PAGE_SHIFT &&
		    pfn < seg->end >> PAGE_SHIFT) {
			return ((int)(seg->free_queues -
			    vp->vp_domains[0]->vmd_lists));
		}
	}
	abort();
}

static const struct vm_phys_seg *
seg_of(const struct model *mo, uint64_t pfn)
{
	const struct vm_phys *vp = mo->mo_vp;

	for (int i = 0; i < vp->vp_nsegs; i++) {
		if (pfn >= vp->vp_segs[i].start >> PAGE_SHIFT &&
		    pfn < vp->vp_segs[i].end >> PAGE_SHIFT)
			return (&vp->vp_segs[i]);
	}
	return (NULL);
}

static struct model_queue *
queue_of(struct model *mo, uint64_t pfn, int order)
{
	return (&mo->mo_queues[list_of(mo, pfn)][mo->mo_pool[pfn]][order]);
}

static void
insert(struct model_queue *mq, unsigned at, uint64_t pfn)
{
	if (mq->mq_n == MODEL_QUEUE_MAX)
		abort();
	memmove(&mq->mq_pfn[at + 1], &mq->mq_pfn[at],
	    (mq->mq_n - at) * sizeof(mq->mq_pfn[0]));
	mq->mq_pfn[at] = (uint32_t)pfn;
	mq->mq_n++;
}

static bool
take(struct model_queue *mq, uint64_t pfn)
{
	for (unsigned i = 0; i < mq->mq_n; i++) {
		if (mq->mq_pfn[i] != pfn)
			continue;
		mq->mq_n--;
		memmove(&mq->mq_pfn[i], &mq->mq_pfn[i + 1],
		    (mq->mq_n - i) * sizeof(mq->mq_pfn[0]));
		return (true);
	}
	return (false);
}

static void
mark(struct model *mo, uint64_t pfn, uint64_t npages, int pool, bool is_free)
{
	for (uint64_t i = pfn; i < pfn + npages; i++) {
		mo->mo_pool[i] = (uint8_t)pool;
		mo->mo_free[i] = is_free;
	}
}

static void
put(struct model *mo, uint64_t pfn, int pool, int order, bool at_tail)
{
	struct model_queue *mq;

	mark(mo, pfn, UINT64_C(1) << order, pool, true);
	mq = queue_of(mo, pfn, order);
	insert(mq, at_tail ? mq->mq_n : 0, pfn);
}

/* The order of the largest block that begins at pfn. */
static int
first_order(uint64_t pfn, uint64_t npages)
{
	int order = VM_ORDER_MAX;

	while (
	    pfn % (UINT64_C(1) << order) != 0 || UINT64_C(1) << order > npages)
		order--;
	return (order);
}

/* Queue the largest blocks that fit, upwards. */
static void
put_run(struct model *mo, uint64_t pfn, uint64_t npages, int pool, bool at_tail)
{
	int order;

	while (npages > 0) {
		order = first_order(pfn, npages);
		put(mo, pfn, pool, order, at_tail);
		pfn += UINT64_C(1) << order;
		npages -= UINT64_C(1) << order;
	}
}

void
model_init(struct model *mo, const struct vm_phys *vp)
{
	memset(mo, 0, sizeof(*mo));
	mo->mo_vp = vp;
	for (int i = 0; i < vp->vp_nsegs; i++) {
		const struct vm_phys_seg *seg = &vp->vp_segs[i];

		put_run(mo, seg->start >> PAGE_SHIFT,
		    (seg->end - seg->start) >> PAGE_SHIFT, 0, true);
	}
}

/* Take the block off its queue and give what is not wanted back. */
static uint64_t
use(struct model *mo, struct model_queue *mq, int order, int pool,
    uint64_t npages)
{
	uint64_t pfn = mq->mq_pfn[0];
	uint64_t size = UINT64_C(1) << order;

	(void)take(mq, pfn);
	mark(mo, pfn, size, pool, false);
	put_run(mo, pfn + npages, size - npages, pool, true);
	return (pfn);
}

uint64_t
model_alloc(struct model *mo, int pool, int order)
{
	uint64_t n = UINT64_C(1) << order;

	for (int l = 0; l < MODEL_LISTS; l++) {
		for (int o = order; o < VM_NFREEORDER; o++) {
			if (mo->mo_queues[l][pool][o].mq_n > 0) {
				return (use(mo, &mo->mo_queues[l][pool][o], o,
				    pool, n));
			}
		}
		for (int o = VM_ORDER_MAX; o >= order; o--) {
			for (int p = 0; p < VM_NFREEPOOL; p++) {
				if (mo->mo_queues[l][p][o].mq_n > 0) {
					return (use(mo, &mo->mo_queues[l][p][o],
					    o, pool, n));
				}
			}
		}
	}
	return (MODEL_NONE);
}

/* Up to npages - got pages from the head of a queue. */
static int
use_some(struct model *mo, struct model_queue *mq, int order, int pool, int got,
    int npages, uint64_t *pfns)
{
	uint64_t n, pfn;

	n = (uint64_t)(npages - got);
	if (n > UINT64_C(1) << order)
		n = UINT64_C(1) << order;
	pfn = use(mo, mq, order, pool, n);
	while (n-- > 0)
		pfns[got++] = pfn++;
	return (got);
}

int
model_alloc_npages(struct model *mo, int pool, int npages, uint64_t *pfns)
{
	struct model_queue *mq;
	int got = 0;

	for (int l = 0; l < MODEL_LISTS; l++) {
		for (int o = 0; o < VM_NFREEORDER; o++) {
			mq = &mo->mo_queues[l][pool][o];
			while (got < npages && mq->mq_n > 0) {
				got = use_some(
				    mo, mq, o, pool, got, npages, pfns);
			}
		}
		for (int o = VM_ORDER_MAX; o >= 0; o--) {
			for (int p = 0; p < VM_NFREEPOOL; p++) {
				mq = &mo->mo_queues[l][p][o];
				while (got < npages && mq->mq_n > 0) {
					got = use_some(
					    mo, mq, o, pool, got, npages, pfns);
				}
			}
		}
	}
	return (got);
}

static bool
run_fits(const struct model *mo, const struct vm_phys_seg *seg, uint64_t pfn,
    int order, uint64_t npages, vm_paddr_t low, vm_paddr_t high,
    vm_paddr_t align, vm_paddr_t boundary)
{
	vm_paddr_t end, pa = pfn << PAGE_SHIFT;

	end = pa + (npages << PAGE_SHIFT);
	if (pa < low || end > high || pa < seg->start || end > seg->end)
		return (false);
	if (align > 1 && pa % align != 0)
		return (false);
	if (boundary != 0 && pa / boundary != (end - 1) / boundary)
		return (false);
	if (order < VM_ORDER_MAX || npages <= VM_ORDER_PAGES)
		return (true);
	for (uint64_t i = pfn; i < pfn + npages; i += VM_ORDER_PAGES) {
		bool found = false;

		for (int p = 0; p < VM_NFREEPOOL; p++) {
			const struct model_queue *mq =
			    &mo->mo_queues[list_of(mo, i)][p][VM_ORDER_MAX];

			for (unsigned j = 0; j < mq->mq_n; j++)
				found |= mq->mq_pfn[j] == i;
		}
		if (!found)
			return (false);
	}
	return (true);
}

/* Take every block that begins in the run; the excess goes to the heads. */
static uint64_t
use_run(struct model *mo, uint64_t pfn, uint64_t npages)
{
	uint64_t i = pfn;
	int o;

	while (i < pfn + npages) {
		for (o = 0; !take(queue_of(mo, i, o), i); o++)
			continue;
		mark(mo, i, UINT64_C(1) << o, VM_FREEPOOL_DEFAULT, false);
		i += UINT64_C(1) << o;
	}
	put_run(mo, pfn + npages, i - pfn - npages, VM_FREEPOOL_DEFAULT, false);
	return (pfn);
}

uint64_t
model_alloc_contig(struct model *mo, uint64_t npages, vm_paddr_t low,
    vm_paddr_t high, vm_paddr_t align, vm_paddr_t boundary)
{
	const struct vm_phys_seg *seg;
	struct model_queue *mq;
	int first = 0, list;

	while (first < VM_ORDER_MAX && UINT64_C(1) << first < npages)
		first++;
	for (int s = mo->mo_vp->vp_nsegs - 1; s >= 0; s--) {
		seg = &mo->mo_vp->vp_segs[s];
		list = list_of(mo, seg->start >> PAGE_SHIFT);
		for (int o = first; o < VM_NFREEORDER; o++) {
			for (int p = 0; p < VM_NFREEPOOL; p++) {
				mq = &mo->mo_queues[list][p][o];
				for (unsigned i = 0; i < mq->mq_n; i++) {
					if (run_fits(mo, seg, mq->mq_pfn[i], o,
						npages, low, high, align,
						boundary)) {
						return (use_run(
						    mo, mq->mq_pfn[i], npages));
					}
				}
			}
		}
	}
	return (MODEL_NONE);
}

void
model_free(struct model *mo, uint64_t pfn, int order)
{
	const struct vm_phys_seg *seg = seg_of(mo, pfn);
	int pool = mo->mo_pool[pfn];
	uint64_t buddy;

	for (; order < VM_ORDER_MAX; order++) {
		buddy = pfn ^ UINT64_C(1) << order;
		if (seg_of(mo, buddy) != seg ||
		    !take(queue_of(mo, buddy, order), buddy))
			break;
		pfn = buddy < pfn ? buddy : pfn;
	}
	put(mo, pfn, pool, order, true);
}

void
model_free_blocks(struct model *mo, uint64_t pfn, uint64_t npages)
{
	int order;

	mark(mo, pfn, npages, mo->mo_pool[pfn], false);
	while (npages > 0) {
		order = first_order(pfn, npages);
		model_free(mo, pfn, order);
		pfn += UINT64_C(1) << order;
		npages -= UINT64_C(1) << order;
	}
}

void
model_free_contig(struct model *mo, uint64_t pfn, uint64_t npages)
{
	uint64_t first = pfn, last = pfn;
	int order, pool = mo->mo_pool[pfn];

	mark(mo, pfn, npages, pool, false);
	while (npages > 0) {
		order = first_order(pfn, npages);
		npages -= UINT64_C(1) << order;
		if (pfn != first && npages > 0)
			put(mo, pfn, pool, order, true);
		last = pfn;
		pfn += UINT64_C(1) << order;
	}
	model_free(mo, first, first_order(first, pfn - first));
	if (last != first)
		model_free(mo, last, first_order(last, pfn - last));
}

bool
model_unfree(struct model *mo, uint64_t pfn)
{
	uint64_t head, half, size;
	int order, pool;

	if (seg_of(mo, pfn) == NULL || !mo->mo_free[pfn])
		return (false);
	for (order = 0;; order++) {
		head = pfn >> order << order;
		if (take(queue_of(mo, head, order), head))
			break;
	}
	pool = mo->mo_pool[head];
	while (order > 0) {
		order--;
		size = UINT64_C(1) << order;
		half = head + size;
		if (pfn >= half) {
			put(mo, head, pool, order, false);
			head = half;
		} else
			put(mo, half, pool, order, false);
	}
	mo->mo_free[pfn] = false;
	return (true);
}

/* The machine's queue as an array: pristine blocks, then the list. */
static unsigned
read_queue(
    const struct vm_phys *vp, int list, int pool, int order, uint32_t *pfns)
{
	const struct vm_freelist *fl = &vp->vp_domains[0]->vmd_lists[list];
	const struct vm_page *m;
	unsigned n = 0;

	for (int s = 0; s < vp->vp_nsegs && order == VM_ORDER_MAX && pool == 0;
	     s++) {
		const struct vm_phys_seg *seg = &vp->vp_segs[s];

		if (seg->free_queues != fl)
			continue;
		for (vm_paddr_t pa = seg->start >> VM_BLOCK_SHIFT
			     << VM_BLOCK_SHIFT;
		     pa < seg->end; pa += UINT64_C(1) << VM_BLOCK_SHIFT) {
			if (vm_buddy_is_pristine(vp, seg, pa))
				pfns[n++] = (uint32_t)(pa >> PAGE_SHIFT);
		}
	}
	for (m = fl->fl_queues[pool][order].fq_first;
	     m != NULL && n < MODEL_QUEUE_MAX; m = m->q_next)
		pfns[n++] = (uint32_t)(m->phys_addr >> PAGE_SHIFT);
	return (n);
}

static int
compare_pfns(const void *ap, const void *bp)
{
	uint32_t a = *(const uint32_t *)ap, b = *(const uint32_t *)bp;

	return (a < b ? -1 : a > b);
}

const char *
model_compare(struct model *mo, bool exact)
{
	static char text[100];
	static uint32_t real[MODEL_QUEUE_MAX], want[MODEL_QUEUE_MAX];
	const struct model_queue *mq;
	unsigned n;

	for (int l = 0; l < MODEL_LISTS; l++) {
		for (int p = 0; p < VM_NFREEPOOL; p++) {
			for (int o = 0; o < VM_NFREEORDER; o++) {
				mq = &mo->mo_queues[l][p][o];
				n = read_queue(mo->mo_vp, l, p, o, real);
				memcpy(want, mq->mq_pfn,
				    mq->mq_n * sizeof(want[0]));
				if (!exact) {
					qsort(real, n, sizeof(real[0]),
					    compare_pfns);
					qsort(want, mq->mq_n, sizeof(want[0]),
					    compare_pfns);
				}
				if (n == mq->mq_n &&
				    memcmp(real, want, n * sizeof(real[0])) ==
					0)
					continue;
				(void)snprintf(text, sizeof(text),
				    "list %d pool %d order %d: %u blocks, "
				    "model %u",
				    l, p, o, n, mq->mq_n);
				return (text);
			}
		}
	}
	return (NULL);
}
