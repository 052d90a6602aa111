/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Superpages that come and go while others look: a page is where it was, by 4 KB
 * or by 2 MB, whoever asks and when; and a scan of its mappings misses none of
 * them, though they move from one list to the other.
 */

#include "workload/xs_list.h"
#include "workload/xs_util.h"

static const char *const designs[] = { "sparse/gen2", "hashed/mtx8+locks=1",
	"sparse/gen1", "segment/rwlock", NULL };
static const char *const tlb_designs[] = { "sparse/gen2+tlb=adversarial",
	"sparse/mtx8+tlb=assoc+di=mutex", NULL };

#define MAP      "0-800000 usable 0\n"
#define LAST     (NPTEPG - 1)
#define VA_OF(i) (XS_VA + (vm_offset_t)(i)*PAGE_SIZE)
/* The page that is looked at. */
#define SEEN 7

struct super {
	struct pmap *su_p;
	struct pmap *su_q;
	struct vm_page *su_run;
};

static struct super *
setup_pmaps(struct xs_run *run)
{
	struct super *su = xs_alloc(run, sizeof(*su));

	su->su_p = xs_pmap(run);
	su->su_q = xs_pmap(run);
	su->su_run = xs_pages(run, VM_LEVEL_0_ORDER);
	run->xr_state = su;
	return (su);
}

/* One page is missing: that it is a superpage. */
static void
setup_promote(struct xs_run *run)
{
	struct super *su = setup_pmaps(run);

	xs_fill(run, su->su_p, XS_VA, su->su_run, XS_RW);
	xs_enter(run, su->su_q, VA_OF(SEEN), &su->su_run[SEEN], XS_RW, XS_RW);
	pmap_activate(su->su_p, 2);
}

static void
setup_demote(struct xs_run *run)
{
	struct super *su = setup_pmaps(run);

	xs_enter_super(run, su->su_p, XS_VA, su->su_run, XS_RW);
	xs_enter_super(run, su->su_q, XS_VA, su->su_run, XS_RW);
	pmap_activate(su->su_p, 2);
}

static void
teardown(struct xs_run *run)
{
	struct super *su = run->xr_state;

	pmap_deactivate(run->xr_machine, 2);
	pmap_remove(su->su_p, 0, VM_MAXUSER_ADDRESS);
	pmap_remove(su->su_q, 0, VM_MAXUSER_ADDRESS);
	xs_pmap_free(su->su_p);
	xs_pmap_free(su->su_q);
	xs_pages_free(run, su->su_run, VM_LEVEL_0_ORDER);
}

/* It is mapped all the time. */
static void
look(struct xs_run *run, unsigned n)
{
	struct super *su = run->xr_state;
	struct vm_page *m = &su->su_run[n];

	if (pmap_extract(su->su_p, VA_OF(n) + 5) != VM_PAGE_TO_PHYS(m) + 5)
		xs_fail(run, "page %u is not where it is mapped", n);
	if (pmap_extract_and_hold(su->su_p, VA_OF(n), XS_W) != m)
		xs_fail(run, "page %u cannot be held", n);
	else
		vm_page_unhold(m);
	if ((pmap_mincore(su->su_p, VA_OF(n), &(vm_paddr_t){ 0 }) &
		MINCORE_INCORE) == 0)
		xs_fail(run, "page %u is not in core", n);
	if (!pmap_page_is_mapped(run->xr_machine, m))
		xs_fail(run, "page %u has no mapping", n);
}

static void
promote(struct xs_run *run)
{
	struct super *su = run->xr_state;

	xs_enter(run, su->su_p, VA_OF(LAST), &su->su_run[LAST], XS_RW, XS_RW);
}

static void
body_promote_look(struct xs_run *run, unsigned i)
{
	struct super *su = run->xr_state;
	vm_paddr_t pa;

	if (i == 0) {
		promote(run);
	} else if (i == 1) {
		look(run, SEEN);
		if (!pmap_is_referenced(run->xr_machine, &su->su_run[SEEN]))
			xs_fail(run, "a reference is lost");
	} else if (mmu_access(run->xr_machine, 2, VA_OF(9), XS_W, &pa) !=
		MMU_OK ||
	    pa != VM_PAGE_TO_PHYS(&su->su_run[9])) {
		xs_fail(run, "a mapped page faults");
	}
}

