/* SPDX-License-Identifier: BSD-2-Clause */

/* Schedules of test_tlb_bugs.c with superpages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "pmap/pmap_superpage.h"
#include "tlb_scene.h"

/* Map a run, which promotes it; the CPU reads the first n pages before that. */
static struct vm_page *
enter_run(struct scene *s, unsigned n)
{
	struct vm_page *m = pu_run(&s->s_pu);

	for (unsigned i = 0; i < NPTEPG; i++) {
		scene_enter(s, VA + i * PAGE_SIZE, &m[i]);
		if (i < n)
			assert_int_equal(
			    scene_read(s, VA + i * PAGE_SIZE), MMU_OK);
	}
	assert_true((pu_leaf(s->s_pmap, VA) & PG_PS) != 0);
	return (m);
}

/*
 * 4 KB entries of what became a superpage; it was not accessed, and so goes as a
 * whole when it should be split.
 */
uint64_t
promoted_superpage_flushed(const char *form, const char *bug)
{
	struct scene s;
	struct vm_page *m;
	pte_t *pde;

	scene_begin(&s, form, bug);
	pmap_activate(s.s_pmap, READER);
	m = enter_run(&s, NPTEPG - 1);
	pde = pmap_pde(s.s_pmap, VA);
	(void)pte_clear_bits(pde, PG_A);
	/* Demotes; that is, removes. */
	pmap_remove_all(s.s_ma, &m[5]);
	assert_int_equal(pu_leaf(s.s_pmap, VA), 0);
	for (unsigned i = 0; i < NPTEPG; i++)
		pmap_remove_all(s.s_ma, &m[i]);
	pu_run_free(&s.s_pu, m);
	for (unsigned i = 0; i < NPTEPG; i++)
		(void)scene_read(&s, VA + i * PAGE_SIZE);
	return (scene_end(&s));
}

/*
 * 4 KB entries, a promotion, and a page that was not accessed yet: with erratum 383
 * its 2 MB entry must not meet them.  That the CPU walks to it, and not to the page
 * table that it remembers, is due to an invalidation elsewhere.
 */
uint64_t
sizes_meet(const char *form, const char *bug)
{
	const vm_offset_t elsewhere = VA + 8 * NBPDR;
	struct scene s;
	struct vm_page *m;
	char design[96];

	(void)snprintf(design, sizeof(design), "%s+erratum383=on", form);
	scene_begin(&s, design, bug);
	s.s_m = pu_page(&s.s_pu);
	scene_enter(&s, elsewhere, s.s_m);
	pmap_activate(s.s_pmap, READER);
	m = enter_run(&s, 8);
	assert_int_equal(pu_leaf(s.s_pmap, VA) & PG_PROMOTED, 0);
	pmap_remove(s.s_pmap, elsewhere, elsewhere + PAGE_SIZE);
	pu_page_free(&s.s_pu, s.s_m);
	assert_int_equal(scene_read(&s, VA + NBPDR - PAGE_SIZE), MMU_OK);
	pmap_remove(s.s_pmap, VA, VA + NBPDR);
	pu_run_free(&s.s_pu, m);
	return (scene_end(&s));
}

/* A demotion takes the 2 MB entry before there can be others. */
uint64_t
large_entry_stays(const char *form, const char *bug)
{
	struct mmu_cpu *mc;
	struct scene s;
	struct vm_page *m;
	char design[96];
	uint64_t stays;

	(void)snprintf(design, sizeof(design), "%s+erratum383=on", form);
	scene_begin(&s, design, bug);
	m = enter_run(&s, 0);
	pmap_activate(s.s_pmap, READER);
	assert_int_equal(scene_read(&s, VA), MMU_OK);
	PMAP_LOCK(s.s_pmap);
	assert_true(pmap_demote_pde(s.s_pmap, pmap_pde(s.s_pmap, VA), VA));
	PMAP_UNLOCK(s.s_pmap);
	mc = &s.s_ma->ma_mmu->mu_cpus[READER];
	mmu_cpu_lock(mc);
	stays = mmu_lookup(mc, VA, MMU_2M) != NULL;
	mmu_cpu_unlock(mc);
	pmap_remove(s.s_pmap, VA, VA + NBPDR);
	pu_run_free(&s.s_pu, m);
	return (stays + scene_end(&s));
}
