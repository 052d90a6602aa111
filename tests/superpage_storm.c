/* SPDX-License-Identifier: BSD-2-Clause */

/* Building, running and ending a storm.  See superpage_storm.h. */

#include "superpage_storm.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lock_util.h"
#include "phys/vm_reserv.h"

#define VA0 (UINT64_C(0x40000000) - SPS_NSLOTS / 2 * NBPDR)

/*
 * What is left free when pages are few.  Page tables of superpages, directories
 * and roots cannot be reclaimed: 4 + 3 + 1 for each of 11 address spaces, and 4
 * chunks for each wired superpage that is split.
 */
#define FEW_PAGES  96
#define WAIT_PAGES 260

static const char map_lines[] = "0-98000 usable 0\n"
				"100000-2000000 usable 0\n"
				"2000000-3000000 usable 1\n";

struct sps_totals sps_totals;

/* The generator of the thread's own storm: for who yields on its behalf. */
static _Thread_local struct sps_thread *self;

uint64_t
sps_below(struct sps_thread *st, uint64_t n)
{
	return ((lt_random(&st->st_rng) >> 32) % n);
}

bool
sps_odds(struct sps_thread *st, uint64_t n)
{
	return (sps_below(st, n) == 0);
}

void
sps_wrong(struct sps *sps, const char *what)
{
	/* Relaxed: read after the join. */
	if (atomic_fetch_add_explicit(&sps->wrong, 1, memory_order_relaxed) < 8)
		(void)fprintf(stderr, "storm: %s\n", what);
}

vm_offset_t
sps_slot(uint64_t slot)
{
	return (VA0 + slot * NBPDR);
}

struct pmap *
sps_some_pmap(struct sps_thread *st)
{
	struct sps *sps = st->st_sps;

	if (st->st_i < SPS_NTHREADS && sps_odds(st, 3))
		return (sps->own[st->st_i]);
	return (sps->shared[sps_below(st, SPS_NSHARED)]);
}

bool
sps_busy_shared(struct sps_object *so)
{
	/* Relaxed: the exchange decides. */
	int n = atomic_load_explicit(&so->so_busy, memory_order_relaxed);

	while (n >= 0) {
		/* Acquire: pairs with claim_drop(). */
		if (atomic_compare_exchange_weak_explicit(&so->so_busy, &n,
			n + 1, memory_order_acquire, memory_order_relaxed))
			return (true);
	}
	return (false);
}

void
sps_busy_drop(struct sps_object *so)
{
	/* Release: pairs with claim(). */
	atomic_fetch_sub_explicit(&so->so_busy, 1, memory_order_release);
}

/* Preemption: at unlocks of pv lists, and where a test may step in. */

static const struct pv_lock_ops *inner_ops;

static void
maybe_yield(uint64_t odds)
{
	struct sim *sim;

	if (self == NULL || !sps_odds(self, odds))
		return;
	sim = self->st_sps->pu.pu_ma->ma_sim;
	sim->sim_ops->so_yield(sim);
}

static void
preempt_unlock(void *word, bool modified)
{
	inner_ops->plo_unlock(word, modified);
	maybe_yield(64);
}

static void
preempt_runlock(void *word)
{
	inner_ops->plo_runlock(word);
	maybe_yield(64);
}

static void
preempt_point(struct machine *ma, enum test_point tp, void *arg)
{
	(void)ma;
	(void)arg;
	/* Mappings are gone and the TLBs do not know: that is to last. */
	maybe_yield(tp == TP_REMOVE_FLUSH ? 2 : 128);
}

/* The design with a lock that yields; ops must outlive the machine. */
static void
make_preemptible(
    const char *design, char *text, size_t size, struct pv_lock_ops *ops)
{
	const char *rest, *slash = strchr(design, '/');
	char name[32];
	size_t n;

	assert_non_null(slash);
	n = strcspn(slash + 1, "+");
	rest = slash + 1 + n;
	(void)snprintf(name, sizeof(name), "%.*s", (int)n, slash + 1);
	inner_ops = pv_lock_ops_lookup(name);
	assert_non_null(inner_ops);
	*ops = *inner_ops;
	ops->plo_name = "preempted";
	ops->plo_unlock = preempt_unlock;
	if (ops->plo_runlock != NULL)
		ops->plo_runlock = preempt_runlock;
	(void)snprintf(text, size, "%.*s/preempted%s", (int)(slash - design),
	    design, rest);
}

