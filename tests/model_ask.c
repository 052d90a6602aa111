/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The model of the processor, and of what is asked of a map: rule 18, and the
 * lines of state.
 */

#include "model_pmap.h"

static void
touch(struct model_map *map, const struct script_op *op, struct script_out *out)
{
	uint64_t end = op->so_va + 1, fault = 0, ok = 0, va;
	const char *why = "ok";
	struct model_entry *e;

	if (op->so_code == SCRIPT_TOUCH_RANGE)
		end = op->so_end;
	for (va = op->so_va; va < end; va += MODEL_PAGE) {
		e = model_entry(map, va);
		if (e == NULL) {
			why = "fault notpresent";
			fault++;
		} else if ((op->so_access == VM_PROT_WRITE &&
			       (e->flags & ME_WRITE) == 0) ||
		    (op->so_access == VM_PROT_EXECUTE &&
			(e->flags & ME_EXEC) == 0)) {
			why = "fault protection";
			fault++;
		} else {
			e->flags |= ME_ACCESSED;
			if (op->so_access == VM_PROT_WRITE)
				e->flags |= ME_MODIFIED;
			ok++;
		}
	}
	if (op->so_code == SCRIPT_TOUCH)
		script_out_printf(out, "%s", why);
	else
		script_out_printf(
		    out, "ok=%ju fault=%ju", (uintmax_t)ok, (uintmax_t)fault);
}

/* The physical address of the byte at va, which e maps. */
static uint64_t
physical(const struct model_map *map, uint64_t va, const struct model_entry *e)
{
	uint64_t size = model_slot(map, va)->super ? MODEL_RUN : MODEL_PAGE;

	return (e->pa + va % size);
}

static void
extract(const struct model_map *map, const struct script_op *op,
    struct script_out *out)
{
	const struct model_entry *e = model_entry(map, op->so_va);
	uint64_t pa = e != NULL ? physical(map, op->so_va, e) : 0;

	if (op->so_code == SCRIPT_EXTRACT)
		script_out_printf(out, "0x%jx", (uintmax_t)pa);
	else if (e == NULL ||
	    ((op->so_prot & VM_PROT_WRITE) != 0 && (e->flags & ME_WRITE) == 0))
		script_out_printf(out, "none");
	else
		script_out_printf(
		    out, "0x%jx", (uintmax_t)(pa / MODEL_PAGE * MODEL_PAGE));
}

static void
mincore(const struct model_map *map, uint64_t va, struct script_out *out)
{
	const struct model_entry *e = model_entry(map, va);
	bool accessed, modified;

	if (e == NULL) {
		script_out_printf(out, "none");
		return;
	}
	accessed = (e->flags & ME_ACCESSED) != 0;
	modified = model_modified(e);
	script_out_printf(out, "incore%s%s%s", accessed ? ",ref,refo" : "",
	    modified ? ",mod,modo" : "",
	    model_slot(map, va)->super ? ",super" : "");
	if ((e->flags & ME_MANAGED) != 0 && !(accessed && modified))
		script_out_printf(out, " locked=0x%jx",
		    (uintmax_t)(physical(map, va, e) / MODEL_PAGE *
			MODEL_PAGE));
}

static void
dump_entry(struct script_out *lines, uint64_t va, const struct model_entry *e,
    bool super)
{
	unsigned f = e->flags;

	script_out_printf(lines, "0x%jx %s 0x%jx r%c%cu%c%c%c%c%c-\n",
	    (uintmax_t)va, super ? "2m" : "4k", (uintmax_t)e->pa,
	    (f & ME_WRITE) != 0 ? 'w' : '-', (f & ME_EXEC) != 0 ? 'x' : '-',
	    (f & ME_ACCESSED) != 0 ? 'a' : '-',
	    (f & ME_MODIFIED) != 0 ? 'm' : '-', (f & ME_WIRED) != 0 ? 'W' : '-',
	    (f & ME_MANAGED) != 0 ? 'M' : '-',
	    (f & ME_PROMOTED) != 0 ? 'P' : '-');
}

