/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * hashed: a 2 MB list for every superpage, but only N locks; superpage r uses
 * lock r % N.  The design of FreeBSD 12.
 *
 * What follows from it, and is to be seen: unrelated superpages whose numbers
 * agree modulo N wait for each other and share an invalidation generation; two
 * 32-byte locks share a cache line unless padded; nothing is placed by domain.
 * Changing from one of two colliding superpages to the other keeps the lock.
 *
 * A lock that lives in pv_gen elsewhere gets a 4-byte word of its own here: many
 * lists share it, so it cannot be in one list's generation.
 *
 * Source: FreeBSD releng/12.1, sys/amd64/amd64/pmap.c, pmap_init().
 */

#include "pmap/pv_table.h"

#include <errno.h>

static size_t
lock_stride(const struct pv_table *pvt)
{
	size_t size = pvt->pvt_lock_ops->plo_size;
	size_t align = pvt->pvt_lock_ops->plo_align;

	if (align == 0)
		align = size == 0 ? sizeof(uint32_t) : sizeof(uint64_t);
	if (size == 0)
		size = sizeof(uint32_t);
	if (pvt->pvt_design->d_pad && align < CACHE_LINE_SIZE)
		align = CACHE_LINE_SIZE;
	return ((size + align - 1) / align * align);
}

static uint64_t
nsuperpages(const struct pv_table *pvt)
{
	return ((pvt->pvt_last_pa + PDRMASK) >> PDRSHIFT);
}

static int
pv_hashed_create(struct pv_table *pvt)
{
	size_t bytes;
	char *locks;

	pvt->pvt_nlocks = pvt->pvt_design->d_nlocks;
	if ((pvt->pvt_nlocks & (pvt->pvt_nlocks - 1)) == 0)
		pvt->pvt_hash_mask = pvt->pvt_nlocks - 1;
	/* The lock word lies apart, alone in its slot. */
	pvt->pvt_stride = lock_stride(pvt);
	pvt->pvt_word_off = 0;
	pvt->pvt_gen_embedded = false;
	pvt->pvt_gen_one = 1;
	pvt->pvt_gen_mask = UINT32_MAX;

	bytes = nsuperpages(pvt) * sizeof(pvt->pvt_mds[0]);
	pvt->pvt_mds =
	    kmem_alloc(pvt->pvt_kmem, bytes, 0, M_PVHEADER, KMEM_ANYDOMAIN);
	if (pvt->pvt_mds == NULL)
		return (ENOMEM);
	pvt->pvt_bytes = bytes;
	pvt->pvt_nheaders = nsuperpages(pvt);

	bytes = pvt->pvt_nlocks * sizeof(pvt->pvt_invl[0]);
	pvt->pvt_invl =
	    kmem_alloc(pvt->pvt_kmem, bytes, 0, M_PVHEADER, KMEM_ANYDOMAIN);
	if (pvt->pvt_invl == NULL)
		return (ENOMEM);
	pvt->pvt_bytes += bytes;

	bytes = pvt->pvt_nlocks * pvt->pvt_stride;
	locks = kmem_alloc(
	    pvt->pvt_kmem, bytes, CACHE_LINE_SIZE, M_PVHEADER, KMEM_ANYDOMAIN);
	if (locks == NULL)
		return (ENOMEM);
	pvt->pvt_bytes += bytes;
	pvt->pvt_base = locks;
	return (
	    pv_extent_add(pvt, locks, pvt->pvt_nlocks, bytes, KMEM_ANYDOMAIN));
}

static void
pv_hashed_destroy(struct pv_table *pvt)
{
	pv_extents_fini(pvt);
	kmem_free(pvt->pvt_kmem, (void *)(uintptr_t)pvt->pvt_invl,
	    pvt->pvt_nlocks * sizeof(pvt->pvt_invl[0]), M_PVHEADER,
	    KMEM_ANYDOMAIN);
	kmem_free(pvt->pvt_kmem, pvt->pvt_mds,
	    nsuperpages(pvt) * sizeof(pvt->pvt_mds[0]), M_PVHEADER,
	    KMEM_ANYDOMAIN);
}

static void
pv_hashed_lookup(struct pv_table *pvt, vm_paddr_t pa, const struct vm_page *m,
    struct pv_header *ph)
{
	uint64_t r = pa >> PDRSHIFT;
	/* A constant 256 in the kernel: no division where it can be masked. */
	uint64_t i = pvt->pvt_hash_mask != 0 ? r & pvt->pvt_hash_mask
					     : r % pvt->pvt_nlocks;

	ph->ph_word = pvt->pvt_base + i * pvt->pvt_stride;
	ph->ph_invl_gen = &pvt->pvt_invl[i];
	/* Pages without RAM have a lock by address but an empty 2 MB list. */
	if (__predict_false(pa >= pvt->pvt_last_pa ||
		(m != NULL && (m->flags & PG_FICTITIOUS) != 0)))
		ph->ph_md = (struct md_page *)(void *)((char *)pvt->pvt_dummy +
		    PV_LOCK_WORD_MAX);
	else
		ph->ph_md = &pvt->pvt_mds[r];
}

const struct pv_layout_ops pv_hashed_ops = {
	.pvl_name = "hashed",
	.pvl_descr = "N locks shared by all superpages, list heads apart",
	.pvl_create = pv_hashed_create,
	.pvl_destroy = pv_hashed_destroy,
	.pvl_lookup = pv_hashed_lookup,
};
