/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The structures of a machine and of a run, but for its pv headers.
 */
#include <stdlib.h>

#include "lock/lock_env.h"
#include "lock/turnstile_impl.h"
#include "phys/vm_phys_impl.h"
#include "phys/vm_reserv_impl.h"
#include "pmap/mmu.h"
#include "workload/names_impl.h"

#define F(type, field) NAME_FIELD(struct type, field)

static const struct name_field machine_fields[] = {
	F(machine, ma_design),
	F(machine, ma_rules),
	F(machine, ma_inside),
	F(machine, ma_checks),
	F(machine, ma_pt_limit),
	F(machine, ma_pv_limit),
	F(machine, ma_chunks),
	F(machine, ma_zone_mtx),
	F(machine, ma_pmaps),
	F(machine, ma_pmaps_free),
	NAME_FIELD_END,
};

static const struct name_field chunks_fields[] = {
	F(pv_chunks_list, pvc_lock),
	F(pv_chunks_list, pvc_list),
	F(pv_chunks_list, pvc_active_reclaims),
	NAME_FIELD_END,
};

static const struct name_field pmap_fields[] = {
	F(pmap, pm_mtx),
	F(pmap, pm_pml4),
	F(pmap, pm_vp),
	F(pmap, pm_machine),
	F(pmap, pm_stats),
	F(pmap, pm_mmu),
	F(pmap, pm_pvchunk),
	F(pmap, pm_root_page),
	F(pmap, pm_root),
	F(pmap, pm_nspare),
	F(pmap, pm_zone_all),
	F(pmap, pm_zone_free),
	NAME_FIELD_END,
};

static const struct name_field domain_fields[] = {
	F(vm_domain, vmd_lock),
	F(vm_domain, vmd_lists),
	F(vm_domain, vmd_out),
	F(vm_domain, vmd_free_count),
	F(vm_domain, vmd_freed),
	NAME_FIELD_END,
};

static const struct name_field phys_fields[] = {
	F(vm_phys, vp_dmap),
	F(vm_phys, vp_array),
	F(vm_phys, vp_first_page),
	F(vm_phys, vp_npages),
	F(vm_phys, vp_reserv),
	F(vm_phys, vp_segs),
	F(vm_phys, vp_domains),
	F(vm_phys, vp_sim),
	NAME_FIELD_END,
};

static const struct name_field private_fields[] = {
	F(vm_phys_private, vpp_pristine),
	F(vm_phys_private, vpp_pgcaches),
	F(vm_phys_private, vpp_nwaiters),
	F(vm_phys_private, vpp_wait_lock),
	F(vm_phys_private, vpp_waiters),
	F(vm_phys_private, vpp_nthreads),
	NAME_FIELD_END,
};

static const struct name_field pgcache_fields[] = {
	F(vm_pgcache, pgc_used),
	NAME_FIELD_END,
};

static const struct name_field reserv_fields[] = {
	F(vm_reserv, lock),
	F(vm_reserv, partpopq_next),
	F(vm_reserv, partpopq_prev),
	F(vm_reserv, objq_next),
	F(vm_reserv, objq_prevp),
	F(vm_reserv, object),
	F(vm_reserv, pindex),
	F(vm_reserv, pages),
	F(vm_reserv, popcnt),
	F(vm_reserv, domain),
	F(vm_reserv, inpartpopq),
	F(vm_reserv, popmap),
	NAME_FIELD_END,
};

static const struct name_field reserv_domain_fields[] = {
	F(vm_reserv_domain, rvd_lock),
	F(vm_reserv_domain, rvd_first),
	F(vm_reserv_domain, rvd_last),
	F(vm_reserv_domain, rvd_marker),
	NAME_FIELD_END,
};

static const struct name_field thread_fields[] = {
	F(thread, td_sim),
	F(thread, td_lock_hooks),
	F(thread, td_rw_rlocks),
	F(thread, td_sx_slocks),
	F(thread, td_pv_held),
	F(thread, td_held),
	F(thread, td_pgcache),
	F(thread, td_cpu),
	F(thread, td_park),
	F(thread, td_ts_flags),
	F(thread, td_ts_next),
	F(thread, td_ts_prev),
	F(thread, td_blocked_on),
	F(thread, td_ts_blocked),
	F(thread, td_ts_pri),
	F(thread, td_attached),
	F(thread, td_pri_lock),
	F(thread, td_pri),
	F(thread, td_base_pri),
	F(thread, td_loan),
	F(thread, td_contested),
	F(thread, td_lent_to),
	F(thread, td_turnstile),
	F(thread, td_ts_since_ns),
	F(thread, td_met_ns),
	F(thread, td_turn_ns),
	F(thread, td_invl),
	F(thread, td_counters),
	NAME_FIELD_END,
};

