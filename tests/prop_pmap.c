/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Random sequences of pmap operations against a naive model.
 *
 * The model is written from the observable rules alone: a pmap is an array of
 * mappings by slot (an address out of a few that straddle every level of the
 * tables), a frame is the list of its mappings in order of insertion, with three
 * flags.  After every operation the results are compared; every few operations
 * the whole state: tables read entry by entry, lists in order, flags, counts,
 * and the checker.
 *
 * A sequence is made in advance and means something in any state, so that a part
 * of it can be replayed: a failure is cut down to few operations.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lock_util.h"
#include "pmap_util.h"

#define NMAPS     6
#define NFRAMES   24
#define NMANAGED  20 /* the others have no list of mappings */
#define NGROUPS   6
#define GROUPSIZE 12
#define NSLOTS    (NGROUPS * GROUPSIZE)

/* Around the ends of a page table, a directory and so on, and at both ends. */
static const vm_offset_t group_base[NGROUPS] = { 0, 0x1fa000, 0x12345000,
	0x3fffa000, 0x7fffffa000, 0x7fffffff4000 };

/* Frames: two segments in superpage 0, one superpage crowded, two domains. */
static const char map_lines[] = "0-98000 usable 0\n"
				"100000-4000000 usable 0\n"
				"4000000-8000000 usable 1\n";
static const vm_paddr_t frame_pa[NFRAMES] = { 0x90000, 0x97000, 0x100000,
	0x1ff000, 0x200000, 0x201000, 0x202000, 0x2ff000, 0x3ff000, 0x400000,
	0x1000000, 0x2000000, 0x2001000, 0x3fff000, 0x4000000, 0x4001000,
	0x5abc000, 0x6000000, 0x7fff000, 0x7ffe000, 0x96000, 0x101000, 0x203000,
	0x7ffd000 };
static const int32_t frame_pat
    [NFRAMES] = { [3] = 6, [5] = 4, [9] = 1, [12] = 7, [20] = 3, [21] = 4 };

struct mapping {
	bool v, w, x, a, m, wired;
	int frame;
};

struct record {
	int map, slot;
};

struct frame {
	bool ref, dirty, writeable;
	int n;
	struct record list[NMAPS * NSLOTS];
};

struct model {
	struct mapping e[NMAPS][NSLOTS];
	struct frame f[NFRAMES];
};

enum op_kind {
	OP_ENTER,
	OP_QUICK,
	OP_OBJECT,
	OP_REMOVE,
	OP_REMOVE_PAGES,
	OP_EXIT,
	OP_REMOVE_ALL,
	OP_PROTECT,
	OP_UNWIRE,
	OP_COPY,
	OP_REMOVE_WRITE,
	OP_CLEAR_MODIFY,
	OP_TS_REFERENCED,
	OP_TOUCH,
	OP_ASK_FRAME,
	OP_ASK_VA,
	OP_FORGET,
	NOPS
};

static const char *const op_names[NOPS] = { "enter", "enter_quick",
	"enter_object", "remove", "remove_pages", "exit", "remove_all",
	"protect", "unwire", "copy", "remove_write", "clear_modify",
	"ts_referenced", "touch", "ask_frame", "ask_va", "forget" };

struct op {
	enum op_kind kind;
	uint32_t r[5];
};

struct flavour {
	const char *name;
	int nmaps, nframes; /* in use */
	bool shortage;      /* few pages free; enter may fail */
	unsigned weight[NOPS];
};

static const struct flavour flavours[] = {
	{ .name = "mixed",
	    .nmaps = 4,
	    .nframes = NFRAMES,
	    .weight = { 30, 8, 4, 6, 1, 1, 4, 6, 3, 4, 3, 3, 4, 15, 8, 6, 3 } },
	{ .name = "crowded", /* a few frames, mapped all over */
	    .nmaps = 6,
	    .nframes = 3,
	    .weight = { 40, 10, 0, 3, 1, 1, 1, 3, 2, 2, 2, 2, 8, 20, 12, 3,
		3 } },
	{ .name = "fork", /* many chunks come and go */
	    .nmaps = 6,
	    .nframes = NMANAGED,
	    .weight = { 25, 4, 12, 3, 3, 8, 1, 3, 1, 20, 1, 1, 1, 6, 2, 2,
		1 } },
	{ .name = "shortage",
	    .nmaps = 4,
	    .nframes = NFRAMES,
	    .shortage = true,
	    .weight = { 50, 0, 0, 12, 2, 4, 4, 4, 3, 0, 2, 2, 2, 8, 3, 3, 2 } },
};
#define NFLAVOURS (sizeof(flavours) / sizeof(flavours[0]))

