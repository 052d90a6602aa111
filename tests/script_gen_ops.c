/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The generator of scripts: places, frames and rights by chance, and operations
 * made of them.
 */

#include <inttypes.h>
#include <string.h>

#include "script_gen_var.h"

/* A page of 512: the ends and the middle more often than others. */
static uint64_t
some_page(struct gen *g)
{
	static const unsigned dear[] = { 0, 511, 1, 510, 255, 256 };

	if (gen_chance(g, 60))
		return (dear[gen_roll(g, 6)] * PG);
	return (gen_roll(g, 512) * PG);
}

static unsigned
some_slot(struct gen *g)
{
	return (gen_roll(g, NSLOTS));
}

/*
 * Each choice is a statement: what C leaves open of the order of choices would
 * make other scripts of a seed with every compiler.
 */
static uint64_t
some_va(struct gen *g)
{
	uint64_t va = g->slots[some_slot(g)];

	return (va + some_page(g));
}

static uint64_t
some_byte(struct gen *g)
{
	uint64_t va = some_va(g);

	return (va + gen_roll(g, 4096));
}

static uint64_t
some_frame(struct gen *g)
{
	uint64_t pa = g->runs[gen_roll(g, NRUNS)];

	return (pa + some_page(g));
}

/* A live map, or one that is made for the purpose. */
static unsigned
some_map(struct gen *g)
{
	unsigned i, n = g->flavour == FLAVOUR_MANY ? NMAPS : 3;

	i = gen_roll(g, n);
	if (!g->maps[i]) {
		g->maps[i] = true;
		gen_emit(g, "pmap p%u", i);
	}
	return (i);
}

static const char *
some_prot(struct gen *g)
{
	static const char *const prots[] = { "rw", "r", "rw", "rx", "rwx", "rw",
		"r", "w" };

	return (prots[gen_roll(g, 8)]);
}

static char
some_access(struct gen *g, const char *prot)
{
	if (strchr(prot, 'w') != NULL && gen_chance(g, 70))
		return ('w');
	return (strchr(prot, 'x') != NULL && gen_chance(g, 30) ? 'x' : 'r');
}