static const struct name_field chain_fields[] = {
	F(turnstile_chain, tc_lock),
	F(turnstile_chain, tc_turnstiles),
	F(turnstile_chain, tc_sim),
	F(turnstile_chain, tc_fair_ns),
	NAME_FIELD_END,
};

static const struct name_field turnstile_fields[] = {
	F(turnstile, ts_key),
	F(turnstile, ts_next),
	F(turnstile, ts_blocked),
	F(turnstile, ts_owner),
	F(turnstile, ts_pri),
	NAME_FIELD_END,
};

static const struct name_field held_fields[] = {
	F(held_line, hl_word),
	F(held_line, hl_td),
	NAME_FIELD_END,
};

static const struct name_field invl_fields[] = {
	F(pmap_invl, pi_word),
	F(pmap_invl, pi_older),
	F(pmap_invl, pi_newer),
	F(pmap_invl, pi_region),
	NAME_FIELD_END,
};

static const struct name_field di_fields[] = {
	F(pmap_di, di_head),
	F(pmap_di, di_waiters),
	F(pmap_di, di_max_qlen),
	F(pmap_di, di_mtx),
	F(pmap_di, di_newest),
	F(pmap_di, di_qlen),
	F(pmap_di, di_pool_lock),
	F(pmap_di, di_pool),
	NAME_FIELD_END,
};

static const struct name_field cpu_fields[] = {
	F(mmu_cpu, mc_lock),
	F(mmu_cpu, mc_pmap),
	F(mmu_cpu, mc_tlb),
	F(mmu_cpu, mc_stats),
	F(mmu_cpu, mc_slot_lock),
	F(mmu_cpu, mc_request),
	F(mmu_cpu, mc_unacked),
	NAME_FIELD_END,
};

static const struct name_field object_fields[] = {
	F(vm_object, rvq),
	F(vm_object, lock),
	F(vm_object, memq_first),
	F(vm_object, memq_last),
	F(vm_object, resident_page_count),
	F(vm_object, size),
	F(vm_object, machine),
	NAME_FIELD_END,
};

static const struct name_field worker_fields[] = {
	F(wl_thread, wlt_run),
	F(wl_thread, wlt_rng),
	F(wl_thread, wlt_pageops),
	F(wl_thread, wlt_work),
	NAME_FIELD_END,
};

static void
walk_thread(struct thread *td, void *arg)
{
	struct names *names = arg;

	names_add_one(
	    names, td, sizeof(*td), "thread", td->td_id, thread_fields);
	names_add_one(names, td->td_held, sizeof(*td->td_held),
	    "held locks of thread", td->td_id, held_fields);
	names_add_one(names, td->td_invl, sizeof(*td->td_invl),
	    "invalidation block of thread", td->td_id, invl_fields);
	names_add_one(names, td->td_turnstile, sizeof(*td->td_turnstile),
	    "turnstile of thread", td->td_id, turnstile_fields);
}

static void
walk_locks(struct names *names, const struct sim *sim)
{
	struct lock_env *le = sim->sim_locks;
	const struct turnstile *ts;

	names_add_row(names, le->le_chains, TC_TABLESIZE,
	    sizeof(le->le_chains[0]), "turnstile chain", chain_fields);
	for (int64_t i = 0; i < TC_TABLESIZE; i++) {
		for (ts = le->le_chains[i].tc_turnstiles; ts != NULL;
		     ts = ts->ts_next)
			names_add_one(names, ts, sizeof(*ts),
			    "turnstile of chain", i, turnstile_fields);
	}
	names_add_one(names, &le->le_profile,
	    sizeof(*le) - offsetof(struct lock_env, le_profile),
	    "lock environment", -1, NULL);
}

static void
walk_reservations(struct names *names, const struct vm_phys *vp)
{
	const struct vm_reserv_state *rvs = vp->vp_reservs;

	names_add_row(names, vp->vp_reserv, rvs->rvs_count,
	    sizeof(vp->vp_reserv[0]), "vm_reserv", reserv_fields);
	names_add_row(names, rvs->rvs_domains, MAXMEMDOM,
	    sizeof(rvs->rvs_domains[0]), "vm_reserv_domain",
	    reserv_domain_fields);
	names_add_row(names, rvs->rvs_obj_locks, RESERV_OBJ_LOCKS,
	    sizeof(rvs->rvs_obj_locks[0]), "vm_reserv_object_lock", NULL);
	names_add_one(names, rvs->rvs_used, (rvs->rvs_count + 63) / 64 * 8,
	    "rvs_used", -1, NULL);
}

