/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What 2 MB mappings cost, what it costs that they come and go, and, beside them,
 * the same operations on as many mappings of 4 KB.
 *
 * As in micro.c a round makes mappings, does one operation to all of them, which
 * is timed, and takes them away.  The mappings are of a few whole runs of 512
 * pages; the figures are a page of 4 KB, so that they can be compared.  Promotion
 * is what the 512th mapping costs, of which entering it is a hundredth; demotion is
 * the removal of one page in 512.
 */

#include <errno.h>
#include <math.h>

#include "bench.h"
#include "micro.h"
#include "pmap/pmap_var.h"
#include "pmapsim/vm_phys.h"

#define NRUNS     4u
#define RUN       512u
#define RUN_BYTES (UINT64_C(1) << 21)
#define SUPER_VA  (UINT64_C(1) << 33)
#define RW        (VM_PROT_READ | VM_PROT_WRITE)

struct super {
	struct machine *su_machine;
	struct pmap *su_pmap;
	struct pmap *su_child;
	struct vm_page *su_runs[NRUNS]; /* first pages */
	bool su_failed;
};

/* What is done to run r at va. */
typedef void step_fn(struct super *su, unsigned r, vm_offset_t va);

static void
enter(struct super *su, vm_offset_t va, struct vm_page *m, int psind)
{
	if (pmap_enter(su->su_pmap, va, m, RW, VM_PROT_WRITE, psind) !=
	    KERN_SUCCESS)
		su->su_failed = true;
}

/* All but the last page. */
static void
fill(struct super *su, unsigned r, vm_offset_t va)
{
	for (unsigned i = 0; i < RUN - 1; i++)
		enter(su, va + i * PAGE_SIZE, su->su_runs[r] + i, 0);
}

static void
fill_last(struct super *su, unsigned r, vm_offset_t va)
{
	enter(su, va + (RUN - 1) * PAGE_SIZE, su->su_runs[r] + RUN - 1, 0);
}

static void
enter_2mb(struct super *su, unsigned r, vm_offset_t va)
{
	enter(su, va, su->su_runs[r], 1);
}

static void
object_2mb(struct super *su, unsigned r, vm_offset_t va)
{
	pmap_enter_object(
	    su->su_pmap, va, va + RUN_BYTES, su->su_runs[r], VM_PROT_READ);
}

/* Not from the run's first page: by 4 KB. */
static void
object_4kb(struct super *su, unsigned r, vm_offset_t va)
{
	pmap_enter_object(su->su_pmap, va + PAGE_SIZE, va + RUN_BYTES,
	    su->su_runs[r] + 1, VM_PROT_READ);
}

static void
remove_first(struct super *su, unsigned r, vm_offset_t va)
{
	(void)r;
	pmap_remove(su->su_pmap, va, va + PAGE_SIZE);
}

static void
remove_run(struct super *su, unsigned r, vm_offset_t va)
{
	(void)r;
	pmap_remove(su->su_pmap, va, va + RUN_BYTES);
}

static void
protect_run(struct super *su, unsigned r, vm_offset_t va)
{
	(void)r;
	pmap_protect(su->su_pmap, va, va + RUN_BYTES, VM_PROT_READ);
}

static void
copy_run(struct super *su, unsigned r, vm_offset_t va)
{
	(void)r;
	pmap_copy(su->su_child, su->su_pmap, va, RUN_BYTES, va);
}

/* All runs at once. */
static void
exit_all(struct super *su, unsigned r, vm_offset_t va)
{
	(void)va;
	if (r == 0)
		pmap_remove_pages(su->su_pmap);
}

static const struct super_op {
	enum micro_op so_op;
	step_fn *so_before;
	step_fn *so_timed;
	uint64_t so_npages;    /* mapped after that, in each run */
	uint64_t so_nchildren; /* in the child */
	bool so_2mb;           /* wants superpages */
} super_ops[] = {
	{ MICRO_OBJECT, NULL, object_4kb, RUN - 1, 0, false },
	{ MICRO_REMOVE, fill, remove_run, 0, 0, false },
	{ MICRO_PROMOTE, fill, fill_last, RUN, 0, true },
	{ MICRO_DEMOTE, enter_2mb, remove_first, RUN - 1, 0, true },
	{ MICRO_2MB_ENTER, NULL, enter_2mb, RUN, 0, true },
	{ MICRO_2MB_OBJECT, NULL, object_2mb, RUN, 0, true },
	{ MICRO_2MB_PROTECT, enter_2mb, protect_run, RUN, 0, true },
	{ MICRO_2MB_COPY, enter_2mb, copy_run, RUN, RUN, true },
	{ MICRO_2MB_REMOVE, enter_2mb, remove_run, 0, 0, true },
	{ MICRO_2MB_EXIT, enter_2mb, exit_all, 0, 0, true },
};

