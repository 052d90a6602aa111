/* SPDX-License-Identifier: BSD-2-Clause */

#include "di_util.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *design; /* under test */

int
di_setup(void **state)
{
	static struct di_fixture f;

	pu_setup(&f.f_pu, NULL, design);
	f.f_m = pu_page(&f.f_pu);
	f.f_di = f.f_pu.pu_ma->ma_di;
	*state = &f;
	return (0);
}

int
di_teardown(void **state)
{
	struct di_fixture *f = *state;

	pu_page_free(&f->f_pu, f->f_m);
	pu_teardown(&f->f_pu);
	return (0);
}

int
di_run_tests(const struct CMUnitTest *tests, size_t n)
{
	static const char *const designs[] = { "sparse/rwlock+di=lockless",
		"sparse/rwlock+di=mutex", "hashed/gen2+di=lockless",
		"segment/mtx8+di=mutex" };

	return (pu_run_designs(
	    &design, designs, sizeof(designs) / sizeof(designs[0]), tests, n));
}

_Atomic uint64_t *
di_region_gen(struct di_fixture *f)
{
	struct pv_table *pvt = f->f_pu.pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, VM_PAGE_TO_PHYS(f->f_m), f->f_m, &ph);
	return (ph.ph_invl_gen);
}

uint64_t
di_region(struct di_fixture *f)
{
	/* Relaxed: at rest. */
	return (atomic_load_explicit(di_region_gen(f), memory_order_relaxed));
}

void
di_mark_page(struct machine *ma, struct vm_page *m)
{
	struct pv_held held = PV_HELD_NONE;

	CHANGE_PV_LIST_LOCK(ma->ma_pvt, &held, m, VM_PAGE_TO_PHYS(m));
	pmap_delayed_invl_page(ma, m);
	pv_release_lock(ma->ma_pvt, &held);
}

void
di_mark(struct di_fixture *f)
{
	di_mark_page(f->f_pu.pu_ma, f->f_m);
}
