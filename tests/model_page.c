/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The model of what starts from a frame: rules 10 to 13, and 18 in part.
 */

#include "model_pmap.h"

#define TS_MAX    5  /* rule 13 */
#define QUICK_MAX 16 /* rule 18 */

static struct model_entry *
entry_of(const struct model_record *r)
{
	return (model_entry(r->map, r->va));
}

/*
 * Demote the 2 MB mappings of a run that are writable, or all.  fn, if any, hears
 * of each that now is 512, in the order of the list.
 */
static void
demote_run(struct model *mo, struct model_run *run, bool all,
    void (*fn)(struct model_map *map, uint64_t va, void *arg), void *arg)
{
	struct model_record r;
	size_t i = 0;

	while (i < run->list.n) {
		r = run->list.v[i];
		if (!all && (entry_of(&r)->flags & ME_WRITE) == 0) {
			i++;
			continue;
		}
		/* Either way its record goes. */
		if (model_demote(mo, r.map, model_slot(r.map, r.va)) &&
		    fn != NULL)
			fn(r.map, r.va, arg);
	}
}

/* Rule 10. */
static void
remove_all(struct model *mo, uint64_t pa)
{
	struct model_frame *f = model_frame(mo, pa);
	struct model_slot *slot;
	struct model_record r;

	demote_run(mo, model_run(mo, pa), true, NULL, NULL);
	while (f->list.n > 0) {
		r = f->list.v[0];
		slot = model_slot(r.map, r.va);
		model_remove_small(mo, r.map, slot, r.va, false);
		model_slot_trim(r.map, slot);
	}
	f->writeable = false;
}

/* Rule 11. */
static void
remove_write(struct model *mo, uint64_t pa)
{
	struct model_frame *f = model_frame(mo, pa);
	struct model_entry *e;

	if (!f->writeable)
		return;
	demote_run(mo, model_run(mo, pa), false, NULL, NULL);
	for (size_t i = 0; i < f->list.n; i++) {
		e = entry_of(&f->list.v[i]);
		if (model_modified(e))
			f->dirty = true;
		/* What cannot be written is left as it is. */
		if ((e->flags & ME_WRITE) != 0)
			e->flags &= ~(ME_WRITE | ME_MODIFIED);
	}
	f->writeable = false;
}

struct clearing {
	struct model_frame *f;
	uint64_t offset; /* of the frame in its run */
};

static void
clear_demoted(struct model_map *map, uint64_t va, void *arg)
{
	const struct clearing *c = arg;
	struct model_entry *e = model_entry(map, va + c->offset);

	if ((e->flags & ME_WIRED) != 0)
		return;
	e->flags &= ~(ME_WRITE | ME_MODIFIED);
	c->f->dirty = true;
}

/* Rule 12. */
static void
clear_modify(struct model *mo, uint64_t pa)
{
	struct clearing c = { model_frame(mo, pa), pa % MODEL_RUN };
	struct model_entry *e;

	if (!c.f->writeable)
		return;
	demote_run(mo, model_run(mo, pa), false, clear_demoted, &c);
	for (size_t i = 0; i < c.f->list.n; i++) {
		e = entry_of(&c.f->list.v[i]);
		if (model_modified(e))
			e->flags &= ~ME_MODIFIED;
	}
}

/* The first record goes to the end. */
static void
rotate(struct model_list *list)
{
	struct model_record first = list->v[0];

	for (size_t i = 1; i < list->n; i++)
		list->v[i - 1] = list->v[i];
	list->v[list->n - 1] = first;
}

static bool
same_record(const struct model_record *a, const struct model_record *b)
{
	return (a->map == b->map && a->va == b->va);
}