/* One run: the real thing beside the model. */
struct run {
	const struct flavour *fl;
	struct pu pu;
	struct pmap *pmap[NMAPS];
	struct vm_page *page[NFRAMES];
	struct vm_page *hoard;
	struct model m;
	char why[400]; /* first difference, or empty */
};

static vm_offset_t
slot_va(int slot)
{
	return (group_base[slot / GROUPSIZE] +
	    (vm_offset_t)(slot % GROUPSIZE) * 4096);
}

__attribute__((format(printf, 2, 3))) static void
differ(struct run *r, const char *fmt, ...)
{
	va_list ap;

	if (r->why[0] != '\0')
		return;
	va_start(ap, fmt);
	(void)vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
}

static void
expect(struct run *r, const char *what, uint64_t got, uint64_t wanted)
{
	if (got != wanted)
		differ(r, "%s is %#" PRIx64 ", the model has %#" PRIx64, what,
		    got, wanted);
}

/* The model. */

static bool
managed(int frame)
{
	return (frame < NMANAGED);
}

static void
list_append(struct model *m, int map, int slot)
{
	struct frame *f = &m->f[m->e[map][slot].frame];

	f->list[f->n++] = (struct record){ map, slot };
}

static void
list_delete(struct frame *f, int map, int slot)
{
	int i;

	for (i = 0; f->list[i].map != map || f->list[i].slot != slot; i++)
		;
	f->n--;
	memmove(&f->list[i], &f->list[i + 1],
	    (size_t)(f->n - i) * sizeof(f->list[0]));
}

/* Take a mapping away; exits do not pass references on. */
static void
model_drop(struct model *m, int map, int slot, bool pass_ref)
{
	struct mapping *e = &m->e[map][slot];
	struct frame *f = &m->f[e->frame];

	if (managed(e->frame)) {
		f->dirty |= e->w && e->m;
		f->ref |= pass_ref && e->a;
		list_delete(f, map, slot);
		if (f->n == 0)
			f->writeable = false;
	}
	e->v = false;
}

static void
model_enter(struct model *m, int map, int slot, struct mapping new)
{
	struct mapping *e = &m->e[map][slot];
	struct frame *f = &m->f[new.frame];

	if (e->v && e->frame == new.frame) {
		f->writeable |= new.w &&managed(new.frame);
		if (e->w == new.w && e->x == new.x && e->wired == new.wired)
			return;
		f->dirty |= managed(new.frame) && e->w && e->m && !new.m;
		*e = new;
		return;
	}
	if (e->v)
		model_drop(m, map, slot, true);
	*e = new;
	if (managed(new.frame)) {
		list_append(m, map, slot);
		f->writeable |= new.w;
	}
}

static void
model_quick(struct model *m, int map, int slot, int frame, bool x)
{
	struct mapping *e = &m->e[map][slot];

	if (e->v)
		return;
	*e = (struct mapping){ .v = true, .x = x, .frame = frame };
	if (managed(frame))
		list_append(m, map, slot);
}

/* Mappings in the page table that serves the slot. */
static int
table_count(const struct model *m, int map, int slot)
{
	int n = 0;

	for (int s = 0; s < NSLOTS; s++)
		n += m->e[map][s].v && slot_va(s) >> 21 == slot_va(slot) >> 21;
	return (n);
}

static void
model_copy(struct model *m, int dst, int src, int from, int to)
{
	const struct mapping *e;

	for (int s = from; s < to; s++) {
		e = &m->e[src][s];
		if (!e->v || !managed(e->frame))
			continue;
		if (m->e[dst][s].v)
			return;
		m->e[dst][s] = (struct mapping){
			.v = true,
			.w = e->w,
			.x = e->x,
			.frame = e->frame,
		};
		list_append(m, dst, s);
		if (table_count(m, dst, s) >= table_count(m, src, s)) {
			while (s + 1 < to &&
			    slot_va(s + 1) >> 21 == slot_va(s) >> 21)
				s++;
		}
	}
}

static int
model_ts_referenced(struct model *m, int frame)
{
	struct frame *f = &m->f[frame];
	struct record first, r;
	struct mapping *e;
	int count = 0;

	if (f->n == 0)
		return (0);
	first = f->list[0];
	do {
		r = f->list[0];
		e = &m->e[r.map][r.slot];
		f->dirty |= e->w && e->m;
		count += e->a;
		e->a = false;
		memmove(&f->list[0], &f->list[1],
		    (size_t)(f->n - 1) * sizeof(f->list[0]));
		f->list[f->n - 1] = r;
	} while (count < 5 &&
	    (f->list[0].map != first.map || f->list[0].slot != first.slot));
	return (count);
}