static void
dump(const struct model_map *map, struct script_out *lines)
{
	const struct model_slot *slot;

	for (size_t i = 0; i < map->nslots; i++) {
		slot = map->slots[i];
		if (slot->super) {
			dump_entry(lines, slot->va, &slot->big, true);
			continue;
		}
		for (unsigned j = 0; j < 512; j++) {
			if ((slot->small[j].flags & ME_VALID) != 0)
				dump_entry(lines, slot->va + j * MODEL_PAGE,
				    &slot->small[j], false);
		}
	}
}

static void
stat(
    const struct model *mo, const struct model_map *map, struct script_out *out)
{
	uint64_t large = 0, small = 0, wired = 0;
	const struct model_slot *slot;

	for (size_t i = 0; i < map->nslots; i++) {
		slot = map->slots[i];
		if (slot->super) {
			large++;
			if ((slot->big.flags & ME_WIRED) != 0)
				wired += 512;
			continue;
		}
		for (unsigned j = 0; j < 512; j++) {
			small += (slot->small[j].flags & ME_VALID) != 0;
			wired += (slot->small[j].flags & ME_WIRED) != 0;
		}
	}
	script_out_printf(out,
	    "resident=%ju wired=%ju ptpages=%ju spare=%ju leaf4k=%ju "
	    "leaf2m=%ju promotions=%ju demotions=%ju failures=%ju mappings=%ju",
	    (uintmax_t)(small + 512 * large), (uintmax_t)wired,
	    (uintmax_t)model_tables(map), (uintmax_t)model_spares(map),
	    (uintmax_t)small, (uintmax_t)large, (uintmax_t)mo->promotions,
	    (uintmax_t)mo->demotions, (uintmax_t)mo->failures,
	    (uintmax_t)mo->mappings);
}

static unsigned
wired_mappings(const struct model_list *list)
{
	unsigned n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += (model_entry(list->v[i].map, list->v[i].va)->flags &
			 ME_WIRED) != 0;
	return (n);
}

static void
list_pages(struct model *mo, struct script_out *lines)
{
	const struct model_frame *f;
	const struct model_run *run;
	uint64_t pa;

	for (unsigned i = 0; i < mo->nsegs; i++) {
		for (pa = mo->segs[i].start; pa < mo->segs[i].end;
		     pa += MODEL_PAGE) {
			run = model_run(mo, pa);
			if (!run->used) {
				pa |= MODEL_RUN - MODEL_PAGE;
				continue;
			}
			f = model_frame(mo, pa);
			if (f->unmanaged ||
			    (f->list.n == 0 && run->list.n == 0 && !f->ref &&
				!f->dirty && !f->writeable))
				continue;
			script_out_printf(lines,
			    "0x%jx pv4k=%zu pv2m=%zu ref=%d dirty=%d "
			    "writeable=%d wired=%u\n",
			    (uintmax_t)pa, f->list.n, run->list.n, f->ref,
			    f->dirty, f->writeable,
			    wired_mappings(&f->list) +
				wired_mappings(&run->list));
		}
	}
}

void
model_do_ask(struct model *mo, struct model_map *map,
    const struct script_op *op, struct script_out *out)
{
	struct script_out lines = { .so_buf = NULL };
	const struct model_slot *slot;

	switch (op->so_code) {
	case SCRIPT_TOUCH:
	case SCRIPT_TOUCH_RANGE:
		touch(map, op, out);
		break;
	case SCRIPT_EXTRACT:
	case SCRIPT_EXTRACT_HOLD:
		extract(map, op, out);
		break;
	case SCRIPT_MINCORE:
		mincore(map, op->so_va, out);
		break;
	case SCRIPT_IS_PREFAULTABLE:
		slot = model_slot(map, op->so_va);
		script_out_printf(out, "%d",
		    slot != NULL && !slot->super &&
			model_entry(map, op->so_va) == NULL);
		break;
	case SCRIPT_STAT:
		stat(mo, map, out);
		break;
	case SCRIPT_DUMP:
	case SCRIPT_DIGEST:
		dump(map, &lines);
		script_print_lines(out, &lines,
		    op->so_code == SCRIPT_DUMP ? SCRIPT_COUNTED
					       : SCRIPT_HASHED);
		break;
	default:
		list_pages(mo, &lines);
		script_print_lines(out, &lines,
		    op->so_code == SCRIPT_PAGES ? SCRIPT_LISTED
						: SCRIPT_HASHED);
		break;
	}
	script_out_free(&lines);
}
