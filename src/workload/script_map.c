/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The operations of a script that change mappings, and what the processor does.
 */

#include <errno.h>

#include "pmapsim/mmu.h"
#include "workload/script_var.h"

static uint32_t
enter_flags(const struct script_op *op)
{
	/* The access need not be among the rights, but for write. */
	return ((uint32_t)(op->so_access & op->so_prot) |
	    (op->so_nosleep ? PMAP_ENTER_NOSLEEP : 0) |
	    (op->so_wired ? PMAP_ENTER_WIRED : 0));
}

/* Is psind=1 in order, for all that the operation says? */
static int
check_super(
    struct script *s, const struct script_op *op, struct script_out *out)
{
	enum pmap_version version = machine_design(s->s_ma)->d_pmap;

	if (op->so_va % NBPDR != 0 || op->so_pa % NBPDR != 0)
		return (script_error(out,
		    "psind=1, expected address and frame to be multiples of "
		    "2 MB"));
	if (!script_run_full(s, op->so_pa))
		return (script_error(out,
		    "the run of %#jx is partial, expected a full one for "
		    "psind=1",
		    (uintmax_t)op->so_pa));
	if (!op->so_unmanaged && (op->so_prot & VM_PROT_WRITE) != 0 &&
	    op->so_access != VM_PROT_WRITE)
		return (script_error(
		    out, "psind=1 with w in prot=, expected access=w"));
	if (op->so_wired && version != PMAP_MAIN)
		return (script_error(out,
		    "psind=1 wired, which only main has, expected pmap=main"));
	return (0);
}

static int
settle(struct script *s, const struct script_op *op, vm_paddr_t pa,
    uint64_t npages, struct script_out *out)
{
	if (script_frames_settle(s, pa, npages, op->so_unmanaged))
		return (0);
	if (op->so_unmanaged)
		return (script_error(out,
		    "frame %#jx was used as managed, expected it to stay so",
		    (uintmax_t)pa));
	if (script_memory_of(s, pa) == NULL)
		return (script_error(out,
		    "frame %#jx is in no segment, expected unmanaged",
		    (uintmax_t)pa));
	return (script_error(out,
	    "frame %#jx was used as unmanaged, expected it to stay so",
	    (uintmax_t)pa));
}

static int
do_enter(struct script *s, struct pmap *pmap, const struct script_op *op,
    struct script_out *out)
{
	struct vm_page *m;
	int error = 0;

	if (op->so_super)
		error = check_super(s, op, out);
	if (error == 0)
		error =
		    settle(s, op, op->so_pa, op->so_super ? NPTEPG : 1, out);
	if (error != 0)
		return (error);
	m = script_any_frame(s, op->so_pa);
	if (m == NULL)
		return (ENOMEM);
	switch (pmap_enter(pmap, op->so_va, m, op->so_prot, enter_flags(op),
	    op->so_super ? 1 : 0)) {
	case KERN_SUCCESS:
		script_out_printf(out, "ok");
		return (0);
	case KERN_RESOURCE_SHORTAGE:
		script_out_printf(out, "shortage");
		return (0);
	default:
		script_out_printf(out, "failure");
		return (0);
	}
}

static int
do_enter_range(struct script *s, struct pmap *pmap, const struct script_op *op,
    struct script_out *out)
{
	uint64_t failure = 0, i, n, ok = 0, shortage = 0;
	struct vm_page *m;
	int error;

	n = (op->so_end - op->so_va) >> PAGE_SHIFT;
	if (op->so_pa + (op->so_end - op->so_va) > SCRIPT_PADDR_END)
		return (script_error(out,
		    "the frames end beyond %#jx, expected them to end before",
		    (uintmax_t)SCRIPT_PADDR_END));
	for (i = 0; i < n; i++) {
		/* All frames first: an error leaves nothing done. */
		error = settle(s, op, op->so_pa + i * PAGE_SIZE, 1, out);
		if (error != 0)
			return (error);
	}
	for (i = 0; i < n; i++) {
		m = script_any_frame(s, op->so_pa + i * PAGE_SIZE);
		if (m == NULL)
			return (ENOMEM);
		switch (pmap_enter(pmap, op->so_va + i * PAGE_SIZE, m,
		    op->so_prot, enter_flags(op), 0)) {
		case KERN_SUCCESS:
			ok++;
			break;
		case KERN_RESOURCE_SHORTAGE:
			shortage++;
			break;
		default:
			failure++;
			break;
		}
	}
	script_out_printf(out, "ok=%ju", (uintmax_t)ok);
	if (shortage != 0 || failure != 0)
		script_out_printf(out, " shortage=%ju failure=%ju",
		    (uintmax_t)shortage, (uintmax_t)failure);
	return (0);
}

static int
do_enter_quick(struct script *s, struct pmap *pmap, const struct script_op *op,
    struct script_out *out)
{
	int error = settle(s, op, op->so_pa, 1, out);

	if (error != 0)
		return (error);
	pmap_enter_quick(
	    pmap, op->so_va, script_frame(s, op->so_pa), op->so_prot);
	script_out_printf(out, "ok");
	return (0);
}

/*
 * Link the frames that are offered, those that exist, each at its place, as the
 * pages of an object are; or unlink them.  There is no object: an object gives up
 * no page that is mapped, and these are to stay mapped.  Returns the first.
 */