static uint64_t
model_pte(const struct mapping *e)
{
	const int32_t pat = frame_pat[e->frame];
	uint64_t pte = frame_pa[e->frame] | 1 | 4;

	pte |= e->w ? 2 : 0;
	pte |= e->a ? 0x20 : 0;
	pte |= e->m ? 0x40 : 0;
	pte |= e->wired ? 0x800 : 0;
	pte |= managed(e->frame) ? 0x400 : 0;
	pte |= e->x ? 0 : UINT64_C(1) << 63;
	pte |= (pat & 1) != 0 ? 8 : 0;
	pte |= (pat & 2) != 0 ? 0x10 : 0;
	pte |= (pat & 4) != 0 ? 0x80 : 0;
	return (pte);
}

/* Comparison of the whole state. */

/* Leaves in ascending order; counts tables. */
static void
compare_table(struct run *r, int map, const pte_t *table, int level,
    vm_offset_t base, int *slot, unsigned *ntables)
{
	const struct mapping *e = r->m.e[map];
	vm_offset_t va;
	uint64_t pte;

	for (unsigned i = 0; i < 512; i++) {
		/* Relaxed: at rest. */
		pte = atomic_load_explicit(&table[i], memory_order_relaxed);
		if (pte == 0)
			continue;
		va = base + ((vm_offset_t)i << (12 + 9 * level));
		if (level > 0) {
			++*ntables;
			compare_table(r, map,
			    (const pte_t *)(const void *)(r->pu.pu_ma->ma_vp
							      ->vp_dmap +
				(pte & UINT64_C(0xffffffffff000))),
			    level - 1, va, slot, ntables);
			continue;
		}
		while (*slot < NSLOTS && !e[*slot].v)
			++*slot;
		if (*slot == NSLOTS || slot_va(*slot) != va)
			differ(r,
			    "map %d has %#" PRIx64 " at %#" PRIx64
			    ", the model does not",
			    map, pte, va);
		else if (pte != model_pte(&e[*slot]))
			differ(r,
			    "map %d has %#" PRIx64 " at %#" PRIx64
			    ", the model %#" PRIx64,
			    map, pte, va, model_pte(&e[*slot]));
		if (r->why[0] != '\0')
			return;
		++*slot;
	}
}

/* Distinct tables that serve the model's mappings. */
static unsigned
model_tables(const struct model *m, int map)
{
	const unsigned shifts[] = { 21, 30, 39 };
	unsigned n = 0;
	uint64_t last;

	for (unsigned i = 0; i < 3; i++) {
		last = UINT64_MAX;
		for (int s = 0; s < NSLOTS; s++) {
			if (!m->e[map][s].v || slot_va(s) >> shifts[i] == last)
				continue;
			last = slot_va(s) >> shifts[i];
			n++;
		}
	}
	return (n);
}

static void
compare_map(struct run *r, int map)
{
	unsigned leaves = 0, tables = 0, wired = 0;
	int slot = 0;

	compare_table(r, map, r->pmap[map]->pm_pml4, 3, 0, &slot, &tables);
	for (; slot < NSLOTS; slot++) {
		if (r->m.e[map][slot].v)
			differ(r, "map %d has nothing at %#" PRIx64, map,
			    slot_va(slot));
	}
	for (int s = 0; s < NSLOTS; s++) {
		leaves += r->m.e[map][s].v;
		wired += r->m.e[map][s].v && r->m.e[map][s].wired;
	}
	expect(r, "tables", tables, model_tables(&r->m, map));
	expect(r, "resident", pmap_resident_count(r->pmap[map]),
	    leaves + tables + 1);
	expect(r, "wired", pmap_wired_count(r->pmap[map]), wired);
}

static void
compare_frame(struct run *r, int frame)
{
	const struct frame *f = &r->m.f[frame];
	const struct vm_page *m = r->page[frame];
	const struct pv_entry *pv;
	int i = 0;

	PV_LIST_FOREACH (pv, &m->md.pv_list) {
		if (i >= f->n || PV_PMAP(pv) != r->pmap[f->list[i].map] ||
		    pv->pv_va != slot_va(f->list[i].slot)) {
			differ(r, "frame %d: record %d is of %#" PRIx64, frame,
			    i, pv->pv_va);
			return;
		}
		i++;
	}
	expect(r, "length of a list", (uint64_t)i, (uint64_t)f->n);
	expect(r, "dirty", pu_dirty(m), f->dirty);
	expect(r, "ref", pu_aflag(m, PGA_REFERENCED), f->ref);
	expect(r, "writeable", pu_aflag(m, PGA_WRITEABLE), f->writeable);
}

