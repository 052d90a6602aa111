/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What scenarios are built of: objects, address spaces, memory, and how a run
 * is declared void.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "workload/workload_var.h"

#define WINDOW_PAGES 16u /* that are read in together */

void
wl_fail(struct wl_run *run, const char *fmt, ...)
{
	va_list ap;

	/*
	 * Acquire-release: the winner alone writes wlr_why, which the main
	 * thread reads after the gate.
	 */
	if (atomic_exchange_explicit(
		&run->wlr_failed, true, memory_order_acq_rel))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(run->wlr_why, sizeof(run->wlr_why), fmt, ap);
	va_end(ap);
}

int
wl_out_of_memory(struct wl_run *run)
{
	struct vm_phys *vp = run->wlr_machine->ma_vp;

	wl_fail(run,
	    "out of simulated memory: %" PRIu64 " of %" PRIu64
	    " pages free; use a larger map or fewer threads",
	    vm_free_count(vp, -1), vm_total_pages(vp, -1));
	return (ENOSPC);
}

int
wl_check_range(const char *what, uint64_t n, uint64_t min, uint64_t max,
    char *err, size_t errsize)
{
	if (n >= min && n <= max)
		return (0);
	(void)snprintf(err, errsize,
	    "%s: %" PRIu64 " is not in %" PRIu64 " to %" PRIu64, what, n, min,
	    max);
	return (EINVAL);
}

void *
wl_alloc(struct wl_run *run, size_t size)
{
	/* Whole pairs, so that the next block starts on another line. */
	return (kmem_alloc(run->wlr_machine->ma_kmem,
	    roundup2(size, CACHE_PAIR_SIZE), CACHE_PAIR_SIZE, M_WORKLOAD,
	    KMEM_ANYDOMAIN));
}

void
wl_free(struct wl_run *run, void *p, size_t size)
{
	kmem_free(run->wlr_machine->ma_kmem, p, roundup2(size, CACHE_PAIR_SIZE),
	    M_WORKLOAD, KMEM_ANYDOMAIN);
}

/* Without a vm_object, and known to wl_objects_destroy(). */
static struct wl_object *
object_new(struct wl_run *run, uint32_t npages)
{
	struct wl_object *wlo = wl_alloc(run, sizeof(*wlo));

	if (wlo == NULL)
		return (NULL);
	wlo->wlo_npages = npages;
	wlo->wlo_pages = wl_alloc(run, npages * sizeof(wlo->wlo_pages[0]));
	TAILQ_INSERT_TAIL(&run->wlr_objects, wlo, wlo_link);
	return (wlo->wlo_pages != NULL ? wlo : NULL);
}

static void
object_index(struct wl_object *wlo)
{
	struct vm_page *m = wlo->wlo_object->memq_first;

	for (; m != NULL; m = m->listq_next)
		wlo->wlo_pages[m->pindex] = m;
}

int
wl_object_create(struct wl_run *run, uint32_t npages, int domain,
    enum vm_object_fill fill, struct wl_object **wlop)
{
	struct wl_object *wlo = object_new(run, npages);
	int error;

	if (wlo == NULL)
		return (ENOMEM);
	if (fill == VM_OBJECT_RUNS && run->wlr_params.wp_superpages == 0)
		fill = VM_OBJECT_SMALL;
	error = vm_object_create(
	    run->wlr_machine, npages, domain, fill, &wlo->wlo_object);
	if (error == ENOSPC)
		return (wl_out_of_memory(run));
	if (error != 0)
		return (error);
	object_index(wlo);
	*wlop = wlo;
	return (0);
}

int
wl_object_create_sparse(struct wl_run *run, uint32_t npages, int domain,
    unsigned pct, struct wl_object **wlop)
{
	struct wl_object *wlo = object_new(run, npages);
	bool full = false;
	uint32_t w;
	int error;

	if (wlo == NULL)
		return (ENOMEM);
	error = vm_object_create(run->wlr_machine, npages, domain,
	    VM_OBJECT_EMPTY, &wlo->wlo_object);
	if (error != 0)
		return (error);
	VM_OBJECT_WLOCK(wlo->wlo_object);
	for (uint32_t i = 0; i < npages && !full; i++) {
		w = i / WINDOW_PAGES;
		if ((w + 1) * pct / 100 == w * pct / 100)
			continue;
		full = vm_object_alloc_page(wlo->wlo_object, i, 0) == NULL;
	}
	VM_OBJECT_WUNLOCK(wlo->wlo_object);
	if (full)
		return (wl_out_of_memory(run));
	object_index(wlo);
	*wlop = wlo;
	return (0);
}

void
wl_objects_destroy(struct wl_run *run)
{
	struct wl_object *wlo;

	while ((wlo = TAILQ_LAST(&run->wlr_objects, wl_objectlist)) != NULL) {
		TAILQ_REMOVE(&run->wlr_objects, wlo, wlo_link);
		vm_object_destroy(wlo->wlo_object);
		wl_free(run, wlo->wlo_pages,
		    wlo->wlo_npages * sizeof(wlo->wlo_pages[0]));
		wl_free(run, wlo, sizeof(*wlo));
	}
}

uint64_t
wl_objects_unmap(struct wl_run *run)
{
	struct machine *ma = run->wlr_machine;
	struct wl_object *wlo;
	uint64_t n = 0;

	TAILQ_FOREACH (wlo, &run->wlr_objects, wlo_link) {
		if (wlo->wlo_object == NULL)
			continue;
		VM_OBJECT_WLOCK(wlo->wlo_object);
		for (uint32_t i = 0; i < wlo->wlo_npages; i++) {
			if (wlo->wlo_pages[i] == NULL ||
			    !pmap_page_is_mapped(ma, wlo->wlo_pages[i]))
				continue;
			pmap_remove_all(ma, wlo->wlo_pages[i]);
			n++;
		}
		VM_OBJECT_WUNLOCK(wlo->wlo_object);
	}
	return (n);
}

int
wl_pmap_create(struct wl_run *run, struct pmap **pmapp)
{
	struct pmap *pmap;

	pmap = pmap_alloc(run->wlr_machine);
	if (pmap == NULL)
		return (ENOMEM);
	if (pmap_pinit(pmap) != KERN_SUCCESS) {
		pmap_free(pmap);
		return (wl_out_of_memory(run));
	}
	*pmapp = pmap;
	return (0);
}

void
wl_pmap_destroy(struct pmap *pmap)
{
	if (pmap == NULL)
		return;
	pmap_release(pmap);
	pmap_free(pmap);
}
