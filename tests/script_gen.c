/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The generator of scripts: dice, machines, and which kind of operation is next.
 */

#include <stdarg.h>
#include <string.h>

#include "script_gen_var.h"

static const char *const flavour_names[FLAVOUR_COUNT] = { "small", "promote",
	"fork", "pager", "wired", "boundary", "unmanaged", "mixed", "many",
	"shortage" };

const char *
script_flavour_name(enum script_flavour f)
{
	return (flavour_names[f]);
}

bool
script_dice_empty(const struct script_dice *sd)
{
	return (sd->sd_bytes != NULL && sd->sd_pos >= sd->sd_nbytes);
}

/* 0 to n - 1; n is at most 65536.  Empty dice show 0. */
unsigned
gen_roll(struct gen *g, unsigned n)
{
	struct script_dice *sd = g->dice;
	unsigned v = 0;

	if (sd->sd_bytes != NULL) {
		for (unsigned k = n; k > 1 && sd->sd_pos < sd->sd_nbytes;
		     k = (k + 255) / 256)
			v = v << 8 | sd->sd_bytes[sd->sd_pos++];
		return (v % n);
	}
	/* Source: splitmix64, by Steele, Lea and Flood. */
	sd->sd_state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = sd->sd_state;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return ((unsigned)((z ^ z >> 31) >> 33) % n);
}

bool
gen_chance(struct gen *g, unsigned percent)
{
	return (gen_roll(g, 100) < percent);
}

void gen_emit(struct gen *g, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

void
gen_emit(struct gen *g, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	script_lines_add(g->lines, line);
}

/*
 * How likely each kind of operation is in each flavour.
 */
static const struct kind {
	void (*fn)(struct gen *g);
	uint8_t weight[FLAVOUR_COUNT];
} kinds[] = {
	/*             sm  pr  fo  pa  wi  bo  un  mi  ma  sh */
	{ gen_enter, { 30, 15, 12, 12, 15, 15, 15, 15, 25, 15 } },
	{ gen_fill, { 1, 20, 10, 12, 12, 12, 8, 10, 5, 12 } },
	{ gen_super, { 2, 8, 6, 6, 4, 10, 4, 8, 8, 8 } },
	{ gen_unmanaged, { 0, 0, 0, 0, 0, 0, 15, 4, 0, 0 } },
	{ gen_range, { 12, 15, 10, 10, 10, 20, 15, 12, 8, 12 } },
	{ gen_unwire, { 2, 2, 1, 1, 12, 2, 2, 3, 2, 2 } },
	{ gen_copy, { 4, 4, 15, 3, 3, 4, 8, 5, 12, 8 } },
	{ gen_exit, { 2, 1, 6, 1, 2, 2, 2, 2, 3, 3 } },
	{ gen_touch, { 10, 8, 10, 10, 6, 8, 6, 8, 8, 6 } },
	{ gen_frame, { 15, 8, 8, 25, 10, 6, 5, 12, 15, 8 } },
	{ gen_ask, { 15, 8, 8, 8, 8, 8, 8, 8, 8, 8 } },
	{ gen_memory, { 1, 2, 0, 1, 0, 1, 1, 2, 1, 12 } },
};
#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

static void
gen_op(struct gen *g)
{
	unsigned total = 0, v;
	size_t k;

	for (k = 0; k < NKINDS; k++)
		total += kinds[k].weight[g->flavour];
	v = gen_roll(g, total);
	for (k = 0; v >= kinds[k].weight[g->flavour]; k++)
		v -= kinds[k].weight[g->flavour];
	kinds[k].fn(g);
}

/* Machines as in the recordings; the runs that a script uses of each. */
static const struct {
	const char *line;
	uint64_t runs[NRUNS];
	uint64_t plain_runs[2];
} machines[] = {
	{ "machine seg=0x1000-0x9f000 seg=0x100000-0x8000000",
	    { 0x200000, 0x400000, 0x1000000, 0x7e00000, 0x200000 },
	    { 0x600000, 0x2000000 } },
	/* The last run has frames in two segments, and a hole. */
	{ "machine seg=0x1000-0x9f000 seg=0x100000-0x512000 "
	  "seg=0x512000-0xa00000:1 seg=0xa80000-0x2400000:1",
	    { 0x200000, 0x600000, 0xc00000, 0xe00000, 0x400000 },
	    { 0x800000, 0x1400000 } },
	{ "machine seg=0x100000-0x2000000:0 seg=0x4000000000-0x4004000000:1",
	    { 0x200000, 0x4000000000, 0x4000200000, 0x4003e00000, 0x1e00000 },
	    { 0x600000, 0x4001000000 } },
	{ "machine seg=0x1000-0x9f000 seg=0x100000-0x8000000 nosuper",
	    { 0x200000, 0x400000, 0x1000000, 0x7e00000, 0x200000 },
	    { 0x600000, 0x2000000 } },
};

/* Slots in a row, some of them at the edges of directories. */
static void
choose_slots(struct gen *g)
{
	static const uint64_t bases[] = { 0x10000000, 0x3fe00000, 0x7fffe00000,
		0x8000000000, 0, 0x7ffffffe0000 & ~(MB2 - 1) };
	uint64_t base = bases[gen_roll(g, 6)];

	for (unsigned i = 0; i < NSLOTS; i++) {
		g->slots[i] = base + i * MB2;
		if (g->slots[i] >= VM_MAXUSER_ADDRESS ||
		    (i >= 4 && g->flavour != FLAVOUR_SMALL))
			g->slots[i] = bases[i % 3] + 16 * MB2;
	}
}

void
script_generate(struct script_lines *sl, enum script_flavour flavour,
    enum pmap_version version, unsigned nops, struct script_dice *sd)
{
	struct gen g = {
		.lines = sl,
		.dice = sd,
		.flavour = flavour,
		.version = version,
	};
	unsigned m = gen_roll(&g, 20);

	/* Without superpages there is less to see. */
	m = m == 19 ? 3 : m % 3;
	memcpy(g.runs, machines[m].runs, sizeof(g.runs));
	memcpy(g.plain_runs, machines[m].plain_runs, sizeof(g.plain_runs));
	choose_slots(&g);
	gen_emit(&g, "%s", machines[m].line);
	while (sl->sl_n < nops && !script_dice_empty(sd))
		gen_op(&g);
}