static void
compare_all(struct run *r)
{
	for (int i = 0; i < NMAPS; i++)
		compare_map(r, i);
	for (int i = 0; i < NFRAMES; i++)
		compare_frame(r, i);
	if (machine_check(r->pu.pu_ma, stderr) != 0)
		differ(r, "the checker reports");
}

/* The operations, on both. */

static bool
map_empty(const struct model *m, int map)
{
	for (int s = 0; s < NSLOTS; s++) {
		if (m->e[map][s].v)
			return (false);
	}
	return (true);
}

/* Two slots as a range of slots, never empty. */
static void
range(const struct op *op, int *from, int *to)
{
	int a = (int)(op->r[3] % NSLOTS), b = (int)(op->r[4] % NSLOTS);

	/* Mostly short ones. */
	if (op->r[2] % 4 != 0)
		b = a + b % 8 < NSLOTS ? a + b % 8 : NSLOTS - 1;
	*from = a < b ? a : b;
	*to = (a < b ? b : a) + 1;
}

static vm_offset_t
range_end(int to)
{
	return (slot_va(to - 1) + 4096);
}

static vm_prot_t
random_prot(uint32_t r)
{
	return ((vm_prot_t)(VM_PROT_READ | (r & 1 ? VM_PROT_WRITE : 0) |
	    (r & 2 ? VM_PROT_EXECUTE : 0)));
}

/*
 * For want of a page, pmap_enter() at that slot has removed n mappings.  Which is
 * its own affair; but they were managed, not wired, and are gone as if removed.
 */
static void
reclaimed(struct run *r, int map, int slot, uint64_t n)
{
	const struct mapping *e;
	uint64_t gone = 0;

	for (int i = 0; n > 0 && i < NMAPS; i++) {
		for (int s = 0; s < NSLOTS; s++) {
			e = &r->m.e[i][s];
			if (!e->v || (i == map && s == slot) ||
			    pu_leaf(r->pmap[i], slot_va(s)) != 0)
				continue;
			if (e->wired || !managed(e->frame))
				differ(r,
				    "map %d lost what it has at %#" PRIx64, i,
				    slot_va(s));
			model_drop(&r->m, i, s, true);
			gone++;
		}
	}
	expect(r, "reclaimed", gone, n);
}

static void
do_enter(struct run *r, const struct op *op, int map)
{
	int slot = (int)(op->r[1] % NSLOTS);
	int frame = (int)(op->r[2] % (uint32_t)r->fl->nframes);
	vm_prot_t prot = random_prot(op->r[3]);
	uint32_t flags = VM_PROT_READ;
	struct mapping new = {
		.v = true,
		.w = (prot & VM_PROT_WRITE) != 0,
		.x = (prot & VM_PROT_EXECUTE) != 0,
		.a = true,
		.frame = frame,
	};
	uint64_t nreclaims = pu_counter(&r->pu, CTR_PV_RECLAIMS);
	enum kern_return rv;

	if (new.w && (op->r[3] & 4) != 0) {
		flags = VM_PROT_WRITE;
		new.m = true;
	}
	new.m |= new.w && !managed(frame);
	if (op->r[3] % 5 == 0) {
		flags |= PMAP_ENTER_WIRED;
		new.wired = true;
	}
	if (r->fl->shortage || (op->r[3] & 8) != 0)
		flags |= PMAP_ENTER_NOSLEEP;
	rv = pmap_enter(
	    r->pmap[map], slot_va(slot), r->page[frame], prot, flags, 0);
	if (r->fl->shortage)
		reclaimed(r, map, slot,
		    pu_counter(&r->pu, CTR_PV_RECLAIMS) - nreclaims);
	if (rv == KERN_SUCCESS)
		model_enter(&r->m, map, slot, new);
	else if (!r->fl->shortage || rv != KERN_RESOURCE_SHORTAGE)
		expect(r, "pmap_enter()", rv, KERN_SUCCESS);
}

static uint64_t
pindex_of(int frame)
{
	return ((uint64_t)(frame + frame / 4)); /* with gaps */
}

static void
do_object(struct run *r, const struct op *op, int map)
{
	int group = (int)(op->r[1] % NGROUPS);
	int first = (int)(op->r[2] % GROUPSIZE);
	int npages = 1 + (int)(op->r[3] % (uint32_t)(GROUPSIZE - first));
	int frame = (int)(op->r[4] % NMANAGED);
	int slot = group * GROUPSIZE + first;
	vm_prot_t prot = random_prot(op->r[4] >> 16);

	pmap_enter_object(r->pmap[map], slot_va(slot),
	    slot_va(slot) + (vm_offset_t)npages * 4096, r->page[frame], prot);
	for (int f = frame; f < NMANAGED; f++) {
		if (pindex_of(f) - pindex_of(frame) < (uint64_t)npages)
			model_quick(&r->m, map,
			    slot + (int)(pindex_of(f) - pindex_of(frame)), f,
			    (prot & VM_PROT_EXECUTE) != 0);
	}
}

