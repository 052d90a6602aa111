/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The model of making mappings: rules 2 to 5 and 15.
 */

#include "model_pmap.h"

enum result {
	OK,
	SHORTAGE
};

static unsigned
prot_flags(vm_prot_t prot)
{
	return (ME_VALID | ((prot & VM_PROT_WRITE) != 0 ? ME_WRITE : 0) |
	    ((prot & VM_PROT_EXECUTE) != 0 ? ME_EXEC : 0));
}

/* The flags of an entry that enter makes. */
static unsigned
enter_flags(const struct script_op *op)
{
	unsigned flags = prot_flags(op->so_prot) | ME_ACCESSED;

	if (op->so_access == VM_PROT_WRITE ||
	    (op->so_unmanaged && (flags & ME_WRITE) != 0))
		flags |= ME_MODIFIED;
	if (op->so_wired)
		flags |= ME_WIRED;
	if (!op->so_unmanaged)
		flags |= ME_MANAGED;
	return (flags);
}

static void
use_unmanaged(struct model *mo, uint64_t pa)
{
	if (model_frame(mo, pa) != NULL)
		model_frame(mo, pa)->unmanaged = true;
}

/* Try rule 8 if the table is full, and the run of pa. */
static void
try_promotion(struct model *mo, struct model_map *map, struct model_slot *slot,
    uint64_t pa)
{
	if (!mo->nosuper && model_slot_count(slot) == 512 &&
	    model_run_full(mo, pa))
		model_promote(mo, map, slot);
}

/* The same frame is mapped there. */
static void
enter_same(
    struct model *mo, struct model_entry *e, const struct model_entry *new)
{
	const unsigned touched = ME_ACCESSED | ME_MODIFIED;

	if (((e->flags ^ new->flags) & ~touched) == 0)
		return;
	if ((e->flags & ME_MANAGED) != 0 && model_modified(e) &&
	    (new->flags &ME_MODIFIED) == 0)
		model_make_dirty(mo, e->pa, false);
	*e = *new;
}

/* Rule 2. */
static enum result
enter_small(struct model *mo, struct model_map *map, uint64_t va, uint64_t pa,
    const struct script_op *op)
{
	const struct model_entry new = { .pa = pa, .flags = enter_flags(op) };
	struct model_slot *slot = model_slot(map, va);
	struct model_entry *e;

	if (op->so_unmanaged)
		use_unmanaged(mo, pa);
	if (slot != NULL && slot->super && !model_demote(mo, map, slot))
		slot = NULL;
	if (slot == NULL) {
		if (!model_take_tables(mo, map, va, false, !op->so_nosleep))
			return (SHORTAGE);
		slot = model_slot_add(map, va, false);
	}
	e = &slot->small[va % MODEL_RUN / MODEL_PAGE];
	if ((new.flags &ME_MANAGED) != 0 && (new.flags &ME_WRITE) != 0) {
		model_frame(mo, pa)->writeable = true;
		model_run(mo, pa)->used = true;
	}
	if ((e->flags & ME_VALID) != 0 && e->pa == pa) {
		enter_same(mo, e, &new);
	} else {
		if ((e->flags & ME_VALID) != 0)
			model_remove_small(mo, map, slot, va, false);
		*e = new;
		if ((new.flags &ME_MANAGED) != 0)
			model_record_add(mo, map, va, pa, false);
	}
	try_promotion(mo, map, slot, pa);
	return (OK);
}

/* Everything in the 2 MB of va goes, as by remove. */
static void
clear_slot(struct model *mo, struct model_map *map, uint64_t va)
{
	struct model_slot *slot = model_slot(map, va);

	if (slot == NULL)
		return;
	if (slot->super) {
		model_remove_super(mo, map, slot, false);
		return;
	}
	for (unsigned i = 0; i < 512; i++) {
		if ((slot->small[i].flags & ME_VALID) != 0)
			model_remove_small(
			    mo, map, slot, slot->va + i * MODEL_PAGE, false);
	}
	model_slot_trim(map, slot);
}

