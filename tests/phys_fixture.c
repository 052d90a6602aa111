/* SPDX-License-Identifier: BSD-2-Clause */

#include "phys_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct phys_machine pm;

int
open_small(void **state)
{
	(void)state;
	assert_int_equal(phys_open_text(&pm, SMALL_MAP, NULL), 0);
	return (0);
}

int
open_cached(void **state)
{
	(void)state;
	assert_int_equal(phys_open_text(&pm, CACHE_MAP, NULL), 0);
	assert_true(pm.pm_vp->vp_domains[0]->vmd_has_pgcache);
	return (0);
}

int
close_pm(void **state)
{
	(void)state;
	assert_int_equal(phys_check(&pm), 0);
	phys_close(&pm);
	return (0);
}

int
open_locked(void **state)
{
	(void)state;
	assert_int_equal(phys_open_text(&pm, LOCKED_MAP, NULL), 0);
	vm_phys_lock(pm.pm_vp, 0);
	return (0);
}

int
close_locked(void **state)
{
	(void)state;
	vm_phys_unlock(pm.pm_vp, 0);
	phys_close(&pm);
	return (0);
}

uint64_t
free_blocks(const struct phys_machine *p, int list, int pool, int order)
{
	const struct vm_freelist *fl =
	    &p->pm_vp->vp_domains[0]->vmd_lists[list];

	return (fl->fl_queues[pool][order].fq_count +
	    (order == VM_ORDER_MAX && pool == 0 ? fl->fl_pristine_count : 0));
}

vm_paddr_t
free_head(int list, int pool, int order)
{
	const struct vm_page *m;

	m = pm.pm_vp->vp_domains[0]
		->vmd_lists[list]
		.fl_queues[pool][order]
		.fq_first;
	return (m != NULL ? m->phys_addr : UINT64_MAX);
}

uint64_t
accounted(int domain)
{
	/* Relaxed: one thread. */
	return (
	    atomic_load_explicit(&pm.pm_vp->vp_domains[domain]->vmd_free_count,
		memory_order_relaxed));
}

struct vm_page *
take_all(int domain, int flags, uint64_t *np)
{
	struct vm_page *list = NULL, *m;

	*np = 0;
	while ((m = vm_page_alloc(pm.pm_vp, domain, flags)) != NULL) {
		m->q_next = list;
		list = m;
		++*np;
	}
	return (list);
}
