/* SPDX-License-Identifier: BSD-2-Clause */
#include "micro.h"

#include <errno.h>
#include <stdlib.h>

#include "bench.h"
#include "pmapsim/machine.h"
#include "pmapsim/pmap.h"
#include "pmapsim/vm_phys.h"
#include "thread.h"

#define MICRO_VA (UINT64_C(1) << 33) /* any superpage boundary will do */

const char *const micro_keys[NMICRO_OPS] = {
#define MICRO_KEY(e, key, text) [e] = key,
	MICRO_LIST(MICRO_KEY)
#undef MICRO_KEY
};

struct micro {
	const struct micro_config *mi_config;
	const char *mi_design;
	struct micro_sample *mi_sample;
	struct machine *mi_machine;
	struct pmap *mi_pmap;
	struct pmap *mi_child; /* what copy copies to */
	struct vm_page **mi_pages;
	size_t mi_npages;
	vm_offset_t mi_end;
	enum kern_return mi_failed; /* the first failure */
	int mi_error;
	char *mi_err;
	size_t mi_errsize;
};

static int
kern_return_errno(enum kern_return rv)
{
	switch (rv) {
	case KERN_SUCCESS:
		return (0);
	case KERN_RESOURCE_SHORTAGE:
	case KERN_NO_SPACE:
		return (ENOMEM);
	case KERN_INVALID_ADDRESS:
		return (EFAULT);
	case KERN_PROTECTION_FAILURE:
		return (EACCES);
	case KERN_INVALID_ARGUMENT:
		return (EINVAL);
	case KERN_FAILURE:
		break;
	}
	return (ENOTRECOVERABLE);
}

static void
enter_all(struct micro *mi)
{
	vm_offset_t va = MICRO_VA;
	enum kern_return rv;

	for (size_t i = 0; i < mi->mi_npages; i++, va += PAGE_SIZE) {
		rv = pmap_enter(mi->mi_pmap, va, mi->mi_pages[i],
		    VM_PROT_READ | VM_PROT_WRITE, VM_PROT_READ | VM_PROT_WRITE,
		    0);
		if (rv != KERN_SUCCESS)
			mi->mi_failed = rv;
	}
}

/* An operation that left work out would be fast. */
static void
expect_mapped(struct micro *mi, struct pmap *pmap)
{
	if (pmap_resident_count(pmap) <= mi->mi_npages)
		mi->mi_failed = KERN_FAILURE;
}

/* One round of an operation.  Returns the nanoseconds that count. */
static uint64_t
micro_round(struct micro *mi, enum micro_op op)
{
	struct pmap *pmap = mi->mi_pmap;
	uint64_t t0, t1;

	t0 = bench_clock_ns();
	enter_all(mi);
	t1 = bench_clock_ns();
	/* Of enter + remove the clock is running. */
	if (op != MICRO_ENTER_REMOVE)
		expect_mapped(mi, pmap);
	switch (op) {
	case MICRO_ENTER_REMOVE:
		pmap_remove(pmap, MICRO_VA, mi->mi_end);
		return (bench_clock_ns() - t0);
	case MICRO_REENTER:
		t0 = t1;
		enter_all(mi);
		t1 = bench_clock_ns();
		break;
	case MICRO_PROTECT:
		t0 = t1;
		pmap_protect(pmap, MICRO_VA, mi->mi_end, VM_PROT_READ);
		t1 = bench_clock_ns();
		break;
	case MICRO_COPY:
		t0 = t1;
		pmap_copy(mi->mi_child, pmap, MICRO_VA, mi->mi_end - MICRO_VA,
		    MICRO_VA);
		t1 = bench_clock_ns();
		expect_mapped(mi, mi->mi_child);
		pmap_remove_pages(mi->mi_child);
		break;
	default:
		break;
	}
	if (op == MICRO_REMOVE_PAGES)
		t0 = t1;
	pmap_remove_pages(pmap);
	if (op == MICRO_REMOVE_PAGES)
		t1 = bench_clock_ns();
	return (t1 - t0);
}

static int
micro_fail(struct micro *mi, int error, const char *what)
{
	(void)snprintf(mi->mi_err, mi->mi_errsize, "%s", what);
	return (error);
}

