/* SPDX-License-Identifier: BSD-2-Clause */

#include "code_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>

#define NREGIONS   32
#define STACK_SIZE (64 << 10)
/*
 * What the next frames may read before they write it is zero in every run, so
 * that stale bytes do not tell one run from another.
 */
#define STACK_CLEAN (4 << 10)

struct region {
	void *rg_base;
	size_t rg_size;
};

/* A thread: what it waits for is part of the state, as its stack is. */
struct coroutine {
	ucontext_t co_context;
	const _Atomic uint32_t *co_await; /* NULL: it can go on */
	bool co_zero;
	bool co_chooses;
	bool co_choice;
	bool co_done;
};

/* A state: its size, then the regions, coroutines and stacks. */
struct saved {
	struct saved *sv_next;
	size_t sv_live[CW_THREADS_MAX]; /* bytes of each stack */
	unsigned char sv_bytes[];
};

struct hash_set {
	uint64_t (*hs_slot)[2];
	size_t hs_nslots;
	size_t hs_n;
};

static struct region regions[NREGIONS];
static unsigned nregions;
static struct coroutine coroutines[CW_THREADS_MAX];
static _Alignas(64) unsigned char stacks[CW_THREADS_MAX][STACK_SIZE];
static ucontext_t walker;
static struct coroutine *running;
static const struct code_walk *walk;
static const char *wrong;

void
cw_region(void *base, size_t size)
{
	assert_true(nregions < NREGIONS);
	regions[nregions++] = (struct region){ base, size };
}

void
cw_reset(void)
{
	nregions = 0;
}

/* Give the CPU back to the walk. */
static void
leave(void)
{
	(void)swapcontext(&running->co_context, &walker);
}

void
cw_yield(void)
{
	if (running != NULL)
		leave();
}

void
cw_await(const _Atomic uint32_t *p, bool zero)
{
	if (running == NULL)
		return;
	running->co_await = p;
	running->co_zero = zero;
	leave();
	running->co_await = NULL;
}

bool
cw_choose(void)
{
	if (running == NULL)
		return (false);
	running->co_chooses = true;
	leave();
	running->co_chooses = false;
	return (running->co_choice);
}

void
cw_fail(const char *text)
{
	if (wrong == NULL)
		wrong = text;
	for (;;)
		cw_yield();
}

static void
body(void)
{
	walk->cw_body((unsigned)(running - coroutines));
	running->co_done = true;
	for (;;)
		leave();
}

/* Where the live part of a stack begins: above what the thread called last. */
static unsigned char *
live_start(unsigned t)
{
	ucontext_t *uc = &coroutines[t].co_context;
	uintptr_t sp;

#if defined(__linux__) && defined(__x86_64__)
	sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
	/* A call need not keep these: they are stale. */
	uc->uc_mcontext.gregs[REG_RCX] = uc->uc_mcontext.gregs[REG_RDX] = 0;
	uc->uc_mcontext.gregs[REG_R8] = uc->uc_mcontext.gregs[REG_R9] = 0;
#elif defined(__linux__) && defined(__aarch64__)
	sp = (uintptr_t)uc->uc_mcontext.sp;
#elif defined(__FreeBSD__) && defined(__amd64__)
	sp = (uintptr_t)uc->uc_mcontext.mc_rsp;
#else
	sp = (uintptr_t)stacks[t] + STACK_CLEAN;
	(void)uc;
#endif
	if (sp < (uintptr_t)stacks[t] + STACK_CLEAN ||
	    sp > (uintptr_t)stacks[t] + STACK_SIZE)
		fail_msg("stack of thread %u is too small", t);
	return (stacks[t] + (sp - (uintptr_t)stacks[t]));
}

static struct saved *
save(size_t *sizep)
{
	size_t live[CW_THREADS_MAX], size = sizeof(coroutines);
	struct saved *sv;
	unsigned char *p;

	for (unsigned i = 0; i < nregions; i++)
		size += regions[i].rg_size;
	for (unsigned t = 0; t < walk->cw_nthreads; t++) {
		live[t] = coroutines[t].co_done
		    ? 0
		    : (size_t)(stacks[t] + STACK_SIZE - live_start(t));
		size += live[t];
		/* All that are done are alike. */
		if (coroutines[t].co_done)
			memset(&coroutines[t].co_context, 0,
			    sizeof(coroutines[t].co_context));
	}
	sv = malloc(sizeof(*sv) + size);
	assert_non_null(sv);
	memset(sv, 0, sizeof(*sv));
	p = sv->sv_bytes;
	memcpy(p, coroutines, sizeof(coroutines));
	p += sizeof(coroutines);
	for (unsigned i = 0; i < nregions; i++) {
		memcpy(p, regions[i].rg_base, regions[i].rg_size);
		p += regions[i].rg_size;
	}
	for (unsigned t = 0; t < walk->cw_nthreads; t++) {
		sv->sv_live[t] = live[t];
		memcpy(p, stacks[t] + STACK_SIZE - live[t], live[t]);
		p += live[t];
	}
	*sizep = size;
	return (sv);
}

static void
restore(const struct saved *sv)
{
	const unsigned char *p = sv->sv_bytes;
	unsigned char *low;

	memcpy(coroutines, p, sizeof(coroutines));
	p += sizeof(coroutines);
	for (unsigned i = 0; i < nregions; i++) {
		memcpy(regions[i].rg_base, p, regions[i].rg_size);
		p += regions[i].rg_size;
	}
	for (unsigned t = 0; t < walk->cw_nthreads; t++) {
		low = stacks[t] + STACK_SIZE - sv->sv_live[t];
		memcpy(low, p, sv->sv_live[t]);
		memset(low - STACK_CLEAN, 0, STACK_CLEAN);
		p += sv->sv_live[t];
	}
}

