/* SPDX-License-Identifier: BSD-2-Clause */

#include "code_walk_lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "lock/lock_delay.h"
#include "lock/lock_env.h"
#include "lock/turnstile.h"

/* A thread that has waited for longer is handed the lock. */
#define LONG_NS 1000000000

struct thread cwl_td[CW_THREADS_MAX];
struct cwl_bends cwl_bends;
unsigned (*cwl_looks)(uint64_t v);
bool cwl_asym;
bool (*cwl_hands)(void);
const char *(*cwl_change)(uint64_t from, uint64_t to);

static struct sim sim;
static struct lock_env env;
static struct turnstile_chain *chain;
static _Atomic uint64_t *the_word;
static unsigned nthreads;
static uint64_t sections[CW_THREADS_MAX]; /* td_rseq_cs; only its address */
static char panic_text[200];
static panic_handler_fn *saved_handler;

/* Memory for turnstiles. */
static _Alignas(CACHE_LINE_SIZE) unsigned char arena[1024];

/* Part of the state. */
static struct {
	size_t s_used; /* of arena */
	bool s_in_section[CW_THREADS_MAX];
	bool s_stopped[CW_THREADS_MAX];
	bool s_was_empty[NTS_QUEUES];
} s;

static void
panic_in_walk(const char *file, int line, const char *msg)
{
	(void)snprintf(
	    panic_text, sizeof(panic_text), "%s:%d: %s", file, line, msg);
	cw_fail(panic_text);
}

static uint64_t
walk_clock_ns(struct sim *sm)
{
	(void)sm;
	return (cwl_hands != NULL && cwl_hands() && cw_choose() ? LONG_NS : 0);
}

/* Relaxed, in all of these: there is one host thread. */
static void
token_set(_Atomic uint32_t *p, uint32_t v)
{
	/* Relaxed: as above. */
	atomic_store_explicit(p, v, memory_order_relaxed);
}

static void
walk_block(struct thread *td)
{
	cw_await(&td->td_park, false);
	token_set(&td->td_park, 0);
}

static void
walk_wake(struct thread *td)
{
	cw_yield();
	if (!cwl_bends.cb_wakes_nobody)
		token_set(&td->td_park, 1);
}

static void
walk_lend(struct thread *td, const struct thread *to)
{
	(void)to;
	token_set(&td->td_loan.pw_owner, 1);
}

/* Only loans to an owner: they have no time limit. */
static int
walk_block_lent(struct thread *td, uint64_t deadline_ns)
{
	if (deadline_ns != UINT64_MAX)
		cw_fail("a loan to a suspect");
	cw_await(&td->td_loan.pw_owner, true);
	return (0);
}

static void
walk_unlend(struct thread *td)
{
	cw_yield();
	if (!cwl_bends.cb_returns_no_loan)
		token_set(&td->td_loan.pw_owner, 0);
}

static void
walk_lend_cancel(struct thread *td)
{
	token_set(&td->td_loan.pw_owner, 0);
}

static int
walk_host_pri(const struct thread *td)
{
	(void)td;
	return (PRI_NONE);
}

static void
walk_barrier(void)
{
	cw_yield();
	for (unsigned t = 0; t < nthreads && !cwl_bends.cb_no_barrier; t++)
		s.s_stopped[t] = s.s_in_section[t];
}

static void
walk_spin(struct sim *sm, unsigned n)
{
	(void)sm;
	(void)n;
}

static const struct sim_ops walk_ops = {
	.so_name = "walk",
	.so_clock_ns = walk_clock_ns,
	.so_block = walk_block,
	.so_wake = walk_wake,
	.so_lend = walk_lend,
	.so_block_lent = walk_block_lent,
	.so_unlend = walk_unlend,
	.so_lend_cancel = walk_lend_cancel,
	.so_host_pri = walk_host_pri,
	.so_asym_barrier = walk_barrier,
	.so_spin = walk_spin,
};