static void
walk_phys(struct names *names)
{
	const struct vm_phys *vp = names->na_machine->ma_vp;
	const struct vm_pgcache *pgc;
	int64_t i = 0;

	names_add_one(names, vp, sizeof(*vp), "vm_phys", -1, phys_fields);
	names_add_one(names, vp->vp_private, sizeof(*vp->vp_private),
	    "vm_phys_private", -1, private_fields);
	for (int d = 0; d < vp->vp_ndomains; d++)
		names_add_one(names, vp->vp_domains[d],
		    sizeof(*vp->vp_domains[d]), "vm_domain", d, domain_fields);
	/* Relaxed: the machine is quiescent. */
	pgc = atomic_load_explicit(
	    &vp->vp_private->vpp_pgcaches, memory_order_relaxed);
	for (; pgc != NULL; pgc = pgc->pgc_next, i++) {
		names_add_one(
		    names, pgc, sizeof(*pgc), "vm_pgcache", i, pgcache_fields);
		names_add_one(names, pgc->pgc_pools,
		    (size_t)vp->vp_ndomains * sizeof(pgc->pgc_pools[0]),
		    "vm_pgcache.pgc_pools", i, NULL);
	}
	names_add(names,
	    &(struct name_range){
		.nr_base = (uintptr_t)vp->vp_array,
		.nr_size = vp->vp_array_size,
		.nr_fn = name_of_page,
	    });
	names_add(names,
	    &(struct name_range){
		.nr_base = (uintptr_t)vp->vp_dmap,
		.nr_size = vp->vp_dmap_size,
		.nr_fn = name_in_page,
	    });
	walk_reservations(names, vp);
}

static void
add_root(struct names *names, const struct vm_page *page, int pmap)
{
	struct name_root *roots;

	roots =
	    realloc(names->na_roots, (names->na_nroots + 1) * sizeof(roots[0]));
	if (roots == NULL) {
		names->na_full = true;
		return;
	}
	roots[names->na_nroots++] = (struct name_root){ page, pmap };
	names->na_roots = roots;
}

static void
walk_pmaps(struct names *names)
{
	const struct machine *m = names->na_machine;
	const struct pmap *pm;
	int64_t i = 0;

	for (int l = 0; l < m->ma_nchunklists; l++)
		names_add_one(names, m->ma_chunks[l], sizeof(*m->ma_chunks[l]),
		    "pv_chunks", l, chunks_fields);
	TAILQ_FOREACH (pm, &m->ma_pmaps, pm_zone_all) {
		if (pm->pm_live)
			add_root(names, pm->pm_root_page, (int)i);
		names_add_one(names, pm, sizeof(*pm), "pmap", i++, pmap_fields);
	}
	names_add_one(
	    names, m->ma_di, sizeof(*m->ma_di), "pmap_di", -1, di_fields);
	if (m->ma_mmu != NULL)
		names_add_row(names, m->ma_mmu->mu_cpus, m->ma_mmu->mu_ncpus,
		    sizeof(m->ma_mmu->mu_cpus[0]), "mmu_cpu", cpu_fields);
}

static void
walk_run(struct names *names, const struct wl_run *run)
{
	const struct wl_object *wlo;
	int64_t i = 0;

	names_add_row(names, run->wlr_threads, run->wlr_config->wc_threads,
	    sizeof(run->wlr_threads[0]), "worker", worker_fields);
	TAILQ_FOREACH (wlo, &run->wlr_objects, wlo_link) {
		names_add_one(names, wlo->wlo_object, sizeof(*wlo->wlo_object),
		    "object", i, object_fields);
		names_add_row(names, wlo->wlo_pages, wlo->wlo_npages,
		    sizeof(wlo->wlo_pages[0]), "page list of an object", NULL);
		i++;
	}
}

void
names_walk_sim(struct names *names, struct sim *sim)
{
	names_add_one(names, sim, sizeof(*sim), "sim", -1, NULL);
	sim_thread_foreach(sim, walk_thread, names);
	walk_locks(names, sim);
}

void
names_walk(struct names *names)
{
	struct machine *m = names->na_machine;

	names_add_one(names, m, sizeof(*m), "machine", -1, machine_fields);
	names_walk_sim(names, m->ma_sim);
	walk_phys(names);
	walk_pmaps(names);
	if (names->na_run != NULL)
		walk_run(names, names->na_run);
}
