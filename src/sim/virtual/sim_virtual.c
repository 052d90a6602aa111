/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * struct sim_ops on the virtual machine.
 *
 * Threads are fibers (world.h), time is virtual, and words that others see, the
 * token of so_wake(), a loan, a leaf lock, are accessed through the entry points of
 * tsan_atomic.c: what that costs is modelled, and a strategy sees the order that it
 * makes.
 *
 * Blocking.  The token is td_park, as in sim_real.c, with two states.  A fiber that
 * finds none sleeps; between the look and the sleep no other runs.
 *
 * Lending.  td_loan has the number of the borrower while the loan stands.  The
 * sleeper lends its priority, td_pri, to the fiber of that number, and that one
 * lends it on if it sleeps and lends itself.
 *
 * Leaf locks.  LEAF_WAITERS in the word says that somebody sleeps on it.  The
 * holder then frees the word and wakes the most urgent of them, who tries again
 * and sets the bit again if it fails, or if others are left: a lock is never handed
 * to one that sleeps.
 */

#include <errno.h>

#include "kern/kassert.h"
#include "sim/sim.h"
#include "sim/virtual/cost.h"
#include "sim/virtual/world.h"

enum {
	PARK_NONE,
	PARK_TOKEN
};

#define LEAF_WAITERS UINT32_C(0x80000000)

/*
 * Assumed: units of so_spin before a leaf lock's waiter sleeps, doubled each time
 * from 1 on.  On a host whose pause takes 47 ns it is 12 us.
 */
#define LEAF_SPINS_MAX 128

uint32_t __tsan_atomic32_load(const uint32_t *a, int order);
void __tsan_atomic32_store(uint32_t *a, uint32_t v, int order);
uint32_t __tsan_atomic32_exchange(uint32_t *a, uint32_t v, int order);
uint32_t __tsan_atomic32_compare_exchange_val(
    uint32_t *a, uint32_t c, uint32_t v, int order, int failed);

static uint32_t *
plain(_Atomic uint32_t *word)
{
	return ((uint32_t *)(uintptr_t)word);
}

static uint32_t
word_load(_Atomic uint32_t *word)
{
	return (__tsan_atomic32_load(plain(word), __ATOMIC_ACQUIRE));
}

static void
word_store(_Atomic uint32_t *word, uint32_t v)
{
	__tsan_atomic32_store(plain(word), v, __ATOMIC_RELEASE);
}

/* True if it was what was expected. */
static bool
word_swap(_Atomic uint32_t *word, uint32_t expected, uint32_t v)
{
	return (__tsan_atomic32_compare_exchange_val(plain(word), expected, v,
		    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) == expected);
}

static uint64_t
virtual_clock_ns(struct sim *sim)
{
	struct vcpu *vc = virt_world.vw_cpu;

	(void)sim;
	vc->vc_watch.w_clock_ps = vc->vc_clock_ps - vc->vc_watch.w_end_ps;
	return (world_now_ps() / 1000);
}

/*
 * Blocking.
 */

static bool
park_take(struct thread *td)
{
	return (__tsan_atomic32_exchange(plain(&td->td_park), PARK_NONE,
		    __ATOMIC_ACQUIRE) == PARK_TOKEN);
}

/* The fiber that runs has taken its token. */
static void
tell_woken(void)
{
	struct explore *ex = virt_world.vw_strategy;

	if (ex != NULL && ex->ex_ops->eo_woken != NULL)
		ex->ex_ops->eo_woken(ex);
}

/* The picoseconds of a deadline in nanoseconds. */
static uint64_t
deadline_ps(uint64_t ns)
{
	return (ns < VIRT_NEVER / 1000 ? ns * 1000 : VIRT_NEVER);
}

static bool
virtual_block_until(struct thread *td, uint64_t deadline_ns)
{
	uint64_t ps = deadline_ps(deadline_ns);

	KASSERT(td == curthread(),
	    ("thread %u blocked by another", (unsigned)td->td_id));
	while (!park_take(td)) {
		if (world_now_ps() >= ps)
			return (false);
		(void)world_block("a token", &td->td_park, ps, NULL);
	}
	tell_woken();
	return (true);
}

static void
virtual_block(struct thread *td)
{
	(void)virtual_block_until(td, UINT64_MAX);
}