static void
do_remove(struct run *r, const struct op *op, int map)
{
	int from, to;

	range(op, &from, &to);
	pmap_remove(r->pmap[map], slot_va(from), range_end(to));
	for (int s = from; s < to; s++) {
		if (r->m.e[map][s].v)
			model_drop(&r->m, map, s, true);
	}
}

static void
do_remove_pages(struct run *r, int map)
{
	struct mapping *e;

	pmap_remove_pages(r->pmap[map]);
	for (int s = 0; s < NSLOTS; s++) {
		e = &r->m.e[map][s];
		if (e->v && managed(e->frame) && !e->wired)
			model_drop(&r->m, map, s, false);
	}
}

static void
do_exit(struct run *r, int map)
{
	do_remove_pages(r, map);
	if (!map_empty(&r->m, map)) {
		pmap_remove(r->pmap[map], 0, VM_MAXUSER_ADDRESS);
		for (int s = 0; s < NSLOTS; s++) {
			if (r->m.e[map][s].v)
				model_drop(&r->m, map, s, true);
		}
	}
	expect(r, "resident at the end", pmap_resident_count(r->pmap[map]), 1);
	pmap_release(r->pmap[map]);
	pmap_free(r->pmap[map]);
	r->pmap[map] = pmap_alloc(r->pu.pu_ma);
	if (r->pmap[map] == NULL || pmap_pinit(r->pmap[map]) != KERN_SUCCESS)
		differ(r, "no root for a new pmap");
}

static void
do_protect(struct run *r, const struct op *op, int map)
{
	vm_prot_t prot = random_prot(op->r[1]);
	struct mapping *e;
	int from, to;

	if (op->r[1] % 16 == 15)
		prot = VM_PROT_NONE;
	range(op, &from, &to);
	pmap_protect(r->pmap[map], slot_va(from), range_end(to), prot);
	for (int s = from; s < to; s++) {
		e = &r->m.e[map][s];
		if (!e->v || prot == VM_PROT_ALL)
			continue;
		if (prot == VM_PROT_NONE) {
			model_drop(&r->m, map, s, true);
			continue;
		}
		if ((prot & VM_PROT_WRITE) == 0) {
			r->m.f[e->frame].dirty |=
			    managed(e->frame) && e->w && e->m;
			e->w = e->m = false;
		}
		if ((prot & VM_PROT_EXECUTE) == 0)
			e->x = false;
	}
}

/* All mappings in the range must be wired: from a slot on, as far as they are. */
static void
do_unwire(struct run *r, const struct op *op, int map)
{
	int from = (int)(op->r[3] % NSLOTS), to = from;

	while (to < NSLOTS && (!r->m.e[map][to].v || r->m.e[map][to].wired))
		to++;
	if (to == from)
		return;
	pmap_unwire(r->pmap[map], slot_va(from), range_end(to));
	for (int s = from; s < to; s++)
		r->m.e[map][s].wired = false;
}

static void
do_copy(struct run *r, const struct op *op, int map)
{
	int dst = (int)(op->r[1] % (uint32_t)r->fl->nmaps), from, to;

	if (dst == map)
		return;
	range(op, &from, &to);
	if (op->r[2] % 8 == 1) { /* other addresses: nothing happens */
		pmap_copy(r->pmap[dst], r->pmap[map], slot_va(from) + 4096,
		    range_end(to) - slot_va(from), slot_va(from));
		return;
	}
	if (op->r[2] % 8 == 2) {
		from = 0;
		to = NSLOTS;
	}
	pmap_copy(r->pmap[dst], r->pmap[map], slot_va(from),
	    range_end(to) - slot_va(from), slot_va(from));
	model_copy(&r->m, dst, map, from, to);
}

static void
do_remove_all(struct run *r, int frame)
{
	struct frame *f = &r->m.f[frame];

	pmap_remove_all(r->pu.pu_ma, r->page[frame]);
	while (f->n > 0)
		model_drop(&r->m, f->list[0].map, f->list[0].slot, true);
	f->writeable = false;
}

static void
do_remove_write(struct run *r, int frame)
{
	struct frame *f = &r->m.f[frame];
	struct mapping *e;

	pmap_remove_write(r->pu.pu_ma, r->page[frame]);
	if (!f->writeable)
		return;
	for (int i = 0; i < f->n; i++) {
		e = &r->m.e[f->list[i].map][f->list[i].slot];
		f->dirty |= e->w && e->m;
		e->w = e->m = false;
	}
	f->writeable = false;
}

