/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The operations of a script that look at state, and those on a frame.
 */

#include <errno.h>
#include <string.h>

#include "workload/script_var.h"

static void
dump_leaf(void *arg, vm_offset_t va, pt_entry_t entry, vm_size_t size)
{
	static const struct {
		pt_entry_t bits;
		bool inverted;
		char letter;
	} flags[] = {
		{ PG_V, false, 'r' },
		{ PG_RW, false, 'w' },
		{ PG_NX, true, 'x' },
		{ PG_U, false, 'u' },
		{ PG_A, false, 'a' },
		{ PG_M, false, 'm' },
		{ PG_W, false, 'W' },
		{ PG_MANAGED, false, 'M' },
		{ PG_PROMOTED, false, 'P' },
		{ PG_G, false, 'G' },
	};
	struct script_out *lines = arg;
	char text[sizeof(flags) / sizeof(flags[0]) + 1] = "";
	bool set;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		set = ((entry & flags[i].bits) != 0) != flags[i].inverted;
		/* In a 4 KB entry the bit is left over and means nothing. */
		if (flags[i].bits == PG_PROMOTED && size != NBPDR)
			set = false;
		text[i] = set ? flags[i].letter : '-';
	}
	script_out_printf(lines, "0x%jx %s 0x%jx %s\n", (uintmax_t)va,
	    size == NBPDR ? "2m" : "4k",
	    (uintmax_t)(entry & PG_FRAME & ~(size - 1)), text);
}

struct leaves {
	uint64_t small;
	uint64_t large;
};

static void
count_leaf(void *arg, vm_offset_t va, pt_entry_t entry, vm_size_t size)
{
	struct leaves *l = arg;

	(void)va;
	(void)entry;
	if (size == NBPDR)
		l->large++;
	else
		l->small++;
}

static void
do_stat(struct script *s, struct pmap *pmap, struct script_out *out)
{
	struct leaves l = { .small = 0 };
	enum pmap_version version = machine_design(s->s_ma)->d_pmap;
	uint64_t resident = pmap_resident_count(pmap);
	uint64_t spare = pmap_spare_count(pmap);
	uint64_t tables = pmap_table_count(pmap);
	struct pmap_pde_stats pds;

	pmap_pde_stats(s->s_ma, &pds);
	pmap_walk(pmap, count_leaf, &l);
	/* The kernel counts tables, too, and since 14 the root. */
	resident -= tables + spare;
	if (version == PMAP_MAIN || version == PMAP_14)
		resident--;
	script_out_printf(out,
	    "resident=%ju wired=%ju ptpages=%ju spare=%ju leaf4k=%ju "
	    "leaf2m=%ju promotions=%ju demotions=%ju failures=%ju mappings=%ju",
	    (uintmax_t)resident, (uintmax_t)pmap_wired_count(pmap),
	    (uintmax_t)tables, (uintmax_t)spare, (uintmax_t)l.small,
	    (uintmax_t)l.large, (uintmax_t)pds.pds_promotions,
	    (uintmax_t)pds.pds_demotions, (uintmax_t)pds.pds_p_failures,
	    (uintmax_t)pds.pds_mappings);
}

static void
do_mincore(struct pmap *pmap, vm_offset_t va, struct script_out *out)
{
	vm_paddr_t locked = 0;
	int val = pmap_mincore(pmap, va, &locked);

	if (val == 0) {
		script_out_printf(out, "none");
		return;
	}
	script_out_printf(out, "incore%s%s%s%s%s",
	    (val & MINCORE_REFERENCED) != 0 ? ",ref" : "",
	    (val & MINCORE_REFERENCED_OTHER) != 0 ? ",refo" : "",
	    (val & MINCORE_MODIFIED) != 0 ? ",mod" : "",
	    (val & MINCORE_MODIFIED_OTHER) != 0 ? ",modo" : "",
	    (val & MINCORE_SUPER) != 0 ? ",super" : "");
	if (locked != 0)
		script_out_printf(out, " locked=0x%jx", (uintmax_t)locked);
}

struct lookup {
	vm_offset_t va;
	pt_entry_t entry;
	vm_size_t size;
};

static void
find_leaf(void *arg, vm_offset_t va, pt_entry_t entry, vm_size_t size)
{
	struct lookup *l = arg;

	if (l->va >= va && l->va - va < size) {
		l->entry = entry;
		l->size = size;
	}
}

/*
 * A frame of a device has a descriptor that only the interpreter knows, so that
 * the pmap holds nothing.  What it would have answered: the frame, or 0.
 */
static vm_paddr_t
device_hold(struct script *s, struct pmap *pmap, const struct script_op *op)
{
	struct lookup l = { .va = op->so_va };
	vm_paddr_t pa;

	pmap_walk(pmap, find_leaf, &l);
	pa = l.entry & PG_FRAME;
	if (l.size != PAGE_SIZE || script_memory_of(s, pa) != NULL ||
	    ((op->so_prot & VM_PROT_WRITE) != 0 && (l.entry & PG_RW) == 0))
		return (0);
	return (pa);
}

static void
do_extract_hold(struct script *s, struct pmap *pmap, const struct script_op *op,
    struct script_out *out)
{
	struct vm_page *m;
	vm_paddr_t pa;

	m = pmap_extract_and_hold(pmap, op->so_va, op->so_prot);
	pa = m != NULL ? VM_PAGE_TO_PHYS(m) : device_hold(s, pmap, op);
	if (m != NULL)
		vm_page_unhold(m);
	if (pa != 0)
		script_out_printf(out, "0x%jx", (uintmax_t)pa);
	else
		script_out_printf(out, "none");
}

