/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lock/lock_env.h"
#include "phys/vm_phys_impl.h"
#include "workload/names.h"
#include "workload/workload_var.h"
#include "workload_util.h"

static void
assert_name(const struct names *names, const void *addr, const char *expected)
{
	char text[120];
	struct name n;

	(void)names_find(names, addr, &n);
	name_format(&n, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void
assert_numbered(const struct names *names, const void *addr, const char *what,
    uint64_t i, const char *field)
{
	char expected[120];

	(void)snprintf(expected, sizeof(expected), "%s[%ju]%s%s", what,
	    (uintmax_t)i, field[0] != '\0' ? "." : "", field);
	assert_name(names, addr, expected);
}

/* Each superpage's three parts, where the layout itself says that they are. */
static void
check_headers(const char *design, const char *lock, const char *gen)
{
	struct machine *m = machine_of(map_two_domains, design, NULL);
	struct pv_table *pvt = m->ma_pvt;
	struct names *names;
	struct pv_header ph;
	bool hashed = pvt->pvt_nlocks != 0;

	assert_int_equal(names_create(m, NULL, &names), 0);
	for (int s = 0; s < m->ma_vp->vp_nsegs; s++) {
		const struct vm_phys_seg *seg = &m->ma_vp->vp_segs[s];

		for (vm_paddr_t pa = seg->start; pa < seg->end;
		     pa += PAGE_SIZE) {
			uint64_t r = pa >> PDRSHIFT;
			uint64_t l = hashed ? r % pvt->pvt_nlocks : r;

			pvt->pvt_ops->pvl_lookup(
			    pvt, pa, PHYS_TO_VM_PAGE(m->ma_vp, pa), &ph);
			assert_numbered(names, ph.ph_word,
			    hashed ? "pv_list_lock" : "pv_table", l, lock);
			assert_numbered(names, &ph.ph_md->pv_list, "pv_table",
			    r, "pv_list");
			assert_numbered(
			    names, &ph.ph_md->pv_gen, "pv_table", r, gen);
			assert_numbered(names,
			    (const void *)(uintptr_t)ph.ph_invl_gen,
			    hashed ? "pv_invl_gen" : "pv_table", l,
			    hashed ? "" : "pv_invl_gen");
		}
	}
	names_destroy(names);
	machine_end(m);
}

static void
headers_are_named_in_each_layout(void **state)
{
	static const char *const layouts[] = { "sparse", "segment",
		"ptrarray" };

	(void)state;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		char design[64];

		(void)snprintf(design, sizeof(design), "%s/rwlock", layouts[i]);
		check_headers(design, "pv_lock", "pv_gen");
		(void)snprintf(design, sizeof(design), "%s/mtx8", layouts[i]);
		check_headers(design, "pv_lock", "pv_gen");
		(void)snprintf(design, sizeof(design), "%s/gen2", layouts[i]);
		check_headers(design, "pv_gen/lock", "pv_gen/lock");
	}
	check_headers("ptrarray/rwlock+wart=alloc", "pv_lock", "pv_gen");
	check_headers("hashed/rwlock+locks=16", "", "pv_gen");
	check_headers("hashed/mtx8+locks=7+pad", "", "pv_gen");
}

static void
the_machines_own_structures_are_named(void **state)
{
	struct machine *m = machine_of(map_two_domains, "sparse/gen2", NULL);
	struct lock_env *le = m->ma_sim->sim_locks;
	struct names *names;
	struct thread *td;
	struct name n;
	int local;

	(void)state;
	assert_int_equal(machine_thread_attach(m, 0), 0);
	td = machine_thread_self();
	assert_int_equal(names_create(m, NULL, &names), 0);
	assert_name(names, &td->td_park, "thread[0].td_park");
	assert_name(names, td->td_held, "held locks of thread[0].hl_word");
	assert_name(
	    names, &le->le_chains[12].tc_lock, "turnstile chain[12].tc_lock");
	assert_name(names, &m->ma_chunks[1]->pvc_list, "pv_chunks[1].pvc_list");
	assert_name(
	    names, &m->ma_vp->vp_domains[1]->vmd_lock, "vm_domain[1].vmd_lock");
	assert_name(names, &m->ma_vp->vp_domains[0]->vmd_free_count,
	    "vm_domain[0].vmd_free_count");
	assert_name(names, &m->ma_zone_mtx, "machine.ma_zone_mtx");
	assert_name(names, &m->ma_vp->vp_private->vpp_nwaiters,
	    "vm_phys_private.vpp_nwaiters");
	assert_false(names_find(names, &local, &n));
	assert_string_equal(n.n_what, "unknown");
	assert_false(names_find(names, NULL, &n));
	names_destroy(names);
	machine_thread_detach(m);
	machine_end(m);
}

/* What a run has: objects, address spaces, tables and chunks. */
static void
name_run(struct wl_run *run, enum wl_hook_when when, void *arg)
{
	const struct machine *m = run->wlr_machine;
	const struct wl_object *wlo = TAILQ_FIRST(&run->wlr_objects);
	const struct pmap *pm = TAILQ_FIRST(&m->ma_pmaps);
	const struct vm_page *page;
	const struct pv_chunk *pc;
	char expected[120];
	struct names *names;
	pt_entry_t pde;
	pte_t *pte;

	(void)arg;
	if (when != WL_HOOK_MEASURED)
		return;
	assert_int_equal(names_create(run->wlr_machine, run, &names), 0);
	page = wlo->wlo_pages[17];
	(void)snprintf(expected, sizeof(expected),
	    "vm_page %#jx (page of object 0).md.pv_list",
	    (uintmax_t)page->phys_addr);
	assert_name(names, &page->md, expected);
	assert_name(names, &wlo->wlo_object->lock, "object[0].lock");
	assert_name(names, &run->wlr_threads[1].wlt_rng, "worker[1].wlt_rng");
	assert_name(names, &pm->pm_mtx, "pmap[0].pm_mtx");

	pte = pmap_pte_pde(pm, 0x400000, &pde);
	pc = TAILQ_FIRST(&pm->pm_pvchunk);
	if (pte != NULL) {
		(void)snprintf(expected, sizeof(expected),
		    "page table at %#jx.entry[0]", (uintmax_t)(pde & PG_FRAME));
		assert_name(names, pmap_pde_to_pte(pm, pde, 0), expected);
	}
	assert_non_null(pc);
	(void)snprintf(expected, sizeof(expected),
	    "pv chunk of pmap 0 at %#jx.pc_lru",
	    (uintmax_t)((const char *)pc - m->ma_vp->vp_dmap));
	assert_name(names, &pc->pc_lru, expected);
	(void)snprintf(expected, sizeof(expected),
	    "root table of pmap 0 at %#jx.entry[1]",
	    (uintmax_t)pm->pm_root_page->phys_addr);
	assert_name(names, &pm->pm_pml4[1], expected);
	names_destroy(names);
}

static void
a_runs_structures_are_named(void **state)
{
	const struct workload_config wc = {
		.wc_name = "one_pmap",
		.wc_threads = 2,
		.wc_seed = 1,
		.wc_rounds = 2,
	};
	const struct machine_options mo = { .mo_ncpus = 2 };
	struct machine *m = machine_of(map_two_domains, "sparse/gen2", &mo);
	struct workload_result wr;
	char err[256] = "";

	(void)state;
	if (workload_run_hooked(
		m, &wc, name_run, NULL, &wr, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	assert_string_equal(wr.wr_void, "");
	workload_result_free(&wr);
	machine_end(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_named_in_each_layout),
		cmocka_unit_test(the_machines_own_structures_are_named),
		cmocka_unit_test(a_runs_structures_are_named),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
