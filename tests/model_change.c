/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Changes that several operations of the model have in common: records, removal,
 * promotion and demotion, and taking table pages.
 */

#include <stdlib.h>

#include "model_pmap.h"

static struct model_list *
list_of(struct model *mo, uint64_t pa, bool super)
{
	return (super ? &model_run(mo, pa)->list : &model_frame(mo, pa)->list);
}

/* Rule 1: new records at the end. */
void
model_record_add(struct model *mo, struct model_map *map, uint64_t va,
    uint64_t pa, bool super)
{
	struct model_list *list = list_of(mo, pa, super);

	if (list->n == list->max) {
		list->max = list->max * 2 + 4;
		list->v = realloc(list->v, list->max * sizeof(list->v[0]));
		if (list->v == NULL)
			abort();
	}
	list->v[list->n++] = (struct model_record){ .map = map, .va = va };
	map->nrecords++;
	model_run(mo, pa)->used = true;
}

static void
record_remove(struct model *mo, struct model_map *map, uint64_t va, uint64_t pa,
    bool super)
{
	struct model_list *list = list_of(mo, pa, super);
	size_t i;

	for (i = 0; list->v[i].map != map || list->v[i].va != va; i++)
		continue;
	for (list->n--; i < list->n; i++)
		list->v[i] = list->v[i + 1];
	map->nrecords--;
}

bool
model_modified(const struct model_entry *e)
{
	return ((e->flags & ME_WRITE) != 0 && (e->flags & ME_MODIFIED) != 0);
}

void
model_make_dirty(struct model *mo, uint64_t pa, bool super)
{
	for (unsigned i = 0; i < (super ? 512 : 1); i++)
		model_frame(mo, pa + i * MODEL_PAGE)->dirty = true;
}

/* Rule 6. */
void
model_entry_gone(struct model *mo, struct model_map *map, uint64_t va,
    struct model_entry *e, bool super, bool keep_ref)
{
	struct model_frame *f;
	struct model_run *run;

	if ((e->flags & ME_MANAGED) == 0)
		return;
	run = model_run(mo, e->pa);
	if (model_modified(e))
		model_make_dirty(mo, e->pa, super);
	record_remove(mo, map, va, e->pa, super);
	for (unsigned i = 0; i < (super ? 512 : 1); i++) {
		f = model_frame(mo, e->pa + i * MODEL_PAGE);
		if ((e->flags & ME_ACCESSED) != 0 && !keep_ref)
			f->ref = true;
		if (f->list.n == 0 && run->list.n == 0)
			f->writeable = false;
	}
}

static void
slot_drop(struct model_map *map, struct model_slot *slot)
{
	size_t i;

	for (i = 0; map->slots[i] != slot; i++)
		continue;
	for (map->nslots--; i < map->nslots; i++)
		map->slots[i] = map->slots[i + 1];
	free(slot);
}

void
model_slot_trim(struct model_map *map, struct model_slot *slot)
{
	if (!slot->super && model_slot_count(slot) == 0)
		slot_drop(map, slot);
}

void
model_remove_super(struct model *mo, struct model_map *map,
    struct model_slot *slot, bool keep_ref)
{
	model_entry_gone(mo, map, slot->va, &slot->big, true, keep_ref);
	slot_drop(map, slot);
}

void
model_remove_small(struct model *mo, struct model_map *map,
    struct model_slot *slot, uint64_t va, bool keep_ref)
{
	struct model_entry *e = &slot->small[va % MODEL_RUN / MODEL_PAGE];

	model_entry_gone(mo, map, va, e, false, keep_ref);
	*e = (struct model_entry){ .flags = 0 };
}

/* Rule 9: the mapping goes, and what it leaves free is free at once. */
static void
destroy(struct model *mo, struct model_map *map, struct model_slot *slot)
{
	int64_t before = (int64_t)(model_tables(map) + model_spares(map));
	int64_t freed;

	model_remove_super(mo, map, slot, false);
	freed = before - (int64_t)(model_tables(map) + model_spares(map));
	if (mo->pt_limit >= 0)
		mo->pt_limit += freed;
	mo->pt_taken -= freed;
}

