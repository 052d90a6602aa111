/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_SCRIPT_GEN_VAR_H
#define TESTS_SCRIPT_GEN_VAR_H

/* The inside of the generator of scripts. */

#include "script_gen.h"

#define NMAPS  8 /* at once */
#define NSLOTS 6 /* places of 2 MB that are used in a script */
#define NRUNS  5 /* runs of frames */
#define NWIRED 8 /* wired ranges that are remembered */

#define PG  MODEL_PAGE
#define MB2 MODEL_RUN

struct range {
	unsigned map;
	uint64_t start;
	uint64_t end;
};

struct gen {
	struct script_lines *lines;
	struct script_dice *dice;
	enum script_flavour flavour;
	enum pmap_version version;
	uint64_t slots[NSLOTS];
	uint64_t runs[NRUNS];   /* managed */
	uint64_t plain_runs[2]; /* unmanaged */
	bool maps[NMAPS];
	struct range wired[NWIRED];
	unsigned nwired;
	bool short_of; /* shortage is on */
};

/* 0 to n - 1; n is at most 65536.  Empty dice show 0. */
unsigned gen_roll(struct gen *g, unsigned n);
bool gen_chance(struct gen *g, unsigned percent);
/* Append a line. */
void gen_emit(struct gen *g, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* script_gen_ops.c: a line or two of each kind. */
void gen_enter(struct gen *g);
void gen_fill(struct gen *g);
void gen_super(struct gen *g);
void gen_unmanaged(struct gen *g);
void gen_range(struct gen *g);
void gen_unwire(struct gen *g);
void gen_copy(struct gen *g);
void gen_exit(struct gen *g);
void gen_touch(struct gen *g);
void gen_frame(struct gen *g);
void gen_ask(struct gen *g);
void gen_memory(struct gen *g);

#endif /* TESTS_SCRIPT_GEN_VAR_H */
