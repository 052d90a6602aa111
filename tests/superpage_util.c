/* SPDX-License-Identifier: BSD-2-Clause */

#include "superpage_util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct pu su_pu;
struct pmap *su_p, *su_q;
const char *su_design;
static struct pmap_pde_stats last;

static void
begin(const char *design)
{
	pu_setup(&su_pu, NULL, design);
	su_p = pu_pmap(&su_pu);
	su_q = pu_pmap(&su_pu);
	last = (struct pmap_pde_stats){ 0 };
}

int
su_setup(void **state)
{
	(void)state;
	begin(su_design != NULL ? su_design : "sparse/gen2");
	return (0);
}

int
su_teardown(void **state)
{
	(void)state;
	pu_pmap_free(su_p);
	pu_pmap_free(su_q);
	pu_teardown(&su_pu);
	return (0);
}

void
su_again(const char *design)
{
	(void)su_teardown(NULL);
	begin(design);
}

struct vm_page *
su_run(void)
{
	return (pu_run(&su_pu));
}

void
su_run_free(struct vm_page *m)
{
	pu_run_free(&su_pu, m);
}

void
su_enter(struct pmap *pmap, vm_offset_t va, struct vm_page *m, vm_prot_t prot,
    uint32_t flags)
{
	assert_int_equal(
	    pmap_enter(pmap, va, &m[pmap_pte_index(va)], prot, flags, 0),
	    KERN_SUCCESS);
}

void
su_fill(struct pmap *pmap, vm_offset_t va, struct vm_page *m, vm_prot_t prot,
    uint32_t flags)
{
	for (unsigned i = 0; i < NRUN; i++)
		su_enter(pmap, va + i * PAGE_SIZE, m, prot, flags);
}

void
su_enter_super(struct pmap *pmap, vm_offset_t va, struct vm_page *m,
    vm_prot_t prot, uint32_t flags)
{
	assert_int_equal(pmap_enter(pmap, va, m, prot, flags, 1), KERN_SUCCESS);
}

bool
su_is_super(struct pmap *pmap, vm_offset_t va)
{
	pte_t *pde = pmap_pde(pmap, va);

	return (
	    pde != NULL && (pte_load(pde) & (PG_V | PG_PS)) == (PG_V | PG_PS));
}

static struct pv_list *
super_list(struct vm_page *m)
{
	struct pv_table *pvt = su_pu.pu_ma->ma_pvt;
	struct pv_header ph;

	pvt->pvt_ops->pvl_lookup(pvt, VM_PAGE_TO_PHYS(m), m, &ph);
	return (&ph.ph_md->pv_list);
}

unsigned
su_nsuper(struct vm_page *m)
{
	const struct pv_entry *pv;
	unsigned n = 0;

	PV_LIST_FOREACH (pv, super_list(m))
		n++;
	return (n);
}

vm_offset_t
su_first_super(struct vm_page *m)
{
	assert_non_null(super_list(m)->pvl_first);
	return (super_list(m)->pvl_first->pv_va);
}

unsigned
su_ndirty(const struct vm_page *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NRUN; i++)
		n += pu_dirty(&m[i]);
	return (n);
}

unsigned
su_naflag(const struct vm_page *m, uint8_t flag)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NRUN; i++)
		n += pu_aflag(&m[i], flag);
	return (n);
}

void
su_expect(unsigned promotions, unsigned demotions, unsigned failures,
    unsigned mappings)
{
	struct pmap_pde_stats now;

	pmap_pde_stats(su_pu.pu_ma, &now);
	assert_int_equal(now.pds_promotions - last.pds_promotions, promotions);
	assert_int_equal(now.pds_demotions - last.pds_demotions, demotions);
	assert_int_equal(now.pds_p_failures - last.pds_p_failures, failures);
	assert_int_equal(now.pds_mappings - last.pds_mappings, mappings);
	last = now;
	pu_check(&su_pu);
}

void
su_expect_pmap(struct pmap *pmap, uint64_t pages, uint64_t pt, uint64_t spare)
{
	assert_int_equal(pmap_table_count(pmap), pt);
	assert_int_equal(pmap_spare_count(pmap), spare);
	assert_int_equal(pmap_resident_count(pmap),
	    pages + pt + spare + su_pu.pu_ma->ma_rules.pr_counts_root);
}