static int
micro_op_run(struct micro *mi, enum micro_op op)
{
	uint64_t goal = mi->mi_config->mc_sample_ns, ns = 0, rounds = 0;

	/* The first rounds fault simulated memory in and warm the caches. */
	for (unsigned i = 0; i < 3 || ns < goal / 10; i++)
		ns += micro_round(mi, op) + 1;
	ns = 0;
	while (ns < goal) {
		ns += micro_round(mi, op) + 1;
		rounds++;
		if (bench_stopped())
			return (micro_fail(mi, EINTR, "interrupted"));
		if (mi->mi_failed != KERN_SUCCESS)
			return (micro_fail(mi, kern_return_errno(mi->mi_failed),
			    mi->mi_failed == KERN_RESOURCE_SHORTAGE
				? "the simulated machine has no page left"
				: "an operation did not do its work"));
	}
	mi->mi_sample->ms_ns[op] =
	    (double)(ns - rounds) / (double)(rounds * mi->mi_npages);
	return (0);
}

static int
micro_setup(struct micro *mi)
{
	mi->mi_pages =
	    bench_calloc(mi->mi_config->mc_pages, sizeof(mi->mi_pages[0]));
	while (mi->mi_npages < mi->mi_config->mc_pages) {
		struct vm_page *m = vm_phys_page_alloc(mi->mi_machine, 0, 0);

		if (m == NULL)
			return (micro_fail(
			    mi, ENOMEM, "the memory map has too few pages"));
		mi->mi_pages[mi->mi_npages++] = m;
	}
	mi->mi_end = MICRO_VA + mi->mi_npages * PAGE_SIZE;
	mi->mi_pmap = pmap_alloc(mi->mi_machine);
	if (mi->mi_pmap != NULL && pmap_pinit(mi->mi_pmap) != KERN_SUCCESS) {
		pmap_free(mi->mi_pmap);
		mi->mi_pmap = NULL;
	}
	mi->mi_child = mi->mi_pmap != NULL ? pmap_alloc(mi->mi_machine) : NULL;
	if (mi->mi_child != NULL && pmap_pinit(mi->mi_child) != KERN_SUCCESS) {
		pmap_free(mi->mi_child);
		mi->mi_child = NULL;
	}
	if (mi->mi_child == NULL)
		return (micro_fail(mi, ENOMEM, "no memory for a pmap"));
	return (0);
}

static void
micro_release(struct pmap *pmap)
{
	if (pmap == NULL)
		return;
	pmap_remove_pages(pmap);
	pmap_release(pmap);
	pmap_free(pmap);
}

static void
micro_teardown(struct micro *mi)
{
	micro_release(mi->mi_child);
	micro_release(mi->mi_pmap);
	while (mi->mi_npages > 0)
		vm_phys_page_free(
		    mi->mi_machine, mi->mi_pages[--mi->mi_npages], 0);
	free(mi->mi_pages);
}

static void
micro_main(void *arg)
{
	struct micro *mi = arg;
	int error;

	error = machine_thread_attach(mi->mi_machine, 0);
	if (error != 0) {
		mi->mi_error = micro_fail(mi, error, "out of memory");
		return;
	}
	error = micro_setup(mi);
	for (unsigned op = 0; op < MICRO_SUPER && error == 0; op++)
		error = micro_op_run(mi, (enum micro_op)op);
	if (error == 0) {
		error = micro_super_run(mi->mi_machine, mi->mi_pmap,
		    mi->mi_child, mi->mi_config->mc_sample_ns, mi->mi_sample);
		if (error != 0)
			(void)micro_fail(mi, error,
			    error == EINTR ? "interrupted"
				: error == ENOMEM
				? "the memory map has too few superpages"
				: "an operation on superpages did not do its "
				  "work");
	}
	micro_teardown(mi);
	if (error == 0 && machine_check(mi->mi_machine, stderr) != 0)
		error = micro_fail(
		    mi, ENOTRECOVERABLE, "the checker found violations");
	machine_thread_detach(mi->mi_machine);
	mi->mi_error = error;
}

int
micro_run(const struct micro_config *mc, const char *design,
    struct micro_sample *ms, char *err, size_t errsize)
{
	const struct machine_config config = {
		.mc_map = mc->mc_map,
		.mc_design = design,
		.mc_ncpus = 1,
	};
	struct micro mi = {
		.mi_config = mc,
		.mi_design = design,
		.mi_sample = ms,
		.mi_err = err,
		.mi_errsize = errsize,
	};
	struct bench_thread bt;
	int error;

	error = machine_create(&config, &mi.mi_machine, err, errsize);
	if (error != 0)
		return (error);
	error = bench_thread_start(&bt, mc->mc_hostcpu, micro_main, &mi);
	if (error == 0) {
		bench_thread_join(&bt);
		error = mi.mi_error;
	} else {
		(void)micro_fail(&mi, error, "cannot start a thread");
	}
	if (machine_destroy(mi.mi_machine, stderr) != 0 && error == 0)
		error = micro_fail(
		    &mi, ENOTRECOVERABLE, "the machine leaked memory");
	return (error);
}
