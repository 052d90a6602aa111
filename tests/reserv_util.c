/* SPDX-License-Identifier: BSD-2-Clause */

#include "reserv_util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct pu ru_pu;
struct vm_phys *ru_vp;
_Atomic uint64_t ru_ticks;

static struct sim_ops ops;

static uint64_t
clock_of_ticks(struct sim *sim)
{
	(void)sim;
	/* Relaxed: only the value counts. */
	return (atomic_load_explicit(&ru_ticks, memory_order_relaxed) *
	    UINT64_C(1000000));
}

void
ru_setup(const char *design, uint64_t limit)
{
	struct machine_config mc = {
		.mc_design = design,
		.mc_ncpus = 8,
		.mc_limit_pages = limit,
		.mc_witness = MACHINE_WITNESS_PANIC,
	};

	pu_setup_config(&ru_pu, NULL, &mc);
	ru_vp = ru_pu.pu_ma->ma_vp;
	/* Relaxed: one thread yet. */
	atomic_store_explicit(&ru_ticks, 1, memory_order_relaxed);
	ops = sim_real_ops;
	ops.so_clock_ns = clock_of_ticks;
	ru_pu.pu_ma->ma_sim->sim_ops = &ops;
}

void
ru_teardown(void)
{
	pu_teardown(&ru_pu);
}

int
ru_begin(void **state)
{
	(void)state;
	ru_setup(NULL, 0);
	return (0);
}

int
ru_end(void **state)
{
	(void)state;
	ru_teardown();
	return (0);
}

struct vm_object *
ru_object(vm_pindex_t size, bool grows)
{
	struct vm_object *obj;

	assert_int_equal(
	    vm_object_create(ru_pu.pu_ma, size, 0, VM_OBJECT_EMPTY, &obj), 0);
	obj->grows = grows;
	return (obj);
}

struct vm_page *
ru_alloc(struct vm_object *obj, vm_pindex_t pindex)
{
	struct vm_page *m;

	VM_OBJECT_WLOCK(obj);
	m = vm_object_alloc_page(obj, pindex, 0);
	VM_OBJECT_WUNLOCK(obj);
	return (m);
}

void
ru_free(struct vm_page *m)
{
	struct vm_object *obj = m->object;

	VM_OBJECT_WLOCK(obj);
	vm_object_free_page(obj, m);
	VM_OBJECT_WUNLOCK(obj);
}

void
ru_rename(struct vm_page *m, struct vm_object *to, vm_pindex_t pindex)
{
	struct vm_object *from = m->object;

	VM_OBJECT_WLOCK(from);
	VM_OBJECT_WLOCK(to);
	vm_page_rename(m, to, pindex);
	VM_OBJECT_WUNLOCK(to);
	VM_OBJECT_WUNLOCK(from);
}

struct vm_reserv *
ru_reserv(const struct vm_page *m)
{
	return (vm_reserv_from_page(ru_vp, m));
}

uint64_t
ru_seed(void)
{
	const char *s = getenv("PMAPSIM_SEED");
	uint64_t seed = s != NULL ? strtoull(s, NULL, 0) : 20250117;

	print_message("# PMAPSIM_SEED=%ju\n", (uintmax_t)seed);
	return (seed);
}

uint64_t
ru_random(uint64_t *x)
{
	*x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*x >> 33);
}
