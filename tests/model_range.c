/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The model of what is done to a range of addresses: rules 6, 7, 14, 16 and 17.
 */

#include "model_pmap.h"

/* What is done to the part of a slot that a range covers. */
struct part {
	struct model *mo;
	struct model_map *map;
	const struct script_op *op;
	uint64_t start; /* within the slot's 2 MB */
	uint64_t end;
	bool whole; /* all of it */
};

/* Rule 6. */
static void
remove_part(const struct part *p, struct model_slot *slot)
{
	if (slot->super && p->whole) {
		model_remove_super(p->mo, p->map, slot, false);
		return;
	}
	if (slot->super && !model_demote(p->mo, p->map, slot))
		return;
	for (uint64_t va = p->start; va < p->end; va += MODEL_PAGE) {
		if (model_entry(p->map, va) != NULL)
			model_remove_small(p->mo, p->map, slot, va, false);
	}
	model_slot_trim(p->map, slot);
}

/* Rule 7, one entry.  Returns whether it changed. */
static bool
protect_entry(const struct part *p, struct model_entry *e, bool super)
{
	bool keeps_write = (p->op->so_prot & VM_PROT_WRITE) != 0;
	unsigned old = e->flags;

	/* 12.1 does not ask whether it is w that a 2 MB mapping loses. */
	if ((e->flags & ME_MANAGED) != 0 && model_modified(e) &&
	    (!keeps_write || (super && p->mo->version == PMAP_12_1)))
		model_make_dirty(p->mo, e->pa, super);
	if (!keeps_write)
		e->flags &= ~(ME_WRITE | ME_MODIFIED);
	if ((p->op->so_prot & VM_PROT_EXECUTE) == 0)
		e->flags &= ~ME_EXEC;
	return (e->flags != old);
}

static void
protect_part(const struct part *p, struct model_slot *slot)
{
	struct model_entry *e;

	if (slot->super && p->whole) {
		if (protect_entry(p, &slot->big, true))
			slot->big.flags &= ~ME_PROMOTED;
		return;
	}
	if (slot->super && !model_demote(p->mo, p->map, slot))
		return;
	for (uint64_t va = p->start; va < p->end; va += MODEL_PAGE) {
		e = model_entry(p->map, va);
		if (e != NULL)
			(void)protect_entry(p, e, false);
	}
}

/* Rule 17. */
static void
unwire_part(const struct part *p, struct model_slot *slot)
{
	struct model_entry *e;

	if (slot->super && p->whole) {
		slot->big.flags &= ~ME_WIRED;
		return;
	}
	if (slot->super && !model_demote(p->mo, p->map, slot))
		return;
	for (uint64_t va = p->start; va < p->end; va += MODEL_PAGE) {
		e = model_entry(p->map, va);
		if (e != NULL)
			e->flags &= ~ME_WIRED;
	}
}

static void
advise_entry(const struct part *p, struct model_entry *e)
{
	if ((e->flags & ME_MANAGED) == 0)
		return;
	if (model_modified(e)) {
		if (!p->op->so_free)
			model_make_dirty(p->mo, e->pa, false);
		e->flags &= ~ME_MODIFIED;
	}
	e->flags &= ~ME_ACCESSED;
}

/* Rule 14. */
static void
advise_part(const struct part *p, struct model_slot *slot)
{
	struct model_entry *e;

	if (slot->super) {
		if ((slot->big.flags & ME_MANAGED) == 0 ||
		    !model_demote(p->mo, p->map, slot))
			return;
		if ((slot->small[0].flags & ME_WIRED) == 0)
			model_remove_small(
			    p->mo, p->map, slot, p->end - MODEL_PAGE, false);
	}
	for (uint64_t va = p->start; va < p->end; va += MODEL_PAGE) {
		e = model_entry(p->map, va);
		if (e != NULL)
			advise_entry(p, e);
	}
}

/* Rule 16. */
static void
remove_pages(struct model *mo, struct model_map *map)
{
	const unsigned both = ME_VALID | ME_MANAGED | ME_WIRED;
	const unsigned goes = ME_VALID | ME_MANAGED;
	struct model_slot *slot;
	uint64_t va = 0;

	while ((slot = model_slot_next(map, va)) != NULL) {
		va = slot->va + MODEL_RUN;
		if (slot->super) {
			if ((slot->big.flags & both) == goes)
				model_remove_super(mo, map, slot, true);
			continue;
		}
		for (unsigned i = 0; i < 512; i++) {
			if ((slot->small[i].flags & both) == goes)
				model_remove_small(mo, map, slot,
				    slot->va + i * MODEL_PAGE, true);
		}
		model_slot_trim(map, slot);
	}
}

static void
each_part(struct part *p, void (*fn)(const struct part *, struct model_slot *))
{
	uint64_t va = p->op->so_va / MODEL_RUN * MODEL_RUN;
	struct model_slot *slot;

	while ((slot = model_slot_next(p->map, va)) != NULL &&
	    slot->va < p->op->so_end) {
		va = slot->va + MODEL_RUN;
		p->start = slot->va > p->op->so_va ? slot->va : p->op->so_va;
		p->end = va < p->op->so_end ? va : p->op->so_end;
		p->whole = p->end - p->start == MODEL_RUN;
		fn(p, slot);
	}
}

void
model_do_range(
    struct model *mo, struct model_map *map, const struct script_op *op)
{
	const vm_prot_t both = VM_PROT_WRITE | VM_PROT_EXECUTE;
	struct part p = { .mo = mo, .map = map, .op = op };

	if (op->so_va == op->so_end && op->so_code != SCRIPT_REMOVE_PAGES)
		return;
	switch (op->so_code) {
	case SCRIPT_REMOVE_PAGES:
		remove_pages(mo, map);
		break;
	case SCRIPT_REMOVE:
		each_part(&p, remove_part);
		break;
	case SCRIPT_PROTECT:
		if (op->so_prot == VM_PROT_NONE)
			each_part(&p, remove_part);
		else if ((op->so_prot & both) != both)
			each_part(&p, protect_part);
		break;
	case SCRIPT_UNWIRE:
		each_part(&p, unwire_part);
		break;
	default:
		each_part(&p, advise_part);
		break;
	}
}
