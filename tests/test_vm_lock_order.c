/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Which locks are acquired under which, by superpages, reclaim, delayed
 * invalidation, reservations and all scenarios: each pair that the witness has
 * seen must be in the list below, and the pairs that make up these layers must
 * have been seen.
 *
 * The list is that of the design, from the outside in: vm object, pmap, pmap pv
 * list, vm reserv, then one of resv obj lock and VM reserv domain, vm page free
 * queue.  Leaves are the chunk lists and invlgn.  Nothing that holds a lock of
 * reservations or a free queue may acquire one of a pmap, a pv list or an object:
 * so there is no such row.  witness_order.c, by which the witness itself judges,
 * is written apart from this list.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lock/witness.h"
#include "pmap/pmap_superpage.h"
#include "pmap_util.h"
#include "pmapsim/mmu.h"
#include "vm/vm_object.h"
#include "workload_util.h"

#define R      VM_PROT_READ
#define W      VM_PROT_WRITE
#define VA     UINT64_C(0x40000000)
#define END    (VA + 2 * NBPDR)
#define NPAGES UINT64_C(1024)

static const struct edge {
	const char *outer;
	const char *inner;
	bool expected; /* any run must show it */
} allowed[] = {
	{ "vm object", "vm object", false }, /* child, then backing */
	{ "vm object", "pmap", true },
	{ "vm object", "pmap pv list", true },
	{ "vm object", "pmap pv chunk list", true },
	{ "vm object", "invlgn", true },
	{ "vm object", "vm reserv", false },
	{ "vm object", "vm reserv marker", false },
	{ "vm object", "resv obj lock", false },
	{ "vm object", "VM reserv domain", false },
	{ "vm object", "vm page free queue", true },
	{ "pmap", "pmap", false }, /* by ascending address; not recorded */
	{ "pmap", "pmap pv list", true },
	{ "pmap", "pmap pv list dummy", false },
	{ "pmap", "pmap pv chunk list", true },
	{ "pmap", "invlgn", true }, /* reclaim, enter_pde */
	{ "pmap", "vm reserv", false },
	{ "pmap", "vm reserv marker", false },
	{ "pmap", "resv obj lock", false },
	{ "pmap", "VM reserv domain", false },
	{ "pmap", "vm page free queue", true },
	{ "pmap pv list", "pmap pv chunk list", true },
	{ "pmap pv list", "invlgn", false }, /* reclaim */
	{ "pmap pv list", "vm reserv", false },
	{ "pmap pv list", "resv obj lock", false },
	{ "pmap pv list", "VM reserv domain", false },
	{ "pmap pv list", "vm page free queue", true },
	{ "pmap pv list dummy", "pmap pv chunk list", false },
	{ "pmap pv list dummy", "vm page free queue", false },
	{ "vm reserv marker", "vm reserv", false },
	{ "vm reserv marker", "resv obj lock", false },
	{ "vm reserv marker", "VM reserv domain", false },
	{ "vm reserv marker", "vm page free queue", false },
	{ "vm reserv", "resv obj lock", false },
	{ "vm reserv", "VM reserv domain", false },
	{ "vm reserv", "vm page free queue", false },
};
#define NALLOWED (sizeof(allowed) / sizeof(allowed[0]))

static bool seen[NALLOWED];

static size_t
edge_index(const char *outer, const char *inner)
{
	size_t i;

	for (i = 0; i < NALLOWED; i++) {
		if (strcmp(outer, allowed[i].outer) == 0 &&
		    strcmp(inner, allowed[i].inner) == 0)
			break;
	}
	return (i);
}

static void
look(void *arg, const struct witness_edge *we)
{
	const struct witness_place *outer = &we->we_first.ws_outer;
	const struct witness_place *inner = &we->we_first.ws_inner;
	size_t i = edge_index(outer->wp_name, inner->wp_name);
	unsigned *unknown = arg;

	if (i < NALLOWED) {
		seen[i] = true;
		return;
	}
	(*unknown)++;
	print_message("# unknown: %s (%s:%d), then %s (%s:%d)\n",
	    outer->wp_name, outer->wp_file, outer->wp_line, inner->wp_name,
	    inner->wp_file, inner->wp_line);
}

