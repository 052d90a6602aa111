/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of page descriptors and of what lies in pages: page tables, chunks of pv
 * entries, and the rest.
 */
#include <inttypes.h>
#include <stdio.h>

#include "workload/names_impl.h"

static const struct name_field page_fields[] = {
	NAME_FIELD(struct vm_page, q_next),
	NAME_FIELD(struct vm_page, q_prev),
	NAME_FIELD(struct vm_page, listq_next),
	NAME_FIELD(struct vm_page, listq_prev),
	NAME_FIELD(struct vm_page, object),
	NAME_FIELD(struct vm_page, pindex),
	NAME_FIELD(struct vm_page, phys_addr),
	NAME_FIELD(struct vm_page, md.pv_list),
	NAME_FIELD(struct vm_page, md.pv_gen),
	NAME_FIELD(struct vm_page, md.pat_mode),
	NAME_FIELD(struct vm_page, ref_count),
	NAME_FIELD(struct vm_page, busy_lock),
	NAME_FIELD(struct vm_page, aflags),
	NAME_FIELD(struct vm_page, dirty),
	NAME_FIELD(struct vm_page, order_inv),
	NAME_FIELD(struct vm_page, pool),
	NAME_FIELD(struct vm_page, flags),
	NAME_FIELD(struct vm_page, oflags),
	NAME_FIELD(struct vm_page, psind),
	NAME_FIELD(struct vm_page, segind),
	NAME_FIELD(struct vm_page, valid),
	NAME_FIELD(struct vm_page, epoch),
	NAME_FIELD_END,
};

static const struct name_field chunk_fields[] = {
	NAME_FIELD(struct pv_chunk, pc_pmap),
	NAME_FIELD(struct pv_chunk, pc_list),
	NAME_FIELD(struct pv_chunk, pc_map),
	NAME_FIELD(struct pv_chunk, pc_lru),
	NAME_FIELD(struct pv_chunk, pc_pventry),
	NAME_FIELD_END,
};

/* The pmap whose root table is in m; -1: none. */
static int
pmap_of_root(const struct names *names, const struct vm_page *m)
{
	size_t low = 0, high = names->na_nroots;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (names->na_roots[mid].ro_page == m)
			return (names->na_roots[mid].ro_pmap);
		if (names->na_roots[mid].ro_page < m)
			low = mid + 1;
		else
			high = mid;
	}
	return (-1);
}

/*
 * A chunk names its pmap in its first word; the first word of a page table is an
 * entry, which is no such address.  -1: no chunk.
 */
static int
chunk_pmap(const struct names *names, const struct vm_page *m, vm_paddr_t pa)
{
	const struct pv_chunk *pc = PHYS_TO_DMAP(names->na_machine->ma_vp, pa);

	if (m->object != NULL || pc->pc_pmap == NULL)
		return (-1);
	return (names_number(names, pc->pc_pmap, "pmap"));
}

static const char *
table_level(const struct vm_page *m)
{
	if (m->pindex < NUPDE)
		return ("page table");
	return (m->pindex < NUPDE + NUPDPE ? "page directory" : "PDP table");
}

/* What a page is used for, in a few words; *ip: by which of these, or -1. */
static const char *
page_use(
    const struct names *names, const struct vm_page *m, vm_paddr_t pa, int *ip)
{
	const char *what = NULL;
	int i = -1;

	if (m == NULL)
		what = "no page";
	else if (m->segind == 0)
		what = "page never used";
	else if (m->object != NULL &&
	    (i = names_number(names, m->object, "object")) >= 0)
		what = "page of object";
	else if (m->object != NULL)
		what = "private page";
	else if ((m->flags & PG_FREED) != 0 || m->order_inv != 0)
		what = "free page";
	else if ((i = chunk_pmap(names, m, pa)) >= 0)
		what = "pv chunk of pmap";
	else if ((i = pmap_of_root(names, m)) >= 0)
		what = "root table of pmap";
	else if (m->pool == VM_FREEPOOL_DIRECT)
		what = table_level(m);
	else
		what = "page without object";
	*ip = i;
	return (what);
}

/* The same of one page. */
static void
format_use(char use[40], const char *what, int i)
{
	if (i >= 0)
		(void)snprintf(use, 40, "%.27s %d", what, i);
	else
		name_copy(use, 40, what);
}

void
name_of_page(const struct names *names, const struct name_range *nr, size_t off,
    struct name *n)
{
	const struct vm_phys *vp = names->na_machine->ma_vp;
	const struct vm_page *m = &vp->vp_array[off / sizeof(*m)];
	vm_paddr_t pa = vm_page_index_to_phys(vp, m);
	const char *what;
	char use[40];
	int i;

	(void)nr;
	name_copy(n->n_kind, sizeof(n->n_kind), "vm_page");
	if (!n->n_brief) {
		what = page_use(names, m, pa, &i);
		format_use(use, what, i);
		(void)snprintf(n->n_what, sizeof(n->n_what),
		    "vm_page %#jx (%s)", (uintmax_t)pa, use);
	}
	name_set_field(n, page_fields, off % sizeof(*m));
}

void
name_in_page(const struct names *names, const struct name_range *nr, size_t off,
    struct name *n)
{
	const struct vm_phys *vp = names->na_machine->ma_vp;
	const struct vm_page *m = PHYS_TO_VM_PAGE(vp, off);
	vm_paddr_t pa = off & ~(vm_paddr_t)PAGE_MASK;
	const char *what;
	char use[40];
	int i;

	(void)nr;
	what = page_use(names, m, pa, &i);
	name_copy(n->n_kind, sizeof(n->n_kind), what);
	if (!n->n_brief) {
		format_use(use, what, i);
		(void)snprintf(n->n_what, sizeof(n->n_what), "%s at %#jx", use,
		    (uintmax_t)pa);
	}
	if (m == NULL || m->segind == 0 || m->object != NULL)
		return;
	off &= PAGE_MASK;
	if (chunk_pmap(names, m, pa) >= 0)
		name_set_field(n, chunk_fields, off);
	else if (m->pool != VM_FREEPOOL_DIRECT)
		return;
	else if (n->n_brief)
		name_copy(n->n_field, sizeof(n->n_field), "entry");
	else
		(void)snprintf(n->n_field, sizeof(n->n_field), "entry[%zu]",
		    off / sizeof(pt_entry_t));
}
