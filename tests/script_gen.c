/* SPDX-License-Identifier: BSD-2-Clause */

#include "script_gen.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

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
static unsigned
roll(struct gen *g, unsigned n)
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

static bool
chance(struct gen *g, unsigned percent)
{
	return (roll(g, 100) < percent);
}

static void
emit(struct gen *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
emit(struct gen *g, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	script_lines_add(g->lines, line);
}

/* A page of 512: the ends and the middle more often than others. */
static uint64_t
some_page(struct gen *g)
{
	static const unsigned dear[] = { 0, 511, 1, 510, 255, 256 };

	if (chance(g, 60))
		return (dear[roll(g, 6)] * PG);
	return (roll(g, 512) * PG);
}

static unsigned
some_slot(struct gen *g)
{
	return (roll(g, NSLOTS));
}

static uint64_t
some_va(struct gen *g)
{
	return (g->slots[some_slot(g)] + some_page(g));
}

static uint64_t
some_frame(struct gen *g)
{
	return (g->runs[roll(g, NRUNS)] + some_page(g));
}

/* A live map, or one that is made for the purpose. */
static unsigned
some_map(struct gen *g)
{
	unsigned i, n = g->flavour == FLAVOUR_MANY ? NMAPS : 3;

	i = roll(g, n);
	if (!g->maps[i]) {
		g->maps[i] = true;
		emit(g, "pmap p%u", i);
	}
	return (i);
}

static const char *
some_prot(struct gen *g)
{
	static const char *const prots[] = { "rw", "r", "rw", "rx", "rwx", "rw",
		"r", "w" };

	return (prots[roll(g, 8)]);
}

static char
some_access(struct gen *g, const char *prot)
{
	if (strchr(prot, 'w') != NULL && chance(g, 70))
		return ('w');
	return (strchr(prot, 'x') != NULL && chance(g, 30) ? 'x' : 'r');
}

/* A range: a page, some pages, a slot, several, or all. */
static void
some_range(struct gen *g, uint64_t *startp, uint64_t *endp)
{
	uint64_t a, b;

	switch (roll(g, g->flavour == FLAVOUR_BOUNDARY ? 5 : 8)) {
	case 0:
		a = g->slots[some_slot(g)];
		b = a + MB2;
		break;
	case 1:
		a = g->slots[some_slot(g)] + some_page(g);
		b = a + (1 + roll(g, 768)) * PG;
		break;
	case 2:
		a = g->slots[0] + some_page(g);
		b = g->slots[2] + some_page(g) + PG;
		break;
	case 3:
		a = g->slots[some_slot(g)];
		b = a + 2 * MB2;
		break;
	case 4:
		a = roll(g, 4) == 0 ? 0 : g->slots[some_slot(g)];
		b = roll(g, 2) == 0 ? VM_MAXUSER_ADDRESS : a + 4 * MB2;
		break;
	default:
		a = some_va(g);
		b = a + (1 + roll(g, 4)) * PG;
		break;
	}
	*startp = a < b ? a : b;
	*endp = a < b ? b : a;
	if (*endp > VM_MAXUSER_ADDRESS)
		*endp = VM_MAXUSER_ADDRESS;
	if (*startp > *endp)
		*startp = *endp;
}

static const char *
some_flags(struct gen *g, bool wired)
{
	if (g->short_of && chance(g, 60))
		return (wired ? " wired nosleep" : " nosleep");
	return (wired ? " wired" : chance(g, 10) ? " nosleep" : "");
}

static void
remember_wired(struct gen *g, unsigned map, uint64_t start, uint64_t end)
{
	g->wired[g->nwired++ % NWIRED] =
	    (struct range){ .map = map, .start = start, .end = end };
}

static bool
likes_wired(struct gen *g)
{
	return (chance(g, g->flavour == FLAVOUR_WIRED ? 60 : 5));
}

/* One page, by enter or enter_quick, congruent more often than not. */
static void
gen_enter(struct gen *g)
{
	unsigned map = some_map(g);
	uint64_t off = some_page(g), va = g->slots[some_slot(g)] + off;
	uint64_t pa =
	    g->runs[roll(g, NRUNS)] + (chance(g, 80) ? off : some_page(g));
	const char *prot = some_prot(g);
	bool wired = likes_wired(g);

	if (chance(g, 20)) {
		emit(g, "enter_quick p%u 0x%" PRIx64 " 0x%" PRIx64 " prot=%s",
		    map, va, pa, prot);
		return;
	}
	if (wired)
		remember_wired(g, map, va, va + PG);
	emit(g, "enter p%u 0x%" PRIx64 " 0x%" PRIx64 " prot=%s access=%c%s",
	    map, va, pa, prot, some_access(g, prot), some_flags(g, wired));
}

/* Fill a table, wholly or but for a little, so that a promotion is tried. */
static void
gen_fill(struct gen *g)
{
	unsigned map = some_map(g);
	uint64_t slot = g->slots[some_slot(g)], run = g->runs[roll(g, NRUNS)];
	const char *prot = some_prot(g);
	char access = some_access(g, prot);
	bool wired = likes_wired(g);
	uint64_t cut = chance(g, 30) ? some_page(g) : 0, va = slot;

	if (wired)
		remember_wired(g, map, slot, slot + MB2);
	if (cut != 0) {
		emit(g,
		    "enter_range p%u 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
		    " prot=%s access=%c%s",
		    map, va, slot + cut, run, prot, access,
		    some_flags(g, wired));
		if (chance(g, 30))
			return;
		if (chance(g, 40))
			prot = some_prot(g);
		access = some_access(g, prot);
	}
	emit(g,
	    "enter_range p%u 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
	    " prot=%s access=%c%s",
	    map, slot + cut, slot + MB2, run + cut, prot, access,
	    some_flags(g, wired));
}

static void
gen_super(struct gen *g)
{
	unsigned map = some_map(g);
	uint64_t slot = g->slots[some_slot(g)], run = g->runs[roll(g, NRUNS)];
	const char *prot = some_prot(g);
	char access = strchr(prot, 'w') != NULL ? 'w' : some_access(g, prot);
	bool wired = g->version == PMAP_MAIN && !g->short_of && likes_wired(g);
	uint64_t len;

	if (chance(g, 50)) {
		if (wired)
			remember_wired(g, map, slot, slot + MB2);
		emit(g,
		    "enter p%u 0x%" PRIx64 " 0x%" PRIx64
		    " prot=%s access=%c psind=1%s",
		    map, slot, run, prot, access, some_flags(g, wired));
		return;
	}
	len = chance(g, 60) ? MB2 : (1 + roll(g, 1200)) * PG;
	if (chance(g, 30)) {
		slot += some_page(g);
		run += chance(g, 70) ? slot % MB2 : some_page(g);
	}
	emit(g,
	    "enter_object p%u 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
	    " prot=%s",
	    map, slot, slot + len, run, prot);
}

static void
gen_unmanaged(struct gen *g)
{
	unsigned map = some_map(g);
	uint64_t off = some_page(g), slot = g->slots[some_slot(g)];
	uint64_t run = g->plain_runs[roll(g, 2)];
	const char *prot = some_prot(g);
	char access = some_access(g, prot);

	switch (roll(g, 4)) {
	case 0:
		emit(g,
		    "enter_range p%u 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
		    " prot=%s access=%c unmanaged%s",
		    map, slot, slot + MB2, run, prot, access,
		    some_flags(g, likes_wired(g)));
		break;
	case 1:
		emit(g,
		    "enter p%u 0x%" PRIx64 " 0x%" PRIx64
		    " prot=%s access=%c psind=1 unmanaged%s",
		    map, slot, run, prot, access, some_flags(g, false));
		break;
	case 2:
		emit(g,
		    "enter p%u 0x%" PRIx64 " 0xa0000 prot=%s access=%c "
		    "unmanaged",
		    map, slot + off, prot, access);
		break;
	default:
		emit(g,
		    "enter p%u 0x%" PRIx64 " 0x%" PRIx64
		    " prot=%s access=%c unmanaged",
		    map, slot + off, run + off, prot, access);
		break;
	}
}

/* Something done to a range. */
static void
gen_range(struct gen *g)
{
	static const char *const prots[] = { "r", "r", "rw", "rx", "rwx",
		"none" };
	unsigned map = some_map(g);
	uint64_t end, start;

	some_range(g, &start, &end);
	switch (roll(g, g->flavour == FLAVOUR_PAGER ? 9 : 7)) {
	case 0:
	case 1:
		emit(g, "remove p%u 0x%" PRIx64 " 0x%" PRIx64, map, start, end);
		break;
	case 2:
	case 3:
	case 4:
		emit(g, "protect p%u 0x%" PRIx64 " 0x%" PRIx64 " prot=%s", map,
		    start, end, prots[roll(g, 6)]);
		break;
	default:
		emit(g, "advise p%u 0x%" PRIx64 " 0x%" PRIx64 " %s", map, start,
		    end, roll(g, 2) == 0 ? "dontneed" : "free");
		break;
	}
}

/* Some or all of a range that once was wired. */
static void
gen_unwire(struct gen *g)
{
	const struct range *r;
	uint64_t end, n, start;

	if (g->nwired == 0) {
		gen_enter(g);
		return;
	}
	r = &g->wired[roll(g, g->nwired < NWIRED ? g->nwired : NWIRED)];
	if (!g->maps[r->map])
		return;
	start = r->start;
	end = r->end;
	n = (end - start) / PG;
	if (n > 1 && chance(g, 50)) {
		start += roll(g, (unsigned)n) * PG;
		end =
		    start + (1 + roll(g, (unsigned)((end - start) / PG))) * PG;
	}
	emit(g, "unwire p%u 0x%" PRIx64 " 0x%" PRIx64, r->map, start, end);
}

static void
gen_copy(struct gen *g)
{
	unsigned src = some_map(g), dst = some_map(g);
	uint64_t end, start;

	some_range(g, &start, &end);
	if (chance(g, 50)) {
		start = 0;
		end = VM_MAXUSER_ADDRESS;
	}
	if (chance(g, 50))
		emit(g, "protect p%u 0x%" PRIx64 " 0x%" PRIx64 " prot=rx", src,
		    start, end);
	emit(g, "copy p%u p%u 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64, dst, src,
	    start, end - start, chance(g, 97) ? start : start ^ (start & MB2));
}

static void
gen_exit(struct gen *g)
{
	unsigned map = some_map(g);

	emit(g, "remove_pages p%u", map);
	if (chance(g, 50))
		return;
	emit(g, "remove p%u 0x0 0x800000000000", map);
	emit(g, "stat p%u", map);
	emit(g, "release p%u", map);
	g->maps[map] = false;
}

static void
gen_touch(struct gen *g)
{
	static const char kinds[] = "rwxw";
	unsigned map = some_map(g);
	uint64_t slot;

	if (chance(g, 30)) {
		slot = g->slots[some_slot(g)];
		emit(g, "touch_range p%u 0x%" PRIx64 " 0x%" PRIx64 " %c", map,
		    slot, slot + (chance(g, 70) ? MB2 : 8 * PG),
		    kinds[roll(g, 4)]);
		return;
	}
	emit(g, "touch p%u 0x%" PRIx64 " %c", map, some_va(g) + roll(g, 4096),
	    kinds[roll(g, 4)]);
}

/* What the page daemon does, and asks. */
static void
gen_frame(struct gen *g)
{
	static const char *const words[] = { "ts_referenced", "remove_all",
		"remove_write", "clear_modify", "ts_referenced", "unref",
		"undirty", "is_modified", "is_referenced",
		"page_wired_mappings", "page_is_mapped", "page" };

	if (chance(g, 8))
		emit(g, "page_exists_quick p%u 0x%" PRIx64, some_map(g),
		    some_frame(g));
	else
		emit(g, "%s 0x%" PRIx64, words[roll(g, 12)], some_frame(g));
}

static void
gen_ask(struct gen *g)
{
	static const char *const words[] = { "digest", "stat", "digest",
		"dump" };
	static const char *const by_va[] = { "extract", "mincore",
		"is_prefaultable" };
	unsigned map = some_map(g);

	switch (roll(g, 6)) {
	case 0:
		emit(g, "%s p%u 0x%" PRIx64, by_va[roll(g, 3)], map,
		    some_va(g) + roll(g, 4096));
		break;
	case 1:
		emit(g, "extract_hold p%u 0x%" PRIx64 " prot=%s", map,
		    some_va(g) + roll(g, 4096), some_prot(g));
		break;
	case 2:
		emit(g, "%s", chance(g, 90) ? "pages_digest" : "pages");
		break;
	default:
		emit(g, "%s p%u", words[roll(g, chance(g, 90) ? 3 : 4)], map);
		break;
	}
}

static void
gen_memory(struct gen *g)
{
	if (g->flavour == FLAVOUR_SHORTAGE && chance(g, 70)) {
		g->short_of = chance(g, 70);
		if (g->short_of)
			emit(g, "shortage pt=%u", roll(g, 6));
		else
			emit(g, "shortage off");
		return;
	}
	emit(g, "reserv 0x%" PRIx64 " %s", some_frame(g),
	    chance(g, 70) ? "full" : "partial");
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
	v = roll(g, total);
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
	uint64_t base = bases[roll(g, 6)];

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
	unsigned m = roll(&g, 20);

	/* Without superpages there is less to see. */
	m = m == 19 ? 3 : m % 3;
	memcpy(g.runs, machines[m].runs, sizeof(g.runs));
	memcpy(g.plain_runs, machines[m].plain_runs, sizeof(g.plain_runs));
	choose_slots(&g);
	emit(&g, "%s", machines[m].line);
	while (sl->sl_n < nops && !script_dice_empty(sd))
		gen_op(&g);
}