/* Rule 13. */
static int
ts_referenced(struct model *mo, uint64_t pa)
{
	struct model_frame *f = model_frame(mo, pa);
	struct model_list *lists[] = { &model_run(mo, pa)->list, &f->list };
	struct model_record start;
	struct model_entry *e;
	int count = 0;
	bool super;

	for (unsigned i = 0; i < 2 && count < TS_MAX; i++) {
		super = i == 0;
		if (lists[i]->n == 0)
			continue;
		start = lists[i]->v[0];
		do {
			struct model_record *r = &lists[i]->v[0];

			e = entry_of(r);
			if (model_modified(e))
				f->dirty = true;
			if ((e->flags & ME_ACCESSED) != 0) {
				count++;
				if (!super ||
				    ((e->flags & ME_WIRED) == 0 &&
					((pa >> 12 ^ r->va >> 21) & 511) == 0))
					e->flags &= ~ME_ACCESSED;
			}
			rotate(lists[i]);
		} while (
		    count < TS_MAX && !same_record(&lists[i]->v[0], &start));
	}
	return (count);
}

struct found {
	unsigned accessed;
	unsigned modified;
	unsigned wired;
	unsigned all;
};

static struct found
look(struct model *mo, uint64_t pa)
{
	const struct model_list *lists[] = { &model_run(mo, pa)->list,
		&model_frame(mo, pa)->list };
	struct found n = { 0 };
	const struct model_entry *e;

	for (unsigned l = 0; l < 2; l++) {
		for (size_t i = 0; i < lists[l]->n; i++) {
			e = entry_of(&lists[l]->v[i]);
			n.all++;
			n.accessed += (e->flags & ME_ACCESSED) != 0;
			n.modified += model_modified(e);
			n.wired += (e->flags & ME_WIRED) != 0;
		}
	}
	return (n);
}

static bool
exists_quick(struct model *mo, const struct model_map *map, uint64_t pa)
{
	const struct model_list *lists[] = { &model_frame(mo, pa)->list,
		&model_run(mo, pa)->list };
	unsigned looked = 0;

	for (unsigned l = 0; l < 2; l++) {
		for (size_t i = 0; i < lists[l]->n; i++) {
			if (looked++ == QUICK_MAX)
				return (false);
			if (lists[l]->v[i].map == map)
				return (true);
		}
	}
	return (false);
}

void
model_do_frame(struct model *mo, struct model_map *map,
    const struct script_op *op, struct script_out *out)
{
	struct model_frame *f = model_frame(mo, op->so_pa);
	bool unmanaged = f == NULL || f->unmanaged;
	struct found n = { 0 };

	if (!unmanaged)
		n = look(mo, op->so_pa);
	switch (op->so_code) {
	case SCRIPT_IS_MODIFIED:
		script_out_printf(out, "%d", f->writeable && n.modified > 0);
		return;
	case SCRIPT_IS_REFERENCED:
		script_out_printf(out, "%d", n.accessed > 0);
		return;
	case SCRIPT_TS_REFERENCED:
		script_out_printf(out, "%d", ts_referenced(mo, op->so_pa));
		return;
	case SCRIPT_PAGE_WIRED_MAPPINGS:
		script_out_printf(out, "%u", n.wired);
		return;
	case SCRIPT_PAGE_EXISTS_QUICK:
		script_out_printf(out, "%d", exists_quick(mo, map, op->so_pa));
		return;
	case SCRIPT_PAGE_IS_MAPPED:
		script_out_printf(out, "%d", n.all > 0);
		return;
	case SCRIPT_PAGE:
		if (unmanaged) {
			script_out_printf(out, "unmanaged");
			return;
		}
		script_out_printf(out,
		    "pv4k=%zu pv2m=%zu ref=%d dirty=%d writeable=%d wired=%u",
		    f->list.n, model_run(mo, op->so_pa)->list.n, f->ref,
		    f->dirty, f->writeable, n.wired);
		return;
	case SCRIPT_REMOVE_ALL:
		remove_all(mo, op->so_pa);
		break;
	case SCRIPT_REMOVE_WRITE:
		remove_write(mo, op->so_pa);
		break;
	case SCRIPT_CLEAR_MODIFY:
		clear_modify(mo, op->so_pa);
		break;
	case SCRIPT_UNREF:
		f->ref = false;
		break;
	default:
		f->dirty = false;
		break;
	}
	script_out_printf(out, "ok");
}
