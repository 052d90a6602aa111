/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reservations of a machine: the array and the locks around it.
 *
 * The array is a mapping that commits host memory where it is touched.  A bit
 * for each reservation that was ever used lets the checker, and the last resort
 * of vm_reserv_reclaim.c, walk over those without touching the rest.
 */

#include <errno.h>

#include "phys/vm_reserv_impl.h"

static void
init_locks(struct vm_reserv_state *rvs)
{
	struct vm_reserv_domain *rvd;

	for (int d = 0; d < MAXMEMDOM; d++) {
		rvd = &rvs->rvs_domains[d];
		mtx_init(&rvd->rvd_lock, "VM reserv domain", 0);
		mtx_init(&rvd->rvd_marker.lock, "vm reserv marker", 0);
		/* Full: no walk takes it for one that has pages. */
		vm_reserv_set_popcnt(&rvd->rvd_marker, VM_LEVEL_0_NPAGES);
		for (unsigned i = 0; i < VM_LEVEL_0_NPAGES / 64; i++)
			rvd->rvd_marker.popmap[i] = UINT64_MAX;
	}
	for (unsigned i = 0; i < RESERV_OBJ_LOCKS; i++)
		mtx_init(&rvs->rvs_obj_locks[i].mtx, "resv obj lock", 0);
}

/* Bytes of the bits of as many reservations. */
static size_t
used_bytes(uint64_t n)
{
	return ((n + 63) / 64 * sizeof(uint64_t));
}

int
vm_reserv_create(struct vm_phys *vp, const struct vm_phys_config *vpc)
{
	struct vm_reserv_state *rvs;
	struct vm_phys_seg *seg;
	uint64_t first;
	void *p;
	int error;

	rvs = kmem_alloc(
	    vp->vp_kmem, sizeof(*rvs), CACHE_PAIR_SIZE, M_PHYS, KMEM_ANYDOMAIN);
	if (rvs == NULL)
		return (ENOMEM);
	vp->vp_reservs = rvs;
	init_locks(rvs);
	rvs->rvs_off = vpc->vpc_no_reserv;
	rvs->rvs_count =
	    vm_reserv_index(
		vp, (vp->vp_first_page + vp->vp_npages - 1) << PAGE_SHIFT) +
	    1;
	rvs->rvs_used = kmem_alloc(
	    vp->vp_kmem, used_bytes(rvs->rvs_count), 0, M_PHYS, KMEM_ANYDOMAIN);
	if (rvs->rvs_used == NULL)
		return (ENOMEM);
	rvs->rvs_size =
	    (rvs->rvs_count * sizeof(struct vm_reserv) + PDRMASK) & ~PDRMASK;
	error = kva_map_noreserve(rvs->rvs_size, &p);
	if (error != 0)
		return (error);
	vp->vp_reserv = p;
	for (int i = 0; i < vp->vp_nsegs; i++) {
		seg = &vp->vp_segs[i];
		first = vm_reserv_index(vp, seg->start);
		seg->first_reserv = &vp->vp_reserv[first];
		kva_set_home(seg->first_reserv,
		    (vm_reserv_index(vp, seg->end - 1) + 1 - first) *
			sizeof(struct vm_reserv),
		    seg->domain);
	}
	return (0);
}

void
vm_reserv_destroy(struct vm_phys *vp)
{
	struct vm_reserv_state *rvs = vp->vp_reservs;
	struct vm_reserv *rv;

	if (rvs == NULL)
		return;
	for (uint64_t i = 0; vp->vp_reserv != NULL &&
	     (rv = vm_reserv_next_used(vp, &i)) != NULL;
	     i++)
		mtx_destroy(&rv->lock);
	for (unsigned i = 0; i < RESERV_OBJ_LOCKS; i++)
		mtx_destroy(&rvs->rvs_obj_locks[i].mtx);
	for (int d = 0; d < MAXMEMDOM; d++) {
		mtx_destroy(&rvs->rvs_domains[d].rvd_lock);
		mtx_destroy(&rvs->rvs_domains[d].rvd_marker.lock);
	}
	kva_unmap(vp->vp_reserv, rvs->rvs_size);
	kmem_free(vp->vp_kmem, rvs->rvs_used, used_bytes(rvs->rvs_count),
	    M_PHYS, KMEM_ANYDOMAIN);
	kmem_free(vp->vp_kmem, rvs, sizeof(*rvs), M_PHYS, KMEM_ANYDOMAIN);
}

struct vm_reserv *
vm_reserv_next_used(const struct vm_phys *vp, uint64_t *ip)
{
	const struct vm_reserv_state *rvs = vp->vp_reservs;
	uint64_t i = *ip, word;

	while (i < rvs->rvs_count) {
		/* Acquire: pairs with the release where it is set. */
		word = atomic_load_explicit(
			   &rvs->rvs_used[i / 64], memory_order_acquire) >>
		    (i % 64);
		if (word != 0) {
			*ip = i + (unsigned)__builtin_ctzll(word);
			return (&vp->vp_reserv[*ip]);
		}
		i = (i | 63) + 1;
	}
	*ip = i;
	return (NULL);
}