void
cwl_begin(const int *pris, unsigned n, void *lock, size_t size,
    _Atomic uint64_t *word)
{
	struct thread *td;

	memset(&sim, 0, sizeof(sim));
	memset(&env, 0, sizeof(env));
	memset(&s, 0, sizeof(s));
	memset(arena, 0, sizeof(arena));
	memset(cwl_td, 0, sizeof(cwl_td));
	sim.sim_ops = &walk_ops;
	sim.sim_locks = &env;
	sim.sim_asym = cwl_asym;
	for (unsigned i = 0; i < TC_TABLESIZE; i++)
		env.le_chains[i].tc_sim = &sim;
	nthreads = n;
	the_word = word;
	chain = NULL;
	saved_handler = panic_handler;
	panic_handler = panic_in_walk;

	cw_reset();
	for (unsigned t = 0; t < n; t++) {
		td = &cwl_td[t];
		td->td_sim = &sim;
		td->td_id = t;
		td->td_tid = t + 1;
		/* Relaxed: there is one host thread. */
		atomic_store_explicit(
		    &td->td_attached, true, memory_order_relaxed);
		td->td_host_pri = PRI_NONE;
		td->td_rseq_cs = cwl_asym ? &sections[t] : NULL;
		td->td_pri = PRI_DEFAULT;
		sim_thread_switch(td);
		thread_setpri(td, pris[t]);
		td->td_turnstile = turnstile_alloc(&sim);
		cw_region(td, offsetof(struct thread, td_counters));
	}
	chain = turnstile_chain_lock(&cwl_td[0], word);
	turnstile_chain_unlock(chain);
	memset(&s.s_was_empty, 0, sizeof(s.s_was_empty));
	cw_region(chain, sizeof(*chain));
	cw_region(arena, s.s_used);
	cw_region(&s, sizeof(s));
	cw_region(lock, size);
}

void
cwl_end(void)
{
	sim_thread_switch(NULL);
	panic_handler = saved_handler;
	cwl_looks = NULL;
	cwl_asym = false;
	cwl_hands = NULL;
	cwl_change = NULL;
	memset(&cwl_bends, 0, sizeof(cwl_bends));
}

void
cwl_switch(unsigned t)
{
	sim_thread_switch(&cwl_td[t]);
	/* Each hand-over is a free choice, whenever the last one was. */
	chain->tc_fair_ns = 0;
}

static uint32_t
holder(const struct leaf_lock *ll)
{
	/* Relaxed: there is one host thread. */
	return (
	    atomic_load_explicit(&ll->ll_word.pw_owner, memory_order_relaxed));
}

uint64_t
cwl_word(void)
{
	/* Relaxed: there is one host thread. */
	return (atomic_load_explicit(the_word, memory_order_relaxed));
}

bool
cwl_has_chain(void)
{
	return (holder(&chain->tc_lock) == curthread()->td_tid);
}

bool
cwl_chain_free(void)
{
	return (holder(&chain->tc_lock) == 0);
}

bool
cwl_empty(unsigned queue)
{
	return (turnstile_empty(chain, the_word, (enum ts_queue)queue));
}

bool
cwl_was_empty(unsigned queue)
{
	return (s.s_was_empty[queue]);
}

static bool
asleep(const struct thread *td)
{
	/* Relaxed: there is one host thread. */
	return (td->td_turnstile == NULL &&
	    atomic_load_explicit(&td->td_blocked_on, memory_order_relaxed) !=
		NULL);
}

const char *
cwl_loans_complaint(const struct thread *owner, bool marked, bool settled)
{
	const struct thread *td;

	if (!cwl_chain_free())
		return (NULL);
	for (unsigned t = 0; t < nthreads; t++) {
		td = &cwl_td[t];
		if (!asleep(td))
			continue;
		if (td->td_lent_to != NULL &&
		    (td->td_lent_to != owner || !marked))
			return ("a loan to one who does not come");
		if (settled && owner->td_pri > td->td_pri)
			return ("an owner is less urgent than who waits");
	}
	return (NULL);
}

const char *
cwl_threads_complaint(void)
{
	const struct thread *td;

	for (unsigned t = 0; t < nthreads; t++) {
		td = &cwl_td[t];
		if (td->td_turnstile == NULL || td->td_contested != NULL ||
		    td->td_returns != NULL || td->td_pri != td->td_base_pri)
			return ("a thread has not got back what it lent, or "
				"keeps what it was lent");
	}
	return (NULL);
}

void *
cwl_alloc(size_t size)
{
	void *p = arena + s.s_used;

	s.s_used += (size + 15) / 16 * 16;
	assert_true(s.s_used <= sizeof(arena));
	return (p);
}

static bool
is_chain(const struct leaf_lock *ll)
{
	return (chain != NULL && ll == &chain->tc_lock);
}

