/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The model's state, and which function models an operation.
 */

#include "model_pmap.h"

#include <stdlib.h>
#include <string.h>

/* A test without memory cannot go on. */
static void *
more(void *p, size_t n)
{
	p = p == NULL ? calloc(1, n) : realloc(p, n);
	if (p == NULL)
		abort();
	return (p);
}

struct model *
model_create(enum pmap_version version)
{
	struct model *mo = more(NULL, sizeof(*mo));

	mo->version = version;
	mo->pt_limit = mo->pv_limit = -1;
	return (mo);
}

static void
map_free(struct model_map *map)
{
	for (size_t i = 0; i < map->nslots; i++)
		free(map->slots[i]);
	free(map->slots);
	free(map);
}

static uint64_t
seg_frames(const struct model_seg *seg)
{
	return ((seg->end - seg->start) / MODEL_PAGE);
}

static uint64_t
seg_runs(const struct model_seg *seg)
{
	return ((seg->end - 1) / MODEL_RUN - seg->start / MODEL_RUN + 1);
}

void
model_destroy(struct model *mo)
{
	struct model_map *map;
	struct model_seg *seg;

	while ((map = mo->maps) != NULL) {
		mo->maps = map->next;
		map_free(map);
	}
	for (unsigned i = 0; i < mo->nsegs; i++) {
		seg = &mo->segs[i];
		for (uint64_t r = 0; r < seg_runs(seg); r++) {
			uint64_t first, last;

			free(seg->runs[r].list.v);
			if (!seg->runs[r].used)
				continue;
			first = (seg->start / MODEL_RUN + r) * MODEL_RUN;
			last = first + MODEL_RUN;
			first = first > seg->start ? first : seg->start;
			last = last < seg->end ? last : seg->end;
			for (; first < last; first += MODEL_PAGE)
				free(model_frame(mo, first)->list.v);
		}
		free(seg->frames);
		free(seg->runs);
	}
	free(mo);
}

struct model_map *
model_find_map(struct model *mo, const char *name)
{
	struct model_map *map;

	for (map = mo->maps; map != NULL; map = map->next) {
		if (strcmp(map->name, name) == 0)
			break;
	}
	return (map);
}

static struct model_seg *
seg_of(struct model *mo, uint64_t pa)
{
	for (unsigned i = 0; i < mo->nsegs; i++) {
		if (pa >= mo->segs[i].start && pa < mo->segs[i].end)
			return (&mo->segs[i]);
	}
	return (NULL);
}

struct model_frame *
model_frame(struct model *mo, uint64_t pa)
{
	struct model_seg *seg = seg_of(mo, pa);

	if (seg == NULL)
		return (NULL);
	return (&seg->frames[(pa - seg->start) / MODEL_PAGE]);
}

struct model_run *
model_run(struct model *mo, uint64_t pa)
{
	struct model_seg *seg = seg_of(mo, pa);

	if (seg == NULL)
		return (NULL);
	return (&seg->runs[pa / MODEL_RUN - seg->start / MODEL_RUN]);
}

bool
model_run_full(struct model *mo, uint64_t pa)
{
	struct model_seg *seg = seg_of(mo, pa);
	uint64_t run = pa / MODEL_RUN * MODEL_RUN;

	return (seg != NULL && run >= seg->start &&
	    run + MODEL_RUN <= seg->end && !model_run(mo, pa)->partial);
}

struct model_slot *
model_slot_next(const struct model_map *map, uint64_t va)
{
	size_t hi = map->nslots, lo = 0, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (map->slots[mid]->va < va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo < map->nslots ? map->slots[lo] : NULL);
}

struct model_slot *
model_slot(const struct model_map *map, uint64_t va)
{
	uint64_t base = va / MODEL_RUN * MODEL_RUN;
	struct model_slot *slot = model_slot_next(map, base);

	return (slot != NULL && slot->va == base ? slot : NULL);
}

struct model_slot *
model_slot_add(struct model_map *map, uint64_t va, bool super)
{
	struct model_slot *slot = more(NULL, sizeof(*slot));
	size_t i;

	slot->va = va / MODEL_RUN * MODEL_RUN;
	slot->super = super;
	if (map->nslots == map->maxslots) {
		map->maxslots = map->maxslots * 2 + 8;
		map->slots =
		    more(map->slots, map->maxslots * sizeof(map->slots[0]));
	}
	for (i = map->nslots++; i > 0 && map->slots[i - 1]->va > slot->va; i--)
		map->slots[i] = map->slots[i - 1];
	map->slots[i] = slot;
	return (slot);
}

struct model_entry *
model_entry(const struct model_map *map, uint64_t va)
{
	struct model_slot *slot = model_slot(map, va);
	struct model_entry *e;

	if (slot == NULL)
		return (NULL);
	if (slot->super)
		return (&slot->big);
	e = &slot->small[va % MODEL_RUN / MODEL_PAGE];
	return ((e->flags & ME_VALID) != 0 ? e : NULL);
}

unsigned
model_slot_count(const struct model_slot *slot)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 512; i++)
		n += (slot->small[i].flags & ME_VALID) != 0;
	return (n);
}