/* A 2 MB mapping where there is none. */
static void
add_super(struct model *mo, struct model_map *map, uint64_t va, uint64_t pa,
    unsigned flags)
{
	struct model_slot *slot = model_slot_add(map, va, true);

	slot->big = (struct model_entry){ .pa = pa, .flags = flags };
	if ((flags & ME_MANAGED) != 0)
		model_record_add(mo, map, slot->va, pa, true);
	mo->mappings++;
}

/* Rule 3. */
static enum result
enter_super(struct model *mo, struct model_map *map, const struct script_op *op)
{
	unsigned flags = enter_flags(op);

	for (unsigned i = 0; i < 512 && op->so_unmanaged; i++)
		use_unmanaged(mo, op->so_pa + i * MODEL_PAGE);
	if (!model_take_tables(mo, map, op->so_va, true, !op->so_nosleep))
		return (SHORTAGE);
	clear_slot(mo, map, op->so_va);
	add_super(mo, map, op->so_va, op->so_pa, flags);
	/* Main saves a table for a wired one, so that it can be demoted. */
	if (op->so_wired) {
		model_slot(map, op->so_va)->spare = true;
		if (mo->pt_limit >= 0)
			mo->pt_limit -= mo->pt_limit > 0;
		mo->pt_taken++;
	}
	if ((flags & ME_WRITE) != 0 && (flags & ME_MANAGED) != 0) {
		for (unsigned i = 0; i < 512; i++)
			model_frame(mo, op->so_pa + i * MODEL_PAGE)->writeable =
			    true;
	}
	return (OK);
}

/* Rule 4. */
static void
enter_quick(struct model *mo, struct model_map *map, uint64_t va, uint64_t pa,
    vm_prot_t prot)
{
	struct model_slot *slot;
	struct model_entry *e;

	if (model_entry(map, va) != NULL)
		return;
	/* Tables that were taken for nothing are given back. */
	if (mo->pv_limit == 0 && !model_can_record(mo, map))
		return;
	if (!model_take_tables(mo, map, va, false, false))
		return;
	(void)model_can_record(mo, map);
	slot = model_slot(map, va);
	if (slot == NULL)
		slot = model_slot_add(map, va, false);
	e = &slot->small[va % MODEL_RUN / MODEL_PAGE];
	e->pa = pa;
	e->flags = (prot_flags(prot) & ~ME_WRITE) | ME_MANAGED;
	model_record_add(mo, map, va, pa, false);
	if (mo->version == PMAP_MAIN)
		try_promotion(mo, map, slot, pa);
}

/* Rule 5, where a 2 MB mapping may be tried.  Returns whether it was made. */
static bool
object_super(struct model *mo, struct model_map *map, uint64_t va, uint64_t pa,
    const struct script_op *op)
{
	if (mo->nosuper || va % MODEL_RUN != 0 || va + MODEL_RUN > op->so_end ||
	    pa % MODEL_RUN != 0 || !model_run_full(mo, pa) ||
	    model_slot(map, va) != NULL)
		return (false);
	if (mo->pv_limit == 0 && !model_can_record(mo, map))
		return (false);
	if (!model_take_tables(mo, map, va, true, false))
		return (false);
	(void)model_can_record(mo, map);
	add_super(mo, map, va, pa,
	    (prot_flags(op->so_prot) & ~ME_WRITE) | ME_MANAGED);
	return (true);
}

static void
enter_object(
    struct model *mo, struct model_map *map, const struct script_op *op)
{
	uint64_t pa = op->so_pa, va = op->so_va;

	while (va < op->so_end) {
		if (model_frame(mo, pa) == NULL) {
			va += MODEL_PAGE;
			pa += MODEL_PAGE;
		} else if (object_super(mo, map, va, pa, op)) {
			va += MODEL_RUN;
			pa += MODEL_RUN;
		} else {
			enter_quick(mo, map, va, pa, op->so_prot);
			va += MODEL_PAGE;
			pa += MODEL_PAGE;
		}
	}
}