static void
for_each_run(struct super *su, step_fn *fn)
{
	for (unsigned r = 0; fn != NULL && r < NRUNS; r++)
		fn(su, r, SUPER_VA + r * RUN_BYTES);
}

/* Page tables are resident, too: at most one and a saved one for each run. */
static bool
has_mapped(struct pmap *pmap, uint64_t npages)
{
	uint64_t n = pmap_resident_count(pmap);

	return (n >= npages && n <= npages + 2 * NRUNS + 3);
}

static uint64_t
super_round(struct super *su, const struct super_op *so)
{
	uint64_t t0, t1;

	for_each_run(su, so->so_before);
	t0 = bench_clock_ns();
	for_each_run(su, so->so_timed);
	t1 = bench_clock_ns();
	/* An operation that left work out would be fast. */
	if (!has_mapped(su->su_pmap, so->so_npages * NRUNS) ||
	    !has_mapped(su->su_child, so->so_nchildren * NRUNS))
		su->su_failed = true;
	pmap_remove_pages(su->su_child);
	pmap_remove_pages(su->su_pmap);
	return (t1 - t0);
}

static int
super_measure(struct super *su, uint64_t goal, struct micro_sample *ms)
{
	const struct super_op *so;
	uint64_t ns, rounds;

	for (so = super_ops;
	     so < super_ops + sizeof(super_ops) / sizeof(super_ops[0]); so++) {
		/* A design without superpages has those by 4 KB only. */
		if (so->so_2mb && !su->su_machine->ma_superpages)
			continue;
		/* The first rounds warm up. */
		for (unsigned i = 0; i < 3; i++)
			(void)super_round(su, so);
		for (ns = rounds = 0; ns < goal && !su->su_failed; rounds++) {
			/* What is before it is not timed, and takes longer. */
			if (rounds >= goal / 100000 && ns > 0)
				break;
			ns += super_round(su, so);
			if (bench_stopped())
				return (EINTR);
		}
		if (su->su_failed)
			return (ENOTRECOVERABLE);
		ms->ms_ns[so->so_op] =
		    (double)ns / (double)(rounds * NRUNS * RUN);
	}
	return (0);
}

static int
super_setup(struct super *su)
{
	struct vm_page *m;

	for (unsigned r = 0; r < NRUNS; r++) {
		m = vm_phys_page_alloc(su->su_machine, 0, VM_LEVEL_0_ORDER);
		if (m == NULL)
			return (ENOMEM);
		su->su_runs[r] = m;
		/* As the pages of an object are: by index, one after the other. */
		for (unsigned i = 0; i < RUN; i++) {
			m[i].pindex = i;
			m[i].listq_next = i + 1 < RUN ? &m[i + 1] : NULL;
		}
	}
	return (0);
}

static void
super_teardown(struct super *su)
{
	struct vm_page *m;

	for (unsigned r = NRUNS; r-- > 0;) {
		m = su->su_runs[r];
		if (m == NULL)
			continue;
		for (unsigned i = 0; i < RUN; i++) {
			m[i].pindex = 0;
			m[i].listq_next = NULL;
		}
		vm_phys_page_free(su->su_machine, m, VM_LEVEL_0_ORDER);
	}
}

int
micro_super_run(struct machine *ma, struct pmap *pmap, struct pmap *child,
    uint64_t sample_ns, struct micro_sample *ms)
{
	struct super su = {
		.su_machine = ma,
		.su_pmap = pmap,
		.su_child = child,
	};
	int error;

	for (unsigned op = MICRO_SUPER; op < NMICRO_OPS; op++)
		ms->ms_ns[op] = NAN;
	error = super_setup(&su);
	if (error == 0)
		error = super_measure(&su, sample_ns, ms);
	super_teardown(&su);
	return (error);
}