int
script_do_ask(struct script *s, struct pmap *pmap, const struct script_op *op,
    struct script_out *out)
{
	struct script_out *lines = &s->s_lines;

	script_out_clear(lines);
	switch (op->so_code) {
	case SCRIPT_EXTRACT:
		script_out_printf(
		    out, "0x%jx", (uintmax_t)pmap_extract(pmap, op->so_va));
		break;
	case SCRIPT_EXTRACT_HOLD:
		do_extract_hold(s, pmap, op, out);
		break;
	case SCRIPT_MINCORE:
		do_mincore(pmap, op->so_va, out);
		break;
	case SCRIPT_IS_PREFAULTABLE:
		script_out_printf(
		    out, "%d", pmap_is_prefaultable(pmap, op->so_va));
		break;
	case SCRIPT_STAT:
		do_stat(s, pmap, out);
		break;
	case SCRIPT_DUMP:
	case SCRIPT_DIGEST:
		pmap_walk(pmap, dump_leaf, lines);
		script_print_lines(out, lines,
		    op->so_code == SCRIPT_DUMP ? SCRIPT_COUNTED
					       : SCRIPT_HASHED);
		break;
	default:
		script_list_pages(s, lines);
		script_print_lines(out, lines,
		    op->so_code == SCRIPT_PAGES ? SCRIPT_LISTED
						: SCRIPT_HASHED);
		break;
	}
	s->s_nomem = lines->so_failed;
	return (0);
}

/* Records on a list. */
static unsigned
count_records(const struct pv_list *pvl)
{
	const struct pv_entry *pv;
	unsigned n = 0;

	PV_LIST_FOREACH (pv, pvl)
		n++;
	return (n);
}

void
script_print_frame(struct script *s, vm_paddr_t pa, struct script_out *out)
{
	struct machine *ma = s->s_ma;
	struct vm_page *m = script_frame(s, pa);
	struct pv_header ph;
	uint8_t flags;
	bool dirty;

	ma->ma_pvt->pvt_ops->pvl_lookup(ma->ma_pvt, pa, m, &ph);
	flags = vm_page_aflags(m);
	/* Relaxed: one thread. */
	dirty = atomic_load_explicit(&m->dirty, memory_order_relaxed) != 0;
	script_out_printf(out,
	    "pv4k=%u pv2m=%u ref=%d dirty=%d writeable=%d wired=%d",
	    count_records(&m->md.pv_list), count_records(&ph.ph_md->pv_list),
	    (flags & PGA_REFERENCED) != 0, dirty, (flags & PGA_WRITEABLE) != 0,
	    pmap_page_wired_mappings(ma, m));
}

/* What may be asked of a frame without a list of mappings. */
static int
do_unmanaged(const struct script_op *op, struct script_out *out)
{
	switch (op->so_code) {
	case SCRIPT_PAGE:
		script_out_printf(out, "unmanaged");
		return (0);
	case SCRIPT_PAGE_WIRED_MAPPINGS:
	case SCRIPT_PAGE_IS_MAPPED:
		script_out_printf(out, "0");
		return (0);
	default:
		return (script_error(out,
		    "frame %#jx is unmanaged, expected a managed one",
		    (uintmax_t)op->so_pa));
	}
}

int
script_do_frame(struct script *s, struct pmap *pmap, const struct script_op *op,
    struct script_out *out)
{
	struct machine *ma = s->s_ma;
	struct vm_page *m;

	if ((script_frame_use(s, op->so_pa) & FRAME_UNMANAGED) != 0)
		return (do_unmanaged(op, out));
	m = script_frame(s, op->so_pa);
	switch (op->so_code) {
	case SCRIPT_IS_MODIFIED:
		script_out_printf(out, "%d", pmap_is_modified(ma, m));
		return (0);
	case SCRIPT_IS_REFERENCED:
		script_out_printf(out, "%d", pmap_is_referenced(ma, m));
		return (0);
	case SCRIPT_TS_REFERENCED:
		script_out_printf(out, "%d", pmap_ts_referenced(ma, m));
		return (0);
	case SCRIPT_PAGE_WIRED_MAPPINGS:
		script_out_printf(out, "%d", pmap_page_wired_mappings(ma, m));
		return (0);
	case SCRIPT_PAGE_EXISTS_QUICK:
		script_out_printf(out, "%d", pmap_page_exists_quick(pmap, m));
		return (0);
	case SCRIPT_PAGE_IS_MAPPED:
		script_out_printf(out, "%d", pmap_page_is_mapped(ma, m));
		return (0);
	case SCRIPT_PAGE:
		script_print_frame(s, op->so_pa, out);
		return (0);
	case SCRIPT_REMOVE_ALL:
		pmap_remove_all(ma, m);
		break;
	case SCRIPT_REMOVE_WRITE:
		pmap_remove_write(ma, m);
		break;
	case SCRIPT_CLEAR_MODIFY:
		pmap_clear_modify(ma, m);
		break;
	case SCRIPT_UNREF:
		vm_page_aflag_clear(m, PGA_REFERENCED);
		break;
	default: /* undirty */
		/* Relaxed: one thread. */
		atomic_store_explicit(&m->dirty, 0, memory_order_relaxed);
		break;
	}
	script_out_printf(out, "ok");
	return (0);
}