static struct vm_page *
link_frames(struct script *s, vm_paddr_t pa, uint64_t n, bool linked)
{
	struct vm_page *first = NULL, *last = NULL, *m;

	for (uint64_t i = 0; i < n; i++) {
		m = script_frame(s, pa + i * PAGE_SIZE);
		if (m == NULL)
			continue;
		m->pindex = linked ? i : 0;
		m->listq_next = NULL;
		if (last != NULL && linked)
			last->listq_next = m;
		if (first == NULL)
			first = m;
		last = m;
	}
	return (first);
}

static int
do_enter_object(struct script *s, struct pmap *pmap, const struct script_op *op,
    struct script_out *out)
{
	uint64_t i, n = (op->so_end - op->so_va) >> PAGE_SHIFT;
	struct vm_page *m;
	int error = 0;

	if (script_memory_of(s, op->so_pa) == NULL)
		return (script_error(out,
		    "frame %#jx is in no segment, expected one that exists",
		    (uintmax_t)op->so_pa));
	for (i = 0; i < n && error == 0; i++) {
		if (script_memory_of(s, op->so_pa + i * PAGE_SIZE) != NULL)
			error =
			    settle(s, op, op->so_pa + i * PAGE_SIZE, 1, out);
	}
	if (error != 0)
		return (error);
	m = link_frames(s, op->so_pa, n, true);
	if (m != NULL)
		pmap_enter_object(pmap, op->so_va, op->so_end, m, op->so_prot);
	(void)link_frames(s, op->so_pa, n, false);
	script_out_printf(out, "ok");
	return (0);
}

struct look {
	vm_offset_t start;
	vm_offset_t end;
	uint64_t leaves;
	vm_offset_t unwired; /* the first one, or UINT64_MAX */
};

static void
look_at_leaf(void *arg, vm_offset_t va, pt_entry_t entry, vm_size_t size)
{
	struct look *look = arg;

	if (va + size <= look->start || va >= look->end)
		return;
	look->leaves++;
	if ((entry & PG_W) == 0 && look->unwired == UINT64_MAX)
		look->unwired = va;
}

bool
script_map_empty(struct pmap *pmap)
{
	struct look look = { .end = VM_MAXUSER_ADDRESS };

	pmap_walk(pmap, look_at_leaf, &look);
	return (look.leaves == 0);
}

static int
do_unwire(struct pmap *pmap, const struct script_op *op, struct script_out *out)
{
	struct look look = {
		.start = op->so_va,
		.end = op->so_end,
		.unwired = UINT64_MAX,
	};

	pmap_walk(pmap, look_at_leaf, &look);
	if (look.unwired != UINT64_MAX)
		return (script_error(out,
		    "the mapping at %#jx is not wired, expected all to be",
		    (uintmax_t)look.unwired));
	pmap_unwire(pmap, op->so_va, op->so_end);
	script_out_printf(out, "ok");
	return (0);
}

static int
do_touch(struct pmap *pmap, const struct script_op *op, struct script_out *out)
{
	switch (mmu_touch(pmap, op->so_va, op->so_access)) {
	case MMU_OK:
		script_out_printf(out, "ok");
		return (0);
	case MMU_NOTPRESENT:
		script_out_printf(out, "fault notpresent");
		return (0);
	default:
		script_out_printf(out, "fault protection");
		return (0);
	}
}

static int
do_touch_range(
    struct pmap *pmap, const struct script_op *op, struct script_out *out)
{
	uint64_t fault = 0, ok = 0;
	vm_offset_t va;

	for (va = op->so_va; va < op->so_end; va += PAGE_SIZE) {
		if (mmu_touch(pmap, va, op->so_access) == MMU_OK)
			ok++;
		else
			fault++;
	}
	script_out_printf(
	    out, "ok=%ju fault=%ju", (uintmax_t)ok, (uintmax_t)fault);
	return (0);
}

int
script_do_map(struct script *s, struct pmap *pmap, const struct script_op *op,
    struct script_out *out)
{
	switch (op->so_code) {
	case SCRIPT_ENTER:
		return (do_enter(s, pmap, op, out));
	case SCRIPT_ENTER_RANGE:
		return (do_enter_range(s, pmap, op, out));
	case SCRIPT_ENTER_QUICK:
		return (do_enter_quick(s, pmap, op, out));
	case SCRIPT_ENTER_OBJECT:
		return (do_enter_object(s, pmap, op, out));
	case SCRIPT_UNWIRE:
		return (do_unwire(pmap, op, out));
	case SCRIPT_TOUCH:
		return (do_touch(pmap, op, out));
	case SCRIPT_TOUCH_RANGE:
		return (do_touch_range(pmap, op, out));
	case SCRIPT_REMOVE:
		pmap_remove(pmap, op->so_va, op->so_end);
		break;
	case SCRIPT_REMOVE_PAGES:
		pmap_remove_pages(pmap);
		break;
	case SCRIPT_PROTECT:
		pmap_protect(pmap, op->so_va, op->so_end, op->so_prot);
		break;
	default:
		pmap_advise(pmap, op->so_va, op->so_end,
		    op->so_free ? PMAP_ADVISE_FREE : PMAP_ADVISE_DONTNEED);
		break;
	}
	script_out_printf(out, "ok");
	return (0);
}

/*
 * 4 KB mappings that meet a superpage in the target are no error: whether the
 * copy gets that far is not known before, and ours is sound there.
 */
int
script_do_copy(struct pmap *dst, struct pmap *src, const struct script_op *op,
    struct script_out *out)
{
	if (dst == src)
		return (script_error(
		    out, "map %s onto itself, expected two", op->so_map));
	pmap_copy(dst, src, op->so_va, op->so_len, op->so_srcva);
	script_out_printf(out, "ok");
	return (0);
}
