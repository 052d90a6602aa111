/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * One run of what inversion.h says.
 *
 * What makes it certain.  A thread that wakes another of a higher level on its
 * own CPU does not run again before that one blocks.  So when low goes on, the
 * threads of the chain are blocked, and high is; nothing is timed or guessed.
 *
 * What happens when a lock is broken, or spins for good above its holder: the
 * thread that conducts is not in SCHED_FIFO and elsewhere; after TIMEOUT_S it
 * takes all the others out of SCHED_FIFO, and they end.
 */

#include "inversion.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "fifo.h"
#include "lock/mtx.h"
#include "locks.h"
#include "spinwork.h"

#define TIMEOUT_S 3
#define CHUNK_NS  5000 /* of work between two looks at the clock */

/* Levels; the chain's threads are from LEVEL_LOW + 1. */
#define LEVEL_LOW    10
#define LEVEL_MEDIUM 20
#define LEVEL_HIGH   30
_Static_assert(LEVEL_LOW + INVERSION_CHAIN_MAX < LEVEL_MEDIUM,
    "medium is above all but high");
_Static_assert(LEVEL_HIGH < FIFO_LEVELS, "levels that there are");

enum {
	ROLE_LOW,
	ROLE_MEDIUM,
	ROLE_HIGH,
	ROLE_CHAIN, /* and those that follow: chain - 1 of them */
	NROLES = ROLE_CHAIN + INVERSION_CHAIN_MAX - 1
};

/* A lock of the chain. */
struct link {
	_Alignas(64) char l_word[PV_LOCK_WORD_MAX];
	struct mtx l_mtx;
	const struct pv_lock_ops *l_ops; /* NULL: the mutex */
};

struct role {
	struct inversion *ro_inversion;
	unsigned ro_i;
	unsigned ro_level;
	int ro_error;
	void *ro_handle;
	pthread_t ro_thread;
	sem_t ro_start;
};

struct inversion {
	const struct inversion_config *iv_config;
	struct locks_bed iv_bed;
	struct link *iv_links; /* [chain], high wants the first */
	struct role iv_roles[NROLES];
	unsigned iv_nroles;
	uint64_t iv_wait_ns;
	sem_t iv_ready;
	sem_t iv_done;
};

bool
inversion_mixes(const struct pv_lock_ops *ops)
{
	return (locks_uses_turnstiles(ops));
}

static void
link_lock(struct link *l)
{
	if (l->l_ops != NULL)
		l->l_ops->plo_lock(l->l_word);
	else
		mtx_lock(&l->l_mtx);
}

static void
link_unlock(struct link *l)
{
	if (l->l_ops != NULL)
		l->l_ops->plo_unlock(l->l_word, true);
	else
		mtx_unlock(&l->l_mtx);
}

/* Not interrupted: nothing to be done about a signal here. */
static void
await(sem_t *sem)
{
	while (sem_wait(sem) != 0)
		continue;
}

/* Time that the calling thread has had a CPU. */
static uint64_t
own_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
}

static void
work_for(uint64_t ns)
{
	uint64_t end = own_ns() + ns;

	while (own_ns() < end)
		spinwork(spinwork_rounds(CHUNK_NS));
}

static void
be_low(struct inversion *iv)
{
	unsigned n = iv->iv_config->ic_chain;
	struct link *last = &iv->iv_links[n - 1];

	link_lock(last);
	for (unsigned i = ROLE_CHAIN; i < iv->iv_nroles; i++)
		(void)sem_post(&iv->iv_roles[i].ro_start);
	(void)sem_post(&iv->iv_roles[ROLE_HIGH].ro_start);
	(void)sem_post(&iv->iv_roles[ROLE_MEDIUM].ro_start);
	work_for(iv->iv_config->ic_hold_ns);
	link_unlock(last);
}

static void
be_high(struct inversion *iv)
{
	uint64_t t0 = bench_clock_ns();

	link_lock(&iv->iv_links[0]);
	iv->iv_wait_ns = bench_clock_ns() - t0;
	link_unlock(&iv->iv_links[0]);
	(void)sem_post(&iv->iv_done);
}

/* Thread k, from 0, of the chain: near low first. */
static void
be_chain(struct inversion *iv, unsigned k)
{
	struct link *own = &iv->iv_links[iv->iv_config->ic_chain - 2 - k];

	link_lock(own);
	link_lock(own + 1);
	link_unlock(own + 1);
	link_unlock(own);
}

static void
play(struct role *ro)
{
	struct inversion *iv = ro->ro_inversion;

	switch (ro->ro_i) {
	case ROLE_LOW:
		be_low(iv);
		break;
	case ROLE_MEDIUM:
		work_for(iv->iv_config->ic_hog_ns);
		break;
	case ROLE_HIGH:
		be_high(iv);
		break;
	default:
		be_chain(iv, ro->ro_i - ROLE_CHAIN);
		break;
	}
}

static void
role_main(void *arg)
{
	struct role *ro = arg;
	struct inversion *iv = ro->ro_inversion;
	struct thread *td = NULL;

	ro->ro_thread = pthread_self();
	ro->ro_error = locks_bed_attach(
	    &iv->iv_bed, 0, PRI_DEFAULT - (int)ro->ro_level, &td);
	if (ro->ro_error == 0)
		ro->ro_error = fifo_set(ro->ro_level);
	(void)sem_post(&iv->iv_ready);
	await(&ro->ro_start);
	/* Set by the one who conducts, when anybody has failed. */
	if (ro->ro_error == 0)
		play(ro);
	/* What follows may wait for others. */
	fifo_unset(pthread_self());
	if (td != NULL)
		locks_bed_detach(td);
}