static void
object_begin(struct sps *sps, struct sps_object *so, unsigned npages,
    enum vm_object_fill fill)
{
	struct vm_page *m;

	assert_int_equal(
	    vm_object_create(sps->pu.pu_ma, npages, 0, fill, &so->so_object),
	    0);
	so->so_pages = test_calloc(npages, sizeof(*so->so_pages));
	for (m = so->so_object->memq_first; m != NULL; m = m->listq_next)
		so->so_pages[m->pindex] = m;
}

static void
object_end(struct sps_object *so)
{
	vm_object_destroy(so->so_object);
	test_free(so->so_pages);
}

static void
storm_begin(struct sps *sps, const struct sps_config *sc)
{
	static struct pv_lock_ops ops;
	static const struct pv_lock_ops *const foreign[] = { &ops, NULL };
	struct machine_config mc = {
		.mc_design = sc->sc_design,
		.mc_ncpus = SPS_NCPUS,
	};
	char text[160];

	memset(sps, 0, sizeof(*sps));
	sps->config = sc;
	sps->seed = sc->sc_seed;
	if (sc->sc_preempt) {
		make_preemptible(sc->sc_design, text, sizeof(text), &ops);
		mc.mc_design = text;
		mc.mc_locks = foreign;
	}
	pu_setup_config(&sps->pu, map_lines, &mc);
	mmu_seed(sps->pu.pu_ma, sc->sc_seed);
	if (sc->sc_preempt)
		test_point_set(sps->pu.pu_ma, preempt_point, NULL);
	for (unsigned i = 0; i < SPS_NRUNS; i++) {
		if (i % 2 == 0)
			object_begin(sps, &sps->runs[i / 2], 2 * SPS_RUN,
			    VM_OBJECT_RUNS);
		sps->run[i] = sps->runs[i / 2].so_pages[i % 2 * SPS_RUN];
		if (sps->run[i]->psind == 0)
			sps->assumed[i] = vm_reserv_assume(sps->pu.pu_ma->ma_vp,
			    VM_PAGE_TO_PHYS(sps->run[i]), true);
		assert_int_equal(sps->run[i]->psind, 1);
	}
	object_begin(sps, &sps->singles, SPS_NSINGLES, VM_OBJECT_SCATTERED);
	for (unsigned i = 0; i < SPS_NSHARED; i++)
		sps->shared[i] = pu_pmap(&sps->pu);
	for (unsigned i = 0; i < SPS_NTHREADS; i++)
		sps->own[i] = pu_pmap(&sps->pu);
	if (sc->sc_shortage == SPS_FEW)
		pu_hoard(&sps->pu, &sps->hoard, FEW_PAGES);
	else if (sc->sc_shortage == SPS_WAIT)
		pu_hoard(&sps->pu, &sps->hoard, WAIT_PAGES);
}

static void
storm_end(struct sps *sps)
{
	struct machine *ma = sps->pu.pu_ma;

	test_point_set(ma, NULL, NULL);
	pmap_limit(ma, -1, -1);
	pu_unhoard(&sps->pu, &sps->hoard);
	for (unsigned i = 0; i < SPS_NCPUS; i++)
		pmap_deactivate(ma, i);
	for (unsigned i = 0; i < SPS_NTHREADS; i++) {
		if (sps->own[i] == NULL)
			continue;
		pmap_remove_pages(sps->own[i]);
		pmap_remove(sps->own[i], 0, VM_MAXUSER_ADDRESS);
		pu_pmap_free(sps->own[i]);
	}
	pu_check(&sps->pu);
	for (unsigned i = 0; i < SPS_NSHARED; i++) {
		pmap_remove(sps->shared[i], 0, VM_MAXUSER_ADDRESS);
		pu_pmap_free(sps->shared[i]);
	}
	for (unsigned i = 0; i < SPS_NRUNS; i++) {
		if (sps->assumed[i])
			(void)vm_reserv_assume(
			    ma->ma_vp, VM_PAGE_TO_PHYS(sps->run[i]), false);
	}
	for (unsigned i = 0; i < SPS_NRUNS / 2; i++)
		object_end(&sps->runs[i]);
	object_end(&sps->singles);
	pu_teardown(&sps->pu);
}