static void
virtual_wake(struct thread *td)
{
	struct vfiber *fb;

	(void)__tsan_atomic32_exchange(
	    plain(&td->td_park), PARK_TOKEN, __ATOMIC_RELEASE);
	fb = world_fiber(td->td_tid);
	if (fb != NULL)
		world_wake(fb);
}

/*
 * Lending.
 */

static void
virtual_lend(struct thread *td, const struct thread *to)
{
	word_store(&td->td_loan.pw_owner, to->td_tid);
}

/* Does the chain of loans from fb on lead to the fiber that runs? */
static bool
lends_to_me(const struct vfiber *fb)
{
	/* A cycle that does not have us in it ends this way. */
	for (unsigned i = 0; fb != NULL && i < virt_world.vw_nfibers; i++) {
		if (fb == virt_world.vw_fiber)
			return (true);
		fb = fb->fb_lends_to;
	}
	return (false);
}

static int
virtual_block_lent(struct thread *td, uint64_t deadline_ns)
{
	uint64_t ps = deadline_ps(deadline_ns);
	struct vfiber *to;
	uint32_t tid;

	while ((tid = word_load(&td->td_loan.pw_owner)) != 0) {
		to = world_fiber(tid);
		if (to == NULL)
			return (ESRCH);
		if (lends_to_me(to))
			return (EDEADLK);
		if (world_now_ps() >= ps)
			return (ETIMEDOUT);
		(void)world_block("a loan", &td->td_loan, ps, to);
	}
	return (0);
}

static void
virtual_unlend(struct thread *td)
{
	struct vfiber *fb = world_fiber(td->td_tid);

	word_store(&td->td_loan.pw_owner, 0);
	if (fb != NULL && fb->fb_on == &td->td_loan)
		world_wake(fb);
}

static void
virtual_lend_cancel(struct thread *td)
{
	word_store(&td->td_loan.pw_owner, 0);
}

/* Threads with a priority of their own are what real-time threads are elsewhere. */
static int
virtual_host_pri(const struct thread *td)
{
	return (td->td_base_pri < PRI_HOST_END ? td->td_base_pri : PRI_NONE);
}

/*
 * Leaf locks.
 */

static uint32_t
virtual_tid(void)
{
	return (virt_world.vw_fiber->fb_id + 1);
}

static bool
sleeps_on(const struct vfiber *fb, const struct pi_word *pw)
{
	return (fb->fb_state == FB_BLOCKED && fb->fb_on == pw);
}

/* The most urgent of those that sleep on the word, or NULL. */
static struct vfiber *
leaf_sleeper(const struct pi_word *pw)
{
	struct vfiber *found = NULL;

	for (unsigned i = 0; i < virt_world.vw_nfibers; i++) {
		struct vfiber *fb = virt_world.vw_fibers[i];

		if (sleeps_on(fb, pw) &&
		    (found == NULL || vfiber_pri(fb) < vfiber_pri(found)))
			found = fb;
	}
	return (found);
}

/* Take a free word; others who sleep on it stay known. */
static bool
leaf_try(struct pi_word *pw, uint32_t v, uint32_t tid)
{
	if ((v & PI_TID_MAX) != 0)
		return (false);
	if (leaf_sleeper(pw) != NULL)
		tid |= LEAF_WAITERS;
	return (word_swap(&pw->pw_owner, v, tid));
}

static void
virtual_pi_lock(struct pi_word *pw, uint32_t tid)
{
	uint64_t spins = 1;
	uint32_t v;

	for (;;) {
		v = word_load(&pw->pw_owner);
		if (leaf_try(pw, v, tid))
			return;
		if (spins <= LEAF_SPINS_MAX) {
			world_spin(spins);
			spins *= 2;
			continue;
		}
		if ((v & PI_TID_MAX) == 0 ||
		    ((v & LEAF_WAITERS) == 0 &&
			!word_swap(&pw->pw_owner, v, v | LEAF_WAITERS)))
			continue;
		/* Nobody else has run since the word was found like that. */
		(void)world_block(
		    "a leaf lock", pw, VIRT_NEVER, world_fiber(v & PI_TID_MAX));
	}
}

static void
virtual_pi_unlock(struct pi_word *pw)
{
	struct vfiber *fb;

	word_store(&pw->pw_owner, 0);
	fb = leaf_sleeper(pw);
	if (fb != NULL)
		world_wake(fb);
}

static bool
virtual_asym_init(void)
{
	return (false);
}

static uint64_t *
virtual_asym_thread(void)
{
	return (NULL);
}

