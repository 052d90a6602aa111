/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Built against the installed library only: what is not in <pmapsim/...> does
 * not exist for it.  Also the example of a lock that a program brings along: a
 * ticket lock, 8 bytes, on the pv lists of a machine, under a workload.
 */

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <pmapsim/build.h>
#include <pmapsim/machine.h>
#include <pmapsim/pmap.h>
#include <pmapsim/vm_phys.h>
#include <pmapsim/workload.h>

/* The lock, from here ... */
struct ticket {
	_Atomic uint32_t t_next;
	_Atomic uint32_t t_serving;
};

static void
ticket_lock(void *word)
{
	struct ticket *t = word;
	/* Relaxed: taking a number orders nothing. */
	uint32_t me =
	    atomic_fetch_add_explicit(&t->t_next, 1, memory_order_relaxed);

	/* Acquire: pairs with the release in ticket_unlock(). */
	while (atomic_load_explicit(&t->t_serving, memory_order_acquire) != me)
		(void)sched_yield();
}

static bool
ticket_trylock(void *word)
{
	struct ticket *t = word;
	/* Acquire: as above. */
	uint32_t s = atomic_load_explicit(&t->t_serving, memory_order_acquire);

	/* Relaxed: the load above has the order. */
	return (atomic_compare_exchange_strong_explicit(
	    &t->t_next, &s, s + 1, memory_order_relaxed, memory_order_relaxed));
}

static void
ticket_unlock(void *word, bool modified)
{
	struct ticket *t = word;
	/* Relaxed: only the holder writes it. */
	uint32_t s = atomic_load_explicit(&t->t_serving, memory_order_relaxed);

	(void)modified;
	/* Release: to the next number. */
	atomic_store_explicit(&t->t_serving, s + 1, memory_order_release);
}

static const struct pv_lock_ops ticket_ops = {
	.plo_name = "ticket",
	.plo_descr = "a fair ticket lock",
	.plo_size = sizeof(struct ticket),
	.plo_flags = PLO_ZEROINIT | PLO_FAIR | PLO_SPIN,
	.plo_lock = ticket_lock,
	.plo_trylock = ticket_trylock,
	.plo_unlock = ticket_unlock,
};
/* ... to here. */

static const char map_text[] = "0-a0000 usable 0\n"
			       "100000-10000000 usable 0\n";

/* Map a page, look, remove it.  Returns what is wrong, or NULL. */
static const char *
map_one(struct machine *m)
{
	const vm_offset_t va = 0x400000;
	const char *wrong = NULL;
	struct vm_page *page = vm_phys_page_alloc(m, -1, 0);
	struct pmap *pmap = pmap_alloc(m);

	if (page == NULL || pmap == NULL || pmap_pinit(pmap) != KERN_SUCCESS)
		return ("no memory");
	if (pmap_enter(pmap, va, page, VM_PROT_READ, VM_PROT_READ, 0) !=
	    KERN_SUCCESS)
		wrong = "pmap_enter";
	else if (pmap_extract(pmap, va) != VM_PAGE_TO_PHYS(page) ||
	    vm_phys_paddr_to_vm_page(m, VM_PAGE_TO_PHYS(page)) != page)
		wrong = "pmap_extract";
	pmap_remove_pages(pmap);
	pmap_release(pmap);
	pmap_free(pmap);
	vm_phys_page_free(m, page, 0);
	if (machine_check(m, stderr) != 0)
		wrong = "machine_check";
	return (wrong);
}

static int
run(struct machine *m)
{
	const struct workload_config wc = {
		.wc_name = "exec_exit",
		.wc_threads = 2,
		.wc_seed = 1,
		.wc_rounds = 20,
	};
	struct workload_result wr;
	const char *wrong;
	char err[200];
	int error;

	if (machine_thread_attach(m, 0) != 0)
		return (1);
	wrong = map_one(m);
	machine_thread_detach(m);
	if (wrong != NULL) {
		fprintf(stderr, "consumer: %s\n", wrong);
		return (1);
	}
	error = workload_run(m, &wc, &wr, err, sizeof(err));
	if (error != 0) {
		fprintf(stderr, "consumer: %s\n", err);
		return (1);
	}
	if (wr.wr_void[0] != '\0') {
		fprintf(stderr, "consumer: void: %s\n", wr.wr_void);
		error = 1;
	}
	printf("%ju mappings made and removed under lock \"ticket\"\n",
	    (uintmax_t)wr.wr_ops);
	workload_result_free(&wr);
	return (error);
}

int
main(void)
{
	const struct pv_lock_ops *const locks[] = { &ticket_ops, NULL };
	struct machine_config mc = {
		.mc_design = "sparse/ticket+batch",
		.mc_locks = locks,
		.mc_ncpus = 2,
	};
	struct memmap_error me;
	struct memmap *mm;
	struct machine *m;
	char err[200];
	int error;

	printf("pmapsim %s, built by %s%s\n", pmapsim_version(),
	    pmapsim_compiler(),
	    pmapsim_invariants() ? ", with invariants" : "");
	if (memmap_parse("example", map_text, strlen(map_text), &mm, &me) !=
	    0) {
		fprintf(
		    stderr, "consumer: line %u: %s\n", me.me_line, me.me_text);
		return (1);
	}
	mc.mc_map = mm;
	error = machine_create(&mc, &m, err, sizeof(err));
	memmap_free(mm);
	if (error != 0) {
		fprintf(stderr, "consumer: %s\n", err);
		return (1);
	}
	error = run(m);
	if (machine_destroy(m, stderr) != 0)
		error = 1;
	return (error);
}
