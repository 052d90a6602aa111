/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WATCH_SCENE_H
#define WATCH_SCENE_H

/*
 * Threads that wait for a word in memory, others that do this and that at given
 * times, and when each has come to its end, in ps from the beginning of the world.
 *
 * Numbers are round, and a line comes sooner than the next look, so that the time
 * of the look is seen.
 */

#include <stdbool.h>
#include <stdint.h>

#include "sim/virtual/preset.h"

#define NCPUS   8u
#define NACTORS 3u
#define NACTS   8u
#define NEVER   UINT64_MAX

/* What is charged, in ps. */
#define HIT   UINT64_C(1000)
#define RMW   UINT64_C(7000)
#define MISS  UINT64_C(10000) /* another core has it */
#define DRAM  UINT64_C(20000)
#define PAUSE UINT64_C(100000)
#define ROUND (HIT + PAUSE)
/* The end of round k of who looks at one word; the first look is a miss. */
#define END(k) (DRAM + PAUSE + (k)*ROUND)

/* What others do, and when. */
enum what {
	STORE, /* a_v in word a_word */
	LOAD,
	WORK,  /* for a_v */
	SLEEP, /* until a_v */
};
struct act {
	uint64_t a_at_ps; /* 0: at once */
	enum what a_what;
	unsigned a_word;
	uint64_t a_v;
};
struct actor {
	unsigned ac_cpu;
	struct act ac_acts[NACTS];
	unsigned ac_nacts;
	uint64_t ac_end_ps;
};
struct waiter {
	unsigned w_cpu;
	unsigned w_word;
	unsigned w_units;
	unsigned w_before;   /* hits before the look */
	uint64_t w_after_ps; /* charged after it */
	uint64_t w_deadline_ns;
	bool w_no_clock;    /* does not look at it */
	bool w_plain;       /* looks without an atomic load */
	bool w_adds;        /* looks by an RMW that adds 0 */
	bool w_alternates;  /* the units */
	bool w_counts;      /* RMW of word 2, after the look */
	bool w_reads;       /* word 1, which ends it too */
	bool w_looks_twice; /* at the second, at its own word or at word 1 */
	unsigned w_second;
	uint64_t w_rounds;
	uint64_t w_end_ps;
};

/* Fibers are made in this order. */
struct scene {
	struct actor s_early[1];
	unsigned s_nearly;
	struct waiter s_waiters[2];
	unsigned s_nwaiters;
	struct actor s_actors[NACTORS];
	unsigned s_nactors;
	bool s_at_once;
	uint64_t s_accesses;
};

extern struct preset scene_preset;
extern uint64_t *scene_words[3]; /* a line each */

/* For cmocka: the numbers above. */
int scene_setup(void **state);
/* One waiter, on CPU 1, and one that writes its word, on CPU 0. */
struct scene scene_of_one(uint64_t written_ps);

struct explore;
void scene_begin(struct explore *ex);
/* The body of an actor. */
void scene_act(void *actor);
void scene_run(struct scene *s);
/*
 * With s_at_once and without: all must end at the same time.  Returns how many
 * accesses were left out; the scene is that of s_at_once.
 */
uint64_t scene_run_both(struct scene *s);

/* When who looks at a time at a word that was written at another has it. */
uint64_t scene_seen(uint64_t look_ps, uint64_t written_ps);
/*
 * CPU 1 and 5 are one core, where each hit of one takes twice as long while the other
 * works.
 */
void scene_two_threads_a_core(void);

#endif /* WATCH_SCENE_H */