static int
make_links(struct inversion *iv)
{
	const struct inversion_config *ic = iv->iv_config;
	static const char *const names[INVERSION_CHAIN_MAX] = { "chain 1",
		"chain 2", "chain 3", "chain 4", "chain 5", "chain 6",
		"chain 7", "chain 8" };
	int error = 0;

	for (unsigned i = 0; i < ic->ic_chain && error == 0; i++) {
		struct link *l = &iv->iv_links[i];

		memset(l, 0, sizeof(*l));
		mtx_init(&l->l_mtx, names[i], 0);
		if (ic->ic_ops == NULL ||
		    (i + 1 < ic->ic_chain && inversion_mixes(ic->ic_ops)))
			continue;
		if (ic->ic_ops->plo_init != NULL)
			error = ic->ic_ops->plo_init(l->l_word);
		if (error == 0)
			l->l_ops = ic->ic_ops;
	}
	return (error);
}

static void
unmake_links(struct inversion *iv)
{
	for (unsigned i = 0; i < iv->iv_config->ic_chain; i++) {
		struct link *l = &iv->iv_links[i];

		if (l->l_ops != NULL && l->l_ops->plo_destroy != NULL)
			l->l_ops->plo_destroy(l->l_word);
		mtx_destroy(&l->l_mtx);
	}
}

static unsigned
level_of(unsigned i)
{
	switch (i) {
	case ROLE_LOW:
		return (LEVEL_LOW);
	case ROLE_MEDIUM:
		return (LEVEL_MEDIUM);
	case ROLE_HIGH:
		return (LEVEL_HIGH);
	default:
		return (LEVEL_LOW + 1 + i - ROLE_CHAIN);
	}
}

/* All threads, waiting for their turn.  Returns how many there are. */
static unsigned
start_roles(struct inversion *iv, int *errorp)
{
	unsigned n;

	for (n = 0; n < iv->iv_nroles; n++) {
		struct role *ro = &iv->iv_roles[n];

		ro->ro_inversion = iv;
		ro->ro_i = n;
		ro->ro_level = level_of(n);
		(void)sem_init(&ro->ro_start, 0, 0);
		*errorp = sim_real_ops.so_thread_create(iv->iv_bed.lb_sim,
		    iv->iv_config->ic_hostcpu, role_main, ro, &ro->ro_handle);
		if (*errorp != 0) {
			(void)sem_destroy(&ro->ro_start);
			break;
		}
	}
	for (unsigned i = 0; i < n; i++)
		await(&iv->iv_ready);
	for (unsigned i = 0; i < n && *errorp == 0; i++)
		*errorp = iv->iv_roles[i].ro_error;
	/* Relaxed: the threads have said that they are ready. */
	if (*errorp == 0 &&
	    atomic_load_explicit(
		&iv->iv_bed.lb_sim->sim_unbound, memory_order_relaxed) > 0)
		*errorp = ENOTSUP;
	return (n);
}

/* Wait for high.  False when it takes too long. */
static bool
await_high(struct inversion *iv)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += TIMEOUT_S;
	while (sem_timedwait(&iv->iv_done, &ts) != 0) {
		if (errno != EINTR)
			return (false);
	}
	return (true);
}

static int
conduct(struct inversion *iv)
{
	int error = 0;
	unsigned n = start_roles(iv, &error);

	if (error == 0) {
		(void)sem_post(&iv->iv_roles[ROLE_LOW].ro_start);
		if (!await_high(iv)) {
			error = ETIMEDOUT;
			for (unsigned i = 0; i < n; i++)
				fifo_unset(iv->iv_roles[i].ro_thread);
		}
	} else {
		for (unsigned i = 0; i < n; i++) {
			iv->iv_roles[i].ro_error = error;
			(void)sem_post(&iv->iv_roles[i].ro_start);
		}
	}
	for (unsigned i = 0; i < n; i++) {
		(void)sim_real_ops.so_thread_join(
		    iv->iv_bed.lb_sim, iv->iv_roles[i].ro_handle);
		(void)sem_destroy(&iv->iv_roles[i].ro_start);
	}
	return (error);
}

int
inversion_run(const struct inversion_config *ic, uint64_t *wait_nsp)
{
	struct inversion *iv = bench_calloc(1, sizeof(*iv));
	int error;

	iv->iv_config = ic;
	iv->iv_nroles = ROLE_CHAIN + ic->ic_chain - 1;
	(void)sem_init(&iv->iv_ready, 0, 0);
	(void)sem_init(&iv->iv_done, 0, 0);
	iv->iv_links = aligned_alloc(
	    CACHE_LINE_SIZE, ic->ic_chain * sizeof(iv->iv_links[0]));
	error = iv->iv_links == NULL
	    ? ENOMEM
	    : locks_bed_create(host_ncpus(), &iv->iv_bed);
	if (error == 0) {
		error = make_links(iv);
		if (error == 0)
			error = conduct(iv);
		unmake_links(iv);
		locks_bed_destroy(&iv->iv_bed);
	}
	if (error == 0)
		*wait_nsp = iv->iv_wait_ns;
	free(iv->iv_links);
	(void)sem_destroy(&iv->iv_ready);
	(void)sem_destroy(&iv->iv_done);
	free(iv);
	return (error);
}