static void
do_clear_modify(struct run *r, int frame)
{
	struct frame *f = &r->m.f[frame];

	pmap_clear_modify(r->pu.pu_ma, r->page[frame]);
	for (int i = 0; f->writeable && i < f->n; i++)
		r->m.e[f->list[i].map][f->list[i].slot].m = false;
}

static void
do_touch(struct run *r, const struct op *op, int map)
{
	int slot = (int)(op->r[1] % NSLOTS);
	struct mapping *e = &r->m.e[map][slot];
	const vm_prot_t accesses[] = { VM_PROT_READ, VM_PROT_WRITE,
		VM_PROT_EXECUTE };
	vm_prot_t access = accesses[op->r[2] % 3];
	bool ok = e->v && (access != VM_PROT_WRITE || e->w) &&
	    (access != VM_PROT_EXECUTE || e->x);

	expect(r, "access", pu_mmu(r->pmap[map], slot_va(slot), access), ok);
	if (ok) {
		e->a = true;
		e->m |= access == VM_PROT_WRITE;
	}
}

static void
ask_frame(struct run *r, int map, int frame)
{
	const struct frame *f = &r->m.f[frame];
	struct machine *ma = r->pu.pu_ma;
	struct vm_page *m = r->page[frame];
	bool mod = false, ref = false, quick = false;
	const struct mapping *e;
	int wired = 0;

	for (int i = 0; i < f->n; i++) {
		e = &r->m.e[f->list[i].map][f->list[i].slot];
		mod |= e->w && e->m;
		ref |= e->a;
		wired += e->wired;
		quick |= i < 16 && f->list[i].map == map;
	}
	expect(r, "is_modified", pmap_is_modified(ma, m), mod && f->writeable);
	expect(r, "is_referenced", pmap_is_referenced(ma, m), ref);
	expect(r, "wired_mappings", (uint64_t)pmap_page_wired_mappings(ma, m),
	    (uint64_t)wired);
	expect(
	    r, "exists_quick", pmap_page_exists_quick(r->pmap[map], m), quick);
	expect(r, "is_mapped", pmap_page_is_mapped(ma, m), f->n > 0);
}

static void
ask_va(struct run *r, const struct op *op, int map)
{
	int slot = (int)(op->r[1] % NSLOTS), val = 0;
	vm_offset_t va = slot_va(slot);
	const struct mapping *e = &r->m.e[map][slot];
	struct pmap *pmap = r->pmap[map];
	vm_prot_t prot = random_prot(op->r[2] & 1);
	struct vm_page *m, *wanted = NULL;
	vm_paddr_t pa = 1, look = 0;

	expect(r, "extract", pmap_extract(pmap, va + 0x123),
	    e->v ? frame_pa[e->frame] + 0x123 : 0);
	expect(r, "is_prefaultable", pmap_is_prefaultable(pmap, va),
	    !e->v && table_count(&r->m, map, slot) > 0);
	if (e->v && ((prot & VM_PROT_WRITE) == 0 || e->w))
		wanted = r->page[e->frame];
	m = pmap_extract_and_hold(pmap, va, prot);
	expect(r, "extract_and_hold", (uintptr_t)m, (uintptr_t)wanted);
	if (m != NULL) {
		/* Relaxed: at rest. */
		expect(r, "ref_count",
		    atomic_load_explicit(&m->ref_count, memory_order_relaxed),
		    2);
		vm_page_unhold(m);
	}
	if (e->v) {
		val = MINCORE_INCORE;
		if (e->a)
			val |= MINCORE_REFERENCED | MINCORE_REFERENCED_OTHER;
		if (e->w && e->m)
			val |= MINCORE_MODIFIED | MINCORE_MODIFIED_OTHER;
		if (managed(e->frame) && !(e->a && e->w && e->m))
			look = frame_pa[e->frame];
	}
	expect(
	    r, "mincore", (uint64_t)pmap_mincore(pmap, va, &pa), (uint64_t)val);
	expect(r, "mincore's page", pa, look);
}

static void
do_forget(struct run *r, int frame)
{
	pu_undirty(r->page[frame]);
	vm_page_aflag_clear(r->page[frame], PGA_REFERENCED);
	r->m.f[frame].dirty = r->m.f[frame].ref = false;
}

