/* SPDX-License-Identifier: BSD-2-Clause */

/* What is charged by name on the virtual machine, and who charges it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lock/lock_hooks.h"
#include "lock/mtx.h"
#include "sim/sim.h"
#include "sim/virtual/world.h"

static struct preset pr;
static struct kmem *km;
static struct sim *sim;

static int
setup(void **state)
{
	struct virt_config vc = { .vc_preset = &pr, .vc_ncpus = 4 };
	struct preset_error pe;

	(void)state;
	assert_int_equal(preset_open("clx-2s-104", &pr, &pe), 0);
	assert_int_equal(preset_set(&pr, "lock_profile=60", "test", &pe), 0);
	assert_int_equal(preset_set(&pr, "pv_chunk=500", "test", &pe), 0);
	assert_int_equal(virt_begin(&vc), 0);
	assert_int_equal(kmem_create(1, &km), 0);
	assert_int_equal(sim_create(km, sim_native_ops, 4, &sim), 0);
	assert_int_equal(lock_env_create(sim, true), 0);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	lock_env_destroy(sim);
	sim_destroy(sim);
	assert_int_equal(kmem_destroy(km, NULL), 0);
	virt_end();
	return (0);
}

/* Run fn as a thread of CPU 0. */
static void
run(void (*fn)(void *))
{
	void *handle;

	assert_int_equal(
	    sim->sim_ops->so_thread_create(sim, -1, fn, NULL, &handle), 0);
	assert_int_equal(sim->sim_ops->so_thread_join(sim, handle), 0);
}

static uint64_t
cost_of(enum sim_cost what, uint64_t n)
{
	uint64_t before = sim_clock_ns(sim);

	sim_charge(sim, what, n);
	return (sim_clock_ns(sim) - before);
}

static void
charge_all(void *arg)
{
	struct thread *td;
	uint64_t alone[NSIM_COSTS];

	(void)arg;
	assert_int_equal(sim_thread_attach(sim, 0, 0, &td), 0);
	for (enum sim_cost c = 0; c < NSIM_COSTS; c++)
		alone[c] = cost_of(c, c == SIM_IPI_TARGET ? 1 : 1000);
	assert_int_equal(cost_of(SIM_COMPUTE_NS, 7), 7);
	assert_int_equal(cost_of(SIM_SYSCALL, 2) * 1000, 2 * pr.pr_syscall_ps);
	assert_int_equal(cost_of(SIM_FAULT, 1) * 1000, pr.pr_fault_ps);
	assert_int_equal(
	    cost_of(SIM_PAGE_CLEAR, 3) * 1000, 3 * pr.pr_page_clear_ps);
	assert_int_equal(cost_of(SIM_PAGE_COPY, 1) * 1000, pr.pr_page_copy_ps);
	assert_int_equal(cost_of(SIM_IPI, 1) * 1000, pr.pr_ipi_fixed_ps);
	/* By the CPU: 1 is in this socket, 2 and 3 may be in the other. */
	assert_int_equal(cost_of(SIM_IPI_TARGET, 1) * 1000, pr.pr_ipi_same_ps);
	assert_int_equal(
	    cost_of(SIM_IPI_TARGET, 3) * 1000, pr.pr_ipi_remote_ps);
	assert_int_equal(
	    cost_of(SIM_LOCK_PROFILE, 2) * 1000, 2 * pr.pr_lock_profile_ps);
	assert_int_equal(
	    cost_of(SIM_PV_CHUNK, 3) * 1000, 3 * pr.pr_pv_chunk_ps);
	/* A kernel's instructions are slower where the sibling works. */
	virt_world.vw_cpu->vc_busy++;
	for (enum sim_cost c = 0; c < NSIM_COSTS; c++)
		assert_int_equal(
		    cost_of(c, c == SIM_IPI_TARGET ? 1 : 1000) > alone[c],
		    c == SIM_COMPUTE_NS || c == SIM_SYSCALL || c == SIM_FAULT ||
			c == SIM_LOCK_PROFILE || c == SIM_PV_CHUNK);
	virt_world.vw_cpu->vc_busy--;
	/* Who does nothing for no time can be in a livelock. */
	virt_world.vw_spins = 5;
	assert_int_equal(cost_of(SIM_LOCK_PROFILE, 0), 0);
	assert_int_equal(virt_world.vw_spins, 5);
	assert_int_equal(cost_of(SIM_COMPUTE_NS, 1), 1);
	assert_int_equal(virt_world.vw_spins, 0);
	sim_thread_detach(td);
}

static void
what_the_model_does_not_do_costs_what_the_preset_says(void **state)
{
	(void)state;
	run(charge_all);
}

/* What passes while a lock is taken and given back that nobody else wants. */
static uint64_t
pair_ns(struct mtx *mtx)
{
	uint64_t before = sim_clock_ns(sim);

	mtx_lock(mtx);
	mtx_unlock(mtx);
	return (sim_clock_ns(sim) - before);
}

static void
pair_with_and_without(void *arg)
{
	struct thread *td;
	struct mtx mtx;
	uint64_t with, without, price = 2 * pr.pr_lock_profile_ps / 1000;

	(void)arg;
	assert_int_equal(sim_thread_attach(sim, 0, 0, &td), 0);
	assert_int_equal(lock_thread_attach(td), 0);
	mtx_init(&mtx, "profiled", 0);
	(void)pair_ns(&mtx);
	with = pair_ns(&mtx);
	td->td_lock_hooks &= (uint16_t)~LOCK_HOOK_PROFILE;
	without = pair_ns(&mtx);
	td->td_lock_hooks |= LOCK_HOOK_PROFILE;
	mtx_destroy(&mtx);
	lock_thread_detach(td);
	sim_thread_detach(td);
	/* The clock has whole nanoseconds. */
	assert_in_range(with - without, price - 1, price + 1);
}

static void
a_profile_takes_time_under_the_lock(void **state)
{
	(void)state;
	run(pair_with_and_without);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_the_model_does_not_do_costs_what_the_preset_says,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_profile_takes_time_under_the_lock, setup, teardown),
	};

	return (cmocka_run_group_tests_name("virt_cost", tests, NULL, NULL));
}