static unsigned
unknown_edges(struct pu *pu)
{
	unsigned unknown = 0;

	witness_foreach_edge(pu->pu_ma->ma_sim, look, &unknown);
	return (unknown);
}

static void
begin(struct pu *pu, const char *design)
{
	struct machine_config mc = {
		.mc_design = design,
		.mc_ncpus = 4,
		.mc_witness = MACHINE_WITNESS_PRINT,
	};

	pu_setup_config(pu,
	    "0-9fc00 usable 0\n"
	    "100000-4000000 usable 0\n"
	    "4000000-8000000 usable 1\n",
	    &mc);
}

/* Map all pages of obj, write them, and let the pages be asked. */
static void
superpages(
    struct pu *pu, struct pmap *pmap, struct pmap *child, struct vm_object *obj)
{
	struct vm_page *m;
	vm_offset_t va;

	VM_OBJECT_RLOCK(obj);
	for (m = obj->memq_first; m != NULL; m = m->listq_next) {
		va = VA + m->pindex * PAGE_SIZE;
		assert_int_equal(
		    pmap_enter(pmap, va, m, R | W, W | PMAP_ENTER_NOSLEEP, 0),
		    KERN_SUCCESS);
	}
	VM_OBJECT_RUNLOCK(obj);
	pmap_protect(pmap, VA, END, R);
	pmap_copy(child, pmap, VA, END - VA, VA);
	VM_OBJECT_WLOCK(obj);
	m = obj->memq_first;
	pmap_enter_object(child, VA, END, m, R);
	(void)pmap_ts_referenced(pu->pu_ma, m);
	pmap_remove_write(pu->pu_ma, m);
	pmap_remove_all(pu->pu_ma, m);
	if (m->psind == 1)
		(void)pmap_enter(pmap, VA, m, R | W, W | PMAP_ENTER_NOSLEEP, 1);
	pmap_clear_modify(pu->pu_ma, m);
	(void)pmap_is_modified(pu->pu_ma, m);
	pmap_remove(child, VA, VA + PAGE_SIZE);
	VM_OBJECT_WUNLOCK(obj);
	pmap_advise(pmap, VA, END, PMAP_ADVISE_FREE);
	pmap_protect(pmap, VA, VA + PAGE_SIZE, R);
	pmap_remove_pages(child);
}

/* No chunk is to be had: mappings of other pmaps are reclaimed, and one's own. */
static void
shortage(
    struct pu *pu, struct pmap *pmap, struct pmap *other, struct vm_object *obj)
{
	struct vm_page *m;

	pmap_remove(pmap, VA, END);
	for (m = obj->memq_first; m != NULL && m->pindex < 300;
	     m = m->listq_next) {
		if (m->pindex == 170)
			pmap_limit(pu->pu_ma, -1, 0);
		(void)pmap_enter(m->pindex < 170 ? other : pmap,
		    VA + m->pindex * PAGE_SIZE, m, R, R | PMAP_ENTER_NOSLEEP,
		    0);
	}
	for (m = obj->memq_first; m != NULL && m->pindex < 300;
	     m = m->listq_next)
		(void)pmap_enter(other, VA + m->pindex * PAGE_SIZE, m, R,
		    R | PMAP_ENTER_NOSLEEP, 0);
	pmap_limit(pu->pu_ma, -1, -1);
}

/* Without reservations: the first run is full. */
static void
assume(struct pu *pu, struct vm_object *obj, bool full)
{
	if (machine_design(pu->pu_ma)->d_no_reserv)
		(void)vm_reserv_assume(
		    pu->pu_ma->ma_vp, VM_PAGE_TO_PHYS(obj->memq_first), full);
}

