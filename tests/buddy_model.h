/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_BUDDY_MODEL_H
#define TESTS_BUDDY_MODEL_H

/*
 * The buddy allocator once more, as naively as its rules read: every queue is an
 * array of page numbers, and every question is answered by looking at all of
 * it.  One domain; the real segments are taken from the machine under test.
 */

#include "phys_util.h"

#define MODEL_QUEUE_MAX 4096
#define MODEL_NPAGES    65536 /* the model's machines end below 256 MiB */
#define MODEL_LISTS     2

struct model_queue {
	unsigned mq_n;
	uint32_t mq_pfn[MODEL_QUEUE_MAX];
};

struct model {
	const struct vm_phys *mo_vp;
	struct model_queue mo_queues[MODEL_LISTS][VM_NFREEPOOL][VM_NFREEORDER];
	uint8_t mo_pool[MODEL_NPAGES];
	bool mo_free[MODEL_NPAGES];
};

#define MODEL_NONE UINT64_MAX

/* All pages of all segments are free. */
void model_init(struct model *mo, const struct vm_phys *vp);

/* Page numbers, or MODEL_NONE. */
uint64_t model_alloc(struct model *mo, int pool, int order);
int model_alloc_npages(struct model *mo, int pool, int npages, uint64_t *pfns);
uint64_t model_alloc_contig(struct model *mo, uint64_t npages, vm_paddr_t low,
    vm_paddr_t high, vm_paddr_t align, vm_paddr_t boundary);
void model_free(struct model *mo, uint64_t pfn, int order);
/* Blocks one by one, each merged: what model_free_contig() amounts to. */
void model_free_blocks(struct model *mo, uint64_t pfn, uint64_t npages);
void model_free_contig(struct model *mo, uint64_t pfn, uint64_t npages);
bool model_unfree(struct model *mo, uint64_t pfn);

/*
 * Compare with the machine's queues.  exact: the order within queues as well,
 * otherwise only which blocks are on them.  Returns what differs, or NULL.
 */
const char *model_compare(struct model *mo, bool exact);

#endif /* TESTS_BUDDY_MODEL_H */