static void
do_op(struct run *r, const struct op *op)
{
	int map = (int)(op->r[0] % (uint32_t)r->fl->nmaps);
	int nframes = r->fl->nframes < NMANAGED ? r->fl->nframes : NMANAGED;
	int frame = (int)(op->r[1] % (uint32_t)nframes); /* managed */
	int any = (int)(op->r[2] % (uint32_t)r->fl->nframes);
	int slot = (int)(op->r[1] % NSLOTS);
	vm_prot_t prot = random_prot(op->r[3]);

	switch (op->kind) {
	case OP_ENTER:
		do_enter(r, op, map);
		break;
	case OP_QUICK:
		pmap_enter_quick(
		    r->pmap[map], slot_va(slot), r->page[any], prot);
		model_quick(
		    &r->m, map, slot, any, (prot & VM_PROT_EXECUTE) != 0);
		break;
	case OP_OBJECT:
		do_object(r, op, map);
		break;
	case OP_REMOVE:
		do_remove(r, op, map);
		break;
	case OP_REMOVE_PAGES:
		do_remove_pages(r, map);
		break;
	case OP_EXIT:
		do_exit(r, map);
		break;
	case OP_REMOVE_ALL:
		do_remove_all(r, frame);
		break;
	case OP_PROTECT:
		do_protect(r, op, map);
		break;
	case OP_UNWIRE:
		do_unwire(r, op, map);
		break;
	case OP_COPY:
		do_copy(r, op, map);
		break;
	case OP_REMOVE_WRITE:
		do_remove_write(r, frame);
		break;
	case OP_CLEAR_MODIFY:
		do_clear_modify(r, frame);
		break;
	case OP_TS_REFERENCED:
		expect(r, "ts_referenced",
		    (uint64_t)pmap_ts_referenced(r->pu.pu_ma, r->page[frame]),
		    (uint64_t)model_ts_referenced(&r->m, frame));
		break;
	case OP_TOUCH:
		do_touch(r, op, map);
		break;
	case OP_ASK_FRAME:
		ask_frame(r, map, frame);
		break;
	case OP_ASK_VA:
		ask_va(r, op, map);
		break;
	case OP_FORGET:
		do_forget(r, frame);
		break;
	case NOPS:
		break;
	}
}

static void
run_begin(struct run *r, const char *design)
{
	pu_setup(&r->pu, map_lines, design);
	for (int i = 0; i < NFRAMES; i++) {
		r->page[i] = pu_page_at(&r->pu, frame_pa[i]);
		r->page[i]->md.pat_mode = frame_pat[i];
		if (!managed(i))
			r->page[i]->oflags |= VPO_UNMANAGED;
		r->page[i]->pindex = pindex_of(i);
	}
	for (int i = 0; i + 1 < NMANAGED; i++)
		r->page[i]->listq_next = r->page[i + 1];
	for (int i = 0; i < NMAPS; i++)
		r->pmap[i] = pu_pmap(&r->pu);
}

static void
run_end(struct run *r)
{
	for (int i = 0; i < NMAPS; i++) {
		do_exit(r, i);
		pu_pmap_free(r->pmap[i]);
	}
	for (int i = 0; i < NFRAMES; i++) {
		r->page[i]->listq_next = NULL;
		pu_page_free(&r->pu, r->page[i]);
	}
	pu_unhoard(&r->pu, &r->hoard);
	pu_teardown(&r->pu);
}

/* What to run, and how far it got. */
struct script {
	struct run *s_run;
	const struct op *s_ops;
	const bool *s_keep; /* NULL: all */
	unsigned s_n;
	unsigned s_check_every;
	unsigned s_i; /* at the first difference, or s_n */
};

static void
run_script(void *arg)
{
	struct script *s = arg;
	struct run *r = s->s_run;

	for (; s->s_i < s->s_n; s->s_i++) {
		if (s->s_keep != NULL && !s->s_keep[s->s_i])
			continue;
		if (r->fl->shortage)
			pu_hoard(&r->pu, &r->hoard,
			    s->s_ops[s->s_i].kind == OP_EXIT
				? 2
				: s->s_ops[s->s_i].r[4] % 6);
		do_op(r, &s->s_ops[s->s_i]);
		if (s->s_i % s->s_check_every == s->s_check_every - 1 ||
		    s->s_i == s->s_n - 1)
			compare_all(r);
		if (r->why[0] != '\0')
			return;
	}
}

/*
 * Run those of n operations that keep says.  Returns the index of the first
 * after which something differs, and says what in why; or n.  A run that failed
 * leaves its machine behind.
 */
static unsigned
run_ops(const char *design, const struct flavour *fl, const struct op *ops,
    const bool *keep, unsigned n, unsigned check_every, char *why, size_t size)
{
	static struct run run;
	static struct script script;

	memset(&run, 0, sizeof(run));
	run.fl = fl;
	run_begin(&run, design);
	script = (struct script){ &run, ops, keep, n, check_every, 0 };
	if (pu_panics(run_script, &script))
		differ(&run, "panic: %s", pu_panic_text);
	if (run.why[0] == '\0')
		run_end(&run);
	else
		(void)snprintf(why, size, "%s", run.why);
	return (script.s_i);
}