bool
model_demote(struct model *mo, struct model_map *map, struct model_slot *slot)
{
	struct model_entry big = slot->big;

	if ((big.flags & ME_ACCESSED) == 0 ||
	    (!slot->spare && mo->pt_limit == 0)) {
		destroy(mo, map, slot);
		return (false);
	}
	if (!slot->spare) {
		if (mo->pt_limit > 0)
			mo->pt_limit--;
		mo->pt_taken++;
	}
	slot->super = slot->spare = false;
	if ((big.flags & ME_MANAGED) != 0)
		record_remove(mo, map, slot->va, big.pa, true);
	for (unsigned i = 0; i < 512; i++) {
		slot->small[i].pa = big.pa + i * MODEL_PAGE;
		slot->small[i].flags = big.flags & ~ME_PROMOTED;
		if ((big.flags & ME_MANAGED) != 0)
			model_record_add(mo, map, slot->va + i * MODEL_PAGE,
			    slot->small[i].pa, false);
	}
	mo->demotions++;
	return (true);
}

/* A writable entry that is not modified loses the right to write. */
static void
make_clean_readonly(struct model_entry *e)
{
	if ((e->flags & ME_WRITE) != 0 && (e->flags & ME_MODIFIED) == 0)
		e->flags &= ~ME_WRITE;
}

/* Is entry i as it has to be, whatever its rights? */
static bool
entry_fits(const struct model *mo, const struct model_slot *slot, unsigned i)
{
	const struct model_entry *e = &slot->small[i];
	/* Main does not ask for accessed. */
	unsigned need = ME_VALID | (mo->version == PMAP_MAIN ? 0 : ME_ACCESSED);

	if ((e->flags & need) != need)
		return (false);
	if (i == 0)
		return (e->pa % MODEL_RUN == 0);
	return (e->pa == slot->small[0].pa + i * MODEL_PAGE);
}

/* Look at all entries as rule 8 says.  Returns whether they agree. */
static bool
entries_agree(const struct model *mo, struct model_slot *slot)
{
	const unsigned agree =
	    ME_WRITE | ME_EXEC | ME_MODIFIED | ME_WIRED | ME_MANAGED;
	struct model_entry *e, *first = &slot->small[0];

	if (!entry_fits(mo, slot, 0))
		return (false);
	make_clean_readonly(first);
	for (unsigned i = 511; i > 0; i--) {
		e = &slot->small[i];
		if (!entry_fits(mo, slot, i))
			return (false);
		make_clean_readonly(e);
		if (((e->flags ^ first->flags) & agree) != 0)
			return (false);
	}
	return (true);
}

void
model_promote(struct model *mo, struct model_map *map, struct model_slot *slot)
{
	unsigned accessed = ME_ACCESSED;

	if (!entries_agree(mo, slot)) {
		mo->failures++;
		return;
	}
	for (unsigned i = 0; i < 512; i++) {
		accessed &= slot->small[i].flags;
		if ((slot->small[i].flags & ME_MANAGED) != 0)
			record_remove(mo, map, slot->va + i * MODEL_PAGE,
			    slot->small[i].pa, false);
	}
	slot->super = slot->spare = true;
	slot->big = slot->small[0];
	/* Wired mappings are always accessed (rule 17), in main, too. */
	if ((slot->big.flags & ME_WIRED) != 0)
		accessed = ME_ACCESSED;
	slot->big.flags &= ~ME_ACCESSED;
	slot->big.flags |= accessed | ME_PROMOTED;
	if ((slot->big.flags & ME_MANAGED) != 0)
		model_record_add(mo, map, slot->va, slot->big.pa, true);
	for (unsigned i = 0; i < 512; i++)
		slot->small[i] = (struct model_entry){ .flags = 0 };
	mo->promotions++;
}

/* Rule 19. */
bool
model_take_tables(struct model *mo, const struct model_map *map, uint64_t va,
    bool super, bool wait)
{
	bool directory = false, upper = false;
	int64_t need;

	for (size_t i = 0; i < map->nslots; i++) {
		directory |= map->slots[i]->va >> 30 == va >> 30;
		upper |= map->slots[i]->va >> 39 == va >> 39;
	}
	need = !upper + !directory + (!super && model_slot(map, va) == NULL);
	if (mo->pt_limit >= 0 && mo->pt_limit < need) {
		if (!wait)
			return (false);
		mo->pt_limit = need;
	}
	if (mo->pt_limit >= 0)
		mo->pt_limit -= need;
	mo->pt_taken += need;
	return (true);
}

bool
model_can_record(struct model *mo, const struct model_map *map)
{
	if (map->nrecords > 0 || mo->pv_limit < 0)
		return (true);
	if (mo->pv_limit == 0)
		return (false);
	mo->pv_limit--;
	return (true);
}
