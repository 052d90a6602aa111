/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * poudriere: a package build.  Each thread has a builder (wl_builder.c), in one of
 * two stages for all of a run, which is short beside them: configure or make.
 *
 * Jails.  Builders of one jail share each file, those of different jails none:
 * thread t is in jail t modulo the number of copies.
 *
 * User time.  On the virtual machine it passes by sim_charge().  In real mode
 * it takes no time at all, so that threads do nothing but what is measured; or,
 * with --spin 1, the thread looks at the clock until it has passed.
 *
 * Migration.  A process that is started, and one that goes on when its child has
 * ended, may be given to another CPU than the last one: its page tables, pv
 * entries and pages are in the caches, perhaps in the domain, of the old one, and
 * pages that are freed return to another domain than the thread's own.  Here a
 * thread then exchanges its builder for one that waits to be run; there is one of
 * those for 8 threads.  Which thread gets which depends on time, so that in real
 * mode no two runs are alike.
 *
 * A round is a slice: 32 events, or 0.2 ms of user time, at most.
 *
 * Parameters, all that the statistics leave open, with range and default.
 *	text-copies   1 to 1024 (20)	jails: one file system of its own for each
 *			of so many groups of builders
 *	configure-pct 1 to 100 (62)	builders in configure.  Measured: 21.4 s
 *			for the configure run of one package, 12.9 CPU seconds
 *			to make one
 *	gcc	      0 or 1 (0)	the compiler is gcc, as where processes were
 *			recorded; else clang, FreeBSD's own
 *	lifetime-pct  1 to 10000 (100)	user time, of what was recorded
 *	premap	      1 to 65536 (96)	pages of a library's mapping that are
 *			mapped with it.  Source: FreeBSD main (2024),
 *			sys/vm/vm_map.c, MAX_INIT_PT
 *	text-pages    0 (all)	most pages of a file, for small memories
 *	anon-pages    0 (all)	most anonymous pages of a program, the same
 *	superpages    0 or 1 (0)	all of each file is resident, in
 *			reservations, so that large ones are mapped by 2 MB; else
 *			the share that was recorded, mapped by 4 KB
 *	migrate-pct   0 to 100 (0)	processes that are started, or go on, on
 *			another CPU.  FreeBSD's scheduler looks for the CPU with
 *			the least load when a process is forked, where its parent
 *			still runs on its own
 *	spin	      0 or 1 (0)	as above
 */

#include <errno.h>
#include <string.h>

#include "workload/wl_builder.h"

#define TEXT_COPIES   20u
#define CONFIGURE_PCT 62u
#define LIFETIME_PCT  100u
#define PREMAP_PAGES  96u

#define WAITING_ONE_IN 8u /* threads for each builder that waits */

/* A builder that waits for a CPU. */
struct waiting {
	_Alignas(CACHE_PAIR_SIZE) struct wl_builder *_Atomic wa_builder;
};

/* What all share. */
struct poudriere {
	struct wl_jail *po_jails; /* [wp_text_copies] */
	unsigned po_njails;
	struct waiting *po_waiting;
	unsigned po_nwaiting;
};

/* The n-th builder.  *bp is set even when it begins in part. */
static int
builder_create(struct wl_thread *wlt, unsigned n, struct wl_builder **bp)
{
	const struct workload_params *wp = &wlt->wlt_run->wlr_params;
	const struct poudriere *po = wlt->wlt_run->wlr_shared;
	unsigned pct = wp->wp_configure_pct;
	struct wl_builder *b;

	b = wl_alloc(wlt->wlt_run, sizeof(*b));
	if (b == NULL)
		return (ENOMEM);
	*bp = b;
	b->b_world.ww_thread = wlt;
	b->b_world.ww_jail = &po->po_jails[n % po->po_njails];
	/* As many as there should be, evenly spread. */
	b->b_mix =
	    &wl_mixes[wp->wp_gcc != 0 ? WL_GCC : WL_CLANG]
		     [(n + 1) * pct / 100 > n * pct / 100 ? WL_STAGE_CONFIGURE
							  : WL_STAGE_MAKE];
	return (wl_builder_begin(b));
}

static void
builder_destroy(struct wl_run *run, struct wl_builder *b)
{
	if (b == NULL)
		return;
	wl_builder_end(b);
	wl_free(run, b, sizeof(*b));
}

static int
poudriere_start(struct wl_thread *wlt)
{
	struct poudriere *po = wlt->wlt_run->wlr_shared;
	unsigned n = wlt->wlt_index;
	struct wl_builder *b = NULL;
	int error = 0;

	/* Those that wait are numbered after those that run. */
	if (n % WAITING_ONE_IN == 0 && n / WAITING_ONE_IN < po->po_nwaiting) {
		error = builder_create(wlt,
		    wlt->wlt_run->wlr_config->wc_threads + n / WAITING_ONE_IN,
		    &b);
		/* Relaxed: threads meet at the gate before they look. */
		atomic_store_explicit(
		    &po->po_waiting[n / WAITING_ONE_IN].wa_builder, b,
		    memory_order_relaxed);
	}
	b = NULL;
	if (error == 0)
		error = builder_create(wlt, n, &b);
	wlt->wlt_state = b;
	return (error);
}

/* Another thread goes on with this builder, and we with one that waits. */
static struct wl_builder *
migrate(struct wl_thread *wlt, struct wl_builder *b)
{
	const struct poudriere *po = wlt->wlt_run->wlr_shared;
	struct waiting *wa =
	    &po->po_waiting[wl_below(&wlt->wlt_rng, po->po_nwaiting)];

	/* Acquire-release: hands a builder over with all that it has. */
	b = atomic_exchange_explicit(&wa->wa_builder, b, memory_order_acq_rel);
	b->b_world.ww_thread = wlt;
	wlt->wlt_state = b;
	return (b);
}