static void
run_design(const char *design)
{
	struct vm_object *obj;
	struct pmap *a, *b;
	struct pu pu;

	begin(&pu, design);
	a = pu_pmap(&pu);
	b = pu_pmap(&pu);
	pmap_activate(a, 1);
	assert_int_equal(
	    vm_object_create(pu.pu_ma, NPAGES, 0, VM_OBJECT_RUNS, &obj), 0);
	assume(&pu, obj, true);
	superpages(&pu, a, b, obj);
	shortage(&pu, a, b, obj);
	shortage(&pu, b, a, obj);
	pmap_deactivate(pu.pu_ma, 1);
	pmap_remove(a, 0, VM_MAXUSER_ADDRESS);
	pmap_remove(b, 0, VM_MAXUSER_ADDRESS);
	assume(&pu, obj, false);
	vm_object_destroy(obj);
	pu_pmap_free(a);
	pu_pmap_free(b);
	assert_int_equal(unknown_edges(&pu), 0);
	assert_int_equal(witness_reports(pu.pu_ma->ma_sim), 0);
	pu_teardown(&pu);
}

static void
run_scenario(struct pu *pu, const char *name)
{
	struct workload_config wc = small_workload(name, 4, 1, 4);
	struct workload_result wr;
	char err[256];

	wc.wc_params.wp_range_pages = 512;
	if (workload_run(pu->pu_ma, &wc, &wr, err, sizeof(err)) != 0)
		fail_msg("%s: %s", name, err);
	workload_result_free(&wr);
}

static const char *const designs[] = {
	"sparse/rwlock+di=mutex+tlb=assoc+ipi=mailbox",
	"hashed/gen2+chunks=global+locks=2",
	"segment/mtx8+batch+di=mutex",
	"ptrarray/pthread_mutex+pmap=12.1+tlb=direct",
	"sparse/gen1+reserv=off+di=mutex",
};
#define NDESIGNS (sizeof(designs) / sizeof(designs[0]))

static void
every_pair_of_locks_is_in_the_list(void **state)
{
	(void)state;
	for (size_t i = 0; i < NDESIGNS; i++)
		run_design(designs[i]);
	for (size_t i = 0; i < NALLOWED; i++) {
		if (allowed[i].expected && !seen[i])
			fail_msg("%s, then %s: was not seen", allowed[i].outer,
			    allowed[i].inner);
	}
}

static void
every_pair_of_the_scenarios_is_in_the_list(void **state)
{
	struct pu pu;

	(void)state;
	for (size_t i = 0; i < NDESIGNS; i++) {
		begin(&pu, designs[i]);
		machine_thread_detach(pu.pu_ma);
		for (const struct workload_info *wi = workload_list();
		     wi->wi_name != NULL; wi++)
			run_scenario(&pu, wi->wi_name);
		assert_int_equal(machine_thread_attach(pu.pu_ma, 0), 0);
		assert_int_equal(unknown_edges(&pu), 0);
		pu_teardown(&pu);
	}
}

/* A pair that is in no list is found. */
static void
an_unknown_pair_is_found(void **state)
{
	struct pmap *pmap;
	struct pu pu;

	(void)state;
	begin(&pu, "sparse/rwlock");
	pmap = pu_pmap(&pu);
	assert_int_equal(unknown_edges(&pu), 0);
	mtx_lock(&pu.pu_ma->ma_zone_mtx);
	PMAP_LOCK(pmap);
	PMAP_UNLOCK(pmap);
	mtx_unlock(&pu.pu_ma->ma_zone_mtx);
	assert_int_equal(unknown_edges(&pu), 1);
	pu_pmap_free(pmap);
	pu_teardown(&pu);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_pair_is_found),
		cmocka_unit_test(every_pair_of_locks_is_in_the_list),
		cmocka_unit_test(every_pair_of_the_scenarios_is_in_the_list),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