/* Tables: one for each slot that is one, and the directories above all. */
uint64_t
model_tables(const struct model_map *map)
{
	uint64_t n = 0, va;

	for (size_t i = 0; i < map->nslots; i++) {
		va = map->slots[i]->va;
		n += !map->slots[i]->super;
		n += i == 0 || map->slots[i - 1]->va >> 30 != va >> 30;
		n += i == 0 || map->slots[i - 1]->va >> 39 != va >> 39;
	}
	return (n);
}

uint64_t
model_spares(const struct model_map *map)
{
	uint64_t n = 0;

	for (size_t i = 0; i < map->nslots; i++)
		n += map->slots[i]->super && map->slots[i]->spare;
	return (n);
}

static void
do_machine(struct model *mo, const struct script_op *op)
{
	struct model_seg *seg;

	mo->nosuper = op->so_nosuper;
	mo->nsegs = op->so_nsegs;
	for (unsigned i = 0; i < op->so_nsegs; i++) {
		seg = &mo->segs[i];
		seg->start = op->so_segs[i].ss_start;
		seg->end = op->so_segs[i].ss_end;
		seg->frames =
		    more(NULL, seg_frames(seg) * sizeof(seg->frames[0]));
		seg->runs = more(NULL, seg_runs(seg) * sizeof(seg->runs[0]));
	}
}

static void
do_pmap(struct model *mo, const struct script_op *op)
{
	struct model_map *map = more(NULL, sizeof(*map));

	memcpy(map->name, op->so_map, sizeof(map->name));
	map->next = mo->maps;
	mo->maps = map;
}

static void
do_release(struct model *mo, struct model_map *map)
{
	struct model_map **p;

	for (p = &mo->maps; *p != map;)
		p = &(*p)->next;
	*p = map->next;
	map_free(map);
}

/* Table pages of all maps. */
static int64_t
all_tables(const struct model *mo)
{
	const struct model_map *map;
	uint64_t n = 0;

	for (map = mo->maps; map != NULL; map = map->next)
		n += model_tables(map) + model_spares(map);
	return ((int64_t)n);
}

/* The result "ok" of what answers nothing else. */
static void
change(struct model *mo, struct model_map *map, const struct script_op *op)
{
	switch (op->so_code) {
	case SCRIPT_MACHINE:
		do_machine(mo, op);
		break;
	case SCRIPT_SHORTAGE:
		mo->pt_limit = op->so_pt;
		mo->pv_limit = op->so_pv;
		break;
	case SCRIPT_PMAP:
		do_pmap(mo, op);
		break;
	case SCRIPT_RELEASE:
		do_release(mo, map);
		break;
	case SCRIPT_COPY:
		model_do_copy(mo, map, model_find_map(mo, op->so_src), op);
		break;
	default:
		model_do_range(mo, map, op);
		break;
	}
}

void
model_exec(struct model *mo, const struct script_op *op, struct script_out *out)
{
	struct model_map *map = model_find_map(mo, op->so_map);
	int64_t before = mo->pt_limit >= 0 ? all_tables(mo) : 0;

	mo->pt_taken = 0;
	switch (op->so_code) {
	case SCRIPT_RESERV:
		if (model_run(mo, op->so_pa) != NULL)
			model_run(mo, op->so_pa)->partial = !op->so_full;
		script_out_printf(
		    out, model_run_full(mo, op->so_pa) ? "full" : "partial");
		break;
	case SCRIPT_ENTER:
	case SCRIPT_ENTER_RANGE:
	case SCRIPT_ENTER_QUICK:
	case SCRIPT_ENTER_OBJECT:
		model_do_enter(mo, map, op, out);
		break;
	case SCRIPT_MACHINE:
	case SCRIPT_SHORTAGE:
	case SCRIPT_PMAP:
	case SCRIPT_RELEASE:
	case SCRIPT_COPY:
	case SCRIPT_REMOVE:
	case SCRIPT_REMOVE_PAGES:
	case SCRIPT_PROTECT:
	case SCRIPT_UNWIRE:
	case SCRIPT_ADVISE:
		change(mo, map, op);
		script_out_printf(out, "ok");
		break;
	case SCRIPT_TOUCH:
	case SCRIPT_TOUCH_RANGE:
	case SCRIPT_EXTRACT:
	case SCRIPT_EXTRACT_HOLD:
	case SCRIPT_MINCORE:
	case SCRIPT_IS_PREFAULTABLE:
	case SCRIPT_DUMP:
	case SCRIPT_DIGEST:
	case SCRIPT_STAT:
	case SCRIPT_PAGES:
	case SCRIPT_PAGES_DIGEST:
		model_do_ask(mo, map, op, out);
		break;
	default:
		model_do_frame(mo, map, op, out);
		break;
	}
	/* What was given back within the operation is free now. */
	if (mo->pt_limit >= 0 && op->so_code != SCRIPT_SHORTAGE)
		mo->pt_limit += before + mo->pt_taken - all_tables(mo);
}
