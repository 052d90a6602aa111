/* SPDX-License-Identifier: BSD-2-Clause */

#include "model_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A set of states, open addressing, and those of it yet to be left. */
struct state_set {
	size_t ss_size; /* of a state */
	unsigned char *ss_states;
	uint32_t *ss_slot; /* 1 + index of a state, 0: empty */
	size_t ss_nslots;
	size_t ss_n;
	size_t ss_max;
};

static size_t
hash(const void *state, size_t size)
{
	const unsigned char *p = state;
	uint64_t h = UINT64_C(1469598103934665603);

	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return ((size_t)(h ^ (h >> 32)));
}

static unsigned char *
state_at(const struct state_set *ss, size_t i)
{
	return (ss->ss_states + i * ss->ss_size);
}

static void
set_rehash(struct state_set *ss)
{
	size_t i, k;

	free(ss->ss_slot);
	ss->ss_nslots = 4 * ss->ss_max;
	ss->ss_slot = calloc(ss->ss_nslots, sizeof(ss->ss_slot[0]));
	assert_non_null(ss->ss_slot);
	for (k = 0; k < ss->ss_n; k++) {
		i = hash(state_at(ss, k), ss->ss_size) % ss->ss_nslots;
		while (ss->ss_slot[i] != 0)
			i = (i + 1) % ss->ss_nslots;
		ss->ss_slot[i] = (uint32_t)(k + 1);
	}
}

static void
set_insert(struct state_set *ss, const void *state)
{
	size_t i;

	if (ss->ss_n == ss->ss_max) {
		ss->ss_max = ss->ss_max == 0 ? 4096 : 2 * ss->ss_max;
		ss->ss_states =
		    realloc(ss->ss_states, ss->ss_max * ss->ss_size);
		assert_non_null(ss->ss_states);
		set_rehash(ss);
	}
	for (i = hash(state, ss->ss_size) % ss->ss_nslots; ss->ss_slot[i] != 0;
	     i = (i + 1) % ss->ss_nslots) {
		if (memcmp(state_at(ss, ss->ss_slot[i] - 1), state,
			ss->ss_size) == 0)
			return;
	}
	memcpy(state_at(ss, ss->ss_n++), state, ss->ss_size);
	ss->ss_slot[i] = (uint32_t)ss->ss_n;
}

const char *
model_walk(const struct model_walk *mw, const void *first, size_t *nstatesp)
{
	struct state_set ss = { .ss_size = mw->mw_size };
	unsigned char *next = malloc(mw->mw_size), *s = malloc(mw->mw_size);
	const char *wrong = NULL;
	bool done, stuck;

	assert_non_null(next);
	assert_non_null(s);
	set_insert(&ss, first);
	for (size_t i = 0; i < ss.ss_n && wrong == NULL; i++) {
		memcpy(s, state_at(&ss, i), mw->mw_size);
		wrong = mw->mw_complaint(s);
		if (wrong != NULL)
			break;
		done = mw->mw_done(s, &wrong);
		stuck = true;
		for (unsigned t = 0; t < mw->mw_nthreads; t++) {
			for (unsigned c = 0; c < MW_CHOICES; c++) {
				memcpy(next, s, mw->mw_size);
				if (!mw->mw_step(next, t, c))
					continue;
				stuck = false;
				set_insert(&ss, next);
			}
		}
		if (wrong == NULL && stuck && !done)
			wrong = "a wake-up is lost";
	}
	*nstatesp = ss.ss_n;
	free(ss.ss_slot);
	free(ss.ss_states);
	free(next);
	free(s);
	return (wrong);
}