static void
enter_range(struct model *mo, struct model_map *map, const struct script_op *op,
    struct script_out *out)
{
	uint64_t n = (op->so_end - op->so_va) / MODEL_PAGE, ok = 0;

	for (uint64_t i = 0; i < n; i++) {
		ok += enter_small(mo, map, op->so_va + i * MODEL_PAGE,
			  op->so_pa + i * MODEL_PAGE, op) == OK;
	}
	script_out_printf(out, "ok=%ju", (uintmax_t)ok);
	if (ok < n)
		script_out_printf(
		    out, " shortage=%ju failure=0", (uintmax_t)(n - ok));
}

void
model_do_enter(struct model *mo, struct model_map *map,
    const struct script_op *op, struct script_out *out)
{
	enum result r = OK;

	switch (op->so_code) {
	case SCRIPT_ENTER_RANGE:
		enter_range(mo, map, op, out);
		return;
	case SCRIPT_ENTER:
		r = op->so_super
		    ? enter_super(mo, map, op)
		    : enter_small(mo, map, op->so_va, op->so_pa, op);
		break;
	case SCRIPT_ENTER_QUICK:
		enter_quick(mo, map, op->so_va, op->so_pa, op->so_prot);
		break;
	default:
		enter_object(mo, map, op);
		break;
	}
	script_out_printf(out, r == OK ? "ok" : "shortage");
}

/* Returns whether the copy goes on. */
static bool
copy_super(
    struct model *mo, struct model_map *dst, const struct model_slot *from)
{
	unsigned flags = from->big.flags & ~ME_WIRED;
	bool managed = (flags & ME_MANAGED) != 0;

	if (!model_take_tables(mo, dst, from->va, true, false))
		return (false);
	if (model_slot(dst, from->va) != NULL)
		return (true);
	if (managed && !model_can_record(mo, dst))
		return (true);
	if (managed && (mo->version == PMAP_MAIN || mo->version == PMAP_14))
		flags &= ~ME_ACCESSED;
	add_super(mo, dst, from->va, from->big.pa, flags);
	return (true);
}

static bool
copy_small(struct model *mo, struct model_map *dst,
    const struct model_slot *from, uint64_t start, uint64_t end)
{
	const struct model_entry *e;
	struct model_slot *slot;
	uint64_t va;

	for (unsigned i = 0; i < 512; i++) {
		va = from->va + i * MODEL_PAGE;
		e = &from->small[i];
		if (va < start || va >= end || (e->flags & ME_VALID) == 0 ||
		    (e->flags & ME_MANAGED) == 0)
			continue;
		slot = model_slot(dst, va);
		/* Rule 15 leaves a managed one open. */
		if (slot != NULL && slot->super && !model_demote(mo, dst, slot))
			slot = NULL;
		if (model_entry(dst, va) != NULL ||
		    !model_can_record(mo, dst) ||
		    !model_take_tables(mo, dst, va, false, false))
			return (false);
		slot = model_slot(dst, va);
		if (slot == NULL)
			slot = model_slot_add(dst, va, false);
		slot->small[i].pa = e->pa;
		slot->small[i].flags =
		    e->flags & ~(ME_WIRED | ME_MODIFIED | ME_ACCESSED);
		model_record_add(mo, dst, va, e->pa, false);
		if (model_slot_count(slot) >= model_slot_count(from))
			break;
	}
	return (true);
}

/* Rule 15. */
void
model_do_copy(struct model *mo, struct model_map *dst, struct model_map *src,
    const struct script_op *op)
{
	uint64_t end = op->so_srcva + op->so_len, start = op->so_srcva;
	const struct model_slot *from;
	uint64_t va = start / MODEL_RUN * MODEL_RUN;

	if (op->so_va != op->so_srcva)
		return;
	while ((from = model_slot_next(src, va)) != NULL && from->va < end) {
		va = from->va + MODEL_RUN;
		if (!from->super) {
			if (!copy_small(mo, dst, from, start, end))
				return;
		} else if (from->va >= start && va <= end) {
			if (!copy_super(mo, dst, from))
				return;
		}
	}
}