void
cwl_leaf_lock(struct leaf_lock *ll)
{
	if (is_chain(ll)) {
		cw_await(&ll->ll_word.pw_owner, true);
		for (unsigned q = 0; q < NTS_QUEUES; q++)
			s.s_was_empty[q] = cwl_empty(q);
	} else if (holder(ll) != 0) {
		cw_fail("a step begins with td_pri_lock held");
	}
	token_set(&ll->ll_word.pw_owner, curthread()->td_tid);
}

void
cwl_leaf_unlock(struct leaf_lock *ll)
{
	token_set(&ll->ll_word.pw_owner, 0);
	if (is_chain(ll))
		memset(&s.s_was_empty, 0, sizeof(s.s_was_empty));
}

bool
cwl_delay_seen(struct lock_delay *ld, uint64_t v)
{
	if (cwl_looks == NULL || ld->ld_seen >= cwl_looks(v) || !cw_choose())
		return (false);
	ld->ld_seen++;
	return (true);
}

bool
cwl_asym_clear64(_Atomic uint64_t *word, uint64_t v)
{
	unsigned t = curthread()->td_id;
	bool stopped;

	if (cwl_load(word) != v)
		return (false);
	s.s_in_section[t] = true;
	cw_yield();
	stopped = s.s_stopped[t];
	s.s_in_section[t] = s.s_stopped[t] = false;
	if (stopped)
		return (false);
	/* Relaxed: there is one host thread. */
	atomic_store_explicit(word, 0, memory_order_relaxed);
	return (true);
}

static void
change(_Atomic uint64_t *p, uint64_t from, uint64_t to)
{
	const char *text = cwl_change != NULL ? cwl_change(from, to) : NULL;

	/* Relaxed: there is one host thread. */
	atomic_store_explicit(p, to, memory_order_relaxed);
	if (text != NULL)
		cw_fail(text);
}

uint64_t
cwl_load(const _Atomic uint64_t *p)
{
	uint64_t v;

	cw_yield();
	/* Relaxed: there is one host thread. */
	v = atomic_load_explicit(p, memory_order_relaxed);
	return (cwl_bends.cb_load != NULL ? cwl_bends.cb_load(v) : v);
}

const void *
cwl_load_ptr(const void *_Atomic *p)
{
	/* Relaxed: there is one host thread. */
	return (atomic_load_explicit(p, memory_order_relaxed));
}

bool
cwl_load_bool(_Atomic bool *p)
{
	/* Relaxed: there is one host thread. */
	return (atomic_load_explicit(p, memory_order_relaxed));
}

void
cwl_store(_Atomic uint64_t *p, uint64_t v)
{
	cw_yield();
	/* Relaxed: there is one host thread. */
	change(p, atomic_load_explicit(p, memory_order_relaxed),
	    cwl_bends.cb_store != NULL ? cwl_bends.cb_store(v) : v);
}

void
cwl_store_ptr(const void *_Atomic *p, const void *v)
{
	/* It is set under the chain lock, where only hints see it. */
	if (v == NULL)
		cw_yield();
	/* Relaxed: there is one host thread. */
	atomic_store_explicit(p, v, memory_order_relaxed);
}

void
cwl_store_bool(_Atomic bool *p, bool v)
{
	/* Relaxed: there is one host thread. */
	atomic_store_explicit(p, v, memory_order_relaxed);
}

bool
cwl_cas(_Atomic uint64_t *p, uint64_t *expected, uint64_t v)
{
	uint64_t e = *expected, seen;

	cw_yield();
	/* Relaxed: there is one host thread. */
	seen = atomic_load_explicit(p, memory_order_relaxed);
	if (cwl_bends.cb_cas != NULL)
		cwl_bends.cb_cas(seen, &e, &v);
	if (seen != e) {
		*expected =
		    cwl_bends.cb_load != NULL ? cwl_bends.cb_load(seen) : seen;
		return (false);
	}
	if (cwl_bends.cb_cas_is_two_steps)
		cw_yield();
	change(p, seen, v);
	return (true);
}

uint64_t
cwl_fetch_or(_Atomic uint64_t *p, uint64_t v)
{
	uint64_t was = cwl_load(p);

	change(p, was, was | v);
	return (was);
}

uint64_t
cwl_fetch_and(_Atomic uint64_t *p, uint64_t v)
{
	uint64_t was = cwl_load(p);

	change(p, was, was & v);
	return (was);
}
