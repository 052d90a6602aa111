/* SPDX-License-Identifier: BSD-2-Clause */
#include "vm/vm_object.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "pmap/pmap_var.h"

#define RUN_PAGES (UINT64_C(1) << VM_LEVEL_0_ORDER)
_Static_assert(RUN_PAGES *PAGE_SIZE == NBPDR, "a run is a superpage");

/*
 * Where page j of run r goes in an object with nruns of them.
 */
static vm_pindex_t
run_slot(enum vm_object_fill fill, uint64_t nruns, uint64_t r, uint64_t j)
{
	return (
	    fill == VM_OBJECT_SCATTERED ? j * nruns + r : r * RUN_PAGES + j);
}

/* Fill pages[0..size); 0 or ENOSPC with some of them NULL. */
static int
object_alloc_pages(struct vm_phys *vp, vm_pindex_t size, int domain,
    enum vm_object_fill fill, struct vm_page **pages)
{
	uint64_t nruns = size / RUN_PAGES;
	struct vm_page *m;

	for (uint64_t r = 0; r < nruns; r++) {
		m = vm_page_alloc_order(vp, domain, VM_LEVEL_0_ORDER, 0);
		if (m == NULL)
			break;
		for (uint64_t j = 0; j < RUN_PAGES; j++)
			pages[run_slot(fill, nruns, r, j)] = m + j;
	}
	for (vm_pindex_t i = 0; i < size; i++) {
		if (pages[i] != NULL)
			continue;
		pages[i] = vm_page_alloc(vp, domain, 0);
		if (pages[i] == NULL)
			return (ENOSPC);
	}
	return (0);
}

/* Each page from its reservation. */
static int
object_reserve(struct vm_object *obj)
{
	int error = 0;

	VM_OBJECT_WLOCK(obj);
	for (vm_pindex_t i = 0; i < obj->size && error == 0; i++) {
		if (vm_object_alloc_page(obj, i, 0) == NULL)
			error = ENOSPC;
	}
	VM_OBJECT_WUNLOCK(obj);
	return (error);
}

static int
object_populate(struct vm_object *obj, enum vm_object_fill fill)
{
	struct machine *ma = obj->machine;
	size_t bytes = (size_t)obj->size * sizeof(struct vm_page *);
	struct vm_page **pages;
	int error;

	/* Else as many descriptors would be touched as there is memory. */
	if (obj->size > vm_free_count(ma->ma_vp, -1))
		return (ENOSPC);
	if (fill == VM_OBJECT_RUNS && !ma->ma_design.d_no_reserv)
		return (object_reserve(obj));
	pages = kmem_alloc(ma->ma_kmem, bytes, 0, M_OBJECT, KMEM_ANYDOMAIN);
	if (pages == NULL)
		return (ENOMEM);
	error =
	    object_alloc_pages(ma->ma_vp, obj->size, obj->domain, fill, pages);
	VM_OBJECT_WLOCK(obj);
	for (vm_pindex_t i = 0; i < obj->size; i++) {
		if (pages[i] != NULL)
			vm_page_insert(pages[i], obj, i);
	}
	VM_OBJECT_WUNLOCK(obj);
	kmem_free(ma->ma_kmem, pages, bytes, M_OBJECT, KMEM_ANYDOMAIN);
	return (error);
}

int
vm_object_create(struct machine *ma, vm_pindex_t size, int domain,
    enum vm_object_fill fill, struct vm_object **objp)
{
	struct vm_object *obj;
	int error;

	KASSERT(size > 0, ("an object without room for a page"));
	KASSERT(domain >= 0 && domain < ma->ma_ndomains,
	    ("domain %d of %d", domain, ma->ma_ndomains));
	obj = kmem_alloc(ma->ma_kmem, sizeof(*obj), CACHE_PAIR_SIZE, M_OBJECT,
	    KMEM_ANYDOMAIN);
	if (obj == NULL)
		return (ENOMEM);
	rw_init(&obj->lock, "vm object", LO_DUPOK);
	obj->size = size;
	obj->machine = ma;
	obj->domain = domain;
	error = fill == VM_OBJECT_EMPTY ? 0 : object_populate(obj, fill);
	if (error != 0) {
		vm_object_destroy(obj);
		return (error);
	}
	*objp = obj;
	return (0);
}

void
vm_object_destroy(struct vm_object *obj)
{
	struct machine *ma;

	if (obj == NULL)
		return;
	ma = obj->machine;
	VM_OBJECT_WLOCK(obj);
	/* From the end: the free list is last in, first out. */
	while (obj->memq_last != NULL)
		vm_object_free_page(obj, obj->memq_last);
	/*
	 * Those that a rename left with pages of another object.  Also where
	 * there is none any more: who broke the last one, without our lock, has
	 * written to the list, and is done with it when "resv obj lock" is free.
	 */
	vm_reserv_break_all(ma->ma_vp, obj);
	VM_OBJECT_WUNLOCK(obj);
	KASSERT(obj->resident_page_count == 0,
	    ("object %p: %" PRIu64 " pages on an empty list", (void *)obj,
		obj->resident_page_count));
	rw_destroy(&obj->lock);
	kmem_free(ma->ma_kmem, obj, sizeof(*obj), M_OBJECT, KMEM_ANYDOMAIN);
}

/* The last page before pindex, or NULL. */
static struct vm_page *
object_pred(const struct vm_object *obj, vm_pindex_t pindex)
{
	struct vm_page *m = obj->memq_last;

	while (m != NULL && m->pindex >= pindex)
		m = m->listq_prev;
	return (m);
}