static void
make_ops(const struct flavour *fl, uint64_t seed, struct op *ops, unsigned n)
{
	unsigned sum = 0, w;

	for (unsigned k = 0; k < NOPS; k++)
		sum += fl->weight[k];
	for (unsigned i = 0; i < n; i++) {
		w = (unsigned)(lt_random(&seed) % sum);
		ops[i].kind = OP_ENTER;
		while (w >= fl->weight[ops[i].kind])
			w -= fl->weight[ops[i].kind++];
		for (unsigned j = 0; j < 5; j++)
			ops[i].r[j] = (uint32_t)(lt_random(&seed) >> 16);
	}
}

/* Drop as many operations as still fail, in blocks of halving size. */
static void
minimise(const char *design, const struct flavour *fl, const struct op *ops,
    unsigned n)
{
	bool *keep = malloc(n * sizeof(*keep));
	char why[400];
	unsigned tries = 200;

	assert_non_null(keep);
	for (unsigned i = 0; i < n; i++)
		keep[i] = true;
	for (unsigned block = n / 2; block > 0; block /= 2) {
		for (unsigned i = 0; i < n && tries > 0; i += block) {
			unsigned end = i + block < n ? i + block : n;

			tries--;
			for (unsigned j = i; j < end; j++)
				keep[j] = false;
			if (run_ops(design, fl, ops, keep, n, 1, why,
				sizeof(why)) < n)
				continue;
			for (unsigned j = i; j < end; j++)
				keep[j] = true;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		if (!keep[i])
			continue;
		print_error("%u: %s %#x %#x %#x %#x %#x\n", i,
		    op_names[ops[i].kind], ops[i].r[0], ops[i].r[1],
		    ops[i].r[2], ops[i].r[3], ops[i].r[4]);
	}
	free(keep);
}

static uint64_t base_seed;

static void
compare_with_model(
    const char *design, const struct flavour *fl, uint64_t seed, unsigned n)
{
	struct op *ops = calloc(n, sizeof(*ops));
	char why[400] = "";
	unsigned i;

	assert_non_null(ops);
	make_ops(fl, seed, ops, n);
	i = run_ops(design, fl, ops, NULL, n, DIAGNOSTIC_ENABLED ? 16 : 64, why,
	    sizeof(why));
	if (i < n) {
		print_error("%s, %s, seed %" PRIu64 ", step %u (%s): %s\n",
		    design, fl->name, seed, i, op_names[ops[i].kind], why);
		minimise(design, fl, ops, i + 1);
	}
	free(ops);
	assert_true(i == n);
}

/* Operations of one run; all designs and flavours together: over 200,000. */
#define RUN_OPS 3000

static void
every_design_agrees_with_the_model(void **state)
{
	char design[64];
	uint64_t seed = base_seed;
	unsigned n = 0;

	(void)state;
	for (unsigned l = 0; l < PU_NLAYOUTS; l++) {
		for (unsigned k = 0; k < PU_NLOCKS; k++) {
			(void)snprintf(design, sizeof(design), "%s/%s%s",
			    pu_layouts[l], pu_locks[k],
			    (l + k) % 2 == 0 ? "+batch" : "");
			for (unsigned f = 0; f < NFLAVOURS; f++) {
				compare_with_model(design, &flavours[f], seed++,
				    lt_scale(RUN_OPS));
				n += lt_scale(RUN_OPS);
			}
		}
	}
	print_message("%u operations\n", n);
}

static void
every_option_agrees_with_the_model(void **state)
{
	static const char *const designs[] = { "head", "superpage+batch",
		"hashed/gen2+locks=1", "hashed/mtx8+locks=7+pad",
		"ptrarray/rwlock+wart=alloc", "sparse/gen2+gaps=trap",
		"segment/mtx8+chunks=global+batch" };
	uint64_t seed = base_seed + 1000;

	(void)state;
	for (size_t d = 0; d < sizeof(designs) / sizeof(designs[0]); d++) {
		for (unsigned f = 0; f < NFLAVOURS; f++)
			compare_with_model(designs[d], &flavours[f], seed++,
			    lt_scale(RUN_OPS));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_design_agrees_with_the_model),
		cmocka_unit_test(every_option_agrees_with_the_model),
	};

	base_seed = lt_seed();
	return (cmocka_run_group_tests_name("pmap model", tests, NULL, NULL));
}