static uint64_t
mix(uint64_t h, uint64_t v, uint64_t mul)
{
	h = (h ^ v) * mul;
	return (h ^ (h >> 29));
}

static void
hash(const struct saved *sv, size_t size, uint64_t h[2])
{
	const unsigned char *p = sv->sv_bytes;
	uint64_t v;

	h[0] = size;
	h[1] = ~(uint64_t)size;
	for (unsigned t = 0; t < CW_THREADS_MAX; t++)
		h[0] = mix(h[0], sv->sv_live[t], UINT64_C(0x9e3779b97f4a7c15));
	for (; size > 0; p += sizeof(v)) {
		v = 0;
		memcpy(&v, p, size < sizeof(v) ? size : sizeof(v));
		h[0] = mix(h[0], v, UINT64_C(0xbf58476d1ce4e5b9));
		h[1] = mix(h[1], v, UINT64_C(0x94d049bb133111eb));
		size -= size < sizeof(v) ? size : sizeof(v);
	}
}

static size_t
set_find(const struct hash_set *hs, const uint64_t h[2])
{
	size_t i = (size_t)h[0] % hs->hs_nslots;

	while ((hs->hs_slot[i][0] | hs->hs_slot[i][1]) != 0 &&
	    (hs->hs_slot[i][0] != h[0] || hs->hs_slot[i][1] != h[1]))
		i = (i + 1) % hs->hs_nslots;
	return (i);
}

/* False: it was there. */
static bool
set_insert(struct hash_set *hs, const uint64_t h[2])
{
	struct hash_set old = *hs;
	size_t i;

	if (2 * hs->hs_n >= hs->hs_nslots) {
		hs->hs_nslots =
		    old.hs_nslots == 0 ? 1 << 16 : 2 * old.hs_nslots;
		hs->hs_slot = calloc(hs->hs_nslots, sizeof(hs->hs_slot[0]));
		assert_non_null(hs->hs_slot);
		for (i = 0; i < old.hs_nslots; i++) {
			if ((old.hs_slot[i][0] | old.hs_slot[i][1]) != 0)
				memcpy(
				    hs->hs_slot[set_find(hs, old.hs_slot[i])],
				    old.hs_slot[i], sizeof(old.hs_slot[i]));
		}
		free(old.hs_slot);
	}
	i = set_find(hs, h);
	if ((hs->hs_slot[i][0] | hs->hs_slot[i][1]) != 0)
		return (false);
	hs->hs_slot[i][0] = h[0];
	hs->hs_slot[i][1] = h[1];
	hs->hs_n++;
	return (true);
}

static bool
can_step(const struct coroutine *co)
{
	if (co->co_done)
		return (false);
	/* Relaxed: there is one thread. */
	return (co->co_await == NULL ||
	    (atomic_load_explicit(co->co_await, memory_order_relaxed) == 0) ==
		co->co_zero);
}

static void
take_step(unsigned t, bool choice)
{
	running = &coroutines[t];
	running->co_choice = choice;
	walk->cw_switch(t);
	(void)swapcontext(&walker, &running->co_context);
	running->co_choice = false;
	running = NULL;
}

static void
begin(void)
{
	struct coroutine *co;

	memset(coroutines, 0, sizeof(coroutines));
	memset(stacks, 0, sizeof(stacks));
	for (unsigned t = 0; t < walk->cw_nthreads; t++) {
		co = &coroutines[t];
		assert_int_equal(getcontext(&co->co_context), 0);
		co->co_context.uc_stack.ss_sp = stacks[t];
		co->co_context.uc_stack.ss_size = STACK_SIZE;
		co->co_context.uc_link = NULL;
		makecontext(&co->co_context, body, 0);
	}
}

/* The state that memory is in: wrong, or to be left later, or known. */
static void
visit(struct hash_set *seen, struct saved **todo)
{
	struct saved *sv;
	uint64_t h[2];
	size_t size;

	if (wrong == NULL)
		wrong = walk->cw_complaint();
	if (wrong != NULL)
		return;
	sv = save(&size);
	hash(sv, size, h);
	if (!set_insert(seen, h)) {
		free(sv);
		return;
	}
	sv->sv_next = *todo;
	*todo = sv;
}

const char *
code_walk(const struct code_walk *cw, size_t *nstatesp)
{
	struct hash_set seen = { 0 };
	struct saved *first, *sv, *todo = NULL;
	bool all_done, stuck;
	size_t size;

	walk = cw;
	wrong = NULL;
	begin();
	first = save(&size);
	visit(&seen, &todo);
	while (wrong == NULL && (sv = todo) != NULL) {
		todo = sv->sv_next;
		all_done = stuck = true;
		restore(sv);
		for (unsigned t = 0; t < cw->cw_nthreads && wrong == NULL;
		     t++) {
			all_done = all_done && coroutines[t].co_done;
			if (!can_step(&coroutines[t]))
				continue;
			stuck = false;
			for (int c = 0;
			     c <= coroutines[t].co_chooses && wrong == NULL;
			     c++) {
				take_step(t, c > 0);
				visit(&seen, &todo);
				restore(sv);
			}
		}
		if (wrong == NULL && all_done)
			wrong = cw->cw_end();
		else if (wrong == NULL && stuck)
			wrong = "a wake-up is lost";
		free(sv);
	}
	while ((sv = todo) != NULL) {
		todo = sv->sv_next;
		free(sv);
	}
	restore(first);
	free(first);
	*nstatesp = seen.hs_n;
	free(seen.hs_slot);
	return (wrong);
}