static void
check_promoted(struct xs_run *run)
{
	struct super *su = run->xr_state;

	if ((pmap_mincore(su->su_p, XS_VA, &(vm_paddr_t){ 0 }) &
		MINCORE_SUPER) == 0)
		xs_fail(run, "it was not promoted");
}

const struct xs_scenario xs_promote_look = {
	.xs_name = "promote-look",
	.xs_descr = "pages are looked up while they become a superpage",
	.xs_threads = 3,
	.xs_designs = tlb_designs,
	.xs_map = MAP,
	.xs_setup = setup_promote,
	.xs_body = body_promote_look,
	.xs_check = check_promoted,
	.xs_teardown = teardown,
};

/* Nobody makes a mapping of the page, so none is left that can be written. */
static void
clean(struct xs_run *run, struct vm_page *m)
{
	pmap_remove_write(run->xr_machine, m);
	if (pmap_is_modified(run->xr_machine, m))
		xs_fail(run, "a page is modified that nobody may write");
}

static void
body_promote_scan(struct xs_run *run, unsigned i)
{
	struct super *su = run->xr_state;

	if (i == 0)
		promote(run);
	else if (i == 1)
		clean(run, &su->su_run[SEEN]);
	else
		pmap_protect(su->su_q, XS_VA, XS_VA + NBPDR, XS_R);
}

static void
check_clean(struct xs_run *run)
{
	struct super *su = run->xr_state;

	if (pmap_extract_and_hold(su->su_p, VA_OF(SEEN), XS_W) != NULL)
		xs_fail(run, "a mapping was missed");
}

const struct xs_scenario xs_promote_scan = {
	.xs_name = "promote-scan",
	.xs_descr = "pmap_remove_write() of a page that is promoted",
	.xs_threads = 3,
	.xs_designs = designs,
	.xs_map = MAP,
	.xs_setup = setup_promote,
	.xs_body = body_promote_scan,
	.xs_check = check_clean,
	.xs_teardown = teardown,
};

static void
body_demote_scan(struct xs_run *run, unsigned i)
{
	struct super *su = run->xr_state;

	if (i == 0)
		pmap_remove(su->su_p, XS_VA, VA_OF(1));
	else if (i == 1)
		clean(run, &su->su_run[SEEN]);
	else
		(void)pmap_ts_referenced(run->xr_machine, &su->su_run[9]);
}

const struct xs_scenario xs_demote_scan = {
	.xs_name = "demote-scan",
	.xs_descr = "two split a superpage for different pages of it",
	.xs_threads = 3,
	.xs_designs = designs,
	.xs_map = MAP,
	.xs_setup = setup_demote,
	.xs_body = body_demote_scan,
	.xs_check = check_clean,
	.xs_teardown = teardown,
};

static void
body_demote_look(struct xs_run *run, unsigned i)
{
	struct super *su = run->xr_state;
	vm_paddr_t pa;

	if (i == 0) {
		pmap_protect(su->su_p, XS_VA, VA_OF(1), XS_R);
	} else if (i == 1) {
		look(run, SEEN);
	} else if (mmu_access(run->xr_machine, 2, VA_OF(9), XS_W, &pa) !=
		MMU_OK ||
	    pa != VM_PAGE_TO_PHYS(&su->su_run[9])) {
		xs_fail(run, "a mapped page faults");
	}
}

const struct xs_scenario xs_demote_look = {
	.xs_name = "demote-look",
	.xs_descr = "pages are looked up while their superpage is split",
	.xs_threads = 3,
	.xs_designs = tlb_designs,
	.xs_map = MAP,
	.xs_setup = setup_demote,
	.xs_body = body_demote_look,
	.xs_teardown = teardown,
};
