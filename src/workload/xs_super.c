/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Superpages that come and go while others look: a page is where it was, by 4 KB
 * or by 2 MB, whoever asks and when; and a scan of its mappings misses none of
 * them, though they move from one list to the other.
 */

#include "workload/xs_list.h"
#include "workload/xs_space.h"

static const char *const designs[] = { "sparse/gen2", "hashed/mtx8+locks=1",
	"sparse/gen1", "segment/rwlock", NULL };
static const char *const tlb_designs[] = { "sparse/gen2+tlb=adversarial",
	"sparse/mtx8+tlb=assoc+di=mutex", NULL };

#define LAST     (NPTEPG - 1)
#define VA_OF(i) (XS_VA + (vm_offset_t)(i)*PAGE_SIZE)
/* The page that is looked at, and the one that is written to. */
#define SEEN 7
#define USED 9

static void
setup(struct xs_run *run)
{
	struct xs_spaces *sp = xs_spaces_alloc(run, sizeof(*sp));

	sp->sp_run = xs_pages(run, VM_LEVEL_0_ORDER);
}

static const struct xs_kind supers = {
	.xk_designs = designs,
	.xk_map = XS_MAP_8MB,
	.xk_setup = setup,
	.xk_teardown = xs_spaces_end,
};

static const struct xs_kind tlb_supers = {
	.xk_designs = tlb_designs,
	.xk_map = XS_MAP_8MB,
	.xk_setup = setup,
	.xk_teardown = xs_spaces_end,
};

/* One page is missing: that it is a superpage. */
static void
setup_promote(struct xs_run *run)
{
	const struct xs_spaces *sp = run->xr_state;

	xs_fill(run, sp->sp_p, XS_VA, sp->sp_run, XS_RW);
	xs_enter(run, sp->sp_q, VA_OF(SEEN), &sp->sp_run[SEEN], XS_RW, XS_RW);
	pmap_activate(sp->sp_p, 2);
}

static void
setup_demote(struct xs_run *run)
{
	const struct xs_spaces *sp = run->xr_state;

	xs_enter_super(run, sp->sp_p, XS_VA, sp->sp_run, XS_RW);
	xs_enter_super(run, sp->sp_q, XS_VA, sp->sp_run, XS_RW);
	pmap_activate(sp->sp_p, 2);
}

/* It is mapped all the time. */
static void
look(struct xs_run *run, unsigned n)
{
	struct xs_spaces *sp = run->xr_state;
	struct vm_page *m = &sp->sp_run[n];

	if (pmap_extract(sp->sp_p, VA_OF(n) + 5) != VM_PAGE_TO_PHYS(m) + 5)
		xs_fail(run, "page %u is not where it is mapped", n);
	if (pmap_extract_and_hold(sp->sp_p, VA_OF(n), XS_W) != m)
		xs_fail(run, "page %u cannot be held", n);
	else
		vm_page_unhold(m);
	if ((pmap_mincore(sp->sp_p, VA_OF(n), &(vm_paddr_t){ 0 }) &
		MINCORE_INCORE) == 0)
		xs_fail(run, "page %u is not in core", n);
	if (!pmap_page_is_mapped(run->xr_machine, m))
		xs_fail(run, "page %u has no mapping", n);
}

/* So is the page that a CPU writes to. */
static void
use(struct xs_run *run, unsigned cpu)
{
	const struct xs_spaces *sp = run->xr_state;
	vm_paddr_t pa;

	if (mmu_access(run->xr_machine, cpu, VA_OF(USED), XS_W, &pa) !=
		MMU_OK ||
	    pa != VM_PAGE_TO_PHYS(&sp->sp_run[USED]))
		xs_fail(run, "a mapped page faults");
}

static void
promote(struct xs_run *run)
{
	struct xs_spaces *sp = run->xr_state;

	xs_enter(run, sp->sp_p, VA_OF(LAST), &sp->sp_run[LAST], XS_RW, XS_RW);
}

static void
body_promote_look(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0) {
		promote(run);
	} else if (i == 1) {
		look(run, SEEN);
		if (!pmap_is_referenced(run->xr_machine, &sp->sp_run[SEEN]))
			xs_fail(run, "a reference is lost");
	} else {
		use(run, i);
	}
}

static void
check_promoted(struct xs_run *run)
{
	struct xs_spaces *sp = run->xr_state;

	if ((pmap_mincore(sp->sp_p, XS_VA, &(vm_paddr_t){ 0 }) &
		MINCORE_SUPER) == 0)
		xs_fail(run, "it was not promoted");
}

const struct xs_scenario xs_promote_look = {
	.xs_name = "promote-look",
	.xs_descr = "pages are looked up while they become a superpage",
	.xs_threads = 3,
	.xs_kind = &tlb_supers,
	.xs_setup = setup_promote,
	.xs_body = body_promote_look,
	.xs_check = check_promoted,
};

static void
body_promote_scan(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0)
		promote(run);
	else if (i == 1)
		xs_freeze(run, &sp->sp_run[SEEN]);
	else
		pmap_protect(sp->sp_q, XS_VA, XS_VA + NBPDR, XS_R);
}

static void
check_clean(struct xs_run *run)
{
	struct xs_spaces *sp = run->xr_state;

	if (pmap_extract_and_hold(sp->sp_p, VA_OF(SEEN), XS_W) != NULL)
		xs_fail(run, "a mapping was missed");
}

const struct xs_scenario xs_promote_scan = {
	.xs_name = "promote-scan",
	.xs_descr = "pmap_remove_write() of a page that is promoted",
	.xs_threads = 3,
	.xs_kind = &supers,
	.xs_setup = setup_promote,
	.xs_body = body_promote_scan,
	.xs_check = check_clean,
};

static void
body_demote_scan(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0)
		pmap_remove(sp->sp_p, XS_VA, VA_OF(1));
	else if (i == 1)
		xs_freeze(run, &sp->sp_run[SEEN]);
	else
		(void)pmap_ts_referenced(run->xr_machine, &sp->sp_run[USED]);
}

const struct xs_scenario xs_demote_scan = {
	.xs_name = "demote-scan",
	.xs_descr = "two split a superpage for different pages of it",
	.xs_threads = 3,
	.xs_kind = &supers,
	.xs_setup = setup_demote,
	.xs_body = body_demote_scan,
	.xs_check = check_clean,
};

static void
body_demote_look(struct xs_run *run, unsigned i)
{
	struct xs_spaces *sp = run->xr_state;

	if (i == 0)
		pmap_protect(sp->sp_p, XS_VA, VA_OF(1), XS_R);
	else if (i == 1)
		look(run, SEEN);
	else
		use(run, i);
}

const struct xs_scenario xs_demote_look = {
	.xs_name = "demote-look",
	.xs_descr = "pages are looked up while their superpage is split",
	.xs_threads = 3,
	.xs_kind = &tlb_supers,
	.xs_setup = setup_demote,
	.xs_body = body_demote_look,
};