static int
poudriere_round(struct wl_thread *wlt)
{
	const struct poudriere *po = wlt->wlt_run->wlr_shared;
	struct wl_builder *b = wlt->wlt_state;

	if (b->b_switched && po->po_nwaiting > 0 &&
	    wl_below(&wlt->wlt_rng, 100) <
		wlt->wlt_run->wlr_params.wp_migrate_pct)
		b = migrate(wlt, b);
	return (wl_builder_slice(b));
}

static void
poudriere_finish(struct wl_thread *wlt)
{
	builder_destroy(wlt->wlt_run, wlt->wlt_state);
}

static int
file_create(struct wl_run *run, unsigned file, uint32_t pages, int domain,
    struct wl_object **wlop)
{
	unsigned pct = wl_files[file].wf_resident;

	if (pct < 100 && run->wlr_params.wp_superpages == 0)
		return (wl_object_create_sparse(run, pages, domain, pct, wlop));
	return (wl_object_create(run, pages, domain, VM_OBJECT_RUNS, wlop));
}

static int
poudriere_build(struct wl_run *run)
{
	unsigned ncopies = run->wlr_params.wp_text_copies;
	uint32_t most = run->wlr_params.wp_text_pages, pages;
	struct poudriere *po;
	unsigned nwaiting;
	int domain, error;

	po = wl_alloc(run, sizeof(*po));
	if (po == NULL)
		return (ENOMEM);
	run->wlr_shared = po;
	po->po_jails = wl_alloc(run, ncopies * sizeof(po->po_jails[0]));
	if (po->po_jails == NULL)
		return (ENOMEM);
	po->po_njails = ncopies;
	if (run->wlr_params.wp_migrate_pct > 0) {
		nwaiting = howmany(run->wlr_config->wc_threads, WAITING_ONE_IN);
		po->po_waiting =
		    wl_alloc(run, nwaiting * sizeof(po->po_waiting[0]));
		if (po->po_waiting == NULL)
			return (ENOMEM);
		po->po_nwaiting = nwaiting;
	}
	for (unsigned i = 0; i < ncopies; i++) {
		domain = (int)(i % (unsigned)run->wlr_machine->ma_ndomains);
		for (unsigned f = 0; f < WL_NFILES; f++) {
			if (wl_files[f].wf_compiler >= 0 &&
			    wl_files[f].wf_compiler !=
				(run->wlr_params.wp_gcc != 0 ? WL_GCC
							     : WL_CLANG))
				continue;
			pages = wl_files[f].wf_pages;
			if (most != 0)
				pages = MIN(pages, most);
			for (unsigned v = 0; v < wl_files[f].wf_variants; v++) {
				error = file_create(run, f, pages, domain,
				    &po->po_jails[i].wj_files[f][v]);
				if (error != 0)
					return (error);
			}
		}
	}
	return (0);
}

static void
poudriere_destroy(struct wl_run *run)
{
	struct poudriere *po = run->wlr_shared;

	if (po == NULL)
		return;
	for (unsigned i = 0; i < po->po_nwaiting; i++)
		/* Relaxed: all threads have been joined. */
		builder_destroy(run,
		    atomic_load_explicit(
			&po->po_waiting[i].wa_builder, memory_order_relaxed));
	if (po->po_waiting != NULL)
		wl_free(run, po->po_waiting,
		    po->po_nwaiting * sizeof(po->po_waiting[0]));
	/* The objects are the run's. */
	if (po->po_jails != NULL)
		wl_free(
		    run, po->po_jails, po->po_njails * sizeof(po->po_jails[0]));
	wl_free(run, po, sizeof(*po));
}

static int
poudriere_check(struct wl_run *run, char *err, size_t errsize)
{
	struct workload_params *wp = &run->wlr_params;
	int error;

	if (wp->wp_text_copies == 0)
		wp->wp_text_copies = TEXT_COPIES;
	if (wp->wp_configure_pct == 0)
		wp->wp_configure_pct = CONFIGURE_PCT;
	if (wp->wp_lifetime_pct == 0)
		wp->wp_lifetime_pct = LIFETIME_PCT;
	if (wp->wp_premap_pages == 0)
		wp->wp_premap_pages = PREMAP_PAGES;
	error = wl_check_range(
	    "text copies", wp->wp_text_copies, 1, 1024, err, errsize);
	if (error == 0)
		error = wl_check_range("percentage in configure",
		    wp->wp_configure_pct, 1, 100, err, errsize);
	if (error == 0)
		error = wl_check_range("percentage of lifetime",
		    wp->wp_lifetime_pct, 1, 10000, err, errsize);
	if (error == 0)
		error = wl_check_range("percentage that migrates",
		    wp->wp_migrate_pct, 0, 100, err, errsize);
	if (error == 0)
		error = wl_check_range("pages mapped beforehand",
		    wp->wp_premap_pages, 1, 65536, err, errsize);
	wp->wp_text_copies =
	    MIN(wp->wp_text_copies, run->wlr_config->wc_threads);
	return (error);
}

const struct wl_ops wl_poudriere_ops = {
	.wo_check = poudriere_check,
	.wo_build = poudriere_build,
	.wo_start = poudriere_start,
	.wo_round = poudriere_round,
	.wo_finish = poudriere_finish,
	.wo_destroy = poudriere_destroy,
};