static void
changer(void *arg)
{
	struct sps_thread *st = arg;

	self = st;
	for (unsigned n = 0; n < st->st_sps->config->sc_nops; n++) {
		switch (sps_below(st, 32)) {
		default:
			sps_enter(st);
			break;
		case 10:
		case 11:
		case 12:
		case 13:
		case 14:
		case 15:
			sps_change(st);
			break;
		case 16:
		case 17:
		case 18:
		case 19:
		case 20:
		case 21:
		case 22:
		case 23:
			sps_page(st);
			break;
		case 24:
		case 25:
		case 26:
			sps_use(st);
			break;
		case 27:
		case 28:
			sps_replace_single(st);
			break;
		case 29:
			sps_wire(st);
			break;
		case 30:
			if (sps_odds(st, 2))
				sps_exit(st);
			break;
		}
	}
	/* Release: what the storm did comes before its end. */
	atomic_fetch_sub_explicit(&st->st_sps->left, 1, memory_order_release);
	self = NULL;
}

static void
reader(void *arg)
{
	struct sps_thread *st = arg;
	struct sim *sim = st->st_sps->pu.pu_ma->ma_sim;

	self = st;
	/* Acquire: pairs with changer(). */
	while (atomic_load_explicit(&st->st_sps->left, memory_order_acquire) !=
	    0) {
		sps_use(st);
		/* With more threads than CPUs the others come first. */
		sim->sim_ops->so_yield(sim);
	}
	self = NULL;
}

static void
storm_round(struct sps *sps)
{
	struct sps_thread st[SPS_NCPUS];
	struct pu_thread put[SPS_NCPUS];
	struct machine *ma = sps->pu.pu_ma;

	if (sps->config->sc_shortage == SPS_LIMIT)
		pmap_limit(ma, (int64_t)(lt_random(&sps->seed) % 24),
		    (int64_t)(lt_random(&sps->seed) % 24));
	/* Relaxed: no thread runs yet. */
	atomic_store_explicit(&sps->left, SPS_NTHREADS, memory_order_relaxed);
	for (unsigned i = 0; i < SPS_NCPUS; i++) {
		st[i] = (struct sps_thread){
			.st_sps = sps,
			.st_i = i,
			.st_cpu = i,
			.st_rng = lt_random(&sps->seed),
		};
		pmap_deactivate(ma, i);
	}
	machine_thread_idle_begin(ma);
	for (unsigned i = 0; i < SPS_NCPUS; i++)
		pu_start(&sps->pu, &put[i], i,
		    i < SPS_NTHREADS ? changer : reader, &st[i]);
	for (unsigned i = 0; i < SPS_NCPUS; i++)
		pu_join(&put[i]);
	machine_thread_idle_end(ma);
}

static void
add_totals(struct sps *sps)
{
	struct pmap_pde_stats pds;
	struct mmu_stats ms;

	pmap_pde_stats(sps->pu.pu_ma, &pds);
	mmu_stats(sps->pu.pu_ma, &ms);
	sps_totals.st_promotions += pds.pds_promotions;
	sps_totals.st_demotions += pds.pds_demotions;
	sps_totals.st_mappings += pds.pds_mappings;
	sps_totals.st_restarts += pu_counter(&sps->pu, CTR_PV_RESTARTS);
	sps_totals.st_reclaims += pu_counter(&sps->pu, CTR_PV_RECLAIMS);
	sps_totals.st_invl_waits += pu_counter(&sps->pu, CTR_INVL_WAIT);
	sps_totals.st_hits += ms.ms_hits;
	/* Relaxed: all joined. */
	sps_totals.st_frozen +=
	    atomic_load_explicit(&sps->nfrozen, memory_order_relaxed);
}

void
sps_run(const struct sps_config *sc)
{
	static struct sps sps;
	unsigned wrong;

	storm_begin(&sps, sc);
	for (unsigned round = 0; round < sc->sc_rounds; round++) {
		storm_round(&sps);
		/* Relaxed: all joined. */
		wrong = atomic_load_explicit(&sps.wrong, memory_order_relaxed);
		wrong += machine_check(sps.pu.pu_ma, stderr);
		if (wrong != 0)
			fail_msg("%s, seed %" PRIu64
				 ", shortage %d, round %u: %u wrong",
			    sc->sc_design, sc->sc_seed, (int)sc->sc_shortage,
			    round, wrong);
	}
	add_totals(&sps);
	storm_end(&sps);
}