static void
virtual_asym_barrier(void)
{
}

static void
virtual_spin(struct sim *sim, unsigned n)
{
	(void)sim;
	world_spin(n);
}

static void
virtual_spin_until(struct sim *sim, unsigned n, uint64_t deadline_ns)
{
	(void)sim;
	world_spin_until(n, deadline_ps(deadline_ns));
}

static void
virtual_yield(struct sim *sim)
{
	(void)sim;
	world_yield();
}

/* It goes to the CPU of its thread when it attaches. */
static int
virtual_thread_create(
    struct sim *sim, int hostcpu, void (*fn)(void *), void *arg, void **handlep)
{
	struct vfiber *fb;
	int error;

	(void)sim;
	(void)hostcpu;
	error = world_create(virt_world.vw_cpu->vc_id, fn, arg, &fb);
	if (error == 0)
		*handlep = fb;
	return (error);
}

static int
virtual_thread_join(struct sim *sim, void *handle)
{
	(void)sim;
	world_join(handle);
	return (0);
}

/* Statistics are for who runs the program, not part of it. */
static void
virtual_attach(struct thread *td)
{
	/* Who waits for a thousand threads to come waits for something. */
	virt_world.vw_spins = 0;
	virt_world.vw_fiber->fb_td = td;
	line_silence(&td->td_counters, sizeof(td->td_counters), true);
	world_move(td->td_cpu % virt_world.vw_ncpus);
}

static void
virtual_detach(struct thread *td)
{
	virt_world.vw_spins = 0;
	line_silence(&td->td_counters, sizeof(td->td_counters), false);
	if (virt_world.vw_fiber->fb_td == td)
		virt_world.vw_fiber->fb_td = NULL;
}

static void
virtual_untimed(struct sim *sim, bool on)
{
	(void)sim;
	world_untimed(on);
}

static void
virtual_waits(struct thread *td, const char *name)
{
	struct vfiber *fb = virt_world.vw_fiber;

	(void)td;
	fb->fb_class = name;
	if (virt_world.vw_strategy != NULL || fb->fb_untimed)
		return;
	world_account(virt_world.vw_cpu);
	vstat_waits(&fb->fb_stat, name, virt_world.vw_cpu->vc_clock_ps);
}

static void
virtual_owns(struct thread *td, const char *name, const void *key)
{
	(void)td;
	if (virt_world.vw_strategy == NULL && !virt_world.vw_fiber->fb_untimed)
		vstat_owns(virt_world.vw_cpu->vc_id, name, key);
}

static unsigned
virtual_ncpus(void)
{
	return (virt_world.vw_ncpus);
}

/* Exploring there is no CPU to be had. */
static int
virtual_runs(const struct thread *td)
{
	const struct vfiber *fb = world_fiber(td->td_tid);

	if (!virt_world.vw_sees_cpus || virt_world.vw_strategy != NULL)
		return (-1);
	return (fb != NULL && fb->fb_td == td && fb->fb_state == FB_RUNS);
}

const struct sim_ops sim_virtual_ops = {
	.so_name = "virtual",
	.so_clock_ns = virtual_clock_ns,
	.so_block = virtual_block,
	.so_block_until = virtual_block_until,
	.so_wake = virtual_wake,
	.so_lend = virtual_lend,
	.so_block_lent = virtual_block_lent,
	.so_unlend = virtual_unlend,
	.so_lend_cancel = virtual_lend_cancel,
	.so_host_pri = virtual_host_pri,
	.so_tid = virtual_tid,
	.so_pi_lock = virtual_pi_lock,
	.so_pi_unlock = virtual_pi_unlock,
	.so_asym_init = virtual_asym_init,
	.so_asym_thread = virtual_asym_thread,
	.so_asym_barrier = virtual_asym_barrier,
	.so_spin = virtual_spin,
	.so_yield = virtual_yield,
	.so_thread_create = virtual_thread_create,
	.so_thread_join = virtual_thread_join,
	.so_attach = virtual_attach,
	.so_detach = virtual_detach,
	.so_charge = cost_charge,
	.so_untimed = virtual_untimed,
	.so_waits = virtual_waits,
	.so_owns = virtual_owns,
	.so_spin_until = virtual_spin_until,
	.so_ncpus = virtual_ncpus,
	.so_runs = virtual_runs,
};

const struct sim_ops *const sim_native_ops = &sim_virtual_ops;
