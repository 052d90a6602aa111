/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host address space: regions that are backed page by page, and mappings that
 * commit memory only where they are touched.
 *
 * A region is reserved without access, and backed by allowing access: until a
 * page is written it costs nothing, but the account charges all that is backed,
 * since that is what a kernel would have allocated.
 *
 * The pages of the model have 4 KB; those of a host may have 16 or 64 (arm64).
 * Access is then allowed to each host page that a range touches.
 *
 * Limits.  Every backed range that does not touch another takes one or two entries
 * of the process's map, on Linux 65530 by default (vm.max_map_count); kva_back()
 * fails with ENOMEM beyond.
 */
#include <sys/mman.h>

#include <errno.h>
#include <unistd.h>

#include "kern/kassert.h"
#include "kern/kmem.h"
#include "kern/kmem_impl.h"
#include "pmapsim/types.h"

_Static_assert(sizeof(((struct kva_region *)NULL)->kr_by_domain) ==
	(MAXMEMDOM + 1) * sizeof(uint64_t),
    "one account a domain and one for no domain in particular");

static bool
kva_page_aligned(uint64_t bytes)
{
	return (bytes % PAGE_SIZE == 0);
}

struct kva_span
kva_span_outer(size_t off, size_t size, size_t page)
{
	size_t first = off / page * page;
	size_t end = (off + size + page - 1) / page * page;

	return ((struct kva_span){ first, end - first });
}

struct kva_span
kva_span_inner(size_t off, size_t size, size_t page)
{
	size_t first = (off + page - 1) / page * page;
	size_t end = (off + size) / page * page;

	return ((struct kva_span){ first, end > first ? end - first : 0 });
}

int
kva_reserve(
    struct kmem *km, size_t size, enum kmem_type type, struct kva_region *kr)
{
	struct kmem_regions diff = { .kg_reserved_bytes = size, .kg_count = 1 };
	void *p;

	KASSERT(size > 0 && kva_page_aligned(size),
	    ("%s: region of %zu bytes", kmem_type_name(type), size));
	if (!kmem_may_allocate(km))
		return (ENOMEM);
	p = kva_host_map(size, false);
	if (p == NULL)
		return (ENOMEM);
	kmem_charge_region(km, type, &diff);
	*kr = (struct kva_region){
		.kr_base = p,
		.kr_size = size,
		.kr_type = type,
	};
	return (0);
}

int
kva_back(
    struct kmem *km, struct kva_region *kr, size_t off, size_t size, int domain)
{
	struct kmem_regions diff = { .kg_backed_bytes = size };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct kva_span ks;

	KASSERT(kva_page_aligned(off) && kva_page_aligned(size),
	    ("%p: backed at %zu, %zu bytes", (void *)kr->kr_base, off, size));
	KASSERT(off <= kr->kr_size && size <= kr->kr_size - off,
	    ("%p: backed at %zu, %zu bytes, has %zu", (void *)kr->kr_base, off,
		size, kr->kr_size));
	KASSERT(domain >= KMEM_ANYDOMAIN && domain < kmem_ndomains(km),
	    ("%p: backed for domain %d", (void *)kr->kr_base, domain));
	if (!kmem_may_allocate(km))
		return (ENOMEM);
	ks = kva_span_outer(off, size, page);
	if (mprotect(kr->kr_base + ks.ks_off, ks.ks_size,
		PROT_READ | PROT_WRITE) != 0) {
		/* It may have got half way; neighbours keep what they have. */
		ks = kva_span_inner(off, size, page);
		if (ks.ks_size != 0)
			(void)mprotect(
			    kr->kr_base + ks.ks_off, ks.ks_size, PROT_NONE);
		return (ENOMEM);
	}
	kva_set_home(kr->kr_base + off, size, domain);
	kmem_charge_region(km, kr->kr_type, &diff);
	kr->kr_backed += size;
	kr->kr_by_domain[domain + 1] += size;
	return (0);
}

void
kva_release(struct kmem *km, struct kva_region *kr)
{
	struct kmem_regions diff = {
		.kg_reserved_bytes = -(uint64_t)kr->kr_size,
		.kg_backed_bytes = -(uint64_t)kr->kr_backed,
		.kg_count = UINT64_MAX,
	};

	if (kr->kr_base == NULL)
		return;
	kva_unmap(kr->kr_base, kr->kr_size);
	kmem_charge_region(km, kr->kr_type, &diff);
	*kr = (struct kva_region){ 0 };
}

int
kva_map_noreserve(size_t size, void **pp)
{
	void *p;

	KASSERT(size > 0, ("mapping of no bytes"));
	p = kva_host_map(size, true);
	if (p == NULL)
		return (ENOMEM);
	*pp = p;
	return (0);
}

void
kva_unmap(void *p, size_t size)
{
	if (p != NULL)
		kva_host_unmap(p, size);
}