/* A range: a page, some pages, a slot, several, or all. */
static void
some_range(struct gen *g, uint64_t *startp, uint64_t *endp)
{
	uint64_t a, b;

	switch (gen_roll(g, g->flavour == FLAVOUR_BOUNDARY ? 5 : 8)) {
	case 0:
		a = g->slots[some_slot(g)];
		b = a + MB2;
		break;
	case 1:
		a = some_va(g);
		b = a + (1 + gen_roll(g, 768)) * PG;
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
		a = gen_roll(g, 4) == 0 ? 0 : g->slots[some_slot(g)];
		b = gen_roll(g, 2) == 0 ? VM_MAXUSER_ADDRESS : a + 4 * MB2;
		break;
	default:
		a = some_va(g);
		b = a + (1 + gen_roll(g, 4)) * PG;
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
	if (g->short_of && gen_chance(g, 60))
		return (wired ? " wired nosleep" : " nosleep");
	return (wired ? " wired" : gen_chance(g, 10) ? " nosleep" : "");
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
	return (gen_chance(g, g->flavour == FLAVOUR_WIRED ? 60 : 5));
}

/* One page, by enter or enter_quick, congruent more often than not. */
void
gen_enter(struct gen *g)
{
	unsigned map = some_map(g);
	uint64_t off = some_page(g), va = g->slots[some_slot(g)] + off;
	uint64_t pa = g->runs[gen_roll(g, NRUNS)];
	const char *flags, *prot;
	char access;
	bool wired;

	pa += gen_chance(g, 80) ? off : some_page(g);
	prot = some_prot(g);
	wired = likes_wired(g);
	if (gen_chance(g, 20)) {
		gen_emit(g,
		    "enter_quick p%u 0x%" PRIx64 " 0x%" PRIx64 " prot=%s", map,
		    va, pa, prot);
		return;
	}
	if (wired)
		remember_wired(g, map, va, va + PG);
	flags = some_flags(g, wired);
	access = some_access(g, prot);
	gen_emit(g, "enter p%u 0x%" PRIx64 " 0x%" PRIx64 " prot=%s access=%c%s",
	    map, va, pa, prot, access, flags);
}

/* Fill a table, wholly or but for a little, so that a promotion is tried. */
void
gen_fill(struct gen *g)
{
	unsigned map = some_map(g);
	uint64_t slot = g->slots[some_slot(g)],
		 run = g->runs[gen_roll(g, NRUNS)];
	const char *prot = some_prot(g);
	char access = some_access(g, prot);
	bool wired = likes_wired(g);
	uint64_t cut = gen_chance(g, 30) ? some_page(g) : 0, va = slot;

	if (wired)
		remember_wired(g, map, slot, slot + MB2);
	if (cut != 0) {
		gen_emit(g,
		    "enter_range p%u 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
		    " prot=%s access=%c%s",
		    map, va, slot + cut, run, prot, access,
		    some_flags(g, wired));
		if (gen_chance(g, 30))
			return;
		if (gen_chance(g, 40))
			prot = some_prot(g);
		access = some_access(g, prot);
	}
	gen_emit(g,
	    "enter_range p%u 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
	    " prot=%s access=%c%s",
	    map, slot + cut, slot + MB2, run + cut, prot, access,
	    some_flags(g, wired));
}

void
gen_super(struct gen *g)
{
	unsigned map = some_map(g);
	uint64_t slot = g->slots[some_slot(g)],
		 run = g->runs[gen_roll(g, NRUNS)];
	const char *prot = some_prot(g);
	char access = strchr(prot, 'w') != NULL ? 'w' : some_access(g, prot);
	bool wired = g->version == PMAP_MAIN && !g->short_of && likes_wired(g);
	uint64_t len;

	if (gen_chance(g, 50)) {
		if (wired)
			remember_wired(g, map, slot, slot + MB2);
		gen_emit(g,
		    "enter p%u 0x%" PRIx64 " 0x%" PRIx64
		    " prot=%s access=%c psind=1%s",
		    map, slot, run, prot, access, some_flags(g, wired));
		return;
	}
	len = gen_chance(g, 60) ? MB2 : (1 + gen_roll(g, 1200)) * PG;
	if (gen_chance(g, 30)) {
		slot += some_page(g);
		run += gen_chance(g, 70) ? slot % MB2 : some_page(g);
	}
	gen_emit(g,
	    "enter_object p%u 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
	    " prot=%s",
	    map, slot, slot + len, run, prot);
}

void
gen_unmanaged(struct gen *g)
{
	unsigned map = some_map(g);
	uint64_t off = some_page(g), slot = g->slots[some_slot(g)];
	uint64_t run = g->plain_runs[gen_roll(g, 2)];
	const char *prot = some_prot(g);
	char access = some_access(g, prot);

	switch (gen_roll(g, 4)) {
	case 0:
		gen_emit(g,
		    "enter_range p%u 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
		    " prot=%s access=%c unmanaged%s",
		    map, slot, slot + MB2, run, prot, access,
		    some_flags(g, likes_wired(g)));
		break;
	case 1:
		gen_emit(g,
		    "enter p%u 0x%" PRIx64 " 0x%" PRIx64
		    " prot=%s access=%c psind=1 unmanaged%s",
		    map, slot, run, prot, access, some_flags(g, false));
		break;
	case 2:
		gen_emit(g,
		    "enter p%u 0x%" PRIx64 " 0xa0000 prot=%s access=%c "
		    "unmanaged",
		    map, slot + off, prot, access);
		break;
	default:
		gen_emit(g,
		    "enter p%u 0x%" PRIx64 " 0x%" PRIx64
		    " prot=%s access=%c unmanaged",
		    map, slot + off, run + off, prot, access);
		break;
	}
}

/* Something done to a range. */
void
gen_range(struct gen *g)
{
	static const char *const prots[] = { "r", "r", "rw", "rx", "rwx",
		"none" };
	unsigned map = some_map(g);
	uint64_t end, start;

	some_range(g, &start, &end);
	switch (gen_roll(g, g->flavour == FLAVOUR_PAGER ? 9 : 7)) {
	case 0:
	case 1:
		gen_emit(
		    g, "remove p%u 0x%" PRIx64 " 0x%" PRIx64, map, start, end);
		break;
	case 2:
	case 3:
	case 4:
		gen_emit(g, "protect p%u 0x%" PRIx64 " 0x%" PRIx64 " prot=%s",
		    map, start, end, prots[gen_roll(g, 6)]);
		break;
	default:
		gen_emit(g, "advise p%u 0x%" PRIx64 " 0x%" PRIx64 " %s", map,
		    start, end, gen_roll(g, 2) == 0 ? "dontneed" : "free");
		break;
	}
}

/* Some or all of a range that once was wired. */
void
gen_unwire(struct gen *g)
{
	const struct range *r;
	uint64_t end, n, start;

	if (g->nwired == 0) {
		gen_enter(g);
		return;
	}
	r = &g->wired[gen_roll(g, g->nwired < NWIRED ? g->nwired : NWIRED)];
	if (!g->maps[r->map])
		return;
	start = r->start;
	end = r->end;
	n = (end - start) / PG;
	if (n > 1 && gen_chance(g, 50)) {
		start += gen_roll(g, (unsigned)n) * PG;
		end = start +
		    (1 + gen_roll(g, (unsigned)((end - start) / PG))) * PG;
	}
	gen_emit(g, "unwire p%u 0x%" PRIx64 " 0x%" PRIx64, r->map, start, end);
}

void
gen_copy(struct gen *g)
{
	unsigned src = some_map(g), dst = some_map(g);
	uint64_t end, start;

	some_range(g, &start, &end);
	if (gen_chance(g, 50)) {
		start = 0;
		end = VM_MAXUSER_ADDRESS;
	}
	if (gen_chance(g, 50))
		gen_emit(g, "protect p%u 0x%" PRIx64 " 0x%" PRIx64 " prot=rx",
		    src, start, end);
	gen_emit(g, "copy p%u p%u 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64, dst,
	    src, start, end - start,
	    gen_chance(g, 97) ? start : start ^ (start & MB2));
}

void
gen_exit(struct gen *g)
{
	unsigned map = some_map(g);

	gen_emit(g, "remove_pages p%u", map);
	if (gen_chance(g, 50))
		return;
	gen_emit(g, "remove p%u 0x0 0x800000000000", map);
	gen_emit(g, "stat p%u", map);
	gen_emit(g, "release p%u", map);
	g->maps[map] = false;
}

void
gen_touch(struct gen *g)
{
	static const char kinds[] = "rwxw";
	unsigned map = some_map(g);
	char kind = kinds[gen_roll(g, 4)];
	uint64_t slot;

	if (gen_chance(g, 30)) {
		slot = g->slots[some_slot(g)];
		gen_emit(g, "touch_range p%u 0x%" PRIx64 " 0x%" PRIx64 " %c",
		    map, slot, slot + (gen_chance(g, 70) ? MB2 : 8 * PG), kind);
		return;
	}
	gen_emit(g, "touch p%u 0x%" PRIx64 " %c", map, some_byte(g), kind);
}

/* What the page daemon does, and asks. */
void
gen_frame(struct gen *g)
{
	static const char *const words[] = { "ts_referenced", "remove_all",
		"remove_write", "clear_modify", "ts_referenced", "unref",
		"undirty", "is_modified", "is_referenced",
		"page_wired_mappings", "page_is_mapped", "page" };
	uint64_t pa = some_frame(g);

	if (gen_chance(g, 8))
		gen_emit(
		    g, "page_exists_quick p%u 0x%" PRIx64, some_map(g), pa);
	else
		gen_emit(g, "%s 0x%" PRIx64, words[gen_roll(g, 12)], pa);
}

void
gen_ask(struct gen *g)
{
	static const char *const words[] = { "digest", "stat", "digest",
		"dump" };
	static const char *const by_va[] = { "extract", "mincore",
		"is_prefaultable" };
	unsigned map = some_map(g);
	uint64_t va = some_byte(g);

	switch (gen_roll(g, 6)) {
	case 0:
		gen_emit(
		    g, "%s p%u 0x%" PRIx64, by_va[gen_roll(g, 3)], map, va);
		break;
	case 1:
		gen_emit(g, "extract_hold p%u 0x%" PRIx64 " prot=%s", map, va,
		    some_prot(g));
		break;
	case 2:
		gen_emit(g, "%s", gen_chance(g, 90) ? "pages_digest" : "pages");
		break;
	default:
		gen_emit(g, "%s p%u",
		    words[gen_roll(g, gen_chance(g, 90) ? 3 : 4)], map);
		break;
	}
}

void
gen_memory(struct gen *g)
{
	uint64_t pa;

	if (g->flavour == FLAVOUR_SHORTAGE && gen_chance(g, 70)) {
		g->short_of = gen_chance(g, 70);
		if (g->short_of)
			gen_emit(g, "shortage pt=%u", gen_roll(g, 6));
		else
			gen_emit(g, "shortage off");
		return;
	}
	pa = some_frame(g);
	gen_emit(g, "reserv 0x%" PRIx64 " %s", pa,
	    gen_chance(g, 70) ? "full" : "partial");
}