struct vm_page *
vm_object_alloc_page(struct vm_object *obj, vm_pindex_t pindex, int flags)
{
	struct vm_page *m, *pred = object_pred(obj, pindex);
	const struct vm_page_place place = {
		.vpl_object = obj,
		.vpl_pindex = pindex,
		.vpl_size = obj->size,
		.vpl_color = obj->pg_color,
		.vpl_grows = obj->grows,
		.vpl_pred = pred,
		.vpl_succ = pred != NULL ? pred->listq_next : obj->memq_first,
	};

	VM_OBJECT_ASSERT_WLOCKED(obj);
	m = vm_page_alloc_at(obj->machine->ma_vp, obj->domain, &place, flags);
	if (m != NULL)
		vm_page_insert(m, obj, pindex);
	return (m);
}

void
vm_page_rename(struct vm_page *m, struct vm_object *to, vm_pindex_t pindex)
{
	struct vm_object *from = m->object;
	vm_pindex_t offset = m->pindex - pindex;

	vm_page_remove(m);
	vm_page_insert(m, to, pindex);
	vm_reserv_rename(to->machine->ma_vp, m, to, from, offset);
}

void
vm_page_insert(struct vm_page *m, struct vm_object *obj, vm_pindex_t pindex)
{
	struct vm_page *next, *prev;

	VM_OBJECT_ASSERT_WLOCKED(obj);
	KASSERT(m->object == NULL,
	    ("page %p is in object %p", (void *)m, (void *)m->object));
	KASSERT(pindex < obj->size,
	    ("pindex %" PRIu64 " of %" PRIu64, pindex, obj->size));
	prev = object_pred(obj, pindex);
	next = prev != NULL ? prev->listq_next : obj->memq_first;
	KASSERT(next == NULL || next->pindex != pindex,
	    ("object %p has a page at %" PRIu64, (void *)obj, pindex));

	m->listq_prev = prev;
	m->listq_next = next;
	if (prev != NULL)
		prev->listq_next = m;
	else
		obj->memq_first = m;
	if (next != NULL)
		next->listq_prev = m;
	else
		obj->memq_last = m;
	m->object = obj;
	m->pindex = pindex;
	m->valid = 0xff;
	/* Relaxed: nobody can find the page before the lock is dropped. */
	atomic_store_explicit(&m->ref_count, VPRC_OBJREF, memory_order_relaxed);
	obj->resident_page_count++;
}

void
vm_page_remove(struct vm_page *m)
{
	struct vm_object *obj = m->object;

	KASSERT(obj != NULL, ("page %p has no object", (void *)m));
	VM_OBJECT_ASSERT_WLOCKED(obj);
	KASSERT(pv_list_empty(&m->md.pv_list),
	    ("page %p of object %p is mapped", (void *)m, (void *)obj));
	if (m->listq_prev != NULL)
		m->listq_prev->listq_next = m->listq_next;
	else
		obj->memq_first = m->listq_next;
	if (m->listq_next != NULL)
		m->listq_next->listq_prev = m->listq_prev;
	else
		obj->memq_last = m->listq_prev;
	m->listq_next = NULL;
	m->listq_prev = NULL;
	m->object = NULL;
	m->pindex = 0;
	m->valid = 0;
	/* Relaxed: the page is ours alone now. */
	atomic_store_explicit(&m->ref_count, 0, memory_order_relaxed);
	obj->resident_page_count--;
}

void
vm_object_free_page(struct vm_object *obj, struct vm_page *m)
{
	KASSERT(m->object == obj,
	    ("page %p is not of object %p", (void *)m, (void *)obj));
	/* Relaxed: an assertion; whoever held it has let go under a lock. */
	KASSERT(atomic_load_explicit(&m->ref_count, memory_order_relaxed) ==
		VPRC_OBJREF,
	    ("page %p of object %p is wired or held", (void *)m, (void *)obj));
	vm_page_remove(m);
	/* Relaxed: the page is ours alone, until the free queue's lock. */
	atomic_store_explicit(&m->dirty, 0, memory_order_relaxed);
	vm_page_aflag_clear(m, 0xff);
	vm_page_free(obj->machine->ma_vp, m);
}

unsigned
vm_object_check(
    struct vm_object *obj, void (*fn)(void *arg, const char *text), void *arg)
{
	struct vm_page *m, *prev = NULL;
	uint64_t n = 0;
	unsigned wrong = 0;
	char text[128];

	for (m = obj->memq_first; m != NULL; prev = m, m = m->listq_next) {
		n++;
		if (m->object == obj && m->listq_prev == prev &&
		    m->pindex < obj->size &&
		    (prev == NULL || prev->pindex < m->pindex))
			continue;
		(void)snprintf(text, sizeof(text),
		    "object %p: page %p, pindex %" PRIu64
		    ", is out of order or not its own",
		    (void *)obj, (void *)m, m->pindex);
		fn(arg, text);
		wrong++;
	}
	if (prev != obj->memq_last || n != obj->resident_page_count) {
		(void)snprintf(text, sizeof(text),
		    "object %p: %" PRIu64 " pages on the list, %" PRIu64
		    " counted",
		    (void *)obj, n, obj->resident_page_count);
		fn(arg, text);
		wrong++;
	}
	wrong += vm_reserv_check_object(obj->machine->ma_vp, obj, fn, arg);
	return (wrong);
}
